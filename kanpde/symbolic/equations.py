"""A problem in sympy: its LaTeX, and whether a proposed solution satisfies it.

The same functions that train are called with sympy's symbols: ``u`` becomes u(x, y), ``u.xx`` its second derivative.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy
from sympy.core.function import UndefinedFunction
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from kanpde.calls import call_by_name
from kanpde.conditions import Condition, Data, InitialVelocity, Integral, Neumann, Periodic, Place, Point, Robin, Values, evaluated
from kanpde.domains import TIME, Box
from kanpde.fields import Field, coordinate_fields
from kanpde.functions import exact as exactly
from kanpde.jets import MultiIndex
from kanpde.problem import Problem

logger = logging.getLogger("kanpde")

DIGITS = 30
QUADRATURE = 1e-9
PI_BELOW = 12  # the greatest denominator of a multiple of pi
TOLERANCE = 1e-12  # relative to the terms: what is typed as a float is known to no more than 16 digits


@dataclass(frozen=True)
class Contradiction:
    """A residual that a proposed solution leaves, and where it is largest among the points tried."""

    where: str
    residual: float
    point: dict[str, float]

    def __str__(self) -> str:
        place = ", ".join(f"{name}={value:.4g}" for name, value in self.point.items())
        return f"{self.where} is off by {self.residual:.3g}{f' at {place}' if place else ''}"


def symbols(problem: Problem) -> dict[str, sympy.Symbol]:
    """One real symbol a coordinate."""
    return {name: sympy.Symbol(name, real=True) for name in problem.domain.names}


def _parameters(problem: Problem) -> dict[str, Any]:
    """Numbers exactly, unknown coefficients as symbols."""
    unknown = problem.coefficients
    return {
        name: sympy.Symbol(name, real=True) if name in unknown else value if callable(value) else exactly(value)
        for name, value in problem.parameters.items()
    }


def _fields(problem: Problem, expressions: Mapping[str, Any]) -> tuple[dict[str, Field], dict[str, Field]]:
    """Coordinates and unknowns as fields of sympy expressions."""
    where = symbols(problem)
    names = problem.domain.names
    coordinates = coordinate_fields(names, list(where.values()))

    def one(expression: Any) -> Callable[[MultiIndex], Any]:
        return lambda alpha: sympy.diff(expression, *(where[names[letter]] for letter in alpha)) if alpha else expression

    return coordinates, {name: Field(names, one(expression), name) for name, expression in expressions.items()}


def _plain(value: Any) -> sympy.Expr:
    """A field's or number's sympy expression, floats as the fractions that were typed."""
    expression = exactly(value.value if isinstance(value, Field) else value)
    return expression.xreplace({number: sympy.Rational(str(number)) for number in expression.atoms(sympy.Float)})


def equations(problem: Problem, expressions: Mapping[str, Any] | None = None) -> list[sympy.Expr]:
    """The equation's components as sympy expressions in u(x, y), or in given ``expressions`` for the unknowns."""
    if expressions is None:
        where = symbols(problem)
        expressions = {name: sympy.Function(name)(*where.values()) for name in problem.unknowns}
    coordinates, unknowns = _fields(problem, expressions)
    known = {**problem.domain.together(coordinates), **unknowns, **coordinates, **_parameters(problem)}
    return [_plain(value) for value in problem.residuals(known)]


def exact_solution(problem: Problem) -> dict[str, sympy.Expr] | None:
    """``exact`` as sympy expressions by unknown; None if it is not written in functions that sympy knows."""
    assert problem.exact is not None
    try:
        where = symbols(problem)
        values = call_by_name(problem.exact, {**problem.domain.together(where), **where, **_parameters(problem)})
        if isinstance(values, Mapping):
            values = tuple(values[name] for name in problem.unknowns)
        values = values if isinstance(values, tuple) else (values,)
        return {name: _plain(value) for name, value in zip(problem.unknowns, values, strict=True)}
    except (TypeError, AttributeError, ValueError) as error:
        logger.info("exact is not symbolic (%s) and was not checked by sympy", error)
        return None


@dataclass(frozen=True)
class Claim:
    """Something that vanishes for a solution: ``residual``, where some coordinates are ``fixed``, or its integral over boxes.

    ``boxes`` are the places that an integral runs over, each the range of every coordinate, or the number that it is held at.
    """

    where: str
    residual: sympy.Expr
    fixed: dict[str, sympy.Expr]
    source: Condition | None = None
    boxes: tuple[dict[str, Any], ...] = ()

    @property
    def words(self) -> str:
        """What it is about, with the side that it holds on."""
        return self.where + "".join(f" at {name} = {value}" for name, value in self.fixed.items())


