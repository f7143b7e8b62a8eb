"""The search for conserved quantities as something that a problem file defines: a flow in, laws out, tried along trajectories.

experiment = ConservedSearch(lambda x, p: (p, -x), Box(x=(-2, 2), p=(-2, 2)))
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kanpde.arguments import real_number, whole_number
from kanpde.calls import function_name
from kanpde.discovery.conservation import conserved_and_counted, rates, velocities
from kanpde.discovery.searches import Found, Search, timed
from kanpde.domains import Box
from kanpde.symbolic.law import Law

FEWEST = 10  # rows
STARTS = 5  # trajectories
TOLERANCE = 1e-13  # of their integration


@dataclass(frozen=True, repr=False)
class ConservedSearch(Search):
    """Find all independent quantities that ``flow`` conserves in ``domain`` (:func:`kanpde.conserved`), and try them along trajectories.

    The metrics of a result are ``quantities``, how many of them are ``independent``, ``change``, the root mean square of
    f . grad H / (|f| |grad H|), and, for five trajectories of length ``time`` by DOP853 (Dormand and Prince of order 8, relative tolerance
    1e-13): ``rate``, the greatest |dH/dt| = |f . grad H|, and ``drift``, the greatest |H(t) - H(0)|, both over the greatest |H| there.

    ``auxiliary`` functions, ``degree``, ``rows`` and ``seconds`` are those of :func:`kanpde.conserved`.
    """

    flow: Callable[..., Any]
    domain: Box
    degree: int = 2
    auxiliary: Mapping[str, Callable[..., Any]] | None = None
    time: float = 100.0
    rows: int = 2000
    seconds: float = 60.0
    quick: float = 20.0
    noise: ClassVar[float] = 0.0  # type: ignore[misc]

    def __post_init__(self) -> None:
        if not callable(self.flow):
            raise TypeError(f"ConservedSearch takes a flow such as lambda x, p: (p, -x), got {self.flow!r:.80}")
        if not isinstance(self.domain, Box):
            raise TypeError(
                f"ConservedSearch takes the domain of the coordinates, such as Box(x=(-1, 1), p=(-1, 1)), got {self.domain!r:.80}"
            )
        whole_number(self.degree, "ConservedSearch(degree=...)", least=1)
        real_number(self.time, "ConservedSearch(time=...)", above=0)
        self._check_numbers(FEWEST)

    def _found(self, seed: int) -> Found:
        chosen = {"degree": self.degree, "auxiliary": self.auxiliary, "rows": self.rows, "seconds": self.seconds, "seed": seed}
        (law, independent), seconds = timed(lambda: conserved_and_counted(self.flow, self.domain, **chosen))
        count = len(law.expressions)
        return Found(
            law,
            None,
            seconds,
            inputs=self.domain.names,
            points=self.domain.sample(self.rows, lambda u: 2 * u - 1, seed),
            sampling=f"scrambled Sobol points, seed {seed}",
            equation={"latex": r"f \cdot \nabla H = 0", "text": f"{function_name(self.flow)} on {self.domain!r}"},
            metrics={"control": 0, "quantities": count, "independent": independent, "change": law.rms} | self._along(law, seed),
        )

    def _along(self, law: Law, seed: int) -> dict[str, float]:
        """Rate and drift along trajectories; NaN without a law."""
        from scipy.integrate import solve_ivp

        if not law.expressions:
            return {"rate": float("nan"), "drift": float("nan")}

        def flow(time: float, state: np.ndarray) -> np.ndarray:
            return velocities(self.flow, dict(zip(self.domain.names, state, strict=True)))

        rate = drift = 0.0
        for start in self.domain.sample(STARTS, lambda u: 2 * u - 1, seed + 1):
            path = solve_ivp(flow, (0.0, self.time), start, method="DOP853", rtol=TOLERANCE, atol=TOLERANCE).y.T
            values = np.asarray(law(path)).reshape(len(path), -1)
            sizes = np.abs(values).max(0)
            rate = max(rate, float((np.abs(rates(law, self.flow, path)).max(0) / sizes).max()))
            drift = max(drift, float((np.abs(values - values[0]).max(0) / sizes).max()))
        return {"rate": rate, "drift": drift}
