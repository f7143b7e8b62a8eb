"""Helmholtz' equation on a square, with a solution that oscillates four times faster in y than in x.

    u_xx + u_yy + k^2 u = q   in (-1, 1)^2
                      u = 0   on the boundary

with q such that the solution is sin(a1 pi x) sin(a2 pi y); a1 = 1, a2 = 4, k = 1 as in Wang, Teng and Perdikaris
(SIAM J. Sci. Comput. 43, 2021, A3055). ``--set problem.parameters.k=10`` and the like give other cases.
"""

from dataclasses import replace

from kanpde import KAN, Box, Chebyshev, Dirichlet, Experiment, LevenbergMarquardt, Problem, Refine, SeparableKAN, VariableProjection
from kanpde.functions import pi, sin

square = Box(x=(-1, 1), y=(-1, 1))


def exact(x, y, a1, a2):
    return sin(a1 * pi * x) * sin(a2 * pi * y)


def helmholtz(u, x, y, a1, a2, k):
    q = (k**2 - (a1**2 + a2**2) * pi**2) * exact(x, y, a1, a2)
    return u.xx + u.yy + k**2 * u - q


composed = Experiment(
    Problem(
        square,
        helmholtz,
        conditions=[Dirichlet(0, on=square.boundary, hard=True)],
        parameters=dict(a1=1, a2=4, k=1),
        exact=exact,
    ),
    model=KAN(2, 8, 1, basis=Chebyshev(degree=8)),
    training=[LevenbergMarquardt(steps=120, patience=30), VariableProjection(steps=120, patience=30), Refine(12, 16, 20, 24, 28)],
)
separable = replace(
    composed,
    model=SeparableKAN(2, 1, rank=3, basis=Chebyshev(degree=16)),
    training=[LevenbergMarquardt(steps=40, acceleration=False, patience=5, progress=0.3), Refine(40)],
)
experiments = {"separable": separable, "composed": composed}
