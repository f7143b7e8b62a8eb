"""Heat conduction in a rod, and in the four-dimensional cube.

    u_t = u_xx / 4    in (0, 1) x (0, 1),    u = 0 at both ends,    u(x, 0) = sin(pi x)

with the solution exp(-pi^2 t / 4) sin(pi x), and

    u_t = laplacian(u) / 4   in (0, 1)^4 x (0, 1)

with the values of exp(-t) (sin(2 x1) + ... + sin(2 x4)) at the start and on the boundary.
"""

from kanpde import (
    Box,
    Chebyshev,
    Dirichlet,
    Experiment,
    Extract,
    Initial,
    LevenbergMarquardt,
    Problem,
    Refine,
    Sampling,
    SeparableKAN,
    laplacian,
)
from kanpde.functions import exp, pi, sin

rod = Box(x=(0, 1), t=(0, 1))
cube = Box(x1=(0, 1), x2=(0, 1), x3=(0, 1), x4=(0, 1), t=(0, 1))


def rod_exact(x, t):
    return exp(-(pi**2) * t / 4) * sin(pi * x)


def cube_exact(x1, x2, x3, x4, t):
    return exp(-t) * (sin(2 * x1) + sin(2 * x2) + sin(2 * x3) + sin(2 * x4))


def heat(u):
    return u.t - laplacian(u) / 4


experiments = {
    "rod": Experiment(
        Problem(
            rod,
            heat,
            conditions=[Dirichlet(0, on=rod.boundary, hard=True), Initial(lambda x: sin(pi * x), hard=True)],
            exact=rod_exact,
        ),
        model=SeparableKAN(2, 1, rank=2, basis=Chebyshev(degree=10)),
        training=[LevenbergMarquardt(steps=40), Refine(14, 18)],
        callbacks=[Extract()],
    ),
    "cube": Experiment(
        Problem(cube, heat, conditions=[Dirichlet(cube_exact, on=cube.boundary), Initial(cube_exact)], exact=cube_exact),
        model=SeparableKAN(5, 1, rank=4, basis=Chebyshev(degree=8)),
        training=[LevenbergMarquardt(steps=60), Refine(12, 15)],
        callbacks=[Extract()],
        sampling=Sampling(interior=1000),
    ),
}
