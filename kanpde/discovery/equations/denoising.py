"""Noise taken off scattered samples of a field by smoothing splines whose penalty the data choose.

    minimise  sum_n (u(x_n) - y_n)^2 + sum over coordinates of mu_i int (d^3 u / d z_i^3)^2 dz,    z in the unit box,

is the mean of a Gaussian process, and mu and the variance of the noise are those of greatest likelihood (restricted, REML; Wahba, Ann.
Statist. 13, 1985, 1378): with H = A + sum mu_i P_i, Q the minimum and n the number of samples less the dimension of the null space of P,

    -2 log likelihood = n log(Q / n) + log det H - log det+ P.
"""

import logging
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize

from kanpde.discovery.equations.tensor import Factor, TensorSplines, univariate

logger = logging.getLogger("kanpde")

BENT = 3  # the derivative that is penalised
RANGE = (-32.0, 12.0)  # of log mu
LIMITS = {2: 6_000, 3: 2_500}  # coefficients, by the number of coordinates
FIRST = {2: (16, 10), 3: (6, 6)}  # cells along space and time to begin with
GROWTH = 1.4
PROBES = 24
BETTER = 6.0  # nats by which a finer mesh must raise the likelihood


@dataclass(frozen=True, eq=False)
class Samples:
    """Scattered samples: ``points`` (d, N), the coordinates of space and then time, and the measured ``values`` (N,)."""

    points: np.ndarray
    values: np.ndarray

    @property
    def count(self) -> int:
        return len(self.values)

    def splines(self, cells: tuple[int, ...], degree: int | None = None) -> TensorSplines:
        """Splines on the box that the samples fill, if not told otherwise of degree 5, or 4 in more than one dimension of space."""
        lower, upper = self.points.min(1).tolist(), self.points.max(1).tolist()
        return TensorSplines(tuple(lower), tuple(upper), cells, degree=degree or (5 if len(cells) == 2 else 4))


