"""Formulas as networks: a sympy expression, or text, becomes a KAN that equals it to rounding, and is trained and edited from there.

>>> network = compile_expression("exp(-(theta/sigma)^2/2)/(sqrt(2*pi)*sigma)", {"theta": (1, 3), "sigma": (1, 3)})
>>> network
KAN(2, (1, 1), (0, 1), basis=None, hidden='range') with 5 of 10 edges and 5 symbolic terms

To refit a law to data or to an equation, compile it, set its constants to a guess (or ``network.assign`` other numbers), and give the
network to :class:`kanpde.Experiment` as its model: its constants are what is trained.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kanpde.bases import Basis, Extended
from kanpde.functions import lambdified
from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.primitives import Primitive
from kanpde.symbols import Symbol

if TYPE_CHECKING:
    from kanpde.symbolic.graph import Node

POINTS = 512  # at which a network is compared with its expression
BOXES = ((-1.0, 1.0), (0.05, 1.0), (1.0, 3.0), (-4.0, 4.0), (0.05, 20.0))  # where, if no ranges are given
EPS = float(np.finfo(float).eps)
RELATIVE, ABSOLUTE = 1e-8, 1e-11  # how closely; and beyond what the rounding of the inputs does to it, 64 times

Ranges = Mapping[Any, tuple[float, float]]


def compile_expression(expression: Any, inputs: Ranges | Iterable[Any] | None = None, *, basis: Basis | None = None) -> KAN:
    """The KAN that equals a sympy expression, a text such as ``"q1*q2/(4*pi*r^2)"``, or several of them as its outputs.

    Sums become sum nodes, products product nodes, functions symbolic edges c f(a z + b); what a later layer needs rides on identity edges.
    All constants of the expression, and the biases of its nodes, are trained, but for those that would only repeat another (the a of a
    power, the b of exp) and the identity edges. With a ``basis``, every edge also has a part in it, zero at first.

    ``inputs`` are the names or symbols in their order, by default those of the expression by alphabet; as ``{name: (low, high)}`` also
    the box that the network lives on; otherwise that is the first of some in which the expression is finite, [-1, 1] before others. The
    network is compared with the expression in that box, and without ranges also in the others.

    Raises ``ValueError`` for what a KAN has no nodes for, for an expression that is not finite in the box, and for a network that differs
    from it; ``TypeError`` for what is no expression.
    """
    from kanpde.symbolic.graph import levels
    from kanpde.symbolic.translation import translated

    expressions = _expressions(expression, inputs)
    symbols, ranges = _inputs(expressions, inputs)
    found = levels(translated(expressions, symbols))  # first: it names what it does not know
    box, points, wanted, slack = _samples(expressions, symbols, ranges)
    lower, upper = np.array(box).T
    inside = points[((points >= lower) & (points <= upper)).all(1)]
    network = KAN.assembled(_layers(found, inside, lower, upper, basis), lower=lower.tolist(), upper=upper.tolist())
    _check(network, points, wanted, slack, expressions, symbols)
    return network


def _expressions(expression: Any, inputs: Ranges | Iterable[Any] | None) -> list[Any]:
    """One or several expressions in sympy."""
    import sympy

    from kanpde.symbolic.reading import read

    several = list(expression) if isinstance(expression, (tuple, list)) else [expression]
    names = [str(each) for each in inputs] if inputs is not None else []
    found = [read(each, names) if isinstance(each, str) else each for each in several]
    found = [sympy.sympify(each) if isinstance(each, (int, float)) and not isinstance(each, bool) else each for each in found]
    for each in found:
        if not isinstance(each, sympy.Expr):
            raise TypeError(f"an expression is made with sympy, or a text such as 'sin(pi*x) + y^2', got {each!r}")
    if not found:
        raise ValueError("there is no expression to compile")
    return found


def _inputs(expressions: Sequence[Any], inputs: Ranges | Iterable[Any] | None) -> tuple[list[Any], list[tuple[float, float]] | None]:
    """The symbols of the inputs, in order, and their ranges if there are any."""
    import sympy

    free = sorted(set().union(*(each.free_symbols for each in expressions)), key=str)
    by_name = {str(symbol): symbol for symbol in free}
    if len(by_name) < len(free):
        twice = next(str(symbol) for symbol in free if by_name[str(symbol)] is not symbol)
        raise ValueError(f"the expression has two symbols called {twice}, with different assumptions")
    if isinstance(inputs, str):
        raise TypeError(f"inputs is a list of names, or a mapping of names to ranges, got {inputs!r}")
    asked = free if inputs is None else list(inputs)
    names = [str(each) for each in asked]
    if len(set(names)) < len(names):
        raise ValueError(f"inputs lists a name twice: {', '.join(names)}")
    if missing := [name for name in by_name if name not in names]:
        raise ValueError(f"the expression has {', '.join(missing)}, but the inputs are {', '.join(names) or 'none'}: add what is missing")
    if not names:
        raise ValueError("the expression has no variables: name the inputs of the network, as in inputs=['x']")
    symbols = [by_name.get(name, sympy.Symbol(name, real=True)) for name in names]
    if not isinstance(inputs, Mapping):
        return symbols, None
    ranges = []
    for name, interval in inputs.items():
        low, high = (float(end) for end in interval)
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"the range of {name} must be two numbers, the lower first, got {interval!r}")
        ranges.append((low, high))
    return symbols, ranges


def _samples(
    expressions: Sequence[Any], symbols: Sequence[Any], ranges: list[tuple[float, float]] | None
) -> tuple[list[tuple[float, float]], np.ndarray, np.ndarray, np.ndarray]:
    """A box, points (N, inputs), also outside of it, the expressions there (N, outputs), by sympy's own NumPy code, and how well so."""
    functions = [lambdified(list(symbols), each, ["scipy", "numpy"]) for each in expressions]
    random = np.random.default_rng(0)
    boxes = [ranges] if ranges is not None else [[box] * len(symbols) for box in BOXES]
    places, values, slack, counts = [], [], [], []
    for box in boxes:
        low, high = np.array(box, dtype=float).T
        points = random.uniform(low, high, (POINTS, len(symbols)))
        with np.errstate(all="ignore"):
            found, beside = (np.stack([_real(each, at) for each in functions], 1) for at in (points, points * (1 + 4 * EPS)))
            moved = np.abs(beside - found)
        finite = np.isfinite(found).all(1)
        if ranges is not None and not finite.all():
            point = ", ".join(f"{symbol} = {x:.4g}" for symbol, x in zip(symbols, points[~finite][0], strict=True))
            raise ValueError(f"the expression is not finite at {point}: give ranges in which it is")
        counts.append(int(finite.sum()))
        places.append(points[finite])
        values.append(found[finite])
        slack.append(64 * np.nan_to_num(moved[finite], nan=0.0, posinf=0.0))
    if sum(counts) < POINTS // 16:
        raise ValueError(
            f"the expression was finite and real at {sum(counts)} of {POINTS * len(boxes)} points: give ranges, {{'x': (1, 2)}}"
        )
    return boxes[counts.index(max(counts))], np.concatenate(places), np.concatenate(values), np.concatenate(slack)


