"""Training: rungs climbed one after another.

Training knows nothing of files or terminals: it tells a listener what happens, and can go on from any
:class:`~kanpde.snapshots.Snapshot` with the same numbers as if it had never stopped.
"""

import io
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.callbacks import CallbackError
from kanpde.changes import EnterSlab, Stage
from kanpde.joined import Joined, Term, columns_of
from kanpde.kan import KAN
from kanpde.network import Network, uniform
from kanpde.objective import Objective, outputs
from kanpde.optimizers import Descent, Paced, Step
from kanpde.penalised import COLUMNS, Penalised
from kanpde.problem import Problem
from kanpde.sampling import Sampling, resampled
from kanpde.schedule import Rung, climbed, rehearse, rungs
from kanpde.snapshots import History, Kept, Snapshot, given_networks
from kanpde.starts import APART, best_start

logger = logging.getLogger("kanpde")


@dataclass
class Fit:
    """Training under way, and what is left when it ends.

    ``status`` is "running", "complete", "interrupted" or "failed" (by its listener); ``points`` are the last rung's; ``stops`` says how
    each rung ended.
    """

    network: Network
    stage: Stage | None = None
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
    best: Tensor | None = None  # where the loss was lowest since the descent began, or the points were drawn anew
    best_row: int = -1
    factors: Mapping[str, float] = field(default_factory=dict)
    finished: tuple[np.ndarray, ...] = ()
    reached: Mapping[str, float] = field(default_factory=dict)  # loss and error_l2 at the end of the last rung, for ``rung_over``
    maps: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    kept: Kept | None = None

    def keep(self, monitor: str) -> None:
        """Let the network as it stands be what is left when the training ends, unless another is kept later; not with slabs."""
        same = self.kept is not None and self.kept.network is not None and self.kept.rung == self.rung
        network = self.kept.network if same and self.kept is not None else deepcopy(self.network)
        self.kept = Kept(monitor, self.history.length - 1, self.rung, self.network.vector().cpu().numpy(), network)

    @property
    def row(self) -> int:
        """The row of the history that belongs to the network that is left."""
        return self.history.length - 1 if self.kept is None or self.status != "complete" else self.kept.row

    def restore(self) -> None:
        """Go back to the network that was kept, if there is one."""
        if self.kept is None or self.kept.network is None or self.stage is None:
            return
        network = self.kept.network
        network.assign(torch.as_tensor(self.kept.parameters).to(network.lower))
        if self.kept.row + 1 < self.history.length:
            value = self.history.columns[self.kept.monitor][self.kept.row]
            self.stops[-1] += f", restored the network of step {self.kept.row + 1} with {self.kept.monitor} {value:.3g}"
        self.network, self.rung, self.stage = network, self.kept.rung, replace(self.stage, network=network)

    def snapshot(self) -> Snapshot:
        """The state after the last whole step."""
        assert self.descent_state is not None and self.accepted is not None
        stream = io.BytesIO()
        torch.save(self.descent_state, stream)
        parameters = self.accepted.cpu().numpy().copy()
        interior = self.points["equation"].cpu().double().numpy()
        if self.stage is not None and self.stage.problem.data_points is not None:  # the problem has them
            interior = interior[:0]
        stops = (*self.stops[: self.rung], *filter(None, [self.ending]))
        return Snapshot(
            rung=self.rung,
            step=self.step,
            seconds=self.seconds,
            parameters=parameters,
            descent=stream.getvalue(),
            history=self.history.arrays(),
            interior=interior,
            finished=self.finished,
            maps=dict(self.maps),
            stops=stops,
            best=None if self.best is None else self.best.cpu().numpy().copy(),
            best_row=self.best_row,
            factors=dict(self.factors),
            networks={} if self.stage is None else given_networks(self.stage.solution()),
            kept=self.kept,
        )


