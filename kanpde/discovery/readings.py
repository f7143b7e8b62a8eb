"""What a trained KAN looks like as a formula: its edges fixed to the functions that they resemble."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from kanpde.editing import FixEdges
from kanpde.kan import KAN
from kanpde.network import Network

if TYPE_CHECKING:
    from kanpde.symbolic.concluding import Rows
    from kanpde.symbolic.forms import Node

logger = logging.getLogger("kanpde")

LEAST = (0.99, 0.9)  # of an edge's variance that a function must explain


def readings(network: Network, rows: "Rows", names: Sequence[str]) -> "list[Node]":
    """Formulas that a search may begin with; none of networks that are no KAN, or whose edges resemble no function."""
    from kanpde.symbolic.forms import Form
    from kanpde.symbolic.writing import as_expression

    if not isinstance(network, KAN) or network.outputs != 1:
        return []
    points = rows.columns.T.to(network.lower)
    found = []
    for least in LEAST:
        try:
            with torch.no_grad():
                fixed = FixEdges(least=least).edited(network, points, rows.y[:, None].to(points))
            form, start = Form.of(as_expression(fixed, list(names)), list(names))
        except ValueError as error:  # an edge without a likeness
            logger.info("the network is no formula when %g of each edge must be explained: %s", least, error)
            continue
        found.append(form.rebuilt(start))
    return found
