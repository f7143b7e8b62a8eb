"""Laws of solved equations: what is proposed from samples, and what trained networks lead to."""

from dataclasses import replace

import numpy as np
import pytest
import sympy

import kanpde as kp
from kanpde.discovery.solutions.extraction import extract_solution
from kanpde.discovery.solutions.products import sums_of_products
from kanpde.discovery.solutions.proposals import Proposal, refined
from kanpde.discovery.solutions.ridges import ridges
from kanpde.discovery.solutions.solitons import poles, sums_of_exponentials
from kanpde.functions import exp, pi, sin, tanh
from kanpde.symbolic.law import Law
from kanpde.symbolic.proving import prove
from kanpde.symbolic.reading import read

strip = kp.Box(x=(0, 2), t=(0, 1))
X, T = sympy.symbols("x t", real=True)


def sampled(noise=0.0, **functions):
    """A solution in closed form, with a smooth error."""

    def values(where):
        ripple = 1 + noise * np.sin(sum(17 * column for column in where.values()))
        return {name: np.asarray(function(**where)) * ripple for name, function in functions.items()}

    return values


def rms_of(proposal, box, solution):
    points = dict(zip(box.names, box.sample(400, lambda u: 2 * u - 1, 1).T, strict=True))
    return refined(proposal, points, solution(points)).rms


PRODUCTS = {
    "a wave": lambda x, t: np.sin(3 * x) * np.cos(6 * t) + np.sin(9 * x) * np.cos(18 * t) / 2,
    "damping": lambda x, t: 1 + np.exp(-1.8 * x) * np.cos(6 * t),
    "a slow decay": lambda x, t: np.exp(-0.02 * t) * np.sin(x + 1),
    "polynomials": lambda x, t: x**2 + 2 * t - x * t / 3,
    "a secular term": lambda x, t: t * np.exp(-x) + 0 * x,
    "a square inside": lambda x, t: np.sin(3 * x**2) * np.exp(-t),
    "a gaussian": lambda x, t: np.exp(-(x**2)) * np.cos(t),
    "an inverse": lambda x, t: 1 / (1 + np.exp(2 * x - 3 * t) + np.exp(-t)),
    "a constant": lambda x, t: 2.5 + 0 * x * t,
}


@pytest.mark.parametrize("noise", [0.0, 1e-6])
@pytest.mark.parametrize("name", PRODUCTS)
def test_sums_of_products(name, noise):
    solution = sampled(noise, u=PRODUCTS[name])
    short = [each for each in sums_of_products(strip, ["u"], solution) if len(each.values) <= 8]
    assert min(rms_of(each, strip, solution) for each in short) < max(3 * noise, 1e-11)


def test_what_is_no_sum_of_products_is_not_proposed():
    assert list(sums_of_products(strip, ["u"], sampled(u=lambda x, t: np.tanh(3 * x - 4 * t)))) == []
    rough = sampled(u=lambda x, t: np.random.default_rng(0).normal(size=np.broadcast(x, t).shape))
    assert list(sums_of_products(strip, ["u"], rough)) == []


def test_ridges():
    solution = sampled(u=lambda x, t: np.sin(x - 5 * t) + 2 * np.exp(0.3 * (x - 5 * t)))
    (proposal,) = ridges(strip, ["u"], solution)
    assert rms_of(proposal, strip, solution) < 1e-11
    assert list(ridges(strip, ["u"], sampled(u=lambda x, t: np.sin(x) * np.cos(t)))) == []
    assert list(ridges(strip, ["u"], sampled(u=lambda x, t: np.sin(x) + 0 * t))) == []
    assert list(ridges(kp.Box(x=(0, 1)), ["u"], sampled(u=lambda x: np.sin(x)))) == []


