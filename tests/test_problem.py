"""Problems: matching by name, conditions, errors before training, and the ansatz that builds hard conditions in."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch

from kanpde.bases import Chebyshev
from kanpde.conditions import Condition, Dirichlet, Initial
from kanpde.domains import Box
from kanpde.experiment import Experiment
from kanpde.fields import coordinate_fields, laplacian
from kanpde.functions import cos, exp, pi, sin
from kanpde.jets import channels
from kanpde.kan import KAN
from kanpde.objective import Objective, make_chunk, outputs, unknown_fields
from kanpde.optimizers import LevenbergMarquardt
from kanpde.problem import Problem, manufactured
from kanpde.sampling import Sampling
from kanpde.symbolic.equations import contradictions, equations

square = Box(x=(-1, 1), y=(0, 3))
strip = Box(x=(-2, 1), t=(0, 0.5))


def poisson(u):
    return laplacian(u)


def stokes(u, v, p, Re):
    return (p.x - laplacian(u) / Re, p.y - laplacian(v) / Re, u.x + v.y)


# ---- matching by name ----


def test_unknowns_are_what_is_left():
    assert Problem(square, lambda y, u, x, nu, v: u.x + v, parameters={"nu": 1}).unknowns == ("u", "v")
    assert Problem(square, stokes, parameters={"Re": 100}).unknowns == ("u", "v", "p")
    assert Problem(square, lambda p, u: u.x + p, unknowns=("u", "p")).unknowns == ("u", "p")
    assert Problem(square, poisson, unknowns="u").unknowns == ("u",)


def test_arguments_are_matched_by_name_not_by_position():
    seen = {}

    def equation(nu, y, v, x, u):
        seen.update(nu=nu, y=y, v=v, x=x, u=u)
        return getattr(u, "x", 0)

    problem = Problem(square, equation, parameters={"nu": 7}, unknowns=("u", "v"))
    problem.residuals(problem.known({"x": 1, "y": 2}, {"u": 3, "v": 4}))
    assert seen == {"nu": 7, "x": 1, "y": 2, "u": 3, "v": 4}


def test_no_unknown():
    with pytest.raises(ValueError, match=r"the function asks for no unknown: its arguments are x, y"):
        Problem(square, lambda x, y: x + y)
    with pytest.raises(ValueError, match="its arguments are none"):
        Problem(square, lambda: 0)


def test_star_arguments_have_no_names():
    with pytest.raises(TypeError, match=r"takes \*fields, but arguments are matched by name"):
        Problem(square, lambda *fields: 0)


def test_parameters_are_not_coordinates():
    with pytest.raises(ValueError, match="the parameter 'x' has the name of a coordinate"):
        Problem(square, poisson, parameters={"x": 1})


@pytest.mark.parametrize("unknowns", [("u", "x"), ("u", "u"), ("u", "nu")], ids=repr)
def test_unknowns_must_be_names_of_their_own(unknowns):
    with pytest.raises(ValueError, match=repr(unknowns[1])):
        Problem(square, lambda u, x: u.x, unknowns=unknowns, parameters={"nu": 1})


def test_misspelt_names_are_caught_at_once():
    with pytest.raises(TypeError, match=r"asks for 'uu', but the unknowns, coordinates and parameters are u, x, y.*did you mean 'u'"):
        Problem(square, lambda uu: uu, unknowns=("u",))
    with pytest.raises(TypeError, match="asks for 'z', but the unknowns"):
        Problem(square, poisson, conditions=[Condition(lambda u, z: u - z, on=square.side(x=1))])
    with pytest.raises(TypeError, match="asks for 'z', but the coordinates and parameters are x, y"):
        Problem(square, poisson, conditions=[Dirichlet(lambda z: z, on=square.boundary)])
    with pytest.raises(TypeError, match="asks for 'u', but the coordinates and parameters are x, y"):
        Problem(square, poisson, conditions=[Dirichlet(lambda u: u, on=square.boundary)])
    with pytest.raises(TypeError, match="asks for 'u', but the coordinates"):
        Problem(square, poisson, exact=lambda u: u)
    with pytest.raises(TypeError, match="asks for 't', but the coordinates"):
        Problem(square, poisson, reference=lambda x, t: x)


# ---- conditions ----


def residuals(problem, condition, **known):
    return condition.residuals(problem, problem.known({"x": 0.5, "y": 3.0}, known))


def test_dirichlet_by_component():
    lid = square.side(y=3)
    problem = Problem(
        square,
        stokes,
        parameters={"Re": 2},
        conditions=[
            Dirichlet(u=lambda x, Re: Re * x, v=0, on=lid),
            Dirichlet((1, 2, lambda y: y), on=square.side(x=1)),
            Dirichlet(p=5, on=square.side(x=-1)),
        ],
    )
    first, second, third = problem.conditions
    assert residuals(problem, first, u=7.0, v=8.0, p=9.0) == (7 - 2 * 0.5, 8)
    assert residuals(problem, second, u=7.0, v=8.0, p=9.0) == (6, 6, 9 - 3.0)
    assert residuals(problem, third, u=7.0, v=8.0, p=9.0) == (4,)
    assert [c.name for c in problem.conditions] == ["dirichlet_1", "dirichlet_2", "dirichlet_3"]


def test_names_of_conditions_are_told_apart():
    conditions = [
        Dirichlet(0, on=square.side(x=1), name="wall"),
        Dirichlet(0, on=square.side(x=-1), name="wall"),
        Condition(lambda u: u.y, on=square.side(y=0)),
    ]
    problem = Problem(square, poisson, conditions=conditions)
    assert [c.name for c in problem.conditions] == ["wall_1", "wall_2", "condition"]
    assert [c.name for c in conditions] == ["wall", "wall", "condition"]  # the user's objects stay as they were


@pytest.mark.parametrize("names", [("dirichlet_1", None, None), ("equation", "a", "b")], ids=repr)
def test_names_of_conditions_never_collide(names):
    conditions = [
        Dirichlet(0, on=on, name=name) for on, name in zip((square.side(x=1), square.side(x=-1), square.side(y=0)), names, strict=True)
    ]
    found = [c.name for c in Problem(square, poisson, conditions=conditions).conditions]
    assert len({"equation", *found}) == 4


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dirichlet((0, 0), on=square.boundary), "has 2 components, but there are 3 unknowns: u, v, p"),
        (lambda: Dirichlet(0, on=square.boundary), "has 1 component, but there are 3 unknowns"),
        (lambda: Dirichlet(u=0, w=0, on=square.boundary), "fixes 'w', but the unknowns are u, v, p"),
        (lambda: Dirichlet(u=math.nan, on=square.boundary), "gives u the value nan, which is not a finite number"),
        (lambda: Dirichlet((0, math.inf, 0), on=square.boundary), "gives v the value inf"),
        (lambda: Dirichlet(u=0, on=square.boundary - square.boundary), "holds on no side"),
        (
            lambda: Dirichlet(u=0, on=Box(x=(-1, 1), y=(0, 2)).boundary),
            r"lies on the boundary of Box\(.*2.0\)\), but the domain is",
        ),
        (lambda: Condition(lambda u: u, on=Box(x=(0, 1)).boundary), "lies on the boundary of"),
        (lambda: Initial((0, 0, 0)), "has no initial side"),
    ],
)
def test_conditions_that_do_not_fit(make, words):
    with pytest.raises(ValueError, match=words):
        Problem(square, stokes, parameters={"Re": 1}, conditions=[make()])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Dirichlet(on=square.boundary), ValueError, "either one value or values by unknown"),
        (lambda: Dirichlet(0, u=1, on=square.boundary), ValueError, "either one value or values by unknown"),
        (lambda: Initial(), ValueError, "Initial takes either one value"),
        (lambda: Dirichlet(0, on=None), TypeError, r"Dirichlet takes on=box.boundary or on=box.side\(x=1\), got on=None"),
        (lambda: Condition(lambda u: u, on="x"), TypeError, "Condition takes on="),
        (
            lambda: Dirichlet(0, on=square.boundary, weight=0),
            ValueError,
            "weight of a condition must be a positive number, got 0",
        ),
        (lambda: Dirichlet(0, on=square.boundary, weight=-1), ValueError, "got -1"),
        (lambda: Condition(lambda u: u, on=square.boundary, weight=math.nan), ValueError, "got nan"),
        (lambda: Initial(0, weight=math.inf), ValueError, "got inf"),
        (lambda: Initial(0, weight="1"), ValueError, "got '1'"),
    ],
)
def test_bad_conditions(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_numpy_numbers_are_weights():
    assert Dirichlet(0, on=square.boundary, weight=np.float64(2)).weight == 2.0
    assert Dirichlet(0, on=square.boundary, weight=2 * pi).weight == 2 * math.pi


@pytest.mark.parametrize("weight", [np.int64(2), np.float32(2)], ids=repr)
def test_other_numpy_numbers_are_weights(weight):
    assert Dirichlet(0, on=square.boundary, weight=weight).weight == 2.0


@pytest.mark.parametrize("value", ["0", [0], {"u": 0}, 1j], ids=repr)
def test_boundary_values_are_numbers_or_functions(value):
    with pytest.raises((TypeError, ValueError), match=r"Dirichlet\("):
        Problem(square, poisson, conditions=[Dirichlet(value, on=square.boundary)])


@pytest.mark.parametrize("conditions", [[0], [None], [len], None, 3, Dirichlet, "ab", {"u": 0}], ids=repr)
def test_conditions_are_conditions(conditions):
    with pytest.raises(TypeError, match=r"conditions takes a list of conditions such as Dirichlet\(0, on=...\), got "):
        Problem(square, poisson, conditions=conditions)


def test_pieces_by_if_are_explained():
    def step(x):
        return 1 if x < 0.5 else 0

    with pytest.raises(
        TypeError, match=r"what step\(\) compares is an array, .* in `return 1 if x < 0.5 else 0`: write pieces with heaviside"
    ):
        Problem(square, lambda u: u.xx, conditions=[Dirichlet(step, on=square.side(y=square.upper[1]), hard=True)])


def test_initial_lies_at_the_first_time():
    problem = Problem(strip, lambda u: u.t, conditions=[Initial(lambda x: x, hard=True), Dirichlet(1, on=strip.boundary)])
    (side,) = problem.conditions[0].on.sides
    assert (side.axis, side.end, side.value) == (1, 0, 0.0)
    assert [c.name for c in problem.soft] == ["dirichlet"]
    assert repr(Problem(strip, lambda u: u.t, conditions=[Initial(2 * pi, hard=True)]).conditions[0]) == "Initial(2*pi, hard=True)"


def test_solution_by_unknown():
    problem = Problem(square, lambda u, v: u.x + v)
    assert problem.solution(lambda x, y: (x, y), {"x": 1, "y": 2}) == {"u": 1, "v": 2}
    assert problem.solution(lambda x, y: {"v": x, "u": y}, {"x": 1, "y": 2}) == {"u": 2, "v": 1}
    with pytest.raises(ValueError, match="returns 1 values, but the unknowns are u, v: return one for each"):
        problem.solution(lambda x: x, {"x": 1, "y": 2})


# ---- hard conditions ----


def tilted(x, y):
    """Nonzero and not constant on every side; the same function on all of them, so the corners agree."""
    return sin(2 * x + 1) * exp(y / 3) + y**2 - x


BOX1 = Box(x=(0.5, 2))
CUBE = Box(x=(-1, 1), y=(0, 2), z=(1, 4))
SPACETIME = Box(x=(-2, 1), y=(0, 1), t=(0.5, 2))
HARD = {
    "zero": (square, [(square.boundary, 0)]),
    "constant": (square, [(square.boundary, 2 * pi)]),
    "one function": (square, [(square.boundary, tilted)]),
    "per side": (
        square,
        [
            (square.side(x=-1), lambda y: tilted(-1.0, y)),
            (square.side(x=1), lambda y: tilted(1.0, y)),
            (square.side(y=0), lambda x: tilted(x, 0.0)),
            (square.side(y=3), lambda x: tilted(x, 3.0)),
        ],
    ),
    "three sides": (square, [(square.boundary - square.side(x=1), tilted)]),
    "one side": (square, [(square.side(y=3), lambda x: cos(x))]),
    "opposite sides": (square, [(square.side(y=3), lambda x: cos(x)), (square.side(y=0), 2)]),
    "interval": (BOX1, [(BOX1.side(x=0.5), 3), (BOX1.side(x=2), -0.5)]),
    "cube": (CUBE, [(CUBE.boundary, lambda x, y, z: x * y * z + exp(x - z) + cos(y))]),
    "initial": (strip, [(strip.initial, lambda x: sin(pi * x) + x)]),
    "space and time": (
        strip,
        [(strip.boundary, lambda x, t: exp(-t) * x + t**2), (strip.initial, lambda x: x + (x + 2) * (x - 1) * cos(x))],
    ),
    "two dimensions and time": (
        SPACETIME,
        [
            (SPACETIME.boundary, lambda x, y, t: sin(x + 2 * y) * exp(-t) + t * x),
            (SPACETIME.initial, lambda x, y: sin(x + 2 * y) * exp(-0.5) + 0.5 * x),
        ],
    ),
    "parameters": (square, [(square.boundary, lambda x, k: cos(k * x))]),
}
each_hard = pytest.mark.parametrize("name", HARD)


def hard_problem(name):
    box, data = HARD[name]
    conditions = [Initial(value, hard=True) if on == box_initial(box) else Dirichlet(value, on=on, hard=True) for on, value in data]
    return Problem(box, lambda u: laplacian(u), conditions=conditions, parameters={"k": 2.5})


def box_initial(box):
    return box.initial if "t" in box.names else None


def value_at(value, names, points, k=2.5):
    """Boundary values by NumPy, independently of kanpde's calling by name."""
    if not callable(value):
        return np.full(len(points), float(value))
    columns = dict(zip(names, points.T, strict=True)) | {"k": k}
    code = value.__code__
    asked = code.co_varnames[: code.co_argcount]
    return np.broadcast_to(np.asarray(value(*(columns[each] for each in asked)), dtype=float), len(points))


