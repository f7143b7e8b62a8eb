"""Whether a formula is smooth in a box: its logarithms, roots and quotients away from their singularities, by interval arithmetic."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import sympy

_iv: Any = mpmath.iv

ROUGH = (
    sympy.Abs, sympy.sign, sympy.Heaviside, sympy.Min, sympy.Max, sympy.Piecewise, sympy.DiracDelta, sympy.floor, sympy.ceiling, sympy.Mod,
    sympy.arg, sympy.re, sympy.im, sympy.conjugate,
)  # fmt: skip
BOXES = 1500  # that are looked at, at most
_MONOTONE = {sympy.exp: "exp", sympy.sinh: "sinh", sympy.tanh: "tanh", sympy.atan: "atan", sympy.asinh: "asinh", sympy.erf: "erf"}


class Unknown(Exception):
    """What interval arithmetic here knows nothing of."""


def rough(expression: Any) -> str:
    """The first part that is no smooth function, or nothing."""
    found = sorted(map(str, expression.atoms(*ROUGH)), key=lambda text: (len(text), text))
    return found[0] if found else ""


def singular(expression: Any, ranges: Mapping[Any, tuple[Any, Any]], values: Mapping[Any, float]) -> str | None:
    """How a formula is singular in the closed box ``ranges`` (by coordinate); "" if interval arithmetic shows that it is not, else None.

    ``values`` are numbers for constants that are free.
    """
    written = expression.replace(lambda node: isinstance(node, (sympy.tan, sympy.sec)), lambda node: node.rewrite(sympy.cos)).replace(
        lambda node: isinstance(node, (sympy.cot, sympy.csc, sympy.coth, sympy.csch)), lambda node: node.rewrite(sympy.exp)
    )
    written = written.replace(lambda node: isinstance(node, sympy.sech), lambda node: 1 / sympy.cosh(node.args[0]))
    undecided = False
    for inner, positive in _delicate(written):
        outcome = _away_from_zero(inner, positive, ranges, values)
        if outcome:
            return outcome
        undecided |= outcome is None
    return None if undecided else ""


def _delicate(expression: Any) -> list[tuple[Any, bool]]:
    """What must not vanish, and whether it must be positive."""
    found: dict[Any, bool] = {}
    every: Any = sympy.preorder_traversal(expression)
    for node in every:
        if isinstance(node, sympy.Pow) and node.base.free_symbols and not isinstance(node.base, sympy.exp):
            if not node.exp.is_Integer:
                found[node.base] = True
            elif node.exp.is_negative:
                found.setdefault(node.base, False)
        elif isinstance(node, sympy.log) and node.free_symbols:
            found[node.args[0]] = True
        elif isinstance(node, (sympy.asin, sympy.acos, sympy.atanh)):
            argument: Any = node.args[0]
            found[1 - argument**2] = True
        elif isinstance(node, sympy.acosh):
            argument = node.args[0]
            found[argument - 1] = True
    return sorted(found.items(), key=lambda pair: pair[0].count_ops())


def _away_from_zero(inner: Any, positive: bool, ranges: Mapping[Any, tuple[Any, Any]], values: Mapping[Any, float]) -> str | None:
    """ "" if it keeps its sign in the box; what is wrong; None if that is not settled."""
    inner = inner.xreplace({symbol: sympy.Float(value, 30) for symbol, value in values.items()})
    axes = [symbol for symbol in ranges if symbol in inner.free_symbols]
    waiting = [{axis: tuple(mpmath.mpf(sympy.N(bound, 30)) for bound in ranges[axis]) for axis in axes}]
    sign = 0
    for _ in range(BOXES):
        if not waiting:
            return ""
        box = waiting.pop()
        for corner in itertools.islice(itertools.product(*box.values()), 8):
            at = dict(zip(axes, map(sympy.Float, corner), strict=True))
            value = complex(sympy.N(inner.xreplace(at)))
            here = 0 if value.imag or abs(value.real) < 1e-13 else 1 if value.real > 0 else -1
            if value.imag or here == 0 or here == -sign or (positive and here < 0):
                place = ", ".join(f"{axis} = {float(number):.4g}" for axis, number in zip(axes, corner, strict=True))
                return f"{_short(inner)} {'is not positive' if positive or value.imag else 'vanishes'} in the domain, near {place}"
            sign = here
        try:
            found = _interval(inner, {axis: _iv.mpf(list(pair)) for axis, pair in box.items()})
        except (Unknown, ArithmeticError, ValueError, TypeError, NotImplementedError):
            return None
        if found.a > 0 or found.b < 0:
            continue
        if not axes:
            return None
        widest = max(axes, key=lambda axis: float(box[axis][1] - box[axis][0]) / float(ranges[axis][1] - ranges[axis][0]))
        low, high = box[widest]
        waiting += [{**box, widest: ((low + high) / 2, high)}, {**box, widest: (low, (low + high) / 2)}]
    return None


def _short(expression: Any) -> str:
    text = str(expression)
    return text if len(text) <= 60 else text[:57] + "..."


def _interval(node: Any, box: Mapping[Any, Any]) -> Any:
    """The values that an expression may have."""
    iv = _iv
    if node.is_Symbol:
        if node not in box:
            raise Unknown(str(node))
        return box[node]
    if not node.free_symbols:
        value = sympy.N(node, 30)
        if not value.is_real:
            raise Unknown(str(node))
        middle = mpmath.mpf(value)
        slack = abs(middle) * mpmath.mpf("1e-14") + mpmath.mpf("1e-300")
        return iv.mpf([middle - slack, middle + slack])
    if isinstance(node, sympy.Add):
        return sum((_interval(each, box) for each in node.args[1:]), start=_interval(node.args[0], box))
    if isinstance(node, sympy.Mul):
        found = _interval(node.args[0], box)
        for each in node.args[1:]:
            found = found * _interval(each, box)
        return found
    if isinstance(node, sympy.Pow) and node.exp.is_Integer:
        return _interval(node.base, box) ** int(node.exp)
    if isinstance(node, sympy.Pow) and node.exp.is_Rational:
        return iv.exp(_interval(sympy.log(node.base, evaluate=False), box) * _interval(node.exp, box))
    if isinstance(node, sympy.log):
        return iv.log(_interval(node.args[0], box))
    if isinstance(node, (sympy.sin, sympy.cos)):
        return getattr(iv, node.func.__name__)(_interval(node.args[0], box))
    if isinstance(node, sympy.cosh):
        inner = abs(_interval(node.args[0], box))
        return _rising(mpmath.cosh, inner)
    if node.func in _MONOTONE:
        return _rising(getattr(mpmath, _MONOTONE[node.func]), _interval(node.args[0], box))
    raise Unknown(str(node.func))


def _rising(function: Any, inner: Any) -> Any:
    """The values of a function that rises."""
    low, high = function(mpmath.mpf(inner.a)), function(mpmath.mpf(inner.b))
    return _iv.mpf([low - abs(low) * mpmath.mpf("1e-13"), high + abs(high) * mpmath.mpf("1e-13")])


def real_points(ranges: Sequence[tuple[Any, Any]], count: int) -> list[tuple[Any, ...]]:
    """Points that fill the box evenly (the golden numbers of its dimension), rational, inside."""
    root = mpmath.mpf(2)
    for _ in range(40):
        root = (1 + root) ** (mpmath.mpf(1) / (len(ranges) + 1))
    steps = [root ** -(k + 1) for k in range(len(ranges))]
    shares = [[sympy.Rational(int(10**6 * ((step * (n + 1) + mpmath.mpf("0.37")) % 1)) * 2 + 1, 2 * 10**6) for step in steps]
              for n in range(count)]  # fmt: skip
    return [tuple(a + (b - a) * share for (a, b), share in zip(ranges, row, strict=True)) for row in shares]
