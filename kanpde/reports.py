"""Words and tables about runs: the lines that a run ends on, and the comparison of many."""

import math
import os
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kanpde.law_reports import is_judged, law_summary, law_table, outcome
from kanpde.results import Result

DATA = ("rmse", "r2", "accuracy", "loss")  # of the test, columns of the table where a run has them
RISING = ("_r2", "_accuracy")  # ends of columns of which the least is the worst
COLUMNS = ("problem", "experiment", "seed", "status", "parameters", "relative_l2", "max_error", "mse", "seconds")
ERRORS = (("relative L2", "relative_l2"), ("relative H1", "relative_h1"), ("maximum", "max_error"), ("MSE", "mse"))
ABSOLUTE = (("RMS", "rms_error"), ("maximum", "max_error"))
ORDINARY = ("all steps done", "stalled", "the loss", "the residual is at the level", "there was nothing to change")
RESTORED = "restored the network of step"
OVERFITTING = 5.0  # times the residual in training: a larger one between the points is no accident
UNSURE = 0.01  # a cross-entropy below means that hardly a row is in doubt
ROUNDING = 1e-10  # a residual below says nothing about over-fitting


def report(result: Result, files: Sequence[Path]) -> str:
    """The five lines that a run ends on, and a sixth for each thing that went wrong on the way."""
    metrics = result.metrics
    lines = [
        f"{result.problem}/{result.experiment} seed {result.provenance['seed']}: {result.status}{_steps(metrics)}"
        + "".join(f", solved up to {key[10:]} = {value:g}" for key, value in metrics.items() if key.startswith("solved_to_")),
        *([f"  error     {_accuracy(metrics)}"] if "residual_rms" in metrics or "train_rows" in metrics or "max_error" in metrics else []),
        f"  time      {metrics['seconds']:.1f} s on {result.provenance['device']}, {result.provenance['threads']} threads",
        *(
            [f"  network   {_short(result.architecture['model'])}, {metrics['parameters']} parameters"]
            if "model" in result.architecture
            else []
        ),
        *(f"  formula   {words}" for words in _formulas(result)),
        *(f"  law       {words}" for words in _law(result)),
        *([f"  judged    {_judged(result)}"] if is_judged(result) else []),
        *(f"  stopped   {words}" for words in _endings(str(result.provenance.get("stops", "")))),
        *(f"  caution   {words}" for words in [overfitting(metrics)] if words),
        f"  files     {os.path.relpath(files[0])}{_figures(files[1:])}",
    ]
    return "\n".join(lines)


def _steps(metrics: Mapping[str, Any]) -> str:
    return f" after {metrics['steps']} steps" if "steps" in metrics else ""


def _judged(result: Result) -> str:
    """What the judge found, criterion by criterion."""
    known, proof = result.metrics, result.equation.get("proof", "")
    if known.get("control") == 2:
        return outcome(result)
    words = [f"|law/truth - 1| at most {known['deviation']:.1e}", f"difference zero by {proof}" if proof else ""]
    words.append(
        "" if proof or not known["structure"] else f"the same structure, {known['covered']} of {known['constants']} constants in 2 sigma"
    )
    words.append(f"{known['nodes']} nodes for {known['truth_nodes']}" if known["nodes"] else "")
    return f"{outcome(result)}: {', '.join(filter(None, words))}"


def _formulas(result: Result) -> list[str]:
    """Each unknown's formula, where the network is symbolic, and once how far they are from it."""
    lines = result.equation.get("formula", "").splitlines()
    return [*lines[:-1], f"{lines[-1]}  (within {result.metrics['formula_deviation']:.1g} of the network)"] if lines else []


def _law(result: Result) -> list[str]:
    """The formulas of the law, the last with the verdict."""
    if result.law is None:
        return []
    lines, verdict = str(result.law["formula"]).splitlines(), result.law["verdict"]
    if verdict == "no law":
        return [f"{verdict}: {result.law['reason']}", *(f"best of those tried: {line}" for line in lines)]
    return [*lines[:-1], f"{lines[-1]}  ({verdict})"]


