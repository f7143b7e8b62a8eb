"""Invariance of a function under transformations of its points: shifts, scalings, rotations, exchanges, reflections, a user's own."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kanpde.arguments import real_number
from kanpde.calls import argument_names
from kanpde.functions import Constant
from kanpde.structure.findings import FAILS, Finding, count_of, found, scored
from kanpde.structure.sampled import Domain, Sampled

ROUNDS = 32  # of points drawn, until enough of them stay in the domain
OUTSIDE = "too few points stay in the domain when they are transformed"


class Transformation(Protocol):
    """A map of points. ``family`` says whether it has a random parameter, one for each point; ``str`` says what it does."""

    @property
    def family(self) -> bool: ...

    def moved(self, sampled: Sampled, points: np.ndarray) -> np.ndarray:
        """The images of points (N, d): (N, d)."""
        ...


def _number(value: Any, name: str) -> float:
    """A finite number, constants such as pi included."""
    return real_number(float(value) if isinstance(value, Constant) else value, name)


class _Amounts:
    """Numbers by coordinate."""

    def _set(self, amounts: Mapping[str, Any], example: str) -> None:
        name = type(self).__name__
        if not amounts:
            raise ValueError(f"{name} needs numbers by coordinate, as in {example}")
        numbers = {key: _number(value, f"{name}({key}=...)") for key, value in amounts.items()}
        if not any(numbers.values()):
            raise ValueError(f"{self._text(numbers)} moves nothing: give a number other than 0")
        object.__setattr__(self, "amounts", numbers)

    def _text(self, numbers: Mapping[str, float]) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value:.6g}' for key, value in numbers.items())})"

    def __repr__(self) -> str:
        return self._text(self.amounts)  # type: ignore[attr-defined]

    def _vector(self, sampled: Sampled) -> np.ndarray:
        amounts: Mapping[str, float] = self.amounts  # type: ignore[attr-defined]
        vector = np.zeros(len(sampled.names))
        vector[sampled.axes(list(amounts), repr(self))] = list(amounts.values())
        return vector


@dataclass(frozen=True, init=False, repr=False)
class Shift(_Amounts):
    """x -> x + amount, ``Shift(x=2 * pi)``: a fixed step, so that invariance is periodicity."""

    amounts: dict[str, float]
    family = False

    def __init__(self, **amounts: Any) -> None:
        self._set(amounts, "Shift(x=1)")

    def moved(self, sampled: Sampled, points: np.ndarray) -> np.ndarray:
        return points + self._vector(sampled)


@dataclass(frozen=True, init=False, repr=False)
class Translate(_Amounts):
    """x -> x + c direction for any number c, ``Translate(x=1, y=1)``: invariant are functions of x - y."""

    amounts: dict[str, float]
    family = True

    def __init__(self, **direction: Any) -> None:
        self._set(direction, "Translate(x=1, y=1)")

    def moved(self, sampled: Sampled, points: np.ndarray) -> np.ndarray:
        direction = self._vector(sampled)
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.stack([(bound - points) / direction for bound in (sampled.lower, sampled.upper)])
        ends = np.where(direction == 0, np.array([-np.inf, np.inf])[:, None, None], np.sort(ends, 0))
        low, high = ends[0].max(1), ends[1].min(1)
        return points + (low + (high - low) * sampled.rng.random(len(points)))[:, None] * direction


@dataclass(frozen=True, init=False, repr=False)
class Scale(_Amounts):
    """x -> c^weight x for any c between 1/2 and 2, ``Scale(x=1, t=2)``: invariant are functions of x^2/t."""

    amounts: dict[str, float]
    family = True

    def __init__(self, **weights: Any) -> None:
        self._set(weights, "Scale(x=1, t=2)")

    def moved(self, sampled: Sampled, points: np.ndarray) -> np.ndarray:
        return points * np.exp(self.logarithms(sampled, len(points))[:, None] * self._vector(sampled))

    def logarithms(self, sampled: Sampled, count: int) -> np.ndarray:
        """log c, independent, (count,)."""
        return sampled.rng.uniform(-math.log(2), math.log(2), count)


@dataclass(frozen=True)
class Rotate:
    """Any rotation in the plane of two coordinates about a point, ``Rotate("x", "y")``: invariant are functions of x^2 + y^2."""

    first: str
    second: str
    about: tuple[float, float] = (0.0, 0.0)
    family = True

    def __repr__(self) -> str:
        return f"Rotate({self.first!r}, {self.second!r}{f', about={self.about}' if any(self.about) else ''})"

    def moved(self, sampled: Sampled, points: np.ndarray) -> np.ndarray:
        axes = sampled.axes([self.first, self.second], repr(self))
        x, y = (points[:, axis] - centre for axis, centre in zip(axes, self.about, strict=True))
        angle = sampled.rng.uniform(0, 2 * math.pi, len(points))
        moved = points.copy()
        moved[:, axes[0]] = self.about[0] + np.cos(angle) * x - np.sin(angle) * y
        moved[:, axes[1]] = self.about[1] + np.sin(angle) * x + np.cos(angle) * y
        return moved


@dataclass(frozen=True)
class Exchange:
    """The values of two coordinates exchanged, ``Exchange("x", "y")``."""

    first: str
    second: str
    family = False

    def __repr__(self) -> str:
        return f"Exchange({self.first!r}, {self.second!r})"

    def moved(self, sampled: Sampled, points: np.ndarray) -> np.ndarray:
        axes = sampled.axes([self.first, self.second], repr(self))
        moved = points.copy()
        moved[:, axes] = points[:, axes[::-1]]
        return moved


@dataclass(frozen=True, init=False, repr=False)
class Reflect:
    """x -> 2 about - x for the coordinates named, all at once: ``Reflect("x")``, ``Reflect("x", "y", about=0.5)``."""

    names: tuple[str, ...]
    about: float
    family = False

    def __init__(self, *names: str, about: float = 0.0) -> None:
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "about", _number(about, "Reflect(about=...)"))

    def __repr__(self) -> str:
        return f"Reflect({', '.join(map(repr, self.names))}{f', about={self.about:g}' if self.about else ''})"

    def moved(self, sampled: Sampled, points: np.ndarray) -> np.ndarray:
        axes = sampled.axes(list(self.names), repr(self))
        moved = points.copy()
        moved[:, axes] = 2 * self.about - points[:, axes]
        return moved


@dataclass(frozen=True)
class _Own:
    """A user's function of points (N, d) to (N, d), or of some coordinates by name to a tuple of them."""

    function: Callable[..., Any]
    family = False

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", "<lambda>")
        return "the given map" if name == "<lambda>" else name

    def moved(self, sampled: Sampled, points: np.ndarray) -> np.ndarray:
        try:
            asked = argument_names(self.function)
        except (TypeError, ValueError):
            asked = ()
        if asked and set(asked) <= set(sampled.names):
            try:
                return self._by_name(sampled, points, asked)
            except (IndexError, TypeError, ValueError):
                if len(asked) > 1 or len(sampled.names) == 1:  # a single argument may still mean points
                    raise
        images = np.asarray(self.function(points), dtype=float)
        if images.shape != points.shape:
            raise ValueError(
                f"{self} maps points of the shape {points.shape} to {images.shape}: it must return their images, of the same shape"
            )
        return images

    def _by_name(self, sampled: Sampled, points: np.ndarray, asked: Sequence[str]) -> np.ndarray:
        moved, axes = points.copy(), sampled.axes(asked, repr(self))
        images = self.function(*points[:, axes].T)
        images = images if isinstance(images, tuple) else (images,)
        if len(images) != len(asked):
            raise ValueError(f"{self} takes {', '.join(asked)} and returns {len(images)} values: return a tuple of their images")
        for axis, image in zip(axes, images, strict=True):
            moved[:, axis] = image
        return moved


