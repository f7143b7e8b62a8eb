"""Quasiperiodic chains whose states are extended or localized, with mobility edges that are known exactly.

    E psi_n = sum_m t_nm psi_m + V_n psi_n,        V_n a function of cos(2 pi b n + phi),    b = (1 + sqrt 5)/2

with hops of 1 to the neighbours, or, in the modified Aubry-Andre model, of exp(-p (|n - m| - 1)) to all sites. Parameters are columns (S,)
by name, one entry for a system; energies are (S, M). Sources: mosaic, Wang et al., Phys. Rev. Lett. 125, 196604 (2020); generalized (GAAM),
Ganeshan, Pixley, Das Sarma, Phys. Rev. Lett. 114, 146601 (2015); modified (MAAM), Biddle, Das Sarma, Phys. Rev. Lett. 104, 070601 (2010).

>>> systems = drawn(MOSAIC, 3, seed=0)
>>> energies, states = spectra(MOSAIC, systems, sites=89)
>>> energies.shape, states.shape
((3, 89), (3, 89, 89))
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import seed_number, whole_number

GOLDEN = (1 + math.sqrt(5)) / 2
FEWEST = 21  # sites of a chain: fewer do not tell localized from extended
APART = 0.2  # fractal dimensions of localized and extended states, in the mean, at least
LARGEST = 1e140  # |r| in the recursion, and 1/|r|
ELSEWHERE = 30_001  # first site of the recursion
BLOCK = 512  # sites whose potential is held at once

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Lattice:
    """A chain: its ``potential`` (cosines (S, N), sites (N,), parameters (S, 1)) -> (S, N), and where its states localize.

    ``ranges`` are those of the parameters that systems are drawn from; ``edge`` (E, parameters) is 0 at the mobility edge and positive
    where states are localized, and ``formula`` the same as text. ``decaying`` hops go to all sites, with the parameter p. With a ``period``
    the potential is on every period-th site only.
    """

    name: str
    potential: Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]
    ranges: Mapping[str, tuple[float, float]]
    edge: Callable[[np.ndarray, Columns], np.ndarray]
    formula: str
    decaying: bool = False
    period: int = 1

    def __repr__(self) -> str:
        return f"Lattice({self.name!r}: localized where {self.formula} > 0)"


def mosaic(kappa: int) -> Lattice:
    """V = lam cos on every kappa-th site, 0 on the others; the edges of kappa = 2 and 3 are known in closed form."""
    if kappa not in (2, 3):
        raise ValueError(f"the mosaic chain is here for kappa = 2 and 3, got {kappa!r}")
    edge = (lambda E, of: of["lam"] * np.abs(E) - 2) if kappa == 2 else (lambda E, of: of["lam"] * np.abs(E**2 - 1) - 2)
    return Lattice(
        f"mosaic{kappa}",
        lambda cosines, sites, of: torch.where(sites % kappa == 0, of["lam"] * cosines, 0.0),
        {"lam": (0.1, 4.0)},
        edge,
        "lam*abs(E) - 2" if kappa == 2 else "lam*abs(E**2 - 1) - 2",
        period=kappa,
    )


MOSAIC = mosaic(2)
MOSAIC3 = mosaic(3)
GAAM = Lattice(
    "gaam",
    lambda cosines, sites, of: 2 * of["lam"] * cosines / (1 - of["alpha"] * cosines),
    {"lam": (0.0, 2.0), "alpha": (-0.9, 0.9)},
    lambda E, of: np.abs(of["alpha"] * E + 2 * of["lam"]) - 2,
    "abs(alpha*E + 2*lam) - 2",
)
MAAM = Lattice(
    "maam",
    lambda cosines, sites, of: of["lam"] * cosines,
    {"lam": (0.5, 4.0), "p": (0.5, 3.0)},
    lambda E, of: of["lam"] * np.cosh(of["p"]) - E - np.exp(of["p"]),
    "lam*cosh(p) - E - exp(p)",
    decaying=True,
)


def drawn(lattice: Lattice, count: int, *, seed: int) -> dict[str, np.ndarray]:
    """Parameters of ``count`` systems, uniform in the ranges, and their phases phi: (count,) each."""
    _check_lattice(lattice)
    random = np.random.default_rng(seed_number(seed, "seed"))
    whole_number(count, "systems")
    found = {name: random.uniform(low, high, count) for name, (low, high) in lattice.ranges.items()}
    return found | {"phi": random.uniform(0, 2 * math.pi, count)}


def potentials(lattice: Lattice, systems: Columns, sites: int, *, first: int = 1, device: str = "cpu") -> Tensor:
    """V_n of every system at the sites ``first``, ``first`` + 1, ...: (S, sites)."""
    n = torch.arange(first, first + sites, dtype=torch.float64, device=device)
    return _at(lattice, systems, n, GOLDEN * n)


def _at(lattice: Lattice, systems: Columns, n: Tensor, turns: Tensor) -> Tensor:
    """V at the sites n, where b n is ``turns``."""
    _check(lattice, systems)
    of = {name: torch.as_tensor(np.asarray(values, dtype=float), device=n.device)[:, None] for name, values in systems.items()}
    return lattice.potential((2 * math.pi * turns + of["phi"]).cos(), n, of)


def hamiltonians(lattice: Lattice, systems: Columns, sites: int, *, ring: bool = False) -> np.ndarray:
    """The matrices of all systems: (S, sites, sites), with open ends, or of a ``ring``, which has no surface.

    Around a ring b is the ratio of the two Fibonacci numbers before and at ``sites``, or at sites/kappa for a mosaic, which it differs
    from by about 1/sites^2 (and by whole turns); ``ValueError`` for other numbers of sites.
    """
    if ring:
        before, whole = _fibonacci(lattice, sites)
        n = torch.arange(1, sites + 1)
        diagonal = _at(lattice, systems, n.double(), (before * n % whole).double() / whole).numpy()
    else:
        diagonal = potentials(lattice, systems, sites).numpy()
    apart = np.abs(np.arange(sites)[:, None] - np.arange(sites)[None])
    apart = np.minimum(apart, sites - apart) if ring else apart
    hops = np.exp(-np.asarray(systems["p"], dtype=float)[:, None, None] * (apart - 1)) if lattice.decaying else apart == 1
    found = np.where(apart == 0, 0.0, hops) * np.ones((len(diagonal), 1, 1))
    found[:, np.arange(sites), np.arange(sites)] = diagonal
    return found


def _fibonacci(lattice: Lattice, sites: int) -> tuple[int, int]:
    """Two neighbouring Fibonacci numbers, of which a ring of ``sites`` has the second, or that times the lattice's period."""
    before, whole, known = 8, 13, []
    while whole <= sites:
        before, whole = whole, before + whole
        length = math.lcm(whole, lattice.period)
        if length == sites:
            return before, whole
        known.append(length)
    near = ", ".join(str(each) for each in sorted({*known, math.lcm(whole, lattice.period)})[-4:])
    raise ValueError(f"a ring of {lattice.name} has a Fibonacci number of sites, or a multiple for its period, {near} say; got {sites}")