class Design:
    """The sums over samples that every fit in one spline space needs: A = R'R, R'y, and the penalties P_i."""

    def __init__(self, samples: Samples, splines: TensorSplines) -> None:
        self.samples, self.splines = samples, splines
        self.first, tables = splines.tables(list(samples.points), [0] * len(splines.cells))
        self.rows = splines.rows(tables, [0] * len(splines.cells))
        self.gram = splines.gram(self.rows, self.first)
        self.right = splines.gathered(self.rows, self.first, samples.values)
        self._pairs = [univariate(basis, BENT) for basis in splines.bases]

    @cached_property
    def penalties(self) -> list[np.ndarray]:
        found = []
        for axis, (_, bent) in enumerate(self._pairs):
            found.append(self.splines.kronecker([bent if axis == i else mass for i, (mass, _) in enumerate(self._pairs)]))
        return found

    @cached_property
    def bends(self) -> list[np.ndarray]:
        """The eigenvalues of every coordinate's penalty relative to its mass matrix, the null space first."""
        found = []
        for mass, bent in self._pairs:
            values = np.clip(eigh(bent, mass, eigvals_only=True), 0, None)
            values[:BENT] = 0
            found.append(values)
        return found

    @cached_property
    def mass_determinant(self) -> float:
        """log det of the Kronecker product of the mass matrices."""
        return sum(np.linalg.slogdet(mass)[1] * self.splines.size / len(mass) for mass, _ in self._pairs)

    def fitted(self, coefficients: np.ndarray) -> np.ndarray:
        return self.splines.values(self.rows, self.first, coefficients)

    def penalised(self, weights: np.ndarray) -> np.ndarray:
        """sum_i weights_i P_i, banded."""
        return sum(weight * penalty for weight, penalty in zip(weights, self.penalties, strict=True))  # type: ignore[return-value]

    def energies(self, coefficients: np.ndarray) -> np.ndarray:
        """c'P_i c for every coordinate."""
        return np.array([coefficients @ self.splines.times(penalty, coefficients) for penalty in self.penalties])

    def freedom(self, factor: Factor) -> float:
        """tr(H^-1 A), the effective number of parameters, from random signs and the factor of H."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (self.samples.count, PROBES))
        probes = np.stack([self.splines.gathered(self.rows, self.first, each) for each in signs.T], 1)
        return float((probes * factor.solve(probes)).sum()) / PROBES

    def smooth(self, logs: np.ndarray) -> "Smooth":
        """The minimum for log mu = ``logs``."""
        weights, y = np.exp(logs), self.samples.values
        factor = Factor(self.gram + self.penalised(weights))
        coefficients = factor.solve(self.right)
        residual = y - self.fitted(coefficients)
        least = max(float(y @ y - coefficients @ self.right), float(residual @ residual), 1e-30 * float(y @ y))
        shape = [[-1 if axis == i else 1 for i in range(len(self.bends))] for axis in range(len(self.bends))]
        spread = sum(w * each.reshape(form) for w, each, form in zip(weights, self.bends, shape, strict=True))
        positive = spread[spread > 0]  # type: ignore[index]
        freedom = max(1, self.samples.count - (self.splines.size - positive.size))
        determinant = float(np.log(positive).sum()) + self.mass_determinant
        value = freedom * math.log(least / freedom) + factor.log_determinant - determinant
        return Smooth(self, logs, coefficients, math.sqrt(least / freedom), value)


@dataclass(frozen=True, eq=False)
class Smooth:
    """A smoothing spline: its coefficients, the standard deviation of the noise, and -2 log likelihood."""

    design: Design
    logs: np.ndarray
    coefficients: np.ndarray
    noise: float
    deviance: float

    @cached_property
    def freedom(self) -> float:
        """The effective number of parameters."""
        return self.design.freedom(Factor(self.design.gram + self.design.penalised(np.exp(self.logs))))


def smoothed(design: Design, start: np.ndarray | None = None) -> Smooth:
    """The smoothing spline of greatest likelihood."""
    axes = len(design.splines.cells)
    best: list[Smooth] = []

    def deviance(logs: np.ndarray) -> float:
        try:
            found = design.smooth(np.clip(logs, *RANGE))
        except np.linalg.LinAlgError:
            return math.inf
        if not best or found.deviance < best[0].deviance:
            best[:] = [found]
        return found.deviance

    wide, most = (4.0, 40 * axes) if start is None else (1.5, 14 * axes)  # a start is that of a coarser mesh, and near
    start = np.full(axes, -14.0) if start is None else start
    simplex = np.vstack([start, start + wide * np.eye(axes)])
    minimize(deviance, start, method="Nelder-Mead", options=dict(initial_simplex=simplex, xatol=0.3, fatol=0.5, maxfev=most))
    if not best:
        raise np.linalg.LinAlgError("no penalty makes the smoothing spline solvable")
    return best[0]


def denoised(samples: Samples) -> Smooth:
    """The smoothing spline on the mesh of greatest likelihood: cells are added, along one coordinate or all, while that pays."""
    axes = len(samples.points)
    space, time = FIRST[axes]
    best = smoothed(Design(samples, samples.splines((space,) * (axes - 1) + (time,))))
    while True:
        cells, trials = best.design.splines.cells, []
        for grown in [{axis} for axis in range(axes)] + [set(range(axes))]:
            splines = samples.splines(tuple(math.ceil(GROWTH * count) if axis in grown else count for axis, count in enumerate(cells)))
            if splines.size <= LIMITS[axes]:
                trials.append(smoothed(Design(samples, splines), best.logs))
        better = min(trials, key=lambda each: each.deviance, default=best)
        if best.deviance - better.deviance < 2 * BETTER:
            logger.info("denoised on %s cells: noise %.3g", cells, best.noise)
            return best
        best = better
