"""Which terms an equation may have: weak-form regression on a denoised field, all subsets of a library compared.

With a smooth test function psi that vanishes at the edge of its support, and terms T_j = sum of D^alpha F (``terms``),

    - int psi_t u  =  sum_j theta_j sum (-1)^|alpha| int F D^alpha psi,

so that the derivatives fall on psi where they can. Test functions are products of (1 - z^2)^p, of which many overlap. Source: Messenger and
Bortz, Multiscale Model. Simul. 19 (2021) 1474. The errors of the rows are correlated; what is found here are proposals,
which the samples themselves decide between (:mod:`kanpde.discovery.equations.inverse`).
"""

from collections.abc import Sequence
from itertools import combinations, islice
from typing import Any

import numpy as np
import torch
from numpy.polynomial import polynomial

from kanpde.discovery.equations.denoising import Smooth
from kanpde.discovery.equations.terms import Language, MultiIndex, Term, evaluate

RADII = (0.08, 0.12, 0.18)  # of the test functions, of the length of the box
POINTS = {2: (240, 120), 3: (48, 40)}  # of the quadrature, along space and time
CENTRES = {2: (30, 14), 3: (10, 8)}  # of the test functions
MOST = 200_000  # subsets that are looked at


class Grid:
    """The denoised field and its derivatives on a tensor grid."""

    def __init__(self, smooth: Smooth, language: Language) -> None:
        self.splines, self.language = smooth.design.splines, language
        axes = len(self.splines.cells)
        space, time = POINTS[axes]
        self.shape = tuple(max(count, 3 * cells) for count, cells in zip((space,) * (axes - 1) + (time,), self.splines.cells, strict=True))
        self.axes = [np.linspace(low, high, n) for low, high, n in zip(self.splines.lower, self.splines.upper, self.shape, strict=True)]
        self._coefficients = smooth.coefficients.reshape(self.splines.sizes)
        self._fields: dict[str, np.ndarray] = {}
        for name, column in zip((*language.space, language.time), np.meshgrid(*self.axes, indexing="ij"), strict=True):
            self._fields[name] = column

    def field(self, alpha: MultiIndex) -> np.ndarray:
        """D^alpha u on the grid."""
        name = self.language.name(alpha)
        if name not in self._fields:
            found = self._coefficients
            for axis, order in enumerate((*alpha, 0)):
                z = torch.from_numpy(self.splines.scaled(axis, self.axes[axis]))
                table = self.splines.bases[axis].table(z, order).numpy()[order]
                table = table * (2 / (self.splines.upper[axis] - self.splines.lower[axis])) ** order
                found = np.moveaxis(np.tensordot(table.T, found, (1, axis)), 0, axis)
            self._fields[name] = found
        return self._fields[name]

    def values(self, expression: object) -> np.ndarray:
        names = {str(each) for each in expression.free_symbols}  # type: ignore[attr-defined]
        fields = {name: self.field(alpha) for name, alpha in self.language.derivatives.items() if name in names}
        fields |= {name: self._fields[name] for name in (*self.language.space, self.language.time) if name in names}
        return evaluate(expression, fields or {self.language.field: self.field(self.language.zero)})


def bump(z: np.ndarray, power: int, order: int) -> np.ndarray:
    """The derivative of (1 - z^2)^power, zero beyond |z| = 1."""
    coefficients = polynomial.polyder(polynomial.polypow([1, 0, -1], power), order) if order else polynomial.polypow([1, 0, -1], power)
    return np.where(np.abs(z) < 1, polynomial.polyval(z, coefficients), 0.0)


