"""Continuation, resampling, stopping and keeping the best: what a schedule does besides descending and refining."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from kanpde import (
    KAN,
    MLP,
    Adam,
    AdaptRanges,
    Balance,
    Box,
    BSpline,
    Chebyshev,
    Continue,
    Dataset,
    Dirichlet,
    EarlyStopping,
    Experiment,
    FixEdges,
    LevenbergMarquardt,
    Problem,
    Prune,
    Refine,
    Regression,
    Resample,
    Sampling,
    Starts,
    Until,
    load,
    save,
)
from kanpde.changes import RefineTo, SetParameters, Stage
from kanpde.functions import abs, exp, log, pi, sin
from kanpde.objective import Objective
from kanpde.sampling import resampled
from kanpde.schedule import Rung, rungs
from kanpde.training import fit

segment = Box(x=(0, 1))
LM = LevenbergMarquardt


def layer(nu=0.05):
    """nu u_xx + u_x = 0 from 0 to 1: a boundary layer of width nu at x = 0."""

    def exact(x, nu):
        return (1 - exp(-x / nu)) / (1 - exp(-1 / nu))

    return Problem(
        segment,
        lambda u, nu: nu * u.xx + u.x,
        parameters=dict(nu=nu),
        conditions=[Dirichlet(0, on=segment.side(x=0), hard=True), Dirichlet(1, on=segment.side(x=1), hard=True)],
        exact=exact,
    )


def train(training, problem=None, listener=None, resume=None, sampling=None, seed=0):
    network = KAN(1, 3, 1, basis=Chebyshev(6)).on_box((0,), (1,))
    return fit(
        problem or layer(), network, training, sampling=sampling or Sampling(interior=40), seed=seed, listener=listener, resume=resume
    )


# ---- spelling out ----


def test_a_schedule_is_spelled_out():
    lm, resample, until = LM(steps=2), Resample(every=3), Until(loss=1e-9)
    found = rungs([Continue(nu=[0.5, 0.05]), lm, resample, Refine(8), until, Adam(steps=1)])
    assert found == [
        Rung((SetParameters({"nu": 0.5}),), lm, resample, until),
        Rung((SetParameters({"nu": 0.05}),), lm, resample, until),
        Rung((RefineTo(8),), lm, resample, until),
        Rung((), Adam(steps=1)),
    ]
    balance = Balance(every=2)
    assert rungs([lm, balance, Refine(8)]) == [Rung((), lm, balance=balance), Rung((RefineTo(8),), lm, balance=balance)]


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ([Continue(nu=[0.05])], "stands at the end of the training"),
        ([Continue(nu=[0.1]), Continue(nu=[0.05]), LM()], "put an optimizer between them"),
        ([Continue(nu=[0.1]), Refine(8), LM()], "has no optimizer before it"),
        ([Resample(), LM()], "has no optimizer before it"),
        ([Until(loss=1), LM()], "has no optimizer before it"),
        ([Balance(), LM()], "has no optimizer before it"),
        ([LM(), Continue(nu=[0.1, 0.2]), LM()], r"ends at nu=0.2, but the problem asks for nu=0.05"),
        ([Continue(mu=[0.1]), LM()], "no parameter 'mu', only nu"),
    ],
)
def test_bad_schedules_fail_before_training(training, words):
    heard = []
    with pytest.raises(ValueError, match=words):
        train(training, listener=heard.append)
    assert not heard


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Continue(), ValueError, "needs the values"),
        (lambda: Continue(nu=0.1), ValueError, "takes a list of values, got 0.1"),
        (lambda: Continue(nu=[]), ValueError, r"got \[\]"),
        (lambda: Continue(nu=[math.nan]), ValueError, "finite numbers, got nan"),
        (lambda: Continue(nu=[1, 2], mu=[1]), ValueError, "equally many values, got nu: 2, mu: 1"),
        (lambda: Resample(every=0), ValueError, "every.* got 0"),
        (lambda: Resample(power=-1), ValueError, "power.* got -1"),
        (lambda: Resample(candidates=1.5), ValueError, "candidates.* got 1.5"),
        (lambda: Balance(every=0), ValueError, "every.* got 0"),
        (lambda: Balance(power=0), ValueError, "power.* got 0"),
        (lambda: Balance(power=1.5), ValueError, "power.* got 1.5"),
        (lambda: Balance(bound=1), ValueError, "bound.* got 1"),
        (lambda: Until(loss=-1), ValueError, "at least 0"),
        (lambda: Until(seconds=0), ValueError, "positive seconds"),
    ],
)
def test_bad_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_continue_prints_as_code():
    assert eval(repr(Continue(nu=[0.1, 0.05]))) == Continue(nu=[0.1, 0.05])


# ---- continuation ----


def test_continuation_solves_one_value_after_another():
    seen = []

    def listen(progress):
        seen.append(progress.rung)

    progress = train([Continue(nu=[0.5, 0.15, 0.05]), LM(steps=30), Refine(10, 14)], listener=listen)
    assert sorted(set(seen)) == [0, 1, 2, 3, 4]
    assert progress.history.columns["error_l2"][-1] < 1e-5
    # each value starts from the solution before, which is far from its own
    first = [seen.index(number) for number in (1, 2)]
    losses = progress.history.columns["loss"]
    assert all(losses[place] > losses[place - 1] for place in first)


def test_set_parameters_leaves_the_problem_alone():
    problem = layer()
    stage = SetParameters({"nu": 0.3}).apply(Stage.first(problem, KAN(1, 1, basis=Chebyshev(3))))
    assert stage.problem.parameters == {"nu": 0.3} and problem.parameters == {"nu": 0.05}


# ---- resampling ----


def test_resampled_points_follow_the_residual():
    problem = layer(0.02)
    network = train([LM(steps=3)], problem).network
    points = {"equation": torch.from_numpy(segment.sample(200, network.quantiles, 0))}
    new = resampled(problem, network, points, 5, candidates=8, power=2.0, floor=0.0)["equation"]
    again = resampled(problem, network, points, 5, candidates=8, power=2.0, floor=0.0)["equation"]
    other = resampled(problem, network, points, 6, candidates=8, power=2.0, floor=0.0)["equation"]
    assert new.shape == points["equation"].shape and len(torch.unique(new)) == 200
    assert torch.equal(new, again) and not torch.equal(new, other)

    def size(where):
        from kanpde.objective import Objective

        return float(Objective(problem, {"equation": where}).residual(network).square().sum())

    assert size(new) > 1.3 * size(points["equation"])
    uniform = resampled(problem, network, points, 5, candidates=8, power=0.0, floor=1.0)["equation"]
    assert size(uniform) < size(new)


def test_points_change_every_so_many_steps_and_only_inside():
    seen = []

    def listen(progress):
        seen.append({name: points.clone() for name, points in progress.points.items()})

    soft = Problem(segment, lambda u: u.xx + u, conditions=[Dirichlet(1, on=segment.boundary)])
    train([LM(steps=7, patience=50), Resample(every=3)], soft, listener=listen)
    changed = [not torch.equal(a["equation"], b["equation"]) for a, b in zip(seen, seen[1:], strict=False)]
    assert changed == [False, False, True, False, False, True]
    assert all(torch.equal(each["dirichlet"], seen[0]["dirichlet"]) for each in seen)


@pytest.mark.parametrize("stop", [2, 4, 9])
def test_a_resampled_run_resumes_with_the_same_numbers(stop):
    training = [LM(steps=6, patience=50), Resample(every=2), Refine(9)]
    snapshots = []
    whole = train(training, listener=lambda progress: snapshots.append(progress.snapshot()))
    resumed = train(training, resume=snapshots[stop - 1])
    assert torch.equal(resumed.network.vector(), whole.network.vector())
    np.testing.assert_array_equal(resumed.history.columns["loss"], whole.history.columns["loss"])


# ---- balance ----

square = Box(x=(-1, 1), y=(-1, 1))


def membrane(weight):
    """Poisson's equation with a soft boundary condition."""

    def exact(x, y):
        return sin(pi * x) * sin(pi * y)

    equation = lambda u, x, y: u.xx + u.yy + 2 * pi**2 * exact(x, y)  # noqa: E731
    return Problem(square, equation, conditions=[Dirichlet(0, on=square.boundary, weight=weight)], exact=exact)


