"""Ranges that follow the data in the course of a training."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanpde.bases import Basis
from kanpde.editing.projection import basis_of, carried, joined_bases, spline_of
from kanpde.editing.ranges import Adaptation, ranged_layers, relative_change
from kanpde.kan import KAN

logger = logging.getLogger("kanpde")


@dataclass(frozen=True)
class AdaptRanges:
    """Move the ranges of the hidden layers to the data, before the descents of what follows: ``AdaptRanges(), Refine(10, 20)``.

    Stands before an optimizer, whose first descent it prepares, or before Refine, where it acts after each refinement, in the finer
    basis. The data are what the interior points send to each layer. The solution is kept but for ``tolerance``, relative to its size on
    these points, and the next descent makes that good; where the basis cannot do it, the ranges stay (and the log says so). Before
    anything is trained the coefficients are kept instead and the functions are stretched. ``margin`` and ``knots`` are those of
    :func:`~kanpde.adapt_ranges`, but that the knots are "uniform" or follow the data.
    """

    margin: float = 0.05
    knots: str | float = "uniform"
    tolerance: float = 1e-2

    def __post_init__(self) -> None:
        Adaptation(self.margin, self.knots)
        if self.knots == "kept":
            raise ValueError("AdaptRanges(knots='kept') would change the number of basis functions in training: use 'uniform' or a number")
        if not (math.isfinite(self.tolerance) and self.tolerance > 0):
            raise ValueError(f"AdaptRanges(tolerance=...) must be positive, got {self.tolerance!r}")

    def check(self, network: KAN) -> None:
        """Raise ``ValueError`` for a network without ranges to move, or with frozen edges there, which moving would change."""
        for number in ranged_layers(network):
            if bool(network.wires[number].weight_held.any()):
                raise ValueError(f"{self} would change the frozen edges of layer {number}: unfreeze them, or leave AdaptRanges out")

    @torch.no_grad()
    def adapted(self, network: KAN, points: Tensor, *, fresh: bool = False) -> KAN | None:
        """The network with its ranges moved, or None where it would change too much; a ``fresh`` one keeps its coefficients."""
        rule = Adaptation(self.margin, self.knots, "weights" if fresh else "function")
        other = rule.applied(_changeable(network), points, ranged_layers(network))
        if not fresh:
            change = relative_change(other.node_values(points)[-1], network.node_values(points)[-1])
            if not change <= self.tolerance:
                logger.warning("the ranges stay as they are: moved, they would change the solution by %.2g of its size", change)
                return None
            logger.info("the ranges moved to %d points: the solution changed by %.2g of its size", len(points), change)
        return other

    def found(self, network: KAN) -> tuple[float, ...]:
        """The ranges and, where they follow the data, the breaks of an adapted network, in one row."""
        row: list[float] = []
        for number in ranged_layers(network):
            layer = network.wires[number]
            row += [*layer.low.tolist(), *layer.high.tolist()]
            row += [x for i in range(layer.inputs) for x in _breaks(layer.basis, i)] if self._follows else []
        return tuple(row)

    def replayed(self, network: KAN, row: Sequence[float]) -> KAN:
        """A copy of the network with ranges that were found earlier; its weights are to be set afterwards."""
        other, rest = _changeable(network), list(row)
        for number in ranged_layers(network):
            layer = other.wires[number]
            low, high = (torch.tensor([rest.pop(0) for _ in range(layer.inputs)], dtype=torch.float64) for _ in range(2))
            layer.put_range(low, high)
            if layer.basis is None:
                continue
            bases = []
            for i in range(layer.inputs):
                basis = basis_of(layer.basis, i)
                breaks = [rest.pop(0) for _ in _breaks(basis, 0)] if self._follows else None
                bases.append(_with_breaks(basis, breaks))
            layer.put_splines(joined_bases(bases), layer.weight, layer.present, layer.weight_held)
        return other

    @property
    def _follows(self) -> bool:
        return not isinstance(self.knots, str) and self.knots > 0


def _changeable(network: KAN) -> KAN:
    """A copy whose layers may be changed, its weights as given, or drawn, as they are."""
    other = network.copy()
    other.asked = None
    return other


def _breaks(basis: Basis | None, input: int) -> list[float]:
    spline = None if basis is None else spline_of(basis_of(basis, input))
    return [] if spline is None else np.asarray(spline.knots[spline.degree : len(spline.knots) - spline.degree]).tolist()


def _with_breaks(basis: Basis, breaks: list[float] | None) -> Basis:
    """The basis with its splines on these breaks, or on equal intervals."""

    def change(spline):  # type: ignore[no-untyped-def]
        return type(spline)(spline.degree, spline.intervals, None if breaks is None else tuple(breaks))

    return carried(basis, change)
