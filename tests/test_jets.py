"""Truncated Taylor propagation: partitions are counted by Bell numbers, and the chain and product rules are sympy's."""

from collections import Counter
from itertools import combinations_with_replacement

import mpmath
import numpy as np
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st

from kanpde.jets import (
    channels,
    compose,
    is_sum,
    laplacian_over,
    multiply,
    multiply_reverse,
    set_partitions,
    spread,
    sub_multisets,
    tanh_table,
    terms_of,
)

X = sympy.symbols("x y z", real=True)
INNER = [sympy.sin(X[0]) * X[1] + X[2] ** 2 / 3, X[0] ** 3 * X[2] + sympy.exp(X[1] / 2)]
OTHER = [sympy.cos(X[1] - X[2]) + X[0], sympy.exp(-(X[2] ** 2)) * X[1] * X[0]]
OUTER = [lambda s: s**5 - s, lambda s: sympy.sin(2 * s)]
DEMANDS = [
    [()],
    [(0,), (1,)],
    [(0, 0), (1, 1)],
    [(0, 1)],
    [(0, 0, 1, 1)],
    [(0, 0, 0, 0), (1, 1, 1, 2), (0, 1, 2)],
    [(0, 0, 1, 2)],
    [laplacian_over([0, 1, 2])],
    [laplacian_over([0, 1]), (2,), (0, 0), (0, 1, 2)],
]
each_demand = pytest.mark.parametrize("demand", DEMANDS, ids=repr)
multi_indices = st.lists(st.integers(0, 3), max_size=4).map(lambda letters: tuple(sorted(letters)))


def places(count=5):
    return np.random.default_rng(0).uniform(-0.9, 0.9, (3, count))


def jets_of(expressions, chosen, where):
    """(C, width, N) by sympy."""
    rows = []
    for terms in chosen.terms:
        derivatives = [sum((sympy.diff(each, *(X[i] for i in alpha)) if alpha else each) for alpha in terms) for each in expressions]
        rows.append([np.broadcast_to(sympy.lambdify(X, each, "numpy")(*where), where.shape[1:]) for each in derivatives])
    return torch.from_numpy(np.array(rows, dtype=float))


def relative(got, wanted):
    return float((got - wanted).abs().max() / wanted.abs().max().clamp(min=1))


# ---- counting ----


@pytest.mark.parametrize(("n", "bell"), list(enumerate([1, 1, 2, 5, 15, 52, 203])))
def test_partitions_are_counted_by_bell_numbers(n, bell):
    partitions = set_partitions(tuple(range(n)))
    assert len(partitions) == bell
    assert len({frozenset(map(frozenset, partition)) for partition in partitions}) == bell
    for partition in partitions:
        assert sorted(letter for block in partition for letter in block) == list(range(n))
    assert len(set_partitions((0,) * n)) == bell  # equal letters are counted by position


@pytest.mark.parametrize("n", range(1, 6))
def test_partitions_by_blocks_are_stirling_numbers(n):
    from sympy.functions.combinatorial.numbers import stirling

    counts = Counter(len(partition) for partition in set_partitions((0,) * n))
    assert counts == {m: int(stirling(n, m)) for m in range(1, n + 1)}
    # the terms of the merged rule, with their multiplicities, are as many
    (rule,) = [channels([(0,) * n]).bell[-1]]
    assert {m: sum(times for times, _ in terms) for m, terms in rule} == counts


# ---- closed sets of derivatives ----


@given(alpha=multi_indices)
def test_sub_multisets_are_all_smaller_ones(alpha):
    wanted = {
        beta for size in range(len(alpha) + 1) for beta in combinations_with_replacement(range(4), size) if Counter(beta) <= Counter(alpha)
    }
    assert sub_multisets(alpha) == wanted


@given(demand=st.lists(multi_indices, max_size=4))
def test_channels_are_the_smallest_closed_set(demand):
    chosen = channels(demand)
    assert chosen.indices[0] == ()
    assert set(chosen.indices) == {(), *(beta for alpha in demand for beta in sub_multisets(alpha))}
    assert len(set(chosen.indices)) == len(chosen)
    assert [len(alpha) for alpha in chosen.indices] == sorted(len(alpha) for alpha in chosen.indices)
    assert chosen.order == max(map(len, [(), *demand]))
    assert all(chosen.indices[row] == alpha for alpha, row in chosen.position.items())
    for coordinate, pure in chosen.pure.items():
        assert [order for _, order in pure] == list(range(1, len(pure) + 1))
        assert all(chosen.indices[row] == (coordinate,) * order for row, order in pure)
    assert {c for alpha in chosen.indices for c in alpha} == set(chosen.pure)


def test_channels_do_not_mind_the_order_of_letters_and_share_objects():
    assert channels([(1, 0), (0,)]) is channels([(0, 1)]) is channels([(0, 1), (0, 1)])
    assert channels([(0, 1)]) is not channels([(0, 2)])


