"""Functions through which others depend on their variables: pairs of points on one level, found by bracketing.

If f depends on x_A only through s(x_A), then f(a, b) = f(a', b) wherever s(a) = s(a'). Such pairs are found to rounding on random
segments, at whose ends s lies on different sides of the level; then the criteria are exact, without derivatives. What noise of the
values does to a level, and so to the comparison, is propagated to first order.
"""

import math
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from kanpde.calls import argument_names, call_by_name, function_name
from kanpde.functions import is_sympy, numeric
from kanpde.structure.findings import BROKEN, Finding, Score, count_of, found, scored
from kanpde.structure.sampled import Domain, Sampled
from kanpde.structure.separability import PROBES, Groups, divided, idle, written

TRIES = 8  # points among which the ends of a segment are looked for
STEPS = 60  # of the bracketing at most
CHAINS = 3  # of levels drawn for each comparison: most leave the domain
NEAR, MOST = 0.1, 0.6  # neighbours, as a part of the distance to random points; as many of their comparisons show a structure
JUMP = 1e-8  # of the difference between the ends of a segment: a function that misses a level by more is not continuous
BRANCHES = 1e-3  # scores that branches of levels can give: comparisons of neighbours see small deviations less well
LINEAR = 0.12  # relative error of the propagation of noise to first order, measured
STEEPEST = 30.0  # a level that multiplies the noise by more is left out
FEW = "few levels that the criterion compares are reached in the domain: take a larger one"


