"""Fields: what an equation sees of its unknowns and coordinates.

A :class:`Field` knows its value and any of its partial derivatives, and so does every expression made of fields: sums,
products, quotients, powers and :mod:`kanpde.functions` of them. Derivatives are taken when they are asked for, by the rules of
calculus, down to the derivatives of the unknowns, which the network's jets supply. The values may be tensors, arrays or
sympy expressions: one equation serves training, LaTeX and proofs.
"""

import linecache
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import product
from typing import Any

from kanpde.arguments import nearest
from kanpde.domains import TIME
from kanpde.functions import BY_NAME, Function, exp, log, number
from kanpde.jets import MultiIndex, is_sum, laplacian_over, terms_of


def _is_zero(value: Any) -> bool:
    return isinstance(value, int) and value == 0


def _plus(a: Any, b: Any) -> Any:
    return b if _is_zero(a) else a if _is_zero(b) else a + b


def _times(a: Any, b: Any) -> Any:
    return 0 if _is_zero(a) or _is_zero(b) else b if a is _ONE else a if b is _ONE else a * b


_ONE = 1


class Field:
    """A function of named coordinates with all its partial derivatives: ``u.xx``, ``u.t``, ``u.d("theta", 2)``.

    ``partial(alpha)`` gives D^alpha for a sorted tuple of coordinate numbers, as ``evaluate`` computes it, once. With ``sums``, which all
    expressions have, ``evaluate`` also takes the names of sums of second derivatives (:func:`kanpde.jets.laplacian_over`), that a
    Laplacian costs less than its terms; without, they are added up here.
    """

    __slots__ = ("_cache", "_coordinates", "_evaluate", "_name", "_origin", "_sums")
    __array_priority__ = 1000

    def __init__(
        self, coordinates: tuple[str, ...], evaluate: Callable[[MultiIndex], Any], name: str = "the expression", *, sums: bool = False
    ) -> None:
        self._coordinates, self._evaluate, self._name, self._sums = coordinates, evaluate, name, sums
        self._cache: dict[MultiIndex, Any] = {}
        self._origin: tuple[Field, tuple[MultiIndex, ...]] | None = None  # the sum of which derivatives of another field this is

    def partial(self, alpha: MultiIndex) -> Any:
        """D^alpha of the field, a tensor, array, sympy expression or number; an exact 0 where it vanishes identically."""
        if alpha not in self._cache:
            apart = is_sum(alpha) and not self._sums
            self._cache[alpha] = reduce(_plus, map(self.partial, terms_of(alpha))) if apart else self._evaluate(alpha)
        return self._cache[alpha]

    @property
    def value(self) -> Any:
        """The field itself."""
        return self.partial(())

    def d(self, coordinate: str, order: int = 1) -> "Field":
        """The derivative of some order by one coordinate, for names of any length."""
        if coordinate not in self._coordinates:
            raise AttributeError(_no_derivative(self._name, self._coordinates, coordinate, "by "))
        if not isinstance(order, int) or order < 0:
            raise ValueError(f"the order of a derivative must be a whole number of at least 0, got {order!r}")
        return self._shifted((self._coordinates.index(coordinate),) * order)

    def __getattr__(self, letters: str) -> "Field":
        if letters.startswith("_"):
            raise AttributeError(letters)
        for letter in letters:
            if letter not in self._coordinates:
                raise AttributeError(_no_derivative(self._name, self._coordinates, letters))
        return self._shifted(tuple(sorted(self._coordinates.index(letter) for letter in letters)))

    def _shifted(self, beta: MultiIndex) -> "Field":
        return self._derivatives((beta,))

    def _derivatives(self, terms: tuple[MultiIndex, ...]) -> "Field":
        """The sum of some derivatives of this field."""
        if self._origin is not None and len(self._origin[1]) == 1 == len(terms):
            field, (alpha,) = self._origin
            return field._derivatives((tuple(sorted(alpha + terms[0])),))

        def evaluate(alpha: MultiIndex) -> Any:
            if not alpha and len(terms) > 1:
                return self.partial(laplacian_over(axis for axis, _ in terms))
            return reduce(_plus, (self.partial(tuple(sorted(alpha + beta))) for beta in terms))

        found = Field(self._coordinates, evaluate, self._name)
        found._origin = self, terms
        return found

    def _laplacian_with(self, other: "Field") -> "Field | None":
        """The sum of two fields, if it is one of second derivatives of one field by different coordinates, each by itself."""
        if self._origin is None or other._origin is None or self._origin[0] is not other._origin[0]:
            return None
        terms = self._origin[1] + other._origin[1]
        pure = all(len(alpha) == 2 and alpha[0] == alpha[1] for alpha in terms)
        return self._origin[0]._derivatives(terms) if pure and len(set(terms)) == len(terms) else None

    # ---- arithmetic ----

    def _lift(self, other: Any) -> "Field":
        if isinstance(other, Field):
            return other
        return constant(other, self._coordinates)

    def __add__(self, other: Any) -> "Field":
        other = self._lift(other)
        laplacian = self._laplacian_with(other)
        if laplacian is not None:
            return laplacian
        return Field(self._coordinates, lambda alpha: _plus(self.partial(alpha), other.partial(alpha)), sums=True)

    def __mul__(self, other: Any) -> "Field":
        other = self._lift(other)
        return Field(self._coordinates, lambda alpha: _leibniz(self, other, alpha), sums=True)

    def __neg__(self) -> "Field":
        return Field(self._coordinates, lambda alpha: 0 if _is_zero(self.partial(alpha)) else -self.partial(alpha), sums=True)

    def __pos__(self) -> "Field":
        return self

    def __sub__(self, other: Any) -> "Field":
        return self + (-self._lift(other))

    def __rsub__(self, other: Any) -> "Field":
        return self._lift(other) + (-self)

    def __truediv__(self, other: Any) -> "Field":
        if isinstance(other, Field):
            return self * other**-1
        divisor = self._lift(other)

        def evaluate(alpha: MultiIndex) -> Any:
            value = self.partial(alpha)
            if alpha:
                divisor.partial(alpha)  # raises for arrays, whose derivatives are not known
            if _is_zero(value):
                return 0
            return (number(value) if isinstance(value, int) else value) / divisor.value

        return Field(self._coordinates, evaluate, sums=True)

    def __rtruediv__(self, other: Any) -> "Field":
        return self._lift(other) * self**-1

    __radd__ = __add__
    __rmul__ = __mul__

    def __pow__(self, power: Any) -> "Field":
        if isinstance(power, Field):
            return exp(power * log(self))
        power = number(power) if isinstance(power, Fraction) else power
        if isinstance(power, (int, float)) and power == 0:
            return constant(1, self._coordinates)
        return self._chain(lambda value: value**power, lambda: power * (self if power == 2 else self ** (power - 1)))

    def __rpow__(self, base: Any) -> "Field":
        return exp(self * log(base))

    def __abs__(self) -> "Field":
        return self._apply_function(BY_NAME["abs"])

    def _apply_function(self, function: Function) -> "Field":
        return self._chain(function, lambda: function.derivative(self))

    def _chain(self, function: Callable[[Any], Any], derivative: Callable[[], "Field"]) -> "Field":
        slope: list[Field] = []

        def evaluate(alpha: MultiIndex) -> Any:
            if not alpha:
                return function(self.value)
            if not slope:
                slope.append(self._lift(derivative()))
            if is_sum(alpha):  # f' Lap g + sum_i (f')_i g_i
                squares = (_times(slope[0].partial((~axis,)), self.partial((~axis,))) for axis in alpha)
                return reduce(_plus, squares, _times(slope[0].value, self.partial(alpha)))
            return (slope[0] * self._shifted(alpha[-1:])).partial(alpha[:-1])

        return Field(self._coordinates, evaluate, sums=True)

    # ---- what a field is not ----

    def __float__(self) -> float:
        raise TypeError(_not_a_number(self._name, sys._getframe(1)))

    def __bool__(self) -> bool:
        raise TypeError(not_compared(self._name, sys._getframe(1)))

    def _sympy_(self) -> Any:
        raise sys.modules["sympy"].SympifyError(self._name)  # leaves sympy * field to the field

    def _compared(self, other: Any) -> Any:
        raise TypeError(not_compared(self._name, sys._getframe(1)))

    __int__ = __index__ = __complex__ = __float__  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _compared  # type: ignore[assignment]
    __hash__ = object.__hash__

    # ---- functions of other libraries ----

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _foreign(func, getattr(func, "__name__", str(func)), args, kwargs or {})

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _foreign(getattr(ufunc, method), ufunc.__name__, inputs, kwargs, numpy=True)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(_no_function(f"numpy.{func.__name__}"))


