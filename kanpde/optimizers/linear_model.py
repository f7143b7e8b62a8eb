"""The linear model r + J p of a residual, factorised once, from which damped steps of any damping cost two small products.

    J D^-1 = Q R,   R = U S V',   step(mu) = -D^-1 V (S^2 + mu)^-1 S U' Q' r

with D the norms of J's columns. QR and singular values keep all digits of float64, of which normal equations lose half. With more
parameters than residuals the same formula is the kernel form, (J J' + mu)^-1 on the smaller side.

Some columns F of J may have a fixed, small damping of their own, ``ridge`` (:mod:`kanpde.optimizers.variable_projection`), and then their
parameters are eliminated: with F = U S V' the other columns and r are replaced by W of them,

    W = I - U (1 - (1 + S^2 / ridge)^-1/2) U',   |W v|^2 = min_y |v + F y|^2 + ridge |y|^2   (I - U U' without ridge),

and the eliminated parameters follow from the others, y = -V (S^2 + ridge)^-1 S U' (r + J step).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.network import Network
from kanpde.objective import Objective

FLATTEST = 1e-8  # of the largest column norm of J
AT_ROUNDING = "the residual is at the level of rounding"  # why a descent ends that can do no better
NULL = 16.0  # times eps and the largest singular value: directions below take no step beyond ``reach``
ROUNDING = 100.0  # times eps and the largest singular value: eliminated columns are of no rank below, nor is the ridge's root smaller


@dataclass(frozen=True)
class Free:
    """The columns F (scaled) that are damped by no more than ``ridge``."""

    columns: slice
    ridge: float


@dataclass(frozen=True)
class Eliminated:
    """F = U S V', and what is needed of it to find its parameters again."""

    singular: Tensor  # S (f,)
    damped: Tensor  # S^2 + ridge
    right: Tensor  # V' (f, f)
    residual: Tensor  # U' r, (f,)
    others: Tensor  # U' J of the other columns, (f, P - f)


