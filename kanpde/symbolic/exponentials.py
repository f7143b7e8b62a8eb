"""When an expression vanishes identically: equations in its constants that suffice.

Products of powers of the coordinates and of exponentials of them, z^n exp(E(z)), are linearly independent where they differ in n or in
E by more than a constant. Sines, hyperbolic functions and quotients of them are written in exponentials, the numerator is multiplied
out, and in

    sum_k  c_k z^(n_k) exp(E_k(z) + C_k)

terms of the same n and E are collected: the sum vanishes if in each group sum_k c_k exp(C_k) = 0. With constants that are known only as
fitted numbers, E_k = E_l is no fact but a proposal, made where the numbers agree, and enters as an equation of its own; so does
C_k - C_l = m i pi/2. Thus sin(k) = 0 with k near 3.14 becomes 2 i k = 2 i pi, and all equations that arise are polynomial.

This module and those that import it know nothing of torch: they run in a process of their own (:mod:`kanpde.symbolic.proving`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy
from sympy.functions.elementary.hyperbolic import HyperbolicFunction
from sympy.functions.elementary.trigonometric import TrigonometricFunction
from sympy.polys.rings import ring

LARGEST = 20_000  # terms of a numerator


class TooLarge(Exception):
    """An expression whose numerator has more terms than can be looked at."""


@dataclass
class Expanded:
    """A numerator: ``terms`` is (powers of monomials, powers of exponentials, coefficient) with what the powers are of."""

    monomials: list[Any]
    bases: list[Any]  # the exponent is the sum of power * base
    terms: list[tuple[tuple[int, ...], tuple[int, ...], Any]]


def in_exponentials(expression: Any) -> Any:
    """Sines and hyperbolic functions as exponentials."""
    kinds = (TrigonometricFunction, HyperbolicFunction)
    return expression.replace(lambda node: isinstance(node, kinds), lambda node: node.rewrite(sympy.exp))


class _Letters:
    """Letters for everything that is no polynomial, so that polynomials are all there is."""

    def __init__(self, expression: Any, coordinates: Sequence[Any]) -> None:
        self.coordinates = set(coordinates)
        shares: dict[Any, list[Any]] = {}
        self.units: dict[Any, Any] = {}
        exponentials: list[Any] = sorted(expression.atoms(sympy.exp), key=sympy.default_sort_key)
        for node in exponentials:
            argument: Any = node.args[0]
            for share, base in self._parts(argument):
                shares.setdefault(base, []).append(share)
        for base, found in shares.items():
            unit = _unit(found)
            self.units[base] = -unit if all(share < 0 for share in found) else unit
        self.exponentials = {base: sympy.Dummy(f"E{number}") for number, base in enumerate(self.units)}
        self.others: dict[Any, Any] = {}  # expression -> letter

    @staticmethod
    def _parts(argument: Any) -> list[tuple[Any, Any]]:
        terms: Any = sympy.Add.make_args(sympy.expand(argument))
        return [term.as_coeff_Mul(rational=True) if not term.is_Rational else (term, sympy.S.One) for term in terms]

    def other(self, node: Any) -> Any:
        return self.others.setdefault(node, sympy.Dummy(f"F{len(self.others)}"))

    def spelled(self, node: Any) -> Any:
        """The expression in letters, a rational function of them."""
        if node.is_Rational or node.is_Symbol:
            return node
        if isinstance(node, sympy.exp):
            return sympy.Mul(*(self.exponentials[base] ** (share / self.units[base]) for share, base in self._parts(node.args[0])))
        if isinstance(node, (sympy.Add, sympy.Mul)):
            return node.func(*map(self.spelled, node.args))
        if isinstance(node, sympy.Pow) and node.exp.is_Integer:
            return self.spelled(node.base) ** node.exp
        if isinstance(node, sympy.Pow) and node.exp.is_Rational and node.free_symbols:  # a power of a root
            power: Any = node.exp
            return self.other(node.base ** sympy.Rational(1, power.q)) ** power.p
        if node.is_Float:
            return sympy.Rational(str(node))
        return self.other(node)


def expanded(expression: Any, coordinates: Sequence[Any]) -> Expanded:
    """The numerator of an expression, multiplied out."""
    expression = in_exponentials(expression)
    letters = _Letters(expression, coordinates)
    numerator, _ = sympy.fraction(sympy.together(letters.spelled(expression)))
    opened = {letter: node for node, letter in letters.others.items()}
    symbols: list[Any] = sorted(numerator.free_symbols, key=_rank)
    if not symbols:
        return Expanded([], [], [((), (), numerator)] if numerator != 0 else [])
    exponentials = {letter: base for base, letter in letters.exponentials.items()}
    moving = [s for s in symbols if s in letters.coordinates or (s in opened and opened[s].free_symbols & letters.coordinates)]
    growing = [s for s in symbols if s in exponentials]
    still = [s for s in symbols if s not in moving and s not in growing]
    domain, *_ = ring([*moving, *growing, *still], sympy.QQ)
    polynomial = domain.from_expr(numerator)
    if len(polynomial) > LARGEST:
        raise TooLarge(f"its numerator has {len(polynomial)} terms")
    constants, a, b = [opened.get(s, s) for s in still], len(moving), len(moving) + len(growing)
    collected: dict[tuple[tuple[int, ...], tuple[int, ...]], list[Any]] = {}
    for powers, number in polynomial.terms():
        factor = sympy.Mul(sympy.Rational(number.numerator, number.denominator),
                           *(c**n for c, n in zip(constants, powers[b:], strict=True)))  # fmt: skip
        collected.setdefault((powers[:a], powers[a:b]), []).append(factor)
    terms = [(mono, growth, sympy.expand(sympy.Add(*parts))) for (mono, growth), parts in collected.items()]
    bases = [letters.units[exponentials[s]] * exponentials[s] for s in growing]
    return Expanded([opened.get(s, s) for s in moving], bases, [term for term in terms if term[2] != 0])


def _unit(shares: Sequence[Any]) -> Any:
    """One over the common denominator."""
    return sympy.Rational(1, sympy.ilcm(*(share.q for share in shares), 1))


def _rank(symbol: Any) -> tuple[str, int]:
    return str(symbol), symbol.dummy_index if symbol.is_Dummy else 0


def number(expression: Any, values: Mapping[Any, Any], digits: int) -> Any:
    """An expression of constants as a complex number of mpmath; nan where it has none."""
    found = sympy.N(expression.xreplace(dict(values)), digits)
    try:
        return mpmath.mpmathify(found)
    except (TypeError, ValueError):
        return mpmath.mpf("nan")


def equations_for_zero(
    expression: Any, coordinates: Sequence[Any], values: Mapping[Any, Any], *, tolerance: float, digits: int = 20
) -> list[Any]:
    """Equations, expressions in the constants, that together suffice for the expression to vanish for all coordinates.

    ``values`` are numbers for the constants, and ``tolerance`` is how far apart exponents may be in these to be taken for the same.
    Numbers among the equations that do not vanish say that the expression does not. Raises :class:`TooLarge`.
    """
    if expression == 0:
        return []
    with mpmath.workdps(digits + 10):
        return _Groups(expanded(expression, coordinates), coordinates, values, tolerance, digits + 10).equations()


class _Groups:
    def __init__(self, sum_: Expanded, coordinates: Sequence[Any], values: Mapping[Any, Any], tolerance: float, digits: int) -> None:
        self.sum, self.values, self.tolerance, self.digits = sum_, values, tolerance, digits
        pairs = [base.as_independent(*coordinates, as_Add=False) for base in sum_.bases]
        self.factors = [factor for factor, _ in pairs]
        self.parts: dict[Any, list[int]] = {}  # what an exponent is a multiple of, and which bases make the multiple
        for place, (_, part) in enumerate(pairs):
            self.parts.setdefault(part, []).append(place)
        self.numbers = [number(factor, values, digits) for factor in self.factors]

    def _size(self, growth: tuple[int, ...], places: Sequence[int]) -> Any:
        return mpmath.fsum(growth[place] * self.numbers[place] for place in places)

    def _symbolic(self, growth: Sequence[int], places: Sequence[int]) -> Any:
        return sympy.Add(*(growth[place] * self.factors[place] for place in places if growth[place]))

    def _near(self, one: Any, other: Any) -> bool:
        return abs(one - other) <= self.tolerance * (1 + abs(other))

    def equations(self) -> list[Any]:
        moving = [(part, places) for part, places in self.parts.items() if part != 1]
        groups: dict[tuple[int, ...], list[tuple[list[Any], list[Any]]]] = {}
        for mono, growth, factor in self.sum.terms:
            sizes = [self._size(growth, places) for _, places in moving]
            for where, members in groups.setdefault(mono, []):
                if all(map(self._near, sizes, where)):
                    members.append((growth, factor))
                    break
            else:
                groups[mono].append((sizes, [(growth, factor)]))
        found: dict[Any, None] = {}
        for several in groups.values():
            for _, members in several:
                for growth, _ in members[1:]:
                    for _, places in moving:
                        difference = [a - b for a, b in zip(growth, members[0][0], strict=True)]
                        found[self._symbolic(difference, places)] = None
                found |= dict.fromkeys(self._constants(members))
        return [each for each in found if each != 0]

    def _constants(self, members: Sequence[tuple[Any, Any]]) -> list[Any]:
        """sum_k c_k exp(C_k) = 0, by parts whose C differ by multiples of i pi/2 where these vanish by themselves."""
        places, quarter = self.parts.get(sympy.S.One, []), sympy.I * sympy.pi / 2
        parts: list[tuple[Any, Any, list[tuple[int, Any, Any]]]] = []
        for growth, factor in members:
            size, exponent = self._size(growth, places), self._symbolic(growth, places)
            for where, first, same in parts:
                turns = int(mpmath.nint(mpmath.im(size - where) / (mpmath.pi / 2)))
                if self._near(size, where + turns * mpmath.pi / 2 * 1j):
                    same.append((turns, exponent - first, factor))
                    break
            else:
                parts.append((size, exponent, [(0, sympy.S.Zero, factor)]))
        found, whole = [], []
        for _, first, same in parts:
            sum_ = sympy.Add(*(factor if turns % 4 == 0 else sympy.expand(sympy.I ** (turns % 4) * factor) for turns, _, factor in same))
            size = mpmath.fsum(abs(number(factor, self.values, self.digits)) for _, _, factor in same)
            if not abs(number(sum_, self.values, self.digits)) <= self.tolerance * size:
                whole += [sympy.exp(first + difference) * factor for _, difference, factor in same]
                continue
            found += [sympy.expand(difference - turns * quarter) for turns, difference, _ in same] + [sum_]
        return [*found, sympy.expand(sympy.Add(*whole))] if whole else found
