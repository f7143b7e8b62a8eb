"""The schedule: a list of optimizers and changes becomes rungs, and rungs are climbed one after another.

``[LevenbergMarquardt(steps=100), Refine(12, 16)]`` reads: optimise for at most 100 steps; refine to 12 and optimise again
likewise; refine to 16 and optimise again. Training knows nothing of files or terminals: it tells a listener what happens, and
can go on from any :class:`Snapshot` with the same numbers as if it had never stopped.
"""

import io
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from kanpde.bases import whole_number
from kanpde.network import Network
from kanpde.objective import Objective, outputs
from kanpde.optimizers import Optimizer
from kanpde.problem import Problem

logger = logging.getLogger("kanpde")


class Change(Protocol):
    """Something that happens to the network between two descents."""

    def apply(self, network: Network) -> Network: ...


@dataclass(frozen=True)
class RefineTo:
    """Refine the network's basis to one resolution, exactly."""

    resolution: int

    def apply(self, network: Network) -> Network:
        refined = getattr(network, "refined", None)
        if refined is None:
            raise TypeError(f"{network} cannot be refined: it has no basis; leave Refine out of its training")
        return refined(self.resolution)


@dataclass(frozen=True, init=False)
class Refine:
    """Refine to one resolution after another (a degree, a number of intervals), optimising after each as before."""

    resolutions: tuple[int, ...]

    def __init__(self, *resolutions: int) -> None:
        if not resolutions:
            raise ValueError("Refine needs resolutions, as in Refine(12, 16, 20)")
        for resolution in resolutions:
            whole_number(resolution, "a resolution of Refine")
        if list(resolutions) != sorted(set(resolutions)):
            raise ValueError(f"the resolutions of Refine must rise, got {resolutions}")
        object.__setattr__(self, "resolutions", resolutions)

    def __repr__(self) -> str:
        return f"Refine({', '.join(map(str, self.resolutions))})"


@dataclass(frozen=True)
class Rung:
    """Some changes to the network, then a descent."""

    changes: tuple[Change, ...]
    optimizer: Optimizer


def rungs(training: Sequence[Any]) -> list[Rung]:
    """The schedule spelled out; ``ValueError`` if it has no optimizer where one is needed."""
    found: list[Rung] = []
    for item in training:
        if isinstance(item, Refine):
            if not found:
                raise ValueError(f"the training begins with {item}, but there is nothing to refine with: put an optimizer before it")
            found += [Rung((RefineTo(resolution),), found[-1].optimizer) for resolution in item.resolutions]
        elif hasattr(item, "start") and hasattr(item, "steps") and not isinstance(item, type):
            found.append(Rung((), item))
        else:
            raise TypeError(f"training takes optimizers and Refine(...), got {item!r}")
    if not found:
        raise ValueError("the training is empty: give at least one optimizer, such as LevenbergMarquardt(steps=100)")
    return found


@dataclass(frozen=True)
class Sampling:
    """How many collocation points: ``interior``, or by default ``per_parameter`` times the parameters (anew after each
    refinement), and ``per_side`` on each side, by default as dense as those inside.

    They are scrambled Sobol points carried to the density that fits the network's basis (arcsine for polynomials, knots for
    splines).
    """

    interior: int | None = None
    per_side: int | None = None
    per_parameter: float = 2.0

    def __post_init__(self) -> None:
        for name in ("interior", "per_side"):
            if getattr(self, name) is not None:
                whole_number(getattr(self, name), f"Sampling({name}=...)")
        if not (math.isfinite(self.per_parameter) and self.per_parameter > 0):
            raise ValueError(f"Sampling(per_parameter=...) must be positive, got {self.per_parameter!r}")

    def points(self, problem: Problem, network: Network, seed: int) -> dict[str, Tensor]:
        """Points by block, as :class:`~kanpde.objective.Objective` takes them."""
        box, like = problem.domain, network.lower
        count = self.interior or max(128, math.ceil(self.per_parameter * network.parameter_count / network.outputs))
        sides = self.per_side or math.ceil(1.5 * count ** ((len(box.names) - 1) / len(box.names)))
        found = {"equation": box.sample(count, network.quantile, seed)}
        for condition in problem.soft:
            found[condition.name] = condition.on.sample(sides, network.quantile, seed)
        return {name: torch.as_tensor(points, dtype=like.dtype, device=like.device) for name, points in found.items()}


