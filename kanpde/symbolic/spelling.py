"""Formulas as text: for people with uncertainties, for LaTeX, as Python code, and in full for a file that is read back."""

import functools
import keyword
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kanpde.notation import DIGITS, typeset_all, uncertain
from kanpde.symbolic.reading import CONSTANTS, FUNCTIONS, read

RECIPROCALS = {"coth": "tanh", "sech": "cosh", "csch": "sinh", "sec": "cos", "csc": "sin", "cot": "tan"}  # which NumPy lacks


# ---- for people ----


def shown(expression: Any, constants: Mapping[str, tuple[float, float, str]]) -> str:
    """The formula with value(sigma)[unit] for each of ``constants``, name -> (value, sigma, unit), and other floats to six digits."""
    import sympy
    from sympy.printing.str import StrPrinter

    flipped, texts = {}, {}
    for old, new in _first(expression, constants).items():
        value, sigma, unit = constants[old.name]
        text = uncertain(abs(value), sigma) + (f"[{unit}]" if unit else "")
        flipped[old], texts[new] = -new if value < 0 else new, text  # the sign is the formula's: 1 - 0.30(4)*x

    class Printer(StrPrinter):
        def _print_Symbol(self, expr: Any) -> str:
            return texts.get(expr, expr.name)

        def _print_Float(self, expr: Any) -> str:
            return f"{float(expr):.{DIGITS}g}"

    return Printer().doprint(sympy.sympify(expression.xreplace(flipped)))


def latex(expression: Any, constants: Collection[str] = (), letters: Mapping[str, str] | None = None) -> str:
    """LaTeX of a formula, its floats to six digits; ``constants`` stand first in products.

    ``letters`` are the LaTeX of names, by default as :func:`~kanpde.notation.typeset_all` has those in the formula.
    """
    import sympy

    floats = {number: sympy.Float(float(f"{float(number):.{DIGITS}g}"), DIGITS) for number in expression.atoms(sympy.Float)}
    first = _first(expression, constants)
    letters = typeset_all(each.name for each in expression.free_symbols) if letters is None else letters
    names = {first.get(each, each): letters[each.name] for each in expression.free_symbols}
    return sympy.latex(expression.xreplace(floats | first), symbol_names=names)


def _first(expression: Any, constants: Collection[str]) -> dict[Any, Any]:
    """For the symbols of constants, others that sympy sorts before all variables, in the order c1, c2, ..., c10."""
    import sympy

    found = [each for each in expression.free_symbols if each.name in constants]
    found.sort(key=lambda each: (len(each.name), each.name))
    return {each: sympy.Symbol(f" {number:04d}", real=True) for number, each in enumerate(found)}


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

        def _print_Pi(self, expr: Any) -> str:
            return self._module_format("numpy.pi")

        def _print_Exp1(self, expr: Any) -> str:
            return self._module_format("numpy.e")

        def _print_Max(self, expr: Any) -> Any:
            return self._nested("maximum", expr.args)

        def _print_Min(self, expr: Any) -> Any:
            return self._nested("minimum", expr.args)

        def _nested(self, name: str, arguments: Any) -> str:
            self._module_format(f"numpy.{name}")  # which imports numpy
            return functools.reduce(lambda last, each: f"numpy.{name}({last}, {each})", [str(self._print(each)) for each in arguments])

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
            return str(names.get(expr.name, expr.name))

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
    alias = aliases({str(each) for each in expression.free_symbols})
    try:
        return restored(stored(expression, alias), alias)
    except ValueError as error:
        raise ValueError(f"{what} cannot be written down and read back: {error}") from error
