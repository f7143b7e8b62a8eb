"""What can be told of an equation and its conditions before anything is trained."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from kanpde.arguments import nearest
from kanpde.calls import argument_names, call_by_name, components_of, function_name
from kanpde.conditions import Data, Frame, Integral, Point, Values, evaluated
from kanpde.domains import TIME, Box, Side
from kanpde.fields import Field, coefficient, coordinate_fields
from kanpde.functions import Constant
from kanpde.jets import MultiIndex

TRIED = 65  # points on a side at which given values are looked at


def reads_of(problem: Frame, function: Callable[..., Any]) -> tuple[dict[str, set[MultiIndex]], int]:
    """The derivatives of each unknown that a user's function reads, found by calling it once, and its number of components."""
    box, read = problem.domain, {name: set[MultiIndex]() for name in problem.unknowns}
    middle = torch.tensor([[0.5 * (a + b) + share * (b - a) for share in (0.0, 0.05)] for a, b in zip(box.lower, box.upper, strict=True)])
    coordinates = coordinate_fields(box.names, list(middle.double()))

    def unknown(name: str) -> Field:
        def evaluate(alpha: MultiIndex) -> torch.Tensor:
            read[name].add(alpha)
            return torch.full((2,), 0.5, dtype=torch.float64)

        return Field(box.names, evaluate, name)

    guesses = {name: coefficient(torch.full((2,), guess).double(), box.names, name) for name, guess in problem.coefficients.items()}
    known = problem.known(coordinates, {name: unknown(name) for name in problem.unknowns}, guesses)
    components = components_of(call_by_name(function, known), function)
    for value in components:
        if isinstance(value, Field):
            _ = value.value
    return read, len(components)


def trial(problem: Frame, equation: Callable[..., Any]) -> tuple[dict[str, frozenset[MultiIndex]], int]:
    """The derivatives of each unknown that ``equation`` reads, and its number of components.

    Raises ``ValueError`` if it reads no unknown, ``TypeError`` if it returns something else than residuals.
    """
    try:
        read, components = reads_of(problem, equation)
    except NameError as error:
        names, lost = argument_names(equation, optional=True), str(error.name)
        raise TypeError(
            f"{function_name(equation)} uses {lost!r}, which is not among its arguments {', '.join(names)}{nearest(lost, names)}"
        ) from error
    if not any(read.values()):
        raise ValueError(f"{function_name(equation)} reads none of its unknowns {', '.join(problem.unknowns)}")
    return {name: frozenset(alphas) for name, alphas in read.items()}, components


# ---- values on sides ----


