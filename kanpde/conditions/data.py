"""Measured values of unknowns at scattered points."""

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

import numpy as np

from kanpde.arguments import nearest
from kanpde.conditions.condition import Condition, Frame, Place, positive
from kanpde.domains import Box, Quantile, Side
from kanpde.tables import read


def _measured(name: str) -> str:
    return f"measured {name}"


def _sigma(name: str) -> str:
    return f"sigma of {name}"


class Data(Condition):
    """Measured values of unknowns at points: ``Data(dict(x=..., t=..., u=...), sigma=0.01)``, ``Data("measured.csv", sigma="error")``.

    The residual of a row is (u(x) - measured) / sigma. ``source`` holds columns by name, one for each coordinate and at least one
    unknown: a mapping of arrays, or an .npz, .h5 or .csv file (its first line names the columns). ``sigma`` is the standard deviation of
    the noise: a number, an array with one for each row, the name of a column, or one of these for each unknown by name; without it the
    noise is estimated from the misfit (:mod:`kanpde.uncertainty`). ``weight`` is by default the mean of sigma^2 (1 without sigma), so
    that misfits count in the units of the unknown, and the equation stays much sharper than noisy data.

    Raises ``ValueError`` naming the first bad row: values that are not finite, points outside the domain, sigma that is not positive;
    and for columns that are missing, empty or of different lengths.
    """

    def __init__(self, source: Any, *, sigma: Any = None, weight: float | None = None, name: str | None = None) -> None:
        if not isinstance(source, (str, Path)) and not (hasattr(source, "keys") and hasattr(source, "__getitem__")):
            raise TypeError(f"Data takes columns by name, as in Data(dict(x=..., u=...)), or the path of a file, got {source!r}")
        self.source, self.sigma, self.name = source, sigma, name or "data"
        self._weight = None if weight is None else positive(weight, "the weight of a condition")
        self.weight = self._weight or 1.0
        self._points = np.zeros((0, 0))
        self._values: dict[str, np.ndarray] = {}
        self._sigmas: dict[str, np.ndarray] = {}

    def __repr__(self) -> str:
        given = [repr(str(self.source)) if isinstance(self.source, (str, Path)) else f"dict({', '.join(map(str, self.source.keys()))})"]
        if self.sigma is not None:
            given.append(f"sigma={self.sigma!r}" if isinstance(self.sigma, (str, int, float)) else "sigma=...")
        return f"Data({', '.join(given)})"

    def placed(self, problem: Frame) -> Self:
        """Read and check the columns."""
        other, box = copy(self), problem.domain
        columns = read(self.source) if isinstance(self.source, (str, Path)) else {str(key): self.source[key] for key in self.source.keys()}  # noqa: SIM118
        measured = [name for name in problem.unknowns if name in columns]
        for name in box.names:
            if name not in columns:
                raise ValueError(f"{self!r} has no column {name!r}, and every coordinate needs one; it has {', '.join(columns)}")
        if not measured:
            hints = "".join(nearest(name, list(columns)) for name in problem.unknowns)
            raise ValueError(f"{self!r} measures none of the unknowns {', '.join(problem.unknowns)}; it has {', '.join(columns)}{hints}")
        numbers = {name: self._column(name, columns[name]) for name in (*box.names, *measured)}
        lengths = {name: len(column) for name, column in numbers.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of {self!r} differ in length: {', '.join(f'{k} has {n}' for k, n in lengths.items())}")
        count = lengths[box.names[0]]
        if not count:
            raise ValueError(f"{self!r} is empty")
        for name, column in numbers.items():
            self._refuse(~np.isfinite(column), name, column, "is not a finite number: leave such rows out")
        other._points = np.stack([numbers[name] for name in box.names], 1)
        self._refuse_outside(other._points, box)
        other._values = {name: numbers[name] for name in measured}
        if self.sigma is not None:
            other._sigmas = {name: self._noise(name, columns, count) for name in measured}
            other.weight = self._weight or float(np.mean([np.mean(sigma**2) for sigma in other._sigmas.values()]))
        return other

    def _column(self, name: str, given: Any) -> np.ndarray:
        try:
            column = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"the column {name!r} of {self!r} does not hold numbers: {given!r:.60}") from None
        if column.ndim != 1:
            raise ValueError(f"the column {name!r} of {self!r} has the shape {column.shape}: give one number a row (a grid is flattened)")
        return column

    def _refuse(self, bad: np.ndarray, name: str, column: np.ndarray, why: str) -> None:
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(f"{self!r}, row {row} (of 0 ... {len(bad) - 1}; {int(bad.sum())} such rows): {name}={column[row]:g} {why}")

    def _refuse_outside(self, points: np.ndarray, box: Box) -> None:
        for name, column, low, high in zip(box.names, points.T, box.lower, box.upper, strict=True):
            slack = 1e-9 * (high - low)
            self._refuse((column < low - slack) | (column > high + slack), name, column, f"lies outside the domain {box}")

    def _noise(self, name: str, columns: Mapping[str, Any], count: int) -> np.ndarray:
        given = self.sigma
        if isinstance(given, Mapping):
            if name not in given:
                raise ValueError(f"{self!r}: sigma={given!r} gives none for {name}")
            given = given[name]
        if isinstance(given, str):
            if given not in columns:
                raise ValueError(f"{self!r}: there is no column {given!r} for sigma; the columns are {', '.join(columns)}")
            given = columns[given]
        try:
            sigma = np.broadcast_to(np.asarray(given, dtype=float), (count,))
        except (TypeError, ValueError):
            raise ValueError(f"{self!r}: sigma must be a number, a column, or an array of {count} numbers, got {given!r:.60}") from None
        self._refuse(~(np.isfinite(sigma) & (sigma > 0)), f"sigma of {name}", sigma, "is not a positive number")
        return sigma.copy()

    def check(self, problem: Frame) -> None:
        """Done when it was read."""

    @property
    def measured(self) -> tuple[str, ...]:
        """The unknowns that have a column."""
        return tuple(self._values)

    def sides(self, problem: Frame, unknown: str) -> tuple[Side, ...]:
        return ()

    def points(self, per_side: int, quantile: Quantile | Sequence[Quantile], seed: int) -> np.ndarray:
        return self._points

    def columns(self, points: np.ndarray) -> dict[str, np.ndarray]:
        if len(points) != len(self._points):
            raise ValueError(f"{self!r} has {len(self._points)} rows, got {len(points)} points")
        sigmas = {_sigma(name): sigma for name, sigma in self._sigmas.items()}
        return {_measured(name): values for name, values in self._values.items()} | sigmas

    def residuals(self, problem: Frame, known: Mapping[str, Any]) -> tuple[Any, ...]:
        misfits = {name: known[name] - known[_measured(name)] for name in self._values}
        return tuple(misfit / known[_sigma(name)] if name in self._sigmas else misfit for name, misfit in misfits.items())

    def places(self, problem: Frame) -> list[tuple[Place, ...]]:
        return []
