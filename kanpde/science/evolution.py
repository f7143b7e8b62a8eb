"""Evolution equations on periodic boxes, solved by Fourier series in space and exponential Runge-Kutta steps in time.

    u_t = L u + N(u),    L a polynomial of d/dx, d/dy, ...,    N any function of u and its derivatives

L is integrated exactly in Fourier space and N by the fourth-order scheme ETDRK4 (Cox and Matthews, J. Comput. Phys. 176, 2002, 430), its
coefficients as means over a circle around every eigenvalue (Kassam and Trefethen, SIAM J. Sci. Comput. 26, 2005, 1214). The upper third of
the modes is kept at zero, so that products of two do not fold back. Between the steps, u is a polynomial of degree 7 in time, and in space
the Fourier series itself: solutions can be asked for at scattered points.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
from numpy.typing import ArrayLike

CONTOUR = 32  # points on the circle
STENCIL = 8  # steps that a value between them is interpolated from
CHUNK = 2_000  # points at once

Derivative = Callable[..., np.ndarray]  # derivative(u, 1) = u_x; derivative(u, 0, 2) = u_yy
Nonlinear = Callable[[np.ndarray, Derivative], np.ndarray]


@dataclass(frozen=True, eq=False)
class Evolution:
    """A solution: its Fourier coefficients (steps + 1, points, ...) at equal steps of time, and where the periods begin."""

    coefficients: np.ndarray
    lower: tuple[float, ...]
    periods: tuple[float, ...]
    duration: float

    def __call__(self, *coordinates: ArrayLike) -> np.ndarray:
        """u at points: the coordinates of space in order, then t, broadcast against each other.

        ``ValueError`` for a wrong number of coordinates or a time outside [0, duration].
        """
        if len(coordinates) != len(self.periods) + 1:
            raise ValueError(f"a solution in {len(self.periods)} dimensions of space takes {len(self.periods) + 1} coordinates, "
                             f"the last of them time, got {len(coordinates)}")  # fmt: skip
        *space, t = np.broadcast_arrays(*(np.asarray(each, dtype=float) for each in coordinates))
        shape, flat = t.shape, t.ravel()
        if flat.size and not (flat.min() >= 0 and flat.max() <= self.duration * (1 + 1e-12)):
            raise ValueError(f"the solution is known for times from 0 to {self.duration:g}, got {flat.min():g} to {flat.max():g}")
        angles = [2 * np.pi * (each.ravel() - low) / period for each, low, period in zip(space, self.lower, self.periods, strict=True)]
        found = np.empty(flat.shape)
        for start in range(0, len(flat), CHUNK):
            part = slice(start, start + CHUNK)
            found[part] = self._values([angle[part] for angle in angles], flat[part])
        return found.reshape(shape)

    def _values(self, angles: list[np.ndarray], t: np.ndarray) -> np.ndarray:
        steps = len(self.coefficients) - 1
        position = np.clip(t / self.duration, 0, 1) * steps
        count = min(STENCIL, steps + 1)
        first = np.clip(np.floor(position).astype(int) - count // 2 + 1, 0, steps + 1 - count)
        nodes = np.arange(count)
        weight = np.array([(-1.0) ** k * math.comb(count - 1, k) for k in nodes])  # barycentric, of equal nodes
        distance = (position - first)[:, None] - nodes
        exact = np.abs(distance) < 1e-13
        share = weight / np.where(exact, 1.0, distance)
        share = np.where(exact.any(1, keepdims=True), exact, share)
        share /= share.sum(1, keepdims=True)
        waves = [np.exp(1j * angle[:, None] * _numbers(size)) for angle, size in zip(angles, self.coefficients.shape[1:], strict=True)]
        found = np.zeros(len(t))
        for node in nodes:
            value = self.coefficients[first + node]
            for wave in reversed(waves):
                value = np.einsum("n...k,nk->n...", value, wave)
            found += share[:, node] * np.real(value)
        return found


@cache
def _numbers(size: int) -> np.ndarray:
    return np.fft.fftfreq(size, 1 / size)


def evolve(
    initial: Callable[..., ArrayLike],
    *,
    linear: Callable[..., ArrayLike],
    nonlinear: Nonlinear | None = None,
    lower: float | Sequence[float] = 0.0,
    period: float | Sequence[float] = 2 * math.pi,
    duration: float = 1.0,
    points: int | Sequence[int] = 256,
    steps: int = 1000,
) -> Evolution:
    """Solve u_t = L u + N(u), u = ``initial`` at t = 0, on a periodic box.

    ``linear(d, ...)`` is the polynomial L of the derivatives: ``lambda d: 0.1 * d**2`` for 0.1 u_xx, ``lambda dx, dy: dx**2 + dy**2`` in
    two dimensions. ``nonlinear(u, derivative)`` gives N on the grid, ``derivative(u, 1)`` being u_x and ``derivative(u, 0, 2)`` u_yy; for
    instance ``lambda u, d: -u * d(u, 1)``. ``points`` per dimension should be even. The error in time falls as steps^-4.

    >>> wave = evolve(np.sin, linear=lambda d: -2 * d, points=16, steps=10)   # u_t = -2 u_x
    >>> abs(float(wave(1.0, 0.5)) - np.sin(1.0 - 2 * 0.5)) < 1e-12
    True

    Raises ``ValueError`` where the solution becomes infinite, with the time.
    """
    periods = np.atleast_1d(period).astype(float).tolist()
    dimensions = len(periods)
    start = np.broadcast_to(np.asarray(lower, dtype=float), (dimensions,)).tolist()
    sizes = [int(size) for size in np.broadcast_to(points, (dimensions,))]
    axes = tuple(range(dimensions))
    grid = np.meshgrid(*(low + per * np.arange(n) / n for low, per, n in zip(start, periods, sizes, strict=True)), indexing="ij")
    numbers = np.meshgrid(*(_numbers(n) for n in sizes), indexing="ij")
    slopes = [2j * np.pi / per * number for per, number in zip(periods, numbers, strict=True)]
    kept = reduce(np.logical_and, (np.abs(number) <= (n - 1) // 3 for number, n in zip(numbers, sizes, strict=True)))
    if nonlinear is None:
        kept = reduce(np.logical_and, (np.abs(number) < n // 2 for number, n in zip(numbers, sizes, strict=True)))

    def derivative(u: np.ndarray, *orders: int) -> np.ndarray:
        symbol = reduce(np.multiply, (slope**order for slope, order in zip(slopes, orders, strict=False)))
        return np.fft.ifftn(symbol * np.fft.fftn(u)).real

    def rest(v: np.ndarray) -> np.ndarray | float:
        return 0.0 if nonlinear is None else kept * np.fft.fftn(nonlinear(np.fft.ifftn(v, axes=axes).real, derivative))

    state = kept * np.fft.fftn(np.asarray(initial(*grid), dtype=float) + np.zeros(sizes))
    symbol = np.asarray(linear(*slopes), dtype=complex) + np.zeros(sizes)
    step = duration / steps
    half, whole, q, f1, f2, f3 = _weights(step * np.where(kept, symbol, 0), step)
    stored = np.empty((steps + 1, *sizes), dtype=complex)
    stored[0] = state
    for number in range(steps):
        n0 = rest(state)
        a = half * state + q * n0
        na = rest(a)
        b = half * state + q * na
        nb = rest(b)
        c = half * a + q * (2 * nb - n0)
        state = whole * state + f1 * n0 + 2 * f2 * (na + nb) + f3 * rest(c)
        if not np.isfinite(state).all():
            raise ValueError(f"the solution is infinite after t={(number + 1) * step:.3g}: take more steps than {steps}, or the equation "
                             "is unstable")  # fmt: skip
        stored[number + 1] = state
    return Evolution(stored / math.prod(sizes), tuple(start), tuple(periods), float(duration))


def _weights(z: np.ndarray, step: float) -> tuple[np.ndarray, ...]:
    """The coefficients of ETDRK4 for z = step * L, as means over a circle of radius 1."""
    around = z[..., None] + np.exp(2j * np.pi * (np.arange(CONTOUR) + 0.5) / CONTOUR)
    e, e2 = np.exp(around), np.exp(around / 2)
    q = step * ((e2 - 1) / around).mean(-1)
    f1 = step * ((-4 - around + e * (4 - 3 * around + around**2)) / around**3).mean(-1)
    f2 = step * ((2 + around + e * (around - 2)) / around**3).mean(-1)
    f3 = step * ((-4 - 3 * around - around**2 + e * (4 - around)) / around**3).mean(-1)
    return np.exp(z / 2), np.exp(z), q, f1, f2, f3


@cache
def heat() -> Evolution:
    """u_t = 0.1 u_xx, period 2 pi, t in [0, 1], u0 = exp(sin x) + cos(3 x)/2."""
    return evolve(lambda x: np.exp(np.sin(x)) + np.cos(3 * x) / 2, linear=lambda d: 0.1 * d**2, points=64, steps=100)


@cache
def burgers() -> Evolution:
    """u_t = -u u_x + 0.1 u_xx, x in [-8, 8] and periodic, t in [0, 10], u0 = exp(-(x + 2)^2)."""
    return evolve(
        lambda x: np.exp(-((x + 2) ** 2)),
        linear=lambda d: 0.1 * d**2,
        nonlinear=lambda u, d: -d(u**2 / 2, 1),
        lower=-8,
        period=16,
        duration=10,
        points=384,
        steps=2000,
    )


@cache
def kdv() -> Evolution:
    """u_t = -6 u u_x - u_xxx, x in [-20, 20] and periodic, t in [0, 4], u0 = 2 sech^2(x + 10) + 0.75 sech^2(sqrt(3/8) (x - 2))."""
    return evolve(
        lambda x: 2 / np.cosh(x + 10) ** 2 + 0.75 / np.cosh(np.sqrt(3 / 8) * (x - 2)) ** 2,
        linear=lambda d: -(d**3),
        nonlinear=lambda u, d: -3 * d(u**2, 1),
        lower=-20,
        period=40,
        duration=4,
        points=512,
        steps=4000,
    )


def samples(solution: Evolution, count: int = 2000, *, noise: float = 0.0, seed: int = 0) -> dict[str, np.ndarray]:
    """Scattered samples: uniform points of the box and of time, and u with Gaussian noise of ``noise`` times the standard deviation of u.

    Returns arrays (count,) named x, t, u (in two dimensions x, y, t, u; in three x, y, z, t, u).
    """
    draw = np.random.default_rng(seed)
    names = "xyz"[: len(solution.periods)]
    points = {n: draw.uniform(low, low + period, count) for n, low, period in zip(names, solution.lower, solution.periods, strict=True)}
    points["t"] = draw.uniform(0, solution.duration, count)
    values = solution(*points.values())
    return points | {"u": values + noise * values.std() * draw.standard_normal(count)}
