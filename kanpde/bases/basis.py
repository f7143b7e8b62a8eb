"""What every univariate basis offers, and bases joined together."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cache, wraps
from typing import ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from kanpde.jets import channels, compose, tanh_table

_Function = TypeVar("_Function", bound=Callable[..., object])


def remembered(function: _Function) -> _Function:
    """``functools.cache`` for the constants of a basis, whoever asks for them first.

    ``torch.compile`` takes them as constants rather than see them computed, and a transformation of ``torch.func`` or inference mode
    that happens to be in force does not become part of them.
    """

    @cache
    def apart(*arguments: Hashable) -> object:
        with torch.inference_mode(False), torch._C._DisableFuncTorch():
            return function(*arguments)

    @wraps(function)
    def call(*arguments: Hashable) -> object:
        return apart(*arguments)

    call._dynamo_marked_constant = True  # type: ignore[attr-defined]  # torch.compiler.assume_constant_result, without its slow import
    return call  # type: ignore[return-value]


@dataclass(frozen=True)
class Span:
    """The derivatives of a basis at some points, either as a table or as combinations of functions that generate them.

    With ``matrices`` (order, K, R), ``functions`` has the shape (R, *x.shape), its first K are the basis, and
    B_k^(m) = sum_r matrices[m - 1, k, r] functions[r]; without, ``functions`` is the table (order + 1, K, *x.shape).
    """

    functions: Tensor
    matrices: Tensor | None = None

    def generators(self, m: int) -> Tensor:
        """The functions that derivative ``m`` combines: (R, *x.shape)."""
        if self.matrices is None:
            return self.functions[m]
        return self.functions if m else self.functions[: self.matrices.shape[1]]

    def combined(self, weight: Tensor, m: int) -> Tensor:
        """The coefficients (..., R) with weight (..., K) B^(m) = combined generators(m)."""
        return weight if self.matrices is None or m == 0 else weight @ self.matrices[m - 1]

    def gathered(self, sums: Tensor, m: int) -> Tensor:
        """From (..., R), sums over points with generators(m), those with B^(m): (..., K)."""
        return sums if self.matrices is None or m == 0 else sums @ self.matrices[m - 1].T

    def table(self, order: int, out: Tensor | None = None) -> list[Tensor]:
        """Derivatives 0 ... ``order`` of the basis, (K, *x.shape) each; those that must be combined, in ``out`` (order, K, *x.shape)."""
        if self.matrices is None or order == 0:
            return [self.generators(m) for m in range(order + 1)]
        matrices = self.matrices[:order].flatten(0, 1)
        found = torch.mm(matrices, self.functions.view(len(self.functions), -1), out=None if out is None else out.view(len(matrices), -1))
        return [self.generators(0), *found.view(order, -1, *self.functions.shape[1:]).unbind(0)]


class Functions(ABC):
    """K functions of one variable with all their derivatives."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of functions K."""

    @abstractmethod
    def table(self, x: Tensor, order: int) -> Tensor:
        """Derivatives 0 ... ``order`` of all functions at ``x`` (any shape): (order + 1, K, *x.shape)."""

    def values(self, x: Tensor) -> Tensor:
        """All functions at ``x``: (K, *x.shape)."""
        return self.table(x, 0)[0]

    def squashed_table(self, z: Tensor, order: int) -> Tensor:
        """The same for B_k(tanh z) as functions of z: the chain rule, sum_j B_k^(j)(tanh z) B_{m,j}(tanh', tanh'', ...)."""
        tanh = tanh_table(z, order)
        return compose(self.table(tanh[0], order), tanh, channels([(0,) * order]))

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """What ``table``, or with ``squash`` ``squashed_table``, holds, in the cheapest form that the family has.

        A span ``reuse`` of an earlier call with the same shape and order may be overwritten, which spares allocation.
        """
        return Span(self.squashed_table(x, order) if squash else self.table(x, order))

    def write(self, x: Tensor, order: int, out: Tensor, *, squash: bool = False) -> None:
        """What ``table``, or with ``squash`` ``squashed_table``, holds, into ``out`` (order + 1, K, *x.shape)."""
        for m, row in enumerate(self.span(x, order, squash=squash).table(order)):
            out[m] = row

    def combined_from(self, dtype: torch.dtype) -> "tuple[Functions, np.ndarray] | None":
        """Functions F that cost less at a point, and the matrix M (K, R) with B_k = sum_r M_{k,r} F_r; None if none are known.

        The cancellation in these sums is small for numbers of ``dtype``.
        """
        return None

    @property
    def support(self) -> int:
        """How many functions, at most, are not zero at a point; where it is less than K, ``local`` says which."""
        return self.size

    def local(self, x: Tensor, order: int) -> tuple[Tensor, Tensor]:
        """The numbers (support, *x.shape) of these functions and their derivatives 0 ... ``order``, (order + 1, support, *x.shape)."""
        shape = (-1, *(1,) * x.ndim)
        return torch.arange(self.size, device=x.device).view(shape).expand(-1, *x.shape), self.table(x, order)


