"""Laws as values: what they print, what they compute, and that they come back from plain data as they were."""

import doctest
import json
import math
import pickle

import h5py
import numpy as np
import pytest
import sympy

from kanpde import draw_law, load, load_law, notation, save_law
from kanpde.notation import typeset, uncertain
from kanpde.symbolic import law as law_module
from kanpde.symbolic.law import VERDICTS, Candidate, Law, LawConstant, nodes
from kanpde.symbolic.reading import read
from kanpde.symbolic.samples import checked_data, checked_output


def real(names):
    return sympy.symbols(names, real=True, seq=True)


def of(expression, names, constants=(), **others):
    """A law of one output for tests."""
    given = dict(verdict="candidate", reason="it is a test", rms=0.01, noise=0.02, lead=6.5) | others
    return Law(tuple(names.split()), {"y": expression}, constants, **given)


def ringdown():
    t, c1, c2 = real("t c1 c2")
    front = (
        Candidate(sympy.Float(0.1) + 0.3 * t, 5, 0.4, 120.0),
        Candidate(sympy.exp(-0.3 * t) * sympy.cos(2 * sympy.pi * t), 12, 0.01, 60.5),
    )
    constants = (LawConstant("c1", 0.30018, 0.00042), LawConstant("c2", -1.5e-7, 2.3e-9), LawConstant("c3", 6.2832, 1e-4, "2*pi"))
    formula = sympy.exp(-c1 * t) * sympy.cos(2 * sympy.pi * t) + c2
    return Law(("t",), {"u": formula}, constants, "exact within noise", "chi2 is 1.02", 0.01, 0.0101, 132.25, front, ("400 fresh rows",))


@pytest.mark.parametrize("module", [law_module, notation])
def test_the_examples_in_the_docstrings(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("value", "sigma", "text"),
    [
        (0.30018, 0.00042, "0.3002(4)"),
        (0.30018, 0.00012, "0.30018(12)"),
        (-0.30018, 0.00097, "-0.3002(10)"),
        (1.5e-7, 2.3e-9, "1.50(2)e-7"),
        (0.0, 0.02, "0.00(2)"),
        (299792458.0, 31.0, "2.9979246(3)e8"),
        (12.0, 3.0, "12(3)"),
        (120.0, 30.0, "1.2(3)e2"),
        (2.0, 0.0, "2"),
        (math.pi, 0.0, "3.14159265358979"),
        (1 / 3, math.nan, "0.333333"),
        (1.0, 0.0996, "1.00(10)"),
        (9.9999, 0.02, "10.00(2)"),
    ],
)
def test_uncertain_numbers(value, sigma, text):
    assert uncertain(value, sigma) == text


def test_a_law_prints_its_formula_verdict_and_lead():
    assert str(ringdown()).splitlines() == [
        "u = -1.50(2)e-7 + exp(-0.3002(4)*t)*cos(2*pi*t)",
        "exact within noise: chi2 is 1.02",
        "residual rms 0.01, noise 0.0101; lead 132.2 nats",
    ]
    tried = str(of(real("x")[0], "x", verdict="no law", reason="a spline explains more"))
    assert tried.splitlines() == [
        "no law: a spline explains more",
        "the best of the formulas tried: y = x",
        "residual rms 0.01, noise 0.02",
    ]
    assert "no other structure" in str(of(real("x")[0], "x", lead=math.inf))
    assert str(of(real("x")[0], "x", verdict="proved", reason="the residual is identically zero")) == (
        "y = x\nproved: the residual is identically zero"
    )


def test_latex():
    lines = ringdown().latex().splitlines()
    assert lines[0] == r"u = c_{2} + e^{- c_{1} t} \cos{\left(2 \pi t \right)}"
    assert lines[1] == r"c_{1} = 0.3002(4), \quad c_{2} = -1.50(2) \times 10^{-7}"
    names = {
        "u_xx": "u_{xx}",
        "omega_0": r"\omega_{0}",
        "rho_c_0": r"\rho_{c,0}",
        "x12": "x_{12}",
        "Re": r"\mathrm{Re}",
        "theta1": r"\theta_{1}",
    }
    names |= {"wave length": r"\mathrm{wave\ length}", "E_kin": r"E_{\mathrm{kin}}", "g_": "g", "lambda": r"\lambda"}
    assert {name: typeset(name) for name in names} == names


