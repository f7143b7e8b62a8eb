"""Solutions of ordinary differential equations whose derivative is a simpler formula than they are: f = the integral of f'."""

import logging
import time
from collections.abc import Iterator

import numpy as np
import sympy
from numpy.polynomial.chebyshev import Chebyshev

from kanpde.discovery.solutions.products import Sampled
from kanpde.discovery.solutions.proposals import Names, Proposal
from kanpde.problem import Problem
from kanpde.symbolic.comparing import within_seconds

logger = logging.getLogger("kanpde")

DEGREE = 100  # at most, of the polynomial that is differentiated
LEAST = 1e-13  # of the greatest coefficient, below which coefficients are rounding
SHARE = 0.4  # of the time that is left, for the search
INTEGRATION = 10.0  # seconds


def antiderivatives(problem: Problem, sampled: Sampled, until: float) -> Iterator[Proposal]:
    """f = F + c with F' the law of f', where there is one coordinate and one unknown, and sympy knows F.

    f is interpolated at Chebyshev points and differentiated there; ``until`` is a time of ``time.perf_counter``.
    """
    from kanpde.discovery.laws import discover

    left = until - time.perf_counter()
    if len(problem.domain.names) != 1 or len(problem.unknowns) != 1 or left <= 0:
        return
    (coordinate,), (unknown,) = problem.domain.names, problem.unknowns
    bounds = [problem.domain.lower[0], problem.domain.upper[0]]
    f = Chebyshev.interpolate(lambda x: np.asarray(sampled({coordinate: x})[unknown]), DEGREE, bounds)
    slope = f.trim(LEAST * float(np.abs(f.coef).max())).deriv()
    points = problem.domain.sample(2 * DEGREE, lambda u: 2 * u - 1, 13)
    values = slope(points[:, 0])
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return
    law = discover(points, values, names=[coordinate], output="slope", seconds=SHARE * left)
    if not law.expressions:
        return
    x, names = sympy.Symbol(coordinate, real=True), Names()
    numbers = {sympy.Symbol(each.name, real=True): sympy.Float(each.value) for each in law.free}
    derivative = law.expression.xreplace(numbers)
    whole = within_seconds(lambda: sympy.integrate(derivative, x), INTEGRATION)
    if whole is None or whole.has(sympy.Integral):
        logger.info("sympy knows no integral of %s", derivative)
        return
    inside = sum(bounds) / 2
    constant = float(f(inside)) - complex(whole.subs(x, inside)).real
    yield Proposal({unknown: whole + names.new(constant)}, names.values, "the integral of the law of its derivative")
