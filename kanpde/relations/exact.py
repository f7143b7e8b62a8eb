"""Formulas that hold exactly, in all rows or in some: found by a vote of the rows on the constants.

A candidate is g(y) = c T, or g(y) = a S + b T, with a link g and products of powers S, T of few variables. Every row, or every pair
of rows, gives the constants at which it holds; rows of one exact relation give the same, to rounding, however many others do not follow
it. So what is true of a part of the rows is found as well as what is true of all, which least squares cannot do.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np

FEWEST = 0.05  # of the rows, that a formula must hold in
MARGIN = 0.2  # by which its share must exceed that among permuted rows, or half of it
HALF = Fraction(1, 2)
POWERS = (0, 1, -1, 2, -2, HALF, -HALF)
FACTORS = 3  # variables in a product, at most
NICE = 12  # greatest denominator of a constant that is taken for a fraction
VOTERS = 400  # rows that vote on one constant
COUNTED, PAIRS = 120, 60  # rows, and pairs of them, that vote on two
TWICE = 1e-10  # relative difference between the votes of two rows that agree

Power = int | Fraction
Term = tuple[Power, ...]  # the powers of the columns

# g of y, y of g, and y as a text
LINKS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], str]] = {
    "identity": (lambda y: y, lambda z: z, "{}"),
    "square": (np.square, np.sqrt, "sqrt({})"),
    "exp": (np.exp, np.log, "log({})"),
    "log": (np.log, np.exp, "exp({})"),
    "sinh": (np.sinh, np.arcsinh, "asinh({})"),
    "sinh^2": (lambda y: np.sinh(y) ** 2, lambda z: np.arcsinh(np.sqrt(z)), "asinh(sqrt({}))"),
    "sin^2": (lambda y: np.sin(y) ** 2, lambda z: np.arcsin(np.sqrt(z)), "asin(sqrt({}))"),
}


@dataclass(frozen=True)
class Candidate:
    """g(y) = the sum of constants times products of powers."""

    link: str
    terms: tuple[Term, ...]
    constants: tuple[float, ...]

    @property
    def size(self) -> int:
        """What it costs to read."""
        powers = [Fraction(power) for term in self.terms for power in term if power]
        return len(self.terms) + sum(1 + abs(p.numerator) + p.denominator for p in powers) + 3 * (self.link != "identity")

    def values(self, X: np.ndarray) -> np.ndarray:
        """y at the rows X (n, d): (n,), NaN where it is not defined."""
        with np.errstate(all="ignore"):
            return LINKS[self.link][1](sum(c * _product(X, term) for c, term in zip(self.constants, self.terms, strict=True)))

    def text(self, names: Sequence[str]) -> str:
        """The formula of y."""
        words = " + ".join(_worded(c, term, names) for c, term in zip(self.constants, self.terms, strict=True))
        return LINKS[self.link][2].format(words.replace("+ -", "- "))

    def nicer(self) -> "Candidate":
        """With constants that are fractions to nine digits as these."""
        nearest = [float(Fraction(c).limit_denominator(NICE)) for c in self.constants]
        found = [n if n and abs(c / n - 1) < 1e-9 else c for c, n in zip(self.constants, nearest, strict=True)]
        return Candidate(self.link, self.terms, tuple(found))


@dataclass(frozen=True)
class Exact:
    """y = ``formula`` in the rows that ``holds`` (n,) marks, to ``residual`` there; ``values`` (n,) are the formula's in all rows."""

    formula: str
    inputs: tuple[str, ...]
    values: np.ndarray
    holds: np.ndarray
    residual: float
    size: int

    @property
    def share(self) -> float:
        """The share of the rows in which it holds."""
        return float(self.holds.mean())


def exact_formula(X: np.ndarray, y: np.ndarray, names: Sequence[str], *, tolerance: float = 1e-9, seed: int = 0) -> Exact | None:
    """The formula that holds in most rows, to ``tolerance`` times the rms of y, among those that hold in far more than in permuted rows.

    X (n, d) are few columns, called ``names``, and y (n,) is the target. Where it holds in a part only and another holds in the rest, the
    two are put together as the minimum or maximum of both, if that is what they are. None without such a formula.
    """
    first = _piece(X, y, tolerance, seed)
    if first is None:
        return None
    found = _held(first.text(names), (first,), first.values(X), y, names, tolerance)
    rest = ~found.holds
    if rest.mean() < FEWEST:
        return found
    second = _piece(X[rest], y[rest], tolerance, seed)
    if second is None:
        return found
    for name, of in (("min", np.fmin), ("max", np.fmax)):
        text = f"{name}({first.text(names)}, {second.text(names)})"
        whole = _held(text, (first, second), of(first.values(X), second.values(X)), y, names, tolerance)
        if whole.share > 1 - FEWEST:
            return whole
    return found


def _piece(X: np.ndarray, y: np.ndarray, tolerance: float, seed: int) -> Candidate | None:
    """The one formula that holds in most rows, if it beats permuted rows; of equals the shortest."""
    random = np.random.default_rng((seed, 11))
    voters = random.permutation(len(y))[:VOTERS]
    shuffled = y[random.permutation(len(y))]
    best: Candidate | None = None
    for votes in (_one_term, _two_terms):
        order = (0.0, 0)
        for candidate in votes(X[voters], y[voters], random):
            values = candidate.values(X)
            share = float(np.mean(_near(values, y, tolerance)))
            mine = (round(share, 2), -candidate.size)
            if share >= FEWEST and mine > order and share > np.mean(_near(values, shuffled, tolerance)) + min(MARGIN, share / 2):
                best, order = candidate.nicer(), mine
        if best is not None:
            return best
    return None


