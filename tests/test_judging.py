"""The judge of laws: right formulas in other shapes, wrong ones, near misses, constants with and without uncertainty."""

import contextlib
import doctest
import math
import time

import numpy as np
import pytest
import sympy

from kanpde.science import laws as data
from kanpde.science.feynman import Formula
from kanpde.science.laws import bumps, law, laws, pure_noise, scrambled
from kanpde.symbolic import comparing, judging
from kanpde.symbolic.judging import judged, samples, true_values
from kanpde.symbolic.law import Law, LawConstant
from kanpde.symbolic.reading import read


def found(text, truth, *constants, verdict="exact within noise"):
    """A law of a text, with the inputs of the truth, and constants (name, value, sigma) or (name, value, sigma, exact)."""
    return Law(truth.variables, {"y": read(text, truth.variables)}, tuple(LawConstant(*each) for each in constants), verdict, "", 0, 0, 9)


@pytest.mark.parametrize("module", [data, judging])
def test_the_examples_in_the_docstrings(module):
    assert doctest.testmod(module).failed == 0


# ---- without noise ----


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("doppler", "w0*sqrt((1 + v/c)/(1 - v/c))"),
        ("doppler", "w0*sqrt(c + v)/sqrt(c - v)"),
        ("gaussian", "exp(-theta^2/2 - log(2*pi)/2)"),
        ("ringdown", "exp(-3*t/10)*sin(2*pi*t + pi/2)"),
        ("langevin", "1/tanh(x) - 1/x"),
        ("kan_toy", "exp(y^2)*exp(sin(pi*x))"),
        ("kepler_period", "2*pi*a^(3/2)*mu^(-1/2)"),
        ("normal_width", "exp(-(theta/sigma)^2/2)/sigma/sqrt(2*pi)"),
        ("parallel", "1/(1/R1 + 1/R2)"),
        ("lorentz_factor", "c/sqrt(c^2 - v^2)"),
        ("lorentz_factor", "(1 - (v/c)^2)^(-1/2)"),
        ("velocity_sum", "c^2*(u + v)/(c^2 + u*v)"),
        ("arrhenius", "A/exp(E/T)"),
        ("thick_lens", "d1*d2/(d2 + n*d1)"),
        ("interference", "I1 + 2*cos(delta)*sqrt(I1)*sqrt(I2) + I2"),
        ("bose", "-w^3/(1 - exp(h*w/T))"),
        ("centre_of_mass", "r2 + m1*(r1 - r2)/(m1 + m2)"),
        ("anharmonic", "x1*cos(t*w) + a*x1*cos(t*w)^2"),
        ("lorentz_boost", "c*(x - u*t)/sqrt((c - u)*(c + u))"),
    ],
)
def test_right_formulas_in_other_shapes(name, text):
    truth = law(name)
    here = judged(found(text, truth), truth)
    assert here.found and here.numeric and here.proof == "sympy" and here.compact and here.structure and here.srbench and not here.wrong
    assert judged(found(text, truth), truth, noise=0.1).found


@pytest.mark.parametrize("one", laws(), ids=lambda each: each.name)
def test_every_law_is_itself_and_not_its_scrambled_twin(one):
    assert judged(found(one.text, one), one).found
    other = scrambled(one.name)
    assert other.ranges == one.ranges and other.output == one.output
    twin = judged(found(other.text, one), one)
    assert not twin.found and twin.wrong is not twin.structure and twin.claimed and twin.nice
    itself = judged(found(other.text, other), other)
    assert itself.found and not itself.nice


def test_a_proof_that_sympy_cannot_give_is_one_by_digits():
    truth = Formula("x", "y", "sin(x)", {"x": (0.1, 1.0)})
    same = "sin(x + sin(x)/1e60)"
    start = time.perf_counter()
    here = judged(found(same, truth), truth, seconds=1.0)
    assert here.proof == "mpmath" and here.symbolic and time.perf_counter() - start < 8
    assert judged(found("sin(x + sin(x)/1e20)", truth), truth).proof == ""  # 1e-20 apart: seen with 40 digits, not with doubles


