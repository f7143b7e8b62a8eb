"""Separable KANs: sums of products of univariate functions, one factor a coordinate.

    u_o(x) = sum_{r=1}^{R} prod_i f_{o,r,i}(x_i),      f_{o,r,i} = sum_k weight_i[o, r, k] B_{i,k}

is a KAN with one layer of edges, product nodes and a sum, in which every product node sees every coordinate once: the canonical
(CP) form of low rank R. With R as large as the product of the basis sizes it could hold a full tensor of coefficients, which
is classical spectral collocation; it is the low rank that scales to many dimensions.

A partial derivative of a product of functions of different coordinates differentiates every factor by itself, so that jets
cost no more than values: D^alpha u = sum_r prod_i f_{r,i}^(alpha_i).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from kanpde.arguments import whole_number
from kanpde.bases import Basis, Mapped, Span
from kanpde.bases.chosen import constant_one, one_for_each, refined_bases
from kanpde.jets import Channels, is_tracing, sum_over
from kanpde.network import Network

NOISE = 0.2  # of the random part of initial factors, whose mean is 1: products of many random factors would be far apart in size


@dataclass
class FactorRecord:
    """What the layer keeps of a forward pass for its reverse."""

    chosen: Channels
    scale: Tensor  # (inputs,)
    spans: list[Span]  # by coordinate, at points (N,)
    factors: list[Tensor]  # by coordinate: (orders, outputs, rank, N), derivatives by the user's coordinate
    adjoints: list[dict[int, Tensor]]  # by coordinate and order: (outputs, rank, N), filled by the reverse


class Factors(nn.Module):
    """The one layer of a separable KAN; ``weights[i]`` has the shape (outputs, rank, K_i).

    Factors begin as one plus a small random function, scaled so that the sum of products is about one.
    """

    def __init__(self, bases: Sequence[Basis], outputs: int, rank: int, *, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.bases, self.inputs, self.outputs, self.rank = tuple(bases), len(bases), outputs, rank
        weights = []
        for basis in bases:
            random = torch.randn(outputs, rank, basis.size, generator=generator, dtype=torch.float64) * torch.from_numpy(basis.decay())
            random *= NOISE / math.sqrt(float((basis.decay() ** 2).sum()))
            weight = rank ** (-0.5 / self.inputs) * (torch.from_numpy(constant_one(basis)) + random)
            weights.append(nn.Parameter(weight.to(dtype)))
        self.weights = nn.ParameterList(weights)

    @property
    def linear_parameters(self) -> int:
        """How many parameters, the last ones, the outputs are linear in: the last coordinate's factors."""
        return self.weights[-1].numel()

    def columns(self, z: Tensor) -> Tensor:
        """(inputs, N) -> (outputs, N)."""
        product = None
        for basis, weight, x in zip(self.bases, self.weights, z, strict=True):
            factor = torch.tensordot(weight, basis.values(x), 1)
            product = factor if product is None else product * factor
        assert product is not None
        return product.sum(1)

    def start(self, z: Tensor, scale: Tensor, chosen: Channels, record: FactorRecord | None) -> tuple[Tensor, FactorRecord]:
        """Jets (C, outputs, N) of the outputs at the coordinates ``z`` (inputs, N), which change by ``scale`` per unit of the user's."""
        spans, factors = [], []
        for axis, (basis, weight) in enumerate(zip(self.bases, self.weights, strict=True)):
            highest = max(alpha.count(axis) for alpha in chosen.plain.indices)
            span = basis.span(z[axis].contiguous(), highest, reuse=record.spans[axis] if record else None)
            orders = [
                (span.combined(weight.flatten(0, 1), m) * scale[axis] ** m @ span.generators(m)).view(self.outputs, self.rank, -1)
                for m in range(highest + 1)
            ]
            spans.append(span)
            factors.append(torch.stack(orders))
        jet = torch.stack(
            [sum_over(terms, lambda a: self._product([f[a.count(i)] for i, f in enumerate(factors)]).sum(1)) for terms in chosen.terms]
        )
        return jet, FactorRecord(chosen, scale, spans, factors, [])

    @staticmethod
    def _product(factors: list[Tensor]) -> Tensor:
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return product

    def reverse(self, record: FactorRecord, adjoint: Tensor) -> tuple[Tensor, None]:
        """Adjoints of the outputs' jets -> adjoints of every factor's derivatives, kept in the record."""
        record.adjoints = [{} for _ in self.bases]
        for terms, outer in zip(record.chosen.terms, adjoint, strict=True):
            for alpha in terms if is_tracing() or bool(outer.any()) else ():
                orders = [alpha.count(axis) for axis in range(self.inputs)]
                for axis, others in enumerate(self._leaving_one_out([f[m] for f, m in zip(record.factors, orders, strict=True)])):
                    share = outer[:, None] if others is None else outer[:, None] * others
                    share = share.expand(self.outputs, self.rank, -1)
                    held = record.adjoints[axis].get(orders[axis])
                    record.adjoints[axis][orders[axis]] = share if held is None else held + share
        return adjoint, None

    @staticmethod
    def _leaving_one_out(factors: list[Tensor]) -> list[Tensor | None]:
        """For each factor the product of all others, None if there are none."""
        found: list[Tensor | None] = [None] * len(factors)
        before: Tensor | None = None
        for axis, factor in enumerate(factors):
            found[axis] = before
            before = factor if before is None else before * factor
        after: Tensor | None = None
        for axis in range(len(factors) - 1, -1, -1):
            held = found[axis]
            found[axis] = after if held is None else held if after is None else held * after
            after = factors[axis] if after is None else after * factors[axis]
        return found

    def rows(self, record: FactorRecord, adjoint: Tensor, out: Tensor) -> None:
        """Derivatives of every sample by every weight, into ``out`` (parameters, N); after :meth:`reverse`."""
        start = 0
        for axis, (weight, span) in enumerate(zip(self.weights, record.spans, strict=True)):
            block = out[start : start + weight.numel()].unflatten(0, weight.shape)
            start += weight.numel()
            block.zero_()
            adjoints = record.adjoints[axis]
            table = span.table(max(adjoints, default=0))
            for m, share in adjoints.items():
                block.addcmul_((share * record.scale[axis] ** m).unsqueeze(2), table[m])

    def gradient(self, record: FactorRecord, adjoint: Tensor) -> Tensor:
        """The sum of :meth:`rows` over the samples: (parameters,)."""
        parts = []
        for axis, (weight, span) in enumerate(zip(self.weights, record.spans, strict=True)):
            total = torch.zeros_like(weight)
            for m, share in record.adjoints[axis].items():
                sums = share.flatten(0, 1) @ span.generators(m).T
                total += (span.gathered(sums, m) * record.scale[axis] ** m).view_as(total)
            parts.append(total.flatten())
        return torch.cat(parts)


