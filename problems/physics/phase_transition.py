"""A phase transition across a surface in three dimensions, smooth but steep.

    f(x, y, z) = tanh(5 (x^4 + y^4 + z^4 - 1))   in (-1, 1)^3, from 1,000 samples

Liu et al., KAN 2.0, arXiv 2408.10205.
"""

import kanpde as kp
from kanpde.functions import tanh

data = kp.Dataset.of(
    lambda x, y, z: tanh(5 * (x**4 + y**4 + z**4 - 1)), targets=["f"], train=1000, test=1000, x=(-1, 1), y=(-1, 1), z=(-1, 1)
)

training = [
    kp.Starts(30, 20),
    kp.LevenbergMarquardt(steps=40, patience=6),
    kp.AdaptRanges(margin=0.01),
    kp.Refine(10, 20),
    kp.FixEdges(),
    kp.LevenbergMarquardt(steps=30, patience=5),
]

experiment = kp.Experiment(
    kp.Regression(data),
    model=kp.KAN(3, 1, 1, basis=kp.Chebyshev(5), hidden="range"),
    training=training,
    quick=training,  # it takes seconds anyway
    callbacks=[kp.Extract()],
)
