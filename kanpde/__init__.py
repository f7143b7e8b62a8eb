"""kanpde: differential equations solved to many digits with Kolmogorov-Arnold networks."""

from kanpde.bases import (
    AlgebraicMap,
    Basis,
    BSpline,
    Chebyshev,
    Extended,
    Fourier,
    Gaussian,
    Hermite,
    Jacobi,
    Legendre,
    Mapped,
    MexicanHat,
    Monomial,
    PerInput,
    Polynomials,
    RationalChebyshev,
    SiLU,
    Sine,
    SinhMap,
)
from kanpde.callbacks import EarlyStopping, Log, Record
from kanpde.conditions import Condition, Data, Dirichlet, Initial, InitialVelocity, Integral, Neumann, Periodic, Point, Robin
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.fields import Field, div, grad, laplacian
from kanpde.kan import KAN
from kanpde.keeping import KeepVersions
from kanpde.layer import Layer as KANLayer
from kanpde.mlp import MLP
from kanpde.optimizers import LBFGS, Adam, GaussNewton, LevenbergMarquardt, VariableProjection
from kanpde.primitives import PRIMITIVES, Primitive, power, primitive
from kanpde.problem import Problem, Unknown, manufactured
from kanpde.results import Result, load, save
from kanpde.sampling import Sampling
from kanpde.saving import load_network, save_network
from kanpde.schedule import Balance, Continue, Refine, Resample, Starts, Until
from kanpde.separable import SeparableKAN
from kanpde.slabs import AdaptMap, Slabs
from kanpde.structure import (
    Exchange,
    Finding,
    Homogeneity,
    Parts,
    Reflect,
    Rotate,
    Scale,
    Shift,
    Translate,
    additive_parts,
    additive_separability,
    composition,
    dependence,
    generalised_separability,
    homogeneity,
    invariance,
    multiplicative_parts,
    multiplicative_separability,
    periodicity,
)
from kanpde.symbolic.compiler import compile_expression
from kanpde.symbolic.writing import as_expression
from kanpde.versions import Versions
from kanpde.wrapped import Wrapped

__version__ = "0.1.0"

__all__ = [
    "KAN", "LBFGS", "MLP", "PRIMITIVES", "Adam", "AdaptMap", "AlgebraicMap", "BSpline", "Balance", "Basis", "Box", "Chebyshev",
    "Condition", "Continue", "Data", "Dirichlet", "EarlyStopping", "Exchange", "Experiment", "Extended", "Field", "Finding",
    "Fourier", "GaussNewton", "Gaussian", "Hermite", "Homogeneity", "Initial", "InitialVelocity", "Integral", "Jacobi", "KANLayer",
    "KeepVersions", "Legendre", "LevenbergMarquardt", "Log", "Mapped", "MexicanHat", "Monomial", "Neumann", "Parts", "PerInput",
    "Periodic", "Point", "Polynomials", "Primitive", "Problem", "RationalChebyshev", "Record", "Refine", "Reflect", "Resample",
    "Result", "Robin", "Rotate", "Sampling", "Scale", "SeparableKAN", "Shift", "SiLU", "Sine", "SinhMap", "Slabs", "Starts",
    "Translate", "Unknown", "Until", "VariableProjection", "Versions", "Wrapped", "additive_parts", "additive_separability",
    "as_expression", "compile_expression", "composition", "dependence", "div", "generalised_separability", "grad", "homogeneity",
    "invariance", "laplacian", "load", "load_network", "manufactured", "multiplicative_parts", "multiplicative_separability",
    "periodicity", "power", "primitive", "save", "save_network",
]  # fmt: skip
