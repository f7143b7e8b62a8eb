"""Regression and classification: against least squares and optimizers of SciPy, and what training makes of data."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares, minimize

from kanpde import metrics
from kanpde.bases import BSpline, Chebyshev
from kanpde.callbacks import EarlyStopping, Record
from kanpde.cli import main
from kanpde.conditions import Dirichlet
from kanpde.datasets import Dataset
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.functions import cos, exp, pi, sin
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.objective import Objective
from kanpde.optimizers import LBFGS, Adam, GaussNewton, LevenbergMarquardt, VariableProjection
from kanpde.problem import Problem
from kanpde.reports import comparison_table, overfitting, report
from kanpde.results import load, save
from kanpde.sampling import Sampling
from kanpde.schedule import Balance, Batches, Refine, Resample, Until, rungs
from kanpde.separable import SeparableKAN
from kanpde.slabs import Slabs
from kanpde.splits import NAMES
from kanpde.supervised import Classification, Regression

LM = LevenbergMarquardt


def f(x, y):
    return exp(sin(pi * x) + y**2)


def samples(**options):
    return Dataset.of(f, x=(-1, 1), y=(-1, 1), **{"train": 300, "test": 200, **options})


def rings(count=300, classes=3, **options):
    """Discs around the origin, told apart by radius, some of them mislabelled so that no network separates them."""
    random = np.random.default_rng(0)
    points = random.uniform(-1, 1, (count, 2))
    label = np.digitize(np.hypot(*points.T), (0.5, 0.85)[: classes - 1])
    wrong = random.random(count) < 0.1
    label[wrong] = random.integers(0, classes, wrong.sum())
    names = np.array(["inside", "ring", "outside"])
    return Dataset(dict(x=points, place=names[label]), inputs="x", targets="place", stratify=True, **options)


def experiment(problem, model=None, training=None, **options):
    outputs = len(problem.unknowns)
    model = model or KAN(len(problem.domain.names), 3, outputs, basis=BSpline(3, 4))
    return Experiment(problem, model, training or [LM(steps=15)], **options)


def points_of(problem):
    return {"equation": torch.as_tensor(problem.data_points)}


# ---- regression ----


def test_a_linear_regression_is_the_least_squares_solution_of_numpy():
    data = samples(noise=0.1)
    problem, basis = Regression(data), Chebyshev(5)
    result = experiment(problem, KAN(2, 1, basis=basis), [GaussNewton()]).run()
    train, test = data["train"], data["test"]

    def design(points):
        return np.concatenate([basis.values(torch.as_tensor(points[:, axis])).numpy().T for axis in (0, 1)], 1)

    best = np.linalg.lstsq(design(train.inputs), train.targets[:, 0], rcond=None)[0]
    expected = design(test.inputs) @ best
    assert np.allclose(result.solution["f"][result.solution["split"] == 2], expected, rtol=0, atol=1e-10)
    misfit = design(train.inputs) @ best - train.targets[:, 0]
    assert result.metrics["train_rmse"] == pytest.approx(np.sqrt(np.mean(misfit**2)), rel=1e-10)
    assert result.history["loss"][-1] == pytest.approx(np.mean(misfit**2) / np.var(train.targets), rel=1e-10)


def test_a_regression_ends_where_scipy_does():
    data = Dataset.of(lambda x: sin(3 * x) + 0.1 * cos(20 * x), x=(-1, 1), train=60, test=30)
    problem = Regression(data)
    network = experiment(problem, MLP(1, 3, 1), [LM()]).network(3)
    objective = Objective(problem, points_of(problem))

    def residual(vector):
        network.assign(torch.as_tensor(vector))
        return objective.residual(network).numpy()

    def slopes(vector):
        network.assign(torch.as_tensor(vector))
        return objective.jacobian(network)[1].numpy()

    start, options = network.vector().numpy(), dict(jac=slopes, method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14)
    ours = experiment(problem, MLP(1, 3, 1), [LM(steps=100, progress=0.999)]).run(seed=3)
    theirs = least_squares(residual, start, max_nfev=400, **options)
    polished = least_squares(residual, ours.parameters, max_nfev=200, **options)
    assert 2 * polished.cost == pytest.approx(ours.history["loss"].min(), rel=1e-3)  # it is a minimum
    assert ours.history["loss"].min() < 1.05 * 2 * theirs.cost  # and none worse


def test_targets_of_any_size_train_alike():
    plain = samples()
    columns = {name: np.concatenate([plain[s].inputs[:, k] for s in ("train", "test")]) for k, name in enumerate("xy")}
    target, fold = np.concatenate([plain[s].targets[:, 0] for s in ("train", "test")]), np.repeat(["train", "test"], (300, 200))
    runs = []
    for size in (1.0, 1e20, 1e-20, -1.0):
        data = Dataset({**columns, "f": size * target, "fold": fold}, targets="f", split="fold", ranges=dict(x=(-1, 1), y=(-1, 1)))
        runs.append(experiment(Regression(data, metrics=("relative_l2", "r2", "rmse")), training=[LM(steps=12)]).run())
    for run, size in zip(runs[1:3], (1e20, 1e-20), strict=True):
        assert np.allclose(run.history["loss"], runs[0].history["loss"], rtol=1e-4)
        assert run.metrics["test_relative_l2"] == pytest.approx(runs[0].metrics["test_relative_l2"], rel=1e-3)
        assert run.metrics["test_rmse"] == pytest.approx(size * runs[0].metrics["test_rmse"], rel=1e-3)
    assert runs[0].metrics["test_relative_l2"] < 0.1


def test_the_normalisation_is_part_of_the_solution(tmp_path):
    data = Dataset.of(lambda x: 1000 + sin(x), x=(0, 3), train=60, test=30)
    one = experiment(Regression(data, metrics=("max_error",)), KAN(1, 1, basis=Chebyshev(10)), [GaussNewton()])
    result = load(save(one.run(), tmp_path / "r.h5"))
    u = one.solution(result)
    assert u(x=0.7) == pytest.approx(1000 + math.sin(0.7), abs=1e-8)
    assert u.x(x=0.7) == pytest.approx(math.cos(0.7), abs=1e-6)  # derivatives too
    network = one.trained_network(result)
    assert network(torch.tensor([[0.7]], dtype=torch.float64)).item() == pytest.approx(u(x=0.7), rel=1e-14)
    assert [network.output_shift.item(), network.output_scale.item()] == json.loads(result.equation["affine"])["y"]
    again = experiment(one.problem, network.kept(), [GaussNewton(steps=1)]).run()  # a given network stays as it is
    assert again.history["loss"][0] == pytest.approx(result.history["loss"][-1], abs=1e-12)


def test_known_noise_weights_the_rows():
    random = np.random.default_rng(0)
    x, sigma = random.uniform(0, 1, 200), np.where(np.arange(200) % 2, 1e-3, 1.0)
    data = Dataset(dict(x=x, y=2 * x + sigma * random.standard_normal(200), s=sigma), inputs="x", targets="y", sigma="s", train=1.0)
    result = experiment(Regression(data), KAN(1, 1, basis=Chebyshev(1)), [GaussNewton()]).run()
    train = data["train"]
    fit = np.polynomial.polynomial.polyfit(train.inputs[:, 0], train.targets[:, 0], 1, w=1 / train.sigma[:, 0])
    assert np.allclose(result.solution["y"], np.polynomial.polynomial.polyval(train.inputs[:, 0], fit), rtol=0, atol=1e-11)
    misfit = (result.solution["y"] - train.targets[:, 0]) / train.sigma[:, 0]
    assert result.metrics["train_chi2"] == pytest.approx(np.mean(misfit**2), rel=1e-12)
    scale, weights = np.var(train.targets), train.sigma[:, 0] ** -2 / np.mean(train.sigma[:, 0] ** -2)
    expected = np.mean(weights * (result.solution["y"] - train.targets[:, 0]) ** 2) / scale
    assert result.history["loss"][-1] == pytest.approx(expected, rel=1e-10)


def test_metrics_by_name_and_own_ones_are_those_of_their_definitions():
    def within(prediction, target):
        return np.mean(np.abs(prediction - target) < 0.1)

    chosen = ("rmse", "mae", "max_error", "r2", "relative_l2", within, {"bias": lambda prediction, target: np.mean(prediction - target)})
    result = experiment(Regression(samples(validation=50, noise=0.05), metrics=chosen), training=[LM(steps=8)]).run()
    for code, split in enumerate(("train", "validation", "test")):
        rows = result.solution["split"] == code
        error, target = (result.solution["f"] - result.solution["target_f"])[rows], result.solution["target_f"][rows]
        expected = {
            "rmse": np.sqrt(np.mean(error**2)),
            "mae": np.mean(np.abs(error)),
            "max_error": np.abs(error).max(),
            "r2": 1 - np.mean(error**2) / np.var(target),
            "relative_l2": np.linalg.norm(error) / np.linalg.norm(target),
            "within": np.mean(np.abs(error) < 0.1),
            "bias": error.mean(),
        }
        assert {name: result.metrics[f"{split}_{name}"] for name in expected} == pytest.approx(expected, rel=1e-9)
    for name in ("train_rmse", "validation_rmse", "validation_loss", "validation_bias"):
        assert result.history[name][-1] == pytest.approx(result.metrics[name], rel=1e-12)
    assert not [name for name in result.history if name.startswith("test_")]  # the test is looked at once
    assert metrics.rmse(np.full(3, 1e200), np.zeros(3)) == pytest.approx(1e200)


def test_several_targets_have_metrics_of_their_own():
    data = Dataset.of(lambda x: (sin(x), 1e6 * cos(x)), x=(0, 3), train=80, test=40, targets=("s", "c"))
    result = experiment(Regression(data), KAN(1, 2, basis=Chebyshev(12)), [GaussNewton()]).run()
    assert result.metrics["test_rmse_s"] < 1e-8 and result.metrics["test_rmse_c"] < 1e-2 and "test_rmse" not in result.metrics
    assert json.loads(result.equation["targets"]) == ["s", "c"]


def test_the_truth_can_be_compared_with_on_a_grid():
    result = experiment(Regression(samples(noise=0.02), exact=f), training=[LM(steps=10)]).run()
    assert result.metrics["relative_l2"] == pytest.approx(result.history["error_l2"][-1], rel=0.2)
    assert "against exact: relative L2" in report(result, ["a.h5"])


def test_other_networks_and_refinement_fit_data():
    problem, schedule = Regression(samples()), [LM(steps=10), Refine(6)]
    module = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
    for model in (SeparableKAN(2, 1, rank=3, basis=Chebyshev(8)), KAN(2, 3, 1, basis=Chebyshev(4)), module):
        own = isinstance(model, KAN)
        result = experiment(problem, model, schedule if own else [LM(steps=10)]).run()
        assert result.metrics["test_r2"] > 0.9
    result = experiment(problem, KAN(2, 1, basis=Chebyshev(4)), [VariableProjection(steps=3)]).run()
    assert "least-squares solution" in result.provenance["stops"]


# ---- classification ----


@pytest.mark.parametrize(("classes", "outputs"), [(3, 3), (2, 2), (2, 1)])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_rows_have_the_gradient_and_the_curvature_of_the_cross_entropy(classes, outputs, ridge):
    problem = Classification(rings(60, classes), ridge=ridge).for_outputs(outputs)
    network = experiment(problem, KAN(2, outputs, basis=Chebyshev(3))).network(1)  # linear: all curvature is that of the loss
    network.assign(2 * network.vector())
    objective = Objective(problem, points_of(problem))
    label = torch.as_tensor(problem.columns(problem.data_points)["class number"])

    def loss(vector):
        weight = vector.view_as(network.layers[0].weight)
        z = torch.einsum("oki,kin->no", weight, network.layers[0].basis.values(network.normalised(torch.as_tensor(problem.data_points))))
        full = torch.cat([torch.zeros_like(z), z], 1) if outputs == 1 else z
        return torch.nn.functional.cross_entropy(full, label) + ridge * z.square().sum(1).mean()

    start = network.vector()
    residual, jacobian = objective.jacobian(network)
    value, gradient = objective.gradient(network)
    slope = torch.autograd.functional.jacobian(loss, start)
    assert float(value @ value) == pytest.approx(float(loss(start)), rel=1e-12)
    assert torch.equal(value, objective.residual(network))
    assert torch.allclose(2 * gradient, slope, rtol=0, atol=1e-13) and torch.allclose(2 * jacobian.T @ residual, slope, rtol=0, atol=1e-13)
    assert torch.allclose(2 * jacobian.T @ jacobian, torch.autograd.functional.hessian(loss, start), rtol=0, atol=1e-12)


@pytest.mark.parametrize("outputs", [1, 2])
def test_logistic_regression_ends_where_scipy_does(outputs):
    data = rings(200, 2, train=1.0)
    problem, basis = Classification(data, ridge=1e-3).for_outputs(outputs), Chebyshev(3)
    result = experiment(problem, KAN(2, outputs, basis=basis), [LM(steps=30, progress=1.0, patience=30)]).run()
    z = 2 * (problem.data_points - problem.domain.lower) / np.subtract(problem.domain.upper, problem.domain.lower) - 1
    design = np.concatenate([basis.values(torch.as_tensor(z[:, axis])).numpy().T for axis in (0, 1)], 1)
    sign = 1 - 2 * (data["train"].targets[:, 0] == problem.classes[1])

    def loss(weights):
        logits = (design @ weights.reshape(outputs, -1).T).T
        gap = logits[0] if outputs == 1 else logits[1] - logits[0]
        return np.mean(np.logaddexp(0, sign * gap) + 1e-3 * np.sum(logits**2, 0))

    best = minimize(loss, np.zeros(outputs * design.shape[1]), method="BFGS", options={"gtol": 1e-9})
    assert result.history["loss"][-1] == pytest.approx(best.fun, rel=1e-9)


def test_confident_mistakes_keep_everything_finite():
    problem = Classification(rings(60))
    objective = Objective(problem, points_of(problem))
    for size in (1e3, 1e6):
        network = experiment(problem).network(0)
        network.assign(size * network.vector())
        residual, jacobian = objective.jacobian(network)
        value, gradient = objective.gradient(network)
        for found in (residual, jacobian, value, gradient):
            assert bool(found.isfinite().all())
        assert float(value @ value) > 10
        assert math.isfinite(problem.monitored(network)["train_accuracy"])


@pytest.mark.parametrize(
    "training", [[LM(steps=15)], [Adam(steps=120, rate=0.05)], [LBFGS(steps=60)], [Adam(steps=30, rate=0.03), Batches(32)]]
)
def test_every_optimizer_tells_classes_apart(training):
    problem = Classification(rings(300, train=0.7), metrics=("accuracy", "balanced_accuracy", "f1", "confusion", "cross_entropy"))
    result = experiment(problem, training=training).run()
    assert result.metrics["test_accuracy"] > 0.75  # a tenth is mislabelled
    assert result.history["loss"][-1] < 0.6 < result.history["loss"][0]
    label, predicted = (result.solution[name][result.solution["split"] == 2] for name in ("label", "predicted"))
    assert result.metrics["test_accuracy"] == np.mean(label == predicted)
    share = [np.mean(predicted[label == k] == k) for k in range(3)]
    assert result.metrics["test_balanced_accuracy"] == pytest.approx(np.mean(share))
    assert result.metrics["test_confusion_inside_as_ring"] == np.sum((label == 0) & (predicted == 2))
    scores = [2 * np.sum((label == k) & (predicted == k)) / (np.sum(label == k) + np.sum(predicted == k)) for k in range(3)]
    assert result.metrics["test_f1"] == pytest.approx(np.mean(scores))
    assert "train_f1" in result.history and not [name for name in result.history if "confusion" in name]


def test_a_jacobian_in_pieces_tells_classes_apart_alike():
    problem = Classification(rings())
    whole, streamed = (experiment(problem, training=[LM(steps=4, memory=memory)]).run() for memory in (2e9, 1e5))
    assert np.allclose(streamed.history["loss"], whole.history["loss"], rtol=1e-8)


def test_the_history_of_a_classification_is_the_cross_entropy_itself():
    result = experiment(Classification(rings(validation=0.1)), training=[LM(steps=5)]).run()
    assert np.allclose(result.history["loss"], result.history["train_cross_entropy"], rtol=1e-12)
    assert np.allclose(result.history["validation_loss"], result.history["validation_cross_entropy"], rtol=1e-12)
    assert result.equation["loss"] == "mean cross-entropy"


def test_classes_keep_their_names_and_probabilities_are_theirs():
    for model in (KAN(2, 3, 2, basis=BSpline(3, 4)), KAN(2, 3, 1, basis=BSpline(3, 4))):
        one = experiment(Classification(rings(300, 2)), model, [LM(steps=10)])
        problem, result = one.problem, one.run()
        assert problem.classes == ("inside", "ring") and len(problem.unknowns) == model.outputs
        values = one.solution(result)(x1=[0.0, 0.9], x2=[0.05, 0.9])
        found = problem.probabilities(values)
        assert np.allclose(sum(found.values()), 1) and list(problem.classify(values)) == ["inside", "ring"]
    numbers = Dataset(dict(x=np.arange(40.0), k=np.repeat([10, 2, -1, 3], 10)), targets="k", stratify=True)
    assert Classification(numbers).classes == ("-1", "2", "3", "10")


def test_separable_classes_end_with_a_reason_and_a_ridge_makes_them_finite():
    x = np.linspace(-1, 1, 40)
    data = Dataset(dict(x=x, k=np.where(x > 0, "right", "left")), targets="k", stratify=True)
    model, training = KAN(1, 1, basis=Chebyshev(3)), [LM(steps=200, progress=1.0, patience=50)]
    free = experiment(Classification(data), model, training).run()
    assert "the classes are separated, with a cross-entropy of" in free.provenance["stops"] and free.metrics["steps"] < 200
    assert np.isfinite(free.parameters).all() and "separated" in report(free, ["a.h5"])
    held = experiment(Classification(data, ridge=1e-4), model, training).run()
    assert np.abs(held.parameters).max() < 0.5 * np.abs(free.parameters).max() and "separated" not in held.provenance["stops"]


# ---- batches ----


def test_an_epoch_has_every_point_once_in_batches_of_nearly_one_size():
    batches = Batches(64).places(1000, (0, 0, 5))
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert max(map(len, batches)) <= 64 and max(map(len, batches)) - min(map(len, batches)) <= 1
    assert [list(each) for each in batches] == [list(each) for each in Batches(64).places(1000, (0, 0, 5))]
    assert [list(each) for each in batches] != [list(each) for each in Batches(64).places(1000, (0, 0, 6))]
    assert len(Batches(2000).places(1000, (0, 0, 0))) == 1


def test_training_in_batches_sees_what_the_batches_hold():
    seen = []

    class Watching(Adam):
        def start(self, network):
            inner = super().start(network)

            class Watched:
                state, restore = inner.state, inner.restore

                def advance(self, objective, network):
                    seen.append(objective.blocks[0].points.clone())
                    return inner.advance(objective, network)

            return Watched()

    problem = Regression(samples())
    result = experiment(problem, training=[Watching(steps=3, rate=1e-2), Batches(70)]).run()
    assert [len(each) for each in seen] == [60] * 15 and result.metrics["steps"] == 3
    every = {tuple(row) for row in problem.data_points.tolist()}
    for epoch in range(3):
        rows = torch.cat(seen[5 * epoch : 5 * epoch + 5]).tolist()
        assert {tuple(row) for row in rows} == every
    values = problem.measured(experiment(problem).trained_network(result))[2]
    assert result.history["loss"][-1] == pytest.approx(values["train_loss"], rel=1e-12)  # of all rows, at the end of the epoch


def test_a_batch_has_the_columns_of_its_rows():
    for problem in (Regression(samples()), Classification(rings())):
        objective = Objective(problem, points_of(problem), chunk=50)
        network = experiment(problem).network(0)
        places = torch.tensor([7, 3, 120, 200])
        part = objective.batch(places)
        whole = objective.residual(network).view(objective.blocks[0].components, -1) * len(problem.data_points) ** 0.5
        assert torch.allclose(part.residual(network).view(whole.shape[0], -1) * 2, whole[:, places], rtol=1e-12)
        assert objective.size == whole.numel()


def test_batches_of_the_points_of_an_equation():
    box = Box(x=(0, 1))
    problem = Problem(box, lambda u, x: u.xx + pi**2 * sin(pi * x), [Dirichlet(0, on=box.boundary)], exact=lambda x: sin(pi * x))
    training = [Adam(steps=60, rate=5e-3), Batches(20), Refine(8)]
    result = Experiment(problem, KAN(1, 3, 1, basis=Chebyshev(6)), training, Sampling(interior=60)).run()
    assert [rung.batches for rung in rungs(training)] == [Batches(20)] * 2
    assert result.history["loss"][-1] < 0.05 * result.history["loss"][0]


def test_batches_are_refused_where_the_whole_loss_is_modelled():
    for optimizer in (LM(steps=3), LBFGS(steps=3), GaussNewton()):
        with pytest.raises(ValueError, match=rf"Batches\(size=8\) is for Adam: {type(optimizer).__name__}"):
            rungs([optimizer, Batches(8)])
    with pytest.raises(ValueError, match=r"Batches\(size\).*got 0"):
        Batches(0)


# ---- going on, and stopping early ----


TIMES = ("seconds", "cpu_seconds", "seconds_to_1e-3", "seconds_to_1e-6")
SCHEDULES = {
    "batches": [Adam(steps=12, rate=1e-2), Batches(50), Refine(6)],
    "lm": [LM(steps=6), Refine(6, 8)],
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, name, kind):
    problem = Regression(samples(validation=60, noise=0.1)) if kind == "regression" else Classification(rings(validation=0.2))
    watch = EarlyStopping("validation_loss", patience=100, restore=True)
    whole = experiment(problem, training=SCHEDULES[name], callbacks=[watch]).run()
    last = whole.metrics["steps"]
    for step in (3, last - 4):

        def interrupt(run, step=step):
            if run.fit.history.length == step:
                save(run.result(checkpoint=True), tmp_path / "c.h5")
                return "enough"
            return None

        experiment(problem, training=SCHEDULES[name], callbacks=[watch, interrupt]).run()
        resumed = experiment(problem, training=SCHEDULES[name], callbacks=[watch]).run(resume=load(tmp_path / "c.h5"))
        assert np.array_equal(resumed.parameters, whole.parameters)
        for column in set(whole.history) - {"seconds"}:
            assert np.array_equal(resumed.history[column], whole.history[column], equal_nan=True)
        same = set(whole.metrics) - set(TIMES)
        assert {key: whole.metrics[key] for key in same} == {key: resumed.metrics[key] for key in same}


def test_early_stopping_restores_the_best_network_of_validation(tmp_path):
    problem = Regression(samples(train=40, validation=60, noise=0.3))
    seen = []

    def remember(run):
        seen.append((run.fit.history.columns["validation_rmse"][-1], run.fit.network.vector().numpy().copy(), run.fit.rung))

    watch = EarlyStopping("validation_rmse", patience=12, restore=True)
    one = experiment(problem, training=[LM(steps=8), Refine(8, 12)], callbacks=[remember, watch])
    result = load(save(one.run(), tmp_path / "r.h5"))
    best = min(range(len(seen)), key=lambda k: seen[k][0])
    assert best < len(seen) - 3  # later networks fit the noise
    assert np.array_equal(result.parameters, seen[best][1]) and result.architecture["rung"] == seen[best][2]
    assert result.metrics["validation_rmse"] == pytest.approx(seen[best][0], rel=1e-12)
    assert result.metrics["loss"] == pytest.approx(result.metrics["train_loss"], rel=1e-12)
    assert f"restored the network of step {best + 1}" in result.provenance["stops"]
    assert np.array_equal(one.trained_network(result).vector().numpy(), seen[best][1])
    left = experiment(problem, training=[LM(steps=8), Refine(8, 12)], callbacks=[replace(watch, restore=False)]).run()
    assert left.metrics["validation_rmse"] > result.metrics["validation_rmse"] and "restored" not in left.provenance["stops"]


def test_a_network_of_slabs_cannot_be_restored():
    box = Box(x=(0, 1), t=(0, 1))
    problem = Problem(box, lambda u: u.t - u.xx, [Dirichlet(0, on=box.boundary)])
    with pytest.raises(ValueError, match="with Slabs there is no one network"):
        Experiment(problem, KAN(2, 1, basis=Chebyshev(4)), [Slabs("t", 2), LM()], callbacks=[EarlyStopping(below=1e-3, restore=True)])


def test_early_stopping_at_what_rises():
    problem = Classification(rings(validation=0.2))
    stop = EarlyStopping("validation_accuracy", above=0.7, rising=True, restore=True)
    result = experiment(problem, training=[LM(steps=40, patience=40)], callbacks=[stop]).run()
    assert result.metrics["validation_accuracy"] >= 0.7 > result.history["validation_accuracy"][:-1].max(initial=0)
    assert "is not below 0.7" in result.provenance["stops"]
    patient = experiment(problem, training=[LM(steps=40, patience=40)], callbacks=[replace(stop, above=math.inf, patience=5)]).run()
    assert patient.metrics["validation_accuracy"] == patient.history["validation_accuracy"].max()
    for wrong in (dict(above=0.9), dict(rising=True, below=0.1), dict(rising=True)):
        with pytest.raises(ValueError, match="EarlyStopping takes"):
            EarlyStopping("validation_accuracy", **wrong)


# ---- what is kept ----


def test_a_file_holds_inputs_targets_and_predictions(tmp_path):
    for problem in (Regression(samples(validation=30)), Classification(rings(validation=0.1))):
        one = experiment(problem, training=[LM(steps=4)])
        result = one.run()
        back = load(save(result, tmp_path / "r.h5"))
        assert np.array_equal(back.solution_points, result.solution_points) and back.metrics == pytest.approx(result.metrics, nan_ok=True)
        for name, values in result.solution.items():
            assert np.array_equal(back.solution[name], values)
        for code, split in enumerate(json.loads(back.equation["splits"])):
            rows = back.solution["split"] == code
            assert np.array_equal(back.solution_points[rows], problem.data[split].inputs)
            assert np.array_equal(back.solution["row"][rows], problem.data[split].rows)
        values = one.solution(back)(**dict(zip(problem.domain.names, back.solution_points.T, strict=True)))
        for name in problem.unknowns:
            again = values[name] if isinstance(values, dict) else values
            assert np.allclose(again, back.solution[name], rtol=1e-12, atol=1e-12)


def test_other_data_are_not_gone_on_with():
    result = experiment(Regression(samples())).run()
    other = experiment(Regression(samples(noise=0.1)))
    with pytest.raises(ValueError, match="of other data"):
        other.solution(result)
    with pytest.raises(ValueError, match="of other data"):
        other.run(resume=result)


def test_single_precision_and_global_state():
    state = torch.get_rng_state()
    for problem in (Regression(samples()), Classification(rings())):
        result = experiment(problem, training=[LM(steps=5), Refine(6)]).run(dtype=torch.float32)
        assert result.history["loss"][-1] < 0.7 * result.history["loss"][0]
    assert torch.equal(torch.get_rng_state(), state) and torch.get_default_dtype() == torch.float32


def test_reports_and_tables_show_what_was_measured():
    fit = experiment(Regression(samples()), training=[LM(steps=4)]).run()
    told = experiment(Classification(rings()), training=[LM(steps=4)]).run()
    assert "test rmse" in report(fit, ["a.h5"]) and "test accuracy" in report(told, ["a.h5"])
    table = comparison_table([fit, told, replace(told, provenance=told.provenance | {"seed": 1})])
    assert "test rmse" in table and "test accuracy" in table and "relative L2" not in table
    assert f"{told.metrics['test_accuracy']:.5f}" in table
    assert overfitting({"train_rows": 9, "test_rows": 9, "train_loss": 1e-9, "test_loss": 1e-7}).startswith(
        "loss 1e-07 in test against 1e-09"
    )
    assert overfitting({"train_rows": 9, "test_rows": 9, "train_loss": 1e-9, "test_loss": 1e-3, "classes": 2}) == ""
    assert overfitting({"train_rows": 9, "test_rows": 9, "train_loss": 1e-3, "test_loss": 0.3, "classes": 2})
    assert overfitting({"train_rows": 9, "test_rows": 0, "train_loss": 1e-3}) == ""
    untested = experiment(Regression(samples(test=0)), training=[LM(steps=2)]).run()
    assert "training rmse" in report(untested, ["a.h5"]) and "train rmse" in comparison_table([untested])


FILE = """
from kanpde import KAN, BSpline, Classification, Dataset, EarlyStopping, Experiment, LevenbergMarquardt, Regression
from kanpde.functions import sin

