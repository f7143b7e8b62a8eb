"""What a flow conserves: all independent quantities H with dH/dt = f . grad H = 0, as exact laws.

H is a linear combination of products of coordinates and of known functions of them (one layer of a KAN whose edges are powers, with product
nodes). Of such combinations those that are conserved are a linear space: with the rows f . grad Phi_j and grad Phi_j at points of a box,

    |M c|^2 = mean (f . grad H)^2,   |G c|^2 = mean |grad H|^2,   G = Q R,   M R^-1 = U S V',   c = R^-1 v for every s = 0,

so that constants, and H = 0, are excluded by the normalisation |grad H| = 1 in the mean, and none is found by luck. How many of them
are independent is the rank of their gradients, at most d - 1 in d dimensions.
"""

import inspect
import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from kanpde.arguments import real_number, seed_number, whole_number
from kanpde.calls import call_by_name, function_name
from kanpde.domains import Box
from kanpde.fields import Field, coordinate_fields
from kanpde.functions import evaluated, exact
from kanpde.problem import Problem
from kanpde.symbolic.law import Law, LawConstant

ZERO = 1e-10  # a change of H over |f| |grad H|, or a gradient over the others, that is none
UNSURE = 1e-9  # of a coefficient, for which an exact number is looked for
MOST = 2000  # products


@dataclass(frozen=True)
class Found:
    """Quantities as coefficients (products, count) of ``products``, of which the first ``independent`` have independent gradients."""

    products: tuple[tuple[str, ...], ...]
    coefficients: np.ndarray
    independent: int
    degree: int


def conserved(
    flow: Callable[..., Any],
    domain: Box,
    *,
    degree: int = 2,
    auxiliary: Mapping[str, Callable[..., Any]] | None = None,
    rows: int = 2000,
    seconds: float = 60.0,
    seed: int = 0,
) -> Law:
    """All independent quantities that dx/dt = flow(x) conserves in ``domain`` among polynomials of at most ``degree``, as H1, H2, ...

    ``flow`` takes coordinates by name and returns the velocity of each, in their order, written in :mod:`kanpde.functions`. Functions of
    the coordinates in ``auxiliary`` count as one more variable each: ``auxiliary=dict(c=lambda x: cos(x))``. The least degree is taken that
    has as many independent quantities as the greatest; the independent ones come first, then those that these determine, but no products
    of others. ``rows`` points are drawn by ``seed``. Every formula is put into the equation: the verdict is "proved" where sympy finds
    f . grad H identically zero.

    >>> print(conserved(lambda x, p: (p, -x), Box(x=(-1, 1), p=(-1, 1))).formula)
    H1 = p**2 + x**2

    Raises ``TypeError`` or ``ValueError`` for a flow that is not as many velocities as there are coordinates, names that do not exist or
    occur twice, values that are not finite, and more than 2,000 products.
    """
    chosen = {"degree": degree, "auxiliary": auxiliary, "rows": rows, "seconds": seconds, "seed": seed}
    return conserved_and_counted(flow, domain, **chosen)[0]


def conserved_and_counted(
    flow: Callable[..., Any],
    domain: Box,
    *,
    degree: int,
    auxiliary: Mapping[str, Callable[..., Any]] | None,
    rows: int,
    seconds: float,
    seed: int,
) -> tuple[Law, int]:
    """The law of :func:`conserved`, and how many of its quantities, the first ones, are independent."""
    from kanpde.symbolic.proving import prove

    seed, rows = seed_number(seed, "conserved(seed=...)"), whole_number(rows, "conserved(rows=...)", least=10)
    real_number(seconds, "conserved(seconds=...)", above=0)
    begun = time.perf_counter()
    space = Space.of(flow, domain, degree, auxiliary or {}, rows, seed)
    found = space.found()
    names = _names("H", found.coefficients.shape[1], (*domain.names, *(auxiliary or {})))
    if not names:
        why = f"no polynomial of degree {degree} at most is conserved: a greater degree, or auxiliary functions, may have some"
        return Law(domain.names, {}, (), "no law", why, math.nan, math.nan, math.inf, kind="solution"), 0
    expressions, numbers = _written(found, names, domain, auxiliary or {})
    proof = prove(_problem(flow, domain, names), expressions, numbers, seconds=seconds)
    law = Law(
        names=domain.names,
        expressions=proof.expressions if proof.holds else expressions,
        constants=_constants(numbers, proof.constants if proof.holds else {}),
        verdict="proved" if proof.by == "sympy" else "candidate",
        reason=proof.reason if proof.holds else f"conserved to {space.change(found):.1e}, but not proved: {proof.reason}",
        rms=space.change(found),
        noise=0.0,
        lead=math.inf,
        evidence=(
            f"{found.independent} of {len(names)} are independent, by the rank of their gradients; at most {len(domain.names) - 1} can be",
            f"the polynomials of degree {found.degree} have them all, of those up to {degree}",
            f"searched for {time.perf_counter() - begun:.1f} s",
            *proof.statements,
        ),
        kind="solution",
    )
    return law, found.independent


