"""Turn rows into features, fitted on the training rows: tables -> matrices, transformer.

By hand: python src/feature_engineering.py --params params.yaml --train data/interim/train.parquet \
    --test data/interim/test.parquet --train-features data/processed/train.npz \
    --test-features data/processed/test.npz --transformer models/features.skops
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path

import pandas as pd

from core.errors import UserError
from core.log import run_stage, timed
from core.params import read_params
from features.branches import (
    FeatureParams,
    assemble,
    build_columns,
    find_unseen,
    freeze_vocabularies,
    select_columns,
)
from features.matrices import as_float32, save_matrix
from models.store import save_model
from records.schema import Schema
from records.tables import name_tokens, read_rows
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


def check_values(df: pd.DataFrame, schema: Schema, path: Path) -> None:
    """Raise ``UserError`` if a feature column of the training rows has no value at all."""
    kinds = schema.kinds
    for column in schema.features:
        is_missing = df[column] == "" if kinds[column] == "text" else df[column].isna()
        if is_missing.all():
            raise UserError(
                f"{path}: column {column!r} has no value in any of the {len(df)} training rows",
                f"move it from schema.{kinds[column]} to schema.drop",
            )


def main(argv: list[str] | None = None) -> None:
    """Make features of the tables that ``argv`` names."""
    args = build_parser().parse_args(argv)
    params = read_params(args.params, "feature_engineering", FeatureParams)
    text = read_params(args.params, "preprocessing", TextParams)
    schema = read_params(args.params, "schema", Schema)
    columns = build_columns(schema, params)
    read = [*schema.features, *map(name_tokens, schema.text)]
    rows = read_rows(args.train, schema, read)
    check_values(rows, schema, args.train)
    train, test = (select_columns(df, schema) for df in (rows, read_rows(args.test, schema, read)))

    with timed(logger, "fitted features on %d rows", len(train)):
        try:
            X_train = as_float32(columns.fit_transform(train, rows[schema.target].to_numpy()))
        except ValueError as error:  # scikit-learn raises it for an empty vocabulary
            message = (
                f"{args.params}, feature_engineering: {args.train} gives no features ({error})"
            )
            raise UserError(message, "lower min_df, or enable another branch") from error
    with timed(logger, "transformed %d rows", len(test)):
        X_test = as_float32(columns.transform(test))
    logger.info("%d features", X_train.shape[1])
    for column, is_unseen in find_unseen(columns, test).items():
        if n_unseen := int(is_unseen.sum()):
            logger.info("%d test rows have a new value of %s", n_unseen, column)
    freeze_vocabularies(columns)
    with timed(logger, "stored matrices and transformer"):
        save_matrix(X_train, args.train_features)
        save_matrix(X_test, args.test_features)
        save_model(assemble(schema, columns, text), args.transformer)


if __name__ == "__main__":
    run_stage(main)
