"""Truncated powers: other functions with the span of splines, which cost a few operations a point while there are few knots."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.bases.basis import Functions, Span, remembered


@dataclass(frozen=True)
class TruncatedPowers(Functions):
    """1, x, ..., x^p, then max(t - x, 0)^p for the knots ``below`` and max(x - t, 0)^p for those ``above``.

    They span the splines of degree p with these simple knots (de Boor, A Practical Guide to Splines, ch. VIII). With the knots taken from
    the middle to either side they stay small on [-1, 1], which limits the cancellation between them.
    """

    degree: int
    below: tuple[float, ...]
    above: tuple[float, ...]

    @property
    def size(self) -> int:
        return self.degree + 1 + len(self.below) + len(self.above)

    def table(self, x: Tensor, order: int) -> Tensor:
        return self.span(x, order).functions

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        if squash:
            return super().span(x, order, squash=True, reuse=reuse)
        table = x.new_empty((order + 1, self.size, *x.shape)) if reuse is None else reuse.functions
        self.write(x, order, table)
        return Span(table)

    def write(self, x: Tensor, order: int, out: Tensor, *, squash: bool = False) -> None:
        if squash:
            super().write(x, order, out, squash=True)
            return
        degree = self.degree
        for m in range(order + 1):
            out[m, :m] = 0.0
            if m <= degree:
                out[m, m] = math.factorial(m)
            for k in range(m + 1, degree + 1):
                _power(x, k - m, out[m, k])
                if m:
                    out[m, k].mul_(math.perm(k, m))
        start = degree + 1
        for knots, side in ((self.below, -1), (self.above, 1)):
            if knots:
                self._write_truncated(
                    x, order, out[:, start : start + len(knots)], _column(knots, x.dtype, x.device).view(-1, *(1,) * x.ndim), side
                )
            start += len(knots)

    def _write_truncated(self, x: Tensor, order: int, out: Tensor, knots: Tensor, side: int) -> None:
        degree, beyond = self.degree, out[0]
        torch.sub(x, knots, out=beyond) if side > 0 else torch.sub(knots, x, out=beyond)
        if order >= degree:  # a knot belongs to the interval that it begins
            step = torch.heaviside(beyond, beyond.new_tensor(float(side > 0)))
            torch.mul(step, float(math.factorial(degree) * side**degree), out=out[degree])
        beyond.clamp_(min=0)
        for m in range(1, min(order + 1, degree)):
            _power(beyond, degree - m, out[m]).mul_(math.perm(degree, m) * side**m)
        _power(beyond, degree, beyond)
        out[degree + 1 :] = 0.0


def _power(x: Tensor, n: int, out: Tensor) -> Tensor:
    """x^n into ``out``, which may be x, by multiplication alone."""
    if n <= 3:
        return torch.pow(x, n, out=out)
    rest = torch.mul(x, x)
    _power(rest, n // 2, rest)
    return torch.mul(x, rest, out=out) if n % 2 else out.copy_(rest)


@remembered
def _column(knots: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(knots, dtype=dtype, device=device)
