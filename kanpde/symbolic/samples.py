"""Columns and values that a law is to be found in: what is checked before time is spent."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

FEWEST = 12
FEWEST_SCATTERED = 50  # samples of a field, for its equation
SMALLEST = 1e-60  # size of a column, and one over the greatest: squares and fourth powers must be numbers


def checked_data(X: Any, y: Any, names: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """``X`` (n, d), also (n,) or columns by name, and ``y`` (n,) as float64, with the names of the columns: x, or x1, x2, ... by default.

    Columns by name are a mapping, or a table of pandas.
    Raises ``TypeError`` and ``ValueError`` that name what is wrong: other shapes, text, NaN, fewer than 12 rows, columns that do not vary
    or are equal to others or straight functions of them, sizes beyond 1e60, names that are no identifiers or there twice.
    """
    if by_name(X) and not isinstance(X, Mapping):
        X = {name: X[name] for name in X.columns} if names is None else X.to_numpy()
    if isinstance(X, Mapping):
        if not X:
            raise ValueError("there are no columns: X is empty")
        if names is not None:
            raise ValueError("columns by name have their names already: leave out names=")
        names, X = list(X), np.stack([real_numbers(each, str(name)).reshape(-1) for name, each in X.items()], 1) if _alike(X) else None
    points, values = real_numbers(X, "X"), real_numbers(y, "y")
    points = points[:, None] if points.ndim == 1 else points
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if not points.size or not values.size:
        raise ValueError(f"there are no rows: X is of the shape {points.shape}, y of {values.shape}")
    if points.ndim != 2 or values.ndim != 1 or len(points) != len(values) or not points.shape[1]:
        raise ValueError(f"X is an array (n, d) and y one of n values, got the shapes {np.shape(X)} and {np.shape(y)}")
    labels = _names(names, points.shape[1])
    for label, column in (*zip(labels, points.T, strict=True), ("y", values)):
        check_finite(column, label)
        size = float(np.abs(column).max())
        if size and not SMALLEST < size < 1 / SMALLEST:
            raise ValueError(f"{label} is of the size of {size:.1e}: give it in units in which that is between 1e-60 and 1e60")
    if len(values) < (fewest := fewest_rows(points.shape[1])):
        raise ValueError(f"there are {len(values)} rows of {points.shape[1]} columns; a law needs at least {fewest}")
    for label, column in zip(labels, points.T, strict=True):
        if np.ptp(column) <= 1e-12 * np.abs(column).max():
            told = "leave it out, no law can tell what it does"
            raise ValueError(f"the column {label} is {column[0]:.6g} in all rows, up to 1e-12 of it: {told}")
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        raise ValueError(f"y is {values[0]:.6g} in all rows, up to 1e-12 of it: there is nothing to explain")
    alike = np.abs(np.triu(np.atleast_2d(np.corrcoef(points.T)), 1)) > 1 - 1e-12
    if alike.any():
        one, other = (labels[int(k)] for k in np.argwhere(alike)[0])
        raise ValueError(f"the columns {one} and {other} are one, up to a straight line: leave one of them out")
    return points, values, labels


def checked_sigma(sigma: Any, rows: int) -> np.ndarray | None:
    """The standard deviations (n,) of the values, as float64; ``TypeError`` and ``ValueError`` for what is none, None for None."""
    if sigma is None:
        return None
    found = real_numbers(sigma, "sigma").reshape(-1)
    if len(found) != rows:
        raise ValueError(f"sigma has {len(found)} values for {rows} rows: give the standard deviation of every y")
    check_finite(found, "sigma")
    if not (found > 0).all():
        row = int(np.flatnonzero(found <= 0)[0])
        raise ValueError(f"sigma is {found[row]:g} in row {row}: standard deviations are above 0")
    return found


def fewest_rows(columns: int) -> int:
    """The least number of rows with so many columns that a law is looked for in."""
    return max(FEWEST, 3 * columns)


def by_name(X: Any) -> bool:
    """Whether columns have their names with them, as in a mapping or a table of pandas."""
    return isinstance(X, Mapping) or hasattr(X, "to_dict") and hasattr(X, "columns")


def _alike(columns: Mapping[Any, Any]) -> bool:
    sizes = {str(name): np.size(each) for name, each in columns.items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise ValueError(f"columns are equally long, but {shown} values")
    return True


def real_numbers(values: Any, name: str) -> np.ndarray:
    """``values`` as float64; ``TypeError`` that names them for what is not real numbers, ``ValueError`` for masked ones."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked values: leave out their rows")
    try:
        found = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
        if np.iscomplexobj(found) or found.dtype.kind not in "fiub":
            raise TypeError
        return found.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be real numbers, got {type(values).__name__} {str(values)[:60]!r}") from error


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return ("x",) if count == 1 else tuple(f"x{k}" for k in range(1, count + 1))
    if isinstance(names, str):
        raise TypeError(f'names are a list of texts, got {names!r}: write ["{names}"]')
    found = tuple(str(name) for name in names)
    plain = [normalized(name) for name in found]
    for k, name in enumerate(plain):
        if name in plain[:k] and found[k] != (other := found[plain.index(name)]):
            raise ValueError(f"the names {other!r} and {found[k]!r} are one, as Python reads them ({name!r}): change one of them")
    if len(found) != count or len(set(found)) < count:
        raise ValueError(f"X has {count} columns, got the names {', '.join(found) or 'none'}: give one for each, all different")
    if bad := [name for name in found if not name.isidentifier()]:
        raise ValueError(f"{bad[0]!r} is no name for a variable: use letters, digits and _")
    return found


def check_finite(column: np.ndarray, label: str) -> None:
    """``ValueError`` with the first row in which a column (n,) is no finite number."""
    if not np.isfinite(column).all():
        row = int(np.flatnonzero(~np.isfinite(column))[0])
        raise ValueError(f"{label} is {column[row]} in row {row}: leave out rows that are not finite numbers")


def normalized(name: str) -> str:
    """A name as Python reads it (NFKC): the micro sign is the Greek letter."""
    return unicodedata.normalize("NFKC", name)


def checked_output(output: str, names: Sequence[str]) -> None:
    """``ValueError`` for the name of an output that is no name, or that of a column."""
    if not isinstance(output, str) or not output.isidentifier():
        raise ValueError(f"the output needs a name such as 'y', got {output!r}")
    if normalized(output) in map(normalized, names):
        raise ValueError(f"the output is called {output!r}, as a column is: give it another name with output=")
