"""Formulas as text, read without evaluating anything: arithmetic, the functions in :data:`FUNCTIONS`, names and numbers.

>>> read("exp(-x^2/2)/sqrt(2*pi)")
sqrt(2)*exp(-x**2/2)/(2*sqrt(pi))

Every other name is a real variable, whatever sympy would take it for (``I``, ``gamma``, ``beta``). Numbers are exact: 0.1 is 1/10.
"""

import ast
import operator
from collections.abc import Iterable, Iterator, Mapping
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


def read(text: str, variables: Iterable[str] | Mapping[str, Any] = (), *, as_written: bool = False) -> Any:
    """The sympy expression that ``text`` writes; ``^`` is a power, and a name in ``variables`` is a variable even if it is pi or E.

    A mapping gives the symbols by name, where they are not real variables of that name.
    ``as_written`` gives back what sympy printed: decimals are floats, and a number times a sum is not multiplied out.

    Raises ``ValueError`` for what is no formula, with the part that is not understood.
    """
    own = variables if isinstance(variables, Mapping) else {name: sympy.Symbol(name, real=True) for name in variables}
    source = text.strip().replace("^", "**")
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not a formula: {error.msg} at column {error.offset}") from error

    def value(node: ast.expr) -> Any:
        match node:
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right) if as_written:
                return value(left) + value(right if isinstance(op, ast.Add) else ast.UnaryOp(ast.USub(), right))
            case ast.BinOp(op=ast.Mult() | ast.Div()) | ast.UnaryOp(op=ast.USub()) if as_written:
                return _product([value(each) if power == 1 else value(each) ** power for each, power in _factors(node)])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](value(operand))
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                if as_written and isinstance(number, float):
                    return sympy.Float(number)
                return sympy.Rational(ast.get_source_segment(source, node) or repr(number))
            case ast.Name(id=name):
                return own[name] if name in own else CONSTANTS.get(name, sympy.Symbol(name, real=True))
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


def _factors(node: ast.expr, power: int = 1) -> Iterator[tuple[ast.expr, int]]:
    """What a product multiplies, with 1 or -1 as powers: 2*x/(3*y) has 2, x, 1/3 and 1/y."""
    match node:
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
            yield from _factors(left, power)
            yield from _factors(right, power if isinstance(op, ast.Mult) else -power)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield ast.Constant(-1), 1
            yield from _factors(operand, power)
        case _:
            yield node, power


def _product(factors: list[Any]) -> Any:
    """The product, but a number times a sum stays one."""
    number = sympy.Mul(*(each for each in factors if each.is_Number))
    rest = sympy.Mul(*(each for each in factors if not each.is_Number))
    return sympy.Mul(number, rest, evaluate=False) if rest.is_Add and number != 1 else number * rest
