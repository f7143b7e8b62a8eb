"""Products of a monomial and an atom, and of two atoms, all scored by matrix products without making them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kanpde.search.library import size_of
from kanpde.search.pool import leading
from kanpde.search.sums import ALL, SHORT, pairs
from kanpde.search.terms import Target, Term, Terms, offer_sum
from kanpde.symbolic.forms import Node, constant

NONE = 3e-7  # in single precision: a rest, relative to the target, that is none
ALIKE = 1e-4
BRIEF = 2500  # atoms, with which monomials of any length are tried
SIMPLE = 9000  # atoms, of simple arguments, in sums of products
SECOND = 24  # products to which a second is sought
ATOMS = 3000  # of which all pairs are tried


def single(rows: Tensor) -> Tensor:
    """Rows (k, n) in single precision, each times a power of two that makes it of the size of 1, for else squares beyond 1e38 are infinite.

    How a row correlates with others does not change by that. Rows that are not finite become 0, which explains nothing.
    """
    size = rows.abs().amax(1, keepdim=True)
    good = torch.isfinite(size)
    exponent = torch.frexp(torch.where(good, size, 1.0)).exponent
    return torch.where(good, torch.ldexp(rows, -exponent), 0.0).float()


class Grid:
    """All products w * monomial * atom for weights w (n,), as a table of which no entry is made.

    ``atoms`` are the places of those to try, by default all; monomials are the short ones, or all if ``long``.
    """

    def __init__(self, terms: Terms, weights: Tensor, atoms: Sequence[int] | None = None, *, long: bool = False) -> None:
        self.terms, self.monomials = terms, list(range(len(terms.monomials))) if long else terms.small
        self.atoms = range(len(terms.atoms)) if atoms is None else atoms
        chosen = list(self.atoms)
        self._left = single(terms.monomials[self.monomials]) * weights.float()
        self._right = single(terms.atoms if atoms is None else terms.atoms[chosen])
        self._costs = terms.monomial_costs[self.monomials].float()[:, None] + terms.atom_costs[chosen].float()[None]
        self._norms = self._left.square() @ self._right.T.square()

    def best(self, target: Tensor, base: Tensor, keep: int) -> list[Term]:
        """The products that explain most of a target (n,), orthogonal to ``base`` (n, k): one of each shape."""
        rest = target - base @ (base.T @ target)
        size = float(rest @ rest)
        if not size > 0 or not len(self.atoms):
            return []
        gain = ((self._left * (rest / math.sqrt(size)).float()) @ self._right.T).square_()
        free = self._norms
        for column in base.T:
            free = free - ((self._left * column.float()) @ self._right.T).square_()
        gain /= free.clamp(min=1e-30)
        gain = torch.where(free < ALIKE * self._norms, 0.0, gain).nan_to_num_(0.0, 0.0, 0.0)
        found: dict[object, Term] = {}
        for place in leading((1 - gain).clamp(min=NONE).log_(), self._costs, len(target), 6 * keep):
            row, column = divmod(place, len(self._right))
            term = Term(self.monomials[row], self.atoms[column])
            found.setdefault(self.terms.shape(term), term)
        return list(found.values())[:keep]


def products(terms: Terms, target: Target, *, keep: int = 40) -> None:
    """Offer inverse(c monomial atom), and with a constant beside it."""
    ones = (target.weights / target.weights.norm())[:, None]
    grids = [(Grid(terms, target.weights), keep)]
    if terms.library.count > 3:
        grids.append((Grid(terms, target.weights, terms.simple(BRIEF), long=True), keep // 4))
    for base in (ones[:, :0], ones):
        found = [term for grid, most in grids for term in grid.best(target.weighted, base, most)]
        for term in found:
            if terms.pool.over:
                return
            offer_sum(terms, target, [Term(), term] if base.shape[1] else [term])
    terms.pool.best()


def product_sums(terms: Terms, target: Target, *, keep: int = 16) -> None:
    """Offer sums of a product monomial * atom with two monomials, or with another product."""
    weights, weighted = target.weights, target.weighted
    ones = torch.ones_like(weights)[:, None]
    short = [place for place in terms.whole if size_of(p := terms.library.monomials[place]) <= 2 and min(p) >= 0]
    quadratic = terms.monomials[short].T
    grid = Grid(terms, weights, terms.simple(SIMPLE))
    first: dict[object, Term] = {}
    for base in (quadratic, ones[:, :0], ones):
        q = torch.linalg.qr(base * weights[:, None])[0] if base.shape[1] else base
        for term in grid.best(weighted, q, keep):
            first.setdefault(terms.shape(term), term)
    chosen, values, costs = terms.monomial_terms()
    columns = values * weights
    brief = (costs <= SHORT).nonzero()[:ALL, 0]
    for rank, term in enumerate(first.values()):
        if terms.pool.over:
            return
        column = terms.column(term) * weights
        unit = column / column.norm()
        rest, free = weighted - (weighted @ unit) * unit, columns[brief] - (columns[brief] @ unit)[:, None] * unit
        for state in pairs(free, rest, costs[brief], 3):
            offer_sum(terms, target, [term, *(chosen[int(brief[place])] for place in state)])
        for other in grid.best(weighted, unit[:, None], 4) if rank < SECOND else ():
            offer_sum(terms, target, [term, other])
    terms.pool.best()


def atom_pairs(terms: Terms, target: Target, *, keep: int = 60) -> None:
    """Offer inverse(c atom atom) for atoms of simple arguments."""
    for most in (3.0, 1.5):
        chosen = [place for place, each in enumerate(terms.library.atoms) if each.argument.cost <= most]
        if len(chosen) <= ATOMS:
            break
    chosen = chosen[:ATOMS]
    if not chosen:
        return
    values, weights = single(terms.atoms[chosen]), target.weights.float()
    unit = (target.weighted / target.weighted.norm()).float()
    gain = ((values * (unit * weights)) @ values.T).square_()
    gain = gain / ((values.square() * weights.square()) @ values.T.square()).clamp(min=1e-30)
    costs = terms.atom_costs[chosen].float()
    below = torch.ones(len(chosen), len(chosen), dtype=torch.bool).tril(-1)
    cost = torch.where(below, math.inf, costs[:, None] + costs[None])
    found: dict[object, tuple[int, int]] = {}
    for place in leading((1 - gain.nan_to_num_(0.0, 0.0, 0.0)).clamp(min=NONE).log_(), cost, len(unit), 8 * keep):
        first, second = (chosen[each] for each in divmod(place, len(chosen)))
        found.setdefault((terms.shape(Term(atom=first)), terms.shape(Term(atom=second))), (first, second))
    for first, second in list(found.values())[:keep]:
        if terms.pool.over:
            return
        column = terms.atoms[first] * terms.atoms[second] * target.weights
        factor = float(column @ target.weighted / column.square().sum().clamp(min=1e-300))
        node: Node = constant(factor)
        for place in (first, second):
            node = node * terms.library.atom_node(terms.library.atoms[place])
        terms.pool.offer(target.link.inverse(node))
    terms.pool.best()
