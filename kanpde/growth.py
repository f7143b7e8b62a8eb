"""Growing a network: from the smallest shape and a coarse grid, wider, then deeper, then finer, while the held-out error falls."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.bases import Basis
from kanpde.experiment import Experiment
from kanpde.kan import KAN
from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.penalties import Sparsify
from kanpde.problem import Problem
from kanpde.sampling import Sampling
from kanpde.schedule import Refine, rungs
from kanpde.slabs import AdaptMap, Slabs
from kanpde.starts import APART
from kanpde.training import fit

OVER = 2.0  # held-out over training error, from which on a fit is called over-fitted
PATIENCE = 2  # shapes in a row that may be no better


@dataclass(frozen=True)
class Trial:
    """A network that was tried: its widths, its basis' resolution, how many parameters, the root mean squares of the residuals that it was
    trained on and of those that it was not, and seconds; ``better`` if it was taken over.
    """

    widths: tuple[int, ...]
    resolution: int
    parameters: int
    training: float
    held_out: float
    seconds: float
    better: bool


@dataclass(frozen=True)
class Growth:
    """What :func:`grow` found: all ``trials`` in their order, the ``experiment`` of the best, which ``run(seed=seed)`` trains again to the
    same numbers, its trained ``network``, whether it is "over-fitted", "under-fitted" or "balanced", and ``advice`` on what to try next.
    """

    trials: tuple[Trial, ...]
    experiment: Experiment
    network: Network
    verdict: str
    advice: str
    seed: int = 0

    @property
    def best(self) -> Trial:
        """The last trial that was better than all before."""
        return [trial for trial in self.trials if trial.better][-1]

    def __str__(self) -> str:
        rows = [("widths", "grid", "parameters", "training", "held out", "seconds", "")]
        for each in self.trials:
            numbers = str(each.resolution), str(each.parameters), f"{each.training:.2e}", f"{each.held_out:.2e}", f"{each.seconds:.1f}"
            rows.append((repr(list(each.widths)), *numbers, "best" if each is self.best else "better" if each.better else ""))
        wide = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = [
            "  ".join(word.ljust(w) if k in (0, 6) else word.rjust(w) for k, (word, w) in enumerate(zip(row, wide, strict=True)))
            for row in rows
        ]
        return "\n".join([*(line.rstrip() for line in lines), f"{self.verdict}: {self.advice}"])


def grow(
    problem: Problem,
    basis: Basis,
    training: Sequence[Any],
    *,
    width: int = 8,
    depth: int = 3,
    resolution: int = 40,
    gain: float = 0.8,
    seconds: float = math.inf,
    hidden: str = "tanh",
    init: str = "random",
    sampling: Sampling | None = None,
    seed: int = 0,
) -> Growth:
    """Find a shape for a KAN: ``grow(Regression(data), BSpline(3, 3), [LevenbergMarquardt(steps=60)])``.

    ``basis`` is the coarse one to begin with. Without hidden nodes first, then with one hidden layer of 1, 2, 3, 5, 8, ... nodes up to
    ``width``, then with more layers of the best width, up to ``depth`` hidden ones: fresh weights of ``seed`` and the whole ``training``
    for each. Then the best is refined, by half each time, up to ``resolution``, and trained by the last optimizer of ``training``, from
    what it was. A step is taken over where the held-out error is below ``gain`` times the best before; after two in a row that are not,
    or after ``seconds``, which are looked at before each, the next stage begins.

    The held-out error is that of the validation rows of a data problem (the root of ``validation_loss``), or of as many other points
    where the equation and the conditions should hold.

    Raises ``ValueError`` for a training with Refine, AdaptMap or Slabs, for data without validation rows, and for limits that make no
    sense.
    """
    last = _checked(problem, training, gain, seconds)
    for name, value in {"width": width, "depth": depth, "resolution": resolution}.items():
        whole_number(value, f"grow({name}=...)", least=0 if name == "depth" else 1)
    search = _Search(problem, list(training), sampling or Sampling(), gain, time.perf_counter() + seconds, seed)

    def shaped(hidden_layers: tuple[int, ...]) -> KAN:
        return KAN(len(problem.domain.names), *hidden_layers, len(problem.unknowns), basis=basis, hidden=hidden, init=init)

    counts = [1, 2]
    while counts[-1] < width:
        counts.append(counts[-1] + counts[-2])
    search.shapes([shaped(()), *(shaped((count,)) for count in counts if count <= width and depth)])
    if search.experiment is None or search.network is None:
        raise ValueError("no network of any width had a finite error: check the equation, or give another training")
    if best := tuple(search.best.widths[1:-1]):
        search.shapes([shaped(best * layers) for layers in range(2, depth + 1)])
    search.grids(last, resolution)
    verdict, advice = _advice(problem, search.trials, {"width": width, "depth": depth, "seconds": search.late})
    return Growth(tuple(search.trials), search.experiment, search.network, verdict, advice, seed)


@dataclass
class _Search:
    """Growth under way: the trials so far, and of the best the experiment and the network."""

    problem: Problem
    training: list[Any]
    sampling: Sampling
    gain: float
    until: float
    seed: int
    trials: list[Trial] = field(default_factory=list)
    experiment: Experiment | None = None
    network: KAN | None = None

    @property
    def late(self) -> bool:
        return time.perf_counter() > self.until

    @property
    def best(self) -> Trial:
        return [trial for trial in self.trials if trial.better][-1]

    def tried(self, start: Network, schedule: Sequence[Any]) -> KAN:
        """The network that training leads to; its trial is noted, and whether it is better than all before."""
        began, lowest = time.perf_counter(), min((trial.held_out for trial in self.trials if trial.better), default=math.inf)
        done = fit(self.problem, start, schedule, sampling=self.sampling, seed=self.seed)
        network = done.network
        assert isinstance(network, KAN)
        seen, held_out = _errors(self.problem, network, done.points, self.sampling, self.seed)
        better = math.isfinite(held_out) and held_out < self.gain * lowest
        widths: Any = tuple(network.widths)
        took = time.perf_counter() - began
        self.trials.append(Trial(widths, network.resolution, network.parameter_count, seen, held_out, took, better))
        return network

    def shapes(self, models: Sequence[KAN]) -> None:
        """Try models one after another, until there is no gain."""
        failed = 0
        for model in models:
            if self.trials and (failed == PATIENCE or self.late):
                return
            experiment = Experiment(self.problem, model=model, training=self.training, sampling=self.sampling)
            found = self.tried(experiment.network(self.seed), experiment.training)
            failed = 0 if self.trials[-1].better else failed + 1
            if not failed:
                self.experiment, self.network = experiment, found

    def grids(self, last: Sequence[Any], most: int) -> None:
        """Refine the best and train it on by ``last``, until there is no gain."""
        assert self.experiment is not None and self.network is not None
        shaped, ladder, failed, current = self.experiment, list[int](), 0, self.network
        while current.resolution and (grid := math.ceil(1.5 * current.resolution)) <= most and failed < PATIENCE and not self.late:
            ladder.append(grid)
            current = self.tried(current.kept().refined(grid), last)
            failed = 0 if self.trials[-1].better else failed + 1
            if not failed:
                self.experiment, self.network = replace(shaped, training=[*self.training, Refine(*ladder)]), current


def _checked(problem: Problem, training: Sequence[Any], gain: float, seconds: float) -> list[Any]:
    """The last optimizer and what accompanies it; errors as :func:`grow` has them."""
    for item in training:
        if isinstance(item, (Refine, AdaptMap, Slabs)):
            raise ValueError(f"{item} is not for grow, which finds the grid by itself: leave it out of the training")
    if not (0 < gain < 1 and seconds > 0):
        raise ValueError(f"grow takes a gain between 0 and 1 and positive seconds, got gain={gain!r}, seconds={seconds!r}")
    problem.check_monitor("validation_loss")
    last = rungs(training)[-1].optimizer
    place = max(number for number, item in enumerate(training) if item is last)
    return [item.stations()[-1] if isinstance(item, Sparsify) else item for item in training[place:]]


def _errors(problem: Problem, network: Network, points: dict[str, Tensor], sampling: Sampling, seed: int) -> tuple[float, float]:
    """Root mean squares of the residuals, weighted as in training, of the points that the network saw and of others."""
    objective = Objective(problem, points)
    seen = objective.residual(network)
    if problem.data_points is not None:
        return float(seen.norm()), math.sqrt(problem.monitored(network)["validation_loss"])
    others = Objective(problem, sampling.points(problem, network, seed + APART)).residual(network)
    return float(seen.norm()), float(others.norm())


def _advice(problem: Problem, trials: Sequence[Trial], limits: dict[str, Any]) -> tuple[str, str]:
    """The verdict and what to do, from the numbers."""
    best = [trial for trial in trials if trial.better][-1]
    rows = 0 if problem.data_points is None else len(problem.data_points) * len(problem.unknowns)
    ratio = best.held_out / best.training if best.training > 0 else math.inf
    count = f"{best.parameters} parameters" + (f" on {rows} training values" if rows else "")
    at_width, at_depth = max(best.widths[1:-1], default=0) == limits["width"], len(best.widths) - 2 == limits["depth"]
    if ratio > OVER:
        crowded = ", more than there is data to determine" if rows and best.parameters >= rows else ""
        more = "more data" if rows else "more points, Sampling(interior=...),"
        return "over-fitted", (
            f"the held-out error is {ratio:.2g} times that of training, with {count}{crowded}, though all that was tried besides is no "
            f"better: {more} would help, or Smooth(1e-4) after the optimizer"
        )
    if trials[-1] is best or limits["seconds"]:
        before = [trial for trial in trials[:-1] if trial.better]
        word = "seconds" if limits["seconds"] else "resolution"
        fall = f" (by {before[-1].held_out / best.held_out:.2g} in the last step)" if before and trials[-1] is best else ""
        return "under-fitted", f"the held-out error was still falling{fall} when the limit of {word} was reached, with {count}: raise it"
    if at_width and limits["width"] > 1:
        return "under-fitted", f"the widest network that was allowed, of width {limits['width']}, is the best, with {count}: allow more"
    if at_depth and limits["depth"] > 1:
        return (
            "under-fitted",
            f"the deepest network that was allowed, of {limits['depth']} hidden layers, is the best, with {count}: allow more",
        )
    learnt = [each for each in trials if each.parameters > best.parameters and each.training < best.training / OVER]
    if learnt:
        least = min(learnt, key=lambda each: each.held_out)
        more = "more data" if rows else "more points, Sampling(interior=...),"
        return "under-fitted", (
            f"larger networks learn what they are trained on ({least.training:.2g} with {least.parameters} parameters, against "
            f"{best.training:.2g} with {count}) but not the rest ({least.held_out:.2g}, against {best.held_out:.2g}): {more} would help"
        )
    if rows and best.training > 0.1:
        return "under-fitted", (
            f"training and held-out errors agree at {best.held_out:.2g} of the targets' deviation, and no larger network is better: what "
            "is left is noise, or depends on what is not among the inputs; several seeds tell it from a poor minimum"
        )
    return (
        "balanced",
        f"the held-out error is {ratio:.2g} times that of training, with {count}, and nothing larger that was tried is better",
    )