def test_factors_follow_the_mean_over_the_own_loss():
    balance = Balance(power=0.5, bound=5)
    assert balance.renewed({}, {"a": 2.0, "b": 2.0}) == {"a": 1.0, "b": 1.0}
    found = balance.renewed({}, {"a": 1.0, "b": 9.0})  # the mean is 5: sqrt(5) and sqrt(5/9), whose ratio is 3
    assert found["a"] / found["b"] == pytest.approx(3) and found["a"] * found["b"] == pytest.approx(1)
    again = balance.renewed(found, {"a": 1.0, "b": 9.0})
    assert again["a"] / again["b"] == pytest.approx(9)
    assert balance.renewed(again, {"a": 1.0, "b": 1e9}) == {"a": 5, "b": 0.2}
    for odd in (0.0, math.inf, math.nan):
        assert balance.renewed({}, {"a": odd, "b": 3.0}) == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(("weight", "gain"), [(1e-4, 3), (1e-2, 5)])
def test_balance_mends_a_weight_that_is_too_small(weight, gain):
    """Relative L2 errors for a weight of 1e-2: 2.5e-2 without, 3.8e-4 with (seed 0; seeds 1, 2: 9e-3, 3e-4; 1.6e-2, 2e-4)."""
    error = {}
    for balanced in (False, True):
        training = [LM(steps=60), *([Balance()] if balanced else []), Refine(9)]
        result = Experiment(membrane(weight), KAN(2, 5, 1, basis=Chebyshev(6)), training).run()
        error[balanced] = result.metrics["relative_l2"]
    assert error[True] < error[False] / gain
    weights = result.history["weight_dirichlet"]
    assert weights[0] == weight and weight < weights[-1] <= 10 * weight * (1 + 1e-12)
    assert result.history["weight_equation"][-1] >= 0.1 * (1 - 1e-12)


