"""Formulas with free constants, as a search handles them: values and derivatives by every constant, for many constants at once.

A :class:`Node` is a formula as a tree: variables, exact numbers, free constants with the value they start from, sums, products, powers,
and the functions of :mod:`kanpde.primitives`. A :class:`Form` is the same as a list of steps, in which equal parts are computed once:

>>> form, start = Form.of("2.5*exp(-0.3*t)*cos(t)", ["t"])
>>> form
Form: c1*exp(c2*t)*cos(t)
>>> start.tolist()
[2.5, -0.3]

The derivatives by the constants come from one sweep backwards (reverse mode): the adjoint of a constant, row by row, is its column of the
Jacobian, so that it costs two or three times the values, however many constants there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
import torch
from torch import Tensor

from kanpde.primitives import PRIMITIVES, Primitive
from kanpde.symbolic.reading import read
from kanpde.symbolic.translation import UNARY, in_known_functions


@dataclass(frozen=True, eq=False)
class Node:
    """A part of a formula; ``kind`` is x, number, constant, sum, product, power (to a fixed ``value``), raised (to the second), or f."""

    kind: str
    parts: tuple["Node", ...] = ()
    value: Any = None

    def __add__(self, other: "Node") -> "Node":
        return Node("sum", (*_flat("sum", self), *_flat("sum", other)))

    def __mul__(self, other: "Node") -> "Node":
        return Node("product", (*_flat("product", self), *_flat("product", other)))

    def __pow__(self, exponent: Fraction | int) -> "Node":
        exponent = Fraction(exponent)
        return self if exponent == 1 else Node("power", (self,), exponent)

    def under(self, function: Primitive) -> "Node":
        """function(self)."""
        return Node("f", (self,), function)


def variable(number: int) -> Node:
    """The input of this number, from 0."""
    return Node("x", value=number)


def constant(start: float) -> Node:
    """A free constant; two of them are never one, whatever they start from."""
    return Node("constant", value=float(start))


def number(value: Any) -> Node:
    """An exact number, such as 2 or ``sympy.pi``."""
    return Node("number", value=sympy.sympify(value))


def tidied(node: Node) -> Node:
    """The same formula without terms that are nought, and factors that are one."""
    parts = tuple(tidied(part) for part in node.parts)
    if node.kind == "product":
        if any(_is(part, 0) for part in parts):
            return number(0)
        parts = tuple(part for part in parts if not _is(part, 1))
        return Node("product", parts) if len(parts) > 1 else parts[0] if parts else number(1)
    if node.kind == "sum":
        parts = tuple(part for part in parts if not _is(part, 0))
        return Node("sum", parts) if len(parts) > 1 else parts[0] if parts else number(0)
    same = all(new is old for new, old in zip(parts, node.parts, strict=True))
    return node if same else Node(node.kind, parts, node.value)


def _is(node: Node, value: int) -> bool:
    return node.kind == "number" and node.value == value


def _flat(kind: str, node: Node) -> tuple[Node, ...]:
    return node.parts if node.kind == kind else (node,)


@dataclass(frozen=True)
class Step:
    """What a form computes at one place: ``kind`` as in :class:`Node`, of the places ``parts``."""

    kind: str
    parts: tuple[int, ...]
    value: Any
    moves: bool  # whether it depends on a constant


class Form:
    """A formula of ``inputs`` variables with ``count`` free constants, in the order in which they occur."""

    def __init__(self, root: Node, inputs: int) -> None:
        self.inputs = inputs
        self.steps: list[Step] = []
        self.starts: list[float] = []
        self.free: list[Node] = []  # the constants themselves
        self._known: dict[Any, int] = {}
        self._place(root)
        self.count = len(self.starts)
        self._constants = [place for place, step in enumerate(self.steps) if step.kind == "constant"]

    @classmethod
    def of(cls, expression: Any, names: Sequence[Any], *, values: Mapping[str, float] | None = None) -> tuple["Form", Tensor]:
        """The form of a sympy expression, or text, in the variables ``names``, and the values (count,) that its constants have there.

        Floats are free constants, and so are symbols that are no variable: they start from ``values``, or 1. Other numbers stay exact.

        Raises ``ValueError`` for functions that no primitive is, and for what is not real.
        """
        names = [str(name) for name in names]
        if isinstance(expression, str):
            expression = read(expression, names, as_written=True)
        form = cls(_node(in_known_functions(sympy.sympify(expression)), names, dict(values or {}), {}), len(names))
        return form, torch.tensor(form.starts, dtype=torch.float64)

    @property
    def start(self) -> Tensor:
        """The values that the constants were made with: (count,)."""
        return torch.tensor(self.starts, dtype=torch.float64)

    @property
    def shape(self) -> tuple[Any, ...]:
        """Equal for forms that differ in nothing but what their constants start from."""
        return tuple((step.kind, step.parts, step.value if step.kind != "constant" else None) for step in self.steps)

    def _place(self, node: Node) -> int:
        parts = tuple(self._place(part) for part in node.parts)
        if node.kind in ("sum", "product"):
            parts = tuple(sorted(parts))
        key = id(node) if node.kind == "constant" else (node.kind, parts, node.value)
        if key not in self._known:
            moves = node.kind == "constant" or any(self.steps[part].moves for part in parts)
            if node.kind == "constant":
                self.starts.append(node.value)
                self.free.append(node)
            self.steps.append(Step(node.kind, parts, node.value, moves))
            self._known[key] = len(self.steps) - 1
        return self._known[key]

    def values(self, constants: Tensor, columns: Tensor) -> Tensor:
        """The formula at columns (inputs, N) for constants (B, count): (B, N); NaN or infinite where it is not defined."""
        return self._run(constants, columns)[-1].expand(len(constants), columns.shape[1])

    def jacobian(self, constants: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Values (B, N), and derivatives by the constants (B, N, count)."""
        tables: dict[int, Tensor] = {}
        values = self._run(constants, columns, tables)
        shape = (len(constants), columns.shape[1])
        adjoint: list[Tensor | None] = [None] * len(self.steps)
        adjoint[-1] = torch.ones((), dtype=columns.dtype)
        for place in range(len(self.steps) - 1, -1, -1):
            step, weight = self.steps[place], adjoint[place]
            if weight is None or not step.moves or step.kind == "constant":
                continue
            for index, part in enumerate(step.parts):
                if self.steps[part].moves:
                    passed = weight if step.kind == "sum" else weight * _slope(step, index, values, tables.get(place))
                    known = adjoint[part]
                    adjoint[part] = passed if known is None else known + passed
        zero = torch.zeros((), dtype=columns.dtype)
        found = [adjoint[place] for place in self._constants]
        columns_of = [(zero if each is None else each).expand(shape) for each in found]
        slopes = torch.stack(columns_of, -1) if columns_of else columns.new_zeros(*shape, 0)
        result = values[-1].expand(shape)
        if not bool(torch.isfinite(slopes).all()):  # such as that of sqrt(c x^2) at x = 0, where no c matters
            slopes = torch.where(torch.isfinite(result)[..., None] & ~torch.isfinite(slopes), 0.0, slopes)
        return result, slopes

    def _run(self, constants: Tensor, columns: Tensor, tables: dict[int, Tensor] | None = None) -> list[Tensor]:
        """Every step's values, (B, N), (N,) or (); ``tables`` takes functions with their derivatives."""
        found: list[Tensor] = []
        taken = 0
        for place, step in enumerate(self.steps):
            match step.kind:
                case "x":
                    value = columns[step.value]
                case "number":
                    value = torch.tensor(float(step.value), dtype=columns.dtype)
                case "constant":
                    value, taken = constants[:, taken, None], taken + 1
                case "sum" | "product":
                    value = found[step.parts[0]]
                    for part in step.parts[1:]:
                        value = value + found[part] if step.kind == "sum" else value * found[part]
                case "power":
                    value = _power(found[step.parts[0]], step.value)
                case "raised":
                    value = found[step.parts[0]] ** found[step.parts[1]]
                case _:
                    argument = found[step.parts[0]]
                    if tables is not None and step.moves:
                        tables[place] = step.value.table(argument, 1)
                        value = tables[place][0]
                    else:
                        value = step.value.values(argument)
            found.append(value)
        return found

    def adjoints(self, constants: Tensor, columns: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Of every step its values, and the derivative of the formula by them, (N,) each, for constants (count,)."""
        tables: dict[int, Tensor] = {}
        values = self._run(constants[None], columns, tables)
        shape, zero = (1, columns.shape[1]), torch.zeros((), dtype=columns.dtype)
        adjoint: list[Tensor] = [zero] * len(self.steps)
        adjoint[-1] = torch.ones((), dtype=columns.dtype)
        for place in range(len(self.steps) - 1, -1, -1):
            step = self.steps[place]
            table = step.value.table(values[step.parts[0]], 1) if step.kind == "f" and place not in tables else tables.get(place)
            for index, part in enumerate(step.parts):
                passed = adjoint[place] if step.kind == "sum" else adjoint[place] * _slope(step, index, values, table)
                adjoint[part] = adjoint[part] + passed
        return [each.expand(shape)[0] for each in values], [each.expand(shape)[0] for each in adjoint]

    def rebuilt(
        self,
        constants: Tensor,
        held: Mapping[int, Node] | None = None,
        *,
        change: Mapping[int, Callable[[Node], Node]] | None = None,
        upto: int | None = None,
    ) -> Node:
        """The formula as a tree with these constants (count,); some of them ``held`` at a number, and steps changed by a function.

        With ``upto``, the part that this step computes.
        """
        found: list[Node] = []
        taken = 0
        for place, step in enumerate(self.steps):
            if step.kind == "constant":
                node, taken = (held or {}).get(taken) or constant(float(constants[taken])), taken + 1
            else:
                node = Node(step.kind, tuple(found[part] for part in step.parts), step.value)
            found.append(change[place](node) if change and place in change else node)
            if place == upto:
                break
        return found[-1]

    def expression(self, names: Sequence[Any], constants: Sequence[Any] | None = None) -> Any:
        """As a sympy expression of ``names``, with these ``constants``, by default symbols c1, c2, ... in the order of the constants."""
        if constants is None:
            constants = [sympy.Symbol(f"c{k}", real=True) for k in range(1, self.count + 1)]
        symbols = [name if isinstance(name, sympy.Basic) else sympy.Symbol(name, real=True) for name in names]
        found: list[Any] = []
        left = iter(constants)
        for step in self.steps:
            parts = [found[part] for part in step.parts]
            match step.kind:
                case "x":
                    value = symbols[step.value]
                case "number":
                    value = step.value
                case "constant":
                    value = sympy.sympify(next(left))
                case "sum":
                    value = sympy.Add(*parts)
                case "product":
                    value = sympy.Mul(*parts)
                case "power":
                    value = parts[0] ** sympy.Rational(step.value.numerator, step.value.denominator)
                case "raised":
                    value = parts[0] ** parts[1]
                case _:
                    value = step.value.symbolic(parts[0])
            found.append(value)
        return found[-1]

    def __repr__(self) -> str:
        return f"Form: {self.expression([f'x{k + 1}' for k in range(self.inputs)] if self.inputs > 1 else ['t'])}"


def _power(base: Tensor, exponent: Fraction) -> Tensor:
    if exponent == Fraction(1, 2):
        return base.sqrt()
    if exponent == -1:
        return base.reciprocal()
    return base ** (int(exponent) if exponent.denominator == 1 else float(exponent))


def _slope(step: Step, index: int, values: Sequence[Tensor], table: Tensor | None) -> Tensor:
    """The derivative of a step by its part of this index."""
    if step.kind == "product":
        others = [values[part] for place, part in enumerate(step.parts) if place != index]
        total = others[0]
        for other in others[1:]:
            total = total * other
        return total
    base = values[step.parts[0]]
    if step.kind == "power":
        return float(step.value) * _power(base, step.value - 1)
    if step.kind == "raised":
        exponent = values[step.parts[1]]
        return exponent * base ** (exponent - 1) if index == 0 else torch.special.xlogy(base**exponent, base)
    assert table is not None  # a function that moves has left one
    return table[1]


# ---- from sympy ----


def _node(expression: Any, names: Sequence[str], values: Mapping[str, float], known: dict[Any, Node]) -> Node:
    if expression in known:
        return known[expression]
    if isinstance(expression, sympy.Float):
        return constant(float(expression))
    found = _fresh(expression, names, values, known)
    if not expression.has(sympy.Float):  # each occurrence of a number is free by itself
        known[expression] = found
    return found


def _fresh(expression: Any, names: Sequence[str], values: Mapping[str, float], known: dict[Any, Node]) -> Node:
    if expression.is_Symbol:
        name = str(expression)
        return variable(names.index(name)) if name in names else constant(values.get(name, 1.0))
    if expression.is_number and not expression.has(sympy.Float):
        if not expression.is_real or not expression.is_finite:
            raise ValueError(f"{expression} in the formula is not a finite real number")
        return number(expression)
    if expression.is_number:
        if not expression.is_real:
            raise ValueError(f"{expression} in the formula is not a real number")
        return constant(float(expression))
    parts = [_node(part, names, values, known) for part in expression.args]
    if expression.is_Add:
        return Node("sum", tuple(parts))
    if expression.is_Mul:
        return Node("product", tuple(parts))
    if expression.is_Pow:
        exponent = expression.exp
        return parts[0] ** Fraction(int(exponent.p), int(exponent.q)) if exponent.is_Rational else Node("raised", tuple(parts))
    if expression.func in UNARY:
        return parts[0].under(PRIMITIVES[UNARY[expression.func]])
    raise ValueError(f"there is no primitive for {expression.func.__name__} in {expression}: write it in terms of {', '.join(PRIMITIVES)}")
