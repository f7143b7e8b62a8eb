"""The other verbs of the command line: ``draw`` and ``compare``, of results files or of the index of a sweep; ``versions`` of one file."""

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from kanpde.cli.together import draw_again, tabulate_again
from kanpde.hdf5 import ResultsError
from kanpde.problem_files import UserError
from kanpde.reports import comparison_table
from kanpde.results import Result, linked, load
from kanpde.versions import Versions


def draw_files(arguments: Sequence[str]) -> int:
    """Redraw figures; one error for each file that cannot be, and then status 1.

    After a problem file, instead of the figures of each result those of all together that the file defines.
    """
    from kanpde.figures import draw

    files, rest = _apart(arguments)
    readable = Readable(_given("draw", "Redraw the figures of results files; with a problem file, those that it defines of them.", rest))
    if files:
        pairs = list(readable)
        failed = [draw_again(file, [result for _, result in pairs], pairs[0][0].parent) for file in files] if pairs else []
        return 1 if readable.failed or any(failed) else 0
    for path, result in readable:
        if not result.solution and result.law is None:
            print(f"{path}: only a checkpoint, nothing to draw yet; finish it with --resume")
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of arithmetic with damaged numbers
                figures = draw(result, path.with_suffix(""))
            print(*figures, sep="\n")
        except ResultsError as error:
            readable.fail(str(error))
        except Exception as error:  # the numbers in a damaged file can be anything
            readable.fail(f"{path} cannot be drawn ({type(error).__name__}: {error}); if the file is damaged, run the experiment again")
    return 1 if readable.failed else 0


def compare_files(arguments: Sequence[str]) -> int:
    """Print one table; one error for each file that cannot be read, and then status 1.

    After a problem file, the tables that it defines instead.
    """
    files, rest = _apart(arguments)
    readable = Readable(_given("compare", "One table of the runs in results files; with a problem file, those that it defines.", rest))
    results = [result for _, result in readable]
    if results and files:
        failed = [tabulate_again(file, results) for file in files]
        return 1 if readable.failed or any(failed) else 0
    if results:
        print(comparison_table(results))
    return 1 if readable.failed else 0


def list_versions(arguments: Sequence[str]) -> int:
    """Print the versions in a file, or what differs between two of them."""
    parser = argparse.ArgumentParser(prog="run_experiments.py versions", description="List the versions in a file, or compare two.")
    parser.add_argument("file", type=Path, metavar="FILE.h5", help="a file of versions, or the results of a run that kept some")
    parser.add_argument("pair", nargs="*", metavar="ID", help="two versions to compare, by number or the beginning of their ids")
    given = parser.parse_args(arguments)
    if len(given.pair) not in (0, 2):
        parser.error(f"two versions are compared, got {len(given.pair)}: {' '.join(given.pair)}")
    try:
        versions = Versions(given.file)
        if not given.file.exists():
            raise UserError(f"there is no file {given.file}")
        if given.pair:
            one, other = (int(each) if each in map(str, range(len(versions))) else each for each in given.pair)
            print(versions.compare(one, other))
        else:
            print(
                versions if len(versions) else f"{given.file} holds no versions: a run keeps them with callbacks=[KeepVersions(Versions())]"
            )
    except (ValueError, KeyError) as error:
        raise UserError(str(error.args[0])) from error
    return 0


def _apart(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The problem files on the command line, and all other arguments."""
    return [Path(each) for each in arguments if each.endswith(".py")], [each for each in arguments if not each.endswith(".py")]


def _given(verb: str, description: str, arguments: Sequence[str]) -> list[Path]:
    """The files on the command line, indices replaced by what they link to, each once."""
    parser = argparse.ArgumentParser(prog=f"run_experiments.py {verb}", description=description)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.h5", help="results, or the index.h5 of a sweep")
    paths = [each for path in parser.parse_args(arguments).files for each in linked(path)]
    return list({path.resolve(): path for path in reversed(paths)}.values())[::-1]


class Readable:
    """Those of some files that can be loaded; the others are reported, and remembered in ``failed``."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths, self.failed = paths, False

    def __iter__(self) -> Iterator[tuple[Path, Result]]:
        for path in self.paths:
            try:
                result = load(path)
            except (ValueError, OSError) as error:
                self.fail(str(error))
                continue
            yield path, result

    def fail(self, message: str) -> None:
        """Report one error."""
        print(f"error: {message}", file=sys.stderr)
        self.failed = True
