"""Two moons: two interleaved half circles with noise, told apart by a [2, 2, 1] network.

    (cos a, sin a)  and  (1 - cos a, 1/2 - sin a),   a uniform in (0, pi), normal noise of 0.1, 1,000 rows to learn from and 1,000 to test

(a ridge, since classes that can be told apart without error have no finite optimum otherwise). Liu et al., KAN, arXiv 2404.19756.
"""

import numpy as np

import kanpde as kp


def moons(rows, seed):
    """The columns x, y and the moon, 0 or 1."""
    random = np.random.default_rng(seed)
    a, moon = random.uniform(0, np.pi, rows), np.arange(rows) % 2
    x = np.where(moon, 1 - np.cos(a), np.cos(a)) + 0.1 * random.standard_normal(rows)
    y = np.where(moon, 0.5 - np.sin(a), np.sin(a)) + 0.1 * random.standard_normal(rows)
    return dict(x=x, y=y, moon=moon)


experiment = kp.Experiment(
    kp.Classification(kp.Dataset(moons(2000, seed=0), targets=["moon"], train=1000, stratify=True), ridge=1e-4),
    model=kp.KAN(2, 2, 1, basis=kp.BSpline(3, 5), init="smooth"),
    training=[kp.LevenbergMarquardt(steps=100)],
)
