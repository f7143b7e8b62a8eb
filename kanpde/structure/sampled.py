"""A function on a domain as the tests of structure see it: drawn points, values in batches, and the noise of the values."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from kanpde.arguments import nearest, real_number, whole_number
from kanpde.calls import argument_names, call_by_name, function_name
from kanpde.domains import Box
from kanpde.structure.scattered import Surrogate

BATCH = 2**16  # points a call
LINES = 256  # on which the noise is measured
STEP = 1e-6  # of the range between the points of a line: smooth functions have no sixth difference there
ROUNDED = 1e3  # roundings of the largest values: measured noise above is more than rounding

Domain = Box | Sequence[tuple[float, float]] | Mapping[str, Any] | np.ndarray | torch.Tensor | None


@dataclass(frozen=True)
class Noise:
    """The standard deviation of a value by ``rounding`` and by noise (``sigma``, 0 if there is none but rounding).

    ``doubt`` is the relative standard error of sigma^2, 0 where sigma was given; ``source`` says in words where sigma is from. Noise is
    ``smooth`` if it is an error that neighbouring values share, as a network's: it bounds the defect, but does not average out.
    """

    rounding: float
    sigma: float
    doubt: float
    source: str
    smooth: bool = False


class Sampled:
    """A function of points (N, d), with the points at which a test asks for it.

    ``function`` is called on an array (N, d), by coordinate names where its arguments have them (as a solution's do), and a
    ``torch.nn.Module`` on a tensor; or it is a pair (X, y) of scattered data, then a :class:`~kanpde.structure.scattered.Surrogate`
    of them. ``domain`` is a box, pairs of bounds (coordinates x1, x2, ...) or by name, or points (N, d) or columns by name, whose
    coordinates are then combined at random. Of several outputs, ``output`` is one's number, or its name. (A single argument that has
    the name of one of several coordinates is that coordinate; points, where the function does not work on that.)

    Raises ``TypeError`` or ``ValueError``, with the value and the fix, for everything else.
    """

    def __init__(
        self, function: Any, domain: Domain, *, output: int | str | None = None, noise: float | None = None, seed: int = 0
    ) -> None:
        self.rng = np.random.default_rng(whole_number(seed, "seed", least=0))
        self.output, self.evaluations, self._epsilon, self._tensors = output, 0, np.finfo(float).eps, False
        if noise is not None and real_number(noise, "noise") < 0:
            raise ValueError(f"noise is the standard deviation of the values, at least 0, got {noise!r}")
        self._given = noise
        if isinstance(function, tuple):
            function = Surrogate.of(function)
            domain = function.points if domain is None else domain
            self._given = max(function.noise, noise or 0.0)
        elif not callable(function):
            raise TypeError(f"a function of points, or a pair (X, y) of data, is tested for structure, got {function!r}")
        if domain is None and hasattr(function, "lower") and hasattr(function, "upper"):
            domain = list(zip(function.lower.tolist(), function.upper.tolist(), strict=True))  # a network's own box
        self.function = function
        self.names, self.lower, self.upper, self._points = _domain(domain)
        if isinstance(function, Surrogate):
            if function.points.shape[1] != len(self.names):
                raise ValueError(
                    f"the data have {function.points.shape[1]} columns, but the domain has the coordinates {', '.join(self.names)}"
                )
            self._points = function.points if self._points is None else self._points  # corners without data beside them are left out
        self._named = _takes_names(function, self.names)
        self._unsure = self._named is False and len(argument_names(function)) == 1 < len(self.names)

    @property
    def strict(self) -> bool:
        """Whether the function must have a value everywhere: in a box, not among coordinates of points that are combined."""
        return self._points is None

    def draw(self, count: int) -> np.ndarray:
        """Independent points (count, d): uniform in the box, or of the given ones."""
        if self._points is not None:
            return self._points[self.rng.integers(len(self._points), size=count)]
        return self.lower + (self.upper - self.lower) * self.rng.random((count, len(self.names)))

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Whether each of the points (N, d) lies in the box, that of the given points if there are some: (N,)."""
        slack = 4 * np.finfo(float).eps * np.maximum(np.abs(self.lower), np.abs(self.upper))
        return np.all((points >= self.lower - slack) & (points <= self.upper + slack), axis=1)

    def axes(self, names: str | Sequence[str], what: str) -> list[int]:
        """The numbers of coordinates, given as a sequence of names or as one text, "x" or "y z"."""
        split = names.replace(",", " ").split() if isinstance(names, str) else list(names)
        if not split:
            raise ValueError(f"{what} has no variable: name one or more of {', '.join(self.names)}")
        for name in split:
            if name not in self.names:
                known = list(self.names)
                raise ValueError(f"{what} names {name!r}, but the variables are {', '.join(known)}{nearest(str(name), known)}")
        if len(set(split)) < len(split):
            raise ValueError(f"{what} names a variable twice, got {names!r}: name each once")
        return [self.names.index(name) for name in split]

    def place(self, point: np.ndarray) -> dict[str, float]:
        """A point by names."""
        return {name: float(value) for name, value in zip(self.names, point, strict=True)}

    # ---- values ----

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The values at points (..., d): (...), NaN where a coordinate is NaN or there is no value; that is an error in a box."""
        every = np.ascontiguousarray(points, dtype=float).reshape(-1, len(self.names))
        asked = np.isfinite(every).all(1)
        flat = every[asked]
        self.evaluations += len(flat)
        found = np.concatenate([self._values(flat[k : k + BATCH]) for k in range(0, max(len(flat), 1), BATCH)])
        bad = ~np.isfinite(found)
        if bad.any() and self.strict:
            where = ", ".join(f"{name}={value:.6g}" for name, value in self.place(flat[bad.argmax()]).items())
            raise ValueError(
                f"{function_name(self.function)} is {found[bad][0]} at {where}: choose a domain inside which it is finite, or give points "
                "of its domain as an array (N, d); combinations of their coordinates that have no value are then left out"
            )
        values = np.full(len(every), np.nan)
        values[asked] = np.where(bad, np.nan, found)
        return values.reshape(points.shape[:-1])

    def _values(self, points: np.ndarray) -> np.ndarray:
        if not len(points):
            return np.zeros(0)
        if self._unsure:
            self._settle(points)
        return self._read(self._called(points), len(points))

    def _settle(self, points: np.ndarray) -> None:
        """A single argument that has a coordinate's name may still mean points: if the function does not work on that column alone."""
        self._unsure = False
        try:
            self._read(self._called(points), len(points))
        except (ValueError, TypeError):
            self._named = None
            try:
                self._read(self._called(points), len(points))
            except (ValueError, TypeError):
                self._named = False

    def _read(self, value: Any, count: int) -> np.ndarray:
        """What the function returned for ``count`` points as an array (count,), or an error that says what is wrong with it."""
        if isinstance(value, Mapping):
            if self.output not in value:
                raise ValueError(f"the function returns {', '.join(map(repr, value))}: choose one with output={next(iter(value))!r}")
            value = value[self.output]
        if type(value) in (int, float):  # a constant; no sum over all points, which is another type
            return np.full(count, float(value))
        found: np.ndarray = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        name = function_name(self.function)
        if found.dtype.kind not in "fiub":
            raise TypeError(f"{name} returns {found.dtype} values: give real ones, such as abs(f)")
        if found.dtype.kind == "f":
            self._epsilon = max(self._epsilon, float(np.finfo(found.dtype).eps))
        found = found.astype(float)
        if found.shape == (count,):
            return found
        if found.ndim == 2 and found.shape[0] == count:
            if found.shape[1] == 1 and self.output in (None, 0):
                return found[:, 0]
            if isinstance(self.output, int) and 0 <= self.output < found.shape[1]:
                return found[:, self.output]
            last = found.shape[1] - 1
            raise ValueError(f"{name} has {last + 1} outputs: choose one with output=0 to {last}, got output={self.output!r}")
        raise ValueError(
            f"{name} returns the shape {found.shape} for {count} points: it must be ({count},), or ({count}, outputs); it was called "
            f"{self._manner(count)}"
        )

    def _called(self, points: np.ndarray) -> Any:
        if isinstance(self.function, nn.Module):
            tensors = (*self.function.parameters(), *self.function.buffers())
            like = next((tensor for tensor in tensors if tensor.is_floating_point()), torch.zeros(0, dtype=torch.float64))
            with torch.no_grad():
                return self.function(torch.as_tensor(points, dtype=like.dtype, device=like.device))
        try:
            return self._on(points, self._tensors)
        except Exception as error:  # whatever a user's function does
            if not self._tensors and isinstance(error, (TypeError, AttributeError)):
                try:
                    value = self._on(points, True)
                    self._tensors = True
                    return value
                except Exception:  # then the first says what is wrong
                    pass
            ranges = ", ".join(f"{n} in [{a:.4g}, {b:.4g}]" for n, a, b in zip(self.names, points.min(0), points.max(0), strict=True))
            raise ValueError(
                f"{function_name(self.function)} raised {type(error).__name__} at {len(points)} points, {ranges}: {error}; it was called "
                f"{self._manner(len(points))}, and must take arrays and have values all over the domain"
            ) from error

    def _on(self, points: np.ndarray, tensors: bool) -> Any:
        if self._named is None:
            return self.function(torch.from_numpy(points) if tensors else points)
        columns = np.ascontiguousarray(points.T)
        given = dict(zip(self.names, map(torch.from_numpy, columns) if tensors else columns, strict=True))
        return self.function(**given) if self._named else call_by_name(self.function, given)

    def _manner(self, count: int) -> str:
        named = f"by name, {', '.join(f'{name}=({count},)' for name in self.names)}"
        return f"on an array of the shape ({count}, {len(self.names)})" if self._named is None else named

    # ---- noise ----

    @cached_property
    def noise(self) -> Noise:
        """How uncertain a value is, measured by sixth differences over very short lines (J. More and S. Wild, SIAM J. Sci. Comput. 33,
        1292, 2011): var(sixth difference) = 924 sigma^2. Of a smooth function they show nothing else than rounding or noise.
        """
        step = STEP * (self.upper - self.lower) * self.rng.choice((-1.0, 1.0), (LINES, len(self.names)))
        middle = self.draw(LINES)
        middle = np.clip(middle, self.lower + 3.001 * np.abs(step), self.upper - 3.001 * np.abs(step))
        values = self(middle[:, None] + np.arange(-3, 4)[:, None] * step[:, None])
        values = values[np.isfinite(values).all(1)]
        if not len(values):
            values = self(self.draw(LINES))[:, None].repeat(7, 1)
            values = values[np.isfinite(values).all(1)]
        scale = float(np.abs(values).max(initial=0.0)) or 1.0
        root = scale * math.sqrt(float(np.mean((values[:, 3] / scale) ** 2))) if len(values) else 0.0
        squares = np.sort((np.diff(values, 6, axis=1)[:, 0] / scale) ** 2 / 924)
        kept = squares[: max(1, len(squares) - 2)]  # a jump may lie in a line or two; 0.94: what is left of a Gaussian's squares
        own = scale * math.sqrt(float(kept.mean()) / 0.94) if len(kept) else 0.0
        least = float(self._epsilon) * root
        if self._given:
            return Noise(least, self._given, 0.0, getattr(self.function, "said", "as given"), smooth=own < 0.1 * self._given)
        if self._given == 0:
            return Noise(max(min(own, ROUNDED * least), least), 0.0, 0.0, "")
        if own <= ROUNDED * least:
            return Noise(max(own, least), 0.0, 0.0, "")
        doubt = float(kept.std() / kept.mean() / math.sqrt(len(kept)))
        return Noise(least, own, doubt, "measured by sixth differences of the values")


