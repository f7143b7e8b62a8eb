"""What all searches for laws have in common as experiments: run by the command line, a result with a law at the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from kanpde.arguments import real_number, seed_number, whole_number
from kanpde.datasets import Dataset
from kanpde.provenance import provenance
from kanpde.results import Result
from kanpde.symbolic.law import Law

if TYPE_CHECKING:
    from kanpde.symbolic.judging import Judgement  # which loads sympy


@dataclass(frozen=True)
class Found:
    """A law and what a result says about the search: ``seconds`` that it took, ``points`` that it had, ``sampling`` of these in words."""

    law: Law
    judgement: "Judgement | None"
    seconds: float
    inputs: tuple[str, ...]
    points: np.ndarray
    sampling: str
    equation: dict[str, str]
    metrics: dict[str, float | int]
    solution: dict[str, np.ndarray] = field(default_factory=dict)
    solution_points: np.ndarray | None = None


class Search:
    """A frozen dataclass that derives from this has the fields below, and :meth:`_found`."""

    noise: float
    rows: int
    seconds: float
    quick: float

    def _check_numbers(self, fewest: int) -> None:
        """``ValueError`` for numbers out of range, of which ``rows`` is at least ``fewest``."""
        for name, low in (("noise", 0.0), ("seconds", 1e-3), ("quick", 1e-3)):
            object.__setattr__(self, name, real_number(getattr(self, name), name, least=low))
        object.__setattr__(self, "rows", whole_number(self.rows, "rows", least=fewest))

    def _check_method(self, arguments: str) -> None:
        """``TypeError`` for a method that is no function of these ``arguments``."""
        method = getattr(self, "method", None)
        if method is not None and not callable(method):
            raise TypeError(f"method is a function {arguments} -> Law, or None, got {method!r}: give the function itself")

    def _check_dataset(self, data: Dataset, fewest: int) -> None:
        """``ValueError`` for a data set with too few rows to search in, or whose target is not one column of numbers."""
        if len(data.target_names) != 1:
            raise ValueError(f"a law has one target, the data have {', '.join(data.target_names)}: targets=[...] with one of them")
        if self.noise:
            raise ValueError(f"noise is for samples of a Formula, the data of a Dataset are what they are: leave noise={self.noise:g} out")
        train = data["train"]
        if train.targets.dtype.kind not in "fiub":
            raise TypeError(f"a law is of numbers, but the target {data.target_names[0]} is {train.targets[0, 0]!r} in the first row")
        if len(train) < fewest:
            raise ValueError(f"the data have {len(train)} rows for training; a search needs at least {fewest}: give more, or train=1.0")

    def __repr__(self) -> str:
        """The fields that are not the default, functions by name: the same text in every process, by which a run is resumed."""
        shown = []
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            if value != each.default:
                shown.append(f"{each.name}={getattr(value, '__name__', repr(value))}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def shortened(self) -> Self:
        """The same for a first look: ``quick`` seconds."""
        return replace(self, seconds=min(self.quick, self.seconds))  # type: ignore[type-var]

    def run(
        self,
        *,
        seed: int = 0,
        device: str = "cpu",
        dtype: torch.dtype = torch.float64,
        name: str = "problem",
        key: str = "law",
        source: str = "",
        resume: Result | None = None,
    ) -> Result:
        """Draw the samples, search, judge; ``seed`` is that of samples and search. An unfinished ``resume`` is begun anew.

        The result's ``law`` is the law as plain data; its metrics have what the judge says. ``ValueError`` for another precision or device.
        """
        if dtype != torch.float64:
            raise ValueError(f"laws are searched in double precision, got {dtype}: leave --dtype out")
        if device != "cpu":
            raise ValueError(f"laws are searched on the CPU, got the device {device}: leave --device out")
        seed = seed_number(seed, f"{type(self).__name__}.run(seed=...)")
        known, started = provenance(self, seed, device, dtype, source), time.perf_counter()
        found = self._found(seed)
        law, judgement = found.law, found.judgement
        every = found.points if found.solution_points is None else found.solution_points
        return Result(
            problem=name,
            experiment=key,
            status="complete",
            provenance=known | {"wall_seconds": time.perf_counter() - started},
            equation=found.equation | (_texts(judgement) if judgement else {}),
            coordinates=found.inputs,
            lower=every.min(0),
            upper=every.max(0),
            points={"data": found.points},
            sampling={"data": found.sampling},
            history={},
            axes={},
            solution=found.solution,
            solution_points=found.solution_points,
            unknowns=tuple(each.removeprefix("target_") for each in found.solution if each.startswith("target_")),
            metrics={"seconds": found.seconds, "noise": self.noise, "variables": len(found.inputs), "parameters": len(law.free)}
            | found.metrics
            | (_numbers(judgement) if judgement else {}),
            parameters=np.array([each.value for each in law.free]),
            architecture={},
            edges=(),
            checkpoint=None,
            law=law.to_plain(),
        )

    def _found(self, seed: int) -> Found:
        raise NotImplementedError


def timed(search: Callable[[], Any]) -> tuple[Any, float]:
    """What a search finds, and the seconds that it took."""
    started = time.perf_counter()
    found = search()
    return found, time.perf_counter() - started


def _numbers(judgement: "Judgement") -> dict[str, float | int]:
    """What the tables count."""
    covered, constants = judgement.covered
    flags = ("found", "numeric", "symbolic", "compact", "structure", "within", "srbench", "wrong", "claimed", "nice")
    return {name: int(getattr(judgement, name)) for name in flags} | {
        "deviation": judgement.deviation,
        "nodes": judgement.nodes,
        "truth_nodes": judgement.truth_nodes,
        "covered": covered,
        "constants": constants,
        "snapped_wrongly": len(judgement.wrongly_snapped),
        "spurious": len(judgement.spurious),
    }


def _texts(judgement: "Judgement") -> dict[str, str]:
    pulls = ", ".join(f"{name} {pull:+.2f}" for name, pull in judgement.pulls)
    words = {"proof": judgement.proof, "pulls": pulls, "wrongly_snapped": ", ".join(judgement.wrongly_snapped)}
    return {key: word for key, word in words.items() if word}
