"""What is found out before any training: that the equation and ``exact`` can be evaluated, and that ``exact`` solves the problem."""

import logging
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from kanpde.calls import function_name
from kanpde.conditions import Condition, Data
from kanpde.fields import Field, constant, coordinate_fields
from kanpde.functions import Constant
from kanpde.network import uniform
from kanpde.problem import Problem

logger = logging.getLogger("kanpde")

POINTS = 32  # inside, and on each side of a condition
TOLERANCE = 1e-6  # relative to the terms: exact may be computed by other numerical means


def check_exact(problem: Problem) -> None:
    """Raise ``ValueError`` with all objections, if there are some."""
    found = objections(problem)
    if found:
        raise ValueError(
            "the exact solution does not solve the problem: " + "; ".join(found) + ". Correct exact, the equation or the condition, "
            "or switch this check off with Problem(..., check=False)"
        )


def objections(problem: Problem) -> list[str]:
    """Reasons not to train: where ``exact`` contradicts the problem, by sympy, or in floating point where sympy cannot read it.

    What could not be checked is logged as a warning. Raises ``ValueError`` or ``TypeError`` if the equation, or the solution to
    compare with, does not return numbers for each component. ``Problem(check=False)`` switches off all but that.
    """
    solution = problem.exact or problem.reference
    if solution is not None:  # first, because the equation may call it
        solution_values(problem, solution, _inside(problem, 4))
    if problem.exact is None or not problem.check:
        return []
    from kanpde.symbolic.equations import contradictions, exact_solution

    if exact_solution(problem) is None:
        return _numerical(problem, "exact is not written in kanpde.functions, so that sympy cannot check it")
    try:
        return [str(found) for found in contradictions(problem)]
    except (TypeError, AttributeError, ValueError, NotImplementedError) as error:
        return _numerical(problem, f"the problem is not written in kanpde.functions, so that sympy cannot check exact ({error})")


def solution_values(problem: Problem, which: Callable[..., Any], points: np.ndarray) -> dict[str, np.ndarray]:
    """``exact`` or ``reference`` at ``points`` (n, d) as arrays (n,) by unknown.

    Raises ``TypeError`` or ``ValueError``, naming the function, for anything but real finite numbers for each unknown.
    """
    name, unknowns = function_name(which), ", ".join(problem.unknowns)
    columns = dict(zip(problem.domain.names, np.ascontiguousarray(points.T), strict=True))
    try:
        values = problem.solution(which, columns)
    except KeyError as error:
        if str(error.args[0]) not in problem.unknowns:
            raise
        raise ValueError(f"{name} returns no {error.args[0]!r} among its values by name: the unknowns are {unknowns}") from error
    found = {}
    for unknown, value in values.items():
        if value is None:
            raise TypeError(f"{name} returns None for {unknown}: does it lack a return?")
        array = np.asarray(value)
        try:
            if array.dtype.kind not in "biufO":
                raise TypeError(f"values of type {array.dtype}")
            found[unknown] = np.broadcast_to(array.astype(float), len(points))
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{name} returns {type(value).__name__} {value!r:.60} for {unknown}, which is not a real number for each point ({error})"
            ) from error
        bad = np.flatnonzero(~np.isfinite(found[unknown]))
        if len(bad):
            raise ValueError(f"{name} gives {unknown} = {found[unknown][bad[0]]} at {_place(problem, points[bad[0]])}")
    return found


def _numerical(problem: Problem, reason: str) -> list[str]:
    """Contradictions found in floating point, at random points; a warning says what was checked and what was not."""
    places: list[tuple[str, str, Condition | None, np.ndarray]] = [("the equation", "the equation", None, _inside(problem, POINTS))]
    for condition in problem.conditions:
        if not isinstance(condition, Data):  # exact is held against the equation, not against measurements
            places.append((repr(condition), condition.name, condition, condition.points(POINTS, uniform, 5)))
    found, checked, unchecked = [], [], []
    for label, name, condition, points in places:
        try:
            found += _misfits(problem, label, condition, points)
            checked.append(name)
        except (TypeError, AttributeError, ValueError, NotImplementedError) as error:
            logger.info("%s cannot be checked for exact: %s", label, error)
            unchecked.append(name)
    said = [f"checked in floating point at random points: {', '.join(checked)}"] if checked else []
    said += [f"not checked, because derivatives of exact are unknown: {', '.join(unchecked)}"] if unchecked else []
    logger.warning("%s; %s", reason, "; ".join(said))
    return found


def _misfits(problem: Problem, label: str, condition: Condition | None, points: np.ndarray) -> list[str]:
    """Where the rows of a condition, or of the equation, do not vanish for ``exact``, the worst point of each component.

    Raises ``TypeError`` if they need derivatives that are not known.
    """
    coordinates = coordinate_fields(problem.domain.names, list(np.ascontiguousarray(points.T)))
    assert problem.exact is not None
    inside = solution_values(problem, problem.exact, _inside(problem, POINTS))
    scale = [max(float(np.abs(value).max()) for value in inside.values())]

    def watched(field: Field) -> Field:
        def evaluate(alpha: tuple[int, ...]) -> Any:
            value = field.partial(alpha)
            scale[0] = max(scale[0], float(np.abs(np.asarray(value, dtype=float)).max()))
            return value

        return Field(problem.domain.names, evaluate)

    unknowns = {name: watched(field) for name, field in _exact_fields(problem, coordinates, points).items()}
    known = problem.known(coordinates, unknowns)
    residuals = problem.residuals(known) if condition is None else condition.residuals(problem, {**known, **condition.columns(points)})
    factors, group = (None, 1) if condition is None else (condition.coefficients(points), condition.group)
    factors = np.ones(len(points)) if factors is None else factors
    found = []
    for number, residual in enumerate(residuals, 1):
        value = np.broadcast_to(np.asarray(residual.value if isinstance(residual, Field) else residual, dtype=float), len(points))
        size = np.abs((value * factors).reshape(-1, group or len(points)).sum(1))
        if not size.max() <= TOLERANCE * scale[0] * np.abs(factors).reshape(len(size), -1).sum(1).max():
            worst = int(np.argmax(np.where(np.isfinite(size), size, np.inf)))
            part = f"component {number} of " if number > 1 else ""
            where = f" at {_place(problem, points[worst * group])}" if group else ""
            found.append(f"{part}{label} is off by {size[worst]:.3g}{where}")
    return found


def _exact_fields(problem: Problem, coordinates: Mapping[str, Field], points: np.ndarray) -> dict[str, Field]:
    """``exact`` as fields with derivatives where it is made of functions that have them, else as values alone."""
    assert problem.exact is not None
    names = problem.domain.names
    try:
        values = problem.solution(problem.exact, coordinates)
        if all(isinstance(value, (Field, Real, Constant)) for value in values.values()):
            return {name: value if isinstance(value, Field) else constant(value, names) for name, value in values.items()}
    except (TypeError, AttributeError, ValueError) as error:
        logger.info("exact takes arrays only: %s", error)
    return {name: constant(np.array(value), names, "exact") for name, value in solution_values(problem, problem.exact, points).items()}


def _inside(problem: Problem, count: int) -> np.ndarray:
    return problem.domain.sample(count, uniform, 3)


def _place(problem: Problem, point: np.ndarray) -> str:
    return ", ".join(f"{name}={value:.4g}" for name, value in zip(problem.domain.names, point, strict=True))
