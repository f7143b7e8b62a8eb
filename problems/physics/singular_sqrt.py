"""A square root at its branch point: the distance from the origin, which has no gradient there.

    f(x, y) = sqrt(x^2 + y^2)   in (-1, 1)^2, from 1,000 samples

Liu et al., KAN 2.0, arXiv 2408.10205.
"""

import kanpde as kp
from kanpde.functions import sqrt

data = kp.Dataset.of(lambda x, y: sqrt(x**2 + y**2), targets=["f"], train=1000, test=1000, x=(-1, 1), y=(-1, 1))

training = [
    kp.Starts(8, 20),
    kp.LevenbergMarquardt(steps=40, patience=6),
    kp.AdaptRanges(margin=0.01),
    kp.Refine(10, 20),
    kp.FixEdges(),
    kp.LevenbergMarquardt(steps=30, patience=5),
]

experiment = kp.Experiment(
    kp.Regression(data),
    model=kp.KAN(2, 1, 1, basis=kp.Chebyshev(5), hidden="range"),
    training=training,
    quick=training,  # it takes seconds anyway
    callbacks=[kp.Extract()],
)
