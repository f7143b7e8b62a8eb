"""Slabs, the state that is handed over, and grid maps that are found."""

import math

import numpy as np
import pytest
import torch

from kanpde import (
    KAN,
    AdaptMap,
    Box,
    Chebyshev,
    Condition,
    Continue,
    Dirichlet,
    Experiment,
    Fourier,
    Initial,
    InitialVelocity,
    Integral,
    LevenbergMarquardt,
    Mapped,
    Periodic,
    Problem,
    Sampling,
    SeparableKAN,
    SinhMap,
    Slabs,
    Unknown,
    load,
    save,
)
from kanpde.fields import coordinate_fields
from kanpde.functions import cos, exp, pi, sin, tanh
from kanpde.objective import outputs
from kanpde.slabs import HandedOver, slab_problem, steepest_front, with_map
from kanpde.training import fit

rod = Box(x=(0, 1), t=(0, 1))
LM = LevenbergMarquardt


def heat_exact(x, t):
    return exp(-(pi**2) * t / 4) * sin(pi * x)


def heat(**options):
    return Problem(
        rod,
        lambda u: u.t - u.xx / 4,
        conditions=[Dirichlet(0, on=rod.boundary, hard=True), Initial(lambda x: sin(pi * x), hard=True)],
        exact=heat_exact,
        **options,
    )


def small(seed=0):
    return SeparableKAN(2, 1, rank=2, basis=Chebyshev(degree=9), seed=seed)


# ---- solutions slab by slab ----


def test_heat_in_three_slabs(tmp_path):
    experiment = Experiment(heat(), small(), [Slabs("t", 3), LM(steps=25)])
    result = experiment.run()
    assert result.metrics["relative_l2"] < 1e-7
    assert result.metrics["parameters"] == 3 * small().parameter_count == len(result.parameters)
    assert result.architecture["model"].startswith("3 slabs of SeparableKAN")
    again = experiment.solution(load(save(result, tmp_path / "heat.h5")))
    x, t = np.linspace(0, 1, 7), np.array([0.0, 0.2, 1 / 3, 0.5, 2 / 3, 0.9, 1.0])
    np.testing.assert_allclose(again(x=x, t=t), np.asarray(heat_exact(x, t), dtype=float), atol=1e-6)
    np.testing.assert_allclose(again.xx(x=0.3, t=0.8), -(math.pi**2) * float(heat_exact(0.3, 0.8)), rtol=1e-4)
    # continuous across the edges
    below, above = again(x=x, t=1 / 3 - 1e-12), again(x=x, t=1 / 3 + 1e-12)
    np.testing.assert_allclose(below, above, atol=1e-10)


def test_a_wave_hands_over_its_velocity():
    def exact(x, t):
        return sin(pi * x) * cos(pi * t)

    problem = Problem(
        rod,
        lambda u: u.tt - u.xx,
        conditions=[
            Dirichlet(0, on=rod.boundary, hard=True),
            Initial(lambda x: sin(pi * x), hard=True),
            InitialVelocity(0, hard=True),
        ],
        exact=exact,
    )
    result = Experiment(problem, small(), [Slabs("t", edges=(0, 0.4, 1)), LM(steps=25)]).run()
    assert result.metrics["relative_l2"] < 1e-5


def test_soft_initial_values_and_composed_networks():
    problem = Problem(
        rod,
        lambda u: u.t - u.xx / 4,
        conditions=[Dirichlet(0, on=rod.boundary, hard=True), Initial(lambda x: sin(pi * x))],
        exact=heat_exact,
    )
    result = Experiment(problem, KAN(2, 4, 1, basis=Chebyshev(7)), [Slabs("t", 2), LM(steps=40, patience=40)]).run()
    assert result.metrics["relative_l2"] < 1e-4