def overfitting(metrics: Mapping[str, Any]) -> str:
    """What to say where the residual between the collocation points is far larger than on them; nothing where it is not."""
    if "train_rows" in metrics:
        return _of_unseen(metrics)
    grid, training = metrics.get("residual_rms", math.nan), metrics.get("residual_rms_training", math.nan)
    if not grid > max(OVERFITTING * training, ROUNDING):
        return ""
    return f"residual {grid:.2g} on the grid against {training:.2g} in training: more points, Sampling(interior=...), or a coarser basis"


def _of_unseen(metrics: Mapping[str, Any]) -> str:
    """The same of data: where the loss on rows that were not trained on is far larger."""
    split = "test" if metrics["test_rows"] else "validation"
    unseen, training = metrics.get(f"{split}_loss", math.nan), metrics["train_loss"]
    if not unseen > max(OVERFITTING**2 * training, UNSURE if "classes" in metrics else ROUNDING**2):
        return ""
    return (
        f"loss {unseen:.2g} in {split} against {training:.2g} in training: more data, EarlyStopping(..., restore=True), or a coarser basis"
    )


def _accuracy(metrics: Mapping[str, Any]) -> str:
    def words(kinds: Sequence[tuple[str, str]]) -> str:
        return ", ".join(f"{name} {metrics[key]:.2e}" for name, key in kinds if not math.isnan(metrics.get(key, math.nan)))

    if "train_rows" in metrics:
        return _of_data(metrics)
    if "max_error" not in metrics:
        return f"residual {metrics['residual_rms']:.2e} (no solution to compare with)"
    if math.isnan(metrics.get("relative_l2", math.nan)):
        return f"{words(ABSOLUTE) or 'not a number'} (absolute: there is no relative error where the solution to compare with is 0)"
    return words(ERRORS)


def _of_data(metrics: Mapping[str, Any]) -> str:
    """The metrics of the test, or where there is none of validation or training, with those of training."""
    split = next(name for name in ("test", "validation", "train") if metrics.get(f"{name}_rows"))
    names = [key.removeprefix(f"{split}_") for key in metrics if key.startswith(f"{split}_") and not key.endswith(("_rows", "_loss"))]
    every = [(name, metrics[f"{split}_{name}"], metrics[f"train_{name}"]) for name in names[:6] or ["loss"]]
    words = [f"{name.replace('_', ' ')} {here:.5g}" + f" ({training:.5g})" * (split != "train") for name, here, training in every]
    exact = f"; against exact: relative L2 {metrics['relative_l2']:.2e}" if "relative_l2" in metrics else ""
    return f"{split if split != 'train' else 'training'} {', '.join(words)}" + " (in training)" * (split != "train") + exact


def _endings(stops: str) -> list[str]:
    """Why rungs ended early, where it was not for want of steps or patience."""
    reasons = stops.split("; ") if stops else []
    rungs: dict[str, list[str]] = {}
    for number, reason in enumerate(reasons, 1):
        if not reason.startswith(ORDINARY) or RESTORED in reason:
            rungs.setdefault(reason, []).append(str(number))
    return [f"rung{'s' * (len(numbers) > 1)} {', '.join(numbers)} of {len(reasons)}: {reason}" for reason, numbers in rungs.items()]


def _figures(files: Sequence[Path]) -> str:
    """``and 3 figures beside it, as PDF and PNG``."""
    if not files:
        return ""
    count, formats = len({path.stem for path in files}), dict.fromkeys(path.suffix[1:].upper() for path in files)
    return f" and {count} figure{'s' * (count > 1)} beside it, as {' and '.join(formats)}"


def _short(model: str) -> str:
    """A network's repr with six digits a number, and the middle of long lists of breaks left out."""

    def rounded(found: re.Match[str]) -> str:
        value = float(found[0])
        return "0.0" if abs(value) < 1e-12 else repr(float(f"{value:.6g}"))

    def thinned(found: re.Match[str]) -> str:
        items = found[1].split(", ")
        return f"breaks=({', '.join(items[:3])}, ... {len(items)} in all ..., {items[-1]})" if len(items) > 8 else found[0]

    model = re.sub(r"np\.float64\(([^()]*)\)", r"\1", model)
    model = re.sub(r"-?\d+\.\d*(?:e[-+]?\d+)?|-?\d+e[-+]?\d+", rounded, model)
    return re.sub(r"breaks=[(\[]([^()\[\]]*)[)\]]", thinned, model)


