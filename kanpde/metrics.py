"""Figures of merit of predictions, by name: ``Regression(data, metrics=("rmse", "r2"))``.

Each is a function of NumPy arrays whose arguments are matched by name. For a regression: ``prediction`` and ``target`` (n,) of one target.
For a classification: ``probability`` (n, C), ``predicted`` and ``label`` (n,), whole numbers from 0 to C - 1, and ``classes``, their names.
One that returns a mapping gives several, in the results but not in the history.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kanpde.arguments import nearest
from kanpde.calls import argument_names, call_by_name, function_name

REGRESSION = ("prediction", "target")
CLASSIFICATION = ("probability", "predicted", "label", "classes")

# ---- regression ----


def rmse(prediction: np.ndarray, target: np.ndarray) -> float:
    """The root of the mean squared error."""
    return _norm(prediction - target) / len(target) ** 0.5


def mae(prediction: np.ndarray, target: np.ndarray) -> float:
    """The mean absolute error."""
    return float(np.mean(np.abs(prediction - target)))


def max_error(prediction: np.ndarray, target: np.ndarray) -> float:
    """The largest absolute error."""
    return float(np.max(np.abs(prediction - target)))


def relative_l2(prediction: np.ndarray, target: np.ndarray) -> float:
    """|prediction - target| / |target|; NaN where all targets are 0."""
    return _ratio(_norm(prediction - target), _norm(target))


def r2(prediction: np.ndarray, target: np.ndarray) -> float:
    """The share of the targets' variance that is explained, 1 - |prediction - target|^2 / |target - mean|^2; NaN for constant targets."""
    return 1 - _ratio(_norm(prediction - target), _norm(target - target.mean())) ** 2


def _norm(values: np.ndarray) -> float:
    """The Euclidean norm, of values of any size without overflow."""
    most = float(np.max(np.abs(values)))
    return most * float(np.linalg.norm(values / most)) if 0 < most < np.inf else most


def _ratio(above: float, below: float) -> float:
    return above / below if below else float("nan")


# ---- classification ----


def accuracy(predicted: np.ndarray, label: np.ndarray) -> float:
    """The share of rows whose most probable class is theirs."""
    return float(np.mean(predicted == label))


def cross_entropy(probability: np.ndarray, label: np.ndarray) -> float:
    """The mean of -log of the probability that the row's class is given, in nats."""
    with np.errstate(divide="ignore"):
        return float(-np.mean(np.log(probability[np.arange(len(label)), label])))


def balanced_accuracy(predicted: np.ndarray, label: np.ndarray) -> float:
    """The mean over the classes that occur of the share of their rows that is recognised."""
    return float(np.mean([np.mean(predicted[label == each] == each) for each in np.unique(label)]))


def f1(predicted: np.ndarray, label: np.ndarray, classes: Sequence[str]) -> float:
    """2 tp / (2 tp + fp + fn): of the second of two classes, else the mean over those that occur or are predicted."""
    scores = []
    for each in (1,) if len(classes) == 2 else np.union1d(label, predicted):
        hits = np.sum((predicted == each) & (label == each))
        scores.append(_ratio(2.0 * hits, float(np.sum(predicted == each) + np.sum(label == each))))
    return float(np.mean(scores))


def confusion(predicted: np.ndarray, label: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    """How many rows of each class are taken for each: ``{"cat_as_dog": 3, ...}``."""
    counts = confusion_matrix(predicted, label, len(classes))
    return {f"{one}_as_{other}": int(counts[i, j]) for i, one in enumerate(classes) for j, other in enumerate(classes)}


def confusion_matrix(predicted: np.ndarray, label: np.ndarray, count: int) -> np.ndarray:
    """The same as a matrix (C, C), a row for each true class."""
    return np.bincount(label * count + predicted, minlength=count * count).reshape(count, count)


# ---- by name ----

Metric = Callable[..., Any]
BY_NAME: dict[tuple[str, ...], dict[str, Metric]] = {
    REGRESSION: {each.__name__: each for each in (rmse, mae, max_error, relative_l2, r2)},
    CLASSIFICATION: {each.__name__: each for each in (accuracy, cross_entropy, balanced_accuracy, f1, confusion)},
}


def chosen(given: Any, arguments: tuple[str, ...]) -> dict[str, Metric]:
    """The metrics that a user names, by name: names, own functions of some of ``arguments``, or mappings from name to function.

    Raises ``ValueError`` or ``TypeError`` for a name that there is not, twice the same, and a function of something else.
    """
    known, found = BY_NAME[arguments], dict[str, Metric]()
    items: Iterable[Any] = (given,) if isinstance(given, (str, Mapping)) or callable(given) else given
    for item in items:
        if isinstance(item, str):
            if item not in known:
                raise ValueError(
                    f"there is no metric {item!r}, only {', '.join(known)}{nearest(item, list(known))}; give a function instead"
                )
            pairs = {item: known[item]}
        elif isinstance(item, Mapping):
            pairs = {str(name): each for name, each in item.items()}
        else:
            pairs = {getattr(item, "__name__", repr(item)): item}
        for name, each in pairs.items():
            if not callable(each):
                raise TypeError(f"the metric {name!r} is {each!r}: give a function of {', '.join(arguments)}")
            if not name.isidentifier() or name in found or name == "loss":
                raise ValueError(
                    f"a metric cannot be called {name!r}: give each a name of its own, metrics=dict(within=lambda prediction, target: ...)"
                )
            for argument in argument_names(each):
                if argument not in arguments:
                    hint = nearest(argument, arguments)
                    raise TypeError(f"the metric {function_name(each)} asks for {argument!r}, but there is {', '.join(arguments)}{hint}")
            found[name] = each
    return found


def values(metrics: Mapping[str, Metric], available: Mapping[str, Any], *, single: bool = False) -> dict[str, float]:
    """The metrics' values by name, with ``single`` of those that are one number; ``TypeError`` for what is no number."""
    found: dict[str, float] = {}
    for name, metric in metrics.items():
        value = call_by_name(metric, available)
        if single and isinstance(value, Mapping):
            continue
        pairs = {f"{name}_{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
        for key, each in pairs.items():
            try:
                found[key] = float(each)
            except (TypeError, ValueError):
                raise TypeError(f"the metric {name} returns {each!r:.60}, which is no number") from None
    return found
