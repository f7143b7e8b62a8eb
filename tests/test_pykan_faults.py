"""What users of pykan 0.2.8 complain of, row by row, and the test that fails where kanpde does the same.

Rows are numbered as in the table of faults; most have their test in the room that they concern, the others here.

 1  slow: Python loops over edges            test_pykan_faults.test_no_tensor_has_a_number_for_every_point_and_edge
                                             test_edgesums.test_values_and_gradients_are_those_of_the_formula
 2  memory for every point and edge          test_pykan_faults.test_no_tensor_has_a_number_for_every_point_and_edge
                                             test_edgesums.test_only_weight_and_points_are_kept_for_the_reverse
                                             test_conditions.test_memory_does_not_grow_with_the_points
 3  NaN in training                          test_optimizers.test_levenberg_marquardt_rejects_trials_that_are_not_finite
                                             test_optimizers.test_lbfgs_undoes_steps_that_are_not_finite
                                             test_optimizers.test_adam_stops_at_gradients_that_are_not_finite
                                             test_training.test_residuals_that_are_not_finite_stop_training_before_it_starts
 4  NaN in symbolic edges                    test_editing.test_no_fit_leaves_the_domain
                                             test_primitives.test_the_domain_ends_where_the_function_does
 5  half a minute for one edge               test_editing.test_proposals_for_an_edge_are_quick
 6  the wrong function is chosen             test_pykan_faults.test_planted_constants_are_recovered
                                             test_pykan_faults.test_families_are_told_apart_under_noise
                                             test_pykan_faults.test_what_explains_nothing_is_not_proposed_first
                                             test_pykan_faults.test_an_edge_that_nothing_explains_stays_what_it_is
                                             test_pykan_faults.test_a_simple_function_does_not_hide_one_that_explains_enough
                                             test_pykan_faults.test_a_formula_comes_back_from_samples
                                             test_editing.test_high_frequencies_are_found
 7  the formula is another function          test_pykan_faults.test_formulas_are_their_networks
                                             test_editing.test_what_is_not_fixed_stays
                                             test_compiler.test_splines_are_no_formula
 8  pruning destroys the model               test_editing.test_pruning_costs_at_most_what_was_asked
                                             test_editing.test_a_node_is_removed_with_its_constant
 9  pruning resets settings                  test_editing.test_pruning_keeps_every_setting
10  pruned inputs cannot be loaded           test_editing.test_an_input_is_removed_with_its_column_or_without
                                             test_editing.test_any_sequence_of_edits_can_be_saved_and_leaves_its_argument_alone
11  checkpoints and pickles                  test_saving.test_networks_can_be_copied_and_pickled
                                             test_saving.test_a_fresh_process_finds_the_same_bits
                                             test_saving.test_primitives_of_ones_own_are_handed_over
12  files and lines nobody asked for         test_pykan_faults.test_a_workflow_leaves_no_trace
                                             test_versions.test_nothing_is_written_unasked
13  the global random state                  test_pykan_faults.test_a_workflow_leaves_no_trace
                                             test_training.test_training_is_reproducible_and_leaves_global_state_alone
                                             test_optimizers.test_global_state_is_left_alone
                                             test_kan.test_construction_leaves_global_state_alone
14  grid updates change the function         test_editing.test_a_smaller_range_changes_only_by_rounding
                                             test_editing.test_new_knots_are_refined_until_the_function_stays
15  refinement: inexact, of the last batch,  test_kan.test_refinement_keeps_the_function_and_shares_nothing
    shares storage                           test_editing.test_the_data_are_those_that_were_given
                                             test_layer.test_refinement_is_exact_for_everything
16  least squares fail                       test_editing.test_gaps_and_repeated_points_leave_nothing_undetermined
                                             test_pykan_faults.test_fine_grids_in_single_precision
17  devices                                  test_pykan_faults.test_networks_follow_their_device
                                             test_composability.test_dtypes_and_devices
                                             test_bases.test_the_device_is_that_of_the_points
18  zero outside the grid, without a word    test_editing.test_beyond_the_range_edges_go_on_straight
                                             test_layer.test_beyond_the_grid_functions_go_on_as_chosen
                                             test_interpret.test_points_outside_the_grid_are_counted
19  errors do not fall as in the paper       test_pykan_faults.test_errors_fall_with_the_fourth_power_of_the_grid
20  tutorials do not run                     test_problems.test_quick_run_reaches_its_number
                                             test_problems.test_every_problem_file_has_a_number
21  no ordinary modules                      test_composability.test_any_leading_dimensions
                                             test_composability.test_in_sequential_with_other_modules_trained_by_torch_optim
                                             test_composability.test_modes_return_the_layer_and_change_nothing
                                             test_composability.test_subclasses
22  drawings: slow, a file for each edge     test_drawing.test_150_edges_take_less_than_a_second
                                             test_drawing.test_a_network_is_drawn_without_a_run
23  swap changes the function                test_editing.test_exchanged_nodes_leave_the_function_as_it_is
24  fit's arguments: crash, are ignored,     test_schedule.test_bad_schedules_fail_before_training
    roots of losses, epochs with gaps        test_penalties.test_every_optimizer_feels_the_penalties
                                             test_supervised.test_the_history_of_a_classification_is_the_cross_entropy_itself
                                             test_supervised.test_an_epoch_has_every_point_once_in_batches_of_nearly_one_size
25  data sets without recipe or seed         test_datasets.test_samples_of_a_function_are_its_values_at_points_in_the_ranges
                                             test_datasets.test_splits_have_random_numbers_of_their_own
                                             test_feynman.test_there_are_120_and_all_are_finite_and_depend_on_their_variables
26  x^1.5 and functions of one's own         test_primitives.test_values_and_derivatives_are_those_of_sympy
                                             test_editing.test_formulas_of_ones_own_and_given_constants
27  installation, and names from import *    test_pykan_faults.test_dependencies_are_declared_as_ranges
                                             test_pykan_faults.test_a_star_imports_kanpde_only
28  other numbers from the same seed         test_pykan_faults.test_two_processes_find_the_same_bits
                                             test_cli.test_two_fresh_processes_give_identical_numbers
29  the compiler is silently wrong           test_compiler.test_every_formula_of_the_feynman_set_is_exact
                                             test_compiler.test_these_are_right
                                             test_compiler.test_what_cannot_be_compiled
                                             test_compiler.test_a_wrong_translation_is_noticed
30  no maintenance                           (no behaviour)
"""

