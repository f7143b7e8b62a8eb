"""Fifteen special functions from 3,000 samples each, by KANs of several shapes and by perceptrons with as many parameters.

    sn(u, m), F(phi, m), E(phi, m), J_nu(x), Y_nu(x), K_nu(x), I_nu(x), P_nu^m(x), Re Y_n^m(theta, phi)

    python run_experiments.py problems/special_functions.py                     # all: a table beside the published errors, a Pareto plot
    python run_experiments.py problems/special_functions.py --only 'ellipj*'    # one function, all shapes

(Liu et al., arXiv 2404.19756, table 1; functions and ranges: ``kanpde.science.special``). For each function the best of the shapes is
taken, as there; validation points choose it, test points, which like these are uniform on the domain, are for the table alone.
"""

import kanpde as kp
from kanpde.reports import markdown_table
from kanpde.scaling import pareto
from kanpde.science.special import special_functions

# hidden layers by name: (0, 6) are six products of two sums each; 30 edges and in the end 630 parameters, 18 edges and 378
shapes = {"": [(0, 6)], "-sums": [6], "-deep": [3, 3]}
perceptrons = {"-mlp": [23, 23], "-small-mlp": [17, 17]}  # 645 and 375 parameters

training = [
    kp.Starts(6, steps=15),
    kp.LevenbergMarquardt(steps=30, patience=10),
    kp.VariableProjection(steps=30, patience=8),
    kp.AdaptRanges(margin=0.02),
    kp.Refine(8, 12, 16, 20),
]
quick = [kp.LevenbergMarquardt(steps=8), kp.AdaptRanges(margin=0.02), kp.Refine(8)]


def samples(each):
    """Dense towards the ends of the ranges, where polynomials need it."""
    return kp.Dataset.of(each.function, train=3000, validation=1000, test=1000, points="arcsine", targets=["f"], **each.ranges)


def kan(data, hidden):
    init = "smooth" if len(hidden) > 1 else "random"  # polynomials of polynomials of polynomials begin small
    model = kp.KAN(2, *hidden, 1, basis=kp.Chebyshev(6), hidden="range", outside="continue", init=init)
    count = kp.Record(parameters=lambda run: run.fit.network.parameter_count)
    return kp.Experiment(kp.Regression(data), model, training, quick=quick, callbacks=[count])


def mlp(data, hidden):
    return kp.Experiment(
        kp.Regression(data),
        kp.MLP(2, *hidden, 1),
        [kp.Starts(4, steps=10), kp.LevenbergMarquardt(steps=80)],
        quick=[kp.LevenbergMarquardt(steps=5)],
    )


data = {each.name: samples(each) for each in special_functions()}
experiments = {
    **{f"{name}{shape}": kan(data[name], hidden) for name in data for shape, hidden in shapes.items()},
    **{f"{name}{shape}": mlp(data[name], hidden) for name in data for shape, hidden in perceptrons.items()},
}


def tables(results):
    """The best KAN and the best MLP, by the validation points, beside what is published; errors are those on the test points."""
    head = ["function", "shape", "parameters", "rmse", "rmse / std", "max error", "CPU s", "MLP, here", "KAN, published", "MLP, published"]
    rows = []
    for each in special_functions():
        ours = [result for shape in shapes for result in results.get(f"{each.name}{shape}", [])]
        others = [result for shape in perceptrons for result in results.get(f"{each.name}{shape}", [])]
        if not ours:
            continue
        best = min(ours, key=lambda result: result.metrics["validation_rmse"])
        twin = min(others, key=lambda result: result.metrics["validation_rmse"], default=None)
        known, spread = best.metrics, best.solution["target_f"][best.solution["split"] == 2].std()
        shape = best.architecture["model"].partition(", basis")[0].removeprefix("KAN(")
        published = f"{each.rmse:.3g} [{','.join(map(str, each.shape))}]"
        rows.append([each.formula, f"[{shape}]", known["parameters"], known["test_rmse"], known["test_rmse"] / spread,
                     known["test_max_error"], f"{known['cpu_seconds']:.0f}", twin and twin.metrics["test_rmse"], published, each.mlp_rmse,
                     each.rmse / known["test_rmse"]])  # fmt: skip
    return markdown_table([*head, "published / rmse"], rows)


def figures(results):
    landmarks = {each.name: {"KAN, published": each.rmse, "MLP, published": each.mlp_rmse} for each in special_functions()}
    labels = {shape.removeprefix("-"): str([2, *hidden, 1]) for shape, hidden in shapes.items()}
    return {"pareto": pareto(results, landmarks=landmarks, labels=labels)}
