"""The table of symbolic edge functions against sympy and mpmath: values, derivatives, where they are smooth; names and one's own."""

import copy
import json
import math
import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
import torch

from kanpde import functions
from kanpde.functions import cos, exp, log, sqrt
from kanpde.primitives import PRIMITIVES, Domain, Primitive, power, primitive, primitives_of

X = sympy.Symbol("x", real=True)
ALL = [*PRIMITIVES.values(), power(7), power(-5), power(Fraction(5, 3)), power(3.5)]
each_primitive = pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
ORDER = 4
CANCEL = {"langevin": 1e-10}  # a pole that cancels at 0: digits are lost near it


def points(one):
    """Some points of the domain: on both sides of its holes, near its ends and far from them."""
    low, high = max(one.domain.low, -4.0), min(one.domain.high, 5.0)
    found = np.concatenate([np.linspace(low, high, 11)[1:-1] + 0.0137, [low + 0.06, high - 0.06]])
    return found[one.domain.inside(torch.from_numpy(found)).numpy()]


@each_primitive
def test_values_and_derivatives_are_those_of_sympy(one):
    u = points(one)
    assert len(u) >= 8
    table = one.table(torch.from_numpy(u), ORDER)
    assert table.shape == (ORDER + 1, len(u)) and table.dtype == torch.float64
    expression = one.symbolic(X)
    for k in range(ORDER + 1):
        exact = [float(expression.evalf(50, subs={X: sympy.Float(x, 50)})) for x in u.tolist()]
        np.testing.assert_allclose(table[k].numpy(), exact, rtol=CANCEL.get(one.name, 2e-12), atol=1e-13 * max(1.0, np.abs(exact).max()))
        expression = expression.diff(X).subs(sympy.DiracDelta(X), 0).replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    torch.testing.assert_close(one.values(torch.from_numpy(u)), table[0], rtol=1e-15, atol=1e-300)
    torch.testing.assert_close(one.formula(torch.from_numpy(u)), table[0], rtol=1e-14, atol=1e-15)


@each_primitive
def test_autograd_goes_through(one):
    u = torch.from_numpy(points(one)).requires_grad_()
    table = one.table(u, 2)
    (slope,) = torch.autograd.grad(one.values(u).sum(), u)
    torch.testing.assert_close(slope, table[1].detach(), rtol=1e-11, atol=1e-12)
    if table[1].requires_grad:  # that of abs is constant
        (bend,) = torch.autograd.grad(table[1].sum(), u)
        torch.testing.assert_close(bend, table[2].detach(), rtol=1e-10, atol=1e-11)


@each_primitive
def test_shapes_and_precision_are_kept(one):
    u = torch.full((2, 3), 0.4 if one.name != "acosh" else 1.4, dtype=torch.float32)
    table = one.table(u, 2)
    assert table.shape == (3, 2, 3) and table.dtype == torch.float32 and one.values(u).dtype == torch.float32
    assert torch.isfinite(table).all()
    assert one.table(u, 0).shape == (1, 2, 3)


@each_primitive
def test_the_domain_ends_where_the_function_does(one):
    """Just inside an end everything is finite; at the end, or beyond it, the function or a derivative is not, or it jumps."""
    ends = [(end, side) for end, side in ((one.domain.low, -1), (one.domain.high, 1)) if math.isfinite(end)]
    ends += [(hole, side) for hole in one.domain.holes for side in (-1, 1)]
    for end, outward in ends:
        inside = torch.tensor([end - outward * 1e-3], dtype=torch.float64)
        assert bool(one.domain.inside(inside)) and torch.isfinite(one.table(inside, 2)).all()
        at, beyond = (one.table(torch.tensor([x], dtype=torch.float64), ORDER) for x in (end, end + outward * 1e-3))
        jump = (one.table(inside, 1) - one.table(2 * end - inside, 1)).abs().max()
        huge = not torch.isfinite(at).all() or at.abs().max() > 1e10
        assert huge or not torch.isfinite(beyond).all() or jump > 0.9
    u = torch.linspace(-6, 6, 25, dtype=torch.float64) + 0.013
    inside = one.domain.inside(u)
    assert torch.isfinite(one.table(u, ORDER))[:, inside].all()


