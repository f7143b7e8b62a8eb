"""Formulas as text, read without evaluating anything: arithmetic, the functions in :data:`FUNCTIONS`, names and numbers.

>>> read("exp(-x^2/2)/sqrt(2*pi)")
sqrt(2)*exp(-x**2/2)/(2*sqrt(pi))

Every other name is a real variable, whatever sympy would take it for (``I``, ``gamma``, ``beta``). Numbers are exact: 0.1 is 1/10.
"""

import ast
import operator
from collections.abc import Iterable
from typing import Any

import sympy

from kanpde.arguments import nearest

FUNCTIONS: dict[str, Any] = {
    name: getattr(sympy, name)
    for name in (
        "exp", "log", "sqrt", "cbrt", "sin", "cos", "tan", "sec", "csc", "cot", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh",
        "sech", "csch", "coth", "asinh", "acosh", "atanh", "sign", "erf", "erfc", "sinc", "Abs", "Min", "Max", "Heaviside",
    )
} | {
    "ln": sympy.log, "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "arctan2": sympy.atan2, "arcsinh": sympy.asinh,
    "arccosh": sympy.acosh, "arctanh": sympy.atanh, "abs": sympy.Abs, "heaviside": sympy.Heaviside, "min": sympy.Min, "max": sympy.Max,
    "minimum": sympy.Min, "maximum": sympy.Max,
}  # fmt: skip
CONSTANTS = {"pi": sympy.pi, "E": sympy.E}
_ARITHMETIC: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


def read(text: str, variables: Iterable[str] = (), *, decimals: bool = False) -> Any:
    """The sympy expression that ``text`` writes; ``^`` is a power, and a name in ``variables`` is a variable even if it is pi or E.

    With ``decimals`` a number that is written with a point or an exponent stays a float, as what was measured or fitted is.

    Raises ``ValueError`` for what is no formula, with the part that is not understood.
    """
    own = set(variables)
    try:
        tree = ast.parse(text.strip().replace("^", "**"), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not a formula: {error.msg} at column {error.offset}") from error

    def value(node: ast.expr) -> Any:
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](value(operand))
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                if decimals and isinstance(number, float):
                    return sympy.Float(repr(number))
                return sympy.Rational(ast.get_source_segment(text.strip().replace("^", "**"), node) or repr(number))
            case ast.Name(id=name):
                return CONSTANTS[name] if name in CONSTANTS and name not in own else sympy.Symbol(name, real=True)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                try:
                    return FUNCTIONS[name](*map(value, arguments))
                except TypeError as error:
                    raise ValueError(f"{ast.unparse(node)} in {text!r} has the wrong number of arguments") from error
            case ast.Call(func=ast.Name(id=name)):
                hint = nearest(name, list(FUNCTIONS)) or f"; known are {', '.join(FUNCTIONS)}"
                raise ValueError(f"there is no function {name!r} to read in {text!r}{hint}; a product is written with *")
        raise ValueError(f"{ast.unparse(node)!r} in {text!r} is neither arithmetic, a function, a name nor a number")

    return value(tree.body)
