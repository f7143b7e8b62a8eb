"""Terms at the rows where they are scored: values, costs and formulas, and least squares for their coefficients."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.search.library import Library, size_of
from kanpde.search.links import Link
from kanpde.search.pool import Pool
from kanpde.symbolic.forms import Node, constant

COMMON = ("exp", "sin", "cos", "sin^2", "cos^2", "(1+u)^-1")


@dataclass(frozen=True)
class Term:
    """A monomial by its place in the library, an atom by its place, or the product of both; both None: 1."""

    monomial: int | None = None
    atom: int | None = None


class Terms:
    """The library at the rows of the pool's screen."""

    def __init__(self, library: Library, pool: Pool) -> None:
        self.library, self.pool = library, pool
        self.monomials, self.atoms = library.monomial_values, library.atom_values
        sizes = [1.5 * size_of(p) for p in library.monomials]
        self.monomial_costs = torch.tensor(sizes, dtype=torch.float64)
        self.atom_costs = torch.tensor([3 + each.shape.cost + each.argument.cost for each in library.atoms], dtype=torch.float64)
        small = 4 if library.count <= 3 else 3
        self.small = [place for place, p in enumerate(library.monomials) if size_of(p) <= small]
        self.whole = [place for place, p in enumerate(library.monomials) if size_of(p) <= 4 and all(each.denominator == 1 for each in p)]
        self.logs = [place for place, each in enumerate(library.atoms) if each.shape.name == "log"]

    def column(self, term: Term) -> Tensor:
        """The values of a term: (n,)."""
        found = torch.ones(len(self.pool.screen), dtype=torch.float64)
        if term.monomial is not None:
            found = found * self.monomials[term.monomial]
        return found if term.atom is None else found * self.atoms[term.atom]

    def node(self, term: Term, coefficient: float) -> Node:
        """coefficient * term, the coefficient free."""
        bare = self.bare(term)
        return constant(coefficient) if bare is None else constant(coefficient) * bare

    def bare(self, term: Term) -> Node | None:
        """The formula of a term without a coefficient; None for 1."""
        found = None if term.monomial is None else self.library.monomial_node(self.library.monomials[term.monomial])
        if term.atom is None:
            return found
        atom = self.library.atom_node(self.library.atoms[term.atom])
        return atom if found is None else found * atom

    def shape(self, term: Term) -> object:
        """Equal for terms that differ in a scale only."""
        if term.atom is None:
            return term
        atom = self.library.atoms[term.atom]
        return term.monomial, atom.shape.name, atom.argument

    def monomial_terms(self, *, logs: bool = False) -> tuple[list[Term], Tensor, Tensor]:
        """All monomials, and logarithms of the positive variables if asked for: terms, values (K, n), costs (K,)."""
        terms = [Term(place) for place in range(len(self.monomials))]
        if not logs:
            return terms, self.monomials, self.monomial_costs + 3
        values = torch.cat([self.monomials, self.atoms[self.logs]])
        return (
            [*terms, *(Term(atom=place) for place in self.logs)],
            values,
            torch.cat([self.monomial_costs + 3, self.atom_costs[self.logs]]),
        )

    def rich(self, most: int = 1500, *, logs: bool = False) -> tuple[list[Term], Tensor, Tensor]:
        """The shorter monomials, and atoms of short arguments, up to so many."""
        terms, values, costs = self.monomial_terms(logs=logs)
        short = [place for place, cost in enumerate(costs.tolist()) if cost <= 9.1]
        chosen = self.simple(most)
        found = [terms[place] for place in short] + [Term(atom=place) for place in chosen]
        return found, torch.cat([values[short], self.atoms[chosen]]), torch.cat([costs[short], self.atom_costs[chosen]])

    def simple(self, most: int) -> list[int]:
        """The places of atoms of short arguments, about so many: the common functions alone rather than arguments of one variable."""
        chosen: list[int] = []
        for size, common in ((3.0, False), (2.0, False), (2.0, True), (1.0, False)):
            chosen = [
                k
                for k, each in enumerate(self.library.atoms)
                if each.scale is not None and each.argument.cost <= 1.5 * size and (each.shape.name in COMMON or not common)
            ]
            if len(chosen) <= most:
                break
        return chosen


@dataclass(frozen=True)
class Target:
    """What sums of terms are fitted to, under a link: T at the screen's rows, and the weights of its residuals."""

    link: Link
    values: Tensor
    weights: Tensor

    @property
    def weighted(self) -> Tensor:
        return self.values * self.weights


def target(pool: Pool, link: Link, *, smooth: bool = False) -> Target | None:
    """The link of the data, or of what is smooth in them; None where it does not hold."""
    if not smooth:
        if not link.holds(float(pool.y.min()), float(pool.y.max())):
            return None
        held = pool.y[pool.screen]
    else:
        values = pool.smooth.values
        low, high = (float(values.quantile(share)) for share in (0.01, 0.99))
        if not link.holds(low, high):
            return None
        held = values[pool.screen] if link.holds(-math.inf, math.inf) else values[pool.screen].clamp(low, high)
    transformed, weights = link.target(held)
    if pool.weights is not None:
        weights = weights * pool.weights[pool.screen]
        weights = weights / weights.square().mean().sqrt()
    found = Target(link, transformed, weights)
    return found if bool(torch.isfinite(found.weighted).all()) else None


def coefficients(columns: Tensor, target: Target) -> tuple[Tensor, float]:
    """Of the columns (k, n) in the weighted least squares for the target: (k,), and the RSS."""
    design = (columns * target.weights).T
    norms = design.norm(dim=0).clamp(min=1e-300)
    solution = torch.linalg.lstsq(design / norms, target.weighted[:, None]).solution[:, 0]
    residual = target.weighted - (design / norms) @ solution
    return solution / norms, float(residual @ residual)


def offer_sum(terms: Terms, target: Target, chosen: list[Term]) -> None:
    """Offer inverse(sum of c_i term_i) to the pool, with the coefficients of least squares to start from."""
    solution, _ = coefficients(torch.stack([terms.column(each) for each in chosen]), target)
    total: Node | None = None
    front: Node | None = None
    for term, value in zip(chosen, solution.tolist(), strict=True):
        if target.link.name == "log" and terms.bare(term) is None:  # exp(c + ...) is written as e^c exp(...)
            front = constant(math.exp(min(max(value, -300.0), 300.0)))
            continue
        part = terms.node(term, value)
        total = part if total is None else total + part
    if total is None:
        return
    found = target.link.inverse(total)
    terms.pool.offer(found if front is None else front * found)
