"""Solutions that change along one direction only, travelling waves among them: u = f(w . x).

Where the gradients at all points are parallel to one w, f is read off along a line in that direction, and its exponentials and sines are
those of :mod:`kanpde.discovery.solutions.products`.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import sympy

from kanpde.discovery.solutions.products import POINTS, Factor, Sampled, exponentials
from kanpde.discovery.solutions.proposals import Names, Proposal
from kanpde.domains import Box, sobol

STEP = 1e-4  # of the range of a coordinate, for differences
PARALLEL = 1e-3


def ridges(box: Box, unknowns: Sequence[str], sampled: Sampled) -> Iterator[Proposal]:
    """A proposal if every unknown is a ridge of exponentials and sines, and there is more than one coordinate."""
    if len(box.names) < 2:
        return
    low, high = np.array(box.lower), np.array(box.upper)
    names, expressions = Names(), {}
    for unknown in unknowns:
        direction = _direction(low, high, unknown, sampled, box)
        if direction is None:
            return
        reach = float(np.min(0.5 * (high - low) / np.maximum(np.abs(direction), 1e-300)))
        s = np.linspace(-reach, reach, POINTS)
        points = 0.5 * (low + high) + s[:, None] * direction
        values = np.asarray(sampled(dict(zip(box.names, points.T, strict=True)))[unknown])
        # along w, w . x grows by w . w a unit of s
        start = float(0.5 * (low + high) @ direction)
        spaces = exponentials(start + s * float(direction @ direction), values[:, None], False)
        if not spaces:
            return
        expressions[unknown] = _written(names, box, direction, start + s * float(direction @ direction), values, spaces[0].factors)
    yield Proposal(expressions, names.values, "a function of one direction")


def _direction(low: np.ndarray, high: np.ndarray, unknown: str, sampled: Sampled, box: Box) -> np.ndarray | None:
    """w with largest component 1, if gradients (in units of the ranges) are parallel."""
    points = low + (high - low) * (STEP + (1 - 2 * STEP) * sobol(64, len(low), 5))
    columns = []
    for axis in range(len(low)):
        step = np.zeros(len(low))
        step[axis] = STEP * (high[axis] - low[axis])
        ends = [np.asarray(sampled(dict(zip(box.names, (points + sign * step).T, strict=True)))[unknown]) for sign in (1, -1)]
        columns.append((ends[0] - ends[1]) / (2 * STEP))
    _, singular, right = np.linalg.svd(np.stack(columns, 1), full_matrices=False)
    if not singular[0] > 0 or singular[1] > PARALLEL * singular[0]:
        return None
    direction = right[0] / (high - low)
    if np.sum(np.abs(right[0]) > 1e-4) < 2:
        return None  # a function of one coordinate, which needs no direction
    return direction / direction[np.argmax(np.abs(direction))]


def _written(names: Names, box: Box, direction: np.ndarray, z: np.ndarray, values: np.ndarray, factors: Sequence[Factor]) -> sympy.Expr:
    table = np.stack([factor.values(z) for factor in factors], 1)
    size = np.linalg.norm(table, axis=0)
    coefficients = np.linalg.lstsq(table / size, values, rcond=None)[0] / size
    lead, letters = int(np.argmax(np.abs(direction))), {}
    where = [sympy.Symbol(name, real=True) for name in box.names]
    ratios: dict[int, sympy.Symbol] = {}
    waves = len({(f.rate, f.frequency) for f in factors if not f.constant})

    def along(kind: str, value: float) -> sympy.Expr:
        """value times w . x: for a single wave a constant for each coordinate, else one for each ratio and one for the wave."""
        if (kind, value) not in letters:
            used = [k for k in range(len(where)) if abs(direction[k]) > 1e-12]
            if waves == 1:
                letters[kind, value] = sympy.Add(*(names.new(value * direction[k]) * where[k] for k in used))
            else:
                for k in used:
                    if k != lead and k not in ratios:
                        ratios[k] = names.new(direction[k])
                inner = where[lead] + sympy.Add(*(ratios[k] * where[k] for k in used if k != lead))
                letters[kind, value] = sympy.expand(names.new(value) * inner)
        return letters[kind, value]

    total = sympy.S.Zero
    for coefficient, factor in zip(coefficients, factors, strict=True):
        if abs(coefficient) * np.sqrt(np.mean(factor.values(z) ** 2)) < 1e-6 * np.sqrt(np.mean(values**2)):
            continue
        term = names.new(coefficient)
        if factor.power:
            term = term * along("power", 1.0) ** factor.power
        if factor.rate:
            term = term * sympy.exp(along("rate", factor.rate))
        if factor.wave:
            term = term * getattr(sympy, factor.wave)(along("frequency", factor.frequency))
        total = total + term
    return total
