"""The mean ratio of spacings of the 3-D Anderson model at many W and L: a table that grows for as long as it is given.

    python -m kanpde.science.anderson_table table.csv --seconds 60
    python -m kanpde.science.anderson_table table.csv --seconds 300 --device cuda --gpu 10 12 14 16 --cpu 6 8 10 12 --processes 14

Processes on the CPU, one thread each, and the GPU take turns at the W and L that have the fewest levels so far. After every batch the file
is written whole; begun again it goes on, with realizations that it has not had: batch b at (L, W) draws from the seed (seed, L, 1000 W, b).
The columns are sums over realizations (:class:`~kanpde.science.anderson.Ratios`), with the mean ``r`` and its standard error ``sigma``.
"""

import argparse
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from kanpde.hdf5 import write_whole
from kanpde.science.anderson import WINDOW, Ratios, filter_vectors, filtered_levels, levels, measured
from kanpde.tables import read

TABLE = Path(__file__).parent / "data" / "anderson.csv"
SIZES = (6, 8, 10, 12, 14, 16)
WIDTHS = (13.0, 14.0, 14.5, 15.0, 15.5, 16.0, 16.5, 17.0, 17.5, 18.0, 18.5, 19.0, 20.0)
COLUMNS = ("L", "W", "r", "sigma", "realizations", "levels", "ratios", "levels2", "mixed", "ratios2", "batches", "seed", "window")
LARGEST_DENSE = 512  # sites up to which one core finds all levels sooner than the filter those wanted
JOB = 1.5  # seconds that a batch on a core takes, about
BLOCK = 200_000_000  # numbers in the filter's block of vectors, or in the matrices, on a GPU
SMALLEST_BLOCK = 10_000_000
AGREE = 1e-5  # by which means of the filter and of all levels may differ

logger = logging.getLogger("kanpde")

Place = tuple[int, float]  # L, W


@dataclass
class Table:
    """What was measured at each (L, W), and how many batches were drawn there."""

    seed: int = 0
    window: float = WINDOW
    ratios: dict[Place, Ratios] = field(default_factory=dict)
    batches: dict[Place, int] = field(default_factory=dict)

    def add(self, place: Place, found: Ratios) -> None:
        self.ratios[place] = self.ratios.get(place, Ratios()) + found

    def next_seed(self, place: Place) -> tuple[int, ...]:
        number = self.batches.get(place, 0)
        self.batches[place] = number + 1
        return self.seed, place[0], round(1000 * place[1]), number

    def columns(self) -> dict[str, np.ndarray]:
        """The table, by L and W."""
        rows = []
        for (L, W), each in sorted(self.ratios.items()):
            rows.append((L, W, each.mean, each.sigma, *each.sums, self.batches[L, W], self.seed, self.window))
        return {name: np.array([row[k] for row in rows], dtype=float) for k, name in enumerate(COLUMNS)}


def load(path: str | Path = TABLE) -> dict[str, np.ndarray]:
    """The columns of a table, by default that which is shipped. ``ValueError`` for a file that is none."""
    columns = read(path)
    if missing := [name for name in COLUMNS if name not in columns]:
        raise ValueError(f"{path} is no table of the Anderson model: it has no {', '.join(missing)}")
    return {name: np.asarray(columns[name], dtype=float) for name in COLUMNS}


def opened(path: Path, *, seed: int, window: float) -> Table:
    """The table at ``path`` to go on with, or an empty one. ``ValueError`` if it was made with another seed or window."""
    table = Table(seed, window)
    if path.exists():
        columns = load(path)
        for name, value in (("seed", seed), ("window", window)):
            if not (columns[name] == value).all():
                raise ValueError(f"{path} was made with --{name} {columns[name][0]:g}, not {value:g}: give that, or another file")
        for k in range(len(columns["L"])):
            place = int(columns["L"][k]), float(columns["W"][k])
            realizations, *sums = (float(columns[name][k]) for name in COLUMNS[4:10])
            table.ratios[place], table.batches[place] = Ratios(int(realizations), *sums), int(columns["batches"][k])
    return table


