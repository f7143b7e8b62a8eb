"""An experiment: a problem, a network and a schedule; running it gives a :class:`~kanpde.results.Result`."""

import logging
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.fields import Field, coordinate_fields, nearest
from kanpde.interpret import edge_functions
from kanpde.kan import KAN, Network
from kanpde.objective import Objective, outputs
from kanpde.problem import Problem
from kanpde.results import Edges, Result
from kanpde.training import Fit, Refine, Sampling, Snapshot, fit, rungs

logger = logging.getLogger("kanpde")

GRID = {1: 1001, 2: 201, 3: 41}  # points along each axis of the grid that errors are measured on
SCATTERED = 20_000  # and their number in more dimensions


@dataclass(frozen=True)
class Experiment:
    """What to solve, with which network, and how: all that a run needs but its seed, device and precision.

    ``quick`` is the training for a first look; without it, every descent has a third of its steps and every ladder a third of its
    rungs.
    """

    problem: Problem
    model: Network
    training: Sequence[Any]
    sampling: Sampling = field(default_factory=Sampling)
    quick: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        rungs(self.training)
        if self.quick is not None:
            rungs(self.quick)
        box, unknowns = self.problem.domain, self.problem.unknowns
        if self.model.inputs != len(box.names):
            raise ValueError(
                f"the model has {self.model.inputs} inputs, but the domain has {len(box.names)} coordinates: {', '.join(box.names)}"
            )
        if self.model.outputs != len(unknowns):
            known = [*box.names, *self.problem.parameters]
            hints = "".join(nearest(name, known) for name in unknowns)
            raise ValueError(
                f"the model has {self.model.outputs} outputs, but the equation has {len(unknowns)} unknowns: {', '.join(unknowns)} "
                f"(every argument that is not one of {', '.join(known)} counts as an unknown{hints})"
            )

    def shortened(self) -> "Experiment":
        """The same for a first look."""
        if self.quick is not None:
            return replace(self, training=self.quick)
        return replace(self, training=[_third(item) for item in self.training])

    def network(self, seed: int = 0, *, device: str = "cpu", dtype: torch.dtype = torch.float64) -> Network:
        """The model on the problem's domain, with the weights of ``seed``."""
        box = self.problem.domain
        return self.model.remade(seed=seed, dtype=dtype).to(device).on_box(box.lower, box.upper)

    def trained_network(self, result: Result) -> Network:
        """The network whose parameters ``result`` holds: refinements replayed, then its parameters set.

        Raises ``ValueError`` if the result is of another experiment.
        """
        network = self.network(int(result.provenance["seed"]))
        for rung in rungs(self.training):
            if network.parameter_count == len(result.parameters):
                break
            for change in rung.changes:
                network = change.apply(network)
        if network.parameter_count != len(result.parameters):
            raise ValueError(
                f"the result has {len(result.parameters)} parameters, which {self.model} reaches on no rung of its training: "
                "it belongs to another experiment, or the training was changed since"
            )
        network.assign(torch.from_numpy(result.parameters))
        return network

    def checks(self) -> list[str]:
        """Reasons not to train: what ``exact`` contradicts (unless ``problem.check`` is False)."""
        if self.problem.exact is None or not self.problem.check:
            return []
        from kanpde.symbolic.equations import contradictions

        return [str(found) for found in contradictions(self.problem)]

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
        """Check, train and measure. ``listener`` hears of every step; ``resume`` is an unfinished result to go on from.

        Raises ``ValueError`` before training if ``exact`` contradicts the problem, or a residual is not finite somewhere.
        """
        found = self.checks()
        if found:
            raise ValueError(
                "the exact solution does not solve the problem: " + "; ".join(found) + ". Correct exact, the equation or the condition, "
                "or switch this check off with Problem(..., check=False)"
            )
        snapshot = _snapshot_of(resume) if resume is not None else None
        provenance = _provenance(self, seed, device, dtype, source)
        run = Run(self, name, key, provenance)
        network = self.network(seed, device=device, dtype=dtype)

        def hear(progress: Fit) -> None:
            run.fit = progress
            if listener is not None:
                listener(run)

        run.fit = fit(
            self.problem, network, self.training, sampling=self.sampling, seed=seed, listener=hear, resume=snapshot
        )
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
        axes, points, solution, metrics = ({}, None, {}, {}) if checkpoint else measure(problem, network)
        history = progress.history.arrays()
        if not checkpoint:
            metrics |= {
                "parameters": network.parameter_count,
                "steps": progress.history.length,
                "seconds": progress.seconds,
                "loss": float(history["loss"][-1]) if progress.history.length else math.nan,
                **_times(history),
            }
        snapshot = _stored(progress.snapshot()) if unfinished and progress.descent is not None else None
        return Result(
            problem=self.name,
            experiment=self.key,
            status="interrupted" if unfinished else "complete",
            provenance=self.provenance | {"wall_seconds": progress.seconds, "stops": "; ".join(progress.stops)},
            equation={} if checkpoint else _equation(problem),
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
            architecture={"model": repr(network), "kind": type(network).__name__, "inputs": network.inputs, "outputs": network.outputs},
            edges=() if checkpoint else _edges(network, progress.points),
            checkpoint=snapshot,
        )


