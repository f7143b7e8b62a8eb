"""Univariate bases on [-1, 1]: values, derivatives of any order, exact refinement, and the points that fit them.

A basis is an immutable description. ``table(x, order)`` has the shape ``(order + 1, size, *x.shape)`` and holds all basis
functions and their derivatives; ``squashed_table(z, order)`` holds the same for the functions B_k(tanh z) of an unbounded
z. ``values(x)`` are the functions alone, in operations that autograd differentiates to any order. Networks read the same from
``span(x, order)``, which leaves the derivatives as combinations of fewer functions where the family allows it.

A new basis is one class: see :class:`Basis` for the five things that it defines, and :class:`Polynomials` for the one that
polynomials with a three-term recurrence define.
"""

from kanpde.bases.basis import Basis, Functions, Joined, Span, remembered
from kanpde.bases.extended import Extended, PerInput
from kanpde.bases.fourier import Fourier, Sine
from kanpde.bases.hermite import Hermite
from kanpde.bases.localized import Gaussian, MexicanHat
from kanpde.bases.mapped import AlgebraicMap, ArcsineMap, Map, Mapped, SinhMap
from kanpde.bases.polynomials import Chebyshev, Jacobi, Legendre, Monomial, Polynomials
from kanpde.bases.rational import RationalChebyshev
from kanpde.bases.silu import SiLU
from kanpde.bases.splines import BSpline

__all__ = [
    "AlgebraicMap", "ArcsineMap", "BSpline", "Basis", "Chebyshev", "Extended", "Fourier", "Functions", "Gaussian", "Hermite", "Jacobi",
    "Joined", "Legendre", "Map", "Mapped", "MexicanHat", "Monomial", "PerInput", "Polynomials", "RationalChebyshev", "SiLU", "Sine",
    "SinhMap", "Span", "remembered",
]  # fmt: skip
