"""Where an edit is to happen: layers, nodes and edges by number, checked; and what the data do there."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.network import checked_points

Edge = tuple[int, int]  # linear output, input


def checked_network(network: Any) -> KAN:
    """The network, or ``TypeError`` for one that has no layers of edges."""
    if not isinstance(network, KAN):
        hint = f": this is a {type(network).__name__}, take its .network" if hasattr(network, "network") else ""
        raise TypeError(f"edits are for KANs, whose edges are functions; got {network!r:.80}{hint}")
    return network


def checked_layer(network: KAN, layer: Any) -> Layer:
    """Layer number ``layer``; ``TypeError`` for other networks, ``ValueError`` for a layer that does not exist."""
    _number(layer, len(checked_network(network).wires), "layer", f"the network has {_count(len(network.wires), 'layer')}")
    return network.wires[layer]


def checked_node(network: KAN, layer: int, node: Any) -> int:
    """The number of a node among the outputs of a layer."""
    wires = checked_layer(network, layer)
    return _number(node, wires.outputs, "node", f"layer {layer} has {_count(wires.outputs, 'output')}")


def checked_edge(network: KAN, layer: int, output: Any, input: Any, *, existing: bool = True) -> Edge:
    """An edge of a layer by its linear output and its input; ``ValueError`` if it is missing and must not be."""
    wires = checked_layer(network, layer)
    kind = "output" if not wires.arities else "linear output"
    _number(output, wires.linear, "output", f"layer {layer} has {_count(wires.linear, kind)}")
    _number(input, wires.inputs, "input", f"layer {layer} has {_count(wires.inputs, 'input')}")
    if existing and not bool(wires.edges[output, input]):
        there = [i for i in range(wires.inputs) if wires.edges[output, i]]
        known = f"only from {', '.join(map(str, there))}" if there else "none at all"
        raise ValueError(f"layer {layer} has no edge from input {input} to output {output}: that output has edges {known}")
    return output, input


def checked_input(network: KAN, input: Any) -> int:
    """The number of an input of the network."""
    return _number(input, checked_network(network).inputs, "input", f"the network has {_count(network.inputs, 'input')}")


def checked_targets(network: KAN, points: Tensor, targets: Any) -> Tensor:
    """Values (N, outputs) that belong to the points; those of a single output may be (N,)."""
    found = targets if isinstance(targets, Tensor) else torch.as_tensor(np.asarray(targets, dtype=float))
    found = found.detach().to(points)
    found = found[:, None] if found.ndim == 1 and network.outputs == 1 else found
    if found.shape != (len(points), network.outputs):
        raise ValueError(f"the targets of {len(points)} points have the shape ({len(points)}, {network.outputs}), got {tuple(found.shape)}")
    if not bool(torch.isfinite(found).all()):
        raise ValueError("the targets are not all finite numbers: leave out the points where they are not")
    return found


def box_points(network: KAN, points: Any) -> Tensor:
    """The points that were given, or random ones of the network's box."""
    if points is not None:
        return checked_points(network, points)
    drawn = torch.rand(256, network.inputs, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(network.lower)
    return network.lower + drawn * (network.upper - network.lower)


@torch.no_grad()
def entering(network: KAN, points: Any, layer: int) -> Tensor:
    """The inputs of one layer over points that are checked first: (inputs, N)."""
    z = network.normalised(checked_points(network, points))
    for each in network.wires[:layer]:
        z = each.columns(z)
    return z


def sizes(values: Tensor) -> Tensor:
    """The standard deviation of each row of values (outputs, N); of a constant one its size, and 1 where it is zero: (outputs, 1)."""
    spread = values.std(1, correction=0, keepdim=True)
    found = torch.where(spread > 0, spread, values.abs().amax(1, keepdim=True))
    return torch.where(found > 0, found, torch.ones_like(found))


def mask_of(layer: Layer, edges: Iterable[Edge]) -> Tensor:
    """Bool (linear outputs, inputs): True for the edges."""
    found = torch.zeros_like(layer.present)
    for output, input in edges:
        found[output, input] = True
    return found


def _number(value: Any, count: int, kind: str, known: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < count:
        raise ValueError(f"there is no {kind} {value!r}: {known}")
    return int(value)


def _count(count: int, kind: str) -> str:
    numbers = {1: "0", 2: "0 and 1"}.get(count, f"0 ... {count - 1}")
    return f"{count} {kind}{'' if count == 1 else 's'}, {numbers}"
