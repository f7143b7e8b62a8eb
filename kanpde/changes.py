"""What happens to the problem or the network between two descents."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Protocol

import torch
from torch import Tensor

from kanpde.arguments import nearest
from kanpde.editing import AdaptRanges
from kanpde.kan import KAN
from kanpde.network import Network, uniform
from kanpde.pieces import Pieces
from kanpde.problem import Problem
from kanpde.separable import SeparableKAN
from kanpde.slabs import AdaptMap, slab_problem, steepest_front, with_map

INSIDE, CORNERS = 8192, 10  # inputs to look at, and in up to how many dimensions at the corners


@dataclass(frozen=True)
class Stage:
    """What is being solved, and by what; with slabs, ``finished`` are those that are done and ``asked`` is the whole problem.

    ``maps`` are the grid maps (centre, width), or ranges, that were found, by the number of the rung, so that a schedule can be replayed,
    and ``known`` the networks, by the number of the slab (0 without slabs), that a replay cannot build. ``points`` are the interior
    points of the descent before, if there was one.
    """

    asked: Problem
    start: Network
    problem: Problem
    network: Network
    rung: int = 0
    slab_axis: int | None = None
    finished: tuple[tuple[Problem, Network], ...] = ()
    maps: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    known: Mapping[int, Network] = field(default_factory=dict)
    points: Tensor | None = None
    rehearsal: bool = False  # nothing is trained yet, so that there is nothing to measure

    @classmethod
    def first(cls, problem: Problem, network: Network, maps: Mapping[int, tuple[float, ...]] | None = None) -> "Stage":
        """Before the first rung."""
        return cls(problem, network, problem, network, maps=maps or {})

    @property
    def slab(self) -> int:
        """The number of the slab; 0 without slabs."""
        return len(self.finished)

    def recalled(self) -> "Stage":
        """With the network of this slab that is known from before, if there is one."""
        return replace(self, network=self.known.get(self.slab, self.network))

    def solution(self) -> Network:
        """The network, or those of all slabs so far together."""
        if self.slab_axis is None:
            return self.network
        problems, networks = zip(*self.finished, (self.problem, self.network), strict=True)
        edges = [problem.domain.lower[self.slab_axis] for problem in problems] + [self.problem.domain.upper[self.slab_axis]]
        return Pieces(problems, networks, self.slab_axis, edges)


class Change(Protocol):
    """Something that happens between two descents.

    One that depends on what was trained changes nothing in a rehearsal that it would have to measure, and gives a network with ``given``
    weights, which results and snapshots then keep whole.
    """

    def apply(self, stage: Stage) -> Stage: ...


@dataclass(frozen=True)
class RefineTo:
    """Refine the network's basis to one resolution, exactly or to ``uniform`` intervals."""

    resolution: int
    uniform: bool = False

    def apply(self, stage: Stage) -> Stage:
        refined = getattr(stage.network, "refined", None)
        if refined is None:
            raise TypeError(f"{stage.network} cannot be refined: it has no basis; leave Refine out of its training")
        if not self.uniform:
            return replace(stage, network=refined(self.resolution))
        if not isinstance(stage.network, KAN):
            raise TypeError(f"Refine(..., uniform=True) is for the splines of a KAN, not for {stage.network}: leave uniform out")
        return replace(stage, network=stage.network.refined(self.resolution, uniform=True))


@dataclass(frozen=True)
class SetParameters:
    """Give parameters of the problem other values."""

    values: Mapping[str, Any]

    def apply(self, stage: Stage) -> Stage:
        problem = stage.problem
        for name in self.values:
            if name not in problem.parameters:
                known = list(problem.parameters)
                raise ValueError(
                    f"Continue({name}=...): the problem has no parameter {name!r}, only {', '.join(known) or 'none'}{nearest(name, known)}"
                )
            if name in problem.coefficients:
                raise ValueError(f"Continue({name}=...): {name} is Unknown, and found in training: leave out Continue, or give it a number")
        return replace(stage, problem=replace(problem, parameters={**problem.parameters, **self.values}))