class LinearModel:
    """With the whole of J in memory: ``parts`` are those of :meth:`~kanpde.objective.Objective.linearised`, J transposed, (P, n) each;
    ``free`` are the columns with a damping of their own.
    """

    eliminated: Eliminated | None = None
    reach: float = math.inf  # the longest step along a direction that may be rounding
    judged: Tensor  # (N,), half whose square is the loss: r, but for problems with a loss of their own
    _triangle: Tensor  # R of [J, r], (P + 1, P + 1) or lower, J scaled
    _spectrum: tuple[Tensor, Tensor, Tensor] | None = None

    def __init__(self, parts: list[tuple[slice, Tensor, Tensor]], size: int, free: Free | None = None) -> None:
        self.parts, self.free = parts, free
        self.residual = parts[0][1].new_empty(size)
        squares = torch.zeros(len(parts[0][2]), dtype=self.residual.dtype, device=self.residual.device)
        for place, value, rows in parts:
            self.residual[place] = value
            squares += torch.linalg.vector_norm(rows, dim=1).square_()
        self.scale = column_scale(squares)

    def factorise(self) -> None:
        """QR of [J, r]."""
        count = len(self.scale)
        both = self.residual.new_empty((count + 1, len(self.residual)))
        for place, _, rows in self.parts:
            torch.div(rows, self.scale[:, None], out=both[:count, place])
        both[count] = self.residual
        self._triangle, self._spectrum = torch.linalg.qr(both.T, mode="r")[1], None

    def _decomposed(self) -> tuple[Tensor, Tensor, Tensor]:
        """S, V' and U' Q' r, by the singular value decomposition of R, found when it is first needed."""
        if self._spectrum is None:
            columns, residual = self._triangle[:, : len(self.scale)], self._triangle[:, len(self.scale)]
            if self.free is not None:
                columns, residual = self._eliminate(columns, residual, self.free)
            left, singular, right = decomposed(columns)
            noise = torch.finfo(singular.dtype).eps * singular[:1]  # what is smaller is the rounding of the largest
            self._spectrum = torch.where(singular > noise, singular, 0.0), right, left.T @ residual
        return self._spectrum

    @property
    def singular(self) -> Tensor:
        """S, with zeros for what is rounding."""
        return self._decomposed()[0]

    @property
    def right(self) -> Tensor:
        """V'."""
        return self._decomposed()[1]

    @property
    def projected(self) -> Tensor:
        """U' Q' r."""
        return self._decomposed()[2]

    def _eliminate(self, columns: Tensor, residual: Tensor, free: Free) -> tuple[Tensor, Tensor]:
        """W of the other columns, and of the residual."""
        left, singular, right = decomposed(columns[:, free.columns])
        noise = float(ROUNDING * torch.finfo(singular.dtype).eps * singular[0])
        singular, ridge = torch.where(singular > noise, singular, 0.0), max(free.ridge, noise**2)
        rest, damped = _without(columns, free.columns), singular**2 + ridge
        self.eliminated = Eliminated(singular, damped, right, left.T @ residual, left.T @ rest)
        share = 1 - (ridge / damped).sqrt()
        return rest - left @ (share[:, None] * self.eliminated.others), residual - left @ (share * self.eliminated.residual)

    def step(self, damping: float) -> tuple[Tensor, float]:
        """The damped step (P,), and the decrease of 1/2 |r|^2 that the linear model predicts for it."""
        denominator = self.singular**2 + damping
        weights = torch.where(denominator > 0, self.projected * self.singular / denominator, 0.0)
        # of singular values near rounding, U are any vectors: a tiny damping would carry parameters far off along null directions
        doubtful = self.singular <= NULL * torch.finfo(weights.dtype).eps * self.singular[:1]
        weights = torch.where(doubtful & (weights.abs() > self.reach), 0.0, weights)
        left_over = self.projected - self.singular * weights
        predicted = float(self.projected @ self.projected - left_over @ left_over) / 2
        found = -(self.right.T @ weights)
        if (gone := self.eliminated) is not None:  # what the ridge keeps them from counts as loss
            predicted += float((gone.singular**2 / gone.damped) @ gone.residual**2) / 2
            found = self._completed(found, -gone.residual)
        return found / self.scale, predicted

    def only_step(self, damping: float) -> tuple[Tensor, float]:
        """The same without singular values, by a QR of [R; sqrt(damping)], at a quarter of the cost where no other damping is tried.

        The damping is at least what rounding in R amounts to. Only for a model without eliminated columns.
        """
        count, size = len(self.scale), self._triangle
        rounding = count * torch.finfo(size.dtype).eps * float(torch.linalg.vector_norm(size[:, :count], dim=0).max())
        ridge = size.new_zeros((count, count + 1))
        ridge.diagonal().fill_(max(math.sqrt(damping), rounding))
        both = torch.linalg.qr(torch.cat([size, ridge]), mode="r")[1]
        found = -torch.linalg.solve_triangular(both[:count, :count], both[:count, count:], upper=True)[:, 0]
        before = size[:, count]
        after = before + size[:, :count] @ found
        return found / self.scale, float(before @ before - after @ after) / 2

    def solve(self, vector: Tensor, damping: float) -> Tensor:
        """(J'J + damping)^-1 J' vector in the user's parameters, (P,)."""
        most = self.singular * torch.linalg.vector_norm(vector)  # |s u'v| <= s |v|: more is rounding, which a small damping would blow up
        pulled, along = self.pulled(vector) / self.scale, self.projected
        if (gone := self.eliminated) is not None and self.free is not None:
            size = float(torch.linalg.vector_norm(vector))
            along = (gone.right @ pulled[self.free.columns] / gone.singular).nan_to_num(0, 0, 0).clamp(-size, size)  # U' vector
            pulled = _without(pulled, self.free.columns) - gone.others.T @ (along * gone.singular**2 / gone.damped)
        projected = (self.right @ pulled).clamp(-most, most)
        found = self.right.T @ (projected / (self.singular**2 + damping))
        return (found if gone is None else self._completed(found, along)) / self.scale

    def _completed(self, damped: Tensor, wanted: Tensor) -> Tensor:
        """Scaled parameters (P,) from those that were not eliminated: J times them is nearest to what U' times is ``wanted``."""
        gone, free = self.eliminated, self.free
        assert gone is not None and free is not None
        found = gone.right.T @ ((wanted - gone.others @ damped) * gone.singular / gone.damped)
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

    def bend(self, residual_along: Callable[[float], Tensor], velocity: Tensor, probe: float) -> Tensor:
        """The second derivative of r along ``velocity``, (N,), from one more residual, at ``probe`` times the way."""
        return 2 / probe * ((residual_along(probe) - self.residual) / probe - self.times(velocity))

    def at_rounding(self, parameters: Tensor) -> bool:
        """Whether the residual is all rounding, 1e4 eps |D p| at most: then little is left to gain."""
        rounding = 1e4 * torch.finfo(parameters.dtype).eps * float(torch.linalg.vector_norm(parameters * self.scale))
        return float(torch.linalg.vector_norm(self.residual)) < rounding

    def length(self, parameters: Tensor) -> Tensor:
        """|D p| of the parameters that are not eliminated, the norm in which steps are damped."""
        scaled = parameters * self.scale
        return torch.linalg.vector_norm(scaled if self.free is None else _without(scaled, self.free.columns))


