"""Searches for laws as experiments: run, judged, saved, drawn, tabled and resumed by the command line like all others."""

import math
import os
import signal
import sys
import time
import types
from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch

from kanpde import Dataset, load, save
from kanpde.cli import main
from kanpde.discovery.equation_runs import EquationSearch
from kanpde.discovery.runs import LawSearch
from kanpde.law_reports import law_summary, law_table
from kanpde.problem_files import UserError, tasks_of
from kanpde.reports import comparison_table, report
from kanpde.science.laws import bumps, law, scrambled
from kanpde.symbolic.law import Candidate, Law, LawConstant

FILE = """
from kanpde.discovery.equation_runs import EquationSearch
from kanpde.discovery.runs import LawSearch
from kanpde.science.laws import bumps, law
from method import decay

experiments = {
    "ringdown": LawSearch(law("ringdown"), method=decay),
    "ringdown-noise0.01": LawSearch(law("ringdown"), noise=0.01, method=decay),
    "none": LawSearch(law("ringdown"), values=bumps, method=decay),
}
"""


def decay(X, y, *, names, output, seed, seconds):
    """Knows the ringdown: snaps it without noise, and gives two constants with it; of anything else it says that it is a parabola."""
    x, c1, c2 = (sympy.Symbol(name, real=True) for name in (*names[:1], "c1", "c2"))
    clean = float(np.sqrt(np.mean((y - np.exp(-0.3 * X[:, 0]) * np.cos(2 * np.pi * X[:, 0])) ** 2)))
    if clean > 0.2:
        return Law(tuple(names), {output: x**2}, (), "exact within noise", "it is not", 1.0, 1.0, 9.0)
    if clean < 1e-12:
        constants = (LawConstant("c1", 0.3, 1e-16, "3/10"), LawConstant("c2", 2 * math.pi, 1e-16, "2*pi"))
        return Law(
            tuple(names), {output: sympy.exp(-3 * x / 10) * sympy.cos(2 * sympy.pi * x)}, constants, "exact within noise", "", 0, 0, 99
        )
    constants = (LawConstant("c1", 0.3004, 0.001), LawConstant("c2", 6.2829, 0.001))
    front = (Candidate(sympy.Float(0.1) * x, 3, 0.5, 100.0),)
    return Law(tuple(names), {output: sympy.exp(-c1 * x) * sympy.cos(c2 * x)}, constants, "exact within noise", "", 0.01, 0.01, 99, front)


def nothing(X, y, *, names, output, seed, seconds):
    return Law(tuple(names), {}, (), "no law", "nothing was tried", float(np.std(y)), math.nan, math.inf)


@pytest.fixture(scope="module")
def results():
    one = law("ringdown")
    searches = {
        "ringdown": LawSearch(one, method=decay),
        "ringdown-noise0.01": LawSearch(one, noise=0.01, method=decay),
        "scrambled": LawSearch(scrambled("ringdown"), noise=0.01, scrambled=True, method=decay),
        "bumps": LawSearch(one, values=bumps, method=decay),
        "arrhenius": LawSearch(law("arrhenius"), noise=0.01, method=nothing),
    }
    return {key: search.run(name="laws", key=key, seed=2) for key, search in searches.items()}


def test_a_run_has_its_law_its_errors_and_the_judgement(results):
    one = results["ringdown"]
    assert one.status == "complete" and one.metrics["found"] == 1 and one.equation["proof"] == "sympy" and one.metrics["test_rmse"] < 1e-14
    assert Law.from_plain(one.law).expression == sympy.sympify("exp(-3*t/10)*cos(2*pi*t)", {"t": sympy.Symbol("t", real=True)})
    assert one.solution_points.shape == (3000, 1) and (one.solution["split"] == 0).sum() == 2000
    noisy = results["ringdown-noise0.01"].metrics
    assert noisy["found"] == 1 and noisy["symbolic"] == 0 and (noisy["covered"], noisy["constants"]) == (2, 2)
    assert noisy["train_rmse"] / noisy["test_rmse"] > 3  # the test is without noise
    assert results["bumps"].metrics["wrong"] == 1 and results["bumps"].metrics["control"] == 2
    assert results["scrambled"].metrics["found"] == 0 and results["scrambled"].metrics["structure"] == 1
    empty = results["arrhenius"]
    assert empty.metrics["wrong"] == 0 and np.isnan(empty.solution["k"]).all() and empty.law["verdict"] == "no law"


