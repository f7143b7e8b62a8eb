"""Whether conditions agree with one another, with the equation and with the network: contradictions are errors, doubts are warnings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from kanpde.calls import argument_names
from kanpde.checks import reads_of, side_points, values_at, where_largest
from kanpde.conditions import (
    Condition,
    Dirichlet,
    Frame,
    InitialVelocity,
    Integral,
    Neumann,
    Periodic,
    Point,
    Robin,
    Value,
    Values,
)
from kanpde.conditions.coupled import GAUSS
from kanpde.domains import TIME, Side
from kanpde.fields import Field, coordinate_fields
from kanpde.jets import MultiIndex

ROUNDING = 1e-9  # relative: values that differ by more do not agree
UNBALANCED = 1e-2  # of all fluxes and sources: their sum, where a Neumann problem has no solution
SHARES = (1.0, 0.92, 0.83, 0.75)  # of the usual number of quadrature points an axis: several tell how exact they are


def check_agreement(problem: Frame) -> None:
    """Raise ``ValueError`` naming two conditions that give an unknown different values at one place, or fluxes that do not balance."""
    _check_sides(problem)
    _check_points(problem)
    for condition, other, gap, where in _periodic_jumps(problem):
        if other.hard:
            raise ValueError(
                f"{condition!r} joins the ends of {condition.coordinate}, where {other!r} builds in values that differ by {gap:.3g} "
                f"(at {where}): correct the values, or leave one of them out"
            )
    if problem.check:
        _check_fluxes(problem)


def doubts(problem: Frame) -> list[str]:
    """Warnings: values that are periodic nowhere but in a condition, unknowns that are determined up to a constant."""
    found = [
        f"{other!r} gives values that differ by {gap:.3g} between the ends of {condition.coordinate}, at {where}, which {condition!r} joins"
        for condition, other, gap, where in _periodic_jumps(problem)
        if not other.hard
    ]
    return found + [
        f"{name} is determined only up to a constant, for neither the equation nor a condition reads {name} itself: "
        f"add Integral(lambda {name}: {name}, over=..., value=0) or Point({name}=0, at=...)"
        for name, alphas in problem.reads.items()
        if alphas and () not in alphas and not any(_holds(problem, condition, name) for condition in problem.conditions)
    ]


def _trained(problem: Frame, value: Any) -> bool:
    """Whether a value depends on a trainable coefficient."""
    return callable(value) and bool(set(argument_names(value, optional=True)) & set(problem.coefficients))


def _apart(left: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """The gap between two values where it is more than rounding."""
    gap = np.abs(left - right)
    return None if gap.max() <= ROUNDING * (1 + np.abs(left).max()) else gap


# ---- on sides and at points ----


def _check_sides(problem: Frame) -> None:
    given: dict[tuple[type, str, Side], tuple[Any, Condition]] = {}
    for condition in problem.conditions:
        kind = next((kind for kind in (Robin, Neumann, InitialVelocity, Dirichlet) if isinstance(condition, kind)), None)
        if kind is None or kind is Robin or not isinstance(condition, Values):
            continue
        for name, value in condition.values(problem).items():
            for side in condition.on.sides:
                value_before, before = given.setdefault((kind, name, side), (value, condition))
                if value is value_before or _trained(problem, value) or _trained(problem, value_before):
                    continue
                points = side_points(problem.domain, side)
                gap = _apart(values_at(problem, value_before, points), values_at(problem, value, points))
                if gap is not None:
                    raise ValueError(
                        f"{before!r} and {condition!r} give {name} values that differ by {gap.max():.3g} at {where_largest(points, gap)}: "
                        "leave one of them out, or part their sides" + ("" if not condition.hard else "; no function takes both")
                    )


def _check_points(problem: Frame) -> None:
    """Raise for a point with two values, or with another than all the sides that it lies on have there."""
    names, seen = problem.domain.names, {}
    for condition in problem.conditions:
        if not isinstance(condition, Point):
            continue
        for name, value in condition.values(problem).items():
            for row in condition.at if not _trained(problem, value) else ():
                point = {key: np.array([float(row[key])]) for key in names}
                here = values_at(problem, value, point)
                place = (name, *(float(point[key][0]) for key in names))
                rivals = [seen.setdefault(place, (condition, here))], list(_side_values(problem, name, point))
                for several in filter(None, rivals):
                    gaps = [(rival, _apart(here, there)) for rival, there in several]
                    if all(gap is not None for _, gap in gaps):
                        rival, gap = gaps[0]
                        assert gap is not None
                        raise ValueError(
                            f"{rival!r} and {condition!r} give {name} values that differ by {gap.max():.3g} at "
                            f"{where_largest(point, gap)}: leave one of them out"
                        )


def _side_values(problem: Frame, name: str, point: Mapping[str, np.ndarray]) -> Iterator[tuple[Condition, np.ndarray]]:
    """The values that conditions on sides give an unknown at a point that lies on them."""
    names = problem.domain.names
    for condition in problem.conditions:
        if isinstance(condition, Dirichlet) and name in condition.values(problem):
            value = condition.values(problem)[name]
            for side in condition.on.sides:
                if float(point[names[side.axis]][0]) == side.value and not _trained(problem, value):
                    yield condition, values_at(problem, value, point)


# ---- periodic ----


def _jump(problem: Frame, value: Value, side: Side, axis: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The values on a side at the upper end of another coordinate less those at its lower end, and where (at the upper)."""
    box, points = problem.domain, side_points(problem.domain, side)
    ends = [{**points, box.names[axis]: np.full_like(points[box.names[axis]], bound[axis])} for bound in (box.lower, box.upper)]
    low, high = (values_at(problem, value, end) for end in ends)
    gap = _apart(low, high)
    return (np.zeros_like(low) if gap is None else gap), ends[1]


