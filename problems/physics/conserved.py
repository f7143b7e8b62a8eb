"""Everything that an oscillator conserves, in one dimension and in two; beyond the paper a pendulum and Kepler's planet.

    dH/dt = f . grad H = 0   along dx/dt = u, du/dt = -x   (and likewise for y, v)

for all H among polynomials of some degree, constants excluded: the energies of both directions, the angular momentum, and x y + u v,
which these determine. Liu et al., KAN 2.0, arXiv 2408.10205, train a network from several seeds and find one of the three at a time.
"""

from kanpde import Box, ConservedSearch
from kanpde.functions import cos, sin, sqrt

line, plane = Box(x=(-2, 2), u=(-2, 2)), Box(x=(-2, 2), y=(-2, 2), u=(-2, 2), v=(-2, 2))


def oscillator(x, u):
    return u, -x


def oscillator_2d(x, y, u, v):
    return u, v, -x, -y


def pendulum(x, u):
    return u, -sin(x)


def distance(x, y):
    return sqrt(x**2 + y**2)


def kepler(x, y, u, v):
    return u, v, -x / distance(x, y) ** 3, -y / distance(x, y) ** 3


def inverse_distance(x, y):
    return 1 / distance(x, y)


experiments = {
    "oscillator": ConservedSearch(oscillator, line, degree=4),
    "oscillator_2d": ConservedSearch(oscillator_2d, plane, degree=4),
    "pendulum": ConservedSearch(pendulum, line, degree=4, auxiliary=dict(c=lambda x: cos(x))),
    "kepler": ConservedSearch(
        kepler, Box(x=(0.5, 2), y=(0.5, 2), u=(-0.5, 0.5), v=(-0.5, 0.5)), degree=3, auxiliary=dict(w=inverse_distance), time=20
    ),
}
