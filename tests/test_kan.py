"""KAN and MLP: jets, rows and gradients against an independent network in plain torch with nested autograd."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
import torch
from numpy.polynomial import hermite
from scipy.interpolate import BSpline as SciPySpline
from scipy.special import jacobi

import kanpde.bases
from kanpde.bases import (
    AlgebraicMap,
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
    RationalChebyshev,
    SiLU,
    Sine,
    SinhMap,
)
from kanpde.jets import channels
from kanpde.kan import KAN
from kanpde.mlp import MLP
from kanpde.network import Network

UNEVEN = (-1.0, -0.6, -0.1, 0.35, 0.4, 1.0)
LOWER, UPPER = (0.5, -3.0, 10.0), (2.0, 4.0, 10.5)
SMOOTH = BSpline(5, 3)  # four derivatives and one for the reverse
POISSON = [(0, 0), (1, 1)]
MIXED = [(0, 1), (0, 0)]
FOURTH = [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 1, 1), (1,)]


# ---- the network once more, in plain torch from its weights ----


def chebyshev_functions(basis, x):
    rows = [torch.ones_like(x), x]
    for _ in range(2, basis.degree + 1):
        rows.append(2 * x * rows[-1] - rows[-2])
    return torch.stack(rows)


def spline_functions(basis, x):
    """Every piece of every B-spline as a polynomial in x minus the start of its interval, from SciPy's derivatives there."""
    breaks = np.linspace(-1, 1, basis.intervals + 1) if basis.breaks is None else np.asarray(basis.breaks)
    p = basis.degree
    knots = np.r_[[-1.0] * p, breaks, [1.0] * p]
    spline = SciPySpline(knots, np.eye(len(knots) - p - 1), p)
    starts = torch.from_numpy(breaks[:-1])
    taylor = np.stack([spline(breaks[:-1], nu=m) for m in range(p + 1)])  # (p + 1, intervals, K)
    interval = (torch.searchsorted(starts, x.detach().contiguous(), right=True) - 1).clamp(min=0)
    pieces = torch.from_numpy(taylor)[:, interval].movedim(-1, 1)
    offset = x - starts[interval]
    total, factorial = 0, 1.0
    for m in range(p + 1):
        factorial *= max(m, 1)
        total = total + pieces[m] * offset**m / factorial
    return total


def polynomial_functions(rows, x):
    """Each of ``rows`` by Horner's rule, the highest coefficient first."""
    found = []
    for row in rows:
        total = torch.full_like(x, float(row[0]))
        for coefficient in row[1:]:
            total = total * x + float(coefficient)
        found.append(total)
    return torch.stack(found)


def jacobi_functions(alpha, beta, degree, x):
    return polynomial_functions([jacobi(k, alpha, beta).coef for k in range(degree + 1)], x)


def hermite_functions(basis, x):
    y = basis.scale * x
    coefficients = [hermite.herm2poly(row)[::-1] for row in np.eye(basis.degree + 1)]
    norms = torch.tensor([(2.0**n * math.factorial(n) * np.pi**0.5) ** -0.5 for n in range(basis.degree + 1)], dtype=torch.float64)
    return norms.view(-1, *[1] * x.dim()) * polynomial_functions(coefficients, y) * torch.exp(-y * y / 2)


def gaussian_functions(basis, x):
    """One level of five, and another of the four between them."""
    places = [(c, 0.5) for c in (-1, -0.5, 0, 0.5, 1)] + [(c, 0.25) for c in (-0.75, 0.25, -0.25, 0.75)]
    return torch.stack([torch.exp(-(((x - c) / h) ** 2)) for c, h in places[: basis.count]])


def wavelet_functions(basis, x):
    hats = [2.0**level * x - k for level in range(basis.levels) for k in range(-(2**level), 2**level + 1)]
    return torch.stack([torch.ones_like(x), x, *((1 - t * t) * torch.exp(-t * t / 2) for t in hats)])


def mapped(map, x):
    if isinstance(map, AlgebraicMap):
        return x / torch.sqrt(x * x + map.length**2)
    right, left = math.asinh((1 - map.centre) / map.width), math.asinh((-1 - map.centre) / map.width)
    return (2 * torch.asinh((x - map.centre) / map.width) - right - left) / (right - left)


