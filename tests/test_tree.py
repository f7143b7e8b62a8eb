"""The structure of functions as trees: what planted structures are found, how they are written and drawn."""

import re

import numpy as np
import pytest
import sympy

from kanpde import KAN, Box, Chebyshev, Tree, structure_tree
from kanpde.functions import exp, pi, sin, sqrt

UNIT = dict(x=(-1, 1), y=(-1, 1))
FOUR = UNIT | dict(z=(-1, 1), w=(-1, 1))
POSITIVE = dict(x=(1, 2), y=(1, 2))

FOUND = [
    (lambda x, y: sin(3 * x) + y**2, UNIT, "g1(x) + g2(y)"),
    (lambda x, y: exp(sin(pi * x) + y**2), UNIT, "g1(x)*g2(y)"),
    (lambda x, y: 3 + sin(x) * y, UNIT, "g1(x)*g2(y) + 3"),
    (lambda x, y: sin((x - y) ** 2), UNIT, "F1(x - y)"),
    (lambda x, y: 1 / (1 + (x / y) ** 2) + x / y, POSITIVE, "F1(x/y)"),
    (lambda x, y: sin(x * y) + x * y, UNIT, "F1(x*y)"),
    (lambda x, y: sin(x * y) + x**2 * exp(y), UNIT, "g1(x, y)"),
    (lambda x, y, z, w: x * y + z * exp(w), FOUR, "g1(x)*g2(y) + g3(z)*g4(w)"),
    (lambda x, y, z, w: exp(-((x - y) ** 2)) * (2 + z + w**2), FOUR, "F1(x - y)*(g1(z) + g2(w))"),
    (lambda x, y, z, w: z * (2 + x * sin(y)) + w, FOUR, "(g1(x)*g2(y) + C)*g3(z) + g4(w)"),
    (lambda x, y, z, w: sqrt((x - y) ** 2 + (z - w) ** 2 + 0.1), FOUR, "F1(F2(x - y) + F3(z - w))"),
    (lambda x, y: sin(0.3 * (x + y**2 / 2)), POSITIVE, "F1(g1(x) + g2(y))"),
    (lambda x, y, z: sin(x * y) * z + (x * y) ** 2 / (1.5 + z), POSITIVE | dict(z=(0, 1)), "F1(F2(x*y), g1(z))"),
    (lambda x: x**2, dict(x=(0, 1)), "g1(x)"),
]


@pytest.mark.parametrize(("function", "ranges", "formula"), FOUND, ids=[formula for _, _, formula in FOUND])
def test_planted_structures_are_found(function, ranges, formula):
    tree = structure_tree(function, ranges)
    known = tree.formula
    if "C" in formula:  # a constant of an inner product, which is known up to a factor
        known = re.sub(r"[+-] [\d.]+\)", "+ C)", known)
    assert known == formula
    assert {str(name) for name in sympy.sympify(tree.formula).free_symbols} == set(ranges)  # sympy reads it


def test_variables_that_do_not_matter_are_told():
    tree = structure_tree(lambda x, y, z: x * exp(y) + 0 * z, UNIT | dict(z=(0, 1)))
    assert (tree.formula, tree.idle, tree.variables) == ("g1(x)*g2(y)", ("z",), ("x", "y"))
    assert str(tree).endswith("no dependence on z")
    tree = structure_tree(lambda x, y: 2.0, UNIT)
    assert (tree.kind, tree.formula, str(tree)) == ("constant", "c", "f = c\nno dependence on x, y")


def test_a_tree_in_text():
    tree = structure_tree(lambda x, y, z, w: exp(-((x - y) ** 2)) * z + w**2, FOUR)
    assert str(tree).splitlines() == [
        "f(x, y, z, w) = F1(x - y)*g1(z) + g2(w)",
        "├─ × x, y, z",
        "│  ├─ F x - y",
        "│  └─ z",
        "└─ w",
    ]
    assert isinstance(tree, Tree) and tree.parts[0].kind == "product" and tree.parts[0].parts[0].text == "x - y"


def test_a_tree_is_drawn():
    (ax,) = structure_tree(lambda x, y, z, w: exp(-((x - y) ** 2)) * z + w**2, FOUR).figure().axes
    leaves = [text.get_text() for text in ax.texts if text.get_gid() == "leaf"]
    assert leaves == ["$x-y$", "$z$", "$w$"]
    (ax,) = structure_tree(lambda x, y: 2.0, UNIT).figure().axes
    assert [text.get_text() for text in ax.texts if text.get_gid() == "leaf"] == ["constant"]


def test_of_a_network_and_of_data():
    additive = KAN(3, 1, basis=Chebyshev(5)).on_box([0, 0, 0], [1, 1, 1])
    assert structure_tree(additive).formula == "g1(x1) + g2(x2) + g3(x3)"
    assert structure_tree(KAN(2, 3, 2, basis=Chebyshev(5)), Box(a=(-1, 1), b=(-1, 1)), output=1).formula == "g1(a, b)"
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 3))
    values = x[:, 0] * x[:, 1] + np.sin(x[:, 2])
    assert structure_tree((x, values), noise=1e-6).formula == "g1(x1)*g2(x2) + g3(x3)"


def test_noise_keeps_the_structure():
    rng = np.random.default_rng(1)

    def noisy(points):
        x, y, z = points.T
        return x * y + np.sin(3 * z) + 1e-3 * rng.standard_normal(len(points))

    assert structure_tree(noisy, UNIT | dict(z=(-1, 1)), noise=1e-3, points=1000).formula == "g1(x)*g2(y) + g3(z)"


def test_bad_arguments():
    with pytest.raises(ValueError, match="points, the number of comparisons"):
        structure_tree(lambda x, y: x * y, UNIT, points=3)
    with pytest.raises(TypeError, match="a function of points, or a pair"):
        structure_tree(3, UNIT)
