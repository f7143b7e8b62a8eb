"""Rational functions."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from kanpde.arguments import real_number, whole_number
from kanpde.bases.basis import Basis
from kanpde.bases.mapped import AlgebraicMap, Mapped
from kanpde.bases.polynomials import Chebyshev


@dataclass(frozen=True)
class RationalChebyshev(Basis):
    """Rational Chebyshev functions TB_n(x) = T_n(x / sqrt(x^2 + length^2)), n = 0 ... degree, bounded on the whole line.

    On [-1, 1] the T_n are used on |t| <= 1 / sqrt(1 + length^2) only: a large ``length`` makes them nearly dependent, a small one
    resolves the middle. Source: Boyd, Chebyshev and Fourier Spectral Methods, 2nd ed. (2001), section 17.7; in networks rKAN,
    arXiv 2406.14495.

    Raises ValueError for a degree that is not a whole number of at least 1, and a length that is not positive.
    """

    degree: int
    length: float = 0.5
    resolution_field: ClassVar[str] = "degree"

    def __post_init__(self) -> None:
        whole_number(self.degree, "the degree of RationalChebyshev")
        object.__setattr__(self, "length", real_number(self.length, "the length of RationalChebyshev", above=0))
        # made here, since torch.compile cannot follow the making of it
        object.__setattr__(self, "_mapped", Mapped(Chebyshev(self.degree), AlgebraicMap(self.length)))

    @property
    def mapped(self) -> Mapped:
        """The same functions as polynomials behind a map."""
        return self._mapped  # type: ignore[attr-defined]

    @property
    def size(self) -> int:
        return self.degree + 1

    def table(self, x: Tensor, order: int) -> Tensor:
        return self.mapped.table(x, order)

    def values(self, x: Tensor) -> Tensor:
        return self.mapped.values(x)

    def embedding(self, finer: Basis) -> np.ndarray:
        assert isinstance(finer, RationalChebyshev)
        return self.mapped.embedding(finer.mapped)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return self.mapped.quantile(u)

    def decay(self) -> np.ndarray:
        return self.mapped.decay()
