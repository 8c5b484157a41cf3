"""The branches of the feature transformer.

Each text column has n-grams of words and characters, and statistics; the numbers, ordinals, dates
and categories of a table have one branch each.
"""

import copy
from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pydantic import NonNegativeInt, PositiveInt, model_validator
from sklearn.base import TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

from core.errors import UserError
from core.params import Params
from features.matrices import as_float32
from features.tables import CategoryEncoder, DateEncoder, MissingFlags, prepare_rows, rank_values
from features.vectorizer import NgramVectorizer
from records.schema import Schema
from records.tables import name_tokens
from text.statistics import count_patterns, name_patterns
from text.tokens import TextParams, prepare_messages

# What ``prepare_messages`` calls the column of messages.
TEXT = "text"
# Options of the vectoriser of each branch of n-grams.
VECTORIZERS = {
    "words": {"analyzer": "word", "token_pattern": "[^ ]+"},
    "characters": {"analyzer": "char_wb"},
}
# What the target is for scikit-learn's TargetEncoder, by task.
TARGET_TYPES = {"binary": "binary", "multiclass": "multiclass", "regression": "continuous"}


class BranchParams(Params):
    """A branch of n-grams, from section ``feature_engineering`` of params.yaml."""

    enabled: bool
    vectorizer: Literal["tfidf", "count", "hashing"]
    min_ngram: PositiveInt
    max_ngram: PositiveInt
    min_df: PositiveInt | float
    max_features: PositiveInt | None
    sublinear_tf: bool

    @model_validator(mode="after")
    def values_agree(self) -> "BranchParams":
        """Raise ``ValueError`` if the values contradict each other."""
        if self.min_ngram > self.max_ngram:
            raise ValueError("min_ngram is above max_ngram")
        if isinstance(self.min_df, float) and not 0 < self.min_df < 1:
            raise ValueError("min_df must be a whole number of messages, or a share below 1")
        if self.vectorizer == "hashing" and (self.min_df != 1 or self.max_features is None):
            raise ValueError("a hashing vectorizer needs min_df: 1 and a number of max_features")
        return self


class StatisticsParams(Params):
    """The branch of message statistics, from section ``feature_engineering`` of params.yaml."""

    enabled: bool


class NumberParams(Params):
    """How numbers, ordinals and dates become features, from section ``feature_engineering``."""

    imputation: Literal["median", "mean", "none"]
    missing_indicator: bool
    scaling: Literal["standard", "none"]


class CategoryParams(Params):
    """How categories become features, from section ``feature_engineering`` of params.yaml."""

    max_one_hot: NonNegativeInt
    min_count: PositiveInt


class DateParams(Params):
    """How dates become features, from section ``feature_engineering`` of params.yaml."""

    cyclic: bool


class FeatureParams(Params):
    """The section ``feature_engineering`` of params.yaml."""

    words: BranchParams
    characters: BranchParams
    statistics: StatisticsParams
    numbers: NumberParams
    categories: CategoryParams
    dates: DateParams


def build_branch(params: BranchParams, options: dict) -> Pipeline:
    """Return the unfitted transformer of a branch of n-grams: their weighted counts.

    Parameters
    ----------
    params : BranchParams
        Vectorizer ``tfidf`` gives TF-IDF, ``hashing`` TF-IDF of hashed counts, ``count`` counts
        without weights.
    options : dict
        Options of the vectoriser, from ``VECTORIZERS``.
    """
    options = {**options, "lowercase": False, "ngram_range": (params.min_ngram, params.max_ngram)}
    if params.vectorizer == "hashing":
        counts = HashingVectorizer(
            **options, n_features=params.max_features, alternate_sign=False, norm=None
        )
    else:
        counts = NgramVectorizer(
            **options, min_df=params.min_df, max_features=params.max_features, dtype=np.float64
        )
    is_count = params.vectorizer == "count"
    weights = TfidfTransformer(
        norm=None if is_count else "l2", use_idf=not is_count, sublinear_tf=params.sublinear_tf
    )
    return Pipeline([("counts", counts), ("weights", weights)])


