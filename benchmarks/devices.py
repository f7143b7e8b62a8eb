"""What a GPU brings: gradients, Levenberg-Marquardt steps and Lyapunov exponents, on every device there is.

    python benchmarks/devices.py [--points 10000 100000 1000000] [--threads 8] [--repeats 3]

The equation is Burgers' on a Chebyshev KAN [2, 8, 8, 1] of degree 8 with hard conditions, float64; the exponents are those of
100,000 states of the generalized Aubry-Andre chain over 1,000 sites. Every figure is the smallest of the repeats, after one run that is
not counted; the devices take turns in this one process.
"""

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
import torch

from kanpde import KAN, Box, Chebyshev, Dirichlet, Initial, LevenbergMarquardt, Problem
from kanpde.functions import pi, sin
from kanpde.objective import Objective
from kanpde.science.lattices import GAAM, drawn, lyapunov

STRIP = Box(x=(-1, 1), t=(0, 1))
BURGERS = Problem(
    STRIP,
    lambda u: u.t + u * u.x - 0.01 * u.xx,
    conditions=[Initial(lambda x: -sin(pi * x), hard=True), Dirichlet(0, on=STRIP.boundary, hard=True)],
)


def seconds(work: Callable[[], object], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def training(points: int, device: str) -> dict[str, Callable[[], object]]:
    """A gradient of the loss and a step of Levenberg-Marquardt."""
    network = KAN(2, 8, 8, 1, basis=Chebyshev(degree=8)).on_box(STRIP.lower, STRIP.upper).to(device)
    where = torch.from_numpy(STRIP.sample(points, network.quantiles, 0)).to(device)
    objective = Objective(BURGERS, {"equation": where})

    def step() -> None:
        LevenbergMarquardt().start(network).advance(objective, network)

    return {"gradient": lambda: objective.gradient(network), "Levenberg-Marquardt step": step}


def exponents(device: str) -> Callable[[], object]:
    systems = drawn(GAAM, 1000, seed=0)
    energies = np.random.default_rng(0).uniform(-3, 3, (1000, 100))
    return lambda: lyapunov(GAAM, systems, energies, sites=1000, device=device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    names = [platform.processor() or platform.machine(), *([torch.cuda.get_device_name()] if len(devices) > 1 else [])]
    print(f"{', '.join(names)}; {given.threads} threads; torch {torch.__version__}\n")
    print(f"| | points | {' | '.join(f'{device}, s' for device in devices)} |\n|---|---|{'---|' * len(devices)}")
    for points in given.points:
        made = {device: training(points, device) for device in devices}
        for name in made["cpu"]:
            show(name, points, {device: each[name] for device, each in made.items()}, given.repeats)
    show("Lyapunov exponents", 100_000, {device: exponents(device) for device in devices}, given.repeats)


def show(name: str, points: int, work: dict[str, Callable[[], object]], repeats: int) -> None:
    found = {device: [seconds(each, device) for _ in range(repeats + 1)][1:] for device, each in work.items()}
    print(f"| {name} | {points:,} | {' | '.join(f'{min(each):.3g}' for each in found.values())} |", flush=True)


if __name__ == "__main__":
    main()
