"""Results on disk: what is saved comes back bit for bit, a file is whole or absent, and errors say what to do."""

import errno
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from kanpde import hdf5, results
from kanpde.hdf5 import ResultsError
from kanpde.results import (
    POINTS_KEPT,
    Edges,
    Result,
    is_complete,
    linked,
    load,
    save,
    write_index,
)

ALONE = f"""
import sys, types
sys.modules["kanpde"] = types.ModuleType("kanpde")  # the package without its table of contents
sys.modules["kanpde"].__path__ = [{os.path.dirname(results.__file__)!r}]
from kanpde import results
"""

LAW = {  # as kanpde.symbolic.law.Law.to_plain writes it
    "kind": "solution", "verdict": "candidate", "reason": "the conditions do not hold", "rms": 0.5, "noise": float("nan"),
    "lead": float("inf"),
    "formula": "u = 0.30(2)*x", "latex": "u = c_{1} x", "names": ["x", "y"], "outputs": ["u"], "expressions": ["c1*x"],
    "aliases": {"read": [], "name": []}, "nodes": [3],
    "best": 0,
    "constants": {"name": ["c1"], "value": [0.3], "sigma": [0.02], "exact": [""], "latex": [""], "unit": [""]},
    "candidates": {"sympy": ["0.3*x"], "latex": ["0.3 x"], "nodes": [3], "rms": [0.5], "description": [12.5]},
    "evidence": ["the residual is zero", "u(0) = 0.1 is not 0"],
}  # fmt: skip


def make_edges(random, inputs, *, sums, arities):
    """A layer with everything that may be known of it; one edge is symbolic, one was removed."""
    linear = sums + sum(arities)
    importance, scores = random.random((2, linear, inputs))
    importance[0, 0] = scores[0, 0] = np.nan
    symbols = np.full((linear, inputs), "", dtype=object)
    symbols[1, 0] = "1.5 sin(2 x + 0.1)"
    curves, outside = random.random((linear, inputs, 33)), np.arange(inputs)
    return Edges(random.random((inputs, 33)), curves, importance, sums, arities, symbols, scores, random.random(inputs), outside)


def make_result(*, experiment="experiment", status="complete", seed=0, **metrics):
    """A result of Poisson's equation on a square, with everything that a result can hold."""
    random = np.random.default_rng(seed)
    x, y = np.linspace(-1, 1, 9), np.linspace(-1, 1, 7)
    exact = np.sin(np.pi * x)[:, None] * np.sin(np.pi * y)
    u = exact + 1e-9 * random.standard_normal(exact.shape)
    steps = 6
    return Result(
        problem="poisson",
        experiment=experiment,
        status=status,
        provenance={
            "command": "run_experiments.py problems/poisson.py --seed 0",
            "kanpde": "0.1.0",
            "git_commit": "",
            "git_dirty": True,
            "seed": seed,
            "threads": 2,
            "wall_seconds": 12.34,
            "created": "2026-01-02T03:04:05+00:00",
            "problem_source": '"""Poisson: Δu = −2π² sin πx sin πy."""\n' + "# a comment\n" * 10_000,
            "experiment_repr": "Experiment(...)",
        },
        equation={"latex": "u_{xx} + u_{yy} = f\nu = 0", "text": "u_xx + u_yy = f\nu = 0 on the boundary"},
        coordinates=("x", "y"),
        lower=np.array([-1.0, -1.0]),
        upper=np.array([1.0, 1.0]),
        points={
            "interior": random.uniform(-1, 1, (50, 2)),
            "left side/inflow": random.uniform(-1, 1, (5, 2)),
            "left_side_inflow": random.uniform(-1, 1, (4, 2)),
            "coordinate": random.uniform(-1, 1, (3, 2)),
            "..": np.zeros((0, 2)),
        },
        sampling={"interior": "Latin hypercube, seed 0", "left side/inflow": "evenly spaced"},
        history={
            "step": np.arange(steps),
            "seconds": np.linspace(0.1, 12.0, steps),
            "loss": np.array([1.0, 1e-3, 5e-324, -0.0, np.inf, np.nan]),
            "loss_equation": random.random(steps),
            "loss_left side/inflow": random.random(steps),
            "error_l2": np.full(steps, np.nan),
            "damping": 10.0 ** -np.arange(steps),
            "refinement": np.array([6, 6, 6, 9, 9, 12]),
        },
        axes={"x": x, "y": y},
        solution={"u": u, "exact_u": exact, "error_u": abs(u - exact), "residual": random.standard_normal(u.shape)},
        solution_points=None,
        unknowns=("u",),
        metrics={"relative_l2": 1.25e-9, "max_error": 3e-9, "parameters": 96, "seconds_to_1e-3": 0.5} | metrics,
        parameters=random.standard_normal(96),
        architecture={"type": "KAN", "widths": [2, [2, 2], 1], "basis": {"name": "Chebyshev", "degree": 6}},
        edges=(
            make_edges(random, 2, sums=2, arities=(2, 3)),
            Edges(random.random((4, 33)), random.random((1, 4, 33)), random.random((1, 4)), 1),
        ),
        checkpoint=None,
        law=LAW,
    )


