"""Optimizers against NumPy, SciPy and torch.optim, on problems of their own and on classical least squares."""

import io
import logging
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import torch

import kanpde.optimizers
from kanpde.bases import BSpline, Chebyshev
from kanpde.conditions import Dirichlet, Initial
from kanpde.domains import Box
from kanpde.editing import freeze, remove_edge
from kanpde.fields import laplacian
from kanpde.functions import cos, exp, log, pi, sin, sqrt
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.objective import Objective, outputs
from kanpde.optimizers import LBFGS, Adam, GaussNewton, LevenbergMarquardt, VariableProjection
from kanpde.optimizers.linear_model import LinearModel, StreamedModel, linear_model
from kanpde.problem import Problem
from kanpde.sampling import Sampling

segment = Box(x=(0.5, 2))
square = Box(x=(-1, 1), y=(0, 3))


def setting(problem, model, interior=60, per_side=20, seed=0, **options):
    network = model.remade(seed=seed).on_box(problem.domain.lower, problem.domain.upper)
    points = Sampling(interior=interior, per_side=per_side).points(problem, network, 0)
    return network, Objective(problem, points, **options)


def descend(optimizer, objective, network, steps):
    """Losses |r|^2 after every step, the last step, and the descent."""
    descent, losses = optimizer.start(network), []
    for _ in range(steps):
        step = descent.advance(objective, network)
        losses.append(float(step.residual @ step.residual))
        if step.stop is not None:
            break
    return losses, step, descent


def loss_of(objective, network):
    residual = objective.residual(network)
    return float(residual @ residual)


def curve():
    """A nonlinear curve fit, quick and with something left to do for every optimizer."""
    problem = Problem(segment, lambda u, x: u - sin(3 * x) * x)
    return setting(problem, KAN(1, 3, 1, basis=Chebyshev(4)), interior=40)


OPTIMIZERS = [LevenbergMarquardt(steps=5), Adam(steps=5, rate=1e-2), LBFGS(steps=5), GaussNewton(steps=5), VariableProjection(steps=5)]
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda each: type(each).__name__)


# ---- classical least squares without any network ----


class Parameters:
    """Plain numbers that can be optimised like a network."""

    trained_places = None  # all of them are trained

    def __init__(self, start):
        self.parameter = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def parameters(self):
        return iter([self.parameter])

    def vector(self):
        return self.parameter.detach().clone()

    def assign(self, vector):
        with torch.no_grad():
            self.parameter.copy_(vector)

    def moved(self, start, step):
        return start + step


class LeastSquares:
    """r(p) with derivatives by torch.func, in two parts."""

    own_loss = False

    def __init__(self, function):
        self.function = function

    @property
    def size(self):
        return len(self.function(torch.ones(4, dtype=torch.float64)))

    def residual(self, network):
        return self.function(network.vector())

    def linearised(self, network, *, tail=None):
        residual, jacobian = self.residual(network), torch.func.jacrev(self.function)(network.vector())
        for place in (slice(0, 1), slice(1, len(residual))):
            yield place, residual[place], jacobian[place].T.contiguous()

    def gradient(self, network, compiled=None):
        residual = self.residual(network)
        return residual, torch.func.jacrev(self.function)(network.vector()).T @ residual


def rosenbrock(p):
    return torch.stack([10 * (p[1] - p[0] ** 2), 1 - p[0], p[2] - p[1], 2 * p[3]])


def powell(p):
    return torch.stack([p[0] + 10 * p[1], math.sqrt(5) * (p[2] - p[3]), (p[1] - 2 * p[2]) ** 2, math.sqrt(10) * (p[0] - p[3]) ** 2])


TIMES = torch.linspace(0, 2, 15, dtype=torch.float64)


def decay(p):
    """Two exponentials in noise: least squares with a residual that stays."""
    noise = 0.05 * torch.sin(37 * torch.arange(15, dtype=torch.float64) ** 2)
    return p[0] * torch.exp(-p[1] * TIMES) + p[2] * torch.exp(-p[3] * TIMES) - (2 * torch.exp(-TIMES) + torch.exp(-5 * TIMES) + noise)


