"""Bases for the coordinates of a network that is not made of layers of edges: one for all, or one for each."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from kanpde.bases.basis import Basis


def one_for_each(basis: Basis | Sequence[Basis], inputs: int, name: str) -> tuple[Basis, ...]:
    """The bases of all coordinates of ``name``; ``TypeError`` for what is no basis, ``ValueError`` for another number of them."""
    bases: tuple[Any, ...] = tuple(basis) if isinstance(basis, (tuple, list)) else (basis,) * inputs
    for each in bases:
        if not isinstance(each, Basis):
            raise TypeError(f"basis must be a basis such as Chebyshev(degree=8), or a tuple of them, got {each!r}")
    if len(bases) != inputs:
        raise ValueError(f"{name} has {inputs} inputs, but {len(bases)} bases: give one for all, or one for each")
    return bases


def refined_bases(bases: Sequence[Basis], resolution: int, of: object) -> list[Basis]:
    """The bases refined to a resolution; those that are finer already, or have no resolution, stay. ``ValueError`` if none is coarser."""
    if (finest := max(basis.resolution for basis in bases)) > resolution:
        raise ValueError(f"cannot refine {of} to {resolution}: refinement only goes up from {finest}")
    return [b if not b.resolution_field or b.resolution >= resolution else b.refined(resolution) for b in bases]


@cache
def constant_one(basis: Basis) -> np.ndarray:
    """Coefficients (K,) of the function nearest to 1."""
    x = torch.from_numpy(basis.quantile((np.arange(8 * basis.size) + 0.5) / (8 * basis.size)))
    return np.linalg.lstsq(basis.values(x).numpy().T, np.ones(len(x)), rcond=None)[0]
