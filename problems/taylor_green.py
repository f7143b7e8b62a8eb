"""The Taylor-Green vortex: unsteady Navier-Stokes in a periodic square.

    u_t + u u_x + v u_y + p_x = nu laplacian(u)
    v_t + u v_x + v v_y + p_y = nu laplacian(v)      in (0, 2 pi)^2 x (0, 1)
                    u_x + v_y = 0

with nu = 0.01, all periodic, u = -cos x sin y and v = sin x cos y at the start, and p = 0 at x = pi/2, y = 0, for it is determined up to a
function of time (Taylor and Green, Proc. R. Soc. A 158, 1937, 499). The solution is that start times e^(-2 nu t), and
p = -(cos 2x + cos 2y) e^(-4 nu t)/4.
"""

from kanpde import (
    Box,
    Chebyshev,
    Experiment,
    Extract,
    Fourier,
    Initial,
    LevenbergMarquardt,
    Periodic,
    Point,
    Problem,
    SeparableKAN,
    laplacian,
)
from kanpde.functions import cos, exp, pi, sin

torus = Box(x=(0, 2 * pi), y=(0, 2 * pi), t=(0, 1))


def exact(x, y, t, nu):
    decay = exp(-2 * nu * t)
    return -cos(x) * sin(y) * decay, sin(x) * cos(y) * decay, -(cos(2 * x) + cos(2 * y)) / 4 * decay**2


def navier_stokes(u, v, p, nu):
    return (
        u.t + u * u.x + v * u.y + p.x - nu * laplacian(u),
        v.t + u * v.x + v * v.y + p.y - nu * laplacian(v),
        u.x + v.y,
    )


experiment = Experiment(
    Problem(
        torus,
        navier_stokes,
        parameters=dict(nu=0.01),
        conditions=[
            Periodic("x"),
            Periodic("y"),
            Initial(u=lambda x, y: -cos(x) * sin(y), v=lambda x, y: sin(x) * cos(y)),
            Point(p=0, at=[dict(x=pi / 2, y=0, t=k / 8) for k in range(9)]),
        ],
        exact=exact,
    ),
    model=SeparableKAN(3, 3, rank=3, basis=(Fourier(4), Fourier(4), Chebyshev(degree=6))),
    training=[LevenbergMarquardt(steps=60)],
    callbacks=[Extract()],
)
