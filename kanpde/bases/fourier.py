"""Trigonometric functions."""

from dataclasses import dataclass
from math import pi
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.bases.basis import Basis, Span, remembered


@dataclass(frozen=True)
class Fourier(Basis):
    """1, cos(pi k x), sin(pi k x), k = 1 ... modes: 2 modes + 1 functions of period 2, the length of [-1, 1].

    cos((k+1) a) = cos(k a) cos a - sin(k a) sin a and sin((k+1) a) = sin(k a) cos a + cos(k a) sin a (DLMF 4.21.1, 4.21.2), whose
    rounding grows like k.

    Raises ValueError for a number of modes that is not a whole number of at least 1.
    """

    modes: int
    resolution_field: ClassVar[str] = "modes"

    def __post_init__(self) -> None:
        whole_number(self.modes, "the number of modes of Fourier")

    @property
    def size(self) -> int:
        return 2 * self.modes + 1

    @property
    def periodic(self) -> bool:
        return True

    def values(self, x: Tensor) -> Tensor:
        cosines, sines = _multiples(torch.cos(pi * x), torch.sin(pi * x), self.modes)
        pairs = [each for pair in zip(cosines, sines, strict=True) for each in pair]
        return torch.stack([torch.ones_like(x), *pairs])

    def table(self, x: Tensor, order: int) -> Tensor:
        return torch.stack(self.span(x, order).table(order))

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """cos' = -pi k sin and sin' = pi k cos: every derivative is a combination of the functions themselves."""
        if squash:
            return super().span(x, order, squash=True)
        functions = x.new_empty((self.size, *x.shape)) if reuse is None else reuse.functions
        functions[0] = 1.0
        _fill(functions[1::2], functions[2::2], torch.mul(x, pi))
        return Span(functions, _fourier_derivatives(self.modes, order, x.dtype, x.device))

    def embedding(self, finer: Basis) -> np.ndarray:
        return np.eye(finer.size, self.size)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Uniform: no place of a period is special."""
        return 2 * u - 1

    def decay(self) -> np.ndarray:
        k = (np.arange(self.size) + 1) // 2
        return 1.0 / np.maximum(1, k) ** 2


@dataclass(frozen=True)
class Sine(Basis):
    """sin(k pi (x + 1) / 2), k = 1 ... modes, which vanish at both ends, as hard boundary values of zero.

    Raises ValueError for a number of modes that is not a whole number of at least 1.
    """

    modes: int
    resolution_field: ClassVar[str] = "modes"

    def __post_init__(self) -> None:
        whole_number(self.modes, "the number of modes of Sine")

    @property
    def size(self) -> int:
        return self.modes

    def values(self, x: Tensor) -> Tensor:
        angle = 0.5 * pi * x  # sin(a + pi/2) = cos a: no rounding of x + 1
        return torch.stack(_multiples(-torch.sin(angle), torch.cos(angle), self.modes)[1])

    def table(self, x: Tensor, order: int) -> Tensor:
        return torch.stack(self.span(x, order).table(order))

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """The sines and the cosines of the same angles generate all derivatives."""
        if squash:
            return super().span(x, order, squash=True)
        functions = x.new_empty((2 * self.modes, *x.shape)) if reuse is None else reuse.functions
        _fill(functions[self.modes :], functions[: self.modes], torch.mul(x, 0.5 * pi), quarter=True)
        return Span(functions, _sine_derivatives(self.modes, order, x.dtype, x.device))

    def embedding(self, finer: Basis) -> np.ndarray:
        return np.eye(finer.size, self.size)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Uniform, as the waves are."""
        return 2 * u - 1

    def decay(self) -> np.ndarray:
        return 1.0 / np.arange(1, self.size + 1) ** 2


def _multiples(cosine: Tensor, sine: Tensor, count: int) -> tuple[list[Tensor], list[Tensor]]:
    """cos(k a) and sin(k a), k = 1 ... count, from k = 1, in operations that autograd differentiates."""
    cosines, sines = [cosine], [sine]
    for _ in range(count - 1):
        c, s = cosines[-1], sines[-1]
        cosines.append(c * cosine - s * sine)
        sines.append(s * cosine + c * sine)
    return cosines, sines


def _fill(cosines: Tensor, sines: Tensor, angle: Tensor, *, quarter: bool = False) -> None:
    """cos(k a) and sin(k a), k = 1, 2, ... into the rows, for a = ``angle``, or a quarter of a turn further."""
    if quarter:
        torch.sin(angle, out=cosines[0]).neg_()
        torch.cos(angle, out=sines[0])
    else:
        torch.cos(angle, out=cosines[0])
        torch.sin(angle, out=sines[0])
    c, s = cosines.unbind(0), sines.unbind(0)
    for k in range(len(c) - 1):
        torch.mul(c[k], c[0], out=c[k + 1]).addcmul_(s[k], s[0], value=-1)
        torch.mul(s[k], c[0], out=s[k + 1]).addcmul_(c[k], s[0])


@remembered
def _fourier_derivatives(modes: int, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices of derivatives 1, 2, ...: (order, size, size)."""
    once = np.zeros((2 * modes + 1, 2 * modes + 1))
    k = np.arange(1, modes + 1)
    once[2 * k - 1, 2 * k], once[2 * k, 2 * k - 1] = -pi * k, pi * k
    powers = [np.linalg.matrix_power(once, m) for m in range(1, order + 1)]
    return torch.tensor(np.reshape(powers, (order, *once.shape)), dtype=dtype, device=device)


@remembered
def _sine_derivatives(modes: int, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices that take sines and cosines to derivatives 1, 2, ... of the sines: (order, modes, 2 modes)."""
    found = np.zeros((order, modes, 2 * modes))
    k = np.arange(modes)
    for m in range(1, order + 1):
        sign = -1.0 if m % 4 in (2, 3) else 1.0
        found[m - 1, k, k + modes * (m % 2)] = sign * (0.5 * pi * (k + 1)) ** m
    return torch.tensor(found, dtype=dtype, device=device)
