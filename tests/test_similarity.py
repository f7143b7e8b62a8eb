"""Similarity variables: derivatives by constants against finite differences, constants that are known found again, errors."""

import math

import numpy as np
import pytest
import scipy.special
import sympy
import torch

from kanpde import (
    KAN,
    Box,
    Chebyshev,
    Classification,
    Data,
    Dataset,
    Experiment,
    LevenbergMarquardt,
    Problem,
    Refine,
    Regression,
    Similarity,
    Unknown,
    as_expression,
    bootstrap,
    fix,
    load,
    remove_input,
    save,
)
from kanpde.collapse_figures import collapse, constants
from kanpde.compiled import Compiled
from kanpde.functions import exp
from kanpde.jets import channels
from kanpde.objective import Objective


def scaled(W, L, Wc, nu):
    return (W - Wc) / Wc * L ** (1 / nu)


def decayed(L, y):
    return exp(-y * L)


def similarity(*widths, **options):
    given = {"coordinates": ["W", "L"], "variables": dict(x=scaled), "basis": Chebyshev(4)} | options
    return Similarity(*(widths or (1, 1)), **given)


def points(count=9):
    random = np.random.default_rng(0)
    return torch.from_numpy(np.stack([random.uniform(14, 19, count), random.uniform(2, 4, count)], 1))


