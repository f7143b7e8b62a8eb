"""Localization landscapes: closed forms of u, levels of boxes and oscillators, the theorem, the wells and the estimates."""

from pathlib import Path

import numpy as np
import pytest

import kanpde as kp
from kanpde.problem_files import load_problem
from kanpde.science.landscape import fullness, homes, study, summary, wells
from kanpde.science.potentials import Potential, blocks, landscape, speckle, spectrum

FILE = Path(__file__).parents[1] / "problems" / "landscape.py"


def flat(value, dimensions=1, length=1.0, elements=2):
    return Potential(lambda *x: value + 0 * x[0], dimensions=dimensions, edges=np.linspace(0, length, elements + 1))


def oscillator(dimensions):
    """omega = 1 about the middle of a box that its lowest states do not feel, V = |x - 10|^2: levels 1, 3, 5, ... and 2, 4, 4, ..."""
    return Potential(
        lambda *x: sum((each - 10) ** 2 for each in x), dimensions=dimensions, edges=np.linspace(0, 20, (0, 21, 9)[dimensions])
    )


# ---- landscapes and states in closed form ----


def test_landscapes_in_closed_form():
    x, k = np.linspace(0, 1, 33), 7.0
    np.testing.assert_allclose(landscape(flat(0.0))(x), x * (1 - x) / 2, atol=1e-14)
    np.testing.assert_allclose(landscape(flat(k**2))(x), (1 - np.cosh(k * (x - 0.5)) / np.cosh(k / 2)) / k**2, atol=1e-14)


def test_the_landscape_of_an_empty_square_is_its_series():
    """u = x (1 - x)/2 - sum over odd n of 4 sin(n pi x) cosh(n pi (y - 1/2)) / ((n pi)^3 cosh(n pi/2)), corners and all."""
    x = np.linspace(0, 1, 41)
    n = np.arange(1, 4001, 2)[:, None, None] * np.pi
    X, Y = np.meshgrid(x, x[:21], indexing="ij")
    ratio = (np.exp(-n * Y) + np.exp(-n * (1 - Y))) / (1 + np.exp(-n))
    series = X * (1 - X) / 2 - (4 * np.sin(n * X) / n**3 * ratio).sum(0)
    found = landscape(flat(0.0, 2))
    np.testing.assert_allclose(found(X, Y), series, atol=5e-8)
    np.testing.assert_allclose(found.grid(x)[:, :21], found(X, Y), atol=1e-15)


def test_a_well_with_walls_that_jump():
    """V = 0 on (0, 1) and k^2 on (1, 2): parabola and exponentials that meet with their slopes."""
    V, k = Potential(lambda x: np.where(x < 1, 0.0, 25.0), dimensions=1, edges=[0, 1, 2], jumps=True), 5.0
    # u = a x - x^2/2 on the left; 1/k^2 + b sinh(k (2 - x)) - cosh(k (2 - x))/k^2 on the right
    b, a = np.linalg.solve([[np.sinh(k), -1], [-k * np.cosh(k), -1]], [np.cosh(k) / k**2 - 1 / k**2 - 0.5, -k * np.sinh(k) / k**2 - 1])
    x = np.linspace(0, 2, 41)
    wanted = np.where(x < 1, a * x - x**2 / 2, 1 / k**2 + b * np.sinh(k * (2 - x)) - np.cosh(k * (2 - x)) / k**2)
    np.testing.assert_allclose(landscape(V)(x), wanted, atol=1e-13)


def test_levels_of_boxes_and_oscillators():
    energies, states = spectrum(flat(3.0, length=2.0), 3)
    np.testing.assert_allclose(energies, 3 + (np.pi / 2 * np.arange(1, 4)) ** 2, rtol=1e-10)
    x = np.linspace(0, 2, 21)
    np.testing.assert_allclose(np.abs(states[1](x)), np.abs(np.sin(np.pi * x)), atol=1e-9)  # of norm 1 on (0, 2)
    np.testing.assert_allclose(spectrum(oscillator(1), 3)[0], [1, 3, 5], rtol=1e-10)
    np.testing.assert_allclose(spectrum(oscillator(2), 3)[0], [2, 4, 4], rtol=1e-8)


