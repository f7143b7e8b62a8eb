"""Terms that the right-hand side of an evolution equation may have: a library of polynomials, and those that the user proposes.

A term is a formula in u, its derivatives (u_x, u_xxy, by the letters of the coordinates) and the coordinates. It is known by its values,
its derivatives with respect to u, u_x, ..., and its weak form: T = sum of D^alpha F, where F has fewer derivatives than T, since

    f(u) u_x = (int f)_x,    f(u) u_xy = (int f)_xy - f'(u) u_x u_y,    f(u) D u_a = D(f(u) u_a) - f'(u) (D u) u_a.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from kanpde.arguments import nearest
from kanpde.fields import Field
from kanpde.functions import lambdified

MultiIndex = tuple[int, ...]  # how often by each coordinate of space
HIGHEST = 6  # derivative that a user's term may have


@dataclass(frozen=True)
class Language:
    """The names: the field, and the coordinates of space and time."""

    field: str
    space: tuple[str, ...]
    time: str

    @property
    def letters(self) -> bool:
        """Whether every coordinate of space is named by a single letter."""
        return all(len(name) == 1 for name in self.space)

    def name(self, alpha: MultiIndex) -> str:
        """u, u_x, u_xxy; u_r1_r1 where the names of coordinates are longer."""
        parts = [name for name, times in zip(self.space, alpha, strict=True) for _ in range(times)]
        return self.field + ("_" + ("" if self.letters else "_").join(parts) if parts else "")

    @property
    def left(self) -> str:
        """The left-hand side, u_t."""
        return f"{self.field}_{self.time}"

    @cached_property
    def derivatives(self) -> dict[str, MultiIndex]:
        """Every name of a derivative up to the highest order that a term may have."""
        found = {}
        for order in range(HIGHEST + 1):
            for axes in combinations_with_replacement(range(len(self.space)), order):
                alpha = tuple(axes.count(axis) for axis in range(len(self.space)))
                found[self.name(alpha)] = alpha
        return found

    def symbol(self, alpha: MultiIndex) -> Any:
        import sympy

        return sympy.Symbol(self.name(alpha), real=True)

    @property
    def zero(self) -> MultiIndex:
        return (0,) * len(self.space)


@dataclass(frozen=True, eq=False)
class Term:
    """A formula in the field, its derivatives and the coordinates."""

    expression: Any
    language: Language

    def __str__(self) -> str:
        return str(self.expression)

    @cached_property
    def derivatives(self) -> dict[str, MultiIndex]:
        """Those that the term contains, the field itself among them if it does."""
        names = {str(symbol) for symbol in self.expression.free_symbols}
        return {name: alpha for name, alpha in self.language.derivatives.items() if name in names}

    @cached_property
    def order(self) -> int:
        return max((sum(alpha) for alpha in self.derivatives.values()), default=0)

    @cached_property
    def nodes(self) -> int:
        import sympy

        return sum(1 for _ in sympy.preorder_traversal(self.expression))

    def values(self, fields: Mapping[str, np.ndarray]) -> np.ndarray:
        return evaluate(self.expression, fields)

    def slopes(self, fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """dT/du, dT/du_x, ... at the same points."""
        import sympy

        found = {}
        for name in self.derivatives:
            slope = self._slopes.get(name)
            if slope is None:
                slope = self._slopes[name] = sympy.diff(self.expression, sympy.Symbol(name, real=True))
            found[name] = evaluate(slope, fields)
        return found

    @cached_property
    def _slopes(self) -> dict[str, Any]:
        return {}

    @cached_property
    def weak(self) -> list[tuple[Any, MultiIndex]]:
        """Pairs (F, alpha) with T = sum of D^alpha F, F of as few derivatives as the rules above can reach."""
        return conservative(self.expression, self.language)


_compiled: dict[Any, Callable[..., Any]] = {}


def evaluate(expression: Any, fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """A sympy expression at values of its symbols, in the shape of these."""
    shape = np.shape(next(iter(fields.values())))
    symbols = sorted(expression.free_symbols, key=str)
    if expression not in _compiled:
        if len(_compiled) > 1000:
            _compiled.clear()
        _compiled[expression] = lambdified(symbols, expression, ["scipy", "numpy"])
    with np.errstate(all="ignore"):
        found = _compiled[expression](*(fields[str(symbol)] for symbol in symbols))
    return np.broadcast_to(np.asarray(found, dtype=float), shape)


def conservative(expression: Any, language: Language) -> list[tuple[Any, MultiIndex]]:
    import sympy

    u, zero = language.symbol(language.zero), language.zero
    present = {language.derivatives[str(each)]: each for each in expression.free_symbols if str(each) in language.derivatives}
    present.pop(zero, None)
    foreign = [each for each in expression.free_symbols if str(each) not in language.derivatives]
    if foreign or len(present) != 1:
        return [(expression, zero)]
    (alpha, derivative), factor = next(iter(present.items())), None
    factor = sympy.cancel(expression / derivative)
    if factor.has(derivative) or not factor.is_polynomial(u):
        return [(expression, zero)]
    slope = sympy.diff(factor, u)
    if slope == 0:
        return [(factor * u, alpha)]
    if sum(alpha) == 1:
        return [(sympy.integrate(factor, u), alpha)]
    axes = [axis for axis, times in enumerate(alpha) for _ in range(times)]
    one = tuple(int(axis == axes[0]) for axis in range(len(alpha)))
    rest = tuple(times - first for times, first in zip(alpha, one, strict=True))
    correction = -slope * language.symbol(one) * language.symbol(rest)
    if sum(alpha) == 2:
        return [(sympy.integrate(factor, u), alpha), (correction, zero)]
    return [(factor * language.symbol(rest), one), (correction, zero)]


def library(language: Language, order: int, power: int) -> list[Term]:
    """1, u, u^2, ...; every derivative up to an order, times 1, u, ... ; and the squares of the first derivatives.

    In more than one dimension mixed derivatives come without a factor.
    """
    import sympy

    u = language.symbol(language.zero)
    found = [u**exponent for exponent in range(max(power + 1, 2) + 1)]
    for alpha in sorted(language.derivatives.values(), key=lambda each: (sum(each), [-times for times in each])):
        if not 1 <= sum(alpha) <= order:
            continue
        derivative, pure = language.symbol(alpha), max(alpha) == sum(alpha)
        exponents = range((power if sum(alpha) <= 3 else 0) + 1 if pure else 1)
        found += [u**exponent * derivative for exponent in exponents]
        if sum(alpha) == 1 and power >= 2 and order >= 2:
            found.append(derivative**2)
    return [Term(sympy.sympify(each), language) for each in found]


def written(terms: Iterable[Any], language: Language) -> list[Term]:
    """The user's terms: texts ("sin(u)", "u/(1 + u)", "x*u_x"), sympy expressions, or functions of the field (``lambda u: sin(u) * u.x``)
    and, by name, of the coordinates.

    Raises ``ValueError`` or ``TypeError`` for a term that cannot be read, has unknown names, or stands twice.
    """
    import sympy

    from kanpde.symbolic.reading import read

    if isinstance(terms, (str, bytes)) or callable(terms):
        terms = [terms]
    found: list[Term] = []
    for term in terms:
        if isinstance(term, str):
            expression = read(term, [language.field, *language.space, language.time])
        elif isinstance(term, sympy.Basic):
            expression = term.xreplace({each: sympy.Symbol(str(each), real=True) for each in term.free_symbols})
        elif callable(term):
            expression = _called(term, language)
        else:
            raise TypeError(f'a term is a text such as "sin({language.field})", a sympy expression or a function, got {term!r}')
        _check_names(term, expression, language)
        if any(sympy.simplify(expression - other.expression) == 0 for other in found):
            raise ValueError(f"the term {_shown(term)} stands twice in terms: leave one of them out")
        found.append(Term(expression, language))
    return found


def _called(term: Callable[..., Any], language: Language) -> Any:
    import inspect

    import sympy

    coordinates = (*language.space, language.time)
    zero = language.zero

    def evaluate(alpha: tuple[int, ...]) -> Any:
        if len(coordinates) - 1 in alpha:
            raise ValueError(f"a term of the right-hand side has no derivatives by {language.time}: {_shown(term)} has one")
        return language.symbol(tuple(alpha.count(axis) for axis in range(len(zero))))

    known = {language.field: Field(coordinates, evaluate, language.field)}
    known |= {
        name: Field(coordinates, lambda alpha, name=name, axis=axis: sympy.Symbol(name, real=True) if not alpha else int(alpha == (axis,)))
        for axis, name in enumerate(coordinates)
    }
    wanted = list(inspect.signature(term).parameters)
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"{_shown(term)} asks for {', '.join(unknown)}; known are {', '.join(known)}")
    result = term(**{name: known[name] for name in wanted})
    return sympy.sympify(result.value if isinstance(result, Field) else result)


def _shown(term: Any) -> str:
    return repr(term) if isinstance(term, str) else str(term)


def _check_names(term: Any, expression: Any, language: Language) -> None:
    known = [*language.derivatives, *language.space, language.time]
    for name in sorted(str(each) for each in expression.free_symbols):
        if name in known:
            continue
        if name == language.left or re.fullmatch(rf"{re.escape(language.field)}_.*{re.escape(language.time)}.*", name):
            raise ValueError(f"a term of the right-hand side has no derivatives by {language.time}: {_shown(term)} has {name}")
        raise ValueError(
            f"there is no {name!r} for the term {_shown(term)}{nearest(name, known)}; derivatives are written like "
            f"{language.name((1,) + language.zero[1:])} and {language.name((2,) + language.zero[1:])} (up to order {HIGHEST}), "
            f"coordinates are {', '.join((*language.space, language.time))}"
        )
    if not expression.free_symbols & {language.symbol(alpha) for alpha in language.derivatives.values()} and expression.is_number:
        raise ValueError(f"the term {_shown(term)} is a number: the constant term 1 is in the library")


def check_independent(terms: Sequence[Term], measured: np.ndarray, coordinates: Mapping[str, np.ndarray]) -> None:
    """``ValueError`` if a term is not finite at the measured values, or is a combination of the terms before it."""
    draw = np.random.default_rng(0)
    count = max(200, 10 * len(terms))
    language = terms[0].language
    chosen = draw.integers(len(measured), size=count)
    scale = float(np.std(measured))
    fields = {name: scale * draw.standard_normal(count) for name in language.derivatives}
    fields |= {name: column[chosen] for name, column in coordinates.items()} | {language.field: measured[chosen]}
    basis = np.zeros((count, 0))
    everywhere = (
        {name: np.zeros(len(measured)) + 0.7 * scale for name in language.derivatives} | dict(coordinates) | {language.field: measured}
    )
    for term in terms:
        if not np.isfinite(bad := term.values(everywhere)).all():
            where = measured[~np.isfinite(bad)][0]
            raise ValueError(
                f"the term {term} is not finite at the measured {language.field}={where:.4g}: leave it out, or change the data"
            )
        column = term.values(fields)
        column = column / (np.linalg.norm(column) or 1.0)
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) < 1e-8:
            raise ValueError(f"the term {term} is a combination of terms that are there already: leave it out")
        basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