@pytest.mark.parametrize(
    ("name", "text", "srbench"),
    [
        ("doppler", "w0*(1 + v/c)", False),
        ("gaussian", "exp(-theta^2/2)/sqrt(2*pi) + 1/1000", True),
        ("gaussian", "2*exp(-theta^2/2)/sqrt(2*pi)", True),
        ("ringdown", "exp(-0.3*t)*cos(6.2832*t)", False),
        ("kepler_period", "6.28*sqrt(a^3/mu)", True),
        ("parallel", "R1*R2/(R1 + R2) + (R1 - R2)/1e5", True),
        ("arrhenius", "A*exp(-E/T)*(1 + 1e-5*E)", True),
        ("langevin", "x/3 - x^3/45", False),
        ("langevin", "log(x - 5)", False),
    ],
)
def test_wrong_formulas_and_near_misses(name, text, srbench):
    truth = law(name)
    here = judged(found(text, truth), truth)
    assert not here.found and not here.symbolic and here.srbench is srbench
    assert judged(found(text, truth, verdict="candidate"), truth).wrong is False
    assert not judged(found(text, truth), truth, noise=0.01).found


def test_a_wrong_structure_that_claims_to_be_one_is_wrong():
    truth = law("ringdown")
    assert judged(found("exp(-0.3*t)*(1 - 19*t^2)", truth), truth).wrong
    assert not judged(found("c1*exp(-c2*t)*cos(c3*t)", truth, ("c1", 0.9, 0.1), ("c2", 0.2, 0.1), ("c3", 6.2, 0.1)), truth, noise=0.1).wrong
    nothing = Law(("t",), {}, (), "no law", "", 1.0, 1.0, math.inf)
    assert not judged(nothing, truth).found and not judged(nothing, truth).wrong


def test_where_there_is_no_law_every_claim_is_wrong():
    truth = law("gaussian")
    assert judged(found("theta", truth), None).wrong and not judged(found("theta", truth, verdict="candidate"), None).wrong


def test_twice_the_nodes_are_too_many():
    truth = law("langevin")
    here = judged(found("(exp(2*x) + 1)/(exp(2*x) - 1) - 1/x", truth), truth, seconds=3)
    assert here.symbolic and not here.compact and not here.found
    truth = law("parallel")
    here = judged(found("R1*R2/(R1 + R2)*(sin(R1 + R2)^2 + cos(R1 + R2)^2)", truth), truth)
    assert here.symbolic and here.numeric and here.structure and not here.compact and not here.found and not here.wrong


# ---- with noise ----


def test_constants_within_three_sigma():
    truth = law("ringdown")
    right = ("c1", 0.3004, 0.0003), ("c2", 6.2831, 0.0002)
    here = judged(found("exp(-c1*t)*cos(c2*t)", truth, *right), truth, noise=0.01)
    assert here.found and here.structure and not here.symbolic and dict(here.pulls)["c1"] == pytest.approx(4 / 3)
    assert here.covered == (2, 2) and not here.srbench
    assert not judged(found("exp(-c1*t)*cos(c2*t)", truth, *right), truth).found  # without noise they would have been snapped
    off = judged(found("exp(-c1*t)*cos(c2*t)", truth, ("c1", 0.302, 0.0003), right[1]), truth, noise=0.01)
    assert not off.found and off.structure and not off.within and off.covered == (1, 2) and not off.wrong
    unknown = judged(found("exp(-c1*t)*cos(c2*t)", truth, ("c1", 0.3004, math.nan), right[1]), truth, noise=0.01)
    assert not unknown.found and unknown.covered == (1, 1)


def test_constants_in_another_parametrisation():
    truth = law("normal_width")
    here = judged(found("exp(c1 - c2*theta^2/sigma^2)/sigma", truth, ("c1", -0.91, 0.02), ("c2", 0.49, 0.01)), truth, noise=0.1)
    assert here.found and dict(here.pulls)["c1"] == pytest.approx((-0.91 + math.log(2 * math.pi) / 2) / 0.02)


def test_what_was_snapped_counts_for_the_uncertainties():
    truth = law("ringdown")
    here = judged(found("exp(-c1*t)*cos(2*pi*t)", truth, ("c1", 0.3004, 0.0003), ("c2", 6.2836, 0.0002, "2*pi")), truth, noise=0.01)
    assert here.found and dict(here.pulls)["c2"] == pytest.approx((6.2836 - 2 * math.pi) / 0.0002) and here.covered == (1, 2)


