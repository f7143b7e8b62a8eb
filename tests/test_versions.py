"""Versions: what is kept, compared and rewound; one file for many processes; nothing written unasked."""

import errno
import json
import logging
import os
import random as python_random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from kanpde import (
    KAN,
    MLP,
    PRIMITIVES,
    Box,
    Chebyshev,
    Continue,
    Dataset,
    Dirichlet,
    Experiment,
    KeepVersions,
    LevenbergMarquardt,
    Primitive,
    Problem,
    Refine,
    Regression,
    Sampling,
    Slabs,
    Sparsify,
    Versions,
    Wrapped,
    load,
    save,
    version_files,
)
from kanpde.cli import main
from kanpde.functions import exp, pi, sin
from kanpde.hdf5 import ResultsError
from kanpde.objective import Objective
from kanpde.symbols import Symbol


def kan(seed=0, *widths):
    return KAN(*(widths or (2, 3, 1)), basis=Chebyshev(4), seed=seed)


def without_edge(network, output, input, layer=0):
    """An edit: one edge less."""
    other = network.edited()
    wire = other.wires[layer]
    present = wire.present.clone()
    present[output, input] = False
    wire.put_splines(wire.basis, wire.weight, present, wire.weight_held)
    return other


def fixed_to(network, output, input, primitive, layer=0):
    """An edit: one edge of the layer becomes a symbolic term."""
    other = without_edge(network, output, input, layer)
    other.wires[layer].put_symbols([Symbol(output, input, primitive)], torch.tensor([[1.0, 0.5, 2.0]]))
    return other


def grown(path=None):
    """Two branches from one root."""
    versions = Versions(path)
    root = versions.add(kan(), "fitted 50 steps", error=1e-2, seconds=2.5)
    pruned = versions.add(without_edge(kan(), 0, 1), "pruned 1 edge", error=1.1e-2)
    fixed = versions.add(fixed_to(kan(), 0, 1, PRIMITIVES["sin"]), "fixed an edge to sin", error=3e-9)
    versions.rewind(root)
    wider = versions.add(kan(1, 2, 5, 1), "wider", error=2e-3)
    return versions, root, pruned, fixed, wider


@pytest.fixture(params=["memory", "file"])
def five(request, tmp_path):
    return grown(None if request.param == "memory" else tmp_path / "versions.h5")


def test_versions_have_parents_and_branches(five):
    versions, root, pruned, fixed, wider = five
    assert [version.parent for version in versions] == [None, root.id, pruned.id, root.id]
    assert versions.branches == (fixed, wider) and versions.lineage(fixed) == (root, pruned, fixed)
    assert versions.best() == fixed and versions.current == wider
    assert len(versions) == 4 and pruned in versions and pruned.id in versions and "nothing" not in versions
    assert (root.parameters, root.edges, pruned.edges) == (45, 9, 8)
    assert versions[fixed.id] == versions[fixed.id[:7]] == versions[2] == versions[-2] == fixed


def test_the_table(five):
    versions, root, pruned, _, wider = five
    lines = str(versions).splitlines()
    assert len(lines) == 5 and lines[0].split() == ["version", "parent", "reason", "error", "parameters", "edges", "seconds", "created"]
    for words in (root.id, "-", "fitted 50 steps", "1.00e-02", "45", "9", "2.5"):
        assert words in lines[1]
    assert lines[2].index("pruned") == lines[4].index("wider") == lines[1].index("fitted") + 2  # two branches
    assert lines[3].index("fixed") == lines[2].index("pruned")  # which goes straight on
    assert [line[0] for line in lines] == [" ", " ", " ", " ", ">"] and wider.id in lines[4] and pruned.id in lines[3]


def test_rewinding_gives_the_network_as_it_was(five):
    versions, root, _, fixed, _ = five
    points = torch.linspace(-1, 1, 20, dtype=torch.float64).reshape(10, 2)
    network = versions.rewind(root)
    assert versions.current == root and network.given
    assert torch.equal(network.vector(), kan().vector()) and torch.equal(network(points), kan()(points))
    network.assign(network.vector() + 1)  # it is independent
    assert torch.equal(versions.network(root).vector(), kan().vector())
    again = versions.network(fixed)
    assert torch.equal(again(points), fixed_to(kan(), 0, 1, PRIMITIVES["sin"])(points)) and versions.current == root


