"""Sums of products of exponentials, sines and powers of the single coordinates, found without a search.

A solution that is a sum of products f(x) g(y) ... is, along each line, a combination of few functions of that coordinate. Exponentials
(real and complex) and polynomials are those that are carried into each other by a shift: from samples at equal steps h the shift's
eigenvalues e^(a h) are found by linear algebra alone (ESPRIT; Roy and Kailath, IEEE Trans. ASSP 37, 1989, 984). What remains is linear: the
coefficients of the products.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from kanpde.discovery.solutions.proposals import Names, Proposal
from kanpde.domains import Box, sobol

POINTS = 96  # along a line
LINES = 24
MOST = 12  # functions of a coordinate
GAP = 20.0  # between the singular values of what is there and of errors, at least
ROUGHEST = 1e-2  # of the largest: errors are smaller
LEVELS = 3  # of such gaps are tried
PRODUCTS = 1500
TERMS = 40  # of a formula: more are no law

Sampled = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
Lines = tuple[np.ndarray, Mapping[str, np.ndarray], np.ndarray, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Factor:
    """z^power e^(rate z) with cos or sin (``wave``) of frequency z; z may be the coordinate's square."""

    power: int = 0
    rate: float = 0.0
    frequency: float = 0.0
    wave: str = ""

    @property
    def constant(self) -> bool:
        return not (self.power or self.rate or self.wave)

    def values(self, z: np.ndarray) -> np.ndarray:
        turn = {"": np.ones_like(z), "cos": np.cos(self.frequency * z), "sin": np.sin(self.frequency * z)}[self.wave]
        return z**self.power * np.exp(self.rate * z) * turn


@dataclass(frozen=True)
class Space:
    """The functions that lines along a coordinate consist of, of the coordinate or its square; ``error`` is what they leave, relative."""

    factors: tuple[Factor, ...]
    squared: bool
    error: float


Terms = list[tuple[float, tuple[tuple[int, Factor], ...]]]  # coefficients and products of factors by axis
Found = dict[str, tuple[str, Terms, list[Space]]]

# what a function of the solution may be a sum of products: the solution itself, its inverse, ...
LINKS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[Any], Any]]] = {
    "": (lambda u: u, lambda v: v),
    "the inverse": (lambda u: 1 / u, lambda v: 1 / v),
    "the logarithm": (np.log, sympy.exp),
    "the square": (lambda u: u**2, sympy.sqrt),
}


def sums_of_products(box: Box, unknowns: Sequence[str], sampled: Sampled) -> Iterator[Proposal]:
    """Proposals in which every unknown, or a function of it, is a sum of products; the shortest first, then those that fit better."""
    lines = [_lines(box, axis, sampled) for axis in range(len(box.names))]
    points = sobol(3000, len(box.names), 7)
    places = {name: box.lower[axis] + (box.upper[axis] - box.lower[axis]) * points[:, axis] for axis, name in enumerate(box.names)}
    samples = sampled(places)
    seen: list[Found] = []
    for level in range(LEVELS):
        found = _found(unknowns, level, lines, places, samples)
        if found is not None and found not in seen:
            seen.append(found)
            yield _written(box, found)


def _found(
    unknowns: Sequence[str], level: int, lines: Sequence[Lines], places: Mapping[str, np.ndarray], samples: Mapping[str, np.ndarray]
) -> Found | None:
    """The terms of each unknown, with as many functions as the ``level``-th gap leaves."""
    found: Found = {}
    for name in unknowns:
        for link, (forward, _) in LINKS.items():
            with np.errstate(all="ignore"):
                wanted = forward(np.asarray(samples[name]))
                along = [(z, forward(values[name]), z2, forward(values2[name])) for z, values, z2, values2 in lines]
            if not np.isfinite(wanted).all() or not all(np.isfinite(v).all() for _, v, _, _ in along):
                continue
            if link == "the square" and not (samples[name] > 0).all():
                continue
            spaces = [_space(level, *each) for each in along]
            terms = _terms(places, wanted, spaces) if all(spaces) else None
            if terms is not None:
                found[name] = (link, terms, [space for space in spaces if space])
                break
        else:
            return None
    return found


