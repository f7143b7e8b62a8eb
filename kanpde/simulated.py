"""Experiments whose data are simulated for each run: three seeds are three simulations, and nothing is simulated before it is needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

import torch

from kanpde.arguments import seed_number
from kanpde.results import Result


@dataclass(frozen=True, repr=False)
class Simulated:
    """The experiment that ``make(seed, **given)`` returns, an Experiment or a search, made when it is run, by the run's seed.

    ``quick`` are arguments in place of those ``given`` for a first look, where the experiment that is made is shortened too.

    >>> from kanpde import Dataset, LawSearch
    >>> def falling(seed, rows):
    ...     t = np.random.default_rng(seed).uniform(1, 2, rows)
    ...     return LawSearch(Dataset({"t": t, "h": 9.81 * t**2 / 2}, targets=["h"]), seconds=1)
    >>> Simulated(falling, dict(rows=200), quick=dict(rows=50))
    Simulated(falling, rows=200)

    Raises ``TypeError`` for a ``make`` that is no function, and when it is run for one that returns no experiment.
    """

    make: Callable[..., Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    short: bool = False
    callbacks: Sequence[Callable[..., Any]] = ()

    def __post_init__(self) -> None:
        if not callable(self.make):
            raise TypeError(f"Simulated takes a function (seed, **given) that returns an experiment, got {self.make!r}")

    def __repr__(self) -> str:
        """The same text in every process, by which a run is resumed."""
        shown = [getattr(self.make, "__name__", type(self.make).__name__), *(f"{name}={value!r}" for name, value in self.given.items())]
        return f"{type(self).__name__}({', '.join(shown)}{', short=True' if self.short else ''})"

    def shortened(self) -> "Simulated":
        """The same for a first look."""
        return replace(self, given={**self.given, **self.quick}, short=True)

    def experiment(self, seed: int) -> Any:
        """What is run with this ``seed``."""
        made = self.make(seed, **self.given)
        if not is_dataclass(made) or not hasattr(made, "run") or isinstance(made, type):
            raise TypeError(f"{self!r}: the function returns {made!r}, which is no experiment")
        made = made.shortened() if self.short else made  # type: ignore[attr-defined]
        if hasattr(made, "callbacks"):
            made = replace(made, callbacks=[self._signed, *made.callbacks, *self.callbacks])  # type: ignore[attr-defined, type-var]
        return made

    def _signed(self, run: Any) -> None:
        """Checkpoints too say what they are of."""
        run.provenance["experiment_repr"] = repr(self)

    def run(
        self,
        *,
        seed: int = 0,
        device: str = "cpu",
        dtype: torch.dtype = torch.float64,
        name: str = "problem",
        key: str = "experiment",
        source: str = "",
        resume: Result | None = None,
    ) -> Result:
        """The result of the experiment that is made; the arguments are those of :meth:`kanpde.Experiment.run`."""
        made = self.experiment(seed_number(seed, "Simulated.run(seed=...)"))
        if resume is not None:
            resume = replace(resume, provenance={**resume.provenance, "experiment_repr": repr(made)})
        found = made.run(seed=seed, device=device, dtype=dtype, name=name, key=key, source=source, resume=resume)
        return replace(found, provenance={**found.provenance, "experiment_repr": repr(self)})
