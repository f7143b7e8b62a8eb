"""The multilayer perceptron with the same interface as a KAN: the baseline of every comparison."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from kanpde.jets import Channels, compose, spread, tanh_table
from kanpde.network import Network, checked_widths


@dataclass
class DenseRecord:
    """What a dense layer keeps of a forward pass for its reverse."""

    chosen: Channels
    features: Tensor  # (C, inputs, N)
    jet: Tensor | None = None
    table: Tensor | None = None
    bell: dict[tuple[int, int], Tensor] = field(default_factory=dict)


class Dense(nn.Module):
    """output = weight @ activation(input) + bias, with the tanh in front left out in the first layer."""

    def __init__(self, inputs: int, outputs: int, *, squash: bool, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.inputs, self.outputs, self.squash = inputs, outputs, squash
        scale = math.sqrt(2.0 / (inputs + outputs))  # Glorot and Bengio, AISTATS 2010
        weight = scale * torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
        self.weight = nn.Parameter(weight.to(dtype))
        self.bias = nn.Parameter(torch.zeros(outputs, dtype=dtype))

    @property
    def linear_parameters(self) -> int:
        """How many parameters, the last ones, the outputs are linear in: all."""
        return self.weight.numel() + self.bias.numel()

    def forward(self, z: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return nn.functional.linear(torch.tanh(z) if self.squash else z, self.weight, self.bias)

    def columns(self, z: Tensor) -> Tensor:
        """(inputs, N) -> (outputs, N)."""
        return self.weight @ (torch.tanh(z) if self.squash else z) + self.bias[:, None]

    def start(self, z: Tensor, scale: Tensor, chosen: Channels, record: Any) -> tuple[Tensor, DenseRecord]:
        """Jets of the outputs at the coordinates z (inputs, N): affine functions."""
        features = z.new_zeros((len(chosen), *z.shape))
        features[0] = z
        for coordinate, pure in chosen.pure.items():
            features[pure[0][0], coordinate] = scale[coordinate]
        return self._linear(features), DenseRecord(chosen, features)

    def propagate(self, jet: Tensor, chosen: Channels, record: Any) -> tuple[Tensor, DenseRecord]:
        """Jets of the outputs from the jets of the inputs."""
        table = tanh_table(jet[0], chosen.order + 1)
        features = compose(table[:, None], jet, chosen)[:, 0]
        return self._linear(features), DenseRecord(chosen, features, jet, table, chosen.bell_values(jet))

    def _linear(self, features: Tensor) -> Tensor:
        linear = torch.matmul(self.weight, features)
        linear[0] += self.bias[:, None]
        return linear

    def reverse(self, record: DenseRecord, adjoint: Tensor) -> tuple[Tensor, Tensor | None]:
        """Adjoints of the outputs, and of the input jets (None in the first layer)."""
        if record.jet is None or record.table is None:
            return adjoint, None
        features = torch.matmul(self.weight.T, adjoint)
        inner = torch.zeros_like(record.jet)
        inner[0] = features[0] * record.table[1]
        for row, rule in enumerate(record.chosen.bell[1:], 1):
            for m, terms in rule:
                spread(terms, record.jet, features[row] * record.table[m], inner)
                inner[0] += features[row] * record.table[m + 1] * record.bell[row, m]
        return adjoint, inner

    def rows(self, record: DenseRecord, adjoint: Tensor, out: Tensor) -> None:
        """Derivatives of every sample by every parameter, into ``out`` (parameters, N)."""
        count = self.weight.numel()
        block = out[:count].unflatten(0, self.weight.shape)
        torch.mul(adjoint[0][:, None], record.features[0], out=block)
        for row in range(1, len(record.chosen)):
            block.addcmul_(adjoint[row][:, None], record.features[row])
        out[count:] = adjoint[0]

    def gradient(self, record: DenseRecord, adjoint: Tensor) -> Tensor:
        """The sum of :meth:`rows` over the samples."""
        weight = torch.matmul(adjoint, record.features.mT).sum(0)
        return torch.cat([weight.flatten(), adjoint[0].sum(1)])


class MLP(Network):
    """A fully connected tanh network, ``MLP(2, 20, 20, 1)``."""

    def __init__(self, *widths: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> None:
        nodes = [sums for sums, _ in checked_widths(widths, "MLP")]
        self.widths = widths
        generator = torch.Generator().manual_seed(seed)
        layers = [
            Dense(before, after, squash=number > 0, generator=generator, dtype=dtype)
            for number, (before, after) in enumerate(pairwise(nodes))
        ]
        super().__init__(layers, nodes[0], dtype, seed)

    def settings(self) -> dict[str, Any]:
        return {"widths": self.widths}
