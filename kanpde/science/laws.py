"""The public benchmark of laws: seventeen formulas with the ranges to sample, the same with constants that are not nice, and no laws.

>>> law("ringdown")
Formula('ringdown', 'u = exp(-0.3*t)*cos(2*pi*t)')
>>> scrambled("ringdown")
Formula('ringdown', 'u = exp(-0.2871*t)*cos(6.1353*t)')

A control where a method finds a nice number, or a law where there is none, counts against it. Formulas are text as in
:mod:`kanpde.science.feynman`; :func:`kanpde.symbolic.judging.samples` draws data from them.
"""

import difflib
from functools import cache

import numpy as np

from kanpde.science.feynman import Formula, parsed

LAWS = """
gaussian | f = exp(-theta**2/2)/sqrt(2*pi) | theta -3 3
ringdown | u = exp(-0.3*t)*cos(2*pi*t) | t 0 3
langevin | L = coth(x) - 1/x | x 0.3 6
kan_toy | f = exp(sin(pi*x) + y**2) | x y -1 1
kepler_period | T = 2*pi*sqrt(a**3/mu) | a mu 0.5 3
normal_width | f = exp(-theta**2/(2*sigma**2))/(sqrt(2*pi)*sigma) | theta sigma 1 3
parallel | R = R1*R2/(R1 + R2) | R1 R2 0.5 3
lorentz_factor | gamma = 1/sqrt(1 - v**2/c**2) | v 0 0.8; c 1 2
velocity_sum | w = (u + v)/(1 + u*v/c**2) | u v -0.95 0.95; c 1 1.3
arrhenius | k = A*exp(-E/T) | A E 1 5; T 1 4
thick_lens | f = 1/(1/d1 + n/d2) | d1 d2 n 1 5
doppler | w = w0*(1 + v/c)/sqrt(1 - v**2/c**2) | w0 1 5; v -0.6 0.6; c 1 2
interference | I = I1 + I2 + 2*sqrt(I1*I2)*cos(delta) | I1 I2 0.1 2; delta 0 6.283185307179586
bose | u = w**3/(exp(h*w/T) - 1) | w 0.5 4; h T 0.5 2
centre_of_mass | r = (m1*r1 + m2*r2)/(m1 + m2) | m1 m2 0.5 2; r1 r2 -1 1
anharmonic | y = x1*(cos(w*t) + a*cos(w*t)**2) | x1 w 1 3; t 0 2; a 0 1
lorentz_boost | x1 = (x - u*t)/sqrt(1 - u**2/c**2) | x -2 2; u -0.8 0.8; t 0 2; c 1 2
"""

FIRST = """
product | f = x*y | x y -1 1
hypotenuse | f = sqrt(x**2 + y**2) | x y -1 1
parallel | f = 1/(1/x + 1/y) | x y 0.5 3
drift | f = q*V/d | q V d 1 5
kan_toy | f = exp(sin(pi*x) + y**2) | x y -1 1
"""

SCRAMBLED = """
gaussian | f = 0.4127*exp(-0.4613*theta**2) | theta -3 3
ringdown | u = exp(-0.2871*t)*cos(6.1353*t) | t 0 3
langevin | L = 1.0713*coth(x) - 0.9427/x | x 0.3 6
kan_toy | f = exp(0.9137*sin(2.8713*x) + 1.0871*y**2) | x y -1 1
kepler_period | T = 6.4171*sqrt(a**3/mu) | a mu 0.5 3
normal_width | f = 0.4127*exp(-0.4613*theta**2/sigma**2)/sigma | theta sigma 1 3
parallel | R = 1.0713*R1*R2/(R1 + 1.1237*R2) | R1 R2 0.5 3
lorentz_factor | gamma = 1.0613/sqrt(1 - 0.8713*v**2/c**2) | v 0 0.8; c 1 2
velocity_sum | w = (u + 1.0871*v)/(1 + 0.9137*u*v/c**2) | u v -0.95 0.95; c 1 1.3
arrhenius | k = A*exp(-1.0871*E/T) | A E 1 5; T 1 4
thick_lens | f = 1/(1.0613/d1 + 0.8713*n/d2) | d1 d2 n 1 5
doppler | w = w0*(1 + 0.9137*v/c)/sqrt(1 - 0.8713*v**2/c**2) | w0 1 5; v -0.6 0.6; c 1 2
interference | I = I1 + 1.0871*I2 + 1.9137*sqrt(I1*I2)*cos(delta) | I1 I2 0.1 2; delta 0 6.283185307179586
bose | u = 1.0613*w**3/(exp(0.9137*h*w/T) - 1) | w 0.5 4; h T 0.5 2
centre_of_mass | r = (m1*r1 + 1.0871*m2*r2)/(m1 + m2) | m1 m2 0.5 2; r1 r2 -1 1
anharmonic | y = 1.0613*x1*(cos(w*t) + 0.9137*a*cos(w*t)**2) | x1 w 1 3; t 0 2; a 0 1
lorentz_boost | x1 = (x - 1.0871*u*t)/sqrt(1 - 0.8713*u**2/c**2) | x -2 2; u -0.8 0.8; t 0 2; c 1 2
"""

EQUATIONS = """
heat | u_t = u_xx/10 | u_xx -2 2
burgers | u_t = -u*u_x + u_xx/10 | u u_x u_xx -2 2
kdv | u_t = -6*u*u_x - u_xxx | u u_x u_xxx -2 2
"""

BUMPS = 40  # in the sum that is no law


@cache
def laws() -> tuple[Formula, ...]:
    """All seventeen, by number of variables; the three partial differential equations are in :func:`equations`."""
    return parsed(LAWS)


@cache
def first_laws() -> tuple[Formula, ...]:
    """Five that should be found for any seed."""
    return parsed(FIRST)


@cache
def equations() -> tuple[Formula, ...]:
    """The three evolution equations, as functions of the field and its derivatives."""
    return parsed(EQUATIONS)


def law(name: str) -> Formula:
    """The law of a name such as "ringdown" or "kdv"; ``ValueError`` with the nearest names for another."""
    return _named(name, laws() + equations())


def scrambled(name: str) -> Formula:
    """The same law with constants that are not nice: no method should snap them."""
    return _named(name, parsed(SCRAMBLED))


def _named(name: str, among: tuple[Formula, ...]) -> Formula:
    known = {each.name: each for each in among}
    if name not in known:
        close = ", ".join(difflib.get_close_matches(str(name), known, 3)) or ", ".join(known)
        raise ValueError(f"there is no law {name!r} in the benchmark; the nearest names are {close}")
    return known[name]


def bumps(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """No law: a sum of forty Gaussian bumps of random place, width and height over the ranges of ``points`` (n, d); (n,), of rms near 1."""
    random, points = np.random.default_rng([seed, 20]), np.asarray(points, dtype=float)
    low, span = points.min(0), np.ptp(points, 0)
    unit = (points - low) / np.where(span > 0, span, 1.0)
    places, widths, heights = random.random((BUMPS, points.shape[1])), random.uniform(0.08, 0.25, BUMPS), random.standard_normal(BUMPS)
    widths = widths * points.shape[1] ** 0.5
    total = sum(h * np.exp(-((unit - p) ** 2).sum(1) / (2 * w**2)) for h, p, w in zip(heights, places, widths, strict=True))
    return np.asarray(total) / max(float(np.sqrt(np.mean(np.square(total)))), 1e-12)


def pure_noise(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """No law: normal numbers that have nothing to do with ``points``; (n,)."""
    return np.random.default_rng([seed, 21]).standard_normal(len(points))