def test_periodic_landscapes():
    V = speckle(1, length=6, height=4, periodic=True, seed=1)
    np.testing.assert_allclose(V(np.linspace(0, 1, 9)), V(np.linspace(6, 7, 9)), rtol=1e-12)
    u, h = landscape(V), 1e-4
    assert u(0.0) == u(6.0) and (u(h) - u(0.0)) / h == pytest.approx((u(6.0) - u(6.0 - h)) / h, abs=1e-3)
    free = Potential(lambda x, y: 5 + 0 * x, dimensions=2, edges=[0, 2, 4], periodic=True)
    np.testing.assert_allclose(landscape(free).values, 1 / 5, rtol=1e-11)
    np.testing.assert_allclose(spectrum(free, 5)[0], 5 + np.array([0, 1, 1, 1, 1]) * (np.pi / 2) ** 2, rtol=1e-9)


def test_the_network_finds_the_landscape_of_the_elements():
    V = blocks(1, count=11, height=8.0, seed=0)
    line = kp.Box(x=(0, V.length))
    problem = kp.Problem(
        line,
        lambda u, x: -u.xx + V(x) * u - 1,
        conditions=[kp.Dirichlet(0, on=line.boundary, hard=True)],
        reference=lambda x: landscape(V)(x),
    )
    model = kp.KAN(1, 1, basis=kp.BSpline(12, breaks=V.breaks(12)))
    result = kp.Experiment(problem, model, [kp.SparseNewton(steps=3)], sampling=kp.Sampling(per_parameter=4)).run()
    assert result.metrics["relative_l2"] < 1e-8


# ---- what the landscape says ----


def test_wells_by_hand():
    """1/u = 2 + (x - 1.03)^2 or 3 + (x - 3.01)^2, whichever is lower."""
    x = np.linspace(0, 4, 401)
    u = np.maximum(1 / (2 + (x - 1.03) ** 2), 1 / (3 + (x - 3.012) ** 2))
    found = wells(u, [x])
    np.testing.assert_allclose(found.minima, [2, 3], rtol=1e-6)
    np.testing.assert_allclose(found.places[:, 0], [1.03, 3.012], atol=1e-4)
    np.testing.assert_allclose(found.estimates, [2.5, 3.75], rtol=1e-6)
    assert (found.basins[x < 2] == 0).all() and (found.basins[x > 2.6] == 1).all()
    assert homes(found, [np.exp(-((x - 3) ** 2)), -np.exp(-((x - 1) ** 2))]).tolist() == [1, 0]


def test_wells_on_a_torus_go_around():
    x = np.linspace(0, 1, 41)
    X, Y = np.meshgrid(x, x, indexing="ij")
    u = 2 + np.cos(2 * np.pi * (X - 0.013)) + np.cos(2 * np.pi * (Y - 0.5))  # its one maximum is next to the seam
    found = wells(u, [x, x], periodic=True)
    assert len(found.minima) == 1 and found.basins.shape == u.shape and (found.basins == 0).all()
    assert found.minima[0] == pytest.approx(1 / 4, rel=1e-4)
    np.testing.assert_allclose(found.places[0], [0.013, 0.5], atol=1e-3)


@pytest.mark.parametrize("V", [speckle(1, length=30, height=8, seed=3), blocks(2, count=5, height=20, seed=1)], ids=["speckle", "tiles"])
def test_every_state_lies_below_its_landscape(V):
    x = V.axis(301 if V.dimensions == 1 else 61)
    u, (energies, states) = landscape(V).grid(x), spectrum(V, 6)
    full = fullness(u, energies, [state.grid(x) for state in states])
    assert (full < 1).all() and full.max() > 0.5
    assert (fullness(0.5 * u, energies, [state.grid(x) for state in states]) > 1).any()  # half of it is not above them