def _no_derivative(name: str, coordinates: Sequence[str], asked: str, by: str = "") -> str:
    """Why there is no derivative ``asked`` of a field, and how it is written, if it is clear what was meant."""
    u = name if name.isidentifier() else "u"
    parts = re.findall("|".join(map(re.escape, sorted(coordinates, key=len, reverse=True))), asked)
    together = [each for each in coordinates if each.rstrip("0123456789") in set(asked) - set(coordinates)]
    hint = f" (longer names are written {u}.d('name', order))" if not by else nearest(asked, coordinates)
    if "".join(parts) == asked:
        hint = f"; write {u}{''.join(f'.d({part!r})' for part in parts)}"
    elif together and set(asked) <= {each.rstrip("0123456789") for each in together}:
        hint = f"; {asked[0]} is all of them: write {u}.d({together[0]!r}) for one, or grad({u}), laplacian({u})"
    return f"{name} has no derivative {by}{asked!r}: the coordinates are {', '.join(coordinates)}{hint}"


def _no_function(name: str) -> str:
    return (
        f"{name} of a field is not known here: equations use kanpde.functions (sin, exp, maximum, heaviside, ...), which mean the same for "
        "torch, NumPy and sympy"
    )


def _line(frame: Any) -> str:
    """The line of the user's file that a frame stands at, for messages."""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f", in `{line}`" if line else ""


