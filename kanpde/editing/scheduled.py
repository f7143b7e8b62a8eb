"""Edits in the course of a training: ``[LevenbergMarquardt(60), Sparsify(1e-2), Prune(0.05), LevenbergMarquardt(20), FixEdges(), ...]``."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from kanpde.arguments import real_number
from kanpde.editing.fixing import fix, suggest
from kanpde.editing.pruning import prune
from kanpde.kan import KAN
from kanpde.primitives import Primitive, primitive

logger = logging.getLogger("kanpde")

FINEST = 1e-9  # of an edge's variance, below which differences of fits count for nothing in any case


@dataclass(frozen=True)
class Prune:
    """Take away edges and nodes that contribute little, before the optimizer that follows: :func:`~kanpde.prune` in a schedule.

    Of data the error on the validation rows, or without them on the training rows, grows to at most 1 + ``tolerance`` times what it was; of
    an equation what the network gives changes by at most ``tolerance``, in units of its standard deviation; where conditions are hard, they
    are built around that. All inputs stay.
    """

    tolerance: float = 0.01
    refit: bool = False
    judges: ClassVar[bool] = True  # by targets, of which the validation rows are best

    def __post_init__(self) -> None:
        if real_number(self.tolerance, "Prune(tolerance)") < 0:
            raise ValueError(f"Prune(tolerance) is how much worse it may get, at least 0, got {self.tolerance!r}")

    def edited(self, network: KAN, points: Tensor, targets: Tensor | None) -> KAN:
        """The pruned network."""
        return prune(network, points, targets, tolerance=self.tolerance, refit=self.refit).network


@torch.no_grad()
def unexplained(network: KAN, points: Tensor, targets: Tensor | None) -> float:
    """The part of the variance of the ``targets`` (N, outputs) that a network leaves, the greatest of all outputs; 0 if there are none."""
    if targets is None:
        return 0.0
    left, spread = (targets - network(points)).square().sum(0), (targets - targets.mean(0)).square().sum(0)
    return float((left[spread > 0] / spread[spread > 0]).max()) if bool((spread > 0).any()) else 0.0


@dataclass(frozen=True)
class FixEdges:
    """Make every edge the function that it looks like, c f(a z + b), before the optimizer that follows, which trains the constants.

    Of the ``primitives``, by default all of :data:`kanpde.PRIMITIVES`, that explain ``least`` of an edge's variance, f is the one with the
    best score of :func:`~kanpde.suggest`; an edge of which none does stays what it is. What a fit leaves
    unexplained below ``resolution`` of an edge's variance counts for nothing, for the splines are no better. By default that is the part of
    the variance of the targets that the network itself leaves, or 1e-9 where it is below that or the targets are not known.

    Raises ``ValueError`` for shares that are not between 0 and 1, and primitives that do not exist, or none.
    """

    primitives: tuple[str | Primitive | Callable[[Any], Any], ...] | None = None
    least: float = 0.99
    resolution: float | None = None
    judges: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.primitives is not None:
            given: Any = (self.primitives,) if isinstance(self.primitives, (str, Primitive)) else self.primitives
            object.__setattr__(self, "primitives", tuple(primitive(each) for each in given))
            if not self.primitives:
                raise ValueError("FixEdges(primitives=()) would fix nothing: name some, such as ('sin', 'x^2'), or leave it out for all")
        for name in ("least", "resolution") if self.resolution is not None else ("least",):
            if not 0 < real_number(getattr(self, name), f"FixEdges({name}=...)") < 1:
                raise ValueError(f"FixEdges({name}=...) is a share of the variance, between 0 and 1, got {getattr(self, name)!r}")

    def edited(self, network: KAN, points: Tensor, targets: Tensor | None) -> KAN:
        """The network with the edges fixed that can be."""
        found, resolution = network, self.resolution or max(FINEST, unexplained(network, points, targets))
        for number, layer in enumerate(network.wires):
            for output, input in layer.present.nonzero().tolist():
                where = f"the edge from {input} to {output} of layer {number}"
                chosen = {"primitives": self.primitives, "most": sys.maxsize, "resolution": resolution}
                try:
                    rated = suggest(found, number, output, input, points, **chosen)
                except ValueError as error:  # its input does not vary
                    logger.warning("%s stays as it is: %s", where, error)
                    continue
                likely = [each for each in rated if each.r2 >= self.least]
                if not likely:
                    most = max(rated, key=lambda each: each.r2, default=None)
                    seen = "no primitive is defined there" if most is None else f"{most.primitive.name} explains {most.r2:.3g} of it"
                    logger.warning("%s stays as it is: at best %s, and least=%g is asked for", where, seen, self.least)
                    continue
                best = min(likely, key=lambda each: each.score)
                logger.info("%s becomes %s, which explains all but %.1e of it", where, best.primitive.name, 1 - best.r2)
                found = fix(found, number, output, input, best.primitive, points, constants=best.constants).network
        return found.edited()