def test_a_kept_network_does_not_change_with_the_original():
    versions, network = Versions(), kan()
    version = versions.add(network, "before")
    network.assign(network.vector() + 1)
    assert torch.equal(versions.network(version).vector(), kan().vector())


def test_parents_can_be_chosen():
    versions, root, pruned, *_ = grown()
    assert versions.add(kan(), "again", parent=pruned).parent == pruned.id
    assert versions.add(kan(), "again", parent=root.id[:6]).parent == root.id
    versions.current = None
    assert versions.add(kan(), "afresh").parent is None


# ---- comparisons ----


def test_what_differs(five):
    versions, root, pruned, fixed, wider = five
    edges = versions.compare(root, pruned)
    assert edges.changes == ("layer 0: without edges 1->0",)
    removed = kan()
    points = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gap = (removed(points) - without_edge(removed, 0, 1)(points)).abs().max().item()
    assert versions.compare(root, pruned, points).largest == gap > 0
    symbols = versions.compare(root, fixed)
    assert symbols.changes == ("layer 0: edges 1->0 spline -> sin",)
    assert "error: 0.01 -> 3e-09 (error)" in str(symbols) and "parameters: 45 -> 43" in str(symbols)
    assert versions.compare(pruned, fixed).changes == ("layer 0: with new edges 1->0",)
    assert versions.compare(root, wider).changes[0] == "widths: [2, 3, 1] -> [2, 5, 1]"
    assert versions.compare(root, root).same and "differ by at most 0" in str(versions.compare(root, root))


def test_what_differs_between_other_networks():
    versions = Versions()
    first = versions.add(kan(), "a KAN")
    placed = versions.add(kan().on_box([0, 0], [1, 2]).to(torch.float32).refined(6), "another box and basis")
    words = str(versions.compare(first, placed))
    for expected in ("layer 0: basis Chebyshev(degree=4) -> Chebyshev(degree=6)", "box: [(-1.0, 1.0)", "dtype: torch.float64"):
        assert expected in words
    held = kan().edited()
    held.wires[0].weight_held[0, 0] = True
    held.wires[0].settle()
    frozen = versions.add(held, "frozen")
    assert versions.compare(first, frozen).changes == ("layer 0: numbers held: 0 -> 5",) and versions.compare(first, frozen).largest == 0
    perceptron = versions.add(MLP(2, 4, 2), "an MLP")
    comparison = versions.compare(first, perceptron)
    assert np.isnan(comparison.largest) and "cannot be compared" in str(comparison) and "MLP(2, 4, 2)" in comparison.changes[0]
    with pytest.raises(ValueError, match=r"shape \(N, 2\), .* got \(3, 5\)"):
        versions.compare(first, placed, torch.zeros(3, 5))


def test_the_best_of_errors_of_several_kinds():
    versions = Versions()
    with pytest.raises(ValueError, match="none of the 0 versions has an error"):
        versions.best()
    versions.add(kan(), "not judged")
    loss = versions.add(kan(), "fitted", error=1e-8, measure="loss")
    versions.add(kan(), "worse", error=float("nan"), measure="loss")
    assert versions.best() == loss
    error = versions.add(kan(), "judged", error=1e-3, measure="relative_l2")
    with pytest.raises(ValueError, match=r"several kinds, loss, relative_l2.*best\('loss'\)"):
        versions.best()
    assert versions.best("relative_l2") == error
    with pytest.raises(ValueError, match="the error 'rmse'"):
        versions.best("rmse")


# ---- mistakes ----


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", None, 3])
def test_a_reason_is_one_line(reason):
    with pytest.raises(ValueError, match="one line of text"):
        Versions().add(kan(), reason)


