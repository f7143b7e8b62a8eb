"""Conditions that contradict one another, the equation or the network, and what is only doubtful."""

import logging
from pathlib import Path

import numpy as np
import pytest

from kanpde import (
    KAN,
    Box,
    Chebyshev,
    Condition,
    Dirichlet,
    Experiment,
    Fourier,
    Initial,
    Integral,
    LevenbergMarquardt,
    Neumann,
    Periodic,
    Point,
    Problem,
    Robin,
    SeparableKAN,
    Slabs,
    Unknown,
    grad,
    laplacian,
    manufactured,
)
from kanpde.functions import cos, exp, heaviside, pi, sin
from kanpde.objections import objections
from kanpde.problem_files import load_problem

line = Box(x=(0, 1))
square = Box(x=(0, 1), y=(0, 2))
strip = Box(x=(0, 1), t=(0, 1))
LM = LevenbergMarquardt


# ---- points ----


def poisson(u):
    return laplacian(u)


HERE = dict(x=0.5, y=1)


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([Point(0, at=HERE), Point(1, at=HERE)], r"Point\(0, .*Point\(1, .*differ by 1 at x=0.5, y=1: leave one of them out"),
        ([Point(lambda x: x, at=[dict(x=0, y=0), HERE]), Point(0.6, at=HERE)], "differ by 0.1"),
        ([Dirichlet(0, on=square.boundary), Point(1, at=dict(x=0, y=0.5))], r"Dirichlet\(0, .*Point\(1, .*differ by 1 at x=0, y=0.5"),
        ([Point(1, at=dict(x=0.5, y=2)), Dirichlet(lambda x: x, on=square.side(y=2), hard=True)], "differ by 0.5 at x=0.5, y=2"),
    ],
)
def test_points_with_two_values(conditions, words):
    with pytest.raises(ValueError, match=words):
        Problem(square, poisson, conditions=conditions)


def test_points_that_agree():
    lid = square.side(y=2)
    walls = [Dirichlet(1, on=lid), Dirichlet(0, on=square.boundary - lid)]
    for value in (0, 1):  # a corner has the value of either side
        Problem(square, poisson, conditions=[*walls, Point(value, at=dict(x=0, y=2))])
    with pytest.raises(ValueError, match="at x=0, y=2"):
        Problem(square, poisson, conditions=[*walls, Point(2, at=dict(x=0, y=2))])
    Problem(square, poisson, conditions=[Dirichlet(lambda x, y: x * y, on=square.boundary), Point(1, at=dict(x=1, y=1)), Point(3, at=HERE)])
    Problem(square, lambda u, v: (u.xx, v.xx), conditions=[Dirichlet(u=0, on=square.boundary), Point(v=1, at=dict(x=0, y=0))])
    trained = Point(lambda a: a, at=dict(x=0, y=1))
    Problem(square, lambda u, a: u.xx - a, conditions=[Dirichlet(0, on=square.boundary), trained], parameters=dict(a=Unknown(1)))


def test_a_start_and_a_point():
    with pytest.raises(ValueError, match="Initial.*Point.*differ by 1 at x=0.5, t=0"):
        Problem(strip, lambda u: u.t, conditions=[Initial(lambda x: 2 * x), Point(0, at=dict(x=0.5, t=0))])


# ---- exact against integrals, points and slopes in floating point ----


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Integral(lambda u: u, over=line, value=1), r"Integral\(.* is off by 0.363$"),
        (Point(0, at=dict(x=0.5)), r"Point\(0, .* is off by 1 at x=0.5"),
        (Neumann(0, on=line.side(x=0)), r"Neumann\(0, .* is off by 3.14 at x=0"),
        (Robin(2, 1, 0, on=line.side(x=1)), r"Robin\(.* is off by 3.14 at x=1"),
    ],
)
def test_numpy_solutions_against_every_condition(condition, words, caplog):
    problem = Problem(line, lambda u, x: u.xx + pi**2 * sin(pi * x), conditions=[condition], exact=lambda x: np.sin(np.pi * x))
    (found,) = objections(problem)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(found)


