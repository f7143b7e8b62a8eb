"""The law card: one figure with the formula, its constants, the verdict, the candidates, and how the law fits the data.

It is drawn from plain data alone (:meth:`kanpde.symbolic.law.Law.to_plain`): no sympy, and nothing is executed.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kanpde.drawing.mathlines import GAP, Line, fitted, measured
from kanpde.drawing.style import WIDTH, canvas, style
from kanpde.notation import number, typeset_all, typeset_unit, uncertain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.22  # inches on all sides
HEAD = 0.34  # the line with title and verdict
PANEL = 2.0  # the panels
LEADING = 0.155  # from one line of words to the next
ROWS = 8  # constants in the table
STEP, AIR = 0.23, 0.08  # from one of its rows to the next, and between tall ones
LETTER, X_HEIGHT = 8.0, 0.075  # points of what it says, and inches that its letters rise above the base line
LETTERS = 120  # in a line of words
POINTS = 4000  # drawn of the data
LONG = 18  # letters of a value, beyond which its exact number stands further to the right
COLORS = {"proved": "#00724F", "exact within noise": "#0060A0", "candidate": "#A65E00", "no law": "#5A5A5A"}


def law_card(law: Mapping[str, Any], *, target: Any = None, prediction: Any = None, title: str = "") -> Figure:
    """The card of a law that ``to_plain`` wrote; with ``target`` (n,) and ``prediction`` (n,) of the data also how it fits them.

    Raises ``ValueError`` if only one of them is given, or their lengths differ.
    """
    if (target is None) != (prediction is None) or np.shape(target) != np.shape(prediction):
        raise ValueError(f"target and prediction go together, one number a row: got {np.shape(target)} and {np.shape(prediction)}")
    panels = [name for name, there in _there(law, target).items() if there]
    with style():
        lines = fitted(_formulas(law), str(law["formula"]), WIDTH - 2 * MARGIN) if law["outputs"] else []
        words, evidence = _wrapped(_words(law)), _wrapped([str(each) for each in law["evidence"]][:4], LETTERS + 22)
        text = MARGIN + HEAD + sum(line.height for line in lines) + 0.06 + LEADING * len(words)
        foot = MARGIN / 2 + 0.13 * len(evidence) + (0.08 if evidence else 0.0)
        rows = _rows(law) if "table" in panels else []
        panel = max(PANEL if panels != ["table"] else 0.0, sum(map(sum, _extents(rows))))
        height = text + (panel + (0.62 if panels != ["table"] else 0.3) if panels else 0.1) + foot
        figure = canvas(WIDTH, height)
        _heading(figure, law, title)
        y = _formula(figure, lines, height - MARGIN - HEAD, "0.5" if law["verdict"] == "no law" else "black")
        for k, line in enumerate(words):
            figure.text(MARGIN / WIDTH, (y - 0.15 - LEADING * k) / height, line, color="0.25", gid="words")
        for k, line in enumerate(evidence):
            figure.text(MARGIN / WIDTH, (foot - 0.1 - 0.13 * k) / height, line, fontsize=6.5, color="0.4", gid="evidence")
        width = (WIDTH - 2 * MARGIN) / max(len(panels), 2)
        for k, name in enumerate(panels):
            left = MARGIN + k * width
            if name == "table":
                _table(figure, rows, left, height - text - 0.26, width - 0.15)
                continue
            box = (left + 0.42, foot + 0.36, width - 0.55, panel)
            upper, lower = _pair(figure, box)
            if name == "front":
                _front(upper, lower, law)
            else:
                _fit(upper, lower, np.asarray(target, dtype=float), np.asarray(prediction, dtype=float))
        figure.draw_without_rendering()
    return figure


def _there(law: Mapping[str, Any], target: Any) -> dict[str, bool]:
    return {"table": bool(len(law["constants"]["name"])), "front": len(law["candidates"]["nodes"]) > 0, "fit": target is not None}


def _formulas(law: Mapping[str, Any]) -> list[str]:
    """The LaTeX of each output, without the line of constants, which the table has."""
    return str(law["latex"]).splitlines()[: len(law["outputs"])]


def _words(law: Mapping[str, Any]) -> list[str]:
    """Reason, numbers, runner-up."""
    found = [str(law["reason"])] if law["reason"] else []
    sizes = [
        f"{word} ${number(float(law[key]))}$" for word, key in (("residual rms", "rms"), ("noise", "noise")) if math.isfinite(law[key])
    ]
    lead = float(law["lead"])
    if law["verdict"] == "proved":
        return found
    if len(law["outputs"]) and law["verdict"] != "no law":
        sizes.append(f"leads by {lead:.1f} nats" if math.isfinite(lead) else "no other structure was a candidate")
    found.append(" · ".join(sizes))
    return found + _runner_up(law)


def _runner_up(law: Mapping[str, Any]) -> list[str]:
    """The next best of the front, if its formula is short enough to be shown."""
    columns, best = law["candidates"], int(law["best"])
    others = [k for k in range(len(columns["nodes"])) if k != best or law["verdict"] == "no law"]
    if not others or best < 0 or (law["verdict"] == "no law" and len(law["outputs"])):
        return []
    second = min(others, key=lambda k: columns["description"][k])
    words = "best on the front" if law["verdict"] == "no law" else "next on the front"
    text = f"{words}: ${columns['latex'][second]}$, rms ${number(float(columns['rms'][second]))}$"
    line = measured(text, 8.0)
    return [text] if line is not None and line.width < WIDTH - 2 * MARGIN and line.height < 0.4 else []


def _wrapped(texts: Sequence[str], letters: int = LETTERS) -> list[str]:
    """Lines of words; a line with a formula stays whole."""
    return [line for text in texts for line in ([text] if "$" in text else textwrap.wrap(text, letters))]


def _heading(figure: Figure, law: Mapping[str, Any], title: str) -> None:
    """Title on the left, the verdict on the right in its colour."""
    height = figure.get_figheight()
    y = (height - MARGIN - 0.08) / height
    words = {"function": "law", "solution": "law of the solution", "equation": "differential equation"}.get(str(law["kind"]), "law")
    figure.text(MARGIN / WIDTH, y, (title or words).replace("$", r"\$"), color="0.4", va="center", gid="title")
    color = COLORS.get(str(law["verdict"]), "0.3")
    box = {"boxstyle": "round,pad=0.35,rounding_size=0.5", "facecolor": color, "edgecolor": "none"}
    figure.text(
        1 - (MARGIN + 0.06) / WIDTH, y, law["verdict"], color="white", ha="right", va="center", bbox=box, weight="bold", gid="verdict"
    )


def _formula(figure: Figure, lines: Sequence[Line], y: float, color: str) -> float:
    """The lines from ``y`` inches downwards; where they end."""
    height = figure.get_figheight()
    for line in lines:
        y -= line.height
        alone = len(lines) == 1
        place = {"x": 0.5, "ha": "center"} if alone else {"x": (MARGIN + 0.1) / WIDTH, "ha": "left"}
        figure.text(y=(y + line.depth) / height, s=line.text, fontsize=line.size, family=line.family, color=color, gid="formula", **place)
    return y


def _pair(figure: Figure, box: tuple[float, float, float, float]) -> tuple[Axes, Axes]:
    """Two axes above one another, in inches: they share x."""
    left, bottom, width, height = box
    tall, wide = figure.get_figheight(), figure.get_figwidth()
    lower = figure.add_axes((left / wide, bottom / tall, width / wide, 0.46 * height / tall))
    upper = figure.add_axes((left / wide, (bottom + 0.54 * height) / tall, width / wide, 0.46 * height / tall), sharex=lower)
    upper.tick_params(labelbottom=False)
    return upper, lower


def _rows(law: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The table: a head, and for each constant its name, value(sigma), and the exact number or the unit if there is one."""
    constants = law["constants"]
    letters = typeset_all(map(str, [*law["names"], *law["outputs"], *constants["name"]]))
    count, snapped, units = len(constants["name"]), any(constants["exact"]), constants.get("unit", [""] * len(constants["name"]))
    rows = [("constant", "value", ", ".join((["exact"] if snapped else []) + (["unit"] if any(units) else [])))]
    for k in range(min(count, ROWS)):
        value = uncertain(float(constants["value"][k]), float(constants["sigma"][k]), power=r"\times10^{{{}}}")
        exact = f"${constants['latex'][k]}$" if constants["exact"][k] else "free" if snapped else ""
        exact = f"${typeset_unit(str(units[k]))}$" if units[k] else exact
        rows.append((f"${letters[str(constants['name'][k])]}$", f"${value}$", exact))
    return [*rows, *([(f"and {count - ROWS} more", "", "")] if count > ROWS else [])]


