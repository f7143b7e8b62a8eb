"""Random potentials, and their localization landscapes and states by spectral elements.

    -laplacian(u) + V u = 1,    -laplacian(psi) + V psi = E psi   in (0, L)^d,   V >= 0,   u = psi = 0 on the boundary, or both periodic

The elements have Lobatto's nodes, and the equations are Galerkin's: this has nothing in common with a network.

>>> V = blocks(1, count=8, height=100.0, seed=0)
>>> u, (energies, states) = landscape(V), spectrum(V, 2)
>>> bool((np.abs(states[0](V.axis(99))) <= energies[0] * states[0].largest * u(V.axis(99)) + 1e-9).all())
True
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import numpy as np
from numpy.polynomial import legendre

from kanpde.functions import Given

CHUNK = 4096  # points that are interpolated at once
INSIDE = 1e-9  # of an element: at its ends, a potential that jumps has the value inside
GRADING, LAYERS = 0.3, 2  # of elements at corners


class Potential(Given):
    """V >= 0 on (0, L)^d, a function of arrays: smooth between ``edges`` 0 = e_0 < ... < e_n = L along every coordinate, where it ``jumps``
    or not. If it is ``periodic``, u and the states are too, instead of 0 on the boundary.

    Raises ``ValueError`` where V is negative or not finite on a grid, for then u need not be positive.
    """

    def __init__(
        self,
        values: Callable[..., Any],
        *,
        dimensions: int,
        edges: Sequence[float] | np.ndarray,
        jumps: bool = False,
        periodic: bool = False,
    ) -> None:
        super().__init__("V", values)
        if dimensions not in (1, 2):
            raise ValueError(f"landscapes are computed here in one and two dimensions, got dimensions={dimensions!r}")
        self.dimensions, self.edges, self.jumps, self.periodic = dimensions, np.asarray(edges, dtype=float), jumps, periodic
        if not (len(self.edges) > 1 and np.isfinite(self.edges).all() and self.edges[0] == 0 and (np.diff(self.edges) > 0).all()):
            raise ValueError(f"the edges of a potential must rise from 0 to the length of its box, got {edges!r}")
        found = self(*np.meshgrid(*[self.axis(1001 if dimensions == 1 else 65)] * dimensions, indexing="ij"))
        if not (np.isfinite(found).all() and found.min() >= 0):
            bad = f"{found.min():.3g}" if np.isfinite(found).all() else "values that are not finite"
            raise ValueError(f"the landscape needs a potential V >= 0, so that u > 0, and this one has {bad}: add a constant to it, "
                             "which shifts all levels alike")  # fmt: skip

    @property
    def length(self) -> float:
        """L."""
        return float(self.edges[-1])

    def axis(self, points: int) -> np.ndarray:
        """Equally spaced points of a side, ends included."""
        return np.linspace(0, self.length, points)

    def breaks(self, degree: int, *, layers: int = 0) -> tuple[float, ...]:
        """Breaks of :class:`~kanpde.bases.BSpline` of a degree on [-1, 1] for u, of which the second derivative jumps where V jumps.

        In two dimensions, ``layers`` more of them gather at corners, as in :func:`landscape`.
        """
        inner = np.repeat(self.edges[1:-1], degree - 1 if self.jumps else 1)
        found = np.concatenate([self.edges[[0, -1]], inner, np.setdiff1d(_graded(self, layers), self.edges)])
        return tuple((2 * np.sort(found) / self.length - 1).tolist())


def speckle(
    dimensions: int, *, length: float, height: float, cut: float = 1.0, seed: int = 0, periodic: bool = False, waves: int = 60
) -> Potential:
    """The intensity of laser light behind a rough glass, in which cold atoms localize: V = height |sum_j a_j exp(i k_j x)|^2.

    The ``waves`` have random complex amplitudes, sum |a_j|^2 = 1 in the mean, and k_j uniform in the ball |k| < pi/``cut``, so that V is
    smooth, with values that are exponentially distributed about ``height`` and grains of the size ``cut``. If ``periodic``, the waves are
    all those in the ball that are. Source: Goodman, Speckle Phenomena in Optics; Billy et al., Nature 453 (2008) 891.
    """
    for name, value in (("length", length), ("height", height), ("cut", cut)):
        _check_positive(name, value)
    random = np.random.default_rng((seed, dimensions))
    if periodic:
        whole = np.arange(-int(length / cut), int(length / cut) + 1) * (2 * np.pi / length)
        k = np.stack([each.ravel() for each in np.meshgrid(*[whole] * dimensions, indexing="ij")], 1)
        k = k[np.linalg.norm(k, axis=1) < np.pi / cut]
    else:
        k = random.standard_normal((waves, dimensions))
        k *= np.pi / cut * random.uniform(size=(waves, 1)) ** (1 / dimensions) / np.linalg.norm(k, axis=1, keepdims=True)
    a = (random.standard_normal(len(k)) + 1j * random.standard_normal(len(k))) / np.sqrt(2 * len(k))

    def values(*x: np.ndarray) -> np.ndarray:
        phases = sum(np.multiply.outer(each, along) for each, along in zip(x, k.T, strict=True))
        return height * np.abs(np.exp(1j * phases) @ a) ** 2

    elements = max(1, round(2 * length / cut))
    return Potential(values, dimensions=dimensions, edges=np.linspace(0, length, elements + 1), periodic=periodic)


def blocks(dimensions: int, *, count: int, height: float, seed: int = 0) -> Potential:
    """Anderson's disorder, as in the paper: ``count``^dimensions unit cells, and in each V is uniform in (0, ``height``)."""
    _check_positive("height", height)
    if not (isinstance(count, int) and count >= 1):
        raise ValueError(f"blocks takes a whole number of cells along a side, at least 1, got count={count!r}")
    table = height * np.random.default_rng((seed, dimensions)).uniform(size=(count,) * dimensions)

    def values(*x: np.ndarray) -> np.ndarray:
        return table[tuple(np.clip(np.floor(each).astype(int), 0, count - 1) for each in x)]

    return Potential(values, dimensions=dimensions, edges=np.arange(count + 1), jumps=True)


