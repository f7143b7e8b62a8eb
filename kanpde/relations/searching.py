"""Relations among the columns of a table: exact identities, rules with exceptions, correlations."""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
import torch

from kanpde.arguments import nearest, seed_number, whole_number
from kanpde.provenance import provenance
from kanpde.relations.exact import Exact, exact_formula
from kanpde.relations.supports import Support, support
from kanpde.results import Result

logger = logging.getLogger("kanpde")

BEYOND = 0.1  # by which r2 must exceed 0 and that of permuted rows
IDENTITY, RULE, CORRELATION, NONE = "identity", "rule", "correlation", "nothing"


@dataclass(frozen=True)
class Relation:
    """What was found of ``target``: its ``kind`` is "identity" (``formula`` holds in all ``rows``, to ``residual``), "rule" (in all but
    ``exceptions`` of them), "correlation" (a network reads it from ``inputs``, with the median ``r2`` on unseen rows) or "nothing".

    ``votes`` of ``networks`` chose these inputs; ``everything`` is the median r2 from all columns, and ``control`` that with permuted rows.
    """

    target: str
    kind: str
    inputs: tuple[str, ...]
    formula: str
    rows: int
    exceptions: int
    residual: float
    r2: float
    everything: float
    control: float
    votes: int
    networks: int

    def __str__(self) -> str:
        if self.kind in (IDENTITY, RULE):
            but = f"in all {self.rows} rows, to {self.residual:.1e}" if self.kind == IDENTITY else (
                f"in {self.rows - self.exceptions} of {self.rows} rows; {self.exceptions} exceptions"
            )  # fmt: skip
            return f"{self.target} = {self.formula}  ({self.kind}: {but})"
        about = f"r2 {self.r2:.3f}, permuted {self.control:.3f}, {self.votes} of {self.networks} networks"
        return f"{self.target} ~ {', '.join(self.inputs)}  ({self.kind}: {about})"


def relations(
    columns: Mapping[str, np.ndarray],
    *,
    targets: Sequence[str] = (),
    networks: int = 5,
    rows: int = 1000,
    tolerance: float = 1e-9,
    seed: int = 0,
) -> list[Relation]:
    """What each of ``targets``, by default every column, is determined by: one :class:`Relation` each, in their order.

    For each target, ``networks`` networks with weights and rows of their own each say which few columns it can be read from
    (:func:`~kanpde.relations.supports.support`). Of every set that is said, a formula is sought that holds exactly
    (:func:`~kanpde.relations.exact.exact_formula`); among those, that which holds in most rows, then the shortest, is what is found.
    Without one, the inputs that most networks chose are a correlation, if they say more than permuted rows do.

    Rows in which a column is not finite are left out. Raises ``ValueError`` for unknown targets, for columns that are no numbers or of
    several lengths, and where fewer than 50 rows are left.
    """
    table = _table(columns)
    names = list(table)
    for name in targets:
        if name not in table:
            raise ValueError(f"targets has {name!r}, but the columns are {', '.join(names)}{nearest(name, names)}")
    whole_number(networks, "relations(networks=...)")
    whole_number(rows, "relations(rows=...)", least=25)
    found = []
    for target in targets or names:
        said = [support(table, target, rows=rows, seed=networks * seed + number) for number in range(networks)]
        found.append(_relation(table, target, said, tolerance, seed))
        logger.info("%s", found[-1])
    return found


def distinct(found: Iterable[Relation]) -> list[Relation]:
    """Each identity and rule once, the shortest of those among the same columns; then the others, as they are."""
    found = list(found)
    best: dict[frozenset[str], Relation] = {}
    for each in found:
        if each.kind in (IDENTITY, RULE):
            key = frozenset((each.target, *each.inputs))
            if key not in best or (each.exceptions, len(each.formula)) < (best[key].exceptions, len(best[key].formula)):
                best[key] = each
    return [*best.values(), *(each for each in found if each.kind == CORRELATION)]


def _table(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    table = {}
    for name, values in columns.items():
        try:
            table[name] = np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"the column {name!r} holds no numbers, such as {values[0]!r}: leave it out") from None
    if len({values.shape for values in table.values()}) > 1 or any(values.ndim != 1 for values in table.values()) or len(table) < 2:
        raise ValueError(
            f"relations takes two or more columns (n,) of one length, got {', '.join(f'{k} {v.shape}' for k, v in table.items())}"
        )
    whole = np.all([np.isfinite(values) for values in table.values()], 0)
    if whole.sum() < 50:
        raise ValueError(f"{int(whole.sum())} rows have a finite number in every column, too few: leave out columns that are mostly empty")
    table = {name: values[whole] for name, values in table.items()}
    if same := [name for name, values in table.items() if np.ptp(values) == 0]:
        raise ValueError(f"the column {same[0]!r} is {table[same[0]][0]:g} in all rows: leave it out")
    return table


