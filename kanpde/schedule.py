"""The schedule: a list of optimizers and changes, spelled out as rungs that are climbed one after another.

    [Continue(nu=[0.1, 0.03, 0.01]), LevenbergMarquardt(steps=200), Resample(every=15), Refine(6, 8)]

reads: optimise with nu = 0.1, then 0.03, then 0.01, at most 200 steps each; refine to 6 and optimise again likewise, then to 8;
all the while drawing new points where the residual is large, every 15 steps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from kanpde.arguments import whole_number
from kanpde.callbacks import EarlyStopping
from kanpde.changes import Change, EditNetwork, EnterSlab, FitMap, FitRanges, RefineTo, SetParameters, Stage
from kanpde.domains import Box
from kanpde.editing import AdaptRanges, FixEdges, Prune
from kanpde.functions import Constant
from kanpde.optimizers import Optimizer
from kanpde.penalties import Smooth, Sparsify, check_penalties
from kanpde.problem import Problem
from kanpde.sampling import Sampling
from kanpde.slabs import AdaptMap, Slabs


@dataclass(frozen=True, init=False)
class Refine:
    """Refine to one resolution after another (a degree, a number of intervals), optimising after each as before.

    Refinement is exact: splines keep every knot and halve the widest intervals, so that 20 becomes 50 with intervals of two lengths. With
    ``uniform`` all are equal at every resolution: exact where the old knots are among the new, as from 10 to 50; else the coarse function
    is projected onto the new splines, which changes it by less than the error that it has.
    """

    resolutions: tuple[int, ...]
    uniform: bool = False

    def __init__(self, *resolutions: int, uniform: bool = False) -> None:
        if not resolutions:
            raise ValueError("Refine needs resolutions, as in Refine(12, 16, 20)")
        for resolution in resolutions:
            whole_number(resolution, "a resolution of Refine")
        if list(resolutions) != sorted(set(resolutions)):
            raise ValueError(f"the resolutions of Refine must rise, got {resolutions}")
        object.__setattr__(self, "resolutions", resolutions)
        object.__setattr__(self, "uniform", bool(uniform))

    def __repr__(self) -> str:
        return f"Refine({', '.join(map(str, self.resolutions))}{', uniform=True' if self.uniform else ''})"


@dataclass(frozen=True, init=False)
class Continue:
    """Solve for one value of a parameter after another, each from the solution before: ``Continue(nu=[0.1, 0.03, 0.01])``.

    Stands before an optimizer, which runs once for every value. Several parameters move together. The last values must be the
    problem's own, or fitting raises ``ValueError``.
    """

    values: Mapping[str, tuple[Any, ...]]

    def __init__(self, **values: Sequence[Any]) -> None:
        if not values:
            raise ValueError("Continue needs the values of a parameter, as in Continue(nu=[0.1, 0.03, 0.01])")
        for name, each in values.items():
            if not isinstance(each, Sequence) or isinstance(each, str) or not each:
                raise ValueError(f"Continue({name}=...) takes a list of values, got {each!r}")
            for value in each:
                if not (isinstance(value, (Real, Constant)) and math.isfinite(float(value))):
                    raise ValueError(f"Continue({name}=...) takes finite numbers, got {value!r}")
        if len({len(each) for each in values.values()}) > 1:
            lengths = ", ".join(f"{name}: {len(each)}" for name, each in values.items())
            raise ValueError(f"parameters that move together need equally many values, got {lengths}")
        object.__setattr__(self, "values", {name: tuple(each) for name, each in values.items()})

    def __repr__(self) -> str:
        return f"Continue({', '.join(f'{name}={list(each)!r}' for name, each in self.values.items())})"

    def stations(self) -> list[dict[str, Any]]:
        """The parameters' values, one dict after another."""
        count = len(next(iter(self.values.values())))
        return [{name: each[number] for name, each in self.values.items()} for number in range(count)]


