"""Drawings of a network in a row, as an animation: one layout and one scale of opacity for all frames."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kanpde.drawing.networks import Plan, Shade, chosen_metric, label, planned, shade, sheet, sketched
from kanpde.drawing.style import style
from kanpde.edges import Edges
from kanpde.hdf5 import write_whole

if TYPE_CHECKING:
    from matplotlib.animation import AbstractMovieWriter

Frame = tuple[Sequence[Edges], str]  # the layers, and a line of text below
DOTS = 150  # per inch


def save_film(
    frames: Sequence[Frame],
    path: str | Path,
    names: Sequence[str] = (),
    outputs: Sequence[str] = (),
    *,
    metric: str = "attribution",
    fps: float = 10.0,
) -> Path:
    """Write drawings of a network (:func:`~kanpde.drawing.draw_layers`), ``fps`` a second, as .gif, or .mp4 with ffmpeg; returns the path.

    An edge is fully opaque where it is as important as the most important of its layer in any frame; it keeps its place, also while it is
    not there. Where the shape of the network changes, the layout does. The file is whole or absent.
    Raises ``ValueError`` without frames, for another kind of file, or a speed that is not positive; RuntimeError for .mp4 without ffmpeg.
    """
    path = Path(path)
    writer = _writer(path, fps)
    if not frames:
        raise ValueError("there are no frames to save: a Film takes them while it is a callback of an experiment that runs")
    metrics = [chosen_metric(layers, metric) for layers, _ in frames]
    scenes = [_scene([layers for layers, _ in group], metrics[0]) for _, group in groupby(frames, lambda frame: _shape(frame[0]))]
    figure, ax = sheet(scenes[0][0][1], over=[scene[0][1] for scene in scenes[1:]])
    limits = ax.get_xlim(), ax.get_ylim()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / path.name
        with writer.saving(figure, str(file), DOTS):
            for (layers, text), (shades, plans, largest) in zip(frames, (each for scene in scenes for each in scene), strict=True):
                with style():
                    ax.clear()
                    ax.set(xlim=limits[0], ylim=limits[1])
                    ax.set_axis_off()
                    sketched(layers, shades, plans, largest).add_to(ax)
                    label(ax, layers, shades, plans, names, outputs)
                    ax.text(0.99, 0.02, text, transform=ax.transAxes, ha="right", va="bottom", fontsize=7, color="0.4")
                    writer.grab_frame()
        return write_whole(path, file.read_bytes(), "the film")


def _writer(path: Path, fps: float) -> AbstractMovieWriter:
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if not (isinstance(fps, (int, float)) and 0 < fps <= 60):
        raise ValueError(f"fps= is how many frames are shown a second, above 0 and at most 60, got {fps!r}")
    if path.suffix == ".gif":
        return PillowWriter(fps=fps)  # type: ignore[arg-type]
    if path.suffix != ".mp4":
        raise ValueError(f"a film is a .gif or an .mp4 file, got {path.name!r}")
    if not FFMpegWriter.isAvailable():
        raise RuntimeError(f"{path.name} needs the program ffmpeg, which is not installed: install it, or save the film as .gif")
    return FFMpegWriter(fps=fps)  # type: ignore[arg-type]


def _shape(layers: Sequence[Edges]) -> list[tuple]:
    return [(layer.importance.shape, layer.sums, layer.arities) for layer in layers]


def _scene(frames: Sequence[Sequence[Edges]], metric: str) -> list[tuple[list[Shade], list[Plan], list[tuple[float, float]]]]:
    """For each of some frames of one shape: the importance of what it has, the places, and what is fully opaque."""
    shades = [[shade(layer, metric) for layer in layers] for layers in frames]
    most = [np.fmax.reduce([each[k].edges for each in shades]) for k in range(len(frames[0]))]
    ever = [replace(layer, importance=each) for layer, each in zip(frames[-1], most, strict=True)]
    plans = planned(ever, most)
    largest = [
        (float(np.nanmax(np.nan_to_num(most[k], nan=0.0, posinf=0.0), initial=0.0)), max(float(each[k].nodes.max()) for each in shades))
        for k in range(len(most))
    ]
    return [(each, plans, largest) for each in shades]
