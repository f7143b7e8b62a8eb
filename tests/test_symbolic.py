"""Problems in sympy: what contradicts a proposed solution is found and named, what does not is left alone, and LaTeX."""

import logging
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

from kanpde.conditions import Condition, Dirichlet, Initial
from kanpde.domains import Box
from kanpde.fields import laplacian
from kanpde.functions import cos, erf, exp, pi, sin, sqrt, tanh
from kanpde.problem import Problem
from kanpde.symbolic.equations import contradictions, equations, exact_solution, latex

segment = Box(x=(-1, 1))
square = Box(x=(-1, 1), y=(-1, 1))
strip = Box(x=(-1, 1), t=(0, 1))
X, Y, T = sympy.symbols("x y t", real=True)


def poisson(u, x, y):
    return u.xx + u.yy + 2 * pi**2 * sin(pi * x) * sin(pi * y)


def navier_stokes(u, v, p, nu):
    return (
        u.t + u * u.x + v * u.y + p.x - nu * laplacian(u),
        v.t + u * v.x + v * v.y + p.y - nu * laplacian(v),
        u.x + v.y,
    )


def taylor_green(x, y, t, nu):
    decay = exp(-2 * nu * t)
    return (cos(x) * sin(y) * decay, -sin(x) * cos(y) * decay, -(cos(2 * x) + cos(2 * y)) / 4 * decay**2)


space_time = Box(x=(0, 2), y=(0, 1), t=(0, 1))

RIGHT = {
    "Poisson": Problem(square, poisson, conditions=[Dirichlet(0, on=square.boundary)], exact=lambda x, y: sin(pi * x) * sin(pi * y)),
    "Taylor-Green": Problem(
        space_time,
        navier_stokes,
        parameters={"nu": 0.01 / pi},
        exact=taylor_green,
        conditions=[
            Initial((lambda x, y: cos(x) * sin(y), lambda x, y: -sin(x) * cos(y), lambda x, y: -(cos(2 * x) + cos(2 * y)) / 4)),
            Dirichlet(v=0, on=space_time.side(x=0)),
            Condition(lambda u, v, x, y: (u.x + v.y, u.y * sin(y) - u * cos(y)), on=space_time.boundary),
        ],
    ),
    "heat": Problem(
        strip,
        lambda u, k: u.t - k * u.xx,
        parameters={"k": 0.3},
        exact=lambda x, t, k: exp(-k * pi**2 * t) * sin(pi * x),
        conditions=[Initial(lambda x: sin(pi * x), hard=True), Dirichlet(0, on=strip.boundary, hard=True)],
    ),
    "divergence form": Problem(
        segment,
        lambda u, a: -(a * u.x).x,
        unknowns=("u", "a"),
        exact=lambda x: (tanh(x), cosh_squared(x)),
        conditions=[Condition(lambda u, a: a * u.x - 1, on=segment.boundary)],
    ),
    "a front": Problem(segment, lambda u, e: e * u.xx + 2 * u * u.x, parameters={"e": 0.05}, exact=lambda x, e: tanh(x / e)),
    "functions": Problem(segment, lambda u, x: u.x - 2 / sqrt(pi) * exp(-(x**2)), exact=lambda x: erf(x)),
    "decimals": Problem(segment, lambda u, x: u.xx - 0.6 * x - 0.7, exact=lambda x: 0.1 * x**3 + 0.35 * x**2 + 1e-3),
    "a fraction of a product": Problem(segment, lambda u, x: u * u.x / 3 - sin(2 * x) / 6, exact=lambda x: sin(x)),
    "thirds": Problem(segment, lambda u, x: u.xx - 1 / 3, exact=lambda x: x**2 / 6),
    "Fractions": Problem(segment, lambda u, x: u.xx - Fraction(1, 3), exact=lambda x: Fraction(1, 6) * x**2),
}


def cosh_squared(x):
    return 1 / (1 - tanh(x) ** 2)


@pytest.mark.parametrize("name", RIGHT)
def test_right_solutions_contradict_nothing(name):
    assert exact_solution(RIGHT[name]) is not None  # it was really checked
    assert contradictions(RIGHT[name]) == []


