"""Splines."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kanpde.bases.basis import Basis, Span, whole_number
from kanpde.jets import channels, compose, tanh_table


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

    def table(self, x: Tensor, order: int) -> Tensor:
        return self.span(x, order).functions

    def squashed_table(self, z: Tensor, order: int) -> Tensor:
        return self.span(z, order, squash=True).functions

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """The table, from the degree + 1 functions that live on the interval of a point; all others are zero there."""
        flat = x.reshape(-1)
        tanh = tanh_table(flat, order) if squash else None
        interval, local = self._local(flat if tanh is None else tanh[0], order)
        if tanh is not None:
            local = compose(local, tanh, channels([(0,) * order]))
        rows = (interval + torch.arange(self.degree + 1, device=x.device)[:, None]).expand_as(local)
        table = x.new_zeros((order + 1, self.size, *x.shape)) if reuse is None else reuse.functions.zero_()
        table.view(order + 1, self.size, len(flat)).scatter_(1, rows, local)
        return Span(table)

    def _local(self, x: Tensor, order: int) -> tuple[Tensor, Tensor]:
        """The interval of every point (N,), and of the functions that live there the derivatives: (order + 1, degree + 1, N)."""
        degree, knots = self.degree, _knots(self, x.dtype, x.device)
        # intervals of length zero hold no point: bucketize with right=True passes over them
        interval = torch.bucketize(x.contiguous(), knots[degree + 1 : degree + self.intervals], right=True)
        around = knots[1:-1].unfold(0, 2 * degree, 1).T[:, interval]  # t_{i-p+1} ... t_{i+p}, the knots around interval i
        values, quotients = torch.ones_like(x)[None], []  # quotients B_{j,p-1} / (t_{j+p} - t_j)
        for p in range(1, degree + 1):
            left, right = around[degree - p : degree], around[degree : degree + p]
            quotients.append(values / (right - left))
            falling, rising = (right - x) * quotients[-1], (x - left) * quotients[-1]
            values = torch.cat([falling[:1], falling[1:] + rising[:-1], rising[-1:]])
        found = [values]
        for m in range(1, order + 1):
            if m > degree:
                found.append(torch.zeros_like(values))
                continue
            quotient, slopes = quotients[degree - m], values
            for p in range(degree - m + 1, degree + 1):  # B'_{j,p} = p [difference of quotients], m times
                scaled = p * quotient
                slopes = torch.cat([-scaled[:1], scaled[:-1] - scaled[1:], scaled[-1:]])
                if p < degree:
                    quotient = slopes / (around[degree : degree + p + 1] - around[degree - p - 1 : degree])
            found.append(slopes)
        return interval, torch.stack(found)

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

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """As many points in every interval as in every other."""
        breaks = np.unique(self.knots)
        return np.interp(u, np.linspace(0, 1, len(breaks)), breaks)


@cache
def _knots(basis: BSpline, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(basis.knots, dtype=dtype, device=device)
