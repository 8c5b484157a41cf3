"""Compare, tune, fit and calibrate: features -> model, operating points, results of folds.

By hand: python src/model_building.py --params params.yaml --train data/interim/train.parquet \
    --features data/processed/train.npz --transformer models/features.skops \
    --model models/model.skops --points models/model.points.json \
    --cv-results reports/cv_results.csv
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.log import run_stage, timed
from core.params import read_params
from core.tables import write_csv
from features.matrices import load_matrix
from models.conformal import PredictionInterval, compute_intervals
from models.cross_validation import Trained
from models.description import CardParams, add_description, describe_model
from models.estimators import ModelParams
from models.self_test import add_self_test
from models.store import load_model, save_model
from models.threshold import OperatingPoint, compute_operating_points, write_points
from models.training import SplitParams, list_columns, train_model
from records.schema import Schema
from records.tables import read_rows
from records.validation_params import ValidationParams

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Tune, fit and store the model.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--features", type=Path, required=True, help="npz of the training rows")
    parser.add_argument("--transformer", type=Path, required=True, help="fitted features")
    parser.add_argument("--model", type=Path, required=True, help="model to write")
    parser.add_argument("--points", type=Path, required=True, help="operating points to write")
    parser.add_argument("--cv-results", type=Path, required=True, help="CSV to write")
    return parser


def measure_points(trained: Trained) -> tuple[list[OperatingPoint], list[PredictionInterval]]:
    """Return the operating points of a model that chooses between two labels."""
    return compute_operating_points(trained.truth, trained.outputs), []


def measure_nothing(_: Trained) -> tuple[list[OperatingPoint], list[PredictionInterval]]:
    """Return no points: of more labels the most probable one is chosen."""
    return [], []


def measure_intervals(trained: Trained) -> tuple[list[OperatingPoint], list[PredictionInterval]]:
    """Return the intervals of a model that predicts a number."""
    return [], compute_intervals(trained.truth, trained.outputs)


# What out-of-fold predictions are for, and the name of the model's last step, by task.
MEASURES: dict[str, tuple[Callable, str]] = {
    "binary": (measure_points, "classifier"),
    "multiclass": (measure_nothing, "classifier"),
    "regression": (measure_intervals, "regressor"),
}


def main(argv: list[str] | None = None) -> None:
    """Build the model from the files that ``argv`` names."""
    args = build_parser().parse_args(argv)
    schema = read_params(args.params, "schema", Schema)
    params = read_params(args.params, "model_building", ModelParams)
    split = read_params(args.params, "preprocessing", SplitParams)
    values = read_params(args.params, "data_validation", ValidationParams)
    card = read_params(args.params, "model", CardParams)
    features = load_model(args.transformer)
    described = [] if schema.is_messages else schema.features
    columns = {*list_columns(features, schema, params, split), *described}
    train = read_rows(args.train, schema, sorted(columns))
    X = load_matrix(args.features, len(train))
    with timed(logger, "cross-validated and fitted %s on %d rows", params.estimator, len(train)):
        try:
            trained = train_model(train, X, features, schema, params, split)
        except ValueError as error:
            raise UserError(f"{args.params}: {error}") from error
    best = trained.results.iloc[0]
    logger.info(
        "%s: %s %.4f ± %.4f over folds",
        *best[["estimator", "scoring", "mean_test_score", "std_test_score"]],
    )
    write_csv(trained.results, args.cv_results)
    measure, name = MEASURES[schema.task]
    points, intervals = measure(trained)
    model = Pipeline([*features.steps, (name, trained.estimator)])
    description = describe_model(model, train, schema, values, card)
    save_model(add_self_test(add_description(model, description)), args.model)
    write_points(points, args.model, args.points, intervals)


if __name__ == "__main__":
    run_stage(main)
