"""Peak memory of a Levenberg-Marquardt step against the number of collocation points, each in a process of its own.

    python benchmarks/memory.py [--points 10000 100000 1000000]

The equation is Burgers' on a Chebyshev KAN [2, 8, 1] of degree 8 with hard conditions, float64. ``kept`` keeps J, ``streamed``
factorises it chunk by chunk (``LevenbergMarquardt(memory=...)``). Printed are the peak resident set of the whole process, with
Python, torch and the points themselves, and by how much it exceeds what there was before the step.
"""

import argparse
import json
import resource
import subprocess
import sys
import time


def child(points: int, memory: float) -> None:
    import torch

    from kanpde import KAN, Box, Chebyshev, Dirichlet, Initial, LevenbergMarquardt, Problem
    from kanpde.functions import pi, sin
    from kanpde.objective import Objective

    torch.set_num_threads(1)
    strip = Box(x=(-1, 1), t=(0, 1))
    problem = Problem(
        strip,
        lambda u: u.t + u * u.x - 0.01 * u.xx,
        conditions=[Initial(lambda x: -sin(pi * x), hard=True), Dirichlet(0, on=strip.boundary, hard=True)],
    )
    network = KAN(2, 8, 1, basis=Chebyshev(degree=8)).on_box(strip.lower, strip.upper)
    where = torch.from_numpy(strip.sample(points, network.quantiles, 0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    objective = Objective(problem, {"equation": where})
    descent = LevenbergMarquardt(memory=memory).start(network)
    start = time.perf_counter()
    descent.advance(objective, network)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"before": before, "peak": peak, "seconds": seconds}))


def measured(points: int, memory: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", str(points), str(memory)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    print("| points | mode | before, MB | peak, MB | the step, MB | seconds |\n|---|---|---|---|---|---|")
    for points in options.points:
        modes = {"streamed": 1.0} if points > 200_000 else {"kept": 1e18, "streamed": 1.0}
        for mode, memory in modes.items():
            found = measured(points, memory)
            print(
                f"| {points:,} | {mode} | {found['before']:.0f} | {found['peak']:.0f} | {found['peak'] - found['before']:.0f} "
                f"| {found['seconds']:.1f} |"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]), float(sys.argv[3]))
    else:
        main()