def levels(lattice: Lattice, systems: Columns, *, sites: int, ring: bool = False) -> np.ndarray:
    """Energies of all systems, in order: (S, sites), of chains or of rings as those of :func:`hamiltonians`.

    Raises ``ValueError`` for fewer than 21 sites, for missing parameters, and for a ring of another number of sites than those.
    """
    _check_sites(sites)
    if ring:
        parts = ({name: np.asarray(each)[k : k + 1] for name, each in systems.items()} for k in range(len(systems["phi"])))
        return np.concatenate([np.linalg.eigvalsh(hamiltonians(lattice, part, sites, ring=True)) for part in parts])
    if lattice.decaying:
        return np.linalg.eigvalsh(hamiltonians(lattice, systems, sites))
    from scipy.linalg import eigh_tridiagonal

    diagonals, off = potentials(lattice, systems, sites).numpy(), np.ones(sites - 1)
    return np.stack([eigh_tridiagonal(diagonal, off, eigvals_only=True) for diagonal in diagonals])


def spectra(lattice: Lattice, systems: Columns, *, sites: int) -> tuple[np.ndarray, np.ndarray]:
    """Energies (S, sites), in order, and the states as columns (S, sites, sites); errors as those of :func:`levels`."""
    _check_sites(sites)
    if lattice.decaying:
        energies, states = np.linalg.eigh(hamiltonians(lattice, systems, sites))
        return energies, states
    from scipy.linalg import eigh_tridiagonal

    diagonals, off = potentials(lattice, systems, sites).numpy(), np.ones(sites - 1)
    pairs = [eigh_tridiagonal(diagonal, off) for diagonal in diagonals]
    return np.stack([energies for energies, _ in pairs]), np.stack([states for _, states in pairs])


