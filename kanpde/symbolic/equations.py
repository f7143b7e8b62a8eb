"""A problem in sympy: its LaTeX, and whether a proposed solution satisfies it.

The same functions that train are called with sympy's symbols: ``u`` becomes u(x, y), ``u.xx`` its second derivative.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from sympy.core.function import UndefinedFunction
from sympy.printing.latex import LatexPrinter

from kanpde.fields import Field, call_by_name, coordinate_fields
from kanpde.functions import exact as exactly
from kanpde.jets import MultiIndex
from kanpde.problem import Condition, Dirichlet, Problem, evaluated

logger = logging.getLogger("kanpde")

DIGITS = 30
TOLERANCE = 1e-12  # relative to the terms: what is typed as a float is known to no more than 16 digits


@dataclass(frozen=True)
class Contradiction:
    """A residual that a proposed solution leaves, and where it is largest among the points tried."""

    where: str
    residual: float
    point: dict[str, float]

    def __str__(self) -> str:
        place = ", ".join(f"{name}={value:.4g}" for name, value in self.point.items())
        return f"{self.where} is off by {self.residual:.3g} at {place}"


def symbols(problem: Problem) -> dict[str, sympy.Symbol]:
    """One real symbol a coordinate."""
    return {name: sympy.Symbol(name, real=True) for name in problem.domain.names}


def _parameters(problem: Problem) -> dict[str, Any]:
    return {name: exactly(value) for name, value in problem.parameters.items()}


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
    known = {**unknowns, **coordinates, **_parameters(problem)}
    return [_plain(value) for value in problem.residuals(known)]


def exact_solution(problem: Problem) -> dict[str, sympy.Expr] | None:
    """``exact`` as sympy expressions by unknown; None if it is not written in functions that sympy knows."""
    assert problem.exact is not None
    try:
        values = call_by_name(problem.exact, {**symbols(problem), **_parameters(problem)})
        if isinstance(values, Mapping):
            values = tuple(values[name] for name in problem.unknowns)
        values = values if isinstance(values, tuple) else (values,)
        return {name: _plain(value) for name, value in zip(problem.unknowns, values, strict=True)}
    except (TypeError, AttributeError, ValueError) as error:
        logger.info("exact is not symbolic (%s) and was not checked by sympy", error)
        return None


def contradictions(problem: Problem) -> list[Contradiction]:
    """Where ``exact`` fails the equation or a condition: evaluated to 30 digits at random points of the domain or the side."""
    solution = exact_solution(problem)
    if solution is None:
        return []
    found = []
    residuals = equations(problem, solution)
    for number, residual in enumerate(residuals, 1):
        label = "the equation" if len(residuals) == 1 else f"component {number} of the equation"
        found += _largest(problem, residual, label, {})
    for condition in problem.conditions:
        for side in condition.on.sides:
            fixed = {problem.domain.names[side.axis]: sympy.Rational(repr(side.value))}
            for residual in _condition(problem, condition, solution):
                found += _largest(problem, residual, f"{condition!r}", fixed)
    return found


def _condition(problem: Problem, condition: Condition, expressions: Mapping[str, Any]) -> list[sympy.Expr]:
    coordinates, unknowns = _fields(problem, expressions)
    known = {**unknowns, **coordinates, **_parameters(problem)}
    return [_plain(value) for value in condition.residuals(problem, known)]


def _largest(problem: Problem, residual: sympy.Expr, label: str, fixed: dict[str, Any]) -> list[Contradiction]:
    """The worst of a few random points, or nothing if the residual vanishes at all of them."""
    if residual == 0:
        return []
    box, where = problem.domain, symbols(problem)
    random = np.random.default_rng(0)
    worst, place = 0.0, {}
    for _ in range(6):
        point = {name: sympy.Rational(round(1e6 * (a + (b - a) * random.random())), 10**6)
                 for name, a, b in zip(box.names, box.lower, box.upper, strict=True)}  # fmt: skip
        point |= fixed
        place_of: dict[Any, Any] = {where[name]: number for name, number in point.items()}
        value = sympy.N(residual.xreplace(place_of), DIGITS)
        size = abs(complex(value)) if value.is_number else float("nan")
        terms = [abs(complex(sympy.N(term.xreplace(place_of)))) for term in sympy.Add.make_args(residual)]
        if size <= TOLERANCE * max(1.0, *terms):
            continue
        if not size <= worst:
            worst, place = size, {name: float(number) for name, number in point.items()}
    return [Contradiction(label, worst, place)] if place else []


# ---- LaTeX ----


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


def latex(problem: Problem) -> list[str]:
    """One line for each component of the equation and for each condition, for the report."""
    lines = []
    printer = _Printer()
    for residual in equations(problem):
        lines.append(f"{printer.doprint(residual)} = 0")
    where = symbols(problem)
    unknowns = {name: sympy.Function(name)(*where.values()) for name in problem.unknowns}
    for condition in problem.conditions:
        sides = ",\\ ".join(f"{problem.domain.names[s.axis]} = {s.value:g}" for s in condition.on.sides)
        try:
            if isinstance(condition, Dirichlet):
                known = {**where, **_parameters(problem)}
                parts = [
                    f"{name} = {printer.doprint(_plain(evaluated(value, known)))}" for name, value in condition.values(problem).items()
                ]
            else:
                parts = [f"{printer.doprint(each)} = 0" for each in _condition(problem, condition, unknowns)]
        except (TypeError, AttributeError, ValueError):
            parts = [f"\\text{{{condition.name} as given}}"]
        lines.append(",\\ ".join(parts) + f"\\quad\\text{{at }} {sides}")
    return lines