def _check_positive(name: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"a random potential needs a positive {name}, got {value!r}")


# ---- spectral elements ----


@dataclass(frozen=True, eq=False)
class Expansion:
    """A function by its values at the nodes of the elements, (n,) * d, that meet at ``edges``: called on coordinates, it interpolates."""

    values: np.ndarray
    edges: np.ndarray

    @property
    def largest(self) -> float:
        """The largest absolute value at the nodes."""
        return float(np.abs(self.values).max())

    def __call__(self, *coordinates: Any) -> np.ndarray:
        """Values at arrays that broadcast, one a coordinate."""
        found = np.broadcast_arrays(*(np.asarray(each, dtype=float) for each in coordinates))
        flat, total = [each.ravel() for each in found], np.empty(found[0].size)
        for start in range(0, len(total), CHUNK):
            rows = [self._rows(each[start : start + CHUNK]) for each in flat]
            part = rows[0] @ self.values
            total[start : start + CHUNK] = part if len(rows) == 1 else np.asarray(rows[1].multiply(part).sum(1)).ravel()
        return total.reshape(found[0].shape)[()]

    def grid(self, axis: np.ndarray) -> np.ndarray:
        """Values on the grid of which every side has the points ``axis``: (len(axis),) * d."""
        rows = self._rows(axis)
        return rows @ self.values if self.values.ndim == 1 else (rows @ (rows @ self.values).T).T

    def _rows(self, x: np.ndarray) -> Any:
        """The matrix (points, n) that interpolates along one side."""
        from scipy.sparse import csr_matrix

        degree = (len(self.values) - 1) // (len(self.edges) - 1)
        place = np.searchsorted(self.edges[1:-1], x, side="right")
        low, high = self.edges[place], self.edges[place + 1]
        weights = _lagrange(degree, (2 * x - low - high) / (high - low))
        columns = place[:, None] * degree + np.arange(degree + 1)
        starts = np.arange(len(x) + 1) * (degree + 1)
        return csr_matrix((weights.ravel(), columns.ravel(), starts), shape=(len(x), len(self.values)))


