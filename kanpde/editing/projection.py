"""Functions of one basis in another: least squares over an interval, where the functions are known everywhere.

Nothing is fitted to data alone, so that an interval without data, or data that come twice, leave nothing undetermined; it is done in
float64 on the CPU, whatever the network computes in.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from kanpde.bases import Basis, BSpline, Extended, Joined, PerInput

PER_FUNCTION = 4  # nodes of least squares for each basis function
DISTINCT = 1e-7  # breaks that are nearer to each other are one


def basis_of(basis: Basis, input: int) -> Basis:
    """The basis of one input."""
    return basis.bases[input] if isinstance(basis, PerInput) else basis


def joined_bases(bases: Sequence[Basis]) -> Basis:
    """The basis of a layer from those of its inputs."""
    return bases[0] if all(basis == bases[0] for basis in bases) else PerInput(tuple(bases))


def nodes(basis: Basis, data: np.ndarray | None = None) -> np.ndarray:
    """Points of [-1, 1] that determine a function of ``basis``, and as many quantiles of ``data`` in these coordinates."""
    count = PER_FUNCTION * basis.size
    found = basis.quantile((np.arange(count) + 0.5) / count)
    inside = np.empty(0) if data is None else data[np.abs(data) <= 1]
    extra = np.quantile(inside, np.linspace(0, 1, count)) if len(inside) else inside
    return np.unique(np.concatenate([[-1.0], found, extra, [1.0]]))


def values(basis: Basis, x: np.ndarray) -> np.ndarray:
    """The functions at points (M,): (M, K), in float64."""
    return basis.values(torch.from_numpy(np.ascontiguousarray(x))).T.numpy()


def projected(target: Callable[[np.ndarray], np.ndarray], basis: Basis, data: np.ndarray | None = None) -> np.ndarray:
    """The coefficients (K, ...) in ``basis`` that are nearest to ``target``, which takes points (M,) of [-1, 1] to values (M, ...)."""
    where = nodes(basis, data)
    wanted = target(where)
    return least_squares(values(basis, where), wanted.reshape(len(where), -1)).reshape(-1, *wanted.shape[1:])


def least_squares(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """By QR where the columns are independent; else the shortest solution, with singular values below 1e-12 cut off."""
    q, r = np.linalg.qr(matrix)
    size = np.abs(np.diag(r))
    if len(matrix) >= matrix.shape[1] and size.min() > 1e-9 * size.max():
        return np.linalg.solve(r, q.T @ wanted)
    return np.linalg.lstsq(matrix, wanted, rcond=1e-12)[0]


def carried(basis: Basis, change: Callable[[BSpline], BSpline]) -> Basis:
    """The same basis with other splines: ``change`` is applied to every BSpline in it."""
    if isinstance(basis, BSpline):
        return change(basis)
    if isinstance(basis, Extended):
        return Extended(carried(basis.basis, change), basis.rule)
    if isinstance(basis, Joined):
        return Joined(tuple(carried(part, change) for part in basis.parts))
    return basis


def spline_of(basis: Basis) -> BSpline | None:
    """The first BSpline in a basis."""
    found: list[BSpline] = []

    def noted(spline: BSpline) -> BSpline:
        found.append(spline)
        return spline

    carried(basis, noted)
    return found[0] if found else None


def kept_breaks(spline: BSpline, old: tuple[float, float], new: tuple[float, float], linear: bool) -> np.ndarray:
    """The breaks on the range ``new`` that hold the spline on ``old`` exactly; with ``linear``, it went on as straight lines beyond it."""
    inner = spline.knots[spline.degree + 1 : -spline.degree - 1]
    ends = np.repeat([-1.0, 1.0], max(spline.degree - 1, 1)) if linear else np.empty(0)
    places = old[0] + 0.5 * (np.concatenate([inner, ends]) + 1) * (old[1] - old[0])
    s = np.sort(2 * (places - new[0]) / (new[1] - new[0]) - 1)
    s = s[np.abs(s) < 1 - DISTINCT]
    return np.concatenate([[-1.0], s, [1.0]])


def data_breaks(count: int, data: np.ndarray, quantiles: float) -> np.ndarray:
    """Breaks of ``count`` intervals: ``quantiles`` parts of those with equally many data in each, the rest equally long.

    Breaks that would coincide, because data do, are moved apart as far as the equal part of a hundredth asks.
    """
    level = np.linspace(0, 1, count + 1)
    even, inside = 2 * level - 1, np.clip(data, -1, 1)
    dense = np.quantile(inside, level)
    dense[0], dense[-1] = -1.0, 1.0
    share = min(quantiles, 0.99)
    breaks = share * dense + (1 - share) * even
    breaks[0], breaks[-1] = -1.0, 1.0
    return breaks
