"""The command line: run problem files, redraw figures, compare runs.

run_experiments.py problems/poisson.py --seeds 5
run_experiments.py draw results/poisson/*.h5
run_experiments.py compare results/*/*.h5
"""

import argparse
import logging
import math
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from kanpde.experiment import Run
from kanpde.problem_files import Task, UserError, tasks_of
from kanpde.results import Result, ResultsError, comparison_table, load, save, write_index

logger = logging.getLogger("kanpde")

DTYPES = {"float64": torch.float64, "float32": torch.float32}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status is 0, 1 if anything failed, 2 for wrong usage, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["draw"]:
        return _reported(lambda: _draw(given[1:]))
    if given[:1] == ["compare"]:
        return _reported(lambda: _compare(given[1:]))
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
        epilog="Other verbs: 'draw FILE.h5 ...' redraws figures, 'compare FILE.h5 ...' prints one table of runs.",
    )
    add = parser.add_argument
    add("problems", nargs="+", type=Path, metavar="PROBLEM.py", help="files that define `experiment` or a dict `experiments`")
    add("--only", metavar="NAME", help="of a dict `experiments`, just this one")
    add("--quick", action="store_true", help="a first look in seconds: a shorter schedule")
    add("--seed", type=int, default=0, help="seed of weights and points (default 0)")
    add("--seeds", type=int, metavar="N", help="a sweep over the seeds 0 ... N-1, with one summary table")
    add("--device", default="cpu", help="cpu, cuda, cuda:1, ... (default cpu)")
    add("--dtype", choices=DTYPES, default="float64", help="precision (default float64)")
    add("--threads", type=int, default=1, metavar="N", help="threads of torch (default 1: only networks of thousands gain from more)")
    add("--set", action="append", default=[], metavar="FIELD=VALUE", help="e.g. training.steps=50 or model.basis.degree=10")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="where files go (default ./results)")
    add("--resume", action="store_true", help="go on with unfinished runs and skip finished ones")
    add("--no-figures", action="store_true", help="save the HDF5 file only")
    add("--checkpoint", type=float, default=10.0, metavar="SECONDS", help="time between checkpoints (default 10)")
    add("--verbose", action="store_true", help="log what happens; tracebacks for errors")
    return parser


# ---- running ----


def _run_all(options: argparse.Namespace) -> int:
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logger.setLevel(logging.INFO if options.verbose else logging.WARNING)
    _check(options)
    seeds = [options.seed] if options.seeds is None else list(range(options.seeds))
    tasks = [
        task
        for path in options.problems
        for task in tasks_of(path, seeds=seeds, results=options.results, only=options.only, quick=options.quick, settings=options.set)
    ]
    for directory in {task.path.parent for task in tasks}:
        _check_writable(directory)
    results, failed, interrupted = [], False, False
    with _listening() as interrupts:
        for task in tasks:
            try:
                result = _run_one(task, options, interrupts)
            except KeyboardInterrupt:
                interrupted = True
                break
            except Exception as error:  # one failed run must not stop a sweep
                failed = True
                print(f"error: {task.label}: {error}", file=sys.stderr)
                if options.verbose or not isinstance(error, (UserError, ValueError, TypeError, AttributeError, OSError)):
                    traceback.print_exc()
                continue
            results.append(result)
            if result.status != "complete":
                interrupted = True
                break
    if len(tasks) > 1 and results:
        print(comparison_table(results))
        _index(tasks)
    return 130 if interrupted else 1 if failed else 0


def _check(options: argparse.Namespace) -> None:
    if options.seeds is not None and options.seeds < 1:
        raise UserError(f"--seeds must be at least 1, got {options.seeds}")
    if options.seed < 0:
        raise UserError(f"--seed must not be negative, got {options.seed}")
    if options.threads < 1:
        raise UserError(f"--threads must be at least 1, got {options.threads}")
    torch.set_num_threads(options.threads)
    if not options.checkpoint >= 0:
        raise UserError(f"--checkpoint must not be negative, got {options.checkpoint}")
    try:
        torch.empty(1, dtype=DTYPES[options.dtype], device=options.device)
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


class Interrupts:
    """Ctrl-C and SIGTERM: the first one while training ends it after the step that is being computed, any other at once.

    An exception in the midst of a step or of a save could be lost in a callback of a C library.
    """

    def __init__(self) -> None:
        self.training, self.requested = False, False

    def __call__(self, number: int, frame: Any) -> None:
        if not self.training or self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def raise_if_requested(self) -> None:
        """To be called between two steps."""
        if self.requested:
            raise KeyboardInterrupt


@contextmanager
def _listening() -> Iterator[Interrupts]:
    """Handle both signals for the time of the runs; a signal that the shell has switched off stays so."""
    interrupts, before = Interrupts(), {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interrupts)
    except ValueError:  # not in the main thread
        pass
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_one(task: Task, options: argparse.Namespace, interrupts: Interrupts) -> Result:
    resume = _unfinished(task, options) if options.resume else None
    if resume is not None and resume.status == "complete":
        print(f"{task.label}: already complete, see {task.path}")
        return resume
    listener = Listener(task, options.checkpoint, interrupts)
    try:
        interrupts.training = True
        result = task.experiment.run(
            seed=task.seed,
            device=options.device,
            dtype=DTYPES[options.dtype],
            name=task.problem,
            key=task.key,
            source=task.source,
            listener=listener,
            resume=resume,
        )
    finally:
        interrupts.training = False
        listener.close()
    files = [_saved(result, task.path)]
    if not options.no_figures:
        from kanpde.figures import draw

        files += draw(result, files[0].with_suffix(""))
    print(report(result, files))
    return result


