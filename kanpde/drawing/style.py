"""The look of all figures.

The style, ``kanpde.mplstyle``, holds only while a figure is being made, so that the user's backend and settings stay as they were.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 7.0  # inches: two columns of a physics journal


def style() -> AbstractContextManager[None]:
    """The style of kanpde's figures, as a context; on leaving it, every matplotlib setting is what it was."""
    import matplotlib

    return matplotlib.rc_context(fname=Path(__file__).with_name("kanpde.mplstyle"))


def canvas(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, unknown to pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))
