"""kanpde: differential equations solved to many digits with Kolmogorov-Arnold networks."""

from kanpde.augmented import Augmented
from kanpde.bases import (
    AlgebraicMap,
    ArcsineMap,
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
from kanpde.bootstrap import bootstrap
from kanpde.callbacks import EarlyStopping, Log, Record
from kanpde.conditions import Condition, Data, Dirichlet, Initial, InitialVelocity, Integral, Neumann, Periodic, Point, Robin
from kanpde.continual import Continual, Elastic, FreezeReached, Rehearse, Replay, Stay, Windows
from kanpde.datasets import Dataset
from kanpde.discovery import conserved, discover, discover_pde, extract, polish
from kanpde.discovery.conservation_runs import ConservedSearch
from kanpde.discovery.equation_runs import EquationSearch
from kanpde.discovery.runs import LawSearch
from kanpde.discovery.solutions.looking import Extract
from kanpde.domains import Box
from kanpde.editing import (
    AdaptRanges,
    Fixed,
    FixEdges,
    Proposal,
    Prune,
    Pruned,
    PruneReport,
    Released,
    adapt_ranges,
    auto_swap,
    connection_cost,
    expand_depth,
    expand_width,
    fix,
    freeze,
    perturb,
    prune,
    release,
    remove_edge,
    remove_input,
    remove_node,
    simplify,
    suggest,
    swap,
    unfreeze,
)
from kanpde.experiment import Experiment
from kanpde.fields import Field, div, grad, laplacian
from kanpde.growth import Growth, grow
from kanpde.interpret import (
    Film,
    activations,
    attribution,
    draw_network,
    edge,
    edge_functions,
    interactions,
    outside_grid,
    sensitivity,
)
from kanpde.kan import KAN
from kanpde.layer import Layer as KANLayer
from kanpde.mlp import MLP
from kanpde.network_files import load_network, save_network
from kanpde.optimizers import LBFGS, Adam, GaussNewton, LevenbergMarquardt, SparseNewton, VariableProjection
from kanpde.penalties import Smooth, Sparsify
from kanpde.primitives import PRIMITIVES, Primitive, power, primitive
from kanpde.problem import Problem, Unknown, manufactured
from kanpde.problem_files import Chapter
from kanpde.results import Result, load, save
from kanpde.sampling import Sampling
from kanpde.schedule import Balance, Batches, Continue, Refine, Resample, Starts, Until
from kanpde.separable import SeparableKAN
from kanpde.similarity import Similarity
from kanpde.simulated import Simulated
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
    Tree,
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
    structure_tree,
)
from kanpde.supervised import Classification, Ordinal, Regression
from kanpde.symbolic.compiler import compile_expression
from kanpde.symbolic.law import Law
from kanpde.symbolic.law_storage import draw_law, load_law, save_law
from kanpde.symbolic.tidying import tidy
from kanpde.symbolic.writing import as_expression
from kanpde.tensor import TensorKAN
from kanpde.version_keeping import KeepVersions
from kanpde.versions import Versions
from kanpde.wrapped import Wrapped

__version__ = "0.1.0"

__all__ = [
    "KAN", "LBFGS", "MLP", "PRIMITIVES", "Adam", "AdaptMap", "AdaptRanges", "AlgebraicMap", "ArcsineMap", "Augmented", "BSpline",
    "Balance", "Basis", "Batches", "Box", "Chapter", "Chebyshev", "Classification", "Condition", "ConservedSearch", "Continual",
    "Continue", "Data", "Dataset", "Dirichlet", "EarlyStopping", "Elastic", "EquationSearch", "Exchange", "Experiment", "Extended",
    "Extract", "Field", "Film", "Finding", "FixEdges", "Fixed", "Fourier", "FreezeReached", "GaussNewton", "Gaussian", "Growth",
    "Hermite", "Homogeneity", "Initial", "InitialVelocity", "Integral", "Jacobi", "KANLayer", "KeepVersions", "Law", "LawSearch",
    "Legendre", "LevenbergMarquardt", "Log", "Mapped", "MexicanHat", "Monomial", "Neumann", "Ordinal", "Parts", "PerInput",
    "Periodic", "Point", "Polynomials", "Primitive", "Problem", "Proposal", "Prune", "PruneReport", "Pruned", "RationalChebyshev",
    "Record", "Refine", "Reflect", "Regression", "Rehearse", "Released", "Replay", "Resample", "Result", "Robin", "Rotate",
    "Sampling", "Scale", "SeparableKAN", "Shift", "SiLU", "Similarity", "Simulated", "Sine", "SinhMap", "Slabs", "Smooth",
    "SparseNewton", "Sparsify", "Starts", "Stay", "TensorKAN", "Translate", "Tree", "Unknown", "Until", "VariableProjection",
    "Versions", "Windows", "Wrapped", "activations", "adapt_ranges", "additive_parts", "additive_separability", "as_expression",
    "attribution", "auto_swap", "bootstrap", "compile_expression", "composition", "connection_cost", "conserved", "dependence",
    "discover", "discover_pde", "div", "draw_law", "draw_network", "edge", "edge_functions", "expand_depth", "expand_width",
    "extract", "fix", "freeze", "generalised_separability", "grad", "grow", "homogeneity", "interactions", "invariance", "laplacian",
    "load", "load_law", "load_network", "manufactured", "multiplicative_parts", "multiplicative_separability", "outside_grid",
    "periodicity", "perturb", "polish", "power", "primitive", "prune", "release", "remove_edge", "remove_input", "remove_node",
    "save", "save_law", "save_network", "sensitivity", "simplify", "structure_tree", "suggest", "swap", "tidy", "unfreeze",
]  # fmt: skip
