"""The special functions against mpmath, the landmarks against the source, and the arcsine density."""

import mpmath
import numpy as np
import pytest

from kanpde.science.special import SpecialFunction, special, special_functions

EVERY = special_functions()
TRUTH = {
    "ellipj": lambda u, m: mpmath.ellipfun("sn", u, m=m),
    "ellipkinc": lambda phi, m: mpmath.ellipf(phi, m),
    "ellipeinc": lambda phi, m: mpmath.ellipe(phi, m),
    "jv": mpmath.besselj,
    "yv": mpmath.bessely,
    "kv": mpmath.besselk,
    "iv": mpmath.besseli,
    "lpmv_0": lambda nu, x: mpmath.legenp(nu, 0, x, type=2),
    "lpmv_1": lambda nu, x: mpmath.legenp(nu, 1, x, type=2),
    "lpmv_2": lambda nu, x: mpmath.legenp(nu, 2, x, type=2),
    **{f"sph_harm_{n}_{m}": lambda theta, phi, n=n, m=m: mpmath.spherharm(n, m, theta, phi) for n in (1, 2) for m in range(n + 1)},
}


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.name)
def test_values_on_the_whole_range(each: SpecialFunction):
    random = np.random.default_rng(0)
    (first, one), (second, other) = each.ranges.items()
    # ends and corners included: nothing is singular there
    points = [(a, b) for a in one for b in other] + [(random.uniform(*one), random.uniform(*other)) for _ in range(12)]
    for a, b in points:
        value, truth = float(each(**{first: a, second: b})), float(mpmath.re(TRUTH[each.name](mpmath.mpf(a), mpmath.mpf(b))))
        assert value == pytest.approx(truth, rel=1e-11, abs=1e-13)
    grid = each(**{first: np.linspace(*one, 5)[:, None], second: np.linspace(*other, 4)})
    assert grid.shape == (5, 4) and np.isfinite(grid).all()


def test_the_landmarks_are_those_of_the_source():
    assert len(EVERY) == len({each.name for each in EVERY}) == 15 and set(TRUTH) == {each.name for each in EVERY}
    assert all(each.rmse < each.mlp_rmse and each.shape[0] == 2 and each.shape[-1] == 1 for each in EVERY)
    assert special("iv").rmse == 9.28e-3 and special("lpmv_0").mlp_rmse == 1.74e-2 and special("sph_harm_2_0").shape == (2, 1, 1)


def test_a_name_that_is_not_there():
    with pytest.raises(ValueError, match="no special function 'lpmv'.*lpmv_"):
        special("lpmv")
    with pytest.raises(ValueError, match="they are ellipj, ellipkinc"):
        special("zeta_of_Riemann")