def _relation(table: Mapping[str, np.ndarray], target: str, said: Sequence[Support], tolerance: float, seed: int) -> Relation:
    sets = Counter(frozenset(each.inputs) for each in said)
    y, best = table[target], None
    for inputs in sets:
        names = [name for name in table if name in inputs]
        exact = exact_formula(np.stack([table[name] for name in names], 1), y, names, tolerance=tolerance, seed=seed)
        if exact is not None and (best is None or _order(exact) > _order(best)):
            best = exact
    (chosen, _), medians = (
        sets.most_common(1)[0],
        {key: float(np.median([getattr(e, key) for e in said])) for key in ("everything", "control")},
    )
    mine = [each for each in said if frozenset(each.inputs) == chosen]
    relation = Relation(
        target, NONE, mine[0].inputs, "", len(y), 0, np.nan, float(np.median([each.r2 for each in mine])), votes=len(mine),
        networks=len(said), **medians,
    )  # fmt: skip
    if best is not None:
        exceptions = int((~best.holds).sum())
        votes = sum(set(best.inputs) <= set(each.inputs) for each in said)
        r2 = 1 - float(np.nanmean((best.values - y) ** 2)) / float(np.var(y))
        kind = RULE if exceptions else IDENTITY
        return replace(relation, kind=kind, inputs=best.inputs, formula=best.formula, exceptions=exceptions, residual=best.residual,
                       r2=r2, votes=votes)  # fmt: skip
    return replace(relation, kind=CORRELATION) if relation.r2 > max(relation.control, 0.0) + BEYOND else relation


def _order(exact: Exact) -> tuple[float, int]:
    return round(exact.share, 4), -exact.size


@dataclass(frozen=True, repr=False)
class RelationSearch:
    """:func:`relations` as an experiment: ``RelationSearch(columns, networks=5)``; ``--quick`` takes one network a target.

    The result's equation has the relations as text, a line each, and as JSON, which :func:`found_in` reads.
    """

    columns: Mapping[str, np.ndarray]
    targets: tuple[str, ...] = ()
    networks: int = 5
    rows: int = 1000
    tolerance: float = 1e-9

    def __repr__(self) -> str:
        shown = f"columns=({', '.join(self.columns)}), targets={tuple(self.targets)}, networks={self.networks}, rows={self.rows}"
        return f"RelationSearch({shown}, tolerance={self.tolerance:g})"

    def shortened(self) -> Self:
        """The same for a first look."""
        return replace(self, networks=1, rows=min(self.rows, 400))

    def run(
        self,
        *,
        seed: int = 0,
        device: str = "cpu",
        dtype: torch.dtype = torch.float64,
        name: str = "problem",
        key: str = "relations",
        source: str = "",
        resume: Result | None = None,
    ) -> Result:
        """Search; ``seed`` is that of rows and networks. An unfinished ``resume`` is begun anew. ``ValueError`` but in float64 on a CPU."""
        if dtype != torch.float64 or device != "cpu":
            raise ValueError(
                f"relations are searched in double precision on the CPU, got {dtype} on {device}: leave --dtype and --device out"
            )
        seed, started = seed_number(seed, "RelationSearch.run(seed=...)"), time.perf_counter()
        known = provenance(self, seed, device, dtype, source)
        found = relations(self.columns, targets=self.targets, networks=self.networks, rows=self.rows, tolerance=self.tolerance, seed=seed)
        seconds = time.perf_counter() - started
        kinds, points = Counter(each.kind for each in found), np.stack([*_table(self.columns).values()], 1)
        return Result(
            problem=name,
            experiment=key,
            status="complete",
            provenance=known | {"wall_seconds": seconds},
            equation={"text": "\n".join(map(str, found)), "relations": json.dumps([asdict(each) for each in found])},
            coordinates=tuple(self.columns),
            lower=points.min(0),
            upper=points.max(0),
            points={},
            sampling={},
            history={},
            axes={},
            solution={},
            solution_points=None,
            unknowns=(),
            metrics={"seconds": seconds, "rows": len(points), "networks": self.networks * len(found)}
            | {kind: kinds[kind] for kind in (IDENTITY, RULE, CORRELATION)},
            parameters=np.zeros(0),
            architecture={},
            edges=(),
            checkpoint=None,
        )


def found_in(result: Result) -> list[Relation]:
    """The relations that a result of :class:`RelationSearch` holds; none in others."""
    return [Relation(**{**each, "inputs": tuple(each["inputs"])}) for each in json.loads(result.equation.get("relations", "[]"))]
