"""Does a formula satisfy equations and conditions? The part of a proof that runs in a process of its own.

A :class:`Task` comes in, records go out one by one, so that what is settled when time is up stays settled:
("constants", exact values), ("singular", why or None), and (number of the claim, "sympy" | "mpmath" | "", what came out).
"""

import contextlib
import itertools
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy

from kanpde.symbolic.exponentials import TooLarge, equations_for_zero
from kanpde.symbolic.regularity import real_points, rough, singular
from kanpde.symbolic.solving import Solver, is_zero

DIGITS = 80
SMALL = 1e-40  # relative to the terms
FLOOR = 1e-20  # of the terms' sizes, for a residual that is a single product
POINTS = 100
NODES = 24  # of Gauss and Legendre's along an axis
GIVES_UP = (TooLarge, sympy.PolynomialError, NotImplementedError, ZeroDivisionError, RecursionError)

Boxes = tuple[dict[str, Any], ...]


@dataclass
class Task:
    """What is to be decided: residuals, each on its ``ranges`` by coordinate or integrated over ``boxes``, and the formulas themselves."""

    coordinates: Mapping[Any, tuple[Any, Any]]
    formulas: Sequence[Any]
    residuals: Sequence[Any]
    boxes: Sequence[Boxes]
    values: Mapping[Any, float]
    tolerance: float


def decide(task: Task, tell: Callable[[Any], None]) -> None:
    """Solve for the constants, then settle one claim after the other."""
    order = sorted(range(len(task.residuals)), key=lambda n: (bool(task.boxes[n]), task.residuals[n].count_ops()))
    solver = Solver(task.values, task.tolerance)
    equations: dict[int, list[Any]] = {}  # that suffice for a claim
    for number in order if task.values else ():
        with contextlib.suppress(*GIVES_UP):
            equations[number] = _equations(task, number, solver)
            solver.add(equations[number])
    tell(("constants", {symbol: sympy.powsimp(sympy.factor_terms(value)) for symbol, value in solver.exact.items()}))
    free = {symbol: value for symbol, value in task.values.items() if symbol not in solver.exact}
    formulas = [solver.known(each) for each in task.formulas]
    tell(("singular", _irregular(task, formulas, free)))
    for number in order:
        sufficient = [solver.known(each) for each in equations[number]] if number in equations else None
        tell((number, *_settled(task, number, solver.known(task.residuals[number]), sufficient, free, tell)))


def serve() -> None:
    """Read a pickled task, write pickled records."""
    out = sys.stdout.buffer

    def tell(record: Any) -> None:
        pickle.dump(record, out)
        out.flush()

    decide(pickle.load(sys.stdin.buffer), tell)


def _equations(task: Task, number: int, solver: Solver) -> list[Any]:
    residual, boxes = task.residuals[number], task.boxes[number]
    if boxes:
        return [_integrated(solver.known(residual), boxes, task)]
    return equations_for_zero(residual, list(task.coordinates), task.values, tolerance=task.tolerance)


def _irregular(task: Task, formulas: Sequence[Any], free: Mapping[Any, float]) -> str | None:
    undecided = False
    for formula in formulas:
        if part := rough(formula):
            return f"{part} is not smooth"
        outcome = singular(formula, task.coordinates, free)
        if outcome:
            return outcome
        undecided |= outcome is None
    return None if undecided else ""


def _settled(
    task: Task, number: int, residual: Any, sufficient: list[Any] | None, free: Mapping[Any, float], tell: Callable[[Any], None]
) -> tuple[str, str]:
    """How a claim was proved, and what came out; ``sufficient`` are expressions of which all must vanish for it, if such are known."""
    if task.boxes[number]:
        return _settled_integral(task, number, residual, free, tell)
    if residual == 0:
        return "sympy", "0"
    if residual.has(sympy.nan, sympy.zoo, sympy.oo):
        return "", "not finite"
    size, place = _worst(task, residual, free, 4)
    if not size <= SMALL:
        return "", f"off by {_off(task, residual, free, place)}"
    values = {symbol: sympy.Float(value, DIGITS) for symbol, value in free.items()}
    with contextlib.suppress(*GIVES_UP):
        if sufficient and all(is_zero(each, values) for each in sufficient):
            return "sympy", "0"
    with contextlib.suppress(*GIVES_UP):
        found = equations_for_zero(residual, list(task.coordinates), values, tolerance=1e-40, digits=DIGITS)
        if all(is_zero(each, values) for each in found):
            return "sympy", "0"
    size, place = _worst(task, residual, free, POINTS)
    if not size <= SMALL:
        return "", f"off by {_off(task, residual, free, place)}"
    if part := rough(residual):
        return "", f"{part} in it is not smooth: its values at points prove nothing"
    tell((number, "mpmath", f"below {SMALL:g} of its terms at {POINTS} points"))
    with contextlib.suppress(*GIVES_UP):
        if sympy.simplify(residual) == 0:
            return "sympy", "0"
    return "mpmath", f"below {SMALL:g} of its terms at {POINTS} points"