fit = Dataset.of(lambda x: sin(3 * x), x=(0, 1), train=40, validation=20, test=20)
told = Dataset("points.csv", targets="side", stratify=True)
model, training = KAN(1, 2, basis=BSpline(3, 3)), [LevenbergMarquardt(steps=4)]
experiments = {
    "fit": Experiment(Regression(fit), KAN(1, 1, basis=BSpline(3, 3)), training, callbacks=[EarlyStopping("validation_rmse", patience=9)]),
    "told": Experiment(Classification(told, ridge=1e-3), model, training),
}
"""


def test_a_problem_file_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text("x,side\n" + "\n".join(f"{k / 40},{'left' if k % 40 < 17 else 'right'}" for k in range(40)))
    (tmp_path / "data.py").write_text(FILE)
    assert main(["data.py", "--no-figures"]) == 0
    shown = capsys.readouterr().out
    assert "test rmse" in shown and "test accuracy" in shown and "worst" not in shown
    assert main(["data.py", "--no-figures", "--resume", "--only", "fit"]) == 0
    assert "already complete" in capsys.readouterr().out
    assert main(["data.py", "--no-figures", "--only", "told", "--set", "problem.data.train=0.6", "--set", "problem.ridge=0.1"]) == 0
    changed = load(next((tmp_path / "results" / "data").glob("told-problem*.h5")))
    assert changed.metrics["train_rows"] == 24 and "ridge=0.1" in changed.equation["text"]
    (tmp_path / "points.csv").write_text("x,side\n" + "\n".join(f"{k / 40},{'left' if k < 20 else 'right'}" for k in range(40)))
    assert main(["compare", *map(str, (tmp_path / "results" / "data").glob("*-s0.h5"))]) == 0
    assert "test accuracy" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["regression", "two targets", "classification"])
def test_figures_of_data(tmp_path, kind):
    from kanpde.figures import convergence, draw, triptych

    problem = Classification(rings(train=0.6, validation=0.2)) if kind == "classification" else Regression(samples(validation=30))
    if kind == "two targets":
        problem = Regression(Dataset.of(lambda x: (x, x**2), x=(0, 1), train=20, test=0))
    result = experiment(problem, training=[LM(steps=3)]).run()
    if kind == "regression":
        paths = draw(replace(load(save(result, tmp_path / "r.h5")), edges=(), history={}), tmp_path / "r")
        assert [path.name for path in paths] == ["r-solution.pdf", "r-solution.png"]
        labels = [text.get_text() for text in convergence(result).legends[0].texts]
        assert labels == ["loss in training: mean squared error over variance", "loss in validation"]
    figure = triptych(result)
    if kind == "classification":
        counts = [int(text.get_text()) for text in figure.axes[2].texts]
        assert sum(counts) == result.metrics["test_rows"]
        assert sum(counts[::4]) == pytest.approx(result.metrics["test_accuracy"] * result.metrics["test_rows"])
    else:
        assert len(figure.axes) == 2 * len(problem.unknowns)
        heights = sum(patch.get_data().values.sum() for patch in figure.axes[1].patches)
        assert heights == sum(len(problem.data[name]) for name in NAMES)


# ---- what cannot be ----


def labels(values):
    return Dataset(dict(x=np.arange(float(len(values))), k=np.array(values)), inputs="x", targets="k", train=0.5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Regression(Dataset.of(lambda x: 3, x=(0, 1))), "the target 'y' is 3 in all 1000 training rows"),
        (lambda: Regression(labels(["a", "b"] * 9)), "the target 'k' holds texts .*use Classification"),
        (lambda: Regression([1, 2]), "takes a Dataset"),
        (lambda: Regression(samples(), metrics=("rsme",)), "no metric 'rsme', only rmse.*did you mean 'rmse'"),
        (lambda: Regression(samples(), metrics=(lambda truth: 0,)), "asks for 'truth'|cannot be called"),
        (lambda: Regression(samples(), metrics={"m": lambda truth: 0}), "asks for 'truth', but there is prediction, target"),
        (lambda: Regression(samples(), metrics={"m": 3}), "the metric 'm' is 3"),
        (lambda: Regression(samples(), metrics={"m": lambda target: target}), "the metric m returns array.*no number"),
        (lambda: Regression(samples(), metrics=("rmse", "rmse")), "cannot be called 'rmse'"),
        (lambda: Regression(samples(), exact=lambda x, z: x), "asks for 'z'"),
        (lambda: Regression(Dataset.of(lambda x: x, x=(0, 1), targets=("split",))), "cannot be called 'split'"),
        (lambda: Classification(labels(["a"] * 20)), "all 10 training rows are of the class 'a'"),
        (lambda: Classification(samples()), "'f' has 300 classes in 300 rows: is it a number"),
        (lambda: Classification(Dataset.of(lambda x: (x, x), x=(0, 1))), "has one target, got y1, y2"),
        (lambda: Classification(rings(), ridge=-1), r"Classification\(ridge=...\).*got -1"),
        (lambda: Classification(rings(), metrics=("rmse",)), "no metric 'rmse', only accuracy"),
        (lambda: Classification(rings(sigma=0.1)), "has no use for sigma"),
        (lambda: Classification(rings(), outputs=1), "3 classes take as many outputs"),
        (lambda: experiment(Classification(rings()), KAN(2, 2, basis=Chebyshev(3))), "the model has 2 outputs"),
        (lambda: experiment(Regression(samples()), sampling=Sampling(interior=10)), "has but its training rows; leave it out"),
        (lambda: experiment(Regression(samples()), training=[LM(), Resample()]), "Resample.* is for equations"),
        (lambda: experiment(Regression(samples()), training=[Slabs("y", 3), LM()]), "Slabs.* is for equations"),
        (lambda: experiment(Regression(samples()), training=[LM(), Balance()]), "Balance.* is for equations"),
        (lambda: experiment(Regression(samples()), training=[Adam(compile=True)]), "Adam.compile=True. is for equations"),
        (lambda: experiment(Regression(samples()), callbacks=[EarlyStopping("validation_rmse", patience=3)]), "no row is for validation"),
        (lambda: experiment(Regression(samples()), callbacks=[EarlyStopping("test_rmse", patience=3)]), "no test_rmse while it trains"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_is_said_before_time_is_spent(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_a_class_that_training_does_not_have():
    data = Dataset(dict(x=np.arange(6.0), k=list("ababac"), s=["train"] * 5 + ["test"]), inputs="x", targets="k", split="s")
    with pytest.raises(ValueError, match="the class 'c' of 'k' occurs in test but not in training"):
        Classification(data)


def test_duplicates_are_warned_of(caplog):
    x = np.tile(np.linspace(0, 1, 20), 2)
    experiment(Regression(Dataset(dict(x=x, y=x**2), targets="y", train=0.5)), training=[LM(steps=1)]).run()
    assert "have the very inputs of a training row" in caplog.text


def test_a_quantity_of_the_user_beside_the_metrics():
    record = Record(gap=lambda run: run.fit.history.columns["validation_loss"][-1] - run.fit.history.columns["loss"][-1])
    result = experiment(Regression(samples(validation=50)), training=[LM(steps=3), Until(loss=1e-12)], callbacks=[record]).run()
    assert np.allclose(result.history["gap"], result.history["validation_loss"] - result.history["loss"])
