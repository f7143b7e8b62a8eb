"""Hyperbolic knots: the signature from the geometry, the law behind it, and relations that nobody asked for.

    signature ~ c lam mu_r / (mu_r^2 + mu_i^2)      the slope law: of the longitude lam and the meridian mu_r + i mu_i
    cusp area = lam mu_i,   injectivity radius = min(g_r/2, asinh(|mu|/2)),   adjoint degree = 3/2 torsion degree, mostly

59,924 knots: networks learn from the one of two mirror images with mu_r > 0, laws from both. No geometry is in training and test both;
``three-2`` is the third of three splits; ``beyond`` is 13 crossings and fewer against 14. Davies et al., Nature 600 (2021) 70.
"""

from functools import cache

import kanpde as kp
from kanpde.data_figures import attributions, scores
from kanpde.relations import RelationSearch, distinct, found_in
from kanpde.reports import markdown_table
from kanpde.science import knots

load, classes = cache(knots.load), cache(lambda: knots.geometric_classes(load()).tolist())
three, five, twelve = knots.THREE, knots.FIVE, knots.COMPLETE


@cache
def data(names, split, mirrored=False):
    """Some invariants and the signature; ``split`` is the number of a split by geometry, or "beyond", by crossings."""
    rows = (knots.with_mirrors if mirrored else knots.handed)(load())
    columns, ranges = {name: rows[name] for name in (*names, "signature")}, dict.fromkeys({"chern_simons"} & set(names), (-0.25, 0.25))
    groups, told = (None, knots.by_crossings(rows, 13)) if split == "beyond" else ((1 + mirrored) * classes(), None)
    return kp.Dataset(columns, targets=["signature"], ranges=ranges, groups=groups, split=told, seed=int(split) if groups else 0)


def network(names):
    first = tuple(kp.Fourier(2) if name == "chern_simons" else kp.Chebyshev(4) for name in names)  # the one is periodic
    return kp.KAN(len(names), 16, 8, 1, basis=[kp.PerInput(first), kp.Chebyshev(4), kp.Chebyshev(4)])


def score(rows, model, training, noise=0.4):
    """One score whose nearest even number is the signature; without noise, one output for each signature."""
    return kp.Experiment(kp.Ordinal(rows, noise=noise) if noise else kp.Classification(rows), model, training, quick=quick)


def from_network(X, y, *, names, output, seed, seconds):
    fit = score(kp.Dataset({**dict(zip(names, X.T, strict=True)), output: y}, targets=[output], train=1.0), small, newton, noise=0.2)
    some, learnt = X[:: 1 + len(X) // 4000], fit.trained_network(fit.run(seed=seed))
    return kp.discover(some, learnt(some).detach().numpy()[:, 0], names=names, output=output, seed=seed, seconds=seconds)


newton, (epochs, quick) = [kp.LevenbergMarquardt(steps=40)], ([kp.Adam(steps=n, rate=1e-2, last=1e-4), kp.Batches(512)] for n in (100, 6))
small, SPLITS = kp.KAN(3, 4, 1, basis=kp.Chebyshev(5)), {"law": 0, "beyond-law": "beyond"}


def experiments():
    first, beyond, table = data(three, 0), data(three, "beyond"), load()
    return {
        **{f"three-{seed}": score(data(three, seed), small, newton) for seed in range(3)},
        "three-regression": kp.Experiment(kp.Regression(data(three, 0, True), metrics=("r2", knots.accuracy)), small, newton, quick=quick),
        "three-classes": score(first, kp.KAN(3, 3, 7, basis=kp.Chebyshev(5)), newton, noise=0),
        "three-logistic": score(first, kp.MLP(3, 7), newton, noise=0),
        "three-mlp": score(first, kp.MLP(3, 20, 1), newton),
        **{f"five-{seed}": score(data(five, seed), network(five), epochs) for seed in range(3)},
        **{f"twelve-{seed}": score(data(twelve, seed), network(twelve), epochs) for seed in range(3)},
        "twelve-logistic": score(data(twelve, 0), kp.MLP(12, 7), newton, noise=0),
        "twelve-mlp": score(data(twelve, 0), kp.MLP(12, 24, 24, 1), epochs),
        "beyond-three": score(beyond, kp.KAN(3, 4, 1, basis=kp.Chebyshev(3)), [*newton, kp.Smooth(1e-3)]),
        "beyond-five": score(data(five, "beyond"), network(five), epochs),
        "beyond-mlp": score(beyond, kp.MLP(3, 20, 1), newton),
        "law": kp.LawSearch(data(three, 0, True), method=from_network, seconds=20.0),
        "beyond-law": kp.LawSearch(data(three, "beyond", True), method=from_network, seconds=20.0),
        "relations": RelationSearch({name: table[name] for name in (*twelve, *knots.PARTIAL, "signature")}, knots.NUMBERS, networks=3),
    }


def figures(results):
    """The scores of each class, and which inputs they come from."""
    drawn = {key: each for each in results for key in ("three-0", "twelve-0") if each.experiment.startswith(key)}
    together = dict(attributions=attributions(list(drawn.values()))) if drawn else {}
    return together | {f"scores-{key}": scores(each) for key, each in drawn.items()}


def tables(results):
    """Accuracies on the test beside those of no network and those published; then the relations, and what each formula is worth."""
    rows, lines = [], [str(each) for first, *_ in results.values() for each in distinct(found_in(first))]
    slopes = {key: knots.baselines(*(data(three, of, True)[part] for part in ("train", "test"))) for key, of in SPLITS.items()}
    for key, (first, *_) in results.items():
        if "test_rows" in first.metrics:
            rows.append([key, first.metrics["parameters"], *(reached := knots.reached(first.metrics, first.solution))])
            lines += [f"{key}: {knots.worth(first.law, reached, slopes[key]['calibrated slope'])}"] if first.law else []
    rows += [[f"{name}, {key}", None, *found] for key, each in slopes.items() for name, found in each.items()]
    rows += [[f"{name} (published)", *found] for name, found in knots.PUBLISHED.items()]
    rows = [[name, count, right and f"{100 * right:.2f} %", r2 and f"{r2:.4f}"] for name, count, right, r2 in rows]
    return "\n".join([markdown_table(["signature", "parameters", "accuracy", "r2"], rows), "", *(f"- `{line}`" for line in lines)])