# ---- measuring ----


def measure(problem: Problem, network: Network) -> tuple[dict[str, np.ndarray], np.ndarray | None, dict[str, np.ndarray], dict[str, Any]]:
    """Solution, reference, error and residual on a grid that training never saw, and the errors in numbers.

    Relative errors are over all unknowns together: L2 as |u_h - u| / |u|, H1 with the gradients added, both as sums over the grid
    (equally spaced, ends included; Sobol points beyond three dimensions); the maximum error is absolute.
    """
    box = problem.domain
    d = len(box.names)
    axes = box.grid([GRID[d]] * d) if d in GRID else {}
    if axes:
        mesh = np.meshgrid(*axes.values(), indexing="ij")
        points, shape = np.stack([m.ravel() for m in mesh], 1), mesh[0].shape
    else:
        points = box.sample(SCATTERED, lambda u: 2 * u - 1, 7_000_003)
        shape = (len(points),)
    where = torch.as_tensor(points, dtype=network.lower.dtype, device=network.lower.device)
    found = outputs(problem, network, where, [(), *((axis,) for axis in range(d))])
    values = {name: by[()].cpu().double().numpy() for name, by in found.items()}
    arrays = {name: value.reshape(shape) for name, value in values.items()}
    metrics: dict[str, Any] = {}
    solution = problem.exact or problem.reference
    if solution is not None:
        truth = _truth(problem, solution, points)
        metrics = _errors(found, truth)
        for name, by in truth.items():
            arrays[f"exact_{name}"] = by[()].reshape(shape)
            arrays[f"error_{name}"] = arrays[name] - arrays[f"exact_{name}"]
    residuals = _residuals(problem, network, where)
    for number, residual in enumerate(residuals):
        arrays["residual" if len(residuals) == 1 else f"residual_{number}"] = residual.reshape(shape)
    metrics["residual_rms"] = float(np.sqrt(np.mean(np.square(residuals))))
    metrics["grid_points"] = len(points)
    return axes, None if axes else points, arrays, metrics


def _truth(problem: Problem, solution: Callable[..., Any], points: np.ndarray) -> dict[str, dict[tuple[int, ...], np.ndarray]]:
    """The reference's values, and its gradient where it is written in functions whose derivatives are known."""
    names, n = problem.domain.names, len(points)
    columns = [np.ascontiguousarray(column) for column in points.T]
    found: dict[str, dict[tuple[int, ...], np.ndarray]] = {}
    values = problem.solution(solution, dict(zip(names, columns, strict=True)))
    for name, value in values.items():
        found[name] = {(): np.array(np.broadcast_to(np.asarray(value, dtype=float), n))}
    try:
        for name, value in problem.solution(solution, coordinate_fields(names, columns)).items():
            for axis in range(len(names)):
                slope = value.partial((axis,)) if isinstance(value, Field) else 0.0
                found[name][(axis,)] = np.array(np.broadcast_to(np.asarray(slope, dtype=float), n))
    except (TypeError, AttributeError, ValueError) as error:
        logger.info("no H1 error: the gradient of %s is not known (%s)", solution, error)
        found = {name: {(): by[()]} for name, by in found.items()}
    return found


