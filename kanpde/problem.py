"""Problems: a domain, an equation, and conditions, as they are written on paper.

Whatever a user hands over (equations, boundary values, exact solutions) is a function whose arguments are matched by
name: unknowns, coordinates and parameters, in any order, only those that are used.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kanpde.agreement import check_agreement, doubts
from kanpde.ansatz import ansatz, check_hard, hard_sides
from kanpde.arguments import nearest
from kanpde.calls import argument_names, call_by_name, components_of, function_name
from kanpde.checks import check_parameter, missing, trial
from kanpde.conditions import Condition as Condition
from kanpde.conditions import Dirichlet as Dirichlet
from kanpde.conditions import Initial as Initial
from kanpde.conditions import Value, shown
from kanpde.domains import Box, Side
from kanpde.fields import Field
from kanpde.jets import MultiIndex
from kanpde.trainable import Trainable


@dataclass(frozen=True)
class Unknown:
    """A coefficient to be found with the solution, from a first guess: ``parameters=dict(nu=Unknown(0.1))``.

    It is trained beside the network. Its estimate and standard deviation are in the result's metrics, as ``nu`` and ``nu_sigma``
    (:mod:`kanpde.uncertainty`). Raises ``ValueError`` for a guess that is not a finite number.
    """

    guess: float

    def __post_init__(self) -> None:
        try:
            good = not isinstance(self.guess, str) and math.isfinite(float(self.guess))
        except (TypeError, ValueError):
            good = False
        if not good:
            raise ValueError(f"Unknown(guess) takes a finite number to start from, got {self.guess!r}")

    def __float__(self) -> float:
        return float(self.guess)


@dataclass(frozen=True)
class Problem(Trainable):
    """Find the ``unknowns`` that satisfy ``equation`` in ``domain`` and the ``conditions`` on its boundary.

    ``equation`` returns its residual, or a tuple of them for a system; it is called once at construction, to see what it reads.
    ``unknowns`` are by default those arguments without a default value that are neither coordinates nor ``parameters``; a parameter is a
    number or ``Unknown(guess)``. ``exact`` (one value, or a tuple with one for each unknown) is checked against equation
    and conditions before training, and slopes against sources, unless ``check`` is False; ``reference`` is a solution that is only
    compared with. Where both are given, errors are those against ``exact``. Where coordinates are x1, x2, ..., a function may also ask
    for ``x``, the tuple of them all.
    """

    domain: Box
    equation: Callable[..., Any]
    conditions: Sequence[Condition] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    unknowns: tuple[str, ...] = ()
    exact: Callable[..., Any] | None = None
    reference: Callable[..., Any] | None = None
    check: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.domain, Box):
            raise TypeError(f"the domain of a Problem is a Box such as Box(x=(-1, 1)), got {self.domain!r}")
        if not callable(self.equation):
            raise TypeError(f"the equation of a Problem is a function such as lambda u: u.xx, got {self.equation!r}")
        for name, value in self.parameters.items():
            if name in self.domain.names:
                raise ValueError(f"the parameter {name!r} has the name of a coordinate of {self.domain}")
            check_parameter(name, value)
        object.__setattr__(self, "unknowns", self._found_unknowns())
        self.check_names(self.equation)
        object.__setattr__(self, "_trial", trial(self, self.equation))
        conditions: Any = self.conditions
        many = isinstance(conditions, Iterable) and not isinstance(conditions, (str, Mapping))
        given: tuple[Any, ...] = tuple(conditions) if many else (conditions,)
        for condition in given:
            if not isinstance(condition, Condition):
                raise TypeError(f"conditions takes a list of conditions such as Dirichlet(0, on=...), got {condition!r}")
        object.__setattr__(self, "conditions", _named_apart(tuple(condition.placed(self) for condition in given)))
        for condition in self.conditions:
            condition.check(self)
        check_agreement(self)
        for name in self.unknowns:
            check_hard(self, name)
        for solution in (self.exact, self.reference):
            if solution is not None:
                self._check_solution(solution)

    def _found_unknowns(self) -> tuple[str, ...]:
        names = argument_names(self.equation)
        given = (self.unknowns,) if isinstance(self.unknowns, str) else tuple(self.unknowns)
        taken = {*self.domain.names, *self.domain.vectors, *self.parameters}
        found = given or tuple(name for name in names if name not in taken)
        if not found:
            raise ValueError(f"{function_name(self.equation)} asks for no unknown: its arguments are {', '.join(names) or 'none'}")
        for place, name in enumerate(found):
            if name in self.domain.names or name in self.parameters or name in found[:place]:
                raise ValueError(f"the unknown {name!r} has the name of a coordinate, a parameter or another unknown")
        return found

    def _check_solution(self, solution: Callable[..., Any]) -> None:
        if not callable(solution):
            raise TypeError(f"exact and reference are functions of the coordinates and parameters, got {solution!r}")
        self.check_names(solution, unknowns=False)
        asked = set(argument_names(solution, optional=True)) & set(self.coefficients)
        if asked:
            name = min(asked)
            raise ValueError(
                f"{function_name(solution)} asks for {name!r}, which is Unknown: write its true value into {function_name(solution)}"
            )

    def __repr__(self) -> str:
        given = [repr(self.domain), shown(self.equation), f"conditions={list(self.conditions)}"]
        given += [f"parameters={dict(self.parameters)}"] if self.parameters else []
        given += [f"{name}={shown(solution)}" for name in ("exact", "reference") if (solution := getattr(self, name)) is not None]
        return f"Problem({', '.join(given if self.check else [*given, 'check=False'])})"

    def check_names(self, function: Callable[..., Any], *, unknowns: bool = True) -> None:
        """Raise ``TypeError`` if ``function`` asks for a name that does not exist."""
        known = [*(self.unknowns if unknowns else ()), *self.domain.names, *self.domain.vectors, *self.parameters]
        for name in argument_names(function):
            if name not in known:
                kinds = "unknowns, coordinates and parameters are" if unknowns else "coordinates and parameters are"
                raise TypeError(f"{function_name(function)} asks for {name!r}, but the {kinds} {', '.join(known)}{nearest(name, known)}")

    @property
    def reads(self) -> Mapping[str, frozenset[MultiIndex]]:
        """The derivatives of each unknown that the equation reads."""
        return self._trial[0]  # type: ignore[attr-defined]

    @property
    def components(self) -> int:
        """The number of residuals that the equation returns."""
        return self._trial[1]  # type: ignore[attr-defined]

    @property
    def soft(self) -> tuple[Condition, ...]:
        """The conditions that enter the loss."""
        return tuple(condition for condition in self.conditions if not condition.hard)

    @property
    def coefficients(self) -> dict[str, float]:
        """The first guesses of the parameters that are ``Unknown``, by name."""
        return {name: float(value) for name, value in self.parameters.items() if isinstance(value, Unknown)}

    def known(
        self, coordinates: Mapping[str, Any], unknowns: Mapping[str, Any] | None = None, coefficients: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Everything that a user's function may ask for, by name; unknown coefficients are their guesses unless given."""
        vectors = self.domain.together(coordinates)
        return {**vectors, **(unknowns or {}), **coordinates, **self.parameters, **self.coefficients, **(coefficients or {})}

    def residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        """The residuals of the equation, one a component."""
        return components_of(call_by_name(self.equation, known), self.equation)

    def solution(self, which: Callable[..., Any], coordinates: Mapping[str, Any]) -> dict[str, Any]:
        """``exact`` or ``reference`` by unknown."""
        values = call_by_name(which, self.known(coordinates))
        if isinstance(values, Mapping):
            values = tuple(values[name] for name in self.unknowns)
        values = tuple(values) if isinstance(values, (tuple, list)) else (values,)
        if len(values) != len(self.unknowns):
            raise ValueError(
                f"{function_name(which)} returns {len(values)} values, but the unknowns are {', '.join(self.unknowns)}: return one for each"
            )
        return dict(zip(self.unknowns, values, strict=True))

    def warnings(self, periodic: Sequence[int] = ()) -> list[str]:
        """What may be missing or does not fit: sides (but for axes along which the network is ``periodic``) and starts without a
        condition, fewer components than unknowns, unknowns that are determined up to a constant, jumps between periodic sides.
        """
        return missing(self, self.components, periodic) or doubts(self)

    # ---- hard conditions ----

    def hard_sides(self, unknown: str) -> list[tuple[Side, Value]]:
        """The sides on which the ansatz fixes ``unknown``, with the value there."""
        return hard_sides(self, unknown)

    def ansatz(self, unknown: str, coordinates: Mapping[str, Field]) -> tuple[Field, Any] | None:
        """(G, D) with u = G + D N for the network's output N, or None where nothing is hard."""
        return ansatz(self, unknown, coordinates)


