"""A law: a formula with the uncertainties of its constants, and a verdict on how sure it is.

>>> import sympy
>>> t, c1 = sympy.symbols("t c1", real=True)
>>> decay = LawConstant("c1", 0.30018, 0.00042)
>>> found = Law(("t",), {"y": sympy.exp(-c1 * t)}, (decay,), "candidate", "it leads by less than 5 nats", 0.01, 0.01, 3.2)
>>> print(found)
y = exp(-0.3002(4)*t)
candidate: it leads by less than 5 nats
residual rms 0.01, noise 0.01; lead 3.2 nats
>>> float(found([[1.0]])[0]) == float(sympy.exp(-0.30018))
True
"""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from kanpde.notation import typeset_all, typeset_unit, uncertain

VERDICTS = ("proved", "exact within noise", "candidate", "no law")
KINDS = ("function", "solution", "equation")


def nodes(expression: Any) -> int:
    """The size of an expression: the nodes of its sympy tree, in which a rational number is one and sqrt(2) is three."""
    import sympy

    return sum(1 for _ in sympy.preorder_traversal(expression))


@dataclass(frozen=True)
class LawConstant:
    """A constant of a law: its ``value`` with the standard deviation ``sigma`` that it had before it was snapped.

    ``sigma`` is 0 only where the constant is known exactly, by a proof; ``exact`` is sympy's text of the exact number that it was
    snapped to, or solved for, and "" for a constant that stayed free. ``unit`` is what it must carry for the terms to balance, such as
    "m/s^2"; "" where units are unknown, and for pure numbers.
    """

    name: str
    value: float
    sigma: float
    exact: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or not (self.sigma >= 0 or math.isnan(self.sigma)):
            raise ValueError(f"the constant {self.name} has a finite value and sigma >= 0, got {self.value!r} with sigma {self.sigma!r}")
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "sigma", float(self.sigma))
        if self.exact:
            from kanpde.symbolic.reading import read

            if read(self.exact).free_symbols:
                raise ValueError(f"the exact value of the constant {self.name} is a number, got {self.exact!r}")

    @property
    def snapped(self) -> bool:
        """Whether the constant has an exact value."""
        return bool(self.exact)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} = {uncertain(self.value, self.sigma)}{unit}" + (f", that is {self.exact}" if self.exact else "")


@dataclass(frozen=True)
class Candidate:
    """An entry of the Pareto front: ``expression`` with numbers in it, ``rms`` of its residual, ``description`` length in nats."""

    expression: Any
    nodes: int
    rms: float
    description: float

    def __post_init__(self) -> None:
        from kanpde.symbolic.spelling import normal

        object.__setattr__(self, "expression", normal(self.expression, "the expression of a candidate"))