@pytest.mark.parametrize("thing", [None, "network", torch.nn.Linear(2, 1), KAN])
def test_only_networks_have_versions(thing, tmp_path):
    versions = Versions(tmp_path / "versions.h5")
    with pytest.raises(TypeError, match="a version is of a network"):
        versions.add(thing, "reason")
    with pytest.raises(TypeError, match="state_dict"):
        versions.add(Wrapped(torch.nn.Linear(2, 1), inputs=2, outputs=1), "reason")
    assert os.listdir(tmp_path) == [] and len(versions) == 0 and versions.current is None


def test_unknown_versions(five):
    versions, root, *_ = five
    near = root.id[:-1] + ("0" if root.id[-1] != "0" else "1")
    for key, error, words in (
        (near, KeyError, f"no version '{near}'.*{root.id}.*did you mean '{root.id}'"),
        ("", KeyError, "no version ''"),
        (9, IndexError, "no version number 9: there are 4"),
        (None, TypeError, "its id or its number"),
    ):
        with pytest.raises(error, match=words):
            versions[key]
    with pytest.raises(KeyError, match="no version 'x'"):
        versions.add(kan(), "reason", parent="x")
    with pytest.raises(KeyError, match="there are none yet"):
        Versions().rewind("x")
    assert len(versions) == 4


def test_beginnings_that_several_versions_share(monkeypatch):
    ids = iter(["abcd1111", "abcd1111", "abcd2222"])
    monkeypatch.setattr("secrets.token_hex", lambda count: next(ids))
    versions = Versions()
    versions.add(kan(), "one")
    assert versions.add(kan(), "other").id == "abcd2222"  # an id is never given twice
    with pytest.raises(KeyError, match="2 versions begin with 'abcd': abcd1111, abcd2222"):
        versions["abcd"]


# ---- files ----


def test_nothing_is_written_unasked(tmp_path, monkeypatch):
    """pykan, faults 12 and 13: every call writes ./model and prints; steps and constructors reseed the global generators."""
    monkeypatch.chdir(tmp_path)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), python_random.getstate()
    versions, root, pruned, *_ = grown()
    print(versions, versions.compare(root, pruned))
    versions.rewind(root)
    Versions(tmp_path / "below" / "versions.h5")
    assert os.listdir(tmp_path) == []
    grown(tmp_path / "below" / "versions.h5")
    assert os.listdir(tmp_path) == ["below"] and os.listdir(tmp_path / "below") == ["versions.h5"]
    assert torch.equal(torch.get_rng_state(), states[0]) and np.array_equal(np.random.get_state()[1], states[1])
    assert python_random.getstate() == states[2] and os.getcwd() == str(tmp_path)


def test_a_relative_path_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    versions = Versions("versions.h5")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    versions.add(kan(), "fitted")
    assert os.listdir(tmp_path / "elsewhere") == [] and len(Versions(tmp_path / "versions.h5")) == 1


def test_the_file_is_plain_hdf5(tmp_path):
    versions, root, pruned, *_ = grown(tmp_path / "versions.h5")
    with h5py.File(versions.path) as file:
        assert list(file["versions"]) == [version.id for version in versions]
        group = file["versions"][pruned.id]
        assert group.attrs["parent"] == root.id and group.attrs["reason"] == "pruned 1 edge" and group.attrs["error"] == 1.1e-2
        assert json.loads(group.attrs["description"])["kind"] == "KAN"
        assert np.array_equal(group["layers.0.weight"][()], without_edge(kan(), 0, 1).layers[0].weight.detach().numpy())


def test_a_file_is_read_again(tmp_path):
    versions, root, _, fixed, _ = grown(tmp_path / "versions.h5")
    again = Versions(tmp_path / "versions.h5")
    assert again.current is None and str(again).replace(">", " ") == str(versions).replace(">", " ")
    assert torch.equal(again.rewind(fixed).vector(), versions.network(fixed).vector())
    child = again.add(kan(2), "from another process")
    assert child.parent == fixed.id
    assert child in versions and versions[-1] == child  # what others add is seen
    assert versions.add(kan(3), "afterwards").parent == versions[3].id != child.id  # but nobody moves another's place


