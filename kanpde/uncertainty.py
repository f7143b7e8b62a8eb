"""Unknown coefficients after training: the estimate and its standard deviation.

The solution minimises |r|^2 over all parameters, so that noise e in the rows moves it by -(J'J)^-1 J'e. With the network's
own parameters eliminated (Q an orthonormal basis of their columns of J; Frisch and Waugh, Econometrica 1, 1933),

    G = (1 - Q Q') J_c,     covariance of the coefficients = (G'G)^-1 G' S G (G'G)^-1,

where S is the covariance of e: diagonal, and zero but for the rows of measurements. A row of :class:`~kanpde.conditions.Data`
enters r as sqrt(weight / n) (u - measured) / sigma, so its variance is weight / n where sigma is given, and otherwise weight / n
times the sum of squares of (u - measured) over its degrees of freedom. The rows of the equation and of other conditions carry no
noise: they are constraints, as sharp as their weights make them, and G knows how sharp. The error of the discretisation is not in it.

Without any Data the variance of all rows is that of the problem's noise (:meth:`~kanpde.trainable.Trainable.noise`) or, where that is not
known, |r|^2 / (rows - rank).
"""

import logging
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from kanpde.conditions import Data
from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.problem import Problem

logger = logging.getLogger("kanpde")

RANK = 1e-10  # of the largest singular value of the scaled J: below, a combination of parameters is not determined


def estimates(
    problem: Problem, network: Network, points: dict[str, Tensor], factors: Mapping[str, float] | None = None
) -> dict[str, tuple[float, float]]:
    """Each unknown coefficient's value and standard deviation, from the Jacobian at ``points``; infinite where it is not determined.

    ``factors`` are those of the blocks' weights at the end of training.
    """
    names, count = list(problem.coefficients), len(problem.coefficients)
    if not names or not points:
        return {}
    objective = Objective(problem, points, factors=factors)
    residual, jacobian = objective.jacobian(network)
    residual, jacobian = residual.double(), jacobian.double()
    own, columns = jacobian[:, :-count], jacobian[:, -count:]
    norms = torch.linalg.vector_norm(own, dim=0)
    left, singular, _ = torch.linalg.svd(own / torch.where(norms == 0, 1.0, norms), full_matrices=False)
    basis = left[:, singular > RANK * singular.max()] if len(singular) else left
    free = columns - basis @ (basis.T @ columns)
    information = free.T @ free
    lengths = torch.linalg.vector_norm(columns, dim=0)
    if bool((torch.linalg.vector_norm(free, dim=0) <= RANK * lengths).any()) or int(torch.linalg.matrix_rank(information)) < count:
        logger.warning("the unknown coefficients %s are not determined by the equation, the conditions and the data", ", ".join(names))
        return {name: (float(value), math.inf) for name, value in zip(names, network.coefficients, strict=True)}
    gain = torch.linalg.solve(information, free.T)
    hat = basis.square().sum(1) + (free * gain.T).sum(1)  # each row's share of the degrees of freedom
    variance = _variance(problem, objective, residual, hat)
    sigma = (gain.square() @ variance).sqrt()
    return {name: (float(value), float(each)) for name, value, each in zip(names, network.coefficients, sigma, strict=True)}


def _variance(problem: Problem, objective: Objective, residual: Tensor, hat: Tensor) -> Tensor:
    """The variance of the noise in every row of r, (N,)."""
    measured = {condition.name: condition for condition in problem.conditions if isinstance(condition, Data)}
    block = objective.blocks[0]
    if not measured and (noise := problem.noise(block.points.cpu().double().numpy())) is not None:
        return block.scale**2 * torch.as_tensor(noise, dtype=residual.dtype, device=residual.device).flatten() ** 2
    if not measured:
        return torch.full_like(residual, float(residual @ residual) / max(1.0, len(residual) - float(hat.sum())))
    variance, offset = torch.zeros_like(residual), 0
    for block in objective.blocks:
        place = slice(offset, offset + block.size)
        if block.name in measured:
            part, freedom = residual[place], max(1.0, block.size - float(hat[place].sum()))
            variance[place] = block.scale**2 if measured[block.name].sigma is not None else float(part @ part) / freedom
        offset += block.size
    return variance
