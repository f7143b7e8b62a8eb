"""Solutions that are derivatives of the logarithm of a sum of exponentials: solitons and fronts.

    u = a (log tau)_xx   or   u = a (log tau)_x,       tau = sum_j A_j exp(k_j x + w_j t + ...)

as in Hirota's method (Phys. Rev. Lett. 27, 1971, 1192) and Cole and Hopf's. The factor a is what the equation's highest terms balance at
a pole: u near -a/(x - x0)^2 or a/(x - x0). With l = (log tau)_x, an integral of u/a or u/a itself, the derivatives of tau over
tau are polynomials in l and its derivatives (Bell's),

    B_0 = 1,   B_(n+1) = l B_n + B_n',       tau^(n) = B_n tau,

so that sum_n p_n B_n = 0 is linear in the polynomial p whose roots are the k_j: no exponential is ever taken, and fast and slow ones count
alike. The integral knows l up to a constant b on each line, which shifts all roots of that line by b and leaves u as it is.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import sympy
from numpy.polynomial import chebyshev

from kanpde.discovery.solutions.products import Sampled
from kanpde.discovery.solutions.proposals import Names, Proposal
from kanpde.domains import Box
from kanpde.problem import Problem
from kanpde.symbolic.equations import equations, symbols

ALONG = 128  # Chebyshev points on a line
SLICES = 24
EXPONENTIALS = (2, 3, 4, 8)
NOUGHT = 1e-4  # of the exponents' range: smaller ones are none
FIT = 3e-2  # of the highest term, left over by the linear equation for the roots

Terms = tuple[np.ndarray, np.ndarray, np.ndarray]  # of tau: exponents along the axis and the other coordinate, logarithms of amplitudes


def poles(problem: Problem, axis: str) -> list[tuple[int, sympy.Expr]]:
    """(2, a) or (1, a) for every a with which u = -a/(x - x0)^2, or a/(x - x0), balances the equation's highest terms."""
    if len(problem.unknowns) != 1:
        return []
    where = symbols(problem)
    x, a, found = where[axis], sympy.Symbol("a", real=True), []
    moving = [symbol for name, symbol in where.items() if name != axis]
    for order in (2, 1):
        # speeds and curvatures of the pole's path come with lower powers
        try:
            terms = [sympy.expand(part) for part in equations(problem, {problem.unknowns[0]: (-a if order == 2 else a) / x**order})]
        except (TypeError, AttributeError, ValueError):
            continue
        for residual in terms:
            powers: dict[sympy.Expr, sympy.Expr] = {}
            for term in sympy.Add.make_args(residual):
                power = term.as_coeff_exponent(x)[1]
                powers[power] = powers.get(power, sympy.S.Zero) + term / x**power
            lowest = min(powers, key=lambda power: float(power) if power.is_number else 0.0)
            leading = sympy.factor(powers[lowest])
            if leading.free_symbols - {a} - set(moving) or leading.has(*moving) or not leading.is_polynomial(a):
                continue
            found += [(order, root) for root in sympy.roots(sympy.Poly(leading, a)) if root.is_real and root != 0]
    return list(dict.fromkeys(found))


def sums_of_exponentials(problem: Problem, sampled: Sampled) -> Iterator[Proposal]:
    """Proposals for a single unknown of one coordinate in space, or more."""
    box = problem.domain
    if len(problem.unknowns) != 1 or len(box.names) != 2:
        return
    name = problem.unknowns[0]
    for axis in box.spatial:
        for order, a in poles(problem, axis):
            for terms in _terms(box, axis, order, float(a), lambda where: np.asarray(sampled(where)[name])):
                yield _written(box, axis, name, order, a, terms)


def _terms(box: Box, axis: str, order: int, a: float, values: Callable[[Mapping[str, np.ndarray]], np.ndarray]) -> list[Terms]:
    """What tau may consist of, by number of terms."""
    place, other = box.names.index(axis), box.names[1 - box.names.index(axis)]
    half = 0.5 * (box.upper[place] - box.lower[place])
    nodes = np.cos(np.pi * (np.arange(ALONG) + 0.5) / ALONG)
    x, lines = box.lower[place] + half * (nodes + 1), np.linspace(box.lower[1 - place], box.upper[1 - place], SLICES)
    u = values({axis: np.tile(x, SLICES), other: np.repeat(lines, ALONG)}).reshape(SLICES, ALONG)
    series = np.linalg.solve(chebyshev.chebvander(nodes, ALONG - 1), u.T / a)
    slopes = chebyshev.chebint(series, lbnd=-1) * half if order == 2 else series
    derivatives = [chebyshev.chebval(nodes, chebyshev.chebder(slopes, k)).T / half**k for k in range(max(EXPONENTIALS))]
    table = _bell(derivatives, max(EXPONENTIALS))
    potential = chebyshev.chebval(nodes, chebyshev.chebint(slopes, lbnd=-1)).T * half
    found = [_shape(x, lines, table[: count + 1], potential, shifted=order == 2) for count in EXPONENTIALS]
    return [shape for shape in found if shape is not None]


