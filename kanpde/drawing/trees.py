"""The drawing of a tree: the whole above, what it consists of below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kanpde.drawing.style import canvas, style
from kanpde.notation import formula, symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL, LETTER = 0.62, 0.062  # inches: between levels; the mean width of a letter
COLORS = {"+": (0.0, 0.447, 0.698), "×": (0.835, 0.369, 0.0), "F": (0.0, 0.62, 0.451)}  # Okabe and Ito


@dataclass(frozen=True)
class Branch:
    """A node with its children: ``sign`` is what joins them, "+", "×", "F", or "" for a leaf; ``texts`` are the names that a leaf has."""

    sign: str
    texts: tuple[str, ...] = ()
    children: tuple[Branch, ...] = ()


def draw_tree(root: Branch, title: str = "") -> Figure:
    """The tree as one figure, the root above: signs in circles, leaves with their names; ``title`` is a formula."""
    from matplotlib.collections import LineCollection

    spots, lines, width = _placed(root)
    depth = max(level for _, _, level in spots)
    width, height = max(width, 1.6, 0.3 + 0.055 * len(title)), LEVEL * depth + (0.75 if title else 0.55)
    shift = (width - max(x for _, x, _ in spots) - min(x for _, x, _ in spots)) / 2
    floor = 0.26
    with style():
        figure = canvas(width, height)
        ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
        ax.set_axis_off()
        paths = [[(x + shift, floor + LEVEL * (depth - level)) for x, level in line] for line in lines]
        ax.add_collection(LineCollection(paths, colors="0.45", linewidths=0.8, zorder=1, gid="lines"))
        for node, x, level in spots:
            y = floor + LEVEL * (depth - level)
            if node.sign:
                ax.scatter([x + shift], [y], 190, [(1, 1, 1)], edgecolors=[COLORS[node.sign]], linewidths=1.2, zorder=2, gid="node")
                text = "$F$" if node.sign == "F" else f"${node.sign}$" if node.sign == "+" else "×"
                ax.text(x + shift, y - 0.005, text, ha="center", va="center", fontsize=10, color=COLORS[node.sign], zorder=3)
            else:
                box = {"boxstyle": "round,pad=0.35,rounding_size=0.5", "facecolor": "0.955", "edgecolor": "none"}
                ax.text(x + shift, y, _leaf(node), ha="center", va="center", fontsize=9, bbox=box, zorder=3, gid="leaf")
        if title:
            ax.text(width / 2, height - 0.1, formula(title), ha="center", va="top", fontsize=8, color="0.25")
    return figure


def _leaf(node: Branch) -> str:
    return ", ".join(symbol(text) if text.isidentifier() else formula(text) for text in node.texts) or "constant"


def _placed(root: Branch) -> tuple[list[tuple[Branch, float, int]], list[list[tuple[float, int]]], float]:
    """Nodes with x and level, lines between them, and the width: leaves side by side, parents above the middle of their children."""
    spots, lines, cursor = [], [], 0.15

    def place(node: Branch, level: int) -> float:
        nonlocal cursor
        if not node.children:
            size = max(0.5, 0.28 + LETTER * sum(len(text) + 1.5 for text in node.texts))
            x, cursor = cursor + size / 2, cursor + size + 0.1
        else:
            below = [place(child, level + 1) for child in node.children]
            x = float(np.mean([below[0], below[-1]]))
            lines.extend([(x, level), (each, level + 1)] for each in below)
        spots.append((node, x, level))
        return x

    place(root, 0)
    return spots, lines, cursor + 0.05
