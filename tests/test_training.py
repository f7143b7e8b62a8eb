"""The schedule and its ladder, sampling, history, and going on after an interruption with the same numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from kanpde.bases import BSpline, Chebyshev, SiLU
from kanpde.changes import RefineTo
from kanpde.conditions import Dirichlet
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.functions import cos, exp, sin
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.optimizers import LBFGS, Adam, LevenbergMarquardt
from kanpde.problem import Problem
from kanpde.sampling import Sampling
from kanpde.schedule import Batches, Refine, Rung, rungs
from kanpde.snapshots import History
from kanpde.training import fit

segment = Box(x=(0.5, 2))
square = Box(x=(-1, 1), y=(0, 3))
LM = LevenbergMarquardt


def problem(**options):
    """A nonlinear boundary value problem with a known solution."""
    return Problem(
        segment,
        lambda u, x: u.xx + u * u.x + sin(x) - sin(x) * cos(x),
        conditions=[Dirichlet(lambda x: sin(x), on=segment.boundary, weight=2)],
        exact=lambda x: sin(x),
        **options,
    )


def model(degree=3):
    return KAN(1, 3, 1, basis=Chebyshev(degree)).on_box(segment.lower, segment.upper)


def train(training, *, network=None, sampling=Sampling(interior=30), seed=0, **options):  # noqa: B008
    return fit(options.pop("of", None) or problem(), network or model(), training, sampling=sampling, seed=seed, **options)


# ---- the schedule ----


def test_a_schedule_spelled_out():
    lm, adam = LM(steps=3), Adam(steps=2)
    assert rungs([lm]) == [Rung((), lm)]
    assert rungs([adam, lm, Refine(4, 6), adam, Refine(8)]) == [
        Rung((), adam),
        Rung((), lm),
        Rung((RefineTo(4),), lm),
        Rung((RefineTo(6),), lm),
        Rung((), adam),
        Rung((RefineTo(8),), adam),
    ]


@pytest.mark.parametrize(
    ("training", "error", "words"),
    [
        ([], ValueError, "the training is empty"),
        ([Refine(4)], ValueError, r"Refine\(4\) has no optimizer before it: put one there"),
        ([Refine(4), LM()], ValueError, "no optimizer before it"),
        ([LM(), 3], TypeError, "training takes optimizers, Refine, .* got 3"),
        ([LM(), "Adam"], TypeError, "got 'Adam'"),
        ([LM], TypeError, "LevenbergMarquardt"),
    ],
    ids=["empty", "refine", "refine first", "number", "text", "class"],
)
def test_bad_schedules(training, error, words):
    with pytest.raises(error, match=words):
        rungs(training)
    with pytest.raises(error, match=words):
        Experiment(problem(), model(), training)
    with pytest.raises(error, match=words):
        train(training)


@pytest.mark.parametrize("bad", [(), (4, 4), (6, 4), (0,), (-1, 2), (2.5,), (True,), (math.nan,), ("4",)], ids=repr)
def test_bad_resolutions(bad):
    with pytest.raises(ValueError, match="Refine"):
        Refine(*bad)


@pytest.mark.parametrize(
    "make",
    [lambda: (model(5), [LM(steps=1), Refine(4)]), lambda: (MLP(1, 3, 1).on_box((0.5,), (2,)), [LM(steps=1), Refine(4)])],
    ids=["down", "no basis"],
)
def test_refinements_that_cannot_be_fail_before_training(make):
    network, training = make()
    heard = []
    with pytest.raises((TypeError, ValueError), match="refine"):
        train(training, network=network, listener=lambda progress: heard.append(progress.step))
    assert heard == []


def test_refine_prints_as_code():
    assert repr(Refine(4, 6)) == "Refine(4, 6)"
    assert eval(repr(Refine(4, 6))) == Refine(4, 6)


# ---- the ladder ----


def test_the_ladder_is_climbed_in_order():
    seen = []

    def listen(progress):
        seen.append((progress.rung, progress.step, progress.network.basis.degree, progress.status))

    start = model()
    vector = start.vector()
    progress = train([Adam(steps=2), LM(steps=3), Refine(4, 7), Adam(steps=1)], network=start, listener=listen)
    climbed = [(0, 2, 3), (1, 3, 3), (2, 3, 4), (3, 3, 7), (4, 1, 7)]  # rung, its steps, degree
    assert [each[:3] for each in seen] == [(rung, step, degree) for rung, steps, degree in climbed for step in range(1, steps + 1)]
    assert {each[3] for each in seen} == {"running"}
    assert progress.status == "complete"
    assert progress.total_steps == 2 + 3 * 3 + 1
    assert progress.stops == ["all steps done"] * 5
    assert progress.history.columns["refinement"] == [each[2] for each in seen]
    assert progress.history.columns["step"] == list(range(1, 13))
    assert progress.network.basis == Chebyshev(7)
    assert not torch.equal(start.vector(), vector)  # the first rungs trained it in place


def test_refining_does_not_change_the_function_between_rungs():
    kept = {}

    def listen(progress):
        if progress.rung == 0:
            kept["vector"] = progress.network.vector()

    class Still:
        """An optimizer that does nothing."""

        steps, patience, progress = 1, 10, 1.0

        def start(self, network):
            return self

        def advance(self, objective, network):
            from kanpde.optimizers import Step

            return Step(objective.residual(network))

        def state(self):
            return {}

    first = train([LM(steps=5)])
    again = train([LM(steps=5), Still(), Refine(4, 9)], listener=listen)
    points = torch.linspace(0.5, 2, 50).double()[:, None]
    np.testing.assert_allclose(again.network(points).detach(), first.network(points).detach(), atol=1e-12)
    errors = again.history.columns["error_l2"]
    assert errors[5] == pytest.approx(errors[4], rel=1e-9)
    assert errors[7] == pytest.approx(errors[4], rel=1e-9)


def test_refinement_helps():
    progress = train([LM(steps=15, patience=100), Refine(6, 10)], sampling=Sampling())
    errors = np.array(progress.history.columns["error_l2"])
    assert errors[-1] < 1e-7
    assert errors[14] > 10 * errors[-1]


def test_rungs_end_when_they_stall_and_say_so():
    progress = train([LM(steps=500, patience=4, progress=0.5), Adam(steps=500, rate=1e-12, patience=5, progress=0.99)])
    assert re_words(progress.stops[0])
    assert progress.stops[1] == "the loss fell by less than a factor 0.99 in 5 steps"
    steps = progress.history.length
    losses = progress.history.columns["loss"]
    adam = losses[-6:]
    assert adam[-1] >= 0.99 * adam[0]
    assert steps < 200


def re_words(text):
    return "the loss fell by less than a factor 0.5 in 4 steps" in text or "no damping lowers the loss" in text


def test_the_stop_of_a_descent_ends_its_rung_only():
    linear = Problem(segment, lambda u: (u - 1, u + 1))
    network = KAN(1, 1, basis=Chebyshev(2)).on_box(segment.lower, segment.upper)
    progress = train([LM(steps=50, patience=50), Adam(steps=2)], of=linear, network=network)
    assert progress.stops == ["no damping lowers the loss any further", "all steps done"]
    assert progress.status == "complete"


# ---- history ----


def test_history_holds_a_row_for_every_step():
    progress = train([LM(steps=4)])
    arrays = progress.history.arrays()
    assert list(arrays) == ["step", "seconds", "loss", "loss_equation", "loss_dirichlet", "error_l2", "damping", "refinement"]
    assert {len(column) for column in arrays.values()} == {4}
    assert arrays["step"].dtype.kind == arrays["refinement"].dtype.kind == "i"
    np.testing.assert_allclose(arrays["loss"], arrays["loss_equation"] + arrays["loss_dirichlet"], rtol=1e-12)
    assert (np.diff(arrays["seconds"]) > 0).all()
    assert (np.diff(arrays["loss"]) <= 0).all()
    assert progress.seconds == arrays["seconds"][-1]


def test_history_is_the_loss_and_error_of_the_network():
    progress = train([LM(steps=4)])
    points = progress.points
    assert set(points) == {"equation", "dirichlet"}
    x = points["dirichlet"][:, 0]
    misfit = (progress.network(points["dirichlet"])[:, 0] - torch.sin(x)).detach()
    assert progress.history.columns["loss_dirichlet"][-1] == pytest.approx(2 * float(misfit.square().mean()), rel=1e-9)
    fine = torch.linspace(0.5, 2, 2001).double()[:, None]
    wanted = torch.sin(fine)
    error = float((progress.network(fine).detach() - wanted).norm() / wanted.norm())
    assert progress.history.columns["error_l2"][-1] == pytest.approx(error, rel=0.02)


def test_without_a_solution_there_is_no_error():
    progress = train([LM(steps=2)], of=replace(problem(), exact=None))
    assert all(math.isnan(error) for error in progress.history.columns["error_l2"])
    compared = train([LM(steps=2)], of=replace(problem(), exact=None, reference=lambda x: np.sin(x)))
    assert compared.history.columns["error_l2"] == train([LM(steps=2)]).history.columns["error_l2"]


def test_late_columns_are_nan_before():
    history = History()
    history.append({"a": 1.0})
    history.append({"b": 2.0})
    arrays = history.arrays()
    np.testing.assert_array_equal(arrays["a"], [1, np.nan])
    np.testing.assert_array_equal(arrays["b"], [np.nan, 2])


# ---- sampling ----


def test_points_come_where_they_were_asked_for():
    each = Problem(
        square,
        lambda u: u.x,
        conditions=[
            Dirichlet(0, on=square.side(y=3)),
            Dirichlet(0, on=square.side(y=0), hard=True),
            Dirichlet(0, on=square.boundary - square.side(y=0), name="all"),
        ],
    )
    network = KAN(2, 3, 1, basis=Chebyshev(3)).on_box(square.lower, square.upper)
    points = Sampling(interior=50, per_side=7).points(each, network, 1)
    assert {name: tuple(where.shape) for name, where in points.items()} == {
        "equation": (50, 2),
        "dirichlet_1": (7, 2),
        "all": (21, 2),
    }
    assert (points["dirichlet_1"][:, 1] == 3).all()
    assert all(where.dtype == torch.float64 for where in points.values())
    again = Sampling(interior=50, per_side=7).points(each, network, 1)
    assert all(torch.equal(points[name], again[name]) for name in points)
    other = Sampling(interior=50, per_side=7).points(each, network, 2)
    assert not torch.equal(points["equation"], other["equation"])
    assert Sampling(interior=5).points(each, network.float(), 1)["equation"].dtype == torch.float32


def test_the_number_of_points_follows_the_parameters():
    network = KAN(1, 20, 2, basis=Chebyshev(9)).on_box(segment.lower, segment.upper)
    each = Problem(segment, lambda u, v: (u.x, v))
    count = len(Sampling(per_parameter=3).points(each, network, 0)["equation"])
    assert count == 3 * network.parameter_count / 2
    assert len(Sampling().points(problem(), model(), 0)["equation"]) == 128  # at least


@pytest.mark.parametrize("basis", [Chebyshev(5), BSpline(3, breaks=(-1.0, 0.5, 0.75, 1.0)), BSpline(3, 4) + SiLU()], ids=repr)
def test_points_are_dense_where_the_basis_is(basis):
    network = KAN(1, 2, 1, basis=basis).on_box(segment.lower, segment.upper)
    points = Sampling(interior=512).points(problem(), network, 0)["equation"][:, 0].numpy()
    wanted = 1.25 + 0.75 * basis.quantile((np.arange(512) + 0.5) / 512)
    np.testing.assert_allclose(np.sort(points), wanted, atol=0.01)


@pytest.mark.parametrize("name", ["interior", "per_side", "per_parameter"])
@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf], ids=repr)
def test_bad_sampling(name, bad):
    with pytest.raises(ValueError, match=rf"Sampling\({name}=...\) must be"):
        Sampling(**{name: bad})


# ---- determinism and interruption ----

SCHEDULES = {
    "lm": [LM(steps=4), Refine(4, 6)],
    "adam": [Adam(steps=4, rate=1e-2), Refine(5)],
    "adam that slows down": [Adam(steps=4, rate=1e-2, last=1e-3), Batches(20), Refine(5)],
    "lbfgs": [LBFGS(steps=4), Refine(5)],
    "mixed": [Adam(steps=2, rate=1e-2), LBFGS(steps=3), LM(steps=3), Refine(4)],
    "stalling": [Adam(steps=30, rate=1e-12, patience=3, progress=0.9), LM(steps=3)],
}
each_schedule = pytest.mark.parametrize("name", SCHEDULES)


def assert_same(found, wanted):
    """Bit by bit, but for the seconds."""
    assert torch.equal(found.network.vector(), wanted.network.vector())
    assert found.network.basis == wanted.network.basis
    assert found.status == wanted.status == "complete"
    one, other = found.history.arrays(), wanted.history.arrays()
    assert list(one) == list(other)
    for column in one:
        if column != "seconds":
            np.testing.assert_array_equal(one[column], other[column])
    assert found.history.length == wanted.history.length
    assert all(torch.equal(found.points[key], wanted.points[key]) for key in wanted.points)


@each_schedule
def test_training_is_reproducible_and_leaves_global_state_alone(name):
    torch.manual_seed(3)
    state, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = train(SCHEDULES[name])
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpys).all()
    assert torch.get_default_dtype() is torch.float32
    torch.manual_seed(4)
    assert_same(train(SCHEDULES[name]), first)
    other = train(SCHEDULES[name], seed=1)
    assert not torch.equal(other.points["equation"], first.points["equation"])


def test_the_rate_follows_its_cosine_in_every_descent_of_a_schedule():
    wanted = 1e-3 + 9e-3 * (1 + np.cos(np.pi * np.arange(4) / 4)) / 2
    found = train(SCHEDULES["adam that slows down"]).history.arrays()["damping"]
    np.testing.assert_allclose(found, [*wanted, *wanted])


@each_schedule
def test_resuming_from_any_step_gives_the_same_numbers(name):
    snapshots = []
    whole = train(SCHEDULES[name], listener=lambda progress: snapshots.append(progress.snapshot()))
    assert len(snapshots) == whole.history.length
    for snapshot in snapshots:
        assert_same(train(SCHEDULES[name], resume=snapshot), whole)


@each_schedule
@pytest.mark.parametrize("step", [1, 3, 4, 5, 7])
def test_an_interrupted_run_goes_on_with_the_same_numbers(name, step):
    whole = train(SCHEDULES[name])
    reached = {}

    def listen(progress):
        if progress.history.length == step:
            reached["vector"] = progress.network.vector()
            raise KeyboardInterrupt

    stopped = train(SCHEDULES[name], listener=listen)
    if whole.history.length < step:
        assert stopped.status == "complete"
        return
    assert stopped.status == "interrupted"
    assert stopped.history.length == step
    assert torch.equal(stopped.network.vector(), reached["vector"])
    assert_same(train(SCHEDULES[name], resume=stopped.snapshot()), whole)


@pytest.mark.parametrize("name", SCHEDULES)
def test_interruptions_within_a_step_do_not_count_that_step(name):
    """Ctrl-C strikes while a step is being computed, far more often than between two."""
    whole = train(SCHEDULES[name])
    calls = []
    base = problem()

    def equation(u, x):
        calls.append(0)
        if len(calls) == strike:
            raise KeyboardInterrupt
        return base.equation(u, x)

    strike = None
    train(SCHEDULES[name], of=replace(base, equation=equation))
    total = len(calls)
    for strike in np.linspace(4, total, 7).astype(int):  # noqa: B007
        calls.clear()
        stopped = train(SCHEDULES[name], of=replace(base, equation=equation))
        assert stopped.status == "interrupted"
        if len(stopped.accepted) == stopped.network.parameter_count:  # not between two rungs
            np.testing.assert_array_equal(stopped.network.vector(), stopped.snapshot().parameters)
        if stopped.history.length == 0:  # test_an_interruption_in_the_very_first_step_can_be_resumed
            continue
        assert_same(train(SCHEDULES[name], resume=stopped.snapshot()), whole)


def test_an_interruption_in_the_very_first_step_can_be_resumed():
    calls = []
    base = problem()

    def equation(u, x):
        calls.append(0)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return base.equation(u, x)

    stopped = train(SCHEDULES["lm"], of=replace(base, equation=equation))
    assert stopped.status == "interrupted"
    assert stopped.history.length == 0
    assert_same(train(SCHEDULES["lm"], resume=stopped.snapshot()), train(SCHEDULES["lm"]))


def test_a_snapshot_does_not_change_afterwards():
    kept = []
    train([LM(steps=4)], listener=lambda progress: kept.append((progress.snapshot(), progress.network.vector())))
    for number, (snapshot, vector) in enumerate(kept, 1):
        np.testing.assert_array_equal(snapshot.parameters, vector)
        assert len(snapshot.history["loss"]) == snapshot.step == number


def test_residuals_that_are_not_finite_stop_training_before_it_starts():
    from kanpde.functions import log

    heard = []
    bad = Problem(segment, lambda u, x: u.xx + log(x - 1))
    with pytest.raises(ValueError, match="residual of 'equation' .* is nan at x="):
        train([LM(steps=2)], of=bad, listener=heard.append)
    assert heard == []


# ---- the same through an experiment and its result ----


def experiment():
    return Experiment(problem(), KAN(1, 3, 1, basis=Chebyshev(3)), [LM(steps=4), Refine(4)], sampling=Sampling(interior=30))


def test_an_experiment_resumes_from_its_result():
    whole = experiment().run()
    assert (whole.status, whole.checkpoint) == ("complete", None)

    def listen(run):
        if run.fit.history.length == 6:
            raise KeyboardInterrupt

    stopped = replace(experiment(), callbacks=[listen]).run()
    assert stopped.status == "interrupted"
    again = experiment().run(resume=stopped)
    assert again.status == "complete"
    np.testing.assert_array_equal(again.parameters, whole.parameters)
    for column in ("loss", "error_l2", "damping", "refinement"):
        np.testing.assert_array_equal(again.history[column], whole.history[column])
    trained = experiment().trained_network(whole)
    np.testing.assert_array_equal(trained.vector(), whole.parameters)
    x = torch.from_numpy(whole.axes["x"])[:, None]
    np.testing.assert_array_equal(trained(x).detach()[:, 0], whole.solution["u"])
    exact = np.sin(whole.axes["x"])
    wanted = np.linalg.norm(whole.solution["u"] - exact) / np.linalg.norm(exact)
    assert whole.metrics["relative_l2"] == pytest.approx(wanted, rel=1e-12)


def test_an_experiment_refuses_an_exact_solution_that_is_not_one():
    wrong = replace(experiment(), problem=replace(problem(), exact=lambda x: exp(x)))
    heard = []
    with pytest.raises(ValueError, match="the exact solution does not solve the problem: the equation is off by"):
        replace(wrong, callbacks=[heard.append]).run()
    assert heard == []
    unchecked = replace(wrong, problem=replace(wrong.problem, check=False))
    assert unchecked.run().status == "complete"


def test_an_experiment_refuses_models_that_do_not_fit():
    with pytest.raises(ValueError, match="the model has 2 inputs, but the domain has 1 coordinates: x"):
        Experiment(problem(), KAN(2, 3, 1, basis=Chebyshev(3)), [LM()])
    with pytest.raises(ValueError, match="the model has 2 outputs, but the equation has 1 unknowns: u"):
        Experiment(problem(), KAN(1, 3, 2, basis=Chebyshev(3)), [LM()])


def test_a_first_look_is_shorter():
    long = Experiment(problem(), KAN(1, 3, 1, basis=Chebyshev(3)), [LM(steps=10), Refine(4, 5, 6), Adam(steps=2)])
    assert list(long.shortened().training) == [LM(steps=4), Refine(4), Adam(steps=1)]
    given = replace(long, quick=[Adam(steps=3)])
    assert list(given.shortened().training) == [Adam(steps=3)]
