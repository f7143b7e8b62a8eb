"""Hyperbolic knots: invariants of geometry and topology of all 59,924 hyperbolic prime knots with at most 14 crossings.

The complement of such a knot has one hyperbolic metric of finite volume, and so its numbers are invariants. On its greatest cusp, a torus,
the meridian is the translation mu = mu_r + i mu_i and the longitude is lam > 0; slope = lam mu_r / |mu|^2. The signature, an even number,
is topological. Twelve columns are there for all knots (:data:`COMPLETE`), others only up to 12 crossings and NaN beyond (:data:`PARTIAL`).

>>> knots = load()
>>> len(knots["name"]), knots["name"][0], round(float(knots["volume"][0]), 6)
(59924, 'K4a1', 2.029883)

Source of the table: SnapPy 3.3 (Culler, Dunfield, Goerner, Weeks) on the census of Hoste, Thistlethwaite and Weeks;
:mod:`kanpde.science.knot_census` computes it anew. The question: Davies et al., Nature 600 (2021) 70.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kanpde.tables import read

TABLE = Path(__file__).parent / "data" / "hyperbolic_knots_le14.h5"
SAME = 1e-7  # invariants of mutants agree to 1e-10, and those of other knots of one volume differ by 1e-3 and more

Columns = Mapping[str, np.ndarray]

# our names of columns, and those of the table, which are DeepMind's
NAMES = {
    "mu_r": "meridinal_translation_real",
    "mu_i": "meridinal_translation_imag",
    "lam": "longitudinal_translation",
    "cusp_area": "cusp_volume",
    "geodesic_r": "short_geodesic_real_part",
    "geodesic_i": "short_geodesic_imag_part",
    "torsion_degree": "hyperbolic_torsion_degree",
    "adjoint_degree": "hyperbolic_adjoint_torsion_degree",
    "trivial": "Symmetry_0",
    "D3": "Symmetry_D3",
    "D4": "Symmetry_D4",
    "D6": "Symmetry_D6",
    "D8": "Symmetry_D8",
    "Z2_Z2": "Symmetry_Z_2 + Z_2",
}
KEPT = ("name", "signature", "volume", "chern_simons", "injectivity_radius", "crossings", "alternating", "num_tet", "symmetry_group",
        "determinant", "seifert_genus", "fibered", "tau")  # fmt: skip
THREE = ("mu_r", "mu_i", "lam")
FIVE = (*THREE, "volume", "chern_simons")
SYMMETRIES = ("trivial", "D3", "D4", "D6", "D8", "Z2_Z2")
COMPLETE = (*THREE, "cusp_area", "volume", "chern_simons", *SYMMETRIES)
PARTIAL = ("geodesic_r", "geodesic_i", "injectivity_radius", "torsion_degree", "adjoint_degree")
NUMBERS = (*THREE, "cusp_area", "volume", "chern_simons", *PARTIAL, "signature")  # without the symmetries, which are no numbers
CHIRAL = ("mu_r", "chern_simons", "geodesic_i", "signature", "tau")

MEANING = {
    "mu_r": "real part of the meridional translation on the greatest cusp",
    "mu_i": "its imaginary part, the height of the cusp torus",
    "lam": "longitudinal translation, real and positive",
    "cusp_area": "area of the cusp torus (DeepMind's file calls it cusp_volume)",
    "volume": "hyperbolic volume of the complement",
    "chern_simons": "Chern-Simons invariant, a number modulo 1/2, from -1/4 to 1/4",
    "geodesic_r": "length of the shortest closed geodesic",
    "geodesic_i": "its torsion, an angle",
    "injectivity_radius": "half the length of the shortest loop outside of the cusp's own",
    "torsion_degree": "degree of the hyperbolic torsion polynomial",
    "adjoint_degree": "degree of the adjoint one",
    "signature": "signature of the knot; even",
    "crossings": "least number of crossings",
    "alternating": "1 for alternating knots",
    "num_tet": "ideal tetrahedra in SnapPy's triangulation; no invariant",
    "symmetry_group": "symmetries of the complement; the columns trivial, D3, ... are 1 where it is that group",
    "determinant": "|Alexander polynomial at -1|",
    "seifert_genus": "least genus of a spanning surface",
    "fibered": "1 for knots whose complement fibres over the circle",
    "tau": "concordance invariant of knot Floer homology",
    **{name: f"1 if the symmetry group is {name}" for name in SYMMETRIES},
}

# what others reached, on data that repeat many knots in training and test: parameters, accuracy, r2 where it was given
PUBLISHED = {
    "MLP, Davies et al. 2021": ("3e5", 0.780, None),
    "KAN [17,1,14], Liu et al. 2024": ("200", 0.816, None),
    "KAN of three inputs, Liu et al.": ("", 0.782, None),
    "formula A, the slope law": ("", 0.831, 0.946),
    "formula B, [3,1]": ("", 0.626, None),
    "formula C, [3,1,1]": ("", 0.719, None),
    "formula D, [3,2,1]": ("", 0.840, None),
    "formula E, Pade": ("", 0.828, None),
    "formula F, ratio": ("", 0.778, None),
}


def load(path: str | Path = TABLE) -> dict[str, np.ndarray]:
    """The table by our names (:data:`MEANING`), (59924,) each, texts as ``str``.

    Raises ``ValueError`` for a file that is missing, truncated or damaged, and for one without a column or with columns of several lengths.
    """
    given = read(path)
    wanted = {**NAMES, **{name: name for name in KEPT}}
    if missing := [column for column in wanted.values() if column not in given]:
        raise ValueError(
            f"{path} is no table of knots, for it lacks {', '.join(missing)}: take the one that kanpde ships, load(), "
            "or write one with kanpde.science.knot_census.write"
        )
    found = {name: given[column] for name, column in wanted.items()}
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) > 1 or not lengths["name"]:
        raise ValueError(f"the columns of {path} differ in length or are empty: {', '.join(f'{k} {n}' for k, n in lengths.items())}")
    return {name: values.astype(str) if values.dtype.kind in "SO" else values for name, values in found.items()}


def mirrored(knots: Columns) -> dict[str, np.ndarray]:
    """The mirror images, exactly: mu_r, Chern-Simons, the geodesic's angle, signature and tau change their sign (``CHIRAL``)."""
    return {name: -values if name in CHIRAL else values.copy() for name, values in knots.items()}


