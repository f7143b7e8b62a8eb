"""The inverse problem: field and coefficients of an equation fitted to the samples together, the equation as a constraint.

    minimise  sum_n (u(x_n) - y_n)^2 / sigma^2  +  sum_q w_q (u_t - sum_j theta_j T_j(u))^2(x_q)  +  weak smoothness of u

over the coefficients c of tensor splines and theta. There is one collocation point x_q a cell, so that equations are nearly as many as
coefficients and what remains free are initial and boundary values: more points than splines can satisfy would make the discretisation
compete with the data. The weight w is so great that the equation holds far below the noise. Gauss-Newton steps with c eliminated
(a banded matrix) give theta, its covariance, and the gradient and curvature for terms that are not in the equation yet: what adding or
leaving out a term would gain is predicted for all subsets without fitting one.
"""

import logging
import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from kanpde.discovery.equations.denoising import Design, Samples, Smooth
from kanpde.discovery.equations.tensor import Factor, TensorSplines
from kanpde.discovery.equations.terms import Language, Term
from kanpde.discovery.equations.weak_form import nats

logger = logging.getLogger("kanpde")

STRICT = 0.1  # the equation's relative residual may be this much of the relative noise
LOOSER = (10.0, 3.0)  # times as much to begin with
PRIOR = 10.0  # what smoothness may cost, in units of the misfit (chi squared), for every coordinate
ROUGH = 64.0  # the least that int (d^3 u/dz^3)^2 is taken for, of the variance of u
STEPS = 15
SMALL = 0.02  # gain in chi squared
CORRECTIONS = 4


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted equation: which terms, their coefficients theta and those of the field.

    ``misfit`` is sum (u - y)^2, ``objective`` all that is minimised, in units of sigma^2.
    """

    chosen: tuple[int, ...]
    theta: np.ndarray
    field: np.ndarray
    covariance: np.ndarray  # for noise of the variance of the inverse problem
    misfit: float
    objective: float
    freedom: float  # effective number of parameters, theta excluded
    gradient: np.ndarray  # of half the objective, for the coefficients of all terms
    curvature: np.ndarray

    def described(self, count: int, sigma: float, price: np.ndarray) -> float:
        """Description length: that of the objective, the effective parameters of the field, and the price of each term."""
        return float(nats(self.objective * sigma**2, count, sigma**2)) + self.freedom + float(price[list(self.chosen)].sum())

    def model(self) -> tuple[np.ndarray, float]:
        """(b, F0) of the quadratic model F0 - 2 b'theta + theta' curvature theta of the objective, for the coefficients of all terms."""
        here = np.zeros(len(self.gradient))
        here[list(self.chosen)] = self.theta
        bent = self.curvature @ here
        return bent - self.gradient, float(self.objective - 2 * self.gradient @ here + here @ bent)


class Inverse:
    """Samples, a spline space and a library of terms: ready to fit any subset of the terms."""

    def __init__(self, design: Design, language: Language, terms: Sequence[Term], *, sigma: float, smooth: np.ndarray) -> None:
        self.design, self.language, self.terms, self.sigma = design, language, list(terms), sigma
        self.splines, self.start = design.splines, smooth
        axes = len(self.splines.cells)
        points = self._collocation()
        self.coordinates = dict(zip((*language.space, language.time), points, strict=True))
        used = {name: alpha for term in self.terms for name, alpha in term.derivatives.items()}
        used[language.field] = language.zero
        orders = [max(alpha[axis] for alpha in used.values()) for axis in range(axes - 1)] + [1]
        self.first, tables = self.splines.tables(points, orders)
        self.rows = {name: self.splines.rows(tables, (*alpha, 0)) for name, alpha in used.items()}
        self.rows[language.left] = self.splines.rows(tables, (*language.zero, 1))
        self.spread = float(np.var(design.samples.values))
        self.speed = float(np.mean(self._value(language.left, smooth) ** 2)) or self.spread
        self.weights = self.prior(smooth, ROUGH)

    def without(self, out: np.ndarray) -> "Inverse":
        """The same inverse problem without some of the samples: ``out`` is True for these, (N,)."""
        samples, found = self.design.samples, copy(self)
        found.design = Design(Samples(samples.points[:, ~out], samples.values[~out]), self.splines)
        found.design.penalties = self.design.penalties
        return found

    def _collocation(self) -> list[np.ndarray]:
        """Points (Q,) per coordinate: first the middle of every cell, in order, and then the others of a tensor grid with more points in
        the outermost cells, so many that a spline of degree p satisfies the equation at all of them with the freedom that its order
        leaves.

        Along time these are p - 1 more than cells, along space p - (the highest derivative in the library), halves at both ends.
        """
        order, degree = max((term.order for term in self.terms), default=0), self.splines.degree
        axes, outer = [], []
        for axis, (low, high, n) in enumerate(self._sides()):
            more = max(0, degree - (1 if axis == len(self.splines.cells) - 1 else order)) // 2
            ends = (np.arange(more) + 0.2) / max(more, 1)
            places = np.concatenate([np.arange(n) + 0.5, ends, n - ends])
            axes.append(low + places * (high - low) / n)
            outer.append(np.arange(len(places)) >= n)
        extra = np.logical_or.reduce(np.meshgrid(*outer, indexing="ij")).ravel()
        grid = [each.ravel() for each in np.meshgrid(*axes, indexing="ij")]
        return [np.concatenate([each[~extra], each[extra]]) for each in grid]

    def gram(self, rows: np.ndarray) -> np.ndarray:
        """R'R for one row at every collocation point."""
        cells = math.prod(self.splines.cells)
        return self.splines.cell_gram(rows[:cells]) + self.splines.gram(rows[cells:], self.first[cells:])

    def _sides(self) -> list[tuple[float, float, int]]:
        return list(zip(self.splines.lower, self.splines.upper, self.splines.cells, strict=True))

    def prior(self, field: np.ndarray, rough: float = 1e-6) -> np.ndarray:
        """Weights of the penalties such that each costs ``PRIOR`` for a field that bends like this one."""
        return PRIOR / np.maximum(self.design.energies(field), rough * self.spread)

    def _value(self, name: str, field: np.ndarray) -> np.ndarray:
        return self.splines.values(self.rows[name], self.first, field)

    @property
    def strict(self) -> float:
        """The relative residual that the equation is allowed."""
        return STRICT * self.sigma / math.sqrt(self.spread)

    def _fields(self, field: np.ndarray, chosen: Sequence[int]) -> dict[str, np.ndarray]:
        names = {name for j in chosen for name in self.terms[j].derivatives}
        return {name: self._value(name, field) for name in (*names, self.language.field, self.language.left)} | self.coordinates

    def _residual(self, field: np.ndarray, theta: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        fields = self._fields(field, chosen)
        return fields[self.language.left] - sum(a * self.terms[j].values(fields) for a, j in zip(theta, chosen, strict=True))

    def objective(self, field: np.ndarray, theta: np.ndarray, chosen: Sequence[int], allowed: float) -> tuple[float, float]:
        """The whole objective, and the misfit sum (u - y)^2 in it."""
        samples = self.design.samples
        misfit = float(np.sum((samples.values - self.design.fitted(field)) ** 2))
        with np.errstate(all="ignore"):
            equation = float(np.mean(self._residual(field, theta, chosen) ** 2)) * samples.count / (allowed**2 * self.speed)
        total = misfit / self.sigma**2 + equation + float(self.weights @ self.design.energies(field))
        return (total if math.isfinite(total) else math.inf), misfit

    def fit(self, chosen: Sequence[int], *, theta: np.ndarray | None = None, field: np.ndarray | None = None, steps: int = STEPS) -> Fit:
        """Fit the equation with the chosen terms, from given values or else from the denoised field, the constraint loose at first.

        Raises ``numpy.linalg.LinAlgError`` where the steps cannot be solved for.
        """
        chosen = tuple(chosen)
        warm = field is not None
        field = self.start if field is None else field
        theta = self._regression(field, chosen) if theta is None else theta
        for looser in () if warm else LOOSER:
            field, theta = self._descend(field, theta, chosen, looser * self.strict, steps // 3)
        field, theta = self._descend(field, theta, chosen, self.strict, steps)
        return self._finished(field, theta, chosen)

    def _regression(self, field: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        fields = self._fields(field, chosen)
        columns = np.stack([self.terms[j].values(fields) for j in chosen], 1) if chosen else np.zeros((len(self.first), 0))
        return np.linalg.lstsq(columns, fields[self.language.left], rcond=None)[0]

    def _descend(
        self, field: np.ndarray, theta: np.ndarray, chosen: Sequence[int], allowed: float, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        best, _ = self.objective(field, theta, chosen, allowed)
        for _ in range(steps):
            step = _Step(self, field, theta, chosen, allowed)
            size, value, trial = 1.0, math.inf, (field, theta)
            while not value < best and size > 1e-3:
                trial = field + size * step.change[0], theta + size * step.change[1]
                value, trial = self._corrected(step, trial, chosen, allowed)
                size /= 4
            if not value < best:
                break
            gain, best, (field, theta) = best - value, value, trial
            if gain < SMALL:
                break
        return field, theta

    def _corrected(
        self, step: "_Step", trial: tuple[np.ndarray, np.ndarray], chosen: Sequence[int], allowed: float
    ) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
        """A trial point brought back to the equation, which a straight step leaves, while that lowers the objective."""
        value, _ = self.objective(*trial, chosen, allowed)
        for _ in range(CORRECTIONS):
            if not math.isfinite(value):
                break
            field, theta = step.correction(*trial)
            nearer = trial[0] + field, trial[1] + theta
            better, _ = self.objective(*nearer, chosen, allowed)
            if not better < value - SMALL:
                break
            value, trial = better, nearer
        return value, trial

    def _finished(self, field: np.ndarray, theta: np.ndarray, chosen: Sequence[int]) -> Fit:
        every = [j for j in range(len(self.terms)) if j not in chosen]
        step = _Step(self, field, theta, chosen, self.strict, every)
        order = np.argsort([*chosen, *every])
        curvature, gradient = step.curvature[np.ix_(order, order)], step.gradient[order]
        objective, misfit = self.objective(field, theta, chosen, self.strict)
        return Fit(tuple(chosen), theta, field, step.covariance(), misfit, objective, step.freedom(), gradient, curvature)


class _Step:
    """The normal equations at a point, the field's coefficients eliminated."""

    def __init__(
        self, inverse: Inverse, field: np.ndarray, theta: np.ndarray, chosen: Sequence[int], allowed: float, others: Sequence[int] = ()
    ) -> None:
        self.inverse, self.known, self._allowed, self._chosen = inverse, len(chosen), allowed, [*chosen, *others]
        design = inverse.design
        self._pull = design.gram / inverse.sigma**2 + design.penalised(inverse.weights)
        rows, columns, residual, slope = self._linearised(field, theta)
        self.factor = Factor(inverse.gram(rows) + self._pull)
        mixed = [inverse.splines.gathered(rows, inverse.first, column) for column in columns.T]
        self._mixed = np.stack(mixed, 1) if mixed else np.zeros((inverse.splines.size, 0))
        solved = self.factor.solve(np.column_stack([slope, self._mixed]))
        self._solved = solved[:, 1:]
        self.gradient = columns.T @ residual - self._mixed.T @ solved[:, 0]
        curvature = columns.T @ columns - self._mixed.T @ self._solved
        self.curvature = 0.5 * (curvature + curvature.T)
        self.change = self._change(solved[:, 0], self.gradient)

    def _linearised(self, field: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of the weighted residual of the equation the rows for the field, the columns for theta, the value; and the field's gradient."""
        inverse, chosen = self.inverse, self._chosen
        scale = math.sqrt(inverse.design.samples.count / len(inverse.first) / inverse.speed) / self._allowed
        fields = inverse._fields(field, chosen)
        values = [inverse.terms[j].values(fields) for j in chosen]
        residual = scale * (fields[inverse.language.left] - sum(a * value for a, value in zip(theta, values, strict=False)))
        rows = inverse.rows[inverse.language.left].copy()
        for a, j in zip(theta, chosen, strict=False):
            for name, slope in inverse.terms[j].slopes(fields).items():
                rows -= (a * slope)[:, None] * inverse.rows[name]
        rows *= scale
        columns = np.stack([-scale * value for value in values], 1) if values else np.zeros((len(rows), 0))
        slope = inverse.splines.times(self._pull, field) - inverse.design.right / inverse.sigma**2
        return rows, columns, residual, slope + inverse.splines.gathered(rows, inverse.first, residual)

    def _change(self, solved: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inner = self.curvature[: self.known, : self.known]
        theta = -np.linalg.lstsq(inner, gradient[: self.known], rcond=1e-13)[0]
        return -solved - self._solved[:, : self.known] @ theta, theta

    def correction(self, field: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The step from another point, with the gradient there and the curvature of here: back to the equation, for little work."""
        _, columns, residual, slope = self._linearised(field, theta)
        solved = self.factor.solve(slope)
        return self._change(solved, columns.T @ residual - self._mixed.T @ solved)

    def covariance(self) -> np.ndarray:
        """Of theta, as noise in the samples moves it: S^-1 (W'A W / sigma^2) S^-1 with the curvature S, and W = H^-1 B of the mixed B.

        The equation and the smoothness carry no noise: they are constraints.
        """
        moved = self._solved[:, : self.known]
        design = self.inverse.design
        values = np.stack([design.fitted(each) for each in moved.T], 1) if self.known else np.zeros((0, 0))
        noise = values.T @ values / self.inverse.sigma**2
        inner = np.linalg.pinv(self.curvature[: self.known, : self.known], hermitian=True)
        return inner @ noise @ inner

    def freedom(self) -> float:
        """The effective number of the field's parameters."""
        return self.inverse.design.freedom(self.factor) / self.inverse.sigma**2


def refined(inverse: Inverse, smooth: Smooth, splines: TensorSplines, fit: Fit) -> tuple[Inverse, np.ndarray]:
    """The same inverse problem in another spline space, and the fitted field there."""
    start = inverse.splines.finer(splines, inverse.start)
    finer = Inverse(Design(smooth.design.samples, splines), inverse.language, inverse.terms, sigma=inverse.sigma, smooth=start)
    finer.weights = inverse.weights
    return finer, inverse.splines.finer(splines, fit.field)
