"""Formulas written shorter: common factors out of sums, equal factors together, roots of squares of what is positive.

    sqrt((x^2 u/c + x^2)/(1 - u/c)) = x sqrt((c + u)/(c - u))        for x, c > 0

What counts is the length of the description (:func:`kanpde.symbolic.description.structure_nats`): a search finds a law as one of many
trees, and that one of them is long must not make it lose against a law that is different.
"""

from collections.abc import Iterable
from fractions import Fraction

from kanpde.symbolic.description import formula_size
from kanpde.symbolic.forms import Form, Node, number

Factors = dict[object, tuple[Node, Fraction]]  # by what the base is: the base and its exponent


def factored(root: Node, inputs: int, positive: Iterable[int] = ()) -> Node:
    """The shortest of the formula and what becomes of it by factoring; ``positive`` are the variables that are."""
    always = frozenset(positive)
    ways = [root, *(_Factoring(always, fractions=fractions).whole(root) for fractions in (False, True))]
    return min(ways, key=lambda each: formula_size(Form(each, inputs)))


class _Factoring:
    """``fractions``: also denominators of a sum's terms, u/c + 1 = (u + c)/c."""

    def __init__(self, positive: frozenset[int], *, fractions: bool) -> None:
        self.positive, self.fractions = positive, fractions

    def whole(self, node: Node) -> Node:
        return _product(self.factors(node))

    def factors(self, node: Node) -> Factors:
        """What the node is a product of."""
        found: Factors = {}
        if node.kind == "product":
            for part in node.parts:
                _multiply(found, self.factors(part))
            return found
        if node.kind == "power":
            return self._power(self.factors(node.parts[0]), node.value)
        if node.kind == "sum":
            return self._sum([self.factors(part) for part in node.parts])
        if node.kind in ("f", "raised"):
            node = Node(node.kind, tuple(self.whole(part) for part in node.parts), node.value)
        return {_key(node): (node, Fraction(1))}

    def _power(self, base: Factors, exponent: Fraction) -> Factors:
        found: Factors = {}
        inside: Factors = {}
        for key, (node, power) in base.items():
            apart = exponent.denominator == 1 or (node.kind == "x" and node.value in self.positive)
            _multiply(found if apart else inside, {key: (node, power * exponent if apart else power)})
        if inside:
            if len(inside) == 1:
                ((key, (node, power)),) = inside.items()
                if power.numerator % 2 or power.denominator > 1:  # (u^2)^(1/2) is |u|
                    _multiply(found, {key: (node, power * exponent)})
                    return found
            rest = Node("power", (_product(inside),), exponent)
            _multiply(found, {_key(rest): (rest, Fraction(1))})
        return found

    def _sum(self, terms: list[Factors]) -> Factors:
        common: Factors = {}
        for key in {key: None for term in terms for key in term}:
            node = next(term[key][0] for term in terms if key in term)
            least = min(term[key][1] if key in term else Fraction(0) for term in terms)
            if node.kind != "constant" and (least > 0 or (least < 0 and self.fractions)) and (least.denominator == 1 or node.kind == "x"):
                common[key] = node, least
        parts = []
        for term in terms:
            rest = dict(term)
            _multiply(rest, {key: (node, -power) for key, (node, power) in common.items()})
            parts.append(_product(rest))
        inner = Node("sum", tuple(piece for part in parts for piece in (part.parts if part.kind == "sum" else (part,))))
        _multiply(common, {_key(inner): (inner, Fraction(1))})
        return common


def _multiply(found: Factors, more: Factors) -> None:
    for key, (node, power) in more.items():
        before = found[key][1] if key in found else Fraction(0)
        if before + power:
            found[key] = node, before + power
        else:
            found.pop(key, None)


def _product(factors: Factors) -> Node:
    parts = [node**power for node, power in factors.values()]
    if not parts:
        return number(1)
    return parts[0] if len(parts) == 1 else Node("product", tuple(parts))


def _key(node: Node) -> object:
    """Equal for parts that are the same; constants are by themselves."""
    if node.kind == "constant":
        return id(node)
    keys = [_key(part) for part in node.parts]
    return node.kind, tuple(sorted(keys, key=repr) if node.kind in ("sum", "product") else keys), node.value
