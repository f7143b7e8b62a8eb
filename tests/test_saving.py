"""Networks that are edited come back from files, pickles and results with the same bits, and runs go on from them."""

import copy
import errno
import io
import json
import os
import pickle
import random as python_random
import subprocess
import sys
from dataclasses import dataclass, replace

import h5py
import numpy as np
import pytest
import torch

from kanpde import (
    KAN,
    MLP,
    PRIMITIVES,
    Box,
    BSpline,
    Chebyshev,
    Dirichlet,
    Experiment,
    Initial,
    LevenbergMarquardt,
    PerInput,
    Primitive,
    Problem,
    Refine,
    Sampling,
    SeparableKAN,
    Slabs,
    Wrapped,
    load,
    load_network,
    save,
    save_network,
)
from kanpde.changes import Stage
from kanpde.functions import exp, pi, sin
from kanpde.hdf5 import ResultsError
from kanpde.symbols import Symbol

POINTS = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(12, 2)


def with_everything(hidden="tanh"):
    """Missing edges, symbolic terms, biases, held numbers, ranges, product nodes."""
    network = KAN(2, (2, [2, 3]), 2, basis=Chebyshev(4), hidden=hidden, seed=3).on_box([-1, -2], [1, 2]).edited()
    first, second = network.wires
    present = first.present.clone()
    present[0, 1] = present[3, 0] = False
    first.put_splines(first.basis, first.weight, present)
    terms = [(0, 1, "sin"), (3, 0, "exp"), (1, 1, "tanh")]
    constants, held = torch.tensor([[1.3, 0.2, 0.7], [-0.6, 0.1, 1.1], [0.5, 0.0, -0.4]]), torch.zeros(3, 3, dtype=torch.bool)
    held[0, 1] = True
    first.put_symbols([Symbol(o, i, PRIMITIVES[name]) for o, i, name in terms], constants, held)
    first.put_bias(torch.linspace(-1, 1, first.linear))
    second.put_bias(torch.tensor([0.1, 0.2]), torch.tensor([True, False]))
    second.weight_held[1, 2] = True
    second.settle()
    if hidden == "range":
        second.put_range(torch.tensor([-2.0, -3.0, -1.0, -2.5]), torch.tensor([3.0, 2.0, 4.0, 2.5]))
    return network


def only_symbols():
    network = KAN(2, 1, basis=Chebyshev(2)).edited()
    (layer,) = network.wires
    layer.put_splines(None, layer.weight[:, :0], torch.zeros_like(layer.present))
    layer.put_symbols([Symbol(0, 0, PRIMITIVES["sin"]), Symbol(0, 1, PRIMITIVES["x^2"])], torch.tensor([[2.0, 0.3, 1.0], [1.0, 0.0, 0.5]]))
    return network


def knots_by_input():
    network = KAN(2, 2, 1, basis=BSpline(4, 3), hidden="range", outside="continue").edited()
    layer = network.wires[1]
    layer.put_splines(PerInput((BSpline(4, breaks=(-1, -0.5, 0.25, 1)), BSpline(4, 3))), layer.weight, layer.present)
    return network


NETWORKS = {
    "everything, tanh": with_everything(),
    "everything, range": with_everything("range"),
    "only symbols": only_symbols(),
    "knots by input": knots_by_input(),
    "outputs scaled": KAN(2, 3, 2, basis=Chebyshev(4)).on_outputs([3.0, -1.0], [2.0, 1e-3]),
    "asked outside": KAN(2, 3, 1, basis=[Chebyshev(4), BSpline(5, 3)], hidden="range", outside="constant", arity=3),
    "MLP": MLP(2, 4, 1, seed=2),
    "separable": SeparableKAN(2, 1, rank=3, basis=(Chebyshev(4), Chebyshev(5)), seed=2),
    "with coefficients": KAN(2, 3, 1, basis=Chebyshev(4)).with_coefficients([0.1, 0.2]),
    "float32": KAN(2, 3, 1, basis=Chebyshev(4), dtype=torch.float32).kept(),
}
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())


