"""Constants where one expects them: sqrt(c A) is C sqrt(A), exp(c + A) is C exp(A), log(c A) is C + log A."""

import math
from collections import Counter
from collections.abc import Iterator

from kanpde.symbolic.forms import Node, constant

LARGEST = 300.0  # exponents that exp gets


def absorbed(root: Node) -> Node:
    """The formula with its free constants moved out of powers, exponentials and logarithms, and those that meet made one.

    They take numbers that are added to them, and rational ones that multiply them, along: of c + 1 and 2 c nothing is left but c. A
    constant that occurs twice stays where it is.
    """
    occurring = Counter(id(node) for node in _walk(root) if node.kind == "constant")
    return _moved(root, {key for key, times in occurring.items() if times > 1})


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for part in node.parts:
        yield from _walk(part)


def _moved(node: Node, shared: set[int]) -> Node:
    if not node.parts:
        return node
    parts = tuple(_moved(part, shared) for part in node.parts)

    def split(inner: Node, kind: str) -> tuple[list[float], list[Node]]:
        """The values of the free constants, and the other parts, of a sum or product; of anything else, itself."""
        of = inner.parts if inner.kind == kind else (inner,)
        free = [part.value for part in of if part.kind == "constant" and id(part) not in shared]
        return free, [part for part in of if part.kind != "constant" or id(part) in shared]

    if node.kind in ("sum", "product"):
        flat = tuple(inner for part in parts for inner in (part.parts if part.kind == node.kind else (part,)))
        free, rest = split(Node(node.kind, flat), node.kind)
        if free:
            along = [part for part in rest if part.kind == "number" and (node.kind == "sum" or part.value.is_Rational and part.value != 0)]
            free, rest = free + [float(part.value) for part in along], [part for part in rest if part not in along]
        value = sum(free) if node.kind == "sum" else math.prod(free)
        return _joined(node.kind, value if free else None, rest)
    if node.kind == "power":
        free, rest = split(parts[0], "product")
        value = math.prod(free)
        if free and (value > 0 or node.value.denominator == 1 and value != 0):
            inner = _joined("product", None, rest)
            return _joined("product", value ** float(node.value), [inner**node.value] if rest else [])
    if node.kind == "f" and node.value.name == "exp":
        factors, inner = _scaled(parts[0])
        free, rest = split(inner, "sum")
        exponent = sum(free) * math.prod(float(each.value) for each in factors)
        if free and abs(exponent) < LARGEST:
            left = [_joined("product", None, [*factors, _joined("sum", None, rest)]).under(node.value)] if rest else []
            return _joined("product", math.exp(exponent), left)
    if node.kind == "f" and node.value.name == "log":
        free, rest = split(parts[0], "product")
        if free and math.prod(free) > 0:
            return _joined("sum", math.log(math.prod(free)), [_joined("product", None, rest).under(node.value)] if rest else [])
    return Node(node.kind, parts, node.value)


def _scaled(node: Node) -> tuple[list[Node], Node]:
    """The numbers and constants that multiply a sum, and the sum; none and the node itself if it is nothing of the kind."""
    if node.kind == "product":
        sums = [part for part in node.parts if part.kind == "sum"]
        factors = [part for part in node.parts if part.kind in ("number", "constant")]
        if len(sums) == 1 and len(factors) + 1 == len(node.parts):
            return factors, sums[0]
    return [], node


def _joined(kind: str, value: float | None, rest: list[Node]) -> Node:
    """A sum or product of a free constant of this value, if there is one, and the rest."""
    parts = [*([constant(value)] if value is not None else []), *rest]
    return parts[0] if len(parts) == 1 else Node(kind, tuple(parts))