def test_right_numpy_solutions_pass(caplog):
    box = Box(x=(0, 2), y=(0, 1))
    conditions = [
        Periodic("x"),
        Neumann(0, on=box.side(y=0)),
        Dirichlet(lambda x: cos(1) * sin(pi * x), on=box.side(y=1)),
        Integral(lambda u: u, over=box, value=0),
        Point(0, at=dict(x=1, y=0.5)),
    ]
    problem = Problem(
        box,
        lambda u, x, y: laplacian(u) + (pi**2 + 1) * sin(pi * x) * cos(y),
        conditions=conditions,
        exact=lambda x, y: np.sin(np.pi * x) * np.cos(y),
    )
    assert objections(problem) == []
    assert "periodic_x, neumann, dirichlet, integral, point" in caplog.text


# ---- periodic ----


def test_hard_values_that_are_not_periodic_contradict_periodic():
    with pytest.raises(ValueError, match=r"Periodic\('x'\) joins the ends of x, where Initial\(.* builds in values that differ by 1"):
        Problem(strip, lambda u: u.t + u.x, conditions=[Initial(lambda x: x, hard=True), Periodic("x")])
    Problem(strip, lambda u: u.t + u.x, conditions=[Initial(lambda x: sin(2 * pi * x), hard=True), Periodic("x")])
    Problem(square, poisson, conditions=[Dirichlet(lambda x: x * (1 - x), on=square.side(y=0), hard=True), Periodic("x")])


def test_slabs_hand_over_what_is_nearly_periodic():
    problem = Problem(
        strip,
        lambda u: u.t + u.x,
        conditions=[Initial(lambda x: sin(2 * pi * x), hard=True), Periodic("x")],
        exact=lambda x, t: sin(2 * pi * (x - t)),
    )
    model = SeparableKAN(2, 1, rank=2, basis=Chebyshev(8))
    result = Experiment(problem, model, [Slabs("t", 2), LM(steps=15)]).run()
    assert result.status == "complete" and result.metrics["relative_l2"] < 1e-2


def separable(*bases):
    return SeparableKAN(2, 1, rank=2, basis=bases or (Fourier(3), Chebyshev(5)))


def test_a_periodic_network_cannot_take_two_values():
    def heat(*conditions, model=None):
        return Experiment(Problem(strip, lambda u: u.t - u.xx, conditions=conditions), model or separable(), LM(steps=1))

    left, right, start = Dirichlet(0, on=strip.side(x=0)), Dirichlet(1, on=strip.side(x=1)), Initial(lambda x: sin(2 * pi * x))
    words = r"Dirichlet\(0, .* and Dirichlet\(1, .* give u values at the ends of x that differ by 1, but .* is periodic in x: take another"
    with pytest.raises(ValueError, match=words):
        heat(left, right, start)
    with pytest.raises(ValueError, match="is periodic in x"):
        heat(left, right, start, model=KAN(2, 3, 1, basis=Fourier(2)))
    with pytest.raises(ValueError, match=r"Dirichlet\(<lambda>, .* gives u values"):
        heat(Dirichlet(lambda x, t: x * t, on=strip.boundary))
    assert heat(left, right, start, model=separable(Chebyshev(5), Chebyshev(5))).warnings() == []
    assert heat(left, Dirichlet(0, on=strip.side(x=1)), start).warnings() == []
    hard = [Dirichlet(0, on=strip.side(x=0), hard=True), Dirichlet(1, on=strip.side(x=1), hard=True), Initial(lambda x: x**2, hard=True)]
    assert heat(*hard).warnings() == []  # the ansatz takes them


def test_a_periodic_network_and_a_start_that_is_not():
    def heat(*conditions):
        return Experiment(Problem(strip, lambda u: u.t - u.xx, conditions=conditions), separable(), LM(steps=1)).warnings()

    (said,) = heat(Initial(lambda x: x))
    assert "Initial" in said and "differ by 1 between the ends of x" in said and "is periodic in x" in said
    assert heat(Initial(lambda x: sin(2 * pi * x))) == []  # nor is a side missing: the basis is periodic
    assert heat(Initial(lambda x: cos(2 * pi * x), hard=True), Periodic("x")) == []
    assert len(heat(Initial(lambda x: x), Periodic("x"))) == 1


# ---- fluxes ----


def balanced(equation, *conditions, box=line, **more):
    return Problem(box, equation, conditions=conditions, **more)


