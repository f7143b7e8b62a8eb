"""Gauss-Newton without damping: one solve where the residual is linear in the parameters."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.optimizers.descent import Step, check_schedule
from kanpde.optimizers.linear_model import AT_ROUNDING, linear_model

MEMORY = 2e9


@dataclass(frozen=True)
class GaussNewton:
    """The least-squares solution of r + J p = 0 of least norm in the scaled parameters, by QR and singular values; then again.

    Where the residual is linear in the parameters (a linear equation on a network of one layer of edges, ``KAN(5, 1, ...)``), the
    first step solves the problem and the next ones refine the solution to rounding. Otherwise steps are shortened until the loss
    falls, and ever larger singular values are left out; for a classification J'J is the generalised Gauss-Newton matrix of the
    cross-entropy. Ends when the loss falls no further; ``memory`` in bytes limits what is kept of J, beyond it J is streamed.
    """

    steps: int = 20
    patience: int = 3
    progress: float = 0.5
    memory: float = MEMORY

    def __post_init__(self) -> None:
        check_schedule(self)

    def start(self, network: Network) -> "Undamped":
        return Undamped(self)


class Undamped:
    """A Gauss-Newton descent under way; it has no state but the network's."""

    HALVINGS = 3
    CUTOFFS = (1e-10, 1e-7, 1e-5, 1e-3, 1e-2, 1e-1)  # of the largest singular value: what is tried when the full step does not help

    def __init__(self, options: GaussNewton) -> None:
        self.options = options

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass

    def advance(self, objective: Objective, network: Network) -> Step:
        linear = linear_model(objective, network, self.options.memory)
        residual, start = linear.judged, network.vector()
        if not bool(linear.scale.isfinite().all()):
            return Step(residual, stop="the Jacobian is not finite where the network stands: check the equation there")
        linear.factorise()
        before, largest = float(residual @ residual), float(linear.singular.max())
        for cutoff in (len(start) * torch.finfo(start.dtype).eps, *self.CUTOFFS):
            step, _ = linear.step((cutoff * largest) ** 2)
            for halvings in range(self.HALVINGS):
                share = 0.5**halvings
                network.assign(network.moved(start, share * step))
                after = objective.residual(network)
                loss = float(after @ after)
                if math.isfinite(loss) and loss < before:
                    return Step(after, share)
        network.assign(start)
        rms = math.sqrt(before / len(residual))
        at_rounding = linear.at_rounding(start)
        return Step(residual, stop=AT_ROUNDING if at_rounding else f"Gauss-Newton lowers the loss no further, with residuals of {rms:.1g}")
