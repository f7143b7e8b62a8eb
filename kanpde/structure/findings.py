"""What a test of structure found: a score with its uncertainty, what rounding or noise alone would give, and a verdict in words."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kanpde.arguments import whole_number
from kanpde.structure.sampled import Noise, Sampled

ROUNDING, NOISE, FAILS, UNKNOWN = "holds to rounding", "holds within noise", "does not hold", "cannot tell"
HOLDS = {ROUNDING: True, NOISE: True, FAILS: False, UNKNOWN: None}

LEAST = 30  # comparisons
DRAWS, BLOCKS = 200, 2000  # of the bootstrap: so often, of so many means of rows at most
HELD, BROKEN = 10.0, 100.0  # times the rounding: scores below hold, scores above do not
HELD_IN_NOISE, BROKEN_IN_NOISE = 4.0, 30.0  # times measured noise that is small
DOUBTFUL, SIGNIFICANT = 3.0, 4.0  # standard errors above the noise
TELLING = 0.3  # noise that hides larger scores hides everything
SMALL = 1e-7  # of the spread: measured noise below is told from a defect by the band of rounding
DISTINCT = 30.0  # times rounding: what spreads less is constant


@dataclass(frozen=True, repr=False)
class Finding:
    """The outcome of one test.

    - ``claim``: what was tested, such as "f = g(x) + h(y)";
    - ``verdict``: "holds to rounding", "holds within noise", "does not hold" or "cannot tell", and ``reason``, what it rests on;
    - ``score``: 0 where the claim holds exactly, about 1 where it does not hold at all; each test's docstring has the formula. What
      independent noise contributes is subtracted. ``sigma`` is its standard error, ``interval`` holds it at 95 %; where the values have
      a smooth error, as a network's, the interval is that of the score plus and minus what this error can do;
    - ``floor``: the score that rounding or noise alone gives, before subtraction; ``noise``: the standard deviation of a value by it;
    - ``comparisons``, ``evaluations``: independent comparisons made, and values of the function asked for;
    - ``worst``: the point at or near which the claim fails most, and ``defect``, by how much, in units of f.
    """

    claim: str
    verdict: str
    reason: str
    score: float
    sigma: float
    interval: tuple[float, float]
    floor: float
    noise: float
    comparisons: int
    evaluations: int
    worst: dict[str, float] = field(default_factory=dict)
    defect: float = math.nan

    @property
    def holds(self) -> bool | None:
        """True, False, or None where nobody can tell."""
        return HOLDS[self.verdict]

    def __str__(self) -> str:
        low, high = self.interval
        numbers = f"score {self.score:.3g} +- {self.sigma:.1g} (95 %: {low:.3g} to {high:.3g}), floor {self.floor:.2g}"
        return f"{self.claim}: {self.verdict}\n  {self.reason}\n  {numbers}; {self.comparisons} comparisons, {self.evaluations} evaluations"

    __repr__ = __str__


@dataclass(frozen=True)
class Score:
    """The numbers of a finding and its verdict, without the claim."""

    verdict: str
    reason: str
    score: float
    sigma: float
    interval: tuple[float, float]
    floor: float

    @property
    def holds(self) -> bool | None:
        """True, False, or None where nobody can tell."""
        return HOLDS[self.verdict]


def count_of(points: int) -> int:
    """How many comparisons a user asks for, or an error if they are too few."""
    return whole_number(points, f"points, the number of comparisons (at least {LEAST}),", least=LEAST)


def found(sampled: Sampled, claim: str, score: Score, defects: np.ndarray, places: np.ndarray, remark: str = "") -> Finding:
    """A finding of ``defects`` (n,) at ``places`` (n, d); a remark is put before the reason."""
    told = np.nan_to_num(np.abs(defects), nan=-1.0)
    worst = int(told.argmax()) if len(told) else -1
    return Finding(
        claim,
        score.verdict,
        f"{remark}{score.reason}",
        score.score,
        score.sigma,
        score.interval,
        score.floor,
        max(sampled.noise.rounding, sampled.noise.sigma),
        int(np.isfinite(defects).sum()),
        sampled.evaluations,
        sampled.place(places[worst]) if worst >= 0 else {},
        float(told[worst]) if worst >= 0 else math.nan,
    )


def scored(
    sampled: Sampled,
    defects: np.ndarray,
    values: np.ndarray,
    *,
    gain: Any = 1.0,
    about_mean: bool = True,
    missing: str = "",
    shared: float = 2.0,
    unsure: float = 0.0,
) -> Score:
    """The score sqrt(mean(d^2 - gain sigma^2) / (var f - sigma^2)) of ``defects`` d (n,), and what it says.

    ``values`` (n, m) of f at the points that each comparison used give var f, or the mean square if not ``about_mean``. ``gain`` (n,) or
    a number is var(d) / sigma^2 by independent noise of the values alone, known to a relative ``unsure``; noise that is smooth gives up to
    ``shared`` times as much (2 in a difference of two values). Rows with NaN are left out; ``missing`` says in words why there are some.

    The standard error is that of a Bayesian bootstrap over the rows; where sigma was measured, its uncertainty is added. Against noise the
    claim is rejected at 4 standard errors (of Gaussian noise and of the bootstrap) and holds below 3; against rounding, of which only the
    size is known, it is rejected at 100 times and holds below 10.
    """
    noise = sampled.noise
    gain = np.broadcast_to(np.asarray(gain, dtype=float), defects.shape) * (shared if noise.smooth else 1.0)
    kept = np.isfinite(defects) & np.isfinite(values).all(1) & np.isfinite(gain)
    defects, values, gain, lost = defects[kept], values[kept], gain[kept], 1 - kept.mean() if len(kept) else 1.0
    if len(defects) < LEAST:
        reason = f"only {len(defects)} comparisons could be made{missing and ': ' + missing}"
        return Score(UNKNOWN, reason, math.nan, math.nan, (0.0, 1.0), math.nan)
    scale = float(np.abs(values).max()) or 1.0
    defects, values, sigma, rounding = defects / scale, values / scale, noise.sigma / scale, noise.rounding / scale
    values = values - (values.mean() if about_mean else 0.0)
    spread = float(np.mean(values**2))
    if sigma and spread <= 1.2 * sigma**2:
        reason = f"noise of {noise.sigma:.3g}, {noise.source}, is as large as the spread of the values, {scale * math.sqrt(spread):.3g}"
        return Score(UNKNOWN, reason, math.nan, math.nan, (0.0, 1.0), 1.0)
    if spread <= (DISTINCT * rounding) ** 2:
        if about_mean:
            return Score(ROUNDING, "the function is constant on the domain, so that every such claim holds", 0.0, 0.0, (0.0, 0.0), 0.0)
        return Score(ROUNDING, "the function is 0 on the domain, so that every such claim holds", 0.0, 0.0, (0.0, 0.0), 0.0)
    weights = sampled.rng.standard_exponential((DRAWS, len(_blocks(defects))))
    weights /= weights.sum(1, keepdims=True)
    spreads = weights @ _blocks((values**2).mean(1)) - ((weights @ _blocks(values.mean(1))) ** 2 if about_mean else 0.0)
    root = math.sqrt(float(gain.mean()) / spread)
    raw, note = math.sqrt(float(np.mean(defects**2)) / spread), f"; {lost:.0%} of the comparisons could not be made" if lost > 0.05 else ""
    if sigma == 0.0 or (noise.doubt and raw <= HELD * rounding * root):
        return _against(rounding * root, "rounding", (ROUNDING, HELD, BROKEN), defects**2, raw, spread, weights, spreads, note)
    if noise.doubt and sigma**2 <= SMALL**2 * spread:
        words = f"noise of {noise.sigma:.2g}, {noise.source},"
        return _against(sigma * root, words, (NOISE, HELD_IN_NOISE, BROKEN_IN_NOISE), defects**2, raw, spread, weights, spreads, note)
    return _above(noise, unsure, sigma**2, defects**2, gain, raw, spread, weights, spreads, note)


def _blocks(rows: np.ndarray) -> np.ndarray:
    """Means of successive rows, at most ``BLOCKS`` of them: the bootstrap draws these."""
    each = -(-len(rows) // BLOCKS)
    return np.add.reduceat(rows, np.arange(0, len(rows), each)) / each if each > 1 else rows


def _against(
    floor: float,
    kind: str,
    band: tuple[str, float, float],
    squares: np.ndarray,
    raw: float,
    spread: float,
    weights: np.ndarray,
    spreads: np.ndarray,
    note: str,
) -> Score:
    """The verdict where only the size of rounding is known: far below, far above, or in between."""
    error, score = float(np.sqrt((weights @ _blocks(squares)) / np.maximum(spreads, 1e-3 * spread)).std()), min(raw, 1.0)
    numbers = (score, error, (max(score - 1.96 * error, 0.0), min(score + 1.96 * error, 1.0)), floor)
    verdict, held, broken = band
    if raw <= held * floor:
        return Score(verdict, f"the defect is no more than {held:g} times what {kind} gives{note}", *numbers)
    if raw <= broken * floor:
        return Score(UNKNOWN, f"the defect is {raw / floor:.0f} times what {kind} gives, between {held:g} and {broken:g}{note}", *numbers)
    return Score(FAILS, f"the defect is {raw / floor:.2g} times what {kind} gives{note}", *numbers)


def _above(
    noise: Noise,
    unsure: float,
    variance: float,
    squares: np.ndarray,
    gain: np.ndarray,
    raw: float,
    spread: float,
    weights: np.ndarray,
    spreads: np.ndarray,
    note: str,
) -> Score:
    """The verdict where the variance of the noise is known: whether the mean square of the defects is significantly above it."""
    signal, mean_gain = spread - variance, float(gain.mean())
    excess, floor = squares - gain * variance, math.sqrt(variance * mean_gain / spread)
    ratio, ratios = float(excess.mean()) / signal, (weights @ _blocks(excess)) / np.maximum(spreads - variance, 1e-3 * signal)
    doubt = math.hypot(noise.doubt, unsure)
    relative = math.hypot(math.sqrt(2 * float(np.mean(gain**2)) / len(gain)) / mean_gain, doubt)  # if there is but Gaussian noise
    error = max(math.hypot(float(ratios.std()), doubt * mean_gain * variance / signal), relative * mean_gain * variance / signal)
    above = 2 * math.log(max(raw / floor, 1e-9)) / relative  # a quotient of two estimates of a variance: its logarithm is nearly normal
    low, high = (math.sqrt(max(ratio + side * 1.96 * error, 0.0)) for side in (-1, 1))
    score = math.sqrt(max(ratio, 0.0))
    if noise.smooth:
        score, low, high = raw, max(min(low, raw - floor), 0.0), max(high, raw + floor)
    elif ratio + 1.96 * error < 0:  # the values vary less than the noise that is said to be in them
        high = raw
    score, low, high = (min(each, 1.0) for each in (score, low, high))
    numbers, words = (score, (high - low) / 3.92, (low, high), floor), f"noise of {noise.sigma:.3g}, {noise.source}"
    if above > SIGNIFICANT and raw > HELD * floor:
        return Score(FAILS, f"the defect is {raw / floor:.2g} times what {words}, gives{note}", *numbers)
    above = min(above, ratio / error)
    if above > SIGNIFICANT:
        return Score(FAILS, f"the defect is {above:.2g} standard errors above {words}{note}", *numbers)
    if above > DOUBTFUL:
        return Score(UNKNOWN, f"the defect is {above:.2g} standard errors above {words}: take more points{note}", *numbers)
    if high > TELLING:
        return Score(UNKNOWN, f"{words}, would hide a score up to {high:.2g}{note}", *numbers)
    return Score(NOISE, f"{words}, explains the defect; a score up to {high:.2g} would be hidden{note}", *numbers)
