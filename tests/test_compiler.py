"""Expressions compiled to networks: equal to rounding, none silently wrong, small, trainable, and clear about what cannot be done."""

import math
import warnings

import numpy as np
import pytest
import sympy
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kanpde.architecture import described, rebuilt
from kanpde.bases import BSpline
from kanpde.conditions import Dirichlet
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.functions import exp, numeric
from kanpde.jets import channels
from kanpde.optimizers import LevenbergMarquardt
from kanpde.problem import Problem
from kanpde.science.feynman import formula, formulas
from kanpde.symbolic import compiler, translation
from kanpde.symbolic.compiler import compile_expression
from kanpde.symbolic.graph import levels, run
from kanpde.symbolic.reading import read
from kanpde.symbolic.translation import translated
from kanpde.symbolic.writing import as_expression

X, Y, Z = sympy.symbols("x y z", real=True)


def values(network, points):
    with torch.no_grad():
        return network(torch.from_numpy(np.asarray(points, dtype=float))).numpy()


def reference(expression, symbols, points):
    with np.errstate(all="ignore"):
        found = sympy.lambdify(symbols, expression, ["scipy", "numpy"])(*np.asarray(points, dtype=float).T)
    return np.broadcast_to(found, len(points))


def symbols_of(one):
    return [sympy.Symbol(name, real=True) for name in one.variables]


# ---- the Feynman set ----


@pytest.mark.parametrize("one", formulas(), ids=lambda one: one.name)
def test_every_formula_of_the_feynman_set_is_exact(one):
    network = compile_expression(one.text, one.ranges)
    points = one.points(1000, seed=7)
    wanted = reference(read(one.text, one.variables), symbols_of(one), points)
    assert np.abs(values(network, points)[:, 0] - wanted).max() <= 1e-13 * np.abs(wanted).max()
    assert np.median(np.abs(values(network, points)[:, 0] / wanted - 1)) <= 1e-14
    assert len(network.layers) <= 4


@pytest.mark.parametrize("name", ["I.6.20b", "I.15.3t", "I.16.6", "II.35.21", "III.9.52", "Goldstein 12.80", "Jackson 2.11", "I.50.26"])
def test_jets_and_rows_of_compiled_formulas(name):
    one = formula(name)
    network, symbols = compile_expression(one.text, one.ranges), symbols_of(one)
    expression, points, last = read(one.text, one.variables), one.points(20, seed=3), len(one.variables) - 1
    where = torch.from_numpy(points)
    jets, records = network.jets(where, channels([(), (0,), (0, 0), (0, last)]))
    for row, letters in enumerate([(), (0,), (0, 0), (0, last)]):
        by = [symbols[letter] for letter in letters]
        wanted = reference(sympy.diff(expression, *by) if by else expression, symbols, points)
        place = channels([(), (0,), (0, 0), (0, last)]).position[letters]
        np.testing.assert_allclose(jets[place, 0].numpy(), wanted, rtol=1e-9, atol=1e-11 * np.abs(wanted).max(), err_msg=str(row))
    adjoint = torch.zeros_like(jets)
    adjoint[0] = 1
    rows = network.rows(records, adjoint, torch.empty(network.parameter_count, len(points), dtype=torch.float64))
    start, step = network.vector(), 1e-6
    for number in range(0, network.parameter_count, 3):
        ends = []
        for sign in (1, -1):
            moved = start.clone()
            moved[number] += sign * step
            network.assign(moved)
            ends.append(values(network, points)[:, 0])
        slope = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(rows[number].numpy(), slope, rtol=1e-5, atol=1e-6 * (1 + np.abs(slope).max()))
    network.assign(start)


# ---- what other compilers get wrong ----


@pytest.mark.parametrize("text", ["cosh(x) + y", "sinh(x)*y", "x^(5/2) + 0*y", "(u + v)/(1 + u*v/c^2)", "2*pi*d^(3/2)/sqrt(G*(m1 + m2))"])
def test_these_are_right(text):
    expression = read(text)
    names = sorted(map(str, expression.free_symbols))
    network = compile_expression(text, dict.fromkeys(names, (0.5, 2.0)))
    points = np.random.default_rng(1).uniform(0.5, 2, (300, len(names)))
    wanted = reference(expression, [sympy.Symbol(name, real=True) for name in names], points)
    np.testing.assert_allclose(values(network, points)[:, 0], wanted, rtol=1e-13)


