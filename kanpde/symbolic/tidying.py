"""Formulas as one would write them: constants collected, and rounded to the numbers that they are."""

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from kanpde.functions import numeric

DENOMINATORS = 12
CHANCE = 0.03  # p q times the tolerance, beyond which a number is near to p/q by chance
POINTS = 200  # at which the tidy formula must equal the other
ROUNDING = 1e-12  # relative to the values: a spread below it is none
LARGEST = 400  # operations: longer expressions stay as they are, for expanded they would be far longer


def tidy(expression: Any, *, tolerance: float = 1e-6, ranges: Mapping[str, tuple[float, float]] | None = None) -> Any:
    """A sympy expression with its constants collected, exp(u + k) = e^k exp(u), and rounded to simple numbers where they are near.

    Simple are 0, p/q with q up to 12, and these times pi, 1/pi, or the square root of 2 or 3, but for p and q so great that some p/q would
    be near to any number; near is within ``tolerance`` times the greater of the constant and 1. The result is compared with the expression
    at random points of ``ranges`` by name, else of (-1, 1), or of (1, 2) where it is not defined there: where it differs by more than 100
    ``tolerance`` of its standard deviation over these, the constants stay as they are, and are only collected.

    >>> import sympy
    >>> x, y = sympy.symbols("x y", real=True)
    >>> tidy(0.49999999 * sympy.exp(1.00000001 * sympy.cos(3.14159265 * x - 1.57079633) + 0.69314718 + (0.99999999 * y) ** 2))
    exp(y**2 + sin(pi*x))
    """
    if expression.count_ops() > LARGEST:
        return expression
    collected = _collected(expression)
    found = collected.xreplace({number: _simple(float(number), tolerance) for number in collected.atoms(_float())})
    found = _collected(found)
    return found if _agree(found, expression, 100 * tolerance, ranges) else collected


def _float() -> Any:
    import sympy

    return sympy.Float


def _collected(expression: Any) -> Any:
    """Products and powers expanded, and numbers in exponents taken out of them."""
    import sympy

    def without_constant(argument: Any) -> Any:
        constant, rest = argument.as_independent(*argument.free_symbols, as_Add=True)
        number = sympy.exp(constant)
        return (number.evalf() if constant.has(sympy.Float) else number) * sympy.exp(rest)

    expanded = sympy.expand(expression, power_exp=False, power_base=True)
    found = expanded.replace(sympy.exp, lambda argument: without_constant(sympy.expand(argument, power_exp=False)))
    return sympy.expand(found, power_exp=False)


@cache
def _units() -> list[tuple[float, Any]]:
    import sympy

    return [(float(unit), unit) for unit in (sympy.Integer(1), sympy.pi, 1 / sympy.pi, sympy.sqrt(2), sympy.sqrt(3))]


def _simple(value: float, tolerance: float) -> Any:
    """The simplest number within the tolerance; the value itself if there is none."""
    import sympy

    if not math.isfinite(value) or abs(value) <= tolerance:
        return sympy.Integer(0) if math.isfinite(value) else sympy.Float(value)
    near = []
    for rank, (size, unit) in enumerate(_units()):
        share = Fraction(value / size).limit_denominator(DENOMINATORS)
        rare = abs(share.numerator) * share.denominator * (1 + rank) <= CHANCE / tolerance
        if share and rare and abs(float(share) * size - value) <= tolerance * max(abs(value), 1.0):
            near.append((share.denominator * (1 + rank) + abs(share.numerator), sympy.Rational(share.numerator, share.denominator) * unit))
    return min(near, key=lambda each: each[0])[1] if near else sympy.Float(value)


def _agree(found: Any, expression: Any, tolerance: float, ranges: Mapping[str, tuple[float, float]] | None) -> bool:
    """Whether both have the same values, within the tolerance times their spread, at points where the expression is defined."""
    names, function = numeric(expression)
    others, tidied = numeric(found)
    if not set(others) <= set(names):
        return False
    boxes = [[ranges[name] for name in names]] if ranges is not None else [[box] * len(names) for box in ((-1.0, 1.0), (1.0, 2.0))]
    for box in boxes:
        low, high = np.array(box, dtype=float).reshape(len(names), 2, 1).transpose(1, 0, 2)
        points = np.random.default_rng(0).uniform(low, high, (len(names), POINTS))
        with np.errstate(all="ignore"):
            wanted = np.broadcast_to(np.asarray(function(*points), dtype=complex), POINTS)
            values = tidied(*(points[names.index(name)] for name in others))
            values = np.broadcast_to(np.asarray(values, dtype=complex), POINTS)
        good = np.isfinite(wanted) & (np.abs(np.imag(wanted)) < 1e-12)
        if good.sum() > POINTS // 2:
            size = float(np.abs(wanted[good]).max()) or 1.0
            spread = float(np.std(np.real(wanted[good]) / size))
            with np.errstate(all="ignore"):
                return bool((np.abs(values - wanted)[good] / size <= tolerance * (spread if spread > ROUNDING else 1.0)).all())
    return False
