"""The localization landscape: one equation that says where the states of a random potential live, and at which energies.

    -u_xx + V u = 1   in (0, L),      -laplacian(u) + V u = 1   in (0, L)^2,      u = 0 on the boundary

Every state of -laplacian + V lies below it, |psi| <= E max|psi| u, and E_j ~ (1 + d/4) times the j-th minimum of 1/u (Filoche and
Mayboroda, PNAS 109, 2012, 14761; Arnold et al., Phys. Rev. Lett. 116, 2016, 056602). Each seed is a system: ``speckle`` (smooth) and
``blocks`` (Anderson's disorder) on an interval, ``square`` and ``tiles`` the same in a square, at whose corners u is as r^2 log r, and
``torus``, periodic speckle without corners. Levels, states and a u to compare with come from spectral elements
(kanpde.science.potentials).
"""

from functools import cache

import numpy as np

import kanpde as kp
from kanpde.landscape_figures import levels, maps, profiles
from kanpde.reports import markdown_table
from kanpde.science.landscape import study, summary
from kanpde.science.potentials import blocks, landscape, speckle

STATES = 10
sparse, dense = kp.SparseNewton(steps=3), kp.LevenbergMarquardt(steps=1, damping=1e-20, acceleration=False)
SYSTEMS = {
    "speckle": lambda seed: speckle(1, length=80, height=8, seed=seed),
    "blocks": lambda seed: blocks(1, count=101, height=8, seed=seed),
    "torus": lambda seed: speckle(2, length=8, height=12, periodic=True, seed=seed),
    "square": lambda seed: speckle(2, length=8, height=12, seed=seed),
    "tiles": lambda seed: blocks(2, count=9, height=20, seed=seed),
}
SOLVED = {  # in which basis, how, and with how many points for each parameter
    "speckle": (lambda V: kp.BSpline(11, 400), [sparse, kp.Refine(800)], 4),
    "blocks": (lambda V: kp.BSpline(12, breaks=V.breaks(12)), [sparse], 4),
    "torus": (lambda V: kp.Fourier(12), [dense, kp.Refine(32)], 1.3),
    "square": (lambda V: kp.BSpline(9, breaks=V.breaks(9, layers=3)), [sparse, kp.Refine(70)], 4),
    "tiles": (lambda V: kp.BSpline(6, breaks=V.breaks(6, layers=1)), [sparse, kp.Refine(86)], 4),
}


@cache
def system(kind, seed):
    return SYSTEMS[kind](seed)


def on_interval(seed, kind):
    (basis, training, density), V = SOLVED[kind], system(kind, seed)
    line = kp.Box(x=(0, V.length))
    ends = [kp.Dirichlet(0, on=line.boundary, hard=True)]
    problem = kp.Problem(line, lambda u, x: -u.xx + V(x) * u - 1, conditions=ends, reference=lambda x: landscape(V)(x))
    return kp.Experiment(problem, kp.KAN(1, 1, basis=basis(V)), training, kp.Sampling(per_parameter=density), quick=training[:1])


def in_square(seed, kind):
    (basis, training, density), V = SOLVED[kind], system(kind, seed)
    square = kp.Box(x=(0, V.length), y=(0, V.length))
    sides = [kp.Periodic("x"), kp.Periodic("y")] if V.periodic else [kp.Dirichlet(0, on=square.boundary, hard=True)]
    equation, reference = lambda u, x, y: -kp.laplacian(u) + V(x, y) * u - 1, lambda x, y: landscape(V)(x, y)
    problem, model = kp.Problem(square, equation, conditions=sides, reference=reference), kp.TensorKAN(2, 1, basis=basis(V))
    return kp.Experiment(problem, model, training, kp.Sampling(per_parameter=density), quick=training[:1])


experiments = {kind: kp.Simulated(on_interval if kind in ("speckle", "blocks") else in_square, dict(kind=kind)) for kind in SYSTEMS}


def studies(results):
    """By the kind of potential, each result with its system and what its landscape says of the states."""
    found = {}
    for result in results:
        if (kind := result.experiment.removesuffix("-quick")) in SYSTEMS:
            V = system(kind, int(result.provenance["seed"]))
            told = study(V, result.solution["u"], list(result.axes.values()), count=STATES)
            found.setdefault(kind, []).append((V, result, told))
    return found


def figures(results):
    found = studies(results)
    drawn = {kind: (profiles if some[0][0].dimensions == 1 else maps)(*some[0]) for kind, some in found.items()}
    return drawn | {"levels": levels({kind: [told for *_, told in some] for kind, some in found.items()})}


def tables(results):
    rows = []
    for kind, some in studies([each for every in results.values() for each in every]).items():
        errors, says = [result.metrics["relative_l2"] for _, result, _ in some], summary([told for *_, told in some])
        rows.append([kind, len(some), f"{np.median(errors):.1e} ({max(errors):.1e})", *says.values()])
    return markdown_table(["potential", "systems", "relative L2 of u", *says], rows) if rows else ""
