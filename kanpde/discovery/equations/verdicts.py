"""The verdict on an equation that was found, and the law that is handed out."""

import math
from typing import Any

import numpy as np

from kanpde.discovery.equations.denoising import Design, Samples, Smooth
from kanpde.discovery.equations.inverse import Fit, Inverse
from kanpde.discovery.equations.subsets import FLOOR, Search, level
from kanpde.discovery.equations.terms import Language
from kanpde.symbolic.law import Candidate, Law, LawConstant, nodes

LEAD = 5.0  # nats
FOLDS = 4  # parts of the samples that are left out in turn
WORSE, CLEARLY = 3.0, 6.0  # standard deviations by which samples left out may favour the smoothing spline
NEAR = 3.0  # standard deviations, on average over all, within which constants are snapped together
UNLIKELY = 1e-4  # probability of the difference between the constants of the halves
BLUR = 0.3  # of the level below which noise is not told from the discretisation: constants are not known better than for this much noise
SECOND = 50.0  # times noise / std(u) * parameters of the field / samples: what a variance of linear theory lacks, as counted over draws
MANY = 4  # terms, that may stand for one that is not in the library
ENTRIES = 12  # of the front


def nothing(smooth: Smooth) -> str:
    """Why there is nothing to explain, or "" where noise alone would not make such a field."""
    count, freedom = smooth.design.samples.count, smooth.freedom
    gain = count / 2 * math.log(float(smooth.design.samples.values.var()) / smooth.noise**2)
    if gain < 0.5 * freedom * math.log(count) + LEAD:
        return f"the samples do not differ from noise: {freedom:.0f} parameters of a smooth field explain only {gain:.1f} nats"
    return ""


def judged(found: Search, shift: np.ndarray, smooth: Smooth, language: Language) -> Law:
    """The law of a search: constants with their standard deviations, snapped where that is no chance, and the verdict.

    ``shift`` is how far the constants moved on the last, finer mesh: half of it counts as an error of its own.
    """
    best, count = found.best, found.count
    noise = level(best, count)
    scale = float(smooth.design.samples.values.std())
    spread = max(noise, BLUR * FLOOR * scale)
    covariance = best.covariance * (spread / found.inverse.sigma) ** 2 + np.diag(0.25 * shift**2)
    covariance = covariance * (1 + SECOND * noise / scale * best.freedom / count)
    sigma = np.sqrt(np.diag(covariance))
    lead, left_out = found.lead(), _left_out(found, smooth)
    verdict, reason = _verdict(found, lead, left_out)
    halves = _halves(found, smooth) if verdict == "exact within noise" else None
    if halves is not None and halves[1] < UNLIKELY:
        verdict, reason = "candidate", "fitted to the earlier and to the later half of the samples, its constants differ"
    snap = verdict == "exact within noise"
    values, exact = snapped(best.theta, covariance) if snap else (best.theta, [None] * len(sigma))
    formula, constants = _formula(found, best, values, sigma, exact)
    known = verdict != "no law"
    return Law(
        names=(*language.space, language.time),
        expressions={language.left: formula} if known else {},
        constants=constants if known else (),
        verdict=verdict,
        reason=reason,
        rms=math.sqrt(best.misfit / count),
        noise=smooth.noise,
        lead=lead,
        front=_front(found),
        evidence=_evidence(found, left_out, halves, shift, noise),
        kind="equation",
    )


def _verdict(found: Search, lead: float, left_out: tuple[float, float, float]) -> tuple[str, str]:
    own, spline, favour = left_out
    if not found.best.chosen:
        return "no law", "no combination of the terms describes how the field changes in time better than that it does not change"
    predicted = f"the law predicts samples left out with an rms error of {own:.3g}, a smoothing spline with {spline:.3g}"
    if favour > CLEARLY:
        return "no law", f"{predicted}: no combination of the terms explains what the samples show"
    if favour > WORSE:
        return "candidate", f"{predicted}, significantly better ({favour:.1f} standard deviations)"
    if lead < LEAD:
        return "candidate", f"another equation is only {lead:.1f} nats behind"
    terms = len(found.best.chosen)
    if terms >= MANY or (terms >= found.most > 2 and found.most < len(found.inverse.terms)):
        allowed = ", as many as are allowed" if terms == found.most else ""
        return "candidate", f"it has {terms} terms{allowed}: they may stand for one that is not in the library"
    if found.cut:
        return "candidate", "the time was over before all that competes was tried: give it more seconds"
    return "exact within noise", f"{predicted}, and every other equation is {lead:.0f} nats or more behind"


def _left_out(found: Search, smooth: Smooth) -> tuple[float, float, float]:
    """Rms errors at samples left out, of the law and of the smoothing spline, and by how many standard deviations the latter is better."""
    samples, best = smooth.design.samples, found.best
    part = np.random.default_rng(0).permutation(samples.count) % FOLDS
    law, spline = np.empty(samples.count), np.empty(samples.count)
    for fold in range(FOLDS):
        out = part == fold
        inverse = found.inverse.without(out)
        fit = inverse.fit(best.chosen, theta=best.theta, field=best.field, steps=2)
        law[out] = (samples.values - found.inverse.design.fitted(fit.field))[out]
        rest = Design(Samples(samples.points[:, ~out], samples.values[~out]), smooth.design.splines)
        spline[out] = (samples.values - smooth.design.fitted(rest.smooth(smooth.logs).coefficients))[out]
    difference = law**2 - spline**2
    blind = FLOOR**2 * float(samples.values.var())  # nothing is said of differences below the error of the discretisation
    favour = (difference.mean() - blind) / (difference.std() / math.sqrt(samples.count) + 1e-300)
    return float(np.sqrt(np.mean(law**2))), float(np.sqrt(np.mean(spline**2))), float(favour)