@pytest.mark.parametrize(
    "expression",
    [
        X**Y, (X + 1) ** (Y * Z), 2**X, sympy.pi ** (X - Y), X**sympy.pi, X ** sympy.sqrt(2), X**0.3, X**2.5, X ** sympy.Rational(-7, 3),
        (X**2) ** Y, ((X + Y) ** 2 + 1) ** sympy.Rational(3, 2), sympy.exp(sympy.exp(sympy.sin(X * Y))), sympy.Max(X, Y, Z),
        sympy.Min(X, 2 * Y) * Z, abs(X - Y), sympy.sign(X - Y) * Z, sympy.Heaviside(X - Y) + Z, sympy.atan2(X - 1, Y - 1),
        sympy.Piecewise((X**2, X > Y), (Y - Z, True)), sympy.Piecewise((X, X <= 1), (sympy.sin(Y), Z < X), (1, True)),
        sympy.sec(X) * sympy.csc(Y) + sympy.cot(Z), sympy.sech(X - Y), 1 / sympy.cosh(X) ** 2, sympy.coth(X) - 1 / X, sympy.csch(X),
        1 / sympy.tanh(X * Y), sympy.erf(X) + sympy.erfc(Y * Z), sympy.asinh(X) * sympy.acosh(1 + X) * sympy.atanh(X / 3),
        1 / (sympy.exp(X * Y) - 1), 1 / (sympy.exp(X - Y) + 1), 3 / (2 * sympy.exp(-X) - 2), 1 / (1 + 4 * X**2), 1 / sympy.sqrt(9 - X**2),
        sympy.sqrt(9 - 2 * X**2), sympy.sqrt(3 + X**2), sympy.exp(-((X - Y) ** 2) / (2 * Z**2)), sympy.exp(1 - X**2), sympy.exp(-(X**4)),
        1 / ((X + Y) * (X + Z)), 1 / ((X + Y) ** 2 * Z**2), X * (1 + Y * (1 + Z * (1 + X))), (X + Y) * (X - Z) * (Y + Z),
        sympy.sinc(X) + sympy.log(X) / X, sympy.E**X + sympy.GoldenRatio * Y + sympy.EulerGamma, -X, sympy.Float(1.5) * X - 3,
    ],
    ids=str,
)  # fmt: skip
def test_nodes_of_every_kind(expression):
    symbols, points = [X, Y, Z], np.random.default_rng(2).uniform(0.2, 1.4, (300, 3))
    network = compile_expression(expression, {"x": (0.2, 1.4), "y": (0.2, 1.4), "z": (0.2, 1.4)})
    wanted = reference(expression, symbols, points)
    np.testing.assert_allclose(values(network, points)[:, 0], wanted, rtol=1e-11, atol=1e-13 * np.abs(wanted).max())


UNARY = [sympy.sin, sympy.cos, sympy.tan, sympy.exp, sympy.log, sympy.sqrt, sympy.cosh, sympy.sinh, sympy.tanh, sympy.atan,
         sympy.asin, sympy.acosh, sympy.Abs, sympy.erf, sympy.sec, sympy.coth, sympy.sech, sympy.sign, sympy.Heaviside, sympy.asinh,
         sympy.csch]  # fmt: skip
POWERS = [2, 3, -1, -2, sympy.Rational(1, 2), sympy.Rational(5, 2), sympy.Rational(-1, 3), sympy.Float(1.5)]
LEAVES = st.sampled_from([X, Y, Z, X, Y, Z, sympy.pi, sympy.Rational(3, 2), sympy.Integer(2), sympy.Float(0.3), sympy.Integer(-1)])


