"""Formulas as text: for people with uncertainties, for LaTeX, as Python code, and in full for a file that is read back.

>>> uncertain(0.30018, 0.00042)
'0.3002(4)'
"""

import keyword
import math
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kanpde.notation import symbol
from kanpde.symbolic.reading import CONSTANTS, FUNCTIONS, read

DIGITS = 6  # of a number without a known uncertainty
RECIPROCALS = {"coth": "tanh", "sech": "cosh", "csch": "sinh", "sec": "cos", "csc": "sin", "cot": "tan"}  # which NumPy lacks


def uncertain(value: float, sigma: float, *, power: str = "e{}") -> str:
    """A number with its standard deviation in units of the last digit: one digit of it, two where the first is 1.

    ``sigma`` 0 is a number known exactly, given to fifteen digits; NaN or infinite, one known to six. ``power`` writes the power of ten.
    """
    if not (math.isfinite(value) and math.isfinite(sigma) and sigma > 0):
        digits, _, exponent = f"{value:.{15 if sigma == 0 else DIGITS}g}".partition("e")
        return digits + (power.format(int(exponent)) if exponent else "")
    leading, _, size = f"{sigma:.1e}".partition("e")
    last = int(size) - (leading[0] == "1")  # the place of the last digit shown
    top = max(math.floor(math.log10(abs(value))) if value else last, last)
    if -4 <= top < 6 and last <= 0:
        return f"{value:.{-last}f}({max(round(sigma / 10.0**last), 1)})"
    shown = f"{value / 10.0**top:.{max(top - last, 0)}f}({max(round(sigma / 10.0**last), 1)})"
    return shown + (power.format(top) if top else "")


def typeset(name: str) -> str:
    """LaTeX of a name: ``x12`` is x_{12}, ``u_xx`` a derivative u_{xx}, ``omega_0`` Greek, ``rate`` upright."""
    base, _, index = name.strip("_").partition("_")
    if not name.isidentifier() or not base or not index or base[-1:].isdigit():
        return symbol(name).strip("$") if name.isidentifier() else rf"\mathrm{{{_escaped(name)}}}"
    parts = [symbol(part).strip("$") if len(part) > 1 and set(part) - set("xyzt") else part for part in index.split("_")]
    return f"{symbol(base).strip('$')}_{{{','.join(parts)}}}"


def _escaped(text: str) -> str:
    return "".join(rf"\{letter}" if letter in "_$%#&{}" else r"\ " if letter == " " else letter for letter in text)


# ---- for people ----


def shown(expression: Any, constants: Mapping[str, tuple[float, float]]) -> str:
    """The formula with value(sigma) for each of ``constants``, name -> (value, sigma), and other floats to six digits."""
    import sympy
    from sympy.printing.str import StrPrinter

    flipped, texts = {}, {}
    for old in sorted(expression.free_symbols, key=str):
        if old.name in constants:
            value, sigma = constants[old.name]
            new = sympy.Symbol(old.name, real=True)  # the sign belongs to the formula: 1 - 0.30(4)*x
            flipped[old], texts[new] = -new if value < 0 else new, uncertain(abs(value), sigma)

    class Printer(StrPrinter):
        def _print_Symbol(self, expr: Any) -> str:
            return texts.get(expr, expr.name)

        def _print_Float(self, expr: Any) -> str:
            return f"{float(expr):.{DIGITS}g}"

    return Printer().doprint(expression.xreplace(flipped))


def latex(expression: Any) -> str:
    """LaTeX of a formula, its names as :func:`typeset` has them, its floats to six digits."""
    import sympy

    floats = {number: sympy.Float(float(f"{float(number):.{DIGITS}g}"), DIGITS) for number in expression.atoms(sympy.Float)}
    return sympy.latex(expression.xreplace(floats), symbol_names={each: typeset(each.name) for each in expression.free_symbols})


# ---- for Python ----


def computable(expression: Any) -> Any:
    """The same formula in functions that NumPy has: 1/tanh for coth."""
    import sympy

    for name, other in RECIPROCALS.items():
        function = getattr(sympy, other)
        expression = expression.replace(getattr(sympy, name), lambda argument, of=function: 1 / of(argument))
    return expression


