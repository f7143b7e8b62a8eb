"""Which terms an evolution equation has: subsets fitted to the samples, and better ones predicted from those, until none is better."""

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kanpde.discovery.equations.denoising import Design, Smooth
from kanpde.discovery.equations.inverse import Fit, Inverse, refined
from kanpde.discovery.equations.tensor import TensorSplines
from kanpde.discovery.equations.terms import Language, Term
from kanpde.discovery.equations.weak_form import best_subsets, nats, proposals

logger = logging.getLogger("kanpde")

FLOOR = 2e-3  # noise below this share of the field's standard deviation is not told from the error of the discretisation
FINER = 1.5  # than the mesh that the samples ask for, since the equation asks for derivatives
SETTLED = 0.7  # standard deviations that constants may move on a finer mesh
HOPELESS = 1.5  # times the noise that the smoothing spline leaves: no finer mesh will help
SIZES = {2: 12_000, 3: 4_500}  # coefficients at most
ROUNDS = 6
AHEAD = 4  # predictions that are tried a round
CLOSE, FAR = 3.0, 25.0  # nats behind the best fit, beyond which a prediction is believed


@dataclass
class Search:
    """The fits of one inverse problem, by the numbers of their terms."""

    inverse: Inverse
    price: np.ndarray
    most: int
    deadline: float
    seconds: float
    fits: dict[tuple[int, ...], Fit] = field(default_factory=dict)
    cut: bool = False  # whether something was left untried for want of time

    @property
    def count(self) -> int:
        return self.inverse.design.samples.count

    def described(self, fit: Fit) -> float:
        return fit.described(self.count, self.inverse.sigma, self.price)

    @property
    def best(self) -> Fit:
        return min(self.fits.values(), key=self.described)

    @property
    def late(self) -> bool:
        return time.monotonic() > self.deadline

    @property
    def hurried(self) -> bool:
        """Whether half of the time is over: too late for a finer mesh."""
        return time.monotonic() > self.deadline - 0.5 * self.seconds

    def try_all(self, subsets: Iterable[tuple[int, ...]], start: Fit | None = None) -> None:
        """Fit those that are not fitted yet, while time is left."""
        for chosen in subsets:
            if chosen in self.fits:
                continue
            if self.late and self.fits:
                self.cut = True
                return
            try:
                theta, field = (None, None) if start is None else (_predicted(start, chosen), start.field)
                fit = self.inverse.fit(chosen, theta=theta, field=field)
            except np.linalg.LinAlgError as error:
                logger.info("the equation with %s cannot be fitted: %s", self.named(chosen), error)
                continue
            if math.isfinite(fit.objective):
                self.fits[chosen] = fit
                logger.info("%s: %.1f nats, theta %s", self.named(chosen), self.described(fit), np.array2string(fit.theta, precision=4))

    def named(self, chosen: Sequence[int]) -> str:
        return ", ".join(str(self.inverse.terms[j]) for j in chosen) or "nothing"

    def predictions(self, fit: Fit) -> list[tuple[float, tuple[int, ...]]]:
        """Description lengths of other subsets as the quadratic model about a fit predicts them, the shortest first."""
        slope, square = fit.model()
        return best_subsets(fit.curvature, slope, square, self.count, self.price, self.most, floor=1.0)

    def promising(self, subsets: Iterable[tuple[int, ...]], margin: float) -> list[tuple[int, ...]]:
        """Those that the best fit predicts to be worse than itself by less than a margin, in nats, and that are not fitted yet."""
        best = self.best
        slope, square = best.model()
        variance = self.inverse.sigma**2
        limit = self.described(best) - best.freedom + margin
        found = []
        for chosen in subsets:
            part = list(chosen)
            gain = slope[part] @ np.linalg.lstsq(best.curvature[np.ix_(part, part)], slope[part], rcond=1e-12)[0] if part else 0.0
            objective = max(square - gain, 1e-6 * best.objective)
            predicted = nats(objective * variance, self.count, variance) + self.price[part].sum()
            if predicted < limit and chosen not in self.fits:
                found.append(chosen)
        return found

    def improve(self) -> None:
        """Try what the best fit predicts to be better, or nearly so, until nothing is."""
        for _ in range(ROUNDS):
            best = self.best
            new = [chosen for _, chosen in self.predictions(best)[: 4 * AHEAD]]
            self.try_all(self.promising(new, CLOSE)[:AHEAD], best)
            if self.best is best or self.late:
                return

    def rivals(self) -> None:
        """Fit what would compete: of the law without one of its terms, and of other subsets that do not contain it, the best."""
        best, chosen = self.best, set(self.best.chosen)
        fewer = [tuple(j for j in best.chosen if j != gone) for gone in best.chosen]
        other = [subset for _, subset in self.predictions(best) if not chosen <= set(subset)]
        self.try_all([*other[:1], *self.promising([*fewer, *other[1:4]], FAR)], best)

    def gains(self, fit: Fit) -> list[tuple[float, str]]:
        """What each term that a fit lacks would gain in chi squared, by the quadratic model."""
        part, found = list(fit.chosen), []
        slope, _ = fit.model()

        def gain(chosen: list[int]) -> float:
            if not chosen:
                return 0.0
            return float(slope[chosen] @ np.linalg.lstsq(fit.curvature[np.ix_(chosen, chosen)], slope[chosen], rcond=1e-12)[0])

        for j, term in enumerate(self.inverse.terms):
            if j not in part:
                found.append((gain([*part, j]) - gain(part), str(term)))
        return found

    def lead(self) -> float:
        """Nats of the best fit over the best one that lacks one of its terms; infinite without any."""
        chosen, own = set(self.best.chosen), self.described(self.best)
        return min((self.described(fit) - own for fit in self.fits.values() if not chosen <= set(fit.chosen)), default=math.inf)


