"""Looking into networks: edge functions, node values, attribution, interactions, points outside the grid."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev

from kanpde import (
    KAN,
    MLP,
    Box,
    BSpline,
    Chebyshev,
    Data,
    Experiment,
    LevenbergMarquardt,
    Monomial,
    Problem,
    SeparableKAN,
    activations,
    attribution,
    draw_network,
    edge,
    edge_functions,
    interactions,
    outside_grid,
    prune,
    sensitivity,
)
from kanpde.interpret import stages
from kanpde.layer import Layer
from kanpde.primitives import primitive
from kanpde.symbols import Symbol

DEGREE = 4


def points(d, count=200, low=-1.0, high=1.0):
    return np.random.default_rng(0).uniform(low, high, (count, d))


def monomials(*widths, weights, **options):
    """A KAN of polynomials: ``weights`` has for each layer a list of (linear output, input, power, value); all others are 0."""
    network = KAN(*widths, basis=Monomial(3), **options)
    for layer, terms in zip(network.layers, weights, strict=True):
        layer.weight.data.zero_()
        for o, i, k, value in terms:
            layer.weight.data[o, k, i] = value
    return network


def edited():
    """A layer from [0, 2] x [2, 6] with an edge that is missing, one symbolic, one of both, biases, and products of 2 and 3 factors."""
    network = KAN(2, (1, [2, 3]), 2, basis=Chebyshev(DEGREE)).on_box([0, 2], [2, 6])
    layer = network.layers[0]
    assert isinstance(layer, Layer)
    present = layer.present.clone()
    present[0] = present[3, 1] = False
    layer.put_splines(layer.basis, layer.weight, present)
    terms = [Symbol(0, 0, primitive("sin")), Symbol(0, 1, primitive("x^2")), Symbol(2, 1, primitive("exp")), Symbol(2, 1, primitive("x"))]
    layer.put_symbols(terms, torch.tensor([[3.0, 0.5, 1.5], [1.0, 0.0, -1.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.5]]))
    layer.put_bias(torch.arange(6.0) - 2.5)
    data = points(2, low=0, high=1) * [2.0, 4.0] + [0.0, 2.0]
    return network, data


def by_hand(network, data):
    """Edges (linear, in, N) and linear outputs of every layer of ``edited()``, in NumPy."""
    z, found = (data - np.array([1.0, 4.0])) / np.array([1.0, 2.0]), []
    for number, layer in enumerate(network.layers):
        seen = z if number == 0 else np.tanh(z)
        weight = layer.weight.detach().numpy()
        edges = np.stack([[chebyshev.chebval(seen[:, i], weight[o, :, i]) for i in range(z.shape[1])] for o in range(len(weight))])
        linear = None
        if number == 0:
            edges[0, 0] += 1.5 * np.sin(3 * z[:, 0] + 0.5)
            edges[0, 1] -= z[:, 1] ** 2
            edges[2, 1] += np.exp(z[:, 1]) + 0.5 * (2 * z[:, 1] + 1)
            linear = edges.sum(1) + (np.arange(6) - 2.5)[:, None]
            nodes = np.stack([linear[0], linear[1] * linear[2], linear[3] * linear[4] * linear[5]])
        else:
            linear = nodes = edges.sum(1)
        found.append((edges, linear))
        z = nodes.T
    return found


# ---- edges and nodes ----


def test_edges_are_splines_and_symbolic_terms_over_the_data():
    network, data = edited()
    first, second = edge_functions(network, data)
    assert (first.sums, first.arities, second.sums, second.arities) == (1, (2, 3), 2, ())
    hidden = by_hand(network, data)
    for layer, (edges, _) in zip((first, second), hidden, strict=True):
        there = ~np.isnan(layer.importance)
        np.testing.assert_allclose(layer.importance[there], edges.std(2)[there], rtol=1e-12)
    assert np.isnan(first.importance).sum() == 1 and np.isnan(first.importance[3, 1])
    np.testing.assert_allclose(first.inputs[:, [0, -1]], np.stack([data.min(0), data.max(0)], 1), rtol=1e-14)
    np.testing.assert_allclose(first.curves, by_hand(network, first.inputs.T)[0][0], atol=1e-12)
    assert first.symbols.tolist() == [
        ["1.5 sin(3 x - 2.5)", "-(0.5 x - 2)^2"], ["", ""], ["", "exp(0.5 x - 2) + 0.5 x - 1.5 + spline"], ["", ""], ["", ""], ["", ""]
    ]  # fmt: skip


def test_one_edge():
    network, data = edited()
    found = edge(network, data, 0, 2, 1, samples=11)
    assert found.range == pytest.approx((data[:, 1].min(), data[:, 1].max())) and found.support == pytest.approx((2, 6))
    assert len(found.x) == len(found.y) == 11 and found.outside == 0
    np.testing.assert_allclose(found.y, edge_functions(network, data, samples=11)[0].curves[2, 1])
    assert found.spread == pytest.approx(by_hand(network, data)[0][0][2, 1].std())
    assert edge(network, data, 1, 0, 0).support == edge(network, data, 0, 0, 0).support == (-np.inf, np.inf)  # tanh; symbolic
    assert edge(network, data, 0, 0, 0).formula == "1.5 sin(3 x - 2.5)" and edge(network, data, 1, 0, 0).formula == ""


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((0, 3, 1), "layer 0 has no edge from input 1 to output 3: it was removed"),
        ((2, 0, 0), "the network has the layers 0 to 1, got layer=2"),
        ((0, 6, 0), "layer 0 has the linear outputs 0 to 5, got output=6"),
        ((0, 0, -1), "layer 0 has the inputs 0 to 1, got input=-1"),
    ],
)
def test_edges_that_are_not_there(place, words):
    network, data = edited()
    with pytest.raises(ValueError, match=words):
        edge(network, data, *place)


def test_activations_are_the_values_of_all_nodes():
    network, data = edited()
    before = {key: value.clone() for key, value in network.state_dict().items()}, set(vars(network.layers[0]))
    first, second = activations(network, data)
    np.testing.assert_allclose(first.inputs.numpy(), data, rtol=1e-14)
    for found, (_, linear) in zip((first, second), by_hand(network, data), strict=True):
        np.testing.assert_allclose(found.linear.T.numpy(), linear, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(first.nodes[:, 2], first.linear[:, 3:].prod(1))
    torch.testing.assert_close(second.nodes, network(torch.from_numpy(data)), rtol=1e-12, atol=1e-12)
    assert not second.nodes.requires_grad
    assert set(vars(network.layers[0])) == before[1] and all(torch.equal(network.state_dict()[k], v) for k, v in before[0].items())


def test_pieces_of_the_points_give_the_same(monkeypatch):
    network, data = edited()
    whole, nodes = edge_functions(network, data), activations(network, data)
    monkeypatch.setattr(stages, "AT_ONCE", 100)  # eight points at a time
    for one, other in zip(whole, edge_functions(network, data), strict=True):
        np.testing.assert_allclose(other.importance, one.importance, rtol=1e-12)
        np.testing.assert_allclose(other.scores, one.scores, rtol=1e-10)
    torch.testing.assert_close(activations(network, data)[1].nodes, nodes[1].nodes)


def test_points_outside_the_grid_are_counted():
    network, data = edited()
    far = data * 1.5
    counts = outside_grid(network, far)
    assert counts[0].tolist() == [(far[:, 0] > 2).sum(), (far[:, 1] > 6).sum()] and counts[0].min() > 10
    assert counts[1].tolist() == [0, 0, 0]  # behind tanh
    assert [each.tolist() for each in outside_grid(network, [[0.0, 2.0], [2.0, 6.0]])] == [[0, 0], [0, 0, 0]]  # the ends are inside
    assert edge_functions(network, far)[0].outside.tolist() == counts[0].tolist()
    assert edge(network, far, 0, 1, 0).outside == counts[0][0]
    ranged = KAN(2, 3, 1, basis=BSpline(3, 4), hidden="range")
    hidden = ranged.layers[1]
    assert isinstance(hidden, Layer)
    hidden.put_range(torch.tensor([-1.0, -0.1, 0.0]), torch.tensor([1.0, 0.1, 1e-3]))
    z = activations(ranged, points(2))[0].nodes.numpy()
    low, high = hidden.low.numpy(), hidden.high.numpy()
    assert outside_grid(ranged, points(2))[1].tolist() == ((z < low) | (z > high)).sum(0).tolist()


# ---- attribution ----


def target(x):
    return x[:, 0] ** 2 + 0.3 * x[:, 1] + 0.1 * x[:, 2] ** 3 + 0 * x[:, 3]


def permutation_importance(function, x, rng):
    """Root mean square change of the function when one column is shuffled."""
    changes = []
    for i in range(x.shape[1]):
        moved = x.copy()
        moved[:, i] = rng.permutation(moved[:, i])
        changes.append(np.sqrt(np.mean((function(moved) - function(x)) ** 2)))
    return np.array(changes)


def test_scores_of_a_sum_are_ratios_of_standard_deviations():
    network = monomials(4, 1, weights=[[(0, 0, 2, 1.0), (0, 1, 1, 0.3), (0, 2, 3, 0.1)]])
    x = points(4, 20000)
    found = attribution(network, x)
    whole = np.sqrt(4 / 45 + 0.09 / 3 + 0.01 / 7)
    expected = np.array([np.sqrt(4 / 45), 0.3 / np.sqrt(3), 0.1 / np.sqrt(7), 0]) / whole
    np.testing.assert_allclose(found.inputs, expected, atol=0.01)
    np.testing.assert_array_equal(found.edges[0][0], found.inputs)
    assert found.inputs[3] == 0 and found.nodes[1].tolist() == [1]


def trained(*widths):
    """A network that has learnt the target, and the data."""
    x = points(4, 300)
    columns = dict(zip(("a", "b", "c", "e"), x.T, strict=True))
    problem = Problem(Box(**dict.fromkeys(columns, (-1, 1))), lambda u: 0 * u, conditions=[Data({**columns, "u": target(x)})])
    experiment = Experiment(problem, KAN(4, *widths, basis=Chebyshev(4)), LevenbergMarquardt(steps=60))
    network = experiment.trained_network(experiment.run())
    value = lambda z: network(torch.from_numpy(z)).detach().numpy()[:, 0]  # noqa: E731
    assert np.sqrt(np.mean((value(x) - target(x)) ** 2)) < 1e-3
    return network, x, permutation_importance(value, x, np.random.default_rng(1))


def test_attribution_of_a_trained_network_orders_its_inputs():
    network, x, shuffled = trained(1, 1)
    found = [attribution(network, x).inputs, attribution(network, x, method="ablation").inputs, sensitivity(network, x)[0]]
    for scores in (*found, shuffled):
        assert np.argsort(-scores).tolist() == [0, 1, 2, 3]
        assert scores[3] < 0.02 * scores[0]
    assert found[0] == pytest.approx([0.86, 0.50, 0.11, 0.0], abs=0.05)


def test_ablation_sees_what_cancels_later():
    network, x, shuffled = trained(3, 1)  # every hidden node depends on an input that the output does not depend on
    found = attribution(network, x, method="ablation").inputs
    for scores in (found, sensitivity(network, x)[0], shuffled):
        assert np.argsort(-scores).tolist() == [0, 1, 2, 3] and scores[3] < 0.02 * scores[0]
    assert attribution(network, x).inputs[3] > 10 * found[3]


def brute(found, network, data, output=None):
    """The scores by their definition: what is lost where a part of a node is replaced by its mean."""
    layers = by_hand(network, data)
    score = np.ones(2) if output is None else np.eye(2)[output]
    result = []
    for (edges, linear), groups in zip(reversed(layers), ([[0], [1]], [[0], [1, 2], [3, 4, 5]]), strict=True):
        scores, below = np.zeros(edges.shape[:2]), np.zeros(len(linear))
        for node, group in enumerate(groups):
            whole = linear[group].prod(0)
            for factor in group:
                fixed = linear[group].copy()
                fixed[group.index(factor)] = linear[factor].mean()
                below[factor] = score[node] * (whole - fixed.prod(0)).std() / whole.std()
        for o in range(len(linear)):
            for i in range(edges.shape[1]):
                lost = linear[o] - (linear[o] - edges[o, i] + edges[o, i].mean())
                scores[o, i] = below[o] * lost.std() / linear[o].std()
        result.insert(0, scores)
        score = scores.sum(0)
    return result, score


@pytest.mark.parametrize("output", [None, 0, 1])
def test_scores_by_their_definition(output):
    network, data = edited()
    found = attribution(network, data, output=output)
    wanted, inputs = brute(found, network, data, output)
    np.testing.assert_allclose(found.inputs, inputs, rtol=1e-9)
    for scores, each in zip(found.edges, wanted, strict=True):
        there = ~np.isnan(scores)
        np.testing.assert_allclose(scores[there], each[there], rtol=1e-9, atol=1e-14)
    assert np.isnan(found.edges[0][3, 1]) and not np.isnan(found.nodes[0]).any()
    both = [attribution(network, data, output=k).inputs for k in (0, 1)]
    np.testing.assert_allclose(attribution(network, data).inputs, both[0] + both[1])


@pytest.mark.parametrize("output", [None, 1])
def test_ablation_by_its_definition(output, monkeypatch):
    network, data = edited()
    found = attribution(network, data, output=output, method="ablation")
    layers, chosen = by_hand(network, data), [0, 1] if output is None else [output]
    last = network.layers[1]

    def lost(hidden):
        moved = last.columns(torch.from_numpy(hidden)).detach().numpy()
        return sum((moved - y).std(1)[o] / y.std(1)[o] for o in chosen)

    y, (edges, linear) = layers[1][1], layers[0]
    for o, i in ((0, 0), (2, 1), (4, 0), (5, 1)):
        moved = linear.copy()
        moved[o] += edges[o, i].mean() - edges[o, i]
        hidden = np.stack([moved[0], moved[1] * moved[2], moved[3] * moved[4] * moved[5]])
        assert found.edges[0][o, i] == pytest.approx(lost(hidden), rel=1e-9)
    x = data.copy()
    x[:, 0] = x[:, 0].mean()
    moved = network(torch.from_numpy(x)).detach().numpy().T
    assert found.inputs[0] == pytest.approx(sum((moved - y).std(1)[o] / y.std(1)[o] for o in chosen), rel=1e-9)
    np.testing.assert_array_equal(np.isnan(found.edges[0]), np.isnan(attribution(network, data).edges[0]))
    monkeypatch.setattr("kanpde.interpret.scores.AT_ONCE", 100)
    np.testing.assert_allclose(attribution(network, data, output=output, method="ablation").inputs, found.inputs, rtol=1e-10)
    with pytest.raises(ValueError, match="method must be one of 'ratios', 'ablation', got 'shap'"):
        attribution(network, data, method="shap")


def test_both_methods_agree_on_one_layer():
    network, x = KAN(3, (2, 1), basis=Chebyshev(4)), points(3)
    one, other = (attribution(network, x, output=2, method=method) for method in ("ratios", "ablation"))
    assert one.edges[0][:2].tolist() == other.edges[0][:2].tolist() == [[0, 0, 0]] * 2
    sums = KAN(3, 1, basis=Chebyshev(4))
    one, other = (attribution(sums, x, method=method) for method in ("ratios", "ablation"))
    np.testing.assert_allclose(one.edges[0], other.edges[0], rtol=1e-10)
    np.testing.assert_allclose(one.inputs, other.inputs, rtol=1e-10)


def test_factors_share_the_score_of_their_product():
    x = points(2, 4000)

    def scores(*terms):
        return attribution(monomials(2, (0, 1), weights=[terms]), x)

    found = scores((0, 0, 1, 1.0), (1, 0, 0, 2.0), (1, 1, 1, 1.0))  # x (2 + y)
    a, b = x.T
    whole = (a * (2 + b)).std()
    lost = [((a - a.mean()) * (2 + b)).std() / whole, (a * (b - b.mean())).std() / whole]
    np.testing.assert_allclose([found.edges[0][0, 0], found.edges[0][1, 1]], lost, rtol=1e-12)
    other = scores((0, 0, 1, -8.0), (1, 0, 0, 0.5), (1, 1, 1, 0.25))  # one factor larger, the other smaller
    np.testing.assert_allclose(other.inputs, found.inputs, rtol=1e-12)
    constant = scores((0, 0, 1, 1.0), (1, 1, 0, 3.0))  # 3 x: the constant factor has no share
    np.testing.assert_allclose(constant.inputs, [1, 0], atol=1e-14)


def test_what_has_no_effect_later_has_no_score():
    network = monomials(2, 2, 1, weights=[[(0, 0, 1, 1.0), (1, 1, 1, 1000.0)], [(0, 0, 1, 1.0)]])
    found = attribution(network, points(2))
    assert found.inputs == pytest.approx([1, 0], abs=1e-14) and found.nodes[1] == pytest.approx([1, 0], abs=1e-14)
    assert edge_functions(network, points(2))[0].importance[1, 1] > 500  # by its spread it would be the most important
    flat = monomials(2, 1, weights=[[(0, 0, 0, 7.0)]])  # a constant network: nothing varies
    assert attribution(flat, points(2)).inputs.tolist() == [0, 0]


def test_attribution_of_a_separable_network():
    network = SeparableKAN(3, 2, rank=2, basis=Chebyshev(4))
    found = attribution(network, points(3))
    assert [each.shape for each in found.nodes] == [(3,), (4,), (2,)] and (found.inputs > 0).all()
    assert attribution(network, points(3), output=1).nodes[1][:2].tolist() == [0, 0]


def test_sensitivity_is_that_of_autograd():
    network, data = edited()
    x = torch.from_numpy(data).requires_grad_()
    y = network(x)
    slopes = torch.stack([torch.autograd.grad(y[:, o].sum(), x, retain_graph=True)[0] for o in range(2)])
    wanted = slopes.abs().mean(1).numpy() * data.std(0) / y.detach().numpy().std(0)[:, None]
    np.testing.assert_allclose(sensitivity(network, data), wanted, rtol=1e-10)
    assert sensitivity(MLP(3, 4, 1), points(3)).shape == (1, 3)


# ---- interactions ----


def test_interactions_of_a_product_and_a_sum():
    network = monomials(3, (1, 1), 1, weights=[[(0, 2, 2, 1.0), (1, 0, 1, 1.0), (2, 1, 1, 1.0)], [(0, 0, 1, 1e-3), (0, 1, 1, 1e-3)]])
    x = points(3, 50000)
    found = interactions(network, x)  # tanh(x y) + tanh(z^2)
    assert found[0, 1] > 0.1 and found[0, 2] == found[1, 2] == 0 and np.diag(found).tolist() == [0, 0, 0]
    np.testing.assert_array_equal(found, found.T)
    product = monomials(2, (0, 1), weights=[[(0, 0, 1, 1.0), (1, 1, 1, 1.0)]])
    np.testing.assert_allclose(interactions(product, points(2, 50000)), [[0, 1], [1, 0]], atol=0.01)
    assert interactions(KAN(3, 1, basis=Chebyshev(5)), points(3)).tolist() == np.zeros((3, 3)).tolist()


@pytest.mark.parametrize("output", [None, 1])
def test_interactions_are_those_of_autograd(output):
    network, x = KAN(3, (2, 1), 2, basis=Chebyshev(4)), points(3, 20)
    found = interactions(network, x, output=output)
    wanted = []
    for o in (0, 1) if output is None else (output,):

        def scalar(z, o=o):
            return network(z)[o]

        hessians = np.stack([torch.autograd.functional.hessian(scalar, row).numpy() for row in torch.from_numpy(x)])
        scale = x.std(0)[:, None] * x.std(0) / network(torch.from_numpy(x))[:, o].detach().numpy().std()
        wanted.append(np.sqrt((hessians**2).mean(0)) * scale * (1 - np.eye(3)))
    np.testing.assert_allclose(found, np.mean(wanted, 0), rtol=1e-9)


def test_interactions_of_one_input_and_of_a_plain_network():
    assert interactions(KAN(1, 2, 1, basis=Chebyshev(3)), points(1)).tolist() == [[0]]
    assert interactions(MLP(2, 4, 1), points(2))[0, 1] > 0


# ---- what is wrong ----


@pytest.mark.parametrize("look", [edge_functions, activations, outside_grid, attribution])
def test_networks_without_edges(look):
    with pytest.raises(TypeError, match="only a KAN or a SeparableKAN has edges to look at, got MLP"):
        look(MLP(2, 3, 1), points(2))


@pytest.mark.parametrize("look", [edge_functions, activations, outside_grid, attribution, sensitivity, interactions])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((5, 3)), r"have the shape \(N, 2\), .* got \(5, 3\)"),
        (np.zeros(2), r"got \(2,\)"),
        (np.zeros((0, 2)), r"got \(0, 2\)"),
        ([[0, 0], [np.inf, 0]], "row 1 of the points is not finite"),
    ],
)
def test_points_that_do_not_fit(look, data, words):
    with pytest.raises(ValueError, match=words):
        look(KAN(2, 3, 1, basis=Chebyshev(3)), data)


@pytest.mark.parametrize("look", [attribution, interactions])
@pytest.mark.parametrize("output", [2, -1, True, 0.0])
def test_outputs_that_are_not_there(look, output):
    with pytest.raises(ValueError, match="output= is one of 0 to 1"):
        look(KAN(2, 3, 2, basis=Chebyshev(3)), points(2), output=output)


def test_samples():
    with pytest.raises(ValueError, match="samples, the points of each curve, .* got 1"):
        edge_functions(KAN(2, 1, basis=Chebyshev(3)), points(2), samples=1)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (("sin", 1, 0, 1), "sin(x)"),
        (("x^2", 1, 0, -1), "-x^2"),
        (("x^2", 2, -1, 0.5), "0.5 (2 x - 1)^2"),
        (("x", 2, 1, 0.5), "x + 0.5"),
        (("sech^2", -1, 1e-20, 1), "sech^2(-x)"),
        (("exp(-x**4)", 3.14159265, 0, 1e-9), "1e-09 exp(-(3.142 x)**4)"),
    ],
)
def test_terms_as_text(term, text):
    assert stages.term_text(*term) == text


def test_float32_and_results_keep_their_types():
    network = KAN(2, 3, 1, basis=Chebyshev(3), dtype=torch.float32)
    (first, _) = edge_functions(network, points(2))
    assert first.curves.dtype == first.scores.dtype == np.float64 and activations(network, points(2))[0].nodes.dtype == torch.float32
    assert replace(first, symbols=np.array("")).symbols.shape == (3, 2)


def test_edges_that_diverged_are_still_there():
    network = KAN(2, 2, 1, basis=Chebyshev(3))
    network.layers[0].weight.data[1, 0, 0] = np.nan  # type: ignore[union-attr, index]
    first, _ = edge_functions(network, points(2))
    assert first.count == 4 and first.importance[1, 0] == np.inf
    assert len(draw_network(network, points(2)).axes) == 1


def test_arrays_are_taken_and_a_result_of_an_edit_is_told_apart():
    network = KAN(2, 2, 1, basis=Chebyshev(4))
    points = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    assert torch.equal(network(points), network(torch.from_numpy(points)))
    pruned = prune(network, points)
    with pytest.raises(TypeError, match="this is a Pruned, take its .network"):
        draw_network(pruned, points)
    with pytest.raises(TypeError, match="this is a Pruned, take its .network"):
        prune(pruned, points)
