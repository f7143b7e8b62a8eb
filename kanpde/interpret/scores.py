"""How much edges, nodes and inputs contribute to the outputs, and which inputs act together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import one_of
from kanpde.interpret.stages import AT_ONCE, Moments, Stage, Visit, deviation, output_number, visits
from kanpde.jets import channels
from kanpde.network import Network, checked_points

METHODS = ("ratios", "ablation")


@dataclass(frozen=True)
class Attribution:
    """Scores, >= 0, by layer: ``edges`` (linear, in), NaN where there is no edge, and ``nodes`` (in,) of the inputs of every layer, then
    (outputs,) of the outputs, which are 1, or 0 for those that were not asked about.
    """

    edges: tuple[np.ndarray, ...]
    nodes: tuple[np.ndarray, ...]

    @property
    def inputs(self) -> np.ndarray:
        """The scores of the network's inputs, (inputs,)."""
        return self.nodes[0]


def attribution(network: Any, points: Any, *, output: int | None = None, method: str = "ratios") -> Attribution:
    """How much every edge, node and input contributes to an output, or to all, over ``points`` (N, inputs).

    With ``method="ratios"`` scores go back from the outputs, which have 1. An edge from i to o has B_oi = A_o std(e_oi) / std(sum_i e_oi),
    the standard deviations over the data, and a node A_i = sum_o B_oi over its outgoing edges (Liu et al., KAN 2.0, arXiv 2408.10205,
    section 4.1). So an edge that acts only on what later has no effect has no score, however large it is.

    The factors f_k of a product node p share its score by the same rule, read as what is lost where a part is replaced by its mean:
    A_k = A_p std((f_k - mean f_k) prod_{l != k} f_l) / std(p). For a sum this is std(e_oi) / std(sum); for a product it is 0 for a factor
    that is constant, and the same if one factor is doubled and another halved.

    With ``method="ablation"`` the same is asked of the outputs themselves: the score is std(change of y) / std(y), summed over the outputs,
    where the edge, node or input is replaced by its mean, and the rest of the network is evaluated again. It is what pruning it would do,
    and sees where effects that the ratios add up cancel each other on the way: an input that does not matter has 0. One evaluation an edge.

    ``network`` is a KAN or a SeparableKAN. Raises ``TypeError`` for any other, ``ValueError`` for points or an output that it has not.
    """
    one_of(method, METHODS, "method")
    made, number = list(visits(network, points)), None if output is None else output_number(network, output)
    return scored(made, number) if method == "ratios" else _ablated(made, number)


def scored(made: Sequence[Visit], output: int | None = None) -> Attribution:
    """The scores from what the data do in every layer."""
    last = made[-1].nodes
    score = torch.ones(len(last), dtype=last.dtype, device=last.device)
    if output is not None:
        score = torch.eye(len(last), dtype=last.dtype, device=last.device)[output]
    edges, nodes = [], [score]
    for visit in reversed(made):
        stage, linear = visit.stage, _linear(visit, score)
        found = _ratio(linear[:, None] * visit.spread, deviation(visit.linear)[:, None])
        there = stage.there.to(found.device)
        score = torch.where(there, found, 0.0).sum(0)
        edges.append(torch.where(there, found, torch.nan))
        nodes.append(score)
    arrays = [[each.cpu().double().numpy() for each in reversed(found)] for found in (edges, nodes)]
    return Attribution(tuple(arrays[0]), tuple(arrays[1]))


