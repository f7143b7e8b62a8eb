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


def on_box(model, count=3):
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
    assert (first.sums, first.arities) == (0, (3,) * 4) and (second.sums, second.arities) == (2, ())
    z = (2 * (points - network.lower) / (network.upper - network.lower) - 1).T
    for o in range(2):
        for r in range(2):
            for axis, basis in enumerate(network.bases):
                row, weight = 3 * (2 * o + r) + axis, list(network.parameters())[axis].detach()[o, r]
                low, high = network.lower[axis], network.upper[axis]
                wanted = series(basis, weight, 2 * (torch.from_numpy(first.inputs[axis]) - low) / (high - low) - 1).numpy()
                np.testing.assert_allclose(first.curves[row, axis], wanted, atol=1e-12 * np.abs(wanted).max())
                assert first.importance[row, axis] == pytest.approx(float(series(basis, weight, z[axis]).std(correction=0)))
                assert np.isnan(np.delete(first.importance[row], axis)).all()
    assert np.isnan(second.importance).tolist() == [[False, False, True, True], [True, True, False, False]]


# ---- steps ----


def coefficients(network, vector):
    """The matrices (outputs, K_0, K_1) of the coefficients of a network in two coordinates."""
    other = network.remade()
    other.assign(vector)
    first, second = (weight.detach() for weight in other.layers[0].weights)
    return torch.einsum("ori,orj->oij", first, second)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_step_leads_to_the_nearest_sum_of_as_many_products(outputs):
    network = SeparableKAN(2, outputs, rank=3, basis=(Chebyshev(7), Chebyshev(5)), seed=1).with_coefficients([0.5])
    start, generator = network.vector(), torch.Generator().manual_seed(0)
    step = torch.randn(len(start), generator=generator, dtype=torch.float64)
    forward, back = (coefficients(network, start + sign * 0.5 * step) for sign in (1, -1))
    linear = coefficients(network, start) + forward - back  # exact: the products are of second degree
    left, singular, right = np.linalg.svd(linear.numpy())
    nearest = np.einsum("oik,ok,okj->oij", left[..., :3], singular[:, :3], right[:, :3])
    moved = network.moved(start, step)
    np.testing.assert_allclose(coefficients(network, moved), nearest, atol=1e-13)
    assert moved[-1] == start[-1] + step[-1]
    # a curve with the step as its direction, on which a step of nothing changes nothing
    np.testing.assert_allclose(coefficients(network, network.moved(start, 0 * step)), coefficients(network, start), atol=1e-14)
    ahead, behind = (coefficients(network, network.moved(start, sign * 1e-5 * step)) for sign in (1, -1))
    np.testing.assert_allclose((ahead - behind) / 2e-5, forward - back, atol=1e-7)


def test_products_that_vanish_can_grow_again_and_a_rank_beyond_the_bases_is_kept():
    network = SeparableKAN(2, 1, rank=5, basis=(Chebyshev(3), Chebyshev(2)))
    start = torch.zeros(network.parameter_count, dtype=torch.float64)
    assert torch.equal(network.moved(start, start), start)
    start[0] = start[network.layers[0].weights[0].numel()] = 1.0  # one product
    moved = network.moved(start, torch.zeros_like(start))
    np.testing.assert_allclose(coefficients(network, moved), coefficients(network, start), atol=1e-15)
    assert (moved[: network.layers[0].weights[0].numel()].view(5, 4)[:3].norm(dim=1) > 0).all()


def test_steps_are_straight_in_other_numbers_of_coordinates():
    for network in (MODELS[0], MODELS[2]):
        start = network.vector()
        assert torch.equal(network.moved(start, 2 * start), 3 * start)


def test_small_products_do_not_slow_the_descent():
    """Singular values that fall by a factor 30 each: straight steps, which must be short where a small product turns, take ever longer."""
    box = Box(x=(-1, 1), y=(-1, 1))

    def exact(x, y):
        return 1 / (x + y + 4)

    problem = Problem(box, lambda u, x, y: u - exact(x, y), exact=exact)
    model = SeparableKAN(2, 1, rank=6, basis=Chebyshev(16))
    result = Experiment(problem, model, [LevenbergMarquardt(steps=8, damping=1e-6)]).run()
    assert result.metrics["relative_l2"] < 1e-9


def test_steps_that_are_not_finite_stay_so():
    network = SeparableKAN(2, 1, rank=2, basis=Chebyshev(3))
    start = network.vector()
    assert not network.moved(start, torch.full_like(start, torch.inf)).isfinite().any()
