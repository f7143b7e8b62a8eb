"""Laws of data: :func:`discover` finds one, :func:`polish` improves a formula that something else has found."""

import math
import time
from collections.abc import Sequence
from typing import Any

import torch

from kanpde.primitives import Primitive
from kanpde.search.searching import near, searched
from kanpde.symbolic.concluding import Rows, concluded
from kanpde.symbolic.forms import Form
from kanpde.symbolic.law import Law
from kanpde.symbolic.refitting import refit
from kanpde.symbolic.samples import checked_data

POLISHING = 10.0  # seconds for changes in context
CONCLUDING = 0.15  # of the time, for what comes after the search


def discover(
    X: Any,
    y: Any,
    *,
    names: Sequence[str] | None = None,
    output: str = "y",
    seconds: float = 60.0,
    seed: int = 0,
    primitives: Sequence[Primitive] = (),
) -> Law:
    """The law y = f(x_1, ..., x_d) that values ``y`` (n,) at rows ``X`` (n, d) follow, with a verdict; X may be columns by name."""
    points, values, labels = checked_data(X, y, names)
    begun = time.monotonic()
    rows = Rows.split(points, values, seed=seed)
    trials = searched(rows.columns, rows.y, seconds=seconds * (1 - CONCLUDING), extra=primitives, seed=seed)
    return concluded(trials, rows, labels, output, evidence=(f"{time.monotonic() - begun:.1f} s of search",))


def polish(expression: Any, X: Any, y: Any, *, names: Sequence[str] | None = None, output: str = "y", seconds: float = POLISHING, seed: int = 0) -> Law:
    """The law that a formula is of the data."""
    if isinstance(expression, str):
        from kanpde.symbolic.reading import read

        expression = read(expression, names or (), as_written=True)
    points, values, labels = checked_data(X, y, names)
    rows = Rows.split(points, values, seed=seed)
    form, start = Form.of(expression, labels)
    starts = start[None] * torch.tensor([1.0, 0.7, 1.4, 0.4, 2.5, -1.0], dtype=torch.float64)[:, None]
    fit = refit(form, rows.columns, rows.y, starts=starts, steps=60)
    if not math.isfinite(fit.rss):
        raise ValueError(f"{expression} is not finite at some of the rows, for any of the constants tried: check its domain, and the names")
    return concluded(near(rows.columns, rows.y, [form.rebuilt(fit.constants)], seconds=seconds, seed=seed), rows, labels, output)