def _not_a_number(name: str, frame: Any) -> str:
    line = _line(frame)
    called = re.search(r"\b(?:math|cmath)\.(\w+)", line)
    fix = f"math.{called[1]} takes numbers: use {called[1]} of kanpde.functions" if called else "use the functions of kanpde.functions"
    return f"{name} is a field, not a number{line}: {fix}"


def not_compared(name: str, frame: Any, kind: str = "a field") -> str:
    """Why no condition can be made of something that differs from point to point, and what to write instead."""
    return (
        f"{name} is {kind}, true at some points and false at others{_line(frame)}: write pieces with heaviside, maximum, minimum, abs or "
        "sign of kanpde.functions, as in f * heaviside(x) + g * heaviside(-x)"
    )


_OPERATORS = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv, "power": operator.pow,
}  # fmt: skip


def _foreign(function: Any, name: str, arguments: Sequence[Any], options: Mapping[str, Any], *, numpy: bool = False) -> Field:
    """A torch or NumPy function of fields: ours where there is one of that name, otherwise its value alone."""
    first = next(each for each in arguments if isinstance(each, Field))
    if name in BY_NAME and len(arguments) == 1 and not options:
        return BY_NAME[name](arguments[0])
    if name in _OPERATORS and len(arguments) == 2 and not options:
        return _OPERATORS[name](first._lift(arguments[0]), arguments[1])
    if numpy and any(isinstance(each, Field) and hasattr(each.value, "requires_grad") for each in arguments):
        raise TypeError(_no_function(f"numpy.{name}"))  # NumPy would drop what torch must differentiate
    return _opaque(function, name, arguments, options)


