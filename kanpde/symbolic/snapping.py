"""Constants of a formula as the exact numbers that they are: 0.4999 is 1/2, 6.2832 is 2 pi, and 0.2871 stays what it is.

Nice numbers are p/q with q up to 12, rarer ones up to 64, integers up to 1000, decimals of two digits, those with p up to 16 times powers
of pi, e, and square roots of small integers and of pi, and whole powers of e, which stand for an offset in an exponent. One is taken for a
constant c with standard deviation s only if it is unlikely to be there by chance: among the numbers within a factor e of c, those that are
at most as long to write would have to be so few that

    (how many) * 2.5 s / |c| < CHANCE,

which is the expected number of them within 2.5 s of c; and the fit must not get worse by more than noise does.
"""

import math
import time
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.symbolic.description import ROUNDING, Trial
from kanpde.symbolic.forms import Form, Node, number, tidied
from kanpde.symbolic.refitting import RANK, deviations, refit

CHANCE = 0.01
ONE = 0.5  # of the chance, for 1 and -1: a constant that is not there at all is likelier than others
WIDE = 2.5  # standard deviations
WORSE = 9.0  # rise of the RSS over the variance that one snapped constant may cost
NUMERATOR, DENOMINATOR = 64, 12
RARER = 4.0  # nats that greater denominators cost more, up to the greatest numerator: 5/18 is only seen in exact data
OF_UNIT = 16  # the greatest numerator beside pi and the like
OF_E = 20  # the greatest power of e
RARE = 1000  # numbers that a power of e counts for, at least: there are few numbers of its size


@dataclass(frozen=True)
class Snapped:
    """A constant that became ``exact``: its ``value`` and ``sigma`` before, and its place among the constants at first."""

    place: int
    value: float
    sigma: float
    exact: Any


UNITS = {
    "1": 0.0, "pi": 1.5, "1/pi": 2.0, "pi**2": 2.5, "1/pi**2": 3.0, "pi**3": 4.0, "1/pi**3": 4.0, "pi**(3/2)": 4.0, "1/pi**(3/2)": 4.0,
    "sqrt(2)": 2.5, "sqrt(3)": 3.0, "sqrt(5)": 4.0, "sqrt(pi)": 3.0, "1/sqrt(pi)": 3.0, "sqrt(2)*sqrt(pi)": 3.5, "sqrt(2)/sqrt(pi)": 3.5,
    "E": 3.0, "exp(-1)": 3.5,
}  # fmt: skip
"""What multiplies p/q in a nice number, and what that costs, in nats."""

POWERS_OF_E = {f"exp({sign * k})": sign * k for k in range(2, OF_E + 1) for sign in (1, -1)}


@cache
def _table() -> tuple[list[float], np.ndarray, list[tuple[Fraction, str]]]:
    """log of the nice numbers, in order, with their costs and how to write them (share, unit)."""
    found: dict[float, tuple[float, Fraction, str]] = {}
    shares = {Fraction(p, q) for q in range(1, DENOMINATOR + 1) for p in range(1, NUMERATOR + 1)}
    costs = {share: math.log(share.numerator * share.denominator) for share in shares}
    plain = costs | {Fraction(k, 100): math.log(10 * k) for k in range(1, 1000) if Fraction(k, 100) not in shares}
    rarer = {Fraction(k, 10**place): math.log(10 * k) + 2 * (place - 2) for place in (3, 4) for k in range(1, 100)}
    rarer |= {Fraction(k): 2 * math.log(k) for k in range(NUMERATOR + 1, 1001)}
    longer = {Fraction(p, q) for q in range(DENOMINATOR + 1, NUMERATOR + 1) for p in range(1, NUMERATOR + 1)} - set(plain)
    rarer |= {share: math.log(share.numerator * share.denominator) + RARER for share in longer}
    plain |= {share: min(cost, plain.get(share, math.inf)) for share, cost in rarer.items()}
    for unit, more in UNITS.items():
        size = math.log(float(_written(Fraction(1), unit)))
        for share, cost in plain.items():
            if unit != "1" and (share.numerator > OF_UNIT or share.denominator > DENOMINATOR and (share > 1 or "pi" not in unit)):
                continue
            key = round(math.log(share.numerator / share.denominator) + size, 9)
            if key not in found or found[key][0] > cost + more:
                found[key] = (cost + more, share, unit)
    for unit, power in POWERS_OF_E.items():
        found.setdefault(float(power), (UNITS["E"] + 2 * math.log(abs(power)), Fraction(1), unit))
    order = sorted(found)
    return order, np.array([found[key][0] for key in order]), [found[key][1:] for key in order]


def nice(value: float, sigma: float, *, chance: float = CHANCE) -> tuple[Any, float] | None:
    """The exact number, as sympy writes it, that a constant with this standard deviation is, and the chance that it is none; or None.

    >>> nice(6.2832, 0.0003)[0], nice(-0.4999, 0.0002)[0], nice(0.2871, 0.0003)
    (2*pi, -1/2, None)
    """
    import sympy

    size = abs(value)
    if not (math.isfinite(value) and math.isfinite(sigma)):
        return None
    if size <= WIDE * sigma:
        return sympy.Integer(0), 0.0
    if not 1e-9 < size < 1e9:
        return None
    sigma = max(sigma, 1e-13 * size)
    keys, costs, shares = _table()
    reach = WIDE * sigma / size
    if reach > 0.3:
        return None
    place = math.log(size)
    first, last = bisect_left(keys, place + math.log1p(-reach) - 2e-9), bisect_right(keys, place + math.log1p(reach) + 2e-9)
    low, high = bisect_left(keys, place - 1), bisect_right(keys, place + 1)
    best: tuple[float, float, int] | None = None
    for k in range(first, last):
        share, unit = shares[k]
        if abs(_size(share, unit) - size) > max(WIDE * sigma, 1e-12 * size):
            continue
        rivals = max(int(np.count_nonzero(costs[low:high] <= costs[k])), RARE if unit in POWERS_OF_E else 1)
        expected = rivals * reach * (ONE if costs[k] == 0 else 1.0)
        if expected < chance and (best is None or costs[k] < best[1]):
            best = (expected, float(costs[k]), k)
    if best is None:
        return None
    exact = _written(*shares[best[2]])
    return (exact if value > 0 else -exact), best[0]


