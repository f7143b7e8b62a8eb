"""The formulas that a search has tried: each is refitted whole, once, and kept by its description length."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.search.smoothing import Smooth, smoothed
from kanpde.symbolic.description import Trial, data_nats, mean_square, structure_nats
from kanpde.symbolic.forms import Form, Node
from kanpde.symbolic.refitting import Fit, refit
from kanpde.symbolic.snapping import without_noughts

SCREEN = 256  # rows at which terms are scored
FEW = 500  # and formulas refitted first, where the data are smooth to rounding
MANY = 1500  # or may be noisy
CLOSE = 1e-6  # of the RSS: what is left to gain when these refits end
FIRST, SECOND = 6, 12  # steps of the refits: over the screen, and, where that promises something, over more rows
PROMISE, SLACK = 3.0, 4.0  # it does if no formula up to so many nats longer has a residual (mean square) so much less
LONGEST = 150.0  # nats of a formula that is still changed in context
SHORTER, ALIKE = 15.0, 1.15  # nor if one shorter by so many nats has one no greater than so many times its own
FREE = 12  # constants, at most
AT_LEAST = 12  # formulas that are refitted over all rows even when the time is over
ROUNDING = 1e-11  # of the rms of y: a residual below it ends a search
TEMPERATURES = (1.0, 0.15, 0.03)  # shares of the data's weight beside the formula's length: short ones are kept as well


@dataclass(eq=False)
class Entry:
    """A formula in the pool: ``fit`` over some rows with the mean ``square`` of its residual, ``trial`` over all, once it has got there.

    ``length`` is that of the description without the data.
    """

    form: Form
    fit: Fit
    nats: float
    length: float
    square: float
    trial: Trial | None = None
    exchanged: bool = False
    expanded: bool = False

    def cooled(self, temperature: float, rows: int, size: float) -> float:
        """The description length with the data counted for less."""
        return temperature * data_nats(self.square * rows, rows, size) + self.length


class Pool:
    """What was tried of formulas for y (N,) at columns (d, N), until ``seconds`` are over; ``weights`` (N,) multiply the residuals."""

    def __init__(
        self,
        columns: Tensor,
        y: Tensor,
        *,
        seconds: float,
        seed: int = 0,
        smooth: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> None:
        self.columns, self.y, self.rows, self.weights = columns, y, len(y), weights
        self.size = mean_square(y, weights)
        self.end = time.monotonic() + seconds
        order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(seed))
        self.screen = order[:SCREEN]
        if smooth is None:
            self.smooth = smoothed(columns, y, weights=weights)
        else:
            self.smooth = Smooth(smooth, math.sqrt(mean_square(y - smooth, weights)))
        self.noisy = self.smooth.noise > 1e-3 * math.sqrt(self.size)
        used = order[: MANY if self.noisy else FEW]
        self._first, self._second = self._part(self.screen), self._part(used)
        self._front: list[tuple[float, float]] = []  # of length without the data and mean square of the residual
        self.entries: dict[object, Entry] = {}
        self.tried: set[object] = set()
        self.exact = False
        self.clear = False  # set when what there is will do

    def _part(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        return self.columns[:, rows].contiguous(), self.y[rows], None if self.weights is None else self.weights[rows]

    def _refitted(self, form: Form, start: Tensor, part: tuple[Tensor, Tensor, Tensor | None], steps: int) -> Fit:
        columns, y, weights = part
        return refit(form, columns, y, starts=start[None], weights=weights, steps=steps, close=CLOSE)

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """No more than so many seconds for what is done inside."""
        end = self.end
        self.end = min(end, time.monotonic() + seconds)
        try:
            yield
        finally:
            self.end = end

    @property
    def over(self) -> bool:
        """Whether there is a formula without a residual, or one that will do, or no time left."""
        return self.exact or self.clear or self.left <= 0

    def offer(self, node: Node) -> Entry | None:
        """Refit a formula, if there was none of its form yet; None if there was, or it is not finite at all rows."""
        form = Form(node, len(self.columns))
        shape = form.shape
        if shape in self.tried or form.count > FREE or self.over:
            return None
        self.tried.add(shape)
        structure = structure_nats(form)
        length = structure + form.count / 2 * math.log(self.rows)
        fit, used = self._refitted(form, form.start, self._first, FIRST), len(self._first[1])
        if not math.isfinite(fit.rss):
            return None
        if self._promises(length, fit.rss / used):
            fit, used = self._refitted(form, fit.constants, self._second, SECOND), len(self._second[1])
            if not math.isfinite(fit.rss):
                return None
            self._front.append((length, fit.rss / used))
        nats = data_nats(fit.rss / used * self.rows, self.rows, self.size) + length
        entry = self.entries[shape] = Entry(form, fit, nats, length, fit.rss / used)
        return entry

    def _promises(self, length: float, square: float) -> bool:
        """Whether no formula that is as short has a residual several times less, and none that is much shorter one about as small."""
        if any(size <= length - SHORTER and known <= ALIKE * square for size, known in self._front):
            return False
        least = min((known for size, known in self._front if size <= length + SLACK), default=math.inf)
        return square <= PROMISE * least

    def best(self, count: int = 12) -> list[Trial]:
        """The shortest descriptions, refitted over all rows, without what may as well be nought; sets ``exact``.

        When the time is over, those that were not refitted yet are left out, but for ``AT_LEAST``.
        """
        found: list[Trial] = []
        while waiting := [each for each in self._shortest(count) if each.trial is None]:
            if self.left <= 0 and len(self._shortest(count)) - len(waiting) >= AT_LEAST:
                break
            for entry in waiting[: AT_LEAST if self.left <= 0 else 1]:
                self._finish(entry)
        found = sorted((each.trial for each in self._shortest(count) if each.trial is not None), key=lambda each: each.nats)
        self.exact = bool(found) and found[0].rms <= ROUNDING * math.sqrt(self.size)
        return found

    def _shortest(self, count: int) -> list[Entry]:
        return sorted(self.entries.values(), key=lambda each: each.nats)[:count]

    def _finish(self, entry: Entry) -> None:
        """Refit over all rows. An extension that comes to nothing is taken out, or becomes what it extends.

        Of a good formula thousands have a little more, gain by it what noise allows, and would crowd out all that is really different.
        """
        del self.entries[entry.form.shape]
        fit = refit(entry.form, self.columns, self.y, starts=entry.fit.constants[None], weights=self.weights, steps=40)
        if not math.isfinite(fit.rss):
            return
        trial = without_noughts(Trial(fit, self.rows, self.size, self.weights), self.columns, self.y)
        shape = trial.form.shape
        if shape != entry.form.shape:
            self.tried.add(shape)
        known = self.entries.get(shape)
        if known is not None and (known.trial is None or known.trial.nats > trial.nats):
            known.trial, known.fit, known.nats, known.square = trial, trial.fit, trial.nats, trial.rss / self.rows
        elif known is None:
            length = structure_nats(trial.form) + trial.form.count / 2 * math.log(self.rows)
            new = Entry(trial.form, trial.fit, trial.nats, length, trial.rss / self.rows, trial, entry.exchanged, entry.expanded)
            self.entries[shape] = new

    def next(self, temperature: float, *, exchange: bool = False) -> Entry | None:
        """The best at this temperature that was not expanded yet, or not even exchanged."""
        waiting = [each for each in self.entries.values() if not (each.exchanged if exchange else each.expanded) and each.length <= LONGEST]
        return min(waiting, key=lambda each: each.cooled(temperature, self.rows, self.size), default=None)


def leading(logarithms: Tensor, costs: Tensor, rows: int, keep: int) -> list[int]:
    """Places of the least rows/2 log(rest) + cost, with the data at several temperatures, in turn; (flattened) tensors alike."""
    found: list[list[int]] = []
    for temperature in TEMPERATURES:
        score = (rows / 2 * temperature * logarithms + costs).flatten()
        values, places = score.topk(min(keep, score.numel()), largest=False)
        found.append(places[torch.isfinite(values)].tolist())
    seen: dict[int, None] = {}
    for rank in range(max(map(len, found))):
        for places in found:
            if rank < len(places):
                seen.setdefault(places[rank])
    return list(seen)