def fit(
    problem: Problem,
    network: Network,
    training: Sequence[Any],
    *,
    sampling: Sampling,
    seed: int = 0,
    listener: Callable[[Fit], str | None] | None = None,
    rung_over: Callable[[Fit], object] | None = None,
    resume: Snapshot | None = None,
    terms: Sequence[Term] = (),
) -> Fit:
    """Train ``network`` on ``problem``; a KeyboardInterrupt ends it with what has been reached.

    ``listener`` is called after every step; a reason that it returns ends the training, which is then complete, with the network that it
    saw; a :class:`~kanpde.callbacks.CallbackError` that it raises ends it as failed. ``rung_over`` is called when a rung has ended.
    ``terms`` are minimised beside the losses, such as what earlier tasks ask for (:mod:`kanpde.continual`).
    """
    ladder = rungs(training, problem.domain)
    if len(network.coefficients) != len(problem.coefficients):
        network.with_coefficients(list(problem.coefficients.values()))
    rehearse(Stage.first(problem, network), ladder)
    stage = Stage.first(problem, network, resume.maps if resume is not None else None)
    if resume is not None:
        stage = replace(stage, known={slab: each.copy().to(network.lower.device) for slab, each in resume.networks.items()})
    progress = Fit(network, total_steps=sum(rung.optimizer.steps for rung in ladder))
    if resume is not None:
        progress.seconds, progress.stops = resume.seconds, list(resume.stops[: resume.rung])
        progress.history = History({name: column.tolist() for name, column in resume.history.items()}, len(resume.history.get("step", ())))
    began, judge = time.perf_counter() - progress.seconds, _error_measure(problem, network, seed)
    climb = Climb(progress, sampling, seed, began, judge, listener, rung_over, tuple(terms))
    try:
        for number, rung in enumerate(ladder):
            for change in rung.changes:
                if isinstance(change, EnterSlab) and change.number:
                    stage = stage.recalled()
                    if resume is not None and change.number <= len(resume.finished):
                        stage.network.assign(torch.as_tensor(resume.finished[change.number - 1]).to(network.lower))
                    progress.finished = (*progress.finished, stage.network.vector().cpu().numpy())
            again = resume is not None and number <= resume.rung  # what was found then is in the snapshot
            before = stage
            stage = climbed(replace(stage, rehearsal=again, points=progress.points.get("equation")), number, rung)
            if resume is not None and number == resume.rung:
                stage = replace(stage.recalled(), known={})
                _check_length(resume, stage.network)
            progress.network, progress.maps, progress.stage = stage.network, stage.maps, stage
            if resume is not None and resume.kept is not None and number == resume.kept.rung:
                same = stage.network if resume.kept.network is None else resume.kept.network.to(network.lower.device)
                progress.kept = replace(resume.kept, network=deepcopy(same))
            if rung.changes and not again and stage.network is before.network and stage.problem is before.problem:
                progress.stops.append("there was nothing to change")
            elif resume is None or number >= resume.rung:
                climb.rung(number, rung, stage, resume if resume is not None and number == resume.rung else None)
            if climb.ended:
                break
        progress.status = "complete"
    except (KeyboardInterrupt, CallbackError) as error:
        progress.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        if isinstance(error, CallbackError):
            progress.stops.append(str(error))
            logger.error("%s: the training ends there", error)
            logger.info("its traceback", exc_info=error.__cause__)
        if progress.accepted is not None and len(progress.accepted) == progress.network.parameter_count:
            progress.network.assign(progress.accepted)
    progress.network = stage.solution()
    if progress.status == "complete":
        progress.restore()
    return progress