@pytest.mark.parametrize("demanded", [[()], [(0,), (1,)], [(0, 1), (1, 1)], [(~0, ~1)]], ids=repr)
@pytest.mark.parametrize("widths", [(2, 1), (2, (1, 1), 2)], ids=repr)
def test_derivatives_by_the_constants_are_differences(demanded, widths):
    network = similarity(*widths, variables=dict(x=scaled, s=decayed), hidden="range", seed=1)
    network = network.on_box((14, 2), (19, 4)).on_outputs(*([0.5] * widths[-1], [0.1] * widths[-1])).with_coefficients([16.5, 1.5, 0.3])
    where, chosen = points(), channels(demanded)
    jet, records = network.jets(where, chosen)
    adjoint = torch.randn(jet.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = network.coefficient_rows(where, chosen, records, adjoint)
    start, step = network.vector(), 1e-6
    for place in range(3):
        ends = []
        for sign in (1, -1):
            moved = start.clone()
            moved[place - 3] += sign * step
            network.assign(moved)
            ends.append((network.jets(where, chosen)[0] * adjoint).sum((0, 1)))
        network.assign(start)
        torch.testing.assert_close(rows[place], (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-7)


def synthetic(seed=0, noise=6e-4, known=True):
    """r = F(x) with Wc = 16.5, nu = 1.57, as a table has it."""
    W, L = (each.ravel() for each in np.meshgrid(np.linspace(14, 19, 11), [6.0, 8.0, 12.0, 16.0]))
    r = 0.515 - 0.02 * np.tanh(scaled(W, L, 16.5, 1.57)) + noise * np.random.default_rng(seed).standard_normal(len(W))
    return Dataset(dict(W=W, L=L, r=r), targets=["r"], sigma=noise if known else None, train=1.0)


def fitted(data, *, model=None, **guesses):
    unknown = {name: Unknown(guess) for name, guess in ({"Wc": 16.0, "nu": 1.3} | guesses).items()}
    model = model or similarity(constants=[*unknown], basis=Chebyshev(5))
    return Experiment(Regression(data, parameters=unknown), model, LevenbergMarquardt(steps=40, patience=4))


@pytest.fixture(scope="module")
def run():
    experiment = fitted(synthetic())
    return experiment, experiment.run()


def test_a_collapse_finds_the_constants_with_their_errors(run):
    experiment, result = run
    for name, truth in (("Wc", 16.5), ("nu", 1.57)):
        assert 0 < result.metrics[f"{name}_sigma"] < 0.2
        assert abs(result.metrics[name] - truth) < 2.5 * result.metrics[f"{name}_sigma"]
    assert result.metrics["parameters"] == 8 and 15 < result.metrics["train_chi2"] * 44 < 60  # 44 rows
    spread = bootstrap(experiment, result, draws=60)
    for name in ("Wc", "nu"):
        assert spread[name].std(ddof=1) == pytest.approx(result.metrics[f"{name}_sigma"], rel=0.35)
        assert spread[name].mean() == pytest.approx(result.metrics[name], abs=0.5 * result.metrics[f"{name}_sigma"])
    assert spread["chi2"].mean() == pytest.approx(44 - 8, abs=4)
    assert (bootstrap(experiment, result, draws=2)["nu"] == spread["nu"][:2]).all()


def test_sigmas_are_those_of_the_data_where_these_are_known():
    rows = synthetic().source
    one, two, left = (fitted(Dataset(rows, targets=["r"], sigma=sigma, train=1.0)).run().metrics for sigma in (6e-4, 1.2e-3, None))
    assert two["nu_sigma"] == pytest.approx(2 * one["nu_sigma"], rel=1e-6)
    assert left["nu_sigma"] == pytest.approx(one["nu_sigma"] * (one["train_chi2"] * 44 / (44 - 8)) ** 0.5, rel=1e-6)  # from the misfit


def test_gradient_and_jacobian_agree(run):
    experiment, _ = run
    network = experiment.network(seed=1)
    objective = Objective(experiment.problem, {"equation": torch.from_numpy(experiment.problem.data_points)})
    residual, jacobian = objective.jacobian(network)
    value, gradient = objective.gradient(network)
    torch.testing.assert_close(value, residual)
    torch.testing.assert_close(gradient, jacobian.T @ residual)
    torch.testing.assert_close(objective.pulled(network, residual), gradient)
    assert (jacobian[:, -2:].abs().amax(0) > 1e-4).all()


def test_programs_and_autograd_follow_the_constants():
    network = similarity(2, 1, variables=dict(x=scaled, s=decayed), seed=3).on_box((14, 2), (19, 4)).with_coefficients([16.5, 1.5, 0.3])
    box = Box(W=(14, 19), L=(2, 4))
    problem = Problem(box, lambda u, W: u + u.W - W, parameters={name: Unknown(1) for name in network.constants}, unknowns=("u",))
    objective, compiled = Objective(problem, {"equation": torch.from_numpy(box.sample(600, lambda u: 2 * u - 1, 0))}), Compiled("eager")
    for _ in range(2):
        for found, wanted in zip(objective.gradient(network, compiled), objective.gradient(network), strict=True):
            torch.testing.assert_close(found, wanted)
        network.assign(network.vector() + 0.05)
    (slope,) = torch.autograd.grad(network(points()).sum(), network.extra.values)
    _, records = network.jets(points(), channels([()]))
    rows = network.coefficient_rows(points(), channels([()]), records, torch.ones(1, 1, 9, dtype=torch.float64))
    torch.testing.assert_close(slope, rows.sum(1))


def test_results_refinement_and_names(run, tmp_path):
    experiment, result = run
    save(result, tmp_path / "run.h5")
    kept = load(tmp_path / "run.h5")
    network = experiment.trained_network(kept)
    assert network.coefficients.tolist() == [result.metrics["Wc"], result.metrics["nu"]]
    rows = kept.solution_points
    np.testing.assert_allclose(network(rows).detach()[:, 0], kept.solution["r"], rtol=1e-13)
    np.testing.assert_array_equal(kept.solution["target_r_sigma"], 6e-4)
    solution = experiment.solution(kept)
    assert network.wires[0].inputs == 1 and network.inputs == 2 and network.input_names == ("x",)
    assert float(solution(W=16.0, L=10.0)) == pytest.approx(network(np.array([[16.0, 10.0]])).item())
    h = 1e-4
    assert float(solution.W(W=16.0, L=10.0)) == pytest.approx(
        (float(solution(W=16 + h, L=10.0)) - float(solution(W=16 - h, L=10.0))) / (2 * h), rel=1e-5
    )
    finer = network.refined(8)
    torch.testing.assert_close(finer(torch.from_numpy(rows)), network(torch.from_numpy(rows)))
    assert repr(similarity()) == (
        "Similarity(1, 1, coordinates=('W', 'L'), variables=dict(x=scaled()), constants=('Wc', 'nu'), basis=Chebyshev(degree=4))"
    )
    assert finer.edited().widths[0] == 1
    again = Experiment(experiment.problem, network, [LevenbergMarquardt(steps=2), Refine(6)]).run()
    assert again.metrics["train_chi2"] <= result.metrics["train_chi2"] * (1 + 1e-9)


def test_a_similarity_solution_of_the_heat_equation_with_its_exponent():
    """u_t = u_xx / 4 has the solution erf(x / sqrt(t)), a function of x t^-a with a = 1/2."""
    box = Box(x=(0.0, 2.0), t=(1.0, 4.0))
    rows = box.sample(60, lambda u: 2 * u - 1, 1)
    data = {"x": rows[:, 0], "t": rows[:, 1], "u": scipy.special.erf(rows[:, 0] / np.sqrt(rows[:, 1]))}
    problem = Problem(box, lambda u: u.t - u.xx / 4, conditions=[Data(data)], parameters=dict(a=Unknown(0.4)), unknowns=("u",))
    model = Similarity(1, 1, coordinates="xt", variables=dict(z=lambda x, t, a: x / t**a), basis=Chebyshev(14))
    result = Experiment(problem, model, LevenbergMarquardt(steps=30)).run()
    assert result.metrics["a"] == pytest.approx(0.5, abs=1e-6)
    x, t = np.meshgrid(result.axes["x"], result.axes["t"], indexing="ij")
    assert np.abs(result.solution["u"] - scipy.special.erf(x / np.sqrt(t))).max() < 1e-5


def test_formulas_have_the_constants_as_numbers():
    network = similarity(basis=Chebyshev(3)).on_box((14, 2), (19, 4)).with_coefficients([16.0, 2.0])
    network = fix(network, 0, 0, 0, "x", points=points(50)).network
    W, L = sympy.symbols("W L", positive=True)
    formula = as_expression(network, [W, L])
    where = points(5)
    value = sympy.lambdify((W, L), formula)(*where.T.numpy())
    np.testing.assert_allclose(value, network(where).detach()[:, 0], rtol=1e-12)
    assert formula.has(L ** sympy.Float(0.5))


def test_figures_have_a_curve_for_each_size_and_a_row_for_each_fit(run):
    _, result = run
    figure = collapse(result, scaled, by="L")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [f"$L$ = {L}" for L in (6, 8, 12, 16)]
    x = np.sort(scaled(*result.solution_points.T, result.metrics["Wc"], result.metrics["nu"]))
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xdata(), x)
    rows = constants([result, result], {"Wc": (16.53, 0.003), "nu": (1.571, 0.004)})
    assert len(rows.axes) == 2 and len(rows.axes[0].get_yticklabels()) == 2
    with pytest.raises(ValueError, match="no coordinate 'M', only W, L"):
        collapse(result, scaled, by="M")
    with pytest.raises(ValueError, match="asks for 'b', but experiment has found no such constant"):
        collapse(result, lambda W, b: W + b, by="L")


def test_what_does_not_fit_is_an_error_that_says_so(run):
    experiment, result = run
    cases = [
        (lambda: similarity(2, 1), ValueError, r"Similarity\(2, 1\) has 2 inputs, but 1 variables: x"),
        (lambda: similarity(variables={}), ValueError, "give variables=dict"),
        (lambda: similarity(variables=dict(x=3)), TypeError, "must be a function of W, L and constants, got 3"),
        (lambda: similarity(variables=dict(W=scaled)), ValueError, "'W' has the name of a coordinate"),
        (lambda: similarity(constants=["Wc"]), TypeError, "asks for 'nu', but the coordinates and constants are W, L, Wc"),
        (lambda: similarity(constants=["Wc", "nu", "L"]), ValueError, "'L' has the name of a coordinate"),
        (lambda: similarity()(points()), ValueError, "Wc, nu of the network have no values yet"),
        (lambda: similarity(variables=dict(x=lambda W, L, Wc: 0 * W + Wc)).with_coefficients([1.0]), ValueError, "is 1 everywhere"),
        (lambda: fitted(synthetic(), model=similarity(constants=["nu", "Wc"])), ValueError, "the constants of the network are nu, Wc"),
        (lambda: fitted(synthetic(), model=KAN(2, 1, basis=Chebyshev(3))), ValueError, "Wc, nu Unknown, but nothing asks for it"),
        (lambda: Experiment(Regression(synthetic()), similarity(), LevenbergMarquardt()), ValueError, "problem leaves nothing Unknown"),
        (lambda: Regression(synthetic(), parameters=dict(nu=1.5)), ValueError, r"nu=1.5 of a Regression is not trained: give nu=Unknown"),
        (lambda: Regression(synthetic(), parameters=dict(W=Unknown(1))), ValueError, "'W' has the name of a coordinate"),
        (lambda: remove_input(experiment.network(), 0), ValueError, "functions of its coordinates"),
        (lambda: bootstrap(experiment, result, draws=1), ValueError, "draws"),
        (lambda: bootstrap(fitted(synthetic(known=False)), result), ValueError, "needs targets of known noise"),
    ]
    for make, kind, words in cases:
        with pytest.raises(kind, match=words):
            make()
    classes = Dataset(dict(W=np.arange(10.0), k=["a", "b"] * 5), targets=["k"])
    with pytest.raises(TypeError, match="draws the targets of a Regression"):
        bootstrap(Experiment(Classification(classes), KAN(1, 2, basis=Chebyshev(2)), LevenbergMarquardt(steps=1)), result)
    assert math.isinf(fitted(synthetic(), model=similarity(variables=dict(x=lambda W, L, Wc, nu: (W - Wc) * nu))).run().metrics["nu_sigma"])