def summary_rows(results: Iterable[Result]) -> list[dict[str, Any]]:
    """One row a run, with the columns of `comparison_table` as keys; what a run does not have is None."""
    rows, results = [], list(results)
    columns = _table_columns(results)
    for result in results:
        known = {"seconds": result.provenance.get("wall_seconds"), "parameters": result.parameters.size}
        known |= result.metrics | {"seed": result.provenance.get("seed")}
        known |= {"problem": result.problem, "experiment": result.experiment, "status": result.status}
        rows.append({column: known.get(column) for column in columns})
    return rows


def _table_columns(results: Sequence[Result]) -> tuple[str, ...]:
    """What there is to compare: of data the test, or else the validation or the training, and errors on a grid only if a run has them."""
    there = {key for result in results for key in result.metrics}
    splits = [split for split in ("test", "validation", "train") if f"{split}_loss" in there]
    if not splits:
        return COLUMNS
    errors = COLUMNS[5:-1] if any("train_loss" not in each.metrics or "relative_l2" in each.metrics for each in results) else ()
    return (*COLUMNS[:5], *errors, *(f"{splits[0]}_{name}" for name in DATA if f"{splits[0]}_{name}" in there), COLUMNS[-1])


def comparison_table(results: Iterable[Result]) -> str:
    """The runs as aligned plain text, one line each, then the median and the worst of every group of several seeds.

    Where all are searches for laws, the tables of :mod:`kanpde.law_reports` instead.

    ``-`` stands for what is missing. Medians are over the runs that have the number, and a nan counts as infinite;
    the status of a group says how many of its runs are complete.
    """
    results = list(results)
    judged = [each for each in results if is_judged(each)]
    if judged and len(judged) == len(results):
        return f"{law_table(judged)}\n\n{law_summary(judged)}"
    rows = summary_rows(results)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["problem"], row["experiment"]), []).append(row)
    for group in groups.values():
        if len(group) > 1:
            rows += [_summary(group, "median", statistics.median), _summary(group, "worst", max)]
    columns = list(rows[0]) if rows else COLUMNS
    lines = [[column.replace("_l2", " L2").replace("_", " ") for column in columns]]
    lines += [[_cell(column, row[column]) for column in columns] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown whose columns are aligned as plain text too: the first to the left, the others to the right.

    Floats are written with three digits; None and NaN as "-"; everything else as ``str`` has it.

    >>> print(markdown_table(["function", "rmse"], [["ellipj", 2.6e-8], ["jv", None]]))
    | function |    rmse |
    | :------- | ------: |
    | ellipj   | 2.6e-08 |
    | jv       |       - |
    """
    lines = [list(head), *([_plain(value) for value in row] for row in rows)]
    widths = [max(3, *map(len, cells)) for cells in zip(*lines, strict=True)]
    rule = [":" + "-" * (width - 1) if not k else "-" * (width - 1) + ":" for k, width in enumerate(widths)]
    padded = [[cell.rjust(w) if k else cell.ljust(w) for k, (cell, w) in enumerate(zip(line, widths, strict=True))] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])


def _plain(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _summary(group: Sequence[dict[str, Any]], label: str, summarise: Callable[[list[float]], float]) -> dict[str, Any]:
    complete = sum(row["status"] == "complete" for row in group)
    summary = {**group[0], "seed": label, "status": f"{complete}/{len(group)} complete"}
    for column in list(summary)[4:]:
        sign = -1 if column.endswith(RISING) else 1
        values = [math.inf if math.isnan(row[column]) else sign * row[column] for row in group if row[column] is not None]
        summary[column] = sign * summarise(values) if values else None
    return summary


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if column.endswith(RISING):
        return f"{value:.5f}"
    if column.startswith(("test_", "validation_", "train_")):
        return f"{value:.2e}"
    formats = {"parameters": ".0f", "relative_l2": ".2e", "max_error": ".2e", "mse": ".2e", "seconds": ".1f"}
    return format(value, formats.get(column, ""))
