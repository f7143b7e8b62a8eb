"""Data sets: samples of functions, columns, files, and how rows are dealt to training, validation and test."""

from dataclasses import replace
from datetime import date

import h5py
import numpy as np
import pytest
import torch

from kanpde.datasets import Dataset
from kanpde.domains import Box
from kanpde.functions import exp, pi, sin, sqrt
from kanpde.splits import NAMES, counts

random = np.random.default_rng(0)
COLUMNS = {"a": random.normal(size=200), "b": random.uniform(2, 3, 200), "c": random.normal(size=200)}


def f(x, y):
    return exp(sin(pi * x) + y**2)


def rows(data):
    return np.concatenate([data[name].rows for name in NAMES])


# ---- functions ----


def test_samples_of_a_function_are_its_values_at_points_in_the_ranges():
    data = Dataset.of(f, x=(-1, 1), y=(0, 3), train=300, test=100, validation=50)
    assert [len(data[name]) for name in NAMES] == [300, 50, 100]
    assert data.domain == Box(x=(-1, 1), y=(0, 3)) and data.input_names == ("x", "y") and data.target_names == ("f",)
    for name in NAMES:
        x, y = data[name].inputs.T
        assert np.allclose(data[name].targets[:, 0], np.exp(np.sin(np.pi * x) + y**2), rtol=1e-14)
        assert x.min() >= -1 and x.max() <= 1 and y.min() >= 0 and y.max() <= 3
    x, y = data["train"].inputs.T  # uniform and independent: the mean is within four standard deviations of the middle
    assert abs(x.mean()) < 4 * 2 / np.sqrt(12 * 300) and abs(y.mean() - 1.5) < 4 * 3 / np.sqrt(12 * 300)
    assert len(np.unique(np.concatenate([data[name].inputs for name in NAMES]), axis=0)) == 450


def test_splits_have_random_numbers_of_their_own():
    small, large = (Dataset.of(f, x=(-1, 1), y=(0, 1), train=count, test=20) for count in (50, 80))
    assert np.array_equal(small["test"].inputs, large["test"].inputs)
    assert np.array_equal(small["train"].inputs, large["train"].inputs[:50])
    other = Dataset.of(f, x=(-1, 1), y=(0, 1), train=50, test=20, seed=1)
    assert not np.array_equal(other["train"].inputs, small["train"].inputs)
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    Dataset.of(f, x=(-1, 1), y=(0, 1), noise=0.1)
    assert torch.equal(torch.get_rng_state(), state[0]) and np.array_equal(np.random.get_state()[1], state[1])


def test_noise_is_a_fraction_of_the_deviation_and_spares_the_test():
    clean, noisy = (Dataset.of(f, x=(-1, 1), y=(0, 1), train=4000, validation=1000, test=100, noise=noise) for noise in (0.0, 0.05))
    deviation = clean["train"].targets.std()
    for name, count in (("train", 4000), ("validation", 1000)):
        noise = noisy[name].targets - clean[name].targets
        assert abs(noise.std() / deviation - 0.05) < 4 * 0.05 / np.sqrt(2 * count)
        assert abs(noise.mean()) < 4 * 0.05 * deviation / np.sqrt(count)
    assert np.array_equal(noisy["test"].targets, clean["test"].targets)
    both = Dataset.of(f, x=(-1, 1), y=(0, 1), train=4000, test=100, noise=0.05, noisy_test=True)
    assert not np.array_equal(both["test"].targets, clean["test"].targets)