@pytest.mark.parametrize("dimensions", [1, 2])
def test_the_estimate_of_an_oscillator(dimensions):
    """1/u at its middle is that of int_0^inf cosh(2t)^(-d/2) dt: the estimate is 0.954 of the level d in one dimension, 0.955 in two."""
    V = oscillator(dimensions)
    t = np.linspace(0, 40, 400_001)
    middle = np.trapezoid(np.cosh(2 * t) ** (-dimensions / 2), t)
    x = V.axis(201)
    told = study(V, landscape(V).grid(x), [x] * dimensions, count=1)
    assert told.wells.minima[0] == pytest.approx(1 / middle, rel=1e-4)
    assert told.errors[0] == pytest.approx((1 + dimensions / 4) / middle / dimensions - 1, abs=1e-4)
    assert told.errors[0] == pytest.approx(-0.046, abs=1e-3)


def test_estimates_of_random_potentials():
    V = blocks(1, count=60, height=12.0, seed=0)
    x = V.axis(1001)
    told = study(V, landscape(V).grid(x), [x], count=6)
    assert np.abs(told.errors).max() < 0.12 and np.median(np.abs(told.own_errors)) < 0.08
    assert told.first[0] and told.homes[0] == 0
    says = summary([told, told])
    assert says["states above"] == "0 of 12" and says["wells"] == f"{len(told.wells.minima)} {len(told.wells.minima)}"


# ---- potentials, and what is refused ----


def test_potentials_are_drawn_from_their_seeds():
    x = np.linspace(0.01, 49.9, 1500)
    one, same, other = (speckle(1, length=50, height=3, seed=seed, waves=400)(x) for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.allclose(one, other)
    many = np.concatenate([speckle(1, length=50, height=3, seed=seed)(x) for seed in range(20)])
    assert many.min() >= 0 and many.mean() == pytest.approx(3, rel=0.1)
    assert (many > 3).mean() == pytest.approx(np.exp(-1), abs=0.04)  # exponentially distributed
    V = blocks(2, count=4, height=5, seed=0)
    assert V(0.1, 0.1) == V(0.9, 0.9) != V(1.1, 0.9) and 0 <= V(3.99, 3.99) <= 5
    assert V.breaks(4)[:6] == (-1, -0.5, -0.5, -0.5, 0, 0) and len(V.breaks(4, layers=2)) == 11 + 2 * 8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: flat(-1.0), "needs a potential V >= 0, so that u > 0, and this one has -1"),
        (lambda: flat(np.nan), "values that are not finite"),
        (lambda: flat(1.0, dimensions=3), "one and two dimensions, got dimensions=3"),
        (lambda: Potential(np.abs, dimensions=1, edges=[0, 2, 1]), "edges of a potential must rise from 0"),
        (lambda: speckle(1, length=10, height=-2), "positive height, got -2"),
        (lambda: speckle(1, length=10, height=2, cut=0), "positive cut, got 0"),
        (lambda: blocks(1, count=0, height=2), "whole number of cells along a side, at least 1, got count=0"),
        (lambda: spectrum(flat(0.0), 50), "nodes give 1 to 3 states, got count=50"),
        (lambda: wells(np.linspace(0.1, 1, 9), [np.linspace(0, 1, 9)]), "1/u has no well inside the box"),
        (lambda: wells(np.ones(9), [np.linspace(0, 1, 9)]), "1/u has no well inside the box"),
        (lambda: wells(np.sin(np.linspace(0, 7, 9)), [np.linspace(0, 7, 9)]), "is V >= 0, and was the equation solved"),
        (lambda: study(flat(0.0), landscape(flat(0.0))(np.linspace(0, 1, 9)), [np.linspace(0, 1, 9)], count=2), "has 1 wells, which say"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_figures_and_tables_are_drawn_from_results():
    module = load_problem(FILE)
    results = [module.experiments[key].shortened().run(seed=2, key=f"{key}-quick") for key in ("speckle", "torus")]
    found = module.studies(results)
    assert {kind: some[0][0] for kind, some in found.items()} == {kind: module.system(kind, 2) for kind in ("speckle", "torus")}
    drawn = module.figures(results)
    assert {name: len(figure.axes) for name, figure in drawn.items()} == {"speckle": 2, "torus": 2, "levels": 2}
    assert len(drawn["speckle"].axes[0].collections) == 1 + 10  # V, and a bar for each level
    lines = module.tables({each.experiment: [each] for each in results}).splitlines()
    assert len(lines) == 4 and lines[2].count("0 of 10") == 1 and "states above" in lines[0]
