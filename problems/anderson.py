"""Anderson localization in quasiperiodic chains: extended states told from localized ones, and the mobility edge between them as a law.

    E psi_n = psi_{n+1} + psi_{n-1} + V_n psi_n,   V_n a function of cos(2 pi b n + phi),   b = (1 + sqrt 5)/2

    mosaic    V = lam cos on every kappa-th site                     lam |E| = 2,  lam |E^2 - 1| = 2
    GAAM      V = 2 lam cos / (1 - alpha cos)                        alpha E + 2 lam = 2
    MAAM      V = lam cos, hops e^{-p (|n - m| - 1)} to all sites    E = lam cosh p - e^p

``*-states``: a network learns from E and the parameters which states have a small fractal dimension; the threshold is chosen from the data.
``*-edge``: the energy where the Lyapunov exponent vanishes, measured system by system, and its law. Every seed is a simulation of its own.
Liu et al., KAN, arXiv 2404.19756.
"""

import json

import numpy as np

import kanpde as kp
from kanpde.data_figures import phases
from kanpde.reports import markdown_table
from kanpde.science.feynman import Formula
from kanpde.science.lattices import GAAM, MAAM, MOSAIC, MOSAIC3, labelled
from kanpde.science.mobility import Edge, edge_points

LATTICES = {each.name: each for each in (MOSAIC, MOSAIC3, GAAM, MAAM)}
EDGES = {  # which one, of how many systems, known to, sites of the recursion, the exact law
    "mosaic2": (Edge(), 500, 0.002, 50_000, "2/lam"),
    "mosaic3": (Edge(), 800, 0.001, 50_000, "sqrt(1 + 2/lam)"),
    "gaam": (Edge(), 2000, 0.002, 50_000, "(2 - 2*lam)/alpha"),
    "maam": (Edge(rising=False), 900, 0.002, 50_000, "lam*(q + 1/q)/2 - q"),
}
PUBLISHED = {"gaam": "theory 99.2, KAN 99.0, 98.7", "maam": "theory 98.6, KAN 97.7, 97.1, 96.6, 95.4"}


def states(seed, lattice, systems):
    """Is a state localized? The systems that are tested on are others than those learnt from."""
    columns = labelled(LATTICES[lattice], seed=seed, systems=systems)
    names = ["E", *LATTICES[lattice].ranges]
    data = kp.Dataset({name: columns[name] for name in (*names, "localized")}, targets=["localized"], groups=columns["system"], train=0.7)
    model = kp.KAN(len(names), 6, 2, 1, basis=kp.Chebyshev(6), hidden="range", init="smooth")
    return kp.Experiment(kp.Classification(data, ridge=1e-5), model, training=[kp.LevenbergMarquardt(steps=60)])


def edge(seed, lattice, systems):
    """The law of the mobility edge, from levels and their exponents; of MAAM in q = e^p, a hop over that which is one longer."""
    which, _, sigma, sites, truth = EDGES[lattice]
    columns = edge_points(LATTICES[lattice], which, seed=seed, systems=systems, sigma=sigma, recursion=sites)
    ranges = dict(LATTICES[lattice].ranges)
    if "p" in ranges:
        columns["q"], ranges["q"] = np.exp(columns["p"]), tuple(np.exp(ranges.pop("p")))
    data = kp.Dataset({name: columns[name] for name in (*ranges, "E")}, targets=["E"], sigma=columns["sigma"], train=1.0)
    return kp.LawSearch(data, truth=Formula(lattice, "E", truth, ranges))


def both(make, name, systems, first_look):
    return kp.Simulated(make, dict(lattice=name, systems=systems), quick=dict(systems=first_look))


experiments = {f"{name}-states": both(states, name, 2500, 200) for name in LATTICES}
experiments |= {f"{name}-edge": both(edge, name, systems, systems // 3) for name, (_, systems, *_) in EDGES.items()}


def tested(result):
    """Of a classification on the test: E and the parameters, which states the network calls localized, which are, and the exact edge."""
    test = result.solution["split"] == json.loads(result.equation["splits"]).index("test")
    of = dict(zip(result.coordinates, result.solution_points[test].T, strict=True))
    edge = LATTICES[result.experiment.partition("-")[0]].edge
    return of, result.solution["predicted"][test] == 1, result.solution["label"][test] == 1, edge


def figures(results):
    """Phase diagrams: energies against a parameter, with the exact edge and the network's mistakes."""
    shown = [each for each in results if "-states" in each.experiment]
    return {f"phases-{each.experiment}-s{each.provenance['seed']}": phases(*tested(each)) for each in shown}


def tables(results):
    """Accuracies on systems that were not learnt from, and the laws of the edge."""
    every = [each for found in results.values() for each in found]
    rows = []
    for each in every:
        if "-states" in each.experiment:
            of, told, label, exact = tested(each)
            shares = [f"{100 * np.mean(answer == label):.2f} %" for answer in (told, exact(of["E"], of) > 0)]
            published = PUBLISHED.get(each.experiment.partition("-")[0])
            rows.append([each.experiment, each.provenance["seed"], each.metrics["parameters"], *shares, published])
    laws = [[each.experiment, each.provenance["seed"], each.law["formula"], each.law["verdict"]] for each in every if each.law]
    heads = ["states", "seed", "parameters", "KAN", "exact edge", "published, %"], ["edge", "seed", "law", "verdict"]
    return "\n\n".join(markdown_table(head, found) for head, found in zip(heads, (rows, laws), strict=True))