class SeparableKAN(Network):
    """Sums of ``rank`` products of univariate functions for every output, ``SeparableKAN(2, 1, rank=8, basis=Chebyshev(24))``.

    ``basis`` is one basis for all coordinates or a tuple with one for each, ``basis=(Fourier(8), Chebyshev(40))``. No input is squashed, so
    that a periodic basis makes the solution periodic.

    Source: Beylkin and Mohlenkamp, SIAM J. Sci. Comput. 26 (2005) 2133 (sums of separable functions).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        rank: int,
        basis: Basis | Sequence[Basis],
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        whole_number(inputs, "the number of inputs of SeparableKAN")
        whole_number(outputs, "the number of outputs of SeparableKAN")
        self.rank = whole_number(rank, "the rank of SeparableKAN")
        bases = one_for_each(basis, inputs, "SeparableKAN")
        self.bases = bases
        self.basis: Basis | tuple[Basis, ...] = bases[0] if len(set(bases)) == 1 else bases
        generator = torch.Generator().manual_seed(seed)
        super().__init__([Factors(bases, outputs, rank, generator=generator, dtype=dtype)], inputs, dtype, seed)

    def settings(self) -> dict[str, Any]:
        return {"widths": (self.inputs, self.outputs), "rank": self.rank, "basis": self.basis}

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
        other.assign_factors(self, {axis: b.embedding(f) for axis, (b, f) in enumerate(zip(self.bases, finer, strict=True))})
        return other

    @torch.no_grad()
    def assign_factors(self, other: "SeparableKAN", matrices: Mapping[int, np.ndarray]) -> None:
        """Take the coefficients of another network of the same rank, along some axes times a matrix (its size, other's size)."""
        for axis, (mine, its) in enumerate(zip(self.layers[0].weights, other.layers[0].weights, strict=True)):  # type: ignore[arg-type]
            matrix = matrices.get(axis)
            mine.copy_(its if matrix is None else its @ torch.from_numpy(np.ascontiguousarray(matrix.T)).to(its))

    @torch.no_grad()
    def moved(self, start: Tensor, step: Tensor) -> Tensor:
        """For two coordinates, the nearest sum of ``rank`` products to the function to which the step leads in the linear model.

        Factors that all but cancel, or are all but zero, make start + step useless: for W_0 = start, D_0 = step, and W_1, D_1 of the other
        coordinate, its second-order term D_0' D_1 is large wherever a small product has to turn, and damped steps are slow. The linear
        model knows nothing of that term; what it means are the coefficients, of rank 2 R,

            W_0' W_1 + D_0' W_1 + W_0' D_1 = U S V',    of which    W_0 = S^1/2 U',  W_1 = S^1/2 V'    keep the R largest S,

        so that the error that rank R leaves does not depend on how small the last product is. Products at the level of rounding keep a
        factor that does not vanish, without which the other could not grow again. Source: Vandereycken, SIAM J. Optim. 23 (2013) 1214 (the
        retraction on matrices of fixed rank); for more coordinates there is no such nearest sum, and a step is straight.
        """
        found = start + step
        if self.inputs != 2 or not bool(found.isfinite().all()):
            return found
        first, second = (weight.shape for weight in self.layers[0].weights)  # type: ignore[union-attr]
        middle, end = first.numel(), first.numel() + second.numel()
        w0, w1 = start[:middle].view(first), start[middle:end].view(second)
        d0, d1 = step[:middle].view(first), step[middle:end].view(second)
        kept = min(self.rank, first[-1], second[-1])
        for o in range(self.outputs):
            q0, r0 = torch.linalg.qr(torch.cat([w0[o], d0[o]]).T)
            q1, r1 = torch.linalg.qr(torch.cat([w1[o] + d1[o], w1[o]]).T)
            left, singular, right = torch.linalg.svd(r0 @ r1.T)
            left, singular, right = left[:, :kept], singular[:kept], right[:kept]
            root = singular.clamp(min=torch.finfo(singular.dtype).eps * float(singular[0])).sqrt()
            if not float(root[0]) > 0:
                continue
            found[:middle].view(first)[o] = 0.0
            found[middle:end].view(second)[o] = 0.0
            found[:middle].view(first)[o, :kept] = (q0 @ (left * root)).T
            found[middle:end].view(second)[o, :kept] = (singular / root)[:, None] * (right @ q1.T)
        return found

    def with_maps_of(self, other: "SeparableKAN") -> tuple[Basis, ...]:
        """This network's bases, behind the maps of the other's."""
        pairs = zip(self.bases, other.bases, strict=True)
        return tuple(Mapped(mine, its.map) if isinstance(its, Mapped) and not isinstance(mine, Mapped) else mine for mine, its in pairs)
