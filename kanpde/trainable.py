"""What training, measuring and reporting ask of a problem besides its equation.

The answers here are those of an equation that holds everywhere in a domain. Problems of another kind, such as those of data
(:mod:`kanpde.supervised`), are a :class:`~kanpde.problem.Problem` that answers otherwise:

- where the residuals are taken, and what is known there: ``data_points``, ``columns``, ``noise``, ``fills_domain``;
- what is minimised, and when that is done: ``loss_residuals``, ``own_loss``, ``stop_reason``;
- how a network fits it: ``for_outputs``, ``output_affine``, ``judged_by``;
- what histories and results say of it: ``check_monitor``, ``monitored``, ``measured``, ``wording``, ``digest``.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np


class Trainable:
    """The base of :class:`~kanpde.problem.Problem`: each method has the answer of an equation on a domain."""

    own_loss = False  # whether :meth:`loss_residuals` are others than those that are differentiated

    def residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        """The residuals, one a component, given everything that they may ask for by name."""
        raise NotImplementedError

    # ---- where ----

    @property
    def data_points(self) -> np.ndarray | None:
        """The points (n, d) where the equation holds, if it is known nowhere else; None: anywhere in the domain."""
        return None

    @property
    def fills_domain(self) -> bool:
        """Whether the solution is wanted everywhere in the domain, rather than where there happen to be data."""
        return True

    def columns(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """What the equation knows at the points besides their coordinates, (n,) each, under names that no argument can have."""
        return {}

    def noise(self, points: np.ndarray) -> np.ndarray | None:
        """The standard deviations of the residuals, (components, n), where these are measurements of known noise; None: not known."""
        return None

    # ---- the loss ----

    def loss_residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        """The residuals whose squares are the loss; where they are not :meth:`residuals`, those have its gradient and curvature only."""
        return self.residuals(known)

    def stop_reason(self, loss: float) -> str | None:
        """Why a descent with this loss should end, if it should."""
        return None

    # ---- the network ----

    def for_outputs(self, count: int) -> Self:
        """The problem as a network of ``count`` outputs solves it."""
        return self

    @property
    def output_affine(self) -> tuple[list[float], list[float]] | None:
        """What a network's outputs are shifted and multiplied by to be the unknowns, where the problem knows their size; None: nothing."""
        return None

    def judged_by(self, *, everything: bool = False) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Inputs (n, d), and the outputs (n, unknowns) wanted there, by which edits of the network are judged; None without data.

        With ``everything`` all rows that may be looked at, else those that judge best.
        """
        return None

    # ---- what is said of it ----

    @property
    def digest(self) -> str:
        """A few letters that tell data from others; "" where there are none."""
        return ""

    def check_monitor(self, column: str) -> None:
        """Raise ``ValueError`` for a column that the history cannot have."""

    def monitored(self, network: Any) -> dict[str, float]:
        """Figures of merit for the history, by column."""
        return {}

    def measured(self, network: Any) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, Any]] | None:
        """Points (n, d), arrays (n,) by name and metrics, where the problem has measures of its own; None: those on a grid."""
        return None

    def wording(self) -> dict[str, str] | None:
        """What a result keeps as the equation, where the problem words it itself."""
        return None
