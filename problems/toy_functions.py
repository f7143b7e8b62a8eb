"""Toy functions: how the error of a KAN falls with its grid, down to the best that splines can do; and an MLP beside it.

    exp(sin(pi x) + y^2)                                        on (-1, 1)^2,  [2, 1, 1]
    exp((sin(pi (x1^2 + x2^2)) + sin(pi (x3^2 + x4^2))) / 2)    on (-1, 1)^4,  [4, 2, 1, 1]
    J0(20 x)                                                    on (0, 1),     [1, 1]
    x y                                                         on (-1, 1)^2,  [2, 2, 1]
    exp(sum of sin^2(pi xi / 2) / 100)                          on (-1, 1)^100, [100, 1, 1]

from 3,000 samples each (Liu et al., KAN: Kolmogorov-Arnold Networks, arXiv 2404.19756, figures 2.3 and 3.1). ``cubic`` are cubic splines
with equal intervals, as there; ``chebyshev`` and ``quintic`` have no more parameters. The validation points are seen by no training.
"""

import numpy as np
from scipy.special import j0

from kanpde import (
    KAN,
    MLP,
    AdaptRanges,
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


def bumps(x, y):
    return exp(sin(pi * x) + y**2)


def rings(x1, x2, x3, x4):
    return exp((sin(pi * (x1**2 + x2**2)) + sin(pi * (x3**2 + x4**2))) / 2)


def bessel(x):
    return j0(20 * x)


def product(x, y):
    return x * y


def hundred(x):
    return np.exp(sum(np.sin(np.pi * each / 2) ** 2 for each in x) / 100)


square = {"x": (-1, 1), "y": (-1, 1)}
samples = {"train": 3000, "validation": 10_000, "test": 10_000}
data = {
    "bumps": Dataset.of(bumps, **samples, **square),
    "rings": Dataset.of(rings, **samples, x1=(-1, 1), x2=(-1, 1), x3=(-1, 1), x4=(-1, 1)),
    "bessel": Dataset.of(bessel, **samples, x=(0, 1)),
    "product": Dataset.of(product, **samples, **square),
}
counted = [Record(parameters=lambda run: run.fit.network.parameter_count)]
descent = LevenbergMarquardt(steps=40, patience=5)


def splines(name, *widths, degree=3, grids, starts=8):
    """A ladder of grids with equal intervals; the ranges of hidden nodes follow, and Smooth settles what no sample reaches."""
    first, *finer = grids
    return Experiment(
        Regression(data[name]),
        model=KAN(*widths, basis=BSpline(degree, first), hidden="range"),
        training=[
            *([Starts(starts)] if starts > 1 else []),
            descent,
            Smooth(1e-6, of="jumps"),
            *([AdaptRanges(margin=0.01)] if len(widths) > 2 else []),
            Refine(*finer, uniform=True),
        ],
        callbacks=counted,
    )


def polynomials(name, *widths, degrees, starts=8):
    first, *higher = degrees
    return Experiment(
        Regression(data[name]),
        model=KAN(*widths, basis=Chebyshev(first), hidden="range"),
        training=[
            *([Starts(starts)] if starts > 1 else []),
            descent,
            *([AdaptRanges(margin=0.01)] if len(widths) > 2 else []),
            Refine(*higher),
        ],
        callbacks=counted,
    )


def perceptron(name, *widths):
    return Experiment(Regression(data[name]), model=MLP(*widths), training=LevenbergMarquardt(steps=100))


experiments = {
    "bumps-cubic": splines("bumps", 2, 1, 1, grids=(5, 10, 20, 50, 100)),
    "bumps-quintic": splines("bumps", 2, 1, 1, degree=5, grids=(5, 10, 20, 50, 98)),
    "bumps-chebyshev": polynomials("bumps", 2, 1, 1, degrees=(5, 8, 12, 16, 20, 24)),
    "rings-cubic": splines("rings", 4, 2, 1, 1, grids=(1, 3, 5, 10, 20, 50)),
    "rings-chebyshev": polynomials("rings", 4, 2, 1, 1, degrees=(5, 8, 12, 16, 20, 24, 28), starts=20),
    "bessel-cubic": splines("bessel", 1, 1, grids=(5, 10, 20, 50, 100, 200), starts=1),
    "bessel-chebyshev": polynomials("bessel", 1, 1, degrees=(5, 10, 20, 30, 40), starts=1),
    "product-cubic": splines("product", 2, 2, 1, grids=(3, 6, 12, 24, 48)),
    **{f"bumps-mlp-{width}": perceptron("bumps", 2, width, width, 1) for width in (4, 8, 12, 16)},
    **{f"rings-mlp-{width}": perceptron("rings", 4, width, width, 1) for width in (4, 8, 12, 20)},
}


# best approximations by cubic splines with equal intervals, in the root mean square (PHYSICS of the problem: sin(pi x) limits both)
floors = {"bumps": {50: 4.3e-7, 100: 2.7e-8}, "rings": {50: 2.1e-7}}


def figures(results):
    names = dict.fromkeys(result.experiment.partition("-")[0] for result in results)
    groups = {name: [result for result in results if result.experiment.startswith(f"{name}-")] for name in names}
    return {"scaling": scaling(groups, floors=floors)}
