"""Reference solutions against quadrature by other means."""

import math

import mpmath
import numpy as np
import pytest

from kanpde.science.burgers import cole_hopf


@pytest.mark.parametrize("nu", [0.1 / math.pi, 0.01 / math.pi, 1e-3])
@pytest.mark.parametrize("t", [0.05, 0.32, 1.0])
def test_cole_hopf_against_the_trapezoidal_rule(nu, t):
    x = np.linspace(-1, 1, 41)
    y = np.linspace(-3, 3, 20_001)
    exponent = -np.cos(np.pi * (x[:, None] - y)) / (2 * np.pi * nu) - y**2 / (4 * nu * t)
    weight = np.exp(exponent - exponent.max(1, keepdims=True))
    wanted = -(np.sin(np.pi * (x[:, None] - y)) * weight).sum(1) / weight.sum(1)
    np.testing.assert_allclose(cole_hopf(x, t, nu), wanted, atol=3e-15)


def test_cole_hopf_against_mpmath():
    nu, t, x = mpmath.mpf("0.1") / mpmath.pi, mpmath.mpf("0.3"), mpmath.mpf("0.2")

    def weight(y):
        return mpmath.exp(-mpmath.cos(mpmath.pi * (x - y)) / (2 * mpmath.pi * nu) - y**2 / (4 * nu * t))

    ends = [-2, -1, 0, 1, 2]
    wanted = -mpmath.quad(lambda y: mpmath.sin(mpmath.pi * (x - y)) * weight(y), ends) / mpmath.quad(weight, ends)
    assert float(cole_hopf(0.2, 0.3, 0.1 / math.pi)) == pytest.approx(float(wanted), abs=1e-13)


def test_cole_hopf_solves_the_equation():
    nu, h = 0.05, 1e-4
    x, t = np.meshgrid(np.linspace(-0.9, 0.9, 9), [0.2, 0.7])

    def u(dx=0.0, dt=0.0):
        return cole_hopf(x + dx, t + dt, nu)

    u_t, u_x, u_xx = (u(0, h) - u(0, -h)) / (2 * h), (u(h) - u(-h)) / (2 * h), (u(h) - 2 * u() + u(-h)) / h**2
    np.testing.assert_allclose(u_t + u() * u_x, nu * u_xx, atol=2e-5)


def test_cole_hopf_starts_from_the_sine_and_broadcasts():
    x = np.linspace(-1, 1, 5)[:, None]
    np.testing.assert_allclose(cole_hopf(x, np.zeros(3), 0.01), np.broadcast_to(-np.sin(np.pi * x), (5, 3)), atol=1e-14)
    assert cole_hopf(0.5, 0.5, 0.01).shape == ()


@pytest.mark.parametrize(
    ("t", "nu", "words"), [(0.5, 0.0, "viscosity.* nu=0.0"), (0.5, -1, "positive"), (-0.1, 0.1, "from 0 on, got t=-0.1")]
)
def test_bad_arguments(t, nu, words):
    with pytest.raises(ValueError, match=words):
        cole_hopf(0.0, t, nu)
