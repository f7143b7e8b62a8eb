"""One run from the command line: resumption, progress, checkpoints, Ctrl-C, saving, figures, the report."""

import argparse
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from kanpde.experiment import Run
from kanpde.hdf5 import ResultsError
from kanpde.interpret import Film
from kanpde.problem_files import Task, UserError
from kanpde.reports import report
from kanpde.results import Result, is_complete, load, save
from kanpde.simulated import Simulated

logger = logging.getLogger("kanpde")

DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Outcome:
    """A run that left a result: whether something about it failed, and whether the user asked to stop."""

    result: Result
    failed: bool = False
    interrupted: bool = False


def run_one(task: Task, options: argparse.Namespace, interrupts: "Interrupts") -> Outcome:
    """Train, save, draw and report one experiment with one seed."""
    resume = _unfinished(task, options) if options.resume else None
    if resume is not None and resume.status == "complete":
        print(f"{task.label}: already complete, see {task.path}")
        return Outcome(resume)
    listener = Listener(task, options.checkpoint, interrupts)
    try:
        experiment = task.experiment
        if hasattr(experiment, "callbacks"):  # any other has nothing to save before its end: Ctrl-C ends it at once
            if not isinstance(experiment, Simulated):  # which has not before its first step, if it has steps
                interrupts.begin()
            experiment = replace(experiment, callbacks=[*experiment.callbacks, listener])
        result = experiment.run(
            seed=task.seed,
            device=options.device,
            dtype=DTYPES[options.dtype],
            name=task.problem,
            key=task.key,
            source=task.source,
            resume=resume,
        )
        files, trouble = [_stored(result, task)], ""
    finally:
        interrupts.training = False
        listener.close()
    interrupted = interrupts.requested or result.status == "interrupted"
    if not options.no_figures and files[0] != task.checkpoint:
        try:
            files += _figures(result, files[0]) + _films(task, files[0])
        except KeyboardInterrupt:
            interrupted, trouble = True, f"interrupted while figures were drawn: the results are whole, in {files[0]}"
        except Exception as error:  # the results are safe: say what is missing
            words = str(error) if isinstance(error, ResultsError) else f"figures of {files[0]}: {type(error).__name__}: {error}"
            trouble = f"error: {words}; once that is mended, `draw {files[0]}` draws without training"
    print(report(result, files))
    if trouble:
        print(trouble, file=sys.stderr)
    elsewhere = files[0] not in (task.path, task.checkpoint)
    return Outcome(result, failed=elsewhere or result.status == "failed" or trouble.startswith("error"), interrupted=interrupted)


def left_of(task: Task) -> str:
    """What is on disk of a run that was stopped at once."""
    if task.checkpoint.exists():
        return f"its last checkpoint is {task.checkpoint}, from which --resume goes on"
    return f"{task.path} is as it was saved" if task.path.exists() else "nothing of it was saved"


def _figures(result: Result, path: Path) -> list[Path]:
    from kanpde.figures import draw

    return draw(result, path.with_suffix(""))


def _films(task: Task, path: Path) -> list[Path]:
    """Beside the figures, what the callbacks of this experiment filmed."""
    films = [callback for callback in getattr(task.experiment, "callbacks", ()) if isinstance(callback, Film) and callback.frames]
    return [film.save(path.with_name(f"{path.stem}-film{number or ''}.gif")) for number, film in enumerate(films)]


# ---- files ----


def _unfinished(task: Task, options: argparse.Namespace) -> Result | None:
    """An earlier run to go on from; an error if it was another experiment's or another precision's."""
    path = task.checkpoint if task.checkpoint.exists() else task.path
    if not path.exists():
        return None
    try:
        result = load(path)
    except ValueError as error:
        raise UserError(str(error)) from error
    wanted = {"experiment_repr": repr(task.experiment), "problem_source": task.source, "dtype": options.dtype, "seed": task.seed}
    for name, value in wanted.items():
        if result.provenance.get(name) != value:
            raise UserError(
                f"cannot resume {path}: its {name} is not that of this command; run without --resume to start afresh, "
                "or give the same file and options"
            )
    threads = result.provenance.get("threads")
    if threads != torch.get_num_threads():
        logger.warning("%s ran on %s threads, this is %d: rounding may differ", path, threads, torch.get_num_threads())
    return result


def _stored(result: Result, task: Task) -> Path:
    """Save in the run's place, and remove its checkpoint; a complete result there gives way to a complete one only."""
    kept = result.status != "complete" and is_complete(task.path)
    if kept:
        print(f"{task.label}: the complete result of an earlier run was kept in {task.path}", file=sys.stderr)
    path = _saved(result, task.checkpoint if kept else task.path)
    if path == task.path and (result.status == "complete" or result.checkpoint is not None):
        with suppress(OSError):
            task.checkpoint.unlink(missing_ok=True)
    return path


def _saved(result: Result, path: Path) -> Path:
    """Save; if that fails, save in a new temporary directory instead, so that nothing computed is lost."""
    try:
        return save(result, path)
    except ResultsError as error:
        try:
            spare = save(result, Path(tempfile.mkdtemp(prefix=f"kanpde-{path.parent.name}-")) / path.name)
        except OSError:
            figures = ", ".join(f"{name} {value:.3g}" for name, value in result.metrics.items())
            raise UserError(f"{error}; nor could it be kept in {tempfile.gettempdir()}. What was reached: {figures}") from None
        print(f"error: {error}. The results were kept in {spare}", file=sys.stderr)
        return spare


# ---- while it trains ----


class Interrupts:
    """Ctrl-C and SIGTERM: the first one until the result is saved ends training after the step that is being computed, any other at once.

    An exception in the midst of a step or of a save could be lost in a callback of a C library.
    """

    def __init__(self) -> None:
        self.training, self.requested = False, False

    def begin(self) -> None:
        """Training begins."""
        self.training, self.requested = True, False

    def __call__(self, number: int, frame: Any) -> None:
        if not self.training or self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def raise_if_requested(self) -> None:
        """To be called between two steps."""
        if self.requested:
            raise KeyboardInterrupt


@contextmanager
def listening() -> Iterator[Interrupts]:
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


class Listener:
    """A callback that shows one progress bar, and writes a checkpoint every so many seconds, and before it passes on an interrupt."""

    def __init__(self, task: Task, interval: float, interrupts: Interrupts) -> None:
        from tqdm import tqdm

        self.task, self.interval, self.last, self.warned = task, interval, time.monotonic(), False
        self.interrupts = interrupts
        self.bar = tqdm(total=None, desc=task.label, disable=not sys.stderr.isatty(), leave=False, unit="step")

    def __call__(self, run: Run) -> None:
        if not self.interrupts.training:
            self.interrupts.begin()
        progress = run.fit
        history = progress.history.columns
        self.bar.total = progress.total_steps
        self.bar.n = progress.history.length
        name = "validation_loss" if "validation_loss" in history else "error_l2"
        word, error = name.split("_")[0], history[name][-1]
        self.bar.set_postfix_str(f"loss {history['loss'][-1]:.1e}, {word} {error:.1e}, refinement {history['refinement'][-1]:.0f}")
        if time.monotonic() - self.last >= self.interval or self.interrupts.requested:
            self._checkpoint(run)
            self.last = time.monotonic()
        self.interrupts.raise_if_requested()

    def _checkpoint(self, run: Run) -> None:
        try:
            save(run.result(checkpoint=True), self.task.checkpoint)
        except ResultsError as error:
            if not self.warned:
                logger.warning("no checkpoint: %s. Training goes on", error)
            self.warned = True

    def close(self) -> None:
        """Remove the bar."""
        self.bar.close()
