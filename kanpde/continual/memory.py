"""What a remedy remembers between tasks, and the rows that it adds to the residual of the next one."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from kanpde.domains import sobol
from kanpde.jets import channels
from kanpde.joined import Term
from kanpde.kan import KAN
from kanpde.network import Network
from kanpde.objective import Objective

BETWEEN = 16  # places to each function of a basis, at which it is seen whether a range reaches it


class Memory(Protocol):
    """One remedy in one run."""

    def learnt(self, network: Network, objective: Objective, seed: int) -> None:
        """A task was learnt: ``objective`` is that of the task alone, at the points that it was trained on."""

    def prepare(self, network: Network) -> None:
        """Before the next task, the first included: look at the network, or change what of it is trained."""

    def terms(self) -> Sequence[Term]:
        """What the next task has in its loss."""
        ...

    @property
    def numbers(self) -> int:
        """How many numbers are kept from earlier tasks."""
        ...


# ---- a quadratic form ----


class Quadratic:
    """Rows sqrt(weight) R (p - p*), of which half the squares are weight / 2 (p - p*)' R'R (p - p*)."""

    def __init__(self, root: Tensor, anchor: Tensor, column: str) -> None:
        self.root, self.anchor = root, anchor  # (m, numbers of the network), or (numbers,) of a diagonal; (numbers,)
        self.column = column

    @property
    def size(self) -> int:
        return len(self.root)

    def _rows(self, network: Network) -> Tensor:
        """J (m, P)."""
        whole, live = torch.diag(self.root) if self.root.ndim == 1 else self.root, network.trained_places
        return whole if live is None else whole[:, live]

    def residual(self, network: Network) -> Tensor:
        moved = nn.utils.parameters_to_vector(network.parameters()).detach() - self.anchor
        return self.root * moved if self.root.ndim == 1 else self.root @ moved

    def linearised(self, network: Network, *, keep: bool = True, tail: int | None = None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        rows = self._rows(network)
        end = rows.shape[1] - len(network.coefficients)
        yield slice(0, self.size), self.residual(network), (rows if tail is None else rows[:, end - tail : end]).T

    def gradient(self, network: Network) -> tuple[Tensor, Tensor]:
        residual = self.residual(network)
        return residual, self.pulled(network, residual)

    def pulled(self, network: Network, vector: Tensor) -> Tensor:
        return self._rows(network).T @ vector


@dataclass
class ElasticMemory:
    """The sum over the tasks of J'J, as a root of at most P rows, and the parameters where the last task ended."""

    weight: float
    full: bool
    root: Tensor | None = None
    anchor: Tensor | None = None

    def learnt(self, network: Network, objective: Objective, seed: int) -> None:
        jacobian = objective.jacobian(network)[1] * math.sqrt(self.weight)
        whole, live = nn.utils.parameters_to_vector(network.parameters()).detach(), network.trained_places
        if live is not None:
            jacobian = jacobian.new_zeros((len(jacobian), len(whole))).index_copy(1, live, jacobian)
        if not self.full:
            old = whole.new_zeros(len(whole)) if self.root is None else self.root
            self.root = (old.square() + jacobian.square().sum(0)).sqrt()
        else:
            rows = jacobian if self.root is None else torch.cat([self.root, jacobian])
            self.root = rows if len(rows) <= rows.shape[1] else torch.linalg.qr(rows, mode="r")[1]
        self.anchor = whole.clone()

    def prepare(self, network: Network) -> None:
        pass

    def terms(self) -> Sequence[Term]:
        return [] if self.root is None or self.anchor is None else [Quadratic(self.root, self.anchor, "loss_elastic")]

    @property
    def numbers(self) -> int:
        return 0 if self.root is None or self.anchor is None else self.root.numel() + self.anchor.numel()


@dataclass
class StayMemory:
    """The parameters where the last task ended; before the first, those to begin with."""

    weight: float
    anchor: Tensor | None = None

    def learnt(self, network: Network, objective: Objective, seed: int) -> None:
        pass

    def prepare(self, network: Network) -> None:
        self.anchor = nn.utils.parameters_to_vector(network.parameters()).detach().clone()

    def terms(self) -> Sequence[Term]:
        return [] if self.anchor is None else [Quadratic(torch.full_like(self.anchor, math.sqrt(self.weight)), self.anchor, "loss_stay")]

    @property
    def numbers(self) -> int:
        return 0 if self.anchor is None else self.anchor.numel()


# ---- samples ----


