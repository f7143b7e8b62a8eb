"""Levenberg-Marquardt by one factorisation a step, with a ratio-targeted damping and geodesic acceleration."""

import logging
import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.optimizers.descent import Step, check_schedule
from kanpde.optimizers.linear_model import AT_ROUNDING, LinearModel, linear_model

logger = logging.getLogger("kanpde")

STRONGEST = 1e6  # damping to begin with
REACH = 1e-2  # of |D p|: the longest step along a direction that may be rounding


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Damped Gauss-Newton steps on r(p), in the scaled parameters y = D p with D the column norms of J:

        step = -(J'J + damping)^-1 J'r,   then   step + a,   a = -1/2 (J'J + damping)^-1 J' r_vv

    where r_vv is the second derivative of r along the step, from one more residual at ``probe`` times the step (where the network leads
    it: :meth:`~kanpde.network.Network.moved`): the parabola
    follows the curved valleys in which a straight step would have to be short (Transtrum and Sethna, arXiv 1201.5885); it is left out
    where it is longer than the step, and everywhere with ``acceleration=False``. Every
    trial damping uses the same QR and singular value decomposition of J, which keeps all digits of float64.

    The damping is the smallest among a few probes, a factor 3 apart, at which the loss falls by at least ``target`` times what
    the linear model predicts; from the first time that the damping must be raised, at least ``late_target`` is asked for. Aiming at a
    low ratio, rather than at the greatest decrease at once, is the rule of DSGNAR (arXiv 2607.02194).

    Without acceleration, while steps leave less than a tenth of the loss (Newton's convergence), there is no search: a step is first tried
    at the present damping alone, which spares the singular values, and the damping then falls as far as the probes would have gone.
    It suits :class:`~kanpde.separable.SeparableKAN`; deeper networks it can lead into valleys that are hard to leave.

    A classification (:class:`~kanpde.supervised.Classification`) is judged by its cross-entropy, of which J'r is the gradient and J'J the
    generalised Gauss-Newton matrix: what the linear model predicts is then what this quadratic model does, and there is no acceleration,
    for which r would have to be a function with second derivatives.

    While J and a copy fit into ``memory`` bytes they are kept; beyond, J is factorised chunk by chunk and memory does not grow with the
    number of points. Non-finite trials count as failed. A step at which no damping helps ends the descent and says so.
    """

    steps: int = 100
    damping: float = 1.0
    target: float = 0.1
    late_target: float = 0.25
    probe: float = 0.1
    acceleration: bool = True
    patience: int = 20
    progress: float = 0.8
    memory: float = 2e9

    def __post_init__(self) -> None:
        check_schedule(self)
        for name in ("damping", "probe", "memory"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{type(self).__name__}({name}=...) must be a positive number, got {getattr(self, name)!r}")
        if self.damping > STRONGEST:
            raise ValueError(
                f"{type(self).__name__}(damping=...) must be at most {STRONGEST:g}, got {self.damping!r}: J's columns have norm 1 here, "
                "so that 1 is strong, and steps far beyond are lost in rounding"
            )
        if not (0 < self.target < 1 and 0 < self.late_target < 1):
            raise ValueError(f"target ratios must lie in (0, 1), got target={self.target!r}, late_target={self.late_target!r}")

    def start(self, network: Network) -> "Damped":
        return Damped(self)


@dataclass(frozen=True)
class Trial:
    """One damping tried: where it leads, and the actual decrease over the predicted one."""

    damping: float
    parameters: Tensor
    residual: Tensor
    ratio: float


class Damped:
    """A Levenberg-Marquardt descent under way: the damping, and the ratio that it aims at."""

    SMALLEST, LARGEST = 1e-24, 1e20
    FACTOR, DOWN = 3.0, 6  # between probes, and their number towards smaller damping
    LEFT = 0.1  # of the loss, at most, by a step that needs no search

    def __init__(self, options: LevenbergMarquardt) -> None:
        self.options, self.damping, self.target, self.fast = options, options.damping, options.target, True

    def state(self) -> dict[str, Any]:
        return {"damping": self.damping, "target": self.target, "fast": self.fast}

    def restore(self, state: dict[str, Any]) -> None:
        self.damping, self.target, self.fast = state["damping"], state["target"], state["fast"]

    def advance(self, objective: Objective, network: Network) -> Step:
        linear = self._model(objective, network)
        residual = linear.judged
        if not bool(linear.scale.isfinite().all()):
            return Step(residual, self.damping, "the Jacobian is not finite where the network stands: check the equation there")
        linear.factorise()
        start, before = network.vector(), float(residual @ residual)
        linear.reach = REACH * float(linear.length(start))
        best, following = None, self.damping / self.FACTOR**self.DOWN
        if self.fast and not self.options.acceleration and linear.free is None:
            best = self._trial(objective, network, linear, start, self.damping, alone=True)
        if best is None or not self._is_fast(best, before):
            best = self._search(objective, network, linear, start)
            following = best.damping if best is not None else self.damping
        if best is None:
            network.assign(start)
            return Step(residual, self.damping, AT_ROUNDING if linear.at_rounding(start) else "no damping lowers the loss any further")
        if best.damping > self.damping:
            self.target = max(self.target, self.options.late_target)
        self.damping, self.fast = max(following, self.SMALLEST), self._is_fast(best, before)
        network.assign(best.parameters)
        return Step(best.residual, best.damping)

    def _is_fast(self, trial: Trial, before: float) -> bool:
        return trial.ratio >= self.target and float(trial.residual @ trial.residual) < self.LEFT * before

    def _model(self, objective: Objective, network: Network) -> LinearModel:
        return linear_model(objective, network, self.options.memory)

    def _arrive(self, objective: Objective, network: Network, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Where a step to ``parameters`` ends, and the residual there."""
        network.assign(parameters)
        return parameters, objective.residual(network)

    def _search(self, objective: Objective, network: Network, linear: LinearModel, start: Tensor) -> Trial | None:
        def attempt(damping: float) -> Trial | None:
            trial = self._trial(objective, network, linear, start, damping)
            return trial if trial.ratio >= self.target else None

        best = attempt(self.damping)
        if best is not None:
            for _ in range(self.DOWN):
                smaller = attempt(best.damping / self.FACTOR)
                if smaller is None:
                    break
                best = smaller
            return best
        damping, factor = self.damping, self.FACTOR
        while damping < self.LARGEST:
            damping *= factor
            factor = min(1.5 * factor, 1000.0)  # far from success, larger strides
            best = attempt(damping)
            if best is not None:
                return best
        return None

    def _trial(
        self, objective: Objective, network: Network, linear: LinearModel, start: Tensor, damping: float, *, alone: bool = False
    ) -> Trial:
        """Where a damping leads; ``alone``, without acceleration, if no other is to be tried."""
        velocity, predicted = linear.only_step(damping) if alone else linear.step(damping)

        def residual_along(share: float) -> Tensor:
            network.assign(network.moved(start, share * velocity))
            return objective.residual(network)

        step = velocity
        if self.options.acceleration and not objective.own_loss:
            bend = linear.bend(residual_along, velocity, self.options.probe)
            if bool(bend.isfinite().all()):
                turn = linear.solve(bend, damping)
                if float(linear.length(turn)) < 2 * float(linear.length(velocity)):
                    step = velocity - 0.5 * turn
        parameters, residual = self._arrive(objective, network, network.moved(start, step))
        decrease = float(linear.judged @ linear.judged - residual @ residual) / 2
        if not math.isfinite(decrease):
            logger.warning("a trial step at damping %.1e gave a non-finite residual and was rejected", damping)
            return Trial(damping, parameters, residual, -math.inf)
        return Trial(damping, parameters, residual, decrease / predicted if predicted > 0 else -math.inf)
