"""Editing a network: every edit takes a KAN and gives another, which shares nothing with it.

What is not edited survives: boxes, ranges, knots, symbolic edges, what is frozen, output scales and unknown coefficients.
"""

from kanpde.editing.expansion import expand_depth, expand_width, perturb
from kanpde.editing.fixing import Fixed, Proposal, Released, fix, release, suggest
from kanpde.editing.following import AdaptRanges
from kanpde.editing.freezing import freeze, unfreeze
from kanpde.editing.order import auto_swap, connection_cost, swap
from kanpde.editing.pruning import Pruned, PruneReport, prune
from kanpde.editing.ranges import adapt_ranges
from kanpde.editing.removal import remove_edge, remove_input, remove_node, simplify
from kanpde.editing.scheduled import FixEdges, Prune

__all__ = [
    "AdaptRanges", "FixEdges", "Fixed", "Proposal", "Prune", "PruneReport", "Pruned", "Released", "adapt_ranges", "auto_swap",
    "connection_cost", "expand_depth", "expand_width", "fix", "freeze", "perturb", "prune", "release", "remove_edge",
    "remove_input", "remove_node", "simplify", "suggest", "swap", "unfreeze",
]  # fmt: skip
