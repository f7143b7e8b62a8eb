"""Localized functions: Gaussians and wavelets, level by level."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.bases.basis import Basis, Functions, Span, remembered
from kanpde.jets import is_tracing

FEW = 10  # centres


@dataclass(frozen=True)
class Gaussian(Basis):
    """exp(-((x - c_j) / h_j)^2), j = 1 ... count, on equally spaced centres from -1 to 1, h the spacing (FastKAN, arXiv 2405.06721).

    Refinement keeps every function as it is and adds narrower ones: a level of half the width stands at the midpoints of all
    centres before it, so that the coarse functions remain and no coefficient moves. ``coarsest`` is the number of centres of the
    first level (all of them by default); later levels are complete at ``count`` = 2^l (coarsest - 1) + 1, and spread evenly where
    they are not.

    Raises ValueError for a count or coarsest that is not a whole number of at least 2, or a coarsest above the count.
    """

    count: int
    coarsest: int | None = None
    resolution_field: ClassVar[str] = "count"

    def __post_init__(self) -> None:
        whole_number(self.count, "the count of Gaussian", least=2)
        if self.coarsest is None:
            return
        if whole_number(self.coarsest, "coarsest of Gaussian", least=2) > self.count:
            raise ValueError(f"coarsest of Gaussian must be at most count={self.count}, got {self.coarsest}")
        if self.coarsest == self.count:  # one level has one name
            object.__setattr__(self, "coarsest", None)

    @property
    def size(self) -> int:
        return self.count

    @property
    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """The centres and widths of all functions: (count,) each."""
        first = self.coarsest or self.count
        centres, width = list(np.linspace(-1, 1, first)), 2.0 / (first - 1)
        widths = [width] * first
        while len(centres) < self.count:
            cells, width = len(centres) - 1, 0.5 * width
            fresh = -1 + 2 * width * (0.5 + _spread(cells))
            taken = fresh[: self.count - len(centres)].tolist()
            centres += taken
            widths += [width] * len(taken)
        return np.array(centres), np.array(widths)

    def values(self, x: Tensor) -> Tensor:
        t = _places(self, x)[0]
        return torch.exp(-t * t)

    def table(self, x: Tensor, order: int) -> Tensor:
        t, inverse = _places(self, x)
        rows = _gaussian_derivatives(t, order)
        return torch.stack([row if m == 0 else row * inverse**m for m, row in enumerate(rows)])

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        table = x.new_empty((order + 1, self.size, *x.shape)) if reuse is None else reuse.functions
        self.write(x, order, table, squash=squash)
        return Span(table)

    def write(self, x: Tensor, order: int, out: Tensor, *, squash: bool = False) -> None:
        if squash or order > 1 or is_tracing():
            out.copy_((self.squashed_table if squash else self.table)(x, order))
            return
        t, inverse = _places(self, x)
        torch.mul(t, t, out=out[0]).neg_().exp_()
        if order:
            torch.mul(out[0], t.mul_(-2 * inverse), out=out[1])

    def combined_from(self, dtype: torch.dtype) -> tuple[Functions, np.ndarray] | None:
        """The same without factors that do not depend on x, for few centres."""
        if self.coarsest is not None or self.count > FEW or dtype not in (torch.float64, torch.float32):
            return None
        functions = Exponentials(self)
        return functions, np.diag(1 / functions.factors)

    def embedding(self, finer: Basis) -> np.ndarray:
        assert isinstance(finer, Gaussian) and (finer.coarsest or finer.count) == (self.coarsest or self.count)
        return np.eye(finer.size, self.size)

    def refined(self, resolution: int) -> "Gaussian":
        super().refined(resolution)  # raises where it must
        return replace(self, count=resolution, coarsest=self.coarsest or self.count)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """As many points between two neighbouring centres as between any two others."""
        return np.interp(u, np.linspace(0, 1, self.count), np.sort(self.levels[0]))

    def decay(self) -> np.ndarray:
        """4^-level: the finer functions start small."""
        widths = self.levels[1]
        return (widths / widths[0]) ** 2


@dataclass(frozen=True)
class Exponentials(Functions):
    """exp(2 j t - t^2) = exp(j^2) exp(-(t - j)^2), t = (x - c) / h and j counted from a centre c in the middle of those of a Gaussian.

    One follows from the other by a product with exp(2 t) or exp(-2 t): two exponentials a point, however many functions.
    """

    gaussian: Gaussian

    @property
    def size(self) -> int:
        return self.gaussian.count

    @property
    def middle(self) -> int:
        return (self.size - 1) // 2

    @property
    def factors(self) -> np.ndarray:
        """exp(j^2): (count,)."""
        return np.exp((np.arange(self.size) - self.middle) ** 2.0)

    def table(self, x: Tensor, order: int) -> Tensor:
        factors = torch.tensor(self.factors, dtype=x.dtype, device=x.device)
        return self.gaussian.table(x, order) * factors.view(-1, *(1,) * x.ndim)

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        table = x.new_empty((order + 1, self.size, *x.shape)) if reuse is None else reuse.functions
        self.write(x, order, table, squash=squash)
        return Span(table)

    def write(self, x: Tensor, order: int, out: Tensor, *, squash: bool = False) -> None:
        if squash or order > 1:
            out.copy_((self.squashed_table if squash else self.table)(x, order))
            return
        middle, rate, rows = self.middle, 0.5 * (self.size - 1), out[0].unbind(0)
        t = torch.mul(x, rate).add_(rate - middle)
        torch.mul(t, t, out=rows[middle]).neg_().exp_()
        step = torch.mul(t, 2).clamp_(-60, 60).exp_()  # where it is cut, all functions have vanished
        for j in range(middle + 1, self.size):
            torch.mul(rows[j - 1], step, out=rows[j])
        step.reciprocal_()
        for j in range(middle - 1, -1, -1):
            torch.mul(rows[j + 1], step, out=rows[j])
        if order:
            t.mul_(-2 * rate)
            for j, slopes in enumerate(out[1].unbind(0)):
                torch.add(t, 2 * rate * (j - middle), out=slopes)
            out[1].mul_(out[0])


@dataclass(frozen=True)
class MexicanHat(Basis):
    """1, x, and dyadic wavelets psi(2^l x - k), |k| <= 2^l, l = 0 ... levels - 1 (Wav-KAN, arXiv 2405.12832).

    psi(t) = (1 - t^2) exp(-t^2 / 2), the negative second derivative of a Gaussian, of height 1. There are
    2^(levels+1) + levels functions in all; refinement adds levels.

    Raises ValueError for a number of levels that is not a whole number of at least 1.
    """

    levels: int
    resolution_field: ClassVar[str] = "levels"

    def __post_init__(self) -> None:
        whole_number(self.levels, "the number of levels of MexicanHat")

    @property
    def size(self) -> int:
        return 2 ** (self.levels + 1) + self.levels

    @property
    def wavelets(self) -> tuple[np.ndarray, np.ndarray]:
        """The centres 2^-l k and widths 2^-l of all wavelets: (size - 2,) each."""
        sizes = 2 ** np.arange(self.levels)
        centres = np.concatenate([np.arange(-n, n + 1) / n for n in sizes])
        return centres, 1.0 / np.repeat(sizes, 2 * sizes + 1)

    def values(self, x: Tensor) -> Tensor:
        square = _places(self, x)[0] ** 2
        return torch.cat([torch.stack([torch.ones_like(x), x]), (1 - square) * torch.exp(-0.5 * square)])

    def table(self, x: Tensor, order: int) -> Tensor:
        t, inverse = _places(self, x)
        result = x.new_zeros((order + 1, self.size, *x.shape))
        result[0, 0], result[0, 1] = 1.0, x
        result[1:2, 1] = 1.0
        rows = _gaussian_derivatives(t * 0.5**0.5, order + 2)[2:]  # exp(-t^2/2) as a function of t / sqrt 2
        for m, row in enumerate(rows):
            torch.mul(row, -(0.5 ** (0.5 * m + 1)) * inverse**m, out=result[m, 2:])
        return result

    def embedding(self, finer: Basis) -> np.ndarray:
        return np.eye(finer.size, self.size)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Uniform, as the centres of every level are."""
        return 2 * u - 1

    def decay(self) -> np.ndarray:
        """4^-level: the finer wavelets start small."""
        return np.concatenate([[1.0, 1.0], self.wavelets[1] ** 2])


