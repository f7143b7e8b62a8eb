"""The demonstrations of problems/physics/ end with the laws that they promise, for a seed that was not tuned for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy
from scipy.spatial.transform import Rotation

from kanpde import Starts
from kanpde.problem_files import load_problem
from kanpde.relations import found_in, groups, law_formula
from kanpde.symbolic.canonical import shortest
from kanpde.symbolic.law import Law
from kanpde.symbolic.reading import read
from kanpde.symbolic.snapping import nice

PHYSICS = Path(__file__).parents[1] / "problems" / "physics"
SEED = 3
VOLUME = "F11*(F22*F33 - F23*F32) - F12*(F21*F33 - F23*F31) + F13*(F21*F32 - F22*F31)"
LAWS = {
    "neo_hookean/P11": f"5/12*(F11**2 + F12**2 + F13**2 - 1) + 5/18*log({VOLUME})",
    "neo_hookean/P12": "5/12*(F11*F21 + F12*F22 + F13*F23)",
    "phase_transition/experiment": "tanh(5*(x**4 + y**4 + z**4 - 1))",
    "product_node/experiment": "x*y",
    "singular_sqrt/experiment": "sqrt(x**2 + y**2)",
    "velocity_addition/experiment": "(u + v)/(1 + u*v)",
}


def experiment_of(name):
    file, key = name.split("/")
    module = load_problem(PHYSICS / f"{file}.py")
    return getattr(module, "experiments", None) or {"experiment": module.experiment}, key


@pytest.mark.parametrize("name", LAWS)
def test_regressions_end_with_their_law(name):
    found, key = experiment_of(name)
    experiment = found[key]
    fewer = [Starts(min(each.count, 8), each.steps) if isinstance(each, Starts) else each for each in experiment.training]
    result = replace(experiment, training=fewer).run(seed=SEED)
    assert result.law is not None
    law, truth = Law.from_plain(result.law), read(LAWS[name])
    assert law.verdict == "exact within noise" and not law.free
    assert result.metrics["test_rmse"] < 1e-14
    symbols = sorted(truth.free_symbols, key=str)
    fresh = np.random.default_rng(5).uniform(0.1, 0.9, (200, len(law.names)))
    fresh += [each[0] == "F" and each[1] == each[2] for each in law.names]  # near the identity
    values = sympy.lambdify(symbols, truth)(*(fresh[:, law.names.index(str(each))] for each in symbols))
    assert np.nanmax(np.abs(law(fresh) - values)) < 1e-12


def test_the_stress_turns_with_the_body():
    """The components that were learned from are those of an objective law: Q P Q' for a turned body."""
    module = load_problem(PHYSICS / "neo_hookean.py")
    random, names = np.random.default_rng(0), module.names
    F, Q = np.eye(3) + random.uniform(-0.2, 0.2, (3, 3)), Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    P = module.MU * (F @ F.T - np.eye(3)) + module.LAMBDA * np.log(np.linalg.det(F)) * np.eye(3)
    for wanted, G in ((P, F), (Q @ P @ Q.T, Q @ F)):
        entries = dict(zip(names, G.ravel(), strict=True))
        assert module.P11(**entries) == pytest.approx(wanted[0, 0], abs=1e-14)
        assert module.P12(**{name: entries[name] for name in names[:6]}) == pytest.approx(wanted[0, 1], abs=1e-14)


@pytest.mark.parametrize(("key", "independent"), [("oscillator", 1), ("oscillator_2d", 3), ("pendulum", 1), ("kepler", 3)])
def test_flows_have_all_that_they_conserve(key, independent):
    found, _ = experiment_of(f"conserved/{key}")
    result = replace(found[key], time=10.0).run(seed=SEED)
    assert result.law is not None and result.metrics["independent"] == independent and result.law["verdict"] == "proved"
    assert result.metrics["rate"] < 1e-8 and result.metrics["drift"] < 1e-8


@pytest.mark.parametrize(("key", "accuracy"), [("noise0.1", 0.998), ("noise0.05", 1.0)])
def test_moons_are_told_apart(key, accuracy):
    found, _ = experiment_of(f"two_moons/{key}")
    assert found[key].run(seed=SEED).metrics["test_accuracy"] >= accuracy


def test_groups_of_columns_are_found_without_a_target():
    found, key = experiment_of("unsupervised_toy/experiment")
    search = replace(found[key], networks=1, rows=200, targets=("x3", "x5"))
    result = search.run(seed=SEED)
    relations = found_in(result)
    assert [each.kind for each in relations] == ["identity", "identity"]
    assert read(relations[0].formula) == read("exp(sin(pi*x1) + x2**2)") and read(relations[1].formula) == read("x4**3")
    tied = groups(tuple(search.columns), [(each.target, *each.inputs) for each in relations if each.kind == "identity"])
    assert tied == [("x1", "x2", "x3"), ("x4", "x5"), ("x6",)]
    table = load_problem(PHYSICS / "unsupervised_toy.py").tables({"experiment": [result]})
    assert "x1, x2, x3; x4, x5; x6" in table


def test_a_column_without_a_law_has_none():
    random = np.random.default_rng(0)
    X, noise = random.uniform(-1, 1, (300, 2)), random.standard_normal(300)
    found = law_formula(X, X[:, 0] * X[:, 1] + 0.1 * noise, ["a", "b"], "c", tolerance=1e-9, seconds=0.3, seed=0)
    assert found is None


def test_groups_join_through_others():
    assert groups("abcde", [("a", "c"), ("d", "e"), ("c", "e")]) == [("a", "c", "d", "e"), ("b",)]


@pytest.mark.parametrize(
    ("value", "sigma", "wanted"), [(5 / 18, 1e-15, "5/18"), (np.exp(10), 1e-8, "exp(10)"), (-17 / 29, 1e-14, "-17/29")]
)
def test_longer_fractions_and_powers_of_e_are_seen_in_exact_data(value, sigma, wanted):
    found = nice(value, sigma)
    assert found is not None and found[0] == read(wanted)
    assert nice(value, 1e-3 * abs(value)) is None  # there are many such numbers


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("-1 + 2/(exp(10)*exp(-10*x**4) + 1)", "tanh(5*x**4 - 5)"),
        ("1/(exp(2)*exp(x) + 1)", "1/(exp(x + 2) + 1)"),
        ("1/(exp(x) - 1)", "1/(exp(x) - 1)"),
    ],
)
def test_logistic_functions_are_written_as_tanh_where_that_is_shorter(long, short):
    assert shortest(read(long)) == read(short)