def _unfinished(task: Task, options: argparse.Namespace) -> Result | None:
    """An earlier run to go on from; an error if it was another experiment's or another precision's."""
    if not task.path.exists():
        return None
    try:
        result = load(task.path)
    except ValueError as error:
        raise UserError(str(error)) from error
    wanted = {"experiment_repr": repr(task.experiment), "problem_source": task.source, "dtype": options.dtype, "seed": task.seed}
    for name, value in wanted.items():
        if result.provenance.get(name) != value:
            raise UserError(
                f"cannot resume {task.path}: its {name} is not that of this command; run without --resume to start afresh, "
                "or give the same file and options"
            )
    threads = result.provenance.get("threads")
    if threads != torch.get_num_threads():
        logger.warning("%s ran on %s threads, this is %d: rounding may differ", task.path, threads, torch.get_num_threads())
    return result


def _saved(result: Result, path: Path) -> Path:
    """Save; if that fails, save in the system's temporary directory instead, so that nothing computed is lost."""
    try:
        return save(result, path)
    except ResultsError as error:
        spare = Path(tempfile.gettempdir()) / "kanpde" / path.parent.name / path.name
        try:
            save(result, spare)
        except ResultsError:
            figures = ", ".join(f"{name} {value:.3g}" for name, value in result.metrics.items())
            raise UserError(f"{error}; nor could it be kept in {spare.parent}. What was reached: {figures}") from None
        print(f"error: {error}. The results were kept in {spare}", file=sys.stderr)
        return spare


class Listener:
    """Shows one progress bar, and writes a checkpoint every so many seconds."""

    def __init__(self, task: Task, interval: float, interrupts: Interrupts) -> None:
        from tqdm import tqdm

        self.task, self.interval, self.last, self.warned = task, interval, time.monotonic(), False
        self.interrupts = interrupts
        self.bar = tqdm(total=None, desc=task.label, disable=not sys.stderr.isatty(), leave=False, unit="step")

    def __call__(self, run: Run) -> None:
        progress = run.fit
        history = progress.history.columns
        self.bar.total = progress.total_steps
        self.bar.n = progress.history.length
        self.bar.set_postfix_str(
            f"loss {history['loss'][-1]:.1e}, error {history['error_l2'][-1]:.1e}, refinement {history['refinement'][-1]:.0f}"
        )
        if time.monotonic() - self.last >= self.interval:
            self._checkpoint(run)
            self.last = time.monotonic()
        self.interrupts.raise_if_requested()

    def _checkpoint(self, run: Run) -> None:
        try:
            save(run.result(checkpoint=True), self.task.path)
        except ResultsError as error:
            if not self.warned:
                logger.warning("no checkpoint: %s. Training goes on", error)
            self.warned = True

    def close(self) -> None:
        self.bar.close()


def report(result: Result, files: Sequence[Path]) -> str:
    """The five lines that a run ends on."""
    metrics = result.metrics
    errors = [f"{name} {metrics[key]:.2e}" for name, key in _ERRORS if not math.isnan(metrics.get(key, math.nan))]
    accuracy = ", ".join(errors) if errors else f"residual {metrics['residual_rms']:.2e} (no solution to compare with)"
    here = [os.path.relpath(path) for path in files]
    return "\n".join(
        [
            f"{result.problem}/{result.experiment} seed {result.provenance['seed']}: {result.status} after {metrics['steps']} steps",
            f"  error     {accuracy}",
            f"  time      {metrics['seconds']:.1f} s on {result.provenance['device']}, {result.provenance['threads']} threads",
            f"  network   {result.architecture['model']}, {metrics['parameters']} parameters",
            f"  files     {here[0]}" + (f" and {len(here) - 1} figures beside it" if here[1:] else ""),
        ]
    )


_ERRORS = (("relative L2", "relative_l2"), ("relative H1", "relative_h1"), ("maximum", "max_error"), ("MSE", "mse"))


def _index(tasks: Sequence[Task]) -> None:
    for directory in {task.path.parent for task in tasks}:
        paths = sorted(task.path for task in tasks if task.path.parent == directory and task.path.exists())
        if len(paths) > 1:
            try:
                write_index(directory, paths)
            except ResultsError as error:
                print(f"error: {error}", file=sys.stderr)


# ---- other verbs ----


def _loaded(paths: Sequence[Path]) -> list[Result]:
    try:
        return [load(path) for path in paths if path.name != "index.h5"]
    except (ValueError, FileNotFoundError) as error:
        raise UserError(str(error)) from error


def _draw(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="run_experiments.py draw", description="Redraw the figures of results files.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.h5")
    options = parser.parse_args(arguments)
    from kanpde.figures import draw

    for path, result in zip([p for p in options.files if p.name != "index.h5"], _loaded(options.files), strict=True):
        if not result.solution:
            print(f"{path}: only a checkpoint, nothing to draw yet; finish it with --resume")
            continue
        for figure in draw(result, path.with_suffix("")):
            print(figure)
    return 0


def _compare(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="run_experiments.py compare", description="One table of the runs in results files.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.h5")
    print(comparison_table(_loaded(parser.parse_args(arguments).files)))
    return 0
