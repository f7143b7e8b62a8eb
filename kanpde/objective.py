"""A problem and a network become a residual vector, its Jacobian and its gradient.

The objective is half the squared norm of r = (sqrt(weight_b / n_b) r_b(row)) over blocks b: the equation's components
inside, the conditions' on their sides, so that the loss 1/2 |r|^2 is half the weighted sum of mean squares. A row is a residual at
one point, or, where a condition couples points (periodic pairs, integrals), a weighted sum of residuals at several.

For every block: the network's jets at its points (:mod:`kanpde.kan`), the user's equation on them, one autograd pass through
that equation alone (pointwise, a few operations), and the network's own reverse, which keeps the samples apart: the
whole N x P Jacobian for little more than a gradient. A system takes one reverse a component. An unknown coefficient is spread
over the samples before it is differentiated by; its derivatives, and what the network itself adds to them, are the last rows.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.blocks import Block, Chunk, Piece, demand, entries, make_chunk, make_chunks, unknown_fields
from kanpde.compiled import SIZE, Compiled
from kanpde.conditions import Condition
from kanpde.fields import Field, coefficient
from kanpde.jets import MultiIndex, channels
from kanpde.network import Network
from kanpde.pieces import Pieces
from kanpde.problem import Problem

CHUNK = 4096


class Objective:
    """Residuals of a problem for a network at given points, ``points[name]`` of shape (n, d) by block.

    The first block is "equation"; the others are named after the soft conditions, and one that the network satisfies by
    itself has no points. ``factors`` multiply the blocks' weights, by name. Raises ``ValueError`` at once if a residual is not finite at
    some point (:meth:`check_finite`).
    """

    def __init__(
        self, problem: Problem, points: Mapping[str, Tensor], *, factors: Mapping[str, float] | None = None, chunk: int = CHUNK
    ) -> None:
        self.problem = problem
        self.blocks = [self._equation(points["equation"], chunk)]
        for condition in problem.soft:
            if condition.name in points or not condition.optional:
                self.blocks.append(self._condition(condition, points[condition.name], chunk))
        for block in self.blocks:
            block.weight *= (factors or {}).get(block.name, 1.0)
        self._count()

    def _count(self) -> None:
        self.size = sum(block.size for block in self.blocks)
        self._memory: dict[tuple[int, int, int], Tensor] = {}
        self._parameters = 0  # of the network that the memory is for

    def _equation(self, points: Tensor, chunk: int) -> Block:
        problem = self.problem
        columns = _like(points, problem.columns(_numbers(points)))
        block = Block("equation", problem.residuals, points, 1.0, *demand(problem, problem.residuals, columns))
        block.columns, block.loss_residuals = columns, problem.loss_residuals if problem.own_loss else None
        block.chunks = make_chunks(problem, points, columns, None, 1, chunk)
        return block

    def _condition(self, condition: Condition, points: Tensor, chunk: int) -> Block:
        columns = _like(points, condition.columns(_numbers(points)))
        factors = condition.coefficients(_numbers(points))
        factors = None if factors is None else torch.tensor(factors).to(points)
        residuals, group = _bound(condition, self.problem), condition.group
        if group and len(points) % group:
            raise ValueError(f"{condition!r} takes points in groups of {group}, got {len(points)}")
        block = Block(condition.name, residuals, points, condition.weight, *demand(self.problem, residuals, columns), group)
        block.chunks = make_chunks(self.problem, points, columns, factors, group, chunk)
        return block

    @property
    def own_loss(self) -> bool:
        """Whether the squares of :meth:`residual` make the loss, but those of :meth:`linearised` only have its gradient and curvature."""
        return self.blocks[0].loss_residuals is not None

    def batch(self, places: Tensor, chunk: int = CHUNK) -> "Objective":
        """The same with the equation at some of its points only, by their ``places`` (n,); the conditions stay whole."""
        other, block = copy(self), self.blocks[0]
        columns = {name: column[places] for name, column in block.columns.items()}
        part = replace(block, points=block.points[places], columns=columns)
        part.chunks = make_chunks(self.problem, part.points, columns, None, 1, chunk)
        other.blocks = [part, *self.blocks[1:]]
        other._count()
        return other

    # ---- one chunk ----

    def _evaluate(
        self, block: Block, chunk: Chunk, lookup: Callable[[int, MultiIndex], Tensor], coefficients: Sequence[Tensor], loss: bool = False
    ) -> list[Tensor]:
        """The residuals' components (n,), from the network's derivatives by ``lookup(output, alpha)``; with ``loss`` those that make it."""
        problem, n = self.problem, len(chunk.points)
        trained = {
            name: coefficient(value, problem.domain.names, name) for name, value in zip(problem.coefficients, coefficients, strict=True)
        }
        known = problem.known(chunk.coordinates, unknown_fields(problem, lookup, chunk), trained)
        residuals = block.loss_residuals if loss and block.loss_residuals is not None else block.residuals
        values = (value.value if isinstance(value, Field) else value for value in residuals({**known, **chunk.columns}))
        return [value.expand(n) if isinstance(value, Tensor) else chunk.points.new_full((n,), float(value)) for value in values]

    def _forward(self, network: Network, block: Block, chunk: Chunk) -> tuple[Tensor, list[Any]]:
        size = len(chunk.points)
        jet, block.records[size] = network.jets(chunk.points, block.chosen, block.records.get(size))
        return jet, block.records[size]

    def _coefficients(self, network: Network) -> Tensor:
        if len(network.coefficients) != len(self.problem.coefficients):
            raise ValueError(
                f"the problem has the unknown coefficients {', '.join(self.problem.coefficients) or 'none'}, but the network carries "
                f"{len(network.coefficients)}: network.with_coefficients(list(problem.coefficients.values()))"
            )
        return network.coefficients

    # ---- the whole ----

    def residual(self, network: Network) -> Tensor:
        """The scaled residual vector r, (N,), half whose square is the loss."""
        residual = self.blocks[0].points.new_zeros(self.size)
        offset, coefficients = 0, self._coefficients(network).unbind()
        with torch.no_grad():
            for block in self.blocks:
                part = residual[offset : offset + block.size].view(block.components, -1)
                start = 0
                for chunk in block.chunks:
                    jet, _ = self._forward(network, block, chunk)
                    stop = start + (len(chunk.points) // block.group if block.group else 1)
                    for number, value in enumerate(self._evaluate(block, chunk, entries(jet, block.chosen), coefficients, True)):
                        part[number, start:stop] += block.summed(value * block.factors(chunk))
                    start = stop if block.group else 0
                offset += block.size
        return residual

    def linearised(self, network: Network, *, keep: bool = True, tail: int | None = None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """The scaled residuals and their derivatives, part by part: (places in r, r (n,), rows of J transposed (P, n)).

        With ``keep`` every part has memory of its own, until the next call (with as large a ``tail``); without, the next part
        overwrites it, so that memory does not grow with the number of points. With ``tail`` only the derivatives by the last
        ``tail`` parameters of the network's layers, which may spare most of the work.
        """
        if network.parameter_count != self._parameters:
            self._memory.clear()
            self._parameters = network.parameter_count
        coefficients = len(network.coefficients) if tail is None else 0
        count = self._parameters if tail is None else tail
        sums: dict[int, tuple[Tensor, Tensor]] = {}  # by component, of the block whose one row is the sum over its points
        for piece in self._reverse(network):
            block, value = piece.block, piece.value
            if block.group:
                n = len(value)
                rows = self._rows(count, n, piece.place.start if keep and block.group == 1 else -1)
                network.rows(piece.records, piece.adjoint, rows[: count - coefficients])
                rows[count - coefficients :] = piece.slopes[:coefficients]
                if block.group > 1:
                    pooled = self._rows(count, n // block.group, piece.place.start if keep else -2)
                    rows = torch.sum(rows.unflatten(1, (-1, block.group)), 2, out=pooled)
                yield piece.place, block.summed(value), rows
                continue
            total = _summed_row(network, piece) if tail is None else network.gradient(piece.records, piece.adjoint)[-tail:], value.sum()
            if piece.component in sums:
                total = sums[piece.component][0] + total[0], sums[piece.component][1] + total[1]
            sums[piece.component] = total
            if piece.last:
                row, total_value = sums.pop(piece.component)
                rows = self._rows(count, 1, piece.place.start if keep else -1)
                rows[:, 0] = row
                yield piece.place, total_value[None], rows

    def _rows(self, count: int, n: int, key: int) -> Tensor:
        """Memory for rows (P, n), used again under the same key and size."""
        if (count, key, n) not in self._memory:
            self._memory[count, key, n] = self.blocks[0].points.new_empty((count, n))
        return self._memory[count, key, n]

    def jacobian(self, network: Network) -> tuple[Tensor, Tensor]:
        """r (N,) and its Jacobian J (N, P), whole."""
        residual = self.blocks[0].points.new_empty(self.size)
        jacobian = residual.new_empty((self.size, network.parameter_count))
        for place, value, rows in self.linearised(network, keep=False):
            residual[place], jacobian[place] = value, rows.T
        return residual, jacobian

    def gradient(self, network: Network, compiled: Compiled | None = None) -> tuple[Tensor, Tensor]:
        """The residual (N,) and the gradient of the loss, (P,); with ``compiled``, by programs wherever there are enough points."""
        residual = self.blocks[0].points.new_zeros(self.size)
        total, offset = residual.new_zeros(network.parameter_count), 0
        for block in self.blocks:
            part, start = residual[offset : offset + block.size].view(block.components, -1), 0
            for chunk in block.chunks if block.group == 1 else ():
                for values, share in self._shares(network, block, chunk, compiled):
                    torch.mul(values, block.scale, out=part[:, start : start + values.shape[1]])
                    total.add_(share, alpha=block.scale**2)
                    start += values.shape[1]
            offset += block.size
        rows: dict[int, Tensor] = {}
        for piece in self._reverse(network, coupled=True):
            block = piece.block
            residual[piece.place] += block.summed(piece.value)
            if block.group:
                value = residual[piece.place].repeat_interleave(block.group)
                piece.adjoint, piece.slopes = piece.adjoint.mul_(value), piece.slopes * value
                total += _summed_row(network, piece)
            else:
                rows[piece.component] = _summed_row(network, piece) + rows.get(piece.component, 0)
                if piece.last:
                    total += rows.pop(piece.component) * residual[piece.place]
        return residual, total

    def _shares(self, network: Network, block: Block, chunk: Chunk, compiled: Compiled | None) -> Iterator[tuple[Tensor, ...]]:
        """:meth:`_share` of a chunk, or with ``compiled`` of as many points at a time as programs take, and of the rest."""
        if compiled is None or chunk.columns or chunk.factors is not None or len(block.points) < SIZE:
            yield self._share(network, block, chunk)
            return

        def program(network: Network, points: Tensor) -> tuple[Tensor, ...]:
            return self._share(network, block, make_chunk(self.problem, points), keep=False)

        for points in chunk.points.split(SIZE if chunk.points.device.type == "cpu" else len(chunk.points)):
            if len(points) < SIZE:
                yield self._share(network, block, make_chunk(self.problem, points))
            else:
                yield compiled(block.name, program, network, points)

    def _share(self, network: Network, block: Block, chunk: Chunk, *, keep: bool = True) -> tuple[Tensor, ...]:
        """The residuals of points in a block that couples none, (components, n), and the gradient of half their squares' sum, (P,).

        With ``keep`` the network's memory is used again.
        """
        n, leaves = len(chunk.points), dict[tuple[int, int], Tensor]()
        jet, records = self._forward(network, block, chunk) if keep else network.jets(chunk.points, block.chosen)
        with torch.enable_grad():
            spread = [each.expand(n).clone().requires_grad_() for each in self._coefficients(network)]
            values = torch.stack(self._evaluate(block, chunk, entries(jet, block.chosen, leaves), spread))
            values = values if chunk.factors is None else values * chunk.factors
            loss = 0.5 * (values * values).sum()
        adjoint, slopes = _adjoint(loss, jet, leaves, spread, keep=False)
        if (through := network.coefficient_rows(chunk.points, block.chosen, records, adjoint)) is not None:
            slopes = slopes + through
        if block.loss_residuals is not None:
            values = torch.stack(self._evaluate(block, chunk, entries(jet, block.chosen), self._coefficients(network).unbind(), True))
        return values.detach(), torch.cat([network.gradient(records, adjoint), slopes.sum(1)])

    def pulled(self, network: Network, vector: Tensor) -> Tensor:
        """J' times a vector (N,), without J: (P,)."""
        total = vector.new_zeros(network.parameter_count)
        for piece in self._reverse(network):
            group, value = piece.block.group, vector[piece.place]
            value = value if group <= 1 else value.repeat_interleave(group)
            piece.adjoint, piece.slopes = piece.adjoint.mul_(value), piece.slopes * value
            total += _summed_row(network, piece)
        return total

    def _reverse(self, network: Network, *, coupled: bool = False) -> Iterator[Piece]:
        """Every component of every chunk, with its derivatives by the network's jets and the unknown coefficients; those of all
        blocks, or only of those whose rows couple points.
        """
        offset, coefficients = 0, self._coefficients(network)
        for block in self.blocks:
            start = offset
            for place, chunk in enumerate(() if coupled and block.group == 1 else block.chunks):
                n = len(chunk.points)
                jet, records = self._forward(network, block, chunk)
                leaves: dict[tuple[int, int], Tensor] = {}
                with torch.enable_grad():
                    spread = [each.expand(n).clone().requires_grad_() for each in coefficients]
                    values = self._evaluate(block, chunk, entries(jet, block.chosen, leaves), spread)
                factors = block.factors(chunk)
                rows = n // block.group if block.group else 1
                for number, value in enumerate(values):
                    first = start + number * block.rows
                    adjoint, slopes = _adjoint(value, jet, leaves, spread, keep=number + 1 < len(values))
                    if (through := network.coefficient_rows(chunk.points, block.chosen, records, adjoint)) is not None:
                        slopes = slopes + through
                    yield Piece(
                        block,
                        number,
                        slice(first, first + rows),
                        place + 1 == len(block.chunks),
                        records,
                        adjoint.mul_(factors),
                        slopes.mul_(factors),
                        value.detach() * factors,
                    )
                start += rows if block.group else 0
            offset += block.size

    # ---- what reports need ----

    def losses(self, residual: Tensor) -> dict[str, float]:
        """Mean square (times weight, summed over components) of every block, from the scaled residual vector."""
        found, offset = {}, 0
        for block in self.blocks:
            part = residual[offset : offset + block.size]
            found[block.name] = float(part @ part)
            offset += block.size
        return found

    def check_finite(self, network: Network) -> None:
        """Raise ``ValueError`` naming the block and the first point at which a residual is NaN or infinite."""
        residual, offset = self.residual(network), 0
        for block in self.blocks:
            part = residual[offset : offset + block.size].view(block.components, -1)
            bad = (~part.isfinite()).nonzero()
            if len(bad):
                component, number = bad[0].tolist()
                where = zip(self.problem.domain.names, block.points[number * block.group].tolist(), strict=True)
                raise ValueError(
                    f"the residual of {block.name!r} (component {component + 1} of {block.components}) is {float(part[component, number])} "
                    f"at {', '.join(f'{name}={value:.6g}' for name, value in where)}, one of {len(bad)} such points of {part.numel()}: "
                    "check the equation there for a division by zero, a root or a logarithm of a negative number"
                )
            offset += block.size