def assert_same(one, other):
    """The same function, shape and numbers, trained or held, to the bit."""
    assert type(one) is type(other) and repr(one) == repr(other)
    mine, theirs = one.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        assert value.dtype == theirs[name].dtype and torch.equal(value, theirs[name]), name
    points = POINTS.to(one.lower.dtype)
    assert torch.equal(one(points), other(points)) and torch.equal(one.vector(), other.vector())
    assert one.fixed == other.fixed


def pickled(network):
    return pickle.loads(pickle.dumps(network))


def torch_saved(network):
    stream = io.BytesIO()
    torch.save(network, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=False, map_location="cpu")


@each_network
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n)), torch_saved], ids=["deepcopy", "pickle", "torch"]
)
def test_networks_can_be_copied_and_pickled(network, copied):
    again = copied(network)
    assert_same(again, network)
    before = network.vector()
    again.assign(again.vector() + 1)
    assert torch.equal(network.vector(), before)  # they share nothing


@each_network
def test_a_state_dict_is_taken_by_a_copy_with_other_numbers(network):
    other = network.copy()
    other.assign(other.vector() + 1)
    other.load_state_dict(network.state_dict())
    assert_same(other, network)


@each_network
def test_saved_networks_come_back_to_the_bit(network, tmp_path):
    again = load_network(save_network(network, tmp_path / "below" / "network.h5"))
    assert_same(again, network)
    assert again.given and torch.equal(again.remade(seed=9).vector(), network.vector())
    assert os.listdir(tmp_path / "below") == ["network.h5"]


def test_a_fresh_process_finds_the_same_bits(tmp_path):
    network = with_everything("range")
    path = save_network(network, tmp_path / "network.h5")
    program = "import sys, kanpde; print(kanpde.load_network(sys.argv[1]).vector().numpy().tobytes().hex())"
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == network.vector().numpy().tobytes().hex()
    assert os.listdir(tmp_path) == ["network.h5"]


def test_the_file_is_plain_hdf5(tmp_path):
    network = with_everything()
    with h5py.File(save_network(network, tmp_path / "network.h5")) as file:
        assert json.loads(file.attrs["description"])["kind"] == "KAN"
        assert np.array_equal(file["network/layers.0.weight"][()], network.layers[0].weight.detach().numpy())


def bump(x):
    return exp(-4 * x**2)


def test_primitives_of_ones_own_are_handed_over(tmp_path):
    mine = Primitive("bump of mine", bump)
    network = KAN(2, 2, 1, basis=Chebyshev(3)).edited()
    network.layers[0].put_symbols([Symbol(0, 1, mine)], torch.tensor([[1.0, 0.5, 2.0]]))
    assert_same(pickled(network), network)
    path = save_network(network, tmp_path / "network.h5")
    assert_same(load_network(path, primitives=[mine]), network)
    with pytest.raises(ValueError, match=r"network\.h5: .*'bump of mine', which is no primitive of kanpde.*primitives="):
        load_network(path)


