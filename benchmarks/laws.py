"""Laws from samples: kanpde beside Operon, Operon polished by kanpde, and pykan's own extraction; the same samples, the same judge.

    pip install -c constraints.txt -e '.[peers]'
    python benchmarks/laws.py [--methods kanpde operon ...] [--laws ringdown ...] [--noise 0 0.01 0.1] [--seeds 1] [--seconds 60]

Methods that are not installed are left out, with a word. Each run has a process of its own on one core, and is ended after five times its
seconds; what is done is in results/law-benchmark/ and is not done again. A peer's floats have no uncertainty, so that with noise it cannot
be ``found``: compare ``structure`` and SRBench's rule, which do not ask for one. Of differential equations: benchmarks/pde_laws.py.
"""

import argparse
import functools
import importlib.util
import multiprocessing
import os
import sys
from pathlib import Path

from law_peers import METHODS

from kanpde.discovery.runs import LawSearch
from kanpde.law_reports import ANCHORS, law_summary, law_table
from kanpde.results import is_complete, load, save
from kanpde.science.laws import law, laws
from kanpde.symbolic.law import Law

ROOT = Path(__file__).parents[1]
PATIENCE = 5  # times the seconds


def gave_up(X, y, *, names, reason, **_):
    """The law of a run that did not end."""
    return Law(tuple(names), {}, (), "no law", reason, float("nan"), float("nan"), float("inf"))


def run(method, name, noise, seed, seconds, path, reason=""):
    """One run, saved."""
    import torch

    torch.set_num_threads(1)
    search = LawSearch(
        law(name), noise=noise, seconds=seconds, method=functools.partial(gave_up, reason=reason) if reason else METHODS[method][0]
    )
    save(search.run(name=method, key=f"{name}-noise{noise:g}", seed=seed), path)


def result_of(method, name, noise, seed, seconds):
    """The result of a run, from disk if it is there."""
    path = ROOT / "results" / "law-benchmark" / f"{seconds:g}s" / f"{method}-{name}-noise{noise:g}-s{seed}.h5"
    if not is_complete(path):
        process = multiprocessing.get_context("spawn").Process(target=run, args=(method, name, noise, seed, seconds, path))
        process.start()
        process.join(PATIENCE * seconds + 60)
        if process.is_alive():
            process.terminate()
            process.join()
        if not is_complete(path):
            reason = "ended: it took too long" if process.exitcode is None or process.exitcode < 0 else "it raised an error"
            run(method, name, noise, seed, seconds, path, reason)
    return load(path)


def main():
    known = [each.name for each in laws()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--laws", nargs="+", default=known, choices=known, metavar="LAW")
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0, 0.01, 0.1])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for method in given.methods:
        needed = METHODS[method][1]
        if needed and importlib.util.find_spec(needed) is None:
            print(f"{method} is left out: {needed} is not installed (pip install -e '.[peers]')", file=sys.stderr)
            continue
        results = [
            result_of(method, name, noise, seed, given.seconds)
            for noise in given.noise
            for name in given.laws
            for seed in range(given.seeds)
        ]
        print(f"\n{method}\n\n{law_table(results)}\n\n{law_summary(results, anchors=False)}", flush=True)
    print(f"\n{ANCHORS}")


if __name__ == "__main__":
    main()
