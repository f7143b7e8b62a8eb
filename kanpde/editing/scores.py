"""How much every edge contributes to the outputs: the order in which edges are pruned."""

import torch
from torch import Tensor

from kanpde.editing.places import visited
from kanpde.editing.rewiring import factors_of
from kanpde.kan import KAN


@torch.no_grad()
def edge_scores(network: KAN, points: Tensor) -> list[Tensor]:
    """Scores >= 0 of the edges of every layer, (linear, inputs): the part of the outputs' standard deviation that goes through them.

    Back from the outputs, which have A = 1: an edge has B_oi = A_o std(e_oi) / std(sum_i e_oi), the standard deviations over ``points``,
    and a node A_i = sum_o B_oi (KAN 2.0, arXiv 2408.10205, section 4.1). The factors of a product share its score by what its variation
    loses where they are replaced by their means.
    """
    z, found = visited(network, points), list[Tensor]()
    score = torch.ones_like(z[-1][:, 0])
    for layer, inputs in zip(reversed(network.wires), reversed(z[:-1]), strict=True):
        linear = layer.linear_columns(inputs)
        parts = [score[: layer.sums]]
        for node, places in enumerate(factors_of(layer), layer.sums):
            factors = linear[places]
            whole = factors.prod(0).std(correction=0)
            for k in range(len(places)):
                others = torch.cat([factors[:k], factors[k + 1 :]]).prod(0)
                lost = ((factors[k] - factors[k].mean()) * others).std(correction=0)
                parts.append(_ratio(score[node] * lost, whole)[None])
        spread = layer.edge_values(inputs).std(2, correction=0)
        edges = _ratio(torch.cat(parts)[:, None] * spread, linear.std(1, correction=0)[:, None])
        found.append(edges)
        score = edges.sum(0)
    return found[::-1]


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, 0 where the whole does not vary."""
    return torch.where(whole > 0, part / torch.where(whole > 0, whole, torch.ones_like(whole)), torch.zeros_like(part))
