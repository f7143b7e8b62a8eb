"""Outer links: y = inverse(sum of terms), so that T(y) is the sum, and linear least squares finds its coefficients.

A residual of T(y) is |T'(y)| times that of y: with weights 1/|T'| the sums are fitted as y itself would be, to first order.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from kanpde.primitives import PRIMITIVES
from kanpde.symbolic.forms import Node

HALF = Fraction(1, 2)
FLATTEST = 1e-3  # of the median slope of T: what is flatter has no greater weight


@dataclass(frozen=True)
class Link:
    """T by its name, its values and slopes, and the formula y = inverse(T)."""

    name: str
    forward: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    inverse: Callable[[Node], Node]
    holds: Callable[[float, float], bool]  # for values y between these

    def target(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """T(y) and the weights of its residuals, (N,) each; the weights are 1 in the mean square."""
        slope = self.slope(y).abs()
        weights = 1 / slope.clamp(min=FLATTEST * float(slope.median()))
        return self.forward(y), weights / weights.square().mean().sqrt()


def _one_sign(low: float, high: float) -> bool:
    return low * high > 0


LINKS = (
    Link("y", lambda y: y, torch.ones_like, lambda node: node, lambda low, high: True),
    Link("1/y", lambda y: 1 / y, lambda y: y**-2, lambda node: node**-1, _one_sign),
    Link("y^2", lambda y: y**2, lambda y: 2 * y, lambda node: node**HALF, lambda low, high: low >= 0),
    Link("1/y^2", lambda y: y**-2, lambda y: 2 * y**-3, lambda node: node**-HALF, lambda low, high: low > 0),
    Link("log", lambda y: y.log(), lambda y: 1 / y, lambda node: node.under(PRIMITIVES["exp"]), lambda low, high: low > 0),
    Link("sqrt", lambda y: y.sqrt(), lambda y: 0.5 * y**-0.5, lambda node: node**2, lambda low, high: low >= 0),
    Link("exp", lambda y: y.exp(), lambda y: y.exp(), lambda node: node.under(PRIMITIVES["log"]), lambda low, high: max(-low, high) < 20),
    Link(
        "sin", lambda y: y.sin(), lambda y: y.cos(), lambda node: node.under(PRIMITIVES["asin"]), lambda low, high: max(-low, high) < 1.57
    ),
    Link(
        "cos", lambda y: y.cos(), lambda y: y.sin(), lambda node: node.under(PRIMITIVES["acos"]), lambda low, high: 0 < low < high < math.pi
    ),
)


def links_for(y: Tensor) -> list[Link]:
    """Those that hold for all values y."""
    low, high = float(y.min()), float(y.max())
    return [link for link in LINKS if link.holds(low, high)]
