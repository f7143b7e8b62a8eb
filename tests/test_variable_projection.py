"""Variable projection against NumPy: the reduced problem, its linear part, and when it is only Levenberg-Marquardt."""

import io
import logging
import math

import numpy as np
import pytest
import torch

from kanpde import (
    KAN,
    MLP,
    Box,
    Chebyshev,
    Dirichlet,
    Integral,
    LevenbergMarquardt,
    Problem,
    Sampling,
    SeparableKAN,
    Unknown,
    VariableProjection,
)  # fmt: skip
from kanpde.fields import laplacian
from kanpde.functions import exp, pi, sin
from kanpde.objective import Objective
from kanpde.optimizers.linear_model import Free, LinearModel, linear_model
from kanpde.optimizers.variable_projection import is_linear

square = Box(x=(-1, 1), y=(-1, 1))
poisson = Problem(
    square,
    lambda u, x, y: laplacian(u) + 2 * pi**2 * sin(pi * x) * sin(pi * y),
    conditions=[Dirichlet(0, on=square.boundary, hard=True)],
)
composed = KAN(2, 2, 1, basis=Chebyshev(4))


def setting(problem=poisson, model=composed, interior=80, seed=0):
    network = model.remade(seed=seed).on_box(problem.domain.lower, problem.domain.upper)
    network.with_coefficients(list(problem.coefficients.values()))
    return network, Objective(problem, Sampling(interior=interior).points(problem, network, 0))


def descend(optimizer, objective, network, steps):
    descent, losses = optimizer.start(network), []
    for _ in range(steps):
        step = descent.advance(objective, network)
        losses.append(float(step.residual @ step.residual))
        assert torch.equal(step.residual, objective.residual(network))
        if step.stop is not None:
            break
    return losses, step


# ---- which parameters are linear ----


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (KAN(2, 3, 1, basis=Chebyshev(4)), 15),
        (KAN(2, 1, basis=Chebyshev(4)), 10),
        (KAN(2, (1, 2), 1, basis=Chebyshev(4)), 15),
        (KAN(2, 3, (0, 1), basis=Chebyshev(4)), 0),
        (MLP(2, 6, 1), 7),
        (SeparableKAN(2, 1, rank=3, basis=Chebyshev(4)), 15),
    ],
    ids=repr,
)
def test_the_outputs_are_linear_in_the_tail(model, count):
    network = model.with_coefficients([1.0])
    tail, start = network.linear_tail, network.vector()
    assert (tail.stop, tail.stop - tail.start) == (len(start) - 1, count)
    points, moved = torch.rand(20, 2, dtype=torch.float64), torch.zeros_like(start)
    moved[tail] = torch.linspace(-1, 1, count, dtype=torch.float64)
    values = []
    for times in (-1, 0, 1):
        network.assign(start + times * moved)
        values.append(network(points).detach())
    np.testing.assert_allclose(values[0] + values[2], 2 * values[1], atol=1e-12)


@pytest.mark.parametrize("model", [composed, MLP(2, 4, 1), SeparableKAN(2, 1, rank=3, basis=Chebyshev(4))], ids=repr)
def test_the_jacobian_of_a_tail_is_the_last_columns_of_the_whole(model):
    mean = Integral(lambda u: u, over=square, value=1, points=5)
    problem = Problem(square, lambda u, k: laplacian(u) + k * u, parameters={"k": Unknown(2.0)}, conditions=[mean])
    network, objective = setting(problem, model)
    tail = network.linear_tail
    whole = list(objective.linearised(network))
    for count in (tail.stop - tail.start, tail.stop - tail.start + 3, tail.stop):
        if count > tail.stop:
            continue
        for (place, value, rows), (where, same, part) in zip(whole, objective.linearised(network, tail=count), strict=True):
            assert place == where and torch.equal(value, same)
            np.testing.assert_allclose(part, rows[tail.stop - count : tail.stop], rtol=1e-12, atol=1e-12)


