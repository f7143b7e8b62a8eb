"""Layers are ordinary modules of torch: whatever one does with those, one does with these."""

import io
import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, jvp, vmap

from kanpde import Box, BSpline, Chebyshev, Dirichlet, Experiment, KANLayer, LevenbergMarquardt, Problem, SiLU, Wrapped, laplacian

SPLINES = BSpline(3, 5) + SiLU()


def layer(width=(2, [2, 3]), **settings):
    made = KANLayer(3, width, basis=SPLINES, seed=0, **settings)
    return made.put_bias(torch.arange(made.linear))


def points(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@pytest.fixture(params=["tanh", "range"])
def entry(request):
    return request.param


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 4), (2, 1, 3), (0,), (3, 0, 2)])
def test_any_leading_dimensions(entry, shape):
    made, z = layer(entry=entry), points(*shape, 3)
    found = made(z)
    assert found.shape == (*shape, 4)
    one_by_one = [made(each) for each in z.reshape(-1, 3)]
    assert torch.allclose(found.reshape(-1, 4), torch.stack(one_by_one) if one_by_one else found.reshape(-1, 4), atol=1e-14)


def test_inputs_of_any_strides():
    made, z = layer(), points(3, 6)
    assert torch.equal(made(z.T), made(z.T.contiguous()))
    assert torch.equal(made(z[:, :1].T.expand(4, 3)), made(z[:, :1].T.repeat(4, 1)))


def test_in_sequential_with_other_modules_trained_by_torch_optim():
    model = nn.Sequential(KANLayer(2, 5, basis=BSpline(3, 5), seed=0), nn.LayerNorm(5), KANLayer(5, 1, basis=Chebyshev(5), seed=1)).double()
    x = 2 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1
    y = (x[:, :1] * x[:, 1:]).exp()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for _ in range(200):
        optimiser.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 1e-2 * losses[0]


def test_state_dict_round_trip(entry):
    made, other = layer(entry=entry), KANLayer(3, (2, [2, 3]), basis=SPLINES, entry=entry, seed=7).put_bias()
    assert not torch.equal(made(points(4, 3)), other(points(4, 3)))
    assert other.load_state_dict(made.state_dict()) == ([], [])
    assert torch.equal(made(points(4, 3)), other(points(4, 3)))
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        KANLayer(3, (2, [2, 3]), basis=Chebyshev(4)).put_bias().load_state_dict(made.state_dict())


def saved_and_loaded(made):
    file = io.BytesIO()
    torch.save(made, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "copied", [deepcopy, lambda made: pickle.loads(pickle.dumps(made)), saved_and_loaded], ids=["copy", "pickle", "save"]
)
def test_copies_are_equal_and_share_nothing(copied):
    made = layer()
    made(points(5, 3)).sum().backward()
    other = copied(made)
    assert torch.equal(made(points(5, 3)), other(points(5, 3)))
    assert (other.basis, other.width, other.entry) == (made.basis, made.width, made.entry)
    before = made(points(5, 3)).detach().clone()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    assert torch.equal(made(points(5, 3)), before)


def test_parameters_alone_are_saved_and_loaded_with_weights_only():
    made, file = layer(), io.BytesIO()
    torch.save(made.state_dict(), file)
    file.seek(0)
    other = KANLayer(3, (2, [2, 3]), basis=SPLINES, seed=3).put_bias()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(made(points(5, 3)), other(points(5, 3)))


def test_dtypes_and_devices():
    made, exact = layer(), layer()
    assert made.to(torch.float32) is made and made.weight.dtype == made.low.dtype == torch.float32
    found = made(points(50, 3, dtype=torch.float32))
    assert found.dtype == torch.float32 and torch.allclose(found.double(), exact(points(50, 3)), rtol=1e-4, atol=1e-4)
    assert made.double().weight.dtype == torch.float64
    there = layer().to("meta")
    assert {each.device.type for each in there.state_dict().values()} == {"meta"}
    assert there(torch.empty(5, 3, device="meta", dtype=torch.float64)).shape == (5, 4)
    here = there.to_empty(device="cpu")
    here.load_state_dict(exact.state_dict())
    assert torch.equal(here(points(5, 3)), exact(points(5, 3)))


def test_a_wrong_number_of_inputs_is_an_error():
    with pytest.raises(ValueError, match="3 inputs"):
        layer()(points(6, 2))


def test_modes_return_the_layer_and_change_nothing():
    made = layer()
    before = made(points(5, 3))
    assert made.eval() is made and not made.training and torch.equal(made(points(5, 3)), before)
    assert made.train() is made and made.training and torch.equal(made(points(5, 3)), before)
    assert made.requires_grad_(False) is made and not made(points(5, 3)).requires_grad
    with torch.inference_mode():
        assert torch.equal(made(points(5, 3)), before)


