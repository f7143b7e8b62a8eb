"""Auxiliary inputs: derivatives against nested autograd, equations that they make easy, and what is refused."""

import math

import numpy as np
import pytest
import sympy
import torch

from kanpde import (
    KAN,
    Augmented,
    Box,
    BSpline,
    Chebyshev,
    Dirichlet,
    Experiment,
    GaussNewton,
    LevenbergMarquardt,
    PerInput,
    Problem,
    Refine,
    Smooth,
    Sparsify,
    as_expression,
    figures,
    fix,
    load,
    prune,
    remove_input,
    save,
)
from kanpde.functions import exp, sqrt
from kanpde.jets import channels

CORNER = Box(x=(0.5, 1.5), y=(0.5, 2))


def radius(x, y):
    return sqrt(x**2 + y**2)


def mixed(y, x):
    return exp(x * y) * x


def augmented(*widths, basis=None, **options):
    options = {"auxiliary": dict(r=radius, m=mixed)} | options
    return Augmented(2, *(widths or (3, 1)), coordinates="xy", basis=basis or Chebyshev(4), **options)


def points(n=12):
    return torch.from_numpy(CORNER.sample(n, lambda u: 2 * u - 1, 0))


@pytest.mark.parametrize("demanded", [[(0, 0), (0, 1), (1, 1)], [(0, 0, 1), (1, 1, 1)], [(~0, ~1)]], ids=repr)
@pytest.mark.parametrize("hidden", ["tanh", "range"])
def test_jets_are_nested_autograd(demanded, hidden):
    network = augmented(3, (1, 1), 2, hidden=hidden, seed=2).on_box((0.5, 0.5), (1.5, 2))
    where, chosen = points().requires_grad_(), channels(demanded)
    jet, records = network.jets(where.detach(), chosen)
    values = network(where)
    for number in range(2):
        for row, terms in enumerate(chosen.terms):
            total = 0
            for alpha in terms:
                found = values[:, number]
                for axis in alpha:
                    found = torch.autograd.grad(found.sum(), where, create_graph=True)[0][:, axis]
                total = total + found.detach()
            torch.testing.assert_close(jet[row, number], total, rtol=1e-9, atol=1e-9)
    adjoint = torch.randn(jet.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = network.rows(records, adjoint, torch.empty(network.parameter_count, len(where), dtype=torch.float64))
    start, step = network.vector(), 1e-6
    for place in (0, 7, network.parameter_count - 1):
        ends = []
        for sign in (1, -1):
            moved = start.clone()
            moved[place] += sign * step
            network.assign(moved)
            ends.append((network.jets(where.detach(), chosen)[0] * adjoint).sum((0, 1)))
        network.assign(start)
        torch.testing.assert_close(rows[place], (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        network.gradient(network.jets(where.detach(), chosen, records)[1], adjoint)[:1].isfinite(), torch.tensor([True])
    )


def test_inputs_fill_the_range_of_the_basis():
    network = augmented().on_box((0.5, 0.5), (1.5, 2))
    assert network.input_names == ("x", "y", "r", "m") and network.inputs == 2 and network.layers[0].inputs == 4
    assert float(network.auxiliary_lower[0]) == pytest.approx(math.hypot(0.5, 0.5), abs=0.02)
    assert float(network.auxiliary_upper[0]) == pytest.approx(math.hypot(1.5, 2), abs=0.02)
    assert network.normalised(points(500)).abs().max() <= 1.01


def test_a_function_of_the_radius_is_found_in_one_step():
    """u = r^3 has laplacian 9 r, and is one edge."""
    problem = Problem(
        CORNER,
        lambda u, x, y: u.xx + u.yy - 9 * radius(x, y),
        conditions=[Dirichlet(lambda x, y: radius(x, y) ** 3, on=CORNER.boundary)],
        exact=lambda x, y: radius(x, y) ** 3,
    )
    model = Augmented(2, 1, coordinates="xy", auxiliary=dict(r=radius), basis=Chebyshev(4))
    result = Experiment(problem, model=model, training=GaussNewton(steps=3)).run()
    plain = Experiment(problem, model=KAN(2, 1, basis=Chebyshev(4)), training=GaussNewton(steps=3)).run()
    assert result.metrics["relative_l2"] < 1e-11 and plain.metrics["relative_l2"] > 1e-3


@pytest.fixture(scope="module")
def experiment():
    problem = Problem(CORNER, lambda u, x, y: u - exp(radius(x, y)) * x, exact=lambda x, y: exp(radius(x, y)) * x)
    model = Augmented(2, 3, 1, coordinates=("x", "y"), auxiliary={"r": radius}, basis=BSpline(3, 3))
    return Experiment(problem, model=model, training=[LevenbergMarquardt(steps=5), Sparsify(1e-4), Smooth(1e-6), Refine(5)])


def test_results_and_drawings_know_the_names(experiment, tmp_path):
    result = experiment.run()
    save(result, tmp_path / "run.h5")
    kept = load(tmp_path / "run.h5")
    network = experiment.trained_network(kept)
    assert network.layers[0].basis == BSpline(3, 3).refined(5)
    np.testing.assert_array_equal(network.vector().numpy(), result.parameters)
    assert kept.edges[0].importance.shape == (3, 3)
    texts = [text.get_text() for text in figures.network(kept).axes[0].texts]
    assert [text.strip("$") for text in texts[:3]] == ["x", "y", "r"]


def test_copies_and_networks_made_again_see_the_same():
    network = augmented(3, 1, init="lecun", seed=3).on_box((0.5, 0.5), (1.5, 2))
    where = points()
    for other in (
        network.copy(),
        network.kept().remade(seed=8),
        network.kept().on_box((0, 0), (9, 9)),
        network.refined(4),
        network.edited(),
    ):
        torch.testing.assert_close(other(where), network(where), rtol=0, atol=0)
    assert torch.equal(network.remade().vector(), network.vector())
    finer = network.refined(7)
    torch.testing.assert_close(finer(where), network(where), rtol=1e-12, atol=1e-12)
    assert (
        repr(network)
        == "Augmented(2, 3, 1, coordinates=('x', 'y'), auxiliary=dict(r=radius(), m=mixed()), basis=Chebyshev(degree=4), init='lecun')"
    )
    assert augmented(1, dtype=torch.float32)(where.float()).dtype is torch.float32


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Augmented(3, 1, coordinates="xy", auxiliary=dict(r=radius), basis=Chebyshev(2)), ValueError, "3 coordinates, but 2 names"),
        (lambda: augmented(auxiliary={}), ValueError, "needs auxiliary inputs"),
        (lambda: augmented(auxiliary=dict(r=3)), TypeError, "must be a function of x, y, got 3"),
        (lambda: augmented(auxiliary=dict(x=radius)), ValueError, "has the name of a coordinate"),
        (lambda: augmented(auxiliary=dict(r=lambda x, z: x)), TypeError, "asks for 'z', but the coordinates are x, y"),
        (lambda: augmented(auxiliary=dict(r=lambda x: 0 * x + 2)), ValueError, "'r' is 2 everywhere"),
        (lambda: augmented(auxiliary=dict(r=lambda x: sqrt(x))), ValueError, "'r' is not finite everywhere"),
        (lambda: Experiment(Problem(Box(a=(0, 1), b=(0, 1)), lambda u, a: u - a), model=augmented(), training=GaussNewton()), ValueError,
         "of the coordinates x, y, but the domain has a, b"),
        (lambda: augmented(1, basis=PerInput((Chebyshev(2), Chebyshev(2))))(points()), ValueError, "2 bases, one for each input"),
    ],
)  # fmt: skip
def test_bad_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_coordinates_stay_where_auxiliary_inputs_are_made_of_them():
    network, where = augmented(1), points()
    with pytest.raises(ValueError, match="with column=False input 0 stays one"):
        remove_input(network, 0, where)
    assert remove_input(network, 0, where, column=False)(where).shape == (len(where), 1)
    pruned = prune(network, where, inputs=True, tolerance=1e3)
    assert pruned.report.inputs == (2, 2) and pruned.network(where).shape == (len(where), 1)


def test_formulas_have_auxiliary_inputs_as_functions_of_the_coordinates():
    network, where = Augmented(2, 1, coordinates="xy", auxiliary=dict(r=radius), basis=Chebyshev(3)), points()
    for input in range(3):
        network = fix(network, 0, 0, input, "exp", where).network
    expression = as_expression(network, ["x", "y"])
    assert {str(each) for each in expression.free_symbols} == {"x", "y"} and "sqrt(x**2 + y**2)" in str(expression)
    found = sympy.lambdify(("x", "y"), expression)(*where.T.numpy())
    assert np.abs(found - network(where)[:, 0].detach().numpy()).max() < 1e-12
