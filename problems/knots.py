"""Hyperbolic knots: the signature from the geometry, the law behind it, and relations that nobody asked for.

    signature ~ c lam mu_r / (mu_r^2 + mu_i^2)      the slope law: of the longitude lam and the meridian mu_r + i mu_i
    cusp area = lam mu_i,   injectivity radius = min(g_r/2, asinh(|mu|/2)),   adjoint degree = 3/2 torsion degree, mostly

59,924 knots of at most 14 crossings. Knots of one geometry are never in training and test both; ``three-2`` is the third of three
splits; ``beyond`` trains on 13 crossings and fewer, with all mirror images. Davies et al., Nature 600 (2021) 70.
"""

from functools import cache

import kanpde as kp
from kanpde.data_figures import attributions, scores
from kanpde.relations import RelationSearch, distinct, found_in
from kanpde.reports import markdown_table
from kanpde.science import knots

KNOTS = knots.load()
MIRRORED = knots.with_mirrors(KNOTS)  # exact: under it, the signature is odd
GEOMETRY = knots.geometric_classes(MIRRORED)
three, twelve = knots.THREE, knots.COMPLETE


@cache
def split(names, seed, table="as they are"):
    rows = MIRRORED if table == "mirrored" else KNOTS
    columns = {name: rows[name] for name in (*names, "signature")}
    return kp.Dataset(columns, targets=["signature"], groups=GEOMETRY[: len(rows["name"])], seed=seed)


@cache
def beyond(names):
    columns = {name: MIRRORED[name] for name in (*names, "signature")}
    return kp.Dataset(columns, targets=["signature"], split=knots.by_crossings(MIRRORED, 13))


def score(data, model, training=None, noise=0.2):
    """One score whose nearest even number is the signature; without noise, one output for each signature."""
    problem = kp.Ordinal(data, noise=noise) if noise else kp.Classification(data)
    return kp.Experiment(problem, model, training or newton)


def from_network(X, y, *, names, output, seed, seconds):
    experiment = score(kp.Dataset({**dict(zip(names, X.T, strict=True)), output: y}, targets=[output], train=1.0), small)
    network, some = experiment.trained_network(experiment.run(seed=seed)), X[:: 1 + len(X) // 4000]
    return kp.discover(some, network(some).detach().numpy()[:, 0], names=names, output=output, seed=seed, seconds=seconds)


newton, convex = [kp.LevenbergMarquardt(steps=40)], [kp.LevenbergMarquardt(steps=12)]
epochs = [kp.Adam(steps=30, rate=3e-3), kp.Batches(256), kp.LBFGS(steps=150)]
tiny, small, large = (kp.KAN(*w, basis=kp.Chebyshev(d)) for w, d in (((3, 2, 1), 3), ((3, 4, 1), 5), ((12, 16, 8, 1), 4)))
experiments = {
    **{f"three-{seed}": score(split(three, seed), small) for seed in range(3)},
    "three-regression": kp.Experiment(kp.Regression(split(three, 0), metrics=("r2", knots.accuracy)), small, newton),
    "three-classes": score(split(three, 0), kp.KAN(3, 2, 10, basis=kp.Chebyshev(4)), epochs, noise=0),
    "three-logistic": score(split(three, 0), kp.MLP(3, 10), convex, noise=0),
    "three-mlp": score(split(three, 0), kp.MLP(3, 20, 1)),
    **{f"twelve-{seed}": score(split(twelve, seed), large, epochs) for seed in range(3)},
    "twelve-logistic": score(split(twelve, 0), kp.MLP(12, 10), convex, noise=0),
    "twelve-mlp": score(split(twelve, 0), kp.MLP(12, 24, 24, 1), epochs),
    "beyond-three": score(beyond(three), tiny),
    "beyond-twelve": score(beyond(twelve), large, epochs),
    "beyond-mlp": score(beyond(three), kp.MLP(3, 20, 1)),
    "law": kp.LawSearch(split(three, 0, "mirrored"), method=from_network, seconds=20.0),
    "relations": RelationSearch({name: KNOTS[name] for name in (*twelve, *knots.PARTIAL, "signature")}, knots.NUMBERS, networks=3),
}


def figures(results):
    """The scores of each class, and which inputs they come from."""
    drawn = {each.experiment: each for each in results if each.experiment in ("three-0", "twelve-0")}
    found = {"attributions": attributions(list(drawn.values()))} if drawn else {}
    return found | {f"scores-{key}": scores(each) for key, each in drawn.items()}


def tables(results):
    """Accuracies on the test beside those of no network and those published; then the relations, and the law."""
    rows = []
    for key, (first, *_) in results.items():
        if "test_rows" in first.metrics:
            known, of, test = first.metrics, first.solution, first.solution["split"] == first.solution["split"].max()
            law = first.law and knots.accuracy(of["signature"][test], of["target_signature"][test])
            rows.append([key, known["parameters"], known.get("test_accuracy", law), known.get("test_r2")])
    for key, data in {"three-0": split(three, 0), "beyond": beyond(three)}.items():
        rows += [[f"{name}, {key}", None, *found] for name, found in knots.baselines(data["train"], data["test"]).items()]
    rows += [[f"{name} (published)", *found] for name, found in knots.PUBLISHED.items()]
    rows = [[name, count, right and f"{100 * right:.2f} %", r2 and f"{r2:.4f}"] for name, count, right, r2 in rows]
    lines = [str(each) for first, *_ in results.values() for each in distinct(found_in(first))]
    lines += [f"{each.law['formula']}  ({each.law['verdict']})" for each, *_ in results.values() if each.law]
    return "\n".join([markdown_table(["signature", "parameters", "accuracy", "r2"], rows), "", *(f"- `{line}`" for line in lines)])
