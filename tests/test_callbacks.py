"""Callbacks: several beside one another, ending a run, failing, recording."""

import logging
import math
from dataclasses import replace

import numpy as np
import pytest

from kanpde import (
    KAN,
    Box,
    Chebyshev,
    Data,
    Dirichlet,
    EarlyStopping,
    Experiment,
    LevenbergMarquardt,
    Log,
    Problem,
    Record,
    Refine,
    Sampling,
    SeparableKAN,
    Slabs,
    Unknown,
    load,
    save,
)
from kanpde.conditions import Initial
from kanpde.functions import exp, pi, sin

line = Box(x=(0, 1))


def experiment(*callbacks, training=None):
    problem = Problem(
        line, lambda u, x: u.xx + pi**2 * sin(pi * x), conditions=[Dirichlet(0, on=line.boundary)], exact=lambda x: sin(pi * x)
    )
    training = training or [LevenbergMarquardt(steps=5), Refine(7)]
    return Experiment(problem, KAN(1, 2, 1, basis=Chebyshev(5)), training, Sampling(interior=30), callbacks=callbacks)


def inverse():
    measured = Data(dict(x=[0.1, 0.5, 0.9], u=[math.exp(-2 * x) for x in (0.1, 0.5, 0.9)]))
    problem = Problem(line, lambda u, rate: u.x + rate * u, conditions=[measured], parameters=dict(rate=Unknown(1)))
    return Experiment(problem, KAN(1, 2, 1, basis=Chebyshev(6)), LevenbergMarquardt(steps=12), Sampling(interior=30))


def test_callbacks_are_called_in_their_order_after_every_step():
    heard = []
    result = experiment(lambda run: heard.append(("a", run.fit.history.length)), lambda run: heard.append(("b", run.fit.step))).run()
    assert heard == [(name, step if name == "a" else (step - 1) % 5 + 1) for step in range(1, 11) for name in "ab"]
    np.testing.assert_array_equal(result.parameters, experiment().run().parameters)
    assert repr(experiment(print)) == repr(experiment())
    assert replace(experiment(), callbacks=print).callbacks == (print,)


def test_a_reason_ends_the_whole_training():
    heard = []

    def enough(run):
        return "enough is enough; really" if run.fit.history.length == 3 else None

    result = experiment(enough, heard.append).run()
    assert (result.status, result.checkpoint) == ("complete", None)
    assert len(heard) == len(result.history["step"]) == 3
    assert result.provenance["stops"] == "enough is enough, really"


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        (lambda run: 1 / 0, "ZeroDivisionError at step 1: division by zero"),
        (lambda run: True, "TypeError at step 1: it returned True: a callback returns None, or a text"),
        (Record(bad=lambda run: "much"), r"callback 1 of 1, Record\(bad\), raised ValueError"),
        (EarlyStopping("loss_bondary", below=1), r"no column 'loss_bondary', only .*"),
    ],
)
def test_one_that_raises_names_itself_and_nothing_is_lost(callback, words, caplog, tmp_path):
    result = experiment(callback).run()
    assert result.status == "failed" and len(result.history["step"]) == 1
    assert "callback 1 of 1" in caplog.text
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(result.provenance["stops"])
    again = experiment().run(resume=load(save(result, tmp_path / "failed.h5")))
    whole = experiment().run()
    assert again.status == "complete" and again.provenance["stops"] == whole.provenance["stops"]
    np.testing.assert_array_equal(again.parameters, whole.parameters)


def test_the_line_that_raised_is_named():
    result = experiment(lambda run: run.fit.histories).run()
    assert "no attribute 'histories'" in result.provenance["stops"] and "test_callbacks.py, line " in result.provenance["stops"]


@pytest.mark.parametrize("bad", [[3], ["loss"], [Log]])
def test_what_is_no_callback(bad):
    with pytest.raises(TypeError, match="callbacks takes functions of the run"):
        replace(experiment(), callbacks=bad)


# ---- the ready ones ----


