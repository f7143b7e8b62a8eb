"""The objective with penalties: their rows stand behind those of the problem."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kanpde.compiled import Compiled
from kanpde.jets import Channels
from kanpde.joined import Joined, Term
from kanpde.kan import KAN
from kanpde.network import Network
from kanpde.penalties import Rows, Smooth, Sparsify, penalty_rows
from kanpde.problem import Problem

COLUMNS = {Sparsify: "loss_sparsity", Smooth: "loss_smoothness"}  # of the history


class Penalised(Joined):
    """An objective, ``terms``, and ``penalties``, whose rows are those of where ``network`` stood last when it was settled.

    The penalties are in units of the loss of the zero network under the problem's own weights, or of the sum of the weights where that
    is zero or not finite: of residuals that are 1 everywhere.
    """

    _rows_of: tuple[Rows, ...] = ()

    def __init__(
        self,
        problem: Problem,
        points: Mapping[str, Tensor],
        network: KAN,
        penalties: Sequence[Sparsify | Smooth],
        *,
        terms: Sequence[Term] = (),
        factors: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(problem, points, factors=factors)
        self.penalties = tuple(penalties)
        self._nothing = super().residual(_Zero(network))  # type: ignore[arg-type]
        losses = self.losses(self._nothing)
        unit = sum(loss / (factors or {}).get(name, 1.0) for name, loss in losses.items())
        fallback = sum(block.weight / (factors or {}).get(block.name, 1.0) for block in self.blocks)
        self.unit = unit if 0 < unit < math.inf else fallback
        self.terms = tuple(terms)  # which are no part of that unit
        self.settle(network)

    def settle(self, network: KAN) -> dict[str, float]:
        """Draw the penalties' parabolas where the network stands; the penalties there by the history's columns."""
        where, outputs = self.blocks[0].points, self.output_units(network)
        self._rows_of = tuple(penalty_rows(network, where, penalty, self.unit, outputs) for penalty in self.penalties)
        self._matrix = torch.cat([torch.cat([rows.matrix, rows.matrix[:1] * 0]) for rows in self._rows_of])
        self._constant = torch.cat([self._matrix.new_tensor([0.0] * len(rows.matrix) + [rows.constant]) for rows in self._rows_of])
        live = network.trained_places
        self._trained = self._matrix if live is None else self._matrix[:, live]
        self._count()
        return self._penalties(self._tail(network))

    @torch.no_grad()
    def output_units(self, network: KAN) -> Tensor:
        """The size that outputs of this shape have where they balance the residuals of the zero network, (outputs,); 1 for outputs that are
        zero.
        """
        z = network.node_values(self.blocks[0].points)[-1]
        change = super().residual(network)[: len(self._nothing)] - self._nothing
        ratio = float(torch.linalg.vector_norm(self._nothing) / torch.linalg.vector_norm(change))
        sizes = z.square().mean(1).sqrt()
        found = sizes.clamp_min(1e-3 * float(sizes.max())) * (ratio if 0 < ratio < math.inf else 1.0)
        return torch.where(found > 0, found, 1.0)

    def paid(self, residual: Tensor) -> dict[str, float]:
        return super().paid(residual) | self._penalties(residual)

    def _penalties(self, residual: Tensor) -> dict[str, float]:
        """The penalties in a residual vector (N,), or in its end, by the history's columns."""
        found, start = {}, len(residual) - sum(rows.size for rows in self._rows_of)
        for penalty, rows in zip(self.penalties, self._rows_of, strict=True):
            part = residual[start : start + rows.size]
            found[COLUMNS[type(penalty)]] = float(part @ part)
            start += rows.size
        return found

    def _count(self) -> None:
        super()._count()
        self.size += sum(rows.size for rows in self._rows_of)

    def _tail(self, network: Network) -> Tensor:
        return self._matrix @ nn.utils.parameters_to_vector(network.parameters()).detach() + self._constant

    @property
    def _end(self) -> slice:
        return slice(self.size - sum(rows.size for rows in self._rows_of), self.size)

    def residual(self, network: Network) -> Tensor:
        residual = super().residual(network)
        if self._rows_of:
            residual[self._end] = self._tail(network)
        return residual

    def linearised(self, network: Network, *, keep: bool = True, tail: int | None = None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        yield from super().linearised(network, keep=keep, tail=tail)
        rows, end = self._trained, self._trained.shape[1] - len(network.coefficients)
        yield self._end, self._tail(network), (rows if tail is None else rows[:, end - tail : end]).T

    def gradient(self, network: Network, compiled: Compiled | None = None) -> tuple[Tensor, Tensor]:
        residual, total = super().gradient(network, compiled)
        residual[self._end] = self._tail(network)
        return residual, total + self._trained.T @ residual[self._end]

    def pulled(self, network: Network, vector: Tensor) -> Tensor:
        return super().pulled(network, vector) + self._trained.T @ vector[self._end]


class _Zero:
    """A network whose last layer gives zero everywhere."""

    def __init__(self, network: Network) -> None:
        self.network, self.coefficients = network, network.coefficients

    def jets(self, points: Tensor, chosen: Channels, records: Any = None) -> tuple[Tensor, list[Any]]:
        zero = points.new_zeros((len(chosen), self.network.outputs, len(points)))
        return self.network.scaled_jet(zero), []
