"""What a result keeps of its network and of an unfinished run, and how both come back from it."""

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from kanpde.architecture import described, rebuilt
from kanpde.changes import Stage
from kanpde.domains import Box
from kanpde.kan import KAN
from kanpde.network import Network
from kanpde.pieces import Pieces
from kanpde.primitives import Primitive
from kanpde.problem import Problem
from kanpde.results import Result
from kanpde.schedule import climbed, rungs
from kanpde.snapshots import Kept, Snapshot, given_networks

logger = logging.getLogger("kanpde")

KEPT = "kept_network."  # before the names of its arrays


def whole(network: Network) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description of a network with given weights, and its arrays; of slabs, of those that are such. Nothing for all others."""
    found = {}
    for slab, each in given_networks(network).items():
        try:
            found[slab] = described(each)
        except TypeError as error:
            logger.info("the result keeps the numbers of %r, but not its shape: %s", each, error)
    if not found:
        return {}, {}
    if not isinstance(network, Pieces):
        return found[0]
    arrays = {f"slab_{slab}.{name}": value for slab, (_, values) in found.items() for name, value in values.items()}
    return {"kind": "Pieces", "slabs": {str(slab): about for slab, (about, _) in found.items()}}, arrays


def networks_of(result: Result, primitives: Iterable[Primitive] = ()) -> dict[int, Network]:
    """The networks that a result keeps whole, by slab (0 without slabs).

    Raises ``ValueError`` if one of them is damaged, or has a primitive that is neither kanpde's own nor among ``primitives``.
    """
    about, primitives = result.architecture.get("network"), list(primitives)
    if not about:
        return {}
    if about["kind"] != "Pieces":
        return {0: rebuilt(about, result.network, primitives)}
    found = {}
    for slab, each in about["slabs"].items():
        start = f"slab_{slab}."
        arrays = {name.removeprefix(start): value for name, value in result.network.items() if name.startswith(start)}
        found[int(slab)] = rebuilt(each, arrays, primitives)
    return found


def stored(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as the arrays, numbers and texts of a results file."""
    return {
        "rung": snapshot.rung,
        "step": snapshot.step,
        "seconds": snapshot.seconds,
        "parameters": snapshot.parameters,
        "descent": np.frombuffer(snapshot.descent, dtype=np.uint8),
        "interior": snapshot.interior,
        **({} if snapshot.best is None else {"best": snapshot.best, "best_row": snapshot.best_row}),
        **({} if snapshot.kept is None else _kept(snapshot.kept)),
        "factors": json.dumps(dict(snapshot.factors)),
        "maps": json.dumps([[rung, *found] for rung, found in snapshot.maps.items()]),
        **{f"slab_{number}": parameters for number, parameters in enumerate(snapshot.finished)},
        "stops": json.dumps(snapshot.stops),
    }


def _kept(kept: Kept) -> dict[str, Any]:
    words = {"monitor": kept.monitor, "row": kept.row, "rung": kept.rung}
    found = {"kept": kept.parameters, **{f"kept_{name}": value for name, value in words.items()}}
    try:
        about, values = described(kept.network)  # type: ignore[arg-type]
    except TypeError as error:
        logger.info("the checkpoint keeps the numbers of %r, but not its shape: %s", kept.network, error)
        return found
    return found | {"kept_network": json.dumps(about)} | {f"{KEPT}{name}": value for name, value in values.items()}


def _kept_in(held: Mapping[str, Any], primitives: Iterable[Primitive]) -> Kept | None:
    if "kept" not in held:
        return None
    network = None
    if "kept_network" in held:
        values = {name.removeprefix(KEPT): np.asarray(value) for name, value in held.items() if name.startswith(KEPT)}
        network = rebuilt(json.loads(str(held["kept_network"])), values, primitives)
    return Kept(str(held["kept_monitor"]), int(held["kept_row"]), int(held["kept_rung"]), np.asarray(held["kept"]), network)


