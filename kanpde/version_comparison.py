"""What differs between two versions of a network, in words and in numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.network import Network, checked_points
from kanpde.version_files import Version

POINTS = 1024
LISTED = 6  # edges in a line


@dataclass(frozen=True)
class Comparison:
    """Two versions side by side; ``str`` gives one line for each difference.

    ``changes`` are differences of shape, ``largest`` is the largest difference of the outputs, NaN for other numbers of inputs or outputs.
    """

    one: Version
    other: Version
    changes: tuple[str, ...]
    largest: float

    @property
    def same(self) -> bool:
        """Whether they are the same in shape and outputs."""
        return not self.changes and self.largest == 0

    def __str__(self) -> str:
        one, other = self.one, self.other
        lines = [f"{one.id} ({one.reason}) -> {other.id} ({other.reason})", *(f"  {change}" for change in self.changes)]
        for name, left, right in (("parameters", one.parameters, other.parameters), ("edges", one.edges, other.edges)):
            lines += [f"  {name}: {left} -> {right}"] if left != right else []
        if not math.isnan(one.error) or not math.isnan(other.error):
            kinds = f" ({one.measure})" if one.measure == other.measure else f" ({one.measure} -> {other.measure})"
            lines.append(f"  error: {one.error:.3g} -> {other.error:.3g}{kinds}")
        lines.append("  the outputs cannot be compared" if math.isnan(self.largest) else f"  outputs differ by at most {self.largest:.3g}")
        return "\n".join(lines)


def compared(one: Version, other: Version, left: Network, right: Network, points: Tensor | None = None) -> Comparison:
    """The comparison of two versions, given their networks; ``points`` (N, inputs) are by default Sobol's in the box of ``left``."""
    return Comparison(one, other, tuple(_shapes(left, right)), _largest(left, right, points))


def _largest(left: Network, right: Network, points: Tensor | None) -> float:
    if (left.inputs, left.outputs) != (right.inputs, right.outputs):
        return math.nan
    if points is None:
        shares = torch.quasirandom.SobolEngine(left.inputs).draw(POINTS, dtype=torch.float64)
        points = left.lower.double() + shares * (left.upper - left.lower).double()
    points = checked_points(left, points)
    with torch.no_grad():
        return float((left(points).double() - right(points.to(right.lower)).double()).abs().max())


def _shapes(left: Network, right: Network) -> list[str]:
    found = []
    if type(left) is not type(right):
        return [f"{left!r} -> {right!r}"]
    if isinstance(left, KAN) and isinstance(right, KAN):
        found += _wires(left, right)
    elif repr(left) != repr(right):
        found.append(f"{left!r} -> {right!r}")
    for name, one, other in (("dtype", left.lower.dtype, right.lower.dtype), ("box", _box(left), _box(right))):
        if one != other:
            found.append(f"{name}: {one} -> {other}")
    return found


def _box(network: Network) -> list[tuple[float, float]]:
    return list(zip(network.lower.tolist(), network.upper.tolist(), strict=True))


def _wires(left: KAN, right: KAN) -> list[str]:
    one, other = ([network.inputs, *(layer.width for layer in network.wires)] for network in (left, right))
    found = [f"widths: {one} -> {other}"] if one != other else []
    if len(left.wires) != len(right.wires):
        return found
    for number, (before, after) in enumerate(zip(left.wires, right.wires, strict=True)):
        where = f"layer {number}"
        for name, a, b in (("basis", before.basis, after.basis), ("entry", before.entry, after.entry)):
            if a != b:
                found.append(f"{where}: {name} {a!r} -> {b!r}")
        if (before.inputs, before.width) == (after.inputs, after.width):
            found += [f"{where}: {words}" for words in _edges(before, after)]
    return found


def _edges(before: Layer, after: Layer) -> list[str]:
    """Edges that came, went or carry other terms, and numbers that are held or not held any more."""
    old, new, found = _terms(before), _terms(after), []
    gone, come = [edge for edge in old if edge not in new], [edge for edge in new if edge not in old]
    for words, edges in (("without edges", gone), ("with new edges", come)):
        found += [f"{words} {_listed([f'{i}->{o}' for i, o in edges])}"] if edges else []
    changed = [f"{i}->{o} {old[i, o]} -> {new[i, o]}" for i, o in old if (i, o) in new and old[i, o] != new[i, o]]
    found += [f"edges {_listed(changed)}"] if changed else []
    held = [_held(layer) for layer in (before, after)]
    return found + ([f"numbers held: {held[0]} -> {held[1]}"] if held[0] != held[1] else [])


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:LISTED]) + (f" and {len(words) - LISTED} more" if len(words) > LISTED else "")


def _terms(layer: Layer) -> dict[tuple[int, int], str]:
    """By (input, linear output), what an edge consists of: ``spline``, ``sin``, ``spline + sin``."""
    found = {(i, o): ["spline"] for o, i in layer.present.nonzero().tolist()}
    for symbol in layer.symbols:
        found.setdefault((symbol.input, symbol.output), []).append(symbol.primitive.name)
    return {edge: " + ".join(words) for edge, words in sorted(found.items())}


def _held(layer: Layer) -> int:
    masks = [(layer.weight_held & layer.present).sum() * layer.weight.shape[1]]
    masks += [held.sum() for held in (layer.bias_held, layer.constants_held) if held is not None]
    return int(sum(int(mask) for mask in masks))
