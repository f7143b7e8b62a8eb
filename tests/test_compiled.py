"""Compiled gradients are those that are not compiled, and what cannot be compiled runs as it is."""

import logging

import numpy as np
import pytest
import torch

from kanpde.bases import BSpline, Chebyshev, Fourier, Gaussian, SiLU
from kanpde.compiled import SIZE, Compiled, check_compiler
from kanpde.conditions import Dirichlet, Initial
from kanpde.domains import Box
from kanpde.fields import laplacian
from kanpde.functions import exp, heaviside, sin
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.objective import Objective
from kanpde.optimizers import LBFGS, Adam, LevenbergMarquardt
from kanpde.problem import Problem, Unknown
from kanpde.sampling import Sampling
from kanpde.separable import SeparableKAN
from kanpde.slabs import Slabs
from kanpde.training import fit
from kanpde.wrapped import Wrapped

square = Box(x=(-1, 1), y=(0, 2))
strip = Box(x=(-1, 1), t=(0, 1))
PROBLEMS = {
    "hard and soft": Problem(
        square,
        lambda u, x: u * laplacian(u) + u.xy**2 - exp(x) * heaviside(x - 0.3),
        conditions=[Dirichlet(lambda x: x**2, on=square.side(y=0), hard=True), Dirichlet(1, on=square.side(y=2), weight=4)],
    ),
    "a system with a coefficient": Problem(
        strip,
        lambda u, v, k: (u.t - k * u.xx + v, v.t + u * v.x),
        parameters={"k": Unknown(0.3)},
        conditions=[Initial(u=lambda x: sin(x), v=0, hard=True)],
    ),
}
NETWORKS = {
    "KAN": lambda outputs: KAN(2, (2, 1), outputs, basis=Chebyshev(4)),
    "splines": lambda outputs: KAN(2, 3, outputs, basis=BSpline(4, 3) + SiLU()),
    "Fourier": lambda outputs: KAN(2, 2, outputs, basis=Fourier(2)),
    "Gaussians": lambda outputs: KAN(2, 2, outputs, basis=Gaussian(4)),
    "MLP": lambda outputs: MLP(2, 4, 3, outputs),
    "separable": lambda outputs: SeparableKAN(2, outputs, rank=2, basis=Chebyshev(3)),
}


def built(name, network, count):
    problem = PROBLEMS[name]
    outputs = len(problem.unknowns)
    made = NETWORKS[network](outputs).on_box(problem.domain.lower, problem.domain.upper)
    made.with_coefficients(list(problem.coefficients.values()))
    points = {"equation": torch.from_numpy(problem.domain.sample(count, lambda u: 2 * u - 1, 0))}
    points |= {each.name: torch.from_numpy(each.points(9, made.quantiles, 0)) for each in problem.soft}
    return Objective(problem, points, chunk=2 * SIZE + 3), made


@pytest.mark.parametrize(
    ("name", "network"),
    [
        *(("hard and soft", network) for network in NETWORKS),
        *(("a system with a coefficient", network) for network in ("KAN", "separable")),
    ],
)
def test_traced_gradients_are_the_same(name, network, caplog):
    objective, made = built(name, network, 2 * SIZE + 70)
    compiled = Compiled(backend="eager")
    for _ in range(2):  # parameters are not frozen in the program
        residual, gradient = objective.gradient(made)
        other, slopes = objective.gradient(made, compiled)
        assert torch.allclose(residual, other, rtol=1e-12, atol=1e-13)
        assert torch.allclose(gradient, slopes, rtol=1e-11, atol=1e-12 * float(gradient.abs().max()))
        made.assign(made.vector() * 1.1)
    assert len(compiled._programs) == 1 and None not in compiled._programs.values()
    assert not [record for record in caplog.records if record.name == "kanpde"]


def test_weights_are_not_frozen_in_the_program():
    objective, made = built("hard and soft", "KAN", SIZE)
    compiled = Compiled(backend="eager")
    before = objective.gradient(made, compiled)[1]
    objective.blocks[0].weight = 9.0
    assert torch.allclose(objective.gradient(made, compiled)[1], objective.gradient(made)[1], rtol=1e-10)
    assert not torch.allclose(before, objective.gradient(made)[1], rtol=1e-3)


