"""What a problem file makes of several runs together: ``def figures(results)`` draws them, ``def tables(results)`` sets them in tables."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kanpde.problem_files import Task, UserError, by_experiment, complaint, load_problem, together_of
from kanpde.results import Result, load


def show_together(tasks: Sequence[Task], *, figures: bool) -> bool:
    """Of each problem file's complete results, print its tables and write them to ``tables.md``, and with ``figures`` draw its figures;
    whether that failed.
    """
    failed = False
    for file in dict.fromkeys(task.file for task in tasks):
        own = [task for task in tasks if task.file == file]
        first, together = own[0], own[0].together
        if together.tables is None and (together.figures is None or not figures):
            continue
        named = [(task.name, result) for task in own if task.path.exists() and (result := load(task.path)).status == "complete"]
        if named and together.tables is not None:
            by_name = {name: [result for other, result in named if other == name] for name, _ in named}
            text = tables_in_words(together.tables, by_name, file)
            failed = text is None or not _written(text, first.path.with_name(f"tables{first.suffix}.md")) or failed
        if named and together.figures is not None and figures:
            failed = draw_and_save(together.figures, [result for _, result in named], file, first.path.parent, first.suffix) or failed
    return failed


def tabulate_again(file: Path, results: Sequence[Result]) -> bool:
    """Print the tables of results that were loaded; whether that failed. :class:`UserError` if the file defines no ``tables``."""
    module = load_problem(file)
    tables, named = together_of(module, file).tables, by_experiment(module, results)
    if tables is None:
        raise UserError(f"{file} defines no `tables(results)`: leave it out, and the results files are compared in one table of runs")
    if not named:
        raise UserError(f"none of these results is of an experiment of {file}: they are {', '.join(each.experiment for each in results)}")
    text = tables_in_words(tables, named, file)
    if text is not None:
        print(text)
    return text is None


def tables_in_words(tables: Callable[[dict[str, list[Result]]], str], results: dict[str, list[Result]], file: Path) -> str | None:
    """What a problem file's function returns; an error is printed, and gives None."""
    try:
        text = tables(results)
        if not isinstance(text, str):
            raise TypeError(f"`tables` returned {text!r:.60}: return a text in Markdown")
    except Exception as error:  # the results are safe
        print(f"error: the tables of {file}: {complaint(error, file)}", file=sys.stderr)
        return None
    return text.strip()


def _written(text: str, path: Path) -> bool:
    """Print a text and write it to a file; whether that went well."""
    print(f"\n{text}\n")
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        print(f"error: the tables cannot be written to {path}: {error.strerror or error}", file=sys.stderr)
        return False
    print(path)
    return True


def draw_again(file: Path, results: Sequence[Result], directory: Path) -> bool:
    """Draw and save the figures of results that were loaded; whether that failed. :class:`UserError` if the file defines no ``figures``."""
    figures = together_of(load_problem(file), file).figures
    if figures is None:
        raise UserError(f"{file} defines no `figures(results)`: leave it out, and each results file is drawn by itself")
    return draw_and_save(figures, results, file, directory)


def draw_and_save(
    figures: Callable[[list[Result]], Mapping[str, Any]], results: Sequence[Result], file: Path, directory: Path, suffix: str = ""
) -> bool:
    """Call a problem file's function and save what it draws; an error is printed; whether there was one."""
    from kanpde.figures import saved

    try:
        found = figures(list(results))
        if not isinstance(found, Mapping) or not all(hasattr(figure, "savefig") for figure in found.values()):
            raise TypeError(f"`figures` returned {found!r:.60}: return a dict of matplotlib figures by name")
        paths = [
            path for name, figure in found.items() for path in saved(figure, directory / f"{name}{suffix}", title=f"{file.stem}: {name}")
        ]
    except Exception as error:  # the results are safe
        print(f"error: the figures of {file}: {complaint(error, file)}", file=sys.stderr)
        return True
    print(*paths, sep="\n")
    return False
