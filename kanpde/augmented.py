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
        check_functions(auxiliary, names, "auxiliary input", f"coordinates are {', '.join(names)}")
        total = len(names) + len(auxiliary)
        super().__init__(total, *widths[1:], basis=basis, hidden=hidden, outside=outside, arity=arity, init=init, seed=seed, dtype=dtype)
        self.coordinates, self.auxiliary = names, dict(auxiliary)
        self.asked = {**(self.asked or {}), "widths": widths}
        self._set_ranges(dtype)
        self._fit_ranges()

    def _set_ranges(self, dtype: torch.dtype) -> None:
        for name, value in (("lower", -1.0), ("upper", 1.0)):
            setattr(self, name, torch.full((len(self.coordinates),), value, dtype=dtype))
            self.register_buffer(f"auxiliary_{name}", torch.full((len(self.auxiliary),), value, dtype=dtype))

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
        return super().__repr__().replace(f"={self.auxiliary!r}", f"=dict({shown})")

    @property
    def quantiles(self) -> tuple[Quantile, ...]:
        return super().quantiles[: self.inputs]

    def is_periodic(self, axis: int) -> bool:
        """Never: what is not periodic may enter beside the coordinate."""
        return False

    def on_box(self, lower: Sequence[float], upper: Sequence[float]) -> "Augmented":
        super().on_box(lower, upper)
        return self if self.given else self._fit_ranges()

    @torch.no_grad()
    def _fit_ranges(self) -> "Augmented":
        box = Box(**{n: (a, b) for n, a, b in zip(self.coordinates, self.lower.tolist(), self.upper.tolist(), strict=True)})
        points = torch.as_tensor(box.sample(SEEN, uniform, 0), dtype=self.lower.dtype, device=self.lower.device)
        fields = list(self._fields(points).items())[-len(self.auxiliary) :]
        for number, (name, field) in enumerate(fields):
            values = torch.as_tensor(field.value).expand(len(points))
            low, high = float(values.min()), float(values.max())
            if not (math.isfinite(low) and math.isfinite(high)):
                raise ValueError(f"the auxiliary input {name!r} is not finite everywhere in {box}: it runs from {low:g} to {high:g}")
            if not low < high:
                raise ValueError(f"the auxiliary input {name!r} is {low:g} everywhere in {box}: leave it out")
            self.auxiliary_lower[number], self.auxiliary_upper[number] = low, high
        return self

    def entering(self, known: Mapping[str, Any], constants: Sequence[Any] | None = None) -> dict[str, Any]:
        """What the first layer takes, by name, from the coordinates ``known`` by name: fields, symbols or numbers. It has no constants."""
        return {name: known[name] for name in self.coordinates} | {name: call_by_name(f, known) for name, f in self.auxiliary.items()}

    def _fields(self, points: Tensor, constants: Sequence[Any] | None = None) -> dict[str, Field]:
        """The same with their derivatives, at points (N, d)."""
        known = coordinate_fields(self.coordinates, list(points.T.contiguous()))
        found, lift = self.entering(known, constants), next(iter(known.values()))._lift
        return {name: value if isinstance(value, Field) else lift(value) for name, value in found.items()}

    def normalised(self, points: Tensor) -> Tensor:
        values = torch.stack([_spread(field.value, points) for field in self._fields(points).values()])
        return self._mapped(values)

    def _mapped(self, values: Tensor) -> Tensor:
        lower, upper = self.input_ranges
        return (values - 0.5 * (upper + lower)[:, None]) / (0.5 * (upper - lower))[:, None]

    def _entering_jet(self, points: Tensor, chosen: Channels, constants: Sequence[Any] | None = None) -> Tensor:
        """Values and derivatives of what the first layer takes, (C, its inputs, N)."""
        fields, (lower, upper) = list(self._fields(points, constants).values()), self.input_ranges
        jet = [self._mapped(torch.stack([_spread(field.value, points) for field in fields]))]
        for alpha in chosen.indices[1:]:
            slopes = torch.stack([_spread(field.partial(alpha), points) for field in fields])
            jet.append(slopes * (2.0 / (upper - lower))[:, None])
        return torch.stack(jet)

    @torch.no_grad()
    def jets(self, points: Tensor, chosen: Channels, records: list[Any] | None = None) -> tuple[Tensor, list[Any]]:
        """Values and derivatives by the coordinates, which reach the first layer as jets of all its inputs."""
        old = iter(records or [None] * len(self.layers))
        jet, records = self._entering_jet(points, chosen), []
        for layer in self.wires:
            jet, record = layer.propagate(jet, chosen, next(old))
            records.append(record)
        return self.scaled_jet(jet), records


def _spread(value: Any, points: Tensor) -> Tensor:
    """A number, or one for each of the points (N, d), as (N,)."""
    return torch.as_tensor(value).to(points).expand(len(points))


def check_functions(functions: Mapping[str, Callable[..., Any]], known: Sequence[str], what: str, there_are: str) -> None:
    """Raise ``TypeError`` or ``ValueError`` for functions by name that ask for what is not ``known``, or have a name of that."""
    for name, function in functions.items():
        if name in known:
            raise ValueError(f"the {what} {name!r} has the name of a coordinate: give it another")
        for argument in argument_names(function):
            if argument not in known:
                raise TypeError(f"the {what} {name!r} asks for {argument!r}, but the {there_are}{nearest(argument, known)}")


def check_coordinates(network: object, names: tuple[str, ...]) -> None:
    """Raise ``ValueError`` for auxiliary inputs of other coordinates than a problem's ``names``."""
    if isinstance(network, Augmented) and network.coordinates != names:
        raise ValueError(
            f"the auxiliary inputs are of the coordinates {', '.join(network.coordinates)}, but the domain has {', '.join(names)}"
        )