@pytest.mark.parametrize("stop", [3, 11, 15, 16, 19, 20, -2])
def test_a_run_in_slabs_resumes_with_the_same_numbers(stop):
    def train(listener=None, resume=None):
        training = [Slabs("t", 3), LM(steps=4, patience=50, acceleration=False), AdaptMap("x", rounds=2, widest=1.0)]
        network = small().on_box(rod.lower, rod.upper)
        return fit(heat(), network, training, sampling=Sampling(), listener=listener, resume=resume)

    snapshots = []
    whole = train(lambda progress: snapshots.append(progress.snapshot()))
    assert len(whole.maps) > 2 and "there was nothing to change" in whole.stops
    resumed = train(resume=snapshots[stop])
    assert torch.equal(resumed.network.vector(), whole.network.vector())
    assert resumed.maps == whole.maps and resumed.stops == whole.stops
    np.testing.assert_array_equal(resumed.history.columns["error_l2"], whole.history.columns["error_l2"])


def test_a_result_has_the_maps_that_were_found_and_no_others():
    """Later rounds and slabs found none; in random weights, with which the schedule is replayed, they would."""
    problem = Problem(
        rod, lambda u, x, t: u.t - tanh((x - 0.4) / 0.05), conditions=[Initial(0, hard=True)], exact=lambda x, t: t * tanh((x - 0.4) / 0.05)
    )
    model = SeparableKAN(2, 1, rank=2, basis=(Chebyshev(20), Chebyshev(2)))
    experiment = Experiment(problem, model, [Slabs("t", 2), LM(steps=6), AdaptMap("x", rounds=2)], sampling=_many())
    result = experiment.run()
    pieces = experiment.trained_network(result).networks
    assert [rung for rung, _, _ in result.architecture["maps"]] == [1]
    assert pieces[0].bases == pieces[1].bases and isinstance(pieces[0].bases[0], Mapped)
    x, t = np.linspace(0, 1, 7), 0.9
    np.testing.assert_allclose(experiment.solution(result)(x=x, t=t), t * np.tanh((x - 0.4) / 0.05), atol=1e-3)


# ---- the state at an edge ----


def test_the_state_that_is_handed_over_is_the_solution_and_its_derivatives():
    problem, network = heat(), small(seed=3).on_box(rod.lower, rod.upper)
    state, rate = HandedOver(problem, network, "u", 1, 0.7), HandedOver(problem, network, "u", 1, 0.7, (1,))
    x = torch.linspace(0, 1, 5, dtype=torch.float64)
    wanted = outputs(problem, network, torch.stack([x, torch.full_like(x, 0.7)], 1), [(), (0,), (0, 0), (1,)])["u"]
    field = state(x=coordinate_fields(("x", "t"), [x, torch.full_like(x, 0.7)])["x"])
    assert torch.equal(field.value, wanted[()])
    assert torch.equal(field.x.value, wanted[(0,)]) and torch.equal(field.xx.value, wanted[(0, 0)])
    assert state._values({"x": x}, (0,)) is field.x.value  # kept
    assert field.t.value == 0
    np.testing.assert_array_equal(state(x=x.numpy()), wanted[()].numpy())
    np.testing.assert_array_equal(rate(x=x.numpy()), wanted[(1,)].numpy())
    network.assign(2 * network.vector())
    changed = outputs(problem, network, torch.stack([x, torch.full_like(x, 0.7)], 1))["u"][()]
    np.testing.assert_array_equal(state(x=x.numpy()), changed.numpy())
    assert not torch.equal(changed, wanted[()])


def test_a_slab_keeps_sides_and_takes_its_start_from_before():
    problem = heat()
    first = slab_problem(problem, 1, 0.0, 0.5, None)
    second = slab_problem(problem, 1, 0.5, 1.0, (first, small().on_box((0, 0), (1, 0.5))))
    assert second.domain == Box(x=(0, 1), t=(0.5, 1.0))
    assert [type(each) for each in second.conditions] == [Dirichlet, Initial]
    assert second.conditions[0].on == second.domain.boundary
    assert isinstance(second.conditions[1].values(second)["u"], HandedOver)


