"""Setting one field deep inside an experiment, as ``--set training.steps=50`` does."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from kanpde.fields import nearest
from kanpde.network import Network


def with_setting(thing: Any, path: str, value: Any) -> Any:
    """``thing`` with the field at a dotted ``path`` replaced: ``training.steps``, ``model.basis.degree``, ``problem.parameters.nu``.

    In a list, the field is set in every item that has it. Raises ``ValueError`` naming the nearest field for one that does not exist.
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
            new = with_setting(_settings(thing)[head], rest, value) if rest else value
            return thing.remade(**{head: new}) if isinstance(thing, Network) else replace(thing, **{head: new})
    raise ValueError(f"there is no setting {head!r} here: the settings are {', '.join(known) or 'none'}{nearest(head, known)}")


def _settings(thing: Any) -> dict[str, Any]:
    if isinstance(thing, Network):
        return thing.settings()
    return {each.name: getattr(thing, each.name) for each in fields(thing)} if is_dataclass(thing) else {}
