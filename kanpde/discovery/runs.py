"""The search for a law as something that a problem file defines, and the command line runs, resumes, draws and compares.

experiment = LawSearch(law("ringdown"), noise=0.01)  # law from kanpde.science.laws
experiment = LawSearch(Dataset("kepler.csv", targets=["period"]), units=dict(a="m", mu="m^3/s^2", period="s"))
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kanpde.datasets import Dataset
from kanpde.discovery.searches import Found, Search, timed
from kanpde.notation import typeset_all
from kanpde.science.feynman import Formula
from kanpde.symbolic.law import Law
from kanpde.symbolic.samples import fewest_rows

if TYPE_CHECKING:
    from kanpde.symbolic.judging import Judgement  # which loads sympy

FRESH = 1000  # rows without noise that a formula is tested on

# as kanpde.discovery.discover: (X, y, *, names, output, seed, seconds), with units and sigma where there are some
Method = Callable[..., Law]


@dataclass(frozen=True, repr=False)
class LawSearch(Search):
    """Find the law of one target, and judge it where the truth is known.

    ``data`` is a :class:`~kanpde.datasets.Dataset` with one target, or a :class:`~kanpde.science.feynman.Formula`, of which ``rows``
    samples are drawn by the seed of the run, with normal noise of ``noise`` times their rms. ``values``, a function (points, seed) -> (n,),
    stands in for the formula where there is to be no law, such as :func:`kanpde.science.laws.bumps`: then whatever is claimed is wrong.
    ``truth`` is the formula behind a data set, where it is known; ``scrambled`` says that its constants are not nice, for the tables.

    ``units`` are given to the search, which gets at most ``seconds``. ``method`` is what searches, by default
    :func:`kanpde.discovery.discover`: any function (X, y, *, names, output, seed, seconds) -> Law, with ``units`` where some are given,
    and ``sigma`` (n,) where the data have one.

    Raises ``TypeError`` or ``ValueError`` for data of another kind, several targets, too few rows, numbers out of range, units that are
    missing or not understood, a truth that is no formula of the data's columns, and a method or values that are no functions.
    """

    data: Dataset | Formula
    noise: float = 0.0
    rows: int = 2000
    seconds: float = 60.0
    units: Mapping[str, str] | None = None
    truth: Formula | None = None
    values: Callable[[np.ndarray, int], np.ndarray] | None = None
    scrambled: bool = False
    method: Method | None = None
    quick: float = 5.0

    def __post_init__(self) -> None:
        if not isinstance(self.data, (Dataset, Formula)):
            raise TypeError(f'LawSearch takes a Dataset or a Formula such as law("ringdown"), got {self.data!r:.80}')
        names, output = self._names
        fewest = fewest_rows(len(names))
        self._check_numbers(fewest)
        self._check_method("(X, y, *, names, output, seed, seconds)")
        if self.values is not None and not callable(self.values):
            raise TypeError(f"values is a function (points, seed) -> (n,), or None, got {self.values!r}")
        if not isinstance(self.scrambled, bool):
            raise TypeError(f"scrambled is True or False, got {self.scrambled!r}")
        if isinstance(self.data, Dataset):
            self._check_dataset(self.data, fewest)
            if self.values is not None:
                raise ValueError("values stand in for a Formula, the data of a Dataset are what they are: leave values out")
            self._check_truth(names)
        elif self.truth is not None:
            raise ValueError(f"the truth of samples of {self.data!r} is that formula: leave truth out")
        if self.units is not None:
            from kanpde.symbolic.units import Units

            Units.of(self.units, names, output)

    def _check_truth(self, names: Sequence[str]) -> None:
        if self.truth is None:
            return
        if not isinstance(self.truth, Formula):
            raise TypeError(f'truth is a Formula such as law("ringdown"), or None, got {self.truth!r:.80}')
        if more := sorted(set(self.truth.variables) - set(names)):
            raise ValueError(f"the truth {self.truth!r} is of {', '.join(more)}, which the data do not have: they are {', '.join(names)}")

    def _found(self, seed: int) -> Found:
        if self.method is None:
            from kanpde.discovery import discover

            method: Method = discover
        else:
            method = self.method
        names, output = self._names
        X, y, fresh, target = self._rows(seed)
        given: dict[str, Any] = {} if self.units is None else {"units": self.units}
        if isinstance(self.data, Dataset) and (sigma := self.data["train"].sigma) is not None:
            given["sigma"] = sigma[:, 0]
        law, seconds = timed(lambda: method(X, y, names=names, output=output, seed=seed, seconds=self.seconds, **given))
        points, targets = np.concatenate([X, fresh]), np.concatenate([y, target])
        predicted = law(points) if law.expressions else np.full(len(points), np.nan)
        split = np.repeat([0, 1], [len(X), len(fresh)])
        metrics = _errors("train", targets[split == 0], predicted[split == 0]) | _errors("test", targets[split == 1], predicted[split == 1])
        return Found(
            law,
            self._judgement(law),
            seconds,
            inputs=names,
            points=X,
            sampling="the training rows of the data" if isinstance(self.data, Dataset) else f"uniform, seed {seed}",
            equation=self._wording(names, output),
            metrics=metrics | {"control": self._control},
            solution={output: predicted, f"target_{output}": targets, "split": split, "row": np.arange(len(points))},
            solution_points=points,
        )

    @property
    def _names(self) -> tuple[tuple[str, ...], str]:
        if isinstance(self.data, Dataset):
            return self.data.input_names, self.data.target_names[0]
        return self.data.variables, self.data.output

    @property
    def _control(self) -> int:
        """0, or a place in :data:`kanpde.law_reports.CONTROLS`."""
        return 2 if self.values is not None else int(self.scrambled)

    def _rows(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows to search in, and others to test on: of a data set its test rows, of a formula fresh ones without noise."""
        if isinstance(self.data, Dataset):
            train, test = self.data["train"], self.data["test"]
            return train.inputs, train.targets[:, 0].astype(float), test.inputs, test.targets[:, 0].astype(float)
        from kanpde.symbolic.judging import samples, true_values

        fresh = self.data.points(FRESH, 20_000 + seed)
        if self.values is None:
            return *samples(self.data, self.rows, noise=self.noise, seed=seed), fresh, true_values(self.data, fresh)
        points = np.concatenate([self.data.points(self.rows, seed), fresh])
        values = np.asarray(self.values(points, seed), dtype=float)
        noise = self.noise * float(np.sqrt(np.mean(values**2))) * np.random.default_rng([seed, 1]).standard_normal(self.rows)
        return points[: self.rows], values[: self.rows] + noise, fresh, values[self.rows :]

    def _judgement(self, law: Law) -> "Judgement | None":
        from kanpde.symbolic.judging import judged

        if self.values is not None:
            return judged(law, None, noise=self.noise)
        truth = self.data if isinstance(self.data, Formula) else self.truth
        return judged(law, truth, noise=self.noise) if truth is not None else None

    def _wording(self, names: Sequence[str], output: str) -> dict[str, str]:
        letters = typeset_all([output, *names])
        latex = rf"{letters[output]} \approx f({', '.join(letters[name] for name in names)})"
        words = {"latex": latex, "kind": "regression", "splits": json.dumps(["train", "test"]), "loss": "sum of squares"}
        truth = self.data if isinstance(self.data, Formula) else self.truth
        if self.values is not None:
            return words | {"text": f"{output} = {getattr(self.values, '__name__', 'values')}({', '.join(names)})"}
        return words | {"text": f"{truth.output} = {truth.text}" if truth is not None else repr(self.data)}


def _errors(split: str, target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """rmse, r2 and the number of rows; NaN without rows or without a law."""
    if not len(target):
        return {f"{split}_rows": 0}
    square = float(np.mean((predicted - target) ** 2))
    spread = float(np.var(target))
    r2 = 1 - square / spread if spread > 0 else math.nan
    return {f"{split}_rows": len(target), f"{split}_rmse": math.sqrt(square), f"{split}_r2": r2, f"{split}_loss": square}
