"""Tests of comparing a candidate with the model in a stage."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import UserError
from core.params import read_params
from evaluation.promotion import (
    Guard,
    PromotionParams,
    compare_guarded,
    count_known,
    keep_common_rows,
)
from evaluation.scores import Scored

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "params.yaml", *sorted(ROOT.glob("examples/*/params.yaml"))]


def is_refused(guard, candidate, current):
    table = compare_guarded({guard.metric: candidate}, {guard.metric: current}, [guard])
    return bool(table.loc[0, "is_refused"])


@pytest.mark.parametrize(
    ("metric", "candidate", "current", "expected"),
    [
        ("recall_at_max_fpr", 0.95, 0.95, False),
        ("recall_at_max_fpr", 0.94, 0.95, False),
        ("recall_at_max_fpr", 0.93, 0.95, True),
        ("recall_at_max_fpr", 0.99, 0.95, False),
        ("fpr", 0.94, 0.95, False),
        ("fpr", 0.96, 0.95, False),
        ("fpr", 0.97, 0.95, True),
        ("macro_f1", 0.93, 0.95, True),
        ("log_loss", 0.93, 0.95, False),
        ("log_loss", 0.97, 0.95, True),
        ("r2", 0.93, 0.95, True),
        ("rmse", 0.97, 0.95, True),
        ("total_bias", -0.97, 0.95, True),
        ("total_bias", -0.95, 0.95, False),
    ],
)
def test_only_what_is_worse_beyond_the_tolerance_is_refused(metric, candidate, current, expected):
    assert is_refused(Guard(metric=metric, tolerance=0.01), candidate, current) == expected


@pytest.mark.parametrize("unit", [1e-9, 1, 1e9])
def test_a_relative_tolerance_does_not_depend_on_the_unit_of_the_target(unit):
    guard = Guard(metric="mae", relative_tolerance=0.02)
    assert not is_refused(guard, 101.9 * unit, 100 * unit)
    assert is_refused(guard, 102.1 * unit, 100 * unit)
    assert not is_refused(guard, 50 * unit, 100 * unit)


def test_a_guard_has_one_tolerance():
    for tolerances in ({}, {"tolerance": 1, "relative_tolerance": 1}):
        with pytest.raises(ValueError, match="give either tolerance or relative_tolerance"):
            Guard(metric="mae", **tolerances)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_no_guard_of_ours_is_in_the_unit_of_a_target(path):
    guards = read_params(path, "promotion", PromotionParams).guards
    in_units = [guard for guard in guards if guard.metric in ("mae", "rmse")]
    assert [guard.tolerance for guard in in_units] == [None] * len(in_units)


def test_robustness_is_compared_only_if_both_releases_measured_it():
    guard = Guard(metric="robustness.worst", tolerance=0.02)
    worse, better = {"robustness.worst": 0.8}, {"robustness.worst": 0.9}
    assert compare_guarded(worse, better, [guard])["is_refused"].tolist() == [True]
    assert compare_guarded(worse, {}, [guard]).empty
    assert compare_guarded({}, better, [guard]).empty


@pytest.mark.parametrize(("candidate", "current"), [({}, {}), ({"luck": 1}, {}), ({}, {"luck": 1})])
def test_a_metric_that_one_of_them_does_not_have_is_refused_with_those_that_both_have(
    candidate, current
):
    guard = Guard(metric="luck", tolerance=0)
    known = {"mcc": 1, "fpr": 0}
    message = "^promotion.guards: there is no metric 'luck': choose one of mcc, fpr$"
    with pytest.raises(ValueError, match=message):
        compare_guarded(known | candidate, known | current, [guard])


def make_scored(rows):
    df = pd.DataFrame({"row": rows, "group": rows})
    return Scored(df, [], np.array(rows, float), np.array(rows) * 10.0)


def test_versions_are_compared_on_the_rows_that_both_accept(caplog):
    found = keep_common_rows({"v1": make_scored([1, 2, 4]), "v2": make_scored([1, 3, 4])}, 4)
    for scored in found.values():
        assert scored.df["row"].tolist() == [1, 4]
        assert scored.predicted.tolist() == [10, 40]
    assert "v1 rejects 1 of the 4 rows of this test set" in caplog.text
    with pytest.raises(UserError, match="no row of the test set is accepted by both"):
        keep_common_rows({"v1": make_scored([1]), "v2": make_scored([2])}, 2)


def test_versions_that_accept_all_rows_need_no_row_numbers(caplog):
    scored = make_scored([1, 2])
    without = Scored(scored.df.drop(columns="row"), [], scored.actual, scored.predicted)
    assert keep_common_rows({"v1": without, "v2": without}, 2) == {"v1": without, "v2": without}
    assert caplog.text == ""


def test_counts_rows_of_which_all_features_are_those_of_a_training_row(tmp_path, caplog):
    sold = pd.to_datetime(["2024-01-01", "2024-01-02", None, "2024-01-04"])
    train = pd.DataFrame({"cut": ["a", "b", None, "c"], "carat": [1, 2, np.nan, 4], "sold": sold})
    test = train.assign(carat=[1, 9, np.nan, 4]).iloc[::-1]
    # The same values may be stored with other categories.
    test["cut"] = pd.Categorical(test["cut"], categories=["c", "b", "z", "a"])
    train.assign(cut=train["cut"].astype("category")).to_parquet(tmp_path / "train.parquet")
    test.to_parquet(tmp_path / "test.parquet")
    paths = (tmp_path / "test.parquet", tmp_path / "train.parquet")
    assert count_known(*paths, ["cut", "carat", "sold"]) == 3
    assert count_known(*paths, ["cut"]) == 4
    test.assign(size=1).to_parquet(tmp_path / "test.parquet")
    assert count_known(*paths, ["cut", "size"]) == 0
    assert "has no column 'size'" in caplog.text
