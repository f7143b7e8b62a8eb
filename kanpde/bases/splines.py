"""Splines."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kanpde.bases.basis import Basis, whole_number


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
        result = x.new_zeros((order + 1, self.size, *x.shape))
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