@torch.no_grad()
def _ablated(made: Sequence[Visit], output: int | None) -> Attribution:
    """What the outputs lose where each edge, and each node, is replaced by its mean."""
    edges, nodes, chosen = [], [], slice(None) if output is None else [output]
    whole = deviation(made[-1].nodes)[chosen]
    for k, visit in enumerate(made):
        there, after = visit.stage.there.nonzero().tolist(), [each.stage for each in made[k + 1 :]]
        changes = [Moments() for _ in (*there, *visit.z)]
        middle, start = visit.z.mean(1), 0
        for z in visit.z.split(max(1, AT_ONCE // visit.stage.there.numel()), 1):
            stop = start + z.shape[1]
            values, linear, y = visit.stage.edges(z), visit.linear[:, start:stop], made[-1].nodes[chosen, start:stop]
            for change, (o, i) in zip(changes, there, strict=False):
                moved = linear.clone()
                moved[o] += visit.mean[o, i] - values[o, i]
                change.add(_onwards(visit.stage.nodes(moved), after)[chosen] - y)
            for i, change in enumerate(changes[len(there) :]):
                moved = z.clone()
                moved[i] = middle[i]
                change.add(_onwards(moved, [visit.stage, *after])[chosen] - y)
            start = stop
        scores = [float(_ratio(change.deviation, whole).sum()) for change in changes]
        found = np.full(tuple(visit.stage.there.shape), np.nan)
        for (o, i), score in zip(there, scores, strict=False):
            found[o, i] = score
        edges.append(found)
        nodes.append(np.array(scores[len(there) :]))
    last = np.ones(len(made[-1].nodes)) if output is None else np.eye(len(made[-1].nodes))[output]
    return Attribution(tuple(edges), (*nodes, last))


def _onwards(z: Tensor, stages: Sequence[Stage]) -> Tensor:
    """The outputs from the inputs of some layers."""
    for stage in stages:
        z = stage.nodes(stage.values(z))
    return z


def _linear(visit: Visit, score: Tensor) -> Tensor:
    """Scores of the nodes (outputs,) -> of the linear outputs (linear,)."""
    sums, found = visit.stage.sums, [score[: visit.stage.sums]]
    for number, factors in enumerate(visit.linear[sums:].split(list(visit.stage.arities)) if visit.stage.arities else (), sums):
        whole = deviation(visit.nodes[number])
        for k, factor in enumerate(factors):
            others = torch.cat([factors[:k], factors[k + 1 :]]).prod(0)
            lost = torch.where(deviation(factor) > 0, ((factor - factor.mean()) * others).std(correction=0), 0.0)
            found.append(_ratio(score[number] * lost, whole)[None])
    return torch.cat(found)


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, 0 where the whole does not vary."""
    return torch.where(whole > 0, part / torch.where(whole > 0, whole, 1.0), 0.0)


@torch.no_grad()
def sensitivity(network: Network, points: Any) -> np.ndarray:
    """How strongly each output follows each input over the data: mean |dy_o/dx_i| std(x_i) / std(y_o), (outputs, inputs).

    From exact derivatives, of any network; independent of how the network is built, and so a check of :func:`attribution`. 0 for an
    output that is constant. Raises ``ValueError`` for points (N, inputs) that do not fit the network.
    """
    points = checked_points(network, points)
    chosen, total, values = channels([(i,) for i in range(network.inputs)]), None, []
    for piece in points.split(_piece(network, len(chosen))):
        jet, _ = network.jets(piece, chosen)
        here = torch.stack([jet[chosen.position[(i,)]].abs().sum(1) for i in range(network.inputs)], 1)
        total = here if total is None else total + here
        values.append(jet[0].clone())
    assert total is not None
    slopes = total / len(points) * deviation(points.T)
    return _ratio(slopes, deviation(torch.cat(values, 1))[:, None]).cpu().double().numpy()


@torch.no_grad()
def interactions(network: Network, points: Any, *, output: int | None = None) -> np.ndarray:
    """How strongly pairs of inputs act together: sqrt(mean (d^2 y/dx_i dx_j)^2) std(x_i) std(x_j) / std(y), (inputs, inputs), symmetric.

    0 where y is a sum of a function without x_i and one without x_j, 1 for y = x_i x_j with independent inputs of mean 0; the diagonal
    is 0. Second derivatives are exact (:mod:`kanpde.jets`), of any network. ``output`` is one of several; by default the mean over all.

    Second derivatives make much of small wiggles, as a network has that is not trained to the end. The ``scores`` of
    :func:`~kanpde.structure.additive_parts` weigh the values instead, for any function, and come with a verdict.
    Raises ``ValueError`` for points (N, inputs) or an output that do not fit the network.
    """
    points, d = checked_points(network, points), network.inputs
    chosen_outputs = list(range(network.outputs)) if output is None else [output_number(network, output)]
    squares, values = points.new_zeros(len(chosen_outputs), d, d), []
    for i in range(max(d - 1, 1)):
        pairs = [(i, j) for j in range(i + 1, d)]
        chosen = channels(pairs or [()])
        for piece in points.split(_piece(network, len(chosen))):
            jet = network.jets(piece, chosen)[0][:, chosen_outputs]
            if i == 0:
                values.append(jet[0])
            for pair in pairs:
                squares[:, *pair] += (jet[chosen.position[pair]] ** 2).sum(1)
    sizes, whole = deviation(points.T), deviation(torch.cat(values, 1))
    found = _ratio((squares / len(points)).sqrt() * sizes[:, None] * sizes, whole[:, None, None]).mean(0)
    return (found + found.T).cpu().double().numpy()


def _piece(network: Network, rows: int) -> int:
    """How many points at a time: jets of so many rows are of limited size."""
    widest = max(network.inputs, *(getattr(layer, "outputs", 1) for layer in network.layers))
    return max(1, AT_ONCE // (rows * widest * 8))
