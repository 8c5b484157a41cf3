"""Turn messages into features, fitted on the training rows: tables -> matrices, transformer.

By hand: python src/feature_engineering.py --params params.yaml --train data/interim/train.parquet \
    --test data/interim/test.parquet --train-features data/processed/train.npz \
    --test-features data/processed/test.npz --transformer models/features.skops
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path

from core.errors import UserError
from core.log import run_stage, timed
from core.params import read_params
from core.tables import read_table
from features.branches import FeatureParams, assemble, build_columns, freeze_vocabularies
from features.matrices import as_float32, save_matrix
from models.store import save_model
from text.tokens import TextParams

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Fit the features on the training rows; compute them for both tables."
    )
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--test", type=Path, required=True, help="Parquet of the test rows")
    parser.add_argument("--train-features", type=Path, required=True, help="npz file to write")
    parser.add_argument("--test-features", type=Path, required=True, help="npz file to write")
    parser.add_argument("--transformer", type=Path, required=True, help="fitted features to write")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Make features of the tables that ``argv`` names."""
    args = build_parser().parse_args(argv)
    params = read_params(args.params, "feature_engineering", FeatureParams)
    text = read_params(args.params, "preprocessing", TextParams)
    train, test = (read_table(path, ["text", "tokens"]) for path in (args.train, args.test))

    columns = build_columns(params)
    with timed(logger, "fitted features on %d rows", len(train)):
        try:
            X_train = as_float32(columns.fit_transform(train))
        except ValueError as error:  # scikit-learn raises it for an empty vocabulary
            message = (
                f"{args.params}, feature_engineering: {args.train} gives no features ({error})"
            )
            raise UserError(message, "lower min_df, or enable another branch") from error
    with timed(logger, "transformed %d rows", len(test)):
        X_test = as_float32(columns.transform(test))
    logger.info("%d features", X_train.shape[1])
    freeze_vocabularies(columns)
    with timed(logger, "stored matrices and transformer"):
        save_matrix(X_train, args.train_features)
        save_matrix(X_test, args.test_features)
        save_model(assemble(columns, text), args.transformer)


if __name__ == "__main__":
    run_stage(main)
