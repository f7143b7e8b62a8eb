"""What a run leaves behind: the `Result`, its HDF5 file, and the index of a sweep.

A file is whole or absent: composed in memory, so that HDF5 never meets a full disk, then written beside its place,
synced and renamed. It is plain HDF5 with named dimensions, for h5py, HDFView and
``xarray.open_datatree(path, engine="h5netcdf")``, in the groups that `_write_result` fills. Names that
HDF5 cannot hold are replaced and kept in @name; a dataset with a colon in its name (``interior:n``) only names a
dimension, as netCDF does, and holds no data.
"""

import errno
import io
import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

CONVENTIONS = "kanpde-1"
INDEX_CONVENTIONS = "kanpde-1-index"
POINTS_KEPT = 100_000
SIGNATURE = b"\x89HDF\r\n\x1a\n"  # how every HDF5 file begins
STATUSES = ("complete", "interrupted", "failed")
TEXTS = ("problem_source", "experiment_repr")  # long texts of the provenance: datasets, not attributes

Node = Any  # an open h5py group or dataset, which h5py's own annotations cannot tell apart
Attributes = Mapping[str, object]
Names = Sequence[str]


class ResultsError(OSError):
    """A results file could not be read or written; the message says which, why, and what to do."""


@dataclass(frozen=True, eq=False)
class Edges:
    """One layer of the network as it is drawn: its edge functions where the data passed.

    The layer has sums + products outputs, products last: product j multiplies the linear outputs
    sums + arity j ... sums + arity (j + 1) - 1.
    """

    inputs: np.ndarray  # (in, S): where each edge curve is evaluated, the range that the data visited
    curves: np.ndarray  # (linear outputs, in, S)
    importance: np.ndarray  # (linear outputs, in): standard deviation of each edge's contribution, >= 0; NaN: no edge
    sums: int
    products: int
    arity: int

    @property
    def count(self) -> int:
        """The number of edges."""
        return int((~np.isnan(self.importance)).sum())


@dataclass(frozen=True, eq=False)
class Result:
    """Arrays and provenance of one run: all that figures, tables and a resumed run need.

    ``history`` has one entry a step, in columns: ``step`` (from 1, over all rungs), ``seconds`` of training since the run began
    (cumulative, over interruptions too), ``loss`` = sum of ``loss_equation`` and ``loss_<condition>`` (weight times mean square),
    ``error_l2`` (relative, at 1,000 random points; NaN without a solution to compare with), ``damping`` (that of Levenberg-Marquardt,
    the learning rate of Adam, NaN for L-BFGS), ``refinement`` (degree or intervals of the basis), with ``Balance`` the present
    ``weight_<block>``, with ``Sparsify`` and ``Smooth`` what they add to the loss, ``loss_sparsity`` and ``loss_smoothness``, and what a
    ``Record`` adds.

    ``solution`` has each unknown by name; with a solution to compare with, ``exact_u`` and ``error_u`` = u - exact_u (signed); and
    ``residual`` of the equation, or ``residual_0``, ``residual_1``, ... of a system's.

    ``metrics``, all on that grid: ``relative_l2``, ``relative_h1`` (NaN where exact is 0 or its gradient unknown), ``rms_error``,
    ``max_error``, ``mse``, ``residual_rms``, ``grid_points``; and ``residual_rms_training`` on the collocation points,
    ``parameters``, ``steps``, ``seconds``, ``loss``, ``seconds_to_1e-3`` and ``_1e-6`` (NaN if never reached).

    Raises ValueError when ``status`` is not one of complete, interrupted, failed.
    """

    problem: str
    experiment: str
    status: str
    provenance: dict[str, str | int | float | bool]  # command, versions, seed, wall_seconds, problem_source, ...
    equation: dict[str, str]  # "latex", a line an equation or condition; "text", as the user wrote them
    coordinates: tuple[str, ...]
    lower: np.ndarray  # (d,)
    upper: np.ndarray  # (d,)
    points: dict[str, np.ndarray]  # "interior" (n, d) and each condition's (m, d)
    sampling: dict[str, str]  # the same keys: how they were drawn, in words
    history: dict[str, np.ndarray]  # step, seconds, loss, ...: all (steps,)
    axes: dict[str, np.ndarray]  # one for each coordinate of a box of 1-3 dimensions, else {}
    solution: dict[str, np.ndarray]  # on the axes' tensor grid, or (n,) on solution_points
    solution_points: np.ndarray | None  # (n, d) when axes is empty
    unknowns: tuple[str, ...]
    metrics: dict[str, float | int]
    parameters: np.ndarray  # (P,)
    architecture: dict[str, Any]  # JSON-able; tuples come back as lists
    edges: tuple[Edges, ...]
    checkpoint: dict[str, np.ndarray | float | int | str] | None  # only in unfinished files

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"a result's status is one of {', '.join(STATUSES)}, not {self.status!r}")


