"""Which rows of a data set are for training, for validation and for the test."""

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np

NAMES = ("train", "validation", "test")
Share = int | float | None


def counts(rows: int, shares: Sequence[Share]) -> tuple[int, int, int]:
    """The rows for training, validation and test: a ``share`` is a number of rows (int), a fraction of them (float), or None, the rest.

    Raises ``ValueError`` for shares that are neither, or more than there is, and where none are left to train on.
    """
    found: list[int | None] = []
    for name, share in zip(NAMES, shares, strict=True):
        if share is None:
            found.append(None)
        elif isinstance(share, bool) or not isinstance(share, Real) or not math.isfinite(share) or share < 0:
            raise ValueError(f"{name}={share!r}: give a number of rows, such as 3000, or a fraction of them, such as 0.8")
        elif isinstance(share, (int, np.integer)):
            found.append(int(share))
        elif share <= 1:
            found.append(round(share * rows))
        else:
            raise ValueError(f"{name}={share!r} is no fraction: give one of at most 1.0, or a whole number of rows")
    if found.count(None) > 1:
        raise ValueError(f"of train, validation and test only one may be the rest (None), got {', '.join(map(repr, shares))}")
    taken = sum(count or 0 for count in found)
    if taken > rows:
        asked = ", ".join(f"{name}={share!r}" for name, share in zip(NAMES, shares, strict=True) if share)
        raise ValueError(f"{asked} asks for {taken} rows, but there are {rows}: ask for fewer")
    train, validation, test = (rows - taken if count is None else count for count in found)
    if not train:
        raise ValueError(f"train={shares[0]!r} leaves nothing to train on, of {rows} rows: give it more")
    return train, validation, test


def at_random(rows: int, shares: Sequence[Share], seed: int) -> np.ndarray:
    """The split (rows,) of each row, 0, 1, 2 for train, validation, test and -1 for none: a shuffled deck, dealt."""
    train, validation, test = counts(rows, shares)
    order, split = np.random.default_rng((seed, 1)).permutation(rows), np.full(rows, -1)
    for number, (start, count) in enumerate(((0, train), (train, validation), (train + validation, test))):
        split[order[start : start + count]] = number
    return split


def by_group(labels: np.ndarray, shares: Sequence[Share], seed: int, name: str) -> np.ndarray:
    """The same with all rows of a group in one split: groups, shuffled, the largest first, each go where the greatest part is still wanted.

    So small and large groups are in all splits, and among the rows that are left out, in proportion.
    Raises ``ValueError`` if a split that was asked for gets none.
    """
    wanted = counts(len(labels), shares)
    parts = [*wanted, len(labels) - sum(wanted)]  # the last: in no split
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.random.default_rng((seed, 1)).permutation(len(sizes))
    order, owner = order[np.argsort(-sizes[order], kind="stable")], np.full(len(sizes), -1)
    left = [1.0 if part else 0.0 for part in parts]  # as a share of each part
    for group, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        number = left.index(max(left))
        owner[group] = -1 if number == len(wanted) else number
        left[number] -= size / max(parts[number], 1)
    for number, share in enumerate(wanted):
        if share and not (owner == number).any():
            raise ValueError(
                f"groups={name!r}: {len(sizes)} groups of {sizes.min()} to {sizes.max()} rows leave none for {NAMES[number]}: "
                "ask for fewer splits, or for other shares"
            )
    return owner[codes]


def by_class(labels: np.ndarray, shares: Sequence[Share], seed: int, name: str) -> np.ndarray:
    """The same with every class in all splits in the same proportion, to within a row a class.

    Raises ``ValueError`` for a class with fewer rows than splits.
    """
    wanted = counts(len(labels), shares)
    split, asked = np.full(len(labels), -1), [number for number, count in enumerate(wanted) if count]
    generator = np.random.default_rng((seed, 1))
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        if len(rows) < len(asked):
            into, word = " and ".join(NAMES[number] for number in asked), label if isinstance(label, str) else f"{label:g}"
            raise ValueError(
                f"the class {word} of {name!r} has {len(rows)} row{'s' * (len(rows) > 1)}, too few to stand in {into}: "
                "leave it out, ask for fewer splits, or leave out stratify"
            )
        ends = np.rint(np.cumsum([wanted[number] for number in asked]) * len(rows) / len(labels)).astype(int)
        for place in range(len(asked)):  # at least one row each
            ends[place] = min(max(ends[place], (ends[place - 1] if place else 0) + 1), len(rows) - (len(asked) - 1 - place))
        for number, (start, end) in zip(asked, zip([0, *ends[:-1]], ends, strict=True), strict=True):
            split[rows[start:end]] = number
    return split


def as_told(labels: np.ndarray, name: str) -> np.ndarray:
    """The splits that a column names: "train", "validation" (or "val"), "test"; rows with nothing are left out.

    Raises ``ValueError`` for other words, and where no row is for training.
    """
    codes = {"train": 0, "validation": 1, "val": 1, "test": 2, "": -1, "nan": -1, "none": -1}
    words = [str(label).strip().lower() for label in labels]
    for row, word in enumerate(words):
        if word not in codes:
            raise ValueError(f"split={name!r}, row {row}: {labels[row]!s} is none of train, validation and test")
    split = np.array([codes[word] for word in words], dtype=int)
    if not (split == 0).any():
        raise ValueError(f"split={name!r} names no row 'train'")
    return split


def shared(points: np.ndarray, split: np.ndarray) -> int:
    """How many rows of validation and test have the inputs (n, d) of a training row."""
    _, codes = np.unique(points, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    return int(np.isin(codes[split > 0], codes[split == 0]).sum())


def repeated(points: np.ndarray, split: np.ndarray) -> str:
    """``shared`` in words, or nothing."""
    count = shared(points, split)
    if not count:
        return ""
    return (
        f"{count} of the {int((split > 0).sum())} rows for validation and test have the very inputs of a training row, so that their "
        "errors say little of new data: leave the duplicates out, or give groups= a column that tells them apart"
    )
