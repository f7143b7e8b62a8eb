"""Layers with everything that edits bring: symbolic terms, biases, missing and frozen edges, ranges, product nodes of any arity.

The reference is the forward pass alone, differentiated by torch as often as is needed; the forward pass in turn is compared with edge
functions written out in NumPy and SciPy.
"""

import json

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline as SciPySpline

from kanpde import KAN, MLP, BSpline, Chebyshev, Extended, KANLayer, PerInput, SeparableKAN, SiLU, Wrapped
from kanpde.architecture import described, rebuilt
from kanpde.functions import sin
from kanpde.jets import channels
from kanpde.primitives import PRIMITIVES, Primitive
from kanpde.symbols import Symbol

POISSON = [(0, 0), (1, 1)]
FOURTH = [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 1, 1), (1,)]
LAPLACE = [(~0, ~1), (0,), (1,)]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def symbols(layer, *terms, held=None):
    """Have terms (output, input, name, a, b, c)."""
    chosen = [Symbol(o, i, PRIMITIVES[name]) for o, i, name, *_ in terms]
    return layer.put_symbols(chosen, torch.tensor([term[3:] for term in terms]).double(), held)


def dropped(layer, *edges):
    present = layer.present.clone()
    for o, i in edges:
        present[o, i] = False
    return layer.put_splines(layer.basis, layer.weight, present, layer.weight_held)


def with_everything(hidden="tanh"):
    """[2, 4 nodes of which two multiply 2 and 3 factors, 2]."""
    network = KAN(2, (2, [2, 3]), 2, basis=Chebyshev(4), hidden=hidden, seed=3).edited()
    first, second = network.layers
    symbols(dropped(first, (0, 1), (3, 0)), (0, 1, "sin", 1.3, 0.2, 0.7), (3, 0, "exp", -0.6, 0.1, 1.1), (1, 1, "tanh", 0.5, 0.0, -0.4))
    first.put_bias(random(first.linear, seed=1))
    second.put_bias(random(2, seed=2), torch.tensor([True, False]))
    second.weight_held[1, 2] = True
    held = torch.zeros(2, 3, dtype=torch.bool)
    held[0, 1] = True
    symbols(dropped(second, (0, 0)), (0, 0, "x^2", 0.8, -0.1, 0.5), (1, 3, "sin", 0.4, 0.3, 0.9), held=held)
    if hidden == "range":
        second.put_range(torch.tensor([-2.0, -3.0, -1.0, -2.5]), torch.tensor([3.0, 2.0, 4.0, 2.5]))
    return network


def only_symbols():
    network = KAN(2, 2, 1, basis=Chebyshev(2)).edited()
    for layer in network.layers:
        layer.put_splines(None, layer.weight[:, :0], torch.zeros_like(layer.present))
    symbols(network.layers[0], (0, 0, "sin", 2.0, 0.3, 1.0), (0, 1, "x^2", 1.0, 0.0, 0.5), (1, 1, "exp", 0.7, 0.0, 1.0))
    symbols(network.layers[1], (0, 0, "exp", 1.0, 0.0, 1.0), (0, 1, "x", 1.0, 0.2, -2.0))
    network.layers[1].put_bias(torch.tensor([0.25]))
    return network


def per_input():
    knots = [BSpline(4, breaks=(-1, -0.5, 0.25, 1)), BSpline(4, breaks=(-1, 0.0, 0.4, 1)), BSpline(4, intervals=3)]
    network = KAN(2, 3, 1, basis=[BSpline(4, 3), Chebyshev(6)], hidden="range", outside="continue").edited()
    layer = network.layers[1]
    layer.put_splines(PerInput(tuple(knots)), random(1, 7, 3), layer.present)
    return network.edited()


CASES = {
    "everything, tanh": with_everything(),
    "everything, range": with_everything("range"),
    "only symbols": only_symbols(),
    "knots by input": per_input(),
    "three bases": KAN(2, 3, 2, 1, basis=[Chebyshev(4), BSpline(5, 3), Chebyshev(3)]),
    "first layer tanh": KAN.assembled([KANLayer(2, 3, basis=Chebyshev(4), seed=1), KANLayer(3, 1, basis=Chebyshev(3), seed=2)]),
    "first layer range": KAN.assembled(
        [
            KANLayer(2, 3, basis=Chebyshev(4), entry="range", seed=1).put_range(torch.tensor([-2.0, 0.0]), torch.tensor([1.0, 2.0])),
            KANLayer(3, (1, [2]), basis=Chebyshev(3), seed=2),
        ]
    ),
    "outputs scaled": KAN(2, 3, 2, basis=Chebyshev(4)).on_outputs([3.0, -1.0], [2.0, 1e-3]),
}
each_case = pytest.mark.parametrize("network", CASES.values(), ids=CASES.keys())


def autograd_jets(network, points, chosen):
    points = points.clone().requires_grad_()
    values, rows = network(points), []

    def derivative(each, alpha):
        for letter in alpha:
            each = torch.autograd.grad(each.sum(), points, create_graph=True, materialize_grads=True)[0][:, letter]
            each = each if each.requires_grad else each + 0 * points[:, letter]
        return each

    for terms in chosen.terms:
        rows.append(torch.stack([sum(derivative(each, alpha) for alpha in terms) for each in values.unbind(1)]))
    return torch.stack(rows)


