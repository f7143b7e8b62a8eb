"""Figures of data problems: predictions against targets, residuals, confusion matrices, scores and attributions; from results alone.

They are made in the style that :mod:`kanpde.figures` sets, which also gives them their title and saves them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kanpde.drawing import WIDTH, canvas, style
from kanpde.notation import symbol
from kanpde.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = (("C0", "o"), ("C1", "^"), ("C2", "s"))  # of train, validation and test
NAMED = 12  # classes whose names and counts can be read


def agreement(result: Result) -> Figure:
    """Of a regression, for each target: predictions against targets, and how the residuals are distributed, by split; of a
    classification a confusion matrix for each split.
    """
    splits = json.loads(result.equation["splits"])
    there = [(name, result.solution["split"] == code) for code, name in enumerate(splits) if (result.solution["split"] == code).any()]
    draw = _confusions if result.equation["kind"] == "classification" else _predictions
    return draw(result, there)


def _predictions(result: Result, there: list[tuple[str, np.ndarray]]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 0.35 + 2.6 * len(result.unknowns)))
    for name, (left, right) in zip(result.unknowns, figure.subplots(len(result.unknowns), 2, squeeze=False), strict=True):
        target, prediction = result.solution[f"target_{name}"], result.solution[name]
        left.set(title=f"Target and prediction of {symbol(name)}", xlabel="target", ylabel="prediction")
        right.set(title=f"Residuals of {symbol(name)}", xlabel="prediction - target", ylabel="rows")
        good = np.isfinite(prediction)
        residual = np.where(good, prediction - target, 0.0)
        edges = _edges(residual[good])
        for (label, rows), (color, mark) in zip(there, MARKS, strict=False):
            rows = rows & good
            left.plot(target[rows], prediction[rows], mark, color=color, markersize=2, markeredgewidth=0, label=label, rasterized=True)
            heights, _ = np.histogram(np.clip(residual[rows], edges[0], edges[-1]), edges)
            right.stairs(heights, edges, color=color, linewidth=1.0, label=label)
        left.axline((float(target[0]),) * 2, slope=1, color="0.6", linestyle="-", linewidth=0.6, zorder=1)
        left.legend(markerscale=2)
        right.set_yscale("symlog", linthresh=1)
        right.set_ylim(0, None)
        right.locator_params("x", nbins=5)
    return figure


def _edges(residual: np.ndarray) -> np.ndarray:
    """Of 40 bins around 0, wide enough for all but the thousandth on either side, which the last bins hold."""
    most = float(np.quantile(np.abs(residual), 0.998)) if residual.size else 0.0
    return np.linspace(-1, 1, 41) * (most or 1.0)


def _confusions(result: Result, there: list[tuple[str, np.ndarray]]) -> Figure:
    from matplotlib.figure import Figure

    classes = json.loads(result.equation["classes"])
    count = len(classes)
    figure = Figure(figsize=(WIDTH * max(len(there), 2) / 3, 0.6 + WIDTH / 3))
    for number, ((name, rows), ax) in enumerate(zip(there, figure.subplots(1, len(there), squeeze=False)[0], strict=True)):
        label, predicted = result.solution["label"][rows].astype(int), result.solution["predicted"][rows].astype(int)
        counts = np.bincount(label * count + predicted, minlength=count**2).reshape(count, count)
        right = float(np.trace(counts) / counts.sum())
        ax.set(title=f"{name}: {100 * right:.4g} % of {counts.sum()} right", xlabel="predicted class", ylabel="" if number else "class")
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        ax.imshow(shares, cmap="viridis", vmin=0, vmax=1)
        if count <= NAMED:
            _named(ax, classes, counts, shares)
    return figure


def _named(ax: Axes, classes: list[str], counts: np.ndarray, shares: np.ndarray) -> None:
    texts, turned = [each.replace("$", r"\$") for each in classes], max(map(len, classes)) * len(classes) > 24
    ax.set_xticks(range(len(classes)), texts, rotation=90 if turned else 0)
    ax.set_yticks(range(len(classes)), texts)
    ax.tick_params(length=0)
    for i, row in enumerate(counts):
        for j, number in enumerate(row):
            ax.text(j, i, f"{number}", ha="center", va="center", color="white" if shares[i, j] < 0.6 else "black")


def attributions(results: Sequence[Result]) -> Figure:
    """How much of each network's output comes through each of its inputs, as bars side by side: a row an input, a panel a result.

    The scores are those of :func:`kanpde.attribution`, divided by their sum. Raises ``ValueError`` for results without edges.
    """
    if bare := [result.experiment for result in results if not result.edges or result.edges[0].nodes is None]:
        raise ValueError(f"{', '.join(bare)} has no attribution: it is kept in the results of KANs")
    with style():
        most = max(len(result.coordinates) for result in results)
        figure = canvas(WIDTH, 0.9 + 0.18 * most)
        for result, ax in zip(results, figure.subplots(1, len(results), squeeze=False)[0], strict=True):
            scores = np.asarray(result.edges[0].nodes)
            order = np.argsort(scores)
            names = [result.coordinates[k] for k in order]
            ax.barh(range(len(names)), scores[order] / scores.sum(), color="C0")
            ax.set_yticks(range(len(names)), names)
            ax.set(title=result.experiment, xlabel="share of the attribution", xlim=(0, None))
        figure.set_layout_engine("constrained")
        figure.draw_without_rendering()
    return figure


def scores(result: Result) -> Figure:
    """Of classes told apart by one score: how the score is distributed in each class, over the rows of the test, and what is taken for it.

    Raises ``ValueError`` for a result of another kind.
    """
    if len(result.unknowns) != 1 or "label" not in result.solution:
        raise ValueError(f"{result.experiment} does not tell classes apart by one score, as an Ordinal does")
    classes, rows = json.loads(result.equation["classes"]), result.solution["split"] == len(json.loads(result.equation["splits"])) - 1
    score, label = result.solution[result.unknowns[0]][rows], result.solution["label"][rows].astype(int)
    right = label == result.solution["predicted"][rows]
    numbers = np.array(classes, dtype=float)
    low, high = numbers[0] - (numbers[1] - numbers[0]), numbers[-1] + (numbers[-1] - numbers[-2])
    bins = np.linspace(low, high, 161)
    with style():
        figure = canvas(WIDTH, 2.6)
        ax = figure.subplots()
        for k, name in enumerate(classes):
            ax.hist(np.clip(score[label == k], low, high), bins, histtype="step", label=name)
        for edge in (numbers[1:] + numbers[:-1]) / 2:
            ax.axvline(edge, color="0.6", linewidth=0.5, linestyle="-", zorder=0)
        title = f"{result.experiment}: {100 * right.mean():.3g} % of {len(right)} between their thresholds"
        ax.set(title=title, xlabel=f"score for {symbol(result.unknowns[0])}", ylabel="rows of the test", yscale="log", xlim=(low, high))
        ax.legend(title=symbol(result.unknowns[0]), ncols=2, fontsize=7)
        figure.set_layout_engine("constrained")
        figure.draw_without_rendering()
    return figure


def phases(
    columns: Mapping[str, np.ndarray],
    predicted: np.ndarray,
    label: np.ndarray,
    edge: Callable[[np.ndarray, Mapping[str, np.ndarray]], np.ndarray],
) -> Figure:
    """Phase diagrams of states that are localized (``label``) or extended: the first of ``columns``, the energy, against the second; where
    there is a third, in three panels around values of it. Rings are mistakes of what was ``predicted``, lines the zeros of ``edge``.
    """
    (energy, E), (name, x), *others = columns.items()
    bands: list[tuple[str, np.ndarray, dict[str, float]]] = [("all systems", np.ones(len(E), bool), {})]
    if others:
        (third, z), bands, reach = others[0], [], 0.03 * np.ptp(others[0][1])
        for share in (0.2, 0.5, 0.8):
            value = float(z.min() + share * np.ptp(z))
            bands.append((f"{symbol(third)} = {round(value, 2) + 0.0:g} $\\pm$ {reach:.1g}", np.abs(z - value) < reach, {third: value}))
    with style():
        figure = canvas(WIDTH, 2.6)
        for (text, rows, fixed), ax in zip(bands, figure.subplots(1, len(bands), squeeze=False)[0], strict=True):
            for value, color, word in ((False, "C0", "extended"), (True, "C1", "localized")):
                mine = rows & (label == value)
                ax.plot(x[mine], E[mine], ".", color=color, markersize=2, markeredgewidth=0, label=word, rasterized=True)
            wrong = rows & (predicted != label)
            ax.plot(x[wrong], E[wrong], "o", mfc="none", color="0.2", markersize=4, markeredgewidth=0.5, label="mistakes", rasterized=True)
            grid = np.meshgrid(np.linspace(x.min(), x.max(), 300), np.linspace(E[rows].min(), E[rows].max(), 300))
            values = edge(grid[1], {name: grid[0]} | {key: np.full_like(grid[0], each) for key, each in fixed.items()})
            ax.contour(*grid, values, levels=[0.0], colors="black", linewidths=0.8)
            ax.set(title=text, xlabel=symbol(name), ylabel=symbol(energy))
        figure.axes[0].legend(markerscale=2, fontsize=7)
        figure.set_layout_engine("constrained")
        figure.draw_without_rendering()
    return figure
