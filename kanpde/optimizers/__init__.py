"""Optimizers: frozen descriptions that start a descent, one a file.

An optimizer has ``steps`` and a method ``start(network)``, which returns a :class:`~kanpde.optimizers.descent.Descent`.
"""

from kanpde.optimizers.adam import Adam
from kanpde.optimizers.descent import Descent, Optimizer, Paced, Step
from kanpde.optimizers.gauss_newton import GaussNewton
from kanpde.optimizers.lbfgs import LBFGS
from kanpde.optimizers.levenberg_marquardt import LevenbergMarquardt
from kanpde.optimizers.sparse_newton import SparseNewton
from kanpde.optimizers.variable_projection import VariableProjection

__all__ = [
    "LBFGS",
    "Adam",
    "Descent",
    "GaussNewton",
    "LevenbergMarquardt",
    "Optimizer",
    "Paced",
    "SparseNewton",
    "Step",
    "VariableProjection",
]
