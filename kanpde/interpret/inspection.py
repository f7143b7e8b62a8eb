"""Edge functions where the data pass, node values, and how often the data leave the grid."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.edges import Edges
from kanpde.interpret.scores import scored
from kanpde.interpret.stages import Visit, visits


def edge_functions(network: Any, points: Any, *, samples: int = 101) -> list[Edges]:
    """The edge functions of every layer on the ranges that ``points`` (N, inputs) reach, with what each contributes.

    ``network`` is a KAN or a SeparableKAN. The inputs of the first layer are in the user's units. Memory grows with the number of points
    and with that of edges, not with their product. Raises ``TypeError`` for a network without edges, ``ValueError`` for points that do
    not fit it.
    """
    whole_number(samples, "samples, the points of each curve,", least=2)
    made = list(visits(network, points))
    scores = scored(made)
    return [_layer(visit, edges, nodes, samples) for visit, edges, nodes in zip(made, scores.edges, scores.nodes, strict=False)]


@torch.no_grad()
def _layer(visit: Visit, scores: np.ndarray, nodes: np.ndarray, samples: int) -> Edges:
    z, stage, there = _ranges(visit.z, samples), visit.stage, visit.stage.there.cpu().numpy()
    return Edges(
        inputs=_numpy(visit.seen(z)),
        curves=_numpy(stage.edges(z)),
        importance=np.where(there, np.nan_to_num(_numpy(visit.spread), nan=np.inf, posinf=np.inf), np.nan),  # diverged ones are there
        sums=stage.sums,
        arities=stage.arities,
        symbols=stage.symbols(visit.stretch, visit.start),
        scores=scores,
        nodes=nodes,
        outside=stage.outside(visit.z).numpy(),
    )


def _numpy(values: Tensor) -> np.ndarray:
    return values.cpu().double().numpy()


def _ranges(z: Tensor, samples: int) -> Tensor:
    """From the least to the greatest of each row of z (in, N): (in, samples)."""
    low, high = z.min(1).values, z.max(1).values
    return low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, samples, dtype=z.dtype, device=z.device)


@dataclass(frozen=True)
class Edge:
    """One edge: its function ``y`` at ``x`` (S,) over the ``range`` of its input that the data visit, and what else is known of it.

    ``support`` is the interval of x on which its basis is defined; beyond, where ``outside`` of the data lie, it is continued. ``spread``
    is the standard deviation over the data of what it contributes; ``formula`` is "" unless the edge is symbolic.
    """

    x: np.ndarray
    y: np.ndarray
    range: tuple[float, float]
    support: tuple[float, float]
    outside: int
    spread: float
    formula: str


@torch.no_grad()
def edge(network: Any, points: Any, layer: int, output: int, input: int, *, samples: int = 101) -> Edge:
    """The function of one edge, from node ``input`` to linear output ``output`` of ``layer``, each counted from 0, over the data.

    The linear outputs of a layer are its sums, then the factors of its product nodes. Raises ``ValueError`` for an edge that the network
    does not have, else as :func:`edge_functions`.
    """
    made = list(visits(network, points))
    whole_number(samples, "samples, the points of the curve,", least=2)
    visit = made[_one_of(layer, len(made), "layer", "the network has the layers")]
    stage = visit.stage
    _one_of(output, len(stage.there), "output", f"layer {layer} has the linear outputs")
    _one_of(input, stage.there.shape[1], "input", f"layer {layer} has the inputs")
    if not stage.there[output, input]:
        raise ValueError(f"layer {layer} has no edge from input {input} to output {output}: it was removed, or never there")
    z = _ranges(visit.z, samples)
    x = _numpy(visit.seen(z)[input])
    low, high = ((end - float(visit.start[input])) / float(visit.stretch[input]) for end in stage.support(output, input))
    formula = str(stage.symbols(visit.stretch, visit.start)[output, input])
    outside, spread = int(stage.outside(visit.z)[input]) if np.isfinite(high) else 0, float(visit.spread[output, input])
    return Edge(x, _numpy(stage.edges(z)[output, input]), (float(x[0]), float(x[-1])), (low, high), outside, spread, formula)


def _one_of(number: Any, count: int, what: str, which: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < count:
        raise ValueError(f"{which} 0 to {count - 1}, got {what}={number!r}")
    return int(number)


@dataclass(frozen=True)
class Activations:
    """All node values of one layer at N points: its ``inputs`` (N, in), its ``linear`` outputs (N, linear) before products, and its
    ``nodes`` (N, out) behind them, which are the next layer's inputs."""

    inputs: Tensor
    linear: Tensor
    nodes: Tensor


def activations(network: Any, points: Any) -> list[Activations]:
    """The values of all nodes at ``points`` (N, inputs), layer by layer; nothing of them is kept in the network.

    The inputs of the first layer are the points, in the user's units. Arguments and errors as in :func:`edge_functions`.
    """
    return [Activations(visit.seen(visit.z).T, visit.linear.T, visit.nodes.T) for visit in visits(network, points)]


def outside_grid(network: Any, points: Any) -> list[np.ndarray]:
    """How many of ``points`` (N, inputs) lie outside the grid, layer by layer and input by input: (in,) each.

    There a layer continues its basis. Layers whose edges are functions of tanh(z) have no outside, and count 0. Arguments and errors as
    in :func:`edge_functions`.
    """
    return [visit.stage.outside(visit.z).numpy() for visit in visits(network, points)]
