"""Penalties: their values against definitions written out here, their rows against autograd, and what they do in training."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.interpolate import BSpline as SciPySpline

from kanpde import (
    KAN,
    LBFGS,
    MLP,
    Adam,
    Balance,
    Batches,
    Box,
    BSpline,
    Chebyshev,
    Classification,
    Dataset,
    Dirichlet,
    Experiment,
    Fourier,
    Gaussian,
    GaussNewton,
    Hermite,
    Legendre,
    LevenbergMarquardt,
    MexicanHat,
    Problem,
    Refine,
    Regression,
    Resample,
    Sampling,
    SeparableKAN,
    SiLU,
    Smooth,
    Sparsify,
    Unknown,
    VariableProjection,
)
from kanpde.changes import RefineTo
from kanpde.functions import exp, pi, sin
from kanpde.objective import Objective
from kanpde.penalised import Penalised
from kanpde.penalties import factors, measured
from kanpde.primitives import PRIMITIVES
from kanpde.schedule import Rung, rungs
from kanpde.symbols import Symbol
from kanpde.training import fit

LM = LevenbergMarquardt
square = Box(x=(-1, 1), y=(-1, 1))
POINTS = torch.from_numpy(square.sample(60, lambda u: 2 * u - 1, 0))


def target(x, y):
    return exp(sin(pi * x) + y**2)


def fitted(f=target):
    return Problem(square, lambda u, x, y: u - f(x, y), exact=f)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_everything(hidden="tanh"):
    """[2, 2 sums and products of 2 and 3, 2], with a missing edge, symbolic terms beside and without splines, held numbers and a bias."""
    network = KAN(2, (2, [2, 3]), 2, basis=BSpline(3, 4), hidden=hidden, seed=3).edited()
    first, second = network.layers
    present, terms = first.present.clone(), [(0, 1, "sin", 1.3, 0.2, 0.7), (3, 0, "exp", -0.6, 0.1, 1.1), (1, 1, "tanh", 0.5, 0.0, -0.4)]
    present[0, 1] = present[2, 0] = False
    first.put_splines(first.basis, first.weight, present)
    first.put_symbols([Symbol(o, i, PRIMITIVES[name]) for o, i, name, *_ in terms], torch.tensor([term[3:] for term in terms]).double())
    first.put_bias(random(first.linear, seed=1))
    held = torch.zeros_like(second.present)
    held[1, 2] = True
    second.put_splines(second.basis, second.weight, second.present, held)
    constants, held = torch.tensor([[0.8, -0.1, 0.5], [0.4, 0.3, 0.9]]).double(), torch.zeros(2, 3, dtype=torch.bool)
    held[1, 2] = True
    second.put_symbols([Symbol(0, 0, PRIMITIVES["x^2"]), Symbol(1, 3, PRIMITIVES["sin"])], constants, held)
    if hidden == "range":
        second.put_range(torch.tensor([-2.0, -3.0, -1.0, -2.5]), torch.tensor([3.0, 2.0, 4.0, 2.5]))
    return network


def assert_same(found, wanted):
    """Bit by bit, but for the seconds."""
    assert torch.equal(found.network.vector(), wanted.network.vector()) and found.stops == wanted.stops
    one, other = found.history.arrays(), wanted.history.arrays()
    assert list(one) == list(other)
    for column in one:
        if column != "seconds":
            np.testing.assert_array_equal(one[column], other[column])


def objective(network, *penalties, problem=None, points=POINTS):
    return Penalised(problem or fitted(), {"equation": points}, network, penalties)


def system():
    """For a network of two outputs."""
    return Problem(square, lambda u, v, x, y: (u - x * y, v - y), unknowns=("u", "v"))


# ---- values and slopes, against the definition ----


def edges_of(layer, z):
    """Every edge function of the live and held numbers together, in operations that autograd differentiates: (linear, inputs, N)."""
    found = torch.einsum("oki,kin->oin", layer._trained_weight(), layer.basis.values(layer.entered(z)))
    if layer.symbols:
        terms = []
        for (a, b, c), held, symbol in zip(layer.constants, layer.constants_held, layer.symbols, strict=True):
            c = c.detach() if held[2] else c
            terms.append((symbol, c * symbol.primitive.table((a * z[symbol.input] + b).detach(), 0)[0]))
        for o, i, term in [(s.output, s.input, term) for s, term in terms]:
            place = torch.zeros_like(found[..., 0])
            place[o, i] = 1
            found = found + place[..., None] * term
    return found


def sizes_of(network, points, metric):
    """n_e by the definition, with everything but the edges' own numbers detached, for the problem ``system``."""
    z, layers, values = network.normalised(points), [], network(points).detach()
    wanted = torch.stack([points[:, 0] * points[:, 1], points[:, 1]], 1)
    units = values.square().mean(0).sqrt() * wanted.norm() / values.norm()
    for layer in network.layers:
        edges = edges_of(layer, z)
        linear = layer.linear_columns(z).detach()
        outputs = layer.joined(linear)
        spread = edges.std(2, correction=0)
        layers.append((layer, spread, z.std(1, correction=0), linear.std(1, correction=0), outputs.std(1, correction=0)))
        z = outputs
    found = []
    for number, (layer, spread, inner, _, outer) in enumerate(layers):
        last = number + 1 == len(layers)
        following = None if last else layers[number + 1][0]
        unit_out = units if last else torch.ones_like(outer) if following.entry == "tanh" else (following.high - following.low) / 2
        unit_in = torch.ones(layer.inputs).double() if layer.entry == "tanh" else (layer.high - layer.low) / 2
        rows = torch.cat([unit_out[: layer.sums], *(unit_out[layer.sums + k].pow(1 / m).expand(m) for k, m in enumerate(layer.arities))])
        found.append(spread / rows[:, None] / (inner / unit_in if metric == "normalised" else 1.0))
    if metric == "backward":
        found, score = [], torch.ones(network.outputs).double()
        for layer, spread, _, linear, _ in reversed(layers):
            rows = torch.cat([score[: layer.sums], *(score[layer.sums + k].expand(m) for k, m in enumerate(layer.arities))])
            found.insert(0, rows[:, None] * spread / linear[:, None])
            score = found[0].detach().sum(0)
    return found