# ---- the projected step ----


@pytest.mark.parametrize("memory", [1e9, 1.0])
@pytest.mark.parametrize("ridge", [1e-1, 1e-5])
def test_the_step_is_that_with_two_dampings(memory, ridge):
    network, objective = setting()
    tail, damping = network.linear_tail, 1e-2
    model = linear_model(objective, network, memory, Free(tail, ridge))
    model.factorise()
    residual, jacobian = (each.numpy() for each in objective.jacobian(network))
    scaled = jacobian / model.scale.numpy()
    dampings = np.full(len(model.scale), damping)
    dampings[tail] = ridge
    both = np.concatenate([scaled, np.diag(np.sqrt(dampings))])
    vector = np.sin(np.arange(len(residual)))
    for wanted, found in ((residual, -model.step(damping)[0]), (vector, model.solve(torch.from_numpy(vector), damping))):
        wanted = np.linalg.lstsq(both, np.concatenate([wanted, 0 * dampings]), rcond=None)[0] / model.scale.numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9 * np.abs(wanted).max())
    step, predicted = model.step(damping)
    left = residual + jacobian @ step.numpy()
    kept = ridge * np.sum((step * model.scale)[tail].numpy() ** 2)  # counts as loss
    assert predicted == pytest.approx((residual @ residual - left @ left - kept) / 2, rel=1e-7)


def test_the_gradient_of_the_reduced_loss_is_exact_and_its_jacobian_kaufmans():
    """r(c(w), w) by a least-squares solve in NumPy: P J is its derivative but for the term Q dQ' r."""
    network, objective = setting(model=KAN(2, 1, 1, basis=Chebyshev(3)))
    tail = network.linear_tail

    def reduced(w):
        network.assign(torch.cat([w, network.vector()[tail]]))
        residual, jacobian = objective.jacobian(network)
        c = torch.linalg.lstsq(jacobian[:, tail], residual[:, None], driver="gelsd").solution[:, 0]
        network.assign(torch.cat([w, network.vector()[tail] - c]))
        return objective.residual(network)

    w = network.vector()[: tail.start]
    here, h = reduced(w), 1e-5
    slopes = torch.stack([(reduced(w + h * e) - reduced(w - h * e)) / (2 * h) for e in torch.eye(len(w), dtype=w.dtype)], 1)
    assert torch.allclose(reduced(w), here, rtol=1e-9)
    _, jacobian = objective.jacobian(network)
    q, _ = torch.linalg.qr(jacobian[:, tail])
    projected = jacobian[:, : tail.start] - q @ (q.T @ jacobian[:, : tail.start])
    scale = float(slopes.abs().max())
    np.testing.assert_allclose(slopes - q @ (q.T @ slopes), projected, atol=1e-6 * scale)  # Kaufman neglects a term in Q's range alone
    np.testing.assert_allclose(slopes.T @ here, projected.T @ here, atol=1e-6 * float((slopes.T @ here).abs().max()))
    model = linear_model(objective, network, 1e9, Free(tail, 0.0))
    model.factorise()
    scaled = projected / model.scale[: tail.start]
    np.testing.assert_allclose(model.singular, torch.linalg.svdvals(scaled), atol=1e-10)


def test_columns_of_no_rank_are_left_alone():
    random = np.random.default_rng(0)
    jacobian, residual = random.standard_normal((30, 6)), random.standard_normal(30)
    jacobian[:, 4], jacobian[:, 5] = jacobian[:, 3], 0
    model = LinearModel([(slice(0, 30), torch.from_numpy(residual), torch.from_numpy(jacobian.T.copy()))], 30, Free(slice(2, 6), 0.0))
    model.factorise()
    step = model.step(0.0)[0].numpy()
    np.testing.assert_allclose(step, -np.linalg.lstsq(jacobian, residual, rcond=None)[0], atol=1e-9)
    assert bool(model.solve(torch.from_numpy(residual), 1e-3).isfinite().all())


