"""Truncated multivariate Taylor propagation ("jets") through univariate functions and products.

A jet holds, at every point, the value of a function and the partial derivatives that an equation asks for. A partial
derivative is named by the sorted tuple of the coordinates that it differentiates by, repeated as often as needed:
``()`` is the value, ``(0,)`` is d/dx, ``(0, 0, 1)`` is d^3/dx^2 dy. Jets are tensors of shape ``(C, width, N)``: one
row a partial derivative, and the points last, so that every elementary operation runs over contiguous memory.

A sum of second derivatives may be one row of its own, :func:`laplacian_over`: of a Laplacian in d dimensions only the value, the d first
derivatives and the sum need be propagated, d + 2 rows in place of 2 d + 1 ("collapsed" jets; Dangel et al., arXiv 2505.13644).

The chain rule is Faa di Bruno's in the form of set partitions,

    D^alpha phi(g) = sum_m phi^(m)(g) B_{alpha,m},    B_{alpha,m} = sum over partitions of alpha into m blocks
                                                                    of the product of D^block g,

(Hardy, Electron. J. Combin. 13, 2006, R1), enumerated once for each set of derivatives. Nothing here builds an autograd
graph: every forward rule has its reverse written beside it, and the reverse keeps samples apart.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

MultiIndex = tuple[int, ...]


def set_partitions(letters: MultiIndex) -> list[list[MultiIndex]]:
    """All partitions of the *positions* of ``letters`` into blocks; equal partitions appear as often as they occur."""
    if not letters:
        return [[]]
    first, rest = letters[0], letters[1:]
    found = []
    for partition in set_partitions(rest):
        found.append([(first,), *partition])
        for position, block in enumerate(partition):
            found.append([*partition[:position], (first, *block), *partition[position + 1 :]])
    return found


def sub_multisets(alpha: MultiIndex) -> set[MultiIndex]:
    """Every multi-index below ``alpha``, itself and the empty one included."""
    count = Counter(alpha)
    ranges = [range(multiplicity + 1) for multiplicity in count.values()]
    return {tuple(sorted(letter for letter, times in zip(count, chosen, strict=True) for _ in range(times))) for chosen in product(*ranges)}


def laplacian_over(axes: Iterable[int]) -> MultiIndex:
    """The name of sum_i d^2/dx_i^2 over some axes: of one axis ``(i, i)``, of several the tuple of their complements ``~i``."""
    axes = sorted(axes)
    return (axes[0], axes[0]) if len(axes) == 1 else tuple(~axis for axis in axes)


def is_sum(alpha: MultiIndex) -> bool:
    """Whether ``alpha`` names a sum of several partial derivatives."""
    return bool(alpha) and alpha[0] < 0


def terms_of(alpha: MultiIndex) -> list[MultiIndex]:
    """The partial derivatives that ``alpha`` is the sum of; itself alone, unless :func:`is_sum`."""
    return [(~axis, ~axis) for axis in alpha] if is_sum(alpha) else [alpha]


def order_of(alpha: MultiIndex) -> int:
    """How often ``alpha`` differentiates."""
    return 2 if is_sum(alpha) else len(alpha)


class Channels:
    """A downward closed set of partial derivatives, and sums of second ones, with the composition rules among its members.

    ``indices`` lists them by order, the value first. Use :func:`channels` to make one: equal sets share one object. The rules, row by
    row:

    - ``bell``: pairs (m, terms), where a term is (count, rows of the blocks), summing to B_{alpha,m};
    - ``leibniz``: of a product, the terms (count, row of the left factor, row of the right factor);
    - ``pure``: for each coordinate the (row, order) of the derivatives by it alone, and of the sums that hold one of them;
    - ``highest``: the highest order of a derivative by one coordinate alone;
    - ``plain``: the channels with every sum replaced by its terms.
    """

    def __init__(self, indices: tuple[MultiIndex, ...]) -> None:
        self.indices = indices
        self.position = {alpha: number for number, alpha in enumerate(indices)}
        self.order = max(order_of(alpha) for alpha in indices)
        self.terms = [terms_of(alpha) for alpha in indices]
        self.bell, self.leibniz, self.pure = self._bell(), self._leibniz(), self._pure()
        self.highest = max((order for pure in self.pure.values() for _, order in pure), default=0)
        summed = any(len(terms) > 1 for terms in self.terms)
        self.plain = channels(alpha for terms in self.terms for alpha in terms) if summed else self

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"Channels({list(self.indices)})"

    def _bell(self) -> list[list[tuple[int, list[tuple[float, MultiIndex]]]]]:
        rules = []
        for row, alpha in enumerate(self.indices):
            if is_sum(alpha):
                rules.append([(1, [(1.0, (row,))]), (2, [(1.0, (self.position[~axis,],) * 2) for axis in alpha])])
                continue
            by_blocks: dict[int, Counter[MultiIndex]] = {}
            for partition in set_partitions(alpha):
                blocks = tuple(sorted(self.position[tuple(sorted(block))] for block in partition))
                by_blocks.setdefault(len(blocks), Counter())[blocks] += 1
            rules.append([(m, [(float(times), blocks) for blocks, times in terms.items()]) for m, terms in sorted(by_blocks.items())])
        return rules

    def _leibniz(self) -> list[list[tuple[float, int, int]]]:
        rules = []
        for row, alpha in enumerate(self.indices):
            if is_sum(alpha):
                slopes = [self.position[~axis,] for axis in alpha]
                rules.append([(1.0, row, 0), (1.0, 0, row), *((2.0, slope, slope) for slope in slopes)])
                continue
            terms: Counter[tuple[int, int]] = Counter()
            for chosen in product((True, False), repeat=len(alpha)):
                left = tuple(letter for letter, here in zip(alpha, chosen, strict=True) if here)
                right = tuple(letter for letter, here in zip(alpha, chosen, strict=True) if not here)
                terms[self.position[left], self.position[right]] += 1
            rules.append([(float(times), left, right) for (left, right), times in terms.items()])
        return rules

    def _pure(self) -> dict[int, list[tuple[int, int]]]:
        found: dict[int, list[tuple[int, int]]] = {}
        for row, terms in enumerate(self.terms):
            for alpha in terms:
                if alpha and alpha[0] == alpha[-1]:
                    found.setdefault(alpha[0], []).append((row, len(alpha)))
        return found

    def collected(self, jet: Tensor) -> Tensor:
        """Rows for ``plain`` as rows for these channels."""
        return jet if self is self.plain else torch.stack([sum_over(terms, lambda a: jet[self.plain.position[a]]) for terms in self.terms])

    def bell_values(self, jet: Tensor) -> dict[tuple[int, int], Tensor]:
        """B_{alpha,m} for every row and m >= 1, each of shape (width, N)."""
        values = {}
        for row, rule in enumerate(self.bell):
            for m, terms in rule:
                if m:
                    values[row, m] = _sum_of_products(jet, terms)
        return values


def sum_over(terms: Sequence[MultiIndex], value: Callable[[MultiIndex], Tensor]) -> Tensor:
    """The sum of ``value`` over partial derivatives."""
    total = value(terms[0])
    for alpha in terms[1:]:
        total = total + value(alpha)
    return total


@cache
def _channels(indices: tuple[MultiIndex, ...]) -> Channels:
    return Channels(indices)


def channels(demand: Iterable[MultiIndex]) -> Channels:
    """The smallest downward closed set that holds ``demand`` (and the value), as one shared object for equal sets."""
    closed: set[MultiIndex] = {()}
    for alpha in demand:
        closed |= {alpha, *((~axis,) for axis in alpha)} if is_sum(alpha) else sub_multisets(tuple(sorted(alpha)))
    return _channels(tuple(sorted(closed, key=lambda alpha: (order_of(alpha), alpha))))


def _sum_of_products(jet: Tensor, terms: list[tuple[float, MultiIndex]]) -> Tensor:
    total = None
    for times, blocks in terms:
        factor = jet[blocks[0]]
        for block in blocks[1:]:
            factor = factor * jet[block]
        factor = factor if times == 1.0 else times * factor
        total = factor if total is None else total + factor
    assert total is not None
    return total


_TRACING = ContextVar("tracing", default=False)


@contextmanager
def tracing() -> Iterator[None]:
    """While operations are recorded for ``torch.compile`` (:mod:`kanpde.compiled`), which plans memory itself."""
    token = _TRACING.set(True)
    try:
        yield
    finally:
        _TRACING.reset(token)


def is_tracing() -> bool:
    """Whether this is a :func:`tracing` block."""
    return _TRACING.get()


class Memory:
    """Tensors that one call after another writes over, which spares allocation; none while :func:`tracing`.

    One text serves both where what is computed into memory is written ``x = torch.mul(a, b, out=x)``: x may be None.
    """

    def __init__(self) -> None:
        self._held: dict[str, Tensor] = {}

    def take(self, name: str, like: Tensor, *shape: int) -> Tensor | None:
        """The tensor of this name, made if it is not there."""
        if is_tracing():
            return None
        if name not in self._held:
            self._held[name] = like.new_empty(shape)
        return self._held[name]

    def rows(self, name: str, like: Tensor, *shape: int) -> list[Tensor | None]:
        """The tensor of this name along its first axis."""
        whole = self.take(name, like, *shape)
        return [None] * shape[0] if whole is None else [*whole.unbind(0)]

    def joined(self, name: str, rows: Sequence[Tensor | None]) -> Tensor:
        """The tensor whose :meth:`rows` are filled; those that still are None are zero."""
        if not is_tracing():
            return self._held[name]
        like = next(row for row in rows if row is not None)
        return torch.stack([torch.zeros_like(like) if row is None else row for row in rows])


def compose(table: Tensor, jet: Tensor, chosen: Channels, *, out: Tensor | None = None) -> Tensor:
    """The jets of phi_k(g_i): ``table[m, k, i, n]`` = phi_k^(m)(g_i), ``jet`` (C, width, N) -> (C, K, width, N)."""
    bell = chosen.bell_values(jet)
    result = table.new_empty((len(chosen), *table.shape[1:])) if out is None else out
    result[0] = table[0]
    for row, rule in enumerate(chosen.bell):
        for number, (m, _) in enumerate(rule):
            if m and number == 0:
                torch.mul(table[m], bell[row, m], out=result[row])
            elif m:
                result[row].addcmul_(table[m], bell[row, m])
    return result


def spread(terms: list[tuple[float, MultiIndex]], jet: Tensor, contracted: Tensor, inner: Tensor | list[Tensor]) -> None:
    """Add to ``inner`` the adjoint of B_{alpha,m}(jet) = sum over ``terms``, given that of its value, ``contracted`` (width, N)."""
    for times, blocks in terms:
        for position, block in enumerate(blocks):
            factor = contracted if times == 1.0 else times * contracted
            for other in blocks[:position] + blocks[position + 1 :]:
                factor = factor * jet[other]
            inner[block] += factor


def multiply(left: Tensor, right: Tensor, chosen: Channels) -> Tensor:
    """Jets of the product of two functions (Leibniz): (C, width, N) twice -> (C, width, N)."""
    result = torch.empty_like(left)
    for row, rule in enumerate(chosen.leibniz):
        for number, (times, a, b) in enumerate(rule):
            if number == 0:
                torch.mul(left[a], right[b], out=result[row])
            else:
                result[row].addcmul_(left[a], right[b], value=times)
    return result


def multiply_reverse(right: Tensor, chosen: Channels, adjoint: Tensor) -> Tensor:
    """Adjoint of :func:`multiply` in the left factor."""
    result = torch.zeros_like(right)
    for row, rule in enumerate(chosen.leibniz):
        for times, a, b in rule:
            result[a].addcmul_(adjoint[row], right[b], value=times)
    return result


@cache
def _tanh_polynomials(order: int) -> tuple[tuple[float, ...], ...]:
    """P_m with tanh^(m) = P_m(tanh), from P_{m+1}(t) = P_m'(t) (1 - t^2); ascending coefficients."""
    polynomial = np.polynomial.Polynomial([0.0, 1.0])
    found = [tuple(polynomial.coef)]
    for _ in range(order):
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([1.0, 0.0, -1.0])
        found.append(tuple(polynomial.coef))
    return tuple(found)


def tanh_table(z: Tensor, order: int) -> Tensor:
    """tanh and its derivatives up to ``order``: (order + 1, *z.shape)."""
    t = torch.tanh(z)
    square = t * t
    rows = [t]
    for polynomial in _tanh_polynomials(order)[1:]:
        odd = polynomial[0] == 0.0  # each P_m is odd or even in t
        terms = polynomial[1::2] if odd else polynomial[::2]
        value = torch.full_like(t, terms[-1])
        for coefficient in terms[-2::-1]:
            value = torch.addcmul(torch.full_like(t, coefficient), value, square) if coefficient else value * square
        rows.append(value * t if odd else value)
    return torch.stack(rows)
