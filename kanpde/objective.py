"""A problem and a network become a residual vector, its Jacobian and its gradient.

The objective is half the squared norm of r = (sqrt(weight_b / n_b) r_b(point)) over blocks b: the equation's components
inside, the conditions' on their sides, so that the loss 1/2 |r|^2 is half the weighted sum of mean squares.

For every block: the network's jets at its points (:mod:`kanpde.kan`), the user's equation on them, one autograd pass through
that equation alone (pointwise, a few operations), and the network's own reverse, which keeps the samples apart: the
whole N x P Jacobian for little more than a gradient. A system takes one reverse a component.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.fields import Field, coordinate_fields
from kanpde.jets import Channels, MultiIndex, channels
from kanpde.network import Network
from kanpde.problem import Condition, Problem

CHUNK = 4096


@dataclass
class Chunk:
    """Some points of a block, with what does not change from step to step."""

    points: Tensor  # (n, d)
    coordinates: dict[str, Field]
    hard: dict[str, tuple[Field, Any]]  # G and D by unknown


@dataclass
class Block:
    """Residuals of one kind: the equation inside, or one condition on its sides."""

    name: str
    residuals: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    points: Tensor  # (N, d)
    weight: float
    chosen: Channels
    components: int
    chunks: list[Chunk] = field(default_factory=list)
    records: dict[int, list[Any]] = field(default_factory=dict)  # the network's memory by size of chunk, used by one after another

    @property
    def size(self) -> int:
        return self.components * len(self.points)


def unknown_fields(problem: Problem, lookup: Callable[[int, MultiIndex], Any], chunk: Chunk) -> dict[str, Field]:
    """The unknowns as fields, hard conditions built in; ``lookup(output, alpha)`` gives the network's derivatives."""
    found = {}
    for number, name in enumerate(problem.unknowns):
        raw = Field(problem.domain.names, lambda alpha, number=number: lookup(number, alpha), name)
        if name in chunk.hard:
            lifted, distance = chunk.hard[name]
            raw = lifted + distance * raw
            raw._name = name
        found[name] = raw
    return found


def make_chunk(problem: Problem, points: Tensor) -> Chunk:
    """Coordinates as fields, and the hard conditions at these points."""
    coordinates = coordinate_fields(problem.domain.names, list(points.T.contiguous()))
    hard = {}
    for name in problem.unknowns:
        pair = problem.ansatz(name, coordinates)
        if pair is not None:
            hard[name] = pair
    return Chunk(points, coordinates, hard)


def demand(problem: Problem, residuals: Callable[[Mapping[str, Any]], tuple[Any, ...]]) -> tuple[Channels, int]:
    """The derivatives of the network that ``residuals`` read, found by calling it once, and its number of components."""
    read: set[MultiIndex] = set()
    box = problem.domain
    middle = np.array([[0.5 * (low + high) for low, high in zip(box.lower, box.upper, strict=True)]])
    shift = 0.1 * (np.asarray(box.upper) - middle)
    chunk = make_chunk(problem, torch.from_numpy(np.concatenate([middle, middle + shift])))

    def lookup(number: int, alpha: MultiIndex) -> Tensor:
        read.add(alpha)
        return torch.full((2,), 0.5, dtype=torch.float64)

    values = residuals(problem.known(chunk.coordinates, unknown_fields(problem, lookup, chunk)))
    for value in values:
        if isinstance(value, Field):
            _ = value.value
    return channels(read), len(values)


