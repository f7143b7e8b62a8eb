"""One layer of a Kolmogorov-Arnold network, whose jets, and the reverse of their jets, are written out.

A layer is an ordinary module on tensors of shape (..., width). For equations it offers three more methods on jets
(:mod:`kanpde.jets`), points last: ``start`` or ``propagate`` forward, ``reverse`` for the adjoint, and ``rows`` for the
derivatives of every sample by every number, which is the Jacobian without any further differentiation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from kanpde.bases import Span
from kanpde.jets import Channels, Memory, multiply, multiply_reverse, spread
from kanpde.wiring import Wiring


@dataclass
class Record:
    """What a layer keeps of a forward pass for its reverse; its memory is used again when it is passed back in."""

    chosen: Channels
    memory: Memory
    z: Tensor  # (inputs, N)
    span: Span | None = None  # the basis and its derivatives at the inputs
    rates: list[Tensor] | None = None  # by which derivatives 0, 1, ... of the basis are multiplied, (inputs,) each; None for 1
    linear: Tensor | None = None  # (C, linear outputs, N)
    scale: Tensor | None = None  # (inputs,), of the first layer
    jet: Tensor | None = None  # (C, inputs, N); None in the first layer
    bell: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    edges: list[Tensor] = field(default_factory=list)  # derivatives 1, 2, ... of the edge functions: (inputs, linear outputs, N) each
    mixed: list[Tensor] = field(default_factory=list)  # the adjoints of these, alike
    table: list[Tensor] | None = None  # derivatives 0, 1, ... of the basis, once they are asked for
    symbols: Tensor | None = None  # derivatives 0, 1, ... of the primitives, (orders, S, N)

    def derivatives(self, order: int) -> list[Tensor]:
        """Derivatives 0 ... ``order`` of the basis by z, (K, inputs, N) each, computed once."""
        assert self.span is not None
        if self.table is None:
            functions = self.span.generators(0)
            out = None if self.span.matrices is None else self.memory.take("table", functions, order, *functions.shape)
            table = self.span.table(order, out)
            self.table = [self.rated(each, m) for m, each in enumerate(table)]
        return self.table

    def rated(self, table: Tensor, m: int) -> Tensor:
        """Derivative ``m`` of the basis (K, inputs, N) by z rather than by what entered the basis."""
        return table if self.rates is None or m == 0 else table * self.rates[m][:, None]


class Layer(Wiring):
    """One layer of a KAN as an ordinary module, ``KANLayer(2, 5, basis=BSpline(3, 5))``: (..., inputs) -> (..., outputs).

    ``width`` is a number of sum nodes, a pair (sum nodes, product nodes of two factors each) or (sum nodes, [factors of each product]).
    Every edge is a function of tanh(input) with ``entry="tanh"``, of the input itself, for which [-1, 1] is the grid, with
    ``entry="range"``. ``seed`` draws the weights by the rule ``init``. Numbers are float64 unless ``dtype=torch.float32`` is given, as
    beside ``nn.Linear``. All else is told of in :class:`~kanpde.wiring.Wiring`, what the layer consists of; here are its jets, which run
    without autograd.
    """

    def _record(self, z: Tensor, orders: int, chosen: Channels, old: Record | None) -> Record:
        """The basis at the inputs with derivatives up to ``orders``, and the primitives with one more."""
        record = Record(chosen, Memory() if old is None else old.memory, z)
        if self.basis is not None:
            squash = self.entry == "tanh"
            reuse = None if old is None else old.span
            record.span = self.basis.span(z if squash else self.entered(z), orders, squash=squash, reuse=reuse)
            record.rates = [self._rate[:, 0] ** m for m in range(orders + 1)] if self.shifted else None
        if self.grouped is not None:
            assert self.constants is not None
            record.symbols = self.grouped.table(self.constants, z, orders + 1)
        return record

    def start(self, z: Tensor, scale: Tensor, chosen: Channels, record: Record | None) -> tuple[Tensor, Record]:
        """Jets of the outputs at the coordinates ``z`` (inputs, N), which change by ``scale`` (inputs,) per unit of the user's.

        Coordinates have but one derivative, so the only nonzero derivatives of an edge are those by its own input.
        """
        if self.entry == "tanh":
            jet = z.new_zeros((len(chosen), *z.shape))
            jet[0] = z
            for coordinate, pure in chosen.pure.items():
                jet[pure[0][0], coordinate] = scale[coordinate]
            return self.propagate(jet, chosen, record)
        record = self._record(z, chosen.highest, chosen, record)
        record.scale, span, begun = scale, record.span, set()
        linear = record.memory.rows("linear", z, len(chosen), self.linear, z.shape[1])
        linear[0] = self._values(record, linear[0])
        for coordinate, pure in chosen.pure.items() if span is not None else ():
            for row, order in pure:
                rate = scale[coordinate] if record.rates is None else scale[coordinate] * record.rates[1][coordinate]
                weight = span.combined(self.weight[:, :, coordinate] * rate**order, order)  # type: ignore[union-attr]
                generators, total = span.generators(order)[:, coordinate], linear[row]  # type: ignore[union-attr]
                if total is not None and row in begun:
                    total.addmm_(weight, generators)
                else:
                    linear[row] = torch.mm(weight, generators, out=total)
                begun.add(row)
        for row, total in enumerate(linear[1:], 1):
            if row not in begun and total is not None:
                total.zero_()
        record.linear = record.memory.joined("linear", linear)
        if self.grouped is not None:
            assert self.constants is not None and record.symbols is not None
            for number, (i, o) in enumerate(zip(self.grouped.inputs, self.grouped.outputs, strict=True)):
                a, _, c = self.constants[number].unbind()
                for row, order in chosen.pure.get(i, ()):
                    record.linear[row, o] += c * (a * scale[i]) ** order * record.symbols[order, number]
        return self._nodes(record), record

    def propagate(self, jet: Tensor, chosen: Channels, record: Record | None) -> tuple[Tensor, Record]:
        """Jets of the outputs from the jets of the inputs: (C, inputs, N) -> (C, outputs, N).

        With e_{o,i} the edge functions, D^alpha output_o = sum_i sum_m e_{o,i}^(m)(z_i) B_{alpha,m}(z_i).
        """
        orders = chosen.order + 1  # one more for the reverse
        record = self._record(jet[0], orders, chosen, record)
        record.jet, record.bell = jet, chosen.bell_values(jet)
        record.edges = [self.slopes(record, m) for m in range(1, orders)]
        linear = record.memory.rows("linear", jet, len(chosen), self.linear, jet.shape[2])
        linear[0] = self._values(record, linear[0])
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

    def _values(self, record: Record, out: Tensor | None) -> Tensor:
        """The linear outputs alone, (linear outputs, N)."""
        if record.span is not None:
            linear = torch.mm(self.weight.flatten(1), record.span.generators(0).flatten(0, 1), out=out)
        else:
            linear = record.z.new_zeros((self.linear, record.z.shape[1])) if out is None else out.zero_()
        if self.grouped is not None:
            assert self.constants is not None and record.symbols is not None
            self.grouped.add_to_outputs(linear, self.grouped.slopes(self.constants, record.symbols, 0))
        return linear if self.bias is None else linear.add_(self.bias[:, None])

    def slopes(self, record: Record, m: int) -> Tensor:
        """Derivative ``m`` >= 1 of every edge function at its input: (inputs, linear outputs, N)."""
        shape, span = (self.inputs, self.linear, record.z.shape[1]), record.span
        out = record.memory.take(f"edges {m}", record.z, *shape)
        if span is not None:
            weight = span.combined(self.weight.permute(2, 0, 1), m)
            weight = weight if record.rates is None else weight * record.rates[m][:, None, None]
            found = torch.bmm(weight, span.generators(m).transpose(0, 1), out=out)
        else:
            found = record.z.new_zeros(shape) if out is None else out.zero_()
        if self.grouped is not None:
            assert self.constants is not None and record.symbols is not None
            self.grouped.add_to_edges(found, self.grouped.slopes(self.constants, record.symbols, m))
        return found

    def _nodes(self, record: Record) -> Tensor:
        linear = record.linear
        assert linear is not None
        if not self.arities:
            return linear
        nodes = linear.new_empty((len(linear), self.outputs, linear.shape[2]))
        nodes[:, : self.sums] = linear[:, : self.sums]
        for where, places in self.alike:
            value = linear[:, places[0]]
            for place in places[1:]:
                value = multiply(value, linear[:, place], record.chosen)
            nodes[:, where] = value
        return nodes

    def reverse(self, record: Record, adjoint: Tensor) -> tuple[Tensor, Tensor | None]:
        """Adjoints (C, outputs, N) -> adjoints of the linear outputs, and of the input jets (None in the first layer)."""
        chosen = record.chosen
        if self.arities:
            adjoint = self._factors_reverse(record, adjoint)
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

    def _factors_reverse(self, record: Record, adjoint: Tensor) -> Tensor:
        """Adjoints of the outputs -> adjoints of the linear outputs, by the product rule."""
        linear = record.linear
        assert linear is not None
        found = torch.empty_like(linear)
        found[:, : self.sums] = adjoint[:, : self.sums]
        for where, places in self.alike:
            for number, place in enumerate(places):
                part = adjoint[:, where]
                for other in (*places[:number], *places[number + 1 :]):
                    part = multiply_reverse(linear[:, other], record.chosen, part)
                found[:, place] = part
        return found

    def rows(self, record: Record, adjoint: Tensor, out: Tensor) -> None:
        """Derivatives of every sample by every number, into ``out`` (numbers, N), in the order of ``parameters()``, given the linear
        outputs' adjoint.

        After :meth:`reverse`, whose sums over partial derivatives it uses.
        """
        mixed, scale, start = record.mixed, record.scale, 0
        if self.grouped is not None:
            start = 3 * len(self.symbols)
            out[:start] = self._constant_slopes(record, adjoint).flatten(0, 1)
        if self.bias is not None:
            out[len(out) - self.linear :] = adjoint[0]
        if record.span is None:
            return
        block = out[start : start + self.weight.numel()].unflatten(0, self.weight.shape)
        if scale is None:
            table = record.derivatives(len(mixed))
            factors = zip(block.unbind(0), adjoint[0].unbind(0), *(each.unbind(1) for each in mixed), strict=True)
            for edges, first, *others in factors:  # one output at a time stays in the cache
                torch.mul(first, table[0], out=edges)
                for other, slopes in zip(others, table[1:], strict=True):
                    edges.addcmul_(other, slopes)
        else:
            table = record.derivatives(record.chosen.highest)
            for coordinate in range(self.inputs):
                edges = block[:, :, coordinate]
                torch.mul(adjoint[0][:, None], table[0][:, coordinate], out=edges)
                for row, order in record.chosen.pure.get(coordinate, ()):
                    edges.addcmul_((adjoint[row] * scale[coordinate] ** order)[:, None], table[order][:, coordinate])

    def gradient(self, record: Record, adjoint: Tensor) -> Tensor:
        """The sum of :meth:`rows` over the samples: (numbers,)."""
        span, scale = record.span, record.scale
        parts = [] if self.grouped is None else [self._constant_slopes(record, adjoint).sum(2).flatten()]
        if span is not None:
            weight = (adjoint[0] @ span.generators(0).flatten(0, 1).T).view(self.weight.shape)
            for m, each in enumerate(record.mixed, 1):
                slopes = span.gathered(torch.bmm(each, span.generators(m).permute(1, 2, 0)), m)
                slopes = slopes if record.rates is None else slopes * record.rates[m][:, None, None]
                weight += slopes.permute(1, 2, 0)
            for coordinate, pure in record.chosen.pure.items() if scale is not None else ():
                rate = scale[coordinate] if record.rates is None else scale[coordinate] * record.rates[1][coordinate]  # type: ignore[index]
                for row, order in pure:
                    slopes = adjoint[row] @ span.generators(order)[:, coordinate].T
                    weight[:, :, coordinate] += span.gathered(slopes, order) * rate**order
            parts.append(weight.flatten())
        return torch.cat([*parts, adjoint[0].sum(1)] if self.bias is not None else parts or [adjoint.new_zeros(0)])

    def _constant_slopes(self, record: Record, adjoint: Tensor) -> Tensor:
        """Derivatives of every sample by the constants of the symbolic terms: (S, 3, N)."""
        grouped, table, constants = self.grouped, record.symbols, self.constants
        assert grouped is not None and table is not None and constants is not None
        mixed: Sequence[Tensor] = [grouped.of_edges(each) for each in record.mixed]
        if record.scale is not None:
            mixed = grouped.of_coordinates(adjoint, record.scale, record.chosen)
        return grouped.constant_slopes(constants, table, record.z, adjoint[0][grouped.outputs], mixed)


def _over_outputs(edges: Tensor) -> Tensor:
    """The sum over the outputs of (inputs, outputs, N)."""
    return edges.sum(1) if edges.shape[1] > 1 else edges[:, 0]
