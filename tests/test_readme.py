"""What the README shows is run: its tour ends with the formula, its pictures and files exist, the names that it mentions are there."""

import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_first_experiment_is_that_of_the_problem_file():
    space: dict = {}
    exec(BLOCKS[0], space)
    from kanpde.problem_files import load_problem

    shipped = load_problem(ROOT / "problems" / "poisson.py").experiment
    assert repr(space["experiment"].model) == repr(shipped.model)
    assert space["experiment"].training == shipped.training


def test_the_tour_ends_with_the_formula(tmp_path, monkeypatch, capsys):
    (tour,) = [block for block in BLOCKS if "draw_network" in block]
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    exec(tour.replace("for layer, output", "splines = network\nfor layer, output"), space)
    test = space["data"]["test"]
    error = space["splines"](test.inputs).detach().numpy() - test.targets
    assert np.sqrt(np.mean(error**2)) < 1e-4  # before the edges are fixed, everywhere in the box
    printed = capsys.readouterr().out
    assert "edges" in printed  # the report of pruning
    assert printed.splitlines()[-1] == "exp(y**2 + sin(pi*x))"
    assert (tmp_path / "sparse.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_and_files_are_there():
    for path in re.findall(r"!\[[^]]*\]\(([^)]*)\)", README) + re.findall(r"(?:problems|benchmarks|tests)/\w+\.py", README):
        assert (ROOT / path).is_file(), path


def test_names_in_calls_are_those_of_the_package():
    import kanpde.functions
    import kanpde.optimizers

    known = {*dir(kanpde), *dir(kanpde.functions)}
    for name in re.findall(r"`([A-Z]\w+)\(", README):
        assert name in known or name in ("F1", "N"), f"the README mentions {name}, which kanpde does not have"
