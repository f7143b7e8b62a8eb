"""The command line: run problem files, redraw figures, compare runs.

run_experiments.py problems/poisson.py --seeds 5
run_experiments.py draw results/poisson/*.h5
run_experiments.py compare results/*/*.h5
run_experiments.py versions results/hello/versions.h5
"""

import argparse
import ast
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from kanpde.cli.pages import write_page
from kanpde.cli.running import DTYPES, left_of, listening, run_one
from kanpde.cli.together import show_together
from kanpde.cli.verbs import compare_files, draw_files, list_versions
from kanpde.hdf5 import ResultsError
from kanpde.problem_files import Task, UserError, chapters_of, check_apart, complaint, tasks_of
from kanpde.reports import comparison_table
from kanpde.results import write_index

logger = logging.getLogger("kanpde")

LARGEST_SEED = 2**63 - 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status is 0, 1 if anything failed, 2 for wrong usage, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["draw"]:
        return _reported(lambda: draw_files(given[1:]))
    if given[:1] == ["compare"]:
        return _reported(lambda: compare_files(given[1:]))
    if given[:1] == ["versions"]:
        return _reported(lambda: list_versions(given[1:]))
    return _reported(lambda: _run_all(_parser().parse_args(given)))


def _reported(command: Any) -> int:
    try:
        return command()
    except (UserError, ResultsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_experiments.py",
        description="Train, measure, save and draw the experiments of problem files.",
        epilog="Other verbs: 'draw FILE.h5 ...' redraws figures, 'compare FILE.h5 ...' prints one table of runs, "
        "'versions FILE.h5 [ONE OTHER]' lists the versions of a network or compares two.",
    )
    add = parser.add_argument
    add("problems", nargs="+", type=Path, metavar="PROBLEM.py", help="files that define `experiment` or a dict `experiments`")
    add(
        "--only",
        metavar="NAME",
        help="of a dict `experiments`, just this one, or those of a pattern such as '*-noise0.1', or '!*-noise*' for all others; "
        "of a collection, these files",
    )
    add("--quick", action="store_true", help="a first look in seconds: a shorter schedule")
    add("--seed", type=int, metavar="N", help="seed of weights and points (default 0)")
    add("--seeds", type=int, metavar="N", help="a sweep over the seeds 0 ... N-1, with one summary table")
    add("--device", default="cpu", help="cpu, cuda, cuda:1, ... (default cpu)")
    add("--dtype", choices=DTYPES, default="float64", help="precision (default float64)")
    add("--threads", type=int, default=1, metavar="N", help="threads of torch (default 1: only networks of thousands gain from more)")
    add("--set", action="append", default=[], metavar="FIELD=VALUE", help="e.g. training.steps=50, model.basis.degree=10")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="where files go (default ./results)")
    add("--resume", action="store_true", help="go on with unfinished runs and skip finished ones")
    add("--no-figures", action="store_true", help="save the HDF5 file only")
    add("--checkpoint", type=float, default=10.0, metavar="SECONDS", help="time between checkpoints (default 10)")
    add("--verbose", action="store_true", help="log what happens; tracebacks for errors")
    return parser


def _run_all(options: argparse.Namespace) -> int:
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logger.setLevel(logging.INFO if options.verbose else logging.WARNING)
    _check(options)
    seeds = [options.seed or 0] if options.seeds is None else list(range(options.seeds))
    chosen = {"seeds": seeds, "results": options.results, "only": options.only, "quick": options.quick, "settings": options.set}
    chosen["variant"] = "" if options.dtype == "float64" else options.dtype
    tasks = [task for path in options.problems for task in tasks_of(path, **chosen)]
    check_apart(tasks)
    for directory in {task.path.parent for task in tasks}:
        _check_writable(directory)
    results, failed, interrupted = [], False, False
    began = time.monotonic()
    with listening() as interrupts:
        for number, task in enumerate(tasks):
            if len(tasks) > 1:
                print(f"[{number + 1} of {len(tasks)}, {(time.monotonic() - began) / 60:.1f} min] {task.label}", file=sys.stderr)
            try:
                outcome = run_one(task, options, interrupts)
            except KeyboardInterrupt:
                print(f"interrupted: {task.label}: {left_of(task)}", file=sys.stderr)
                interrupted = True
                break
            except Exception as error:  # one failed run must not stop a sweep
                failed = True
                print(f"error: {task.label}: {complaint(error, task.file)}", file=sys.stderr)
                if options.verbose:
                    traceback.print_exc()
                continue
            results.append(outcome.result)
            failed = failed or outcome.failed
            if outcome.interrupted:
                interrupted = True
                break
    if len(tasks) > 1 and results:
        print(comparison_table(results))
        failed = _index(tasks) or failed
    if not interrupted:
        failed = show_together(tasks, figures=not options.no_figures) or failed
    failed = _pages(options, chosen) or failed
    return 130 if interrupted else 1 if failed else 0


def _pages(options: argparse.Namespace, chosen: dict[str, Any]) -> bool:
    """Write the page of each collection, of all its files, complete or not; whether that failed."""
    failed = False
    for path in options.problems:
        if (chapters := chapters_of(path)) is None:
            continue
        tasks = tasks_of(path, **{**chosen, "only": None})
        page = options.results / f"{path.stem}{tasks[0].suffix}.md"
        title = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem).splitlines()[0]
        try:
            write_page(title, chapters, tasks, page)
            print(page)
        except OSError as error:
            print(f"error: the page cannot be written to {page}: {error.strerror or error}", file=sys.stderr)
            failed = True
    return failed


def _check(options: argparse.Namespace) -> None:
    if options.seed is not None and options.seeds is not None:
        raise UserError(f"--seed {options.seed} is one run and --seeds {options.seeds} is a sweep from 0: give one of them")
    if options.seeds is not None and options.seeds < 1:
        raise UserError(f"--seeds must be at least 1, got {options.seeds}")
    if not 0 <= (options.seed or 0) <= LARGEST_SEED:
        raise UserError(f"--seed must be a whole number from 0 to {LARGEST_SEED}, got {options.seed}")
    if options.threads < 1:
        raise UserError(f"--threads must be at least 1, got {options.threads}")
    torch.set_num_threads(options.threads)
    if not options.checkpoint >= 0:
        raise UserError(f"--checkpoint must not be negative, got {options.checkpoint}")
    try:
        float(torch.zeros(1, dtype=DTYPES[options.dtype], device=options.device))  # back again: "meta" holds no numbers
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {options.device} with --dtype {options.dtype} cannot be used here: {reason}") from None


def _check_writable(directory: Path) -> None:
    """Fail before training rather than after it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as stream:
            stream.write(b"kanpde")
            stream.flush()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write results to {directory}: {reason}; choose another directory with --results") from None


def _index(tasks: Sequence[Task]) -> bool:
    """Write the index of each directory; whether that failed."""
    failed = False
    for directory in {task.path.parent for task in tasks}:
        paths = sorted(task.path for task in tasks if task.path.parent == directory and task.path.exists())
        if len(paths) > 1:
            try:
                write_index(directory, paths)
            except ResultsError as error:
                print(f"error: {error}", file=sys.stderr)
                failed = True
    return failed