@dataclass(frozen=True)
class Law:
    """What was found of the inputs ``names``: ``expressions``, output -> formula, and how sure it is.

    Constants that were snapped are exact numbers in the formulas, the others the symbols of ``constants`` (c1, ...). All symbols are made
    real variables. ``reason`` says in one sentence why ``verdict`` is what it is; ``rms`` is that of the residual, ``noise`` its part
    that no fit without a formula could explain (NaN if unknown), ``lead`` the nats over the best structurally different candidate (inf if
    there is none), ``evidence`` what was checked and how.
    ``kind`` is "function", "solution" of an equation, or "equation": a discovered differential
    equation, {"u_t": right-hand side in u, u_x, ...}.

    ``nodes`` of each formula, and of the candidates in ``front``, are counted by :func:`nodes`.

    Raises ``ValueError`` and ``TypeError`` for what is no law, with the value.
    """

    names: tuple[str, ...]
    expressions: Mapping[str, Any] = field(hash=False)
    constants: tuple[LawConstant, ...]
    verdict: str
    reason: str
    rms: float
    noise: float
    lead: float
    front: tuple[Candidate, ...] = ()
    evidence: tuple[str, ...] = ()
    kind: str = "function"

    def __post_init__(self) -> None:
        from kanpde.symbolic.spelling import normal

        if isinstance(self.names, str):
            raise TypeError(f'names are a tuple of texts, got {self.names!r}: write ("{self.names}",)')
        if self.verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, got {self.verdict!r}")
        if self.kind not in KINDS:
            raise ValueError(f"the kind of a law is one of {', '.join(KINDS)}, got {self.kind!r}")
        if not self.expressions and self.verdict != "no law":
            raise ValueError(f'a law with the verdict "{self.verdict}" has at least one formula, got none')
        formulas = {str(output): normal(each, f"the formula of {output}") for output, each in self.expressions.items()}
        for name in ("names", "constants", "front", "evidence"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "expressions", MappingProxyType(formulas))
        for name in ("rms", "noise", "lead"):
            object.__setattr__(self, name, float(getattr(self, name)))
        self._check_names()

    def _check_names(self) -> None:
        known = [*self.names, *(each.name for each in self.constants)]
        plain = [unicodedata.normalize("NFKC", name) for name in known]  # as Python reads them
        if twice := sorted({name for name, as_read in zip(known, plain, strict=True) if plain.count(as_read) > 1}):
            raise ValueError(f"every input and every constant has a name of its own, but {', '.join(twice)} is there twice")
        found = {each.name for formula in self.expressions.values() for each in formula.free_symbols}
        if self.kind != "equation" and (unknown := sorted(found - set(known))):
            raise ValueError(f"the formula has {', '.join(unknown)}, which is neither an input nor a constant: they are {', '.join(known)}")

    def __reduce__(self) -> tuple[Any, ...]:  # a mapping proxy cannot be pickled
        return (from_plain, (self.to_plain(),))

    # ---- the formula ----

    @property
    def output(self) -> str:
        """The name of the only output; ``ValueError`` if there are others."""
        if len(self.expressions) != 1:
            raise ValueError(f"the law has {len(self.expressions)} formulas ({', '.join(self.expressions)}): choose one of law.expressions")
        return next(iter(self.expressions))

    @property
    def expression(self) -> Any:
        """The formula of the only output, free constants as symbols."""
        return self.expressions[self.output]

    @cached_property
    def valued(self) -> Mapping[str, Any]:
        """The formulas with the values of the constants put in, output -> formula."""
        import sympy

        from kanpde.symbolic.reading import read

        values = {
            sympy.Symbol(each.name, real=True): read(each.exact) if each.exact else sympy.Float(each.value) for each in self.constants
        }
        return MappingProxyType({output: formula.xreplace(values) for output, formula in self.expressions.items()})

    @property
    def numbers(self) -> Any:
        """The formula of the only output with the values of the constants put in."""
        return self.valued[self.output]

    @property
    def free(self) -> tuple[LawConstant, ...]:
        """The constants that appear in the formulas as symbols."""
        found = {each.name for formula in self.expressions.values() for each in formula.free_symbols}
        return tuple(each for each in self.constants if each.name in found)

    @property
    def sympy_text(self) -> str:
        """A line ``y = ...`` for each output, constants as symbols."""
        return "\n".join(f"{output} = {formula}" for output, formula in self.expressions.items())

    @property
    def formula(self) -> str:
        """A line ``y = ...`` for each output, free constants as value(sigma), with their units in brackets if they must carry some."""
        from kanpde.symbolic.spelling import shown

        values = {each.name: (each.value, each.sigma, each.unit) for each in self.free}
        return "\n".join(f"{output} = {shown(formula, values)}" for output, formula in self.expressions.items())

    def __str__(self) -> str:
        lead = f"lead {self.lead:.1f} nats" if math.isfinite(self.lead) else "no other structure was a candidate"
        sizes = [f"residual rms {self.rms:.3g}"] if math.isfinite(self.rms) else []
        sizes += [f"noise {self.noise:.3g}"] if math.isfinite(self.noise) else []
        verdict = f"{self.verdict}: {self.reason}" if self.reason else self.verdict
        if self.verdict == "no law":
            tried = f"the best of the formulas tried: {self.formula}" if self.expressions else ""
            return "\n".join(filter(None, [verdict, tried, ", ".join(sizes)]))
        lines = [self.formula, verdict]
        if self.verdict != "proved":
            lines.append("; ".join([*([", ".join(sizes)] if sizes else []), lead]))
        return "\n".join(filter(None, lines))

    def latex(self) -> str:
        """A line for each output, and a last one with the values and uncertainties of the free constants if there are any."""
        from kanpde.symbolic.spelling import latex

        names, letters = [each.name for each in self.free], self._letters
        lines = [f"{letters[output]} = {latex(formula, names, letters)}" for output, formula in self.expressions.items()]
        power = r" \times 10^{{{}}}"
        values = [f"{letters[each.name]} = {uncertain(each.value, each.sigma, power=power)}{typeset_unit(each.unit)}" for each in self.free]
        return "\n".join([*lines, *([r", \quad ".join(values)] if values else [])])

    @cached_property
    def _letters(self) -> dict[str, str]:
        """The LaTeX of every name in the law."""
        every = [*self.expressions.values(), *(each.expression for each in self.front)]
        symbols = sorted({each.name for formula in every for each in formula.free_symbols})
        return typeset_all([*self.names, *self.expressions, *(each.name for each in self.constants), *symbols])

    def python(self) -> str:
        """The law as Python code to paste: for each output a function of the inputs, numbers or NumPy arrays, that needs NumPy only.

        >>> import sympy
        >>> x = sympy.Symbol("x", real=True)
        >>> Law(("x",), {"y": sympy.exp(-(x**2))}, (), "exact within noise", "it fits", 0, 0, math.inf).python().splitlines()[-1]
        '    return numpy.exp(-x**2)'
        """
        from kanpde.symbolic.spelling import code

        values = {each.name: each.value for each in self.free}
        found = []
        for line, (output, formula) in zip(self.formula.splitlines(), self.expressions.items(), strict=True):
            names = self.names if self.kind != "equation" else sorted(each.name for each in formula.free_symbols if each.name not in values)
            found.append(code(output, formula, names, values, f"{line} ({self.verdict})"))
        return "\n\n".join(found)

    # ---- values ----

    @cached_property
    def _functions(self) -> tuple[Any, ...]:
        import sympy

        from kanpde.functions import evaluated
        from kanpde.symbolic.spelling import computable

        symbols = [sympy.Symbol(name, real=True) for name in self.names]
        return tuple(evaluated(symbols, computable(formula)) for formula in self.valued.values())

    def __call__(self, X: Any) -> np.ndarray:
        """The law at points (n, d), or at columns by name; (n,), or (n, outputs) for several. NaN where it is not real."""
        if self.kind == "equation":
            raise ValueError("the law of a differential equation has no values at points: see law.expressions")
        if not self.expressions:
            raise ValueError("there is no law to evaluate: its verdict is 'no law'")
        if isinstance(X, Mapping):
            if missing := [name for name in self.names if name not in X]:
                raise ValueError(f"columns are missing for {', '.join(missing)}; the inputs are {', '.join(self.names)}")
            columns = np.broadcast_arrays(*(np.asarray(X[name], dtype=float) for name in self.names)) if self.names else []
        else:
            points = np.asarray(X, dtype=float)
            points = points[:, None] if points.ndim == 1 and len(self.names) == 1 else points
            if points.ndim != 2 or points.shape[1] != len(self.names):
                raise ValueError(f"points are an array (n, {len(self.names)}) of {', '.join(self.names)}, got the shape {points.shape}")
            columns = list(points.T)
        values = []
        with np.errstate(all="ignore"):
            for function in self._functions:
                found = np.asarray(function(*columns))
                real = np.where(np.imag(found) == 0, np.real(found), np.nan).astype(float)
                values.append(np.array(np.broadcast_to(real, columns[0].shape if len(columns) else ())))
        return values[0] if len(values) == 1 else np.stack(values, -1)

    # ---- plain data ----

    def to_plain(self) -> dict[str, Any]:
        """Texts, numbers and lists of them, for HDF5 or JSON; :func:`from_plain` gives the law back, and executes nothing."""
        from kanpde.symbolic.reading import read
        from kanpde.symbolic.spelling import aliases, latex, stored

        every = [*self.expressions.values(), *(each.expression for each in self.front)]
        alias = aliases({each.name for formula in every for each in formula.free_symbols})
        return {
            **{name: getattr(self, name) for name in ("kind", "verdict", "reason", "rms", "noise", "lead")},
            "formula": self.formula,
            "latex": self.latex(),
            "names": list(self.names),
            "outputs": list(self.expressions),
            "expressions": [stored(each, alias) for each in self.expressions.values()],
            "aliases": {"read": list(alias), "name": list(alias.values())},
            "nodes": [nodes(each) for each in self.expressions.values()],
            "best": self.best,
            "constants": {
                **{key: [getattr(each, key) for each in self.constants] for key in ("name", "value", "sigma", "exact", "unit")},
                "latex": [latex(read(each.exact)) if each.exact else "" for each in self.constants],
            },
            "candidates": {
                "sympy": [stored(each.expression, alias) for each in self.front],
                "latex": [latex(each.expression, (), self._letters) for each in self.front],
                **{key: [getattr(each, key) for each in self.front] for key in ("nodes", "rms", "description")},
            },
            "evidence": list(self.evidence),
        }

    @property
    def best(self) -> int:
        """The place in ``front`` of the law itself, or else of the shortest description; -1 for an empty front."""
        numbers = list(self.valued.values())
        same = [k for k, each in enumerate(self.front) if len(numbers) == 1 and each.expression == numbers[0]]
        return same[0] if same else min(range(len(self.front)), key=lambda k: self.front[k].description, default=-1)

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> "Law":
        """The law that :meth:`to_plain` wrote down. ``ValueError`` says what is missing, or is no formula."""
        return from_plain(plain)