@dataclass(frozen=True)
class Resample:
    """Draw the interior points anew every so many steps, where the residual is large.

    Out of ``candidates`` times as many fresh points, each is drawn with a probability proportional to |r|^power / mean |r|^power + floor
    (RAD; Wu et al., Comput. Methods Appl. Mech. Eng. 403, 2023, 115671): what is fitted between the old points does not stay hidden.
    Applies to the optimizer before it and to the refinements after it.
    """

    every: int = 15
    power: float = 1.0
    floor: float = 1.0
    candidates: int = 4

    def __post_init__(self) -> None:
        whole_number(self.every, "Resample(every=...)")
        whole_number(self.candidates, "Resample(candidates=...)")
        for name in ("power", "floor"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Resample({name}=...) must not be negative, got {value!r}")


@dataclass(frozen=True)
class Batches:
    """Go through the points in batches of at most ``size``, each point once an epoch: ``[Adam(steps=200), Batches(128)]``.

    A step of the optimizer before it, and of the refinements after it, is then an epoch: the points in a random order, in batches as
    equal as they can be. The history has one row an epoch, with the loss of all points where the epoch ended. Conditions are whole in
    every batch. The order follows from the seed and the number of the epoch, so that a resumed run has the same batches.
    Raises ``ValueError`` after an optimizer that needs the whole loss.
    """

    size: int

    def __post_init__(self) -> None:
        whole_number(self.size, "Batches(size)")

    def places(self, count: int, seed: Sequence[int]) -> list[np.ndarray]:
        """The points of each batch of an epoch, of ``count``; ``seed`` are whole numbers that tell epochs apart."""
        order = np.random.default_rng((*seed, 7)).permutation(count)
        return np.array_split(order, math.ceil(count / self.size))


@dataclass(frozen=True)
class Until:
    """End each descent of the optimizer before it, and of the refinements after it, at a loss or after seconds of training."""

    loss: float = 0.0
    seconds: float = math.inf

    def __post_init__(self) -> None:
        if not (self.loss >= 0 and self.seconds > 0):
            raise ValueError(f"Until takes a loss of at least 0 and positive seconds, got {self}")


@dataclass(frozen=True)
class Balance:
    """Shift weight to the blocks (the equation, each soft condition) whose loss is small, every so many steps, slowly.

    Each block's weight is multiplied by (mean loss / own loss)^power, losses being the present weighted ones (DSGNAR; arXiv 2607.02194);
    the factors are divided by their geometric mean and kept between 1 / ``bound`` and ``bound``. A condition whose weight is far too small
    comes back; where all weights are good, it costs digits. The history's losses stay those under the problem's own weights; the present
    weights are its columns ``weight_<block>``. Applies to the optimizer before it and to the refinements after it.
    """

    every: int = 1
    power: float = 0.05
    bound: float = 10.0

    def __post_init__(self) -> None:
        whole_number(self.every, "Balance(every=...)")
        if not (math.isfinite(self.power) and 0 < self.power <= 1):
            raise ValueError(f"Balance(power=...) must lie in (0, 1], got {self.power!r}")
        if not (math.isfinite(self.bound) and self.bound > 1):
            raise ValueError(f"Balance(bound=...) must be a finite number greater than 1, got {self.bound!r}")

    def renewed(self, factors: Mapping[str, float], losses: Mapping[str, float]) -> dict[str, float]:
        """The factors of the weights by block, from those before and the losses under them; a loss of 0 or infinity changes nothing."""
        good = {name: loss for name, loss in losses.items() if 0 < loss < math.inf}
        if not good:
            return dict(factors)
        mean = sum(good.values()) / len(good)
        found = {name: factors.get(name, 1.0) * ((mean / good[name]) ** self.power if name in good else 1.0) for name in losses}
        level = math.exp(sum(math.log(factor) for factor in found.values()) / len(found))
        return {name: min(max(factor / level, 1 / self.bound), self.bound) for name, factor in found.items()}


@dataclass(frozen=True)
class Starts:
    """Begin from the best of several random starts: ``[Starts(8), LevenbergMarquardt(steps=100), ...]``.

    Stands before the optimizer that it is for, at the beginning of the training. Each start has weights of its own and takes ``steps``
    steps of that optimizer; the one goes on whose loss is lowest on points that none of them was trained on, of data on the validation
    rows, or without them on the training rows. Deep and narrow networks
    need it: [4, 2, 1, 1] finds its way from about every third start.
    """

    count: int = 8
    steps: int = 30

    def __post_init__(self) -> None:
        whole_number(self.count, "Starts(count)", least=2)
        whole_number(self.steps, "Starts(steps=...)")


@dataclass(frozen=True)
class Rung:
    """Some changes, then a descent, with what accompanies it."""

    changes: tuple[Change, ...]
    optimizer: Optimizer
    resample: Resample | None = None
    until: Until = field(default_factory=Until)
    balance: Balance | None = None
    starts: Starts | None = None
    batches: Batches | None = None
    sparsify: Sparsify | None = None
    smooth: Smooth | None = None

    @property
    def penalties(self) -> tuple[Sparsify | Smooth, ...]:
        """Those that are not zero."""
        sparsify = (self.sparsify,) if self.sparsify is not None and self.sparsify.strengths[0] else ()
        return sparsify + ((self.smooth,) if self.smooth is not None and self.smooth.strength else ())


def rungs(training: Sequence[Any], box: Box | None = None) -> list[Rung]:
    """The schedule spelled out, slabs only for a given ``box``; ``ValueError`` if it has no optimizer where one is needed,
    ``TypeError`` for anything else in it.
    """
    slabs, *rest = training if training and isinstance(training[0], Slabs) else (None, *training)
    ladder = _one_slab(rest)
    if slabs is None or box is None:
        return ladder
    axis, edges = slabs.places(box)
    # what the slab before foretells has a front already; of several maps only the first, for a rung finds one
    foretold = [FitMap(item) for item in rest if isinstance(item, AdaptMap)][:1]
    found = []
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        changes = (EnterSlab(number, axis, low, high), *(foretold if number else ()), *ladder[0].changes)
        enter = replace(ladder[0], changes=changes, starts=None if number else ladder[0].starts)
        found += [enter, *ladder[1:]]
    return found


def _one_slab(training: Sequence[Any]) -> list[Rung]:
    found: list[Rung] = []
    first, waiting = 0, None  # the rungs of the last optimizer; a Continue that waits for its optimizer
    starts, training = (training[0], training[1:]) if training and isinstance(training[0], Starts) else (None, training)
    moving: AdaptRanges | None = None  # one that waits for the descents that it prepares
    edits: tuple[EditNetwork, ...] = ()  # that wait for an optimizer
    for item in training:
        if isinstance(item, Starts):
            raise ValueError(f"{item} must stand at the beginning of the training, before the optimizer whose starts it chooses among")
        if isinstance(item, Slabs):
            raise ValueError(f"{item} must stand first in the training: all that follows is done in each slab")
        if isinstance(item, Continue):
            if waiting is not None:
                raise ValueError(f"{waiting} is followed by {item}: put an optimizer between them, or let the parameters move together")
            waiting = item
        elif isinstance(item, AdaptRanges):
            if moving is not None:
                raise ValueError(f"{moving} is followed by {item}: put what it prepares, an optimizer or Refine, between them")
            moving = item
        elif isinstance(item, (Prune, FixEdges)):
            if not found:
                raise ValueError(f"{item} edits what was trained, and nothing was: put an optimizer before it")
            edits = (*edits, EditNetwork(item))
        elif edits and not hasattr(item, "start"):
            raise ValueError(f"{edits[-1].options} is followed by {item}: put an optimizer between them")
        elif isinstance(item, (Refine, Resample, Until, Balance, Batches, Sparsify, Smooth, AdaptMap)):
            if not found or waiting is not None:
                raise ValueError(f"{item} has no optimizer before it: put one there, as in [LevenbergMarquardt(steps=100), {item}]")
            if isinstance(item, Batches) and not getattr(found[-1].optimizer, "in_batches", False):
                name = type(found[-1].optimizer).__name__
                raise ValueError(f"{item} is for Adam: {name} models the loss of all points, so leave it out after {name}")
            if isinstance(item, Refine):
                follow = () if moving is None else (FitRanges(moving),)
                found += [replace(found[-1], changes=(RefineTo(resolution, item.uniform), *follow)) for resolution in item.resolutions]
                moving = None
            elif isinstance(item, AdaptMap):
                found += [replace(found[-1], changes=(FitMap(item),))] * item.rounds
            elif isinstance(item, Sparsify):
                begin, *others = item.stations()
                found[first:] = [replace(rung, sparsify=begin) for rung in found[first:]]
                found += [replace(found[-1], changes=(), sparsify=each) for each in others]
            else:
                found[first:] = [replace(rung, **{type(item).__name__.lower(): item}) for rung in found[first:]]
        elif hasattr(item, "start") and hasattr(item, "steps") and not isinstance(item, type):
            first = len(found)
            stations = waiting.stations() if waiting is not None else [{}]
            found += [Rung((SetParameters(values),) if values else (), item) for values in stations]
            follow = edits if moving is None else (*edits, FitRanges(moving))
            found[first] = replace(found[first], changes=(*found[first].changes, *follow))
            waiting, moving, edits = None, None, ()
        else:
            raise TypeError(
                "training takes optimizers, Refine, Continue, Resample, Until, Balance, Batches, Sparsify, Smooth, AdaptMap, AdaptRanges, "
                f"Prune, FixEdges, Starts and Slabs, got {item!r}"
            )
    if edits:
        raise ValueError(f"{edits[-1].options} stands at the end of the training: put an optimizer behind it")
    if moving is not None:
        raise ValueError(f"{moving} prepares what follows, and nothing does: put it before an optimizer or Refine")
    if waiting is not None:
        raise ValueError(f"{waiting} stands at the end of the training: put it before the optimizer that it is for")
    if not found:
        raise ValueError("the training is empty: give at least one optimizer, such as LevenbergMarquardt(steps=100)")
    return [replace(found[0], starts=starts), *found[1:]]


def check_fit(problem: Problem, training: Sequence[Any], sampling: Sampling, callbacks: Sequence[Any]) -> None:
    """Raise ``ValueError`` for a network to be restored of several slabs, for columns to be watched that the history cannot have, and for
    what makes no sense where the equation is known at the rows of a data set alone.
    """
    for callback in callbacks:
        if isinstance(callback, EarlyStopping):
            problem.check_monitor(callback.monitor)
            if callback.restore and any(isinstance(item, Slabs) for item in training):
                raise ValueError(f"{callback}: with Slabs there is no one network to be restored; leave out restore=True")
    if problem.data_points is None:
        return
    kind = type(problem).__name__
    for item in training:
        if isinstance(item, (Balance, Resample, Slabs)):
            raise ValueError(f"{item} is for equations: a {kind} has but its training rows; leave it out")
        if getattr(item, "compile", False):
            raise ValueError(f"{type(item).__name__}(compile=True) is for equations, not for a {kind}: leave it out")
    if sampling != Sampling():
        raise ValueError(f"{sampling} is for equations: a {kind} has but its training rows; leave it out")


def climbed(stage: Stage, number: int, rung: Rung) -> Stage:
    """The stage on which a rung's descent begins."""
    stage = replace(stage, rung=number)
    for change in rung.changes:
        stage = change.apply(stage)
    return stage


def rehearse(stage: Stage, ladder: Sequence[Rung]) -> None:
    """Raise before time is spent if a rung cannot be reached, or the last does not solve the problem that was asked."""
    asked, stage = stage.problem.parameters, replace(stage, rehearsal=True)
    for number, rung in enumerate(ladder):
        stage = climbed(stage, number, rung)
        rung.optimizer.start(stage.network)
        check_penalties(stage.network, rung.penalties)
    for name, value in stage.problem.parameters.items():
        if value is not asked[name] and float(value) != float(asked[name]):
            raise ValueError(f"the continuation ends at {name}={value}, but the problem asks for {name}={asked[name]}: end it there")
