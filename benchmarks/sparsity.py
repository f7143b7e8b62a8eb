"""Whether Sparsify leaves no more nodes and inputs than a function needs: ten seeds each, on one core.

python benchmarks/sparsity.py
"""

import time

import numpy as np
import torch

from kanpde import KAN, BSpline, Dataset, LevenbergMarquardt, Regression, Sparsify
from kanpde.experiment import Experiment
from kanpde.functions import exp, pi, sin
from kanpde.penalties import factors, measured
from kanpde.training import fit

TARGETS = {
    "exp(sin(pi x) + y^2)": (lambda x, y: exp(sin(pi * x) + y**2), "xy", (2, 5, 1)),
    "the same, with v and w": (lambda x, y, v, w: exp(sin(pi * x) + y**2), "xyvw", (4, 5, 1)),
    "x y, by sums": (lambda x, y: x * y, "xy", (2, 5, 1)),
    "x y, by sums and products": (lambda x, y: x * y, "xy", (2, (2, 2), 1)),
}


def left(function, inputs, widths, seed):
    """How many hidden nodes and inputs have a score above 1% of the greatest; the RMS error, and seconds."""
    data = Dataset.of(function, train=1000, test=1000, seed=seed, **dict.fromkeys(inputs, (-1, 1)))
    training = [LevenbergMarquardt(steps=40), Sparsify(1e-2, 1e-3)]
    experiment, start = Experiment(Regression(data), model=KAN(*widths, basis=BSpline(3, 5)), training=training), time.perf_counter()
    done = fit(experiment.problem, experiment.network(seed), experiment.training, sampling=experiment.sampling, seed=seed)
    seconds = time.perf_counter() - start
    layers = measured(done.network, torch.from_numpy(data["train"].inputs))  # type: ignore[arg-type]
    weights = factors(layers, "backward", torch.ones(1))
    scores = [(each.sizes * factor).sum(0) for each, factor in zip(layers, weights, strict=True)]
    kept = [int((score > 1e-2 * score.max()).sum()) for score in scores]
    return kept[1], kept[0], done.history.columns["train_rmse"][-1], seconds


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, (function, inputs, widths) in TARGETS.items():
        nodes, kept, errors, seconds = zip(*(left(function, inputs, widths, seed) for seed in range(10)), strict=True)
        print(f"{name:27s} KAN{widths}: nodes left {nodes}, inputs left {kept}")
        print(
            f"{'':27s} RMS error {np.median(errors):.1e}, at most {max(errors):.1e}; {np.mean(seconds):.1f} s, at most {max(seconds):.1f} s"
        )
