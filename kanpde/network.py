"""Networks as chains of layers: shapes, boxes, parameters as one vector, jets and their reverse.

A layer is a module with ``columns`` (values, points last) and, for equations, ``start`` or ``propagate`` (jets forward),
``reverse`` (adjoints backward), ``rows`` (derivatives of every sample by every parameter) and ``gradient`` (their sum):
:class:`kanpde.kan.Layer`, :class:`kanpde.mlp.Dense` and :class:`kanpde.separable.Factors`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from kanpde.bases import whole_number
from kanpde.jets import Channels

Quantile = Callable[[np.ndarray], np.ndarray]


def uniform(u: np.ndarray) -> np.ndarray:
    """[0, 1] to [-1, 1], equally dense everywhere."""
    return 2 * u - 1


class Coefficients(nn.Module):
    """Trainable numbers beside the layers: the unknown coefficients of an inverse problem, (c,)."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values)


class Network(nn.Module):
    """A chain of layers from coordinates in a box to outputs; KAN and MLP differ only in the layers that they make.

    ``lower`` and ``upper`` (inputs,) are the box that the first layer maps to [-1, 1]^inputs.
    """

    lower: Tensor
    upper: Tensor
    seed: int
    extra: Coefficients | None

    def __init__(self, layers: Sequence[nn.Module], inputs: int, dtype: torch.dtype, seed: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.seed, self.extra = seed, None
        self.register_buffer("lower", torch.full((inputs,), -1.0, dtype=dtype))
        self.register_buffer("upper", torch.full((inputs,), 1.0, dtype=dtype))

    def settings(self) -> dict[str, Any]:
        """The arguments, other than seed and dtype, that make a network of this shape."""
        raise TypeError(f"{type(self).__name__} does not define settings()")

    def remade(self, *, seed: int | None = None, dtype: torch.dtype | None = None, **settings: Any) -> Self:
        """A new network of this shape with fresh random weights and some settings replaced, for the same box."""
        merged = {**self.settings(), **settings}
        widths = merged.pop("widths")
        dtype = dtype or self.lower.dtype
        other = type(self)(*widths, seed=self.seed if seed is None else seed, dtype=dtype, **merged)
        other.on_box(self.lower.tolist(), self.upper.tolist())
        return other.with_coefficients(self.coefficients.tolist()).to(self.lower.device)

    @property
    def coefficients(self) -> Tensor:
        """The unknown coefficients of an inverse problem, (c,): last among the parameters; none unless they were added."""
        return self.lower.new_zeros(0) if self.extra is None else self.extra.values.detach()

    def with_coefficients(self, values: Sequence[float]) -> Self:
        """Carry unknown coefficients, starting from ``values``, as the last parameters."""
        if len(values):
            self.extra = Coefficients(torch.as_tensor(values, dtype=self.lower.dtype, device=self.lower.device))
        return self

    def is_periodic(self, axis: int) -> bool:
        """Whether every network of this shape is periodic in coordinate number ``axis`` over its box."""
        return bool(getattr(getattr(self, "basis", None), "periodic", False))

    def on_box(self, lower: Sequence[float], upper: Sequence[float]) -> Self:
        """Take inputs from the box [lower, upper] instead; ``ValueError`` if it has another number of coordinates."""
        if len(lower) != len(self.lower):
            raise ValueError(f"{self} has {len(self.lower)} inputs, but the domain has {len(lower)} coordinates")
        self.lower.copy_(torch.as_tensor(lower, dtype=self.lower.dtype))
        self.upper.copy_(torch.as_tensor(upper, dtype=self.upper.dtype))
        return self

    @property
    def inputs(self) -> int:
        """Number of coordinates."""
        return len(self.lower)

    @property
    def outputs(self) -> int:
        """Number of unknowns."""
        return self.layers[-1].outputs  # type: ignore[return-value]

    @property
    def parameter_count(self) -> int:
        """Number of trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def linear_tail(self) -> slice:
        """Where in the parameter vector the weights lie in which all outputs are linear, the others held; empty if there are none.

        These are the last layer's, without the unknown coefficients behind them.
        """
        end = self.parameter_count - len(self.coefficients)
        return slice(end - getattr(self.layers[-1], "linear_parameters", 0), end)

    @property
    def quantiles(self) -> tuple[Quantile, ...]:
        """For each coordinate, where on [-1, 1] training points should be dense: inverses of distribution functions."""
        return (uniform,) * self.inputs

    @property
    def resolution(self) -> int:
        """What refinement raises: a degree, a number of intervals; 0 where there is nothing to refine."""
        return 0

    @property
    def fixed(self) -> str:
        """A digest of the numbers that are not trained, such as frozen parameters; "" if there are none."""
        return ""

    def __repr__(self) -> str:
        settings = self.settings()
        widths = [repr(width) for width in settings.pop("widths")]
        return f"{type(self).__name__}({', '.join(widths + [f'{key}={value!r}' for key, value in settings.items()])})"

    # ---- values ----

    def _normalised(self, points: Tensor) -> Tensor:
        middle, half = 0.5 * (self.upper + self.lower), 0.5 * (self.upper - self.lower)
        return ((points - middle) / half).T

    def forward(self, points: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        z = self._normalised(points.reshape(-1, points.shape[-1]))
        for layer in self.layers:
            z = layer.columns(z)  # type: ignore[operator]
        return z.T.reshape(*points.shape[:-1], self.outputs)

    # ---- parameters as one vector ----

    def vector(self) -> Tensor:
        """A copy of all parameters, (P,), in the order of ``parameters()``."""
        return nn.utils.parameters_to_vector(self.parameters()).detach().clone()

    @torch.no_grad()
    def assign(self, vector: Tensor) -> None:
        """Set all parameters from a vector (P,)."""
        start = 0
        for parameter in self.parameters():
            parameter.copy_(vector[start : start + parameter.numel()].view_as(parameter))
            start += parameter.numel()

    def moved(self, start: Tensor, step: Tensor) -> Tensor:
        """The parameters to which a step leads from ``start``: a curve through it with the step as its direction, by default straight."""
        return start + step

    # ---- jets ----

    @torch.no_grad()
    def jets(self, points: Tensor, chosen: Channels, records: list[Any] | None = None) -> tuple[Tensor, list[Any]]:
        """Values and derivatives at ``points`` (N, inputs): (C, outputs, N), with what the reverse needs.

        ``records`` of an earlier call with as many points and the same derivatives are overwritten, which spares allocation.
        """
        old = iter(records or [None] * len(self.layers))
        scale = 2.0 / (self.upper - self.lower)
        first, *rest = self.layers
        jet, record = first.start(self._normalised(points).contiguous(), scale, chosen, next(old))  # type: ignore[operator]
        records = [record]
        for layer in rest:
            jet, record = layer.propagate(jet, chosen, next(old))  # type: ignore[operator]
            records.append(record)
        return jet, records

    @torch.no_grad()
    def rows(self, records: list[Any], adjoint: Tensor, out: Tensor) -> Tensor:
        """Per-sample derivatives by every parameter of the layers, in the order of ``parameters()``, into ``out`` (P, N).

        Where ``out`` has fewer rows they are those of the last parameters, and layers before these are not reversed.
        """
        end = out.shape[0]
        for layer, record, linear in self._reversed(records, adjoint):
            count = sum(parameter.numel() for parameter in layer.parameters())
            block = out[end - count : end] if count <= end else out.new_empty((count, out.shape[1]))
            layer.rows(record, linear, block)  # type: ignore[operator]
            if count > end:
                out[:end] = block[count - end :]
            end -= min(count, end)
            if end == 0:
                break
        return out

    @torch.no_grad()
    def gradient(self, records: list[Any], adjoint: Tensor) -> Tensor:
        """The same, summed over the samples: (P,)."""
        parts = [layer.gradient(record, linear) for layer, record, linear in self._reversed(records, adjoint)]  # type: ignore[operator]
        return torch.cat(parts[::-1])

    def _reversed(self, records: list[Any], adjoint: Tensor) -> Iterator[tuple[nn.Module, Any, Tensor]]:
        for layer, record in zip(reversed(self.layers), reversed(records), strict=True):
            linear, adjoint = layer.reverse(record, adjoint)  # type: ignore[operator]
            yield layer, record, linear


def checked_widths(widths: Sequence[Any], name: str, *, products: bool = False) -> list[tuple[int, int]]:
    """Widths as (sum nodes, product nodes), or an error that names the one that is wrong."""
    if len(widths) < 2:
        raise ValueError(f"{name} needs at least an input and an output width, as in {name}(2, 8, 1), got {widths!r}")
    nodes = []
    for width in widths:
        if products and isinstance(width, (tuple, list)) and len(width) == 2 and width is not widths[0]:
            pair = (whole_number(width[0], f"the sum nodes of a {name} layer", least=0),) + (
                whole_number(width[1], f"the product nodes of a {name} layer", least=0),
            )
            whole_number(sum(pair), f"the width of a {name} layer")
        else:
            pair = (whole_number(width, f"the width of a {name} layer"), 0)
        nodes.append(pair)
    return nodes
