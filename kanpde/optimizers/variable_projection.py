"""Variable projection: Levenberg-Marquardt in the inner weights, with the last layer's always at their least-squares solution."""

import logging
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.optimizers.descent import Step
from kanpde.optimizers.levenberg_marquardt import Damped, LevenbergMarquardt
from kanpde.optimizers.linear_model import Free, LinearModel, linear_model

logger = logging.getLogger("kanpde")


@dataclass(frozen=True)
class VariableProjection(LevenbergMarquardt):
    """Levenberg-Marquardt on r(c(w), w), where c(w) are the last layer's weights that minimise |r| for the inner weights w:

        step = -(J'PJ + damping)^-1 J'P r,   J = dr/dw,   P = I - Q Q',   Q an orthonormal basis of the columns F = dr/dc

    A linear equation on a network with a last linear layer (``network.linear_tail``) has r linear in c. Every trial ends with
    a solve for c, which is kept only if the loss falls; the first step of a descent is such a solve alone, and the whole answer where
    all parameters are linear. Everything else is as in :class:`LevenbergMarquardt`.

    The columns F of a KAN are all but dependent: exact solves make c huge and cancelling, and w can then hardly move. So c has a damping
    too, ``share`` times the damping with which the step begins (P is then softer, see :mod:`kanpde.optimizers.linear_model`); a
    vanishing ``share`` is the method of the sources.

    It converges faster than LevenbergMarquardt but finds no better basins: from random weights some seeds end in poor minima that
    Levenberg-Marquardt avoids. It is for after a warm-up: ``poisson`` and composed ``helmholtz`` (seed 0) then reach the errors of
    Levenberg-Marquardt alone in a third of its seconds, and end at 1.2e-12 and 1.5e-10 where that ends at 2.5e-11 and 1.0e-7
    (``benchmarks/variable_projection.py``):

        training=[LevenbergMarquardt(steps=120, patience=30), VariableProjection(steps=120, patience=30), Refine(12, 16, 20, 24)]

    Whether r is linear in c is tried at the start. If it is not, or there is no such layer, this is LevenbergMarquardt, which the log says.

    Source: Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973) 413; without the derivative of Q: Kaufman, BIT 15 (1975) 49.
    """

    share: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share <= 1:
            raise ValueError(f"VariableProjection(share=...) must lie in (0, 1], got {self.share!r}")

    def start(self, network: Network) -> "Projected":
        return Projected(self)


class Projected(Damped):
    """A variable projection under way: also, whether it is one."""

    def __init__(self, options: VariableProjection) -> None:
        super().__init__(options)
        self.share = options.share
        self.linear: bool | None = None
        self.ridge = 0.0  # of the last layer's weights, in the step under way

    def state(self) -> dict[str, Any]:
        return {**super().state(), "linear": self.linear}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.linear = state["linear"]

    def advance(self, objective: Objective, network: Network) -> Step:
        first = self.linear is None
        if first:
            self.linear = is_linear(objective, network)
            if not self.linear:
                logger.info("the residual is not linear in the weights of a last layer: ordinary Levenberg-Marquardt steps instead")
        if not self.linear:
            return super().advance(objective, network)
        tail = network.linear_tail
        everything = tail.stop - tail.start == network.parameter_count
        self.ridge = 0.0 if everything else self.share * self.damping
        if first or everything:
            start, before = network.vector(), objective.residual(network)
            parameters, residual = self._arrive(objective, network, start)
            if parameters is not start:
                return Step(residual, self.damping)
            if everything and bool(before.isfinite().all()):
                return Step(before, self.damping, "the least-squares solution is reached to rounding")
        return super().advance(objective, network)

    def _model(self, objective: Objective, network: Network) -> LinearModel:
        return linear_model(objective, network, self.options.memory, Free(network.linear_tail, self.ridge) if self.linear else None)

    def _arrive(self, objective: Objective, network: Network, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """With the last layer's weights solved for, unless the loss is lower without (then ``parameters`` themselves)."""
        if not self.linear:
            return super()._arrive(objective, network, parameters)
        tail = network.linear_tail
        network.assign(parameters)
        model = linear_model(objective, network, self.options.memory, Free(tail, self.ridge), alone=True)
        before = float(model.residual @ model.residual)
        if not (math.isfinite(before) and bool(model.scale.isfinite().all())):
            return parameters, model.residual
        model.factorise()
        solved = parameters.clone()
        solved[tail] += model.step(0.0)[0]
        network.assign(solved)
        residual = objective.residual(network)
        if float(residual @ residual) < before:
            return solved, residual
        network.assign(parameters)
        return parameters, model.residual


def is_linear(objective: Objective, network: Network) -> bool:
    """Whether the residual is affine in the last layer's weights, to rounding, along a random direction of them."""
    tail = getattr(network, "linear_tail", slice(0, 0))
    if tail.stop == tail.start:
        return False
    start = network.vector()
    size = float(start[tail].square().mean().sqrt()) or 1.0
    random = torch.randn(tail.stop - tail.start, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def residual(times: float) -> Tensor:
        moved = start.clone()
        moved[tail] += times * size * random.to(start)
        network.assign(moved)
        return objective.residual(network)

    ahead, here, behind = residual(1.0), residual(0.0), residual(-1.0)
    bend, scale = ahead - 2 * here + behind, ahead.abs() + 2 * here.abs() + behind.abs()
    network.assign(start)
    return bool(bend.norm() <= 1e4 * torch.finfo(bend.dtype).eps * scale.norm())  # NaN is not