def build_text_branches(params: FeatureParams) -> dict[str, Pipeline]:
    """Return the unfitted transformers of a text column: of its tokens (words) and of itself."""
    branches = {
        name: build_branch(getattr(params, name), options)
        for name, options in VECTORIZERS.items()
        if getattr(params, name).enabled
    }
    if params.statistics.enabled:
        counts = FunctionTransformer(count_patterns, feature_names_out=name_patterns)
        # Scaled to 0 to 1, like the other features; naive Bayes needs features of at least 0.
        branches["statistics"] = Pipeline([("counts", counts), ("scale", MaxAbsScaler(clip=True))])
    return branches


def build_number_branch(
    params: NumberParams, *steps: tuple[str, TransformerMixin]
) -> Pipeline | FeatureUnion:
    """Return the unfitted transformer of columns that ``steps``, if any, turn into numbers.

    Numbers are scaled before they become float32, which holds no more than seven digits: without
    scaling, larger numbers are rounded.
    """
    fill: TransformerMixin | str = "passthrough"
    if params.imputation != "none":
        from sklearn.impute import SimpleImputer  # imports much that messages do not need

        # A fold may have no value of a column, which must stay where it is in the features.
        fill = SimpleImputer(strategy=params.imputation, keep_empty_features=True)
    scale = StandardScaler() if params.scaling == "standard" else "passthrough"
    values = Pipeline([*steps, ("fill", fill), ("scale", scale)])
    if not params.missing_indicator:
        return values
    branches = [("values", values), ("missing", MissingFlags())]
    return FeatureUnion(branches, verbose_feature_names_out=False)


def build_table_branches(
    schema: Schema, params: FeatureParams
) -> list[tuple[str, TransformerMixin, list[str]]]:
    """Return name, unfitted transformer and columns of the branches that are not of texts."""
    branches: list[tuple[str, TransformerMixin, list[str]]] = []
    if schema.number:
        branches.append(("numbers", build_number_branch(params.numbers), schema.number))
    if schema.ordinal:
        orders = {each.column: each.order for each in schema.ordinal}
        ranks = FunctionTransformer(
            rank_values, kw_args={"orders": orders}, feature_names_out="one-to-one"
        )
        ordinals = build_number_branch(params.numbers, ("ranks", ranks))
        branches.append(("ordinals", ordinals, list(orders)))
    if schema.date:
        dates = build_number_branch(params.numbers, ("parts", DateEncoder(params.dates.cyclic)))
        branches.append(("dates", dates, schema.date))
    if schema.category:
        encoder = CategoryEncoder(
            params.categories.max_one_hot, params.categories.min_count, TARGET_TYPES[schema.task]
        )
        branches.append(("categories", encoder, schema.category))
    return branches


def build_columns(schema: Schema, params: FeatureParams) -> ColumnTransformer:
    """Return the unfitted transformer for a table that ``select_columns`` returns.

    The branches of a text column are called words, characters and statistics; if there are several
    text columns, the column's name follows, as in 'words: title'.

    Raises
    ------
    UserError
        If every branch is disabled, and texts are the only features.
    """
    branches: list[tuple[str, TransformerMixin, str | list[str]]] = []
    texts = [TEXT] if schema.is_messages else schema.text
    for column in texts:
        for name, transformer in build_text_branches(params).items():
            # scikit-learn allows no name with two underscores.
            full = name if len(texts) == 1 else f"{name}: {column.replace('__', '_ _')}"
            read = name_tokens(column) if name == "words" else column
            branches.append((full, transformer, read))
    branches += build_table_branches(schema, params)
    if not branches:
        raise UserError(
            "feature_engineering: every branch is off", "set enabled: true for at least one"
        )
    return ColumnTransformer(branches, sparse_threshold=1)


