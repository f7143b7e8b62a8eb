"""Networks made deeper and wider, and laws made trainable by random splines."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kanpde.arguments import one_of, real_number, whole_number
from kanpde.bases import Basis, Extended, PerInput
from kanpde.editing.places import box_points, checked_layer, checked_network, entering
from kanpde.editing.rewiring import factors_of, rewired
from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.primitives import primitive
from kanpde.symbols import Symbol

MARGIN = 0.05  # of the length of a range that is taken from data, on either side


@torch.no_grad()
def expand_depth(network: KAN, layers: int = 1, *, after: int | None = None, basis: Basis | None = None, points: Any = None) -> KAN:
    """The same function with ``layers`` more layers behind layer ``after``, by default at the end, which pass on what they get.

    Each consists of the edges x -> x, symbolic terms to the last bit, and of splines in ``basis`` on all edges, which start at zero and
    can be trained; by default in the basis of layer ``after``, or none if that has none. Where hidden layers have ranges, those of the new
    ones are taken from ``points`` (N, inputs), by default random ones of the network's box.

    Raises ``ValueError`` for a layer that does not exist and for a number of layers that is none.
    """
    last = len(checked_network(network).wires) - 1
    place = last if after is None else after
    before = checked_layer(network, place)
    basis = before.basis if basis is None else basis
    basis = basis.bases[0] if isinstance(basis, PerInput) else basis
    entry = network.wires[last].entry if last else "tanh"
    other, count, fresh = network.edited(), before.outputs, list[Layer]()
    z = entering(network, box_points(network, points), place)
    for _ in range(whole_number(layers, "the number of layers that expand_depth adds")):
        layer = Layer(count, count, basis=None, entry=entry, dtype=network.lower.dtype).to(network.lower.device)
        layer.put_symbols([Symbol(node, node, primitive("x")) for node in range(count)], torch.tensor([[1.0, 0.0, 1.0]] * count))
        if basis is not None:
            give_splines(layer, basis, before.columns(z), first=False)
            layer.put_splines(layer.basis, layer.weight, torch.ones_like(layer.present))
        fresh.append(layer)
    other.layers = torch.nn.ModuleList([*other.wires[: place + 1], *fresh, *other.wires[place + 1 :]])
    return other


@torch.no_grad()
def expand_width(
    network: KAN,
    layer: int,
    sums: int = 0,
    products: Sequence[int] = (),
    *,
    size: float = 1.0,
    seed: int = 0,
    basis: Basis | None = None,
    points: Any = None,
) -> KAN:
    """The same function with more nodes in a hidden layer: ``sums`` of them, and one product for each number of factors in ``products``.

    Edges into the new nodes are drawn by ``seed``, ``size`` times as large as those of a fresh network; edges out of them are zero, and can
    be trained. The new sums stand behind the old sums, the new products behind the old products. Layers without splines take those of
    ``basis``. Where the next layer has ranges, those of its new inputs are taken from ``points``, by default random ones of the box.

    Raises ``ValueError`` for a layer that does not exist or is the last, no nodes, and layers without splines where no basis is given.
    """
    wires, last = checked_layer(network, layer), len(network.wires) - 1
    if layer == last:
        raise ValueError(f"the nodes of layer {layer} are the outputs of the network: only hidden layers, 0 ... {last - 1}, can be widened")
    whole_number(sums, "the sum nodes that expand_width adds", least=0)
    arities = [whole_number(each, "the factors of a product node", least=2) for each in products]
    if not sums and not arities:
        raise ValueError("expand_width adds nodes: give sums=2, or products=[2, 3] for products of two and of three factors")
    other, points = network.edited(), box_points(network, points)
    after = other.wires[layer + 1]
    grown = rewired(wires, sums=[*range(wires.sums), *[None] * sums], products=[*factors_of(wires), *([None] * n for n in arities)])
    z = entering(network, points, layer)
    for number, each, inputs in ((layer, grown, z), (layer + 1, after, wires.columns(z))):
        if each.basis is None:
            if basis is None:
                raise ValueError(f"layer {number} has no splines, of which new edges could be made: give basis=BSpline(3, 5), say")
            give_splines(each, basis, inputs, first=number == 0)
    new = torch.zeros_like(grown.present)
    new[[*range(wires.sums, wires.sums + sums), *range(grown.linear - sum(arities), grown.linear)]] = True
    _sprinkle(grown, new, size, torch.Generator().manual_seed(seed))
    order: list[int | None] = [*range(wires.sums), *[None] * sums, *range(wires.sums, wires.outputs), *[None] * len(arities)]
    wider = rewired(after, inputs=order)
    fresh = torch.tensor([place is None for place in order], device=wider.low.device)
    if wider.entry == "range":
        low, high = range_of(grown.columns(z))
        wider.put_range(torch.where(fresh, low, wider.low), torch.where(fresh, high, wider.high))
    wider.put_splines(wider.basis, wider.weight, wider.present | fresh, wider.weight_held)
    other.layers[layer], other.layers[layer + 1] = grown, wider
    return other


@torch.no_grad()
def perturb(
    network: KAN, size: float = 0.1, mode: str = "existing", *, seed: int = 0, basis: Basis | None = None, points: Any = None
) -> KAN:
    """The network with random splines added to its edges, from where it can be trained: a law that is known but for a correction.

    ``mode`` says to which: "minimal" to those that have no splines yet, "existing" to all that exist, "all" to every edge that there
    could be. The splines are ``size`` times those of a fresh network, drawn by ``seed``; with ``size=0`` the function stays the same.
    Layers without splines take those of ``basis`` (by default the network's) on ranges of ``points``, by default random ones of the box.
    What is frozen stays as it is.

    Raises ``ValueError`` for another mode, a size that is negative, and a network without any basis where none is given.
    """
    one_of(mode, ("minimal", "existing", "all"), "perturb(mode=...)")
    real_number(size, "the size of a perturbation", least=0)
    other, generator = checked_network(network).edited(), torch.Generator().manual_seed(seed)
    z = network.normalised(box_points(network, points))
    basis = network.basis if basis is None else basis
    for number, layer in enumerate(other.wires):
        following = layer.columns(z)
        edges = {"minimal": layer.edges & ~layer.present, "existing": layer.edges, "all": torch.ones_like(layer.present)}[mode]
        if bool(edges.any()):
            if layer.basis is None:
                if basis is None:
                    raise ValueError("the network has no splines to perturb: give basis=BSpline(3, 5), say")
                give_splines(layer, basis.bases[0] if isinstance(basis, PerInput) else basis, z, first=number == 0)
            _sprinkle(layer, edges, size, generator)
        z = following
    return other


def range_of(z: Tensor) -> tuple[Tensor, Tensor]:
    """The ranges of data (inputs, N) with a margin, (inputs,) each; of length 2 for what does not vary."""
    least, most = z.min(1).values, z.max(1).values
    length = most - least
    reach = torch.where(length > 1e-12 * (least.abs() + most.abs() + 1e-12), MARGIN * length, torch.ones_like(length))
    return least - reach, most + reach


def give_splines(layer: Layer, basis: Basis, z: Tensor, *, first: bool) -> None:
    """Have a layer without splines be ready for some, on the range of its inputs z (inputs, N), or on the box; as yet without edges."""
    if not isinstance(basis, Basis):
        raise TypeError(f"basis must be a basis such as BSpline(3, 5), got {basis!r}")
    if first:
        layer.entry = "range"
    elif layer.entry == "range" or bool((z.abs() > 2).any()):  # tanh would not tell larger inputs apart
        layer.entry = "range"
        basis = basis if isinstance(basis, Extended) else Extended(basis, "linear")
        layer.put_range(*range_of(z))
    layer.put_splines(basis, layer.low.new_zeros(layer.linear, basis.size, layer.inputs), torch.zeros_like(layer.present))


def _sprinkle(layer: Layer, edges: Tensor, size: float, generator: torch.Generator) -> None:
    """Add random splines to edges, drawn as those of a fresh network and ``size`` times as large."""
    assert layer.basis is not None
    drawn = torch.randn(layer.weight.shape, generator=generator, dtype=torch.float64)
    drawn *= torch.from_numpy(layer.basis.decay())[:, None] * (size / math.sqrt(layer.inputs))
    added = drawn.to(layer.weight) * (edges & ~layer.weight_held)[:, None]
    layer.put_splines(layer.basis, layer.weight + added, layer.present | edges, layer.weight_held)
