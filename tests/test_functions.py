"""Elementary functions and constants: one meaning for torch, NumPy, sympy and numbers, and the right derivatives."""

import math
import operator
from fractions import Fraction

import numpy as np
import pytest
import scipy.special
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st

from kanpde import functions
from kanpde.functions import Constant, Function, cos, e, exact, exp, log, pi, sin, sqrt

ALL = [value for name in functions.__all__ if isinstance(value := getattr(functions, name), Function)]
each_function = pytest.mark.parametrize("function", ALL, ids=repr)
NUMPY = {"acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "acosh": np.arccosh, "asinh": np.arcsinh, "atanh": np.arctanh,
         "erf": scipy.special.erf, "erfc": scipy.special.erfc, "sinc": lambda x: scipy.special.spherical_jn(0, x)}  # fmt: skip
X = sympy.Symbol("x", real=True)


def points(function):
    low, high = {"acosh": (1.1, 3), "log": (0.1, 3), "sqrt": (0.1, 3), "sign": (0.2, 2), "abs": (-2, -0.2)}.get(function.name, (-0.9, 0.9))
    return np.linspace(low, high, 7)


def symbolic(function, argument):
    return getattr(sympy, {"abs": "Abs"}.get(function.name, function.name))(argument)


# ---- dispatch ----


def test_every_exported_function_is_there():
    assert {function.name for function in ALL} | {"Constant", "Function", "Given", "heaviside", "maximum", "minimum", "pi", "e"} == set(
        functions.__all__
    )
    assert len(ALL) == 20


@each_function
def test_arrays_tensors_sympy_and_numbers_agree(function):
    x = points(function)
    wanted = NUMPY.get(function.name, getattr(np, function.name, None))(x)
    assert isinstance(function(x), np.ndarray)
    np.testing.assert_allclose(function(x), wanted, rtol=1e-15)
    tensor = function(torch.from_numpy(x))
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_allclose(tensor.numpy(), wanted, rtol=1e-14)
    assert function(X) == symbolic(function, X)
    for each, value in zip(x.tolist(), wanted, strict=True):
        number = function(each)
        assert isinstance(number, Constant)
        assert float(number) == pytest.approx(value, rel=1e-15)
        assert float(exact(number)) == pytest.approx(value, rel=1e-14)
    assert float(function(np.float64(x[0]))) == pytest.approx(wanted[0], rel=1e-15)


@each_function
def test_derivatives_are_those_of_sympy(function):
    found = function.derivative(X)
    wanted = sympy.diff(symbolic(function, X), X)
    for each in points(function).tolist():
        number = sympy.Rational(repr(each))
        assert abs(complex((sympy.sympify(found) - wanted).subs(X, number).evalf(30))) < 1e-25


@each_function
def test_tensors_keep_autograd(function):
    x = torch.from_numpy(points(function)).requires_grad_()
    (slope,) = torch.autograd.grad(function(x).sum(), x)
    slopes = 0 * X if function.name == "sign" else sympy.diff(symbolic(function, X), X)
    wanted = sympy.lambdify(X, slopes, ["scipy", "numpy"])
    np.testing.assert_allclose(slope.numpy(), np.broadcast_to(wanted(x.detach().numpy()), 7), rtol=1e-12, atol=1e-14)


def test_float32_tensors_stay_float32():
    assert sin(pi * torch.ones(2, dtype=torch.float32)).dtype == torch.float32


# ---- constants ----


@pytest.mark.parametrize(
    ("constant", "wanted"),
    [
        (pi, sympy.pi),
        (e, sympy.E),
        (sin(pi / 3), sympy.sqrt(3) / 2),
        (cos(pi), sympy.Integer(-1)),
        (0.01 / pi, 1 / (100 * sympy.pi)),
        (-(pi**2) / 4 + 1, 1 - sympy.pi**2 / 4),
        (2**pi - 1, 2**sympy.pi - 1),
        (Fraction(1, 3) * pi, sympy.pi / 3),
        (pi - Fraction(1, 3), sympy.pi - sympy.Rational(1, 3)),
        (sqrt(2), sympy.sqrt(2)),
        (exp(1) / e, sympy.Integer(1)),
        (log(exp(pi)), sympy.pi),
        (abs(-pi), sympy.pi),
        (+pi, sympy.pi),
        (1 / sqrt(pi) - pi / pi, 1 / sympy.sqrt(sympy.pi) - 1),
        (0.1 + pi, sympy.Rational(1, 10) + sympy.pi),
        (sin(0.1), sympy.sin(sympy.Rational(1, 10))),
        (sin(Fraction(1, 3)), sympy.sin(sympy.Rational(1, 3))),
    ],
    ids=str,
)
def test_constants_are_exact(constant, wanted):
    assert isinstance(constant, Constant)
    assert sympy.simplify(exact(constant) - wanted) == 0
    assert not exact(constant).atoms(sympy.Float)
    assert float(constant) == pytest.approx(float(wanted), rel=1e-15)