def claims(problem: Problem, solution: Mapping[str, Any]) -> list[Claim]:
    """What equation and conditions say of a solution, expressions by unknown: one claim a component and side. Data claim nothing."""
    residuals, found = equations(problem, solution), []
    for number, residual in enumerate(residuals, 1):
        found.append(Claim("the equation" if len(residuals) == 1 else f"component {number} of the equation", residual, {}))
    for condition in problem.conditions:
        for row in condition.places(problem):
            found += [Claim(f"{condition!r}", residual, fixed, condition) for residual, fixed in _rows(problem, condition, solution, row)]
        if isinstance(condition, Integral):
            boxes = _boxes(condition)
            for residual in _integrands(problem, condition, solution):
                found.append(Claim(f"{condition!r}", residual, {}, condition, boxes))
    return found


def contradictions(problem: Problem) -> list[Contradiction]:
    """Where ``exact`` fails the equation or a condition: evaluated to 30 digits at random points of the domain or the side."""
    solution = exact_solution(problem)
    if solution is None:
        return []
    found = []
    for claim in claims(problem, solution):
        if not claim.boxes:
            found += _largest(problem, claim.residual, claim.where, claim.fixed)
    for condition in problem.conditions:
        if isinstance(condition, Integral):
            found += _integral(problem, condition, solution)
    return found


def exact_number(value: float) -> sympy.Expr:
    """A bound as it was typed: a float that is p/q pi to the last digit is that, any other the decimal fraction that it shows."""
    for below in range(1, PI_BELOW + 1):
        above = round(value / math.pi * below)
        if above and abs(above * math.pi / below - value) <= 2 * math.ulp(value):
            return sympy.Rational(above, below) * sympy.pi
    return sympy.Rational(repr(float(value)))


def _condition(
    problem: Problem, condition: Condition, expressions: Mapping[str, Any], extra: Mapping[str, Any] | None = None
) -> list[sympy.Expr]:
    coordinates, unknowns = _fields(problem, expressions)
    known = {**problem.domain.together(coordinates), **unknowns, **coordinates, **_parameters(problem), **(extra or {})}
    return [_plain(value) for value in condition.residuals(problem, known)]


def _rows(
    problem: Problem, condition: Condition, solution: Mapping[str, Any], row: tuple[Place, ...]
) -> list[tuple[sympy.Expr, dict[str, Any]]]:
    """What a row leaves of each component, and the coordinates that are held; several places become one expression."""
    where = symbols(problem)
    fixed = [{name: exact_number(float(value)) for name, value in place.fixed.items()} for place in row]
    parts = [_condition(problem, condition, solution, place.known) for place in row]
    if len(row) == 1:
        return [(each, fixed[0]) for each in parts[0]]
    held = [{where[name]: value for name, value in each.items()} for each in fixed]
    return [
        (sympy.Add(*(exactly(place.factor) * part.xreplace(at) for place, part, at in zip(row, each, held, strict=True))), {})
        for each in zip(*parts, strict=True)
    ]


def _boxes(condition: Integral) -> tuple[dict[str, Any], ...]:
    """Where an integral runs, exactly."""
    whole = isinstance(condition.over, Box)
    box = condition.over if isinstance(condition.over, Box) else condition.over.box
    ranges = {name: (exact_number(a), exact_number(b)) for name, a, b in zip(box.names, box.lower, box.upper, strict=True)}
    if whole:
        return (ranges,)
    return tuple({**ranges, box.names[side.axis]: exact_number(side.value)} for side in condition.over.sides)  # type: ignore[union-attr]


def _integrands(problem: Problem, condition: Integral, solution: Mapping[str, Any]) -> list[sympy.Expr]:
    """Integrands less value / volume, exactly: what the quadrature of the condition has in floating point."""
    bare = Integral(condition.integrand, over=condition.over, points=1)
    parts = _condition(problem, bare, solution)
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    values, where = values * len(parts) if len(values) == 1 else values, symbols(problem)
    known = {**problem.domain.together(where), **where, **_parameters(problem)}
    volume = sympy.Add(*(sympy.Mul(*(b - a for a, b in (r for r in box.values() if isinstance(r, tuple)))) for box in _boxes(condition)))
    return [part - _plain(evaluated(value, known)) / volume for part, value in zip(parts, values, strict=True)]


