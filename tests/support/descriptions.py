"""Descriptions of models that tests fit themselves."""

from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline

from core.params import read_params
from models.description import CardParams, add_description, describe_model
from records.schema import Schema
from records.validation_params import ValidationParams

ROOT = Path(__file__).parents[2]


def describe(model: Pipeline, train: pd.DataFrame, schema: Schema) -> Pipeline:
    """Add a description to a fitted model, with the repository's rules for values."""
    values = read_params(ROOT / "params.yaml", "data_validation", ValidationParams)
    card = CardParams(name="small", description="A small model", units=[])
    return add_description(model, describe_model(model, train, schema, values, card))