import ast
import os
import random
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch
from scipy.special import j0
from torch.utils._python_dispatch import TorchDispatchMode

import kanpde
from kanpde import (
    KAN,
    PRIMITIVES,
    AdaptRanges,
    BSpline,
    Chebyshev,
    Dataset,
    Experiment,
    FixEdges,
    LevenbergMarquardt,
    Prune,
    Refine,
    Regression,
    SiLU,
    Smooth,
    Sparsify,
    Starts,
    as_expression,
    draw_network,
    fix,
    prune,
    suggest,
)
from kanpde.editing.fitting import edge_fits, polished
from kanpde.functions import exp, pi, sin
from kanpde.jets import channels

LM = LevenbergMarquardt
TESTS, PACKAGE = Path(__file__).parent, Path(kanpde.__file__).parent


def test_every_row_has_its_tests():
    """The table above names tests that there are, and every row but the last has some."""
    found = {path.stem: set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)) for path in TESTS.glob("test_*.py")}
    rows, row = {}, 0
    for line in (__doc__ or "").splitlines():
        row = int(line[:2]) if line[:2].strip().isdigit() else row
        rows.setdefault(row, []).extend(re.findall(r"(test_\w+)\.(test_\w+)", line))
    assert sorted(rows) == list(range(31))
    assert [row for row, tests in rows.items() if not tests] == [0, 30]
    missing = [f"{room}.{name}" for tests in rows.values() for room, name in tests if name not in found.get(room, ())]
    assert not missing


def target(x, y):
    return exp(sin(pi * x) + y**2)


def samples(**options):
    return Dataset.of(target, x=(-1, 1), y=(-1, 1), **{"train": 1000, "test": 1000, **options})


def uniform(*shape, seed=0):
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1


# ---- 1, 2: time and memory ----


