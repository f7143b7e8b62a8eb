"""Univariate bases against SciPy, NumPy, mpmath and automatic differentiation: every basis passes the same checks.

A new basis joins by one line in ``BASES``, and by one function in ``reference`` if it has a closed form elsewhere.
"""

import pickle
from dataclasses import dataclass
from functools import cache, partial
from math import comb, factorial

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import chebyshev, hermite, hermite_e, legendre, polynomial
from scipy.interpolate import BSpline as SciPySpline
from scipy.special import eval_jacobi, poch

import kanpde.bases
from kanpde.bases import (
    AlgebraicMap,
    ArcsineMap,
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

UNEVEN = (-1.0, -0.8, -0.1, 0.35, 0.4, 1.0)
REPEATED = (-1.0, -0.5, 0.25, 0.25, 0.6, 1.0)
THRICE = (-1.0, -0.2, -0.2, -0.2, 0.5, 1.0)

BASES = [
    Chebyshev(1),
    Chebyshev(2),
    Chebyshev(5),
    Chebyshev(20),
    BSpline(1, 4),
    BSpline(2, 1),
    BSpline(2, 7),
    BSpline(3, 5),
    BSpline(5, 6),
    BSpline(1, breaks=UNEVEN),
    BSpline(2, breaks=UNEVEN),
    BSpline(3, breaks=UNEVEN),
    BSpline(5, breaks=UNEVEN),
    BSpline(2, breaks=REPEATED),
    BSpline(3, breaks=REPEATED),
    BSpline(3, breaks=THRICE),
    BSpline(5, breaks=THRICE),
    SiLU(),
    BSpline(3, 5) + SiLU(),
    BSpline(5, breaks=REPEATED) + SiLU(),
    Chebyshev(4) + SiLU(),
    Legendre(1),
    Legendre(7),
    Legendre(30),
    Jacobi(1, 2, 0),
    Jacobi(30, 0.5, -0.3),
    Jacobi(9, -0.9, 3),
    Jacobi(6, -0.25, -0.75),  # alpha + beta = -1, where the general coefficients are 0 / 0 at k = 0
    Monomial(1),
    Monomial(8),
    Fourier(1),
    Fourier(6),
    Sine(1),
    Sine(7),
    Hermite(1, 2),
    Hermite(12, 4.5),
    Gaussian(2),
    Gaussian(7),
    Gaussian(11, 4),
    MexicanHat(1),
    MexicanHat(3),
    RationalChebyshev(1),
    RationalChebyshev(6, 0.8),
    Mapped(Chebyshev(5), SinhMap(0.3, 0.1)),
    Mapped(BSpline(3, 4), SinhMap(-1, 0.2)),
    Mapped(Fourier(2), AlgebraicMap(1.5)),
    Mapped(Chebyshev(5), ArcsineMap(0.9)),
    Fourier(2) + Legendre(3),
]
each_basis = pytest.mark.parametrize("basis", BASES, ids=repr)
splines = pytest.mark.parametrize("basis", [basis for basis in BASES if isinstance(basis, BSpline)], ids=repr)

RANDOM = np.random.default_rng(0)
INSIDE = np.sort(np.concatenate([RANDOM.uniform(-1, 1, 37), np.linspace(-0.97, 0.97, 20)]))
ENDS = np.array([-1.0, 1.0])


def points_for(basis: Basis) -> np.ndarray:
    """Points inside, both ends, and the breaks, where a spline is continuous from the right."""
    breaks = [b for part in getattr(basis, "parts", (basis,)) for b in np.unique(getattr(part, "breaks", None) or ())]
    return np.unique(np.concatenate([INSIDE, ENDS, np.asarray(breaks, dtype=float)]))


# ---- closed forms from elsewhere: reference(basis)(x, m) is the m-th derivative of all functions, (K, len(x)) ----


def chebyshev_reference(basis: Chebyshev, x: np.ndarray, m: int) -> np.ndarray:
    derivatives = [chebyshev.chebder(row, m) for row in np.eye(basis.degree + 1)]
    return np.stack([chebyshev.chebval(x, coefficients) for coefficients in derivatives])


def full_knots(basis: BSpline) -> np.ndarray:
    """The clamped knots, written down again."""
    breaks = np.linspace(-1, 1, basis.intervals + 1) if basis.breaks is None else np.asarray(basis.breaks)
    return np.r_[[-1.0] * basis.degree, breaks, [1.0] * basis.degree]


def spline_reference(basis: BSpline, x: np.ndarray, m: int) -> np.ndarray:
    if m > basis.degree:
        return np.zeros((basis.intervals + basis.degree, len(x)))
    knots = full_knots(basis)
    return SciPySpline(knots, np.eye(len(knots) - basis.degree - 1), basis.degree)(x, nu=m).T


def silu_reference(basis: SiLU, x: np.ndarray, m: int) -> np.ndarray:
    with mpmath.workdps(30):
        return np.array([[float(mpmath.diff(lambda s: s / (1 + mpmath.exp(-s)), mpmath.mpf(float(each)), m)) for each in x]])


def legendre_reference(basis: Legendre, x: np.ndarray, m: int) -> np.ndarray:
    return np.stack([legendre.legval(x, legendre.legder(row, m)) for row in np.eye(basis.size)])


def jacobi_reference(basis: Jacobi, x: np.ndarray, m: int) -> np.ndarray:
    """d^m P_n^(a, b) = (n + a + b + 1)_m / 2^m P_{n-m}^(a+m, b+m) (DLMF 18.9.15)."""
    a, b = basis.alpha, basis.beta
    rows = [np.zeros_like(x)] * min(m, basis.size)
    return np.stack([*rows, *(poch(n + a + b + 1, m) / 2**m * eval_jacobi(n - m, a + m, b + m, x) for n in range(m, basis.size))])


def monomial_reference(basis: Monomial, x: np.ndarray, m: int) -> np.ndarray:
    return np.stack([polynomial.polyval(x, polynomial.polyder(row, m)) for row in np.eye(basis.size)])


def wave(x: np.ndarray, frequency: float, quarters: int) -> np.ndarray:
    """sin(frequency x + quarters pi / 2)."""
    return [np.sin, np.cos, lambda a: -np.sin(a), lambda a: -np.cos(a)][quarters % 4](frequency * x)


def fourier_reference(basis: Fourier, x: np.ndarray, m: int) -> np.ndarray:
    rows = [np.full_like(x, float(m == 0))]
    for k in range(1, basis.modes + 1):
        rows += [(k * np.pi) ** m * wave(x, k * np.pi, 1 + m), (k * np.pi) ** m * wave(x, k * np.pi, m)]
    return np.stack(rows)


def sine_reference(basis: Sine, x: np.ndarray, m: int) -> np.ndarray:
    return np.stack([(k * np.pi / 2) ** m * wave(x, k * np.pi / 2, k + m) for k in range(1, basis.modes + 1)])


def bell(t: np.ndarray, m: int) -> np.ndarray:
    """d^m/dt^m exp(-t^2 / 2) = (-1)^m He_m(t) exp(-t^2 / 2)."""
    return (-1) ** m * hermite_e.hermeval(t, [0] * m + [1]) * np.exp(-t * t / 2)


def hermite_reference(basis: Hermite, x: np.ndarray, m: int) -> np.ndarray:
    """Leibniz for H_n(y) exp(-y^2 / 2)."""
    y, rows = basis.scale * x, []
    for n, row in enumerate(np.eye(basis.size)):
        terms = [comb(m, j) * hermite.hermval(y, hermite.hermder(row, j)) * bell(y, m - j) for j in range(m + 1)]
        rows.append(basis.scale**m * sum(terms) / np.sqrt(2.0**n * factorial(n) * np.sqrt(np.pi)))
    return np.stack(rows)


def gaussian_reference(basis: Gaussian, x: np.ndarray, m: int) -> np.ndarray:
    places = {
        (2, None): [(-1, 2), (1, 2)],
        (7, None): [(c, 1 / 3) for c in (-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1)],
        # 4 at a distance of 2/3, the 3 between them, and 4 of the 6 between all these, every other one first
        (11, 4): [(c, 2 / 3) for c in (-1, -1 / 3, 1 / 3, 1)]
        + [(c, 1 / 3) for c in (-2 / 3, 2 / 3, 0)]
        + [(c, 1 / 6) for c in (-5 / 6, 1 / 2, -1 / 6, -1 / 2)],
    }[basis.count, basis.coarsest]
    return np.stack([(np.sqrt(2) / h) ** m * bell(np.sqrt(2) * (x - c) / h, m) for c, h in places])


def mexican_hat_reference(basis: MexicanHat, x: np.ndarray, m: int) -> np.ndarray:
    rows = [polynomial.polyval(x, polynomial.polyder(row, m)) for row in np.eye(2)]
    for level in range(basis.levels):
        rows += [-(2.0 ** (level * m)) * bell(2**level * x - k, m + 2) for k in range(-(2**level), 2**level + 1)]
    return np.stack(rows)


@cache
def by_mpmath(function, size: int, x: tuple[float, ...], m: int) -> np.ndarray:
    """Derivative m of function(k, x), k = 0 ... size - 1, by numerical differentiation in 50 digits."""
    with mpmath.workdps(50):
        return np.array([[float(mpmath.diff(partial(function, k), mpmath.mpf(each), m)) for each in x] for k in range(size)])


def rational_function(length, k, x):
    return mpmath.chebyt(k, x / mpmath.sqrt(x * x + mpmath.mpf(length) ** 2))


def mpmath_map(map, x):
    """SinhMap by its definition, x / sqrt(x^2 + L^2), and asin(r x) / asin(r)."""
    if isinstance(map, ArcsineMap):
        return mpmath.asin(mpmath.mpf(map.reach) * x) / mpmath.asin(mpmath.mpf(map.reach))
    if isinstance(map, AlgebraicMap):
        return x / mpmath.sqrt(x * x + mpmath.mpf(map.length) ** 2)
    ends = [mpmath.asinh((end - mpmath.mpf(map.centre)) / mpmath.mpf(map.width)) for end in (-1, 1)]
    return (2 * mpmath.asinh((x - mpmath.mpf(map.centre)) / mpmath.mpf(map.width)) - ends[0] - ends[1]) / (ends[1] - ends[0])


def mapped_reference(basis: Mapped, x: np.ndarray, m: int) -> np.ndarray:
    """The chain rule in terms of the derivatives of the map, which mpmath finds, and those of the inner basis."""
    derivatives = [by_mpmath(MAPS[basis.map], 1, tuple(x), j)[0] for j in range(m + 1)]
    inner = [reference(basis.basis, derivatives[0], j) for j in range(m + 1)]
    if m == 0:
        return inner[0]
    d = [None, *derivatives[1:]]
    if m == 1:
        return inner[1] * d[1]
    if m == 2:
        return inner[2] * d[1] ** 2 + inner[1] * d[2]
    if m == 3:
        return inner[3] * d[1] ** 3 + 3 * inner[2] * d[1] * d[2] + inner[1] * d[3]
    third, second = 6 * d[1] ** 2 * d[2], 4 * d[1] * d[3] + 3 * d[2] ** 2
    return inner[4] * d[1] ** 4 + inner[3] * third + inner[2] * second + inner[1] * d[4]


MAPS = {basis.map: partial(lambda map, k, x: mpmath_map(map, x), basis.map) for basis in BASES if isinstance(basis, Mapped)}
RATIONAL = {basis: partial(rational_function, basis.length) for basis in BASES if isinstance(basis, RationalChebyshev)}
REFERENCES = {
    Chebyshev: chebyshev_reference,
    BSpline: spline_reference,
    SiLU: silu_reference,
    Legendre: legendre_reference,
    Jacobi: jacobi_reference,
    Monomial: monomial_reference,
    Fourier: fourier_reference,
    Sine: sine_reference,
    Hermite: hermite_reference,
    Gaussian: gaussian_reference,
    MexicanHat: mexican_hat_reference,
    RationalChebyshev: lambda basis, x, m: by_mpmath(RATIONAL[basis], basis.size, tuple(x), m),
    Mapped: mapped_reference,
}


def reference(basis: Basis, x: np.ndarray, m: int) -> np.ndarray:
    if hasattr(basis, "parts"):
        return np.concatenate([reference(part, x, m) for part in basis.parts])
    return REFERENCES[type(basis)](basis, x, m)


def assert_close(got, wanted, tolerance=1e-12):
    """Equal within ``tolerance`` of the largest wanted number (at least 1)."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.isfinite(got).all()
    assert np.max(np.abs(got - wanted), initial=0) <= tolerance * max(1.0, np.max(np.abs(wanted), initial=0))


# ---- what every basis must do ----


@each_basis
def test_values_and_derivatives_are_those_of_scipy_numpy_and_mpmath(basis):
    x = points_for(basis)
    table = basis.table(torch.from_numpy(x), 4).numpy()
    assert table.shape == (5, basis.size, len(x))
    for m in range(5):
        assert_close(table[m], reference(basis, x, m))


@each_basis
@pytest.mark.parametrize("end", [-1.0, 1.0])
def test_the_ends_belong_to_the_domain(basis, end):
    table = basis.table(torch.tensor([end], dtype=torch.float64), 4).numpy()
    inside = reference(basis, np.array([end * (1 - 1e-15)]), 0)
    assert_close(table[0], inside, 1e-10)
    # not the zero of a half-open last interval
    assert np.abs(table[0]).max() > 0.25 or (isinstance(basis, Sine) and np.abs(table[0]).max() < 1e-14)
    for m in range(5):
        assert_close(table[m], reference(basis, np.array([end]), m))


@each_basis
def test_values_is_the_first_row_of_the_table(basis):
    x = torch.from_numpy(points_for(basis))
    assert_close(basis.values(x), basis.table(x, 0)[0], 1e-15)
    assert_close(basis.table(x, 3)[0], basis.table(x, 0)[0], 0)


@each_basis
@pytest.mark.parametrize("shape", [(), (1,), (7,), (2, 3), (2, 1, 4)])
def test_any_shape_of_points(basis, shape):
    x = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, shape))
    flat = basis.table(x.reshape(-1), 2)
    assert basis.values(x).shape == (basis.size, *shape)
    assert_close(basis.table(x, 2), flat.reshape(3, basis.size, *shape), 1e-15)
    flat = basis.squashed_table(x.reshape(-1), 2)
    assert_close(basis.squashed_table(x, 2), flat.reshape(3, basis.size, *shape), 1e-15)


@each_basis
def test_points_that_are_not_contiguous(basis):
    x = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (3, 5)))
    assert_close(basis.table(x.T, 2), basis.table(x.T.contiguous(), 2), 0)
    assert_close(basis.squashed_table(x.T, 2), basis.squashed_table(x.T.contiguous(), 2), 0)


def squashed_by_autograd(basis: Basis, z: torch.Tensor, order: int) -> torch.Tensor:
    """Derivatives of B_k(tanh z) one after another, by nested autograd through ``values``."""
    z = z.clone().requires_grad_()
    rows = list(basis.values(torch.tanh(z)).unbind(0))
    table = [torch.stack(rows).detach()]
    for _ in range(order):
        rows = [
            torch.autograd.grad(row.sum(), z, create_graph=True, allow_unused=True, materialize_grads=True)[0]
            if row.requires_grad
            else torch.zeros_like(z)
            for row in rows
        ]
        table.append(torch.stack(rows).detach())
    return torch.stack(table)


@each_basis
def test_squashed_table_is_the_chain_rule(basis):
    z = torch.linspace(-2.3, 2.1, 31, dtype=torch.float64)
    found = basis.squashed_table(z, 4)
    assert found.shape == (5, basis.size, 31)
    wanted = squashed_by_autograd(basis, z, 4)
    for m in range(5):
        assert_close(found[m], wanted[m], 1e-11)


@pytest.mark.parametrize("z", [-40.0, -0.3, 0.0, 1.7, 19.0])
def test_squashed_chebyshev_against_mpmath(z):
    found = Chebyshev(6).squashed_table(torch.tensor([z], dtype=torch.float64), 4)
    with mpmath.workdps(60):
        for m in range(5):
            for k in range(7):
                wanted = mpmath.diff(lambda s, k=k: mpmath.chebyt(k, mpmath.tanh(s)), mpmath.mpf(z), m)
                assert abs(float(found[m, k, 0]) - float(wanted)) <= 1e-11 * max(1.0, abs(float(wanted)))


@each_basis
@pytest.mark.parametrize("squash", [False, True])
def test_span_is_the_table_and_can_be_filled_again(basis, squash):
    first, second = (torch.from_numpy(np.random.default_rng(n).uniform(-1, 1, (2, 9))) for n in (3, 4))
    weight = torch.from_numpy(np.random.default_rng(5).standard_normal((4, basis.size)))
    span = None
    for x in (first, second, first):
        table = (basis.squashed_table if squash else basis.table)(x, 3)
        span = basis.span(x, 3, squash=squash, reuse=span)
        assert_close(torch.stack([*span.table(3)]), table, 1e-14)
        for m in range(4):
            functions = span.generators(m)
            found = torch.tensordot(span.combined(weight, m), functions, 1)
            assert_close(found, torch.tensordot(weight, table[m], 1), 1e-13)
            sums = torch.tensordot(functions, x, 2)  # over all points
            assert_close(span.gathered(sums, m), torch.tensordot(table[m], x, 2), 1e-13)
    assert [len(each) for each in basis.span(first, 0, squash=squash).table(0)] == [basis.size]


@pytest.mark.parametrize(
    "basis",
    [*(BSpline(degree, intervals) for degree in (1, 2, 3, 4, 5) for intervals in (1, 2, 5)), BSpline(3, 8),
     BSpline(2, breaks=(-1, -0.7, -0.1, 0.3, 1)), BSpline(3, breaks=(-1, 0.2, 0.5, 1))],
    ids=repr,
)  # fmt: skip
def test_splines_are_combinations_of_truncated_powers(basis):
    powers, matrix = basis.combined_from(torch.float64)
    points = np.concatenate([np.linspace(-1.1, 1.1, 101), [-1.0, 1.0]])
    table = powers.table(torch.from_numpy(points), basis.degree + 2)
    assert table.shape == (basis.degree + 3, powers.size, len(points))
    for m in range(basis.degree + 1):
        spline = SciPySpline(basis.knots, np.eye(basis.size), basis.degree).derivative(m) if m else None
        wanted = SciPySpline(basis.knots, np.eye(basis.size), basis.degree)(points) if spline is None else spline(points)
        assert_close(matrix @ table[m].numpy(), wanted.T, 3e-13)
    assert not table[basis.degree + 1 :].any()


@pytest.mark.parametrize("basis", [BSpline(1, 2), BSpline(2, 2), BSpline(3, breaks=(-1, -0.5, 0.25, 1))], ids=repr)
def test_truncated_powers_begin_an_interval_at_its_knot(basis):
    powers, matrix = basis.combined_from(torch.float64)
    knots = torch.from_numpy(np.unique(basis.knots)[1:-1])
    found = matrix @ powers.table(knots, basis.degree)[-1].numpy()
    np.testing.assert_allclose(found, basis.table(knots, basis.degree)[-1], atol=1e-12)


def test_truncated_powers_are_refused_where_they_cancel():
    assert all(BSpline(3, 8).combined_from(dtype) is None for dtype in (torch.float32, torch.float16, torch.bfloat16))
    assert BSpline(3, 5).combined_from(torch.float32) is not None
    for basis in (
        BSpline(3, 30),
        BSpline(3, 12),
        BSpline(3, breaks=(-1, 0, 0, 1)),
        BSpline(3, breaks=(-1, 0.4, 0.401, 1)),
        SiLU() + SiLU(),
    ):
        assert basis.combined_from(torch.float64) is None


def test_joined_bases_are_combined_part_by_part():
    basis = SiLU() + BSpline(3, 5) + Chebyshev(3)
    functions, matrix = basis.combined_from(torch.float64)
    x = torch.linspace(-1, 1, 23, dtype=torch.float64)
    assert functions.size == matrix.shape[1] and matrix.shape[0] == basis.size
    for table, wanted in zip(functions.span(x, 3).table(3), basis.table(x, 3), strict=True):
        assert_close(matrix @ table.numpy(), wanted.numpy(), 1e-13)


@pytest.mark.parametrize("count", [2, 5, 8, 10])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 3e-14), (torch.float32, 3e-5)])
def test_gaussians_are_exponentials_times_constants(count, dtype, tolerance):
    functions, matrix = Gaussian(count).combined_from(dtype)
    x = torch.cat([torch.linspace(-1.5, 1.5, 101), torch.tensor([-1e4, -20.0, -6.0, 6.0, 20.0, 1e4])]).double()
    rate = 0.5**0.5 * (count - 1)  # bell(t) falls off as exp(-t^2 / 2)
    t = (x.numpy() - np.linspace(-1, 1, count)[:, None]) * rate
    for order in (0, 1, 3):
        for m, table in enumerate(functions.span(x.to(dtype), order).table(order)):
            assert_close(matrix @ table.double().numpy(), bell(t, m) * rate**m, tolerance)


def test_many_gaussians_and_those_of_several_levels_are_evaluated_as_they_are():
    assert Gaussian(11).combined_from(torch.float64) is None and Gaussian(5, coarsest=3).combined_from(torch.float64) is None


@pytest.mark.parametrize("basis", [BSpline(3, 6), BSpline(2, breaks=(-1, -0.3, -0.3, 0.9, 1)), Chebyshev(4)], ids=repr)
def test_local_functions_are_those_that_are_not_zero(basis):
    x = torch.linspace(-1, 1, 26, dtype=torch.float64).view(2, 13)
    numbers, local = basis.local(x, 2)
    assert numbers.shape == (basis.support, 2, 13) and local.shape == (3, basis.support, 2, 13)
    wanted = basis.table(x, 2)
    np.testing.assert_allclose(torch.zeros_like(wanted).scatter(1, numbers.expand_as(local), local), wanted, atol=1e-13)


@each_basis
def test_values_have_finite_gradients_up_to_the_ends(basis):
    x = torch.from_numpy(points_for(basis)).requires_grad_()
    weights = torch.from_numpy(np.random.default_rng(5).standard_normal(basis.size))
    (slope,) = torch.autograd.grad(weights @ basis.values(x), x, torch.ones(len(x)).double())
    assert_close(slope, weights.numpy() @ reference(basis, x.detach().numpy(), 1))


@each_basis
def test_float32(basis):
    x = points_for(basis).astype(np.float32)
    table = basis.table(torch.from_numpy(x), 2)
    squashed = basis.squashed_table(torch.from_numpy(x), 2)
    assert table.dtype == squashed.dtype == basis.values(torch.from_numpy(x)).dtype == torch.float32
    away = ~np.isin(x, np.asarray(getattr(basis, "breaks", None) or (), dtype=np.float32)) | (np.abs(x) == 1)
    assert_close(table[0][:, away], reference(basis, x[away].astype(float), 0).astype(np.float32), 2e-5)
    assert_close(squashed[0], basis.squashed_table(torch.from_numpy(x).double(), 0)[0].float(), 2e-5)
    assert bool(table.isfinite().all() and squashed.isfinite().all())


@each_basis
def test_the_device_is_that_of_the_points(basis):
    x = torch.empty(2, 3, device="meta", dtype=torch.float32)
    for found in (basis.values(x), basis.table(x, 2), basis.squashed_table(x, 2)):
        assert (found.device.type, found.dtype) == ("meta", torch.float32)


def far(basis: Basis) -> list[int]:
    if isinstance(basis, MexicanHat):  # every level doubles the size
        return [basis.resolution + extra for extra in (0, 1, 2, 3)]
    return [] if isinstance(basis, SiLU) else [basis.resolution + extra for extra in (0, 1, 2, 3, 5, 9, 17)] + [2 * basis.resolution]


@each_basis
def test_refinement_is_exact_to_any_resolution(basis):
    x = torch.from_numpy(points_for(basis))
    coefficients = np.random.default_rng(6).standard_normal(basis.size)
    for resolution in far(basis):
        finer = basis.refined(resolution)
        assert finer.resolution == resolution
        matrix = basis.embedding(finer)
        assert matrix.shape == (finer.size, basis.size)
        assert matrix.dtype == np.float64
        before, after = coefficients @ basis.values(x).numpy(), (matrix @ coefficients) @ finer.values(x).numpy()
        assert_close(after, before)
        slope = (matrix @ coefficients) @ finer.table(x, 1)[1].numpy()
        assert_close(slope, coefficients @ basis.table(x, 1)[1].numpy(), 1e-11)


@each_basis
def test_refinement_twice_is_exact(basis):
    steps = far(basis)[1:]
    x = torch.from_numpy(points_for(basis))
    coefficients = np.random.default_rng(7).standard_normal(basis.size)
    here, moved = basis, coefficients
    for resolution in sorted(set(steps)):
        finer = here.refined(resolution)
        here, moved = finer, here.embedding(finer) @ moved
    assert_close(moved @ here.values(x).numpy(), coefficients @ basis.values(x).numpy())


@each_basis
def test_refinement_leaves_the_basis_and_only_goes_up(basis):
    before = repr(basis)
    for resolution in far(basis):
        basis.refined(resolution)
    assert repr(basis) == before
    if basis.resolution > 1:
        with pytest.raises(ValueError, match=f"only goes up from {basis.resolution}"):
            basis.refined(basis.resolution - 1)


@each_basis
def test_quantile_rises_from_end_to_end(basis):
    u = np.linspace(0, 1, 1001)
    x = basis.quantile(u)
    assert x.shape == u.shape
    assert x[0] == pytest.approx(-1, abs=1e-14)
    assert x[-1] == pytest.approx(1, abs=1e-14)
    assert (np.diff(x) >= 0).all()
    assert (np.abs(x) <= 1).all()


@pytest.mark.parametrize("breaks", [REPEATED, THRICE], ids=repr)
def test_no_two_points_coincide_at_repeated_breaks(breaks):
    x = BSpline(3, breaks=breaks).quantile(np.linspace(0, 1, 1001))
    assert (np.diff(x) > 0).all()


@each_basis
def test_decay_is_one_positive_number_for_each_function(basis):
    decay = basis.decay()
    assert decay.shape == (basis.size,)
    assert (decay > 0).all()
    assert (decay <= 1).all()


@each_basis
def test_bases_are_values(basis):
    copy = pickle.loads(pickle.dumps(basis))
    assert copy == basis
    assert hash(copy) == hash(basis)
    assert eval(repr(basis), vars(kanpde.bases)) == basis


# ---- traps ----


@pytest.mark.parametrize("basis", [basis for basis in BASES if not isinstance(basis, BSpline) or basis.degree > 2], ids=repr)
def test_second_derivatives_by_autograd_are_finite_at_the_ends_and_at_zero(basis):
    """NaN for powers by x.pow(arange) at 0, and for cos(n acos x) at the ends."""
    x = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64, requires_grad=True)
    weights = torch.from_numpy(np.random.default_rng(9).standard_normal(basis.size))
    total = (weights @ basis.values(x)).sum()
    for m in (1, 2):
        if not total.requires_grad:
            total = total + 0 * x.sum()
        (slope,) = torch.autograd.grad(total, x, create_graph=True, materialize_grads=True)
        assert_close(slope.detach(), weights.numpy() @ reference(basis, x.detach().numpy(), m), 1e-11)
        total = slope.sum() + 0 * x.sum()


@each_basis
def test_saturated_inputs_in_float32(basis):
    """tanh(x) rounds to 1 for |x| >= 8 and more, where cos(n acos x) has no derivative."""
    z = torch.tensor([-200.0, -20.0, -9.0, -8.0, 8.0, 9.0, 20.0, 200.0], requires_grad=True)
    (slope,) = torch.autograd.grad(basis.values(torch.tanh(z)).sum(), z)
    table = basis.squashed_table(z.detach(), 3)
    assert bool(slope.isfinite().all() and table.isfinite().all())
    wanted = basis.squashed_table(z.detach().double(), 3)
    slopes = basis.table(torch.tensor([-1.0, 1.0]).double(), 4).abs().amax((1, 2)).tolist()
    for m in range(4):  # a unit of rounding in tanh z is amplified by the slopes of the basis
        assert float((table[m] - wanted[m]).abs().max()) <= 2e-6 * max(1.0, *slopes[: m + 2])


HIGH = [Chebyshev(20), Legendre(20), Jacobi(20, 0.5, -0.5), Jacobi(20, 1, 2), Fourier(20), Hermite(20, 5), RationalChebyshev(20)]


@pytest.mark.parametrize("basis", HIGH, ids=repr)
def test_degree_twenty_in_float32(basis):
    x = torch.linspace(-1, 1, 401)
    found, wanted = basis.table(x, 2), basis.table(x.double(), 2)
    for m in range(3):
        assert_close(found[m].double() / wanted[m].abs().max(), wanted[m] / wanted[m].abs().max(), 2e-5)


@pytest.mark.parametrize(
    "basis",
    [Chebyshev(30), Legendre(30), Jacobi(30, 0.5, -0.3), Jacobi(30, -0.9, -0.1), Jacobi(30, 4, 0), Monomial(30), Hermite(30, 7)],
    ids=repr,
)
def test_every_function_of_degree_thirty_to_order_four(basis):
    """Each function and each derivative relative to its own size."""
    x = np.concatenate([ENDS, ENDS * (1 - 1e-9), INSIDE])
    table = basis.table(torch.from_numpy(x), 4).numpy()
    for m in range(5):
        wanted = reference(basis, x, m)
        size = np.abs(wanted).max(1, keepdims=True)
        assert (np.abs(table[m] - wanted) <= 1e-12 * size).all()


# ---- polynomials from a recurrence ----


@dataclass(frozen=True)
class Shifted(Polynomials):
    """Chebyshev polynomials of the second kind of (x - 1/2) / 2: no classical family on [-1, 1]."""

    def recurrence(self, k):
        return 1, -0.5, 1


def test_a_family_defines_its_recurrence_only():
    from numpy.polynomial import Polynomial

    basis, x = Shifted(6), INSIDE
    family = [Polynomial([1]), Polynomial([-0.5, 1])]
    while len(family) < 7:
        family.append(Polynomial([-0.5, 1]) * family[-1] - family[-2])
    table = basis.table(torch.from_numpy(x), 4).numpy()
    for m in range(5):
        assert_close(table[m], [each.deriv(m)(x) for each in family])
    z = torch.linspace(-2, 2, 21, dtype=torch.float64)
    assert_close(basis.squashed_table(z, 4), squashed_by_autograd(basis, z, 4), 1e-11)


@pytest.mark.parametrize("family", [Chebyshev, Legendre, partial(Jacobi, alpha=0.5, beta=-0.3)], ids=["Chebyshev", "Legendre", "Jacobi"])
def test_behind_a_tanh_derivatives_are_those_of_neighbours(family):
    """(1 - s^2) P_k' is a combination of P_{k-1}, P_k and P_{k+1} (DLMF 18.9.17)."""
    step = family(12).span(torch.zeros(1).double(), 1, squash=True).matrices[0].numpy()
    rows, columns = np.indices(step.shape)
    assert np.abs(step[np.abs(rows - columns) > 1]).max() <= 1e-14 * np.abs(step).max()


def test_small_initial_coefficients_where_polynomials_are_large():
    basis = Jacobi(12, 3, 0)
    x = torch.linspace(-1, 1, 101, dtype=torch.float64)
    assert float((torch.from_numpy(basis.decay())[:, None] * basis.values(x)).abs().amax(1).max()) <= 1 + 1e-12


# ---- periodic and localized functions ----


@each_basis
def test_periodic_means_equal_at_the_ends_with_all_derivatives(basis):
    table = basis.table(torch.tensor([-1.0, 1.0], dtype=torch.float64), 4)
    equal = all(float((row[:, 0] - row[:, 1]).abs().max()) <= 1e-11 * max(1.0, float(row.abs().max())) for row in table)
    assert basis.periodic is equal


def test_sines_vanish_at_the_ends():
    assert float(Sine(50).values(torch.tensor([-1.0, 1.0], dtype=torch.float64)).abs().max()) < 1e-14


@pytest.mark.parametrize(("basis", "resolution"), [(Gaussian(5), 11), (Gaussian(7, 4), 40), (MexicanHat(2), 4)], ids=repr)
def test_refinement_keeps_the_coarse_functions_as_they_are(basis, resolution):
    x = torch.from_numpy(INSIDE)
    finer = basis.refined(resolution)
    assert torch.equal(finer.values(x)[: basis.size], basis.values(x))
    assert (finer.decay()[basis.size :] < basis.decay().min()).all() or basis == Gaussian(7, 4)


def test_gaussian_levels_are_dyadic():
    centres, widths = Gaussian(9, 3).levels
    assert sorted(centres) == [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1]
    assert widths.tolist() == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    assert Gaussian(5, 5) == Gaussian(5)


# ---- maps ----


def test_a_sinh_map_puts_points_and_resolution_at_the_front():
    front = SinhMap(0.3, 0.01)
    y = np.linspace(-1, 1, 41)
    assert_close(front.values(torch.from_numpy(front.inverse(y))), y, 1e-13)
    x = Mapped(Fourier(3), front).quantile(np.linspace(0, 1, 1001))
    near, far_away = np.mean(np.abs(x - 0.3) < 0.01), np.mean(np.abs(x + 0.7) < 0.01)
    assert near > 50 * far_away
    # tanh((x - 0.3) / 0.01) to seven digits with 60 functions, where polynomials alone have hardly one
    points = torch.from_numpy(front.inverse(-np.cos(np.linspace(0, np.pi, 400))))
    wanted = torch.tanh((points - 0.3) / 0.01)
    errors = []
    for basis in (Mapped(Chebyshev(59), front), Chebyshev(59)):
        functions = basis.values(points).T
        solution = torch.linalg.lstsq(functions, wanted[:, None]).solution
        errors.append(float((functions @ solution - wanted[:, None]).abs().max()))
    assert errors[0] < 1e-7
    assert errors[1] > 0.01


def test_quantile_of_a_mapped_basis_is_that_of_the_inner_one():
    u = np.linspace(0, 1, 11)
    front = SinhMap(-0.2, 0.05)
    assert_close(front.values(torch.from_numpy(Mapped(Chebyshev(4), front).quantile(u))), Chebyshev(4).quantile(u), 1e-12)
    points = RationalChebyshev(4, 0.5).quantile(u)
    assert_close(points / np.sqrt(points**2 + 0.25), Chebyshev(4).quantile(u) / np.sqrt(1.25), 1e-13)


def test_rational_functions_are_bounded_on_the_line():
    x = torch.tensor([-1e300, -1e5, 0.0, 1e5, 1e100], dtype=torch.float64)
    table = RationalChebyshev(5).table(x[1:-1], 4)
    assert bool(table.isfinite().all())
    assert float(RationalChebyshev(5).values(x[1:-1]).abs().max()) <= 1


# ---- splines ----


@splines
@given(x=st.floats(-1, 1))
def test_partition_of_unity(basis, x):
    table = basis.table(torch.tensor([x], dtype=torch.float64), 2)
    assert float(table[0].sum()) == pytest.approx(1, abs=1e-13)
    assert float(table[0].min()) >= -1e-15
    scale = float(table[1].abs().max()), float(table[2].abs().max())
    assert abs(float(table[1].sum())) <= 1e-13 * max(1, scale[0])
    assert abs(float(table[2].sum())) <= 1e-13 * max(1, scale[1])
    assert int((table[0] != 0).sum()) <= basis.degree + 1


@splines
def test_the_end_polynomials_continue_outside(basis):
    coefficients = np.random.default_rng(8).standard_normal(basis.size)
    outside = np.array([-1.2, -1.05, 1.01, 1.3])
    spline = SciPySpline(full_knots(basis), coefficients, basis.degree, extrapolate=True)
    for m in range(basis.degree + 1):
        found = coefficients @ basis.table(torch.from_numpy(outside), m)[m].numpy()
        assert_close(found, spline(outside, nu=m), 1e-11)


@st.composite
def break_lists(draw):
    degree = draw(st.sampled_from([1, 2, 3, 5]))
    inner = draw(st.lists(st.integers(-9, 9).map(lambda n: n / 10), min_size=0, max_size=6))
    inner = [b for b in sorted(inner) if inner.count(b) <= degree]
    return degree, (-1.0, *inner, 1.0)


@given(case=break_lists(), extra=st.integers(0, 12), seed=st.integers(0, 10**6))
def test_any_knots_evaluate_and_refine(case, extra, seed):
    degree, breaks = case
    basis = BSpline(degree, breaks=breaks)
    assert basis.intervals == len(breaks) - 1
    x = np.unique(np.r_[np.random.default_rng(seed).uniform(-1, 1, 20), breaks])
    table = basis.table(torch.from_numpy(x), 2).numpy()
    for m in range(3):
        assert_close(table[m], spline_reference(basis, x, m))
    finer = basis.refined(basis.intervals + extra)
    assert finer.size == basis.size + extra
    assert_close(basis.embedding(finer).T @ finer.values(torch.from_numpy(x)).numpy(), table[0])


def test_no_points_at_all():
    assert BSpline(3, 5).table(torch.empty(0, 4), 2).shape == (3, 8, 0, 4)


def test_quantile_of_splines_fills_all_intervals_alike():
    basis = BSpline(3, breaks=UNEVEN)
    counts = np.histogram(basis.quantile((np.arange(1000) + 0.5) / 1000), UNEVEN)[0]
    assert (counts == 200).all()


def test_quantile_of_chebyshev_is_the_arcsine_law():
    x = np.linspace(-0.99, 0.99, 7)
    assert_close(Chebyshev(5).quantile(0.5 + np.arcsin(x) / np.pi), x, 1e-14)


def test_uniform_refinement_keeps_uniform_knots_where_they_nest():
    assert BSpline(3, 4).refined(8) == BSpline(3, 8)


# ---- several bases together ----


def test_joined_bases_stand_one_after_another():
    basis = BSpline(3, 5) + SiLU() + Chebyshev(2)
    x = torch.from_numpy(INSIDE)
    assert basis.size == 8 + 1 + 3
    wanted = torch.cat([BSpline(3, 5).table(x, 2), SiLU().table(x, 2), Chebyshev(2).table(x, 2)], 1)
    assert_close(basis.table(x, 2), wanted, 0)


def test_joined_refinement_refines_the_part_that_can_be_refined_wherever_it_stands():
    basis = SiLU() + BSpline(3, 4)
    finer = basis.refined(8)
    assert finer.size == 1 + 11


# ---- bad arguments ----


BAD_NUMBERS = [0, -1, 2.5, 3.0, True, False, float("nan"), float("inf"), "3", None]


@pytest.mark.parametrize("bad", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Chebyshev, "degree of Chebyshev must be a whole number of at least 1"),
        (Legendre, "degree of Legendre must be a whole number of at least 1"),
        (lambda n: Jacobi(n, 0, 0), "degree of Jacobi must be a whole number of at least 1"),
        (Monomial, "degree of Monomial must be a whole number of at least 1"),
        (Fourier, "modes of Fourier must be a whole number of at least 1"),
        (Sine, "modes of Sine must be a whole number of at least 1"),
        (Hermite, "degree of Hermite must be a whole number of at least 1"),
        (Gaussian, "count of Gaussian must be a whole number of at least 2"),
        (MexicanHat, "levels of MexicanHat must be a whole number of at least 1"),
        (RationalChebyshev, "degree of RationalChebyshev must be a whole number of at least 1"),
        (lambda n: BSpline(n, 5), "degree of BSpline must be a whole number of at least 1"),
        (lambda n: BSpline(3, n), "intervals of BSpline must be a whole number of at least 1"),
    ],
    ids=lambda each: each.partition(" must")[0] if isinstance(each, str) else "",
)
def test_bad_numbers_are_named(make, words, bad):
    with pytest.raises(ValueError, match=f"{words}, got") as error:
        make(bad)
    assert repr(bad) in str(error.value)


