"""Scaling: the error of several runs against the resolution, and against the number of parameters, drawn from their results alone.

:func:`scaling` has a row for each problem, :func:`pareto` a small panel for each of many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kanpde.drawing import WIDTH, canvas, style
from kanpde.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = "osD^vP*X"
DASHES = ("--", "-.", (0, (1, 3)))


def ladder(result: Result, column: str = "validation_rmse") -> dict[str, np.ndarray]:
    """The end of every rung of a run: ``resolution``, ``parameters``, ``error`` (of the ``column``) and ``seconds``, (rungs,) each.

    The number of parameters is in the history where ``Record(parameters=lambda run: run.fit.network.parameter_count)`` put it; of a run
    with one resolution it is that of the end. Raises ``ValueError`` where it or the column is missing.
    """
    history = result.history
    if column not in history:
        raise ValueError(f"{result.experiment} has no {column!r} by step, only {', '.join(history)}")
    level = history["refinement"]
    last = np.append(np.flatnonzero(np.diff(level)), len(level) - 1)
    counts = history.get("parameters")
    if counts is None and len(last) > 1:
        raise ValueError(
            f"{result.experiment} was refined, and its history has no parameters: "
            "callbacks=[Record(parameters=lambda run: run.fit.network.parameter_count)]"
        )
    parameters = np.array([result.metrics["parameters"]]) if counts is None else counts[last]
    return {"resolution": level[last], "parameters": parameters, "error": history[column][last], "seconds": history["seconds"][last]}


def slopes(parameters: np.ndarray, error: np.ndarray) -> np.ndarray:
    """-d log(error) / d log(parameters) between neighbours, (rungs - 1,)."""
    return -np.diff(np.log(error)) / np.diff(np.log(parameters))


def scaling(
    results: Sequence[Result],
    *,
    column: str = "validation_rmse",
    order: float = 4.0,
    floors: Mapping[str, Mapping[int, float]] | None = None,
) -> Figure:
    """``column`` against the resolution (left) and against the parameters (right), one row for each problem: experiments called
    ``<problem>-<method>`` belong together.

    Runs that were refined are curves; those that were not, such as MLPs of several widths, are joined into one by the name before the
    last "-". The dashed lines fall with the power ``order``; ``floors`` are best approximations by resolution, drawn as crosses.
    """
    problems = dict.fromkeys(result.experiment.partition("-")[0] for result in results)
    groups = {name: [result for result in results if result.experiment.partition("-")[0] == name] for name in problems}
    with style():
        figure = canvas(WIDTH, 0.3 + 2.5 * len(groups))
        axes = figure.subplots(len(groups), 2, squeeze=False, sharey="row")
        for (name, group), (left, right) in zip(groups.items(), axes, strict=True):
            _row(left, right, group, column, order)
            for resolution, floor in (floors or {}).get(name, {}).items():
                left.plot(resolution, floor, "x", color="0.2", markersize=6, zorder=5)
            for ax in (left, right):
                _numbers_below(ax)
                ax.margins(x=0.08)
            left.set(title=name.replace("$", r"\$"), xlabel="intervals or degree", ylabel=column.replace("_", " "))
            right.set(xlabel="parameters")
            right.legend(loc="best")
        figure.set_layout_engine("constrained")
        figure.draw_without_rendering()
    return figure


def _row(left: Axes, right: Axes, results: Sequence[Result], column: str, order: float) -> None:
    single: dict[str, list[tuple[float, float]]] = {}
    first = None
    for number, result in enumerate(results):
        found = ladder(result, column)
        if len(found["error"]) == 1:
            key = result.experiment.rpartition("-")[0] or result.experiment
            single.setdefault(key, []).append((float(found["parameters"][0]), float(found["error"][0])))
            continue
        first = found if first is None else first
        label, mark = result.experiment, MARKS[number % len(MARKS)]
        left.loglog(found["resolution"], found["error"], mark, linestyle="-", color=f"C{number}", markersize=4)
        right.loglog(found["parameters"], found["error"], mark, linestyle="-", color=f"C{number}", markersize=4, label=label)
    for key, pairs in single.items():
        x, y = np.array(sorted(pairs)).T
        right.loglog(x, y, "s", linestyle=":", color="0.4", markersize=4, label=key)
    if first is not None:
        for ax, x in ((left, first["resolution"]), (right, first["parameters"])):
            start = first["error"][0]
            ax.loglog(x, start * (x[0] / x) ** order, linestyle="--", linewidth=0.8, color="0.6", zorder=0)
            ax.annotate(
                f"$\\propto x^{{-{order:g}}}$", (x[-1], start * (x[0] / x[-1]) ** order), fontsize=7, color="0.5", ha="right", va="bottom"
            )


def pareto(
    results: Sequence[Result],
    *,
    column: str = "validation_rmse",
    landmarks: Mapping[str, Mapping[str, float]] | None = None,
    labels: Mapping[str, str] | None = None,
    columns: int = 3,
) -> Figure:
    """``column`` against the number of parameters: a panel for each problem, in rows of ``columns``, and a colour for each method.

    Experiments called ``<problem>`` or ``<problem>-<method>`` belong together. A point is the end of a rung (:func:`ladder`), of several
    seeds the median; those of one method are joined. The broad steps behind are the front: the least error that any network but an MLP
    reaches with as many parameters or fewer. ``landmarks`` are errors to compare with, by problem and name, drawn as horizontal lines;
    ``labels`` are what the legend calls a method, "" that of ``<problem>`` alone.
    """
    from matplotlib.lines import Line2D

    groups: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        name, _, method = result.experiment.partition("-")
        groups.setdefault(name, {}).setdefault("MLP" if _is_mlp(result) else method, []).append(result)
    methods = dict.fromkeys(method for group in groups.values() for method in group)
    kans = [method for method in methods if method != "MLP"]
    looks: dict[str, dict[str, Any]] = {
        each: {"marker": MARKS[k % len(MARKS)], "linestyle": "-", "color": f"C{k}"} for k, each in enumerate(kans)
    } | {"MLP": {"marker": "s", "linestyle": ":", "color": "0.4"}}
    marks = dict.fromkeys(mark for each in (landmarks or {}).values() for mark in each)
    dashes = {mark: {"linestyle": DASHES[k % len(DASHES)], "color": "0.2", "linewidth": 0.8} for k, mark in enumerate(marks)}
    columns = min(columns, len(groups))
    rows = -(-len(groups) // columns)
    with style():
        figure = canvas(WIDTH, 0.6 + 1.7 * rows)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (name, group) in zip(axes, groups.items(), strict=False):
            _panel(ax, {method: _curve(some, column) for method, some in group.items()}, looks)
            for mark, value in (landmarks or {}).get(name, {}).items():
                ax.axhline(value, zorder=0, **dashes[mark])
            ax.set_title(name.replace("$", r"\$"), fontsize=8)
        for number, ax in enumerate(axes):
            ax.set_visible(number < len(groups))
            ax.set(xlabel="parameters" * (number + columns >= len(groups)), ylabel=column.replace("_", " ") * (number % columns == 0))
        words = {"": "KAN", **(labels or {})}
        handles = [Line2D([], [], markersize=3, linewidth=1, label=words.get(each, each), **looks[each]) for each in methods]
        handles += [Line2D([], [], label=mark, **dashes[mark]) for mark in marks]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        figure.set_layout_engine("constrained")
        figure.draw_without_rendering()
    return figure


def _panel(ax: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]], looks: Mapping[str, Mapping[str, Any]]) -> None:
    for method, (x, y) in curves.items():
        ax.loglog(x, y, markersize=3, linewidth=1, **looks[method])
    ours = [curve for method, curve in curves.items() if method != "MLP"]
    if ours:
        x, y = (np.concatenate(each) for each in zip(*ours, strict=True))
        order = np.lexsort((y, x))
        ax.step(x[order], np.minimum.accumulate(y[order]), where="post", color="0.85", linewidth=4, zorder=0)
    _numbers_below(ax)
    ax.tick_params(labelsize=7)


def _curve(results: Sequence[Result], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and errors of every rung of runs by one method, (n,) each, the median where several have as many parameters."""
    rungs = [ladder(result, column) for result in results]
    parameters, errors = (np.concatenate([each[name] for each in rungs]) for name in ("parameters", "error"))
    counts = np.unique(parameters)
    return counts, np.array([np.median(errors[parameters == count]) for count in counts])


def _numbers_below(ax: Axes) -> None:
    """Mark the horizontal axis, which is logarithmic, at 1, 2, 5, 10, ..., as whole numbers."""
    from matplotlib.ticker import LogLocator

    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")


def _is_mlp(result: Result) -> bool:
    return str(result.architecture.get("kind")) == "MLP"
