"""An experiment: a problem, a network and a schedule; running it gives a :class:`~kanpde.results.Result`."""

import inspect
import json
import logging
import math
import os
import platform
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.changes import Stage
from kanpde.fields import function_name, nearest
from kanpde.interpret import edge_functions
from kanpde.kan import KAN
from kanpde.measures import measure
from kanpde.network import Network
from kanpde.objections import objections
from kanpde.problem import Problem
from kanpde.reports import overfitting
from kanpde.results import Edges, Result
from kanpde.sampling import Sampling
from kanpde.schedule import Refine, climbed, rungs
from kanpde.separable import SeparableKAN
from kanpde.solution import Solution
from kanpde.training import Fit, Snapshot, fit
from kanpde.uncertainty import estimates
from kanpde.wrapped import Wrapped

logger = logging.getLogger("kanpde")


@dataclass(frozen=True)
class Experiment:
    """What to solve, with which network, and how: all that a run needs but its seed, device and precision.

    ``quick`` is the training for a first look; without it, every descent has a third of its steps and every ladder a third of its
    rungs. A single optimizer needs no list. A plain ``torch.nn.Module`` as ``model`` becomes :class:`~kanpde.wrapped.Wrapped`.

    Raises ``TypeError`` or ``ValueError`` for parts that are not what they should be, or do not fit one another.
    """

    problem: Problem
    model: Network | torch.nn.Module
    training: Sequence[Any]
    sampling: Sampling = field(default_factory=Sampling)
    quick: Sequence[Any] | None = None

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
        _check_names(self.problem)
        box, unknowns, model = self.problem.domain, self.problem.unknowns, self._model
        if model.inputs != len(box.names):
            raise ValueError(
                f"the model has {model.inputs} inputs, but the domain has {len(box.names)} coordinates: {', '.join(box.names)}"
            )
        if model.outputs != len(unknowns):
            known = [*box.names, *self.problem.parameters]
            hints = "".join(nearest(name, known) for name in unknowns)
            raise ValueError(
                f"the model has {model.outputs} outputs, but the equation has {len(unknowns)} unknowns: {', '.join(unknowns)} "
                f"(every argument that is not one of {', '.join(known)} counts as an unknown{hints})"
            )

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
        return network.with_coefficients(list(self.problem.coefficients.values()))

    def trained_network(self, result: Result) -> Network:
        """The bare network whose parameters ``result`` holds: refinements replayed, then its parameters set.

        Hard conditions are not in it: where there are some, its outputs are not the unknowns. :meth:`solution` has them built in.
        Raises ``ValueError`` if the result is of another experiment.
        """
        maps = {int(rung): (centre, width) for rung, centre, width in result.architecture.get("maps", ())}
        first = Stage.first(self.problem, self.network(int(result.provenance["seed"])), maps)
        stage = replace(first, rehearsal=True)  # where no map was found, none is looked for in random weights
        for number, rung in enumerate(rungs(self.training, self.problem.domain)):
            if stage.solution().parameter_count == len(result.parameters) and stage.slab_axis is None:
                break
            stage = climbed(stage, number, rung)
        network = stage.solution()
        if network.parameter_count != len(result.parameters):
            raise ValueError(
                f"the result has {len(result.parameters)} parameters, which {self.model} reaches on no rung of its training: "
                "it belongs to another experiment, or the training was changed since"
            )
        _check_fixed(network, result)
        network.assign(torch.from_numpy(result.parameters))
        return network

    def solution(self, result: Result) -> Solution:
        """What ``result`` found, as functions of the coordinates by name: ``u = experiment.solution(load(path)); u(x=0.5, y=0.5)``.

        Hard conditions are built in; derivatives are ``u.xx(...)``. Raises ``ValueError`` if the result is of another experiment.
        """
        if repr(self.problem) not in str(result.provenance.get("experiment_repr", "")):
            logger.warning(
                "the result is of a problem that reads otherwise; what it fixes (hard conditions, parameters) is taken from this one"
            )
        return Solution(self.problem, self.trained_network(result))

    def checks(self) -> list[str]:
        """Reasons not to train: what ``exact`` contradicts (unless ``problem.check`` is False); see :mod:`kanpde.objections`."""
        return objections(self.problem)

    def run(
        self,
        *,
        seed: int = 0,
        device: str = "cpu",
        dtype: torch.dtype = torch.float64,
        name: str = "problem",
        key: str = "experiment",
        source: str = "",
        listener: Callable[["Run"], None] | None = None,
        resume: Result | None = None,
    ) -> Result:
        """Check, train and measure.

        ``seed`` is that of weights and points, ``device`` any that torch knows ("cpu", "cuda", "cuda:1"), ``dtype`` torch.float64 or
        torch.float32. ``name`` (of the problem), ``key`` (of the experiment) and ``source`` (the problem file's text) are only kept in
        the result. ``listener`` hears of every step; ``resume`` is an unfinished result to go on from.

        Ctrl-C while it trains does not raise: the result has status "interrupted", is measured as any other, and can be resumed.
        Raises ``ValueError`` or ``TypeError`` before training if ``exact`` contradicts the problem, or a residual is not finite.
        """
        found = self.checks()
        if found:
            raise ValueError(
                "the exact solution does not solve the problem: " + "; ".join(found) + ". Correct exact, the equation or the condition, "
                "or switch this check off with Problem(..., check=False)"
            )
        for warning in self.problem.warnings():
            logger.warning("%s", warning)
        snapshot = _snapshot_of(resume) if resume is not None else None
        provenance = _provenance(self, seed, device, dtype, source)
        run = Run(self, name, key, provenance)
        network = self.network(seed, device=device, dtype=dtype)
        if resume is not None:
            _check_fixed(network, resume)

        def hear(progress: Fit) -> None:
            run.fit = progress
            if listener is not None:
                listener(run)

        run.fit = fit(self.problem, network, self.training, sampling=self.sampling, seed=seed, listener=hear, resume=snapshot)
        return run.result()


