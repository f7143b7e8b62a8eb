"""What training writes down: its history, and snapshots from which it can go on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kanpde.network import Network
from kanpde.pieces import Pieces


@dataclass
class History:
    """One entry a step in every column; a column that begins late is NaN before."""

    columns: dict[str, list[float]] = field(default_factory=dict)
    length: int = 0

    def append(self, row: Mapping[str, float]) -> None:
        for name in row:
            self.columns.setdefault(name, [math.nan] * self.length)
        for name, column in self.columns.items():
            column.append(row.get(name, math.nan))
        self.length += 1

    def amend(self, name: str, value: float) -> None:
        """Write into the last row."""
        self.columns.setdefault(name, [math.nan] * self.length)[-1] = value

    def arrays(self) -> dict[str, np.ndarray]:
        whole = ("step", "refinement")
        return {name: np.asarray(column, dtype=int if name in whole else float) for name, column in self.columns.items()}


@dataclass(frozen=True)
class Snapshot:
    """Everything that training needs to go on: where it stands on the ladder, the parameters, the descent and the history."""

    rung: int
    step: int  # steps done on this rung
    seconds: float
    parameters: np.ndarray
    descent: bytes
    history: dict[str, np.ndarray]
    interior: np.ndarray  # the points where the equation holds, which resampling changes
    finished: tuple[np.ndarray, ...] = ()  # the parameters of the slabs that are done
    maps: Mapping[int, tuple[float, ...]] = field(default_factory=dict)  # grid maps that were found, by rung
    stops: tuple[str, ...] = ()  # how the rungs below ended, and this one, if it has
    best: np.ndarray | None = None  # the parameters at which the loss of this descent was lowest
    best_row: int = -1  # and the place of that loss in the history; -1 before the first step
    factors: Mapping[str, float] = field(default_factory=dict)  # of the blocks' weights, which Balance changes
    networks: Mapping[int, Network] = field(default_factory=dict)  # by slab (0 without): those that a replay cannot build
    kept: "Kept | None" = None


@dataclass(frozen=True)
class Kept:
    """A network that a callback wants to be what is left: the ``row`` of the history and the rung that it is of, its parameters, and
    a ``network`` that can take them, which edits of later rungs may have changed; a file does without one that cannot be described.
    """

    monitor: str  # the column that it was best in
    row: int
    rung: int
    parameters: np.ndarray
    network: Network | None = None


def given_networks(network: Network) -> dict[int, Network]:
    """Copies of the networks, by slab (0 without slabs), that a replay of the schedule cannot build: those with given weights."""
    pieces = network.networks if isinstance(network, Pieces) else [network]
    return {slab: each.copy() for slab, each in enumerate(pieces) if each.given}
