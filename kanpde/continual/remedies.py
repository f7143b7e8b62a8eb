"""What keeps a network from forgetting earlier tasks. Each says what it keeps of them.

``Continual(..., remedies=[Elastic()])``; several may stand together. The loss of each task is that of :mod:`kanpde.objective`.
"""

from dataclasses import dataclass
from typing import Protocol

from kanpde.arguments import real_number, whole_number
from kanpde.continual.memory import ElasticMemory, FrozenMemory, Memory, RehearsalMemory, ReplayMemory, StayMemory
from kanpde.kan import KAN
from kanpde.network import Network


class Remedy(Protocol):
    """A frozen dataclass with what it asks for; in a run it has a :class:`~kanpde.continual.memory.Memory`."""

    def check(self, network: Network) -> None:
        """Raise ``TypeError`` for a network that it is not for."""

    def memory(self) -> Memory:
        """What it will remember: nothing yet."""
        ...


@dataclass(frozen=True)
class Elastic:
    """Hold the parameters p where earlier tasks feel them: to the loss of task k + 1 is added

        weight / 2 (p - p_k)' (sum over i <= k of J_i'J_i) (p - p_k),

    p_k the parameters after task k, J_i the Jacobian of the residuals of task i at p_i: the change of their squares, linearised. Where the
    residuals are linear in p (a single layer, with data or a linear equation) and every task is solved to the end, a ``weight`` of 1 is
    recursive least squares: the network after the last task is the one that all tasks at once would give, each in its own units. Otherwise
    errors of second order in p - p_k are left, and a greater weight makes the way longer and the errors smaller.

    It keeps P parameters and a root of the P x P matrix, no data. With ``full=False`` only the diagonal: 2 P numbers, elastic weight
    consolidation as it was published, which takes coefficients for independent.

    Source: Kirkpatrick et al., PNAS 114 (2017) 3521; one centre for all tasks: Huszar, PNAS 115 (2018) E2496; J'J is the generalised
    Gauss-Newton matrix, the Fisher information of Gaussian noise (Martens, J. Mach. Learn. Res. 21 (2020) 146).
    Raises ``ValueError`` for a weight that is not positive.
    """

    weight: float = 1.0
    full: bool = True

    def __post_init__(self) -> None:
        real_number(self.weight, "Elastic(weight)", above=0)

    def check(self, network: Network) -> None:
        pass

    def memory(self) -> Memory:
        return ElasticMemory(self.weight, self.full)


@dataclass(frozen=True)
class Stay:
    """Leave parameters where they are unless there is a reason to move them: to the loss of task k + 1, the first included, is added

        weight / 2 |p - p_k|^2,

    p_0 the parameters to begin with. It settles what no task determines, such as coefficients that its points hardly reach, which otherwise
    may become huge; a task that is to be learnt to a relative error of eps needs a weight of about eps^2. Alone it hardly keeps from
    forgetting. It keeps P numbers. Raises ``ValueError`` for a weight that is not positive.
    """

    weight: float = 1e-10

    def __post_init__(self) -> None:
        real_number(self.weight, "Stay(weight)", above=0)

    def check(self, network: Network) -> None:
        pass

    def memory(self) -> Memory:
        return StayMemory(self.weight)


@dataclass(frozen=True)
class Replay:
    """Go on solving earlier tasks at ``count`` of their points each: to the loss of task k + 1 is added weight * sum over i <= k of the
    loss of task i at these points.

    It keeps the points and the targets there: 2 or more numbers a point. Of an equation, points and the conditions.

    Source: Robins, Connect. Sci. 7 (1995) 123, rehearsal; Rolnick et al., NeurIPS 32 (2019), experience replay.
    Raises ``ValueError`` for a count below 1 or a weight that is not positive.
    """

    count: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        whole_number(self.count, "Replay(count)")
        real_number(self.weight, "Replay(weight=...)", above=0)

    def check(self, network: Network) -> None:
        pass

    def memory(self) -> Memory:
        return ReplayMemory(self.count, self.weight)


@dataclass(frozen=True)
class Rehearse:
    """Give what the network gave before: to the loss of task k + 1 is added, for each earlier task i,

        weight * mean over x of |(N(x; p) - N(x; p_k)) / s|^2

    at ``count`` quasi-random x in the box of the inputs of task i; s is the scale of the outputs.

    It keeps the parameters p_k and 2 d numbers a task, the boxes: no data. Source: Robins, Connect. Sci. 7 (1995) 123, pseudorehearsal; Li
    and Hoiem, IEEE Trans. Pattern Anal. Mach. Intell. 40 (2018) 2935.
    Raises ``ValueError`` for a count below 1 or a weight that is not positive.
    """

    count: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        whole_number(self.count, "Rehearse(count)")
        real_number(self.weight, "Rehearse(weight=...)", above=0)

    def check(self, network: Network) -> None:
        pass

    def memory(self) -> Memory:
        return RehearsalMemory(self.count, self.weight)


@dataclass(frozen=True)
class FreezeReached:
    """Train no longer the coefficients that earlier tasks have reached: those of basis functions that are not zero somewhere between the
    least and the greatest value that their points sent into a node, in every layer.

    All that a network of local functions gives between these points then stays as it is, to the last digit, in any depth: what the first
    layer sends on is the same, and so what the next one makes of it. New tasks have what is left. It keeps a mark for each function of a
    node, no data. With ``start=1`` the first layer is left free, for other remedies to hold.

    For KANs of local bases, such as B-splines, whose edges are all splines: ``TypeError`` for others, of which a single point reaches all.
    """

    start: int = 0

    def __post_init__(self) -> None:
        whole_number(self.start, "FreezeReached(start)", least=0)

    def check(self, network: Network) -> None:
        if not isinstance(network, KAN):
            raise TypeError(f"{self} freezes coefficients of local functions, which {network} does not have: use a KAN of B-splines")
        if self.start >= len(network.wires):
            raise ValueError(f"{self}: {network} has {len(network.wires)} layers, from number 0 on: start before their end")
        for layer in network.wires[self.start :]:
            if layer.basis is None or layer.symbols or layer.bias is not None:
                raise TypeError(f"{self} is for edges of splines alone, and {network} has others: leave it out")
            if layer.basis.support >= layer.basis.size:
                raise TypeError(f"{self}: a single point reaches every function of {layer.basis!r}: use B-splines, or Elastic()")

    def memory(self) -> Memory:
        return FrozenMemory(self.start)
