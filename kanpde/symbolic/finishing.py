"""What a fitted formula comes to: nothing in it that repeats or is nought, constants where one expects them, nice ones exact, factored."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from kanpde.symbolic.absorbing import absorbed
from kanpde.symbolic.description import Trial
from kanpde.symbolic.factoring import factored
from kanpde.symbolic.forms import Form, Node
from kanpde.symbolic.refitting import refit
from kanpde.symbolic.snapping import Snapped, settled, snapped, without_noughts
from kanpde.symbolic.units import Units

REWRITTEN = 1.6  # nats that another way to write it may cost: those of one operation, and of rounding


@dataclass(frozen=True)
class Finished:
    """A trial, its ``origin``, with all constants ``free``, and with those that are nice as ``numbers``."""

    origin: Trial
    free: Trial
    numbers: Trial
    snapped: list[Snapped]

    @property
    def nats(self) -> float:
        return self.numbers.nats


def finished(
    trial: Trial, columns: Tensor, y: Tensor, positive: Sequence[int], *, units: Units | None = None, end: float = math.inf
) -> Finished:
    """The trial on columns (inputs, N) and values y (N,) at its shortest; ``positive`` are the variables that are.

    With ``units``, constants that must carry one are no numbers, and what balances is not written so that it does no more. When
    this thread has used the seconds ``end`` of CPU time, what is left to do is not done.
    """

    def moved(one: Trial) -> Trial:
        return kept(one, _rewritten(one, absorbed(one.form.rebuilt(one.constants)), columns, y))

    def shorter(one: Trial) -> Trial:
        return kept(one, _rewritten(one, factored(one.form.rebuilt(one.constants), one.form.inputs, positive), columns, y))

    def kept(before: Trial, after: Trial) -> Trial:
        lost = units is not None and after is not before and units.balance(after.form) is None and units.balance(before.form) is not None
        return before if lost else after

    free = without_noughts(settled(trial, columns, y, end), columns, y, end)
    if time.thread_time() > end:
        return Finished(trial, free, free, [])
    free = shorter(settled(moved(free), columns, y, end))
    numbers, found = snapped(free, columns, y, end=end)
    if units is not None and units.balance(numbers.form) is None:
        balance = units.balance(free.form, pure=[each.place for each in found])
        if balance is not None:
            numbers, found = snapped(free, columns, y, held=[place for place, powers in enumerate(balance) if powers], end=end)
    return Finished(trial, free, shorter(numbers), found)


def _rewritten(trial: Trial, root: Node, columns: Tensor, y: Tensor) -> Trial:
    """The trial with its formula written in another way, refitted, unless that makes it longer by more than ``REWRITTEN``."""
    form = Form(root, trial.form.inputs)
    if form.shape == trial.form.shape:
        return trial
    fit = refit(form, columns, y, starts=form.start[None], weights=trial.weights, steps=40)
    found = Trial.of(fit, y, trial.weights)
    return found if math.isfinite(fit.rss) and found.nats <= trial.nats + REWRITTEN else trial
