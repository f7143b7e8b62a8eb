"""Figures of a finished run (solution, convergence, network, law), drawn from a :class:`Result` alone.

Every function returns a ``matplotlib.figure.Figure`` unknown to pyplot, and leaves the user's backend and settings as they were.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kanpde.data_figures import agreement
from kanpde.drawing import WIDTH, canvas, draw_layers, law_card, style
from kanpde.hdf5 import write_whole
from kanpde.notation import number, symbol
from kanpde.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure


def draw(result: Result, directory_stem: str | Path) -> list[Path]:
    """Write the figures that apply: ``<stem>-solution``, ``-convergence``, ``-network``, ``-law``, as .pdf and .png; their paths.

    Creates the directory. Raises ResultsError (an OSError) naming the file that cannot be written; each is whole or absent.
    """
    stem, paths = Path(directory_stem), []
    needs = {"solution": result.solution, "convergence": result.history.get("step", ()), "network": result.edges, "law": result.law or ()}
    for name in [name for name, need in needs.items() if len(need)]:
        figure = {"solution": triptych, "convergence": convergence, "network": network, "law": card}[name](result)
        paths += saved(figure, stem.with_name(f"{stem.name}-{name}"), title=f"{result.problem}, {result.experiment}: {name}")
    return paths


def saved(figure: Figure, stem: str | Path, *, title: str) -> list[Path]:
    """Write a figure as ``<stem>.pdf`` and ``<stem>.png``; their paths. Raises ResultsError as :func:`draw` does."""
    stem, paths = Path(stem), []
    for suffix, extra in (("pdf", {"CreationDate": None}), ("png", {})):  # undated: the same bytes again
        with style(), io.BytesIO() as image:
            figure.savefig(image, format=suffix, metadata={"Title": title} | extra)
            paths.append(write_whole(stem.with_name(f"{stem.name}.{suffix}"), image.getvalue(), f"the figure {stem.name}"))
    return paths


@dataclass(frozen=True)
class View:
    """What is shown of the domain: coordinate ``names``, ``grid`` or ``points`` (n, d); ``cut`` takes fields there."""

    names: tuple[str, ...]
    grid: tuple[np.ndarray, ...] = ()
    points: np.ndarray | None = None
    where: str = ""
    cut: Callable[[np.ndarray], np.ndarray] = np.asarray


@dataclass(frozen=True)
class Row:
    """One unknown: ``solution`` and, if known, ``reference`` and ``magnitude`` (of error or residual); their titles."""

    solution: np.ndarray
    reference: np.ndarray | None
    magnitude: np.ndarray | None
    titles: tuple[str, str, str]


def triptych(result: Result) -> Figure:
    """For each unknown a row: solution, reference, |error| (log scale); without a reference, solution and |residual|.

    One coordinate: curves, solution and reference in one. Two: maps, time upwards. A grid in three: the middle slice of
    time, else of the last coordinate. Points in three or more: solution against reference, distribution of errors.
    Data: :func:`~kanpde.data_figures.agreement`.
    """
    if "kind" in result.equation:  # of data, which are no fields on a domain
        with style():
            return _finished(agreement(result), result)
    view = _view(result)
    rows = [_row(result, view, i) for i in range(len(result.unknowns))]
    drawn = {1: _curves, 2: _maps}.get(len(view.names), _distributions)
    with style():
        return _finished(drawn(rows, view), result)


def _view(result: Result) -> View:
    names, points = result.coordinates, result.solution_points
    grid = tuple(result.axes[name] for name in names) if result.axes else ()
    if not grid:
        if points is None:
            raise ValueError("The result has neither axes nor solution_points, so its solution has no place: give one.")
        if points.shape[1] > 1:
            return View(names, points=points)
        order = np.argsort(points[:, 0])
        return View(names, (points[order, 0],), cut=lambda values: values[order])
    if len(grid) == 3:
        k = names.index("t") if "t" in names else 2
        n = len(grid[k]) // 2
        where = f" at {symbol(names[k])} = ${number(grid[k][n])}$"
        rest, names = grid[:k] + grid[k + 1 :], names[:k] + names[k + 1 :]
        return View(names, rest, where=where, cut=lambda values: values.take(n, k))
    if len(grid) == 2 and names[0] == "t":
        return View(names[::-1], grid[::-1], cut=np.transpose)
    return View(names, grid)


def _row(result: Result, view: View, i: int) -> Row:
    name, letter = result.unknowns[i], "{" + symbol(result.unknowns[i])[1:-1] + "}"  # braces allow a second subscript
    fields = {key: view.cut(np.where(np.isfinite(values), values, np.nan)) for key, values in result.solution.items()}
    title = f"Solution ${letter}${view.where}"
    if f"exact_{name}" in fields:
        reference = fields[f"exact_{name}"]
        error = np.abs(fields.get(f"error_{name}", fields[name] - reference))
        of = letter + r"_{\mathrm{ref}}"
        return Row(fields[name], reference, error, (title, f"Reference ${of}$", f"Error $|{letter} - {of}|$"))
    residual = fields.get("residual" if i == 0 and "residual" in fields else f"residual_{i}")
    label = "Absolute residual" if "residual" in fields else f"Absolute residual of equation {i + 1}"
    return Row(fields[name], None, None if residual is None else np.abs(residual), (title, "", label))


def _curves(rows: list[Row], view: View) -> Figure:
    (x,) = view.grid
    figure = canvas(WIDTH, 0.35 + 1.9 * len(rows))
    for row, (left, right) in zip(rows, figure.subplots(len(rows), 2, squeeze=False), strict=True):
        left.set_title(row.titles[0])
        left.plot(x, row.solution, label="solution")
        if row.reference is not None:
            left.plot(x, row.reference, label="reference")
            left.legend()
        if row.magnitude is None:
            right.remove()
            continue
        norm = _log_norm(row.magnitude)
        right.plot(x, np.where(row.magnitude > 0, row.magnitude, np.nan), color="C1", linestyle="-", linewidth=0.8)
        right.set(title=row.titles[2], yscale="log", ylim=(norm.vmin, 2 * (norm.vmax or 1)))
    for ax in figure.axes:
        ax.set(xlabel=symbol(view.names[0]), xlim=(x[0], x[-1]))
        ax.locator_params("x", nbins=5)
    return figure


def _maps(rows: list[Row], view: View) -> Figure:
    spans = [float(np.ptp(values)) or 1.0 for values in (view.grid if view.points is None else view.points.T)]
    spatial = "t" not in view.names and 0.3 < spans[1] / spans[0] < 2
    columns = 1 + max((row.reference is not None) + (row.magnitude is not None) for row in rows)
    height = 0.46 + 1.69 * (spans[1] / spans[0] if spatial else 0.85)
    figure = canvas(WIDTH * (0.05 + 0.95 * max(columns, 2) / 3), 0.22 + height * len(rows))
    grid = figure.add_gridspec(len(rows), columns)
    for i, row in enumerate(rows):
        shown = [values for values in (row.solution, row.reference) if values is not None]
        fields = [(values, title, *_norm(np.stack(shown))) for values, title in zip(shown, row.titles, strict=False)]
        if row.magnitude is not None:
            fields.append((row.magnitude, row.titles[2], _log_norm(row.magnitude), "cividis"))
        for j, (values, title, norm, cmap) in enumerate(fields):
            ax = figure.add_subplot(grid[i, j], title=title, xlabel=symbol(view.names[0]))
            ax.set(ylabel="" if j else symbol(view.names[1]), aspect="equal" if spatial else "auto")
            ax.tick_params(labelleft=j == 0)
            _map(figure, ax, values, view, norm, cmap)
    return figure


def _map(figure: Figure, ax: Axes, values: np.ndarray, view: View, norm: Normalize, cmap: str) -> None:
    finite = bool(np.isfinite(values).all())
    if cmap == "cividis":
        values = np.maximum(values, norm.vmin or 0.0)  # a zero has no logarithm
    if view.points is None:
        x, y = view.grid
        image = ax.pcolormesh(x, y, values.T, norm=norm, cmap=cmap, shading="gouraud" if finite else "nearest")
        ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    else:
        x, y = view.points.T
        image = ax.scatter(x, y, np.clip(4e4 / len(x), 0.5, 60), values, norm=norm, cmap=cmap, linewidths=0)
    image.set_rasterized(True)
    if not np.isfinite(values).any():
        ax.text(0.5, 0.5, "not finite", transform=ax.transAxes, ha="center", va="center", color="0.4")
    ax.locator_params(nbins=5)
    figure.colorbar(image, cax=ax.inset_axes((1.04, 0, 0.05, 1)))  # as tall as the map, whatever its aspect


def _distributions(rows: list[Row], view: View) -> Figure:
    figure = canvas(WIDTH, 0.35 + 2.4 * len(rows))
    for row, (left, right) in zip(rows, figure.subplots(len(rows), 2, squeeze=False), strict=True):
        left.set(title=row.titles[0], xlabel="reference", ylabel="solution")
        right.set(title=row.titles[2], xlabel="value", ylabel="share of points below", xscale="log")
        if row.reference is not None:
            left.plot(row.reference, row.solution, ".", color="C2", markeredgewidth=0, rasterized=True)
            left.axline((row.reference[0],) * 2, slope=1, linestyle="-", linewidth=0.6)
        else:
            left.ecdf(row.solution[np.isfinite(row.solution)])
            left.set(xlabel="value", ylabel="share of points below")
        if row.magnitude is not None and (row.magnitude > 0).any():
            right.ecdf(row.magnitude[row.magnitude > 0])
    return figure


def _norm(values: np.ndarray) -> tuple[Normalize, str]:
    """Colour scale of a field: where its sign changes a diverging map centred on zero, otherwise viridis."""
    from matplotlib.colors import Normalize

    finite = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
    low, high = float(finite.min()), float(finite.max())
    most = max(-low, high)
    if min(-low, high) > 0.01 * most:  # a small overshoot is no change of sign
        return Normalize(-most, most), "RdBu_r"
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    return Normalize(low, high), "viridis"


def _log_norm(values: np.ndarray) -> Normalize:
    """Whole decades, one to six of them, from the first percentile to the largest value."""
    from matplotlib.colors import LogNorm

    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return LogNorm(1e-17, 1e-16)
    low, high = np.floor(np.log10(np.percentile(positive, 1))), np.ceil(np.log10(positive.max()))
    return LogNorm(10.0 ** min(max(low, high - 6), high - 1), 10.0**high)


def convergence(result: Result) -> Figure:
    """Loss, its parts and the error against steps (left) and seconds (right), log scale; refinements as vertical lines.

    Each of these bears the resolution that begins there, the new value of ``history["refinement"]``.
    """
    history = result.history
    own = {"loss_equation"} if "kind" in result.equation else set()  # of data: what "loss" is
    parts = [name for name in history if name.startswith("loss_") and name not in own]
    texts = {"loss": "loss"} | {
        name: "loss: " + name[5:].replace("$", r"\$") for name in parts if len(parts) > 1 or name != "loss_equation"
    }
    if np.isfinite(history.get("error_l2", np.nan)).any():
        texts = {"loss": "loss", "error_l2": "relative $L_2$ error", **texts}
    if "kind" in result.equation:
        texts |= {"loss": f"loss in training: {result.equation['loss']}"}
        texts |= {"validation_loss": "loss in validation"} if "validation_loss" in history else {}
    level = history.get("refinement", np.zeros(len(history["step"]), int))
    changes = np.flatnonzero(np.diff(level)) + 1
    with style():
        figure = canvas(WIDTH, 2.9)
        left, right = figure.subplots(1, 2, sharey=True)
        for ax, along, label in ((left, "step", "step"), (right, "seconds", "time (s)")):
            for name in texts:
                good = np.isfinite(history[name]) & (history[name] > 0)
                width, mark = (0.9 if name in parts else 1.3), ("o" if good.sum() == 1 else None)  # one point, no line
                ax.plot(history[along][good], history[name][good], linewidth=width, marker=mark, zorder=1 + width)
            ax.set(xlabel=label, yscale="log")
            _refinements(ax, history[along][changes], level[changes])
        left.set_ylabel("loss, error" if "error_l2" in texts else "loss")
        handles, labels = left.lines[: len(texts) + 1], [*texts.values(), "refined to"]
        columns = max(1, min(len(handles), 140 // (8 + max(map(len, labels)))))
        figure.legend(handles, labels[: len(handles)], loc="outside lower center", ncols=columns)
        return _finished(figure, result)


def _refinements(ax: Axes, places: np.ndarray, resolutions: np.ndarray) -> None:
    """Vertical lines; of labels that would overlap, the later is kept."""
    (low, high), free = ax.get_xlim(), np.inf
    for place, label in zip(places[::-1].tolist(), map(str, resolutions[::-1].tolist()), strict=True):
        ax.axvline(place, color="0.6", linewidth=0.5, linestyle="-", zorder=1, gid="refinement")
        here, half = (place - low) / (high - low), 0.009 * len(label) + 0.006
        if here + half <= free:
            ax.text(place, 1.01, label, transform=ax.get_xaxis_transform(), ha="center", fontsize=6.5, gid="resolution")
            free = here - half


def _finished(figure: Figure, result: Result) -> Figure:
    """Say which run this is; settle layout and ticks while the style still holds."""
    seed, error = result.provenance.get("seed"), result.metrics.get("relative_l2", np.nan)
    words = [f"{result.problem} · {result.experiment}".replace("$", r"\$"), "" if seed is None else f"seed {seed}"]
    words.append(f"relative $L_2$ error ${number(error)}$" if np.isfinite(error) else "")
    words.append("" if result.status == "complete" else result.status)
    figure.suptitle(" · ".join(filter(None, words)))
    figure.set_layout_engine("constrained", wspace=0.05)
    figure.draw_without_rendering()
    return figure


def network(result: Result, *, metric: str = "attribution") -> Figure:
    """The KAN that the result holds, every edge a small curve: see :func:`kanpde.drawing.draw_layers`. ValueError without edges."""
    return draw_layers(result.edges, result.architecture.get("input_names", result.coordinates), result.unknowns, metric=metric)


def card(result: Result) -> Figure:
    """The law card of a result, with the data of its only unknown if there are some; ValueError without a law."""
    if result.law is None:
        raise ValueError(f"{result.problem}, {result.experiment} has no law to draw")
    target, prediction = None, None
    if len(result.unknowns) == 1 and f"target_{result.unknowns[0]}" in result.solution:
        rows = result.solution["split"] == 0 if "split" in result.solution else slice(None)  # those that the law was found from
        target, prediction = result.solution[f"target_{result.unknowns[0]}"][rows], result.solution[result.unknowns[0]][rows]
    words = [result.problem, result.experiment, f"seed {result.provenance.get('seed', '?')}"]
    return law_card(result.law, target=target, prediction=prediction, title=" · ".join(words))
