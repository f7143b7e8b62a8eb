"""The table of knots computed anew with SnapPy, which ``pip install 'kanpde[knots]'`` brings (GPL; nothing of it is in kanpde).

    from kanpde.science import knot_census
    columns = knot_census.computed(knot_census.names(most=10))
    knot_census.write(columns, "knots.h5")

Geometry, the symmetry group and the planar diagram are SnapPy's, the signature and determinant are read off the diagram by
:mod:`kanpde.science.knot_diagrams`, genus, fibering and tau are from knot Floer homology (``knot_floer_homology``, which SnapPy brings).
The degrees of torsion polynomials, the shortest geodesic and the injectivity radius are not computed here: in the shipped table they are
known up to 12 crossings, in this one NaN. About a hundred knots a second and core.
"""

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kanpde.hdf5 import composed, put_attributes, write_whole
from kanpde.science.knot_diagrams import determinant, signature

GROUPS = {"0": "Symmetry_0", "D3": "Symmetry_D3", "D4": "Symmetry_D4", "D6": "Symmetry_D6", "D8": "Symmetry_D8",
          "Z/2 + Z/2": "Symmetry_Z_2 + Z_2"}  # fmt: skip
UNKNOWN = ("hyperbolic_adjoint_torsion_degree", "hyperbolic_torsion_degree", "injectivity_radius", "short_geodesic_real_part",
           "short_geodesic_imag_part")  # fmt: skip
FLOER = 12  # crossings up to which genus, fibering and tau are computed


def snappy() -> Any:
    """SnapPy; ``ModuleNotFoundError`` that says how to get it, and what works without."""
    try:
        found = importlib.import_module("snappy")
        importlib.import_module("snappy_15_knots")  # the census of Hoste, Thistlethwaite and Weeks
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"computing knots anew needs SnapPy, and there is no {error.name}: pip install 'kanpde[knots]' (GPL). "
            "The table that kanpde ships, kanpde.science.knots.load(), needs neither"
        ) from error
    return found


def names(*, most: int = 14) -> list[str]:
    """The hyperbolic prime knots of the census with at most ``most`` crossings, in its order: K4a1, K5a1, ..."""
    census = [snappy().HTLinkExteriors(knots_vs_links="knots", crossings=count) for count in range(3, most + 1)]
    return [knot.name() for knots in census for knot in knots if knot.volume() > 1]  # others are torus knots and the like


def computed(names: Iterable[str]) -> dict[str, np.ndarray]:
    """The columns of the table, by its names, for knots by name, such as "K14n22073"."""
    kept = [invariants(name) for name in names]
    if not kept:
        raise ValueError("no knots were named: give some, such as knot_census.names(most=10)")
    return {column: np.array([row[column] for row in kept]) for column in kept[0]}


def invariants(name: str) -> dict[str, Any]:
    """One row of the table."""
    knot = snappy().Manifold(name)
    cusp = knot.cusp_neighborhood()
    cusp.set_displacement(cusp.stopping_displacement(0), 0)  # as large as it can be
    meridian, longitude = map(complex, cusp.translations(0))
    group, link = str(knot.symmetry_group()), knot.link()
    diagram, crossings = [tuple(each) for each in link.PD_code()], int(name[1:].replace("n", "a").split("a")[0])
    floer = link.knot_floer_homology() if crossings <= FLOER else None
    return {
        "name": name,
        "volume": float(knot.volume()),
        "chern_simons": float(knot.chern_simons()),
        "cusp_volume": 2 * float(cusp.volume(0)),
        "longitudinal_translation": longitude.real,
        "meridinal_translation_real": meridian.real,
        "meridinal_translation_imag": meridian.imag,
        **{column: float(group == each) for each, column in GROUPS.items()},
        **dict.fromkeys(UNKNOWN, np.nan),
        "signature": signature(diagram),
        "determinant": determinant(diagram),
        "crossings": crossings,
        "alternating": int("a" in name),
        "num_tet": knot.num_tetrahedra(),
        "symmetry_group": group,
        "seifert_genus": np.nan if floer is None else float(floer["seifert_genus"]),
        "fibered": np.nan if floer is None else float(floer["fibered"]),
        "tau": np.nan if floer is None else float(floer["tau"]),
    }


def write(columns: Mapping[str, np.ndarray], path: str | Path) -> Path:
    """Write columns as a table that :func:`kanpde.science.knots.load` reads; whole or not at all. ``OSError`` if it cannot be written."""
    with composed() as (file, image):
        put_attributes(file, {"columns": ",".join(columns), "source": f"computed with SnapPy {snappy().__version__}"})
        for name, values in columns.items():
            texts = np.asarray(values)
            file.create_dataset(name, data=texts.astype("S") if texts.dtype.kind == "U" else texts, compression="gzip")
    return write_whole(Path(path), image.getvalue(), "the table", elsewhere="")
