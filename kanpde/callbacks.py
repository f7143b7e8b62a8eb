"""Callbacks: what is done after every step of training, beside the training itself.

``Experiment(..., callbacks=[...])`` takes any callables of the run (:class:`~kanpde.experiment.Run`), called one after another. One that
returns a text ends the training, which is then complete, and the text is kept among the reasons why rungs stopped; any other returns
None. If one has a method ``rung_over``, that is called with the run, too, whenever a rung has ended: the best of its networks is in place,
and ``run.fit.reached`` has its loss and error. One that raises ends the training as well: the result has the status "failed", keeps what
was computed, and says which callback raised what.
"""

import logging
import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kanpde.arguments import nearest, whole_number
from kanpde.calls import function_name

logger = logging.getLogger("kanpde")

Callback = Callable[[Any], str | None]

COLUMNS = ("step", "seconds", "loss", "error_l2", "damping", "refinement")


class CallbackError(Exception):
    """A callback raised: the message says which, where and what; ``__cause__`` is what it raised."""


def heard(callbacks: Sequence[Callback], run: Any, *, rung_over: bool = False) -> str | None:
    """Call each with the run, or the ``rung_over`` of those that have one; the first reason that one of them gives to end the training.

    Raises :class:`CallbackError`.
    """
    reason = None
    for number, callback in enumerate(callbacks, 1):
        name = f"callback {number} of {len(callbacks)}, {called(callback)},"
        function = getattr(callback, "rung_over", lambda run: None) if rung_over else callback
        try:
            said = function(run)
            if said is not None and not (isinstance(said, str) and said):
                raise TypeError(f"it returned {said!r}: a callback returns None, or a text, the reason to end the training")
        except Exception as error:  # whatever a user's function does: what was computed must not be lost
            raise CallbackError(f"{name} raised {type(error).__name__} at step {run.fit.history.length}: {error}{_line(error)}") from error
        reason = reason or said
    return reason


def _line(error: Exception) -> str:
    """Where it was raised, unless here."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return "" if frame.filename == __file__ else f" ({frame.filename}, line {frame.lineno})"


def called(callback: Callback) -> str:
    """How messages call a callback."""
    return function_name(callback).removesuffix("()") if hasattr(callback, "__name__") else repr(callback)


@dataclass(frozen=True)
class Log:
    """Log loss and error every so many steps, at the level INFO of the logger "kanpde" (``--verbose`` on the command line)."""

    every: int = 10

    def __post_init__(self) -> None:
        whole_number(self.every, "Log(every=...)")

    def __call__(self, run: Any) -> None:
        history = run.fit.history
        if history.length % self.every == 0:
            last = {name: column[-1] for name, column in history.columns.items()}
            own = [name for name in last if name not in COLUMNS and not name.startswith(("loss_", "weight_"))]
            words = [f"{name} {last[name]:.3g}" for name in ("loss", "error_l2", *own) if not math.isnan(last[name])]
            logger.info("step %d of at most %d, %.1f s: %s", last["step"], run.fit.total_steps, last["seconds"], ", ".join(words))


@dataclass(frozen=True, init=False)
class Record:
    """Own quantities by step, as columns of the history: ``Record(nu=lambda run: run.coefficients["nu"])``.

    Each is a function of the run that returns a number; the columns have their names. Every ``every`` steps, in between NaN.
    """

    quantities: dict[str, Callable[[Any], Any]]
    every: int

    def __init__(self, *, every: int = 1, **quantities: Callable[[Any], Any]) -> None:
        whole_number(every, "Record(every=...)")
        if not quantities:
            raise ValueError("Record needs quantities by name, as in Record(nu=lambda run: run.coefficients['nu'])")
        for name, quantity in quantities.items():
            if name in COLUMNS or name.startswith(("loss_", "weight_")):
                raise ValueError(f"Record({name}=...): the history has a column {name!r} of its own; choose another name")
            if not callable(quantity):
                raise TypeError(f"Record({name}=...) takes a function of the run, like lambda run: run.fit.seconds, got {quantity!r}")
        object.__setattr__(self, "quantities", quantities)
        object.__setattr__(self, "every", every)

    def __repr__(self) -> str:
        return f"Record({', '.join(self.quantities)})"

    def __call__(self, run: Any) -> None:
        here = run.fit.history.length % self.every == 0
        for name, quantity in self.quantities.items():
            run.fit.history.amend(name, float(quantity(run)) if here else math.nan)


@dataclass(frozen=True)
class EarlyStopping:
    """End the training, all its rungs, when a column of the history is low enough, or has not improved for some steps.

    ``EarlyStopping(below=1e-6)`` ends at a relative error of 1e-6, ``EarlyStopping("loss", patience=50)`` when none of the last 50 steps
    has a smaller loss than all before. ``monitor`` may be a column that a :class:`Record` before it fills; NaN does not count.
    Of what is better the greater it is, such as ``validation_accuracy``, with ``rising``, ``above`` in place of ``below``.

    With ``restore`` the network that is left, however the training ends but by an interruption, is the one that was best in the column:
    ``EarlyStopping("validation_rmse", patience=20, restore=True)``. Not with ``Slabs``.
    """

    monitor: str = "error_l2"
    below: float = -math.inf
    patience: int | None = None
    above: float = math.inf
    rising: bool = False
    restore: bool = False

    def __post_init__(self) -> None:
        if self.patience is not None:
            whole_number(self.patience, "EarlyStopping(patience=...)")
        goal = self.above if self.rising else self.below
        if math.isnan(goal) or (self.patience is None and math.isinf(goal)):
            raise ValueError(
                "EarlyStopping takes below=1e-6, a number to reach (of what is rising: above=0.99), or patience=50, a number of steps, "
                f"got {self}"
            )
        if math.isfinite(self.below if self.rising else self.above):
            raise ValueError(f"EarlyStopping takes above with rising=True, below without, got {self}")

    def __call__(self, run: Any) -> str | None:
        columns = run.fit.history.columns
        if self.monitor not in columns:
            known = list(columns)
            raise ValueError(f"the history has no column {self.monitor!r}, only {', '.join(known)}{nearest(self.monitor, known)}")
        sign = -1.0 if self.rising else 1.0
        values = np.nan_to_num(sign * np.asarray(columns[self.monitor]), nan=math.inf)
        last = float(values[-1])
        if self.restore and last < (values[:-1].min() if len(values) > 1 else math.inf):
            run.fit.keep(self.monitor)
        goal = self.above if self.rising else self.below
        if last <= sign * goal and not math.isinf(goal):
            return f"{self.monitor} {sign * last:.3g} is not {'below' if self.rising else 'above'} {goal:g}"
        if self.patience is None or len(values) <= self.patience:
            return None
        before, recent = float(values[: -self.patience].min()), float(values[-self.patience :].min())
        better = "above" if self.rising else "below"
        if before <= recent and before < math.inf:
            return f"{self.monitor} was not {better} {sign * before:.3g} in {self.patience} steps"
        return None
