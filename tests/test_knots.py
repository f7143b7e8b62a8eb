"""Knots: the table against closed forms and SnapPy, known signatures, classes of mutants, files that are not the table."""

import math
import shutil

import h5py
import numpy as np
import pytest

from kanpde import Dataset
from kanpde.science import knot_census, knots
from kanpde.science.knot_diagrams import determinant, goeritz, signature


@pytest.fixture(scope="module")
def table():
    return knots.load()


def torus_knot(n):
    """The closure of the braid sigma_1^n, right-handed: T(2, n)."""
    # strand 2k comes in below at the crossing k, and the other one above; n is odd
    return [((2 * k) % (2 * n), (2 * k + n + 1) % (2 * n), (2 * k + 1) % (2 * n), (2 * k + n) % (2 * n)) for k in range(n)]


def mirrored_diagram(diagram):
    """With every crossing seen from behind: the strand that was above comes in below."""
    found = []
    for a, b, c, d in diagram:
        found.append((d, a, b, c) if (b - d) % (2 * len(diagram)) == 1 else (b, c, d, a))
    return found


# planar diagrams of the tables of knots, with |signature| and determinant
KNOWN = {
    "4_1": ([(4, 2, 5, 1), (8, 6, 1, 5), (6, 3, 7, 4), (2, 7, 3, 8)], 0, 5),
    "5_2": ([(1, 4, 2, 5), (3, 8, 4, 9), (5, 10, 6, 1), (9, 6, 10, 7), (7, 2, 8, 3)], 2, 7),
    "6_1": ([(1, 4, 2, 5), (7, 10, 8, 11), (3, 9, 4, 8), (9, 3, 10, 2), (5, 12, 6, 1), (11, 6, 12, 7)], 0, 9),
    "8_19": (
        [(4, 2, 5, 1), (8, 4, 9, 3), (9, 15, 10, 14), (5, 13, 6, 12), (13, 7, 14, 6), (11, 1, 12, 16), (15, 11, 16, 10), (2, 8, 3, 7)],
        6,
        3,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_signatures_of_known_knots(name):
    strands, size, det = KNOWN[name]
    diagram = [tuple(strand - 1 for strand in crossing) for crossing in strands]
    assert abs(signature(diagram)) == size and determinant(diagram) == det
    assert signature(mirrored_diagram(diagram)) == -signature(diagram)
    matrix, correction = goeritz(diagram, black=1)  # the other surface
    assert int(np.sign(np.linalg.eigvalsh(matrix)).sum()) - correction == signature(diagram)


@pytest.mark.parametrize("n", [3, 5, 7, 9])
def test_right_handed_torus_knots(n):
    assert signature(torus_knot(n)) == 1 - n and determinant(torus_knot(n)) == n
    assert signature(mirrored_diagram(torus_knot(n))) == n - 1


def test_diagrams_that_are_none():
    assert signature([]) == 0 and determinant([]) == 1
    with pytest.raises(ValueError, match="0 ... 5 twice each"):
        signature([(1, 5, 2, 4), (3, 1, 4, 0), (5, 3, 0, 1)])
    with pytest.raises(ValueError, match="do not run on by one"):
        signature([(0, 1, 2, 3), (1, 0, 3, 2)])


def test_the_table_is_whole(table):
    assert len(table["name"]) == 59_924 == len(set(table["name"])) and table["crossings"].max() == 14
    assert set(table) == set(knots.MEANING) | {"name"} and len(knots.COMPLETE) == 12
    for name in knots.COMPLETE:
        assert np.isfinite(table[name]).all()
    few = table["crossings"] <= 12
    for name in knots.PARTIAL:
        assert np.isfinite(table[name][few]).all() and np.isnan(table[name][~few]).all()
    eight = int(np.flatnonzero(table["name"] == "K4a1")[0])  # the figure-eight knot
    volume = 3 * sum(math.sin(2 * math.pi * k / 3) / k**2 for k in range(1, 200_000))  # six times the Lobachevsky function at pi/3
    assert table["volume"][eight] == pytest.approx(volume, abs=1e-9)
    assert table["lam"][eight] == pytest.approx(2 * math.sqrt(3)) and table["mu_i"][eight] == pytest.approx(1)
    assert (table["signature"] % 2 == 0).all() and (np.isin(table["determinant"] % 4, (1, 3))).all()
    assert ((table["signature"] // 2 % 2 == 0) == (table["determinant"] % 4 == 1)).all()  # Murasugi
    assert (np.abs(table["tau"][few]) <= table["seifert_genus"][few]).all()
    alternating = few & (table["alternating"] == 1)
    assert (np.abs(table["tau"]) == np.abs(table["signature"]) / 2)[alternating].all()


def test_mirror_images_change_four_signs_and_no_law(table):
    both = knots.with_mirrors(table)
    half = len(table["name"])
    assert np.array_equal(knots.slope(both)[half:], -knots.slope(table)) and np.array_equal(both["volume"][half:], table["volume"])
    assert np.array_equal(both["signature"][half:], -table["signature"]) and both["mu_r"][0] == table["mu_r"][0]
    again = knots.mirrored(knots.mirrored(table))
    assert all(np.array_equal(again[name], table[name], equal_nan=table[name].dtype.kind == "f") for name in table)


def test_of_two_mirror_images_one_is_taken(table):
    taken, other = knots.handed(table), knots.handed(knots.mirrored(table))
    assert (taken["mu_r"] > -knots.SAME).all() and (taken["signature"] < 0).sum() == 41
    for name in set(table) - {"geodesic_i"}:  # which only needs to be that of the image that was taken
        assert np.array_equal(taken[name], other[name], equal_nan=table[name].dtype.kind == "f") or name in knots.CHIRAL
    apart = (taken["signature"] != other["signature"]) | (taken["chern_simons"] != other["chern_simons"])
    assert (np.abs(table["mu_r"][apart]) < knots.SAME).all() and (np.abs(table["chern_simons"][apart]) < knots.SAME).all()
    assert np.array_equal(knots.slope(taken) * taken["signature"], knots.slope(table) * table["signature"])
    again = knots.handed(taken)
    assert all(np.array_equal(again[name], taken[name]) for name in ("mu_r", "chern_simons", "signature"))


def test_what_a_formula_is_worth():
    solution = {
        "split": np.array([0, 0, 2, 2, 2, 2]),
        "signature": np.array([0, 0, 1.2, 2.9, -0.5, 4]),
        "target_signature": np.array([2, 2, 2, 2, 0, 2]),
    }
    reached = knots.reached({"test_r2": 0.5}, solution)
    assert reached == (0.75, 0.5) and knots.reached({"test_accuracy": 0.8}, {}) == (0.8, None)
    law = {"formula": "s = a x", "verdict": "no law", "reason": "more is there"}
    assert knots.worth(law, reached, (0.7, 0.4)) == (
        "s = a x  (best formula: 75.00 %, r2 0.5000, better than the calibrated slope, 70.00 %, r2 0.4000; as a law: no law, more is there)"
    )
    assert ", no better than the calibrated slope" in knots.worth(law, reached, (0.75, 0.4))


def test_classes_of_one_geometry(table):
    classes = knots.geometric_classes(table)
    assert classes.max() + 1 == 53_650 and np.bincount(classes).max() == 8
    index = {name: k for k, name in enumerate(table["name"])}
    assert classes[index["K11n34"]] == classes[index["K11n42"]]  # Kinoshita and Terasaka's knot, and Conway's
    assert classes[index["K4a1"]] != classes[index["K5a1"]]
    for name, size in (("volume", 1e-9), ("lam", 1e-9), ("mu_i", 1e-9)):
        low, high = np.full(53_650, np.inf), np.full(53_650, -np.inf)
        np.minimum.at(low, classes, table[name])
        np.maximum.at(high, classes, table[name])
        assert (high - low).max() < size
    signs = np.zeros(53_650)
    np.maximum.at(signs, classes, np.abs(table["signature"]))
    assert (np.abs(table["signature"]) == signs[classes]).mean() > 0.97  # mutants have one signature; not all of a class are mutants
    small = {name: values[:300] for name, values in table.items()}
    assert np.array_equal(
        knots.geometric_classes(knots.with_mirrors(small))[300:], knots.geometric_classes(knots.with_mirrors(small))[:300]
    )


def test_the_slope_law_on_all_knots(table):
    slope = knots.slope(table)
    c = knots.calibrated(slope, table["signature"])
    assert c == pytest.approx(0.4295, abs=1e-4)
    assert knots.accuracy(c * slope, table["signature"]) == pytest.approx(0.851, abs=1e-3)
    assert knots.accuracy(slope / 2, table["signature"]) == pytest.approx(0.762, abs=1e-3)
    assert knots.explained(c * slope, table["signature"]) == pytest.approx(0.944, abs=1e-3)
    few = knots.by_crossings(table) == "train"
    data = Dataset({name: table[name] for name in (*knots.THREE, "signature")}, targets="signature", split=knots.by_crossings(table))
    assert len(data["train"]) == few.sum()
    found = knots.baselines(data["train"], data["test"])
    assert found["calibrated slope"][0] == pytest.approx(0.849, abs=1e-3) and found["majority class"][0] < 0.3
    with pytest.raises(ValueError, match="20 leaves train or test empty"):
        knots.by_crossings(table, 20)


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(ValueError, match="there is no data file"):
        knots.load(tmp_path / "none.h5")
    cut = tmp_path / "cut.h5"
    cut.write_bytes(knots.TABLE.read_bytes()[:500_000])
    with pytest.raises(ValueError, match="cut.h5 is truncated or damaged"):
        knots.load(cut)
    text = tmp_path / "text.h5"
    text.write_text("name,volume\n")
    with pytest.raises(ValueError, match="is not an HDF5 file"):
        knots.load(text)
    other = shutil.copy(knots.TABLE, tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        del file["volume"]
    with pytest.raises(ValueError, match="no table of knots, for it lacks volume"):
        knots.load(other)
    with h5py.File(other, "r+") as file:
        file["volume"] = np.ones(3)
    with pytest.raises(ValueError, match="differ in length.*volume 3"):
        knots.load(other)


def test_without_snappy_the_census_says_how_to_get_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "snappy", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kanpde\[knots\]'.*knots.load\(\), needs neither"):
        knot_census.names(most=5)


def test_a_sample_of_the_table_computed_anew(table, tmp_path):
    pytest.importorskip("snappy")
    pytest.importorskip("snappy_15_knots")
    rows = np.random.default_rng(0).permutation(len(table["name"]))[:100]
    found = knots.load(knot_census.write(knot_census.computed(table["name"][rows]), tmp_path / "again.h5"))
    for name in set(table) - set(knots.PARTIAL):
        if table[name].dtype.kind == "f":
            known = np.isfinite(table[name][rows])
            np.testing.assert_allclose(found[name][known], table[name][rows][known], atol=1e-8, err_msg=name)
        else:
            assert np.array_equal(found[name], table[name][rows]), name