def _lines(box: Box, axis: int, sampled: Sampled) -> Lines:
    """Samples (POINTS, lines) at equal steps along a coordinate, and at equal steps of its square."""
    low, high = box.lower[axis], box.upper[axis]
    others = sobol(LINES if len(box.names) > 1 else 1, len(box.names), 3)

    def along(column: np.ndarray) -> Mapping[str, np.ndarray]:
        where = {}
        for other, name in enumerate(box.names):
            held = box.lower[other] + (box.upper[other] - box.lower[other]) * others[:, other]
            where[name] = np.broadcast_to(column[:, None] if other == axis else held[None, :], (len(column), len(others))).ravel()
        return {name: np.asarray(values).reshape(len(column), len(others)) for name, values in sampled(where).items()}

    z, top = np.linspace(low, high, POINTS), max(abs(low), abs(high))
    least = 0.0 if low < 0 < high else min(abs(low), abs(high))
    squares = np.linspace(least**2, top**2, POINTS)
    roots = np.clip(np.sqrt(squares) * (1 if high == top else -1), low, high)
    return z, along(z), squares, along(roots)


def _space(level: int, z: np.ndarray, values: np.ndarray, squares: np.ndarray, squared: np.ndarray) -> Space | None:
    """Functions of the coordinate, or of its square where these are fewer by far."""
    plain, other = exponentials(z, values, False), exponentials(squares, squared, True)
    if other and (not plain or len(plain[0].factors) > len(other[0].factors) + 1):
        plain = other
    return plain[min(level, len(plain) - 1)] if plain else None


def exponentials(z: np.ndarray, values: np.ndarray, squared: bool) -> list[Space]:
    """The shift's eigenvalues as functions, few and then more of them; none if the lines are not combinations of a few."""
    size = float(np.abs(values).max())
    if not size > 0:
        return [Space((Factor(),), squared, 0.0)]
    window = len(z) // 2
    columns = np.lib.stride_tricks.sliding_window_view(values / size, window, axis=0).reshape(-1, window).T
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    # errors need not be independent: a floor keeps gaps between rounding errors from being seen
    singular = np.maximum(singular / singular[0], 1e-15)
    gaps = singular[:MOST] / singular[1 : MOST + 1]
    orders = [order for order in range(1, MOST + 1) if gaps[order - 1] > GAP and singular[order] < ROUGHEST]
    found = [_of_order(order, z, values, left, singular, squared) for order in orders]
    return [space for space in found if space is not None]


def _of_order(order: int, z: np.ndarray, values: np.ndarray, left: np.ndarray, singular: np.ndarray, squared: bool) -> Space | None:
    signal = left[:, :order]
    shifts = np.linalg.eigvals(np.linalg.lstsq(signal[:-1], signal[1:], rcond=None)[0])
    if not (np.abs(shifts) > 1e-8).all():
        return None
    exponents, error = np.log(shifts) / (z[1] - z[0]), float(singular[order])
    for polynomial in (True, False):
        factors = _factors(exponents, float(z[-1] - z[0]), error, polynomial)
        table = np.stack([factor.values(z) for factor in factors], 1)
        table = table / np.maximum(np.linalg.norm(table, axis=0), 1e-300)
        rest = values - table @ np.linalg.lstsq(table, values, rcond=None)[0]
        left_over = float(np.sqrt(np.mean(rest**2) / np.mean(values**2)))
        if left_over < max(30 * error, 1e-12) or left_over < 1e-4:
            return Space(tuple(factors), squared, max(left_over, error))
    return None


def _factors(exponents: np.ndarray, length: float, error: float, polynomial: bool) -> list[Factor]:
    """Real functions of these exponents; small ones together are a polynomial, if so wished."""
    nought = max(1e-6, 100 * error)
    small = np.abs(exponents) * length < (0.3 if polynomial and np.sum(np.abs(exponents) * length < 0.3) > 1 else nought)
    found = [Factor(power=power) for power in range(int(small.sum()))]
    for exponent in sorted(exponents[~small], key=lambda each: (abs(each.imag), each.real)):
        rate = 0.0 if abs(exponent.real) * length < max(1e-5, 100 * error) and abs(exponent.imag) * length > 0.3 else float(exponent.real)
        if abs(exponent.imag) * length < nought:
            found.append(Factor(rate=rate))
        elif exponent.imag > 0:
            found += [Factor(rate=rate, frequency=float(exponent.imag), wave=wave) for wave in ("cos", "sin")]
    return found or [Factor()]


