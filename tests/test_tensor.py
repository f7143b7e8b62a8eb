"""Tensor-product KANs against nested autograd, sparse Gauss-Newton steps against dense ones, functions given by values."""

import math
from itertools import product

import numpy as np
import pytest
import sympy
import torch

import kanpde as kp
from kanpde.architecture import described, rebuilt
from kanpde.functions import Given, pi, sin
from kanpde.jets import channels
from kanpde.objective import Objective
from kanpde.symbolic.equations import latex

MODELS = [
    kp.TensorKAN(1, 2, basis=kp.Chebyshev(4), seed=1),
    kp.TensorKAN(2, 1, basis=(kp.Chebyshev(4), kp.Chebyshev(3)), seed=2),
    kp.TensorKAN(3, 1, basis=(kp.Chebyshev(1), kp.Chebyshev(2), kp.Chebyshev(1)), seed=3),
]
DEMANDS = {1: [(), (0, 0)], 2: [(), (0,), (0, 0), (1, 1), (0, 1)], 3: [(), (0, 1, 2), (1, 1)]}
each_model = pytest.mark.parametrize("model", MODELS, ids=repr)


def plain_jets(network, weight, points, chosen):
    """(C, outputs, N) by nested autograd, from cosines of arccosines."""
    points = points.clone().requires_grad_()
    z = 2 * (points - network.lower) / (network.upper - network.lower) - 1
    values = []
    for o in range(network.outputs):
        total = 0
        for place in product(*map(range, weight.shape[1:])):
            term = weight[(o, *place)]
            for axis, k in enumerate(place):
                term = term * torch.cos(k * torch.acos(z[:, axis]))
            total = total + term
        values.append(total)
    rows = []
    for alpha in chosen.indices:
        columns = []
        for value in values:
            for axis in alpha:
                (slope,) = torch.autograd.grad(value.sum(), points, create_graph=True, materialize_grads=True)
                value = slope[:, axis]
            columns.append(value)
        rows.append(torch.stack(columns))
    return torch.stack(rows)


@each_model
def test_jets_rows_and_gradients_are_nested_autograd(model):
    d = model.inputs
    network = model.remade().on_box([0.5, -3.0, 1.0][:d], [2.0, 4.0, 1.5][:d])
    points = network.lower + (network.upper - network.lower) * (0.1 + 0.8 * torch.rand(5, d, dtype=torch.float64))
    chosen = channels(DEMANDS[d])
    weight = network.layers[0].weight.detach().clone().requires_grad_()
    wanted = plain_jets(network, weight, points, chosen)
    jet, records = network.jets(points, chosen)
    torch.testing.assert_close(jet, wanted.detach(), rtol=1e-10, atol=1e-9)
    torch.testing.assert_close(network(points).T, wanted[0].detach(), rtol=1e-12, atol=1e-12)
    adjoint = torch.randn(len(chosen), network.outputs, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    samples = (wanted * adjoint).sum((0, 1))
    jacobian = torch.stack([torch.autograd.grad(s, weight, retain_graph=True)[0].flatten() for s in samples], 1)
    for _ in range(2):  # the second time in the memory of the first
        _, records = network.jets(points, chosen, records)
        found = network.rows(records, adjoint, torch.full_like(jacobian, torch.nan))
        torch.testing.assert_close(found, jacobian, rtol=1e-10, atol=1e-9)
        torch.testing.assert_close(network.gradient(records, adjoint), jacobian.sum(1), rtol=1e-10, atol=1e-9)


@each_model
def test_refinement_is_exact_and_files_keep_every_bit(model):
    points = 2 * torch.rand(20, model.inputs, dtype=torch.float64) - 1
    finer = model.refined(6)
    assert finer.parameter_count == model.outputs * 7**model.inputs and finer.resolution == 6
    torch.testing.assert_close(finer(points), model(points), rtol=1e-13, atol=1e-13)
    again = rebuilt(*described(model))
    assert repr(again) == repr(model) and torch.equal(again(points), model(points))
    with pytest.raises(ValueError, match="only goes up"):
        finer.refined(3)


def test_wrong_tensor_networks():
    with pytest.raises(ValueError, match="TensorKAN has 2 inputs, but 3 bases"):
        kp.TensorKAN(2, 1, basis=(kp.Chebyshev(3),) * 3)
    with pytest.raises(TypeError, match="basis must be a basis"):
        kp.TensorKAN(2, 1, basis=5)
    with pytest.raises(ValueError, match="outputs of TensorKAN"):
        kp.TensorKAN(2, 0, basis=kp.Chebyshev(3))


square = kp.Box(x=(0, 1), y=(0, 1))


def exact(x, y):
    return sin(pi * x) * sin(2 * pi * y) + sin(3 * pi * x) * sin(pi * y)


poisson = kp.Problem(
    square,
    kp.manufactured(lambda u: kp.laplacian(u) - 3 * u, exact),
    conditions=[kp.Dirichlet(0, on=square.boundary, hard=True)],
    exact=exact,
)


@pytest.mark.parametrize(
    ("basis", "optimizer", "limit"),
    [
        (kp.Chebyshev(22), kp.LevenbergMarquardt(steps=2, damping=1e-20, acceleration=False), 1e-12),
        (kp.BSpline(7, 12), kp.SparseNewton(), 2e-7),
    ],
    ids=["dense", "sparse"],
)
def test_a_linear_equation_is_one_solve(basis, optimizer, limit):
    result = kp.Experiment(poisson, kp.TensorKAN(2, 1, basis=basis), [optimizer], sampling=kp.Sampling(per_parameter=3)).run()
    assert result.metrics["relative_l2"] < limit and result.metrics["steps"] <= 3


def advanced(optimizer, problem, model):
    network = model.remade().on_box(problem.domain.lower, problem.domain.upper)
    objective = Objective(problem, kp.Sampling(per_parameter=3).points(problem, network, 0))
    step = optimizer.start(network).advance(objective, network)
    return network.vector(), float(step.residual @ step.residual)


def test_a_sparse_step_is_the_dense_one():
    model = kp.TensorKAN(2, 1, basis=kp.BSpline(5, 6))
    found, loss = advanced(kp.SparseNewton(), poisson, model)
    wanted, least = advanced(kp.GaussNewton(), poisson, model)
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-8)
    assert loss == pytest.approx(least, rel=1e-10)


