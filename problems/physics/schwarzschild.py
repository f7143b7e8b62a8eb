"""The hidden symmetry of a black hole: a new time t' = t + f(r) in which space is flat.

    ds^2 = -(1 - 1/r) dt^2 + dr^2 / (1 - 1/r) + r^2 dOmega^2,   r in (1.2, 3), in units of the Schwarzschild radius

With dt = dt' - f_r dr the coefficient of dr^2 at constant t' is 1, as in flat space, where

    1 / (1 - 1/r) - (1 - 1/r) f_r^2 = 1

(Painleve, C. R. Acad. Sci. 173, 1921, 677). Of the solutions f = +-(2 sqrt r + log((sqrt r - 1)/(sqrt r + 1))) + constant, the condition
at r = 3 chooses the one of observers that fall in; Liu et al., KAN 2.0, arXiv 2408.10205, learn one by networks.
"""

import kanpde as kp
from kanpde.functions import log, sqrt

outside = kp.Box(r=(1.2, 3))


def exact(r):
    return 2 * sqrt(r) + log((sqrt(r) - 1) / (sqrt(r) + 1))


def flat(f, r):
    redshift = 1 - 1 / r
    return 1 / redshift - redshift * f.r**2 - 1


training = [kp.LevenbergMarquardt(steps=40), kp.Refine(4, 8, 12, 20, 30, 40)]
experiment = kp.Experiment(
    kp.Problem(outside, flat, conditions=[kp.Dirichlet(exact, on=outside.boundary, hard=True)], exact=exact),
    model=kp.KAN(1, 1, basis=kp.Chebyshev(2)),
    training=training,
    quick=training,  # it takes seconds anyway
    callbacks=[kp.Extract()],
)
