"""How much is forgotten: the retention matrix R, R[j, i] the error on task i after task j was learnt, and what follows from it.

Row 0 is the network before any task.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from kanpde.reports import markdown_table
from kanpde.results import Result

QUADRATIC = ("rmse", "rms_error", "relative_l2", "relative_h1", "residual_rms", "residual_rms_training")  # whose squares have a mean
ERRORS = ("test_rmse", "validation_rmse", "train_rmse", "relative_l2", "rms_error", "residual_rms", "test_loss", "train_loss")


def main_error(names: Sequence[str]) -> str:
    """The error by which forgetting is judged: of those that there are, the first of ``ERRORS``; ``ValueError`` without one of them."""
    for name in ERRORS:
        if name in names:
            return name
    raise ValueError(f"the tasks have none of the errors {', '.join(ERRORS)}: give Regression(metrics=('rmse', ...))")


def backward_transfer(retention: np.ndarray) -> float:
    """mean over i < T of R[i, i] - R[T, i]: negative where later tasks made earlier ones worse, as errors are the better the smaller.

    Source: Lopez-Paz and Ranzato, NeurIPS 30 (2017), equation 3, there of accuracies. ``retention`` is (T + 1, T).
    """
    learnt = np.diag(retention[1:])
    return float(np.mean((learnt - retention[-1])[:-1]))


def forgetting(retention: np.ndarray) -> float:
    """mean over i < T of R[T, i] - min over i <= j < T of R[j, i], at least what is lost since a task was known best.

    Source: Chaudhry et al., ECCV 2018, equation 3, there of accuracies. ``retention`` is (T + 1, T).
    """
    tasks = retention.shape[1]
    best = np.array([retention[i + 1 : tasks, i].min() for i in range(tasks - 1)])
    return float(np.mean(retention[-1, :-1] - best))


def over_all(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Numbers of all tasks together, each task weighing alike: root mean squares of errors that are such, the greatest maximum, sums of
    rows and points, the mean of all others.
    """
    found = {}
    for name in metrics[0]:
        values = [float(each[name]) for each in metrics if name in each]
        if len(values) < len(metrics):
            continue
        if name.endswith(("_rows", "grid_points")):
            found[name] = int(sum(values))
        elif name.endswith(QUADRATIC):
            found[name] = math.sqrt(sum(value**2 for value in values) / len(values))
        else:
            found[name] = max(values) if name.endswith("max_error") else sum(values) / len(values)
    return found


def retention_table(results: Mapping[str, Sequence[Result]], *, floors: Mapping[str, float] | None = None) -> str:
    """A line for each experiment, ``<network>-<remedy>``, of sequences of tasks: the root mean square over all tasks of the errors when
    each was learnt, and at the end, medians over the seeds and the worst seed; what is forgotten; the ``floors`` of the networks by name.
    """
    head = ["network-remedy", "parameters", "numbers kept", "error when learnt", "error at the end", "worst seed", "forgetting", "floor"]
    rows = []
    for name, runs in results.items():
        error, known = main_error(list(runs[0].retention)), runs[0].metrics
        learnt = np.sqrt([np.mean(np.diag(run.retention[error][1:]) ** 2) for run in runs])
        end = np.sqrt([np.mean(run.retention[error][-1] ** 2) for run in runs])
        forgotten = float(np.median([run.metrics["forgetting"] for run in runs]))
        found = [known["parameters"], known["kept_numbers"], float(np.median(learnt)), float(np.median(end)), float(end.max()), forgotten]
        rows.append([name, *found, (floors or {}).get(name.partition("-")[0])])
    return markdown_table(head, rows)