class Objective:
    """Residuals of a problem for a network at given points, ``points[name]`` of shape (n, d) by block.

    The first block is "equation"; the others are named after the soft conditions. Raises ``ValueError``
    at once if a residual is not finite at some point (:meth:`check_finite`).
    """

    def __init__(self, problem: Problem, points: Mapping[str, Tensor], *, chunk: int = CHUNK) -> None:
        self.problem = problem
        self.blocks: list[Block] = []
        self._add("equation", problem.residuals, points["equation"], 1.0, chunk)
        for condition in problem.soft:
            self._add(condition.name, _bound(condition, problem), points[condition.name], condition.weight, chunk)
        self.size = sum(block.size for block in self.blocks)
        self._rows: dict[int, Tensor] = {}

    def _add(self, name: str, residuals: Any, points: Tensor, weight: float, chunk: int) -> None:
        chosen, components = demand(self.problem, residuals)
        block = Block(name, residuals, points, weight, chosen, components)
        count = max(1, math.ceil(len(points) / chunk))
        block.chunks = [make_chunk(self.problem, part) for part in torch.chunk(points, count)]
        self.blocks.append(block)

    # ---- one chunk ----

    def _evaluate(self, block: Block, chunk: Chunk, lookup: Callable[[int, MultiIndex], Tensor]) -> list[Tensor]:
        """The residuals' components (n,), from the network's derivatives by ``lookup(output, alpha)``."""
        known = self.problem.known(chunk.coordinates, unknown_fields(self.problem, lookup, chunk))
        values = (value.value if isinstance(value, Field) else value for value in block.residuals(known))
        n = len(chunk.points)
        return [value.expand(n) if isinstance(value, Tensor) else chunk.points.new_full((n,), float(value)) for value in values]

    def _forward(self, network: Network, block: Block, chunk: Chunk) -> Tensor:
        size = len(chunk.points)
        jet, block.records[size] = network.jets(chunk.points, block.chosen, block.records.get(size))
        return jet

    # ---- the whole ----

    def residual(self, network: Network) -> Tensor:
        """The scaled residual vector r, (N,)."""
        residual = self.blocks[0].points.new_empty(self.size)
        offset = 0
        with torch.no_grad():
            for block in self.blocks:
                part = residual[offset : offset + block.size].view(block.components, -1)
                start, scale = 0, math.sqrt(block.weight / len(block.points))
                for chunk in block.chunks:
                    stop = start + len(chunk.points)
                    jet = self._forward(network, block, chunk)
                    for number, value in enumerate(self._evaluate(block, chunk, _entries(jet, block.chosen))):
                        torch.mul(value, scale, out=part[number, start:stop])
                    start = stop
                offset += block.size
        return residual

    def linearised(self, network: Network, *, keep: bool = True) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """The scaled residuals and their derivatives, part by part: (places in r, r (n,), rows of J transposed (P, n)).

        With ``keep`` every part has memory of its own, until the next call; without, the next part overwrites it, so
        that memory does not grow with the number of points.
        """
        count = network.parameter_count
        if self._rows and len(next(iter(self._rows.values()))) != count:
            self._rows.clear()
        for place, scale, records, adjoint, value in self._reverse(network):
            key = place.start if keep else -len(value)
            if key not in self._rows:
                self._rows[key] = value.new_empty((count, len(value)))
            network.rows(records, adjoint.mul_(scale), self._rows[key])
            yield place, scale * value, self._rows[key]

    def jacobian(self, network: Network) -> tuple[Tensor, Tensor]:
        """r (N,) and its Jacobian J (N, P), whole."""
        residual = self.blocks[0].points.new_empty(self.size)
        jacobian = residual.new_empty((self.size, network.parameter_count))
        for place, value, rows in self.linearised(network, keep=False):
            residual[place], jacobian[place] = value, rows.T
        return residual, jacobian

    def gradient(self, network: Network) -> tuple[Tensor, Tensor]:
        """r (N,), and the gradient J'r of the loss, (P,)."""
        residual = self.blocks[0].points.new_empty(self.size)
        total = residual.new_zeros(network.parameter_count)
        for place, scale, records, adjoint, value in self._reverse(network):
            residual[place] = scale * value
            total += network.gradient(records, adjoint * (scale**2 * value))
        return residual, total

    def pulled(self, network: Network, vector: Tensor) -> Tensor:
        """J' times a vector (N,), without J: (P,)."""
        total = vector.new_zeros(network.parameter_count)
        for place, scale, records, adjoint, _ in self._reverse(network):
            total += network.gradient(records, adjoint * (scale * vector[place]))
        return total

    def _reverse(self, network: Network) -> Iterator[tuple[slice, float, list[Any], Tensor, Tensor]]:
        """For every chunk and component: its place in r, scale, the network's records, d residual / d jet (C, outputs, n), residual."""
        offset = 0
        for block in self.blocks:
            scale = math.sqrt(block.weight / len(block.points))
            start = offset
            for chunk in block.chunks:
                jet = self._forward(network, block, chunk)
                leaves: dict[tuple[int, int], Tensor] = {}
                with torch.enable_grad():
                    values = self._evaluate(block, chunk, _entries(jet, block.chosen, leaves))
                records = block.records[len(chunk.points)]
                for number, value in enumerate(values):
                    first = start + number * len(block.points)
                    adjoint = _adjoint(value, jet, leaves, keep=number + 1 < len(values))
                    yield slice(first, first + len(chunk.points)), scale, records, adjoint, value.detach()
                start += len(chunk.points)
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
                where = zip(self.problem.domain.names, block.points[number].tolist(), strict=True)
                raise ValueError(
                    f"the residual of {block.name!r} (component {component + 1} of {block.components}) is {float(part[component, number])} "
                    f"at {', '.join(f'{name}={value:.6g}' for name, value in where)}, one of {len(bad)} such points of {part.numel()}: "
                    "check the equation there for a division by zero, a root or a logarithm of a negative number"
                )
            offset += block.size


