"""What noisy data are like without the noise, as far as polynomials can tell: links such as 1/y and log y need that."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.symbolic.description import polynomials

COLUMNS = (20, 60, 120, 250)
MOST = 400  # polynomials


@dataclass(frozen=True)
class Smooth:
    """``values`` (N,), and the standard deviation ``noise`` of the data about them."""

    values: Tensor
    noise: float


def smoothed(columns: Tensor, y: Tensor, sizes: Sequence[int] = COLUMNS, *, weights: Tensor | None = None) -> Smooth:
    """Least squares with Chebyshev polynomials of all columns (d, N), of the total degree of least generalised cross-validation.

    ``sizes`` are the numbers of polynomials to try, at most; ``weights`` (N,) multiply the residuals, those of the noise too.
    """
    factors = torch.ones_like(y) if weights is None else weights
    best: tuple[float, Smooth] | None = None
    seen = set[int]()
    for most in (*sizes, min(len(y) // 5, MOST)) if sizes is COLUMNS else sizes:
        design = polynomials(columns, most)
        size = design.shape[1]
        if size in seen or size > len(y) // 4:
            continue
        seen.add(size)
        q, _ = torch.linalg.qr(design * factors[:, None])
        values = q @ (q.T @ (y * factors)) / factors
        rss = float(((y - values) * factors).square().sum())
        score = rss / (1 - size / len(y)) ** 2
        if best is None or score < best[0]:
            best = score, Smooth(values, math.sqrt(rss / (len(y) - size)))
    return best[1] if best is not None else Smooth(y.mean().expand_as(y), float((y * factors).std()))
