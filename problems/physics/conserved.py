"""Everything that an oscillator conserves, in one dimension and in two; beyond the paper a pendulum and Kepler's planet.

    dH/dt = f . grad H = 0   along dx/dt = p, dp/dt = -x   (and likewise for y)

for all H among polynomials of some degree, constants excluded: the energies of both directions, the angular momentum, and x y + px py,
which these determine. Liu et al., KAN 2.0, arXiv 2408.10205, train a network from several seeds and find one of the three at a time.
"""

from kanpde import Box, ConservedSearch
from kanpde.functions import cos, sin, sqrt

line, plane = Box(x=(-2, 2), p=(-2, 2)), Box(x=(-2, 2), y=(-2, 2), px=(-2, 2), py=(-2, 2))


def oscillator(x, p):
    return p, -x


def oscillator_2d(x, y, px, py):
    return px, py, -x, -y


def pendulum(x, p):
    return p, -sin(x)


def distance(x, y):
    return sqrt(x**2 + y**2)


def kepler(x, y, px, py):
    return px, py, -x / distance(x, y) ** 3, -y / distance(x, y) ** 3


def inverse_distance(x, y):
    return 1 / distance(x, y)


experiments = {
    "oscillator": ConservedSearch(oscillator, line, degree=4),
    "oscillator_2d": ConservedSearch(oscillator_2d, plane, degree=4),
    "pendulum": ConservedSearch(pendulum, line, degree=4, auxiliary=dict(c=lambda x: cos(x))),
    "kepler": ConservedSearch(
        kepler, Box(x=(0.5, 2), y=(0.5, 2), px=(-0.5, 0.5), py=(-0.5, 0.5)), degree=3, auxiliary=dict(u=inverse_distance), time=20
    ),
}
