"""What others make of samples, in the form of kanpde.discovery.discover: functions (X, y, *, names, output, seed, seconds) -> Law.

Their formulas have floats whose uncertainty nobody knows; the judge of kanpde.symbolic.judging says which have the right structure.
"""

import contextlib
import io
import math
import os
import tempfile

import numpy as np
import sympy

from kanpde.symbolic.law import Candidate, Law, nodes
from kanpde.symbolic.spelling import normal


def kanpde(X, y, **given):
    """kanpde itself."""
    from kanpde.discovery import discover

    return discover(X, y, **given)


def operon_polished(X, y, **given):
    """Operon's skeletons, polished by kanpde."""
    from kanpde.discovery.operon import operon

    return operon(X, y, **given)


def operon(X, y, *, names, output, seed, seconds):
    """Operon alone: of its front the formula with the least description length by its own reckoning."""
    from pyoperon.sklearn import SymbolicRegressor

    from kanpde.discovery.operon import SYMBOLS, _read

    search = SymbolicRegressor(
        allowed_symbols=SYMBOLS, objectives=["mse", "length"], max_length=30, optimizer_iterations=10, generations=100_000,
        max_evaluations=2**31 - 1, max_time=math.ceil(seconds), random_state=seed,
    )  # fmt: skip
    search.fit(X, y)
    plain = [f"v{number + 1}" for number in range(X.shape[1])]
    return stated(_read(search.get_model_string(search.model_, 9, plain), plain, names, 1.0), X, y, names, output)


PYKAN_LIBRARY = ["x", "x^2", "x^3", "1/x", "1/x^2", "sqrt", "exp", "log", "sin", "tanh", "gaussian"]


def pykan(X, y, *, names, output, seed, seconds):
    """pykan 0.2.8 by its tutorial: [d, 5, 1] with sparsity, prune, fit, auto_symbolic, fit, and constants rounded to four digits.

    A fit that diverges ends in an error inside its curve2coef; up to three seeds are tried for one that does not.
    """
    import torch
    from kan import KAN
    from kan.utils import ex_round

    torch.set_default_dtype(torch.float64)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)[:, None]
    data = {"train_input": inputs, "train_label": targets, "test_input": inputs, "test_label": targets}
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        os.chdir(folder)
        try:
            for left in (2, 1, 0):
                try:
                    model = KAN(width=[X.shape[1], 5, 1], grid=3, k=3, seed=seed + 1000 * (2 - left))
                    model.fit(data, opt="LBFGS", steps=50, lamb=0.001)
                    model = model.prune()
                    model.fit(data, opt="LBFGS", steps=50)
                    model.auto_symbolic(lib=PYKAN_LIBRARY)
                    model.fit(data, opt="LBFGS", steps=50)
                    formula = ex_round(model.symbolic_formula(var=[f"v{number + 1}" for number in range(X.shape[1])])[0][0], 4)
                    break
                except Exception:
                    if not left:
                        raise
        finally:
            os.chdir(here)
    symbols = {each: sympy.Symbol(names[int(each.name[1:]) - 1], real=True) for each in formula.free_symbols}
    return stated(formula.xreplace(symbols), X, y, names, output)


def stated(formula, X, y, names, output):
    """A formula as a law that claims nothing."""
    try:
        if formula is None:
            raise ValueError("it is not finite")
        formula = normal(formula, "the formula")
    except ValueError as error:
        return Law(tuple(names), {}, (), "no law", f"the formula cannot be used: {error}", float(np.std(y)), math.nan, math.inf)
    law = Law(tuple(names), {output: formula}, (), "candidate", "as it was given", math.nan, math.nan, math.nan)
    rms = float(np.sqrt(np.mean((law(X) - y) ** 2)))
    front = (Candidate(formula, nodes(formula), rms, math.nan),)
    return Law(tuple(names), {output: formula}, (), "candidate", "as it was given", rms, math.nan, math.inf, front)


METHODS = {
    "kanpde": (kanpde, ""),
    "operon": (operon, "pyoperon"),
    "operon-polished": (operon_polished, "pyoperon"),
    "pykan": (pykan, "kan"),
}
