"""Pruning: what contributes little is taken out, never at a greater loss of accuracy than was asked."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from kanpde.arguments import real_number
from kanpde.editing.places import Edge, checked_network, checked_targets, sizes
from kanpde.editing.removal import drop_columns, has_auxiliary, simplify
from kanpde.editing.rewiring import drop_edges, fold, linear_of
from kanpde.interpret import attribution
from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.network import checked_points

logger = logging.getLogger("kanpde")

MOST = 0.9  # of the points: the RMS of the smallest errors at so many must not grow either
PATIENCE = 40  # candidates in turn that could not go, after which the rest, which matter more, stay
ROUNDING = 1e-13  # of the outputs' spread: errors below it are none
RIDGE = 1e-10  # of the mean square of the features, towards the present weights

Group = tuple[tuple[int, Edge], ...]  # edges, each with its layer, that go together


@dataclass(frozen=True)
class PruneReport:
    """What pruning did: pairs (before, after) of counts, and of the error.

    ``error`` is that against the targets, or, without targets, the ``change`` of the outputs, as RMS over the points in units of their
    standard deviation; ``kept_inputs`` are the old numbers of the inputs that the network still takes.
    """

    inputs: tuple[int, int]
    nodes: tuple[int, int]
    edges: tuple[int, int]
    parameters: tuple[int, int]
    error: tuple[float, float]
    change: float
    tolerance: float
    kept_inputs: tuple[int, ...]
    against_targets: bool

    def __str__(self) -> str:
        rows = [(name, *map(str, getattr(self, name))) for name in ("inputs", "nodes", "edges", "parameters")]
        if self.against_targets:
            rows.append(("relative error", *(f"{each:.3e}" for each in self.error)))
        rows.append(("relative change", "", f"{self.change:.3e}"))
        lines = [f"{'':<16}{'before':>12}{'after':>12}", *(f"{name:<16}{old:>12}{new:>12}" for name, old, new in rows)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Pruned:
    """A pruned ``network``, and the ``report`` of what that cost."""

    network: KAN
    report: PruneReport


@torch.no_grad()
def prune(
    network: KAN,
    points: Any,
    targets: Any = None,
    *,
    tolerance: float = 0.01,
    edges: bool | float = True,
    nodes: bool | float = True,
    inputs: bool | float = False,
    refit: bool = False,
) -> Pruned:
    """The network without edges, nodes and inputs that contribute little, their means over ``points`` (N, inputs) folded into biases.

    Given ``targets`` (N, outputs), the RMS error on the points, and that of the smallest nine tenths of the errors, grow to at most
    1 + ``tolerance`` times what they were; without, the outputs change by at most ``tolerance``, as RMS in units of their standard
    deviation. Points that were not trained on measure best. Candidates
    are tried in the order of their scores (:func:`~kanpde.attribution`), many at a time where that is possible, and go only if
    the error allows it; ``edges``, ``nodes`` and ``inputs`` say whether they may go, or are the score, relative to 1 of an output, below
    which they may. Inputs that go take their column of the points with them, unless auxiliary inputs
    are made of it; without ``inputs`` the network keeps taking them.

    With ``refit`` the remaining weights are then fitted to what each layer gave before, by least squares, and more may go.

    Raises ``ValueError`` for points and targets that do not fit the network, and a tolerance that is negative.
    """
    points = checked_points(checked_network(network), points)
    wanted = None if targets is None else checked_targets(network, points, targets).T
    real_number(tolerance, "the tolerance of prune", least=0)
    limits = [_limit(each, name) for each, name in ((inputs, "inputs"), (nodes, "nodes"), (edges, "edges"))]
    search = _Search(network, points, wanted, tolerance)
    for search.refit in (False, True) if refit else (False,):
        for groups, limit in zip((_input_groups, _node_groups, _edge_groups), limits, strict=True):
            if limit > 0:
                search.through(groups(search.reached()[0], points), limit)
    other = simplify(search.best())
    whole = not limits[0] or has_auxiliary(network)
    gone = [] if whole else [i for i in range(network.inputs) if not bool(other.wires[0].edges[:, i].any())][: network.inputs - 1]
    kept = tuple(i for i in range(network.inputs) if i not in gone)
    if gone:
        drop_columns(other, gone)
    values = other.node_values(points[:, kept])[-1]
    report = PruneReport(
        (network.inputs, other.inputs),
        (_nodes(network), _nodes(other)),
        (_edges(network), _edges(other)),
        (network.parameter_count, other.parameter_count),
        (search.error(search.old), search.error(values)),
        search.change(values),
        tolerance,
        kept,
        wanted is not None,
    )
    logger.info("pruned %s:\n%s", network, report)
    return Pruned(other, report)


class _Search:
    """Which edges can go together without more loss than was asked."""

    def __init__(self, network: KAN, points: Tensor, targets: Tensor | None, tolerance: float) -> None:
        self.network, self.points, self.refit = network, points, False
        self.inputs = z = network.node_values(points)
        self.first, self.old = network.wires[0].edge_values(z[0]), z[-1]
        self.linear = [layer.linear_columns(each) for layer, each in zip(network.wires, z, strict=False)]
        shift, scale = network.output_shift, network.output_scale
        if targets is not None and shift is not None and scale is not None:
            targets = (targets - shift[:, None]) / scale[:, None]
        self.targets = targets
        self.scale = sizes(self.old if targets is None else targets)
        self.allowed = [tolerance + ROUNDING if targets is None else (1 + tolerance) * each + ROUNDING for each in self.errors(self.old)]
        self.removed: set[tuple[int, Edge]] = set()

    def change(self, values: Tensor) -> float:
        """RMS of the change of the outputs in units of their spread."""
        return float(((values - self.old) / self.scale).square().mean().sqrt())

    def error(self, values: Tensor) -> float:
        """RMS of the error against the targets, or of the change if there are none."""
        return self.errors(values)[0]

    def errors(self, values: Tensor) -> list[float]:
        """The same, and that without the largest, of which an RMS consists where a network fails in places."""
        squares = ((values - (self.old if self.targets is None else self.targets)) / self.scale).square()
        return [float(squares.mean().sqrt()), float(squares.flatten().sort().values[: max(1, int(MOST * squares.numel()))].mean().sqrt())]

    def reached(self) -> tuple[KAN, Tensor]:
        """The network without what could go so far, and its outputs."""
        return self.without(())

    def best(self) -> KAN:
        """The same, refitted if that was asked and helps."""
        network, values = self.reached()
        if self.refit:
            self.refit = False
            plain, others = self.reached()
            if self.allowed_by(others) and not (self.allowed_by(values) and self.error(values) < self.error(others)):
                return plain
        return network

    def without(self, groups: Sequence[Group]) -> tuple[KAN, Tensor]:
        """The network without these edges too, and its outputs on the points.

        Where a linear output loses edges, its mean over the points is made what it was, by its bias.
        """
        gone = self.removed.union(*groups)
        other, z = self.network.edited(), self.network.normalised(self.points)
        for number, layer in enumerate(other.wires):
            here = [edge for place, edge in gone if place == number]
            if here:
                drop_edges(layer, here)
            if here or (self.refit and gone):
                short = layer.linear_columns(z).mean(1)
                lost = torch.zeros_like(short, dtype=torch.bool)
                lost[[output for output, _ in here]] = True
                fold(layer, torch.where(lost, self.linear[number].mean(1) - short, torch.zeros_like(short)))
                if self.refit:
                    _refitted(layer, z, self.linear[number])
            z = layer.columns(z)
        return other, z

    def values_without(self, groups: Sequence[Group]) -> Tensor:
        """The outputs that :meth:`without` gives, from edge functions alone: no network is made."""
        if self.refit:
            return self.without(groups)[1]
        gone, z = self.removed.union(*groups), self.inputs[0]
        for number, layer in enumerate(self.network.wires):
            here = [edge for place, edge in gone if place == number]
            if not here and z is self.inputs[number]:
                z = self.inputs[number + 1]
                continue
            found = self.first if number == 0 else layer.edge_values(z)
            outputs, places = torch.tensor(here, dtype=torch.long).view(-1, 2).T
            found = found.index_put((outputs, places), found.new_zeros(()))
            linear = found.sum(1) if layer.bias is None else found.sum(1) + layer.bias[:, None]
            lost = outputs.unique()
            linear[lost] += (self.linear[number][lost].mean(1) - linear[lost].mean(1))[:, None]
            z = layer.joined(linear)
        return z

    def allows(self, groups: Sequence[Group]) -> bool:
        return self.allowed_by(self.values_without(groups))

    def allowed_by(self, values: Tensor) -> bool:
        return all(error <= allowed for error, allowed in zip(self.errors(values), self.allowed, strict=True))

    def through(self, groups: Sequence[tuple[float, Group]], limit: float) -> None:
        """Remove as many of the scored groups as possible, those of low score first."""
        waiting = [group for score, group in sorted(groups, key=lambda each: each[0]) if score < limit]
        refused = 0
        while waiting and refused < PATIENCE:
            low, high = 0, 1  # the first `low` can go
            while high <= len(waiting) and self.allows(waiting[:high]):
                low, high = high, min(2 * high, len(waiting)) if high < len(waiting) else high + 1
            high = min(high, len(waiting))
            while high - low > 1:  # and the first `high` cannot
                middle = (low + high) // 2
                low, high = (middle, high) if self.allows(waiting[:middle]) else (low, middle)
            self.removed.update(*waiting[:low])
            refused = 0 if low else refused + 1
            waiting = waiting[low + 1 :]


def _scores(network: KAN, points: Tensor) -> list[Tensor]:
    """How much of the outputs goes through each edge, (linear, inputs) by layer; 0 where there is none."""
    return [torch.from_numpy(each).nan_to_num() for each in attribution(network, points).edges]


def _edge_groups(network: KAN, points: Tensor) -> list[tuple[float, Group]]:
    """Every edge by itself, with its score."""
    scores = _scores(network, points)
    return [
        (float(score[output, input]), ((number, (output, input)),))
        for number, (layer, score) in enumerate(zip(network.wires, scores, strict=True))
        for output, input in layer.edges.nonzero().tolist()
    ]


def _node_groups(network: KAN, points: Tensor) -> list[tuple[float, Group]]:
    """Every hidden node: all edges into it and out of it, with what goes through the latter."""
    scores, found = _scores(network, points), []
    for number, (layer, after) in enumerate(pairwise(network.wires)):
        for node in range(layer.outputs):
            before = [(number, (factor, i)) for factor in linear_of(layer, node) for i in range(layer.inputs) if layer.edges[factor, i]]
            behind = [(number + 1, (o, node)) for o in range(after.linear) if after.edges[o, node]]
            if before or behind:
                found.append((float(scores[number + 1][:, node].sum()), (*before, *behind)))
    return found


def _input_groups(network: KAN, points: Tensor) -> list[tuple[float, Group]]:
    """Every input: all edges out of it."""
    first, score = network.wires[0], _scores(network, points)[0]
    groups = [(float(score[:, i].sum()), tuple((0, (o, i)) for o in range(first.linear) if first.edges[o, i])) for i in range(first.inputs)]
    return [each for each in groups if each[1]]


def _refitted(layer: Layer, z: Tensor, wanted: Tensor) -> None:
    """Move the weights and biases that are not frozen to where the linear outputs are nearest to ``wanted`` (linear, N)."""
    free = layer.present & ~layer.weight_held
    if layer.basis is None or not bool(free.any()):
        return
    features, left = layer.basis.values(layer.entered(z)), wanted - layer.linear_columns(z)  # (K, inputs, N)
    constant = layer.bias is not None and layer.bias_held is not None
    weight = layer.weight.detach().clone()
    for output in range(layer.linear):
        columns = features[:, free[output]].flatten(0, 1)
        with_bias = constant and not bool(layer.bias_held[output])  # type: ignore[index]
        columns = torch.cat([columns, torch.ones_like(z[:1])]) if with_bias else columns
        if not len(columns):
            continue
        normal = columns @ columns.T
        normal.diagonal().add_(RIDGE * float(normal.diagonal().mean()) + 1e-300)
        step = torch.linalg.solve(normal, columns @ left[output])
        if with_bias:
            layer.bias[output] += step[-1]  # type: ignore[index]
            step = step[:-1]
        weight[output, :, free[output]] += step.view(len(weight[0]), -1)
    layer.put_splines(layer.basis, weight, layer.present, layer.weight_held)


def _nodes(network: KAN) -> int:
    return sum(layer.outputs for layer in network.wires[:-1])


def _edges(network: KAN) -> int:
    return sum(int(layer.edges.sum()) for layer in network.wires)


def _limit(value: bool | float, name: str) -> float:
    """The score below which candidates may go."""
    if isinstance(value, bool):
        return math.inf if value else 0.0
    return real_number(value, f"the score below which {name} are pruned", least=0)
