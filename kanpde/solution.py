"""A trained network as the function that it stands for: called on coordinates by name, hard conditions built in."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from kanpde.arguments import nearest
from kanpde.jets import MultiIndex
from kanpde.network import Network
from kanpde.objective import outputs
from kanpde.problem import Problem


class Solution:
    """The unknowns of a solved problem as functions: ``u(x=0.5, y=0.5)``, ``u.xx(x=0.5, y=grid)``, ``u.d("theta", 2)(theta=1)``.

    Coordinates are numbers or arrays that broadcast. One unknown gives an array of their shape (a number for numbers); a system
    a dict of them by unknown, of which ``solution["v"]`` and ``u, v, p = solution`` pick single ones.

    Raises ``TypeError`` for coordinates that are missing or unknown, ``ValueError`` for points outside the domain.
    """

    def __init__(self, problem: Problem, network: Network, *, unknowns: tuple[str, ...] = (), derivative: MultiIndex = ()) -> None:
        self._problem, self._network, self._derivative = problem, network, derivative
        self._unknowns = unknowns or problem.unknowns

    @property
    def network(self) -> Network:
        """The network that was trained."""
        return self._network

    def __call__(self, **coordinates: Any) -> Any:
        names = self._problem.domain.names
        for name in coordinates:
            if name not in names:
                raise TypeError(f"there is no coordinate {name!r}: they are {', '.join(names)}{nearest(name, names)}")
        if missing := [name for name in names if name not in coordinates]:
            raise TypeError(f"give a value for each coordinate: {', '.join(missing)} {'are' if missing[1:] else 'is'} missing")
        columns = np.broadcast_arrays(*(np.asarray(coordinates[name], dtype=float) for name in names))
        self._check_inside(dict(zip(names, columns, strict=True)))
        shape, like = columns[0].shape, self._network.lower
        points = torch.as_tensor(np.stack([column.ravel() for column in columns], 1), dtype=like.dtype, device=like.device)
        if not len(points):
            found = {name: np.zeros(shape) for name in self._unknowns}
        else:
            values = outputs(self._problem, self._network, points, [self._derivative])
            found = {name: values[name][self._derivative].cpu().double().numpy().reshape(shape)[()] for name in self._unknowns}
        return found[self._unknowns[0]] if len(self._unknowns) == 1 else found

    def d(self, coordinate: str, order: int = 1) -> "Solution":
        """The derivative of some order by one coordinate, for names of any length."""
        names = self._problem.domain.names
        if coordinate not in names:
            raise AttributeError(f"there is no derivative by {coordinate!r}: the coordinates are {', '.join(names)}")
        if isinstance(order, bool) or not isinstance(order, int) or order < 0:
            raise ValueError(f"the order of a derivative must be a whole number of at least 0, got {order!r}")
        derivative = tuple(sorted(self._derivative + (names.index(coordinate),) * order))
        return Solution(self._problem, self._network, unknowns=self._unknowns, derivative=derivative)

    def __getattr__(self, letters: str) -> "Solution":
        if letters.startswith("_"):
            raise AttributeError(letters)
        found = self
        for letter in letters:
            found = found.d(letter)
        return found

    def __getitem__(self, unknown: str) -> "Solution":
        if unknown not in self._unknowns:
            raise KeyError(f"there is no unknown {unknown!r}: they are {', '.join(self._unknowns)}")
        return Solution(self._problem, self._network, unknowns=(unknown,), derivative=self._derivative)

    def __iter__(self) -> Iterator["Solution"]:
        return (self[name] for name in self._unknowns)

    def __repr__(self) -> str:
        letters = ", ".join(self._problem.domain.names[axis] for axis in self._derivative)
        return f"Solution({', '.join(self._unknowns)}{f'; derivative by {letters}' if letters else ''})"

    def _check_inside(self, coordinates: Mapping[str, np.ndarray]) -> None:
        box = self._problem.domain
        for name, low, high in zip(box.names, box.lower, box.upper, strict=True):
            slack = 1e-12 * (high - low)
            outside = ~((coordinates[name] >= low - slack) & (coordinates[name] <= high + slack))
            if outside.any():
                value = coordinates[name][outside][0]
                raise ValueError(
                    f"{name}={value:g} lies outside the domain, where nothing was solved: {name} runs from {low:g} to {high:g}"
                )
