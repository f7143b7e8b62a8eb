"""A user's own module: derivatives against the MLP twin's written-out jets and torch.func, training, resumption, what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev

import kanpde.wrapped
from kanpde import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Condition,
    Data,
    Dirichlet,
    Experiment,
    Initial,
    LevenbergMarquardt,
    Problem,
    Sampling,
    Slabs,
    Unknown,
    Wrapped,
    laplacian,
    load,
    save,
)  # fmt: skip
from kanpde.figures import draw
from kanpde.functions import exp, sin
from kanpde.jets import channels
from kanpde.objective import Objective
from kanpde.settings import with_setting

LOWER, UPPER = (0.5, -3.0, 10.0), (2.0, 4.0, 10.5)
DEMANDS = [
    [()],
    [(0,), (2,)],
    [(0, 0), (1, 1)],
    [(0, 1), (2, 2)],
    [(0, 0, 1, 2), (1, 1, 1), (2,)],
    [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 1, 2)],
]
each_demand = pytest.mark.parametrize("demand", DEMANDS, ids=str)
each_twin = pytest.mark.parametrize("widths", [(3, 5, 1), (3, 4, 5, 2)], ids=str)


def sequential(*widths):
    layers = [part for before, after in zip(widths, widths[1:], strict=False) for part in (nn.Linear(before, after), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def twins(widths):
    """An MLP and the same function as a wrapped module, on the same box."""
    mlp = MLP(*widths, seed=1)
    wrapped = Wrapped(sequential(*widths), inputs=widths[0], outputs=widths[-1], normalise=True)
    mlp.on_box(LOWER, UPPER)
    wrapped.on_box(LOWER, UPPER)
    wrapped.assign(mlp.vector())
    return mlp, wrapped, torch.from_numpy(np.random.default_rng(0).uniform(LOWER, UPPER, (3, 3)))


def assert_close(found, wanted, tolerance=1e-11):
    assert float((found - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


# ---- derivatives ----


@each_twin
@each_demand
def test_jets_are_the_twins(widths, demand):
    mlp, wrapped, points = twins(widths)
    chosen = channels(demand)
    jet, wanted = wrapped.jets(points, chosen)[0], mlp.jets(points, chosen)[0]
    assert jet.shape == (len(chosen), widths[-1], len(points))
    for row in range(len(chosen)):
        assert_close(jet[row], wanted[row])
    assert_close(wrapped(points).T.detach(), wanted[0])
    assert not jet.requires_grad


@each_twin
@each_demand
def test_rows_and_gradient_are_the_twins(widths, demand, monkeypatch):
    mlp, wrapped, points = twins(widths)
    chosen = channels(demand)
    adjoint = torch.randn(len(chosen), widths[-1], len(points), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    _, theirs = mlp.jets(points, chosen)
    wanted = mlp.rows(theirs, adjoint, torch.empty(mlp.parameter_count, len(points), dtype=torch.float64))
    _, records = wrapped.jets(points, chosen)
    for memory in (2**22, 2 * wrapped.parameter_count, 1):  # all samples at once, two of them, one
        monkeypatch.setattr(kanpde.wrapped, "MEMORY", memory)
        assert_close(wrapped.rows(records, adjoint, torch.full_like(wanted, math.nan)), wanted)
    assert_close(wrapped.gradient(records, adjoint), wanted.sum(1))


class Own(nn.Module):
    """Something that kanpde has no layers for: attention to learned places, a residual connection, normalisation of each point."""

    def __init__(self):
        super().__init__()
        self.places = nn.Parameter(torch.linspace(-1, 1, 8).view(4, 2))
        self.lift, self.norm, self.out = nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x):
        near = torch.softmax(-((x[:, None] - self.places) ** 2).sum(2), 1)
        z = nn.functional.silu(self.lift(near))
        return self.out(z + torch.sin(self.norm(z)))


def test_rows_are_jacrev():
    network = Wrapped(Own(), inputs=2, outputs=2).remade(seed=3)
    points = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (5, 2)))
    chosen = channels([(0, 0), (0, 1), (1, 1)])
    adjoint = torch.randn(len(chosen), 2, 5, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    parameters = {name: parameter.detach() for name, parameter in network.module.named_parameters()}

    def samples(parameters):  # by nested reverse mode
        x = points.clone().requires_grad_()
        values, total = functional_call(network.module, parameters, (x,)), 0
        for o in range(2):
            by = {(): values[:, o]}
            for alpha in chosen.indices[1:]:
                by[alpha] = torch.autograd.grad(by[alpha[:-1]].sum(), x, create_graph=True)[0][:, alpha[-1]]
            total = total + sum(by[alpha] * adjoint[row, o] for row, alpha in enumerate(chosen.indices))
        return total

    leaves = {name: parameter.clone().requires_grad_() for name, parameter in parameters.items()}
    wanted = []
    for value in samples(leaves):
        slopes = torch.autograd.grad(value, list(leaves.values()), retain_graph=True, materialize_grads=True, allow_unused=True)
        wanted.append(torch.cat([slope.flatten() for slope in slopes]))
    wanted = torch.stack(wanted, 1)
    jet, records = network.jets(points, chosen)
    assert_close(network.rows(records, adjoint, torch.empty_like(wanted)), wanted)
    assert_close(network.gradient(records, adjoint), wanted.sum(1))
    # and the second derivatives by differences: forward mode through LayerNorm has been wrong
    step = torch.tensor([1e-4, 0.0], dtype=torch.float64)
    difference = (network(points + step) - 2 * network(points) + network(points - step)) / 1e-8
    assert_close(jet[chosen.position[0, 0]], difference.T.detach(), 1e-5)
    # values alone, where torch.func does it all
    plain, only = channels([()]), adjoint[:1]
    by_name = jacrev(lambda p: (functional_call(network.module, p, (points,)) * only[0].T).sum(1))(parameters)
    wanted = torch.cat([by_name[name].flatten(1) for name in parameters], 1).T
    _, records = network.jets(points, plain)
    assert_close(network.rows(records, only, torch.empty_like(wanted)), wanted)


def test_the_objective_is_that_of_the_twin():
    mlp, wrapped, _ = twins((3, 5, 2))
    box = Box(**{name: pair for name, pair in zip("xyz", zip(LOWER, UPPER, strict=True), strict=True)})

    def system(u, v, x, nu):
        return u * v.xy - nu * laplacian(u), v.zz + u.x * x

    problem = Problem(box, system, parameters=dict(nu=Unknown(0.3)), conditions=[Condition(lambda u, v: u.x * v, on=box.side(y=4))])
    for network in (mlp, wrapped):
        network.with_coefficients([0.3])
    points = Sampling(interior=20, per_side=5).points(problem, wrapped, 0)
    mine, its = Objective(problem, points), Objective(problem, points)
    for found, wanted in zip(mine.jacobian(wrapped), its.jacobian(mlp), strict=True):
        assert_close(found, wanted)
    assert_close(mine.gradient(wrapped)[1], its.gradient(mlp)[1])


# ---- experiments ----

interval = Box(x=(0, 1))


def exact(x):
    return exp(-x) * sin(2 * x)


def oscillator(u, x):
    return u.xx + 2 * u.x + 5 * u


ode = Problem(interval, oscillator, conditions=[Dirichlet(exact, on=interval.boundary, hard=True)], exact=exact)


def test_levenberg_marquardt_on_an_ode(tmp_path):
    experiment = Experiment(ode, model=sequential(1, 10, 1), training=LevenbergMarquardt(steps=25))
    assert repr(experiment.model).startswith("Wrapped(Sequential((0): Linear(in_features=1")
    result = experiment.run()
    assert result.metrics["relative_l2"] < 1e-6
    assert result.metrics["relative_h1"] < 1e-6
    x = np.linspace(0, 1, 7)
    again = load(save(result, tmp_path / "run.h5"))
    np.testing.assert_allclose(experiment.solution(again)(x=x), np.exp(-x) * np.sin(2 * x), atol=1e-6)
    module = experiment.trained_network(again).module
    inner = module(torch.tensor([[0.5]], dtype=torch.float64)).item()
    lifted = np.exp(-1) * np.sin(2) * 0.5
    assert lifted + inner * (0.5 * 0.5 / 0.25) == pytest.approx(math.exp(-0.5) * math.sin(1), abs=1e-6)  # u = G + D N
    drawn = draw(again, tmp_path / "run")
    assert drawn and not any("network" in path.name for path in drawn)


@pytest.mark.parametrize("optimizer", [Adam(steps=40, rate=1e-2), LBFGS(steps=15)], ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("normalise", [False, True])
def test_first_order_methods_lower_the_loss(optimizer, normalise):
    model = Wrapped(sequential(1, 8, 1), inputs=1, outputs=1, normalise=normalise)
    loss = Experiment(ode, model=model, training=optimizer).run().history["loss"]
    assert loss[-1] < 0.5 * loss[0]


@pytest.mark.parametrize("optimizer", [LevenbergMarquardt(steps=6), Adam(steps=6)], ids=lambda o: type(o).__name__)
def test_a_resumed_run_ends_with_the_same_numbers(optimizer):
    experiment = Experiment(ode, model=sequential(1, 5, 1), training=optimizer)
    whole = experiment.run(seed=2)

    def stop(run):
        if run.fit.step == 3:
            raise KeyboardInterrupt

    half = replace(experiment, callbacks=[stop]).run(seed=2)
    assert half.status == "interrupted"
    rest = experiment.run(seed=2, resume=half)
    np.testing.assert_array_equal(rest.parameters, whole.parameters)
    np.testing.assert_array_equal(rest.history["loss"], whole.history["loss"])


def test_slabs_and_unknown_coefficients():
    strip = Box(x=(0, 1), t=(0, 1))
    t = np.linspace(0, 1, 9)

    def decay(u, rate):
        return u.t + rate * u

    measured = Data(dict(x=0 * t + 0.5, t=t, u=np.exp(-0.7 * t)))
    problem = Problem(strip, decay, parameters=dict(rate=Unknown(0.2)), conditions=[Initial(1), measured])
    result = Experiment(problem, model=sequential(2, 4, 1), training=LevenbergMarquardt(steps=15), sampling=Sampling(interior=60)).run()
    assert result.metrics["rate"] == pytest.approx(0.7, abs=1e-4)

    module = sequential(2, 4, 1)
    module[0].bias.requires_grad_(False).copy_(torch.tensor([-0.5, 0.1, 0.3, 0.6]))  # frozen, so not drawn by the seed
    problem = Problem(strip, decay, parameters=dict(rate=0.7), conditions=[Initial(1, hard=True)], exact=lambda t: exp(-0.7 * t))
    training = [Slabs("t", 2), LevenbergMarquardt(steps=15)]
    experiment = Experiment(problem, model=module, training=training, sampling=Sampling(interior=150))
    result = experiment.run()
    assert result.metrics["relative_l2"] < 1e-4
    assert len(result.parameters) == result.metrics["parameters"] == 2 * (8 + 5)
    assert experiment.solution(result)(x=0.3, t=0.9) == pytest.approx(math.exp(-0.63), abs=1e-3)


# ---- weights ----


def test_seeds_draw_weights_and_leave_the_global_state_alone():
    model = Wrapped(sequential(2, 4, 1), inputs=2, outputs=1)
    before, given = torch.get_rng_state(), model.vector()
    one, same, other = (model.remade(seed=seed) for seed in (1, 1, 2))
    experiment = Experiment(ode, model=sequential(1, 3, 1), training=Adam(steps=2))  # the construction of Linear layers draws
    before_run = torch.get_rng_state()
    assert not torch.equal(before, before_run)
    experiment.run(seed=5)
    assert torch.equal(torch.get_rng_state(), before_run)
    assert torch.equal(one.vector(), same.vector())
    assert not torch.equal(one.vector(), other.vector())
    assert torch.equal(model.vector(), given)
    state = torch.get_rng_state()
    model.remade(seed=3)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_given_module_stays_as_it_is():
    module = sequential(1, 3, 1).train()
    weights = [parameter.detach().clone() for parameter in module.parameters()]
    Experiment(ode, model=module, training=LevenbergMarquardt(steps=2)).run()
    assert module.training
    for parameter, weight in zip(module.parameters(), weights, strict=True):
        assert parameter.dtype == torch.float32 and parameter.grad is None and torch.equal(parameter, weight)


def test_frozen_parameters_and_those_without_a_reset_keep_their_values():
    own = Own()
    own.lift.weight.requires_grad_(False)
    model = Wrapped(own, inputs=2, outputs=2)
    other = model.remade(seed=1)
    assert torch.equal(other.module.places, model.module.places)
    assert torch.equal(other.module.lift.weight, model.module.lift.weight)
    assert not torch.equal(other.module.lift.bias, model.module.lift.bias)
    assert other.parameter_count == sum(p.numel() for p in own.parameters()) - own.lift.weight.numel() == len(other.vector())
    other.assign(torch.zeros_like(other.vector()))
    assert torch.equal(other.module.lift.weight, model.module.lift.weight)
    assert not other.module.places.any()
    points = torch.rand(3, 2, dtype=torch.float64)
    _, records = other.jets(points, channels([(0,)]))
    assert other.rows(records, torch.ones(2, 2, 3, dtype=torch.float64), torch.empty(other.parameter_count, 3)).isfinite().all()


class Features(nn.Module):
    """sin(B x + b) with B not trained, and a layer on top."""

    def __init__(self, frequencies):
        super().__init__()
        self.register_buffer("frequencies", torch.as_tensor(frequencies))
        self.out = nn.Linear(len(frequencies), 1)

    def reset_parameters(self):  # a parent knows better than its children
        nn.init.zeros_(self.out.weight)

    def forward(self, x):
        return self.out(torch.sin(x * self.frequencies))


def test_buffers_follow_precision_and_must_be_the_same_again():
    experiment = Experiment(ode, model=Features([1.0, 2.0, 3.0]), training=LevenbergMarquardt(steps=3))
    network = experiment.network(dtype=torch.float32)
    assert not network.module.out.weight.any() and network.module.out.bias.any()
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
    for dtype in (torch.float32, torch.float64):
        result = experiment.run(dtype=dtype)
        assert experiment.trained_network(result).parameter_count == 4
    changed = replace(experiment, model=Features([1.0, 2.0, 3.5]))
    with pytest.raises(ValueError, match="frozen parameters or buffers of Wrapped.Features.* are not those"):
        changed.trained_network(result)
    with pytest.raises(ValueError, match="are not those"):
        changed.run(resume=result)


def test_settings():
    experiment = Experiment(ode, model=sequential(1, 3, 1), training=Adam(steps=2))
    changed = with_setting(experiment, "model.normalise", True).model
    assert changed.normalise and repr(changed).endswith("inputs=1, outputs=1, normalise=True)")
    points = torch.tensor([[0.0], [0.5], [1.0]], dtype=torch.float64)
    for network, seen in ((experiment.network(), points), (changed.on_box([0.0], [1.0]), 2 * points - 1)):
        assert torch.equal(network(points), network.module(seen))


# ---- what is refused ----


class Batchwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x):
        return self.linear(x - x.mean(0))


class Chancy(Batchwise):
    def forward(self, x):
        return self.linear(x + torch.rand_like(x))


class Flat(Batchwise):
    def forward(self, x):
        return self.linear(x)[:, 0]


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 1, dtype=torch.complex64))


def frozen():
    return nn.Linear(2, 1).requires_grad_(False)


def deep(part):
    return nn.Sequential(nn.Linear(2, 4), nn.Sequential(nn.Tanh(), part), nn.Linear(4, 1))


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (deep(nn.BatchNorm1d(4)), ValueError, r"submodule '1.1', BatchNorm1d.* other points.*nn.RMSNorm"),
        (deep(nn.Dropout(0.1)), ValueError, r"submodule '1.1', Dropout\(p=0.1.*leave it out"),
        (deep(nn.RReLU()), ValueError, "submodule '1.1', RReLU.*chance"),
        (Batchwise(), ValueError, "Batchwise.*other values to a point beside other points than alone"),
        (Chancy(), ValueError, "Chancy.*other values when it is called again"),
        (deep(nn.Linear(4, 3)), ValueError, r"cannot take points of shape \(N, 2\)"),
        (nn.Linear(3, 1), ValueError, r"cannot take points of shape \(N, 2\)"),
        (nn.Linear(2, 3), ValueError, r"makes \(5, 3\) of \(5, 2\).* outputs \(N, 1\)"),
        (Flat(), ValueError, r"makes \(5,\) of \(5, 2\)"),
        (nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 1)), ValueError, r"makes a tuple of \(5, 2\)"),
        (frozen(), ValueError, "nothing to train"),
        (nn.Identity(), ValueError, "nothing to train"),
        (nn.LazyLinear(1), ValueError, "'weight' of the module has no shape yet"),
        (Complex(), TypeError, "'weight' of the module is torch.complex64"),
        (MLP(2, 3, 1), TypeError, "not one of kanpde's networks"),
        (nn.Linear, TypeError, "Wrapped takes a torch.nn.Module"),
        (3, TypeError, "Wrapped takes a torch.nn.Module.* got 3"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bad_modules(module, error, message):
    with pytest.raises(error, match=message):
        Wrapped(module, inputs=2, outputs=1)


def test_bad_numbers():
    with pytest.raises(ValueError, match="inputs of Wrapped must be a whole number of at least 1, got 0"):
        Wrapped(nn.Linear(2, 1), inputs=0, outputs=1)
    with pytest.raises(ValueError, match="outputs of Wrapped.* got 1.5"):
        Wrapped(nn.Linear(2, 1), inputs=2, outputs=1.5)


def test_a_module_that_does_not_fit_the_problem():
    with pytest.raises(ValueError, match=r"Linear.* makes \(5, 2\) of \(5, 1\).* one for each unknown"):
        Experiment(ode, model=nn.Linear(1, 2), training=Adam(steps=2))
    with pytest.raises(ValueError, match="model has 2 inputs, but the domain has 1"):
        Experiment(ode, model=Wrapped(nn.Linear(2, 1), inputs=2, outputs=1), training=Adam(steps=2))


class Distances(Batchwise):
    def forward(self, x):
        return self.linear(torch.cdist(x, torch.zeros(2, 2).to(x)))


def test_what_torch_cannot_differentiate():
    network = Wrapped(Distances(), inputs=2, outputs=1)
    with pytest.raises(TypeError, match="cannot take the derivatives of Distances.*_cdist_backward"):
        network.jets(torch.rand(3, 2).double(), channels([(0, 0)]))


class Modulated(Batchwise):
    def forward(self, x):  # a decision on numbers, which vmap cannot see
        return self.linear(x) * (1.0 if float(x.detach().abs().max()) < 100 else 2.0)


def test_samples_one_by_one_where_vmap_fails(caplog):
    network = Wrapped(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), Modulated()), inputs=2, outputs=1)
    plain = Wrapped(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)), inputs=2, outputs=1)
    plain.assign(network.vector())
    points, chosen = torch.rand(3, 2, dtype=torch.float64), channels([(0, 1)])
    adjoint, out = torch.ones(len(chosen), 1, 3, dtype=torch.float64), torch.empty(plain.parameter_count, 3, dtype=torch.float64)
    found = network.rows(network.jets(points, chosen)[1], adjoint, out.clone())
    assert_close(found, plain.rows(plain.jets(points, chosen)[1], adjoint, out))
    (record,) = caplog.records
    assert "Modulated" in record.message and "one sample after another, which is slow" in record.message


def test_no_dropout_is_no_chance():
    Wrapped(deep(nn.Dropout(0.0)), inputs=2, outputs=1)


def test_kinks_have_no_second_derivatives():
    kinked = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
    with pytest.raises(ValueError, match=r"second derivatives, which the submodule '1', ReLU\(\), makes zero at all .*nn.Tanh"):
        Experiment(ode, model=kinked, training=Adam(steps=2)).run()
    first = Problem(interval, lambda u: u.x + u, conditions=[Dirichlet(1, on=interval.side(x=0))])
    assert Experiment(first, model=kinked, training=Adam(steps=2)).run().status == "complete"

    class Cubed(nn.Module):  # relu(x)^3 is smooth enough
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList([nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1)])

        def forward(self, x):
            return self.parts[2](self.parts[1](self.parts[0](x)) ** 3)

    assert Experiment(ode, model=Cubed(), training=LevenbergMarquardt(steps=3)).run().status == "complete"


def test_scaled_outputs_in_values_jets_and_rows():
    plain = Wrapped(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)), inputs=2, outputs=2)
    scaled = plain.remade(seed=1).on_outputs([3.0, -1.0], [2.0, 0.5])
    plain = plain.remade(seed=1)
    points, scale = torch.rand(5, 2, dtype=torch.float64), torch.tensor([2.0, 0.5], dtype=torch.float64)
    wanted = torch.tensor([3.0, -1.0], dtype=torch.float64) + scale * plain(points)
    torch.testing.assert_close(scaled(points), wanted)
    chosen = channels([(0, 0), (0, 1)])
    jet, records = scaled.jets(points, chosen)
    torch.testing.assert_close(jet[0], wanted.T)
    inner, inner_records = plain.jets(points, chosen)
    torch.testing.assert_close(jet[1:], inner[1:] * scale[:, None])
    adjoint = torch.rand(jet.shape, dtype=torch.float64)
    torch.testing.assert_close(scaled.gradient(records, adjoint), plain.gradient(inner_records, adjoint * scale[:, None]))