ROUNDED = {
    "NumPy's pi": Problem(
        segment,
        lambda u, x: u.xx + np.pi**2 * sin(np.pi * x),
        exact=lambda x: sin(np.pi * x),
        conditions=[Dirichlet(0, on=segment.boundary)],
    ),
    "a domain up to pi": Problem(
        Box(x=(0, pi)), lambda u, x: u.xx + sin(x), exact=lambda x: sin(x), conditions=[Dirichlet(0, on=Box(x=(0, pi)).boundary)]
    ),
    "math.sqrt": Problem(segment, lambda u, x: u.xx - math.sqrt(2) * u.x, exact=lambda x: exp(math.sqrt(2) * x)),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_rounding_of_typed_floats_is_no_contradiction(name):
    """Errors of 1e-15 come from floats such as math.pi, not from a wrong solution."""
    assert contradictions(ROUNDED[name]) == []


def test_small_mistakes_are_still_found():
    problem = Problem(segment, lambda u, x: u.xx + 3.1416**2 * sin(pi * x), exact=lambda x: sin(pi * x))
    (found,) = contradictions(problem)
    assert found.residual == pytest.approx(abs(3.1416**2 - math.pi**2) * abs(math.sin(math.pi * found.point["x"])), rel=1e-6)


# ---- wrong solutions ----


def test_a_wrong_equation_is_named_with_its_residual():
    problem = Problem(square, poisson, exact=lambda x, y: sin(pi * x) * sin(pi * y) / 2)
    (found,) = contradictions(problem)
    assert found.where == "the equation"
    x, y = found.point["x"], found.point["y"]
    assert -1 <= x <= 1
    assert -1 <= y <= 1
    assert found.residual == pytest.approx(abs(math.pi**2 * math.sin(math.pi * x) * math.sin(math.pi * y)), rel=1e-12)
    assert str(found) == f"the equation is off by {found.residual:.3g} at x={x:.4g}, y={y:.4g}"
    assert found.residual > 0.1  # the worst of several points


def test_a_wrong_component_is_numbered():
    problem = Problem(space_time, navier_stokes, parameters={"nu": 0.5}, exact=lambda x, y, t, nu: (*taylor_green(x, y, t, nu)[:2], 0 * x))
    found = contradictions(problem)
    assert [each.where for each in found] == ["component 1 of the equation", "component 2 of the equation"]
    first = found[0]
    x, y, t = (first.point[name] for name in "xyt")
    assert first.residual == pytest.approx(abs(math.sin(2 * x) / 2 * math.exp(-4 * 0.5 * t)), rel=1e-12)


def test_a_wrong_condition_is_named_with_its_side():
    lid = square.side(y=1)
    problem = Problem(
        square,
        poisson,
        conditions=[Dirichlet(0, on=square.boundary - lid), Dirichlet(lambda x: x, on=lid)],
        exact=lambda x, y: sin(pi * x) * sin(pi * y),
    )
    (found,) = contradictions(problem)
    assert found.where.startswith("Dirichlet(")
    assert found.where.endswith("on=Boundary(y=1))")
    assert found.point["y"] == 1
    assert found.residual == pytest.approx(abs(found.point["x"]), rel=1e-12)


def test_every_wrong_side_is_reported():
    problem = Problem(square, lambda u: laplacian(u), conditions=[Dirichlet(0, on=square.boundary)], exact=lambda x, y: x)
    found = contradictions(problem)
    assert [(each.point["x"], each.residual) for each in found[:2]] == [(-1, 1), (1, 1)]
    assert len(found) == 4  # u = x vanishes on no side, but at single points of two of them


@pytest.mark.parametrize("hard", [True, False])
def test_a_wrong_start_is_found(hard):
    problem = Problem(strip, lambda u: u.t, conditions=[Initial(lambda x: x**2, hard=hard)], exact=lambda x: x**2 + 0.25)
    (found,) = contradictions(problem)
    assert found.where.startswith("Initial(")
    assert found.residual == pytest.approx(0.25, rel=1e-12)
    assert found.point["t"] == 0


def test_a_wrong_condition_with_derivatives_is_found():
    problem = Problem(
        segment,
        lambda u, x: u.x - 2 * x,
        conditions=[Condition(lambda u, x: u.x - x, on=segment.side(x=1))],
        exact=lambda x: x**2,
    )
    (found,) = contradictions(problem)
    assert found.where.startswith("Condition(")
    assert found.where.endswith("on=Boundary(x=1))")
    assert found.residual == pytest.approx(1)


def test_solutions_that_are_not_finite_are_contradictions():
    half = Box(x=(0, 1))
    problem = Problem(half, lambda u, x: u * x - 1, conditions=[Dirichlet(1, on=half.boundary)], exact=lambda x: 1 / x)
    (found,) = contradictions(problem)
    assert found.point == {"x": 0}
    assert not math.isfinite(found.residual)


def test_solutions_by_name():
    problem = Problem(segment, lambda u, v: (u.x - v, v.x - 1), exact=lambda x: {"v": x, "u": x**2 / 2})
    assert contradictions(problem) == []
    wrong = Problem(segment, lambda u, v: (u.x - v, v.x - 1), exact=lambda x: {"v": x, "u": x**2})
    assert [each.where for each in contradictions(wrong)] == ["component 1 of the equation"]


def test_numbers_of_numpy_are_parameters():
    problem = Problem(segment, lambda u, k: u.x - k, parameters={"k": np.float64(0.1)}, exact=lambda x, k: k * x)
    assert exact_solution(problem) == {"u": X / 10}
    assert contradictions(problem) == []
    wrong = Problem(segment, lambda u, k: u.x - k, parameters={"k": np.float64(0.1)}, exact=lambda x, k: 2 * k * x)
    assert len(contradictions(wrong)) == 1


def test_what_sympy_does_not_know_is_not_checked_but_logged(caplog):
    with caplog.at_level(logging.INFO, "kanpde"):
        assert contradictions(Problem(segment, lambda u, x: u.x - 5, exact=lambda x: np.sin(x))) == []
    assert "exact is not symbolic" in caplog.text


# ---- expressions ----


def test_equations_are_expressions():
    u = sympy.Function("u")(X, Y)
    (found,) = equations(RIGHT["Poisson"])
    assert sympy.simplify(found - (u.diff(X, 2) + u.diff(Y, 2) + 2 * sympy.pi**2 * sympy.sin(sympy.pi * X) * sympy.sin(sympy.pi * Y))) == 0
    found = equations(RIGHT["divergence form"], {"u": X**3, "a": sympy.exp(X)})
    assert sympy.simplify(found[0] + sympy.diff(sympy.exp(X) * 3 * X**2, X)) == 0
    (found,) = equations(RIGHT["decimals"], {"u": X**2})
    assert sympy.simplify(found - (2 - sympy.Rational(3, 5) * X - sympy.Rational(7, 10))) == 0
    assert exact_solution(RIGHT["heat"]) == {"u": sympy.exp(-sympy.Rational(3, 10) * sympy.pi**2 * T) * sympy.sin(sympy.pi * X)}


# ---- LaTeX ----


def test_latex_of_an_equation_and_its_conditions():
    lines = latex(RIGHT["Poisson"])
    assert lines == [
        r"2 \pi^{2} \sin{\left(\pi x \right)} \sin{\left(\pi y \right)} + u_{xx} + u_{yy} = 0",
        r"u = 0\quad\text{at } x = -1,\ x = 1,\ y = -1,\ y = 1",
    ]


def test_latex_of_a_system():
    lines = latex(RIGHT["Taylor-Green"])
    assert len(lines) == 3 + 3
    assert lines[2] == "u_{x} + v_{y} = 0"
    assert r"u u_{x}" in lines[0]
    assert "p_{y}" in lines[1]
    assert lines[3].startswith(r"u = \sin{\left(y \right)} \cos{\left(x \right)},\ v = ")
    assert lines[3].endswith(r"\quad\text{at } t = 0")
    assert lines[4] == r"v = 0\quad\text{at } x = 0"


def test_latex_of_divisions_is_short():
    (line,) = latex(Problem(segment, lambda u: u.xx + u * u.x / 3 - u**2 / 2))
    assert r"\frac{u u_{x}}{3}" in line
    assert r"\frac{u^{2}}{2}" in line
    assert "333" not in line


def test_latex_of_greek_names_and_higher_derivatives():
    (line,) = latex(Problem(strip, lambda psi: psi.xxxx + psi.xxt))
    assert r"\psi_{xxxx}" in line
    assert r"\psi_{txx}" in line or r"\psi_{xxt}" in line


def test_latex_of_boundary_values_that_are_not_symbolic():
    lines = latex(Problem(segment, lambda u: u.xx, conditions=[Dirichlet(lambda x: np.sin(x), on=segment.boundary, name="wall")]))
    assert lines[1] == r"\text{wall as given}\quad\text{at } x = -1,\ x = 1"
