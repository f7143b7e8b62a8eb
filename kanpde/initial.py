"""Initial weights of a layer by name: random, of preserved variance, sparse, near the identity.

The inputs z of a layer are taken to be independent: uniform on [-1, 1] where they enter by their range, standard normal where they enter
by tanh. Edges are e = sum_k w_k B_k(entered z), with w_k = sigma g_k d_k, g_k standard normal numbers and d the basis' own
:meth:`~kanpde.bases.Basis.decay`; all but "random" then lose their mean, which is nothing but a bias. With

    m_0 = sum_k d_k^2 Var B_k,   m_1 = sum_k d_k^2 E (dB_k/dz)^2,

a layer of n inputs and m linear outputs has outputs of variance sigma^2 n m_0, and multiplies the mean square of gradients by
sigma^2 m m_1. Source of what follows from that: Rigas, Verma, Alexandridis and Wang, Initialization schemes for Kolmogorov-Arnold
networks, arXiv 2509.03417, there for splines, here for every basis.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from kanpde.arguments import one_of
from kanpde.bases import Basis, PerInput

PLACES = 1024  # at which means over the inputs are taken
SHARES = (0.95, 0.05)  # of the variance, of the degrees 1 and 2 in "smooth"
SMALL = 0.1


def drawn(name: str, basis: Basis, shape: tuple[int, int], entry: str, generator: torch.Generator) -> Tensor:
    """The weights (linear outputs, K, inputs) of a layer of ``shape`` (linear outputs, inputs), in float64.

    - "random": sigma^2 = 1 / n, whatever the basis: the default;
    - "lecun": sigma^2 = 1 / (n m_0), outputs of variance 1;
    - "glorot": sigma^2 = 2 / (n m_0 + m m_1), a compromise with gradients of preserved size, which rough functions enlarge;
    - "smooth": random polynomials of degree 2 in z, mostly straight lines, so that both are preserved through many layers, in bases that
      hold straight lines (periodic ones do not);
    - "small": "lecun" times 0.1, the edges of pykan's small ``noise_scale``;
    - "sparse": "lecun" on one edge of each output, or of each input if there are more of them, and nothing on the others, which are
      trained nevertheless (pykan: ``sparse_init``);
    - "identity": every output is the input of its number, in units of its standard deviation, and 0.1 times "lecun"; where there
      are fewer outputs than inputs the sum of those whose numbers differ by multiples of them, where there are more they repeat.
    """
    return INITIAL[name](basis, *shape, entry, generator)


def check_initial(name: object) -> str:
    """``name``, or ``ValueError`` if there is no such initialisation."""
    return one_of(name, INITIAL, "init")


def random(basis: Basis, linear: int, inputs: int, entry: str, generator: torch.Generator) -> Tensor:
    return _normal(basis, linear, inputs, generator) / math.sqrt(inputs)


def lecun(basis: Basis, linear: int, inputs: int, entry: str, generator: torch.Generator) -> Tensor:
    sigma = [1 / math.sqrt(inputs * _moments(each, entry)[0]) for each in _each(basis, inputs)]
    return _centred(basis, entry, _normal(basis, linear, inputs, generator) * torch.tensor(sigma, dtype=torch.float64))


def glorot(basis: Basis, linear: int, inputs: int, entry: str, generator: torch.Generator) -> Tensor:
    moments = [_moments(each, entry) for each in _each(basis, inputs)]
    sigma = [math.sqrt(2 / (inputs * value + linear * slope)) for value, slope in moments]
    return _centred(basis, entry, _normal(basis, linear, inputs, generator) * torch.tensor(sigma, dtype=torch.float64))


def smooth(basis: Basis, linear: int, inputs: int, entry: str, generator: torch.Generator) -> Tensor:
    shares = torch.tensor(SHARES, dtype=torch.float64).sqrt()
    factors = torch.randn(linear, len(SHARES), inputs, generator=generator, dtype=torch.float64) * shares[:, None]
    return torch.einsum("kdi,odi->oki", _polynomials(basis, inputs, entry), factors).contiguous() / math.sqrt(inputs)


def small(basis: Basis, linear: int, inputs: int, entry: str, generator: torch.Generator) -> Tensor:
    return SMALL * lecun(basis, linear, inputs, entry, generator)


def sparse(basis: Basis, linear: int, inputs: int, entry: str, generator: torch.Generator) -> Tensor:
    order = torch.randperm(max(linear, inputs), generator=generator)
    kept = torch.zeros(linear, inputs, dtype=torch.float64)
    kept[order % linear, torch.arange(len(order)) % inputs] = 1
    drawn = lecun(basis, linear, inputs, entry, generator) * math.sqrt(inputs)
    return drawn * (kept / kept.sum(1, keepdim=True).clamp_min(1).sqrt())[:, None]


def identity(basis: Basis, linear: int, inputs: int, entry: str, generator: torch.Generator) -> Tensor:
    own = (torch.arange(linear)[:, None] - torch.arange(inputs)) % min(linear, inputs) == 0
    own = own.double() / own.sum(1, keepdim=True).sqrt()
    straight = _polynomials(basis, inputs, entry)[:, 0]  # (K, inputs)
    return own[:, None] * straight + small(basis, linear, inputs, entry, generator)


INITIAL: dict[str, Callable[[Basis, int, int, str, torch.Generator], Tensor]] = {
    each.__name__: each for each in (random, lecun, glorot, smooth, small, sparse, identity)
}


# ---- bases at random inputs ----


def _normal(basis: Basis, linear: int, inputs: int, generator: torch.Generator) -> Tensor:
    weight = torch.randn(linear, basis.size, inputs, generator=generator, dtype=torch.float64)
    return weight * torch.from_numpy(basis.decay())[:, None]


def _each(basis: Basis, inputs: int) -> tuple[Basis, ...]:
    return basis.bases if isinstance(basis, PerInput) else (basis,) * inputs


@cache
def _table(basis: Basis, entry: str) -> tuple[Tensor, Tensor]:
    """Inputs z (n,), equally probable, and the basis and its first derivatives by z there, (2, K, n)."""
    levels = (torch.arange(PLACES, dtype=torch.float64) + 0.5) / PLACES
    if entry == "tanh":
        z = torch.special.ndtri(levels)
        return z, basis.squashed_table(z, 1)
    return 2 * levels - 1, basis.table(2 * levels - 1, 1)


@cache
def _moments(basis: Basis, entry: str) -> tuple[float, float]:
    """m_0 and m_1."""
    _, (values, slopes) = _table(basis, entry)
    decay = torch.from_numpy(basis.decay()) ** 2
    return float(decay @ values.var(1, correction=0)), float(decay @ slopes.square().mean(1))


@cache
def _fitted(basis: Basis, entry: str) -> np.ndarray:
    """Coefficients (K, 3) of 1 and of the polynomials of degree 1 and 2 in z that are orthonormal over the inputs, fitted with their
    slopes; in a basis that does not hold them of nearest shape, and of variance 1.
    """
    z, table = _table(basis, entry)
    values, slopes = (each.numpy().T for each in table)
    upper = np.asarray(np.linalg.qr(np.vander(z.numpy(), 3, increasing=True), mode="r")) / math.sqrt(PLACES)
    powers = np.linalg.inv(upper * np.sign(np.diag(upper))[:, None])  # coefficients of the orthonormal polynomials, rising to the right
    wanted = np.vander(z.numpy(), 3, increasing=True) @ powers, np.outer(np.ones(PLACES), powers[1]) + 2 * np.outer(z.numpy(), powers[2])
    found = np.linalg.lstsq(np.concatenate([values, slopes]), np.concatenate(wanted), rcond=1e-10)[0]
    found[:, 1:] /= np.std(values @ found[:, 1:], axis=0)
    return found


def _polynomials(basis: Basis, inputs: int, entry: str) -> Tensor:
    """(K, 2, inputs)."""
    return torch.from_numpy(np.stack([_fitted(each, entry)[:, 1:] for each in _each(basis, inputs)], -1))


def _centred(basis: Basis, entry: str, weight: Tensor) -> Tensor:
    """The same edges without their means, as far as the basis has constants."""
    means = torch.stack([_table(each, entry)[1][0].mean(1) for each in _each(basis, weight.shape[2])], 1)  # (K, inputs)
    ones = torch.from_numpy(np.stack([_fitted(each, entry)[:, 0] for each in _each(basis, weight.shape[2])], 1))
    return weight - torch.einsum("oki,ki->oi", weight, means)[:, None] * ones