def with_mirrors(knots: Columns) -> dict[str, np.ndarray]:
    """The rows and behind them those of the mirror images: an exact augmentation. Split it by :func:`geometric_classes`."""
    other = mirrored(knots)
    return {name: np.concatenate([values, other[name]]) for name, values in knots.items()}


def handed(knots: Columns) -> dict[str, np.ndarray]:
    """Of every knot and its mirror image the one with mu_r > 0, or where mu_r is 0 to ``SAME``, with Chern-Simons >= 0: with a sign s,

        signature(mu_r, cs, ...) = s signature(s mu_r, s cs, ...).

    What is learnt on these rows is exact under mirror images by construction, and there is half as much to learn.
    """
    side = np.where(np.abs(knots["mu_r"]) > SAME, knots["mu_r"], knots["chern_simons"])
    sign = np.where(side < 0, -1, 1)
    return {name: sign * values if name in CHIRAL else values.copy() for name, values in knots.items()}


def slope(knots: Columns) -> np.ndarray:
    """lam mu_r / |mu|^2, the real part of lam / mu, (n,)."""
    return knots["lam"] * knots["mu_r"] / (knots["mu_r"] ** 2 + knots["mu_i"] ** 2)


def even(values: np.ndarray) -> np.ndarray:
    """The nearest even numbers, (n,)."""
    return 2 * np.rint(np.asarray(values) / 2)


def calibrated(values: np.ndarray, signature: np.ndarray) -> float:
    """The factor c of least squares, signature = c values, through the origin, as mirror images ask for."""
    return float(values @ signature / (values @ values))