@each_hard
@pytest.mark.parametrize("seed", [0, 1])
def test_hard_conditions_hold_to_rounding_on_all_their_sides(name, seed):
    box, data = HARD[name]
    problem = hard_problem(name)
    network = KAN(len(box.names), 3, 1, basis=Chebyshev(4), seed=seed).on_box(box.lower, box.upper)
    network.assign(10 * network.vector())
    for on, value in data:
        points = on.sample(20, lambda u: 2 * u - 1, seed)
        found = outputs(problem, network, torch.from_numpy(points))["u"][()].numpy()
        wanted = value_at(value, box.names, points)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13 * max(1, np.abs(wanted).max()))
    assert problem.soft == ()


@each_hard
def test_inside_the_network_is_free(name):
    """The distance vanishes nowhere inside, so that every function with these boundary values can be reached."""
    box, _ = HARD[name]
    problem = hard_problem(name)
    points = torch.from_numpy(box.sample(50, lambda u: 1.9 * u - 0.95, 0))
    chunk = make_chunk(problem, points)
    values = [
        unknown_fields(problem, lambda number, alpha, c=c: torch.full((50,), c).double() if not alpha else 0, chunk)["u"].value
        for c in (0.0, 1.0)
    ]
    distance = (values[1] - values[0]).numpy()
    assert (distance > 0).all()
    assert 0.3 < distance.max() < 3


