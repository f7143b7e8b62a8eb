"""Was the law found? The judge of the benchmark, which knows the truth.

A law counts as found at noise 0 if (1) it is within 1e-6 of the truth at a thousand fresh points, (2) their difference is zero for sympy,
and (3) it has at most 1.5 times the truth's nodes. With noise, if it has the same structure, i.e. is the truth for some values of its free
constants, and these are within 3 of its standard deviations; and (3). So, too, without noise where the truth's own constants are not nice.

>>> import sympy
>>> from kanpde.science.laws import law
>>> from kanpde.symbolic.law import Law
>>> w0, v, c = sympy.symbols("w0 v c", real=True)
>>> other = Law(("w0", "v", "c"), {"w": w0 * sympy.sqrt((c + v) / (c - v))}, (), "exact within noise", "", 0, 0, 9)
>>> judged(other, law("doppler")).found
True
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kanpde.functions import evaluated
from kanpde.science.feynman import Formula
from kanpde.symbolic.comparing import (
    Fitted,
    constants_for,
    deviation,
    freed,
    is_nice,
    looser,
    proof_of_equality,
)
from kanpde.symbolic.law import Law, nodes
from kanpde.symbolic.reading import read
from kanpde.symbolic.spelling import computable

CLAIMS = ("proved", "exact within noise")
FRESH = 1000
CLOSE = 1e-6
SIGMAS = 3.0
LONGER = 1.5
OTHERS = (0.5, 2.0)  # the range of what only one of two differential equations has


@dataclass(frozen=True)
class Judgement:
    """What a law is worth beside the truth; every criterion by itself, and what counts."""

    verdict: str  # what the law said of itself
    noise: float
    nice: bool  # whether the truth's constants are
    deviation: float  # the largest |law/truth - 1| at fresh points
    proof: str  # of equality after snapping: "sympy", "mpmath" (40 digits at points), or "" where they differ
    nodes: int
    truth_nodes: int
    structure: bool  # the truth, for some values of the free constants, none of which can be left out
    pulls: tuple[tuple[str, float], ...]  # (value - truth) / sigma of every free constant
    spurious: tuple[str, ...]  # free constants that are 0 in the truth, or that others can make up for
    wrongly_snapped: tuple[str, ...]  # exact numbers that are not those of the truth, in a law that has its structure but for them
    srbench: bool  # SRBench's looser rule: up to a constant factor or offset, numbers rounded to three digits

    @property
    def numeric(self) -> bool:
        """(1) Within 1e-6 of the truth at fresh points, no free offset or scale."""
        return self.deviation < CLOSE

    @property
    def symbolic(self) -> bool:
        """(2) The difference is zero after snapping."""
        return bool(self.proof)

    @property
    def compact(self) -> bool:
        """(3) At most 1.5 times the truth's nodes."""
        return 0 < self.nodes <= LONGER * self.truth_nodes

    @property
    def within(self) -> bool:
        """Every free constant within 3 reported standard deviations of the truth."""
        return all(abs(pull) <= SIGMAS for _, pull in self.pulls)

    @property
    def found(self) -> bool:
        """What counts, by the rule without or with noise."""
        exact = self.numeric and self.symbolic
        same = self.structure and self.within and not self.wrongly_snapped
        if self.noise == 0:
            return self.compact and (exact or (not self.nice and self.numeric and self.structure and not self.wrongly_snapped))
        return self.compact and (exact or same)

    @property
    def claimed(self) -> bool:
        """Whether the law says that it is one: proved, or exact within noise."""
        return self.verdict in CLAIMS

    @property
    def wrong(self) -> bool:
        """A law that says that it is one, and has not the structure of the truth: counts against."""
        return self.claimed and not self.structure and not (self.numeric and self.symbolic)

    @property
    def covered(self) -> tuple[int, int]:
        """How many free constants have the truth inside 2 standard deviations, and of how many."""
        finite = [abs(pull) for _, pull in self.pulls if math.isfinite(pull)]
        return sum(pull <= 2 for pull in finite), len(finite)


