"""The wave equation of a string in two modes, one several times faster than the other.

    u_tt = c^2 u_xx   in (0, 1) x (0, 1),      u = 0 at both ends
    u(x, 0) = sin(pi x) + 1/2 sin(beta pi x),  u_t(x, 0) = 0

with c = 2, beta = 4 as in Wang, Yu and Perdikaris (J. Comput. Phys. 449, 2022, 110768). The solution is
sin(pi x) cos(c pi t) + 1/2 sin(beta pi x) cos(c beta pi t).
"""

from kanpde import (
    Box,
    Chebyshev,
    Dirichlet,
    Experiment,
    Extract,
    Initial,
    InitialVelocity,
    LevenbergMarquardt,
    Problem,
    Refine,
    SeparableKAN,
)
from kanpde.functions import cos, pi, sin

string = Box(x=(0, 1), t=(0, 1))


def exact(x, t, beta, c):
    return sin(pi * x) * cos(c * pi * t) + sin(beta * pi * x) * cos(c * beta * pi * t) / 2


def start(x, beta):
    return sin(pi * x) + sin(beta * pi * x) / 2


def wave(u, c):
    return u.tt - c**2 * u.xx


experiment = Experiment(
    Problem(
        string,
        wave,
        conditions=[
            Dirichlet(0, on=string.boundary, hard=True),
            Initial(start, hard=True),
            InitialVelocity(0),
        ],
        parameters=dict(beta=4, c=2),
        exact=exact,
    ),
    model=SeparableKAN(2, 1, rank=4, basis=Chebyshev(degree=24)),
    training=[LevenbergMarquardt(steps=60), Refine(36, 44)],
    callbacks=[Extract()],
)