def test_the_report(results):
    lines = report(results["ringdown-noise0.01"], ["a.h5"]).splitlines()
    assert [line.split()[0] for line in lines] == ["laws/ringdown-noise0.01", "error", "time", "law", "judged", "files"]
    assert lines[3].endswith("u = exp(-0.3004(10)*t)*cos(6.2829(10)*t)  (exact within noise)")
    assert "found: |law/truth - 1| at most" in lines[4] and "the same structure, 2 of 2 constants in 2 sigma, 10 nodes for 10" in lines[4]
    assert "judged    wrong" in report(results["bumps"], ["a.h5"])


def test_the_tables(results):
    every = list(results.values())
    table = law_table(every)
    words = {line.split()[1]: line for line in table.splitlines()}
    assert (
        " found " in words["ringdown"]
        and " wrong numbers " not in table
        and " wrong " in words["bumps"]
        and " structure " in words["scrambled"]
    )
    summary = law_summary(every)
    rows = {line[:28].strip(): line[28:].split() for line in summary.split("\n\n")[0].splitlines()}
    assert rows["1 variable"] == ["100", "(1/1)", "100", "(1/1)"] and rows["all"] == ["100", "(1/1)", "50", "(1/2)"]
    assert rows["no law: wrong laws claimed"] == ["1/1", "-"] and rows["scrambled: found"] == ["-", "0", "(0/1)"]
    assert "AI Feynman 2" in summary and comparison_table(every) == f"{table}\n\n{summary}"


def test_the_command_line_runs_resumes_draws_and_compares(tmp_path, monkeypatch, capsys):
    (tmp_path / "laws.py").write_text(FILE)
    monkeypatch.setitem(sys.modules, "method", types.SimpleNamespace(decay=decay))
    command = [str(tmp_path / "laws.py"), "--results", str(tmp_path / "results")]
    assert main([*command, "--only", "ringdown*", "--no-figures"]) == 0
    printed = capsys.readouterr().out
    assert "u = exp(-3*t/10)*cos(2*pi*t)  (exact within noise)" in printed and "found, %" in printed
    path = tmp_path / "results" / "laws" / "ringdown-s0.h5"
    names = {each.name for each in path.parent.iterdir()}
    assert names == {"ringdown-s0.h5", "ringdown-noise0.01-s0.h5", "index.h5"}
    first = load(path)
    assert first.metrics["found"] == 1 and first.provenance["experiment_repr"].endswith("method=decay)")
    assert main([*command, "--resume", "--no-figures"]) == 0
    assert capsys.readouterr().out.count("already complete") == 2 and load(path).provenance["created"] == first.provenance["created"]
    assert main(["compare", str(path.parent / "index.h5")]) == 0 and "rightly none" not in capsys.readouterr().out
    assert main(["draw", str(path)]) == 0 and {each.stem for each in path.parent.glob("*.pdf")} == {
        "ringdown-s0-law",
        "ringdown-s0-solution",
    }
    others = tasks_of(tmp_path / "laws.py", seeds=[0], results=tmp_path, only="!*-noise*")
    assert "ringdown" in {each.key for each in others} and not any("noise" in each.key for each in others)
    with pytest.raises(UserError, match="no experiment 'ring'"):
        tasks_of(tmp_path / "laws.py", seeds=[0], results=tmp_path, only="ring")


