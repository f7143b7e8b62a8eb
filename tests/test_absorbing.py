"""Constants moved to where one expects them."""

import pytest
import torch

from kanpde.symbolic.absorbing import absorbed
from kanpde.symbolic.forms import Form

WAYS = {
    "sqrt(2.5*x/y)": "c1*sqrt(x/y)",
    "exp(0.5 + 1.2*x)*3.0": "c1*exp(c2*x)",
    "exp(-0.5*(1.8 + x**2))": "c1*exp(c2*x**2)",
    "exp(-(1.8 + x**2)/2)": "c1*exp(-x**2/2)",
    "log(2.0*x)": "c1 + log(x)",
    "exp(1.0)/(2.0*x)**2": "c1/x**2",
    "(-2.0*x)**3": "c1*x**3",
    "1.5 + 2.5 + x": "c1 + x",
    "sqrt(6.28)*x": "c1*x",
    "log(3.0)": "c1",
    "y + sqrt(2.0)": "c1 + y",
    "sqrt(2.5)*x + 1.5 + pi": "c1 + c2*x",
    "c*2*x + 1": "c1*x + 1",
}
STAY = ("sqrt(-2.0*(x - 3))", "(1.5*x + 2.0*y)**2", "x**1.5", "exp(2.0*x)", "log(-2.0*(x - 3))")


@pytest.mark.parametrize("text", [*WAYS, *STAY])
def test_constants_come_out_and_values_stay(text):
    form, start = Form.of(text, ["x", "y"])
    moved = Form(absorbed(form.rebuilt(start)), 2)
    columns = torch.rand(2, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
    torch.testing.assert_close(moved.values(moved.start[None], columns), form.values(start[None], columns), rtol=1e-12, atol=0)
    assert moved.shape == form.shape if text in STAY else str(moved.expression(["x", "y"])) == WAYS[text]


def test_a_constant_that_occurs_twice_stays_one():
    form, _ = Form.of("c*exp(c + x)", ["x"])
    moved = Form(absorbed(form.rebuilt(torch.tensor([2.0]))), 1)
    assert moved.count == 1 and moved.shape == form.shape
