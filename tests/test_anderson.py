"""The 3-D Anderson model: its levels against closed forms and LAPACK, its ratios against random matrices, its table against itself."""

import itertools

import numpy as np
import pytest

from kanpde.science import anderson_table
from kanpde.science.anderson import (
    GOE,
    POISSON,
    Ratios,
    disorder,
    filtered_levels,
    hamiltonians,
    levels,
    measured,
    spacing_ratios,
    sparse_hamiltonian,
)


@pytest.mark.parametrize("L", [3, 4, 5])
def test_the_clean_lattice_has_the_energies_of_plane_waves(L):
    cosines = 2 * np.cos(2 * np.pi * np.arange(L) / L)
    truth = np.sort([sum(each) for each in itertools.product(cosines, repeat=3)])
    assert np.abs(levels(np.zeros((1, L**3)))[0][0] - truth).max() < 1e-13


def test_sparse_and_dense_matrices_are_the_same():
    energies = disorder(4, 16.5, 3, np.random.default_rng(0))
    dense, sparse = hamiltonians(energies), sparse_hamiltonian(energies).to_dense()
    for k in range(3):
        assert (sparse[64 * k : 64 * (k + 1), 64 * k : 64 * (k + 1)] == dense[k]).all()
    assert sparse.sum() == dense.sum() and (dense == dense.mT).all()


@pytest.mark.parametrize("W", [8.0, 16.5])
def test_the_filter_finds_the_levels_of_the_window_and_no_others(W):
    energies = disorder(8, W, 3, np.random.default_rng(1))
    every, found = np.linalg.eigvalsh(hamiltonians(energies).numpy()), filtered_levels(energies)
    for truth, some in zip(every, found, strict=True):
        first, last = np.flatnonzero(np.abs(truth) < 0.5)[[0, -1]]
        here = np.flatnonzero(np.abs(some) < 0.5)
        assert np.abs(some[here[0] - 1 : here[-1] + 2] - truth[first - 1 : last + 2]).max() < 1e-5
    assert Ratios.of(found).levels == Ratios.of(every).levels
    assert Ratios.of(found).mean == pytest.approx(Ratios.of(every).mean, abs=1e-5)


def test_ratios_of_random_matrices_and_of_independent_levels():
    random = np.random.default_rng(2)
    matrices = random.standard_normal((400, 60, 60))
    goe = Ratios.of(np.linalg.eigvalsh(matrices + matrices.transpose(0, 2, 1)), window=5.0)
    poisson = Ratios.of(np.sort(random.uniform(-10, 10, (400, 60)), 1), window=8.0)
    for found, truth in ((goe, GOE), (poisson, POISSON)):
        assert found.sigma < 4e-3 and abs(found.mean - truth) < 3 * found.sigma


def test_the_standard_error_is_that_of_realizations():
    """Every level three times over, in realizations that know nothing of each other: the error of a third of the levels."""
    random = np.random.default_rng(3)
    t = np.sort(random.uniform(-1, 1, (200, 30)), 1)
    one, spread = Ratios.of(t, 2.0), spacing_ratios(t).mean(1)
    assert one.mean == pytest.approx(spread.mean(), rel=1e-12) and one.sigma == pytest.approx(spread.std(ddof=1) / 200**0.5, rel=1e-10)
    again = Ratios.of(t[:50], 2.0) + Ratios.of(t[50:], 2.0)
    assert again.sums == pytest.approx(one.sums, rel=1e-12)
    assert list(spacing_ratios(np.array([0.0, 1.0, 3.0, 3.5]))) == [0.5, 0.25]


def test_bad_input_is_an_error_that_says_so():
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 3, got L=2"):
        disorder(2, 16.5, 1, random)
    with pytest.raises(ValueError, match="got W=-1"):
        disorder(4, -1, 1, random)
    with pytest.raises(ValueError, match=r"got the shape \(2, 65\)"):
        levels(np.zeros((2, 65)))
    with pytest.raises(ValueError, match="got 'lanczos'"):
        levels(np.zeros((1, 64)), method="lanczos")
    with pytest.raises(ValueError, match="three levels or more, got 2"):
        spacing_ratios(np.zeros(2))
    with pytest.raises(ValueError, match="not in order"):
        spacing_ratios(np.array([0.0, 2.0, 1.0]))


def test_the_table_goes_on_with_realizations_that_it_has_not_had(tmp_path, monkeypatch):
    monkeypatch.setattr(anderson_table, "BLOCK", 200_000)
    path = tmp_path / "table.csv"
    asked = dict(cpu=(), gpu=[4], widths=[16.0, 17.0], processes=0, device="cpu")
    first = anderson_table.make_table(path, seconds=0.2, **asked)
    columns = anderson_table.load(path)
    assert set(first.ratios) <= {(4, 16.0), (4, 17.0)} and columns["realizations"].sum() > 0
    again = anderson_table.opened(path, seed=0, window=0.5)
    assert again.batches == first.batches and again.ratios.keys() == first.ratios.keys()
    for place, found in again.ratios.items():
        assert found.sums == pytest.approx(first.ratios[place].sums, rel=1e-14)
    anderson_table.make_table(path, seconds=0.2, **asked)
    later = anderson_table.load(path)
    assert later["realizations"].sum() > columns["realizations"].sum() and later["batches"].sum() > columns["batches"].sum()
    with pytest.raises(ValueError, match="made with --seed 0, not 1"):
        anderson_table.make_table(path, seconds=0.2, seed=1, **asked)
    with pytest.raises(ValueError, match="nothing to measure"):
        anderson_table.make_table(path, seconds=0.2, cpu=[], gpu=[])


def test_the_table_that_is_shipped_agrees_with_itself_and_with_new_samples():
    table = anderson_table.load()
    assert sorted(zip(table["L"], table["W"], strict=True)) == sorted(itertools.product(anderson_table.SIZES, anderson_table.WIDTHS))
    for row in range(len(table["L"])):
        ratios = Ratios(int(table["realizations"][row]), *(float(table[name][row]) for name in anderson_table.COLUMNS[5:10]))
        assert ratios.mean == pytest.approx(table["r"][row], rel=1e-12) and ratios.sigma == pytest.approx(table["sigma"][row], rel=1e-6)
        assert 4e-4 < ratios.sigma < 7e-4 and POISSON < ratios.mean < GOE
    for W in (13.0, 20.0):
        now = measured(6, W, 200, (5, 6, round(W)))
        row = np.flatnonzero((table["L"] == 6) & (table["W"] == W))[0]
        assert abs(now.mean - table["r"][row]) < 3 * now.sigma < 0.03
