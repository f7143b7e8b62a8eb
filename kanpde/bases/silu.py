"""The usual base function of spline KANs."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanpde.bases.basis import Basis
from kanpde.jets import is_tracing


@dataclass(frozen=True)
class SiLU(Basis):
    """The single function x / (1 + exp(-x)), the usual base function of spline KANs (Liu et al., arXiv 2404.19756, eq. 2.10)."""

    @property
    def size(self) -> int:
        return 1

    @property
    def resolution(self) -> int:
        return 1

    def values(self, x: Tensor) -> Tensor:
        return (x * torch.sigmoid(x))[None]

    def table(self, x: Tensor, order: int) -> Tensor:
        s = torch.sigmoid(x)
        rows, polynomial = [x * s], np.polynomial.Polynomial([0.0, 1.0])
        for m in range(1, order + 1):  # s' = s - s^2, and (x s)^(m) = x s^(m) + m s^(m-1)
            lower, polynomial = polynomial, polynomial.deriv() * np.polynomial.Polynomial([0.0, 1.0, -1.0])
            rows.append(x * _horner(polynomial.coef, s) + m * _horner(lower.coef, s))
        return torch.stack([row[None] for row in rows])

    def write(self, x: Tensor, order: int, out: Tensor, *, squash: bool = False) -> None:
        if squash or order > 1 or is_tracing():
            super().write(x, order, out, squash=squash)
            return
        s, values = torch.sigmoid(x), out[0, 0]
        torch.mul(x, s, out=values)
        if order:  # s + x s (1 - s)
            torch.addcmul(values, values, s, value=-1, out=out[1, 0]).add_(s)

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
