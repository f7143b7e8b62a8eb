"""The sums of edge functions that a KAN layer is made of, with a reverse that is written out.

    linear_o(x) = sum_{k,i} weight_{o,k,i} B_k(x_i),

    d linear_o / d weight_{o,k,i} = B_k(x_i),      d linear_o / d x_i = sum_k weight_{o,k,i} B_k'(x_i).

The points are taken in portions whose features (K, inputs, points of a portion) stay in the processor's cache: they never exist for all
points at once, and what is kept for the reverse is weight and x, of which the features are computed again. Of many splines a point sees
but degree + 1: there the sums are over those alone.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.functional import embedding_bag

from kanpde.bases import Basis, Functions, Joined, Span, remembered

PORTION = 2**21  # bytes of the features of a portion, for each thread
LARGEST = 2**29  # the same on an accelerator, where only memory limits them
LOCAL = 8  # times that for the terms of these sums, whose weights each portion passes over
MANY = 48  # functions, of which a point sees few: then sums over these are faster
MANY_TERMS = 2**11  # functions times outputs, from which the reverse is, too


def edge_sums(basis: Basis, weight: Tensor, x: Tensor) -> Tensor:
    """sum_{k,i} weight_{o,k,i} B_k(x_i): (outputs, K, inputs) and (inputs, N) -> (outputs, N), differentiable to any order.

    Reverse mode, at any depth, is written out; ``torch.compile``, ``torch.func``, forward mode and autocast get plain operations.
    """
    if _needs_plain(weight, x):
        return weight.flatten(1) @ basis.values(x).flatten(0, 1)
    if isinstance(basis, Joined) and any(_is_local(part, x) for part in basis.parts):
        weights = weight.split([part.size for part in basis.parts], 1)
        return sum(edge_sums(part, each, x) for part, each in zip(basis.parts, weights, strict=True))  # type: ignore[return-value]
    return _EdgeSums.apply(basis, weight, x)  # type: ignore[return-value]


def _needs_plain(weight: Tensor, x: Tensor) -> bool:
    """Whether operations must be seen one by one: an ``autograd.Function`` with a jvp of its own has no forward mode of second order."""
    return (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or (torch.amp.is_autocast_available(x.device.type) and torch.is_autocast_enabled(x.device.type))
        or any(forward_ad.unpack_dual(each).tangent is not None for each in (weight, x))
    )


class _EdgeSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, basis: Basis, weight: Tensor, x: Tensor) -> Tensor:
        ctx.basis = basis
        ctx.save_for_backward(weight, x)
        if _is_local(basis, x):
            return _local_sums(basis, weight, x)
        functions, matrix = _evaluated(basis, x.dtype, x.device)
        linear, flat, span = x.new_empty((len(weight), x.shape[1])), _combining(weight, matrix).flatten(1), None
        for columns in _portions(x, functions.size):
            span = functions.span(x[:, columns].contiguous(), 0, reuse=_reusable(span, columns))
            torch.mm(flat, span.generators(0).flatten(0, 1), out=linear[:, columns])
        return linear

    @staticmethod
    def backward(ctx: Any, adjoint: Tensor) -> tuple[None, Tensor | None, Tensor | None]:  # type: ignore[override]
        weight, x = ctx.saved_tensors
        _, by_weight, by_x = ctx.needs_input_grad
        if _is_local(ctx.basis, x) and weight[:, :, 0].numel() >= MANY_TERMS and not torch.is_grad_enabled():
            return None, *_local_reverse(ctx.basis, weight, x, adjoint, by_weight, by_x)
        functions, matrix = _evaluated(ctx.basis, x.dtype, x.device)
        reverse = _differentiable_reverse if torch.is_grad_enabled() else _reverse
        of_weight, of_x = reverse(functions, _combining(weight, matrix), x, adjoint, by_weight, by_x)
        if of_weight is not None and matrix is not None:
            of_weight = (of_weight.mT @ matrix.T).mT
        return None, of_weight, of_x


@remembered
def _evaluated(basis: Basis, dtype: torch.dtype, device: torch.device) -> tuple[Functions, Tensor | None]:
    """The functions that are evaluated for a basis, and the matrix (K, R) that combines them to it; None where they are the basis."""
    found = basis.combined_from(dtype)
    return (basis, None) if found is None else (found[0], torch.tensor(found[1], dtype=dtype, device=device))


def _combining(weight: Tensor, matrix: Tensor | None) -> Tensor:
    """The weights (outputs, R, inputs) of the functions that are evaluated."""
    return weight if matrix is None else (weight.mT @ matrix).mT


def _reverse(
    basis: Functions, weight: Tensor, x: Tensor, adjoint: Tensor, by_weight: bool, by_x: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The adjoints of weight and of x, as far as they are asked for, portion by portion."""
    outputs, _, inputs = weight.shape
    of_weight = weight.new_zeros((outputs, weight[0].numel())) if by_weight else None
    of_x = x.new_empty(x.shape) if by_x else None
    span = combined = scratch = None
    for columns in _portions(x, basis.size):
        span = basis.span(x[:, columns].contiguous(), int(by_x), reuse=_reusable(span, columns))
        part = adjoint[:, columns]
        if of_weight is not None:
            of_weight.addmm_(part, span.generators(0).flatten(0, 1).T)
        if of_x is not None:
            slopes = span.generators(1)
            if combined is None:
                combined = span.combined(weight.mT, 1)  # (outputs, inputs, R)
            few = outputs < len(slopes)  # then through the slopes of all edges, else through the adjoints of all functions
            if scratch is None or scratch.shape[2] != part.shape[1]:
                scratch = x.new_empty((inputs, outputs, part.shape[1]) if few else slopes.shape)
            if few:
                torch.bmm(combined.transpose(0, 1), slopes.transpose(0, 1), out=scratch).mul_(part)
            else:
                torch.mm(combined.mT.flatten(1).T, part, out=scratch.view(-1, part.shape[1])).view_as(slopes).mul_(slopes)
            torch.sum(scratch, int(few), out=of_x[:, columns])
    return None if of_weight is None else of_weight.view_as(weight), of_x


