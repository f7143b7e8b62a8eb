"""Formulas as text, read without evaluating anything: arithmetic, the functions in :data:`FUNCTIONS`, names and numbers.

>>> read("exp(-x^2/2)/sqrt(2*pi)")
sqrt(2)*exp(-x**2/2)/(2*sqrt(pi))

Every other name is a real variable, whatever sympy would take it for (``I``, ``gamma``, ``beta``). Numbers are exact: 0.1 is 1/10.
"""

import ast
import operator
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
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
LETTERS = 100_000  # of a formula, at most
NESTED = 80  # levels of functions, powers and parentheses
EXPONENT = 1_000_000  # the greatest number in an exponent
BITS = 100_000  # of a whole number
DIGITS = 400  # before or after the point of a decimal number
_FLAT = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2}  # sums and products stay on one level, however long
_ARITHMETIC: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


def read(text: str, variables: Iterable[str] | Mapping[str, Any] = (), *, as_written: bool = False) -> Any:
    """The sympy expression that ``text`` writes; ``^`` is a power, and a name in ``variables`` is a variable even if it is pi or E.

    A mapping gives the symbols by name, where they are not real variables of that name.
    ``as_written`` gives back what sympy printed: decimals are floats, and a number times a sum is not multiplied out.

    Raises ``ValueError`` for what is no formula, with the part that is not understood, and before anything is computed for what is too
    long, too deeply nested, or a number such as 9**9**9.
    """
    given = variables if isinstance(variables, Mapping) else {name: sympy.Symbol(name, real=True) for name in variables}
    own = {unicodedata.normalize("NFKC", name): symbol for name, symbol in given.items()}  # as Python reads names
    if not isinstance(text, str):
        raise TypeError(f"a formula is a text, such as '2*sin(x)', got {text!r:.80}")
    source = text.strip().replace("^", "**")
    tree = _tree(source, text)

    def value(node: ast.expr) -> Any:
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                first, *others = _terms(node)
                total = value(first[1])
                for op, term in others:
                    total = _ARITHMETIC[type(op)](total, value(term))
                return total
            case ast.BinOp(op=ast.Mult() | ast.Div()) | ast.UnaryOp(op=ast.USub()) if as_written:
                return _product([value(each) if power == 1 else value(each) ** power for each, power in _factors(node)])
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                first, *others = _terms(node)
                total = value(first[1])
                for op, factor in others:
                    total = _ARITHMETIC[type(op)](total, value(factor))
                return total
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                base, exponent = value(left), value(right)
                _check_power(base, exponent, ast.unparse(node), text)
                return base**exponent
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](value(operand))
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                written = ast.get_source_segment(source, node) or repr(number)
                if isinstance(number, float) and abs(Decimal(written).adjusted()) > DIGITS:
                    raise ValueError(f"{written} in {_brief(text)} is beyond what numbers can be, 1e-{DIGITS} to 1e{DIGITS}")
                if as_written and isinstance(number, float):
                    return sympy.Float(number)
                return sympy.Rational(written)
            case ast.Name(id=name):
                return own[name] if name in own else CONSTANTS.get(name, sympy.Symbol(name, real=True))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                try:
                    return FUNCTIONS[name](*map(value, arguments))
                except TypeError as error:
                    raise ValueError(f"{ast.unparse(node)} in {_brief(text)} has the wrong number of arguments") from error
            case ast.Call(func=ast.Name(id=name)):
                hint = nearest(name, list(FUNCTIONS)) or f"; known are {', '.join(FUNCTIONS)}"
                raise ValueError(f"there is no function {name!r} to read in {_brief(text)}{hint}; a product is written with *")
        raise ValueError(f"{ast.unparse(node)!r} in {_brief(text)} is neither arithmetic, a function, a name nor a number")

    try:
        return value(tree)
    except (OverflowError, ZeroDivisionError) as error:
        raise ValueError(f"{_brief(text)} has a part that no number is: {error}") from error


def _brief(text: str) -> str:
    """The text in quotation marks, its middle left out where it is long."""
    return repr(text if len(text) <= 200 else f"{text[:120]} ... {text[-60:]}")


def _tree(source: str, text: str) -> ast.expr:
    """The syntax of a formula, which is not too long and not too deep."""
    if len(source) > LETTERS:
        raise ValueError(f"{_brief(text)} is too long for a formula: it has {len(source)} letters, {LETTERS} are the limit")
    deep = f"is too long or nested too deeply for a formula: give a sum of fewer terms, and no more than {NESTED} levels"
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        if "too many nested" in str(error.msg):
            raise ValueError(f"{_brief(text)} {deep}") from error
        raise ValueError(f"{_brief(text)} is not a formula: {error.msg} at column {error.offset}") from error
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"{_brief(text)} {deep}") from error
    waiting: list[tuple[ast.AST, int, int]] = [(tree, 0, 0)]
    while waiting:
        node, level, kind = waiting.pop()
        if level > NESTED:
            raise ValueError(f"{_brief(text)} {deep}")
        own = _FLAT.get(type(node.op), 0) if isinstance(node, ast.BinOp) else 0
        for part in ast.iter_child_nodes(node):
            same = own and isinstance(node, ast.BinOp) and part is node.left and isinstance(part, ast.BinOp)
            flat = same and _FLAT.get(type(part.op), 0) == own  # type: ignore[attr-defined]
            waiting.append((part, level if flat or isinstance(part, (ast.Name, ast.Constant)) else level + 1, own))
    return tree


def _terms(node: ast.BinOp) -> list[tuple[ast.operator, ast.expr]]:
    """What a chain of sums and differences, or of products and quotients, joins, each with the sign before it; the first has none."""
    kind, found, here = _FLAT[type(node.op)], [], node
    while isinstance(here, ast.BinOp) and _FLAT.get(type(here.op)) == kind:
        found.append((here.op, here.right))
        here = here.left
    return [(ast.Add(), here), *reversed(found)]


def _check_power(base: Any, exponent: Any, part: str, text: str) -> None:
    """``ValueError`` for a power that would take for ever, or all memory, to work out."""
    greatest = max((abs(each) for each in exponent.atoms(sympy.Number)), default=0)
    bits = max((max(abs(each.p), each.q).bit_length() for each in base.atoms(sympy.Rational)), default=0)
    if greatest > EXPONENT or bits > 1 and bits * greatest > BITS:
        raise ValueError(f"{part:.80} in {_brief(text)} is too great a power: exponents go up to {EXPONENT}, numbers to {BITS} bits")


def _factors(product: ast.expr) -> Iterator[tuple[ast.expr, int]]:
    """What a product multiplies, with 1 or -1 as powers: 2*x/(3*y) has 2, x, 1/3 and 1/y."""
    waiting = [(product, 1)]
    while waiting:
        node, power = waiting.pop()
        match node:
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
                waiting += [(right, power if isinstance(op, ast.Mult) else -power), (left, power)]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                yield ast.Constant(-1), 1
                waiting.append((operand, power))
            case _:
                yield node, power


def _product(factors: list[Any]) -> Any:
    """The product, but a number times a sum stays one."""
    number = sympy.Mul(*(each for each in factors if each.is_Number))
    rest = sympy.Mul(*(each for each in factors if not each.is_Number))
    return sympy.Mul(number, rest, evaluate=False) if rest.is_Add and number != 1 else number * rest
