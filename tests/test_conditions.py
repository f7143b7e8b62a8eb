"""Every kind of condition: its rows against autograd of formulas written down again, errors, LaTeX, and the check of ``exact``."""

import logging
import math
import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from kanpde.bases import Basis, Chebyshev
from kanpde.conditions import Condition, Data, Dirichlet, Initial, InitialVelocity, Integral, Neumann, Periodic, Point, Robin
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.fields import laplacian
from kanpde.functions import cos, exp, heaviside, maximum, minimum, pi, sin
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.objective import Objective, outputs
from kanpde.optimizers import LevenbergMarquardt
from kanpde.problem import Problem, Unknown
from kanpde.sampling import Sampling
from kanpde.symbolic.equations import contradictions, latex

square = Box(x=(-1, 1), y=(0, 3))
strip = Box(x=(-2, 1), t=(0, 0.5))
segment = Box(x=(-1, 1))
UNIFORM = lambda u: 2 * u - 1  # noqa: E731

MEASURED = {"x": [-0.5, 0.1, 0.9], "y": [0.2, 2.5, 1.0], "v": [1.0, -2.0, 0.5], "u": [0.1, 0.2, 0.3], "error": [0.1, 0.2, 0.4]}


def system(u, v, k, m, x):
    return (laplacian(u) - k * v * u.x + (m * u.y).y, v.xy + k**2 * u - x * m)


SYSTEM = Problem(
    square,
    system,
    parameters={"k": Unknown(0.7), "m": Unknown(-0.3)},
    unknowns=("u", "v"),
    conditions=[
        Neumann(u=lambda x: x, v=1, on=square.boundary - square.side(x=1)),
        Robin(2, lambda y: y, v=lambda k: k, on=square.side(x=1) | square.side(y=3), weight=5),
        Periodic("x", order=2, unknowns=["u"]),
        Periodic("y"),
        Integral(lambda u, v, x, m: (u**2 * x + v, m * u.x), over=square, value=(1, lambda k: k), points=5),
        Integral(lambda v: v * v.y, over=square.side(y=0) | square.side(x=1), value=2, points=4),
        Integral(lambda u: u, over=Box(x=(0, 1), y=(1, 2)), points=3),
        Point(u=1, v=lambda x, k: k * x, at=[{"x": 0, "y": 0}, {"x": 0.5, "y": 3}]),
        Data(MEASURED, sigma={"u": 0.1, "v": "error"}, weight=2),
    ],
)


def gauss(count, low, high):
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.tensor(0.5 * (low + high) + 0.5 * (high - low) * nodes), torch.tensor(0.5 * (high - low) * weights)


def tensor_grid(x, y):
    points = torch.cartesian_prod(x[0], y[0])
    return points, torch.cartesian_prod(x[1], y[1]).prod(1)


def plain(vector, network, points):
    """The residual vector of SYSTEM, written down with nested autograd, differentiable in ``vector``."""
    names, parameters, start = [], [], 0
    for name, parameter in network.named_parameters():
        names.append(name)
        parameters.append(vector[start : start + parameter.numel()].view_as(parameter))
        start += parameter.numel()
    k, m = parameters[-1]
    state = dict(zip(names, parameters, strict=True))

    def fields(p):
        p = p.clone().requires_grad_()
        u, v = torch.func.functional_call(network, state, (p,)).unbind(1)
        return p, u, v

    def d(value, p, *axes):
        for axis in axes:
            value = torch.autograd.grad(value.sum(), p, create_graph=True)[0][:, axis]
        return value

    rows = []

    def add(weight, *components):
        rows.extend(math.sqrt(weight / len(each)) * each for each in components)

    p, u, v = fields(points["equation"])
    add(
        1,
        d(u, p, 0, 0) + d(u, p, 1, 1) - k * v * d(u, p, 0) + m * d(u, p, 1, 1),
        d(v, p, 0, 1) + k**2 * u - p[:, 0] * m,
    )
    p, u, v = fields(points["neumann"])
    n = len(p) // 3  # x=-1, y=0, y=3
    normal = [lambda f: -d(f, p, 0)[:n], lambda f: -d(f, p, 1)[n : 2 * n], lambda f: d(f, p, 1)[2 * n :]]
    add(100, torch.cat([each(u) for each in normal]) - p[:, 0], torch.cat([each(v) for each in normal]) - 1)
    p, u, v = fields(points["robin"])
    n = len(p) // 2  # x=1, y=3
    add(5, 2 * v + p[:, 1] * torch.cat([d(v, p, 0)[:n], d(v, p, 1)[n:]]) - k)
    p, u, v = fields(points["periodic_x"])
    add(100, u[1::2] - u[::2], (d(u, p, 0)[1::2] - d(u, p, 0)[::2]) * 2 / (2 * math.pi))
    p, u, v = fields(points["periodic_y"])
    slope = d(u, p, 1)
    add(100, u[1::2] - u[::2], (slope[1::2] - slope[::2]) * 3 / (2 * math.pi), v[1::2] - v[::2])
    grid, weights = tensor_grid(gauss(5, -1, 1), gauss(5, 0, 3))
    p, u, v = fields(grid)
    add(100, (weights * (u**2 * p[:, 0] + v)).sum()[None] - 1, (weights * m * d(u, p, 0)).sum()[None] - k)
    total = -2.0
    for x, y in [
        (gauss(4, -1, 1), (torch.zeros(1).double(), torch.ones(1).double())),
        ((torch.ones(1).double(), torch.ones(1).double()), gauss(4, 0, 3)),
    ]:
        grid, weights = tensor_grid(x, y)
        p, u, v = fields(grid)
        total = total + (weights * v * d(v, p, 1)).sum()[None]
    add(100, total)
    grid, weights = tensor_grid(gauss(3, 0, 1), gauss(3, 1, 2))
    p, u, v = fields(grid)
    add(100, (weights * u).sum()[None])
    p, u, v = fields(torch.tensor([[0.0, 0.0], [0.5, 3.0]]).double())
    add(100, u - 1, v - k * p[:, 0])
    p, u, v = fields(torch.tensor([MEASURED["x"], MEASURED["y"]], dtype=torch.float64).T)
    measured = {name: torch.tensor(column, dtype=torch.float64) for name, column in MEASURED.items()}
    add(2, (u - measured["u"]) / 0.1, (v - measured["v"]) / measured["error"])
    return torch.cat(rows)


