"""Edges that become symbolic functions, and symbolic edges that become splines again."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.bases import Basis
from kanpde.editing.expansion import give_splines
from kanpde.editing.fitting import EdgeFit, edge_fits, explained, polished, shape_constants
from kanpde.editing.places import box_points, checked_edge, entering
from kanpde.editing.projection import basis_of, least_squares, nodes, values
from kanpde.editing.rewiring import add_symbols, drop_edges, drop_symbols, fold
from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.primitives import PRIMITIVES, Primitive, primitive
from kanpde.symbols import Symbol

LIKELY = 0.9  # of the variance of an edge: what explains less is no candidate, however simple
WEIGHT = 2  # of the logarithm of what is left, in units of complexity
ALIKE = 3  # decimal places of a score: less than that is rounding
BITS = 1e-5  # of the variance of an edge: what a fit leaves below that counts for nothing


@dataclass(frozen=True)
class Fixed:
    """A ``network`` with an edge fixed to c f(a z + b) + d, z the layer's input; its ``constants`` (a, b, c, d) and how well they fit."""

    network: KAN
    primitive: Primitive
    constants: tuple[float, float, float, float]
    r2: float


@dataclass(frozen=True)
class Released:
    """A ``network`` with a symbolic edge made of splines, and the ``error`` of these: RMS over the data, relative to the edge's spread."""

    network: KAN
    error: float


@dataclass(frozen=True)
class Proposal:
    """A fit of a primitive to an edge, with its ``score``: complexity in bits and log2 of the unexplained variance, the less the better."""

    primitive: Primitive
    constants: tuple[float, float, float, float]
    r2: float
    score: float


@torch.no_grad()
def fix(
    network: KAN,
    layer: int,
    output: int,
    input: int,
    function: str | Primitive | Callable[[Any], Any],
    points: Any = None,
    *,
    constants: tuple[float, float, float, float] | None = None,
) -> Fixed:
    """The network with one edge, splines and terms, replaced by c f(a z + b), and d added to the bias of its output.

    f is a name such as "sin", a function of :mod:`kanpde.functions`, a formula of one's own or a :class:`~kanpde.Primitive`. The
    constants are those that are nearest to the present edge over ``points`` (N, inputs), by default random ones of the network's box, and
    keep all z in the domain of f; or those that are given, in which case the edge need not exist. They can be trained afterwards;
    :func:`freeze` them if they should not be.

    Raises ``ValueError`` for an edge that does not exist or whose input does not vary, an unknown f, and one that is not defined there.
    """
    chosen = primitive(function)
    edge = checked_edge(network, layer, output, input, existing=constants is None)
    z = entering(network, box_points(network, points), layer)
    y = network.wires[layer].edge_values(z)[output, input]
    if constants is None:
        fits = edge_fits([chosen], z[input], y)
        if not fits:
            raise ValueError(
                f"{chosen.name} is defined on {chosen.domain}, which holds the edge's inputs, {float(z[input].min()):.4g} to "
                f"{float(z[input].max()):.4g}, with no a and b that were tried: choose another function"
            )
        found = polished(fits[0], z[input], y)
    else:
        found = _given(chosen, constants, z[input], y)
    other = network.edited()
    changed, (a, b, c, d) = other.wires[layer], found.constants
    drop_edges(changed, [edge])
    add_symbols(changed, [Symbol(*edge, chosen)], torch.tensor([[a, b, c]], dtype=torch.float64))
    offset = torch.zeros_like(changed.weight[:, 0, 0]) if changed.weight.shape[1] else changed.low.new_zeros(changed.linear)
    offset[output] = d
    fold(changed, offset)
    return Fixed(other, chosen, found.constants, found.r2)


@torch.no_grad()
def release(network: KAN, layer: int, output: int, input: int, *, basis: Basis | None = None, points: Any = None) -> Released:
    """The network with the symbolic terms of one edge replaced by splines, nearest to them by least squares over the range of the data.

    They are splines of the layer's basis, to which the edge's own, if it has some, are added. A layer without splines takes ``basis``. The
    data are ``points`` (N, inputs), by default random ones of the network's box.

    Raises ``ValueError`` for an edge without symbolic terms, and for a basis that is missing or is not that of the layer's other edges.
    """
    edge = checked_edge(network, layer, output, input)
    if not any((symbol.output, symbol.input) == edge for symbol in network.wires[layer].symbols):
        raise ValueError(f"the edge from input {input} to output {output} of layer {layer} has no symbolic term that could be released")
    other = network.edited()
    changed = other.wires[layer]
    z = entering(network, box_points(network, points), layer)
    own = changed.basis
    if basis is not None and own is not None and basis != own:
        if bool(changed.present.any()):
            raise ValueError(f"the edges of layer {layer} are functions of {own!r}, and another basis was given: leave basis out")
        own = None
    if own is None:
        if basis is None:
            raise ValueError(f"layer {layer} has no splines of which the edge could be made: give basis=BSpline(3, 5), say")
        give_splines(changed, basis, z, first=layer == 0)
    before = changed.edge_values(z)[output, input]
    weight = changed.weight.detach().clone()
    weight[output, :, input] += torch.from_numpy(_splines_of(changed, edge, z[input])).to(weight)
    present = changed.present.clone()
    present[edge] = True
    changed.put_splines(changed.basis, weight, present, changed.weight_held)
    drop_symbols(changed, [edge])
    left = changed.edge_values(z)[output, input] - before
    spread = float(before.std(correction=0)) or float(before.abs().max()) or 1.0
    return Released(other, float(left.square().mean().sqrt()) / spread)