class Sizes(TorchDispatchMode):
    """The greatest number of numbers behind a tensor that any operation returned."""

    most = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        found = operation(*args, **(kwargs or {}))
        for each in found if isinstance(found, (tuple, list)) else (found,):
            if isinstance(each, torch.Tensor):
                self.most = max(self.most, each.untyped_storage().nbytes() // each.element_size())
        return found


@pytest.mark.parametrize("hidden", ["tanh", "range"])
def test_no_tensor_has_a_number_for_every_point_and_edge(hidden):
    network, x = KAN(64, 64, 64, basis=BSpline(3, 5) + SiLU(), hidden=hidden), uniform(3000, 64)
    network(x[:10]).sum().backward()  # what is remembered of a basis
    with Sizes() as sizes:
        network(x).square().sum().backward()
    assert sizes.most < 0.1 * 3000 * 64 * 64
    with Sizes() as few:
        network(x[:750]).square().sum().backward()
    assert sizes.most <= 4 * few.most  # and nothing grows faster than the points


# ---- 5, 6: which function an edge is ----


def planted(name, generator):
    """a, b, c, d such that a z + b stays in the domain, and the function is neither flat nor steep, for z in [-1, 1]."""
    primitive, z = PRIMITIVES[name], torch.linspace(-1.02, 1.02, 2001).double()
    while True:
        a, b = generator.uniform(0.7, 3) * generator.choice([-1, 1]), generator.uniform(-2.5, 2.5)
        if not primitive.domain.covers(b - 1.02 * abs(a), b + 1.02 * abs(a)):
            continue
        values = primitive.values(a * z + b)
        if float(values.abs().max()) < 100 and float(values.std()) > 0.1:
            return a, b, generator.uniform(0.5, 3) * generator.choice([-1, 1]), generator.uniform(-2, 2)


SMOOTH = [name for name in PRIMITIVES if name not in ("sign", "heaviside", "abs", "relu", "sinc")]  # with few minima to end in


@pytest.mark.parametrize("name", SMOOTH)
def test_planted_constants_are_recovered(name):
    generator, z = np.random.default_rng(0), uniform(300)
    for _ in range(3):
        a, b, c, d = planted(name, generator)
        y = c * PRIMITIVES[name].values(a * z + b) + d
        fit = polished(edge_fits([PRIMITIVES[name]], z, y)[0], z, y)
        p, q, r, s = fit.constants
        assert float((r * PRIMITIVES[name].values(p * z + q) + s - y).abs().max()) < 1e-6 * float(y.std())


FAMILIES = ["x", "x^2", "x^3", "x^-1", "sqrt", "exp", "log", "sin", "tan", "tanh", "atanh", "gaussian"]
ALIKE = [{"sin", "cos"}, {"tanh", "sigmoid"}]  # but for the constants


def noisy_network(y, sigma, z, basis):
    """A network of one edge: splines through values with noise; and what it leaves unexplained of them."""
    network = KAN(1, 1, basis=basis).edited()
    layer, design = network.wires[0], basis.values(z).T.numpy()
    y = (y + sigma * y.std() * torch.from_numpy(np.random.default_rng(1).standard_normal(len(z)))).numpy()
    layer.put_splines(basis, torch.from_numpy(np.linalg.lstsq(design, y, rcond=None)[0])[None, :, None], layer.present)
    return network, torch.from_numpy(y)[:, None]


def test_families_are_told_apart_under_noise():
    """Noise of 1% at 300 points: pykan's search takes 31 s for one of these edges."""
    generator, z, wrong = np.random.default_rng(0), uniform(300), []
    for name in 3 * FAMILIES:
        a, b, c, d = planted(name, generator)
        y = c * PRIMITIVES[name].values(a * z + b) + d
        network, _ = noisy_network(y, 0.01, z, BSpline(3, 12))
        best = suggest(network, 0, 0, 0, z[:, None], resolution=1e-4)[0].primitive.name
        if best != name and not any({best, name} <= alike for alike in ALIKE):
            wrong.append((name, best))
    assert len(wrong) <= 1, wrong  # of 36


def bessel():
    """An edge that is J0(20 x), which no function of the table is."""
    z = torch.linspace(-1, 1, 600).double()
    return noisy_network(torch.from_numpy(j0(20 * z.numpy())), 0.0, z, BSpline(5, 60))[0], z[:, None]


def test_what_explains_nothing_is_not_proposed_first():
    """Pykan's suggest_symbolic ranks 0, with R^2 = 0, first for J0(20 x)."""
    found = suggest(*bessel()[:1], 0, 0, 0, bessel()[1])
    assert found[0].r2 > 0.4
    assert [each.r2 for each in found] == sorted((each.r2 for each in found), reverse=True)


def test_an_edge_that_nothing_explains_stays_what_it_is(caplog):
    network, points = bessel()
    same = FixEdges().edited(network, points, None)
    assert same.wires[0].present.all() and not same.wires[0].symbols
    assert re.search(r"the edge from 0 to 0 of layer 0 stays as it is: at best \w+ explains 0\.[4-8]", caplog.text)
    assert len(FixEdges(least=0.4).edited(network, points, None).wires[0].symbols) == 1


def test_a_simple_function_does_not_hide_one_that_explains_enough():
    """x explains 96% of it, and more is asked for: next to much noise it would have the best score."""
    z = uniform(400)
    network, targets = noisy_network(torch.tanh(2.2 * z), 0.2, z, Chebyshev(9))
    clean, _ = noisy_network(torch.tanh(2.2 * z), 0.0, z, Chebyshev(9))
    assert suggest(clean, 0, 0, 0, z[:, None], resolution=0.05)[0].primitive.name == "x"
    fixed = FixEdges().edited(clean, z[:, None], targets)
    assert fixed.wires[0].symbols[0].primitive.name in ("tanh", "sigmoid", "erf", "erfc", "atan", "sin", "cos")


def test_a_formula_comes_back_from_samples():
    """The tour of pykan's hellokan, with no function named by hand; what the penalty bent must not make y^2 a piece of a cosine."""
    training = [LM(steps=40), Sparsify(1e-2, 1e-3), Prune(0.05), LM(steps=20), FixEdges(), LM(steps=20)]
    experiment = Experiment(Regression(samples()), KAN(2, 5, 1, basis=BSpline(3, 5)), training)
    result = experiment.run()
    assert result.metrics["test_rmse"] < 1e-12
    x, y = sympy.symbols("x y", real=True)
    found = sympy.sympify(result.equation["formula"].partition("=")[2], locals={"x": x, "y": y})
    assert sympy.simplify(found - sympy.exp(sympy.sin(sympy.pi * x) + y**2)) == 0


# ---- 7: formulas ----


def test_formulas_are_their_networks():
    """Products of two and of three factors, two outputs with units of their own, a box that is not [-1, 1]: by sympy's lambdify."""
    network = KAN(2, (1, [2, 3]), (1, [2]), basis=Chebyshev(4), seed=2).on_box([0, -2], [3, 2]).on_outputs([1.0, -20.0], [0.1, 7.0])
    points = torch.tensor([1.5, 0.0]) + torch.tensor([1.5, 2.0]) * uniform(200, 2)
    names = ["sin", "x^2", "tanh", "exp", "x", "gaussian"]
    for number, layer in enumerate(network.wires):
        for output in range(layer.linear):
            for input in range(layer.inputs):
                network = fix(network, number, output, input, names[(2 * output + input) % 6], points).network
    variables = sympy.symbols("x y", real=True)
    formulas = as_expression(network, variables)
    assert len(formulas) == 2
    for formula, values in zip(formulas, network(points).detach().T.numpy(), strict=True):
        function = sympy.lambdify(variables, formula, "numpy")
        np.testing.assert_allclose(function(*points.T.numpy()), values, rtol=0, atol=1e-8 * np.abs(values).max())


# ---- 12, 13, 28: side effects and reproducibility ----

WORKFLOW = """
import torch
from kanpde import *
from kanpde.functions import exp, pi, sin
data = Dataset.of(lambda x, y: exp(sin(pi * x) + y**2), x=(-1, 1), y=(-1, 1), train=150, test=50)
training = [Starts(2, 3), LevenbergMarquardt(steps=10), Sparsify(1e-2), Prune(0.3), LevenbergMarquardt(steps=5), AdaptRanges(tolerance=0.5),
            Refine(8, uniform=True), FixEdges(least=0.7), LevenbergMarquardt(steps=5)]
experiment = Experiment(Regression(data), KAN(2, 3, 1, basis=BSpline(3, 5), hidden="range"), training)
network = experiment.trained_network(experiment.run(seed=3))
print(network.vector().numpy().tobytes().hex(), as_expression(network, ["x", "y"]) if not network.resolution else network)
"""


def test_two_processes_find_the_same_bits():
    """A whole workflow, with other seeds for the hashes of Python; pykan's numbers differ from process to process."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WORKFLOW],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    (one, errors), (other, _) = (run.communicate(timeout=120) for run in runs)
    assert len(one) > 20, errors
    assert one == other


def test_a_workflow_leaves_no_trace(tmp_path, monkeypatch, capfd):
    """Pykan reseeds three generators and writes ./model, ./figures and copy_temp_*; every call prints."""
    import matplotlib

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate(), matplotlib.get_backend(), torch.get_default_dtype()
    data = samples(train=200, test=50)
    training = [Starts(2, 2), LM(steps=4), Sparsify(1e-2), Prune(0.5), LM(steps=2), FixEdges(least=0.5), LM(steps=2)]
    experiment = Experiment(Regression(data), KAN(2, 2, 1, basis=BSpline(3, 4)), training)
    network = experiment.trained_network(experiment.run(seed=1))
    points = data["train"].inputs
    draw_network(prune(network.copy(), points, tolerance=0.5).network, points)
    kanpde.expand_depth(kanpde.perturb(network, 0.1, "all", basis=BSpline(3, 4)))
    assert torch.equal(torch.get_rng_state(), before[0]) and np.array_equal(np.random.get_state()[1], before[1])
    assert (random.getstate(), matplotlib.get_backend(), torch.get_default_dtype()) == before[2:]
    assert os.getcwd() == str(tmp_path) and os.listdir(tmp_path) == []
    assert capfd.readouterr().out == ""


# ---- 16, 17: precision and devices ----


def test_fine_grids_in_single_precision():
    """Pykan's error after ten steps in float32 grows from 0.09 to 1.5 between 50 and 200 intervals; of most there is no sample here."""
    x = np.repeat(np.random.default_rng(0).uniform(-1, 1, 60), 3)
    data = Dataset(dict(x=x, y=np.sin(np.pi * x)), targets="y", train=1.0, ranges=dict(x=(-1, 1)))
    experiment = Experiment(Regression(data), KAN(1, 1, basis=BSpline(3, 200)), [LM(steps=10), Smooth(1e-6, of="jumps")])
    result = experiment.run(dtype=torch.float32)
    between = np.linspace(x.min(), x.max(), 500)
    assert result.metrics["train_rmse"] < 1e-4
    assert np.abs(experiment.solution(result)(x=between) - np.sin(np.pi * between)).max() < 0.5


def test_networks_follow_their_device():
    """No number is made on another device than that of the points: on "meta" that would be an error."""
    for hidden in ("tanh", "range"):
        network = KAN(2, (3, [2, 3]), 1, basis=BSpline(3, 5) + SiLU(), hidden=hidden)
        network = fix(network, 0, 1, 0, "sin", uniform(50, 2)).network.to("meta")
        points = torch.empty(7, 2, device="meta", dtype=torch.float64)
        assert network(points).shape == (7, 1) and network(points).device.type == "meta"
        chosen = channels([(0, 0), (0, 1)])
        assert network.jets(points, chosen)[0].device.type == "meta"


# ---- 19: the errors of the paper ----


def test_errors_fall_with_the_fourth_power_of_the_grid():
    """exp(sin(pi x) + y^2), [2, 1, 1], cubic splines (arXiv 2404.19756, figure 2.3): pykan's own notebooks no longer reach it."""
    training = [Starts(6, 8), LM(steps=20, patience=5), Smooth(1e-6, of="jumps"), AdaptRanges(margin=0.01), Refine(10, 20, uniform=True)]
    data = samples(train=1500, validation=1000)
    history = Experiment(Regression(data), KAN(2, 1, 1, basis=BSpline(3, 5), hidden="range"), training).run().history
    ends = [history["validation_rmse"][history["refinement"] == grid][-1] for grid in (10, 20)]
    assert 3.3 < np.log2(ends[0] / ends[1]) < 4.7
    assert ends[1] < 3e-5


# ---- 27: installation ----


def test_dependencies_are_declared_as_ranges():
    """Pykan's setup.py declares none; its requirements.txt pins every one."""
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())["project"]
    declared, extras = project["dependencies"], {re.split(r"\W", each)[0] for each in project["optional-dependencies"]["operon"]}
    assert not [each for each in declared if "==" in each]
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add((node.module or "").partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"kanpde"}
    assert foreign - extras == {re.split(r"\W", each)[0] for each in declared}


def test_a_star_imports_kanpde_only():
    """From kan import * brings sympy's E, I, S and simplify along, and much of torch and NumPy."""
    for name in kanpde.__all__:
        made = getattr(kanpde, name)
        assert getattr(made, "__module__", "kanpde").startswith("kanpde"), name
