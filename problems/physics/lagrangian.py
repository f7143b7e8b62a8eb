"""The Lagrangian of a relativistic mass under a constant force, from its equation of motion q'' = (1 - q'^2)^(3/2).

    d/dt L_v - L_q = L_qv v + L_vv (1 - v^2)^(3/2) - L_q = 0   for v = q' in (-1, 1), q in (-2, 2)

One layer of functions, L = T(v) - V(q), says that momentum is the same everywhere. What is left open, a factor, d/dt of a function of q,
and a constant, is chosen by a force L_q = 1, no momentum at rest, and L = -1 there: then L = q - sqrt(1 - v^2).

Liu et al., KAN 2.0, arXiv 2408.10205.
"""

import kanpde as kp
from kanpde.functions import sqrt

FASTEST = 1 - 1e-6
phases = kp.Box(q=(-2, 2), v=(-FASTEST, FASTEST))


def exact(q, v):
    return q - sqrt(1 - v**2)


def euler_lagrange(L, v):
    return L.qv * v + L.vv * sqrt(1 - v**2) ** 3 - L.q


experiment = kp.Experiment(
    kp.Problem(
        phases,
        euler_lagrange,
        conditions=[
            kp.Neumann(1, on=phases.side(q=2)),
            kp.Periodic("v", order=1),
            kp.Point(-1, at=dict(q=0, v=0)),
        ],
        exact=exact,
    ),
    model=kp.KAN(2, 1, basis=kp.PerInput((kp.Chebyshev(16), kp.Mapped(kp.Chebyshev(16), kp.ArcsineMap(FASTEST))))),
    training=[kp.GaussNewton()],
    callbacks=[kp.Extract()],
)
