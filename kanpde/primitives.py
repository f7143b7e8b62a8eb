"""The table of symbolic edge functions: what an edge may be when it is no longer a combination of basis functions.

A :class:`Primitive` is one line: a name, a formula in :mod:`kanpde.functions`, what it costs, and where it is smooth. The formula serves
torch, NumPy and sympy, and its derivatives follow by the rules of calculus (:mod:`kanpde.fields`), so a primitive of one's own needs
nothing else:

>>> from kanpde.functions import exp
>>> Primitive("x exp(-x)", lambda x: x * exp(-x), complexity=4).table(torch.zeros(1), 2).flatten().tolist()
[0.0, 1.0, -2.0]
"""

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Polynomial
from torch import Tensor

from kanpde import functions as f
from kanpde.arguments import nearest
from kanpde.fields import Field, coordinate_fields

Rule = Callable[[Tensor, int], list[Tensor]]


@dataclass(frozen=True)
class Domain:
    """The open interval (low, high) without the points ``holes``, which come again every ``period`` if there is one."""

    low: float = -math.inf
    high: float = math.inf
    holes: tuple[float, ...] = ()
    period: float | None = None

    def inside(self, u: Tensor) -> Tensor:
        """Which of the points ``u`` belong to the domain, a tensor of bools alike; NaN does not."""
        found = (u > self.low) & (u < self.high)
        for hole in self.holes:
            away = u - hole if self.period is None else torch.remainder(u - hole, self.period)
            found &= away != 0
        return found

    def covers(self, low: float, high: float) -> bool:
        """Whether the whole interval [low, high] belongs to the domain."""
        if not self.low < low <= high < self.high:
            return False
        if self.period is None:
            return not any(low <= hole <= high for hole in self.holes)
        turns = ((math.ceil((low - hole) / self.period), math.floor((high - hole) / self.period)) for hole in self.holes)
        return all(first > last for first, last in turns)


