"""Looking into a network: the edge functions, where the data visits them, and how much each contributes."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.separable import Factors, SeparableKAN


@dataclass(frozen=True)
class LayerEdges:
    """The edges of one layer: ``inputs`` (in, S) spans the range of each input over the data, ``curves`` (out, in, S) are the edge
    functions there, ``importance`` (out, in) is the standard deviation over the data of what each edge contributes, NaN where there is
    no edge. The outputs are ``sums``, then ``products`` of ``arity`` linear outputs each.
    """

    inputs: np.ndarray
    curves: np.ndarray
    importance: np.ndarray
    sums: int
    products: int
    arity: int


@torch.no_grad()
def edge_functions(network: KAN | SeparableKAN, points: Tensor, *, samples: int = 101) -> list[LayerEdges]:
    """The edge functions of every layer on the ranges that ``points`` (N, inputs) reach."""
    z = network._normalised(points)
    if isinstance(network, SeparableKAN):
        return _factors(network, z, samples)
    found = []
    for layer in network.layers:
        assert isinstance(layer, Layer)
        inputs = _ranges(z, samples)
        contributions = layer.edge_values(z).std(2, correction=0)
        found.append(
            LayerEdges(
                inputs.cpu().numpy(),
                layer.edge_values(inputs).cpu().numpy(),
                contributions.cpu().numpy(),
                layer.sums,
                layer.products,
                layer.arities[0] if layer.arities else 2,
            )
        )
        z = layer.columns(z)
    return found


def _ranges(z: Tensor, samples: int) -> Tensor:
    """From the least to the greatest of each row of z (in, N): (in, samples)."""
    low, high = z.min(1).values, z.max(1).values
    return low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, samples, dtype=z.dtype, device=z.device)


def _factors(network: SeparableKAN, z: Tensor, samples: int) -> list[LayerEdges]:
    """A separable KAN as the two layers that it is: factors with product nodes, then their sums."""
    layer, d, terms = network.layers[0], network.inputs, network.outputs * network.rank
    assert isinstance(layer, Factors)
    inputs = _ranges(z, samples)
    curves, importance = torch.zeros(terms, d, d, samples).double(), torch.full((terms, d, d), math.nan).double()
    product = torch.ones(terms, z.shape[1], dtype=z.dtype, device=z.device)
    for axis, (basis, weight) in enumerate(zip(layer.bases, layer.weights, strict=True)):
        coefficients = weight.flatten(0, 1)
        factor = coefficients @ basis.values(z[axis])
        curves[:, axis, axis], importance[:, axis, axis] = (
            (coefficients @ basis.values(inputs[axis])).cpu(),
            factor.std(1, correction=0).cpu(),
        )
        product *= factor
    ranges = _ranges(product, samples).cpu().double()
    own = torch.arange(terms) // network.rank == torch.arange(network.outputs)[:, None]
    spread = torch.where(own, product.std(1, correction=0).cpu().double(), math.nan)
    return [
        LayerEdges(inputs.cpu().numpy(), curves.flatten(0, 1).numpy(), importance.flatten(0, 1).numpy(), 0, terms, d),
        LayerEdges(ranges.numpy(), ranges.expand(network.outputs, -1, -1).numpy(), spread.numpy(), network.outputs, 0, 1),
    ]
