"""The Poisson problem of the KAN paper (Liu et al., arXiv 2404.19756, section 3.4).

    u_xx + u_yy = f   in (-1, 1)^2
              u = 0   on the boundary

with f such that the solution is sin(pi x) sin(pi y^2).
"""

from kanpde import KAN, Box, Chebyshev, Dirichlet, Experiment, LevenbergMarquardt, Problem, Refine, VariableProjection
from kanpde.functions import cos, pi, sin

square = Box(x=(-1, 1), y=(-1, 1))


def exact(x, y):
    return sin(pi * x) * sin(pi * y**2)


def source(x, y):
    return sin(pi * x) * (2 * pi * cos(pi * y**2) - pi**2 * (1 + 4 * y**2) * sin(pi * y**2))


def poisson(u, x, y):
    return u.xx + u.yy - source(x, y)


experiment = Experiment(
    Problem(square, poisson, conditions=[Dirichlet(0, on=square.boundary, hard=True)], exact=exact),
    model=KAN(2, 8, 1, basis=Chebyshev(degree=8)),
    training=[LevenbergMarquardt(steps=120, patience=60), VariableProjection(steps=120, patience=60), Refine(12, 16, 20, 24)],
)
