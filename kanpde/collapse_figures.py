"""Figures of data that collapse to one curve in a similarity variable, and of constants by fit; drawn from results alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kanpde.arguments import nearest
from kanpde.calls import argument_names, call_by_name
from kanpde.drawing import WIDTH, canvas, style
from kanpde.notation import symbol
from kanpde.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = "osD^vP*X"


def collapse(result: Result, variable: Callable[..., Any], *, by: str, name: str = "x") -> Figure:
    """Targets against the first other coordinate with a curve for each value of the coordinate ``by``; against ``variable``, a function of
    coordinates and constants by name, where they are one curve; and what is left, in standard deviations.

    ``result`` is of a :class:`~kanpde.supervised.Regression` whose sigma is known. Raises ``ValueError`` for another, for a coordinate that
    it does not have, and for a variable that asks for what it does not know.
    """
    unknown = result.unknowns[0]
    if f"target_{unknown}_sigma" not in result.solution or result.solution_points is None or len(result.coordinates) < 2:
        raise ValueError(f"{result.experiment} has no targets of known sigma at points of several coordinates: Dataset(..., sigma=...)")
    if by not in result.coordinates:
        raise ValueError(f"there is no coordinate {by!r}, only {', '.join(result.coordinates)}{nearest(by, result.coordinates)}")
    known: dict[str, Any] = dict(zip(result.coordinates, result.solution_points.T, strict=True))
    along = next(each for each in result.coordinates if each != by)
    for asked in argument_names(variable):
        if asked not in known and asked not in result.metrics:
            raise ValueError(f"the variable asks for {asked!r}, but {result.experiment} has found no such constant")
        known.setdefault(asked, result.metrics.get(asked))
    x = np.asarray(call_by_name(variable, known), dtype=float)
    target, sigma, fitted = (result.solution[key] for key in (f"target_{unknown}", f"target_{unknown}_sigma", unknown))
    with style():
        figure = canvas(WIDTH, 2.6)
        left, middle, right = figure.subplots(1, 3)
        order = np.argsort(x)
        middle.plot(x[order], fitted[order], color="0.4", linestyle="-", linewidth=1.0, zorder=1)
        for number, value in enumerate(np.unique(known[by])):
            rows = np.flatnonzero(known[by] == value)
            rows = rows[np.argsort(known[along][rows])]
            look: dict[str, Any] = {"color": f"C{number}", "marker": MARKS[number % len(MARKS)], "markersize": 2.5}
            bars = {**look, "linestyle": "none", "elinewidth": 0.6}
            left.plot(known[along][rows], fitted[rows], color=f"C{number}", linestyle="-", linewidth=0.7)
            left.errorbar(known[along][rows], target[rows], sigma[rows], **bars, label=f"{symbol(by)} = {value:g}")
            middle.errorbar(x[rows], target[rows], sigma[rows], **bars)
            right.plot(x[rows], (target[rows] - fitted[rows]) / sigma[rows], **look, linestyle="none")
        for level in (-2, 0, 2):
            right.axhline(level, color="0.6", linestyle="-" if level == 0 else ":", linewidth=0.6, zorder=1)
        left.set(xlabel=symbol(along), ylabel=symbol(unknown), title=f"measured, and fits by {symbol(by)}")
        middle.set(xlabel=symbol(name), title="the collapse, and F")
        right.set(xlabel=symbol(name), title="misfit / sigma")
        left.legend(fontsize=6)
        figure.set_layout_engine("constrained")
        return figure


def constants(results: Sequence[Result], published: Mapping[str, tuple[float, float]]) -> Figure:
    """The constants that ``published`` names, as every result has found them, with their standard deviations; the published value and its
    own is a band behind them.
    """
    with style():
        figure = canvas(WIDTH, 0.8 + 0.17 * len(results))
        axes = figure.subplots(1, len(published), squeeze=False, sharey=True)[0]
        for ax, (name, (value, sigma)) in zip(axes, published.items(), strict=True):
            found = [[result.metrics[name], result.metrics[f"{name}_sigma"]] for result in results]
            ax.axvspan(value - sigma, value + sigma, color="C1", alpha=0.4, linewidth=0)
            ax.axvline(value, color="C1", linestyle="-", linewidth=0.8)
            ax.errorbar(*np.transpose([[each[0], row] for row, each in enumerate(found)]), xerr=[each[1] for each in found],
                        linestyle="none", marker="o", markersize=3, elinewidth=0.8, color="C0")  # fmt: skip
            ax.set(xlabel=symbol(name))
        axes[0].set_yticks(range(len(results)), [result.experiment for result in results])
        axes[0].invert_yaxis()
        figure.set_layout_engine("constrained")
        return figure
