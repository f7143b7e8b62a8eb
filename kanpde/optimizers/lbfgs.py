"""L-BFGS that says why it stops."""

import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.optimizers.adam import set_gradient
from kanpde.optimizers.descent import Step, check_schedule, compiled_for

logger = logging.getLogger("kanpde")


@dataclass(frozen=True)
class LBFGS:
    """L-BFGS with a strong Wolfe line search (``torch.optim.LBFGS``, without its silent tolerances).

    When a step does not lower the loss, or makes it non-finite, the step is undone and the curvature history is forgotten; if
    steepest descent does not help either, the descent ends and says so. ``compile`` as in :class:`~kanpde.optimizers.Adam`.
    """

    steps: int = 1000
    history: int = 50
    patience: int = 100
    progress: float = 1.0
    compile: bool = False

    def __post_init__(self) -> None:
        check_schedule(self)
        whole_number(self.history, "LBFGS(history=...)")

    def start(self, network: Network) -> "LBFGSDescent":
        return LBFGSDescent(self, network)


class LBFGSDescent:
    """An L-BFGS descent under way."""

    def __init__(self, options: LBFGS, network: Network) -> None:
        self.options, self.network, self.compiled = options, network, compiled_for(options, network)
        self.inner = self._fresh()

    def _fresh(self) -> torch.optim.LBFGS:
        return torch.optim.LBFGS(
            self.network.parameters(),
            max_iter=1,
            max_eval=25,
            history_size=self.options.history,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

    def state(self) -> dict[str, Any]:
        return self.inner.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        self.inner.load_state_dict(state)

    def advance(self, objective: Objective, network: Network) -> Step:
        start = network.vector()
        before = objective.residual(network)
        after = self._attempt(objective, network)
        if not _lower(after, before):
            network.assign(start)
            self.inner = self._fresh()
            logger.info("L-BFGS made no progress and starts again from steepest descent")
            after = self._attempt(objective, network)
            if not _lower(after, before):
                network.assign(start)
                return Step(before, stop="L-BFGS cannot lower the loss, even along the gradient: the line search is at rounding level")
        return Step(after)

    def _attempt(self, objective: Objective, network: Network) -> Tensor:
        def closure() -> Tensor:
            residual, gradient = objective.gradient(network, self.compiled)
            set_gradient(network, gradient)
            return 0.5 * residual @ residual

        self.inner.step(closure)  # type: ignore[arg-type]
        return objective.residual(network)


def _lower(after: Tensor, before: Tensor) -> bool:
    return bool(after.isfinite().all()) and float(after @ after) < float(before @ before)
