"""The linear model r + J p of a residual, factorised once, from which damped steps of any damping cost two small products.

    J D^-1 = Q R,   R = U S V',   step(mu) = -D^-1 V (S^2 + mu)^-1 S U' Q' r

with D the norms of J's columns. QR and singular values keep all digits of float64, of which normal equations lose half. With more
parameters than residuals the same formula is the kernel form, (J J' + mu)^-1 on the smaller side.

Some columns F of J may be left undamped (:mod:`kanpde.optimizers.variable_projection`). Least squares in them is a projection: with
F = U S V' cut off where it is of no rank, the other columns and r are replaced by (I - U U') of them, and what the undamped parameters do
follows from the others, -V S^-1 U' (r + J step).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.network import Network
from kanpde.objective import Objective

FLATTEST = 1e-8  # of the largest column norm of J
CUTOFF = 0.7  # undamped columns are of no rank below eps^0.7 = 1e-11 of their largest singular value


@dataclass(frozen=True)
class Undamped:
    """The undamped columns F = U S V' (scaled): which they are, and what is needed of them to undo the projection."""

    columns: slice
    singular: Tensor  # S (k,)
    right: Tensor  # V' (k, f)
    residual: Tensor  # U' r, (k,)
    others: Tensor  # U' J of the other columns, (k, P - f)


class LinearModel:
    """With the whole of J in memory: ``parts`` are those of :meth:`~kanpde.objective.Objective.linearised`, J transposed, (P, n) each;
    ``free`` are the columns that are not damped.
    """

    undamped: Undamped | None = None

    def __init__(self, parts: list[tuple[slice, Tensor, Tensor]], size: int, free: slice | None = None) -> None:
        self.parts, self.free = parts, free
        self.residual = parts[0][1].new_empty(size)
        squares = torch.zeros(len(parts[0][2]), dtype=self.residual.dtype, device=self.residual.device)
        for place, value, rows in parts:
            self.residual[place] = value
            squares += torch.linalg.vector_norm(rows, dim=1).square_()
        self.scale = column_scale(squares)

    def factorise(self) -> None:
        """QR of [J, r], then the singular value decomposition of R."""
        count = len(self.scale)
        both = self.residual.new_empty((count + 1, len(self.residual)))
        for place, _, rows in self.parts:
            torch.div(rows, self.scale[:, None], out=both[:count, place])
        both[count] = self.residual
        self._decompose(torch.linalg.qr(both.T, mode="r")[1])

    def _decompose(self, triangle: Tensor) -> None:
        """From R of the scaled [J, r]."""
        columns, residual = triangle[:, : len(self.scale)], triangle[:, len(self.scale)]
        if self.free is not None:
            columns = self._project(columns, residual, self.free)
        left, singular, self.right = torch.linalg.svd(columns, full_matrices=False)
        noise = torch.finfo(singular.dtype).eps * singular[:1]  # what is smaller is the rounding of the largest
        self.singular = torch.where(singular > noise, singular, 0.0)
        self.projected = left.T @ residual

    def _project(self, columns: Tensor, residual: Tensor, free: slice) -> Tensor:
        """The columns that are damped, without what the others can do."""
        left, singular, right = torch.linalg.svd(columns[:, free], full_matrices=False)
        rank = int((singular > torch.finfo(singular.dtype).eps ** CUTOFF * singular[:1]).sum())
        left, damped = left[:, :rank], _without(columns, free)
        others = left.T @ damped
        self.undamped = Undamped(free, singular[:rank], right[:rank], left.T @ residual, others)
        return damped - left @ others

    def step(self, damping: float) -> tuple[Tensor, float]:
        """The damped step (P,), and the decrease of 1/2 |r|^2 that the linear model predicts for it."""
        denominator = self.singular**2 + damping
        weights = torch.where(denominator > 0, self.projected * self.singular / denominator, 0.0)
        left_over = self.projected - self.singular * weights
        predicted = float(self.projected @ self.projected - left_over @ left_over) / 2
        found = -(self.right.T @ weights)
        if self.undamped is not None:
            predicted += float(self.undamped.residual @ self.undamped.residual) / 2
            found = self._completed(found, -self.undamped.residual)
        return found / self.scale, predicted

    def solve(self, vector: Tensor, damping: float) -> Tensor:
        """(J'J + damping)^-1 J' vector in the user's parameters, (P,)."""
        most = self.singular * torch.linalg.vector_norm(vector)  # |s u'v| <= s |v|: more is rounding, which a small damping would blow up
        pulled, along = self.pulled(vector) / self.scale, self.projected
        if (free := self.undamped) is not None:
            size = float(torch.linalg.vector_norm(vector))
            along = (free.right @ pulled[free.columns] / free.singular).clamp(-size, size)  # U' vector
            pulled = _without(pulled, free.columns) - free.others.T @ along
        projected = (self.right @ pulled).clamp(-most, most)
        found = self.right.T @ (projected / (self.singular**2 + damping))
        return (found if free is None else self._completed(found, along)) / self.scale

    def _completed(self, damped: Tensor, wanted: Tensor) -> Tensor:
        """Scaled parameters (P,) from the damped ones: the others so that F times them and the damped columns make U' times ``wanted``."""
        free = self.undamped
        assert free is not None
        found = free.right.T @ ((wanted - free.others @ damped) / free.singular)
        return torch.cat([damped[: free.columns.start], found, damped[free.columns.start :]])

    def pulled(self, vector: Tensor) -> Tensor:
        """J' vector, (P,)."""
        return sum((rows @ vector[place] for place, _, rows in self.parts), start=torch.zeros_like(self.scale))

    def times(self, parameters: Tensor) -> Tensor:
        """J p, (N,)."""
        found = torch.empty_like(self.residual)
        for place, _, rows in self.parts:
            torch.mv(rows.T, parameters, out=found[place])
        return found

    def bend(self, residual_at: Callable[[Tensor], Tensor], start: Tensor, velocity: Tensor, probe: float) -> Tensor:
        """The second derivative of r along ``velocity``, (N,), from one more residual, at ``probe`` times the way."""
        return 2 / probe * ((residual_at(start + probe * velocity) - self.residual) / probe - self.times(velocity))

    def length(self, parameters: Tensor) -> Tensor:
        """|D p| of the parameters that are damped, the norm of that."""
        scaled = parameters * self.scale
        return torch.linalg.vector_norm(scaled if self.free is None else _without(scaled, self.free))


