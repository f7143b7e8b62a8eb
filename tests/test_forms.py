"""Formulas with free constants: values and derivatives against autograd and sympy, and refits against SciPy."""

import math

import numpy as np
import pytest
import sympy
import torch
from scipy.optimize import least_squares

from kanpde.symbolic.forms import Form, constant, variable
from kanpde.symbolic.refitting import deviations, refit

TEXTS = (
    "2.5*exp(-0.3*a)*cos(1.7*b + 0.2)",
    "(1.5*a + 0.3)/(1 + 0.7*a*b)",
    "sqrt(a**2 + 1.3*b**2) - 0.5",
    "0.9*a**1.7 + log(1.1 + b)",
    "1.2*coth(0.8*a)*tanh(b)**2",
    "0.3*a*a*b/(exp(0.4*a*b) - 1)",
)


def columns(count=50):
    return torch.rand(2, count, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 0.3


@pytest.mark.parametrize("text", TEXTS)
def test_values_and_derivatives(text):
    form, start = Form.of(text, ["a", "b"])
    rows = columns()
    both = torch.stack([start, 1.1 * start])
    values, slopes = form.jacobian(both, rows)
    assert torch.equal(values, form.values(both, rows))
    expected = sympy.lambdify(sympy.symbols("a b", real=True), form.expression(["a", "b"], start.tolist()), "numpy")(*rows.numpy())
    np.testing.assert_allclose(values[0], expected, rtol=1e-13)
    automatic = torch.autograd.functional.jacobian(lambda c: form.values(c[None], rows)[0], 1.1 * start)
    torch.testing.assert_close(slopes[1], automatic, rtol=1e-11, atol=1e-12)


def test_adjoints_are_derivatives_by_every_part():
    form, start = Form.of("1.5*exp(-0.5*a)*cos(b)", ["a", "b"])
    rows = columns()
    values, adjoint = form.adjoints(start, rows)
    place = next(k for k, step in enumerate(form.steps) if step.kind == "f" and step.value.name == "cos")
    torch.testing.assert_close(adjoint[place] * values[place], values[-1])


def test_equal_parts_are_computed_once_but_constants_are_their_own():
    x = variable(0)
    form = Form(constant(2) * x.__add__(constant(1)) * x.__add__(constant(1)), 1)
    assert form.count == 3
    assert Form((x**2) * (x**2), 1).steps[-1].parts[0] == Form((x**2) * (x**2), 1).steps[-1].parts[1]


def test_shapes_ignore_what_constants_start_from():
    one, other = (Form.of(text, ["a", "b"])[0] for text in ("2.5*a + b", "0.1*a + b"))
    assert one.shape == other.shape != Form.of("2.5*a*b", ["a", "b"])[0].shape


@pytest.mark.parametrize("text", TEXTS)
def test_back_to_sympy_and_forth(text):
    form, start = Form.of(text, ["a", "b"])
    again, values = Form.of(form.expression(["a", "b"], [sympy.Float(float(each)) for each in start]), ["a", "b"])
    rows = columns()
    torch.testing.assert_close(again.values(values[None], rows), form.values(start[None], rows), rtol=1e-13, atol=0)


def test_symbols_that_are_no_variables_are_constants():
    form, start = Form.of(sympy.sympify("k*x + 3"), ["x"], values={"k": 2.0})
    assert start.tolist() == [2.0] and form.count == 1


def test_functions_that_no_primitive_is():
    with pytest.raises(ValueError, match="no primitive for gamma"):
        Form.of(sympy.gamma(sympy.Symbol("x", real=True)), ["x"])
    with pytest.raises(ValueError, match="not a finite real number"):
        Form.of(sympy.Symbol("x", real=True) + sympy.I, ["x"])


def test_refit_is_the_least_squares_of_scipy():
    rows = columns(400)
    noise = 0.1 * torch.randn(400, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = 2 * torch.exp(-0.4 * rows[0]) * torch.cos(1.5 * rows[1]) + noise
    form, start = Form.of("1.7*exp(-0.3*a)*cos(1.3*b)", ["a", "b"])
    fit = refit(form, rows, y, starts=start[None] * torch.tensor([[1.0], [0.5]]).double(), steps=60)
    a, b = rows.numpy()
    known = least_squares(lambda c: c[0] * np.exp(c[1] * a) * np.cos(c[2] * b) - y.numpy(), [1.7, -0.3, 1.3], xtol=1e-15, ftol=1e-15)
    assert fit.rss == pytest.approx(2 * known.cost, rel=1e-9)
    sigma, covariance = deviations(fit, rows, fit.rss / 397)
    expected = np.linalg.inv(known.jac.T @ known.jac) * fit.rss / 397
    np.testing.assert_allclose(np.sort(covariance.numpy().diagonal()), np.sort(expected.diagonal()), rtol=1e-4)
    assert torch.equal(sigma, covariance.diagonal().sqrt())


def test_constants_that_the_data_do_not_determine_have_no_finite_deviation():
    rows = columns()
    form, start = Form.of("1.1*(0.9*a + 0.4*b)", ["a", "b"])
    fit = refit(form, rows, 2 * rows[0] + rows[1], starts=start[None])
    assert fit.rss < 1e-20
    assert all(math.isinf(each) for each in deviations(fit, rows, 1.0)[0].tolist())


def test_formulas_that_are_not_finite_are_never_the_best():
    rows = columns()
    form, start = Form.of("log(a - 5.0)", ["a", "b"])
    assert math.isinf(refit(form, rows, rows[0], starts=torch.stack([start, 0.9 * start])).rss)
