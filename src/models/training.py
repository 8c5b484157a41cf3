"""Train a model from a table: folds, copies, features that depend on the target."""

import logging
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pydantic import ConfigDict
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from core.params import Params
from features.branches import (
    FeatureParams,
    assemble,
    build_columns,
    freeze_vocabularies,
    has_supervised,
    locate_branches,
    select_columns,
    thaw_vocabularies,
)
from features.matrices import as_float32
from models.adapted import as_dense
from models.augmentation import build_copier
from models.cross_validation import Fold, Trained, fit_best
from models.estimators import ModelParams
from models.folds import assign_folds, assign_windows, check_windows, merge_strata
from records.schema import Name, Schema
from records.tables import name_tokens
from records.tasks import TASKS
from records.train_test_split import merge_groups
from text.tokens import TextParams

logger = logging.getLogger(__name__)


class SplitParams(Params):
    """How the rows were split, from section ``preprocessing``: cross-validation follows it."""

    model_config = ConfigDict(extra="ignore")

    split_method: Literal["stratified", "random", "group", "time"] = "stratified"
    split_column: Name | None = None


def fit_table(
    df: pd.DataFrame,
    schema: Schema,
    features: FeatureParams,
    text: TextParams,
    params: ModelParams,
    split: SplitParams | None = None,
) -> tuple[ColumnTransformer, BaseEstimator]:
    """Return the features and the model of a training table, fitted on all its rows.

    It has the columns that preprocessing gives a table.
    """
    columns = build_columns(schema, features)
    targets = list_targets(df[schema.target])
    X = as_float32(columns.fit_transform(select_columns(df, schema), targets))
    # Copies of messages are transformed by a copy of these steps, which needs them as stored.
    freeze_vocabularies(columns)
    trained = train_model(df, X, assemble(schema, columns, text), schema, params, split)
    return columns, trained.estimator


def has_copies(schema: Schema, params: ModelParams) -> bool:
    """Return whether training messages are copied; data without two labels has no negative one."""
    return params.augmentation.enabled and schema.is_messages and schema.positive is not None


def list_columns(
    features: Pipeline, schema: Schema, params: ModelParams, split: SplitParams
) -> list[str]:
    """Return the columns of the training table that ``train_model`` needs, without the target."""
    columns = {"group"}
    if has_copies(schema, params):
        columns.update(schema.text)
    elif params.augmentation.enabled:
        logger.warning("model_building.augmentation: only messages with two labels are copied")
    if split.split_column is not None:
        columns.add(split.split_column)
    if is_supervised(features):
        columns.update(schema.features, map(name_tokens, schema.text))
    return sorted(columns)


def train_model(
    train: pd.DataFrame,
    X: sp.csr_matrix,
    features: Pipeline,
    schema: Schema,
    params: ModelParams,
    split: SplitParams | None = None,
) -> Trained:
    """Fit the best candidate to the training set.

    Parameters
    ----------
    train : DataFrame of shape (n_rows, n_columns)
        The target and ``group``; the text if it is copied; the column of the split if it is by time
        or group; all features if some of them are made with the target.
    X : csr_matrix of shape (n_rows, n_features)
        The features.
    features : Pipeline
        What made them.
    schema : Schema
        What the columns are.
    params : ModelParams
        What to fit.
    split : SplitParams, optional
        How the rows were split; by default at random, stratified.
    """
    columns = features.named_steps.get("columns")
    target = train[schema.target]
    copier = None
    if has_copies(schema, params):
        copier = build_copier(
            train[schema.text[0]].tolist(),
            (target == schema.positive).to_numpy(),
            params.augmentation,
            params.random_state,
            thaw_vocabularies(features).transform,
        )
    refit = None
    if is_supervised(features):
        refit = partial(
            refit_columns,
            columns,
            select_columns(train, schema),
            list_targets(target),
            bool(schema.text),
        )
    return fit_best(
        X if schema.text else as_dense(X),
        list_targets(target),
        choose_folds(train, schema, params, split or SplitParams()),
        schema,
        params,
        locate_branches(columns) if columns is not None else None,
        copier,
        refit,
    )


def is_supervised(features: Pipeline) -> bool:
    """Return whether fitted features depend on the target."""
    return "columns" in features.named_steps and has_supervised(features["columns"])


def list_targets(target: pd.Series) -> np.ndarray:
    """Return labels as text, or numbers."""
    if isinstance(target.dtype, pd.CategoricalDtype):
        return target.astype("str").to_numpy(object)
    return target.to_numpy(np.float64)


def choose_folds(
    train: pd.DataFrame, schema: Schema, params: ModelParams, split: SplitParams
) -> np.ndarray:
    """Return the fold in which each row is held out, ``NEVER`` for rows that are in none."""
    target, groups, n_folds = train[schema.target], train["group"], params.search.cv
    task = TASKS[schema.task]
    if split.split_method == "time":
        folds = assign_windows(train[split.split_column], groups.to_numpy(), n_folds)
        if task.has_classes:
            check_windows(folds, list_targets(target))
        return folds
    if split.split_method == "group":
        groups = merge_groups(groups, train[split.split_column])
    strata, labels = task.stratify(target), list(getattr(target.dtype, "categories", []))
    if not task.has_classes:
        strata = merge_strata(strata, groups.to_numpy(), n_folds)
    return assign_folds(strata, groups.to_numpy(), n_folds, params.random_state, labels)


def refit_columns(
    columns: ColumnTransformer,
    df: pd.DataFrame,
    y: np.ndarray,
    is_sparse: bool,
    fitted_on: np.ndarray,
    held_out: np.ndarray,
) -> Fold:
    """Fit the features on some rows only, where they depend on the target."""
    fresh = clone(columns)
    X = as_float32(fresh.fit_transform(df.iloc[fitted_on], y[fitted_on]))
    X_held_out = as_float32(fresh.transform(df.iloc[held_out]))
    convert = as_float32 if is_sparse else as_dense
    return convert(X), convert(X_held_out), locate_branches(fresh)
