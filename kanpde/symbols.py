"""Symbolic edges: terms c f(a z + b) of a layer, f a primitive, with their derivatives by z and by their constants."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.jets import Channels
from kanpde.primitives import Primitive


@dataclass(frozen=True)
class Symbol:
    """One term c f(a z + b) of the edge from ``input`` to the linear output ``output``; its constants are the layer's."""

    output: int
    input: int
    primitive: Primitive


class Symbols:
    """The symbolic terms of one layer, in their order; ``constants`` (S, 3) holds a, b, c of each, z (inputs, N) is raw.

    Edges are numbered input * linear + output, as in arrays (inputs, linear, N).
    """

    def __init__(self, symbols: Sequence[Symbol], linear: int) -> None:
        self.linear = linear
        self.inputs, self.outputs = [s.input for s in symbols], [s.output for s in symbols]
        self.edges = [s.input * linear + s.output for s in symbols]
        self.groups: dict[Primitive, list[int]] = {}
        for number, symbol in enumerate(symbols):
            self.groups.setdefault(symbol.primitive, []).append(number)
        order = [number for group in self.groups.values() for number in group]
        self.places = sorted(range(len(order)), key=order.__getitem__)  # of each symbol among the groups

    def table(self, constants: Tensor, z: Tensor, order: int) -> Tensor:
        """f and its derivatives up to ``order`` at a z + b: (order + 1, S, N)."""
        a, b = constants[:, 0, None], constants[:, 1, None]
        u = a * z[self.inputs] + b
        if len(self.groups) == 1:
            return next(iter(self.groups)).table(u, order)
        found = [primitive.table(u[group], order) for primitive, group in self.groups.items()]
        return torch.cat(found, 1)[:, self.places]

    def values(self, constants: Tensor, z: Tensor) -> Tensor:
        """Every term, (S, N), in operations that autograd differentiates."""
        return constants[:, 2, None] * self.table(constants, z, 0)[0]

    def add_to_outputs(self, linear: Tensor, terms: Tensor) -> None:
        """Add terms (S, N) to the linear outputs (linear, N)."""
        linear.index_add_(0, torch.tensor(self.outputs, device=linear.device), terms)

    def add_to_edges(self, edges: Tensor, terms: Tensor) -> None:
        """Add terms (S, N) to edges (inputs, linear, N)."""
        edges.view(-1, edges.shape[2]).index_add_(0, torch.tensor(self.edges, device=edges.device), terms)

    def slopes(self, constants: Tensor, table: Tensor, m: int) -> Tensor:
        """Derivative ``m`` of every term by z: c a^m f^(m), (S, N)."""
        return (constants[:, 2] * constants[:, 0] ** m)[:, None] * table[m]

    def of_edges(self, edges: Tensor) -> Tensor:
        """The rows (S, N) of (inputs, linear, N) that belong to the terms."""
        return edges.view(-1, edges.shape[2])[self.edges]

    def of_coordinates(self, adjoint: Tensor, scale: Tensor, chosen: Channels) -> list[Tensor]:
        """Adjoints of derivatives 1, 2, ... of the terms, (S, N) each, where z are coordinates that change by ``scale`` a unit."""
        found = [torch.zeros_like(adjoint[0][self.outputs]) for _ in range(chosen.highest)]
        for number, (i, o) in enumerate(zip(self.inputs, self.outputs, strict=True)):
            for row, order in chosen.pure.get(i, ()):
                found[order - 1][number] += adjoint[row, o] * scale[i] ** order
        return found

    def constant_slopes(self, constants: Tensor, table: Tensor, z: Tensor, first: Tensor, mixed: Sequence[Tensor]) -> Tensor:
        """Derivatives by a, b and c, (S, 3, N), given the adjoints of value ``first`` and of derivatives 1, 2, ... ``mixed``, (S, N) each.

        With M_m these adjoints: dc = sum_m M_m a^m f^(m), db = c sum_m M_m a^m f^(m+1), da = c sum_m M_m (m a^(m-1) f^(m) + a^m z f^(m+1)).
        """
        a, c, place = constants[:, 0, None], constants[:, 2, None], z[self.inputs]
        by_c, by_b = first * table[0], first * table[1]
        by_a = place * by_b
        for m, each in enumerate(mixed, 1):
            weighted = each * a ** (m - 1)
            by_c = by_c + weighted * a * table[m]
            by_b = by_b + weighted * a * table[m + 1]
            by_a = by_a + weighted * (m * table[m] + a * place * table[m + 1])
        return torch.stack([c * by_a, c * by_b, by_c], 1)
