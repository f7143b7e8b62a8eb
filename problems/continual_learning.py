"""Continual learning: five peaks, shown one after another; and heat on a rod, window by window.

    y(x) = sum over c of exp(-300 (x - c)^2),   c = -0.8, -0.4, 0, 0.4, 0.8,   500 equidistant points of [-1, 1], 100 of them a task
    u_t = u_xx / 20,   u(x, 0) = sin(pi x) + sin(3 pi x) / 2,   u(+-1, t) = 0,   t in [0, 1] in four windows

One network learns task after task and never sees an earlier one again (Liu et al., arXiv 2404.19756, section 3.5): ``<network>-<remedy>``,
one layer [1, 1] of 203 parameters (cubic ... fourier), two layers [1, 5, 1] (splines, chebyshev), an MLP. Errors are root mean squares
at 1,000 points of each fifth that no training sees; of heat relative L2 on a grid.
"""

import numpy as np

import kanpde as kp
from kanpde.continual.scores import retention_table
from kanpde.functions import exp, pi, sin
from kanpde.retention_figures import matrices, over_phases, phases


def peaks(x):
    return sum(np.exp(-300 * (x - c) ** 2) for c in (-0.8, -0.4, 0, 0.4, 0.8))


def fifth(k):
    """The regression of one peak: its 100 points, and 1,000 others between its borders to test on."""
    x = np.concatenate([np.linspace(-1, 1, 500)[100 * k : 100 * (k + 1)], -1 + 0.4 * (k + (np.arange(1000) + 0.5) / 1000)])
    columns = dict(x=x, y=peaks(x), split=np.repeat(["train", "test"], [100, 1000]))
    return kp.Regression(kp.Dataset(columns, inputs=["x"], targets=["y"], split="split", ranges=dict(x=(-1, 1))), metrics=["rmse"])


rod = kp.Box(x=(-1, 1), t=(0, 1))
heat = kp.Problem(
    rod,
    lambda u: u.t - u.xx / 20,
    conditions=[kp.Initial(lambda x: sin(pi * x) + sin(3 * pi * x) / 2), kp.Dirichlet(0, on=rod.boundary, hard=True)],
    exact=lambda x, t: exp(-(pi**2) * t / 20) * sin(pi * x) + exp(-9 * pi**2 * t / 20) * sin(3 * pi * x) / 2,
)

five, windows = [fifth(k) for k in range(5)], kp.Windows(heat, 4)
at_once, of_rod = [kp.LevenbergMarquardt(steps=8)], [kp.Starts(4), kp.LevenbergMarquardt(steps=100, patience=25)]
steps, quick = ([kp.LevenbergMarquardt(steps=n, patience=30), kp.Until(loss=1e-11)] for n in (150, 8))
# with the test error of a least-squares fit to all 500 points at once
bases = {
    "cubic": (kp.BSpline(3, 200), 4.02e-6),
    "quartic": (kp.BSpline(4, 199), 3.73e-7),
    "quintic": (kp.BSpline(5, 198), 4.01e-8),
    "septic": (kp.BSpline(7, 196), 6.57e-10),
    "nonic": (kp.BSpline(9, 194), 1.57e-11),
    "fourier": (kp.Fourier(101), 6.78e-8),
}
layers = {
    "splines": kp.KAN(1, 5, 1, basis=[kp.BSpline(3, 60), kp.BSpline(3, 4)], hidden="range", outside="continue", init="identity"),
    "chebyshev": kp.KAN(1, 5, 1, basis=[kp.Chebyshev(60), kp.Chebyshev(4)], init="small"),
    "mlp": kp.MLP(1, 16, 16, 1),
}
# Stay settles what no task determines; what keeps from forgetting stands beside it
remedies = {
    "none": [kp.Stay(1e-10)],
    "freeze": [kp.Stay(1e-8), kp.FreezeReached()],
    "elastic": [kp.Stay(1e-8), kp.Elastic(1e4)],
    "rehearse": [kp.Stay(1e-10), kp.Rehearse(100)],
    "replay": [kp.Stay(1e-10), kp.Replay(20)],
}
of_heat = {"none": [kp.Stay(1e-10)], "elastic": [kp.Stay(1e-8), kp.Elastic()]}
of_heat |= {"rehearse": [kp.Stay(1e-10), kp.Rehearse(200, weight=100)], "replay": [kp.Stay(1e-10), kp.Replay(100)]}
rod_network, points = kp.KAN(2, 4, 1, basis=kp.Chebyshev(10)), kp.Sampling(interior=400, per_side=60)

one = {name: kp.KAN(1, 1, basis=basis) for name, (basis, _) in bases.items()}
several = [*((name, key) for name in ("splines", "mlp") for key in remedies), ("chebyshev", "none"), ("chebyshev", "rehearse")]
several.remove(("mlp", "freeze"))  # which has no local functions
experiments = {
    **{f"{name}-none": kp.Continual(five, network, at_once, quick=at_once) for name, network in one.items()},
    **{f"{name}-elastic": kp.Continual(five, network, at_once, [kp.Elastic()], quick=at_once) for name, network in one.items()},
    **{f"{name}-{key}": kp.Continual(five, layers[name], steps, remedies[key], quick=quick) for name, key in several},
    **{f"heat-{key}": kp.Continual(windows, rod_network, of_rod, each, points, quick[:1]) for key, each in of_heat.items()},
}


def tables(results):
    return retention_table(results, floors={name: floor for name, (_, floor) in bases.items()})


def figures(results):
    first = {each.experiment.removesuffix("-quick"): each for each in results if each.provenance["seed"] == results[0].provenance["seed"]}
    shown = [first[key] for key in first if key in ("cubic-none", "fourier-none", "splines-none", "splines-rehearse", "mlp-none")]
    found = {"phases": phases(shown, exact=peaks)} if shown else {}
    for name, networks, error in (("peaks", ("quintic", "fourier", *layers), "test_rmse"), ("heat", ("heat",), "relative_l2")):
        some = [first[key] for key in first if key.split("-")[0] in networks]
        found |= {f"{name}-retention": matrices(some, error), f"{name}-errors": over_phases(some, error)} if some else {}
    return found