def manufactured(equation: Callable[..., Any], exact: Callable[..., Any], *, unknowns: Sequence[str] | None = None) -> Callable[..., Any]:
    """The equation whose solution is ``exact``: L(u) - L(exact) for a left-hand side L, as in

        Problem(square, manufactured(lambda u: laplacian(u) + u**2, exact), exact=exact, ...)

    ``exact`` is a function of coordinates and parameters, in kanpde.functions, that returns one value or a tuple. The ``unknowns`` that it
    stands for are by default the first arguments of ``equation`` that ``exact`` does not have.
    """
    if not callable(equation) or not callable(exact):
        raise TypeError(f"manufactured takes a left-hand side and an exact solution, two functions, got {equation!r} and {exact!r}")
    left, right = argument_names(equation), argument_names(exact)
    free = [name for name in left if name not in right]

    def residual(**available: Any) -> Any:
        values = call_by_name(exact, available)
        if isinstance(values, Mapping):
            names, values = tuple(values), tuple(values.values())
        else:
            values = tuple(values) if isinstance(values, (tuple, list)) else (values,)
            names = tuple(unknowns or [name for name in free if name not in available[free[0]]._coordinates][: len(values)])
        if len(names) != len(values):
            raise ValueError(
                f"{function_name(exact)} returns {len(values)} values for the unknowns {', '.join(names)}: return one for each"
            )
        solution = {name: available[name]._lift(value) for name, value in zip(names, values, strict=True)}
        found = components_of(call_by_name(equation, available), equation)
        wanted = components_of(call_by_name(equation, {**available, **solution}), equation)
        return tuple(one - other for one, other in zip(found, wanted, strict=True))

    names = dict.fromkeys((*left, *right))
    residual.__name__ = getattr(equation, "__name__", "manufactured")
    residual.__signature__ = inspect.Signature([inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in names])  # type: ignore[attr-defined]
    return residual


def _named_apart(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Number equal names, so that each condition has its own loss and points."""
    names = ["equation", *(condition.name for condition in conditions)]
    taken = {name for name in names if names.count(name) == 1} | {"equation"}
    named = []
    for condition in conditions:
        if names.count(condition.name) > 1:
            number = 1
            while f"{condition.name}_{number}" in taken:
                number += 1
            condition = condition.renamed(f"{condition.name}_{number}")
            taken.add(condition.name)
        named.append(condition)
    return tuple(named)
