"""A formula as a graph of sum and product nodes with functions on its edges, and the layers that it takes as a network.

Values are numbered: the inputs first, then the nodes. A node multiplies factors, and a factor is a sum over edges,

    node = product over factors of (bias + sum over terms of c f(a value + b)),

so that a node of one factor is a sum node, which is all that a layer of a :class:`kanpde.kan.KAN` can do.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from kanpde.primitives import Primitive, power

IDENTITY = power(1)


@dataclass(frozen=True)
class Term:
    """An edge: c f(a z + b), z the value number ``source``."""

    source: int
    primitive: Primitive
    a: float = 1.0
    b: float = 0.0
    c: float = 1.0

    @property
    def rides(self) -> bool:
        """Whether this only carries a value on."""
        return self.primitive == IDENTITY and (self.a, self.b, self.c) == (1, 0, 1)


@dataclass(frozen=True)
class Factor:
    """A sum over edges, and a constant."""

    terms: tuple[Term, ...] = ()
    bias: float = 0.0

    def scaled(self, by: float) -> "Factor":
        return Factor(tuple(replace(term, c=term.c * by) for term in self.terms), self.bias * by)


@dataclass(frozen=True)
class Node:
    """A product of factors; a sum node if there is but one."""

    factors: tuple[Factor, ...]

    @property
    def sources(self) -> set[int]:
        return {term.source for factor in self.factors for term in factor.terms}

    def renumbered(self, position: dict[int, int]) -> "Node":
        """The same node where the values have other numbers."""
        return Node(tuple(replace(f, terms=tuple(replace(term, source=position[term.source]) for term in f.terms)) for f in self.factors))

    def values(self, inputs: np.ndarray) -> np.ndarray:
        """The node at the values (V, N) that its edges come from: (N,)."""
        total = np.ones(inputs.shape[1])
        for factor in self.factors:
            part = np.full(inputs.shape[1], factor.bias)
            for term in factor.terms:
                part += term.c * term.primitive.formula(term.a * inputs[term.source] + term.b)
            total = total * part
        return total


@dataclass(frozen=True)
class Graph:
    """``inputs`` named values, then ``nodes`` that use only values before them; ``outputs`` are numbers of nodes."""

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    def pruned(self) -> "Graph":
        """Without the nodes that no output needs."""
        first, needed = len(self.inputs), set(self.outputs)
        for number in range(len(self.nodes) - 1, -1, -1):
            if first + number in needed:
                needed |= self.nodes[number].sources
        kept = [*range(first), *(number for number in range(first, first + len(self.nodes)) if number in needed)]
        position = {number: place for place, number in enumerate(kept)}
        nodes = tuple(self.nodes[number - first].renumbered(position) for number in kept[first:])
        return Graph(self.inputs, nodes, tuple(position[number] for number in self.outputs))

    def values(self, points: np.ndarray) -> np.ndarray:
        """The outputs at ``points`` (N, inputs): (N, outputs)."""
        known = np.array(points, dtype=float).T.reshape(len(self.inputs), -1)
        for node in self.nodes:
            known = np.vstack([known, node.values(known)])
        return known[list(self.outputs)].T


def levels(graph: Graph) -> list[tuple[Node, ...]]:
    """The layers of the graph: every node uses only values of the layer before, and sum nodes come before product nodes.

    A node is computed as early as its sources allow, one of a single source as late as its use allows; what is wanted further on rides
    on identity edges. The last layer holds the outputs in their order, and is repeated by identities where products would precede sums.
    """
    first, stage = len(graph.inputs), _stages(graph)
    last = max(stage.values())
    wanted = {number: last + 1 for number in graph.outputs if stage[number] < last}
    for number, node in enumerate(graph.nodes, first):
        for source in node.sources:
            wanted[source] = max(wanted.get(source, 0), stage[number])
    found, before = [], list(range(first))
    for level in range(1, last + 1):
        carried = [value for value in before if wanted.get(value, 0) > level]
        ready = [*carried, *(number for number in stage if stage[number] == level)]
        here = ready if level < last else list(graph.outputs)
        position = {value: place for place, value in enumerate(before)}
        nodes = {value: graph.nodes[value - first] if value not in before else _riding(value) for value in here}
        if level < last:
            here.sort(key=lambda value: len(nodes[value].factors) > 1)
        found.append(tuple(nodes[value].renumbered(position) for value in here))
        before = here
    products = [len(node.factors) > 1 for node in found[-1]]
    if products != sorted(products):
        order = sorted(range(len(products)), key=lambda place: products[place])
        found[-1] = tuple(found[-1][place] for place in order)
        found.append(tuple(_riding(order.index(place)) for place in range(len(products))))
    return found


def _stages(graph: Graph) -> dict[int, int]:
    """Which layer computes which node, counted from 1; an output that others use as well is computed early and carried on."""
    first = len(graph.inputs)
    early = dict.fromkeys(range(first), 0)
    for number, node in enumerate(graph.nodes, first):
        early[number] = 1 + max((early[source] for source in node.sources), default=0)
    last = max(early[number] for number in graph.outputs)
    stage, latest = dict[int, int](), dict.fromkeys(graph.outputs, last)
    for number in range(first + len(graph.nodes) - 1, first - 1, -1):
        node = graph.nodes[number - first]
        final = number in graph.outputs and latest[number] == last
        stage[number] = latest[number] if final or len(node.sources) <= 1 else early[number]
        for source in node.sources:
            latest[source] = min(latest.get(source, last), stage[number] - 1)
    return dict(sorted(stage.items()))


def _riding(value: int) -> Node:
    return Node((Factor((Term(value, IDENTITY),)),))


def run(found: Iterable[tuple[Node, ...]], points: np.ndarray) -> np.ndarray:
    """The layers one after the other at ``points`` (N, inputs): (N, outputs)."""
    known = np.array(points, dtype=float).T
    for nodes in found:
        known = np.array([node.values(known) for node in nodes])
    return known.T
