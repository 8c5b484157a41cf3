"""Turn messages into features, fitted on the training rows: tables -> matrices, transformer.

By hand: python src/feature_engineering.py --params params.yaml --train data/interim/train.parquet \
    --test data/interim/test.parquet --train-features data/processed/train.npz \
    --test-features data/processed/test.npz --transformer models/features.skops
"""

import common.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import PositiveInt, model_validator
from sklearn.base import TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from common.log import run_stage, timed
from common.matrices import as_float32, save_matrix
from common.message_statistics import count_patterns, name_patterns
from common.models import save_model
from common.params import Params, read_params
from common.tables import read_table
from common.tokens import TextParams, prepare_messages

# The column a branch reads, and how its vectoriser finds n-grams there.
BRANCHES = {
    "words": ("tokens", {"analyzer": "word", "token_pattern": "[^ ]+"}),
    "characters": ("text", {"analyzer": "char_wb"}),
}

logger = logging.getLogger(__name__)


class BranchParams(Params):
    """What ``params.yaml`` says of one branch of n-grams."""

    enabled: bool
    vectorizer: Literal["tfidf", "count", "hashing"]
    min_ngram: PositiveInt
    max_ngram: PositiveInt
    min_df: PositiveInt | float
    max_features: PositiveInt | None
    sublinear_tf: bool

    @model_validator(mode="after")
    def values_agree(self) -> "BranchParams":
        """Raise ``ValueError`` if the values contradict one another."""
        if self.min_ngram > self.max_ngram:
            raise ValueError("min_ngram is above max_ngram")
        if isinstance(self.min_df, float) and not 0 < self.min_df < 1:
            raise ValueError("min_df must be a whole number of messages, or a share below 1")
        if self.vectorizer == "hashing" and (self.min_df != 1 or self.max_features is None):
            raise ValueError("a hashing vectorizer needs min_df: 1 and a number of max_features")
        return self


class StatisticsParams(Params):
    """What ``params.yaml`` says of the branch of message statistics."""

    enabled: bool


class FeatureParams(Params):
    """What ``params.yaml`` says of features."""

    words: BranchParams
    characters: BranchParams
    statistics: StatisticsParams

    @model_validator(mode="after")
    def some_branch_is_enabled(self) -> "FeatureParams":
        """Raise ``ValueError`` if there would be no feature at all."""
        if not (self.words.enabled or self.characters.enabled or self.statistics.enabled):
            raise ValueError("every branch is off: set enabled: true for at least one")
        return self


def build_branch(params: BranchParams, options: dict) -> Pipeline:
    """Return the unfitted transformer of one branch: n-gram counts, weighted.

    Parameters
    ----------
    params : BranchParams
        ``count`` and ``hashing`` are the counts themselves and TF-IDF of hashed counts.
    options : dict
        How the vectoriser finds n-grams.
    """
    options = {**options, "lowercase": False, "ngram_range": (params.min_ngram, params.max_ngram)}
    if params.vectorizer == "hashing":
        counts = HashingVectorizer(
            **options, n_features=params.max_features, alternate_sign=False, norm=None
        )
    else:
        counts = CountVectorizer(
            **options, min_df=params.min_df, max_features=params.max_features, dtype=np.float64
        )
    is_count = params.vectorizer == "count"
    weights = TfidfTransformer(
        norm=None if is_count else "l2", use_idf=not is_count, sublinear_tf=params.sublinear_tf
    )
    return Pipeline([("counts", counts), ("weights", weights)])


def build_columns(params: FeatureParams) -> ColumnTransformer:
    """Return the unfitted transformer of a table with ``text`` and ``tokens``."""
    branches: list[tuple[str, TransformerMixin, str]] = [
        (name, build_branch(getattr(params, name), options), column)
        for name, (column, options) in BRANCHES.items()
        if getattr(params, name).enabled
    ]
    if params.statistics.enabled:
        counts = FunctionTransformer(count_patterns, feature_names_out=name_patterns)
        # Into 0 to 1, the range of the other features, and still none of them negative.
        steps = [("counts", counts), ("scale", MaxAbsScaler(clip=True))]
        branches.append(("statistics", Pipeline(steps), "text"))
    return ColumnTransformer(branches, sparse_threshold=1)


def freeze_vocabularies(columns: ColumnTransformer) -> None:
    """Replace the fitted vectorisers by unfitted ones that are given the vocabulary.

    They do the same, need no fitting, and hold an array instead of a dictionary, which is small and
    quick to store and load. They also lack ``_stop_words_id``, which differs in every process.
    """
    for name in BRANCHES:
        if name not in columns.named_transformers_:
            continue
        steps = columns.named_transformers_[name].steps
        vectorizer = steps[0][1]
        frozen = clone(vectorizer)
        if isinstance(vectorizer, CountVectorizer):
            terms = vectorizer.get_feature_names_out().astype("U")
            frozen.set_params(vocabulary=terms, min_df=1, max_features=None)
        steps[0] = ("counts", frozen)


def assemble(columns: ColumnTransformer, text: TextParams) -> Pipeline:
    """Return the transformer from messages as received to float32 features."""
    prepare = FunctionTransformer(
        prepare_messages,
        kw_args={
            "lowercase": text.lowercase,
            "stemmer": text.stemmer,
            "stop_words": text.stop_words,
        },
    )
    return Pipeline(
        [("messages", prepare), ("columns", columns), ("float32", FunctionTransformer(as_float32))]
    )


def main(argv: list[str] | None = None) -> None:
    """Make features of the tables that ``argv`` names as the parameters say."""
    parser = argparse.ArgumentParser(description="Fit features on the training rows, apply them.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--test", type=Path, required=True, help="Parquet of the test rows")
    parser.add_argument("--train-features", type=Path, required=True, help="matrix to write")
    parser.add_argument("--test-features", type=Path, required=True, help="matrix to write")
    parser.add_argument("--transformer", type=Path, required=True, help="fitted features to write")
    args = parser.parse_args(argv)
    params = read_params(args.params, "feature_engineering", FeatureParams)
    text = read_params(args.params, "preprocessing", TextParams)
    train, test = (read_table(path, ["text", "tokens"]) for path in (args.train, args.test))

    columns = build_columns(params)
    with timed(logger, "fitted features on %d rows", len(train)):
        X_train = as_float32(columns.fit_transform(train))
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
