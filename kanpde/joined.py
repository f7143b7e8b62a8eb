"""The objective with terms that come from elsewhere, such as earlier tasks: their rows stand behind those of the problem."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from kanpde.compiled import Compiled
from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.problem import Problem


class Term(Protocol):
    """Further rows of the residual, with what :class:`~kanpde.objective.Objective` says of its own; ``column`` is that of the history which
    has the sum of their squares. An objective, on a problem and points of its own, has all of it but the ``column``.
    """

    @property
    def column(self) -> str: ...

    @property
    def size(self) -> int: ...

    def residual(self, network: Network) -> Tensor: ...

    def linearised(self, network: Network, *, keep: bool = True, tail: int | None = None) -> Iterator[tuple[slice, Tensor, Tensor]]: ...

    def gradient(self, network: Network) -> tuple[Tensor, Tensor]: ...

    def pulled(self, network: Network, vector: Tensor) -> Tensor: ...


class Joined(Objective):
    """An objective and ``terms``: half the squares of all rows together are the loss. Batches have all rows of the terms."""

    def __init__(
        self,
        problem: Problem,
        points: Mapping[str, Tensor],
        terms: Sequence[Term] = (),
        *,
        factors: Mapping[str, float] | None = None,
    ) -> None:
        self.terms = tuple(terms)
        super().__init__(problem, points, factors=factors)

    def _count(self) -> None:
        super()._count()
        self._own: list[slice] = []
        for term in self.terms:
            self._own.append(slice(self.size, self.size + term.size))
            self.size += term.size

    def paid(self, residual: Tensor) -> dict[str, float]:
        """What the terms add to the loss in a whole residual vector (N,), by the history's columns."""
        found = dict[str, float]()
        for term, place in zip(self.terms, self._own, strict=True):
            found[term.column] = found.get(term.column, 0.0) + float(residual[place] @ residual[place])
        return found

    def residual(self, network: Network) -> Tensor:
        residual = super().residual(network)
        for term, place in zip(self.terms, self._own, strict=True):
            residual[place] = term.residual(network)
        return residual

    def linearised(self, network: Network, *, keep: bool = True, tail: int | None = None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        yield from super().linearised(network, keep=keep, tail=tail)
        for term, own in zip(self.terms, self._own, strict=True):
            for place, value, rows in term.linearised(network, keep=keep, tail=tail):
                yield slice(own.start + place.start, own.start + place.stop), value, rows

    def gradient(self, network: Network, compiled: Compiled | None = None) -> tuple[Tensor, Tensor]:
        residual, total = super().gradient(network, compiled)
        for term, place in zip(self.terms, self._own, strict=True):
            residual[place], share = term.gradient(network)
            total = total + share
        return residual, total

    def pulled(self, network: Network, vector: Tensor) -> Tensor:
        total = super().pulled(network, vector)
        for term, place in zip(self.terms, self._own, strict=True):
            total = total + term.pulled(network, vector[place])
        return total


def columns_of(terms: Sequence[Any]) -> tuple[str, ...]:
    """The columns of the history that terms fill, each once."""
    return tuple(dict.fromkeys(term.column for term in terms))
