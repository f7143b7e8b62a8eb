"""Ranges and knots of hidden layers that follow the data which reach them, and the function kept as it is."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import real_number
from kanpde.bases import Basis, BSpline, Extended
from kanpde.editing.places import checked_layer, checked_network, sizes
from kanpde.editing.projection import basis_of, carried, data_breaks, joined_bases, kept_breaks, projected, spline_of, values
from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.network import checked_points

logger = logging.getLogger("kanpde")

FILLED = 0.75  # of its range: an input whose data fill as much, and stay inside, keeps it
FINEST = 8  # times as fine a basis as there was, before the edit is refused


@torch.no_grad()
def adapt_ranges(
    network: KAN,
    points: Any,
    *,
    margin: float = 0.05,
    knots: str | float = "kept",
    keep: str = "function",
    tolerance: float = 1e-6,
    layers: Sequence[int] | None = None,
) -> KAN:
    """A network whose hidden layers take their ranges [low, high] from the data that ``points`` (N, inputs) send there.

    It is the same function: every edge is projected onto the basis on its new range, by least squares over that whole range. On the points
    the outputs change by at most ``tolerance``, as root mean square over their standard deviation; where the basis cannot do that it is
    refined, at most to 8 times its resolution. Polynomials on a smaller range change by rounding only, and so do B-splines with
    ``knots="kept"``: their old breaks stay where they are, and where the range grows, more are put in. ``"uniform"`` makes the intervals
    equal on the new range; a number in [0, 1] is the part of the breaks that follows the quantiles of the data, as pykan's 1 - grid_eps.

    With ``keep="weights"`` the coefficients stay instead and the functions are stretched: for a network that is not trained yet.
    The range is that of the data and ``margin`` of its length on either side. Layers whose inputs enter through tanh have none.

    Raises ``ValueError`` for points that do not fit, if no layer (of ``layers``) has a range, or if the function would change by more.
    """
    points, chosen = checked_points(checked_network(network), points), _chosen(network, layers)
    rule = Adaptation(margin, knots, keep)
    if not (isinstance(tolerance, (int, float)) and tolerance > 0):
        raise ValueError(f"tolerance is how much the outputs may change relative to their size, a positive number, got {tolerance!r}")
    if keep == "weights":
        return rule.applied(network.edited(), points, chosen)
    old, factor = network.node_values(points)[-1], 1.0
    while True:
        other = rule.applied(network.edited(), points, chosen, factor)
        change = relative_change(other.node_values(points)[-1], old)
        if change <= tolerance:
            logger.info("ranges of layers %s adapted to %d points: the outputs change by %.3g", chosen, len(points), change)
            return other
        factor *= 1.5
        if factor > FINEST:
            shown = max(_resolution(other.wires[number]) for number in chosen)
            splines = any(
                basis is not None and spline_of(basis_of(basis, 0)) for basis in (network.wires[number].basis for number in chosen)
            )
            way = "allow more, keep the breaks (knots='kept')" if splines and knots != "kept" else "allow more"
            raise ValueError(
                f"with its ranges adapted the network would change by {change:.2g} of its size on the points, even at resolution {shown}, "
                f"and tolerance={tolerance:g} was asked: {way}, or keep='weights' and train again"
            )


@dataclass(frozen=True)
class Adaptation:
    """How ranges and knots follow the data; see :func:`adapt_ranges`."""

    margin: float = 0.05
    knots: str | float = "uniform"
    keep: str = "function"

    def __post_init__(self) -> None:
        if real_number(self.margin, "the margin of a range", least=0) > 10:
            raise ValueError(f"the margin of a range is a part of its length, such as 0.05, got {self.margin!r}")
        if self.keep not in ("function", "weights"):
            raise ValueError(f"adapting ranges can keep the 'function' or the 'weights', got {self.keep!r}")
        if isinstance(self.knots, str):
            if self.knots not in ("kept", "uniform"):
                raise ValueError(
                    f"knots are 'kept', 'uniform', or a number in [0, 1] that says how far they follow the data, got {self.knots!r}"
                )
        elif not 0 <= real_number(self.knots, "the part of the knots that follows the data") <= 1:
            raise ValueError(f"the part of the knots that follows the data lies in [0, 1], got {self.knots!r}")

    def applied(self, network: KAN, points: Tensor, layers: Sequence[int], finer: float = 1.0) -> KAN:
        """``network`` itself, changed layer by layer, with bases that are ``finer`` times as fine."""
        z = network.normalised(points)
        for number, layer in enumerate(network.wires):
            if number in layers:
                self.change(layer, z, finer)
            z = layer.columns(z)
        return network

    def change(self, layer: Layer, z: Tensor, finer: float = 1.0) -> None:
        """Give a layer the ranges, and knots, of its inputs z (inputs, N)."""
        data = z.detach().cpu().double().numpy()
        old_low, old_high = layer.low.cpu().double().numpy(), layer.high.cpu().double().numpy()
        low, high = self.ranges(data, old_low, old_high)
        if layer.basis is None:
            layer.put_range(torch.from_numpy(low), torch.from_numpy(high))
            return
        own = [basis_of(layer.basis, i) for i in range(layer.inputs)]
        inside = 2 * (data - low[:, None]) / (high - low)[:, None] - 1
        old, new = np.stack([old_low, old_high], 1), np.stack([low, high], 1)
        bases = self.bases(own, old, new, inside, finer)
        weight = layer.weight.detach().cpu().double().numpy()
        if self.keep == "function":
            parts = [_moved(own[i], bases[i], old[i], new[i], inside[i], weight[:, :, i]) for i in range(layer.inputs)]
            weight = np.stack(parts, 2)
        layer.put_range(torch.from_numpy(low), torch.from_numpy(high))
        layer.put_splines(joined_bases(bases), torch.from_numpy(weight), layer.present, layer.weight_held)

    def ranges(self, data: np.ndarray, old_low: np.ndarray, old_high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The new ranges (inputs,) each; an input that does not vary keeps the length that its range had."""
        least, most = data.min(1), data.max(1)
        length, old = most - least, old_high - old_low
        still = length <= 1e-12 * np.maximum(np.abs(least) + np.abs(most), old)
        reach = np.where(still, 0.5 * old, self.margin * length)
        inside = (old_low <= least) & (most <= old_high)
        stays = inside & (still | (length >= FILLED * old))
        return np.where(stays, old_low, least - reach), np.where(stays, old_high, most + reach)

    def bases(self, own: list[Basis], old: np.ndarray, new: np.ndarray, data: np.ndarray, finer: float) -> list[Basis]:
        """The bases of the inputs on their new ranges, equally many functions in each."""
        if self.keep == "weights" and isinstance(self.knots, str):
            return own
        if all(spline_of(basis) is None for basis in own):
            return [basis.refined(math.ceil(finer * basis.resolution)) for basis in own]
        count = math.ceil(finer * max(spline.intervals for basis in own if (spline := spline_of(basis))))
        if self.knots == "kept":
            found = []
            for basis, before, after in zip(own, old, new, strict=True):
                straight = isinstance(basis, Extended) and basis.rule == "linear"
                found.append(carried(basis, partial(_kept, old=tuple(before), new=tuple(after), linear=straight)))
            count = max(count, *(spline.intervals for basis in found if (spline := spline_of(basis))))
            return [carried(basis, lambda spline: spline if spline.intervals == count else spline.refined(count)) for basis in found]
        if self.knots == "uniform" or self.knots == 0:
            return [carried(basis, lambda spline: BSpline(spline.degree, count)) for basis in own]
        share = float(self.knots)
        return [
            carried(basis, lambda s, x=x: BSpline(s.degree, breaks=tuple(data_breaks(count, x, share).tolist())))
            for basis, x in zip(own, data, strict=True)
        ]


