"""Tune, fit and calibrate the classifier: features -> model, operating points, results of folds.

By hand: python src/model_building.py --params params.yaml --train data/interim/train.parquet \
    --features data/processed/train.npz --transformer models/features.skops \
    --model models/model.skops --points models/model.points.json \
    --cv-results reports/cv_results.csv
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path

import pandas as pd
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.log import run_stage, timed
from core.params import read_params
from core.tables import read_table, write_csv
from features.branches import locate_branches, thaw_vocabularies
from features.matrices import load_matrix
from models.augmentation import build_copier
from models.estimators import ModelParams
from models.self_test import add_self_test
from models.store import load_model, save_model
from models.threshold import OperatingPoint, compute_operating_points, write_points
from models.training import fit_classifier

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


def build(
    train: pd.DataFrame, X: sp.csr_matrix, features: Pipeline, params: ModelParams
) -> tuple[ClassifierMixin, list[OperatingPoint], pd.DataFrame]:
    """Return the fitted classifier, its operating points, and the results of cross-validation.

    Parameters
    ----------
    train : DataFrame of shape (n_rows, 2) or (n_rows, 3)
        ``label`` and ``group`` of the training set, and ``text`` if it is copied.
    X : csr_matrix of shape (n_rows, n_features)
        Its features.
    features : Pipeline
        What made them.
    params : ModelParams
        What to fit.
    """
    y, groups = train["label"].astype("str").to_numpy(object), train["group"].to_numpy()
    positive = train["label"].cat.categories[1]
    columns = features.named_steps.get("columns")
    branches = locate_branches(columns) if columns else None
    copier = build_copier(
        train["text"].tolist() if params.augmentation.enabled else [],
        y == positive,
        params.augmentation,
        params.random_state,
        thaw_vocabularies(features).transform,
    )
    fitted, probability, results = fit_classifier(X, y, groups, positive, params, branches, copier)
    return fitted, compute_operating_points(y == positive, probability), results


def main(argv: list[str] | None = None) -> None:
    """Build the model from the files that ``argv`` names."""
    args = build_parser().parse_args(argv)
    params = read_params(args.params, "model_building", ModelParams)
    texts = ["text"] if params.augmentation.enabled else []
    train = read_table(args.train, ["label", "group", *texts])
    X = load_matrix(args.features, len(train))
    features = load_model(args.transformer)
    with timed(logger, "cross-validated and fitted %s on %d rows", params.estimator, len(train)):
        try:
            classifier, points, results = build(train, X, features, params)
        except ValueError as error:
            raise UserError(f"{args.params}: {error}") from error
    score = results.loc[results.index[0], ["scoring", "mean_test_score", "std_test_score"]]
    logger.info("%s %.4f ± %.4f over folds", *score)
    write_csv(results, args.cv_results)
    model = Pipeline([*features.steps, ("classifier", classifier)])
    save_model(add_self_test(model), args.model)
    write_points(points, args.model, args.points)


if __name__ == "__main__":
    run_stage(main)