FUNCTIONS = {
    Chebyshev: chebyshev_functions,
    SiLU: lambda basis, x: torch.nn.functional.silu(x)[None],
    BSpline: spline_functions,
    Legendre: lambda basis, x: jacobi_functions(0, 0, basis.degree, x),
    Jacobi: lambda basis, x: jacobi_functions(basis.alpha, basis.beta, basis.degree, x),
    Monomial: lambda basis, x: polynomial_functions([[1.0] + [0.0] * k for k in range(basis.degree + 1)], x),
    Fourier: lambda basis, x: torch.stack(
        [torch.ones_like(x), *(f(k * torch.pi * x) for k in range(1, basis.modes + 1) for f in (torch.cos, torch.sin))]
    ),
    Sine: lambda basis, x: torch.stack([torch.sin(k * torch.pi * (x + 1) / 2) for k in range(1, basis.modes + 1)]),
    Hermite: hermite_functions,
    Gaussian: gaussian_functions,
    MexicanHat: wavelet_functions,
    RationalChebyshev: lambda basis, x: chebyshev_functions(basis, mapped(AlgebraicMap(basis.length), x)),
    Mapped: lambda basis, x: functions_of(basis.basis, mapped(basis.map, x)),
}


def functions_of(basis, x):
    if hasattr(basis, "parts"):
        return torch.cat([functions_of(part, x) for part in basis.parts])
    return FUNCTIONS[type(basis)](basis, x)


def plain(network, parameters, points):
    """(N, d) -> (N, outputs), differentiable in ``parameters`` (a list) and ``points``."""
    lower, upper = network.lower, network.upper
    z = 2 * (points - lower) / (upper - lower) - 1
    parameters = list(parameters)
    for number in range(len(network.widths) - 1):
        if number:
            z = torch.tanh(z)
        if isinstance(network, MLP):
            weight, bias = parameters[2 * number : 2 * number + 2]
            z = z @ weight.T + bias
            continue
        z = torch.einsum("oki,kni->no", parameters[number], functions_of(network.basis, z))
        width = network.widths[number + 1]
        sums, products = width if isinstance(width, tuple) else (width, 0)
        multiplied = [z[:, :sums]]
        for node in range(products):
            arity = network.layers[number].arities[node]
            start = sums + node * arity
            factor = z[:, start]
            for each in range(1, arity):
                factor = factor * z[:, start + each]
            multiplied.append(factor[:, None])
        z = torch.cat(multiplied, 1)
    return z


def plain_jets(network, parameters, points, chosen):
    """(C, outputs, N) by nested autograd."""
    points = points.detach().clone().requires_grad_()
    values = plain(network, parameters, points)
    rows = []
    for alpha in chosen.indices:
        outputs = []
        for each in values.unbind(1):
            for letter in alpha:
                each = torch.autograd.grad(each.sum(), points, create_graph=True, materialize_grads=True)[0][:, letter]
                if not each.requires_grad:
                    each = each + 0 * points[:, letter]
            outputs.append(each)
        rows.append(torch.stack(outputs))
    return torch.stack(rows)


