"""The constants of a formula that fit data best: Levenberg-Marquardt over many starts at once.

    minimise  RSS(c) = sum_n ((f(x_n; c) - y_n) w_n)^2

for every row of ``starts`` (B, count) together; the steps solve (J'J + mu D) d = -J'r with D the largest diagonal of J'J so far (More,
Lecture Notes in Mathematics 630, 1978), and mu follows what the steps gain.
"""

import math
from dataclasses import dataclass

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
    form: Form, columns: Tensor, y: Tensor, *, starts: Tensor | None = None, weights: Tensor | None = None, steps: int = STEPS
) -> Fit:
    """The best constants for values y (N,) at columns (inputs, N), from ``starts`` (B, count), by default those of the form.

    ``weights`` (N,) multiply the residuals. Formulas that are not finite at all points with a start are left there.
    """
    place = form.start[None] if starts is None else starts
    if not form.count:
        rss = _size(_residual(form.values(place, columns), y, weights))
        return Fit(form, place[0], float(rss[0]))
    value, slope = form.jacobian(place, columns)
    residual = _residual(value, y, weights)
    rss = _size(residual)
    damping = torch.full_like(rss, 1e-3)
    scale = torch.zeros_like(place)
    floor = MADE * float(y.square().sum())
    weighted = slope if weights is None else slope * weights[:, None]
    for _ in range(steps):
        normal = weighted.transpose(-1, -2) @ weighted
        gradient = (weighted.transpose(-1, -2) @ residual[..., None])[..., 0]
        good = torch.isfinite(rss) & torch.isfinite(normal).all(-1).all(-1)
        scale = torch.maximum(scale, torch.where(good[:, None], normal.diagonal(dim1=-2, dim2=-1), 0.0))
        step = _step(normal, gradient, scale, damping, good)
        trial = place - step
        new_value, new_slope = form.jacobian(trial, columns)
        new_residual = _residual(new_value, y, weights)
        new = _size(new_residual)
        better = good & (new < rss)
        gain = torch.where(better, (rss - new) / rss, torch.zeros_like(rss))
        place = torch.where(better[:, None], trial, place)
        residual = torch.where(better[:, None], new_residual, residual)
        new_slope = new_slope if weights is None else new_slope * weights[:, None]
        weighted = torch.where(better[:, None, None], new_slope, weighted)
        rss = torch.where(better, new, rss)
        damping = torch.where(better, damping / 8, damping * 6).clamp(1e-16, 1e12)
        best = float(rss.min())
        if best <= floor or not bool(good.any()) or (float(gain.max()) < SMALLEST and bool((damping > 1e2)[good].all())):
            break
    winner = int(torch.where(torch.isfinite(rss), rss, math.inf).argmin())
    return Fit(form, place[winner], float(rss[winner]))


@torch.no_grad()
def deviations(fit: Fit, columns: Tensor, variance: float) -> tuple[Tensor, Tensor]:
    """Standard deviations (count,) and covariance of the constants for this variance of the data: variance (J'J)^-1.

    Infinite for constants that take part in a direction that the data do not determine.
    """
    _, slope = fit.form.jacobian(fit.constants[None], columns)
    norms = torch.linalg.vector_norm(slope[0], dim=0)
    scaled = slope[0] / torch.where(norms > 0, norms, 1.0)
    _, singular, right = torch.linalg.svd(scaled, full_matrices=False)
    kept = singular > RANK * (float(singular.max()) if len(singular) else 1.0)
    inverse = right[kept] / singular[kept][:, None]
    covariance = variance * (inverse.T @ inverse) / (norms[:, None] * norms)
    lost = ((right[~kept] ** 2).sum(0) > 1e-6) | (norms == 0)
    sigma = torch.where(lost, math.inf, covariance.diagonal().clamp(min=0).sqrt())
    return sigma, covariance


def _residual(value: Tensor, y: Tensor, weights: Tensor | None) -> Tensor:
    return value - y if weights is None else (value - y) * weights


def _size(residual: Tensor) -> Tensor:
    rss = residual.square().sum(-1)
    return torch.where(torch.isfinite(rss), rss, math.inf)


def _step(normal: Tensor, gradient: Tensor, scale: Tensor, damping: Tensor, good: Tensor) -> Tensor:
    """The damped steps (B, count); nought where the system is singular or not finite."""
    unit = scale.sqrt().clamp(min=1e-150)
    system = normal / (unit[:, :, None] * unit[:, None, :])
    eye = torch.eye(unit.shape[1], dtype=unit.dtype)
    system = torch.where(good[:, None, None], system + damping[:, None, None] * eye, eye)
    factor, info = torch.linalg.cholesky_ex(system)
    right = torch.where(good[:, None], gradient / unit, 0.0)
    step = torch.cholesky_solve(right[..., None], factor)[..., 0] / unit
    return torch.where((info == 0)[:, None] & torch.isfinite(step), step, 0.0)