@each_hard
def test_derivatives_of_the_ansatz_are_those_of_its_values(name):
    """Nested autograd through the values of G + D N, up to order 3, mixed ones included."""
    box, _ = HARD[name]
    problem, d = hard_problem(name), len(box.names)
    network = KAN(d, 2, 1, basis=Chebyshev(3), seed=4).on_box(box.lower, box.upper)
    alphas = list(dict.fromkeys([(), (0,), (d - 1,), (0, 0), (0, d - 1), (0, 0, d - 1)]))
    points = torch.from_numpy(box.sample(7, lambda u: 2 * u - 1, 2))
    found = outputs(problem, network, points, alphas)["u"]
    variable = points.clone().requires_grad_()
    network.requires_grad_(False)
    values = ansatz_value(problem, network, variable.T)
    for alpha in alphas:
        value = values
        for letter in alpha:
            value = torch.autograd.grad(value.sum(), variable, create_graph=True)[0][:, letter]
        wanted = value.detach()
        assert float((found[alpha] - wanted).abs().max()) < 1e-11 * max(1, float(wanted.abs().max()))


def ansatz_value(problem, network, columns):
    """Only values of the ansatz, with autograd through the coordinates."""
    lifted, distance = problem.ansatz("u", coordinate_fields(problem.domain.names, list(columns)))
    return lifted.value + distance.value * network(columns.T)[:, 0]


