"""Gauss-Newton steps with a sparse Jacobian, for networks of local functions."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.optimizers.descent import Step, check_schedule
from kanpde.optimizers.linear_model import AT_ROUNDING, column_scale

RIDGE = 1e-14  # of the columns' norm, squared: what makes the normal equations definite
CORRECTIONS = 20


@dataclass(frozen=True)
class SparseNewton:
    """The Gauss-Newton step of r + J p = 0 by a sparse factorisation of J'J, for networks of which every parameter acts at few points.

    Such are a :class:`~kanpde.tensor.TensorKAN` or a one-layer :class:`~kanpde.kan.KAN` of B-splines: J is almost all zeros, and thousands
    of parameters take seconds. J'J has the squared condition of J, which costs half the digits; they come back by corrections with the
    residual of the least-squares problem, x <- x + (J'J)^-1 J'(b - J x), until these grow no smaller. Where the residual is linear in the
    parameters the first step solves the problem, and the next ones refine the solution. Otherwise steps are shortened until the loss falls.
    Ends when it falls no further.

    Source: Björck, Linear Algebra Appl. 88/89 (1987) 31 (corrected seminormal equations).
    """

    steps: int = 10
    patience: int = 2
    progress: float = 0.5

    def __post_init__(self) -> None:
        check_schedule(self)

    def start(self, network: Network) -> "Sparse":
        return Sparse()


class Sparse:
    """A sparse Gauss-Newton descent under way; it has no state but the network's."""

    HALVINGS = 6

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass

    def advance(self, objective: Objective, network: Network) -> Step:
        from scipy.sparse import csc_matrix, csr_matrix, identity, vstack
        from scipy.sparse.linalg import splu

        start, residual, parts = network.vector(), None, {}
        for place, value, rows in objective.linearised(network, keep=False):
            residual = value.new_empty(objective.size) if residual is None else residual
            residual[place] = value
            parts[place.start] = csc_matrix(rows.cpu().double().numpy()).T  # (n, P)
        assert residual is not None  # there are points
        jacobian = csr_matrix(vstack([parts[place] for place in sorted(parts)]))
        squares = torch.from_numpy(np.asarray(jacobian.multiply(jacobian).sum(0)).ravel())
        if not bool(squares.isfinite().all()):
            return Step(residual, stop="the Jacobian is not finite where the network stands: check the equation there")
        scale = column_scale(squares).numpy()
        jacobian.data /= scale[jacobian.indices]
        normal = (jacobian.T @ jacobian + RIDGE * identity(len(scale))).tocsc()
        factors = splu(normal, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.0)
        wanted, found, last = -residual.cpu().double().numpy(), np.zeros(len(scale)), math.inf
        for _ in range(CORRECTIONS):
            more = factors.solve(jacobian.T @ (wanted - jacobian @ found))
            size = float(np.linalg.norm(more))
            if not size < 0.5 * last:
                break
            found, last = found + more, size
        step, before = torch.from_numpy(found / scale).to(start), float(residual @ residual)
        for halvings in range(self.HALVINGS):
            share = 0.5**halvings
            network.assign(network.moved(start, share * step))
            after = objective.residual(network)
            loss = float(after @ after)
            if math.isfinite(loss) and loss < before:
                return Step(after, share)
        network.assign(start)
        rounding = 1e4 * torch.finfo(start.dtype).eps * float(np.linalg.norm(start.cpu().numpy() * scale))
        rms = math.sqrt(before / len(residual))
        stop = AT_ROUNDING if math.sqrt(before) < rounding else f"Gauss-Newton lowers the loss no further, with residuals of {rms:.1g}"
        return Step(residual, stop=stop)
