"""Dimensionless groups: with units, y = m(x) g(pi_1, ..., pi_k), where the monomial m has the units of y and the pi have none.

Buckingham, Phys. Rev. 4 (1914) 345: k is the number of variables less the rank of the matrix of their dimensions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from kanpde.search.library import Powers, monomial, monomial_node
from kanpde.symbolic.description import Trial
from kanpde.symbolic.forms import Node, constant, variable
from kanpde.symbolic.reading import read


@dataclass(frozen=True)
class Groups:
    """Powers of the variables in ``groups``, which have no unit, and in the ``factor`` that has the unit of the output."""

    groups: tuple[Powers, ...]
    factor: Powers

    @property
    def count(self) -> int:
        return len(self.groups)

    def values(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """The groups (k, N) and the factor (N,) at columns (d, N)."""
        return torch.stack([monomial(columns, powers) for powers in self.groups]), monomial(columns, self.factor)

    def whole(self) -> Node:
        """c times the factor, where there are no groups."""
        return self._times_factor(constant(1.0))

    def formula(self, trial: Trial) -> Node:
        """A law of the groups as one of the variables."""
        form, variables = trial.form, [variable(k) for k in range(len(self.factor))]
        groups = [monomial_node(variables, powers) or constant(1.0) for powers in self.groups]
        change = {place: (lambda node, k=step.value: groups[k]) for place, step in enumerate(form.steps) if step.kind == "x"}
        return self._times_factor(form.rebuilt(trial.constants, change=change))

    def _times_factor(self, node: Node) -> Node:
        factor = monomial_node([variable(k) for k in range(len(self.factor))], self.factor)
        return node if factor is None else node * factor


def dimensionless(units: Mapping[str, str], names: Sequence[str], output: str) -> Groups:
    """The groups of variables with these ``units``, texts such as "kg*m/s^2" or "1", by the names of all columns and of the output.

    Raises ``ValueError`` for units that are missing, no products of powers, or do not balance: no product of powers of the variables has
    the unit of the output.
    """
    import sympy

    wanted = [*names, output]
    if missing := [name for name in wanted if name not in units]:
        raise ValueError(f"units are missing for {', '.join(missing)}: give one for every column and the output, '1' for those without")
    if more := sorted(set(units) - set(wanted)):
        raise ValueError(f"there is no column {more[0]!r} to have a unit: they are {', '.join(names)}, and the output {output}")
    powers = {name: _dimensions(units[name], name) for name in wanted}
    bases = sorted({base for each in powers.values() for base in each})
    matrix = sympy.Matrix([[powers[name].get(base, 0) for name in names] for base in bases]) if bases else sympy.zeros(0, len(names))
    target = sympy.Matrix([powers[output].get(base, 0) for base in bases]) if bases else sympy.zeros(0, 1)
    unknown = sympy.symbols(f"p:{len(names)}")
    solution = sympy.linsolve((matrix, target), *unknown) if bases else {tuple(sympy.Integer(0) for _ in names)}
    if not solution:
        raise ValueError(f"the units do not balance: no product of powers of {', '.join(names)} has the unit {units[output]} of {output}")
    chosen: Any = next(iter(solution))
    factor = [sympy.sympify(each).subs({p: 0 for p in unknown}) for each in chosen]
    null = matrix.nullspace() if bases else [sympy.eye(len(names))[:, k] for k in range(len(names))]
    groups = []
    for vector in null:
        scale = sympy.ilcm(*[entry.q for entry in vector])
        groups.append(tuple(Fraction(int(entry * scale)) for entry in vector))
    return Groups(tuple(groups), tuple(Fraction(int(each.p), int(each.q)) for each in factor))


def _dimensions(text: str, name: str) -> dict[str, Any]:
    """A unit as powers of its base units."""
    import sympy

    found = {}
    letters = {"I", "E", "S", "N", "Q", "O", "pi"}
    expression = read(str(text), letters)
    for base, power in expression.as_powers_dict().items():
        if base.is_Number and base == 1:
            continue
        if not base.is_Symbol or not power.is_Rational:
            raise ValueError(f"the unit of {name} must be a product of powers such as 'kg*m/s^2', or '1', got {text!r}")
        found[str(base)] = sympy.Rational(power)
    return found
