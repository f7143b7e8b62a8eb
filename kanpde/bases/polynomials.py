"""Polynomials."""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from numpy.polynomial.chebyshev import chebder
from torch import Tensor

from kanpde.bases.basis import Basis, Span, whole_number


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

    def table(self, x: Tensor, order: int) -> Tensor:
        span = self.span(x.contiguous(), order)
        return torch.stack(span.table(order))

    def squashed_table(self, z: Tensor, order: int) -> Tensor:
        span = self.span(z.contiguous(), order, squash=True)
        return torch.stack(span.table(order))

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """All derivatives from one set of polynomials: T_k' is a combination of T_0 ... T_{k-1}, and behind a tanh of neighbours,
        (1 - s^2) T_k'(s) = k/2 (T_{k-1} - T_{k+1}), so that derivative m reaches as far as T_{k+m}.
        """
        matrices = (_squashed_derivatives if squash else _chebyshev_derivatives)(self.size, order, x.dtype, x.device)
        functions = x.new_empty((self.size + order * squash, *x.shape)) if reuse is None else reuse.functions
        self._fill(torch.tanh(x) if squash else x, functions)
        return Span(functions, matrices)

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


@cache
def _chebyshev_derivatives(size: int, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices D, D^2, ... with T' = D T: (order, size, size)."""
    once = np.pad(chebder(np.eye(size), axis=1), ((0, 0), (0, 1)))
    powers = [np.linalg.matrix_power(once, m) for m in range(1, order + 1)]
    return torch.tensor(np.reshape(powers, (order, size, size)), dtype=dtype, device=device)


@cache
def _squashed_derivatives(size: int, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices that take T_0 ... T_{size+order-1} of tanh z to derivatives 1, 2, ... by z of the first ``size``."""
    step = np.zeros((size + order, size + order + 1))
    k = np.arange(1, size + order)
    step[k, k - 1], step[k, k + 1] = 0.5 * k, -0.5 * k
    found = [np.eye(size, size + order)]
    for _ in range(order):
        found.append(found[-1] @ step[:, :-1])  # row k reaches no further than T_{k+m}
    return torch.tensor(np.array(found)[1:], dtype=dtype, device=device)