def test_domains():
    nan = torch.tensor([math.nan, -1.0, 0.0, 0.5])
    assert PRIMITIVES["log"].domain.inside(nan).tolist() == [False, False, False, True]
    assert PRIMITIVES["x^-1"].domain.inside(nan).tolist() == [False, True, False, True]
    assert Domain(low=0).covers(0.1, 7) and not Domain(low=0).covers(0, 1)
    assert Domain(holes=(0.0,)).covers(-2, -1) and not Domain(holes=(0.0,)).covers(-2, 1)
    tan = PRIMITIVES["tan"].domain
    assert (
        tan.covers(-1.5, 1.5) and tan.covers(1.6, 4.7) and not tan.covers(1.5, 1.6) and not tan.covers(-5, 5) and not tan.covers(4.7, 4.8)
    )


@pytest.mark.parametrize(
    ("name", "u", "wanted"),
    [
        ("bose", 1e-9, lambda: 1 / mpmath.expm1(1e-9)),
        ("softplus", 800.0, lambda: 800),
        ("softplus", -40.0, lambda: mpmath.log1p(mpmath.exp(-40))),
        ("sigmoid", -745.0, lambda: 1 / (1 + mpmath.exp(745))),
        ("silu", -800.0, lambda: 0),
        ("sech", 500.0, lambda: mpmath.sech(500)),
    ],
)
def test_no_digits_are_lost_far_out(name, u, wanted):
    found = PRIMITIVES[name].table(torch.tensor([u], dtype=torch.float64), 1)
    assert torch.isfinite(found).all()
    assert float(found[0]) == pytest.approx(float(wanted()), rel=1e-13, abs=1e-320)


# ---- names ----


def test_the_table_has_what_pykan_has_and_more():
    ours = {one.symbolic(X) for one in ALL}
    pykan = [X, X**2, X**3, X**4, X**5, 1 / X, X**-2, X**-3, X**-4, X**-5, sympy.sqrt(X), X ** sympy.Rational(3, 2), 1 / sympy.sqrt(X),
             sympy.exp(X), sympy.log(X), abs(X), sympy.sin(X), sympy.cos(X), sympy.tan(X), sympy.tanh(X), sympy.sign(X), sympy.asin(X),
             sympy.acos(X), sympy.atan(X), sympy.atanh(X), sympy.exp(-(X**2))]  # fmt: skip
    assert set(pykan) <= ours
    assert len(PRIMITIVES) >= 50


@pytest.mark.parametrize(
    ("p", "name"),
    [
        (2, "x^2"),
        (-1, "x^-1"),
        (0.5, "sqrt"),
        (1.5, "x^(3/2)"),
        (Fraction(-2, 3), "x^(-2/3)"),
        (2.0, "x^2"),
        (1, "x"),
        (0.1, "x^(1/10)"),
        (-7, "x^-7"),
    ],
)
def test_powers_are_one_family(p, name):
    assert power(p).name == name and power(p) is primitive(name)
    u = torch.tensor([1.7], dtype=torch.float64)
    assert float(power(p).values(u)) == pytest.approx(1.7 ** float(p), rel=1e-15)
    assert power(p).symbolic(X) == X ** sympy.Rational(Fraction(str(p)).numerator, Fraction(str(p)).denominator)


def test_names_functions_and_formulas():
    assert primitive("sin") is primitive(functions.sin) is PRIMITIVES["sin"] is primitive(PRIMITIVES["sin"])
    assert primitive("identity").name == "x" and primitive("1/x") is power(-1) and primitive("x**(5/3)") is power(Fraction(5, 3))
    quartic = primitive(lambda x: exp(-(x**4)))
    assert quartic.name == "exp(-x**4)" and quartic.symbolic(X) == sympy.exp(-(X**4))
    assert float(quartic.table(torch.ones(1, dtype=torch.float64), 1)[1]) == pytest.approx(-4 / math.e, rel=1e-15)

    def chirp(x):
        return cos(x**2)

    assert primitive(chirp).name == "chirp"
    assert primitive(chirp) == primitive(chirp) != quartic and len({primitive(chirp), primitive(chirp)}) == 1