def test_losses_in_the_history_are_those_under_the_own_weights():
    from kanpde.objective import Objective

    problem = membrane(0.01)
    network = KAN(2, 3, 1, basis=Chebyshev(5)).on_box((-1, -1), (1, 1))
    progress = fit(problem, network, [LM(steps=15), Balance(power=0.3)], sampling=Sampling(interior=60))
    assert progress.factors["dirichlet"] > 2
    residual = Objective(problem, progress.points).residual(progress.network)
    last = {name: column[-1] for name, column in progress.history.columns.items()}
    assert last["loss"] == pytest.approx(float(residual @ residual), rel=1e-9)
    assert last["loss"] == last["loss_equation"] + last["loss_dirichlet"]
    without = fit(problem, network.remade(), [LM(steps=2)], sampling=Sampling(interior=60))
    assert not any(name.startswith("weight_") for name in without.history.columns) and without.factors == {}


BALANCED = {
    "every step": [LM(steps=8, patience=50), Balance(power=0.2), Refine(6)],
    "with new points": [LM(steps=7, patience=50), Resample(every=3), Balance(every=2, power=0.2)],
    "best": [Adam(steps=12, rate=0.5, patience=100), Balance(every=3, power=0.5)],
    "patience": [Adam(steps=20, rate=0.3, patience=4, progress=0.9), Balance(every=2)],
    "then without": [LM(steps=4), Balance(), Adam(steps=3)],
}


