"""Reports and tables: what a run ends on, and many runs in one table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kanpde.reports import comparison_table, markdown_table, overfitting, report, summary_rows
from kanpde.results import Result


def run(*, experiment="experiment", status="complete", seed=0, stops="all steps done", model="KAN(1, 1)", **metrics):
    return Result(
        problem="poisson", experiment=experiment, status=status, equation={}, coordinates=("x",), lower=np.zeros(1), upper=np.ones(1),
        provenance={"seed": seed, "wall_seconds": 12.34, "device": "cpu", "threads": 1, "stops": stops}, points={}, sampling={},
        history={}, axes={}, solution={}, solution_points=None, unknowns=("u",), parameters=np.zeros(96), edges=(), checkpoint=None,
        metrics={"relative_l2": 1.25e-9, "max_error": 3e-9, "parameters": 96} | metrics, architecture={"model": model},
    )  # fmt: skip


def lines(files=("a-s0.h5",), **changes):
    measured = {"steps": 10, "seconds": 1.0, "relative_h1": 2e-9, "rms_error": 1e-9, "mse": 1e-18, "residual_rms": 1e-6}
    return report(run(**measured | changes), [Path(name) for name in files]).splitlines()


def test_a_report_has_five_lines():
    found = lines()
    assert [line.split()[0] for line in found] == ["poisson/experiment", "error", "time", "network", "files"]
    assert found[1].split("error     ")[1] == "relative L2 1.25e-09, relative H1 2.00e-09, maximum 3.00e-09, MSE 1.00e-18"


def test_a_law_is_reported_with_its_verdict():
    def words(**law):
        found = replace(run(steps=1, seconds=1.0, residual_rms=1e-6), law=law)
        return [line[12:] for line in report(found, [Path("a.h5")]).splitlines() if line.startswith("  law ")]

    assert words(formula="u = 0.30(2)*x\nv = x", verdict="candidate", reason="") == ["u = 0.30(2)*x", "v = x  (candidate)"]
    assert words(formula="", verdict="no law", reason="nothing fits") == ["no law: nothing fits"]


def test_three_figures_in_two_formats_are_three():
    names = [f"a-s0-{kind}.{end}" for kind in ("solution", "convergence", "network") for end in ("pdf", "png")]
    assert lines(["a-s0.h5", *names])[-1].endswith("a-s0.h5 and 3 figures beside it, as PDF and PNG")
    assert lines(["a-s0.h5", "a-s0-network.png"])[-1].endswith("and 1 figure beside it, as PNG")


def test_a_zero_reference_is_reported_in_absolute_errors():
    line = lines(relative_l2=np.nan, relative_h1=np.nan)[1]
    assert "RMS 1.00e-09, maximum 3.00e-09" in line and "relative L2" not in line and "compare with is 0" in line


def test_rungs_that_could_not_go_on_are_named_and_ordinary_ends_are_not():
    ordinary = "all steps done; the loss fell by less than a factor 0.8 in 20 steps; stalled"
    assert len(lines(stops=ordinary)) == 5
    (line,) = [line for line in lines(stops=f"no damping helps; {ordinary}; no damping helps") if "stopped" in line]
    assert line.split(None, 1)[1] == "rungs 1, 5 of 5: no damping helps"


def test_overfitting_is_said():
    assert overfitting({"residual_rms": 0.04, "residual_rms_training": 0.01}) == ""
    assert overfitting({"residual_rms": 0.04}) == ""
    caution = "residual 0.22 on the grid against 0.018 in training: more points, Sampling(interior=...), or a coarser basis"
    assert overfitting({"residual_rms": 0.22, "residual_rms_training": 0.018}) == caution
    assert any(caution in line for line in lines(residual_rms=0.22, residual_rms_training=0.018))


@pytest.mark.parametrize(
    ("model", "short"),
    [
        ("KAN(basis=BSpline(breaks=(-1.0, 1.1102230246251565e-16, 1.0)))", "KAN(basis=BSpline(breaks=(-1.0, 0.0, 1.0)))"),
        ("KAN(basis=BSpline(breaks=(np.float64(-1.0), np.float64(0.3333333), 1.0)))", "KAN(basis=BSpline(breaks=(-1.0, 0.333333, 1.0)))"),
        (f"breaks=({', '.join(map(str, np.linspace(0, 1, 11).tolist()))})", "breaks=(0.0, 0.1, 0.2, ... 11 in all ..., 1.0)"),
        ("KAN(2, (3, 2), 1, basis=Chebyshev(degree=8))", "KAN(2, (3, 2), 1, basis=Chebyshev(degree=8))"),
    ],
)  # fmt: skip
def test_networks_are_shown_without_rounding_noise(model, short):
    assert lines(model=model)[3] == f"  network   {short}, 96 parameters"


def test_summary_rows():
    (row,) = summary_rows([run(seed=3, mse=2e-18)])
    assert row == {
        "problem": "poisson",
        "experiment": "experiment",
        "seed": 3,
        "status": "complete",
        "parameters": 96,
        "relative_l2": 1.25e-9,
        "max_error": 3e-9,
        "mse": 2e-18,
        "seconds": 12.34,
    }


def test_comparison_table():
    results = [
        run(relative_l2=1e-9, mse=1e-18),
        run(seed=1, relative_l2=4e-9, seconds=20.0),
        run(seed=2, relative_l2=np.nan, status="failed"),
        run(experiment="separable", parameters=1200),
    ]
    assert comparison_table(iter(results)) == "\n".join(
        [
            "problem  experiment    seed        status  parameters  relative L2  max error       mse  seconds",
            "poisson  experiment       0      complete          96     1.00e-09   3.00e-09  1.00e-18     12.3",
            "poisson  experiment       1      complete          96     4.00e-09   3.00e-09         -     20.0",
            "poisson  experiment       2        failed          96          nan   3.00e-09         -     12.3",
            "poisson   separable       0      complete        1200     1.25e-09   3.00e-09         -     12.3",
            "poisson  experiment  median  2/3 complete          96     4.00e-09   3.00e-09  1.00e-18     12.3",
            "poisson  experiment   worst  2/3 complete          96          inf   3.00e-09  1.00e-18     20.0",
        ]
    )


def test_comparison_table_of_nothing_and_of_missing_numbers():
    assert comparison_table([]).split()[:3] == ["problem", "experiment", "seed"]
    bare = replace(run(), provenance={}, metrics={})
    assert comparison_table([bare]).splitlines()[1].split() == ["poisson", "experiment", "-", "complete", "96", *"----"]


def test_markdown_tables_are_aligned_and_their_cells_stay_cells():
    table = markdown_table(["what", "value"], [["|u|", 1.23456e-8], ["missing", None], ["nan", float("nan")], ["whole", 12]])
    assert table.splitlines() == [
        "| what    |    value |",
        "| :------ | -------: |",
        r"| \|u\|   | 1.23e-08 |",
        "| missing |        - |",
        "| nan     |        - |",
        "| whole   |       12 |",
    ]
