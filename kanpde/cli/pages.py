"""One page of a collection: tables and figures, ours beside what is published, with time, seeds and spread; from results on disk alone."""

import ast
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from kanpde.problem_files import Chapter, Task
from kanpde.reports import RISING, markdown_table
from kanpde.results import Result, load

MAIN = ("relative_l2", "test_accuracy", "test_rmse", "max_error", "drift")  # of a run: the first that it has


def write_page(title: str, chapters: Sequence[Chapter], tasks: Sequence[Task], path: Path) -> None:
    """Write the page of all ``tasks``, runs of the problem files of ``chapters``, to ``path``; those that are not complete are counted.

    Figures are linked relative to the page. Raises ``OSError`` if it cannot be written.
    """
    by_file: dict[Path, list[Task]] = {}
    for task in tasks:
        by_file.setdefault(task.file, []).append(task)
    found = {file: _loaded(own) for file, own in by_file.items()}
    every = [each for some in found.values() for each in some]
    lines = [f"# {title}", "", _origin(every), "", _overview(chapters, by_file, found), ""]
    for chapter in chapters:
        lines += [f"## {chapter.title}", ""]
        if chapter.published:
            lines += [f"Published: {chapter.published}", ""]
        for file in chapter.paths:
            if file in by_file:
                lines += [*_section(file, by_file[file], found[file], path.parent), ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _loaded(tasks: Sequence[Task]) -> list[Result]:
    """The results that there are; one that cannot be read is told, and left out."""
    found = []
    for task in tasks:
        if task.path.exists():
            try:
                found.append(load(task.path))
            except ValueError as error:
                print(f"error: {error}; the page leaves it out", file=sys.stderr)
    return found


def _origin(results: Sequence[Result]) -> str:
    known = [each.provenance for each in results]
    made = sorted({f"{of['machine']}, kanpde {of['kanpde']}, torch {of['torch']}, {str(of['created'])[:10]}" for of in known})
    return f"Machine and date: {'; '.join(made)}." if made else "Nothing has been run yet."


def _overview(chapters: Sequence[Chapter], by_file: dict[Path, list[Task]], found: dict[Path, list[Result]]) -> str:
    rows, total = [], 0.0
    for chapter in chapters:
        tasks = [task for file in chapter.paths for task in by_file.get(file, ())]
        results = [each for file in chapter.paths for each in found.get(file, ())]
        seconds = sum(float(each.provenance.get("wall_seconds", 0.0)) for each in results)
        complete, total = sum(each.status == "complete" for each in results), total + seconds
        rows.append([chapter.title, f"{complete} of {len(tasks)}", str(len({task.seed for task in tasks})), _time(seconds)])
    return markdown_table(["chapter", "runs", "seeds", "time"], [*rows, ["all", "", "", _time(total)]])


def _section(file: Path, tasks: Sequence[Task], results: Sequence[Result], page: Path) -> list[str]:
    """A problem file: what it is, its tables (or one line an experiment), and its figures."""
    first = (ast.get_docstring(ast.parse(tasks[0].source)) or file.stem).splitlines()[0]
    folder, suffix = tasks[0].path.parent, tasks[0].suffix
    lines = [f"### `{file.name}`", "", first, ""]
    tables = folder / f"tables{suffix}.md"
    together = tasks[0].together
    if together.tables is not None and tables.is_file() and results:
        lines += [tables.read_text(encoding="utf-8").strip(), ""]
    elif results:
        lines += [_runs(tasks, results), ""]
    runs = {task.path.stem for task in tasks}
    drawn = [each for each in sorted(folder.glob("*.png")) if not any(each.stem.startswith(f"{stem}-") for stem in runs)]
    shown = [each for each in drawn if each.stem.endswith(suffix) and (suffix or "-quick" not in each.stem)] if together.figures else []
    if together.figures is None:
        least = min(task.seed for task in tasks)
        wanted = [task.path.stem for task in tasks if task.seed == least]
        shown = [each for stem in wanted for kind in ("solution", "law") for each in [folder / f"{stem}-{kind}.png"] if each.is_file()]
    lines += [f"![{each.stem}]({Path(os.path.relpath(each, page)).as_posix()})" for each in shown]
    return lines


def _runs(tasks: Sequence[Task], results: Sequence[Result]) -> str:
    """One line an experiment: the median and the worst error of its seeds, the law, and the median time."""
    rows = []
    for name in dict.fromkeys(task.key for task in tasks):
        mine = [each for each in results if each.experiment == name]
        if not mine:
            continue
        kind = next((name for name in MAIN if name in mine[0].metrics), "")
        values = [float(each.metrics[kind]) for each in mine if kind in each.metrics]
        worst = (min if kind.endswith(RISING) else max)(values, default=None)
        seconds = statistics.median(float(each.provenance.get("wall_seconds", 0.0)) for each in mine)
        law = " ".join(str(mine[0].law["formula"]).split()) + f" ({mine[0].law['verdict']})" if mine[0].law else ""
        row = [name, str(len(mine)), kind.replace("_", " "), statistics.median(values) if values else None, worst, law, _time(seconds)]
        rows.append(row)
    return markdown_table(["experiment", "seeds", "error", "median", "worst", "law", "time"], rows)


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
