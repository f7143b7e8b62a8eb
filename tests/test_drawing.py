"""Drawings of networks and trees, and films: what is drawn where, how fast, and what is written."""

import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from PIL import Image

from kanpde import KAN, MLP, Box, Chebyshev, Dirichlet, Experiment, Film, LevenbergMarquardt, Problem, Refine, Sampling, draw_network
from kanpde.drawing import Branch, animation, draw_layers, draw_tree, networks, save_film
from kanpde.edges import Edges
from kanpde.notation import formula, symbol

RED, BLUE = networks.RED, networks.INK


def edges(*widths):
    """A network of the widths that KAN takes: numbers, or pairs (sums, arities of products)."""
    generator, layers, inputs = np.random.default_rng(0), [], widths[0]
    grid = np.linspace(-1, 1, 11)
    for width in widths[1:]:
        sums, arities = width if isinstance(width, tuple) else (width, ())
        linear = sums + sum(arities)
        curves = np.cos(generator.uniform(0, 6, (linear, inputs, 1)) * grid)
        importance, scores = generator.uniform(0.1, 1, (2, linear, inputs))
        layers.append(Edges(np.tile(grid, (inputs, 1)), curves, importance, sums, arities, np.array(""), scores, scores.sum(0)))
        inputs = sums + len(arities)
    return tuple(layers)


def without(layer, *removed):
    """The layer without some edges (output, input)."""
    importance, scores = layer.importance.copy(), layer.scores.copy()
    for edge in removed:
        importance[edge] = scores[edge] = np.nan
    return replace(layer, importance=importance, scores=scores)


def gid(ax, name) -> Any:
    """The collection of that name; pyright is not told its kind."""
    (found,) = [artist for artist in ax.collections if artist.get_gid() == name]
    return found


def texts(ax, kind=None):
    return [text.get_text() for text in ax.texts if kind is None or text.get_gid() == kind]


@pytest.mark.parametrize(
    ("widths", "sums", "products"),
    [((2, 8, 1), 11, 0), ((2, 4, 4, 1), 11, 0), ((2, (2, (2, 3)), 1), 5, 2), ((10, 10, 5), 25, 0)],
)
def test_every_node_and_edge_is_drawn(widths, sums, products):
    layers = edges(*widths)
    (ax,) = draw_layers(layers).axes
    assert len(gid(ax, "curves").get_segments()) == sum(layer.importance.size for layer in layers)
    assert len(gid(ax, "sums").get_offsets()) == sums
    assert (len(gid(ax, "products").get_offsets()) if products else 0) == products
    assert sum(isinstance(artist, LineCollection) for artist in ax.collections) == 2
    tiles = [path.get_extents() for path in gid(ax, "tiles").get_paths()]
    assert not any(a.overlaps(b) for i, a in enumerate(tiles) for b in tiles[:i])
    assert all(box.x0 >= 0 and box.x1 <= ax.get_xlim()[1] for box in tiles)


def test_factors_of_unequal_products_end_at_their_nodes():
    layer = edges(1, (1, (2, 3)))[0]
    (ax,) = draw_layers([layer]).axes
    black = [
        line for line, color in zip(gid(ax, "lines").get_segments(), gid(ax, "lines").get_colors(), strict=True) if not color[:3].any()
    ]
    ends = [round(float(line[-1, 0]), 6) for line in black]
    nodes = np.round(gid(ax, "products").get_offsets()[:, 0], 6).tolist()
    assert sorted(ends) == sorted([nodes[0]] * 2 + [nodes[1]] * 3)


