"""Skeletons from Operon, the fast genetic programming in C++, polished into laws: an optional extra.

Operon finds the right structure often, with constants such as 1.0660470: polishing refits them, snaps those that are nice, gives the others
an uncertainty, and a verdict. Source: Burlacu, Kronberger and Kommenda, GECCO Companion 2020, 1562; the package pyoperon.
"""

import importlib.util
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kanpde.arguments import real_number, seed_number
from kanpde.symbolic.law import Law
from kanpde.symbolic.spelling import normal, restored

SYMBOLS = "add,sub,mul,div,pow,square,sqrt,exp,log,sin,cos,tanh,constant,variable"
SHARE = 0.7  # of the time, for Operon; polishing has the rest
TRIED = 12  # skeletons that are polished


def skeletons(
    X: Any, y: Any, *, names: Sequence[str], seed: int = 0, seconds: float = 30.0, symbols: str = SYMBOLS, length: int = 30
) -> list[Any]:
    """Formulas for ``y`` (n,) of ``X`` (n, d) on Operon's Pareto front of error and length, the most exact first, with floats in them.

    ``symbols`` are Operon's names of functions, ``length`` the most nodes of its trees. Raises ``ModuleNotFoundError`` without pyoperon.
    """
    if importlib.util.find_spec("pyoperon") is None:
        raise ModuleNotFoundError(
            "Operon is an optional extra of kanpde: pip install 'kanpde[operon]' (the package pyoperon), or use discover, which needs none"
        )
    from pyoperon.sklearn import SymbolicRegressor  # pyright: ignore[reportMissingImports]

    points, values = np.asarray(X, dtype=float), np.asarray(y, dtype=float).reshape(-1)
    scale = float(np.sqrt(np.mean(values**2))) or 1.0  # it works in single precision
    search = SymbolicRegressor(
        allowed_symbols=symbols, objectives=["mse", "length"], max_length=length, optimizer_iterations=10, n_threads=1,
        generations=100_000, max_evaluations=2**31 - 1, max_time=max(1, math.ceil(seconds)), random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of models without variables
        search.fit(points, values / scale)
        ranked = sorted(search.pareto_front_, key=lambda each: each["mean_squared_error"])
        plain = [f"v{number + 1}" for number in range(points.shape[1])]
        texts = [search.get_model_string(each["tree"], 9, plain) for each in ranked]
    return [found for text in texts if (found := _read(text, plain, names, scale)) is not None]


def operon(
    X: Any,
    y: Any,
    *,
    names: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    sigma: Any = None,
    output: str = "y",
    seed: int = 0,
    seconds: float = 60.0,
) -> Law:
    """The law of the data that Operon's skeletons become when they are polished; takes the arguments of ``discover``.

    ``units`` are not used, ``sigma`` not by Operon itself, but by what polishes. Raises as :func:`~kanpde.discovery.discover` and
    :func:`skeletons` do, and ``ValueError`` where no skeleton is finite on the data.
    """
    from kanpde.search.searching import near
    from kanpde.symbolic.concluding import Rows, concluded
    from kanpde.symbolic.forms import Form
    from kanpde.symbolic.refitting import refit
    from kanpde.symbolic.samples import checked_data, checked_output, checked_sigma

    seed, seconds = seed_number(seed, "operon(seed=...)"), real_number(seconds, "operon(seconds=...)", above=0)
    points, values, known = checked_data(X, y, names)
    checked_output(output, known)
    weighed = checked_sigma(sigma, len(values))
    found = skeletons(points, values, names=known, seed=seed, seconds=SHARE * seconds)
    rows, seeds = Rows.split(points, values, sigma=weighed, seed=seed), []
    for expression in found[:TRIED]:
        try:
            form, start = Form.of(expression, known)
        except ValueError:  # a function that no primitive is
            continue
        fit = refit(form, rows.columns, rows.y, starts=start[None], weights=rows.weights, steps=60)
        if math.isfinite(fit.rss):
            seeds.append(form.rebuilt(fit.constants))
    if not seeds:
        raise ValueError(f"none of Operon's {len(found)} formulas is finite at all rows: give it more seconds, or use discover")
    trials = near(rows.columns, rows.y, seeds, seconds=(1 - SHARE) * seconds, seed=seed, weights=rows.weights)
    return concluded(trials, rows, known, output, evidence=(f"{len(found)} skeletons from Operon",))


def _read(text: str, plain: Sequence[str], names: Sequence[str], scale: float) -> Any:
    """The formula of a text of Operon's; None where it is not finite."""
    try:
        return normal(restored(f"{scale!r}*({text})", dict(zip(plain, names, strict=True))), "a formula of Operon")
    except ValueError:
        return None
