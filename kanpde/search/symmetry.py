"""Variables that occur together: two columns of which only the sum or the difference matters are one.

A polynomial in fewer variables, of as many coefficients, fits such data at least as well, which generalised cross-validation tells; an
exact law in the fewer variables is much easier to find.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.search.smoothing import smoothed
from kanpde.symbolic.forms import Node, number, variable

SIZE = (100,)  # polynomials that are compared
WORSE = 1.005  # times the residual, for fewer variables, where it is noise
MISFIT, BETTER = 1.1, 0.8  # where more polynomials leave so much less of it, it is none: fewer variables must then do so much better


@dataclass(frozen=True)
class Reduced:
    """Fewer columns (d - 1, N) and their formulas in the variables."""

    columns: Tensor
    nodes: tuple[Node, ...]


def reductions(columns: Tensor, y: Tensor, level: float, weights: Tensor | None = None) -> list[Reduced]:
    """What remains of the columns (d, N) when pairs are replaced by x_i - x_j or x_i + x_j as long as y (N,) is fitted better for it.

    ``level`` is that of the noise, as far as it is known, ``weights`` (N,) those of the residuals.
    """
    found = []
    nodes: Sequence[Node] = tuple(variable(k) for k in range(len(columns)))
    noise = smoothed(columns, y, SIZE, weights=weights).noise
    least = WORSE if noise < MISFIT * level else BETTER
    while len(columns) > 1:
        best: tuple[float, Tensor, tuple[Node, ...]] | None = None
        for i, j in itertools.combinations(range(len(columns)), 2):
            for sign in (-1, 1):
                joined = columns[j] + sign * columns[i]
                part = nodes[j] + (nodes[i] if sign > 0 else number(-1) * nodes[i])
                others = [k for k in range(len(columns)) if k not in (i, j)]
                trial = torch.cat([joined[None], columns[others]])
                rest = smoothed(trial, y, SIZE, weights=weights).noise
                if rest <= least * noise and (best is None or rest < best[0]):
                    best = rest, trial, (part, *(nodes[k] for k in others))
        if best is None:
            return found
        noise, columns, nodes = best
        found.append(Reduced(columns, tuple(nodes)))
    return found
