"""Which few columns determine another: what a sparse network says, beside one that learns permuted rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kanpde.bases import Chebyshev
from kanpde.datasets import Dataset
from kanpde.experiment import Experiment
from kanpde.interpret import attribution
from kanpde.kan import KAN
from kanpde.network import Network
from kanpde.optimizers import LevenbergMarquardt
from kanpde.penalties import Sparsify
from kanpde.supervised import Regression
from kanpde.training import fit

MOST = 4  # inputs of a support
NEARLY, SLACK = 1.5, 1e-3  # times the smallest share of variance that is left, and more: what a smaller support may leave
DEGREE = 4
STEPS = 20


@dataclass(frozen=True)
class Support:
    """The ``inputs`` that ``target`` is read from, best first; ``r2`` from them on rows that were not trained on, ``everything`` that of
    all columns, and ``control`` that of all columns with the target's rows permuted.
    """

    target: str
    inputs: tuple[str, ...]
    r2: float
    everything: float
    control: float


def support(columns: Mapping[str, np.ndarray], target: str, *, rows: int = 1000, seed: int = 0) -> Support:
    """The smallest set of columns, of at most four, from which a network reads ``target`` nearly as well as from any.

    A sparsified KAN of all columns ranks them by attribution; networks of the first one, two, three, four are compared on rows of their
    own. ``rows`` train, as many test; both, and the weights, are drawn by ``seed``.
    """
    random = np.random.default_rng((seed, 5))
    some = random.permutation(len(columns[target]))[: 2 * rows]
    drawn = {name: np.asarray(values, dtype=float)[some] for name, values in columns.items()}
    drawn = {name: values for name, values in drawn.items() if name == target or np.ptp(values[: len(some) // 2]) > 0}
    names = [name for name in drawn if name != target]
    network, everything = _fitted(drawn, names, target, seed)
    scores = attribution(network, np.stack([drawn[name] for name in names], 1)).inputs
    control = _fitted({**drawn, target: random.permutation(drawn[target])}, names, target, seed)[1]
    ranked = [names[k] for k in np.argsort(-scores, kind="stable")]
    reached = [_fitted(drawn, ranked[:count], target, seed)[1] for count in range(1, min(MOST, len(ranked)) + 1)]
    left = 1 - np.array(reached)
    count = int(np.argmax(left <= NEARLY * left.min() + SLACK)) + 1
    return Support(target, tuple(ranked[:count]), reached[count - 1], everything, control)


def _fitted(columns: Mapping[str, np.ndarray], names: list[str], target: str, seed: int) -> tuple[Network, float]:
    """A network of the columns ``names``, sparsified if they are many, and its r2 on the rows that it did not see."""
    data = Dataset(dict(columns), inputs=names, targets=[target], train=0.5, seed=seed)
    many = len(names) > MOST
    problem = Regression(data, metrics=("r2",))
    model = KAN(len(names), 2 if many else 4, 1, basis=Chebyshev(DEGREE))
    experiment = Experiment(problem, model, [LevenbergMarquardt(steps=STEPS), *([Sparsify(3e-3)] if many else [])])
    network = fit(problem, experiment.network(seed), experiment.training, sampling=experiment.sampling, seed=seed).network
    return network, float(problem.measured(network)[2]["test_r2"])  # a result would warn of the rows that it does not know
