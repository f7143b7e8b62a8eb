"""Fields: derivatives of expressions against sympy, functions of other libraries, and errors that say what to do."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import sympy
import torch

from kanpde.calls import call_by_name, components_of
from kanpde.fields import Field, constant, coordinate_fields, div, grad, laplacian
from kanpde.functions import BY_NAME, abs, asin, atan, cos, erf, exp, log, pi, sign, sin, sqrt, tanh
from kanpde.jets import is_sum, laplacian_over, terms_of

NAMES = ("x", "y", "t")
X, Y, T = SYMBOLS = sympy.symbols("x y t", real=True)
SOLUTION = {"u": 2 + sympy.sin(X * Y) * sympy.exp(T / 2), "v": 3 + X**2 * Y - sympy.cos(T * X), "a": 1 + X**2 / 2 + Y * T / 3}
PLACES = np.random.default_rng(0).uniform(0.1, 0.9, (3, 6))
ALPHAS = [(), (0,), (1,), (2,), (0, 0), (0, 1), (1, 2), (0, 0, 1), (0, 1, 2), (0, 0, 0, 0), (0, 0, 1, 1)]


@cache
def derivative(expression, alpha):
    return sympy.diff(expression, *(SYMBOLS[letter] for letter in alpha)) if alpha else expression


@cache
def numbers(expression):
    """Values of a sympy expression at the places."""
    return np.broadcast_to(sympy.lambdify(SYMBOLS, expression, ["scipy", "numpy"])(*PLACES), PLACES.shape[1:]).astype(float)


def fields(kind):
    """u, v, a and the coordinates as fields of tensors, arrays or sympy expressions."""
    convert = {"torch": lambda n: torch.from_numpy(np.array(n)), "numpy": lambda n: n}

    def one(expression):
        if kind == "sympy":
            return lambda alpha: derivative(expression, alpha)
        return lambda alpha: convert[kind](numbers(derivative(expression, alpha)))

    found = {name: Field(NAMES, one(expression), name) for name, expression in SOLUTION.items()}
    values = SYMBOLS if kind == "sympy" else [convert[kind](row) for row in PLACES]
    return found | coordinate_fields(NAMES, values)


EXPRESSIONS = {
    "(a*u.x).x": (lambda u, a: (a * u.x).x, lambda u, a: sympy.diff(a * sympy.diff(u, X), X)),
    "-(a*u.x).x-(a*u.y).y": (
        lambda u, a: -(a * u.x).x - (a * u.y).y,
        lambda u, a: -sympy.diff(a * sympy.diff(u, X), X) - sympy.diff(a * sympy.diff(u, Y), Y),
    ),
    "u**3": (lambda u: u**3, lambda u: u**3),
    "u**2": (lambda u: u**2, lambda u: u**2),
    "u**1": (lambda u: u**1, lambda u: u),
    "u**0": (lambda u: u**0, lambda u: sympy.Integer(1)),
    "u**-2": (lambda u: u**-2, lambda u: u**-2),
    "u**0.5": (lambda u: u**0.5, lambda u: sympy.sqrt(u)),
    "u**pi": (lambda u: u**pi, lambda u: u**sympy.pi),
    "u**v": (lambda u, v: u**v, lambda u, v: u**v),
    "2**u": (lambda u: 2**u, lambda u: 2**u),
    "pi**u": (lambda u: pi**u, lambda u: sympy.pi**u),
    "u/v": (lambda u, v: u / v, lambda u, v: u / v),
    "1/u": (lambda u: 1 / u, lambda u: 1 / u),
    "u/3": (lambda u: u / 3, lambda u: u / 3),
    "u/pi": (lambda u: u / pi, lambda u: u / sympy.pi),
    "pi/u": (lambda u: pi / u, lambda u: sympy.pi / u),
    "pi*u-1": (lambda u: pi * u - 1, lambda u: sympy.pi * u - 1),
    "1-u": (lambda u: 1 - u, lambda u: 1 - u),
    "u-v": (lambda u, v: u - v, lambda u, v: u - v),
    "+u+2": (lambda u: +u + 2, lambda u: u + 2),
    "-u*v": (lambda u, v: -u * v, lambda u, v: -u * v),
    "abs(u)": (lambda u: abs(u), lambda u: u),
    "sign(u)*u": (lambda u: sign(u) * u, lambda u: u),
    "sin(u)": (lambda u: sin(u), lambda u: sympy.sin(u)),
    "sin(u)*cos(v)": (lambda u, v: sin(u) * cos(v), lambda u, v: sympy.sin(u) * sympy.cos(v)),
    "sqrt(u)": (lambda u: sqrt(u), lambda u: sympy.sqrt(u)),
    "log(v)": (lambda v: log(v), lambda v: sympy.log(v)),
    "atan(u)": (lambda u: atan(u), lambda u: sympy.atan(u)),
    "asin(u/4)": (lambda u: asin(u / 4), lambda u: sympy.asin(u / 4)),
    "tanh(u-v)": (lambda u, v: tanh(u - v), lambda u, v: sympy.tanh(u - v)),
    "erf(u/2)": (lambda u: erf(u / 2), lambda u: sympy.erf(u / 2)),
    "exp(-u**2)": (lambda u: exp(-(u**2)), lambda u: sympy.exp(-(u**2))),
    "x*u.x": (lambda u, x: x * u.x, lambda u, x: x * sympy.diff(u, X)),
    "sin(pi*x)*y": (lambda x, y: sin(pi * x) * y, lambda x, y: sympy.sin(sympy.pi * x) * y),
    "exp(x*y)/t": (lambda x, y, t: exp(x * y) / t, lambda x, y, t: sympy.exp(x * y) / t),
    "(u*u.x).x": (lambda u: (u * u.x).x, lambda u: sympy.diff(u * sympy.diff(u, X), X)),
    "(u**2).x/2": (lambda u: (u**2).x / 2, lambda u: sympy.diff(u**2, X) / 2),
    "laplacian(u)": (lambda u: laplacian(u), lambda u: sympy.diff(u, X, 2) + sympy.diff(u, Y, 2)),
    "div(grad)": (
        lambda u, a: div([a * each for each in grad(u)]),
        lambda u, a: sympy.diff(a * sympy.diff(u, X), X) + sympy.diff(a * sympy.diff(u, Y), Y),
    ),
    "sum": (lambda u, v: sum([u.x, v.y]), lambda u, v: sympy.diff(u, X) + sympy.diff(v, Y)),
}


@pytest.mark.parametrize("kind", ["torch", "numpy"])
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_derivatives_of_expressions_are_those_of_sympy(name, kind):
    ours, theirs = EXPRESSIONS[name]
    found = call_by_name(ours, fields(kind))
    wanted = call_by_name(theirs, SOLUTION | {"x": X, "y": Y, "t": T})
    assert isinstance(found, Field)
    for alpha in ALPHAS[:8]:  # up to three more
        value = found.partial(alpha)
        value = value.numpy() if isinstance(value, torch.Tensor) else value
        right = numbers(derivative(wanted, alpha))
        np.testing.assert_allclose(np.broadcast_to(value, right.shape), right, rtol=1e-11, atol=1e-11 * max(1, np.abs(right).max()))


@pytest.mark.parametrize("name", ["(a*u.x).x", "u**3", "u/v", "2**u", "sin(u)*cos(v)", "exp(x*y)/t"])
def test_fourth_derivatives(name):
    ours, theirs = EXPRESSIONS[name]
    found = call_by_name(ours, fields("numpy"))
    wanted = call_by_name(theirs, SOLUTION | {"x": X, "y": Y, "t": T})
    for alpha in [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 1, 2)]:
        right = numbers(derivative(wanted, alpha))
        np.testing.assert_allclose(np.broadcast_to(found.partial(alpha), right.shape), right, rtol=1e-9, atol=1e-10 * np.abs(right).max())


@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if name != "sign(u)*u"])
def test_the_same_expressions_in_sympy(name):
    ours, theirs = EXPRESSIONS[name]
    found = call_by_name(ours, fields("sympy"))
    wanted = call_by_name(theirs, SOLUTION | {"x": X, "y": Y, "t": T})
    for alpha in [(), (0,), (0, 1)]:
        np.testing.assert_allclose(numbers(sympy.sympify(found.partial(alpha))), numbers(derivative(wanted, alpha)), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    "name",
    [
        "u/3",
        *("u/pi", "u**pi", "pi**u", "2**u", "pi*u-1"),
    ],
)
def test_numbers_stay_exact_in_sympy(name):
    ours, theirs = EXPRESSIONS[name]
    found = call_by_name(ours, fields("sympy"))
    assert sympy.simplify(sympy.sympify(found.value) - theirs(SOLUTION["u"])) == 0
    assert not sympy.sympify(found.value).atoms(sympy.Float)


@pytest.mark.parametrize("kind", ["torch", "numpy"])
@pytest.mark.parametrize("operation", ["f*u", "u*f", "f+u", "u-f", "u/f", "f/u", "u**f"])
def test_fractions_are_numbers(kind, operation):
    u = fields(kind)["u"]
    found = eval(operation, {"u": u, "f": Fraction(1, 3)})
    wanted = eval(operation, {"u": SOLUTION["u"], "f": sympy.Rational(1, 3)})
    for alpha in [(), (0,), (0, 1)]:
        np.testing.assert_allclose(np.asarray(found.partial(alpha)), numbers(derivative(wanted, alpha)), rtol=1e-11, atol=1e-12)


# ---- names ----


def test_letters_are_coordinates_in_any_order():
    u = fields("numpy")["u"]
    for letters in ("xy", "yx"):
        np.testing.assert_array_equal(getattr(u, letters).value, numbers(derivative(SOLUTION["u"], (0, 1))))
    np.testing.assert_array_equal(u.txx.value, numbers(derivative(SOLUTION["u"], (0, 0, 2))))
    np.testing.assert_array_equal(u.x.y.value, u.xy.value)
    np.testing.assert_array_equal(u.d("t").value, u.t.value)
    np.testing.assert_array_equal(u.d("x", 3).value, u.xxx.value)
    np.testing.assert_array_equal(u.d("x", 0).value, u.value)


def test_comparisons_of_arrays_are_explained():
    def step(x):
        return 1 if x < 0.5 else 0

    for values in (np.linspace(0, 1, 5), torch.linspace(0, 1, 5)):
        with pytest.raises(TypeError, match=r"what step\(\) compares is an array, .* in `return 1 if x < 0.5 else 0`: write .*heaviside"):
            call_by_name(step, {"x": values})

    def broken(x):
        raise ValueError("as it is")

    with pytest.raises(ValueError, match="as it is"):
        call_by_name(broken, {"x": 1})


def test_longer_names():
    theta = coordinate_fields(("r", "theta"), list(PLACES[:2]))["theta"]
    field = theta**3
    np.testing.assert_allclose(field.d("theta", 2).value, 6 * PLACES[1])
    with pytest.raises(AttributeError, match="did you mean 'theta'"):
        field.d("theat")
    with pytest.raises(AttributeError, match=r"the coordinates are r, theta; write u\.d\('theta'\)"):
        _ = field.theta
    with pytest.raises(AttributeError, match=r"the coordinates are r, theta; write u\.d\('r'\)\.d\('theta'\)"):
        _ = field.rtheta
    with pytest.raises(AttributeError, match=r"the coordinates are r, theta \(longer names are written u\.d\('name', order\)\)"):
        _ = field.thet


@pytest.mark.parametrize("ask", [lambda u: u.x, lambda u: u.xx, lambda u: u.d("x", 2)])
def test_numbered_coordinates_have_derivatives_one_by_one(ask):
    x2 = coordinate_fields(("x1", "x2", "t"), list(PLACES[:3]))["x2"]
    with pytest.raises(AttributeError, match=r"x1, x2, t; x is all of them: write x2\.d\('x1'\) for one, or grad\(x2\), laplacian"):
        ask(x2)
    with pytest.raises(AttributeError, match=r"write x2\.d\('x1'\)\.d\('x1'\)"):
        _ = x2.x1x1


@pytest.mark.parametrize("letters", ["z", "xz", "xX", "X", "xx1"])
def test_misspelt_derivatives_name_the_coordinates(letters):
    u = fields("numpy")["u"]
    with pytest.raises(AttributeError, match=rf"u has no derivative '{letters}': the coordinates are x, y, t"):
        getattr(u, letters)
    with pytest.raises(AttributeError, match="the expression has no derivative"):
        getattr(u * u, letters)
    with pytest.raises(AttributeError, match=r"u has no derivative by 'z': the coordinates are x, y, t"):
        u.d("z")


@pytest.mark.parametrize("order", [-1, 1.5, "1", float("nan")], ids=repr)
def test_bad_orders(order):
    with pytest.raises(ValueError, match="order of a derivative must be a whole number"):
        fields("numpy")["u"].d("x", order)


def test_derivatives_are_taken_once_and_only_when_asked_for():
    asked = []

    def evaluate(alpha):
        asked.append(alpha)
        return np.ones(2)

    u = Field(("x", "y"), evaluate, "u")
    expression = sin(u * u.x)
    assert asked == []
    _ = expression.value
    assert sorted(asked) == [(), (0,)]
    _ = expression.value, expression.y.value
    assert sorted(asked) == [(), (0,), (0, 1), (1,)]


# ---- functions of other libraries ----


@pytest.mark.parametrize(
    ("kind", "call", "wanted"),
    [
        ("numpy", lambda u, v: np.sin(u), lambda u, v: sympy.sin(u)),
        ("numpy", lambda u, v: np.arctan(u), lambda u, v: sympy.atan(u)),
        ("numpy", lambda u, v: np.absolute(u), lambda u, v: u),
        ("numpy", lambda u, v: np.sqrt(u) * np.exp(-v), lambda u, v: sympy.sqrt(u) * sympy.exp(-v)),
        ("numpy", lambda u, v: np.multiply(u, v), lambda u, v: u * v),
        ("numpy", lambda u, v: np.power(u, 3), lambda u, v: u**3),
        ("numpy", lambda u, v: np.float64(2) * u - np.float64(3) / v, lambda u, v: 2 * u - 3 / v),
        ("numpy", lambda u, v: np.float64(2) ** u, lambda u, v: 2**u),
        ("torch", lambda u, v: torch.exp(u), lambda u, v: sympy.exp(u)),
        ("torch", lambda u, v: torch.atan(u) + torch.arcsin(u / 4), lambda u, v: sympy.atan(u) + sympy.asin(u / 4)),
        ("torch", lambda u, v: torch.abs(u), lambda u, v: u),
        ("torch", lambda u, v: torch.sub(u, v), lambda u, v: u - v),
        ("torch", lambda u, v: torch.div(u, v), lambda u, v: u / v),
        ("torch", lambda u, v: torch.pow(u, 3), lambda u, v: u**3),
        ("torch", lambda u, v: np.sin(u), lambda u, v: sympy.sin(u)),
    ],
)
def test_functions_of_numpy_and_torch_are_differentiated(kind, call, wanted):
    each = fields(kind)
    found, right = call(each["u"], each["v"]), wanted(SOLUTION["u"], SOLUTION["v"])
    for alpha in [(), (0,), (0, 1), (0, 0, 2)]:
        np.testing.assert_allclose(np.asarray(found.partial(alpha)), numbers(derivative(right, alpha)), rtol=1e-11, atol=1e-12)


def test_tensors_and_arrays_on_the_left():
    row = np.arange(1.0, 7.0)
    for kind, left in (("numpy", row), ("torch", torch.from_numpy(row))):
        u, value = fields(kind)["u"], numbers(SOLUTION["u"])
        for found, wanted in [
            (left + u, row + value),
            (left - u, row - value),
            (left * u, row * value),
            (left / u, row / value),
            (left**u, row**value),
        ]:
            assert isinstance(found, Field)
            np.testing.assert_allclose(np.asarray(found.value), wanted, rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda u, v: torch.add(u, v, alpha=2), lambda u, v: u + 2 * v),
        (lambda u, v: torch.sub(u, v, alpha=3), lambda u, v: u - 3 * v),
        (lambda u, v: torch.div(u, v, rounding_mode="floor"), lambda u, v: np.floor(u / v)),
    ],
)
def test_options_of_torch_functions_are_not_dropped(call, wanted):
    each = fields("torch")
    found = call(each["u"], each["v"]).value
    np.testing.assert_allclose(np.asarray(found), wanted(numbers(SOLUTION["u"]), numbers(SOLUTION["v"])), rtol=1e-13)


@pytest.mark.parametrize(
    "kind",
    ["numpy", "torch"],
)
def test_foreign_functions_have_values_and_say_that_their_derivative_is_not_known(kind):
    u = fields(kind)["u"]
    found, name = {"numpy": (lambda: np.cbrt(u), "cbrt"), "torch": (lambda: torch.sigmoid(u), "sigmoid")}[kind]
    value = found().value
    right = numbers(SOLUTION["u"])
    np.testing.assert_allclose(np.asarray(value), np.cbrt(right) if kind == "numpy" else 1 / (1 + np.exp(-right)), rtol=1e-13)
    with pytest.raises(TypeError, match=rf"derivative of {name}\(...\) is not known: use a function of kanpde.functions"):
        _ = found().x.value


def test_arrays_have_no_derivative_but_numbers_do():
    each = fields("numpy")
    product = np.arange(1.0, 7.0) * each["u"]
    with pytest.raises(TypeError, match=r"cannot differentiate a constant, an array of shape \(6,\)"):
        _ = product.x.value
    assert constant(3.0, NAMES).x.value == 0
    assert (3 * each["x"]).xx.value == 0
    assert each["x"].x.value == 1
    assert each["x"].y.value == 0


def test_every_function_has_its_names():
    assert {"sin", "arcsin", "asin", "arctanh", "abs", "absolute", "erf"} <= set(BY_NAME)
    assert BY_NAME["arcsin"] is BY_NAME["asin"]


# ---- vector calculus ----


def test_vector_calculus_is_in_space():
    each = fields("numpy")
    assert len(grad(each["u"])) == 2
    np.testing.assert_array_equal(grad(each["u"])[1].value, each["u"].y.value)
    with pytest.raises(ValueError, match="one component for each of the coordinates x, y, got 3"):
        div([each["u"]] * 3)


# ---- calling by name ----


def test_call_by_name_takes_what_it_asks_for():
    assert call_by_name(lambda y, x: (x, y), {"x": 1, "y": 2, "z": 3}) == (1, 2)
    assert call_by_name(lambda: 5, {"x": 1}) == 5
    assert call_by_name(lambda x, scale=3: x * scale, {"x": 2}) == 6
    assert call_by_name(lambda x, scale=3: x * scale, {"x": 2, "scale": 100}) == 200  # by name, whether it has a default or not


def test_call_by_name_names_what_is_missing():
    def heat(u, alpah):
        return u

    with pytest.raises(TypeError, match=r"heat\(\) asks for 'alpah', but there is only u, alpha; did you mean 'alpha'"):
        call_by_name(heat, {"u": 1, "alpha": 2})
    with pytest.raises(TypeError, match=r"takes \*values, but arguments are matched by name"):
        call_by_name(lambda *values: 0, {"u": 1})
    with pytest.raises(TypeError, match=r"takes \*\*values"):
        call_by_name(lambda **values: 0, {"u": 1})


# ---- what a field is not ----


def test_fields_are_no_numbers():
    import math

    u = fields("torch")["u"]
    with pytest.raises(
        TypeError, match=r"u is a field, not a number, in `math.sin\(u\).*math.sin takes numbers: use sin of kanpde.functions"
    ):
        math.sin(u)
    with pytest.raises(TypeError, match="u is a field, not a number"):
        float(u)


@pytest.mark.parametrize(
    "question",
    [lambda u: u > 0, lambda u: u <= 1, lambda u: u == 0, lambda u: u != 0, lambda u: 1 if u else 0, lambda u: u > 0],
    ids=range(6),
)
@pytest.mark.parametrize("kind", ["torch", "numpy", "sympy"])
def test_fields_are_not_compared(kind, question):
    with pytest.raises(TypeError, match="is a field, true at some points and false at others.*heaviside, maximum"):
        question(fields(kind)["u"])


def test_numpy_functions_of_tensors_are_refused_by_name():
    u = fields("torch")["u"]
    with pytest.raises(TypeError, match="numpy.arctan2 of a field is not known here: equations use kanpde.functions"):
        np.arctan2(u, 1)
    with pytest.raises(TypeError, match="numpy.where of a field is not known here"):
        np.where(u, 1, 0)


def test_laplacian_needs_space():
    t = coordinate_fields(("t",), [PLACES[0]])["t"]
    for call in (laplacian, lambda u: div([])):
        with pytest.raises(ValueError, match="there is none beside time: write u.t, u.tt"):
            call(t)


def test_sympy_on_the_left_of_a_field():
    each = fields("sympy")
    assert isinstance(X + each["u"], Field)
    assert isinstance(sympy.Integer(2) * each["u"], Field)


def test_components():
    assert components_of(1, len) == (1,)
    assert components_of([1, 2], len) == (1, 2)
    with pytest.raises(TypeError, match=r"len\(\) returns None, which is no residual: is a `return` missing\?"):
        components_of(None, len)
    with pytest.raises(TypeError, match=r"component 2 of what len\(\) returns is 'x'"):
        components_of((1, "x"), len)
    with pytest.raises(ValueError, match=r"len\(\) returns no component"):
        components_of((), len)


# ---- Laplacians by one derivative ----


def watched(read):
    """u, v and coordinates as fields that know sums of second derivatives by themselves, and note what is read of u."""

    def one(name, expression):
        def evaluate(alpha):
            if name == "u":
                read.append(alpha)
            return sum(numbers(derivative(expression, each)) for each in terms_of(alpha))

        return Field(NAMES, evaluate, name, sums=True)

    return {name: one(name, expression) for name, expression in SOLUTION.items()} | coordinate_fields(NAMES, list(PLACES))


def plain_laplacian(expression):
    return sympy.diff(expression, X, 2) + sympy.diff(expression, Y, 2)


LAPLACIANS = {
    "laplacian(u)": (lambda u: laplacian(u), lambda u: plain_laplacian(u)),
    "u.xx+u.yy": (lambda u: u.xx + u.yy, lambda u: plain_laplacian(u)),
    "u+u.x.x+u.yy": (lambda u: u * 0 + (u.x.x + u.yy), lambda u: plain_laplacian(u)),
    "u.yy+u.tt": (lambda u: u.yy + u.tt, lambda u: sympy.diff(u, Y, 2) + sympy.diff(u, T, 2)),
    "laplacian(2-3*u)": (lambda u: laplacian(2 - 3 * u), lambda u: plain_laplacian(2 - 3 * u)),
    "laplacian(u/3)": (lambda u: laplacian(u / 3), lambda u: plain_laplacian(u / 3)),
    "laplacian(u*v*x)": (lambda u, v, x: laplacian(u * v * x), lambda u, v, x: plain_laplacian(u * v * x)),
    "laplacian(u**3)": (lambda u: laplacian(u**3), lambda u: plain_laplacian(u**3)),
    "laplacian(sin(u)/v)": (lambda u, v: laplacian(sin(u) / v), lambda u, v: plain_laplacian(sympy.sin(u) / v)),
    "laplacian(x*exp(u))": (lambda u, x: laplacian(x * exp(u)), lambda u, x: plain_laplacian(x * sympy.exp(u))),
}


@pytest.mark.parametrize("name", LAPLACIANS)
def test_laplacians_read_one_second_derivative(name):
    read = []
    ours, truth = LAPLACIANS[name]
    found = call_by_name(ours, watched(read)).value
    np.testing.assert_allclose(found, numbers(call_by_name(truth, SOLUTION | dict(zip(NAMES, SYMBOLS, strict=True)))), rtol=1e-12)
    assert [alpha for alpha in read if len(alpha) > 1] == [laplacian_over([1, 2] if "tt" in name else [0, 1])]


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        (lambda u: u.xx + u.xx, {(0, 0)}),
        (lambda u: u.xx - u.yy, {(0, 0), (1, 1)}),
        (lambda u: u.xy + u.xx, {(0, 1), (0, 0)}),
        (lambda u: u.x.y + u.xx, {(0, 1), (0, 0)}),
        (lambda u: u.x + u.xx, {(0, 0)}),
    ],
)
def test_other_sums_are_read_term_by_term(expression, seconds):
    read = []
    assert expression(watched(read)["u"]).value is not None
    assert {alpha for alpha in read if len(alpha) == 2} == seconds


def test_derivatives_of_laplacians_are_taken_term_by_term():
    read = []
    u = watched(read)["u"]
    truth = plain_laplacian(SOLUTION["u"])
    np.testing.assert_allclose(laplacian(u).x.value, numbers(sympy.diff(truth, X)), rtol=1e-12)
    np.testing.assert_allclose(laplacian(laplacian(u)).value, numbers(plain_laplacian(truth)), rtol=1e-12)
    np.testing.assert_allclose(laplacian(u.t).value, numbers(plain_laplacian(sympy.diff(SOLUTION["u"], T))), rtol=1e-12)
    assert all(not is_sum(alpha) for alpha in read)