def make_checkpoint():
    return {
        "step": 17,
        "damping": 1e-3,
        "phase": "refine",
        "weights/0": np.arange(6, dtype=np.float32).reshape(2, 3),
        "generator": np.arange(40, dtype=np.uint8),
        "square": np.eye(3),
        "scalar": np.array(2.5),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 4)),
    }


def make_points_result():
    """A result in four dimensions, on points instead of axes, with no edges to draw and two unknowns."""
    random = np.random.default_rng(1)
    names = ("x1", "x2", "x3", "x4")
    return replace(
        make_result(),
        coordinates=names,
        lower=np.zeros(4),
        upper=np.full(4, np.inf),
        points={"interior": random.random((20, 4))},
        sampling={"interior": "uniform"},
        axes={},
        solution={"u": random.random(11), "p": random.random(11), "residual_0": random.random(11)},
        solution_points=random.random((11, 4)),
        unknowns=("u", "p"),
        edges=(),
    )


def open_file(path, mode="r") -> Any:
    """The file for h5py alone, whose annotations cannot tell a group from a dataset."""
    return h5py.File(path, mode)


def assert_same(left, right, where="result"):
    """Equal in type, order, shape and every bit."""
    assert type(left) is type(right), where
    if is_dataclass(left):
        for field in fields(left):
            assert_same(getattr(left, field.name), getattr(right, field.name), f"{where}.{field.name}")
    elif isinstance(left, np.ndarray):
        assert (left.shape, left.dtype) == (right.shape, right.dtype), where
        assert left.tobytes() == right.tobytes(), where
    elif isinstance(left, dict):
        assert list(left) == list(right), where
        for key in left:
            assert_same(left[key], right[key], f"{where}[{key!r}]")
    elif isinstance(left, tuple):
        assert len(left) == len(right), where
        for index, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{where}[{index}]")
    else:
        assert left == right or (left != left and right != right), where


@pytest.fixture
def saved(tmp_path):
    return save(make_result(), tmp_path / "experiment-s0.h5")


# ---------------------------------------------------------------------------------------- round trip


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(make_result(), id="box"),
        pytest.param(make_points_result(), id="points"),
        pytest.param(replace(make_result(), checkpoint={}, status="failed"), id="empty checkpoint"),
        pytest.param(
            replace(make_result(), points={}, sampling={}, history={}, axes={}, solution={}, metrics={}, edges=()),
            id="failed before the first step",
        ),
        pytest.param(replace(make_result(), history={"step": np.arange(0), "loss": np.zeros(0)}), id="no steps"),
    ],
)
def test_round_trip_bit_for_bit(result, tmp_path):
    path = save(result, tmp_path / "new" / "directory" / "a.h5")
    assert path == tmp_path / "new" / "directory" / "a.h5"
    assert_same(load(path), result)
    assert_same(load(save(load(path), str(path))), result)
    assert os.listdir(path.parent) == ["a.h5"]


