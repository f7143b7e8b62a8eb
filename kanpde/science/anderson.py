"""The three-dimensional Anderson model, and what its levels say: extended or localized.

    H = sum over neighbours |n><m| + sum_n eps_n |n><n|,    n on a cubic lattice of L^3 sites, periodic,    eps_n uniform in [-W/2, W/2]

Sites are (x, y, z), numbered z fastest. The ratio of adjacent spacings s_n = E_{n+1} - E_n,

    r_n = min(s_n, s_{n-1}) / max(s_n, s_{n-1}),

needs no density of states; its mean over the levels with |E_n| < 1/2 goes from :data:`GOE`, of extended states, to :data:`POISSON`, of
localized ones, at W = 16.5. Sources: Oganesyan and Huse, Phys. Rev. B 75 (2007) 155111; the means, Atas, Bogomolny, Giraud and Roux, Phys.
Rev. Lett. 110 (2013) 084101; the transition, Slevin and Ohtsuki, J. Phys. Soc. Jpn. 87 (2018) 094703.

>>> random = np.random.default_rng(0)
>>> ratios = Ratios.of(*levels(disorder(8, 16.5, 10, random)))
>>> ratios.realizations, 0.45 < ratios.mean < 0.57
(10, True)
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

GOE = 0.5307  # of large random symmetric matrices
POISSON = 2 * math.log(2) - 1  # of levels that know nothing of each other
WINDOW = 0.5  # |E| of the levels that are looked at
SMALLEST = 3  # sites along an edge: of two, one neighbour would be the other
HOP = 6.0  # the greatest energy of the clean lattice
GAIN = 2e4  # of the filter at the last level that is wanted, over the greatest outside
CUT = 1.4  # where the filter ends, over the last level that is wanted
MARGIN = 8  # mean spacings beyond the window, for the neighbours of its levels
CLEAN = 1e-7  # by which levels of the two methods may differ


def disorder(L: int, W: float, count: int, random: np.random.Generator) -> np.ndarray:
    """``count`` draws of the energies of the sites, (count, L^3). ``ValueError`` for L below 3 and W that is not positive."""
    if isinstance(L, bool) or not isinstance(L, int | np.integer) or L < SMALLEST:
        raise ValueError(f"the lattice has L^3 sites, L a whole number of at least {SMALLEST}, got L={L!r}")
    if not 0 < W < math.inf:
        raise ValueError(f"the width of the disorder is a positive number, such as W=16.5, got W={W!r}")
    return random.uniform(-W / 2, W / 2, (count, L**3))


def neighbours(L: int) -> np.ndarray:
    """The six neighbours of every site, (L^3, 6)."""
    sites = np.arange(L**3).reshape(L, L, L)
    return np.stack([np.roll(sites, step, axis).ravel() for axis in range(3) for step in (1, -1)], 1)


def hamiltonians(energies: np.ndarray, *, device: str = "cpu") -> Tensor:
    """The matrices of lattices whose sites have ``energies`` (S, L^3): (S, L^3, L^3)."""
    count, sites = energies.shape
    found = torch.zeros(sites, sites, dtype=torch.float64, device=device)
    places = torch.from_numpy(neighbours(_edge(energies)))
    found[torch.arange(sites)[:, None].expand_as(places).to(device), places.to(device)] = 1.0
    found = found.repeat(count, 1, 1)
    found.diagonal(dim1=1, dim2=2).copy_(torch.from_numpy(energies))
    return found


def sparse_hamiltonian(energies: np.ndarray, *, device: str = "cpu", dtype: torch.dtype = torch.float64) -> Tensor:
    """All matrices as the blocks of one sparse (CSR) matrix: (S L^3, S L^3)."""
    count, sites = energies.shape
    columns = np.concatenate([np.arange(sites)[:, None], neighbours(_edge(energies))], 1)
    columns = torch.from_numpy(np.sort(columns, 1)).to(device)
    diagonal = columns == torch.arange(sites, device=device)[:, None]
    values = torch.where(diagonal, torch.from_numpy(energies).to(device, dtype)[:, :, None], 1.0)
    places = columns.int() + sites * torch.arange(count, dtype=torch.int32, device=device)[:, None, None]
    rows = torch.arange(0, 7 * count * sites + 1, 7, dtype=torch.int32, device=device)
    shape = count * sites, count * sites
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR", UserWarning)  # PyTorch calls them beta
        return torch.sparse_csr_tensor(rows, places.ravel(), values.ravel(), shape, check_invariants=False)


def levels(energies: np.ndarray, *, window: float = WINDOW, device: str = "cpu", method: str = "dense") -> tuple[np.ndarray, float]:
    """Levels of lattices whose sites have ``energies`` (S, L^3): in order, (S, M), and ``window``, up to which all of them are there.

    "dense" finds all L^3 levels; "filter" only those with |E| < ``window`` and their neighbours, by :func:`filtered_levels`. Raises
    ``ValueError`` for another method and for energies of no cube.
    """
    if method == "filter":
        return filtered_levels(energies, window=window, device=device), window
    if method != "dense":
        raise ValueError(f'levels are found by the method "dense" or "filter", got {method!r}')
    matrices = hamiltonians(energies, device=device)
    if device == "cpu":
        return np.linalg.eigvalsh(matrices.numpy()), window  # twice as fast as PyTorch's
    return torch.linalg.eigvalsh(matrices).cpu().numpy(), window


@torch.no_grad()
def filtered_levels(energies: np.ndarray, *, window: float = WINDOW, device: str = "cpu", dtype: torch.dtype = torch.float32) -> np.ndarray:
    """The levels near E = 0 by a Chebyshev filter of H^2 on random vectors, as harmonic Ritz values: (S, M), in order.

    T_k((2 H^2 - c^2 - a^2) / (c^2 - a^2)) is at most 1 in absolute value where a < |E| < c, c a bound of the spectrum, and grows towards
    E = 0; k is such that it is at least :data:`GAIN` up to the window and a few levels beyond. As many vectors as there are levels below a,
    and some more, then span the states wanted, and 1/E are eigenvalues of V'HV y = (1/E) V'H^2V y; those of V'HV alone would have others
    among them, of mixtures from either side. Levels with |E| < ``window``, and a few more, are good to 1e-7; the outermost are not levels.
    ``dtype`` is that of the filter alone. Made of products for a GPU; on one core of a CPU sooner than all levels from L = 10 on.

    Methods: Zhou, Saad, Tiago and Chelikowsky, J. Comput. Phys. 219 (2006) 172; of the square, Pieper et al., J. Comput. Phys. 325 (2016)
    226; harmonic Ritz values, Morgan, Linear Algebra Appl. 154 (1991) 289.
    """
    count, sites = energies.shape
    width = 2 * float(np.abs(energies).max())
    wanted = window + MARGIN * width / sites
    cut, bound = CUT * wanted, width / 2 + HOP
    vectors = filter_vectors(sites, width, window)
    high, low = bound**2 + cut**2, bound**2 - cut**2
    degree = math.ceil(math.acosh(GAIN) / math.acosh((high - 2 * wanted**2) / low))
    block = torch.randn(sites, vectors, generator=torch.Generator().manual_seed(sites), dtype=torch.float64)
    block = block.to(device, dtype).repeat(count, 1)
    matrix = sparse_hamiltonian(energies, device=device, dtype=dtype)
    before, now = block, torch.addmm(block, matrix, matrix @ block, beta=-high / low, alpha=2 / low)
    for _ in range(degree - 1):
        before = before.mul_(-1.0).sub_(now, alpha=2 * high / low)
        before, now = now, torch.addmm(before, matrix, matrix @ now, alpha=4 / low)
    del before, block
    basis = now.double().reshape(count, sites, vectors)
    for _ in range(2):  # once leaves what the condition number costs
        gram = basis.mT @ basis
        gram.diagonal(dim1=1, dim2=2).mul_(1 + 1e-13)
        unit = torch.eye(vectors, dtype=torch.float64, device=device)
        basis = basis @ torch.linalg.solve_triangular(torch.linalg.cholesky(gram), unit.expand_as(gram), upper=False).mT
    if dtype != torch.float64:
        matrix = sparse_hamiltonian(energies, device=device)
    image = (matrix @ basis.reshape(count * sites, vectors)).reshape(count, sites, vectors)
    factor = torch.linalg.cholesky(image.mT @ image)
    half = torch.linalg.solve_triangular(factor, basis.mT @ image, upper=False)
    inverse = torch.linalg.eigvalsh(torch.linalg.solve_triangular(factor.mT, half, upper=True, left=False)).cpu().numpy()
    return np.sort(1 / np.where(inverse == 0, 1e-300, inverse), 1)


def filter_vectors(sites: int, width: float, window: float = WINDOW) -> int:
    """How many vectors the filter takes: the levels below its cut, of which hops only make fewer, and some more."""
    expected = 2 * CUT * (window + MARGIN * width / sites) * sites / width
    return min(sites, math.ceil(expected + 2 * math.sqrt(expected)) + 8)


def spacing_ratios(levels: np.ndarray) -> np.ndarray:
    """min(s_n, s_{n-1}) / max(s_n, s_{n-1}) of levels in order, (..., M): (..., M - 2), for all but the first and last.

    ``ValueError`` for fewer than three levels, and for levels that are not in order.
    """
    spacings = np.diff(levels)
    if spacings.shape[-1] < 2:
        raise ValueError(f"a ratio of spacings takes three levels or more, got {np.shape(levels)[-1]}")
    if not (spacings >= 0).all():
        raise ValueError("the levels are not in order: sort them along the last axis")
    left, right = spacings[..., :-1], spacings[..., 1:]
    most = np.maximum(left, right)
    return np.minimum(left, right) / np.where(most > 0, most, 1.0)


@dataclass(frozen=True)
class Ratios:
    """Sums over realizations, of which those of two samples add: m_i levels with the sum of ratios t_i in realization i.

    ``mean`` is sum t / sum m; the levels of a realization are correlated, so that its standard error is that of a ratio of means over
    realizations, sigma^2 = sum (t_i - mean m_i)^2 / (sum m)^2.
    """

    realizations: int = 0
    levels: float = 0.0
    ratios: float = 0.0
    levels2: float = 0.0  # sum of m^2
    mixed: float = 0.0  # sum of m t
    ratios2: float = 0.0  # sum of t^2

    @classmethod
    def of(cls, levels: np.ndarray, window: float = WINDOW) -> "Ratios":
        """From the levels of realizations (S, M): those with |E| < ``window`` that have a neighbour on either side."""
        inside = np.abs(levels[:, 1:-1]) < window
        m, t = inside.sum(1).astype(float), np.where(inside, spacing_ratios(levels), 0.0).sum(1)
        return cls(len(levels), *(float(each) for each in (m.sum(), t.sum(), m @ m, m @ t, t @ t)))

    def __add__(self, other: "Ratios") -> "Ratios":
        mine, theirs = self.sums, other.sums
        return Ratios(mine[0] + theirs[0], *(one + another for one, another in zip(mine[1:], theirs[1:], strict=True)))

    @property
    def sums(self) -> tuple[int, float, float, float, float, float]:
        return self.realizations, self.levels, self.ratios, self.levels2, self.mixed, self.ratios2

    @property
    def mean(self) -> float:
        return self.ratios / self.levels if self.levels else math.nan

    @property
    def sigma(self) -> float:
        """Standard error of the mean; infinite of fewer than two realizations."""
        if self.realizations < 2 or not self.levels:
            return math.inf
        left = self.ratios2 - 2 * self.mean * self.mixed + self.mean**2 * self.levels2
        return math.sqrt(max(left, 0.0) * self.realizations / (self.realizations - 1)) / self.levels


def measured(L: int, W: float, count: int, seed: tuple[int, ...], *, window: float = WINDOW, device="cpu", method="dense") -> Ratios:
    """The ratios of ``count`` realizations, drawn with ``seed``: the same on every device and by every method, but for rounding."""
    energies = disorder(L, W, count, np.random.default_rng(seed))
    return Ratios.of(*levels(energies, window=window, device=device, method=method))


def _edge(energies: np.ndarray) -> int:
    """L of energies (S, L^3)."""
    L = round(energies.shape[-1] ** (1 / 3)) if energies.ndim == 2 else 0
    if L < SMALLEST or energies.shape[-1] != L**3:
        raise ValueError(f"energies are (realizations, L^3), L at least {SMALLEST}, got the shape {energies.shape}")
    return L
