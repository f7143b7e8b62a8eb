"""Networks as chains of edges: what every layer's edges, nodes and products do with some points.

A separable KAN is the two layers that it is: factors with product nodes, in which every edge but one a factor is missing, then their sums.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.network import checked_points
from kanpde.separable import Factors, SeparableKAN

AT_ONCE = 2**22  # values of edges that are held at a time


class Stage:
    """A layer of ``sums`` sum nodes and product nodes of ``arities`` linear outputs each, as its edges.

    ``there`` (linear, inputs) says which edges it has.
    """

    sums: int
    arities: tuple[int, ...]
    there: Tensor

    def edges(self, z: Tensor) -> Tensor:
        """What every edge makes of the layer's inputs, (inputs, N) -> (linear, inputs, N); 0 where there is none."""
        raise NotImplementedError

    def linear(self, edges: Tensor) -> Tensor:
        """The linear outputs (linear, N), from what the edges are."""
        return edges.sum(1)

    def values(self, z: Tensor) -> Tensor:
        """The linear outputs alone: (inputs, N) -> (linear, N)."""
        return self.linear(self.edges(z))

    def outside(self, z: Tensor) -> Tensor:
        """How many of the points lie where the basis is continued, by input: (inputs,)."""
        return torch.zeros(len(z), dtype=torch.int64)

    def support(self, output: int, number: int) -> tuple[float, float]:
        """The interval of input ``number`` on which an edge from it is defined without continuation."""
        return (-np.inf, np.inf)

    def symbols(self, stretch: Tensor, start: Tensor) -> np.ndarray:
        """Formulas of edges as texts (linear, inputs), "" where they are numeric; input i of the layer is stretch[i] x + start[i]."""
        return np.full(tuple(self.there.shape), "")

    def nodes(self, linear: Tensor) -> Tensor:
        """(linear, N) -> (outputs, N)."""
        factors = linear[self.sums :].split(list(self.arities))
        return torch.cat([linear[: self.sums], *(each.prod(0, keepdim=True) for each in factors)])


