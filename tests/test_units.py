"""Units: what is understood, what balances, and what laws say of constants that must carry some."""

import doctest
from fractions import Fraction

import numpy as np
import pytest

from kanpde.discovery import discover, polish
from kanpde.discovery.units import dimensionless
from kanpde.symbolic import units as room
from kanpde.symbolic.forms import Form
from kanpde.symbolic.units import Units, dimensions, unit_text

X = np.random.default_rng(0).uniform(0.5, 2, 300)
NOISE = np.random.default_rng(1).standard_normal(300)


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(room).failed == 0 < doctest.testmod(room).attempted


@pytest.mark.parametrize(
    ("text", "powers"),
    [
        ("1", {}),
        ("", {}),
        ("rad", {}),
        ("kg m", {"kg": 1, "m": 1}),
        ("kg*m", {"kg": 1, "m": 1}),
        ("kg\N{MIDDLE DOT}m", {"kg": 1, "m": 1}),
        ("N", {"kg": 1, "m": 1, "s": -2}),
        ("m**2/s", {"m": 2, "s": -1}),
        ("m\N{SUPERSCRIPT TWO} s\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT ONE}", {"m": 2, "s": -1}),
        ("J/(kg*K)", {"m": 2, "s": -2, "K": -1}),
        ("J/kg/K", {"m": 2, "s": -2, "K": -1}),
        ("m s^-2", {"m": 1, "s": -2}),
        ("V A/W", {}),
        ("V/Ohm", {"A": 1}),
        ("F \N{GREEK CAPITAL LETTER OMEGA}", {"s": 1}),
        ("T m^2/Wb", {}),
        ("C/(A s)", {}),
        ("H", {"kg": 1, "m": 2, "s": -2, "A": -2}),
        ("Pa m^2/N", {}),
        ("Hz^(1/2)", {"s": Fraction(-1, 2)}),
        ("%", {"10": -2}),
        ("km", {"10": 3, "m": 1}),
        ("mm", {"10": -3, "m": 1}),
        ("\N{MICRO SIGN}m^2", {"10": -12, "m": 2}),
        ("g", {"10": -3, "kg": 1}),
        ("kW h", {"10": 3, "kg": 1, "m": 2, "s": -3, "h": 1}),
    ],
)
def test_units_that_are_understood(text, powers):
    assert dimensions(text, "x") == powers


@pytest.mark.parametrize(
    "text", ["furlong", "degC", "2*m", "m^x", "m/", "kkg", "m + s", "m^1000", None, 3, "m" * 5000, "(" * 500 + "m" + ")" * 500]
)
def test_units_that_are_not(text):
    with pytest.raises(ValueError, match=r"of x is not understood\. A unit is '1' or a product of powers, .*kg.*Pa.*eV"):
        dimensions(text, "x")


def test_units_that_may_be_read_in_two_ways():
    with pytest.raises(ValueError, match=r"two ways: write what is divided by in parentheses, as in J/\(kg\*K\)"):
        dimensions("J/kg K", "x")


def test_units_are_written_as_they_are_read():
    for text in ("kg*m/s^2", "1/(m*s)", "m^(1/2)", "1", "10^3*m"):
        assert unit_text(dimensions(text, "x")) == text


# ---- what balances ----

LENGTH_OF_TIME = Units.of({"t": "s", "h": "m"}, ["t"], "h")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2.5 - 4.9*t**2", ["m", "m/s^2"]),
        ("2.5*exp(-0.3*t)", ["m", "1/s"]),
        ("2.5*t/(1 + 0.3*t)", ["m/s", "1/s"]),
        ("2.5*sqrt(t)", ["m/s^(1/2)"]),
        ("2.5*Abs(t)", ["m/s"]),
        ("2.5*sign(t)", ["m"]),
        ("2.5*t**1.37", ["1", "m/s^(137/100)"]),
        ("2.5*exp(-t)", None),
        ("2.5*log(t)", None),
        ("1.5*t + 1", None),
        ("t", None),
    ],
)
def test_the_units_of_constants(text, wanted):
    form, _ = Form.of(text, ["t"])
    found = LENGTH_OF_TIME.balance(form)
    assert found is None if wanted is None else found is not None and sorted(map(unit_text, found)) == sorted(wanted)
    assert wanted is not None or LENGTH_OF_TIME.fault(form, ["t"])


def test_as_few_constants_as_can_be_carry_a_unit():
    units = Units.of({"r": "m", "A": "m^2"}, ["r"], "A")
    form, _ = Form.of("3.3*r**2 + 1.7*r", ["r"])
    assert sorted(unit_text(each) for each in units.balance(form) or ()) == ["1", "m"]
    either, _ = Form.of("a*r/(b + r)", ["r"])
    double, _ = Form.of("a*b*r", ["r"])
    for k in (0, 1):
        assert [unit_text(each) for each in units.balance(double, pure=[k]) or ()] == (["1", "m"] if k == 0 else ["m", "1"])
    assert sorted(unit_text(each) for each in units.balance(either) or ()) == ["m", "m^2"]


def test_groups_of_what_has_no_unit():
    units = Units.of({"a": "1", "b": "1", "y": "1"}, ["a", "b"], "y")
    groups = dimensionless(units, 2)
    assert groups is not None and groups.count == 2
    assert dimensionless(LENGTH_OF_TIME, 1) is None  # no power of a time is a length


# ---- laws ----


def test_a_number_that_must_carry_a_unit_is_none():
    bound = discover({"r": X}, 3.3 * X**2 + 1, units={"r": "m", "A": "m^2"}, output="A", seconds=4)
    (carries,) = [each for each in bound.constants if each.unit]
    assert carries.unit == "m^2" and not carries.exact and carries.value == pytest.approx(1)
    assert "[m^2]" in bound.formula and "33*r**2/10" in bound.formula
    assert bound.verdict == "exact within noise" and f"constants must carry units: {carries.name} in m^2" in bound.reason
    free = polish("3.1*r**2 + 1.2", {"r": X}, 3.3 * X**2 + 1, seconds=0.01)
    assert free.formula == "y = 33*r**2/10 + 1"


def test_a_fall_has_its_acceleration():
    law = polish("1.4 - 5.0*t**2", {"t": X}, 1.5 - 4.905 * X**2 + 0.01 * NOISE, units={"t": "s", "h": "m"}, output="h", seconds=0.01)
    assert sorted(each.unit for each in law.free) == ["m", "m/s^2"] and law.verdict in ("exact within noise", "candidate")


def test_pure_numbers_still_snap():
    law = polish(
        "0.6*m*v**2", {"m": X, "v": X[::-1]}, 0.5 * X * X[::-1] ** 2, units={"m": "kg", "v": "m/s", "E": "J"}, output="E", seconds=0.01
    )
    assert law.formula == "E = m*v**2/2" and law.verdict == "exact within noise" and "units" not in law.reason


@pytest.mark.parametrize("text", ["1.1*cos(1*x)", "1.0*log(x)"])
def test_what_no_units_balance_is_a_candidate(text):
    y = np.cos(X) if "cos" in text else 2 * np.log(X)
    law = polish(text, {"x": X}, y, units={"x": "m", "s": "1"}, output="s", seconds=0.01)
    assert law.verdict == "candidate" and law.reason.startswith("its terms do not balance, whatever units its constants have: in ")


def test_thousands_are_units_too():
    law = polish(
        "0.002*v*t", {"v": X, "t": X[::-1]}, 0.001 * X * X[::-1], units={"v": "m/s", "t": "s", "s": "km"}, output="s", seconds=0.01
    )
    assert [each.unit for each in law.free] == ["10^3"]
