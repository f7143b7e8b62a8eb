"""What flows conserve: all that theory says there is, proved, and nothing else."""

import numpy as np
import pytest
import sympy

from kanpde import Box, ConservedSearch, conserved
from kanpde.functions import cos, sin, sqrt

LINE, PLANE = Box(x=(-2, 2), p=(-2, 2)), Box(x=(-2, 2), y=(-2, 2), px=(-2, 2), py=(-2, 2))
x, y, p, px, py = sympy.symbols("x y p px py", real=True)


def isotropic(x, y, px, py):
    return px, py, -x, -y


def independent(law):
    return int(law.evidence[0].split()[0])


def test_the_isotropic_oscillator_has_three_and_one_that_they_determine():
    for seed in range(2):
        law = conserved(isotropic, PLANE, degree=4, seed=seed)
        assert law.verdict == "proved" and independent(law) == 3 and "(4 components of the equation)" in law.reason
        energies, rest = {x**2 + px**2, y**2 + py**2}, {x * py - y * px, x * y + px * py}
        found = list(law.valued.values())
        assert set(found[:2]) == energies
        assert {sympy.expand(each * sign) for each in found[2:] for sign in (1, -1)} >= rest and len(found) == 4


@pytest.mark.parametrize(("square", "count"), [(2, 2), (4, 3), (9, 3)])
def test_commensurate_frequencies_have_a_third_of_higher_degree(square, count):
    law = conserved(lambda x, y, px, py: (px, py, -x, -square * y), PLANE, degree=4)
    assert law.verdict == "proved" and independent(law) == count
    flow = [px, py, -x, -square * y]
    for quantity in law.valued.values():
        assert sympy.expand(sum(f * sympy.diff(quantity, s) for f, s in zip(flow, (x, y, px, py), strict=True))) == 0


def test_auxiliary_functions_make_laws_of_other_functions():
    law = conserved(lambda x, p: (p, -sin(x)), LINE, degree=3, auxiliary=dict(c=lambda x: cos(x)))
    assert list(law.valued.values()) == [p**2 - 2 * sympy.cos(x)] and law.verdict == "proved"


def test_the_planet_has_runge_lenz():
    def distance(x, y):
        return sqrt(x**2 + y**2)

    box = Box(x=(0.5, 2), y=(0.5, 2), px=(-0.5, 0.5), py=(-0.5, 0.5))
    search = ConservedSearch(
        lambda x, y, px, py: (px, py, -x / distance(x, y) ** 3, -y / distance(x, y) ** 3),
        box,
        degree=3,
        auxiliary=dict(u=lambda x, y: 1 / distance(x, y)),
        time=5,
    )
    result = search.run()
    assert result.law is not None
    assert result.metrics["quantities"] == 4 and result.metrics["independent"] == 3 and result.law["verdict"] == "proved"
    assert result.metrics["rate"] < 1e-8 and result.metrics["drift"] < 1e-8 and result.metrics["change"] < 1e-12


def test_what_is_not_conserved_is_not_found():
    friction = conserved(lambda x, p: (p, -x - p / 10), LINE, degree=4)
    assert friction.verdict == "no law" and not friction.expressions
    assert np.isnan(ConservedSearch(lambda x, p: (p, -x - p / 10), LINE).run().metrics["drift"])


def test_coefficients_that_are_no_nice_numbers_are_solved_for_or_candidates():
    law = conserved(lambda x, p: (p, -1.23456 * x), LINE)
    (quantity,) = law.valued.values()
    ratio = quantity.coeff(x, 2) / quantity.coeff(p, 2)
    assert float(ratio) == pytest.approx(1.23456, abs=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (dict(flow=lambda x, p: p), ValueError, "returns 1 velocities for the coordinates x, p"),
        (dict(flow=lambda x, q: (q, -x)), TypeError, "asks for 'q'"),
        (dict(auxiliary=dict(x=lambda p: p**2)), ValueError, "'x' has the name of a coordinate"),
        (dict(auxiliary=dict(u=lambda x: sqrt(x))), ValueError, "not finite everywhere"),
        (dict(degree=100), ValueError, "at most 2000 are possible"),
        (dict(degree=0), ValueError, "degree"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_cannot_be_searched_is_said(options, error, words):
    with pytest.raises(error, match=words):
        conserved(**(dict(flow=lambda x, p: (p, -x), domain=LINE) | options))


@pytest.mark.parametrize("options", [dict(flow=1), dict(domain=2), dict(degree=0), dict(time=-1), dict(rows=1)])
def test_a_search_that_cannot_run_is_refused(options):
    with pytest.raises((TypeError, ValueError)):
        ConservedSearch(**(dict(flow=isotropic, domain=PLANE) | options))
