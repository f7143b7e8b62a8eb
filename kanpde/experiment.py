"""An experiment: a problem, a network and a schedule; running it gives a :class:`~kanpde.results.Result`."""

import inspect
import logging
import math
import os
import re
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.agreement import check_network
from kanpde.arguments import nearest
from kanpde.augmented import check_coordinates
from kanpde.callbacks import Callback, heard
from kanpde.calls import function_name
from kanpde.checkpoints import check_data, check_fixed, primitives_in, snapshot_of, stored, trained_network, whole
from kanpde.edges import Edges
from kanpde.interpret import edge_functions
from kanpde.kan import KAN
from kanpde.measures import measure
from kanpde.network import Network
from kanpde.objections import check_exact, objections
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.reports import overfitting
from kanpde.results import Result
from kanpde.sampling import Sampling
from kanpde.schedule import Refine, Starts, check_fit, rungs
from kanpde.separable import SeparableKAN
from kanpde.similarity import check_constants
from kanpde.solution import Solution
from kanpde.training import Fit, fit
from kanpde.uncertainty import estimates
from kanpde.version_files import Version
from kanpde.wrapped import Wrapped

logger = logging.getLogger("kanpde")


@dataclass(frozen=True)
class Experiment:
    """What to solve, with which network, and how: all that a run needs but its seed, device and precision.

    ``quick`` is the training for a first look; without it, every descent has a third of its steps and every ladder a third of its
    rungs. A single optimizer needs no list. A plain ``torch.nn.Module`` as ``model`` becomes :class:`~kanpde.wrapped.Wrapped`.
    ``callbacks`` hear of the :class:`Run` after every step, in their order, and may end it (:mod:`kanpde.callbacks`).

    Raises ``TypeError`` or ``ValueError`` for parts that are not what they should be, or do not fit one another.
    """

    problem: Problem
    model: Network | torch.nn.Module
    training: Sequence[Any]
    sampling: Sampling = field(default_factory=Sampling)
    quick: Sequence[Any] | None = None
    callbacks: Sequence[Callback] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.problem, Problem) and isinstance(self.model, torch.nn.Module) and not isinstance(self.model, Network):
            wrapped = Wrapped(self.model, inputs=len(self.problem.domain.names), outputs=len(self.problem.unknowns))
            object.__setattr__(self, "model", wrapped)
        for name, kind, example in (("problem", Problem, "Problem(box, equation)"), ("model", Network, "KAN(2, 8, 1, basis=...)"),
                                    ("sampling", Sampling, "Sampling(interior=100)")):  # fmt: skip
            if not isinstance(getattr(self, name), kind):
                raise TypeError(f"Experiment takes {name}={example}, got {getattr(self, name)!r}")
        for name in ("training", "quick"):
            schedule = getattr(self, name)
            if name == "quick" and schedule is None:
                continue
            many = isinstance(schedule, Iterable) and not isinstance(schedule, (str, bytes, Mapping))
            object.__setattr__(self, name, list(schedule) if many else [schedule])
            rungs(getattr(self, name))
        given = [self.callbacks] if callable(self.callbacks) else list(self.callbacks or ())
        for callback in given:
            if not callable(callback) or isinstance(callback, type):
                raise TypeError(f"callbacks takes functions of the run, such as EarlyStopping(below=1e-6), got {callback!r}")
        object.__setattr__(self, "callbacks", tuple(given))
        _check_names(self.problem)
        check_fit(self.problem, [*self.training, *(self.quick or ())], self.sampling, self.callbacks)
        object.__setattr__(self, "problem", self.problem.for_outputs(self._model.outputs))
        box, unknowns, model = self.problem.domain, self.problem.unknowns, self._model
        if model.inputs != len(box.names):
            raise ValueError(
                f"the model has {model.inputs} inputs, but the domain has {len(box.names)} coordinates: {', '.join(box.names)}"
            )
        check_coordinates(model, box.names)
        check_constants(model, tuple(self.problem.coefficients), elsewhere=self.problem.data_points is None)
        if model.outputs != len(unknowns):
            known = [*box.names, *self.problem.parameters]
            hints = "".join(nearest(name, known) for name in unknowns)
            raise ValueError(
                f"the model has {model.outputs} outputs, but the equation has {len(unknowns)} unknowns: {', '.join(unknowns)} "
                f"(every argument that is not one of {', '.join(known)} counts as an unknown{hints})"
            )

        check_network(self.problem, self._periodic, repr(model))

    @property
    def _periodic(self) -> list[int]:
        """The axes along which the network is periodic by itself."""
        return [axis for axis in range(self._model.inputs) if self._model.is_periodic(axis)]

    @property
    def _model(self) -> Network:
        assert isinstance(self.model, Network)  # others are wrapped
        return self.model

    def shortened(self) -> "Experiment":
        """The same for a first look."""
        if self.quick is not None:
            return replace(self, training=self.quick)
        return replace(self, training=[_third(item) for item in self.training])

    def network(self, seed: int = 0, *, device: str = "cpu", dtype: torch.dtype = torch.float64) -> Network:
        """The model on the problem's domain, with the weights of ``seed``."""
        box = self.problem.domain
        network = self._model.remade(seed=seed, dtype=dtype).to(device).on_box(box.lower, box.upper)
        if self.problem.output_affine is not None:
            network.on_outputs(*self.problem.output_affine)
        return network.with_coefficients(list(self.problem.coefficients.values()))

    def trained_network(self, result: Result) -> Network:
        """The bare network whose parameters ``result`` holds: as it was kept, if it was edited; else refinements replayed, parameters set.

        Its weights are given: ``replace(experiment, model=network)`` goes on from them, whatever the seed.

        Hard conditions are not in it: where there are some, its outputs are not the unknowns. :meth:`solution` has them built in.
        Raises ``ValueError`` if the result is of another experiment, or has symbolic edges with primitives that are neither kanpde's own
        nor in this experiment's model or training.
        """
        return trained_network(self.problem, self.network(int(result.provenance["seed"])), self.training, result)

    def solution(self, result: Result) -> Solution:
        """What ``result`` found, as functions of the coordinates by name: ``u = experiment.solution(load(path)); u(x=0.5, y=0.5)``.

        Hard conditions are built in; derivatives are ``u.xx(...)``. Raises ``ValueError`` if the result is of another experiment.
        """
        network, difference = self.trained_network(result), _difference(self.problem, result)
        if difference:
            logger.warning("%s; what the problem fixes (hard conditions, parameters) is taken from this experiment", difference)
        return Solution(self.problem, network)

    def checks(self) -> list[str]:
        """Reasons not to train: what ``exact`` contradicts (unless ``problem.check`` is False); see :mod:`kanpde.objections`."""
        return objections(self.problem)

    def warnings(self) -> list[str]:
        """What may be missing or does not fit, in the problem and between it and the network."""
        return self.problem.warnings(self._periodic) + check_network(self.problem, self._periodic, repr(self.model))

    def run(
        self,
        *,
        seed: int = 0,
        device: str = "cpu",
        dtype: torch.dtype = torch.float64,
        name: str = "problem",
        key: str = "experiment",
        source: str = "",
        resume: Result | None = None,
    ) -> Result:
        """Check, train and measure.

        ``seed`` is that of weights and points, ``device`` any that torch knows ("cpu", "cuda", "cuda:1"), ``dtype`` torch.float64 or
        torch.float32. ``name`` (of the problem), ``key`` (of the experiment) and ``source`` (the problem file's text) are only kept in
        the result. ``resume`` is an unfinished result to go on from.

        Ctrl-C while it trains does not raise: the result has status "interrupted", is measured as any other, and can be resumed; likewise
        if a callback raises: then the status is "failed".
        Raises ``ValueError`` or ``TypeError`` before training if ``exact`` contradicts the problem, or a residual is not finite.
        """
        check_exact(self.problem)
        for warning in self.warnings():
            logger.warning("%s", warning)
        snapshot = snapshot_of(resume, primitives_in(self._model, self.training)) if resume is not None else None
        run = Run(self, name, key, provenance(self, seed, device, dtype, source), earlier=resume.versions if resume is not None else ())
        run.cpu_began = time.process_time() if resume is None else math.nan
        network = self.network(seed, device=device, dtype=dtype)
        if resume is not None:
            check_data(self.problem, resume)
            if not isinstance(network, KAN):  # whose ranges move as it trains, and come back with the snapshot
                check_fixed(network, resume)

        def hear(progress: Fit) -> str | None:
            run.fit = progress
            return heard(self.callbacks, run)

        def rung_over(progress: Fit) -> None:
            run.fit = progress
            heard(self.callbacks, run, rung_over=True)

        over = rung_over if any(hasattr(each, "rung_over") for each in self.callbacks) else None
        run.fit = fit(
            self.problem, network, self.training, sampling=self.sampling, seed=seed, listener=hear, rung_over=over, resume=snapshot
        )
        return run.result()


