"""Layers with other inputs and nodes, made of the parts of old ones; and layers whose parts are changed in place.

Everything else here is built on :func:`rewired`, which carries splines, ranges, symbolic terms, biases and what is frozen.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from kanpde.bases import Basis, PerInput
from kanpde.editing.places import Edge, mask_of
from kanpde.editing.projection import basis_of
from kanpde.layer import Layer
from kanpde.symbols import Symbol

Places = Sequence[int | None]  # where a part comes from; None for a new one


@torch.no_grad()
def rewired(layer: Layer, *, inputs: Places | None = None, sums: Places | None = None, products: Sequence[Places] | None = None) -> Layer:
    """A layer of the given ``inputs``, sum nodes and factors of product nodes, each by its old number among inputs and linear outputs.

    By default they stay as they are. New parts have no edges, new inputs the range [-1, 1].
    """
    inputs = list(range(layer.inputs)) if inputs is None else list(inputs)
    sums = list(range(layer.sums)) if sums is None else list(sums)
    factors = factors_of(layer) if products is None else [list(each) for each in products]
    linear = [*sums, *(place for each in factors for place in each)]
    arities = [len(each) for each in factors]
    other = Layer(len(inputs), (len(sums), arities) if arities else len(sums), basis=None, entry=layer.entry, dtype=layer.low.dtype)
    other.to(layer.low.device)
    for name, fresh in (("low", -1.0), ("high", 1.0)):
        getattr(other, name).copy_(_gathered(getattr(layer, name), inputs, 0, fresh))
    present, held = (_gathered(_gathered(each, linear, 0), inputs, 1) for each in (layer.present, layer.weight_held))
    weight = _gathered(_gathered(layer.weight, linear, 0), inputs, 2)
    other.put_splines(_basis(layer.basis, inputs), weight, present, held)
    if layer.bias is not None:
        other.put_bias(_gathered(layer.bias, linear, 0), None if layer.bias_held is None else _gathered(layer.bias_held, linear, 0))
    if layer.constants is not None:
        kept = [
            (number, Symbol(o, i, symbol.primitive))
            for number, symbol in enumerate(layer.symbols)
            for o, output in enumerate(linear)
            for i, input in enumerate(inputs)
            if (output, input) == (symbol.output, symbol.input)
        ]
        places = [number for number, _ in kept]
        constants_held = None if layer.constants_held is None else layer.constants_held[places]
        other.put_symbols([symbol for _, symbol in kept], layer.constants[places], constants_held)
    return other


def factors_of(layer: Layer) -> list[list[int]]:
    """The linear outputs that each product node multiplies."""
    starts = [layer.sums + sum(layer.arities[:node]) for node in range(layer.products)]
    return [list(range(start, start + arity)) for start, arity in zip(starts, layer.arities, strict=True)]


def linear_of(layer: Layer, node: int) -> list[int]:
    """The linear outputs of which a node consists."""
    return [node] if node < layer.sums else factors_of(layer)[node - layer.sums]


def without_node(layer: Layer, node: int) -> Layer:
    """The layer without one of its nodes."""
    sums = [place for place in range(layer.sums) if place != node]
    return rewired(layer, sums=sums, products=[each for number, each in enumerate(factors_of(layer), layer.sums) if number != node])


def without_input(layer: Layer, input: int) -> Layer:
    """The layer without one of its inputs."""
    return rewired(layer, inputs=[place for place in range(layer.inputs) if place != input])


@torch.no_grad()
def drop_edges(layer: Layer, edges: Sequence[Edge]) -> None:
    """Take edges out of a layer, splines and symbolic terms."""
    gone = mask_of(layer, edges)
    layer.put_splines(layer.basis, layer.weight, layer.present & ~gone, layer.weight_held & ~gone)
    drop_symbols(layer, edges)


@torch.no_grad()
def drop_symbols(layer: Layer, edges: Sequence[Edge]) -> None:
    """Take the symbolic terms of edges out of a layer."""
    kept = [number for number, symbol in enumerate(layer.symbols) if (symbol.output, symbol.input) not in set(edges)]
    if layer.constants is not None and len(kept) < len(layer.symbols):
        held = None if layer.constants_held is None else layer.constants_held[kept]
        layer.put_symbols([layer.symbols[number] for number in kept], layer.constants[kept], held)


@torch.no_grad()
def add_symbols(layer: Layer, symbols: Sequence[Symbol], constants: Tensor, held: bool = False) -> None:
    """Add symbolic terms to those that a layer has."""
    constants, flags = constants.to(layer.low).reshape(len(symbols), 3), torch.full((len(symbols), 3), held, device=layer.low.device)
    if layer.constants is not None:
        before = torch.zeros_like(layer.constants, dtype=torch.bool) if layer.constants_held is None else layer.constants_held
        constants, flags = torch.cat([layer.constants, constants]), torch.cat([before, flags])
    layer.put_symbols([*layer.symbols, *symbols], constants, flags)


@torch.no_grad()
def fold(layer: Layer, values: Tensor) -> None:
    """Add ``values`` (linear outputs,) to the bias; one that has to be made is frozen if all else in the layer is."""
    if layer.bias is None and bool((values == 0).all()):
        return
    frozen = layer.bias is None and layer.live is not None and not bool(layer.live.any()) and bool(layer.edges.any())
    layer.put_bias(values, torch.ones_like(values, dtype=torch.bool) if frozen else None)


@torch.no_grad()
def scale_output(layer: Layer, output: int, factor: float) -> None:
    """Multiply one linear output by a number."""
    layer.weight[output] *= factor
    if layer.bias is not None:
        layer.bias[output] *= factor
    for number, symbol in enumerate(layer.symbols):
        if symbol.output == output:
            assert layer.constants is not None
            layer.constants[number, 2] *= factor


def _gathered(values: Tensor, places: Places, axis: int, fresh: float | bool = 0) -> Tensor:
    """The slices of ``values`` along an axis by number; those of None are filled with ``fresh``."""
    shape = list(values.shape)
    shape[axis] = len(places)
    found = values.new_full(shape, fresh)
    old = [place for place in places if place is not None]
    where = [number for number, place in enumerate(places) if place is not None]
    if where:
        found.index_copy_(
            axis, torch.tensor(where, device=values.device), values.detach().index_select(axis, torch.tensor(old, device=values.device))
        )
    return found


def _basis(basis: Basis | None, inputs: Places) -> Basis | None:
    if not isinstance(basis, PerInput):
        return basis
    return PerInput(tuple(basis_of(basis, 0 if place is None else place) for place in inputs))
