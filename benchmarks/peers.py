"""kanpde beside pykan, DeepXDE (torch) and jaxKAN: seconds until an error, error after equal time, memory.

    pip install -c constraints.txt -e '.[peers]'
    python benchmarks/peers.py [--problems poisson burgers helmholtz] [--solvers kanpde pykan ...] [--budget 120] [--threads 1] [--seeds 1]
    python benchmarks/peers.py --table results/peers-poisson.json

Problems, the same for all: Poisson's equation of problems/poisson.py; Burgers' with nu = 0.01/pi, against Cole-Hopf by Gauss-Hermite
quadrature with 200 nodes (checked with 300); Helmholtz' with u = sin(pi x) sin(4 pi y), k = 1, on (-1, 1)^2. Errors are relative L2 over a
uniform 201 x 201 grid that no solver trains on.

Each solver runs in a process of its own, one after another, problem by problem, bound to as many cores as it may use threads, in float64.
Each package has its ``tutorial`` settings and the ``best`` that we found; benchmarks/peer_solvers.py states both, with their source.

What is counted: ``to 1e-2`` and so on are the CPU seconds of training until the error first falls below, looked at whenever the CPU
time has grown by 2 %, at every point that the optimizer visits; measuring the error counts for nobody. Imports, set-up and JIT
compilation are a column of their own, and counted in ``with imports``. ``error after`` is the smallest error seen within the budget of
training CPU seconds (a user does not know when it was reached: a kindness to all alike). ``peak`` is the process's largest resident set,
imports included. ``sooner`` and ``smaller`` divide each solver's figure by kanpde's on the same row of runs: > means that the solver never
got there within the budget. With several seeds every figure is the median. All looks go to results/peers-<problems>.json.
"""

import argparse
import inspect
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from peer_cases import CASES, NU
from peer_solvers import SOLVERS

GOALS = (1e-2, 1e-3, 1e-4)
ROOT = Path(__file__).parents[1]


# ---- reference solutions ----


def cole_hopf(x: np.ndarray, t: np.ndarray, nodes: int) -> np.ndarray:
    """Burgers' solution from -sin(pi x) at the points (x, t):

        u = - int sin(pi y) f(y) e^(-(x-y)^2 / 4 nu t) dy / int f(y) e^(-(x-y)^2 / 4 nu t) dy,   f(y) = e^(-cos(pi y) / 2 pi nu)

    by Gauss-Hermite quadrature in (x - y) / sqrt(4 nu t), exponents shifted by their largest (Basdevant et al., Comput. Fluids 14, 1986).
    """
    z, weight = np.polynomial.hermite.hermgauss(nodes)
    found = []
    for place, moment in zip(np.array_split(x, 50), np.array_split(t, 50), strict=True):
        y = place[:, None] - np.sqrt(4 * NU * moment)[:, None] * z
        exponent = -np.cos(np.pi * y) / (2 * np.pi * NU)
        share = weight * np.exp(exponent - exponent.max(1, keepdims=True))
        found.append(-(share * np.sin(np.pi * y)).sum(1) / share.sum(1))
    return np.concatenate(found)


def truth(problem: str) -> np.ndarray:
    """The reference on the grid; raises if two quadratures of Burgers' disagree."""
    x, y = CASES[problem].grid().T
    if problem != "burgers":
        return np.sin(np.pi * x) * np.sin({"poisson": 1, "helmholtz": 4}[problem] * np.pi * y)
    found, finer = cole_hopf(x, y, 200), cole_hopf(x, y, 300)
    gap = np.linalg.norm(found - finer) / np.linalg.norm(finer)
    if not gap < 1e-9:
        raise ArithmeticError(f"Cole-Hopf with 200 and 300 nodes differ by {gap:.1e}")
    print(f"Burgers' reference: 200 and 300 nodes differ by {gap:.1e} in relative L2", flush=True)
    return found


# ---- one solver, one process ----


