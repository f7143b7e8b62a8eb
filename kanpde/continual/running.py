"""A sequence of tasks as an experiment: trained one after another, and after each asked about all of them."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from kanpde.continual.remedies import Remedy
from kanpde.continual.scores import backward_transfer, forgetting, main_error, over_all
from kanpde.continual.tasks import Listed, Windows, sequence
from kanpde.editing import AdaptRanges, FixEdges, Prune
from kanpde.experiment import Experiment, edges_of, equation_of
from kanpde.kan import KAN
from kanpde.measures import measure
from kanpde.network import Network
from kanpde.objections import check_exact
from kanpde.objective import Objective, outputs
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.results import Result
from kanpde.sampling import Sampling
from kanpde.schedule import Refine, Starts
from kanpde.slabs import AdaptMap, Slabs
from kanpde.snapshots import History
from kanpde.training import Fit, fit

logger = logging.getLogger("kanpde")

CURVE = 1001  # points at which a function of one coordinate is kept after each task
COUNTS = ("_rows", "grid_points")
CHANGES = (AdaptMap, AdaptRanges, FixEdges, Prune, Refine, Slabs)


@dataclass(frozen=True)
class Continual:
    """Learn ``tasks`` one after another with one network, and see what is left of the earlier ones.

    ``tasks`` are problems of the same coordinates and unknowns, such as regressions of parts of a function, or :class:`Windows` of one.
    ``training`` is done for each of them from where the one before ended, without the optimizer's own memory; ``Starts`` only for the
    first. ``remedies`` are what keeps from forgetting (:mod:`kanpde.continual.remedies`). ``quick`` is as in
    :class:`~kanpde.experiment.Experiment`.

    Nothing of earlier tasks is seen in training but what remedies kept. The result has ``retention``: for every error that the tasks have,
    a matrix (T + 1, T), row j the errors on all tasks after j of them, row 0 before any; of one coordinate also the function after each.
    Metrics are those of all tasks together after the last (:func:`~kanpde.continual.scores.over_all`), ``backward_transfer``,
    ``forgetting`` and the ``kept_numbers`` of the remedies. A run that is stopped keeps what its whole tasks gave, and is begun anew.

    Raises ``TypeError`` or ``ValueError`` for tasks, networks, remedies and schedules that do not fit one another.
    """

    tasks: Sequence[Problem] | Windows
    model: Network
    training: Sequence[Any]
    remedies: Sequence[Remedy] = ()
    sampling: Sampling = field(default_factory=Sampling)
    quick: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.tasks, Windows):
            object.__setattr__(self, "tasks", tuple(self.tasks))
        for name in ("training", "quick", "remedies"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, list(given) if isinstance(given, Iterable) else [given])
        tasks = sequence(self.tasks)
        for item in (*self.training, *(self.quick or ())):
            if isinstance(item, CHANGES):
                raise ValueError(f"{item} changes what the parameters of the network are, which a sequence of tasks keeps: leave it out")
        for number in range(len(tasks)):
            problem = tasks.task(number, None)
            whole = Experiment(problem, self.model, self.training, sampling=self.sampling, quick=self.quick)  # which says what does not fit
            object.__setattr__(self, "model", whole.model)
        for remedy in self.remedies:
            if not hasattr(remedy, "memory"):
                raise TypeError(f"remedies are Elastic(), Replay(20), Rehearse(100) or FreezeReached(), got {remedy!r}")
            remedy.check(self.model)

    def shortened(self) -> "Continual":
        """The same for a first look: ``quick``, or descents of a third of the steps."""
        if self.quick is not None:
            return replace(self, training=self.quick)
        short = [replace(each, steps=math.ceil(each.steps / 3)) if hasattr(each, "steps") else each for each in self.training]
        return replace(self, training=short)

    def network(self, seed: int = 0, *, device: str = "cpu", dtype: torch.dtype = torch.float64) -> Network:
        """The model on the box around all tasks, in the units of the first, with the weights of ``seed``."""
        tasks = sequence(self.tasks)
        network = self.model.remade(seed=seed, dtype=dtype).to(device).on_box(tasks.domain.lower, tasks.domain.upper)
        affine = tasks.task(0, None).output_affine
        return network if affine is None else network.on_outputs(*affine)

    def trained_network(self, result: Result) -> Network:
        """The network after the last task, from its result; ``ValueError`` if that is of another experiment."""
        network = self.network(int(result.provenance["seed"]))
        if (repr(network), network.parameter_count) != (result.architecture["model"], len(result.parameters)):
            raise ValueError(f"the result is of another experiment: it holds {result.architecture['model']}, this one {network!r}")
        network.assign(torch.from_numpy(result.parameters))
        return network.kept()

    def run(
        self,
        *,
        seed: int = 0,
        device: str = "cpu",
        dtype: torch.dtype = torch.float64,
        name: str = "problem",
        key: str = "continual",
        source: str = "",
        resume: Result | None = None,
    ) -> Result:
        """Train on every task in turn, measuring all after each. An unfinished ``resume`` is begun anew.

        Ctrl-C ends it as "interrupted", with what the network was after the last whole task; ``KeyboardInterrupt`` if there is none.
        Raises ``ValueError`` before training if the ``exact`` of a task contradicts it.
        """
        known, tasks = provenance(self, seed, device, dtype, source), sequence(self.tasks)
        for problem in tasks.wholes:
            check_exact(problem)
        for warning in dict.fromkeys(each for problem in tasks.wholes for each in problem.warnings()):
            logger.warning("%s", warning)
        progress = self._learnt(tasks, self.network(seed, device=device, dtype=dtype), seed)
        network, points = progress.network, progress.points
        axes, places, solution = _solution(tasks, network)
        place = {("interior" if name == "equation" else name): p.cpu().double().numpy() for name, p in points.items()}
        return Result(
            problem=name,
            experiment=key,
            status="complete" if progress.tasks == len(tasks) else "interrupted",
            provenance=known | {"wall_seconds": progress.seconds, "stops": "; ".join(each.replace("; ", ", ") for each in progress.stops)},
            equation=equation_of(tasks.task(0, None) if isinstance(tasks, Listed) else tasks.problem, {}) | {"tasks": repr(self.tasks)},
            coordinates=tasks.domain.names,
            lower=np.asarray(tasks.domain.lower),
            upper=np.asarray(tasks.domain.upper),
            points=place,
            sampling=dict.fromkeys(place, "the points of the last task"),
            history=progress.history.arrays(),
            axes=axes,
            solution=solution,
            solution_points=places,
            unknowns=tasks.task(0, None).unknowns,
            metrics=progress.metrics,
            parameters=network.vector().cpu().double().numpy(),
            architecture={
                "model": repr(network),
                "kind": type(network).__name__,
                "inputs": network.inputs,
                "input_names": list(tasks.domain.names),
                "outputs": network.outputs,
                "fixed": network.fixed,
            },
            edges=edges_of(network, {"equation": torch.cat(progress.everywhere)}),
            checkpoint=None,
            retention=progress.retention,
        )

    def _learnt(self, tasks: Windows | Listed, network: Network, seed: int) -> "_Progress":
        """Train on every task in turn, until Ctrl-C."""
        memories = [remedy.memory() for remedy in self.remedies]
        progress = _Progress(network, [tasks.task(number, None) for number in range(len(tasks))])
        before: tuple[Problem, Network] | None = None
        for number in range(len(tasks)):
            problem = tasks.task(number, before)
            for memory in memories:
                memory.prepare(network)
            terms = [term for memory in memories for term in memory.terms()]
            training = [item for item in self.training if not (number and isinstance(item, Starts))]
            fitted = fit(problem, network, training, sampling=self.sampling, seed=seed + 1_000 * number, terms=terms)
            if fitted.status != "complete":
                if before is None:
                    raise KeyboardInterrupt
                progress.network = before[1]
                break
            objective = Objective(problem, fitted.points)
            for memory in memories:
                memory.learnt(network, objective, seed)
            _release(network)
            progress.learnt(fitted)
            progress.kept = sum(memory.numbers for memory in memories)
            before = problem, network.copy()
        return progress


def _release(network: Network) -> None:
    for layer in network.wires if isinstance(network, KAN) else ():
        layer.hold(None)


class _Progress:
    """The errors on all tasks, the function and the history after so many ``tasks``, and the numbers that remedies ``kept``."""

    def __init__(self, network: Network, problems: Sequence[Problem]) -> None:
        self.network, self.problems, self.history, self.stops = network, problems, History(), list[str]()
        self.seconds, self.errors, self.kept = 0.0, list[list[dict[str, float]]](), 0
        self.points, self.everywhere = dict[str, torch.Tensor](), list[torch.Tensor]()
        self.axis = problems[0].domain.names[0] if network.inputs == 1 else None
        self.where = network.lower + (network.upper - network.lower) * torch.linspace(0, 1, CURVE).to(network.lower)[:, None]
        self.curves: dict[str, list[np.ndarray]] = {name: [] for name in problems[0].unknowns}
        self._measure()

    def learnt(self, fitted: Fit) -> None:
        """Add what training on one task says, and measure."""
        columns, steps, before = fitted.history.columns, self.history.length, self.seconds
        for row in range(fitted.history.length):
            values = {name: column[row] for name, column in columns.items()}
            values |= {"step": steps + row + 1, "seconds": before + values["seconds"], "phase": len(self.errors)}
            self.history.append(values)
        self.seconds += fitted.seconds
        self.stops += fitted.stops
        self.points = fitted.points
        self.everywhere.append(fitted.points["equation"])
        self._measure()

    def _measure(self) -> None:
        self.errors.append([_numbers(measure(problem, self.network)[3]) for problem in self.problems])
        if self.axis is not None:
            found = outputs(self.problems[0], self.network, self.where)
            for name, curves in self.curves.items():
                curves.append(found[name][()].cpu().double().numpy())

    @property
    def tasks(self) -> int:
        """How many were learnt."""
        return len(self.errors) - 1

    @property
    def metrics(self) -> dict[str, float]:
        """Those of all tasks after the last that was learnt; of the whole sequence also what was forgotten."""
        retention, history = self.retention, self.history.columns
        error = retention[main_error(list(retention))]
        whole = self.tasks == len(self.problems)
        return over_all(self.errors[-1]) | {
            "tasks": self.tasks,
            "backward_transfer": backward_transfer(error) if whole else math.nan,
            "forgetting": forgetting(error) if whole else math.nan,
            "kept_numbers": self.kept,
            "parameters": self.network.parameter_count,
            "steps": self.history.length,
            "seconds": self.seconds,
            "loss": float(history["loss"][-1]) if self.history.length else math.nan,
        }

    @property
    def retention(self) -> dict[str, np.ndarray]:
        """The matrices by error, and the curves."""
        names = [name for name in self.errors[0][0] if all(name in each for row in self.errors for each in row)]
        found = {name: np.array([[each[name] for each in row] for row in self.errors]) for name in names if not name.endswith(COUNTS)}
        if self.axis is not None:
            found |= {"points": self.where[:, 0].cpu().double().numpy()}
            found |= {f"after_{name}": np.stack(curves) for name, curves in self.curves.items()}
        return found


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float))}


def _solution(tasks: Windows | Listed, network: Network) -> tuple[dict[str, np.ndarray], np.ndarray | None, dict[str, np.ndarray]]:
    """What the network gives in the end: on the grid of a problem that was cut, else at the points, or rows, of all tasks."""
    if isinstance(tasks, Windows):
        return measure(tasks.problem, network)[:3]
    places, fields = [], []
    for number in range(len(tasks)):
        axes, points, arrays, _ = measure(tasks.task(number, None), network)
        if points is None:
            points = np.stack([each.ravel() for each in np.meshgrid(*axes.values(), indexing="ij")], 1)
        places.append(points)
        fields.append({name: values.ravel() for name, values in arrays.items()} | {"task": np.full(len(points), number)})
    return {}, np.concatenate(places), {name: np.concatenate([each[name] for each in fields]) for name in fields[0]}