class LayerStage(Stage):
    """A layer of a KAN: splines, symbolic terms, biases."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.sums, self.arities, self.there = layer, layer.sums, layer.arities, layer.edges

    def edges(self, z: Tensor) -> Tensor:
        return self.layer.edge_values(z)

    def linear(self, edges: Tensor) -> Tensor:
        found = edges.sum(1)
        return found if self.layer.bias is None else found + self.layer.bias[:, None]

    def values(self, z: Tensor) -> Tensor:
        return self.layer.linear_columns(z)

    def outside(self, z: Tensor) -> Tensor:
        if self.layer.entry == "tanh" or self.layer.basis is None:
            return super().outside(z)
        count = _beyond(self.layer.entered(z))
        return torch.where(self.layer.present.any(0).cpu(), count, 0)  # symbolic terms have no grid

    def support(self, output: int, number: int) -> tuple[float, float]:
        if self.layer.entry == "tanh" or not self.layer.present[output, number]:
            return super().support(output, number)
        return float(self.layer.low[number]), float(self.layer.high[number])

    def symbols(self, stretch: Tensor, start: Tensor) -> np.ndarray:
        texts = super().symbols(stretch, start).astype(object)
        constants: list[list[float]] = [] if self.layer.constants is None else self.layer.constants.tolist()
        for symbol, (a, b, c) in zip(self.layer.symbols, constants, strict=True):
            o, i = symbol.output, symbol.input
            term = term_text(symbol.primitive.name, a * float(stretch[i]), b + a * float(start[i]), c)
            texts[o, i] = f"{texts[o, i]} + {term}".replace("+ -", "- ") if texts[o, i] else term
        mixed = self.layer.present.cpu().numpy() & (texts != "")
        return np.where(mixed, texts + " + spline", texts).astype(str)


class FactorStage(Stage):
    """The factors of a separable KAN: outputs x rank product nodes, each of one factor a coordinate."""

    def __init__(self, layer: Factors) -> None:
        self.layer, self.sums = layer, 0
        self.arities = (layer.inputs,) * (layer.outputs * layer.rank)
        self.there = torch.eye(layer.inputs, dtype=torch.bool).repeat(len(self.arities), 1)

    def edges(self, z: Tensor) -> Tensor:
        d = self.layer.inputs
        found = z.new_zeros(len(self.arities), d, d, z.shape[1])
        for axis, (basis, weight) in enumerate(zip(self.layer.bases, self.layer.weights, strict=True)):
            found[:, axis, axis] = weight.flatten(0, 1) @ basis.values(z[axis])
        return found.flatten(0, 1)

    def outside(self, z: Tensor) -> Tensor:
        return _beyond(z)

    def support(self, output: int, number: int) -> tuple[float, float]:
        return (-1.0, 1.0)


class TermStage(Stage):
    """The sums of a separable KAN: every output adds its own terms."""

    def __init__(self, layer: Factors) -> None:
        self.sums, self.arities = layer.outputs, ()
        self.there = torch.eye(layer.outputs, dtype=torch.bool).repeat_interleave(layer.rank, 1)

    def edges(self, z: Tensor) -> Tensor:
        return torch.where(self.there.to(z.device)[:, :, None], z, 0.0)


def term_text(name: str, a: float, b: float, c: float) -> str:
    """c f(a x + b) as a text of four digits: "1.5 sin(2 x + 0.1)", "-(x - 1)^2", "3 x + 1"."""
    if name == "x":
        return _linear_text(c * a, c * b)
    inner = _linear_text(a, b)
    part = inner if inner == "x" else f"({inner})"
    value = re.sub(r"\bx\b", part, name) if re.search(r"\bx\b", name) else f"{name}({inner})"  # "x^2", "sin"
    return {"1": "", "-1": "-"}.get(f"{c:.4g}", f"{c:.4g} ") + value


def _linear_text(a: float, b: float) -> str:
    """a x + b, without what is no more than rounding."""
    slope = {"1": "x", "-1": "-x"}.get(f"{a:.4g}", f"{a:.4g} x")
    return slope if abs(b) <= 1e-12 * max(abs(a), 1.0) else f"{slope} {'-' if b < 0 else '+'} {abs(b):.4g}"


def _beyond(z: Tensor) -> Tensor:
    """How often each row of z leaves [-1, 1] by more than rounding."""
    return (z.abs() > 1 + 16 * torch.finfo(z.dtype).eps).sum(1).cpu()


@dataclass(frozen=True)
class Visit:
    """One layer and what points (N) do in it; ``z`` (inputs, N) are its inputs, which are stretch x + start of what users see as x."""

    stage: Stage
    z: Tensor
    linear: Tensor  # (linear, N)
    nodes: Tensor  # (outputs, N)
    mean: Tensor  # (linear, inputs): of every edge over the points, 0 where there is none
    spread: Tensor  # (linear, inputs): its standard deviation
    stretch: Tensor  # (inputs,)
    start: Tensor  # (inputs,)

    def seen(self, z: Tensor) -> Tensor:
        """Inputs (inputs, S) as users see them: coordinates in the first layer, node values behind it."""
        return (z - self.start[:, None]) / self.stretch[:, None]


def stages_of(network: Any) -> list[Stage]:
    """The layers of a network of edges; ``TypeError`` for any other."""
    if isinstance(network, SeparableKAN):
        (factors,) = network.layers
        assert isinstance(factors, Factors)
        return [FactorStage(factors), TermStage(factors)]
    if isinstance(network, KAN):
        return [LayerStage(layer) for layer in network.layers]  # type: ignore[arg-type]
    hint = f": this is a {type(network).__name__}, take its .network" if hasattr(network, "network") else ""
    raise TypeError(f"only a KAN or a SeparableKAN has edges to look at, got {network!r:.80}{hint}")


@torch.no_grad()
def visits(network: Any, points: Any) -> Iterator[Visit]:
    """What the points (N, inputs) do in each layer, from the first to the last."""
    stages, points = stages_of(network), checked_points(network, points)
    z, (lower, upper) = network.normalised(points), network.input_ranges
    half = 0.5 * (upper - lower)
    stretch, start = 1 / half, -0.5 * (upper + lower) / half
    for stage in stages:
        parts, spread = [], Moments()
        for piece in z.split(max(1, AT_ONCE // stage.there.numel()), 1):
            edges = stage.edges(piece)
            parts.append(stage.linear(edges))
            spread.add(edges)
        linear = torch.cat(parts, 1)
        nodes = stage.nodes(linear)
        yield Visit(stage, z, linear, nodes, spread.mean, spread.deviation, stretch, start)
        z, stretch, start = nodes, torch.ones_like(nodes[:, 0]), torch.zeros_like(nodes[:, 0])


class Moments:
    """Standard deviations along the last axis of tensors that come in pieces.

    Source: Chan, Golub and LeVeque, Am. Stat. 37, 242 (1983).
    """

    def __init__(self) -> None:
        self.count, self.mean, self.square = 0, torch.zeros(()), torch.zeros(())

    def add(self, values: Tensor) -> None:
        """Another piece (..., n)."""
        n, mean = values.shape[-1], values.mean(-1)
        square = ((values - mean[..., None]) ** 2).sum(-1)
        if self.count:
            total, step = self.count + n, mean - self.mean
            square = self.square + square + step**2 * (self.count * n / total)
            mean = self.mean + step * (n / total)
        self.count, self.mean, self.square = self.count + n, mean, square

    @property
    def deviation(self) -> Tensor:
        """The standard deviation of all (...), not that of a sample: divided by their number."""
        return (self.square / self.count).sqrt()


def deviation(values: Tensor) -> Tensor:
    """The standard deviation of each row, 0 where it is no more than rounding of the values: (..., N) -> (...)."""
    found, size = values.std(-1, correction=0), values.abs().amax(-1)
    return torch.where(found > 64 * torch.finfo(values.dtype).eps * size, found, 0.0)


def output_number(network: Any, output: Any) -> int:
    """The number of an output, or an error."""
    if isinstance(output, bool) or not isinstance(output, int) or not 0 <= output < network.outputs:
        raise ValueError(f"output= is one of 0 to {network.outputs - 1}, the outputs of the network, or None for all, got {output!r}")
    return output


def named(names: Sequence[str] | None, count: int, letter: str) -> tuple[str, ...]:
    """The names that were given, or letters with numbers; ``ValueError`` if there are not as many as ``count``."""
    if names is None:
        return (letter,) if count == 1 else tuple(f"{letter}{number}" for number in range(1, count + 1))
    if isinstance(names, str) or len(names) != count:
        raise ValueError(f"{count} names are needed, as in {[f'{letter}{k}' for k in range(1, count + 1)][:3]}, got {names!r}")
    return tuple(map(str, names))
