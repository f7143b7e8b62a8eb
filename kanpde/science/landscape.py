"""The localization landscape: one equation that says where the states of a random potential live, and at which energies.

    -laplacian(u) + V u = 1  in (0, L)^d,   u = 0 on the boundary,   V >= 0

Every state (-laplacian + V) psi = E psi lies below it, |psi(x)| <= E max|psi| u(x) (Filoche, Mayboroda, PNAS 109, 2012, 14761), so that
the valleys of u part the places where states live; 1/u acts as a potential, and the j-th of its minima foretells the j-th level,
E_j ~ (1 + d/4) min 1/u (Arnold, David, Jerison, Mayboroda, Filoche, Phys. Rev. Lett. 116, 2016, 056602; SIAM J. Sci. Comput. 41, 2019,
B69). Whatever solved the equation, its u on a grid is compared here with states from :mod:`kanpde.science.potentials`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from kanpde.science.potentials import Potential, spectrum


@dataclass(frozen=True)
class Wells:
    """The minima of 1/u: their places (n, d) and values (n,), the lowest first, and to which of them every point of the grid belongs."""

    places: np.ndarray
    minima: np.ndarray
    basins: np.ndarray

    @property
    def estimates(self) -> np.ndarray:
        """What they say of the levels, (1 + d/4) min 1/u: (n,)."""
        return (1 + self.places.shape[1] / 4) * self.minima


def wells(u: np.ndarray, axes: Sequence[np.ndarray], *, periodic: bool = False) -> Wells:
    """The wells of 1/u for u (n_1, ..., n_d) on a grid, ends included, the values refined by a parabola along each axis.

    A point belongs to the well to which the steepest way upwards in u leads from it: basins meet in the valley lines.
    Raises ``ValueError`` if there is no maximum of u inside the grid, or u is not positive there.
    """
    d = u.ndim
    core = (slice(None, -1) if periodic else slice(1, -1),) * d
    if not (u[core].size and np.isfinite(u).all() and u[core].min() > 0):
        raise ValueError("a landscape is positive inside its box, and this u is not: is V >= 0, and was the equation solved?")
    u = u[core] if periodic else u
    shape, numbers = u.shape, np.arange(u.size).reshape(u.shape)
    around, leads_to = (np.pad(each, 1, "wrap" if periodic else "edge") for each in (u, numbers))
    best, leads = np.zeros(shape), numbers
    for offset in product((0, 1, 2), repeat=d):
        there = tuple(slice(start, start + n) for start, n in zip(offset, shape, strict=True))
        rise = (around[there] - u) / (np.linalg.norm(np.subtract(offset, 1)) or 1.0)
        leads, best = np.where(rise > best, leads_to[there], leads), np.maximum(best, rise)
    flat = leads.ravel()
    while not np.array_equal(flat, further := flat[flat]):
        flat = further
    peaks = np.unique(flat)
    index = np.stack(np.unravel_index(peaks, shape), 1)
    inside = np.ones(len(peaks), bool) if periodic else ((index > 0) & (index < np.array(shape) - 1)).all(1)
    if not inside.any() or np.ptp(u) <= 1e-9 * np.abs(u).max():
        raise ValueError("1/u has no well inside the box: the grid is too coarse, or u is no landscape")
    peaks, index = peaks[inside], index[inside]
    values, places = u.ravel()[peaks].copy(), np.stack([axis[i] for axis, i in zip(axes, index.T, strict=True)], 1).astype(float)
    for number, axis in enumerate(axes):
        before, at, after = (around[tuple((index + 1 + step * np.eye(d, dtype=int)[number]).T)] for step in (-1, 0, 1))
        bend, slope = before - 2 * at + after, (after - before) / 2
        shift = np.where(bend < 0, -slope / np.where(bend < 0, bend, -1.0), 0.0)
        values, places[:, number] = values + slope * shift / 2, places[:, number] + shift * (axis[1] - axis[0])
    order = np.argsort(-values)
    rank = np.full(u.size, -1)
    rank[peaks[order]] = np.arange(len(peaks))
    basins = rank[flat].reshape(shape)
    return Wells(places[order], 1 / values[order], np.pad(basins, (0, 1), "wrap") if periodic else basins)


def homes(found: Wells, states: Sequence[np.ndarray]) -> np.ndarray:
    """The number of the well in whose basin each state, on the same grid, is largest: (M,)."""
    return np.array([found.basins.ravel()[np.argmax(np.abs(state))] for state in states])


def fullness(u: np.ndarray, energies: np.ndarray, states: Sequence[np.ndarray]) -> np.ndarray:
    """How much of the room below the landscape each state takes, max over the grid's inner points of |psi| / (E max|psi| u): (M,).

    The theorem says at most 1.
    """
    core = (slice(1, -1),) * u.ndim
    return np.array([float((np.abs(s[core]) / (E * np.abs(s).max() * u[core])).max()) for E, s in zip(energies, states, strict=True)])


@dataclass(frozen=True)
class Study:
    """What a landscape u on a grid says of the lowest states of its potential, beside these states themselves.

    ``levels`` (M,), ``states`` on the grid (M, ...), ``wells``, ``homes`` (M,) and ``fullness`` (M,).
    """

    levels: np.ndarray
    states: np.ndarray
    wells: Wells
    homes: np.ndarray
    fullness: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Of the estimates of the levels in order, relative: (M,)."""
        return self.wells.estimates[: len(self.levels)] / self.levels - 1

    @property
    def first(self) -> np.ndarray:
        """Of every state, whether it is the lowest in its well: (M,)."""
        return np.array([home not in self.homes[:k] for k, home in enumerate(self.homes)])

    @property
    def own_errors(self) -> np.ndarray:
        """The same for the lowest state of each well, of the estimate from that very well."""
        return self.wells.estimates[self.homes[self.first]] / self.levels[self.first] - 1


def study(V: Potential, u: np.ndarray, axes: Sequence[np.ndarray], *, count: int) -> Study:
    """Compare a landscape ``u`` on a grid with the lowest ``count`` states of its potential.

    Raises ``ValueError`` for fewer wells than states are asked for.
    """
    found = wells(u, axes, periodic=V.periodic)
    if len(found.minima) < count:
        raise ValueError(f"1/u has {len(found.minima)} wells, which say nothing of {count} levels: ask for fewer, or a larger box")
    levels, states = spectrum(V, count)
    on_grid = np.stack([state.grid(axes[0]) for state in states])
    return Study(levels, on_grid, found, homes(found, list(on_grid)), fullness(u, levels, list(on_grid)))


def summary(found: Sequence[Study]) -> dict[str, str]:
    """Of several systems, in words: the number of wells; of how many states the theorem fails, and how full the fullest is; the relative
    errors of the estimates, median and worst, of levels in order, and of those of the well in which the state is the lowest.
    """
    full = np.concatenate([each.fullness for each in found])
    errors = [np.abs(np.concatenate(each)) for each in ([one.errors for one in found], [one.own_errors for one in found])]
    by_order, own = (f"{100 * np.median(each):.1f} % ({100 * each.max():.0f} %)" for each in errors)
    return {
        "wells": " ".join(str(len(each.wells.minima)) for each in found),
        "states above": f"{(full > 1).sum()} of {len(full)}",
        "fullest": f"{full.max():.3f}",
        "levels in order": by_order,
        "in their wells": own,
    }