def _opaque(function: Any, name: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Field:
    """A foreign function of fields: its value, and an error for its derivatives, which are not known."""
    first = next(each for each in arguments if isinstance(each, Field))
    value = function(*(each.value if isinstance(each, Field) else each for each in arguments), **options)

    def evaluate(alpha: MultiIndex) -> Any:
        if alpha:
            raise TypeError(f"the derivative of {name}(...) is not known: use a function of kanpde.functions instead of {name}")
        return value

    return Field(first._coordinates, evaluate)


def _leibniz(left: Field, right: Field, alpha: MultiIndex) -> Any:
    total: Any = 0
    if is_sum(alpha):  # f Lap g + g Lap f + 2 sum_i f_i g_i
        for axis in alpha:
            total = _plus(total, _product(left, (~axis,), right, (~axis,)))
        return reduce(_plus, (_times(2, total), _product(left, alpha, right, ()), _product(left, (), right, alpha)))
    for chosen in product((True, False), repeat=len(alpha)):
        here = tuple(letter for letter, keep in zip(alpha, chosen, strict=True) if keep)
        rest = tuple(letter for letter, keep in zip(alpha, chosen, strict=True) if not keep)
        total = _plus(total, _product(left, here, right, rest))
    return total


def _product(left: Field, here: MultiIndex, right: Field, rest: MultiIndex) -> Any:
    """The product of two derivatives; the second is not asked for where the first vanishes."""
    factor = left.partial(here)
    return 0 if _is_zero(factor) else _times(factor, right.partial(rest))


def constant(value: Any, coordinates: tuple[str, ...], name: str = "a constant") -> Field:
    """A field that does not depend on the coordinates: a number, a parameter, a trainable coefficient."""
    if isinstance(value, Fraction):
        value = number(value)

    def evaluate(alpha: MultiIndex) -> Any:
        if alpha and getattr(value, "ndim", 0):
            raise TypeError(
                f"cannot differentiate {name}, an array of shape {tuple(value.shape)}: how it depends on "
                f"{', '.join(coordinates)} is not known; write it with kanpde.functions"
            )
        return 0 if alpha else value

    return Field(coordinates, evaluate, name)


def coefficient(value: Any, coordinates: tuple[str, ...], name: str) -> Field:
    """A trainable number as a field, the same at every point however its ``value`` is spread over them."""
    return Field(coordinates, lambda alpha: 0 if alpha else value, name)


def coordinate_fields(coordinates: tuple[str, ...], values: Sequence[Any]) -> dict[str, Field]:
    """The coordinates themselves as fields: dx/dx = 1, dx/dy = 0."""

    def one(axis: int, value: Any) -> Field:
        return Field(coordinates, lambda alpha: value if not alpha else 1 if alpha == (axis,) else 0, coordinates[axis])

    return {name: one(axis, value) for axis, (name, value) in enumerate(zip(coordinates, values, strict=True))}


# ---- vector calculus, in space ----


def _spatial(field: Field) -> list[str]:
    return [name for name in field._coordinates if name != TIME]


def _in_space(fields: Sequence[Field], name: str) -> Sequence[Field]:
    if not fields:
        raise ValueError(f"{name} runs over the coordinates in space, and there is none beside time: write u.t, u.tt")
    return fields


def grad(field: Field) -> tuple[Field, ...]:
    """(du/dx_1, ..., du/dx_d) over the coordinates other than time."""
    return tuple(field.d(name) for name in _spatial(field))


def div(fields: Sequence[Field]) -> Field:
    """sum_i dv_i/dx_i over the coordinates other than time; one component a coordinate, or ``ValueError``."""
    names = _spatial(_in_space(fields, "div")[0])
    if len(fields) != len(names):
        raise ValueError(f"div needs one component for each of the coordinates {', '.join(names)}, got {len(fields)}")
    total = fields[0].d(names[0])
    for field, name in zip(fields[1:], names[1:], strict=True):
        total = total + field.d(name)
    return total


def laplacian(field: Field) -> Field:
    """sum_i d^2u/dx_i^2 over the coordinates other than time."""
    return div(_in_space(grad(field), "laplacian"))