def _near(values: np.ndarray, y: np.ndarray, tolerance: float) -> np.ndarray:
    return np.abs(values - y) <= tolerance * np.sqrt(np.mean(y**2))


def _held(text: str, pieces: Sequence[Candidate], values: np.ndarray, y: np.ndarray, names: Sequence[str], tolerance: float) -> Exact:
    holds = _near(values, y, tolerance)
    used = [name for j, name in enumerate(names) if any(term[j] for piece in pieces for term in piece.terms)]
    residual = float(np.abs(values - y)[holds].max()) if holds.any() else np.inf
    return Exact(text, tuple(used), values, holds, residual, sum(piece.size for piece in pieces) + len(pieces) - 1)


# ---- the votes ----


def _one_term(X: np.ndarray, y: np.ndarray, random: np.random.Generator) -> Iterator[Candidate]:
    """For every link and term the constant that most rows agree on, if they are enough."""
    terms = [term for term in product(POWERS, repeat=X.shape[1]) if 0 < sum(map(bool, term)) <= FACTORS]
    with np.errstate(all="ignore"):
        table = np.stack([_product(X, term) for term in terms])
        for link, (forward, _, _) in LINKS.items():
            ratios = np.sort(np.where(np.isfinite(found := forward(y) / table), found, np.inf), 1)
            agree = np.abs(ratios[:, 1:] - ratios[:, :-1]) <= TWICE * np.abs(ratios[:, 1:])
            for number in np.flatnonzero(agree.sum(1) >= FEWEST * len(y)):
                start, count = _longest(agree[number])
                if count >= max(FEWEST * len(y), 5) and ratios[number, start] != 0:
                    yield Candidate(link, (terms[number],), (float(ratios[number, start + count // 2]),))


def _two_terms(X: np.ndarray, y: np.ndarray, random: np.random.Generator) -> Iterator[Candidate]:
    """For every link and two terms the constants, from two rows at a time, that hold in most of some other rows."""
    d = X.shape[1]
    single = [tuple(p if j == k else 0 for k in range(d)) for j in range(d) for p in (1, 2, -1)]
    double = [t for t in product((0, 1, -1), repeat=d) if sum(map(bool, t)) == 2 and max(t) == 1]
    terms: list[Term] = [(0,) * d, *single, *double]
    some, pairs = slice(0, COUNTED), random.integers(0, len(y), (PAIRS, 2))
    with np.errstate(all="ignore"):
        table = np.stack([_product(X, term) for term in terms])
        for link, (forward, _, _) in LINKS.items():
            z = forward(y)
            size = np.sqrt(np.mean(z[np.isfinite(z)] ** 2))
            right = z[pairs]  # (pairs, 2)
            for i, j in combinations(range(len(terms)), 2):
                a, b, c, d2 = table[i][pairs[:, 0]], table[j][pairs[:, 0]], table[i][pairs[:, 1]], table[j][pairs[:, 1]]
                area = a * d2 - b * c
                s, t = (right[:, 0] * d2 - right[:, 1] * b) / area, (a * right[:, 1] - c * right[:, 0]) / area
                away = np.abs(s[:, None] * table[i][some] + t[:, None] * table[j][some] - z[some])
                counts = (away <= 1e-9 * size).sum(1)
                most = int(np.argmax(counts))
                if counts[most] > max(FEWEST * COUNTED, 5):
                    yield Candidate(link, (terms[i], terms[j]), (float(s[most]), float(t[most])))


def _longest(agree: np.ndarray) -> tuple[int, int]:
    """Start and length, in places that agree, of the longest run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], agree, [False]]).astype(int)))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    longest = int(np.argmax(lengths))
    return int(starts[longest]), int(lengths[longest])


def _product(X: np.ndarray, term: Term) -> np.ndarray:
    found = np.ones(len(X))
    for column, power in zip(X.T, term, strict=True):
        if power:
            found = found * (column ** int(power) if power == int(power) else column ** float(power))
    return found


def _worded(constant: float, term: Term, names: Sequence[str]) -> str:
    """c x^2/y as text."""
    nice = Fraction(constant).limit_denominator(NICE)
    exact = nice != 0 and abs(constant / float(nice) - 1) < 1e-12
    sign = "-" if constant < 0 else ""
    above = [str(abs(nice.numerator)) if exact else f"{abs(constant):.10g}"] if not exact or abs(nice.numerator) != 1 else []
    below = [str(nice.denominator)] if exact and nice.denominator != 1 else []
    for name, power in zip(names, term, strict=True):
        if power:
            (above if power > 0 else below).append(name if abs(power) == 1 else f"{name}**{_exponent(abs(power))}")
    top = "*".join(above) or "1"
    return sign + top + (f"/{below[0]}" if len(below) == 1 else f"/({'*'.join(below)})" if below else "")


def _exponent(power: Power) -> str:
    return str(power) if power == int(power) else f"({power})"
