"""Domains: boxes in named coordinates, their sides, and quasi-random points that fit a basis.

A coordinate named ``t`` is time: the boundary of a box consists of its sides in space, and ``box.initial`` is the side at
the first time.
"""

import keyword
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

Quantile = Callable[[np.ndarray], np.ndarray]

TIME = "t"
RESERVED = ("d", "partial", "value")  # methods of fields


def along(quantile: Quantile | Sequence[Quantile], axis: int) -> Quantile:
    """The density along a coordinate, of one for all or a sequence with one for each."""
    return quantile[axis] if isinstance(quantile, Sequence) else quantile


def sobol(count: int, dimensions: int, seed: int | Sequence[int]) -> np.ndarray:
    """``count`` scrambled Sobol points of [0, 1)^dimensions: (count, dimensions); the same for the same seed."""
    from scipy.stats import qmc

    if dimensions == 0:
        return np.zeros((count, 0))
    power = max(0, math.ceil(math.log2(max(count, 1))))
    return qmc.Sobol(dimensions, rng=np.random.default_rng(seed)).random_base2(power)[:count]


@dataclass(frozen=True)
class Side:
    """One face of a box: coordinate number ``axis`` held at ``value``, the box's lower (``end`` 0) or upper (1) bound."""

    axis: int
    end: int
    value: float


@dataclass(frozen=True)
class Boundary:
    """A set of sides of one box. Parts add (``|``) and subtract (``-``)."""

    box: "Box"
    sides: tuple[Side, ...]

    def __or__(self, other: "Boundary") -> "Boundary":
        self._same(other)
        return Boundary(self.box, self.sides + tuple(side for side in other.sides if side not in self.sides))

    def __sub__(self, other: "Boundary") -> "Boundary":
        self._same(other)
        return Boundary(self.box, tuple(side for side in self.sides if side not in other.sides))

    def _same(self, other: "Boundary") -> None:
        if not isinstance(other, Boundary) or other.box != self.box:
            raise ValueError(f"boundary parts of different domains cannot be combined: {self} and {other}")

    def __repr__(self) -> str:
        names = ", ".join(f"{self.box.names[side.axis]}={side.value:g}" for side in self.sides)
        return f"Boundary({names})"

    def normals(self, points: np.ndarray) -> np.ndarray:
        """The outward unit normal at each of the ``points`` (n, d), those of the side that it lies on or is nearest to: (n, d)."""
        lengths = np.subtract(self.box.upper, self.box.lower)
        gaps = np.stack([np.abs(points[:, side.axis] - side.value) / lengths[side.axis] for side in self.sides])
        every = np.zeros((len(self.sides), len(lengths)))
        for number, side in enumerate(self.sides):
            every[number, side.axis] = 1.0 if side.end else -1.0
        return every[gaps.argmin(0)]

    def sample(self, per_side: int, quantile: Quantile | Sequence[Quantile], seed: int) -> np.ndarray:
        """Quasi-random points (n, d): ``per_side`` on each side (one where a side is a point), dense as ``quantile`` says."""
        parts = []
        for side in self.sides:
            others = [axis for axis in range(len(self.box.names)) if axis != side.axis]
            count = per_side if others else 1
            points = np.full((count, len(self.box.names)), side.value)
            unit = sobol(count, len(others), (seed, 1 + 2 * side.axis + side.end))
            for column, axis in enumerate(others):
                points[:, axis] = self.box.scaled(along(quantile, axis)(unit[:, column]), axis)
            parts.append(points)
        return np.concatenate(parts) if parts else np.zeros((0, len(self.box.names)))