def side_points(box: Box, side: Side) -> dict[str, np.ndarray]:
    """Points of a side spread over every coordinate, its middle among them and its edges not: (65,) each."""
    random, place = np.random.default_rng(0), (np.arange(TRIED) + 0.5) / TRIED
    found = {}
    for axis, (name, low, high) in enumerate(zip(box.names, box.lower, box.upper, strict=True)):
        order = random.permutation(TRIED)
        where, middle = int(np.flatnonzero(order == TRIED // 2)[0]), TRIED // 2
        order[where], order[middle] = order[middle], order[where]
        found[name] = np.full(TRIED, side.value) if axis == side.axis else low + (high - low) * place[order]
    return found


def values_at(problem: Frame, value: Any, points: Mapping[str, np.ndarray]) -> np.ndarray:
    """A boundary value at ``points``, as an array."""
    with np.errstate(all="ignore"):
        found = evaluated(value, problem.known(points))
        size = len(next(iter(points.values())))
        return np.broadcast_to(np.asarray(float(found) if isinstance(found, (Constant, Fraction)) else found, dtype=float), (size,))


def where_largest(points: Mapping[str, np.ndarray], sizes: np.ndarray) -> str:
    """The point with the largest (or a NaN) size in words."""
    return ", ".join(f"{name}={column[int(sizes.argmax())]:.4g}" for name, column in points.items())


# ---- what is missing ----


def missing(problem: Frame, components: int, periodic: Sequence[int] = ()) -> list[str]:
    """Warnings: sides (but for the axes along which the network is ``periodic``) and starts without a condition, fewer components than
    unknowns.
    """
    found = []
    if components < len(problem.unknowns) and not any(isinstance(c, Data) for c in problem.conditions):
        found.append(
            f"the equation has {components} component{'s' * (components > 1)} for {len(problem.unknowns)} unknowns "
            f"({', '.join(problem.unknowns)}): without data the solution is not unique"
        )
    if any(isinstance(condition, Data) for condition in problem.conditions):
        return found
    for name, alphas in problem.reads.items():
        for axis, coordinate in enumerate(problem.domain.names):
            order = max((alpha.count(axis) for alpha in alphas), default=0)
            if coordinate == TIME:
                found += _missing_start(problem, name, order)
            elif order >= 2 and axis not in periodic:
                found += _missing_sides(problem, name, axis, order)
        found += _missing_inflow(problem, name, periodic)
    return found


def _held(problem: Frame, unknown: str, axis: int) -> Iterator[tuple[Side, int]]:
    """The sides of one axis on which conditions say something of ``unknown``, and how many things at most."""
    for condition in problem.conditions:
        for side in condition.sides(problem, unknown):
            if side.axis == axis:
                yield side, 1 if isinstance(condition, (Values, Integral, Point)) else 2


def _missing_sides(problem: Frame, unknown: str, axis: int, order: int) -> list[str]:
    held = list(_held(problem, unknown, axis))
    sides = [side for side in problem.domain.boundary.sides if side.axis == axis and side not in {each for each, _ in held}]
    if not sides or (len(sides) == 1 and sum(many for _, many in held) >= order):
        return []
    where = " and ".join(f"{problem.domain.names[axis]}={side.value:g}" for side in sides)
    return [
        f"no condition on {unknown} at {where}, though the equation is of order {order} in {problem.domain.names[axis]}: the solution may "
        "not be unique; add Dirichlet, Neumann, Robin or Periodic there"
    ]


def _missing_inflow(problem: Frame, unknown: str, periodic: Sequence[int]) -> list[str]:
    """Of an equation of first order in space, which may need a condition on one side alone, whether it has none on any.

    Not of one among several unknowns, which the others may determine, nor where the constant is missed already.
    """
    names, alphas = problem.domain.names, problem.reads[unknown]
    space = [axis for axis, name in enumerate(names) if name != TIME]
    orders = {axis: max((alpha.count(axis) for alpha in alphas), default=0) for axis in space}
    steady = () not in alphas and TIME not in names
    if len(problem.unknowns) > 1 or max(orders.values(), default=0) != 1 or steady or set(periodic) & set(space):
        return []
    if any(True for axis in space for _ in _held(problem, unknown, axis)):
        return []
    where = ", ".join(names[axis] for axis in space if orders[axis])
    return [f"no condition on {unknown} on any side, though the equation is of order 1 in {where}: add one where characteristics enter"]


def _missing_start(problem: Frame, unknown: str, order: int) -> list[str]:
    held = sum(many for _, many in _held(problem, unknown, problem.domain.names.index(TIME)))
    if not order or held >= order:
        return []
    if not held:
        more = f" and InitialVelocity({unknown}=...)" if order > 1 else ""
        return [f"no initial condition on {unknown}, though the equation has its derivative by time: add Initial({unknown}=...){more}"]
    return [
        f"only {held} condition{'s' * (held > 1)} in time on {unknown}, though the equation is of order {order} in time: "
        f"add InitialVelocity({unknown}=...)"
    ]


# ---- parameters ----


def check_parameter(name: str, value: Any) -> None:
    """Raise ``TypeError`` or ``ValueError`` for a parameter that is no finite number, array or function."""
    if callable(value) or getattr(value, "ndim", 0):
        return
    try:
        number = math.nan if isinstance(value, (str, bytes)) or value is None else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        kind = ValueError if isinstance(value, float) else TypeError
        raise kind(f"the parameter {name!r} is {value!r}, but a parameter is a finite number or Unknown(guess)")