def _is_local(basis: Basis, x: Tensor) -> bool:
    return basis.size >= MANY and 4 * basis.support < basis.size and x.device.type == "cpu"


def _local_sums(basis: Basis, weight: Tensor, x: Tensor) -> Tensor:
    """The sums over the functions that are not zero."""
    linear, rows = x.new_empty((len(weight), x.shape[1])), weight.permute(2, 1, 0).flatten(0, 1)
    for columns in _portions(x, basis.support, LOCAL * PORTION):
        numbers, (values,) = _local_terms(basis, x[:, columns], 0)
        linear[:, columns] = embedding_bag(numbers, rows, mode="sum", per_sample_weights=values).T
    return linear


def _local_reverse(
    basis: Basis, weight: Tensor, x: Tensor, adjoint: Tensor, by_weight: bool, by_x: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The adjoints of weight and of x from the functions that are not zero."""
    rows = weight.detach().permute(2, 1, 0).flatten(0, 1).requires_grad_(by_weight)
    of_rows = torch.zeros_like(rows) if by_weight else None
    of_x = x.new_empty(x.shape) if by_x else None
    for columns in _portions(x, basis.support, LOCAL * PORTION):
        numbers, (values, *slopes) = _local_terms(basis, x[:, columns], int(by_x))
        values.requires_grad_(by_x)
        with torch.enable_grad():
            sums = embedding_bag(numbers, rows, mode="sum", per_sample_weights=values)
        found = list(torch.autograd.grad(sums, [each for each in (rows, values) if each.requires_grad], adjoint[:, columns].T.contiguous()))
        if of_x is not None:
            torch.sum((found.pop() * slopes[0]).T.unflatten(0, (basis.support, -1)), 0, out=of_x[:, columns])
        if of_rows is not None:
            of_rows += found.pop()
    return None if of_rows is None else of_rows.unflatten(0, (len(x), -1)).permute(2, 1, 0), of_x


def _local_terms(basis: Basis, x: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """For every point the rows of the weights that it needs, (N, terms), and what derivatives 0 ... ``order`` multiply them by."""
    numbers, table = basis.local(x, order)
    numbers = numbers + basis.size * torch.arange(len(x))[:, None]
    return numbers.flatten(0, 1).T.contiguous(), table.flatten(1, 2).mT.contiguous()


def _differentiable_reverse(
    basis: Functions, weight: Tensor, x: Tensor, adjoint: Tensor, by_weight: bool, by_x: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The same in operations that autograd differentiates."""
    of_weight = of_x = None
    if by_weight:
        of_weight = (adjoint @ _derivative(basis, x, 0).flatten(0, 1).T).view_as(weight)
    if by_x:
        slopes = _derivative(basis, x, 1)
        of_x = ((weight.flatten(1).T @ adjoint).view_as(slopes) * slopes).sum(0)
    return of_weight, of_x


class _Derivative(torch.autograd.Function):
    """Derivative ``order`` of all functions of a basis, whose own derivative is the next one: (inputs, N) -> (K, inputs, N)."""

    @staticmethod
    def forward(ctx: Any, basis: Functions, x: Tensor, order: int) -> Tensor:
        ctx.basis, ctx.order = basis, order
        ctx.save_for_backward(x)
        return basis.span(x.contiguous(), order).table(order)[order].clone()

    @staticmethod
    def backward(ctx: Any, adjoint: Tensor) -> tuple[None, Tensor, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return None, (adjoint * _derivative(ctx.basis, x, ctx.order + 1)).sum(0), None


def _derivative(basis: Functions, x: Tensor, order: int) -> Tensor:
    return _Derivative.apply(basis, x, order)  # type: ignore[return-value]


def _portions(x: Tensor, functions: int, room: int = 0) -> Iterator[slice]:
    """The columns of ``x`` (inputs, N) in equal portions: ``functions`` numbers for each entry fit into ``room`` bytes, or the cache."""
    inputs, count = x.shape
    room = room or (PORTION * torch.get_num_threads() if x.device.type == "cpu" else LARGEST)
    parts = max(1, -(-count * inputs * functions * x.element_size() // room))
    size = max(1, -(-count // parts))
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _reusable(span: Span | None, columns: slice) -> Span | None:
    """The span of the portion before, to be written over, unless this one, the last, is shorter."""
    same = span is not None and span.functions.shape[-1] == columns.stop - columns.start
    return span if same else None
