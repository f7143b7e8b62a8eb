"""Poisson's equation in many dimensions, laplacian(u) = f in (0, 1)^d with the solution's values on the boundary, for

    cosines   sum cos(pi x_i)                d = 5
    pairs     sum x_{2i-1} x_{2i}            d = 10
    squares   sum x_i^2                      d = 100
    ridge     sin(sum x_i / sqrt(d))         d = 10
    product   prod sin(pi x_i)               d = 5

The first and third are sums of functions of one coordinate each, which one layer of edges represents and one linear least-squares
problem finds; the second and last are sums of products; the fourth is a function of a sum, a KAN of two layers.
"""

from functools import reduce
from operator import mul

from kanpde import (
    KAN,
    Box,
    Chebyshev,
    Dirichlet,
    Experiment,
    GaussNewton,
    LevenbergMarquardt,
    Problem,
    Refine,
    Sampling,
    SeparableKAN,
    laplacian,
)
from kanpde.functions import cos, pi, sin, sqrt


def problem(d, exact, source, *, hard=False):
    cube = Box.cube(d, 0, 1)
    boundary = Dirichlet(0 if hard else exact, on=cube.boundary, hard=hard)
    return Problem(cube, lambda u, x: laplacian(u) - source(x), conditions=[boundary], exact=exact)


def cosines(x):
    return sum(cos(pi * xi) for xi in x)


def pairs(x):
    return sum(a * b for a, b in zip(x[::2], x[1::2], strict=True))


def squares(x):
    return sum(xi**2 for xi in x)


def ridge(x):
    return sin(sum(x) / sqrt(len(x)))


def product(x):
    return reduce(mul, (sin(pi * xi) for xi in x))


lm = LevenbergMarquardt
experiments = {
    "cosines": Experiment(problem(5, cosines, lambda x: -(pi**2) * cosines(x)), KAN(5, 1, basis=Chebyshev(degree=18)), [GaussNewton()]),
    "pairs": Experiment(problem(10, pairs, lambda x: 0), SeparableKAN(10, 1, rank=8, basis=Chebyshev(degree=1)), [lm(steps=100)]),
    "squares": Experiment(problem(100, squares, lambda x: 200), KAN(100, 1, basis=Chebyshev(degree=2)), [GaussNewton()]),
    "ridge": Experiment(
        problem(10, ridge, lambda x: -ridge(x)),
        KAN(10, 2, 1, basis=Chebyshev(degree=4)),
        [lm(steps=100), Refine(6, 8, 11, 14)],
        quick=[lm(steps=30)],  # relative L2 4e-6
    ),
    "product": Experiment(
        problem(5, product, lambda x: -5 * pi**2 * product(x), hard=True),
        SeparableKAN(5, 1, rank=2, basis=Chebyshev(degree=14)),
        [lm(steps=60)],
        sampling=Sampling(interior=1000),
    ),
}
