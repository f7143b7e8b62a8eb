"""Two solitons of the Korteweg-de Vries equation: the faster overtakes the slower.

    u_t + 6 u u_x + u_xxx = 0   in (0, 20) x (0, 5),    u given at the start and at both ends, and u_x at x = 20

for the speeds 6 and 2 and the places -2 and 2 at the start, as 8 (6 cosh^2 b + 2 sinh^2 a) / (..)^2 with
(..) = (sqrt 6 - sqrt 2) cosh(a + b) + (sqrt 6 + sqrt 2) cosh(a - b), 2 a = sqrt 6 (x + 2 - 6 t), 2 b = sqrt 2 (x - 2 - 2 t)
(Hirota, Phys. Rev. Lett. 27, 1971, 1192).
"""

from kanpde import (
    Box,
    BSpline,
    Chebyshev,
    Dirichlet,
    Experiment,
    GaussNewton,
    Initial,
    Neumann,
    Problem,
    SeparableKAN,
    Slabs,
)
from kanpde.functions import cosh, sinh, sqrt

strip = Box(x=(0, 20), t=(0, 5))


def parts(x, t):
    """Numerator and denominator of the solution, and their derivatives by x."""
    k, m = sqrt(6), sqrt(2)
    a, b = k * (x + 2 - 6 * t) / 2, m * (x - 2 - 2 * t) / 2
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


def kdv(u):
    return u.t + 6 * u * u.x + u.xxx


experiment = Experiment(
    Problem(
        strip,
        kdv,
        conditions=[
            Initial(lambda x: exact(x, 0), hard=True),
            Dirichlet(exact, on=strip.boundary, hard=True),
            Neumann(slope, on=strip.side(x=20)),
        ],
        exact=exact,
    ),
    model=SeparableKAN(2, 1, rank=6, basis=(BSpline(7, 100), Chebyshev(degree=6))),
    training=[Slabs("t", 40), GaussNewton(steps=6)],
    quick=[Slabs("t", edges=(0, 5)), GaussNewton(steps=2)],
)
