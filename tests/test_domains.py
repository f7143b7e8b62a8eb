"""Boxes, their sides, and the points on them."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanpde.bases import BSpline, Chebyshev
from kanpde.domains import Boundary, Box, Side, sobol
from kanpde.functions import pi

square = Box(x=(-1, 1), y=(0, 3))
strip = Box(x=(-2, 1), t=(0, 0.5))
uniform = lambda u: 2 * u - 1  # noqa: E731


# ---- boxes ----


def test_boxes_are_values():
    assert square == Box(x=(-1.0, 1.0), y=(0.0, 3.0))
    assert square != Box(y=(0, 3), x=(-1, 1))
    assert hash(square) == hash(Box(x=(-1, 1), y=(0, 3)))
    assert eval(repr(square), {"Box": Box}) == square
    assert pickle.loads(pickle.dumps(square)) == square
    assert (square.names, square.lower, square.upper) == (("x", "y"), (-1.0, 0.0), (1.0, 3.0))
    assert Box(x=(0, pi)).upper == (math.pi,)


def test_cubes():
    assert Box.cube(3, 0, 2) == Box(x1=(0, 2), x2=(0, 2), x3=(0, 2))


@pytest.mark.parametrize(
    "bounds",
    [
        (1, 0),
        (1, 1),
        (0, math.inf),
        (-math.inf, 0),
        (math.nan, 1),
        (0, math.nan),
        3,
        None,
        (0,),
        (0, 1, 2),
        ("a", "b"),
        (None, 1),
        (1j, 2),
    ],
    ids=repr,
)
def test_bad_bounds_name_the_coordinate(bounds):
    with pytest.raises(ValueError, match="the bounds of 'y' must be"):
        Box(x=(0, 1), y=bounds)


@pytest.mark.parametrize("dimensions", [2.5, 0, -1, True, "2", None])
def test_cubes_have_whole_dimensions(dimensions):
    with pytest.raises(ValueError, match=rf"Box.cube takes a whole number of dimensions, .* got {dimensions!r}"):
        Box.cube(dimensions, 0, 1)


def test_a_box_needs_a_coordinate():
    with pytest.raises(ValueError, match="at least one coordinate"):
        Box()


# ---- sides ----


def sides(boundary):
    return {(boundary.box.names[side.axis], side.value) for side in boundary.sides}


def test_boundary_of_a_square():
    assert sides(square.boundary) == {("x", -1), ("x", 1), ("y", 0), ("y", 3)}
    assert len(square.boundary.sides) == 4


def test_time_has_no_boundary_but_a_start():
    assert strip.spatial == ("x",)
    assert sides(strip.boundary) == {("x", -2), ("x", 1)}
    assert sides(strip.initial) == {("t", 0)}
    assert sides(strip.side(t=0.5)) == {("t", 0.5)}
    assert sides(Box(t=(1, 2), x=(0, 1)).initial) == {("t", 1)}
    assert Box(t=(0, 1)).boundary.sides == ()


def test_no_time_no_start():
    with pytest.raises(ValueError, match="no initial side: none of its coordinates x, y is named 't'"):
        _ = square.initial


def test_algebra_of_sides():
    lid = square.side(y=3)
    rest = square.boundary - lid
    assert sides(lid) == {("y", 3)}
    assert sides(rest) == {("x", -1), ("x", 1), ("y", 0)}
    assert sides(rest | lid) == sides(square.boundary)
    assert len((square.boundary | lid).sides) == 4
    assert sides(lid - rest) == sides(lid)
    assert (lid - lid).sides == ()
    assert sides(strip.boundary | strip.initial) == {("x", -2), ("x", 1), ("t", 0)}
    assert len((square.side(x=1) | square.side(x=-1)).sides) == 2
    assert repr(lid) == "Boundary(y=3)"


def test_side_values():
    assert square.side(y=3.0).sides == (Side(1, 1, 3.0),)
    assert square.side(x=np.float64(-1)).sides == (Side(0, 0, -1.0),)
    assert Box(x=(0, pi)).side(x=pi).sides == (Side(0, 1, math.pi),)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"y": 1}, "y=1 is not a side of Box.*: y ends at 0 and 3"),
        ({"y": math.nan}, "is not a side"),
        ({"z": 1}, "has no coordinate 'z': its coordinates are x, y"),
        ({}, "takes one coordinate"),
        ({"x": 1, "y": 3}, "takes one coordinate"),
    ],
    ids=repr,
)
def test_bad_sides(where, words):
    with pytest.raises(ValueError, match=words):
        square.side(**where)


@pytest.mark.parametrize("other", [Box(x=(-1, 1), y=(0, 4)).boundary, Box(a=(0, 1)).boundary, 3, None], ids=repr)
def test_parts_of_different_domains_do_not_mix(other):
    with pytest.raises(ValueError, match="different domains cannot be combined"):
        _ = square.boundary | other
    with pytest.raises(ValueError, match="different domains cannot be combined"):
        _ = square.boundary - other


# ---- points ----


BOXES = [square, strip, Box(x=(5, 7)), Box.cube(3, -1, 4), Box(t=(0, 1), y=(1e-3, 2e-3))]
each_box = pytest.mark.parametrize("box", BOXES, ids=repr)


@each_box
@pytest.mark.parametrize("quantile", [uniform, Chebyshev(5).quantile, BSpline(3, 4).quantile], ids=["uniform", "Chebyshev", "BSpline"])
@pytest.mark.parametrize("count", [1, 2, 100, 128])
def test_interior_points(box, quantile, count):
    points = box.sample(count, quantile, 3)
    assert points.shape == (count, len(box.names))
    assert points.dtype == np.float64
    slack = 1e-12 * (np.array(box.upper) - box.lower)
    assert ((points >= box.lower - slack) & (points <= box.upper + slack)).all()
    if count >= 100:
        assert len(np.unique(points, axis=0)) == count
        reference = 2 * (points - box.lower) / (np.array(box.upper) - box.lower) - 1
        levels = np.linspace(0, 1, 21)[1:-1]  # every coordinate follows the law that was asked for
        for column in reference.T:
            assert np.abs(np.quantile(column, levels) - quantile(levels)).max() < 0.12


@each_box
def test_points_lie_exactly_on_their_sides(box):
    for side in (*box.boundary.sides, *(box.initial.sides if "t" in box.names else ())):
        part = Boundary(box, (side,))
        points = part.sample(16, Chebyshev(4).quantile, 0)
        assert points.shape == (16 if len(box.names) > 1 else 1, len(box.names))
        assert (points[:, side.axis] == side.value).all()
        others = [axis for axis in range(len(box.names)) if axis != side.axis]
        for axis in others:
            assert len(np.unique(points[:, axis])) == 16
            assert points[:, axis].min() >= box.lower[axis] - 1e-12
            assert points[:, axis].max() <= box.upper[axis] + 1e-12
            assert np.ptp(points[:, axis]) > 0.8 * (box.upper[axis] - box.lower[axis])


def test_points_of_a_boundary_are_those_of_its_sides_in_order():
    boundary = square.boundary
    points = boundary.sample(8, uniform, 5)
    assert points.shape == (32, 2)
    parts = [Boundary(square, (side,)).sample(8, uniform, 5) for side in boundary.sides]
    np.testing.assert_array_equal(points, np.concatenate(parts))
    heights = {tuple(part[:, 1 - side.axis]) for side, part in zip(boundary.sides, parts, strict=True)}
    assert len(heights) == 4  # opposite sides do not repeat each other's points
    assert (boundary - boundary).sample(8, uniform, 5).shape == (0, 2)


@each_box
def test_seeds_decide(box):
    state = np.random.get_state()[1].copy()
    first = box.sample(64, uniform, 1)
    np.testing.assert_array_equal(box.sample(64, uniform, 1), first)
    assert not np.array_equal(box.sample(64, uniform, 2), first)
    if len(box.names) > 1:
        edge = box.boundary.sample(8, uniform, 1)
        np.testing.assert_array_equal(box.boundary.sample(8, uniform, 1), edge)
        assert not np.array_equal(box.boundary.sample(8, uniform, 2), edge)
    assert (np.random.get_state()[1] == state).all()


@given(count=st.integers(1, 300), dimensions=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_sobol_points_are_in_the_unit_cube_and_balanced(count, dimensions, seed):
    points = sobol(count, dimensions, seed)
    assert points.shape == (count, dimensions)
    assert ((points >= 0) & (points < 1)).all()
    if count & (count - 1) == 0:  # a power of two: one point in every slab, which plain random points never manage
        assert all(sorted((column * count).astype(int)) == list(range(count)) for column in points.T)


def test_sobol_in_no_dimension():
    assert sobol(5, 0, 1).shape == (5, 0)


def test_scaled_and_grid():
    np.testing.assert_allclose(square.scaled(np.array([-1.0, 0, 1]), 1), [0, 1.5, 3])
    grid = square.grid([3, 4])
    assert list(grid) == ["x", "y"]
    np.testing.assert_array_equal(grid["x"], [-1, 0, 1])
    np.testing.assert_array_equal(grid["y"], [0, 1, 2, 3])


# ---- normals, names and membership ----


def test_outward_normals():
    box = Box(x=(-1, 1), y=(0, 3))
    points = box.boundary.sample(5, lambda u: 2 * u - 1, 0)
    normals = box.boundary.normals(points)
    wanted = np.repeat([[-1, 0], [1, 0], [0, -1], [0, 1]], 5, 0)
    np.testing.assert_array_equal(normals, wanted)
    np.testing.assert_array_equal(box.boundary.normals(points.astype(np.float32)), wanted)
    assert box.side(y=3).normals(points[:2]).tolist() == [[0, 1], [0, 1]]


def test_points_in_a_box():
    box = Box(x=(-1, 1), y=(0, 3))
    assert box.contains(np.array([[0, 0], [1, 3], [1.1, 1], [0, -1]])).tolist() == [True, True, False, False]


@pytest.mark.parametrize("name", ["d", "value", "partial", "lambda", "x y"])
def test_names_that_fields_or_python_use_otherwise(name):
    with pytest.raises(ValueError, match=f"a coordinate cannot be called '{name}'.*choose another name"):
        Box(**{name: (0, 1)})