def system(grid: Grid, terms: Sequence[Term], radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the terms (rows, terms) and the left-hand side (rows,), for test functions of one radius."""
    axes = len(grid.shape)
    space, time = CENTRES[axes]
    power = max([3, *(sum(alpha) + 2 for term in terms for _, alpha in term.weak)]) + 1
    tests: list[dict[int, np.ndarray]] = []
    for axis, points in enumerate(grid.axes):
        length = points[-1] - points[0]
        size = radius * length
        centres = np.linspace(points[0] + size, points[-1] - size, time if axis == axes - 1 else space)
        z, step = (points - centres[:, None]) / size, points[1] - points[0]
        highest = 1 if axis == axes - 1 else max((alpha[axis] for term in terms for _, alpha in term.weak), default=0)
        tests.append({order: (-1 / size) ** order * step * bump(z, power, order) for order in range(highest + 1)})

    def integral(values: np.ndarray, alpha: Sequence[int]) -> np.ndarray:
        for axis, order in enumerate(alpha):
            values = np.moveaxis(np.tensordot(tests[axis][order], values, (1, axis)), 0, axis)
        return values.ravel()

    left = integral(grid.field(grid.language.zero), (*grid.language.zero, 1))
    columns = [sum(integral(grid.values(F), (*alpha, 0)) for F, alpha in term.weak) for term in terms]
    return np.stack(columns, 1), left  # type: ignore[arg-type]


def nats(rss: Any, rows: float, floor: float = 0.0) -> Any:
    """rows/2 log(rss/rows), and its tangent below rows * floor, where the variance of a row is known to be no smaller than ``floor``."""
    mean = np.asarray(rss) / rows
    return rows / 2 * np.where(mean > floor, np.log(np.maximum(mean, 1e-300)), mean / (floor or 1.0) - 1 + np.log(floor or 1.0))


def best_subsets(
    gram: np.ndarray, right: np.ndarray, square: float, rows: float, price: np.ndarray, most: int, *, floor: float = 0.0
) -> list[tuple[float, tuple[int, ...]]]:
    """Subsets of up to ``most`` columns by description length, :func:`nats` of RSS and the price of each column; the shortest first.

    ``gram`` = A'A, ``right`` = A'b, ``square`` = b'b.
    """
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    gram, right, found = gram / np.outer(scale, scale), right / scale, [(float(nats(square, rows, floor)), ())]
    for size in range(1, most + 1):
        every = np.fromiter((each for subset in islice(combinations(range(len(right)), size), MOST) for each in subset), dtype=int)
        subsets = every.reshape(-1, size)
        if not len(subsets):
            break
        small = gram[subsets[:, :, None], subsets[:, None, :]] + 1e-10 * np.eye(size)
        solved = np.linalg.solve(small, right[subsets][:, :, None])[:, :, 0]
        rss = np.maximum(square - (solved * right[subsets]).sum(1), 1e-12 * square)
        length = nats(rss, rows, floor) + price[subsets].sum(1)
        found += [(float(length[k]), tuple(subsets[k].tolist())) for k in np.argsort(length, kind="stable")[:20]]
    return sorted(found, key=lambda each: each[0])


def proposals(
    smooth: Smooth, language: Language, terms: Sequence[Term], price: np.ndarray, *, most: int, count: int = 5
) -> list[tuple[int, ...]]:
    """Subsets of the terms to look at closely: for every radius of the test functions the ``count`` best, and the best of every size."""
    grid, found = Grid(smooth, language), []
    for radius in RADII:
        columns, left = system(grid, terms, radius)
        good = np.array(np.isfinite(columns).all(0), ndmin=1)
        columns = np.where(good, columns, 0.0)
        rows = 0.25 / radius ** len(grid.shape)  # about as many test functions do not overlap
        ranked = best_subsets(columns.T @ columns, columns.T @ left, float(left @ left), max(rows, 20.0), price, most)
        ranked = [subset for _, subset in ranked if all(good[j] for j in subset)]
        sizes = [next((subset for subset in ranked if len(subset) == size), ()) for size in range(1, most + 1)]
        found += ranked[:count] + sizes[:3]
    return list(dict.fromkeys([*found, ()]))
