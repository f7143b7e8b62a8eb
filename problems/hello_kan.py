"""Hello, KAN: a function from samples, and its formula back.

    f(x, y) = exp(sin(pi x) + y^2)   on (-1, 1)^2, from 1,000 samples

Fit a network with five hidden nodes, sparsify it until one is left, prune the others, refine, recognise what the edges are, and train
their constants. The tour of Liu et al., KAN: Kolmogorov-Arnold Networks, arXiv 2404.19756, section 2.5; here it ends at rounding.
"""

import kanpde as kp
from kanpde.functions import exp, pi, sin


def f(x, y):
    return exp(sin(pi * x) + y**2)


data = kp.Dataset.of(f, train=1000, test=1000, x=(-1, 1), y=(-1, 1))

training = [
    kp.LevenbergMarquardt(steps=40),
    kp.Sparsify(1e-2, 1e-3),
    kp.Prune(tolerance=0.3),
    kp.LevenbergMarquardt(steps=20, patience=5),
    kp.AdaptRanges(margin=0.01),
    kp.Refine(10, 20, uniform=True),
    kp.FixEdges(),
    kp.LevenbergMarquardt(steps=30, patience=5),
]

experiment = kp.Experiment(
    kp.Regression(data),
    model=kp.KAN(2, 5, 1, basis=kp.BSpline(3, 5), hidden="range"),
    training=training,
    quick=training,  # it takes seconds anyway
    callbacks=[kp.KeepVersions(kp.Versions())],
)


def figures(results):
    """The network of the first seed at the end of every rung."""
    versions = kp.Versions()
    versions.take(results[0].versions)
    points = results[0].points["interior"]
    networks = [versions.network(each.id) for each in versions]
    return {f"rung-{n}": kp.draw_network(network, points, names=["x", "y"], outputs=["f"]) for n, network in enumerate(networks)}
