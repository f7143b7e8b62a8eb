"""The order in which a search tries things: what is quick first, links by how well sums under them did, changes in context between."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from kanpde.primitives import Primitive
from kanpde.search.context import exchange, expand
from kanpde.search.library import Library
from kanpde.search.links import LINKS, Link
from kanpde.search.pool import Pool
from kanpde.search.products import atom_pairs, product_sums, products
from kanpde.search.sums import monomial_sums, power_law, rational, rich_sums
from kanpde.search.symmetry import reductions
from kanpde.search.terms import Target, Terms, target
from kanpde.symbolic.description import Trial
from kanpde.symbolic.forms import Node

FEW = 6  # products at a first glance
FEWER = 0.25  # of the time, for variables that occur together
EXCHANGED = 12  # formulas of which functions and powers are exchanged before terms are inserted
KEPT = 60  # trials that a search hands on
COOLING = (0.003, 0.03, 0.01, 0.1, 0.003, 1.0)  # temperatures at which formulas are chosen for changes in context


Enough = Callable[[list[Trial], bool], bool]  # of the best so far, and whether everything has been looked at once


def searched(
    columns: Tensor,
    y: Tensor,
    *,
    seconds: float,
    seeds: Sequence[Node] = (),
    smooth: Tensor | None = None,
    extra: Sequence[Primitive] = (),
    seed: int = 0,
    weights: Tensor | None = None,
    enough: Enough = lambda trials, late: False,
) -> list[Trial]:
    """The shortest descriptions of y (N,) by formulas of the columns (d, N) that were found within ``seconds``.

    ``weights`` (N,), 1 in the mean square, multiply the residuals. ``seeds`` are formulas to begin with, ``smooth`` (N,) what a network
    makes of the data, ``extra`` primitives beside the library's.
    The search ends early with a formula that leaves nothing but rounding, or when the best so far are ``enough``.
    """
    pool = Pool(columns, y, seconds=seconds, seed=seed, smooth=smooth, weights=weights)
    for node in seeds:
        pool.offer(node)
    pool.best()
    power_law(pool)
    pool.best()
    if not pool.over:
        terms = Terms(Library(columns, pool.screen, extra=extra), pool)
        lengths = _first(terms, enough, smooth=False)
        for fewer in reversed(reductions(columns, y, pool.smooth.noise, weights) if 1 < len(columns) <= 6 and not pool.over else []):
            with pool.within(FEWER * pool.left):
                joined = Terms(Library(fewer.columns, pool.screen, fewer.nodes, extra), pool)
                _rest(joined, _first(joined, enough, smooth=False), enough)
        _rest(terms, lengths, enough)
    return pool.best(KEPT)


def near(columns: Tensor, y: Tensor, seeds: Sequence[Node], *, seconds: float, seed: int = 0, weights: Tensor | None = None) -> list[Trial]:
    """The shortest descriptions among formulas, and what changes in context make of them."""
    pool = Pool(columns, y, seconds=seconds, seed=seed, weights=weights)
    for node in seeds:
        pool.offer(node)
    pool.best()
    if not pool.over:
        _changes(Terms(Library(columns, pool.screen), pool), seconds)
    return pool.best(KEPT)


def _each(terms: Terms, stage: Callable[[Terms, Target], None], links: Sequence[Link], smooth: bool) -> None:
    for link in links:
        found = target(terms.pool, link, smooth=smooth)
        if found is not None and not terms.pool.over:
            stage(terms, found)


def _quick(terms: Terms, smooth: bool) -> dict[str, float]:
    """Sums of monomials under all links, and rational functions; the shortest description of each link."""
    lengths: dict[str, float] = {}
    for link in LINKS:
        before = set(terms.pool.entries)
        _each(terms, monomial_sums, [link], smooth)
        new = [entry.nats for shape, entry in terms.pool.entries.items() if shape not in before]
        if new:
            lengths[link.name] = min(new)
        if link.name in ("y", "y^2"):
            _each(terms, rational, [link], smooth)
    return lengths


def _glance(terms: Terms, smooth: bool) -> None:
    """A few products, and what may be added to them, under all links."""
    _each(terms, partial(product_sums, keep=FEW), LINKS, smooth)


def _wide(terms: Terms, links: Sequence[Link], smooth: bool) -> None:
    """With atoms."""
    _each(terms, products, links, smooth)
    _each(terms, rich_sums, links, smooth)
    _each(terms, product_sums, links, smooth)
    if terms.library.count <= 3:
        _each(terms, atom_pairs, links[:2], smooth)


def _first(terms: Terms, enough: Enough, *, smooth: bool) -> dict[str, float]:
    """What is quick, and everything without a link; the shortest description of each link."""
    lengths = _quick(terms, smooth)
    _stop_if(enough, terms.pool)
    if terms.library.count > 2:
        _glance(terms, smooth)
    _wide(terms, LINKS[:1], smooth)
    _stop_if(enough, terms.pool)
    if terms.library.count <= 2:
        _glance(terms, smooth)
    return lengths


def _rest(terms: Terms, lengths: dict[str, float], enough: Enough) -> None:
    """Changes in context, what is smooth in the data if they may be noisy, and the other links, the most promising first."""
    pool = terms.pool
    _changes(terms, 0.15 * pool.left)
    if pool.noisy and not pool.over:
        for name, nats in _first(terms, enough, smooth=True).items():
            lengths[name] = min(nats, lengths.get(name, nats))
    order = sorted((link for link in LINKS[1:] if link.name in lengths), key=lambda link: lengths[link.name])
    for links in (order[:2], order[2:]):
        _stop_if(enough, pool, late=True)
        _changes(terms, 0.15 * pool.left)
        for smooth in (False, True) if pool.noisy else (False,):
            _wide(terms, links, smooth)
        _changes(terms, 0.3 * pool.left)
    _stop_if(enough, pool, late=True)
    _changes(terms, pool.left)


def _stop_if(enough: Enough, pool: Pool, *, late: bool = False) -> None:
    if not pool.over and enough(pool.best(KEPT), late):
        pool.clear = True


def _changes(terms: Terms, seconds: float) -> None:
    """Changes in context of the best formulas, those at several temperatures in turn."""
    for turn in range(EXCHANGED):
        entry = terms.pool.next(COOLING[turn % len(COOLING)], exchange=True)
        if entry is not None and not terms.pool.over:
            exchange(terms.pool, entry)
    terms.pool.best()
    stop, turn = terms.pool.left - seconds, 0
    while not terms.pool.over and terms.pool.left > stop:
        entry = terms.pool.next(COOLING[turn % len(COOLING)])
        if entry is None:
            return
        expand(terms, entry)
        terms.pool.best()
        turn += 1
