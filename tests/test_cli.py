"""The command line as a user meets it: runs, sweeps, resumption, errors, other verbs."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import h5py
import numpy as np
import pytest

from kanpde.cli import main
from kanpde.results import load

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "run_experiments.py"

PROBLEM = """
from kanpde import KAN, Box, Chebyshev, Dirichlet, Experiment, LevenbergMarquardt, Problem, Refine
from kanpde.functions import pi, sin

line = Box(x=(0, 1))


def exact(x):
    return sin(pi * x)


def equation(u, x, strength):
    return u.xx + strength * pi**2 * exact(x)


experiment = Experiment(
    Problem(line, equation, parameters=dict(strength=1), conditions=[Dirichlet(0, on=line.boundary)], exact=exact),
    model=KAN(1, 3, 1, basis=Chebyshev(degree=5)),
    training=[LevenbergMarquardt(steps=15), Refine(8, 10)],
)
"""


HOLD = """
def hold(run):
    if run.fit.history.length == 40 and "KANPDE_TEST_MARK" in os.environ:
        open(os.environ["KANPDE_TEST_MARK"], "x").close()
        time.sleep(60)


experiment = """
# it can be held at its fortieth step, in the second of three rungs
HELD = "import os\nimport time\n" + PROBLEM.replace("steps=15", "steps=25, progress=1.0").replace("experiment = ", HOLD)
HELD = HELD.replace("10)],\n", "10)],\n    callbacks=[hold],\n")
ENDLESS = PROBLEM.replace("LevenbergMarquardt(steps=15)", "Adam(steps=10**6, patience=10**6)").replace("import KAN", "import KAN, Adam")


@pytest.fixture
def problem(tmp_path):
    path = tmp_path / "line.py"
    path.write_text(PROBLEM)
    return path


def run(*arguments, results):
    return main([*map(str, arguments), "--results", str(results), "--no-figures"])


def start(*arguments, cwd, **environment):
    """A process of its own, which hears Ctrl-C even if the tests were started in the background."""
    command, variables = [sys.executable, str(SCRIPT), *map(str, arguments)], os.environ | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=cwd, env=variables, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **pipes)


def wait_for(path):
    for _ in range(1200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear within a minute")


def numbers(path):
    """Everything in a file that must not depend on when or how often it was interrupted."""
    result = load(path)
    history = {name: column for name, column in result.history.items() if name != "seconds"}
    metrics = {name: value for name, value in result.metrics.items() if "seconds" not in name}
    return result.parameters, history, result.solution, metrics


def assert_identical(left, right):
    for one, other in zip(numbers(left), numbers(right), strict=True):
        if isinstance(one, dict):
            assert one.keys() == other.keys()
            for key in one:
                np.testing.assert_array_equal(one[key], other[key], err_msg=key)
        else:
            np.testing.assert_array_equal(one, other)


# ---- runs ----


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folder of a run with figures, and what it printed."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "line.py").write_text(PROBLEM)
    with redirect_stdout(StringIO()) as printed:
        assert main([str(folder / "line.py"), "--results", str(folder)]) == 0
    (folder / "line.py").unlink()
    return folder / "line", printed.getvalue()


def test_a_run_prints_five_lines_and_writes_a_file_and_figures(drawn):
    folder, printed = drawn
    lines = printed.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("line/experiment seed 0: complete after")
    assert "relative L2" in lines[1]
    written = sorted(path.name for path in folder.iterdir())
    assert written == sorted(
        ["experiment-s0.h5"] + [f"experiment-s0-{kind}.{end}" for kind in ("solution", "convergence", "network") for end in ("pdf", "png")]
    )
    result = load(folder / "experiment-s0.h5")
    assert result.metrics["relative_l2"] < 1e-6
    assert result.provenance["problem_source"] == PROBLEM
    assert result.provenance["seed"] == 0


def test_callbacks_of_the_problem_file_are_heard(problem, tmp_path, capsys):
    stop = PROBLEM.replace("import KAN", "import KAN, EarlyStopping")
    stop = stop.replace("10)],\n", "10)],\n    callbacks=[EarlyStopping(below=1e-2)],\n")
    problem.write_text(stop)
    assert run(problem, results=tmp_path) == 0
    assert "stopped   rung 1 of 1: error_l2" in capsys.readouterr().out
    problem.write_text(PROBLEM.replace("10)],\n", "10)],\n    callbacks=[lambda run: 1 / (run.fit.history.length - 7)],\n"))
    assert run(problem, "--seed", 1, results=tmp_path) == 1
    said = capsys.readouterr().out
    assert "failed after 1 steps" in said and "it returned -0.16" in said
    problem.write_text(PROBLEM.replace("10)],\n", "10)],\n    callbacks=[lambda run: run.fit.lost],\n"))
    assert run(problem, "--seed", 2, results=tmp_path) == 1
    assert "line.py, line " in capsys.readouterr().out
    path = tmp_path / "line" / "experiment-s2.h5"
    assert load(path).status == "failed"
    source = load(path).provenance["problem_source"]
    assert run(problem, "--seed", 2, "--resume", results=tmp_path) == 1 and "lost" in source


def test_h5py_alone_reads_the_file(problem, tmp_path):
    run(problem, results=tmp_path)
    with h5py.File(tmp_path / "line" / "experiment-s0.h5") as file:
        assert file.attrs["status"] == "complete"
        u, x = file["solution/u"][:], file["solution/x"][:]
        assert np.abs(u - np.sin(np.pi * x)).max() < 1e-5


def test_a_film_is_written_beside_the_figures(problem, tmp_path, monkeypatch):
    monkeypatch.setattr("kanpde.figures.draw", lambda *_: [])  # others draw them
    text = problem.read_text().replace("import KAN", "import KAN, Film").replace("15)", "2)").replace("Refine(8, 10)],", "],")
    problem.write_text(text.replace("    training=", "    callbacks=[Film(every=1)],\n    training="))
    assert main([str(problem), "--results", str(tmp_path / "out"), "--seeds", "2"]) == 0
    films = sorted(path.name for path in (tmp_path / "out").rglob("*.gif"))
    assert films == ["experiment-s0-film.gif", "experiment-s1-film.gif"]
    assert main([str(problem), "--results", str(tmp_path / "none"), "--no-figures"]) == 0
    assert not list((tmp_path / "none").rglob("*.gif"))


def test_figures_redraw_from_the_file_alone(drawn, tmp_path):
    folder, _ = drawn
    copied = shutil.copy(folder / "experiment-s0.h5", tmp_path)
    assert main(["draw", str(copied)]) == 0
    assert {path.name for path in tmp_path.glob("*.p*")} == {path.name for path in folder.glob("*.p*")} != set()


def test_a_sweep_ends_in_one_table_and_an_index(problem, tmp_path, capsys):
    assert run(problem, "--seeds", 3, results=tmp_path) == 0
    out = capsys.readouterr().out
    assert "median" in out and "worst" in out
    with h5py.File(tmp_path / "line" / "index.h5") as index:
        assert sorted(index) == [f"experiment-s{seed}" for seed in range(3)]
        errors = {index[name]["metrics"].attrs["relative_l2"] for name in index}
    assert len(errors) == 3  # seeds differ
    assert main(["compare", *map(str, sorted((tmp_path / "line").glob("*.h5")))]) == 0
    assert capsys.readouterr().out.count("experiment") >= 5


def test_quick_is_shorter_and_keeps_the_full_run(problem, tmp_path):
    run(problem, results=tmp_path)
    run(problem, "--quick", results=tmp_path)
    full, quick = (load(tmp_path / "line" / f"{name}-s0.h5") for name in ("experiment", "experiment-quick"))
    assert quick.metrics["steps"] < full.metrics["steps"]


def test_settings_reach_where_they_point(problem, tmp_path):
    assert (
        run(
            problem,
            "--set",
            "training.steps=4",
            "--set",
            "model.basis.degree=4",
            "--set",
            "problem.parameters.strength=1.0",
            results=tmp_path,
        )
        == 0
    )
    result = load(tmp_path / "line" / "experiment-model.basis.degree=4,problem.parameters.strength=1.0,training.steps=4-s0.h5")
    assert result.metrics["steps"] == 12  # three rungs of four
    assert result.history["refinement"].tolist() == [4] * 4 + [8] * 4 + [10] * 4


def test_float32_runs_and_says_so(problem, tmp_path):
    assert run(problem, "--dtype", "float32", results=tmp_path) == 0
    result = load(tmp_path / "line" / "experiment-float32-s0.h5")
    assert result.provenance["dtype"] == "float32"
    assert result.metrics["relative_l2"] < 1e-2


# ---- the same numbers ----


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The results of HELD, which nothing stopped, from a process of its own."""
    return held_run(tmp_path_factory.mktemp("whole"), "--checkpoint", 0)


