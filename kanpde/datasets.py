"""Data sets: samples of inputs and targets by name, split for training, validation and test.

    data = Dataset.of(lambda x, y: exp(sin(pi * x) + y**2), x=(-1, 1), y=(-1, 1), train=3000, test=1000)
    data = Dataset("iris.csv", targets=["species"], train=0.6, validation=0.2, stratify=True)

What they are used for is said by :class:`~kanpde.supervised.Regression` and :class:`~kanpde.supervised.Classification`.
"""

import hashlib
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kanpde import splits
from kanpde.arguments import nearest, whole_number
from kanpde.domains import Box
from kanpde.synthetic import Synthetic
from kanpde.tables import read


@dataclass(frozen=True, eq=False)
class Split:
    """Some rows of a data set: ``inputs`` (n, d), ``targets`` (n, m), numbers or texts, their ``rows`` (n,) in the source, and the standard
    deviations ``sigma`` (n, m) of the targets where they are known.
    """

    inputs: np.ndarray
    targets: np.ndarray
    rows: np.ndarray
    sigma: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return f"Split({len(self)} rows of {self.inputs.shape[1]} inputs and {self.targets.shape[1]} targets)"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples from columns by name: a mapping of arrays, or an .npz, .h5 or .csv file (its first line names the columns).

    ``inputs`` and ``targets`` name columns; without ``inputs`` these are all others. A mapping gives them other names,
    ``inputs=dict(l="longitudinal translation")``; what cannot be the name of an argument is made one, ``longitudinal_translation``.
    An array (n, d) under x stands for the columns x1 ... xd. ``ranges`` are those of inputs, ``dict(a=(0, 1))``, by default from the
    least to the greatest of all rows.

    ``train``, ``validation`` and ``test`` are fractions of the rows (float), numbers of them (int), or None: the rest. Rows are dealt
    at random by ``seed``; with ``groups``, a column, no group is in two splits; with ``stratify`` every class of the first target is in
    all of them in proportion; ``split``, a column, says for each row "train", "validation" or "test". ``sigma`` is the standard
    deviation of the targets' noise, by which :class:`~kanpde.supervised.Regression` weights: a number, a column, or one of these for
    each target by name.

    ``data["train"]`` is a :class:`Split`. Raises ``TypeError`` or ``ValueError`` naming the column, and the first bad row: for columns
    that are missing, of different lengths, not finite, constant or out of their range, and for splits that cannot be made.
    """

    source: Any
    inputs: Any = ()
    targets: Any = ()
    _: KW_ONLY
    train: splits.Share = 0.8
    validation: splits.Share = 0.0
    test: splits.Share = None
    seed: int = 0
    groups: Any = None
    stratify: bool = False
    split: Any = None
    sigma: Any = None
    ranges: Mapping[str, tuple[float, float]] | None = None

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        domain: Box | None = None,
        *,
        train: int = 1000,
        test: int = 1000,
        validation: int = 0,
        noise: float = 0.0,
        noisy_test: bool = False,
        seed: int = 0,
        targets: Sequence[str] = (),
        points: str = "random",
        **ranges: tuple[float, float],
    ) -> "Dataset":
        """Samples of a function of named inputs, at points of ``domain`` or of ``ranges``: ``Dataset.of(lambda x: sin(x), x=(0, 1))``.

        It is called once for each split, with NumPy arrays, and returns one value, a tuple, or values by target in a dict. Points are drawn
        independently and uniformly, or, with ``points="sobol"``, as scrambled Sobol points, which leave no gaps. To the targets for
        training and validation, Gaussian noise of ``noise`` times the standard deviation of the target (over the training points) is
        added; the test stays clean unless ``noisy_test``. Each split has random numbers of its own, so that more of one leaves the others.
        """
        if domain is not None and ranges:
            raise TypeError(f"Dataset.of takes a domain or the ranges of inputs, got both: {domain} and {', '.join(ranges)}")
        if not (domain or ranges):
            raise TypeError("Dataset.of needs the range of each input, as in Dataset.of(lambda x: sin(x), x=(0, 1))")
        source = Synthetic(function, domain or Box(**ranges), noise, noisy_test, points)
        return cls(source, targets=targets, train=train, validation=validation, test=test, seed=seed)

    def __post_init__(self) -> None:
        whole_number(self.seed, "Dataset(seed=...)", least=0)
        drawn = isinstance(self.source, Synthetic)
        domain, names, found = self._from_function() if drawn else self._from_columns()
        kept: dict[str, Any] = {"_domain": domain, "_targets": names, "_splits": found}
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    @property
    def domain(self) -> Box:
        """The ranges of the inputs."""
        return self._domain  # type: ignore[attr-defined]

    def __getitem__(self, name: str) -> Split:
        if name not in splits.NAMES:
            raise KeyError(f"there is no split {name!r}: they are {', '.join(splits.NAMES)}")
        return self._splits[name]  # type: ignore[attr-defined]

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs as arguments are called."""
        return self.domain.names

    @property
    def target_names(self) -> tuple[str, ...]:
        """The targets, alike."""
        return self._targets  # type: ignore[attr-defined]

    @cached_property
    def digest(self) -> str:
        """A few letters that tell these numbers and splits from others."""
        found = hashlib.sha256()
        for name in splits.NAMES:
            part = self[name]
            targets = part.targets if part.targets.dtype.kind == "f" else "\x1f".join(map(str, part.targets.ravel())).encode()
            for piece in (part.inputs, targets, part.rows, b"" if part.sigma is None else part.sigma):
                found.update(np.ascontiguousarray(piece).tobytes() if isinstance(piece, np.ndarray) else piece)
        return found.hexdigest()[:12]

    def warnings(self) -> list[str]:
        """What may make the errors say less than they seem to."""
        inputs = np.concatenate([self[name].inputs for name in splits.NAMES])
        split = np.repeat(range(3), [len(self[name]) for name in splits.NAMES])
        return [words for words in [splits.repeated(inputs, split)] if words]

    def __repr__(self) -> str:
        given = f"train={self.train!r}, validation={self.validation!r}, test={self.test!r}, seed={self.seed!r}"
        if isinstance(self.source, Synthetic):
            named = f"targets={tuple(self.targets)!r}, " if self.targets else ""
            return f"Dataset.of({self.source.words()}, {named}{given})"
        words = [repr(str(self.source)) if isinstance(self.source, (str, Path)) else f"dict({', '.join(map(str, self.source))})"]
        words += [f"inputs={self.inputs!r}"] if self.inputs else []
        words += [f"targets={self.targets!r}", given]
        for name in ("groups", "split", "sigma"):
            value = getattr(self, name)
            words += [f"{name}={value if isinstance(value, (str, int, float)) else ...!r}"] if value is not None else []
        words += ["stratify=True"] if self.stratify else []
        words += [f"ranges={dict(self.ranges)!r}"] if self.ranges else []
        return f"Dataset({', '.join(words)})"

    # ---- how the rows come about ----

    def _from_function(self) -> tuple[Box, tuple[str, ...], dict[str, Split]]:
        for name in ("groups", "split", "sigma", "ranges"):
            if getattr(self, name) is not None:
                raise ValueError(f"Dataset.of has no {name}: the points are drawn, each by itself")
        drawn: Synthetic = self.source
        amounts = {name: getattr(self, name) for name in splits.NAMES}
        for name, count in amounts.items():
            whole_number(count, f"Dataset.of({name}=...)", least=int(name == "train"))
        names, samples = drawn.samples(amounts, self.seed, tuple(self.targets))
        start, found = 0, {}
        for name, (points, values) in samples.items():
            found[name] = Split(points, values, np.arange(start, start + len(points)))
            start += len(points)
        return drawn.domain, names, found

    def _from_columns(self) -> tuple[Box, tuple[str, ...], dict[str, Split]]:
        columns = _columns(self.source)
        apart = [name for name in (self.groups, self.split, self.sigma) if isinstance(name, str)]
        asked = _named(self.targets, columns, "targets", self)
        if not asked:
            raise ValueError(f"{self!r} has no targets: name the columns to be learnt, of {', '.join(columns)}")
        rest = [name for name in columns if name not in (*asked.values(), *apart)]
        wanted = _named(self.inputs or rest, columns, "inputs", self)
        if both := set(wanted) & set(asked):
            raise ValueError(f"{min(both)!r} is among the inputs and the targets of {self!r}: name it in one of them")
        count = len(next(iter(columns.values())))
        points = np.stack([_numbers(columns[name], name) for name in wanted.values()], 1)
        targets = np.stack([_values(columns[name], name) for name in asked.values()], 1) if asked else np.zeros((count, 0))
        split = self._dealt(points, targets, columns, tuple(asked.values()))
        used = split >= 0
        for axis, name in enumerate(wanted.values()):
            _refuse(~np.isfinite(points[:, axis]) & used, name, points[:, axis], "is not a finite number: leave such rows out")
        for column, name in zip(targets.T, asked.values(), strict=True):
            if column.dtype.kind == "f":
                _refuse(~np.isfinite(column) & used, name, column, "is not a finite number: leave such rows out")
            else:
                _refuse(np.isin(column.astype(str), ("", "nan", "None")) & used, name, column, "is empty: leave such rows out")
        sigma = self._noise(columns, asked, count)
        found = {
            name: Split(points[split == k], targets[split == k], np.flatnonzero(split == k), None if sigma is None else sigma[split == k])
            for k, name in enumerate(splits.NAMES)
        }
        return self._box(tuple(wanted), points[used]), tuple(asked), found

    def _dealt(self, points: np.ndarray, targets: np.ndarray, columns: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
        """The split of each row."""
        given = [name for name in ("groups", "split") if getattr(self, name) is not None] + ["stratify"] * bool(self.stratify)
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} each say how rows are dealt: give one of them")
        shares = (self.train, self.validation, self.test)
        if self.stratify:
            return splits.by_class(targets[:, 0], shares, self.seed, names[0])
        if not given:
            return splits.at_random(len(points), shares, self.seed)
        labels, name = self._labels(given[0], columns, len(points))
        return splits.by_group(labels, shares, self.seed, name) if given[0] == "groups" else splits.as_told(labels, name)

    def _labels(self, which: str, columns: Mapping[str, np.ndarray], count: int) -> tuple[np.ndarray, str]:
        given = getattr(self, which)
        if isinstance(given, str):
            return columns[_known(given, columns, which)].astype(str), given
        labels = np.asarray(given).astype(str)
        if labels.shape != (count,):
            raise ValueError(f"{which} has the shape {labels.shape}: give the name of a column, or a label for each of {count} rows")
        return labels, which

    def _noise(self, columns: Mapping[str, np.ndarray], asked: Mapping[str, str], count: int) -> np.ndarray | None:
        """The targets' standard deviations (n, m)."""
        if self.sigma is None:
            return None
        found = []
        for target in asked:
            given = self.sigma
            if isinstance(given, Mapping):
                if target not in given:
                    raise ValueError(f"sigma={given!r} gives none for the target {target!r}")
                given = given[target]
            name = f"sigma of {target}"
            values = columns[_known(given, columns, "sigma")] if isinstance(given, str) else given
            column = np.asarray(values, dtype=float)
            if column.shape not in ((), (count,)):
                raise ValueError(f"{name} has the shape {column.shape}: give a number, a column, or one number for each of {count} rows")
            column = np.broadcast_to(column, (count,))
            _refuse(~(np.isfinite(column) & (column > 0)), name, column, "is not a positive number")
            found.append(column)
        return np.stack(found, 1)

    def _box(self, names: Sequence[str], points: np.ndarray) -> Box:
        ranges, bounds = dict(self.ranges or {}), {}
        for name in ranges:
            if name not in names:
                raise ValueError(f"ranges has {name!r}, but the inputs are {', '.join(names)}{nearest(name, names)}")
        for name, column in zip(names, points.T, strict=True):
            low, high = float(column.min()), float(column.max())
            if name not in ranges and not low < high:
                raise ValueError(
                    f"the input {name!r} is {low:g} in all rows: leave it out, or give its range, ranges=dict({name}=(..., ...))"
                )
            bounds[name] = ranges.get(name, (low, high))
        box = Box(**bounds)
        for name, column, low, high in zip(names, points.T, box.lower, box.upper, strict=True):
            outside = (column < low) | (column > high)
            _refuse(outside, name, column, f"lies outside its range ({low:g}, {high:g}): widen it, or leave such rows out")
        return box


