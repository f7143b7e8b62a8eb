"""The localization landscape: one equation that says where the states of a random potential live, and at which energies.

    -u_xx + V u = 1   in (0, L),      -laplacian(u) + V u = 1   in (0, L)^2,      u = 0 on the boundary

Every state of -laplacian + V lies below it, |psi| <= E max|psi| u, and E_j ~ (1 + d/4) times the j-th minimum of 1/u (Filoche and
Mayboroda, PNAS 109, 2012, 14761; Arnold et al., Phys. Rev. Lett. 116, 2016, 056602). Systems by their seeds: ``speckle`` (smooth) and
``blocks`` (Anderson's disorder) on an interval, ``square`` and ``tiles`` the same in a square, at whose corners u is as r^2 log r, and
``torus``, periodic speckle without corners. Levels, states and a u to compare with come from spectral elements
(kanpde.science.potentials). One system of each kind: ``--quick --only '*-0'``.
"""

from dataclasses import replace

import numpy as np

import kanpde as kp
from kanpde.landscape_figures import levels, maps, profiles
from kanpde.reports import markdown_table
from kanpde.science.landscape import study, summary
from kanpde.science.potentials import blocks, landscape, speckle

STATES = 10
systems = {
    **{f"speckle-{seed}": speckle(1, length=80, height=8, seed=seed) for seed in range(3)},
    **{f"blocks-{seed}": blocks(1, count=101, height=8, seed=seed) for seed in range(3)},
    **{f"torus-{seed}": speckle(2, length=8, height=12, periodic=True, seed=seed) for seed in range(2)},
    **{f"square-{seed}": speckle(2, length=8, height=12, seed=seed) for seed in range(2)},
    **{f"tiles-{seed}": blocks(2, count=9, height=20, seed=seed) for seed in range(2)},
}


def on_interval(V, basis, *finer):
    line = kp.Box(x=(0, V.length))
    ends = [kp.Dirichlet(0, on=line.boundary, hard=True)]
    return kp.Experiment(
        kp.Problem(line, lambda u, x: -u.xx + V(x) * u - 1, conditions=ends, reference=lambda x: landscape(V)(x)),
        model=kp.KAN(1, 1, basis=basis),
        training=[sparse, *finer],
        sampling=kp.Sampling(per_parameter=4),
        quick=[sparse],
    )


def in_square(V, basis, training, finer, per_parameter):
    square = kp.Box(x=(0, V.length), y=(0, V.length))
    walls = [kp.Dirichlet(0, on=square.boundary, hard=True)]
    around = [kp.Periodic("x"), kp.Periodic("y")] if V.periodic else walls
    equation, reference = lambda u, x, y: -kp.laplacian(u) + V(x, y) * u - 1, lambda x, y: landscape(V)(x, y)
    return kp.Experiment(
        kp.Problem(square, equation, conditions=around, reference=reference),
        model=kp.TensorKAN(2, 1, basis=basis),
        training=[training, finer],
        sampling=kp.Sampling(per_parameter=per_parameter),
        quick=[replace(training, steps=1)],
    )


sparse, dense = kp.SparseNewton(steps=3), kp.LevenbergMarquardt(steps=1, damping=1e-20, acceleration=False)
make = {
    "speckle": lambda V: on_interval(V, kp.BSpline(11, 400), kp.Refine(800)),
    "blocks": lambda V: on_interval(V, kp.BSpline(12, breaks=V.breaks(12))),
    "torus": lambda V: in_square(V, kp.Fourier(12), dense, kp.Refine(32), 1.3),
    "square": lambda V: in_square(V, kp.BSpline(9, breaks=V.breaks(9, layers=3)), sparse, kp.Refine(70), 4),
    "tiles": lambda V: in_square(V, kp.BSpline(6, breaks=V.breaks(6, layers=1)), sparse, kp.Refine(86), 4),
}
experiments = {name: make[name.split("-")[0]](V) for name, V in systems.items()}


def studies(results):
    """By the kind of potential, each result of a system of this file with what its landscape says of the states."""
    found = {}
    for result in results:
        if V := systems.get(result.experiment.removesuffix("-quick")):
            told = study(V, result.solution["u"], list(result.axes.values()), count=STATES)
            found.setdefault(result.experiment.split("-")[0], []).append((V, result, told))
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