def test_round_trip_of_a_checkpoint_keeps_types(tmp_path):
    checkpoint = make_checkpoint()
    loaded = load(save(replace(make_result(), status="interrupted", checkpoint=checkpoint), tmp_path / "a.h5"))
    assert loaded.checkpoint is not None
    assert_same({key: loaded.checkpoint[key] for key in checkpoint}, checkpoint)
    assert len(loaded.checkpoint) == len(checkpoint)


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    again = save(make_result(), tmp_path / "again.h5")
    assert again.read_bytes() == saved.read_bytes()


def test_single_precision_is_saved_as_double(tmp_path):
    single = replace(make_result(), parameters=np.arange(5, dtype=np.float32), metrics={"mse": np.float32(0.5)})
    loaded = load(save(single, tmp_path / "a.h5"))
    assert loaded.parameters.dtype == np.float64
    assert loaded.metrics == {"mse": 0.5} and type(loaded.metrics["mse"]) is float


def test_many_points_are_cut_and_counted(tmp_path):
    many = np.zeros((POINTS_KEPT + 7, 1))
    result = replace(make_result(), coordinates=("x",), points={"interior": many}, sampling={"interior": "uniform"})
    path = save(result, tmp_path / "a.h5")
    assert load(path).points["interior"].shape == (POINTS_KEPT, 1)
    with open_file(path) as file:
        assert file["points/interior"].attrs["count"] == POINTS_KEPT + 7
        assert file["points/interior"].attrs["sampling"] == "uniform"


def test_ten_thousand_coordinates(tmp_path):
    names = tuple(f"x{i}" for i in range(10_000))
    bound = np.arange(10_000.0)
    wide = replace(make_points_result(), coordinates=names, lower=-bound, upper=bound, points={}, sampling={})
    wide = replace(wide, solution={}, solution_points=None)
    assert_same(load(save(wide, tmp_path / "a.h5")), wide)


def test_status_is_checked():
    with pytest.raises(ValueError, match="complete, interrupted, failed, not 'done'"):
        make_result(status="done")


# --------------------------------------------------------------------------------- for other readers


def test_layout_with_h5py_alone(saved):
    with open_file(saved) as file:
        root = {"Conventions", "title", "created", "status", "problem", "experiment"}
        assert set(file.attrs) == root
        assert file.attrs["Conventions"] == "kanpde-1"
        assert file.attrs["status"] == "complete"
        assert file.attrs["created"] == "2026-01-02T03:04:05+00:00"
        groups = ["provenance", "equation", "domain", "points", "history", "solution", "metrics", "law", "model"]
        assert list(file) == groups
        assert file["provenance"].attrs["git_dirty"]
        assert file["provenance/problem_source"].asstr()[()].startswith('"""Poisson: Δu = −2π²')
        assert list(file["domain"].attrs["names"]) == ["x", "y"]
        assert list(file["domain"].attrs["lower"]) == [-1, -1]
        assert file["equation"].attrs["latex"].splitlines() == ["u_{xx} + u_{yy} = f", "u = 0"]
        assert file["points/interior"].shape == (50, 2)
        assert file["points/left_side_inflow"].attrs["name"] == "left side/inflow"
        assert file["history/step"].is_scale
        assert file["history/loss"].dims[0].keys() == ["step"]
        assert file["history/step"].dtype == file["history/refinement"].dtype == np.int64
        assert file["solution/u"].dtype == np.float64
        assert [dim.keys() for dim in file["solution/u"].dims] == [["x"], ["y"]]
        assert np.array_equal(file["solution/u"].dims[1]["y"][()], np.linspace(-1, 1, 7))
        assert {"units", "long_name"} <= set(file["solution/exact_u"].attrs)
        assert file["metrics"].attrs["relative_l2"] == 1.25e-9
        assert file["model/parameters"].shape == (96,)
        assert file["law"].attrs["verdict"] == "candidate" and file["law/candidates/sympy"].asstr()[()].tolist() == ["0.3*x"]
        assert file["law/constants/value"][()].tolist() == [0.3] and not file["law/constants/snapped"][0]
        assert '"widths": [2, [2, 2], 1]' in file["model"].attrs["architecture"]
        layer = file["model/edges/layer_0"]
        assert layer["curves"].shape == (7, 2, 33) and layer["scores"].shape == (7, 2) and layer["nodes"].shape == (2,)
        assert layer.attrs["sums"] == 2 and layer.attrs["arities"].tolist() == [2, 3]
        assert layer["symbols"].asstr()[1].tolist() == ["1.5 sin(2 x + 0.1)", ""]
        assert layer["outside"][()].tolist() == [0, 1] and "symbols" not in file["model/edges/layer_1"]  # all are numeric


