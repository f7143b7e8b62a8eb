"""Networks as chains of layers: shapes, boxes, parameters as one vector, jets and their reverse.

A layer is a module with ``columns`` (values, points last) and, for equations, ``start`` or ``propagate`` (jets forward),
``reverse`` (adjoints backward), ``rows`` (derivatives of every sample by every parameter) and ``gradient`` (their sum):
:class:`kanpde.kan.Layer`, :class:`kanpde.mlp.Dense` and :class:`kanpde.separable.Factors`.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from kanpde.arguments import whole_number
from kanpde.jets import Channels

Quantile = Callable[[np.ndarray], np.ndarray]
Width = int | tuple[int, int | Sequence[int]]  # sum nodes; or sum nodes and product nodes, or the factors of each product


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

    ``lower`` and ``upper`` (inputs,) are the box that the first layer maps to [-1, 1]^inputs. What the last layer gives is multiplied by
    ``output_scale`` and shifted by ``output_shift`` (outputs,), once :meth:`on_outputs` has set them. With ``given`` the weights are not
    drawn by a seed but came from training, an edit or a file: :meth:`remade` keeps them, and the box.
    """

    lower: Tensor
    upper: Tensor
    output_shift: Tensor | None
    output_scale: Tensor | None
    seed: int
    given: bool
    extra: Coefficients | None

    def __init__(self, layers: Sequence[nn.Module], inputs: int, dtype: torch.dtype, seed: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.seed, self.extra, self.given = seed, None, False
        self.register_buffer("output_shift", None)
        self.register_buffer("output_scale", None)
        self.register_buffer("lower", torch.full((inputs,), -1.0, dtype=dtype))
        self.register_buffer("upper", torch.full((inputs,), 1.0, dtype=dtype))

    def settings(self) -> dict[str, Any]:
        """The arguments, other than seed and dtype, that make a network of this shape."""
        raise TypeError(f"{type(self).__name__} does not define settings()")

    def remade(self, *, seed: int | None = None, dtype: torch.dtype | None = None, **settings: Any) -> Self:
        """A new network of this shape and box with fresh weights, or a copy with ``given`` ones, and some settings replaced."""
        if self.given and not settings:
            return self.copy().to(dtype or self.lower.dtype)
        merged = {**self.settings(), **settings}
        widths = merged.pop("widths")
        dtype = dtype or self.lower.dtype
        other = type(self)(*widths, seed=self.seed if seed is None else seed, dtype=dtype, **merged)
        return self._placed(other)

    def _placed(self, other: Self) -> Self:
        """Another network of this shape between the same boxes, with the same unknown coefficients, on the same device."""
        other.on_box(self.lower.tolist(), self.upper.tolist())
        if self.output_shift is not None and self.output_scale is not None:
            other.on_outputs(self.output_shift.tolist(), self.output_scale.tolist())
        return other.with_coefficients(self.coefficients.tolist()).to(self.lower.device)

    def copy(self) -> Self:
        """An independent copy."""
        return deepcopy(self)

    def kept(self) -> Self:
        """A copy whose weights are ``given``: an experiment starts from them, whatever its seed."""
        other = self.copy()
        other.given = True
        return other

    @property
    def coefficients(self) -> Tensor:
        """The unknown coefficients of an inverse problem, (c,): last among the parameters; none unless they were added."""
        return self.lower.new_zeros(0) if self.extra is None else self.extra.values.detach()

    def with_coefficients(self, values: Sequence[float]) -> Self:
        """Carry unknown coefficients, starting from ``values``, as the last parameters; a given network keeps those that it has."""
        if len(values) and not (self.given and self.extra is not None and len(self.extra.values) == len(values)):
            self.extra = Coefficients(torch.as_tensor(values, dtype=self.lower.dtype, device=self.lower.device))
        return self

    def is_periodic(self, axis: int) -> bool:
        """Whether every network of this shape is periodic in coordinate number ``axis`` over its box."""
        return bool(getattr(getattr(self, "basis", None), "periodic", False))

    def on_box(self, lower: Sequence[float], upper: Sequence[float]) -> Self:
        """Take inputs from the box [lower, upper] instead; ``ValueError`` if it has another number of coordinates.

        A given network keeps its box, with which its function would change.
        """
        if len(lower) != len(self.lower):
            raise ValueError(f"{self} has {len(self.lower)} inputs, but the domain has {len(lower)} coordinates")
        if not self.given:
            self.lower.copy_(torch.as_tensor(lower, dtype=self.lower.dtype))
            self.upper.copy_(torch.as_tensor(upper, dtype=self.upper.dtype))
        return self

    def on_outputs(self, shift: Sequence[float], scale: Sequence[float]) -> Self:
        """Give shift + scale * (what the last layer gives), (outputs,) each; not for a given network, whose function would change.

        Raises ``ValueError`` for other numbers of them, or a scale that is not positive.
        """
        if len(shift) != self.outputs or len(scale) != self.outputs:
            raise ValueError(f"{self} has {self.outputs} outputs, got {len(shift)} shifts and {len(scale)} scales")
        if not all(0 < each < float("inf") for each in scale):
            raise ValueError(f"outputs are multiplied by positive numbers, got {list(scale)}")
        if not self.given:
            self.output_shift = torch.as_tensor(shift, dtype=self.lower.dtype, device=self.lower.device)
            self.output_scale = torch.as_tensor(scale, dtype=self.lower.dtype, device=self.lower.device)
        return self

    @property
    def inputs(self) -> int:
        """Number of coordinates."""
        return len(self.lower)

    @property
    def input_ranges(self) -> tuple[Tensor, Tensor]:
        """From what the inputs of the first layer are mapped to [-1, 1]: least and greatest, (its inputs,) each."""
        return self.lower, self.upper

    @property
    def outputs(self) -> int:
        """Number of unknowns."""
        return self.layers[-1].outputs  # type: ignore[return-value]

    @property
    def parameter_count(self) -> int:
        """Number of trainable numbers."""
        live = self.trained_places
        return sum(parameter.numel() for parameter in self.parameters()) if live is None else len(live)

    @property
    def trained_places(self) -> Tensor | None:
        """The places of the trained numbers among all of ``parameters()``; None if that is all of them."""
        found = [getattr(layer, "live", None) for layer in self.layers]
        if all(live is None for live in found):
            return None
        masks = [
            torch.ones(sum(parameter.numel() for parameter in layer.parameters()), dtype=torch.bool) if live is None else live
            for layer, live in zip(self.layers, found, strict=True)
        ]
        masks.append(torch.ones(len(self.coefficients), dtype=torch.bool))
        return torch.cat(masks).nonzero()[:, 0].to(self.lower.device)

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

    def normalised(self, points: Tensor) -> Tensor:
        """Points (N, inputs) as the first layer takes them, the box mapped to [-1, 1]: (its inputs, N)."""
        middle, half = 0.5 * (self.upper + self.lower), 0.5 * (self.upper - self.lower)
        return ((points - middle) / half).T

    def forward(self, points: Tensor) -> Tensor:
        """(..., inputs), a tensor or an array, -> (..., outputs)."""
        points = torch.as_tensor(points, dtype=None if isinstance(points, Tensor) else self.lower.dtype, device=self.lower.device)
        z = self.normalised(points.reshape(-1, points.shape[-1]))
        for layer in self.layers:
            z = layer.columns(z)  # type: ignore[operator]
        return self._scaled_outputs(z.T).reshape(*points.shape[:-1], self.outputs)

    @torch.no_grad()
    def node_values(self, points: Tensor) -> list[Tensor]:
        """What every layer takes at points (N, inputs), then what the last one gives, before it is scaled: (nodes, N) each."""
        found = [self.normalised(points)]
        for layer in self.layers:
            found.append(layer.columns(found[-1]))  # type: ignore[operator]
        return found

    def _scaled_outputs(self, values: Tensor) -> Tensor:
        """shift + scale * values, (N, outputs)."""
        if self.output_shift is None or self.output_scale is None:
            return values
        return self.output_shift + self.output_scale * values

    def scaled_jet(self, jet: Tensor) -> Tensor:
        """What the last layer gives as jets (C, outputs, N), which are overwritten, shifted and scaled to those of the outputs."""
        if self.output_shift is not None and self.output_scale is not None:
            jet = jet * self.output_scale[:, None]
            jet[0] += self.output_shift[:, None]
        return jet

    def _scaled_adjoint(self, adjoint: Tensor) -> Tensor:
        """The adjoint of :meth:`scaled_jet`."""
        return adjoint if self.output_scale is None else adjoint * self.output_scale[:, None]

    # ---- parameters as one vector ----

    def vector(self) -> Tensor:
        """A copy of all numbers that are trained, (P,), in the order of ``parameters()``."""
        whole, live = nn.utils.parameters_to_vector(self.parameters()).detach(), self.trained_places
        return whole.clone() if live is None else whole[live]

    @torch.no_grad()
    def assign(self, vector: Tensor) -> None:
        """Set all numbers that are trained from a vector (P,)."""
        start, live = 0, self.trained_places
        if live is not None:
            whole = nn.utils.parameters_to_vector(self.parameters())
            vector = whole.index_copy(0, live, vector.to(whole))
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
        jet, record = first.start(self.normalised(points).contiguous(), scale, chosen, next(old))  # type: ignore[operator]
        records = [record]
        for layer in rest:
            jet, record = layer.propagate(jet, chosen, next(old))  # type: ignore[operator]
            records.append(record)
        return self.scaled_jet(jet), records

    @torch.no_grad()
    def rows(self, records: list[Any], adjoint: Tensor, out: Tensor) -> Tensor:
        """Per-sample derivatives by every parameter of the layers, in the order of ``parameters()``, into ``out`` (P, N).

        Where ``out`` has fewer rows they are those of the last parameters, and layers before these are not reversed.
        """
        end = out.shape[0]
        for layer, record, linear in self._reversed(records, adjoint):
            count, live = sum(parameter.numel() for parameter in layer.parameters()), getattr(layer, "live", None)
            if live is not None:
                whole = out.new_empty((count, out.shape[1]))
                layer.rows(record, linear, whole)  # type: ignore[operator]
                block = whole[live.to(out.device)]
                kept = min(len(block), end)
                out[end - kept : end] = block[len(block) - kept :]
                end -= kept
                if end == 0:
                    break
                continue
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
        parts = []
        for layer, record, linear in self._reversed(records, adjoint):
            part, live = layer.gradient(record, linear), getattr(layer, "live", None)  # type: ignore[operator]
            parts.append(part if live is None else part[live.to(part.device)])
        return torch.cat(parts[::-1])

    def coefficient_rows(self, points: Tensor, chosen: Channels, records: list[Any], adjoint: Tensor) -> Tensor | None:
        """Per-sample derivatives of <adjoint, jets> by the unknown coefficients, (c, N); None where the layers know nothing of them."""
        return None

    def _reversed(self, records: list[Any], adjoint: Tensor) -> Iterator[tuple[nn.Module, Any, Tensor]]:
        adjoint = self._scaled_adjoint(adjoint)
        for layer, record in zip(reversed(self.layers), reversed(records), strict=True):
            linear, adjoint = layer.reverse(record, adjoint)  # type: ignore[operator]
            yield layer, record, linear


def checked_points(network: Network, points: Any) -> Tensor:
    """Points (N, inputs), N at least 1, as a tensor of the network's type and on its device; ``ValueError`` for another shape, and for rows
    that are not finite.
    """
    found = points.detach() if isinstance(points, Tensor) else torch.as_tensor(np.asarray(points, dtype=float))
    found = found.to(network.lower)
    if found.ndim != 2 or found.shape[1] != network.inputs or not len(found):
        raise ValueError(
            f"points have the shape (N, {network.inputs}), one row a point and one column an input of the network, got {tuple(found.shape)}"
        )
    bad = ~torch.isfinite(found).all(1)
    if bool(bad.any()):
        row = int(bad.nonzero()[0])
        raise ValueError(f"row {row} of the points is not finite, {found[row].tolist()}, one of {int(bad.sum())} such rows: leave them out")
    return found


def checked_widths(widths: Sequence[Any], name: str, *, products: bool = False) -> list[tuple[int, tuple[int, ...]]]:
    """Widths as (sum nodes, factors of each product node), or an error that names the one that is wrong."""
    if len(widths) < 2:
        raise ValueError(f"{name} needs at least an input and an output width, as in {name}(2, 8, 1), got {widths!r}")
    return [checked_width(width, name, products=products and number > 0) for number, width in enumerate(widths)]


def checked_width(width: Any, name: str, *, products: bool = False, arity: int = 2) -> tuple[int, tuple[int, ...]]:
    """One width likewise; product nodes that are only counted have ``arity`` factors each."""
    if not (products and isinstance(width, (tuple, list)) and len(width) == 2):
        return whole_number(width, f"the width of a {name} layer"), ()
    sums = whole_number(width[0], f"the sum nodes of a {name} layer", least=0)
    if isinstance(width[1], (tuple, list)):
        arities = tuple(whole_number(each, f"the factors of a product node of a {name} layer", least=2) for each in width[1])
    else:
        arities = (arity,) * whole_number(width[1], f"the product nodes of a {name} layer", least=0)
    whole_number(sums + len(arities), f"the width of a {name} layer")
    return sums, arities
