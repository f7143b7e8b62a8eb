"""Every shipped problem runs, at its quick setting, to the number that it promises; its files say the same."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from kanpde.objective import outputs
from kanpde.problem_files import load_problem
from kanpde.results import load, save

PROBLEMS = Path(__file__).parents[1] / "problems"

# the quick run's relative L2 error, from below which nothing may rise
QUICK = {"poisson": 1e-5, "poisson_paper": 1e-5}


def independent_solution(name, x, y):
    """Closed forms, written again here so that a slip in a problem file cannot hide."""
    if name == "poisson":
        return np.sin(np.pi * x) * np.sin(np.pi * y)
    return np.sin(np.pi * x) * np.sin(np.pi * y**2)


@pytest.fixture(scope="module", params=sorted(QUICK))
def run(request):
    experiment = load_problem(PROBLEMS / f"{request.param}.py").experiment.shortened()
    return request.param, experiment, experiment.run(name=request.param)


def test_every_problem_file_has_a_number():
    assert {path.stem for path in PROBLEMS.glob("*.py")} == set(QUICK)


def test_problem_files_do_no_work_at_import_and_take_about_a_page():
    for path in PROBLEMS.glob("*.py"):
        before = torch.get_rng_state()
        load_problem(path)
        assert torch.equal(before, torch.get_rng_state())
        assert len(path.read_text().splitlines()) <= 70


def test_quick_run_reaches_its_number(run):
    name, _, result = run
    x, y = np.meshgrid(result.axes["x"], result.axes["y"], indexing="ij")
    truth = independent_solution(name, x, y)
    error = np.linalg.norm(result.solution["u"] - truth) / np.linalg.norm(truth)
    assert error <= QUICK[name]
    assert result.metrics["relative_l2"] == pytest.approx(error, rel=1e-6)
    assert result.metrics["mse"] == pytest.approx(np.mean((result.solution["u"] - truth) ** 2), rel=1e-6)
    assert result.metrics["max_error"] == pytest.approx(np.abs(result.solution["u"] - truth).max(), rel=1e-6)
    assert result.status == "complete"


def test_h1_error_agrees_with_finite_differences(run):
    name, _, result = run
    x, y = np.meshgrid(result.axes["x"], result.axes["y"], indexing="ij")
    truth, h = independent_solution(name, x, y), 2 / 200
    error = result.solution["u"] - truth
    parts = [sum(float(np.sum(g**2)) for g in np.gradient(field, h, edge_order=2)) + np.sum(field**2) for field in (error, truth)]
    assert result.metrics["relative_h1"] == pytest.approx(np.sqrt(parts[0] / parts[1]), rel=0.1)


def test_residual_is_that_of_the_equation(run):
    """u_xx + u_yy of the saved solution by a spectral method of its own, against the saved residual."""
    name, experiment, result = run
    network = experiment.trained_network(result)
    nodes = np.cos(np.pi * (np.arange(41) + 0.5) / 41)
    points = np.stack([m.ravel() for m in np.meshgrid(nodes, nodes, indexing="ij")], 1)
    u = outputs(experiment.problem, network, torch.from_numpy(points))["u"][()].numpy().reshape(41, 41)
    cheb = np.polynomial.chebyshev
    vander = cheb.chebvander(nodes, 40)
    inverse = np.linalg.inv(vander)
    second = np.stack([cheb.chebval(nodes, cheb.chebder(c, 2)) for c in inverse.T], 1)
    truth = independent_solution(name, *np.meshgrid(nodes, nodes, indexing="ij"))
    laplacian = second @ u + u @ second.T
    source = second @ truth + truth @ second.T
    inner = (slice(8, -8), slice(8, -8))  # the second derivative loses digits at the ends
    assert np.abs((laplacian - source)[inner]).max() < 50 * max(result.metrics["residual_rms"], 1e-7)
    assert np.abs(result.solution["residual"]).max() > 0


def test_saved_parameters_reproduce_the_saved_solution(run, tmp_path):
    name, experiment, result = run
    again = load(save(result, tmp_path / "run.h5"))
    network = experiment.trained_network(again)
    x, y = np.meshgrid(again.axes["x"], again.axes["y"], indexing="ij")
    points = torch.from_numpy(np.stack([x.ravel(), y.ravel()], 1))
    u = outputs(experiment.problem, network, points)["u"][()].numpy().reshape(x.shape)
    assert np.abs(u - again.solution["u"]).max() <= 1e-12


def test_the_report_holds_the_equation(run):
    name, _, result = run
    first, boundary = result.equation["latex"].splitlines()
    assert "u_{xx}" in first and "u_{yy}" in first and first.endswith("= 0")
    assert boundary.startswith("u = 0")


def test_problem_files_have_module_docstrings_with_the_mathematics():
    for path in PROBLEMS.glob("*.py"):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and "u_xx + u_yy" in (load_problem(path).__doc__ or "")