def test_poles_say_what_is_integrated():
    kdv = kp.Problem(strip, lambda u: u.t + 6 * u * u.x + u.xxx)
    assert poles(kdv, "x") == [(2, 2)]
    assert poles(kp.Problem(strip, lambda u: u.t + u * u.x + 0.5 * u.xxx), "x") == [(2, 6)]
    assert poles(kp.Problem(strip, lambda u: u.t + u * u.x - 0.1 * u.xx), "x") == [(1, -sympy.Rational(1, 5))]
    assert poles(kp.Problem(strip, lambda u: u.t - u.xx), "x") == []
    assert poles(kp.Problem(strip, lambda u, v: (u.x - v, v.t - u)), "x") == []


def test_fronts_of_burgers_equation_are_proved():
    nu = 0.1
    problem = kp.Problem(
        strip, lambda u: u.t + u * u.x - nu * u.xx,
        conditions=[kp.Initial(lambda x: 1 - tanh((x - 0.5) / (2 * nu)))],
    )  # fmt: skip
    solution = sampled(1e-6, u=lambda x, t: 1 - np.tanh((x - 0.5 - t) / (2 * nu)))
    first = next(sums_of_exponentials(problem, solution))
    points = dict(zip(strip.names, strip.sample(400, lambda u: 2 * u - 1, 1).T, strict=True))
    best = refined(first, points, solution(points))
    assert best.rms < 3e-6
    proof = prove(problem, best.proposal.expressions, best.proposal.values)
    assert proof.by == "sympy", proof.reason
    difference = proof.expressions["u"] - 1 + sympy.tanh(5 * (X - T) - sympy.Rational(5, 2))
    assert sympy.simplify(difference.rewrite(sympy.exp)) == 0


@pytest.mark.parametrize("noise", [1e-9, 1e-4])
def test_two_solitons_are_seen_in_a_solution_with_errors(noise):
    box = kp.Box(x=(-8, 8), t=(0, 2))
    problem = kp.Problem(box, lambda u: u.t - 4 * u.x + 6 * u * u.x + u.xxx)

    def u(x, t):
        k, m = np.sqrt(6), np.sqrt(2)
        a, b = k / 2 * (x + 2 - 2 * t), m / 2 * (x - 2 + 2 * t)
        below = (k - m) * np.cosh(a + b) + (k + m) * np.cosh(a - b)
        return 8 * (6 * np.cosh(b) ** 2 + 2 * np.sinh(a) ** 2) / below**2

    proposals = list(sums_of_exponentials(problem, sampled(noise, u=u)))
    points = dict(zip(box.names, box.sample(600, lambda v: 2 * v - 1, 1).T, strict=True))
    best = min((refined(each, points, sampled(noise, u=u)(points)) for each in proposals), key=lambda found: found.rms)
    assert best.rms < 2 * noise
    assert "a sum of 4 exponentials" in best.proposal.kind
    values = sorted(best.proposal.values.values())
    for wanted in (np.sqrt(6), np.sqrt(2), np.sqrt(6) + np.sqrt(2), -2 * np.sqrt(6), 2 * np.sqrt(2)):
        assert min(abs(value - wanted) for value in values) < 30 * noise + 1e-9


def test_constants_are_refined():
    points = {"x": np.linspace(0, 1, 50)}
    found = refined(Proposal({"u": read("c1*exp(c2*x)")}, {"c1": 1.1, "c2": -0.8}, "a guess"), points, {"u": np.exp(-points["x"])})
    assert found.rms < 1e-14
    assert found.proposal.values == pytest.approx({"c1": 1, "c2": -1}, abs=1e-12)
    assert all(0 <= sigma < 1e-12 for sigma in found.sigmas.values())


# ---- trained networks ----


def heat(u):
    return u.t - u.xx / 4


ROD = kp.Problem(
    kp.Box(x=(0, 1), t=(0, 1)), heat,
    conditions=[kp.Dirichlet(0, on=kp.Box(x=(0, 1), t=(0, 1)).boundary, hard=True), kp.Initial(lambda x: sin(pi * x), hard=True)],
)  # fmt: skip


def rod(**given):
    basis = dict(model=kp.SeparableKAN(2, 1, rank=1, basis=kp.Chebyshev(9)), training=[kp.LevenbergMarquardt(steps=12)])
    return kp.Experiment(ROD, **basis | given)