def test_files_that_are_no_networks(tmp_path):
    path = save_network(with_everything(), tmp_path / "network.h5")
    image = path.read_bytes()
    for content, words in ((image[:5000], "truncated or damaged"), (b"no network", "not an HDF5 file"), (b"", "0 bytes are left")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            load_network(path)
    for spoil, words in (
        (lambda file: file.attrs.__delitem__("description"), "damaged"),
        (lambda file: file.attrs.__setitem__("description", "{"), "damaged"),
        (lambda file: file.attrs.__setitem__("description", "[]"), "does not describe a network"),
        (lambda file: file["network"].__delitem__("layers.0.weight"), "does not describe a network"),
        (lambda file: file.attrs.__setitem__("Conventions", "kanpde-1"), "trained_network"),
        (lambda file: file.attrs.__setitem__("Conventions", "other"), "'other'"),
    ):
        path.write_bytes(image)
        with h5py.File(path, "r+") as file:
            spoil(file)
        with pytest.raises(ValueError, match=rf"network\.h5.*{words}"):
            load_network(path)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.h5"):
        load_network(tmp_path / "nowhere.h5")
    with pytest.raises(ResultsError, match="directory"):
        load_network(tmp_path)


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    network = with_everything()
    path = save_network(network, tmp_path / "network.h5")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(ResultsError, match="could not write the network.*No space left.*free some space") as caught:
            save_network(KAN(2, 1, basis=Chebyshev(2)), path)
    assert "--results" not in str(caught.value)
    assert os.listdir(tmp_path) == ["network.h5"]
    assert_same(load_network(path), network)


def test_networks_that_cannot_be_described(tmp_path):
    @dataclass(frozen=True)
    class Odd(Chebyshev):
        data: object = None

    foreign = Wrapped(torch.nn.Linear(2, 1), inputs=2, outputs=1)
    for network, words in ((foreign, "state_dict"), (KAN(2, 1, basis=Odd(3, frozenset())), "frozen dataclass")):
        with pytest.raises(TypeError, match=words):
            save_network(network, tmp_path / "network.h5")
    assert os.listdir(tmp_path) == []


def test_nothing_global_is_touched(tmp_path, monkeypatch):
    """pykan, fault 13: the constructor reseeds torch, NumPy and random."""
    monkeypatch.chdir(tmp_path)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), python_random.getstate()
    network = with_everything().copy()
    pickled(network)
    load_network(save_network(network, tmp_path / "below" / "network.h5"))
    assert torch.equal(torch.get_rng_state(), states[0]) and np.array_equal(np.random.get_state()[1], states[1])
    assert python_random.getstate() == states[2] and torch.get_default_dtype() == torch.float32
    assert os.listdir(tmp_path) == ["below"]  # pykan, fault 11: copy() leaves files in the working directory


# ---- edits on the way ----


@dataclass(frozen=True)
class Thin:
    """Remove the edge of the first layer with the least weight: what it is depends on what was trained."""

    resolution: int
    uniform: bool = False

    def apply(self, stage: Stage) -> Stage:
        if stage.rehearsal:
            return stage
        network = stage.network.edited()
        layer = network.wires[0]
        size = layer.weight.detach().norm(dim=1)
        size[~layer.present] = torch.inf
        present = layer.present.clone()
        present.view(-1)[size.argmin()] = False
        layer.put_splines(layer.basis, layer.weight, present, layer.weight_held)
        return replace(stage, network=network)


@pytest.fixture
def thinning(monkeypatch):
    """Refine thins instead."""
    monkeypatch.setattr("kanpde.schedule.RefineTo", Thin)


square = Box(x=(-1, 1), y=(-1, 1))


def poisson(u, x, y):
    return u.xx + u.yy + 2 * pi**2 * sin(pi * x) * sin(pi * y)


def thinned(**changes):
    problem = Problem(square, poisson, conditions=[Dirichlet(0, on=square.boundary)])
    given = {"model": KAN(2, 3, 1, basis=Chebyshev(5)), "training": [LevenbergMarquardt(steps=4), Refine(6, 7)]} | changes
    return Experiment(problem, sampling=Sampling(interior=60), **given)


def heat(u, x, t):
    return u.t - 0.1 * u.xx


def slab_by_slab(**changes):
    strip = Box(x=(-1, 1), t=(0, 1))
    conditions = [Initial(lambda x: sin(pi * x), hard=True), Dirichlet(0, on=strip.boundary)]
    given = {"model": KAN(2, 3, 1, basis=Chebyshev(5)), "training": [Slabs("t", 2), LevenbergMarquardt(steps=3), Refine(6)]} | changes
    return Experiment(Problem(strip, heat, conditions=conditions), sampling=Sampling(interior=60), **given)


