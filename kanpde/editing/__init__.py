"""Editing a network: every edit takes a KAN and gives another, which shares nothing with it.

What is not edited survives: boxes, ranges, knots, symbolic edges, what is frozen, output scales and unknown coefficients.
"""

from kanpde.editing.following import AdaptRanges
from kanpde.editing.ranges import adapt_ranges

__all__ = ["AdaptRanges", "adapt_ranges"]
