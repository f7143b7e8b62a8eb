"""A product node multiplies: of five sum nodes and two product nodes, one product is left.

    f(x, y) = x y   in (-1, 1)^2, from 1,000 samples, [2, [5, 2], 1]

Liu et al., KAN 2.0, arXiv 2408.10205.
"""

import kanpde as kp

data = kp.Dataset.of(lambda x, y: x * y, targets=["f"], train=1000, test=1000, x=(-1, 1), y=(-1, 1))

training = [
    kp.Starts(8, 40),
    kp.LevenbergMarquardt(steps=40),
    kp.Sparsify(1e-2, 1e-3),
    kp.Prune(tolerance=0.3),
    kp.LevenbergMarquardt(steps=30, patience=5),
    kp.FixEdges(),
    kp.LevenbergMarquardt(steps=30, patience=5),
]

experiment = kp.Experiment(
    kp.Regression(data),
    model=kp.KAN(2, (5, 2), 1, basis=kp.Chebyshev(2), hidden="range"),
    training=training,
    quick=training,  # it takes seconds anyway
    callbacks=[kp.Extract()],
)