@dataclass(frozen=True)
class Space:
    """Products of variables, simplest first, with ``gradients`` (d, N, products) at the points, and the ``velocity`` (d, N) there."""

    products: tuple[tuple[str, ...], ...]
    gradients: np.ndarray
    velocity: np.ndarray

    @classmethod
    def of(
        cls, flow: Callable[..., Any], domain: Box, degree: int, auxiliary: Mapping[str, Callable[..., Any]], rows: int, seed: int
    ) -> "Space":
        """At ``rows`` points of ``domain``."""
        names = domain.names
        for name in auxiliary:
            if name in names:
                raise ValueError(f"the auxiliary function {name!r} has the name of a coordinate: give it another")
        points = domain.sample(rows, lambda u: 2 * u - 1, seed)
        fields = coordinate_fields(names, list(points.T))
        velocity = velocities(flow, fields)
        variables = fields | {name: next(iter(fields.values()))._lift(call_by_name(each, fields)) for name, each in auxiliary.items()}
        degree = whole_number(degree, "conserved(degree=...)", least=1)
        count = math.comb(len(variables) + degree, degree)
        if count > MOST:
            raise ValueError(
                f"{len(variables)} variables have {count} products up to degree {degree}, at most {MOST} are possible: lower it"
            )
        products = [each for n in range(1, degree + 1) for each in itertools.combinations_with_replacement(variables, n)]
        products.sort(key=lambda each: (len(each), len(set(each))))
        slopes = np.stack(
            [_gradient(reduce(lambda a, b: a * b, (variables[name] for name in each)), len(names), rows) for each in products], 2
        )
        if not (np.isfinite(slopes).all() and np.isfinite(velocity).all()):
            raise ValueError(
                f"{function_name(flow)} or an auxiliary function is not finite everywhere in {domain}: choose a smaller domain"
            )
        return cls(tuple(products), slopes, velocity)

    def found(self) -> Found:
        """The independent quantities, and those that they determine, of the least degree that has them all."""
        highest = max(len(each) for each in self.products)
        spaces = [self._null([j for j, each in enumerate(self.products) if len(each) <= n]) for n in range(1, highest + 1)]
        ranks = [self._rank(each) for each in spaces]
        kept = np.zeros((len(self.products), 0))
        for n, rank in enumerate(ranks):
            if rank > (ranks[n - 1] if n else 0):
                for column in sorted(map(self._signed, _reduced(spaces[n]).T[::-1]), key=self._length):
                    if self._new(np.column_stack([self._known(kept, n + 1), kept]), column):
                        kept = np.column_stack([kept, column])
        order, independent = list[int](), 0
        for j in range(kept.shape[1]):
            if self._rank(kept[:, [*order[:independent], j]]) > independent:
                order.insert(independent, j)
                independent += 1
            else:
                order.append(j)
        return Found(self.products, kept[:, order], independent, 1 + ranks.index(max(ranks)))

    def change(self, found: Found) -> float:
        """The greatest root mean square of f . grad H / (|f| |grad H|) of all quantities."""
        slopes = np.einsum("dnj,jk->dnk", self.gradients, found.coefficients)
        rates = np.einsum("dn,dnk->nk", self.velocity, slopes)
        sizes = np.linalg.norm(self.velocity, axis=0)[:, None] * np.linalg.norm(slopes, axis=0)
        return float(np.sqrt(np.mean(np.divide(rates, sizes, out=np.zeros_like(rates), where=sizes > 0) ** 2, 0)).max())

    def _null(self, chosen: list[int]) -> np.ndarray:
        """The combinations of some products that are conserved, (products, m)."""
        scale = np.sqrt(np.mean(np.sum(self.gradients**2, 0), 0))
        rows = np.concatenate(self.gradients / scale, 0)
        kept, basis = list[int](), np.zeros((len(rows), 0))  # products whose gradients the earlier ones do not have
        for j in chosen:
            rest = rows[:, j] - basis @ (basis.T @ rows[:, j])
            rest -= basis @ (basis.T @ rest)
            if np.linalg.norm(rest) > ZERO * np.linalg.norm(rows[:, j]):
                kept.append(j)
                basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
        triangle = basis.T @ rows[:, kept]
        rates = np.einsum("dn,dnj->nj", self.velocity, self.gradients[:, :, kept] / scale[kept])
        _, singular, right = np.linalg.svd(np.linalg.solve(triangle.T, rates.T).T, full_matrices=False)
        size = float(np.sqrt(np.mean(self.velocity**2) * len(self.velocity)))
        null = np.linalg.solve(triangle, right[singular <= ZERO * max(size, 1e-300)].T)
        found = np.zeros((len(self.products), null.shape[1]))
        found[kept] = null / scale[kept, None]
        return found

    def _rank(self, coefficients: np.ndarray) -> int:
        """How many independent gradients the quantities have, at most of all points."""
        if not coefficients.shape[1]:
            return 0
        slopes = np.einsum("dnj,jk->ndk", self.gradients[:, :50], coefficients)
        slopes /= np.maximum(np.sqrt(np.mean(np.sum(slopes**2, 1, keepdims=True), 0, keepdims=True)), 1e-300)
        return int(np.max(np.sum(np.linalg.svd(slopes, compute_uv=False) > 1e-6, 1)))

    def _new(self, columns: np.ndarray, column: np.ndarray) -> bool:
        """Whether a quantity is no combination of others, by their gradients: products may be combinations of one another."""
        slopes = self.gradients.reshape(-1, len(self.products))
        others, own = slopes @ columns, slopes @ column
        others = others[:, np.linalg.norm(others, axis=0) > 0]
        if not others.shape[1]:
            return True
        others /= np.linalg.norm(others, axis=0)
        left = own - others @ np.linalg.lstsq(others, own, rcond=ZERO)[0]
        return float(np.linalg.norm(left)) > 1e-7 * float(np.linalg.norm(own))

    def _length(self, column: np.ndarray) -> tuple[int, int, int]:
        """Degree, number of different variables in a term, number of terms."""
        terms = [self.products[j] for j in np.flatnonzero(column)]
        return max(map(len, terms)), max(len(set(each)) for each in terms), len(terms)

    def _signed(self, column: np.ndarray) -> np.ndarray:
        """The column with a positive coefficient of its first product of highest degree."""
        first = max(np.flatnonzero(column), key=lambda j: (len(self.products[j]), -j))
        return column * np.sign(column[first])

    def _known(self, kept: np.ndarray, degree: int) -> np.ndarray:
        """The products of two quantities and more that are among the products of at most this degree, as coefficients."""
        places = {each: j for j, each in enumerate(self.products)}
        order = {name: k for k, name in enumerate(dict.fromkeys(name for each in self.products for name in each))}
        quantities = [{self.products[j]: column[j] for j in np.flatnonzero(column)} for column in kept.T]
        found, front = list[np.ndarray](), quantities
        while front:
            front = [_multiplied(one, other, order) for one in front for other in quantities]
            front = [each for each in front if max(map(len, each)) <= degree]
            for each in front:
                column = np.zeros(len(self.products))
                for product, value in each.items():
                    column[places[product]] = value
                found.append(column)
        return np.stack(found, 1) if found else np.zeros((len(self.products), 0))