def save(result: Result, path: str | Path) -> Path:
    """Write a result to ``path``, whole or not at all, and return the path; missing directories are made.

    Arrays take 64 bits, except in the checkpoint, which keeps its types. Of more than 100 000 points the first 100 000
    are kept, and @count tells how many there were.

    Raises ResultsError (an OSError) when the file cannot be written: what was there before is left as it was.
    Raises ValueError or TypeError, before anything is written, when the result cannot be a file: arrays whose lengths
    disagree, values that are not numbers or texts.
    """
    import h5py

    image = io.BytesIO()
    with h5py.File(image, "w", track_order=True) as file:
        _write_result(file, result)
    return write_whole(Path(path), image.getvalue())


def load(path: str | Path) -> Result:
    """Read a result back, bit for bit; nothing in the file is executed.

    Raises ValueError when the file is truncated, damaged, incomplete or not kanpde's, FileNotFoundError when there is
    none, ResultsError (an OSError) when it cannot be read at all.
    """
    import h5py

    try:
        image = Path(path).read_bytes()
    except OSError as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ResultsError
        raise kind(f"could not read results from {path}: {error.strerror}; check the name or run it first") from error
    try:
        file = h5py.File(io.BytesIO(image), "r")
    except OSError as error:
        reason = f"is truncated or damaged ({len(image)} bytes are left); delete it and run the experiment again"
        if image[:8] != SIGNATURE[: len(image)]:
            reason = f"is not an HDF5 file (it starts with {image[:8]!r}); give a results file, which ends in .h5"
        raise ValueError(f"{path} {reason}") from error
    with file:
        try:
            foreign = _foreign(file)
            if not foreign:
                return _read_result(file)
        except Exception as error:  # whatever h5py and NumPy make of damaged bytes
            reason = f"is incomplete or damaged: {error}; delete it and run the experiment again"
            raise ValueError(f"{path} {reason}") from error
    raise ValueError(f"{path} {foreign}")


def is_complete(path: Path) -> bool:
    """Whether there is a readable file at ``path`` with the result of a complete run."""
    try:
        return load(path).status == "complete"
    except (ValueError, OSError):
        return False


def linked(path: Path) -> list[Path]:
    """The files that an index links to, in its order; ``path`` itself, alone, if it is no index or cannot be read."""
    import h5py

    def walk(group: Node) -> Iterable[Path]:
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                yield path.parent / link.filename
            else:
                yield from walk(group[name])

    try:
        with h5py.File(io.BytesIO(path.read_bytes()), "r") as file:
            return list(walk(file)) if file.attrs.get("Conventions") == INDEX_CONVENTIONS else [path]
    except Exception:  # damaged in any way: loading it says how
        return [path]


def write_index(directory: str | Path, paths: Iterable[str | Path]) -> Path:
    """Write ``directory/index.h5``, which holds an external link to each file of a sweep, and return its path.

    A link is named like its file, ``experiment-s0``; one in a subdirectory sits in a group,
    ``poisson/experiment-s0``. Names are relative: the directory may be moved. Raises ResultsError as `save` does.
    """
    import h5py

    image = io.BytesIO()
    with h5py.File(image, "w", track_order=True) as file:
        _set_attributes(file, {"Conventions": INDEX_CONVENTIONS, "title": "index of a sweep"})
        for relative in [Path(os.path.relpath(path, directory)) for path in paths]:
            name = relative.stem if ".." in relative.parts else relative.with_suffix("").as_posix()
            if name in file:
                raise ValueError(f"two files of the sweep are called {name!r}; index a directory above both")
            file[name] = h5py.ExternalLink(relative.as_posix(), "/")
    return write_whole(Path(directory) / "index.h5", image.getvalue())


def write_whole(path: Path, image: bytes, what: str = "results") -> Path:
    """Put the bytes at ``path`` in one step: write beside it, sync, rename, sync the directory. Raises ResultsError as `save` does."""
    temporary = path.parent / f".kanpde-{secrets.token_hex(8)}.partial"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as stream:
            stream.write(image)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        fix = f"free some space ({len(image) / 1e6:.1f} MB are needed)" if full else f"make {path.parent} writable"
        reason = f"{error.strerror or error}; {fix} or choose another directory with --results"
        raised = ResultsError(f"could not write {what} to {path}: {reason}")
        raised.errno = error.errno
        raise raised from error
    finally:
        with suppress(OSError):  # gone already when all went well; an error here must not hide the one above
            temporary.unlink()
    with suppress(OSError):  # the file is in place; the rest is for its future
        for orphan in path.parent.glob(".kanpde-*.partial"):  # of killed runs; a live one is seconds old
            if time.time() - orphan.stat().st_mtime > 3600:
                orphan.unlink()
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return path


