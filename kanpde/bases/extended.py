"""Bases that go on beyond [-1, 1] in a chosen way, and bases that differ from input to input."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kanpde.bases.basis import Basis, Span


@dataclass(frozen=True)
class Extended(Basis):
    """The functions of another basis on [-1, 1]; outside they go on as straight lines (``"linear"``) or stay (``"constant"``):

        B_k(c) + B_k'(c) (x - c)   or   B_k(c),   c = min(max(x, -1), 1),

    with the derivatives of these: a value outside the grid does no harm, and none is made up by a polynomial of high degree.

    Raises ``TypeError`` where ``basis`` is no basis, ``ValueError`` for another rule.
    """

    basis: Basis
    rule: str = "linear"
    resolution_field: ClassVar[str] = "resolution"

    def __post_init__(self) -> None:
        if not isinstance(self.basis, Basis):
            raise TypeError(f"Extended takes a basis, as in Extended(BSpline(3, 5), 'linear'), got {self.basis!r}")
        if self.rule not in ("linear", "constant"):
            raise ValueError(
                f"beyond [-1, 1] a basis goes on as 'linear' or 'constant', got {self.rule!r}; without Extended it goes on by itself"
            )

    @property
    def size(self) -> int:
        return self.basis.size

    @property
    def periodic(self) -> bool:
        return self.basis.periodic

    @property
    def resolution(self) -> int:
        return self.basis.resolution

    def table(self, x: Tensor, order: int) -> Tensor:
        inside = x.clamp(-1, 1)
        beyond = x - inside
        table = self.basis.table(inside, max(order, 1))
        rows = list(table[: order + 1].unbind(0))
        within = (beyond == 0).to(x.dtype)
        if self.rule == "linear":
            rows[0] = rows[0] + table[1] * beyond
        elif order:
            rows[1] = rows[1] * within
        return torch.stack([*rows[:2], *(row * within for row in rows[2:])])

    def values(self, x: Tensor) -> Tensor:
        inside = x.clamp(-1, 1)
        if self.rule == "constant":
            return self.basis.values(inside)
        ends = torch.tensor([-1.0, 1.0], dtype=x.dtype, device=x.device)
        slopes = self.basis.table(ends, 1)[1]  # (K, 2)
        shape = (-1, *(1,) * x.ndim)
        below, above = (x - inside).clamp(max=0), (x - inside).clamp(min=0)
        return self.basis.values(inside) + slopes[:, 0].view(shape) * below + slopes[:, 1].view(shape) * above

    def squashed_table(self, z: Tensor, order: int) -> Tensor:
        return self.basis.squashed_table(z, order)

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        return self.basis.span(x, order, squash=True, reuse=reuse) if squash else Span(self.table(x, order))

    def embedding(self, finer: Basis) -> np.ndarray:
        assert isinstance(finer, Extended)
        return self.basis.embedding(finer.basis)

    def refined(self, resolution: int) -> "Extended":
        return Extended(self.basis.refined(resolution), self.rule)

    def uniform(self, resolution: int) -> "Extended":
        return Extended(self.basis.uniform(resolution), self.rule)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return self.basis.quantile(u)

    def decay(self) -> np.ndarray:
        return self.basis.decay()

    def differences(self) -> np.ndarray | None:
        return self.basis.differences()

    def jumps(self) -> np.ndarray | None:
        return self.basis.jumps()


@dataclass(frozen=True)
class PerInput(Basis):
    """One basis for each input of a layer, as many functions in each: splines whose knots follow the data of their input.

    Tables are for x of shape (inputs, ...); ``embedding`` is (inputs, finer.size, size).

    Raises ``TypeError`` or ``ValueError`` for what is no basis, or bases of different sizes.
    """

    bases: tuple[Basis, ...]
    resolution_field: ClassVar[str] = "resolution"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bases", tuple(self.bases))
        if not self.bases or not all(isinstance(basis, Basis) for basis in self.bases):
            raise TypeError(f"PerInput takes bases, one for each input, got {self.bases!r}")
        if len({basis.size for basis in self.bases}) > 1:
            raise ValueError(f"the bases of one layer need equally many functions, got {', '.join(f'{b}: {b.size}' for b in self.bases)}")

    @property
    def size(self) -> int:
        return self.bases[0].size

    @property
    def periodic(self) -> bool:
        return all(basis.periodic for basis in self.bases)

    @property
    def resolution(self) -> int:
        return self.bases[0].resolution

    def _checked(self, x: Tensor) -> Tensor:
        if x.ndim < 1 or x.shape[0] != len(self.bases):
            raise ValueError(f"{len(self.bases)} bases, one for each input, cannot take points of shape {tuple(x.shape)}")
        return x

    def table(self, x: Tensor, order: int) -> Tensor:
        return torch.stack([basis.table(each, order) for basis, each in zip(self.bases, self._checked(x), strict=True)], 2)

    def values(self, x: Tensor) -> Tensor:
        return torch.stack([basis.values(each) for basis, each in zip(self.bases, self._checked(x), strict=True)], 1)

    def squashed_table(self, z: Tensor, order: int) -> Tensor:
        return torch.stack([basis.squashed_table(each, order) for basis, each in zip(self.bases, self._checked(z), strict=True)], 2)

    def refined(self, resolution: int) -> "PerInput":
        return PerInput(tuple(basis.refined(resolution) for basis in self.bases))

    def uniform(self, resolution: int) -> "PerInput":
        return PerInput(tuple(basis.uniform(resolution) for basis in self.bases))

    def embedding(self, finer: Basis) -> np.ndarray:
        assert isinstance(finer, PerInput)
        return np.stack([mine.embedding(its) for mine, its in zip(self.bases, finer.bases, strict=True)])

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return self.bases[0].quantile(u)

    def decay(self) -> np.ndarray:
        return self.bases[0].decay()

    def differences(self) -> np.ndarray | None:
        return self.bases[0].differences()

    def jumps(self) -> np.ndarray | None:
        return self.bases[0].jumps()