@pytest.mark.parametrize("demand", [POISSON, FOURTH, LAPLACE, [()], [(1,)]], ids=str)
@each_case
def test_jets_and_rows_are_nested_autograd(network, demand):
    network = network.copy().on_box((-1, -2), (1, 1))  # given networks keep theirs
    points = torch.tensor([[0.3, 0.4], [-0.9, -0.8]], dtype=torch.float64)
    chosen = channels(demand)
    wanted = autograd_jets(network, points, chosen)
    jet, records = network.jets(points, chosen)
    torch.testing.assert_close(jet, wanted.detach(), rtol=1e-10, atol=1e-10)
    adjoint = random(*jet.shape, seed=5)
    rows = network.rows(records, adjoint, torch.empty(network.parameter_count, len(points), dtype=torch.float64))
    live, expected = network.trained_places, []
    for n in range(len(points)):
        total = (autograd_jets(network, points[n : n + 1], chosen) * adjoint[:, :, n : n + 1]).sum()
        slopes = torch.autograd.grad(total, list(network.parameters()), allow_unused=True, materialize_grads=True)
        whole = torch.cat([slope.flatten() for slope in slopes])
        expected.append(whole if live is None else whole[live])
        if live is not None:  # what is held or absent is no function of anything
            dead = torch.ones(len(whole), dtype=torch.bool)
            dead[live] = False
            assert not whole[dead].any()
    torch.testing.assert_close(rows.T, torch.stack(expected), rtol=1e-9, atol=1e-9)
    jet, records = network.jets(points, chosen, records)  # memory used again
    torch.testing.assert_close(network.gradient(records, adjoint), torch.stack(expected).sum(0), rtol=1e-9, atol=1e-9)
    tail = torch.empty(5, len(points), dtype=torch.float64)
    torch.testing.assert_close(network.rows(records, adjoint, tail), torch.stack(expected).T[-5:], rtol=1e-9, atol=1e-9)


