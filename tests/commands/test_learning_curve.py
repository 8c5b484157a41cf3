"""Tests of measuring quality by the number of training rows."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from commands import learning_curve
from commands.learning_curve import choose_rows
from tests.support.evaluated import write_example

ESTIMATORS = {
    "binary": ("logistic_regression", "roc_auc"),
    "multiclass": ("logistic_regression", "f1_macro"),
    "regression": ("ridge", "r2"),
}


@pytest.fixture
def draw(params_file, tmp_path):
    """Return a function that draws the learning curve of a task's example."""

    def run(task, *arguments, n_rows=300):
        estimator, scoring = ESTIMATORS[task]
        changes = {
            **write_example(task, tmp_path, n_rows),
            "model_building.estimator": estimator,
            "model_building.params": {},
            "model_building.augmentation.enabled": False,
            "model_building.search.scoring": scoring,
        }
        output = tmp_path / "curve"
        argv = [f"--params={params_file(changes)}", f"--train={tmp_path / 'train.parquet'}"]
        learning_curve.main([*argv, f"--output={output}", *arguments])
        return output

    return run


@pytest.mark.parametrize("task", ESTIMATORS)
def test_writes_table_and_plot(draw, task):
    output = draw(task)
    measured = pd.read_csv(output.with_suffix(".csv"))
    assert (measured.groupby("share")["fold"].nunique() == 5).all()
    assert measured["share"].max() == 1
    n_shares = measured["share"].nunique()
    assert len(output.with_suffix(".md").read_text().splitlines()) == n_shares + 2
    with Image.open(output.with_suffix(".png")) as image:
        assert len(image.convert("L").getcolors()) > 10


def test_more_rows_explain_more(draw):
    output = draw("regression", "--metric=r2")
    measured = pd.read_csv(output.with_suffix(".csv"))
    held_out = measured[measured["set"] == "held out"].groupby("share")["r2"].mean()
    assert held_out.iloc[-1] > held_out.iloc[0]


def test_too_few_rows_for_a_fold_are_left_out(draw):
    shares = pd.read_csv(draw("multiclass", n_rows=120).with_suffix(".csv"))["share"].unique()
    assert min(shares) > 0.1


def test_an_unknown_metric_is_refused_with_those_that_are_known(draw):
    with pytest.raises(ValueError, match="there is no metric 'speed': choose one of accuracy, "):
        draw("binary", "--metric=speed")


def test_a_share_holds_whole_groups_and_the_smaller_shares():
    groups = np.repeat(np.arange(20), 3)
    chosen = [set(choose_rows(groups, share, np.random.default_rng(0))) for share in (0.1, 0.5, 1)]
    assert [len(rows) for rows in chosen] == [6, 30, 60]
    assert chosen[0] < chosen[1] < chosen[2]
    for rows in chosen:
        assert set(groups[sorted(rows)]).isdisjoint(groups[sorted(set(range(60)) - rows)])