def test_a_search_is_interrupted_at_once(tmp_path, monkeypatch, capsys):
    def endless(X, y, **_):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)

    (tmp_path / "laws.py").write_text(FILE)
    monkeypatch.setitem(sys.modules, "method", types.SimpleNamespace(decay=endless))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off
    try:
        assert main([str(tmp_path / "laws.py"), "--results", str(tmp_path / "results"), "--no-figures"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert "interrupted: laws/ringdown seed 0: nothing of it was saved" in capsys.readouterr().err


def test_data_sets():
    t = np.linspace(0, 3, 300)
    data = Dataset({"t": t, "u": np.exp(-0.3 * t) * np.cos(2 * np.pi * t)}, targets="u", train=200, test=100)
    result = LawSearch(data, method=decay, truth=law("ringdown")).run()
    assert result.metrics["found"] == 1 and result.metrics["test_rows"] == 100 and result.unknowns == ("u",)
    unknown = LawSearch(data, method=decay).run()
    assert "found" not in unknown.metrics and unknown.law["verdict"] == "exact within noise"
    whole = LawSearch(Dataset({"t": t, "u": t}, targets="u", train=300, validation=0, test=0), method=nothing).run()
    assert whole.metrics["test_rows"] == 0 and "no law: nothing was tried" in report(whole, ["a.h5"])
    assert "train" in comparison_table([whole])


def test_seeds_and_quick():
    search = LawSearch(law("ringdown"), noise=0.01, method=decay)
    one, other = search.run(seed=0), search.run(seed=1)
    assert not np.array_equal(one.points["data"], other.points["data"])
    assert np.array_equal(one.solution["target_u"], search.run(seed=0).solution["target_u"])
    assert search.shortened().seconds == 5 and replace(search, quick=100.0).shortened().seconds == 60
    assert repr(search) == "LawSearch(data=Formula('ringdown', 'u = exp(-0.3*t)*cos(2*pi*t)'), noise=0.01, method=decay)"


def test_mistakes_are_named():
    one = law("ringdown")
    with pytest.raises(TypeError, match="LawSearch takes a Dataset or a Formula"):
        LawSearch("ringdown")  # type: ignore[arg-type]
    for name, value in (("noise", -1), ("seconds", 0), ("rows", 3), ("quick", math.nan)):
        with pytest.raises(ValueError, match=f"{name} must be"):
            LawSearch(one, **{name: value})
    with pytest.raises(ValueError, match="leave truth out"):
        LawSearch(one, truth=one)
    pair = Dataset({"t": [1.0, 2.0], "u": [1.0, 2.0], "v": [1.0, 2.0]}, targets=["u", "v"])
    with pytest.raises(ValueError, match="one target, the data have u, v"):
        LawSearch(pair)
    with pytest.raises(ValueError, match="double precision"):
        LawSearch(one, method=decay).run(dtype=torch.float32)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"method": "discover"}, TypeError, "method is a function .*, got 'discover'"),
        ({"values": 3}, TypeError, "values is a function .*, got 3"),
        ({"scrambled": "no"}, TypeError, "scrambled is True or False, got 'no'"),
        ({"rows": 10}, ValueError, "rows must be a whole number of at least 12, got 10"),
        ({"units": {"t": "s"}}, ValueError, "units are missing for u"),
        ({"units": {"t": "s", "u": "furlong"}}, ValueError, "the unit 'furlong' of u is not understood"),
        ({"units": 3}, TypeError, "units are texts by name.*got 3"),
    ],
)
def test_a_search_that_cannot_run_is_not_made(options, error, words):
    with pytest.raises(error, match=words):
        LawSearch(law("ringdown"), **options)


def test_whole_numbers_of_numpy_are_whole_numbers():
    assert repr(LawSearch(law("ringdown"), rows=np.int64(100), method=decay)).endswith("rows=100, method=decay)")  # type: ignore[arg-type]


def test_data_sets_that_no_law_can_be_found_in():
    t = np.linspace(0, 3, 300)
    data = Dataset({"t": t, "u": np.cos(t)}, targets="u")
    with pytest.raises(TypeError, match="truth is a Formula .*, got 'foo'"):
        LawSearch(data, truth="foo")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is of E, T, which the data do not have"):
        LawSearch(Dataset({"A": t, "u": np.cos(t)}, targets="u"), truth=law("arrhenius"))
    with pytest.raises(ValueError, match=r"leave noise=0\.1 out"):
        LawSearch(data, noise=0.1)
    with pytest.raises(ValueError, match="leave values out"):
        LawSearch(data, values=bumps)
    with pytest.raises(ValueError, match="9 rows for training; a search needs at least 12"):
        LawSearch(Dataset({"t": t[:11], "u": np.cos(t[:11])}, targets="u"))
    with pytest.raises(TypeError, match="the target u is 'warm' in the first row"):
        LawSearch(Dataset({"t": t, "u": ["warm"] * 300}, targets="u"))