@pytest.mark.parametrize(
    ("function", "start"),
    [(rosenbrock, [-1.2, 1.0, 0.0, 3.0]), (powell, [3.0, -1.0, 0.0, 1.0]), (decay, [1.0, 0.5, 1.0, 3.0])],
    ids=["Rosenbrock", "Powell", "exponentials"],
)
def test_levenberg_marquardt_finds_the_minima_of_scipy(function, start):
    network = Parameters(start)
    losses, _, _ = descend(LevenbergMarquardt(), LeastSquares(function), network, 60)
    wanted = scipy.optimize.least_squares(lambda p: function(torch.from_numpy(p)).numpy(), start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert losses[-1] <= 2 * wanted.cost + 1e-14
    assert all(after <= before for before, after in zip(losses, losses[1:], strict=False))
    if function is not powell:
        np.testing.assert_allclose(network.vector().numpy(), wanted.x, atol=2e-5)


@pytest.mark.parametrize(("n", "p"), [(30, 7), (7, 7), (5, 9)])
@pytest.mark.parametrize("damping", [1e-8, 1e-2, 10.0])
def test_the_damped_step_is_that_of_the_normal_equations(n, p, damping):
    random = np.random.default_rng(0)
    jacobian, residual = random.standard_normal((n, p)) * 10.0 ** random.uniform(-2, 2, p), random.standard_normal(n)
    jacobian[:, 3] = 0  # a parameter without influence
    parts = [(slice(a, b), torch.from_numpy(residual[a:b]), torch.from_numpy(jacobian[a:b].T.copy())) for a, b in ((0, 2), (2, n))]
    model = LinearModel(parts, n)
    model.factorise()
    step, predicted = model.step(damping)
    scale = np.where((norms := np.linalg.norm(jacobian, axis=0)) > 0, norms, 1)
    scaled = jacobian / scale
    # ridge regression as an augmented least-squares problem, which keeps all digits
    both = np.concatenate([scaled, math.sqrt(damping) * np.eye(p)])
    wanted = np.linalg.lstsq(both, -np.concatenate([residual, np.zeros(p)]), rcond=None)[0] / scale
    np.testing.assert_allclose(step.numpy(), wanted, rtol=1e-6, atol=2e-8 * np.abs(wanted).max())
    np.testing.assert_allclose(model.only_step(damping)[0].numpy(), wanted, rtol=1e-6, atol=2e-8 * np.abs(wanted).max())
    assert model.only_step(damping)[1] == pytest.approx(predicted, rel=1e-6)
    left = residual + jacobian @ step.numpy()
    assert predicted == pytest.approx((residual @ residual - left @ left) / 2, rel=1e-6)
    vector = random.standard_normal(n)
    wanted = np.linalg.lstsq(both, np.concatenate([vector, np.zeros(p)]), rcond=None)[0] / scale
    np.testing.assert_allclose(model.solve(torch.from_numpy(vector), damping).numpy(), wanted, rtol=1e-6, atol=1e-8 * np.abs(wanted).max())
    np.testing.assert_allclose(model.times(step).numpy(), jacobian @ step.numpy(), rtol=1e-10, atol=1e-12)
    assert float(model.length(step)) == pytest.approx(np.linalg.norm(scale * step.numpy()))


@pytest.mark.parametrize("function", [rosenbrock, decay], ids=["Rosenbrock", "exponentials"])
@pytest.mark.parametrize("probe", [0.1, 0.5])
def test_the_step_bends_by_the_second_derivative(function, probe):
    """v + a with a = -1/2 (J'J + damping D^2)^-1 J' r_vv and r_vv from differences, all once more in NumPy."""
    start, network = np.array([0.3, 0.4, 0.5, 0.6]), Parameters([0.3, 0.4, 0.5, 0.6])
    step = LevenbergMarquardt(damping=0.1, probe=probe).start(network).advance(LeastSquares(function), network)

    def residual(p):
        return function(torch.from_numpy(p)).numpy()

    jacobian = torch.func.jacrev(function)(torch.from_numpy(start)).numpy()
    scale = np.linalg.norm(jacobian, axis=0)
    damped = jacobian.T @ jacobian + step.damping * np.diag(scale**2)
    velocity = -np.linalg.solve(damped, jacobian.T @ residual(start))
    bend = 2 / probe * ((residual(start + probe * velocity) - residual(start)) / probe - jacobian @ velocity)
    acceleration = -0.5 * np.linalg.solve(damped, jacobian.T @ bend)
    assert np.linalg.norm(acceleration) > 1e-3 * np.linalg.norm(velocity)  # it can be told from the straight step
    if np.linalg.norm(scale * acceleration) >= np.linalg.norm(scale * velocity):
        acceleration *= 0
    np.testing.assert_allclose(network.vector().numpy(), start + velocity + acceleration, rtol=1e-8)


@pytest.mark.parametrize("function", [rosenbrock, decay], ids=["Rosenbrock", "exponentials"])
def test_the_step_without_acceleration_is_straight(function):
    start, network = np.array([0.3, 0.4, 0.5, 0.6]), Parameters([0.3, 0.4, 0.5, 0.6])
    step = LevenbergMarquardt(damping=0.1, acceleration=False).start(network).advance(LeastSquares(function), network)
    jacobian = torch.func.jacrev(function)(torch.from_numpy(start)).numpy()
    damped = jacobian.T @ jacobian + step.damping * np.diag((jacobian**2).sum(0))
    velocity = -np.linalg.solve(damped, jacobian.T @ function(torch.from_numpy(start)).numpy())
    np.testing.assert_allclose(network.vector().numpy(), start + velocity, rtol=1e-8)


# ---- differential equations ----


def test_levenberg_marquardt_solves_a_linear_problem_in_a_few_steps():
    """Poisson in one dimension is linear in the coefficients of one layer."""
    problem = Problem(
        segment,
        lambda u, x: laplacian(u) + pi**2 * sin(pi * x),
        conditions=[Dirichlet(lambda x: sin(pi * x), on=segment.boundary, hard=True)],
    )
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(16)))
    losses, _, _ = descend(LevenbergMarquardt(), objective, network, 8)
    assert losses[-1] < 1e-18
    x = torch.linspace(0.5, 2, 101).double()[:, None]
    error = outputs(problem, network, x)["u"][()].numpy() - np.sin(np.pi * x[:, 0].numpy())
    assert np.abs(error).max() < 1e-9


