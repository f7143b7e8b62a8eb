"""Continual learning: five peaks, shown one after another; and heat on a rod, window by window.

    y(x) = sum over c of exp(-300 (x - c)^2),   c = -0.8, -0.4, 0, 0.4, 0.8,   500 equidistant points of [-1, 1], 100 of them a task
    u_t = u_xx / 20,   u(x, 0) = sin(pi x) + sin(3 pi x) / 2,   u(+-1, t) = 0,   t in [0, 1] in four windows

One network learns task after task and never sees an earlier one again (Liu et al., arXiv 2404.19756, section 3.5). ``<network>-<remedy>``:
one layer [1, 1] of 203 parameters (cubic ... fourier), two layers [1, 5, 1] (deep, chebyshev), MLPs. Errors are root mean squares at
1,000 points of each fifth that no training sees; of heat relative L2.
"""

import numpy as np

from kanpde import KAN, MLP, Box, BSpline, Chebyshev, Dataset, Dirichlet, Fourier, Initial, LevenbergMarquardt, Problem, Regression, Sampling
from kanpde.continual import Continual, Elastic, FreezeReached, Rehearse, Replay, Stay, Windows
from kanpde.functions import exp, pi, sin
from kanpde.retention_figures import matrices, over_phases, phases
from kanpde.schedule import Until


def peaks(x):
    return sum(np.exp(-300 * (x - c) ** 2) for c in (-0.8, -0.4, 0, 0.4, 0.8))


def fifth(k):
    """The regression of one peak: its 100 points, and 1,000 others between its borders to test on."""
    x = np.concatenate([np.linspace(-1, 1, 500)[100 * k : 100 * (k + 1)], -1 + 0.4 * (k + (np.arange(1000) + 0.5) / 1000)])
    columns = dict(x=x, y=peaks(x), split=np.repeat(["train", "test"], [100, 1000]))
    return Regression(Dataset(columns, inputs=["x"], targets=["y"], split="split", ranges=dict(x=(-1, 1))), metrics=("rmse", "max_error"))


five = [fifth(k) for k in range(5)]
bases = dict(cubic=BSpline(3, 200), quartic=BSpline(4, 199), quintic=BSpline(5, 198), septic=BSpline(7, 196), fourier=Fourier(101))
until = [LevenbergMarquardt(steps=60, patience=10), Until(loss=1e-11)]
alone, elastic, samples = [], [Elastic()], [Stay(1e-10), Replay(20)]
# of several layers: what keeps parameters that no task determines, and the remedies beside it
deep_remedies = {
    "none": [Stay(1e-10)],
    "freeze": [Stay(1e-8), FreezeReached()],
    "elastic": [Stay(1e-8), Elastic(100)],
    "rehearse": [Stay(1e-10), Rehearse(100)],
    "replay": [Stay(1e-10), Replay(20)],
}
networks = {
    "deep": KAN(1, 5, 1, basis=[BSpline(3, 60), BSpline(3, 4)], hidden="range", outside="continue", init="identity"),
    "chebyshev": KAN(1, 5, 1, basis=[Chebyshev(60), Chebyshev(5)], init="small"),
    "mlp": MLP(1, 16, 16, 1),
}

rod = Box(x=(-1, 1), t=(0, 1))


def warmth(x, t):
    return exp(-(pi**2) * t / 20) * sin(pi * x) + exp(-9 * pi**2 * t / 20) * sin(3 * pi * x) / 2


heat = Problem(
    rod,
    lambda u: u.t - u.xx / 20,
    conditions=[Initial(lambda x: sin(pi * x) + sin(3 * pi * x) / 2), Dirichlet(0, on=rod.boundary, hard=True)],
    exact=warmth,
)
windows = {"none": [], "elastic": [Elastic(100)], "rehearse": [Rehearse(200)], "replay": [Replay(100)]}

experiments = {
    **{f"{name}-none": Continual(five, KAN(1, 1, basis=basis), LevenbergMarquardt(steps=10)) for name, basis in bases.items()},
    **{f"{name}-elastic": Continual(five, KAN(1, 1, basis=basis), LevenbergMarquardt(steps=10), Elastic()) for name, basis in bases.items()},
    **{
        f"{name}-{key}": Continual(five, model, until, remedies)
        for name, model in networks.items()
        for key, remedies in deep_remedies.items()
        if key != "freeze" or name == "deep"
    },
    **{
        f"heat-{key}": Continual(
            Windows(heat, 4), KAN(2, 4, 1, basis=Chebyshev(10)), LevenbergMarquardt(steps=60, patience=10), remedies, sampling=sampling
        )
        for key, remedies in windows.items()
    },
}