class StreamedModel(LinearModel):
    """The same with J only a chunk at a time: R grows by one QR of [R; rows of J] a chunk, so that memory is independent of N.

    Source: Demmel, Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34 (2012) A206, sequential TSQR.
    """

    def __init__(self, objective: Objective, network: Network, free: slice | None = None, tail: int | None = None) -> None:
        self.objective, self.network, self.start, self.free = objective, network, network.vector(), free
        count = len(self.start) if tail is None else tail
        self.residual = torch.empty(objective.size, dtype=self.start.dtype, device=self.start.device)
        squares = self.start.new_zeros(count)
        triangle = self.residual.new_empty((0, count + 1))
        for place, value, rows in objective.linearised(network, keep=False, tail=tail):
            self.residual[place] = value
            squares += torch.linalg.vector_norm(rows, dim=1).square_()
            block = torch.cat([triangle, torch.cat([rows, value[None]]).T])
            triangle = torch.linalg.qr(block, mode="r")[1]
        self.scale = column_scale(squares)
        self._triangle = triangle

    def factorise(self) -> None:
        """The columns of R take the scale after the fact: Householder's QR does not see it."""
        scale = torch.cat([self.scale, torch.ones_like(self.scale[:1])])
        self._decompose(self._triangle / scale)

    def pulled(self, vector: Tensor) -> Tensor:
        self.network.assign(self.start)
        return self.objective.pulled(self.network, vector)

    def bend(self, residual_at: Callable[[Tensor], Tensor], start: Tensor, velocity: Tensor, probe: float) -> Tensor:
        """By the central difference, since J is not there to multiply with."""
        ahead, behind = residual_at(start + probe * velocity), residual_at(start - probe * velocity)
        return (ahead - 2 * self.residual + behind) / probe**2


def column_scale(squares: Tensor) -> Tensor:
    """Column norms of J from their squares; nearly flat parameters are not scaled up to the others, for a step would carry them out of
    sight.
    """
    norms = squares.sqrt()
    return torch.where(squares == 0, 1.0, norms.clamp(min=FLATTEST * float(norms.max())))


def _without(values: Tensor, columns: slice) -> Tensor:
    """The last dimension without some columns."""
    return torch.cat([values[..., : columns.start], values[..., columns.stop :]], -1)


def linear_model(objective: Objective, network: Network, memory: float, free: slice | None = None, *, alone: bool = False) -> LinearModel:
    """The model with all of J if that takes no more than ``memory`` bytes, else the streamed one.

    The columns ``free`` are not damped; with ``alone``, these (which must be the layers' last) are all there is.
    """
    parameters = network.vector()
    tail = None
    if alone and free is not None:
        tail = free.stop - free.start
        free = slice(0, tail)
    size = objective.size * (parameters.numel() if tail is None else tail) * parameters.element_size()
    if 2 * size <= memory:  # J, and its copy for the QR
        return LinearModel(list(objective.linearised(network, tail=tail)), objective.size, free)
    return StreamedModel(objective, network, free, tail)