@pytest.mark.parametrize(
    ("training", "error", "words"),
    [
        ([Slabs("t", edges=(0, 0.5)), LM(steps=1)], ValueError, "does not tile t from 0 to 1"),
        ([Slabs("t", edges=(0, 0.6, 0.5, 1)), LM(steps=1)], ValueError, "does not tile"),
        ([Slabs("s", 2), LM(steps=1)], ValueError, "no coordinate 's'"),
        ([Slabs("x", 2), LM(steps=1)], ValueError, "slabs follow one another in time"),
        ([LM(steps=1), Slabs("t", 2)], ValueError, "must stand first"),
        ([Slabs("t", 2), AdaptMap("x"), LM(steps=1)], ValueError, "no optimizer before it"),
        ([LM(steps=1), AdaptMap("y")], ValueError, "no coordinate 'y'"),
    ],
)
def test_bad_schedules_fail_before_training(training, error, words):
    with pytest.raises(error, match=words):
        Experiment(heat(), small(), training).run()


@pytest.mark.parametrize(
    "condition",
    [
        Dirichlet(lambda x: sin(pi * x), on=rod.initial),
        Condition(lambda u, x: u - sin(pi * x), on=rod.initial),
        Dirichlet(lambda x: heat_exact(x, 1), on=rod.side(t=1)),
    ],
)
def test_conditions_at_one_time_must_be_initial_ones(condition):
    start = [] if condition.on == rod.initial else [Initial(lambda x: sin(pi * x))]
    problem = Problem(rod, lambda u: u.t - u.xx / 4, conditions=[Dirichlet(0, on=rod.boundary), *start, condition])
    with pytest.raises(ValueError, match="only Initial and InitialVelocity may do with Slabs"):
        Experiment(problem, small(), [Slabs("t", 2), LM(steps=1)]).run()


def test_unknown_coefficients_do_not_go_with_slabs_or_continuation():
    problem = Problem(
        rod, lambda u, nu: u.t - nu * u.xx, parameters=dict(nu=Unknown(0.1)), conditions=[Dirichlet(0, on=rod.boundary), Initial(0)]
    )
    with pytest.raises(ValueError, match="nu is Unknown"):
        Experiment(problem, small(), [Slabs("t", 2), LM(steps=1)]).run()
    with pytest.raises(ValueError, match="nu is Unknown"):
        Experiment(problem, small(), [Continue(nu=[1, 0.1]), LM(steps=1)]).run()


def test_a_periodic_basis_hands_over_value_and_velocity():
    ring = Box(x=(0, 2), t=(0, 1))

    def exact(x, t):
        return sin(pi * (x - t))

    conditions = [Initial(lambda x: sin(pi * x), hard=True), InitialVelocity(lambda x: -pi * cos(pi * x), hard=True), Periodic("x")]
    problem = Problem(ring, lambda u: u.tt - u.xx, conditions=conditions, exact=exact)
    model = SeparableKAN(2, 1, rank=3, basis=(Fourier(2), Chebyshev(10)))
    result = Experiment(problem, model, [Slabs("t", 2), LM(steps=25)]).run()
    assert result.metrics["relative_l2"] < 1e-8


def test_an_interrupted_march_ends_where_it_was_interrupted():
    def interrupt(run):
        if run.fit.rung == 1:
            raise KeyboardInterrupt

    result = Experiment(heat(), small(), [Slabs("t", edges=(0, 0.5, 0.75, 1)), LM(steps=20)], callbacks=interrupt).run()
    assert result.status == "interrupted" and result.metrics["solved_to_t"] == 0.75
    later = result.axes["t"] > 0.75
    assert np.isnan(result.solution["u"][:, later]).all() and np.isfinite(result.solution["u"][:, ~later]).all()
    assert result.metrics["relative_l2"] < 0.1