def dependence(
    function: Any,
    domain: Domain,
    through: Any,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> Finding:
    """Whether f depends on x_A only through s(x_A): f(x) = F(s(x_A), x_B) with an F that need not be known.

    ``through`` is s: a function of coordinates by name, ``lambda x, y: x - y``, or a sympy expression, of the variables x_A; continuous.
    With a, a' on the same level of s, D = f(a, b) - f(a', b), and score = sqrt(E D^2 / (2 var f)): 0 where the claim holds, about 1 where f
    varies on a level of s as it does at large.

    Other arguments as in :func:`~kanpde.structure.additive_separability`. Raises ``ValueError`` for variables that the domain lacks, and
    an s that is constant or not finite on it.
    """
    sampled = Sampled(function, domain, output=output, noise=noise, seed=seed)
    count = count_of(points)
    inner, asked, text = _inner(sampled, through)
    axes = sampled.axes(asked, f"s = {text}")
    first, other = sampled.draw(count), sampled.draw(count)
    mask = np.zeros((count, len(sampled.names)), dtype=bool)
    mask[:, axes] = True
    goal = inner(first)
    spread = float(np.std(goal))
    if not spread > 1e-12 * float(np.abs(goal).max()):
        raise ValueError(f"s = {text} is {goal[0]:.6g} all over the domain: a function of it alone would be constant; give another s")
    level = Levels(inner, sampled, mask, first, goal, exact=True)
    values = np.stack([sampled(first), sampled(level.points(first))], 1)
    rest = [name for axis, name in enumerate(sampled.names) if axis not in axes]
    score = scored(sampled, (values[:, 0] - values[:, 1]) / math.sqrt(2), np.column_stack([values, sampled(other)]), missing=FEW)
    return found(sampled, f"f = F({', '.join([text, *rest])})", score, values[:, 0] - values[:, 1], first)


def composition(
    function: Any,
    domain: Domain,
    variables: Any,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> Finding:
    """Whether some variables x_A, such as "x y", enter through one function of them: f(x) = F(g(x_A), x_B), neither F nor g known.

    Then points on a level of f for one x_B are on a level for any other: with f(a, b) = f(a', b), D = f(a, b') - f(a', b') is 0, and
    score = sqrt(E D^2 / (2 var f)), less what noise does to the levels. That is so if F is monotone in g; without noise a test on
    neighbouring points follows where it fails, which finds out about others, too.

    About 25 evaluations a comparison. Other arguments as in :func:`~kanpde.structure.additive_separability`; raises ``ValueError`` for a
    single variable, or all of them, of which the claim always holds.
    """
    sampled = Sampled(function, domain, output=output, noise=noise, seed=seed)
    count, axes = count_of(points), sampled.axes(variables, "composition(variables=...)")
    if len(axes) < 2 or len(axes) == len(sampled.names):
        which = "a single variable always enters" if len(axes) < 2 else "all variables together always enter"
        raise ValueError(f"{which} through one function, got {variables!r}: name two or more of {', '.join(sampled.names)}, and not all")
    mask = np.zeros((count, len(sampled.names)), dtype=bool)
    mask[:, axes] = True
    first, second = sampled.draw(count), sampled.draw(count)
    inner = ", ".join(sampled.names[axis] for axis in axes)
    rest = [name for axis, name in enumerate(sampled.names) if axis not in axes]
    claim = f"f = F({', '.join([f'g({inner})', *rest])})"
    for group in (axes, [axis for axis in range(len(sampled.names)) if axis not in axes]):
        score = idle(sampled, group)
        if score.holds:
            return _idle(sampled, claim, score, f"f does not depend on {', '.join(sampled.names[axis] for axis in group)}; ")
    return _judged(sampled, claim, lambda near: _same_level(sampled, mask, first, second, near=near))


def _same_level(sampled: Sampled, mask: np.ndarray, first: np.ndarray, second: np.ndarray, *, near: float) -> "Comparisons":
    """Of points a, a' on one level of f for b: f(a, b') - f(a', b')."""
    goal = sampled(first)
    level = Levels(sampled, sampled, mask, first, goal, near=near)
    values = np.stack([sampled(np.where(mask, first, second)), sampled(level.points(second)), goal], 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = 1 + (level.slope(second) / level.slope(first)) ** 2
    return Comparisons(values[:, 0] - values[:, 1], values, gain, first)


def generalised_separability(
    function: Any,
    domain: Domain = None,
    groups: Groups = None,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> Finding:
    """Whether f(x) = F(g(x_A) + h(x_B) + ...) with an unknown F: sums, positive products, 1/(1/x + 1/y), (u + v)/(1 + u v), ...

    By Thomsen's condition (double cancellation; G. Debreu, 1960; Krantz et al., Foundations of Measurement I, 1971, ch. 6): from
    f(a0, b1) = f(a1, b0) and f(a1, b2) = f(a2, b1) follows f(a0, b2) = f(a2, b0). For random a0, a1, a2, b0 the points b1 and b2 are found
    on levels of f, and score = sqrt(E D^2 / (2 var f)) with D = f(a0, b2) - f(a2, b0), less what noise does to the levels: 0 where the
    claim holds; no distance to the nearest such function, but of the order of one. Without noise a test on neighbouring points follows
    where it fails, which finds an F that is not monotone, too.

    About 100 evaluations a comparison. Arguments and errors as in :func:`~kanpde.structure.additive_separability`.
    """
    sampled = Sampled(function, domain, output=output, noise=noise, seed=seed)
    chosen, mask = divided(sampled, groups, CHAINS * count_of(points))  # of three chains of levels about two leave the domain
    claim = f"f = F({written(sampled, chosen, ' + ')})"
    still = {number: idle(sampled, group) for number, group in enumerate(chosen)}
    flat = [score for score in still.values() if score.holds]
    if len(flat) >= len(chosen) - 1:
        return _idle(sampled, claim, max(flat, key=lambda score: score.score), "f depends on one group at most; ")
    drawn = [sampled.draw(len(mask)) for _ in range(3)]
    return _judged(sampled, claim, lambda near: _cancelled(sampled, mask, *drawn, near=near))


def _cancelled(sampled: Sampled, mask: np.ndarray, start: np.ndarray, middle: np.ndarray, end: np.ndarray, *, near: float) -> "Comparisons":
    """Of a0 in ``start``, a1 in ``middle`` and a2 in ``end``, b0 in ``start``, and b1, b2 on their levels: f(a0, b2) - f(a2, b0)."""
    middle, end = start + near * (middle - start), start + near * (end - start)
    corner = lambda a, b: np.where(mask, a, b)  # noqa: E731
    one = Levels(sampled, sampled, ~mask, start, sampled(corner(middle, start)), near=near)
    b1 = one.points(start)
    two = Levels(sampled, sampled, ~mask, corner(middle, start), sampled(corner(end, b1)), near=near)
    kept = two.found.nonzero()[0][: len(mask) // CHAINS]
    one, two, mask, start, end, middle = one[kept], two[kept], mask[kept], start[kept], end[kept], middle[kept]
    b2 = two.points(start)
    values = np.stack([sampled(corner(start, b2)), sampled(corner(end, start))], 1)
    others = sampled(sampled.draw(4 * len(kept))).reshape(-1, 4)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = math.sqrt(2) / one.slope(start)
        second = np.sqrt(2 + (one.slope(end) * first) ** 2) / two.slope(middle)
        gain = 1 + 0.5 * (two.slope(start) * second) ** 2
    return Comparisons(values[:, 0] - values[:, 1], np.column_stack([values, others]), gain, start)


def _idle(sampled: Sampled, claim: str, score: Score, remark: str) -> Finding:
    """The finding where the function does not depend on what the claim is about."""
    return replace(found(sampled, claim, score, np.zeros(0), np.zeros(0), remark), comparisons=PROBES)


class Comparisons(NamedTuple):
    """``defects`` (n,) at ``places`` (n, d), ``values`` (n, m) of f that they used, and the ``gain`` (n,) of noise."""

    defects: np.ndarray
    values: np.ndarray
    gain: np.ndarray
    places: np.ndarray


def _judged(sampled: Sampled, claim: str, compare: Callable[[float], Comparisons]) -> Finding:
    """The finding of comparisons anywhere in the domain; if the claim fails there, of comparisons of neighbours.

    Where F is not monotone a level of f has several branches, and only neighbours are likely to be on the same one. Of a function without
    the structure next to no comparison is at the level of rounding, so that most of them cannot be by accident: the others are then
    taken for branches.
    """
    made = compare(1.0)
    score = scored(sampled, made.defects / math.sqrt(2), made.values, gain=_tame(made.gain, sampled), missing=FEW, unsure=LINEAR)
    if score.holds or sampled.noise.sigma or 0 <= score.score < BRANCHES:
        remark = "no monotone F does it: " if score.holds is False and score.score >= BRANCHES else ""
        return found(sampled, claim, score, made.defects, made.places, remark)
    local = compare(NEAR)
    gain = _tame(local.gain, sampled)
    known = np.isfinite(local.defects) & np.isfinite(gain)
    one = known & (np.abs(local.defects) <= BROKEN * sampled.noise.rounding * np.sqrt(gain))
    share = float(one.sum()) / max(float(known.sum()), 1.0)
    if share >= MOST:
        defects, remark = np.where(one, local.defects, np.nan), f"of neighbouring points {share:.0%} agree with it: F is not monotone; "
    elif score.holds is None:
        defects, remark = local.defects, "of neighbouring points: "
    else:
        return found(sampled, claim, score, made.defects, made.places)
    if share == 1.0:
        remark = "of neighbouring points: "
    score = scored(sampled, defects / math.sqrt(2), local.values, gain=gain, missing=FEW, unsure=LINEAR)
    return found(sampled, claim, score, defects, local.places, remark)


def _tame(gain: np.ndarray, sampled: Sampled) -> np.ndarray:
    """The gain, NaN where a comparison has next to no weight against others, which are much less noisy."""
    known = gain[np.isfinite(gain)]
    most = min(STEEPEST**2, 3 * float(np.median(known))) if sampled.noise.sigma and len(known) else STEEPEST**2
    return np.where(gain <= most, gain, np.nan)


def _inner(sampled: Sampled, through: Any) -> tuple[Callable[[np.ndarray], np.ndarray], list[str], str]:
    """s as a function of points (N, d), the variables that it names, and how it is written."""
    if is_sympy(through):
        asked, function = numeric(through)
        text = str(through)
    elif callable(through):
        asked, function = list(argument_names(through)), through
        text = f"s({', '.join(asked)})"
    else:
        raise TypeError(f"through= takes a function of coordinates, as in lambda x, y: x - y, or a sympy expression, got {through!r}")
    axes = sampled.axes(asked, f"s = {text}")

    def inner(points: np.ndarray) -> np.ndarray:
        value = call_by_name(function, {name: points[:, axis] for name, axis in zip(asked, axes, strict=True)})
        value = np.broadcast_to(np.asarray(value, dtype=float), len(points)).copy()
        bad = ~np.isfinite(value) & np.isfinite(points).all(1)
        if bad.any():
            where = ", ".join(f"{name}={x:.6g}" for name, x in sampled.place(points[bad.argmax()]).items())
            raise ValueError(f"{function_name(through)} of through= is {value[bad][0]} at {where}: choose a domain where it is finite")
        return value

    return inner, asked, text


class Levels:
    """Points where a function has given values, one on a random segment for each: only variables in ``mask`` (n, d) move.

    ``function`` maps points (N, d) to (N,); at ``base`` (n, d), with other values in the mask, it is to be ``goal`` (n,), up to
    rounding, or half the noise of the sampled function unless it is ``exact``. ``off`` (n,) is by how much it is not. The segments end at
    random points, or ``near`` the base: at that part of the way to them.
    """

    def __init__(
        self,
        function: Callable[[np.ndarray], np.ndarray],
        sampled: Sampled,
        mask: np.ndarray,
        base: np.ndarray,
        goal: np.ndarray,
        *,
        exact: bool = False,
        near: float = 1.0,
    ) -> None:
        self._sampled, self._mask = sampled, mask
        self.found, self.at, self.off = np.zeros(len(base), dtype=bool), *np.full((2, len(base)), np.nan)
        self._from, self._to = np.full((2, *base.shape), np.nan)
        rows = np.flatnonzero(np.isfinite(goal) & np.isfinite(base).all(1))
        ends = sampled.draw(len(rows) * TRIES).reshape(len(rows), TRIES, base.shape[1])
        ends = base[rows, None] + near * (ends - base[rows, None])
        values = function(np.where(mask[rows, None], ends, base[rows, None]).reshape(-1, base.shape[1])).reshape(ends.shape[:2])
        values = values - goal[rows, None]
        each, low, high = np.arange(len(rows)), (values < 0).argmax(1), (values > 0).argmax(1)
        left, right = values[each, low], values[each, high]
        good = (left < 0) & (right > 0)
        live = rows[good]
        self._from[live], self._to[live] = ends[each, low][good], ends[each, high][good]
        tolerance = np.maximum(2 * np.finfo(float).eps * np.abs(goal[live]), 0.0 if exact else 0.5 * sampled.noise.sigma)

        def residual(t: np.ndarray, which: np.ndarray) -> np.ndarray:
            return function(self._moved(base[live[which]], t, live[which])) - goal[live[which]]

        at, off = bracketed(residual, left[good], right[good], tolerance)
        met = np.abs(off) <= JUMP * (right - left)[good] + 6 * sampled.noise.sigma  # others are jumped over
        self.at[live], self.off[live] = np.where(met, at, np.nan), off
        self.found[live] = np.isfinite(self.at[live])

    def __getitem__(self, rows: np.ndarray) -> "Levels":
        other = copy(self)
        for name in ("_mask", "_from", "_to", "found", "at", "off"):
            setattr(other, name, getattr(self, name)[rows])
        return other

    def _moved(self, base: np.ndarray, t: np.ndarray, rows: np.ndarray) -> np.ndarray:
        segment = self._from[rows] + t[:, None] * (self._to[rows] - self._from[rows])
        return np.where(self._mask[rows], segment, base)

    def points(self, base: np.ndarray) -> np.ndarray:
        """``base`` with the variables of the mask on their levels; the rows that have none are NaN."""
        return self._moved(base, self.at, np.arange(len(base)))

    def slope(self, base: np.ndarray) -> np.ndarray:
        """The derivative of the sampled function along the segments at the levels, the rest of the point as in ``base``: (n,)."""
        step = 0.02 if self._sampled.noise.sigma else 1e-3
        rows, middle = np.arange(len(base)), np.clip(self.at, step, 1 - step)
        ends = [self._sampled(self._moved(base, middle + side * step, rows)) for side in (-1, 1)]
        return np.abs(ends[1] - ends[0]) / (2 * step)


def bracketed(
    residual: Callable[[np.ndarray, np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, tolerance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Roots in [0, 1] of many functions with values ``low`` at 0 and ``high`` at 1, of different sign: the roots and residuals, (n,) each.

    Chandrupatla's method (Adv. Eng. Softw. 28, 145, 1997): inverse quadratic interpolation where it is safe, else bisection.
    ``residual(t, which)`` gives the values at t (m,) of the functions number ``which`` (m,).
    """
    a, b, fa, fb = np.ones_like(high), np.zeros_like(low), high.copy(), low.copy()
    c, fc = a.copy(), fa.copy()
    t, live = np.full_like(a, 0.5), np.arange(len(a))
    for _ in range(STEPS):
        if not len(live):
            break
        x = a[live] + t[live] * (b[live] - a[live])
        fx = residual(x, live)
        same = np.sign(fx) == np.sign(fa[live])
        c[live], fc[live] = np.where(same, a[live], b[live]), np.where(same, fa[live], fb[live])
        b[live], fb[live] = np.where(same, b[live], a[live]), np.where(same, fb[live], fa[live])
        a[live], fa[live] = x, fx
        width = np.abs(b[live] - a[live])
        least = np.minimum(np.abs(fa[live]), np.abs(fb[live]))
        live, width = (each[np.isfinite(fx) & (least > tolerance[live]) & (width > 4 * np.finfo(float).eps)] for each in (live, width))
        t[live] = _next(a[live], b[live], c[live], fa[live], fb[live], fc[live], width)
    best = np.where(np.abs(fa) < np.abs(fb), a, b)
    off = np.where(np.abs(fa) < np.abs(fb), fa, fb)
    return np.where(np.isfinite(fa), best, np.nan), off


def _next(a: Any, b: Any, c: Any, fa: Any, fb: Any, fc: Any, width: Any) -> np.ndarray:
    """Where between a and b to try: (n,)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        curve = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    edge = np.minimum(2 * np.finfo(float).eps / width, 0.5)
    return np.clip(np.where(safe & np.isfinite(curve), curve, 0.5), edge, 1 - edge)