def test_opacity_follows_the_metric():
    layer = without(edges(2, 2)[0], (1, 1))
    layer = replace(
        layer, scores=np.array([[1.0, 0.25], [0.0, np.nan]]), importance=np.array([[0.25, 0.25], [1.0, np.nan]]), nodes=np.array([4.0, 1.0])
    )
    (ax,) = draw_layers([layer]).axes
    assert gid(ax, "curves").get_colors()[:, 3] == pytest.approx([1.0, 0.1, 0.55])  # by input, then output; NaN: no edge
    assert gid(ax, "sums").get_facecolors()[:, 3] == pytest.approx([1.0, 0.55, 1.0, 1.0])  # inputs, outputs
    for metric, drawn in (("spread", layer), ("attribution", replace(layer, scores=None, nodes=None))):
        (ax,) = draw_layers([drawn], metric=metric).axes
        assert gid(ax, "curves").get_colors()[:, 3] == pytest.approx([0.55, 1.0, 0.55])
    with pytest.raises(ValueError, match="metric must be one of 'attribution', 'spread', got 'size'"):
        draw_layers([layer], metric="size")


def test_removed_edges_and_dead_nodes_are_not_drawn():
    first, second = edges(2, 3, 1)
    first, second = without(first, (0, 0), (0, 1), (1, 0)), without(second, (0, 0))
    (ax,) = draw_layers([first, second], "xy", "u").axes
    assert len(gid(ax, "curves").get_segments()) == 3 + 2
    assert len(gid(ax, "sums").get_offsets()) == 2 + 2 + 1  # of three hidden nodes two are alive
    assert texts(ax) == ["$x$", "$y$", "$u$"]
    (ax,) = draw_layers([without(first, (1, 1), (2, 0), (2, 1)), without(second, (0, 1), (0, 2))]).axes  # nothing is left
    assert len(gid(ax, "sums").get_offsets()) == 3


def test_symbolic_edges_are_marked_and_their_formulas_fit():
    layer = edges(1, 2)[0]
    layer = replace(layer, symbols=np.array([["1.5 sin(2 x + 0.1)"], [""]]))
    (ax,) = draw_layers([layer]).axes
    assert [tuple(color[:3]) for color in gid(ax, "curves").get_colors()] == [RED, BLUE]
    assert texts(ax, "formula") == [r"$1.5\,\mathrm{sin}(2\,x+0.1)$"]
    (note,) = [text for text in ax.texts if text.get_gid() == "formula"]
    canvas = ax.figure
    canvas.draw_without_rendering()
    note_box, others = (
        note.get_window_extent(),
        [path.get_extents(gid(ax, "tiles").get_transform()) for path in gid(ax, "tiles").get_paths()],
    )
    assert not any(note_box.overlaps(box) for box in others)
    many = edges(6, 5)[0]
    many = replace(many, symbols=np.full((5, 6), "1.2345 tanh(2.3456 x + 0.1)"))
    assert set(texts(draw_layers([many]).axes[0], "formula")) <= {"", r"$\mathrm{tanh}$"}  # the name alone, or nothing


def test_curves_are_the_edge_functions():
    layer = edges(1, 1)[0]
    (curve,) = gid(draw_layers([layer]).axes[0], "curves").get_segments()
    assert np.corrcoef(curve[:, 1], layer.curves[0, 0])[0, 1] == pytest.approx(1)
    (curve,) = gid(draw_layers([replace(layer, curves=np.full((1, 1, 11), 3.0))]).axes[0], "curves").get_segments()
    assert np.ptp(curve[:, 1]) == 0


def test_wide_layers_draw_their_most_important_edges():
    layer = edges(100, 5)[0]
    (ax,) = draw_layers([layer], [f"x{i}" for i in range(100)]).axes
    assert len(gid(ax, "curves").get_segments()) == networks.ROOMY
    drawn = np.sort(gid(ax, "curves").get_colors()[:, 3])
    best = np.sort(layer.scores.ravel() / layer.scores.max())[-networks.ROOMY :]
    assert drawn == pytest.approx(0.1 + 0.9 * np.sqrt(best))
    assert len(gid(ax, "lines").get_segments()) == 500 + networks.ROOMY
    assert "460 least important" in texts(ax)[-1]
    names = [text for text in ax.texts if text.get_text().startswith("$")]
    ax.figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in names), key=lambda box: box.x0)
    assert 15 < len(names) < 60 and all(one.x1 <= other.x0 for one, other in zip(boxes[:-1], boxes[1:], strict=True))
    assert f"$x_{{{int(layer.nodes.argmax())}}}$" in texts(ax)  # the most important keeps its name


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no edge functions to draw"):
        draw_layers([])


