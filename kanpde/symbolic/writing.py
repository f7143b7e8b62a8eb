"""Networks as formulas: what a KAN computes whose edges are all symbolic, as sympy expressions.

>>> from kanpde.symbolic.compiler import compile_expression
>>> as_expression(compile_expression("2*sin(3*x)*y"), ["x", "y"])
2*y*sin(3*x)
"""

from collections.abc import Sequence
from typing import Any

from kanpde.augmented import Augmented
from kanpde.functions import exact
from kanpde.kan import KAN
from kanpde.layer import Layer


def as_expression(network: KAN, inputs: Sequence[Any] | None = None, *, digits: int = 15) -> Any:
    """The expression of a network with symbolic edges only, a tuple of them if it has several outputs.

    ``inputs`` are names or symbols for its inputs, by default x1, x2, ...; the box that the network maps to [-1, 1], and the scale of
    its outputs, are written into the constants, which are rounded to ``digits`` significant digits. A bias or an argument that is nought
    but for rounding is left out. Auxiliary inputs are written as the functions of the coordinates that they are.

    Raises ``ValueError`` that says which edges still carry splines, and for another number of names than inputs.
    """
    import sympy

    names = [f"x{number}" for number in range(1, network.inputs + 1)] if inputs is None else list(inputs)
    if len(names) != network.inputs or len({str(name) for name in names}) < len(names):
        raise ValueError(f"the network has {network.inputs} inputs, got the names {', '.join(map(str, names)) or 'none'}")
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 17:
        raise ValueError(f"constants are rounded to between 1 and 17 digits, got digits={digits!r}")
    _splines(network)
    lower, upper = (bound.tolist() for bound in network.input_ranges)
    middle, half = [(a + b) / 2 for a, b in zip(lower, upper, strict=True)], [(b - a) / 2 for a, b in zip(lower, upper, strict=True)]
    values = [name if isinstance(name, sympy.Symbol) else sympy.Symbol(name, real=True) for name in names]
    if isinstance(network, Augmented):
        values = [exact(value) for value in network.entering(dict(zip(network.coordinates, values, strict=True))).values()]
    for layer in network.wires:
        values = _nodes(layer, values, middle, half, digits)
        middle, half = [0.0] * len(values), [1.0] * len(values)
    if network.output_scale is not None and network.output_shift is not None:
        scaled = zip(values, network.output_shift.tolist(), network.output_scale.tolist(), strict=True)
        values = [_number(shift, digits) + _number(scale, digits) * value for value, shift, scale in scaled]
    return values[0] if len(values) == 1 else tuple(values)


def _splines(network: KAN) -> None:
    """Complain of edges that are no formulas."""
    found = []
    for number, layer in enumerate(network.wires):
        for output, input in (layer.present & (layer.weight != 0).any(1)).nonzero().tolist():
            found.append(f"{input} -> {output} of layer {number}")
    if found:
        shown = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
        raise ValueError(f"a formula needs symbolic edges, but splines are on {shown}: fix them to primitives, or prune them")


def _nodes(layer: Layer, values: Sequence[Any], middle: Sequence[float], half: Sequence[float], digits: int) -> list[Any]:
    """The outputs of a layer whose input i is (value i - middle i) / half i."""
    import sympy

    biases = [0.0] * layer.linear if layer.bias is None else layer.bias.tolist()
    terms: list[list[Any]] = [[] for _ in biases]
    constants = [] if layer.constants is None else layer.constants.tolist()
    for symbol, (a, b, c) in zip(layer.symbols, constants, strict=True):
        slope = a / half[symbol.input]
        shift, size = b - slope * middle[symbol.input], abs(b) + abs(slope * middle[symbol.input])
        offset = 0.0 if abs(shift) <= 1e-14 * size else shift
        if symbol.primitive.name == "x":  # a constant of its own belongs to the bias
            terms[symbol.output].append(_number(c * slope, digits) * values[symbol.input])
            biases[symbol.output] += c * offset
        else:
            argument = _number(slope, digits) * values[symbol.input] + _number(offset, digits)
            terms[symbol.output].append(_number(c, digits) * symbol.primitive.symbolic(argument))
    sums = [sympy.Add(*each, _number(bias, digits)) for each, bias in zip(terms, biases, strict=True)]
    found, place = sums[: layer.sums], layer.sums
    for arity in layer.arities:
        found.append(sympy.Mul(*sums[place : place + arity]))
        place += arity
    return found


def _number(value: float, digits: int) -> Any:
    """A float as sympy shows it best: whole numbers as such."""
    import sympy

    rounded = float(f"{value:.{digits}g}")
    return sympy.Integer(int(rounded)) if rounded == int(rounded) and abs(rounded) < 1e15 else sympy.Float(repr(rounded), max(digits, 15))