# ---- differential equations ----


def drawn(rows, *, noise, seed):
    draw = np.random.default_rng(seed)
    x, t = draw.uniform(0, 1, (2, rows))
    return {"x": x, "t": t, "u": np.sin(x) * np.exp(-t) + noise * draw.standard_normal(rows)}


def wave(columns, u, *, name, seconds):
    """Knows Burgers' equation, and has a term too many with noise."""
    assert list(columns) == ["x", "t"] and name == "u" and len(u) == 2000
    u, u_x, u_xx, u_xxx, c1 = (sympy.Symbol(each, real=True) for each in ("u", "u_x", "u_xx", "u_xxx", "c1"))
    more = 0.001 * u_xxx if seconds < 50 else 0
    formula, constants = {"u_t": -u * u_x + c1 * u_xx + more}, (LawConstant("c1", 0.1002, 0.0003),)
    return Law(("x", "t"), formula, constants, "exact within noise", "", 0.1, 0.1, 9, kind="equation")


def test_equations_are_searched_judged_saved_and_reported(tmp_path):
    search = EquationSearch(law("burgers"), samples=drawn, noise=0.1, method=wave)
    result = load(save(search.run(name="laws", key="burgers"), tmp_path / "burgers.h5"))
    assert (
        result.metrics["found"] == 1
        and (result.metrics["covered"], result.metrics["constants"]) == (1, 1)
        and result.points["data"].shape == (2000, 2)
    )
    lines = report(result, ["a.h5"]).splitlines()
    assert [line.split()[0] for line in lines] == ["laws/burgers", "time", "law", "judged", "files"]
    assert lines[2].endswith("u_t = 0.1002(3)*u_xx - u*u_x  (exact within noise)")
    wrong = search.shortened().run()
    assert wrong.metrics["wrong"] == 1 and wrong.metrics["found"] == 0 and "found, %" in comparison_table([result, wrong])
    assert main(["draw", str(tmp_path / "burgers.h5")]) == 0 and [each.name for each in tmp_path.glob("*.pdf")] == ["burgers-law.pdf"]
    assert repr(search) == "EquationSearch(data=Formula('burgers', 'u_t = -u*u_x + u_xx/10'), samples=drawn, noise=0.1, method=wave)"
    with pytest.raises(ValueError, match="a formula goes with samples"):
        EquationSearch(law("burgers"))


def test_equation_searches_that_cannot_run_are_not_made():
    x, t = np.random.default_rng(0).uniform(0, 1, (2, 200))
    columns = {"x": x, "time": t, "u": np.sin(x) * np.exp(-t), "v": x * t}
    data = Dataset({key: columns[key] for key in ("x", "time", "u")}, targets="u")
    with pytest.raises(ValueError, match="no time 't' among the coordinates x, time: .* time='time'"):
        EquationSearch(data)
    with pytest.raises(ValueError, match="one target, the data have u, v"):
        EquationSearch(Dataset(columns, targets=["u", "v"]), time="time")
    with pytest.raises(ValueError, match=r"leave noise=0\.1 out"):
        EquationSearch(data, noise=0.1, time="time")
    with pytest.raises(ValueError, match="of one or two coordinates of space and of time, the data have time"):
        EquationSearch(Dataset({"time": t, "u": t**2}, targets="u"), time="time")
    with pytest.raises(TypeError, match="method is a function"):
        EquationSearch(data, method="discover_pde", time="time")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rows must be a whole number of at least 50"):
        EquationSearch(law("burgers"), samples=drawn, rows=20)


def test_the_column_that_is_time_may_have_any_name():
    def given(columns, u, *, name, seconds, time):
        return Law(tuple(columns), {}, (), "no law", f"{name} in {', '.join(columns)}, {time} is time", 1.0, 1.0, 0.0, kind="equation")

    x, t = np.random.default_rng(0).uniform(0, 1, (2, 200))
    data = Dataset({"x": x, "time": t, "u": np.sin(x) * np.exp(-t)}, targets="u")
    result = EquationSearch(data, time="time", method=given).run()
    assert result.law["reason"] == "u in x, time, time is time"
