"""Experiments: what they refuse, and what a run measures and keeps."""

import logging

import numpy as np
import pytest

from kanpde import KAN, Adam, Box, Chebyshev, Dirichlet, Experiment, LevenbergMarquardt, Problem, Refine, Sampling
from kanpde.functions import pi, sin

line = Box(x=(0, 1))


def poisson(u, x):
    return u.xx + pi**2 * sin(pi * x)


def problem(equation=poisson, **given):
    return Problem(line, equation, **{"conditions": [Dirichlet(0, on=line.boundary)]} | given)


def experiment(stated=None, **given):
    basis = {"model": KAN(1, 3, 1, basis=Chebyshev(5)), "training": [LevenbergMarquardt(steps=8)]}
    return Experiment(stated or problem(), **basis | given)


def test_single_optimizers_need_no_list():
    one = LevenbergMarquardt(steps=8)
    single = experiment(training=one, quick=one)
    assert single.training == single.quick == [one]
    assert experiment(training=(item for item in [one, Refine(7)])).training == [one, Refine(7)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sampling": 100}, r"sampling=Sampling\(interior=100\), got 100"),
        ({"model": KAN}, r"model=KAN\(2, 8, 1, basis=...\)"),
        ({"model": 3}, "model="),
        ({"training": 3}, "got 3"),
        ({"training": "adam"}, "got 'adam'"),
        ({"training": Adam}, "training takes optimizers"),
        ({"quick": True}, "got True"),
        ({"stated": 3}, "problem=Problem"),
    ],
)
def test_parts_of_another_kind_are_refused(given, message):
    with pytest.raises(TypeError, match=message):
        experiment(**given)


@pytest.mark.parametrize("name", ["residual", "residual_0", "points"])
def test_unknowns_cannot_have_names_that_the_results_need(name):
    scope = {}
    exec(f"def equation({name}, x): return {name}.xx", scope)
    with pytest.raises(ValueError, match=f"the unknown '{name}'.*rename it"):
        experiment(problem(scope["equation"]))


def test_names_that_would_collide_with_another_unknown():
    with pytest.raises(ValueError, match="'error_u'"):
        experiment(problem(lambda u, error_u: (u.xx, error_u.xx), conditions=[]), model=KAN(1, 3, 2, basis=Chebyshev(5)))
    experiment(problem(lambda error_rate: error_rate.xx))
    box = Box(residual=(0, 1))
    with pytest.raises(ValueError, match="the coordinate 'residual'"):
        experiment(Problem(box, lambda u, residual: u))
    with pytest.raises(ValueError, match="called 'interior'"):
        experiment(problem(conditions=[Dirichlet(0, on=line.boundary, name="interior")]))


def test_a_zero_solution_has_no_relative_error():
    result = experiment(problem(lambda u: u.xx, exact=lambda x: 0)).run()
    assert np.isnan(result.metrics["relative_l2"]) and np.isnan(result.metrics["relative_h1"])
    assert result.metrics["rms_error"] == np.sqrt(result.metrics["mse"]) <= result.metrics["max_error"] < 1e-3


def test_too_few_points_are_noticed(caplog):
    few = experiment(model=KAN(1, 8, 1, basis=Chebyshev(20)), sampling=Sampling(interior=10), training=LevenbergMarquardt(steps=20))
    with caplog.at_level(logging.WARNING, "kanpde"):
        result = few.run()
    assert result.metrics["residual_rms"] > 5 * result.metrics["residual_rms_training"]
    assert "more points, Sampling(interior=...)" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "kanpde"):
        experiment().run()
    assert caplog.text == ""


def test_the_equation_is_kept_as_it_was_written():
    text = experiment().run().equation["text"]
    assert text == "def poisson(u, x):\n    return u.xx + pi**2 * sin(pi * x)\nDirichlet(0, on=Boundary(x=0, x=1))"
    scope = {}
    exec("def typed(u, x): return u.xx", scope)
    assert experiment(problem(scope["typed"])).run().equation["text"].startswith("typed()\n")


def test_h1_errors_are_left_out_for_solutions_by_loops():
    looped = np.vectorize(lambda x: np.sin(np.pi * x))
    metrics = experiment(problem(reference=lambda x: looped(x))).run().metrics
    assert np.isnan(metrics["relative_h1"]) and metrics["relative_l2"] < 0.1


def test_resumption_keeps_why_earlier_rungs_stopped():
    schedule = [LevenbergMarquardt(steps=40, patience=3), Refine(7, 9)]
    whole = experiment(training=schedule).run()
    kept = []

    def stop(run):
        if run.fit.rung == 1:
            kept.append(run.result(checkpoint=True))
            raise KeyboardInterrupt

    part = experiment(training=schedule, callbacks=[stop]).run()
    assert part.status == "interrupted" and len(kept) == 1
    again = experiment(training=schedule).run(resume=kept[0])
    assert again.provenance["stops"] == whole.provenance["stops"] and str(whole.provenance["stops"]).count(";") == 2


def test_resumption_after_the_last_step_of_a_rung_keeps_its_reason():
    schedule = [LevenbergMarquardt(steps=40, patience=3), Refine(7)]
    whole, kept = [], []
    result = experiment(training=schedule, callbacks=[lambda run: whole.append(run.result(checkpoint=True))]).run()
    kept = [each for each in whole if each.checkpoint["rung"] == 0][-1]
    assert experiment(training=schedule).run(resume=kept).provenance["stops"] == result.provenance["stops"]
