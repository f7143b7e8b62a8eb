"""Several random starts, of which the best goes on."""

import logging
import math

from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.problem import Problem
from kanpde.sampling import Sampling
from kanpde.schedule import Rung, Starts

logger = logging.getLogger("kanpde")

APART = 1_000_003  # between the seeds of one start and the next, and of the points to train on and those to judge by


def best_start(problem: Problem, network: Network, rung: Rung, starts: Starts, sampling: Sampling, seed: int) -> str:
    """Set the weights to those of the best start, after its steps, and say which that was.

    Start 0 has the network's own weights, start k those of seed + k * 1,000,003. All are trained on the points of ``seed`` and judged by
    the loss on points that none was trained on; of data on the validation rows, or without them on the training rows. Raises
    ``ValueError`` for a network whose weights are given: its starts would all be one.
    """
    if network.given:
        raise ValueError(
            f"{starts} draws weights, but those of {network} are given: leave Starts out, or start from a network of that shape"
        )
    objective = Objective(problem, sampling.points(problem, network, seed))
    judge = Objective(problem, sampling.points(problem, network, seed + APART))
    found, where = [], "fresh points" if problem.data_points is None else "the training rows"
    for number in range(starts.count):
        each = network if not number else network.remade(seed=network.seed + number * APART)
        descent = rung.optimizer.start(each)
        for _ in range(starts.steps):
            if descent.advance(objective, each).stop:
                break
        residual, measured = judge.residual(each), problem.monitored(each)
        loss = measured.get("validation_loss", float(residual @ residual))
        where = "the validation rows" if "validation_loss" in measured else where
        found.append((loss if math.isfinite(loss) else math.inf, number, each.vector()))
    loss, number, vector = min(found, key=lambda each: each[:2])
    network.assign(vector)
    losses = ", ".join(f"{each[0]:.2g}" for each in found)
    logger.info("the best of %d starts is number %d; their losses on %s: %s", starts.count, number, where, losses)
    return f"began from start {number} of 0 ... {starts.count - 1}, with a loss of {loss:.3g} on {where}"