def _extents(rows: Sequence[Sequence[str]]) -> list[tuple[float, float]]:
    """Inches that each row of the table needs above and below its base line, with air: fractions need more than plain numbers."""
    least = min(STEP, PANEL / max(len(rows), 1))
    found = []
    for row in rows:
        lines = [line for line in (measured(text, LETTER) for text in row if text.startswith("$")) if line is not None]
        above = max([(least + X_HEIGHT) / 2, *(line.height - line.depth + AIR / 2 - GAP / 2 for line in lines)])
        found.append((above, max([(least - X_HEIGHT) / 2, *(line.depth + AIR / 2 - GAP / 2 for line in lines)])))
    return found


def _table(figure: Figure, rows: Sequence[Sequence[str]], left: float, top: float, width: float) -> None:
    """The rows from ``top`` inches downwards."""
    wide, tall, extents = figure.get_figwidth(), figure.get_figheight(), _extents(rows)
    long = max(len(value) for _, value, _ in rows) > LONG
    places = ((0.02, 0.235, 0.9) if long else (0.02, 0.24, 0.74)) if rows[0][2] else (0.02, 0.3, 1.0)
    y = top
    for k, (row, (above, below)) in enumerate(zip(rows, extents, strict=True)):
        for place, text in zip(places, row, strict=True):
            x, color = (left + place * width) / wide, "0.4" if k == 0 or not text.startswith("$") else "black"
            figure.text(x, (y - above) / tall, text, va="baseline", fontsize=LETTER, color=color, gid="table")
        y -= above + below
    for edge in (top, top - sum(extents[0])):
        _rule(figure, left, edge, width)