@pytest.mark.parametrize(
    ("box", "conditions"),
    [
        (square, [Dirichlet(0, on=square.boundary - square.side(y=3), hard=True), Dirichlet(1, on=square.side(y=3), hard=True)]),
        (strip, [Initial(1, hard=True), Dirichlet(0, on=strip.boundary, hard=True)]),
        (square, [Dirichlet(0, on=square.side(x=1), hard=True), Dirichlet(lambda y: y, on=square.side(x=1), hard=True)]),
    ],
    ids=["lid", "start", "twice the same side"],
)
def test_hard_conditions_that_disagree_are_refused_or_hold(box, conditions):
    """They cannot all hold; away from the corners each of them should, or the problem should be refused."""
    try:
        problem = Problem(box, lambda u: u.x, conditions=conditions)
        network = KAN(2, 3, 1, basis=Chebyshev(3)).on_box(box.lower, box.upper)
        for condition in problem.conditions:
            points = condition.on.sample(9, lambda u: 1.8 * u - 0.9, 0)
            found = outputs(problem, network, torch.from_numpy(points))["u"][()].numpy()
            np.testing.assert_allclose(found, value_at(condition.value, box.names, points), atol=1e-12)
    except ValueError as error:
        assert "hard" in str(error)


def test_hard_and_soft_by_component():
    problem = Problem(
        square,
        lambda u, v: (u.x + v, v.y),
        conditions=[Dirichlet(u=lambda x: cos(x), on=square.side(y=3), hard=True), Dirichlet(v=1, on=square.side(y=3))],
    )
    assert [side.value for side, _ in problem.hard_sides("u")] == [3.0]
    assert problem.hard_sides("v") == []
    assert [c.name for c in problem.soft] == ["dirichlet_2"]
    network = KAN(2, 3, 2, basis=Chebyshev(3)).on_box(square.lower, square.upper)
    points = torch.from_numpy(square.side(y=3).sample(9, lambda u: 2 * u - 1, 0))
    found = outputs(problem, network, points)
    np.testing.assert_allclose(found["u"][()].numpy(), np.cos(points[:, 0].numpy()), atol=1e-14)
    np.testing.assert_array_equal(found["v"][()], network(points).detach()[:, 1])