def participation(states: np.ndarray) -> np.ndarray:
    """The inverse participation ratio sum |psi|^4 / (sum |psi|^2)^2 of states that are columns, (..., N, M): (..., M)."""
    weights = np.abs(states) ** 2
    return (weights**2).sum(-2) / weights.sum(-2) ** 2


def fractal_dimension(states: np.ndarray) -> np.ndarray:
    """D = -log IPR / log N: 0 for a state on one site, 1 for one that is everywhere alike."""
    return -np.log(participation(states)) / math.log(states.shape[-2])


def threshold(values: np.ndarray) -> float:
    """The value between two groups of ``values``, any shape, that leaves the least variance within them (Otsu, 1979).

    Raises ``ValueError`` where they are one group rather than two, which explain little more of the variance than of what is uniform
    (3/4), as of a chain whose states are all extended, or one too short to tell.
    """
    flat = np.sort(np.asarray(values, dtype=float).ravel())
    if len(flat) < 10 or not np.isfinite(flat).all():
        raise ValueError(f"a threshold needs at least 10 finite values, got {len(flat)} of which {np.isfinite(flat).sum()} are finite")
    left, total = np.cumsum(flat)[:-1], flat.sum()
    count = np.arange(1, len(flat))
    between = (left / count - (total - left) / (len(flat) - count)) ** 2 * count * (len(flat) - count) / len(flat) ** 2
    best = int(between.argmax())
    if not between[best] > 0.78 * flat.var():
        share = between[best] / flat.var() if flat.var() else 0.0
        raise ValueError(
            f"the values, from {flat[0]:.3g} to {flat[-1]:.3g}, are one group rather than two: the best threshold explains {share:.2f} "
            "of their variance. Take longer chains, or systems of which some states are localized and others not"
        )
    return float(flat[best] + flat[best + 1]) / 2


def labelled(lattice: Lattice, *, seed: int, systems: int, sites: int = 233, each: int = 20) -> dict[str, np.ndarray]:
    """States of random systems, ``each`` so many of a chain, as columns: the parameters, ``E``, the ``fractal_dimension``, whether it is
    below the :func:`threshold` of all (``localized``, 1 or 0), and the number of the ``system``.

    Raises ``ValueError`` as :func:`spectra` and :func:`threshold` do, for numbers out of range, and where the two groups are hardly apart,
    as of chains whose states are all extended.
    """
    _check_sites(sites)
    if whole_number(each, "each") > sites:
        raise ValueError(f"a chain of {sites} sites has as many states, each={each} were asked for")
    of, random = drawn(lattice, systems, seed=seed), np.random.default_rng([seed, 2])
    energies, dimensions = np.empty((2, systems, sites))
    for first in range(0, systems, 100):  # whose states are held at once
        part = slice(first, first + 100)
        energies[part], states = spectra(lattice, {name: values[part] for name, values in of.items()}, sites=sites)
        dimensions[part] = fractal_dimension(states)
    border = threshold(dimensions)
    low, high = dimensions[dimensions < border].mean(), dimensions[dimensions >= border].mean()
    if high - low < APART:
        raise ValueError(
            f"the states of {lattice.name} are of one kind: the best threshold parts fractal dimensions of {low:.2f} and {high:.2f} in the "
            "mean. Take ranges of the parameters in which some states are localized and others not"
        )
    some = np.argsort(random.random(energies.shape), 1)[:, :each]
    kept = {"E": energies, "fractal_dimension": dimensions, "localized": (dimensions < border).astype(int)}
    kept["system"] = np.arange(systems)[:, None] * np.ones(sites, dtype=int)
    kept = {name: np.take_along_axis(values, some, 1).ravel() for name, values in kept.items()}
    return {name: np.repeat(of[name], some.shape[1]) for name in lattice.ranges} | kept