def test_several_targets_and_many_inputs():
    data = Dataset.of(lambda x: (x[0] + x[4], x[1] * x[2]), Box.cube(5, 0, 1), train=10, test=5)
    assert data.target_names == ("y1", "y2")
    assert np.allclose(data["train"].targets[:, 1], data["train"].inputs[:, 1] * data["train"].inputs[:, 2])
    named = Dataset.of(lambda x: {"u": x, "v": x**2}, x=(0, 1), train=10)
    assert named.target_names == ("u", "v") and np.allclose(named["train"].targets[:, 1], named["train"].inputs[:, 0] ** 2)
    assert Dataset.of(lambda x, y: x + y, x=(0, 1), y=(0, 1)).target_names == ("z",)
    assert Dataset.of(lambda x: x, x=(0, 1), targets=("w",)).target_names == ("w",)
    assert Dataset.of(lambda x: 3 * x, x=(0, 1), points="sobol", train=64)["train"].inputs.min() < 1 / 32  # no gaps


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dataset.of(lambda x: sqrt(x), x=(-1, 1)), r"gives y = nan at x=-0\.\d+ of \(-1, 1\), one of \d+ such points of 1000"),
        (lambda: Dataset.of(lambda x: x[:3], x=(0, 1)), r"shape \(3,\) for y at 1000 points"),
        (lambda: Dataset.of(lambda x: None, x=(0, 1)), "lack a return"),
        (lambda: Dataset.of(lambda x: x + 1j, x=(0, 1)), "no real number a point"),
        (lambda: Dataset.of(lambda x: x, x=(1, 0)), r"must be finite and rising, got \(1, 0\)"),
        (lambda: Dataset.of(lambda x, z: x, x=(0, 1)), "asks for 'z', but there is only x"),
        (lambda: Dataset.of(lambda x: (x, x), x=(0, 1), targets=("u",)), "returns 2 values for the targets u"),
        (lambda: Dataset.of(lambda x: x, x=(0, 1), train=0), r"Dataset.of\(train=...\).*got 0"),
        (lambda: Dataset.of(lambda x: x, x=(0, 1), train=0.5), r"Dataset.of\(train=...\).*got 0.5"),
        (lambda: Dataset.of(lambda x: x, x=(0, 1), noise=-1), "noise is a fraction.*got -1"),
        (lambda: Dataset.of(lambda x: x, x=(0, 1), points="grid"), "got 'grid'"),
        (lambda: Dataset.of(lambda x: x), "needs the range of each input"),
        (lambda: Dataset.of(lambda x: x, Box(x=(0, 1)), y=(0, 1)), "a domain or the ranges"),
        (lambda: Dataset.of(3, x=(0, 1)), "takes a function of named inputs"),
        (lambda: Dataset.of(lambda x: {"x": x}, x=(0, 1)), "cannot be called 'x'"),
        (lambda: Dataset.of(lambda x: x, x=(0, 1), seed=-1), r"Dataset\(seed=...\)"),
    ],
)
def test_functions_that_cannot_be_sampled(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


# ---- columns ----


def test_rows_are_dealt_once_each():
    data = Dataset(COLUMNS, inputs=("a", "b"), targets=("c",), train=0.7, validation=0.1)
    assert [len(data[name]) for name in NAMES] == [140, 20, 40]
    assert sorted(rows(data)) == list(range(200))
    for name in NAMES:
        part = data[name]
        assert np.array_equal(part.inputs, np.stack([COLUMNS["a"], COLUMNS["b"]], 1)[part.rows])
        assert np.array_equal(part.targets[:, 0], COLUMNS["c"][part.rows])
    assert data.domain == Box(a=(COLUMNS["a"].min(), COLUMNS["a"].max()), b=(COLUMNS["b"].min(), COLUMNS["b"].max()))
    assert np.array_equal(replace(data)["train"].rows, data["train"].rows)
    assert not np.array_equal(replace(data, seed=1)["train"].rows, data["train"].rows)
    assert replace(data).digest == data.digest != replace(data, seed=1).digest


def test_counts_and_the_rest():
    assert counts(200, (0.8, 0.0, None)) == (160, 0, 40)
    assert counts(200, (100, 0.1, 5)) == (100, 20, 5)
    assert counts(200, (None, 0, 50)) == (150, 0, 50)
    assert counts(200, (1.0, 0, None)) == (200, 0, 0)


def test_files_and_tensors_and_tables_give_the_same(tmp_path):
    expected = Dataset(COLUMNS, inputs=("a", "b"), targets="c")
    np.savez(tmp_path / "t.npz", **COLUMNS)
    with h5py.File(tmp_path / "t.h5", "w") as file:
        for name, column in COLUMNS.items():
            file[name] = column
    lines = [",".join(COLUMNS), *(",".join(repr(float(value)) for value in row) for row in zip(*COLUMNS.values(), strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    for name in ("t.npz", "t.h5", "t.csv"):
        assert Dataset(tmp_path / name, inputs=("a", "b"), targets="c").digest == expected.digest
    assert Dataset({name: torch.tensor(column) for name, column in COLUMNS.items()}, targets="c").digest == expected.digest
    table = Dataset(dict(x=np.stack([COLUMNS["a"], COLUMNS["b"]], 1), c=COLUMNS["c"]), inputs="x", targets="c")
    assert table.input_names == ("x1", "x2") and np.array_equal(table["test"].inputs, expected["test"].inputs)


def test_texts_of_an_hdf5_file(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["x"], file["k"], file["fold"] = np.arange(6.0), ["a", "b", "ä"] * 2, np.array([b"train"] * 4 + [b"test"] * 2)
    data = Dataset(tmp_path / "t.h5", inputs="x", targets="k", split="fold")
    assert list(data["train"].targets[:, 0]) == ["a", "b", "ä", "a"] and len(data["test"]) == 2


def test_names_that_arguments_cannot_have(tmp_path):
    (tmp_path / "t.csv").write_text("longitudinal translation,class,signature\n" + "\n".join(f"{k / 7},{k % 3},{k}" for k in range(20)))
    data = Dataset(tmp_path / "t.csv", targets=dict(s="signature"))
    assert data.input_names == ("longitudinal_translation", "class_") and data.target_names == ("s",)
    assert Dataset(tmp_path / "t.csv", inputs=dict(l="longitudinal translation"), targets="signature").input_names == ("l",)


def test_no_group_is_in_two_splits():
    groups = np.random.default_rng(1).integers(0, 30, 200)
    data = Dataset({**COLUMNS, "knot class": groups}, inputs=("a", "b"), targets="c", train=0.6, validation=0.2, groups="knot class")
    sets = [set(groups[data[name].rows]) for name in NAMES]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2]) and sorted(rows(data)) == list(range(200))
    for name, share in zip(NAMES, (120, 40, 40), strict=True):
        assert abs(len(data[name]) - share) <= np.bincount(groups).max()
    assert Dataset({**COLUMNS, "g": groups}, targets="c", groups="g").input_names == ("a", "b")  # the groups are no input


def test_groups_of_every_size_are_in_all_splits_in_proportion():
    """The largest first to where most is wanted would put all families of many into training, and into what is left out none."""
    sizes = np.repeat([1, 2, 5], [500, 200, 40])
    groups = np.repeat(np.arange(len(sizes)), sizes)
    x = np.random.default_rng(0).standard_normal(len(groups))
    data = Dataset({"x": x, "y": x**2}, targets="y", groups=groups, train=0.5, test=0.25)
    for name, share in (("train", 0.5), ("test", 0.25)):
        assert abs(len(data[name]) - share * len(groups)) <= 5
        found = sizes[np.unique(groups[data[name].rows])]
        for size in (1, 2, 5):
            assert (found == size).sum() == pytest.approx(share * (sizes == size).sum(), rel=0.1)


def test_every_class_is_in_every_split_in_proportion():
    label = np.array(["rare"] * 10 + ["common"] * 190)
    data = Dataset({**COLUMNS, "k": label}, inputs=("a", "b"), targets="k", train=0.6, validation=0.2, stratify=True)
    for name, share in zip(NAMES, (0.6, 0.2, 0.2), strict=True):
        found = data[name].targets[:, 0]
        assert abs((found == "rare").sum() - 10 * share) <= 1 and abs((found == "common").sum() - 190 * share) <= 1
    assert sorted(rows(data)) == list(range(200))


def test_splits_as_a_column_says():
    told = np.array(["train", "Validation", "test", ""] * 50)
    data = Dataset({**COLUMNS, "fold": told}, inputs=("a", "b"), targets="c", split="fold")
    assert [set(told[data[name].rows]) for name in NAMES] == [{"train"}, {"Validation"}, {"test"}]
    with pytest.raises(ValueError, match="row 2: holdout is none of train"):
        Dataset({**COLUMNS, "fold": np.array(["train", "test", "holdout", "test"] * 50)}, targets="c", split="fold")


def test_duplicates_across_splits_are_counted():
    data = Dataset({name: np.concatenate([column, column[:30]]) for name, column in COLUMNS.items()}, targets="c", train=0.5)
    train, test = data["train"].inputs, data["test"].inputs
    count = sum(any(np.array_equal(one, other) for other in train) for one in test)
    (warning,) = data.warnings()
    assert count > 0 and warning.startswith(f"{count} of the {len(test)} rows")
    assert Dataset(COLUMNS, targets="c").warnings() == []


def test_sigma_by_number_column_and_target():
    sigma = np.linspace(1, 2, 200)
    data = Dataset({**COLUMNS, "error": sigma}, inputs="a", targets=("b", "c"), sigma=dict(b="error", c=0.5))
    assert np.array_equal(data["train"].sigma[:, 0], sigma[data["train"].rows]) and (data["train"].sigma[:, 1] == 0.5).all()
    assert "error" not in Dataset({**COLUMNS, "error": sigma}, targets="c", sigma="error").input_names


def bad(**changes):
    return {**COLUMNS, **changes}


def with_one(value, row=7):
    column = COLUMNS["a"].copy()
    column[row] = value
    return column


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dataset(bad(a=with_one(np.nan)), targets="c"), r"row 7 \(of 0 ... 199; 1 such rows\): a=nan is not a finite number"),
        (lambda: Dataset(bad(c=with_one(np.inf)), targets="c"), r"row 7 .*c=inf"),
        (lambda: Dataset(bad(k=np.array(["u", ""] * 100)), inputs="a", targets="k"), "row 1 .*k= is empty"),
        (lambda: Dataset(bad(a=np.ones(200)), targets="c"), r"input 'a' is 1 in all rows.*ranges=dict\(a="),
        (lambda: Dataset(bad(a=np.array(["red"] * 200)), targets="c"), "input 'a' holds texts such as .*red"),
        (lambda: Dataset(bad(a=np.ones(3)), targets="c"), "differ in length: a has 3"),
        (lambda: Dataset(bad(a=np.ones((200, 2, 2))), targets="c"), r"shape \(200, 2, 2\)"),
        (lambda: Dataset(COLUMNS, inputs=("a", "bb"), targets="c"), "'bb', but there are a, b, c; did you mean 'b'"),
        (lambda: Dataset(COLUMNS, targets="speed"), "'speed', but there are a, b, c"),
        (lambda: Dataset(COLUMNS), "has no targets"),
        (lambda: Dataset(COLUMNS, inputs=("a", "c"), targets="c"), "'c' is among the inputs and the targets"),
        (lambda: Dataset({}, targets="c"), "no rows"),
        (lambda: Dataset([1, 2], targets="c"), "takes columns by name"),
        (lambda: Dataset("nothing.csv", targets="c"), "there is no data file nothing.csv"),
        (lambda: Dataset(COLUMNS, targets="c", train=300), "train=300 asks for 300 rows, but there are 200"),
        (lambda: Dataset(COLUMNS, targets="c", train=0.8, validation=0.3), "asks for 220 rows, but there are 200"),
        (lambda: Dataset(COLUMNS, targets="c", train=1.5), "train=1.5 is no fraction"),
        (lambda: Dataset(COLUMNS, targets="c", train=-1), "train=-1"),
        (lambda: Dataset(COLUMNS, targets="c", train=None), "only one may be the rest"),
        (lambda: Dataset(COLUMNS, targets="c", train=0), "leaves nothing to train on"),
        (lambda: Dataset(COLUMNS, targets="c", groups="knot"), "groups asks for the column 'knot'"),
        (lambda: Dataset(COLUMNS, targets="c", groups=[1, 2]), r"groups has the shape \(2,\)"),
        (lambda: Dataset(bad(g=np.arange(200) < 100), targets="c", groups="g", train=0.6, validation=0.2), "2 groups of 100 to 100 rows"),
        (lambda: Dataset(bad(g=np.arange(200)), targets="c", groups="g", stratify=True), "groups and stratify each say"),
        (lambda: Dataset(bad(k=np.arange(200) == 5), inputs="a", targets="k", stratify=True), "class 1 of 'k' has 1 row, too few"),
        (lambda: Dataset(COLUMNS, targets="c", ranges=dict(a=(-0.1, 0.1))), "a=.* lies outside its range"),
        (lambda: Dataset(COLUMNS, targets="c", ranges=dict(d=(0, 1))), "ranges has 'd'"),
        (lambda: Dataset(COLUMNS, targets="c", ranges=dict(a=(9, -9))), "finite and rising"),
        (lambda: Dataset(COLUMNS, inputs="a", targets="c", sigma="b2"), "sigma asks for the column 'b2'"),
        (lambda: Dataset(COLUMNS, inputs="a", targets="c", sigma=0.0), "row 0 .*sigma of c=0.0 is not a positive number"),
        (lambda: Dataset(COLUMNS, inputs="a", targets="c", sigma=dict(b=1)), "gives none for the target 'c'"),
        (lambda: Dataset(COLUMNS, targets="c")["hold-out"], "there is no split 'hold-out'"),
    ],
)
def test_columns_that_cannot_be_used(make, words):
    with pytest.raises((TypeError, ValueError, KeyError), match=words):
        make()


