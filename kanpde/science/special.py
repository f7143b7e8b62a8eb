"""Fifteen special functions of two arguments, the ranges to sample, and what networks are known to reach on them.

>>> special("jv")
SpecialFunction(jv: J_nu(x), nu in (0, 5), x in (0.5, 10))
>>> special("jv")(nu=0.5, x=3.14159)  # sqrt(2/(pi x)) sin x
1.19...e-06

The values are SciPy's, which is imported when a function is called. The source states neither ranges nor numbers of samples: the ranges
here are ours, so that its errors are a landmark rather than a record on the same data. Its ladder: widths of 5, two to six layers, cubic
splines with 3, 5, 10, 20, 50, 100 and 200 intervals, 200 steps of L-BFGS on each, three seeds; the best is reported.

Source: Liu et al., KAN: Kolmogorov-Arnold Networks, arXiv 2404.19756, table 1.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any


@dataclass(frozen=True, eq=False)
class SpecialFunction:
    """A special function of two real arguments by name, numbers or arrays, on ``ranges``: ``Dataset.of(jv.function, **jv.ranges)``.

    ``formula`` is how it is written; ``shape`` the widths of the best KAN of the source, ``rmse`` and ``mlp_rmse`` the root mean square
    errors there of that KAN and of the best perceptron.
    """

    name: str
    formula: str
    function: Callable[..., Any]
    ranges: dict[str, tuple[float, float]]
    shape: tuple[int, ...]
    rmse: float
    mlp_rmse: float

    def __call__(self, **arguments: Any) -> Any:
        """The value at arguments by name."""
        return self.function(**arguments)

    def __repr__(self) -> str:
        ranges = ", ".join(f"{name} in ({low:.6g}, {high:.6g})" for name, (low, high) in self.ranges.items())
        return f"SpecialFunction({self.name}: {self.formula}, {ranges})"


def special(name: str) -> SpecialFunction:
    """The function of a name such as "jv" or "lpmv_2"; ``ValueError`` with the nearest names for another."""
    known = {each.name: each for each in special_functions()}
    if name not in known:
        close = ", ".join(difflib.get_close_matches(str(name), known, 3))
        hint = f"the nearest are {close}" if close else f"they are {', '.join(known)}"
        raise ValueError(f"there is no special function {name!r} here: {hint}")
    return known[name]


def _scipy() -> Any:
    import scipy.special

    return scipy.special


def legendre(order: int) -> Callable[..., Any]:
    """P_nu^order(x), the associated Legendre function of the first kind, with the Condon-Shortley phase."""

    def lpmv(nu: Any, x: Any) -> Any:
        return _scipy().lpmv(order, nu, x)

    return lpmv


def harmonic(degree: int, order: int) -> Callable[..., Any]:
    """The real part of the spherical harmonic Y of a degree n and an order m, with ``theta`` the polar and ``phi`` the azimuthal angle."""

    def harmonic(theta: Any, phi: Any) -> Any:
        return _scipy().sph_harm_y(degree, order, theta, phi).real

    return harmonic


def special_functions() -> list[SpecialFunction]:
    """All fifteen, in the order of the source."""
    amplitude, sphere = {"phi": (0, 1.45), "m": (0, 0.9)}, {"theta": (0, pi), "phi": (0, 2 * pi)}
    degrees = {"nu": (0, 5), "x": (-0.9, 0.9)}
    rows = [
        ("ellipj", "sn(u, m)", lambda u, m: _scipy().ellipj(u, m)[0], {"u": (0, 2), "m": (0, 0.9)}, (2, 3, 2, 1, 1), 1.33e-4, 6.48e-4),
        ("ellipkinc", "F(phi, m)", lambda phi, m: _scipy().ellipkinc(phi, m), amplitude, (2, 2, 1, 1, 1), 1.24e-4, 5.52e-4),
        ("ellipeinc", "E(phi, m)", lambda phi, m: _scipy().ellipeinc(phi, m), amplitude, (2, 2, 1, 1), 8.26e-5, 3.04e-4),
        ("jv", "J_nu(x)", lambda nu, x: _scipy().jv(nu, x), {"nu": (0, 5), "x": (0.5, 10)}, (2, 3, 1, 1, 1), 1.64e-3, 5.52e-3),
        ("yv", "Y_nu(x)", lambda nu, x: _scipy().yv(nu, x), {"nu": (0, 2), "x": (1, 10)}, (2, 2, 2, 1), 1.49e-5, 3.45e-4),
        ("kv", "K_nu(x)", lambda nu, x: _scipy().kv(nu, x), {"nu": (0, 2), "x": (0.5, 5)}, (2, 2, 1), 2.52e-5, 1.67e-4),
        ("iv", "I_nu(x)", lambda nu, x: _scipy().iv(nu, x), {"nu": (0, 5), "x": (0.5, 5)}, (2, 4, 3, 2, 1, 1), 9.28e-3, 1.07e-2),
        ("lpmv_0", "P_nu(x)", legendre(0), degrees, (2, 2, 1), 5.25e-5, 1.74e-2),
        ("lpmv_1", "P_nu^1(x)", legendre(1), degrees, (2, 4, 1), 6.90e-4, 1.50e-3),
        ("lpmv_2", "P_nu^2(x)", legendre(2), degrees, (2, 3, 2, 1), 2.26e-4, 9.43e-4),
        ("sph_harm_1_0", "Y_1^0", harmonic(1, 0), sphere, (2, 1, 1), 2.21e-7, 1.25e-6),
        ("sph_harm_1_1", "Re Y_1^1", harmonic(1, 1), sphere, (2, 3, 2, 1), 1.22e-4, 6.70e-4),
        ("sph_harm_2_0", "Y_2^0", harmonic(2, 0), sphere, (2, 1, 1), 1.95e-7, 2.85e-6),
        ("sph_harm_2_1", "Re Y_2^1", harmonic(2, 1), sphere, (2, 2, 1, 1), 1.50e-5, 1.84e-3),
        ("sph_harm_2_2", "Re Y_2^2", harmonic(2, 2), sphere, (2, 2, 3, 2, 1), 9.45e-5, 6.21e-4),
    ]
    return [SpecialFunction(*row) for row in rows]
