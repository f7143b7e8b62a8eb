"""What a run leaves behind: the `Result`, its HDF5 file, and the index of a sweep.

It is plain HDF5 with named dimensions (:mod:`kanpde.hdf5`), for h5py, HDFView and ``xarray.open_datatree(path, engine="h5netcdf")``,
in the groups that `_write_result` fills.
"""

import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kanpde.edges import Edges
from kanpde.hdf5 import (
    Foreign,
    Node,
    arrays,
    attributes,
    composed,
    datasets,
    kept_as,
    opened,
    put_array,
    put_arrays,
    put_attributes,
    put_group,
    read_bytes,
    write_whole,
)
from kanpde.law_files import LAW_CONVENTIONS, read_law, write_law
from kanpde.version_files import Version, read_versions, write_versions

CONVENTIONS = "kanpde-1"
INDEX_CONVENTIONS = "kanpde-1-index"
POINTS_KEPT = 100_000
STATUSES = ("complete", "interrupted", "failed")
TEXTS = ("problem_source", "experiment_repr")  # long texts of the provenance: datasets, not attributes
EDGES = {"inputs": ("input:n", "sample:n"), "curves": ("output:n", "input:n", "sample:n")}  # what is kept of a layer's edges, by dimensions
EDGES |= {key: ("output:n", "input:n") for key in ("importance", "symbols", "scores")} | {key: ("input:n",) for key in ("nodes", "outside")}


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
    ``residual`` of the equation, or ``residual_0``, ``residual_1``, ... of a system's. Of data, at the inputs of all rows, ``target_u`` (or
    ``label``, ``predicted``), ``split`` (a place in ``equation["splits"]``) and ``row``; metrics are ``train_rmse``, ``test_rmse``, ...

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
    network: dict[str, np.ndarray] = field(default_factory=dict)  # of a network that a replay cannot build: architecture["network"]
    versions: tuple[Version, ...] = ()  # of the networks on the way, if they were asked for
    retention: dict[str, np.ndarray] = field(default_factory=dict)  # of a sequence of tasks: errors after each, (T + 1, T)
    law: dict[str, Any] | None = None  # as Law.to_plain wrote it; Law.from_plain(result.law) is the law

    def __repr__(self) -> str:
        """A line: which run this is, and its main numbers."""
        shown = [name for name in ("relative_l2", "test_rmse", "test_accuracy", "loss", "parameters", "seconds") if name in self.metrics]
        words = ", ".join(f"{name}={self.metrics[name]:.4g}" for name in shown)
        return f"Result({self.problem}/{self.experiment} seed {self.provenance.get('seed')}: {self.status}; {words})"

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"a result's status is one of {', '.join(STATUSES)}, not {self.status!r}")


def save(result: Result, path: str | Path) -> Path:
    """Write a result to ``path``, whole or not at all, and return the path; missing directories are made.

    Arrays take 64 bits, except those of the checkpoint and of networks, which keep their types. Of more than 100 000 points the first
    100 000 are kept, and @count tells how many there were.

    Raises ResultsError (an OSError) when the file cannot be written: what was there before is left as it was.
    Raises ValueError or TypeError, before anything is written, when the result cannot be a file: arrays whose lengths
    disagree, values that are not numbers or texts.
    """
    with composed() as (file, image):
        _write_result(file, result)
    return write_whole(Path(path), image.getvalue())


def load(path: str | Path) -> Result:
    """Read a result back, bit for bit; nothing in the file is executed.

    Raises ValueError when the file is truncated, damaged, incomplete or not kanpde's, FileNotFoundError when there is
    none, ResultsError (an OSError) when it cannot be read at all.
    """
    image = read_bytes(Path(path))
    with opened(Path(path), image) as file:
        _check_ours(file)
        return _read_result(file)


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

    with composed() as (file, image):
        put_attributes(file, {"Conventions": INDEX_CONVENTIONS, "title": "index of a sweep"})
        for relative in [Path(os.path.relpath(path, directory)) for path in paths]:
            name = relative.stem if ".." in relative.parts else relative.with_suffix("").as_posix()
            if name in file:
                raise ValueError(f"two files of the sweep are called {name!r}; index a directory above both")
            file[name] = h5py.ExternalLink(relative.as_posix(), "/")
    return write_whole(Path(directory) / "index.h5", image.getvalue())