CLASHING = (
    "I",
    "E",
    "S",
    "N",
    "beta",
    "gamma",
    "lambda",
    "sin",
    "pi",
    "Q",
    "O",
    "zeta",
    "exp",
    "wave length",
    "v1",
    "lambda_",
    "µ",
    "None",
)


@pytest.mark.parametrize(
    "make",
    [
        lambda x, y: sympy.sqrt(2) * sympy.exp(-(x**2) / 2) / (2 * sympy.sqrt(sympy.pi)),
        lambda x, y: sympy.exp(1) * x + sympy.E**y + sympy.pi,
        lambda x, y: 0.1 * x + sympy.Rational(1, 10) * y + sympy.Float(1 / 3),
        lambda x, y: sympy.factor(2 * x * y + 2 * y) / 3,
        lambda x, y: sympy.Mul(2, x + 1, evaluate=False) - sympy.Mul(3, y - x, evaluate=False),
        lambda x, y: 2 * (x + 1) * sympy.exp(y),
        lambda x, y: x ** sympy.Rational(-3, 2) * (-y) ** 3 / (2 * (x + y)),
        lambda x, y: sympy.coth(x) - 1 / x + sympy.Abs(y) + sympy.Max(x, y, 1) + sympy.Heaviside(x),
        lambda x, y: sympy.atan2(y, x) + sympy.asin(x) * sympy.erf(y) + sympy.sinc(x) + sympy.sign(y),
        lambda x, y: 1e-300 * x + sympy.Float(1.2345678901234567e80) * y,
        lambda x, y: 2 ** sympy.Rational(1, 3) * 3 ** sympy.Rational(2, 3) * x - y**sympy.pi,
    ],
)
def test_every_formula_comes_back(make):
    for first, second in [("x", "y"), *zip(CLASHING, CLASHING[1:], strict=False)]:
        one, other = sympy.Symbol(first, real=True), sympy.Symbol(second, real=True)
        expression = make(one, other)
        law = Law((first, second), {"y": expression}, (), "candidate", "", 0.0, 0.0, 1.0, (Candidate(expression, 1, 0.0, 1.0),))
        assert law.expression == expression, f"{first}, {second}: {law.expression} for {expression}"
        assert Law.from_plain(json.loads(json.dumps(law.to_plain()))) == law
        assert pickle.loads(pickle.dumps(law)) == law


def test_a_law_comes_back_with_all_it_says():
    law = ringdown()
    again = Law.from_plain(json.loads(json.dumps(law.to_plain())))
    assert again == law and str(again) == str(law) and again.to_plain() == law.to_plain()
    assert law.to_plain()["best"] == 1 and hash(law.constants) == hash(again.constants)
    nothing = Law(("x",), {}, (), "no law", "there is nothing to explain", 1.0, math.nan, math.inf)
    assert Law.from_plain(nothing.to_plain()).verdict == "no law" and str(nothing).startswith("no law: there is nothing")


def test_other_assumptions_become_real():
    x = sympy.Symbol("x", positive=True)
    assert of(sympy.sqrt(x), "x").expression.free_symbols == {sympy.Symbol("x", real=True)}


def test_python_code_stands_alone():
    names = "lambda numpy x y"
    symbols = real(names)
    functions = sum(
        (getattr(sympy, name)(symbols[2]) for name in ("coth", "sec", "cbrt", "asinh", "Abs", "sech", "csc", "cot")), sympy.Integer(0)
    )
    c1 = sympy.Symbol("c1", real=True)
    formula = (
        functions + sympy.Max(*symbols) ** 2 + c1 * sympy.sqrt(symbols[0]) / sympy.pi + sympy.Min(1, symbols[3]) + sympy.exp(symbols[1]) / 3
    )
    law = of(formula, names, (LawConstant("c1", -0.3, 0.01),))
    space: dict = {}
    exec(law.python(), space)
    points = np.random.default_rng(0).uniform(0.2, 1.4, (20, 4))
    assert space["y_"](*points.T) == pytest.approx(law(points), rel=1e-14)
    assert space["y_"](*points[0].tolist()) == pytest.approx(law(points)[0], rel=1e-14)
    x = real("x")[0]
    exec(of(sympy.erf(x), "x").python(), space)
    assert space["y"](0.5) == pytest.approx(math.erf(0.5))