def _real(function: Any, points: np.ndarray) -> np.ndarray:
    """A compiled expression at the points, NaN where it is not real."""
    found = np.broadcast_to(function(*points.T), len(points))
    return np.where(np.imag(found) == 0, np.real(found), np.nan)


# ---- layers ----


def _layers(
    found: Sequence[tuple["Node", ...]], points: np.ndarray, lower: np.ndarray, upper: np.ndarray, basis: Basis | None
) -> list[Layer]:
    """The layers of a network on the box, behind the first with the ranges that their inputs have at the points."""
    layers, values = [], points.T
    for number, nodes in enumerate(found):
        sums = sum(len(node.factors) == 1 for node in nodes)
        arities = [len(node.factors) for node in nodes[sums:]]
        layer = Layer(values.shape[0], (sums, arities) if arities else sums, basis=None, entry="range")
        middle, half = ((lower + upper) / 2, (upper - lower) / 2) if number == 0 else (np.zeros(len(values)), np.ones(len(values)))
        _put(layer, nodes, middle, half)
        if number and values.size:
            low, high = values.min(1), values.max(1)
            wide = np.maximum(high - low, 1e-3 * np.maximum(np.abs(low), 1e-3))
            layer.put_range(torch.from_numpy(high - wide), torch.from_numpy(high))
        if basis is not None:
            kind = Extended(basis, "linear") if number else basis
            layer.put_splines(kind, torch.zeros(layer.linear, kind.size, layer.inputs), layer.edges)
        layers.append(layer)
        with np.errstate(all="ignore"):
            values = np.array([node.values(values) for node in nodes])
        values = values[:, np.isfinite(values).all(0)]
    return layers


def _put(layer: Layer, nodes: Sequence["Node"], middle: np.ndarray, half: np.ndarray) -> None:
    """The terms and biases of the nodes, where input i of the layer is (value - middle[i]) / half[i]."""
    symbols, constants, held, biases, fixed = [], [], [], [], []
    for node in nodes:
        for factor in node.factors:
            riding = len(node.factors) == 1 and len(factor.terms) == 1 and factor.terms[0].rides and not factor.bias
            for term in factor.terms:
                symbols.append(Symbol(len(biases), term.source, term.primitive))
                constants.append((term.a * half[term.source], term.a * middle[term.source] + term.b, term.c))
                held.append((True, True, True) if riding else _repeats(term.primitive))
            biases.append(factor.bias)
            fixed.append(riding)
    layer.put_symbols(symbols, torch.tensor(constants, dtype=torch.float64), torch.tensor(held))
    layer.put_bias(torch.tensor(biases, dtype=torch.float64), torch.tensor(fixed))


def _repeats(primitive: Primitive) -> tuple[bool, bool, bool]:
    """Which of a, b, c only does what another or the bias does: of x both a and b, of powers and log a, of exp b."""
    scales = primitive.name.startswith("x^") or primitive.name in ("x", "sqrt", "log", "abs", "sign", "heaviside", "relu")
    return scales, primitive.name in ("x", "exp"), False


# ---- the check ----


def _check(
    network: KAN, points: np.ndarray, wanted: np.ndarray, slack: np.ndarray, expressions: Sequence[Any], symbols: Sequence[Any]
) -> None:
    """Compare the network with the values (N, outputs) it should have, which rounding of the inputs changes by ``slack``."""
    with torch.no_grad():
        found = network(torch.from_numpy(points)).numpy()
    for each, values, right, loose in zip(expressions, found.T, wanted.T, slack.T, strict=True):
        error, size = np.abs(values - right), np.abs(right)
        scale = float(np.median(size)) or float(size.mean())
        wrong = ~(error <= RELATIVE * size + ABSOLUTE * scale + loose)
        if wrong.any() or not float(np.median(error)) <= ABSOLUTE * scale + float(np.median(loose)):
            worst = int(np.argmax(np.where(wrong, np.nan_to_num(error, nan=np.inf), 0)))
            point = ", ".join(f"{name} = {x:.6g}" for name, x in zip(symbols, points[worst], strict=True))
            raise ValueError(
                f"the network made of {each} is {values[worst]:.10g} and not {right[worst]:.10g} at {point}: there the formula loses its "
                "digits or its parts are not finite; give ranges without such points, or write it otherwise"
            )