def run(solver: str, problem: str, reference: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Its looks and its last words; ``failed`` says why there are none."""
    cores = sorted(os.sched_getaffinity(0))[-options.threads :]
    variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(options.threads))
    variables |= {"DDE_BACKEND": "pytorch", "JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg", "TF_CPP_MIN_LOG_LEVEL": "2"}
    variables["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if options.threads > 1 else 'false'}"
    order = dict(problem=problem, solver=solver, truth=str(reference), seed=seed, budget=options.budget)
    with tempfile.TemporaryDirectory() as place:
        words = [sys.executable, str(Path(__file__).with_name("peer_solvers.py"))]
        child = subprocess.Popen(
            [*words, json.dumps(order | {"spawned": time.time()})],
            cwd=place,  # pykan writes files where it stands
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        limit = 120 + 6 * options.budget
        try:
            out, err = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            err += f"\nstopped after {limit:g} s"
    entries = [json.loads(line) for line in out.splitlines() if line.endswith("}")]
    looks = [entry for entry in entries if "error" in entry]
    found: dict[str, Any] = {"solver": solver, "problem": problem, "seed": seed, "looks": looks}
    for entry in entries:
        if "ended" in entry:
            found |= entry
    if "ended" not in found:
        found["failed"] = (err.strip().splitlines() or ["no message"])[-1]
    return found


def figures(result: dict[str, Any], budget: float) -> dict[str, float]:
    """What the table shows of one run; infinite where a goal was not reached."""
    looks = [look for look in result["looks"] if look["cpu"] <= 1.02 * budget + 1]
    found: dict[str, float] = {}
    for goal in GOALS:
        first = next((look for look in looks if look["error"] < goal), None)
        found[f"cpu {goal:g}"] = first["cpu"] if first else math.inf
        found[f"wall {goal:g}"] = first["wall"] if first else math.inf
        found[f"with {goal:g}"] = first["cpu"] + first["beside_cpu"] if first else math.inf
    found["error"] = min((look["error"] for look in looks if math.isfinite(look["error"])), default=math.inf)
    found["used"] = looks[-1]["cpu"] if looks else 0.0
    found["beside"] = sum(value for name, value in result.items() if name in ("import_cpu", "setup_cpu", "compile_cpu"))
    found["peak"] = result.get("peak_mib", math.nan)
    return found


# ---- the table ----


def table(problem: str, results: list[dict[str, Any]], options: argparse.Namespace) -> str:
    """A Markdown table of one problem, medians over the seeds."""
    rows: dict[str, dict[str, float]] = {}
    notes = []
    for solver in options.solvers:
        mine = [result for result in results if (result["problem"], result["solver"]) == (problem, solver)]
        notes += [f"- {solver}, seed {result['seed']}: failed, {result['failed']}" for result in mine if "failed" in result]
        each = [figures(result, options.budget) for result in mine if result["looks"]]
        if each:
            rows[solver] = {name: statistics.median(one[name] for one in each) for name in each[0]}
    head = ["solver", *(f"to {_short(goal)}" for goal in GOALS), "wall to 1e-3", "1e-3 with imports", "imports, set-up, JIT", "training"]
    head += [f"error after {options.budget:g} s", "peak, MiB", "kanpde sooner at 1e-3", "kanpde's error smaller"]
    lines = [f"**{problem}**: CPU seconds (wall where said), relative L2", "", _row(head), _row(["---"] * len(head))]
    ours = rows.get("kanpde")
    for solver, row in rows.items():
        cells = [solver, *(_seconds(row[f"cpu {goal:g}"]) for goal in GOALS), _seconds(row["wall 0.001"]), _seconds(row["with 0.001"])]
        cells += [f"{row['beside']:.1f}", f"{row['used']:.1f}", f"{row['error']:.1e}", f"{row['peak']:.0f}"]
        cells += ["", ""] if ours is None or solver == "kanpde" else _ratios(row, ours)
        lines.append(_row(cells))
    return "\n".join([*lines, *([""] if notes else []), *notes, ""])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _seconds(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"


def _short(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-")


def _ratios(row: dict[str, float], ours: dict[str, float]) -> list[str]:
    """How many times sooner and smaller; what the solver never reached is bounded by its training time."""
    smaller = f"{row['error'] / ours['error']:.1e}"
    if not math.isfinite(ours["cpu 0.001"]):
        return ["", smaller]
    reached = math.isfinite(row["cpu 0.001"])
    sooner = (row["cpu 0.001"] if reached else row["used"]) / ours["cpu 0.001"]
    return [f"{'' if reached else '> '}{sooner:.2g}" if sooner < 100 else f"{'' if reached else '> '}{sooner:.0f}", smaller]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS), help="names or their beginnings, such as 'pykan' or 'pykan best'")
    parser.add_argument("--budget", type=float, default=120, help="CPU seconds of training for each (default 120)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="the seeds 0 ... N-1 (default 1)")
    parser.add_argument("--table", type=Path, metavar="FILE.json", help="print the tables of an earlier run and stop")
    options = parser.parse_args()
    if options.table is not None:
        earlier = json.loads(options.table.read_text())
        for problem in earlier["options"]["problems"]:
            print(table(problem, earlier["results"], argparse.Namespace(**earlier["options"])))
        return
    options.solvers = [name for name in SOLVERS if any(name.startswith(wanted) for wanted in options.solvers)]
    if not options.solvers:
        parser.error(f"no such solver: choose from {', '.join(SOLVERS)}")
    began = time.strftime("%Y-%m-%d")
    print(f"{platform.machine()}, {options.threads} thread(s), float64, {began}, budget {options.budget:g} CPU s, {options.seeds} seed(s)")
    results = []
    for problem in options.problems:
        with tempfile.TemporaryDirectory() as place:
            reference = Path(place) / "truth.npy"
            np.save(reference, truth(problem))
            for seed in range(options.seeds):
                for solver in options.solvers:
                    results.append(run(solver, problem, reference, seed, options))
                    found = figures(results[-1], options.budget)
                    said = results[-1].get("failed", f"{found['error']:.1e} after {found['used']:.1f} CPU s")
                    print(f"  {problem}, {solver}, seed {seed}: {said}", file=sys.stderr, flush=True)
        print("\n" + table(problem, results, options), flush=True)
    settings = {name: inspect.cleandoc(SOLVERS[name].__doc__ or "") for name in options.solvers}
    path = ROOT / "results" / f"peers-{'-'.join(options.problems)}.json"
    path.parent.mkdir(exist_ok=True)
    chosen = {name: value for name, value in vars(options).items() if name != "table"}
    kept = {"date": began, "options": chosen, "settings": settings, "results": results}
    path.write_text(json.dumps(kept, indent=1))
    print(f"all looks: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
