"""Tables: columns by name from .npz, .h5 and .csv files."""

from pathlib import Path
from typing import Any

import numpy as np

from kanpde.hdf5 import opened, read_bytes


def read(source: str | Path) -> dict[str, np.ndarray]:
    """The columns of an .npz, .h5 or .csv file by name.

    Raises ``ValueError`` for other files, for one that is truncated, damaged or not what its name says, and for a csv without numbers.
    """
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"there is no data file {path} (looked for in {Path.cwd()})")
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return dict(arrays)
    if path.suffix in (".h5", ".hdf5"):
        with opened(path, read_bytes(path, "data"), "get the file anew") as file:
            return {name: item[()] for name, item in file.items() if hasattr(item, "shape")}
    if path.suffix == ".csv":
        return _read_csv(path)
    raise ValueError(f"{path} is neither .npz, .h5 nor .csv; hand its columns over as a dict of arrays")


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path} is empty")
    names = [name.strip().strip('"') for name in lines[0].split(",")]
    rows = []
    for number, line in enumerate(lines[1:]):
        cells = line.split(",")
        if len(cells) != len(names):
            raise ValueError(f"{path}, row {number}: {len(cells)} cells for the {len(names)} columns {', '.join(names)}")
        rows.append([_number(cell) for cell in cells])
    table = np.array(rows, dtype=object).reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))


def _number(cell: str) -> Any:
    try:
        return float(cell) if cell.strip() else np.nan
    except ValueError:
        return cell.strip()
