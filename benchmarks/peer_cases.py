"""What benchmarks/peers.py sets its solvers, the problems, and what it measures them with, the clock."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

NU = 0.01 / np.pi
GRID = 201  # points along each axis of the grid on which errors are measured
CHUNK = 67 * 67  # a ninth of the grid: predictions in one piece would decide the peak memory


# ---- the problems: the same algebra for every package ----


@dataclass(frozen=True)
class Case:
    """A scalar equation on (-1, 1) x (low, 1) in the coordinates x and y; Burgers' y is the time.

    ``residual(d, x, y, sin)`` asks for derivatives as d(""), d("x"), d("xx"); ``hard(x, y, n, sin)`` is a function with the right
    boundary values for any n; ``boundary(x, y)`` are these values, on the sides named in ``sides``.
    """

    name: str
    low: float
    residual: Callable[..., Any]
    hard: Callable[..., Any]
    boundary: Callable[[np.ndarray, np.ndarray], np.ndarray]
    sides: tuple[str, ...] = ("left", "right", "bottom", "top")

    def grid(self) -> np.ndarray:
        axes = np.linspace(-1, 1, GRID), np.linspace(self.low, 1, GRID)
        return np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], 1)

    def side_points(self, count: int) -> np.ndarray:
        x, y = np.linspace(-1, 1, count), np.linspace(self.low, 1, count)
        ends = {"left": (x * 0 - 1, y), "right": (x * 0 + 1, y), "bottom": (x, y * 0 + self.low), "top": (x, y * 0 + 1)}
        return np.concatenate([np.stack(ends[side], 1) for side in self.sides])

    def mesh(self, nx: int, ny: int) -> np.ndarray:
        axes = np.meshgrid(np.linspace(-1, 1, nx), np.linspace(self.low, 1, ny), indexing="ij")
        return np.stack([part.ravel() for part in axes], 1)


def _zero(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.zeros_like(x)


def _bubble(x, y, n, sin):
    return (1 - x**2) * (1 - y**2) * n


CASES = {
    "poisson": Case("poisson", -1, lambda d, x, y, sin: d("xx") + d("yy") + 2 * np.pi**2 * sin(np.pi * x) * sin(np.pi * y), _bubble, _zero),
    "burgers": Case(
        "burgers",
        0,
        lambda d, x, t, sin: d("y") + d("") * d("x") - NU * d("xx"),
        lambda x, t, n, sin: t * (1 - x**2) * n - sin(np.pi * x),
        lambda x, t: np.where(t == 0, -np.sin(np.pi * x), 0.0),
        ("left", "right", "bottom"),
    ),
    "helmholtz": Case(
        "helmholtz",
        -1,
        lambda d, x, y, sin: d("xx") + d("yy") + d("") - (1 - 17 * np.pi**2) * sin(np.pi * x) * sin(4 * np.pi * y),
        _bubble,
        _zero,
    ),
}


# ---- the clock ----


class BudgetSpent(Exception):
    """The CPU seconds of training are used up."""


class Clock:
    """Wall and CPU seconds of training, the error along the way, and what else the process spent."""

    CLOSER = 1.02  # the next look is due when the CPU time has grown by this factor

    def __init__(self, points: np.ndarray, truth: np.ndarray, budget: float, spawned: float, write: Callable[[Mapping[str, Any]], None]):
        self.points, self.truth, self.budget, self.spawned, self.write = points, truth, budget, spawned, write
        self.due, self.paused, self.booked = 0.0, np.zeros(2), {"import": np.zeros(2)}

    def now(self) -> np.ndarray:
        return np.array([time.time() - self.spawned, time.process_time()])

    def imported(self) -> None:
        """The packages are there; what follows until ``start`` is setting up."""
        self.booked["import"] = self.now()

    def start(self) -> None:
        self.begin = self.now()
        self.booked["setup"] = self.begin - self.booked["import"]

    @contextmanager
    def aside(self, what: str) -> Iterator[None]:
        """Time that is no training: compiling."""
        before = self.now()
        yield
        spent = self.now() - before
        self.booked[what] = self.booked.get(what, np.zeros(2)) + spent
        self.paused += spent

    def look(self, predict: Callable[[np.ndarray], np.ndarray], *, last: bool = False) -> None:
        """Measure the error if a look is due; raise ``BudgetSpent`` if the budget is."""
        before = self.now()
        wall, cpu = before - self.begin - self.paused
        if cpu < min(self.due, self.budget) and not last:
            return
        found = np.concatenate([predict(part) for part in np.split(self.points, len(self.points) // CHUNK)])
        error = float(np.linalg.norm(found - self.truth) / np.linalg.norm(self.truth))
        beside = np.sum(list(self.booked.values()), axis=0)
        self.write({"wall": wall, "cpu": cpu, "error": error, "beside_wall": beside[0], "beside_cpu": beside[1]})
        self.due = max(cpu * self.CLOSER, cpu + 0.005)
        self.paused += self.now() - before
        if cpu >= self.budget:
            raise BudgetSpent
