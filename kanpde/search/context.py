"""Changes to a formula where it stands: a term inserted at any node, a part left out, a function or a power exchanged.

With the derivative a of the formula by one of its nodes, a term c t inserted there changes the formula by c a t to first order, and a
factor (1 + c t) by c a (node) t. All terms are scored by what they take
from the residual that the free constants cannot; then the formula is refitted whole (in context, as in arXiv 2603.15250).
"""

from fractions import Fraction

import torch
from torch import Tensor

from kanpde.primitives import PRIMITIVES
from kanpde.search.pool import TEMPERATURES, Entry, Pool, leading
from kanpde.search.terms import Term, Terms
from kanpde.symbolic.forms import Form, Node, constant, number, variable

HALF = Fraction(1, 2)
FUNCTIONS = ("exp", "sin", "cos", "tanh", "log", "atan", "asin", "coth")
ATOMS = 2500  # that can be inserted
INSERTED = 16  # at each temperature
GAIN = 1e-3  # of the logarithm of the residual that a term must take away
ALIKE = 1e-6


def expand(terms: Terms, entry: Entry) -> None:
    """Offer the neighbours of a formula."""
    exchange(terms.pool, entry)
    entry.expanded = True
    for node in _inserted(terms, entry) if not terms.pool.over else ():
        if terms.pool.over:
            return
        terms.pool.offer(node)


def exchange(pool: Pool, entry: Entry) -> None:
    """Offer those of its neighbours that take no term from the library: they are few."""
    if entry.exchanged:
        return
    entry.exchanged = True
    for node in (*_simpler(entry), *_exchanged(entry)):
        if pool.over:
            return
        pool.offer(node)


def _inserted(terms: Terms, entry: Entry) -> list[Node]:
    form, constants, rows = entry.form, entry.fit.constants, terms.pool.screen
    columns = terms.pool.columns[:, rows]
    values, slopes = form.adjoints(constants, columns)
    weights = torch.ones_like(values[-1]) if terms.pool.weights is None else terms.pool.weights[rows]
    rest = (terms.pool.y[rows] - values[-1]) * weights
    base = _span(form, constants, columns, weights)
    rest = rest - base @ (base.T @ rest)
    size = float(rest.square().sum())
    if not size > 0:
        return []
    own = [place for place, step in enumerate(form.steps[:-1]) if step.moves and step.kind in ("f", "power", "sum")]
    own = [place for place in own if bool(torch.isfinite(values[place]).all())]
    dictionary = _Dictionary(terms, form, constants, own, values)
    found: list[tuple[float, float, int, bool, int, float]] = []
    for place, step in enumerate(form.steps):
        if step.kind in ("constant", "number"):
            continue
        in_sum = step.kind != "sum" and any(other.kind == "sum" and place in other.parts for other in form.steps)
        for factor in (False, True) if not in_sum else (True,):
            weight = slopes[place] * values[place] if factor else slopes[place]
            if not bool(torch.isfinite(weight).all()):
                continue
            candidates = dictionary.values * (weight * weights)
            norms = candidates.square().sum(1)
            free = norms - (candidates @ base).square().sum(1)
            along = candidates @ rest
            gain = torch.where(free > ALIKE * norms, along.square() / free.clamp(min=1e-300), 0.0) / size
            logarithms = (1 - gain).nan_to_num(1.0).clamp(min=1e-12).log()
            for k in leading(logarithms, dictionary.costs, len(rest), 2 * INSERTED):
                if logarithms[k] < -GAIN:
                    step_size = float(along[k] / free[k])
                    found.append((float(logarithms[k]), float(dictionary.costs[k]), place, factor, k, step_size))
    chosen: dict[object, tuple[int, bool, int, float]] = {}
    for temperature in TEMPERATURES:
        order = sorted(found, key=lambda each: len(rest) / 2 * temperature * each[0] + each[1])
        for _, _, place, factor, k, step_size in order[: 4 * INSERTED]:
            chosen.setdefault((place, factor, dictionary.shape(k)), (place, factor, k, step_size))
    nodes = []
    for place, factor, k, step_size in list(chosen.values())[: 3 * INSERTED]:
        part = dictionary.node(k, step_size)

        def change(node: Node, part: Node = part, factor: bool = factor) -> Node:
            return node * (number(1) + part) if factor else node + part

        nodes.append(form.rebuilt(constants, change={place: change}))
    return nodes


def _span(form: Form, constants: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """An orthonormal basis (n, k) of what the free constants can do, times the weights."""
    slope = form.jacobian(constants[None], columns)[1][0] * weights[:, None]
    norms = slope.norm(dim=0)
    used = slope[:, (norms > 0) & torch.isfinite(norms)]
    if not used.shape[1]:
        return used
    left, singular, _ = torch.linalg.svd(used / used.norm(dim=0), full_matrices=False)
    return left[:, singular > 1e-10 * singular[0]]


class _Dictionary:
    """What can be inserted: monomials, atoms, and monomials times the formula's own parts."""

    def __init__(self, terms: Terms, form: Form, constants: Tensor, own: list[int], values: list[Tensor]) -> None:
        self.terms, self.form, self.constants, self.own = terms, form, constants, own
        self.plain, table, costs = terms.rich(ATOMS)
        self.second = len(self.plain)
        short = terms.monomials[terms.small]
        self.values = torch.cat([table, *(short * values[place] for place in own)])
        self.costs = torch.cat([costs, *(terms.monomial_costs[terms.small] + 5 for _ in own)])

    def shape(self, k: int) -> object:
        return self.terms.shape(self.plain[k]) if k < self.second else k

    def node(self, k: int, coefficient: float) -> Node:
        if k < self.second:
            return self.terms.node(self.plain[k], coefficient)
        which, monomial = divmod(k - self.second, len(self.terms.small))
        part = self.form.rebuilt(self.constants, upto=self.own[which])
        bare = self.terms.bare(Term(self.terms.small[monomial]))
        return constant(coefficient) * part if bare is None else constant(coefficient) * bare * part


def _simpler(entry: Entry) -> list[Node]:
    """Without one part of a sum or product, or without a function."""
    form, constants = entry.form, entry.fit.constants
    found = []
    for place, step in enumerate(form.steps):
        for k in range(len(step.parts)) if step.kind in ("sum", "product") and len(step.parts) > 1 else ():

            def without(node: Node, k: int = k) -> Node:
                rest = node.parts[:k] + node.parts[k + 1 :]
                return rest[0] if len(rest) == 1 else Node(node.kind, rest)

            found.append(form.rebuilt(constants, change={place: without}))
        if step.kind == "f":
            found.append(form.rebuilt(constants, change={place: lambda node: node.parts[0]}))
    return found


def _exchanged(entry: Entry) -> list[Node]:
    """With another function, or another power."""
    form, constants = entry.form, entry.fit.constants
    found = []
    for place, step in enumerate(form.steps):
        if step.kind == "power":
            for p in {step.value + HALF, step.value - HALF, step.value + 1, step.value - 1, -step.value, Fraction(1)} - {
                Fraction(0),
                step.value,
            }:
                found.append(form.rebuilt(constants, change={place: lambda node, p=p: node.parts[0] ** p}))
        if step.kind == "f":
            for name in FUNCTIONS:
                if PRIMITIVES[name] != step.value:
                    found.append(form.rebuilt(constants, change={place: lambda node, name=name: node.parts[0].under(PRIMITIVES[name])}))
        if step.kind == "x":
            for p in (Fraction(2), Fraction(-1), HALF):
                found.append(form.rebuilt(constants, change={place: lambda node, p=p, k=step.value: variable(k) ** p}))
    return found
