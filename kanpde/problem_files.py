"""Problem files: plain Python that defines ``experiment`` or a dict ``experiments``; and the runs that they stand for.

Where experiments are of data, which are read as they are made, ``experiments`` may be a function that returns the dict: then the file
can be imported without.
"""

import ast
import hashlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Protocol, runtime_checkable

from kanpde.results import Result
from kanpde.settings import with_setting

LONGEST = 80  # letters of settings in a file name
SHOWN = 30  # experiments that an error names


class UserError(Exception):
    """Something that the user can mend; printed without a traceback."""


@runtime_checkable
class Runnable(Protocol):
    """What a problem file defines: a frozen dataclass that runs with a seed, such as Experiment or LawSearch.

    One with a field ``callbacks`` tells them what it has done between its steps, and so can be stopped and saved there.
    """

    def shortened(self) -> Any:
        """The same for a first look."""

    def run(self, *, seed: int, device: str, dtype: Any, name: str, key: str, source: str, resume: Result | None) -> Result:
        """The result of one run."""
        ...


@dataclass(frozen=True)
class Together:
    """What a problem file makes of several results: ``figures`` gives figures by name of a list of results, ``tables`` Markdown of lists of
    results by the experiment's name; None without one.
    """

    figures: Callable[[list[Result]], Mapping[str, Any]] | None = None
    tables: Callable[[dict[str, list[Result]]], str] | None = None


@dataclass(frozen=True)
class Chapter:
    """A chapter of a collection: problem ``files`` beside the collection's own, and what is ``published`` of it, in words.

    ``only`` are experiments as ``--only`` names them. A problem file with ``collection = [Chapter(...), ...]`` in place of experiments
    stands for all of them, and its run ends in one page of all tables and figures.
    """

    title: str
    files: str | Sequence[str]
    published: str = ""
    only: str | None = None
    folder: Path = Path()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The problem files."""
        return tuple(self.folder / name for name in ([self.files] if isinstance(self.files, str) else self.files))


@dataclass(frozen=True)
class Task:
    """One run: an experiment of a problem file with a seed, and where its results go."""

    experiment: Any  # Runnable
    file: Path
    key: str
    seed: int
    source: str
    path: Path
    name: str = ""  # of the experiment in the problem file
    together: Together = Together()

    @property
    def suffix(self) -> str:
        """What tells the key from the name: "-quick", settings, the precision."""
        return self.key[len(self.name) :] if self.name else ""

    @property
    def problem(self) -> str:
        """The name of the problem."""
        return self.file.stem

    @property
    def label(self) -> str:
        """The run in words."""
        return f"{self.problem}/{self.key} seed {self.seed}"

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished run is kept, so that an earlier result stays until there is a better one."""
        return self.path.with_name(f"{self.path.stem}.checkpoint.h5")


def tasks_of(
    path: Path,
    *,
    seeds: Sequence[int],
    results: Path,
    only: str | None = None,
    quick: bool = False,
    settings: Sequence[str] = (),
    variant: str = "",
) -> list[Task]:
    """The runs of a problem file: every experiment with every seed, or ``only`` one, or those of a pattern such as
    ``*-noise0.1`` (behind ``!``, all others); with ``settings`` FIELD=VALUE replaced. Of a collection, the runs of all its files, or of
    ``only`` some of these.

    What makes a run another than that of the plain command is in its key, and so in its file's name: ``-quick``, the settings, and
    a ``variant`` such as "float32".
    Raises :class:`UserError` if the file cannot be run, defines no experiment, or has no such experiment or field.
    """
    module = load_problem(path)
    if (chapters := _collected(module, path)) is not None:
        known = [file.stem for chapter in chapters for file in chapter.paths]
        stems = known if only is None else _matching(only, dict.fromkeys(known))
        if not stems:
            raise UserError(f"{path} has no problem file {only!r}: it collects {', '.join(known)}")
        files = [(file, chapter.only) for chapter in chapters for file in chapter.paths if file.stem in stems]
    else:
        files = [(path, only)]
    chosen = {"seeds": seeds, "results": results, "quick": quick, "settings": settings, "variant": variant}
    return [task for file, some in files for task in _runs(module if file is path else load_problem(file), file, only=some, **chosen)]


