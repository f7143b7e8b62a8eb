"""Collocation points: how many, how dense, and where the residual is large."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.network import Network
from kanpde.objective import equation_residuals
from kanpde.problem import Problem


@dataclass(frozen=True)
class Sampling:
    """How many collocation points: ``interior``, or by default ``per_parameter`` times the parameters (anew after each
    refinement), and ``per_side`` on each side, by default as dense as those inside but no more than four times as many in all.

    They are scrambled Sobol points carried to the density that fits the network's basis (arcsine for polynomials, knots for
    splines).
    """

    interior: int | None = None
    per_side: int | None = None
    per_parameter: float = 2.0

    def __post_init__(self) -> None:
        for name in ("interior", "per_side"):
            if getattr(self, name) is not None:
                whole_number(getattr(self, name), f"Sampling({name}=...)")
        if not (math.isfinite(self.per_parameter) and self.per_parameter > 0):
            raise ValueError(f"Sampling(per_parameter=...) must be positive, got {self.per_parameter!r}")

    def points(self, problem: Problem, network: Network, seed: int) -> dict[str, Tensor]:
        """Points by block, as :class:`~kanpde.objective.Objective` takes them."""
        box, like = problem.domain, network.lower
        if problem.data_points is not None:
            return {"equation": torch.as_tensor(problem.data_points, dtype=like.dtype, device=like.device)}
        count = self.interior or max(128, math.ceil(self.per_parameter * network.parameter_count / network.outputs))
        dense = math.ceil(1.5 * count ** ((len(box.names) - 1) / len(box.names)))
        sides = self.per_side or min(dense, math.ceil(4 * count / (2 * len(box.names))))
        found = {"equation": box.sample(count, network.quantiles, seed)}
        for condition in problem.soft:
            if not condition.satisfied_by(problem, network):
                found[condition.name] = condition.points(sides, network.quantiles, seed)
        return {name: torch.as_tensor(points, dtype=like.dtype, device=like.device) for name, points in found.items()}


def resampled(
    problem: Problem, network: Network, points: Mapping[str, Tensor], seed: int, *, candidates: int, power: float, floor: float
) -> dict[str, Tensor]:
    """``points`` with the interior ones drawn anew: as many, out of ``candidates`` times as many fresh ones, each with a probability
    proportional to |r|^power / mean |r|^power + floor, r the residual of the equation.
    """
    old = points["equation"]
    fresh = torch.as_tensor(problem.domain.sample(candidates * len(old), network.quantiles, seed), dtype=old.dtype, device=old.device)
    size = equation_residuals(problem, network, fresh).norm(dim=0).cpu().double().numpy() ** power
    size = np.where(np.isfinite(size), size, 0.0)
    weight = size / (size.mean() or 1.0) + floor
    if not weight.any():
        weight = np.ones_like(weight)
    # a few points of weight zero must not leave too few to choose from
    weight = np.maximum(weight, 1e-12 * weight.max())
    chosen = np.random.default_rng((seed, 1)).choice(len(fresh), len(old), replace=False, p=weight / weight.sum())
    return {**points, "equation": fresh[torch.as_tensor(np.sort(chosen), device=fresh.device)]}