class Basis(Functions):
    """A family of K functions on [-1, 1].

    A subclass is a frozen dataclass with a field that says how fine it is, named by ``resolution_field``, and defines
    ``size``, ``table``, ``embedding`` and ``quantile``.
    """

    resolution_field: ClassVar[str] = ""

    @property
    def periodic(self) -> bool:
        """Whether all functions, with all their derivatives, take the same values at -1 and at 1."""
        return False

    @abstractmethod
    def embedding(self, finer: "Basis") -> np.ndarray:
        """The matrix E (finer.size, size) with sum_k c_k B_k = sum_j (E c)_j F_j exactly, in float64, for ``finer`` from :meth:`refined`.

        For splines of :meth:`uniform` whose knots are not among the old ones, (E c)_j F_j is the nearest in the mean square on [-1, 1].
        """

    @abstractmethod
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Map u in [0, 1] to points of [-1, 1], dense where the basis resolves finely (inverse of a distribution function)."""

    def decay(self) -> np.ndarray:
        """Relative size (K,) of random initial coefficients; a smooth random function for every basis."""
        return np.ones(self.size)

    def differences(self) -> np.ndarray | None:
        """The matrix (m, K) that takes differences of neighbouring coefficients; None where they are not in the order of their places."""
        return None

    def jumps(self) -> np.ndarray | None:
        """The matrix (m, K) that takes h^p/p! times the jumps of the highest derivative p at the m inner knots, over sqrt(m); None without
        knots.
        """
        return None

    @property
    def resolution(self) -> int:
        """The number that refinement raises: a degree, a number of intervals."""
        return getattr(self, self.resolution_field)

    def refined(self, resolution: int) -> "Basis":
        """The same family at a higher resolution, whose span contains this one's."""
        if resolution < self.resolution:
            raise ValueError(
                f"cannot refine {self} to {self.resolution_field}={resolution}: refinement only goes up from {self.resolution}"
            )
        return replace(self, **{self.resolution_field: resolution})  # type: ignore[type-var]

    def uniform(self, resolution: int) -> "Basis":
        """The same at a higher resolution with equal intervals, where there are intervals; else :meth:`refined`."""
        return self.refined(resolution)

    def __add__(self, other: "Basis") -> "Joined":
        """Both families together, as in ``BSpline(3, 5) + SiLU()``: splines with a base function."""
        return Joined((self, other))


@dataclass(frozen=True)
class Together(Functions):
    """Several families, one after another."""

    parts: tuple[Functions, ...]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def table(self, x: Tensor, order: int) -> Tensor:
        return torch.cat([part.table(x, order) for part in self.parts], 1)

    def values(self, x: Tensor) -> Tensor:
        return torch.cat([part.values(x) for part in self.parts])

    def span(self, x: Tensor, order: int, *, squash: bool = False, reuse: Span | None = None) -> Span:
        """The table, each part's written where it belongs."""
        table = x.new_empty((order + 1, self.size, *x.shape)) if reuse is None else reuse.functions
        start = 0
        for part in self.parts:
            rows = table[:, start : start + part.size]
            part.write(x, order, rows, squash=squash)
            start += part.size
        return Span(table)


@dataclass(frozen=True)
class Joined(Together, Basis):
    """The functions of several bases, one after another; refinement refines those that can be refined."""

    parts: tuple[Basis, ...]

    def __repr__(self) -> str:
        return " + ".join(repr(part) for part in self.parts)

    @property
    def _leading(self) -> int:
        """The number of the part that refinement refines: the first that can be."""
        return next((number for number, part in enumerate(self.parts) if part.resolution_field), 0)

    @property
    def resolution(self) -> int:
        return self.parts[self._leading].resolution

    @property
    def periodic(self) -> bool:
        return all(part.periodic for part in self.parts)

    def combined_from(self, dtype: torch.dtype) -> tuple[Functions, np.ndarray] | None:
        """Those of the parts that have them, beside the others as they are."""
        from scipy.linalg import block_diag

        found = [part.combined_from(dtype) for part in self.parts]
        if not any(found):
            return None
        pairs = [pair or (part, np.eye(part.size)) for part, pair in zip(self.parts, found, strict=True)]
        return Together(tuple(functions for functions, _ in pairs)), np.asarray(block_diag(*(matrix for _, matrix in pairs)))

    def refined(self, resolution: int) -> "Joined":
        return self._with_leading(self.parts[self._leading].refined(resolution))

    def uniform(self, resolution: int) -> "Joined":
        return self._with_leading(self.parts[self._leading].uniform(resolution))

    def _with_leading(self, part: Basis) -> "Joined":
        return Joined((*self.parts[: self._leading], part, *self.parts[self._leading + 1 :]))

    def embedding(self, finer: Basis) -> np.ndarray:
        from scipy.linalg import block_diag

        assert isinstance(finer, Joined)
        return np.asarray(block_diag(*(mine.embedding(its) for mine, its in zip(self.parts, finer.parts, strict=True))))

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return self.parts[self._leading].quantile(u)

    def decay(self) -> np.ndarray:
        return np.concatenate([part.decay() for part in self.parts])

    def differences(self) -> np.ndarray | None:
        """Those of the part that refinement refines."""
        return self._of_all(self.parts[self._leading].differences())

    def jumps(self) -> np.ndarray | None:
        """Alike."""
        return self._of_all(self.parts[self._leading].jumps())

    def _of_all(self, rows: np.ndarray | None) -> np.ndarray | None:
        before = sum(part.size for part in self.parts[: self._leading])
        return None if rows is None else np.pad(rows, ((0, 0), (before, self.size - before - rows.shape[1])))