@cache
def _written(share: Fraction, unit: str) -> Any:
    import sympy

    from kanpde.symbolic.reading import read

    return sympy.Rational(share.numerator, share.denominator) * read(unit)


@cache
def _size(share: Fraction, unit: str) -> float:
    return float(_written(share, unit))


def settled(trial: Trial, columns: Tensor, y: Tensor, end: float = math.inf) -> Trial:
    """The same formula without constants that repeat others: one is fixed for every direction that the data do not determine.

    It stays as it is when this thread has used the seconds ``end`` of CPU time; likewise below.
    """
    for _ in range(trial.form.count):
        if time.thread_time() > end:
            break
        _, slope = trial.form.jacobian(trial.constants[None], columns)
        norms = torch.linalg.vector_norm(slope[0], dim=0)
        if not bool(torch.isfinite(norms).all()):
            return trial
        if bool((norms == 0).any()):
            place = int((norms == 0).nonzero()[0])
        else:
            _, singular, right = torch.linalg.svd(slope[0] / norms, full_matrices=False)
            if not len(singular) or float(singular[-1]) > RANK * float(singular[0]):
                return trial
            place = int((right[-1].abs() * (1 + 1e-3 * torch.arange(len(norms)))).argmax())
        value = float(trial.constants[place])
        allowed = trial.rss + 1e-6 * trial.rss + (ROUNDING**2) * trial.size * trial.rows
        fixed = None
        for held in (0, 1 if value > 0 else -1, value):
            fixed = _fixed(trial, place, number(held), columns, y)
            if fixed is not None and (held == value or fixed[0].rss <= allowed):
                break
        if fixed is None:
            return trial
        trial = fixed[0]
    return trial


def without_noughts(trial: Trial, columns: Tensor, y: Tensor, end: float = math.inf) -> Trial:
    """The trial without what hangs on constants that may as well be 0, the least certain first, as long as that makes it shorter."""
    while trial.form.count and time.thread_time() <= end:
        sigma, _ = deviations(trial.fit, columns, trial.variance, trial.weights)
        ratio = torch.where(torch.isfinite(sigma), trial.constants.abs() / sigma, math.inf)
        place = int(ratio.argmin())
        attempt = _fixed(trial, place, number(0), columns, y) if float(ratio[place]) <= WIDE else None
        if attempt is None or not attempt[0].nats < trial.nats:
            break
        trial = attempt[0]
    return trial


def snapped(trial: Trial, columns: Tensor, y: Tensor, *, held: Collection[int] = (), end: float = math.inf) -> tuple[Trial, list[Snapped]]:
    """The trial with every constant snapped that is nice, but for those at the places ``held``, the rest refitted; and what was snapped.

    One after the other, the least likely to be chance first; where that makes the fit significantly worse, the constant stays free.
    """
    found: list[Snapped] = []
    places = list(range(trial.form.count))  # of the constants that are still free
    stay = set(held)
    variance, rss = trial.variance, trial.rss
    while True:
        sigma, _ = deviations(trial.fit, columns, variance, trial.weights)
        options = []
        for k, (place, value, spread) in enumerate(zip(places, trial.constants.tolist(), sigma.tolist(), strict=True)):
            if place not in stay and (number_of := nice(value, spread)):
                options.append((number_of[1], k, number_of[0]))
        if not options or time.thread_time() > end:
            return (trial if held else settled(trial, columns, y, end)), found
        _, k, exact = min(options, key=lambda each: each[0])
        attempt = _fixed(trial, k, number(exact), columns, y)
        allowed = rss + WORSE * (len(found) + 1) * variance
        if attempt is None or attempt[0].rss > allowed:
            stay.add(places[k])
            continue
        found.append(Snapped(places[k], float(trial.constants[k]), float(sigma[k]), exact))
        trial, kept = attempt
        left = places[:k] + places[k + 1 :]
        places = [left[each] for each in kept]


def _fixed(trial: Trial, place: int, value: Node, columns: Tensor, y: Tensor) -> tuple[Trial, list[int]] | None:
    """The trial with one constant held at a number and the others refitted, and which of these are left; None where that is not finite.

    What a 0 takes away may take others along.
    """
    root = trial.form.rebuilt(trial.constants, {place: value})
    form, before = Form(tidied(root), trial.form.inputs), Form(root, trial.form.inputs)
    left = {id(node) for node in form.free}
    fit = refit(form, columns, y, starts=form.start[None], weights=trial.weights, steps=40)
    return (
        (Trial.of(fit, y, trial.weights), [k for k, node in enumerate(before.free) if id(node) in left]) if math.isfinite(fit.rss) else None
    )