def test_levenberg_marquardt_solves_poisson_on_a_square_with_soft_conditions():
    def exact(x, y):
        return sin(2 * x) + exp(y / 2) + x * 3

    problem = Problem(
        square, lambda u, x, y: laplacian(u) + 4 * sin(2 * x) - exp(y / 2) / 4, conditions=[Dirichlet(exact, on=square.boundary)]
    )
    network, objective = setting(problem, KAN(2, 1, basis=Chebyshev(16)), interior=150, per_side=25)
    losses, _, _ = descend(LevenbergMarquardt(), objective, network, 10)
    assert losses[-1] < 1e-18
    points = torch.from_numpy(square.sample(200, lambda u: 2 * u - 1, 5))
    error = outputs(problem, network, points)["u"][()].numpy() - exact(*points.numpy().T)
    assert np.abs(error).max() < 1e-8


def test_levenberg_marquardt_solves_a_nonlinear_boundary_value_problem():
    """Bratu: u'' + exp(u) = 0, whose solution is 2 log(cosh(a) / cosh(a (1 - 2 x))) with cosh(a) = 4 a / sqrt(2)."""
    box = Box(x=(0, 1))
    problem = Problem(box, lambda u: u.xx + exp(u), conditions=[Dirichlet(0, on=box.boundary, hard=True)])
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(14)))
    network.assign(0.1 * network.vector())
    losses, _, _ = descend(LevenbergMarquardt(), objective, network, 25)
    assert losses[-1] < 1e-18
    a = scipy.optimize.brentq(lambda a: math.cosh(a) - 4 * a / math.sqrt(2), 0.1, 1, xtol=1e-15)
    x = np.linspace(0, 1, 51)
    found = outputs(problem, network, torch.from_numpy(x)[:, None])["u"][()].numpy()
    np.testing.assert_allclose(found, 2 * np.log(np.cosh(a) / np.cosh(a * (1 - 2 * x))), atol=1e-9)


def test_levenberg_marquardt_solves_a_nonlinear_system_in_time():
    """Van der Pol's oscillator against scipy.integrate.solve_ivp."""
    time = Box(t=(0, 2))
    problem = Problem(
        time, lambda u, v: (u.t - v, v.t - (1 - u**2) * v + u), unknowns=("u", "v"), conditions=[Initial(u=1, v=-0.5, hard=True)]
    )
    network, objective = setting(problem, KAN(1, 2, basis=Chebyshev(30)), interior=100)
    network.assign(0.1 * network.vector())
    losses, _, _ = descend(LevenbergMarquardt(), objective, network, 30)
    assert losses[-1] < 1e-16
    t = np.linspace(0, 2, 41)
    wanted = scipy.integrate.solve_ivp(
        lambda t, y: [y[1], (1 - y[0] ** 2) * y[1] - y[0]], (0, 2), [1, -0.5], method="DOP853", t_eval=t, rtol=1e-12, atol=1e-13
    ).y
    found = outputs(problem, network, torch.from_numpy(t)[:, None])
    np.testing.assert_allclose(found["u"][()], wanted[0], atol=1e-8)
    np.testing.assert_allclose(found["v"][()], wanted[1], atol=1e-8)


