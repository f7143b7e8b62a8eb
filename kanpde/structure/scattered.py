"""Scattered data as a function: a polynomial whose error is measured at each point by the others."""

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, Self

import numpy as np

TERMS = 400  # at most
SHARE = 3  # data for each term at least


@dataclass(frozen=True)
class Surrogate:
    """A Chebyshev polynomial of some total degree fitted to data, called on points (N, d) -> (N,); NaN where the data say nothing.

    The degree is the one with the least leave-one-out error, e_i / (1 - h_i) with the leverage h_i, whose root mean square is ``noise``:
    the noise of the data and the misfit of the polynomial together. A point says nothing where its leverage is above those of all data.
    """

    points: np.ndarray
    degree: int
    coefficients: np.ndarray
    noise: float
    whitening: np.ndarray
    leverage: float

    @classmethod
    def of(cls, data: Any) -> Self:
        """From a pair (X, y) of arrays (N, d) and (N,); ``ValueError`` for other shapes, values that are not finite, fewer than 30 data."""
        if len(data) != 2:
            raise ValueError(f"scattered data are a pair (X, y), got a tuple of {len(data)}")
        points, values = (np.asarray(each, dtype=float) for each in data)
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        if points.ndim != 2 or values.shape != (len(points),):
            raise ValueError(f"scattered data are X of the shape (N, d) and y of (N,), got {points.shape} and {values.shape}")
        if not (np.isfinite(points).all() and np.isfinite(values).all()):
            row = int((~(np.isfinite(points).all(1) & np.isfinite(values))).argmax())
            raise ValueError(f"row {row} of the data is not finite: X {points[row]}, y {values[row]}; leave such rows out")
        if len(points) < 30:
            raise ValueError(f"{len(points)} data are too few to tell a structure from: give at least 30")
        best, degree, worse = None, 0, 0
        while worse < 3 and math.comb(points.shape[1] + degree, degree) <= min(TERMS, len(points) / SHARE):
            found = cls._fit(points, values, degree)
            if best is None or found.noise < 0.99 * best.noise:
                best, worse = found, 0
            else:
                worse += 1
            degree += 1
        assert best is not None
        return best

    @classmethod
    def _fit(cls, points: np.ndarray, values: np.ndarray, degree: int) -> Self:
        matrix = chebyshev_products(points, points, degree)
        left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
        kept = sizes > 1e-10 * sizes[0]
        left, whitening = left[:, kept], right[kept].T / sizes[kept]
        leverage = (left**2).sum(1)
        error = values - left @ (left.T @ values)
        alone = error / np.maximum(1 - leverage, 1e-6)
        noise = float(np.sqrt(np.mean(alone**2)))
        return cls(points, degree, whitening @ (left.T @ values), noise, whitening, float(leverage.max()))

    @property
    def said(self) -> str:
        """Where the noise is from, in words."""
        return f"the leave-one-out error of a polynomial of degree {self.degree} through the data"

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The values at points (N, d): (N,)."""
        matrix = chebyshev_products(points, self.points, self.degree)
        leverage = ((matrix @ self.whitening) ** 2).sum(1)
        return np.where(leverage <= self.leverage * (1 + 1e-9), matrix @ self.coefficients, np.nan)


def chebyshev_products(points: np.ndarray, data: np.ndarray, degree: int) -> np.ndarray:
    """Products of Chebyshev polynomials up to a total degree at points (N, d), over the box of the ``data``: (N, terms)."""
    low, high = data.min(0), data.max(0)
    z = (2 * points - low - high) / np.where(high > low, high - low, 1.0)
    rows = [np.ones_like(z), z]
    for _ in range(degree - 1):
        rows.append(2 * z * rows[-1] - rows[-2])
    columns = []
    for letters in (c for order in range(degree + 1) for c in combinations_with_replacement(range(z.shape[1]), order)):
        column = np.ones(len(z))
        for axis in set(letters):
            column = column * rows[letters.count(axis)][:, axis]
        columns.append(column)
    return np.stack(columns, 1)