@torch.no_grad()
def lyapunov(
    lattice: Lattice, systems: Columns, energies: np.ndarray, *, sites: int = 4000, device: str = "cpu", batch: int = 2**20
) -> np.ndarray:
    """The Lyapunov exponent, the inverse localization length, of states at ``energies`` (S, M), by the recursion along a chain: (S, M).

    With psi_{n+1} = a_n psi_n - psi_{n-1} and r_n = psi_n/psi_{n-1}, r_{n+1} = a_n - 1/r_n, the exponent is the mean growth of
    (psi_n, psi_{n-1}), half the logarithm of ((a_n r_n - 1)^2 + r_n^2)/(1 + r_n^2); for hops to neighbours a_n = E - V_n. The matrix
    exp(-p |n - m|) has a tridiagonal inverse, so that with decaying hops the same holds for sum_m exp(-p |n - m|) psi_m,
    a_n = 2 cosh p - 2 sinh p e^p / (E + e^p - V_n). Only elementwise operations on (S, M), ``sites`` times: enough for a GPU.

    The mean has the weights exp(-1/(t (1 - t))), t = n/sites, with which averages of smooth functions along a quasiperiodic chain
    converge faster than any power (Das, Saiki, Sander, Yorke, Nonlinearity 30, 2017, 4111): extended states in the spectrum come out at
    1e-8 and below. For localized ones, next to whose energy every chain has a level, the standard deviation is about 3/sites. The chain
    begins at another site than those of :func:`spectra`: along its own chain, the recursion would be the state itself, which decays beyond
    its middle, and lose 25/sites. What is left of that, a bias of 1/sites, goes where ``phi`` is not that of the chain with the levels.

    Raises ``ValueError`` for energies that are not (S, M), and for missing parameters.
    """
    _check(lattice, systems)
    count = len(systems["phi"])
    if energies.ndim != 2 or len(energies) != count:
        raise ValueError(f"energies must be (systems, states), here ({count}, M), got {energies.shape}")
    found = np.empty(energies.shape)
    part = max(1, batch // max(1, energies.shape[1]))
    for first in range(0, count, part):
        some = slice(first, first + part)
        given = {name: np.asarray(each)[some] for name, each in systems.items()}
        found[some] = _exponents(lattice, given, torch.as_tensor(energies[some], device=device), sites).cpu().numpy()
    return found


def _exponents(lattice: Lattice, systems: Columns, energies: Tensor, sites: int) -> Tensor:
    total, r = torch.zeros_like(energies), torch.ones_like(energies)
    diagonal, weight = 0.0, None
    if lattice.decaying:
        p = torch.as_tensor(systems["p"], device=energies.device)[:, None]
        diagonal, weight, energies = 2 * p.cosh(), 2 * p.sinh() * p.exp(), energies + p.exp()
    t = (torch.arange(sites, dtype=torch.float64) + 0.5) / sites
    bump = (-1 / (t * (1 - t))).exp()
    shares = (bump / bump.sum() / 2).tolist()
    for start in range(0, sites, BLOCK):
        values = potentials(lattice, systems, min(BLOCK, sites - start), first=ELSEWHERE + start, device=str(energies.device))
        for value, share in zip(values.T, shares[start:], strict=False):
            apart = energies - value[:, None]
            a = apart if weight is None else diagonal - weight / apart
            total += share * (((a * r - 1) ** 2 + r**2) / (1 + r**2)).log()
            r = (a - 1 / r).clamp(-LARGEST, LARGEST)
            r = torch.where(r.abs() < 1 / LARGEST, 1 / LARGEST, r)
    return total


def localized(lattice: Lattice, systems: Columns, energies: np.ndarray) -> np.ndarray:
    """What the exact mobility edge says of states at ``energies`` (S, M): True for localized, (S, M)."""
    return lattice.edge(energies, {name: np.asarray(systems[name])[:, None] for name in lattice.ranges}) > 0


def _check_sites(sites: int) -> None:
    if whole_number(sites, "sites") < FEWEST:
        raise ValueError(f"a chain of {sites} sites does not tell localized states from extended ones: take {FEWEST} or more, 377 say")


def _check_lattice(lattice: object) -> None:
    if not isinstance(lattice, Lattice):
        raise TypeError(f"a lattice is MOSAIC, MOSAIC3, GAAM, MAAM, or another Lattice(...), got {lattice!r:.60}")


def _check(lattice: Lattice, systems: Columns) -> None:
    _check_lattice(lattice)
    missing = [name for name in (*lattice.ranges, "phi") if name not in systems]
    if missing:
        raise ValueError(f"systems of {lattice.name} need {', '.join((*lattice.ranges, 'phi'))} by name, {', '.join(missing)} is missing")
    counts = {name: np.shape(values) for name, values in systems.items()}
    if len(set(counts.values())) != 1 or len(next(iter(counts.values()))) != 1:
        raise ValueError(f"parameters are columns of one length, an entry for each system, got {counts}")
