"""Units of columns, and what they ask of a formula: which constants must carry which unit so that its terms balance.

>>> unit_text(dimensions("N m/kg", "e"))
'm^2/s^2'
>>> units = Units.of({"t": "s", "h": "m"}, ["t"], "h")
>>> from kanpde.symbolic.forms import Form
>>> form, _ = Form.of("1.5 - 4.9*t**2", ["t"])
>>> [unit_text(each) for each in units.balance(form)]
['m', 'm/s^2']
"""

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from kanpde.symbolic.forms import Form

Dimensions = Mapping[str, Fraction]  # powers of base units, without those that are 0

TEN = "10"  # a base of its own: what is in km and in m does not balance without a number that says 1000
BASES = ("m", "kg", "s", "A", "K", "mol", "cd")
DERIVED = {
    "Hz": "1/s", "N": "kg*m/s^2", "J": "kg*m^2/s^2", "W": "kg*m^2/s^3", "Pa": "kg/(m*s^2)", "C": "A*s", "V": "kg*m^2/(A*s^3)",
    "Ohm": "kg*m^2/(A^2*s^3)", "S": "A^2*s^3/(kg*m^2)", "F": "A^2*s^4/(kg*m^2)", "T": "kg/(A*s^2)", "Wb": "kg*m^2/(A*s^2)",
    "H": "kg*m^2/(A^2*s^2)", "lm": "cd", "lx": "cd/m^2", "Bq": "1/s", "Gy": "m^2/s^2", "Sv": "m^2/s^2", "kat": "mol/s",
    "g": "kg/10^3", "L": "m^3/10^3", "bar": "10^5*kg/(m*s^2)", "percent": "1/10^2", "rad": "1", "sr": "1",
}  # fmt: skip
APART = ("eV", "deg", "min", "h", "day", "year")  # no power of ten of others: bases of their own
PREFIXES = {"n": -9, "u": -6, "m": -3, "c": -2, "d": -1, "k": 3, "M": 6, "G": 9, "T": 12, "p": -12}
SPELLED = {
    "%": " percent ", "°": " deg ", "\N{GREEK CAPITAL LETTER OMEGA}": "Ohm", "\N{OHM SIGN}": "Ohm", "ohm": "Ohm", "\N{MICRO SIGN}": "u",
    "\N{GREEK SMALL LETTER MU}": "u", "\N{MIDDLE DOT}": "*", "\N{DOT OPERATOR}": "*", "\N{MULTIPLICATION SIGN}": "*", "**": "^",
    "\N{MINUS SIGN}": "-",
}  # fmt: skip
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
ROOTS, CLOSE = 1000, 1e-9  # the greatest denominator of a power, and how closely equations for powers must hold
HOMOGENEOUS = ("abs", "relu", "x")  # functions whose values have the unit of their argument
OF_SIGN = ("sign", "heaviside")  # and that take any


def dimensions(text: Any, name: str) -> Dimensions:
    """A unit, such as "kg m/s^2", "J/(kg*K)", "km" or "1", as powers of base units; ``name`` is of what it is.

    Raises ``ValueError`` for what is no unit, with what is understood.
    """
    plain = str(text)
    for sign, word in SPELLED.items():
        plain = plain.replace(sign, word)
    plain = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda found: "^" + found[0].translate(RAISED), plain).strip() or "1"
    product = re.sub(r"(?<=[\w)])\s+(?=[A-Za-z(])", "*", plain)
    if re.search(r"/\s*[\w^.-]+\s+[A-Za-z(]", plain):
        raise ValueError(f"the unit {text!r} of {name} may be read in two ways: write what is divided by in parentheses, as in J/(kg*K)")
    try:
        return _without_noughts(_powers(ast.parse(product.replace("^", "**"), mode="eval").body))
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(f"the unit {text!r} of {name} is not understood. {_understood()}") from error


