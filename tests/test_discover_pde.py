"""Evolution equations from scattered, noisy samples, and the reference solutions that the samples are drawn from."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from kanpde.discovery import discover_pde
from kanpde.discovery.equations.denoising import Design, Samples, denoised
from kanpde.discovery.equations.tensor import Factor, one_thread
from kanpde.discovery.equations.terms import Language, Term, library, written
from kanpde.discovery.equations.verdicts import snapped
from kanpde.functions import sin
from kanpde.science.burgers import cole_hopf
from kanpde.science.evolution import evolve, heat, samples

LINE = Language("u", ("x",), "t")
u, u_x, u_xx = sympy.symbols("u u_x u_xx", real=True)


def drawn(solution, noise, seed=0, count=2000):
    columns = samples(solution, count, noise=noise, seed=seed)
    return columns, columns.pop("u")


# ---- reference solutions ----


def test_burgers_agrees_with_cole_and_hopf():
    wave = evolve(
        lambda x: -np.sin(np.pi * x),
        linear=lambda d: 0.05 * d**2,
        nonlinear=lambda u, d: -d(u**2 / 2, 1),
        lower=-1,
        period=2,
        points=192,
        steps=800,
    )
    x, t = np.random.default_rng(0).uniform([[-1.0], [0.0]], [[1.0], [1.0]], (2, 200))
    assert np.abs(wave(x, t) - cole_hopf(x, t, 0.05)).max() < 1e-9


def test_kdv_agrees_with_two_solitons():
    def solitons(x, t, k1=0.9, k2=0.6, x1=-6.0, x2=0.0):
        e1, e2 = np.exp(2 * k1 * (x - x1 - 4 * k1**2 * t)), np.exp(2 * k2 * (x - x2 - 4 * k2**2 * t))
        both = ((k1 - k2) / (k1 + k2)) ** 2 * e1 * e2
        tau = 1 + e1 + e2 + both
        first = 2 * (k1 * e1 + k2 * e2 + (k1 + k2) * both)
        return 2 * (4 * (k1**2 * e1 + k2**2 * e2 + (k1 + k2) ** 2 * both) / tau - (first / tau) ** 2)

    wave = evolve(
        lambda x: solitons(x, 0.0),
        linear=lambda d: -(d**3),
        nonlinear=lambda u, d: -3 * d(u**2, 1),
        lower=-24,
        period=48,
        duration=2,
        points=256,
        steps=1000,
    )
    x, t = np.random.default_rng(0).uniform([[-15.0], [0.0]], [[15.0], [2.0]], (2, 200))
    assert np.abs(wave(x, t) - solitons(x, t)).max() < 1e-6


def test_two_dimensions_and_bad_questions():
    wave = evolve(
        lambda x, y: np.sin(x) * np.cos(y), linear=lambda dx, dy: 0.1 * (dx**2 + dy**2), period=(2 * np.pi, 2 * np.pi), points=16, steps=10
    )
    assert wave(1.0, 2.0, 0.5) == pytest.approx(np.exp(-0.1) * np.sin(1.0) * np.cos(2.0), abs=1e-13)
    with pytest.raises(ValueError, match="takes 3 coordinates"):
        wave(1.0, 0.5)
    with pytest.raises(ValueError, match="times from 0 to 1"):
        wave(1.0, 2.0, 1.5)
    with pytest.raises(ValueError, match="unstable"), np.errstate(all="ignore"):
        evolve(np.sin, linear=lambda d: -10 * d**2, points=64, steps=50)


# ---- the parts ----


def test_banded_sums_are_those_of_the_full_matrices():
    draw = np.random.default_rng(0)
    data = Samples(draw.uniform(size=(2, 60)), draw.standard_normal(60))
    splines = data.splines((3, 4))
    design = Design(data, splines)
    full = np.zeros((60, splines.size))
    for n in range(60):
        full[n, design.first[n] + splines.offsets] = design.rows[n]
    weight = 1e-3 * np.ones(2)
    banded = design.gram + design.penalised(weight)
    square = np.zeros((splines.size, splines.size))
    for lag, diagonal in enumerate(banded):
        square += np.diag(diagonal[: splines.size - lag], -lag)
    square += np.tril(square, -1).T
    coefficients = draw.standard_normal(splines.size)
    assert splines.times(banded, coefficients) == pytest.approx(square @ coefficients)
    assert design.right == pytest.approx(full.T @ data.values)
    assert np.diag(full.T @ full) == pytest.approx(design.gram[0])
    assert Factor(banded).solve(design.right) == pytest.approx(np.linalg.solve(square, design.right), rel=1e-5, abs=1e-7)
    middles = np.meshgrid(*((np.arange(n) + 0.5) / n for n in splines.cells), indexing="ij")
    box = [low + (high - low) * m.ravel() for low, high, m in zip(splines.lower, splines.upper, middles, strict=True)]
    first, tables = splines.tables(box, [0, 0])
    rows = splines.rows(tables, [0, 0])
    assert splines.cell_gram(rows) == pytest.approx(splines.gram(rows, first))


def test_the_noise_is_estimated_and_taken_off():
    columns, values = drawn(heat(), 0.1)
    with one_thread():
        smooth = denoised(Samples(np.stack([columns["x"], columns["t"]]), values))
    exact = heat()(columns["x"], columns["t"])
    assert smooth.noise == pytest.approx(0.1 * exact.std(), rel=0.05)
    assert np.sqrt(np.mean((smooth.design.fitted(smooth.coefficients) - exact) ** 2)) < 0.02 * exact.std()


def test_weak_forms_add_up_to_the_terms():
    x = sympy.Symbol("x", real=True)
    field = sympy.sin(x) + x**2 / 3
    values = {
        sympy.Symbol(name, real=True): sympy.diff(field, x, *alpha) if alpha[0] else field for name, alpha in LINE.derivatives.items()
    }
    for term in [*library(LINE, 4, 2), Term(sympy.sin(u) * u_x, LINE), Term(u / (1 + u), LINE)]:
        weak = sum(sympy.diff(F.xreplace(values), x, alpha[0]) if alpha[0] else F.xreplace(values) for F, alpha in term.weak)
        assert abs(float((weak - term.expression.xreplace(values)).subs(x, 0.7))) < 1e-9, term


def test_terms_are_texts_expressions_and_functions():
    one, two, three, four = written(["sin(u)*u_x", u / (1 + u), lambda u: sin(u) ** 2 * u.xx, lambda u, x: x * u.x], LINE)
    assert one.expression == sympy.sin(u) * u_x and two.expression == u / (u + 1)
    assert three.expression == sympy.sin(u) ** 2 * u_xx
    assert four.expression == sympy.Symbol("x", real=True) * u_x
    assert Language("h", ("r", "theta"), "t").name((2, 1)) == "h_r_r_theta"


def test_numbers_snap_only_where_that_is_no_chance():
    values, exact = snapped(np.array([-5.999, 0.0931, 0.33]), np.diag([0.004, 0.0001, 0.2]) ** 2)
    assert exact == [Fraction(-6), None, None] and values[0] == -6
    assert snapped(np.array([0.737]), np.array([[0.03**2]]))[1] == [None]
    assert snapped(np.array([-5.999]), np.array([[0.01**2]]))[1] == [None]  # two numbers in a hundred lie as near to one as simple


# ---- discovery ----


def test_heat_at_ten_percent_noise():
    columns, values = drawn(heat(), 0.1)
    law = discover_pde(columns, values)
    assert law.kind == "equation" and law.verdict == "exact within noise", law
    (constant,) = law.constants
    assert law.numbers.free_symbols == {u_xx}
    assert abs(float(law.numbers.coeff(u_xx)) - 0.1) < 3 * constant.sigma and 0.001 < constant.sigma < 0.006
    assert law.lead > 5 and law.noise == pytest.approx(law.rms, rel=0.1)


def test_a_term_of_the_users():
    wave = evolve(
        lambda x: 2.5 * np.sin(x) + 1.2 * np.cos(2 * x),
        linear=lambda d: 0.05 * d**2,
        nonlinear=lambda u, d: -np.sin(u),
        points=96,
        steps=300,
        duration=2,
    )
    columns, values = drawn(wave, 0.05)
    law = discover_pde((columns["x"], columns["t"]), values, terms="sin(u)")
    assert law.verdict == "exact within noise", law
    assert {str(term) for term in (sympy.sin(u), u_xx)} == {str(each.as_coeff_Mul()[1]) for each in law.numbers.as_ordered_terms()}
    assert float(law.numbers.coeff(sympy.sin(u))) == pytest.approx(-1, abs=0.03)
    assert float(law.numbers.coeff(u_xx)) == pytest.approx(0.05, abs=0.004)


def test_no_law_where_there_is_none():
    draw = np.random.default_rng(0)
    x, t = draw.uniform(-4, 4, 1500), draw.uniform(0, 2, 1500)
    moving = np.exp(-((x - np.sin(3 * t)) ** 2))  # its velocity depends on time
    law = discover_pde((x, t), moving + 0.03 * draw.standard_normal(1500), order=2)
    assert law.verdict == "no law" and not law.expressions and "left out" in law.reason
    law = discover_pde((x, t), draw.standard_normal(1500))
    assert law.verdict == "no law" and "noise" in law.reason


GOOD = {"x": np.linspace(0, 1, 60), "t": np.linspace(0, 1, 60) ** 2}
VALUES = np.sin(GOOD["x"] + GOOD["t"])


@pytest.mark.parametrize(
    ("coordinates", "values", "options", "message"),
    [
        (GOOD, np.where(np.arange(60) == 7, np.nan, VALUES), {}, "the column u has nan at place 7"),
        (GOOD | {"x": np.full(60, np.inf)}, VALUES, {}, "the column x has inf"),
        (GOOD, np.ones(60), {}, "the same in all samples"),
        (GOOD, VALUES[:-1], {}, "differ in length: x has 60, t has 60, u has 59"),
        ({k: v[:20] for k, v in GOOD.items()}, VALUES[:20], {}, "20 samples are too few"),
        ({"x": GOOD["x"], "s": GOOD["t"]}, VALUES, {}, "there is no time among the coordinates x, s"),
        (GOOD, VALUES, {"name": "x"}, "names both the field and a coordinate"),
        (GOOD | {"u_x": GOOD["x"]}, VALUES, {}, "has the name of a derivative"),
        ({"t": GOOD["t"]}, VALUES, {}, "one coordinate of space or two"),
        (GOOD | {"t": np.arange(60) % 3}, VALUES, {}, "3 different values of t"),
        ((GOOD["x"],), VALUES, {}, "coordinates without names"),
        (GOOD, VALUES.reshape(6, 10), {}, "must have the shape"),
        (GOOD, VALUES, {"terms": ["u_y"]}, "there is no 'u_y'"),
        (GOOD, VALUES, {"terms": ["sinus(u)"]}, "no function 'sinus'"),
        (GOOD, VALUES, {"terms": ["sin(u", "u"]}, "not a formula"),
        (GOOD, VALUES, {"terms": ["u_t"]}, "no derivatives by t"),
        (GOOD, VALUES, {"terms": ["u_xt"]}, "no derivatives by t"),
        (GOOD, VALUES, {"terms": [lambda u: u.t]}, "no derivatives by t"),
        (GOOD, VALUES, {"terms": [lambda v: v]}, "asks for v"),
        (GOOD, VALUES, {"terms": ["sin(u)", "sin(u)*1"]}, "stands twice"),
        (GOOD, VALUES, {"terms": ["u**2"]}, "combination of terms that are there already"),
        (GOOD, VALUES, {"terms": ["log(u - 2)"]}, "not finite at the measured u="),
        (GOOD, VALUES, {"terms": ["3"]}, "is a number"),
        (GOOD, VALUES, {"polynomials": False}, "no term to look for"),
        (GOOD, VALUES, {"order": 9}, "at most 5"),
        (GOOD, VALUES, {"most": 0}, "most must be a whole number"),
        (GOOD, VALUES, {"power": 50}, "power, the highest of u in the library, may be at most 5, got 50"),
        (GOOD | {"t": 3 * GOOD["x"] - 1}, VALUES, {}, "the coordinates x and t are one"),
        (GOOD, 1e200 * VALUES, {}, "u is of the size of .*e.20"),
        (GOOD, 1e-200 * VALUES, {}, "u is of the size of .*e-20"),
        (GOOD | {"x": 1e200 * GOOD["x"]}, VALUES, {}, "the range of x is of the size of"),
        (GOOD, np.ma.masked_greater(VALUES, VALUES.mean()), {}, "u has masked values"),
    ],
)
def test_bad_input_is_named(coordinates, values, options, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        discover_pde(coordinates, values, **options)


def test_columns_must_be_numbers():
    with pytest.raises(TypeError, match="the column x must be real numbers"):
        discover_pde(GOOD | {"x": ["a"] * 60}, VALUES)
    with pytest.raises(TypeError, match="a term is a text"):
        discover_pde(GOOD, VALUES, terms=[3])
    with pytest.raises(TypeError, match="columns by name, such as .*, got None"):
        discover_pde(None, VALUES)  # type: ignore[arg-type]
    for values, told in (
        (None, "NoneType"),
        (VALUES + 1j, "real numbers"),
        ([str(u) for u in VALUES], "real numbers"),
        (VALUES > 0, "true"),
    ):
        with pytest.raises(TypeError, match=f"the column u .*{told}"):
            discover_pde(GOOD, values)  # type: ignore[arg-type]