def larger(smaller):
    return st.one_of(
        st.builds(lambda a, b: a + b, smaller, smaller),
        st.builds(lambda a, b: a * b, smaller, smaller),
        st.builds(lambda a, b, c: a * b + c, smaller, smaller, smaller),
        st.builds(lambda f, a: f(a), st.sampled_from(UNARY), smaller),
        st.builds(lambda a, p: a**p, smaller, st.sampled_from(POWERS)),
        st.builds(sympy.Max, smaller, smaller),
    )


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.recursive(LEAVES, larger, max_leaves=7))
def test_random_expressions(expression):
    assume(expression.free_symbols and not expression.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I))
    points = np.random.default_rng(3).uniform(0.2, 1.9, (200, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = reference(expression, [X, Y, Z], points)
    fine = np.isfinite(wanted) & (np.abs(wanted) < 1e8)
    assume(not np.iscomplexobj(wanted) and fine.sum() > 20)
    try:
        graph = translated([expression], [X, Y, Z])
    except ValueError as error:
        assume("not a finite real number" not in str(error))  # asin(3), log(-1)
        raise
    with np.errstate(all="ignore"):
        by_node, by_level = graph.values(points)[:, 0], run(levels(graph), points)[:, 0]
    scale = 1e-3 * np.abs(wanted[fine]).max()
    for found in (by_node, by_level):
        assert (np.abs(found - wanted)[fine] <= 1e-9 * (np.abs(wanted[fine]) + scale)).all(), expression


# ---- size ----


@pytest.mark.parametrize(
    ("text", "widths"),
    [
        ("3*x - 2*y + 1", (2, 1)),
        ("sin(2*x + 1) + exp(y)", (2, 1)),
        ("exp(-x^2/2)/sqrt(2*pi)", (1, 1)),
        ("x*y*z", (3, (0, [3]))),
        ("q1*q2/(4*pi*epsilon*r^2)", (4, (0, [4]))),
        ("(x + y)*(x - z)", (3, (0, 1))),
        ("sin(x + y)", (2, 1, 1)),
        ("sin(x + y) + cos(2*x + 2*y + 1) - exp(-x - y)", (2, 1, 1)),
        ("sqrt((x1 - x2)^2 + (y1 - y2)^2)", (4, 2, 1, 1)),
        ("x + exp(sin(y))", (2, 2, 1)),
        ("1/(exp(x) - 1)", (1, 1)),
        ("m/sqrt(1 - v^2/c^2)", (3, (1, 1), (0, 1))),
    ],
)
def test_as_few_nodes_as_it_takes(text, widths):
    assert compile_expression(text, None if "v^2" not in text else {"m": (1, 2), "v": (0, 1), "c": (2, 3)}).widths == widths


def test_equal_parts_are_shared():
    network = compile_expression("sin(x*y)*z + cos(3*x*y) + exp(x*y)", {"x": (0, 1), "y": (0, 1), "z": (0, 1)})
    assert network.layers[0].products == 1 and network.layers[0].sums == 1


# ---- inputs and outputs ----


@pytest.mark.parametrize(
    "several",
    [
        (X * Y, X + Y), (X + Y, X * Y), (X * Y, X + Y, X * Y, X), (X, sympy.sin(sympy.sin(sympy.cos(Y)))), (sympy.Integer(2), X), (Y, Y),
        (X * Y, sympy.sin(X * Y)), (X * Y, 2 * X * Y + 1, -X * Y),
    ],
    ids=str,
)  # fmt: skip
def test_several_outputs_come_in_order(several):
    points = np.random.default_rng(4).uniform(-1, 1, (100, 2))
    found = values(compile_expression(several, ["x", "y"]), points)
    np.testing.assert_allclose(found, np.stack([reference(each, [X, Y], points) for each in several], 1), rtol=1e-13, atol=1e-15)


def test_inputs_have_an_order():
    points = np.array([[0.3, 0.7]])
    assert values(compile_expression("x - 2*y"), points) == pytest.approx(0.3 - 1.4)
    assert values(compile_expression("x - 2*y", ["y", "x"]), points) == pytest.approx(0.7 - 0.6)
    assert values(compile_expression(X - 2 * Y, [Y, X]), points) == pytest.approx(0.7 - 0.6)
    assert values(compile_expression("x^2", ["t", "x"]), points) == pytest.approx(0.49)
    assert compile_expression(sympy.Symbol("x") ** 2, {"x": (2, 5)}).upper.tolist() == [5.0]
    assert compile_expression("log(x)").lower.tolist() == [0.05]  # the first box in which it is finite
    assert values(compile_expression(3, ["x"]), [[0.2]]).tolist() == [[3.0]]


@pytest.mark.parametrize(
    ("expression", "inputs", "error", "says"),
    [
        (sympy.gamma(X) + Y, None, ValueError, "no edge function for gamma in gamma\\(x\\)"),
        (sympy.besselj(0, X), None, ValueError, "no edge function for besselj"),
        (sympy.Function("f")(X), None, ValueError, "no edge function for f in f\\(x\\)"),
        (sympy.Derivative(sympy.Function("f")(X), X), None, ValueError, "no edge function for Derivative"),
        (sympy.Mod(X, 2), None, ValueError, "no edge function for Mod"),
        (sympy.floor(X) + 1, None, ValueError, "no edge function for floor"),
        (sympy.I * X, None, ValueError, "not a finite real number"),
        (X * sympy.asin(3), None, ValueError, "not a finite real number"),
        (sympy.sqrt(X), {"x": (-1, 1)}, ValueError, "not finite at x = -0.*: give ranges in which it is"),
        (X**Y, {"x": (-1, 1), "y": (1, 2)}, ValueError, "not finite at x = -"),
        ((-2) ** X, None, ValueError, "the base of a power must be positive|was finite and real at"),
        (sympy.sqrt(-1 - X**2), None, ValueError, "was finite and real at 0 of"),
        (sympy.Piecewise((X, X > 0)), {"x": (0.1, 1)}, ValueError, "a Piecewise must compare two expressions"),
        (sympy.Piecewise((X, (X > 0) & (X < 1)), (Y, True)), None, ValueError, "a Piecewise must compare two expressions"),
        (sympy.Symbol("x") + X, None, ValueError, "two symbols called x, with different assumptions"),
        (X + Y, ["x"], ValueError, "the expression has y, but the inputs are x"),
        (X, ["x", "x"], ValueError, "lists a name twice"),
        (X, "x", TypeError, "inputs is a list of names"),
        (X, {"x": (1, 1)}, ValueError, "the range of x must be two numbers"),
        (sympy.pi, None, ValueError, "has no variables"),
        ((), None, ValueError, "there is no expression"),
        (X > 1, None, TypeError, "an expression is made with sympy"),
        (math.sin, None, TypeError, "an expression is made with sympy"),
        ("sin(x", None, ValueError, "is not a formula"),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled(expression, inputs, error, says):
    with pytest.raises(error, match=says):
        compile_expression(expression, inputs)


@pytest.mark.parametrize("wrong", ["sinh", "cos"])
def test_a_wrong_translation_is_noticed(monkeypatch, wrong):
    monkeypatch.setitem(translation.UNARY, sympy.cosh, wrong)
    with pytest.raises(ValueError, match=r"the network made of y \+ cosh\(x\) is .* and not .* at x = "):
        compile_expression(sympy.cosh(X) + Y)


def test_a_rarely_wrong_network_is_noticed():
    """Equal almost everywhere in size, but a thousand times smaller than its largest value where it is wrong."""
    network, points = compile_expression("x"), np.linspace(1, 1000, 50)[:, None]
    right = points.copy()
    compiler._check(network, points, right, 0 * right, [X], [X])
    right[0] *= 1 + 1e-6
    with pytest.raises(ValueError, match="is 1 and not 1.000001 at x = 1"):
        compiler._check(network, points, right, 0 * right, [X], [X])


# ---- from there on ----


def test_only_numbers_that_matter_are_trained():
    network = compile_expression("a*exp(-b*t) + c", ["a", "b", "c", "t"])
    assert network.parameter_count == len(network.vector())
    line = compile_expression("3*x + 1")
    assert line.vector().tolist() == [3.0, 1.0]  # c of the edge, the bias; not a, b
    riding = compile_expression("x + exp(sin(y))")
    assert riding.layers[0].constants_held.tolist().count([True, True, True]) == 1
    assert np.allclose(riding.vector().numpy(), [1, 0, 1, 0, 1, 1, 1, 0])  # sin: a, b, c, its bias; x: c; exp: a, c; bias


def test_a_law_is_refitted_to_an_equation():
    """u' = -2 u, u(0) = 1, started from 1.3 exp(-x/2)."""
    segment = Box(x=(0, 1))
    problem = Problem(segment, lambda u: u.x + 2 * u, conditions=[Dirichlet(1, on=segment.side(x=0))], exact=lambda x: exp(-2 * x))
    law = compile_expression("1.3*exp(-x/2)", {"x": (0, 1)})
    result = Experiment(problem, model=law, training=[LevenbergMarquardt(steps=30)]).run(seed=3)
    points = np.linspace(0, 1, 30)
    assert result.metrics["relative_l2"] < 1e-13
    np.testing.assert_allclose(values(law, points[:, None])[:, 0], 1.3 * np.exp(-points / 2), rtol=1e-14)  # the model is not touched


def test_a_law_is_refitted_to_data():
    """Compile, perturb, train: the amplitude and the frequency come back."""
    network = compile_expression("2*sin(3*x)*y", {"x": (-1, 1), "y": (1, 2)})
    points = torch.from_numpy(np.random.default_rng(5).uniform([-1, 1], [1, 2], (200, 2)))
    wanted = network(points).detach()
    network.assign(network.vector() + 0.1 * torch.from_numpy(np.random.default_rng(6).standard_normal(network.parameter_count)))
    assert (network(points) - wanted).abs().max() > 0.05
    optimizer = torch.optim.LBFGS(
        network.parameters(), max_iter=500, tolerance_grad=1e-14, tolerance_change=1e-18, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = ((network(points) - wanted) ** 2).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert (network(points) - wanted).abs().max() < 1e-5


def test_a_basis_leaves_room_for_what_the_formula_misses():
    ranges = {"x": (1, 3), "y": (-1, 1)}
    plain, wider = compile_expression("exp(x*y)", ranges), compile_expression("exp(x*y)", ranges, basis=BSpline(degree=3, intervals=4))
    points = np.random.default_rng(7).uniform([1, -1], [3, 1], (50, 2))
    np.testing.assert_array_equal(values(plain, points), values(wider, points))
    assert wider.parameter_count == plain.parameter_count + 3 * BSpline(degree=3, intervals=4).size  # x, y to the product, and from there
    with torch.no_grad():
        wider.layers[1].weight.add_(0.1)
    assert (values(wider, points) - values(plain, points)).max() > 0.05


def test_it_travels():
    network = compile_expression("x^(7/3)*tanh(y)^3 + 1/(exp(x) - 1)", {"x": (1, 2), "y": (1, 2)})
    about, arrays = described(network)
    points = np.random.default_rng(8).uniform(1, 2, (20, 2))
    np.testing.assert_array_equal(values(rebuilt(about, arrays), points), values(network, points))
    single = network.copy().to(torch.float32)
    assert single(torch.ones(1, 2)).dtype == torch.float32


# ---- and back ----


@pytest.mark.parametrize("one", formulas()[::4], ids=lambda one: one.name)
def test_networks_are_written_as_formulas(one):
    network, symbols, points = compile_expression(one.text, one.ranges), symbols_of(one), one.points(100, seed=9)
    found = reference(as_expression(network, one.variables), symbols, points)
    wanted = reference(read(one.text, one.variables), symbols, points)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "text", ["2*sin(3*x)*y", "x^2 - y^3 + 4", "exp(-x^2)*(x + y)", "tanh(x*y + 2) - 7", "5*x", "log(x + 3*y) + sqrt(y)"]
)
def test_clean_formulas_come_back_clean(text):
    for ranges in (None, {"x": (1, 3), "y": (1, 5)}):
        inputs = ranges if ranges is None or "y" in text else {"x": (1, 3)}
        names = sorted(str(symbol) for symbol in read(text).free_symbols)
        assert sympy.simplify(as_expression(compile_expression(text, inputs), names) - read(text)) == 0


def test_several_outputs_scales_and_names():
    network = compile_expression((X * Y, X + 2 * Y), ["x", "y"])
    a, b = sympy.symbols("x1 x2", real=True)
    assert as_expression(network) == (a * b, a + 2 * b)
    network.given = False
    network.on_outputs([1.0, -2.0], [3.0, 0.5])
    assert as_expression(network, [X, Y]) == (3 * X * Y + 1, 0.5 * (X + 2 * Y) - 2)
    assert str(as_expression(compile_expression("x/3"), ["t"], digits=3)) == "0.333*t"


def test_splines_are_no_formula():
    network = compile_expression("sin(x) + y", basis=BSpline(degree=3, intervals=4))
    assert as_expression(network, ["x", "y"]) == sympy.sin(X) + Y  # splines that are nought do not matter
    with torch.no_grad():
        network.layers[0].weight.add_(0.1)
    with pytest.raises(ValueError, match="splines are on 0 -> 0 of layer 0, 1 -> 0 of layer 0: fix them to primitives"):
        as_expression(network)
    with pytest.raises(ValueError, match="has 2 inputs, got the names x"):
        as_expression(compile_expression("x + y"), ["x"])
    with pytest.raises(ValueError, match="between 1 and 17 digits"):
        as_expression(compile_expression("x + y"), digits=0)


def test_variables_may_be_called_as_functions_are():
    network = compile_expression("sin(sin) + 2*exp", ["exp", "sin"])
    assert network(torch.tensor([[0.3, 0.7]], dtype=torch.float64)).item() == pytest.approx(math.sin(0.7) + 0.6, abs=1e-14)
    assert numeric(as_expression(network, ["exp", "sin"]))[1](0.3, 0.7) == pytest.approx(math.sin(0.7) + 0.6, abs=1e-14)


def test_what_overflows_beside_the_box_is_no_warning():
    assert as_expression(compile_expression("exp(exp(x))"), ["x"]) == sympy.exp(sympy.exp(X))