def from_plain(plain: Mapping[str, Any]) -> Law:
    """See :meth:`Law.from_plain`."""
    from kanpde.symbolic.spelling import restored

    try:
        alias = dict(zip(plain["aliases"]["read"], plain["aliases"]["name"], strict=True))
        columns, candidates = plain["constants"], plain["candidates"]
        units = columns.get("unit", [""] * len(columns["name"]))  # laws of before have none
        constants = zip(*(columns[key] for key in ("name", "value", "sigma", "exact")), units, strict=True)
        front = zip(*(candidates[key] for key in ("sympy", "nodes", "rms", "description")), strict=True)
        return Law(
            names=tuple(map(str, plain["names"])),
            expressions={
                str(output): restored(str(text), alias) for output, text in zip(plain["outputs"], plain["expressions"], strict=True)
            },
            constants=tuple(
                LawConstant(str(name), float(value), float(sigma), str(exact), str(unit)) for name, value, sigma, exact, unit in constants
            ),
            front=tuple(Candidate(restored(str(text), alias), int(size), float(rms), float(bits)) for text, size, rms, bits in front),
            evidence=tuple(map(str, plain["evidence"])),
            verdict=str(plain["verdict"]),
            reason=str(plain["reason"]),
            rms=float(plain["rms"]),
            noise=float(plain["noise"]),
            lead=float(plain["lead"]),
            kind=str(plain["kind"]),
        )
    except KeyError as error:
        raise ValueError(f"what should be a law lacks {error}") from error
    except TypeError as error:
        raise ValueError(f"this is no law: {error}") from error
