"""Mobility edges of quasiperiodic chains, measured: the energy, system by system, at which the Lyapunov exponent goes to zero.

On the localized side of an edge the exponent gamma of the levels is a smooth function of their energy. A few levels lie in gaps of the
spectrum (those of the surface; on a ring, where b is not quite the golden mean, others), and have greater exponents than that function has
there, never smaller ones. So of each system (one set of parameters) a polynomial gamma(E) is laid through as many levels as agree with it
to the accuracy of gamma, with hardly any below; its zero is the edge, with the standard deviation of the fit. Errors of different systems
have nothing in common, as a search for a law wants it.

>>> from kanpde.science.lattices import MOSAIC
>>> found = edge_points(MOSAIC, seed=0, systems=100)
>>> bool((abs(found["E"] - 2 / found["lam"]) < 5 * found["sigma"]).mean() > 0.9)
True
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.polynomial.chebyshev import chebvander

from kanpde.arguments import whole_number
from kanpde.science.lattices import GOLDEN, Columns, Lattice, drawn, levels, lyapunov

SMALLEST, GREATEST = 0.006, 0.2  # exponents that the polynomial is laid through: below, extended levels in small gaps are among them
SPREAD = 2.5  # standard deviation of the exponent of a localized level, in 1/sites of the recursion
FEWEST = 20  # levels of a system
LEVELS = 1860  # of the chains of a system
LENGTHS = tuple(GOLDEN ** (k / 8) for k in range(8))  # of recursions: a whole period of what a golden rotation does
DRAWS = 500  # polynomials that are tried for a system
SHARE = 0.4  # of the levels, that agree with the polynomial
BELOW = 0.03  # of the levels, at most
DEGREE = 3  # and one more: their zeros must agree
APART = 1.5  # standard deviations by which they may differ
BEYOND = 0.5  # how far from the levels the zero may be, in the width of the levels
PURE = 0.7  # of the levels among those next to the zero that must agree with the polynomial


class Look(NamedTuple):
    """How levels are looked at first: ``sites`` of the recursion, how many levels it is ``smooth``ed over, and the ``level`` of exponents
    above which they count as localized.
    """

    sites: int
    smooth: int
    level: float


LOOK = Look(500, 5, 0.015)  # is there an edge at all? exponents by so few sites, and what counts as localized
CLOSE = Look(800, 21, 0.012)


@dataclass(frozen=True)
class Edge:
    """Which change along the energy: ``rising`` from extended to localized, of which number 0 is the uppermost, or falling from localized
    to extended, of which number 0 is the lowest.
    """

    rising: bool = True
    number: int = 0

    def side(self, localized: np.ndarray) -> np.ndarray | None:
        """Of levels in order, the places on the localized side up to the next change, and some before; None without such an edge."""
        changes = np.flatnonzero(localized[1:] != localized[:-1])
        wanted = [place for place in changes if localized[place + 1] == self.rising]
        if self.rising:
            wanted = wanted[::-1]
        if len(wanted) <= self.number:
            return None
        place, margin = wanted[self.number], len(localized) // 40
        if self.rising:
            after = changes[changes > place]
            return np.arange(max(place - margin, 0), after[0] + 1 if len(after) else len(localized))
        before = changes[changes < place]
        return np.arange(before[-1] + 1 if len(before) else 0, min(place + margin, len(localized)))


def edge_points(
    lattice: Lattice,
    edge: Edge | None = None,
    *,
    seed: int,
    systems: int = 1000,
    sites: int | None = None,
    phases: int | None = None,
    most: int = 150,
    recursion: int = 16_000,
    sigma: float = 0.01,
    device: str = "cpu",
) -> dict[str, np.ndarray]:
    """The parameters, the edge ``E`` and its standard deviation ``sigma`` of systems, of so many drawn, whose edge is known to ``sigma``.

    Systems are drawn uniformly in the lattice's ranges. One short chain of each tells whether it has the edge, and levels near it; then
    come chains (of decaying hops, rings) of ``sites`` with so many ``phases``, about 2,000 levels by default, and for ``most`` of these
    exponents by a ``recursion`` of so many sites and more. An edge within a wide gap is known too badly, and left out. Exponents have a
    bias of up to 2/``recursion``, which ``sigma`` does not know of: it shows where many edges are known to less than ten times that.

    Raises ``ValueError`` where fewer than 10 systems have an edge that can be measured, and for numbers out of range.
    """
    edge = edge or Edge()
    for name, value, least in (("systems", systems, 1), ("most", most, FEWEST), ("recursion", recursion, 1000)):
        whole_number(value, name, least=least)
    random = np.random.default_rng([seed, 1])
    parameters = drawn(lattice, systems, seed=seed)
    short = 89 if lattice.decaying else 144
    sites = sites or (377 if lattice.decaying else LEVELS)
    phases = phases or -(-LEVELS // sites)
    energies, exponents = _labelled(lattice, parameters, short, LOOK.sites, device)
    promising = [number for number in range(systems) if _has_levels_near(edge, exponents[number])]
    chains = {name: np.repeat(values[promising], phases) for name, values in parameters.items()}
    chains["phi"] = random.uniform(0, 2 * np.pi, len(chains["phi"]))
    if promising:
        energies, exponents = _labelled(lattice, chains, sites, CLOSE.sites, device)
    rows = []
    for place in range(len(promising)):
        mine = slice(place * phases, (place + 1) * phases)
        order = np.argsort(energies[mine], axis=None)
        rough = exponents[mine].ravel()[order]
        if (side := edge.side(_smoothed(rough, CLOSE))) is None:
            continue
        side = side[(rough[side] > SMALLEST / 2) & (rough[side] < 1.1 * GREATEST)]
        if len(side) > most:
            side = random.choice(side, most, replace=False)
        chain, level = np.divmod(order[side], sites)
        rows += [(place, energies[mine][c, j], place * phases + c) for c, j in zip(chain, level, strict=True)]
    found = []
    if rows:
        place, energy, chain = (np.array(column) for column in zip(*rows, strict=True))
        one = {name: values[chain] for name, values in chains.items()}
        exponent = np.empty(len(energy))
        for part, length in enumerate(LENGTHS):  # systematic errors, of 1/sites, have another sign at each length
            some = {name: values[part :: len(LENGTHS)] for name, values in one.items()}
            every = slice(part, None, len(LENGTHS))
            exponent[every] = lyapunov(lattice, some, energy[every, None], sites=round(recursion * length), device=device)[:, 0]
        for number in np.unique(place):
            fitted = zero_of(energy[place == number], exponent[place == number], SPREAD / recursion, random)
            if fitted is not None and fitted[1] <= sigma:
                found.append((*(parameters[name][promising[number]] for name in lattice.ranges), *fitted))
    if len(found) < 10:
        raise ValueError(
            f"only {len(found)} of {systems} systems of {lattice.name} have a mobility edge ({edge}) that is known to {sigma:g}: "
            "draw more systems, or ask for another edge"
        )
    return dict(zip((*lattice.ranges, "E", "sigma"), np.array(found).T, strict=True))


def zero_of(energies: np.ndarray, exponents: np.ndarray, spread: float, random: np.random.Generator) -> tuple[float, float] | None:
    """The zero of gamma(E) and its standard deviation, by polynomials of two degrees which must agree; None where there is none to trust.

    ``spread`` is the standard deviation of the exponents of levels that are no surface's.
    """
    inside = (exponents > SMALLEST) & (exponents < GREATEST)
    if inside.sum() < FEWEST:
        return None
    low, high = (_consensus(energies[inside], exponents[inside], degree, spread, random) for degree in (DEGREE, DEGREE + 1))
    if low is None or high is None or abs(low[0] - high[0]) > APART * high[1]:
        return None
    return high


def _consensus(E: np.ndarray, gamma: np.ndarray, degree: int, spread: float, random: np.random.Generator) -> tuple[float, float] | None:
    """The zero and its standard deviation of the polynomial with which the most levels agree, and below which lie hardly any."""
    middle, half, near = (E.max() + E.min()) / 2, max(float(np.ptp(E)) / 2, 1e-12), 3 * spread
    matrix = chebvander((E - middle) / half, degree)
    picked = np.array([random.choice(len(E), degree + 1, replace=False) for _ in range(DRAWS)])
    solvable = np.abs(np.linalg.det(matrix[picked])) > 1e-9
    if not solvable.any():
        return None
    drawn_ones = np.linalg.solve(matrix[picked[solvable]], gamma[picked[solvable]][:, :, None])[:, :, 0]
    off = gamma - drawn_ones @ matrix.T
    best = np.where(off < -near, 3 * near, np.minimum(np.abs(off), near)).sum(1).argmin()
    use = np.abs(off[best]) < near
    for _ in range(6):
        if use.sum() < degree + 6:
            return None
        found = np.linalg.lstsq(matrix[use], gamma[use], rcond=None)[0]
        off = gamma - matrix @ found
        deviation = float(np.sqrt((off[use] ** 2).sum() / (use.sum() - degree - 1)))
        use = np.abs(off) < max(4 * deviation, 1.6 * spread)
    if use.sum() < 15 or use.mean() < SHARE or (off < -6 * deviation).mean() > BELOW or deviation > 1.6 * spread:
        return None
    line, agreeing = Chebyshev(found, domain=(middle - half, middle + half)), E[use][gamma[use].argsort()]
    first, farthest = agreeing[0], agreeing[-1]
    roots = np.asarray(line.roots())
    roots = roots[np.abs(roots.imag) < 1e-9].real
    roots = roots[(roots - first) * (first - farthest) > -1e-3 * abs(first - farthest)]
    if not len(roots):
        return None
    zero = float(roots[np.abs(roots - first).argmin()])
    slopes = line.deriv()(np.linspace(zero, farthest, 40))
    if (np.sign(slopes) != np.sign(slopes[0])).any() or abs(zero - agreeing[4]) > BEYOND * abs(farthest - agreeing[4]):
        return None
    next_to_it = agreeing[: max(5, len(agreeing) // 4)]
    if use[(next_to_it.min() <= E) & (next_to_it.max() >= E)].mean() < PURE:
        return None
    row = chebvander(np.array([(zero - middle) / half]), degree)[0]
    variance = float(row @ np.linalg.pinv(matrix[use].T @ matrix[use]) @ row) * deviation**2
    return zero, float(np.sqrt(variance)) / abs(float(slopes[0]))


def _labelled(lattice: Lattice, systems: Columns, sites: int, recursion: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    energies = levels(lattice, systems, sites=sites, ring=lattice.decaying)
    return energies, lyapunov(lattice, systems, energies, sites=recursion, device=device)


def _has_levels_near(edge: Edge, exponents: np.ndarray) -> bool:
    side = edge.side(_smoothed(exponents, LOOK))
    return side is not None and int(((exponents[side] > 0.012) & (exponents[side] < 0.06)).sum()) >= 3


def _smoothed(exponents: np.ndarray, look: Look) -> np.ndarray:
    """Whether most of the levels around each are localized."""
    padded = np.pad((exponents > look.level).astype(float), look.smooth // 2, mode="edge")
    return np.convolve(padded, np.ones(look.smooth) / look.smooth, "valid") > 0.5
