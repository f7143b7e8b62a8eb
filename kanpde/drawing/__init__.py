"""Drawings from plain arrays: networks with their edge functions, trees of structure, law cards, films."""

from typing import TYPE_CHECKING

from kanpde.drawing.animation import Frame, save_film
from kanpde.drawing.cards import law_card
from kanpde.drawing.networks import draw_layers
from kanpde.drawing.style import WIDTH, canvas, style
from kanpde.drawing.trees import Branch, draw_tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure  # for annotations elsewhere: matplotlib is loaded when something is drawn

__all__ = ["WIDTH", "Branch", "Frame", "canvas", "draw_layers", "draw_tree", "law_card", "save_film", "style"]
