"""The group ``law/`` of an HDF5 file, and files that hold nothing else: a law as plain data (:meth:`kanpde.symbolic.law.Law.to_plain`).

    law/          @kind @verdict @reason @rms @noise @lead @formula @latex @best @names  expressions(sympy, latex, nodes by output)
      constants/  name value sigma exact latex unit snapped
      candidates/ sympy latex nodes rms description, the Pareto front, of which @best is the law

Formulas are text, which :func:`kanpde.symbolic.reading.read` turns into expressions; nothing in a file is executed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kanpde.hdf5 import Foreign, Node, arrays, attributes, kept_as, put_array, put_attributes, put_group

LAW_CONVENTIONS = "kanpde-1-law"
NUMBERS = ("rms", "noise", "lead")
WORDS = ("kind", "verdict", "reason", "formula", "latex")
LISTS = ("names", "outputs", "expressions", "evidence")
ORDER = ("kind", "verdict", "reason", "rms", "noise", "lead", "formula", "latex", "names", "outputs", "expressions", "aliases", "nodes",
         "best", "constants", "candidates", "evidence")  # fmt: skip
COLUMNS: dict[str, dict[str, type]] = {
    "constants": {"name": str, "value": float, "sigma": float, "exact": str, "latex": str, "unit": str},
    "candidates": {"sympy": str, "latex": str, "nodes": int, "rms": float, "description": float},
    "aliases": {"read": str, "name": str},
}
LATER = {"unit": ""}  # columns that files of before lack, and what they would say


def write_law(parent: Node, law: Mapping[str, Any]) -> None:
    """Write the group ``law``. ``KeyError``, ``TypeError`` or ``ValueError`` for what is no law, before the file is closed."""
    group = put_group(parent, "law", {key: str(law[key]) for key in WORDS})
    put_attributes(group, {key: float(law[key]) for key in NUMBERS} | {"best": int(law["best"])})
    for key in LISTS:
        _put_texts(group, key, law[key])
    put_array(group, "nodes", np.asarray(law["nodes"], dtype=np.int64), ("outputs:n",))
    for name, columns in COLUMNS.items():
        inner = put_group(group, name)
        for key, kind in columns.items():
            if kind is str:
                _put_texts(inner, key, law[name][key], f"{name}:n")
            else:
                put_array(inner, key, np.asarray(law[name][key], dtype=np.float64 if kind is float else np.int64), (f"{name}:n",))
    put_array(group["constants"], "snapped", np.array([bool(each) for each in law["constants"]["exact"]], dtype=bool), ("constants:n",))


def read_law(parent: Node) -> dict[str, Any] | None:
    """The law in a file, as it was written; None if there is none. ``KeyError`` or ``ValueError`` where it is damaged."""
    if "law" not in parent:
        return None
    group = parent["law"]
    known = attributes(group)
    found: dict[str, Any] = {key: known[key] for key in (*WORDS, *NUMBERS, "best")}
    found |= {key: group[key].asstr()[()].tolist() for key in LISTS} | {"nodes": group["nodes"][()].tolist()}
    for name, columns in COLUMNS.items():
        inner = arrays(group[name])
        found[name] = {key: inner[key].tolist() for key in columns if key in inner or key not in LATER}
        found[name] |= {key: [value] * len(inner["name"]) for key, value in LATER.items() if key in columns and key not in inner}
        lengths = {key: len(values) for key, values in found[name].items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of law/{name} have different lengths: {lengths}")
    if len({len(found[key]) for key in ("outputs", "expressions", "nodes")}) > 1:
        raise ValueError(f"law/ has {len(found['outputs'])} outputs and {len(found['expressions'])} expressions")
    return {key: found[key] for key in ORDER}


def law_of(file: Node) -> dict[str, Any]:
    """The law of an open file, of a run or of a law alone; :class:`~kanpde.hdf5.Foreign` if it holds none."""
    law = read_law(file)
    if law is None:
        found = file.attrs.get("Conventions")
        words = "is a run without a law" if found == "kanpde-1" else f"is HDF5 without a law (its @Conventions is {found!r})"
        raise Foreign(f"{words}; give a file that save_law wrote, or the results of a run that found one")
    return law


def _put_texts(group: Node, key: str, values: Sequence[str], dim: str = "") -> None:
    texts = kept_as(f"{group.name}/{key}", tuple(str(each) for each in values))
    put_array(group, key, texts, (dim or ("outputs:n" if key in ("outputs", "expressions") else f"{key}:n"),))
