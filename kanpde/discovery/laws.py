"""Laws of data: :func:`discover` finds one, :func:`extract` reads it off a network, :func:`polish` improves a formula from elsewhere.

What they share: formulas are searched for and refitted whole (:mod:`kanpde.search`), compared by description length, their constants
snapped where they are nice, written plainly, and verified on rows that were kept for that (:mod:`kanpde.symbolic.concluding`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kanpde.arguments import real_number, seed_number
from kanpde.network import Network
from kanpde.primitives import Primitive, primitives_of
from kanpde.problem import Problem
from kanpde.solution import Solution
from kanpde.symbolic.law import Law

if TYPE_CHECKING:
    from kanpde.symbolic.description import Trial
    from kanpde.symbolic.forms import Node
    from kanpde.symbolic.refitting import Fit
    from kanpde.symbolic.units import Units

CONCLUDING = 0.1  # of the time, for what comes after the search
WITH_UNITS = 0.4  # and for the search in dimensionless groups, if there are units
LAST = 0.2, 0.7  # of the time, and seconds on top, of the CPU, for simplifying, snapping and judging what was found
FITTED = 0.5  # seconds of the CPU on top of the time for what a formula must have: that its constants are fitted


def discover(
    X: Any,
    y: Any,
    *,
    names: Sequence[str] | None = None,
    output: str = "y",
    units: Mapping[str, str] | None = None,
    sigma: Any = None,
    primitives: Sequence[str | Primitive | Callable[[Any], Any]] = (),
    seconds: float = 60.0,
    seed: int = 0,
) -> Law:
    """The law y = f(x_1, ..., x_d) that values ``y`` (n,) at rows ``X`` (n, d) follow, with a verdict; X may be columns by name.

    A search through sums, products and quotients of monomials and functions, under outer links, with every candidate refitted whole; where
    the data are noisy, also of what is smooth in them. ``primitives`` of one's own come on top of the library: names, formulas or
    :class:`~kanpde.Primitive`. It stops at an exact law, or after about ``seconds``.

    ``sigma`` (n,) are the standard deviations of ``y``, up to a common factor, where they are not alike: rows count by 1/sigma^2, in the
    search, in the sigma of the constants and in the verdict; ``rms`` and ``noise`` of the law are then those of a row of weight 1, which
    the weights are in the mean square, and the evidence says how they compare with ``sigma``.

    ``units``, such as ``{"v": "m/s", ..., "E": "J"}`` of all columns and of the output, also try dimensionless groups (Buckingham, Phys.
    Rev. 4, 1914, 345), and the law's terms must balance: a constant that must carry a unit for that, such as g in h = g t^2/2, stays free,
    and the law says which; a formula that no units of its constants balance is a ``candidate`` at best. See
    :func:`~kanpde.symbolic.units.dimensions` for what is a unit.

    >>> import numpy as np
    >>> v = np.linspace(0, 0.9, 50)
    >>> print(discover(v, 1 / np.sqrt(1 - v**2), names=["v"], output="gamma").formula)
    gamma = 1/sqrt(1 - v**2)

    Raises ``TypeError`` and ``ValueError`` for data that no law can be found in (:func:`~kanpde.symbolic.samples.checked_data`), for names
    that clash, for primitives that are no functions of one variable, for units that are missing or not understood, and for a ``sigma``
    that is not a positive number for every row.
    """
    from kanpde.symbolic.concluding import Rows, concluded
    from kanpde.symbolic.samples import checked_data, checked_output, checked_sigma

    seed = seed_number(seed, "discover(seed=...)")
    real_number(seconds, "discover(seconds=...)", above=0)
    points, values, labels = checked_data(X, y, names)
    checked_output(output, labels)
    extra = primitives_of(primitives, "primitives")
    balance = _units(units, labels, output)
    rows = Rows.split(points, values, sigma=checked_sigma(sigma, len(values)), seed=seed, units=balance)
    begun, seeds = time.monotonic(), []
    if balance is not None:
        from kanpde.discovery.units import dimensionless

        groups = dimensionless(balance, len(labels))
        seeds = [] if groups is None else _grouped(groups, rows, seconds * WITH_UNITS, extra, seed)
    left = seconds * (1 - CONCLUDING) - (time.monotonic() - begun)
    trials = _searched(rows, left, seeds=seeds, extra=extra, seed=seed)
    return concluded(trials, rows, labels, output, evidence=_spent(begun), seconds=_last(seconds))


def polish(
    expression: Any,
    X: Any,
    y: Any,
    *,
    names: Sequence[str] | None = None,
    output: str = "y",
    units: Mapping[str, str] | None = None,
    sigma: Any = None,
    seconds: float = 10.0,
    seed: int = 0,
) -> Law:
    """The law that a formula, from any engine, comes to when it is refitted to data, changed where that helps, snapped and verified.

    ``expression`` is a sympy expression or text in ``names``, those of the columns of ``X`` (n, d), by default x, or x1, x2, ...; of one
    column also the only symbol that there is. Its floats, and other symbols, are free constants. ``seconds`` go to changes in context;
    ``units`` and ``sigma`` are as those of :func:`discover`.

    >>> import numpy as np
    >>> x = np.linspace(0, 3, 200)
    >>> polish("0.9*exp(-1.1*x)", x, 2 * np.exp(-x / 2), names=["x"]).formula
    'y = 2*exp(-x/2)'

    Raises ``ValueError`` and ``TypeError`` as :func:`discover` does, for formulas that are not finite at the rows or have functions that no
    primitive is, and where it is not said which column a symbol is.
    """
    from kanpde.symbolic.concluding import Rows, concluded
    from kanpde.symbolic.description import Trial
    from kanpde.symbolic.reading import read
    from kanpde.symbolic.samples import by_name, checked_data, checked_output, checked_sigma

    if isinstance(expression, str):
        expression = read(expression, names or (), as_written=True)
    seed, seconds = seed_number(seed, "polish(seed=...)"), real_number(seconds, "polish(seconds=...)", above=0)
    symbols = sorted(map(str, getattr(expression, "free_symbols", ())))
    named = names is not None or by_name(X)
    if not named and len(symbols) == 1 and np.ndim(X) in (1, 2) and np.size(X) == len(X):
        names = symbols
    points, values, labels = checked_data(X, y, names)
    if not set(symbols) & set(labels) or names is None and not named and set(symbols) - set(labels):
        raise ValueError(
            f"it is not said which of the {len(labels)} columns {', '.join(symbols) or expression} are: give names=[...] in their order"
        )
    checked_output(output, labels)
    weighed = checked_sigma(sigma, len(values))
    rows, begun = Rows.split(points, values, sigma=weighed, seed=seed, units=_units(units, labels, output)), time.monotonic()
    fit = _fitted(expression, labels, rows, seconds)
    left = max(seconds - (time.monotonic() - begun), 0.0)
    trials = [Trial.of(fit, rows.y, rows.weights), *_near(fit.form.rebuilt(fit.constants), rows, left, seed)]
    return concluded(trials, rows, labels, output, evidence=_spent(begun), seconds=_last(seconds))


def extract(model: Any, data: Any, *, output: str = "", seconds: float = 60.0, seed: int = 0) -> Law:
    """The law of a trained network: of an equation that it solves, proved if possible, or of data that it was fitted to.

    ``model`` is a network or a :class:`~kanpde.solution.Solution`; ``data`` the problem that it was trained on, or (X, y). Of a problem
    with an equation see :func:`~kanpde.discovery.solutions.extraction.extract_solution`. Of data, the search begins with what the
    network's edges look like, and has its values as what is smooth in the data; the law is fitted to the data, and judged by them, rows
    weighed by 1/sigma^2 where the data have a ``sigma``.

    Raises ``TypeError`` for other arguments, ``ValueError`` for networks of several outputs.
    """
    seed = seed_number(seed, "extract(seed=...)")
    real_number(seconds, "extract(seconds=...)", above=0)
    network = model.network if isinstance(model, Solution) else model
    if not isinstance(network, Network):
        raise TypeError(f"extract(model, data) takes a trained network or a Solution, got {model!r:.80}")
    if isinstance(data, Problem) and data.data_points is None:
        from kanpde.discovery.solutions.extraction import extract_solution

        return extract_solution(data, model, seconds=seconds)
    from kanpde.discovery.readings import readings
    from kanpde.symbolic.concluding import Rows, concluded
    from kanpde.symbolic.samples import checked_data, checked_output

    X, y, names, target, sigma = _rows_of(data, network)
    points, values, labels = checked_data(X, y, names)
    if network.outputs != 1 or network.inputs != len(labels):
        raise ValueError(
            f"{network} is of {network.inputs} inputs and {network.outputs} outputs, the data have {len(labels)} columns, one target"
        )
    checked_output(output or target, labels)
    rows, begun = Rows.split(points, values, sigma=sigma, seed=seed), time.monotonic()
    with torch.no_grad():
        smooth = network(rows.columns.T.to(network.lower))[:, 0].double().cpu()
    seeds = readings(network, rows, labels)
    trials = _searched(rows, seconds * (1 - CONCLUDING), seeds=seeds, smooth=smooth, seed=seed)
    network_rms = float((smooth - rows.y).square().mean().sqrt())
    lines = (*_spent(begun), f"the network leaves {network_rms:.3g} (rms) of the rows that the law was fitted to")
    return concluded(trials, rows, labels, output or target, evidence=lines, seconds=_last(seconds))


def _rows_of(data: Any, network: Network) -> tuple[Any, Any, Sequence[str] | None, str, np.ndarray | None]:
    """Inputs, targets, names, the name of the target, and the standard deviations of the targets if they are known."""
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return data[0], data[1], None, "y", None
    dataset: Any = getattr(data, "data", data)
    if not hasattr(dataset, "target_names"):
        raise TypeError(f"extract(model, data) takes a problem, a Dataset, or (X, y), got {data!r:.80}")
    if len(dataset.target_names) != 1 or network.outputs != 1:
        raise ValueError(f"a law is of one target, the data have {', '.join(dataset.target_names)}: extract one at a time, with (X, y)")
    train = dataset["train"]
    sigma = None if train.sigma is None else train.sigma[:, 0]
    return train.inputs, train.targets[:, 0].astype(float), dataset.domain.names, dataset.target_names[0], sigma


def _units(units: Mapping[str, str] | None, labels: Sequence[str], output: str) -> "Units | None":
    if units is None:
        return None
    from kanpde.symbolic.units import Units

    return Units.of(units, labels, output)


def _searched(rows: Any, seconds: float, *, seeds: Any = (), smooth: Any = None, extra: Any = (), seed: int = 0) -> "list[Trial]":
    from kanpde.search.searching import searched
    from kanpde.symbolic.concluding import clear

    end = time.thread_time() + seconds + FITTED
    return searched(
        rows.columns,
        rows.y,
        seconds=max(seconds, 0.1),
        seeds=seeds,
        smooth=smooth,
        extra=extra,
        seed=seed,
        weights=rows.weights,
        enough=lambda trials, late: clear(trials, rows, late=late, end=end),
    )


def _near(node: "Node", rows: Any, seconds: float, seed: int) -> "list[Trial]":
    from kanpde.search.searching import near

    return near(rows.columns, rows.y, [node], seconds=seconds, seed=seed, weights=rows.weights)


def _fitted(expression: Any, labels: Sequence[str], rows: Any, seconds: float) -> "Fit":
    """The formula with its constants refitted from several starts, for half of the time at most."""
    from kanpde.symbolic.forms import Form
    from kanpde.symbolic.refitting import refit

    form, start = Form.of(expression, labels)
    end = time.thread_time() + seconds / 2 + FITTED
    factors = torch.tensor([1.0, 0.7, 1.4, 0.4, 2.5, -1.0], dtype=torch.float64)
    fit = refit(form, rows.columns, rows.y, starts=start[None] * factors[:, None], weights=rows.weights, steps=60, end=end)
    if not np.isfinite(fit.rss):
        raise ValueError(f"{expression} is not finite at some of the rows, for any of the constants tried: check its domain, and the names")
    return fit


def _grouped(groups: Any, rows: Any, seconds: float, extra: Any, seed: int) -> "list[Node]":
    """Laws of dimensionless groups, times the monomial that has the units of the output, as formulas of the variables."""
    from kanpde.search.searching import searched

    if not groups.count:
        return [groups.whole()]
    columns, factor = groups.values(rows.columns)
    if not bool(torch.isfinite(columns).all() and torch.isfinite(rows.y / factor).all()):
        return []  # a column that is 0 somewhere, in a denominator
    weights = None if rows.weights is None else rows.weights * factor.abs()
    weights = None if weights is None else weights / weights.square().mean().sqrt()
    trials = searched(columns, rows.y / factor, seconds=seconds, extra=extra, seed=seed, weights=weights)
    return [groups.formula(trial) for trial in trials[:10]]


def _last(seconds: float) -> float:
    share, more = LAST
    return share * seconds + more


def _spent(begun: float) -> tuple[str, ...]:
    return (f"searched for {time.monotonic() - begun:.1f} s",)
