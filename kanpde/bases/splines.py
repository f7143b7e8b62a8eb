"""Splines."""

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.bases.basis import Basis, Functions, Span, remembered
from kanpde.bases.truncated import TruncatedPowers
from kanpde.jets import channels, compose, tanh_table

FEW = 16  # intervals
CANCELLATION = {torch.float64: 1000.0, torch.float32: 100.0}  # by which sums of truncated powers may enlarge rounding


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

    def values(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1)
        interval, past, ahead, _ = self._distances(flat)
        local = torch.ones_like(flat)[None]
        for p in range(1, self.degree + 1):
            left, right = past[self.degree - p :], ahead[:p]
            quotient = local / (left + right)  # B_{j,p-1} / (t_{j+p} - t_j)
            falling, rising = right * quotient, left * quotient
            local = torch.cat([falling[:1], falling[1:] + rising[:-1], rising[-1:]])
        return x.new_zeros((self.size, len(flat))).scatter(0, self._places(interval), local).view(self.size, *x.shape)

    def table(self, x: Tensor, order: int) -> Tensor:
        return self.span(x, order).functions

    def squashed_table(self, z: Tensor, order: int) -> Tensor:
        return self.span(z, order, squash=True).functions

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """The table, from the degree + 1 functions that live on the interval of a point; all others are zero there."""
        table = x.new_empty((order + 1, self.size, *x.shape)) if reuse is None else reuse.functions
        self.write(x, order, table, squash=squash)
        return Span(table)

    def write(self, x: Tensor, order: int, out: Tensor, *, squash: bool = False) -> None:
        flat = x.reshape(-1)
        tanh = tanh_table(flat, order) if squash else None
        interval, local = self._local(flat if tanh is None else tanh[0], order)
        if tanh is not None:
            local = compose(local, tanh, channels([(0,) * order]))
        self._spread(interval, local, out.zero_().view(order + 1, self.size, len(flat)))

    @property
    def support(self) -> int:
        return self.degree + 1

    def local(self, x: Tensor, order: int) -> tuple[Tensor, Tensor]:
        interval, found = self._local(x.reshape(-1), order)
        return self._places(interval).view(-1, *x.shape), found.view(order + 1, -1, *x.shape)

    def _spread(self, interval: Tensor, local: Tensor, rows: Tensor) -> Tensor:
        """What lives on the interval of every point (n, degree + 1, N), in its place in ``rows`` (n, K, N) of zeros."""
        if self.intervals <= FEW:  # so few that all of them, times 0 or -1, are faster than finding places
            numbers = torch.arange(self.intervals, dtype=local.dtype, device=local.device)[:, None]
            here = (interval - numbers).abs_().sub_(1).clamp(max=0)  # -1 where they are equal; comparing takes longer
            for number in range(self.degree + 1):
                rows[:, number : number + self.intervals].addcmul_(local[:, number, None], here, value=-1)
            return rows
        return rows.scatter_(1, self._places(interval).expand_as(local), local)

    def _places(self, interval: Tensor) -> Tensor:
        """The numbers of the functions that live on the interval of every point, (degree + 1, N)."""
        return interval.long() + torch.arange(self.degree + 1, device=interval.device)[:, None]

    def _local(self, x: Tensor, order: int) -> tuple[Tensor, Tensor]:
        """The interval of every point (N,), and of the functions that live there the derivatives: (order + 1, degree + 1, N)."""
        degree = self.degree
        interval, past, ahead, unit = self._distances(x)
        found, quotients = x.new_empty((order + 1, degree + 1, len(x))), []  # quotients B_{j,p-1} / (t_{j+p} - t_j)
        values, above = found[0], torch.ones_like(x)[None]
        for p in range(1, degree + 1):
            left, right = past[degree - p :], ahead[:p]
            gaps = left + right
            quotients.append(torch.div(above, gaps, out=gaps))
            torch.mul(right, gaps, out=values[:p])
            torch.mul(left[-1], gaps[-1], out=values[p])
            values[1:p].addcmul_(left[:-1], gaps[:-1])
            above = values[: p + 1]
        for m in range(1, order + 1):
            if m > degree:
                found[m] = 0.0
                continue
            quotient, slopes = quotients[degree - m], found[m]
            for p in range(degree - m + 1, degree + 1):  # B'_{j,p} = p [difference of quotients], m times
                torch.mul(quotient[0], -p / unit, out=slopes[0])
                torch.sub(quotient[:-1], quotient[1:], out=slopes[1:p]).mul_(p / unit)
                torch.mul(quotient[-1], p / unit, out=slopes[p])
                if p < degree:
                    quotient = slopes[: p + 1] / (past[degree - p - 1 :] + ahead[: p + 1])
        return interval, found

    def _distances(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        """The interval i of every point (N,), x - t_{i-p+1} ... x - t_i and t_{i+1} - x ... t_{i+p} - x (p, N) each, and their unit."""
        degree, count = self.degree, self.intervals
        if self.breaks is None:  # in units of an interval the knots are whole numbers, and need not be looked up
            y = (x + 1) * (0.5 * count)
            interval = y.detach().floor().clamp(0, count - 1)
            steps = torch.arange(degree, dtype=x.dtype, device=x.device)[:, None]
            return interval, y - (interval - steps.flip(0)).clamp(min=0), (interval + (steps + 1)).clamp(max=count) - y, 2 / count
        knots = _knots(self, x.dtype, x.device)
        # intervals of length zero hold no point: bucketize with right=True passes over them
        interval = torch.bucketize(x.contiguous(), knots[degree + 1 : degree + count], right=True)
        around = knots[1:-1].unfold(0, 2 * degree, 1).T[:, interval]  # t_{i-p+1} ... t_{i+p}
        return interval, x - around[:degree], around[degree:] - x, 1.0

    def combined_from(self, dtype: torch.dtype) -> tuple[Functions, np.ndarray] | None:
        """Truncated powers, for few intervals."""
        breaks, degree = self.knots[self.degree : len(self.knots) - self.degree], self.degree
        if len(breaks) > FEW or np.any(np.diff(breaks) <= 0):
            return None
        inner, middles = breaks[1:-1], 0.5 * (breaks[1:] + breaks[:-1])
        place = int(np.searchsorted(inner, 0.0))  # the interval whose polynomial needs no truncated powers
        centre, below = middles[place], np.arange(len(inner)) < place
        powers = TruncatedPowers(degree, tuple(inner[below].tolist()), tuple(inner[~below].tolist()))
        factorials = np.array([math.factorial(k) for k in range(degree + 1)])
        table = self.table(torch.from_numpy(middles), degree).numpy() / factorials[:, None, None]  # Taylor coefficients
        shift = [[math.comb(j, k) * (-centre) ** (j - k) if k <= j else 0.0 for k in range(degree + 1)] for j in range(degree + 1)]
        jumps = np.diff(table[degree], axis=1) * np.where(below, -((-1.0) ** degree), 1.0)
        matrix = np.concatenate([table[:, :, place].T @ np.array(shift), jumps], axis=1)
        functions = powers.table(torch.linspace(-1, 1, 10 * len(breaks), dtype=torch.float64), 0)[0].numpy()
        enlarged = (np.abs(matrix) @ np.abs(functions)).sum(0).max()
        return (powers, matrix) if enlarged <= CANCELLATION.get(dtype, 0.0) else None

    def embedding(self, finer: Basis) -> np.ndarray:
        from scipy.interpolate import BSpline as SciPySpline

        assert isinstance(finer, BSpline)
        if Counter(self.knots) - Counter(finer.knots):
            return self._projection(finer)
        spline = SciPySpline(self.knots, np.eye(self.size), self.degree)
        for knot in sorted((Counter(finer.knots) - Counter(self.knots)).elements()):
            spline = spline.insert_knot(knot)
        return np.asarray(spline.c)[: finer.size]

    def _projection(self, finer: "BSpline") -> np.ndarray:
        """The nearest in L2[-1, 1], by Gauss's rule between all knots, which is exact for the products of two splines."""
        nodes, weights = np.polynomial.legendre.leggauss(max(self.degree, finer.degree) + 1)
        breaks = np.unique(np.concatenate([self.knots, finer.knots]))
        middle, half = 0.5 * (breaks[1:] + breaks[:-1]), 0.5 * np.diff(breaks)
        x = torch.from_numpy((middle[:, None] + half[:, None] * nodes).ravel())
        root = np.sqrt((half[:, None] * weights).ravel())
        fine, coarse = finer.values(x).numpy() * root, self.values(x).numpy() * root
        return np.linalg.lstsq(fine.T, coarse.T, rcond=None)[0]

    def uniform(self, resolution: int) -> "BSpline":
        """Equal intervals, ``resolution`` of them, at least as many as there are."""
        if resolution < self.intervals:
            return super().refined(resolution)  # type: ignore[return-value]  # raises
        return replace(self, intervals=resolution, breaks=None)

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

    def differences(self) -> np.ndarray:
        return np.diff(np.eye(self.size), axis=0)

    def jumps(self) -> np.ndarray:
        breaks, p = np.unique(self.knots), self.degree
        highest = self.table(torch.from_numpy(0.5 * (breaks[1:] + breaks[:-1])), p)[p].numpy()
        if len(breaks) == 2:
            return np.zeros((1, self.size))  # one polynomial
        step = 2 / (len(breaks) - 1)
        return np.diff(highest, axis=1).T * step**p / math.factorial(p) / math.sqrt(len(breaks) - 2)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """As many points in every interval as in every other."""
        breaks = np.unique(self.knots)
        return np.interp(u, np.linspace(0, 1, len(breaks)), breaks)


@remembered
def _knots(basis: BSpline, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(basis.knots, dtype=dtype, device=device)
