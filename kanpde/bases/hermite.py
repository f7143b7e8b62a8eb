"""Hermite functions."""

from dataclasses import dataclass
from math import pi
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import real_number, whole_number
from kanpde.bases.basis import Basis, Span, remembered
from kanpde.bases.recurrence import Step, fill, recur


@dataclass(frozen=True)
class Hermite(Basis):
    """Hermite functions psi_n(scale x), orthonormal on the line, n = 0 ... degree: eigenfunctions of the harmonic oscillator.

    psi_n(y) = (2^n n! sqrt(pi))^(-1/2) exp(-y^2/2) H_n(y), by psi_{n+1} = sqrt(2/(n+1)) y psi_n - sqrt(n/(n+1)) psi_{n-1} and
    psi_n' = sqrt(n/2) psi_{n-1} - sqrt((n+1)/2) psi_{n+1} (DLMF 18.9.1, 18.9.25-26). They oscillate for |y| < sqrt(2n+1) and
    decay beyond: a ``scale`` below sqrt(2 degree + 1) keeps the whole of [-1, 1] in reach. Refinement keeps the scale.

    Raises ValueError for a degree that is not a whole number of at least 1, and a scale that is not positive.
    """

    degree: int
    scale: float = 4.0
    resolution_field: ClassVar[str] = "degree"

    def __post_init__(self) -> None:
        whole_number(self.degree, "the degree of Hermite")
        object.__setattr__(self, "scale", real_number(self.scale, "the scale of Hermite", above=0))

    @property
    def size(self) -> int:
        return self.degree + 1

    def values(self, x: Tensor) -> Tensor:
        y = self.scale * x
        return recur(_ground(y), y, _own_steps(self))

    def table(self, x: Tensor, order: int) -> Tensor:
        return torch.stack(self.span(x.contiguous(), order).table(order))

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """Derivative m of psi_n is a combination of psi_{n-m} ... psi_{n+m}."""
        if squash:
            return super().span(x, order, squash=True)
        y = self.scale * x
        functions = x.new_empty((self.size + order, *x.shape)) if reuse is None else reuse.functions
        fill(functions, y, _steps(len(functions) - 1), first=_ground(y))
        return Span(functions, _derivatives(self, order, x.dtype, x.device))

    def embedding(self, finer: Basis) -> np.ndarray:
        assert isinstance(finer, Hermite) and finer.scale == self.scale
        return np.eye(finer.size, self.size)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Density like the wave number sqrt(2 degree + 1 - (scale x)^2) of the finest function, never below a quarter of its top."""
        x = np.linspace(-1, 1, 2049)
        waves = np.sqrt(np.maximum(1 / 16, 1 - (self.scale * x) ** 2 / (2 * self.degree + 1)))
        total = np.concatenate([[0.0], np.cumsum(waves[1:] + waves[:-1])])
        return np.interp(u, total / total[-1], x)

    def decay(self) -> np.ndarray:
        return 1.0 / np.maximum(1.0, np.arange(self.size)) ** 2


def _ground(y: Tensor) -> Tensor:
    """psi_0."""
    return pi**-0.25 * torch.exp(-0.5 * y * y)


@remembered
def _steps(count: int) -> tuple[Step, ...]:
    return tuple(((2 / (n + 1)) ** 0.5, 0.0, (n / (n + 1)) ** 0.5) for n in range(count))


@remembered
def _own_steps(basis: Hermite) -> tuple[Step, ...]:
    return _steps(basis.degree)


@remembered
def _derivatives(basis: Hermite, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices that take psi_0 ... psi_{degree+order} to derivatives 1, 2, ... by x: (order, size, size + order)."""
    n = np.arange(basis.size + order)
    step = np.zeros((len(n), len(n) + 1))
    step[n[1:], n[:-1]], step[n, n + 1] = np.sqrt(n[1:] / 2), -np.sqrt((n + 1) / 2)
    found = [np.eye(basis.size, len(n))]
    for _ in range(order):
        found.append(basis.scale * found[-1] @ step[:, :-1])
    return torch.tensor(np.array(found)[1:], dtype=dtype, device=device)