CASES = [
    (KAN(2, 4, 1, basis=Chebyshev(6)), POISSON),
    (KAN(2, 3, 2, basis=Chebyshev(4)), FOURTH),
    (KAN(2, 3, 2, 2, basis=Chebyshev(3)), FOURTH),
    (KAN(2, 1, basis=Chebyshev(5)), FOURTH),
    (KAN(1, 4, 2, basis=Chebyshev(5)), [(0, 0, 0)]),
    (KAN(3, 3, 1, basis=Chebyshev(3)), [(0, 1, 2), (2, 2), (0, 0, 1, 2)]),
    (KAN(2, 3, 1, basis=Chebyshev(4)), [()]),
    (KAN(2, 3, 1, basis=Chebyshev(4)), [(1,)]),
    (KAN(2, 3, 2, basis=SMOOTH), FOURTH),
    (KAN(2, 3, 2, basis=BSpline(3, 5)), MIXED),
    (KAN(2, 3, 1, basis=BSpline(2, 4)), [(0,), (1,)]),
    (KAN(2, 3, 1, basis=BSpline(5, breaks=UNEVEN)), FOURTH),
    (KAN(2, 3, 1, basis=BSpline(3, breaks=UNEVEN)), MIXED),
    (KAN(2, 3, 1, basis=BSpline(3, 4) + SiLU()), MIXED),
    (KAN(2, 3, 2, basis=SMOOTH + SiLU()), FOURTH),
    (KAN(2, 3, 2, basis=SiLU()), FOURTH),
    (KAN(2, (2, 2), 1, basis=Chebyshev(4)), FOURTH),
    (KAN(2, (0, 3), 2, basis=Chebyshev(3)), POISSON),
    (KAN(2, (1, 2), (2, 1), 2, basis=Chebyshev(3)), FOURTH),
    (KAN(2, (1, 2), (1, 1), basis=Chebyshev(3), arity=3), FOURTH),
    (KAN(2, 2, (0, 1), basis=BSpline(3, 4) + SiLU(), arity=3), MIXED),
    (KAN(2, (2, 1), 1, basis=SMOOTH, arity=3), FOURTH),
    (KAN(2, (1, 1), 1, basis=Chebyshev(2), arity=4), MIXED),
    (KAN(2, 3, 1, basis=Legendre(4)), FOURTH),
    (KAN(2, (1, 1), 1, basis=Jacobi(3, 0.5, -0.3)), FOURTH),
    (KAN(2, 3, 1, basis=Monomial(4)), FOURTH),
    (KAN(2, 3, 1, basis=Fourier(2)), FOURTH),
    (KAN(2, (1, 1), 1, basis=Sine(3)), FOURTH),
    (KAN(2, 3, 1, basis=Hermite(4, 2.5)), FOURTH),
    (KAN(2, 3, 1, basis=Gaussian(5)), MIXED),
    (KAN(2, 2, 1, basis=Gaussian(9, 5)), FOURTH),
    (KAN(2, 2, 1, basis=MexicanHat(2)), FOURTH),
    (KAN(2, 3, 1, basis=RationalChebyshev(3)), FOURTH),
    (KAN(2, 3, 1, basis=Mapped(Chebyshev(3), SinhMap(0.3, 0.4))), FOURTH),
    (KAN(2, 2, 1, basis=Mapped(SMOOTH, SinhMap(-1, 0.5))), MIXED),
    (KAN(2, 2, 1, basis=Fourier(1) + Legendre(2)), MIXED),
    (MLP(2, 5, 1), POISSON),
    (MLP(2, 4, 3, 2), FOURTH),
    (MLP(2, 2), FOURTH),
    (MLP(3, 4, 1), [(0, 1, 2), (2, 2), (0, 0, 1, 2)]),
    (MLP(1, 4, 2), [(0, 0, 0)]),
]
each_case = pytest.mark.parametrize(("model", "demand"), CASES, ids=lambda each: str(each).replace(" ", ""))
NETWORKS = [model for model, _ in CASES]
each_network = pytest.mark.parametrize("model", NETWORKS, ids=repr)
KANS = [model for model in NETWORKS if isinstance(model, KAN)]


def on_box(model):
    """A copy on a box that is not [-1, 1], with biases that are not zero, and 13 points there."""
    network = copy.deepcopy(model)
    d = network.inputs
    generator = torch.Generator().manual_seed(3)
    if isinstance(network, MLP):
        network.assign(network.vector() + 0.3 * torch.randn(network.parameter_count, generator=generator, dtype=torch.float64))
    network.on_box(LOWER[:d], UPPER[:d])
    unit = torch.rand(13, d, generator=generator, dtype=torch.float64)
    return network, torch.tensor(LOWER[:d]).double() + unit * (torch.tensor(UPPER[:d]).double() - torch.tensor(LOWER[:d]).double())


def assert_close(got, wanted, tolerance=1e-11):
    assert got.shape == wanted.shape
    assert bool(got.isfinite().all())
    assert float((got - wanted).abs().max()) <= tolerance * max(1e-300, float(wanted.abs().max()))


# ---- values, jets and their reverse ----