def _periodic_jumps(problem: Frame) -> Iterator[tuple[Periodic, Condition, float, str]]:
    """Values on other sides that are not periodic where a condition says so."""
    for condition in problem.conditions:
        if isinstance(condition, Periodic):
            axis = problem.domain.names.index(condition.coordinate)
            yield from ((condition, *found) for found in _jumps(problem, list(condition.orders), axis))


def _jumps(problem: Frame, unknowns: Sequence[str], axis: int) -> Iterator[tuple[Condition, float, str]]:
    for other in problem.conditions:
        for name, value in other.values(problem).items() if isinstance(other, Dirichlet) else ():
            for side in other.on.sides:
                own = callable(value) and not hasattr(value, "network")  # the end of the slab before is what it is
                if own and name in unknowns and side.axis != axis and not _trained(problem, value):
                    gap, points = _jump(problem, value, side, axis)
                    if gap.any():
                        yield other, float(gap.max()), where_largest(points, gap)


def check_network(problem: Frame, periodic: Sequence[int], basis: str) -> list[str]:
    """Warnings where a network that is periodic along the axes ``periodic`` meets values that are not.

    Raises ``ValueError`` for values on the two ends of such an axis that differ, as no such network can take them.
    """
    found = []
    for axis in periodic:
        ends, coordinate = [problem.domain.bound(axis, end) for end in (0, 1)], problem.domain.names[axis]
        joined = {name for c in problem.conditions if isinstance(c, Periodic) and c.coordinate == coordinate for name in c.orders}
        for name in problem.unknowns:
            given = {
                side: (condition, value)
                for condition in problem.conditions
                if isinstance(condition, Dirichlet)
                for key, value in condition.values(problem).items()
                for side in condition.on.sides
                if key == name and side in ends and not _trained(problem, value)
            }
            if any(condition.hard for condition, _ in given.values()):
                continue  # the ansatz takes the values, whatever the network does
            if len(given) == 2:
                points = side_points(problem.domain, ends[0])
                opposite = {**points, coordinate: np.full_like(points[coordinate], ends[1].value)}
                (low, left), (high, right) = (given[side] for side in ends)
                gap = _apart(values_at(problem, left, points), values_at(problem, right, opposite))
                hard = any(isinstance(c, Dirichlet) and c.hard and name in c.values(problem) for c in problem.conditions)
                if gap is not None and not hard:
                    pair = f"{low!r} gives" if low is high else f"{low!r} and {high!r} give"
                    raise ValueError(
                        f"{pair} {name} values at the ends of {coordinate} that differ by {gap.max():.3g}, but {basis} is periodic in "
                        f"{coordinate}: take another basis along it, or build the values in with hard=True"
                    )
            found += [
                f"{other!r} gives {name} values that differ by {gap:.3g} between the ends of {coordinate}, at {where}, but {basis} is "
                f"periodic in {coordinate}: take another basis along it"
                for other, gap, where in _jumps(problem, [name], axis)
                if name not in joined
            ]
    return found


# ---- up to a constant ----