def setting(problem=SYSTEM, interior=7, per_side=4, model=None, **options):
    network = (model or KAN(2, 3, 2, basis=Chebyshev(4))).remade(seed=2).on_box(problem.domain.lower, problem.domain.upper)
    network.with_coefficients(list(problem.coefficients.values()))
    points = Sampling(interior=interior, per_side=per_side).points(problem, network, 0)
    return network, points, Objective(problem, points, **options)


def close(got, wanted, tolerance=1e-11):
    assert got.shape == wanted.shape
    assert float((got - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


@pytest.mark.parametrize("model", [KAN(2, 3, 2, basis=Chebyshev(4)), MLP(2, 5, 2)], ids=["KAN", "MLP"])
def test_rows_of_every_condition_are_those_of_autograd(model):
    network, points, objective = setting(model=model)
    vector = network.vector()
    wanted = plain(vector, network, points).detach()
    jacobian = torch.autograd.functional.jacobian(lambda vector: plain(vector, network, points), vector)
    assert [block.name for block in objective.blocks] == [
        "equation", "neumann", "robin", "periodic_x", "periodic_y", "integral_1", "integral_2", "integral_3", "point", "data",
    ]  # fmt: skip
    residual, found = objective.jacobian(network)
    assert objective.size == len(wanted)
    close(residual, wanted)
    close(objective.residual(network), wanted)
    scale = jacobian.abs().max(1, keepdim=True).values.clamp(min=1e-8)
    close(found / scale, jacobian / scale, 1e-10)
    assert float(found[:, -2:].abs().max(0).values.min()) > 0
    again, gradient = objective.gradient(network)
    close(again, wanted)
    close(gradient, jacobian.T @ wanted)


@pytest.mark.parametrize("chunk", [1, 3, 5, 8])
@pytest.mark.parametrize("keep", [True, False])
def test_chunks_do_not_matter(chunk, keep):
    network, _, whole = setting()
    _, _, parts = setting(chunk=chunk)
    close(parts.residual(network), whole.residual(network), 1e-13)
    for once, again in zip(whole.gradient(network), parts.gradient(network), strict=True):
        close(again, once, 1e-12)
    residual, jacobian = whole.jacobian(network)
    for _ in range(2):
        kept = []
        for place, value, rows in parts.linearised(network, keep=keep):
            close(value, residual[place], 1e-12) if float(residual[place].abs().max()) else None
            close(rows.T, jacobian[place], 1e-12)
            kept.append((place, rows))
        assert sorted(n for place, _ in kept for n in range(parts.size)[place]) == list(range(parts.size))
        if keep:
            for place, rows in kept:
                close(rows.T, jacobian[place], 1e-12)


def test_memory_does_not_grow_with_the_points():
    network, _, _ = setting()
    sizes = []
    for interior in (64, 640):
        _, points, objective = setting(interior=interior, per_side=interior, chunk=16)
        for _ in objective.linearised(network, keep=False):
            pass
        sizes.append(sum(rows.numel() for rows in objective._memory.values()))
    assert sizes[1] <= 1.2 * sizes[0]


def test_losses_of_coupled_rows():
    network, _, objective = setting()
    losses = objective.losses(objective.residual(network))
    value = outputs(SYSTEM, network, torch.tensor([[0.0, 0.0], [0.5, 3.0]]).double())
    wanted = 100 * (((value["u"][()] - 1) ** 2).mean() + ((value["v"][()] - 0.7 * torch.tensor([0.0, 0.5])) ** 2).mean())
    assert losses["point"] == pytest.approx(float(wanted), rel=1e-6)
    objective.check_finite(network)


# ---- coefficients in the network ----


def test_coefficients_are_the_last_parameters():
    network = KAN(2, 3, 1, basis=Chebyshev(3)).with_coefficients([0.25, -2])
    plain_network = KAN(2, 3, 1, basis=Chebyshev(3))
    assert network.parameter_count == plain_network.parameter_count + 2
    assert network.vector()[-2:].tolist() == [0.25, -2]
    assert torch.equal(network.vector()[:-2], plain_network.vector())
    network.assign(torch.arange(network.parameter_count).double())
    assert network.coefficients.tolist() == [network.parameter_count - 2, network.parameter_count - 1]
    refined = network.refined(6)
    assert refined.coefficients.tolist() == network.coefficients.tolist()
    refined.assign(0 * refined.vector())
    assert network.coefficients[0] != 0
    assert KAN(2, 3, 1, basis=Chebyshev(3)).coefficients.shape == (0,)


def test_a_network_without_the_coefficients_is_refused():
    _, points, objective = setting()
    with pytest.raises(ValueError, match=r"unknown coefficients k, m, but the network carries 0: network.with_coefficients"):
        objective.residual(KAN(2, 3, 2, basis=Chebyshev(4)).on_box(square.lower, square.upper))


# ---- periodic networks ----


@dataclass(frozen=True)
class Waves(Basis):
    """1, cos(k pi x), sin(k pi x)."""

    count: int
    periodic: ClassVar[bool] = True
    resolution_field: ClassVar[str] = "count"

    @property
    def size(self):
        return 2 * self.count + 1

    def table(self, x, order):
        k = math.pi * torch.arange(1, self.count + 1).double().view(-1, *[1] * x.ndim)
        rows = []
        for m in range(order + 1):
            shift = 0.5 * math.pi * m
            rows.append(
                torch.cat([torch.full_like(x, float(m == 0))[None], k**m * torch.cos(k * x + shift), k**m * torch.sin(k * x + shift)])
            )
        return torch.stack(rows)

    def embedding(self, finer):
        raise NotImplementedError

    def quantile(self, u):
        return 2 * u - 1


def test_a_periodic_network_needs_no_rows():
    problem = Problem(strip, lambda u: u.t - u.xx, conditions=[Initial(lambda x: cos(2 * pi * (x + 2) / 3), hard=True), Periodic("x")])
    network, points, objective = setting(problem, model=KAN(2, 3, 1, basis=Waves(2)))
    assert network.is_periodic(0)
    assert set(points) == {"equation"}
    assert [block.name for block in objective.blocks] == ["equation"]
    pairs = torch.from_numpy(problem.conditions[1].points(9, UNIFORM, 0))
    for alpha in [(), (0,), (0, 0)]:
        found = outputs(problem, network, pairs, [alpha])["u"][alpha]
        close(found[1::2], found[::2], 1e-11)
    assert set(setting(problem, model=KAN(2, 3, 1, basis=Chebyshev(3)))[1]) == {"equation", "periodic_x"}


def test_hard_values_that_are_not_periodic_need_rows(caplog):
    problem = Problem(strip, lambda u: u.t - u.xx, conditions=[Initial(lambda x: (x + 0.5) ** 2, hard=True), Periodic("x")])
    with caplog.at_level(logging.WARNING, "kanpde"):
        _, points, _ = setting(problem, model=KAN(2, 3, 1, basis=Waves(2)))
    assert "periodic_x" in points
    assert "hard values of u are not periodic in x (derivative 1)" in caplog.text


def test_periodic_in_one_dimension_and_orders():
    problem = Problem(segment, lambda u, v: (u.xxxx - v, v.x - u), conditions=[Periodic("x")])
    (condition,) = problem.conditions
    assert condition.orders == {"u": 4, "v": 1}
    network, points, objective = setting(problem, model=KAN(1, 3, 2, basis=Chebyshev(5)))
    assert points["periodic_x"].tolist() == [[-1], [1]]
    assert objective.blocks[1].size == 5


# ---- initial velocity ----

box2 = Box(x=(0, 1), y=(-1, 2), t=(0.5, 2))
HARD_WAVES = {
    "wave": (
        Box(x=(0, 1), t=(0, 1)),
        [Initial(lambda x: sin(pi * x), hard=True), InitialVelocity(0, hard=True), "sides"],
        lambda x, t: sin(pi * x) * cos(pi * t),
    ),
    "moving ends": (
        Box(x=(0, 1), t=(0.5, 1)),
        [Initial(lambda x: sin(x + 0.5), hard=True), InitialVelocity(lambda x: cos(x + 0.5), hard=True), "sides"],
        lambda x, t: sin(x + t),
    ),
    "free ends": (
        Box(x=(0, 1), t=(0, 1)),
        [Initial(lambda x: x**2, hard=True), InitialVelocity(lambda x: exp(x), hard=True)],
        lambda x, t: x**2 + t * exp(x),
    ),
    "two dimensions": (
        box2,
        [Initial(lambda x, y: x * y + exp(0.5 * x), hard=True), InitialVelocity(lambda x: x * exp(0.5 * x), hard=True), "sides"],
        lambda x, y, t: x * y + exp(t * x),
    ),
}


@pytest.mark.parametrize("name", HARD_WAVES)
def test_hard_start_velocity_and_sides_hold_together(name):
    box, conditions, solution = HARD_WAVES[name]
    conditions = [Dirichlet(solution, on=box.boundary, hard=True) if each == "sides" else each for each in conditions]
    problem = Problem(box, lambda u: u.tt - laplacian(u), conditions=conditions)
    network = KAN(len(box.names), 3, 1, basis=Chebyshev(4), seed=3).on_box(box.lower, box.upper)
    network.assign(5 * network.vector())
    axis = box.names.index("t")
    for condition in problem.conditions:
        points = condition.on.sample(12, UNIFORM, 0)
        alpha = (axis,) if isinstance(condition, InitialVelocity) else ()
        found = outputs(problem, network, torch.from_numpy(points), [alpha])["u"][alpha].numpy()
        (value,) = condition.values(problem).values()
        wanted = problem.known(dict(zip(box.names, points.T, strict=True)))
        wanted = value(*(wanted[n] for n in value.__code__.co_varnames[: value.__code__.co_argcount])) if callable(value) else value
        np.testing.assert_allclose(found, np.broadcast_to(np.asarray(wanted, dtype=float), len(points)), rtol=0, atol=2e-12)
    # derivatives of the ansatz are those of its values
    points = torch.from_numpy(box.sample(5, UNIFORM, 1))
    step = 1e-4 * torch.eye(len(box.names)).double()[axis]
    ahead, here, behind = (outputs(problem, network, points + k * step, [(), (axis, axis), (axis,)])["u"] for k in (1, 0, -1))
    np.testing.assert_allclose(here[(axis,)], (ahead[()] - behind[()]) / 2e-4, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(here[(axis, axis)], (ahead[(axis,)] - behind[(axis,)]) / 2e-4, rtol=1e-4, atol=1e-5)


def test_soft_initial_velocity():
    problem = Problem(strip, lambda u: u.tt - u.xx, conditions=[Initial(0, hard=True), InitialVelocity(lambda x: x, weight=4)])
    network, points, objective = setting(problem, model=KAN(2, 3, 1, basis=Chebyshev(4)))
    rate = outputs(problem, network, points["velocity"], [(1,)])["u"][(1,)]
    losses = objective.losses(objective.residual(network))
    assert losses["velocity"] == pytest.approx(float(4 * ((rate - points["velocity"][:, 0]) ** 2).mean()), rel=1e-12)


# ---- errors before training ----


def wave(u):
    return u.tt - u.xx


def heat(u, v):
    return (u.t - u.xx, v.t - v.x)


OUTSIDE = {"x": [0.0, 1.5], "t": [0.1, 0.2], "u": [1.0, 2.0]}
FINE = {"x": [0.0, 0.5], "t": [0.1, 0.2], "u": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Neumann(w=0, on=strip.boundary), ValueError, "fixes 'w', but the unknowns are u, v"),
        (lambda: Neumann(0, on=strip.boundary), ValueError, "has 1 component, but there are 2 unknowns: u, v .*counts as an unknown"),
        (lambda: Neumann(0, on=3), TypeError, "Neumann takes on=box.boundary"),
        (lambda: Neumann(u=math.nan, on=strip.boundary), ValueError, "gives u the value nan"),
        (lambda: Robin(0, 0, u=1, on=strip.boundary), ValueError, "alpha and beta are both 0"),
        (lambda: Robin("a", 0, u=1, on=strip.boundary), TypeError, "gives alpha the value 'a'"),
        (lambda: Robin(1, math.inf, u=1, on=strip.boundary), ValueError, "gives beta the value inf"),
        (lambda: InitialVelocity(u=0, hard=True), ValueError, "no hard Initial gives u a value"),
        (lambda: Periodic("t"), ValueError, "time is not periodic"),
        (lambda: Periodic("y"), ValueError, "the coordinates are x, t"),
        (lambda: Periodic("x", unknowns=["w"]), ValueError, "the unknowns are u, v"),
        (lambda: Periodic("x", order=0), ValueError, "at least 1, got 0"),
        (lambda: Periodic(0), TypeError, "name of a coordinate"),
        (lambda: Integral(lambda u: u, over=Box(x=(-3, 0), t=(0, 0.5))), ValueError, "does not lie in the domain"),
        (lambda: Integral(lambda u: u, over=segment), ValueError, "does not lie in the domain"),
        (lambda: Integral(lambda x: x, over=strip), ValueError, "reads none of the unknowns u, v"),
        (lambda: Integral(lambda u: u, over=strip, value=lambda x: x), ValueError, "not of coordinates"),
        (lambda: Integral(lambda u: u, over=strip, value=math.nan), ValueError, "has the value nan"),
        (lambda: Integral(lambda u: u, over=None), TypeError, "takes over=box"),
        (lambda: Integral(3, over=strip), TypeError, "takes an integrand"),
        (lambda: Integral(lambda u: u, over=strip, points=0), ValueError, "at least 1, got 0"),
        (lambda: Integral(lambda u: u, over=Box.cube(7, 0, 1)), ValueError, "runs over 7 axes, at most 6"),
        (lambda: Point(u=0, at={"x": 0}), ValueError, "each of the coordinates x, t a number"),
        (lambda: Point(u=0, at={"x": 0, "t": "now"}), ValueError, "a number, got"),
        (lambda: Point(u=0, at={"x": 5, "t": 0}), ValueError, "lies outside the domain .*x=5, t=0"),
        (lambda: Point(u=0, at=[]), TypeError, "or a list of such points"),
        (lambda: Data({"x": [0.0], "u": [1.0]}), ValueError, "has no column 't'"),
        (lambda: Data({"x": [0.0], "t": [0.0], "U": [1.0]}), ValueError, "measures none of the unknowns u, v; it has x, t, U"),
        (lambda: Data(OUTSIDE), ValueError, r"row 1 .*x=1.5 lies outside the domain"),
        (lambda: Data({**FINE, "u": [1.0, math.nan]}), ValueError, "row 1 .*u=nan is not a finite number"),
        (lambda: Data({**FINE, "u": [1.0]}), ValueError, "differ in length: x has 2, t has 2, u has 1"),
        (lambda: Data({"x": [], "t": [], "u": []}), ValueError, "is empty"),
        (lambda: Data({**FINE, "u": [[1.0], [2.0]]}), ValueError, "has the shape"),
        (lambda: Data({**FINE, "u": ["a", "b"]}), ValueError, "does not hold numbers"),
        (lambda: Data(FINE, sigma=[0.1, 0.0]), ValueError, "row 1 .*sigma of u=0 is not a positive number"),
        (lambda: Data(FINE, sigma=[0.1, 0.1, 0.1]), ValueError, "an array of 2 numbers"),
        (lambda: Data(FINE, sigma="error"), ValueError, "no column 'error'"),
        (lambda: Data(FINE, sigma={"v": 1}), ValueError, "gives none for u"),
        (lambda: Data(7), TypeError, "takes columns by name"),
        (lambda: Data("nowhere.csv"), ValueError, "there is no data file nowhere.csv"),
        (lambda: Data(__file__), ValueError, "is neither .npz, .h5 nor .csv"),
        (lambda: Condition(3, on=strip.boundary), TypeError, "takes an equation"),
    ],
)
def test_conditions_that_do_not_fit(make, error, words):
    with pytest.raises(error, match=words):
        Problem(strip, heat, conditions=[make()])


def test_conditions_that_contradict_one_another():
    side = square.side(x=1)
    with pytest.raises(ValueError, match=r"Dirichlet\(0, .*Dirichlet\(<lambda>.* give u values that differ by 2.9.* leave one of them out"):
        Problem(square, lambda u: u.xx, conditions=[Dirichlet(0, on=square.boundary), Dirichlet(lambda y: y, on=side)])
    with pytest.raises(ValueError, match="Neumann.*Neumann.*differ by 1"):
        Problem(square, lambda u: u.xx, conditions=[Neumann(0, on=side), Neumann(1, on=side)])
    with pytest.raises(ValueError, match="Initial.*Initial.*differ by 1"):
        Problem(strip, lambda u: u.t, conditions=[Initial(0), Initial(1, hard=True)])
    with pytest.raises(ValueError, match=r"Periodic\('x'\) and Dirichlet.*both hold for u at the ends of x: leave one of them out"):
        Problem(square, lambda u: u.xx, conditions=[Periodic("x"), Dirichlet(0, on=side)])
    Problem(square, lambda u: u.xx, conditions=[Periodic("x"), Dirichlet(0, on=square.side(y=0))])
    Problem(square, lambda u, v: (u.xx, v.xx), conditions=[Periodic("x", unknowns="u"), Dirichlet(v=0, on=side)])
    Problem(square, lambda u: u.xx, conditions=[Dirichlet(lambda x: x, on=side), Dirichlet(1, on=side), Neumann(3, on=side)])
    Problem(square, lambda u: u.xx, conditions=[Dirichlet(0, on=square.boundary - side), Dirichlet(1, on=side)])  # a corner is no side


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda x: 1 / x, "the value inf at x=0"),
        (lambda x: cos(x) / (x - abs(x)), "the value (inf|-inf|nan) at"),
        (lambda x: np.log(x), "the value nan at x="),
    ],
)
def test_hard_values_are_finite(value, words):
    with pytest.raises(ValueError, match=f"is hard, but gives u {words}.*leave out hard=True"):
        Problem(square, lambda u: u.xx, conditions=[Dirichlet(value, on=square.side(y=0), hard=True)])