@dataclass
class Run:
    """An experiment under way: what callbacks may look at, draw or store.

    ``fit.history.columns`` has the losses and errors by step, ``fit.rung`` and ``fit.step`` say where the training stands.
    """

    experiment: Experiment
    name: str
    key: str
    provenance: dict[str, Any]
    fit: Fit = field(default_factory=lambda: Fit(torch.nn.Module()))  # type: ignore[arg-type]
    earlier: tuple[Version, ...] = ()  # the versions in the result that it goes on from
    cpu_began: float = math.nan  # of the processor's time of this process; of a run that was resumed, the rest is not known

    @property
    def coefficients(self) -> dict[str, float]:
        """The present values of the parameters that are ``Unknown``, by name."""
        return dict(zip(self.experiment.problem.coefficients, self.fit.network.coefficients.tolist(), strict=True))

    @property
    def solution(self) -> Solution:
        """The unknowns as functions, as they are now; with slabs, as far as they go."""
        stage = self.fit.stage
        assert stage is not None  # training has begun
        return Solution(stage.problem if stage.slab_axis is None else stage.asked, stage.solution())

    @property
    def _versions(self) -> tuple[Version, ...]:
        """Those that callbacks keep for the result, each once."""
        found = [each for callback in self.experiment.callbacks for each in getattr(callback, "for_result", lambda run: ())(self)]
        return tuple(dict.fromkeys((*self.earlier, *found)))

    @property
    def _law(self) -> dict[str, Any] | None:
        """What the first callback that looks for a law has found in the trained network, if there is one."""
        for callback in self.experiment.callbacks:
            if hasattr(callback, "law_for_result"):
                return callback.law_for_result(self)  # type: ignore[attr-defined]
        return None

    def result(self, *, checkpoint: bool = False) -> Result:
        """The result as it stands: measured on an independent grid, or, as a ``checkpoint``, just what is needed to go on."""
        problem, progress, box = self.experiment.problem, self.fit, self.experiment.problem.domain
        cpu = time.process_time() - self.cpu_began
        network = progress.network
        unfinished = checkpoint or progress.status != "complete"
        axes, points, solution, metrics = ({}, None, {}, {}) if checkpoint else measure(problem, network, progress.points.get("equation"))
        history = progress.history.arrays()
        found = {} if checkpoint else estimates(problem, network, progress.points, progress.factors)
        if not checkpoint:
            metrics |= {
                "parameters": network.parameter_count,
                "steps": progress.history.length,
                "seconds": progress.seconds,
                "cpu_seconds": cpu,
                "loss": float(history["loss"][progress.row]) if progress.history.length else math.nan,
                **_times(history),
                **{name: value for name, (value, _) in found.items()},
                **{f"{name}_sigma": sigma for name, (_, sigma) in found.items()},
            }
            if caution := overfitting(metrics):
                logger.warning("%s", caution)
        formula, deviation = ({}, math.nan) if checkpoint else _formula(problem, network, progress.points)
        metrics |= {"formula_deviation": deviation} if formula else {}
        assert progress.stage is not None  # training has begun
        about, arrays = whole(progress.stage.solution())
        stops = "; ".join(reason.replace("; ", ", ") for reason in progress.stops)
        snapshot = stored(progress.snapshot()) if unfinished and progress.descent_state is not None else None
        return Result(
            problem=self.name,
            experiment=self.key,
            status="failed" if progress.status == "failed" else "interrupted" if unfinished else "complete",
            provenance=self.provenance | {"wall_seconds": progress.seconds, "stops": stops, "data": problem.digest},
            equation={} if checkpoint else equation_of(problem, found) | formula,
            coordinates=box.names,
            lower=np.asarray(box.lower),
            upper=np.asarray(box.upper),
            points={("interior" if name == "equation" else name): p.cpu().double().numpy() for name, p in progress.points.items()},
            sampling={("interior" if name == "equation" else name): _words(problem, network) for name in progress.points},
            history=history,
            axes=axes,
            solution=solution,
            solution_points=points,
            unknowns=problem.unknowns,
            metrics=metrics,
            parameters=network.vector().cpu().double().numpy(),
            architecture={
                "model": repr(network),
                "kind": type(network).__name__,
                "inputs": network.inputs,
                "input_names": list(getattr(network, "input_names", box.names)),
                "outputs": network.outputs,
                "fixed": network.fixed,
                "rung": progress.rung,
                "maps": [[rung, *found] for rung, found in progress.maps.items()],
                **({"network": about} if about else {}),
            },
            edges=() if checkpoint else edges_of(network, progress.points),
            checkpoint=snapshot,
            network=arrays,
            versions=self._versions,
            law=None if unfinished else self._law,
        )


