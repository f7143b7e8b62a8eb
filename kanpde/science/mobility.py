"""Mobility edges of quasiperiodic chains, measured: the energy, system by system, at which the Lyapunov exponent goes to zero.

On the localized side of an edge the exponent gamma of the levels is a smooth function of their energy, and the energy one of gamma, of
which polynomials converge faster: for hops to neighbours it is made of e^gamma and e^-gamma. A few levels lie in gaps of the spectrum
(those of the surface; on a ring, where b is not quite the golden mean, others), and have greater exponents than that function has there,
never smaller ones. So of each system (one set of parameters) a polynomial E(gamma) is laid through as many levels as agree with it to the
accuracy of gamma, with hardly any below; E(0) is the edge, with the standard deviation of the fit. Errors of different systems have
nothing in common, as a search for a law wants it.

>>> from kanpde.science.lattices import MOSAIC
>>> found = edge_points(MOSAIC, seed=0, systems=100)
>>> bool((abs(found["E"] - 2 / found["lam"]) < 5 * found["sigma"]).mean() > 0.9)
True
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.polynomial import Chebyshev

from kanpde.arguments import real_number, seed_number, whole_number
from kanpde.science.lattices import Columns, Lattice, drawn, levels, lyapunov

SMALLEST, GREATEST = 0.006, 0.2  # exponents that the polynomial is laid through: below, extended levels in small gaps are among them
SPREAD = 3.0  # standard deviation of the exponent of a localized level, in 1/sites of the recursion
FEWEST = 20  # levels of a system
SHORTEST = 55  # chain of a system
LEVELS = 1860  # of the chains of a system
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

    def __post_init__(self) -> None:
        whole_number(self.number, "Edge(number=...)", least=0)

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
    recursion: int = 20_000,
    sigma: float = 0.01,
    device: str = "cpu",
) -> dict[str, np.ndarray]:
    """The parameters, the edge ``E`` and its standard deviation ``sigma`` of systems, of so many drawn, whose edge is known to ``sigma``.

    Systems are drawn uniformly in the lattice's ranges. One short chain of each tells whether it has the edge, and levels near it; then
    come chains (of decaying hops, rings) of ``sites`` with so many ``phases``, about 2,000 levels by default, and for ``most`` of these
    exponents by a ``recursion`` of so many sites, each along a chain of a phase of its own: along the chain that has the level, what the
    recursion meets is not independent of the energy, and its exponents are 1/``recursion`` too great. An edge within a wide gap is known
    too badly, and left out.

    Raises ``ValueError`` where fewer than 10 systems have an edge that can be measured, and for numbers out of range; ``TypeError`` for
    what is no lattice or edge.
    """
    edge = Edge() if edge is None else edge
    if not isinstance(edge, Edge):
        raise TypeError(f"which edge is Edge(rising=..., number=...), got {edge!r:.60}")
    for name, value, least in (("most", most, FEWEST), ("recursion", recursion, 1000)):
        whole_number(value, name, least=least)
    real_number(sigma, "sigma", above=0)
    random = np.random.default_rng([seed_number(seed, "seed"), 1])
    parameters = drawn(lattice, systems, seed=seed)
    sites = (377 if lattice.decaying else LEVELS) if sites is None else whole_number(sites, "sites", least=SHORTEST)
    phases = -(-LEVELS // sites) if phases is None else whole_number(phases, "phases")
    _, exponents = _labelled(lattice, parameters, 89 if lattice.decaying else 144, LOOK.sites, device)
    promising = [number for number in range(systems) if _has_levels_near(edge, exponents[number])]
    found = []
    if promising:
        chains = {name: np.repeat(values[promising], phases) for name, values in parameters.items()}
        chains["phi"] = random.uniform(0, 2 * np.pi, len(chains["phi"]))
        energies, rough = (each.reshape(len(promising), -1) for each in _labelled(lattice, chains, sites, CLOSE.sites, device))
        near = [_levels_near(edge, *each, most, random) for each in zip(energies, rough, strict=True)]
        owner, energy = np.repeat(promising, [len(each) for each in near]), np.concatenate(near)
        one = {name: values[owner] for name, values in parameters.items()} | {"phi": random.uniform(0, 2 * np.pi, len(owner))}
        exponent = lyapunov(lattice, one, energy[:, None], sites=recursion, device=device)[:, 0]
        for number in np.unique(owner):
            fitted = zero_of(energy[owner == number], exponent[owner == number], SPREAD / recursion, random)
            if fitted is not None and fitted[1] <= sigma:
                found.append((*(parameters[name][number] for name in lattice.ranges), *fitted))
    if len(found) < 10:
        raise ValueError(
            f"only {len(found)} of {systems} systems of {lattice.name} have a mobility edge ({edge}) that is known to {sigma:g}: "
            "draw more systems, or ask for another edge"
        )
    return dict(zip((*lattice.ranges, "E", "sigma"), np.array(found).T, strict=True))


def _levels_near(edge: Edge, energies: np.ndarray, rough: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """Of the energies of a system, with their rough exponents, at most so many on the localized side, small exponents among them."""
    order = np.argsort(energies)
    energies, rough = energies[order], rough[order]
    if (side := edge.side(_smoothed(rough, CLOSE))) is None:
        return energies[:0]
    side = side[(rough[side] > SMALLEST / 2) & (rough[side] < 1.1 * GREATEST)]
    return energies[random.choice(side, most, replace=False) if len(side) > most else side]


def zero_of(energies: np.ndarray, exponents: np.ndarray, spread: float, random: np.random.Generator) -> tuple[float, float] | None:
    """The energy where gamma(E) is zero and its standard deviation, by polynomials of two degrees which must agree; None if not to trust.

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
    """E(0) and its standard deviation, of the polynomial E(gamma) with which the most levels agree, and below which lie hardly any."""
    matrix, slopes, near = *_powers(gamma, degree), 3 * spread
    everywhere = _powers(np.linspace(0, GREATEST, 40), degree)[1]
    picked = np.array([random.choice(len(E), degree + 1, replace=False) for _ in range(DRAWS)])
    solvable = np.abs(np.linalg.det(matrix[picked])) > 1e-9
    if not solvable.any():
        return None
    tried = np.linalg.solve(matrix[picked[solvable]], E[picked[solvable]][:, :, None])[:, :, 0]
    tried = tried[np.abs(np.sign(tried @ everywhere.T).sum(1)) == len(everywhere)]
    if not len(tried):
        return None
    off = (tried @ matrix.T - E) / (tried @ slopes.T)
    best = np.where(off < -near, 3 * near, np.minimum(np.abs(off), near)).sum(1).argmin()
    found, use = tried[best], np.abs(off[best]) < near
    for _ in range(6):
        if use.sum() < degree + 6:
            return None
        slope = slopes @ found
        weighted = matrix[use] / slope[use, None]
        found = np.linalg.lstsq(weighted, E[use] / slope[use], rcond=None)[0]
        off = (matrix @ found - E) / (slopes @ found)
        deviation = float(np.sqrt((off[use] ** 2).sum() / (use.sum() - degree - 1)))
        use = np.abs(off) < max(4 * deviation, 1.6 * spread)
    if use.sum() < 15 or use.mean() < SHARE or (off < -6 * deviation).mean() > BELOW or deviation > 1.6 * spread:
        return None
    agreeing = np.sort(gamma[use])
    if np.abs(np.sign(everywhere @ found).sum()) < len(everywhere) or agreeing[4] > BEYOND * (agreeing[-1] - agreeing[4]):
        return None
    next_to_it = E[use][gamma[use].argsort()][: max(5, len(agreeing) // 4)]
    if use[(next_to_it.min() <= E) & (next_to_it.max() >= E)].mean() < PURE:
        return None
    row = _powers(np.zeros(1), degree)[0][0]
    return float(row @ found), float(np.sqrt(row @ np.linalg.pinv(weighted.T @ weighted) @ row)) * deviation


def _powers(gamma: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Of exponents up to ``GREATEST`` the Chebyshev polynomials and their derivatives: (n, degree + 1) each."""
    each = [Chebyshev.basis(k, domain=(0, GREATEST)) for k in range(degree + 1)]
    return np.stack([one(gamma) for one in each], 1), np.stack([one.deriv()(gamma) for one in each], 1)


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
