"""Frames of a network as it trains, as an animation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from kanpde.arguments import whole_number
from kanpde.drawing import Frame, save_film
from kanpde.interpret.inspection import edge_functions

LOOKED_AT = 1000  # points of the equation


@dataclass(eq=False)
class Film:
    """A callback that keeps the network's edge functions after the first step and every so many steps.

    ``film = Film(every=5)``, ``Experiment(..., callbacks=[film])``, and after the run ``film.save("training.gif")``: nothing is written
    unless asked for. (The command line, which writes figures, writes the film beside them.) ``points`` (N, inputs) are where the network
    is looked at, by default the first 1,000 of the equation's points, or of the first condition's. A frame takes ``samples`` numbers an
    edge. A new run begins a new film; a resumed one goes on.
    """

    every: int = 5
    points: Any = None
    samples: int = 41
    frames: list[Frame] = field(default_factory=list, repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    outputs: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        whole_number(self.every, "Film(every=...)")
        whole_number(self.samples, "Film(samples=...), the points of each curve,", least=2)

    def __call__(self, run: Any) -> None:
        step, problem = run.fit.history.length, run.experiment.problem
        if step == 1:
            self.frames.clear()
        if step == 1 or step % self.every == 0:
            self.names, self.outputs = problem.domain.names, problem.unknowns
            layers = edge_functions(run.fit.network, self._points(run.fit.points), samples=self.samples)
            self.frames.append((layers, f"step {step}"))

    def _points(self, drawn: dict[str, Tensor]) -> Any:
        if self.points is not None:
            return self.points
        return (drawn["equation"] if "equation" in drawn else next(iter(drawn.values())))[:LOOKED_AT]

    def save(self, path: str | Path, *, fps: float = 10.0, metric: str = "attribution") -> Path:
        """Write the film as .gif, or as .mp4 where there is ffmpeg, ``fps`` frames a second; returns the path.

        Layout and scale are the same in all frames; ``metric`` as in :func:`~kanpde.interpret.draw_network`. Raises ``ValueError`` without
        frames, RuntimeError for .mp4 without ffmpeg, ResultsError where the file cannot be written.
        """
        return save_film(self.frames, path, self.names, self.outputs, metric=metric, fps=fps)