def test_log_every_so_many_steps(caplog):
    with caplog.at_level(logging.INFO, "kanpde"):
        experiment(Record(one=lambda run: 1), Log(every=4)).run()
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("step ")]
    assert [line.split(",")[0] for line in lines] == ["step 4 of at most 10", "step 8 of at most 10"]
    assert all("loss " in line and "error_l2 " in line and line.endswith("one 1") for line in lines)


def test_record_writes_columns_of_the_history(tmp_path):
    record = Record(rate=lambda run: run.coefficients["rate"], middle=lambda run: run.solution(x=0.5))
    rare = Record(every=5, seldom=lambda run: run.fit.seconds)
    result = load(save(replace(inverse(), callbacks=[record, rare]).run(), tmp_path / "run.h5"))
    assert result.history["rate"][-1] == pytest.approx(2, rel=1e-3) and abs(result.history["rate"][0] - 2) > 1e-2
    assert result.history["middle"][-1] == pytest.approx(math.exp(-1), rel=1e-2)
    assert np.flatnonzero(np.isfinite(result.history["seldom"])).tolist() == list(range(4, len(result.history["step"]), 5))


def test_recorded_columns_survive_an_interruption():
    record = Record(size=lambda run: float(run.fit.network.vector().norm()))

    def stop(run):
        if run.fit.history.length == 7:
            raise KeyboardInterrupt

    whole = experiment(record).run()
    again = experiment(record).run(resume=experiment(record, stop).run())
    np.testing.assert_array_equal(again.history["size"], whole.history["size"])


def test_the_solution_during_slabs_reaches_as_far_as_they_go():
    strip = Box(x=(0, 1), t=(0, 1))
    values = []
    problem = Problem(
        strip,
        lambda u: u.t - u.xx / 4,
        conditions=[Dirichlet(0, on=strip.boundary, hard=True), Initial(lambda x: sin(pi * x), hard=True)],
        exact=lambda x, t: exp(-(pi**2) * t / 4) * sin(pi * x),
    )
    model = SeparableKAN(2, 1, rank=2, basis=Chebyshev(8))

    def look(run):
        values.append((run.fit.rung, run.solution(x=0.5, t=0.1), run.solution(x=0.5, t=0.9)))

    Experiment(problem, model, [Slabs("t", 2), LevenbergMarquardt(steps=15)], callbacks=[look]).run()
    first = [each for each in values if each[0] == 0][-1]
    assert first[1] == pytest.approx(math.exp(-(math.pi**2) * 0.025), abs=1e-5) and math.isnan(first[2])
    assert values[-1][2] == pytest.approx(math.exp(-(math.pi**2) * 0.225), abs=1e-5)


def test_early_stopping_at_an_error():
    result = experiment(EarlyStopping(below=1e-2), training=[LevenbergMarquardt(steps=50)]).run()
    errors = result.history["error_l2"]
    assert errors[-1] <= 1e-2 < errors[:-1].min() and result.status == "complete"
    assert result.provenance["stops"].startswith("error_l2 ") and "is not above 0.01" in result.provenance["stops"]


def test_early_stopping_without_progress_in_an_own_quantity():
    falling = iter([3, math.nan, 2, 1, 5, 1, 4, 0, 0, 0])
    stop = EarlyStopping("own", patience=3)
    result = experiment(Record(own=lambda run: next(falling)), stop).run()
    assert len(result.history["step"]) == 7 and result.provenance["stops"].endswith("own was not below 1 in 3 steps")
    assert experiment(Record(own=lambda run: math.nan), stop).run().status == "complete"
    assert experiment(Record(every=3, own=lambda run: 1.0), stop).run().status == "complete"  # the column is there from the first step


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Log(every=0), ValueError, "every.* got 0"),
        (lambda: Record(), ValueError, "needs quantities by name"),
        (lambda: Record(nu=3), TypeError, "a function of the run"),
        (lambda: Record(loss=len), ValueError, "a column 'loss' of its own"),
        (lambda: Record(every=0, nu=len), ValueError, "every.* got 0"),
        (lambda: EarlyStopping(), ValueError, "below=1e-6"),
        (lambda: EarlyStopping(below=math.nan), ValueError, "below=1e-6"),
        (lambda: EarlyStopping(patience=0), ValueError, "patience.* got 0"),
    ],
)
def test_bad_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()