def _worst(task: Task, residual: Any, free: Mapping[Any, float], count: int) -> tuple[float, tuple[Any, ...]]:
    """The residual over the sizes of its terms at the worst point, and that point."""
    terms, axes = sympy.Add.make_args(residual), list(task.coordinates)
    with mpmath.workdps(DIGITS):
        at = {symbol: sympy.Float(value, DIGITS) for symbol, value in free.items()}
        functions = [sympy.lambdify(axes, term.xreplace(at), "mpmath") for term in terms]
        worst, place = -1.0, ()
        for point in real_points(list(task.coordinates.values()), count):
            numbers = [mpmath.mpmathify(sympy.N(number, DIGITS)) for number in point]
            try:
                values = [mpmath.mpmathify(function(*numbers)) for function in functions]
            except (ZeroDivisionError, ValueError, TypeError, OverflowError, NameError):
                return float("nan"), point
            size = mpmath.fsum(map(abs, values))
            share = float(abs(mpmath.fsum(values)) / max(size, mpmath.mpf(FLOOR)))
            if not share <= worst:
                worst, place = share, point
    return worst, place


def _off(task: Task, residual: Any, free: Mapping[Any, float], place: Sequence[Any]) -> str:
    """The residual at a point in words."""
    at = {symbol: sympy.Float(value, DIGITS) for symbol, value in free.items()} | dict(zip(task.coordinates, place, strict=True))
    value = sympy.N(residual.xreplace(at), 15)
    words = ", ".join(f"{axis} = {float(number):.4g}" for axis, number in zip(task.coordinates, place, strict=True)
                      if axis in residual.free_symbols)  # fmt: skip
    size = f"{abs(complex(value)):.3g}" if value.is_number else str(value)
    return size + (f" at {words}" if words else "")


# ---- integrals ----


def _integrated(residual: Any, boxes: Boxes, task: Task) -> Any:
    """The integral in closed form."""
    total = sympy.S.Zero
    for box in boxes:
        part = residual
        for symbol in task.coordinates:
            part = part.xreplace({symbol: box[symbol.name]}) if not isinstance(box[symbol.name], tuple) else part
        for symbol in task.coordinates:
            if isinstance(box[symbol.name], tuple):
                part = sympy.integrate(sympy.expand(part), (symbol, *box[symbol.name]), conds="none")
        total += part
    return sympy.expand(total)


def _settled_integral(task: Task, number: int, residual: Any, free: Mapping[Any, float], tell: Callable[[Any], None]) -> tuple[str, str]:
    size = _quadrature(task, residual, task.boxes[number], free)
    if not size <= 1e-12:
        return "", f"its integral is off by {size:.3g} of its terms"
    if size <= 1e-25:
        tell((number, "mpmath", f"below 1e-25 of its terms by Gauss and Legendre's formula with {NODES} points an axis"))
    with contextlib.suppress(*GIVES_UP):
        if is_zero(_integrated(residual, task.boxes[number], task), free):
            return "sympy", "0"
    if size <= 1e-25:
        return "mpmath", f"below 1e-25 of its terms by Gauss and Legendre's formula with {NODES} points an axis"
    return "", f"its integral is {size:.3g} of its terms by quadrature, and sympy has none"


def _quadrature(task: Task, residual: Any, boxes: Boxes, free: Mapping[Any, float]) -> float:
    """|integral| over the integral of the absolute value."""
    with mpmath.workdps(30):
        at = {symbol: sympy.Float(value, 30) for symbol, value in free.items()}
        function = sympy.lambdify(list(task.coordinates), residual.xreplace(at), "mpmath")
        rule, values = _gauss(NODES), []
        for box in boxes:
            axes = []
            for symbol in task.coordinates:
                bounds = box[symbol.name]
                low, high = (mpmath.mpmathify(sympy.N(b, 30)) for b in (bounds if isinstance(bounds, tuple) else (bounds, bounds)))
                half = (high - low) / 2
                held = not isinstance(bounds, tuple)
                axes.append([(low, mpmath.mpf(1))] if held else [(low + half * (1 + x), half * w) for x, w in rule])
            for point in itertools.product(*axes):
                values.append(mpmath.mpmathify(function(*(x for x, _ in point))) * mpmath.fprod(w for _, w in point))
        size = mpmath.fsum(map(abs, values))
        return float(abs(mpmath.fsum(values)) / size) if size else 0.0


def _gauss(count: int) -> list[tuple[Any, Any]]:
    """Nodes and weights on (-1, 1), by Newton's method from Chebyshev's points."""
    found = []
    for k in range(count):
        x = mpmath.cos(mpmath.pi * (k + mpmath.mpf("0.75")) / (count + mpmath.mpf("0.5")))
        for _ in range(8):
            p = mpmath.legendre(count, x)
            slope = count * (x * p - mpmath.legendre(count - 1, x)) / (x**2 - 1)
            x -= p / slope
        found.append((x, 2 / ((1 - x**2) * slope**2)))
    return found
