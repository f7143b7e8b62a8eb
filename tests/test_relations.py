"""Relations: formulas that are known, in all rows, in a part, and in none; and those of the knots."""

import numpy as np
import pytest

from kanpde.relations import RelationSearch, distinct, exact_formula, found_in, relations, support
from kanpde.results import load, save
from kanpde.science import knots


@pytest.fixture(scope="module")
def columns():
    random = np.random.default_rng(0)
    a, b, c = random.uniform(0.5, 2, (3, 600))
    return {"a": a, "b": b, "c": c, "noise": random.standard_normal(600)}


def sought(columns, y, *names, **options):
    return exact_formula(np.stack([columns[name] for name in names], 1), y, names, **options)


@pytest.mark.parametrize(
    ("law", "formula"),
    [
        (lambda a, b, c: a * b, "a*b"),
        (lambda a, b, c: 3 * a / (2 * c**2), "3*a/(2*c**2)"),
        (lambda a, b, c: np.sqrt(a**2 + b**2), "sqrt(a**2 + b**2)"),
        (lambda a, b, c: np.arcsinh(a / 2), "asinh(a/2)"),
        (lambda a, b, c: 0.1234567 * a + 2 * b, "0.1234567*a + 2*b"),
        (lambda a, b, c: np.minimum(a / 2, np.arcsinh(b)), "min(a/2, asinh(b))"),
        (lambda a, b, c: np.maximum(a * b, c), "max(c, a*b)"),
    ],
)
def test_formulas_in_all_rows(columns, law, formula):
    y = law(columns["a"], columns["b"], columns["c"])
    found = sought(columns, y, "a", "b", "c")
    assert found is not None and found.share == 1 and found.residual < 1e-12
    assert found.formula == formula or {*found.formula} == {*formula}  # of two pieces, which comes first is a matter of rows
    np.testing.assert_allclose(found.values, y, rtol=1e-12)


def test_exceptions_are_counted_and_chance_is_none(columns):
    y = 1.5 * columns["a"]
    y[::50] += 0.3
    found = sought(columns, y, "a", "b")
    assert found is not None and found.formula == "3*a/2" and (~found.holds).sum() == 12 and np.array_equal(~found.holds[::50], [True] * 12)
    assert sought(columns, columns["noise"], "a", "b", "c") is None
    assert sought(columns, np.sin(3 * columns["a"]) + columns["b"], "a", "b") is None  # a law, but none of these
    random = np.random.default_rng(1)
    few = {"x": random.integers(1, 3, 600).astype(float)}  # two values agree with two values half of the time
    assert sought(few, random.integers(1, 3, 600).astype(float), "x") is None


def test_networks_say_which_columns_determine_another(columns):
    table = {**columns, "y": np.exp(columns["a"]) * columns["c"]}
    found = support(table, "y", rows=300)
    assert set(found.inputs) == {"a", "c"} and found.r2 > 0.999 and found.control < 0.2
    (relation,) = relations(table, targets=["y"], networks=2, rows=300)
    assert relation.kind == "correlation" and set(relation.inputs) == {"a", "c"} and relation.votes == 2
    (nothing,) = relations(columns, targets=["noise"], networks=2, rows=300)
    assert nothing.kind == "nothing" and distinct([nothing]) == []


def test_relations_of_knots(tmp_path):
    table = knots.load()
    names = (*knots.THREE, "cusp_area", "geodesic_r", "injectivity_radius", "torsion_degree", "adjoint_degree")
    given = {name: table[name] for name in names}
    search = RelationSearch(given, ("cusp_area", "injectivity_radius", "adjoint_degree", "lam"), networks=1, rows=250)
    result = load(save(search.run(name="knots"), tmp_path / "relations.h5"))
    area, radius, degree, lam = found_in(result)
    assert (area.kind, area.formula) == ("identity", "mu_i*lam") and area.rows == 2970
    assert (
        radius.kind == "identity" and radius.formula == "min(geodesic_r/2, asinh(sqrt(mu_r**2/4 + mu_i**2/4)))" and radius.residual < 1e-14
    )
    assert (degree.kind, degree.formula, degree.exceptions) == ("rule", "3*torsion_degree/2", 35)
    assert "2935 of 2970 rows; 35 exceptions" in str(degree)
    assert lam.formula == "cusp_area/mu_i" and [each.formula for each in distinct([area, lam])] == ["mu_i*lam"]  # the same, told twice
    assert result.metrics["identity"] == 3 and result.metrics["rule"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(targets=["d"]), "targets has 'd', but the columns are a, b"),
        (dict(columns={"a": np.ones(60), "b": np.arange(60.0)}), "the column 'a' is 1 in all rows"),
        (dict(columns={"a": np.arange(60.0), "b": np.arange(50.0)}), "of one length"),
        (dict(columns={"a": np.full(60, np.nan), "b": np.arange(60.0)}), "0 rows have a finite number in every column"),
        (dict(columns={"a": np.array(["x"] * 60), "b": np.arange(60.0)}), "the column 'a' holds no numbers"),
        (dict(networks=0), "networks"),
    ],
)
def test_errors_say_what_to_do(change, message):
    given = {"columns": {"a": np.arange(60.0), "b": np.arange(60.0) ** 2}, **change}
    with pytest.raises(ValueError, match=message):
        relations(given.pop("columns"), **given)