def test_levenberg_marquardt_trains_two_layers():
    box = Box(x=(-1, 1))
    problem = Problem(box, lambda u, x: u.x + u * cos(x) - cos(x), conditions=[Dirichlet(2, on=box.side(x=-1), hard=True)])
    network, objective = setting(problem, KAN(1, 4, 1, basis=Chebyshev(6)), interior=80)
    descend(LevenbergMarquardt(), objective, network, 60)
    x = np.linspace(-1, 1, 51)
    found = outputs(problem, network, torch.from_numpy(x)[:, None])["u"][()].numpy()
    np.testing.assert_allclose(found, 1 + np.exp(-np.sin(x) + np.sin(-1.0)), atol=2e-5)


# ---- trouble ----


def test_levenberg_marquardt_rejects_trials_that_are_not_finite(caplog):
    """log(u) = -2 from u = 5: the full step goes to negative u."""
    problem = Problem(segment, lambda u: log(u) + 2)
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(1)), interior=5)
    network.assign(torch.tensor([5.0, 0.0]))
    with caplog.at_level(logging.WARNING, "kanpde"):
        descent = LevenbergMarquardt(damping=1e-9).start(network)
        assert descent.state() == {"damping": 1e-9, "target": 0.1, "fast": True}
        losses = []
        for number in range(30):
            step = descent.advance(objective, network)
            losses.append(float(step.residual @ step.residual))
            if number == 0:  # the damping was raised, and more is asked for from then on
                assert descent.state() == {"damping": step.damping, "target": 0.25, "fast": False}
                assert step.damping > 1e-9
            if step.stop is not None:
                break
    assert "non-finite residual and was rejected" in caplog.text
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < 1e-20
    np.testing.assert_allclose(network(torch.tensor([[1.0]]).double()).detach(), math.exp(-2), rtol=1e-8)


def test_levenberg_marquardt_says_that_it_can_do_no_more():
    network, objective = curve()
    losses, step, _ = descend(LevenbergMarquardt(), objective, network, 300)
    problem = Problem(segment, lambda u: (u - 1, u + 1))  # the best is u = 0, and a residual stays
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(2)))
    losses, step, _ = descend(LevenbergMarquardt(), objective, network, 60)
    assert step.stop == "no damping lowers the loss any further"
    assert losses[-1] == pytest.approx(2, rel=1e-12)
    before = network.vector()
    step = LevenbergMarquardt().start(network).advance(objective, network)
    assert step.stop is not None
    assert torch.equal(network.vector(), before)
    assert torch.equal(step.residual, objective.residual(network))


def test_levenberg_marquardt_stops_where_the_jacobian_is_not_finite():
    problem = Problem(segment, lambda u: (u**2) ** 0.5)
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(1)))
    network.assign(torch.zeros(2))
    step = LevenbergMarquardt().start(network).advance(objective, network)
    assert "Jacobian is not finite" in step.stop
    assert float(network.vector().abs().max()) == 0


@each_optimizer
def test_step_reports_the_residual_where_it_says(optimizer):
    """LM and L-BFGS: after the step; Adam: before it."""
    network, objective = curve()
    descent = optimizer.start(network)
    for _ in range(3):
        before = objective.residual(network)
        step = descent.advance(objective, network)
        assert torch.equal(step.residual, before if isinstance(optimizer, Adam) else objective.residual(network))
        kept = step.residual.clone()
        objective.jacobian(network)
        assert torch.equal(step.residual, kept)  # not memory that is overwritten


# ---- the baselines ----


@pytest.mark.parametrize("model", [KAN(1, 3, 1, basis=Chebyshev(4)), MLP(1, 6, 1)], ids=repr)
def test_adam_is_that_of_torch(model):
    network, objective = setting(Problem(segment, lambda u, x: u - sin(3 * x) * x), model, interior=40)
    plain = network.remade()
    points = objective.blocks[0].points
    torchs = torch.optim.Adam(plain.parameters(), lr=1e-2)
    descent = Adam(rate=1e-2).start(network)
    for _ in range(20):
        descent.advance(objective, network)
        torchs.zero_grad()
        residual = plain(points)[:, 0] - torch.sin(3 * points[:, 0]) * points[:, 0]
        (0.5 * residual.square().mean()).backward()
        torchs.step()
    np.testing.assert_allclose(network.vector(), plain.vector(), rtol=1e-8, atol=1e-10)