def test_sparse_steps_where_the_equation_is_not_linear():
    line = kp.Box(x=(0, 1))
    problem = kp.Problem(
        line,
        kp.manufactured(lambda u: u.xx + u**3, lambda x: 2 * sin(pi * x)),
        conditions=[kp.Dirichlet(0, on=line.boundary)],
        exact=lambda x: 2 * sin(pi * x),
    )
    result = kp.Experiment(problem, kp.KAN(1, 1, basis=kp.BSpline(9, 12)), [kp.SparseNewton(steps=12)]).run()
    assert result.metrics["relative_l2"] < 1e-8
    with pytest.raises(ValueError, match=r"SparseNewton\(steps=...\)"):
        kp.SparseNewton(steps=0)


# ---- functions given by values ----

V = Given("V", lambda x, y: np.floor(4 * x) + y)


def test_given_functions_take_all_kinds_of_arguments():
    x, y = np.array([0.1, 0.3]), np.array([[0.5], [2.0]])
    np.testing.assert_array_equal(V(x, y), np.floor(4 * x) + y)
    assert V(0.3, 1) == 2.0
    found = V(torch.tensor([0.3, 0.6]), 1.0)
    assert found.dtype == torch.float32 and found.tolist() == [2.0, 3.0]
    assert str(V(*sympy.symbols("x y"))) == "V(x, y)"
    with pytest.raises(TypeError, match="derivatives of V are not known"):
        V(torch.tensor([0.3], requires_grad=True), 0.0)
    with pytest.raises(ValueError, match="takes a name"):
        Given("a b", math.sin)


def test_given_functions_in_equations():
    problem = kp.Problem(square, lambda u, x, y: -kp.laplacian(u) + V(x, y) * u - 1, conditions=[kp.Dirichlet(0, on=square.boundary)])
    assert latex(problem, {})[0].startswith("V")
    with pytest.raises(TypeError, match="derivative of V"):
        kp.Problem(square, lambda u, x, y: (V(x, y) * u.x).x, conditions=[kp.Dirichlet(0, on=square.boundary)])
