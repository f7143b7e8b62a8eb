"""Proofs: a formula put into the equation and all conditions of a problem.

>>> from kanpde.conditions import Dirichlet
>>> from kanpde.domains import Box
>>> segment = Box(x=(0, 1))
>>> problem = Problem(segment, lambda u: u.xx + 2, conditions=[Dirichlet(0, on=segment.boundary)])
>>> proof = prove(problem, {"u": read("c1*x - c2*x^2")}, dict(c1=0.9999998, c2=1.0000001))
>>> proof.by, proof.expressions, proof.constants
('sympy', {'u': -x**2 + x}, {'c1': 1, 'c2': 1})

Free constants of the formula, whose numbers are fitted, are solved for: collected as :mod:`kanpde.symbolic.exponentials` says, equation and
conditions become polynomial equations in them, and of their solutions the one nearest to the fitted numbers is taken. With the exact
constants put in, sympy decides whether each residual is identically zero; where it cannot, mpmath evaluates it to many digits at many
points, which is not called a proof by sympy.
"""

import io
import pickle
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sympy

from kanpde.conditions import Data
from kanpde.problem import Problem
from kanpde.symbolic.deciding import SMALL, Task
from kanpde.symbolic.equations import Claim, claims, exact_number, symbols, written
from kanpde.symbolic.reading import read as read

# kanpde itself would load torch: the process knows the package by its folder alone
_PROGRAM = """
import sys, types
package = types.ModuleType("kanpde")
package.__path__ = [sys.argv[1]]
sys.modules["kanpde"] = package
sys.setrecursionlimit(10000)
from kanpde.symbolic.deciding import serve
serve()
"""
HINT = 1e-9


@dataclass(frozen=True)
class Proof:
    """What came of putting a formula into a problem.

    ``holds`` says whether it satisfies the equation and every condition, ``by`` how that was seen: "sympy" where every residual is
    identically zero, "mpmath" where some are only known to vanish to many digits at many points, "" where it does not hold.
    ``expressions`` have the exact ``constants`` put in; ``free`` are those that nothing determines. ``statements`` has a line for each
    component of the equation and each condition, ``reason`` is one sentence on why it does or does not hold.
    """

    holds: bool
    by: str
    expressions: Mapping[str, sympy.Expr]
    constants: Mapping[str, sympy.Expr]
    free: tuple[str, ...]
    statements: tuple[str, ...]
    reason: str
    seconds: float = 0.0


def prove(
    problem: Problem,
    expressions: Mapping[str, Any],
    values: Mapping[str, float] | None = None,
    *,
    seconds: float = 20.0,
    tolerance: float = 1e-3,
) -> Proof:
    """Whether ``expressions``, sympy formulas by unknown, satisfy equation and conditions of ``problem``.

    ``values`` are fitted numbers for the constants in the formulas and for the ``Unknown`` parameters of the problem, by name. Exact
    values are accepted within ``tolerance`` of these (relative where they are above 1). The work is done in a process of its own, which
    is ended after ``seconds``: what was not settled by then does not hold.

    Measured data are no part of a proof. Bounds that are p/q pi to the last digit count as that. Raises ``ValueError`` for unknowns
    without a formula, and for constants without a number.
    """
    started = time.perf_counter()
    formulas, numbers = _checked(problem, expressions, values or {})
    found = claims(problem, formulas)
    own = {name: sympy.Symbol(name, real=True) for name in numbers}
    where, box = symbols(problem), problem.domain
    task = Task(
        coordinates={where[name]: (exact_number(a), exact_number(b)) for name, a, b in zip(box.names, box.lower, box.upper, strict=True)},
        formulas=list(formulas.values()),
        residuals=[each.residual.xreplace({where[name]: value for name, value in each.fixed.items()}) for each in found],
        boxes=[each.boxes for each in found],
        values={own[name]: number for name, number in numbers.items()},
        tolerance=tolerance,
    )
    exact: dict[Any, Any] = {}
    outcomes: dict[int, tuple[str, str]] = {}
    regular: Any = None
    records, late, trouble = _asked(task, seconds)
    for kind, *record in records:
        if kind == "constants":
            exact = record[0]
        elif kind == "singular":
            regular = record[0]
        else:
            outcomes[kind] = (record[0], record[1])
    known = {name: exact[own[name]] for name in numbers if own[name] in exact}
    used = {str(symbol) for each in [*task.residuals, *formulas.values()] for symbol in each.free_symbols}
    free = tuple(name for name in numbers if own[name] not in exact and name in used)
    missing = f"not settled within {seconds:g} s" if late else trouble or "not settled"
    settled = [outcomes.get(number, ("", missing)) for number in range(len(found))]
    by, reason = _verdict(found, settled, regular, free, missing)
    return Proof(
        holds=bool(by),
        by=by,
        expressions={name: formula.xreplace(exact) for name, formula in formulas.items()},
        constants=known,
        free=free,
        statements=tuple([*_lines(problem, found, settled), *_notes(problem, regular, free, bool(by))]),
        reason=reason,
        seconds=time.perf_counter() - started,
    )


