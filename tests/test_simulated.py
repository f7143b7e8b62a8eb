"""Experiments made by the seed of their run, and collections of problem files with their page."""

import numpy as np
import pytest

from kanpde import KAN, Chebyshev, Dataset, Experiment, LawSearch, LevenbergMarquardt, Regression, Simulated
from kanpde.cli import main
from kanpde.problem_files import UserError, tasks_of
from kanpde.results import load


def falling(seed, rows=60):
    t = np.random.default_rng(seed).uniform(1, 2, rows)
    return LawSearch(Dataset({"t": t, "h": 5 * t**2}, targets=["h"], train=1.0), seconds=2)


def fitted(seed, rows=60):
    t = np.random.default_rng(seed).uniform(1, 2, rows)
    data = Dataset({"t": t, "h": 5 * t**2}, targets=["h"])
    return Experiment(Regression(data), KAN(1, 1, basis=Chebyshev(3)), [LevenbergMarquardt(steps=4)])


def test_each_seed_has_data_of_its_own():
    one, other = (Simulated(fitted).run(seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.solution_points, other.solution_points)
    assert one.provenance["experiment_repr"] == "Simulated(fitted)" == repr(Simulated(fitted))


def test_a_law_of_simulated_data():
    result = Simulated(falling, dict(rows=40)).run(seed=3)
    assert result.law["formula"] == "h = 5*t**2" and result.metrics["train_rows"] == 40
    assert result.provenance["experiment_repr"] == "Simulated(falling, rows=40)"


def test_a_first_look_has_other_arguments_and_is_shortened():
    short = Simulated(fitted, dict(rows=60), quick=dict(rows=30)).shortened()
    made = short.experiment(0)
    assert repr(short) == "Simulated(fitted, rows=30, short=True)"
    assert len(made.problem.data["train"]) == 24 and made.training[0].steps == 2


def test_what_makes_no_experiment_is_an_error():
    with pytest.raises(TypeError, match="takes a function"):
        Simulated(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="returns None, which is no experiment"):
        Simulated(lambda seed: None).run()


SIMULATED = """
\"\"\"A simulated line.\"\"\"
import numpy as np
import kanpde as kp

def made(seed, rows):
    t = np.random.default_rng(seed).uniform(1, 2, rows)
    data = kp.Dataset({"t": t, "h": 5 * t}, targets=["h"])
    return kp.Experiment(kp.Regression(data), kp.KAN(1, 1, basis=kp.Chebyshev(3)), [kp.LevenbergMarquardt(steps=4)])

experiment = kp.Simulated(made, dict(rows=30))
"""
TABLED = (
    SIMULATED
    + """
def tables(results):
    return f"{sum(map(len, results.values()))} lines"
"""
)
COLLECTION = """
\"\"\"Two lines.\"\"\"
from kanpde import Chapter

collection = [Chapter("First", "line.py", "an error of 1"), Chapter("Second", ["part/tabled.py"])]
"""


@pytest.fixture
def collected(tmp_path):
    (tmp_path / "part").mkdir()
    for name, text in (("line.py", SIMULATED), ("part/tabled.py", TABLED), ("both.py", COLLECTION)):
        (tmp_path / name).write_text(text)
    return tmp_path / "both.py"


def run(*arguments):
    return main([*map(str, arguments), "--no-figures"])


def test_simulated_runs_are_resumed(collected, capsys):
    results = collected.parent / "results"
    assert run(collected.parent / "line.py", "--results", results) == 0
    assert run(collected.parent / "line.py", "--results", results, "--resume") == 0
    assert "already complete" in capsys.readouterr().out
    assert load(results / "line" / "experiment-s0.h5").status == "complete"


def test_a_collection_runs_all_its_files_and_writes_one_page(collected, capsys):
    results = collected.parent / "results"
    assert run(collected, "--results", results, "--seeds", 2) == 0
    assert "[3 of 4, " in capsys.readouterr().err
    page = (results / "both.md").read_text()
    assert page.startswith("# Two lines.") and "Published: an error of 1" in page and "2 lines" in page
    assert [line.split("|")[2].strip() for line in page.splitlines() if line.startswith(("| First", "| Second"))] == ["2 of 2", "2 of 2"]
    row = next(line for line in page.splitlines() if line.startswith("| experiment ") and "test rmse" in line)
    assert row.split("|")[2].strip() == "2"


def test_some_files_of_a_collection_and_a_page_of_all(collected):
    results = collected.parent / "results"
    assert run(collected, "--results", results, "--only", "line") == 0
    page = (results / "both.md").read_text()
    assert "| First" in page and "0 of 1" in page and "1 of 1" in page
    assert [task.problem for task in tasks_of(collected, seeds=[0], results=results, only="!line")] == ["tabled"]


def test_a_page_leaves_out_what_cannot_be_read(collected, capsys):
    results = collected.parent / "results"
    assert run(collected, "--results", results) == 0
    (results / "tabled" / "experiment-s0.h5").write_bytes(b"no HDF5")
    assert run(collected, "--results", results, "--only", "line") == 0
    assert "the page leaves it out" in capsys.readouterr().err and "1 of 1" in (results / "both.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("collection = 3", "must be a list of Chapter"),
        ("collection = []", "must be a list of Chapter"),
        ("from kanpde import Chapter\ncollection = [Chapter('A', 'gone.py')]", "names .*gone.py, which is no problem file beside it"),
        ("from kanpde import Chapter\ncollection = [Chapter('A', 'both.py')]", "names .*both.py, which is no problem file"),
    ],
)
def test_bad_collections(collected, text, message):
    collected.write_text(text)
    with pytest.raises(UserError, match=message):
        tasks_of(collected, seeds=[0], results=collected.parent)


def test_collections_that_name_each_other(collected):
    other = collected.with_name("other.py")
    for one, two in ((collected, other), (other, collected)):
        one.write_text(f"from kanpde import Chapter\ncollection = [Chapter('A', {two.name!r})]")
    with pytest.raises(UserError, match="other.py is a collection itself"):
        tasks_of(collected, seeds=[0], results=collected.parent)


def test_an_unknown_file_of_a_collection(collected):
    with pytest.raises(UserError, match="has no problem file 'lines': it collects line, tabled"):
        tasks_of(collected, seeds=[0], results=collected.parent, only="lines")
