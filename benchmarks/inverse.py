"""An unknown coefficient from noisy data, a hundred times: how often does the truth lie within two reported sigma?

    python benchmarks/inverse.py [draws]

u_t = nu u_xx on (0, 1) x (0, 1), u(x, 0) = sin(pi x), u = 0 at the ends, nu = 0.1; 50 values of u at random points with 1 % noise of the
amplitude; the first guess of nu is 0.3. An honest sigma holds the truth within two sigma in about 95 of 100 draws, and
the errors in units of sigma have a root mean square of 1. About a minute on one core.
"""

import sys
import time

import numpy as np
import torch

from kanpde import KAN, Box, Chebyshev, Data, Dirichlet, Initial, LevenbergMarquardt, Problem, Sampling, Unknown
from kanpde.functions import pi, sin
from kanpde.training import fit
from kanpde.uncertainty import estimates

rod = Box(x=(0, 1), t=(0, 1))
TRUTH, NOISE, ROWS = 0.1, 0.01, 50


def heat(u, nu):
    return u.t - nu * u.xx


def draw(seed: int) -> Problem:
    random = np.random.default_rng(seed)
    x, t = random.random((2, ROWS))
    u = np.exp(-TRUTH * np.pi**2 * t) * np.sin(np.pi * x) + NOISE * random.normal(size=ROWS)
    conditions = [
        Data({"x": x, "t": t, "u": u}, sigma=NOISE),
        Initial(lambda x: sin(pi * x), hard=True),
        Dirichlet(0, on=rod.boundary, hard=True),
    ]
    return Problem(rod, heat, parameters={"nu": Unknown(0.3)}, conditions=conditions)


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    torch.set_num_threads(1)
    began, scores, errors = time.perf_counter(), [], []
    for seed in range(draws):
        problem = draw(seed)
        network = KAN(2, 2, 1, basis=Chebyshev(6)).on_box(rod.lower, rod.upper)
        found = fit(problem, network, [LevenbergMarquardt(steps=40, patience=8)], sampling=Sampling(interior=120))
        value, sigma = estimates(problem, found.network, found.points)["nu"]
        scores.append((value - TRUTH) / sigma)
        errors.append((value - TRUTH) / TRUTH)
    inside = sum(abs(score) < 2 for score in scores)
    rms, relative = (np.sqrt(np.mean(np.square(values))) for values in (scores, errors))
    print(f"{inside} of {draws} draws within 2 sigma; error / sigma: mean {np.mean(scores):.2f}, rms {rms:.2f}")
    print(f"relative error rms {relative:.2%}; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