def test_values():
    law = ringdown()
    t = np.linspace(0, 3, 7)
    wanted = np.exp(-0.30018 * t) * np.cos(2 * np.pi * t) - 1.5e-7
    for given in (t, t[:, None], {"t": t, "other": 0}):
        assert law(given) == pytest.approx(wanted, rel=1e-13)
    x, y = real("x y")
    assert of(sympy.Integer(3), "x").__call__(np.ones((4, 1))).tolist() == [3.0] * 4
    assert np.isnan(of(sympy.sqrt(x), "x")([[-1.0]])).all()
    pair = Law(("x", "y"), {"u": x, "v": x * y}, (), "candidate", "", 0, 0, 1)
    assert pair([[2, 3], [4, 5]]).tolist() == [[2, 6], [4, 20]] and pair({"x": 2, "y": [3, 4]}).shape == (2, 2)
    assert of(real("sin")[0] * 2, "sin")([[2.0]]).tolist() == [4.0]


def test_numbers_are_put_in():
    law = ringdown()
    assert law.numbers.free_symbols == {sympy.Symbol("t", real=True)} and law.valued["u"] == law.numbers
    assert [each.name for each in law.free] == ["c1", "c2"] and law.constants[2].snapped and str(law.constants[2]).endswith("that is 2*pi")


def test_nodes():
    x, y = real("x y")
    assert [nodes(each) for each in (x, x * y, x / 3, x**2, sympy.sqrt(2), sympy.exp(-x))] == [1, 3, 3, 3, 3, 4]


def test_mistakes_are_named():
    x = real("x")[0]
    with pytest.raises(ValueError, match="a verdict is one of proved, exact within noise, candidate, no law, got 'sure'"):
        of(x, "x", verdict="sure")
    with pytest.raises(ValueError, match="z, which is neither an input nor a constant: they are x"):
        of(real("z")[0], "x")
    with pytest.raises(ValueError, match="x is there twice"):
        of(x, "x", (LawConstant("x", 1.0, 0.1),))
    with pytest.raises(ValueError, match="finite and real"):
        of(x * sympy.I, "x")
    with pytest.raises(ValueError, match="no function 'besselj'"):
        of(sympy.besselj(0, x), "x")
    with pytest.raises(TypeError, match="sympy expression, got 'x"):
        of("x + 1", "x")
    with pytest.raises(ValueError, match="points are an array"):
        of(x, "x")(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="columns are missing for x"):
        of(x, "x")({"y": 1.0})
    with pytest.raises(ValueError, match="has a finite value and sigma >= 0"):
        LawConstant("c", 1.0, -1.0)
    with pytest.raises(ValueError, match="lacks 'constants'"):
        Law.from_plain({key: value for key, value in ringdown().to_plain().items() if key != "constants"})
    with pytest.raises(ValueError, match="neither arithmetic, a function"):
        Law.from_plain(ringdown().to_plain() | {"expressions": ["__import__('os').system('true')"]})
    with pytest.raises(ValueError, match="2 formulas"):
        _ = Law(("x",), {"u": x, "v": x}, (), VERDICTS[2], "", 0, 0, 1).expression


# ---- files ----


def test_a_law_in_a_file_of_its_own(tmp_path):
    law, t = ringdown(), np.linspace(0, 3, 50)
    path = save_law(law, tmp_path / "new" / "law.h5", data=(t, law(t)), about={"data": "ringdown.csv"})
    assert load_law(path) == law and [each.name for each in path.parent.iterdir()] == ["law.h5"]
    with h5py.File(path) as file:
        about = dict(file["provenance"].attrs)
        assert about["rows"] == 50 and about["upper"] == [3.0] and len(about["data_sha256"]) == 64 and about["data"] == "ringdown.csv"
        assert file["law"].attrs["verdict"] == "exact within noise"
        assert file["law/constants/snapped"][()].tolist() == [False, False, True]
        assert file["law/candidates/sympy"].asstr()[1] == "exp(-0.3*t)*cos(2*pi*t)"
    nothing = Law(("x",), {}, (), "no law", "there is nothing to explain", 1.0, 2.0, math.inf)
    assert load_law(save_law(nothing, tmp_path / "nothing.h5")) == nothing
    names = Law(("lambda", "x"), {"E": real("lambda")[0] ** 2}, (), "candidate", "", 0, 0, 1)
    assert load_law(save_law(names, tmp_path / "names.h5")) == names
    with pytest.raises(ValueError, match="holds a law and no run; read it with load_law"):
        load(path)


