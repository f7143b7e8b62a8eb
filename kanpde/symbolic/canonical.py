"""A fitted formula as one would write it: of all that sympy makes of it, the shortest, which has the same values."""

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from kanpde.functions import evaluated
from kanpde.symbolic.comparing import within_seconds
from kanpde.symbolic.description import Trial
from kanpde.symbolic.law import LawConstant, nodes
from kanpde.symbolic.snapping import Snapped
from kanpde.symbolic.spelling import computable

if TYPE_CHECKING:
    from kanpde.symbolic.concluding import Rows

SHOWN = 1e-8  # how closely the printed formula has the values of the fitted one, relative to the greatest
SECONDS = 3.0  # for each thing that sympy is asked
LARGEST = 150  # operations


def plainly(
    trial: Trial,
    sigma: Tensor,
    found: Sequence[Snapped],
    names: Sequence[str],
    output: str,
    rows: "Rows",
    units: Sequence[str] | None = None,
    *,
    end: float = math.inf,
) -> tuple[Any, tuple[LawConstant, ...]]:
    """The formula of a trial in the shortest way, c1, c2, ... for its free constants, and these, as well as those that were snapped.

    Names of the columns and of the output are not given to constants; ``units`` are those that the free ones carry. Other ways
    to write it are looked for until this thread has used the seconds ``end`` of CPU time.
    """
    import sympy

    taken = {output, *map(str, names)}
    labels = [name for name in (f"c{k}" for k in range(1, trial.form.count + len(found) + len(taken) + 1)) if name not in taken]
    symbols = [sympy.Symbol(name, real=True) for name in labels[: trial.form.count]]
    inputs = [sympy.Symbol(name, real=True) for name in names]
    expression = trial.form.expression(inputs, symbols)
    low = rows.whole[0].min(1).values.tolist()
    positive = {each: sympy.Symbol(each.name, positive=True) for each, least in zip(inputs, low, strict=True) if least > 0}
    values = trial.constants.tolist()
    positive |= {each: sympy.Symbol(each.name, positive=True) for each, value in zip(symbols, values, strict=True) if value > 0}
    back = {new: old for old, new in positive.items()}
    short = shortest(expression.xreplace(positive), end).xreplace(back)
    if not _agrees(short, trial, inputs, symbols, rows):
        short = expression
    carried = [""] * trial.form.count if units is None else units
    constants = [
        LawConstant(name, value, spread, unit=unit)
        for name, value, spread, unit in zip(labels[: trial.form.count], values, sigma.tolist(), carried, strict=True)
    ]
    for name, each in zip(labels[trial.form.count :], found, strict=False):
        constants.append(LawConstant(name, each.value, each.sigma, str(each.exact)))
    kept = {each.name for each in short.free_symbols}
    return short, tuple(each for each in constants if each.exact or each.name in kept)


def shortest(expression: Any, end: float = math.inf) -> Any:
    """Of the forms that sympy gives an expression until ``end``, of CPU time, the one with the fewest nodes."""
    import sympy

    if expression.count_ops() > LARGEST:
        return expression
    ways: Sequence[Callable[[Any], Any]] = (
        lambda each: sympy.powsimp(each, deep=True),
        _with_tanh,
        sympy.together,
        sympy.factor,
        sympy.expand,
        lambda each: sympy.factor(sympy.expand(each)),
        lambda each: sympy.cancel(sympy.together(each)),
        sympy.powdenest,
        sympy.logcombine,
        sympy.simplify,
    )
    found = [expression]
    for _ in range(2):
        start = min(found, key=nodes)
        for way in ways:
            left = min(SECONDS, end - time.thread_time())
            result = within_seconds(lambda of=way, each=start: of(each), left) if left > 0 else None
            if result is not None and result not in found:
                found.append(result)
        if nodes(min(found, key=nodes)) == nodes(start):
            break
    return min(found, key=lambda each: (nodes(each), each.count_ops()))


def _with_tanh(expression: Any) -> Any:
    """(1 - tanh(u/2)) / 2 in place of 1 / (1 + exp(u)), which is the shorter in -1 + 2 / (1 + exp(u))."""
    import sympy

    u = sympy.Wild("u", exclude=[0])
    merged = sympy.powsimp(expression, deep=True)
    return sympy.expand_mul(merged.replace(1 / (1 + sympy.exp(u)), (1 - sympy.tanh(u / 2)) / 2))


def _agrees(expression: Any, trial: Trial, inputs: Sequence[Any], symbols: Sequence[Any], rows: "Rows") -> bool:
    """Whether the expression has the values of the trial at all rows."""
    columns, _ = rows.whole
    function = evaluated([*inputs, *symbols], computable(expression))
    with np.errstate(all="ignore"):
        given = np.asarray(function(*columns.numpy(), *trial.constants.tolist()))
    wanted = trial.values(columns).numpy()
    return bool(np.abs(np.broadcast_to(given, wanted.shape) - wanted).max() <= SHOWN * (np.abs(wanted).max() or 1.0))
