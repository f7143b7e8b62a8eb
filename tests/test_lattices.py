"""Quasiperiodic chains: energies against dense matrices, exponents against their closed forms, labels against the exact edges."""

import math

import numpy as np
import pytest

from kanpde.science.lattices import (
    GAAM,
    MAAM,
    MOSAIC,
    MOSAIC3,
    drawn,
    fractal_dimension,
    hamiltonians,
    levels,
    localized,
    lyapunov,
    mosaic,
    participation,
    potentials,
    spectra,
)

LATTICES = (MOSAIC, MOSAIC3, GAAM, MAAM)
each_lattice = pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)


@each_lattice
def test_spectra_are_those_of_the_dense_matrices(lattice):
    systems = drawn(lattice, 3, seed=1)
    matrices = hamiltonians(lattice, systems, 89)
    energies, states = spectra(lattice, systems, sites=89)
    np.testing.assert_allclose(energies, np.linalg.eigvalsh(matrices), atol=1e-12)
    np.testing.assert_allclose(matrices @ states, states * energies[:, None], atol=1e-12)
    np.testing.assert_allclose(levels(lattice, systems, sites=89), energies, atol=1e-12)


def test_hops_and_potentials_by_hand():
    systems = {"lam": np.array([1.5]), "p": np.array([0.7]), "phi": np.array([0.2])}
    matrix = hamiltonians(MAAM, systems, 5)[0]
    assert matrix[1, 2] == 1 and matrix[0, 3] == pytest.approx(math.exp(-1.4)) and np.allclose(matrix, matrix.T)
    golden = (1 + math.sqrt(5)) / 2
    assert matrix[2, 2] == pytest.approx(1.5 * math.cos(2 * math.pi * golden * 3 + 0.2))
    values = potentials(MOSAIC3, systems, 6)[0]
    assert (values[[0, 1, 3, 4]] == 0).all() and (values[[2, 5]] != 0).all()
    gaam = potentials(GAAM, {"lam": np.array([0.8]), "alpha": np.array([-0.5]), "phi": np.array([0.0])}, 1)[0, 0]
    cosine = math.cos(2 * math.pi * golden)
    assert float(gaam) == pytest.approx(1.6 * cosine / (1 + 0.5 * cosine))


def test_participation_of_known_states():
    one, even = np.zeros(100), np.full(100, 0.3)
    one[7] = 2.0
    states = np.stack([one, even], 1)
    np.testing.assert_allclose(participation(states), [1, 0.01])
    np.testing.assert_allclose(fractal_dimension(states), [0, 1], atol=1e-12)


def exponents(lattice, energies, systems):
    """In closed form, for localized states: Avila's global theory of one-frequency operators (Acta Math. 215, 2015, 1)."""
    of = {name: systems[name][:, None] for name in lattice.ranges}
    if lattice is MOSAIC:
        return np.log(of["lam"] * np.abs(energies) / 2) / 2
    if lattice is MOSAIC3:
        return np.log(np.maximum(of["lam"] * np.abs(energies**2 - 1) / 2, 1e-9)) / 3
    if lattice is GAAM:
        x, root = np.abs(of["alpha"] * energies + 2 * of["lam"]), np.sqrt(1 - of["alpha"] ** 2)
        return np.log((x + np.sqrt(np.maximum(x**2 - 4 * of["alpha"] ** 2, 0))) / (2 * (1 + root)))
    ratio = (energies + np.exp(of["p"])) / of["lam"]
    return of["p"] - np.arccosh(np.maximum(ratio, 1))


@each_lattice
def test_exponents_are_those_of_the_closed_forms(lattice):
    systems = drawn(lattice, 12, seed=2)
    energies = levels(lattice, systems, sites=233)
    found = lyapunov(lattice, systems, energies, sites=3000)
    truth = exponents(lattice, energies, systems)
    inside = localized(lattice, systems, energies) & (truth > 0.05)
    assert inside.sum() > 200
    assert np.median(np.abs(found - truth)[inside]) < 2e-3 and np.quantile(np.abs(found - truth)[inside], 0.9) < 6e-3
    extended = found[~localized(lattice, systems, energies)]
    assert np.quantile(extended, 0.25) < 1e-7 and np.median(extended) < 3e-3  # others fall into small gaps of the spectrum


@each_lattice
def test_labels_agree_with_the_exact_edge(lattice):
    systems = drawn(lattice, 20, seed=3)
    energies, states = spectra(lattice, systems, sites=377)
    truth = localized(lattice, systems, energies)
    least = {"mosaic2": 0.97, "mosaic3": 0.94, "gaam": 0.97, "maam": 0.98}[lattice.name]
    assert (truth == (lyapunov(lattice, systems, energies, sites=3000) > 0.008)).mean() > least
    assert (truth == (fractal_dimension(states) < 0.5)).mean() > least - 0.02


def test_long_batches_in_portions():
    systems = drawn(GAAM, 5, seed=4)
    energies = np.random.default_rng(0).uniform(-2, 2, (5, 7))
    whole = lyapunov(GAAM, systems, energies, sites=200)
    np.testing.assert_array_equal(whole, lyapunov(GAAM, systems, energies, sites=200, batch=14))


def test_bad_input():
    systems = drawn(MOSAIC, 2, seed=0)
    with pytest.raises(ValueError, match="take 21 or more"):
        spectra(MOSAIC, systems, sites=8)
    with pytest.raises(ValueError, match="take 21 or more"):
        levels(MAAM, drawn(MAAM, 2, seed=0), sites=8)
    with pytest.raises(ValueError, match="kappa = 2 and 3, got 4"):
        mosaic(4)
    with pytest.raises(ValueError, match="phi is missing"):
        spectra(MOSAIC, {"lam": np.ones(2)}, sites=55)
    with pytest.raises(ValueError, match="columns of one length"):
        spectra(MOSAIC, {"lam": np.ones(2), "phi": np.ones(3)}, sites=55)
    with pytest.raises(ValueError, match=r"\(2, M\), got \(3, 4\)"):
        lyapunov(MOSAIC, systems, np.ones((3, 4)))
