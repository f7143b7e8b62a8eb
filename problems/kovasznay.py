"""Kovasznay's flow behind a row of cylinders: steady Navier-Stokes.

    u u_x + v u_y + p_x = laplacian(u) / Re
    u v_x + v v_y + p_y = laplacian(v) / Re      in (-1/2, 1) x (-1/2, 3/2),   u and v given on the boundary
              u_x + v_y = 0

with Re = 20, and p = 0 at one point of the outflow (Kovasznay, Proc. Cambridge Philos. Soc. 44, 1948, 58). The solution is
u = 1 - e^(l x) cos 2 pi y, v = l/(2 pi) e^(l x) sin 2 pi y, p = (1 - e^(2 l x))/2, with l = Re/2 - sqrt(Re^2/4 + 4 pi^2).
"""

from kanpde import Box, Chebyshev, Dirichlet, Experiment, Extract, LevenbergMarquardt, Point, Problem, Refine, SeparableKAN, laplacian
from kanpde.functions import cos, exp, pi, sin, sqrt

channel = Box(x=(-0.5, 1), y=(-0.5, 1.5))


def exponent(Re):
    return Re / 2 - sqrt(Re**2 / 4 + 4 * pi**2)


def velocity(x, y, Re):
    decay = exp(exponent(Re) * x)
    return 1 - decay * cos(2 * pi * y), exponent(Re) / (2 * pi) * decay * sin(2 * pi * y)


def exact(x, y, Re):
    return *velocity(x, y, Re), (1 - exp(2 * exponent(Re) * x)) / 2


def navier_stokes(u, v, p, Re):
    return (
        u * u.x + v * u.y + p.x - laplacian(u) / Re,
        u * v.x + v * v.y + p.y - laplacian(v) / Re,
        u.x + v.y,
    )


experiment = Experiment(
    Problem(
        channel,
        navier_stokes,
        parameters=dict(Re=20),
        conditions=[
            Dirichlet(
                u=lambda x, y, Re: velocity(x, y, Re)[0],
                v=lambda x, y, Re: velocity(x, y, Re)[1],
                on=channel.boundary,
            ),
            Point(p=0, at=dict(x=0, y=0.5)),
        ],
        exact=exact,
    ),
    model=SeparableKAN(2, 3, rank=3, basis=Chebyshev(degree=14)),
    training=[LevenbergMarquardt(steps=60), Refine(18, 24)],
    callbacks=[Extract()],
)
