"""Laws in files of their own, and the law card: what is done with a law that no run has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kanpde.hdf5 import composed, opened, put_attributes, put_group, read_bytes, write_whole
from kanpde.law_files import LAW_CONVENTIONS, law_of, write_law
from kanpde.provenance import origin
from kanpde.symbolic.law import Law
from kanpde.symbolic.samples import by_name, check_finite, real_numbers

if TYPE_CHECKING:
    from kanpde.drawing import Figure


def save_law(
    law: Law, path: str | Path, *, data: tuple[Any, Any] | None = None, about: Mapping[str, str | int | float] | None = None
) -> Path:
    """Write a law to an HDF5 file, whole or not at all, and return the path; missing directories are made.

    Beside the group ``law``, ``provenance`` holds command, versions, commit and time; of ``data``, the (X, y) that it was found from, the
    number of rows, the ranges of the columns and a SHA-256 of both; and what ``about`` adds (names of data files, seeds, ...).

    Raises ``TypeError`` or ``ValueError`` for what is no law, and for data that are not rows of its inputs, of finite numbers, with as many
    values; ``ResultsError`` (an OSError) when it cannot be written: what was there before is left as it was.
    """
    _check_law(law, "save_law")
    if about is not None and not isinstance(about, Mapping):
        raise TypeError(f"about is texts and numbers by name, such as {{'file': 'a.csv'}}, got {about!r:.80}")
    known: dict[str, Any] = origin() | (_of_data(law, data) if data is not None else {}) | dict(about or {})
    with composed() as (file, image):
        put_attributes(file, {"Conventions": LAW_CONVENTIONS, "title": law.formula or law.verdict, "created": known["created"]})
        put_group(file, "provenance", known)
        write_law(file, law.to_plain())
    return write_whole(Path(path), image.getvalue(), "the law", elsewhere="")


def load_law(path: str | Path) -> Law:
    """Read the law of a file that :func:`save_law` wrote, or of the results of a run; nothing in the file is executed.

    Raises ``ValueError`` when the file is truncated, damaged, or without a law, ``FileNotFoundError`` when there is none.
    """
    image = read_bytes(Path(path), "a law")
    with opened(Path(path), image, "save the law again") as file:
        return Law.from_plain(law_of(file))


def draw_law(law: Law, X: Any = None, y: Any = None, *, title: str = "") -> Figure:
    """The law card as one figure: ``draw_law(law, X, y).savefig("law.pdf")``.

    Formula, constants with their uncertainties and exact values, verdict, runner-up and candidates; with data ``X`` (n, d) and ``y`` (n,)
    also how the law fits them; X may be columns by name. Nothing is written, and pyplot does not know of the figure.

    Raises ``TypeError`` or ``ValueError`` for what is no law, and for data that are not rows of its inputs, of finite numbers, with as many
    values.
    """
    from kanpde.drawing import law_card

    _check_law(law, "draw_law")
    if (X is None) != (y is None):
        raise ValueError("the data are X and y: give both, or neither")
    if y is None:
        return law_card(law.to_plain(), title=title)
    points, values = _checked(law, X, y)
    if len(law.expressions) != 1 or law.kind == "equation":
        return law_card(law.to_plain(), title=title)
    if values.shape[1] != 1:
        raise ValueError(f"y is one value a row of {law.output}, got the shape {np.shape(y)}")
    return law_card(law.to_plain(), target=values[:, 0], prediction=law(points), title=title)


def _check_law(law: Any, name: str) -> None:
    if not isinstance(law, Law):
        raise TypeError(f"{name}(law, ...) takes a Law, as discover, polish and extract give, got {law!r:.80}")


def _checked(law: Law, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """The rows (n, d) of the law's inputs, and the values (n, k)."""
    if by_name(X):
        if missing := [name for name in law.names if name not in X]:
            raise ValueError(f"columns are missing for {', '.join(missing)}; the inputs are {', '.join(law.names)}")
        columns = {name: real_numbers(X[name], f"the column {name}").reshape(-1) for name in law.names}
        if len({len(each) for each in columns.values()}) > 1:
            shown = ", ".join(f"{name} has {len(each)}" for name, each in columns.items())
            raise ValueError(f"columns are equally long, but {shown} values")
        points = np.stack([*columns.values()], 1)
    else:
        points = real_numbers(X, "X")
        points = points[:, None] if points.ndim == 1 else points
    values = real_numbers(y, "y")
    values = values[:, None] if values.ndim == 1 else values
    if points.ndim != 2 or values.ndim != 2 or points.shape[1] != len(law.names) or len(points) != len(values) or not len(points):
        told = f"X is an array (n, {len(law.names)}) of {', '.join(law.names)}, and y has n values"
        raise ValueError(f"{told}, got the shapes {points.shape} and {np.shape(y)}")
    for label, column in (*zip(law.names, points.T, strict=True), *(("y", column) for column in values.T)):
        check_finite(column, label)
    return points, values


def _of_data(law: Law, data: Any) -> dict[str, Any]:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise TypeError(f"data are the pair (X, y) that the law was found from, got {data!r:.80}")
    points, values = map(np.ascontiguousarray, _checked(law, *data))
    digest = hashlib.sha256(points.tobytes() + values.tobytes()).hexdigest()
    return {"rows": len(points), "lower": points.min(0), "upper": points.max(0), "data_sha256": digest}