def _check_names(problem: Problem) -> None:
    """Raise ``ValueError`` for names under which a result keeps something else."""
    unknowns = problem.unknowns
    for kind, names in (("unknown", unknowns), ("coordinate", problem.domain.names)):
        for name in names:
            if re.fullmatch(r"residual(_\d+)?|points", name) or name in {f"{word}_{u}" for u in unknowns for word in ("exact", "error")}:
                raise ValueError(f"the {kind} {name!r} has a name that the results need for something else: rename it")
    for condition in problem.conditions:
        if condition.name == "interior":
            raise ValueError(f"{condition!r} is called 'interior', as the points inside are in the results: give it another name")


def _difference(problem: Problem, result: Result) -> str:
    """Where the problem that ``result`` is of reads otherwise; nothing if it does not."""
    here, whole = repr(problem), str(result.provenance.get("experiment_repr", ""))
    if here in whole:
        return ""
    there = whole[max(whole.find("Problem("), 0) :]
    same = len(os.path.commonprefix([here, there]))
    start = max(here.rfind(", ", 0, same), here.rfind("[", 0, same), here.rfind("(", 0, same)) + 1
    one, other = (f"`{text[start : same + 40].strip()}...`" for text in (there, here))
    return f"the result is of a problem that reads otherwise, {one} where this experiment has {other}"


