"""Two solitons of the Korteweg-de Vries equation collide, seen from between them.

    u_t - c u_x + 6 u u_x + u_xxx = 0   in (-8, 8) x (0, 2),    u given at the start and at both ends, and u_x at x = 8

with c = 4: the equation u_t + 6 u u_x + u_xxx = 0 for solitons of speeds 6 and 2 in a frame of speed c, in which they come from -2 and 2
and meet at x = 0, t = 1. The solution is 8 (6 cosh^2 b + 2 sinh^2 a) / (..)^2 with
(..) = (sqrt 6 - sqrt 2) cosh(a + b) + (sqrt 6 + sqrt 2) cosh(a - b), 2 a = sqrt 6 (x + 2 - 2 t), 2 b = sqrt 2 (x - 2 + 2 t)
(Hirota, Phys. Rev. Lett. 27, 1971, 1192).
"""

from dataclasses import replace

from kanpde import (
    Box,
    Chebyshev,
    Dirichlet,
    Experiment,
    Extract,
    Initial,
    LevenbergMarquardt,
    Neumann,
    Problem,
    SeparableKAN,
    Slabs,
)
from kanpde.functions import cosh, sinh, sqrt

strip = Box(x=(-8, 8), t=(0, 2))


def parts(x, t):
    """Numerator and denominator of the solution, and their derivatives by x."""
    k, m = sqrt(6), sqrt(2)
    a, b = k * (x + 2 - 2 * t) / 2, m * (x - 2 + 2 * t) / 2
    above = 6 * cosh(b) ** 2 + 2 * sinh(a) ** 2
    below = (k - m) * cosh(a + b) + (k + m) * cosh(a - b)
    above_x = 6 * m * cosh(b) * sinh(b) + 2 * k * sinh(a) * cosh(a)
    below_x = 2 * sinh(a + b) + 2 * sinh(a - b)
    return above, below, above_x, below_x


def exact(x, t):
    above, below, *_ = parts(x, t)
    return 8 * above / below**2


def slope(x, t):
    above, below, above_x, below_x = parts(x, t)
    return 8 * (above_x * below - 2 * above * below_x) / below**3


def kdv(u, c):
    return u.t - c * u.x + 6 * u * u.x + u.xxx


steps = LevenbergMarquardt(steps=20, damping=1e-6, acceleration=False, patience=3, progress=0.3)
experiment = Experiment(
    Problem(
        strip,
        kdv,
        conditions=[
            Initial(lambda x: exact(x, 0), weight=1e4),
            Dirichlet(exact, on=strip.boundary, weight=1e4),
            Neumann(slope, on=strip.side(x=8)),
        ],
        parameters=dict(c=4),
        exact=exact,
    ),
    model=SeparableKAN(2, 1, rank=10, basis=(Chebyshev(degree=100), Chebyshev(degree=8))),
    training=[Slabs("t", 16), steps],
    quick=[Slabs("t", 4), replace(steps, steps=5)],
    callbacks=[Extract()],
)
