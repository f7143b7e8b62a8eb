"""Residuals, their Jacobian and gradient against autograd of residuals written down again in plain torch."""

import math

import numpy as np
import pytest
import torch

from kanpde.bases import BSpline, Chebyshev, Fourier
from kanpde.conditions import Condition, Dirichlet, Initial
from kanpde.domains import Box
from kanpde.fields import laplacian
from kanpde.functions import exp, log, pi, sin, sqrt
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.objective import Objective, demand, outputs
from kanpde.problem import Problem
from kanpde.separable import SeparableKAN
from kanpde.wrapped import Wrapped

square = Box(x=(-1, 1), y=(0, 3))
strip = Box(x=(-2, 1), t=(0, 0.5))


# ---- the same residuals twice: by kanpde, and in plain torch as functions of (network, parameters, points) ----


def network_values(network, parameters, points):
    """The module's forward, with other parameters."""
    names = [name for name, _ in network.named_parameters()]
    return torch.func.functional_call(network, dict(zip(names, parameters, strict=True)), (points,))


def derivative(value, points, *axes):
    for axis in axes:
        value = torch.autograd.grad(value.sum(), points, create_graph=True)[0][:, axis]
    return value


def nonlinear(u, x, y):
    return laplacian(u) + u * u.x + exp(u) * sin(pi * x) - u.xy**2 / 3 + y


def nonlinear_plain(n, p):
    (u,) = n(p)
    x, y = p.T
    return [
        derivative(u, p, 0, 0)
        + derivative(u, p, 1, 1)
        + u * derivative(u, p, 0)
        + torch.exp(u) * torch.sin(math.pi * x)
        - derivative(u, p, 0, 1) ** 2 / 3
        + y
    ]


def stokes(u, v, p, nu):
    return (u * u.x + v * u.y + p.x - nu * laplacian(u), u * v.x + v * v.y + p.y - nu * laplacian(v), u.x + v.y)


def stokes_plain(n, p):
    u, v, q = n(p)
    return [
        u * derivative(u, p, 0) + v * derivative(u, p, 1) + derivative(q, p, 0) - 0.7 * (derivative(u, p, 0, 0) + derivative(u, p, 1, 1)),
        u * derivative(v, p, 0) + v * derivative(v, p, 1) + derivative(q, p, 1) - 0.7 * (derivative(v, p, 0, 0) + derivative(v, p, 1, 1)),
        derivative(u, p, 0) + derivative(v, p, 1),
    ]


def bare(values):
    return list(values.unbind(1))


def stokes_hard(values, p):
    """u = (3 - y)/3 * ... : hard u = x^2 on y = 0, free elsewhere; v hard 0 on x = +-1."""
    x, y = p.T
    u, v, q = values.unbind(1)
    return [x**2 + y / 1.5 * u, (x + 1) * (1 - x) * v, q]


def burgers(u, nu):
    return u.t + u * u.x - nu * u.xx


def burgers_plain(n, p):
    (u,) = n(p)
    return [derivative(u, p, 1) + u * derivative(u, p, 0) - 0.01 / math.pi * derivative(u, p, 0, 0)]


def burgers_hard(values, p):
    """u(-2, t) = u(1, t) = t and u(x, 0) = (x + 2)(x - 1), linear blending in x and then in t."""
    x, t = p.T
    start = (x + 2) * (x - 1)
    return [t + start - 0.0 * x + (x + 2) / 1.5 * (1 - x) / 1.5 * t / 0.5 * values[:, 0]]


def divergence(u, a, x):
    return (-(a * u.x).x - (a * u.y).y - x, a.x * u)


def divergence_plain(n, p):
    u, a = n(p)
    flux = [derivative(a * derivative(u, p, axis), p, axis) for axis in (0, 1)]
    return [-flux[0] - flux[1] - p[:, 0], derivative(a, p, 0) * u]