def test_nothing_hard_is_the_network_itself():
    problem = Problem(square, poisson, conditions=[Dirichlet(0, on=square.boundary)])
    network = KAN(2, 3, 1, basis=Chebyshev(3)).on_box(square.lower, square.upper)
    points = torch.from_numpy(square.sample(9, lambda u: 2 * u - 1, 0))
    np.testing.assert_array_equal(outputs(problem, network, points)["u"][()], network.jets(points, channels([]))[0][0, 0])


def test_hard_values_in_float32():
    problem = hard_problem("one function")
    network = KAN(2, 3, 1, basis=Chebyshev(3), dtype=torch.float32).on_box(square.lower, square.upper)
    points = torch.from_numpy(square.boundary.sample(9, lambda u: 2 * u - 1, 0)).float()
    objective = Objective(problem, {"equation": points})
    assert objective.residual(network).dtype == torch.float32
    found = outputs(problem, network, points)["u"][()]
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, value_at(tilted, ("x", "y"), points.numpy().astype(float)), atol=2e-5)


def test_fractions_are_boundary_values():
    problem = Problem(
        BOX1,
        poisson,
        conditions=[Dirichlet(Fraction(1, 3), on=BOX1.side(x=2), hard=True), Dirichlet(Fraction(-1, 2), on=BOX1.side(x=0.5), weight=1)],
    )
    network = KAN(1, 2, 1, basis=Chebyshev(3)).on_box(BOX1.lower, BOX1.upper)
    ends = torch.tensor([[0.5], [2.0]]).double()
    values = outputs(problem, network, ends)["u"][()]
    assert float(values[1]) == pytest.approx(1 / 3, abs=1e-14)
    residual = Objective(problem, {"equation": ends, "dirichlet_2": ends[:1]}).residual(network)
    assert float(residual[-1]) == pytest.approx(float(values[0]) + 0.5, abs=1e-14)


