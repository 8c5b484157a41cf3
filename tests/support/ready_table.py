"""Models of the small table, stored and loaded as the pipeline's are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from core.params import read_params
from features.branches import assemble, freeze_vocabularies
from features.matrices import as_float32
from models.conformal import PredictionInterval
from models.description import CardParams, Description, add_description, describe_model
from models.loaded import DecisionOptions, LoadedModel, load_model_for_use
from models.self_test import add_self_test
from models.store import save_model
from models.threshold import write_points
from records.schema import Schema
from records.validation_params import ValidationParams
from tests.support.small_table import (
    TEXT,
    fit_table,
    make_feature_params,
    make_rows,
    make_table_schema,
    prepare_table,
)

ROOT = Path(__file__).parents[2]


def fit_rows(estimator: BaseEstimator, df: pd.DataFrame, schema: Schema) -> Pipeline:
    """Return a fitted model of typed rows, without a description."""
    columns = fit_table(df, schema, make_feature_params(statistics=False))
    X = as_float32(columns.transform(prepare_table(df, schema)))
    freeze_vocabularies(columns)
    fitted = estimator.fit(X, df[schema.target].to_numpy())
    return Pipeline([*assemble(schema, columns, TEXT).steps, ("estimator", fitted)])


def describe(
    model: Pipeline,
    df: pd.DataFrame,
    schema: Schema,
    units: dict[str, str] | None = None,
    **values: object,
) -> Description:
    """Return the description of a model; ``values`` are changes of section data_validation."""
    params = read_params(ROOT / "params.yaml", "data_validation", ValidationParams)
    listed = [{"column": column, "unit": unit} for column, unit in (units or {}).items()]
    card = CardParams.model_validate({"name": "small", "description": "Small", "units": listed})
    return describe_model(model, df, schema, params.model_copy(update=values), card)


def load_table(
    folder: Path,
    estimator: BaseEstimator,
    task: str,
    wrap: Callable[[BaseEstimator], BaseEstimator] = lambda fitted: fitted,
    **values: object,
) -> LoadedModel:
    """Store a model of the small table, and load it; ``wrap`` gets the fitted estimator."""
    schema, df = make_table_schema(task), make_rows(task=task)
    if task == "regression":
        df[schema.target] = np.abs(df[schema.target])
    model = fit_rows(estimator, df, schema)
    model.steps[-1] = ("estimator", wrap(model[-1]))
    path = folder / "model.skops"
    save_model(add_self_test(add_description(model, describe(model, df, schema, **values))), path)
    write_points(
        [], path, folder / "model.points.json", [PredictionInterval(coverage=0.9, margin=0.5)]
    )
    options = DecisionOptions(
        ROOT / "params.yaml",
        threshold=0.5 if task == "binary" else None,
        coverage=0.9 if task == "regression" else None,
    )
    return load_model_for_use(path.read_bytes(), path, options)