@torch.no_grad()
def suggest(
    network: KAN,
    layer: int,
    output: int,
    input: int,
    points: Any = None,
    *,
    primitives: Iterable[str | Primitive | Callable[[Any], Any]] | None = None,
    most: int = 5,
    resolution: float = BITS,
) -> tuple[Proposal, ...]:
    """The primitives that an edge may be, best first, each with its constants: those that leave little unexplained and cost little.

    The score is complexity + shape + 2 log2(1 - R^2 + ``resolution``): two more units of complexity must halve the variance that is left,
    and so must two of the constants a and b (``shape``) for which c and d do not make up: both of sin, one of a power, of exp and of log,
    for a piece of a cosine can look like any parabola, and a little noise makes it look better. ``resolution`` is the part of the variance
    that the network itself gets wrong: give less for one that is right to more than three digits. Fits that explain less than nine tenths
    of the variance stand behind the others, by what they explain. What differs by rounding, as tanh(z) and 2 sigmoid(2 z) - 1, is in the
    order of the primitives.

    ``primitives`` are by default those of the table; ``points`` (N, inputs) by default random ones of the network's box.

    Raises ``ValueError`` for an edge that does not exist or whose input does not vary.
    """
    edge = checked_edge(network, layer, output, input)
    z = entering(network, box_points(network, points), layer)
    y = network.wires[layer].edge_values(z)[edge]
    chosen = PRIMITIVES.values() if primitives is None else [primitive(each) for each in primitives]
    fits = [each for each in edge_fits(list(chosen), z[input], y) if math.isfinite(each.r2)]
    rated = [Proposal(each.primitive, each.constants, each.r2, _score(each, resolution)) for each in fits]
    return tuple(sorted(rated, key=lambda each: (0, round(each.score, ALIKE)) if each.r2 >= LIKELY else (1, -each.r2))[:most])


def _score(fit: EdgeFit, resolution: float) -> float:
    return fit.primitive.complexity + shape_constants(fit.primitive) + WEIGHT * math.log2(max(1 - fit.r2, 0.0) + resolution)


def _given(chosen: Primitive, constants: tuple[float, float, float, float], z: Tensor, y: Tensor) -> EdgeFit:
    """The fit of constants that were given."""
    if len(constants) != 4 or not all(math.isfinite(each) for each in constants):
        raise ValueError(f"constants are four finite numbers a, b, c, d of c f(a z + b) + d, got {constants!r}")
    a, b, c, d = (float(each) for each in constants)
    u = a * z + b
    bad = int((~chosen.domain.inside(u)).sum())
    if bad:
        raise ValueError(f"{chosen.name}({a:g} z {b:+g}) is not defined at {bad} of the {len(z)} inputs of the edge: change a or b")
    return EdgeFit(chosen, (a, b, c, d), explained(c * chosen.values(u) + d, y))


def _splines_of(layer: Layer, edge: tuple[int, int], z: Tensor) -> np.ndarray:
    """The coefficients (K,) of the splines nearest to the symbolic terms of an edge."""
    output, input = edge
    assert layer.basis is not None and layer.constants is not None
    basis, data = basis_of(layer.basis, input), z.double().cpu().numpy()
    low, high = float(layer.low[input]), float(layer.high[input])
    squash = layer.entry == "tanh"
    entered = np.tanh(data) if squash else 2 * (data - low) / (high - low) - 1
    s = nodes(basis, entered)
    s = np.unique(np.concatenate([s[(s >= entered.min()) & (s <= entered.max())], entered[:: max(1, len(entered) // (4 * basis.size))]]))
    s = s[np.abs(s) < 1] if squash else s
    where = torch.from_numpy(np.arctanh(s) if squash else low + 0.5 * (s + 1) * (high - low))
    total = torch.zeros_like(where)
    for symbol, (a, b, c) in zip(layer.symbols, layer.constants.double().cpu(), strict=True):
        if (symbol.output, symbol.input) == edge:
            total += c * symbol.primitive.values(a * where + b)
    return least_squares(values(basis, s), total.numpy())