@dataclass(frozen=True)
class EnterSlab:
    """Go on to the slab between two values of coordinate ``axis``, with a fresh network; a separable one takes over the grid maps, and
    without refinement the weights, of the one before.
    """

    number: int
    axis: int
    low: float
    high: float

    def apply(self, stage: Stage) -> Stage:
        stage = stage.recalled() if self.number else stage
        before = (stage.problem, stage.network) if self.number else None
        problem = slab_problem(stage.asked, self.axis, self.low, self.high, before)
        network = stage.start.remade(seed=stage.start.seed + self.number)
        if before is not None and isinstance(network, SeparableKAN):
            assert isinstance(stage.network, SeparableKAN)
            network = network.remade(basis=network.with_maps_of(stage.network))
            if network.bases == stage.network.bases:  # the slab before is the best guess
                network.assign(stage.network.vector())
        network = network.on_box(problem.domain.lower, problem.domain.upper)
        finished = (*stage.finished, before) if before is not None else ()
        return replace(stage, problem=problem, network=network, slab_axis=self.axis, finished=finished, points=None)


@dataclass(frozen=True)
class FitMap:
    """Stretch the basis where the solution is steepest, if it is steeper than its map allows for."""

    options: AdaptMap

    def apply(self, stage: Stage) -> Stage:
        names = stage.problem.domain.names
        if self.options.coordinate not in names:
            raise ValueError(f"{self.options}: there is no coordinate {self.options.coordinate!r}, only {', '.join(names)}")
        if not isinstance(stage.network, SeparableKAN):
            raise TypeError(
                f"{self.options} stretches the basis of one coordinate, which {stage.network} does not have: use a SeparableKAN"
            )
        axis = names.index(self.options.coordinate)
        found = stage.maps.get(stage.rung)
        if found is None and not stage.rehearsal:
            found = self.options.renewed(stage.network.bases[axis], *steepest_front(stage.problem, stage.network, axis))
        if found is None:
            return stage
        centre, width = found
        return replace(stage, network=with_map(stage.network, axis, centre, width), maps={**stage.maps, stage.rung: (centre, width)})


@dataclass(frozen=True)
class FitRanges:
    """Move the ranges of the hidden layers to what the inputs send there, if the solution can be kept in doing so."""

    options: AdaptRanges

    def apply(self, stage: Stage) -> Stage:
        network = stage.network
        if not isinstance(network, KAN):
            raise TypeError(
                f"{self.options} moves the ranges of hidden layers, which {network} does not have: use a KAN with hidden='range'"
            )
        self.options.check(network)
        if stage.rehearsal and stage.slab in stage.known:
            return stage  # the network that is known has its ranges, and perhaps other nodes than this one
        found = stage.maps.get(stage.rung)
        if found is not None:
            return replace(stage, network=self.options.replayed(network, found))
        if stage.rehearsal:
            return stage
        points = reached(stage.problem, network, stage.points)
        fresh = stage.points is None and not network.given
        adapted = self.options.adapted(network, points, fresh=fresh)
        if adapted is None:
            return replace(stage, network=network.copy())  # the descent that follows takes place all the same
        return replace(stage, network=adapted, maps={**stage.maps, stage.rung: self.options.found(adapted)})


@dataclass(frozen=True)
class EditNetwork:
    """Change what the network consists of, given what was trained: :class:`~kanpde.Prune`, :class:`~kanpde.FixEdges`."""

    options: Any

    def apply(self, stage: Stage) -> Stage:
        network = stage.network
        if not isinstance(network, KAN):
            raise TypeError(f"{self.options} edits the edges of a KAN, which {network} does not have: leave it out")
        if stage.rehearsal:
            return stage
        found = stage.problem.judged_by(everything=not self.options.judges)
        points, targets = (reached(stage.problem, network, stage.points), None) if found is None else found
        points = torch.as_tensor(points).to(network.lower)
        targets = None if targets is None else torch.as_tensor(targets).to(network.lower)
        return replace(stage, network=self.options.edited(network, points, targets).kept())


def reached(problem: Problem, network: Network, points: Tensor | None) -> Tensor:
    """Inputs between which all others lie: the training ``points``; and where the solution is wanted in all of the domain, many more of it,
    with its corners, as far as these can be counted.
    """
    box, found = problem.domain, [] if points is None or points.shape[1] != network.inputs else [points]
    if problem.data_points is not None and not problem.fills_domain:
        found = [torch.as_tensor(problem.data_points).to(network.lower)]
    else:
        found.append(torch.as_tensor(box.sample(INSIDE, uniform, 0)).to(network.lower))
        if len(box.names) <= CORNERS:
            sides = zip(box.lower, box.upper, strict=True)
            found.append(torch.tensor(list(product(*sides)), dtype=network.lower.dtype, device=network.lower.device))
    return torch.cat(found)
