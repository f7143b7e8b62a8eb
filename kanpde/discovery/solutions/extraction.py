"""From the solution that a network found to a formula that is proved.

Only the equation, the conditions and the network are asked: ``exact`` and ``reference`` of a problem are taken away first.
"""

import itertools
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy
from sympy.simplify.fu import TR8, TR10i

from kanpde.discovery.solutions.antiderivatives import antiderivatives
from kanpde.discovery.solutions.products import Sampled, sums_of_products
from kanpde.discovery.solutions.proposals import Proposal, Refined, refined
from kanpde.discovery.solutions.ridges import ridges
from kanpde.discovery.solutions.solitons import sums_of_exponentials
from kanpde.network import Network
from kanpde.problem import Problem
from kanpde.solution import Solution
from kanpde.symbolic.law import Candidate, Law, LawConstant, nodes
from kanpde.symbolic.proving import Proof, prove
from kanpde.symbolic.snapping import nice

logger = logging.getLogger("kanpde")

POINTS = 2000
CLOSE = 2e-2  # misfit over the solution's size, at which a formula is worth a proof
SEARCHED = 400  # points, for a search among all formulas
LEAST = 10.0  # seconds, for that search
NEAR = 1e-4  # and at which it is proved before others are looked for
OFF = 1e-9  # of a constant, that it may be off an exact number for the proof to say whether it is that
SAME = 0.1  # of what a proved formula may be off the network


def extract_solution(
    problem: Problem, solution: Network | Solution, *, seconds: float = 90.0, proof_seconds: float = 60.0, more: Sequence[Any] = ()
) -> Law:
    """The formula of a solved equation, proved where that is possible.

    ``solution`` is the trained network of ``problem``, or its :class:`~kanpde.solution.Solution`. Proposals (sums of products of
    exponentials, sines and powers; derivatives of the logarithm of a sum of exponentials; those of ``more``, functions of problem and
    samples that yield :class:`~kanpde.discovery.solutions.proposals.Proposal`; for a single unknown of one coordinate the integral of the
    law of its derivative; and, for a single unknown, what a search among all formulas finds in the seconds that are left) are fitted to it
    and put into equation and conditions, until one is proved or ``seconds`` are over. One proof takes ``proof_seconds`` at most.

    The verdict is "proved" where sympy finds all residuals identically zero; "candidate" for a formula that fits but is not proved; else
    "no law". Raises ``ValueError`` for a problem of data, which has no equation to prove anything with.
    """
    if problem.data_points is not None:
        raise ValueError(f"{type(problem).__name__} is a problem of data: there is no equation that a law could be proved with")
    started = time.perf_counter()
    bare = replace(problem, exact=None, reference=None)
    sampled, own = _samples(bare, solution)
    points = bare.domain.sample(POINTS, lambda u: 2 * u - 1, 11)
    where = dict(zip(bare.domain.names, points.T, strict=True))
    samples = {name: np.asarray(values) for name, values in sampled(where).items()}
    tried: list[tuple[Refined, Proof | None]] = []
    for found in _nearest_first(refined(each, where, samples) for each in _proposals(bare, sampled, more, started + seconds)):
        left = seconds - (time.perf_counter() - started)
        if left <= 0:
            break
        proof = None
        if found.rms <= CLOSE:
            values = {**own, **found.proposal.values}
            tolerance = min(2e-2, max(1e-4, 100 * found.rms))
            proof = prove(bare, found.proposal.expressions, values, seconds=min(proof_seconds, max(left, 1.0)), tolerance=tolerance)
        logger.info("%s: off by %.3g; %s", found.proposal.kind, found.rms, proof.reason if proof else "not close enough for a proof")
        tried.append((found, proof))
        if proof is not None and proof.by == "sympy":
            law = _proved(bare, found, proof, where, samples, tried)
            if law is not None:
                return law
    return _unproved(bare, tried, where, samples)


def _proposals(problem: Problem, sampled: Sampled, more: Sequence[Any], until: float) -> Iterator[Proposal]:
    box, unknowns = problem.domain, problem.unknowns
    sources = [ridges(box, unknowns, sampled), sums_of_products(box, unknowns, sampled), sums_of_exponentials(problem, sampled)]
    given = (source(problem, sampled) for source in more)
    return itertools.chain(*sources, *given, antiderivatives(problem, sampled, until), _searched(problem, sampled, until))


def _nearest_first(every: Iterable[Refined]) -> Iterator[Refined]:
    """Those that are near the solution as they come, then the others: a proof that fails takes long."""
    far = []
    for found in every:
        if found.rms <= NEAR:
            yield found
        else:
            far.append(found)
    yield from sorted(far, key=lambda each: each.rms)


def _searched(problem: Problem, sampled: Sampled, until: float) -> Iterator[Proposal]:
    """What the general search finds in a few samples, where nothing else was proved and there is a single unknown."""
    from kanpde.discovery.laws import discover

    left = until - time.perf_counter()
    if len(problem.unknowns) != 1 or left < LEAST:
        return
    (name,) = problem.unknowns
    points = problem.domain.sample(SEARCHED, lambda u: 2 * u - 1, 13)
    values = sampled(dict(zip(problem.domain.names, points.T, strict=True)))[name]
    law = discover(points, np.asarray(values), names=problem.domain.names, output=name, seconds=0.6 * left)
    if law.expressions:
        numbers = {each.name: nice(each.value, max(each.sigma, OFF * abs(each.value))) for each in law.free}
        exact = {sympy.Symbol(each, real=True): found[0] for each, found in numbers.items() if found is not None}
        if exact:  # the network errs by more than the scatter of its values
            free = {each.name: each.value for each in law.free if numbers[each.name] is None}
            yield Proposal({name: law.expression.xreplace(exact)}, free, "what a search among formulas finds, with exact numbers")
        yield Proposal(dict(law.expressions), {each.name: each.value for each in law.free}, "what a search among formulas finds")


