"""Operon's skeletons: read, polished, and asked for politely where they are missing."""

import importlib.util
import sys
import types

import numpy as np
import pytest
import sympy

from kanpde.discovery import operon as room
from kanpde.discovery.operon import operon, skeletons

FRONT = (  # as it writes them
    "((-0.000018318) + (1.006066442 * ((0.994 * v1) * exp((((-1.0) * v2) / (1.001 * v3))))))",
    "(0.142482 + (0.909446 * (((((-0.275801) * v3) - (0.233515 * v1)) + (0.180044 * v2)) ^ 2)))",
    "(1.0 / 0.0)",
    "2.133319",
)


class Regressor:
    """What pyoperon has of that name, as far as it is used."""

    def __init__(self, **given):
        assert given["max_time"] >= 1 and given["random_state"] == 3

    def fit(self, X, y):
        assert abs(np.sqrt(np.mean(y**2)) - 1) < 1e-12
        self.pareto_front_ = [{"tree": text, "mean_squared_error": float(k)} for k, text in enumerate(FRONT)][::-1]

    def get_model_string(self, tree, precision, names):
        assert names == ["v1", "v2", "v3"]
        return tree


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "pyoperon", types.ModuleType("pyoperon"))
    monkeypatch.setitem(sys.modules, "pyoperon.sklearn", types.SimpleNamespace(SymbolicRegressor=Regressor))


def data():
    X = np.random.default_rng(0).uniform([1, 1, 1], [5, 5, 4], (300, 3))
    return X, X[:, 0] * np.exp(-X[:, 1] / X[:, 2])


def test_skeletons_are_the_front_in_the_names_and_units_of_the_data(installed):
    X, y = data()
    found = skeletons(X, y, names=["A", "E", "T"], seed=3)
    A, E, T = sympy.symbols("A E T", real=True)
    assert len(found) == 3 and found[0].free_symbols == {A, E, T} and found[2].is_Float
    rms = np.sqrt(np.mean(y**2))
    assert float(found[0].subs({A: 2, E: 1, T: 3})) == pytest.approx(rms * (-0.000018318 + 1.006066442 * 0.994 * 2 * np.exp(-1 / 3.003)))


def test_they_are_polished_into_a_law(installed):
    pytest.importorskip("kanpde.symbolic.concluding")
    X, y = data()
    law = operon(X, y, names=["A", "E", "T"], output="k", seed=3, seconds=5)
    A, E, T = sympy.symbols("A E T", real=True)
    assert law.expression == A * sympy.exp(-E / T) and law.names == ("A", "E", "T") and "skeletons from Operon" in law.evidence[0]


def test_where_it_is_missing_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(room.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kanpde\[operon\]'"):
        skeletons(*data(), names=["A", "E", "T"])


def test_names_and_numbers_are_checked_first(installed):
    with pytest.raises(ValueError, match="the output is called 'A', as a column is"):
        operon(*data(), names=["A", "E", "T"], output="A", seed=3)
    with pytest.raises(ValueError, match="the output needs a name such as 'y', got 'k k'"):
        operon(*data(), names=["A", "E", "T"], output="k k", seed=3)
    with pytest.raises(ValueError, match="seconds"):
        operon(*data(), names=["A", "E", "T"], seed=3, seconds=-1)