def _write_result(file: Node, result: Result) -> None:
    """Fill an open file, group by group: provenance, domain, points, history, solution, metrics, model."""
    root = {"Conventions": CONVENTIONS, "title": f"{result.problem}, {result.experiment}"}
    root |= {"created": result.provenance.get("created") or datetime.now(UTC).isoformat(timespec="seconds")}
    root |= {"status": result.status, "problem": result.problem, "experiment": result.experiment}
    _set_attributes(file, root)
    provenance = _group(file, "provenance", {k: v for k, v in result.provenance.items() if k not in TEXTS})
    for key in [key for key in TEXTS if key in result.provenance]:
        provenance.create_dataset(key, data=_attribute(key, result.provenance[key]))
    _group(file, "equation", result.equation)
    lower, upper = np.asarray(result.lower, np.float64), np.asarray(result.upper, np.float64)
    _group(file, "domain", {"names": result.coordinates, "lower": lower, "upper": upper})
    points, history = _group(file, "points"), _group(file, "history")
    for key, values in result.points.items():
        about = {"count": len(values)} | ({"sampling": result.sampling[key]} if key in result.sampling else {})
        _write(points, key, values[:POINTS_KEPT], (":n", "points:d"), about)
    if result.history and "step" not in result.history:
        raise ValueError(f"the history has {', '.join(result.history)} but no 'step'; add the step numbers")
    for key in sorted(result.history, key=lambda key: key != "step"):
        about = {"units": "s" if key == "seconds" else "1", "long_name": key.replace("_", " ")}
        _write(history, key, result.history[key], ("step",), about)
    _write_solution(_group(file, "solution", {"unknowns": result.unknowns}), result)
    _group(file, "metrics", result.metrics)
    _write_model(_group(file, "model", {"architecture": json.dumps(result.architecture)}), result)
    if result.checkpoint is not None:
        checkpoint = _group(file, "checkpoint")
        for key, value in result.checkpoint.items():
            if isinstance(value, np.ndarray):
                _write(checkpoint, key, value)
            else:
                _set_attributes(checkpoint, {key: value})


def _write_solution(group: Node, result: Result) -> None:
    for key, values in result.axes.items():
        _write(group, key, values, (key,), {"units": "1", "long_name": f"coordinate {key}"})
    if result.solution_points is not None:
        _write(group, "points", result.solution_points, (":n", "points:d"))
    for key, values in result.solution.items():
        name = key.replace("exact_", "reference ").replace("error_", "error of ").replace("_", " ")
        about = {"units": "1", "long_name": f"solution {key}" if key in result.unknowns else name}
        _write(group, key, values, tuple(result.axes) or ("points:n",), about)


def _write_model(group: Node, result: Result) -> None:
    _write(group, "parameters", result.parameters, (":n",))
    edges = _group(group, "edges")
    for index, edge in enumerate(result.edges):
        layer = _group(edges, f"layer_{index}", {"sums": edge.sums, "products": edge.products, "arity": edge.arity})
        _write(layer, "inputs", edge.inputs, ("input:n", "sample:n"))
        _write(layer, "curves", edge.curves, ("output:n", "input:n", "sample:n"))
        _write(layer, "importance", edge.importance, ("output:n", "input:n"))


