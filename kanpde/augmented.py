"""Networks with auxiliary inputs: known functions of the coordinates, which enter beside them, exactly differentiated."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kanpde.arguments import nearest
from kanpde.bases import Basis
from kanpde.calls import argument_names, call_by_name, function_name
from kanpde.domains import Box
from kanpde.fields import Field, coordinate_fields
from kanpde.jets import Channels
from kanpde.kan import KAN
from kanpde.network import Quantile, Width, uniform

SEEN = 4096  # points at which the range of an auxiliary input is looked for


class Augmented(KAN):
    """A KAN that also sees functions of its coordinates: ``Augmented(2, 5, 1, coordinates="xy", auxiliary=dict(r=radius), basis=...)``.

        u = KAN(x, y, r),   r = radius(x, y) = sqrt(x^2 + y^2)

    ``coordinates`` are the names of the problem's, in its order; the functions take them by name, and are written in
    :mod:`kanpde.functions`, so that derivatives of u of any order are exact, by the chain rule on jets. The first layer has an input for
    each coordinate, then one for each function (``input_names``), mapped to [-1, 1] from its range over the box, which is found at 4,096
    points. Everything else is as in :class:`~kanpde.kan.KAN`.

    Raises ``TypeError`` or ``ValueError`` for names that are no coordinates or occur twice, and, on a box, for functions that are constant
    or not finite there. Source: Liu et al., KAN 2.0, arXiv 2408.10205, section 3.1.
    """

    auxiliary_lower: Tensor
    auxiliary_upper: Tensor

    def __init__(
        self,
        *widths: Width,
        coordinates: Sequence[str],
        auxiliary: Mapping[str, Callable[..., Any]],
        basis: Basis | Sequence[Basis],
        hidden: str = "tanh",
        outside: str | None = None,
        arity: int = 2,
        init: str = "random",
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        names = tuple(coordinates)
        if not widths or widths[0] != len(names):
            raise ValueError(
                f"Augmented{widths} has {widths[0] if widths else 'no'} coordinates, but {len(names)} names: {', '.join(names)}"
            )
        if not auxiliary:
            raise ValueError("Augmented needs auxiliary inputs, as in auxiliary=dict(r=lambda x, y: sqrt(x**2 + y**2)); without, use KAN")
        for name, function in auxiliary.items():
            if not callable(function):
                raise TypeError(f"the auxiliary input {name!r} must be a function of {', '.join(names)}, got {function!r}")
            if name in names:
                raise ValueError(f"the auxiliary input {name!r} has the name of a coordinate: give it another")
            for argument in argument_names(function):
                if argument not in names:
                    hint = nearest(argument, names)
                    raise TypeError(f"the auxiliary input {name!r} asks for {argument!r}, but the coordinates are {', '.join(names)}{hint}")
        total = len(names) + len(auxiliary)
        super().__init__(total, *widths[1:], basis=basis, hidden=hidden, outside=outside, arity=arity, init=init, seed=seed, dtype=dtype)
        self.coordinates, self.auxiliary = names, dict(auxiliary)
        self.asked = {**(self.asked or {}), "widths": widths}
        self.lower, self.upper = self.lower[: len(names)].clone(), self.upper[: len(names)].clone()
        self.register_buffer("auxiliary_lower", torch.full((len(auxiliary),), -1.0, dtype=dtype))
        self.register_buffer("auxiliary_upper", torch.full((len(auxiliary),), 1.0, dtype=dtype))
        self._fit_ranges()

    @property
    def input_names(self) -> tuple[str, ...]:
        """The coordinates, then the auxiliary inputs."""
        return (*self.coordinates, *self.auxiliary)

    @property
    def input_ranges(self) -> tuple[Tensor, Tensor]:
        return torch.cat([self.lower, self.auxiliary_lower]), torch.cat([self.upper, self.auxiliary_upper])

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        return {"widths": found.pop("widths"), "coordinates": self.coordinates, "auxiliary": self.auxiliary, **found}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={function_name(function)}" for name, function in self.auxiliary.items())
        return super().__repr__().replace(f"auxiliary={self.auxiliary!r}", f"auxiliary=dict({shown})")

    @property
    def quantiles(self) -> tuple[Quantile, ...]:
        return super().quantiles[: self.inputs]

    def is_periodic(self, axis: int) -> bool:
        """Never: what is not periodic may enter beside the coordinate."""
        return False

    def on_box(self, lower: Sequence[float], upper: Sequence[float]) -> "Augmented":
        super().on_box(lower, upper)
        return self if self.given else self._fit_ranges()

    def _fit_ranges(self) -> "Augmented":
        box = Box(**{n: (a, b) for n, a, b in zip(self.coordinates, self.lower.tolist(), self.upper.tolist(), strict=True)})
        points = torch.as_tensor(box.sample(SEEN, uniform, 0), dtype=self.lower.dtype, device=self.lower.device)
        for number, (name, field) in enumerate(self._fields(points).items()):
            values = torch.as_tensor(field.value).expand(len(points))
            low, high = float(values.min()), float(values.max())
            if not (math.isfinite(low) and math.isfinite(high)):
                raise ValueError(f"the auxiliary input {name!r} is not finite everywhere in {box}: it runs from {low:g} to {high:g}")
            if not low < high:
                raise ValueError(f"the auxiliary input {name!r} is {low:g} everywhere in {box}: leave it out")
            self.auxiliary_lower[number], self.auxiliary_upper[number] = low, high
        return self

    def _fields(self, points: Tensor) -> dict[str, Field]:
        """The auxiliary inputs with their derivatives, at points (N, d)."""
        known = coordinate_fields(self.coordinates, list(points.T.contiguous()))
        found = {name: call_by_name(function, known) for name, function in self.auxiliary.items()}
        return {name: value if isinstance(value, Field) else next(iter(known.values()))._lift(value) for name, value in found.items()}

    def normalised(self, points: Tensor) -> Tensor:
        beside = torch.stack([torch.as_tensor(field.value).expand(len(points)) for field in self._fields(points).values()])
        middle, half = 0.5 * (self.auxiliary_upper + self.auxiliary_lower), 0.5 * (self.auxiliary_upper - self.auxiliary_lower)
        return torch.cat([super().normalised(points), (beside - middle[:, None]) / half[:, None]])

    @torch.no_grad()
    def jets(self, points: Tensor, chosen: Channels, records: list[Any] | None = None) -> tuple[Tensor, list[Any]]:
        """Values and derivatives by the coordinates, which reach the first layer as jets of all its inputs."""
        old = iter(records or [None] * len(self.layers))
        jet = points.new_zeros((len(chosen), self.inputs + len(self.auxiliary), len(points)))
        jet[0] = self.normalised(points)
        scale, rate = 2.0 / (self.upper - self.lower), 2.0 / (self.auxiliary_upper - self.auxiliary_lower)
        fields = list(self._fields(points).values())
        for row, alpha in enumerate(chosen.indices[1:], 1):
            if len(alpha) == 1 and alpha[0] >= 0:
                jet[row, alpha[0]] = scale[alpha[0]]
            for number, field in enumerate(fields):
                jet[row, self.inputs + number] = rate[number] * field.partial(alpha)
        records = []
        for layer in self.wires:
            jet, record = layer.propagate(jet, chosen, next(old))
            records.append(record)
        return self.scaled_jet(jet), records


def check_coordinates(network: object, names: tuple[str, ...]) -> None:
    """Raise ``ValueError`` for auxiliary inputs of other coordinates than a problem's ``names``."""
    if isinstance(network, Augmented) and network.coordinates != names:
        raise ValueError(
            f"the auxiliary inputs are of the coordinates {', '.join(network.coordinates)}, but the domain has {', '.join(names)}"
        )