@dataclass(frozen=True, init=False)
class Box:
    """A box in named coordinates, ``Box(x=(-1, 1), y=(-1, 1))``; with ``t`` among the names, a box in space and time.

    Raises ``ValueError`` for bounds that are not two finite rising numbers, and for names that fields use otherwise (d, partial, value).
    """

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __init__(self, **bounds: tuple[float, float]) -> None:
        self._fill(bounds)

    def _fill(self, bounds: Mapping[str, tuple[float, float]]) -> None:
        if not bounds:
            raise ValueError("a Box needs at least one coordinate, as in Box(x=(-1, 1))")
        for name, pair in bounds.items():
            if name in RESERVED or not name.isidentifier() or keyword.iskeyword(name):
                why = f"u.{name} means something else" if name in RESERVED else "it is not a name that an argument can have"
                raise ValueError(f"a coordinate cannot be called {name!r}, for {why}: choose another name")
            try:
                low, high = (float(bound) for bound in pair)
            except (TypeError, ValueError):
                raise ValueError(f"the bounds of {name!r} must be two numbers, got {pair!r}") from None
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"the bounds of {name!r} must be finite and rising, got {pair!r}")
        object.__setattr__(self, "names", tuple(bounds))
        object.__setattr__(self, "lower", tuple(float(low) for low, _ in bounds.values()))
        object.__setattr__(self, "upper", tuple(float(high) for _, high in bounds.values()))

    @classmethod
    def cube(cls, dimensions: int, lower: float, upper: float) -> "Box":
        """[lower, upper]^dimensions with coordinates x1, x2, ..., all of which together are ``x``."""
        if isinstance(dimensions, bool) or not isinstance(dimensions, Integral) or dimensions < 1:
            raise ValueError(f"Box.cube takes a whole number of dimensions, at least 1, as in Box.cube(5, 0, 1), got {dimensions!r}")
        return cls(**{f"x{number}": (lower, upper) for number in range(1, dimensions + 1)})

    def __repr__(self) -> str:
        bounds = (f"{n}=({a!r}, {b!r})" for n, a, b in zip(self.names, self.lower, self.upper, strict=True))
        return f"Box({', '.join(bounds)})"

    @property
    def vectors(self) -> dict[str, tuple[str, ...]]:
        """Coordinates that are numbered in succession, by what comes before the numbers: {"x": ("x1", "x2", "x3")}."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            stem = name.rstrip("0123456789")
            found.setdefault(stem, []).append(name)
        return {
            stem: tuple(names)
            for stem, names in found.items()
            if stem and stem not in self.names and names == [f"{stem}{number}" for number in range(1, len(names) + 1)]
        }

    def together(self, coordinates: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
        """The values of :attr:`vectors` as tuples, where all their coordinates are given."""
        every = self.vectors.items()
        return {stem: tuple(coordinates[n] for n in names) for stem, names in every if all(n in coordinates for n in names)}

    @property
    def spatial(self) -> tuple[str, ...]:
        """The coordinates other than time."""
        return tuple(name for name in self.names if name != TIME)

    @property
    def boundary(self) -> Boundary:
        """All sides in space."""
        axes = [axis for axis, name in enumerate(self.names) if name != TIME]
        return Boundary(self, tuple(self.bound(axis, end) for axis in axes for end in (0, 1)))

    @property
    def initial(self) -> Boundary:
        """The side at the first time."""
        if TIME not in self.names:
            raise ValueError(f"{self} has no initial side: none of its coordinates {', '.join(self.names)} is named 't'")
        return Boundary(self, (self.bound(self.names.index(TIME), 0),))

    def side(self, **where: float) -> Boundary:
        """The side where one coordinate has its lower or upper bound, ``box.side(y=1)``."""
        if len(where) != 1:
            raise ValueError(f"side() takes one coordinate, as in side({self.names[0]}={self.upper[0]:g}), got {where}")
        ((name, value),) = where.items()
        if name not in self.names:
            raise ValueError(f"{self} has no coordinate {name!r}: its coordinates are {', '.join(self.names)}")
        axis = self.names.index(name)
        for end, bound in enumerate((self.lower[axis], self.upper[axis])):
            if float(value) == bound:
                return Boundary(self, (self.bound(axis, end),))
        raise ValueError(f"{name}={float(value):g} is not a side of {self}: {name} ends at {self.lower[axis]:g} and {self.upper[axis]:g}")

    def bound(self, axis: int, end: int) -> Side:
        """The side where coordinate number ``axis`` is least (``end`` 0) or greatest (1)."""
        return Side(axis, end, (self.lower, self.upper)[end][axis])

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each of the ``points`` (n, d) lies in the box, up to rounding: (n,)."""
        slack = 1e-9 * np.subtract(self.upper, self.lower)
        return np.all((points >= self.lower - slack) & (points <= self.upper + slack), axis=1)

    def scaled(self, reference: np.ndarray, axis: int) -> np.ndarray:
        """Points of [-1, 1] carried to the range of a coordinate."""
        low, high = self.lower[axis], self.upper[axis]
        return 0.5 * (low + high) + 0.5 * (high - low) * reference

    def sample(self, count: int, quantile: Quantile | Sequence[Quantile], seed: int) -> np.ndarray:
        """``count`` quasi-random points of the interior, (count, d), dense as ``quantile`` says along each coordinate."""
        unit = sobol(count, len(self.names), (seed, 0))
        return np.stack([self.scaled(along(quantile, axis)(unit[:, axis]), axis) for axis in range(len(self.names))], 1)

    def grid(self, sizes: Sequence[int]) -> dict[str, np.ndarray]:
        """Equally spaced points along each coordinate, ends included."""
        return {name: np.linspace(low, high, size) for name, low, high, size in zip(self.names, self.lower, self.upper, sizes, strict=True)}