def test_a_laplacian_is_one_row():
    laplacian = laplacian_over([2, 0, 1])
    assert is_sum(laplacian) and terms_of(laplacian) == [(0, 0), (1, 1), (2, 2)]
    assert channels([laplacian]).indices == ((), (0,), (1,), (2,), laplacian)
    assert channels([laplacian]).plain is channels(terms_of(laplacian))
    assert laplacian_over([1]) == (1, 1) and not is_sum((1, 1)) and not is_sum(())
    both = channels([laplacian, (0, 0)])
    assert both.pure[0] == [(1, 1), (4, 2), (5, 2)]
    jet = torch.randn(len(both.plain), 2, 3)
    collected = both.collected(jet)
    assert torch.equal(collected[5], jet[both.plain.position[0, 0]])
    assert torch.allclose(collected[4], sum(jet[both.plain.position[i, i]] for i in range(3)))


# ---- rules of calculus ----


@each_demand
def test_compose_is_the_chain_rule_of_sympy(demand):
    chosen, where = channels(demand), places()
    jet = jets_of(INNER, chosen, where)
    s = sympy.Symbol("s")
    values = jet[0].numpy()
    table = np.array(
        [
            [
                np.broadcast_to(sympy.lambdify(s, sympy.diff(outer(s), s, m) if m else outer(s), "numpy")(values), values.shape)
                for outer in OUTER
            ]
            for m in range(chosen.order + 1)
        ]
    )
    found = compose(torch.from_numpy(table), jet, chosen)
    assert found.shape == (len(chosen), len(OUTER), len(INNER), where.shape[1])
    for k, outer in enumerate(OUTER):
        wanted = jets_of([outer(inner) for inner in INNER], chosen, where)
        assert relative(found[:, k], wanted) < 1e-13
    memory = torch.full_like(found, torch.nan)
    assert compose(torch.from_numpy(table), jet, chosen, out=memory) is memory
    assert torch.equal(memory, found)


@each_demand
def test_compose_is_nested_autograd(demand):
    chosen = channels(demand)
    points = torch.from_numpy(places()).requires_grad_()

    def inner(p):
        return torch.sin(p[0] * p[1]) + p[2] ** 3 * p[0]

    def derivatives(value):
        rows = []
        for terms in chosen.terms:
            total = torch.zeros(())
            for alpha in terms:
                each = value
                for letter in alpha:
                    each = torch.autograd.grad(each.sum(), points, create_graph=True)[0][letter]
                total = total + each.detach()
            rows.append(total)
        return torch.stack(rows)

    jet = derivatives(inner(points))
    table = tanh_table(jet[0], chosen.order)
    found = compose(table[:, None, None], jet[:, None], chosen)[:, 0, 0]
    assert relative(found, derivatives(torch.tanh(inner(points)))) < 1e-13


@each_demand
def test_multiply_is_the_product_rule_of_sympy(demand):
    chosen, where = channels(demand), places()
    found = multiply(jets_of(INNER, chosen, where), jets_of(OTHER, chosen, where), chosen)
    wanted = jets_of([a * b for a, b in zip(INNER, OTHER, strict=True)], chosen, where)
    assert relative(found, wanted) < 1e-13


@each_demand
def test_leibniz_counts_all_splittings(demand):
    for alpha, rule in zip(channels(demand).indices, channels(demand).leibniz, strict=True):
        assert sum(times for times, _, _ in rule) == 2 + 2 * len(alpha) if is_sum(alpha) else 2 ** len(alpha)


@each_demand
def test_multiply_reverse_is_its_adjoint(demand):
    chosen = channels(demand)
    generator = torch.Generator().manual_seed(0)
    left, right, adjoint = (torch.randn(len(chosen), 3, 4, generator=generator, dtype=torch.float64) for _ in range(3))

    def product(jet):
        rows = [sum(times * jet[a] * right[b] for times, a, b in rule) for rule in chosen.leibniz]
        return torch.stack(rows)

    assert torch.allclose(product(left), multiply(left, right, chosen), rtol=1e-14, atol=1e-14)
    _, wanted = torch.autograd.functional.vjp(product, left, adjoint)
    assert relative(multiply_reverse(right, chosen, adjoint), wanted) < 1e-14


@each_demand
def test_spread_is_the_adjoint_of_the_bell_polynomials(demand):
    chosen = channels(demand)
    generator = torch.Generator().manual_seed(1)
    jet = torch.randn(len(chosen), 3, 4, generator=generator, dtype=torch.float64).requires_grad_()
    values = chosen.bell_values(jet)
    for (row, m), value in values.items():
        weights = torch.randn(3, 4, generator=generator, dtype=torch.float64)
        (wanted,) = torch.autograd.grad(value, jet, weights, retain_graph=True)
        inner = torch.zeros_like(jet)
        with torch.no_grad():
            spread(dict(chosen.bell[row])[m], jet, weights, inner)
        assert relative(inner, wanted) < 1e-14
    assert set(values) == {(row, m) for row, rule in enumerate(chosen.bell) for m, _ in rule if m}


# ---- tanh ----


@pytest.mark.parametrize("order", range(8))
def test_tanh_table_against_mpmath(order):
    z = torch.tensor([-30.0, -2.5, -0.1, 0.0, 0.3, 1.0, 8.0], dtype=torch.float64)
    table = tanh_table(z, order)
    assert table.shape == (order + 1, len(z))
    with mpmath.workdps(50):
        for m in range(order + 1):
            wanted = torch.tensor([float(mpmath.diff(mpmath.tanh, mpmath.mpf(float(each)), m)) for each in z], dtype=torch.float64)
            assert relative(table[m], wanted) < 1e-13
