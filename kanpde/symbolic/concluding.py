"""From candidate formulas to a law: compare by description length, snap, write plainly, verify, and say how sure it is."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.symbolic.description import (
    ROUNDING,
    Trial,
    distinct,
    drift,
    formula_size,
    front,
    mean_square,
    residual_structure,
    rounding,
    structure_nats,
    unbounded,
)
from kanpde.symbolic.finishing import Finished, finished
from kanpde.symbolic.law import Candidate, Law, nodes
from kanpde.symbolic.refitting import deviations, refit
from kanpde.symbolic.snapping import without_noughts
from kanpde.symbolic.units import Units, unit_text

LEAD = 5.0  # nats by which a law must lead
KNOWN = 2  # free constants; with more, that are no known numbers, it must lead by twice as much, for so many formulas fit then
STRUCTURE = -4.0  # log10 of the probability below which a residual is no noise
UNSURE = -2.0  # and below which it may be none
DRIFT = -3.0  # and that constants change with the variables
EXACT = 1e-10  # of the rms of y: a residual below it is none, whatever made it
HELD_OUT = 3.0  # standard deviations by which the residual at fresh rows may exceed that of the fit
NEAR = 25.0  # nats behind the best: also snapped, for numbers may tell
FREE, LONGEST = 5, 90.0  # free constants, and nats of the structure, of what is called a law
KEPT, SHORT = 1, 45.0  # and of one that ends a search before its time
DIFFERENT = 12  # places that a law must have been seen at
MOST = 60  # formulas that are compared


@dataclass(frozen=True)
class Rows:
    """What a law is to explain: columns (inputs, N), values y (N,), and rows that were kept for the end, likewise.

    ``weights`` (N,) multiply the residuals: they are ``sigma``, which makes them 1 in the mean square of all rows, over the standard
    deviations of the values; None where all are known alike. ``units`` are those of columns and values, if they are known. What a trial
    comes to is found once, though a search asks for it more than once.
    """

    columns: Tensor
    y: Tensor
    fresh_columns: Tensor
    fresh_y: Tensor
    units: Units | None = None
    weights: Tensor | None = None
    fresh_weights: Tensor | None = None
    sigma: float = math.nan
    _finished: dict[int, tuple[Trial, Finished]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def split(
        cls,
        X: np.ndarray,
        y: np.ndarray,
        *,
        sigma: np.ndarray | None = None,
        fresh: float = 0.1,
        seed: int = 0,
        units: Units | None = None,
    ) -> "Rows":
        """Random rows are kept, a share ``fresh`` of them; none where there are fewer than 50. ``sigma`` (N,) is the deviation of y."""
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
        kept = round(fresh * len(y)) if len(y) >= 50 else 0
        columns, values = torch.as_tensor(X, dtype=torch.float64).T.contiguous(), torch.as_tensor(y, dtype=torch.float64)
        first, last = order[kept:], order[:kept]
        rows = columns[:, first].contiguous(), values[first], columns[:, last].contiguous(), values[last]
        if sigma is None:
            return cls(*rows, units)
        mean = float(sigma.min() / np.sqrt(np.mean((sigma.min() / sigma) ** 2)))
        weights = torch.as_tensor(mean / sigma, dtype=torch.float64)
        return cls(*rows, units, weights[first], weights[last], mean)

    def finished(self, trial: Trial, end: float = math.inf) -> Finished:
        """What the trial comes to on the rows of the search, as far as CPU time lets, until ``end``."""
        if id(trial) not in self._finished:
            positive = (self.whole[0].min(1).values > 0).nonzero()[:, 0].tolist()
            found = finished(trial, self.columns, self.y, positive, units=self.units, end=end)
            if time.thread_time() > end:
                return found
            self._finished[id(trial)] = trial, found
        return self._finished[id(trial)][1]

    @property
    def whole(self) -> tuple[Tensor, Tensor]:
        return torch.cat([self.columns, self.fresh_columns], 1), torch.cat([self.y, self.fresh_y])

    @property
    def whole_weights(self) -> Tensor | None:
        return None if self.weights is None or self.fresh_weights is None else torch.cat([self.weights, self.fresh_weights])

    @property
    def spread(self) -> float:
        """The mean square of what a constant leaves of the (weighted) values."""
        squares = torch.ones_like(self.y) if self.weights is None else self.weights.square()
        return float((squares * (self.y - (squares * self.y).sum() / squares.sum()).square()).mean())


def concluded(
    trials: Sequence[Trial], rows: Rows, names: Sequence[str], output: str, *, evidence: Sequence[str] = (), seconds: float = 10.0
) -> Law:
    """The law that the best of the trials is, on the rows of the search and on the fresh ones.

    ``seconds`` of CPU time are for simplifying and snapping formulas: when they are over, these stay as they are.
    """
    from kanpde.symbolic.canonical import plainly

    columns, end = rows.columns, time.thread_time() + seconds
    if not trials:
        why = "the time was over before a formula was tried: give it more seconds"
        return Law(tuple(names), {}, (), "no law", why, float(rows.y.std()), math.nan, math.inf, evidence=tuple(evidence))
    ranked = distinct(trials, columns)[:MOST]
    near = [trial for trial in ranked if trial.nats < ranked[0].nats + NEAR]
    best, lead = _chosen(_unlike([rows.finished(trial, end) for trial in near], columns), ranked[len(near) :], columns, end)
    trial, found = (best.numbers, best.snapped) if lead > LEAD else (best.free, [])
    verdict, reason, noise, lines = _verdict(trial, best, lead, rows)
    balance = None if rows.units is None else rows.units.balance(trial.form)
    if rows.units is not None and balance is None:
        told = f"its terms do not balance, whatever units its constants have: {rows.units.fault(trial.form, names)}"
        verdict, reason = ("candidate", told) if verdict == "exact within noise" else (verdict, f"{reason}; {told}")
    whole_columns, whole_y = rows.whole
    weights = rows.whole_weights
    fit = refit(trial.form, whole_columns, whole_y, starts=trial.constants[None], weights=weights, steps=40, end=end)
    last = Trial.of(fit, whole_y, weights) if math.isfinite(fit.rss) else replace(trial, weights=weights)
    sigma, _ = deviations(last.fit, whole_columns, last.variance, weights)
    if weights is not None:
        lines = [*lines, f"rows count by 1/sigma^2; what is left is {last.rms / rows.sigma:.3g} times sigma"]
    carried = None if balance is None else [unit_text(each) if each else "" for each in balance]
    expression, constants = plainly(last, sigma, found, names, output, rows, carried, end=end)
    if with_unit := [f"{each.name} in {each.unit}" for each in constants if each.unit]:
        reason = f"{reason}; for its terms to balance, constants must carry units: {', '.join(with_unit)}"
    law = Law(
        names=tuple(names),
        expressions={output: expression},
        constants=constants,
        verdict=verdict,
        reason=reason,
        rms=last.rms,
        noise=noise,
        lead=lead,
        evidence=(*evidence, *lines),
    )
    written = law.valued[output]
    shown = [
        Candidate(_valued(each, names), nodes(_valued(each, names)), each.rms, each.nats)
        for each in front(ranked)
        if each is not best.origin
    ]
    shown.append(Candidate(written, nodes(written), last.rms, last.nats))
    return replace(law, front=tuple(sorted(shown, key=lambda each: (each.nodes, each.rms))))


def _unlike(finals: Sequence[Finished], columns: Tensor) -> list[Finished]:
    """By length, and of those that came to the same law only the one that was shortest before its constants were snapped."""
    found: list[tuple[Finished, Tensor]] = []
    for final in sorted(finals, key=lambda each: formula_size(each.free.form)):
        values = final.numbers.values(columns)
        near = max(1e-6 * final.numbers.rss / final.numbers.rows, 1e-20 * final.numbers.size)
        if not any(mean_square(values - other, final.numbers.weights) <= near for _, other in found):
            found.append((final, values))
    return sorted((final for final, _ in found), key=lambda each: each.nats)


def _chosen(finals: Sequence[Finished], others: Sequence[Trial], columns: Tensor, end: float) -> tuple[Finished, float]:
    """The best, and its lead over the best that is neither an extension of it nor the same; ``others`` are behind, and were not snapped.

    Among thousands of extensions some gain a little by chance: what leads a formula that it contains by no more than ``LEAD`` gives way.
    """
    best = finals[0]
    for other in finals[1:]:
        if (
            other.nats <= finals[0].nats + LEAD
            and formula_size(other.free.form) < formula_size(best.free.form)
            and _contains(best.free, other.free, columns, end)
        ):
            best = other
    rivals = [(each.nats, each.free) for each in finals if each is not best] + [(each.nats, each) for each in others]
    for nats, rival in rivals:
        if not _contains(rival, best.free, columns, end):
            return best, nats - best.nats
    return best, math.inf


def clear(trials: Sequence[Trial], rows: Rows, *, late: bool = False, end: float = math.inf) -> bool:
    """Whether a search may end: the best leads by twice what a law needs, leaves nothing but noise, and has no free constant left.

    ``late``, when everything has been looked at once, it may have ``KEPT``, if it is short: with more, others come near that take time.
    What is not known by ``end``, of CPU time, is taken for not clear.
    """
    if not trials:
        return False
    near = [trial for trial in distinct(trials, rows.columns)[: MOST // 3] if trial.nats < trials[0].nats + NEAR]
    best, lead = _chosen(_unlike([rows.finished(trial, end) for trial in near], rows.columns), (), rows.columns, end)
    if time.thread_time() > end or best.numbers.form.count > (KEPT if late else 0) or late and structure_nats(best.numbers.form) > SHORT:
        return False
    log10, _ = residual_structure(best.numbers, rows.columns, rows.y)
    return lead > 2 * LEAD and log10 is not None and log10 > UNSURE and drift(best.free, rows.columns, rows.y) > DRIFT


def _contains(one: Trial, other: Trial, columns: Tensor, end: float) -> bool:
    """Whether the first extends the second: it has its values for some of its constants, of which it has more.

    When the time is over, that is not found out, and the first is a rival.
    """
    if one.form.count <= other.form.count:
        return False
    wanted = other.values(columns)
    fit = refit(one.form, columns, wanted, starts=one.constants[None], weights=one.weights, steps=60, end=end)
    return fit.rss / one.rows <= max(1e-4 * other.rss / other.rows, 1e-18 * other.size)


def _valued(trial: Trial, names: Sequence[str]) -> Any:
    import sympy

    return trial.form.expression(names, [sympy.Float(float(each)) for each in trial.constants])


def _probability(log10: float) -> str:
    return f"1e{log10:.0f}" if log10 < -3 else f"{10**log10:.2g}"


def _verdict(best: Trial, found: Finished, lead: float, rows: Rows) -> tuple[str, str, float, list[str]]:
    """Verdict, reason, the level of noise, and what was checked; ``best`` is what of ``found`` is shown."""
    size = math.sqrt(best.size)
    spread = rows.spread
    log10, noise = residual_structure(best, rows.columns, rows.y)
    tiny = best.rms <= EXACT * math.sqrt(spread)
    exact = tiny and (rounding(best, rows.columns, rows.y) or (log10 is not None and log10 > STRUCTURE))
    lines = []
    fresh = best.values(rows.fresh_columns) - rows.fresh_y
    ratio = math.sqrt(mean_square(fresh, rows.fresh_weights)) / max(best.rms, ROUNDING * size) if len(fresh) else 1.0
    allowed = 10.0 if exact else 1 + HELD_OUT / math.sqrt(2 * max(len(fresh), 1))
    if len(fresh):
        lines.append(
            f"{len(fresh)} fresh rows: residual {ratio:.3g} times that of the {best.rows} fitted rows (up to {allowed:.3g} is noise)"
        )
    if not math.isfinite(ratio):
        return "no law", "it is not finite at fresh rows", math.nan, lines
    if not exact:
        told = "there are too few rows to tell what is left from noise"
        lines.append(told if log10 is None else f"noise is as regular as what is left with probability {_probability(log10)}")
        if spread > 0 and best.rss / best.rows > 0.97 * spread:
            return "no law", "no formula explains anything of the data", noise, lines
        if log10 is None:
            return "candidate", told, noise, lines
        if log10 < STRUCTURE:
            return "no law", "a fit without a formula explains significantly more than the best formula does", noise, lines
        if log10 < UNSURE:
            return "candidate", "what it leaves may be more than noise", noise, lines
        moved = drift(found.free, rows.columns, rows.y)
        if found.free.form.count:
            lines.append(
                f"constants of a true law would, if they might, change as much with the variables with probability {_probability(moved)}"
            )
        if moved < DRIFT:
            return "candidate", "its constants, if they might, would change with the variables: it may be an approximation", noise, lines
    if not ratio <= allowed:
        return "candidate", "its residual is greater at fresh rows than at those it was fitted to", noise, lines
    different = len(torch.unique(rows.columns, dim=1).T)
    if different < DIFFERENT:
        return "candidate", f"its rows have {different} different places only, which many formulas go through", noise, lines
    if unbounded(without_noughts(found.origin, rows.columns, rows.y), rows.columns, rows.y):
        return "candidate", "it would fit as well with a constant ten times as great, which the data do not tell", noise, lines
    if best.form.count > FREE or structure_nats(best.form) > LONGEST and not (exact and best.form.count == 0):
        return "candidate", "it is so long that it may be an approximation, as good as the data can tell", noise, lines
    needed = LEAD if best.form.count <= KNOWN else 2 * LEAD
    if lead <= needed:
        return "candidate", f"it leads another formula by no more than {needed:.0f} nats", noise, lines
    if exact:
        return "exact within noise", f"nothing is left but rounding, {best.rms / size:.1e} of the data", 0.0, lines
    where = ", at fresh rows too," if len(fresh) else ","
    return "exact within noise", f"what is left is noise{where} and no other formula comes near", noise, lines