def damaged(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.__delitem__("law"), "without a law"),
        (lambda file: file["law"].__delitem__("constants"), "incomplete or damaged.*save the law again"),
        (lambda file: file["law"].attrs.__delitem__("verdict"), "incomplete or damaged"),
        (lambda file: file["law"].attrs.__setitem__("verdict", "sure"), "a verdict is one of"),
        (lambda file: file["law/expressions"].__setitem__(0, "exit()"), "no function 'exit'"),
        (lambda file: file["law/expressions"].__setitem__(0, "x*zz"), "zz, which is neither an input nor a constant"),
        (lambda file: [file["law/constants"].__delitem__("name"), file["law/constants"].create_dataset("name", data=["c1"])], "lengths"),
    ],
)
def test_a_damaged_law_is_said_to_be_so(tmp_path, change, words):
    path = damaged(save_law(ringdown(), tmp_path / "law.h5"), change)
    with pytest.raises(ValueError, match=words) as raised:
        load_law(path)
    assert str(path) in str(raised.value)


def test_a_truncated_law(tmp_path):
    path = save_law(ringdown(), tmp_path / "law.h5")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match="truncated or damaged"):
        load_law(path)
    with pytest.raises(FileNotFoundError, match="could not read a law"):
        load_law(tmp_path / "none.h5")


# ---- the card ----


def texts(figure, gid=None):
    return [each.get_text() for each in figure.texts if gid is None or each.get_gid() == gid]


def inside(figure):
    """Whether all words lie on the figure."""
    box = figure.bbox
    extents = [each.get_window_extent() for each in figure.texts if each.get_text()]
    return all(each.x0 >= box.x0 and each.x1 <= box.x1 + 1 and each.y0 >= box.y0 and each.y1 <= box.y1 + 1 for each in extents)


def test_the_card_of_a_short_law():
    law, t = ringdown(), np.linspace(0, 3, 200)
    figure = draw_law(law, t, law(t) + 0.01, title="ring $ down")
    assert texts(figure, "verdict") == ["exact within noise"] and texts(figure, "title") == [r"ring \$ down"]
    assert texts(figure, "formula") == [r"$u = c_{2} + e^{- c_{1} t} \cos{\left(2 \pi t \right)}$"]
    assert {"$0.3002(4)$", "$2 \\pi$", "free"} <= set(texts(figure, "table")) and "leads by 132.2 nats" in texts(figure, "words")[1]
    assert len(figure.axes) == 4 and inside(figure)
    chosen = [line for line in figure.axes[1].lines if line.get_gid() == "chosen"]
    assert [float(each) for each in chosen[0].get_xydata()[0]] == [12.0, 0.01]
    residuals = next(line for ax in figure.axes for line in ax.lines if line.get_gid() == "residuals")
    assert residuals.get_ydata() == pytest.approx(0.01)


def long_law(inner):
    symbols = real("x y c1 c2 c3 c4 c5 c6 c7 c8 c9 c10")
    x, y, constants = symbols[0], symbols[1], symbols[2:]
    more = sum((sympy.cos(k * x + y) ** 2 for k in range(1, 20)), sympy.Integer(0)) if inner else 0
    total = more + sum((c * sympy.sin(k * x) * sympy.exp(-k * y) / (1 + x**2) ** k for k, c in enumerate(constants, 1)), sympy.Integer(0))
    values = tuple(LawConstant(f"c{k}", 1.5 * k, 1e-3) for k in range(1, 11))
    return Law(("x", "y"), {"f": 1 / (1 + total) if inner else total}, values, "candidate", "word " * 60, 0.1, math.nan, 2.0)


def test_the_card_of_a_long_law():
    figure = draw_law(long_law(False))
    assert len(texts(figure, "formula")) > 1 and texts(figure, "formula")[1].startswith(r"$\qquad ") and inside(figure)
    assert "and 2 more" in texts(figure, "table")
    figure = draw_law(long_law(True))  # cannot be broken: as text
    assert texts(figure, "formula")[0].startswith("f = 1/(") and inside(figure)


def test_cards_of_laws_that_lack_things():
    x = real("x")[0]
    nothing = Law(("x",), {}, (), "no law", "there is nothing to explain", 1.0, math.nan, math.inf, (Candidate(x, 1, 1.0, 3.0),))
    proved = Law(("x",), {"u": x, "v": x**2}, (), "proved", "the residual is zero", 0, 0, math.inf, kind="solution")
    for law in (nothing, proved):
        figure = draw_law(law)
        assert texts(figure, "verdict") == [law.verdict] and inside(figure)
    assert len(texts(figure, "formula")) == 2
    with pytest.raises(ValueError, match="give both"):
        draw_law(proved, [[1.0]])


