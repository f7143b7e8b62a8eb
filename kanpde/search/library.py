"""The terms that a search puts together: monomials of the variables, and functions of a scaled argument (atoms).

    monomial = prod x_i^p_i,      atom = f(s m),  m a monomial, or a sum or difference of two variables

with p integer or half-integer where the column's sign allows it. For every f and m there are some scales s, close enough that a refit finds
the right one. What pays is that all products monomial * atom are scored by two matrix products, and never made.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor

from kanpde.primitives import PRIMITIVES, Primitive
from kanpde.symbolic.forms import Node, constant, number, variable

HALF = Fraction(1, 2)
SIZES = {1: 6, 2: 6, 3: 5, 4: 5, 5: 4, 6: 4}  # of monomials, the sum of |p|, by the number of variables; 3 for more
MONOMIALS = 3000  # at most: of many variables only short ones
PAIRED = 12  # variables, at most, of which all sums and differences of two are arguments
NICE = (1, 2, 0.5, math.pi, 2 * math.pi, math.pi / 2, 1 / (2 * math.pi), 3, 0.25, 4)

Powers = tuple[Fraction, ...]


@dataclass(frozen=True)
class Shape:
    """f of an atom: ``values`` of u, its ``node``, its ``cost`` in nats, and its ``scaling``: exp, wave, shifted, saturating or within."""

    name: str
    scaling: str
    values: Callable[[Tensor], Tensor]
    node: Callable[[Node], Node]
    cost: float
    whole: bool = True  # False where f is not finite at 0: then all s m have one sign, and stay short of pi for waves


def _plain(primitive: Primitive, scaling: str, *, whole: bool = True) -> Shape:
    return Shape(primitive.name, scaling, primitive.values, lambda u: u.under(primitive), 0.8 * primitive.complexity, whole)


def _raised(primitive: Primitive, exponent: int, scaling: str, *, whole: bool) -> Shape:
    return Shape(
        f"{primitive.name}^{exponent}",
        scaling,
        lambda u: primitive.values(u) ** exponent,
        lambda u: u.under(primitive) ** exponent,
        2.4,
        whole,
    )


def _shifted(exponent: Fraction) -> Shape:
    """(1 + u)^p."""
    name = f"(1+u)^{exponent}"
    return Shape(name, "shifted", lambda u: (1 + u) ** float(exponent), lambda u: (number(1) + u) ** exponent, 2.4)


_P = PRIMITIVES
SHAPES = (
    _plain(_P["exp"], "exp"),
    _plain(_P["sin"], "wave"),
    _plain(_P["cos"], "wave"),
    _raised(_P["sin"], 2, "wave", whole=True),
    _raised(_P["cos"], 2, "wave", whole=True),
    _raised(_P["sin"], -1, "wave", whole=False),
    _raised(_P["sin"], -2, "wave", whole=False),
    _plain(_P["tan"], "wave", whole=False),
    *(_shifted(Fraction(p)) for p in (-1, -2, HALF, -HALF)),
    Shape("log(1+u)", "shifted", torch.log1p, lambda u: (number(1) + u).under(_P["log"]), 2.4),
    _plain(_P["tanh"], "saturating"),
    _plain(_P["coth"], "saturating", whole=False),
    Shape("bose", "saturating", lambda u: 1 / torch.expm1(u), lambda u: (u.under(_P["exp"]) + number(-1)) ** -1, 2.4, whole=False),
    Shape("fermi", "saturating", lambda u: 1 / (u.exp() + 1), lambda u: (u.under(_P["exp"]) + number(1)) ** -1, 2.4),
    _plain(_P["atan"], "saturating"),
    _plain(_P["asin"], "within"),
)


@dataclass(frozen=True)
class Argument:
    """A monomial by its ``powers``, or x_i +- x_j by ``pair`` (i, j, sign)."""

    powers: Powers = ()
    pair: tuple[int, int, int] | None = None

    @cached_property
    def cost(self) -> float:
        """What it takes to write it, in nats."""
        return 3.0 if self.pair else 1.5 * size_of(self.powers)


@dataclass(frozen=True)
class Atom:
    """f(s m); ``shape`` None is m itself in a logarithm."""

    shape: Shape
    argument: Argument
    scale: float | None  # None: no constant in it


LOG = Shape("log", "none", torch.log, lambda u: u.under(_P["log"]), 1.6)


def size_of(powers: Powers) -> float:
    """The sum of |p|, and 1 more for each root."""
    return float(sum(abs(p) + (p.denominator > 1) for p in powers if p))


def monomial(columns: Tensor, powers: Powers) -> Tensor:
    """prod x_i^p_i of columns (d, N): (N,)."""
    found = torch.ones_like(columns[0])
    for column, p in zip(columns, powers, strict=True):
        if p:
            found = found * column ** (int(p) if p.denominator == 1 else float(p))
    return found


def monomial_node(nodes: Sequence[Node], powers: Powers) -> Node | None:
    """The formula of a monomial of these parts; None for 1."""
    found: Node | None = None
    for base, p in zip(nodes, powers, strict=True):
        if p:
            found = base**p if found is None else found * base**p
    return found


class Library:
    """Monomials and atoms of ``columns`` (d, N), whose formulas are ``nodes``, by default the variables; values at some ``rows``.

    ``shapes`` are the functions to try; those of a user's primitives come on top.
    """

    def __init__(self, columns: Tensor, rows: Tensor, nodes: Sequence[Node] | None = None, extra: Sequence[Primitive] = ()) -> None:
        self.columns, self._at = columns, columns[:, rows]
        self.nodes = [variable(k) for k in range(len(columns))] if nodes is None else list(nodes)
        self.shapes = (*SHAPES, *(_plain(each, "saturating") for each in extra))
        low, high = columns.min(1).values, columns.max(1).values
        self.positive = (low > 0).tolist()
        self.signed = ((low > 0) | (high < 0)).tolist()
        self.monomials = self._monomials()
        self.arguments = self._arguments()
        self.atoms, self.atom_values = self._made()

    @property
    def count(self) -> int:
        return len(self.columns)

    @cached_property
    def monomial_values(self) -> Tensor:
        """All monomials at the rows: (M, n)."""
        return torch.stack([monomial(self._at, p) for p in self.monomials])

    def monomial_node(self, powers: Powers) -> Node | None:
        """The formula of a monomial; None for 1."""
        return monomial_node(self.nodes, powers)

    def atom_node(self, atom: Atom) -> Node:
        """The formula of an atom, its scale a free constant."""
        if atom.argument.pair is not None:
            i, j, sign = atom.argument.pair
            inner = self.nodes[i] + (self.nodes[j] if sign > 0 else number(-1) * self.nodes[j])
        else:
            inner = self.monomial_node(atom.argument.powers) or number(1)
        return atom.shape.node(inner if atom.scale is None else constant(atom.scale) * inner)

    # ---- what there is ----

    def _choices(self, column: int) -> list[Fraction]:
        powers = [Fraction(k) for k in range(1, 5)] + ([HALF, 3 * HALF] if self.positive[column] else [])
        return [Fraction(0), *powers, *([-p for p in powers] if self.signed[column] else [])]

    def _monomials(self) -> list[Powers]:
        choices = [[(size_of((p,)), p) for p in self._choices(column)] for column in range(self.count)]
        most = next(size for size in (SIZES.get(self.count, 3), 3, 2.5, 2, 1.5, 1) if size == 1 or _how_many(choices, size) <= MONOMIALS)
        found: list[tuple[float, Powers]] = [(0.0, ())]
        for each in choices:
            found = [(size + own, (*powers, p)) for size, powers in found for own, p in each if size + own <= most]
        return [powers for _, powers in sorted(found, key=lambda each: each[0])]

    def _arguments(self) -> list[Argument]:
        found = []
        ranges = [[p for p in (-2, -1, 0, 1, 2) if p >= 0 or self.signed[column]] for column in range(self.count)]
        for powers in itertools.product(*ranges) if self.count <= 6 else ():
            used = {abs(p) for p in powers if p}
            if used and sum(p != 0 for p in powers) <= 4 and (sum(map(abs, powers)) <= 3 or len(used) == 1):
                found.append(Argument(tuple(map(Fraction, powers))))
        if self.count > 6:
            found = [Argument(tuple(Fraction(int(k == j)) for j in range(self.count))) for k in range(self.count)]
        if self.count == 1:
            found += [Argument((Fraction(3),)), *([Argument((HALF,))] if self.positive[0] else [])]
        for i, j in itertools.combinations(range(self.count if self.count <= PAIRED else 0), 2):
            found += [Argument(pair=(i, j, 1)), Argument(pair=(i, j, -1))]
        return found

    def _argument(self, argument: Argument, columns: Tensor) -> Tensor:
        if argument.pair is not None:
            i, j, sign = argument.pair
            return columns[i] + sign * columns[j]
        return monomial(columns, argument.powers)

    def _made(self) -> tuple[list[Atom], Tensor]:
        atoms: list[Atom] = []
        values = []
        for argument in self.arguments:
            all_rows, m = self._argument(argument, self.columns), self._argument(argument, self._at)
            low, high = float(all_rows.min()), float(all_rows.max())
            for shape in self.shapes:
                if argument.pair and shape.scaling != "wave" and shape.name != "(1+u)^-1":
                    continue
                found = [s for s in _scales(shape, low, high)]
                if not found:
                    continue
                table = shape.values(torch.tensor(found, dtype=m.dtype)[:, None] * m)
                good = torch.isfinite(table).all(1)
                atoms += [Atom(shape, argument, s) for s, fine in zip(found, good.tolist(), strict=True) if fine]
                values.append(table[good])
        for column in range(self.count):
            if self.positive[column]:
                atoms.append(Atom(LOG, Argument(tuple(Fraction(int(k == column)) for k in range(self.count))), None))
                values.append(self._at[column].log()[None])
        return atoms, torch.cat(values) if values else self._at.new_zeros(0, self._at.shape[1])


def _how_many(choices: Sequence[Sequence[tuple[float, Fraction]]], most: float) -> int:
    """Monomials of no greater size, where these are the sizes of each variable's powers."""
    counts = Counter({0.0: 1})
    for each in choices:
        longer: Counter[float] = Counter()
        for size, count in counts.items():
            for own, _ in each:
                if size + own <= most:
                    longer[size + own] += count
        counts = longer
    return sum(counts.values())