def _write_result(file: Node, result: Result) -> None:
    """Fill an open file, group by group: provenance, domain, points, history, solution, metrics, retention, law, model."""
    root = {"Conventions": CONVENTIONS, "title": f"{result.problem}, {result.experiment}"}
    root |= {"created": result.provenance.get("created") or datetime.now(UTC).isoformat(timespec="seconds")}
    root |= {"status": result.status, "problem": result.problem, "experiment": result.experiment}
    put_attributes(file, root)
    provenance = put_group(file, "provenance", {k: v for k, v in result.provenance.items() if k not in TEXTS})
    for key in [key for key in TEXTS if key in result.provenance]:
        provenance.create_dataset(key, data=kept_as(key, result.provenance[key]))
    put_group(file, "equation", result.equation)
    lower, upper = np.asarray(result.lower, np.float64), np.asarray(result.upper, np.float64)
    put_group(file, "domain", {"names": result.coordinates, "lower": lower, "upper": upper})
    points, history = put_group(file, "points"), put_group(file, "history")
    for key, values in result.points.items():
        about = {"count": len(values)} | ({"sampling": result.sampling[key]} if key in result.sampling else {})
        put_array(points, key, values[:POINTS_KEPT], (":n", "points:d"), about)
    if result.history and "step" not in result.history:
        raise ValueError(f"the history has {', '.join(result.history)} but no 'step'; add the step numbers")
    for key in sorted(result.history, key=lambda key: key != "step"):
        about = {"units": "s" if key == "seconds" else "1", "long_name": key.replace("_", " ")}
        put_array(history, key, result.history[key], ("step",), about)
    _write_solution(put_group(file, "solution", {"unknowns": result.unknowns}), result)
    put_group(file, "metrics", result.metrics)
    if result.retention:
        kept = put_group(file, "retention")
        for key, values in result.retention.items():
            dims = ("place:n",) if key == "points" else ("after:n", "place:n" if key.startswith("after_") else "task:n")
            put_array(kept, key, values, dims)
    if result.versions:
        write_versions(file, result.versions)
    if result.law is not None:
        write_law(file, result.law)
    _write_model(put_group(file, "model", {"architecture": json.dumps(result.architecture)}), result)
    if result.checkpoint is not None:
        checkpoint = put_group(file, "checkpoint")
        for key, value in result.checkpoint.items():
            if isinstance(value, np.ndarray):
                put_array(checkpoint, key, value)
            else:
                put_attributes(checkpoint, {key: value})


def _write_solution(group: Node, result: Result) -> None:
    for key, values in result.axes.items():
        put_array(group, key, values, (key,), {"units": "1", "long_name": f"coordinate {key}"})
    if result.solution_points is not None:
        put_array(group, "points", result.solution_points, (":n", "points:d"))
    for key, values in result.solution.items():
        name = key.replace("exact_", "reference ").replace("error_", "error of ").replace("_", " ")
        about = {"units": "1", "long_name": f"solution {key}" if key in result.unknowns else name}
        put_array(group, key, values, tuple(result.axes) or ("points:n",), about)


def _write_model(group: Node, result: Result) -> None:
    import h5py

    put_array(group, "parameters", result.parameters, (":n",))
    if result.network:
        put_arrays(group, "network", result.network)
    edges = put_group(group, "edges")
    for index, edge in enumerate(result.edges):
        layer = put_group(edges, f"layer_{index}", {"sums": edge.sums, "arities": np.array(edge.arities, dtype=np.int64)})
        for key, dims in EDGES.items():
            values = getattr(edge, key)
            if key == "symbols":
                values = values.astype(h5py.string_dtype()) if (values != "").any() else None
            if values is not None:
                put_array(layer, key, values, dims)


def _check_ours(file: Node) -> None:
    """Raise why this HDF5 file is not a result, and what to do."""
    found = file.attrs.get("Conventions")
    if not isinstance(found, str) or not found.startswith("kanpde-"):
        raise Foreign(f"is HDF5 but not of kanpde (its @Conventions is {found!r}); give a file that run_experiments.py wrote")
    if found == INDEX_CONVENTIONS:
        raise Foreign(f"is the index of a sweep; load one of the files it links to: {', '.join(file)}")
    if found == LAW_CONVENTIONS:
        raise Foreign("holds a law and no run; read it with load_law")
    if found != CONVENTIONS:
        raise Foreign(f"is {found!r}, not {CONVENTIONS!r}; read it with the kanpde that wrote it")


def _read_result(file: Node) -> Result:
    provenance, domain = file["provenance"], file["domain"].attrs
    texts = {key: provenance[key].asstr()[()] for key in TEXTS if key in provenance}
    points = datasets(file["points"]).items()
    axes = {key: data[()] for key, data in datasets(file["solution"]).items() if data.is_scale}
    solution = {key: values for key, values in arrays(file["solution"]).items() if key not in axes}
    checkpoint = file.get("checkpoint")
    return Result(
        **{key: file.attrs[key] for key in ("problem", "experiment", "status")},
        provenance={**attributes(provenance), **texts},
        equation=attributes(file["equation"]),
        coordinates=tuple(domain["names"]),
        lower=domain["lower"],
        upper=domain["upper"],
        points=arrays(file["points"]),
        sampling={key: data.attrs["sampling"] for key, data in points if "sampling" in data.attrs},
        history=arrays(file["history"]),
        axes=axes,
        solution_points=None if axes else solution.pop("points", None),
        solution=solution,
        unknowns=tuple(file["solution"].attrs["unknowns"]),
        metrics=attributes(file["metrics"]),
        parameters=file["model/parameters"][()],
        architecture=json.loads(file["model"].attrs["architecture"]),
        edges=tuple(map(_read_edges, file["model/edges"].values())),
        network=arrays(file["model/network"]) if "network" in file["model"] else {},
        versions=read_versions(file),
        retention=arrays(file["retention"]) if "retention" in file else {},
        law=read_law(file),
        checkpoint=None if checkpoint is None else {**attributes(checkpoint), **arrays(checkpoint)},
    )


def _read_edges(layer: Node) -> Edges:
    """One layer; older files have one arity for all product nodes, and no attribution."""
    values, about = arrays(layer), attributes(layer)
    arities = about["arities"].tolist() if "arities" in about else [about["arity"]] * about["products"]
    return Edges(**{key: values[key] for key in EDGES if key in values}, sums=about["sums"], arities=tuple(arities))