def _holds(problem: Frame, condition: Condition, name: str) -> bool:
    """Whether a condition would notice a constant added to an unknown."""
    if isinstance(condition, (Periodic, InitialVelocity)) or (isinstance(condition, Neumann) and not isinstance(condition, Robin)):
        return False
    if isinstance(condition, Values):
        return name in condition.values(problem)
    function = condition.integrand if isinstance(condition, Integral) else condition.equation if type(condition) is Condition else None
    return function is None or () in reads_of(problem, function)[0][name]


# ---- fluxes ----


def _check_fluxes(problem: Frame) -> None:
    """Raise where c laplacian(u) = f in the domain and du/dn = g on all its sides, but c times the integral of g is not that of f."""
    box, (unknown, *others) = problem.domain, problem.unknowns
    if others or TIME in box.names or len(box.names) > max(GAUSS) or problem.coefficients:
        return
    if problem.reads[unknown] != {(axis, axis) for axis in range(len(box.names))}:
        return
    slopes: dict[Side, Value] = {}
    for condition in problem.conditions:
        if isinstance(condition, Periodic):
            slopes |= dict.fromkeys(condition.sides(problem, unknown), 0)  # what leaves on one side enters on the other
        elif type(condition) is Neumann:
            slopes |= dict.fromkeys(condition.on.sides, condition.values(problem)[unknown])
    if set(slopes) != set(box.boundary.sides):
        return
    found = [_balance(problem, slopes, share) for share in SHARES]
    sums = np.array([each for each in found if each is not None])
    if len(sums) < len(SHARES):
        return
    (flux, source, size), gaps = sums[0], sums[:, 0] - sums[:, 1]
    if np.abs(gaps).min() > max(UNBALANCED * size, 5 * float(np.ptp(gaps))):
        raise ValueError(
            f"no {unknown} has these slopes on the boundary: the integral of its laplacian over {box} is {source:.4g} by the equation, "
            f"but the integral of du/dn over the boundary is {flux:.4g}; correct the equation's right-hand side or a Neumann condition, or "
            "switch this check off with Problem(..., check=False)"
        )


def _balance(problem: Frame, slopes: Mapping[Side, Value], share: float) -> tuple[float, float, float] | None:
    """The integrals of du/dn over the boundary and of laplacian(u) over the domain, and of the sizes of both; None if unknown."""
    box = problem.domain
    inside, beside = (max(1, round(share * GAUSS[axes])) for axes in (len(box.names), len(box.names) - 1))
    nodes, weights = _quadrature(box, inside)
    laplacian = _laplacian(problem, nodes)
    if laplacian is None:
        return None
    flux, size = 0.0, float(weights @ np.abs(laplacian))
    for side, value in slopes.items():
        on = box.side(**{box.names[side.axis]: side.value})
        places, factors = _quadrature(on, beside)
        values = values_at(problem, value, dict(zip(box.names, places.T, strict=True)))
        flux, size = flux + float(factors @ values), size + float(factors @ np.abs(values))
    return flux, float(weights @ laplacian), size


def _quadrature(over: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    integral = Integral(lambda: 0, over=over, points=count)
    nodes = integral.points(0, lambda u: u, 0)
    return nodes, integral.coefficients(nodes)


def _laplacian(problem: Frame, nodes: np.ndarray) -> np.ndarray | None:
    """What the laplacian is at points by an equation c laplacian(u) - f = 0, (n,); None if it has another form."""
    names, unknown = problem.domain.names, problem.unknowns[0]
    coordinates = coordinate_fields(names, list(torch.from_numpy(np.ascontiguousarray(nodes.T))))
    second = [(axis, axis) for axis in range(len(names))]

    def residual(given: Mapping[MultiIndex, float]) -> np.ndarray:
        field = Field(names, lambda alpha: torch.full((len(nodes),), given.get(alpha, 0.0), dtype=torch.float64), unknown)
        (value,) = problem.residuals(problem.known(coordinates, {unknown: field}))
        value = value.value if isinstance(value, Field) else value
        return np.broadcast_to(np.asarray(value, dtype=float), len(nodes))

    try:
        start = residual({})
        each = [residual({alpha: 1.0}) - start for alpha in second]
        whole = residual(dict.fromkeys(second, 2.0)) - start
    except (TypeError, ValueError, AttributeError, RuntimeError):  # written for something else than columns of points, or not one component
        return None
    factor = float(each[0][0])
    scale = ROUNDING * (abs(factor) + float(np.abs(start).max()))
    constant = all(np.abs(by - factor).max() <= scale for by in each)
    linear = np.abs(whole - 2 * len(second) * factor).max() <= 4 * len(second) * scale
    return -start / factor if factor and constant and linear and np.isfinite(start).all() else None
