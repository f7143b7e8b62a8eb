"""KAN layers as other packages write them, from their published formulas, and plain MLPs: what kanpde's are set beside.

Cubic B-splines by the Cox-de Boor recursion with a SiLU base (as efficient-kan), Gaussians with a SiLU base (as fast-kan), Legendre and
Chebyshev polynomials of tanh by recurrence (as torchkan). All have 8 or 9 weights an edge.
"""

import importlib.util
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class Features(nn.Module):
    """A KAN layer as a linear map of functions of its inputs, for autograd."""

    def __init__(self, inputs: int, outputs: int, count: int, functions: Callable[[Tensor], Tensor], *, base: bool) -> None:
        super().__init__()
        self.functions, self.linear = functions, nn.Linear(inputs * count, outputs, bias=False)
        self.base = nn.Linear(inputs, outputs, bias=False) if base else None

    def forward(self, x: Tensor) -> Tensor:
        found = self.linear(self.functions(x).flatten(1))
        return found if self.base is None else found + self.base(nn.functional.silu(x))


def splines(x: Tensor, *, grid: int = 5, order: int = 3) -> Tensor:
    h = 2 / grid
    knots = torch.arange(-order, grid + order + 1).to(x) * h - 1
    x = x.unsqueeze(-1)
    values = ((x >= knots[:-1]) & (x < knots[1:])).to(x)
    for k in range(1, order + 1):
        left = (x - knots[: -(k + 1)]) / (knots[k:-1] - knots[: -(k + 1)]) * values[..., :-1]
        right = (knots[k + 1 :] - x) / (knots[k + 1 :] - knots[1:-k]) * values[..., 1:]
        values = left + right
    return values


def gaussians(x: Tensor, *, count: int = 8) -> Tensor:
    centres = torch.linspace(-2, 2, count).to(x)
    return torch.exp(-(((x.unsqueeze(-1) - centres) * (count - 1) / 4) ** 2))


def legendre(x: Tensor, *, degree: int = 8) -> Tensor:
    x = torch.tanh(x)
    rows = [torch.ones_like(x), x]
    for n in range(1, degree):
        rows.append(((2 * n + 1) * x * rows[-1] - n * rows[-2]) / (n + 1))
    return torch.stack(rows, -1)


def chebyshev(x: Tensor, *, degree: int = 8) -> Tensor:
    x = torch.tanh(x)
    rows = [torch.ones_like(x), x]
    for _ in range(1, degree):
        rows.append(2 * x * rows[-1] - rows[-2])
    return torch.stack(rows, -1)


KINDS = {
    "Chebyshev by recurrence": (9, chebyshev, False),
    "Legendre (torchkan's)": (9, legendre, False),
    "Gaussians (fast-kan's)": (8, gaussians, True),
    "B-splines (efficient-kan's)": (8, splines, True),
}


def chain(widths: Sequence[int], kind: str) -> nn.Module:
    """A network of layers of one of the ``KINDS``."""
    count, functions, base = KINDS[kind]
    return nn.Sequential(*(Features(a, b, count, functions, base=base) for a, b in zip(widths[:-1], widths[1:], strict=True)))


def plain_mlp(widths: Sequence[int]) -> nn.Module:
    """Linear layers with a tanh behind each but the last; behind a single one too."""
    layers = [part for a, b in zip(widths[:-1], widths[1:], strict=True) for part in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*(layers if len(widths) == 2 else layers[:-1]))


def pykan(widths: Sequence[int], *, speed: bool) -> nn.Module:
    """pykan's network in torch's default dtype; ``speed``, without its symbolic branch and its statistics."""
    from kan import KAN  # type: ignore[import-not-found]

    model = KAN(width=list(widths), grid=5, k=3, auto_save=False)
    return model.speed() if speed else model


def has_pykan() -> bool:
    return importlib.util.find_spec("kan") is not None
