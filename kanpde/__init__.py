"""kanpde: differential equations solved to many digits with Kolmogorov-Arnold networks."""

from kanpde.augmented import Augmented
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
from kanpde.datasets import Dataset
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.fields import Field, div, grad, laplacian
from kanpde.growth import Growth, grow
from kanpde.kan import KAN
from kanpde.layer import Layer as KANLayer
from kanpde.mlp import MLP
from kanpde.optimizers import LBFGS, Adam, GaussNewton, LevenbergMarquardt, VariableProjection
from kanpde.penalties import Smooth, Sparsify
from kanpde.primitives import PRIMITIVES, Primitive, power, primitive
from kanpde.problem import Problem, Unknown, manufactured
from kanpde.results import Result, load, save
from kanpde.sampling import Sampling
from kanpde.schedule import Balance, Batches, Continue, Refine, Resample, Until
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
from kanpde.supervised import Classification, Regression
from kanpde.wrapped import Wrapped

__version__ = "0.1.0"

__all__ = [
    "KAN", "LBFGS", "MLP", "PRIMITIVES", "Adam", "AdaptMap", "AlgebraicMap", "Augmented", "BSpline", "Balance", "Basis", "Batches",
    "Box", "Chebyshev", "Classification", "Condition", "Continue", "Data", "Dataset", "Dirichlet", "EarlyStopping", "Exchange",
    "Experiment", "Extended", "Field", "Finding", "Fourier", "GaussNewton", "Gaussian", "Growth", "Hermite", "Homogeneity",
    "Initial", "InitialVelocity", "Integral", "Jacobi", "KANLayer", "Legendre", "LevenbergMarquardt", "Log", "Mapped", "MexicanHat",
    "Monomial", "Neumann", "Parts", "PerInput", "Periodic", "Point", "Polynomials", "Primitive", "Problem", "RationalChebyshev",
    "Record", "Refine", "Reflect", "Regression", "Resample", "Result", "Robin", "Rotate", "Sampling", "Scale", "SeparableKAN",
    "Shift", "SiLU", "Sine", "SinhMap", "Slabs", "Smooth", "Sparsify", "Translate", "Unknown", "Until", "VariableProjection",
    "Wrapped", "additive_parts", "additive_separability", "composition", "dependence", "div", "generalised_separability", "grad",
    "grow", "homogeneity", "invariance", "laplacian", "load", "manufactured", "multiplicative_parts", "multiplicative_separability",
    "periodicity", "power", "primitive", "save",
]  # fmt: skip
