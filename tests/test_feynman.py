"""The Feynman set: 120 formulas that can be read, are finite on their ranges, and are those of the textbooks."""

import math

import numpy as np
import pytest
import sympy

from kanpde.science.feynman import formula, formulas
from kanpde.symbolic.reading import read

pi, exp, sqrt, sin, cos = math.pi, np.exp, np.sqrt, np.sin, np.cos

# Written out by hand from the textbooks, argument for argument: above all those that other collections have wrong.
BY_HAND = {
    "I.6.20b": lambda theta, theta1, sigma: exp(-((theta - theta1) ** 2) / (2 * sigma**2)) / sqrt(2 * pi * sigma**2),
    "I.9.18": lambda G, m1, m2, x1, x2, y1, y2, z1, z2: G * m1 * m2 / ((x1 - x2) ** 2 + (y1 - y2) ** 2 + (z1 - z2) ** 2),
    "I.15.3t": lambda t, u, x, c: (t - u * x / c**2) / sqrt(1 - (u / c) ** 2),
    "I.16.6": lambda u, v, c: (u + v) / (1 + u * v / c**2),
    "I.27.6": lambda d1, d2, n: d1 * d2 / (d2 + n * d1),
    "I.32.5": lambda q, a, epsilon, c: q**2 * a**2 / (6 * pi * epsilon * c**3),
    "I.32.17": lambda epsilon, c, Ef, r, omega, omega_0: (
        epsilon * c * Ef**2 / 2 * 8 * pi * r**2 / 3 * omega**4 / (omega**2 - omega_0**2) ** 2
    ),
    "I.41.16": lambda h, omega, c, kb, T: h / (2 * pi) * omega**3 / (pi**2 * c**2 * np.expm1(h / (2 * pi) * omega / (kb * T))),
    "I.44.4": lambda n, kb, T, V1, V2: n * kb * T * (np.log(V2) - np.log(V1)),
    "II.6.15a": lambda epsilon, p_d, z, x, y, r: p_d / (4 * pi * epsilon) * 3 * z / r**5 * np.hypot(x, y),
    "II.11.28": lambda n, alpha: 1 + n * alpha / (1 - n * alpha / 3),
    "II.24.17": lambda omega, c, d: sqrt((omega / c) ** 2 - (pi / d) ** 2),
    "II.35.18": lambda n_0, mom, B, kb, T: n_0 / (2 * np.cosh(mom * B / (kb * T))),
    "III.9.52": lambda p_d, Ef, t, h, omega, omega_0: p_d * Ef * t / (h / (2 * pi)) * np.sinc((omega - omega_0) * t / (2 * pi)) ** 2,
    "III.19.51": lambda m, q, h, n, epsilon: -m * q**4 / (8 * epsilon**2 * h**2 * n**2),
    "Goldstein 3.16": lambda m, E_n, U, L, r: sqrt(2 / m * (E_n - U - L**2 / (2 * m * r**2))),
    "Goldstein 3.74": lambda d, G, m1, m2: 2 * pi * d**1.5 / sqrt(G * (m1 + m2)),
    "Goldstein 12.80": lambda m, p, omega, x, alpha, y: p**2 / (2 * m) + m * omega**2 * x**2 / 2 * (1 + alpha * x / y),
    "Jackson 2.11": lambda q, epsilon, y, Volt, d: (
        q * Volt * d / y**2 - q**2 * d * y / (4 * pi * epsilon * (y**2 - d**2) ** 2)
    ),
    "Jackson 3.45": lambda q, epsilon, r, d, alpha: q / (4 * pi * epsilon * sqrt(r**2 + d**2 - 2 * r * d * cos(alpha))),
    "Jackson 11.38": lambda c, v, omega, theta: sqrt(1 - v**2 / c**2) * omega / (1 + v / c * cos(theta)),
    "Weinberg 15.2.2": lambda G, k_f, r, H_G, alpha, c: -(c**4 * k_f / r**2 + c**2 * H_G**2 * (1 - 2 * alpha)) / (8 * pi * G),
    "Klein-Nishina": lambda omega, omega_0, alpha, h, m, c, beta: (
        pi * (alpha * h / (2 * pi) / (m * c)) ** 2 * (omega_0 / omega) ** 2 * (omega_0 / omega + omega / omega_0 - sin(beta) ** 2)
    ),
}  # fmt: skip


def values(one, points):
    symbols = [sympy.Symbol(name, real=True) for name in one.variables]
    return sympy.lambdify(symbols, read(one.text, one.variables), "numpy")(*points.T)


@pytest.mark.parametrize("name", BY_HAND)
def test_formulas_of_the_textbooks(name):
    one, wanted = formula(name), BY_HAND[name]
    points = one.points(200)
    columns = dict(zip(one.variables, points.T, strict=True))
    np.testing.assert_allclose(values(one, points), wanted(**columns), rtol=1e-12)


def test_there_are_120_and_all_are_finite_and_depend_on_their_variables():
    every = formulas()
    assert len(every) == 120 == len({one.name for one in every})
    for one in every:
        expression = read(one.text, one.variables)
        assert {str(symbol) for symbol in expression.free_symbols} == set(one.variables), one
        assert all(low < high for low, high in one.ranges.values())
        points = one.points(300, seed=1)
        assert points.shape == (300, len(one.variables)) and np.isfinite(values(one, points)).all(), one


def test_names():
    assert formula("I.6.2a") is formula("I.6.20a") and formula("test_20") is formula("Klein-Nishina")
    assert formula("II.13.17").ranges["I"] == (1.0, 5.0) and formula("I.18.12").ranges["theta"] == (0.0, 5.0)
    assert formula("Goldstein 3.74").title == "Kepler" and formula("I.8.14").output == "d"
    with pytest.raises(ValueError, match="no formula 'I.6.21' in the Feynman set; the nearest names are I.6.2"):
        formula("I.6.21")
    with pytest.raises(TypeError):
        formula("I.6.20").ranges["theta"] = (0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.1*x", "x/10"),
        ("2*x^2 - 1e-3", "2*x**2 - Rational(1, 1000)"),
        ("-x**2", "-x**2"),
        ("arcsin(x) + ln(2*pi)", "asin(x) + log(2*pi)"),
        ("E**x", "exp(x)"),
        ("max(x, 0)", "Max(x, 0)"),
        ("x/3", "x/3"),
    ],
)
def test_text_is_read_exactly(text, wanted):
    x = sympy.Symbol("x", real=True)
    assert read(text) == sympy.sympify(wanted, locals={"x": x})


def test_names_are_variables():
    i, gamma, beta, s = (sympy.Symbol(name, real=True) for name in ("I", "gamma", "beta", "S"))
    assert read("I*gamma + beta*S") == i * gamma + beta * s
    assert read("E*pi", ["E"]) == sympy.Symbol("E", real=True) * sympy.pi
    assert read("sqrt(x^2)") == sympy.Abs(sympy.Symbol("x", real=True))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x +", "is not a formula"),
        ("foo(x)", "no function 'foo'"),
        ("sine(x)", "did you mean 'sin'"),
        ("2(x + 1)", "neither arithmetic"),
        ("__import__('os').getcwd()", "neither arithmetic"),
        ("x if x else 1", "neither arithmetic"),
        ("'x'", "neither arithmetic"),
        ("sin(x, 2, 3)", "wrong number of arguments"),
        ("x < 1", "neither arithmetic"),
        ("True", "neither arithmetic"),
    ],
)
def test_what_is_no_formula(text, says):
    with pytest.raises(ValueError, match=says):
        read(text)
