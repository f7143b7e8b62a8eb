"""Levenberg-Marquardt by one factorisation a step, with a ratio-targeted damping and geodesic acceleration."""

import logging
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.optimizers.descent import Step, check_schedule

logger = logging.getLogger("kanpde")

FLATTEST = 1e-8  # of the largest column norm of J


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Damped Gauss-Newton steps on r(p), in the scaled parameters y = D p with D the column norms of J:

        step = -(J'J + damping)^-1 J'r,   then   step + a,   a = -1/2 (J'J + damping)^-1 J' r_vv

    where r_vv is the second derivative of r along the step, from one more residual at ``probe`` times the step: the parabola
    follows the curved valleys in which a straight step would have to be short (Transtrum and Sethna, arXiv 1201.5885); it is left out
    where it is longer than the step, and everywhere with ``acceleration=False``. Every
    trial damping uses the same QR and singular value decomposition of J, which keeps all digits of float64.

    The damping is the smallest among a few probes, a factor 3 apart, at which the loss falls by at least ``target`` times what
    the linear model predicts; from the first time that the damping must be raised, at least ``late_target`` is asked for. Aiming at a
    low ratio, rather than at the greatest decrease at once, is the rule of DSGNAR (arXiv 2607.02194).

    Non-finite trials count as failed. A step at which no damping helps ends the descent and says so.
    """

    steps: int = 100
    damping: float = 1.0
    target: float = 0.1
    late_target: float = 0.25
    probe: float = 0.1
    acceleration: bool = True
    patience: int = 20
    progress: float = 0.8

    def __post_init__(self) -> None:
        check_schedule(self)
        for name in ("damping", "probe"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"LevenbergMarquardt({name}=...) must be a positive number, got {getattr(self, name)!r}")
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

    def __init__(self, options: LevenbergMarquardt) -> None:
        self.options, self.damping, self.target = options, options.damping, options.target

    def state(self) -> dict[str, Any]:
        return {"damping": self.damping, "target": self.target}

    def restore(self, state: dict[str, Any]) -> None:
        self.damping, self.target = state["damping"], state["target"]

    def advance(self, objective: Objective, network: Network) -> Step:
        linear = LinearModel(list(objective.linearised(network)), objective.size)
        residual = linear.residual
        if not bool(linear.scale.isfinite().all()):
            return Step(residual, self.damping, "the Jacobian is not finite where the network stands: check the equation there")
        linear.factorise()
        start = network.vector()
        best = self._search(objective, network, linear, start)
        if best is None:
            network.assign(start)
            return Step(residual, self.damping, "no damping lowers the loss any further")
        if best.damping > self.damping:
            self.target = max(self.target, self.options.late_target)
        self.damping = max(best.damping, self.SMALLEST)
        network.assign(best.parameters)
        return Step(best.residual, self.damping)

    def _search(self, objective: Objective, network: Network, linear: "LinearModel", start: Tensor) -> Trial | None:
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

    def _trial(self, objective: Objective, network: Network, linear: "LinearModel", start: Tensor, damping: float) -> Trial:
        def residual_at(parameters: Tensor) -> Tensor:
            network.assign(parameters)
            return objective.residual(network)

        velocity, predicted = linear.step(damping)
        parameters = start + velocity
        if self.options.acceleration:
            probe = self.options.probe
            bend = 2 / probe * ((residual_at(start + probe * velocity) - linear.residual) / probe - linear.times(velocity))
            if bool(bend.isfinite().all()):
                turn = linear.solve(bend, damping)
                if float(linear.length(turn)) < 2 * float(linear.length(velocity)):
                    parameters = parameters - 0.5 * turn
        residual = residual_at(parameters)
        decrease = float(linear.residual @ linear.residual - residual @ residual) / 2
        if not math.isfinite(decrease):
            logger.warning("a trial step at damping %.1e gave a non-finite residual and was rejected", damping)
            return Trial(damping, parameters, residual, -math.inf)
        return Trial(damping, parameters, residual, decrease / predicted if predicted > 0 else -math.inf)


class LinearModel:
    """r + J p with column scaling, factorised once: J = Q R, R = U S V', any damping then costs two small products.

    ``parts`` are those of :meth:`~kanpde.objective.Objective.linearised`, with J transposed, (P, n) each.
    """

    def __init__(self, parts: list[tuple[slice, Tensor, Tensor]], size: int) -> None:
        self.parts = parts
        self.residual = parts[0][1].new_empty(size)
        squares = torch.zeros(len(parts[0][2]), dtype=self.residual.dtype, device=self.residual.device)
        for place, value, rows in parts:
            self.residual[place] = value
            squares += torch.linalg.vector_norm(rows, dim=1).square_()
        # nearly flat parameters are not scaled up to the others: a step would carry them out of sight
        norms = squares.sqrt()
        self.scale = torch.where(squares == 0, 1.0, norms.clamp(min=FLATTEST * float(norms.max())))

    def factorise(self) -> None:
        """QR of [J, r], then the singular value decomposition of R."""
        count = len(self.scale)
        both = self.residual.new_empty((count + 1, len(self.residual)))
        for place, _, rows in self.parts:
            torch.div(rows, self.scale[:, None], out=both[:count, place])
        both[count] = self.residual
        triangle = torch.linalg.qr(both.T, mode="r")[1]
        left, singular, self.right = torch.linalg.svd(triangle[:, :count], full_matrices=False)
        noise = torch.finfo(singular.dtype).eps * singular.max()  # what is smaller is the rounding of the largest
        self.singular = torch.where(singular > noise, singular, 0.0)
        self.projected = left.T @ triangle[:, count]

    def step(self, damping: float) -> tuple[Tensor, float]:
        """The damped step (P,), and the decrease of 1/2 |r|^2 that the linear model predicts for it."""
        weights = self.projected * self.singular / (self.singular**2 + damping)
        left_over = self.projected - self.singular * weights
        predicted = float(self.projected @ self.projected - left_over @ left_over) / 2
        return -(self.right.T @ weights) / self.scale, predicted

    def solve(self, vector: Tensor, damping: float) -> Tensor:
        """(J'J + damping)^-1 J' vector in the user's parameters, (P,)."""
        pulled = sum((rows @ vector[place] for place, _, rows in self.parts), start=torch.zeros_like(self.scale))
        most = self.singular * torch.linalg.vector_norm(vector)  # |s u'v| <= s |v|: more is rounding, which a small damping would blow up
        projected = (self.right @ (pulled / self.scale)).clamp(-most, most)
        return (self.right.T @ (projected / (self.singular**2 + damping))) / self.scale

    def times(self, parameters: Tensor) -> Tensor:
        """J p, (N,)."""
        found = torch.empty_like(self.residual)
        for place, _, rows in self.parts:
            torch.mv(rows.T, parameters, out=found[place])
        return found

    def length(self, parameters: Tensor) -> Tensor:
        """|D p|, the norm in which steps are damped."""
        return torch.linalg.vector_norm(parameters * self.scale)
