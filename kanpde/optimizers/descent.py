"""What training asks of an optimizer."""

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from kanpde.compiled import Compiled, check_compiler
from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.wrapped import Wrapped


@dataclass(frozen=True)
class Step:
    """The outcome of one step: the scaled residual vector where the network now stands (or, ``residual_before``, where it stood
    before the step), the damping (or step size), and, if the descent can do no more, the reason in words.
    """

    residual: Tensor
    damping: float = math.nan
    stop: str | None = None
    residual_before: bool = False


class Descent(Protocol):
    """A descent under way. ``state`` and ``restore`` exchange plain numbers and tensors, for checkpoints."""

    def advance(self, objective: Objective, network: Network) -> Step:
        """Move the network by one step."""
        ...

    def state(self) -> dict[str, Any]:
        """What is needed to go on later."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A descent whose steps change in size with the share of its schedule that is done."""

    def pace(self, done: float) -> None:
        """Told before each step, with batches before each epoch: how much is done, from 0 to less than 1."""
        ...


class Optimizer(Protocol):
    """A description of a descent: its number of ``steps``, and when to end early.

    A descent ends early when the loss has fallen by less than the factor ``progress`` over the last ``patience`` steps.
    """

    @property
    def steps(self) -> int: ...

    @property
    def patience(self) -> int: ...

    @property
    def progress(self) -> float: ...

    def start(self, network: Network) -> Descent:
        """Begin; called once beforehand too, so that what cannot begin says so before time is spent."""
        ...


def check_schedule(optimizer: Optimizer) -> None:
    """Raise ``ValueError`` for step counts and stopping rules that make no sense."""
    name = type(optimizer).__name__
    for field in ("steps", "patience"):
        value = getattr(optimizer, field)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}({field}=...) must be a whole number of at least 1, got {value!r}")
    if not 0 < optimizer.progress <= 1:
        raise ValueError(f"{name}(progress=...) must lie in (0, 1], got {optimizer.progress!r}")


def compiled_for(optimizer: Any, network: Network) -> Compiled | None:
    """Programs for a descent, if it asks for them with ``compile=True``; ``RuntimeError`` without a compiler, ``TypeError`` for a network
    that is none of kanpde's own.
    """
    asked = f"{type(optimizer).__name__}(compile=True)"
    if not optimizer.compile:
        return None
    if isinstance(network, Wrapped):
        raise TypeError(f"{asked} is for KAN, SeparableKAN and MLP, not for a module of your own, {network}: leave it out")
    check_compiler(asked)
    return Compiled()
