"""Tensor products of B-splines on a box, and the banded systems of equations that they lead to.

    u(x, ..., t) = sum over i, ..., j of c[i, ..., j] B_i(x) ... B_j(t)

is a separable Kolmogorov-Arnold network of full rank: linear in c, with exact derivatives. At a point only (degree + 1)^d of the functions
differ from zero, so that sums of products of them are banded matrices. These are kept as scipy keeps them, ``ab[i - j, j]`` for i >= j.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import torch
from torch import Tensor

from kanpde.bases import BSpline

CHUNK = 4_000_000  # products at once
SMALLEST = 64  # rows of a block
JITTER = (1e-12, 1e-10, 1e-8)  # of the diagonal, until a matrix is positive definite


@dataclass(frozen=True)
class TensorSplines:
    """``cells`` equal cells along every coordinate of the box [lower, upper], and splines of one degree on them.

    The coefficients are a vector (size,), the last coordinate fastest.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    cells: tuple[int, ...]
    degree: int = 5

    @cached_property
    def bases(self) -> tuple[BSpline, ...]:
        return tuple(BSpline(degree=self.degree, intervals=count) for count in self.cells)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(basis.size for basis in self.bases)

    @cached_property
    def size(self) -> int:
        """Number of coefficients."""
        return math.prod(self.sizes)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        return tuple(math.prod(self.sizes[axis + 1 :]) for axis in range(len(self.sizes)))

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where the functions that live in a cell stand, from the first of them: ((degree + 1)^d,)."""
        local = range(self.degree + 1)
        return np.array([sum(s * i for s, i in zip(self.strides, each, strict=True)) for each in product(local, repeat=len(self.sizes))])

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        first, second = np.nonzero(self.offsets[:, None] >= self.offsets)
        return first, second, (self.offsets[first] - self.offsets[second]) * self.size + self.offsets[second]

    @cached_property
    def lags(self) -> list[int]:
        """The diagonals of a banded matrix that are not empty."""
        return sorted({int(lag) for lag in (self.offsets[:, None] - self.offsets).ravel() if lag >= 0})

    @property
    def width(self) -> int:
        return int(self.offsets.max()) + 1

    def scaled(self, axis: int, x: np.ndarray) -> np.ndarray:
        """A coordinate mapped to [-1, 1]."""
        low, high = self.lower[axis], self.upper[axis]
        return np.clip(2 * (x - low) / (high - low) - 1, -1, 1)

    def tables(self, points: Sequence[np.ndarray], orders: Sequence[int]) -> tuple[np.ndarray, list[np.ndarray]]:
        """At points (N,) per coordinate: the first function of each point's cell (N,), and per coordinate the derivatives up to an order of
        the functions in it, (order + 1, degree + 1, N)."""
        first, found = np.zeros(len(points[0]), dtype=np.int64), []
        for axis, (basis, x, order) in enumerate(zip(self.bases, points, orders, strict=True)):
            places, table = basis.local(torch.from_numpy(self.scaled(axis, x)), order)
            scale = (2 / (self.upper[axis] - self.lower[axis])) ** np.arange(order + 1)
            first += places[0].numpy() * self.strides[axis]
            found.append(table.numpy() * scale[:, None, None])
        return first, found

    def rows(self, tables: Sequence[np.ndarray], alpha: Sequence[int]) -> np.ndarray:
        """D^alpha, how often by each coordinate, of the functions that live at the points: (N, (degree + 1)^d)."""
        found = np.ones((tables[0].shape[2], 1))
        for table, order in zip(tables, alpha, strict=True):
            found = (found[:, :, None] * table[order].T[:, None, :]).reshape(len(found), -1)
        return found

    def values(self, rows: np.ndarray, first: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """Rows times coefficients: (N,)."""
        return np.einsum("nm,nm->n", rows, coefficients[first[:, None] + self.offsets])

    def gathered(self, rows: np.ndarray, first: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The transposed of :meth:`values`: sum over n of weight_n times row n, (size,)."""
        places = first[:, None] + self.offsets
        return np.bincount(places.ravel(), weights=(rows * weight[:, None]).ravel(), minlength=self.size)

    def gram(self, rows: np.ndarray, first: np.ndarray) -> np.ndarray:
        """R'R for the rows R, banded."""
        one, other, place = self._pairs
        found, step = np.zeros(self.width * self.size), max(1, CHUNK // len(place))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            places = (place + first[start : start + step, None]).ravel()
            found += np.bincount(places, weights=(part[:, one] * part[:, other]).ravel(), minlength=len(found))
        return found.reshape(self.width, self.size)

    def cell_gram(self, rows: np.ndarray) -> np.ndarray:
        """R'R where R has one row for every cell, in the order of the cells, banded: sums of whole slabs, several times faster."""
        columns = np.ascontiguousarray(rows.T).reshape(-1, *self.cells)
        local = list(product(range(self.degree + 1), repeat=len(self.sizes)))
        slabs = [tuple(slice(start, start + count) for start, count in zip(each, self.cells, strict=True)) for each in local]
        found = np.zeros((self.width, *self.sizes))
        work = np.empty(self.cells)
        for one, offset in enumerate(self.offsets):
            for other in range(one + 1):  # offsets rise
                np.multiply(columns[one], columns[other], out=work)
                found[offset - self.offsets[other]][slabs[other]] += work
        return found.reshape(self.width, self.size)

    def kronecker(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """The Kronecker product of a symmetric matrix per coordinate, each of ``degree`` diagonals beside the main one, banded."""
        found = np.zeros((self.width, self.size))
        for lags in product(range(-self.degree, self.degree + 1), repeat=len(self.sizes)):
            lag = sum(s * each for s, each in zip(self.strides, lags, strict=True))
            if lag < 0:
                continue
            column = np.ones(1)
            for matrix, each in zip(matrices, lags, strict=True):
                diagonal = np.zeros(len(matrix))
                inner = np.diagonal(matrix, -each)  # matrix[j + each, j]
                diagonal[max(0, -each) : max(0, -each) + len(inner)] = inner
                column = np.outer(column, diagonal).ravel()
            found[lag] += column
        return found

    def times(self, banded: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """A banded symmetric matrix times a vector."""
        found = banded[0] * coefficients
        for lag in self.lags[1:]:
            diagonal = banded[lag, : self.size - lag]
            found[lag:] += diagonal * coefficients[: self.size - lag]
            found[: self.size - lag] += diagonal * coefficients[lag:]
        return found

    def finer(self, other: "TensorSplines", coefficients: np.ndarray) -> np.ndarray:
        """The same function, or the nearest one, in another basis on the same box."""
        found = coefficients.reshape(self.sizes)
        for axis, (basis, target) in enumerate(zip(self.bases, other.bases, strict=True)):
            matrix = np.eye(basis.size) if basis == target else basis.embedding(target)
            found = np.moveaxis(np.tensordot(matrix, found, (1, axis)), 0, axis)
        return found.ravel()


def univariate(basis: BSpline, order: int) -> tuple[np.ndarray, np.ndarray]:
    """The matrices of int B B' and int B^(order) B^(order)' over the unit interval that [-1, 1] is mapped to: (K, K) each."""
    nodes, weights = np.polynomial.legendre.leggauss(basis.degree + 1)
    middle = (np.arange(basis.intervals) + 0.5) * 2 / basis.intervals - 1
    points = (middle[:, None] + nodes / basis.intervals).ravel()
    weight = np.tile(weights / 2 / basis.intervals, basis.intervals)
    table = basis.table(torch.from_numpy(points), order).numpy()
    bent = table[order] * 2.0**order
    return (table[0] * weight) @ table[0].T, (bent * weight) @ bent.T


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes in one thread meanwhile: on a few hundred rows, more threads wait for each other longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Factor:
    """The Cholesky factor of a banded positive definite matrix, as blocks as large as the band is wide: L_i on the diagonal, X_i below.

    Torch works on the blocks, whose threads can be chosen (:func:`one_thread`); those of LAPACK's banded factorisation cannot.
    ``numpy.linalg.LinAlgError`` if the matrix is not positive definite.
    """

    def __init__(self, banded: np.ndarray) -> None:
        width, size = banded.shape
        self.block = min(size, max(width - 1, SMALLEST))
        for jitter in JITTER:
            if self._factorised(banded, jitter):
                return
        raise np.linalg.LinAlgError("the matrix is not positive definite")

    def _factorised(self, banded: np.ndarray, jitter: float) -> bool:
        width, size = banded.shape
        self.diagonal: list[Tensor] = []
        self.below: list[Tensor] = []
        for start in range(0, size, self.block):
            stop = min(start + self.block, size)
            count, rest = stop - start, min(stop + self.block, size) - stop
            dense = np.zeros((count, 2 * self.block))  # dense[q, q + k] = banded[k, start + q]
            row, column = dense.strides
            skewed = np.lib.stride_tricks.as_strided(dense, (count, min(width, self.block + 1)), (row + column, column))
            skewed[:] = banded[: self.block + 1, start:stop].T
            dense[np.arange(count), np.arange(count)] += jitter * (banded[0, start:stop] + 1e-3 * banded[0].mean())
            inner, outer = torch.from_numpy(dense[:, :count]).T, torch.from_numpy(dense[:, count : count + rest])
            if self.below:
                inner = inner - self.below[-1] @ self.below[-1].T
            lower, failed = torch.linalg.cholesky_ex(inner)  # of the lower triangle, the other is not looked at
            if int(failed) or not bool(torch.isfinite(lower.diagonal()).all()):
                return False
            self.diagonal.append(lower)
            if rest:
                self.below.append(torch.linalg.solve_triangular(lower, outer, upper=False).T)
        return True

    def solve(self, right: np.ndarray) -> np.ndarray:
        """H^-1 times a vector (size,) or columns (size, n)."""
        parts = list(torch.from_numpy(np.array(right, dtype=float).reshape(len(right), -1)).split(self.block))
        for number, lower in enumerate(self.diagonal):
            known = parts[number] - self.below[number - 1] @ parts[number - 1] if number else parts[number]
            parts[number] = torch.linalg.solve_triangular(lower, known, upper=False)
        for number in reversed(range(len(parts))):
            known = parts[number] - self.below[number].T @ parts[number + 1] if number < len(self.below) else parts[number]
            parts[number] = torch.linalg.solve_triangular(self.diagonal[number].T, known, upper=True)
        return torch.cat(parts).numpy().reshape(np.shape(right))

    @property
    def log_determinant(self) -> float:
        return 2 * sum(float(lower.diagonal().log().sum()) for lower in self.diagonal)
