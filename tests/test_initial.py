"""Initial weights: what they preserve, measured over samples that are drawn here."""

import math

import numpy as np
import pytest
import torch

from kanpde import KAN, BSpline, Chebyshev, Extended, Fourier, Gaussian, Hermite, KANLayer, Legendre, MexicanHat, PerInput, SiLU, Sine
from kanpde.initial import INITIAL

BASES = [BSpline(3, 5), BSpline(3, 5) + SiLU(), Chebyshev(8), Legendre(6), Fourier(3), Gaussian(8), MexicanHat(2), Hermite(5)]
each_basis = pytest.mark.parametrize("basis", BASES, ids=repr)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape, seed=0):
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1


def sizes(network, seed=0):
    """Variances over samples of the last hidden layer and of the outputs, and the mean squares of the outputs' gradients by the inputs of
    each layer.
    """
    z = uniform(400, network.inputs, seed=seed).requires_grad_()
    values = [z]
    for layer in network.layers:
        values.append(layer(values[-1]))
    cotangent = normal(*values[-1].shape, seed=1)
    slopes = torch.autograd.grad((values[-1] * cotangent).sum(), values[:-1])
    return [float(each.detach().var(0).mean()) for each in values[1:]], [float(each.square().mean()) for each in slopes]


def test_random_is_what_it_always_was():
    drawn = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64) / math.sqrt(2)
    assert torch.equal(KANLayer(2, 3, basis=BSpline(3, 5), seed=5).weight.detach(), drawn)
    assert torch.equal(KAN(2, 3, 1, basis=BSpline(3, 5), seed=5).layers[0].weight.detach(), drawn)
    decayed = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    decayed *= torch.from_numpy(Chebyshev(4).decay())[:, None] / math.sqrt(2)
    torch.testing.assert_close(KANLayer(2, 3, basis=Chebyshev(4), seed=5).weight.detach(), decayed, rtol=1e-15, atol=0)


@pytest.mark.parametrize("basis", [basis for basis in BASES if not isinstance(basis, (Fourier, Hermite))], ids=repr)
@pytest.mark.parametrize("hidden", ["tanh", "range"])
@pytest.mark.parametrize("depth", [2, 4, 8])
def test_smooth_preserves_outputs_and_gradients_through_many_layers(basis, hidden, depth):
    network = KAN(20, *[20] * depth, basis=basis, hidden=hidden, init="smooth", seed=1)
    variances, slopes = sizes(network)
    unit = 1.0 if hidden == "tanh" else 1 / 3
    assert all(0.3 * unit < value < 1.5 * unit for value in variances[:-1]) and 0.3 < variances[-1] < 1.5
    assert all(0.3 < value / slopes[-1] < 4 for value in slopes[1:])


@each_basis
@pytest.mark.parametrize("depth", [2, 8])
def test_lecun_preserves_outputs(basis, depth):
    variances, _ = sizes(KAN(20, *[20] * depth, basis=basis, init="lecun", seed=1))
    assert all(0.3 < value < 1.7 for value in variances)
    plain = sizes(KAN(20, *[20] * depth, basis=Chebyshev(8), seed=1))[0]
    assert depth == 2 or plain[-1] < 0.02  # what is to be cured


@each_basis
def test_one_layer_has_the_sizes_of_the_formulas(basis):
    """Over many outputs, by Monte Carlo: Var = sigma^2 n m_0, and gradients grow by sigma^2 m m_1."""
    n, m, z = 4, 400, uniform(2000, 4).requires_grad_()
    for name in ("lecun", "glorot"):
        layer = KANLayer(n, m, basis=basis, entry="range", init=name, seed=2)
        values = layer(z)
        variance = float(values.detach().var(0).mean())
        slope = float(torch.autograd.grad((values * normal(*values.shape, seed=3)).sum(), z)[0].square().mean())
        with torch.no_grad():
            table, decay = basis.table(z[:, 0], 1), torch.from_numpy(basis.decay()) ** 2
        m_0, m_1 = float(decay @ table[0].var(1)), float(decay @ table[1].square().mean(1))
        sigma = 1 / (n * m_0) if name == "lecun" else 2 / (n * m_0 + m * m_1)
        assert variance == pytest.approx(sigma * n * m_0, rel=0.15)
        if not isinstance(basis, MexicanHat):  # whose edges are centred by functions that have slopes of their own
            assert slope == pytest.approx(sigma * m * m_1, rel=0.2)


