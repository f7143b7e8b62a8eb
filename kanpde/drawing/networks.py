"""The drawing of a network: inputs below, outputs above, and every edge a small curve."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kanpde.arguments import one_of
from kanpde.drawing.style import WIDTH, canvas, style
from kanpde.edges import Edges
from kanpde.notation import formula, symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES, ROOMY = 100, 40  # edges of a layer that are all drawn as curves; of more, so many, and the others as plain lines
INK, RED, GREY = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0), (0.3, 0.3, 0.3)  # numeric and symbolic edges (Okabe and Ito), lines between
METRICS = ("attribution", "spread")
LETTER = 0.043  # inches: the mean width of a letter of a formula
CONSTANT = 1e-12  # of the size of a curve: less is rounding


def draw_layers(layers: Sequence[Edges], names: Sequence[str] = (), outputs: Sequence[str] = (), *, metric: str = "attribution") -> Figure:
    """The network from inputs (below) to outputs (above): every edge a small curve, as opaque as the edge is important; nodes likewise.

    ``metric`` is "attribution", what counts for the outputs, or "spread", the standard deviation of what an edge contributes (which it
    also is where the layers hold no attribution). Importance is relative to the largest of its layer; each curve fills its tile.
    Symbolic edges are of another colour, with their formula where it fits; product nodes bear a ×; edges that are not there are not drawn,
    nor are hidden nodes without edges. Of a layer with more than 100 edges the 40 most important are curves, the others plain lines, and
    of names that would overlap the more important inputs' are kept.
    """
    metric = chosen_metric(layers, metric)
    shades = [shade(layer, metric) for layer in layers]
    plans = planned(layers, [each.edges for each in shades])
    figure, ax = sheet(plans)
    with style():
        sketched(layers, shades, plans).add_to(ax)
        label(ax, layers, shades, plans, names, outputs)
    return figure


def chosen_metric(layers: Sequence[Edges], metric: str) -> str:
    """The metric, or the one that there is; ``ValueError`` for one that is unknown, or for nothing to draw."""
    if not layers:
        raise ValueError("there are no edge functions to draw: the model has none, or training never began")
    one_of(metric, METRICS, "metric")
    return metric if all(layer.scores is not None for layer in layers) else "spread"


@dataclass(frozen=True)
class Shade:
    """The importance of a layer's edges (linear, in), NaN where there is none, and of its inputs (in,)."""

    edges: np.ndarray
    nodes: np.ndarray


def shade(layer: Edges, metric: str) -> Shade:
    """The importance by a metric; by "spread" that of a node is the sum over its outgoing edges."""
    if metric == "attribution" and layer.scores is not None and layer.nodes is not None:
        return Shade(layer.scores, layer.nodes)
    return Shade(layer.importance, np.nansum(np.where(np.isfinite(layer.importance), layer.importance, 0.0), 0))


def opacity(importance: np.ndarray, largest: float | None = None) -> np.ndarray:
    """From 0.1 to 1, by the root of the importance relative to the largest; 0.1 where it is not finite."""
    finite = np.where(np.isfinite(importance), importance, 0.0)
    most = finite.max(initial=0.0) if largest is None else largest
    return 0.1 + 0.9 * np.sqrt(np.minimum(finite / (most or 1.0), 1.0))


# ---- where everything is, in inches ----


@dataclass(frozen=True)
class Plan:
    """The places of one layer: nodes below and above, the ends of linear outputs, and a tile for every curve."""

    inputs: np.ndarray  # (in,): x
    bottom: float
    outputs: np.ndarray  # (outputs,): x
    height: float
    ends: np.ndarray  # (linear,): x, at the height ``top``
    top: float
    low: float
    high: float
    side: float
    tall: float
    tiles: dict[tuple[int, int], tuple[float, float, float]]  # (input, linear output): middle, foot, and room for a formula
    width: float


