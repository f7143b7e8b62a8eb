"""Synthetic data: samples of a function at random points, and noise."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from kanpde.arguments import one_of
from kanpde.calls import argument_names, call_by_name, function_name
from kanpde.domains import Box, sobol

STREAMS = {"train": 11, "validation": 12, "test": 13}  # of random numbers
POINTS = ("random", "sobol", "arcsine")
SINGLE = ("y", "z", "f", "u")  # how the value of a function without a name is called: the first that is no input


@dataclass(frozen=True)
class Synthetic:
    """Where :class:`~kanpde.datasets.Dataset` takes samples of a function from; see :meth:`~kanpde.datasets.Dataset.of`."""

    function: Callable[..., Any]
    domain: Box
    noise: float = 0.0
    noisy_test: bool = False
    points: str = "random"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"Dataset.of takes a function of named inputs, such as lambda x, y: sin(x) + y, got {self.function!r}")
        argument_names(self.function)
        if not isinstance(self.domain, Box):
            raise TypeError(f"the domain of Dataset.of is a Box such as Box(x=(-1, 1)), got {self.domain!r}")
        good = isinstance(self.noise, Real) and not isinstance(self.noise, bool) and math.isfinite(self.noise) and self.noise >= 0
        if not good:
            raise ValueError(f"noise is a fraction of the target's standard deviation, such as 0.01, got {self.noise!r}")
        one_of(self.points, POINTS, "Dataset.of(points=...)")

    def words(self) -> str:
        """The arguments of ``Dataset.of`` that made it."""
        ranges = repr(self.domain).removeprefix("Box(").removesuffix(")")
        more = f", noise={self.noise!r}" + ", noisy_test=True" * self.noisy_test if self.noise else ""
        return f"{getattr(self.function, '__name__', repr(self.function))}, {ranges}{more}" + (
            f", points={self.points!r}" if self.points != "random" else ""
        )

    def samples(
        self, counts: Mapping[str, int], seed: int, names: tuple[str, ...] = ()
    ) -> tuple[tuple[str, ...], dict[str, tuple[np.ndarray, np.ndarray]]]:
        """The targets' names, and for each split points (n, d) and values (n, m), noise included."""
        found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        targets = names
        for split, count in counts.items():
            points = self._places(count, (seed, STREAMS[split]), training=split == "train")
            targets, values = self._values(points, names) if count else (targets, np.zeros((0, len(targets))))
            found[split] = points, values
        deviation = found["train"][1].std(0)
        for split, (points, values) in found.items():
            if self.noise and (split != "test" or self.noisy_test):
                random = np.random.default_rng((seed, STREAMS[split], 1)).standard_normal(values.shape)
                found[split] = points, values + self.noise * deviation * random
        return targets, found

    def _places(self, count: int, seed: tuple[int, int], *, training: bool) -> np.ndarray:
        box = self.domain
        size = count, len(box.names)
        quiet = self.points == "sobol" or (self.points == "arcsine" and training)
        unit = sobol(*size, seed) if quiet else np.random.default_rng(seed).random(size)
        place = -np.cos(np.pi * unit) if self.points == "arcsine" and training else 2 * unit - 1
        return np.stack([box.scaled(place[:, axis], axis) for axis in range(len(box.names))], 1)

    def _values(self, points: np.ndarray, names: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
        columns = dict(zip(self.domain.names, np.ascontiguousarray(points.T), strict=True))
        with np.errstate(all="ignore"):  # what is not finite is named below
            value = call_by_name(self.function, {**self.domain.together(columns), **columns})
        given, found = self._by_name(value, names), []
        for name, each in given.items():
            found.append(self._column(name, each, points))
        return tuple(given), np.stack(found, 1)

    def _by_name(self, value: Any, names: tuple[str, ...]) -> dict[str, Any]:
        who, taken = function_name(self.function), self.domain.names
        if isinstance(value, Mapping):
            if names and set(names) != set(value):
                raise ValueError(f"{who} returns {', '.join(map(str, value))}, but the targets are {', '.join(names)}: name the same")
            found = {str(name): value[name] for name in names or value}
        else:
            values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
            own = getattr(self.function, "__name__", "")
            single = own if own.isidentifier() and own not in taken else next(name for name in SINGLE if name not in taken)
            names = names or ((single,) if len(values) == 1 else tuple(f"{single}{k}" for k in range(1, len(values) + 1)))
            if len(names) != len(values):
                raise ValueError(f"{who} returns {len(values)} values for the targets {', '.join(names)}: return one for each")
            found = dict(zip(names, values, strict=True))
        for name in found:
            if name in taken or not name.isidentifier():
                raise ValueError(f"a target of {who} cannot be called {name!r}: choose another name, targets=('z',)")
        return found

    def _column(self, name: str, value: Any, points: np.ndarray) -> np.ndarray:
        who = function_name(self.function)
        if value is None:
            raise TypeError(f"{who} returns None for {name}: does it lack a return?")
        array = np.asarray(value)
        try:
            if array.dtype.kind not in "biufO":
                raise TypeError(f"values of type {array.dtype}")
            array = array.astype(float)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{who} returns {type(value).__name__} {value!r:.60} for {name}, which is no real number a point ({error})"
            ) from error
        if array.shape not in ((), (len(points),)):
            raise ValueError(f"{who} returns an array of shape {array.shape} for {name} at {len(points)} points: return one number a point")
        array = np.array(np.broadcast_to(array, (len(points),)))
        bad = np.flatnonzero(~np.isfinite(array))
        if len(bad):
            at = zip(self.domain.names, points[bad[0]], self.domain.lower, self.domain.upper, strict=True)
            where = ", ".join(f"{key}={value:.6g} of ({low:g}, {high:g})" for key, value, low, high in at)
            raise ValueError(
                f"{who} gives {name} = {array[bad[0]]} at {where}, one of {len(bad)} such points of {len(points)}: choose other ranges"
            )
        return array
