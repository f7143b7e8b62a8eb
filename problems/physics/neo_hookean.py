"""Stress of a neo-Hookean solid: two components of the first Piola-Kirchhoff tensor as functions of the deformation gradient F.

    P = mu (F F^T - 1) + lambda log(det F) 1,   F = 1 + entries in (-0.2, 0.2),   E = 1, nu = 1/5

so that mu = E / (2 + 2 nu) = 5/12 and lambda = E nu / ((1 + nu) (1 - 2 nu)) = 5/18. The network may use the volume det F beside the nine
entries; P11 is a single layer then, and P12 a product node for each row of F F^T.

Liu et al., KAN 2.0, arXiv 2408.10205.
"""

import kanpde as kp
from kanpde.functions import log

MU, LAMBDA = 5 / 12, 5 / 18
names = [f"F{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]
ranges = {name: (0.8, 1.2) if name[1] == name[2] else (-0.2, 0.2) for name in names}


def volume(F11, F12, F13, F21, F22, F23, F31, F32, F33):
    return F11 * (F22 * F33 - F23 * F32) - F12 * (F21 * F33 - F23 * F31) + F13 * (F21 * F32 - F22 * F31)


def P11(F11, F12, F13, F21, F22, F23, F31, F32, F33):
    return MU * (F11**2 + F12**2 + F13**2 - 1) + LAMBDA * log(volume(F11, F12, F13, F21, F22, F23, F31, F32, F33))


def P12(F11, F12, F13, F21, F22, F23):
    return MU * (F11 * F21 + F12 * F22 + F13 * F23)


def fitted(stress, *widths, degree, training):
    """The network with the volume as a tenth input, made symbolic."""
    training = [*training, kp.FixEdges(), kp.LevenbergMarquardt(steps=30, patience=5)]
    return kp.Experiment(
        kp.Regression(kp.Dataset.of(stress, kp.Box(**ranges), targets=[stress.__name__], train=1000, test=1000)),
        model=kp.Augmented(9, *widths, coordinates=names, auxiliary=dict(J=volume), basis=kp.Chebyshev(degree), hidden="range"),
        training=training,
        quick=training,  # it takes seconds anyway
        callbacks=[kp.Extract()],
    )


fit = kp.LevenbergMarquardt(steps=60, patience=10)
experiments = {
    "P11": fitted(P11, 1, degree=6, training=[fit, kp.Sparsify(1e-3, 1e-4), kp.Prune(0.5), fit]),
    "P12": fitted(P12, (0, 3), 1, degree=1, training=[fit]),
}
