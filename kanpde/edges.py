"""One layer of a network as it is looked at and drawn: arrays and texts, no network."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Edges:
    """The edge functions of one layer, where the data passed, and how much each contributes.

    The layer has ``sums`` + ``products`` outputs, products last; each of these multiplies as many consecutive linear outputs, behind the
    sums, as ``arities`` says. ``symbols`` is "" for an edge that is a combination of basis functions, else its formula, as in
    "1.5 sin(2 x + 0.1)". Of older files ``scores``, ``nodes`` and ``outside`` are None: nobody knows.
    """

    inputs: np.ndarray  # (in, S): where each edge curve is evaluated, the range that the data visited
    curves: np.ndarray  # (linear outputs, in, S)
    importance: np.ndarray  # (linear outputs, in): standard deviation of each edge's contribution, >= 0; NaN: no edge
    sums: int
    arities: tuple[int, ...] = ()
    symbols: np.ndarray = field(default_factory=lambda: np.array(""))  # (linear outputs, in), texts
    scores: np.ndarray | None = None  # (linear outputs, in): attribution of each edge, >= 0; NaN: no edge
    nodes: np.ndarray | None = None  # (in,): attribution of each input of the layer
    outside: np.ndarray | None = None  # (in,): how many of the data lay where the basis is continued, by input

    def __post_init__(self) -> None:
        texts = np.array(np.asarray(self.symbols).tolist(), dtype=str)  # as wide as they need be, as they come from a file
        object.__setattr__(self, "symbols", np.broadcast_to(texts, self.importance.shape).copy())

    @property
    def products(self) -> int:
        """The number of product nodes."""
        return len(self.arities)

    @property
    def count(self) -> int:
        """The number of edges."""
        return int((~np.isnan(self.importance)).sum())

    @property
    def owners(self) -> np.ndarray:
        """The node to which each linear output belongs, (linear outputs,): itself, or the product that it is a factor of."""
        return np.repeat(np.arange(self.sums + self.products), [1] * self.sums + list(self.arities))
