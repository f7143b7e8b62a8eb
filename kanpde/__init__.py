"""kanpde: differential equations solved to many digits with Kolmogorov-Arnold networks."""

from kanpde.bases import Basis, BSpline, Chebyshev, SiLU
from kanpde.conditions import Condition, Data, Dirichlet, Initial, InitialVelocity, Integral, Neumann, Periodic, Point, Robin
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.fields import Field, div, grad, laplacian
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.optimizers import LBFGS, Adam, LevenbergMarquardt
from kanpde.problem import Problem, Unknown, manufactured
from kanpde.results import Result, load, save
from kanpde.training import Refine, Sampling

__version__ = "0.1.0"

__all__ = [
    "KAN", "LBFGS", "MLP", "Adam", "BSpline", "Basis", "Box", "Chebyshev", "Condition", "Data", "Dirichlet", "Experiment", "Field",
    "Initial", "InitialVelocity", "Integral", "LevenbergMarquardt", "Neumann", "Periodic", "Point", "Problem", "Refine", "Result",
    "Robin", "Sampling", "SiLU", "Unknown", "div", "grad", "laplacian", "load", "manufactured", "save",
]  # fmt: skip