def _predicted(fit: Fit, chosen: tuple[int, ...]) -> np.ndarray:
    """The coefficients of other terms, from the quadratic model about a fit."""
    slope, _ = fit.model()
    part = list(chosen)
    return np.linalg.lstsq(fit.curvature[np.ix_(part, part)], slope[part], rcond=1e-12)[0] if part else np.zeros(0)


def prices(terms: Sequence[Term], count: int) -> np.ndarray:
    """Nats that each term costs: its coefficient, which of the terms it is, and its size."""
    sizes = np.array([term.nodes for term in terms], dtype=float)
    return 0.5 * math.log(count) + math.log(len(terms)) + 0.25 * (sizes - 1)


def level(fit: Fit, count: int) -> float:
    """The standard deviation of the noise, estimated from a fit."""
    return math.sqrt(fit.misfit / max(1.0, count - fit.freedom - len(fit.chosen)))


def search(smooth: Smooth, language: Language, terms: Sequence[Term], *, most: int, seconds: float) -> tuple[Search, np.ndarray]:
    """The best equation, the fits of its rivals, and how far its constants moved when the mesh was made finer."""
    samples, deadline = smooth.design.samples, time.monotonic() + seconds
    spread = float(samples.values.std())
    price = prices(terms, samples.count)
    splines = smooth.design.splines
    cells = tuple(math.ceil(FINER * count) for count in splines.cells)
    if samples.splines(cells).size > SIZES[len(cells)]:
        cells = splines.cells
    finer = samples.splines(cells)
    inverse = Inverse(
        Design(samples, finer), language, terms, sigma=max(smooth.noise, FLOOR * spread), smooth=splines.finer(finer, smooth.coefficients)
    )
    found = Search(inverse, price, most, deadline, seconds)
    proposed = proposals(smooth, language, terms, price, most=most)
    found.try_all(proposed[:3])
    found.try_all(found.promising(proposed[3:], FAR))
    found.improve()
    inverse.weights = inverse.prior(found.best.field)  # once: a field that follows the noise would ask for less and less smoothness
    found = _renewed(found, inverse, found.best, spread)
    found.improve()
    return _settled(found, smooth, spread)


def finer_than(splines: TensorSplines) -> TensorSplines:
    """Of degree 7 if it is not yet (6 in more than one dimension of space), then with 1.4 times as many cells."""
    highest = 7 if len(splines.cells) == 2 else 6
    if splines.degree < highest:
        return replace(splines, degree=highest)
    return replace(splines, cells=tuple(math.ceil(1.4 * count) for count in splines.cells))


def _renewed(found: Search, inverse: Inverse, best: Fit, spread: float) -> Search:
    """The search begun anew from one fit, with the noise that it found."""
    inverse.sigma = max(level(best, found.count), FLOOR * spread)
    renewed = replace(found, inverse=inverse, fits={})
    renewed.try_all([best.chosen], best)
    return renewed


def _settled(found: Search, smooth: Smooth, spread: float) -> tuple[Search, np.ndarray]:
    """Finer meshes until the constants stay where they are; what is searched again where they moved."""
    shift = np.zeros(len(found.best.chosen))
    while not found.hurried:
        best, inverse = found.best, found.inverse
        splines = finer_than(inverse.splines)
        if splines.size > SIZES[len(splines.cells)]:
            break
        finer, start = refined(inverse, smooth, splines, best)
        again = Search(finer, found.price, found.most, found.deadline, found.seconds, cut=found.cut)
        again.try_all([best.chosen], replace(best, field=start))
        if not again.fits:
            break
        shift = again.best.theta - best.theta
        moved = np.abs(shift) / np.sqrt(np.diag(again.best.covariance)) if len(shift) else np.zeros(0)
        found = _renewed(again, finer, again.best, spread)
        if not (moved > SETTLED).any() or level(found.best, found.count) > HOPELESS * smooth.noise:
            break
        found.improve()
        if found.best.chosen != best.chosen:
            shift = np.zeros(len(found.best.chosen))
    found.improve()
    found.rivals()
    if len(shift) != len(found.best.chosen):
        shift = np.zeros(len(found.best.chosen))
    return found, shift
