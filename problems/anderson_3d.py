"""Anderson's transition in three dimensions: where electrons stop in disorder, and its critical exponent.

    H = sum over neighbours |n><m| + sum_n eps_n |n><n|,   eps_n uniform in [-W/2, W/2],   L^3 sites, periodic
    r(W, L) = F(x),   x = (W - Wc) / Wc L^(1/nu)

r is the mean ratio of adjacent level spacings near E = 0: 0.5307 in a metal, 0.3863 in an insulator, and the same for all L at Wc. F is one
edge of a KAN, of degree 4; Wc and nu are trained beside it. Further terms are tried: ``shift`` adds b L^-y to x, what irrelevant fields do
to small lattices, ``bent`` a quadratic field, w + a w^2 in place of w = (W - Wc) / Wc. A key such as L8-W15-18 says which rows are fitted.

    python -m kanpde.science.anderson_table table.csv --seconds 60    # measures a table such as that which is read here

Oganesyan and Huse, Phys. Rev. B 75 (2007) 155111. Published: Slevin and Ohtsuki, J. Phys. Soc. Jpn. 87 (2018) 094703.
"""

from functools import cache

from scipy.special import chdtrc

import kanpde as kp
from kanpde.collapse_figures import collapse, constants
from kanpde.reports import markdown_table
from kanpde.science.anderson import measured
from kanpde.science.anderson_table import load

published = {"Wc": (16.530, 0.003), "nu": (1.571, 0.004)}
draws = 40  # of the bootstrap
samples = [(6, 13, 1000), (6, 20, 1000), (8, 16.5, 200)]  # L, W and realizations that are measured again


def scaled(W, L, Wc, nu):
    return (W - Wc) / Wc * L ** (1 / nu)


def bent(W, L, Wc, nu, a):
    w = (W - Wc) / Wc
    return (w + a * w**2) * L ** (1 / nu)


def fit(variable, *, least, low, high, **guesses):
    """r = F(x) in the rows with L >= ``least`` and ``low`` <= W <= ``high``."""
    table = load()
    rows = (table["L"] >= least) & (table["W"] >= low) & (table["W"] <= high)
    data = kp.Dataset({name: table[name][rows] for name in ("W", "L", "r", "sigma")}, targets=["r"], sigma="sigma", train=1.0)
    unknown = {name: kp.Unknown(guess) for name, guess in {"Wc": 16, "nu": 1.4, **guesses}.items()}
    model = kp.Similarity(1, 1, coordinates=["W", "L"], variables=dict(x=variable), constants=[*unknown], basis=kp.Chebyshev(4))
    training = [kp.LevenbergMarquardt(steps=60, patience=5)]
    return kp.Experiment(kp.Regression(data, parameters=unknown), model, training, quick=training)  # it takes a second anyway


def experiments():
    return {
        **{f"L{L}-W{a}-{b}": fit(scaled, least=L, low=a, high=b) for a, b in ((15, 18), (14, 19), (13, 20)) for L in (6, 8, 10)},
        **{
            f"shift{y}-L6-W14-19": fit(lambda W, L, Wc, nu, b, y=y: scaled(W, L, Wc, nu) + b / L**y, least=6, low=14, high=19, b=0)
            for y in (1, 2, 3)
        },
        "bent-L6-W13-20": fit(bent, least=6, low=13, high=20, a=0),
        "bent-shift2-L6-W13-20": fit(lambda W, L, Wc, nu, a, b: bent(W, L, Wc, nu, a) + b / L**2, least=6, low=13, high=20, a=0, b=0),
    }


fits = cache(experiments)  # for the tables


def tables(results):
    """Some rows of the table measured again with other random numbers; then the constants by fit, beside the published ones."""
    again, table = [], load()
    for L, W, count in samples:
        now, (row,) = measured(L, W, count, (1, L, round(W))), ((table["L"] == L) & (table["W"] == W)).nonzero()[0]
        r, sigma = table["r"][row], table["sigma"][row]
        again.append([f"L={L}, W={W:g}", f"{now.mean:.4f}", f"{now.sigma:.4f}", f"{r:.4f}", f"{sigma:.4f}",
                      f"{(now.mean - r) / (now.sigma**2 + sigma**2) ** 0.5:+.1f}"])  # fmt: skip
    rows = []
    for key, (result, *_) in results.items():
        found, spread = result.metrics, kp.bootstrap(fits()[key], result, draws=draws)
        chi2, free = found["train_chi2"] * found["train_rows"], found["train_rows"] - found["parameters"]
        each = [f"{found[name]:.3f} ± {found[f'{name}_sigma']:.3f} ({spread[name].std(ddof=1):.3f})" for name in published]
        rows.append([key, found["train_rows"], *each, f"{chi2:.1f} / {free}", float(chdtrc(free, chi2))])
    rows.append(["published", "", *(f"{value:.3f} ± {sigma:.3f}" for value, sigma in published.values()), "", None])
    return "\n\n".join([
        markdown_table(["measured again", "r", "sigma", "r, table", "sigma, table", "difference / sigma"], again),
        markdown_table(["fit", "rows", "Wc ± sigma (bootstrap)", "nu ± sigma (bootstrap)", "chi2 / freedom", "p"], rows),
    ])  # fmt: skip


def figures(results):
    first = {result.experiment.removesuffix("-quick"): result for result in reversed(results)}
    plain = {f"collapse-{key}": collapse(first[key], scaled, by="L") for key in ("L6-W14-19", "L10-W14-19") if key in first}
    return plain | {"constants": constants(list(first.values())[::-1], published)}
