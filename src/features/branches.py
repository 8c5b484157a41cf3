"""The branches of the feature transformer: n-grams of words and characters, statistics."""

import copy
from collections.abc import Iterable
from typing import Literal

import numpy as np
import scipy.sparse as sp
from pydantic import PositiveInt, model_validator
from sklearn.base import TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from core.params import Params
from features.matrices import as_float32
from features.ngrams import NgramVectorizer
from text.statistics import count_patterns, name_patterns
from text.tokens import TextParams, prepare_messages

# For each branch of n-grams: the column it reads, and options of its vectoriser.
BRANCHES = {
    "words": ("tokens", {"analyzer": "word", "token_pattern": "[^ ]+"}),
    "characters": ("text", {"analyzer": "char_wb"}),
}


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


class FeatureParams(Params):
    """The section ``feature_engineering`` of params.yaml."""

    words: BranchParams
    characters: BranchParams
    statistics: StatisticsParams

    @model_validator(mode="after")
    def some_branch_is_enabled(self) -> "FeatureParams":
        """Raise ``ValueError`` if every branch is disabled."""
        if not (self.words.enabled or self.characters.enabled or self.statistics.enabled):
            raise ValueError("every branch is off: set enabled: true for at least one")
        return self


def build_branch(params: BranchParams, options: dict) -> Pipeline:
    """Return the unfitted transformer of one branch: weighted counts of n-grams.

    Parameters
    ----------
    params : BranchParams
        Vectorizer ``tfidf`` gives TF-IDF, ``hashing`` TF-IDF of hashed counts, ``count`` counts
        without weights.
    options : dict
        Options of the vectoriser, from ``BRANCHES``.
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


def build_columns(params: FeatureParams) -> ColumnTransformer:
    """Return the unfitted transformer for a table with columns ``text`` and ``tokens``."""
    branches: list[tuple[str, TransformerMixin, str]] = [
        (name, build_branch(getattr(params, name), options), column)
        for name, (column, options) in BRANCHES.items()
        if getattr(params, name).enabled
    ]
    if params.statistics.enabled:
        counts = FunctionTransformer(count_patterns, feature_names_out=name_patterns)
        # Scaled to 0 to 1, like the other features; naive Bayes needs features of at least 0.
        steps = [("counts", counts), ("scale", MaxAbsScaler(clip=True))]
        branches.append(("statistics", Pipeline(steps), "text"))
    return ColumnTransformer(branches, sparse_threshold=1)


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
    for name in BRANCHES:
        if name not in columns.named_transformers_:
            continue
        steps = columns.named_transformers_[name].steps
        vectorizer = steps[0][1]
        if isinstance(vectorizer, CountVectorizer):
            # Of the transformer as it was before fitting, which is stored, too.
            columns.set_params(**{f"{name}__counts": CountVectorizer(**vectorizer.get_params())})
            terms = vectorizer.get_feature_names_out().astype("U")
            options = {"min_df": 1, "max_features": None, "vocabulary": terms}
            steps[0] = ("counts", CountVectorizer(**{**vectorizer.get_params(), **options}))
        else:
            steps[0] = ("counts", clone(vectorizer))


def thaw_vocabularies(transformer: Pipeline) -> Pipeline:
    """Return a copy of a stored transformer that does the same, several times faster."""
    transformer = copy.deepcopy(transformer)
    columns = transformer.named_steps.get("columns")
    for branch in columns.named_transformers_.values() if columns else ():
        if isinstance(branch, Pipeline) and isinstance(branch[0], CountVectorizer):
            branch.steps[0] = ("counts", NgramVectorizer(**branch[0].get_params()))
    return transformer


def assemble(columns: ColumnTransformer, text: TextParams) -> Pipeline:
    """Return the pipeline that turns messages as received into float32 features."""
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


def locate_branches(columns: ColumnTransformer) -> dict[str, list[int]]:
    """Return the first column of each branch of the fitted features, and that after its last."""
    return {name: [place.start, place.stop] for name, place in columns.output_indices_.items()}