@dataclass
class History:
    """One entry a step in every column; a column that begins late is NaN before."""

    columns: dict[str, list[float]] = field(default_factory=dict)
    length: int = 0

    def append(self, row: Mapping[str, float]) -> None:
        for name in row:
            self.columns.setdefault(name, [math.nan] * self.length)
        for name, column in self.columns.items():
            column.append(row.get(name, math.nan))
        self.length += 1

    def arrays(self) -> dict[str, np.ndarray]:
        whole = ("step", "refinement")
        return {name: np.asarray(column, dtype=int if name in whole else float) for name, column in self.columns.items()}


@dataclass(frozen=True)
class Snapshot:
    """Everything that training needs to go on: where it stands on the ladder, the parameters, the descent and the history."""

    rung: int
    step: int  # steps done on this rung
    seconds: float
    parameters: np.ndarray
    descent: bytes
    history: dict[str, np.ndarray]
    stops: tuple[str, ...] = ()  # how the rungs below ended, and this one, if it has


@dataclass
class Fit:
    """Training under way, and what is left when it ends.

    ``status`` is "running", "complete" or "interrupted"; ``points`` are the last rung's; ``stops`` says how each rung ended.
    """

    network: Network
    points: dict[str, Tensor] = field(default_factory=dict)
    history: History = field(default_factory=History)
    status: str = "running"
    stops: list[str] = field(default_factory=list)
    ending: str = ""  # of the rung that is being left
    rung: int = 0
    step: int = 0
    total_steps: int = 0
    seconds: float = 0.0
    descent_state: dict[str, Any] | None = None  # of the descent, after the last whole step
    accepted: Tensor | None = None

    def snapshot(self) -> Snapshot:
        """The state after the last whole step."""
        assert self.descent_state is not None and self.accepted is not None
        stream = io.BytesIO()
        torch.save(self.descent_state, stream)
        parameters = self.accepted.cpu().numpy().copy()
        stops = (*self.stops[: self.rung], *filter(None, [self.ending]))
        return Snapshot(self.rung, self.step, self.seconds, parameters, stream.getvalue(), self.history.arrays(), stops)


def fit(
    problem: Problem,
    network: Network,
    training: Sequence[Any],
    *,
    sampling: Sampling,
    seed: int = 0,
    listener: Callable[[Fit], None] | None = None,
    resume: Snapshot | None = None,
) -> Fit:
    """Train ``network`` on ``problem``; a KeyboardInterrupt ends it with what has been reached."""
    ladder = rungs(training)
    progress = Fit(network, total_steps=sum(rung.optimizer.steps for rung in ladder))
    if resume is not None:
        progress.seconds, progress.stops = resume.seconds, list(resume.stops[: resume.rung])
        progress.history = History({name: column.tolist() for name, column in resume.history.items()}, len(resume.history.get("step", ())))
    began = time.perf_counter() - progress.seconds
    judge = _error_measure(problem, network, seed)
    rehearsal = network
    for rung in ladder:  # a ladder that cannot be climbed fails before time is spent on its first rungs
        for change in rung.changes:
            rehearsal = change.apply(rehearsal)
    try:
        for number, rung in enumerate(ladder):
            for change in rung.changes:
                progress.network = change.apply(progress.network)
            if resume is not None and number < resume.rung:
                continue
            _climb(progress, problem, number, rung, sampling, seed, began, judge, listener, resume)
        progress.status = "complete"
    except KeyboardInterrupt:
        progress.status = "interrupted"
        if progress.accepted is not None and len(progress.accepted) == progress.network.parameter_count:
            progress.network.assign(progress.accepted)
    return progress