@dataclass
class Run:
    """An experiment under way: what a listener may look at, draw or store."""

    experiment: Experiment
    name: str
    key: str
    provenance: dict[str, Any]
    fit: Fit = field(default_factory=lambda: Fit(torch.nn.Module()))  # type: ignore[arg-type]

    def result(self, *, checkpoint: bool = False) -> Result:
        """The result as it stands: measured on an independent grid, or, as a ``checkpoint``, just what is needed to go on."""
        problem, progress, box = self.experiment.problem, self.fit, self.experiment.problem.domain
        network = progress.network
        unfinished = checkpoint or progress.status != "complete"
        axes, points, solution, metrics = ({}, None, {}, {}) if checkpoint else measure(problem, network, progress.points.get("equation"))
        history = progress.history.arrays()
        found = {} if checkpoint else estimates(problem, network, progress.points)
        if not checkpoint:
            metrics |= {
                "parameters": network.parameter_count,
                "steps": progress.history.length,
                "seconds": progress.seconds,
                "loss": float(history["loss"][-1]) if progress.history.length else math.nan,
                **_times(history),
                **{name: value for name, (value, _) in found.items()},
                **{f"{name}_sigma": sigma for name, (_, sigma) in found.items()},
            }
            if caution := overfitting(metrics):
                logger.warning("%s", caution)
        snapshot = _stored(progress.snapshot()) if unfinished and progress.descent_state is not None else None
        return Result(
            problem=self.name,
            experiment=self.key,
            status="interrupted" if unfinished else "complete",
            provenance=self.provenance | {"wall_seconds": progress.seconds, "stops": "; ".join(progress.stops)},
            equation={} if checkpoint else _equation(problem, found),
            coordinates=box.names,
            lower=np.asarray(box.lower),
            upper=np.asarray(box.upper),
            points={("interior" if name == "equation" else name): p.cpu().double().numpy() for name, p in progress.points.items()},
            sampling={("interior" if name == "equation" else name): _words(network) for name in progress.points},
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
                "outputs": network.outputs,
                "fixed": network.fixed,
                "maps": [[rung, *found] for rung, found in progress.maps.items()],
            },
            edges=() if checkpoint else _edges(network, progress.points),
            checkpoint=snapshot,
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


