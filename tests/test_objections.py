"""What is found out before training: exact solutions that sympy cannot read, and functions that return what they should not."""

import logging

import numpy as np
import pytest
from scipy import special

from kanpde import Box, Condition, Dirichlet, Initial, Problem
from kanpde.functions import pi, sin
from kanpde.objections import objections

line = Box(x=(0, 1))
strip = Box(x=(0, 1), t=(0, 1))


def poisson(u, x):
    return u.xx + pi**2 * sin(pi * x)


def problem(exact, equation=poisson, conditions=None, **more):
    return Problem(line, equation, conditions=conditions or [Dirichlet(0, on=line.boundary)], exact=exact, **more)


def found(case, caplog):
    with caplog.at_level(logging.WARNING, "kanpde"):
        return objections(case), caplog.text


def test_symbolic_solutions_are_checked_in_silence(caplog):
    assert found(problem(lambda x: sin(pi * x)), caplog) == ([], "")


def test_numpy_solutions_are_checked_in_floating_point(caplog):
    objects, said = found(problem(lambda x: np.sin(np.pi * x)), caplog)
    assert objects == [] and "sympy cannot check" in said and "equation, dirichlet" in said and "not checked" not in said
    objects, _ = found(problem(lambda x: 2 * np.sin(np.pi * x)), caplog)
    assert len(objects) == 1 and objects[0].startswith("the equation is off by")
    objects, _ = found(problem(lambda x: np.cos(np.pi * x)), caplog)
    assert any("Dirichlet" in each and "is off by 1 at x=" in each for each in objects)


def test_foreign_solutions_are_checked_where_no_derivative_is_needed(caplog):
    table = np.vectorize(lambda x: np.sin(np.pi * x))
    objects, said = found(problem(lambda x: table(x)), caplog)
    assert objects == [] and "not checked, because derivatives of exact are unknown: equation" in said.replace("the equation", "equation")
    objects, _ = found(problem(lambda x: table(x) + 1), caplog)
    assert len(objects) == 1 and "Dirichlet(0" in objects[0]
    objects, said = found(problem(lambda x: special.j0(x)), caplog)
    assert len(objects) == 1 and "not checked" in said


def test_initial_values_and_equations_on_sides(caplog):
    heat = [Initial(lambda x: sin(pi * x)), Condition(lambda u: u.x, on=strip.side(x=1)), Dirichlet(0, on=strip.side(x=0))]
    case = Problem(strip, lambda u: u.t, conditions=heat, exact=lambda x, t: special.expit(x))
    objects, said = found(case, caplog)
    assert any("Initial" in each for each in objects) and any("Dirichlet" in each for each in objects)
    assert "unknown: the equation, condition" in said


def test_a_solution_small_at_a_side_is_not_held_to_its_rounding(caplog):
    conditions = [Dirichlet(0, on=line.boundary), Condition(lambda u: u.xx, on=line.side(x=1))]
    assert found(problem(lambda x: np.sin(np.pi * x), conditions=conditions), caplog)[0] == []


@pytest.mark.parametrize(
    ("exact", "message"),
    [
        (lambda x: None, "returns None for u"),
        (lambda x: "one", "returns str 'one'"),
        (lambda x: {"w": x}, "no 'u' among its values"),
        (lambda x: (x, x), "2 values"),
        (lambda x: 1j * x, "not a real number"),
        (lambda x: np.zeros(3), "not a real number"),
        (lambda x: np.sqrt(np.zeros(len(x)) - 1), "u = nan at x="),
    ],
)
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("kind", ["exact", "reference"])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_no_solution_is_an_error(exact, message, check, kind):
    case = Problem(line, poisson, conditions=[Dirichlet(0, on=line.boundary)], check=check, **{kind: exact})
    with pytest.raises((TypeError, ValueError), match=message):
        objections(case)
