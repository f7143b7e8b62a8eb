"""Bases behind a smooth monotone map of the line."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import asin, asinh
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import real_number
from kanpde.bases.basis import Basis
from kanpde.jets import channels, compose


class Map(ABC):
    """A smooth increasing function phi that takes [-1, 1] into [-1, 1]; a subclass is a frozen dataclass."""

    @abstractmethod
    def table(self, x: Tensor, order: int) -> Tensor:
        """phi and its derivatives up to ``order``: (order + 1, *x.shape)."""

    def values(self, x: Tensor) -> Tensor:
        """phi alone, in operations that autograd differentiates: (*x.shape)."""
        return self.table(x, 0)[0]

    @abstractmethod
    def inverse(self, y: np.ndarray) -> np.ndarray:
        """The x with phi(x) = y, in float64."""


@dataclass(frozen=True)
class SinhMap(Map):
    """Resolution at a front: the points y of the basis stand at x = centre + width sinh(A y + B), with -1 and 1 where they were.

    phi(x) = (asinh((x - centre) / width) - B) / A, where A + B = asinh((1 - centre) / width) and B - A = asinh((-1 - centre) / width).
    Around ``centre`` the basis is finer by 1 / (A width). Source: Tee and Trefethen, SIAM J. Sci. Comput. 28 (2006), 1798.

    Raises ValueError unless the centre is in [-1, 1] and the width is positive.
    """

    centre: float
    width: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", real_number(self.width, "the width of SinhMap", above=0))
        object.__setattr__(self, "centre", real_number(self.centre, "the centre of SinhMap"))
        if abs(self.centre) > 1:
            raise ValueError(f"the centre of SinhMap must be in [-1, 1], got {self.centre!r}: the box counts as [-1, 1]")

    @property
    def coefficients(self) -> tuple[float, float]:
        """A and B."""
        right, left = asinh((1 - self.centre) / self.width), asinh((1 + self.centre) / self.width)
        return 0.5 * (right + left), 0.5 * (right - left)

    def table(self, x: Tensor, order: int) -> Tensor:
        stretch, shift = self.coefficients
        s = (x - self.centre) / self.width
        rows = [self.values(x)]
        for m, row in enumerate(_power_derivatives(s, 0.5, order), 1):
            rows.append(row * (1 / (stretch * self.width**m)))
        return torch.stack(rows)

    def values(self, x: Tensor) -> Tensor:
        stretch, shift = self.coefficients
        return (torch.asinh((x - self.centre) / self.width) - shift) / stretch

    def inverse(self, y: np.ndarray) -> np.ndarray:
        stretch, shift = self.coefficients
        return np.clip(self.centre + self.width * np.sinh(stretch * y + shift), -1, 1)


@dataclass(frozen=True)
class AlgebraicMap(Map):
    """phi(x) = x / sqrt(x^2 + length^2), which takes the whole line to (-1, 1) (Boyd, Chebyshev and Fourier Spectral Methods, 17.7).

    Raises ValueError unless the length is positive.
    """

    length: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", real_number(self.length, "the length of AlgebraicMap", above=0))

    def table(self, x: Tensor, order: int) -> Tensor:
        rows = [self.values(x)]
        for m, row in enumerate(_power_derivatives(x / self.length, 1.5, order), 1):
            rows.append(row * self.length**-m)
        return torch.stack(rows)

    def values(self, x: Tensor) -> Tensor:
        s = x / self.length
        return s * torch.rsqrt(1 + s * s)

    def inverse(self, y: np.ndarray) -> np.ndarray:
        return self.length * y / np.sqrt(1 - y * y)


@dataclass(frozen=True)
class ArcsineMap(Map):
    """phi(x) = asin(reach x) / asin(reach): resolution at both ends, for functions of sqrt(1 - (reach x)^2) and its like.

    In phi such functions are entire, though they have branch points at x = 1 / reach and -1 / reach, just outside of [-1, 1]: for a
    coordinate v in (-0.999, 0.999), sqrt(1 - v^2) is a cosine of phi with ``reach=0.999``.

    Raises ValueError unless 0 < reach < 1: with 1 the derivatives would be infinite at the ends.
    """

    reach: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "reach", real_number(self.reach, "the reach of ArcsineMap", above=0))
        if self.reach >= 1:
            raise ValueError(f"the reach of ArcsineMap must be below 1, where derivatives are infinite at the ends, got {self.reach!r}")

    def table(self, x: Tensor, order: int) -> Tensor:
        rows = [self.values(x)]
        for m, row in enumerate(_power_derivatives(self.reach * x, 0.5, order, sign=-1), 1):
            rows.append(row * (self.reach**m / asin(self.reach)))
        return torch.stack(rows)

    def values(self, x: Tensor) -> Tensor:
        return torch.asin(self.reach * x) / asin(self.reach)

    def inverse(self, y: np.ndarray) -> np.ndarray:
        return np.sin(asin(self.reach) * y) / self.reach


def _power_derivatives(s: Tensor, exponent: float, count: int, *, sign: int = 1) -> list[Tensor]:
    """u = (1 + sign s^2)^-exponent and its derivatives, ``count`` in all: (1 + sign s^2) u' + 2 sign exponent s u = 0, differentiated."""
    inverse = 1 / ((1 - s) * (1 + s) if sign < 0 else 1 + s * s)
    rows = [inverse**exponent]
    for m in range(count - 1):
        total = 2 * (m + exponent) * s * rows[m]
        if m:
            total = total + m * (m - 1 + 2 * exponent) * rows[m - 1]
        rows.append(-sign * inverse * total)
    return rows[:count]


@dataclass(frozen=True)
class Mapped(Basis):
    """The functions B_k(phi(x)) of another basis: ``Mapped(Chebyshev(20), SinhMap(0.3, 0.05))`` resolves a front at 0.3.

    Derivatives follow from those of ``basis`` and ``map`` by the chain rule; refinement is that of ``basis``.

    Raises TypeError where ``basis`` is no basis or ``map`` no map.
    """

    basis: Basis
    map: Map
    resolution_field: ClassVar[str] = "resolution"

    def __post_init__(self) -> None:
        if not isinstance(self.basis, Basis) or not isinstance(self.map, Map):
            raise TypeError(
                f"Mapped takes a basis and a map, as in Mapped(Chebyshev(8), SinhMap(0.3, 0.1)); got {self.basis!r}, {self.map!r}"
            )

    @property
    def size(self) -> int:
        return self.basis.size

    @property
    def resolution(self) -> int:
        return self.basis.resolution

    def table(self, x: Tensor, order: int) -> Tensor:
        jet = self.map.table(x, order)
        return compose(self.basis.table(jet[0], order), jet, channels([(0,) * order]))

    def values(self, x: Tensor) -> Tensor:
        return self.basis.values(self.map.values(x))

    def refined(self, resolution: int) -> "Mapped":
        return Mapped(self.basis.refined(resolution), self.map)

    def uniform(self, resolution: int) -> "Mapped":
        return Mapped(self.basis.uniform(resolution), self.map)

    def embedding(self, finer: Basis) -> np.ndarray:
        assert isinstance(finer, Mapped) and finer.map == self.map
        return self.basis.embedding(finer.basis)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The points of ``basis``, spread over the image of [-1, 1], taken back by the map."""
        lower, upper = self.map.values(torch.tensor([-1.0, 1.0], dtype=torch.float64)).tolist()
        image = lower + (upper - lower) * 0.5 * (self.basis.quantile(u) + 1)
        return np.clip(self.map.inverse(image), -1, 1)

    def decay(self) -> np.ndarray:
        return self.basis.decay()