def _write(group: Node, key: str, values: np.ndarray, dims: Names = (), about: Attributes | None = None) -> None:
    """Write one array with a name for each dimension: ``:n`` is its own, and an array named as its dimension a scale.

    Without ``dims``, all dimensions are its own and its type is kept, else it takes 64 bits. Raises ValueError when
    ``values`` do not fit the dimensions that are there, TypeError when they are not numbers.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "biufc":
        raise TypeError(f"{group.name}/{key} holds {values.dtype} values; a results file keeps arrays of numbers only")
    if dims and values.dtype.kind in "fiu":
        values = values.astype(np.float64 if values.dtype.kind == "f" else np.int64, copy=False)
    name = re.sub(r"[^\w.+=-]+|^\.+", "_", key) or "_"  # what HDF5, netCDF and a shell take
    while name in group:
        name += "-2"
    dims = [name + dim if dim.startswith(":") else dim for dim in dims or [f":{axis}" for axis in range(values.ndim)]]
    known = {dim: len(group[dim]) for dim in dims if dim in group}
    if len(dims) != values.ndim or any(known.get(d, n) != n for d, n in zip(dims, values.shape, strict=True)):
        wanted = ", ".join(f"{dim} ({known[dim]})" if dim in known else dim for dim in dims)
        raise ValueError(f"{group.name}/{key} has shape {values.shape}; it needs one axis for each of: {wanted}")
    dataset = group.create_dataset(name, data=values)
    _set_attributes(dataset, {**(about or {}), **({"name": key} if name != key else {})})
    if dims == [name]:
        dataset.make_scale(name)
        return
    for axis, (dim, size) in enumerate(zip(dims, values.shape, strict=True)):
        if dim not in group:
            label = f"This is a netCDF dimension but not a netCDF variable.{size:10d}"
            group.create_dataset(dim, shape=(size,), dtype="f4").make_scale(label)
        dataset.dims[axis].attach_scale(group[dim])


def _group(parent: Node, name: str, attributes: Attributes | None = None) -> Node:
    group = parent.create_group(name, track_order=True)
    _set_attributes(group, attributes or {})
    return group


def _set_attributes(node: Node, attributes: Attributes) -> None:
    for key, value in attributes.items():
        node.attrs[key] = _attribute(f"{node.name}/@{key}", value)


def _attribute(where: str, value: object) -> Any:
    """A Python value as HDF5 keeps it: texts as UTF-8 of variable length, numbers as 64 bits."""
    import h5py

    if isinstance(value, str | bool | np.bool_ | np.ndarray):
        return value
    if isinstance(value, int | np.integer) and -(2**63) <= value < 2**63:
        return np.int64(value)
    if isinstance(value, float | np.floating):
        return np.float64(value)
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return np.array(value, dtype=h5py.string_dtype())
    raise TypeError(f"{where} is {value!r}; a results file keeps texts, truth values, floats and integers of 64 bits")


def _foreign(file: Node) -> str:
    """Why this HDF5 file is not a result and what to do, or nothing if it is one."""
    found = file.attrs.get("Conventions")
    if not isinstance(found, str) or not found.startswith("kanpde-"):
        return f"is HDF5 but not of kanpde (its @Conventions is {found!r}); give a file that run_experiments.py wrote"
    if found == INDEX_CONVENTIONS:
        return f"is the index of a sweep; load one of the files it links to: {', '.join(file)}"
    return "" if found == CONVENTIONS else f"is {found!r}, not {CONVENTIONS!r}; read it with the kanpde that wrote it"


def _read_result(file: Node) -> Result:
    provenance, domain = file["provenance"], file["domain"].attrs
    texts = {key: provenance[key].asstr()[()] for key in TEXTS if key in provenance}
    points = _datasets(file["points"]).items()
    axes = {key: data[()] for key, data in _datasets(file["solution"]).items() if data.is_scale}
    solution = {key: values for key, values in _arrays(file["solution"]).items() if key not in axes}
    checkpoint = file.get("checkpoint")
    return Result(
        **{key: file.attrs[key] for key in ("problem", "experiment", "status")},
        provenance={**_attributes(provenance), **texts},
        equation=_attributes(file["equation"]),
        coordinates=tuple(domain["names"]),
        lower=domain["lower"],
        upper=domain["upper"],
        points=_arrays(file["points"]),
        sampling={key: data.attrs["sampling"] for key, data in points if "sampling" in data.attrs},
        history=_arrays(file["history"]),
        axes=axes,
        solution_points=None if axes else solution.pop("points", None),
        solution=solution,
        unknowns=tuple(file["solution"].attrs["unknowns"]),
        metrics=_attributes(file["metrics"]),
        parameters=file["model/parameters"][()],
        architecture=json.loads(file["model"].attrs["architecture"]),
        edges=tuple(Edges(**_arrays(layer), **_attributes(layer)) for layer in file["model/edges"].values()),
        checkpoint=None if checkpoint is None else {**_attributes(checkpoint), **_arrays(checkpoint)},
    )


def _datasets(group: Node) -> dict[str, Any]:
    """The datasets of a group by the names they were given, less those that only name a dimension."""
    return {data.attrs.get("name", key): data for key, data in group.items() if ":" not in key}


def _arrays(group: Node) -> dict[str, np.ndarray]:
    return {key: np.asarray(data[()]) for key, data in _datasets(group).items()}


def _attributes(group: Node) -> dict[str, Any]:
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in group.attrs.items()}
