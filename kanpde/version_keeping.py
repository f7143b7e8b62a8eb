"""The callback that keeps a version of the network at the end of every rung of a training."""

import logging
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from kanpde.architecture import described
from kanpde.changes import Change, EnterSlab, FitMap, RefineTo, SetParameters
from kanpde.hdf5 import ResultsError
from kanpde.network import Network
from kanpde.schedule import Rung, rungs
from kanpde.version_files import Version
from kanpde.versions import Versions

logger = logging.getLogger("kanpde")

LONGEST = 80  # of the words for a change


class KeepVersions:
    """Adds the network at the end of every rung to ``versions``: ``Experiment(..., callbacks=[KeepVersions(versions)])``.

    The reason says what the rung did. ``error`` is a function of the :class:`~kanpde.experiment.Run`; by default the relative L2 error
    where there is a solution to compare with, else the loss. The first version of a run is a root, or, if the model has given weights, a
    child of the version with these weights. A resumed run goes on from the version that it left; a step done again is kept once.

    Versions in memory come to the result, and so into the run's HDF5 file, in the group /versions. In slabs a version is the network of one
    slab. Raises ``TypeError`` for arguments that are neither; a network that cannot be described ends the run at its first step.
    """

    def __init__(self, versions: Versions, error: Callable[[Any], float] | None = None) -> None:
        if not isinstance(versions, Versions):
            raise TypeError(f"KeepVersions takes versions, such as Versions('results/versions.h5'), got {versions!r}")
        if error is not None and not callable(error):
            raise TypeError(f"error is a function of the run, such as lambda run: run.fit.seconds, got {error!r}")
        self.versions, self.error = versions, error
        self._run: Any = lambda: None
        self._parent: Version | None = None
        self._seconds = 0.0
        self._added: list[Version] = []

    def __repr__(self) -> str:
        return f"KeepVersions({self.versions!r})"

    def __call__(self, run: Any) -> None:
        if self._run() is not run:
            self._begin(run)

    def rung_over(self, run: Any) -> None:
        """Add the network that the rung has reached; if the file cannot be written, warn and go on."""
        self(run)
        fit = run.fit
        if self.error is not None:
            error, measure = float(self.error(run)), "error"
        elif math.isnan(fit.reached["error_l2"]):
            error, measure = fit.reached["loss"], "loss"
        else:
            error, measure = fit.reached["error_l2"], "relative_l2"
        reason = rung_words(_ladder(run)[fit.rung], fit.stops[-1])
        about = {"error": error, "measure": measure, "seconds": fit.seconds - self._seconds, "source": _source(run, fit.rung)}
        self._seconds, self.versions.current = fit.seconds, self._parent
        try:
            self._parent = self._kept(fit.network, about["source"]) or self.versions.add(fit.network, reason, **about)
        except ResultsError as problem:
            logger.warning("the version at the end of rung %d is not kept: %s", fit.rung, problem)
            return
        self._added.append(self._parent)
        self.versions.current = self._parent

    def _kept(self, network: Network, source: str) -> Version | None:
        """The version of this very step, if it was done before: in a run that was killed behind it, or one with the same seed."""
        arrays, parent = described(network)[1], None if self._parent is None else self._parent.id
        found = (each for each in self.versions if (each.source, each.parent) == (source, parent) and _same(each.arrays, arrays))
        return next(found, None)

    def for_result(self, run: Any) -> tuple[Version, ...]:
        """The versions of this run that its result is to hold, with all that they come from: those that are in no file of their own."""
        if self.versions.path is not None or self._run() is not run:
            return ()
        return tuple(dict.fromkeys(each for version in self._added for each in self.versions.lineage(version)))

    def _begin(self, run: Any) -> None:
        """Find what the first version of this run is a child of; ``TypeError`` if its network cannot be kept."""
        try:
            described(run.fit.network)
        except TypeError as error:
            raise TypeError(f"versions are of networks that can be described: {error}") from None
        self._run, self._added = weakref.ref(run), []
        self.versions.take(run.earlier)
        before = _source(run, run.fit.rung - 1)
        left = [version for version in self.versions if version.source == before]
        self._seconds = 0.0 if not left else sum(each.seconds for each in self.versions.lineage(left[-1]) if _of_run(each, run))
        self._parent = left[-1] if left else self._version_of(run.experiment.model)

    def _version_of(self, model: Network) -> Version | None:
        """The last version with the weights of ``model``, if these are given; the current one before others."""
        if not model.given:
            return None
        _, arrays = described(model)
        versions = [*self.versions, *([self.versions.current] if self.versions.current is not None else [])]
        return next((version for version in reversed(versions) if _same(version.arrays, arrays)), None)


def _same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(value, other[name], equal_nan=True) for name, value in one.items())


def _source(run: Any, rung: int) -> str:
    """The run and the rung of a version."""
    return f"{run.name}/{run.key}-s{run.provenance['seed']}, rung {rung}" if rung >= 0 else "before the first rung"


def _of_run(version: Version, run: Any) -> bool:
    return version.source.rsplit(",", 1)[0] == _source(run, 0).rsplit(",", 1)[0]


def _ladder(run: Any) -> list[Rung]:
    return rungs(run.experiment.training, run.experiment.problem.domain)


def rung_words(rung: Rung, ending: str) -> str:
    """What a rung did, and how it ended, in one line: ``refined to 10; LevenbergMarquardt, at most 20 steps: all steps done``."""
    changes = [words for change in rung.changes if (words := change_words(change))]
    penalties = "".join(f", {penalty!r}" for penalty in rung.penalties)
    descent = f"{type(rung.optimizer).__name__}{penalties}, at most {rung.optimizer.steps} steps: {ending}"
    return " ".join("; ".join([*changes, descent]).split())


def change_words(change: Change) -> str:
    """What a change does, in a few words; its repr where there are none."""
    if isinstance(change, RefineTo):
        return f"refined to {change.resolution}"
    if isinstance(change, SetParameters):
        return ", ".join(f"{name} = {float(value):g}" for name, value in change.values.items())
    if isinstance(change, EnterSlab):
        return f"slab {change.number + 1}, from {change.low:g} to {change.high:g}"
    if isinstance(change, FitMap):
        return f"map of {change.options.coordinate}"
    words = repr(getattr(change, "options", change))
    return words if len(words) <= LONGEST else words[: LONGEST - 3] + "..."
