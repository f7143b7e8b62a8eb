"""Univariate bases on [-1, 1]: values, derivatives of any order, exact refinement, and the points that fit them.

A basis is an immutable description. ``table(x, order)`` has the shape ``(order + 1, size, *x.shape)`` and holds all basis
functions and their derivatives; ``squashed_table(z, order)`` holds the same for the functions B_k(tanh z) of an unbounded
z. ``values(x)`` are the functions alone, in operations that autograd differentiates to any order.

A new basis is one class: see :class:`Basis` for the five things that it defines.
"""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from numpy.polynomial.chebyshev import chebder
from torch import Tensor

from kanpde.jets import channels, compose, tanh_table


class Basis(ABC):
    """A family of K functions on [-1, 1].

    A subclass is a frozen dataclass with a field that says how fine it is, named by ``resolution_field``, and defines
    ``size``, ``table``, ``embedding`` and ``quantile``.
    """

    resolution_field: ClassVar[str] = ""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of functions K."""

    @abstractmethod
    def table(self, x: Tensor, order: int, out: Tensor | None = None) -> Tensor:
        """Derivatives 0 ... ``order`` of all functions at ``x`` (any shape): (order + 1, K, *x.shape), into ``out`` if given."""

    def values(self, x: Tensor) -> Tensor:
        """All functions at ``x``: (K, *x.shape)."""
        return self.table(x, 0)[0]

    def squashed_table(self, z: Tensor, order: int, out: Tensor | None = None) -> Tensor:
        """The same for B_k(tanh z) as functions of z: the chain rule, sum_j B_k^(j)(tanh z) B_{m,j}(tanh', tanh'', ...)."""
        tanh = tanh_table(z, order)
        inner = self.table(tanh[0], order)
        chosen = channels([(0,) * order])
        return compose(inner, tanh, chosen, out=out)

    @abstractmethod
    def embedding(self, finer: "Basis") -> np.ndarray:
        """The matrix E (finer.size, size) with sum_k c_k B_k = sum_j (E c)_j F_j exactly, in float64."""

    @abstractmethod
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Map u in [0, 1] to points of [-1, 1], dense where the basis resolves finely (inverse of a distribution function)."""

    def decay(self) -> np.ndarray:
        """Relative size (K,) of random initial coefficients; a smooth random function for every basis."""
        return np.ones(self.size)

    @property
    def resolution(self) -> int:
        """The number that refinement raises: a degree, a number of intervals."""
        return getattr(self, self.resolution_field)

    def refined(self, resolution: int) -> "Basis":
        """The same family at a higher resolution, whose span contains this one's."""
        if resolution < self.resolution:
            raise ValueError(
                f"cannot refine {self} to {self.resolution_field}={resolution}: refinement only goes up from {self.resolution}"
            )
        return replace(self, **{self.resolution_field: resolution})  # type: ignore[type-var]

    def __add__(self, other: "Basis") -> "Joined":
        """Both families together, as in ``BSpline(3, 5) + SiLU()``: splines with a base function."""
        return Joined((self, other))


def whole_number(value: object, name: str, *, least: int = 1) -> int:
    """``value`` as an int; an error that names it if it is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


@dataclass(frozen=True)
class Joined(Basis):
    """The functions of several bases, one after another; refinement refines those that can be refined."""

    parts: tuple[Basis, ...]

    def __repr__(self) -> str:
        return " + ".join(repr(part) for part in self.parts)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def _leading(self) -> int:
        """The number of the part that refinement refines: the first that can be."""
        return next((number for number, part in enumerate(self.parts) if part.resolution_field), 0)

    @property
    def resolution(self) -> int:
        return self.parts[self._leading].resolution

    def table(self, x: Tensor, order: int, out: Tensor | None = None) -> Tensor:
        return torch.cat([part.table(x, order) for part in self.parts], 1, out=out)

    def values(self, x: Tensor) -> Tensor:
        return torch.cat([part.values(x) for part in self.parts])

    def refined(self, resolution: int) -> "Joined":
        lead = self._leading
        return Joined((*self.parts[:lead], self.parts[lead].refined(resolution), *self.parts[lead + 1 :]))

    def embedding(self, finer: Basis) -> np.ndarray:
        from scipy.linalg import block_diag

        assert isinstance(finer, Joined)
        return np.asarray(block_diag(*(mine.embedding(its) for mine, its in zip(self.parts, finer.parts, strict=True))))

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return self.parts[self._leading].quantile(u)

    def decay(self) -> np.ndarray:
        return np.concatenate([part.decay() for part in self.parts])


@dataclass(frozen=True)
class SiLU(Basis):
    """The single function x / (1 + exp(-x)), the usual base function of spline KANs (Liu et al., arXiv 2404.19756, eq. 2.10)."""

    @property
    def size(self) -> int:
        return 1

    @property
    def resolution(self) -> int:
        return 1

    def table(self, x: Tensor, order: int, out: Tensor | None = None) -> Tensor:
        s = torch.sigmoid(x)
        rows, polynomial = [x * s], np.polynomial.Polynomial([0.0, 1.0])
        for m in range(1, order + 1):  # s' = s - s^2, and (x s)^(m) = x s^(m) + m s^(m-1)
            lower, polynomial = polynomial, polynomial.deriv() * np.polynomial.Polynomial([0.0, 1.0, -1.0])
            rows.append(x * _horner(polynomial.coef, s) + m * _horner(lower.coef, s))
        return torch.stack([row[None] for row in rows], out=out)

    def refined(self, resolution: int) -> "SiLU":
        return self

    def embedding(self, finer: Basis) -> np.ndarray:
        return np.eye(1)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return 2 * u - 1


def _horner(coefficients: np.ndarray, x: Tensor) -> Tensor:
    total = torch.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + float(coefficient)
    return total


@dataclass(frozen=True)
class Chebyshev(Basis):
    """Chebyshev polynomials of the first kind, T_k(cos a) = cos(k a), k = 0 ... degree.

    Evaluated by the three-term recurrence T_{k+1} = 2 x T_k - T_{k-1} and its derivatives
    T_{k+1}^(m) = 2 x T_k^(m) + 2 m T_k^(m-1) - T_{k-1}^(m), which are finite at the ends (DLMF 18.9.1).

    >>> Chebyshev(degree=3).table(torch.tensor([1.0]), 1)[1].flatten().tolist()  # T_k'(1) = k^2
    [0.0, 1.0, 4.0, 9.0]
    """

    degree: int
    resolution_field: ClassVar[str] = "degree"

    def __post_init__(self) -> None:
        whole_number(self.degree, "the degree of Chebyshev")

    @property
    def size(self) -> int:
        return self.degree + 1

    def values(self, x: Tensor) -> Tensor:
        rows, double = [torch.ones_like(x), x], x + x
        while len(rows) < self.size:
            rows.append(double * rows[-1] - rows[-2])
        return torch.stack(rows)

    def table(self, x: Tensor, order: int, out: Tensor | None = None) -> Tensor:
        out = x.new_empty((order + 1, self.size, *x.shape)) if out is None else out
        self._fill(x, out[0])
        matrix = _chebyshev_derivative(self.size, x.dtype, x.device)
        for m in range(1, order + 1):
            torch.mm(matrix, out[m - 1].reshape(self.size, -1), out=out[m].view(self.size, -1))
        return out

    def squashed_table(self, z: Tensor, order: int, out: Tensor | None = None) -> Tensor:
        """By (1 - s^2) T_k'(s) = k/2 (T_{k-1} - T_{k+1}), each derivative by z combines neighbours: one product with T_0 ... T_{K+m-1}."""
        values = z.new_empty((self.size + order, *z.shape))
        self._fill(torch.tanh(z), values)
        out = z.new_empty((order + 1, self.size, *z.shape)) if out is None else out
        matrix = _squashed_derivatives(self.size, order, z.dtype, z.device)
        torch.mm(matrix, values.view(len(values), -1), out=out.view(len(matrix), -1))
        return out

    @staticmethod
    def _fill(x: Tensor, rows: Tensor) -> None:
        """T_0, T_1, ... into ``rows``."""
        rows[0] = 1.0
        rows[1] = x
        double, each = x + x, rows.unbind(0)
        for k in range(2, len(each)):
            torch.mul(double, each[k - 1], out=each[k]).sub_(each[k - 2])

    def embedding(self, finer: Basis) -> np.ndarray:
        return np.eye(finer.size, self.size)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The arcsine law, which resolves 1/degree^2 at the ends as the polynomials do."""
        return -np.cos(np.pi * u)

    def decay(self) -> np.ndarray:
        return 1.0 / np.maximum(1.0, np.arange(self.size)) ** 2


@dataclass(frozen=True)
class BSpline(Basis):
    """B-splines of any degree on clamped, possibly non-uniform knots: K = intervals + degree functions.

    B_{i,0} = 1 on [t_i, t_{i+1}), then B_{i,p} = (x - t_i)/(t_{i+p} - t_i) B_{i,p-1} + (t_{i+p+1} - x)/(t_{i+p+1} - t_{i+1})
    B_{i+1,p-1}, and B'_{i,p} = p [B_{i,p-1}/(t_{i+p} - t_i) - B_{i+1,p-1}/(t_{i+p+1} - t_{i+1})] (de Boor, A Practical Guide
    to Splines, ch. IX-X). The last interval is closed, and outside [-1, 1] the end polynomials continue.

    ``breaks`` are the interior and end points -1 = b_0 < ... < b_G = 1 (a repeated one lowers the smoothness there); without
    them the ``intervals`` are equal.
    """

    degree: int = 3
    intervals: int = 5
    breaks: tuple[float, ...] | None = None
    resolution_field: ClassVar[str] = "intervals"

    def __post_init__(self) -> None:
        whole_number(self.degree, "the degree of BSpline")
        whole_number(self.intervals, "the number of intervals of BSpline")
        if self.breaks is None:
            return
        breaks = np.asarray(self.breaks, dtype=float)
        if breaks.ndim != 1 or len(breaks) < 2 or breaks[0] != -1 or breaks[-1] != 1 or not np.all(np.diff(breaks) >= 0):
            raise ValueError(f"the breaks of BSpline must rise from -1 to 1, got {self.breaks!r}")
        if max(np.unique(breaks, return_counts=True)[1][1:-1], default=0) > self.degree or breaks[1] == -1 or breaks[-2] == 1:
            raise ValueError(
                f"a break of BSpline may be repeated at most degree={self.degree} times, and not at the ends, got {self.breaks!r}"
            )
        object.__setattr__(self, "breaks", tuple(breaks.tolist()))
        object.__setattr__(self, "intervals", len(breaks) - 1)

    @property
    def size(self) -> int:
        return self.intervals + self.degree

    @property
    def knots(self) -> np.ndarray:
        """All knots, the ends repeated degree + 1 times: (K + degree + 1,)."""
        breaks = np.linspace(-1, 1, self.intervals + 1) if self.breaks is None else np.asarray(self.breaks)
        return np.concatenate([np.full(self.degree, -1.0), breaks, np.full(self.degree, 1.0)])

    def table(self, x: Tensor, order: int, out: Tensor | None = None) -> Tensor:
        knots, derivative = _spline_constants(self, x.dtype, x.device)
        first = self.degree
        # intervals of length zero hold no point: bucketize with right=True passes over them
        interval = torch.bucketize(x.contiguous(), knots[first + 1 : first + self.intervals], right=True) + first
        span = torch.arange(len(knots) - 1, device=x.device).view(-1, *[1] * x.dim())
        values = (span == interval).to(x.dtype)
        lower = {0: values}
        column = knots.view(-1, *[1] * x.dim())
        for p in range(1, self.degree + 1):
            width = column[p:] - column[:-p]
            share = torch.where(width > 0, (x - column[:-p]) / torch.where(width > 0, width, 1), 0)
            values = share[:-1] * values[:-1] + torch.where(width[1:] > 0, 1 - share[1:], 0) * values[1:]
            lower[p] = values
        result = x.new_zeros((order + 1, self.size, *x.shape)) if out is None else out.zero_()
        result[0] = values
        for m in range(1, min(order, self.degree) + 1):
            result[m] = torch.tensordot(derivative[m], lower[self.degree - m], 1)
        return result

    def embedding(self, finer: Basis) -> np.ndarray:
        from scipy.interpolate import BSpline as SciPySpline

        assert isinstance(finer, BSpline)
        spline = SciPySpline(self.knots, np.eye(self.size), self.degree)
        for knot in sorted((Counter(finer.knots) - Counter(self.knots)).elements()):
            spline = spline.insert_knot(knot)
        return np.asarray(spline.c)[: finer.size]

    def refined(self, resolution: int) -> "BSpline":
        """Keep every knot and halve the widest intervals until there are ``resolution`` of them."""
        if resolution < self.intervals:
            return super().refined(resolution)  # type: ignore[return-value]  # raises
        if self.breaks is None and resolution % self.intervals == 0:
            nested = replace(self, intervals=resolution)
            if np.isin(self.knots, nested.knots).all():
                return nested
        breaks = list(self.knots[self.degree : self.degree + self.intervals + 1])
        while len(breaks) <= resolution:
            widest = int(np.argmax(np.round(np.diff(breaks), 12)))
            breaks.insert(widest + 1, 0.5 * (breaks[widest] + breaks[widest + 1]))
        return replace(self, intervals=resolution, breaks=tuple(breaks))

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """As many points in every interval as in every other."""
        breaks = np.unique(self.knots)
        return np.interp(u, np.linspace(0, 1, len(breaks)), breaks)


@cache
def _chebyshev_derivative(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix D with T' = D T."""
    return torch.tensor(np.pad(chebder(np.eye(size), axis=1), ((0, 0), (0, 1))), dtype=dtype, device=device)


