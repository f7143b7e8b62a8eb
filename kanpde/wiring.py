"""What one layer of a Kolmogorov-Arnold network consists of: edges made of splines and symbolic terms, biases, product nodes.

The edge from input i to the linear output o carries a function of its own, of splines (or any basis) and of symbolic terms,

    e_{o,i}(z_i) = sum_k weight_{o,k,i} B_k(entered z_i) + sum_s c_s f_s(a_s z_i + b_s),   linear_o = sum_i e_{o,i}(z_i) + bias_o,

and some linear outputs may be multiplied together in groups: product nodes. Either part, and the bias, may be missing. What a layer does
with jets is in :mod:`kanpde.layer`.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn

from kanpde.bases import Basis
from kanpde.edgesums import edge_sums
from kanpde.initial import check_initial, drawn
from kanpde.network import Width, checked_width
from kanpde.symbols import Symbol, Symbols

ENTRIES = ("tanh", "range")


class Wiring(nn.Module):
    """One layer of ``inputs`` nodes: ``KANLayer(2, 5, basis=BSpline(3, 5))``.

    ``width`` is a number of sum nodes, a pair (sum nodes, product nodes of two factors each) or (sum nodes, [factors of each product]).
    The edges are functions of tanh(input) with ``entry="tanh"``; with ``entry="range"`` of the input mapped from [low, high], at first
    [-1, 1], to [-1, 1], beyond which the basis goes on by its own rule (:class:`~kanpde.bases.Extended`). ``seed`` draws the weights in
    the manner of ``init`` (:func:`kanpde.initial.drawn`); a ``torch.Generator`` is drawn from. Without a basis there are no splines.

    ``weight`` has shape (linear outputs, K, inputs) and is zero where ``present`` (linear outputs, inputs) is False. ``bias`` is None until
    it is added; ``constants`` (S, 3) are a, b, c of the terms ``symbols``. What is ``held`` is not trained: edges by ``weight_held``,
    and for a time, until :meth:`hold` is called again, single coefficients by ``coefficients_held`` (K, inputs), of all outputs.

    Raises ``TypeError`` or ``ValueError`` for widths, bases and entries that are none. Source: Liu et al., arXiv 2404.19756; product nodes:
    arXiv 2408.10205.
    """

    present: Tensor
    weight_held: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        inputs: int,
        width: Width,
        *,
        basis: Basis | None,
        entry: str = "tanh",
        init: str = "random",
        seed: int | torch.Generator = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        if basis is not None and not isinstance(basis, Basis):
            raise TypeError(f"basis must be a basis such as Chebyshev(degree=8), got {basis!r}")
        if entry not in ENTRIES:
            raise ValueError(f"inputs enter a layer by 'tanh' or by their 'range', got {entry!r}")
        self.inputs = checked_width(inputs, "KANLayer")[0]
        self.sums, self.arities = checked_width(width, "KANLayer", products=True)
        self.basis, self.entry, self.symbols = basis, entry, ()
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        shape = self.linear, self.inputs
        weight = torch.zeros(self.linear, 0, self.inputs) if basis is None else drawn(check_initial(init), basis, shape, entry, generator)
        self.constants: nn.Parameter | None
        self.register_parameter("constants", None)  # first, so that what the outputs are linear in comes last
        self.weight = nn.Parameter(weight.to(dtype))
        self.bias: nn.Parameter | None
        self.register_parameter("bias", None)
        full = torch.full((self.linear, self.inputs), basis is not None)
        self.register_buffer("present", full)
        self.register_buffer("weight_held", torch.zeros_like(full))
        self.coefficients_held: Tensor | None
        self.register_buffer("coefficients_held", None, persistent=False)
        self.constants_held: Tensor | None
        self.register_buffer("constants_held", None)
        self.bias_held: Tensor | None
        self.register_buffer("bias_held", None)
        self.register_buffer("low", torch.full((self.inputs,), -1.0, dtype=dtype))
        self.register_buffer("high", torch.full((self.inputs,), 1.0, dtype=dtype))
        self.settle()

    # ---- shape ----

    @property
    def products(self) -> int:
        """Number of product nodes."""
        return len(self.arities)

    @property
    def linear(self) -> int:
        """Number of linear outputs: the sum nodes, then the factors of each product."""
        return self.sums + sum(self.arities)

    @property
    def outputs(self) -> int:
        return self.sums + self.products

    @property
    def owners(self) -> Tensor:
        """The node to which each linear output belongs, (linear,): itself, or the product that it is a factor of."""
        counts = torch.tensor([1] * self.sums + list(self.arities))
        return torch.repeat_interleave(torch.arange(self.outputs), counts).to(self.low.device)

    @property
    def width(self) -> Width:
        """The width as it is written: 5, (3, 2) for products of two factors, or (3, [2, 3])."""
        if not self.arities:
            return self.sums
        return (self.sums, self.products) if set(self.arities) == {2} else (self.sums, list(self.arities))

    @property
    def linear_parameters(self) -> int:
        """How many numbers, the last ones that are trained, the outputs are linear in: weight and bias, unless outputs are multiplied."""
        if self.products:
            return 0
        count = self.weight.numel() + (0 if self.bias is None else self.bias.numel())
        return count if self.live is None else int(self.live[len(self.live) - count :].sum())

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.width}, basis={self.basis!r}, entry={self.entry!r}"

    # ---- what is there, and what is trained ----

    def settle(self) -> Self:
        """Take note of changed edges, constants and ranges; whoever changes a layer calls it."""
        self.grouped = Symbols(self.symbols, self.linear) if self.symbols else None
        self.alike = _alike(self.sums, self.arities)
        self.partial = not bool(self.present.all()) if self.basis is not None else False
        self.shifted = self.entry == "range" and bool(((self.low != -1) | (self.high != 1)).any())
        live = [] if self.constants is None or self.constants_held is None else [~self.constants_held.flatten()]
        free = (self.present & ~self.weight_held)[:, None].expand(self.weight.shape)
        live.append((free if self.coefficients_held is None else free & ~self.coefficients_held).flatten())
        live += [] if self.bias is None or self.bias_held is None else [~self.bias_held]
        whole = torch.cat([each.cpu() for each in live])
        self.live: Tensor | None = None if bool(whole.all()) else whole  # of all numbers, in the order of parameters()
        return self

    def _load_from_state_dict(self, state_dict: Any, *arguments: Any) -> None:
        super()._load_from_state_dict(state_dict, *arguments)
        self.settle()

    @torch.no_grad()
    def put_bias(self, values: Tensor | None = None, held: Tensor | None = None) -> Self:
        """Add ``values`` (linear outputs,), by default zeros, to the bias, which is made if there is none."""
        if self.bias is None:
            self.bias = nn.Parameter(self.weight.new_zeros(self.linear))
            self.bias_held = torch.zeros(self.linear, dtype=torch.bool, device=self.weight.device)
        if values is not None:
            self.bias.add_(values.to(self.bias))
        if held is not None:
            self.bias_held = held.to(self.present)
        return self.settle()

    def put_symbols(self, symbols: Sequence[Symbol], constants: Tensor, held: Tensor | None = None) -> Self:
        """Have these symbolic terms, with ``constants`` (S, 3), instead of the present ones; ``held`` (S, 3) are not trained."""
        for symbol in symbols:
            if not (0 <= symbol.output < self.linear and 0 <= symbol.input < self.inputs):
                raise ValueError(f"{symbol} is no edge of a layer of {self.inputs} inputs and {self.linear} linear outputs")
        self.symbols = tuple(symbols)
        if not symbols:
            self.constants = self.constants_held = None
            return self.settle()
        constants = torch.as_tensor(constants).detach().to(self.weight).reshape(len(symbols), 3)
        self.constants = nn.Parameter(constants.clone())
        self.constants_held = torch.zeros_like(constants, dtype=torch.bool) if held is None else held.to(self.present).clone()
        return self.settle()

    def put_splines(self, basis: Basis | None, weight: Tensor, present: Tensor, held: Tensor | None = None) -> Self:
        """Have these splines instead: ``weight`` (linear outputs, basis.size, inputs), zero where not ``present``."""
        self.basis = basis
        self.present = present.to(self.low.device, torch.bool).clone()
        weight = weight.detach().to(self.low) * self.present[:, None]
        self.weight = nn.Parameter(weight.contiguous())
        self.weight_held = torch.zeros_like(self.present) if held is None else held.to(self.present).clone()
        self.coefficients_held = None
        return self.settle()

    def hold(self, coefficients: Tensor | None) -> Self:
        """Train no longer the coefficients (K, inputs) that are True, whatever the output; all again with None."""
        self.coefficients_held = None if coefficients is None else coefficients.to(self.present)
        return self.settle()

    def put_range(self, low: Tensor, high: Tensor) -> Self:
        """Map inputs from [low, high], (inputs,) each, to [-1, 1]; what the edges are changes with it."""
        self.low.copy_(low)
        self.high.copy_(high)
        return self.settle()

    def copy(self) -> Self:
        """An independent copy."""
        return deepcopy(self)

    # ---- values ----

    def forward(self, z: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs); ``ValueError`` for another number of inputs, ``TypeError`` for another precision."""
        if z.dtype != self.weight.dtype and not torch.is_autocast_enabled(z.device.type):
            wanted = str(z.dtype).removeprefix("torch.")
            raise TypeError(
                f"the inputs are {z.dtype}, but the layer is {self.weight.dtype}: KANLayer(..., dtype=torch.{wanted}), or move one"
            )
        if z.ndim == 0 or z.shape[-1] != self.inputs:
            raise ValueError(f"a layer of {self.inputs} inputs takes points of shape (..., {self.inputs}), got {tuple(z.shape)}")
        return self.columns(z.reshape(-1, self.inputs).T).T.reshape(*z.shape[:-1], self.outputs)

    def columns(self, z: Tensor) -> Tensor:
        """(inputs, N) -> (outputs, N): the points last, as in jets."""
        return self.joined(self.linear_columns(z))

    def linear_columns(self, z: Tensor) -> Tensor:
        """(inputs, N) -> (linear outputs, N)."""
        if self.basis is None:
            linear = z.new_zeros((self.linear, z.shape[1]))
        else:
            linear = edge_sums(self.basis, self._trained_weight(), self.entered(z))
        if self.grouped is not None:
            assert self.constants is not None
            terms = self.grouped.values(self._trained(self.constants, self.constants_held), z)
            linear = linear.index_add(0, torch.tensor(self.grouped.outputs, device=z.device), terms)
        return linear if self.bias is None else linear + self._trained(self.bias, self.bias_held)[:, None]

    def joined(self, linear: Tensor) -> Tensor:
        """Product nodes from their factors: (linear outputs, N) -> (outputs, N)."""
        if not self.arities:
            return linear
        factors = linear[self.sums :].split(self.arities)
        return torch.cat([linear[: self.sums], torch.stack([each.prod(0) for each in factors])])

    @torch.no_grad()
    def edge_values(self, z: Tensor) -> Tensor:
        """Every edge function, splines and symbolic terms together, without bias: (inputs, N) -> (linear outputs, inputs, N)."""
        if self.basis is None:
            found = z.new_zeros((self.linear, *z.shape))
        else:
            found = torch.einsum("oki,kin->oin", self.weight, self.basis.values(self.entered(z)))
        if self.grouped is not None:
            assert self.constants is not None
            terms = self.grouped.values(self.constants, z)
            found.index_put_((torch.tensor(self.grouped.outputs), torch.tensor(self.grouped.inputs)), terms, accumulate=True)
        return found

    @property
    def edges(self) -> Tensor:
        """Which edges there are, splines or symbolic terms: bool (linear outputs, inputs)."""
        found = self.present.clone()
        for symbol in self.symbols:
            found[symbol.output, symbol.input] = True
        return found

    def entered(self, z: Tensor) -> Tensor:
        """Inputs as the basis sees them: (inputs, N)."""
        if self.entry == "tanh":
            return torch.tanh(z)
        return (z - self._middle) * self._rate if self.shifted else z

    @property
    def _middle(self) -> Tensor:
        return 0.5 * (self.low + self.high)[:, None]

    @property
    def _rate(self) -> Tensor:
        return 2 / (self.high - self.low)[:, None]

    def _trained_weight(self) -> Tensor:
        if self.live is None:
            return self.weight
        held = self.weight_held[:, None] if self.coefficients_held is None else self.weight_held[:, None] | self.coefficients_held
        return self._trained(self.weight * self.present[:, None] if self.partial else self.weight, held)

    @staticmethod
    def _trained(values: Tensor, held: Tensor | None) -> Tensor:
        return values if held is None else torch.where(held, values.detach(), values)


def _alike(sums: int, arities: Sequence[int]) -> list[tuple[list[int], list[list[int]]]]:
    """Product nodes with equally many factors: their places among the outputs, and those of their first, second, ... factors."""
    starts, found = [sums + sum(arities[:node]) for node in range(len(arities))], dict[int, list[int]]()
    for node, arity in enumerate(arities):
        found.setdefault(arity, []).append(node)
    return [
        ([sums + node for node in nodes], [[starts[node] + factor for node in nodes] for factor in range(arity)])
        for arity, nodes in found.items()
    ]