def snapshot_of(result: Result, primitives: Iterable[Primitive] = ()) -> Snapshot | None:
    """The snapshot that a result holds; None if it is complete. ``primitives`` are as in :func:`networks_of`."""
    held, primitives = result.checkpoint, list(primitives)
    if held is None:
        return None
    return Snapshot(
        rung=int(held["rung"]),
        step=int(held["step"]),
        seconds=float(held["seconds"]),
        parameters=np.asarray(held["parameters"]),
        descent=np.asarray(held["descent"], dtype=np.uint8).tobytes(),
        history=dict(result.history),
        interior=np.asarray(held["interior"]),
        finished=tuple(np.asarray(held[f"slab_{number}"]) for number in range(sum(key.startswith("slab_") for key in held))),
        maps={rung: tuple(found) for rung, *found in json.loads(str(held["maps"]))},
        stops=tuple(json.loads(str(held.get("stops", "[]")))),
        best=np.asarray(held["best"]) if "best" in held else None,
        best_row=int(held.get("best_row", -1)),
        factors=json.loads(str(held.get("factors", "{}"))),
        networks=networks_of(result, primitives),
        kept=_kept_in(held, primitives),
    )


# ---- the network of a result ----


def primitives_in(model: Network, training: Sequence[Any]) -> list[Primitive]:
    """The primitives in a model and in the items of a training, among them those that a file can only name."""
    found: list[Any] = []
    for layer in model.wires if isinstance(model, KAN) else ():
        found += [symbol.primitive for symbol in layer.symbols]
    for item in training:
        for value in getattr(item, "__dict__", {}).values():
            found += value if isinstance(value, (tuple, list, set)) else [value]
    return [each for each in found if isinstance(each, Primitive)]


def trained_network(problem: Problem, start: Network, training: Sequence[Any], result: Result) -> Network:
    """The network that a result of this training from ``start`` holds: as it was kept, or with refinements replayed and parameters set.

    Its weights are given. Raises ``ValueError`` if the result is of another experiment.
    """
    _check_place(problem, result)
    known = networks_of(result, primitives_in(start, training))
    for each in known.values():
        if (type(each), each.inputs, each.outputs) != (type(start), start.inputs, start.outputs):
            raise ValueError(f"the result is of another experiment: it holds {each!r}, which cannot have come from {start!r}")
    maps = {int(rung): tuple(found) for rung, *found in result.architecture.get("maps", ())}
    stage = replace(Stage.first(problem, start, maps), rehearsal=True)  # with no other maps
    wanted, count = _plain(result.architecture["model"]), len(result.parameters)
    if result.architecture.get("network", {}).get("kind") == "Pieces":
        known = {slab: each.to(start.lower.dtype) for slab, each in known.items()}
    stage = replace(stage, known=known)

    def reached(network: Network) -> bool:
        return network.parameter_count == count and _plain(repr(network)) == wanted

    last = result.architecture.get("rung")
    for number, rung in enumerate(rungs(training, problem.domain)):
        if reached(stage.solution()) if last is None else number > last:
            break
        stage = climbed(stage, number, rung)
    network = stage.recalled().solution()
    if not reached(network):
        raise ValueError(
            f"the result has {count} parameters in {wanted}, which {start} reaches on no rung of its training: "
            "it belongs to another experiment, or the training was changed since"
        )
    check_fixed(network, result)
    network.assign(torch.from_numpy(result.parameters))
    for each in network.networks if isinstance(network, Pieces) else [network]:
        each.given = True
    return network


def _check_place(problem: Problem, result: Result) -> None:
    """Raise ``ValueError`` if ``result`` is of other unknowns or of another domain."""
    box = problem.domain
    kept = Box(**dict(zip(result.coordinates, zip(result.lower, result.upper, strict=True), strict=True)))
    for word, there, here in (("domain", kept, box), ("unknowns", tuple(result.unknowns), problem.unknowns)):
        if there != here:
            raise ValueError(f"the result is of another experiment: it has the {word} {there!r}, this one {here!r}")
    check_data(problem, result)


def check_data(problem: Problem, result: Result) -> None:
    """Raise ``ValueError`` if ``result`` is of other data."""
    if result.provenance.get("data", "") != problem.digest:
        raise ValueError(
            "the result is of other data, or of other splits: the rows of this experiment are not those that it was computed with"
        )


def _plain(model: str) -> str:
    """A network's repr whose numbers read as Python's own."""
    return re.sub(r"np\.float64\(([^()]*)\)", r"\1", model)


def check_fixed(network: Network, result: Result) -> None:
    """Raise ``ValueError`` if what is not trained in the network differs from what it was when ``result`` came about."""
    if network.fixed != result.architecture.get("fixed", ""):
        raise ValueError(
            f"the frozen parameters or buffers of {network!r} are not those that the result was computed with, and the result does not "
            "hold them: build the module with the same ones, for instance under a fixed seed or from a file"
        )
