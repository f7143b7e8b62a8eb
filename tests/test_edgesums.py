"""Sums of edge functions: values and derivatives of every order, however the points are portioned and whoever differentiates."""

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline as SciPySpline
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

from kanpde import BSpline, Chebyshev, Fourier, Gaussian, Hermite, Legendre, Mapped, MexicanHat, SiLU, Sine, SinhMap, edgesums
from kanpde.bases import Extended, PerInput, RationalChebyshev
from kanpde.edgesums import edge_sums

BASES = [
    BSpline(3, 5) + SiLU(),
    BSpline(2, 30),
    BSpline(1, 47) + SiLU(),
    BSpline(2, 46),
    BSpline(3, breaks=(-1, -0.7, 0.1, 0.1, 1)),
    Chebyshev(6),
    Legendre(4) + Fourier(2),
    Fourier(3),
    Sine(4),
    Hermite(5),
    Gaussian(6) + SiLU(),
    MexicanHat(2),
    RationalChebyshev(4, 0.8),
    Mapped(Chebyshev(5), SinhMap(0.2, 0.3)),
    Extended(BSpline(3, 4), "linear"),
    PerInput((BSpline(3, 5), BSpline(3, breaks=(-1, -0.5, 0, 0.2, 0.6, 1)))),
]
# torch calls a part of itself that it has deprecated, when forward mode is used first
forward = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
each_basis = pytest.mark.parametrize("basis", BASES, ids=repr)


def drawn(basis, outputs=3, points=7, *, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, basis.size, 2, generator=generator, dtype=torch.float64)
    x = 1.9 * torch.rand(2, points, generator=generator, dtype=torch.float64) - 0.95
    return weight.to(dtype).requires_grad_(), x.to(dtype).requires_grad_()


def by_autograd(basis, weight, x):
    """The formula itself."""
    return torch.einsum("oki,kin->on", weight, basis.values(x))


def agree(found, expected, tolerance=1e-12):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        assert float((one - other).detach().abs().max()) <= tolerance * max(1.0, float(other.detach().abs().max()))