def velocities(flow: Callable[..., Any], coordinates: Mapping[str, Any]) -> np.ndarray:
    """dx/dt (d, N) at coordinates by name, arrays or fields; ``ValueError`` for another number of velocities."""
    found = call_by_name(flow, coordinates)
    found = tuple(found) if isinstance(found, (tuple, list)) else (found,)
    if len(found) != len(coordinates):
        raise ValueError(
            f"{function_name(flow)} returns {len(found)} velocities for the coordinates {', '.join(coordinates)}: return one for each"
        )
    plain = [each.value if isinstance(each, Field) else each for each in coordinates.values()]
    values = [np.asarray(each.value if isinstance(each, Field) else each, dtype=float) for each in found]
    return np.stack(np.broadcast_arrays(*values, np.asarray(plain[0], dtype=float))[:-1])


def rates(law: Law, flow: Callable[..., Any], points: np.ndarray) -> np.ndarray:
    """dH/dt = f . grad H of every quantity of a law (N, count) at points (N, d), by its formula."""
    import sympy

    symbols = [sympy.Symbol(name, real=True) for name in law.names]
    velocity = velocities(flow, dict(zip(law.names, points.T, strict=True)))
    found = np.zeros((len(points), len(law.valued)))
    for k, expression in enumerate(law.valued.values()):
        for axis, symbol in enumerate(symbols):
            found[:, k] += velocity[axis] * evaluated(symbols, sympy.diff(expression, symbol))(*points.T)
    return found