def test_a_wrong_kind_of_file_is_refused(tmp_path):
    (tmp_path / "data.xlsx").write_text("a,b")
    with pytest.raises(ValueError, match="neither .npz, .h5 nor .csv"):
        Dataset(tmp_path / "data.xlsx", targets="b")


def test_a_data_set_prints_how_it_was_made():
    assert repr(Dataset.of(f, x=(-1, 1), y=(0, 1), train=10, noise=0.1)) == (
        "Dataset.of(f, x=(-1.0, 1.0), y=(0.0, 1.0), noise=0.1, train=10, validation=0, test=1000, seed=0)"
    )
    assert repr(Dataset(COLUMNS, targets="c", train=0.5)) == (
        "Dataset(dict(a, b, c), targets='c', train=0.5, validation=0.0, test=None, seed=0)"
    )


def test_what_is_masked_is_not_there():
    masked = np.ma.masked_array(np.arange(10.0), np.arange(10) == 3)
    with pytest.raises(ValueError, match="row 3 .*a=nan is not a finite number"):
        Dataset({"a": masked, "c": np.arange(10.0)}, targets="c")
    whole = Dataset({"a": np.ma.masked_array(np.arange(10.0)), "c": np.arange(10.0)}, targets="c")
    assert sorted(whole["train"].inputs[:, 0]) == sorted(whole["train"].rows)


def test_dates_are_no_numbers():
    days = np.array([date(2020, 1, day) for day in range(1, 11)], dtype=object)
    with pytest.raises(ValueError, match="the input 'a' holds texts such as '2020-01-01'"):
        Dataset({"a": days, "c": np.arange(10.0)}, targets="c")
