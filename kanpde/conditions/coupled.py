"""Conditions whose rows read several points: agreement of opposite sides, and integrals."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Self

import numpy as np

from kanpde.arguments import nearest
from kanpde.calls import argument_names, call_by_name, components_of
from kanpde.conditions.condition import CONDITION_WEIGHT, Condition, Frame, Place, evaluated, positive, shown
from kanpde.conditions.values import Dirichlet, Value, check_value
from kanpde.domains import TIME, Boundary, Box, Quantile, Side
from kanpde.fields import coordinate_fields

logger = logging.getLogger("kanpde")

GAUSS = {0: 1, 1: 64, 2: 32, 3: 16, 4: 10, 5: 8, 6: 6}  # Gauss-Legendre points an axis, by the number of axes


class Periodic(Condition):
    """The unknowns agree on the two sides of a coordinate, with their derivatives by it: ``Periodic("x")``.

    Derivatives 0 ... ``order`` - 1 agree, by default as many as the equation has order in that coordinate (at least the values); row k is
    scaled by (length / 2 pi)^k. ``unknowns`` restricts it to some of them. A network that is periodic by itself
    (a Fourier basis in its first layer) satisfies it exactly, and then it has no rows. ``weight`` is 100 by default.

    Raises ``ValueError`` for time, for a name that is no coordinate, and beside a Dirichlet condition on the same sides.
    """

    optional = True
    group = 2

    def __init__(
        self,
        coordinate: str,
        *,
        order: int | None = None,
        unknowns: Sequence[str] | None = None,
        weight: float = CONDITION_WEIGHT,
        name: str | None = None,
    ) -> None:
        if not isinstance(coordinate, str):
            raise TypeError(f"Periodic takes the name of a coordinate, as in Periodic('x'), got {coordinate!r}")
        if order is not None and not (isinstance(order, int) and order >= 1):
            raise ValueError(f"Periodic(order=...) is the number of derivatives that agree, a whole number of at least 1, got {order!r}")
        self.coordinate, self.order, self.unknowns = coordinate, order, (unknowns,) if isinstance(unknowns, str) else unknowns
        self.weight, self.name = positive(weight, "the weight of a condition"), name or f"periodic_{coordinate}"
        self.orders: dict[str, int] = {}

    def __repr__(self) -> str:
        given = [repr(self.coordinate)] + ([f"order={self.order}"] if self.order else [])
        return f"Periodic({', '.join(given + ([f'unknowns={tuple(self.unknowns)}'] if self.unknowns else []))})"

    def placed(self, problem: Frame) -> Self:
        box = problem.domain
        if self.coordinate == TIME:
            raise ValueError(f"{self!r}: time is not periodic; for a periodic orbit, give that coordinate another name")
        if self.coordinate not in box.names:
            raise ValueError(f"{self!r}: the coordinates are {', '.join(box.names)}{nearest(self.coordinate, box.names)}")
        for name in self.unknowns or ():
            if name not in problem.unknowns:
                raise ValueError(f"{self!r}: the unknowns are {', '.join(problem.unknowns)}{nearest(name, problem.unknowns)}")
        other, axis = copy(self), box.names.index(self.coordinate)
        other.on = Boundary(box, tuple(side for side in box.boundary.sides if side.axis == axis))
        other.orders = {
            name: self.order or max(1, *(alpha.count(axis) for alpha in problem.reads.get(name, frozenset())), 1)
            for name in self.unknowns or problem.unknowns
        }
        return other

    def check(self, problem: Frame) -> None:
        for other in problem.conditions:
            if isinstance(other, Dirichlet):
                both = [name for name in self.orders if any(side in self.on.sides for side in other.sides(problem, name))]
                if both:
                    raise ValueError(
                        f"{self!r} and {other!r} both hold for {both[0]} at the ends of {self.coordinate}: leave one of them out"
                    )

    def sides(self, problem: Frame, unknown: str) -> tuple[Side, ...]:
        return self.on.sides if unknown in self.orders else ()

    def points(self, per_side: int, quantile: Quantile | Sequence[Quantile], seed: int) -> np.ndarray:
        """Pairs: a point of the lower side, then its partner on the upper."""
        lower, upper = self.on.sides
        first = Boundary(self.on.box, (lower,)).sample(per_side, quantile, seed)
        second = first.copy()
        second[:, upper.axis] = upper.value
        return np.stack([first, second], 1).reshape(-1, first.shape[1])

    def coefficients(self, points: np.ndarray) -> np.ndarray:
        return np.tile([-1.0, 1.0], len(points) // 2)

    def residuals(self, problem: Frame, known: Mapping[str, Any]) -> tuple[Any, ...]:
        side = self.on.sides[0].axis
        length = (self.on.box.upper[side] - self.on.box.lower[side]) / (2 * math.pi)
        return tuple(
            known[name].d(self.coordinate, k) * length**k if k else known[name] for name, order in self.orders.items() for k in range(order)
        )

    def places(self, problem: Frame) -> list[tuple[Place, ...]]:
        lower, upper = self.on.sides
        return [(Place({self.coordinate: upper.value}), Place({self.coordinate: lower.value}, factor=-1.0))]

    def satisfied_by(self, problem: Frame, network: Any) -> bool:
        """Whether the network is periodic by itself; hard values that are not periodic are warned of, and then rows are needed."""
        if not network.is_periodic(self.on.sides[0].axis):
            return False
        points = self.points(16, lambda u: 2 * u - 1, 0)
        coordinates = coordinate_fields(self.on.box.names, list(points.T))
        for name, order in self.orders.items():
            pair = problem.ansatz(name, coordinates)
            for field in pair or ():
                field = coordinates[self.coordinate]._lift(field)
                for k in range(order):
                    value = np.broadcast_to(np.asarray(field.d(self.coordinate, k).value, dtype=float), len(points))
                    if not np.abs(value[1::2] - value[::2]).max() <= 1e-9 * (1 + np.abs(value).max()):
                        logger.warning("hard values of %s are not periodic in %s (derivative %d)", name, self.coordinate, k)
                        return False
        return True


class Integral(Condition):
    """An integral has a value: ``Integral(lambda u: u, over=box, value=0)``, ``Integral(lambda u: u.x, over=box.side(x=1), value=2)``.

        sum_q w_q f(x_q) = value,     a tensor grid of Gauss-Legendre points x_q and weights w_q,

    over the domain, a box in it, or a part of its boundary. ``points`` is the number of points along each axis, by default 64, 32, 16,
    10, 8, 6 for one to six axes; more axes are refused with ``ValueError``. A tuple of integrands takes one value or a tuple. ``weight`` is
    100 by default. The rows are those of the whole sum, one a component.
    """

    group = 0

    def __init__(
        self,
        integrand: Callable[..., Any],
        *,
        over: Box | Boundary,
        value: Value | tuple[Value, ...] = 0,
        points: int | None = None,
        weight: float = CONDITION_WEIGHT,
        name: str | None = None,
    ) -> None:
        if not callable(integrand):
            raise TypeError(f"Integral takes an integrand such as lambda u: u, got {integrand!r}")
        if not isinstance(over, (Box, Boundary)):
            raise TypeError(f"Integral takes over=box or over=box.side(x=1), got over={over!r}")
        if points is not None and not (isinstance(points, int) and points >= 1):
            raise ValueError(f"Integral(points=...) is the number of points along each axis, at least 1, got {points!r}")
        self.integrand, self.over, self.value, self.count = integrand, over, value, points
        self.weight, self.name = positive(weight, "the weight of a condition"), name or "integral"
        axes = len(self._box.names) - isinstance(over, Boundary)
        if axes not in GAUSS:
            raise ValueError(f"{self!r} runs over {axes} axes, at most {max(GAUSS)} are possible")
        self._nodes, self._weights = self._quadrature(points or GAUSS[axes])

    @property
    def _box(self) -> Box:
        return self.over if isinstance(self.over, Box) else self.over.box

    def __repr__(self) -> str:
        value = f"({', '.join(map(shown, self.value))})" if isinstance(self.value, tuple) else shown(self.value)
        return f"Integral({shown(self.integrand)}, over={self.over!r}, value={value})"

    def _quadrature(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        box, (nodes, weights) = self._box, np.polynomial.legendre.leggauss(count)
        points, products = [], []
        for side in self.over.sides if isinstance(self.over, Boundary) else (None,):
            axes, factors = [], []
            for axis, (low, high) in enumerate(zip(box.lower, box.upper, strict=True)):
                held = side is not None and side.axis == axis
                axes.append(np.array([side.value]) if held and side else box.scaled(nodes, axis))
                factors.append(np.ones(1) if held else 0.5 * (high - low) * weights)
            points.append(np.stack([mesh.ravel() for mesh in np.meshgrid(*axes, indexing="ij")], 1))
            products.append(np.prod(np.meshgrid(*factors, indexing="ij"), 0).ravel())
        if not points:
            raise ValueError(f"Integral runs over no side: the part of the boundary {self.over!r} is empty")
        return np.concatenate(points), np.concatenate(products)

    def check(self, problem: Frame) -> None:
        box, domain = self._box, problem.domain
        inside = box.names == domain.names and bool(domain.contains(np.array([box.lower, box.upper])).all())
        if not inside or (isinstance(self.over, Boundary) and box != domain):
            raise ValueError(f"{self!r} does not lie in the domain {domain}")
        problem.check_names(self.integrand)
        if not set(argument_names(self.integrand)) & set(problem.unknowns):
            raise ValueError(f"{self!r}: the integrand reads none of the unknowns {', '.join(problem.unknowns)}")
        for value in self._values():
            check_value(problem, value, f"{self!r} has")
            if callable(value) and set(argument_names(value)) & set(domain.names):
                raise ValueError(f"{self!r}: the value of an integral is a number or a function of parameters, not of coordinates")

    def _values(self) -> tuple[Value, ...]:
        return self.value if isinstance(self.value, tuple) else (self.value,)

    def sides(self, problem: Frame, unknown: str) -> tuple[Side, ...]:
        return ()

    def points(self, per_side: int, quantile: Quantile | Sequence[Quantile], seed: int) -> np.ndarray:
        return self._nodes

    def coefficients(self, points: np.ndarray) -> np.ndarray:
        if len(points) != len(self._weights):
            raise ValueError(f"{self!r} has {len(self._weights)} quadrature points, got {len(points)}")
        return self._weights

    def residuals(self, problem: Frame, known: Mapping[str, Any]) -> tuple[Any, ...]:
        """The integrand less value / volume, whose integral is what should vanish."""
        integrands = components_of(call_by_name(self.integrand, known), self.integrand)
        values, volume = self._values(), float(self._weights.sum())
        if len(values) not in (1, len(integrands)):
            raise ValueError(f"{self!r} has {len(integrands)} integrands but {len(values)} values: give one, or one for each")
        values = values * len(integrands) if len(values) == 1 else values
        return tuple(each - evaluated(value, known) / volume for each, value in zip(integrands, values, strict=True))

    def places(self, problem: Frame) -> list[tuple[Place, ...]]:
        return []