def select_columns(df: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the columns that ``build_columns`` reads, of a table that preprocessing made.

    The column of messages is called text, as the first step of their pipeline calls it.
    """
    tokens = [name_tokens(column) for column in schema.text]
    df = df[[*schema.features, *tokens]]
    return df.set_axis([TEXT, name_tokens(TEXT)], axis=1) if schema.is_messages else df


def has_supervised(columns: ColumnTransformer) -> bool:
    """Return whether fitted features depend on the target, as target encoding does.

    Such features must be fitted again inside each fold of a cross-validation.
    """
    encoder = columns.named_transformers_.get("categories")
    return encoder is not None and encoder.target_encoder_ is not None


def find_unseen(columns: ColumnTransformer, df: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return which rows of a table have a value that no training row has, for each category."""
    for name, transformer, read in columns.transformers_:
        if name == "categories":
            return transformer.find_unseen(df[list(read)])
    return {}


def transform_messages(
    columns: ColumnTransformer, text: TextParams, messages: Iterable[str]
) -> sp.csr_matrix:
    """Return the float32 features of messages as received."""
    return as_float32(columns.transform(prepare_messages(messages, **text.model_dump())))


def freeze_vocabularies(columns: ColumnTransformer) -> None:
    """Replace fitted vectorisers by scikit-learn's own with a fixed vocabulary.

    They give the same features without fitting. An array of terms is smaller and faster to store
    and load than the dictionary of a fitted vectoriser, and a new vectoriser has no
    ``_stop_words_id``, which differs in every process.
    """
    unfitted = {name: transformer for name, transformer, _ in columns.transformers}
    for name, transformer, _ in columns.transformers_:
        vectorizer = transformer[0] if isinstance(transformer, Pipeline) else None
        if isinstance(vectorizer, CountVectorizer):
            # Of the transformer as it was before fitting, which is stored, too.
            unfitted[name].set_params(counts=CountVectorizer(**vectorizer.get_params()))
            terms = vectorizer.get_feature_names_out().astype("U")
            options = {"min_df": 1, "max_features": None, "vocabulary": terms}
            frozen = CountVectorizer(**{**vectorizer.get_params(), **options})
            transformer.steps[0] = ("counts", frozen)
        elif isinstance(vectorizer, HashingVectorizer):
            transformer.steps[0] = ("counts", clone(vectorizer))


def thaw_vocabularies(transformer: Pipeline) -> Pipeline:
    """Return a copy of a stored transformer that does the same, several times faster."""
    transformer = copy.deepcopy(transformer)
    columns = transformer.named_steps.get("columns")
    for branch in columns.named_transformers_.values() if columns else ():
        if isinstance(branch, Pipeline) and isinstance(branch[0], CountVectorizer):
            branch.steps[0] = ("counts", NgramVectorizer(**branch[0].get_params()))
    return transformer


def assemble(schema: Schema, columns: ColumnTransformer, text: TextParams) -> Pipeline:
    """Return the pipeline that turns messages, or the rows of a table, into float32 features.

    Messages are a sequence of str as received; rows are a table of typed feature columns.
    """
    options: dict[str, object] = {
        "lowercase": text.lowercase,
        "stemmer": text.stemmer,
        "stop_words": text.stop_words,
    }
    if schema.is_messages:
        first = ("messages", FunctionTransformer(prepare_messages, kw_args=options))
    else:
        rows = FunctionTransformer(prepare_rows, kw_args={"texts": schema.text, **options})
        first = ("rows", rows)
    return Pipeline([first, ("columns", columns), ("float32", FunctionTransformer(as_float32))])


def locate_branches(columns: ColumnTransformer) -> dict[str, list[int]]:
    """Return the first column of each branch of the fitted features, and that after its last."""
    return {name: [place.start, place.stop] for name, place in columns.output_indices_.items()}
