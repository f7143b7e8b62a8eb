"""The drawing of a network at some points, without a run or a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kanpde.drawing import draw_layers
from kanpde.interpret.inspection import edge_functions
from kanpde.interpret.stages import named, stages_of

if TYPE_CHECKING:
    from kanpde.drawing import Figure


def draw_network(
    network: Any, points: Any, *, names: Sequence[str] | None = None, outputs: Sequence[str] | None = None, metric: str = "attribution"
) -> Figure:
    """The network over ``points`` (N, inputs) as one figure: ``draw_network(network, X, names=["a", "b"]).savefig("network.pdf")``.

    Every edge is its function, as opaque as it is important by ``metric``, "attribution" or "spread": see
    :func:`kanpde.drawing.draw_layers`. Names are x1, x2, ... and y1, y2, ... unless they are given. Nothing is written, and pyplot does not
    know of the figure. Raises as :func:`~kanpde.interpret.edge_functions`, and ``ValueError`` for too few names or another metric.
    """
    stages_of(network)
    inputs, found = named(names, network.inputs, "x"), named(outputs, network.outputs, "y")
    return draw_layers(edge_functions(network, points), inputs, found, metric=metric)