@each_case
def test_jets_are_nested_autograd(model, demand):
    network, points = on_box(model)
    chosen = channels(demand)
    found, _ = network.jets(points, chosen)
    wanted = plain_jets(network, list(network.parameters()), points, chosen).detach()
    assert found.shape == (len(chosen), network.outputs, len(points))
    for row, alpha in enumerate(chosen.indices):
        exact_zero = not bool(wanted[row].any())
        assert_close(found[row], wanted[row], 1e-11) if not exact_zero else assert_close(found[row] + 1, wanted[row] + 1), alpha


def adjoint_for(network, chosen, count):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(len(chosen), network.outputs, count, generator=generator, dtype=torch.float64)


def plain_rows(network, points, chosen, adjoint):
    """Per-sample derivatives of <adjoint, jets> by every parameter, (P, N), one sample after another."""
    parameters = [parameter.detach().clone().requires_grad_() for parameter in network.parameters()]
    jets = plain_jets(network, parameters, points, chosen)
    samples = (jets * adjoint).sum((0, 1))
    columns = []
    for sample in samples:
        grads = torch.autograd.grad(sample, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        columns.append(torch.cat([grad.flatten() for grad in grads]))
    return torch.stack(columns, 1)


@each_case
def test_rows_are_the_jacobian_of_every_sample_and_gradient_is_their_sum(model, demand):
    network, points = on_box(model)
    points = points[:3]
    chosen = channels(demand)
    adjoint = adjoint_for(network, chosen, len(points))
    _, records = network.jets(points, chosen)
    memory = torch.full((network.parameter_count, len(points)), torch.nan, dtype=torch.float64)
    kept = adjoint.clone()
    found = network.rows(records, adjoint, memory)
    assert found is memory
    wanted = plain_rows(network, points, chosen, adjoint)
    assert_close(found, wanted)
    scale = wanted.abs().max(1).values.clamp(min=1e-3 * float(wanted.abs().max()))
    assert_close(found / scale[:, None], wanted / scale[:, None])
    gradient = network.gradient(records, adjoint)
    assert gradient.shape == (network.parameter_count,)
    assert float((gradient - wanted.sum(1)).abs().max()) <= 1e-11 * float(wanted.abs().sum(1).max())
    assert torch.equal(adjoint, kept)


@pytest.mark.parametrize("model", [KAN(2, 3, 1, basis=Chebyshev(3)), KAN(2, (1, 1), 2, basis=Chebyshev(3)), MLP(2, 3, 2)], ids=repr)
def test_rows_are_jacrev(model):
    """The same by torch.func on a functional call of the module's own forward."""
    network, points = on_box(model)
    chosen = channels([()])
    names = [name for name, _ in network.named_parameters()]

    def value(*parameters):
        return torch.func.functional_call(network, dict(zip(names, parameters, strict=True)), (points,)).sum(1)

    parts = torch.func.jacrev(value, argnums=tuple(range(len(names))))(*(p.detach() for p in network.parameters()))
    wanted = torch.cat([part.flatten(1) for part in parts], 1).T
    _, records = network.jets(points, chosen)
    ones = torch.ones(1, network.outputs, len(points), dtype=torch.float64)
    assert_close(network.rows(records, ones, torch.empty_like(wanted)), wanted)


@each_case
def test_records_can_be_used_again(model, demand):
    network, points = on_box(model)
    chosen = channels(demand)
    adjoint = adjoint_for(network, chosen, len(points))
    fresh = []
    for each in (points, points.flip(0) * 0.999 + 0.001 * points):
        jet, records = network.jets(each, chosen)
        fresh.append((jet.clone(), network.rows(records, adjoint, torch.empty(network.parameter_count, len(points)).double())))
    _, records = network.jets(points, chosen)
    network.rows(records, adjoint, torch.empty(network.parameter_count, len(points)).double())
    network.assign(network.vector() * 1.0)
    jet, records = network.jets(points.flip(0) * 0.999 + 0.001 * points, chosen, records)
    assert torch.equal(jet, fresh[1][0])
    assert torch.equal(network.rows(records, adjoint, torch.empty_like(fresh[1][1])), fresh[1][1])
    jet, records = network.jets(points, chosen, records)
    assert torch.equal(jet, fresh[0][0])
    assert torch.equal(network.rows(records, adjoint, torch.empty_like(fresh[0][1])), fresh[0][1])


@each_network
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (2, 1, 3)])
def test_forward_on_any_shape(model, shape):
    network, _ = on_box(model)
    d = network.inputs
    lower, upper = network.lower, network.upper
    points = lower + (upper - lower) * torch.rand(*shape, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = network(points)
    assert found.shape == (*shape, network.outputs)
    wanted = plain(network, network.parameters(), points.reshape(-1, d)).reshape(found.shape)
    assert_close(found.detach(), wanted.detach(), 1e-13)


@pytest.mark.parametrize("model", [KAN(2, 3, 2, basis=Chebyshev(3)), KAN(2, (1, 1), 1, basis=BSpline(3, 4)), MLP(2, 3, 1)], ids=repr)
def test_forward_on_no_points(model):
    assert model(torch.zeros(0, 2, dtype=torch.float64)).shape == (0, model.outputs)


@each_network
def test_forward_agrees_with_layers_one_after_another_and_is_differentiable(model):
    network, points = on_box(model)
    z = 2 * (points - network.lower) / (network.upper - network.lower) - 1
    for layer in network.layers:
        z = layer(z)
    assert_close(network(points).detach(), z.detach(), 1e-13)
    weights = torch.randn(13, network.outputs, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = torch.autograd.grad((network(points) * weights).sum(), list(network.parameters()))
    wanted = torch.autograd.grad((plain(network, network.parameters(), points) * weights).sum(), list(network.parameters()))
    for got, want in zip(found, wanted, strict=True):
        assert_close(got, want, 1e-12)


@each_network
def test_the_ends_of_the_box_are_finite(model):
    network, _ = on_box(model)
    d = network.inputs
    chosen = channels([(0, 0), (d - 1,)])
    corners = torch.stack([network.lower, network.upper])
    jet, records = network.jets(corners, chosen)
    rows = network.rows(records, torch.ones_like(jet), torch.empty(network.parameter_count, 2).double())
    assert bool(jet.isfinite().all() and rows.isfinite().all())
    assert_close(jet[0], plain(network, network.parameters(), corners).T.detach(), 1e-10)


def test_samples_do_not_see_each_other():
    network, points = on_box(KAN(2, (2, 1), 2, basis=Chebyshev(4)))
    chosen = channels(FOURTH)
    together, _ = network.jets(points, chosen)
    for number in range(len(points)):
        alone, _ = network.jets(points[number : number + 1], chosen)
        assert_close(alone[..., 0], together[..., number], 1e-13)


# ---- parameters ----


@each_network
def test_vector_and_assign_are_inverse_and_copy(model):
    network = copy.deepcopy(model)
    start = network.vector()
    assert start.shape == (network.parameter_count,)
    assert not start.requires_grad
    start += 1
    assert not torch.equal(start, network.vector())
    network.assign(start)
    assert torch.equal(network.vector(), start)
    start += 1
    assert not torch.equal(network.vector(), start)
    together = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert torch.equal(network.vector(), together)


@each_network
def test_copies_pickles_and_state_dicts_are_the_same_network(model):
    network, points = on_box(model)
    wanted = network(points).detach()
    loaded = pickle.loads(pickle.dumps(network))
    stream = io.BytesIO()
    torch.save(network.state_dict(), stream)
    stream.seek(0)
    stated = model.remade(seed=99)
    stated.load_state_dict(torch.load(stream, weights_only=True))
    for other in (copy.deepcopy(network), loaded, stated):
        assert torch.equal(other(points).detach(), wanted)
        assert repr(other) == repr(network)
        other.assign(other.vector() + 1)
    assert torch.equal(network(points).detach(), wanted)


@each_network
def test_float32(model):
    network, points = on_box(model)
    single = copy.deepcopy(network).float()
    made = network.remade(dtype=torch.float32)
    assert {parameter.dtype for parameter in made.parameters()} == {torch.float32}
    assert made.lower.dtype == torch.float32
    chosen = channels([(0,)])
    found, records = single.jets(points.float(), chosen)
    wanted, _ = network.jets(points, chosen)
    assert found.dtype == torch.float32
    assert_close(found.double(), wanted, 2e-3)
    rows = single.rows(records, torch.ones_like(found), torch.empty(network.parameter_count, len(points)))
    assert rows.dtype == torch.float32
    assert bool(rows.isfinite().all())
    assert single(points.float()).dtype == torch.float32


@each_network
def test_construction_leaves_global_state_alone(model):
    torch.manual_seed(123)
    before, dtype = torch.get_rng_state(), torch.get_default_dtype()
    np_before = np.random.get_state()[1].copy()
    network = model.remade(seed=5)
    if isinstance(network, KAN):
        network.refined(network.basis.resolution)
    network.jets(torch.zeros(2, network.inputs).double(), channels([(0,)]))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_default_dtype() is dtype is torch.float32
    assert (np.random.get_state()[1] == np_before).all()
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float64}


def test_seeds_reproduce_and_do_not_depend_on_the_global_seed():
    for model in (KAN(2, 4, 4, 1, basis=Chebyshev(3)), MLP(2, 4, 4, 1)):
        first = model.remade(seed=7).vector()
        torch.manual_seed(0)
        assert torch.equal(model.remade(seed=7).vector(), first)
        assert not torch.equal(model.remade(seed=8).vector(), first)
        assert torch.equal(model.remade(seed=7).remade().vector(), first)


@pytest.mark.parametrize("model", [KAN(3, 3, 3, 3, basis=Chebyshev(3)), MLP(3, 3, 3, 3)], ids=repr)
def test_layers_get_different_random_weights(model):
    weights = [layer.weight.detach() for layer in model.layers]
    for number, weight in enumerate(weights):
        assert float(weight.std()) > 0.05
        for other in weights[:number]:
            assert float((weight - other).abs().min()) > 0
    nodes = weights[1].flatten(1)
    assert len({tuple(node.tolist()) for node in nodes}) == 3


RANDOM = [
    Chebyshev(8),
    BSpline(3, 6),
    BSpline(3, 6) + SiLU(),
    Legendre(8),
    Jacobi(8, 2, 1),
    Monomial(6),
    Fourier(5),
    Sine(6),
    Hermite(8),
    Gaussian(8),
    Gaussian(15, 8),
    MexicanHat(3),
    RationalChebyshev(8),
    Mapped(Chebyshev(8), SinhMap(0, 0.1)),
]


@pytest.mark.parametrize("basis", RANDOM, ids=repr)
def test_random_networks_are_of_order_one(basis):
    points = 2 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0)).double() - 1
    sizes = [float(KAN(2, 8, 1, basis=basis, seed=seed)(points).detach().std()) for seed in range(5)]
    assert 0.05 < np.median(sizes) < 5


