"""Formulas with constants and their numbers: what is proposed for a solution, and refined on samples of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from kanpde.functions import lambdified


@dataclass(frozen=True)
class Proposal:
    """``expressions`` by unknown in the coordinates and in constants, whose numbers ``values`` has; ``kind`` says where it comes from."""

    expressions: Mapping[str, Any]
    values: Mapping[str, float]
    kind: str


class Names:
    """Constants c1, c2, ... with their numbers, for one proposal."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def new(self, value: float) -> sympy.Symbol:
        name = f"c{len(self.values) + 1}"
        self.values[name] = float(value)
        return sympy.Symbol(name, real=True)


@dataclass(frozen=True)
class Refined:
    """A proposal whose constants are fitted: ``rms`` of the misfit over that of the samples, ``sigmas`` by J'J."""

    proposal: Proposal
    rms: float
    sigmas: Mapping[str, float]


def refined(proposal: Proposal, points: Mapping[str, np.ndarray], samples: Mapping[str, np.ndarray], *, steps: int = 40) -> Refined:
    """The constants that are best in the least-squares sense, each unknown in units of its root mean square.

    ``points`` are coordinates (n,) by name, ``samples`` values (n,) by unknown. Constants that no digit depends on stay as they are.
    """
    from scipy.optimize import least_squares

    names = list(proposal.values)
    start = np.array([proposal.values[name] for name in names])
    symbols = [sympy.Symbol(name, real=True) for name in [*points, *names]]
    scales = {name: float(np.sqrt(np.mean(values**2))) or 1.0 for name, values in samples.items()}
    functions = {name: _with_derivatives(expression, symbols, len(names)) for name, expression in proposal.expressions.items()}
    columns = list(points.values())

    def evaluated(constants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        residuals, rows = [], []
        with np.errstate(all="ignore"):
            for name, function in functions.items():
                value, slopes = function(columns, constants)
                residuals.append((value - samples[name]) / scales[name])
                rows.append(slopes / scales[name])
        return np.nan_to_num(np.concatenate(residuals), nan=1e6, posinf=1e6, neginf=-1e6), np.nan_to_num(np.concatenate(rows, 1)).T

    best, jacobian = start, evaluated(start)[1]
    if names:
        units = np.maximum(np.abs(start), 1e-3)

        def slopes(y: np.ndarray) -> Any:
            return evaluated(y * units)[1] * units

        jac: Any = slopes
        found = least_squares(
            lambda y: evaluated(y * units)[0], start / units, jac=jac, method="trf", x_scale="jac",
            max_nfev=steps, ftol=1e-15, xtol=1e-15, gtol=1e-15,
        )  # fmt: skip
        if found.cost <= 0.5 * float(np.sum(evaluated(start)[0] ** 2)):
            best, jacobian = found.x * units, found.jac / units
    residual = evaluated(best)[0]
    rms = float(np.sqrt(np.mean(residual**2)))
    values = {name: float(value) for name, value in zip(names, best, strict=True)}
    return Refined(Proposal(proposal.expressions, values, proposal.kind), rms, dict(zip(names, _sigmas(jacobian, rms), strict=True)))


def _with_derivatives(expression: Any, symbols: Sequence[Any], constants: int) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """(values (n,), derivatives by the constants (constants, n)) as a function of columns and constants."""
    own = symbols[len(symbols) - constants :]
    used = [place for place, symbol in enumerate(own) if expression.has(symbol)]
    parts = [expression, *(sympy.diff(expression, own[place]) for place in used)]
    replaced: Any
    reduced: Any
    replaced, reduced = sympy.cse(parts, symbols=sympy.numbered_symbols("_s", real=True))
    function = lambdified_with(symbols, replaced, reduced)

    def evaluate(columns: Sequence[np.ndarray], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = function(*columns, *values)
        n = len(columns[0])
        slopes = np.zeros((constants, n))
        for place, slope in zip(used, found[1:], strict=True):
            slopes[place] = np.broadcast_to(slope, n)
        return np.broadcast_to(np.asarray(found[0], dtype=float), n), slopes

    return evaluate


def lambdified_with(symbols: Sequence[Any], replaced: Sequence[tuple[Any, Any]], reduced: Sequence[Any]) -> Callable[..., list[Any]]:
    """Expressions with common parts as one NumPy function."""
    steps, known = [], list(symbols)
    for symbol, part in replaced:
        steps.append(lambdified(known, part, ["scipy", "numpy"]))
        known.append(symbol)
    last = [lambdified(known, part, ["scipy", "numpy"]) for part in reduced]

    def evaluate(*values: Any) -> list[Any]:
        held = list(values)
        for step in steps:
            held.append(step(*held))
        return [function(*held) for function in last]

    return evaluate


def _sigmas(jacobian: np.ndarray, rms: float) -> list[float]:
    """Standard deviations of the constants; infinite along directions that the samples say nothing of."""
    if not jacobian.shape[1]:
        return []
    scale = np.linalg.norm(jacobian, axis=0)
    scale[scale == 0] = 1e-300
    _, singular, right = np.linalg.svd(jacobian / scale, full_matrices=False)
    with np.errstate(all="ignore"):
        spread = np.sqrt(np.sum((right.T / np.maximum(singular, 1e-14 * singular[0])) ** 2, 1)) / scale
    return [float(each * rms) for each in spread]