def test_varying_hard_values_on_many_axes_are_refused_and_one_number_costs_nothing():
    """The interpolation of values that vary takes 3^d evaluations, which would never end in twenty dimensions."""
    cube = Box.cube(20, 0, 1)
    with pytest.raises(ValueError, match="at most 6 axes, here they are on 20: leave out hard=True"):
        Problem(cube, poisson, conditions=[Dirichlet(lambda x1: 1 + x1, on=cube.boundary, hard=True)])
    problem = Problem(cube, poisson, conditions=[Dirichlet(3, on=cube.boundary, hard=True)])
    chunk = make_chunk(problem, torch.full((3, 20), 0.5).double())
    assert chunk.hard["u"][0].value == 3


# ---- what the user wrote, caught at once ----


def forgotten(u):
    u.xx  # noqa: B018


@pytest.mark.parametrize(
    ("equation", "error", "words"),
    [
        (forgotten, TypeError, r"forgotten\(\) returns None, which is no residual: is a `return` missing"),
        (lambda u: (), ValueError, "returns no component"),
        (lambda u: "u", TypeError, "returns 'u', which is no residual"),
        (lambda u, x: x + 1, ValueError, "reads none of its unknowns u"),
        (lambda u: 3, ValueError, "reads none of its unknowns u"),
        (lambda u, x: u if x > 0 else -u, TypeError, "x is a field, true at some points and false at others, in `.*heaviside"),
        (lambda u, x: u + math.sin(x), TypeError, "math.sin takes numbers: use sin of kanpde.functions"),
        (lambda u: np.arctan2(u, 1), TypeError, "numpy.arctan2 of a field is not known"),
        (lambda u: u.z, AttributeError, "u has no derivative 'z': the coordinates are x, y"),
        (3, TypeError, "the equation of a Problem is a function"),
        (lambda u, alhpa: alpha * u.x, TypeError, "uses 'alpha', which is not among its arguments u, alhpa; did you mean 'alhpa'"),  # noqa: F821
    ],
)
def test_equations_that_are_none(equation, error, words):
    with pytest.raises(error, match=words):
        Problem(square, equation)


def test_laplacian_in_time_alone():
    with pytest.raises(ValueError, match="there is none beside time: write u.t, u.tt"):
        Problem(Box(t=(0, 1)), poisson)


@pytest.mark.parametrize("value", ["abc", None, b"1", "1"], ids=repr)
def test_parameters_are_numbers(value):
    with pytest.raises(TypeError, match="the parameter 'nu' is .*a finite number or Unknown"):
        Problem(square, lambda u, nu: nu * u.x, parameters={"nu": value})
    with pytest.raises(ValueError, match="the parameter 'nu' is nan"):
        Problem(square, lambda u, nu: nu * u.x, parameters={"nu": math.nan})