def _understood() -> str:
    known = ", ".join((*BASES, *(each for each in DERIVED if each != "percent"), "%", *APART))
    example = "A unit is '1' or a product of powers, such as 'kg*m/s^2', 'N m' or 'J/(kg*K)'"
    return f"{example}, of {known}, also with one of {' '.join(PREFIXES)} before it"


def _powers(node: ast.expr) -> dict[str, Fraction]:
    match node:
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
            found, sign = _powers(left), 1 if isinstance(op, ast.Mult) else -1
            for base, power in _powers(right).items():
                found[base] = found.get(base, Fraction(0)) + sign * power
            return found
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            exponent = _number(right)
            return {base: power * exponent for base, power in _powers(left).items()}
        case ast.Constant(value=1) | ast.Constant(value=10):
            return {} if node.value == 1 else {TEN: Fraction(1)}
        case ast.Name(id=name):
            return dict(_known(name))
    raise ValueError(ast.unparse(node))


def _number(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool) and abs(value) < 100:
            return Fraction(repr(value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _number(left) / _number(right)
    raise ValueError(ast.unparse(node))


@cache
def _known(name: str) -> Dimensions:
    if name in BASES or name in APART:
        return {name: Fraction(1)}
    if name in DERIVED:
        return _powers(ast.parse(DERIVED[name].replace("^", "**"), mode="eval").body)
    rest = name[1:]
    if name[:1] in PREFIXES and (rest in BASES and rest != "kg" or rest in DERIVED and rest != "percent" or rest == "eV"):
        found = dict(_known(rest))
        return found | {TEN: found.get(TEN, Fraction(0)) + PREFIXES[name[0]]}
    raise ValueError(name)


def _without_noughts(powers: Mapping[str, Fraction]) -> Dimensions:
    return {base: power for base, power in powers.items() if power}


def unit_text(powers: Dimensions) -> str:
    """Powers of base units as text: "kg*m/s^2", "1/m", "m^(1/2)"; "1" for none."""
    order = (TEN, "kg", *(base for base in BASES if base != "kg"), *APART)
    sorted_powers = sorted(powers.items(), key=lambda each: order.index(each[0]))
    above = [_power(base, power) for base, power in sorted_powers if power > 0]
    below = [_power(base, -power) for base, power in sorted_powers if power < 0]
    bottom = f"/({'*'.join(below)})" if len(below) > 1 else f"/{below[0]}" if below else ""
    return ("*".join(above) or "1") + bottom


def _power(base: str, power: Fraction) -> str:
    return base if power == 1 else f"{base}^{power}" if power.denominator == 1 else f"{base}^({power})"


# ---- what balances ----


@dataclass(frozen=True)
class _Size:
    """Powers of base units that are ``known``, and how many times those of each constant come on top."""

    known: Dimensions
    times: Mapping[int, Fraction]

    def plus(self, other: "_Size", factor: Fraction = Fraction(1)) -> "_Size":
        known, times = dict(self.known), dict(self.times)
        for base, power in other.known.items():
            known[base] = known.get(base, Fraction(0)) + factor * power
        for constant, count in other.times.items():
            times[constant] = times.get(constant, Fraction(0)) + factor * count
        return _Size(known, times)


NONE = _Size({}, {})
Claim = tuple[_Size, int]  # what must have no unit, and the place in the form that asks for it


@dataclass(frozen=True)
class Units:
    """The units of the columns, in order, and that of the output."""

    inputs: tuple[Dimensions, ...]
    output: Dimensions

    @classmethod
    def of(cls, units: Any, names: Sequence[str], output: str) -> "Units":
        """From texts by name; raises ``TypeError`` and ``ValueError`` for units that are missing, too many, or not understood."""
        if not isinstance(units, Mapping):
            raise TypeError(f"units are texts by name, such as {{'v': 'm/s'}}, of all columns and the output, got {units!r:.80}")
        if missing := [name for name in (*names, output) if name not in units]:
            raise ValueError(f"units are missing for {', '.join(missing)}: give one for every column and the output, '1' for those without")
        if more := sorted(map(str, set(units) - {*names, output})):
            raise ValueError(f"there is no column {more[0]!r} to have a unit: they are {', '.join(names)}, and the output {output}")
        return cls(tuple(dimensions(units[name], name) for name in names), dimensions(units[output], output))

    def balance(self, form: Form, *, pure: Collection[int] = ()) -> tuple[Dimensions, ...] | None:
        """The unit of every free constant for which all terms of a form balance, as few with one as can be; None where there are none.

        Exact numbers have no unit; constants whose places are in ``pure`` are the first that do without.
        """
        claims = self._claims(form)
        allowed = set(range(form.count))
        found = self._solved(claims, allowed)
        if found is None:
            return None
        for place in [*sorted(pure), *(k for k in range(form.count) if k not in pure)]:
            fewer = self._solved(claims, allowed - {place})
            if fewer is not None:
                allowed, found = allowed - {place}, fewer
        return tuple(found.get(k, {}) for k in range(form.count))

    def fault(self, form: Form, names: Sequence[str]) -> str:
        """The part of a form that keeps it from balancing, in words."""
        claims, every = self._claims(form), set(range(form.count))
        for count in range(1, len(claims) + 1):
            if self._solved(claims[:count], every) is None:
                place = claims[count - 1][1]
                part = Form(form.rebuilt(form.start, upto=place), form.inputs).expression(names)
                kind = form.steps[place].kind
                return f"in {part}" if kind in ("sum", "f", "raised") and count < len(claims) else f"{part} has not the unit of the output"
        return ""

    def _claims(self, form: Form) -> list[Claim]:
        sizes: list[_Size] = []
        claims: list[Claim] = []
        taken = 0
        for place, step in enumerate(form.steps):
            parts = [sizes[part] for part in step.parts]
            size = NONE
            match step.kind:
                case "x":
                    size = _Size(self.inputs[step.value], {})
                case "constant":
                    size, taken = _Size({}, {taken: Fraction(1)}), taken + 1
                case "product":
                    for part in parts:
                        size = size.plus(part)
                case "power":
                    size = NONE.plus(parts[0], step.value)
                case "sum":
                    size = parts[0]
                    claims += [(part.plus(size, Fraction(-1)), place) for part in parts[1:]]
                case "raised":
                    exponent = form.steps[step.parts[1]]
                    claims.append((parts[1], place))
                    if exponent.kind in ("constant", "number"):
                        value = float(exponent.value)
                        size = NONE.plus(parts[0], Fraction(value).limit_denominator(ROOTS))
                    else:
                        claims.append((parts[0], place))
                case "f" if step.value.name in HOMOGENEOUS:
                    size = parts[0]
                case "f" if step.value.name not in OF_SIGN:
                    claims.append((parts[0], place))
            sizes.append(size)
        return [*claims, (sizes[-1].plus(_Size(self.output, {}), Fraction(-1)), len(form.steps) - 1)]

    def _solved(self, claims: Sequence[Claim], allowed: Collection[int]) -> dict[int, Dimensions] | None:
        """Powers for the constants that may have a unit, by place, if there are some for which all claims hold."""
        bases = sorted({base for size, _ in claims for base in size.known})
        columns = sorted(allowed)
        left = np.array([[float(size.times.get(k, 0)) for k in columns] for size, _ in claims]).reshape(len(claims), len(columns))
        right = np.array([[-float(size.known.get(base, 0)) for base in bases] for size, _ in claims]).reshape(len(claims), len(bases))
        found = np.linalg.lstsq(left, right, rcond=None)[0] if columns else np.zeros((0, len(bases)))
        if bases and np.abs(left @ found - right).max() > CLOSE:
            return None
        powers = [[Fraction(float(each)).limit_denominator(ROOTS) for each in row] for row in found]
        return {k: _without_noughts(dict(zip(bases, row, strict=True))) for k, row in zip(columns, powers, strict=True)}