def _domain(domain: Any) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray | None]:
    """Names, bounds and, if it is given by them, points."""
    if isinstance(domain, (list, tuple)):
        domain = {f"x{number}": pair for number, pair in enumerate(domain, 1)}
    elif isinstance(domain, (np.ndarray, torch.Tensor)):
        if domain.ndim != 2:
            raise ValueError(f"points of a domain are an array (N, d), got the shape {tuple(domain.shape)}")
        domain = {f"x{number}": np.asarray(column) for number, column in enumerate(domain.T, 1)}
    if isinstance(domain, Mapping):
        if domain and all(isinstance(value, (np.ndarray, torch.Tensor)) for value in domain.values()):
            columns = [np.asarray(value, dtype=float).ravel() for value in domain.values()]
            if len({len(column) for column in columns}) > 1:
                raise ValueError(f"the columns of points have the lengths {', '.join(str(len(c)) for c in columns)}: they must be equal")
            points = np.stack(columns, 1)
            if len(points) < 2 or not np.isfinite(points).all():
                what = "are not all finite" if len(points) > 1 else f"are {len(points)}"
                raise ValueError(f"the points of the domain {what}: give at least two, better a thousand, finite ones")
            return tuple(domain), points.min(0), points.max(0), points
        domain = Box(**domain)
    if not isinstance(domain, Box):
        raise TypeError(f"the domain is a Box, pairs of bounds or points (N, d), as in Box(x=(0, 1), y=(0, 2)), got {domain!r}")
    return domain.names, np.array(domain.lower), np.array(domain.upper), None


def _takes_names(function: Callable[..., Any], names: Sequence[str]) -> bool | None:
    """True for a function of any coordinates by name, False for one of those that it lists, None for one of points."""
    if isinstance(function, (nn.Module, np.ufunc, Surrogate)):
        return None
    try:
        asked = argument_names(function)
    except (TypeError, ValueError) as error:  # *args or **kwargs; or a function in C, whose signature nobody knows
        return True if "**" in str(error) else None
    return False if asked and set(asked) <= set(names) else None
