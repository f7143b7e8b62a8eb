"""What a condition is: residuals at points, and how they become rows."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol, Self

import numpy as np

from kanpde.calls import argument_names, call_by_name, components_of
from kanpde.domains import Boundary, Box, Quantile, Side
from kanpde.functions import Constant
from kanpde.jets import MultiIndex

# Errors on the boundary enter the solution whole, residuals divided by the operator's size: for second order, 10 and more.
CONDITION_WEIGHT = 100.0


class Frame(Protocol):
    """What a condition sees of its problem."""

    @property
    def domain(self) -> Box: ...
    @property
    def unknowns(self) -> tuple[str, ...]: ...
    @property
    def conditions(self) -> Sequence["Condition"]: ...
    @property
    def coefficients(self) -> Mapping[str, float]: ...
    @property
    def check(self) -> bool: ...
    @property
    def reads(self) -> Mapping[str, frozenset[MultiIndex]]: ...
    def check_names(self, function: Callable[..., Any], *, unknowns: bool = True) -> None: ...
    def known(
        self, coordinates: Mapping[str, Any], unknowns: Mapping[str, Any] | None = None, coefficients: Mapping[str, Any] | None = None
    ) -> dict[str, Any]: ...
    def residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]: ...
    def ansatz(self, unknown: str, coordinates: Mapping[str, Any]) -> tuple[Any, Any] | None: ...


@dataclass(frozen=True)
class Place:
    """Where a row reads the residuals: ``fixed`` coordinates, what else is ``known`` there, and the ``factor`` they enter with."""

    fixed: Mapping[str, float]
    known: Mapping[str, Any] = field(default_factory=dict)
    factor: float = 1.0


class Condition:
    """An equation on a part of the boundary, ``Condition(lambda u, x: u.y - x, on=square.side(y=1))``.

    ``weight`` (100 by default) multiplies its mean square in the loss, where that of the equation has weight 1; ``name`` is what its
    loss and its points are called. Raises ``TypeError`` if ``on`` is no part of a boundary, ``ValueError`` for a weight that is not
    positive, and, when it meets its problem, an error for names that do not exist and sides of another domain.

    A subclass may define ``points`` and, for rows that couple several points, ``group`` and ``coefficients``: a row is the sum
    over ``group`` points in succession (0: over all of them) of coefficient times residual.
    """

    hard = False
    optional = False  # whether a network may satisfy it by itself
    group = 1
    on: Boundary
    weight: float
    name: str

    def __init__(self, equation: Callable[..., Any], *, on: Boundary, weight: float = CONDITION_WEIGHT, name: str | None = None) -> None:
        if not callable(equation):
            raise TypeError(f"Condition takes an equation such as lambda u, x: u.x - x, got {equation!r}")
        self.equation, self.on = equation, part(on, self)
        self.weight, self.name = positive(weight, "the weight of a condition"), name or "condition"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown(self.equation)}, on={self.on!r})"

    # ---- what meets the problem ----

    def placed(self, problem: Frame) -> Self:
        """The condition as it stands in ``problem``; itself, or a copy that knows more."""
        return self

    def check(self, problem: Frame) -> None:
        """Raise if the condition does not fit the problem."""
        self._check_place(problem)
        problem.check_names(self.equation)

    def _check_place(self, problem: Frame) -> None:
        if self.on.box != problem.domain:
            raise ValueError(f"{self!r} lies on the boundary of {self.on.box}, but the domain is {problem.domain}")
        if not self.on.sides:
            raise ValueError(f"{self!r} holds on no side: the part of the boundary that it names is empty")

    def sides(self, problem: Frame, unknown: str) -> tuple[Side, ...]:
        """The sides on which it says something about ``unknown``."""
        return self.on.sides if unknown in argument_names(self.equation) else ()

    # ---- residuals and rows ----

    def points(self, per_side: int, quantile: Quantile | Sequence[Quantile], seed: int) -> np.ndarray:
        """Where its residuals are taken, (n, d)."""
        return self.on.sample(per_side, quantile, seed)

    def columns(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """What is known at the points besides their coordinates, (n,) each, under names that no argument can have."""
        return {}

    def coefficients(self, points: np.ndarray) -> np.ndarray | None:
        """The factors (n,) with which residuals enter rows; None for ones."""
        return None

    def residuals(self, problem: Frame, known: Mapping[str, Any]) -> tuple[Any, ...]:
        """The left-hand sides that should vanish, one a component."""
        return components_of(call_by_name(self.equation, known), self.equation)

    def places(self, problem: Frame) -> list[tuple[Place, ...]]:
        """For symbolic checks, rows as sums of the residuals at some places: here one a side."""
        return [(Place({self.on.box.names[side.axis]: side.value}),) for side in self.on.sides]

    def satisfied_by(self, problem: Frame, network: Any) -> bool:
        """Whether ``network`` satisfies it with any parameters, so that it needs no rows."""
        return False

    def moved(self, box: Box) -> Self:
        """A copy on the same sides of another box, a slab of its own."""
        other = copy(self)
        other.on = Boundary(box, tuple(box.bound(side.axis, side.end) for side in self.on.sides))
        return other

    def renamed(self, name: str) -> Self:
        """A copy by another name."""
        other = copy(self)
        other.name = name
        return other


def evaluated(value: Any, known: Mapping[str, Any]) -> Any:
    """A boundary value at coordinates: a number stays, a function is called by name."""
    return call_by_name(value, known) if callable(value) else value


def part(on: Any, condition: Condition) -> Boundary:
    """``on``, or ``TypeError`` if it is no part of a boundary."""
    if not isinstance(on, Boundary):
        raise TypeError(f"{type(condition).__name__} takes on=box.boundary or on=box.side(x=1), got on={on!r}")
    return on


def positive(value: Any, name: str) -> float:
    """``value`` as a positive number, or ``ValueError``."""
    if not (isinstance(value, (Real, Constant)) and math.isfinite(float(value)) and float(value) > 0):
        raise ValueError(f"{name} must be a positive number, got {value!r}")
    return float(value)


def shown(value: Any) -> str:
    """How a user's number or function is called in messages."""
    return getattr(value, "__name__", repr(value)) if callable(value) else repr(value)


def at(box: Box, point: Sequence[float]) -> str:
    """A point in words, ``x=0.5, y=1``."""
    return ", ".join(f"{name}={value:.6g}" for name, value in zip(box.names, point, strict=True))