def test_the_rate_falls_along_a_cosine():
    network, objective = curve()
    descent = Adam(rate=1e-2, last=1e-3).start(network)
    rates = []
    for done in (0.0, 1 / 3, 0.5, 2 / 3, 1.0):
        descent.pace(done)
        rates.append(descent.advance(objective, network).damping)
    np.testing.assert_allclose(rates, [1e-2, 7.75e-3, 5.5e-3, 3.25e-3, 1e-3])
    steady = Adam(rate=1e-2).start(network)
    steady.pace(0.9)
    assert steady.advance(objective, network).damping == 1e-2


@pytest.mark.parametrize("bad", [-1e-3, 2e-2, math.nan])
def test_a_last_rate_beyond_the_first(bad):
    with pytest.raises(ValueError, match=r"Adam\(last=...\) is the rate at the end, from 0 to rate=0.01, got"):
        Adam(rate=1e-2, last=bad)


def test_adam_lowers_the_loss():
    network, objective = curve()
    before = loss_of(objective, network)
    descend(Adam(rate=3e-2), objective, network, 300)
    assert loss_of(objective, network) < 0.02 * before


def test_adam_stops_at_gradients_that_are_not_finite():
    network, objective = setting(Problem(segment, lambda u: log(u)), KAN(1, 1, basis=Chebyshev(1)))
    network.assign(torch.tensor([-1.0, 0.0]))
    step = Adam().start(network).advance(objective, network)
    assert "gradient is not finite" in step.stop
    assert network.vector().tolist() == [-1.0, 0.0]


def test_lbfgs_solves_linear_least_squares():
    network, objective = setting(Problem(segment, lambda u, x: u - exp(x)), KAN(1, 1, basis=Chebyshev(5)))
    descend(LBFGS(), objective, network, 100)
    points = objective.blocks[0].points[:, 0].numpy()
    z = 2 * (points - 0.5) / 1.5 - 1
    wanted = np.linalg.lstsq(np.polynomial.chebyshev.chebvander(z, 5), np.exp(points), rcond=None)[0]
    np.testing.assert_allclose(network.vector(), wanted, atol=1e-6)


def test_lbfgs_lowers_the_loss_in_every_step_and_says_why_it_stops():
    problem = Problem(segment, lambda u, x: (u - x, u + x))
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(3)))
    losses, step, _ = descend(LBFGS(), objective, network, 500)
    assert all(after < before for before, after in zip(losses[:-1], losses[1:-1], strict=False))
    assert "L-BFGS cannot lower the loss" in step.stop
    best = network.vector()
    assert float(best.abs().max()) < 1e-6  # u = 0
    assert torch.equal(step.residual, objective.residual(network))
    again = LBFGS().start(network).advance(objective, network)
    if again.stop is not None:
        assert torch.equal(network.vector(), best)


def test_lbfgs_goes_back_and_starts_again_where_a_step_fails():
    """Lied to in its first attempt, it goes uphill: nothing may be left of that, neither in the parameters nor in the memory."""
    start = [0.3, 0.4, 0.5, 0.6]

    class Misled(LeastSquares):
        honest, starts, calls = False, 0, 0

        def gradient(self, network, compiled=None):
            residual, gradient = super().gradient(network, compiled)
            self.starts += network.vector().tolist() == start
            self.calls += 1
            return (residual, gradient) if self.honest or self.starts > 1 else (residual * 0.5**self.calls, -gradient)

    straight, misled = Parameters(start), Parameters(start)
    plain, liar = Misled(rosenbrock), Misled(rosenbrock)
    plain.honest = True
    one, other = LBFGS().start(straight), LBFGS().start(misled)
    for _ in range(3):
        assert one.advance(plain, straight).stop is None
        assert other.advance(liar, misled).stop is None
        assert torch.equal(misled.vector(), straight.vector())
    assert liar.starts == 2


def test_lbfgs_gives_up_where_even_the_gradient_does_not_help():
    class Uphill(LeastSquares):
        def gradient(self, network, compiled=None):
            residual, gradient = super().gradient(network, compiled)
            return residual, -gradient

    network = Parameters([0.3, 0.4, 0.5, 0.6])
    step = LBFGS().start(network).advance(Uphill(rosenbrock), network)
    assert "cannot lower the loss" in step.stop
    assert network.vector().tolist() == [0.3, 0.4, 0.5, 0.6]
    assert torch.equal(step.residual, rosenbrock(network.vector()))


