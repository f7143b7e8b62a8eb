"""Tests of structure, for any function of points: sums, products, inner functions, symmetries, each with a score and a verdict."""

from kanpde.structure.findings import Finding
from kanpde.structure.invariance import (
    Exchange,
    Homogeneity,
    Reflect,
    Rotate,
    Scale,
    Shift,
    Transformation,
    Translate,
    homogeneity,
    invariance,
    periodicity,
)
from kanpde.structure.levels import composition, dependence, generalised_separability
from kanpde.structure.separability import Parts, additive_parts, additive_separability, multiplicative_parts, multiplicative_separability
from kanpde.structure.tree import Tree, structure_tree

__all__ = [
    "Exchange", "Finding", "Homogeneity", "Parts", "Reflect", "Rotate", "Scale", "Shift", "Transformation", "Translate", "Tree",
    "additive_parts", "additive_separability", "composition", "dependence", "generalised_separability", "homogeneity", "invariance",
    "multiplicative_parts", "multiplicative_separability", "periodicity", "structure_tree",
]  # fmt: skip
