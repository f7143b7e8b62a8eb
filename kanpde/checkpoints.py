"""What a result keeps of an unfinished run, so that it can go on."""

import json
from typing import Any

import numpy as np

from kanpde.results import Result
from kanpde.training import Kept, Snapshot


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
    return {"kept": kept.parameters, **{f"kept_{name}": value for name, value in words.items()}}


def snapshot_of(result: Result) -> Snapshot | None:
    """The snapshot that a result holds; None if it is complete."""
    kept = result.checkpoint
    if kept is None:
        return None
    descent = np.asarray(kept["descent"], dtype=np.uint8).tobytes()
    return Snapshot(
        int(kept["rung"]),
        int(kept["step"]),
        float(kept["seconds"]),
        np.asarray(kept["parameters"]),
        descent,
        dict(result.history),
        np.asarray(kept["interior"]),
        tuple(np.asarray(kept[f"slab_{number}"]) for number in range(sum(key.startswith("slab_") for key in kept))),
        {rung: tuple(found) for rung, *found in json.loads(str(kept["maps"]))},
        tuple(json.loads(str(kept.get("stops", "[]")))),
        np.asarray(kept["best"]) if "best" in kept else None,
        int(kept.get("best_row", -1)),
        json.loads(str(kept.get("factors", "{}"))),
        Kept(str(kept["kept_monitor"]), int(kept["kept_row"]), int(kept["kept_rung"]), np.asarray(kept["kept"]))
        if "kept" in kept
        else None,
    )
