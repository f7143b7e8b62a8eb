"""Figures of localization landscapes: the states below u, the levels in the wells of 1/u, the valley lines; drawn from results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kanpde.drawing import WIDTH, canvas, style
from kanpde.results import Result
from kanpde.science.landscape import Study
from kanpde.science.potentials import Potential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = "osD^vP*X"
HALF = 0.5  # of the largest |psi|: where a state is outlined
CEILING = 3.0  # times the highest level: what is shown of potentials


def profiles(V: Potential, result: Result, found: Study) -> Figure:
    """In one dimension: V and 1/u with the levels where their states live and the estimates in their wells; below, u and the states."""
    (x,), u = result.axes.values(), result.solution["u"]
    fine = np.linspace(x[0], x[-1], 4001)
    with style():
        figure = canvas(WIDTH, 4.2)
        top, low = figure.subplots(2, 1, sharex=True)
        top.fill_between(fine, V(fine), color="0.85", linewidth=0, label="$V$")
        with np.errstate(divide="ignore"):
            top.plot(x, 1 / np.maximum(u, 1e-12), color="C0", linestyle="-", linewidth=1, label="$1/u$")
        for number, (level, state) in enumerate(zip(found.levels, found.states, strict=True)):
            size = np.abs(state) / np.abs(state).max()
            label = ("levels", "$|\\psi| / (E \\max|\\psi|)$") if number == 0 else (None, None)
            there = x[size > HALF]
            top.hlines(level, there.min(), there.max(), color="C1", linewidth=1.6, label=label[0])
            low.fill_between(x, size / level, color="C1", alpha=0.35, linewidth=0.4, label=label[1])
        count = len(found.levels)
        places, guesses = found.wells.places[:count, 0], found.wells.estimates[:count]
        top.plot(places, guesses, "o", color="C2", markersize=3.5, markerfacecolor="none", label="estimates")
        low.plot(x, u, color="C0", linestyle="-", linewidth=1, label="$u$")
        top.set(ylim=(0, CEILING * found.levels[-1]), ylabel="energy", title=f"{_named(result)}: the lowest {count} levels")
        low.set(xlabel="x", xlim=(x[0], x[-1]), ylim=(0, 1.25 * u.max()), ylabel="landscape and states")
        figure.legend(loc="outside lower center", ncols=6, fontsize=7)
        return _settled(figure)


def maps(V: Potential, result: Result, found: Study) -> Figure:
    """In two dimensions: V, and u with its valley lines; on both the states, outlined at half their height and numbered from the lowest."""
    from matplotlib.collections import LineCollection

    (x, y), u = result.axes.values(), result.solution["u"]
    pad = 0.5 * (x[1] - x[0])
    with style():
        figure = canvas(WIDTH, 0.47 * WIDTH)
        axes = figure.subplots(1, 2, sharey=True)
        drawn = (V(*np.meshgrid(x, y, indexing="ij")), "potential $V$", "cividis"), (u, "landscape $u$ and its valley lines", "viridis")
        for ax, (values, title, colours) in zip(axes, drawn, strict=True):
            extent = (x[0] - pad, x[-1] + pad, y[0] - pad, y[-1] + pad)
            image = ax.imshow(values.T, origin="lower", extent=extent, cmap=colours)
            figure.colorbar(image, cax=ax.inset_axes((1.03, 0, 0.04, 1)))
            ax.set(title=title, xlabel="x", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
            for number, state in enumerate(found.states, 1):
                size = np.abs(state) / np.abs(state).max()
                ax.contour(x, y, size.T, [HALF], colors="C1", linewidths=0.8, linestyles="-")
                place = np.unravel_index(size.argmax(), size.shape)
                ax.text(x[place[0]], y[place[1]], f"{number}", color="white", fontsize=6, ha="center", va="center")
        axes[1].add_collection(LineCollection(_valleys(x, y, found.wells.basins), colors="white", linewidths=0.7, linestyles="-"))
        axes[0].set_ylabel("y")
        figure.suptitle(f"{_named(result)}: the lowest {len(found.levels)} states, numbered", fontsize=8)
        return _settled(figure)


def _valleys(x: np.ndarray, y: np.ndarray, basins: np.ndarray) -> list[list[tuple[float, float]]]:
    """The lines between points of a grid that belong to different basins."""
    h = 0.5 * (x[1] - x[0])
    across, up = np.argwhere(basins[1:] != basins[:-1]), np.argwhere(basins[:, 1:] != basins[:, :-1])
    lines = [[(x[i] + h, y[j] - h), (x[i] + h, y[j] + h)] for i, j in across]
    return lines + [[(x[i] - h, y[j] + h), (x[i] + h, y[j] + h)] for i, j in up]


def levels(studies: Mapping[str, Sequence[Study]]) -> Figure:
    """The j-th level against (1 + d/4) times the j-th minimum of 1/u, and the relative errors, for several kinds of potentials."""
    with style():
        figure = canvas(WIDTH, 2.9)
        left, right = figure.subplots(1, 2)
        for number, (kind, each) in enumerate(studies.items()):
            look = dict(color=f"C{number}", marker=MARKS[number % len(MARKS)], linestyle="none", markersize=3)
            exact, errors = np.concatenate([s.levels for s in each]), np.concatenate([s.errors for s in each])
            left.plot(exact, exact * (1 + errors), label=kind, **look)
            right.plot(np.concatenate([np.arange(1, len(s.levels) + 1) for s in each]), 100 * errors, **look)
        ends = left.get_xlim()
        left.plot(ends, ends, color="0.6", linestyle="-", linewidth=0.7, zorder=0)
        right.axhline(0, color="0.6", linestyle="-", linewidth=0.7, zorder=0)
        left.set(xlabel="level $E_j$", ylabel="(1 + d/4) min $1/u$")
        right.set(xlabel="level, counted from the lowest", ylabel="error of the estimate, %")
        figure.legend(loc="outside right upper", fontsize=7)
        return _settled(figure)


def _named(result: Result) -> str:
    return f"{result.experiment}, seed {result.provenance['seed']}"


def _settled(figure: Figure) -> Figure:
    figure.set_layout_engine("constrained")
    figure.draw_without_rendering()
    return figure
