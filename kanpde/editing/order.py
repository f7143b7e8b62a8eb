"""Nodes in another order: the same function, drawn with less ink."""

from typing import Any

import torch
from torch import Tensor

from kanpde.editing.places import checked_network, checked_node, checked_points, visited
from kanpde.editing.rewiring import factors_of, rewired
from kanpde.kan import KAN


def swap(network: KAN, layer: int, node: int, other: int) -> KAN:
    """The network with two nodes of a hidden layer exchanged, in its outputs and in the inputs of the next layer: the same function.

    Splines, symbolic terms, ranges, biases and what is frozen go along. Sum nodes stand before product nodes, so that only two of
    one kind can be exchanged; products may have different numbers of factors.

    Raises ``ValueError`` for nodes that do not exist, for a sum and a product, and for outputs of the network.
    """
    node, other = checked_node(network, layer, node), checked_node(network, layer, other)
    if layer == len(network.wires) - 1:
        raise ValueError(f"the nodes of layer {layer} are the outputs of the network, whose order is the caller's")
    wires = network.wires[layer]
    if (node < wires.sums) != (other < wires.sums):
        raise ValueError(
            f"one of nodes {node} and {other} of layer {layer} is a sum and one a product: its {wires.sums} sums stand before its products"
        )
    order = list(range(wires.outputs))
    order[node], order[other] = other, node
    return _ordered(network.edited(), layer, order)


def _ordered(network: KAN, layer: int, order: list[int]) -> KAN:
    """The network itself, its nodes in an order that keeps sums before products."""
    wires, after = network.wires[layer], network.wires[layer + 1]
    factors = factors_of(wires)
    products = [factors[place - wires.sums] for place in order[wires.sums :]]
    network.layers[layer] = rewired(wires, sums=order[: wires.sums], products=products)
    network.layers[layer + 1] = rewired(after, inputs=order)
    return network


@torch.no_grad()
def connection_cost(network: KAN, points: Any) -> float:
    """How long the edges are, weighted by how much they carry: sum |x_o - x_i| std(e_oi) over all edges and ``points`` (N, inputs).

    The nodes of a layer stand at x = (k + 1/2) / n, and the factors of a product where it does. Source: Liu, Gan and Tegmark, arXiv
    2305.08746, eq. 3, with the spread of an edge in place of the size of a weight.
    """
    return sum(float((each * _lengths(network, number)).sum()) for number, each in enumerate(_spreads(network, points)))


@torch.no_grad()
def auto_swap(network: KAN, points: Any) -> KAN:
    """The network with the nodes of its hidden layers in an order of low :func:`connection_cost`: the same function, easier to read.

    Of all exchanges of two nodes of one kind that lower the cost, the best is made, until there is none.
    """
    spreads, other = _spreads(network, points), network.edited()
    orders = [list(range(layer.outputs)) for layer in other.wires[:-1]]
    while True:
        best, gain = None, 1e-12
        for layer, order in enumerate(orders):
            sums, here = other.wires[layer].sums, _cost_around(other, spreads, orders, layer)
            for first in range(len(order)):
                for second in range(first + 1, len(order)):
                    if (order[first] < sums) != (order[second] < sums):
                        continue
                    order[first], order[second] = order[second], order[first]
                    saved = here - _cost_around(other, spreads, orders, layer)
                    order[first], order[second] = order[second], order[first]
                    if saved > gain * (1 + here):
                        best, gain = (layer, first, second), saved / (1 + here)
        if best is None:
            break
        layer, first, second = best
        orders[layer][first], orders[layer][second] = orders[layer][second], orders[layer][first]
    for layer, order in enumerate(orders):
        _ordered(other, layer, order)
    return other


def _spreads(network: KAN, points: Any) -> list[Tensor]:
    """The standard deviation of every edge over the points, (linear, inputs) by layer."""
    z = visited(checked_network(network), checked_points(network, points))
    return [layer.edge_values(each).std(2, correction=0) for layer, each in zip(network.wires, z, strict=False)]


def _cost_around(network: KAN, spreads: list[Tensor], orders: list[list[int]], layer: int) -> float:
    """The cost of the edges that end or begin at the nodes of a layer, with the nodes in these orders."""
    cost = 0.0
    for number in (layer, layer + 1):
        before = orders[number - 1] if number else None
        after = orders[number] if number < len(orders) else None
        cost += float((spreads[number] * _lengths(network, number, before, after)).sum())
    return cost


def _lengths(network: KAN, number: int, before: list[int] | None = None, after: list[int] | None = None) -> Tensor:
    """How far the ends of every edge of a layer are apart: (linear, inputs); nodes stand in the orders given."""
    layer = network.wires[number]
    places = _places(layer.inputs, before).to(layer.low)
    nodes = _places(layer.outputs, after).to(layer.low)
    counts = torch.tensor([1] * layer.sums + list(layer.arities), device=nodes.device)
    return (nodes.repeat_interleave(counts)[:, None] - places).abs()


def _places(count: int, order: list[int] | None) -> Tensor:
    """Where each node stands, by its own number."""
    found = torch.empty(count, dtype=torch.float64)
    found[torch.tensor(range(count) if order is None else order)] = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return found
