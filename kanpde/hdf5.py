"""HDF5 files: whole or absent, with arrays, texts and numbers as plain HDF5 keeps them.

A file is composed in memory, so that HDF5 never meets a full disk, then written beside its place, synced and renamed. Names that HDF5
cannot hold are replaced and kept in @name; a dataset with a colon in its name (``interior:n``) only names a dimension, as netCDF does,
and holds no data.
"""

import errno
import io
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

SIGNATURE = b"\x89HDF\r\n\x1a\n"  # how every HDF5 file begins

Node = Any  # an open h5py group or dataset, which h5py's own annotations cannot tell apart
Attributes = Mapping[str, object]
Names = Sequence[str]


class ResultsError(OSError):
    """A results file could not be read or written; the message says which, why, and what to do."""


class Foreign(Exception):
    """A file is sound, but not what was asked for; the message says why and what to do."""


@contextmanager
def composed(base: bytes = b"") -> Iterator[tuple[Node, io.BytesIO]]:
    """An open file in memory, empty or of the bytes ``base``, and where its bytes are once it is closed."""
    import h5py

    image = io.BytesIO(base)
    with h5py.File(image, "r+" if base else "w", track_order=True) as file:
        yield file, image


def read_bytes(path: Path, what: str = "results") -> bytes:
    """The bytes of a file; FileNotFoundError or ResultsError, which say what to do, if they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ResultsError
        hint = "; check the name or run it first" if what == "results" else "; check the name"
        raise kind(f"could not read {what} from {path}: {error.strerror}{hint}") from error


@contextmanager
def opened(path: Path, image: bytes, remedy: str = "delete it and run the experiment again") -> Iterator[Node]:
    """The file with the bytes ``image``, open for reading; whatever goes wrong in it is a ValueError that names ``path`` and ``remedy``.

    A :class:`Foreign` error passes with its own words.
    """
    import h5py

    try:
        file = h5py.File(io.BytesIO(image), "r")
    except OSError as error:
        reason = f"is truncated or damaged ({len(image)} bytes are left); {remedy}"
        if image[:8] != SIGNATURE[: len(image)]:
            reason = f"is not an HDF5 file (it starts with {image[:8]!r}); give a results file, which ends in .h5"
        raise ValueError(f"{path} {reason}") from error
    with file:
        try:
            yield file
        except Foreign as error:
            raise ValueError(f"{path} {error}") from None
        except Exception as error:  # whatever h5py and NumPy make of damaged bytes
            raise ValueError(f"{path} is incomplete or damaged: {error}; {remedy}") from error


def write_whole(path: Path, image: bytes, what: str = "results", *, elsewhere: str = " with --results") -> Path:
    """Put the bytes at ``path`` in one step: write beside it, sync, rename, sync the directory.

    Raises ResultsError when it cannot be written: what was there before is left as it was.
    """
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
        reason = f"{error.strerror or error}; {fix} or choose another directory{elsewhere}"
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


def put_array(group: Node, key: str, values: np.ndarray, dims: Names = (), about: Attributes | None = None) -> None:
    """Write one array with a name for each dimension: ``:n`` is its own, and an array named as its dimension a scale.

    Without ``dims``, all dimensions are its own and its type is kept, else it takes 64 bits. Raises ValueError when
    ``values`` do not fit the dimensions that are there, TypeError when they are not numbers.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "biufc" and not values.dtype.metadata:  # HDF5's own texts have some
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
    put_attributes(dataset, {**(about or {}), **({"name": key} if name != key else {})})
    if dims == [name]:
        dataset.make_scale(name)
        return
    for axis, (dim, size) in enumerate(zip(dims, values.shape, strict=True)):
        if dim not in group:
            label = f"This is a netCDF dimension but not a netCDF variable.{size:10d}"
            group.create_dataset(dim, shape=(size,), dtype="f4").make_scale(label)
        dataset.dims[axis].attach_scale(group[dim])


def put_group(parent: Node, name: str, attributes: Attributes | None = None) -> Node:
    group = parent.create_group(name, track_order=True)
    put_attributes(group, attributes or {})
    return group


def put_arrays(parent: Node, name: str, values: Mapping[str, np.ndarray]) -> Node:
    """A group of arrays in their own types, which :func:`arrays` reads."""
    group = put_group(parent, name)
    for key, value in values.items():
        put_array(group, key, value)
    return group


def put_attributes(node: Node, attributes: Attributes) -> None:
    for key, value in attributes.items():
        node.attrs[key] = kept_as(f"{node.name}/@{key}", value)


def kept_as(where: str, value: object) -> Any:
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


def datasets(group: Node) -> dict[str, Any]:
    """The datasets of a group by the names they were given, less those that only name a dimension."""
    found = [(key, group[key]) for key in group if ":" not in key]
    return {data.attrs.get("name", key): data for key, data in found}


def arrays(group: Node) -> dict[str, np.ndarray]:
    found = datasets(group)
    return {key: np.asarray((data.asstr() if data.dtype.kind == "O" else data)[()]) for key, data in found.items()}


def attributes(group: Node) -> dict[str, Any]:
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in group.attrs.items()}