def _terms(places: Mapping[str, np.ndarray], wanted: np.ndarray, spaces: Sequence[Space | None]) -> Terms | None:
    """Coefficients and products, the fewest that will do; None if the products do not make up the samples."""
    own = [space for space in spaces if space]
    products = _products(own)
    if products is None:
        return None
    tables = []
    for space, z in zip(own, places.values(), strict=True):
        tables.append({factor: factor.values(z**2 if space.squared else z) for factor in space.factors})
    columns = np.ones((len(wanted), len(products)))
    for number, product in enumerate(products):
        for axis, factor in product:
            columns[:, number] *= tables[axis][factor]
    error = max(max(space.error for space in own), 1e-13)
    sizes = np.sqrt(np.mean(columns**2, 0))
    size = float(np.sqrt(np.mean(wanted**2))) or 1.0
    kept = np.arange(len(products))
    while True:
        scaled = columns[:, kept] / sizes[kept]
        found = np.linalg.lstsq(scaled, wanted / size, rcond=1e-12)[0]
        left_over = float(np.sqrt(np.mean((wanted / size - scaled @ found) ** 2)))
        if not left_over < max(1e3 * error, 1e-10):
            return None
        strong = np.abs(found) > max(30 * error, 30 * left_over, 1e-9)
        if strong.all() or not strong.any():
            break
        kept = kept[strong]
    if len(kept) > TERMS:
        return None
    return [(size * float(a) / float(sizes[k]), products[k]) for a, k in zip(found, kept, strict=True)]


def _products(spaces: Sequence[Space]) -> list[tuple[tuple[int, Factor], ...]] | None:
    """One factor of each coordinate; where that is too many, products of as many coordinates as there is room for."""
    if math.prod(len(space.factors) for space in spaces) <= PRODUCTS:
        every = itertools.product(*([(axis, factor) for factor in space.factors] for axis, space in enumerate(spaces)))
        return [tuple((axis, factor) for axis, factor in row if not factor.constant) for row in every]
    moving = [[(axis, factor) for factor in space.factors if not factor.constant] for axis, space in enumerate(spaces)]
    if any(len(some) == len(space.factors) for some, space in zip(moving, spaces, strict=True)):
        return None
    found: list[tuple[tuple[int, Factor], ...]] = [()]
    for count in range(1, len(spaces) + 1):
        more = [row for some in itertools.combinations(moving, count) for row in itertools.product(*some)] if count < 3 else []
        if not more or len(found) + len(more) > PRODUCTS:
            break
        found += more
    return found


def _written(box: Box, found: Found) -> Proposal:
    names, expressions, kinds = Names(), {}, []
    for unknown, (link, terms, spaces) in found.items():
        letters: dict[tuple[int, str, float], Any] = {}

        def letter(axis: int, kind: str, value: float, letters: dict[tuple[int, str, float], Any] = letters) -> Any:
            key = (axis, kind, value)
            if key not in letters:
                letters[key] = names.new(value)
            return letters[key]

        total = sympy.S.Zero
        for coefficient, product in sorted(terms, key=lambda term: len(term[1])):
            term = names.new(coefficient)
            for axis, factor in product:
                z = sympy.Symbol(box.names[axis], real=True) ** (2 if spaces[axis].squared else 1)
                term = term * z**factor.power
                if factor.rate:
                    term = term * sympy.exp(letter(axis, "rate", factor.rate) * z)
                if factor.wave:
                    term = term * getattr(sympy, factor.wave)(letter(axis, "frequency", factor.frequency) * z)
            total = total + term
        expressions[unknown] = LINKS[link][1](total)
        kinds.append(link)
    words = next((f"{link} is " for link in kinds if link), "")
    return Proposal(expressions, names.values, f"{words}a sum of products of exponentials, sines and powers")