def held_run(folder, *options):
    (folder / "line.py").write_text(HELD)
    process = start("line.py", "--results", folder, "--no-figures", "--threads", 1, *options, cwd=folder)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return folder / "line" / "experiment-s0.h5"


def test_two_fresh_processes_give_identical_numbers(whole, tmp_path):
    assert_identical(held_run(tmp_path), whole)


def test_a_killed_run_resumes_to_the_same_numbers(whole, tmp_path):
    (tmp_path / "line.py").write_text(HELD)
    mark, target = tmp_path / "mark", tmp_path / "line" / "experiment-s0.h5"
    kept = target.with_name("experiment-s0.checkpoint.h5")
    slow = ["--results", tmp_path, "--no-figures", "--threads", 1, "--checkpoint", 0]
    process = start("line.py", *slow, cwd=tmp_path, KANPDE_TEST_MARK=str(mark))
    wait_for(mark)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = load(kept)
    assert left.status == "interrupted" and left.checkpoint is not None and not target.exists()
    assert 25 < len(left.history["step"]) <= 41
    held_run(tmp_path, "--checkpoint", 0, "--resume")
    assert load(target).status == "complete" and not kept.exists()
    assert_identical(target, whole)
    assert load(target).provenance["stops"] == load(whole).provenance["stops"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupting_saves_what_there_is(problem, tmp_path, capsys, name):
    stopped = ENDLESS.replace("10)],\n", "10)],\n    callbacks=[lambda run: signal.raise_signal(signal.NUMBER)],\n")
    problem.write_text("import signal\n" + stopped.replace("NUMBER", name))
    target = tmp_path / "out" / "line" / "experiment-s0.h5"
    before = signal.signal(signal.Signals[name], signal.default_int_handler)  # if nobody hears it, the test ends and not the tests
    try:
        assert run(problem, "--checkpoint", 0, results=tmp_path / "out") == 130
    finally:
        signal.signal(signal.Signals[name], before)
    captured = capsys.readouterr()
    assert "interrupted after" in captured.out and "Traceback" not in captured.err
    result = load(target)
    assert result.status == "interrupted" and result.checkpoint is not None
    assert result.solution["u"].shape == (1001,)
    assert [path.name for path in target.parent.iterdir()] == ["experiment-s0.h5"]


def test_resume_skips_what_is_complete_and_refuses_another_experiment(problem, tmp_path, capsys):
    run(problem, results=tmp_path)
    capsys.readouterr()
    assert run(problem, "--resume", results=tmp_path) == 0
    assert "already complete" in capsys.readouterr().out
    problem.write_text(PROBLEM.replace("steps=15", "steps=3"))
    assert run(problem, "--resume", results=tmp_path) == 1
    assert "experiment_repr" in capsys.readouterr().err


def test_a_rerun_keeps_the_finished_result_until_there_is_a_better_one(problem, tmp_path, capsys):
    run(problem, results=tmp_path)
    target = tmp_path / "line" / "experiment-s0.h5"
    kept, before = target.with_name("experiment-s0.checkpoint.h5"), target.read_bytes()
    problem.write_text(ENDLESS)
    process = start(problem, "--results", tmp_path, "--no-figures", "--checkpoint", 0, cwd=tmp_path)
    wait_for(kept)
    assert target.read_bytes() == before
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "complete result of an earlier run was kept" in err and kept.name in out
    assert target.read_bytes() == before
    assert load(kept).status == "interrupted" and load(kept).solution
    problem.write_text(PROBLEM)
    assert run(problem, "--resume", results=tmp_path) == 1  # of another experiment
    assert kept.name in capsys.readouterr().err
    assert run(problem, "--checkpoint", 0, results=tmp_path) == 0
    assert not kept.exists()


def test_a_second_interrupt_says_what_was_saved(problem, tmp_path, monkeypatch, capsys):
    def twice(*_):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("kanpde.experiment.measure", twice)
    assert run(problem, "--checkpoint", 0, results=tmp_path) == 130
    message = capsys.readouterr().err
    assert "its last checkpoint is" in message and message.count("\n") == 1
    assert load(tmp_path / "line" / "experiment-s0.checkpoint.h5").checkpoint is not None
    monkeypatch.undo()
    assert run(problem, "--resume", results=tmp_path) == 0
    assert [path.name for path in (tmp_path / "line").iterdir()] == ["experiment-s0.h5"]


def test_an_interrupt_after_the_last_step_keeps_the_result(problem, tmp_path, monkeypatch, capsys):
    from kanpde import experiment

    real = experiment.measure

    def once(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(experiment, "measure", once)
    assert run(problem, "--seeds", 2, results=tmp_path) == 130
    assert [path.name for path in (tmp_path / "line").iterdir()] == ["experiment-s0.h5"]


def test_an_interrupt_while_figures_are_drawn_says_what_was_saved(problem, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("kanpde.figures.draw", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert main([str(problem), "--results", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert "while figures were drawn" in captured.err and captured.err.count("\n") == 1
    assert captured.out.startswith("line/experiment seed 0: complete")
    assert load(tmp_path / "line" / "experiment-s0.h5").status == "complete"


HERALD = """
import sys, time

class Herald:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            open("{mark}", "x").close()
            time.sleep(60)

sys.meta_path.insert(0, Herald())
"""


@pytest.mark.parametrize("name", ["torch", "torch.nn"])
def test_an_interrupt_while_libraries_load(problem, tmp_path, name):
    mark = tmp_path / "loading"
    (tmp_path / "sitecustomize.py").write_text(HERALD.format(name=name, mark=mark))
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    process = start(problem, "--results", tmp_path, cwd=tmp_path, PYTHONPATH=paths)
    wait_for(mark)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=50)
    assert process.returncode == 130 and err == "interrupted\n"


def test_warnings_reach_the_user(problem, tmp_path, caplog):
    problem.write_text(PROBLEM.replace("exact=exact)", "exact=lambda x: (1 + 0 * x) * __import__('numpy').sin(float(pi) * x))"))
    assert run(problem, results=tmp_path) == 0
    assert "sympy cannot check it" in caplog.text


# ---- errors: one line, before training ----


def failure(capsys, *arguments, results):
    assert run(*arguments, results=results) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert captured.err.count("error:") == 1
    return captured.err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("u.xx +", "u.xz +", "no derivative 'xz': the coordinates are x"),
        ("def equation(u, x, strength)", "def equation(u, x, strenth)", "uses 'strength', which is not among its arguments u, x, strenth"),
        ("on=line.boundary", "on=line.side(x=2)", "x=2 is not a side"),
        ("on=line.boundary", "on=line.side(y=1)", "no coordinate 'y'"),
        ("Dirichlet(0,", "Dirichlet((0, 1),", "2 components"),
        ("KAN(1, 3, 1", "KAN(1, 0, 1", "got 0"),
        ("KAN(1, 3, 1", "KAN(1, -3, 1", "got -3"),
        ("KAN(1, 3, 1", "KAN(1, 2.5, 1", "got 2.5"),
        ("KAN(1, 3, 1", "KAN(2, 3, 1", "1 coordinates"),
        ("degree=5", "degree=0", "degree"),
        ("degree=5", "degree=2.5", "degree"),
        ("return sin(pi * x)", "return sin(2 * pi * x)", None),
        ("strength=1)", "strength=2)", "the equation is off by"),
        ("Dirichlet(0,", "Dirichlet(1,", "is off by 1"),
        ("equation(u, x, strength):\n    return", "equation(u, x, strength):\n    return u.value.sqrt() +", None),
        ("experiment = Experiment(", "other = Experiment(", "defines no experiment"),
        ("line = Box", "line == Box", "line 5"),
        ("Refine(8, 10)", "Refine(10, 8)", "must rise"),
        ("return u.xx + strength * pi**2 * exact(x)", "return ()", "equation() returns no component"),
        ("return u.xx + strength", "return 1 / 0 + strength", "line.py, line 13: ZeroDivisionError: division by zero"),
        ("return u.xx + strength", "return dict()[3] + strength", "line.py, line 13: KeyError"),
        ("return sin(pi * x)", "return {'w': sin(pi * x)}", "line.py, line 13: TypeError"),
        ("return sin(pi * x)", "return None", "line.py, line 13: TypeError"),
        ("exact=exact)", "exact=lambda x: {'w': x})", "no 'u' among its values"),
        ("exact=exact)", "exact=lambda x: None)", "returns None for u"),
    ],
)
def test_bad_problems_fail_with_one_clear_error(problem, tmp_path, capsys, old, new, message):
    assert old in PROBLEM
    problem.write_text(PROBLEM.replace(old, new))
    if message is None:
        run(problem, results=tmp_path / "out")
        return
    assert message in failure(capsys, problem, results=tmp_path / "out")
    assert not list(tmp_path.rglob("*.h5"))


def test_a_wrong_exact_solution_is_named_with_its_residual_and_can_be_overridden(problem, tmp_path, capsys):
    problem.write_text(PROBLEM.replace("strength=1)", "strength=2)"))
    message = failure(capsys, problem, results=tmp_path)
    assert re.search(r"the equation is off by \d", message) and "check=False" in message
    problem.write_text(PROBLEM.replace("strength=1)", "strength=2)").replace("exact=exact", "exact=exact, check=False"))
    assert run(problem, results=tmp_path) == 0


def test_a_nan_is_found_before_training_with_its_point(problem, tmp_path, capsys):
    problem.write_text(
        PROBLEM.replace("return u.xx", "return sqrt(x - 2) + u.xx").replace("pi, sin", "pi, sin, sqrt").replace(", exact=exact", "")
    )
    message = failure(capsys, problem, results=tmp_path)
    assert re.search(r"is nan at x=0\.\d+", message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "training.stepps=3"], "did you mean 'steps'"),
        (["--set", "modl.basis=3"], "did you mean 'model'"),
        (["--set", "training.steps"], "FIELD=VALUE"),
        (["--set", "training.steps=-3"], "steps"),
        (["--only", "nothing"], "no experiment 'nothing'"),
        (["--device", "warp"], "warp"),
        (["--seeds", "0"], "--seeds"),
        (["--seed", "-1"], "--seed"),
        (["--threads", "0"], "--threads"),
        (["--seed", "1", "--seeds", "2"], "give one of them"),
        (["--seed", str(2**70)], "--seed must be a whole number from 0 to"),
        (["--device", "meta"], "meta"),
        (["--set", "problem=3"], "problem cannot be 3"),
        (["--set", "problem.domain=3"], "domain cannot be 3"),
        (["--set", "model=3"], "model cannot be 3"),
        (["--set", "model.basis.degree=9999999999"], "model.basis.degree=9999999999"),
        (["--set", "problem.conditions.wieght=1"], "did you mean 'weight'"),
        (["--set", "problem.parameters.strength=many"], "the parameter 'strength' is 'many'"),
    ],
)
def test_bad_options_fail_with_one_clear_error(problem, tmp_path, capsys, arguments, message):
    assert message in failure(capsys, problem, *arguments, results=tmp_path)


