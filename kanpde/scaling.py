"""Scaling: the error of several runs against the resolution, and against the number of parameters, drawn from their results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kanpde.drawing import WIDTH, canvas, style
from kanpde.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = "osD^vP*X"


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
    from matplotlib.ticker import LogLocator

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
                ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                ax.xaxis.set_major_formatter("{x:g}")
                ax.xaxis.set_minor_formatter("")
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