def _gradient(field: Field, dimensions: int, rows: int) -> np.ndarray:
    """(d, N)."""
    return np.stack([np.broadcast_to(np.asarray(field.partial((axis,)), dtype=float), (rows,)) for axis in range(dimensions)])


def _multiplied(one: Mapping[tuple[str, ...], float], other: Mapping[tuple[str, ...], float], order: Mapping[str, int]) -> dict[Any, float]:
    total: dict[tuple[str, ...], float] = {}
    for (a, x), (b, y) in itertools.product(one.items(), other.items()):
        name = tuple(sorted((*a, *b), key=order.__getitem__))
        total[name] = total.get(name, 0.0) + x * y
    return total


def _reduced(columns: np.ndarray) -> np.ndarray:
    """The same space by columns in reduced echelon form, the last products eliminated first; what is rounding is 0."""
    found = columns.copy()
    taken = 0
    for row in range(len(found) - 1, -1, -1):
        if taken == found.shape[1]:
            break
        pivot = taken + int(np.argmax(np.abs(found[row, taken:])))
        if abs(found[row, pivot]) <= 1e-9 * np.abs(found[:, taken:]).max():
            found[row, taken:] = 0.0
            continue
        found[:, [taken, pivot]] = found[:, [pivot, taken]]
        found[:, taken] /= found[row, taken]
        others = np.arange(found.shape[1]) != taken
        found[:, others] -= found[:, [taken]] * found[row, others]
        taken += 1
    found[np.abs(found) <= 1e-9 * np.abs(found).max(0)] = 0.0
    return found


def _names(letter: str, count: int, taken: Sequence[str]) -> list[str]:
    """H1, H2, ... that nothing else is called."""
    return [name for name in (f"{letter}{k}" for k in range(1, count + len(taken) + 1)) if name not in taken][:count]


def _written(
    found: Found, names: Sequence[str], domain: Box, auxiliary: Mapping[str, Callable[..., Any]]
) -> tuple[dict[str, Any], dict[str, float]]:
    """The quantities by name with exact coefficients, whole numbers where that is possible, and the numbers of those that stay free."""
    import sympy

    from kanpde.symbolic.snapping import nice

    symbols = {name: sympy.Symbol(name, real=True) for name in domain.names}
    known = symbols | {name: exact(call_by_name(each, symbols)) for name, each in auxiliary.items()}
    terms = [math.prod((known[name] for name in each), start=sympy.Integer(1)) for each in found.products]
    free, numbers = _names("c", found.coefficients.size, (*domain.names, *names)), dict[str, float]()
    expressions: dict[str, Any] = {}
    for name, column in zip(names, found.coefficients.T, strict=True):
        places, parts = np.flatnonzero(column).tolist(), list[Any]()
        for value in column[places].tolist():
            snapped = nice(value, UNSURE * abs(value))
            if snapped is None:
                numbers[free[len(numbers)]] = value
            parts.append(snapped[0] if snapped is not None else sympy.Symbol(free[len(numbers) - 1], real=True))
        shared = math.lcm(*(int(each.q) for each in parts if each.is_Rational))
        expressions[name] = sympy.expand(sum(shared * part * terms[j] for part, j in zip(parts, places, strict=True)))
    return expressions, numbers


def _constants(numbers: Mapping[str, float], solved: Mapping[str, Any]) -> tuple[LawConstant, ...]:
    """Those that a proof solved for exactly, the others with what the coefficients are sure to."""
    import sympy

    found = []
    for name, value in numbers.items():
        number = solved.get(name)
        if number is None or number.free_symbols:
            found.append(LawConstant(name, value, UNSURE * abs(value)))
        else:
            found.append(LawConstant(name, float(number), 0.0, sympy.sstr(number)))
    return tuple(found)


def _problem(flow: Callable[..., Any], domain: Box, names: Sequence[str]) -> Problem:
    """f . grad H = 0 for every H."""

    def rates(**known: Any) -> tuple[Any, ...]:
        found = call_by_name(flow, {name: known[name] for name in domain.names})
        speeds = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        return tuple(sum(speed * known[name].d(axis) for axis, speed in zip(domain.names, speeds, strict=True)) for name in names)

    every = (*names, *domain.names)
    rates.__signature__ = inspect.Signature([inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in every])  # type: ignore[attr-defined]
    return Problem(domain, rates, unknowns=tuple(names), check=False)