def entropy_of(n):
    p = n / n.sum()
    return -(p * torch.where(p > 0, p, 1.0).log()).sum()


def penalty_of(network, points, given):
    sizes = sizes_of(network, points, given.metric)
    total = given.edges * sum(n[layer.edges].sum() for n, layer in zip(sizes, network.layers, strict=True))
    for n in sizes:
        if given.across == "layer":
            total = total + given.entropy * entropy_of(n)
        else:
            rows, columns = [torch.stack([entropy_of(row) for row in each]).mean() for each in (n, n.T)]
            total = total + given.entropy * (rows + columns)
    for node in range(network.inputs):
        total = total + given.nodes * sizes[0][:, node].norm()
    for layer, before, after in zip(network.layers[:-1], sizes[:-1], sizes[1:], strict=True):
        rows = [[node] for node in range(layer.sums)]
        for arity in layer.arities:
            rows.append([rows[-1][-1] + 1 + k for k in range(arity)])
        for node, own in enumerate(rows):
            total = total + given.nodes * torch.cat([before[own].flatten(), after[:, node]]).norm()
    return total


@pytest.mark.parametrize("hidden", ["tanh", "range"])
@pytest.mark.parametrize("metric", ["normalised", "forward", "backward"])
@pytest.mark.parametrize(
    "weights", [dict(entropy=0), dict(edges=0, nodes=1, entropy=0), dict(nodes=0.4, entropy=0.2, across="nodes"), dict(entropy=0.3)]
)
def test_rows_have_the_value_and_the_slope_of_the_penalty(hidden, metric, weights):
    network, given = with_everything(hidden), Sparsify(0.01, metric=metric, **weights)
    found = objective(network, given, problem=system())
    network.requires_grad_()
    truth = 0.01 * found.unit * penalty_of(network, POINTS, given)
    truth.backward()
    slope = torch.cat([(torch.zeros_like(each) if each.grad is None else each.grad).flatten() for each in network.parameters()])[
        network.trained_places
    ]
    bare = Objective(system(), {"equation": POINTS})
    residual, gradient = found.gradient(network)
    assert found.paid(residual) == {"loss_sparsity": pytest.approx(float(truth.detach()), rel=1e-10)}
    torch.testing.assert_close(2 * (gradient - bare.gradient(network)[1]), slope, rtol=1e-8, atol=1e-10 * float(slope.abs().max()))