# ---- what cannot be saved, drawn, read ----


def decaying():
    t, c1 = (sympy.Symbol(name, real=True) for name in ("t", "c1"))
    return Law(("t",), {"y": sympy.exp(-c1 * t)}, (LawConstant("c1", 0.3, 0.01),), "candidate", "a reason", 0.01, 0.01, 3.2)


T = np.linspace(0, 3, 50)
Y = np.exp(-0.3 * T)


@pytest.mark.parametrize(
    ("X", "y", "error", "words"),
    [
        (T, Y[:5], ValueError, r"got the shapes \(50, 1\) and \(5,\)"),
        (T, np.where(T > 1, np.nan, Y), ValueError, "y is nan in row 17"),
        (np.where(T > 1, np.inf, T), Y, ValueError, "t is inf in row 17"),
        (T, Y + 1j, TypeError, "y must be real numbers"),
        (["a"] * 50, Y, TypeError, "X must be real numbers"),
        ({"z": T}, Y, ValueError, "columns are missing for t"),
        (np.ones((50, 3)), Y, ValueError, r"an array \(n, 1\) of t"),
    ],
)
def test_data_that_do_not_fit_a_law_are_neither_saved_nor_drawn(tmp_path, X, y, error, words):
    for attempt in (lambda: save_law(decaying(), tmp_path / "law.h5", data=(X, y)), lambda: draw_law(decaying(), X, y)):
        with pytest.raises(error, match=words):
            attempt()
    assert not any(tmp_path.iterdir())


def test_what_is_no_law_is_neither_saved_nor_drawn(tmp_path):
    for thing in (None, "y = x"):
        with pytest.raises(TypeError, match="takes a Law, as discover, polish and extract give"):
            save_law(thing, tmp_path / "law.h5")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="takes a Law"):
            draw_law(thing)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the pair"):
        save_law(decaying(), tmp_path / "law.h5", data=(T, Y, Y))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="about is texts and numbers by name"):
        save_law(decaying(), tmp_path / "law.h5", about=3)  # type: ignore[arg-type]


def test_columns_by_name_are_saved_and_drawn_as_rows(tmp_path):
    for data, name in (((T, Y), "rows.h5"), (({"t": T}, Y), "columns.h5")):
        save_law(decaying(), tmp_path / name, data=data)
    with h5py.File(tmp_path / "rows.h5") as one, h5py.File(tmp_path / "columns.h5") as other:
        assert one["provenance"].attrs["data_sha256"] == other["provenance"].attrs["data_sha256"]
    assert draw_law(decaying(), {"t": T}, Y).axes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9**9**9", "too great a power"),
        ("9.5**9**9*x", "too great a power"),
        ("2**(-9**9)", "too great a power"),
        ("x**(9**9)", "too great a power"),
        ("(2*x)**(7**20)", "too great a power"),
        ("2**(x/x*10**9)", "too great a power"),
        ("(((2*x)**1000)**1000)**1000", "too great a power"),
        ("1e999999999", "beyond what numbers can be"),
        ("1e-999999999*x", "beyond what numbers can be"),
        ("(" * 300 + "x" + ")" * 300, "nested too deeply"),
        ("-" * 3000 + "x", "nested too deeply"),
        ("sin(" * 90 + "x" + ")" * 90, "nested too deeply"),
        ("+".join(f"sin({k}*x)" for k in range(9000)), "too long"),
        ("x" * 200_000, "too long for a formula"),
    ],
)
def test_formulas_that_would_take_for_ever_are_refused_at_once(text, words):
    for as_written in (False, True):
        with pytest.raises(ValueError, match=words) as error:
            read(text, ["x"], as_written=as_written)
        assert len(str(error.value)) < 500