@pytest.mark.parametrize("training", BALANCED.values(), ids=BALANCED.keys())
def test_a_balanced_run_resumes_with_the_same_numbers(training):
    def run(**more):
        network = KAN(2, 2, 1, basis=Chebyshev(4)).on_box((-1, -1), (1, 1))
        return fit(membrane(0.1), network, training, sampling=Sampling(interior=40), **more)

    snapshots = []
    whole = run(listener=lambda progress: snapshots.append(progress.snapshot()))
    for snapshot in snapshots:
        resumed = run(resume=snapshot)
        assert torch.equal(resumed.network.vector(), whole.network.vector())
        assert resumed.stops == whole.stops and resumed.factors == whole.factors
        for name in set(whole.history.columns) - {"seconds"}:
            np.testing.assert_array_equal(resumed.history.columns[name], whole.history.columns[name])


def test_a_balanced_experiment_resumes_from_its_file(tmp_path):
    from dataclasses import replace

    from kanpde import load, save

    own = Experiment(membrane(0.1), KAN(2, 2, 1, basis=Chebyshev(4)), [LM(steps=8), Balance(power=0.2)], Sampling(interior=40))

    def stop(run):
        if run.fit.step == 5:
            raise KeyboardInterrupt

    whole = own.run()
    half = load(save(replace(own, callbacks=[stop]).run(), tmp_path / "half.h5"))
    again = own.run(resume=half)
    assert half.status == "interrupted" and again.status == "complete"
    np.testing.assert_array_equal(again.parameters, whole.parameters)
    np.testing.assert_array_equal(again.history["weight_dirichlet"], whole.history["weight_dirichlet"])


# ---- ending, and keeping the best ----


def test_until_ends_each_descent_at_its_loss():
    progress = train([LM(steps=50), Until(loss=1e-3), Refine(12)])
    losses = progress.history.columns["loss"]
    assert losses[-1] <= 1e-3 < losses[-3]
    assert "is what was asked for" in progress.stops[0]
    progress = train([LM(steps=50), Until(seconds=1e-9)])
    assert progress.history.length == 0 or "seconds of training are over" in progress.stops[0]


class Jumping:
    """An optimizer whose third of five steps is the best."""

    steps, patience, progress = 5, 50, 1.0

    def start(self, network):
        self.best, self.count = network.vector(), 0
        return self

    def advance(self, objective, network):
        from kanpde.optimizers import Step

        self.count += 1
        network.assign(self.best + abs(self.count - 3.0) * 10)
        return Step(objective.residual(network))

    def state(self):
        return {}

    def restore(self, state):
        pass


def test_the_best_network_of_a_descent_is_kept():
    start = KAN(1, 3, 1, basis=Chebyshev(6)).on_box((0,), (1,))
    wanted = start.vector()
    progress = train([Jumping()])
    assert torch.equal(progress.network.vector(), wanted)
    losses = progress.history.columns["loss"]
    assert min(losses) == losses[2] and losses[-1] > losses[2]


def test_adam_keeps_where_its_loss_was_lowest():
    progress = train([Adam(steps=30, rate=0.5, patience=100)])
    losses = progress.history.columns["loss"]
    from kanpde.objective import Objective

    residual = Objective(layer(), progress.points).residual(progress.network)
    assert float(residual @ residual) <= min(losses) * (1 + 1e-12)


def test_an_experiment_prints_its_schedule():
    experiment = Experiment(
        layer(), KAN(1, 3, 1, basis=Chebyshev(6)), [Continue(nu=[0.1, 0.05]), LM(steps=3), Resample(every=2), Until(loss=1e-9)]
    )
    assert "Continue(nu=[0.1, 0.05])" in repr(experiment) and "Resample(every=2" in repr(experiment)
    result = experiment.shortened().run()
    assert result.status == "complete"


