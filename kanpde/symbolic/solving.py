"""Constants from the equations that they obey: exactly, and nearest to fitted numbers.

One equation after the other is solved for one constant, those first that are linear in it, then those that hold no other; of several
factors only one that vanishes at the fitted numbers counts, and of several roots the nearest.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mpmath
import sympy

DIGITS = 50
OPERATIONS = 4000  # longer equations are left for later: others may shorten them


def is_zero(expression: Any, free: Mapping[Any, Any] | None = None) -> bool | None:
    """Whether an expression of numbers, and of ``free`` constants with some value each, is zero; None if sympy cannot tell."""
    expression = sympy.expand(expression)
    if expression == 0:
        return True
    if _magnitude(expression, free or {}, DIGITS) > 1e-35:
        return False
    for simplified in (sympy.radsimp, lambda each: sympy.expand(sympy.expand(each, complex=True)), sympy.simplify):
        with contextlib.suppress(NotImplementedError, ZeroDivisionError, RecursionError):
            if sympy.expand(simplified(expression)) == 0:
                return True
    if not expression.free_symbols and expression.is_algebraic:
        return sympy.minimal_polynomial(expression) == sympy.Symbol("x")
    return None


def _magnitude(expression: Any, values: Mapping[Any, Any], digits: int = 20) -> float:
    """|expression| at the values over the sum of the sizes of its terms; 0 for an empty sum."""
    at = {symbol: sympy.Float(values[symbol], digits) for symbol in expression.free_symbols if symbol in values}
    parts: Any = sympy.Add.make_args(expression)
    terms = [term.xreplace(at).evalf(digits, maxn=200) for term in parts]
    if not all(term.is_number for term in terms):
        return float("inf")
    with mpmath.workdps(digits):
        numbers = [mpmath.mpmathify(term) for term in terms]
        size = mpmath.fsum(map(abs, numbers))
        return float(abs(mpmath.fsum(numbers)) / size) if size else 0.0


@dataclass
class Solver:
    """Solves for constants, a few equations at a time; ``values`` are the fitted numbers by symbol.

    ``exact`` has what is known, which may depend on other constants that are not known (yet).
    """

    values: Mapping[Any, Any]
    tolerance: float = 1e-3
    exact: dict[Any, Any] = field(default_factory=dict)
    waiting: list[Any] = field(default_factory=list)
    _factors: dict[Any, Any] = field(default_factory=dict)

    def known(self, expression: Any) -> Any:
        """An expression with the known constants put in."""
        return expression.xreplace(self.exact) if self.exact else expression

    def add(self, equations: Iterable[Any]) -> None:
        """Solve these, and what was left of those before, as far as it goes."""
        self.waiting = list(dict.fromkeys([*self.waiting, *equations]))
        while True:
            self.waiting = self._tidied()
            step = self._step()
            if step is None:
                return
            symbol, value = step
            self.exact = {key: sympy.expand(old.xreplace({symbol: value})) for key, old in self.exact.items()} | {symbol: value}

    def _tidied(self) -> list[Any]:
        found: dict[Any, None] = {}
        done = {symbol for symbol, value in self.exact.items() if not value.free_symbols}
        for each in self.waiting:
            if not each.free_symbols & set(self.values) - done:
                continue
            rest = sympy.expand(self.known(each))
            if not rest.free_symbols & set(self.values):
                continue
            for part in _real_parts(rest):
                if part not in self._factors:
                    self._factors[part] = self._factor(part) if part.count_ops() < OPERATIONS else part
                factor = self._factors[part]
                if factor.free_symbols & set(self.values):
                    found[factor] = None
        return sorted(found, key=lambda each: (each.count_ops(), str(each)))

    def _factor(self, equation: Any) -> Any:
        """The factor that vanishes at the fitted numbers, if there is one."""
        numerator = sympy.fraction(sympy.together(equation))[0]
        try:
            factors = [factor for factor, _ in sympy.factor_list(numerator)[1] if factor.free_symbols & set(self.values)]
        except (sympy.PolynomialError, NotImplementedError):
            return equation
        near = [factor for factor in factors if _magnitude(sympy.expand(factor), self.values) <= self.tolerance]
        return min(near, key=lambda factor: factor.count_ops(), default=equation)

    def _step(self) -> tuple[Any, Any] | None:
        """A constant and its value from the simplest equation that gives one."""
        for rule in (self._linear, self._alone, self._quotient, self._root, self._logarithm):
            for equation in self.waiting:
                symbols = sorted(equation.free_symbols & set(self.values), key=str, reverse=True)
                for symbol in symbols:
                    value = rule(equation, symbol, symbols)
                    if value is not None:
                        self.waiting = [each for each in self.waiting if each is not equation]
                        return symbol, value
        return None

    def _linear(self, equation: Any, symbol: Any, symbols: Sequence[Any]) -> Any:
        """a c + b = 0 with a number a."""
        slope = equation.diff(symbol)
        if slope.free_symbols & set(self.values) or slope == 0:
            return None
        return self._checked(symbol, -equation.xreplace({symbol: sympy.S.Zero}) / slope)

    def _alone(self, equation: Any, symbol: Any, symbols: Sequence[Any]) -> Any:
        """A polynomial in one constant."""
        return self._root(equation, symbol, symbols, highest=6) if len(symbols) == 1 else None

    def _quotient(self, equation: Any, symbol: Any, symbols: Sequence[Any]) -> Any:
        """a c + b = 0 where a depends on other constants but does not vanish."""
        slope = sympy.expand(equation.diff(symbol))
        if slope.has(symbol) or slope == 0 or not _magnitude(slope, self.values) > self.tolerance:
            return None
        return self._checked(symbol, sympy.cancel(-equation.xreplace({symbol: sympy.S.Zero}) / slope))

    def _root(self, equation: Any, symbol: Any, symbols: Sequence[Any], highest: int = 2) -> Any:
        """The nearest root of a polynomial in one constant."""
        if not equation.is_polynomial(symbol):
            return None
        polynomial = sympy.Poly(equation, symbol)
        if polynomial.degree() > highest:
            return None
        found = [self._checked(symbol, root) for root in sympy.roots(polynomial)]
        return min((root for root in found if root is not None), key=lambda root: abs(self._at(root) - self._fitted(symbol)), default=None)

    def _logarithm(self, equation: Any, symbol: Any, symbols: Sequence[Any]) -> Any:
        """a e^c + b = 0."""
        power = sympy.Dummy("power", positive=True)
        found = sympy.expand(equation.xreplace({symbol: sympy.log(power)}))
        slope = found.diff(power)
        if found.has(sympy.log(power)) or slope.has(power) or slope == 0:
            return None
        value = sympy.simplify(-found.xreplace({power: sympy.S.Zero}) / slope)
        return self._checked(symbol, sympy.expand_log(sympy.log(value)), denested=False)

    def _fitted(self, symbol: Any) -> complex:
        return complex(self.values[symbol])

    def _at(self, expression: Any) -> complex:
        at = {symbol: sympy.Float(self.values[symbol]) for symbol in expression.free_symbols if symbol in self.values}
        try:
            return complex(sympy.N(expression.xreplace(at)))
        except TypeError:
            return complex("nan")

    def _checked(self, symbol: Any, value: Any, *, denested: bool = True) -> Any:
        """A value if it is what was fitted, nearly."""
        value = sympy.expand(value)
        gap = abs(self._at(value) - self._fitted(symbol))
        if not gap <= self.tolerance * max(1.0, abs(self._fitted(symbol))):
            return None
        return _denested(value) if denested else value


def _denested(value: Any) -> Any:
    """A number as simple as sympy writes it cheaply."""
    if not value.has(sympy.Pow) or value.count_ops() > 60:
        return value
    with contextlib.suppress(NotImplementedError, ZeroDivisionError, RecursionError):
        simpler = sympy.radsimp(sympy.sqrtdenest(value))
        return simpler if simpler.count_ops() <= value.count_ops() else value
    return value


def _real_parts(equation: Any) -> list[Any]:
    """Real and imaginary part, constants being real; the equation itself where exponentials hide them."""
    if not equation.has(sympy.I):
        return [equation]
    if any(node.has(sympy.I) for node in equation.atoms(sympy.Function, sympy.Pow)):
        equation = sympy.expand(sympy.expand(equation, complex=True))
        if any(node.has(sympy.I) for node in equation.atoms(sympy.Function)):
            return [equation]
    return [part for part in (equation.xreplace({sympy.I: sympy.S.Zero}), equation.coeff(sympy.I)) if part != 0]
