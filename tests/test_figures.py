"""Figures: their structure, the files they write, and that they leave matplotlib as it was."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import LogNorm, to_rgba

from kanpde import figures
from kanpde.results import Edges, Result

pytestmark = pytest.mark.filterwarnings("error")


LAW = {  # as kanpde.symbolic.law.Law.to_plain writes it
    "kind": "solution", "verdict": "candidate", "reason": "the conditions do not hold", "rms": 0.5, "noise": float("nan"),
    "lead": float("inf"),
    "formula": "u = 0.30(2)*x", "latex": "u = c_{1} x", "names": ["x", "y"], "outputs": ["u"], "expressions": ["c1*x"], "nodes": [3],
    "aliases": {"read": [], "name": []}, "best": 0, "evidence": [],
    "constants": {"name": ["c1"], "value": [0.3], "sigma": [0.02], "exact": [""], "latex": [""], "unit": [""]},
    "candidates": {"sympy": ["0.3*x"], "latex": ["0.3 x"], "nodes": [3], "rms": [0.5], "description": [12.5]},
}  # fmt: skip


def edges(*widths):
    """A network of sum nodes."""
    generator, grid = np.random.default_rng(0), np.linspace(-1, 1, 11)
    return tuple(
        Edges(np.tile(grid, (i, 1)), np.cos(generator.uniform(0, 6, (o, i, 1)) * grid), generator.uniform(0.1, 1, (o, i)), o)
        for i, o in zip(widths[:-1], widths[1:], strict=True)
    )


def history(resolutions=(4, 4, 4, 6, 6, 6, 9, 9)):
    loss = 10.0 ** -np.arange(len(resolutions))
    return {
        "step": np.arange(len(resolutions)),
        "seconds": np.arange(len(resolutions)) ** 2 / 10,
        "loss": loss,
        "loss_equation": loss * 0.7,
        "loss_left $wall$": loss * 0.3,
        "error_l2": np.where(np.arange(len(resolutions)) % 2, np.sqrt(loss), np.nan),
        "refinement": np.array(resolutions),
    }


def run(coordinates=("x", "y"), unknowns=("u",), *, reference=True, offset=0.0):
    """A result on a grid: u = sin(pi x) ... + offset, wrong by 1e-6 cos(9 x)."""
    axes = {name: np.linspace(0, 1, 9 + 2 * i) if name == "t" else np.linspace(-1, 1, 9 + 2 * i)
            for i, name in enumerate(coordinates)}  # fmt: skip
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    exact, wrong, solution = np.prod(np.sin(np.pi * np.stack(mesh)), 0) + offset, 1e-6 * np.cos(9 * mesh[0]), {}
    for i, name in enumerate(unknowns):
        solution[name] = exact + wrong
        solution["residual" if len(unknowns) == 1 else f"residual_{i}"] = 100 * wrong
        if reference:
            solution |= {f"exact_{name}": exact, f"error_{name}": wrong}
    return Result(
        problem="poisson", experiment="experiment", status="complete", provenance={"seed": 3}, equation={},
        coordinates=tuple(coordinates), lower=np.array([a[0] for a in axes.values()]),
        upper=np.array([a[-1] for a in axes.values()]), points={}, sampling={}, history=history(), axes=axes,
        solution=solution, solution_points=None, unknowns=unknowns, metrics={"relative_l2": 1.3e-8},
        parameters=np.zeros(1), architecture={}, edges=edges(2, 3, 1), checkpoint=None,
    )  # fmt: skip


def scattered(dimensions):
    points = np.random.default_rng(0).uniform(-1, 1, (50, dimensions))
    u = points.sum(1)
    names = tuple(f"x{i + 1}" for i in range(dimensions))
    fields = {"u": u + 1e-6, "exact_u": u, "error_u": np.full(50, 1e-6)}
    return replace(run(), coordinates=names, axes={}, solution_points=points, solution=fields)


def panels(figure) -> list[Any]:
    return [ax for ax in figure.axes if ax.get_title()]


def titles(figure):
    return [ax.get_title() for ax in panels(figure)]


def maps(figure) -> list[Any]:
    return [next(c for c in ax.collections if isinstance(c, QuadMesh)) for ax in panels(figure)]


def gid(ax, name) -> Any:
    """The collection of that name; pyright is not told its kind."""
    (found,) = [artist for artist in ax.collections if artist.get_gid() == name]
    return found


# ------------------------------------------------------------------------------------------------ solution


@pytest.fixture(scope="module")
def poisson():
    return figures.triptych(run())


def test_maps_solution_reference_and_error(poisson):
    reference = r"{u}_{\mathrm{ref}}"
    assert titles(poisson) == ["Solution ${u}$", f"Reference ${reference}$", f"Error $|{{u}} - {reference}|$"]
    solution, reference, error = maps(poisson)
    assert solution.norm is not reference.norm and solution.get_clim() == reference.get_clim()
    assert solution.get_clim()[0] == -solution.get_clim()[1]  # the sign changes: centred on zero
    assert solution.cmap.name == "RdBu_r" and error.cmap.name == "cividis"
    assert isinstance(error.norm, LogNorm) and error.get_clim()[1] == pytest.approx(1e-6)
    assert len([ax for panel in panels(poisson) for ax in panel.child_axes]) == 3  # colour bars
    assert "seed 3" in poisson.get_suptitle() and r"1.3\times10^{-8}" in poisson.get_suptitle()


def test_one_sign_takes_viridis_and_an_overshoot_is_no_sign():
    result = run(offset=0.99, reference=False)
    result.solution["u"][4, 5] = -0.01
    solution = maps(figures.triptych(result))[0]
    assert solution.cmap.name == "viridis" and solution.get_clim()[0] == -0.01


def test_array_is_indexed_x_then_y(poisson):
    result, mesh = run(), maps(poisson)[0]
    values, corners = np.asarray(mesh.get_array()), mesh.get_coordinates()
    assert values.shape == (11, 9) and np.array_equal(values, result.solution["u"].T)
    assert corners[3, 5].tolist() == [result.axes["x"][5], result.axes["y"][3]]


@pytest.mark.parametrize("coordinates", [("x", "t"), ("t", "x")])
def test_time_runs_upwards(coordinates):
    result = run(coordinates)
    figure = figures.triptych(result)
    first = panels(figure)[0]
    assert (first.get_xlabel(), first.get_ylabel(), first.get_aspect()) == ("$x$", "$t$", "auto")
    expected = result.solution["u"].T if coordinates[0] == "x" else result.solution["u"]
    assert np.array_equal(np.asarray(maps(figure)[0].get_array()), expected)


def test_three_dimensions_show_the_middle_slice():
    result = run(("x", "y", "t"))
    figure = figures.triptych(result)
    assert titles(figure)[0] == "Solution ${u}$ at $t$ = $0.5$"
    assert np.array_equal(np.asarray(maps(figure)[0].get_array()), result.solution["u"][:, :, 6].T)


def test_without_reference_the_residual():
    figure = figures.triptych(run(reference=False))
    assert titles(figure) == ["Solution ${u}$", "Absolute residual"]
    assert isinstance(maps(figure)[1].norm, LogNorm)


def test_system_has_a_row_for_each_unknown():
    assert len(panels(figures.triptych(run(unknowns=("u", "v"))))) == 6
    bare = figures.triptych(run(("t",), ("u", "v", "p"), reference=False))
    assert titles(bare)[-2:] == ["Solution ${p}$", "Absolute residual of equation 3"]


def test_one_dimension_draws_curves():
    result = run(("x",))
    left, right = figures.triptych(result).axes
    drawn = {line.get_label(): line.get_ydata() for line in left.lines}
    assert np.array_equal(drawn["solution"], result.solution["u"])
    assert np.array_equal(drawn["reference"], result.solution["exact_u"])
    assert right.get_yscale() == "log"
    assert left.lines[0].get_linestyle() != left.lines[1].get_linestyle()


def test_points_without_a_grid():
    cloud = panels(figures.triptych(scattered(2)))[0].collections[0]
    assert isinstance(cloud, PathCollection) and np.shape(cloud.get_offsets()) == (50, 2)
    left, _ = figures.triptych(scattered(1)).axes
    assert np.all(np.diff(left.lines[0].get_xdata()) >= 0)
    left, right = figures.triptych(scattered(5)).axes
    assert (left.get_xlabel(), right.get_xscale()) == ("reference", "log")
    with pytest.raises(ValueError, match="solution_points"):
        figures.triptych(replace(scattered(2), solution_points=None))


def test_failed_run_is_still_drawn():
    result = run()
    fields = {name: np.full_like(values, np.nan) for name, values in result.solution.items()}
    failed = replace(result, status="failed", solution=fields, metrics={"relative_l2": np.nan})
    figure = figures.triptych(failed)
    assert figure.get_suptitle().endswith("failed")
    assert [ax.texts[0].get_text() for ax in panels(figure)] == 3 * ["not finite"]
    figures.triptych(replace(run(("x",)), solution={"u": np.ones(9), "exact_u": np.ones(9)}))  # no error at all


# --------------------------------------------------------------------------------------------- convergence


def test_convergence_against_steps_and_seconds():
    figure = figures.convergence(run())
    left, right = figure.axes
    assert (left.get_xlabel(), right.get_xlabel(), left.get_yscale()) == ("step", "time (s)", "log")
    drawn = [line for line in left.lines if line.get_gid() is None]
    assert len(drawn) == 4
    assert len({line.get_color() for line in drawn}) == 4
    assert len({str(line._dash_pattern) for line in drawn}) == 4  # type: ignore[attr-defined]
    assert np.array_equal(drawn[1].get_xdata(), [1, 3, 5, 7])  # the error, where it was measured
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["loss", "relative $L_2$ error", "loss: equation", r"loss: left \$wall\$", "refined to"]


def test_refinements_are_marked():
    result = run()
    for ax, along in zip(figures.convergence(result).axes, ("step", "seconds"), strict=True):
        marks = sorted(np.asarray(line.get_xdata())[0] for line in ax.lines if line.get_gid() == "refinement")
        assert marks == result.history[along][[3, 6]].tolist()
        assert sorted(text.get_text() for text in ax.texts) == ["6", "9"]


def test_crowded_labels_are_thinned_from_the_left():
    figure = figures.convergence(replace(run(), history=history(tuple(range(100, 200)))))
    ax = figure.axes[0]
    assert sum(line.get_gid() == "refinement" for line in ax.lines) == 99
    assert len(ax.texts) < 40 and ax.texts[0].get_text() == "199"
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.x0)
    assert all(one.x1 <= other.x0 for one, other in zip(boxes[:-1], boxes[1:], strict=True))


@pytest.mark.parametrize("value", [0.0, np.nan, 1.0])
def test_short_or_failed_histories(value):
    short = {name: values[:1] for name, values in history().items()}
    figures.convergence(replace(run(), history=short | {"loss": np.full(1, value)}))


# ------------------------------------------------------------------------------------------------- network


def test_the_network_of_a_result_bears_its_names():
    (ax,) = figures.network(run()).axes
    assert [text.get_text() for text in ax.texts] == ["$x$", "$y$", "$u$"]
    (ax,) = figures.network(replace(run(), edges=edges(5, 1))).axes  # five features are not the two coordinates
    assert [text.get_text() for text in ax.texts] == ["$u$"]
    with pytest.raises(ValueError, match="no edge functions"):
        figures.network(replace(run(), edges=()))


def test_the_card_of_a_result_has_its_data():
    rows = {"u": np.array([1.0, 2.0]), "target_u": np.array([1.1, 1.9])}
    figure = figures.card(replace(run(("x",)), law=LAW, solution=rows))
    assert {line.get_gid() for ax in figure.axes for line in ax.lines} >= {"residuals", "chosen"}
    assert [text.get_text() for text in figure.texts if text.get_gid() == "formula"] == ["$u = c_{1} x$"]
    with pytest.raises(ValueError, match="has no law to draw"):
        figures.card(run(("x",)))


# --------------------------------------------------------------------------------------------------- files


def test_draw_writes_what_applies_and_the_same_bytes_again(tmp_path):
    small = replace(run(("x",)), metrics={})
    paths = figures.draw(small, tmp_path / "new" / "v1.5-s0")
    names = [f"v1.5-s0-{name}.{suffix}" for name in ("solution", "convergence", "network") for suffix in ("pdf", "png")]
    assert [path.name for path in paths] == names and all(path.parent == tmp_path / "new" for path in paths)
    assert paths[0].read_bytes().startswith(b"%PDF") and paths[1].read_bytes().startswith(b"\x89PNG")
    assert b"CreationDate" not in paths[0].read_bytes()
    before = [path.read_bytes() for path in paths[:2]]
    again = figures.draw(replace(small, edges=(), history={}, law=LAW), tmp_path / "new" / "v1.5-s0")
    assert [path.read_bytes() for path in again[:2]] == before and [path.stem for path in again[2:]] == ["v1.5-s0-law"] * 2


def test_settings_of_the_user_stay(tmp_path):
    with matplotlib.rc_context({"font.size": 17.0, "lines.linewidth": 9.0}):
        before = matplotlib.rcParams.copy()  # with the backend, which dict() would choose
        figure = figures.triptych(run(("x",)))
        figures.draw(replace(run(("x",)), history={}), tmp_path / "a")
        assert matplotlib.rcParams.copy() == before
        assert figure.axes[0].title.get_fontsize() == 8 and figure.axes[0].lines[0].get_linewidth() < 2
        assert figure.axes[0].lines[1].get_color() == "#D55E00"
        assert figure.axes[0].xaxis.get_ticklabels()[0].get_fontsize() == 7
    assert to_rgba(figure.get_facecolor()) == (1, 1, 1, 1)


def test_matplotlib_is_lazy_and_pyplot_never_loaded():
    code = (
        "import sys, kanpde.figures as f; assert 'matplotlib' not in sys.modules\n"
        "with f.style(): pass\n"
        "from matplotlib import rcParams; from matplotlib.figure import Figure\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    figures.network(run())
    figures.convergence(run())
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        assert not pyplot.get_fignums()
