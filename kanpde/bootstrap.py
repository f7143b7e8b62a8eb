"""Bootstrap: how far the unknown constants of a regression move when its targets are measured again."""

import logging
import math
from dataclasses import replace

import numpy as np
import torch

from kanpde.arguments import whole_number
from kanpde.datasets import Dataset
from kanpde.experiment import Experiment
from kanpde.objective import outputs
from kanpde.optimizers import LevenbergMarquardt
from kanpde.results import Result
from kanpde.supervised import Regression
from kanpde.training import fit

logger = logging.getLogger("kanpde")


def bootstrap(experiment: Experiment, result: Result, *, draws: int = 200, seed: int = 0, steps: int = 30) -> dict[str, np.ndarray]:
    """The unknown constants of a :class:`~kanpde.supervised.Regression`, (draws,) each by name, fitted to targets drawn anew.

        c* = prediction + sigma e,   e standard normal,

    at the training rows: the parametric bootstrap, where every row is a mean over many realizations with the standard error sigma. Every
    fit starts from that of ``result`` and takes at most ``steps`` steps. Unlike the standard deviations of :mod:`kanpde.uncertainty` it
    knows that the model is not linear in its constants. ``chi2`` has the sum of squares of (c* - fit) / sigma of each draw, which says how
    large that of the data may be.

    Raises ``TypeError`` for another problem than a Regression, and ``ValueError`` where sigma is not known, or no constant unknown.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 6.5.
    """
    problem = experiment.problem
    whole_number(draws, "draws", least=2)
    if not isinstance(problem, Regression):
        raise TypeError(f"a bootstrap draws the targets of a Regression, got {problem!r:.60}")
    train, names = problem.data["train"], list(problem.coefficients)
    if train.sigma is None or not names:
        raise ValueError(
            f"a bootstrap needs targets of known noise, Dataset(..., sigma=...), and unknown constants, parameters=dict(nu=Unknown(...)); "
            f"{problem!r:.200} has sigma={problem.data.sigma!r} and the constants {', '.join(names) or 'none'}"
        )
    network = experiment.trained_network(result).kept()
    points = torch.as_tensor(train.inputs).to(network.lower)
    by_name = outputs(problem, network, points)
    fitted = np.stack([by_name[name][()].double().cpu().numpy() for name in problem.unknowns], 1)
    random, found = np.random.default_rng(seed), []
    for _ in range(draws):
        targets = fitted + train.sigma * random.standard_normal(fitted.shape)
        again = replace(problem, data=_measured_again(problem.data, targets))
        progress = fit(again, network.copy(), [LevenbergMarquardt(steps=steps, patience=3)], sampling=experiment.sampling)
        by_name = outputs(again, progress.network, points)
        misfit = np.stack([by_name[name][()].double().cpu().numpy() for name in problem.unknowns], 1) - targets
        found.append([*progress.network.coefficients.tolist(), float(np.sum((misfit / train.sigma) ** 2))])
    lost = [row for row in found if not all(map(math.isfinite, row))]
    if lost:
        logger.warning("%d of %d fits of the bootstrap diverged", len(lost), draws)
    return dict(zip([*names, "chi2"], np.array(found).T, strict=True))


def _measured_again(data: Dataset, targets: np.ndarray) -> Dataset:
    """The training rows alone, with other targets."""
    train = data["train"]
    assert train.sigma is not None
    columns = dict(zip(data.input_names, train.inputs.T, strict=True)) | dict(zip(data.target_names, targets.T, strict=True))
    sigma = dict(zip(data.target_names, train.sigma.T, strict=True))
    ranges = dict(zip(data.input_names, zip(data.domain.lower, data.domain.upper, strict=True), strict=True))
    return Dataset(columns, targets=list(data.target_names), sigma=sigma, train=1.0, ranges=ranges)
