"""Tensor-product KANs: all products of one basis function of each coordinate.

    u_o(x) = sum_{k1, ..., kd} weight[o, k1, ..., kd] B_{1,k1}(x_1) ... B_{d,kd}(x_d)

is a KAN whose edges are the basis functions themselves, whose product nodes are all their products, and in which only the last layer, a
sum, is trained. What a :class:`~kanpde.separable.SeparableKAN` is after of low rank, this has in full: where a function is no short sum
of products, as a landscape of random valleys is not, it needs fewer numbers, and all of them are linear, so that a linear equation is one
linear least-squares problem. The number of products is that of the basis functions to the power d: for two or three coordinates.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from kanpde.arguments import whole_number
from kanpde.bases import Basis, Span
from kanpde.bases.chosen import constant_one, one_for_each, refined_bases
from kanpde.jets import Channels, sum_over
from kanpde.network import Network

NOISE = 0.2  # of the random part that the sum begins with, whose mean is 1

Orders = tuple[int, ...]  # of a derivative, by coordinate


@dataclass
class ProductRecord:
    """What the layer keeps of a forward pass for its reverse."""

    chosen: Channels
    spans: list[Span]  # by coordinate, at points (N,)
    tables: list[list[Tensor]]  # by coordinate and order: (K_i, N), derivatives by the user's coordinate


class Products(nn.Module):
    """The one layer of a tensor-product KAN, ``weight`` (outputs, K_1, ..., K_d); it begins as one plus a small random function."""

    def __init__(self, bases: Sequence[Basis], outputs: int, *, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.bases, self.inputs, self.outputs = tuple(bases), len(bases), outputs
        decay = reduce(np.multiply.outer, (basis.decay() for basis in bases))
        random = torch.randn(outputs, *decay.shape, generator=generator, dtype=torch.float64) * torch.from_numpy(decay)
        random *= NOISE / math.sqrt(float((decay**2).sum()))
        one = torch.from_numpy(reduce(np.multiply.outer, (constant_one(basis) for basis in bases)))
        self.weight = nn.Parameter((one + random).to(dtype))

    @property
    def linear_parameters(self) -> int:
        """How many parameters the outputs are linear in: all."""
        return self.weight.numel()

    def columns(self, z: Tensor) -> Tensor:
        """(inputs, N) -> (outputs, N)."""
        return self._summed([basis.values(x) for basis, x in zip(self.bases, z, strict=True)])

    def _summed(self, tables: Sequence[Tensor]) -> Tensor:
        """The sum of all products of functions (K_i, N) by coordinate: (outputs, N)."""
        found = torch.tensordot(self.weight, tables[-1], 1)
        for table in reversed(tables[:-1]):
            found = (found * table).sum(-2)
        return found

    def start(self, z: Tensor, scale: Tensor, chosen: Channels, record: ProductRecord | None) -> tuple[Tensor, ProductRecord]:
        """Jets (C, outputs, N) of the outputs at the coordinates ``z`` (inputs, N), which change by ``scale`` per unit of the user's."""
        spans, tables = [], []
        for axis, basis in enumerate(self.bases):
            highest = max(alpha.count(axis) for alpha in chosen.plain.indices)
            span = basis.span(z[axis].contiguous(), highest, reuse=record.spans[axis] if record else None)
            spans.append(span)
            tables.append([table * scale[axis] ** m for m, table in enumerate(span.table(highest))])
        found = {
            orders: self._summed([table[m] for table, m in zip(tables, orders, strict=True)])
            for orders in {self._orders(alpha) for terms in chosen.terms for alpha in terms}
        }
        jet = torch.stack([sum_over(terms, lambda alpha: found[self._orders(alpha)]) for terms in chosen.terms])
        return jet, ProductRecord(chosen, spans, tables)

    def _orders(self, alpha: tuple[int, ...]) -> Orders:
        return tuple(alpha.count(axis) for axis in range(self.inputs))

    def reverse(self, record: ProductRecord, adjoint: Tensor) -> tuple[Tensor, None]:
        """There is nothing before the layer: the adjoints (C, outputs, N) of its jets as they are."""
        return adjoint, None

    def rows(self, record: ProductRecord, adjoint: Tensor, out: Tensor) -> None:
        """Derivatives of every sample by every weight, into ``out`` (parameters, N)."""
        for number, block in enumerate(out.unflatten(0, self.weight.shape)):
            self._spread(record, self._by_orders(record, adjoint[:, number]), 0, block)

    def _by_orders(self, record: ProductRecord, adjoint: Tensor) -> dict[Orders, Tensor]:
        """The adjoints (C, N) of one output by the derivatives that they belong to, those that are 0 at all points left out."""
        found: dict[Orders, Tensor] = {}
        for terms, outer in zip(record.chosen.terms, adjoint, strict=True):
            for alpha in terms if bool(outer.any()) else ():
                orders = self._orders(alpha)
                found[orders] = found[orders] + outer if orders in found else outer
        return found

    def _spread(self, record: ProductRecord, adjoints: Mapping[Orders, Tensor], axis: int, out: Tensor) -> None:
        """The sum over derivatives of adjoint times products of the functions from ``axis`` on, into ``out`` (K_axis, ..., K_d, N)."""
        out.zero_()
        for order, rest in _by_first(adjoints).items():
            table = record.tables[axis][order]
            if axis == self.inputs - 1:
                out.addcmul_(table, rest[()])
                continue
            inner = out.new_empty(out.shape[1:])
            self._spread(record, rest, axis + 1, inner)
            out.addcmul_(table.view(len(table), *(1,) * (inner.ndim - 1), -1), inner)

    def gradient(self, record: ProductRecord, adjoint: Tensor) -> Tensor:
        """The sum of :meth:`rows` over the samples: (parameters,)."""
        parts = []
        for number in range(self.outputs):
            total = torch.zeros_like(self.weight[number])
            for order, rest in _by_first(self._by_orders(record, adjoint[:, number])).items():
                table = record.tables[0][order]
                if self.inputs == 1:
                    total += table @ rest[()]
                    continue
                inner = table.new_empty((*self.weight.shape[2:], table.shape[1]))
                self._spread(record, rest, 1, inner)
                total += torch.tensordot(table, inner.movedim(-1, 0), 1)
            parts.append(total.flatten())
        return torch.cat(parts)