CASES = {
    "nonlinear": (
        Problem(
            square,
            nonlinear,
            conditions=[
                Dirichlet(lambda x: x, on=square.boundary, weight=3),
                Condition(lambda u, x: u.y * u - x, on=square.side(y=3)),
            ],
        ),
        KAN(2, 3, 1, basis=Chebyshev(4)),
        lambda values, p: bare(values),
        nonlinear_plain,
        [lambda n, p: [n(p)[0] - p[:, 0]], lambda n, p: [derivative(n(p)[0], p, 1) * n(p)[0] - p[:, 0]]],
    ),
    "product nodes": (
        Problem(square, nonlinear),
        KAN(2, (1, 2), 1, basis=BSpline(5, 3)),
        lambda values, p: bare(values),
        nonlinear_plain,
        [],
    ),
    "system": (
        Problem(
            square,
            stokes,
            parameters={"nu": 0.7},
            conditions=[
                Dirichlet(u=lambda x: x**2, on=square.side(y=0), hard=True),
                Dirichlet(v=0, on=square.side(x=-1) | square.side(x=1), hard=True),
                Dirichlet(u=1, v=lambda x: sin(x), on=square.side(y=3), weight=2.5),
                Condition(lambda p, v: (p * v, p.y), on=square.side(x=1)),
            ],
        ),
        KAN(2, 3, 3, basis=Chebyshev(4)),
        stokes_hard,
        stokes_plain,
        [
            lambda n, p: [n(p)[0] - 1, n(p)[1] - torch.sin(p[:, 0])],
            lambda n, p: [n(p)[2] * n(p)[1], derivative(n(p)[2], p, 1)],
        ],
    ),
    "space and time": (
        Problem(
            strip,
            burgers,
            parameters={"nu": 0.01 / pi},
            conditions=[Initial(lambda x: (x + 2) * (x - 1), hard=True), Dirichlet(lambda t: t, on=strip.boundary, hard=True)],
        ),
        KAN(2, 3, 2, 1, basis=Chebyshev(3)),
        burgers_hard,
        burgers_plain,
        [],
    ),
    "divergence form": (
        Problem(square, divergence, unknowns=("u", "a"), conditions=[Dirichlet(a=2, on=square.boundary)]),
        MLP(2, 5, 2),
        lambda values, p: bare(values),
        divergence_plain,
        [lambda n, p: [n(p)[1] - 2]],
    ),
}
each_case = pytest.mark.parametrize("name", CASES)


def setting(name, interior=11, per_side=3, **options):
    problem, model, *_ = CASES[name]
    network = model.remade(seed=2).on_box(problem.domain.lower, problem.domain.upper)
    points = {"equation": problem.domain.sample(interior, lambda u: 2 * u - 1, 0)}
    for condition in problem.soft:
        points[condition.name] = condition.on.sample(per_side, lambda u: 2 * u - 1, 0)
    points = {key: torch.from_numpy(each) for key, each in points.items()}
    return problem, network, points, Objective(problem, points, **options)


def plain_residual(name, network, points, parameters):
    """The scaled residual vector, differentiable in ``parameters``."""
    problem, _, built_in, equation, conditions = CASES[name]
    residuals = [(equation, points["equation"], 1.0)]
    residuals += [(function, points[c.name], c.weight) for function, c in zip(conditions, problem.soft, strict=True)]
    parts = []
    for function, where, weight in residuals:
        p = where.clone().requires_grad_()

        def unknowns(p):
            return built_in(network_values(network, parameters, p), p)

        for component in function(unknowns, p):
            parts.append(math.sqrt(weight / len(where)) * component)
    return torch.cat(parts)


def plain_jacobian(name, network, points):
    parameters = [parameter.detach().clone().requires_grad_() for parameter in network.parameters()]
    residual = plain_residual(name, network, points, parameters)
    rows = []
    for each in residual:
        grads = torch.autograd.grad(each, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([grad.flatten() for grad in grads]))
    return residual.detach(), torch.stack(rows)