def invariance(
    function: Any,
    domain: Domain,
    under: Transformation | Callable[..., Any],
    *,
    factor: float = 1.0,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> Finding:
    """Whether f(T x) = f(x), or ``factor`` f(x), under a transformation T: Shift, Translate, Scale, Rotate, Exchange, Reflect, or your own.

    With D = f(T x) - factor f(x) at random x whose images T x lie in the domain too: score = sqrt(E D^2 / (4 var f)) for one T, which is
    1 where f(T x) is -f(x) about its mean; sqrt(E D^2 / (2 var f)) for a family with a random parameter, about 1 where f varies under it
    as at large. var f is that of f(x) and f(T x) together, with a factor other than 1 the mean square of both. ``factor=-1`` with
    ``Reflect("x")`` tests for odd functions.

    Your own T is a function of points (N, d) to (N, d), or of coordinates by name to a tuple of their images, ``lambda x, y: (y, -x)``.
    Other arguments as in :func:`~kanpde.structure.additive_separability`. Raises ``ValueError`` where hardly a point stays in the domain.
    """
    sampled = Sampled(function, domain, output=output, noise=noise, seed=seed)
    if hasattr(under, "moved"):
        transformation: Any = under
    elif callable(under):
        transformation = _Own(under)
    else:
        raise TypeError(f"under= takes a transformation such as Exchange('x', 'y'), or a function of points, got {under!r}")
    factor = _number(factor, "factor")
    first, second = pairs(sampled, lambda drawn: transformation.moved(sampled, drawn), count_of(points), repr(transformation))
    values = np.stack([factor * sampled(first), sampled(second)], 1)
    squares = (2, 1) if transformation.family else (4, 2)
    gain = (1 + factor**2) / squares[0]
    about_mean = factor == 1.0
    defects = values[:, 1] - values[:, 0]
    score = scored(sampled, defects / math.sqrt(squares[0]), values, gain=gain, about_mean=about_mean, missing=OUTSIDE)
    claim = f"f(T x) = {'' if factor == 1 else '-' if factor == -1 else f'{factor:g} '}f(x), T = {transformation!r}"
    return found(sampled, claim, score, defects, first)


def periodicity(
    function: Any,
    domain: Domain,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 1000,
    seed: int = 0,
    **period: Any,
) -> Finding:
    """Whether f has a given period, ``periodicity(f, box, x=2 * pi)``: :func:`invariance` under ``Shift(x=2 * pi)``.

    The domain must be longer than the period, which else is an error: there is nothing to compare.
    """
    return invariance(function, domain, Shift(**period), output=output, noise=noise, points=points, seed=seed)


@dataclass(frozen=True, repr=False)
class Homogeneity(Finding):
    """A finding about f(c x) = c^degree f(x), with the degree and its standard error (0 if it was given)."""

    degree: float = math.nan
    degree_sigma: float = math.nan

    def __str__(self) -> str:
        return f"{super().__str__()}\n  degree {self.degree:.10g} +- {self.degree_sigma:.1g}"

    __repr__ = __str__


def homogeneity(
    function: Any,
    domain: Domain,
    weights: Mapping[str, float] | None = None,
    *,
    degree: float | None = None,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> Homogeneity:
    """Whether f(c^w1 x1, c^w2 x2, ...) = c^k f(x) for c > 0, with weights w by coordinate (1 for all if none are given; 0 if others are).

    The degree k is the one that minimises sum D^2 with D = c^(-k/2) f(c x) - c^(k/2) f(x), found by Gauss-Newton steps from the median of
    log |f(c x)/f(x)| / log c, with the standard error of that regression; or it is given. score = sqrt(E D^2 / (2 E f^2)), about 1 where
    nothing of the kind holds; 0 is also the score of a constant, with k = 0.

    Other arguments as in :func:`~kanpde.structure.additive_separability`. Raises ``ValueError`` where hardly a point stays in the domain.
    """
    sampled = Sampled(function, domain, output=output, noise=noise, seed=seed)
    scale = Scale(**(weights if weights is not None else dict.fromkeys(sampled.names, 1.0)))
    vector = scale._vector(sampled)
    axis = int(np.abs(vector).argmax())
    first, second = pairs(sampled, lambda drawn: scale.moved(sampled, drawn), count_of(points), repr(scale))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(second[:, axis] / first[:, axis]) / vector[axis]
    before, after = sampled(first), sampled(second)
    known = np.isfinite(before) & np.isfinite(after) & np.isfinite(logs)
    k, error = (_number(degree, "degree"), 0.0) if degree is not None else _degree(before[known], after[known], logs[known], sampled)
    values = np.stack([np.exp(0.5 * k * logs) * before, np.exp(-0.5 * k * logs) * after], 1)
    defects = values[:, 1] - values[:, 0]
    score = scored(sampled, defects / math.sqrt(2), values, gain=np.cosh(k * logs), about_mean=False, missing=OUTSIDE)
    every = vars(found(sampled, f"f(c x) = c^{k:.6g} f(x), x -> c x = {scale!r}", score, defects, first))
    if degree is None and score.verdict == FAILS:
        error = math.nan
    return Homogeneity(**every, degree=k, degree_sigma=error)


def _degree(before: np.ndarray, after: np.ndarray, logs: np.ndarray, sampled: Sampled) -> tuple[float, float]:
    """The degree, and its standard error."""
    size = max(float(np.abs(before).max(initial=0)), float(np.abs(after).max(initial=0))) or 1.0
    u, v = before / size, after / size
    usable = (u * v > 0) & (np.abs(logs) > 0.05)
    k = float(np.median(np.log(v[usable] / u[usable]) / logs[usable])) if usable.any() else 0.0
    k = min(max(k, -100.0), 100.0)
    error = math.nan
    for _ in range(20):
        left, right = np.exp(0.5 * k * logs) * u, np.exp(-0.5 * k * logs) * v
        slope, defect = 0.5 * logs * (left + right), right - left
        curvature = float(slope @ slope)
        if curvature == 0:
            return k, error
        step = float(slope @ defect) / curvature
        own = np.finfo(float).eps * max(abs(k), 1.0) + sampled.noise.rounding / size / math.sqrt(curvature)
        error = math.hypot(math.sqrt(float(slope**2 @ defect**2)) / curvature, own)
        k += min(max(step, -1.0), 1.0)
        if abs(step) <= 1e-15 * max(abs(k), 1.0):
            break
    return k, error


def pairs(sampled: Sampled, moved: Callable[[np.ndarray], np.ndarray], count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Random points and their images, both in the domain: (n, d) twice, n <= count; ``ValueError`` if there are hardly any."""
    firsts, seconds, total, tried = [], [], 0, 0
    for _ in range(ROUNDS):
        first = sampled.draw(count)
        second = moved(first)
        kept = sampled.inside(second) & np.isfinite(second).all(1)
        firsts.append(first[kept])
        seconds.append(np.clip(second[kept], sampled.lower, sampled.upper))
        total, tried = total + int(kept.sum()), tried + count
        if total >= count:
            break
    if total < 30:
        bounds = ", ".join(f"{n} in [{a:.4g}, {b:.4g}]" for n, a, b in zip(sampled.names, sampled.lower, sampled.upper, strict=True))
        raise ValueError(
            f"{name} leaves {total} of {tried} points in the domain, {bounds}: there is nothing to compare; take a larger domain, or "
            "one that the transformation maps to itself"
        )
    return np.concatenate(firsts)[:count], np.concatenate(seconds)[:count]
