"""Conditions: what holds on sides, at points, between sides, in the mean, and what was measured."""

from kanpde.conditions.condition import CONDITION_WEIGHT, Condition, Frame, Place, evaluated, shown
from kanpde.conditions.coupled import Integral, Periodic
from kanpde.conditions.data import Data
from kanpde.conditions.slopes import Neumann, Robin
from kanpde.conditions.values import Dirichlet, Initial, InitialVelocity, Point, Value, Values

__all__ = [
    "CONDITION_WEIGHT", "Condition", "Data", "Dirichlet", "Frame", "Initial", "InitialVelocity", "Integral", "Neumann", "Periodic",
    "Place", "Point", "Robin", "Value", "Values", "evaluated", "shown",
]  # fmt: skip