def _integral(problem: Problem, condition: Integral, solution: Mapping[str, Any]) -> list[Contradiction]:
    """The quadrature of the condition itself, in floating point."""
    points = condition.points(0, lambda u: u, 0)
    where, weights = symbols(problem), condition.coefficients(points)
    found = []
    for residual in _condition(problem, condition, solution):
        if residual.free_symbols - set(where.values()):
            continue
        values = sympy.lambdify(list(where.values()), residual, ["scipy", "numpy"])(*points.T)
        terms = weights * np.broadcast_to(np.asarray(values, dtype=float), len(points))
        size = abs(float(terms.sum()))
        if not size <= QUADRATURE * max(1.0, float(np.abs(terms).sum())):
            found.append(Contradiction(repr(condition), size, {}))
    return found


def _largest(problem: Problem, residual: sympy.Expr, label: str, fixed: dict[str, Any]) -> list[Contradiction]:
    """The worst of a few random points, or nothing if the residual vanishes at all of them."""
    if residual == 0:
        return []
    box, where = problem.domain, symbols(problem)
    unknown = sorted(str(symbol) for symbol in residual.free_symbols - set(where.values()))
    if unknown:
        logger.info("%s was not checked: it depends on %s, which is to be found", label, ", ".join(unknown))
        return []
    random, sizes = np.random.default_rng(0), _sizes(residual, list(where.values()))
    worst, place = 0.0, {}
    for _ in range(6):
        point = {name: sympy.Rational(round(1e6 * (a + (b - a) * random.random())), 10**6)
                 for name, a, b in zip(box.names, box.lower, box.upper, strict=True)}  # fmt: skip
        point |= fixed
        size, terms = sizes({where[name]: number for name, number in point.items()})
        if size <= TOLERANCE * max(1.0, *terms):
            continue
        if not size <= worst:
            worst, place = size, {name: float(number) for name, number in point.items()}
    return [Contradiction(label, worst, place)] if place else []


def _sizes(residual: sympy.Expr, symbols: list[Any]) -> Callable[[Mapping[Any, Any]], tuple[float, list[float]]]:
    """|residual| and the sizes of its terms at a point: by mpmath, or by sympy itself for functions that mpmath has not."""
    terms = list(sympy.Add.make_args(residual))

    def by_sympy(at: Mapping[Any, Any]) -> tuple[float, list[float]]:
        value = sympy.N(residual.xreplace(at), DIGITS)
        size = abs(complex(value)) if value.is_number else float("nan")  # type: ignore[arg-type]
        return size, [abs(complex(sympy.N(term.xreplace(at)))) for term in terms]  # type: ignore[arg-type]

    function = sympy.lambdify(symbols, terms, "mpmath", cse=True)

    def sizes(at: Mapping[Any, Any]) -> tuple[float, list[float]]:
        try:
            with mpmath.workdps(DIGITS + 10):
                values = [mpmath.mpmathify(value) for value in function(*(mpmath.mpmathify(sympy.N(at[s], DIGITS + 10)) for s in symbols))]
                return float(abs(mpmath.fsum(values))), [float(abs(value)) for value in values]
        except (ArithmeticError, ValueError, TypeError, NameError, AttributeError, KeyError):
            return by_sympy(at)

    return sizes


# ---- text and LaTeX ----


class _Text(StrPrinter):
    """Derivatives as they are written in an equation, u_xx, and bare names for functions."""

    def _print_Derivative(self, expr: sympy.Derivative) -> str:
        letters = "".join(str(symbol) * int(times) for symbol, times in expr.variable_count)  # type: ignore[misc]
        return f"{self._print(expr.expr)}_{letters}"

    def _print_Function(self, expr: Any) -> str:
        return expr.func.__name__ if isinstance(expr.func, UndefinedFunction) else super()._print_Function(expr)


def written(problem: Problem) -> dict[str, str]:
    """The left-hand sides of the equation's components, by what :func:`claims` calls them."""
    residuals = equations(problem)
    names = [f"component {number} of the equation" for number in range(1, len(residuals) + 1)] if residuals[1:] else ["the equation"]
    return {name: _Text().doprint(residual) for name, residual in zip(names, residuals, strict=True)}


class _Printer(LatexPrinter):
    """Subscripts for derivatives, bare names for functions."""

    def _print_Derivative(self, expr: sympy.Derivative) -> str:
        letters = "".join(self._print(symbol) * int(times) for symbol, times in expr.variable_count)  # type: ignore[misc]
        return f"{self._print(expr.expr)}_{{{letters}}}"

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        if isinstance(expr.func, UndefinedFunction):
            name = sympy.latex(sympy.Symbol(expr.func.__name__))
            return name if exp is None else f"{name}^{{{exp}}}"
        return super()._print_Function(expr, exp)


