"""Looking into a network: edge functions, activations, how much edges, nodes and inputs contribute, and the drawing of it."""

from kanpde.interpret.drawing import draw_network
from kanpde.interpret.film import Film
from kanpde.interpret.inspection import Activations, Edge, activations, edge, edge_functions, outside_grid
from kanpde.interpret.scores import Attribution, attribution, interactions, sensitivity

__all__ = [
    "Activations", "Attribution", "Edge", "Film", "activations", "attribution", "draw_network", "edge", "edge_functions", "interactions",
    "outside_grid", "sensitivity",
]  # fmt: skip
