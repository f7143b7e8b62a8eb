"""Polynomials with a three-term recurrence."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from kanpde.arguments import real_number, whole_number
from kanpde.bases.basis import Basis, Span, remembered
from kanpde.bases.recurrence import Step, derivative, fill, recur
from kanpde.jets import is_tracing


@dataclass(frozen=True)
class Polynomials(Basis):
    """P_0 = 1, P_{k+1} = (a_k x + b_k) P_k - c_k P_{k-1}, k = 0 ... degree - 1: a family defines ``recurrence`` alone.

    Values come from the recurrence; P' = D P and, behind a tanh, (1 - s^2) P'(s) = S P with matrices that follow from it, so that
    all derivatives are combinations of one set of polynomials, finite at the ends.

    Raises ValueError for a degree that is not a whole number of at least 1.
    """

    degree: int
    resolution_field: ClassVar[str] = "degree"

    def __post_init__(self) -> None:
        whole_number(self.degree, f"the degree of {type(self).__name__}")

    @abstractmethod
    def recurrence(self, k: np.ndarray) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        """a, b and c for k = 0, 1, ..., each of the shape of ``k`` or one number for all; c_0 is not used, a must not vanish."""

    @property
    def size(self) -> int:
        return self.degree + 1

    def values(self, x: Tensor) -> Tensor:
        return recur(torch.ones_like(x), x, _own_steps(self))

    def table(self, x: Tensor, order: int) -> Tensor:
        return torch.stack(self.span(x.contiguous(), order).table(order))

    def squashed_table(self, z: Tensor, order: int) -> Tensor:
        return torch.stack(self.span(z.contiguous(), order, squash=True).table(order))

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """All derivatives from one set of polynomials; behind a tanh, derivative m reaches as far as P_{k+m}."""
        matrices = (_squashed_derivatives if squash else _derivatives)(self, order, x.dtype, x.device)
        steps, x = _steps(self, self.degree + order * squash), torch.tanh(x) if squash else x
        if is_tracing():
            return Span(recur(torch.ones_like(x), x, steps), matrices)
        functions = x.new_empty((len(steps) + 1, *x.shape)) if reuse is None else reuse.functions
        fill(functions, x, steps)
        return Span(functions, matrices)

    def embedding(self, finer: Basis) -> np.ndarray:
        return np.eye(finer.size, self.size)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The arcsine law, which resolves 1/degree^2 at the ends as the polynomials do."""
        return -np.cos(np.pi * u)

    def decay(self) -> np.ndarray:
        """1 / k^2, and against polynomials that are large at an end the inverse of their size there."""
        ends = recur(torch.ones(2).double(), torch.tensor([-1.0, 1.0]).double(), _steps(self, self.degree)).numpy()
        return 1.0 / np.maximum(1.0, np.arange(self.size)) ** 2 / np.maximum(1.0, np.abs(ends).max(1))


@dataclass(frozen=True)
class Chebyshev(Polynomials):
    """Chebyshev polynomials of the first kind, T_k(cos a) = cos(k a), k = 0 ... degree.

    T_{k+1} = 2 x T_k - T_{k-1} (DLMF 18.9.1, table 18.9.1).

    >>> Chebyshev(degree=3).table(torch.tensor([1.0]), 1)[1].flatten().tolist()  # T_k'(1) = k^2
    [0.0, 1.0, 4.0, 9.0]
    """

    def recurrence(self, k: np.ndarray) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        return np.where(k == 0, 1, 2), 0, 1


@dataclass(frozen=True)
class Legendre(Polynomials):
    """Legendre polynomials, orthogonal on [-1, 1] with weight 1 and P_k(1) = 1, k = 0 ... degree.

    (k + 1) P_{k+1} = (2k + 1) x P_k - k P_{k-1} (DLMF 18.9.1, table 18.9.1).
    """

    def recurrence(self, k: np.ndarray) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        return (2 * k + 1) / (k + 1), 0, k / (k + 1)


@dataclass(frozen=True)
class Jacobi(Polynomials):
    """Jacobi polynomials P_k^(alpha, beta), orthogonal with weight (1 - x)^alpha (1 + x)^beta, k = 0 ... degree.

    With n = k and s = alpha + beta (DLMF 18.9.2): a = (2n+s+1)(2n+s+2) / (2(n+1)(n+s+1)), b = (alpha^2-beta^2)(2n+s+1) /
    (2(n+1)(n+s+1)(2n+s)), c = (n+alpha)(n+beta)(2n+s+2) / ((n+1)(n+s+1)(2n+s)). P_k(1) = (alpha+1)_k / k!: not normalised to 1.

    Raises ValueError unless alpha and beta are finite numbers above -1.
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("alpha", "beta"):
            object.__setattr__(self, name, real_number(getattr(self, name), f"{name} of Jacobi", above=-1))

    def recurrence(self, k: np.ndarray) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        alpha, beta, s = self.alpha, self.beta, self.alpha + self.beta
        n = np.maximum(k, 1)  # k = 0 apart: there the fractions may be 0 / 0
        below = 2 * (n + 1) * (n + s + 1)
        a = (2 * n + s + 1) * (2 * n + s + 2) / below
        b = (alpha - beta) * s * (2 * n + s + 1) / (below * (2 * n + s))
        c = 2 * (n + alpha) * (n + beta) * (2 * n + s + 2) / (below * (2 * n + s))
        return np.where(k == 0, (s + 2) / 2, a), np.where(k == 0, (alpha - beta) / 2, b), c


@dataclass(frozen=True)
class Monomial(Polynomials):
    """Powers 1, x, ..., x^degree, by x^{k+1} = x x^k. Ill-conditioned beyond degree 10 or so: meant for short formulas."""

    def recurrence(self, k: np.ndarray) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        return 1, 0, 0


@remembered
def _steps(basis: Polynomials, count: int) -> tuple[Step, ...]:
    """The coefficients of ``count`` steps of the recurrence."""
    a, b, c = (np.broadcast_to(np.asarray(each, dtype=float), count).tolist() for each in basis.recurrence(np.arange(count)))
    return tuple(zip(a, b, c, strict=True))


@remembered
def _own_steps(basis: Polynomials) -> tuple[Step, ...]:
    return _steps(basis, basis.degree)


@remembered
def _derivatives(basis: Polynomials, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices D, D^2, ... with P' = D P: (order, size, size)."""
    once = derivative(_steps(basis, basis.degree))
    powers = [np.linalg.matrix_power(once, m) for m in range(1, order + 1)]
    return torch.tensor(np.reshape(powers, (order, *once.shape)), dtype=dtype, device=device)


@remembered
def _squashed_derivatives(basis: Polynomials, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices that take P_0 ... P_{size+order-1} of tanh z to derivatives 1, 2, ... by z of the first ``size``."""
    step = derivative(_steps(basis, basis.size + order), squashed=True)
    found = [np.eye(basis.size, basis.size + order)]
    for _ in range(order):
        found.append(found[-1] @ step[:, :-1])  # row k reaches no further than P_{k+m}
    return torch.tensor(np.array(found)[1:], dtype=dtype, device=device)
