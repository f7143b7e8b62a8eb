"""Figures of sequences of tasks: the function after each, retention matrices, the error over the phases; drawn from results alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kanpde.drawing import WIDTH, canvas, style
from kanpde.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = "osD^vP*X"
LOWEST = 1e-16


def phases(results: Sequence[Result], *, exact: Callable[..., Any] | None = None, unknown: str | None = None) -> Figure:
    """The function of one coordinate after each task: a row a task, a column a run; what was shown so far is shaded.

    ``exact`` is drawn behind, as far as it was shown. Figure 3.5 of Liu et al., arXiv 2404.19756. Raises ``ValueError`` for results without
    such functions.
    """
    for result in results:
        if "points" not in result.retention:
            raise ValueError(f"{result.experiment} has no function of one coordinate after each task: leave it out")
    learnt = max(int(result.metrics["tasks"]) for result in results)
    with style():
        figure = canvas(WIDTH, 0.5 + 0.75 * learnt)
        axes = figure.subplots(learnt, len(results), squeeze=False, sharex=True, sharey=True)
        for column, result in zip(axes.T, results, strict=True):
            name, x = unknown or result.unknowns[0], result.retention["points"]
            column[0].set_title(result.experiment, fontsize=7)
            edges = np.linspace(x[0], x[-1], _tasks(result) + 1)
            truth = None if exact is None else exact(x)
            for phase, ax in enumerate(column[: len(result.retention[f"after_{name}"]) - 1], 1):
                if truth is not None:
                    seen = x <= edges[phase]
                    ax.plot(x[seen], truth[seen], color="0.7", linestyle="-", linewidth=2)
                    ax.set_ylim(truth.min() - 0.3 * np.ptp(truth), truth.max() + 0.3 * np.ptp(truth))
                ax.axvspan(edges[phase - 1], edges[phase], color="C0", alpha=0.12, linewidth=0)
                ax.plot(x, result.retention[f"after_{name}"][phase], color="C1", linestyle="-", linewidth=0.8)
                ax.set_xlim(x[0], x[-1])
        for phase, ax in enumerate(axes[:, 0], 1):
            ax.set_ylabel(f"phase {phase}")
        return _settled(figure)


def matrices(results: Sequence[Result], error: str, *, columns: int = 4) -> Figure:
    """The retention matrix of every run: a row a phase, from top to bottom, a column a task; tasks not yet learnt are left white."""
    from matplotlib.colors import LogNorm

    shown = [_learnt(result, error) for result in results]
    finite = np.concatenate([each[np.isfinite(each)] for each in shown])
    low, high = max(float(finite.min()), LOWEST), min(float(finite.max()), 10.0)
    norm = LogNorm(10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(max(high, 10 * low))))
    with style():
        rows, columns = -(-len(results) // columns), min(columns, len(results))
        figure = canvas(WIDTH, 0.5 + rows * 0.95 * WIDTH / columns)
        axes = figure.subplots(rows, columns, squeeze=False)
        image = None
        for ax, result, matrix in zip(axes.flat, results, shown, strict=False):
            tasks = matrix.shape[1]
            image = ax.imshow(np.maximum(matrix, norm.vmin or 0.0), norm=norm, cmap="cividis")
            for phase in range(len(matrix)):
                for task in range(phase + 1):
                    value = matrix[phase, task]
                    dark = (np.log(max(value, LOWEST)) - np.log(norm.vmin)) / (np.log(norm.vmax) - np.log(norm.vmin)) < 0.55  # type: ignore[arg-type]
                    ax.text(task, phase, f"{round(np.log10(max(value, LOWEST)))}", ha="center", va="center", fontsize=5.5,
                            color="white" if dark else "black")  # fmt: skip
            ax.set_title(result.experiment, fontsize=7)
            ax.set_xticks(range(tasks), [str(task) for task in range(1, tasks + 1)])
            ax.set_yticks(range(len(matrix)), [str(phase) for phase in range(1, len(matrix) + 1)])
            ax.tick_params(length=0)
        for ax in axes.flat[len(results) :]:
            ax.remove()
        figure.supxlabel("task (numbers: log10 of the error on it)", fontsize=7)
        for ax in axes[:, 0]:
            ax.set_ylabel("after task")
        if image is not None:
            figure.colorbar(image, ax=list(figure.axes), label=error.replace("_", " "), shrink=0.6)
        return _settled(figure)


def over_phases(results: Sequence[Result], error: str) -> Figure:
    """The root mean square of the errors on all tasks learnt so far, after each of them; one curve a run."""
    with style():
        figure = canvas(WIDTH, 3.2)
        ax = figure.subplots()
        for number, result in enumerate(results):
            matrix = _learnt(result, error)
            levels = [float(np.sqrt(np.mean(matrix[phase, : phase + 1] ** 2))) for phase in range(len(matrix))]
            mark = MARKS[number % len(MARKS)]
            ax.semilogy(range(1, len(levels) + 1), levels, marker=mark, markersize=4, linewidth=1, label=result.experiment)
        most = max(map(_tasks, results))
        ax.set(xlabel="tasks learnt", ylabel=f"{error.replace('_', ' ')} over them", xticks=range(1, most + 1))
        figure.legend(loc="outside right upper", fontsize=7)
        return _settled(figure)


def _tasks(result: Result) -> int:
    """How many there are, learnt or not."""
    return next(each.shape[1] for name, each in result.retention.items() if each.ndim == 2 and not name.startswith("after_"))


def _learnt(result: Result, error: str) -> np.ndarray:
    """(T, T), NaN for tasks that come later; ``ValueError`` for an error that the result does not have."""
    if error not in result.retention:
        known = [name for name in result.retention if name != "points" and not name.startswith("after_")]
        raise ValueError(f"{result.experiment} has no retention of {error!r}, only {', '.join(known) or 'none'}")
    matrix = result.retention[error][1:].astype(float).copy()
    matrix[np.triu_indices(len(matrix), 1)] = np.nan
    return matrix


def _settled(figure: Figure) -> Figure:
    figure.set_layout_engine("constrained")
    figure.draw_without_rendering()
    return figure