@cache
def _lobatto(degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lobatto's nodes and weights on [-1, 1], (degree + 1,), and the inverse of the matrix of Legendre polynomials there."""
    last = np.eye(degree + 1)[degree]
    nodes = np.concatenate([[-1], np.sort(legendre.legroots(legendre.legder(last)).real), [1]])
    return nodes, 2 / (degree * (degree + 1) * legendre.legval(nodes, last) ** 2), np.linalg.inv(legendre.legvander(nodes, degree))


def _lagrange(degree: int, x: np.ndarray, derivative: int = 0) -> np.ndarray:
    """The polynomials that are 1 at one of Lobatto's nodes, or their derivatives, at points (n,): (n, degree + 1)."""
    inverse = _lobatto(degree)[2]
    return legendre.legval(x, legendre.legder(inverse, derivative)).T if derivative else legendre.legvander(x, degree) @ inverse


def _system(V: Potential, edges: np.ndarray, degree: int) -> tuple[Any, np.ndarray]:
    """Galerkin's matrix of -laplacian + V, sparse, at the nodes that are free, and the diagonal mass there; by Lobatto's rule."""
    from scipy.sparse import diags, kron, lil_matrix

    nodes, weights, _ = _lobatto(degree)
    slopes, h, n = _lagrange(degree, nodes, 1), np.diff(edges), (len(edges) - 1) * degree + 1
    local, stiffness, mass = slopes.T @ (weights[:, None] * slopes), lil_matrix((n, n)), np.zeros(n)
    parts = [slice(number * degree, (number + 1) * degree + 1) for number in range(len(h))]
    for here, width in zip(parts, h, strict=True):
        stiffness[here, here] += local * 2 / width
        mass[here] += weights * width / 2
    d, free = V.dimensions, _free(n, V.periodic)
    inner, mass = free.T @ stiffness.tocsr() @ free, free.T @ mass
    matrix = inner if d == 1 else kron(inner, diags(mass)) + kron(diags(mass), inner)
    inside = edges[:-1, None] + 0.5 * (1 + (1 - INSIDE) * nodes) * h[:, None]  # (elements, degree + 1)
    values = V(*np.meshgrid(*[inside.ravel()] * d, indexing="ij")) * reduce(np.multiply.outer, [np.outer(h / 2, weights).ravel()] * d)
    for axis in range(d):  # nodes at which elements meet have a value in each
        every = np.moveaxis(values, axis, 0)
        joined = np.zeros((n, *every.shape[1:]))
        for here, each in zip(parts, every.reshape(len(h), degree + 1, *every.shape[1:]), strict=True):
            joined[here] += each
        values = np.moveaxis(np.tensordot(free.T.toarray(), joined, 1), 0, axis)
    return (matrix + diags(values.ravel())).tocsc(), reduce(np.multiply.outer, [mass] * d).ravel()


def _free(n: int, periodic: bool) -> Any:
    """The matrix from the values that are free to those at all nodes of a side: the ends are 0, or the last node is the first."""
    from scipy.sparse import csr_matrix

    held = np.arange(n) % (n - 1) if periodic else np.arange(1, n - 1)  # the column of every node; the inner nodes
    return csr_matrix((np.ones(n), (np.arange(n), held))) if periodic else csr_matrix((np.ones(n - 2), (held, held - 1)), shape=(n, n - 2))


def _expanded(V: Potential, edges: np.ndarray, values: np.ndarray) -> Expansion:
    n = round(len(values) ** (1 / V.dimensions))
    return Expansion(
        np.pad(values.reshape((n,) * V.dimensions), (0, 1), "wrap") if V.periodic else np.pad(values.reshape((n,) * V.dimensions), 1), edges
    )


def _degree(V: Potential) -> int:
    return 16 if V.dimensions == 1 else 8 if V.jumps else 12


@cache
def landscape(V: Potential, *, degree: int | None = None) -> Expansion:
    """u with -laplacian(u) + V u = 1, u = 0 on the boundary, by elements of some ``degree``, by default 16 (in two dimensions 12, or 8
    where V jumps).

    In two dimensions u is as r^2 log r wherever the right-hand side of -laplacian(u) = 1 - V u jumps at a corner: at those of the box, and
    where four blocks meet. There, elements are graded, each ``GRADING`` times as wide as the next.
    """
    edges = _graded(V, LAYERS)
    matrix, mass = _system(V, edges, degree or _degree(V))
    return _expanded(V, edges, _factors(matrix).solve(mass))


def _factors(matrix: Any) -> Any:
    """A symmetric positive definite matrix factorised: from 0.3 s for 40,000 nodes, in an order that is made for symmetric ones."""
    from scipy.sparse.linalg import splu

    return splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.0)


def _graded(V: Potential, layers: int) -> np.ndarray:
    """The edges of elements, in two dimensions with more of them ever nearer to the corners."""
    edges, found = V.edges, [V.edges]
    corners = V.edges if V.jumps else V.edges[[0, -1]][: 0 if V.periodic else None]
    for number in np.searchsorted(edges, corners if V.dimensions > 1 else []):
        for other in (number - 1, number + 1):
            if 0 <= other < len(edges):
                found.append(edges[number] + (edges[other] - edges[number]) * GRADING ** np.arange(1, layers + 1))
    return np.sort(np.concatenate(found))


@cache
def spectrum(V: Potential, count: int, *, degree: int | None = None) -> tuple[np.ndarray, list[Expansion]]:
    """The lowest energies (count,), in order, and their states, of norm 1; by elements as above, ungraded, and Lanczos' method.

    Raises ``ValueError`` for a number of states that is not positive, or not small beside the number of nodes.
    """
    from scipy.sparse import diags
    from scipy.sparse.linalg import LinearOperator, eigsh

    matrix, mass = _system(V, V.edges, degree or _degree(V))
    if not (isinstance(count, int) and 1 <= count <= len(mass) // 10):
        raise ValueError(f"{len(mass)} nodes give 1 to {len(mass) // 10} states, got count={count!r}: ask for fewer, or a higher degree")
    root = diags(1 / np.sqrt(mass))
    scaled = (root @ matrix @ root).tocsc()
    inverse = LinearOperator(scaled.shape, matvec=_factors(scaled).solve, dtype=float)  # type: ignore[call-arg]  # scipy's own signature
    energies, vectors = eigsh(scaled, count, sigma=0, OPinv=inverse, v0=np.ones(len(mass)))
    order = np.argsort(energies)
    return energies[order], [_expanded(V, V.edges, vectors[:, k] / np.sqrt(mass)) for k in order]
