"""Sums of terms under a link: all pairs at once through their Gram matrix, then one more term after the other."""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from kanpde.search.pool import TEMPERATURES, Pool, leading
from kanpde.search.terms import Target, Term, Terms, coefficients, offer_sum
from kanpde.symbolic.forms import Node, constant, number, variable

NONE = 1e-13  # of the sum of squares of the target: a rest that is none
ALIKE = 1e-7  # 1 - cos^2 of two terms that cannot be told apart
PAIRS = {1: 200, 2: 100}  # of rich terms that are offered, by the number of variables: of one many functions are alike
SHORT = 8.6  # nats of terms of which all triples are tried
ALL = 400  # of them, at most
State = tuple[int, ...]  # places of terms


def power_law(pool: Pool) -> None:
    """Offer c prod x_i^p_i, p from a straight line of log y over log x_i, rounded to halves and thirds."""
    columns, y = pool.columns[:, pool.screen], pool.y[pool.screen]
    used = [k for k, row in enumerate(pool.columns) if float(row.min()) * float(row.max()) > 0]
    sign = 1.0 if float(y.median()) > 0 else -1.0
    good = y * sign > 0.05 * math.sqrt(pool.size)
    if not used or int(good.sum()) < 20 + len(columns):
        return
    logs = y[good].abs().log()
    weights = y[good].abs() if pool.weights is None else y[good].abs() * pool.weights[pool.screen][good]
    design = torch.stack([torch.ones_like(logs), *(columns[k, good].abs().log() for k in used)], 1) * weights[:, None]
    solution = torch.linalg.lstsq(design, (logs * weights)[:, None]).solution[:, 0].tolist()
    node: Node = constant(math.exp(min(solution[0], 600.0)) * sign)
    shares = {Fraction(p, q) for q in (1, 2, 3) for p in range(-6 * q, 6 * q + 1)}
    for k, p in zip(used, solution[1:], strict=True):
        near = min(shares, key=lambda share: abs(p - float(share)) * (1 + 0.3 * (share.denominator - 1)))
        node = node * variable(k) ** near if near else node
    pool.offer(node)


def monomial_sums(terms: Terms, target: Target, *, most: int = 4) -> None:
    """Offer sums of up to four monomials, with logarithms under the link log."""
    chosen, values, costs = terms.monomial_terms(logs=target.link.name == "log")
    columns, weighted = values * target.weights, target.weighted
    norms = columns.square().sum(1).clamp(min=1e-300)
    rest = 1 - (columns @ weighted).square() / norms / weighted.square().sum()
    for place in leading(rest.clamp(min=NONE).log(), costs, len(weighted), 6):
        offer_sum(terms, target, [chosen[place]])
    states = pairs(columns, weighted, costs, 30)
    for state in states[:20]:
        offer_sum(terms, target, [chosen[place] for place in state])
    for size in range(3, most + 1):
        terms.pool.best()
        if terms.pool.over or not states:
            return
        states = extended(states[:24], columns, weighted, costs, 16)
        short = (costs <= SHORT).nonzero()[:, 0]
        if size == 3 and len(short) <= ALL:
            found = triples(columns[short], weighted, costs[short], 12)
            states = list(dict.fromkeys([*(tuple(short[list(state)].tolist()) for state in found), *states]))
        for state in states[:24]:
            offer_sum(terms, target, [chosen[place] for place in state])
    terms.pool.best()


def rich_sums(terms: Terms, target: Target) -> None:
    """Offer sums of two and three monomials and atoms, one of each shape."""
    chosen, values, costs = terms.rich(logs=target.link.name == "log")
    columns, weighted = values * target.weights, target.weighted

    def unlike(states: Sequence[State]) -> list[State]:
        seen: dict[frozenset[object], State] = {}
        for state in states:
            seen.setdefault(frozenset(terms.shape(chosen[place]) for place in state), state)
        return list(seen.values())

    keep = PAIRS.get(terms.library.count, 40)
    states = unlike(pairs(columns, weighted, costs, 4 * keep))
    for state in states[:keep]:
        offer_sum(terms, target, [chosen[place] for place in state])
    terms.pool.best()
    if terms.pool.over or not states:
        return
    for state in unlike(extended(states[:24], columns, weighted, costs, 60))[:30]:
        offer_sum(terms, target, [chosen[place] for place in state])
    terms.pool.best()