def _adjoint(
    value: Tensor, jet: Tensor, leaves: dict[tuple[int, int], Tensor], coefficients: Sequence[Tensor], *, keep: bool
) -> tuple[Tensor, Tensor]:
    """The derivatives of ``value``, or of its sum, by the jet and by the coefficients, sample by sample: one reverse pass through
    the user's equation.
    """
    adjoint, slopes = torch.zeros_like(jet), jet.new_zeros((len(coefficients), jet.shape[2]))
    if value.requires_grad:
        inputs = [*leaves.values(), *coefficients]
        with torch.enable_grad():
            total = value.sum()
        found = torch.autograd.grad(total, inputs, retain_graph=keep, allow_unused=True)
        for place, slope in zip(leaves, found, strict=False):
            if slope is not None:
                adjoint[place] = slope
        for number, slope in enumerate(found[len(leaves) :]):
            if slope is not None:
                slopes[number] = slope
    return adjoint, slopes


def _summed_row(network: Network, piece: Piece) -> Tensor:
    """The sum of a piece's rows over its points, (P,)."""
    row = network.gradient(piece.records, piece.adjoint)
    return torch.cat([row, piece.slopes.sum(1)]) if len(piece.slopes) else row


def _numbers(points: Tensor) -> np.ndarray:
    return points.cpu().double().numpy()


