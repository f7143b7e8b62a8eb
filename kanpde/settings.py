"""Setting one field deep inside an experiment, as ``--set training.steps=50`` does."""

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any

from kanpde.arguments import nearest
from kanpde.network import Network
from kanpde.problem import Condition


def with_setting(thing: Any, path: str, value: Any) -> Any:
    """``thing`` with the field at a dotted ``path`` replaced: ``training.steps``, ``model.basis.degree``, ``problem.parameters.nu``.

    In a list, the field is set in every item that has it. Raises ``ValueError`` naming the nearest field for one that does not exist,
    and for a plain value in place of something that has settings of its own.
    """
    head, _, rest = path.partition(".")
    if isinstance(thing, Mapping):
        known = list(thing)
        if head in thing:
            return {**thing, head: with_setting(thing[head], rest, value) if rest else value}
    elif isinstance(thing, (list, tuple)):
        known = sorted({name for item in thing for name in _settings(item)})
        if head in known:
            return [with_setting(item, path, value) if head in _settings(item) else item for item in thing]
    else:
        known = list(_settings(thing))
        if head in known:
            old = _settings(thing)[head]
            return _replaced(thing, head, with_setting(old, rest, value) if rest else _fitting(head, old, value))
    raise ValueError(f"there is no setting {head!r} here: the settings are {', '.join(known) or 'none'}{nearest(head, known)}")


def _fitting(name: str, old: Any, new: Any) -> Any:
    """``new``, unless it is a plain value in place of an object or of a list of objects."""
    parts = old if isinstance(old, (list, tuple)) else [old]
    given = new if isinstance(new, (list, tuple)) else [new]
    if any(_settings(part) for part in parts) and not all(_settings(item) for item in given):
        inside = sorted({field for part in parts for field in _settings(part)})
        raise ValueError(f"{name} cannot be {new!r}: set one of its fields instead, {', '.join(f'{name}.{field}' for field in inside)}")
    return new


def _replaced(thing: Any, name: str, new: Any) -> Any:
    if isinstance(thing, Network):
        return thing.remade(**{name: new})
    if not isinstance(thing, Condition):
        return replace(thing, **{name: new})
    old = getattr(thing, name)  # conditions are plain objects: what their constructors check is checked here
    number = isinstance(new, (int, float)) and not isinstance(new, bool)
    if isinstance(old, bool) != isinstance(new, bool) or (name == "weight" and not (number and math.isfinite(new) and new > 0)):
        wanted = "True or False" if isinstance(old, bool) else "a positive number" if name == "weight" else f"as {old!r} is"
        raise ValueError(f"the {name} of a condition must be {wanted}, got {new!r}")
    changed = copy(thing)
    setattr(changed, name, float(new) if name == "weight" else new)
    return changed


def _settings(thing: Any) -> dict[str, Any]:
    if isinstance(thing, Network):
        return thing.settings()
    if isinstance(thing, Condition):
        return {name: value for name, value in vars(thing).items() if not name.startswith("_")}
    return {each.name: getattr(thing, each.name) for each in fields(thing)} if is_dataclass(thing) else {}
