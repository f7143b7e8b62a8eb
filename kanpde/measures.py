"""Errors and residuals of a network on points that training never saw."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.fields import Field, coordinate_fields
from kanpde.functions import Constant
from kanpde.network import Network, uniform
from kanpde.objective import equation_residuals, outputs
from kanpde.pieces import Pieces
from kanpde.problem import Problem

logger = logging.getLogger("kanpde")

GRID = {1: 1001, 2: 201, 3: 41}  # points along each axis of the grid that errors are measured on
SCATTERED = 20_000  # and their number in more dimensions


def measure(
    problem: Problem, network: Network, trained: Tensor | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray | None, dict[str, np.ndarray], dict[str, Any]]:
    """Solution, reference, error and residual on a grid that training never saw, and the errors in numbers.

    Relative errors are over all unknowns together: L2 as |u_h - u| / |u|, H1 with the gradients added, both as sums over the grid
    (equally spaced, ends included; Sobol points beyond three dimensions), NaN where u is 0 on all of it; RMS and maximum error are
    absolute. Of slabs that were interrupted, errors are over the part that is solved; the rest is NaN. ``trained`` (n, d) are the
    collocation points, on which the residual's RMS is taken too. A problem of data measures itself at its rows (``problem.measured``);
    where its ``exact`` is known, the errors on the grid are added.
    """
    own = problem.measured(network)
    if own is not None:
        rows, arrays, metrics = own
        if problem.exact is not None:
            _, points, _, found = _on_grid(problem, network)
            metrics = {**metrics, **_errors(found, _truth(problem, problem.exact, points)), "grid_points": len(points)}
        return {}, rows, arrays, metrics
    box = problem.domain
    axes, points, shape, found = _on_grid(problem, network)
    where = torch.as_tensor(points, dtype=network.lower.dtype, device=network.lower.device)
    values = {name: by[()].cpu().double().numpy() for name, by in found.items()}
    arrays = {name: value.reshape(shape) for name, value in values.items()}
    metrics: dict[str, Any] = {}
    solved = ~np.isnan(points[:, 0])
    if isinstance(network, Pieces) and network.edges[-1] < box.upper[network.axis]:  # interrupted: the solution ends here
        solved = points[:, network.axis] <= network.edges[-1]
        metrics[f"solved_to_{box.names[network.axis]}"] = float(network.edges[-1])
    solution = problem.exact or problem.reference
    if solution is not None:
        truth = _truth(problem, solution, points)
        metrics |= _errors(*({name: {alpha: v[solved] for alpha, v in by.items()} for name, by in each.items()} for each in (found, truth)))
        for name, by in truth.items():
            arrays[f"exact_{name}"] = by[()].reshape(shape)
            arrays[f"error_{name}"] = arrays[name] - arrays[f"exact_{name}"]
    residuals = equation_residuals(problem, network, where).cpu().double().numpy()
    for number, residual in enumerate(residuals):
        arrays["residual" if len(residuals) == 1 else f"residual_{number}"] = residual.reshape(shape)
    metrics["residual_rms"] = _rms(residuals[:, solved])
    if trained is not None:
        metrics["residual_rms_training"] = _rms(equation_residuals(problem, network, trained).cpu().double().numpy())
    metrics["grid_points"] = int(solved.sum())
    return axes, None if axes else points, arrays, metrics


def _on_grid(problem: Problem, network: Network) -> tuple[dict[str, np.ndarray], np.ndarray, tuple[int, ...], dict[str, Any]]:
    """The grid's axes, if it has any, its points (n, d), the shape of fields on it, and the unknowns with their gradients there."""
    box = problem.domain
    d = len(box.names)
    axes = box.grid([GRID[d]] * d) if d in GRID else {}
    if axes:
        mesh = np.meshgrid(*axes.values(), indexing="ij")
        points, shape = np.stack([m.ravel() for m in mesh], 1), mesh[0].shape
    else:
        points = box.sample(SCATTERED, uniform, 7_000_003)
        shape = (len(points),)
    where = torch.as_tensor(points, dtype=network.lower.dtype, device=network.lower.device)
    return axes, points, shape, outputs(problem, network, where, [(), *((axis,) for axis in range(d))])


def _truth(problem: Problem, solution: Callable[..., Any], points: np.ndarray) -> dict[str, dict[tuple[int, ...], np.ndarray]]:
    """The reference's values, and its gradient where it is written in functions whose derivatives are known."""
    names, n = problem.domain.names, len(points)
    columns = [np.ascontiguousarray(column) for column in points.T]
    found: dict[str, dict[tuple[int, ...], np.ndarray]] = {}
    values = problem.solution(solution, dict(zip(names, columns, strict=True)))
    for name, value in values.items():
        found[name] = {(): np.array(np.broadcast_to(np.asarray(value, dtype=float), n))}
    try:
        for name, value in problem.solution(solution, coordinate_fields(names, columns)).items():
            if not isinstance(value, (Field, Real, Constant)):
                raise TypeError(f"{name} is a {type(value).__name__}")  # an array: how it depends on the coordinates is lost
            for axis in range(len(names)):
                slope = value.partial((axis,)) if isinstance(value, Field) else 0.0
                found[name][(axis,)] = np.array(np.broadcast_to(np.asarray(slope, dtype=float), n))
    except (TypeError, AttributeError, ValueError) as error:
        logger.info("no H1 error: the gradient of %s is not known (%s)", solution, error)
        found = {name: {(): by[()]} for name, by in found.items()}
    return found


def _errors(found: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, float]:
    def sums(kinds: Sequence[tuple[int, ...]]) -> float:
        pairs = [(found[name][a].cpu().double().numpy(), by[a]) for name, by in truth.items() for a in kinds]
        size = sum(float(np.sum(right**2)) for _, right in pairs)
        return math.sqrt(sum(float(np.sum((left - right) ** 2)) for left, right in pairs) / size) if size else math.nan

    derivatives = list(next(iter(truth.values())))
    differences = [found[name][()].cpu().double().numpy() - by[()] for name, by in truth.items()]
    errors = {
        "relative_l2": sums([()]),
        "relative_h1": sums(derivatives) if len(derivatives) > 1 else math.nan,
        "rms_error": _rms(differences),
        "max_error": max(float(np.max(np.abs(difference))) for difference in differences),
        "mse": float(np.mean(np.square(differences))),
    }
    return errors


def _rms(arrays: np.ndarray | Sequence[np.ndarray]) -> float:
    return float(np.sqrt(np.mean(np.square(arrays))))