def _runs(
    module: ModuleType,
    path: Path,
    *,
    seeds: Sequence[int],
    results: Path,
    only: str | None,
    quick: bool,
    settings: Sequence[str],
    variant: str,
) -> list[Task]:
    """The runs of a problem file that is no collection, as :func:`tasks_of`."""
    if hasattr(module, "collection"):
        raise UserError(f"{path} is a collection itself: a collection names problem files with experiments")
    experiments = getattr(module, "experiments", None) or {}
    if isinstance(getattr(module, "experiment", None), Runnable):
        experiments = {"experiment": module.experiment, **experiments}
    if not isinstance(experiments, dict) or not all(isinstance(each, Runnable) and is_dataclass(each) for each in experiments.values()):
        raise UserError(f"`experiments` in {path} must be a dict of Experiment objects by name")
    if not experiments:
        raise UserError(
            f"{path} defines no experiment: it needs `experiment = Experiment(...)` or a dict `experiments = {{'name': Experiment(...)}}`"
        )
    for key in experiments:
        if not (isinstance(key, str) and re.fullmatch(r"(?!\.)[\w .,+=()-]{1,80}", key)):
            raise UserError(f"the experiment {key!r} in {path} names a file: give it up to 80 letters, digits, or '-_ .,+=()'")
    if only is not None:
        chosen = {key: experiments[key] for key in _matching(only, experiments)}
        if not chosen:
            some, rest = list(experiments)[:SHOWN], len(experiments) - SHOWN
            raise UserError(f"{path} has no experiment {only!r}: it defines {', '.join(some)}{f' and {rest} others' * (rest > 0)}")
        experiments = chosen
    given = _parsed(settings)
    suffix = "".join(f"-{words}" for words in ("quick" if quick else "", _in_a_name(given), variant) if words)
    source, together = path.read_text(encoding="utf-8"), together_of(module, path)
    found = []
    for key, experiment in experiments.items():
        experiment = _configured(experiment.shortened() if quick else experiment, given)
        for seed in seeds:
            target = results / path.stem / f"{key}{suffix}-s{seed}.h5"
            found.append(Task(experiment, path, f"{key}{suffix}", seed, source, target, key, together))
    return found


def chapters_of(path: Path) -> tuple[Chapter, ...] | None:
    """The chapters of a collection; None of any other problem file. :class:`UserError` as :func:`tasks_of`."""
    return _collected(load_problem(path), path) if "collection" in path.read_text(encoding="utf-8") else None


def _collected(module: ModuleType, path: Path) -> tuple[Chapter, ...] | None:
    given = getattr(module, "collection", None)
    if given is None:
        return None
    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(each, Chapter) for each in given):
        raise UserError(f"`collection` in {path} must be a list of Chapter(title, files), got {given!r:.80}")
    chapters = tuple(replace(each, folder=path.parent) for each in given)
    for chapter in chapters:
        if missing := [each for each in chapter.paths if not each.is_file() or each.resolve() == path.resolve()]:
            raise UserError(f"the chapter {chapter.title!r} of {path} names {missing[0]}, which is no problem file beside it")
    return chapters


def _matching(only: str, keys: Mapping[str, Any]) -> list[str]:
    """The key of that name, or those that the pattern matches; of a pattern behind ``!`` those that it does not match."""
    if only in keys:
        return [only]
    pattern, wanted = (only[1:], False) if only.startswith("!") else (only, True)
    return [key for key in keys if fnmatchcase(key, pattern) == wanted]


def together_of(module: ModuleType, path: Path) -> Together:
    """The functions ``figures(results)`` and ``tables(results)`` of a problem file; what they return is looked at when they are called."""
    figures, tables = getattr(module, "figures", None), getattr(module, "tables", None)
    if figures is not None and not callable(figures):
        raise UserError(f"`figures` in {path} must be a function of a list of results that returns figures by name, got {figures!r:.60}")
    if tables is not None and not callable(tables):
        raise UserError(f"`tables` in {path} must be a function of lists of results by name that returns Markdown, got {tables!r:.60}")
    return Together(figures, tables)  # type: ignore[arg-type]


