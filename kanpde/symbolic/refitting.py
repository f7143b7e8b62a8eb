"""The constants of a formula that fit data best: Levenberg-Marquardt over many starts at once.

    minimise  RSS(c) = sum_n ((f(x_n; c) - y_n) w_n)^2

for every row of ``starts`` (B, count) together; the steps solve (J'J + mu D) d = -J'r with D the largest diagonal of J'J so far (More,
Lecture Notes in Mathematics 630, 1978), and mu follows what the steps gain.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanpde.symbolic.forms import Form

STEPS = 30
SMALLEST = 1e-14  # gain of a step, relative to the RSS, that counts as none
MADE = 1e-30  # of the sum of squares of y: an RSS below is nought
RANK = 1e-9  # of the largest singular value of the scaled Jacobian: a direction below it is not determined


@dataclass(frozen=True)
class Fit:
    """The ``constants`` (count,) of a form with the least RSS, and that ``rss``; infinite where no start gave finite values."""

    form: Form
    constants: Tensor
    rss: float

    def residual(self, columns: Tensor, y: Tensor) -> Tensor:
        """f - y: (N,)."""
        return self.form.values(self.constants[None], columns)[0] - y


@torch.no_grad()
def refit(
    form: Form,
    columns: Tensor,
    y: Tensor,
    *,
    starts: Tensor | None = None,
    weights: Tensor | None = None,
    steps: int = STEPS,
    close: float = SMALLEST,
    end: float = math.inf,
) -> Fit:
    """The best constants for values y (N,) at columns (inputs, N), from ``starts`` (B, count), by default those of the form.

    ``weights`` (N,) multiply the residuals. Formulas that are not finite at all points with a start are left there. It ends where no start
    has a step left that promises more than a share ``close`` of its RSS, and that is not damped; or when this thread has used the seconds
    ``end`` of CPU time (``time.thread_time()``).
    """
    first = form.start[None] if starts is None else starts
    target, factor = y.numpy(), None if weights is None else weights.numpy()
    with np.errstate(all="ignore"):
        if not form.count:
            rss = _size(_weighted(form.values(first, columns).numpy() - target, factor))
            return Fit(form, first[0], float(rss[0]))
        place = first.numpy()
        residual, slope = _evaluated(form, first, columns, target, factor)
        rss = _size(residual)
        damping, scale = np.full_like(rss, 1e-3), np.zeros_like(place)
        floor = MADE * float(target @ target)
        for _ in range(steps):
            if time.thread_time() > end:
                break
            normal = slope.transpose(0, 2, 1) @ slope
            gradient = (residual[:, None, :] @ slope)[:, 0, :]
            good = np.isfinite(rss) & np.isfinite(normal).all((1, 2))
            scale = np.maximum(scale, np.where(good[:, None], normal.diagonal(axis1=1, axis2=2), 0.0))
            step = _step(normal, gradient, scale, damping, good)
            promise = np.where(good, (step * gradient).sum(1) / rss, 0.0)
            if bool(((promise <= close) & ((damping < 1) | ~good)).all()):
                break
            trial = place - step
            new_residual, new_slope = _evaluated(form, torch.from_numpy(trial), columns, target, factor)
            new = _size(new_residual)
            better = good & (new < rss)
            gain = np.where(better, (rss - new) / rss, 0.0)
            if better.all():
                place, residual, slope, rss = trial, new_residual, new_slope, new
            elif better.any():
                place = np.where(better[:, None], trial, place)
                residual = np.where(better[:, None], new_residual, residual)
                slope = np.where(better[:, None, None], new_slope, slope)
                rss = np.where(better, new, rss)
            damping = np.where(better, damping / 8, damping * 6).clip(1e-16, 1e12)
            if rss.min() <= floor or not good.any() or (gain.max() < SMALLEST and bool((damping > 1e2)[good].all())):
                break
    winner = int(rss.argmin())
    return Fit(form, torch.from_numpy(place[winner].copy()), float(rss[winner]))


@torch.no_grad()
def deviations(fit: Fit, columns: Tensor, variance: float, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Standard deviations (count,) and covariance of the constants for this variance of the data: variance (J'WWJ)^-1.

    ``weights`` (N,) are those of the residuals, ``variance`` that of one of weight 1. Infinite for constants that take part in a direction
    that the data do not determine.
    """
    _, slope = fit.form.jacobian(fit.constants[None], columns)
    if weights is not None:
        slope = slope * weights[:, None]
    norms = torch.linalg.vector_norm(slope[0], dim=0)
    if not bool(torch.isfinite(norms).all()):  # at the edge of what the formula is defined for
        return torch.full_like(norms, math.inf), torch.full((len(norms), len(norms)), math.nan, dtype=norms.dtype)
    scaled = slope[0] / torch.where(norms > 0, norms, 1.0)
    _, singular, right = torch.linalg.svd(scaled, full_matrices=False)
    kept = singular > RANK * (float(singular.max()) if len(singular) else 1.0)
    inverse = right[kept] / singular[kept][:, None]
    covariance = variance * (inverse.T @ inverse) / (norms[:, None] * norms)
    lost = ((right[~kept] ** 2).sum(0) > 1e-6) | (norms == 0)
    sigma = torch.where(lost, math.inf, covariance.diagonal().clamp(min=0).sqrt())
    return sigma, covariance


def _evaluated(form: Form, place: Tensor, columns: Tensor, target: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (B, N) and their derivatives by the constants (B, N, count)."""
    value, slope = form.jacobian(place, columns)
    return _weighted(value.numpy() - target, weights), slope.numpy() if weights is None else slope.numpy() * weights[:, None]


def _weighted(residual: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return residual if weights is None else residual * weights


def _size(residual: np.ndarray) -> np.ndarray:
    rss = (residual * residual).sum(-1)
    return np.where(np.isfinite(rss), rss, math.inf)


def _step(normal: np.ndarray, gradient: np.ndarray, scale: np.ndarray, damping: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The damped steps (B, count); nought where the system is singular or not finite."""
    unit = np.sqrt(scale).clip(1e-150)
    eye = np.eye(unit.shape[1])
    system = normal / (unit[:, :, None] * unit[:, None, :]) + damping[:, None, None] * eye
    if not good.all():
        system[~good] = eye
    try:
        step = np.linalg.solve(system, (gradient / unit)[:, :, None])[:, :, 0] / unit
    except np.linalg.LinAlgError:  # one is singular to rounding: a damping of 1e-14 is none
        step = np.linalg.solve(system + 1e-12 * eye, (gradient / unit)[:, :, None])[:, :, 0] / unit
    return np.where(good[:, None] & np.isfinite(step).all(1, keepdims=True), step, 0.0)
