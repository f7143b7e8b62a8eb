"""Kolmogorov-Arnold networks whose jets, and the reverse of their jets, are written out.

A layer maps node values z to features and then, by one matrix product, to outputs:

    features_{k,i} = B_k(squash(z_i)),      output_o = sum_{k,i} weight_{o,k,i} features_{k,i},

so that the edge from input i to output o carries the function sum_k weight_{o,k,i} B_k. Some outputs may be multiplied
together in groups: product nodes. The MLP twin is in :mod:`kanpde.mlp`.

Layers are ordinary modules on tensors of shape (..., width). For equations they offer three more methods on jets
(:mod:`kanpde.jets`), points last: ``start`` or ``propagate`` forward, ``reverse`` for the adjoint, and ``rows`` for the
derivatives of every sample by every weight, which is the Jacobian without any further differentiation.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from kanpde.bases import Basis, Span, whole_number
from kanpde.edgesums import edge_sums
from kanpde.jets import Channels, Memory, multiply, multiply_reverse, spread
from kanpde.network import Network, Quantile, checked_widths


@dataclass
class Record:
    """What a layer keeps of a forward pass for its reverse; its memory is used again when it is passed back in."""

    chosen: Channels
    span: Span  # the basis and its derivatives at the inputs
    memory: Memory
    linear: Tensor | None = None  # (C, linear outputs, N)
    scale: Tensor | None = None  # (inputs,), of the first layer
    jet: Tensor | None = None  # (C, inputs, N); None in the first layer
    bell: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    edges: list[Tensor] = field(default_factory=list)  # derivatives 1, 2, ... of the edge functions: (inputs, linear outputs, N) each
    mixed: list[Tensor] = field(default_factory=list)  # the adjoints of these, alike
    table: list[Tensor] | None = None  # derivatives 0, 1, ... of the basis, once they are asked for

    def derivatives(self, order: int) -> list[Tensor]:
        """Derivatives 0 ... ``order`` of the basis, (K, inputs, N) each, computed once."""
        if self.table is None:
            functions = self.span.generators(0)
            out = None if self.span.matrices is None else self.memory.take("table", functions, order, *functions.shape)
            self.table = self.span.table(order, out)
        return self.table


class Layer(nn.Module):
    """One layer of ``inputs`` nodes to ``sums`` sum nodes and ``products`` product nodes of ``arity`` factors each.

    ``weight`` has shape (sums + arity * products, K, inputs). With ``squash`` the edges are functions of tanh(input).
    """

    def __init__(
        self,
        inputs: int,
        sums: int,
        products: int,
        *,
        basis: Basis,
        squash: bool,
        arity: int,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.inputs, self.sums, self.products, self.arity = inputs, sums, products, arity
        self.basis, self.squash = basis, squash
        linear = sums + arity * products
        weight = torch.randn(linear, basis.size, inputs, generator=generator, dtype=torch.float64)
        weight *= torch.from_numpy(basis.decay())[:, None] / math.sqrt(inputs)
        self.weight = nn.Parameter(weight.to(dtype))

    @property
    def outputs(self) -> int:
        return self.sums + self.products

    @property
    def linear_parameters(self) -> int:
        """How many parameters, the last ones, the outputs are linear in: all, unless outputs are multiplied."""
        return 0 if self.products else self.weight.numel()

    def forward(self, z: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return self.columns(z.reshape(-1, self.inputs).T).T.reshape(*z.shape[:-1], self.outputs)

    def columns(self, z: Tensor) -> Tensor:
        """(inputs, N) -> (outputs, N): the points last, as in jets."""
        linear = edge_sums(self.basis, self.weight, torch.tanh(z) if self.squash else z)
        if not self.products:
            return linear
        factors = linear[self.sums :].unflatten(0, (self.products, self.arity))
        return torch.cat([linear[: self.sums], factors.prod(1)])

    # ---- jets: everything below runs without autograd ----

    def start(self, z: Tensor, scale: Tensor, chosen: Channels, record: Record | None) -> tuple[Tensor, Record]:
        """Jets of the outputs at the coordinates ``z`` (inputs, N), which change by ``scale`` (inputs,) per unit of the user's.

        Coordinates have but one derivative, so the only nonzero derivatives of an edge are those by its own input.
        """
        span = self.basis.span(z, chosen.highest, reuse=None if record is None else record.span)
        record = Record(chosen, span, Memory() if record is None else record.memory, scale=scale)
        linear = record.memory.rows("linear", z, len(chosen), self.weight.shape[0], z.shape[1])
        linear[0] = torch.mm(self.weight.flatten(1), span.generators(0).flatten(0, 1), out=linear[0])
        begun = set()
        for coordinate, pure in chosen.pure.items():
            for row, order in pure:
                weight = span.combined(self.weight[:, :, coordinate] * scale[coordinate] ** order, order)
                generators, total = span.generators(order)[:, coordinate], linear[row]
                if total is not None and row in begun:
                    total.addmm_(weight, generators)
                else:
                    linear[row] = torch.mm(weight, generators, out=total)
                begun.add(row)
        for row, total in enumerate(linear[1:], 1):
            if row not in begun and total is not None:
                total.zero_()
        record.linear = record.memory.joined("linear", linear)
        return self._nodes(record), record

    def propagate(self, jet: Tensor, chosen: Channels, record: Record | None) -> tuple[Tensor, Record]:
        """Jets of the outputs from the jets of the inputs: (C, inputs, N) -> (C, outputs, N).

        With e_{o,i} the edge functions, D^alpha output_o = sum_i sum_m e_{o,i}^(m)(z_i) B_{alpha,m}(z_i).
        """
        orders = chosen.order + 1  # one more for the reverse
        span = self.basis.span(jet[0], orders, squash=self.squash, reuse=None if record is None else record.span)
        record = Record(chosen, span, Memory() if record is None else record.memory, jet=jet, bell=chosen.bell_values(jet))
        record.edges = [self.slopes(record, m) for m in range(1, orders)]
        linear = record.memory.rows("linear", jet, len(chosen), self.weight.shape[0], jet.shape[2])
        linear[0] = torch.mm(self.weight.flatten(1), span.generators(0).flatten(0, 1), out=linear[0])
        for row, rule in enumerate(chosen.bell[1:], 1):
            total = None
            for m, _ in rule:
                bell, slopes = record.bell[row, m].unsqueeze(1), record.edges[m - 1]
                if total is None:
                    total = torch.mul(slopes, bell, out=record.memory.take("scratch", slopes, *slopes.shape))
                else:
                    total.addcmul_(slopes, bell)
            assert total is not None
            linear[row] = torch.sum(total, 0, out=linear[row])
        record.linear = record.memory.joined("linear", linear)
        return self._nodes(record), record

    def slopes(self, record: Record, m: int) -> Tensor:
        """Derivative ``m`` >= 1 of every edge function at its input: (inputs, linear outputs, N)."""
        weight, generators = record.span.combined(self.weight.permute(2, 0, 1), m), record.span.generators(m).transpose(0, 1)
        out = record.memory.take(f"edges {m}", weight, *weight.shape[:2], generators.shape[2])
        return torch.bmm(weight, generators, out=out)

    def _nodes(self, record: Record) -> Tensor:
        linear = record.linear
        assert linear is not None
        if not self.products:
            return linear
        factors = linear[:, self.sums :].unflatten(1, (self.products, self.arity))
        value = factors[:, :, 0]
        for number in range(1, self.arity):
            value = multiply(value, factors[:, :, number], record.chosen)
        return torch.cat([linear[:, : self.sums], value], 1)

    def reverse(self, record: Record, adjoint: Tensor) -> tuple[Tensor, Tensor | None]:
        """Adjoints (C, outputs, N) -> adjoints of the linear outputs, and of the input jets (None in the first layer)."""
        chosen = record.chosen
        if self.products:
            assert record.linear is not None
            factors = record.linear[:, self.sums :].unflatten(1, (self.products, self.arity))
            parts = []
            for number in range(self.arity):
                part = adjoint[:, self.sums :]
                for other in range(self.arity):
                    if other != number:
                        part = multiply_reverse(factors[:, :, other], chosen, part)
                parts.append(part)
            adjoint = torch.cat([adjoint[:, : self.sums], torch.stack(parts, 2).flatten(1, 2)], 1)
        if record.jet is None:
            return adjoint, None
        jet, memory, adjoints = record.jet, record.memory, adjoint.unbind(0)
        slopes, sums = [*record.edges, self.slopes(record, chosen.order + 1)], dict[int, Tensor]()
        inner = [row.zero_() if row is not None else torch.zeros_like(jet[0]) for row in memory.rows("inner", jet, *jet.shape)]
        scratch = memory.take("scratch", slopes[0], *slopes[0].shape)
        for row, rule in enumerate(chosen.bell[1:], 1):
            for m, terms in rule:
                bell = record.bell[row, m].unsqueeze(1)
                if m in sums:
                    sums[m].addcmul_(bell, adjoints[row])
                else:
                    sums[m] = torch.mul(bell, adjoints[row], out=memory.take(f"mixed {m}", bell, *slopes[0].shape))
                spread(terms, jet, _over_outputs(torch.mul(slopes[m - 1], adjoints[row], out=scratch)), inner)
        record.mixed = [sums[m] for m in range(1, chosen.order + 1)]
        total = torch.mul(slopes[0], adjoints[0], out=scratch)
        for slope, each in zip(slopes[1:], record.mixed, strict=True):
            total.addcmul_(slope, each)
        inner[0] += _over_outputs(total)
        return adjoint, memory.joined("inner", inner)

    def rows(self, record: Record, adjoint: Tensor, out: Tensor) -> None:
        """Derivatives of every sample by every parameter, into ``out`` (parameters, N), given the linear outputs' adjoint.

        After :meth:`reverse`, whose sums over partial derivatives it uses.
        """
        block, mixed, scale = out.unflatten(0, self.weight.shape), record.mixed, record.scale
        if record.jet is not None:
            table = record.derivatives(len(mixed))
            factors = zip(block.unbind(0), adjoint[0].unbind(0), *(each.unbind(1) for each in mixed), strict=True)
            for edges, first, *others in factors:  # one output at a time stays in the cache
                torch.mul(first, table[0], out=edges)
                for other, slopes in zip(others, table[1:], strict=True):
                    edges.addcmul_(other, slopes)
        else:
            assert scale is not None
            table = record.derivatives(record.chosen.highest)
            for coordinate in range(self.inputs):
                edges = block[:, :, coordinate]
                torch.mul(adjoint[0][:, None], table[0][:, coordinate], out=edges)
                for row, order in record.chosen.pure.get(coordinate, ()):
                    edges.addcmul_((adjoint[row] * scale[coordinate] ** order)[:, None], table[order][:, coordinate])

    def gradient(self, record: Record, adjoint: Tensor) -> Tensor:
        """The sum of :meth:`rows` over the samples: (parameters,)."""
        span, mixed, scale = record.span, record.mixed, record.scale
        weight = (adjoint[0] @ span.generators(0).flatten(0, 1).T).view(self.weight.shape)
        if record.jet is not None:
            for m, each in enumerate(mixed, 1):
                slopes = torch.bmm(each, span.generators(m).permute(1, 2, 0))
                weight += span.gathered(slopes, m).permute(1, 2, 0)
        else:
            assert scale is not None
            for coordinate, pure in record.chosen.pure.items():
                for row, order in pure:
                    slopes = adjoint[row] @ span.generators(order)[:, coordinate].T
                    weight[:, :, coordinate] += span.gathered(slopes, order) * scale[coordinate] ** order
        return weight.flatten()


def _over_outputs(edges: Tensor) -> Tensor:
    """The sum over the outputs of (inputs, outputs, N)."""
    return edges.sum(1) if edges.shape[1] > 1 else edges[:, 0]


class KAN(Network):
    """A Kolmogorov-Arnold network, ``KAN(2, 8, 1, basis=Chebyshev(degree=8))``.

    A width is a number of sum nodes or a pair (sum nodes, product nodes); a product node multiplies ``arity`` sums. Every edge of
    every layer carries a function of its own, a combination of the functions of ``basis``; behind the first layer that is a
    function of tanh of its input.

    Source: Liu et al., KAN: Kolmogorov-Arnold Networks, arXiv 2404.19756; product nodes: KAN 2.0, arXiv 2408.10205.
    """

    def __init__(
        self,
        *widths: int | tuple[int, int],
        basis: Basis,
        arity: int = 2,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        if not isinstance(basis, Basis):
            raise TypeError(f"basis must be a basis such as Chebyshev(degree=8), got {basis!r}")
        nodes = checked_widths(widths, "KAN", products=True)
        self.widths, self.basis, self.arity = widths, basis, whole_number(arity, "the arity of product nodes", least=2)
        generator = torch.Generator().manual_seed(seed)
        layers = [
            Layer(sum(before), sums, products, basis=basis, squash=number > 0, arity=arity, generator=generator, dtype=dtype)
            for number, (before, (sums, products)) in enumerate(pairwise(nodes))
        ]
        super().__init__(layers, nodes[0][0], dtype, seed)

    def settings(self) -> dict[str, Any]:
        arity = {"arity": self.arity} if self.arity != 2 else {}
        return {"widths": self.widths, "basis": self.basis, **arity}

    @property
    def quantiles(self) -> tuple[Quantile, ...]:
        return (self.basis.quantile,) * self.inputs

    @property
    def resolution(self) -> int:
        return self.basis.resolution

    @torch.no_grad()
    def refined(self, resolution: int) -> Self:
        """The same function in a finer basis, exactly; the new network shares nothing with this one."""
        other = self.remade(basis=self.basis.refined(resolution))
        matrix = torch.from_numpy(self.basis.embedding(other.basis)).to(self.lower)
        for mine, its in zip(self.layers, other.layers, strict=True):
            its.weight.copy_(torch.einsum("jk,oki->oji", matrix, mine.weight))  # type: ignore[union-attr]
        return other
