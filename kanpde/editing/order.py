"""Nodes in another order: the same function, drawn with less ink."""

from typing import Any

import torch
from torch import Tensor

from kanpde.editing.places import checked_network, checked_node
from kanpde.editing.rewiring import factors_of, linear_of, rewired
from kanpde.kan import KAN
from kanpde.network import checked_points


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
    spreads = _spreads(network, points)
    return sum(float((each * (_places(len(each))[:, None] - _places(each.shape[1])).abs()).sum()) for each in spreads)


@torch.no_grad()
def auto_swap(network: KAN, points: Any) -> KAN:
    """The network with the nodes of its hidden layers in an order of low :func:`connection_cost`: the same function, easier to read.

    Of all exchanges of two nodes of one kind that lower the cost, the best is made, until there is none.
    """
    spreads, other = _spreads(network, points), network.edited()
    orders = [list(range(layer.inputs)) for layer in other.wires] + [list(range(other.wires[-1].outputs))]
    while True:
        found = [_best_exchange(spreads, orders, layer, other.wires[layer].sums) for layer in range(len(other.wires) - 1)]
        layer = max(range(len(found)), key=lambda each: found[each][0], default=0)
        if not found or found[layer][0] <= 1e-12:
            break
        _, first, second = found[layer]
        order = orders[layer + 1]
        order[first], order[second] = order[second], order[first]
    for layer, order in enumerate(orders[1:-1]):
        _ordered(other, layer, order)
    return other


def _spreads(network: KAN, points: Any) -> list[Tensor]:
    """The standard deviation of every edge over the points, those of a product's factors added: (outputs, inputs) by layer."""
    z, found = checked_network(network).node_values(checked_points(network, points)), []
    for layer, each in zip(network.wires, z, strict=False):
        spread = layer.edge_values(each).std(2, correction=0).double().cpu()
        found.append(torch.stack([spread[linear_of(layer, node)].sum(0) for node in range(layer.outputs)]))
    return found


def _best_exchange(spreads: list[Tensor], orders: list[list[int]], layer: int, sums: int) -> tuple[float, int, int]:
    """What the best exchange among the outputs of a layer saves, and the two places.

    Nodes of one layer are not connected, so that a node k at a place p costs C_kp, whatever the others do; exchanging the nodes a and b at
    the places p and q saves C_ap + C_bq - C_aq - C_bp.
    """
    order = orders[layer + 1]
    places = _places(len(order))
    cost = torch.zeros(len(order), len(order), dtype=torch.float64)
    for weights, ends in ((spreads[layer], orders[layer]), (spreads[layer + 1].T, orders[layer + 2])):
        cost += weights[:, ends] @ (_places(len(ends))[:, None] - places).abs()
    here = cost[order]  # by place, then by the place where its node might go
    own = here.diagonal()
    saved = own[:, None] + own - here - here.T
    kind = torch.tensor([node < sums for node in order])
    saved[kind[:, None] != kind] = 0.0
    best = int(saved.argmax())
    return float(saved.flatten()[best] / max(1e-300, float(cost.abs().max()))), best // len(order), best % len(order)


def _places(count: int) -> Tensor:
    """Where the nodes of a layer stand."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count
