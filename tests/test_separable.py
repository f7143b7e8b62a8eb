"""Separable KANs: jets, rows and gradients against nested autograd of an independent product of series, refinement, training."""

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev
from scipy.interpolate import BSpline as SciPySpline

from kanpde import Box, BSpline, Chebyshev, Dirichlet, Experiment, LevenbergMarquardt, Problem, SeparableKAN
from kanpde.functions import pi, sin
from kanpde.interpret import edge_functions
from kanpde.jets import channels

LOWER, UPPER = (0.5, -3.0, 10.0), (2.0, 4.0, 10.5)
MODELS = [
    SeparableKAN(1, 1, rank=2, basis=Chebyshev(5), seed=1),
    SeparableKAN(2, 1, rank=3, basis=Chebyshev(6), seed=2),
    SeparableKAN(3, 2, rank=2, basis=(Chebyshev(4), BSpline(5, 3), Chebyshev(7)), seed=3),
]
DEMANDS = {
    1: [[()], [(0, 0, 0, 0)]],
    2: [[(0, 0), (1, 1)], [(0, 1), (0, 0, 1, 1), (0, 0, 0)]],
    3: [[(0, 0), (1, 1), (2,)], [(0, 1, 2), (0, 0, 2, 2)]],
}
each_case = pytest.mark.parametrize(("model", "demand"), [(m, d) for m in MODELS for d in DEMANDS[m.inputs]], ids=str)


def on_box(model, count=5):
    d = model.inputs
    network = model.remade().on_box(LOWER[:d], UPPER[:d])
    points = np.random.default_rng(0).uniform(LOWER[:d], UPPER[:d], (count, d))
    points[0], points[1] = LOWER[:d], UPPER[:d]
    return network, torch.from_numpy(points)


def series(basis, coefficients, x):
    """sum_k c_k B_k(x) for x on [-1, 1], differentiable in both: by Clenshaw, or from SciPy's pieces of the spline."""
    if isinstance(basis, Chebyshev):
        after = later = torch.zeros_like(x)
        for coefficient in reversed(coefficients[1:]):
            after, later = coefficient + 2 * x * after - later, after
        return coefficients[0] + x * after - later
    breaks = np.linspace(-1, 1, basis.intervals + 1)
    knots = np.r_[[-1.0] * basis.degree, breaks, [1.0] * basis.degree]
    spline = SciPySpline(knots, np.eye(basis.size), basis.degree)
    place = np.clip(np.searchsorted(breaks, x.detach().numpy(), side="right") - 1, 0, basis.intervals - 1)
    offset, total, factorial = x - torch.from_numpy(breaks[place]), 0, 1.0
    for m in range(basis.degree + 1):
        factorial *= max(m, 1)
        total = total + (torch.from_numpy(spline(breaks[place], nu=m)) @ coefficients) * offset**m / factorial
    return total


def plain(network, weights, points):
    """(N, outputs) in plain torch from the weights."""
    z = 2 * (points - network.lower) / (network.upper - network.lower) - 1
    outputs = []
    for o in range(network.outputs):
        total = 0
        for r in range(network.rank):
            product = 1
            for axis, basis in enumerate(network.bases):
                product = product * series(basis, weights[axis][o, r], z[:, axis])
            total = total + product
        outputs.append(total)
    return torch.stack(outputs, 1)


def plain_jets(network, weights, points, chosen):
    points = points.clone().requires_grad_()
    values = plain(network, weights, points)
    rows = []
    for alpha in chosen.indices:
        columns = []
        for o in range(network.outputs):
            derivative = values[:, o]
            for axis in alpha:
                (slope,) = torch.autograd.grad(derivative.sum(), points, create_graph=True, materialize_grads=True)
                derivative = slope[:, axis]
            columns.append(derivative)
        rows.append(torch.stack(columns))
    return torch.stack(rows)


def assert_close(found, wanted, tolerance=1e-11):
    assert float((found - wanted).detach().abs().max()) <= tolerance * float(wanted.detach().abs().max())


@each_case
def test_jets_are_nested_autograd(model, demand):
    network, points = on_box(model)
    chosen = channels(demand)
    jet, _ = network.jets(points, chosen)
    wanted = plain_jets(network, list(network.parameters()), points, chosen)
    for row in range(len(chosen)):
        assert_close(jet[row], wanted[row].detach())
    assert_close(network(points).T, jet[0], 1e-13)


