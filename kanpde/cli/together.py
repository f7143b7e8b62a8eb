"""Figures of several runs together, which a problem file defines: ``def figures(results): return {"scaling": ...}``."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kanpde.problem_files import Task, UserError, complaint, figures_of, load_problem
from kanpde.results import Result, load


def draw_together(tasks: Sequence[Task]) -> bool:
    """Draw the figures of each problem file from its complete results, and say where they are; whether that failed."""
    failed = False
    for file in dict.fromkeys(task.file for task in tasks if task.figures is not None):
        own = [task for task in tasks if task.file == file]
        results = [result for task in own if task.path.exists() and (result := load(task.path)).status == "complete"]
        if results and own[0].figures is not None:
            failed = draw_and_save(own[0].figures, results, file, own[0].path.parent) or failed
    return failed


def draw_again(file: Path, results: Sequence[Result], directory: Path) -> bool:
    """The same for results that were loaded; whether that failed. :class:`UserError` if the file defines no ``figures``."""
    figures = figures_of(load_problem(file), file)
    if figures is None:
        raise UserError(f"{file} defines no `figures(results)`: leave it out, and each results file is drawn by itself")
    return draw_and_save(figures, results, file, directory)


def draw_and_save(figures: Callable[[list[Result]], Mapping[str, Any]], results: Sequence[Result], file: Path, directory: Path) -> bool:
    """Call a problem file's function and save what it draws; an error is printed; whether there was one."""
    from kanpde.figures import saved

    try:
        found = figures(list(results))
        if not isinstance(found, Mapping) or not all(hasattr(figure, "savefig") for figure in found.values()):
            raise TypeError(f"`figures` returned {found!r:.60}: return a dict of matplotlib figures by name")
        paths = [path for name, figure in found.items() for path in saved(figure, directory / name, title=f"{file.stem}: {name}")]
    except Exception as error:  # the results are safe
        print(f"error: the figures of {file}: {complaint(error, file)}", file=sys.stderr)
        return True
    print(*paths, sep="\n")
    return False