def test_lbfgs_undoes_steps_that_are_not_finite():
    problem = Problem(segment, lambda u: log(u) + 2)
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(1)), interior=5)
    network.assign(torch.tensor([5.0, 0.0]))
    losses, _, _ = descend(LBFGS(), objective, network, 60)
    assert all(math.isfinite(loss) for loss in losses)
    assert bool(network.vector().isfinite().all())
    assert losses[-1] < losses[0]


# ---- what all have in common ----


@each_optimizer
def test_global_state_is_left_alone(optimizer):
    network, objective = curve()
    torch.manual_seed(5)
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
    descend(optimizer, objective, network, 5)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpys).all()
    assert torch.get_default_dtype() is torch.float32
    assert torch.is_grad_enabled()


@each_optimizer
@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_restored_descent_goes_on_with_the_same_numbers(optimizer, steps):
    network, objective = curve()
    descent = optimizer.start(network)
    for _ in range(steps):
        descent.advance(objective, network)
    stream = io.BytesIO()
    torch.save(descent.state(), stream)
    parameters = network.vector()
    for _ in range(5):
        descent.advance(objective, network)
    stream.seek(0)
    other, others = curve()
    other.assign(parameters)
    resumed = optimizer.start(other)
    resumed.restore(torch.load(stream, weights_only=True))
    for _ in range(5):
        resumed.advance(others, other)
    assert torch.equal(other.vector(), network.vector())
    assert not torch.equal(other.vector(), parameters)


@each_optimizer
def test_two_descents_from_one_description_do_not_mix(optimizer):
    (first, one), (second, two) = curve(), curve()
    descents = optimizer.start(first), optimizer.start(second)
    for _ in range(3):
        descents[0].advance(one, first)
    for _ in range(3):
        descents[1].advance(two, second)
    assert torch.equal(first.vector(), second.vector())


@each_optimizer
def test_float32(optimizer):
    problem = Problem(segment, lambda u, x: u - sin(3 * x) * x)
    network = KAN(1, 3, 1, basis=Chebyshev(4), dtype=torch.float32).on_box(segment.lower, segment.upper)
    objective = Objective(problem, Sampling(interior=40).points(problem, network, 0))
    before = loss_of(objective, network)
    descend(optimizer, objective, network, 20)
    assert network.vector().dtype == torch.float32
    assert loss_of(objective, network) < before


def test_optimizers_are_values():
    for optimizer in OPTIMIZERS:
        assert eval(repr(optimizer), vars(kanpde.optimizers)) == optimizer
        assert hash(optimizer) == hash(type(optimizer)(**vars(optimizer)))


@pytest.mark.parametrize("kind", [LevenbergMarquardt, Adam, LBFGS])
@pytest.mark.parametrize("name", ["steps", "patience"])
@pytest.mark.parametrize("bad", [0, -1, 2.5, 3.0, True, math.nan, "3", None], ids=repr)
def test_bad_counts(kind, name, bad):
    with pytest.raises(ValueError, match=rf"{kind.__name__}\({name}=...\) must be a whole number of at least 1, got {bad!r}"):
        kind(**{name: bad})


@pytest.mark.parametrize("kind", [LevenbergMarquardt, Adam, LBFGS])
@pytest.mark.parametrize("bad", [0, -0.5, 1.5, math.nan, math.inf], ids=repr)
def test_bad_progress(kind, bad):
    with pytest.raises(ValueError, match=rf"{kind.__name__}\(progress=...\) must lie in \(0, 1\], got {bad!r}"):
        kind(progress=bad)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda b, n=n: LevenbergMarquardt(**{n: b}), rf"LevenbergMarquardt\({n}=...\) must be a positive number")
        for n in ("damping", "probe")
    ]
    + [(lambda b: Adam(rate=b), r"Adam\(rate=...\) must be positive")],
    ids=["damping", "probe", "rate"],
)
@pytest.mark.parametrize("bad", [0, -1.0, math.nan], ids=repr)
def test_bad_positive_numbers(make, words, bad):
    with pytest.raises(ValueError, match=words):
        make(bad)


@pytest.mark.parametrize("name", ["damping", "probe"])
def test_infinite_numbers(name):
    with pytest.raises(ValueError, match=rf"LevenbergMarquardt\({name}=...\) must be a positive number"):
        LevenbergMarquardt(**{name: math.inf})


