"""The formula of a network that consists of symbolic edges: what a result says about it."""

import logging

import numpy as np
import torch
from torch import Tensor

from kanpde.functions import numeric
from kanpde.kan import KAN
from kanpde.network import Network
from kanpde.problem import Problem
from kanpde.symbolic.tidying import tidy
from kanpde.symbolic.writing import as_expression

logger = logging.getLogger("kanpde")

ROWS = 1000  # at which formula and network are compared


@torch.no_grad()
def stated(problem: Problem, network: Network, points: Tensor) -> tuple[dict[str, str], float]:
    """``formula``, a line ``u = ...`` for each unknown with tidy constants, and ``formula_latex``; and how far it is from the network.

    That is the greatest difference at ``points`` (n, d) over the greatest value; NaN where floats cannot hold the formula. Nothing, and
    NaN, for a network that still has splines, and under hard conditions, which are not in it.
    """
    if not isinstance(network, KAN) or not _is_symbolic(network):
        return {}, float("nan")
    if any(problem.hard_sides(unknown) for unknown in problem.unknowns):
        return {}, float("nan")
    import sympy

    symbols = [sympy.Symbol(name, real=True) for name in problem.domain.names]
    found = as_expression(network, symbols)
    columns = dict(zip(problem.domain.names, points.T.cpu().double().numpy(), strict=True))
    ranges = {name: (float(column.min()), float(column.max())) for name, column in columns.items()}
    expressions = [tidy(each, ranges=ranges) for each in (found if isinstance(found, tuple) else (found,))]
    points, columns = points[:ROWS], {name: column[:ROWS] for name, column in columns.items()}
    wanted, worst = network(points).cpu().double().numpy(), 0.0
    for expression, values in zip(expressions, wanted.T, strict=True):
        names, function = numeric(expression)
        with np.errstate(all="ignore"):  # where it overflows the deviation is NaN
            given = np.broadcast_to(np.asarray(function(*(columns[name] for name in names)), dtype=float), values.shape)
        worst = float(np.maximum(worst, np.abs(given - values).max() / (np.abs(values).max() or 1.0)))  # NaN if one is
    pairs = list(zip(problem.unknowns, expressions, strict=True))
    text = "\n".join(f"{name} = {each}" for name, each in pairs)
    latex = "\n".join(f"{sympy.latex(sympy.Symbol(name))} = {sympy.latex(each)}" for name, each in pairs)
    return {"formula": text, "formula_latex": latex}, worst


def _is_symbolic(network: KAN) -> bool:
    """Whether every edge is symbolic, and there are some."""
    layers = network.wires
    return any(layer.symbols for layer in layers) and not any(bool((layer.weight != 0).any()) for layer in layers)