@cache
def _squashed_derivatives(size: int, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices that take T_0 ... T_{size+order-1} of tanh z to derivatives 0 ... order by z of the first ``size``, stacked."""
    step = np.zeros((size + order, size + order + 1))
    k = np.arange(1, size + order)
    step[k, k - 1], step[k, k + 1] = 0.5 * k, -0.5 * k
    total, found = np.eye(size, size + order), []
    for _ in range(order + 1):
        found.append(total)
        total = total @ step[:, :-1]  # row k reaches no further than T_{k+m}
    return torch.tensor(np.concatenate(found), dtype=dtype, device=device)


@cache
def _spline_constants(basis: BSpline, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, list[Tensor]]:
    """Knots, and for every order m the matrix (K, K + m) with B^(m) of degree p = matrix @ B of degree p - m."""
    knots = basis.knots
    total = np.eye(basis.size)
    matrices = [total]
    for m in range(1, basis.degree + 1):
        p = basis.degree - m + 1
        count = len(knots) - p - 1  # functions of degree p
        width = knots[p:] - knots[:-p]
        scale = np.divide(p, width, out=np.zeros_like(width), where=width > 0)
        step = np.zeros((count, count + 1))
        step[np.arange(count), np.arange(count)] = scale[:-1]
        step[np.arange(count), np.arange(count) + 1] = -scale[1:]
        total = total @ step
        matrices.append(total)
    return (
        torch.tensor(knots, dtype=dtype, device=device),
        [torch.tensor(matrix, dtype=dtype, device=device) for matrix in matrices],
    )
