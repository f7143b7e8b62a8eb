"""Toy functions: how the error of a KAN falls with its grid, down to the best that splines can do; and an MLP beside it.

    bumps     exp(sin(pi x) + y^2)                                        on (-1, 1)^2,   [2, 1, 1]
    rings     exp((sin(pi (x1^2 + x2^2)) + sin(pi (x3^2 + x4^2))) / 2)    on (-1, 1)^4,   [4, 2, 1, 1]
    bessel    J0(20 x)                                                    on (0, 1),      [1, 1]
    product   x y                                                         on (-1, 1)^2,   [2, 2, 1]
    hundred   exp(sum of sin^2(pi xi / 2) / 100)                          on (-1, 1)^100, [100, 1, 1]

from 3,000 samples each (Liu et al., arXiv 2404.19756, figures 2.3 and 3.1). ``cubic`` are splines with equal intervals, as there;
``quintic`` and ``chebyshev`` have no more parameters. No training sees the validation points.
"""

import numpy as np
from scipy.special import j0

from kanpde import (
    KAN,
    MLP,
    AdaptRanges,
    Box,
    BSpline,
    Chebyshev,
    Dataset,
    Experiment,
    LevenbergMarquardt,
    Record,
    Refine,
    Regression,
    Smooth,
    Starts,
)
from kanpde.functions import exp, pi, sin
from kanpde.scaling import scaling

square, four = Box(x=(-1, 1), y=(-1, 1)), Box.cube(4, -1, 1)
functions = {
    "bumps": (lambda x, y: exp(sin(pi * x) + y**2), square),
    "rings": (lambda x1, x2, x3, x4: exp((sin(pi * (x1**2 + x2**2)) + sin(pi * (x3**2 + x4**2))) / 2), four),
    "bessel": (lambda x: j0(20 * x), Box(x=(0, 1))),
    "product": (lambda x, y: x * y, square),
    "hundred": (lambda x: np.exp(sum(np.sin(np.pi * each / 2) ** 2 for each in x) / 100), Box.cube(100, -1, 1)),
}
data = {name: Dataset.of(*each, targets=["f"], train=3000, validation=10_000, test=10_000) for name, each in functions.items()}


def ladder(name, *widths, basis, finer, starts=8, init="random"):
    """From the best of some starts up to finer bases; the ranges of hidden nodes follow, and Smooth settles what no sample reaches."""
    hidden, splines = len(widths) > 2, isinstance(basis, BSpline)
    return Experiment(
        Regression(data[name]),
        KAN(*widths, basis=basis, hidden="range", outside="continue" if splines else None, init=init),
        [
            *([Starts(starts)] if hidden and starts > 1 else []),
            *(LevenbergMarquardt(steps=40, patience=6), *([Smooth(1e-6, of="jumps")] if splines else [])),
            *([AdaptRanges(margin=0.01)] if hidden else []),
            Refine(*finer, uniform=True),
        ],
        callbacks=[Record(parameters=lambda run: run.fit.network.parameter_count)],
    )


experiments = {
    "bumps-cubic": ladder("bumps", 2, 1, 1, basis=BSpline(3, 5), finer=(10, 20, 50, 100)),
    "bumps-quintic": ladder("bumps", 2, 1, 1, basis=BSpline(5, 5), finer=(10, 20, 50, 98)),
    "bumps-chebyshev": ladder("bumps", 2, 1, 1, basis=Chebyshev(5), finer=(8, 12, 16, 20, 24)),
    "rings-cubic": ladder("rings", 4, 2, 1, 1, basis=BSpline(3, 1), finer=(3, 5, 10, 20, 50)),
    "rings-chebyshev": ladder("rings", 4, 2, 1, 1, basis=Chebyshev(5), finer=(8, 12, 16, 20, 24, 28), starts=20),
    "bessel-cubic": ladder("bessel", 1, 1, basis=BSpline(3, 5), finer=(10, 20, 50, 100, 200)),
    "bessel-chebyshev": ladder("bessel", 1, 1, basis=Chebyshev(5), finer=(10, 20, 30, 40)),
    "product-cubic": ladder("product", 2, 2, 1, basis=BSpline(3, 3), finer=(6, 12)),
    "hundred-cubic": ladder("hundred", 100, 1, 1, basis=BSpline(3, 3), finer=(5, 10), starts=1, init="smooth"),
    **{
        f"{name}-mlp-{w}": Experiment(Regression(data[name]), model=MLP(inputs, w, w, 1), training=[LevenbergMarquardt(steps=100)])
        for name, inputs in (("bumps", 2), ("rings", 4))
        for w in (4, 8, 16)
    },
}
# the best root mean square error of cubic splines with so many equal intervals, which sin(pi x) sets
floors = {"bumps": {50: 4.3e-7, 100: 2.7e-8}, "rings": {50: 2.1e-7}}


def figures(results):
    return {"scaling": scaling(results, floors=floors)}
