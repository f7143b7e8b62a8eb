"""Constants of a primitive that make c f(a z + b) + d most like given values: variable projection.

For every (a, b) the best c and d are those of a straight line through the values over f, so that only a and b are searched for: over a
grid of starts scaled by the data, then by damped Gauss-Newton steps for the projected residual (Golub and Pereyra, SIAM J. Numer. Anal. 10,
1973, 413; with Kaufman's simplification, BIT 15, 1975, 49). All primitives and starts go together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from kanpde.primitives import Domain, Primitive

COARSE = 40  # points of the grid search, and of the first steps
STARTS = 4  # of each primitive that are followed
STEPS = 6  # of these
FLAT = 1e3  # the greatest value of f over its standard deviation, at most
POLISH = 60  # steps of the last, at most


@dataclass(frozen=True)
class EdgeFit:
    """c f(a z + b) + d with its ``constants`` (a, b, c, d), and R^2, the part of the variance of the values that it explains."""

    primitive: Primitive
    constants: tuple[float, float, float, float]
    r2: float

    def __str__(self) -> str:
        a, b, c, d = self.constants
        return f"{c:.6g} {self.primitive.name}({a:.6g} z {b:+.6g}) {d:+.6g}, R2 = {self.r2:.8f}"


@torch.no_grad()
def edge_fits(primitives: Sequence[Primitive], z: Tensor, y: Tensor) -> list[EdgeFit]:
    """The best fit of each primitive to values y (N,) at z (N,); those whose domain cannot hold all z with any a and b are left out.

    Raises ``ValueError`` where z does not vary.
    """
    z, y = z.double().cpu(), y.double().cpu()
    middle, half = 0.5 * float(z.max() + z.min()), 0.5 * float(z.max() - z.min())
    if not half > 1e-12 * (1 + abs(middle)):
        raise ValueError(f"the edge's input is {middle:.6g} at all {len(z)} points: over a single value there is no function to fit")
    t = (z - middle) / half
    order = t.argsort()
    few = order[torch.linspace(0, len(t) - 1, min(COARSE, len(t))).round().long()]
    kept, starts = [], []
    for each in primitives:
        found = _scanned(each, t[few], y[few])
        if found is not None:
            kept.append(each)
            starts.append(found)
    if not kept:
        return []
    places, fits = _descended(kept, torch.stack(starts), t[few], y[few], STEPS), []
    for primitive, place in zip(kept, places, strict=True):
        alpha, beta = place.tolist()
        fits.append(_fit(primitive, alpha, beta, t, y, middle, half))
    return fits


@torch.no_grad()
def polished(fit: EdgeFit, z: Tensor, y: Tensor) -> EdgeFit:
    """The same fit after Gauss-Newton steps over all points, until they gain nothing."""
    z, y = z.double().cpu(), y.double().cpu()
    middle, half = 0.5 * float(z.max() + z.min()), 0.5 * float(z.max() - z.min())
    a, b = fit.constants[:2]
    start = torch.tensor([[[a * half, b + a * middle]]]).double()
    alpha, beta = _descended([fit.primitive], start, (z - middle) / half, y, POLISH)[0].tolist()
    better = _fit(fit.primitive, alpha, beta, (z - middle) / half, y, middle, half)
    return better if better.r2 >= fit.r2 else fit


def explained(values: Tensor, y: Tensor) -> float:
    """R^2 of ``values`` for y, (N,) each: 1 - sum (y - values)^2 / sum (y - mean y)^2; of a constant y, 1 if it is met and else 0."""
    spread, left = float((y - y.mean()).square().sum()), float((y - values).square().sum())
    if spread <= 1e-28 * float(y.square().sum()):
        return float(left <= 1e-20 * float(y.square().sum()))
    return 1 - left / spread


def canonical(primitive: Primitive, a: float, b: float, c: float, d: float) -> tuple[float, float, float, float]:
    """The same function with plainer constants, where several are equal: a = 1 in powers and logarithms, b = 0 in exponentials, a
    positive frequency and amplitude in waves, and a phase in [-pi, pi].
    """
    name = primitive.name
    if name == "x":
        return 1.0, 0.0, a * c, d + b * c
    exponent = _exponent(name)
    if exponent is not None and a > 0:
        return 1.0, b / a, c * a**exponent, d
    if exponent is not None and exponent == int(exponent):
        return 1.0, b / a, c * (-1) ** int(exponent) * abs(a) ** exponent, d
    if exponent is not None:
        return -1.0, b / abs(a), c * abs(a) ** exponent, d
    if name == "log":
        return math.copysign(1.0, a), b / abs(a), c, d + c * math.log(abs(a))
    if name == "exp" and abs(b) < 600:
        return a, 0.0, c * math.exp(b), d
    if name in ("sin", "cos"):
        if a < 0:
            a, b, c = -a, -b, (-c if name == "sin" else c)
        if c < 0:
            b, c = b + math.pi, -c
        return a, math.remainder(b, 2 * math.pi), c, d
    return a, b, c, d


def shape_constants(primitive: Primitive) -> int:
    """How many of a and b change the shape of c f(a z + b) + d, where c and d do not make up for them: 0 of x, 1 of powers, log and exp."""
    if primitive.name == "x":
        return 0
    return 1 if _exponent(primitive.name) is not None or primitive.name in ("log", "exp") else 2


def _exponent(name: str) -> float | None:
    if name == "sqrt":
        return 0.5
    if not name.startswith("x^"):
        return None
    top, _, bottom = name[2:].strip("()").partition("/")
    return int(top) / int(bottom or 1) if top.lstrip("-").isdigit() else None


def _fit(primitive: Primitive, alpha: float, beta: float, t: Tensor, y: Tensor, middle: float, half: float) -> EdgeFit:
    """The fit for given alpha and beta, u = alpha t + beta, with the best c and d over all points."""
    f = primitive.values(alpha * t + beta)
    centred, mean = f - f.mean(), y.mean()
    spread = float(centred.square().sum())
    c = float(centred @ (y - mean)) / spread if spread > 0 else 0.0
    d = float(mean) - c * float(f.mean())
    a, b = alpha / half, beta - alpha * middle / half
    constants = canonical(primitive, a, b, c, d)
    shown = constants[2] * primitive.values(constants[0] * (middle + half * t) + constants[1]) + constants[3]
    r2 = explained(shown, y)
    return EdgeFit(primitive, constants, r2) if math.isfinite(r2) else EdgeFit(primitive, (a, b, 0.0, float(mean)), 0.0)


@cache
def _starts() -> Tensor:
    """The pairs (alpha, beta) from which the search begins, (S, 2), for data in [-1, 1]."""
    outside = [1.001, 1.02, 1.1, 1.3, 2.0, 4.0, 11.0]
    places = torch.tensor([*(-x for x in outside), -0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, *outside]).double()
    gentle = torch.tensor([0.1, 0.25, 0.5, 0.8, 1.2, 1.8, 2.5, 3.5]).double()
    gentle = torch.cat([gentle, -gentle])
    steep = torch.arange(4.5, 42, 1.2).double()
    found = [torch.stack([alpha.expand_as(places), -alpha * places], 1) for alpha in (*gentle, *torch.tensor([6.0, 12.0, 24.0]).double())]
    phases = torch.arange(4).double() * (math.pi / 4)
    found += [torch.stack([alpha.expand_as(phases), phases], 1) for alpha in steep]
    return torch.cat(found)


def _covers(domain: Domain, alpha: Tensor, beta: Tensor) -> Tensor:
    """Whether alpha t + beta stays in the domain for all t in [-1, 1]; like :meth:`Domain.covers`, for many at once."""
    low, high = beta - alpha.abs(), beta + alpha.abs()
    found = (low > domain.low) & (high < domain.high)
    for hole in domain.holes:
        if domain.period is None:
            found &= (hole < low) | (hole > high)
        else:
            found &= torch.ceil((low - hole) / domain.period) > torch.floor((high - hole) / domain.period)
    return found


def _scanned(primitive: Primitive, t: Tensor, y: Tensor) -> Tensor | None:
    """The best starts of a primitive, (STARTS, 2), of different alpha; None if there is none in its domain."""
    starts = _starts()
    starts = starts[_covers(primitive.domain, starts[:, 0], starts[:, 1])]
    if not len(starts):
        return None
    score = _scores(primitive.values(starts[:, :1] * t + starts[:, 1:]), y)
    order = score.argsort(descending=True)
    best, seen = [], set[float]()
    for number in order.tolist():
        alpha = float(starts[number, 0])
        if alpha not in seen:
            seen.add(alpha)
            best.append(number)
        if len(best) == STARTS:
            break
    return starts[best + best[:1] * (STARTS - len(best))]


def _scores(f: Tensor, y: Tensor) -> Tensor:
    """R^2 of the best straight line of y over each row of f (..., N); -1 where f is not finite, or hardly varies beside its size.

    There c f and d would be huge and nearly cancel: any function is like a parabola in a small enough piece.
    """
    size = f.abs().amax(-1)
    f = f - f.mean(-1, keepdim=True)
    spread = f.square().sum(-1)
    centred = y - y.mean()
    score = (f @ centred) ** 2 / (spread * centred.square().sum())
    good = torch.isfinite(score) & (spread > 0) & torch.isfinite(size) & (size <= FLAT * (spread / f.shape[-1]).sqrt())
    return torch.where(good, score, torch.full_like(score, -1.0))


def _descended(primitives: Sequence[Primitive], starts: Tensor, t: Tensor, y: Tensor, steps: int) -> Tensor:
    """Damped Gauss-Newton from starts (P, S, 2): the best end of each primitive, (P, 2)."""
    place, damping = starts.clone(), torch.full(starts.shape[:2], 1e-3).double()
    centred = y - y.mean()
    value, slope = _tables(primitives, place, t)
    score = _scores(value, centred)
    for _ in range(steps):
        step = _step(value, slope, t, centred, damping)
        trial = place + step
        inside = torch.stack([_covers(each.domain, *pair.unbind(1)) for each, pair in zip(primitives, trial, strict=True)])
        trial = torch.where(inside[..., None], trial, place)
        new_value, new_slope = _tables(primitives, trial, t)
        new = _scores(new_value, centred)
        better = (new > score) & inside
        gained = float(torch.where(better, new - score, torch.zeros_like(new)).max())
        place = torch.where(better[..., None], trial, place)
        value, slope = (torch.where(better[..., None], a, b) for a, b in ((new_value, value), (new_slope, slope)))
        score = torch.where(better, new, score)
        damping = torch.where(better, damping / 5, damping * 8).clamp(1e-14, 1e10)
        if gained < 1e-15 and bool((damping > 1e4).all()):
            break
    return place[torch.arange(len(place)), score.argmax(1)]


def _tables(primitives: Sequence[Primitive], place: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """f and f' at alpha t + beta: (P, S, N) each."""
    u = place[..., :1] * t + place[..., 1:]
    tables = torch.stack([primitive.table(each, 1) for primitive, each in zip(primitives, u, strict=True)], 1)
    tables = torch.where(torch.isfinite(tables), tables, torch.full_like(tables, torch.nan))
    return tables[0], tables[1]