def _climb(
    progress: Fit,
    problem: Problem,
    number: int,
    rung: Rung,
    sampling: Sampling,
    seed: int,
    began: float,
    judge: Callable[[Network], float],
    listener: Callable[[Fit], None] | None,
    resume: Snapshot | None,
) -> None:
    """One rung: sample, then descend until the steps are used up or the descent says why it ends."""
    network = progress.network
    progress.points = sampling.points(problem, network, seed)
    objective = Objective(problem, progress.points)
    objective.check_finite(network)
    descent = rung.optimizer.start(network)
    done = 0
    if resume is not None and number == resume.rung:
        network.assign(torch.as_tensor(resume.parameters).to(network.lower))
        descent.restore(torch.load(io.BytesIO(resume.descent), weights_only=True))
        done = resume.step
    progress.rung, progress.step, progress.accepted = number, done, network.vector()
    progress.descent_state = deepcopy(descent.state())
    recent = progress.history.columns.get("loss", [])[-done:] if done else []
    ended = resume.stops[number:] if resume is not None and number == resume.rung else ()
    reason = ended[0] if ended else "all steps done" if not _stalled(recent, rung.optimizer) else "stalled"
    progress.ending = ended[0] if ended else ""
    while done < rung.optimizer.steps and not _stalled(recent, rung.optimizer):
        outcome = descent.advance(objective, network)
        done += 1
        progress.accepted, progress.seconds = network.vector(), time.perf_counter() - began
        progress.descent_state = deepcopy(descent.state())
        progress.step = done if outcome.stop is None else rung.optimizer.steps
        _record(progress, objective, outcome.residual, outcome.damping, judge(network))
        recent.append(progress.history.columns["loss"][-1])
        if outcome.stop is not None:
            progress.ending = outcome.stop
        elif _stalled(recent, rung.optimizer):
            optimizer = rung.optimizer
            progress.ending = f"the loss fell by less than a factor {optimizer.progress:g} in {optimizer.patience} steps"
        reason = progress.ending or reason
        if listener is not None:
            listener(progress)
        if outcome.stop is not None:
            break
    logger.info("rung %d of %s ended after %d steps: %s", number, type(rung.optimizer).__name__, done, reason)
    progress.stops.append(reason)


def _stalled(recent: list[float], optimizer: Optimizer) -> bool:
    if len(recent) <= optimizer.patience:
        return False
    return not recent[-1] < optimizer.progress * recent[-1 - optimizer.patience] or recent[-1] == 0.0


def _record(progress: Fit, objective: Objective, residual: Tensor, damping: float, error: float) -> None:
    losses = objective.losses(residual)
    progress.history.append(
        {
            "step": progress.history.length + 1,
            "seconds": progress.seconds,
            "loss": sum(losses.values()),
            **{f"loss_{name}": value for name, value in losses.items()},
            "error_l2": error,
            "damping": damping,
            "refinement": getattr(getattr(progress.network, "basis", None), "resolution", 0),
        }
    )


def _error_measure(problem: Problem, network: Network, seed: int) -> Callable[[Network], float]:
    """Relative L2 error at 1,000 uniform points that training never sees; NaN without anything to compare with."""
    solution = problem.exact or problem.reference
    if solution is None:
        return lambda network: math.nan
    points = problem.domain.sample(1000, lambda u: 2 * u - 1, seed + 1_000_003)
    values = problem.solution(solution, dict(zip(problem.domain.names, points.T, strict=True)))
    truth = {name: np.broadcast_to(np.asarray(value, dtype=float), len(points)) for name, value in values.items()}
    where = torch.as_tensor(points, dtype=network.lower.dtype, device=network.lower.device)

    def measure(network: Network) -> float:
        found = outputs(problem, network, where)
        error = sum(float(np.sum((found[name][()].cpu().numpy() - value) ** 2)) for name, value in truth.items())
        return math.sqrt(error / (sum(float(np.sum(value**2)) for value in truth.values()) or 1.0))

    return measure