class StreamedModel(LinearModel):
    """The same with J only a chunk at a time: R grows by one QR of [R; rows of J] a chunk, so that memory is independent of N.

    Source: Demmel, Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34 (2012) A206, sequential TSQR.
    """

    def __init__(self, objective: Objective, network: Network, free: Free | None = None, tail: int | None = None) -> None:
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
        self._unscaled = triangle

    def factorise(self) -> None:
        """The columns of R take the scale after the fact: Householder's QR does not see it."""
        scale = torch.cat([self.scale, torch.ones_like(self.scale[:1])])
        self._triangle, self._spectrum = self._unscaled / scale, None

    def pulled(self, vector: Tensor) -> Tensor:
        self.network.assign(self.start)
        return self.objective.pulled(self.network, vector)

    def bend(self, residual_along: Callable[[float], Tensor], velocity: Tensor, probe: float) -> Tensor:
        """By the central difference, since J is not there to multiply with."""
        ahead, behind = residual_along(probe), residual_along(-probe)
        return (ahead - 2 * self.residual + behind) / probe**2


def decomposed(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, S and V' of a matrix, by QR iterations where divide and conquer does not converge, as with many equal singular values."""
    try:
        return torch.linalg.svd(matrix, full_matrices=False)
    except RuntimeError:
        if not bool(matrix.isfinite().all()):
            raise
        from scipy.linalg import svd

        found = svd(matrix.cpu().numpy(), full_matrices=False, lapack_driver="gesvd")
        return tuple(torch.from_numpy(each).to(matrix) for each in found)  # type: ignore[return-value]


def column_scale(squares: Tensor) -> Tensor:
    """Column norms of J from their squares; nearly flat parameters are not scaled up to the others, for a step would carry them out of
    sight.
    """
    norms = squares.sqrt()
    return torch.where(squares == 0, 1.0, norms.clamp(min=FLATTEST * float(norms.max())))


def _without(values: Tensor, columns: slice) -> Tensor:
    """The last dimension without some columns."""
    return torch.cat([values[..., : columns.start], values[..., columns.stop :]], -1)


def linear_model(objective: Objective, network: Network, memory: float, free: Free | None = None, *, alone: bool = False) -> LinearModel:
    """The model with all of J if that takes no more than ``memory`` bytes, else the streamed one.

    The columns ``free`` have a damping of their own; with ``alone`` these, which must be the layers' last, are all there is.
    """
    parameters = network.vector()
    tail = None
    if alone and free is not None:
        tail = free.columns.stop - free.columns.start
        free = Free(slice(0, tail), free.ridge)
    size = objective.size * (parameters.numel() if tail is None else tail) * parameters.element_size()
    if 2 * size <= memory:  # J, and its copy for the QR
        model = LinearModel(list(objective.linearised(network, tail=tail)), objective.size, free)
    else:
        model = StreamedModel(objective, network, free, tail)
    model.judged = objective.residual(network) if objective.own_loss else model.residual
    return model
