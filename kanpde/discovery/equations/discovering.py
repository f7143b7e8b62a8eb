"""An evolution equation from scattered, noisy samples of its solution.

1. Smoothing splines, whose penalty and mesh the data choose, take off the noise (``denoising``).
2. Weak-form regression on the smooth field proposes terms (``weak_form``).
3. Field and coefficients are fitted to the samples together, with the equation as a constraint (``inverse``); terms come and go by
   description length until none is better, on meshes as fine as the constants need (``subsets``).
4. The law is tried on samples that were left out, against the smoothing spline, and gets its verdict (``verdicts``).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kanpde.arguments import real_number, whole_number
from kanpde.discovery.equations.denoising import Samples, denoised
from kanpde.discovery.equations.subsets import search
from kanpde.discovery.equations.tensor import one_thread
from kanpde.discovery.equations.terms import Language, check_independent, library, written
from kanpde.discovery.equations.verdicts import judged, nothing
from kanpde.symbolic.law import Law
from kanpde.symbolic.samples import FEWEST_SCATTERED, real_numbers

logger = logging.getLogger("kanpde")

DISTINCT = 6  # values of every coordinate
HIGHEST, POWER = 5, 5  # derivative and power of the library, at most
LARGEST = 1e20  # size of the field and of a coordinate's range, and one over the least: squares of u^5 u_xxxxx must be numbers


def discover_pde(
    coordinates: Mapping[str, ArrayLike] | Sequence[ArrayLike],
    u: ArrayLike,
    *,
    name: str = "u",
    time: str = "t",
    terms: Iterable[Any] | str = (),
    order: int | None = None,
    power: int = 2,
    polynomials: bool = True,
    most: int = 4,
    seconds: float = 60,
) -> Law:
    """The law u_t = sum_j theta_j T_j(u, u_x, ...) of scattered samples of u, as a :class:`~kanpde.symbolic.law.Law` of kind "equation".

    ``coordinates`` are columns (N,) by name, ``{"x": x, "t": t}``, one of them named ``time``, or without names (x, t), (x, y, t); ``u``
    are the measured values (N,), with noise of one unknown standard deviation. The points may lie anywhere, and nothing is supposed of
    boundaries.

    Candidate terms are u^a and u^a times derivatives up to ``order`` (4, or 2 in the plane) with a <= ``power``, squares of first
    derivatives, and the user's own ``terms``: texts (``"sin(u)"``, ``"u/(1 + u)"``, ``"x*u_x"``), sympy expressions, or functions of the
    field (``lambda u: sin(u) * u.x``). ``polynomials=False`` leaves only the user's. At most ``most`` terms are combined; after about
    ``seconds`` nothing new is tried.

    The constants of the law carry the standard deviation of the inverse problem in which field and coefficients are fitted together, and
    are snapped to simple numbers where it is unlikely that one would be as near by chance.

    Raises ``ValueError`` and ``TypeError`` for bad input, before anything is computed.
    """
    language, points, values = _columns(coordinates, u, name, time)
    dimensions = len(language.space)
    order = (4 if dimensions == 1 else 2) if order is None else whole_number(order, "order")
    if order > HIGHEST:
        raise ValueError(f"order, the highest derivative of the library, may be at most {HIGHEST}, got {order}")
    power, most = whole_number(power, "power", least=0), whole_number(most, "most")
    if power > POWER:
        told = "give higher ones by themselves, as in terms=['u**7*u_x']"
        raise ValueError(f"power, the highest of {name} in the library, may be at most {POWER}, got {power}: {told}")
    seconds = real_number(seconds, "seconds", above=0)
    own = written(terms, language)
    candidates = (library(language, order, power) if polynomials else []) + own
    if not candidates:
        raise ValueError("there is no term to look for: give some in terms, or leave polynomials=True")
    by_name = dict(zip((*language.space, language.time), points, strict=True))
    check_independent(candidates, values, by_name)
    samples = Samples(points, values)
    with one_thread():
        smooth = denoised(samples)
        if reason := nothing(smooth):
            return _no_law(language, smooth.noise, reason)
        found, shift = search(smooth, language, candidates, most=min(most, len(candidates)), seconds=seconds)
        return judged(found, shift, smooth, language)


def _no_law(language: Language, noise: float, reason: str) -> Law:
    return Law((*language.space, language.time), {}, (), "no law", reason, noise, noise, 0.0, kind="equation")


def _columns(
    coordinates: Mapping[str, ArrayLike] | Sequence[ArrayLike], u: ArrayLike, name: str, time: str
) -> tuple[Language, np.ndarray, np.ndarray]:
    """The names, and the columns: space, then time (d, N), and u (N,)."""
    if not isinstance(coordinates, Mapping):
        if isinstance(coordinates, str) or not isinstance(coordinates, Iterable):
            raise TypeError(f"coordinates are columns by name, such as {{'x': x, 't': t}}, or (x, t), got {coordinates!r:.80}")
        columns = list(coordinates)
        if not 2 <= len(columns) <= 3:
            raise ValueError(
                f"coordinates without names are (x, t) or (x, y, t), got {len(columns)} columns; name them: {{'x': x, 't': t}}"
            )
        coordinates = dict(zip((*"xy"[: len(columns) - 1], time), columns, strict=True))
    for label in (*coordinates, name):
        if not isinstance(label, str) or not label.isidentifier():
            raise ValueError(f"names of coordinates and of the field are words such as 'x', got {label!r}")
    if time not in coordinates:
        raise ValueError(
            f"there is no time among the coordinates {', '.join(coordinates)}: name the column {time!r}, or say which with time="
        )
    space = tuple(label for label in coordinates if label != time)
    if name in coordinates:
        raise ValueError(f"{name!r} names both the field and a coordinate: choose another with name=")
    if not 1 <= len(space) <= 2:
        raise ValueError(f"there must be one coordinate of space or two beside {time!r}, got {', '.join(space) or 'none'}")
    language = Language(name, space, time)
    if clash := sorted({*space, time} & set(language.derivatives)):
        raise ValueError(f"the coordinate {clash[0]!r} has the name of a derivative of {name}: choose another")
    given = {label: _column(coordinates[label], label) for label in (*space, time)} | {name: _column(u, name)}
    lengths = {label: len(column) for label, column in given.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns differ in length: {', '.join(f'{label} has {n}' for label, n in lengths.items())}")
    count = lengths[name]
    if count < FEWEST_SCATTERED:
        raise ValueError(f"{count} samples are too few to find an equation: give {FEWEST_SCATTERED} or more, better a thousand")
    for label, column in given.items():
        size = float(np.abs(column).max() if label == name else np.ptp(column))
        if size and not 1 / LARGEST <= size <= LARGEST:
            what = label if label == name else f"the range of {label}"
            told = f"give it in units in which that is between {1 / LARGEST:.0e} and {LARGEST:.0e}"
            raise ValueError(f"{what} is of the size of {size:.1e}: {told}")
    for label in (*space, time):
        if (distinct := len(np.unique(given[label]))) < DISTINCT:
            raise ValueError(
                f"the samples have {distinct} different values of {label}: {DISTINCT} are needed to see how {name} depends on it"
            )
    if not np.ptp(given[name]) > 1e-12 * np.abs(given[name]).max():
        raise ValueError(f"{name} is the same in all samples, {given[name][0]:g}: there is nothing to explain")
    points = np.stack([given[label] for label in (*space, time)])
    alike = np.abs(np.triu(np.corrcoef(points), 1)) > 1 - 1e-12
    if alike.any():
        one, other = ((*space, time)[int(k)] for k in np.argwhere(alike)[0])
        raise ValueError(f"the coordinates {one} and {other} are one, up to a straight line: the samples must be spread over both")
    return language, points, given[name]


def _column(values: ArrayLike, label: str) -> np.ndarray:
    if np.asarray(values).dtype == bool:
        raise TypeError(f"the column {label} is of true and false: an equation is about numbers that change smoothly")
    column = real_numbers(values, f"the column {label}")
    if column.ndim != 1:
        raise ValueError(
            f"the column {label} must have the shape (N,), got {column.shape}: flatten grids, as in np.meshgrid(...)[0].ravel()"
        )
    if not np.isfinite(column).all():
        place = int(np.flatnonzero(~np.isfinite(column))[0])
        raise ValueError(f"the column {label} has {column[place]} at place {place}: leave such samples out")
    return column