def assert_same_results(one, other):
    assert np.array_equal(one.parameters, other.parameters)
    assert one.network.keys() == other.network.keys() and one.architecture == other.architecture
    for name, value in one.network.items():
        assert value.dtype == other.network[name].dtype and np.array_equal(value, other.network[name]), name
    for name, column in one.history.items():
        if name != "seconds":
            assert np.array_equal(column, other.history[name], equal_nan=True), name
    for name, values in one.solution.items():
        assert np.array_equal(values, other.solution[name]), name


@pytest.mark.parametrize("made", [thinned, slab_by_slab])
def test_runs_with_edits_resume_with_the_same_numbers(made, thinning, tmp_path):
    kept = []
    whole = made(callbacks=[lambda run: kept.append(run.result(checkpoint=True))]).run()
    assert whole.network and len(kept) == len(whole.history["step"]) > 8
    assert made().run().parameters.tobytes() == whole.parameters.tobytes()
    for number in range(1, len(kept), 3):
        checkpoint = load(save(kept[number], tmp_path / "checkpoint.h5"))
        assert_same_results(made().run(resume=checkpoint), whole)


@pytest.mark.parametrize("made", [thinned, slab_by_slab])
def test_the_solution_of_a_run_with_edits(made, thinning, tmp_path):
    result = load(save(made().run(), tmp_path / "result.h5"))
    found = made().solution(result)(**dict(zip(result.axes, np.meshgrid(*result.axes.values(), indexing="ij"), strict=True)))
    assert np.array_equal(found, result.solution["u"])
    if made is thinned:
        edges = made().trained_network(result).wires[0].edges
        assert int(edges.sum()) == 4  # of 6, two thinned


def test_a_result_with_edits_of_another_experiment_is_refused(thinning):
    result = thinned().run()
    with pytest.raises(ValueError, match="another experiment"):
        thinned(model=MLP(2, 3, 1), training=[LevenbergMarquardt(steps=4)]).trained_network(result)
    with pytest.raises(ValueError, match="another experiment.*domain"):
        slab_by_slab().trained_network(result)
    damaged = replace(result, network={name: value for name, value in result.network.items() if name != "layers.0.weight"})
    with pytest.raises(ValueError, match="does not describe a network"):
        thinned().trained_network(damaged)


def test_a_workflow_goes_on_from_given_weights():
    """Fit, edit, fit again: every step starts where the one before ended, whatever the seed."""
    first = thinned(training=[LevenbergMarquardt(steps=6)])
    result = first.run()
    assert not result.network  # a replay builds it
    network = first.trained_network(result)
    assert network.given and torch.equal(network.vector(), torch.from_numpy(result.parameters))
    again = replace(first, model=network, training=[LevenbergMarquardt(steps=1)]).run(seed=0)
    assert again.history["loss"][-1] <= result.history["loss"][-1]
    assert again.network  # from weights that no seed draws
    final = replace(first, model=network, training=[LevenbergMarquardt(steps=1)]).trained_network(again)
    assert torch.equal(final.vector(), torch.from_numpy(again.parameters))
    elsewhere = first.trained_network(again)  # the network is in the result, whatever this model's weights are
    assert torch.equal(elsewhere.vector(), final.vector())


def test_single_precision_is_kept_to_the_bit(thinning, tmp_path):
    result = load(save(thinned().run(dtype=torch.float32), tmp_path / "result.h5"))
    network = thinned().trained_network(result)
    assert network.lower.dtype == torch.float32 and result.network["layers.0.weight"].dtype == np.float32
    assert np.array_equal(network.layers[0].weight.detach().numpy(), result.network["layers.0.weight"])


def test_descriptions_of_a_megabyte(tmp_path):
    """HDF5 attributes of fixed length end at 64 kB."""
    result = thinned(training=[LevenbergMarquardt(steps=1)]).run()
    long = replace(result, architecture=result.architecture | {"knots": [0.1] * 300_000})
    assert load(save(long, tmp_path / "result.h5")).architecture == long.architecture