def test_they_travel():
    for one in ALL:
        assert pickle.loads(pickle.dumps(one)) is one and copy.deepcopy(one) is one
        assert primitive(json.loads(json.dumps(one.name))) is one
    mine = Primitive("mine", sqrt, 2, Domain(low=0))
    again = pickle.loads(pickle.dumps(Primitive("mine", functions.maximum)))  # by reference
    assert again == mine and copy.deepcopy(mine).domain == Domain(low=0)


@pytest.mark.parametrize(
    ("thing", "error", "says"),
    [
        ("sine", ValueError, "no primitive 'sine'; did you mean 'sin'"),
        ("qqqq", ValueError, "there are x, x\\^2"),
        ("x^0", ValueError, "no primitive"),
        (3, TypeError, "a primitive is a name"),
        (lambda x: 1, TypeError, "must depend on its argument"),
        (lambda x: torch.erfinv(x), TypeError, "erfinv"),
    ],
)
def test_what_is_no_primitive(thing, error, says):
    with pytest.raises(error, match=says):
        primitive(thing)


def test_bad_definitions():
    def sin(x):
        return log(x)

    with pytest.raises(ValueError, match="cannot be called 'sin'"):
        primitive(sin)
    for p in (0, True, math.inf, "2"):
        with pytest.raises(ValueError, match="a power is a finite number other than 0"):
            power(p)
    with pytest.raises(ValueError, match="complexity of 'a' must be a whole number"):
        Primitive("a", log, 0)
    with pytest.raises(TypeError, match="formula of 'a' must be a function"):
        Primitive("a", "log(x)")
    with pytest.raises(ValueError, match="needs a name"):
        Primitive("", log)


def test_sinc_and_its_derivatives_are_finite_at_nought_and_exact_near_it():
    u = np.array([0.0, 1e-9, -1e-3, 0.5, 5.999, 6.001, -11.0])
    table = PRIMITIVES["sinc"].table(torch.from_numpy(u), 6).numpy()
    for k, row in enumerate(table):  # sinc^(k)(x) is the integral of t^k cos(x t + k pi/2)
        wanted = [float(mpmath.quad(lambda t, x=x, k=k: t**k * mpmath.cos(x * t + k * mpmath.pi / 2), [0, 1])) for x in u.tolist()]
        np.testing.assert_allclose(row, wanted, rtol=0, atol=5e-15)
    assert functions.sinc(np.zeros(2)).tolist() == [1.0, 1.0] and float(functions.sinc(0)) == 1.0
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(PRIMITIVES["sinc"].values(x).sum(), x, create_graph=True)
    assert slope.item() == 0 and torch.autograd.grad(slope.sum(), x)[0].item() == pytest.approx(-1 / 3)


@pytest.mark.parametrize(
    ("things", "words"),
    [
        (None, "primitives is a list of primitives, .*got None"),
        ("sin", "got 'sin'"),
        (functions.sin, "got sin"),
        ([None], "a primitive is a name .*got None"),
        ([lambda u, v: u * v], r"a function of one argument, <lambda> takes \(u, v\)"),
        ([lambda u: np.exp(-(u**2))], "takes no symbol .*write it in kanpde.functions"),
        ([lambda u: u if u > 0 else -u], "takes no symbol"),
        ([lambda u: u.real], "must depend|takes no symbol"),
        ([np.cbrt], "numpy.cbrt is no primitive"),
    ],
)
def test_primitives_that_are_none(things, words):
    with pytest.raises(TypeError, match=words):
        primitives_of(things, "primitives")


def test_functions_of_numpy_are_the_primitives_that_they_mean():
    assert primitives_of([np.arcsin, np.exp], "primitives") == (PRIMITIVES["asin"], PRIMITIVES["exp"])
