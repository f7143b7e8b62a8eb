"""Growing networks: shapes that are known, the report, and the experiment that comes out."""

import numpy as np
import pytest
import torch

from kanpde import (
    Box,
    BSpline,
    Chebyshev,
    Dataset,
    Dirichlet,
    Growth,
    LevenbergMarquardt,
    Problem,
    Refine,
    Regression,
    Slabs,
    Sparsify,
    grow,
)
from kanpde.functions import exp, pi, sin
from kanpde.objective import outputs
from kanpde.training import fit

LM = LevenbergMarquardt


def data(f, n=200, **options):
    return Regression(Dataset.of(f, x=(-1, 1), y=(-1, 1), train=n, validation=100, test=0, **options))


@pytest.fixture(scope="module")
def product():
    return grow(data(lambda x, y: x * y), BSpline(3, 3), [LM(steps=20)], width=3, depth=2, resolution=8, seed=1)


def test_a_sum_needs_no_hidden_node_and_a_product_two(product):
    found = grow(data(lambda x, y: sin(pi * x) + y**2), BSpline(3, 3), [LM(steps=8)], width=2, depth=1, resolution=12)
    assert found.best.widths == (2, 1) and found.best.resolution > 3
    assert len(product.best.widths) == 3 and product.best.widths[1] in (2, 3)
    assert product.trials[0].widths == (2, 1) and product.trials[0].held_out > 0.8 > 50 * product.best.held_out


def test_errors_are_those_of_the_rows(product):
    problem, network = product.experiment.problem, product.network
    rows = problem.data["validation"]
    (name, (_, scale)), where = next(iter(problem.affine.items())), torch.from_numpy(rows.inputs)
    misfit = (outputs(problem, network, where)[name][()].numpy() - rows.targets[:, 0].astype(float)) / scale
    assert product.best.held_out == pytest.approx(np.sqrt(np.mean(misfit**2)), rel=1e-10)
    assert product.best.parameters == network.parameter_count and product.best.resolution == network.resolution


def test_the_experiment_trains_to_the_same_numbers(product):
    experiment = product.experiment
    again = fit(experiment.problem, experiment.network(1), experiment.training, sampling=experiment.sampling, seed=1)
    assert torch.equal(again.network.vector(), product.network.vector())


def test_the_report_is_a_table_with_a_verdict(product):
    lines = str(product).splitlines()
    assert len(lines) == 2 + len(product.trials) and lines[-1] == f"{product.verdict}: {product.advice}"
    assert sum(line.endswith("best") for line in lines) == 1
    assert [line.split("]")[0] + "]" for line in lines[1:-1]] == [repr(list(trial.widths)) for trial in product.trials]


def test_over_fitting_is_told():
    found = grow(data(lambda x, y: x * y + sin(9 * x * y), n=25), BSpline(3, 6), [LM(steps=30)], width=2, depth=1, resolution=6)
    assert found.verdict == "over-fitted" and "on 25 training values" in found.advice and "more data" in found.advice
    assert ("more than there is data" in found.advice) is (found.best.parameters >= 25)


def test_under_fitting_is_told():
    found = grow(data(lambda x, y: sin(2 * pi * x)), BSpline(3, 4), [LM(steps=5)], width=1, depth=0, resolution=9)
    assert found.verdict == "under-fitted" and "still falling" in found.advice and "resolution" in found.advice
    noise = grow(data(lambda x, y: x, noise=1.0, n=400), BSpline(3, 2), [LM(steps=5)], width=1, depth=1, resolution=3)
    assert noise.verdict == "under-fitted" and "noise" in noise.advice


def test_lack_of_data_is_told():
    found = grow(data(lambda x, y: exp(sin(pi * x) + y**2), n=60, noise=0.1), BSpline(3, 3), [LM(steps=30)], width=2, depth=1, resolution=4)
    assert found.verdict == "under-fitted" and "larger networks learn" in found.advice and "more data" in found.advice
    least = found.trials[-1]
    assert f"({least.held_out:.2g}, against {found.best.held_out:.2g})" in found.advice


def test_equations_are_held_to_points_that_they_were_not_trained_on():
    square = Box(x=(-1, 1), y=(-1, 1))
    problem = Problem(square, lambda u, x, y: u.xx + u.yy - exp(x) * y, conditions=[Dirichlet(lambda x, y: exp(x) * y, on=square.boundary)])
    found = grow(problem, Chebyshev(4), [LM(steps=15)], width=2, depth=1, resolution=9, seed=0)
    assert isinstance(found, Growth) and found.best.held_out < 0.2 * found.trials[0].held_out
    assert found.best.training != found.best.held_out


def test_a_path_of_strengths_ends_with_its_last():
    found = grow(data(lambda x, y: x + y, n=60), BSpline(3, 2), [LM(steps=3), Sparsify(1e-2, 1e-4)], width=1, depth=0, resolution=3)
    again = fit(found.experiment.problem, found.experiment.network(0), found.experiment.training, sampling=found.experiment.sampling)
    assert torch.equal(again.network.vector(), found.network.vector())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(training=[LM(), Refine(5)]), "Refine.* is not for grow"),
        (dict(training=[Slabs("x", 2), LM()]), "Slabs.* is not for grow"),
        (dict(training=[]), "the training is empty"),
        (dict(gain=1.5), "gain between 0 and 1"),
        (dict(seconds=0), "positive seconds"),
        (dict(width=0), r"grow\(width=...\) must be a whole number of at least 1, got 0"),
        (dict(depth=-1), r"grow\(depth=...\) must be a whole number of at least 0, got -1"),
        (dict(problem=Regression(Dataset.of(lambda x: x, x=(0, 1), train=20, test=5))), "no row is for validation"),
    ],
)
def test_bad_arguments(options, words):
    given = dict(problem=data(lambda x, y: x, n=20), training=[LM(steps=1)], basis=BSpline(3, 2)) | options
    with pytest.raises(ValueError, match=words):
        grow(given.pop("problem"), given.pop("basis"), given.pop("training"), **given)
