"""Blocks: the points at which one kind of residual is taken, and how residuals become rows of r."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.fields import Field, coefficient, coordinate_fields
from kanpde.jets import Channels, MultiIndex, channels
from kanpde.problem import Problem


@dataclass
class Chunk:
    """Some points of a block, with what does not change from step to step."""

    points: Tensor  # (n, d)
    coordinates: dict[str, Field]
    hard: dict[str, tuple[Field, Any]]  # G and D by unknown
    columns: dict[str, Tensor] = field(default_factory=dict)  # what else is known at the points, (n,) each
    factors: Tensor | None = None  # with which they enter rows, (n,)


class Chunks(Sequence[Chunk]):
    """Chunks of a block, kept once they are made where they are few; else made anew each time, so that memory does not grow with them."""

    KEPT = 16

    def __init__(self, problem: Problem, parts: Sequence[Tensor]) -> None:
        self.problem, self.parts, self.made = problem, parts, {}

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, number: Any) -> Any:
        if number in self.made:
            return self.made[number]
        chunk = make_chunk(self.problem, self.parts[number])
        if len(self.parts) <= self.KEPT:
            self.made[number] = chunk
        return chunk


@dataclass
class Block:
    """Residuals of one kind: the equation inside, or one condition.

    A row of r is the sum of factor times residual over ``group`` points in succession, or over all of them if that is 0.
    """

    name: str
    residuals: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    points: Tensor  # (N, d)
    weight: float
    chosen: Channels
    components: int
    group: int = 1
    chunks: Sequence[Chunk] = ()
    columns: Mapping[str, Tensor] = field(default_factory=dict)  # of the equation: what it knows at its points, (N,) each
    loss_residuals: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None = None  # residuals that make the loss, if these are others
    records: dict[int, list[Any]] = field(default_factory=dict)  # the network's memory by size of chunk, used by one after another

    @property
    def rows(self) -> int:
        """Rows of each component."""
        return len(self.points) // self.group if self.group else 1

    @property
    def size(self) -> int:
        return self.components * self.rows

    @property
    def scale(self) -> float:
        return math.sqrt(self.weight / self.rows)

    def factors(self, chunk: Chunk) -> float | Tensor:
        """What residuals at the points of a chunk are multiplied by in r."""
        return self.scale if chunk.factors is None else self.scale * chunk.factors

    def summed(self, values: Tensor) -> Tensor:
        """Contributions of points (..., n) as contributions to rows (..., n / group)."""
        if self.group == 1:
            return values
        return values.unflatten(-1, (-1, self.group or values.shape[-1])).sum(-1)


@dataclass
class Piece:
    """One component of one chunk, reversed: what its points contribute to rows, factors and scale included."""

    block: Block
    component: int
    place: slice  # in r
    last: bool  # of its block's chunks
    records: list[Any]
    adjoint: Tensor  # (C, outputs, n)
    slopes: Tensor  # (coefficients, n)
    value: Tensor  # (n,)


def unknown_fields(problem: Problem, lookup: Callable[[int, MultiIndex], Any], chunk: Chunk) -> dict[str, Field]:
    """The unknowns as fields, hard conditions built in; ``lookup(output, alpha)`` gives the network's derivatives."""
    found = {}
    for number, name in enumerate(problem.unknowns):
        raw = Field(problem.domain.names, lambda alpha, number=number: lookup(number, alpha), name, sums=True)
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


def make_chunks(
    problem: Problem, points: Tensor, columns: Mapping[str, Tensor], factors: Tensor | None, group: int, size: int
) -> Sequence[Chunk]:
    """Chunks of at most about ``size`` points (N, d), of whole groups, with the columns and factors (N,) that belong to them."""
    count = max(1, math.ceil(len(points) / size))
    if not columns and factors is None and group == 1:
        return Chunks(problem, torch.chunk(points, count))
    step, chunks = max(1, math.ceil(len(points) / count / (group or 1)) * (group or 1)), []
    for start in range(0, len(points), step):
        part = slice(start, start + step)
        each = make_chunk(problem, points[part])
        each.columns = {name: column[part] for name, column in columns.items()}
        each.factors = None if factors is None else factors[part]
        chunks.append(each)
    return chunks


def entries(jet: Tensor, chosen: Channels, leaves: dict[tuple[int, int], Tensor] | None = None) -> Callable[[int, MultiIndex], Tensor]:
    """Access to a jet (C, outputs, n) by output and derivative; with ``leaves``, what is read can be differentiated by."""

    def lookup(number: int, alpha: MultiIndex) -> Tensor:
        place = chosen.position[alpha], number
        if leaves is None:
            return jet[place]
        if place not in leaves:
            leaves[place] = jet[place].detach().requires_grad_()
        return leaves[place]

    return lookup


def demand(
    problem: Problem, residuals: Callable[[Mapping[str, Any]], tuple[Any, ...]], columns: Mapping[str, Tensor] | None = None
) -> tuple[Channels, int]:
    """The derivatives of the network that ``residuals`` read, found by calling it once, and its number of components."""
    read: set[MultiIndex] = set()
    box = problem.domain
    middle = np.array([[0.5 * (low + high) for low, high in zip(box.lower, box.upper, strict=True)]])
    shift = 0.1 * (np.asarray(box.upper) - middle)
    chunk = make_chunk(problem, torch.from_numpy(np.concatenate([middle, middle + shift])))

    def lookup(number: int, alpha: MultiIndex) -> Tensor:
        read.add(alpha)
        return torch.full((2,), 0.5, dtype=torch.float64)

    guesses = {name: coefficient(guess, box.names, name) for name, guess in problem.coefficients.items()}
    known = problem.known(chunk.coordinates, unknown_fields(problem, lookup, chunk), guesses)
    values = residuals({**known, **dict.fromkeys(columns or (), torch.ones(2, dtype=torch.float64))})
    for value in values:
        if isinstance(value, Field):
            _ = value.value
    return channels(read), len(values)