def test_primitives_of_ones_own(tmp_path):
    mine = Primitive("a bump", lambda x: exp(-4 * x**2))
    versions = Versions(tmp_path / "versions.h5")
    version = versions.add(fixed_to(kan(), 0, 1, mine), "fixed to a bump")
    assert torch.equal(versions.rewind(version).vector(), fixed_to(kan(), 0, 1, mine).vector())
    with pytest.raises(ValueError, match="'a bump', which is no primitive"):
        Versions(versions.path).rewind(version)
    again, points = Versions(versions.path, primitives=[mine]).rewind(version), torch.ones(1, 2, dtype=torch.float64)
    assert torch.equal(again(points), fixed_to(kan(), 0, 1, mine)(points))


ADDER = """
import sys
from kanpde import KAN, Chebyshev, Versions
versions, name = Versions(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(4):
    versions.add(KAN(1, 1, basis=Chebyshev(3), seed=number), f"{name} {number}")
"""


def test_two_processes_that_add_to_one_file_lose_nothing(tmp_path):
    path = tmp_path / "versions.h5"
    command = [sys.executable, "-c", ADDER, str(path)]
    started = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for name in ("one", "two")]
    for process in started:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in started:
        process.communicate("go\n")
        assert process.returncode == 0
    versions = Versions(path)
    assert sorted(version.reason for version in versions) == sorted(f"{name} {number}" for name in ("one", "two") for number in range(4))
    assert [len(versions.lineage(leaf)) for leaf in versions.branches] == [4, 4]  # two chains, none across
    assert os.listdir(tmp_path) == ["versions.h5"]


