"""Formulas in LaTeX broken into lines of mathtext that fit a width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

SIZES = (15.0, 13.0, 11.5, 10.0, 9.0)  # points: one line in the largest that fits
SMALLEST = 7.0
UNIT = 10.0  # points, in which lines are measured
MOST = 6  # lines of a formula
SIGN, INDENT = 0.06, 0.35  # inches at UNIT: the room around a sign, and of \qquad
GAP = 0.07  # inches between lines
TOKENS = re.compile(r"\\[a-zA-Z]+|\\.|[{}()\[\]|]|[^\\{}()\[\]|]+")


@dataclass(frozen=True)
class Line:
    """A line of text: its size in points, its extent in inches, of which ``depth`` is below the base line."""

    text: str
    size: float
    width: float
    height: float
    depth: float
    family: str = "STIXGeneral"


def fitted(latex: Sequence[str], plain: str, width: float) -> list[Line]:
    """Lines of mathtext for formulas in LaTeX; what mathtext does not know, or cannot be broken, is the text ``plain`` instead."""
    found: list[Line] = []
    for formula in latex:
        lines = _one_line(formula, width) or _several(formula, width)
        if lines is None:
            return _words(plain, width)
        found += lines
    return found


def measured(text: str, size: float) -> Line | None:
    """The extent of a line of mathtext; None if that does not understand it."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    try:
        width, height, depth, *_ = MathTextParser("path").parse(text, 72, FontProperties(family="STIXGeneral", size=UNIT))
    except ValueError:
        return None
    scale = size / UNIT / 72
    return Line(text, size, width * scale, height * scale + GAP, depth * scale + GAP / 2)


def _resized(line: Line, size: float) -> Line:
    share = size / line.size
    return Line(line.text, size, share * line.width, share * (line.height - GAP) + GAP, share * (line.depth - GAP / 2) + GAP / 2)


def _one_line(formula: str, width: float) -> list[Line] | None:
    line = measured(f"${_tall(formula)}$", UNIT)
    sizes = [size for size in SIZES if line is not None and line.width * size / UNIT <= width]
    return [_resized(line, sizes[0])] if line is not None and sizes else None


def _tall(formula: str) -> str:
    r"""Fractions that stand in no other in full size: \dfrac."""
    found, depth = [], 0
    for token in TOKENS.findall(formula):
        depth += {"{": 1, "}": -1}.get(token, 0)
        found.append(r"\dfrac" if token == r"\frac" and depth == 0 else token)
    return "".join(found)


def _several(formula: str, width: float) -> list[Line] | None:
    """Broken before signs outside of braces, in the largest of three sizes that needs few lines."""
    parts = _parts(formula)
    widths = [line.width for line in (measured(f"${part}$", UNIT) for part in parts) if line is not None]
    if len(widths) < len(parts):
        return None
    for size in (10.0, 8.5, SMALLEST):
        lines, filled = [""], 0.0
        for part, wide in zip(parts, widths, strict=True):
            here = (wide + SIGN) * size / UNIT
            if lines[-1] and filled + here > width:
                lines.append(r"\qquad ")
                filled = INDENT * size / UNIT
            lines[-1] += part
            filled += here
        found = [line for line in (measured(f"${each}$", size) for each in lines) if line is not None]
        if len(found) == len(lines) <= MOST and all(line.width <= width for line in found):
            return found
    return None


def _parts(formula: str) -> list[str]:
    """Pieces that each can stand on a line: parentheses that may be broken are plain ones."""
    plain = formula.replace(r"\left", "").replace(r"\right", "")
    parts, depth, current = [], 0, ""
    for token in TOKENS.findall(plain):
        depth += {"{": 1, "}": -1}.get(token, 0)
        pieces = re.split(r"(?= [+-] |(?<=\w)= )", token) if depth == 0 and len(token) > 2 else [token]
        for number, piece in enumerate(pieces):
            if number:
                parts.append(current)
                current = ""
            current += piece
    return [part for part in [*parts, current] if part]


def _words(plain: str, width: float) -> list[Line]:
    """The formula as typed, in a fixed width."""
    size, letter = 7.5, 7.5 * 0.602 / 72
    lines = [piece for line in plain.splitlines() for piece in textwrap.wrap(line, int(width / letter) - 8, subsequent_indent="    ")]
    shown = lines if len(lines) <= 8 else [*lines[:7], "    ..."]
    return [Line(each.replace("$", r"\$"), size, len(each) * letter, 0.15, 0.04, "monospace") for each in shown]