def test_hard_values_do_not_depend_on_unknown_coefficients():
    with pytest.raises(ValueError, match="depends on the unknown coefficient 'k': leave out hard=True"):
        Problem(
            square, lambda u, k: k * u.xx, parameters={"k": Unknown(1)}, conditions=[Dirichlet(lambda k: k, on=square.boundary, hard=True)]
        )


def test_hard_velocities_that_disagree_are_refused():
    box = Box(x=(0, 1), t=(0, 1))
    start = [Initial(0, hard=True), InitialVelocity(1, hard=True)]
    with pytest.raises(ValueError, match="velocities that differ by 1 at x=0, t=0"):
        Problem(box, wave, conditions=[*start, Dirichlet(0, on=box.boundary, hard=True)])
    with pytest.raises(ValueError, match="velocities that differ by"):
        Problem(box, wave, conditions=[*start, Dirichlet(lambda t: 2 * t, on=box.boundary, hard=True)])
    Problem(box, wave, conditions=[*start, Dirichlet(lambda t: sin(t), on=box.boundary, hard=True)])


# ---- files ----


def test_data_from_files(tmp_path):
    import h5py

    columns = {"x": np.array([0.0, 0.5]), "t": np.array([0.1, 0.2]), "u": np.array([1.0, 2.0])}
    np.savez(tmp_path / "m.npz", **columns)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for name, column in columns.items():
            file[name] = column
    (tmp_path / "m.csv").write_text("x, t ,u,note\n0.0,0.1,1.0,first\n0.5,0.2,2.0,second\n\n")
    for suffix in ("npz", "h5", "csv"):
        condition = Problem(strip, wave, conditions=[Data(tmp_path / f"m.{suffix}")]).conditions[0]
        np.testing.assert_array_equal(condition.points(0, UNIFORM, 0), np.stack([columns["x"], columns["t"]], 1))
        assert condition.columns(condition.points(0, UNIFORM, 0))["measured u"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("x,t,u\n", "is empty"),
        ("x,t,u\n0,0\n", "row 0: 2 cells for the 3 columns x, t, u"),
        ("x,t,u\n0,0,\n", "row 0 .*u=nan is not a finite number"),
        ("x,t,u\n0,0,one\n", "the column 'u' .* does not hold numbers"),
    ],
)
def test_bad_csv_files(tmp_path, text, words):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        Problem(strip, wave, conditions=[Data(tmp_path / "m.csv")])