# ---- what a result holds ----


def _times(history: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Seconds until the relative L2 error on the monitoring points was first below 1e-3 and 1e-6."""
    found = {}
    for goal in (1e-3, 1e-6):
        reached = np.flatnonzero(history["error_l2"] <= goal) if "error_l2" in history else []
        found[f"seconds_to_{goal:.0e}".replace("e-0", "e-")] = float(history["seconds"][reached[0]]) if len(reached) else math.nan
    return found


def edges_of(network: Network, points: Mapping[str, Tensor]) -> tuple[Edges, ...]:
    """The edge functions over the points of the equation, or of the first condition where there is none."""
    if not isinstance(network, (KAN, SeparableKAN)) or not points:
        return ()
    return tuple(edge_functions(network, points["equation"] if "equation" in points else next(iter(points.values()))))


def equation_of(problem: Problem, found: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    from kanpde.symbolic.equations import latex

    if (words := problem.wording()) is not None:
        return words
    try:
        lines = latex(problem, found)
    except Exception as error:  # whatever a user's function makes of symbols: a result must not be lost for its LaTeX
        logger.info("the equation has no LaTeX form: %s", error)
        lines = []
    try:
        text = textwrap.dedent(inspect.getsource(problem.equation)).strip()
    except (OSError, TypeError):  # typed in a terminal, or not a plain function
        text = function_name(problem.equation)
    return {"latex": "\n".join(lines), "text": "\n".join([text, *map(repr, problem.conditions)])}


def _formula(problem: Problem, network: Network, points: Mapping[str, Tensor]) -> tuple[dict[str, str], float]:
    from kanpde.symbolic.stating import stated

    try:
        return stated(problem, network, points["equation"])
    except Exception as error:  # whatever sympy makes of a long formula: a result must not be lost for it
        logger.warning("the network is symbolic, but its formula could not be written: %s", error)
        return {}, math.nan


def _words(problem: Problem, network: Network) -> str:
    if problem.data_points is not None:
        return "the training rows of the data"
    basis = getattr(network, "basis", None)
    density = "uniform" if basis is None else f"fitted to {type(basis).__name__}"
    return f"scrambled Sobol points, {density}"


def _third(item: Any) -> Any:
    if isinstance(item, Refine):
        return Refine(*item.resolutions[: max(1, len(item.resolutions) // 3)], uniform=item.uniform)
    if isinstance(item, Starts):
        return Starts(max(2, math.ceil(item.count / 3)), math.ceil(item.steps / 3))
    return replace(item, steps=math.ceil(item.steps / 3)) if hasattr(item, "steps") else item
