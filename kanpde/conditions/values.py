"""Values of the unknowns: on sides, at the start, at single points."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from numbers import Real
from typing import Any, Self

import numpy as np

from kanpde.arguments import nearest
from kanpde.conditions.condition import CONDITION_WEIGHT, Condition, Frame, Place, at, evaluated, part, positive, shown
from kanpde.domains import TIME, Boundary, Box, Quantile, Side
from kanpde.functions import Constant

Value = float | int | Constant | Callable[..., Any]


class Values(Condition):
    """Conditions that give some quantity of each unknown, or of those that they name, a value."""

    def _fill(
        self,
        value: Value | tuple[Value, ...] | None,
        components: Mapping[str, Value],
        *,
        hard: bool = False,
        weight: float,
        name: str | None,
    ) -> None:
        kind = type(self).__name__
        if "hard" in components:
            raise TypeError(f"{kind} cannot be built into the solution: leave out hard={components['hard']!r}")
        if (value is None) == (not components):
            raise ValueError(f"{kind} takes either one value or values by unknown, as in {kind}(u=0, v=1, ...)")
        self.value, self.components, self.hard = value, components, hard
        self.weight, self.name = positive(weight, "the weight of a condition"), name or type(self).__name__.lower()

    def _given(self) -> list[str]:
        given = [] if self.value is None else [shown(self.value)]
        return given + [f"{key}={shown(value)}" for key, value in self.components.items()]

    def _where(self) -> list[str]:
        return [f"on={self.on!r}"]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._given() + self._where())}{', hard=True' if self.hard else ''})"

    def values(self, problem: Frame) -> dict[str, Value]:
        """The value for each unknown that the condition fixes."""
        unknowns = problem.unknowns
        if self.value is None:
            for name in self.components:
                if name not in unknowns:
                    raise ValueError(f"{self!r} fixes {name!r}, but the unknowns are {', '.join(unknowns)}{nearest(name, unknowns)}")
            return dict(self.components)
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if len(values) != len(unknowns):
            raise ValueError(
                f"{self!r} has {len(values)} component{'s' * (len(values) > 1)}, but there are {len(unknowns)} unknowns: "
                f"{', '.join(unknowns)} (every argument of the equation that is no coordinate or parameter counts as an unknown); "
                f"give one value for each, or name those that are fixed, as in {unknowns[0]}=0"
            )
        return dict(zip(unknowns, values, strict=True))

    def sides(self, problem: Frame, unknown: str) -> tuple[Side, ...]:
        return self.on.sides if unknown in self.values(problem) else ()

    def check(self, problem: Frame) -> None:
        self._check_place(problem)
        for name, value in self.values(problem).items():
            check_value(problem, value, f"{self!r} gives {name}")

    def residuals(self, problem: Frame, known: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(self.quantity(name, known) - evaluated(value, known) for name, value in self.values(problem).items())

    def quantity(self, unknown: str, known: Mapping[str, Any]) -> Any:
        """What has the value: here the unknown itself."""
        return known[unknown]


def check_value(problem: Frame, value: Any, words: str) -> None:
    """Raise if ``value`` is not a finite number or a function of coordinates and parameters."""
    if callable(value):
        problem.check_names(value, unknowns=False)
    elif not isinstance(value, (Real, Constant)):
        raise TypeError(f"{words} the value {value!r}, but a value is a number or a function of coordinates")
    elif not math.isfinite(float(value)):
        raise ValueError(f"{words} the value {value!r}, which is not a finite number")


class Dirichlet(Values):
    """Values of the unknowns on a part of the boundary: ``Dirichlet(0, on=box.boundary)``, ``Dirichlet(u=1, v=0, on=lid)``.

    A value is a number or a function of coordinates and parameters; without names, one value for a single unknown or a
    tuple with one for each. ``hard=True`` builds it into the solution, u = G + D N with D = 0 on these sides and G their values
    (a Boolean sum of linear interpolations; Gordon and Hall, Numer. Math. 21, 1973), so that it holds to rounding. Otherwise its mean
    square enters the loss with ``weight`` (100 by default) under ``name``.

    Raises ``ValueError`` for a value that is not finite, a name that is no unknown, or hard values that disagree where sides meet.
    """

    def __init__(
        self,
        value: Value | tuple[Value, ...] | None = None,
        *,
        on: Boundary,
        hard: bool = False,
        weight: float = CONDITION_WEIGHT,
        name: str | None = None,
        **components: Value,
    ) -> None:
        self._fill(value, components, hard=hard, weight=weight, name=name)
        self.on = part(on, self)


class Initial(Dirichlet):
    """Values of the unknowns at the first time: ``Initial(lambda x: -sin(pi * x), hard=True)``.

    ``hard``, ``weight`` (100 by default), ``name`` and errors are those of :class:`Dirichlet`.
    """

    def __init__(
        self,
        value: Value | tuple[Value, ...] | None = None,
        *,
        hard: bool = False,
        weight: float = CONDITION_WEIGHT,
        name: str | None = None,
        **components: Value,
    ) -> None:
        self._fill(value, components, hard=hard, weight=weight, name=name)

    def placed(self, problem: Frame) -> Self:
        other = copy(self)
        other.on = problem.domain.initial
        return other

    def _where(self) -> list[str]:
        return []


class InitialVelocity(Values):
    """Derivatives of the unknowns by time at the first time, u_t = value: ``InitialVelocity(0, hard=True)``.

    Arguments as in :class:`Initial`. ``hard=True`` needs a hard :class:`Initial` of the same unknowns, and then
    u = u0 + (t - t0) u1 + (t - t0)^2 N; without that, ``ValueError``.
    """

    def __init__(
        self,
        value: Value | tuple[Value, ...] | None = None,
        *,
        hard: bool = False,
        weight: float = CONDITION_WEIGHT,
        name: str | None = None,
        **components: Value,
    ) -> None:
        self._fill(value, components, hard=hard, weight=weight, name=name or "velocity")

    def placed(self, problem: Frame) -> Self:
        other = copy(self)
        other.on = problem.domain.initial
        return other

    def check(self, problem: Frame) -> None:
        super().check(problem)
        if self.hard:
            starts = [c.values(problem) for c in problem.conditions if isinstance(c, Dirichlet) and c.hard and c.on.sides == self.on.sides]
            for name in self.values(problem):
                if not any(name in values for values in starts):
                    raise ValueError(
                        f"{self!r} is hard, but no hard Initial gives {name} a value to start from: add one, or leave out hard=True"
                    )

    def quantity(self, unknown: str, known: Mapping[str, Any]) -> Any:
        return known[unknown].d(TIME)

    def _where(self) -> list[str]:
        return []


class Point(Values):
    """Values of the unknowns at one point or several: ``Point(p=0, at=dict(x=0, y=0))``, ``at=[dict(x=0), dict(x=1)]``.

    ``weight`` (100 by default) and ``name`` as in :class:`Dirichlet`. Raises ``ValueError`` for a point that lacks a coordinate, has one
    that does not exist, or lies outside the domain.
    """

    def __init__(
        self,
        value: Value | tuple[Value, ...] | None = None,
        *,
        at: Mapping[str, float] | Sequence[Mapping[str, float]],
        weight: float = CONDITION_WEIGHT,
        name: str | None = None,
        **components: Value,
    ) -> None:
        self._fill(value, components, weight=weight, name=name)
        given = [at] if isinstance(at, Mapping) else at
        if not isinstance(given, Sequence) or not given or not all(isinstance(each, Mapping) for each in given):
            raise TypeError(f"Point takes at=dict(x=0, y=0), or a list of such points, got at={at!r}")
        self.at = [dict(each) for each in given]

    def _where(self) -> list[str]:
        return [f"at={self.at[0] if len(self.at) == 1 else self.at}"]

    def placed(self, problem: Frame) -> Self:
        other = copy(self)
        other._box = problem.domain
        return other

    _box: Box

    def _check_place(self, problem: Frame) -> None:
        box = problem.domain
        for point in self.at:
            if set(point) != set(box.names):
                raise ValueError(f"{self!r} must give each of the coordinates {', '.join(box.names)} a number, got {point}")
            try:
                numbers = [float(point[name]) for name in box.names]
            except (TypeError, ValueError):
                raise ValueError(f"{self!r} must give each of the coordinates {', '.join(box.names)} a number, got {point}") from None
            if not box.contains(np.array([numbers]))[0]:
                raise ValueError(f"{self!r} lies outside the domain {box}: {at(box, numbers)}")

    def sides(self, problem: Frame, unknown: str) -> tuple[Side, ...]:
        if unknown not in self.values(problem):
            return ()
        return tuple(
            side
            for point in self.at
            for side in (*problem.domain.boundary.sides, *(problem.domain.initial.sides if TIME in problem.domain.names else ()))
            if len(problem.domain.names) == 1 and float(point[problem.domain.names[side.axis]]) == side.value
        )

    def points(self, per_side: int, quantile: Quantile | Sequence[Quantile], seed: int) -> np.ndarray:
        return np.array([[float(point[name]) for name in self._box.names] for point in self.at])

    def places(self, problem: Frame) -> list[tuple[Place, ...]]:
        return [(Place({name: float(value) for name, value in point.items()}),) for point in self.at]
