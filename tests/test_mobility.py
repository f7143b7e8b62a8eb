"""Mobility edges from levels and exponents, held against the exact ones; thresholds and labels; rings against chains."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kanpde.science.lattices import GAAM, MAAM, MOSAIC, MOSAIC3, drawn, hamiltonians, labelled, levels, localized, lyapunov, threshold
from kanpde.science.mobility import Edge, edge_points, zero_of


@pytest.mark.parametrize("lattice, sites", [(MOSAIC, 144), (MOSAIC, 178), (MOSAIC3, 267), (GAAM, 89), (MAAM, 89)])
def test_a_ring_has_the_levels_of_a_long_chain_but_no_surface(lattice, sites):
    """Along rings every matrix is unchanged when all sites are turned by a period, and its levels have exponents as those of chains."""
    systems = drawn(lattice, 2, seed=3)
    matrix = hamiltonians(lattice, systems, sites, ring=True)[0]
    np.testing.assert_array_equal(matrix, matrix.T)
    off = matrix - np.diag(np.diag(matrix))
    np.testing.assert_allclose(np.roll(off, (1, 1), (0, 1)), off)
    ring, chain = (levels(lattice, systems, sites=sites, ring=ring) for ring in (True, False))
    assert ring.shape == chain.shape and (np.diff(ring, axis=1) >= 0).all()
    assert np.median(np.abs(ring - chain)) < 0.2


def test_a_ring_closes_on_itself():
    """The potential of GAAM beyond the last site is that of the first."""
    whole, before = 89, 55
    cosine = math.cos(2 * math.pi * before * 1 / whole + 0.4)
    systems = {"lam": np.array([0.7]), "alpha": np.array([0.3]), "phi": np.array([0.4])}
    first = hamiltonians(GAAM, systems, whole, ring=True)[0, 0, 0]
    assert first == pytest.approx(1.4 * cosine / (1 - 0.3 * cosine), rel=1e-12)


def test_rings_have_fibonacci_sites():
    with pytest.raises(ValueError, match="a ring of mosaic2 has a Fibonacci number of sites.*144.*got 145"):
        levels(MOSAIC, drawn(MOSAIC, 1, seed=0), sites=145, ring=True)
    with pytest.raises(ValueError, match="got 100"):
        hamiltonians(GAAM, drawn(GAAM, 1, seed=0), 100, ring=True)


def test_levels_on_a_ring_have_hardly_any_exponents_above_the_closed_form():
    systems = drawn(GAAM, 10, seed=3)
    shares = []
    for ring in (True, False):
        energies = levels(GAAM, systems, sites=233, ring=ring)
        exponent = lyapunov(GAAM, systems, energies, sites=4000)
        x, root = np.abs(systems["alpha"][:, None] * energies + 2 * systems["lam"][:, None]), np.sqrt(1 - systems["alpha"][:, None] ** 2)
        exact = np.log((x + np.sqrt(np.maximum(x**2 - 4 * (1 - root**2), 0))) / (2 * (1 + root)))
        near = (exponent > 0.01) & (exponent < 0.2)
        shares.append(np.mean((exponent - exact)[near] > 0.003))
    assert shares[0] < shares[1] / 2 and shares[0] < 0.15


@pytest.mark.parametrize(
    ("lattice", "edge", "systems", "exact"),
    [
        (MOSAIC, Edge(rising=False), 120, lambda of: -2 / of["lam"]),
        (MAAM, Edge(rising=False), 150, lambda of: of["lam"] * np.cosh(of["p"]) - np.exp(of["p"])),
    ],
)
def test_measured_edges_are_the_exact_ones_within_sigma(lattice, edge, systems, exact):
    found = edge_points(lattice, edge, seed=1, systems=systems, recursion=8000, sigma=0.02)
    pull = (found["E"] - exact(found)) / found["sigma"]
    assert len(pull) >= 8 and np.abs(pull).max() < 6 and np.median(np.abs(pull)) < 1.6
    assert list(found) == [*lattice.ranges, "E", "sigma"] and (found["sigma"] <= 0.02).all()


def test_the_zero_of_a_curve_under_outliers_above():
    random = np.random.default_rng(0)
    energies = random.uniform(1.05, 1.5, 120)
    exponents = 0.4 * (energies - 1) - 0.1 * (energies - 1) ** 2 + 1e-4 * random.standard_normal(120)
    exponents[:30] += random.uniform(0.002, 0.1, 30)
    zero, sigma = zero_of(energies, exponents, 1e-4, random)
    assert abs(zero - 1) < 4 * sigma < 0.004
    assert zero_of(energies + 1, exponents, 1e-4, random)[0] == pytest.approx(2, abs=0.004)


def test_no_zero_is_told_far_from_the_levels_or_from_noise():
    random = np.random.default_rng(0)
    energies = random.uniform(1.3, 1.32, 100)  # far beyond, a gap in between
    assert zero_of(energies, np.log(energies) / 2, 1e-4, random) is None
    assert zero_of(random.uniform(1, 2, 100), random.uniform(0.01, 0.2, 100), 1e-4, random) is None
    assert zero_of(energies[:5], energies[:5] / 20, 1e-4, random) is None


def test_edges_that_are_not_there_are_an_error():
    with pytest.raises(ValueError, match="only 0 of 20 systems of mosaic2 have a mobility edge.*draw more systems"):
        edge_points(MOSAIC, Edge(number=5), seed=0, systems=20)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(systems=0), "systems must be a whole number of at least 1, got 0"),
        (dict(recursion=10), "recursion must be a whole number of at least 1000, got 10"),
        (dict(sites=3), "sites must be a whole number of at least 55, got 3"),
        (dict(phases=-3), "phases must be a whole number"),
        (dict(sigma=math.nan), "sigma must be a finite number above 0, got nan"),
        (dict(seed=-1), "seed must be a whole number from 0"),
        (dict(lattice="mosaic"), "a lattice is MOSAIC.* got 'mosaic'"),
        (dict(edge="upper"), "which edge is Edge.* got 'upper'"),
    ],
)
def test_bad_questions_for_edges(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        edge_points(**dict(lattice=MOSAIC, seed=0, systems=20) | given)


def test_an_edge_has_a_number():
    with pytest.raises(ValueError, match="number=...\\) must be a whole number of at least 0, got -1"):
        Edge(number=-1)


def test_states_of_one_kind_have_no_labels():
    extended = replace(MOSAIC, ranges={"lam": (0.01, 0.02)})
    with pytest.raises(ValueError, match="states of mosaic2 are of one kind"):
        labelled(extended, seed=0, systems=5)
    with pytest.raises(ValueError, match="a chain of 89 sites has as many states, each=100"):
        labelled(MOSAIC, seed=0, systems=5, sites=89, each=100)


def test_thresholds_between_two_groups():
    random = np.random.default_rng(0)
    two = np.concatenate([random.normal(0.1, 0.05, 500), random.normal(0.8, 0.05, 300)])
    assert 0.3 < threshold(two) < 0.6
    np.testing.assert_allclose(threshold(3 * two + 1), 3 * threshold(two) + 1)
    for one in (random.uniform(0, 1, 1000), random.normal(0, 1, 1000), np.ones(50)):
        with pytest.raises(ValueError, match="one group rather than two"):
            threshold(one)
    with pytest.raises(ValueError, match="at least 10 finite"):
        threshold(np.full(20, np.nan))


def test_labelled_states_are_mostly_those_of_the_exact_edge():
    found = labelled(GAAM, seed=0, systems=30, sites=144, each=12)
    assert all(len(values) == 30 * 12 for values in found.values()) and len(np.unique(found["system"])) == 30
    first = {name: found[name][::12] for name in GAAM.ranges}
    exact = localized(GAAM, first | {"phi": np.zeros(30)}, found["E"].reshape(30, 12))
    assert np.mean(exact.ravel() == found["localized"]) > 0.93
    with pytest.raises(ValueError, match="a chain of 20 sites does not tell"):
        labelled(MOSAIC, seed=0, systems=3, sites=20)