def test_a_program_of_inductor():
    problem, made = Problem(square, lambda u: laplacian(u) + u), KAN(2, 1, 1, basis=Chebyshev(2)).on_box(square.lower, square.upper)
    objective = Objective(problem, {"equation": torch.from_numpy(square.sample(SIZE, lambda u: 2 * u - 1, 0))})
    wanted, found = objective.gradient(made), objective.gradient(made, compiled := Compiled())
    assert torch.allclose(found[0], wanted[0], rtol=1e-12, atol=1e-13)
    assert torch.allclose(found[1], wanted[1], rtol=1e-11, atol=1e-12)
    assert None not in compiled._programs.values()


def test_few_points_are_not_compiled():
    objective, made = built("hard and soft", "KAN", SIZE - 1)
    compiled = Compiled(backend="eager")
    objective.gradient(made, compiled)
    assert not compiled._programs


def test_what_cannot_be_traced_runs_as_it_is(caplog):
    network = KAN(2, 2, 1, basis=Chebyshev(3))
    compiled = Compiled(backend="eager")

    def branching(network, points):
        return (points if bool(points.sum() > 0) else -points,)

    points = torch.ones(3, 2)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert torch.equal(compiled("step", branching, network, points)[0], points)
    (record,) = [record for record in caplog.records if record.name == "kanpde"]
    assert "not compiled, but run as it is" in record.message


@pytest.mark.parametrize("optimizer", [Adam, LBFGS])
def test_descents_are_the_same(optimizer, monkeypatch):
    monkeypatch.setattr(Compiled.__init__, "__defaults__", ("eager",))
    problem = PROBLEMS["hard and soft"]
    ends = []
    for compile in (False, True):
        network = NETWORKS["KAN"](1).on_box(problem.domain.lower, problem.domain.upper)
        progress = fit(problem, network, [optimizer(steps=4, compile=compile)], sampling=Sampling(interior=SIZE + 10), seed=0)
        ends.append(progress.network.vector())
    assert torch.allclose(*ends, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("optimizer", [Adam, LBFGS])
def test_without_a_compiler_nothing_begins(optimizer, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    steps = []
    with pytest.raises(RuntimeError, match=rf"{optimizer.__name__}\(compile=True\) needs a C\+\+ compiler.*g\+\+.*leave out compile=True"):
        fit(
            PROBLEMS["hard and soft"],
            NETWORKS["KAN"](1),
            [LevenbergMarquardt(steps=1), optimizer(steps=4, compile=True)],
            sampling=Sampling(interior=40),
            seed=0,
            listener=steps.append,
        )
    assert not steps
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="no-such-compiler"):
        check_compiler("this")


def test_what_is_computed_by_numpy_is_not_frozen(caplog):
    def with_numpy(u, x):
        x = x.value
        return laplacian(u) + (torch.from_numpy(np.interp(x.detach().numpy(), [-1, 0, 1], [0, 10, -20])) if torch.is_tensor(x) else 0)

    problem, made = Problem(square, with_numpy, check=False), KAN(2, 2, 1, basis=Chebyshev(3)).on_box(square.lower, square.upper)
    objective = Objective(problem, {"equation": torch.from_numpy(square.sample(2 * SIZE, lambda u: 2 * u - 1, 0))})
    compiled = Compiled(backend="eager")
    with caplog.at_level(logging.WARNING):
        assert torch.equal(objective.gradient(made, compiled)[0], objective.gradient(made)[0])
    assert [record for record in caplog.records if "NumPy" in record.message]
    assert list(compiled._programs.values()) == [None]


def test_handed_over_values_are_traced(caplog, monkeypatch):
    monkeypatch.setattr(Compiled.__init__, "__defaults__", ("eager",))
    problem = Problem(strip, lambda u: u.t - u.xx, conditions=[Initial(lambda x: sin(x), hard=True)])
    ends = []
    for compile in (False, True):
        training = [Slabs("t", 2), Adam(steps=3, compile=compile)]
        network = KAN(2, 2, 1, basis=Chebyshev(3)).on_box(strip.lower, strip.upper)
        ends.append(fit(problem, network, training, sampling=Sampling(interior=SIZE), seed=0).network.vector())
    assert torch.allclose(*ends, rtol=1e-9, atol=1e-11)
    assert not [record for record in caplog.records if record.name == "kanpde" and record.levelno >= logging.WARNING]


def test_modules_of_ones_own_are_not_compiled():
    module = Wrapped(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)), inputs=2, outputs=1)
    with pytest.raises(TypeError, match=r"Adam\(compile=True\) is for KAN, SeparableKAN and MLP"):
        fit(PROBLEMS["hard and soft"], module, [Adam(steps=2, compile=True)], sampling=Sampling(interior=40), seed=0)