EVERYWHERE, POSITIVE, NONZERO, WITHIN_ONE = Domain(), Domain(low=0), Domain(holes=(0.0,)), Domain(-1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Primitive:
    """A function of one variable that an edge can carry, c f(a z + b).

    ``formula`` takes one argument and is written with :mod:`kanpde.functions`; ``complexity`` is what a search charges for it (x costs 1);
    on ``domain`` it is finite and has all derivatives. ``rule``, for the common ones, gives the derivatives 0 ... order at a tensor, faster
    and to more digits than the rules of calculus would. Primitives of one name are one.
    """

    name: str
    formula: Callable[[Any], Any] = field(repr=False)
    complexity: int = 3
    domain: Domain = EVERYWHERE
    rule: Rule | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a primitive needs a name, such as 'gaussian', got {self.name!r}")
        if not callable(self.formula):
            raise TypeError(
                f"the formula of {self.name!r} must be a function of one argument, such as lambda x: exp(-x**2), got {self.formula!r}"
            )
        if isinstance(self.complexity, bool) or not isinstance(self.complexity, int) or self.complexity < 1:
            raise ValueError(f"the complexity of {self.name!r} must be a whole number of at least 1, got {self.complexity!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Primitive) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> Any:
        """By name, where the table has it: a formula that is a lambda cannot be pickled."""
        if _known(self.name) is self:
            return _known, (self.name,)
        return Primitive, (self.name, self.formula, self.complexity, self.domain, self.rule)

    def values(self, u: Tensor) -> Tensor:
        """f(u), of the shape of ``u``; differentiable by autograd."""
        return self.formula(u) if self.rule is None else self.rule(u, 0)[0]

    def table(self, u: Tensor, order: int) -> Tensor:
        """f and its derivatives at ``u``: (order + 1, *u.shape); NaN or infinite where f is not defined."""
        if self.rule is not None:
            return torch.stack(self.rule(u, order))
        expression = self.formula(coordinate_fields(("x",), (u,))["x"])
        rows = [expression.partial((0,) * k) for k in range(order + 1)]
        return torch.stack([row if isinstance(row, Tensor) else torch.full_like(u, float(row)) for row in rows])

    def symbolic(self, x: Any) -> Any:
        """f(x) for a sympy expression ``x``."""
        return self.formula(x)


# ---- derivatives of any order, in closed form ----


def _repeating(*cycle: Callable[[Tensor], Tensor]) -> Rule:
    """Derivatives that come again: those of sin are sin, cos, -sin, -cos, sin, ..."""

    def rule(u: Tensor, order: int) -> list[Tensor]:
        once = [each(u) for each in cycle[: order + 1]]
        return [once[k % len(cycle)] for k in range(order + 1)]

    return rule


def _falling(power: Fraction | int) -> Rule:
    """p (p - 1) ... (p - k + 1) u^(p - k)."""

    def rule(u: Tensor, order: int) -> list[Tensor]:
        rows, factor = [], Fraction(1)
        for k in range(order + 1):
            left = power - k
            rows.append(float(factor) * u ** (int(left) if left == int(left) else float(left)) if factor else torch.zeros_like(u))
            factor *= left
        return rows

    return rule


def _logarithm(u: Tensor, order: int) -> list[Tensor]:
    return [torch.log(u), *(_falling(-1)(u, order - 1) if order else [])]


def _autonomous(value: Callable[[Tensor], Tensor], *slope: float) -> Rule:
    """A function whose derivative is a polynomial of itself, w' = slope[0] + slope[1] w + ...; so are all that follow."""

    def rule(u: Tensor, order: int) -> list[Tensor]:
        w, polynomial, rows = value(u), Polynomial([0.0, 1.0]), []
        for _ in range(order + 1):
            rows.append(_horner(polynomial, w))
            polynomial = polynomial.deriv() * Polynomial(slope)
        return rows

    return rule


_SIGMOID = _autonomous(torch.sigmoid, 0, 1, -1)


def _silu(u: Tensor, order: int) -> list[Tensor]:
    rows = _SIGMOID(u, order)
    return [u * row + k * before for k, (row, before) in enumerate(zip(rows, [rows[0], *rows], strict=False))]


def _softplus(u: Tensor, order: int) -> list[Tensor]:
    return [torch.logaddexp(u, torch.zeros_like(u)), *(_SIGMOID(u, order - 1) if order else [])]


def _gaussian(u: Tensor, order: int) -> list[Tensor]:
    """Polynomials times exp(-u^2), by P_{k+1} = P_k' - 2 u P_k."""
    value, polynomial, rows = torch.exp(-(u**2)), Polynomial([1.0]), []
    for _ in range(order + 1):
        rows.append(_horner(polynomial, u) * value)
        polynomial = polynomial.deriv() - Polynomial([0.0, 2.0]) * polynomial
    return rows


def _horner(polynomial: Polynomial, u: Tensor) -> Tensor:
    total = torch.full_like(u, float(polynomial.coef[-1]))
    for coefficient in polynomial.coef[-2::-1]:
        total = total * u + float(coefficient)
    return total


# ---- the family of powers ----


@cache
def _power(p: Fraction) -> Primitive:
    if p == 1:
        return Primitive("x", lambda x: x, 1, rule=_falling(1))
    if p == Fraction(1, 2):
        return Primitive("sqrt", f.sqrt, 2, POSITIVE, _falling(p))
    name = f"x^{p}" if p.denominator == 1 else f"x^({p})"
    domain = POSITIVE if p.denominator > 1 else NONZERO if p < 0 else EVERYWHERE
    exponent = p if p.denominator > 1 else int(p)
    cost = abs(p.numerator) + (p.denominator - 1) + (p < 0)
    return Primitive(name, lambda x: _raised(x, exponent), min(cost, 8), domain, _falling(p))


def _raised(x: Any, p: Fraction | int) -> Any:
    return x ** (f.number(p) if isinstance(p, Fraction) else p)


def power(p: int | float | Fraction) -> Primitive:
    """x^p for a whole or rational p other than 0: ``power(3)``, ``power(-0.5)``, ``power(Fraction(5, 3))``.

    A float is taken as the decimal that was typed. Whole powers take any x (negative ones any but 0), others x > 0. Raises ``ValueError``
    for 0, which is a constant, and for what is no finite number.
    """
    if isinstance(p, bool) or not isinstance(p, (int, float, Fraction)) or not math.isfinite(p) or p == 0:
        raise ValueError(f"a power is a finite number other than 0, such as 3, -0.5 or Fraction(5, 3), got {p!r}")
    return _power(Fraction(repr(p)) if isinstance(p, float) else Fraction(p))


# ---- the table ----

_TABLE = (
    *(power(p) for p in (1, 2, 3, 4, 5, 6, -1, -2, -3, -4, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5)),
    power(Fraction(1, 3)), power(Fraction(2, 3)), power(Fraction(-1, 3)), power(Fraction(-2, 3)),
    Primitive("exp", f.exp, 2, rule=_repeating(torch.exp)),
    Primitive("log", f.log, 2, POSITIVE, _logarithm),
    Primitive("sin", f.sin, 2, rule=_repeating(torch.sin, torch.cos, lambda u: -torch.sin(u), lambda u: -torch.cos(u))),
    Primitive("cos", f.cos, 2, rule=_repeating(torch.cos, lambda u: -torch.sin(u), lambda u: -torch.cos(u), torch.sin)),
    Primitive("tan", f.tan, 3, Domain(holes=(math.pi / 2,), period=math.pi), _autonomous(torch.tan, 1, 0, 1)),
    Primitive("asin", f.asin, 3, WITHIN_ONE),
    Primitive("acos", f.acos, 3, WITHIN_ONE),
    Primitive("atan", f.atan, 3),
    Primitive("sinh", f.sinh, 3, rule=_repeating(torch.sinh, torch.cosh)),
    Primitive("cosh", f.cosh, 3, rule=_repeating(torch.cosh, torch.sinh)),
    Primitive("tanh", f.tanh, 3, rule=_autonomous(torch.tanh, 1, 0, -1)),
    Primitive("coth", lambda x: 1 / f.tanh(x), 4, NONZERO, _autonomous(lambda u: 1 / torch.tanh(u), 1, 0, -1)),
    Primitive("sech", lambda x: 1 / f.cosh(x), 4),
    Primitive("sech^2", lambda x: 1 / f.cosh(x) ** 2, 4),  # solitons
    Primitive("asinh", f.asinh, 3),
    Primitive("acosh", f.acosh, 3, Domain(low=1.0)),
    Primitive("atanh", f.atanh, 3, WITHIN_ONE),
    Primitive("gaussian", lambda x: f.exp(-(x**2)), 3, rule=_gaussian),
    Primitive("erf", f.erf, 3),
    Primitive("erfc", f.erfc, 3),
    Primitive("sigmoid", lambda x: 1 / (1 + f.exp(-x)), 3, rule=_SIGMOID),  # Fermi-Dirac, mirrored
    Primitive("silu", lambda x: x / (1 + f.exp(-x)), 4, rule=_silu),
    Primitive("softplus", lambda x: f.log(1 + f.exp(x)), 4, rule=_softplus),
    Primitive("bose", lambda x: 1 / (f.exp(x) - 1), 4, NONZERO, _autonomous(lambda u: 1 / torch.expm1(u), 0, -1, -1)),
    Primitive("langevin", lambda x: 1 / f.tanh(x) - 1 / x, 5, NONZERO),
    Primitive("sinc", f.sinc, 4),
    Primitive("lorentzian", lambda x: 1 / (1 + x**2), 3),
    Primitive("lorentz_factor", lambda x: 1 / f.sqrt(1 - x**2), 4, WITHIN_ONE),
    Primitive("semicircle", lambda x: f.sqrt(1 - x**2), 4, WITHIN_ONE),
    Primitive("hyperbola", lambda x: f.sqrt(1 + x**2), 4),
    Primitive("entropy", lambda x: x * f.log(x), 4, POSITIVE),
    Primitive("abs", f.abs, 3, NONZERO),
    Primitive("sign", f.sign, 3, NONZERO),
    Primitive("heaviside", f.heaviside, 3, NONZERO),
    Primitive("relu", lambda x: (x + f.abs(x)) / 2, 3, NONZERO),
)  # fmt: skip

PRIMITIVES: Mapping[str, Primitive] = MappingProxyType({each.name: each for each in _TABLE})

_ALSO = {"identity": "x", "1/x": "x^-1", "1/x^2": "x^-2", "1/sqrt": "x^(-1/2)", "fermi": "sigmoid", "Abs": "abs", "ln": "log"}
_POWER = re.compile(r"x(?:\^|\*\*)(?:(-?\d+)|\((-?\d+(?:/[1-9]\d*)?)\))")


def _known(name: str) -> Primitive | None:
    """The primitive of a name, powers that the table does not list among them."""
    name = _ALSO.get(name, name)
    if name in PRIMITIVES:
        return PRIMITIVES[name]
    found = _POWER.fullmatch(name)
    exponent = Fraction(found[1] or found[2]) if found else Fraction(0)
    return _power(exponent) if exponent else None


def primitive(thing: str | Primitive | Callable[[Any], Any]) -> Primitive:
    """The primitive that is meant by a name, a function of :mod:`kanpde.functions`, or a formula of one's own.

    ``primitive("sin")``, ``primitive(functions.sin)``, ``primitive("x^(5/3)")``, ``primitive(lambda x: exp(-x**4))``. A formula is named as
    its ``def``, and one without a name by what it says (``"exp(-x**4)"``); a :class:`Primitive` made by hand also has a cost and a domain.

    Raises ``ValueError`` for an unknown name, and for a formula that takes a known one; ``TypeError`` for one without a derivative.
    """
    if isinstance(thing, Primitive):
        return thing
    if isinstance(thing, str):
        found = _known(thing)
        if found is None:
            hint = nearest(thing, [*PRIMITIVES, *_ALSO]) or f"; there are {', '.join(PRIMITIVES)}, and any power, as in 'x^(5/3)'"
            raise ValueError(f"there is no primitive {thing!r}{hint}")
        return found
    if isinstance(thing, f.Function):
        return PRIMITIVES.get(thing.name) or Primitive(thing.name, thing)
    if isinstance(thing, np.ufunc):
        if (known := f.BY_NAME.get(thing.__name__)) is None:
            raise TypeError(f"numpy.{thing.__name__} is no primitive: write a formula in kanpde.functions, such as lambda x: exp(-x**2)")
        return primitive(known)
    if not callable(thing):
        raise TypeError(f"a primitive is a name such as 'sin', a formula such as lambda x: exp(-x**2), or a Primitive, got {thing!r}")
    given = getattr(thing, "__name__", "<lambda>")
    _check_formula(thing, given)
    name = f.written(thing) if given == "<lambda>" else given
    if _known(name) is not None:
        raise ValueError(f"a formula cannot be called {name!r}, as a primitive is: take primitive({name!r}), or rename it")
    made = Primitive(name, thing)
    result = thing(coordinate_fields(("x",), (torch.ones(1, dtype=torch.float64),))["x"])
    if not isinstance(result, Field):
        raise TypeError(f"the formula {name!r} must depend on its argument and be written with kanpde.functions, it gave {result!r}")
    result.partial((0,))
    return made


def primitives_of(things: Any, what: str) -> tuple[Primitive, ...]:
    """The primitives that are meant by a list; ``TypeError`` for what is none, ``what`` it is given as."""
    if isinstance(things, (str, f.Function, Primitive)) or not isinstance(things, Iterable):
        raise TypeError(f"{what} is a list of primitives, such as ['sinc', lambda x: exp(-x**4)], got {things!r:.80}")
    return tuple(primitive(each) for each in things)


def _check_formula(formula: Callable[[Any], Any], name: str) -> None:
    """``TypeError`` for a function that does not take a single argument, or takes no symbol for it."""
    try:
        inspect.signature(formula).bind(0)
    except TypeError as error:
        raise TypeError(f"a primitive is a function of one argument, {name} takes {inspect.signature(formula)}") from error
    except ValueError:  # of built-in functions nothing is known
        pass
    try:
        f.written(formula)
    except (TypeError, AttributeError, ValueError, ArithmeticError) as error:
        told = "write it in kanpde.functions (exp, sin, sqrt, maximum, heaviside, ...) and arithmetic, without numpy and if"
        raise TypeError(f"the formula {name} takes no symbol for its argument ({error}): {told}") from error