def saved(table: Table, path: Path) -> None:
    columns = table.columns()
    lines = [",".join(COLUMNS), *(",".join(f"{float(each):.16g}" for each in row) for row in zip(*columns.values(), strict=True))]
    write_whole(path, ("\n".join(lines) + "\n").encode(), "the table", elsewhere="")


def summary(columns: Mapping[str, np.ndarray]) -> str:
    """For each L: realizations at each W, and the range of relative errors."""
    words = []
    for L in np.unique(columns["L"]):
        of = columns["L"] == L
        error = columns["sigma"][of] / columns["r"][of]
        words.append(f"L={L:g} {columns['realizations'][of].mean():.0f} realizations, {error.max():.1e}")
    return "; ".join(words)


# ---- batches ----


def on_cpu(place: Place) -> int:
    """Realizations in a batch that takes a core about :data:`JOB` seconds."""
    seconds = 0.08 * (place[0] ** 3 / 1000) ** 2.1
    return int(np.clip(JOB / seconds, 2, 512))


def cpu_batch(place: Place, count: int, seed: tuple[int, ...], window: float) -> Ratios:
    method = "dense" if place[0] ** 3 <= LARGEST_DENSE else "filter"
    return measured(*place, count, seed, window=window, method=method)


@dataclass
class Gpu:
    """Batches on one device, by the faster of the two methods, which the first batches of every size tell."""

    device: str
    window: float
    block: int = field(default_factory=lambda: BLOCK)
    dense: int = 1728  # most sites of which all levels are tried
    speeds: dict[tuple[int, str], float] = field(default_factory=dict)  # seconds a realization
    longest: float = 0.0

    def batch(self, place: Place, seed: tuple[int, ...]) -> Ratios:
        """As many realizations as the device takes at once; half as many where its memory is too small."""
        while True:
            L, method = place[0], self.method(place[0])
            trial = (L, method) not in self.speeds
            count, start = self.count(place, method, trial), time.monotonic()
            try:
                found = measured(*place, count, seed, window=self.window, device=self.device, method=method)
            except torch.OutOfMemoryError:
                if self.block < SMALLEST_BLOCK:
                    raise
                self.block //= 2
                torch.cuda.empty_cache()
                logger.warning("%s is out of memory for %d of L=%d: batches of half the size", self.device, count, L)
                continue
            except RuntimeError as error:
                self.drop(L, method, error)
                continue
            seconds = time.monotonic() - start
            self.longest = max(self.longest, seconds)
            if trial:
                logger.info("L=%d, %s on %s: %.2g s for %d realizations", L, method, self.device, seconds, count)
            self.speeds[L, method] = seconds / count
            return found

    def drop(self, L: int, method: str, error: RuntimeError) -> None:
        """Do without a method that fails on this device; raise the error if there is no other."""
        self.speeds[L, method] = math.inf
        if self.speeds.get((L, self.method(L)), 0.0) == math.inf:
            raise error
        logger.warning("L=%d, %s on %s is left out: %s", L, method, self.device, error)

    def method(self, L: int) -> str:
        """A method that was not tried yet, or the faster one."""
        methods = [name for name in ("filter", "dense") if name == "filter" or self.dense >= L**3]
        return min(methods, key=lambda name: self.speeds.get((L, name), 0.0))

    def count(self, place: Place, method: str, trial: bool) -> int:
        sites = place[0] ** 3
        each = sites * filter_vectors(sites, place[1], self.window) if method == "filter" else sites**2
        if trial:
            return max(2, self.block // 8 // each)
        return max(2, min(self.block // each, int(2 * JOB / self.speeds[place[0], method])))

    def check(self, L: int) -> None:
        """Raise ``RuntimeError`` unless the filter on the device finds the levels that LAPACK does, for one lattice."""
        energies = np.random.default_rng(0).uniform(-8, 8, (1, L**3))
        here = Ratios.of(levels(energies, window=self.window)[0], self.window)
        there = Ratios.of(filtered_levels(energies, window=self.window, device=self.device), self.window)
        if here.levels != there.levels or not abs(here.mean - there.mean) < AGREE:
            raise RuntimeError(f"the levels of L={L} on {self.device} ({there}) are not those of LAPACK ({here})")


# ---- all of them ----


def make_table(
    path: Path,
    *,
    seconds: float,
    cpu: Sequence[int] = SIZES,
    gpu: Sequence[int] = (),
    widths: Sequence[float] = WIDTHS,
    processes: int = 1,
    device: str = "cuda",
    seed: int = 0,
    window: float = WINDOW,
) -> Table:
    """Measure for ``seconds``, sizes ``cpu`` on that many processes and ``gpu`` on ``device``; returns the table that is in the file.

    Raises ``ValueError`` for no sizes or widths, and for a file that was made otherwise.
    """
    table = opened(path, seed=seed, window=window)
    if not widths or not (cpu or gpu) or processes < 0 or (cpu and not processes):
        raise ValueError(f"there is nothing to measure: widths {list(widths)}, sizes {[*cpu, *gpu]}, {processes} processes")
    if gpu and device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"there is no {device} for the sizes {list(gpu)}: give them to processes, as in --device cpu --processes 4")
    end, said, worker = time.monotonic() + seconds, time.monotonic(), Gpu(device, window)
    jobs: dict[Future[Ratios], Place] = {}
    flying: dict[Place, float] = {}  # levels that are on their way

    def fewest(sizes: Sequence[int]) -> Place:
        def have(place: Place) -> float:
            return table.ratios.get(place, Ratios()).levels + flying.get(place, 0.0)

        return min(((L, float(W)) for W in widths for L in sizes), key=have)

    def share(place: Place, count: int) -> float:
        return count * place[0] ** 3 * 2 * window / place[1]

    with ProcessPoolExecutor(max(processes, 1), mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            if gpu:
                worker.check(min(gpu))
            while time.monotonic() < end:
                while cpu and len(jobs) < 4 * processes:
                    place = fewest(cpu)
                    count = on_cpu(place)
                    jobs[pool.submit(cpu_batch, place, count, table.next_seed(place), window)] = place
                    flying[place] = flying.get(place, 0.0) + share(place, count)
                if busy := bool(gpu) and time.monotonic() + worker.longest < end:
                    place = fewest(gpu)
                    table.add(place, worker.batch(place, table.next_seed(place)))
                left = 0.0 if busy else max(0.0, min(end - time.monotonic(), 1.0))
                for job in wait(jobs, left, FIRST_COMPLETED).done if jobs else ():
                    _taken(table, jobs, flying, job, share)
                if table.ratios:
                    saved(table, path)
                if time.monotonic() - said > 10:
                    said = time.monotonic()
                    logger.info("%.0f s left: %s", end - said, summary(table.columns()))
        finally:
            for job in list(jobs):
                if not job.cancel() and not job.exception():
                    _taken(table, jobs, flying, job, share)
    if table.ratios:
        saved(table, path)
    return table


def _taken(table: Table, jobs: dict, flying: dict, job: "Future[Ratios]", share) -> None:
    place, found = jobs.pop(job), job.result()
    table.add(place, found)
    flying[place] -= share(place, found.realizations)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m kanpde.science.anderson_table", description="Measure mean ratios of spacings.")
    parser.add_argument("path", type=Path, help="the table, .csv; one that is there is gone on with")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long; batches that run then are waited for")
    parser.add_argument("--cpu", type=int, nargs="*", help="sizes L for the processes, by default those that the GPU does not get")
    parser.add_argument("--gpu", type=int, nargs="*", help="sizes L for the device, by default none, or with --device cuda from 10 on")
    parser.add_argument("--widths", type=float, nargs="+", default=WIDTHS, help="W")
    parser.add_argument("--processes", type=int, default=1, help="how many, of one thread each")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--window", type=float, default=WINDOW, help="|E| of the levels")
    options = parser.parse_args(arguments)
    os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}  # of the processes
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    by_default = [L for L in SIZES if L >= 10] if options.device != "cpu" else []
    gpu = by_default if options.gpu is None else options.gpu
    cpu = [L for L in SIZES if L not in gpu] if options.cpu is None else options.cpu
    table = make_table(
        options.path,
        seconds=options.seconds,
        cpu=cpu if options.processes else (),
        gpu=gpu,
        widths=options.widths,
        processes=options.processes,
        device=options.device,
        seed=options.seed,
        window=options.window,
    )
    logger.info("%s: %s", options.path, summary(table.columns()))


if __name__ == "__main__":
    main()
