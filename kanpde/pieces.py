"""Several networks side by side: a solution that was found slab by slab."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from kanpde.network import Network


class Pieces(Network):
    """Networks on slabs of a box that follow one another along one coordinate.

    ``problems`` are what each solves, its box and its hard conditions; ``edges`` (count + 1,) are where the slabs meet along coordinate
    number ``axis``. A point on an edge belongs to the later slab. The parameters are those of all networks, one after another.
    """

    def __init__(self, problems: Sequence[Any], networks: Sequence[Network], axis: int, edges: Sequence[float]) -> None:
        first, last = networks[0], networks[-1]
        super().__init__(networks, first.inputs, first.lower.dtype, first.seed)
        self.problems, self.axis, self.edges = tuple(problems), axis, tuple(edges)
        self.lower.copy_(first.lower.cpu())
        self.upper.copy_(last.upper.cpu())
        self.to(first.lower.device)

    def __repr__(self) -> str:
        return f"{len(self.layers)} slabs of {self.layers[-1]!r}"

    @property
    def resolution(self) -> int:
        return max(network.resolution for network in self.networks)

    @property
    def networks(self) -> list[Network]:
        return list(self.layers)  # type: ignore[arg-type]

    @property
    def fixed(self) -> str:
        return self.networks[0].fixed

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Those of all networks that are trained."""
        return chain.from_iterable(network.parameters(recurse) for network in self.networks)

    def parts(self, points: Tensor) -> Iterator[tuple[Any, Network, Tensor]]:
        """For each slab with points in it: its problem, its network, and the places (n,) of its points among ``points`` (N, inputs).

        Points beyond the last slab, of a run that was interrupted, are in none.
        """
        inner = torch.as_tensor(self.edges[1:-1], dtype=points.dtype, device=points.device)
        number = torch.bucketize(points[:, self.axis].contiguous(), inner, right=True)
        number[points[:, self.axis] > self.edges[-1] + 1e-12 * (self.edges[-1] - self.edges[0])] = -1  # not reached yet
        for k, (problem, network) in enumerate(zip(self.problems, self.networks, strict=True)):
            places = (number == k).nonzero().flatten()
            if len(places):
                yield problem, network, places

    def forward(self, points: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), without hard conditions."""
        flat = points.reshape(-1, points.shape[-1])
        found = flat.new_empty((len(flat), self.outputs))
        for _, network, places in self.parts(flat):
            found[places] = network(flat[places])
        return found.reshape(*points.shape[:-1], self.outputs)

    def jets(self, points: Tensor, chosen: Any, records: Any = None) -> Any:
        raise TypeError("jets of slabs are taken slab by slab: see Pieces.parts")
