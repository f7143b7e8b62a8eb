"""Edits in the course of a training: ``[LevenbergMarquardt(60), Sparsify(1e-2), Prune(0.05), LevenbergMarquardt(20), FixEdges(), ...]``."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from kanpde.arguments import real_number
from kanpde.editing.fixing import fix, suggest
from kanpde.editing.pruning import prune
from kanpde.kan import KAN
from kanpde.primitives import Primitive, primitive

logger = logging.getLogger("kanpde")


@dataclass(frozen=True)
class Prune:
    """Take away edges and nodes that contribute little, before the optimizer that follows: :func:`~kanpde.prune` in a schedule.

    Of data the error on the validation rows, or without them on the training rows, grows to at most 1 + ``tolerance`` times what it was; of
    an equation the solution changes by at most ``tolerance``, in units of its standard deviation. All inputs stay.
    """

    tolerance: float = 0.01
    refit: bool = False

    def __post_init__(self) -> None:
        if real_number(self.tolerance, "Prune(tolerance)") < 0:
            raise ValueError(f"Prune(tolerance) is how much worse it may get, at least 0, got {self.tolerance!r}")

    def edited(self, network: KAN, points: Tensor, targets: Tensor | None) -> KAN:
        """The pruned network."""
        return prune(network, points, targets, tolerance=self.tolerance, refit=self.refit).network


@dataclass(frozen=True)
class FixEdges:
    """Make every edge the function that it looks like, c f(a z + b), before the optimizer that follows, which trains the constants.

    f is the best of ``primitives``, by default all of :data:`kanpde.PRIMITIVES`, as :func:`~kanpde.suggest` rates them; what a fit leaves
    unexplained below ``resolution`` of an edge's variance counts for nothing, for the splines are no better. An edge of which no primitive
    explains ``least`` stays what it is.

    Raises ``ValueError`` for shares that are not between 0 and 1, and primitives that do not exist.
    """

    primitives: tuple[str | Primitive | Callable[[Any], Any], ...] | None = None
    least: float = 0.99
    resolution: float = 1e-9

    def __post_init__(self) -> None:
        if self.primitives is not None:
            object.__setattr__(self, "primitives", tuple(primitive(each) for each in self.primitives))
        for name in ("least", "resolution"):
            if not 0 < real_number(getattr(self, name), f"FixEdges({name}=...)") < 1:
                raise ValueError(f"FixEdges({name}=...) is a share of the variance, between 0 and 1, got {getattr(self, name)!r}")

    def edited(self, network: KAN, points: Tensor, targets: Tensor | None) -> KAN:
        """The network with the edges fixed that can be."""
        found = network
        for number, layer in enumerate(network.wires):
            for output, input in layer.present.nonzero().tolist():
                where = f"the edge from {input} to {output} of layer {number}"
                rated = suggest(found, number, output, input, points, primitives=self.primitives, most=1, resolution=self.resolution)
                if not rated or rated[0].r2 < self.least:
                    seen = f"{rated[0].primitive.name} explains {rated[0].r2:.3g} of it" if rated else "no primitive is defined there"
                    logger.warning("%s stays as it is: at best %s, and least=%g is asked for", where, seen, self.least)
                    continue
                logger.info("%s becomes %s, which explains all but %.1e of it", where, rated[0].primitive.name, 1 - rated[0].r2)
                found = fix(found, number, output, input, rated[0].primitive, points, constants=rated[0].constants).network
        return found.edited()