@each_basis
@pytest.mark.parametrize("portion", [1, 1000, 2**21])
def test_values_and_gradients_are_those_of_the_formula(basis, portion, monkeypatch):
    monkeypatch.setattr(edgesums, "PORTION", portion)
    weight, x = drawn(basis, points=37)
    adjoint = torch.randn(3, 37, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found, expected = edge_sums(basis, weight, x), by_autograd(basis, weight, x)
    agree([found], [expected])
    agree(torch.autograd.grad(found, (weight, x), adjoint), torch.autograd.grad(expected, (weight, x), adjoint), 1e-11)


@each_basis
def test_gradcheck_and_gradgradcheck(basis):
    weight, x = drawn(basis, outputs=2, points=3)
    assert torch.autograd.gradcheck(lambda w, x: edge_sums(basis, w, x), (weight, x))
    assert torch.autograd.gradgradcheck(lambda w, x: edge_sums(basis, w, x), (weight, x))


def test_splines_are_scipys():
    basis = BSpline(3, 5)
    weight, x = drawn(basis, points=50)
    linear = edge_sums(basis, weight, x)
    (slopes,) = torch.autograd.grad(linear[1].sum(), x)
    splines = [SciPySpline(basis.knots, weight[1, :, i].detach().numpy(), 3) for i in range(2)]
    points = x.detach().numpy()
    np.testing.assert_allclose(linear[1].detach(), sum(spline(points[i]) for i, spline in enumerate(splines)), atol=1e-13)
    np.testing.assert_allclose(slopes, [spline.derivative()(points[i]) for i, spline in enumerate(splines)], atol=1e-12)


@pytest.mark.parametrize("basis", [BSpline(4, 5) + SiLU(), Chebyshev(7)], ids=repr)
def test_third_derivatives_by_reverse_mode(basis):
    weight, x = drawn(basis)

    def third(sums):
        for _ in range(3):
            (sums,) = torch.autograd.grad(sums.sum(), x, create_graph=True)
        return torch.autograd.grad(sums.square().sum(), weight)

    agree(third(edge_sums(basis, weight, x)), third(by_autograd(basis, weight, x)), 1e-10)


@pytest.mark.parametrize("basis", [BSpline(3, 5) + SiLU(), BSpline(3, 50), Chebyshev(7)], ids=repr)
def test_what_is_not_asked_for_is_not_computed(basis):
    weight, x = drawn(basis)
    whole = torch.autograd.grad(edge_sums(basis, weight, x).sum(), (weight, x))
    agree(torch.autograd.grad(edge_sums(basis, weight.detach(), x).sum(), x), whole[1:])
    agree(torch.autograd.grad(edge_sums(basis, weight, x.detach()).sum(), weight), whole[:1])
    assert not edge_sums(basis, weight.detach(), x.detach()).requires_grad


@forward
@pytest.mark.parametrize("basis", [BSpline(3, 5) + SiLU(), BSpline(3, 50), Chebyshev(7), Gaussian(5)], ids=repr)
def test_torch_func(basis):
    weight, x = drawn(basis)
    weight, x = weight.detach(), x.detach()
    along = torch.ones_like(x)

    def nested(sums):
        def slope(x):
            return jvp(lambda x: sums(basis, weight, x), (x,), (along,))[1]

        return jvp(slope, (x,), (along,))[1]

    agree([nested(edge_sums)], [nested(by_autograd)])
    one = torch.tensor([0.3, -0.2], dtype=torch.float64)
    for transform in (jacrev, jacfwd, hessian):
        agree(*([transform(lambda z, sums=sums: sums(basis, weight, z[:, None])[:, 0])(one)] for sums in (edge_sums, by_autograd)))
    batch = torch.stack([x, -x])
    agree(*([vmap(lambda z, sums=sums: sums(basis, weight, z))(batch)] for sums in (edge_sums, by_autograd)))
    each = vmap(grad(lambda w, z: edge_sums(basis, w, z[:, None]).sum()), in_dims=(None, 1))(weight, x)
    agree([each.sum(0)], torch.autograd.grad(edge_sums(basis, weight.requires_grad_(), x).sum(), weight))


@forward
def test_forward_mode():
    basis = Chebyshev(5)
    weight, x = drawn(basis)
    along = torch.ones_like(x)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(edge_sums(basis, weight.detach(), forward_ad.make_dual(x.detach(), along))).tangent
    assert tangent is not None
    (slopes,) = torch.autograd.grad(edge_sums(basis, weight, x).sum(), x)
    agree([tangent.sum()], [slopes.sum()])


@pytest.mark.parametrize("basis", [BASES[0] + Gaussian(4), RationalChebyshev(4, 0.8)], ids=repr)
def test_compiled_without_graph_breaks(basis):
    torch.compiler.reset()
    weight, x = drawn(basis)
    compiled = torch.compile(edge_sums, backend="aot_eager", fullgraph=True)
    expected = torch.autograd.grad(edge_sums(basis, weight, x).sum(), (weight, x))
    agree(torch.autograd.grad(compiled(basis, weight, x).sum(), (weight, x)), expected)


@pytest.mark.parametrize("basis", [BSpline(3, 5) + SiLU(), BSpline(3, 50), Chebyshev(7)], ids=repr)
def test_float32(basis):
    exact, single = drawn(basis, points=100), drawn(basis, points=100, dtype=torch.float32)
    found = torch.autograd.grad(edge_sums(basis, *single).sum(), single)
    for one, other in zip(found, torch.autograd.grad(edge_sums(basis, *exact).sum(), exact), strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).abs().max()) <= 2e-5 * float(other.abs().max())


def test_autocast():
    weight, x = (each.detach() for each in drawn(BSpline(3, 5), dtype=torch.float32))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = edge_sums(BSpline(3, 5), weight, x)
    assert found.dtype == torch.bfloat16
    assert float((found - edge_sums(BSpline(3, 5), weight, x)).abs().max()) < 0.1


@pytest.mark.parametrize("basis", [BSpline(3, 5) + SiLU(), BSpline(3, 50), Chebyshev(7)], ids=repr)
def test_no_points(basis):
    weight, x = drawn(basis, points=0)
    linear = edge_sums(basis, weight, x)
    assert linear.shape == (3, 0)
    of_weight, of_x = torch.autograd.grad(linear.sum(), (weight, x))
    assert not of_weight.any() and of_x.shape == (2, 0)


def test_only_weight_and_points_are_kept_for_the_reverse():
    basis = BSpline(3, 5) + SiLU()
    weight, x = drawn(basis, points=1000)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda tensor: tensor):
        edge_sums(basis, weight, x)
    assert sum(kept) == weight.numel() + x.numel()


@forward
@pytest.mark.parametrize("make", [lambda: Gaussian(9), lambda: Chebyshev(11), lambda: BSpline(3, breaks=(-1, 0.125, 1))])
def test_constants_do_not_depend_on_who_asks_first(make):
    basis = make()  # of a kind that no other test uses, so that nothing is remembered of it
    weight, x = drawn(basis)
    vmap(grad(lambda z: edge_sums(basis, weight.detach(), z[:, None]).sum()), in_dims=1)(x.detach())
    agree(*(torch.autograd.grad(sums(basis, weight, x).sum(), x) for sums in (edge_sums, by_autograd)))
    other = weight.detach().float()
    with torch.inference_mode():
        edge_sums(basis, other, x.detach().float())
    single = x.detach().float().requires_grad_()
    agree(*(torch.autograd.grad(sums(basis, other, single).square().sum(), single) for sums in (edge_sums, by_autograd)), 1e-4)