# ---- refinement ----


REFINED = [
    (KAN(2, 4, 2, basis=Chebyshev(5)), 9),
    (KAN(2, 3, 3, 1, basis=Chebyshev(3)), 4),
    (KAN(2, (1, 2), (1, 1), basis=Chebyshev(3), arity=3), 7),
    (KAN(2, 3, 1, basis=BSpline(3, 5)), 7),
    (KAN(2, 3, 1, basis=BSpline(3, 5)), 10),
    (KAN(2, (1, 2), 1, basis=BSpline(5, breaks=UNEVEN)), 8),
    (KAN(2, 3, 1, basis=BSpline(3, 4) + SiLU()), 9),
    (KAN(2, 3, 1, basis=BSpline(2, 4)), 4),
    (KAN(2, 3, 1, basis=Legendre(3)), 6),
    (KAN(2, 3, 1, basis=Jacobi(3, 0.5, -0.3)), 6),
    (KAN(2, 3, 1, basis=Monomial(3)), 5),
    (KAN(2, 3, 1, basis=Fourier(2)), 4),
    (KAN(2, 3, 1, basis=Sine(2)), 5),
    (KAN(2, 3, 1, basis=Hermite(4, 2.5)), 8),
    (KAN(2, 3, 1, basis=Gaussian(5)), 8),
    (KAN(2, 3, 1, basis=MexicanHat(1)), 3),
    (KAN(2, 3, 1, basis=RationalChebyshev(3)), 6),
    (KAN(2, 3, 1, basis=Mapped(Chebyshev(3), SinhMap(0.3, 0.1))), 6),
    (KAN(2, 3, 1, basis=Mapped(BSpline(3, 4), SinhMap(0.3, 0.1))), 7),
]