@pytest.mark.parametrize("weights", [dict(entropy=0), dict(edges=0, nodes=1, entropy=0)])
def test_the_parabola_lies_above_the_penalty(weights):
    network, given = KAN(2, 3, 1, basis=BSpline(3, 4), seed=1), Sparsify(1.0, metric="forward", **weights)
    found = objective(network, given)
    start, sizes = network.vector(), factors(measured(network, POINTS), "forward", found.output_units(network))
    for seed in range(5):
        step = random(len(start), seed=seed)
        step[: network.layers[0].weight.numel()] = 0  # what the last layer's edges are functions of is held fixed in a step
        for share in (0.01, 0.3, 2.0):
            network.assign(start + share * step)
            edges = [each.sizes * factor for each, factor in zip(measured(network, POINTS), sizes, strict=True)]
            if given.nodes:
                true = edges[0].norm(dim=0).sum() + (edges[0].norm(dim=1) ** 2 + edges[1][0] ** 2).sqrt().sum()
            else:
                true = edges[0].sum() + edges[1].sum()
            assert found.paid(found._tail(network))["loss_sparsity"] >= found.unit * float(true) * (1 - 1e-12)


def test_an_entropy_may_leave_an_edge_alone_but_never_feeds_it():
    network = KAN(2, 3, 1, basis=BSpline(3, 4), seed=1)
    found = objective(network, Sparsify(1.0, entropy=50.0))
    found.settle(network)
    assert bool(((found._matrix**2).sum(1) >= 0).all()) and math.isfinite(found.paid(found._tail(network))["loss_sparsity"])
    layers = measured(network, POINTS)
    metric = factors(layers, "normalised", found.output_units(network))
    n, last = [(each.sizes * factor).flatten() for each, factor in zip(layers, metric, strict=True)]
    wanted = n.sum() + last.sum() + 50 * (entropy_of(n) + entropy_of(last))
    assert found.paid(found._tail(network))["loss_sparsity"] == pytest.approx(found.unit * float(wanted), rel=1e-10)


def test_edges_of_a_dead_node_do_no_harm():
    network = KAN(2, 3, 1, basis=BSpline(3, 4), seed=1)
    with torch.no_grad():
        network.layers[0].weight[1] = 0
    for metric in ("normalised", "forward", "backward"):
        found = objective(network, Sparsify(0.01, nodes=1, metric=metric))
        residual, gradient = found.gradient(network)
        assert bool(residual.isfinite().all()) and bool(gradient.isfinite().all())
    with torch.no_grad():
        network.layers[1].weight.zero_()
    for metric in ("normalised", "forward", "backward"):
        assert bool(objective(network, Sparsify(0.01, nodes=1, metric=metric)).gradient(network)[1].isfinite().all())


BASES = [
    BSpline(3, 5),
    BSpline(2, 4),
    BSpline(3, 4, breaks=(-1, -0.9, -0.2, 0.5, 1)),
    BSpline(3, 4) + SiLU(),
    Chebyshev(9),
    Legendre(6),
    Fourier(4),
    Gaussian(7),
    MexicanHat(2),
    Hermite(5),
]


