"""Formulas of columns that the votes of rows have no terms for, read off networks; and the groups of columns that formulas tie."""

from collections.abc import Iterable, Sequence

import numpy as np

from kanpde.bases import Chebyshev
from kanpde.datasets import Dataset
from kanpde.editing import AdaptRanges, Prune
from kanpde.experiment import Experiment
from kanpde.kan import KAN
from kanpde.optimizers import LevenbergMarquardt
from kanpde.penalties import Sparsify
from kanpde.relations.exact import Exact
from kanpde.schedule import Refine, Starts
from kanpde.supervised import Regression

ROWS = 1000  # that a law is searched in


def law_formula(
    X: np.ndarray, y: np.ndarray, names: Sequence[str], target: str, *, tolerance: float, seconds: float, seed: int
) -> Exact | None:
    """The law y = f(x) of columns X (n, d), called ``names``, if it is exact and holds to ``tolerance`` times the rms of y in every row.

    It is extracted from a sparsified network with one hidden node, or found by the search that begins there (:func:`kanpde.extract`), in at
    most ``seconds``. Columns that it does not need are not among its inputs.
    """
    from kanpde.discovery import extract

    some = np.random.default_rng((seed, 13)).permutation(len(y))[:ROWS]
    drawn = {name: column[some] for name, column in zip(names, X.T, strict=True)}
    data = Dataset({**drawn, target: y[some]}, inputs=list(names), targets=[target], train=1.0, seed=seed)
    fitted = LevenbergMarquardt(steps=40, patience=6)
    experiment = Experiment(
        Regression(data),
        model=KAN(len(names), 1, 1, basis=Chebyshev(5), hidden="range"),
        training=[Starts(8, 20), fitted, Sparsify(1e-2, 1e-3), Prune(0.3), fitted, AdaptRanges(margin=0.01), Refine(10, 20)],
    )
    law = extract(experiment.trained_network(experiment.run(seed=seed)), data, seconds=seconds, seed=seed)
    if law.verdict != "exact within noise":
        return None
    values = np.asarray(law(X), dtype=float)
    holds = np.abs(values - y) <= tolerance * np.sqrt(np.mean(y**2))
    if not holds.all():
        return None
    used = {str(symbol) for symbol in law.numbers.free_symbols}
    formula = law.formula.partition(" = ")[2]
    return Exact(formula, tuple(name for name in names if name in used), values, holds, float(np.abs(values - y).max()), len(formula))


def groups(columns: Sequence[str], ties: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Columns that ``ties`` (columns of one formula each) join directly or through others, in their order; one alone is its own group.

    >>> groups(["a", "b", "c", "d"], [("c", "a")])
    [('a', 'c'), ('b',), ('d',)]
    """
    label = {name: k for k, name in enumerate(columns)}
    for tie in ties:
        joined = {label[name] for name in tie}
        label = {name: min(joined) if each in joined else each for name, each in label.items()}
    return [tuple(name for name in columns if label[name] == each) for each in dict.fromkeys(label.values())]