def samples(formula: Formula, count: int = 2000, *, noise: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Uniform random points of the ranges, (count, d), and the formula there, (count,), plus ``noise`` times its rms times normal numbers.

    Raises ``ValueError`` for a formula that is not finite somewhere, or noise below 0.
    """
    if not noise >= 0:
        raise ValueError(f"noise is a share of the rms, 0 or more, got {noise!r}")
    points = formula.points(count, seed)
    y = true_values(formula, points)
    if not np.isfinite(y).all():
        raise ValueError(f"{formula} is not finite at {points[~np.isfinite(y)][0]}")
    random = np.random.default_rng([seed, 1])
    return points, y + noise * float(np.sqrt(np.mean(y**2))) * random.standard_normal(count) if noise else y


def true_values(formula: Formula, points: np.ndarray) -> np.ndarray:
    """The formula at points (n, d); NaN where it is not real."""
    import sympy

    symbols = [sympy.Symbol(name, real=True) for name in formula.variables]
    with np.errstate(all="ignore"):
        found = np.asarray(evaluated(symbols, computable(read(formula.text, formula.variables)))(*points.T))
    return np.broadcast_to(np.where(np.imag(found) == 0, np.real(found), np.nan), len(points)).astype(float)


def judged(law: Law, truth: Formula | None, *, noise: float = 0.0, seconds: float = 20.0, seed: int = 1) -> Judgement:
    """Compare a law with the truth, or with None where there is no law to be found: then whatever is claimed is wrong.

    ``noise`` is that of the data it was found from, ``seconds`` at most what sympy may spend on a proof (of what 40 digits at twenty
    points say as well), ``seed`` that of the fresh points. Raises ``ValueError`` where the law's inputs are not the truth's.
    """
    nothing = Judgement(law.verdict, noise, True, math.inf, "", 0, 0, False, (), (), (), False)
    if truth is None or not law.expressions:
        return nothing
    if law.kind == "equation":
        law, truth = _as_functions(law, truth)
    if set(law.names) != set(truth.variables) or len(law.expressions) != 1:
        raise ValueError(f"the law is one of {', '.join(law.names)}, the truth {truth} of {', '.join(truth.variables)}: give it the same")
    import sympy

    wanted, symbols = read(truth.text, truth.variables), [sympy.Symbol(name, real=True) for name in truth.variables]
    points = truth.points(FRESH, seed=10_000 + seed)
    target = true_values(truth, points)
    fresh = dict(zip(truth.variables, points.T, strict=True))
    apart = deviation(law(fresh), target)
    proof = "" if law.free or apart > CLOSE else proof_of_equality(law.numbers, wanted, truth.ranges, seconds=seconds)
    fitted, wrongly = _fitted(law, symbols, points, target, exact=bool(proof))
    nice = all(is_nice(number) for number in wanted.atoms(sympy.Rational))
    return Judgement(
        verdict=law.verdict,
        noise=noise,
        nice=nice,
        deviation=apart,
        proof=proof,
        nodes=nodes(law.expression),
        truth_nodes=nodes(wanted),
        structure=fitted.same and not fitted.spurious,
        pulls=_pulls(law, fitted) if fitted.same and not wrongly else (),
        spurious=fitted.spurious if fitted.same else (),
        wrongly_snapped=wrongly,
        srbench=looser(law.numbers, wanted, symbols, points),
    )


def _as_functions(law: Law, truth: Formula) -> tuple[Law, Formula]:
    """A differential equation and the true one as functions of the field and its derivatives, those of both."""
    names = {each.name for each in law.expression.free_symbols} - {each.name for each in law.constants}
    ranges = dict(truth.ranges) | {name: OTHERS for name in sorted(names - set(truth.variables))}
    return replace(law, names=tuple(ranges), kind="function"), replace(truth, ranges=ranges)


def _fitted(law: Law, symbols: list[Any], points: np.ndarray, target: np.ndarray, *, exact: bool) -> tuple[Fitted, tuple[str, ...]]:
    """The constants for which the law is the truth, and exact numbers that must be freed for that. Floats in the formula are free, too."""
    import sympy

    if exact:
        return Fitted(True, {}, ()), ()
    start = {each.name: each.value for each in law.free}
    first = constants_for(law.expression, start, symbols, points, target)
    if first.same:
        return first, ()
    loose, numbers = freed(law.expression)
    values = start | {name: float(number) for name, number in numbers.items()}
    second = constants_for(loose, values, symbols, points, target)
    if not second.same or second.spurious:
        return first, ()
    off = [number for name, number in numbers.items() if abs(second.values[name] - float(number)) > 1e-9 * abs(float(number))]
    return second, tuple(str(number) for number in off if not number.has(sympy.Float))


def _pulls(law: Law, fitted: Fitted) -> tuple[tuple[str, float], ...]:
    """Of the free constants, and of those that were snapped to the right number and kept the value they had before.

    NaN for floats that are just written in the formula, whose uncertainty nobody knows.
    """
    import sympy

    known = {each.name for each in law.constants}
    found = [(name, math.nan) for name in fitted.values if name not in known and law.expression.has(sympy.Float)]
    for each in law.constants:
        if each.name in fitted.values:
            gap = each.value - fitted.values[each.name]
            tiny = abs(gap) <= 1e-12 * max(abs(each.value), 1e-300)
            found.append((each.name, 0.0 if tiny else gap / each.sigma if each.sigma > 0 else math.copysign(math.inf, gap)))
        elif each.exact and each.sigma > 0 and each.value != float(read(each.exact)):
            found.append((each.name, (each.value - float(read(each.exact))) / each.sigma))
    return tuple(found)