# ---- descents ----


@pytest.mark.parametrize("memory", [2e9, 1.0])
def test_one_layer_is_solved_in_one_step(memory):
    segment = Box(x=(0.5, 2))
    problem = Problem(
        segment,
        lambda u, x: u.xx + pi**2 * sin(pi * x),
        conditions=[Dirichlet(lambda x: sin(pi * x), on=segment.boundary, hard=True)],
    )
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(16)))
    losses, step = descend(VariableProjection(memory=memory), objective, network, 20)
    assert losses[0] < 1e-16
    assert step.stop == "the least-squares solution is reached to rounding"


@pytest.mark.parametrize("memory", [2e9, 1.0])
@pytest.mark.parametrize("model", [composed, MLP(2, 8, 1), SeparableKAN(2, 1, rank=2, basis=Chebyshev(8))], ids=repr)
def test_the_loss_never_rises(model, memory):
    network, objective = setting(model=model)
    before = float(objective.residual(network).square().sum())
    losses, _ = descend(VariableProjection(memory=memory), objective, network, 12)
    assert all(after <= earlier for earlier, after in zip([before, *losses], losses, strict=False))
    assert losses[-1] < 0.3 * before


def test_after_a_warm_up_it_is_far_ahead():
    first, objective = setting(model=KAN(2, 4, 1, basis=Chebyshev(6)), interior=300)
    descend(LevenbergMarquardt(), objective, first, 30)
    second = first.remade()
    second.assign(first.vector())
    damped, _ = descend(LevenbergMarquardt(), objective, first, 20)
    projected, _ = descend(VariableProjection(), objective, second, 20)
    assert projected[-1] < 0.3 * damped[-1]


def test_coefficients_are_not_linear():
    problem = Problem(square, lambda u, k, x: laplacian(u) + k * u + sin(pi * x), parameters={"k": Unknown(2.0)})
    network, objective = setting(problem)
    assert is_linear(objective, network)
    losses, _ = descend(VariableProjection(), objective, network, 10)
    assert losses[-1] < 1e-2 * losses[0]


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_restored_descent_goes_on_with_the_same_numbers(steps):
    (network, objective), (other, others) = setting(), setting()
    optimizer = VariableProjection()
    descent, resumed = optimizer.start(network), optimizer.start(other)
    for _ in range(steps):
        descent.advance(objective, network)
    stream = io.BytesIO()
    torch.save(descent.state(), stream)
    other.assign(network.vector())
    stream.seek(0)
    resumed.restore(torch.load(stream, weights_only=True))
    for _ in range(4):
        descent.advance(objective, network)
        resumed.advance(others, other)
    assert torch.equal(other.vector(), network.vector())


@pytest.mark.parametrize(
    ("problem", "model"),
    [(Problem(square, lambda u, x: laplacian(u) + exp(u) - x), composed), (poisson, KAN(2, 2, (0, 1), basis=Chebyshev(4)))],
    ids=["equation", "product nodes"],
)
def test_elsewhere_it_is_levenberg_marquardt_and_says_so_once(problem, model, caplog):
    (network, objective), (other, others) = setting(problem, model), setting(problem, model)
    with caplog.at_level(logging.INFO, logger="kanpde"):
        projected, _ = descend(VariableProjection(), objective, network, 4)
    assert caplog.text.count("not linear in the weights of a last layer") == 1
    damped, _ = descend(LevenbergMarquardt(), others, other, 4)
    assert projected == damped
    assert torch.equal(network.vector(), other.vector())


def test_is_linear_leaves_the_network_as_it_was():
    network, objective = setting()
    before = network.vector()
    assert is_linear(objective, network)
    assert torch.equal(network.vector(), before)


@pytest.mark.parametrize("name", ["damping", "probe", "memory", "share"])
@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf])
def test_bad_options(name, bad):
    with pytest.raises(ValueError, match=rf"VariableProjection\({name}=...\) must"):
        VariableProjection(**{name: bad})