@dataclass
class Climb:
    """What all rungs share: where they report to, and how points and errors come about."""

    progress: Fit
    sampling: Sampling
    seed: int
    began: float
    judge: Callable[[Stage], float]
    listener: Callable[[Fit], str | None] | None
    rung_over: Callable[[Fit], object] | None = None
    terms: tuple[Term, ...] = ()
    ended: bool = False  # by the listener
    penalties: tuple[str, ...] = ()  # columns of the history that are minimised beside the losses

    def rung(self, number: int, rung: Rung, stage: Stage, resume: Snapshot | None) -> None:
        """Sample, then descend until the steps are used up or there is a reason to end; keep the best of what was seen."""
        progress, network, optimizer = self.progress, stage.network, rung.optimizer
        began = ""
        if rung.starts is not None and resume is None:
            began = best_start(stage.problem, network, rung, rung.starts, self.sampling, self.seed)
        progress.points = self.sampling.points(stage.problem, network, self.seed)
        descent, done = optimizer.start(network), 0
        if resume is not None:
            network.assign(torch.as_tensor(resume.parameters).to(network.lower))
            descent.restore(torch.load(io.BytesIO(resume.descent), weights_only=True))
            if stage.problem.data_points is None:
                progress.points["equation"] = torch.as_tensor(resume.interior).to(network.lower)
            done = resume.step
        factors = resume.factors if resume is not None else progress.factors if rung.balance is not None else {}
        progress.factors = dict(factors)
        objective = self._objective(stage, rung)
        objective.check_finite(network)
        progress.rung, progress.step, progress.accepted = number, done, network.vector()
        progress.descent_state = deepcopy(descent.state())
        since = done if rung.resample is None or not done else done - rung.resample.every * ((done - 1) // rung.resample.every)
        first = progress.history.length - since  # row of the history from which on losses are those on the present points
        progress.best, progress.best_row = network.vector(), -1
        if resume is not None and resume.best is not None:
            progress.best, progress.best_row = torch.as_tensor(resume.best).to(network.lower), resume.best_row
        ended = resume.stops[number:] if resume is not None else ()
        progress.ending = ended[0] if ended else self._ended(first, rung, 0.0) or ""
        while not progress.ending and done < optimizer.steps:
            if rung.balance is not None and done and done % rung.balance.every == 0:
                progress.factors = rung.balance.renewed(progress.factors, self._losses(-1))
                objective = self._objective(stage, rung)
            if rung.resample is not None and done and done % rung.resample.every == 0:
                objective = self._resample(rung, number, done, stage)
                first, progress.best_row = progress.history.length, -1
            before = network.vector()
            if isinstance(descent, Paced):
                descent.pace(done / optimizer.steps)
            if rung.batches is None:
                outcome = descent.advance(objective, network)
            else:
                outcome = _epoch(
                    descent, objective, network, rung.batches.places(len(progress.points["equation"]), (self.seed, number, done))
                )
            done += 1
            progress.accepted, progress.seconds = network.vector(), time.perf_counter() - self.began
            progress.descent_state = deepcopy(descent.state())
            progress.step = done if outcome.stop is None else optimizer.steps
            self._record(objective, outcome, stage, rung)
            if self._loss(-1) < (math.inf if progress.best_row < 0 else self._loss(progress.best_row)):
                progress.best = before if outcome.residual_before else progress.accepted
                progress.best_row = progress.history.length - 1
            progress.ending = (
                outcome.stop
                or stage.problem.stop_reason(sum(self._losses(-1).values()))
                or self._ended(first, rung, progress.seconds)
                or ""
            )
            reason = self.listener(progress) if self.listener is not None else None
            if reason:
                progress.ending, self.ended = reason, True
        if not self.ended and progress.best_row >= 0 and not _loss(objective, network) <= self._loss(progress.best_row):
            network.assign(progress.best)
            progress.accepted = network.vector()
        progress.stops.append("; ".join(filter(None, [began, progress.ending or "all steps done"])))
        logger.info("rung %d of %s ended after %d steps: %s", number, type(optimizer).__name__, done, progress.stops[-1])
        if self.rung_over is not None:
            losses = objective.losses(objective.residual(network))  # without penalties and changed weights, as in the history
            loss = sum(loss / progress.factors.get(name, 1.0) for name, loss in losses.items())
            progress.reached = {"loss": loss, "error_l2": self.judge(stage)}
            self.rung_over(progress)

    def _losses(self, row: int) -> dict[str, float]:
        """The losses in a row of the history, by block, under the present weights."""
        columns, factors = self.progress.history.columns, self.progress.factors
        return {name: factors.get(name, 1.0) * columns[f"loss_{name}"][row] for name in self.progress.points}

    def _loss(self, row: int) -> float:
        """What is minimised: the losses and the penalties."""
        return sum(self._losses(row).values()) + sum(self.progress.history.columns[name][row] for name in self.penalties)

    def _objective(self, stage: Stage, rung: Rung) -> Objective:
        points, factors = self.progress.points, self.progress.factors
        self.penalties = columns_of(self.terms) + tuple(COLUMNS[type(penalty)] for penalty in rung.penalties)
        if not rung.penalties:
            return Joined(stage.problem, points, self.terms, factors=factors)
        assert isinstance(stage.network, KAN)  # or the rehearsal would have said so
        return Penalised(stage.problem, points, stage.network, rung.penalties, terms=self.terms, factors=factors)

    def _ended(self, first: int, rung: Rung, seconds: float) -> str | None:
        """Why a descent with the losses in the history from row ``first`` on should end, if it should."""
        history, optimizer, until = self.progress.history, rung.optimizer, rung.until
        count = history.length - first
        if count and until.loss and history.columns["loss"][-1] <= until.loss:
            return f"the loss {history.columns['loss'][-1]:.3g} is what was asked for"
        if count and self._loss(-1) == 0:
            return "the loss is zero"
        if seconds >= until.seconds:
            return f"{until.seconds:g} seconds of training are over"
        if count > optimizer.patience and not self._loss(-1) < optimizer.progress * self._loss(-1 - optimizer.patience):
            return f"the loss fell by less than a factor {optimizer.progress:g} in {optimizer.patience} steps"
        return None

    def _resample(self, rung: Rung, number: int, done: int, stage: Stage) -> Objective:
        options, progress = rung.resample, self.progress
        assert options is not None
        seed = (self.seed * APART + number) * 100_003 + done
        progress.points = resampled(
            stage.problem, stage.network, progress.points, seed, candidates=options.candidates, power=options.power, floor=options.floor
        )
        return self._objective(stage, rung)

    def _record(self, objective: Objective, outcome: Step, stage: Stage, rung: Rung) -> None:
        factors, residual = self.progress.factors, outcome.residual
        penalties = objective.paid(residual) if isinstance(objective, Joined) else {}
        if isinstance(objective, Penalised):
            settled = objective.settle(stage.network)  # type: ignore[arg-type]
            penalties |= {} if outcome.residual_before else settled
        losses = {name: loss / factors.get(name, 1.0) for name, loss in objective.losses(residual).items()}
        weights = {f"weight_{block.name}": block.weight for block in objective.blocks} if rung.balance is not None else {}
        self.progress.history.append(
            {
                "step": self.progress.history.length + 1,
                "seconds": self.progress.seconds,
                "loss": sum(losses.values()),
                **{f"loss_{name}": value for name, value in losses.items()},
                **penalties,
                "error_l2": self.judge(stage),
                "damping": outcome.damping,
                "refinement": stage.network.resolution,
                **weights,
                **stage.problem.monitored(stage.network),
            }
        )


def _check_length(resume: Snapshot, network: Network) -> None:
    if len(resume.parameters) != network.parameter_count:
        raise ValueError(
            f"the snapshot holds {len(resume.parameters)} parameters, but on rung {resume.rung} of this training {network!r} has "
            f"{network.parameter_count}: the training was changed since, or a change in it edited a network that cannot be described"
        )


def _epoch(descent: Descent, objective: Objective, network: Network, batches: Sequence[np.ndarray]) -> Step:
    """A step on each batch in turn; the residual is that of all points at the end."""
    outcome = None
    for places in batches:
        outcome = descent.advance(objective.batch(torch.from_numpy(places)), network)
        if outcome.stop:
            break
    assert outcome is not None  # there are points
    return Step(objective.residual(network), outcome.damping, outcome.stop)


def _loss(objective: Objective, network: Network) -> float:
    residual = objective.residual(network)
    return float(residual @ residual)


def _error_measure(problem: Problem, network: Network, seed: int) -> Callable[[Stage], float]:
    """Relative L2 error at 1,000 uniform points that training never sees (of slabs, those in the present one); NaN without anything to
    compare with.
    """
    solution = problem.exact or problem.reference
    if solution is None:
        return lambda stage: math.nan
    points = problem.domain.sample(1000, uniform, seed + APART)
    values = problem.solution(solution, dict(zip(problem.domain.names, points.T, strict=True)))
    truth = {name: np.broadcast_to(np.asarray(value, dtype=float), len(points)) for name, value in values.items()}
    where = torch.as_tensor(points, dtype=network.lower.dtype, device=network.lower.device)

    def measure(stage: Stage) -> float:
        here, axis = np.full(len(points), True), stage.slab_axis
        if axis is not None:
            here = (points[:, axis] >= stage.problem.domain.lower[axis]) & (points[:, axis] <= stage.problem.domain.upper[axis])
        found = outputs(stage.problem, stage.network, where[torch.from_numpy(here)])
        error = sum(float(np.sum((found[name][()].cpu().numpy() - value[here]) ** 2)) for name, value in truth.items())
        return math.sqrt(error / (sum(float(np.sum(value[here] ** 2)) for value in truth.values()) or 1.0))

    return measure