def _gaussian_derivatives(t: Tensor, order: int) -> list[Tensor]:
    """exp(-t^2) and its derivatives, g^(m+1) = -2 t g^(m) - 2 m g^(m-1)."""
    rows = [torch.exp(-t * t)]
    for m in range(order):
        rows.append(-2 * t * rows[m] if m == 0 else (t * rows[m]).add_(rows[m - 1], alpha=m).mul_(-2))
    return rows


def _spread(count: int) -> np.ndarray:
    """0 ... count - 1, such that every beginning is spread evenly: by reversed bits (van der Corput)."""
    bits = max(1, int(count - 1).bit_length())
    reversed_bits = [int(format(number, f"0{bits}b")[::-1], 2) for number in range(2**bits)]
    return np.array([number for number in reversed_bits if number < count], dtype=float)


def _places(basis: Gaussian | MexicanHat, x: Tensor) -> tuple[Tensor, Tensor]:
    """(x - c) / h of every function (count, *x.shape), and 1 / h in a shape that multiplies it."""
    centres, inverse = _centres(basis, x.dtype, x.device)
    shape = (-1, *[1] * x.dim())
    t = x - centres.view(shape)
    return t.mul_(inverse.view(shape)), inverse.view(shape)


@remembered
def _centres(basis: Gaussian | MexicanHat, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    centres, widths = basis.levels if isinstance(basis, Gaussian) else basis.wavelets
    return torch.tensor(centres, dtype=dtype, device=device), torch.tensor(1 / widths, dtype=dtype, device=device)