def _checked(problem: Problem, expressions: Mapping[str, Any], values: Mapping[str, float]) -> tuple[dict[str, Any], dict[str, float]]:
    """Formulas in real symbols, and a number for each constant."""
    if missing := [name for name in problem.unknowns if name not in expressions]:
        raise ValueError(f"give a formula for each unknown: {', '.join(missing)} {'have' if missing[1:] else 'has'} none")
    coordinates = set(problem.domain.names)
    formulas, numbers = {}, dict(problem.coefficients)
    for name in problem.unknowns:
        formula: Any = sympy.sympify(expressions[name])
        if isinstance(formula, sympy.MatrixBase) or not isinstance(formula, sympy.Expr):
            raise ValueError(f"the formula of {name} is a sympy expression, got {expressions[name]!r}")
        formulas[name] = formula.xreplace({symbol: sympy.Symbol(str(symbol), real=True) for symbol in formula.free_symbols})
        for symbol in sorted(map(str, formula.free_symbols)):
            if symbol in coordinates or symbol in numbers:
                continue
            if symbol not in values:
                raise ValueError(f"{symbol} in the formula of {name} is no coordinate: give its fitted number, values=dict({symbol}=...)")
            numbers[symbol] = float(values[symbol])
    return formulas, numbers | {name: float(values[name]) for name in problem.coefficients if name in values}


def _asked(task: Task, seconds: float) -> tuple[list[Any], bool, str]:
    """The records of the process, whether its time ran out, and what went wrong."""
    folder = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        late = False
        try:
            out, errors = process.communicate(pickle.dumps(task), timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
            late = True
    records, stream = [], io.BytesIO(out)
    while True:
        try:
            records.append(pickle.load(stream))
        except (EOFError, pickle.UnpicklingError):  # all, or all but what was being written when time was up
            break
    lines = errors.decode(errors="replace").strip().splitlines()
    return records, late, f"sympy failed ({lines[-1]})" if lines and process.returncode and not late else ""


def _verdict(found: list[Claim], settled: list[tuple[str, str]], regular: Any, free: tuple[str, ...], missing: str) -> tuple[str, str]:
    """How the whole is proved, or "", and the sentence that says why."""
    if regular:
        return "", f"the formula does not solve the problem in all of the domain: {regular}"
    failed = [(claim, words) for claim, (by, words) in zip(found, settled, strict=True) if not by]
    if failed:
        claim, words = failed[0]
        more = f" (and {len(failed) - 1} more)" if failed[1:] else ""
        hint = f"; {', '.join(free)} could not be solved for" if free else ""
        return "", f"{claim.words}: {words}{more}{hint}"
    components = sum(claim.words.endswith("the equation") for claim in found)
    others, whole = len(found) - components, f"{components} components of the equation" if components > 1 else "the equation"
    many = f"{whole} and {others} condition{'s' * (others > 1)}" if others else whole
    undetermined = f", whatever {', '.join(free)} {'are' if free[1:] else 'is'}" if free else ""
    if all(by == "sympy" for by, _ in settled):
        if regular is None:
            return "mpmath", f"sympy finds all residuals zero{undetermined}, but that the formula is smooth was only checked at points"
        return "sympy", f"sympy finds every residual identically zero ({many}){undetermined}"
    return "mpmath", f"every residual vanishes ({many}){undetermined}, some only by mpmath to {SMALL:g} of the terms"


def _lines(problem: Problem, found: list[Claim], settled: list[tuple[str, str]]) -> list[str]:
    """What was put in, and what came out, one line a claim."""
    texts = written(problem)
    together: dict[tuple[str, str], list[str]] = {}
    for claim, (by, words) in zip(found, settled, strict=True):
        outcome = "identically zero (sympy)" if by == "sympy" else f"{words} (mpmath)" if by else f"not satisfied, {words}"
        where = ", ".join(f"{name} = {value}" for name, value in claim.fixed.items())
        together.setdefault((claim.where, outcome), []).append(where)
    lines = []
    for (what, outcome), places in together.items():
        text, at = texts.get(what, ""), "; ".join(dict.fromkeys(filter(None, places)))
        lines.append(f"{what}{f', {text} = 0' if text else ''}{f', at {at}' if at else ''}: {outcome}")
    return lines


def _notes(problem: Problem, regular: Any, free: tuple[str, ...], holds: bool) -> list[str]:
    found = []
    if regular == "":
        found.append("the formula is smooth in the closed domain (interval arithmetic)")
    elif regular:
        found.append(f"the formula is singular: {regular}")
    if free and holds:
        found.append(f"{', '.join(free)}: not determined by equation and conditions")
    found += [f"{condition!r}: measurements, no part of the proof" for condition in problem.conditions if isinstance(condition, Data)]
    return found