@pytest.mark.parametrize("basis", BASES, ids=repr)
def test_curvature_is_the_integral(basis):
    network = KAN(1, 1, basis=basis)
    problem = Problem(Box(x=(-1, 1)), lambda u, x: u - sin(x))
    points = torch.linspace(-1, 1, 30, dtype=torch.float64)[:, None]
    found = objective(network, Smooth(0.5), problem=problem, points=points)
    weight, spread = network.layers[0].weight.detach()[0, :, 0], float((problem.equation(0.0, points[:, 0]) ** 2).mean().sqrt())

    def bent(t):
        return float(weight @ basis.table(torch.tensor([t], dtype=torch.float64), 2)[2, :, 0]) ** 2

    whole = quad(bent, -1, 1, points=basis.quantile(np.linspace(0, 1, 9)[1:-1]), limit=400, epsabs=0, epsrel=1e-9)[0]
    tail = found.paid(found._tail(network))["loss_smoothness"]
    assert tail == pytest.approx(0.5 * found.unit * 0.5 * whole / spread**2, rel=1e-6)


@pytest.mark.parametrize("basis", [BSpline(3, 5), BSpline(3, 5) + SiLU(), SiLU() + BSpline(3, 5)], ids=repr)
def test_differences_are_those_of_neighbouring_coefficients(basis):
    network = KAN(2, 2, 1, basis=basis, hidden="range")
    found = objective(network, Smooth(0.5, of="differences"))
    start = 1 if repr(basis).startswith("SiLU") else 0
    first, last = [float((layer.weight.detach()[:, start : start + 8].diff(dim=1) ** 2).sum()) for layer in network.layers]
    wanted = first + last / float((target(*POINTS.T) ** 2).mean())
    assert found.paid(found._tail(network))["loss_smoothness"] == pytest.approx(0.5 * found.unit * wanted, rel=1e-10)


@pytest.mark.parametrize("basis", [BSpline(3, 5), BSpline(2, 4, breaks=(-1, -0.5, 0.1, 0.7, 1)), BSpline(3, 5) + SiLU()], ids=repr)
def test_jumps_are_those_of_the_highest_derivative(basis):
    network, part = KAN(2, 2, 1, basis=basis, hidden="range"), basis if isinstance(basis, BSpline) else basis.parts[0]
    found, whole = objective(network, Smooth(0.5, of="jumps")), []
    knots = part.knots[part.degree : len(part.knots) - part.degree]
    for layer in network.layers:
        total = 0.0
        for weight in layer.weight.detach()[:, : part.size].transpose(1, 2).flatten(0, 1).numpy():
            top = SciPySpline(part.knots, weight, part.degree).derivative(part.degree)
            steps = top(knots[1:-1] + 1e-9) - top(knots[1:-1] - 1e-9)
            total += np.mean(((2 / part.intervals) ** part.degree / math.factorial(part.degree) * steps) ** 2)
        whole.append(total)
    wanted = whole[0] + whole[1] / float((target(*POINTS.T) ** 2).mean())
    assert found.paid(found._tail(network))["loss_smoothness"] == pytest.approx(0.5 * found.unit * wanted, rel=1e-6)


def test_the_unit_is_the_loss_of_the_zero_network():
    network, values = KAN(2, 3, 1, basis=Chebyshev(4)), target(*POINTS.T)
    assert objective(network, Smooth(1.0)).unit == pytest.approx(float((values**2).mean()), rel=1e-12)
    data = Dataset.of(target, x=(-1, 1), y=(-1, 1), train=50, test=1)
    points = torch.from_numpy(data["train"].inputs)
    fitting = Experiment(Regression(data), model=network, training=[LM()])
    found = Penalised(fitting.problem, {"equation": points}, fitting.network(0), [Smooth(1.0)])
    assert found.unit == pytest.approx(1.0, rel=1e-12)
    assert found.output_units(fitting.network(0)).item() == pytest.approx(1.0, rel=1e-10)  # standard deviations of the target
    still = Problem(square, lambda u: u.xx + u.yy, conditions=[Dirichlet(0, on=square.boundary, weight=7.0)])
    sides = Sampling(interior=60).points(still, network, 0)
    assert Penalised(still, sides, network, [Smooth(1.0)], factors={"condition": 3.0}).unit == 1 + 7  # nothing to go by but the weights