def test_arguments_with_a_default_are_matched_by_name():
    def equation(u, x, nu=0.1):
        return nu * u.xx + x

    assert Problem(square, equation).unknowns == ("u",)
    problem = Problem(square, equation, parameters={"nu": 7})
    known = problem.known({"x": 0.0, "y": 0.0}, {"u": type("U", (), {"xx": 1})()})
    assert problem.residuals(known) == (7,)
    side = square.side(x=1)
    (value,) = Problem(square, poisson, parameters={"k": 5}, conditions=[Dirichlet(lambda y, k=2: k * y, on=side)]).conditions
    assert value.residuals(problem, {"u": 1, "y": 2, "k": 5}) == (-9,)


def test_one_condition_needs_no_list():
    problem = Problem(square, poisson, Dirichlet(0, on=square.boundary))
    assert [condition.name for condition in problem.conditions] == ["dirichlet"]


def test_an_unknown_too_many_is_explained():
    with pytest.raises(ValueError, match="2 unknowns: u, nuu .every argument of the equation that is no coordinate or parameter counts"):
        Problem(square, lambda u, nuu: nuu * u.xx, parameters={"nu": 1}, conditions=[Dirichlet(0, on=square.boundary)])


def test_a_domain_is_a_box():
    with pytest.raises(TypeError, match="the domain of a Problem is a Box"):
        Problem((0, 1), poisson)


def test_what_an_equation_reads():
    problem = Problem(strip, lambda u, v: (u.t - (v * u.x).x, v.xxx))
    assert problem.reads == {"u": {(1,), (0,), (0, 0)}, "v": {(), (0,), (0, 0, 0)}}
    assert problem.components == 2


# ---- manufactured solutions ----


def bump(x, y):
    return sin(x) * exp(y / 2)


def test_manufactured_right_hand_sides():
    problem = Problem(square, manufactured(lambda u, x, k: laplacian(u) + k * u**2 * x, bump), parameters={"k": 3}, exact=bump)
    assert problem.unknowns == ("u",)
    assert contradictions(problem) == []
    found = equations(problem)[0]
    x, y = sympy.symbols("x y", real=True)
    solution = sympy.sin(x) * sympy.exp(y / 2)
    u = sympy.Function("u")(x, y)
    left = lambda u: sympy.diff(u, x, 2) + sympy.diff(u, y, 2) + 3 * x * u**2  # noqa: E731
    assert sympy.simplify(found - left(u) + left(solution)) == 0
    wrong = Problem(square, manufactured(lambda u: laplacian(u), bump), exact=lambda x, y: bump(x, y) ** 2)
    assert contradictions(wrong)


def test_manufactured_systems():
    def left(u, v, nu):
        return (u * u.x - nu * laplacian(u) + v, (u * v).y)

    for exact in (lambda x, y: (bump(x, y), x * y), lambda x, y: {"v": x * y, "u": bump(x, y)}):
        problem = Problem(square, manufactured(left, exact), parameters={"nu": 2}, exact=exact)
        assert problem.unknowns == ("u", "v")
        assert contradictions(problem) == []
    problem = Problem(square, manufactured(lambda nu, u: nu * u.x, bump, unknowns=["u"]), parameters={"nu": 2}, exact=bump)
    assert contradictions(problem) == []
    with pytest.raises(ValueError, match="returns 3 values for the unknowns"):
        Problem(square, manufactured(lambda u, v: (u.x, v), lambda x: (x, x, x)))
    with pytest.raises(TypeError, match="two functions"):
        manufactured(3, bump)


def test_a_manufactured_problem_is_solved():
    box = Box(x=(0, 1), y=(0, 1))
    problem = Problem(
        box, manufactured(lambda u: laplacian(u) + u**2, bump), conditions=[Dirichlet(bump, on=box.boundary, hard=True)], exact=bump
    )
    result = Experiment(
        problem, model=KAN(2, 3, 1, basis=Chebyshev(6)), training=[LevenbergMarquardt(steps=25)], sampling=Sampling(interior=100)
    ).run()
    assert result.metrics["relative_l2"] < 1e-5
