"""Versions of a network: each step of a workflow kept with its parent, a reason and its error; list, compare, rewind, branch.

    versions = Versions("results/hello/versions.h5")  # or Versions(): in memory only
    fitted = versions.add(network, "fitted, 50 steps", error=1.2e-3)
    pruned = versions.add(smaller, "pruned 10 edges", error=1.3e-3)  # a child of the version before
    print(versions, versions.compare(fitted, pruned), sep="\\n")
    network = versions.rewind(fitted)  # the next that is added branches from there

Nothing is written unless a path is given, and then only that file. Several processes may add to one file. In the training of an
experiment, :class:`~kanpde.version_keeping.KeepVersions` adds one at the end of every rung.
"""

import json
import math
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from torch import Tensor

from kanpde.architecture import described, rebuilt
from kanpde.arguments import nearest
from kanpde.kan import KAN
from kanpde.network import Network
from kanpde.primitives import Primitive
from kanpde.version_comparison import Comparison, compared
from kanpde.version_files import Version, add_versions, load_versions

Key = Version | str | int

COLUMNS = ("version", "parent", "reason", "error", "parameters", "edges", "seconds", "created")


class Versions:
    """The versions in a file, or in memory only; ``len(versions)``, ``for version in versions`` and ``print(versions)`` list them.

    ``path`` is a file of their own, made when the first is added, or a run's results file, whose versions are read and which keeps those
    that are added beside its result. A version is meant by itself, by its id or the beginning of it, or by its number, -1 for the last.
    ``current`` is what the next that is added is a child of; at first None: then it is a root. ``primitives`` are those of symbolic edges
    that are not kanpde's own; those of networks that were added here are known.

    Raises ``ValueError`` if the file is there and damaged, or of another kind.
    """

    def __init__(self, path: str | Path | None = None, *, primitives: Iterable[Primitive] = ()) -> None:
        self.path = None if path is None else Path(path).absolute()  # wherever the process goes
        self.current: Version | None = None
        self._primitives = {primitive.name: primitive for primitive in primitives}
        self._versions: dict[str, Version] = {}
        self._stamp: tuple[int, ...] = ()
        self._known()

    # ---- what there is ----

    def _known(self) -> dict[str, Version]:
        """All versions by id, those that other processes have added among them."""
        if self.path is not None and self.path.exists():
            status = self.path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self.take(load_versions(self.path, self._versions))
                self._stamp = stamp
        return self._versions

    def take(self, versions: Iterable[Version]) -> None:
        """Know these too, such as those of a result; a file gets them with the next that is added."""
        found = {version.id: version for version in versions}
        self._versions = found | {id: version for id, version in self._versions.items() if id not in found}

    def __len__(self) -> int:
        return len(self._known())

    def __iter__(self) -> Iterator[Version]:
        return iter(tuple(self._known().values()))

    def __contains__(self, key: object) -> bool:
        return (key.id if isinstance(key, Version) else key) in self._known()

    def __getitem__(self, key: Key) -> Version:
        known = self._known()
        if isinstance(key, int) and not isinstance(key, bool):
            if not -len(known) <= key < len(known):
                raise IndexError(f"there is no version number {key}: there are {len(known)}")
            return list(known.values())[key]
        if not isinstance(key, (Version, str)):
            raise TypeError(f"a version is meant by itself, its id or its number, got {key!r}")
        id = key.id if isinstance(key, Version) else key
        found = [known[id]] if id in known else [version for version in known.values() if id and version.id.startswith(id)]
        if len(found) == 1:
            return found[0]
        if found:
            raise KeyError(f"{len(found)} versions begin with {id!r}: {', '.join(version.id for version in found)}")
        last = list(known)[-8:]
        there = f"there are {'..., ' if len(known) > 8 else ''}{', '.join(last)}" if known else "there are none yet"
        raise KeyError(f"there is no version {id!r}: {there}{nearest(id, list(known))}")

    @property
    def branches(self) -> tuple[Version, ...]:
        """The versions without children, where branches end."""
        known = self._known()
        parents = {version.parent for version in known.values()}
        return tuple(version for version in known.values() if version.id not in parents)

    def lineage(self, key: Key) -> tuple[Version, ...]:
        """From the root to a version, each the parent of the next."""
        known, found = self._known(), [self[key]]
        while (parent := known.get(found[-1].parent or "")) is not None and parent not in found:
            found.append(parent)
        return tuple(found[::-1])

    def best(self, measure: str | None = None) -> Version:
        """The version with the least error; of versions with errors of several kinds, those of one ``measure``.

        Raises ``ValueError`` if none has an error, or ``measure`` is needed.
        """
        judged = [version for version in self if math.isfinite(version.error) and measure in (None, version.measure)]
        kinds = sorted({version.measure for version in judged})
        if not judged:
            kind = "an error" if measure is None else f"the error {measure!r}"
            raise ValueError(f"none of the {len(self)} versions has {kind}: give it as in versions.add(network, reason, error=1e-3)")
        if len(kinds) > 1:
            raise ValueError(f"the versions have errors of several kinds, {', '.join(kinds)}: choose one, as in best({kinds[0]!r})")
        return min(judged, key=lambda version: version.error)

    # ---- what is done ----

    def add(
        self,
        network: Network,
        reason: str,
        *,
        error: float = math.nan,
        measure: str = "error",
        parent: Key | None = None,
        seconds: float = math.nan,
        source: str = "",
    ) -> Version:
        """Keep a network as it is now, a child of ``parent``, by default of the current version; it becomes the current one.

        ``reason`` says in one line what was done, ``error`` how good it is now, and ``measure`` what that is; ``seconds`` how long it took.

        Raises ``TypeError`` for what is not a network, or one that cannot be described, ``ValueError`` for a reason that is no line,
        ``KeyError`` for an unknown parent, and :class:`~kanpde.hdf5.ResultsError` (an ``OSError``) if the file cannot be written: then it
        and the versions are as they were.
        """
        if not isinstance(network, Network):
            raise TypeError(f"a version is of a network, such as KAN(2, 5, 1, basis=...), got {network!r}")
        for name, text in (("reason", reason), ("measure", measure)):
            if not isinstance(text, str) or not text.strip() or "\n" in text:
                raise ValueError(f"the {name} of a version is one line of text, such as 'pruned 10 edges', got {text!r}")
        known, (about, arrays) = self._known(), described(network)
        chosen = self.current if parent is None else self[parent]
        layers = network.wires if isinstance(network, KAN) else []
        id = secrets.token_hex(4)
        while id in known:
            id = secrets.token_hex(4)
        version = Version(
            id=id,
            parent=None if chosen is None else chosen.id,
            reason=reason.strip(),
            error=float(error),
            measure=measure,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
            seconds=float(seconds),
            parameters=network.parameter_count,
            edges=sum(int(layer.edges.sum()) for layer in layers),
            source=source,
            description=json.loads(json.dumps(about)),  # as a file would have it
            arrays=arrays,
        )
        if self.path is not None:
            self._versions = {each.id: each for each in add_versions(self.path, [*known.values(), version])}
        self._versions[version.id] = version
        self._primitives |= {symbol.primitive.name: symbol.primitive for layer in layers for symbol in layer.symbols}
        self.current = version
        return version

    def network(self, key: Key) -> Network:
        """An independent network, as it was: its weights are given.

        Raises ``ValueError`` if it has a symbolic edge with a primitive that is not known.
        """
        version = self[key]
        return rebuilt(version.description, version.arrays, self._primitives.values()).kept()

    def rewind(self, key: Key) -> Network:
        """The network of a version, which becomes the current one: what is added next branches from it."""
        version = self[key]
        network = self.network(version)
        self.current = version
        return network

    def compare(self, one: Key, other: Key, points: Tensor | None = None) -> Comparison:
        """What differs between two versions: widths, bases, edges, symbolic terms, numbers, errors, and the outputs at ``points``.

        ``points`` (N, inputs) are by default 1,024 of the Sobol sequence in the box of ``one``.
        """
        return compared(self[one], self[other], self.network(one), self.network(other), points)

    # ---- how it reads ----

    def __repr__(self) -> str:
        where = "" if self.path is None else f"{str(self.path)!r}, "
        return f"<Versions: {where}{len(self)} in {len(self.branches)} branches>"

    def __str__(self) -> str:
        """A table, one line a version, children below their parent, branches indented; ``>`` marks the current one."""
        rows: list[tuple[str, ...]] = [(" ", *COLUMNS)]
        for depth, version in self._tree():
            error = f"{version.error:.2e}" + ("" if version.measure == "error" else f" {version.measure}")
            cells = ("-" if math.isnan(version.error) else error, str(version.parameters), str(version.edges or "-"))
            seconds = "-" if math.isnan(version.seconds) else f"{version.seconds:.1f}"
            mark = ">" if version == self.current else " "
            created = version.created[:19].replace("T", " ")
            rows.append((mark, version.id, version.parent or "-", "  " * depth + version.reason, *cells, seconds, created))
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        return "\n".join(" ".join(cell.ljust(width + 1) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _tree(self) -> Iterator[tuple[int, Version]]:
        """Versions, children below their parent, with how often branches have parted above."""
        known = self._known()
        children: dict[str | None, list[Version]] = {}
        for version in known.values():
            children.setdefault(version.parent if version.parent in known else None, []).append(version)
        waiting: list[tuple[int, Version]] = [(0, version) for version in reversed(children.get(None, []))]
        while waiting:
            depth, version = waiting.pop()
            yield depth, version
            below: Sequence[Version] = children.get(version.id, ())
            waiting += [(depth + (len(below) > 1), child) for child in reversed(below)]