def rational(terms: Terms, target: Target, *, most: int = 4) -> None:
    """Offer sum a_i m_i / (1 + sum b_j m_j) of monomials: T = sum a_i m_i - T sum b_j m_j is linear in all coefficients."""
    places, z = terms.whole, target.values
    upper = terms.monomials[places]
    count = len(places)
    values, plain = torch.cat([upper, -upper[1:] * z]), torch.cat([upper, upper[1:]])
    costs = terms.monomial_costs[places] + 3
    costs = torch.cat([costs, costs[1:] + 1])
    columns, weighted = values * target.weights, target.weighted
    above = torch.arange(len(values)) < count

    def offer(state: State) -> None:
        if len({bool(above[place]) for place in state}) < 2:
            return
        solution, _ = coefficients(values[list(state)], target)
        top: Node | None = None
        bottom = number(1)
        for place, value in zip(state, solution.tolist(), strict=True):
            if place < count:
                part = terms.node(Term(places[place]), value)
                top = part if top is None else top + part
            else:
                bottom = bottom + terms.node(Term(places[place - count + 1]), value)
        if top is not None:
            terms.pool.offer(target.link.inverse(top * bottom**-1))

    def ranked(states: list[State], keep: int) -> list[State]:
        """By what is left of T once the denominator has been divided by: 1 = c + (1 - c) would else win."""
        chosen = torch.tensor(states)
        design = columns[chosen].transpose(1, 2)
        norms = design.norm(dim=1, keepdim=True).clamp(min=1e-300)
        right = weighted[None, :, None].expand(len(states), -1, 1)
        solution = torch.linalg.lstsq(design / norms, right).solution / norms.transpose(1, 2)
        upper = above[chosen][:, :, None]
        factors = plain[chosen]
        top, bottom = (solution * factors * upper).sum(1), 1 + (solution * factors * ~upper).sum(1)
        rest = ((top / bottom - z) * target.weights).square().sum(1) / weighted.square().sum()
        sound = (bottom.amin(1) * bottom.amax(1) > 0) & torch.isfinite(rest)
        logarithms = torch.where(sound, rest.clamp(min=1e-26).log(), 50.0)
        return [states[place] for place in leading(logarithms, costs[chosen].sum(1), len(weighted), keep)]

    both, mixed = above[:, None] & above[None], above[:, None] ^ above[None]
    states = pairs(columns, weighted, costs, 80, both) + pairs(columns, weighted, costs, 120, mixed)
    for size in range(2, most + 1):
        if terms.pool.over or not states:
            return
        if size > 2:
            states = extended(states, columns, weighted, costs, 1000)
        if size == 3:
            short = (costs <= SHORT).nonzero()[:, 0]
            found = triples(columns[short], weighted, costs[short], 60) if len(short) <= ALL else []
            states += [tuple(short[list(state)].tolist()) for state in found]
        best = ranked(states, 50)
        states = states if size == 2 else best
        for state in best[:20]:
            offer(state)
        terms.pool.best()


def pairs(columns: Tensor, weighted: Tensor, costs: Tensor, keep: int, allowed: Tensor | None = None) -> list[State]:
    """The best pairs of columns (K, n) for a target (n,), out of all (or of ``allowed``), at several temperatures."""
    unit = columns / columns.norm(dim=1, keepdim=True).clamp(min=1e-300)
    size = float(weighted.square().sum())
    along, gram = unit @ weighted, unit @ unit.T
    apart = 1 - gram**2
    gain = (along[:, None] ** 2 + along[None] ** 2 - 2 * along[:, None] * along[None] * gram) / apart.clamp(min=1e-9)
    barred = (apart < ALIKE) | torch.ones_like(gram, dtype=torch.bool).tril()
    if allowed is not None:
        barred |= ~allowed
    cost = torch.where(barred, math.inf, costs[:, None] + costs[None])
    found = leading(((size - gain) / size).clamp(min=NONE).log(), cost, len(weighted), keep)
    return [divmod(place, len(columns)) for place in found]


def triples(columns: Tensor, weighted: Tensor, costs: Tensor, keep: int) -> list[State]:
    """The best of all triples of columns (K, n) for a target (n,): pairs of what is orthogonal to a first."""
    unit = columns / columns.norm(dim=1, keepdim=True).clamp(min=1e-300)
    size = float(weighted.square().sum())
    along, gram = unit @ weighted, unit @ unit.T
    found: list[tuple[State, float, float]] = []
    for first in range(len(unit) - 2):
        g, rest = gram[first, first + 1 :], along[first + 1 :] - along[first] * gram[first, first + 1 :]
        norms = 1 - g**2
        inner = gram[first + 1 :, first + 1 :] - g[:, None] * g
        apart = norms[:, None] * norms - inner**2
        gain = rest[:, None] ** 2 * norms + rest**2 * norms[:, None] - 2 * rest[:, None] * rest * inner
        left = (size - along[first] ** 2 - gain / apart.clamp(min=1e-12)) / size
        barred = (apart < ALIKE) | torch.ones_like(inner, dtype=torch.bool).tril()
        logarithms = torch.where(barred, math.inf, left.clamp(min=NONE).log())
        cost = costs[first] + costs[first + 1 :, None] + costs[None, first + 1 :]
        for temperature in TEMPERATURES:
            values, places = (len(weighted) / 2 * temperature * logarithms + cost).flatten().topk(min(3, inner.numel()), largest=False)
            for place in places[torch.isfinite(values)].tolist():
                second, third = divmod(place, len(inner))
                entry = (first, first + 1 + second, first + 1 + third)
                found.append((entry, float(logarithms[second, third]), float(cost[second, third])))
    found = list(dict.fromkeys(found))
    if not found:
        return []
    logarithms, cost = (torch.tensor([each[k] for each in found], dtype=torch.float64) for k in (1, 2))
    return [found[place][0] for place in leading(logarithms, cost, len(weighted), keep)]


def extended(states: Sequence[State], columns: Tensor, weighted: Tensor, costs: Tensor, keep: int) -> list[State]:
    """The best sets of columns that have one more than some state."""
    norms, size = columns.square().sum(1), float(weighted.square().sum())
    found: dict[State, tuple[float, float]] = {}
    for state in states:
        q, _ = torch.linalg.qr(columns[list(state)].T)
        rest = weighted - q @ (q.T @ weighted)
        free = norms - (columns @ q).square().sum(1)
        gain = torch.where(free > 1e-8 * norms, (columns @ rest).square() / free.clamp(min=1e-300), 0.0)
        logarithms = ((rest @ rest - gain) / size).clamp(min=NONE).log()
        base = float(costs[list(state)].sum())
        for place in leading(logarithms, costs, len(weighted), 8):
            found[tuple(sorted((*state, place)))] = float(logarithms[place]), base + float(costs[place])
    if not found:
        return []
    keys = list(found)
    logarithms, cost = (torch.tensor(each, dtype=torch.float64) for each in zip(*found.values(), strict=True))
    return [keys[place] for place in leading(logarithms, cost, len(weighted), keep)]
