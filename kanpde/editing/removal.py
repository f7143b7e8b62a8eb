"""Taking edges, nodes and inputs out of a network, their means folded into biases."""

from typing import Any

import torch

from kanpde.augmented import Augmented
from kanpde.editing.places import checked_edge, checked_input, checked_network, checked_node, entering
from kanpde.editing.rewiring import drop_edges, factors_of, fold, linear_of, rewired, scale_output, without_input, without_node
from kanpde.kan import KAN


@torch.no_grad()
def remove_edge(network: KAN, layer: int, output: int, input: int, points: Any = None) -> KAN:
    """The network without the edge from ``input`` to linear output ``output`` of a layer.

    With ``points`` (N, inputs) the mean of the edge over them goes to the bias of its output; without them nothing is folded, and the
    output moves by what the edge gave. Linear outputs are the sum nodes, then the factors of each product node.

    Raises ``ValueError`` for an edge that does not exist.
    """
    edge = checked_edge(network, layer, output, input)
    other = network.edited()
    changed = other.wires[layer]
    if points is not None:
        mean = changed.edge_values(entering(network, points, layer)).mean(2)
        values = torch.zeros_like(mean[:, 0])
        values[output] = mean[output, input]
        fold(changed, values)
    drop_edges(changed, [edge])
    return other


@torch.no_grad()
def remove_node(network: KAN, layer: int, node: int, points: Any = None) -> KAN:
    """The network without one node of a hidden layer: ``layer`` is the one whose output the node is, a sum or a product.

    With ``points`` (N, inputs) the means of its outgoing edges over them go to the biases of the next layer; without them nothing is
    folded.

    Raises ``ValueError`` for a node that does not exist, for an output of the network and for the last node of its layer.
    """
    checked_node(network, layer, node)
    if layer == len(network.wires) - 1:
        raise ValueError(f"node {node} of layer {layer} is an output of the network, and an output cannot be removed")
    if network.wires[layer].outputs == 1:
        raise ValueError(f"node {node} is the only one of layer {layer}: without it the network would be a constant")
    other = network.edited()
    after = other.wires[layer + 1]
    if points is not None:
        fold(after, after.edge_values(entering(network, points, layer + 1)).mean(2)[:, node])
    other.layers[layer], other.layers[layer + 1] = without_node(other.wires[layer], node), without_input(after, node)
    return other


@torch.no_grad()
def remove_input(network: KAN, input: int, points: Any = None, *, column: bool = True) -> KAN:
    """The network without what one of its inputs does; with ``column`` it then takes one coordinate fewer, and points one column fewer.

    With ``points`` (N, inputs) the means of the input's edges over them go to the biases of the first layer; without them nothing is
    folded. ``column=False`` keeps the input, on which nothing depends any more: the network goes on taking the points that it took.

    Raises ``ValueError`` for an input that does not exist, and, with ``column``, for the only one and for those of a network with auxiliary
    inputs.
    """
    input = checked_input(network, input)
    if column and has_auxiliary(network):
        raise ValueError(f"the auxiliary inputs of {network} are functions of its coordinates: with column=False input {input} stays one")
    if column and network.inputs == 1:
        raise ValueError("input 0 is the only one of the network: with column=False it stays, without its edges")
    other = network.edited()
    first = other.wires[0]
    if points is not None:
        fold(first, first.edge_values(entering(network, points, 0)).mean(2)[:, input])
    if column:
        drop_columns(other, [input])
    else:
        drop_edges(first, [(output, input) for output in range(first.linear)])
    return other


def has_auxiliary(network: KAN) -> bool:
    """Whether its first layer sees other than the coordinates."""
    return isinstance(network, Augmented)


def drop_columns(network: KAN, inputs: list[int]) -> None:
    """Take coordinates out of a network itself, with whatever edges they still have."""
    kept = [place for place in range(network.inputs) if place not in inputs]
    network.layers[0] = rewired(network.wires[0], inputs=kept)
    network.lower, network.upper = network.lower[kept].clone(), network.upper[kept].clone()


@torch.no_grad()
def simplify(network: KAN) -> KAN:
    """The same function without nodes that do nothing: constant ones are folded into the biases behind them, exactly, and those without
    an outgoing edge vanish. A factor without edges is a number, with which another factor of its product is multiplied instead.
    """
    other = checked_network(network).edited()
    while any([_simplified(other, layer) for layer in range(len(other.wires) - 1)]):
        pass
    return other


def _simplified(network: KAN, number: int) -> bool:
    """Do so in one hidden layer of the network itself; whether there was anything to do."""
    layer, found = network.wires[number], False
    for node in range(layer.sums, layer.outputs):
        if any(not bool(layer.edges[factor].any()) for factor in linear_of(layer, node)):
            _absorb(network, number, node)
            return True
    for node in range(layer.outputs):
        layer, after = network.wires[number], network.wires[number + 1]
        if node < layer.sums and not bool(layer.edges[node].any()) and bool(after.edges[:, node].any()):
            value = 0.0 if layer.bias is None else float(layer.bias[node])
            z = torch.zeros(after.inputs, 1).to(after.low)
            z[node] = value
            fold(after, after.edge_values(z)[:, node, 0])
            drop_edges(after, [(output, node) for output in range(after.linear)])
            found = True
    for node in reversed(range(network.wires[number].outputs)):
        layer, after = network.wires[number], network.wires[number + 1]
        if layer.outputs > 1 and not bool(after.edges[:, node].any()):
            network.layers[number], network.layers[number + 1] = without_node(layer, node), without_input(after, node)
            found = True
    return found


def _absorb(network: KAN, number: int, node: int) -> None:
    """Take the constant factors out of a product node, which becomes a sum node if one factor is left, or none."""
    layer, after = network.wires[number], network.wires[number + 1]
    factors = linear_of(layer, node)
    moving = [factor for factor in factors if bool(layer.edges[factor].any())]
    constant = 1.0
    for factor in set(factors) - set(moving):
        constant *= 0.0 if layer.bias is None else float(layer.bias[factor])
    if constant == 0.0:  # and so is the product
        drop_edges(layer, [(factor, i) for factor in moving for i in range(layer.inputs)])
        moving = []
    left, position = moving or factors[:1], node - layer.sums
    if moving:
        scale_output(layer, moving[0], constant)
    elif layer.bias is not None:
        layer.bias[factors[0]] = constant
    if len(left) > 1:
        products = factors_of(layer)
        products[position] = left
        network.layers[number] = rewired(layer, products=products)
        return
    products = factors_of(layer)
    products.pop(position)
    network.layers[number] = rewired(layer, sums=[*range(layer.sums), left[0]], products=products)
    order = [*range(layer.sums), node, *(place for place in range(layer.sums, layer.outputs) if place != node)]
    network.layers[number + 1] = rewired(after, inputs=order)