def test_edges_have_no_mean():
    layer = KANLayer(3, 5, basis=Chebyshev(6), entry="tanh", init="lecun", seed=1)
    z = torch.special.ndtri((torch.arange(4000, dtype=torch.float64) + 0.5) / 4000)
    assert layer.edge_values(z.expand(3, -1)).mean(2).abs().max() < 1e-3


def test_identity_passes_inputs_on():
    z = normal(500, 3)
    for width in (3, 6):
        layer = KANLayer(3, width, basis=BSpline(3, 8), entry="tanh", init="identity", seed=1)
        with torch.no_grad():
            correlation = np.corrcoef(torch.cat([layer(z), z], 1).T)[:width, width:]
        for o in range(width):
            assert correlation[o, o % 3] > 0.95 and np.abs(np.delete(correlation[o], o % 3)).max() < 0.3
    layer = KANLayer(4, 2, basis=BSpline(3, 8), entry="range", init="identity", seed=1)
    z = uniform(500, 4)
    with torch.no_grad():
        correlation = np.corrcoef(torch.cat([layer(z), z], 1).T)[:2, 2:]
    np.testing.assert_allclose(correlation, [[0.5**0.5, 0, 0.5**0.5, 0], [0, 0.5**0.5, 0, 0.5**0.5]], atol=0.15)


@pytest.mark.parametrize(("inputs", "width"), [(3, 5), (5, 3), (4, 4)])
def test_sparse_keeps_one_edge_each(inputs, width):
    layer = KANLayer(inputs, width, basis=BSpline(3, 5), init="sparse", seed=1)
    kept = (layer.weight.detach() != 0).any(1)
    assert kept.sum() == max(inputs, width) and kept.any(0).all() and kept.any(1).all()
    assert layer.present.all() and layer.live is None  # the others are trained
    values = layer(normal(4000, inputs)).detach().var(0)
    assert float(values.min()) > 0.2 and float(values.mean()) == pytest.approx(1, rel=0.6)


def test_small_is_small():
    one, other = (KANLayer(3, 4, basis=BSpline(3, 5), init=name, seed=1).weight.detach() for name in ("lecun", "small"))
    torch.testing.assert_close(other, 0.1 * one)


@pytest.mark.parametrize("name", INITIAL)
def test_networks_of_any_kind_of_layer_are_made_again_alike(name):
    for basis in (Extended(BSpline(3, 4)), PerInput((BSpline(3, 4), BSpline(3, 4, breaks=(-1, -0.5, 0.1, 0.7, 1)))), Sine(4)):
        first = basis if isinstance(basis, PerInput) else basis
        network = KAN(2, (1, 2), 1, basis=[first, BSpline(3, 4)], init=name, seed=3)
        assert torch.equal(network.remade().vector(), network.vector())
        assert bool(network.vector().isfinite().all())
        assert (f"init='{name}'" in repr(network)) is (name != "random")
        assert not torch.equal(network.remade(seed=4).vector(), network.vector())
        assert KAN(2, 1, basis=BSpline(3, 4), init=name, dtype=torch.float32).vector().dtype is torch.float32


def test_the_global_state_is_left_alone():
    before = torch.get_rng_state()
    for name in INITIAL:
        KAN(2, 3, 1, basis=BSpline(3, 4), init=name)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("bad", ["lecum", "", 3, None])
def test_bad_names(bad):
    with pytest.raises(ValueError, match="init must be one of 'random', 'lecun'") as caught:
        KAN(2, 1, basis=BSpline(3, 4), init=bad)
    assert "got " + repr(bad) in str(caught.value) and (bad != "lecum" or "did you mean" in str(caught.value))