@pytest.mark.parametrize(
    "training",
    [
        [Adam(steps=12, rate=0.5, patience=100)],
        [Adam(steps=12, rate=0.3, patience=4, progress=0.9), Resample(every=3)],
        [LM(steps=12, patience=3, progress=0.3), Resample(every=5)],
    ],
    ids=["best", "Adam on new points", "patience on new points"],
)
def test_what_is_kept_and_when_it_ends_do_not_depend_on_an_interruption(training):
    snapshots = []
    whole = train(training, listener=lambda progress: snapshots.append(progress.snapshot()))
    for snapshot in snapshots[:-1]:
        resumed = train(training, resume=snapshot)
        assert torch.equal(resumed.network.vector(), whole.network.vector())
        assert resumed.history.columns["loss"] == whole.history.columns["loss"]
        assert resumed.stops == whole.stops


# ---- several starts ----


def deep(x, y):
    return exp(sin(2 * x) * y)


def test_the_best_of_several_starts_goes_on():
    problem = Problem(Box(x=(-1, 1), y=(-1, 1)), lambda u, x, y: u - deep(x, y), exact=deep)
    training = [LevenbergMarquardt(steps=3)]
    model = KAN(2, 1, 1, basis=Chebyshev(3))
    experiment = Experiment(problem, model=model, training=[Starts(4, steps=5), *training])
    result = experiment.run(seed=0)
    assert "began from start" in str(result.provenance["stops"])
    losses = []
    for number in range(4):
        network = model.remade(seed=number * 1_000_003).on_box((-1, -1), (1, 1))
        objective = Objective(problem, experiment.sampling.points(problem, network, 0))
        descent = training[0].start(network)
        for _ in range(5):
            descent.advance(objective, network)
        fresh = Objective(problem, experiment.sampling.points(problem, network, 1_000_003)).residual(network)
        losses.append(float(fresh @ fresh))
    chosen = int(np.argmin(losses))
    assert max(losses) > 1.5 * min(losses)  # there was something to choose
    assert f"began from start {chosen} of 0 ... 3, with a loss of {min(losses):.3g}" in str(result.provenance["stops"])
    assert result.history["loss"][0] <= 1.2 * min(losses)


def test_starts_stand_first_and_need_drawn_weights():
    problem = Problem(Box(x=(-1, 1)), lambda u, x: u - sin(x))
    with pytest.raises(ValueError, match="must stand at the beginning"):
        rungs([LevenbergMarquardt(), Starts(3)])
    with pytest.raises(ValueError, match=r"Starts\(count\) must be a whole number of at least 2, got 1"):
        Starts(1)
    experiment = Experiment(problem, model=KAN(1, 1, basis=Chebyshev(3)).kept(), training=[Starts(3), LevenbergMarquardt(steps=2)])
    with pytest.raises(ValueError, match="are given: leave Starts out"):
        experiment.run()


@pytest.mark.parametrize(("before", "after", "exact"), [(5, 10, True), (10, 50, True), (20, 50, False), (5, 5, True)])
def test_uniform_refinement_is_exact_where_knots_are_kept_and_a_projection_elsewhere(before, after, exact):
    network = KAN(1, 1, basis=BSpline(3, before), seed=2)
    finer = network.refined(after, uniform=True)
    assert finer.basis == BSpline(3, after)
    x = torch.linspace(-1, 1, 4001, dtype=torch.float64)[:, None]
    change = (finer(x) - network(x)).detach()
    assert (float(change.abs().max()) < 1e-13) == exact
    if not exact:  # the residual of a projection is orthogonal to the splines
        x, weights = (torch.from_numpy(each) for each in np.polynomial.legendre.leggauss(600))
        change = (finer(x[:, None]) - network(x[:, None]))[:, 0].detach()
        assert float((finer.basis.values(x) @ (weights * change)).abs().max()) < 1e-4 * float(change.abs().max())


# ---- edits between descents ----


