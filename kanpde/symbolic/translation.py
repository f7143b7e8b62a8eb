"""From a sympy expression to a graph of sum and product nodes with primitives on its edges, node by node, without approximation.

Sums become sum nodes and products product nodes; a function of an argument a core + b becomes an edge from the value of ``core``, so that
sin(x + y) and cos(2 x + 2 y + 1) share a node. Equal subexpressions are computed once.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import sympy

from kanpde.primitives import PRIMITIVES, Primitive, power
from kanpde.symbolic.graph import IDENTITY, Factor, Graph, Node, Term

UNARY: dict[Any, str] = {
    sympy.exp: "exp", sympy.log: "log", sympy.sin: "sin", sympy.cos: "cos", sympy.tan: "tan", sympy.asin: "asin", sympy.acos: "acos",
    sympy.atan: "atan", sympy.sinh: "sinh", sympy.cosh: "cosh", sympy.tanh: "tanh", sympy.coth: "coth", sympy.sech: "sech",
    sympy.asinh: "asinh", sympy.acosh: "acosh", sympy.atanh: "atanh", sympy.Abs: "abs", sympy.sign: "sign", sympy.Heaviside: "heaviside",
    sympy.erf: "erf", sympy.erfc: "erfc", sympy.sinc: "sinc",
}  # fmt: skip

REWRITTEN: dict[Any, Any] = {
    sympy.sec: lambda x: 1 / sympy.cos(x),
    sympy.csc: lambda x: 1 / sympy.sin(x),
    sympy.cot: lambda x: 1 / sympy.tan(x),
    sympy.csch: lambda x: 1 / sympy.sinh(x),
    sympy.atan2: lambda y, x: 2 * sympy.atan(y / (sympy.sqrt(x**2 + y**2) + x)),
}


def translated(expressions: Sequence[Any], inputs: Sequence[Any]) -> Graph:
    """The graph of some sympy expressions of the symbols ``inputs``; ``ValueError`` that names a node it has no counterpart for."""
    writer = _Writer(inputs)
    outputs = tuple(writer.output(in_known_functions(expression)) for expression in expressions)
    return Graph(tuple(map(str, inputs)), tuple(writer.nodes), outputs).pruned()


def in_known_functions(expression: Any) -> Any:
    """What has no edge function of its own, in terms of what has."""
    for kind, formula in REWRITTEN.items():
        expression = expression.replace(kind, formula)
    expression = expression.replace(sympy.Max, lambda *each: _extreme(each, 1)).replace(sympy.Min, lambda *each: _extreme(each, -1))
    return expression.replace(sympy.Piecewise, _pieces)


def _extreme(values: Sequence[Any], sign: int) -> Any:
    """max(a, b) = (a + b + |a - b|) / 2, and so on for more."""
    total = values[0]
    for value in values[1:]:
        total = (total + value + sign * sympy.Abs(total - value)) / 2
    return total


def _pieces(*pieces: tuple[Any, Any]) -> Any:
    """f where a > b, else g, as f H(a - b) + g H(b - a)."""
    (value, condition), *others = pieces
    if condition == sympy.true:
        return value
    if not isinstance(condition, (sympy.StrictGreaterThan, sympy.GreaterThan, sympy.StrictLessThan, sympy.LessThan)) or not others:
        raise ValueError(f"a Piecewise must compare two expressions in each condition, the last of which is True; {condition} is not so")
    above = condition.gts - condition.lts  # type: ignore[operator]
    return value * sympy.Heaviside(above) + _pieces(*others) * sympy.Heaviside(-above)


class _Writer:
    """Writes nodes one after the other; ``known`` says which value is which expression."""

    def __init__(self, inputs: Sequence[Any]) -> None:
        self.inputs = tuple(inputs)
        self.known: dict[Any, int] = {symbol: number for number, symbol in enumerate(inputs)}
        self.nodes: list[Node] = []

    def add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.inputs) + len(self.nodes) - 1

    def output(self, expression: Any) -> int:
        """The node of a whole expression: a multiple of a node is that node with the multiple in its first factor."""
        factor = self.factor(expression)
        if len(factor.terms) == 1 and not factor.bias:
            (term,) = factor.terms
            number = term.source - len(self.inputs)
            if term.primitive == IDENTITY and number >= 0:
                first, *others = self.nodes[number].factors
                return term.source if term.c == 1 else self.add(Node((first.scaled(term.c), *others)))
        return self.add(Node((factor,)))

    def value(self, core: Any) -> int:
        """The number of the value ``core``, which is neither a number nor a multiple of something."""
        if core not in self.known:
            self.known[core] = self.add(self.product(core) if core.is_Mul and _common_power(core) is None else Node((self.factor(core),)))
        return self.known[core]

    def product(self, core: Any) -> Node:
        return Node(tuple(self.factor(each) for each in core.args))

    def factor(self, expression: Any) -> Factor:
        """The expression as a sum over edges from values."""
        terms, bias = dict[tuple[int, Primitive, float, float], float](), 0.0
        for part in sympy.Add.make_args(expression):
            coefficient, core = part.as_independent(*self.inputs, as_Add=False)
            if core == 1:
                bias += _number(coefficient)
                continue
            inner = self.factor(core).scaled(_number(coefficient)) if core.is_Add else Factor((self.edge(core, coefficient),))
            bias += inner.bias
            for term in inner.terms:
                key = (term.source, term.primitive, term.a, term.b)
                terms[key] = terms.get(key, 0.0) + term.c
        return Factor(tuple(Term(*key, c=c) for key, c in terms.items()), bias)

    def edge(self, core: Any, coefficient: Any) -> Term:
        """coefficient * core as an edge from one value."""
        if core in self.known:
            return Term(self.known[core], IDENTITY, c=_number(coefficient))
        if core.is_Mul:
            common = _common_power(core)
            if common is None:
                return Term(self.value(core), IDENTITY, c=_number(coefficient))
            return self.unary(power(common), _root(core, common), coefficient)
        if core.is_Pow:
            return self.raised(core, coefficient)
        if core.func == sympy.exp and (found := _gaussian(core.args[0], self.inputs)):
            argument, offset = found
            return self.unary(PRIMITIVES["gaussian"], argument, coefficient * sympy.exp(offset))
        if core.func in UNARY and (len(core.args) == 1 or core.func == sympy.Heaviside):
            return self.unary(PRIMITIVES[UNARY[core.func]], core.args[0], coefficient)
        shown = str(core) if len(str(core)) < 80 else str(core)[:77] + "..."
        raise ValueError(f"there is no edge function for {core.func.__name__} in {shown}: write it in terms of {', '.join(PRIMITIVES)}")

    def raised(self, core: Any, coefficient: Any) -> Term:
        """A power, whose exponent may be any real number or expression."""
        base, exponent = core.as_base_exp() if core.base.is_number else core.args
        exponential = PRIMITIVES["exp"]
        if base.is_number:
            if not base.is_positive:
                raise ValueError(f"{core} is no real number for most exponents: the base of a power must be positive")
            return self.unary(exponential, exponent if base == sympy.E else exponent * sympy.log(base), coefficient)
        if exponent.is_Float or exponent.is_Rational:
            p = _fraction(exponent)
            for match in _PATTERNS:
                if found := match(base, p, self.inputs):
                    primitive, argument, factor = found
                    return self.unary(primitive, argument, coefficient * factor)
            return self.unary(power(p), base, coefficient)
        return self.unary(exponential, sympy.Mul(exponent, sympy.log(base)), coefficient)

    def unary(self, primitive: Primitive, argument: Any, coefficient: Any) -> Term:
        """coefficient * primitive(argument), the argument taken apart into a core + b."""
        b, rest = argument.as_independent(*self.inputs, as_Add=True)
        a, core = rest.as_independent(*self.inputs, as_Add=False)
        if core.is_Add:
            content, core = core.primitive()
            if core.could_extract_minus_sign():
                content, core = -content, -core
            a *= content
        whole = _whole_power(primitive)
        if b == 0 and whole is not None:  # the factor goes in front
            a, coefficient = 1, coefficient * a**whole
        return Term(self.value(core), primitive, _number(a), _number(b), _number(coefficient))


def _number(value: Any) -> float:
    """An exact real number as a float; ``ValueError`` for what is not real or not finite."""
    found = sympy.N(sympy.sympify(value), 30)
    if not found.is_real or not found.is_finite:
        raise ValueError(f"{value} in the expression is not a finite real number")
    return float(found)


def _fraction(exponent: Any) -> Fraction:
    """A rational exponent; of a float the simplest fraction that it may have been."""
    if exponent.is_Rational:
        return Fraction(int(exponent.p), int(exponent.q))
    simple = Fraction(float(exponent)).limit_denominator(1000)
    return simple if float(simple) == float(exponent) else Fraction(repr(float(exponent)))


def _whole_power(primitive: Primitive) -> int | None:
    if primitive == IDENTITY:
        return 1
    name = primitive.name.removeprefix("x^")
    return int(name) if name != primitive.name and name.lstrip("-").isdigit() else None


def _common_power(core: Any) -> int | None:
    """The whole power n of a product (p q ...)^n in which a sum is raised to n, so that the sum need be no node of its own."""
    pairs = [factor.as_base_exp() for factor in core.args]
    of_sums = {exponent for base, exponent in pairs if base.is_Add}
    if len(of_sums) != 1:
        return None
    (common,) = of_sums
    if not common.is_Integer or common == 1:
        return None
    shares = [exponent / common for _, exponent in pairs]
    if not all(share.is_Integer and (common > 0 or share > 0) for share in shares):
        return None
    return int(common)


def _root(core: Any, common: int) -> Any:
    return sympy.Mul(*(base ** (exponent / common) for base, exponent in (factor.as_base_exp() for factor in core.args)))


def _gaussian(argument: Any, inputs: Sequence[Any]) -> tuple[Any, Any] | None:
    """exp(b - a w^2) as exp(b) gaussian(sqrt(a) w): (sqrt(a) w, b)."""
    b, rest = argument.as_independent(*inputs, as_Add=True)
    a, core = rest.as_independent(*inputs, as_Add=False)
    pairs = [factor.as_base_exp() for factor in sympy.Mul.make_args(core)]
    if not a.is_negative or not all(exponent in (2, -2) for _, exponent in pairs):
        return None
    return sympy.sqrt(-a) * sympy.Mul(*(base ** (exponent / 2) for base, exponent in pairs)), b


def _of_exponential(base: Any, p: Fraction, inputs: Sequence[Any]) -> tuple[Primitive, Any, Any] | None:
    """1 / (k exp(u) - k) and 1 / (k exp(u) + k)."""
    if p != -1 or not base.is_Add or len(base.args) != 2:
        return None
    b, rest = base.as_independent(*inputs, as_Add=True)
    k, core = rest.as_independent(*inputs, as_Add=False)
    if core.func != sympy.exp or b not in (k, -k):
        return None
    bose = PRIMITIVES["bose"], core.args[0], 1 / k
    return bose if b == -k else (PRIMITIVES["sigmoid"], -core.args[0], 1 / k)


_QUADRATIC = {
    (1, -1): "lorentzian",
    (-1, Fraction(-1, 2)): "lorentz_factor",
    (-1, Fraction(1, 2)): "semicircle",
    (1, Fraction(1, 2)): "hyperbola",
}


def _of_square(base: Any, p: Fraction, inputs: Sequence[Any]) -> tuple[Primitive, Any, Any] | None:
    """(b + a x^2)^p for a variable x and b > 0, where b^p (1 +- v^2)^p is in the table."""
    b, rest = base.as_independent(*inputs, as_Add=True)
    a, core = rest.as_independent(*inputs, as_Add=False)
    if not b.is_positive or not core.is_Pow or core.args[1] != 2 or not core.args[0].is_Symbol or not a.is_real:
        return None
    name = _QUADRATIC.get((1 if a.is_positive else -1, p))
    return (
        None if name is None else (PRIMITIVES[name], sympy.sqrt(abs(a) / b) * core.args[0], b ** sympy.Rational(p.numerator, p.denominator))
    )


def _of_function(base: Any, p: Fraction, inputs: Sequence[Any], *, kind: Any, wanted: int, name: str) -> tuple[Primitive, Any, Any] | None:
    return (PRIMITIVES[name], base.args[0], 1) if base.func == kind and p == wanted else None


_PATTERNS = (
    _of_exponential,
    _of_square,
    partial(_of_function, kind=sympy.tanh, wanted=-1, name="coth"),
    partial(_of_function, kind=sympy.cosh, wanted=-1, name="sech"),
    partial(_of_function, kind=sympy.cosh, wanted=-2, name="sech^2"),
)