def test_an_infinite_rate():
    with pytest.raises(ValueError, match=r"Adam\(rate=...\) must be positive"):
        Adam(rate=math.inf)


@pytest.mark.parametrize("bad", [0, 1, -0.1, 1.1, math.nan], ids=repr)
@pytest.mark.parametrize("name", ["target", "late_target"])
def test_bad_targets(name, bad):
    with pytest.raises(ValueError, match=r"target ratios must lie in \(0, 1\)"):
        LevenbergMarquardt(**{name: bad})


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, math.nan], ids=repr)
def test_bad_history(bad):
    with pytest.raises(ValueError, match=r"LBFGS\(history=...\) must be"):
        LBFGS(history=bad)


# ---- one linear model, kept or streamed ----


def test_the_streamed_model_is_the_kept_one():
    network, objective = curve()
    kept, streamed = linear_model(objective, network, 1e9), linear_model(objective, network, 0.0)
    assert (type(kept), type(streamed)) == (LinearModel, StreamedModel)
    kept.factorise()
    streamed.factorise()
    start, vector = network.vector(), torch.linspace(-1, 1, objective.size, dtype=torch.float64)

    def close(left, right, tolerance=1e-9):
        assert float((left - right).abs().max()) <= tolerance * float(right.abs().max())

    close(streamed.residual, kept.residual)
    close(streamed.scale, kept.scale)
    close(streamed.singular, kept.singular)
    close(streamed.pulled(vector), kept.pulled(vector))
    for damping in (1e-6, 1.0):
        close(streamed.step(damping)[0], kept.step(damping)[0], 1e-7)
        close(streamed.solve(vector, damping), kept.solve(vector, damping), 1e-7)

    velocity = kept.step(1.0)[0]

    def residual_along(share):
        network.assign(start + share * velocity)
        return objective.residual(network)

    close(streamed.bend(residual_along, velocity, 1e-3), kept.bend(residual_along, velocity, 1e-4), 1e-2)
    close(streamed.only_step(1e-6)[0], kept.step(1e-6)[0], 1e-7)


def test_newtons_convergence_spares_the_singular_values(monkeypatch):
    network, objective = setting(Problem(segment, lambda u, x: u + u**3 - x - x**3), KAN(1, 1, basis=Chebyshev(6)), interior=30)
    descent, counted, svd = LevenbergMarquardt(damping=1e-6, acceleration=False).start(network), [], torch.linalg.svd
    monkeypatch.setattr(torch.linalg, "svd", lambda *args, **options: counted.append(1) or svd(*args, **options))
    losses, searched = [float(objective.residual(network).square().sum())], []
    for _ in range(6):
        before = descent.state()
        step = descent.advance(objective, network)
        losses.append(float(step.residual.square().sum()))
        searched.append(bool(counted))
        counted.clear()
        fast = losses[-1] < 0.1 * losses[-2]
        assert descent.state()["fast"] == fast
        if not searched[-1]:  # the damping as it was, and then as far down as the probes would have gone
            assert before["fast"] and fast
            assert step.damping == before["damping"] and descent.damping == pytest.approx(step.damping / 3**6)
    assert not all(searched) and min(losses) < 1e-20


@pytest.mark.parametrize("chunk", [7, 4096])
def test_streaming_over_chunks_is_qr(chunk):
    problem = Problem(square, lambda u: laplacian(u) + u**2)
    network, objective = setting(problem, KAN(2, 3, 1, basis=Chebyshev(3)), chunk=chunk)
    residual, jacobian = objective.jacobian(network)
    model = StreamedModel(objective, network)
    model.factorise()
    scaled = jacobian / model.scale
    wanted = torch.linalg.svdvals(scaled)
    assert float((model.singular - wanted).abs().max()) <= 1e-13 * float(wanted.max())
    assert float((model.pulled(residual) - jacobian.T @ residual).abs().max()) <= 1e-12 * float((jacobian.T @ residual).abs().max())


def test_levenberg_marquardt_streamed_reaches_what_it_reaches_kept():
    (network, objective), (other, _) = curve(), curve()
    kept, *_ = descend(LevenbergMarquardt(steps=25), objective, network, 25)
    streamed, *_ = descend(LevenbergMarquardt(steps=25, memory=1.0), objective, other, 25)
    assert kept[-1] < 1e-8 * kept[0] and streamed[-1] < 1e-8 * streamed[0]


# ---- Gauss-Newton ----