def geometric_classes(knots: Columns, *, tolerance: float = SAME) -> np.ndarray:
    """A number for each knot, (n,), the same for knots whose volume, cusp and |Chern-Simons| agree to ``tolerance``, mirror images too.

    Mutants share all of the geometry: of a knot in training and its mutant in the test the inputs are the same. Knots are one class if
    a chain leads from one to the next; a class never spans more than its knots do.
    """
    numbers = np.stack([knots["volume"], knots["lam"], np.abs(knots["mu_r"]), knots["mu_i"], np.abs(knots["chern_simons"])], 1)
    order = np.argsort(numbers[:, 0], kind="stable")
    volume = np.cumsum(np.diff(numbers[order, 0], prepend=-np.inf) > tolerance)
    classes = np.empty(len(numbers), dtype=int)
    classes[order] = volume  # those of one volume, of which few have several knots
    count, sizes = int(volume[-1]), np.bincount(volume)
    starts = np.cumsum(sizes) - sizes
    for group in np.flatnonzero(sizes > 1):
        rows = order[starts[group] : starts[group] + sizes[group]]
        while len(rows := rows[~_chain(numbers[rows], tolerance)]):
            count += 1
            classes[rows] = count
    return np.unique(classes, return_inverse=True)[1]


def baselines(train: Any, test: Any) -> dict[str, tuple[float, float]]:
    """Accuracy on ``test`` and r2 of what needs no network, by name: the signature most frequent in ``train``, and the slope law,
    c slope with c of least squares in ``train`` and with 1/2, to the nearest even number. Both are splits of a data set whose inputs are
    ``THREE``, in that order, and whose target is the signature: they have ``inputs`` (n, 3) and ``targets`` (n, 1).
    """
    (known, before), (wanted, slopes) = (
        (part.targets[:, 0].astype(float), slope(dict(zip(THREE, part.inputs.T, strict=True)))) for part in (train, test)
    )
    values, counts = np.unique(known, return_counts=True)
    guesses = {
        "majority class": np.full(len(wanted), values[counts.argmax()]),
        "slope / 2": slopes / 2,
        "calibrated slope": calibrated(before, known) * slopes,
    }
    return {name: (accuracy(guess, wanted), explained(guess, wanted)) for name, guess in guesses.items()}


def reached(metrics: Mapping[str, Any], solution: Columns) -> tuple[float, float | None]:
    """Accuracy on the test, and r2 where there is one, of a result, from its ``metrics`` and its ``solution``; of a formula, which has no
    accuracy of its own, by the nearest even numbers of its values.
    """
    if (right := metrics.get("test_accuracy")) is None:
        test = solution["split"] == solution["split"].max()
        right = accuracy(solution["signature"][test], solution["target_signature"][test])
    return float(right), metrics.get("test_r2")


def worth(law: Mapping[str, Any], reached: tuple[float, float | None], slope: tuple[float, float]) -> str:
    """What a formula for the signature is worth, in words: accuracy and r2 ``reached`` on the test beside those of the calibrated
    ``slope``, and the verdict, which is of something else: whether the formula is exact.
    """
    best, other = (f"{100 * right:.2f} %, r2 {r2 or float('nan'):.4f}" for right, r2 in (reached, slope))
    rank = "better than" if reached[0] > slope[0] else "no better than"
    return f"{law['formula']}  (best formula: {best}, {rank} the calibrated slope, {other}; as a law: {law['verdict']}, {law['reason']})"


def accuracy(prediction: np.ndarray, target: np.ndarray) -> float:
    """The share of rows in which the nearest even number is right."""
    return float(np.mean(even(prediction) == target))


def explained(prediction: np.ndarray, target: np.ndarray) -> float:
    """r2, the share of the variance that is explained."""
    return float(1 - np.mean((prediction - target) ** 2) / np.var(target))


def _chain(numbers: np.ndarray, tolerance: float) -> np.ndarray:
    """Which rows (n, k) a chain leads to from the first, in steps of at most ``tolerance`` in every column, (n,)."""
    found, size = np.arange(len(numbers)) == 0, 0
    while found.sum() > size:
        size = int(found.sum())
        found = (np.abs(numbers[:, None] - numbers[found]).max(-1) <= tolerance).any(1)
    return found


def by_crossings(knots: Columns, most: int = 13) -> np.ndarray:
    """ "train" for knots of at most ``most`` crossings, "test" for those of more, (n,): an extrapolation.

    Raises ``ValueError`` if one of them would be empty.
    """
    few = knots["crossings"] <= most
    if few.all() or not few.any():
        raise ValueError(f"crossings are {knots['crossings'].min()} ... {knots['crossings'].max()}: {most} leaves train or test empty")
    return np.where(few, "train", "test")
