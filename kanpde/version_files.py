"""Versions of a network as plain data, and the group /versions of an HDF5 file that holds them.

Each version is a group named by its id, with the arrays of its network, and its parent, reason, error and description as attributes. The
group stands in a file of its own or in a results file. Adding to a file reads it, adds, and replaces it in one step, one process after
another, so that nothing is lost and a killed write leaves the file as it was.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kanpde.hdf5 import (
    Foreign,
    Node,
    ResultsError,
    arrays,
    attributes,
    composed,
    opened,
    put_arrays,
    put_attributes,
    put_group,
    read_bytes,
    write_whole,
)

CONVENTIONS = "kanpde-1-versions"
GROUP = "versions"
REMEDY = "restore it from a copy, or delete it: what it held cannot be read"


@dataclass(frozen=True, eq=False)
class Version:
    """A network as it was at one step of a workflow, with its parent, a one-line reason and its error.

    ``description`` and ``arrays`` are the network as plain data (:mod:`kanpde.architecture`). Versions of one id are one.
    """

    id: str
    parent: str | None
    reason: str
    error: float  # NaN if it was not given
    measure: str  # what the error is: "error", "relative_l2", "loss"
    created: str  # UTC, ISO 8601
    seconds: float  # that the step took; NaN if they were not given
    parameters: int
    edges: int  # of a KAN; 0 for others
    source: str = ""  # the run and the rung that it is of
    description: dict[str, Any] = field(default_factory=dict, repr=False)
    arrays: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


def write_versions(file: Node, versions: Sequence[Version]) -> None:
    """Add versions to the group /versions, which is made if there is none."""
    group = file[GROUP] if GROUP in file else put_group(file, GROUP)
    for version in versions:
        about = {"parent": version.parent or "", "reason": version.reason, "error": version.error, "measure": version.measure}
        about |= {
            "created": version.created,
            "seconds": version.seconds,
            "parameters": version.parameters,
            "edges": version.edges,
            "source": version.source,
        }
        put_attributes(put_arrays(group, version.id, version.arrays), about | {"description": json.dumps(version.description)})


def read_versions(file: Node, known: Mapping[str, Version] | None = None) -> tuple[Version, ...]:
    """The versions in the group /versions, in the order in which they were added; none if there is no such group.

    Those that are ``known`` by id are taken from there: a version never changes.
    """
    found, known = [], known or {}
    for name in file.get(GROUP, ()):
        if name in known:
            found.append(known[name])
            continue
        group = file[GROUP][name]
        about = attributes(group)
        parent, description = about.pop("parent") or None, json.loads(about.pop("description"))
        found.append(Version(name, parent, description=description, arrays=arrays(group), **about))
    return tuple(found)


def load_versions(path: Path, known: Mapping[str, Version] | None = None) -> tuple[Version, ...]:
    """The versions in a file; ``ValueError`` if it is damaged or of another kind, ``FileNotFoundError`` if there is none."""
    return _parsed(path, read_bytes(path, GROUP), known or {})


def _parsed(path: Path, image: bytes, known: Mapping[str, Version]) -> tuple[Version, ...]:
    with opened(path, image, REMEDY) as file:
        found = file.attrs.get("Conventions")
        if found not in (CONVENTIONS, "kanpde-1"):
            raise Foreign(f"holds no versions (its @Conventions is {found!r}): give a file of versions or of a run's results")
        return read_versions(file, known)


def add_versions(path: Path, versions: Sequence[Version]) -> tuple[Version, ...]:
    """Add those that are not there yet to a file, which is made if there is none, and return all that are in it then.

    Raises ResultsError if it cannot be written, ``ValueError`` if what is there is damaged: either way it is left as it was.
    """
    with _alone(path):
        image = read_bytes(path, GROUP) if path.exists() else b""
        known = _parsed(path, image, {version.id: version for version in versions}) if path.exists() else ()
        new = [version for version in versions if version not in known]
        with composed(image) as (file, whole):
            if not image:
                put_attributes(file, {"Conventions": CONVENTIONS, "title": "versions of networks"})
            write_versions(file, new)
        write_whole(path, whole.getvalue(), GROUP, elsewhere="")
    return (*known, *new)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process is adding to a file in this directory; a lock on the directory leaves nothing behind, even if it is killed."""
    import fcntl  # not on Windows, where all else works

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise ResultsError(f"could not write versions to {path}: {error.strerror}; choose another directory") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            reason = f"{error.strerror}; its file system has no locks: choose a directory on a local disk"
            raise ResultsError(f"could not lock {path.parent} to add versions: {reason}") from error
        yield
    finally:
        os.close(descriptor)
