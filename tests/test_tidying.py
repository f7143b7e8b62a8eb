"""Formulas with their constants collected and rounded."""

import math

import numpy as np
import pytest
import sympy
import torch

from kanpde import KAN, Box, Chebyshev, Dataset, Experiment, LevenbergMarquardt, Problem, Regression, fix
from kanpde.symbolic.compiler import compile_expression
from kanpde.symbolic.stating import stated
from kanpde.symbolic.tidying import tidy

x, y = sympy.symbols("x y", real=True)
exp, sin, cos, sqrt, pi = sympy.exp, sympy.sin, sympy.cos, sympy.sqrt, sympy.pi

CASES = [
    (0.49999999 * exp(1.00000001 * cos(3.14159265 * x - 1.57079633) + 0.69314718 + (0.99999999 * y) ** 2), exp(sin(pi * x) + y**2)),
    (1.00000002 * exp(1.00000083 * (0.9999996 * y + 5e-17) ** 2 + 1.0 * sin(3.1415927 * x)) + 1.6e-9, exp(sin(pi * x) + y**2)),
    (0.33333334 * (x + y) ** 2 - 0.33333333 * (x**2 + y**2), 2 * x * y / 3),
    (sqrt(1.99999999 * x**2 + 0.33333333), sqrt(2 * x**2 + sympy.Rational(1, 3))),
    (2.0 * sympy.log(1.00000001 * x), 2 * sympy.log(x)),  # defined for positive x alone
    (0.70710678 * sympy.Abs(y) + 0.31830989 * x, sqrt(2) * sympy.Abs(y) / 2 + x / pi),
    (0.99999999 * sympy.erf(2.0000001 * x), sympy.erf(2 * x)),
    (sympy.besselj(0, 20.000001 * x), sympy.besselj(0, 20 * x)),
    (sympy.Float(0.5), sympy.Rational(1, 2)),
]


@pytest.mark.parametrize(("given", "wanted"), CASES, ids=lambda each: str(each))
def test_constants_become_what_they_are(given, wanted):
    assert sympy.simplify(tidy(given) - wanted) == 0


def test_constants_that_are_not_simple_stay():
    found = tidy(0.7368 * x * y + 2.71 * exp(0.123 * x))
    assert sorted(float(number) for number in found.atoms(sympy.Float)) == pytest.approx([0.123, 0.7368, 2.71])


def test_great_constants_are_near_to_simple_ones_by_chance():
    for constant in (1234.5678, 9.857e42, 31517.9):
        assert float(tidy(constant * x).coeff(x)) == constant and tidy(constant * x).coeff(x).is_Float
    assert tidy(2000.00000001 * x) == 2000 * x


def test_the_tolerance_is_what_is_near():
    assert tidy(1.001 * x) == 1.001 * x
    assert tidy(1.001 * x, tolerance=0.01) == x


def test_rounding_that_would_change_the_function_is_taken_back():
    steep = exp(40.0 * x) * 1.0000001 - 1.0000002 * exp(40.00001 * x)  # two terms that nearly cancel
    found = tidy(steep)
    assert found != 0
    assert abs(complex((found - steep).subs(x, 0.9))) < 1e-6 * abs(complex(steep.subs(x, 0.9)))


def test_rounding_is_compared_where_the_formula_is_used():
    small = 1.0 + 4e-7 * x**2
    assert tidy(small + x) == 1 + x
    assert float(tidy(small + x, ranges={"x": (0.0, 1000.0)}).subs(x, 1000.0)) == pytest.approx(1001.4)
    assert float(tidy(1e6 + 1e-7 * x, ranges={"x": (0.0, 1e6)}).subs(x, 1e6)) == pytest.approx(1e6 + 0.1, rel=1e-12)


def test_a_result_says_the_formula_that_its_network_is():
    where = np.linspace(0, 1000, 200)
    data = Dataset({"x": where, "y": 1 + 4e-7 * where**2}, targets="y")
    network = compile_expression("1 + 4e-7*x^2", {"x": (0, 1000)})
    result = Experiment(Regression(data), network, [LevenbergMarquardt(steps=3)]).run()
    found = sympy.sympify(result.equation["formula"].removeprefix("y = "))
    assert float(found.subs("x", 1000)) == pytest.approx(1.4, abs=1e-10)
    assert result.metrics["formula_deviation"] < 1e-10


def test_a_formula_that_floats_cannot_hold_is_not_called_equal():
    network = fix(KAN(1, 1, basis=Chebyshev(2)).on_box([0.0], [1.0]), 0, 0, 0, "exp", constants=(100.0, -1100.0, 1.0, 0.0)).network
    network.wires[0].constants.data[0] = torch.tensor([2000.0, -1200.0, 1.0])  # exp(4000 x - 3200), which sympy takes apart
    found, deviation = stated(Problem(Box(x=(0, 1)), lambda u, x: u - x), network, torch.linspace(0, 0.9, 50).double()[:, None])
    assert found["formula"] == "u = exp(-3200)*exp(4000*x)" and math.isnan(deviation)
