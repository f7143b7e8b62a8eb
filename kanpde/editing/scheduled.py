"""Edits in the course of a training: ``[LevenbergMarquardt(60), Sparsify(1e-2), Prune(0.05), LevenbergMarquardt(20), FixEdges(), ...]``."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from kanpde.bases import real_number
from kanpde.editing.fixing import fix, suggest
from kanpde.editing.pruning import prune
from kanpde.kan import KAN
from kanpde.primitives import Primitive, primitive

logger = logging.getLogger("kanpde")


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


@dataclass(frozen=True)
class FixEdges:
    """Make every edge the function that it looks like, c f(a z + b), before the optimizer that follows, which trains the constants.

    f is the best of ``primitives``, by default all of :data:`kanpde.PRIMITIVES`, as :func:`~kanpde.suggest` rates them; what a fit leaves
    unexplained below ``resolution`` of an edge's variance counts for nothing, for the splines are no better. An edge of which no primitive
    explains ``least``, or whose input does not vary, stays what it is. Edges are looked at over the rows for training and validation, or,
    of an equation, over its domain.

    Raises ``ValueError`` for shares that are not between 0 and 1, and primitives that do not exist, or none.
    """

    primitives: tuple[str | Primitive | Callable[[Any], Any], ...] | None = None
    least: float = 0.99
    resolution: float = 1e-9
    judges: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.primitives is not None:
            given: Any = (self.primitives,) if isinstance(self.primitives, (str, Primitive)) else self.primitives
            object.__setattr__(self, "primitives", tuple(primitive(each) for each in given))
            if not self.primitives:
                raise ValueError("FixEdges(primitives=()) would fix nothing: name some, such as ('sin', 'x^2'), or leave it out for all")
        for name in ("least", "resolution"):
            if not 0 < real_number(getattr(self, name), f"FixEdges({name}=...)") < 1:
                raise ValueError(f"FixEdges({name}=...) is a share of the variance, between 0 and 1, got {getattr(self, name)!r}")

    def edited(self, network: KAN, points: Tensor, targets: Tensor | None) -> KAN:
        """The network with the edges fixed that can be."""
        found = network
        for number, layer in enumerate(network.wires):
            for output, input in layer.present.nonzero().tolist():
                where = f"the edge from {input} to {output} of layer {number}"
                try:
                    rated = suggest(found, number, output, input, points, primitives=self.primitives, most=1, resolution=self.resolution)
                except ValueError as error:  # its input does not vary
                    logger.warning("%s stays as it is: %s", where, error)
                    continue
                if not rated or rated[0].r2 < self.least:
                    seen = f"{rated[0].primitive.name} explains {rated[0].r2:.3g} of it" if rated else "no primitive is defined there"
                    logger.warning("%s stays as it is: at best %s, and least=%g is asked for", where, seen, self.least)
                    continue
                logger.info("%s becomes %s, which explains all but %.1e of it", where, rated[0].primitive.name, 1 - rated[0].r2)
                found = fix(found, number, output, input, rated[0].primitive, points, constants=rated[0].constants).network
        return found.edited()