def test_edges_of_older_files_have_one_arity(saved):
    with h5py.File(saved, "r+") as file:
        layer = file["model/edges/layer_0"]
        for key in ("symbols", "scores", "nodes", "outside"):
            del layer[key]
        del layer.attrs["arities"]
        layer.attrs["products"], layer.attrs["arity"] = 2, 3
    first, second = load(saved).edges
    assert (first.arities, first.products, second.arities) == ((3, 3), 2, ())
    assert first.scores is first.nodes is first.outside is None and (first.symbols == "").all()


def test_xarray_opens_the_tree(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    result = replace(make_result(), status="interrupted", checkpoint=make_checkpoint())
    path = save(result, tmp_path / "a.h5")
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert tree.attrs["Conventions"] == "kanpde-1"
        assert tree["solution"]["u"].dims == ("x", "y")
        middle = tree["solution"]["u"].sel(x=0, y=0, method="nearest")
        assert float(middle) == result.solution["u"][4, 3]
        assert tree["history"]["loss"].dims == ("step",)
        assert np.array_equal(tree["history"]["seconds"], result.history["seconds"])
        assert tree["history"]["refinement"].sel(step=3) == 9
        assert tree["points"]["interior"].shape == (50, 2)
        assert tree["checkpoint"]["square"].shape == (3, 3)
        assert tree["model/edges/layer_1"]["curves"].shape == (1, 4, 33)
        assert tree["provenance"].attrs["seed"] == 0
        tree.load()


def test_xarray_opens_a_solution_on_points(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    path = save(make_points_result(), tmp_path / "a.h5")
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert tree["solution"]["u"].dims == tree["solution"]["points"].dims[:1] == ("points:n",)


# ------------------------------------------------------------------------------------ files that are not


def assert_unreadable(path, *words):
    with pytest.raises(ValueError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and ";" in message  # which, what; the fix
    for word in words:
        assert word in message
    return message


@pytest.mark.parametrize("kept", [0, 1, 8, 50, 96, 2000, 0.25, 0.5, 0.9, 0.999, -1])
def test_truncated_file(saved, kept):
    whole = saved.read_bytes()
    length = int(kept * len(whole)) if isinstance(kept, float) else kept
    saved.write_bytes(whole[:length])
    assert_unreadable(saved, "truncated", "run the experiment again")


@contextmanager
def a_gigabyte_at_most():
    """What this process may take from here on, on Linux: HDF5 allocates whatever length a damaged text has."""
    before, now = resource.getrlimit(resource.RLIMIT_AS), Path("/proc/self/statm")
    if now.exists():
        resource.setrlimit(resource.RLIMIT_AS, (int(now.read_text().split()[0]) * resource.getpagesize() + 2**30, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_damaged_files_never_crash(saved):
    whole = saved.read_bytes()
    random = np.random.default_rng(0)
    with a_gigabyte_at_most():
        for _ in range(40):
            image = bytearray(whole)
            start = int(random.integers(0, len(image)))
            image[start : start + 200] = random.bytes(len(image[start : start + 200]))
            saved.write_bytes(bytes(image))
            try:
                assert isinstance(load(saved), Result)  # numbers changed: no format can tell without a checksum
            except ValueError as error:
                assert str(saved) in str(error)


@pytest.mark.parametrize("content", [b"PK\x03\x04 an archive", b"x", b"step,loss\n0,1.0\n" * 100])
def test_file_that_is_not_hdf5(tmp_path, content):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    assert_unreadable(path, "is not an HDF5 file")


def test_pickle_is_not_executed(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"cos\nmkdir\n(S'" + str(tmp_path / "executed").encode() + b"'\ntR.")
    assert_unreadable(path, "is not an HDF5 file")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("conventions", [None, "CF-1.8", 3, "kanpde-2"])
def test_foreign_hdf5(tmp_path, conventions):
    path = tmp_path / "a.h5"
    with open_file(path, "w") as file:
        file["u"] = np.arange(3)
        if conventions is not None:
            file.attrs["Conventions"] = conventions
    assert_unreadable(path, repr(conventions))


@pytest.mark.parametrize("missing", ["provenance", "domain", "points", "history", "solution", "metrics", "model", "model/parameters"])
def test_incomplete_group(saved, missing):
    with open_file(saved, "r+") as file:
        del file[missing]
    assert_unreadable(saved, "incomplete", missing.split("/")[-1], "run the experiment again")


@pytest.mark.parametrize(
    ("group", "attribute"), [("/", "status"), ("domain", "lower"), ("model", "architecture"), ("solution", "unknowns")]
)
def test_incomplete_attribute(saved, group, attribute):
    with open_file(saved, "r+") as file:
        del file[group].attrs[attribute]
    assert_unreadable(saved, "incomplete", attribute)


def test_damaged_attributes(saved):
    with open_file(saved, "r+") as file:
        file["model"].attrs["architecture"] = "{not JSON"
    assert_unreadable(saved, "damaged")
    with open_file(saved, "r+") as file:
        file["model"].attrs["architecture"] = "{}"
        file.attrs["status"] = "done"
    assert_unreadable(saved, "'done'")


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.h5: No such file"):
        load(tmp_path / "absent.h5")
    with pytest.raises(ResultsError, match="Is a directory"):
        load(tmp_path)


# ---------------------------------------------------------------------------------- saving that cannot be


def assert_save_fails(path, reason, *, number):
    """Saving raises one clear error, leaves what was there, and no temporary file."""
    directory = path.parent
    before = {entry: entry.read_bytes() for entry in directory.iterdir()} if directory.is_dir() else None
    with pytest.raises(OSError) as caught:
        save(make_result(seed=5), path)
    assert isinstance(caught.value, ResultsError)
    message = str(caught.value)
    assert str(path) in message and reason in message and "--results" in message and "\n" not in message
    assert caught.value.errno == number
    if before is not None:
        assert {entry: entry.read_bytes() for entry in directory.iterdir()} == before


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES])
def test_system_call_that_fails(saved, monkeypatch, call, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        assert_save_fails(saved, os.strerror(number), number=number)
        fix = "free some space" if number in (errno.ENOSPC, errno.EDQUOT) else "writable"
        with pytest.raises(ResultsError, match=fix):
            save(make_result(seed=5), saved)
    assert_same(load(saved), make_result())


class FullStream(io.FileIO):
    """A file on a device that is full: its bytes go to /dev/full."""

    def write(self, data, /):
        with open("/dev/full", "wb", buffering=0) as full:
            return full.write(data)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_device_that_is_full(saved, monkeypatch):
    monkeypatch.setattr(hdf5, "open", FullStream, raising=False)
    assert_save_fails(saved, "No space left on device", number=errno.ENOSPC)


@contextmanager
def largest_file(size):
    """Let the system refuse to write files beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [0, 1000, 50_000])
def test_write_that_the_system_refuses_midway(saved, size):
    with largest_file(size):
        assert_save_fails(saved, "File too large", number=errno.EFBIG)
    assert_same(load(saved), make_result())
    assert_same(load(save(make_result(seed=5), saved)), make_result(seed=5))


@pytest.fixture
def disk(tmp_path):
    """A disk of 256 kB, where the system lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_disk_that_is_full(disk):
    path = save(replace(make_result(), edges=()), disk / "experiment-s0.h5")
    free = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - 8192))
    assert_save_fails(path, "No space left on device", number=errno.ENOSPC)
    assert_same(load(path), replace(make_result(), edges=()))
    (disk / "ballast").unlink()
    path.unlink()
    assert_same(load(save(make_result(seed=5), path)), make_result(seed=5))


def test_disk_that_is_read_only(disk):
    path = save(make_result(), disk / "experiment-s0.h5")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert_save_fails(path, "Read-only file system", number=errno.EROFS)
    assert_save_fails(disk / "new" / "a.h5", "Read-only file system", number=errno.EROFS)


def test_directory_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultsError, match="could not write results to .*choose another directory with --results"):
        save(make_result(), tmp_path / "file" / "a.h5")
    with pytest.raises(ResultsError, match="--results"):
        save(make_result(), tmp_path / "file" / "below" / "a.h5")
    assert os.listdir(tmp_path) == ["file"]


def test_read_only_directory(saved):
    saved.parent.chmod(0o500)
    try:
        if os.access(saved.parent, os.W_OK):
            pytest.skip("permission bits do not bind this user, who may be root")
        assert_save_fails(saved, "Permission denied", number=errno.EACCES)
    finally:
        saved.parent.chmod(0o700)


def test_directory_in_the_place_of_the_file(tmp_path):
    (tmp_path / "a.h5").mkdir()
    with pytest.raises(ResultsError, match="directory"):
        save(make_result(), tmp_path / "a.h5")
    assert os.listdir(tmp_path) == ["a.h5"]


def test_interrupt_leaves_nothing_behind(saved, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save(make_result(seed=5), saved)
    assert os.listdir(saved.parent) == [saved.name]
    assert_same(load(saved), make_result())


def test_directory_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch):
    sync = os.fsync

    def refuse_directories(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_directories)
    assert_same(load(save(make_result(), tmp_path / "a.h5")), make_result())


def test_leftovers_of_killed_runs_are_removed(tmp_path):
    old, fresh = tmp_path / ".kanpde-0.partial", tmp_path / ".kanpde-1.partial"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(old, (0, time.time() - 7200))
    save(make_result(), tmp_path / "a.h5")
    assert sorted(os.listdir(tmp_path)) == [".kanpde-1.partial", "a.h5"]


def test_killed_while_saving_leaves_a_whole_file(saved):
    program = f"""
{ALONE}
result = results.load({str(saved)!r})
print("ready", flush=True)
while True:
    results.save(result, {str(saved)!r})
"""
    for delay in (0.01, 0.1):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            time.sleep(delay)
            process.kill()
        assert_same(load(saved), make_result())


# ------------------------------------------------------------------------------ results that cannot be files


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"history": {"loss": np.zeros(3)}}, "no 'step'"),
        ({"history": {"step": np.arange(3), "loss": np.zeros(4)}}, r"history/loss has shape \(4,\).* step \(3\)"),
        ({"solution": {"u": np.zeros((7, 9))}}, r"solution/u has shape \(7, 9\).* x \(9\), y \(7\)"),
        ({"solution": {"u": np.zeros(9)}}, r"solution/u has shape \(9,\)"),
        ({"points": {"interior": np.zeros(4)}}, r"points/interior has shape \(4,\)"),
        ({"parameters": np.array(["a"])}, "arrays of numbers only"),
        ({"checkpoint": {"state": np.array([None])}}, "arrays of numbers only"),
        ({"checkpoint": {"state": [1, 2]}}, "@state is"),
        ({"checkpoint": {"state": 2**64}}, "64 bits"),
        ({"provenance": {"git_commit": None}}, "@git_commit is None"),
        ({"metrics": {"relative_l2": None}}, "@relative_l2 is None"),
        ({"architecture": {"basis": object()}}, "JSON"),
    ],
)
def test_result_that_cannot_be_a_file(saved, changes, words):
    before = saved.read_bytes()
    with pytest.raises((ValueError, TypeError), match=words):
        save(replace(make_result(), **changes), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


# -------------------------------------------------------------------------------------- the index of a sweep


def test_index_links_open(tmp_path):
    paths = [save(make_result(seed=seed), tmp_path / "sweep" / f"nu=0.1-s{seed}.h5") for seed in range(2)]
    paths.append(save(make_result(seed=2), tmp_path / "sweep" / "poisson" / "experiment-s2.h5"))
    paths.append(save(make_result(seed=3), tmp_path / "elsewhere" / "other-s3.h5"))
    index = write_index(tmp_path / "sweep", paths)
    assert index == tmp_path / "sweep" / "index.h5"
    moved = tmp_path / "moved"
    (tmp_path / "sweep").rename(moved)
    with open_file(moved / "index.h5") as file:
        names = ["nu=0.1-s0", "nu=0.1-s1", "poisson/experiment-s2", "other-s3"]
        for seed, name in enumerate(names):
            assert isinstance(file.get(name, getlink=True), h5py.ExternalLink)
            assert file[name].attrs["status"] == "complete"
            assert np.array_equal(file[name]["solution/u"][()], make_result(seed=seed).solution["u"])
    assert_unreadable(moved / "index.h5", "index of a sweep", "nu=0.1-s0, nu=0.1-s1")


def test_files_that_an_index_links_to(tmp_path):
    paths = [save(make_result(seed=seed), tmp_path / "sweep" / f"a-s{seed}.h5") for seed in range(2)]
    paths.append(save(make_result(), tmp_path / "sweep" / "poisson" / "b-s0.h5"))
    paths.append(tmp_path / "sweep" / "absent-s0.h5")
    assert linked(write_index(tmp_path / "sweep", paths)) == paths
    assert linked(paths[0]) == [paths[0]] and linked(paths[-1]) == [paths[-1]]
    (tmp_path / "other.h5").write_text("no HDF5")
    assert linked(tmp_path / "other.h5") == [tmp_path / "other.h5"]


def test_whether_a_file_is_of_a_complete_run(saved, tmp_path):
    assert is_complete(saved)
    assert not is_complete(save(make_result(status="interrupted"), tmp_path / "part.h5"))
    assert not is_complete(tmp_path / "absent.h5") and not is_complete(tmp_path)
    saved.write_bytes(saved.read_bytes()[:1000])
    assert not is_complete(saved)


def test_index_works_with_relative_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save(make_result(), "results/poisson/experiment-s0.h5")
    assert write_index("results/poisson", [path]) == Path("results/poisson/index.h5")
    with open_file(tmp_path / "results/poisson/index.h5") as file:
        assert file["experiment-s0/history/loss"].shape == (6,)


def test_index_of_two_files_with_one_name(tmp_path):
    with pytest.raises(ValueError, match="two files of the sweep are called 'a'"):
        write_index(tmp_path / "sweep", [tmp_path / "one" / "a.h5", tmp_path / "two" / "a.h5"])
    assert not (tmp_path / "sweep").exists()


def test_index_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultsError, match="index.h5"):
        write_index(tmp_path / "file", [])


def test_importing_the_room_alone_loads_nothing_heavy():
    program = f"""
{ALONE}
print(*sorted({{"torch", "h5py", "matplotlib", "sympy", "scipy"}} & set(sys.modules)))
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert printed.stdout == "\n"