def _kept(spline: BSpline, *, old: tuple[float, float], new: tuple[float, float], linear: bool) -> BSpline:
    if old == new:
        return spline
    return BSpline(spline.degree, breaks=tuple(kept_breaks(spline, old, new, linear).tolist()))


def _moved(own: Basis, basis: Basis, old: np.ndarray, new: np.ndarray, data: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The coefficients (linear, K') in ``basis`` on the range ``new`` of the functions with ``weight`` (linear, K) on ``old``."""
    if own == basis and np.array_equal(old, new):
        return weight

    def before(s: np.ndarray) -> np.ndarray:
        z = new[0] + 0.5 * (s + 1) * (new[1] - new[0])
        return values(own, 2 * (z - old[0]) / (old[1] - old[0]) - 1) @ weight.T

    return projected(before, basis, data).T


def relative_change(values: Tensor, old: Tensor) -> float:
    """RMS of the change of the outputs (outputs, N), each in units of its own size."""
    return float(((values - old) / sizes(old)).square().mean().sqrt())


def _resolution(layer: Layer) -> int:
    return 0 if layer.basis is None else layer.basis.resolution


def _chosen(network: KAN, layers: Sequence[int] | None) -> list[int]:
    """The layers that have ranges of their own, or those of them that were asked for."""
    ranged = ranged_layers(checked_network(network))
    if layers is None:
        return ranged
    for number in layers:
        checked_layer(network, number)
        if number not in ranged:
            why = "maps the network's box" if number == 0 else "takes its inputs through tanh"
            raise ValueError(f"layer {number} {why} and has no range to adapt; {', '.join(map(str, ranged)) or 'none'} have")
    return list(layers)


def ranged_layers(network: KAN) -> list[int]:
    """The numbers of the layers behind the first whose inputs have a range; ``ValueError`` if there are none."""
    ranged = [number for number, layer in enumerate(network.wires) if number and layer.entry == "range"]
    if not ranged:
        raise ValueError(f"no hidden layer of {network} has a range: make it with hidden='range', as in KAN(2, 5, 1, ..., hidden='range')")
    return ranged