# ---- rows ----


@pytest.mark.parametrize("network", [with_everything(), KAN(2, 3, 2, basis=BSpline(3, 4))], ids=["everything", "plain"])
def test_all_that_an_objective_offers_agrees(network):
    problem = Problem(square, lambda u, v, x, y, k: (u - k * x * y, v - y), unknowns=("u", "v"), parameters=dict(k=Unknown(0.5)))
    network = network.copy().with_coefficients([0.5])
    found = objective(network, Sparsify(0.1, nodes=1), Smooth(0.01), problem=problem)
    residual, jacobian = found.jacobian(network)
    assert len(residual) == found.size == len(found.residual(network)) > 2 * len(POINTS)
    torch.testing.assert_close(residual, found.residual(network), rtol=0, atol=1e-14)
    torch.testing.assert_close(found.gradient(network)[0], residual, rtol=0, atol=1e-14)
    torch.testing.assert_close(found.gradient(network)[1], jacobian.T @ residual, rtol=1e-10, atol=1e-13)
    vector = random(found.size, seed=4)
    torch.testing.assert_close(found.pulled(network, vector), jacobian.T @ vector, rtol=1e-10, atol=1e-12)
    start, step = network.vector(), random(network.parameter_count, seed=5)
    network.assign(start + 1e-6 * step)
    ahead = found.residual(network)
    network.assign(start - 1e-6 * step)
    torch.testing.assert_close((ahead - found.residual(network)) / 2e-6, jacobian @ step, rtol=1e-6, atol=1e-7)
    network.assign(start)
    if (tail := network.linear_tail).stop > tail.start:
        count = tail.stop - tail.start
        rows = torch.cat([rows for *_, rows in found.linearised(network, tail=count)], 1)
        torch.testing.assert_close(rows, jacobian.T[tail])


# ---- training ----


def train(training, *, problem=None, seed=0, listener=None, resume=None, sampling=None, network=None):
    network = network or KAN(2, 3, 1, basis=BSpline(3, 4), seed=seed)
    return fit(
        problem or fitted(), network, training, sampling=sampling or Sampling(interior=80), seed=seed, listener=listener, resume=resume
    )


def test_a_schedule_is_spelled_out():
    lm, smooth = LM(steps=2), Smooth(1e-4)
    one, other = Sparsify(1e-2, metric="forward"), Sparsify(1e-3, metric="forward")
    found = rungs([lm, Refine(6), smooth, Sparsify(1e-2, 1e-3, metric="forward"), Refine(8), LM(steps=1)])
    assert found == [
        Rung((), lm, sparsify=one, smooth=smooth),
        Rung((RefineTo(6),), lm, sparsify=one, smooth=smooth),
        Rung((), lm, sparsify=other, smooth=smooth),
        Rung((RefineTo(8),), lm, sparsify=other, smooth=smooth),
        Rung((), LM(steps=1)),
    ]
    assert found[0].penalties == (one, smooth) and Rung((), lm, sparsify=Sparsify(0.0), smooth=Smooth(0.0)).penalties == ()


@pytest.mark.parametrize(
    "optimizer",
    [LM(steps=6), LM(steps=6, memory=1.0), GaussNewton(steps=6), LBFGS(steps=15), Adam(steps=40, rate=0.05), VariableProjection(steps=6)],
    ids=["lm", "streamed", "gn", "lbfgs", "adam", "vp"],
)
def test_every_optimizer_feels_the_penalties(optimizer):
    last = []
    for strength in (1e-4, 0.3):
        columns = train([optimizer, Sparsify(strength, entropy=0), Smooth(strength * 1e-3)]).history.columns
        last.append((columns["loss_sparsity"][-1] / strength, columns["loss_smoothness"][-1] / strength))
        total = np.sum([columns[name] for name in ("loss", "loss_sparsity", "loss_smoothness")], 0)
        assert total[-1] < total[0]
        assert columns["loss"] == columns["loss_equation"]
    assert last[1][0] < 0.7 * last[0][0] and last[1][1] < 0.5 * last[0][1]