@pytest.mark.parametrize(
    ("name", "text"),
    [("x", "$x$"), ("x12", "$x_{12}$"), ("theta", r"$\theta$"), ("psi_2", r"$\psi_{2}$"), ("Re", r"$\mathrm{Re}$"), ("a $ b", r"a \$ b")],
)
def test_symbols(name, text):
    assert symbol(name) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1.5 sin(2 x + 0.1)", r"$1.5\,\mathrm{sin}(2\,x+0.1)$"),
        ("x1**2 - x^1.5", "$x_{1}^{2}-x^{1.5}$"),
        ("F1(x*y)", r"$F_{1}(x\,y)$"),
        ("1e-05 x", r"$1\times10^{-5}\,x$"),
    ],
)
def test_formulas(written, text):
    assert formula(written) == text


# ---- of a network ----


def test_a_network_is_drawn_without_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network, points = KAN(2, (1, 1), 1, basis=Chebyshev(4)), np.random.default_rng(0).uniform(-1, 1, (50, 2))
    (ax,) = draw_network(network, points, names=["x", "omega"]).axes
    assert texts(ax) == ["$x$", r"$\omega$", "$y$"] and len(gid(ax, "products").get_offsets()) == 1
    (ax,) = draw_network(network, torch.from_numpy(points), outputs=["u"], metric="spread").axes
    assert texts(ax) == ["$x_{1}$", "$x_{2}$", "$u$"]
    assert list(tmp_path.iterdir()) == []
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        assert not pyplot.get_fignums()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (dict(names=["x"]), ValueError, r"2 names are needed, as in \['x1', 'x2'\], got \['x'\]"),
        (dict(outputs="u v"), ValueError, "1 names are needed"),
        (dict(points=np.zeros((5, 3))), ValueError, r"have the shape \(N, 2\).* got \(5, 3\)"),
        (dict(points=[[0, np.nan]]), ValueError, "row 0 of the points is not finite"),
        (dict(metric="l1"), ValueError, "metric must be one of"),
        (dict(network=MLP(2, 3, 1)), TypeError, "only a KAN or a SeparableKAN has edges"),
    ],
)
def test_bad_arguments(arguments, error, words):
    given = {"network": KAN(2, 2, 1, basis=Chebyshev(3)), "points": np.zeros((3, 2))} | arguments
    network, points = given.pop("network"), given.pop("points")
    with pytest.raises(error, match=words):
        draw_network(network, points, **given)


def test_150_edges_take_less_than_a_second():
    network, points = KAN(10, 10, 5, basis=Chebyshev(6)), np.random.default_rng(0).uniform(-1, 1, (1000, 10))
    draw_network(network, points[:5])  # imports
    start = time.process_time()
    figure = draw_network(network, points)
    figure.draw_without_rendering()
    assert time.process_time() - start < 1.0
    assert len(figure.axes) == 1


# ---- trees ----


def test_a_tree_is_drawn_from_the_root():
    x, y, z = (Branch("", (name,)) for name in ("x", "y1", "x - y"))
    (ax,) = draw_tree(Branch("+", children=(Branch("×", children=(x, y)), Branch("F", children=(z,)))), "g1(x) + F1(x - y)").axes
    assert texts(ax, "leaf") == ["$x$", "$y_{1}$", "$x-y$"]
    assert texts(ax)[-1] == "$g_{1}(x)+F_{1}(x-y)$"
    assert len(gid(ax, "lines").get_segments()) == 5
    signs = {text.get_text(): text.get_position() for text in ax.texts}
    assert signs["$+$"][1] > signs["×"][1] == signs["$F$"][1] > signs["$x$"][1] == signs["$y_{1}$"][1]
    assert signs["$x$"][0] < signs["×"][0] < signs["$y_{1}$"][0] and signs["$F$"][0] == signs["$x-y$"][0]


