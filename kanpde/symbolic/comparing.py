"""Two formulas side by side: are they one, are they one for some values of the constants, and how far are they apart?

Nothing here takes long: values decide first, in double precision and with 40 digits; only what agrees there is given to sympy, which is
stopped after some seconds.
"""

import gc
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from kanpde.functions import evaluated
from kanpde.symbolic.spelling import computable

DIGITS = 40
PLACES = 20  # at which 40 digits must agree
SAME = 1e-8  # relative rms of a fit without noise that is the truth
NOUGHT = 1e-6  # of a constant's size in the fit beside its effect: the truth does without it
DEPENDENT = 1e-9  # a singular value below this times the largest
LARGEST = 300  # operations that sympy is asked to simplify


class _TimeUp(BaseException):
    """Not an Exception, which sympy would catch."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise :class:`_TimeUp` in the block after so many seconds; outside of the main thread, at once."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        raise _TimeUp

    def stop(number: int, frame: Any) -> None:
        if not (frame and (frame.f_code.co_name == "__del__" or "weakref" in frame.f_code.co_filename)):  # where it would be swallowed
            raise _TimeUp

    collecting = gc.isenabled()
    gc.disable()  # what is raised in a callback of a collection would be swallowed, too
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), 0.05)  # again, where it was not raised
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if collecting:
            gc.enable()


def within_seconds(function: Callable[[], Any], seconds: float) -> Any:
    """What the function returns; None if it takes longer, or fails."""
    try:
        with _limited(seconds):
            return function()
    except (_TimeUp, Exception):  # whatever sympy runs into
        return None


def deviation(values: np.ndarray, target: np.ndarray) -> float:
    """The largest |value/target - 1|; infinite where a value is missing. Where the target is 0, |value| over its rms."""
    good = np.isfinite(target)
    size = np.where(target[good] == 0, math.sqrt(float(np.mean(target[good] ** 2))) or 1.0, target[good])
    found = np.abs((values[good] - target[good]) / size)
    return float(found.max()) if np.isfinite(found).all() and found.size else math.inf


def proof_of_equality(one: Any, other: Any, ranges: Mapping[str, tuple[float, float]], *, seconds: float = 20.0) -> str:
    """ "sympy" if that finds the difference zero, "mpmath" if 40 digits at twenty points of ``ranges`` do, "" if they differ.

    Variables are positive for sympy where their range is.
    """
    if not _equal_at_points(one, other, ranges):
        return ""
    import sympy

    known = {sympy.Symbol(name, real=True): sympy.Symbol(name, positive=True) for name, (low, _) in ranges.items() if low >= 0}
    one, other = one.xreplace(known), other.xreplace(known)
    difference: Any = one - other
    if one == other:
        return "sympy"
    if one.count_ops() + other.count_ops() > LARGEST:
        return "mpmath"

    def ratio() -> Any:
        return sympy.powdenest(one / other, force=True)

    ways: Sequence[Callable[[], Any]] = (
        lambda: sympy.expand(difference),
        lambda: sympy.cancel(sympy.together(sympy.expand(difference))),
        lambda: sympy.simplify(difference),
        lambda: sympy.simplify(ratio()) - 1,
        lambda: sympy.simplify(sympy.expand(sympy.Add(one**2, -(other**2)))),  # of one sign, as the values say
        lambda: sympy.simplify(difference.rewrite(sympy.exp)),
    )
    for way in ways:
        if within_seconds(way, seconds / len(ways)) == 0:
            return "sympy"
    return "mpmath"


def _equal_at_points(one: Any, other: Any, ranges: Mapping[str, tuple[float, float]]) -> bool:
    import mpmath
    import sympy

    random, names = np.random.default_rng(5), list(ranges)
    symbols = [sympy.Symbol(name, real=True) for name in names]
    functions = [_precise(symbols, each) for each in (one, other)]
    equal = 0
    with mpmath.workdps(DIGITS + 15):
        for _ in range(PLACES):
            point = [mpmath.mpf(float(random.uniform(*ranges[name]))) for name in names]
            try:
                a, b = (function(*point) for function in functions)
            except (ZeroDivisionError, ValueError, OverflowError):
                continue
            if not abs(a - b) <= mpmath.mpf(10) ** (5 - DIGITS) * (abs(a) + abs(b)):
                return False
            equal += 1
    return equal > PLACES // 2


def _precise(symbols: Sequence[Any], expression: Any) -> Callable[..., Any]:
    from kanpde.functions import lambdified

    return lambdified(list(symbols), expression, ["mpmath"])


# ---- constants ----


@dataclass(frozen=True)
class Fitted:
    """Whether a formula is the truth for some ``values`` of its constants; ``spurious`` are those that the truth does without."""

    same: bool
    values: Mapping[str, float]
    spurious: tuple[str, ...]


def constants_for(expression: Any, start: Mapping[str, float], symbols: Sequence[Any], points: np.ndarray, target: np.ndarray) -> Fitted:
    """Fit constants, from ``start``, to ``target`` (n,) without noise at ``points`` (n, d): only the same structure fits to rounding."""
    import sympy
    from scipy.optimize import least_squares

    good, scale = np.isfinite(target), float(np.sqrt(np.nanmean(target**2))) or 1.0
    points, target = points[good], target[good]
    constants = [sympy.Symbol(name, real=True) for name in start]
    formula = computable(expression)
    functions = [evaluated([*symbols, *constants], each) for each in (formula, *(computable(formula.diff(each)) for each in constants))]

    def at(function: Callable[..., Any], values: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = np.asarray(function(*points.T, *values))
        real = np.where(np.imag(found) == 0, np.real(found), np.nan).astype(float)
        return np.nan_to_num(np.broadcast_to(real, len(target)), nan=1e100, posinf=1e100, neginf=-1e100)

    def residual(values: np.ndarray) -> np.ndarray:
        return (at(functions[0], values) - target) / scale

    def jacobian(values: np.ndarray) -> np.ndarray:
        return np.stack([at(each, values) / scale for each in functions[1:]], 1)

    values = np.array(list(start.values()), dtype=float)
    if len(values):
        tight: dict[str, Any] = {"jac": jacobian, "x_scale": "jac", "xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": 200}
        values = least_squares(residual, values, **tight).x
    same = float(np.sqrt(np.mean(residual(values) ** 2))) < SAME
    return Fitted(
        same, dict(zip(start, values.tolist(), strict=True)), _spurious(list(start), values, jacobian(values)) if len(values) else ()
    )


def _spurious(names: Sequence[str], values: np.ndarray, jacobian: np.ndarray) -> tuple[str, ...]:
    """Constants that are 0 in the truth, and those along which it does not change."""
    lengths = np.linalg.norm(jacobian, axis=0)
    none = lengths == 0
    _, sizes, directions = np.linalg.svd(jacobian / np.where(none, 1.0, lengths), full_matrices=False)
    loose = (np.abs(directions[sizes < DEPENDENT * sizes[0]]) > 0.1).any(0) if len(sizes) else none
    effect = np.abs(values) * lengths / math.sqrt(len(jacobian))
    return tuple(name for name, bad in zip(names, none | loose | (effect < NOUGHT), strict=True) if bad)


def freed(expression: Any) -> tuple[Any, dict[str, Any]]:
    """The expression with its numbers, but exponents and signs, as constants free1, ...; and these numbers by name."""
    import sympy

    numbers: dict[str, Any] = {}

    def named(number: Any) -> Any:
        if number in (0, 1, -1):
            return number
        name = f"free{len(numbers) + 1}"
        numbers[name] = number
        return sympy.Symbol(name, real=True)

    def walk(part: Any) -> Any:
        if part.is_number:
            return named(part)
        if part.is_Symbol:
            return part
        if part.is_Mul or part.is_Add:
            number, rest = part.func(*(each for each in part.args if each.is_number)), [each for each in part.args if not each.is_number]
            return part.func(named(number), *map(walk, rest))
        if part.is_Pow and part.exp.is_number:
            return walk(part.base) ** part.exp
        return part.func(*map(walk, part.args))

    return walk(expression), numbers


def is_nice(number: Any) -> bool:
    """Whether a rational number is one that people write: p/q with q up to 12, or a decimal of two digits."""
    return number.q <= 12 or 100 % number.q == 0


# ---- SRBench ----


def looser(law: Any, truth: Any, symbols: Sequence[Any], points: np.ndarray) -> bool:
    """SRBench's rule: law - truth or law / truth is a constant, as they are or with numbers rounded to three digits after the point."""
    return any(_constant_apart(a, b, symbols, points) for a, b in ((law, truth), (_rounded(law), _rounded(truth))))


def _rounded(expression: Any) -> Any:
    import sympy

    long = [each for each in expression.atoms(sympy.Number) if each.is_Float or (each.is_Rational and each.q > 100)]
    return expression.xreplace({each: sympy.Rational(round(1000 * float(each)), 1000) for each in long})


def _constant_apart(one: Any, other: Any, symbols: Sequence[Any], points: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        a, b = (
            np.broadcast_to(np.asarray(evaluated(list(symbols), computable(each))(*points.T), dtype=complex), len(points))
            for each in (one, other)
        )
        difference, ratio = a - b, a / b
    good = np.isfinite(difference) & np.isfinite(ratio)
    if good.sum() < 0.9 * len(points):
        return False
    size = float(np.sqrt(np.mean(np.abs(b[good]) ** 2)))
    middle = np.median(np.real(ratio[good]))
    flat = float(np.std(difference[good])) < 1e-6 * size
    return bool(flat or (middle != 0 and float(np.abs(ratio[good] / middle - 1).max()) < 1e-6))
