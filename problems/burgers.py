"""Burgers' equation, whose solution steepens to a front a hundred times thinner than the domain.

    u_t + u u_x = nu u_xx   in (-1, 1) x (0, 1),    u = 0 at both ends,    u(x, 0) = -sin(pi x)

with nu = 0.01/pi as in Basdevant et al. (Comput. Fluids 14, 1986, 23). Nothing below says that the solution is odd, or where the front is.
"""

from dataclasses import replace

from kanpde import (
    KAN,
    AdaptMap,
    Box,
    Chebyshev,
    Continue,
    Dirichlet,
    Experiment,
    Initial,
    LevenbergMarquardt,
    Problem,
    Refine,
    Resample,
    Sampling,
    SeparableKAN,
    Slabs,
    Until,
)
from kanpde.functions import pi, sin
from kanpde.science.burgers import cole_hopf

strip = Box(x=(-1, 1), t=(0, 1))


def burgers(u, nu):
    return u.t + u * u.x - nu * u.xx


problem = Problem(
    strip,
    burgers,
    parameters=dict(nu=0.01 / pi),
    conditions=[Initial(lambda x: -sin(pi * x), hard=True), Dirichlet(0, on=strip.boundary, hard=True)],
    reference=cole_hopf,
)
composed = Experiment(
    problem,
    model=KAN(2, 8, 8, 1, basis=Chebyshev(degree=5)),
    training=[
        Continue(nu=[0.1 / pi, 0.03 / pi, 0.01 / pi]),
        LevenbergMarquardt(steps=60),
        Resample(every=10, candidates=30, power=0.7, floor=0.5),
        Refine(6, 7, 8, 9),
    ],
    sampling=Sampling(interior=8000),
    quick=[Continue(nu=[0.1 / pi, 0.03 / pi, 0.01 / pi]), LevenbergMarquardt(steps=18)],  # relative L2 3e-2
)
steps = LevenbergMarquardt(steps=3, damping=1e-6, acceleration=False)  # enough to see where the front is
separable = replace(
    composed,
    model=SeparableKAN(2, 1, rank=11, basis=(Chebyshev(degree=104), Chebyshev(degree=16))),
    training=[
        Slabs("t", 16),
        steps,
        AdaptMap("x", rounds=2),
        replace(steps, steps=25, patience=3, progress=0.3),
        Until(loss=1e-18),
    ],
    sampling=Sampling(),
    quick=[Slabs("t", 3), replace(steps, steps=2), AdaptMap("x", rounds=1)],
)
experiments = {"composed": composed, "separable": separable}