@pytest.mark.parametrize("bad", [True, float("nan"), float("inf"), -float("inf"), -1, "1", None, 1j], ids=repr)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda value: Jacobi(3, value, 0), "alpha of Jacobi must be a finite number above -1"),
        (lambda value: Jacobi(3, 0, value), "beta of Jacobi must be a finite number above -1"),
        (lambda value: Hermite(3, value), "scale of Hermite must be a finite number above 0"),
        (lambda value: RationalChebyshev(3, value), "length of RationalChebyshev must be a finite number above 0"),
        (AlgebraicMap, "length of AlgebraicMap must be a finite number above 0"),
        (ArcsineMap, "reach of ArcsineMap must be a finite number above 0"),
        (lambda value: SinhMap(0, value), "width of SinhMap must be a finite number above 0"),
    ],
    ids=lambda each: each.partition(" must")[0] if isinstance(each, str) else "",
)
def test_bad_parameters_are_named(make, words, bad):
    with pytest.raises(ValueError, match=f"{words}, got") as error:
        make(bad)
    assert repr(bad) in str(error.value)


def test_branch_points_at_the_ends_are_resolved():
    x, reach = torch.linspace(-1, 1, 301, dtype=torch.float64), 0.999999
    basis = Mapped(Chebyshev(16), ArcsineMap(reach))
    table, wanted = basis.table(x, 1), torch.sqrt((1 - reach * x) * (1 + reach * x))
    weights = torch.linalg.lstsq(table[0].T, wanted[:, None]).solution[:, 0]
    assert (weights @ table[0] - wanted).abs().max() < 1e-12  # Chebyshev(16) alone: 1e-2
    inner = slice(3, -3)
    assert (weights @ table[1] * wanted + reach**2 * x)[inner].abs().max() < 1e-9  # d/dx sqrt(1 - r^2 x^2) times itself
    with pytest.raises(ValueError, match="reach of ArcsineMap must be below 1"):
        ArcsineMap(1.0)


