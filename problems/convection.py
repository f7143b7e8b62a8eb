"""Convection around a circle: a wave that travels many times its own length.

    u_t + beta u_x = 0,   u(x, 0) = sin(x),   u periodic in x on (0, 2 pi),   0 < t < 1

The solution is sin(x - beta t); beta = 50 as in Krishnapriyan et al. (NeurIPS 2021), where networks fail from beta = 10 on.
"""

from kanpde import Box, Chebyshev, Experiment, Extract, Fourier, Initial, LevenbergMarquardt, Periodic, Problem, SeparableKAN
from kanpde.functions import pi, sin

circle = Box(x=(0, 2 * pi), t=(0, 1))


def exact(x, t, beta):
    return sin(x - beta * t)


def convection(u, beta):
    return u.t + beta * u.x


experiment = Experiment(
    Problem(
        circle,
        convection,
        conditions=[Periodic("x"), Initial(lambda x: sin(x), hard=True)],
        parameters=dict(beta=50),
        exact=exact,
    ),
    model=SeparableKAN(2, 1, rank=3, basis=(Fourier(2), Chebyshev(degree=80))),
    training=[LevenbergMarquardt(steps=60)],
    callbacks=[Extract()],
)