def test_the_default_weight_of_data_is_that_of_its_noise():
    weights = [
        Problem(strip, wave, conditions=[Data(FINE, **options)]).conditions[0].weight
        for options in ({}, {"sigma": 0.1}, {"sigma": 0.1, "weight": 3})
    ]
    assert weights == pytest.approx([1, 0.01, 3])


# ---- what is missing ----

MISSING = {
    "no side": (square, lambda u: laplacian(u), [], ["no condition on u at x=-1 and x=1, .* of order 2 in x", "at y=0 and y=3"]),
    "one side": (segment, lambda u: u.xx, [Dirichlet(0, on=segment.side(x=1))], ["no condition on u at x=-1"]),
    "a start in space": (segment, lambda u: u.xx, [Dirichlet(0, on=segment.side(x=-1)), Neumann(0, on=segment.side(x=-1))], []),
    "growth": (segment, lambda u: u.x - u, [], ["no condition on u on any side, .* of order 1 in x"]),
    "growth from an end": (segment, lambda u: u.x - u, [Dirichlet(1, on=segment.side(x=1))], []),
    "transport": (strip, lambda u: u.t + u.x, [Initial(0)], ["no condition on u on any side"]),
    "periodic": (segment, lambda u: u.xx - u, [Periodic("x")], []),
    "slopes": (segment, lambda u: u.xx, [Neumann(0, on=segment.boundary)], [r"up to a constant, .* or Point\(u=0, at=...\)"]),
    "periodic slopes": (segment, lambda u: u.xx, [Periodic("x")], ["up to a constant"]),
    "a mean": (segment, lambda u: u.xx, [Periodic("x"), Integral(lambda u: u, over=segment)], []),
    "a mean slope": (segment, lambda u: u.xx, [Periodic("x"), Integral(lambda u: u.x, over=segment)], ["up to a constant"]),
    "a point": (segment, lambda u: u.xx, [Neumann(0, on=segment.boundary), Point(1, at=dict(x=0))], []),
    "Robin": (segment, lambda u: u.xx, [Robin(1, 1, 0, on=segment.side(x=-1)), Neumann(0, on=segment.side(x=1))], []),
    "pressure": (segment, lambda u, p: (u.xx - p.x, u), [Dirichlet(u=0, on=segment.boundary)], ["p is determined only up to"]),
    "sawtooth": (
        strip,
        lambda u: u.t + u.x,
        [Initial(lambda x: x), Periodic("x")],
        [r"values that differ by 3 .* which Periodic\('x'\) joins"],
    ),
    "no start": (strip, lambda u: u.t, [], [r"no initial condition on u, .*add Initial\(u=...\)$"]),
    "no velocity": (strip, lambda u: u.tt, [Initial(0)], [r"only 1 condition in time on u, .*add InitialVelocity\(u=...\)"]),
    "neither": (strip, lambda u: u.tt, [], [r"no initial condition on u.* and InitialVelocity"]),
    "velocity": (strip, lambda u: u.tt, [Initial(0), InitialVelocity(0)], []),
    "first order": (square, lambda u: u.x + u.y, [], ["u is determined only up to a constant"]),
    "data": (strip, lambda u: u.t - u.xx, [Data(FINE)], []),
    "equations": (segment, lambda u: u.xx - u, [Condition(lambda u: u.x, on=segment.boundary)], []),
    "few components": (segment, lambda u, v: u.x + v.x, [], ["the equation has 1 component for 2 unknowns"]),
    "a system": (strip, lambda u, v: (u.t - v, v.t - u), [Initial(u=0)], ["no initial condition on v"]),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_conditions_are_named(name):
    box, equation, conditions, words = MISSING[name]
    found = Problem(box, equation, conditions=conditions).warnings()
    assert len(found) == len(words), found
    for warning, pattern in zip(found, words, strict=True):
        assert re.search(pattern, warning), warning


def test_a_run_warns(caplog):
    problem = Problem(segment, lambda u, x: u.xx - x, conditions=[Dirichlet(0, on=segment.side(x=1))])
    with caplog.at_level(logging.WARNING, "kanpde"):
        Experiment(problem, model=KAN(1, 2, 1, basis=Chebyshev(3)), training=[LevenbergMarquardt(steps=1)]).run()
    assert caplog.text.count("no condition on u at x=-1") == 1


# ---- the check of exact, and LaTeX ----


def test_right_solutions_satisfy_every_condition():
    problem = Problem(
        strip,
        lambda u: u.tt - u.xx,
        exact=lambda x, t: sin(2 * pi * x / 3) * cos(2 * pi * t / 3),
        conditions=[
            Initial(lambda x: sin(2 * pi * x / 3)),
            InitialVelocity(0),
            Periodic("x"),
            Neumann(lambda x, t: (2 * heaviside(x) - 1) * 2 * pi / 3 * cos(2 * pi * x / 3) * cos(2 * pi * t / 3), on=strip.boundary),
            Robin(2, 3, lambda t: (2 * sin(2 * pi / 3) + 2 * pi * cos(2 * pi / 3)) * cos(2 * pi * t / 3), on=strip.side(x=1)),
            Integral(lambda u: u, over=strip),
            Integral(lambda u: u**2, over=strip.side(t=0), value=1.5),
            Point(0, at={"x": 0, "t": 0.25}),
            Data(FINE, sigma=0.1),
        ],
    )
    assert contradictions(problem) == []


@pytest.mark.parametrize(
    ("condition", "size"),
    [
        (InitialVelocity(1), 1),
        (Neumann(1, on=strip.side(x=1)), None),
        (Robin(1, 1, 5, on=strip.side(x=1)), None),
        (Periodic("x"), None),
        (Integral(lambda u: u, over=strip, value=1), None),
        (Point(0.5, at={"x": 0, "t": 0}), 0.5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_wrong_solutions_are_caught(condition, size):
    problem = Problem(strip, lambda u: u.tt - u.xx, exact=lambda x, t: sin(x) * cos(t), conditions=[condition])
    found = contradictions(problem)
    assert found
    assert all(repr(condition) == each.where for each in found)
    assert size is None or found[0].residual == pytest.approx(size)
    assert "is off by" in str(found[0])


def test_latex_of_every_condition():
    lines = latex(SYSTEM)
    assert r"\partial_{n} u = x,\ \partial_{n} v = 1\quad\text{at } x = -1,\ y = 0,\ y = 3" in lines
    assert r"2 v + y \partial_{n} v = k\quad\text{at } x = 1,\ y = 3" in lines
    assert r"u|_{x = -1} = u|_{x = 1},\ u_{x}|_{x = -1} = u_{x}|_{x = 1}" in lines
    assert any(line.startswith(r"\int x u^{2} + v = 1,\ \int m u_{x} = k\quad\text{over } -1 < x < 1") for line in lines), lines
    assert r"\int v v_{y} = 2\quad\text{over } y = 0,\ x = 1" in lines
    assert r"u = 1,\ v = k x\quad\text{at } (x = 0,\ y = 0),\ (x = 0.5,\ y = 3)" in lines
    assert r"u \approx \text{3 measurements},\ v \approx \text{3 measurements}" in lines
    assert r"k\ \text{to be found}" in lines
    assert latex(SYSTEM, {"k": (0.5, 0.01)})[-2] == r"k = 0.5 \pm 0.01"
    problem = Problem(strip, wave, conditions=[InitialVelocity(lambda x: x)])
    assert latex(problem)[1] == r"u_{t} = x\quad\text{at } t = 0"


def test_representations_read_like_code():
    assert repr(Neumann(0, on=strip.side(x=1))) == "Neumann(0, on=Boundary(x=1))"
    assert repr(Robin(1, 2, u=3, on=strip.side(x=1))) == "Robin(1, 2, u=3, on=Boundary(x=1))"
    assert repr(InitialVelocity(0, hard=True)) == "InitialVelocity(0, hard=True)"
    assert repr(Periodic("x", unknowns=["u"])) == "Periodic('x', unknowns=('u',))"
    assert repr(Point(p=0, at={"x": 0})) == "Point(p=0, at={'x': 0})"
    assert repr(Data(FINE, sigma=0.1)) == "Data(dict(x, t, u), sigma=0.1)"
    assert repr(Integral(wave, over=segment, value=2)) == "Integral(wave, over=Box(x=(-1.0, 1.0)), value=2)"


# ---- solved ----


def solve(problem, *, width=3, degree=7, steps=40):
    model = KAN(len(problem.domain.names), width, len(problem.unknowns), basis=Chebyshev(degree))
    return Experiment(problem, model=model, training=[LevenbergMarquardt(steps=steps)]).run()


@pytest.mark.parametrize(
    "conditions",
    [
        [Neumann(lambda x: x * exp(x), on=segment.boundary), Integral(lambda u: u, over=segment, value=math.e - 1 / math.e)],
        [Robin(1, 2, lambda x: (1 + 2 * x) * exp(x), on=segment.boundary)],
        [Point(1, at={"x": 0}), Dirichlet(lambda x: exp(x), on=segment.side(x=1))],
        [Data({"x": [-0.5, 0.0, 0.7], "u": np.exp([-0.5, 0.0, 0.7])}, weight=100)],
    ],
    ids=["Neumann and a mean", "Robin", "a point", "data"],
)
def test_problems_with_these_conditions_are_solved(conditions):
    problem = Problem(segment, lambda u, x: u.xx - exp(x), conditions=conditions, exact=lambda x: exp(x))
    assert solve(problem).metrics["relative_l2"] < 3e-5


def test_periodic_convection():
    circle = Box(x=(0, 2 * pi), t=(0, 1))
    problem = Problem(
        circle,
        lambda u: u.t + 2 * u.x,
        conditions=[Initial(lambda x: sin(x), hard=True), Periodic("x")],
        exact=lambda x, t: sin(x - 2 * t),
    )
    assert solve(problem, width=4, degree=9, steps=60).metrics["relative_l2"] < 1e-3


# ---- pieces ----


def test_pieces_are_written_with_functions():
    x = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(maximum(x, 1), [1, 1, 3])
    np.testing.assert_allclose(minimum(x, 1.0), [-2, 0, 1])
    np.testing.assert_allclose(heaviside(x), [0, 0.5, 1])
    assert float(maximum(2, 3)) == 3
    problem = Problem(segment, lambda u, x: u.xx - x * heaviside(x), exact=lambda x: maximum(x, 0) ** 3 / 6)
    assert contradictions(problem) == []


@pytest.mark.parametrize("make", [lambda: Neumann(0, on=square.boundary, hard=True), lambda: Robin(1, 1, 0, on=square.boundary, hard=True)])
def test_slopes_cannot_be_built_in(make):
    with pytest.raises(TypeError, match="cannot be built into the solution: leave out hard=True"):
        make()