@pytest.mark.parametrize(("model", "resolution"), REFINED, ids=lambda each: str(each))
def test_refinement_keeps_the_function_and_shares_nothing(model, resolution):
    network, points = on_box(model)
    values, vector = network(points).detach(), network.vector()
    finer = network.refined(resolution)
    assert finer.basis.resolution == resolution
    assert_close(finer(points).detach(), values, 1e-12)
    chosen = channels([(0,), (1,)])
    assert_close(finer.jets(points, chosen)[0], network.jets(points, chosen)[0], 1e-11)
    assert torch.equal(finer.lower, network.lower)
    assert torch.equal(finer.upper, network.upper)
    storages = [{tensor.untyped_storage().data_ptr() for tensor in each.state_dict().values()} for each in (network, finer)]
    assert not storages[0] & storages[1]
    # train the child: the parent stays as it is, bit by bit
    optimizer = torch.optim.Adam(finer.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (finer(points) ** 2).sum().backward()
        optimizer.step()
    assert float((finer(points) - values).detach().abs().max()) > 1e-3
    assert torch.equal(network.vector(), vector)
    assert torch.equal(network(points).detach(), values)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_refinement_only_goes_up():
    with pytest.raises(ValueError, match="only goes up from 5"):
        KAN(2, 3, 1, basis=Chebyshev(5)).refined(4)


# ---- boxes and shapes ----


@each_network
def test_remade_keeps_shape_and_box(model):
    network, _ = on_box(model)
    other = network.remade(seed=4)
    assert repr(other) == repr(network)
    assert torch.equal(other.lower, network.lower)
    assert torch.equal(other.upper, network.upper)
    assert other.parameter_count == network.parameter_count
    assert not torch.equal(other.vector(), network.vector())


def test_repr_is_code():
    for network in NETWORKS:
        again = eval(repr(network), {"KAN": KAN, "MLP": MLP, **vars(kanpde.bases)})
        assert torch.equal(again.vector(), network.vector())
        assert isinstance(again, Network)


def test_counts():
    network = KAN(3, (2, 4), 5, basis=Chebyshev(6), arity=3)
    assert (network.inputs, network.outputs) == (3, 5)
    assert network.parameter_count == (2 + 3 * 4) * 7 * 3 + 5 * 7 * 6
    assert MLP(3, 4, 5).parameter_count == 3 * 4 + 4 + 4 * 5 + 5


def test_a_box_of_other_dimension_is_refused():
    with pytest.raises(ValueError, match="has 2 inputs, but the domain has 3 coordinates"):
        KAN(2, 3, 1, basis=Chebyshev(3)).on_box((0, 0, 0), (1, 1, 1))


BAD = [0, -1, 2.5, 3.0, True, float("nan"), None, "3"]


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_bad_widths_are_named(bad, position):
    widths = [2, 3, 1]
    widths[position] = bad
    with pytest.raises(ValueError, match="width of a KAN layer must be a whole number of at least 1") as error:
        KAN(*widths, basis=Chebyshev(3))
    assert repr(bad) in str(error.value)
    with pytest.raises(ValueError, match="width of a MLP layer must be a whole number of at least 1"):
        MLP(*widths)


@pytest.mark.parametrize("bad", [(0, 0), (-1, 2), (1, 2.5), (1, 2, 3), (True, 1), (1,)], ids=repr)
def test_bad_pairs_of_nodes(bad):
    with pytest.raises(ValueError, match="KAN layer must be a whole number"):
        KAN(2, bad, 1, basis=Chebyshev(3))


@pytest.mark.parametrize("bad", [0, 1, -2, 2.5, True, float("nan")], ids=repr)
def test_bad_arity(bad):
    with pytest.raises(ValueError, match="arity of product nodes must be a whole number of at least 2"):
        KAN(2, (1, 1), 1, basis=Chebyshev(3), arity=bad)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="needs at least an input and an output width"):
        KAN(2, basis=Chebyshev(3))
    with pytest.raises(ValueError, match="width of a KAN layer"):
        KAN((2, 1), 3, 1, basis=Chebyshev(3))  # product nodes among the inputs
    with pytest.raises(ValueError, match="width of a MLP layer"):
        MLP(2, (1, 1), 1)
    with pytest.raises(TypeError, match=r"such as Chebyshev\(degree=8\)"):
        KAN(2, 3, 1, basis=8)
