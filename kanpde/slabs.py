"""Marching in slabs: each slab starts from the end of the one before; and maps that follow fronts."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.bases import Basis, Mapped, SinhMap
from kanpde.conditions import Data, Initial, InitialVelocity, Integral, Point
from kanpde.domains import Box
from kanpde.fields import Field
from kanpde.jets import MultiIndex, is_tracing
from kanpde.network import Network
from kanpde.objective import outputs
from kanpde.problem import Problem
from kanpde.separable import SeparableKAN

FLAT = 1e-2  # of an unknown's largest range on a line


class HandedOver:
    """One unknown, or its derivative by ``alpha``, where coordinate ``axis`` has the value ``at``: a function of the other coordinates.

    Called with fields it gives a field, whose derivatives are the network's; with arrays, an array. What was asked for at the last
    points is kept: each slab asks the one before, so that the tenth would otherwise pass every question on through nine.
    """

    __name__ = "the end of the slab before"

    def __init__(self, problem: Problem, network: Network, unknown: str, axis: int, at: float, alpha: MultiIndex = ()) -> None:
        self.problem, self.network, self.unknown, self.axis, self.at, self.alpha = problem, network, unknown, axis, at, alpha
        self._points: Tensor | None = None
        self._versions: list[int] = []
        self._kept: dict[MultiIndex, Tensor] = {}
        names = [name for number, name in enumerate(problem.domain.names) if number != axis]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def __call__(self, **coordinates: Any) -> Any:
        names = self.problem.domain.names
        if not any(isinstance(value, Field) for value in coordinates.values()):
            return self._values(coordinates, ()).cpu().numpy()
        plain = {name: value.value if isinstance(value, Field) else value for name, value in coordinates.items()}
        moving = {names.index(name) for name, value in coordinates.items() if isinstance(value, Field)}
        arrays = not any(isinstance(value, Tensor) for value in plain.values())

        def evaluate(beta: MultiIndex) -> Any:
            if not moving.issuperset(beta):
                return 0
            values = self._values(plain, beta)
            return values.cpu().numpy() if arrays else values

        return Field(names, evaluate, self.unknown)

    def _values(self, coordinates: Mapping[str, Any], beta: MultiIndex) -> Tensor:
        like = self.network.lower
        columns = [
            torch.as_tensor(self.at if number == self.axis else coordinates[name], dtype=like.dtype, device=like.device)
            for number, name in enumerate(self.problem.domain.names)
        ]
        points = torch.stack([column.reshape(-1) for column in torch.broadcast_tensors(*columns)], 1)
        alpha = tuple(sorted(self.alpha + tuple(beta)))
        if is_tracing():  # values are not known
            return outputs(self.problem, self.network, points, [alpha])[self.unknown][alpha]
        versions, old = [parameter._version for parameter in self.network.parameters()], self._points
        same = old is not None and (old.dtype, old.device) == (points.dtype, points.device) and torch.equal(old, points)
        if not same or versions != self._versions:
            self._points, self._versions, self._kept = points, versions, {}
        if alpha not in self._kept:
            self._kept[alpha] = outputs(self.problem, self.network, points, [alpha])[self.unknown][alpha]
        return self._kept[alpha]


def slab_problem(whole: Problem, axis: int, low: float, high: float, before: tuple[Problem, Network] | None) -> Problem:
    """``whole`` between two values of coordinate ``axis``, the initial conditions taken from the end of ``before`` if given."""
    if whole.coefficients:
        raise ValueError(f"{', '.join(whole.coefficients)} is Unknown, and every slab would find a value of its own: leave Slabs out")
    box = whole.domain
    bounds = {name: (a, b) for name, a, b in zip(box.names, box.lower, box.upper, strict=True)}
    bounds[box.names[axis]] = (low, high)
    part, conditions = Box(**bounds), []
    for condition in whole.conditions:
        if before is not None and isinstance(condition, (Initial, InitialVelocity)):
            alpha = (axis,) if isinstance(condition, InitialVelocity) else ()
            names = condition.values(whole)
            handed = {name: HandedOver(*before, name, axis, low, alpha) for name in names}
            new = type(condition)(hard=condition.hard, weight=condition.weight, name=condition.name, **handed)
        elif isinstance(condition, (Data, Integral, Point)):
            raise ValueError(f"{condition!r} belongs to the whole domain and cannot be cut into slabs: leave Slabs out of the training")
        elif not isinstance(condition, (Initial, InitialVelocity)) and any(side.axis == axis for side in condition.on.sides):
            raise ValueError(
                f"{condition!r} holds at one time, which only Initial and InitialVelocity may do with Slabs: write it as one of them, or "
                "leave Slabs out of the training"
            )
        else:
            new = condition.moved(part)
        conditions.append(new)
    return replace(whole, domain=part, conditions=conditions, exact=None, reference=None)


@dataclass(frozen=True)
class Slabs:
    """Solve in slabs of one coordinate, by default time: ``Slabs("t", 12)``, or ``Slabs("t", edges=(0, 0.2, 1))``.

    Stands first in the training, which is done for each slab anew, with a fresh network; the values at the start of a slab (and, of
    equations of second order in time, the velocities) are the solution's at the end of the slab before. The history's errors, and the
    points that a result keeps, are those of one slab at a time.
    """

    coordinate: str = "t"
    count: int | None = None
    edges: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if (self.count is None) == (self.edges is None):
            raise ValueError(f"Slabs takes a number of slabs or their edges, as in Slabs('t', 12), got {self}")
        if self.count is not None:
            whole_number(self.count, "the number of Slabs")
        if self.edges is not None:
            try:
                object.__setattr__(self, "edges", tuple(float(edge) for edge in self.edges))
            except (TypeError, ValueError):
                raise ValueError(f"Slabs(edges=...) takes numbers that rise, such as (0, 0.2, 1), got {self.edges!r}") from None

    def places(self, box: Box) -> tuple[int, np.ndarray]:
        """The number of the coordinate, and the edges of the slabs along it; ``ValueError`` if they do not tile the box."""
        if self.coordinate not in box.names:
            raise ValueError(f"{self}: {box} has no coordinate {self.coordinate!r}, only {', '.join(box.names)}")
        if self.coordinate != "t":
            raise ValueError(f"{self}: slabs follow one another in time, from an Initial condition; name the coordinate 't'")
        axis = box.names.index(self.coordinate)
        low, high = box.lower[axis], box.upper[axis]
        if self.edges is None:
            assert self.count is not None
            return axis, np.linspace(low, high, self.count + 1)
        edges = np.asarray(self.edges, dtype=float)
        if len(edges) < 2 or edges[0] != low or edges[-1] != high or not np.all(np.diff(edges) > 0):
            raise ValueError(f"{self} does not tile {self.coordinate} from {low:g} to {high:g}: its edges must rise from one to the other")
        return axis, edges


@dataclass(frozen=True)
class AdaptMap:
    """Find the steepest front along a coordinate, stretch it by a :class:`~kanpde.bases.SinhMap`, and optimise again, ``rounds`` times.

    The front is where |du/dx| is greatest on a grid; its width is half the range of u across it divided by that slope, which is the
    width d of tanh(x / d). A map is made ``slack`` times as wide, if that is less than ``widest`` (of half the interval), and renewed when
    the front is steeper than it or has moved by its width; a round that finds nothing to renew is over at once. In :class:`Slabs` a new
    slab looks for the front before its first descent too, in what the slab before foretells. Nobody tells where the front is. For
    :class:`~kanpde.separable.SeparableKAN`.
    """

    coordinate: str
    rounds: int = 3
    slack: float = 0.7
    widest: float = 0.2

    def __post_init__(self) -> None:
        whole_number(self.rounds, "AdaptMap(rounds=...)")
        for name in ("slack", "widest"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"AdaptMap({name}=...) must lie in (0, 1], got {getattr(self, name)!r}")

    def renewed(self, basis: Basis, centre: float, width: float) -> tuple[float, float] | None:
        """The map that a front asks for, or None if that of the basis will do."""
        held = basis.map if isinstance(basis, Mapped) and isinstance(basis.map, SinhMap) else None
        wanted = self.slack * width
        if held is None:
            return (centre, wanted) if wanted < self.widest else None
        steeper, moved = width < held.width, abs(centre - held.centre) > held.width
        return (centre, min(wanted, held.width)) if steeper or moved else None


def steepest_front(problem: Problem, network: Network, axis: int, *, along: int = 1001, across: int = 9) -> tuple[float, float]:
    """(centre, width) of the steepest front along a coordinate, in the units in which its range is [-1, 1].

    Lines on which an unknown varies by less than ``FLAT`` of what it varies by on others have no front, only errors.
    """
    box, rng = problem.domain, np.random.default_rng(0)
    fine, half = network.quantiles[axis](np.linspace(0, 1, along)), 0.5 * (box.upper[axis] - box.lower[axis])
    lines = rng.random((across, len(box.names)))
    lines[0], lines[1] = 0.0, 1.0
    fronts: dict[str, list[tuple[float, float, float]]] = {name: [] for name in problem.unknowns}  # (range, width, centre) by line
    for line in lines:
        points = np.stack([box.scaled(np.full(along, 2 * share - 1), number) for number, share in enumerate(line)], 1)
        points[:, axis] = box.scaled(fine, axis)
        for name, by in outputs(problem, network, torch.as_tensor(points).to(network.lower), [(), (axis,)]).items():
            slope, value = by[(axis,)].abs().cpu().numpy(), by[()].cpu().numpy()
            place, size = int(np.argmax(slope)), float(np.ptp(value))
            if slope[place] > 0:
                fronts[name].append((size, 0.5 * size / (float(slope[place]) * half), float(fine[place])))
    seen = [front for each in fronts.values() for front in each if front[0] > FLAT * max(size for size, _, _ in each)]
    _, width, centre = min(seen, key=lambda front: front[1], default=(0.0, math.inf, 0.0))
    return centre, width


def with_map(network: SeparableKAN, axis: int, centre: float, width: float) -> SeparableKAN:
    """The same function, nearly, in a basis stretched at ``centre``: each factor is fitted anew by least squares."""
    old = network.bases[axis]
    inner = old.basis if isinstance(old, Mapped) else old
    new: Basis = Mapped(inner, SinhMap(centre, width))
    bases = tuple(new if number == axis else basis for number, basis in enumerate(network.bases))
    other = network.remade(basis=bases)
    other.assign_factors(network, {axis: _refit(old, new)})
    return other


def _refit(old: Basis, new: Basis) -> np.ndarray:
    """The matrix (new.size, old.size) that takes coefficients to those of the nearest function in another basis."""
    share = (np.arange(8 * max(old.size, new.size)) + 0.5) / (8 * max(old.size, new.size))
    x = torch.from_numpy(np.sort(np.concatenate([old.quantile(share), new.quantile(share)])))
    return np.linalg.lstsq(new.values(x).numpy().T, old.values(x).numpy().T, rcond=None)[0]
