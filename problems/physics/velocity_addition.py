"""Velocities of special relativity are added as rapidities: a [2, 1, 1] network finds atanh and tanh by itself.

    w(u, v) = (u + v) / (1 + u v) = tanh(atanh u + atanh v)   in (-0.9, 0.9)^2, from 1,000 samples, c = 1

Liu et al., KAN 2.0, arXiv 2408.10205.
"""

import kanpde as kp

data = kp.Dataset.of(lambda u, v: (u + v) / (1 + u * v), targets=["w"], train=1000, test=1000, u=(-0.9, 0.9), v=(-0.9, 0.9))

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