def planned(layers: Sequence[Edges], importance: Sequence[np.ndarray]) -> list[Plan]:
    """The places of all layers, from below."""
    wanted = [_slots(layer, each)[1] for layer, each in zip(layers, importance, strict=True)]
    width = float(np.clip(0.4 + max(slots.sum() for slots in wanted), 3.0, WIDTH))
    places, height, plans = _spread(np.ones(layers[0].importance.shape[1]), width), 0.34, []
    for layer, each in zip(layers, importance, strict=True):
        plans.append(_plan(layer, each, places, height, width))
        places, height = plans[-1].outputs, plans[-1].height
    return plans


def _slots(layer: Edges, importance: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    """The edges that get a tile, (input, linear output) in this order, and the width that each wants."""
    there = np.argwhere(~np.isnan(layer.importance.T))
    weights = np.nan_to_num(importance.T[tuple(there.T)], posinf=0.0) if len(there) else np.zeros(0)
    kept = np.sort(np.argsort(-weights, kind="stable")[: ROOMY if len(there) > CURVES else CURVES])
    shown = [(int(i), int(j)) for i, j in there[kept]]
    few = len(shown) <= 24
    return shown, np.array([max(0.42, LETTER * len(layer.symbols[j, i]) + 0.14) if few else 0.42 for i, j in shown])


def _plan(layer: Edges, importance: np.ndarray, inputs: np.ndarray, bottom: float, width: float) -> Plan:
    shown, wanted = _slots(layer, importance)
    outputs = _spread(np.ones(layer.sums + layer.products), width)
    pitch = (width - 0.3) / max(len(outputs), 1)
    fans = [min(0.24, 0.7 * pitch / arity) * (np.arange(arity) - (arity - 1) / 2) for arity in layer.arities]
    ends = np.concatenate([outputs[: layer.sums], *(x + fan for x, fan in zip(outputs[layer.sums :], fans, strict=True))])
    rows = 1 if len(shown) <= 36 else 2  # staggered: the lines of one pass between the tiles of the other
    side = min(0.36, 0.8 * rows * (width - 0.3) / max(len(shown), 1))
    tall = max(side, 0.22)
    reach = 0.25 + 0.03 * np.sqrt(layer.count)  # room for the lines to fan out
    low, high = bottom + reach, bottom + reach + (1.2 * rows - 0.2) * tall
    top, height = high + reach, high + reach + (0.22 if layer.products else 0.0)
    middles = _spread(wanted, width)
    room = (width - 0.3) * wanted / max(wanted.sum(), 1e-9) if rows == 1 else np.full(len(shown), side)
    tiles = {edge: (x, low + 1.2 * tall * (k % rows), r) for k, (edge, x, r) in enumerate(zip(shown, middles, room, strict=True))}
    return Plan(inputs, bottom, outputs, height, ends, top, low, high, side, tall, tiles, width)


def _spread(weights: np.ndarray, width: float) -> np.ndarray:
    """The middles of slots whose widths are as their weights."""
    return 0.15 + (width - 0.3) * (np.cumsum(weights) - weights / 2) / max(weights.sum(), 1e-9)


def sheet(plans: Sequence[Plan], *, over: Sequence[Sequence[Plan]] = ()) -> tuple[Figure, Axes]:
    """A figure with axes in inches for these plans, or as large as the largest of several."""
    many = [plans, *over]
    width, height = max(each[0].width for each in many), max(each[-1].height for each in many) + 0.32
    with style():
        figure = canvas(width, height)
        ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
        ax.set_axis_off()
    return figure, ax


# ---- what is drawn there ----


@dataclass(frozen=True)
class Sketch:
    """What the drawing consists of, in inches: lines, curves and their tiles with colours; places of nodes with their opacity."""

    lines: list[tuple[list, tuple]] = field(default_factory=list)
    tiles: list[tuple[np.ndarray, tuple]] = field(default_factory=list)
    curves: list[tuple[np.ndarray, tuple]] = field(default_factory=list)
    formulas: list[tuple[float, float, str, float]] = field(default_factory=list)
    sums: list[tuple[float, float, float]] = field(default_factory=list)
    products: list[tuple[float, float, float]] = field(default_factory=list)

    def add_to(self, ax: Axes) -> None:
        """One collection for each kind, however many edges there are."""
        from matplotlib.collections import LineCollection, PolyCollection

        for kind, drawn, linewidth, zorder in (("lines", self.lines, 0.6, 1), ("curves", self.curves, 1.1, 3)):
            if drawn:
                paths, colors = zip(*drawn, strict=True)
                ax.add_collection(LineCollection(paths, linewidths=linewidth, colors=colors, zorder=zorder, gid=kind))
        if self.tiles:
            corners, colors = zip(*self.tiles, strict=True)
            ax.add_collection(PolyCollection(corners, facecolors=colors, linewidths=0, zorder=2, gid="tiles"))
        for x, y, text, alpha in self.formulas:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            ax.text(x, y, text, ha="center", va="center", fontsize=6, color=(*RED, alpha), bbox=box, zorder=2.5, gid="formula")
        for kind, drawn in (("sums", self.sums), ("products", self.products)):
            x, y, alpha = np.array(drawn).T if drawn else np.zeros((3, 0))
            colors = np.column_stack([np.zeros((len(x), 3)), alpha])
            if kind == "sums":
                ax.scatter(x, y, 14, "white", linewidths=0, zorder=4)  # lines end at a node, however faint it is
                ax.scatter(x, y, 14, colors, linewidths=0, zorder=5, gid=kind)
            elif drawn:
                ax.scatter(x, y, 60, "white", edgecolors=colors.tolist(), linewidths=0.8, zorder=4)
                ax.scatter(x, y, 22, colors, marker="x", linewidths=0.8, zorder=5, gid=kind)


def sketched(
    layers: Sequence[Edges], shades: Sequence[Shade], plans: Sequence[Plan], largest: Sequence[tuple[float, float]] | None = None
) -> Sketch:
    """The whole drawing; ``largest`` are, by layer, the importance of edges and of nodes that are fully opaque."""
    sketch = Sketch()
    last = layers[-1]
    alive = [np.ones(len(plans[0].inputs), dtype=bool), *(_fed(a) | _feeds(b) for a, b in zip(layers, layers[1:], strict=False))]
    nodes = [opacity(each.nodes, largest[k][1] if largest else None) for k, each in enumerate(shades)]
    nodes.append(np.ones(last.sums + last.products))
    alive.append(np.ones(len(nodes[-1]), dtype=bool))
    sketch.sums.extend((x, plans[0].bottom, a) for x, a in zip(plans[0].inputs, nodes[0], strict=True))
    for k, (layer, each, plan) in enumerate(zip(layers, shades, plans, strict=True)):
        _edges(sketch, layer, opacity(each.edges, largest[k][0] if largest else None), plan)
        for factor in range(layer.sums, len(plan.ends)):
            product, x = int(layer.owners[factor]), plan.ends[factor]
            if alive[k + 1][product] and not np.isnan(layer.importance[factor]).all():
                sketch.lines.append(([(x, plan.top), (plan.outputs[product], plan.height)], (0, 0, 0, nodes[k + 1][product])))
        for number, x in enumerate(plan.outputs):
            if alive[k + 1][number]:
                kind = sketch.sums if number < layer.sums else sketch.products
                kind.append((x, plan.height, nodes[k + 1][number]))
    return sketch


def _fed(layer: Edges) -> np.ndarray:
    """Which outputs have an edge below: (outputs,)."""
    fed = np.zeros(layer.sums + layer.products, dtype=bool)
    np.logical_or.at(fed, layer.owners, ~np.isnan(layer.importance).all(1))
    return fed


def _feeds(layer: Edges) -> np.ndarray:
    """Which inputs have an edge above: (in,)."""
    return np.asarray(~np.isnan(layer.importance).all(0))


def _edges(sketch: Sketch, layer: Edges, alpha: np.ndarray, plan: Plan) -> None:
    for i, j in np.argwhere(~np.isnan(layer.importance.T)).tolist():
        grey, start = (*GREY, 0.8 * alpha[j, i]), (plan.inputs[i], plan.bottom)
        way = [(plan.ends[j], plan.top), *([(plan.ends[j], plan.height)] if j < layer.sums else [])]
        if (i, j) not in plan.tiles:
            sketch.lines.append(([start, *way], (*GREY, 0.3 * alpha[j, i])))
            continue
        x, foot, room = plan.tiles[i, j]
        side, tall, text = plan.side, plan.tall, str(layer.symbols[j, i])
        corner = np.array([x - side / 2, foot])
        sketch.lines.append(([start, (x, plan.low), (x, foot)], grey))
        sketch.lines.append(([(x, foot + tall), (x, plan.high), *way], grey))
        color = RED if text else INK
        paper = tuple(0.965 + 0.0 * c if not text else 1 - 0.09 * (1 - c) for c in color)
        sketch.tiles.append((corner + np.array([(0, 0), (side, 0), (side, tall), (0, tall)]), paper))
        curve = corner + (side, tall) * _thumbnail(layer.inputs[i], layer.curves[j, i])
        sketch.curves.append((curve, (*color, alpha[j, i])))
        if fitting := _fitting(text, room):
            sketch.formulas.append((x, foot - 0.075, formula(fitting), max(alpha[j, i], 0.75)))


def _fitting(text: str, room: float) -> str:
    """The formula, or the name of its function, or nothing, whichever fits."""
    names = re.findall(r"[A-Za-z]{2,}\d*", text)
    return next((each for each in (text, *names[:1]) if each and LETTER * len(each) + 0.04 <= room), "")


def _thumbnail(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The curve scaled to the unit square but for a margin, (S, 2); a constant lies in the middle."""
    both = np.nan_to_num(np.stack([x, y], 1), nan=np.nan, posinf=np.nan, neginf=np.nan)
    span = np.ptp(both, 0)
    flat = span <= CONSTANT * np.abs(both).max(0)
    return np.where(flat, 0.5, 0.08 + 0.84 * (both - both.min(0)) / np.where(flat, 1.0, span))


def label(
    ax: Axes, layers: Sequence[Edges], shades: Sequence[Shade], plans: Sequence[Plan], names: Sequence[str], outputs: Sequence[str]
) -> None:
    """Names at inputs and outputs, where there is one for each, and what was left out."""
    for texts, places, y, side, weights in (
        (names, plans[0].inputs, plans[0].bottom - 0.08, "top", shades[0].nodes),
        (outputs, plans[-1].outputs, plans[-1].height + 0.09, "bottom", np.ones(len(plans[-1].outputs))),
    ):
        for number in _legible([symbol(text) for text in texts], places, weights) if len(texts) == len(places) else []:
            ax.text(places[number], y, symbol(texts[number]), ha="center", va=side, fontsize=9)
    if hidden := sum(layer.count - len(plan.tiles) for layer, plan in zip(layers, plans, strict=True)):
        ax.text(0.15, 0.02, f"the {hidden} least important edges are plain lines", color="0.4", fontsize=6.5)


def _legible(texts: Sequence[str], places: np.ndarray, weights: np.ndarray) -> list[int]:
    """Names that do not overlap, the more important first: their numbers, in order."""
    halves = [0.03 + 0.035 * len(re.sub(r"[${}_]|\\mathrm|\\[a-zA-Z]+", "", text) or "x") for text in texts]
    kept: list[int] = []
    for number in np.argsort(-weights, kind="stable").tolist():
        if all(abs(places[number] - places[other]) >= halves[number] + halves[other] for other in kept):
            kept.append(number)
    return sorted(kept)