def _samples(problem: Problem, solution: Network | Solution) -> tuple[Sampled, dict[str, float]]:
    """The unknowns at points, and the values of the unknown coefficients."""
    found = Solution(problem, solution) if isinstance(solution, Network) else solution

    def sampled(where: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        values = found(**where)
        return values if isinstance(values, dict) else {problem.unknowns[0]: values}

    return sampled, dict(zip(problem.coefficients, found.network.coefficients.tolist(), strict=True))


def _off(law: Law, where: Mapping[str, np.ndarray], samples: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """The rms of the misfit, and that over each unknown's size, the largest."""
    values = np.asarray(law(where)).reshape(len(next(iter(samples.values()))), -1)
    misfits = [np.sqrt(np.mean((column - samples[name]) ** 2)) for name, column in zip(law.expressions, values.T, strict=True)]
    sizes = [np.sqrt(np.mean(samples[name] ** 2)) or 1.0 for name in law.expressions]
    return float(np.sqrt(np.mean(np.square(misfits)))), float(max(m / s for m, s in zip(misfits, sizes, strict=True)))


def _proved(
    problem: Problem, found: Refined, proof: Proof, where: Mapping[str, Any], samples: Mapping[str, Any], tried: Sequence[Any]
) -> Law | None:
    """The law of a proof; None if it is another solution than the network's."""
    constants = _constants(found, proof)
    law = Law(
        names=problem.domain.names,
        expressions={name: _shortest(each) for name, each in proof.expressions.items()},
        constants=constants,
        verdict="proved",
        reason=proof.reason,
        rms=math.nan,
        noise=math.nan,
        lead=math.inf,
        front=_front(problem, tried, len(next(iter(samples.values())))),
        evidence=(f"proposed as {found.proposal.kind}", *proof.statements),
        kind="solution",
    )
    rms, relative = _off(law, where, samples)
    return replace(law, rms=rms) if relative <= SAME else None


def _constants(found: Refined, proof: Proof | None) -> tuple[LawConstant, ...]:
    """Exact ones from the proof, fitted ones with their standard deviations."""
    constants = []
    exact = proof.constants if proof is not None else {}
    for name in dict.fromkeys([*found.proposal.values, *exact]):
        number = exact.get(name)
        if number is not None and not number.free_symbols:
            constants.append(LawConstant(name, float(sympy.N(number)), 0.0, sympy.sstr(number)))
        elif name in found.proposal.values and number is None:
            sigma = found.sigmas.get(name, math.nan)
            constants.append(LawConstant(name, found.proposal.values[name], sigma if math.isfinite(sigma) else math.nan))
    return tuple(constants)


def _shortest(expression: Any) -> Any:
    """The same with products of sines as sums, or sums as products, where that is shorter."""
    every = [expression]
    if expression.has(sympy.sin, sympy.cos) and expression.count_ops() < 200:
        every += [TR8(expression), TR10i(expression)]
    return min(every, key=nodes)


def _front(problem: Problem, tried: Sequence[tuple[Refined, Any]], count: int) -> tuple[Candidate, ...]:
    """What was tried, with fitted numbers, for a single unknown; description by N/2 log(RSS/N) + k/2 log N and one nat a node."""
    if len(problem.unknowns) != 1:
        return ()
    found = []
    for each, _ in tried:
        (formula,) = each.proposal.expressions.values()
        numbers = {sympy.Symbol(name, real=True): sympy.Float(value) for name, value in each.proposal.values.items()}
        size, rms = nodes(formula), max(each.rms, 1e-14)
        description = count * math.log(rms) + 0.5 * len(numbers) * math.log(count) + size
        found.append(Candidate(formula.xreplace(numbers), size, each.rms, description))
    return tuple(found)


def _unproved(
    problem: Problem, tried: Sequence[tuple[Refined, Proof | None]], where: Mapping[str, np.ndarray], samples: Mapping[str, np.ndarray]
) -> Law:
    count = len(next(iter(samples.values())))
    good = [(found, proof) for found, proof in tried if found.rms <= CLOSE and proof is not None]
    if not good:
        best = min((found.rms for found, _ in tried), default=math.nan)
        why = f"the best of {len(tried)} formulas is off by {best:.2g} of the solution's size" if tried else "no formula fits the solution"
        return Law(problem.domain.names, {}, (), "no law", why, math.nan, math.nan, math.inf, _front(problem, tried, count), (), "solution")
    found, proof = min(good, key=lambda pair: (not pair[1].holds, pair[0].rms))
    holds = proof.holds
    law = Law(
        names=problem.domain.names,
        expressions=proof.expressions if holds else found.proposal.expressions,
        constants=_constants(found, proof if holds else None),
        verdict="candidate",
        reason=proof.reason if holds else f"it fits to {found.rms:.2g} of the solution's size but is not proved: {proof.reason}",
        rms=math.nan,
        noise=math.nan,
        lead=math.inf,
        front=_front(problem, tried, count),
        evidence=(f"proposed as {found.proposal.kind}", *proof.statements),
        kind="solution",
    )
    return replace(law, rms=_off(law, where, samples)[0])
