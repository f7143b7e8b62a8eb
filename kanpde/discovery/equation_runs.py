"""The search for a differential equation as something that a problem file defines: scattered samples in, u_t = ... out, judged.

experiment = EquationSearch(law("kdv"), samples=kdv_samples, noise=0.1)  # law from kanpde.science.laws
experiment = EquationSearch(Dataset("flame.csv", targets=["u"]))
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kanpde.datasets import Dataset
from kanpde.discovery.searches import Found, Search, timed
from kanpde.science.feynman import Formula
from kanpde.symbolic.law import Law
from kanpde.symbolic.samples import FEWEST_SCATTERED


@dataclass(frozen=True, repr=False)
class EquationSearch(Search):
    """Find the evolution equation of a field from scattered samples, and judge it where the truth is known.

    ``data`` is a :class:`~kanpde.datasets.Dataset` with one target, the field, or a formula such as u_t = -6 u u_x - u_xxx, with ranges of
    the values that it is compared at; then ``samples``, a function (rows, *, noise, seed) -> columns by name, draws from a solution, the
    field last, with normal noise of ``noise`` times the field's standard deviation.

    ``time`` is the column that is time. ``method`` is what searches, by default :func:`kanpde.discovery.discover_pde`: any function
    (columns, u, *, name, seconds) -> Law, with ``time`` where that is not called t.

    Raises ``TypeError`` or ``ValueError`` for data of another kind, several targets, columns of which none is ``time``, too few rows, noise
    beside a data set, and a formula without samples.
    """

    data: Dataset | Formula
    samples: Callable[..., Mapping[str, np.ndarray]] | None = None
    noise: float = 0.0
    rows: int = 2000
    seconds: float = 60.0
    method: Callable[..., Law] | None = None
    time: str = "t"
    quick: float = 10.0

    def __post_init__(self) -> None:
        if not isinstance(self.data, (Dataset, Formula)):
            raise TypeError(f'EquationSearch takes a Dataset or a Formula such as law("kdv"), got {self.data!r:.80}')
        if isinstance(self.data, Formula) != callable(self.samples):
            raise ValueError("a formula goes with samples=, a function (rows, *, noise, seed) that draws them; a Dataset without")
        self._check_numbers(FEWEST_SCATTERED)
        self._check_method("(columns, u, *, name, seconds)")
        if isinstance(self.data, Dataset):
            self._check_dataset(self.data, FEWEST_SCATTERED)
            names = self.data.input_names
            if self.time not in names:
                told = "say which of them is time with time=" + ("'time'" if "time" in names else "'...'")
                raise ValueError(f"there is no time {self.time!r} among the coordinates {', '.join(names)}: {told}")
            if not 2 <= len(names) <= 3:
                raise ValueError(f"an equation is of one or two coordinates of space and of time, the data have {', '.join(names)}")

    def _found(self, seed: int) -> Found:
        if self.method is None:
            from kanpde.discovery import discover_pde

            method: Callable[..., Law] = discover_pde
        else:
            method = self.method
        columns = self._columns(seed)
        *inputs, output = columns
        named = {} if self.time == "t" else {"time": self.time}
        points = {each: columns[each] for each in inputs}
        law, seconds = timed(lambda: method(points, columns[output], name=output, seconds=self.seconds, **named))
        judgement, formula = None, self.data if isinstance(self.data, Formula) else None
        if formula is not None:
            from kanpde.symbolic.judging import judged

            judgement = judged(law, formula, noise=self.noise)
        return Found(
            law,
            judgement,
            seconds,
            inputs=tuple(inputs),
            points=np.stack([*points.values()], 1),
            sampling="the training rows of the data" if formula is None else f"scattered, seed {seed}",
            equation={"latex": law.latex(), "text": f"{formula.output} = {formula.text}" if formula is not None else repr(self.data)},
            metrics={"control": 0},
        )

    def _columns(self, seed: int) -> dict[str, np.ndarray]:
        """Coordinates and, last, the field."""
        if isinstance(self.data, Dataset):
            train, target = self.data["train"], self.data.target_names[0]
            return dict(zip(self.data.input_names, train.inputs.T, strict=True)) | {target: train.targets[:, 0].astype(float)}
        assert self.samples is not None
        return dict(self.samples(self.rows, noise=self.noise, seed=seed))