def _entries(jet: Tensor, chosen: Channels, leaves: dict[tuple[int, int], Tensor] | None = None) -> Callable[[int, MultiIndex], Tensor]:
    """Access to a jet (C, outputs, n) by output and derivative; with ``leaves``, what is read can be differentiated by."""

    def lookup(number: int, alpha: MultiIndex) -> Tensor:
        place = chosen.position[alpha], number
        if leaves is None:
            return jet[place]
        if place not in leaves:
            leaves[place] = jet[place].detach().requires_grad_()
        return leaves[place]

    return lookup


def _adjoint(value: Tensor, jet: Tensor, leaves: dict[tuple[int, int], Tensor], *, keep: bool) -> Tensor:
    """d value / d jet, sample by sample: one reverse pass through the user's equation."""
    adjoint = torch.zeros_like(jet)
    if value.requires_grad:
        slopes = torch.autograd.grad(value, list(leaves.values()), torch.ones_like(value), retain_graph=keep, allow_unused=True)
        for place, slope in zip(leaves, slopes, strict=True):
            if slope is not None:
                adjoint[place] = slope
    return adjoint


def _bound(condition: Condition, problem: Problem) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    return lambda known: condition.residuals(problem, known)


def outputs(problem: Problem, network: Network, points: Tensor, demanded: Sequence[MultiIndex] = ((),), *, chunk: int = 4096) -> dict:
    """Each unknown's derivatives at ``points`` (n, d), hard conditions built in: {unknown: {alpha: (n,)}}."""
    found: dict[str, dict[MultiIndex, list[Tensor]]] = {name: {alpha: [] for alpha in demanded} for name in problem.unknowns}
    chosen, demanded = channels(demanded), tuple(dict.fromkeys(demanded))
    for part in torch.split(points, chunk):
        place = make_chunk(problem, part)
        jet, _ = network.jets(part, chosen)
        fields = unknown_fields(problem, lambda number, alpha, jet=jet: jet[chosen.position[alpha], number], place)
        for name, each in fields.items():
            for alpha in demanded:
                value = each.partial(alpha)
                found[name][alpha].append(value if isinstance(value, Tensor) else part.new_full((len(part),), float(value)))
    return {name: {alpha: torch.cat(values) for alpha, values in by.items()} for name, by in found.items()}
