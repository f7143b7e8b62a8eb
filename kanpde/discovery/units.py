"""Dimensionless groups: with units, y = m(x) g(pi_1, ..., pi_k), where the monomial m has the units of y and the pi have none.

Buckingham, Phys. Rev. 4 (1914) 345: k is the number of variables less the rank of the matrix of their dimensions.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from kanpde.search.library import Powers, monomial, monomial_node
from kanpde.symbolic.description import Trial
from kanpde.symbolic.forms import Node, constant, variable
from kanpde.symbolic.units import Units


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


def dimensionless(units: Units, count: int) -> Groups | None:
    """The groups of so many columns with these ``units``; None where no product of powers of the columns has the unit of the output."""
    import sympy

    bases = sorted({base for each in (*units.inputs, units.output) for base in each})
    matrix = sympy.Matrix([[_exact(each.get(base)) for each in units.inputs] for base in bases]) if bases else sympy.zeros(0, count)
    target = sympy.Matrix([_exact(units.output.get(base)) for base in bases]) if bases else sympy.zeros(0, 1)
    unknown = sympy.symbols(f"p:{count}")
    solution = sympy.linsolve((matrix, target), *unknown) if bases else {tuple(sympy.Integer(0) for _ in range(count))}
    if not solution:
        return None
    chosen: Any = next(iter(solution))
    factor = [sympy.sympify(each).subs({p: 0 for p in unknown}) for each in chosen]
    null = matrix.nullspace() if bases else [sympy.eye(count)[:, k] for k in range(count)]
    groups = []
    for vector in null:
        scale = sympy.ilcm(1, 1, *[entry.q for entry in vector])
        groups.append(tuple(Fraction(int(entry * scale)) for entry in vector))
    return Groups(tuple(groups), tuple(Fraction(int(each.p), int(each.q)) for each in factor))


def _exact(power: Fraction | None) -> Any:
    import sympy

    return sympy.Integer(0) if power is None else sympy.Rational(power.numerator, power.denominator)