def test_whoever_adds_waits_for_others(tmp_path, monkeypatch):
    path, write = tmp_path / "versions.h5", version_files.write_whole

    def slowly(*arguments, **options):
        time.sleep(0.1)  # what the file was read as is old by now, if another has written
        return write(*arguments, **options)

    monkeypatch.setattr(version_files, "write_whole", slowly)
    threads = [threading.Thread(target=lambda: Versions(path).add(kan(), "at once")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Versions(path)) == 3


def test_a_process_killed_while_it_adds_leaves_a_whole_file(tmp_path):
    path = tmp_path / "versions.h5"
    program = ADDER.replace("range(4)", "range(10**6)")
    command = [sys.executable, "-c", program, str(path), "endless"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None and process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    versions = Versions(path)
    before = len(versions)
    assert [version.reason for version in versions] == [f"endless {number}" for number in range(before)] and before > 0
    versions.add(kan(), "the lock went with it")
    assert len(Versions(path)) == before + 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_write_that_fails_changes_nothing(tmp_path, monkeypatch, number):
    versions, *_, wider = grown(tmp_path / "versions.h5")
    image = versions.path.read_bytes()

    def fail(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(ResultsError, match=f"could not write versions to .*{os.strerror(number)}"):
            versions.add(kan(), "lost")
    assert versions.path.read_bytes() == image and os.listdir(tmp_path) == ["versions.h5"]
    assert len(versions) == 4 and versions.current == wider
    assert versions.add(kan(), "kept").parent == wider.id


@pytest.mark.parametrize("damage", [lambda image: image[:3000], lambda image: b"", lambda image: b"text" + image])
def test_damaged_files(tmp_path, damage):
    versions, *_ = grown(tmp_path / "versions.h5")
    spoiled = damage(versions.path.read_bytes())
    open_before = Versions(versions.path)
    versions.path.write_bytes(spoiled)
    for attempt in (lambda: Versions(versions.path), lambda: open_before.add(kan(), "more"), lambda: len(open_before)):
        with pytest.raises(ValueError, match=r"versions\.h5 is"):
            attempt()
    assert versions.path.read_bytes() == spoiled  # for whoever can mend it


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = "CF-1.8"
    with pytest.raises(ValueError, match=r"other\.h5 holds no versions \(its @Conventions is 'CF-1\.8'\)"):
        Versions(path)
    versions, *_ = grown(tmp_path / "versions.h5")
    with h5py.File(versions.path, "r+") as file:
        del file["versions"][versions[0].id].attrs["reason"]
    with pytest.raises(ValueError, match=r"versions\.h5 is incomplete or damaged"):
        Versions(versions.path)


# ---- runs ----

line = Box(x=(0, 1))


def equation(u, x, k):
    return u.xx + k * pi**2 * sin(pi * x)


def experiment(versions, **changes):
    problem = Problem(line, equation, parameters={"k": 1.0}, conditions=[Dirichlet(0, on=line.boundary)], exact=lambda x: sin(pi * x))
    given = {"model": KAN(1, 3, 1, basis=Chebyshev(4)), "callbacks": [KeepVersions(versions)], "sampling": Sampling(interior=30)}
    return Experiment(problem, **given | {"training": [Continue(k=[0.5, 1.0]), LevenbergMarquardt(steps=3), Refine(6)]} | changes)


def test_a_run_keeps_a_version_at_the_end_of_every_rung(tmp_path):
    versions = Versions()
    result = experiment(versions).run(seed=1)
    first, second, third = versions
    assert first.reason.startswith("k = 0.5; LevenbergMarquardt, at most 3 steps: ") and third.reason.startswith("refined to 6; ")
    assert (first.parent, second.parent, third.parent) == (None, first.id, second.id)
    assert torch.equal(versions.network(third).vector(), torch.from_numpy(result.parameters))
    assert third.measure == "relative_l2" and third.error == pytest.approx(result.metrics["relative_l2"], rel=0.2)
    assert sum(version.seconds for version in versions) == pytest.approx(result.metrics["seconds"])
    assert result.versions == (first, second, third)
    path = save(result, tmp_path / "result.h5")
    assert load(path).versions == result.versions
    kept = Versions(path)  # a results file is read as one of versions
    assert torch.equal(kept.rewind(first).vector(), versions.network(first).vector())
    added = kept.add(kan(0, 1, 3, 1), "by hand")  # and takes more, beside its result
    assert added.parent == first.id and load(path).versions[-1] == added
    assert np.array_equal(load(path).parameters, result.parameters)


def test_a_run_goes_on_from_a_version():
    """Fit, edit, fit again: each run's versions are children of the network that it began with."""
    versions = Versions()
    fitted = experiment(versions)
    result = fitted.run()
    network = fitted.trained_network(result)
    edited = versions.add(without_edge(network, 0, 0, layer=1), "one edge less")
    assert edited.parent == versions[2].id
    again = replace(fitted, model=versions.network(edited), training=[LevenbergMarquardt(steps=2)])
    again.run()
    assert versions[-1].parent == edited.id
    replace(again, model=network).run()
    assert versions[-1].parent == versions[2].id  # whatever was current
    fitted.run(seed=5)
    assert [version.parent for version in versions][-3] is None  # fresh weights come from nowhere


def test_versions_in_a_file_are_not_in_the_result_too(tmp_path):
    versions = Versions(tmp_path / "versions.h5")
    assert experiment(versions).run().versions == () and len(Versions(versions.path)) == 3


@pytest.mark.parametrize("where", ["memory", "file"])
def test_a_resumed_run_goes_on_from_its_versions(where, tmp_path):
    path = None if where == "memory" else tmp_path / "versions.h5"
    kept = []
    whole = experiment(Versions()).run()
    stopped = experiment(Versions(path))
    stopped = replace(stopped, callbacks=[*stopped.callbacks, lambda run: kept.append(run.result(checkpoint=True))])
    stopped.run()
    for number in (2, 4, len(kept) - 1):
        checkpoint = load(save(kept[number], tmp_path / "checkpoint.h5"))
        versions = Versions(path)
        result = experiment(versions).run(resume=checkpoint)
        found = result.versions if path is None else tuple(versions)
        assert [version.reason for version in found] == [version.reason for version in whole.versions]  # each step once
        assert [version.parent for version in found] == [None, found[0].id, found[1].id]
        for mine, theirs in zip(found, whole.versions, strict=True):
            assert all(np.array_equal(array, theirs.arrays[name]) for name, array in mine.arrays.items())


def test_seeds_that_share_versions_keep_their_own():
    versions = Versions()
    results = [experiment(versions).run(seed=seed) for seed in range(2)]
    assert [version.parent is None for version in versions] == [True, False, False] * 2
    assert results[0].versions == tuple(versions)[:3] and results[1].versions == tuple(versions)[3:]


def test_versions_of_slabs_and_of_the_loss():
    strip = Box(x=(-1, 1), t=(0, 1))
    problem = Problem(strip, lambda u: u.t - u.xx, conditions=[Dirichlet(0, on=strip.boundary)])
    versions = Versions()
    Experiment(
        problem,
        model=kan(),
        training=[Slabs("t", 2), LevenbergMarquardt(steps=2)],
        sampling=Sampling(interior=30),
        callbacks=[KeepVersions(versions)],
    ).run()
    assert [version.reason.split(";")[0] for version in versions] == ["slab 1, from 0 to 0.5", "slab 2, from 0.5 to 1"]
    assert {version.measure for version in versions} == {"loss"} and versions.network(1).lower.tolist() == [-1, 0.5]


def test_errors_of_ones_own():
    versions = Versions()
    experiment(versions, callbacks=[KeepVersions(versions, error=lambda run: 0.25)]).run()
    assert {(version.error, version.measure) for version in versions} == {(0.25, "error")}
    for given, words in (((Versions, None), "takes versions"), ((versions, 3), "a function of the run")):
        with pytest.raises(TypeError, match=words):
            KeepVersions(*given)


def test_a_disk_that_is_full_does_not_end_a_run(tmp_path, monkeypatch, caplog):
    versions = Versions(tmp_path / "versions.h5")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with caplog.at_level(logging.WARNING, "kanpde"):
        result = experiment(versions).run()
    assert result.status == "complete" and len(versions) == 0
    assert caplog.text.count("is not kept: could not write versions") == 3 and "No space left" in caplog.text


def test_networks_that_cannot_be_kept_end_the_run_at_once():
    module = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    result = experiment(Versions(), model=module, training=[LevenbergMarquardt(steps=50)]).run()
    assert result.status == "failed" and len(result.history["step"]) == 1
    assert "KeepVersions" in result.provenance["stops"] and "cannot be described" in result.provenance["stops"]


# ---- the command line ----


def test_the_verb_lists_and_compares(tmp_path, capsys):
    versions, root, pruned, *_ = grown(tmp_path / "versions.h5")
    before = versions.path.read_bytes()
    assert main(["versions", str(versions.path)]) == 0
    assert capsys.readouterr().out == str(versions).replace(">", " ") + "\n"
    assert main(["versions", str(versions.path), root.id[:7], pruned.id]) == 0
    assert capsys.readouterr().out == str(versions.compare(root, pruned)) + "\n"
    assert versions.path.read_bytes() == before
    for arguments, words in (
        (["nowhere.h5"], "there is no file nowhere.h5"),
        ([str(versions.path), "x", "y"], "error: there is no version 'x'"),
    ):
        assert main(["versions", *arguments]) == 1
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["versions", str(versions.path), root.id])
    assert "two versions are compared, got 1" in capsys.readouterr().err
    versions.path.write_bytes(b"text")
    assert main(["versions", str(versions.path)]) == 1
    assert "not an HDF5 file" in capsys.readouterr().err


def test_the_verb_for_results_without_versions(tmp_path, capsys):
    path = save(experiment(Versions(), callbacks=[]).run(), tmp_path / "result.h5")
    assert main(["versions", str(path)]) == 0
    assert "holds no versions: a run keeps them with callbacks=[KeepVersions(Versions())]" in capsys.readouterr().out


def test_the_loss_of_a_version_is_without_penalties():
    data = Dataset.of(lambda x, y: x + y**2, x=(-1, 1), y=(-1, 1), train=60, test=10)
    versions = Versions()
    training = [LevenbergMarquardt(steps=4), Sparsify(1e-1)]
    experiment = Experiment(Regression(data), KAN(2, 3, 1, basis=Chebyshev(3)), training, callbacks=[KeepVersions(versions)])
    result = experiment.run()
    losses = Objective(experiment.problem, {"equation": torch.from_numpy(experiment.problem.given)}).residual(versions.network(-1))
    assert versions[-1].error == pytest.approx(float(losses @ losses), rel=1e-12)
    assert versions[-1].error < 0.9 * (result.history["loss"] + result.history["loss_sparsity"])[-1]