def _scales(shape: Shape, low: float, high: float) -> list[float]:
    """The scales s to try for s m, m between low and high."""
    reach = max(abs(low), abs(high))
    if not shape.whole and low <= 0 <= high:
        return []
    if shape.scaling == "exp":
        sizes = [x / reach for x in (0.15, 0.4, 0.8, 1.4, 2.2, 3.5, 6.0)] + [x for x in (1, 2, 0.5) if 0.05 < x * reach < 30]
        return [*sizes, *(-x for x in sizes)]
    if shape.scaling == "wave":
        found = [x / reach for x in (0.4, 0.8, 1.3, 2, 3, 4.2, 5.6, 7.2, 9, 11, 13, 15, 17, 19)] + [x for x in NICE if 0.1 < x * reach < 60]
        return found if shape.whole else [x for x in found if x * reach < 0.98 * math.pi]
    if shape.scaling == "shifted":
        found = [
            sign * x / end
            for end, sign in ((high, 1.0), (-low, -1.0))
            if end > 0
            for x in (0.1, 0.3, 1, 3, 10, -0.05, -0.2, -0.4, -0.6, -0.8, -0.95)
        ]
        return [x for x in (*found, 1.0, -1.0) if 1 + x * low > 1e-6 and 1 + x * high > 1e-6]
    if shape.scaling == "within":
        return [x / reach for x in (0.3, 0.6, 0.9)] + ([1.0] if reach < 1 else [])
    return [x / reach for x in (0.3, 0.8, 1.5, 3, 6, 12)] + [x for x in (1, 2, 0.5) if 0.1 < x * reach < 30]