def test_constants_too_many():
    truth = law("ringdown")
    base = ("c1", 0.3004, 0.0003), ("c2", 6.2831, 0.0002)
    offset = judged(found("exp(-c1*t)*cos(c2*t) + c3", truth, *base, ("c3", 1e-4, 2e-4)), truth, noise=0.01)
    assert offset.spurious == ("c3",) and not offset.structure and not offset.found and offset.wrong
    twice = judged(found("c4*exp(c3 - c1*t)*cos(c2*t)", truth, *base, ("c3", 0.1, 0.1), ("c4", 0.9, 0.1)), truth, noise=0.01)
    assert set(twice.spurious) == {"c3", "c4"} and not twice.found


def test_numbers_that_were_snapped_and_are_not_nice():
    truth = scrambled("ringdown")
    here = judged(found("exp(-0.29*t)*cos(c1*t)", truth, ("c1", 6.1352, 0.0002)), truth, noise=0.01)
    assert here.wrongly_snapped == ("-29/100",) and not here.found and here.structure and not here.wrong
    fair = judged(found("exp(-c2*t)*cos(c1*t)", truth, ("c1", 6.1352, 0.0002), ("c2", 0.287, 0.001)), truth, noise=0.01)
    assert fair.found and fair.wrongly_snapped == ()
    exact = judged(found("exp(-c2*t)*cos(c1*t)", truth, ("c1", 6.1353, 1e-15), ("c2", 0.2871, 1e-15)), truth)
    assert exact.found and exact.numeric and not exact.symbolic and not exact.nice
    both = judged(found("0.41*exp(-0.46*theta^2)", scrambled("gaussian")), scrambled("gaussian"), noise=0.1)
    assert set(both.wrongly_snapped) == {"41/100", "-23/50"}


def test_floats_in_a_formula_have_no_uncertainty():
    truth = law("ringdown")
    t = sympy.Symbol("t", real=True)
    here = judged(Law(("t",), {"y": sympy.exp(-0.3001 * t) * sympy.cos(6.2832 * t)}, (), "candidate", "", 0, 0, 1), truth, noise=0.01)
    assert here.structure and not here.found and here.wrongly_snapped == () and here.covered == (0, 0)
    close = Law(("t",), {"y": 1.00001 * sympy.exp(-0.30004 * t) * sympy.cos(2 * sympy.pi * t)}, (), "candidate", "", 0, 0, 1)
    assert judged(close, truth).srbench


# ---- samples ----


def test_samples_are_the_formula_and_noise_of_the_asked_size():
    truth = law("bose")
    X, y = samples(truth, 500, seed=3)
    w, h, T = X.T
    assert y == pytest.approx(w**3 / np.expm1(h * w / T), rel=1e-12) and X.shape == (500, 3)
    noisy = samples(truth, 500, noise=0.1, seed=3)
    assert np.array_equal(noisy[0], X) and np.std(noisy[1] - y) / np.sqrt(np.mean(y**2)) == pytest.approx(0.1, rel=0.1)
    assert np.array_equal(samples(truth, 500, noise=0.1, seed=3)[1], noisy[1])
    assert not np.array_equal(samples(truth, 500, seed=4)[0], X)
    with pytest.raises(ValueError, match="0 or more, got -1"):
        samples(truth, noise=-1)
    root = Formula("x", "y", "sqrt(x)", {"x": (-1, 1)})
    with pytest.raises(ValueError, match="is not finite at"):
        samples(root)
    assert np.isnan(true_values(root, np.array([[-0.5]]))).all()


def test_controls_without_a_law():
    X, _ = samples(law("thick_lens"), 400)
    one, other = bumps(X, 1), pure_noise(X, 1)
    assert np.sqrt(np.mean(one**2)) == pytest.approx(1) and np.array_equal(one, bumps(X, 1)) and not np.array_equal(one, bumps(X, 2))
    assert abs(np.mean(other)) < 0.2 and np.array_equal(other, pure_noise(X, 1))


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no law 'dopler' in the benchmark; the nearest names are doppler"):
        law("dopler")
    with pytest.raises(ValueError, match="give it the same"):
        judged(found("theta", law("gaussian")), law("ringdown"))


def test_the_time_limit_leaves_things_as_they_were():
    import signal

    before = signal.getsignal(signal.SIGALRM)
    start = time.perf_counter()

    def forever():
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    assert comparing.within_seconds(forever, 0.2) is None and time.perf_counter() - start < 2
    assert comparing.within_seconds(lambda: 3, 5.0) == 3 and signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