def _by_first(adjoints: Mapping[Orders, Tensor]) -> dict[int, dict[Orders, Tensor]]:
    """By the order along the first coordinate, those by the orders along the others."""
    found: dict[int, dict[Orders, Tensor]] = {}
    for (first, *rest), adjoint in adjoints.items():
        found.setdefault(first, {})[tuple(rest)] = adjoint
    return found


class TensorKAN(Network):
    """All products of basis functions of the coordinates, ``TensorKAN(2, 1, basis=Chebyshev(30))``: 31 x 31 weights for every output.

    ``basis`` is one basis for all coordinates or a tuple with one for each. No input is squashed, so that a periodic basis makes the
    solution periodic. A linear equation is solved by ``GaussNewton()``; sooner, if there are thousands of weights, by
    ``LevenbergMarquardt(steps=3, damping=1e-20, acceleration=False)``, which goes without singular values; and of B-splines by
    ``SparseNewton()``.

    Source: the tensor products of spectral methods (Canuto, Hussaini, Quarteroni, Zang, Spectral Methods, 2006, section 2.2).
    """

    def __init__(
        self, inputs: int, outputs: int, *, basis: Basis | Sequence[Basis], seed: int = 0, dtype: torch.dtype = torch.float64
    ) -> None:
        whole_number(inputs, "the number of inputs of TensorKAN")
        whole_number(outputs, "the number of outputs of TensorKAN")
        self.bases = one_for_each(basis, inputs, "TensorKAN")
        self.basis: Basis | tuple[Basis, ...] = self.bases[0] if len(set(self.bases)) == 1 else self.bases
        generator = torch.Generator().manual_seed(seed)
        super().__init__([Products(self.bases, outputs, generator=generator, dtype=dtype)], inputs, dtype, seed)

    def settings(self) -> dict[str, Any]:
        return {"widths": (self.inputs, self.outputs), "basis": self.basis}

    @property
    def resolution(self) -> int:
        return max(basis.resolution for basis in self.bases)

    @property
    def quantiles(self) -> tuple[Any, ...]:
        return tuple(basis.quantile for basis in self.bases)

    def is_periodic(self, axis: int) -> bool:
        return self.bases[axis].periodic

    @torch.no_grad()
    def refined(self, resolution: int) -> Self:
        """The same function in finer bases, exactly; coordinates that are finer already, or have no resolution, stay."""
        finer = refined_bases(self.bases, resolution, self)
        other = self.remade(basis=tuple(finer) if isinstance(self.basis, tuple) else finer[0])
        (old,), (new,) = self.layers, other.layers
        assert isinstance(old, Products) and isinstance(new, Products)
        weight = old.weight.detach()
        for axis, (mine, its) in enumerate(zip(self.bases, finer, strict=True)):
            matrix = torch.from_numpy(np.ascontiguousarray(mine.embedding(its))).to(weight)
            weight = torch.tensordot(matrix, weight.movedim(axis + 1, 0), 1).movedim(0, axis + 1)
        new.weight.copy_(weight)
        return other