def assert_close(got, wanted, tolerance=1e-11):
    assert got.shape == wanted.shape
    assert float((got - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


@each_case
def test_residual_and_jacobian_are_those_of_autograd(name):
    _, network, points, objective = setting(name)
    residual, jacobian = objective.jacobian(network)
    wanted, plain = plain_jacobian(name, network, points)
    assert objective.size == len(wanted)
    assert_close(residual, wanted)
    assert_close(objective.residual(network), wanted)
    assert_close(jacobian, plain)
    scale = plain.abs().max(1, keepdim=True).values.clamp(min=1e-8)
    assert_close(jacobian / scale, plain / scale, 1e-10)


@each_case
def test_gradient_is_that_of_the_loss(name):
    _, network, points, objective = setting(name)
    residual, gradient = objective.gradient(network)
    parameters = [parameter.detach().clone().requires_grad_() for parameter in network.parameters()]
    plain = plain_residual(name, network, points, parameters)
    grads = torch.autograd.grad(0.5 * plain @ plain, parameters, allow_unused=True, materialize_grads=True)
    assert_close(residual, plain.detach())
    assert_close(gradient, torch.cat([grad.flatten() for grad in grads]))
    residual, jacobian = objective.jacobian(network)
    assert_close(gradient, jacobian.T @ residual, 1e-12)


def test_jacobian_is_jacrev_of_the_residual():
    """The same with torch.func, for an equation without derivatives, which needs no nested autograd."""
    problem = Problem(square, lambda u, v, x: (u * v - x, sin(u) + v**3))
    network = KAN(2, (1, 1), 2, basis=Chebyshev(3)).on_box(square.lower, square.upper)
    points = torch.from_numpy(square.sample(9, lambda u: 2 * u - 1, 0))

    def residual(*parameters):
        u, v = network_values(network, parameters, points).unbind(1)
        return torch.cat([u * v - points[:, 0], torch.sin(u) + v**3]) / 3

    parameters = tuple(parameter.detach() for parameter in network.parameters())
    wanted = torch.func.jacrev(residual, argnums=tuple(range(len(parameters))))(*parameters)
    found, jacobian = Objective(problem, {"equation": points}).jacobian(network)
    assert_close(found, residual(*parameters))
    assert_close(jacobian, torch.cat([part.flatten(1) for part in wanted], 1))


@each_case
@pytest.mark.parametrize("chunk", [1, 2, 5, 11, 1000])
def test_chunks_do_not_matter(name, chunk):
    _, network, _, whole = setting(name)
    _, _, _, parts = setting(name, chunk=chunk)
    assert_close(parts.residual(network), whole.residual(network), 1e-13)
    for once, again in zip(whole.jacobian(network), parts.jacobian(network), strict=True):
        assert_close(again, once, 1e-13)
    for once, again in zip(whole.gradient(network), parts.gradient(network), strict=True):
        assert_close(again, once, 1e-12)


@each_case
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("chunk", [4, 1000])
def test_parts_of_the_jacobian(name, chunk, keep):
    _, network, _, objective = setting(name, chunk=chunk)
    residual, jacobian = objective.jacobian(network)
    for _ in range(2):  # memory is used again
        parts = []
        for place, value, rows in objective.linearised(network, keep=keep):
            assert rows.shape == (network.parameter_count, len(value))
            assert torch.equal(rows.T, jacobian[place])
            assert torch.equal(value, residual[place])
            parts.append((place, rows))
        assert sorted(number for place, _ in parts for number in range(objective.size)[place]) == list(range(objective.size))
        if keep:  # all parts are still what they were
            assert all(torch.equal(rows.T, jacobian[place]) for place, rows in parts)


@each_case
def test_many_calls_give_the_same_as_the_first(name):
    """Memory is used again; nothing may be left in it of other parameters."""
    _, network, _, objective = setting(name)
    start = network.vector()
    first = [each.clone() for each in (objective.residual(network), *objective.jacobian(network), *objective.gradient(network))]
    network.assign(2 * start + 1)
    for each in (objective.jacobian, objective.gradient, objective.residual):
        each(network)
    network.assign(start)
    again = (objective.residual(network), *objective.jacobian(network), *objective.gradient(network))
    for once, each in zip(first, again, strict=True):
        assert torch.equal(once, each)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("method", ["jacobian", "gradient"])
def test_derivatives_under_no_grad(method):
    _, network, _, objective = setting("nonlinear")
    wanted = getattr(objective, method)(network)[1].clone()
    with torch.no_grad():
        found = getattr(objective, method)(network)[1]
    assert torch.equal(found, wanted)


# ---- losses ----


def test_losses_are_weighted_mean_squares_by_block():
    problem, network, points, objective = setting("system")
    values = outputs(problem, network, points["dirichlet_3"])
    u, v = values["u"][()].numpy(), values["v"][()].numpy()
    x = points["dirichlet_3"][:, 0].numpy()
    losses = objective.losses(objective.residual(network))
    assert list(losses) == ["equation", "dirichlet_3", "condition"]
    assert losses["dirichlet_3"] == pytest.approx(2.5 * (np.mean((u - 1) ** 2) + np.mean((v - np.sin(x)) ** 2)), rel=1e-12)
    residual = objective.residual(network)
    assert sum(losses.values()) == pytest.approx(float(residual @ residual), rel=1e-13)


def test_constant_residuals_and_parts():
    """Components that do not depend on the network, or are plain numbers."""
    problem = Problem(square, lambda u, x: (u, x, 3, pi, u.value * 0 + 2))
    network = KAN(2, 2, 1, basis=Chebyshev(2)).on_box(square.lower, square.upper)
    points = torch.from_numpy(square.sample(4, lambda u: 2 * u - 1, 0))
    residual, jacobian = Objective(problem, {"equation": points}).jacobian(network)
    parts = 2 * residual.view(5, 4)
    np.testing.assert_allclose(parts[1].numpy(), points[:, 0].numpy())
    np.testing.assert_allclose(parts[2:].numpy(), np.array([[3.0], [math.pi], [2.0]]) * np.ones(4))
    assert float(jacobian[4:].abs().max()) == 0
    assert float(jacobian[:4].abs().max()) > 0


# ---- what an equation reads ----


def test_demand_is_what_is_read():
    problem = Problem(strip, lambda u, x: u.t + u * u.x - u.xx)
    chosen, components = demand(problem, problem.residuals)
    assert set(chosen.indices) == {(), (0,), (1,), (0, 0)}
    assert components == 1
    assert demand(problem, lambda known: (known["u"], known["u"].xt))[1] == 2
    assert set(demand(problem, lambda known: (known["u"],))[0].indices) == {()}
    hard = Problem(strip, lambda u: u.xx, conditions=[Dirichlet(0, on=strip.boundary, hard=True)])
    assert set(demand(hard, hard.residuals)[0].indices) == {(), (0,), (0, 0)}


def test_outputs_by_unknown_and_derivative():
    problem, network, points, _ = setting("system")
    found = outputs(problem, network, points["equation"], [(), (0,), (0, 1)], chunk=4)
    p = points["equation"].clone().requires_grad_()
    wanted = stokes_hard(network(p), p)
    for name, value in zip(("u", "v", "p"), wanted, strict=True):
        for alpha in [(), (0,), (0, 1)]:
            assert_close(found[name][alpha], derivative(value, p, *alpha).detach())


# ---- residuals that are not finite ----


def test_points_where_the_equation_is_not_finite_are_named():
    problem = Problem(square, lambda u, x: (u.xx, u + log(x - 0.5)), conditions=[Dirichlet(0, on=square.boundary)])
    network = KAN(2, 2, 1, basis=Chebyshev(2)).on_box(square.lower, square.upper)
    points = torch.tensor([[0.75, 1.0], [0.25, 2.0], [0.5, 2.5]]).double()
    objective = Objective(problem, {"equation": points, "dirichlet": points[:1]})
    with pytest.raises(ValueError, match=r"residual of 'equation' \(component 2 of 2\) is nan at x=0.25, y=2, one of 2 such points of 6"):
        objective.check_finite(network)
    fine = Objective(problem, {"equation": points[:1], "dirichlet": points[:1]})
    fine.check_finite(network)


def test_conditions_that_are_not_finite_are_named():
    problem = Problem(square, lambda u: u.xx, conditions=[Dirichlet(lambda x: 1 / sqrt(x), on=square.side(y=3), name="lid")])
    network = KAN(2, 2, 1, basis=Chebyshev(2)).on_box(square.lower, square.upper)
    points = torch.tensor([[0.5, 3.0], [0.0, 3.0]]).double()
    with pytest.raises(ValueError, match=r"residual of 'lid' \(component 1 of 1\) is -inf at x=0, y=3"):
        Objective(problem, {"equation": points, "lid": points}, chunk=1).check_finite(network)


def test_float32_objective():
    problem, model, *_ = CASES["nonlinear"]
    _, network, points, objective = setting("nonlinear")
    single = model.remade(seed=2, dtype=torch.float32).on_box(square.lower, square.upper)
    small = Objective(problem, {key: each.float() for key, each in points.items()})
    residual, jacobian = small.jacobian(single)
    assert residual.dtype == jacobian.dtype == torch.float32
    wanted = objective.jacobian(network)
    assert_close(residual.double(), wanted[0], 1e-3)
    assert_close(jacobian.double(), wanted[1], 1e-3)


@pytest.mark.parametrize(
    "network",
    [
        KAN(3, 4, (2, 2), 1, basis=Chebyshev(5)),
        KAN(3, 2, 1, basis=BSpline(5, 3)),
        KAN(3, 1, basis=Fourier(2)),
        MLP(3, 5, 4, 1),
        SeparableKAN(3, 1, rank=2, basis=Chebyshev(4)),
        Wrapped(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)), inputs=3, outputs=1),
    ],
    ids=lambda network: type(network).__name__,
)
@pytest.mark.parametrize("hard", [False, True])
def test_a_collapsed_laplacian_is_the_sum_of_its_terms(network, hard):
    box = Box(x=(-1, 1), y=(0, 3), z=(0, 1))
    conditions = [Dirichlet(lambda y: y**2, on=box.boundary, hard=True)] if hard else []
    collapsed = Problem(box, lambda u, x: u * laplacian(u) + u.xx * u.x + x, conditions=conditions)
    apart = Problem(box, lambda u, x: u * (u.xx + u.x * 0 + u.yy + u.z * 0 + u.zz) + u.xx * u.x + x, conditions=conditions)
    points = torch.from_numpy(box.sample(7, lambda s: 2 * s - 1, 0))
    network = network.on_box(box.lower, box.upper)
    objectives = [Objective(problem, {"equation": points}) for problem in (collapsed, apart)]
    assert [len(each.blocks[0].chosen) for each in objectives] == [6, 7]
    for one, other in zip(*(objective.jacobian(network) for objective in objectives), strict=True):
        assert torch.allclose(one, other, rtol=1e-11, atol=1e-11 * float(other.abs().max()))
    one, other = (objective.gradient(network)[1] for objective in objectives)
    assert torch.allclose(one, other, rtol=1e-11, atol=1e-11 * float(other.abs().max()))