def latex(problem: Problem, estimates: Mapping[str, tuple[float, float]] | None = None) -> list[str]:
    """One line for each component of the equation, each condition and each unknown coefficient (value, sigma), for the report."""
    printer = _Printer()
    lines = [f"{printer.doprint(residual)} = 0" for residual in equations(problem)]
    for condition in problem.conditions:
        try:
            parts = _statement(problem, condition, printer)
        except (TypeError, AttributeError, ValueError):
            parts = [f"\\text{{{condition.name} as given}}"]
        where = _where(problem, condition)
        lines.append(",\\ ".join(parts) + (f"\\quad\\text{{{where[0]}}} {where[1]}" if where[0] else ""))
    for name in problem.coefficients:
        symbol, (value, sigma) = sympy.latex(sympy.Symbol(name)), (estimates or {}).get(name, (None, None))
        lines.append(f"{symbol}\\ \\text{{to be found}}" if value is None else f"{symbol} = {value:.8g} \\pm {sigma:.2g}")
    return lines


def _statement(problem: Problem, condition: Condition, printer: _Printer) -> list[str]:
    """What a condition says, one formula a component."""
    where = symbols(problem)
    unknowns = {name: sympy.Function(name)(*where.values()) for name in problem.unknowns}
    known = {**problem.domain.together(where), **where, **_parameters(problem)}

    def shown(value: Any) -> str:
        return printer.doprint(_plain(evaluated(value, known)))

    if isinstance(condition, Periodic):
        (box, coordinate), orders = (problem.domain, condition.coordinate), condition.orders.items()
        low, high = (f"{coordinate} = {bound[box.names.index(coordinate)]:g}" for bound in (box.lower, box.upper))
        names = [
            f"{printer.doprint(unknowns[name])}{f'_{{{coordinate * k}}}' if k else ''}" for name, order in orders for k in range(order)
        ]
        return [f"{name}|_{{{low}}} = {name}|_{{{high}}}" for name in names]
    if isinstance(condition, Data):
        count = len(condition.points(0, lambda u: u, 0))
        return [f"{printer.doprint(unknowns[name])} \\approx \\text{{{count} measurements}}" for name in condition.measured]
    if isinstance(condition, Integral):
        values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        bare = Integral(condition.integrand, over=condition.over, points=1)
        parts = _condition(problem, bare, unknowns)
        values = values * len(parts) if len(values) == 1 else values
        return [f"\\int {printer.doprint(part)} = {shown(value)}" for part, value in zip(parts, values, strict=True)]
    if not isinstance(condition, Values):
        return [f"{printer.doprint(each)} = 0" for each in _condition(problem, condition, unknowns)]
    found = []
    for name, value in condition.values(problem).items():
        left = printer.doprint(unknowns[name])
        if isinstance(condition, Robin):
            terms = [(condition.alpha, left), (condition.beta, f"\\partial_{{n}} {left}")]
            left = " + ".join(_product(shown(factor), term) for factor, term in terms if callable(factor) or float(factor) != 0)
        elif isinstance(condition, Neumann):
            left = f"\\partial_{{n}} {left}"
        elif isinstance(condition, InitialVelocity):
            left = f"{left}_{{{TIME}}}"
        found.append(f"{left} = {shown(value)}")
    return found


def _product(factor: str, term: str) -> str:
    if factor == "1":
        return term
    return f"{factor} {term}" if factor.isalnum() else f"\\left({factor}\\right) {term}"


def _where(problem: Problem, condition: Condition) -> tuple[str, str]:
    """The word and the formula for where a condition holds."""
    if isinstance(condition, (Periodic, Data)):
        return "", ""
    if isinstance(condition, Point):
        points = ["(" + ",\\ ".join(f"{name} = {float(value):g}" for name, value in point.items()) + ")" for point in condition.at]
        return "at ", ",\\ ".join(points)
    box = problem.domain
    if isinstance(condition, Integral) and not hasattr(condition.over, "sides"):
        box = condition.over
        ranges = zip(box.names, box.lower, box.upper, strict=True)  # type: ignore[union-attr]
        return "over ", ",\\ ".join(f"{low:g} < {name} < {high:g}" for name, low, high in ranges)
    on = condition.over if isinstance(condition, Integral) else condition.on
    sides = ",\\ ".join(f"{box.names[side.axis]} = {side.value:g}" for side in on.sides)  # type: ignore[union-attr]
    return ("over " if isinstance(condition, Integral) else "at "), sides
