"""Evolution equations from noisy samples: discover_pde beside the weak form of SINDy (pysindy), on the laws of docs.

    python benchmarks/pde_laws.py [--noise 0 0.01 0.1] [--seeds 5] [--laws heat burgers kdv]

kanpde gets 2,000 scattered samples. The weak form of pysindy needs a full grid: it gets 128 x 101 = 12,928 samples, noise of the same size,
its library of u, u^2 and derivatives up to the third, and for each law the threshold, of six, with which it does best (chosen
knowing the law). Without pysindy (pip install pysindy) its column is left out.
"""

import argparse
import time
import warnings

import numpy as np

from kanpde.discovery import discover_pde
from kanpde.science.evolution import Evolution, burgers, heat, kdv, samples

LAWS = {
    "heat": (heat, {"u_xx": 0.1}),
    "burgers": (burgers, {"u*u_x": -1.0, "u_xx": 0.1}),
    "kdv": (kdv, {"u*u_x": -6.0, "u_xxx": -1.0}),
}
GRID = (128, 101)
THRESHOLDS = (0.02, 0.05, 0.07, 0.09, 0.2, 0.5)


def ours(solution: Evolution, noise: float, seed: int) -> tuple[dict[str, float], str]:
    columns = samples(solution, 2000, noise=noise, seed=seed)
    u = columns.pop("u")
    law = discover_pde(columns, u)
    found = {}
    for formula in law.valued.values():
        for term in formula.as_ordered_terms():
            factor, name = term.as_coeff_Mul()
            found[str(name)] = float(factor)
    return found, f"{law.formula or 'nothing'} [{law.verdict}]"


def weak_sindy(solution: Evolution, noise: float, seed: int, truth: dict[str, float]) -> tuple[dict[str, float], str]:
    import pysindy

    draw = np.random.default_rng(seed)
    x = solution.lower[0] + solution.periods[0] * np.arange(GRID[0]) / GRID[0]
    t = np.linspace(0, solution.duration, GRID[1])
    u = solution(x[:, None], t)
    u = u + noise * u.std() * draw.standard_normal(u.shape)
    library = pysindy.WeakPDELibrary(
        function_library=pysindy.PolynomialLibrary(degree=2, include_bias=False),
        derivative_order=3,
        spatiotemporal_grid=np.stack(np.meshgrid(x, t, indexing="ij"), -1),
        K=400,
        include_interaction=True,
    )
    answers = []
    for threshold in THRESHOLDS:
        model = pysindy.SINDy(feature_library=library, optimizer=pysindy.STLSQ(threshold=threshold, alpha=1e-12, normalize_columns=False))
        np.random.seed(seed)  # it places its test functions by the global generator
        model.fit(u[..., None], t=t[1] - t[0], feature_names=["u"])
        pairs = zip(model.get_feature_names(), model.coefficients()[0], strict=True)
        found = {plain(name): float(value) for name, value in pairs if value != 0}
        wrong = len(set(found) ^ set(truth))
        answers.append((wrong, sum(abs(found.get(name, 0) - value) for name, value in truth.items()), threshold, found))
    *_, threshold, found = min(answers, key=lambda each: each[:3])
    return found, " ".join(f"{value:+.4f} {name}" for name, value in found.items()) + f" [threshold {threshold}]"


def plain(name: str) -> str:
    """ "x0x0_11" or "uu_11" as "u*u_xx", the way kanpde writes it."""
    factor, _, derivative = name.replace("x0", "u").rpartition("u_") if "_" in name else (name, "", "")
    letters = f"u_{'x' * len(derivative)}" if derivative else ""
    power = factor.count("u") if "^2" not in factor else 2
    return "*".join(part for part in ((f"u**{power}" if power > 1 else "u" * power), letters) if part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.01, 0.1])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--laws", nargs="+", choices=list(LAWS), default=list(LAWS))
    options = parser.parse_args()
    try:
        import pysindy  # noqa: F401

        peer = True
    except ImportError:
        peer = False
        print("pysindy is not installed (pip install pysindy): only kanpde is run")
    warnings.filterwarnings("ignore")
    for law in options.laws:
        solution, truth = LAWS[law][0](), LAWS[law][1]
        for noise in options.noise:
            for seed in range(options.seeds):
                for name in ("kanpde", "weak SINDy") if peer else ("kanpde",):
                    began = time.perf_counter()
                    found, text = ours(solution, noise, seed) if name == "kanpde" else weak_sindy(solution, noise, seed, truth)
                    verdict = "terms right" if set(found) == set(truth) else "terms WRONG"
                    seconds = time.perf_counter() - began
                    print(f"{law:8} noise {noise:<5g} seed {seed}  {name:10} {seconds:6.1f} s  {verdict}  {text}", flush=True)


if __name__ == "__main__":
    main()
