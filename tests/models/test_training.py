"""Tests of training a model from a table."""

import numpy as np
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from models.cross_validation import Trained
from models.folds import NEVER
from models.training import SplitParams, choose_folds, list_columns, train_model
from records.tasks import TASKS
from tests.support.small_estimators import make_model_params
from tests.support.small_table import (
    fit_pipeline,
    make_rows,
    make_table_schema,
)

N_ROWS = 400
BY_TIME = SplitParams(split_method="time", split_column="sold")


def make_prepared(task, seed=0):
    """Return rows with groups and tokens, and the features that were fitted on others."""
    features = fit_pipeline(task)
    df = make_rows(N_ROWS, task, seed)
    prepared = features["rows"].transform(df)
    return prepared.assign(group=np.arange(N_ROWS)), features


@pytest.mark.parametrize("task", TASKS)
def test_target_encoding_of_noise_does_not_raise_the_score(task):
    """Each of 12 towns has a mean of the target; other rows' targets must not leak through it."""
    df, features = make_prepared(task)
    X = features[1:].transform(df)
    estimator = "logistic_regression" if TASKS[task].has_classes else "ridge"
    found = train_model(
        df,
        X,
        features,
        make_table_schema(task),
        make_model_params(estimator, task, target_transform="none"),
    )
    assert isinstance(found, Trained)
    assert found.results["mean_test_score"].item() < 0.1


def test_features_that_depend_on_the_target_need_the_whole_table():
    schema, params = make_table_schema("binary"), make_model_params("ridge", "binary")
    columns = list_columns(fit_pipeline("binary"), schema, params, BY_TIME)
    assert {"group", "sold", "title", "title_tokens", "town"} <= set(columns)
    plain = Pipeline([("same", FunctionTransformer())])
    assert list_columns(plain, schema, params, BY_TIME) == ["group", "sold"]
    assert list_columns(plain, schema, params, SplitParams()) == ["group"]


def test_folds_of_a_split_by_group_keep_its_values_together():
    df, _ = make_prepared("regression")
    split = SplitParams(split_method="group", split_column="town")
    params = make_model_params("ridge", "regression")
    folds = choose_folds(df, make_table_schema("regression"), params, split)
    of_towns = df.assign(fold=folds).groupby("town")["fold"]
    assert (of_towns.min() == of_towns.max()).all()
    assert set(folds) == {0, 1, 2}


@pytest.mark.parametrize("task", TASKS)
def test_folds_of_a_split_by_time_are_windows(task):
    df, _ = make_prepared(task)
    df = df[df["sold"].notna()]
    folds = choose_folds(df, make_table_schema(task), make_model_params("ridge", task), BY_TIME)
    assert set(folds) == {NEVER, 0, 1, 2}
    latest = df["sold"].groupby(folds).max()
    assert (latest.sort_index() == latest.sort_values()).all()


def test_folds_of_a_number_have_equal_means():
    df, _ = make_prepared("regression")
    params = make_model_params("ridge", "regression")
    folds = choose_folds(df, make_table_schema("regression"), params, SplitParams())
    assert df["target"].groupby(folds).mean().std() < 0.05


def test_a_few_rows_are_enough_for_folds_of_a_number():
    df, _ = make_prepared("regression")
    params = make_model_params("ridge", "regression")
    folds = choose_folds(df.head(7), make_table_schema("regression"), params, SplitParams())
    assert sorted(np.bincount(folds)) == [2, 2, 3]