def test_a_run_ends_with_its_law(tmp_path):
    result = rod(callbacks=[kp.Extract(seconds=60)]).run()
    assert result.law is not None
    law = Law.from_plain(kp.load(kp.save(result, tmp_path / "rod.h5")).law)
    assert (law.verdict, law.kind) == ("proved", "solution")
    assert sympy.simplify(law.expression - sympy.exp(-(sympy.pi**2) * T / 4) * sympy.sin(sympy.pi * X)) == 0
    assert law.rms < 1e-4
    assert any(line.startswith("the equation, u_t - u_xx/4 = 0: identically zero") for line in law.evidence)
    assert all(constant.sigma == 0 and constant.snapped for constant in law.constants)


def test_the_exact_solution_is_not_asked():
    """It would be found wrong if it were."""
    problem = replace(ROD, exact=lambda x, t: exp(-t) * sin(x), check=False)
    experiment = replace(rod(), problem=problem)
    law = extract_solution(problem, experiment.solution(experiment.run()))
    assert law.verdict == "proved"


def test_solutions_without_a_law():
    problem = kp.Problem(
        kp.Box(x=(0, 1)), lambda u, x: u.xx - exp(sin(5 * x)), conditions=[kp.Dirichlet(0, on=kp.Box(x=(0, 1)).boundary, hard=True)]
    )
    experiment = kp.Experiment(problem, kp.KAN(1, 1, basis=kp.Chebyshev(24)), [kp.GaussNewton()])
    law = extract_solution(problem, experiment.trained_network(experiment.run()), seconds=8)  # too short for a search
    assert law.verdict in ("no law", "candidate")
    if law.verdict == "candidate":
        assert "not proved" in law.reason


def test_badly_trained_networks_prove_nothing_else():
    """A network that has not learnt the equation leads to no law, or to the right one."""
    law = extract_solution(ROD, rod(training=[kp.LevenbergMarquardt(steps=1)]).network(), seconds=8)
    assert law.verdict != "proved" or sympy.simplify(law.expression - sympy.exp(-(sympy.pi**2) * T / 4) * sympy.sin(sympy.pi * X)) == 0


def test_what_a_search_finds_is_proved():
    box = kp.Box(x=(-1, 2))
    problem = kp.Problem(box, lambda u, x: (1 + x**2) * u.x - 1, conditions=[kp.Point(0, at=dict(x=0))])
    experiment = kp.Experiment(problem, kp.KAN(1, 1, basis=kp.Chebyshev(40)), [kp.GaussNewton()])
    law = extract_solution(problem, experiment.trained_network(experiment.run()))
    assert (law.verdict, law.expression) == ("proved", sympy.atan(X))


def test_unknown_coefficients_come_out_exactly():
    box = kp.Box(x=(0, 1), t=(0, 1))
    problem = kp.Problem(
        box, lambda u, k: u.t - k * u.xx, parameters=dict(k=kp.Unknown(0.2)),
        conditions=[
            kp.Dirichlet(0, on=box.boundary, hard=True), kp.Initial(lambda x: sin(pi * x), hard=True),
            kp.Point(exp(-(pi**2) / 4), at=dict(x=0.5, t=1)),
        ],
    )  # fmt: skip
    experiment = kp.Experiment(problem, kp.SeparableKAN(2, 1, rank=1, basis=kp.Chebyshev(12)), [kp.LevenbergMarquardt(steps=25)])
    law = extract_solution(problem, experiment.trained_network(experiment.run()))
    assert law.verdict == "proved", law.reason
    assert {each.name: each.exact for each in law.constants}["k"] == "1/4"


def test_data_have_no_equation_to_prove_anything_with():
    x = np.linspace(0, 1, 20)
    data = kp.Dataset(dict(x=x, y=x**2), targets=["y"])
    problem = kp.Regression(data)
    with pytest.raises(ValueError, match="problem of data"):
        extract_solution(problem, kp.KAN(1, 1, basis=kp.Chebyshev(3)))


def test_extract_refuses_no_time():
    with pytest.raises(ValueError, match="seconds"):
        kp.Extract(seconds=0)