def test_gauss_newton_solves_a_linear_problem_in_one_step():
    def exact(x, y):
        return cos(x) + exp(y)

    problem = Problem(
        square, lambda u, x, y: laplacian(u) + cos(x) - exp(y), conditions=[Dirichlet(exact, on=square.boundary)], exact=exact
    )
    network, objective = setting(problem, KAN(2, 1, basis=Chebyshev(14)), interior=200)
    first, _, _ = descend(GaussNewton(), objective, network, 1)
    _, jacobian = objective.jacobian(network)
    points = torch.from_numpy(square.sample(100, lambda u: 2 * u - 1, 5))
    found = outputs(problem, network, points)["u"][()].numpy()
    assert np.abs(found - exact(*points.numpy().T)).max() < 1e-8
    losses, step, _ = descend(GaussNewton(), objective, network, 20)
    assert step.stop is not None and "rounding" in step.stop
    assert losses[-1] <= first[0]


def test_gauss_newton_halves_its_step_on_a_curved_problem():
    network, objective = curve()
    losses, _, _ = descend(GaussNewton(), objective, network, 10)
    assert all(later <= earlier for earlier, later in zip(losses, losses[1:], strict=False))
    assert losses[-1] < 5e-2 * losses[0]


def test_gauss_newton_says_that_a_jacobian_is_not_finite():
    problem = Problem(segment, lambda u, x: sqrt(u))
    network, objective = setting(problem, KAN(1, 1, basis=Chebyshev(4)))
    network.assign(torch.zeros_like(network.vector()))
    step = GaussNewton().start(network).advance(objective, network)
    assert step.stop is not None and "not finite" in step.stop


def test_a_damping_that_starts_far_too_high():
    with pytest.raises(ValueError, match=r"damping=.*at most 1e\+06, got 1e\+19"):
        LevenbergMarquardt(damping=1e19)
    network, objective = setting(Problem(segment, lambda u, x: u.x - u), KAN(1, 1, basis=Chebyshev(6)), interior=30)
    descent = LevenbergMarquardt(damping=1e6).start(network)
    losses = [float(descent.advance(objective, network).residual.square().sum()) for _ in range(6)]
    assert losses[-1] < 1e-2 * losses[0]


@pytest.mark.parametrize("optimizer", [Adam(steps=30, rate=1e-2), LBFGS(steps=10)], ids=lambda each: type(each).__name__)
def test_gradients_of_pruned_and_frozen_networks_reach_torchs_optimizers(optimizer):
    network, objective = curve()
    network = freeze(remove_edge(network, 1, 0, 2), 0, edges=[(1, 0)])
    held, before = network.wires[0].weight[1].clone(), loss_of(objective, network)
    losses, _, _ = descend(optimizer, objective, network, optimizer.steps)
    assert losses[-1] < 0.9 * before
    assert torch.equal(network.wires[0].weight[1], held)
    assert not network.wires[1].weight[:, :, 2].any()
    _, gradient = objective.gradient(network)
    kanpde.optimizers.adam.set_gradient(network, gradient)
    whole = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
    assert torch.equal(whole[network.trained_places], gradient) and int((whole != 0).sum()) <= len(gradient)


def test_null_directions_do_not_carry_parameters_away():
    """Constants of edges into one node only matter in sum; along their difference J is rounding, and a tiny damping must not follow it."""
    problem = Problem(Box(x=(-1, 1), y=(-1, 1)), lambda u, x, y: u - exp(sin(pi * x) + y**2))
    network = KAN(2, 1, 1, basis=BSpline(3, 10), hidden="range", seed=2)
    objective = Objective(problem, Sampling(interior=800).points(problem, network, 0))
    descent = LevenbergMarquardt(damping=1e-20).start(network)
    for _ in range(15):
        if descent.advance(objective, network).stop:
            break
    assert float(network.vector().abs().max()) < 1e3


def test_singular_values_are_found_where_divide_and_conquer_does_not_converge(monkeypatch):
    from kanpde.optimizers.linear_model import decomposed

    matrix = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = torch.linalg.svdvals(matrix)

    def fails(*args, **options):
        raise torch._C._LinAlgError("linalg.svd: The algorithm failed to converge")

    monkeypatch.setattr(torch.linalg, "svd", fails)
    left, singular, right = decomposed(matrix)
    assert torch.allclose(singular, wanted) and torch.allclose(left * singular @ right, matrix)
    with pytest.raises(RuntimeError, match="converge"):
        decomposed(matrix / 0)
