"""The structure of a function as a tree: sums, products and inner functions of ever smaller groups of variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from kanpde.drawing import Branch, draw_tree
from kanpde.structure.findings import count_of
from kanpde.structure.levels import composition, dependence, generalised_separability
from kanpde.structure.sampled import Domain, Sampled
from kanpde.structure.separability import Parts, additive_parts, multiplicative_parts

if TYPE_CHECKING:
    from kanpde.drawing import Figure

LARGEST = 6  # variables among whose groups inner functions are looked for: of more there are too many
HELD = 24  # values of the other variables among which those for a part are chosen
PROBED = 64  # points at which that is done
CONSTANT = 1e-6  # of the spread of the values: an additive constant of a product that is less is none
SIGNS = {"sum": "+", "product": "×", "composed": "F", "through": "F"}
COMBINATIONS = {"-": lambda x, y: x - y, "+": lambda x, y: x + y, "*": lambda x, y: x * y, "/": lambda x, y: x / y}


@dataclass(frozen=True, repr=False)
class Tree:
    """A function of ``variables`` and what it consists of.

    - "sum": the ``parts`` added; "product": multiplied, and a ``constant`` added;
    - "composed": a function F of the parts, which is not known;
    - "through": a function F of a combination of two variables, which ``text`` has, such as "x - y";
    - "function": nothing was found: all of its variables interact; "variable": it depends on one; "constant": on none.

    ``reason`` says what it rests on, ``idle`` are variables that do not matter. Parts are known up to constants: added ones in a sum,
    factors in a product, a monotone function in what is composed.
    """

    kind: str
    variables: tuple[str, ...]
    parts: tuple[Tree, ...] = ()
    text: str = ""
    constant: float = 0.0
    reason: str = ""
    idle: tuple[str, ...] = ()

    @property
    def formula(self) -> str:
        """The structure in one line that sympy can read, as in "g1(x) + F1(y*z)"; unknown functions are numbered from the left."""
        return self._written(iter(range(1, 10**9)), iter(range(1, 10**9)), "")

    def _written(self, small: Iterator[int], large: Iterator[int], around: str) -> str:
        if self.kind == "constant":
            return "c"
        if self.kind in ("variable", "function"):
            return f"g{next(small)}({', '.join(self.variables)})"
        if self.kind == "through":
            return f"F{next(large)}({self.text})"
        name = f"F{next(large)}" if self.kind == "composed" else ""
        parts = [each._written(small, large, self.kind) for each in self.parts]
        if self.kind == "composed":
            return f"{name}({', '.join(parts)})"
        shifted = f" + {self.constant:.6g}".replace("+ -", "- ") if self.constant and around in ("", "product") else ""
        whole = (" + " if self.kind == "sum" else "*").join(parts) + shifted
        return f"({whole})" if around == "product" and (self.kind == "sum" or shifted) else whole

    def __str__(self) -> str:
        idle = f"\nno dependence on {', '.join(self.idle)}" if self.idle else ""
        of = f"({', '.join(self.variables)})" if self.variables else ""
        return "\n".join([f"f{of} = {self.formula}", *self._lines("")]) + idle

    __repr__ = __str__

    def _lines(self, lead: str) -> Iterator[str]:
        for number, part in enumerate(self.parts):
            last = number == len(self.parts) - 1
            words = part.text or ", ".join(part.variables)
            yield f"{lead}{'└' if last else '├'}─ {SIGNS.get(part.kind, '')}{' ' if part.kind in SIGNS else ''}{words}"
            yield from part._lines(lead + ("   " if last else "│  "))

    def figure(self) -> Figure:
        """The tree as a drawing, the whole function above: + and × in circles, F for a function that is not known, variables below."""
        return draw_tree(self._branch(), self.formula)

    def _branch(self) -> Branch:
        if self.kind == "through":
            return Branch("F", children=(Branch("", (self.text,)),))
        return Branch(SIGNS.get(self.kind, ""), self.variables, tuple(part._branch() for part in self.parts))


def structure_tree(
    function: Any,
    domain: Domain = None,
    *,
    output: int | str | None = None,
    noise: float | None = None,
    points: int = 300,
    seed: int = 0,
) -> Tree:
    """The structure of a function or a network, from sums to products to inner functions, as far as it can be told.

    Every step is one of the tests of :mod:`kanpde.structure`, in this order: f = g(x_A) + h(x_B) + ...; f = c + g(x_A) h(x_B) ... with a
    constant c, which follows from rectangles; of two variables, f = F(x - y), F(x + y), F(x y), F(x / y); f = F(g(x_A) + h(x_B) + ...);
    f = F(g(x_A), ..., x_B). Then each part is taken apart alike, the other variables held where it varies most. What a test cannot tell
    is kept together. Inner functions are looked for among six variables at most.

    Arguments and errors as in :func:`~kanpde.structure.additive_separability`: the domain of a network is its box; names are those of the
    domain, as in ``dict(x=(0, 1), y=(0, 2))``; ``noise`` is the root mean square error of a trained network.
    """
    sampled = Sampled(function, domain, output=output, noise=noise, seed=seed)
    search = _Search(sampled, noise, count_of(points), seed)
    axes = tuple(range(len(sampled.names)))
    if len(axes) == 1:
        return Tree("variable", sampled.names)
    return search.tree(_Part(sampled, axes, np.zeros(len(axes)), 0.0))


class _Part:
    """The function with some variables held: of points (N, k) of the ``axes`` that are left, (N,)."""

    def __init__(self, sampled: Sampled, axes: Sequence[int], held: np.ndarray, constant: float) -> None:
        self._sampled, self.axes, self._held, self._constant = sampled, tuple(axes), held, constant

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._sampled.names[axis] for axis in self.axes)

    @property
    def domain(self) -> dict[str, Any]:
        """Ranges by name, or columns where the domain is given by points."""
        if self._sampled.strict:
            return {self._sampled.names[axis]: (self._sampled.lower[axis], self._sampled.upper[axis]) for axis in self.axes}
        drawn = self._sampled.draw(4096)
        return {self._sampled.names[axis]: drawn[:, axis] for axis in self.axes}

    def full(self, points: np.ndarray) -> np.ndarray:
        every = np.broadcast_to(self._held, (len(points), len(self._held))).copy()
        every[:, self.axes] = points
        return every

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return self._sampled(self.full(points)) - self._constant

    def less(self, constant: float) -> _Part:
        """This function less a constant."""
        return _Part(self._sampled, self.axes, self._held, self._constant + constant)

    def held(self, names: Sequence[str], constant: float) -> _Part:
        """The part of these variables: the others are held where it varies most over them."""
        axes = [axis for axis in self.axes if self._sampled.names[axis] in names]
        candidates = self.full(self._sampled.draw(HELD)[:, list(self.axes)])
        every = np.repeat(candidates[:, None], PROBED, 1)
        every[:, :, axes] = self._sampled.draw(PROBED)[:, axes]
        values = self._sampled(every)
        known = np.isfinite(values)
        spread = np.where(known.mean(1) > 0.5, np.where(known, values, 0.0).std(1), -1.0)
        return _Part(self._sampled, axes, candidates[int(spread.argmax())], self._constant + constant)


class _Search:
    """The steps that take a function apart."""

    def __init__(self, sampled: Sampled, noise: float | None, points: int, seed: int) -> None:
        self.sampled = sampled
        self.options: dict[str, Any] = {"points": points, "seed": seed, "noise": noise}

    def tree(self, part: _Part, *, free: bool = False) -> Tree:
        """The tree of a part; ``free`` if it is only known up to a monotone function."""
        names = part.names
        if len(names) == 1:
            return Tree("variable", names)
        sums = additive_parts(part, part.domain, **self.options)
        if sums.idle:
            return self._without(part, sums, free=free)
        if len(sums.groups) > 1:
            return Tree("sum", names, self._parts(part, sums.groups, 0.0), reason=sums.reason)
        return self._product(part) or self._through(part) or self._inner(part, free=free) or Tree("function", names)

    def _parts(self, part: _Part, groups: Sequence[Sequence[str]], constant: float, *, free: bool = False) -> tuple[Tree, ...]:
        return tuple(self.tree(part.held(group, constant), free=free) for group in groups)

    def _without(self, part: _Part, sums: Parts, *, free: bool) -> Tree:
        """The tree of the variables that matter."""
        left = [name for name in part.names if name not in sums.idle]
        if not left:
            return Tree("constant", (), idle=sums.idle, reason=sums.reason)
        found = self.tree(part.held(left, 0.0), free=free)
        return Tree(found.kind, found.variables, found.parts, found.text, found.constant, found.reason, (*sums.idle, *found.idle))

    def _product(self, part: _Part) -> Tree | None:
        for constant in (0.0, *self._constants(part)):
            shifted = part.less(constant)
            found = multiplicative_parts(shifted, part.domain, **self.options)
            if len(found.groups) > 1:
                return Tree("product", part.names, self._parts(part, found.groups, constant), constant=constant, reason=found.reason)
        return None

    def _constants(self, part: _Part) -> list[float]:
        """What may be added to a product: from f11 f22 - f12 f21 = c (f11 + f22 - f12 - f21) on rectangles of two variables."""
        count, d = 200, len(part.axes)
        first, second = (self.sampled.draw(count)[:, list(part.axes)] for _ in range(2))
        found = []
        for i, j in combinations(range(d), 2):
            corners = np.stack([first] * 4, 1)
            corners[:, 1:3:2, i], corners[:, 2, j] = second[:, None, i], second[:, j]
            corners[:, 3, [i, j]] = second[:, [i, j]]
            a, b, c, e = part(corners.reshape(-1, d)).reshape(count, 4).T
            scale = np.nanmax(np.abs([a, b, c, e]), initial=0.0) or 1.0
            minor, mixed = a * e - b * c, a + e - b - c
            good = np.isfinite(minor) & (np.abs(mixed) > 0.1 * np.nanstd(mixed))
            if good.sum() < count // 4:
                continue
            each = minor[good] / mixed[good]
            middle = float(np.median(each))
            if np.median(np.abs(each - middle)) < 1e-2 * scale and abs(middle) > CONSTANT * scale:
                value = float((minor[good] * mixed[good]).sum() / (mixed[good] ** 2).sum())
                if not any(abs(value - other) < CONSTANT * scale for other in found):
                    found.append(value)
        return found

    def _through(self, part: _Part) -> Tree | None:
        if len(part.axes) != 2:
            return None
        (x, y), domain = part.names, dict(zip("xy", part.domain.values(), strict=True))
        for sign, combination in COMBINATIONS.items():
            if sign == "/" and np.min(domain["y"]) <= 0 <= np.max(domain["y"]):
                continue
            found = dependence(part, domain, combination, **self.options)
            if found.holds:
                text = f"{x}{sign}{y}" if sign in "*/" else f"{x} {sign} {y}"
                return Tree("through", part.names, text=text, reason=found.reason)
        return None

    def _inner(self, part: _Part, *, free: bool) -> Tree | None:
        names = part.names
        if len(names) > LARGEST:
            return None
        for groups in _partitions(names):
            found = generalised_separability(part, part.domain, groups, **self.options)
            if found.holds:
                inner = Tree("sum", names, self._parts(part, groups, 0.0, free=True), reason=found.reason)
                return inner if free else Tree("composed", names, (inner,), reason=found.reason)
        taken: list[tuple[str, ...]] = []
        reason = ""
        for size in range(2, len(names)):
            for group in combinations(names, size):
                if any(set(group) & set(other) for other in taken):
                    continue
                found = composition(part, part.domain, group, **self.options)
                if found.holds:
                    taken.append(group)
                    reason = reason or found.reason
        if not taken:
            return None
        alone = [(name,) for name in names if not any(name in group for group in taken)]
        groups = sorted([*taken, *alone], key=lambda group: names.index(group[0]))
        return Tree("composed", names, self._parts(part, groups, 0.0, free=True), reason=reason)


def _partitions(names: Sequence[str]) -> Iterator[list[list[str]]]:
    """Every variable by itself, then all divisions in two, the more even ones last."""
    yield [[name] for name in names]
    if len(names) > 2:
        for size in range(len(names) // 2 + 1):
            for chosen in combinations(names, size):
                other = [name for name in names if name not in chosen]
                if size > 0 and (len(chosen) < len(other) or names[0] in chosen):
                    yield [list(chosen), other]