def _like(points: Tensor, columns: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.tensor(column).to(points) for name, column in columns.items()}


def _bound(condition: Condition, problem: Problem) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    return lambda known: condition.residuals(problem, known)


def outputs(problem: Problem, network: Network, points: Tensor, demanded: Sequence[MultiIndex] = ((),), *, chunk: int = 4096) -> dict:
    """Each unknown's derivatives at ``points`` (n, d), hard conditions built in: {unknown: {alpha: (n,)}}; NaN beyond the last slab."""
    demanded = tuple(dict.fromkeys(demanded))
    found = {name: {alpha: points.new_full((len(points),), math.nan) for alpha in demanded} for name in problem.unknowns}
    chosen = channels(demanded)
    for part_problem, part, places in parts(problem, network, points):
        for where in torch.split(places, chunk):
            chunked = make_chunk(part_problem, points[where])
            jet, _ = part.jets(chunked.points, chosen)
            fields = unknown_fields(part_problem, lambda number, alpha, jet=jet: jet[chosen.position[alpha], number], chunked)
            for name, each in fields.items():
                for alpha in demanded:
                    found[name][alpha][where] = each.partial(alpha)
    return found


def equation_residuals(problem: Problem, network: Network, points: Tensor) -> Tensor:
    """The equation's residuals at ``points`` (n, d), unweighted: (components, n)."""
    found = None
    for part_problem, part, places in parts(problem, network, points):
        bare = replace(part_problem, conditions=tuple(condition for condition in part_problem.conditions if condition.hard))
        objective = Objective(bare, {"equation": points[places]})
        residual = objective.residual(part).view(objective.blocks[0].components, -1) * math.sqrt(len(places))
        found = residual.new_full((len(residual), len(points)), math.nan) if found is None else found
        found[:, places] = residual
    assert found is not None
    return found


def parts(problem: Problem, network: Network, points: Tensor) -> Iterator[tuple[Problem, Network, Tensor]]:
    """What a solution consists of where there are points: problem, network and the places of its points; slabs have one each."""
    if isinstance(network, Pieces):
        yield from network.parts(points)
    elif len(points):
        yield problem, network, torch.arange(len(points), device=points.device)
