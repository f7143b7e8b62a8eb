"""Hello, KAN: a function from samples, and its formula back.

    f(x, y) = exp(sin(pi x) + y^2)   on (-1, 1)^2, from 1,000 samples

Fit a network with five hidden nodes, sparsify it until one is left, prune the others, refine, recognise what the edges are, and train
their constants. The tour of Liu et al., KAN: Kolmogorov-Arnold Networks, arXiv 2404.19756, section 2.5; here it ends at rounding.
"""

from kanpde import KAN, AdaptRanges, BSpline, Dataset, Experiment, FixEdges, LevenbergMarquardt, Prune, Refine, Regression, Sparsify
from kanpde.functions import exp, pi, sin


def f(x, y):
    return exp(sin(pi * x) + y**2)


data = Dataset.of(f, train=1000, test=1000, x=(-1, 1), y=(-1, 1))

training = [
    LevenbergMarquardt(steps=40),
    Sparsify(1e-2, 1e-3),
    Prune(tolerance=0.3),
    LevenbergMarquardt(steps=20, patience=5),
    AdaptRanges(margin=0.01),
    Refine(10, 20, uniform=True),
    FixEdges(),
    LevenbergMarquardt(steps=30, patience=5),
]

experiment = Experiment(
    Regression(data),
    model=KAN(2, 5, 1, basis=BSpline(3, 5), hidden="range"),
    training=training,
    quick=training,  # it takes seconds anyway
)