def _bell(derivatives: Sequence[np.ndarray], count: int) -> list[np.ndarray]:
    """B_0 ... B_count from l and its derivatives: B_(n+1) = sum_k binom(n, k) B_(n-k) l^(k)."""
    found = [np.ones_like(derivatives[0])]
    for n in range(count):
        found.append(np.sum([math.comb(n, k) * found[n - k] * derivatives[k] for k in range(n + 1)], 0))
    return found


def _shape(x: np.ndarray, lines: np.ndarray, table: Sequence[np.ndarray], potential: np.ndarray, *, shifted: bool) -> Terms | None:
    """Exponents from the lines that show them best; amplitudes by line lie on straight lines."""
    count, seen = len(table) - 1, []
    for line in range(len(lines)):
        rows = np.stack([bell[:, line] for bell in table], 1)
        size = np.maximum(np.sqrt(np.mean(rows**2, 0)), 1e-12)
        answer, _, _, singular = np.linalg.lstsq(rows[:, :count] / size[:count], -rows[:, count] / size[count], rcond=1e-13)
        rest = float(np.sqrt(np.mean((rows[:, :count] / size[:count] @ answer + rows[:, count] / size[count]) ** 2)))
        roots = np.roots([1.0, *(answer * size[count] / size[:count])[::-1]])
        if np.isfinite(roots).all() and np.abs(roots.imag).max() < 1e-2 * (1 + np.abs(roots).max()):
            seen.append((rest / max(float(singular[-1] / singular[0]), 1e-300), rest, line, np.sort(roots.real)))
    good = sorted((each for each in seen if each[1] < FIT), key=lambda each: each[0])
    if len(good) < 3:
        return None
    best = good[: max(3, len(good) // 3)]
    exponents = np.median([roots - shifted * roots[0] for *_, roots in best], 0)
    if (np.diff(exponents) < 1e-3 * np.ptp(exponents)).any():
        return None
    places, logarithms = [], []
    for *_, line, roots in best:
        growth = np.outer(x, exponents + shifted * np.mean(roots - exponents)) - potential[:, line, None]
        largest = growth.max(0)
        amplitudes = np.linalg.lstsq(np.exp(growth - largest), np.ones(len(x)), rcond=None)[0]
        if (amplitudes > 0).all():
            logarithms.append(np.log(amplitudes) - largest)
            places.append(lines[line])
    if len(places) < 3:
        return None
    relative = np.array(logarithms) - np.array(logarithms)[:, :1]
    fits = [_straight(np.array(places), column) for column in relative.T]
    return exponents, np.array([slope for slope, _ in fits]), np.array([level for _, level in fits])


def _straight(t: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Slope and level of the line that most of the values lie on (Theil and Sen)."""
    pairs = [(values[j] - values[i]) / (t[j] - t[i]) for i, j in itertools.combinations(range(len(t)), 2)]
    slope = float(np.median(pairs))
    return slope, float(np.median(values - slope * t))


def _written(box: Box, axis: str, unknown: str, order: int, a: sympy.Expr, terms: Terms) -> Proposal:
    names = Names()
    x, other = (sympy.Symbol(name, real=True) for name in (axis, box.names[1 - box.names.index(axis)]))
    first = float(terms[0][0])
    tau = sympy.exp(names.new(first) * x) if abs(first) > NOUGHT * float(np.ptp(terms[0])) else sympy.S.One
    for k, w, level in list(zip(*terms, strict=True))[1:]:
        amplitude = names.new(math.exp(level))
        tau = tau + amplitude * sympy.exp(names.new(k) * x + names.new(w) * other)
    d = sympy.diff(tau, x)
    formula = a * d / tau if order == 1 else a * (sympy.diff(d, x) * tau - d**2) / tau**2
    words = f"{sympy.sstr(a)} (log tau)_{axis * order}, tau a sum of {len(terms[0])} exponentials"
    return Proposal({unknown: formula}, names.values, words)