def _columns(source: Any) -> dict[str, np.ndarray]:
    """Columns (n,) by name, of one length."""
    if isinstance(source, (str, Path)):
        given = read(source)
    elif hasattr(source, "keys") and hasattr(source, "__getitem__"):
        given = {str(name): source[name] for name in source.keys()}  # noqa: SIM118
    else:
        raise TypeError(f"Dataset takes columns by name, as in Dataset(dict(a=..., c=...)), or the path of a file, got {source!r:.60}")
    found: dict[str, np.ndarray] = {}
    for name, column in given.items():
        masked = np.ma.is_masked(column)
        array: Any = np.asarray(np.ma.filled(np.ma.asarray(column).astype(float), np.nan) if masked else column)  # what is not there
        if array.dtype.kind in "SO":  # texts as HDF5 keeps them
            array = np.array([v.decode() if isinstance(v, bytes) else v for v in array.ravel()], dtype=object).reshape(array.shape)
        if array.ndim not in (1, 2):
            raise ValueError(f"the column {name!r} has the shape {array.shape}: give one number a row, or (rows, columns)")
        many = array.ndim == 2 and array.shape[1] != 1
        found |= {f"{name}{k + 1}": array[:, k] for k in range(array.shape[1])} if many else {name: array.reshape(-1)}
    lengths = {name: len(column) for name, column in found.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns differ in length: {', '.join(f'{name} has {n}' for name, n in lengths.items())}")
    if not found or not next(iter(lengths.values())):
        raise ValueError(f"there are no rows in {source!r:.60}")
    return found


def _known(name: str, columns: Mapping[str, Any], what: str) -> str:
    if name not in columns:
        raise ValueError(f"{what} asks for the column {name!r}, but there are {', '.join(columns)}{nearest(name, list(columns))}")
    return name


def _named(given: Any, columns: Mapping[str, np.ndarray], what: str, data: Dataset) -> dict[str, str]:
    """Columns by the names that arguments have."""
    if isinstance(given, str):
        given = (given,)
    pairs = list(given.items()) if isinstance(given, Mapping) else [(None, name) for name in given]
    found: dict[str, str] = {}
    for name, column in pairs:
        stem = [f"{column}{k}" for k in range(1, len(columns) + 1) if f"{column}{k}" in columns]
        for each in stem if name is None and column not in columns and stem else [_known(column, columns, what)]:
            word = _argument(str(each)) if name is None else str(name)
            if word in found:
                raise ValueError(f"two {what} would be called {word!r}: give them names, {what}=dict({word}={each!r}, ...)")
            found[word] = each
    return found


def _argument(column: str) -> str:
    """A column's name as an argument can have it."""
    word = re.sub(r"\W+", "_", column).strip("_") or "column"
    return f"_{word}" if word[0].isdigit() else f"{word}_" if keyword.iskeyword(word) else word


def _numbers(column: np.ndarray, name: str) -> np.ndarray:
    found = _values(column, name)
    if found.dtype.kind != "f":
        text = next((value for value in column if isinstance(value, str)), column[0])
        raise ValueError(f"the input {name!r} holds texts such as {str(text)!r:.60}: leave it out, or put numbers in their place")
    return found


def _values(column: np.ndarray, name: str) -> np.ndarray:
    """Numbers as floats, if they all are; else objects."""
    if column.dtype.kind == "c":
        raise ValueError(f"the column {name!r} holds complex numbers: give their real and imaginary parts as two columns")
    try:
        return column.astype(float) if not any(isinstance(value, str) for value in column.ravel()[:1]) else _texts(column)
    except (TypeError, ValueError):
        return _texts(column)


def _texts(column: np.ndarray) -> np.ndarray:
    return np.array([str(value) for value in column], dtype=object)


def _refuse(bad: np.ndarray, name: str, column: np.ndarray, why: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"row {row} (of 0 ... {len(bad) - 1}; {int(bad.sum())} such rows): {name}={column[row]!s:.20} {why}")