def test_missing_and_foreign_files(tmp_path, capsys):
    assert "there is no problem file" in failure(capsys, tmp_path / "nothing.py", results=tmp_path)
    (tmp_path / "foreign.h5").write_text("not HDF5")
    for verb in ("draw", "compare"):
        assert main([verb, str(tmp_path / "foreign.h5")]) == 1
        assert "not an HDF5 file" in capsys.readouterr().err
        assert main([verb, str(tmp_path / "absent.h5")]) == 1
        assert "absent.h5" in capsys.readouterr().err


def test_a_results_directory_that_cannot_be_written_fails_before_training(problem, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    message = failure(capsys, problem, results=tmp_path / "file" / "below")
    assert "cannot write results" in message and "--results" in message


def test_a_full_disk_keeps_what_was_computed(problem, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spare"))
    (tmp_path / "spare").mkdir()
    target = tmp_path / "out"
    real = os.replace

    def full(source, destination):
        if str(destination).startswith(str(target)):
            raise OSError(28, "No space left on device")
        return real(source, destination)

    monkeypatch.setattr("os.replace", full)
    for _ in range(2):
        assert run(problem, results=target) == 1
        message = capsys.readouterr().err
        assert "No space left" in message and "were kept in" in message
    kept = list((tmp_path / "spare").glob("kanpde-line-*/experiment-s0.h5"))
    assert len(kept) == 2 and all(load(path).status == "complete" for path in kept)


def test_one_bad_run_of_several_makes_the_status_1_but_runs_the_others(problem, tmp_path, capsys):
    bad = tmp_path / "bad.py"
    bad.write_text(PROBLEM.replace("strength=1)", "strength=2)"))
    assert run(bad, problem, results=tmp_path / "out") == 1
    assert load(tmp_path / "out" / "line" / "experiment-s0.h5").status == "complete"


def test_figures_that_cannot_be_written_leave_the_report(problem, tmp_path, capsys, monkeypatch):
    from kanpde import figures

    real = figures.write_whole

    def full(path, image, what):
        if "convergence" in path.name:
            monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        return real(path, image, what)

    monkeypatch.setattr(figures, "write_whole", full)
    assert main([str(problem), "--results", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "experiment-s0.h5" in captured.out.splitlines()[-1]
    assert captured.err.count("error:") == 1 and "the figure experiment-s0-convergence" in captured.err and "Traceback" not in captured.err
    assert not list((tmp_path / "line").glob("*convergence*"))
    assert main(["draw", str(tmp_path / "line" / "experiment-s0.h5")]) == 1
    message = capsys.readouterr().err
    assert message.count("error:") == 1 and "No space left" in message and "Traceback" not in message


def test_one_bad_file_does_not_stop_the_others(problem, tmp_path, capsys):
    run(problem, "--seeds", 2, results=tmp_path)
    folder = tmp_path / "line"
    (folder / "broken.h5").write_text("not HDF5")
    capsys.readouterr()
    for verb, shown in (("compare", "median"), ("draw", "experiment-s1-network.png")):
        assert main([verb, str(folder / "broken.h5"), str(folder / "index.h5"), str(folder / "experiment-s1.h5")]) == 1
        captured = capsys.readouterr()
        assert shown in captured.out and captured.err.count("error:") == 1 and "broken.h5" in captured.err
    assert main(["compare", str(folder / "index.h5")]) == 0
    assert capsys.readouterr().out.count("complete") == 4
    (folder / "experiment-s1.h5").unlink()
    assert main(["compare", str(folder / "index.h5")]) == 1
    assert "experiment-s1.h5" in capsys.readouterr().err


def test_damaged_numbers_are_one_error(problem, tmp_path, capsys):
    run(problem, results=tmp_path)
    path = tmp_path / "line" / "experiment-s0.h5"
    with h5py.File(path, "r+") as file:
        file["solution/x"][:] = np.nan
        file["history/seconds"][:] = 1e308
        file["model/edges/layer_0"].attrs["sums"] = 77
    assert main(["draw", str(path)]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err
    with h5py.File(path, "r+") as file:
        del file["solution/u"]
    assert main(["draw", str(path)]) == 1
    assert capsys.readouterr().err.count("error:") == 1


def test_two_problem_files_of_one_name(problem, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "line.py"
    other.write_text(PROBLEM)
    message = failure(capsys, problem, other, results=tmp_path / "out")
    assert str(problem) in message and str(other) in message