def test_the_history_holds_the_penalties_where_the_network_stands():
    found = train([LM(steps=3), Sparsify(1e-2), Smooth(1e-4)])
    again = Penalised(fitted(), found.points, found.network, [Sparsify(1e-2), Smooth(1e-4)])
    paid = again.paid(again.residual(found.network))
    best = np.argmin(np.sum([found.history.columns[name] for name in ("loss", "loss_sparsity", "loss_smoothness")], 0))
    for name, value in paid.items():
        assert found.history.columns[name][best] == pytest.approx(value, rel=1e-12)


def test_no_strength_is_no_change():
    bare, none = train([LM(steps=3)]), train([LM(steps=3), Sparsify(0.0), Smooth(0.0)])
    assert_same(none, bare)
    after = train([LM(steps=3), Sparsify(1e-2, 0.0)])
    column = after.history.columns["loss_sparsity"]
    assert not any(math.isnan(value) for value in column[:3]) and all(math.isnan(value) for value in column[3:])


SCHEDULES = {
    "path": [LM(steps=2), Sparsify(1e-2, 1e-3), Refine(6)],
    "adam": [Adam(steps=3, rate=0.01), Sparsify(1e-2, 0.0, 1e-3), Smooth(1e-4)],
    "lbfgs": [LBFGS(steps=3), Sparsify(1e-2, nodes=1)],
    "drawn": [LM(steps=4), Resample(every=2), Smooth(1e-3), Sparsify(1e-2)],
    "balanced": [LM(steps=4), Balance(), Sparsify(1e-2)],
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_resuming_from_any_step_gives_the_same_numbers(name):
    problem = Problem(square, lambda u, x, y: u - target(x, y), conditions=[Dirichlet(target, on=square.side(x=1))], exact=target)
    snapshots = []
    whole = train(SCHEDULES[name], problem=problem, listener=lambda progress: snapshots.append(progress.snapshot()))
    for snapshot in snapshots:
        assert_same(train(SCHEDULES[name], problem=problem, resume=snapshot), whole)


def test_the_end_of_a_descent_is_judged_with_the_penalties():
    """The loss rises while the sum falls; a rule that looked at the loss alone would end the descent, and keep its first step."""
    start = train([LM(steps=15)]).network.kept()
    found = train([LM(steps=15, patience=2, progress=1.0), Sparsify(0.3, entropy=0)], network=start)
    columns = found.history.columns
    assert found.history.length > 5 and columns["loss"][-1] > 2 * columns["loss"][0]
    assert columns["loss_sparsity"][-1] < 0.8 * columns["loss_sparsity"][0]


def test_strengths_mean_the_same_in_all_units():
    found = []
    for unit in (1.0, 1e6):
        data = Dataset.of(lambda x, y, unit=unit: unit * target(x / unit, y), x=(-unit, unit), y=(-1, 1), train=80, test=10)
        experiment = Experiment(
            Regression(data), model=KAN(2, 3, 1, basis=BSpline(3, 4)), training=[LM(steps=4), Sparsify(1e-2), Smooth(1e-4)]
        )
        found.append(experiment.run(seed=1).history)
    for name in ("loss", "loss_sparsity", "loss_smoothness"):
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-6)


