"""The length of a description of data by a formula, in nats: what a search minimises, with no weights to tune.

    N/2 log(max(RSS/N, floor) / mean y^2) + k/2 log N + nats of the structure + nats of each exact number,

N rows, k free constants (Rissanen, Automatica 14, 1978, 465). Where rows are not known alike well, residuals and y are those times the
weights of the rows, which are 1 in the mean square: RSS and rms are then of these. The floor is the variance of rounding, (100 eps rms
y)^2, for without noise the logarithm would diverge.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kanpde.structure.scattered import chebyshev_products
from kanpde.symbolic.forms import Form
from kanpde.symbolic.refitting import Fit

STEPS = 8  # units in the last place that each step of a formula, and the data, may be off
ROUNDING = 100 * 2.0**-52  # of the rms of y: a residual below this is none


def structure_nats(form: Form) -> float:
    """What it takes to write down the tree of a form: its operations, variables and exponents, but not its constants."""
    size: list[float] = []
    for step in form.steps:
        own = {
            "x": 1.0 + math.log(form.inputs),
            "sum": 1.5 * (len(step.parts) - 1),
            "product": 1.5 * (len(step.parts) - 1),
            "power": 1.5 + 1.5 * math.log(abs(step.value.numerator) * step.value.denominator) if step.kind == "power" else 0.0,
            "raised": 3.0,
            "f": 1.0 + 0.8 * step.value.complexity if step.kind == "f" else 0.0,
            "number": number_nats(step.value) if step.kind == "number" else 0.0,
            "constant": 0.0,
        }[step.kind]
        size.append(own + sum(size[part] for part in step.parts))
    return size[-1]


def formula_size(form: Form) -> float:
    """What it takes to write a form down, its constants counted for one nat each: by which formulas are called longer or shorter."""
    return structure_nats(form) + form.count


def number_nats(value: object) -> float:
    """What an exact number costs: log p + log q + 1 for p/q, and 2 for each other part of it (pi, a root, e)."""
    import sympy

    exact: Any = sympy.sympify(value)
    rational, rest = exact.as_independent(sympy.pi, sympy.E, sympy.Pow, sympy.exp, as_Add=False)
    if not rational.is_Rational:
        return 10.0
    cost = 1.0 + math.log(max(abs(rational.p), 1)) + math.log(rational.q)
    return cost if rest == 1 else cost + 2.0 * len(sympy.Mul.make_args(rest))


def data_nats(rss: float, rows: int, size: float) -> float:
    """N/2 log of the variance of the residual over ``size``, the mean of y^2."""
    return rows / 2 * math.log(max(rss / rows, ROUNDING**2 * size, 1e-300) / max(size, 1e-300))


@dataclass(frozen=True)
class Trial:
    """A form with the constants that ``fit`` all ``rows`` best; ``size`` is the mean of y^2, ``weights`` (N,) multiply the residuals."""

    fit: Fit
    rows: int
    size: float
    weights: Tensor | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, fit: Fit, y: Tensor, weights: Tensor | None = None) -> "Trial":
        return cls(fit, len(y), mean_square(y, weights), weights)

    @property
    def form(self) -> Form:
        return self.fit.form

    @property
    def constants(self) -> Tensor:
        return self.fit.constants

    @property
    def rss(self) -> float:
        return self.fit.rss

    @property
    def nats(self) -> float:
        """The length of the description."""
        free = self.form.count / 2 * math.log(self.rows)
        return data_nats(self.rss, self.rows, self.size) + free + structure_nats(self.form)

    @property
    def rms(self) -> float:
        return math.sqrt(self.rss / self.rows)

    @property
    def variance(self) -> float:
        """Of the noise, as far as the residual tells; at least that of rounding."""
        return max(self.rss / max(1, self.rows - self.form.count), ROUNDING**2 * self.size)

    def values(self, columns: Tensor) -> Tensor:
        """The formula at columns (inputs, N): (N,)."""
        return self.form.values(self.constants[None], columns)[0]

    def weighted(self, rows: Tensor) -> Tensor:
        """What is to be compared (..., N), times the weights."""
        return rows if self.weights is None else rows * self.weights

    def slopes(self, columns: Tensor) -> Tensor:
        """The derivatives of the weighted values by the constants: (N, count)."""
        return self.weighted(self.form.jacobian(self.constants[None], columns)[1][0].T).T


def mean_square(values: Tensor, weights: Tensor | None) -> float:
    """The mean of the squares of (weighted) values."""
    return float((values if weights is None else values * weights).square().mean())


def distinct(trials: Sequence[Trial], columns: Tensor, share: float = 1e-3) -> list[Trial]:
    """The trials by length, without those that have the values of a shorter one, within ``share`` of its residual, or rounding."""
    kept: list[tuple[Trial, Tensor]] = []
    for trial in sorted(trials, key=lambda each: each.nats):
        values = trial.values(columns)
        near = max(share**2 * trial.rss / trial.rows, 1e-20 * trial.size)
        if not any(mean_square(values - other, trial.weights) <= near for _, other in kept):
            kept.append((trial, values))
    return [trial for trial, _ in kept]


def front(trials: Sequence[Trial]) -> list[Trial]:
    """Those that no other beats in both residual and length of the formula, by the latter."""
    found: list[Trial] = []
    for trial in sorted(trials, key=lambda each: (formula_size(each.form), each.rss)):
        if not found or trial.rss < 0.99 * found[-1].rss:
            found.append(trial)
    return found


def residual_structure(trial: Trial, columns: Tensor, y: Tensor) -> tuple[float | None, float]:
    """How improbable it is that a formula without a fault leaves a residual as regular as this: log10 of the probability; and the noise.

    That is the standard deviation of what is left of the residual when all that is regular is taken out. An F test of the residual against
    polynomials of all variables, of a total degree that N/8 columns and 200 allow; and, as one term among many would be lost in that, the
    greatest correlation with any product T_a(x_i) T_b(x_j), a, b = 0, 1, 2, for as many as there are (Bonferroni). None instead of the
    probability where there are too few rows to tell.
    """
    residual = trial.weighted(y - trial.values(columns))
    own = _own(trial, columns)
    basis = _basis(trial.weighted(polynomials(columns, min(len(y) // 8, 200)).T).T, besides=own)
    gone, left = _split(basis, residual - own @ (own.T @ residual))
    p, freedom = basis.shape[1], len(y) - basis.shape[1] - own.shape[1]
    if p < 1 or freedom < 10:
        return None, trial.rms
    smooth, single = _improbable(gone, p, left, freedom), _one_product(residual, columns, trial.weighted(torch.ones_like(y)))
    return min(0.0, min(smooth, single) + math.log10(2)), math.sqrt(left / freedom)


def _one_product(residual: Tensor, columns: Tensor, weights: Tensor) -> float:
    """log10 of the probability that noise has so great a correlation with one of the products, times the weights."""
    from scipy.special import log_ndtr

    rows = _places(columns)
    factors = torch.cat([torch.ones_like(residual)[None], rows, 2 * rows**2 - 1])
    along = (factors * (residual * weights)) @ factors.T
    norms = ((factors * weights) ** 2 @ (factors**2).T).sqrt()
    greatest = float((along.abs() / norms.clamp(min=1e-300)).max()) / max(float(residual.square().mean().sqrt()), 1e-300)
    count = len(factors) * (len(factors) + 1) / 2
    return (math.log(2 * count) + float(log_ndtr(-greatest))) / math.log(10)


def _places(columns: Tensor) -> Tensor:
    """Every column from -1 to 1."""
    low, high = columns.min(1, keepdim=True).values, columns.max(1, keepdim=True).values
    return 2 * (columns - low) / (high - low).clamp(min=1e-300) - 1


def drift(trial: Trial, columns: Tensor, y: Tensor) -> float:
    """How improbable it is that constants of the right formula, allowed to change with the variables, would: log10 of the probability.

    An F test of the residual against dy/dc_k T_1(x_i) and dy/dc_k T_2(x_i) for all constants and variables. What only stands for a law
    fits every part of the data with constants of its own.
    """
    own, places = _own(trial, columns), _places(columns)
    if not own.shape[1]:
        return 0.0
    slope = trial.slopes(columns)
    extra = torch.cat([slope * row[:, None] for row in (*places, *(2 * places**2 - 1))], 1)
    basis = _basis(extra / torch.linalg.vector_norm(extra, dim=0).clamp(min=1e-300), besides=own)
    residual = trial.weighted(y - trial.values(columns))
    residual = residual - own @ (own.T @ residual)
    freedom = len(y) - basis.shape[1] - own.shape[1]
    if not basis.shape[1] or freedom < 10:
        return 0.0
    gone, left = _split(basis, residual)
    return _improbable(gone, basis.shape[1], left, freedom)


def _own(trial: Trial, columns: Tensor) -> Tensor:
    """What changes of the constants can do: orthonormal columns (N, rank), none where a derivative is not finite."""
    slope = trial.slopes(columns)
    return _basis(slope if bool(torch.isfinite(slope).all()) else slope[:, :0])


def rounding(trial: Trial, columns: Tensor, y: Tensor) -> bool:
    """Whether the residual is no greater, row by row, than what rounding in every step of the formula may add up to."""
    values, adjoints = trial.form.adjoints(trial.constants, columns)
    bound = sum(((value * weight).abs() for value, weight in zip(values, adjoints, strict=True)), y.abs())
    return bool(((trial.values(columns) - y).abs() <= STEPS * 2.0**-52 * bound).double().mean() > 0.99)


def unbounded(trial: Trial, columns: Tensor, y: Tensor) -> bool:
    """Whether some constant could as well be ten times as great, such as the slope of a tanh that stands for a step.

    Not one that does nothing at all, as in sign(c x): a tenth of it would do as well.
    """
    if not trial.form.count:
        return False
    one = torch.eye(trial.form.count, dtype=trial.constants.dtype)
    more, less = (trial.form.values(trial.constants * (1 + factor * one), columns) for factor in (9, -0.9))
    idle = (more == trial.values(columns)).all(1) & (less == more).all(1)
    return bool(((trial.weighted(more - y).square().sum(1) <= trial.rss + 9 * trial.variance) & ~idle).any())


def _improbable(gone: float, p: int, left: float, freedom: int) -> float:
    """log10 of the probability that p of p + freedom random numbers have so great a share of their sum of squares."""
    from scipy.stats import f as distribution

    ratio = (gone / p) / max(left / freedom, 1e-300)
    return max(float(distribution.logsf(ratio, p, freedom)) / math.log(10), -300.0)


def _basis(design: Tensor, besides: Tensor | None = None) -> Tensor:
    """Orthonormal columns that span those of a design, without those ``besides``."""
    if besides is not None:
        design = design - besides @ (besides.T @ design)
    left, singular, _ = torch.linalg.svd(design, full_matrices=False)
    return left[:, singular > 1e-8 * singular.max().clamp(min=1e-300)] if len(singular) else left


def _split(basis: Tensor, values: Tensor) -> tuple[float, float]:
    """The sums of squares inside and outside of the span of orthonormal columns."""
    inside = float((basis.T @ values).square().sum())
    return inside, max(float(values.square().sum()) - inside, 0.0)


def polynomials(columns: Tensor, most: int) -> Tensor:
    """Products of Chebyshev polynomials of all columns, of the greatest total degree (30 at most) that has no more than so many: (N, p)."""
    degree, d = 1, len(columns)
    while math.comb(d + degree + 1, d) <= most and degree < 30:
        degree += 1
    points = columns.T.numpy()
    return torch.as_tensor(chebyshev_products(points, points, degree))