@pytest.mark.parametrize("bad", [True, float("nan"), float("inf"), 1.5, -2, None], ids=repr)
def test_the_front_must_be_in_the_box(bad):
    with pytest.raises(ValueError, match="centre of SinhMap must be"):
        SinhMap(bad, 0.1)


@pytest.mark.parametrize("bad", [0, 1, 2.5, True, 8, "3"], ids=repr)
def test_the_coarsest_level_must_fit(bad):
    with pytest.raises(ValueError, match="coarsest of Gaussian must be"):
        Gaussian(7, bad)


def test_mapped_takes_a_basis_and_a_map():
    for wrong in ((SinhMap(0, 0.1), Chebyshev(3)), (Chebyshev, SinhMap(0, 0.1)), (Chebyshev(3), Chebyshev(3))):
        with pytest.raises(TypeError, match="takes a basis and a map"):
            Mapped(*wrong)


@pytest.mark.parametrize("bad", [8.5, float("nan"), True], ids=repr)
@pytest.mark.parametrize("basis", [Chebyshev(1), BSpline(3, 1), BSpline(3, breaks=UNEVEN), BSpline(2, 1) + SiLU()], ids=repr)
def test_bad_resolutions_are_refused(basis, bad):
    with pytest.raises(ValueError, match="got|only goes up"):
        basis.refined(bad)


@pytest.mark.parametrize(
    "breaks",
    [
        (),
        (-1,),
        (-1, 0.5),
        (0, 1),
        (-1, 0.5, 0.2, 1),
        (-1, float("nan"), 1),
        (-2, 0, 1),
        (-1, 0, float("inf")),
        ((-1, 0), (0, 1)),
    ],
    ids=repr,
)
def test_breaks_must_rise_from_end_to_end(breaks):
    with pytest.raises(ValueError, match="must rise from -1 to 1"):
        BSpline(3, breaks=breaks)


@pytest.mark.parametrize("breaks", [(-1, 0, 0, 0, 1), (-1, -1, 0, 1), (-1, 0, 1, 1)], ids=repr)
def test_breaks_may_not_tear_the_spline(breaks):
    with pytest.raises(ValueError, match="repeated at most degree=2 times"):
        BSpline(2, breaks=breaks)


def test_numpy_integers_are_whole_numbers():
    assert Chebyshev(np.int64(3)) == Chebyshev(3)
    assert partial(BSpline, np.int32(2))(np.int64(4)) == BSpline(2, 4)