# ---- films ----


def experiment(*callbacks, training=None):
    line = Box(x=(0, 1))
    problem = Problem(line, lambda u, x: u.xx + 9 * x, conditions=[Dirichlet(0, on=line.boundary)])
    training = training or [LevenbergMarquardt(steps=5), Refine(7)]
    return Experiment(problem, KAN(1, 2, 1, basis=Chebyshev(5)), training, Sampling(interior=30), callbacks=callbacks)


def test_a_film_of_training(tmp_path):
    film = Film(every=2)
    experiment(film).run()
    assert [text for _, text in film.frames] == [f"step {step}" for step in (1, 2, 4, 6, 8, 10)]
    path = film.save(tmp_path / "new" / "training.gif", fps=5)
    with Image.open(path) as image:
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("L")).copy())
        assert image.n_frames == 6 and image.info["duration"] == 200
    assert all(frame.shape == frames[0].shape for frame in frames)
    assert any((frame != frames[0]).any() for frame in frames)
    assert [each.name for each in path.parent.iterdir()] == ["training.gif"]
    experiment(film, training=LevenbergMarquardt(steps=1)).run()
    assert len(film.frames) == 1  # a new run, a new film


def test_the_layout_and_the_scale_stay():
    first, second = edges(2, 3, 1), edges(2, 3, 1)
    second = (without(second[0], (1, 1)), replace(second[1], scores=10 * second[1].scores))
    shades = [[networks.shade(layer, "attribution") for layer in layers] for layers in (first, second)]
    (one, plans, largest), (_, again, _) = animation._scene([first, second], "attribution")
    assert plans is again and len(plans[0].tiles) == 6
    assert largest[1][0] == pytest.approx(10 * first[1].scores.max())
    sketches = [networks.sketched(layers, shade, plans, largest) for layers, shade in zip((first, second), shades, strict=True)]
    assert [len(sketch.curves) for sketch in sketches] == [9, 8]
    assert max(color[3] for _, color in sketches[0].curves[6:]) == pytest.approx(0.1 + 0.9 * np.sqrt(0.1))


def test_a_film_of_a_growing_network(tmp_path):
    path = save_film([(edges(2, 1), "one"), (edges(2, 12, 1), "two")], tmp_path / "a.gif")
    with Image.open(path) as image:
        assert image.n_frames == 2 and image.size[0] == 1050  # as wide as the wider


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("a.gif", {}, ValueError, "there are no frames to save: a Film takes them while"),
        ("a.avi", {}, ValueError, r"a film is a .gif or an .mp4 file, got 'a.avi'"),
        ("a.gif", dict(fps=0), ValueError, "fps= is how many frames are shown a second"),
        ("a.mp4", {}, RuntimeError, "needs the program ffmpeg"),
    ],
)
def test_films_that_cannot_be_saved(tmp_path, monkeypatch, name, options, error, words):
    from matplotlib.animation import FFMpegWriter

    monkeypatch.setattr(FFMpegWriter, "isAvailable", lambda: False)
    with pytest.raises(error, match=words):
        Film().save(tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [dict(every=0), dict(samples=1)])
def test_bad_films(options):
    with pytest.raises(ValueError, match="got"):
        Film(**options)


def test_a_film_of_a_network_without_edges_says_so():
    result = replace(experiment(Film(), training=LevenbergMarquardt(steps=1)), model=MLP(1, 3, 1)).run()
    assert result.status == "failed" and "only a KAN or a SeparableKAN has edges" in result.provenance["stops"]
