"""Formulas written shorter by factoring."""

import pytest
import sympy
import torch

from kanpde.symbolic.description import structure_nats
from kanpde.symbolic.factoring import factored
from kanpde.symbolic.forms import Form

NAMES = ["x", "y", "z", "w"]
WAYS = {
    "sqrt((x**2*y/z + x**2)/(1 - y/z))": "x*sqrt((y + z)/(z - y))",
    "x*y/z + x*w/z": "x*(w + y)/z",
    "sqrt(x**2*y + x**2)": "x*sqrt(y + 1)",
    "x*exp(x*y + x*z)": "x*exp(x*(y + z))",
    "2.5*x*y + 1.5*x": "x*(c1 + c2*y)",
    "x/(x*y + x**2)": "1/(x + y)",
    "(x*y/z + 1)**2*z**2": "(x*y + z)**2",
    "pi*x + pi*y": "pi*(x + y)",
    "(x - y)*(x - y)": "(x - y)**2",
}
STAY = ("1/(1/x + 1/y)", "x + y", "sqrt((x - 3)**2)", "2.5*x + 1.5*y**2", "x**y")


@pytest.mark.parametrize("text", [*WAYS, *STAY])
def test_it_is_shorter_and_has_the_same_values(text):
    form, start = Form.of(text, NAMES)
    found = Form(factored(form.rebuilt(start), 4, range(4)), 4)
    points = torch.rand(4, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
    before, after = form.values(start[None], points), found.values(found.start[None], points)
    torch.testing.assert_close(after, before, rtol=1e-11, atol=1e-11, equal_nan=True)
    shorter = structure_nats(found) < structure_nats(form)
    assert shorter == (text in WAYS and text != "(x - y)*(x - y)")
    if text in WAYS:
        symbols = {name: sympy.Symbol(name, real=True) for name in [*NAMES, "c1", "c2"]}
        assert str(found.expression(NAMES)) == str(sympy.sympify(WAYS[text], symbols))


def test_roots_of_what_may_be_negative_stay():
    form, start = Form.of("sqrt(x**2*y**2 + x**2)", NAMES)
    points = torch.tensor([[-2.0, 1.5], [0.3, -0.7], [1.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    found = Form(factored(form.rebuilt(start), 4, [1]), 4)
    torch.testing.assert_close(found.values(found.start[None], points), form.values(start[None], points))