def test_penalties_go_with_batches_and_classes():
    rows = np.random.default_rng(0).uniform(-1, 1, (120, 2))
    data = Dataset({"x": rows[:, 0], "y": rows[:, 1], "c": (rows[:, 0] > 0).astype(int)}, targets=["c"], train=100)
    for training in ([Adam(steps=60, rate=0.05), Batches(32)], [LM(steps=12)]):
        experiment = Experiment(Classification(data), model=KAN(2, 1, basis=BSpline(3, 4)), training=[*training, Sparsify(0.03)])
        result = experiment.run()
        assert result.metrics["test_accuracy"] >= 0.9 and (result.history["loss_sparsity"] > 0).all()
        assert result.edges[0].importance[0, 1] < 0.02 * result.edges[0].importance[0, 0]


@pytest.mark.parametrize("seed", [0, 2])
def test_one_node_is_left_where_one_is_enough(seed):
    """exp(sin(pi x) + y^2) is a function of one sum; of the other two inputs nothing must be left."""
    data = Dataset.of(lambda x, y, v, w: target(x, y), x=(-1, 1), y=(-1, 1), v=(-1, 1), w=(-1, 1), train=500, test=100)
    experiment = Experiment(Regression(data), model=KAN(4, 4, 1, basis=BSpline(3, 5)), training=[LM(steps=25), Sparsify(1e-2, 1e-3)])
    network = experiment.network(seed)
    fit(experiment.problem, network, experiment.training, sampling=experiment.sampling, seed=seed)
    layers = measured(network, torch.from_numpy(data["train"].inputs))
    scores = [(each.sizes * factor).sum(0) for each, factor in zip(layers, factors(layers, "backward", torch.ones(1)), strict=True)]
    assert (scores[1] < 1e-2 * scores[1].max()).sum() == 3
    assert scores[0][2:].max() < 2e-2 * scores[0].max() and scores[0][:2].min() > 0.2 * scores[0].max()


# ---- what is refused ----


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Sparsify(), ValueError, "needs a strength"),
        (lambda: Sparsify(-1), ValueError, "strength of Sparsify must be a finite number of at least 0, got -1"),
        (lambda: Sparsify(math.inf), ValueError, "strength of Sparsify must be a finite number of at least 0, got inf"),
        (lambda: Sparsify("much"), ValueError, "got 'much'"),
        (lambda: Sparsify(1e-2, entropy=-2), ValueError, r"Sparsify\(entropy=...\) must be a finite number of at least 0, got -2"),
        (lambda: Sparsify(1e-2, edges=0, entropy=0), ValueError, "penalises nothing"),
        (lambda: Sparsify(1e-2, metric="foward"), ValueError, "got 'foward'.*'?forward"),
        (lambda: Sparsify(1e-2, across="rows"), ValueError, "across.*'layer', 'nodes', got 'rows'"),
        (lambda: Smooth(-1e-4), ValueError, "must be a finite number of at least 0, got -0.0001"),
        (lambda: Smooth(1e-4, of="slope"), ValueError, "'curvature', 'differences', .*got 'slope'"),
        (lambda: rungs([Sparsify(1e-2), LM()]), ValueError, "has no optimizer before it"),
        (lambda: rungs([Smooth(1e-2), LM()]), ValueError, "has no optimizer before it"),
        (lambda: train([LM(), Sparsify(1e-2)], network=MLP(2, 3, 1)), TypeError, "edges of a KAN"),
        (lambda: train([LM(), Smooth(1e-2)], network=SeparableKAN(2, 1, rank=2, basis=Chebyshev(3))), TypeError, "edges of a KAN"),
        (lambda: train([LM(), Smooth(1.0, of="differences")], network=KAN(2, 1, basis=Chebyshev(3))), TypeError, "of='curvature'"),
    ],
)
def test_bad_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_penalties_print_as_code():
    for given in (Sparsify(1e-2, 1e-3), Sparsify(0.0, edges=0.5, nodes=1.0, entropy=0.0, across="nodes", metric="backward"), Smooth(1e-4)):
        assert eval(repr(given)) == given
    assert repr(Sparsify(1e-2, 1e-3)) == "Sparsify(0.01, 0.001)"
    assert Sparsify(strengths=(1e-2,)) == Sparsify(1e-2)
