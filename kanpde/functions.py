"""Elementary functions and exact constants that mean the same for torch, NumPy, sympy and plain numbers.

One definition of an equation serves training (torch), figures (NumPy), and checks, LaTeX and proofs (sympy):

>>> import numpy as np
>>> sin(pi / 2), float(sqrt(2)), sin(np.zeros(2))
(sin(pi/2), 1.4142135623730951, array([0., 0.]))

Numbers stay exact: ``sin(pi / 2)`` is a :class:`Constant` that knows both its floating-point value and its sympy form.
Every function knows its derivative, so that expressions of fields can be differentiated (:mod:`kanpde.fields`).
"""

import ast
import builtins
import keyword
import math
import operator
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np
import torch

__all__ = [
    "Constant", "Function", "Given", "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "e", "erf", "erfc", "exp",
    "heaviside", "log", "maximum", "minimum", "pi", "sign", "sin", "sinc", "sinh", "sqrt", "tan", "tanh",
]  # fmt: skip


def is_sympy(value: object) -> bool:
    """Whether ``value`` is a sympy expression; never imports sympy."""
    module = sys.modules.get("sympy")
    return module is not None and isinstance(value, module.Basic)


def exact(value: Any) -> Any:
    """``value`` for sympy: constants exactly, and a float as the decimal fraction that was typed."""
    import sympy

    if isinstance(value, Constant):
        return value._sympy_()
    if isinstance(value, (float, np.floating)):
        return sympy.Rational(repr(float(value))) if math.isfinite(value) else sympy.Float(float(value))
    if isinstance(value, np.integer):
        return sympy.Integer(int(value))
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    return sympy.sympify(value)


def numeric(expression: Any) -> tuple[list[str], Callable[..., Any]]:
    """A sympy expression as a NumPy function of its free symbols, which are named in order."""
    symbols = sorted(expression.free_symbols, key=str)
    return [str(symbol) for symbol in symbols], evaluated(symbols, expression)


def evaluated(symbols: list[Any], expression: Any) -> Callable[..., Any]:
    """A sympy expression as a NumPy function of ``symbols``."""
    extremes = {  # sympy's own take no numbers beside arrays
        name: (lambda values, axis, of=function: of.reduce(np.broadcast_arrays(*values)))
        for name, function in (("amax", np.maximum), ("amin", np.minimum))
    }
    return lambdified(symbols, expression, [extremes, "scipy", "numpy"])


def lambdified(symbols: list[Any], expression: Any, modules: list[Any]) -> Callable[..., Any]:
    """``sympy.lambdify`` for symbols of any name, "sin" and "lambda" among them."""
    import sympy

    plain = {symbol: sympy.Dummy("v", **symbol.assumptions0) if _is_taken(str(symbol)) else symbol for symbol in symbols}
    return sympy.lambdify(list(plain.values()), expression.xreplace(plain), modules)


def _is_taken(name: str) -> bool:
    """Whether an argument of this name is impossible in Python, or would hide a function that the code may call."""
    return not name.isidentifier() or keyword.iskeyword(name) or callable(getattr(np, name, None)) or hasattr(builtins, name)


def written(formula: Callable[[Any], Any], letter: str = "x") -> str:
    """A formula of one argument as text, as sympy writes it."""
    import sympy

    return str(formula(sympy.Symbol(letter)))


