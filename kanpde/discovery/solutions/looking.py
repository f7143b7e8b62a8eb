"""A callback that looks for the law of an equation, or of data, when the training is over."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from kanpde.arguments import real_number

logger = logging.getLogger("kanpde")


@dataclass(frozen=True)
class Extract:
    """Turns the trained network into a formula with a verdict: ``Experiment(..., callbacks=[Extract()])``.

    Of an equation the formula is proved (:func:`~kanpde.discovery.solutions.extraction.extract_solution`), of a regression with one
    target it is fitted to the training rows (:func:`kanpde.extract`). The law is in the result, its file and the report; ``seconds`` is
    what it may take at most. A failure to look for it is logged, and costs nothing else.
    """

    seconds: float = 90.0

    def __post_init__(self) -> None:
        real_number(self.seconds, "Extract(seconds=...)", above=0)

    def __call__(self, run: Any) -> None:
        """Nothing to do while the training goes on."""

    def law_for_result(self, run: Any) -> dict[str, Any] | None:
        """The law of the trained network as plain data."""
        from kanpde.discovery.laws import extract

        problem, started = run.experiment.problem, time.perf_counter()
        try:
            law = extract(run.solution if problem.data_points is None else run.fit.network, problem, seconds=self.seconds)
        except Exception as error:  # whatever sympy makes of a user's functions: a result must not be lost for its law
            logger.warning("no law was looked for to the end: %s: %s", type(error).__name__, error)
            return None
        logger.info("the law: %s, after %.1f s", law.verdict, time.perf_counter() - started)
        return law.to_plain()