def test_the_forward_pass_is_the_formula():
    """Edges of splines, symbols, bias and a product of three, written out with SciPy and NumPy."""
    layer = KANLayer(2, (1, [3]), basis=BSpline(3, 4), entry="range", seed=7).put_range(
        torch.tensor([-1.0, -2.0]), torch.tensor([1.0, 4.0])
    )
    symbols(dropped(layer, (0, 1), (2, 0)), (0, 1, "sin", 2.0, 0.5, 3.0), (2, 0, "x^3", 1.0, 0.0, 0.5), (1, 0, "cos", 1.0, 0.0, 1.0))
    layer.put_bias(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    z = np.array([[0.2, -0.7, 0.9], [1.0, -1.5, 3.9]])
    entered = np.stack([z[0], (z[1] - 1) / 3])
    weight = layer.weight.detach().numpy()

    def spline(o, i):
        return SciPySpline(layer.basis.knots, weight[o, :, i], 3)(entered[i])

    linear = [
        1 + spline(0, 0) + 3 * np.sin(2 * z[1] + 0.5),
        2 + spline(1, 0) + spline(1, 1) + np.cos(z[0]),
        3 + spline(2, 1) + 0.5 * z[0] ** 3,
        4 + spline(3, 0) + spline(3, 1),
    ]
    found = layer(torch.from_numpy(z.T)).detach().numpy()
    np.testing.assert_allclose(found, np.stack([linear[0], linear[1] * linear[2] * linear[3]], 1), rtol=1e-13)
    edges = layer.edge_values(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(edges[0, 1], 3 * np.sin(2 * z[1] + 0.5), rtol=1e-13)
    np.testing.assert_allclose(edges.sum(1) + np.array([[1.0], [2.0], [3.0], [4.0]]), np.stack(linear), rtol=1e-13)


@each_case
def test_vector_holds_what_is_trained_and_nothing_else(network):
    network = network.copy()
    before, vector = {name: value.clone() for name, value in network.state_dict().items()}, network.vector()
    assert len(vector) == network.parameter_count
    network.assign(vector + 1)
    torch.testing.assert_close(network.vector(), vector + 1, rtol=0, atol=0)
    changed = sum(int((value != before[name]).sum()) for name, value in network.state_dict().items())
    assert changed == len(vector)


@pytest.mark.parametrize("rule", ["linear", "constant"])
@pytest.mark.parametrize("inner", [BSpline(3, 4), Chebyshev(6)], ids=repr)
def test_beyond_the_grid_functions_go_on_as_chosen(rule, inner):
    basis, far = Extended(inner, rule), torch.tensor([-3.0, -1.0, 0.3, 1.0, 1.5], dtype=torch.float64)
    ends = inner.table(torch.tensor([-1.0, 1.0]).double(), 1)
    slope = 1.0 if rule == "linear" else 0.0
    table = basis.table(far, 3)
    torch.testing.assert_close(table[0, :, 0], ends[0, :, 0] - 2 * slope * ends[1, :, 0])
    torch.testing.assert_close(table[0, :, 4], ends[0, :, 1] + 0.5 * slope * ends[1, :, 1])
    torch.testing.assert_close(table[1, :, 4], slope * ends[1, :, 1])
    assert not table[2:, :, [0, 4]].any()
    torch.testing.assert_close(table[..., 1:4], inner.table(far[1:4], 3))
    torch.testing.assert_close(basis.values(far), table[0])
    beyond = torch.tensor([-1.7, 0.2, 2.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(basis.values, beyond)
    assert torch.autograd.gradgradcheck(basis.values, beyond)


def test_refinement_is_exact_for_everything():
    points = 2 * torch.rand(300, 2, generator=torch.Generator().manual_seed(0)).double() - 1
    for network in CASES.values():
        if network.basis is not None and len({str(layer.basis) for layer in network.layers}) == 1:
            finer = network.refined(9)
            torch.testing.assert_close(finer(points), network(points), rtol=1e-12, atol=1e-12)
            assert finer.parameter_count > network.parameter_count


def test_given_weights_are_kept_and_drawn_ones_drawn():
    drawn = KAN(2, 3, 1, basis=Chebyshev(3))
    assert not torch.equal(drawn.remade(seed=1).vector(), drawn.vector())
    given = drawn.kept().on_box((0, 0), (5, 5))
    assert torch.equal(given.remade(seed=1).vector(), drawn.vector())
    assert torch.equal(given.lower, drawn.lower)  # with another box it would be another function
    assert given.remade(dtype=torch.float32).lower.dtype == torch.float32


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="layer 0 gives 3 outputs, but layer 1 takes 2 inputs"):
        KAN.assembled([KANLayer(2, 3, basis=Chebyshev(2)), KANLayer(2, 1, basis=Chebyshev(2))])
    with pytest.raises(ValueError, match="is no edge of a layer of 2 inputs and 3 linear outputs"):
        symbols(KANLayer(2, 3, basis=Chebyshev(2)), (3, 0, "sin", 1.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="'tanh' or by their 'range', got 'identity'"):
        KANLayer(2, 3, basis=Chebyshev(2), entry="identity")
    with pytest.raises(ValueError, match="has 2 layers, but basis lists 1"):
        KAN(2, 3, 1, basis=[Chebyshev(3)])
    with pytest.raises(ValueError, match="equally many functions"):
        PerInput((Chebyshev(3), Chebyshev(4)))
    with pytest.raises(ValueError, match="positive numbers"):
        KAN(2, 1, basis=Chebyshev(3)).on_outputs([0.0], [0.0])


# ---- as plain data and back ----


@each_case
def test_what_is_described_is_rebuilt_to_the_bit(network):
    network = network.copy().with_coefficients([0.5])
    about, arrays = described(network)
    again = rebuilt(json.loads(json.dumps(about)), arrays)
    assert repr(again) == repr(network)
    assert again.given == network.given
    assert torch.equal(again.vector(), network.vector())
    points = 2 * torch.rand(50, 2, generator=torch.Generator().manual_seed(0)).double() - 1
    assert torch.equal(again(points), network(points))
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in again.state_dict().items())


def test_other_networks_and_dtypes_are_rebuilt_too():
    points = 2 * torch.rand(50, 2, generator=torch.Generator().manual_seed(0)).double() - 1
    for network in (
        MLP(2, 5, 1, seed=3),
        SeparableKAN(2, 1, rank=3, basis=Chebyshev(5), seed=1),
        KAN(2, 3, 1, basis=Chebyshev(3) + SiLU()),
    ):
        again = rebuilt(*described(network))
        assert torch.equal(again(points), network(points))
        single = network.to(torch.float32)
        assert rebuilt(*described(single)).lower.dtype == torch.float32


def test_a_primitive_of_ones_own_is_handed_over():
    mine = Primitive("ripple", lambda x: sin(x**2), complexity=4)
    network = KAN(1, 1, basis=Chebyshev(2)).edited()
    network.layers[0].put_symbols([Symbol(0, 0, mine)], torch.tensor([[2.0, 0.0, 1.0]]))
    about, arrays = described(network)
    with pytest.raises(ValueError, match="an edge 'ripple', which is no primitive of kanpde"):
        rebuilt(about, arrays)
    points = torch.linspace(-1, 1, 5)[:, None].double()
    assert torch.equal(rebuilt(about, arrays, [mine])(points), network(points))


def test_what_is_no_description_is_refused():
    about, arrays = described(KAN(2, 3, 1, basis=Chebyshev(3)))
    with pytest.raises(ValueError, match="does not describe a network"):
        rebuilt({}, arrays)
    with pytest.raises(ValueError, match="does not describe a network"):
        rebuilt(about, {**arrays, "layers.0.weight": np.zeros(3)})
    broken = json.loads(json.dumps(about).replace('"Chebyshev"', '"Chebychev"'))
    with pytest.raises(ValueError, match="no basis 'Chebychev'.*Chebyshev"):
        rebuilt(broken, arrays)
    with pytest.raises(TypeError, match="cannot be described"):
        described(Wrapped(torch.nn.Linear(2, 1), inputs=2, outputs=1))
