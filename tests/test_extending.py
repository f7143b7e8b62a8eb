"""The one-file promise: a new basis, problem, optimizer or condition from outside the package, without touching it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

import kanpde
from kanpde import KAN, Basis, Box, Chebyshev, Condition, Dirichlet, Experiment, LevenbergMarquardt, Problem, Refine
from kanpde.functions import exp, pi, sin
from kanpde.optimizers import Step

square = Box(x=(0, 1), y=(0, 1))


def exact(x, y):
    return exp(x) * sin(pi * y)


def poisson(u, x, y):
    return u.xx + u.yy - (1 - pi**2) * exact(x, y)


# ---- a basis ----


@dataclass(frozen=True)
class Legendre(Basis):
    """P_0 ... P_degree by (k + 1) P_{k+1} = (2k + 1) x P_k - k P_{k-1}; P_{k+1}' = P_{k-1}' + (2k + 1) P_k (DLMF 18.9)."""

    degree: int
    resolution_field: ClassVar[str] = "degree"

    @property
    def size(self):
        return self.degree + 1

    def table(self, x, order):
        rows = [[torch.ones_like(x), x]]
        for k in range(1, self.degree):
            rows[0].append(((2 * k + 1) * x * rows[0][k] - k * rows[0][k - 1]) / (k + 1))
        for m in range(1, order + 1):
            rows.append([torch.zeros_like(x), torch.full_like(x, float(m == 1))])
            for k in range(1, self.degree):
                rows[m].append(rows[m][k - 1] + (2 * k + 1) * rows[m - 1][k])
        return torch.stack([torch.stack(row) for row in rows])

    def embedding(self, finer):
        return np.eye(finer.size, self.size)

    def quantile(self, u):
        return -np.cos(np.pi * u)


def test_a_new_basis():
    x = torch.linspace(-1, 1, 7, dtype=torch.float64)
    series = [np.polynomial.Legendre.basis(k).deriv(2)(x.numpy()) for k in range(5)]
    np.testing.assert_allclose(Legendre(4).table(x, 2)[2], series, rtol=0, atol=1e-12)

    result = Experiment(
        Problem(square, poisson, conditions=[Dirichlet(exact, on=square.boundary, hard=True)], exact=exact),
        model=KAN(2, 4, 1, basis=Legendre(degree=4)),
        training=[LevenbergMarquardt(steps=15), Refine(7)],
    ).run()
    assert result.metrics["relative_l2"] < 1e-5


# ---- a problem ----

HEAT = '''\
"""The heat equation on a rod.

    u_t = nu u_xx,   u(x, 0) = sin(pi x),   u(0, t) = u(1, t) = 0
"""

from kanpde import KAN, Box, Chebyshev, Dirichlet, Experiment, Initial, LevenbergMarquardt, Problem
from kanpde.functions import exp, pi, sin

rod = Box(x=(0, 1), t=(0, 1))


def exact(x, t, nu):
    return exp(-nu * pi**2 * t) * sin(pi * x)


def heat(u, nu):
    return u.t - nu * u.xx


experiment = Experiment(
    Problem(
        rod,
        heat,
        parameters=dict(nu=0.1),
        conditions=[Initial(lambda x: sin(pi * x), hard=True), Dirichlet(0, on=rod.boundary, hard=True)],
        exact=exact,
    ),
    model=KAN(2, 3, 1, basis=Chebyshev(degree=5)),
    training=[LevenbergMarquardt(steps=25)],
)
'''


def test_a_new_problem(tmp_path):
    (tmp_path / "heat.py").write_text(HEAT)
    program = Path(kanpde.__file__).parents[1] / "run_experiments.py"
    start = [str(program)] if program.exists() else ["-m", "kanpde.cli"]
    command = [sys.executable, *start, "heat.py", "--results", "out", "--no-figures", "--threads", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / "out" / "heat").glob("*.h5")
    assert kanpde.load(path).metrics["relative_l2"] < 1e-4


# ---- an optimizer ----


@dataclass(frozen=True)
class GradientDescent:
    """Gradient descent with the step lengths s's / s'y of Barzilai and Borwein (IMA J. Numer. Anal. 8, 1988, eq. 5)."""

    steps: int = 200
    rate: float = 1e-3
    patience: int = 200
    progress: float = 1.0

    def start(self, network):
        return Descending(self.rate)


class Descending:
    """The step length, and the parameters and the gradient of the step before."""

    def __init__(self, rate):
        self.rate, self.before = rate, None

    def state(self):
        return {"rate": self.rate, "before": self.before}

    def restore(self, state):
        self.rate, self.before = state["rate"], state["before"]

    def advance(self, objective, network):
        residual, gradient = objective.gradient(network)
        here = network.vector()
        if self.before is not None:
            moved, turned = here - self.before[0], gradient - self.before[1]
            self.rate = float(moved @ moved / (moved @ turned))
        self.before = (here, gradient)
        network.assign(here - self.rate * gradient)
        return Step(residual, self.rate)


def test_a_new_optimizer():
    line = Box(x=(0, 1))
    result = Experiment(
        Problem(line, lambda u: u.x + u, conditions=[Dirichlet(1, on=line.side(x=0), hard=True)], exact=lambda x: exp(-x)),
        model=KAN(1, 1, basis=Chebyshev(degree=6)),
        training=[GradientDescent()],
    ).run()
    assert result.metrics["relative_l2"] < 1e-6


# ---- a condition ----


def neumann_problem(slope):
    """Poisson with u_x = ``slope`` on the right and values on the other sides."""
    right = square.side(x=1)
    conditions = [Condition(lambda u, y: u.x - slope(y), on=right), Dirichlet(exact, on=square.boundary - right, hard=True)]
    return Problem(square, poisson, conditions=conditions, exact=exact)


def test_a_new_condition():
    model, training = KAN(2, 4, 1, basis=Chebyshev(degree=5)), [LevenbergMarquardt(steps=25)]
    result = Experiment(neumann_problem(lambda y: exp(1) * sin(pi * y)), model=model, training=training).run()
    assert result.metrics["relative_l2"] < 1e-4

    with pytest.raises(ValueError, match="condition"):  # the exact solution is held against it as against any other
        Experiment(neumann_problem(lambda y: sin(pi * y)), model=model, training=training).run()
