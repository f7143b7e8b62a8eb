"""Problem files: how they are executed, what their runs are called, and where an error of theirs is said to be."""

import sys
from pathlib import Path

import pytest

from kanpde.problem_files import UserError, check_apart, complaint, load_problem, tasks_of

PROBLEM = """
from kanpde import KAN, Box, Chebyshev, Experiment, LevenbergMarquardt, Problem

experiment = Experiment(
    Problem(Box(x=(0, 1)), lambda u, x: u.xx), model=KAN(1, 3, 1, basis=Chebyshev(5)), training=[LevenbergMarquardt(steps=9)]
)
"""


@pytest.fixture
def line(tmp_path):
    path = tmp_path / "line.py"
    path.write_text(PROBLEM)
    return path


def written(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def names(line, **options):
    return [task.path.name for task in tasks_of(line, seeds=[0], results=Path("results"), **options)]


def test_dataclasses_with_postponed_annotations(tmp_path):
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Wave:\n    speed: float = 1.0\n"
    assert load_problem(written(tmp_path / "wave.py", text)).Wave().speed == 1.0


def test_a_function_of_experiments_is_called_when_they_are_wanted(tmp_path):
    made = PROBLEM.replace("experiment = ", "made = ")
    path = written(tmp_path / "line.py", made + "\n\ndef experiments():\n    return {'first': made, 'second': made}\n")
    assert list(load_problem(path).experiments) == ["first", "second"]
    assert names(path, only="second") == ["second-s0.h5"]
    with pytest.raises(UserError, match="line.py, line 10: ZeroDivisionError"):
        load_problem(written(path, made + "\n\ndef experiments():\n    return 1 / 0\n"))
    with pytest.raises(UserError, match="must be a dict"):
        names(written(path, made + "\n\ndef experiments():\n    return [made]\n"))


def test_modules_beside_the_problem_file(tmp_path):
    before = list(sys.path)
    for place in ("a", "b"):
        written(tmp_path / place / "helper_beside.py", f"here = {place!r}")
        module = load_problem(written(tmp_path / place / "problem.py", "import helper_beside\nhere = helper_beside.here"))
        assert module.here == place
    assert sys.path == before and "helper_beside" not in sys.modules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n1 / 0", "bad.py, line 2: ZeroDivisionError: division by zero"),
        ("\n\nx = = 3", "bad.py, line 3: SyntaxError"),
        ("import broken_beside", "broken_beside.py, line 2: NameError"),
        ("import sys\nsys.path.insert(0, '/nowhere')\nraise ValueError('no')", "bad.py, line 3: ValueError: no"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    written(tmp_path / "broken_beside.py", "x = 1\ny = z")
    with pytest.raises(UserError, match=message):
        load_problem(written(tmp_path / "bad.py", text))
    assert "kanpde_problem_bad" not in sys.modules and str(tmp_path) not in sys.path


def test_complaints_name_the_user_s_line(tmp_path):
    path = written(tmp_path / "late.py", "def later():\n    return 1 / 0")
    try:
        load_problem(path).later()
    except ZeroDivisionError as error:
        assert complaint(error, path) == f"ZeroDivisionError: division by zero (raised at {path}, line 2)"
    assert complaint(ValueError("no"), path) == "no"
    assert complaint(KeyError("u"), path) == "KeyError: 'u'"
    assert complaint(MemoryError(), path) == "MemoryError"


def test_what_changes_a_run_is_in_its_name(line):
    assert names(line) == ["experiment-s0.h5"]
    assert names(line, quick=True) == ["experiment-quick-s0.h5"]
    assert names(line, settings=["training.steps=50"]) == ["experiment-training.steps=50-s0.h5"]
    assert names(line, settings=["training.steps=3", "training.steps=50"]) == ["experiment-training.steps=50-s0.h5"]
    two = ["training.steps=50", "model.basis.degree=4"]
    assert names(line, settings=two) == names(line, settings=two[::-1]) == ["experiment-model.basis.degree=4,training.steps=50-s0.h5"]
    assert names(line, quick=True, settings=two[:1], variant="float32") == ["experiment-quick-training.steps=50-float32-s0.h5"]


def test_what_a_file_name_cannot_hold_is_replaced_and_told_apart(line):
    (one,), (other,) = (names(line, settings=[f"model.widths={text}"]) for text in ("(1, 5, 1)", "[1, 5, 1]"))
    assert one != other and one.startswith("experiment-model.widths=_1,_5,_1_~")
    (evil,) = names(line, settings=["model.widths=(1, 5, 1) # ../../" + "x" * 300])
    assert "/" not in evil and len(evil) < 120


@pytest.mark.parametrize("key", ["a/../../b", "", "..", ".hidden", "a\\b", "a\nb", "a" * 300, 3])
def test_keys_that_are_no_file_names(line, key):
    line.write_text(PROBLEM + f"\nexperiments = {{{key!r}: experiment}}\ndel experiment")
    with pytest.raises(UserError) as caught:
        names(line)
    assert repr(key) in str(caught.value)


def test_two_runs_of_one_name(line, tmp_path):
    other = written(tmp_path / "other" / "line.py", PROBLEM)
    tasks = [task for path in (line, other) for task in tasks_of(path, seeds=[0], results=tmp_path / "out")]
    with pytest.raises(UserError) as caught:
        check_apart(tasks)
    assert str(line) in str(caught.value) and str(other) in str(caught.value)
    with pytest.raises(UserError, match="given twice"):
        check_apart([tasks[0], *tasks_of(line, seeds=[0, 1], results=tmp_path / "out")])
    check_apart(tasks[:1])


@pytest.mark.parametrize("which", ["path", "checkpoint"])
def test_a_directory_in_the_way(line, tmp_path, which):
    (task,) = tasks_of(line, seeds=[0], results=tmp_path)
    getattr(task, which).mkdir(parents=True)
    with pytest.raises(UserError, match="is a directory"):
        check_apart([task])