def by_experiment(module: ModuleType, results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results by the name that their experiment has in the problem file, in its order: those of ``heat-quick`` belong to ``heat``."""
    names = [*(["experiment"] if hasattr(module, "experiment") else []), *getattr(module, "experiments", {})]
    found: dict[str, list[Result]] = {name: [] for name in names}
    for result in results:
        near = [name for name in names if result.experiment == name or result.experiment.startswith(f"{name}-")]
        if near:
            found[max(near, key=len)].append(result)
    return {name: some for name, some in found.items() if some}


def check_apart(tasks: Sequence[Task]) -> None:
    """Raise :class:`UserError` if two runs would write one file, or something is in the way of one."""
    taken: dict[Path, Task] = {}
    for task in tasks:
        other = taken.setdefault(task.path, task)
        if other is not task:
            both = f"{other.file} is given twice" if other.file == task.file else f"{other.file} and {task.file} have one name"
            raise UserError(f"{both}, and both would write {task.path}: rename one, or run them with different --results")
        for path in (task.path, task.checkpoint):
            if path.is_dir():
                raise UserError(f"{path} is a directory, where the results file should go: move it, or choose another one with --results")


# ---- executing a problem file ----


def load_problem(path: Path) -> ModuleType:
    """Execute a problem file; :class:`UserError` naming file, line and error if that fails.

    It may import modules from its own folder; ``sys.path`` is left as it was. A function ``experiments()`` is called, and the module has
    the dict in its place.
    """
    if not path.is_file():
        raise UserError(f"there is no problem file {path}")
    spec = importlib.util.spec_from_file_location(f"kanpde_problem_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file: problem files end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up their annotations
    try:
        with _importing_from(path.resolve().parent):
            spec.loader.exec_module(module)
            if isinstance(given := getattr(module, "experiments", None), FunctionType):
                module.experiments = given()  # type: ignore[attr-defined]
    except Exception as error:
        del sys.modules[spec.name]
        raise UserError(f"{_place(error, path) or path}: {type(error).__name__}: {error}") from error
    return module


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let modules be imported from ``folder``; afterwards they are forgotten, so that another folder may have its own of that name."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if name.partition(".")[0] not in before and origin and folder in Path(origin).parents and "site-packages" not in origin:
                del sys.modules[name]


def complaint(error: BaseException, path: Path) -> str:
    """An error in words: with its type where it is not one that kanpde words itself, and the user's line where there is one."""
    worded = isinstance(error, (UserError, ValueError, TypeError, AttributeError, OSError)) and str(error)
    text = str(error) if worded else f"{type(error).__name__}: {error}".removesuffix(": ")
    place = _place(error, path)
    return f"{text} (raised at {place})" if place else text


def _place(error: BaseException | None, path: Path) -> str:
    """``problems/poisson.py, line 14``: the innermost line of the problem file, or of another in its folder, that an error passed."""
    script = Path(getattr(sys.modules["__main__"], "__file__", None) or "").resolve()
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve().parent == path.resolve().parent:
            return f"{_as_given(Path(error.filename), path)}, line {error.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            here = Path(frame.filename).resolve()
            if here.parent == path.resolve().parent and here != script:
                return f"{_as_given(here, path)}, line {frame.lineno}"
        error = error.__cause__
    return ""


def _as_given(file: Path, path: Path) -> Path:
    return path if file.resolve() == path.resolve() else path.with_name(file.name)


# ---- settings ----


def _parsed(settings: Sequence[str]) -> dict[str, tuple[str, Any]]:
    """Text and value by field; the last one counts."""
    found = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not (equals and path):
            raise UserError(f"--set takes FIELD=VALUE, as in --set training.steps=50, got {setting!r}")
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = text
        found[path] = (text, value)
    return found


def _in_a_name(settings: Mapping[str, tuple[str, Any]]) -> str:
    """``training.steps=50`` as it is; what a file name cannot hold is replaced, and told apart by a few letters of a hash."""
    whole = ",".join(f"{path}={text}" for path, (text, _) in sorted(settings.items()))
    short = re.sub(r"[^\w.,+=-]+", "_", whole)[:LONGEST]
    return short if short == whole else f"{short}~{hashlib.sha256(whole.encode()).hexdigest()[:6]}"


def _configured(experiment: Any, settings: Mapping[str, tuple[str, Any]]) -> Any:
    for path, (text, value) in settings.items():
        try:
            experiment = with_setting(experiment, path, value)
        except Exception as error:  # the user's value may fail anywhere in what is made of it
            words = str(error).partition("\n")[0] or "no reason given"
            kind = "" if isinstance(error, (ValueError, TypeError)) else f"{type(error).__name__}: "
            raise UserError(f"--set {path}={text}: {kind}{words}") from error
    return experiment
