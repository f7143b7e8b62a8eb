"""Normal derivatives of the unknowns on sides."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kanpde.conditions.condition import CONDITION_WEIGHT, Frame, Place, evaluated, part, shown
from kanpde.conditions.values import Value, Values, check_value
from kanpde.domains import Boundary


def _normal(name: str) -> str:
    return f"normal in {name}"


class Neumann(Values):
    """The outward normal derivative on a part of the boundary, du/dn = value: ``Neumann(0, on=box.boundary)``.

    Values as in :class:`Dirichlet`, for one unknown, for each, or by name: ``Neumann(u=0, v=lambda x: x, on=...)``. ``weight`` (100 by
    default) multiplies the mean square in the loss, whose part is called ``name``. On the side of the first time, du/dn is -u_t.
    """

    def __init__(
        self,
        value: Value | tuple[Value, ...] | None = None,
        *,
        on: Boundary,
        weight: float = CONDITION_WEIGHT,
        name: str | None = None,
        **components: Value,
    ) -> None:
        self._fill(value, components, weight=weight, name=name)
        self.on = part(on, self)

    def columns(self, points: np.ndarray) -> dict[str, np.ndarray]:
        normals = self.on.normals(points)
        axes = sorted({side.axis for side in self.on.sides})
        return {_normal(self.on.box.names[axis]): normals[:, axis] for axis in axes}

    def places(self, problem: Frame) -> list[tuple[Place, ...]]:
        names = self.on.box.names
        found = []
        for side in self.on.sides:
            normals = {_normal(names[other.axis]): 0 for other in self.on.sides} | {_normal(names[side.axis]): 1 if side.end else -1}
            found.append((Place({names[side.axis]: side.value}, normals),))
        return found

    def slope(self, unknown: str, known: Mapping[str, Any]) -> Any:
        """du/dn as a field."""
        names = dict.fromkeys(self.on.box.names[side.axis] for side in self.on.sides)
        parts = [known[unknown].d(name) * known[_normal(name)] for name in names]
        return sum(parts[1:], start=parts[0])

    def quantity(self, unknown: str, known: Mapping[str, Any]) -> Any:
        return self.slope(unknown, known)


class Robin(Neumann):
    """alpha u + beta du/dn = value on a part of the boundary, n the outward normal: ``Robin(1, 0.5, 0, on=box.side(x=1))``.

    ``alpha`` and ``beta`` are numbers or functions of coordinates and parameters; values, ``weight`` and ``name`` as in :class:`Neumann`.
    """

    def __init__(
        self,
        alpha: Value,
        beta: Value,
        value: Value | tuple[Value, ...] | None = None,
        *,
        on: Boundary,
        weight: float = CONDITION_WEIGHT,
        name: str | None = None,
        **components: Value,
    ) -> None:
        self.alpha, self.beta = alpha, beta
        super().__init__(value, on=on, weight=weight, name=name, **components)

    def _given(self) -> list[str]:
        return [shown(self.alpha), shown(self.beta), *super()._given()]

    def check(self, problem: Frame) -> None:
        super().check(problem)
        for word, factor in (("alpha", self.alpha), ("beta", self.beta)):
            check_value(problem, factor, f"{self!r} gives {word}")
        if all(not callable(factor) and float(factor) == 0 for factor in (self.alpha, self.beta)):
            raise ValueError(f"{self!r} says nothing about its unknowns: alpha and beta are both 0")

    def quantity(self, unknown: str, known: Mapping[str, Any]) -> Any:
        return known[unknown] * evaluated(self.alpha, known) + self.slope(unknown, known) * evaluated(self.beta, known)
