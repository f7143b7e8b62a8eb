"""Laws from rows that are known unlike well: held against scipy.optimize.curve_fit, which weighs residuals by 1/sigma too."""

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit

from kanpde import KAN, Chebyshev, Dataset, Experiment, LawSearch, LevenbergMarquardt, Regression
from kanpde.discovery import discover, extract, polish
from kanpde.search.smoothing import smoothed
from kanpde.symbolic.concluding import Rows


def decays(seed: int, rows: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """1.2345 exp(-0.7123 x), some rows a thousand times better known than others."""
    random = np.random.default_rng(seed)
    x, sigma = random.uniform(0, 4, rows), 10 ** random.uniform(-4, -1, rows)
    return x, 1.2345 * np.exp(-0.7123 * x) + sigma * random.standard_normal(rows), sigma


def test_constants_and_their_sigma_are_those_of_curve_fit():
    x, y, sigma = decays(0)
    found = polish("1.1*exp(-0.8*x)", x, y, sigma=sigma)
    values, covariance = curve_fit(lambda x, a, b: a * np.exp(-b * x), x, y, (1, 1), sigma)
    by_value = sorted((abs(each.value), each.sigma) for each in found.constants)
    wanted = sorted(zip(values, np.sqrt(np.diag(covariance)), strict=True))
    np.testing.assert_allclose(by_value, wanted, rtol=1e-5)
    residual = (y - values[0] * np.exp(-values[1] * x)) / sigma
    (line,) = [each for each in found.evidence if "times sigma" in each]
    assert float(line.split()[-3]) == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-2)
    assert found.verdict == "exact within noise"


def test_sigma_matters_up_to_a_factor_only():
    x, y, sigma = decays(1)
    one, other = (polish("1.1*exp(-0.8*x)", x, y, sigma=factor * sigma, seconds=5) for factor in (1, 1e6))
    np.testing.assert_allclose([each.value for each in one.constants], [each.value for each in other.constants], rtol=1e-9)
    np.testing.assert_allclose([one.rms, one.noise, one.lead], [other.rms, other.noise, other.lead], rtol=1e-6)
    plain, alike = (polish("1.1*exp(-0.8*x)", x, y, sigma=given, seconds=5) for given in (None, np.full(len(x), 0.3)))
    assert plain.rms == pytest.approx(alike.rms, rel=1e-9) and plain.verdict == alike.verdict
    assert all(each.sigma > 10 * best.sigma for each, best in zip(plain.constants, one.constants, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_a_law_that_only_the_better_rows_tell(seed):
    """A search that takes all rows for alike cannot see the constant 2, one that weighs them does."""
    random = np.random.default_rng(seed)
    x, sigma = random.uniform(0.5, 4, 120), 10 ** random.uniform(-5, -1, 120)
    y = np.sqrt(1 + 2 / x) + sigma * random.standard_normal(120)
    found = discover(x, y, sigma=sigma, seconds=20)
    assert found.formula == "y = sqrt(1 + 2/x)" and found.verdict == "exact within noise", str(found)
    assert discover(x, y, seconds=2).formula != found.formula


def test_a_wrong_formula_is_told_by_the_better_rows():
    random = np.random.default_rng(0)
    x, sigma = np.linspace(0, 2, 300), np.where(np.arange(300) % 2, 1e-4, 1.0)
    y = np.sin(x) + 0.01 * x**3 + sigma * random.standard_normal(300)
    assert polish("sin(x)", x, y, sigma=sigma, seconds=0.5).formula != "y = sin(x)"


def test_units_and_weights_go_together():
    random = np.random.default_rng(0)
    t, sigma = random.uniform(0.5, 3, 150), 10 ** random.uniform(-4, -1, 150)
    s = random.uniform(1, 5, 150)
    found = discover(
        {"v": s, "t": t}, s * t / 2 + sigma * random.standard_normal(150), output="d", units={"v": "m/s", "t": "s", "d": "m"}, sigma=sigma
    )
    assert found.formula == "d = t*v/2" and found.verdict == "exact within noise"


def test_smooth_values_of_weighted_rows_are_those_of_weighted_least_squares():
    x, y, sigma = decays(2)
    weights = torch.as_tensor(sigma.min() / sigma)
    found = smoothed(torch.as_tensor(x)[None], torch.as_tensor(y), [6], weights=weights)
    polynomial = np.polynomial.Chebyshev.fit(x, y, 5, w=1 / sigma)
    np.testing.assert_allclose(found.values, polynomial(x), atol=1e-9)


def test_weights_are_one_in_the_mean_square():
    x, y, sigma = decays(3)
    rows = Rows.split(x[:, None], y, sigma=sigma)
    assert rows.whole_weights is not None and rows.whole_weights.square().mean().item() == pytest.approx(1)
    order = torch.argsort(rows.whole[0][0])
    np.testing.assert_allclose(rows.whole_weights[order], rows.sigma / sigma[np.argsort(x)])


def test_searches_take_the_sigma_of_their_data():
    x, y, sigma = decays(4)
    told = []

    def method(X, y, *, sigma=None, names=None, output="y", seed=0, seconds=1.0):
        told.append(sigma)
        return polish("1.1*exp(-0.8*x)", X, y, names=names, sigma=sigma, seconds=1)

    data = {"x": x, "y": y, "s": sigma}
    found = LawSearch(Dataset(data, inputs=["x"], targets=["y"], sigma="s", train=0.8), method=method).run()
    assert found.law is not None and found.law["verdict"] == "exact within noise"
    LawSearch(Dataset(data, inputs=["x"], targets=["y"], train=0.8), method=method).run()
    assert told[0].shape == (160,) and set(told[0]) <= set(sigma) and told[1] is None


def test_laws_of_networks_take_the_sigma_of_their_data():
    random = np.random.default_rng(0)
    x, sigma = random.uniform(0, 2, 200), 10 ** random.uniform(-5, -1, 200)
    y = np.exp(-x) + sigma * random.standard_normal(200)
    data = Dataset({"x": x, "y": y, "s": sigma}, inputs=["x"], targets=["y"], sigma="s", train=1.0)
    experiment = Experiment(Regression(data), model=KAN(1, 1, basis=Chebyshev(8)), training=LevenbergMarquardt(steps=20))
    found = extract(experiment.solution(experiment.run()), experiment.problem, seconds=10)
    assert found.formula == "y = exp(-x)" and any("times sigma" in each for each in found.evidence), str(found)


@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        (np.ones(5), "sigma has 5 values for 200 rows"),
        (0.1, "sigma has 1 values for 200 rows"),
        (np.r_[np.ones(199), 0], "sigma is 0 in row 199: standard deviations are above 0"),
        (np.r_[-1, np.ones(199)], "sigma is -1 in row 0"),
        (np.r_[np.ones(199), np.nan], "sigma is nan in row 199"),
        (["a"] * 200, "sigma must be real numbers"),
    ],
)
def test_bad_sigma(sigma, message):
    x, y, _ = decays(0)
    for search in (lambda: discover(x, y, sigma=sigma), lambda: polish("exp(-x)", x, y, sigma=sigma)):
        with pytest.raises((TypeError, ValueError), match=message):
            search()
