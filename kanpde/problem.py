"""Problems: a domain, an equation, and conditions, as they are written on paper.

Whatever a user hands over (equations, boundary values, exact solutions) is a function whose arguments are matched by
name: unknowns, coordinates and parameters, in any order, only those that are used.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np

from kanpde.domains import TIME, Boundary, Box, Side
from kanpde.fields import Field, argument_names, call_by_name, function_name, nearest
from kanpde.functions import Constant

Value = float | int | Constant | Callable[..., Any]


# Errors on the boundary enter the solution whole, residuals divided by the operator's size: for second order, 10 and more.
CONDITION_WEIGHT = 100.0
MOST_HARD_AXES = 6  # the interpolation of values that vary takes 3^axes evaluations


class Condition:
    """An equation on a part of the boundary, ``Condition(lambda u, x: u.y - x, on=square.side(y=1))``.

    ``weight`` multiplies its mean square in the loss, where that of the equation has weight 1. Residuals are those of the
    equation's components.
    """

    hard = False
    on: Boundary
    weight: float
    name: str

    def __init__(self, equation: Callable[..., Any], *, on: Boundary, weight: float = CONDITION_WEIGHT, name: str | None = None) -> None:
        self.equation, self.on, self.weight = equation, _part(on, self), _positive(weight, "the weight of a condition")
        self.name = name or "condition"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_shown(self.equation)}, on={self.on!r})"

    def check(self, problem: "Problem") -> None:
        """Raise if the condition does not fit the problem."""
        self._check_place(problem)
        problem.check_names(self.equation)

    def _check_place(self, problem: "Problem") -> None:
        if self.on.box != problem.domain:
            raise ValueError(f"{self!r} lies on the boundary of {self.on.box}, but the domain is {problem.domain}")
        if not self.on.sides:
            raise ValueError(f"{self!r} holds on no side: the part of the boundary that it names is empty")

    def residuals(self, problem: "Problem", known: Mapping[str, Any]) -> tuple[Any, ...]:
        """The left-hand sides that should vanish, one a component."""
        return _as_tuple(call_by_name(self.equation, known))


class Dirichlet(Condition):
    """Values of the unknowns on a part of the boundary: ``Dirichlet(0, on=box.boundary)``, ``Dirichlet(u=1, v=0, on=lid)``.

    A value is a number or a function of coordinates and parameters; without names, one value for a single unknown or a
    tuple with one for each. ``hard=True`` builds it into the solution, u = G + D N with D = 0 on these sides and G their values
    (a Boolean sum of linear interpolations; Gordon and Hall, Numer. Math. 21, 1973), so that it holds to rounding.
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
        self.on = _part(on, self)

    def _fill(
        self,
        value: Value | tuple[Value, ...] | None,
        components: Mapping[str, Value],
        *,
        hard: bool,
        weight: float,
        name: str | None,
    ) -> None:
        if (value is None) == (not components):
            raise ValueError(f"{type(self).__name__} takes either one value or values by unknown, as in Dirichlet(u=0, v=1, on=...)")
        self.value, self.components, self.hard = value, components, hard
        self.weight, self.name = _positive(weight, "the weight of a condition"), name or type(self).__name__.lower()

    def __repr__(self) -> str:
        given = [] if self.value is None else [_shown(self.value)]
        given += [f"{key}={_shown(value)}" for key, value in self.components.items()]
        given += [] if isinstance(self, Initial) else [f"on={self.on!r}"]
        return f"{type(self).__name__}({', '.join(given)}{', hard=True' if self.hard else ''})"

    def values(self, problem: "Problem") -> dict[str, Value]:
        """The value of each unknown that the condition fixes."""
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
                f"{', '.join(unknowns)}; give one value for each, or name those that are fixed, as in {unknowns[0]}=0"
            )
        return dict(zip(unknowns, values, strict=True))

    def check(self, problem: "Problem") -> None:
        self._check_place(problem)
        for name, value in self.values(problem).items():
            if callable(value):
                problem.check_names(value, unknowns=False)
            elif not isinstance(value, (Real, Constant)):
                raise TypeError(f"{self!r} gives {name} the value {value!r}, but a value is a number or a function of coordinates")
            elif not math.isfinite(float(value)):
                raise ValueError(f"{self!r} gives {name} the value {value!r}, which is not a finite number")

    def residuals(self, problem: "Problem", known: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(known[name] - evaluated(value, known) for name, value in self.values(problem).items())


class Initial(Dirichlet):
    """Values of the unknowns at the first time: ``Initial(lambda x: -sin(pi * x), hard=True)``."""

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

    def placed(self, box: Box) -> "Initial":
        """The same condition on the initial side of ``box``."""
        other = copy(self)
        other.on = box.initial
        return other


@dataclass(frozen=True)
class Problem:
    """Find the ``unknowns`` that satisfy ``equation`` in ``domain`` and the ``conditions`` on its boundary.

    ``equation`` returns its residual, or a tuple of them for a system. ``unknowns`` are by default those arguments that are
    neither coordinates nor ``parameters``. ``exact`` (one value, or a tuple with one for each unknown) is checked against equation
    and conditions before training, unless ``check`` is False; ``reference`` is a solution that is only compared with.
    """

    domain: Box
    equation: Callable[..., Any]
    conditions: Sequence[Condition] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    unknowns: tuple[str, ...] = ()
    exact: Callable[..., Any] | None = None
    reference: Callable[..., Any] | None = None
    check: bool = True

    def __post_init__(self) -> None:
        names = argument_names(self.equation)
        for name in self.parameters:
            if name in self.domain.names:
                raise ValueError(f"the parameter {name!r} has the name of a coordinate of {self.domain}")
        given = (self.unknowns,) if isinstance(self.unknowns, str) else tuple(self.unknowns)
        found = given or tuple(name for name in names if name not in self.domain.names and name not in self.parameters)
        if not found:
            raise ValueError(f"{function_name(self.equation)} asks for no unknown: its arguments are {', '.join(names) or 'none'}")
        for place, name in enumerate(found):
            if name in self.domain.names or name in self.parameters or name in found[:place]:
                raise ValueError(f"the unknown {name!r} has the name of a coordinate, a parameter or another unknown")
        object.__setattr__(self, "unknowns", found)
        for condition in self.conditions:
            if not isinstance(condition, Condition):
                raise TypeError(f"conditions takes a list of conditions such as Dirichlet(0, on=...), got {condition!r}")
        conditions = tuple(c.placed(self.domain) if isinstance(c, Initial) else c for c in self.conditions)
        object.__setattr__(self, "conditions", _named_apart(conditions))
        self.check_names(self.equation)
        for condition in self.conditions:
            condition.check(self)
        for name in self.unknowns:
            self._check_hard(name)
        for solution in (self.exact, self.reference):
            if solution is not None:
                self.check_names(solution, unknowns=False)

    def __repr__(self) -> str:
        given = [repr(self.domain), _shown(self.equation), f"conditions={list(self.conditions)}"]
        given += [f"parameters={dict(self.parameters)}"] if self.parameters else []
        given += [f"{name}={_shown(solution)}" for name in ("exact", "reference") if (solution := getattr(self, name)) is not None]
        return f"Problem({', '.join(given if self.check else [*given, 'check=False'])})"

    def check_names(self, function: Callable[..., Any], *, unknowns: bool = True) -> None:
        """Raise ``TypeError`` if ``function`` asks for a name that does not exist."""
        known = [*(self.unknowns if unknowns else ()), *self.domain.names, *self.parameters]
        for name in argument_names(function):
            if name not in known:
                kinds = "unknowns, coordinates and parameters are" if unknowns else "coordinates and parameters are"
                raise TypeError(f"{function_name(function)} asks for {name!r}, but the {kinds} {', '.join(known)}{nearest(name, known)}")

    @property
    def soft(self) -> tuple[Condition, ...]:
        """The conditions that enter the loss."""
        return tuple(condition for condition in self.conditions if not condition.hard)

    def known(self, coordinates: Mapping[str, Any], unknowns: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Everything that a user's function may ask for, by name."""
        return {**(unknowns or {}), **coordinates, **self.parameters}

    def residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        """The residuals of the equation, one a component."""
        return _as_tuple(call_by_name(self.equation, known))

    def solution(self, which: Callable[..., Any], coordinates: Mapping[str, Any]) -> dict[str, Any]:
        """``exact`` or ``reference`` by unknown."""
        values = call_by_name(which, self.known(coordinates))
        if isinstance(values, Mapping):
            values = tuple(values[name] for name in self.unknowns)
        values = _as_tuple(values)
        if len(values) != len(self.unknowns):
            raise ValueError(
                f"{function_name(which)} returns {len(values)} values, but the unknowns are {', '.join(self.unknowns)}: return one for each"
            )
        return dict(zip(self.unknowns, values, strict=True))

    # ---- hard conditions ----

    def hard_sides(self, unknown: str) -> list[tuple[Side, Value]]:
        """The sides on which the ansatz fixes ``unknown``, with the value there."""
        found: dict[Side, Value] = {}
        for condition in self.conditions:
            if isinstance(condition, Dirichlet) and condition.hard:
                values = condition.values(self)
                if unknown in values:
                    found |= dict.fromkeys(condition.on.sides, values[unknown])
        # space first: the last correction, that of the start, holds everywhere
        return sorted(found.items(), key=lambda item: (self.domain.names[item[0].axis] == TIME, item[0].axis, item[0].end))

    def _check_hard(self, unknown: str) -> None:
        """Raise ``ValueError`` if hard values of ``unknown`` disagree where sides meet, or cannot be interpolated."""
        box = self.domain
        given = [
            (side, condition.values(self)[unknown], condition)
            for condition in self.conditions
            if isinstance(condition, Dirichlet) and condition.hard and unknown in condition.values(self)
            for side in condition.on.sides
        ]
        axes = {side.axis for side, _, _ in given}
        if len(axes) > MOST_HARD_AXES and _common_number([value for _, value, _ in given]) is None:
            raise ValueError(
                f"hard values of {unknown} that are not one number are interpolated from the sides of at most {MOST_HARD_AXES} axes, "
                f"here they are on {len(axes)}: leave out hard=True"
            )
        random = np.random.default_rng(0)
        for first, (one, left, condition) in enumerate(given):
            for other, right, rival in given[:first]:
                if (one.axis == other.axis and one != other) or left is right or {left, right} <= {0}:
                    continue
                point = {name: a + (b - a) * random.random(4) for name, a, b in zip(box.names, box.lower, box.upper, strict=True)}
                for side in (one, other):
                    point[box.names[side.axis]] = np.full(4, side.value)
                values = [np.broadcast_to(np.asarray(_floating(evaluated(v, self.known(point)))), 4) for v in (left, right)]
                gap = np.abs(values[0] - values[1])
                if not gap.max() <= 1e-9 * (1 + np.abs(values[0]).max()):
                    where = ", ".join(f"{name}={value[int(gap.argmax())]:.4g}" for name, value in point.items())
                    raise ValueError(
                        f"{rival!r} and {condition!r} are both hard but give {unknown} values that differ by {gap.max():.3g} at {where}: "
                        "no smooth function takes both; leave out hard=True of one"
                    )

    def ansatz(self, unknown: str, coordinates: Mapping[str, Field]) -> tuple[Field, Any] | None:
        """(G, D) with u = G + D N for the network's output N, or None where nothing is hard."""
        sides = self.hard_sides(unknown)
        if not sides:
            return None
        lifted = _boolean_sum(self, sides)
        distance: Any = 1
        for side, _ in sides:
            distance = distance * _distance(self.domain, side, coordinates[self.domain.names[side.axis]])
        values = lifted(dict(coordinates))
        first = next(iter(coordinates.values()))
        return first._lift(values), distance


def _distance(box: Box, side: Side, coordinate: Any) -> Any:
    """A linear function, 0 on the side and 1 in the middle of the box (at the end, for the start of time)."""
    length = box.upper[side.axis] - box.lower[side.axis]
    inward = coordinate - side.value if side.end == 0 else side.value - coordinate
    return inward / (length if box.names[side.axis] == TIME else 0.5 * length)


def _boolean_sum(problem: Problem, sides: list[tuple[Side, Value]]) -> Callable[[dict[str, Any]], Any]:
    """G as a function of the coordinates: for one axis after another, add the interpolated misfit on its sides."""
    box = problem.domain
    common = _common_number([value for _, value in sides])
    if common is not None:
        return lambda coordinates: common

    def extended(before: Callable[[dict[str, Any]], Any], axis: int) -> Callable[[dict[str, Any]], Any]:
        name = box.names[axis]
        here = [(side, value) for side, value in sides if side.axis == axis]

        def after(coordinates: dict[str, Any]) -> Any:
            total = before(coordinates)
            for side, value in here:
                at_side = {**coordinates, name: side.value}
                misfit = evaluated(value, problem.known(at_side)) - before(at_side)
                if isinstance(misfit, (int, float)) and misfit == 0:
                    continue
                share: Any = 1
                if len(here) == 2:
                    other = box.lower[axis] + box.upper[axis] - side.value
                    share = (coordinates[name] - other) * (1 / (side.value - other))
                total = total + share * misfit
            return total

        return after

    lifted: Callable[[dict[str, Any]], Any] = lambda coordinates: 0  # noqa: E731
    for axis in dict.fromkeys(side.axis for side, _ in sides):
        lifted = extended(lifted, axis)
    return lifted


def evaluated(value: Any, known: Mapping[str, Any]) -> Any:
    """A boundary value at coordinates: a number stays, a function is called by name."""
    return call_by_name(value, known) if callable(value) else value


def _common_number(values: Sequence[Value]) -> Any:
    """The number that all values are, or None."""
    first = values[0] if values else None
    return first if first is not None and not any(callable(value) or value != first for value in values) else None


def _floating(value: Any) -> Any:
    return float(value) if isinstance(value, (Constant, Fraction)) else value


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _part(on: Any, condition: Condition) -> Boundary:
    if not isinstance(on, Boundary):
        raise TypeError(f"{type(condition).__name__} takes on=box.boundary or on=box.side(x=1), got on={on!r}")
    return on


def _positive(value: Any, name: str) -> float:
    if not (isinstance(value, (Real, Constant)) and math.isfinite(float(value)) and float(value) > 0):
        raise ValueError(f"{name} must be a positive number, got {value!r}")
    return float(value)


def _shown(value: Any) -> str:
    return getattr(value, "__name__", repr(value)) if callable(value) else repr(value)


def _named_apart(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Number equal names, so that each condition has its own loss and points."""
    names = ["equation", *(condition.name for condition in conditions)]
    taken = {name for name in names if names.count(name) == 1} | {"equation"}
    named = []
    for condition in conditions:
        if names.count(condition.name) > 1:
            number = 1
            while f"{condition.name}_{number}" in taken:
                number += 1
            condition = copy(condition)
            condition.name = f"{condition.name}_{number}"
            taken.add(condition.name)
        named.append(condition)
    return tuple(named)