@pytest.mark.parametrize(
    ("equation", "conditions", "box", "words"),
    [
        (lambda u: u.xx - 1, [Neumann(0, on=line.boundary)], line, "over .* is 1 by the equation, .* over the boundary is 0"),
        (lambda u, x: -3 * u.xx + 6 * x, [Neumann(1, on=line.boundary)], line, "is 1 by the equation, .* is 2"),
        (lambda u: laplacian(u) + 2, [Neumann(1, on=square.boundary)], square, "is -4 by the equation, .* is 6"),
        (lambda u: laplacian(u) - 1, [Periodic("x"), Neumann(0, on=square.side(y=0) | square.side(y=2))], square, "is 2 by .* is 0"),
        (lambda u: laplacian(u) - 1, [Neumann(0, on=square.boundary), Point(0, at=HERE)], square, "is 2 by the equation"),
        (lambda u: (u.x).x - 1, [Neumann(lambda x, c: c * x, on=line.boundary)], line, "is 1 by the equation, .* is 3"),
    ],
)
def test_slopes_that_contradict_the_source(equation, conditions, box, words):
    parameters = dict(c=3) if box is line else {}
    with pytest.raises(ValueError, match=f"no u has these slopes on the boundary: .*{words}.* check=False"):
        Problem(box, equation, conditions=conditions, parameters=parameters)
    Problem(box, equation, conditions=conditions, parameters=parameters, check=False)


def test_slopes_that_fit_or_cannot_be_judged():
    every = Neumann(0, on=line.boundary)
    balanced(lambda u, x: u.xx - cos(pi * x), every)
    for place in (0.1, 0.3, 1 / pi, 0.5, 0.77):  # a jump: several quadratures say how uncertain they are
        balanced(lambda u, x, place=place: u.xx - heaviside(x - place) + 1 - place, every)
        balanced(lambda u, x, place=place: laplacian(u) - heaviside(x - place) + 1 - place, Neumann(0, on=square.boundary), box=square)
    balanced(lambda u: u.xx - u, every)  # reads u itself
    balanced(lambda u: u.xx - u.x - 1, every)
    balanced(lambda u: u.xx**2 - 1, every)  # not linear
    balanced(lambda u, x: (1 + x) * u.xx - 1, every)  # a coefficient that varies
    balanced(lambda u: u.xx - 1, Neumann(0, on=line.side(x=0)), Dirichlet(0, on=line.side(x=1)))
    balanced(lambda u: u.xx - 1, Neumann(0, on=line.side(x=0)), Robin(1, 1, 0, on=line.side(x=1)))
    balanced(lambda u, c: u.xx - c, every, parameters=dict(c=Unknown(1)))
    balanced(lambda u: laplacian(u) - 3, Neumann(1, on=square.boundary), box=square)
    balanced(lambda u: 2 * u.xx + u.yy - 1, Neumann(0, on=square.boundary), box=square)
    balanced(lambda u: u.t - u.xx - 1, Neumann(0, on=strip.boundary), Initial(0), box=strip)
    exact = lambda x, y: cos(pi * x) * exp(y)  # noqa: E731
    slopes = [Neumann(lambda x: -cos(pi * x), on=square.side(y=0)), Neumann(lambda x: cos(pi * x) * exp(2), on=square.side(y=2))]
    balanced(manufactured(lambda u: laplacian(u), exact), Neumann(0, on=square.side(x=0) | square.side(x=1)), *slopes, box=square)


def test_what_is_determined_up_to_a_constant_is_said_in_a_run(caplog):
    problem = balanced(lambda u, x: u.xx - cos(pi * x), Neumann(0, on=line.boundary))
    with caplog.at_level(logging.WARNING, "kanpde"):
        Experiment(problem, KAN(1, 2, 1, basis=Chebyshev(4)), LM(steps=2)).run()
    assert caplog.text.count("u is determined only up to a constant") == 1
    assert balanced(lambda u: u.x - 1, Condition(lambda u: u - 1, on=line.side(x=0))).warnings() == []
    assert len(balanced(lambda u: u.x - 1, Condition(lambda u: u.x - 1, on=line.side(x=0))).warnings()) == 1
    assert len(balanced(lambda u: sum(g**2 for g in grad(u)) - 1, box=square).warnings()) == 1


# ---- the shipped problems ----

FILES = sorted(path for path in (Path(__file__).parents[1] / "problems").glob("*.py") if path.stem != "papers")  # which collects them


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_said_of_shipped_problems(path, caplog):
    module = load_problem(path)
    for experiment in (getattr(module, "experiments", None) or {"experiment": module.experiment}).values():
        if not isinstance(experiment, Experiment):  # a search for a law
            continue
        assert experiment.warnings() == []
        if len(experiment.problem.domain.names) <= 5:  # the symbolic check of more takes long
            assert experiment.checks() == []
    assert caplog.text == ""