def _check_fixed(network: Network, result: Result) -> None:
    """Raise ``ValueError`` if what is not trained in the network differs from what it was when ``result`` came about."""
    if network.fixed != result.architecture.get("fixed", ""):
        raise ValueError(
            f"the frozen parameters or buffers of {network!r} are not those that the result was computed with, and the result does not "
            "hold them: build the module with the same ones, for instance under a fixed seed or from a file"
        )


# ---- what a result holds ----


def _times(history: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Seconds until the relative L2 error on the monitoring points was first below 1e-3 and 1e-6."""
    found = {}
    for goal in (1e-3, 1e-6):
        reached = np.flatnonzero(history["error_l2"] <= goal) if "error_l2" in history else []
        found[f"seconds_to_{goal:.0e}".replace("e-0", "e-")] = float(history["seconds"][reached[0]]) if len(reached) else math.nan
    return found


def _edges(network: Network, points: Mapping[str, Tensor]) -> tuple[Edges, ...]:
    if not isinstance(network, (KAN, SeparableKAN)) or "equation" not in points:
        return ()
    return tuple(Edges(**vars(found)) for found in edge_functions(network, points["equation"]))


def _equation(problem: Problem, found: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    from kanpde.symbolic.equations import latex

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


def _words(network: Network) -> str:
    basis = getattr(network, "basis", None)
    density = "uniform" if basis is None else f"fitted to {type(basis).__name__}"
    return f"scrambled Sobol points, {density}"


# ---- provenance, checkpoints, settings ----


def _provenance(experiment: Experiment, seed: int, device: str, dtype: torch.dtype, source: str) -> dict[str, Any]:
    from kanpde import __version__

    commit, dirty = _git()
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "kanpde": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "git_commit": commit,
        "git_dirty": dirty,
        "device": device,
        "dtype": str(dtype).removeprefix("torch."),
        "seed": seed,
        "threads": torch.get_num_threads(),
        "problem_source": source,
        "experiment_repr": repr(experiment),
    }


def _git() -> tuple[str, bool]:
    """Commit and whether there are changes, of the checkout that kanpde runs from; empty outside one."""

    def ask(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        return ask("rev-parse", "HEAD"), bool(ask("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def _stored(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "rung": snapshot.rung,
        "step": snapshot.step,
        "seconds": snapshot.seconds,
        "parameters": snapshot.parameters,
        "descent": np.frombuffer(snapshot.descent, dtype=np.uint8),
        "interior": snapshot.interior,
        **({} if snapshot.best is None else {"best": snapshot.best}),
        "maps": np.array([(rung, *found) for rung, found in snapshot.maps.items()]).reshape(-1, 3),
        **{f"slab_{number}": parameters for number, parameters in enumerate(snapshot.finished)},
        "stops": json.dumps(snapshot.stops),
    }


def _snapshot_of(result: Result) -> Snapshot | None:
    kept = result.checkpoint
    if kept is None:
        return None
    descent = np.asarray(kept["descent"], dtype=np.uint8).tobytes()
    return Snapshot(
        int(kept["rung"]),
        int(kept["step"]),
        float(kept["seconds"]),
        np.asarray(kept["parameters"]),
        descent,
        dict(result.history),
        np.asarray(kept["interior"]),
        tuple(np.asarray(kept[f"slab_{number}"]) for number in range(sum(key.startswith("slab_") for key in kept))),
        {int(rung): (float(centre), float(width)) for rung, centre, width in np.asarray(kept["maps"]).reshape(-1, 3)},
        tuple(json.loads(str(kept.get("stops", "[]")))),
        np.asarray(kept["best"]) if "best" in kept else None,
    )


def _third(item: Any) -> Any:
    if isinstance(item, Refine):
        return Refine(*item.resolutions[: max(1, len(item.resolutions) // 3)])
    return replace(item, steps=math.ceil(item.steps / 3)) if hasattr(item, "steps") else item
