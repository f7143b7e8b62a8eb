"""Sums and products: whether f = g(x_A) + h(x_B) or g(x_A) h(x_B), and the finest parts for which it does.

The criteria are exact and need neither derivatives nor logarithms: they take the values at the four corners of rectangles, of which
two opposite sides have the same x_A and the other two the same x_B.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kanpde.structure.findings import FAILS, NOISE, ROUNDING, UNKNOWN, Finding, Score, count_of, found, scored
from kanpde.structure.sampled import Domain, Sampled

Groups = Sequence[str | Sequence[str]] | None

PROBES = 100  # points at which a dependence shows
CORNERS = "too many corners of rectangles have no value: give a domain, or points, on which more combinations of coordinates have one"


def additive_separability(
    function: Any,
    domain: Domain = None,
    groups: Groups = None,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> Finding:
    """Whether f(x) = g(x_A) + h(x_B) + ..., for groups of variables such as ["x", "y z"]; by default each variable is a group.

    With independent points a, a' of x_A and b, b' of x_B, D = f(a, b) - f(a, b') - f(a', b) + f(a', b') is 0 for all if and only if the
    claim holds, and E D^2 = 4 V, where V is the variance of the interaction of A and B (A. Owen, SIAM/ASA J. Uncertain. Quantif. 1, 245,
    2013). So score = sqrt(E D^2 / (4 var f)) is the distance of f to the nearest sum, min ||f - g - h|| / ||f - mean f||: 0 where it is
    one, 1 for x y on a centred square. Of more than two groups each rectangle takes a random division in two, and V is the mean.

    ``function``, ``domain``: see :class:`~kanpde.structure.sampled.Sampled`. ``noise`` is the standard deviation of the values, measured
    if it is not given; of a trained network, its root mean square error. ``points`` comparisons are made, with four evaluations each.
    Raises ``ValueError`` for groups that overlap, leave out variables, or name others.
    """
    return _rectangles(Sampled(function, domain, output=output, noise=noise, seed=seed), groups, count_of(points), product=False)


def multiplicative_separability(
    function: Any,
    domain: Domain = None,
    groups: Groups = None,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> Finding:
    """Whether f(x) = g(x_A) h(x_B) ..., for groups of variables such as ["x", "y z"]; by default each variable is a group.

    Then, and only then, f has rank one: M = f(a, b) f(a', b') - f(a, b') f(a', b) = 0, zeros and changes of sign included. With the
    singular values s_1 >= s_2 >= ... of f as a kernel of a and b, E f^2 = sum s_i^2 and E M^2 = 4 sum_{i<j} s_i^2 s_j^2, so that
    score = sqrt(E M^2 / (4 E f^2 var f)) is to first order, and never above, the distance to the nearest product,
    min ||f - g h|| / ||f - mean f||: 0 where it is one, 1/2 for x + y on a centred square.

    Arguments and errors as in :func:`additive_separability`.
    """
    return _rectangles(Sampled(function, domain, output=output, noise=noise, seed=seed), groups, count_of(points), product=True)


def divided(sampled: Sampled, groups: Groups, count: int) -> tuple[list[list[int]], np.ndarray]:
    """Groups as numbers, and for each comparison the variables of one side of a random division of them: (count, d)."""
    names = sampled.names
    if len(names) < 2:
        raise ValueError(
            f"a function of one variable, {', '.join(names)}, has nothing to separate: its domain needs two variables at least"
        )
    if isinstance(groups, str):
        raise TypeError(f"groups are a sequence, as in ['x', 'y z'], got the text {str(groups)!r}")
    chosen = [sampled.axes(group, "a group") for group in (groups if groups is not None else [[name] for name in names])]
    if len(chosen) < 2:
        raise ValueError(f"one group has nothing to be separated from: give two at least, got {groups!r}")
    flat = [axis for group in chosen for axis in group]
    for axis, name in enumerate(names):
        if flat.count(axis) != 1:
            problem = "is in no group" if axis not in flat else "is in more than one group"
            raise ValueError(f"the variable {name!r} {problem}, got {groups!r}: each of {', '.join(names)} must be in exactly one")
    sides = sampled.rng.random((count, len(chosen))) < 0.5
    sides[:, 0] = True
    alone = sides.all(1)
    sides[alone, sampled.rng.integers(1, len(chosen), alone.sum())] = False
    mask = np.zeros((count, len(names)), dtype=bool)
    for number, group in enumerate(chosen):
        mask[:, group] = sides[:, number, None]
    return chosen, mask


def written(sampled: Sampled, groups: Sequence[Sequence[int]], sign: str) -> str:
    """Such as "g(x) + h(y, z)"."""
    letters = "ghpqr"
    one = (f"{letters[k] if len(groups) <= 5 else f'g{k + 1}'}({', '.join(sampled.names[i] for i in g)})" for k, g in enumerate(groups))
    return sign.join(one)


def _rectangles(sampled: Sampled, groups: Groups, count: int, *, product: bool) -> Finding:
    chosen, mask = divided(sampled, groups, count)
    first, second = sampled.draw(count), sampled.draw(count)
    corners = np.stack([first, np.where(mask, first, second), np.where(mask, second, first), second], 1)
    values = sampled(corners)
    defects, gain = _product(values) if product else _sum(values)
    score = scored(sampled, defects, values, gain=gain, missing=CORNERS, shared=1.0)
    claim = "f = " + written(sampled, chosen, " " if product else " + ")
    return found(sampled, claim, score, defects if product else 2 * defects, corners[:, 0], _remark(sampled, chosen))


def _sum(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """D / 2 of corners (n, 4), and its variance by noise of variance 1."""
    return (values[:, 0] - values[:, 1] - values[:, 2] + values[:, 3]) / 2, np.ones(len(values))


def _product(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """M / (2 sqrt(E f^2)) of corners (n, 4), and its variance by little noise of variance 1."""
    scale = np.nanmax(np.abs(values), initial=0.0) or 1.0
    unit = values / scale
    square = float(np.nanmean(unit**2)) if np.isfinite(unit).any() else 0.0
    square = square or 1.0
    return scale * (unit[:, 0] * unit[:, 3] - unit[:, 1] * unit[:, 2]) / (2 * np.sqrt(square)), (unit**2).sum(1) / (4 * square)


def idle(sampled: Sampled, axes: Sequence[int]) -> Score:
    """Whether the function does not depend on some variables: the score of D = f - f(those moved), sqrt(E D^2 / (2 var f))."""
    first, second = sampled.draw(PROBES), sampled.draw(PROBES)
    mask = np.isin(np.arange(len(sampled.names)), list(axes))
    values = sampled(np.stack([first, np.where(mask, second, first), second], 1))
    return scored(sampled, (values[:, 0] - values[:, 1]) / np.sqrt(2), values, missing=CORNERS)


def _remark(sampled: Sampled, groups: Sequence[Sequence[int]]) -> str:
    """Says on which groups the function does not depend."""
    flat = [sampled.names[axis] for group in groups if idle(sampled, group).verdict == ROUNDING for axis in group]
    return f"f does not depend on {', '.join(flat)}; " if 0 < len(flat) < len(sampled.names) else ""


# ---- the finest parts ----


@dataclass(frozen=True, repr=False)
class Parts:
    """The finest groups of variables into which a function falls apart.

    ``groups`` are the connected components of the graph of ``linked`` pairs (d, d), those that interact, or may: pairs for which nobody
    can tell are among them, and listed as ``undecided``. ``scores`` and ``sigmas`` (d, d) are those of each pair; the function does not
    depend on ``idle`` variables at all. ``kind`` is "sum" or "product".
    """

    kind: str
    names: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    linked: np.ndarray
    scores: np.ndarray
    sigmas: np.ndarray
    undecided: tuple[tuple[str, str], ...]
    idle: tuple[str, ...]
    verdict: str
    reason: str
    comparisons: int
    evaluations: int

    def __str__(self) -> str:
        sign = " + " if self.kind == "sum" else " "
        active = [group for group in self.groups if not set(group) <= set(self.idle)]
        terms = sign.join(f"g{k}({', '.join(group)})" for k, group in enumerate(active, 1)) or "constant"
        idle = f"; no dependence on {', '.join(self.idle)}" if self.idle else ""
        cost = f"{self.comparisons} comparisons a pair, {self.evaluations} evaluations"
        return f"f = {terms}: {self.verdict}\n  {self.reason}{idle}\n  {cost}"

    __repr__ = __str__


def additive_parts(
    function: Any,
    domain: Domain = None,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 300,
    seed: int = 0,
) -> Parts:
    """The finest groups with f(x) = g_1(x_A) + g_2(x_B) + ...

    Variables i and j interact where f - f(i moved) - f(j moved) + f(both moved) differs from 0 at random points, all others held; what no
    path of interactions connects is in different groups. 1 + d + d (d - 1) / 2 evaluations for each of ``points`` comparisons.
    """
    return _parts(Sampled(function, domain, output=output, noise=noise, seed=seed), count_of(points), product=False)


def multiplicative_parts(
    function: Any,
    domain: Domain = None,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 300,
    seed: int = 0,
) -> Parts:
    """The finest groups with f(x) = g_1(x_A) g_2(x_B) ...; i and j interact where f f(both moved) - f(i moved) f(j moved) is not 0."""
    return _parts(Sampled(function, domain, output=output, noise=noise, seed=seed), count_of(points), product=True)


def _parts(sampled: Sampled, count: int, *, product: bool) -> Parts:
    names, d = sampled.names, len(sampled.names)
    first, second = sampled.draw(count), sampled.draw(count)
    base = sampled(first)
    moved = np.repeat(first[:, None], d, 1)
    moved[:, range(d), range(d)] = second
    single = sampled(moved)
    overall = sampled(second)
    linked, unsure = np.zeros((d, d), dtype=bool), np.zeros((d, d), dtype=bool)
    scores, sigmas = np.zeros((d, d)), np.zeros((d, d))
    verdicts: list[Score] = []
    for i in range(d):
        both = np.repeat(moved[:, i, None], d - i - 1, 1)
        both[:, range(d - i - 1), range(i + 1, d)] = second[:, i + 1 :]
        ends = sampled(both)
        for j in range(i + 1, d):
            corners = np.stack([base, single[:, i], single[:, j], ends[:, j - i - 1]], 1)
            defects, gain = _product(corners) if product else _sum(corners)
            score = scored(sampled, defects, np.column_stack([corners, overall]), gain=gain, missing=CORNERS, shared=1.0)
            linked[i, j] = linked[j, i] = score.verdict in (FAILS, UNKNOWN)
            unsure[i, j] = score.verdict == UNKNOWN
            scores[i, j] = scores[j, i] = score.score
            sigmas[i, j] = sigmas[j, i] = score.sigma
            verdicts.append(score)
    flat = tuple(
        name
        for i, name in enumerate(names)
        if scored(sampled, (single[:, i] - base) / np.sqrt(2), np.stack([base, single[:, i], overall], 1)).holds
    )
    groups = tuple(tuple(names[axis] for axis in part) for part in _components(linked))
    undecided = tuple((names[i], names[j]) for i, j in np.argwhere(unsure))
    verdict, reason = _summary(verdicts, groups, undecided)
    return Parts(
        "product" if product else "sum", names, groups, linked, scores, sigmas, undecided, flat, verdict, reason, count, sampled.evaluations
    )


def _summary(verdicts: Sequence[Score], groups: Sequence[Any], undecided: Sequence[tuple[str, str]]) -> tuple[str, str]:
    if not verdicts:
        return ROUNDING, "there is only one variable"
    if undecided:
        first = next(score for score in verdicts if score.verdict == UNKNOWN)
        pairs = ", ".join(f"{a} and {b}" for a, b in undecided)
        return UNKNOWN, f"whether these interact: {pairs} ({first.reason}); they are kept together"
    holding = [score for score in verdicts if score.verdict != FAILS]
    if not holding or len(groups) == 1:
        return FAILS, "the variables do not fall into groups"
    worst = max(holding, key=lambda score: score.score)
    return NOISE if any(score.verdict == NOISE for score in holding) else ROUNDING, worst.reason


def _components(linked: np.ndarray) -> list[list[int]]:
    """The connected components of a graph, each in order."""
    left, parts = set(range(len(linked))), []
    while left:
        part, front = set(), {min(left)}
        while front:
            part |= front
            front = {int(j) for i in front for j in np.flatnonzero(linked[i])} - part
        parts.append(sorted(part))
        left -= part
    return parts
