"""Sequences of tasks: problems one after another, or one problem whose domain grows in time."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from kanpde.conditions import Initial, InitialVelocity
from kanpde.domains import Box
from kanpde.network import Network
from kanpde.problem import Problem
from kanpde.slabs import Slabs, slab_problem


@dataclass(frozen=True)
class Windows:
    """One problem, solved in ``count`` windows of time, or between ``edges``: the domain grows from task to task, and one network is to
    solve it all.

    The values at the start of a window (of second order in time, the velocities too) are those that the network gave at the end of the one
    before. Conditions on the other sides hold in each window. Unlike with :class:`~kanpde.Slabs`, there is one network, which may forget.

    Raises ``ValueError`` for edges that do not tile the time, for a hard initial condition, which the network would have in every window,
    and for conditions that cannot be cut.
    """

    problem: Problem
    count: int | None = None
    edges: tuple[float, ...] | None = None
    bounds: tuple[tuple[float, float], ...] = field(init=False, repr=False)
    axis: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.problem, Problem) or self.problem.data_points is not None:
            raise TypeError(f"Windows takes a Problem with an equation, got {self.problem!r:.80}")
        axis, edges = Slabs("t", self.count, self.edges).places(self.problem.domain)
        object.__setattr__(self, "bounds", tuple(pairwise(edges.tolist())))
        object.__setattr__(self, "axis", axis)
        for condition in self.problem.conditions:
            if condition.hard and isinstance(condition, (Initial, InitialVelocity)):
                raise ValueError(f"{condition!r} is built in, and would hold at the start of every window: leave hard=True out")
        for number in range(len(self.bounds)):
            self.task(number, None)

    def __len__(self) -> int:
        return len(self.bounds)

    @property
    def domain(self) -> Box:
        return self.problem.domain

    @property
    def wholes(self) -> tuple[Problem, ...]:
        """The problems as they were asked."""
        return (self.problem,)

    def task(self, number: int, before: tuple[Problem, Network] | None) -> Problem:
        """The problem in one window, from the end of the one ``before``; without, from the initial condition as it is written."""
        part = slab_problem(self.problem, self.axis, *self.bounds[number], before)
        return replace(part, exact=self.problem.exact, reference=self.problem.reference, check=False)


@dataclass(frozen=True)
class Listed:
    """Problems as they are, in one space: their domains may differ, the network is on the box around all of them.

    Raises ``ValueError`` for problems of other coordinates or unknowns than the first.
    """

    problems: tuple[Problem, ...]
    domain: Box = field(init=False, repr=False)

    def __post_init__(self) -> None:
        first = self.problems[0]
        for number, each in enumerate(self.problems, 1):
            if not isinstance(each, Problem):
                raise TypeError(f"tasks are problems, such as Regression(data), got {each!r:.80} as number {number}")
            if (each.domain.names, each.unknowns) != (first.domain.names, first.unknowns):
                raise ValueError(
                    f"task {number} has the coordinates {', '.join(each.domain.names)} and the unknowns {', '.join(each.unknowns)}, the "
                    f"first {', '.join(first.domain.names)} and {', '.join(first.unknowns)}: one network cannot learn both"
                )
            if each.coefficients:
                raise ValueError(f"{', '.join(each.coefficients)} is Unknown in task {number}, which every task would find anew")
        lower = [min(each.domain.lower[axis] for each in self.problems) for axis in range(len(first.domain.names))]
        upper = [max(each.domain.upper[axis] for each in self.problems) for axis in range(len(first.domain.names))]
        object.__setattr__(self, "domain", Box(**dict(zip(first.domain.names, zip(lower, upper, strict=True), strict=True))))

    def __len__(self) -> int:
        return len(self.problems)

    @property
    def wholes(self) -> tuple[Problem, ...]:
        """The problems as they were asked."""
        return self.problems

    def task(self, number: int, before: tuple[Problem, Network] | None) -> Problem:
        """One of them."""
        return self.problems[number]


def sequence(tasks: Sequence[Problem] | Windows) -> Windows | Listed:
    """Tasks by number; ``ValueError`` for fewer than two."""
    found = tasks if isinstance(tasks, Windows) else Listed(tuple(tasks)) if len(tasks) else None
    if found is None or len(found) < 2:
        raise ValueError(f"a sequence has at least two tasks, got {len(tasks)}: run a single problem as an Experiment")
    return found