def _errors(found: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, float]:
    def sums(kinds: Sequence[tuple[int, ...]]) -> float:
        pairs = [(found[name][a].cpu().double().numpy(), by[a]) for name, by in truth.items() for a in kinds]
        size = sum(float(np.sum(right**2)) for _, right in pairs)
        return math.sqrt(sum(float(np.sum((left - right) ** 2)) for left, right in pairs) / (size or 1.0))

    derivatives = list(next(iter(truth.values())))
    differences = [found[name][()].cpu().double().numpy() - by[()] for name, by in truth.items()]
    errors = {
        "relative_l2": sums([()]),
        "relative_h1": sums(derivatives) if len(derivatives) > 1 else math.nan,
        "max_error": max(float(np.max(np.abs(difference))) for difference in differences),
        "mse": float(np.mean(np.square(differences))),
    }
    return errors


def _residuals(problem: Problem, network: Network, points: Tensor) -> list[np.ndarray]:
    """The equation's residuals at ``points``, unweighted, one array a component."""
    bare = replace(problem, conditions=tuple(condition for condition in problem.conditions if condition.hard))
    objective = Objective(bare, {"equation": points})
    residual = objective.residual(network) * math.sqrt(len(points))
    return list(residual.cpu().double().numpy().reshape(objective.blocks[0].components, -1))


def _times(history: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Seconds until the relative L2 error on the monitoring points was first below 1e-3 and 1e-6."""
    found = {}
    for goal in (1e-3, 1e-6):
        reached = np.flatnonzero(history["error_l2"] <= goal) if "error_l2" in history else []
        found[f"seconds_to_{goal:.0e}".replace("e-0", "e-")] = float(history["seconds"][reached[0]]) if len(reached) else math.nan
    return found


def _edges(network: Network, points: Mapping[str, Tensor]) -> tuple[Edges, ...]:
    if not isinstance(network, KAN) or "equation" not in points:
        return ()
    return tuple(
        Edges(found.inputs, found.curves, found.importance, layer.sums, layer.products, layer.arity)  # type: ignore[union-attr,arg-type]
        for found, layer in zip(edge_functions(network, points["equation"]), network.layers, strict=True)
    )


def _equation(problem: Problem) -> dict[str, str]:
    from kanpde.symbolic.equations import latex

    try:
        lines = latex(problem)
    except (TypeError, AttributeError, ValueError) as error:
        logger.info("the equation has no LaTeX form: %s", error)
        lines = []
    return {"latex": "\n".join(lines), "text": repr(problem.equation)}


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
        "torch": torch.__version__,
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
    }


def _snapshot_of(result: Result) -> Snapshot | None:
    kept = result.checkpoint
    if kept is None:
        return None
    descent = np.asarray(kept["descent"], dtype=np.uint8).tobytes()
    return Snapshot(
        int(kept["rung"]), int(kept["step"]), float(kept["seconds"]), np.asarray(kept["parameters"]), descent, dict(result.history)
    )


def _third(item: Any) -> Any:
    if isinstance(item, Refine):
        return Refine(*item.resolutions[: max(1, len(item.resolutions) // 3)])
    return replace(item, steps=math.ceil(item.steps / 3)) if is_dataclass(item) else item


def with_setting(thing: Any, path: str, value: Any) -> Any:
    """``thing`` with the field at a dotted ``path`` replaced: ``training.steps``, ``model.basis.degree``, ``problem.parameters.nu``.

    In a list, the field is set in every item that has it. Raises ``ValueError`` naming the nearest field for one that does not exist.
    """
    head, _, rest = path.partition(".")
    if isinstance(thing, Mapping):
        known = list(thing)
        if head in thing:
            return {**thing, head: with_setting(thing[head], rest, value) if rest else value}
    elif isinstance(thing, (list, tuple)):
        known = sorted({name for item in thing for name in _settings(item)})
        if head in known:
            return [with_setting(item, path, value) if head in _settings(item) else item for item in thing]
    else:
        known = list(_settings(thing))
        if head in known:
            new = with_setting(_settings(thing)[head], rest, value) if rest else value
            return thing.remade(**{head: new}) if isinstance(thing, Network) else replace(thing, **{head: new})
    raise ValueError(f"there is no setting {head!r} here: the settings are {', '.join(known) or 'none'}{nearest(head, known)}")


def _settings(thing: Any) -> dict[str, Any]:
    if isinstance(thing, Network):
        return thing.settings()
    return {each.name: getattr(thing, each.name) for each in fields(thing)} if is_dataclass(thing) else {}
