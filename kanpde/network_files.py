"""Networks in HDF5 files: ``save_network(network, path)``, ``load_network(path)``; the same bits come back after any edits."""

import json
from collections.abc import Iterable
from pathlib import Path

from kanpde.architecture import described, rebuilt
from kanpde.hdf5 import Foreign, arrays, composed, opened, put_arrays, put_attributes, read_bytes, write_whole
from kanpde.network import Network
from kanpde.primitives import Primitive

CONVENTIONS = "kanpde-1-network"


def save_network(network: Network, path: str | Path) -> Path:
    """Write a KAN, MLP or SeparableKAN to ``path``, whole or not at all, and return the path; missing directories are made.

    The file is plain HDF5: the JSON attribute ``description``, and the group ``network`` of its arrays.

    Raises ``TypeError``, before anything is written, for other networks, and :class:`~kanpde.hdf5.ResultsError` (an ``OSError``) when the
    file cannot be written: what was there before is left as it was.
    """
    about, values = described(network)
    with composed() as (file, image):
        put_attributes(file, {"Conventions": CONVENTIONS, "title": repr(network), "description": json.dumps(about)})
        put_arrays(file, "network", values)
    return write_whole(Path(path), image.getvalue(), "the network", elsewhere="")


def load_network(path: str | Path, primitives: Iterable[Primitive] = ()) -> Network:
    """The network in a file of :func:`save_network`, on the CPU, whatever device it was on; nothing in the file is executed.

    Its weights are given: an experiment starts from them. ``primitives`` are those of its symbolic edges that are not kanpde's own.

    Raises ``ValueError`` when the file is damaged, of another kind, or names a basis or a primitive that is not known,
    ``FileNotFoundError`` when there is none, :class:`~kanpde.hdf5.ResultsError` when it cannot be read at all.
    """
    path = Path(path)
    with opened(path, read_bytes(path, "a network"), "save the network again") as file:
        found = file.attrs.get("Conventions")
        if found != CONVENTIONS:
            hint = "experiment.trained_network(load(path)) gives that of a run's results" if found == "kanpde-1" else "give another file"
            raise Foreign(f"was not written by save_network (its @Conventions is {found!r}): {hint}")
        about, values = json.loads(file.attrs["description"]), arrays(file["network"])
    try:
        return rebuilt(about, values, primitives).kept()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
