"""Constants as exact numbers, and description lengths: against closed forms, with controls that must not snap."""

import math

import numpy as np
import pytest
import sympy
import torch

from kanpde.symbolic.description import Trial, distinct, residual_structure, structure_nats
from kanpde.symbolic.finishing import finished
from kanpde.symbolic.forms import Form
from kanpde.symbolic.refitting import refit
from kanpde.symbolic.snapping import CHANCE, nice, settled, snapped


@pytest.mark.parametrize(
    ("value", "exact"),
    [(2 * math.pi, "2*pi"), (1 / math.sqrt(2 * math.pi), "sqrt(2)/(2*sqrt(pi))"), (-0.5, "-1/2"), (1 / (6 * math.pi), "1/(6*pi)"),
     (0.37, "37/100"), (math.e, "E"), (math.sqrt(3) / 2, "sqrt(3)/2"), (5 / 12, "5/12"), (1.0, "1")],
)  # fmt: skip
def test_nice_numbers(value, exact):
    found = nice(value * (1 + 1e-12), 1e-11 * abs(value))
    assert found is not None and found[0] == sympy.sympify(exact)


@pytest.mark.parametrize(("value", "sigma"), [(0.2871, 0.0003), (6.1353, 0.002), (0.3, 0.01), (1.0871, 0.001), (2.0, 0.5), (1.7, math.inf)])
def test_numbers_that_are_not_nice_or_not_known_well_enough(value, sigma):
    assert nice(value, sigma) is None


def test_few_random_numbers_are_nice_by_chance():
    random = np.random.default_rng(0)
    values = np.exp(random.uniform(-2, 2, 10_000))
    for sigma in (1e-4, 1e-3, 1e-2):
        assert np.mean([nice(value, sigma * value) is not None for value in values]) < 1.3 * CHANCE


def test_nought():
    assert nice(1e-5, 1e-4) == (0, 0.0)


def rows(count=600):
    return torch.rand(2, count, generator=torch.Generator().manual_seed(5), dtype=torch.float64) + 0.5


def trial(text, columns, y):
    form, start = Form.of(text, ["a", "b"])
    return Trial.of(refit(form, columns, y, starts=start[None], steps=60), y)


def test_all_constants_that_are_nice_snap_and_the_others_are_refitted():
    columns = rows()
    noise = 1e-4 * torch.randn(600, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    y = math.pi * columns[0] ** 2 + 0.28713 * columns[1] + noise
    best, found = snapped(trial("3.0*a**2 + 0.3*b", columns, y), columns, y)
    assert [str(each.exact) for each in found] == ["pi"]
    assert best.form.count == 1 and float(best.constants[0]) == pytest.approx(0.28713, abs=3e-5)


def test_one_constant_is_fixed_for_every_direction_that_is_not_determined():
    columns = rows()
    y = 2 * columns[0] + 3 * columns[1]
    over = trial("1.1*(0.9*a + 0.4*b)", columns, y)
    one = settled(over, columns, y)
    assert one.form.count == 2 and one.rss < 1e-20


def test_the_residual_of_a_wrong_law_is_regular_and_of_the_right_one_is_not():
    columns = rows(2000)
    noise = 0.05 * torch.randn(2000, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    y = torch.exp(-columns[0]) * columns[1] + noise
    assert residual_structure(trial("0.9*exp(-1.1*a)*b", columns, y), columns, y)[0] > -2
    assert residual_structure(trial("0.9*a + 1.1*b", columns, y), columns, y)[0] < -10


def test_of_two_forms_of_one_function_the_shorter_stays():
    columns = rows()
    y = 2 * columns[0] * columns[1]
    long, short = trial("1.9*a**2*b/a", columns, y), trial("1.9*a*b", columns, y)
    assert structure_nats(short.form) <= structure_nats(long.form)
    assert distinct([long, short], columns) == [min((long, short), key=lambda each: each.nats)]


@pytest.mark.parametrize("text", ["a + b + c*x", "a*(b + c*x) + d", "a + 1 + b*x"])
def test_constants_that_say_the_same_twice_become_one(text):
    x = torch.linspace(0, 3, 60, dtype=torch.float64)[None]
    y = 0.56 - 0.18 * x[0] + 0.1 * torch.sin(40 * x[0])
    form, start = Form.of(text, ["x"])
    trial = Trial.of(refit(form, x, y, starts=start[None]), y)
    found = finished(trial, x, y, [])
    assert str(found.free.form.expression(["x"])) in ("c1 + c2*x", "c1*x + c2")
