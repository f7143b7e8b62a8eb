"""Ordered classes: the loss against integrals by SciPy, rows against finite differences, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit

from kanpde import KAN, MLP, Chebyshev, Classification, Dataset, Experiment, LevenbergMarquardt, Ordinal
from kanpde.data_figures import attributions, scores
from kanpde.figures import triptych
from kanpde.results import load, save


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    x, y = random.uniform(-1, 1, (2, 900))
    score = 3 * x * y + x + random.logistic(0, 0.1, 900)
    return Dataset(dict(x=x, y=y, c=np.clip(2 * np.rint(score / 2), -2, 4)), targets=["c"], train=0.6, test=0.4)


@pytest.fixture(scope="module")
def experiment(data):
    return Experiment(Ordinal(data, noise=0.2), KAN(2, 3, 1, basis=Chebyshev(4)), LevenbergMarquardt(steps=25))


@pytest.fixture(scope="module")
def result(experiment):
    return experiment.run()


def cross_entropy(score, target, noise, classes):
    """By the definition, class by class."""
    middle = np.concatenate([[-np.inf], (classes[1:] + classes[:-1]) / 2, [np.inf]])
    k = np.searchsorted(classes, target)
    return -np.mean(np.log(expit((middle[k + 1] - score) / noise) - expit((middle[k] - score) / noise)))


def test_loss_and_accuracy_are_those_of_the_definition(result, data):
    test = result.solution["split"] == 2
    score, classes = result.solution["c"][test], np.array([-2.0, 0, 2, 4])
    target = data["test"].targets[:, 0]
    nearest = classes[np.abs(score[:, None] - classes).argmin(1)]
    assert result.metrics["test_accuracy"] == pytest.approx(np.mean(nearest == target)) and result.metrics["test_accuracy"] > 0.9
    assert result.metrics["test_cross_entropy"] == pytest.approx(cross_entropy(score, target, 0.2, classes), rel=1e-10)
    assert result.history["loss"].min() == pytest.approx(result.metrics["train_loss"], rel=1e-9)
    assert result.metrics["parameters"] == 45  # 3 edges a node of five functions, whatever the number of classes


def test_probabilities_are_a_distribution(experiment, result, data):
    values = experiment.solution(result)(x=0.3, y=np.linspace(-0.9, 0.9, 7))
    found = experiment.problem.probabilities(values)
    assert list(found) == ["-2", "0", "2", "4"] and np.allclose(sum(found.values()), 1)
    assert list(experiment.problem.classify(values)) == [f"{int(np.clip(2 * np.rint(v / 2), -2, 4))}" for v in values]


def test_probabilities_keep_their_digits_in_both_tails(data):
    problem = Ordinal(data, noise=0.2)
    low, high = (problem.probabilities(np.array([score])) for score in (-40.0, 42.0))  # 41 from the middle of the classes
    assert low["4"][0] == pytest.approx(high["-2"][0], rel=1e-9) and 0 < low["4"][0] < 1e-90


def test_rows_have_the_gradient_and_curvature_of_the_loss():
    problem = Ordinal(Dataset(dict(x=np.arange(5.0), c=[-1.0, 0.0, 0.5, 3.0, 3.0]), targets=["c"], train=1.0), noise=0.3)
    columns = {k: torch.tensor(v) for k, v in problem.columns(problem.data_points).items()}

    class Value:
        def __init__(self, value):
            self.value = value

    def losses(score):
        return problem.loss_residuals({"c": Value(score), **columns})[0] ** 2

    score = torch.tensor([-1.4, 0.3, 2.0, -40.0, 60.0], dtype=torch.float64, requires_grad=True)
    (row,) = problem.residuals({"c": Value(score), **columns})
    slope = torch.autograd.grad(row.sum(), score)[0]
    h = 1e-5
    here = score.detach()
    first = (losses(here + h) - losses(here - h)) / (2 * h)
    second = (losses(here + h) - 2 * losses(here) + losses(here - h)) / h**2
    assert torch.allclose(2 * row.detach() * slope, first, rtol=1e-5, atol=1e-6)
    assert torch.allclose(2 * slope[:3] ** 2, second[:3], rtol=1e-3)
    assert bool(torch.isfinite(row).all())  # far out in the tails too


def test_a_linear_score_is_that_of_scipy(data):
    train = data["train"]
    classes = np.array([-2.0, 0, 2, 4])

    def loss(p):
        return cross_entropy(p[0] + train.inputs @ p[1:], train.targets[:, 0], 0.5, classes)

    best = minimize(loss, np.zeros(3), tol=1e-12)
    linear = Experiment(Ordinal(data, noise=0.5), MLP(2, 1), LevenbergMarquardt(steps=30))
    assert linear.run().metrics["train_cross_entropy"] == pytest.approx(best.fun, rel=1e-7)


def test_results_are_drawn_from_the_file_alone(result, tmp_path):
    again = load(save(result, tmp_path / "ordinal.h5"))
    assert "accuracy" not in again.equation and again.equation["kind"] == "classification"
    figure = scores(again)
    assert "between their thresholds" in figure.axes[0].get_title() and len(figure.axes[0].get_legend().get_texts()) == 4
    bars = attributions([again, again])
    assert len(bars.axes) == 2 and sum(bar.get_width() for bar in bars.axes[0].patches) == pytest.approx(1)
    assert triptych(again).axes  # the confusion matrices
    with pytest.raises(ValueError, match="has no attribution"):
        attributions([replace(again, edges=())])
    with pytest.raises(ValueError, match="does not tell classes apart by one score"):
        scores(replace(again, unknowns=("a", "b")))


def test_what_is_refused(data):
    with pytest.raises(ValueError, match=r"Ordinal\(noise=...\) must be a finite number above 0, got 0"):
        Ordinal(data, noise=0)
    with pytest.raises(ValueError, match="the class 'blue' is no number.*use Classification"):
        Ordinal(Dataset(dict(x=np.arange(4.0), c=["red", "blue", "red", "blue"]), targets=["c"], train=1.0), noise=1.0)
    with pytest.raises(ValueError, match="the model has 4 outputs, but the equation has 1 unknowns"):
        Experiment(Ordinal(data, noise=0.2), MLP(2, 4), LevenbergMarquardt(steps=2))
    assert len(Classification(data).unknowns) == 4
