"""Networks of similarity variables: functions of the coordinates, with constants that are trained beside the network."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kanpde.arguments import nearest
from kanpde.augmented import Augmented, check_functions
from kanpde.bases import Basis
from kanpde.calls import argument_names, call_by_name
from kanpde.fields import Field, coefficient
from kanpde.jets import Channels
from kanpde.kan import KAN
from kanpde.network import Width


class Similarity(Augmented):
    """A KAN of functions of its coordinates alone: ``Similarity(1, 1, coordinates=("W", "L"), variables=dict(x=scaled), basis=...)``.

        u = KAN(x),   x = scaled(W, L; Wc, nu) = (W - Wc) / Wc L^(1/nu)

    The ``variables`` are functions of coordinates and of ``constants``, by name, written in :mod:`kanpde.functions`: the first layer has an
    input for each. The constants are the problem's ``Unknown`` parameters, in its order; by default those arguments that are no
    coordinates, as they come. They are trained with the weights; derivatives by them, and of u by coordinates, are exact. So data collapse
    to one curve, and solutions that are similar at all times are found with their exponents.

    A variable is mapped to [-1, 1] from its range over the box with the constants as they begin; where training moves it beyond, the basis
    goes on as ``outside`` says. Penalties of edges take the constants as given. Everything else is as in :class:`~kanpde.kan.KAN`.

    Raises ``TypeError`` or ``ValueError`` for names that occur twice, variables that ask for what is neither coordinate nor constant, and,
    once box and constants are known, for variables that are constant or not finite there.
    """

    def __init__(
        self,
        *widths: Width,
        coordinates: Sequence[str],
        variables: Mapping[str, Callable[..., Any]],
        constants: Sequence[str] | None = None,
        basis: Basis | Sequence[Basis],
        hidden: str = "tanh",
        outside: str | None = None,
        arity: int = 2,
        init: str = "random",
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        names = tuple(coordinates)
        if not variables or not widths or widths[0] != len(variables):
            raise ValueError(
                f"Similarity{widths} has {widths[0] if widths else 'no'} inputs, but {len(variables)} variables: "
                f"{', '.join(variables) or 'give variables=dict(x=lambda t, r: r / sqrt(t))'}"
            )
        for name, function in variables.items():
            if not callable(function):
                raise TypeError(f"the variable {name!r} must be a function of {', '.join(names)} and constants, got {function!r}")
        asked = dict.fromkeys(name for function in variables.values() for name in argument_names(function) if name not in names)
        self.constants = tuple(asked if constants is None else constants)
        for name in self.constants:
            if name in names or name in variables:
                raise ValueError(f"the constant {name!r} has the name of a coordinate or a variable: give it another")
        known = *names, *self.constants
        check_functions(variables, known, "variable", f"coordinates and constants are {', '.join(known)}")
        KAN.__init__(self, *widths, basis=basis, hidden=hidden, outside=outside, arity=arity, init=init, seed=seed, dtype=dtype)
        self.coordinates, self.auxiliary = names, dict(variables)
        self._set_ranges(dtype)
        self._fit_ranges()

    @property
    def input_names(self) -> tuple[str, ...]:
        """The variables."""
        return tuple(self.auxiliary)

    @property
    def input_ranges(self) -> tuple[Tensor, Tensor]:
        return self.auxiliary_lower, self.auxiliary_upper

    @property
    def widths(self) -> tuple[Width, ...]:
        return self.asked["widths"] if self.asked else (len(self.auxiliary), *(layer.width for layer in self.wires))

    def settings(self) -> dict[str, Any]:
        found = KAN.settings(self)
        named = {"coordinates": self.coordinates, "variables": self.auxiliary, "constants": self.constants}
        return {"widths": found.pop("widths"), **named, **found}

    def with_coefficients(self, values: Sequence[float]) -> "Similarity":
        super().with_coefficients(values)
        return self if self.given else self._fit_ranges()

    def _fit_ranges(self) -> "Similarity":
        if len(self.coefficients) == len(self.constants):  # else they are not known yet
            super()._fit_ranges()
        return self

    def _fields(self, points: Tensor, constants: Sequence[Any] | None = None) -> dict[str, Field]:
        if constants is None and self.extra is not None:  # tensors, so that compiled programs and autograd follow them
            pairs = zip(self.extra.values.unbind(), self.constants, strict=False)
            constants = [coefficient(value, self.coordinates, name) for value, name in pairs]
        return super()._fields(points, constants)

    def entering(self, known: Mapping[str, Any], constants: Sequence[Any] | None = None) -> dict[str, Any]:
        """The variables by name, from the coordinates ``known`` by name; the ``constants`` are by default the network's."""
        values = self.coefficients.tolist() if constants is None else constants
        if len(values) != len(self.constants):
            raise ValueError(
                f"the constants {', '.join(self.constants)} of the network have no values yet: "
                f"network.with_coefficients([...]), or parameters=dict({self.constants[0]}=Unknown(...)) of the problem"
            )
        known = {**dict(zip(self.constants, values, strict=True)), **known}
        return {name: call_by_name(function, known) for name, function in self.auxiliary.items()}

    @torch.no_grad()
    def coefficient_rows(self, points: Tensor, chosen: Channels, records: list[Any], adjoint: Tensor) -> Tensor:
        adjoint = self._scaled_adjoint(adjoint)
        for layer, record in zip(reversed(self.wires), reversed(records), strict=True):
            adjoint = layer.reverse(record, adjoint)[1]  # type: ignore[assignment]
        with torch.enable_grad():
            spread = [each.expand(len(points)).clone().requires_grad_() for each in self.coefficients]
            fields = [coefficient(each, self.coordinates, name) for each, name in zip(spread, self.constants, strict=True)]
            total = (self._entering_jet(points, chosen, fields) * adjoint).sum()
        if not spread:
            return points.new_zeros((0, len(points)))
        found = torch.autograd.grad(total, spread, allow_unused=True)
        return torch.stack([torch.zeros_like(each) if slope is None else slope for each, slope in zip(spread, found, strict=True)])


def check_constants(network: object, names: tuple[str, ...], *, elsewhere: bool) -> None:
    """Raise ``ValueError`` unless a network's constants are those that a problem leaves ``Unknown``, its ``names``; where nothing
    ``elsewhere`` in the problem asks for these, the network has to.
    """
    unknown = f"the problem leaves {', '.join(names) or 'nothing'} Unknown"
    if isinstance(network, Similarity) and network.constants != names:
        raise ValueError(
            f"the constants of the network are {', '.join(network.constants) or 'none'}, but {unknown}: give the problem parameters="
            f"dict({', '.join(f'{name}=Unknown(...)' for name in network.constants)}), or the network constants={names!r}"
            + "".join(nearest(name, names) for name in network.constants if name not in names)
        )
    if names and not elsewhere and not isinstance(network, Similarity):
        raise ValueError(f"{unknown}, but nothing asks for it: let the model be a Similarity(...), whose variables do")