def _halves(found: Search, smooth: Smooth) -> tuple[float, float] | None:
    """Chi squared of the difference between the constants of the earlier and the later half of the samples, and its probability.

    A formula that only stands for the law near the values that a field takes changes its constants as these change. None where a half does
    not determine them.
    """
    from scipy.special import gammaincc

    best, samples, inverse = found.best, smooth.design.samples, found.inverse
    early = samples.points[-1] <= np.median(samples.points[-1])
    cells = (*inverse.splines.cells[:-1], math.ceil(0.6 * inverse.splines.cells[-1]))
    fits = []
    for part in (early, ~early):
        half = Samples(samples.points[:, part], samples.values[part])
        coarse = half.splines((*smooth.design.splines.cells[:-1], math.ceil(0.6 * smooth.design.splines.cells[-1])))
        splines = half.splines(cells)
        try:
            start = coarse.finer(splines, Design(half, coarse).smooth(smooth.logs).coefficients)
            problem = Inverse(Design(half, splines), inverse.language, inverse.terms, sigma=inverse.sigma, smooth=start)
            fits.append(problem.fit(best.chosen, theta=best.theta))
        except np.linalg.LinAlgError:
            return None
    difference = fits[0].theta - fits[1].theta
    square = float(difference @ np.linalg.pinv(fits[0].covariance + fits[1].covariance, hermitian=True) @ difference)
    return (square, float(gammaincc(len(difference) / 2, square / 2))) if math.isfinite(square) else None


def _formula(found: Search, fit: Fit, values: np.ndarray, sigma: np.ndarray, exact: list[Any]) -> tuple[Any, tuple[LawConstant, ...]]:
    import sympy

    formula, constants = sympy.Integer(0), []
    for number, (j, value, error, snap) in enumerate(zip(fit.chosen, values, sigma, exact, strict=True), 1):
        term = found.inverse.terms[j].expression
        if snap is None:
            formula += sympy.Symbol(f"c{number}", real=True) * term
            constants.append(LawConstant(f"c{number}", float(value), float(error)))
        else:
            formula += snap * term
            constants.append(LawConstant(f"c{number}", float(snap), float(error), str(snap)))
    return formula, tuple(constants)


def _numbers(found: Search, fit: Fit) -> Any:
    import sympy

    terms = (sympy.Float(float(value)) * found.inverse.terms[j].expression for j, value in zip(fit.chosen, fit.theta, strict=True))
    return sum(terms, sympy.Integer(0))


def _front(found: Search) -> tuple[Candidate, ...]:
    """The fits, the shortest descriptions first."""
    entries = []
    for fit in sorted(found.fits.values(), key=found.described)[:ENTRIES]:
        formula = _numbers(found, fit)
        entries.append(Candidate(formula, nodes(formula), math.sqrt(fit.misfit / found.count), found.described(fit)))
    return tuple(entries)


def _evidence(
    found: Search, left_out: tuple[float, float, float], halves: tuple[float, float] | None, shift: np.ndarray, noise: float
) -> tuple[str, ...]:
    splines, best = found.inverse.splines, found.best
    own, spline, _ = left_out
    lines = [
        f"field and coefficients fitted together to {found.count} samples on {' x '.join(map(str, splines.cells))} cells, degree "
        f"{splines.degree}: noise {noise:.3g}, about {best.freedom:.0f} parameters of the field",
        f"samples left out, a quarter at a time: rms error {own:.3g} of the law, {spline:.3g} of a smoothing spline",
    ]
    if halves is not None:
        lines.append(f"fitted to the earlier and to the later half of the samples apart: chi squared {halves[0]:.1f} between the "
                     f"{len(best.chosen)} constants, p = {halves[1]:.2g}")  # fmt: skip
    gains = found.gains(best)
    if gains:
        gain, name = max(gains)
        lines.append(f"of the terms that it lacks, {name} would gain most: chi squared {gain:.1f}, the greatest of {len(gains)}")
    if len(shift):
        moved = np.abs(shift) / np.maximum(np.sqrt(np.diag(best.covariance)), 1e-300)
        lines.append(f"on the last, finer mesh the constants moved by {moved.max():.2f} standard deviations or less")
    return tuple(lines)


def snapped(values: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """Constants replaced by nice numbers where these are near and not so by chance; the others follow by their correlation."""
    from kanpde.symbolic.snapping import nice

    found = [nice(float(value), float(error)) for value, error in zip(values, np.sqrt(np.diag(covariance)), strict=True)]
    exact: list[Any] = [each[0] if each is not None and each[0] != 0 else None for each in found]
    fixed = [k for k, each in enumerate(exact) if each is not None]
    if not fixed:
        return values, exact
    moved = np.array([float(exact[k]) - values[k] for k in fixed])
    inner = np.linalg.pinv(covariance[np.ix_(fixed, fixed)], hermitian=True)
    if moved @ inner @ moved > NEAR**2 * len(fixed):
        return values, [None] * len(values)
    together = values + covariance[:, fixed] @ inner @ moved
    together[fixed] = [float(exact[k]) for k in fixed]
    return together, exact
