"""Sequences of tasks: what is forgotten, what keeps from it, and what a run leaves behind."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kanpde import (
    KAN,
    MLP,
    Box,
    BSpline,
    Chebyshev,
    Dataset,
    Dirichlet,
    Experiment,
    Fourier,
    Initial,
    LevenbergMarquardt,
    Problem,
    Refine,
    Regression,
    Sampling,
)
from kanpde.continual import Continual, Elastic, FreezeReached, Rehearse, Replay, Stay, Windows, running
from kanpde.continual.scores import backward_transfer, forgetting, main_error, over_all, retention_table
from kanpde.functions import exp, pi, sin
from kanpde.joined import Joined
from kanpde.objective import Objective
from kanpde.reports import report
from kanpde.results import load, save
from kanpde.retention_figures import matrices, over_phases, phases
from kanpde.training import fit

LM = LevenbergMarquardt(steps=8)


def wave(x):
    return np.sin(3 * x) + 0.5 * np.cos(7 * x)


def part(k, count=3):
    x, between = (-1 + 2 / count * (k + (np.arange(n) + 0.5) / n) for n in (30, 77))
    columns = dict(x=np.append(x, between), y=wave(np.append(x, between)), split=np.repeat(["train", "test"], [30, 77]))
    return Regression(Dataset(columns, inputs=["x"], targets=["y"], split="split", ranges=dict(x=(-1, 1))), metrics=("rmse",))


THREE = [part(k) for k in range(3)]
ROWS = np.concatenate([each.data["train"].inputs for each in THREE])[:, 0]


def best(basis):
    """The least-squares fit of all rows by NumPy, those of each task in units of its standard deviation: its values at the rows."""
    table, scale = basis.values(torch.from_numpy(ROWS)).numpy().T, np.repeat([np.std(wave(each)) for each in ROWS.reshape(3, 30)], 30)
    return table @ np.linalg.lstsq(table / scale[:, None], wave(ROWS) / scale, rcond=None)[0]


def fitted(result):
    train = result.solution["split"] == 0
    return result.solution["y"][train]


@pytest.mark.parametrize("basis", [Chebyshev(9), Fourier(4), BSpline(3, 9)], ids=repr)
def test_elastic_is_recursive_least_squares_for_one_layer(basis):
    result = Continual(THREE, KAN(1, 1, basis=basis), LM, Elastic()).run()
    assert np.allclose(fitted(result), best(basis), atol=1e-9)
    alone = Continual(THREE, KAN(1, 1, basis=basis), LM).run()
    assert np.abs(fitted(alone) - best(basis)).max() > 1e-3  # which without it they are not


def test_elastic_counts_what_it_keeps():
    full = Continual(THREE, KAN(1, 1, basis=Chebyshev(9)), LM, Elastic()).run()
    diagonal = Continual(THREE, KAN(1, 1, basis=Chebyshev(9)), LM, Elastic(full=False)).run()
    assert (full.metrics["kept_numbers"], diagonal.metrics["kept_numbers"]) == (10 * 10 + 10, 2 * 10)
    assert full.metrics["test_rmse"] < 0.1 * diagonal.metrics["test_rmse"]


def deep(**options):
    return KAN(1, 3, 1, basis=[BSpline(3, 15), BSpline(3, 4)], init="small", **options)


@pytest.mark.parametrize(
    ("remedy", "bound"), [(FreezeReached(), 1e-14), (Rehearse(40), 1e-3), (Replay(30), 1e-3), (Elastic(100), 2e-2)], ids=repr
)
def test_remedies_keep_two_layers_from_forgetting(remedy, bound):
    network = KAN(1, 3, 1, basis=[BSpline(3, 15), BSpline(3, 4)], hidden="range", outside="continue", init="identity")
    experiment = Continual(THREE, network, LevenbergMarquardt(steps=12), [Stay(1e-8), remedy])
    retention = experiment.run().retention["train_rmse"]
    assert retention[1, 0] < 1e-2
    assert retention[3, 0] - retention[1, 0] < bound
    alone = replace(experiment, remedies=Stay(1e-8)).run().retention["train_rmse"]
    assert alone[3, 0] > 3 * bound


def test_freezing_leaves_everything_between_the_points_as_it_was_and_trains_again_afterwards():
    network = deep()
    experiment = Continual(THREE, network, LevenbergMarquardt(steps=5), [Stay(1e-8), FreezeReached()])
    result = experiment.run()
    x, after = result.retention["points"], result.retention["after_y"]
    rows = THREE[0].data["train"].inputs
    inside = (x >= rows.min()) & (x <= rows.max())
    assert np.abs(after[3, inside] - after[1, inside]).max() < 1e-13
    assert np.abs(after[3, ~inside] - after[1, ~inside]).max() > 1e-3
    again = experiment.trained_network(result)
    assert again.parameter_count == network.parameter_count and all(layer.live is None for layer in again.wires)
    assert np.allclose(again(x[:, None]).detach().numpy()[:, 0], after[3], atol=1e-13)


def test_rehearsal_with_an_mlp_and_replay_count_what_they_keep():
    network = MLP(1, 6, 1)
    rehearsed = Continual(THREE, network, LevenbergMarquardt(steps=20), Rehearse(30)).run()
    assert rehearsed.metrics["kept_numbers"] == network.parameter_count + 3 * 2
    replayed = Continual(THREE, network, LevenbergMarquardt(steps=20), Replay(7)).run()
    assert replayed.metrics["kept_numbers"] == 3 * 7 * 2
    assert min(rehearsed.retention["test_rmse"][3, 0], 1.0) < 0.5


# ---- terms of the loss ----


@pytest.mark.parametrize("remedy", [Elastic(3.0), Elastic(2.0, full=False), Stay(0.1), Replay(9, weight=0.5), Rehearse(11)], ids=repr)
@pytest.mark.parametrize("frozen", [False, True])
def test_terms_have_the_derivatives_that_they_say(remedy, frozen):
    network = deep(seed=3).on_box([-1], [1]).on_outputs(*THREE[0].output_affine)
    rows = {k: {"equation": torch.from_numpy(THREE[k].data["train"].inputs)} for k in (0, 1)}
    memory = remedy.memory()
    memory.prepare(network)
    memory.learnt(network, Objective(THREE[0], rows[0]), 0)
    generator = torch.Generator().manual_seed(0)
    network.assign(network.vector() + 0.05 * torch.randn(network.parameter_count, generator=generator, dtype=torch.float64))
    if frozen:
        freeze = FreezeReached().memory()
        freeze.learnt(network, Objective(THREE[0], rows[0]), 0)
        freeze.prepare(network)
    objective = Joined(THREE[1], rows[1], memory.terms())
    residual, jacobian = objective.jacobian(network)
    start, step = network.vector(), 1e-6
    assert jacobian.shape == (objective.size, len(start)) and len(start) < network.copy().wires[0].weight.numel() * 3
    assert torch.allclose(residual, objective.residual(network))
    for place in range(0, len(start), 7):
        values = []
        for sign in (1, -1):
            moved = start.clone()
            moved[place] += sign * step
            network.assign(moved)
            values.append(objective.residual(network))
        network.assign(start)
        assert torch.allclose((values[0] - values[1]) / (2 * step), jacobian[:, place], atol=1e-7)
    gradient = objective.gradient(network)
    assert torch.allclose(gradient[0], residual) and torch.allclose(gradient[1], jacobian.T @ residual, atol=1e-12)
    assert torch.allclose(objective.pulled(network, residual), jacobian.T @ residual, atol=1e-12)
    own = float(residual @ residual) - sum(objective.losses(residual).values())
    assert sum(objective.paid(residual).values()) == pytest.approx(own)


def test_single_coefficients_are_held_in_values_by_torch_too():
    network = KAN(1, 2, 1, basis=BSpline(2, 4), seed=1)
    held = torch.zeros(6, 1, dtype=torch.bool)
    held[[0, 3]] = True
    layer = network.wires[0].hold(held)
    network(torch.linspace(-1, 1, 50, dtype=torch.float64)[:, None]).sum().backward()
    moved = layer.weight.grad.abs().sum(0) > 0
    assert torch.equal(moved, ~held) and network.parameter_count == 6 * 2 + 6 * 2 - 4
    assert layer.hold(None).live is None


# ---- scores ----


def test_scores_by_hand():
    retention = np.array([[9.0, 9, 9], [1, 9, 9], [3, 2, 9], [4, 5, 1]])
    assert backward_transfer(retention) == pytest.approx(((1 - 4) + (2 - 5)) / 2)
    assert forgetting(retention) == pytest.approx(((4 - 1) + (5 - 2)) / 2)
    assert main_error(["train_loss", "relative_l2", "test_rmse"]) == "test_rmse"
    with pytest.raises(ValueError, match="none of the errors"):
        main_error(["accuracy"])
    both = over_all(
        [{"test_rmse": 3.0, "test_rows": 2, "max_error": 1.0, "loss": 1.0}, {"test_rmse": 4.0, "test_rows": 3, "max_error": 5.0}]
    )
    assert both == {"test_rmse": pytest.approx(12.5**0.5), "test_rows": 5, "max_error": 5.0}


def test_the_example_of_the_readme(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (block,) = [each for each in re.findall(r"```python\n(.*?)```", text, re.S) if "Continual(" in each]
    space: dict = {}
    exec(block, space)
    retention = space["one_layer"].run(seed=1).retention["test_rmse"]
    assert retention[0].min() > 0.1 and retention[5].max() < 1e-6
    assert capsys.readouterr().out.count("e-0") >= 5


def test_the_table_has_medians_and_floors(result):
    text = retention_table({"cubic-elastic": [result, result], "mlp-none": [result]}, floors={"cubic": 1.25e-3})
    head, _, first, second = text.splitlines()
    assert "forgetting" in head and "0.00125" in first and second.split("|")[-2].strip() == "-"
    assert f"{np.sqrt(np.mean(result.retention['test_rmse'][3] ** 2)):.3g}" in first


# ---- a domain that grows ----

ROD = Box(x=(-1, 1), t=(0, 1))
HEAT = Problem(
    ROD,
    lambda u: u.t - u.xx / 20,
    conditions=[Initial(lambda x: sin(pi * x)), Dirichlet(0, on=ROD.boundary, hard=True)],
    exact=lambda x, t: exp(-(pi**2) * t / 20) * sin(pi * x),
)


def test_windows_are_solved_one_after_another_and_kept_by_rehearsal():
    experiment = Continual(
        Windows(HEAT, 2), KAN(2, 2, 1, basis=Chebyshev(6)), LevenbergMarquardt(steps=25), sampling=Sampling(interior=80, per_side=20)
    )
    alone, kept = experiment.run(), replace(experiment, remedies=[Rehearse(60)]).run()
    assert alone.retention["relative_l2"][1, 0] < 1e-3 and alone.retention["relative_l2"][2, 0] > 1e-2
    assert kept.retention["relative_l2"][2].max() < 2e-3
    x, t = kept.axes["x"][:, None], kept.axes["t"]
    truth = np.exp(-(np.pi**2) * t / 20) * np.sin(np.pi * x)
    error = np.linalg.norm(kept.solution["u"] - truth) / np.linalg.norm(truth)
    assert error < 2e-3 and error == pytest.approx(kept.metrics["relative_l2"], rel=0.5)


def test_a_wrong_exact_solution_is_told_before_training():
    wrong = replace(HEAT, exact=lambda x, t: exp(-t) * sin(pi * x))
    with pytest.raises(ValueError, match="does not solve the problem"):
        Continual(Windows(wrong, 2), KAN(2, 2, 1, basis=Chebyshev(6)), [LM]).run()


def test_windows_refuse_what_cannot_be_cut():
    hard = replace(HEAT, conditions=[Initial(lambda x: sin(pi * x), hard=True)], exact=None)
    with pytest.raises(ValueError, match="start of every window"):
        Windows(hard, 2)
    with pytest.raises(TypeError, match="takes a Problem"):
        Windows(THREE[0], 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not tile"):
        Windows(HEAT, edges=(0, 0.4))


# ---- an experiment like any other ----


@pytest.fixture(scope="module")
def result():
    return Continual(THREE, KAN(1, 1, basis=BSpline(3, 9)), LM, Elastic()).run(name="waves", key="cubic-elastic")


def test_results_come_back_from_their_file(result, tmp_path):
    back = load(save(result, tmp_path / "waves.h5"))
    assert set(back.retention) == set(result.retention) >= {"test_rmse", "train_rmse", "points", "after_y"}
    assert all(np.array_equal(back.retention[name], values) for name, values in result.retention.items())
    assert back.retention["test_rmse"].shape == (4, 3) and back.retention["after_y"].shape == (4, 1001)
    x, after = back.retention["points"], back.retention["after_y"][2]
    rows = THREE[1].data["test"].inputs[:, 0]
    found = float(np.sqrt(np.mean((np.interp(rows, x, after) - wave(rows)) ** 2)))
    assert back.retention["test_rmse"][2, 1] == pytest.approx(found, abs=1e-4)
    words = report(back, [tmp_path / "waves.h5"])
    assert "waves/cubic-elastic" in words and f"{result.metrics['test_rmse']:.5g}" in words
    assert set(np.unique(back.history["phase"])) == {1, 2, 3}
    assert back.history["loss_elastic"][back.history["phase"] > 1].max() > 0


def test_figures_are_drawn_from_results_alone(result):
    assert len(phases([result, result], exact=wave).axes) == 6
    assert len(matrices([result], "test_rmse").axes) == 2
    (line,) = over_phases([result], "test_rmse").axes[0].lines
    matrix = result.retention["test_rmse"][1:]
    assert np.asarray(line.get_ydata())[-1] == pytest.approx(np.sqrt(np.mean(matrix[-1] ** 2)))
    with pytest.raises(ValueError, match="only"):
        over_phases([result], "accuracy")
    with pytest.raises(ValueError, match="no function of one coordinate"):
        phases([replace(result, retention={})])


def test_same_seed_same_numbers_and_the_random_state_is_left():
    before, experiment = torch.get_rng_state(), Continual(THREE, deep(), LevenbergMarquardt(steps=3), [Stay(), Replay(5), Rehearse(5)])
    one, other, third = experiment.run(seed=1), experiment.run(seed=1), experiment.run(seed=2)
    assert np.array_equal(one.parameters, other.parameters) and not np.array_equal(one.parameters, third.parameters)
    assert torch.equal(before, torch.get_rng_state())
    assert experiment.shortened().training[0].steps == 1


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (dict(tasks=THREE[:1]), ValueError, "at least two tasks"),
        (dict(tasks=[THREE[0], HEAT]), ValueError, "one network cannot learn both"),
        (dict(training=[LM, Refine(20)]), ValueError, "leave it out"),
        (dict(remedies=[0.1]), TypeError, "remedies are"),
        (dict(model=KAN(1, 1, basis=Chebyshev(5)), remedies=[FreezeReached()]), TypeError, "use B-splines"),
        (dict(model=MLP(1, 5, 1), remedies=[FreezeReached()]), TypeError, "KAN of B-splines"),
        (dict(remedies=[FreezeReached(1)]), ValueError, "has 1 layers"),
        (dict(model=KAN(2, 1, basis=Chebyshev(5))), ValueError, "2 inputs"),
    ],
)
def test_what_does_not_fit_is_told_before_training(options, kind, words):
    with pytest.raises(kind, match=words):
        Continual(**{"tasks": THREE, "model": KAN(1, 1, basis=BSpline(3, 9)), "training": LM, **options})


@pytest.mark.parametrize(
    ("remedy", "value"), [(Elastic, 0.0), (Stay, -1.0), (Replay, 0), (Rehearse, 2.5), (FreezeReached, -1)], ids=lambda each: str(each)
)
def test_numbers_of_remedies_are_checked(remedy, value):
    with pytest.raises((ValueError, TypeError), match=remedy.__name__):
        remedy(value)


def test_every_coefficient_reached_is_an_error():
    whole = replace(THREE[0], data=replace(THREE[0].data, ranges=None))
    again = Continual([whole, whole], KAN(1, 1, basis=BSpline(3, 9)), LM, FreezeReached())
    with pytest.raises(ValueError, match="more intervals"):
        again.run()


def test_a_network_of_another_experiment_is_refused(result):
    with pytest.raises(ValueError, match="another experiment"):
        Continual(THREE, KAN(1, 1, basis=BSpline(3, 10)), LM).trained_network(result)
    assert isinstance(Experiment(THREE[0], KAN(1, 1, basis=BSpline(3, 9)), LM), Experiment)


def test_ctrl_c_keeps_what_whole_tasks_gave(tmp_path, monkeypatch):
    experiment = Continual(THREE, KAN(1, 1, basis=BSpline(3, 9)), LM, Elastic())
    whole = experiment.run()

    def stopped(after):
        calls = []

        def until(*arguments, **options):
            found = fit(*arguments, **options)
            calls.append(found)
            found.status = "interrupted" if len(calls) > after else found.status
            return found

        monkeypatch.setattr(running, "fit", until)
        return experiment.run()

    result = stopped(after=2)
    save(result, tmp_path / "stopped.h5")
    kept = load(tmp_path / "stopped.h5")
    assert kept.status == "interrupted" and kept.metrics["tasks"] == 2 and np.isnan(kept.metrics["forgetting"])
    assert np.array_equal(kept.retention["test_rmse"], whole.retention["test_rmse"][:3])
    network = experiment.trained_network(kept)  # as it was after the second task
    assert np.allclose(network(torch.from_numpy(ROWS[:60, None])).detach().numpy()[:, 0], wave(ROWS[:60]), atol=0.1)
    assert "interrupted" in report(kept, [tmp_path / "stopped.h5"]) and matrices([kept], "test_rmse") and phases([kept])
    with pytest.raises(KeyboardInterrupt):
        stopped(after=0)
