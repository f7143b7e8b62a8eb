"""Hard conditions: u = G + D N, where G has the given values and D vanishes on their sides, whatever the network N is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kanpde.calls import argument_names
from kanpde.checks import side_points, values_at, where_largest
from kanpde.conditions import Condition, Dirichlet, Frame, InitialVelocity, Value, evaluated
from kanpde.domains import TIME, Box, Side
from kanpde.fields import Field, coordinate_fields

MOST_HARD_AXES = 6  # the interpolation of values that vary takes 3^axes evaluations


def hard_sides(problem: Frame, unknown: str) -> list[tuple[Side, Value]]:
    """The sides on which the ansatz fixes ``unknown``, with the value there."""
    found = {side: value for side, value, _ in _hard_values(problem, unknown)}
    # space first: the last correction, that of the start, holds everywhere
    return sorted(found.items(), key=lambda item: (problem.domain.names[item[0].axis] == TIME, item[0].axis, item[0].end))


def _hard_values(problem: Frame, unknown: str) -> list[tuple[Side, Value, Condition]]:
    return [
        (side, condition.values(problem)[unknown], condition)
        for condition in problem.conditions
        if isinstance(condition, Dirichlet) and condition.hard and unknown in condition.values(problem)
        for side in condition.on.sides
    ]


def _hard_velocity(problem: Frame, unknown: str) -> tuple[Value, Condition] | None:
    for condition in problem.conditions:
        if isinstance(condition, InitialVelocity) and condition.hard and unknown in condition.values(problem):
            return condition.values(problem)[unknown], condition
    return None


def check_hard(problem: Frame, unknown: str) -> None:
    """Raise ``ValueError`` if hard values of ``unknown`` are not finite, disagree where sides meet, or cannot be interpolated."""
    box, given, velocity = problem.domain, _hard_values(problem, unknown), _hard_velocity(problem, unknown)
    starts = [] if velocity is None else [(velocity[1].on.sides[0], *velocity)]
    for side, value, condition in given + starts:
        asked = set(argument_names(value, optional=True)) & set(problem.coefficients) if callable(value) else ()
        if asked:
            raise ValueError(f"{condition!r} is hard, but its value depends on the unknown coefficient {min(asked)!r}: leave out hard=True")
        points = side_points(box, side)
        values = values_at(problem, value, points)
        if not np.isfinite(values).all():
            where = where_largest(points, ~np.isfinite(values))
            raise ValueError(
                f"{condition!r} is hard, but gives {unknown} the value {values[~np.isfinite(values)][0]} at {where}: "
                "correct the value there, or leave out hard=True"
            )
    axes = {side.axis for side, _, _ in given}
    if len(axes) > MOST_HARD_AXES and _common_number([value for _, value, _ in given]) is None:
        raise ValueError(
            f"hard values of {unknown} that are not one number are interpolated from the sides of at most {MOST_HARD_AXES} axes, "
            f"here they are on {len(axes)}: leave out hard=True"
        )
    for first, (one, left, condition) in enumerate(given):
        for other, right, rival in given[:first]:
            if (one.axis == other.axis and one != other) or left is right or {left, right} <= {0}:
                continue
            point = _edge(box, one, other)
            _agree(unknown, "values", rival, condition, point, values_at(problem, left, point), values_at(problem, right, point))
    for start, speed, condition in starts:
        for side, value, rival in given:
            if side.axis != start.axis and callable(value):
                point = _edge(box, start, side)
                _agree(unknown, "velocities", rival, condition, point, _rate(problem, value, point), values_at(problem, speed, point))
            elif side.axis != start.axis:
                point = _edge(box, start, side)
                _agree(unknown, "velocities", rival, condition, point, np.zeros(4), values_at(problem, speed, point))


def _edge(box: Box, *sides: Side) -> dict[str, np.ndarray]:
    """Four random points where sides meet."""
    random = np.random.default_rng(0)
    point = {name: a + (b - a) * random.random(4) for name, a, b in zip(box.names, box.lower, box.upper, strict=True)}
    return point | {box.names[side.axis]: np.full(4, side.value) for side in sides}


def _rate(problem: Frame, value: Any, point: Mapping[str, np.ndarray]) -> np.ndarray:
    """The derivative of a boundary value by time."""
    fields = coordinate_fields(problem.domain.names, list(point.values()))
    rate = fields[TIME]._lift(evaluated(value, problem.known(fields))).d(TIME).value
    return np.broadcast_to(np.asarray(rate, dtype=float), 4)


def _agree(
    unknown: str, what: str, one: Condition, other: Condition, point: Mapping[str, np.ndarray], left: np.ndarray, right: np.ndarray
) -> None:
    gap = np.abs(left - right)
    if not gap.max() <= 1e-9 * (1 + np.abs(left).max()):
        raise ValueError(
            f"{one!r} and {other!r} are both hard but give {unknown} {what} that differ by {gap.max():.3g} at {where_largest(point, gap)}: "
            "no smooth function takes both; leave out hard=True of one"
        )


def ansatz(problem: Frame, unknown: str, coordinates: Mapping[str, Field]) -> tuple[Field, Any] | None:
    """(G, D) with u = G + D N for the network's output N, or None where nothing is hard.

    D is the product of the distances to the sides, squared for the start where the velocity is hard too.
    """
    sides = hard_sides(problem, unknown)
    if not sides:
        return None
    box, velocity = problem.domain, _hard_velocity(problem, unknown)
    lifted = _boolean_sum(problem, sides)
    if velocity is not None:
        lifted = _with_velocity(problem, lifted, velocity[0])
    distance: Any = 1
    for side, _ in sides:
        name = box.names[side.axis]
        factor = _distance(box, side, coordinates[name])
        distance = distance * (factor**2 if velocity is not None and name == TIME and side.end == 0 else factor)
    first = next(iter(coordinates.values()))
    return first._lift(lifted(dict(coordinates))), distance


def _distance(box: Box, side: Side, coordinate: Any) -> Any:
    """A linear function, 0 on the side and 1 in the middle of the box (at the end, for the start of time)."""
    length = box.upper[side.axis] - box.lower[side.axis]
    inward = coordinate - side.value if side.end == 0 else side.value - coordinate
    return inward / (length if box.names[side.axis] == TIME else 0.5 * length)


def _boolean_sum(problem: Frame, sides: list[tuple[Side, Value]]) -> Callable[[dict[str, Any]], Any]:
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


def _with_velocity(problem: Frame, before: Callable[[dict[str, Any]], Any], velocity: Value) -> Callable[[dict[str, Any]], Any]:
    """G + (t - t0) (u1 - G_t at t0), whose derivative by time at the start is u1."""
    names = problem.domain.names
    axis = names.index(TIME)
    start = problem.domain.lower[axis]
    moving = Field(names, lambda alpha: start if not alpha else 1 if alpha == (axis,) else 0, TIME)

    def after(coordinates: dict[str, Any]) -> Any:
        rate = moving._lift(before({**coordinates, TIME: moving})).d(TIME)
        frozen = Field(names, lambda alpha: 0 if axis in alpha else rate.partial(alpha))
        misfit = evaluated(velocity, problem.known({**coordinates, TIME: start})) - frozen
        return before(coordinates) + (coordinates[TIME] - start) * misfit

    return after


def _common_number(values: Sequence[Value]) -> Any:
    """The number that all values are, or None."""
    first = values[0] if values else None
    return first if first is not None and not any(callable(value) or value != first for value in values) else None