def test_what_cannot_be_cut_or_stretched_is_refused():
    whole = Integral(lambda u: u, over=rod, value=0)
    problem = Problem(rod, lambda u: u.t - u.xx, conditions=[Dirichlet(0, on=rod.boundary), Initial(0), whole])
    with pytest.raises(ValueError, match="cannot be cut into slabs"):
        Experiment(problem, small(), [Slabs("t", 2), LM(steps=1)]).run()
    with pytest.raises(TypeError, match="use a SeparableKAN"):
        Experiment(heat(), KAN(2, 2, 1, basis=Chebyshev(4)), [LM(steps=1), AdaptMap("x")]).run()


@pytest.mark.parametrize("arguments", [{}, {"count": 2, "edges": (0, 1)}, {"count": 0}, {"count": 2.5}])
def test_bad_slabs(arguments):
    with pytest.raises(ValueError, match="Slabs"):
        Slabs("t", **arguments)


@pytest.mark.parametrize("arguments", [{"rounds": 0}, {"slack": 0}, {"slack": 1.5}, {"widest": math.nan}])
def test_bad_maps(arguments):
    with pytest.raises(ValueError, match="AdaptMap"):
        AdaptMap("x", **arguments)


# ---- fronts ----


@pytest.mark.parametrize(("centre", "width"), [(0.4, 0.05), (-0.7, 0.02)])
def test_a_front_is_found_where_it_is(centre, width):
    box = Box(x=(0, 4), y=(0, 1))
    place, thickness = 2 + 2 * centre, 2 * width

    def front(x):
        return tanh((x - place) / thickness)

    problem = Problem(box, lambda u, x: u - front(x), exact=lambda x: front(x))
    model = SeparableKAN(2, 1, rank=1, basis=(Mapped(Chebyshev(40), SinhMap(centre, width)), Chebyshev(2)))
    network = fit(problem, model.on_box(box.lower, box.upper), [LM(steps=30)], sampling=_many()).network
    found = steepest_front(problem, network, 0)
    assert found == pytest.approx((centre, width), rel=0.02)


def _many():
    return Sampling(interior=600)


def test_a_front_is_stretched_and_then_resolved():
    box = Box(x=(-1, 1), y=(0, 1))
    problem = Problem(box, lambda u, x: u - tanh((x - 0.3) / 0.02), exact=lambda x: tanh((x - 0.3) / 0.02))
    model = SeparableKAN(2, 1, rank=1, basis=(Chebyshev(48), Chebyshev(1)))
    plain = Experiment(problem, model, [LM(steps=40)], sampling=_many()).run()
    mapped = Experiment(problem, model, [LM(steps=40), AdaptMap("x", rounds=3)], sampling=_many()).run()
    assert plain.metrics["relative_l2"] > 1e-2
    assert mapped.metrics["relative_l2"] < 1e-5
    (_, centre, width) = mapped.architecture["maps"][-1]
    assert centre == pytest.approx(0.3, abs=0.01) and width == pytest.approx(0.7 * 0.02, rel=0.3)


def test_a_map_is_narrower_than_the_front_and_stays_until_the_front_is_steeper_or_elsewhere():
    adapt, plain = AdaptMap("x", slack=0.5, widest=0.4), Chebyshev(8)
    assert adapt.renewed(plain, 0.1, 0.2) == (0.1, 0.1)
    assert adapt.renewed(plain, 0.1, 0.9) is None
    held = Mapped(plain, SinhMap(0.1, 0.1))
    assert adapt.renewed(held, 0.15, 0.11) is None
    assert adapt.renewed(held, 0.15, 0.09) == (0.15, 0.045)
    assert adapt.renewed(held, 0.3, 0.5) == (0.3, 0.1)