def sparse_data():
    return Dataset.of(lambda x, y, z: sin(2 * x) + y**2 + 0 * z, x=(-1, 1), y=(-1, 1), z=(-1, 1), train=400, validation=100, test=100)


def edited(**options):
    training = [LM(steps=15), Prune(0.1), LM(steps=8), FixEdges(), LM(steps=12)]
    return Experiment(Regression(sparse_data()), model=KAN(3, 1, basis=Chebyshev(7)), training=training, **options)


def test_pruning_and_fixing_in_a_schedule_end_with_a_formula():
    experiment = edited()
    result = experiment.run()
    assert result.equation["formula"] == "f = y**2 + sin(2*x)"
    assert result.metrics["test_rmse"] < 1e-13
    network = experiment.trained_network(result)
    assert not bool(network.wires[0].edges[:, 2].any())  # z does nothing
    points = torch.from_numpy(experiment.problem.data["test"].inputs)
    wanted = torch.sin(2 * points[:, 0]) + points[:, 1] ** 2
    torch.testing.assert_close(network(points)[:, 0], wanted, rtol=1e-12, atol=1e-12)


def test_a_run_with_edits_resumes_to_the_same_numbers():
    rungs_at = []
    whole = edited(callbacks=[lambda run: rungs_at.append(run.fit.rung)]).run()
    lengths = [rungs_at.index(rung) for rung in range(3)]
    for stop in (5, lengths[1] + 1, lengths[2] + 1):  # in each descent
        part = edited(callbacks=[lambda run, stop=stop: interrupt() if run.fit.history.length == stop else None]).run()
        assert part.status == "interrupted"
        again = edited().run(resume=part)
        assert again.status == "complete"
        assert np.array_equal(again.parameters, whole.parameters)
        assert again.equation["formula"] == whole.equation["formula"]


def interrupt():
    raise KeyboardInterrupt


def test_an_edge_that_no_primitive_explains_stays(caplog):
    data = Dataset.of(lambda x: sin(9 * x) * exp(x) + abs(x - 0.3), x=(-1, 1), train=200, test=50)
    training = [LM(steps=5), FixEdges(primitives=["x", "x^2"]), LM(steps=3)]
    experiment = Experiment(Regression(data), model=KAN(1, 1, basis=Chebyshev(20)), training=training)
    result = experiment.run()
    assert "stays as it is: at best" in caplog.text
    assert "formula" not in result.equation
    assert bool(experiment.trained_network(result).wires[0].present.all())


def test_where_edits_stand():
    with pytest.raises(ValueError, match=r"Prune\(.*\) edits what was trained, and nothing was"):
        rungs([Prune(), LM()])
    with pytest.raises(ValueError, match="stands at the end of the training"):
        rungs([LM(), FixEdges()])
    with pytest.raises(ValueError, match="is followed by Refine"):
        rungs([LM(), Prune(), Refine(10), LM()])
    with pytest.raises(ValueError, match="at least 0, got -1"):
        Prune(-1)
    with pytest.raises(ValueError, match="between 0 and 1, got 2"):
        FixEdges(least=2)
    with pytest.raises(ValueError, match="sine"):
        FixEdges(primitives=["sine"])
    with pytest.raises(ValueError, match="would fix nothing"):
        FixEdges(primitives=())
    assert FixEdges(primitives="sin") == FixEdges(primitives=["sin"])
    problem = Problem(Box(x=(0, 1)), lambda u, x: u - sin(x))
    with pytest.raises(TypeError, match="edits the edges of a KAN, which MLP"):
        Experiment(problem, model=MLP(1, 3, 1), training=[LM(steps=2), Prune(), LM(steps=2)]).run()


def interrupted(experiment, stop):
    """The result of a run that ends at a step."""
    calls = [*experiment.callbacks, lambda run: interrupt() if run.fit.history.length == stop else None]
    return replace(experiment, callbacks=calls).run()