def test_long_formulas_are_read():
    x = sympy.Symbol("x", real=True)
    text = " + ".join(f"{k}*x**{k}" for k in range(1, 400))
    assert read(text) == sympy.Add(*(k * x**k for k in range(1, 400))) == read(text, as_written=True)
    assert read("/".join(["x", *["2"] * 300])) == x / 2**300 == read("/".join(["x", *["2"] * 300]), as_written=True)
    assert read("1 - x/2 - x**2/3*4/5 + 3 - 2*-x") == 4 + sympy.Rational(3, 2) * x - 4 * x**2 / 15
    with pytest.raises(TypeError, match="a formula is a text"):
        read(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a part that no number is"):
        read("exp(exp(exp(exp(9.0))))", as_written=True)


def test_a_law_file_with_a_formula_without_end_is_refused(tmp_path):
    path = save_law(decaying(), tmp_path / "law.h5")
    with h5py.File(path, "r+") as file:
        file["law/expressions"][0] = "9**9**9*t"
    with pytest.raises(ValueError, match="too great a power"):
        load_law(path)
    with pytest.raises(ValueError, match="too great a power"):
        LawConstant("c1", 1.0, 0.1, "9**9**9")


def test_names_that_python_reads_alike_are_one():
    micro, greek = "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"
    a, b = (sympy.Symbol(name, real=True) for name in (micro, greek))
    with pytest.raises(ValueError, match="is there twice"):
        Law((micro, greek), {"y": a + b}, (), "candidate", "", 0, 0, 1)
    X = np.random.default_rng(0).uniform(1, 2, (60, 2))
    with pytest.raises(ValueError, match="are one, as Python reads them"):
        checked_data(X, X[:, 0], [micro, greek])
    with pytest.raises(ValueError, match="as a column is"):
        checked_output(greek, [micro])
    assert read(f"2*{micro}", [micro]) == 2 * a and read(f"2*{greek}", [micro]) == 2 * a


def test_names_that_would_look_alike_are_typeset_letter_by_letter():
    a, b, c = (sympy.Symbol(name, real=True) for name in ("x1", "x_1", "x2"))
    law = Law(("x1", "x_1", "x2"), {"y": a + 2 * b + c}, (), "candidate", "", 0, 0, 1, front=(Candidate(a + b, 3, 1.0, 1.0),))
    assert law.latex() == r"y = \mathrm{x1} + x_{2} + 2 \mathrm{x\_1}"
    assert law.to_plain()["candidates"]["latex"] == [r"\mathrm{x1} + \mathrm{x\_1}"]


def test_constants_say_which_unit_they_carry(tmp_path):
    t, c1 = (sympy.Symbol(name, real=True) for name in ("t", "c1"))
    law = Law(("t",), {"h": c1 * t**2}, (LawConstant("c1", -4.905, 0.002, unit="kg*m/s^2"),), "candidate", "", 0.1, 0.1, 3.0)
    assert law.formula == "h = -4.905(2)[kg*m/s^2]*t**2" and str(law.constants[0]) == "c1 = -4.905(2) kg*m/s^2"
    assert law.latex().endswith(r"c_{1} = -4.905(2)\ \mathrm{kg\,m/s^{2}}")
    path = save_law(law, tmp_path / "law.h5")
    assert load_law(path).constants == law.constants and r"$\ \mathrm{kg\,m/s^{2}}$" in [
        each.get_text() for each in draw_law(law).texts if each.get_gid() == "table"
    ]
    with h5py.File(path, "r+") as file:
        del file["law/constants/unit"]  # as files of before were
    assert load_law(path).constants[0].unit == ""


def test_rows_of_the_card_are_as_tall_as_what_stands_in_them():
    exact = ("17/64", "sqrt(2)*sqrt(pi)/3", "5/(12*pi**(3/2))", "-7/12", "1/pi**(3/2)", "2*pi", "3/7")
    t = sympy.Symbol("t", real=True)
    constants = tuple(LawConstant(f"c{k}", float(sympy.sympify(text)), 1e-6, text) for k, text in enumerate(exact, 1))
    figure = draw_law(Law(("t",), {"y": 3 * t / 7}, constants, "candidate", "", 0.1, 0.1, 3.0))
    rows = {}
    for each in figure.texts:
        if each.get_gid() == "table" and each.get_text():
            box = each.get_window_extent()
            low, high = rows.get(each.get_position()[1], (box.y0, box.y1))
            rows[each.get_position()[1]] = min(low, box.y0), max(high, box.y1)
    order = [rows[y] for y in sorted(rows, reverse=True)]
    assert len(order) == 8
    for (low, _), (_, high) in zip(order, order[1:], strict=False):
        assert low - high > 0.03 * figure.dpi  # inches between a row and the next
