"""Several runs together: the scaling figure, and what a problem file draws and tabulates of its results."""

import numpy as np
import pytest

from kanpde import KAN, Chebyshev, Dataset, Experiment, LevenbergMarquardt, Refine, Regression, load
from kanpde.cli import main
from kanpde.functions import sin
from kanpde.scaling import ladder, scaling, slopes

FILE = '''
"""sin(3 x) from samples."""
from kanpde import KAN, MLP, Chebyshev, Dataset, Experiment, LevenbergMarquardt, Record, Refine, Regression
from kanpde.functions import sin
from kanpde.reports import markdown_table
from kanpde.scaling import scaling

data = Dataset.of(lambda x: sin(3 * x), x=(-1, 1), train=60, validation=40, test=20)
experiments = {
    "sine-chebyshev": Experiment(
        Regression(data), KAN(1, 1, basis=Chebyshev(2)), [LevenbergMarquardt(steps=3), Refine(4, 6)],
        callbacks=[Record(parameters=lambda run: run.fit.network.parameter_count)],
    ),
    "sine-mlp-3": Experiment(Regression(data), MLP(1, 3, 1), [LevenbergMarquardt(steps=5)]),
}


def figures(results):
    return {"scaling": scaling(results)}


def tables(results):
    return markdown_table(["experiment", "seeds", "rmse"], [[name, len(r), r[0].metrics["test_rmse"]] for name, r in results.items()])
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    (folder / "sine.py").write_text(FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kanpde.figures.draw", lambda *_: [])  # those of single runs, which others draw
        assert main([str(folder / "sine.py"), "--results", str(folder / "results")]) == 0
    return folder


def test_a_problem_file_draws_its_results_together(folder, capsys):
    found = folder / "results" / "sine"
    assert (found / "scaling.pdf").read_bytes().startswith(b"%PDF")
    before = (found / "scaling.pdf").read_bytes()
    (found / "scaling.pdf").unlink()
    assert main(["draw", str(folder / "sine.py"), *map(str, sorted(found.glob("*.h5")))]) == 0
    assert str(found / "scaling.png") in capsys.readouterr().out
    assert (found / "scaling.pdf").read_bytes() == before  # from the files alone


def test_what_a_ladder_is(folder):
    result = load(folder / "results" / "sine" / "sine-chebyshev-s0.h5")
    found = ladder(result)
    assert found["resolution"].tolist() == [2, 4, 6]
    assert found["parameters"].tolist() == [3, 5, 7]
    last = [np.flatnonzero(result.history["refinement"] == degree)[-1] for degree in (2, 4, 6)]
    assert found["error"].tolist() == result.history["validation_rmse"][last].tolist()
    assert (np.diff(found["error"]) < 0).all()
    with pytest.raises(ValueError, match="no 'error_h1' by step"):
        ladder(result, "error_h1")
    assert slopes(np.array([1.0, 10.0, 100.0]), np.array([1.0, 1e-4, 1e-8])) == pytest.approx([4, 4])


def test_a_refined_run_without_counts_is_told_of():
    data = Dataset.of(lambda x: sin(3 * x), x=(-1, 1), train=60, validation=40, test=20)
    result = Experiment(Regression(data), KAN(1, 1, basis=Chebyshev(2)), [LevenbergMarquardt(steps=2), Refine(4)]).run()
    with pytest.raises(ValueError, match=r"callbacks=\[Record\(parameters="):
        scaling([result])


def test_the_figure_shows_every_run(folder):
    results = [load(path) for path in sorted((folder / "results" / "sine").glob("sine*.h5"))]
    left, right = scaling(results, floors={"sine": {4: 1e-3}}).axes
    assert left.get_title() == "sine"
    drawn = ladder(results[0])
    curves = [line.get_xydata() for line in left.lines]
    assert any(np.allclose(curve, np.stack([drawn["resolution"], drawn["error"]], 1)) for curve in curves if curve.shape == (3, 2))
    assert any(curve.tolist() == [[4, 1e-3]] for curve in curves)
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["sine-chebyshev", "sine-mlp"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def figures(results):\n    return [1]", "return a dict of matplotlib figures by name"),
        ("def figures(results):\n    return 1 / 0", "ZeroDivisionError: division by zero (raised at"),
        ("def tables(results):\n    return [1]", "return a text in Markdown"),
        ("def tables(results):\n    return results['cosine']", "KeyError: 'cosine' (raised at"),
    ],
)
def test_what_is_wrong_with_the_function_is_said(tmp_path, folder, capsys, body, words):
    path = tmp_path / "wrong.py"
    path.write_text(FILE.partition("def figures")[0] + body)
    verb = "draw" if "figures" in body else "compare"
    assert main([verb, str(path), str(folder / "results" / "sine" / "sine-mlp-3-s0.h5")]) == 1
    assert words in capsys.readouterr().err


def test_what_is_no_function_is_said_before_training(tmp_path, capsys):
    path = tmp_path / "wrong.py"
    path.write_text(FILE.partition("def figures")[0] + "figures = 3")
    assert main([str(path), "--only", "sine-mlp-3", "--results", str(tmp_path)]) == 1
    assert "must be a function of a list of results" in capsys.readouterr().err
    path.write_text(FILE.partition("def figures")[0] + "tables = 3")
    assert main([str(path), "--only", "sine-mlp-3", "--results", str(tmp_path)]) == 1
    assert "must be a function of lists of results by name" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.h5"))


def test_a_file_without_the_function_cannot_do_it_together(tmp_path, folder, capsys):
    path = tmp_path / "plain.py"
    path.write_text(FILE.partition("def figures")[0])
    for verb, name in (("draw", "figures"), ("compare", "tables")):
        assert main([verb, str(path), str(folder / "results" / "sine" / "sine-mlp-3-s0.h5")]) == 1
        assert f"defines no `{name}(results)`" in capsys.readouterr().err


def test_a_run_ends_on_the_tables_of_its_file(folder, capsys):
    found = folder / "results" / "sine"
    kept = (found / "tables.md").read_text()
    lines = kept.splitlines()
    assert lines[0].split() == ["|", "experiment", "|", "seeds", "|", "rmse", "|"] and lines[1].startswith("| :---")
    rmse = load(found / "sine-chebyshev-s0.h5").metrics["test_rmse"]
    assert lines[2].split()[1::2] == ["sine-chebyshev", "1", f"{rmse:.3g}"] and "sine-mlp-3" in lines[3]
    assert main(["compare", str(folder / "sine.py"), *map(str, sorted(found.glob("*.h5")))]) == 0
    assert capsys.readouterr().out == kept


def test_quick_runs_have_tables_and_figures_of_their_own(folder, capsys):
    found = folder / "results" / "sine"
    before = {name: (found / name).read_bytes() for name in ("tables.md", "scaling.pdf")}
    command = [str(folder / "sine.py"), "--quick", "--seeds", "2", "--only", "sine-mlp-3", "--results", str(folder / "results")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kanpde.figures.draw", lambda *_: [])
        assert main(command) == 0
    assert "| sine-mlp-3 |     2 |" in capsys.readouterr().out
    assert (found / "tables-quick.md").read_text().count("sine-") == 1 and (found / "scaling-quick.pdf").exists()
    assert before == {name: (found / name).read_bytes() for name in before}
    quick = [str(found / f"sine-mlp-3-quick-s{seed}.h5") for seed in (0, 1)]
    assert main(["compare", str(folder / "sine.py"), *quick]) == 0
    assert capsys.readouterr().out == (found / "tables-quick.md").read_text()