def _step(value: Tensor, slope: Tensor, t: Tensor, y: Tensor, damping: Tensor) -> Tensor:
    """The damped step (P, S, 2) in alpha and beta for the residual of which the line over f is taken out."""
    f = value - value.mean(-1, keepdim=True)
    unit = f / f.norm(dim=-1, keepdim=True).clamp(min=1e-300)
    along = unit @ y
    c = along / f.norm(dim=-1).clamp(min=1e-300)
    residual = y - along[..., None] * unit
    columns = c[..., None, None] * torch.stack([slope * t, slope], -2)  # (P, S, 2, N)
    columns = columns - columns.mean(-1, keepdim=True)
    columns = columns - (columns @ unit[..., None]) * unit[..., None, :]
    normal = columns @ columns.transpose(-1, -2)
    diagonal = normal.diagonal(dim1=-2, dim2=-1)
    scale = diagonal + 1e-12 * diagonal.sum(-1, keepdim=True) + 1e-300
    p, q = (diagonal + damping[..., None] * scale).unbind(-1)
    r, (g, h) = normal[..., 0, 1], (columns @ residual[..., None])[..., 0].unbind(-1)
    determinant = p * q - r * r
    step = torch.stack([q * g - r * h, p * h - r * g], -1) / determinant[..., None]
    return torch.where(torch.isfinite(step), step, torch.zeros_like(step))