class Again:
    """The residuals of an earlier task at some of its points, times a factor."""

    column = "loss_replay"

    def __init__(self, objective: Objective, factor: float) -> None:
        self.objective, self.factor, self.size = objective, factor, objective.size

    def residual(self, network: Network) -> Tensor:
        return self.factor * self.objective.residual(network)

    def linearised(self, network: Network, *, keep: bool = True, tail: int | None = None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        for place, value, rows in self.objective.linearised(network, keep=keep, tail=tail):
            yield place, self.factor * value, rows.mul_(self.factor)

    def gradient(self, network: Network) -> tuple[Tensor, Tensor]:
        residual, total = self.objective.gradient(network)
        return self.factor * residual, self.factor**2 * total

    def pulled(self, network: Network, vector: Tensor) -> Tensor:
        return self.factor * self.objective.pulled(network, vector)


@dataclass
class ReplayMemory:
    """Some points of each task, with what is known there."""

    count: int
    weight: float
    kept: list[Again] = field(default_factory=list)

    def learnt(self, network: Network, objective: Objective, seed: int) -> None:
        points = len(objective.blocks[0].points)
        chosen = np.random.default_rng((seed, len(self.kept), 17)).choice(points, min(self.count, points), replace=False)
        self.kept.append(Again(objective.batch(torch.from_numpy(np.sort(chosen))), math.sqrt(self.weight)))

    def prepare(self, network: Network) -> None:
        pass

    def terms(self) -> Sequence[Term]:
        return self.kept

    @property
    def numbers(self) -> int:
        blocks = [block for each in self.kept for block in each.objective.blocks]
        return sum(block.points.numel() + sum(column.numel() for column in block.columns.values()) for block in blocks)


class Pseudo:
    """Rows factor * (N(x) - what the network gave at x before), the outputs one after another."""

    column = "loss_rehearsal"
    chosen = channels(((),))

    def __init__(self, points: Tensor, before: Tensor, factor: Tensor) -> None:
        self.points, self.before, self.factor = points, before, factor  # (n, d), (outputs, n), (outputs,)
        self.size = before.numel()

    def residual(self, network: Network) -> Tensor:
        now = network.jets(self.points, self.chosen)[0][0]
        return (self.factor[:, None] * (now - self.before)).flatten()

    def linearised(self, network: Network, *, keep: bool = True, tail: int | None = None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        (jet, records), residual, n = network.jets(self.points, self.chosen), self.residual(network), len(self.points)
        count = network.parameter_count - len(network.coefficients) if tail is None else tail
        beside = len(network.coefficients) if tail is None else 0
        for output, factor in enumerate(self.factor):
            adjoint = torch.zeros_like(jet)
            adjoint[0, output] = factor
            rows = jet.new_zeros((count + beside, n))
            network.rows(records, adjoint, rows[:count])
            place = slice(output * n, output * n + n)
            yield place, residual[place], rows

    def gradient(self, network: Network) -> tuple[Tensor, Tensor]:
        residual = self.residual(network)
        return residual, self.pulled(network, residual)

    def pulled(self, network: Network, vector: Tensor) -> Tensor:
        jet, records = network.jets(self.points, self.chosen)
        adjoint = torch.zeros_like(jet)
        adjoint[0] = self.factor[:, None] * vector.view(len(self.factor), -1)
        return torch.cat([network.gradient(records, adjoint), vector.new_zeros(len(network.coefficients))])


@dataclass
class RehearsalMemory:
    """The network as the last task left it, and for each task the box of its points, in which that network is asked."""

    count: int
    weight: float
    boxes: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    before: Network | None = None
    seed: int = 0

    def learnt(self, network: Network, objective: Objective, seed: int) -> None:
        points = objective.blocks[0].points
        self.boxes.append((points.amin(0), points.amax(0)))
        self.before, self.seed = network.copy(), seed

    def prepare(self, network: Network) -> None:
        pass

    def terms(self) -> Sequence[Term]:
        return [] if self.before is None else [self._asked(number, *box) for number, box in enumerate(self.boxes)]

    def _asked(self, number: int, low: Tensor, high: Tensor) -> Term:
        assert self.before is not None
        unit = sobol(self.count, len(low), (self.seed, number, 19))
        points = low + (high - low) * torch.as_tensor(unit).to(low)
        values = self.before.jets(points, Pseudo.chosen)[0][0].clone()
        scale = self.before.output_scale
        scale = values.square().mean(1).sqrt().clamp_min(torch.finfo(values.dtype).tiny) if scale is None else scale
        return Pseudo(points, values, math.sqrt(self.weight / self.count) / scale)

    @property
    def numbers(self) -> int:
        boxes = sum(low.numel() + high.numel() for low, high in self.boxes)
        return boxes + (0 if self.before is None else self.before.parameter_count)


# ---- single coefficients ----


@dataclass
class FrozenMemory:
    """Which coefficients of each layer, from number ``start`` on, the points of earlier tasks have reached: bool (K, inputs)."""

    start: int = 0
    reached: list[Tensor] = field(default_factory=list)

    def learnt(self, network: Network, objective: Objective, seed: int) -> None:
        assert isinstance(network, KAN)  # or the check would have said so
        here, values = [], network.node_values(objective.blocks[0].points)
        for layer, z in zip(network.wires, values, strict=False):
            assert layer.basis is not None
            entered = layer.entered(z)
            share = torch.linspace(0, 1, BETWEEN * layer.basis.size, dtype=z.dtype, device=z.device)
            low, high = entered.amin(1, keepdim=True), entered.amax(1, keepdim=True)
            here.append((layer.basis.values(low + (high - low) * share) != 0).any(2))
        self.reached = [old | new for old, new in zip(self.reached, here, strict=True)] if self.reached else here

    def prepare(self, network: Network) -> None:
        assert isinstance(network, KAN)
        for layer, reached in zip(network.wires[self.start :], self.reached[self.start :], strict=True) if self.reached else ():
            layer.hold(reached)
        if not network.parameter_count:
            raise ValueError("the tasks so far have reached every coefficient of the network, and none is left to train: more intervals")

    def terms(self) -> Sequence[Term]:
        return []

    @property
    def numbers(self) -> int:
        return sum(each.numel() for each in self.reached[self.start :])  # marks