def test_hooks_see_inputs_outputs_and_gradients():
    made, seen = layer(), []
    made.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    made.register_forward_hook(lambda _, __, output: output * 2)
    made.register_full_backward_hook(lambda _, of_inputs, of_outputs: seen.extend([of_inputs[0].shape, of_outputs[0].shape]))
    z = points(5, 3).requires_grad_()
    twice = made(z)
    twice.sum().backward()
    assert seen == [(5, 3), (5, 3), (5, 4)]
    assert torch.equal(twice, 2 * layer()(z))


def test_subclasses():
    class Residual(KANLayer):
        def __init__(self, width: int, scale: float) -> None:
            super().__init__(width, width, basis=Chebyshev(4), seed=2)
            self.scale = nn.Parameter(torch.tensor(scale, dtype=torch.float64))

        def forward(self, z):
            return z + self.scale * super().forward(z)

    made, z = Residual(3, 0.5), points(4, 3)
    assert torch.allclose(made(z), z + 0.5 * KANLayer(3, 3, basis=Chebyshev(4), seed=2)(z))
    assert {name for name, _ in made.named_parameters()} == {"scale", "weight"}
    assert torch.equal(deepcopy(made)(z), made(z))


# torch calls a part of itself that it has deprecated, when forward mode is used first
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torch_func(entry):
    made, z = layer(entry=entry), points(5, 3)
    weights = {name: parameter.detach() for name, parameter in made.named_parameters()}
    doubled = functional_call(made, {**weights, "weight": 2 * weights["weight"], "bias": 2 * weights["bias"]}, (z,))
    assert torch.allclose(doubled[:, :2], 2 * made(z)[:, :2])
    assert torch.allclose(vmap(made)(z), made(z))
    value, slope = jvp(made, (z,), (torch.ones_like(z),))
    step = 1e-6
    assert torch.allclose(value, made(z), atol=1e-14)
    assert torch.allclose(slope, (made(z + step) - made(z - step)) / (2 * step), atol=1e-7)
    each = vmap(grad(lambda weights, one: functional_call(made, weights, (one,)).sum()), in_dims=(None, 0))(weights, z)
    made(z).sum().backward()
    for name, parameter in made.named_parameters():
        assert torch.allclose(each[name].sum(0), parameter.grad, atol=1e-12)


def test_gradients_of_gradients(entry):
    made, z = layer(entry=entry), points(2, 3).requires_grad_()
    assert torch.autograd.gradcheck(made, z)
    assert torch.autograd.gradgradcheck(made, z)
    (slopes,) = torch.autograd.grad(made(z).sum(), z, create_graph=True)
    slopes.square().sum().backward()
    assert made.weight.grad is not None and bool(made.weight.grad.abs().sum() > 0)


def test_compiled_without_graph_breaks():
    torch.compiler.reset()
    made, z = layer(), points(6, 3).requires_grad_()
    expected = torch.autograd.grad(made(z).sum(), [z, *made.parameters()])
    compiled = torch.compile(made, backend="aot_eager", fullgraph=True)
    found = torch.autograd.grad(compiled(z).sum(), [z, *made.parameters()])
    assert all(torch.allclose(one, other, atol=1e-12) for one, other in zip(found, expected, strict=True))


def test_the_global_random_state_is_left_alone():
    state = torch.random.get_rng_state()
    assert torch.equal(layer().weight, layer().weight)
    assert torch.equal(torch.random.get_rng_state(), state) and torch.get_default_dtype() == torch.float32


def test_as_part_of_a_users_module_that_solves_an_equation():
    class Mine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = KANLayer(2, 4, basis=Chebyshev(5), seed=0), KANLayer(4, 1, basis=Chebyshev(5), seed=1)

        def forward(self, x):
            return (1 - x[:, :1] ** 2) * self.second(self.first(x))

    square = Box(x=(-1, 1), y=(-1, 1))
    problem = Problem(square, lambda u: laplacian(u) + 1, conditions=[Dirichlet(0, on=square.boundary)])
    model = Wrapped(Mine(), inputs=2, outputs=1)
    found = Experiment(problem, model=model, training=[LevenbergMarquardt(steps=8)]).run(seed=0)
    history = found.history["loss"]
    assert history[-1] < 1e-2 * history[0]


def test_another_precision_is_named():
    layer = KANLayer(2, 5, basis=BSpline(3, 5))
    with pytest.raises(TypeError, match=r"inputs are torch.float32, but the layer is torch.float64: KANLayer\(..., dtype=torch.float32\)"):
        layer(torch.rand(4, 2))
    model = nn.Sequential(KANLayer(2, 5, basis=BSpline(3, 5), dtype=torch.float32), nn.Linear(5, 1))
    assert model(torch.rand(4, 2)).shape == (4, 1)
