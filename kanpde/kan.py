"""Kolmogorov-Arnold networks: chains of :class:`~kanpde.layer.Layer`. The MLP twin is in :mod:`kanpde.mlp`."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

from kanpde.arguments import one_of, whole_number
from kanpde.bases import Basis, Extended, PerInput
from kanpde.initial import check_initial
from kanpde.layer import Layer
from kanpde.network import Network, Quantile, Width, checked_width, checked_widths
from kanpde.wiring import ENTRIES

OUTSIDE = ("continue", "linear", "constant")


class KAN(Network):
    """A Kolmogorov-Arnold network, ``KAN(2, 8, 1, basis=Chebyshev(degree=8))``.

    A width is a number of sum nodes, a pair (sum nodes, product nodes) or (sum nodes, [factors of each product node]); a product node
    that is only counted multiplies ``arity`` sums. Every edge of every layer carries a function of its own, a combination of the functions
    of ``basis``, or of ``basis[layer]`` of a list. Behind the first layer that is a function of tanh of its input; with ``hidden="range"``,
    of the input itself, mapped from a range of its own (that of the data: :func:`kanpde.adapt_ranges`) to [-1, 1].

    ``outside`` is what splines do beyond [-1, 1]: "continue" by themselves, or go on as "linear" or "constant" functions. By default
    they continue in the first layer, whose inputs are in the box, and are linear behind it with ``hidden="range"``.

    ``init`` names how the weights are drawn by ``seed``: "random", or with outputs and gradients of preserved size, "lecun", "glorot",
    "smooth"; "small", "sparse", "identity" (:func:`kanpde.initial.drawn`).

    ``asked`` are the arguments that it was made with, other than seed and dtype; None once its layers have been changed: then what it is
    follows from them.

    Source: Liu et al., KAN: Kolmogorov-Arnold Networks, arXiv 2404.19756; product nodes: KAN 2.0, arXiv 2408.10205.
    """

    asked: dict[str, Any] | None

    def __init__(
        self,
        *widths: Width,
        basis: Basis | Sequence[Basis],
        hidden: str = "tanh",
        outside: str | None = None,
        arity: int = 2,
        init: str = "random",
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        whole_number(arity, "the arity of product nodes", least=2)
        nodes = checked_widths(widths, "KAN", products=True)
        given: list[Any] = list(basis) if isinstance(basis, (tuple, list)) else [basis] * (len(widths) - 1)
        for each in given:
            if not isinstance(each, Basis):
                raise TypeError(f"basis must be a basis such as Chebyshev(degree=8), got {each!r}")
        if len(given) != len(widths) - 1:
            raise ValueError(f"KAN{widths} has {len(widths) - 1} layers, but basis lists {len(given)}: give one for each layer")
        if hidden not in ENTRIES:
            raise ValueError(f"hidden says how inputs enter the layers behind the first, 'tanh' or 'range', got {hidden!r}")
        if outside is not None:
            one_of(outside, OUTSIDE, "outside")
        check_initial(init)
        generator = torch.Generator().manual_seed(seed)
        layers = []
        for number, (before, width) in enumerate(pairwise(widths)):
            entry = hidden if number else "range"
            rule = outside or ("linear" if number and hidden == "range" else "continue")
            chosen = given[number] if entry == "tanh" or rule == "continue" else Extended(given[number], rule)
            sums, arities = checked_width(before, "KAN", products=number > 0, arity=arity)
            width = (width[0], [arity] * width[1]) if isinstance(width, (tuple, list)) and isinstance(width[1], int) else width
            layers.append(Layer(sums + len(arities), width, basis=chosen, entry=entry, init=init, seed=generator, dtype=dtype))
            if init != "random" and hidden == "range" and number < len(widths) - 2:  # what the next layer takes to [-1, 1]
                layers[-1].weight.data *= 3**-0.5
        super().__init__(layers, nodes[0][0], dtype, seed)
        usual = {"hidden": "tanh", "outside": None, "arity": 2, "init": "random"}
        chosen = {"hidden": hidden, "outside": outside, "arity": arity, "init": init}
        self.asked = {"widths": widths, "basis": basis, **{name: each for name, each in chosen.items() if each != usual[name]}}

    @classmethod
    def assembled(cls, layers: Sequence[Layer], *, lower: Sequence[float] | None = None, upper: Sequence[float] | None = None) -> Self:
        """The network of finished layers, which it takes over, on the box [lower, upper], by default [-1, 1]^inputs; its weights are given.

        Raises ``ValueError`` if a layer does not take what the one before it gives.
        """
        if not layers:
            raise ValueError("a network needs at least one layer")
        for number, (before, after) in enumerate(pairwise(layers)):
            if before.outputs != after.inputs:
                raise ValueError(f"layer {number} gives {before.outputs} outputs, but layer {number + 1} takes {after.inputs} inputs")
        other = cls.__new__(cls)
        Network.__init__(other, layers, layers[0].inputs, layers[0].low.dtype, 0)
        other.asked = None
        if lower is not None and upper is not None:
            other.on_box(lower, upper)
        other.to(layers[0].low.device).given = True
        return other

    def edited(self) -> Self:
        """A copy whose layers may be changed: its weights are given, and what it is follows from its layers."""
        other = self.kept()
        other.asked = None
        return other

    @property
    def wires(self) -> list[Layer]:
        """The layers, as what they are."""
        return list(self.layers)  # type: ignore[arg-type]

    @property
    def widths(self) -> tuple[Width, ...]:
        """The widths, as they were written or would be."""
        return self.asked["widths"] if self.asked else (self.inputs, *(layer.width for layer in self.wires))

    @property
    def basis(self) -> Basis | None:
        """The basis of the first layer that has one."""
        return next((layer.basis for layer in self.wires if layer.basis is not None), None)

    def settings(self) -> dict[str, Any]:
        if self.asked:
            return dict(self.asked)
        bases = [_inner(layer.basis) for layer in self.wires if layer.basis is not None and bool(layer.present.any())]
        found: dict[str, Any] = {"widths": self.widths}
        if bases:  # else all edges are symbolic
            found["basis"] = bases[0] if all(basis == bases[0] for basis in bases) else bases
        return found | ({"hidden": "range"} if any(layer.entry == "range" for layer in self.wires[1:]) else {})

    def __repr__(self) -> str:
        text, edges, terms = super().__repr__(), 0, 0
        for layer in self.wires:
            edges += int(layer.edges.sum())
            terms += len(layer.symbols)
        whole = sum(layer.linear * layer.inputs for layer in self.wires)
        about = ([f"{edges} of {whole} edges"] if edges < whole else []) + ([f"{terms} symbolic terms"] if terms else [])
        return f"{text} with {' and '.join(about)}" if about else text

    @property
    def quantiles(self) -> tuple[Quantile, ...]:
        basis = self.wires[0].basis
        if isinstance(basis, PerInput):
            return tuple(each.quantile for each in basis.bases)
        return super().quantiles if basis is None else (basis.quantile,) * self.inputs

    def is_periodic(self, axis: int) -> bool:
        layer = self.wires[0]
        basis = layer.basis.bases[axis] if isinstance(layer.basis, PerInput) else layer.basis
        return basis is not None and basis.periodic and layer.entry == "range" and not layer.shifted and not layer.symbols

    @property
    def resolution(self) -> int:
        return 0 if self.basis is None else self.basis.resolution

    @property
    def fixed(self) -> str:
        """Of masks, of numbers that are held, and of ranges, where they are not as they were made."""
        words, changed = hashlib.sha256(), False
        for layer in self.wires:
            changed |= layer.live is not None or layer.shifted
            if layer.live is not None:
                held = torch.cat([parameter.detach().flatten() for parameter in layer.parameters()])[~layer.live.to(self.lower.device)]
                words.update(layer.live.numpy().tobytes() + held.cpu().float().numpy().tobytes())
            words.update(layer.low.cpu().float().numpy().tobytes() + layer.high.cpu().float().numpy().tobytes())
        return words.hexdigest() if changed else ""

    @torch.no_grad()
    def refined(self, resolution: int, *, uniform: bool = False) -> Self:
        """The same function in a finer basis, exactly; the new network shares nothing with this one.

        With ``uniform``, splines get equal intervals at any resolution, and where the old knots are not among the new the function is
        projected (:meth:`~kanpde.bases.Basis.embedding`).
        """
        other = self.copy()

        def renewed(basis: Basis) -> Basis:
            return basis.uniform(resolution) if uniform else basis.refined(resolution)

        for layer in other.wires:
            if layer.basis is not None:
                finer = renewed(layer.basis)
                layer.put_splines(finer, embedded(layer.basis, finer, layer.weight), layer.present, layer.weight_held)
        if other.asked:
            basis = other.asked["basis"]
            finer = renewed(basis) if isinstance(basis, Basis) else [renewed(each) for each in basis]
            other.asked = {**other.asked, "basis": finer}
        return other


def embedded(basis: Basis, finer: Basis, weight: Tensor) -> Tensor:
    """The coefficients (o, finer.size, i) of the same functions in a finer basis, from those (o, basis.size, i) in ``basis``."""
    matrix = torch.from_numpy(basis.embedding(finer)).to(weight)
    return torch.einsum("jk,oki->oji" if matrix.ndim == 2 else "ijk,oki->oji", matrix, weight)


def _inner(basis: Basis) -> Basis:
    """A basis without what it does outside [-1, 1], which is for the layer to say."""
    return basis.basis if isinstance(basis, Extended) else basis
