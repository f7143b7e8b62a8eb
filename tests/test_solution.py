"""Solutions as functions of coordinates by name, with hard conditions built in."""

import logging
import re
from dataclasses import replace

import numpy as np
import pytest

from kanpde import (
    KAN,
    AdaptMap,
    Box,
    Chebyshev,
    Dirichlet,
    Experiment,
    Legendre,
    LevenbergMarquardt,
    Problem,
    Refine,
    SeparableKAN,
    load,
    manufactured,
    save,
)
from kanpde.functions import pi, sin, tanh

square = Box(x=(0, 1), y=(0, 2))


def exact(x, y):
    return 1 + sin(pi * x) * y


def experiment(**changes):
    hard = [Dirichlet(exact, on=square.boundary, hard=True)]
    problem = Problem(square, lambda u, x, y: u.xx + u.yy + pi**2 * (exact(x, y) - 1), conditions=hard, exact=exact)
    given = {"model": KAN(2, 4, 1, basis=Chebyshev(degree=5)), "training": [LevenbergMarquardt(steps=20), Refine(8)]}
    return Experiment(problem, **given | changes)


@pytest.fixture(scope="module")
def result():
    return experiment().run()


def test_values_by_name_with_hard_conditions(result, tmp_path):
    u = experiment().solution(load(save(result, tmp_path / "a.h5")))
    assert u(x=0.5, y=0.5) == pytest.approx(1.5, abs=1e-3) and np.ndim(u(x=0.5, y=0.5)) == 0
    np.testing.assert_allclose(u(x=np.linspace(0, 1, 5), y=0), 1, atol=1e-14)
    x, y = result.axes.values()
    np.testing.assert_allclose(u(y=y[None, :], x=x[:, None]), result.solution["u"], atol=1e-13)
    assert u(x=np.zeros((0, 3)), y=1.0).shape == (0, 3)


def test_derivatives_by_name(result):
    u = experiment().solution(result)
    x = np.array([0.2, 0.5, 0.7])
    np.testing.assert_allclose(u.xx(x=x, y=1.0), -(np.pi**2) * np.sin(np.pi * x), atol=0.05)
    np.testing.assert_array_equal(u.d("x").d("y")(x=x, y=1.0), u.xy(x=x, y=1.0))
    with pytest.raises(AttributeError, match="the coordinates are x, y"):
        u.z(x=0, y=0)


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ({"x": 0.5}, TypeError, "y is missing"),
        ({"x": 0.5, "y": 0, "z": 1}, TypeError, "no coordinate 'z'"),
        ({"x": 0.5, "y": 2.1}, ValueError, "y=2.1 lies outside"),
        ({"x": np.nan, "y": 1}, ValueError, "x=nan lies outside"),
    ],
)
def test_wrong_coordinates(result, where, error, message):
    with pytest.raises(error, match=message):
        experiment().solution(result)(**where)


def test_a_system_gives_values_by_unknown():
    line = Box(x=(0, 1))
    problem = Problem(line, lambda u, v, x: (u.x - v, v - 1), conditions=[Dirichlet(u=0, on=line.side(x=0), hard=True)])
    pair = Experiment(problem, model=KAN(1, 2, 2, basis=Chebyshev(degree=3)), training=LevenbergMarquardt(steps=10))
    solution = pair.solution(pair.run())
    found = solution(x=[0, 0.5])
    assert list(found) == ["u", "v"] and found["u"][0] == 0
    u, v = solution
    np.testing.assert_allclose([u(x=0.5), solution["v"](x=0.5)], [found["u"][1], found["v"][1]], rtol=1e-14)
    with pytest.raises(KeyError, match="they are u, v"):
        solution["w"]


def test_a_result_of_another_experiment(result, caplog):
    with pytest.raises(ValueError, match="belongs to another experiment"):
        experiment(model=KAN(2, 5, 1, basis=Chebyshev(degree=5))).solution(result)
    with pytest.raises(ValueError, match=r"in KAN\(2, 4, 1, basis=Chebyshev.*, which KAN\(2, 4, 1, basis=Legendre"):
        experiment(model=KAN(2, 4, 1, basis=Legendre(degree=5))).solution(result)
    larger = Problem(Box(x=(0, 1), y=(0, 3)), lambda u: u.xx)
    with pytest.raises(ValueError, match=r"it has the domain Box\(.*y=\(0.0, 2.0\)\), this one Box\(.*y=\(0.0, 3.0\)\)"):
        replace(experiment(), problem=larger).solution(result)
    with pytest.raises(ValueError, match=r"it has the unknowns \('u',\), this one \('v',\)"):
        replace(experiment(), problem=Problem(experiment().problem.domain, lambda v: v.xx)).solution(result)
    with caplog.at_level(logging.WARNING, "kanpde"):
        replace(experiment(), problem=replace(experiment().problem, conditions=[])).solution(result)
    assert "of a problem that reads otherwise" in caplog.text
    assert re.search(r"reads otherwise, `.*Dirichlet\(.*` where this experiment has `\]", caplog.text)


def test_maps_that_were_found_are_replayed(tmp_path):
    line = Box(x=(-1, 1))

    def front(x):
        return tanh(x / 0.05)

    problem = Problem(line, manufactured(lambda u: u.xx, front), conditions=[Dirichlet(front, on=line.boundary, hard=True)], exact=front)
    training = [LevenbergMarquardt(steps=30), AdaptMap("x", rounds=2)]
    mapped = Experiment(problem, SeparableKAN(1, 1, rank=1, basis=Chebyshev(20)), training)
    found = load(save(mapped.run(), tmp_path / "front.h5"))
    assert "SinhMap" in found.architecture["model"]
    np.testing.assert_allclose(mapped.solution(found)(x=found.axes["x"]), found.solution["u"], atol=1e-12)
