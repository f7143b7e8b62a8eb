"""Hyperbolic knots: the signature from the geometry, the law behind it, and relations that nobody asked for.

    signature ~ c lam mu_r / (mu_r^2 + mu_i^2)      the slope law: of the longitude lam and the meridian mu_r + i mu_i
    cusp area = lam mu_i,   injectivity radius = min(g_r/2, asinh(|mu|/2)),   adjoint degree = 3/2 torsion degree, mostly

59,924 knots of at most 14 crossings. Knots of one geometry, mutants and mirror images, are never in training and test both; ``three-2`` is
the third of three splits; ``beyond`` trains on 13 crossings and fewer and is tested on 14. Davies et al., Nature 600 (2021) 70.
"""

from functools import cache

import numpy as np

from kanpde import KAN, MLP, Adam, Batches, Chebyshev, Classification, Dataset, Experiment, LawSearch, LevenbergMarquardt, Ordinal
from kanpde import Regression, extract
from kanpde.relations import RelationSearch
from kanpde.science import knots as science

KNOTS = science.load()
GEOMETRY = science.geometric_classes(KNOTS)
SPLITS = range(3)


def columns(names, knots=KNOTS):
    return {name: knots[name] for name in (*names, "signature")}


@cache
def split(names, seed=0):
    """A fifth of the classes for the test."""
    return Dataset(columns(names), targets=["signature"], groups=GEOMETRY, seed=seed)


@cache
def beyond(names):
    """Knots of 14 crossings for the test, others for training, each with its mirror image: the signature is odd."""
    both = science.with_mirrors(KNOTS)
    return Dataset(columns(names, both), targets=["signature"], split=science.by_crossings(both, 13))


def accuracy(prediction, target):
    return np.mean(science.even(prediction) == target)


def score(data, model, training=LevenbergMarquardt(steps=40), noise=0.2):
    """One score whose nearest even number is the signature."""
    return Experiment(Ordinal(data, noise=noise), model, training)


def epochs(count):
    return [Adam(steps=count), Batches(256), Adam(steps=count // 2, rate=2e-4), Batches(1024)]


def classes(data, model):
    return Experiment(Classification(data), model, epochs(20))


smallest, small = KAN(3, 2, 1, basis=Chebyshev(3)), KAN(3, 4, 1, basis=Chebyshev(5))
large = KAN(12, 6, 4, 1, basis=Chebyshev(4))
three, twelve = science.THREE, science.COMPLETE


def from_network(X, y, *, names, output, seed, seconds):
    """The law of what the network of three inputs has learnt."""
    data = Dataset({**dict(zip(names, X.T, strict=True)), output: y}, targets=[output], train=1.0)
    experiment = score(data, small)
    return extract(experiment.trained_network(experiment.run(seed=seed)), (X, y), output=output, seconds=seconds)


experiments = {
    **{f"three-{seed}": score(split(three, seed), small) for seed in SPLITS},
    "three-regression": Experiment(Regression(split(three), metrics=("r2", accuracy)), small, LevenbergMarquardt(steps=40)),
    "three-classes": classes(split(three), KAN(3, 2, 10, basis=Chebyshev(4))),
    "three-logistic": classes(split(three), MLP(3, 10)),
    "three-mlp": score(split(three), MLP(3, 20, 1)),
    **{f"twelve-{seed}": score(split(twelve, seed), large) for seed in SPLITS},
    "twelve-logistic": classes(split(twelve), MLP(12, 10)),
    "twelve-mlp": score(split(twelve), MLP(12, 24, 24, 1), epochs(40)),
    "beyond-three": score(beyond(three), smallest, noise=0.4),
    "beyond-twelve": score(beyond(twelve), large),
    "beyond-mlp": score(beyond(twelve), MLP(12, 24, 24, 1), epochs(20)),
    "law": LawSearch(split(three), method=from_network, seconds=20.0),
    "relations": RelationSearch({name: KNOTS[name] for name in (*twelve, *science.PARTIAL, "signature")}),
}
