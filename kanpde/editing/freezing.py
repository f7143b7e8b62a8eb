"""Parts of a network that training leaves alone."""

from collections.abc import Iterable

import torch

from kanpde.editing.places import Edge, checked_edge, checked_layer, checked_network, mask_of
from kanpde.kan import KAN
from kanpde.layer import Layer


def freeze(network: KAN, layer: int | None = None, *, edges: Iterable[Edge] | None = None) -> KAN:
    """The network with parts that are not trained: all of it, a ``layer``, or of a layer the ``edges`` (linear output, input).

    Edges are frozen with their splines and the constants of their symbolic terms, layers with their biases too. The function stays as it
    is; what is frozen is not in ``network.vector()``.

    Raises ``ValueError`` for a layer or an edge that does not exist, and for edges without their layer.
    """
    return _held(network, layer, edges, True)


def unfreeze(network: KAN, layer: int | None = None, *, edges: Iterable[Edge] | None = None) -> KAN:
    """The network with parts that are trained again; the inverse of :func:`freeze`, with the same arguments and errors."""
    return _held(network, layer, edges, False)


def _held(network: KAN, layer: int | None, edges: Iterable[Edge] | None, flag: bool) -> KAN:
    other = checked_network(network).edited()
    if layer is None:
        if edges is not None:
            raise ValueError("edges belong to a layer: say which, as in freeze(network, 0, edges=[(2, 1)])")
        for each in other.wires:
            _hold(each, torch.ones_like(each.present), flag, bias=True)
        return other
    chosen = checked_layer(other, layer)
    if edges is None:
        _hold(chosen, torch.ones_like(chosen.present), flag, bias=True)
        return other
    _hold(chosen, mask_of(chosen, [checked_edge(other, layer, *edge) for edge in edges]), flag)
    return other


def _hold(layer: Layer, edges: torch.Tensor, flag: bool, *, bias: bool = False) -> None:
    layer.weight_held[edges & layer.present] = flag
    for number, symbol in enumerate(layer.symbols):
        if bool(edges[symbol.output, symbol.input]):
            assert layer.constants_held is not None
            layer.constants_held[number] = flag
    if bias and layer.bias_held is not None:
        layer.bias_held[:] = flag
    layer.settle()