class Constant:
    """A real number with a floating-point value and an exact sympy form, closed under arithmetic with numbers."""

    __slots__ = ("_symbolic", "text", "value")

    def __init__(self, value: float, symbolic: Callable[[], Any], text: str) -> None:
        self.value, self._symbolic, self.text = float(value), symbolic, text

    def __float__(self) -> float:
        return self.value

    def _sympy_(self) -> Any:
        return self._symbolic()

    def __repr__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (int, float, Fraction, Constant)) and self.value == float(other)

    def __lt__(self, other: Any) -> bool:
        return self.value < float(other)

    def __le__(self, other: Any) -> bool:
        return self.value <= float(other)

    def __gt__(self, other: Any) -> bool:
        return self.value > float(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= float(other)

    def _combine(self, other: Any, operation: Callable[[Any, Any], Any], sign: str, *, swapped: bool = False) -> Any:
        if is_sympy(other):
            return operation(other, self._sympy_()) if swapped else operation(self._sympy_(), other)
        if not isinstance(other, (int, float, Fraction, Constant)):
            if hasattr(other, "_apply_function"):  # a field sees the constant itself
                return NotImplemented
            return operation(other, self.value) if swapped else operation(self.value, other)
        left, right = (other, self) if swapped else (self, other)
        text = f"{_bracketed(left)}{sign}{_bracketed(right)}"
        return Constant(operation(float(left), float(right)), lambda: operation(exact(left), exact(right)), text)

    def __add__(self, other: Any) -> Any:
        return self._combine(other, operator.add, " + ")

    def __radd__(self, other: Any) -> Any:
        return self._combine(other, operator.add, " + ", swapped=True)

    def __sub__(self, other: Any) -> Any:
        return self._combine(other, operator.sub, " - ")

    def __rsub__(self, other: Any) -> Any:
        return self._combine(other, operator.sub, " - ", swapped=True)

    def __mul__(self, other: Any) -> Any:
        return self._combine(other, operator.mul, "*")

    def __rmul__(self, other: Any) -> Any:
        return self._combine(other, operator.mul, "*", swapped=True)

    def __truediv__(self, other: Any) -> Any:
        return self._combine(other, operator.truediv, "/")

    def __rtruediv__(self, other: Any) -> Any:
        return self._combine(other, operator.truediv, "/", swapped=True)

    def __pow__(self, other: Any) -> Any:
        return self._combine(other, operator.pow, "**")

    def __rpow__(self, other: Any) -> Any:
        return self._combine(other, operator.pow, "**", swapped=True)

    def __neg__(self) -> "Constant":
        return Constant(-self.value, lambda: -self._sympy_(), f"-{_bracketed(self)}")

    def __pos__(self) -> "Constant":
        return self

    def __abs__(self) -> "Constant":
        return self if self.value >= 0 else -self

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        plain = [float(a) if isinstance(a, Constant) else a for a in args]
        return func(*plain, **(kwargs or {}))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [float(a) if isinstance(a, Constant) else a for a in inputs]
        return getattr(ufunc, method)(*plain, **kwargs)


def _bracketed(value: Any) -> str:
    text = str(value)
    return f"({text})" if isinstance(ast.parse(text, mode="eval").body, (ast.BinOp, ast.UnaryOp)) else text


def number(value: int | float | Fraction) -> Constant:
    """A plain number as an exact constant."""
    return Constant(float(value), lambda: exact(value), str(value))


class Function:
    """An elementary function of one variable that dispatches on its argument and knows its derivative."""

    def __init__(
        self,
        name: str,
        derivative: Callable[[Any], Any],
        *,
        numeric: Callable[[Any], Any] | None = None,
        sympy_name: str | None = None,
    ) -> None:
        self.name, self.derivative = name, derivative
        self._numpy = numeric or getattr(np, name)
        self._sympy_name = sympy_name or name
        self._torch = getattr(torch, name)

    def __call__(self, x: Any) -> Any:
        """f(x) for a tensor, an array, a sympy expression, a field, or a number (then exactly: a :class:`Constant`)."""
        if isinstance(x, torch.Tensor):
            return self._torch(x)
        if hasattr(x, "_apply_function"):
            return x._apply_function(self)
        if is_sympy(x):
            return self._symbolic(x)
        if isinstance(x, (int, float, Fraction, Constant)) and not isinstance(x, np.generic):
            return Constant(float(self._numpy(float(x))), lambda: self._symbolic(exact(x)), f"{self.name}({x!r})")
        return self._numpy(x)

    def _symbolic(self, x: Any) -> Any:
        import sympy

        return getattr(sympy, self._sympy_name)(x)

    def __repr__(self) -> str:
        return self.name


class Given:
    """A known function of coordinates of which there are only values: a table, a random potential, the output of another program.

    ``values`` takes NumPy arrays of one shape and gives one. In an equation it is written like any other function, ``-u.xx + V(x)*u - 1``;
    its derivatives are not known, and there it is an error to ask for one. In LaTeX it is its ``name`` and its arguments.

    >>> V = Given("V", lambda x: np.interp(x, [0, 1, 2], [0, 5, 0]))
    >>> V(np.array([0.5, 1.0, 1.5]))
    array([2.5, 5. , 2.5])
    """

    def __init__(self, name: str, values: Callable[..., Any]) -> None:
        if not (isinstance(name, str) and name.isidentifier()):
            raise ValueError(f"Given takes a name, as in Given('V', values), got {name!r}")
        self.name = self.__name__ = name
        self.values = values

    def __call__(self, *coordinates: Any) -> Any:
        """The values at arrays or tensors that broadcast, or numbers; at fields, a field; of sympy symbols, an undefined function."""
        if torch.overrides.has_torch_function(coordinates):
            return torch.overrides.handle_torch_function(self, coordinates, *coordinates)
        if builtins.any(is_sympy(each) for each in coordinates):
            import sympy

            return sympy.Function(self.name)(*coordinates)
        tensors = [each for each in coordinates if isinstance(each, torch.Tensor)]
        if not tensors:
            arrays = np.broadcast_arrays(*(np.asarray(each, dtype=float) for each in coordinates))
            return np.asarray(self.values(*arrays), dtype=float)[()]
        if builtins.any(each.requires_grad for each in tensors):
            raise TypeError(f"the derivatives of {self.name} are not known, which has only values: write it with kanpde.functions")
        plain = [each.cpu().double().numpy() if isinstance(each, torch.Tensor) else each for each in coordinates]
        return torch.as_tensor(self(*plain)).to(tensors[0])

    def __repr__(self) -> str:
        return self.name


def _erf(x: Any) -> Any:
    from scipy.special import erf

    return erf(x)


def _erfc(x: Any) -> Any:
    from scipy.special import erfc

    return erfc(x)


NEAR = 6.0  # up to which the derivatives of sin(x)/x are Taylor's series


class _Sinc(Function):
    """The derivative of this order of sin(x)/x, which is 1 at 0: a series near 0, where the formula would lose digits, else

    x f_k = sin^(k)(x) - k f_(k-1).
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self.name = f"sinc^({order})" if order else "sinc"
        self.derivative = lambda x: _sinc(order + 1)(x)
        self._numpy, self._torch = partial(self._values, np), partial(self._values, torch)
        series = [(-1) ** (k // 2) / math.factorial(k + 1) if k % 2 == 0 else 0.0 for k in range(44 + order)]
        self._series = np.polynomial.Polynomial(series).deriv(order).coef.tolist()

    def _values(self, library: Any, x: Any) -> Any:
        close = library.abs(x) < NEAR
        small, large = library.where(close, x, 0.0 * x), library.where(close, NEAR + 0.0 * x, x)
        near, far = 0.0 * x + self._series[-1], library.sin(large) / large
        for coefficient in self._series[-2::-1]:
            near = near * small + coefficient
        for k in range(1, self.order + 1):
            far = (library.sin(large + k * math.pi / 2) - k * far) / large
        return library.where(close, near, far)

    def _symbolic(self, x: Any) -> Any:
        import sympy

        if not self.order:
            return sympy.sinc(x)
        any_x = sympy.Dummy("x", real=True)
        return sympy.sinc(any_x).diff(any_x, self.order).subs(any_x, x)


@cache
def _sinc(order: int) -> Function:
    return _Sinc(order)


def _sympy_constant(name: str) -> Callable[[], Any]:
    def symbolic() -> Any:
        import sympy

        return getattr(sympy, name)

    return symbolic


pi = Constant(math.pi, _sympy_constant("pi"), "pi")
e = Constant(math.e, _sympy_constant("E"), "e")

sin = Function("sin", lambda x: cos(x))
cos = Function("cos", lambda x: -sin(x))
tan = Function("tan", lambda x: 1 + tan(x) ** 2)
asin = Function("asin", lambda x: 1 / sqrt(1 - x**2), numeric=np.arcsin)
acos = Function("acos", lambda x: -1 / sqrt(1 - x**2), numeric=np.arccos)
atan = Function("atan", lambda x: 1 / (1 + x**2), numeric=np.arctan)
sinh = Function("sinh", lambda x: cosh(x))
cosh = Function("cosh", lambda x: sinh(x))
tanh = Function("tanh", lambda x: 1 - tanh(x) ** 2)
asinh = Function("asinh", lambda x: 1 / sqrt(x**2 + 1), numeric=np.arcsinh)
acosh = Function("acosh", lambda x: 1 / sqrt(x**2 - 1), numeric=np.arccosh)
atanh = Function("atanh", lambda x: 1 / (1 - x**2), numeric=np.arctanh)
exp = Function("exp", lambda x: exp(x))
log = Function("log", lambda x: 1 / x)
sqrt = Function("sqrt", lambda x: 1 / (2 * sqrt(x)))
erf = Function("erf", lambda x: 2 / sqrt(pi) * exp(-(x**2)), numeric=_erf)
sinc = _sinc(0)
erfc = Function("erfc", lambda x: -2 / sqrt(pi) * exp(-(x**2)), numeric=_erfc)
sign = Function("sign", lambda x: 0 * x)
abs = Function("abs", sign, sympy_name="Abs", numeric=builtins.abs)  # noqa: A001

BY_NAME: dict[str, Function] = {
    alias: function
    for function in (sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, exp, log, sqrt, erf, erfc, sign, abs)
    for alias in {function.name, getattr(function._numpy, "__name__", function.name)}
} | {"absolute": abs}


def maximum(a: Any, b: Any) -> Any:
    """The greater of two, (a + b + |a - b|) / 2."""
    return (a + b + abs(a - b)) / 2


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two, (a + b - |a - b|) / 2."""
    return (a + b - abs(a - b)) / 2


def heaviside(x: Any) -> Any:
    """0 for negative x, 1 for positive, 1/2 at 0: pieces are written f * heaviside(x) + g * heaviside(-x)."""
    return (1 + sign(x)) / 2