@each_case
def test_rows_are_the_jacobian_and_gradient_is_their_sum(model, demand):
    network, points = on_box(model)
    chosen = channels(demand)
    adjoint = torch.randn(len(chosen), network.outputs, len(points), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    weights = [weight.detach().clone().requires_grad_() for weight in network.parameters()]
    samples = (plain_jets(network, weights, points, chosen) * adjoint).sum((0, 1))
    wanted = torch.stack(
        [
            torch.cat([g.flatten() for g in torch.autograd.grad(s, weights, retain_graph=True, allow_unused=True, materialize_grads=True)])
            for s in samples
        ],
        1,
    )
    records = None
    for _ in range(2):  # the second time in the memory of the first
        _, records = network.jets(points, chosen, records)
        assert_close(network.rows(records, adjoint, torch.full_like(wanted, torch.nan)), wanted)
        assert_close(network.gradient(records, adjoint), wanted.sum(1))


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_refinement_is_exact_and_shares_nothing(model):
    network, points = on_box(model, 50)
    finer = network.refined(12)
    assert finer.resolution == 12 and finer.parameter_count > network.parameter_count
    assert_close(finer(points), network(points), 1e-12)
    before = network.vector()
    finer.assign(torch.zeros_like(finer.vector()))
    assert torch.equal(network.vector(), before)
    with pytest.raises(ValueError, match="only goes up"):
        finer.refined(5)


def test_a_solution_of_rank_one():
    square = Box(x=(-1, 1), y=(-1, 1))

    def exact(x, y):
        return sin(pi * x) * sin(2 * pi * y)

    problem = Problem(
        square,
        lambda u, x, y: u.xx + u.yy + 5 * pi**2 * exact(x, y),
        conditions=[Dirichlet(0, on=square.boundary, hard=True)],
        exact=exact,
    )
    model = SeparableKAN(2, 1, rank=2, basis=Chebyshev(22))
    result = Experiment(problem, model=model, training=[LevenbergMarquardt(steps=40)]).run()
    assert result.metrics["relative_l2"] < 1e-9
    # the factors of the leading term are the sines, as NumPy sees them
    assert result.architecture["kind"] == "SeparableKAN"


def test_values_are_products_of_numpys_series():
    network, points = on_box(MODELS[1])
    z = (2 * (points - network.lower) / (network.upper - network.lower) - 1).numpy()
    left, right = (weight.detach().numpy()[0] for weight in network.parameters())
    wanted = sum(chebyshev.chebval(z[:, 0], left[r]) * chebyshev.chebval(z[:, 1], right[r]) for r in range(3))
    np.testing.assert_allclose(network(points)[:, 0].detach().numpy(), wanted, rtol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((0, 1), dict(rank=2, basis=Chebyshev(3)), ValueError, "inputs of SeparableKAN must be a whole number of at least 1, got 0"),
        ((2, 1.5), dict(rank=2, basis=Chebyshev(3)), ValueError, "outputs of SeparableKAN.* got 1.5"),
        ((2, 1), dict(rank=0, basis=Chebyshev(3)), ValueError, "rank of SeparableKAN.* got 0"),
        ((2, 1), dict(rank=2, basis="Chebyshev"), TypeError, "basis must be a basis.* got 'Chebyshev'"),
        ((2, 1), dict(rank=2, basis=(Chebyshev(3),) * 3), ValueError, "2 inputs, but 3 bases"),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        SeparableKAN(*arguments, **options)


def test_repr_makes_the_same_network():
    for model in MODELS:
        again = eval(repr(model), {"SeparableKAN": SeparableKAN, "Chebyshev": Chebyshev, "BSpline": BSpline})
        assert repr(again) == repr(model)
        assert again.parameter_count == model.parameter_count


def test_factors_are_drawn_as_edges_with_product_nodes():
    network, points = on_box(MODELS[2], 30)
    first, second = edge_functions(network, points)
    assert (first.sums, first.products, first.arity) == (0, 4, 3) and (second.sums, second.products) == (2, 0)
    z = (2 * (points - network.lower) / (network.upper - network.lower) - 1).T
    for o in range(2):
        for r in range(2):
            for axis, basis in enumerate(network.bases):
                row, weight = 3 * (2 * o + r) + axis, list(network.parameters())[axis].detach()[o, r]
                wanted = series(basis, weight, torch.from_numpy(first.inputs[axis])).numpy()
                np.testing.assert_allclose(first.curves[row, axis], wanted, atol=1e-12 * np.abs(wanted).max())
                assert first.importance[row, axis] == pytest.approx(float(series(basis, weight, z[axis]).std(correction=0)))
                assert np.isnan(np.delete(first.importance[row], axis)).all()
    assert np.isnan(second.importance).tolist() == [[False, False, True, True], [True, True, False, False]]
