"""Looking into a network: the edge functions, where the data visits them, and how much each contributes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanpde.kan import KAN, Layer


@dataclass(frozen=True)
class LayerEdges:
    """The edges of one layer: ``inputs`` (in, S) spans the range of each input over the data, ``curves`` (out, in, S) are the edge
    functions there, ``importance`` (out, in) is the standard deviation over the data of what each edge contributes.
    """

    inputs: np.ndarray
    curves: np.ndarray
    importance: np.ndarray


@torch.no_grad()
def edge_functions(network: KAN, points: Tensor, *, samples: int = 101) -> list[LayerEdges]:
    """The edge functions of every layer on the ranges that ``points`` (N, inputs) reach."""
    found = []
    z = network._normalised(points)
    for layer in network.layers:
        assert isinstance(layer, Layer)
        low, high = z.min(1).values, z.max(1).values
        share = torch.linspace(0, 1, samples, dtype=z.dtype, device=z.device)
        inputs = low[:, None] + (high - low)[:, None] * share
        contributions = _edges(layer, z)
        found.append(
            LayerEdges(inputs.cpu().numpy(), _edges(layer, inputs).cpu().numpy(), contributions.std(2, correction=0).cpu().numpy())
        )
        z = layer.columns(z)
    return found


def _edges(layer: Layer, z: Tensor) -> Tensor:
    """Every edge's value: (in, N) -> (out, in, N)."""
    features = layer.basis.values(torch.tanh(z) if layer.squash else z)
    return torch.einsum("oki,kin->oin", layer.weight, features)
