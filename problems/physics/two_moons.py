"""Two moons: two interleaved half circles, told apart by a [2, 5, 1] network.

    (cos a, sin a)  and  (1 - cos a, 1/2 - sin a),   a uniform in (0, pi), with normal noise; 1,000 rows to learn from and 1,000 to test

At noise 0.1 the moons overlap: who knows their densities errs in 0.08 % of all rows, and in one of these 1,000. At 0.05 they do not. A
ridge keeps the outputs finite where classes can be told apart without error. Liu et al., KAN 2.0, arXiv 2408.10205.
"""

import numpy as np

import kanpde as kp


def moons(noise, rows=2000):
    """The columns x, y and the moon, 0 or 1."""
    random = np.random.default_rng(0)
    a, moon = random.uniform(0, np.pi, rows), np.arange(rows) % 2
    x = np.where(moon, 1 - np.cos(a), np.cos(a)) + noise * random.standard_normal(rows)
    y = np.where(moon, 0.5 - np.sin(a), np.sin(a)) + noise * random.standard_normal(rows)
    return dict(x=x, y=y, moon=moon)


experiments = {
    f"noise{noise:g}": kp.Experiment(
        kp.Classification(kp.Dataset(moons(noise), targets=["moon"], train=1000, stratify=True), ridge=0.1),
        model=kp.KAN(2, 5, 1, basis=kp.Chebyshev(3), hidden="range", init="smooth"),
        training=[kp.LevenbergMarquardt(steps=60, patience=10)],
    )
    for noise in (0.1, 0.05)
}
