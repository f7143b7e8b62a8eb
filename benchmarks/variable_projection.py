"""Variable projection beside Levenberg-Marquardt: loss and error against seconds, on the same seeds, taking turns in one process.

    python benchmarks/variable_projection.py [--quick] [--seeds 3]

Three trainings with the same ladders: Levenberg-Marquardt ("LM"), variable projection ("VP"), and Levenberg-Marquardt first with variable
projection after it ("LM, VP"). For each: loss, relative L2 error and seconds at the end (medians over the seeds, and the worst error), and
after how many seconds its error was first below what LM ended with on that seed ("-" if most seeds never got there). With --quick in
under two minutes on one core, else in about twenty.
"""

import argparse
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kanpde import KAN, BSpline, Experiment, LevenbergMarquardt, Refine, VariableProjection
from kanpde.training import fit

sys.path.insert(0, str(Path(__file__).parents[1] / "problems"))
import helmholtz  # noqa: E402
import poisson  # noqa: E402


def cases(quick: bool) -> dict[str, tuple[Experiment, Refine]]:
    splines = replace(poisson.experiment, model=KAN(2, 8, 1, basis=BSpline(degree=5, intervals=5)))
    return {
        "poisson [2,8,1] Chebyshev": (poisson.experiment, Refine(12) if quick else Refine(12, 16, 20, 24)),
        "helmholtz [2,8,1] Chebyshev": (helmholtz.composed, Refine(12) if quick else Refine(12, 16, 20, 24, 28)),
        "poisson [2,8,1] B-splines, k=5": (splines, Refine(8) if quick else Refine(8, 12, 16)),
    }


def trainings(quick: bool, refine: Refine) -> dict[str, list[Any]]:
    options: dict[str, Any] = dict(steps=40, patience=20) if quick else dict(steps=120, patience=30)
    damped, projected = LevenbergMarquardt(**options), VariableProjection(**options)
    return {"LM": [damped, refine], "VP": [projected, refine], "LM, VP": [damped, projected, refine]}


def trained(experiment: Experiment, training: list[Any], seed: int) -> dict[str, np.ndarray]:
    found = fit(experiment.problem, experiment.network(seed), training, sampling=experiment.sampling, seed=seed)
    return found.history.arrays()


def seconds_to(history: dict[str, np.ndarray], error: float) -> float:
    below = np.flatnonzero(history["error_l2"] <= error)
    return float(history["seconds"][below[0]]) if len(below) else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'problem':<32}{'training':<9}{'loss':>9}{'error':>9}{'worst':>9}{'seconds':>9}{'to LM':>8}")
    for name, (experiment, refine) in cases(arguments.quick).items():
        schedules = trainings(arguments.quick, refine)
        runs = [{key: trained(experiment, each, seed) for key, each in schedules.items()} for seed in range(arguments.seeds)]
        for key in schedules:
            ends = {column: [float(run[key][column][-1]) for run in runs] for column in ("loss", "error_l2", "seconds")}
            loss, error, seconds = (statistics.median(values) for values in ends.values())
            reached = statistics.median(seconds_to(run[key], float(run["LM"]["error_l2"][-1])) for run in runs)
            to = f"{reached:.1f}" if np.isfinite(reached) else "-"
            print(f"{name:<32}{key:<9}{loss:>9.1e}{error:>9.1e}{max(ends['error_l2']):>9.1e}{seconds:>9.1f}{to:>8}", flush=True)


if __name__ == "__main__":
    main()
