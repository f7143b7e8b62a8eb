"""Problem files: plain Python that defines ``experiment`` or a dict ``experiments``; and the runs that they stand for."""

import ast
import importlib.util
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from kanpde.experiment import Experiment
from kanpde.settings import with_setting


class UserError(Exception):
    """Something that the user can mend; printed without a traceback."""


@dataclass(frozen=True)
class Task:
    """One run: an experiment with a seed, and where its results go."""

    experiment: Experiment
    problem: str
    key: str
    seed: int
    source: str
    path: Path

    @property
    def label(self) -> str:
        return f"{self.problem}/{self.key} seed {self.seed}"


def tasks_of(
    path: Path, *, seeds: Sequence[int], results: Path, only: str | None = None, quick: bool = False, settings: Sequence[str] = ()
) -> list[Task]:
    """The runs of a problem file: every experiment with every seed, or ``only`` one; with ``settings`` FIELD=VALUE replaced.

    Raises :class:`UserError` if the file cannot be run, defines no experiment, or has no such experiment or field.
    """
    module = load_problem(path)
    experiments = getattr(module, "experiments", None) or {}
    if isinstance(getattr(module, "experiment", None), Experiment):
        experiments = {"experiment": module.experiment, **experiments}
    if not isinstance(experiments, dict) or not all(isinstance(each, Experiment) for each in experiments.values()):
        raise UserError(f"`experiments` in {path} must be a dict of Experiment objects by name")
    if not experiments:
        raise UserError(
            f"{path} defines no experiment: it needs `experiment = Experiment(...)` or a dict `experiments = {{'name': Experiment(...)}}`"
        )
    if only is not None:
        if only not in experiments:
            raise UserError(f"{path} has no experiment {only!r}: it defines {', '.join(experiments)}")
        experiments = {only: experiments[only]}
    source = path.read_text(encoding="utf-8")
    found = []
    for key, experiment in experiments.items():
        if quick:
            experiment = experiment.shortened()
        experiment = _configured(experiment, settings)
        stem = f"{key}-quick" if quick else key
        for seed in seeds:
            target = results / path.stem / f"{stem}-s{seed}.h5"
            found.append(Task(experiment, path.stem, stem, seed, source, target))
    return found


def load_problem(path: Path) -> ModuleType:
    """Execute a problem file; :class:`UserError` naming file, line and error if that fails."""
    if not path.is_file():
        raise UserError(f"there is no problem file {path}")
    spec = importlib.util.spec_from_file_location(f"kanpde_problem_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file: problem files end in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in last if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else "?"
        raise UserError(f"{path}, line {line}: {type(error).__name__}: {error}") from error
    return module


def _configured(experiment: Experiment, settings: Sequence[str]) -> Experiment:
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set takes FIELD=VALUE, as in --set training.steps=50, got {setting!r}")
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text
        try:
            experiment = with_setting(experiment, path, value)
        except (ValueError, TypeError) as error:
            raise UserError(f"--set {setting}: {error}") from error
    return experiment