def test_a_network_kept_before_an_edit_is_restored_by_a_resumed_run(tmp_path):
    training = [LM(steps=4), Prune(0.1), LM(steps=4), FixEdges(primitives=["x", "x^2"], least=0.01), LM(steps=4)]
    watch = EarlyStopping("validation_rmse", patience=100, restore=True)
    experiment = Experiment(Regression(sparse_data()), model=KAN(3, 1, basis=BSpline(3, 3)), training=training, callbacks=[watch])
    whole = experiment.run()
    assert whole.architecture["rung"] == 1 and "restored the network of step" in whole.provenance["stops"]
    part = load(save(interrupted(experiment, whole.metrics["steps"] - 1), tmp_path / "part.h5"))
    again = experiment.run(resume=part)
    assert np.array_equal(again.parameters, whole.parameters)
    assert again.metrics["test_rmse"] == whole.metrics["test_rmse"]
    assert "with 2 of 3 edges" in repr(experiment.trained_network(again))


def test_a_run_whose_ranges_have_moved_resumes(tmp_path):
    model = KAN(3, 3, 1, basis=BSpline(3, 4), hidden="range")
    experiment = Experiment(Regression(sparse_data()), model=model, training=[AdaptRanges(), LM(steps=6)])
    part = load(save(interrupted(experiment, 3), tmp_path / "part.h5"))
    assert np.array_equal(experiment.run(resume=part).parameters, experiment.run().parameters)


def test_starts_on_data_are_judged_on_the_validation_rows():
    model, training = KAN(3, 2, 1, basis=Chebyshev(3)), [Starts(4, steps=4), LM(steps=2)]
    experiment = Experiment(Regression(sparse_data()), model=model, training=training)
    losses = []
    for number in range(4):
        plain = replace(experiment, training=[LM(steps=4)])
        losses.append(plain.run(seed=number * 1_000_003).history["validation_loss"][-1])
    words = f"began from start {int(np.argmin(losses))} of 0 ... 3, with a loss of {min(losses):.3g} on the validation rows"
    assert words in experiment.run().provenance["stops"]
    bare = Dataset.of(lambda x: sin(x), x=(-1, 1), train=50)
    found = Experiment(Regression(bare), model=KAN(1, 2, 1, basis=Chebyshev(3)), training=training).run()
    assert "on the training rows" in found.provenance["stops"]


def test_a_first_look_refines_in_the_same_manner():
    training = [LM(steps=9), Refine(5, 7, 11, uniform=True)]
    experiment = Experiment(Regression(sparse_data()), model=KAN(3, 1, basis=BSpline(3, 3)), training=training)
    assert experiment.shortened().training[1] == Refine(5, uniform=True)


@pytest.mark.parametrize("validation", [1, 2])
def test_edges_are_fixed_over_the_training_rows_too(validation):
    data = Dataset.of(lambda x, y: log(1.1 + x) + y**2, x=(-1, 1), y=(-1, 1), train=200, validation=validation, test=50)
    training = [LM(steps=15), FixEdges(primitives=["log", "x^2"]), LM(steps=15)]
    result = Experiment(Regression(data), model=KAN(2, 1, basis=Chebyshev(12)), training=training).run()
    assert "log(" in result.equation["formula"] and result.metrics["test_rmse"] < 1e-12


def test_an_edge_whose_input_does_not_vary_stays(caplog):
    rows = np.linspace(-1, 1, 50)
    data = Dataset({"a": rows, "b": 0 * rows, "c": sin(rows)}, targets="c", ranges={"b": (-1, 1)})
    result = Experiment(Regression(data), model=KAN(2, 1, basis=Chebyshev(9)), training=[LM(steps=8), FixEdges(), LM(steps=8)]).run()
    assert "the edge from 1 to 0 of layer 0 stays as it is: the edge's input is 0 at all" in caplog.text
    assert result.metrics["test_rmse"] < 1e-8