def code(output: str, expression: Any, names: Iterable[str], constants: Mapping[str, float], words: str) -> str:
    """A Python function of ``names`` that needs NumPy only (SciPy for erf); ``constants`` are its first lines, ``words`` its docstring."""
    from sympy.printing.numpy import SciPyPrinter

    used = {each.name for each in expression.free_symbols}
    taken: set[str] = {"numpy", "scipy"}
    safe = {name: _free(name, taken) for name in [*names, *(name for name in constants if name in used)]}

    class Printer(SciPyPrinter):
        def _print_Symbol(self, expr: Any) -> str:
            return safe[expr.name]

        def _print_Max(self, expr: Any) -> str:
            return self._nested("maximum", expr.args)

        def _print_Min(self, expr: Any) -> str:
            return self._nested("minimum", expr.args)

        def _nested(self, name: str, arguments: Any) -> str:
            last = self._print(arguments[0])
            for each in arguments[1:]:
                last = f"{self._module_format('numpy.' + name)}({last}, {self._print(each)})"
            return last

    printer = Printer()
    body = printer.doprint(computable(expression))
    lines = [f"import {module}" for module in sorted({name for name in printer.module_imports if name} | {"numpy"})]
    lines += ["", "", f"def {_free(output, taken | {'numpy'})}({', '.join(safe[name] for name in names)}):"]
    lines += [f'    """{words.replace(chr(92), "/").replace(chr(34), chr(39))}"""']
    lines += [f"    {safe[name]} = {value!r}" for name, value in constants.items() if name in safe]
    return "\n".join([*lines, f"    return {body}", ""])


def _free(name: str, taken: set[str]) -> str:
    """A name for Python that is like ``name`` and not taken; it is, from then on."""
    found = name if name.isidentifier() else "law"
    while found in taken or keyword.iskeyword(found):
        found += "_"
    taken.add(found)
    return found


# ---- for files ----


def aliases(names: Collection[str]) -> dict[str, str]:
    """For names that :func:`read` would take for something else ("lambda", "E", "wave length"), others that it reads: theirs -> ours."""
    taken, found = set(names) | set(CONSTANTS) | set(FUNCTIONS), {}
    for name in sorted(names):
        plain = name.isidentifier() and not keyword.iskeyword(name) and unicodedata.normalize("NFKC", name) == name
        if not plain or name in CONSTANTS or name in FUNCTIONS:
            found[_free(f"{name}_" if name.isidentifier() and name.isascii() else "name_", taken)] = name
    return found


def stored(expression: Any, alias: Mapping[str, str]) -> str:
    """A formula as text in full, which :func:`restored` reads back as it was."""
    from sympy.printing.str import StrPrinter

    names = {ours: theirs for theirs, ours in alias.items()}

    class Printer(StrPrinter):
        def _print_Symbol(self, expr: Any) -> str:
            return names.get(expr.name, expr.name)

        def _print_Float(self, expr: Any) -> str:
            return repr(float(expr))

    return Printer().doprint(expression)


def restored(text: str, alias: Mapping[str, str]) -> Any:
    """The formula of a text of :func:`stored`; every name is a real variable. ``ValueError`` for what is none; nothing is executed."""
    import sympy

    return read(text, {theirs: sympy.Symbol(ours, real=True) for theirs, ours in alias.items()}, as_written=True)


def normal(expression: Any, what: str) -> Any:
    """The expression with real variables and double floats, as it comes back from a file.

    Raises ``TypeError`` for what is no expression, ``ValueError`` for one that is not finite and real in functions that can be read.
    """
    import sympy

    try:
        expression = sympy.sympify(expression, strict=True)
    except (sympy.SympifyError, TypeError, AttributeError) as error:
        raise TypeError(f"{what} is a sympy expression, got {expression!r}") from error
    if not isinstance(expression, sympy.Expr):
        raise TypeError(f"{what} is a sympy expression, got {expression!r}")
    if expression.has(sympy.I, sympy.oo, -sympy.oo, sympy.zoo, sympy.nan):
        raise ValueError(f"{what} must be finite and real, got {expression}")
    alias = aliases({each.name for each in expression.free_symbols})
    try:
        return restored(stored(expression, alias), alias)
    except ValueError as error:
        raise ValueError(f"{what} cannot be written down and read back: {error}") from error