def _rule(figure: Figure, left: float, y: float, width: float) -> None:
    from matplotlib.lines import Line2D

    wide, tall = figure.get_figwidth(), figure.get_figheight()
    figure.add_artist(Line2D([left / wide, (left + width) / wide], [y / tall] * 2, color="0.5", linewidth=0.6, linestyle="-"))


def _front(upper: Axes, lower: Axes, law: Mapping[str, Any]) -> None:
    """rms (above, log) and description length (below) of the candidates against their nodes; the law is the large dot."""
    from matplotlib.ticker import MaxNLocator

    columns = law["candidates"]
    order = np.argsort(np.asarray(columns["nodes"], dtype=float), kind="stable")
    sizes, rms, nats = (np.asarray(columns[key], dtype=float)[order] for key in ("nodes", "rms", "description"))
    chosen = int(np.flatnonzero(order == int(law["best"]))[0]) if int(law["best"]) >= 0 and law["verdict"] != "no law" else None
    for ax, values, label in ((upper, rms, "residual rms"), (lower, nats, "description (nats)")):
        good = np.isfinite(values) & ((values > 0) | (ax is lower))
        ax.plot(sizes[good], values[good], "o-", color="0.45", linewidth=0.8, markersize=3, gid="front")
        if chosen is not None and good[chosen]:
            color = COLORS.get(str(law["verdict"]), "0.3")
            ax.plot([sizes[chosen]], [values[chosen]], "o", color=color, markersize=7, markerfacecolor=color, zorder=3, gid="chosen")
        ax.set_ylabel(label)
        ax.margins(0.08, 0.15)
    noise = float(law["noise"])
    if (rms[np.isfinite(rms)] > 0).any():
        upper.set_yscale("log")
        if math.isfinite(noise) and noise > 0:
            upper.axhline(noise, color="C1", linestyle=(0, (4, 2)), linewidth=0.8, zorder=1)
            upper.annotate("noise", (0.99, noise), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=6.5, color="C1")
    lower.set_xlabel("nodes of the formula")
    upper.set_title("Candidates" if law["verdict"] == "no law" else "Candidates: the law is the large dot")
    lower.locator_params(nbins=4)
    if np.ptp(sizes) < 2:  # whole numbers of nodes
        lower.set_xlim(sizes.min() - 1.5, sizes.max() + 1.5)
    lower.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))


def _fit(upper: Axes, lower: Axes, target: np.ndarray, prediction: np.ndarray) -> None:
    """Data against the law, and what is left."""
    good = np.flatnonzero(np.isfinite(target) & np.isfinite(prediction))
    good = good[:: max(1, math.ceil(len(good) / POINTS))]
    x, y = prediction[good], target[good]
    style = {"markersize": 2, "markeredgewidth": 0, "alpha": 0.6, "rasterized": True}
    upper.plot(x, y, "o", color="C2", gid="data", **style)
    lower.plot(x, y - x, "o", color="C2", gid="residuals", **style)
    if len(x):
        upper.plot([x.min(), x.max()], [x.min(), x.max()], color="0.3", linestyle="-", linewidth=0.7)
    lower.axhline(0.0, color="0.3", linestyle="-", linewidth=0.7)
    upper.set(title="Data and law", ylabel="data")
    lower.set(xlabel="law", ylabel="data − law")
    lower.locator_params(nbins=4)
    upper.locator_params("y", nbins=4)
