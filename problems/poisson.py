"""Poisson's equation on a square.

    u_xx + u_yy = -2 pi^2 sin(pi x) sin(pi y)   in (-1, 1)^2
              u = 0                             on the boundary

The solution is sin(pi x) sin(pi y).
"""

from kanpde import KAN, Box, Chebyshev, Dirichlet, Experiment, Extract, LevenbergMarquardt, Problem, Refine, VariableProjection
from kanpde.functions import pi, sin

square = Box(x=(-1, 1), y=(-1, 1))


def exact(x, y):
    return sin(pi * x) * sin(pi * y)


def poisson(u, x, y):
    return u.xx + u.yy + 2 * pi**2 * exact(x, y)


experiment = Experiment(
    Problem(square, poisson, conditions=[Dirichlet(0, on=square.boundary, hard=True)], exact=exact),
    model=KAN(2, 8, 1, basis=Chebyshev(degree=8)),
    training=[LevenbergMarquardt(steps=120, patience=60), VariableProjection(steps=120, patience=60), Refine(12, 16, 20, 24)],
    callbacks=[Extract()],
)
