"""Fields set by their dotted path, and values that are refused."""

import pytest

from kanpde import KAN, Box, Chebyshev, Condition, Dirichlet, Experiment, Initial, LevenbergMarquardt, Problem, Refine, Sampling
from kanpde.settings import with_setting

strip = Box(x=(0, 1), t=(0, 1))


@pytest.fixture
def experiment():
    conditions = [Initial(0), Dirichlet(0, on=strip.side(x=0), hard=True), Condition(lambda u: u.x, on=strip.side(x=1))]
    problem = Problem(strip, lambda u, nu: u.t - nu * u.xx, conditions=conditions, parameters={"nu": 1})
    return Experiment(problem, model=KAN(2, 3, 1, basis=Chebyshev(4)), training=[LevenbergMarquardt(steps=5), Refine(6)])


def test_fields_of_conditions(experiment):
    changed = with_setting(experiment, "problem.conditions.weight", 10)
    assert [condition.weight for condition in changed.problem.conditions] == [10.0] * 3
    assert [condition.weight for condition in experiment.problem.conditions] == [100.0] * 3  # the original stays
    soft = with_setting(experiment, "problem.conditions.hard", False)
    assert [condition.hard for condition in soft.problem.conditions] == [False] * 3
    assert len({condition.name for condition in soft.problem.conditions}) == 3


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("problem.conditions.wieght", 10, "did you mean 'weight'"),
        ("problem.conditions.weight", -1, "positive number, got -1"),
        ("problem.conditions.weight", "heavy", "positive number, got 'heavy'"),
        ("problem.conditions.hard", 3, "True or False, got 3"),
        ("problem.conditions.on", 3, "on cannot be 3"),
        ("problem.conditions", 3, "set one of its fields instead, conditions"),
        ("problem", 3, "problem.domain"),
        ("problem.domain", 3, "domain.lower"),
        ("model", 3, "model.basis"),
        ("model.basis", "Chebyshev", "basis.degree"),
        ("training", 3, "training.steps"),
        ("sampling", 100, "sampling.interior"),
    ],
)
def test_what_does_not_fit_is_refused(experiment, path, value, message):
    with pytest.raises(ValueError, match=message):
        with_setting(experiment, path, value)


def test_an_object_takes_the_place_of_another(experiment):
    assert with_setting(experiment, "sampling", Sampling(interior=50)).sampling.interior == 50
    assert with_setting(experiment, "model.basis", Chebyshev(7)).model.basis == Chebyshev(7)
    assert with_setting(experiment, "training", [LevenbergMarquardt(steps=2)]).training == [LevenbergMarquardt(steps=2)]