def test_numbers_are_exact_as_they_were_typed():
    assert exact(0.1) == sympy.Rational(1, 10)
    assert exact(1e-30) == sympy.Rational(1, 10**30)
    assert exact(Fraction(2, 7)) == sympy.Rational(2, 7)
    assert exact(3) == sympy.Integer(3)
    assert exact(X) is X
    assert exact(float("inf")) == sympy.Float("inf")


def test_numbers_of_numpy_are_exact_too():
    assert exact(np.int64(2)) == sympy.Integer(2)
    assert exact(np.float64(0.1)) == sympy.Rational(1, 10)
    assert exact(pi * np.float64(0.1)) == sympy.pi / 10


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@pytest.mark.parametrize("operation", OPERATORS, ids=lambda o: o.__name__)
@pytest.mark.parametrize(
    "other",
    [2, 0.75, Fraction(1, 3), np.float64(1.5), np.array([0.5, 2.0]), torch.tensor([0.5, 2.0], dtype=torch.float64), sin(1)],
    ids=lambda o: type(o).__name__,
)
def test_arithmetic_in_both_orders(operation, other):
    plain = float(other) if isinstance(other, (Constant, Fraction)) else other
    for left, right, wanted in ((pi, other, operation(math.pi, plain)), (other, pi, operation(plain, math.pi))):
        found = operation(left, right)
        if isinstance(other, (np.ndarray, torch.Tensor)):
            assert type(found) is type(other)
            assert found.dtype == other.dtype
            np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-15)
        else:
            assert float(found) == pytest.approx(float(wanted), rel=1e-15)


@pytest.mark.parametrize("operation", OPERATORS, ids=lambda o: o.__name__)
def test_arithmetic_with_sympy_stays_exact(operation):
    assert operation(pi, X) == operation(sympy.pi, X)
    assert operation(X, pi) == operation(X, sympy.pi)
    assert operation(sin(1), X) == operation(sympy.sin(1), X)


@given(a=st.fractions(-5, 5, max_denominator=50), b=st.floats(0.01, 10), n=st.integers(-3, 4))
def test_random_arithmetic_agrees_with_its_exact_form(a, b, n):
    constant = (a * pi + b) ** 2 / (1 + e**n) - b * sqrt(b)
    assert float(constant) == pytest.approx(float(exact(constant)), rel=1e-12, abs=1e-12)
    assert eval(repr(constant), {"pi": pi, "e": e, "sqrt": sqrt, "Fraction": Fraction}) == constant


def test_constants_compare_and_hash_as_numbers():
    assert pi == math.pi
    assert pi != e
    assert hash(pi) == hash(math.pi)
    assert e < pi <= pi < 4
    assert 3 < pi  # noqa: SIM300, the reflected comparison
    assert pi > e >= e
    assert sorted([pi, 1, e]) == [1, e, pi]
    assert {pi: 1}[math.pi] == 1
    assert pi != "pi"


@pytest.mark.parametrize(
    ("constant", "text"),
    [
        (pi, "pi"),
        (2 * pi, "2*pi"),
        (-pi, "-pi"),
        ((1 + pi) * 2, "(1 + pi)*2"),
        (1 - (1 - pi), "1 - (1 - pi)"),
        (sin(pi / 2), "sin(pi/2)"),
    ],
)
def test_constants_print_as_they_were_written(constant, text):
    assert repr(constant) == text


@pytest.mark.parametrize(
    "constant",
    [2 ** (pi**2), (-pi) ** 2, -(pi**2), 1 - (-pi), (1 + pi) / 2, 2 / (pi - 1), pi / 2 / e],
    ids=repr,
)
def test_what_constants_print_has_the_same_value(constant):
    assert float(eval(repr(constant), {"pi": pi, "e": e})) == pytest.approx(float(constant), rel=1e-15)


@pytest.mark.parametrize("constant", [pi / (2 * pi), pi / (pi / 2), (pi**2) ** 3, (2 * pi) ** 2, 1 / (pi * e)], ids=repr)
def test_what_nested_constants_print_has_the_same_value(constant):
    assert float(eval(repr(constant), {"pi": pi, "e": e})) == pytest.approx(float(constant), rel=1e-15)


def test_functions_of_numpy_and_torch_take_constants():
    assert np.sin(pi / 2) == 1
    assert float(np.add(pi, 1)) == math.pi + 1
    assert float(torch.add(torch.tensor(1.0, dtype=torch.float64), pi)) == pytest.approx(math.pi + 1)
    assert float(torch.atan2(torch.ones((), dtype=torch.float64), torch.ones(()).double() * pi)) == pytest.approx(math.atan2(1, math.pi))
