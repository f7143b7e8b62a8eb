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

if TYPE_CHECKING:
    from kanpde.drawing import Figure


def save_law(
    law: Law, path: str | Path, *, data: tuple[Any, Any] | None = None, about: Mapping[str, str | int | float] | None = None
) -> Path:
    """Write a law to an HDF5 file, whole or not at all, and return the path; missing directories are made.

    Beside the group ``law``, ``provenance`` holds command, versions, commit and time; of ``data``, the (X, y) that it was found from, the
    number of rows, the ranges of the columns and a SHA-256 of both; and what ``about`` adds (names of data files, seeds, ...).

    Raises ``ResultsError`` (an OSError) when it cannot be written: what was there before is left as it was.
    """
    known: dict[str, Any] = origin() | (_of_data(*data) if data is not None else {}) | dict(about or {})
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
    also how the law fits them. Nothing is written, and pyplot does not know of the figure.
    """
    from kanpde.drawing import law_card

    if (X is None) != (y is None):
        raise ValueError("the data are X and y: give both, or neither")
    if y is None or len(law.expressions) != 1:
        return law_card(law.to_plain(), title=title)
    return law_card(law.to_plain(), target=np.asarray(y, dtype=float).reshape(-1), prediction=law(X), title=title)


def _of_data(X: Any, y: Any) -> dict[str, Any]:
    points, values = np.ascontiguousarray(X, dtype=float), np.ascontiguousarray(y, dtype=float)
    points = points[:, None] if points.ndim == 1 else points
    digest = hashlib.sha256(points.tobytes() + values.tobytes()).hexdigest()
    return {"rows": len(points), "lower": points.min(0), "upper": points.max(0), "data_sha256": digest}