def test_a_round_without_a_new_map_is_over_at_once():
    network = small().on_box(rod.lower, rod.upper)
    progress = fit(heat(), network, [LM(steps=2), AdaptMap("x", rounds=2, widest=0.1), LM(steps=3)], sampling=_many())
    assert progress.history.length == 5 and not progress.maps
    assert progress.stops == ["all steps done", "there was nothing to change", "there was nothing to change", "all steps done"]


def test_a_slab_begins_with_the_map_that_its_start_asks_for():
    box = Box(x=(-1, 1), t=(0, 1))

    def exact(x, t):
        return tanh(x * (1 + 20 * t))

    problem = Problem(box, lambda u, x, t: u.t - 20 * x * (1 - exact(x, t) ** 2), conditions=[Initial(tanh, hard=True)], exact=exact)
    model = SeparableKAN(2, 1, rank=6, basis=(Chebyshev(24), Chebyshev(8)))
    training = [Slabs("t", 2), LM(steps=4), AdaptMap("x", rounds=1, slack=1.0)]
    progress = fit(problem, model.on_box(box.lower, box.upper), training, sampling=_many())
    assert progress.history.length >= 12
    first, second = progress.maps[1], progress.maps[2]  # of the second slab, before its first descent
    assert second[1] < first[1] < 0.12


def test_a_new_map_keeps_the_function():
    network = SeparableKAN(2, 1, rank=2, basis=(Chebyshev(8), Chebyshev(3)), seed=1)
    other = with_map(network.remade(basis=(Chebyshev(30), Chebyshev(3))), 0, 0.2, 0.4)
    finer = network.refined(8)
    points = torch.rand(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wanted = network.remade(basis=(Chebyshev(30), Chebyshev(3)))(points).detach()
    np.testing.assert_allclose(other(points).detach(), wanted, atol=2e-3 * float(wanted.abs().max()))
    assert finer.bases[1].resolution == 8
    assert isinstance(other.bases[0], Mapped) and other.bases[0].map == SinhMap(0.2, 0.4)


def test_rounding_on_an_edge_is_no_front():
    """On y = +-1 the solution is what a soft condition leaves of zero, as steep for its size as can be."""
    square = Box(x=(-1, 1), y=(-1, 1))
    problem = Problem(
        square,
        lambda u, x, y: u.xx + u.yy + 2 * pi**2 * sin(pi * x) * sin(pi * y),
        conditions=[Dirichlet(0, on=square.boundary)],
        exact=lambda x, y: sin(pi * x) * sin(pi * y),
    )
    model = SeparableKAN(2, 1, rank=2, basis=Chebyshev(14))
    training = [LM(steps=12), AdaptMap("x", rounds=2)]
    result = Experiment(problem, model, training, sampling=Sampling(interior=300)).run()
    assert result.metrics["relative_l2"] < 1e-6 and not result.architecture["maps"]
    assert steepest_front(problem, model.on_box(square.lower, square.upper), 0)[1] > 0


def test_a_solution_in_slabs_has_the_last_values_of_a_continuation():
    box = Box(x=(0, 1), t=(0, 1))
    problem = Problem(
        box,
        lambda u, t, a: u.t - u.xx - 2 * pi * a * cos(2 * pi * t),
        parameters=dict(a=1.0),
        conditions=[Initial(0, hard=True), Dirichlet(lambda t, a: a * sin(2 * pi * t), on=box.boundary, hard=True)],
        exact=lambda t, a: a * sin(2 * pi * t),
    )
    training = [Slabs("t", 2), Continue(a=[0.5, 1.0]), LM(steps=8)]
    experiment = Experiment(problem, SeparableKAN(2, 1, rank=1, basis=Chebyshev(3)), training)
    result = experiment.run()
    assert result.metrics["relative_l2"] < 1e-9
    for t in (0.2, 0.7):
        assert experiment.solution(result)(x=0.5, t=t) == pytest.approx(math.sin(2 * math.pi * t), abs=1e-9)
