"""Check every section of a params.yaml by its model."""

from pathlib import Path

import yaml

from core.params import Params, Yaml12Loader, read_params
from data_ingestion import IngestionParams
from evaluation.promotion import PromotionParams
from evaluation.scores import EvaluationParams
from features.branches import FeatureParams
from models.description import CardParams
from models.estimators import ModelParams
from preprocessing import PreprocessingParams, check_split_column
from records.checks import check_names
from records.schema import Schema
from records.validation_params import ValidationParams
from robustness import RobustnessParams

MODELS: dict[str, type[Params]] = {
    "schema": Schema,
    "model": CardParams,
    "data_ingestion": IngestionParams,
    "data_validation": ValidationParams,
    "preprocessing": PreprocessingParams,
    "feature_engineering": FeatureParams,
    "model_building": ModelParams,
    "robustness": RobustnessParams,
    "model_evaluation": EvaluationParams,
    "promotion": PromotionParams,
}


def check_params(path: Path) -> dict:
    """Read every section by its model, and check that they agree; return the sections."""
    for section, model in MODELS.items():
        read_params(path, section, model)
    schema = read_params(path, "schema", Schema)
    check_names(schema, read_params(path, "data_validation", ValidationParams))
    check_split_column(read_params(path, "preprocessing", PreprocessingParams), schema)
    return yaml.load(path.read_text(), Loader=Yaml12Loader)
