"""kanpde: differential equations solved to many digits with Kolmogorov-Arnold networks."""

from kanpde.bases import (
    AlgebraicMap,
    Basis,
    BSpline,
    Chebyshev,
    Fourier,
    Gaussian,
    Hermite,
    Jacobi,
    Legendre,
    Mapped,
    MexicanHat,
    Monomial,
    Polynomials,
    RationalChebyshev,
    SiLU,
    Sine,
    SinhMap,
)
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.fields import Field, div, grad, laplacian
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.optimizers import LBFGS, Adam, GaussNewton, LevenbergMarquardt
from kanpde.problem import Condition, Dirichlet, Initial, Problem
from kanpde.results import Result, load, save
from kanpde.sampling import Sampling
from kanpde.schedule import Continue, Refine, Resample, Until
from kanpde.separable import SeparableKAN

__version__ = "0.1.0"

__all__ = [
    "KAN", "LBFGS", "MLP", "Adam", "AlgebraicMap", "BSpline", "Basis", "Box", "Chebyshev", "Condition", "Continue", "Dirichlet",
    "Experiment", "Field", "Fourier", "GaussNewton", "Gaussian", "Hermite", "Initial", "Jacobi", "Legendre", "LevenbergMarquardt",
    "Mapped", "MexicanHat", "Monomial", "Polynomials", "Problem", "RationalChebyshev", "Refine", "Resample", "Result", "Sampling",
    "SeparableKAN", "SiLU", "Sine", "SinhMap", "Until", "div", "grad", "laplacian", "load", "save",
]  # fmt: skip
