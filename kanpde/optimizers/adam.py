"""Adam, the first-order baseline."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.optimizers.descent import Step, check_schedule, compiled_for


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980) on the loss 1/2 |r|^2, by ``torch.optim.Adam``: with all points in every step, or in batches
    (:class:`~kanpde.schedule.Batches`).

    With ``last`` the rate falls from ``rate`` to it along half a period of the cosine, with the share s of the steps (with batches, of the
    epochs) that are done: last + (rate - last) (1 + cos(pi s)) / 2 (Loshchilov and Hutter, arXiv 1608.03983, without restarts).

    With ``compile`` the gradient, where there are 512 points or more, is a program of ``torch.compile`` (:mod:`kanpde.compiled`): the
    first step of every descent takes some seconds longer, the others about half as long. Raises ``RuntimeError`` at the start without a
    C++ compiler.
    """

    steps: int = 10_000
    rate: float = 1e-3
    patience: int = 1000
    progress: float = 1.0
    compile: bool = False
    last: float | None = None

    in_batches = True  # steps on some of the points lead somewhere

    def __post_init__(self) -> None:
        check_schedule(self)
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"Adam(rate=...) must be positive, got {self.rate!r}")
        if self.last is not None and not 0 <= self.last <= self.rate:
            raise ValueError(f"Adam(last=...) is the rate at the end, from 0 to rate={self.rate!r}, got {self.last!r}")

    def start(self, network: Network) -> "AdamDescent":
        return AdamDescent(self, network)


class AdamDescent:
    """An Adam descent under way."""

    def __init__(self, options: Adam, network: Network) -> None:
        self.options, self.compiled = options, compiled_for(options, network)
        self.inner = torch.optim.Adam(network.parameters(), lr=options.rate)

    def state(self) -> dict[str, Any]:
        return self.inner.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        self.inner.load_state_dict(state)

    def pace(self, done: float) -> None:
        first, last = self.options.rate, self.options.last
        if last is not None:
            self.inner.param_groups[0]["lr"] = last + (first - last) * (1 + math.cos(math.pi * done)) / 2

    def advance(self, objective: Objective, network: Network) -> Step:
        """One step; the residual is that from before it, which costs nothing."""
        residual, gradient = objective.gradient(network, self.compiled)
        rate = self.inner.param_groups[0]["lr"]
        if not bool(gradient.isfinite().all()):
            return Step(residual, rate, "the gradient is not finite: lower Adam's rate")
        set_gradient(network, gradient)
        self.inner.step()
        return Step(residual, rate, residual_before=True)


def set_gradient(network: Network, gradient: torch.Tensor) -> None:
    """Store a gradient (P,) where torch's optimizers look for it; it is 0 for numbers that are not trained, which stay what they are."""
    start, live = 0, network.trained_places
    if live is not None:
        whole = gradient.new_zeros(sum(parameter.numel() for parameter in network.parameters()))
        gradient = whole.index_copy(0, live, gradient)
    for parameter in network.parameters():
        parameter.grad = gradient[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()
