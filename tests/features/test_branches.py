"""Tests of the branches of the feature transformer."""

import numpy as np
import pandas as pd
import pytest

from core.params import read_params
from features.branches import FeatureParams, build_columns
from features.matrices import as_float32

TRAIN = ["free cash now", "free entry", "see you soon", "see me now"]
TEST = ["free beer", "never seen"]


@pytest.fixture
def transform(params_file):
    """Return a function that fits features on messages; it returns features of these and TEST."""

    def run(messages=TRAIN, **changes):
        defaults = {"characters.enabled": False, "statistics.enabled": False, "words.max_ngram": 1}
        changes = {**defaults, **{key.replace("__", "."): new for key, new in changes.items()}}
        path = params_file({f"feature_engineering.{key}": new for key, new in changes.items()})
        columns = build_columns(read_params(path, "feature_engineering", FeatureParams))
        train, test = (
            pd.DataFrame({"text": texts, "tokens": [text.lower() for text in texts]})
            for texts in (messages, TEST)
        )
        return as_float32(columns.fit_transform(train)), as_float32(columns.transform(test))

    return run


def test_tfidf_rows_have_length_one(transform):
    X_train, _ = transform()
    np.testing.assert_allclose(X_train.power(2).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("sublinear", "expected"), [(False, 3), (True, 1 + np.log(3))])
def test_counts_are_plain_or_sublinear(transform, sublinear, expected):
    messages = ["free free free"]
    X_train, _ = transform(messages, words__vectorizer="count", words__sublinear_tf=sublinear)
    np.testing.assert_allclose(X_train.toarray(), [[expected]], rtol=1e-6)


def test_rare_terms_can_be_left_out(transform):
    X_train, _ = transform(words__min_df=2)
    assert X_train.shape[1] == 3


def test_the_number_of_features_can_be_limited(transform):
    X_train, _ = transform(words__max_features=2)
    assert X_train.shape[1] == 2


def test_ranges_of_n_grams_add_up(transform):
    X_train, _ = transform(words__max_ngram=2)
    assert X_train.shape[1] == 8 + 7


def test_characters_keep_the_case_that_words_lose(transform):
    messages = ["FREE free"]
    words, _ = transform(messages)
    characters, _ = transform(
        messages,
        words__enabled=False,
        characters__enabled=True,
        characters__min_ngram=4,
        characters__max_ngram=4,
    )
    assert words.shape[1] == 1
    assert characters.shape[1] == 2 * 3


def test_hashing_needs_no_vocabulary(transform):
    X_train, X_test = transform(words__vectorizer="hashing", words__max_features=64)
    assert X_train.shape == (4, 64)
    assert X_test[1].nnz == 2


def test_statistics_are_a_branch_of_their_own(transform):
    messages = ["call 08001234567", "$5", "hello"]
    X_train, _ = transform(messages, words__enabled=False, statistics__enabled=True)
    assert X_train.shape == (3, 6)
    assert 0 <= X_train.min() <= X_train.max() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words__enabled": False}, "every branch is off"),
        ({"words__min_ngram": 3}, "words: min_ngram is above max_ngram"),
        ({"words__min_df": 1.5}, "words: min_df must be"),
        ({"words__vectorizer": "hashing"}, "words: a hashing vectorizer needs"),
        ({"words__vectorizer": "word2vec"}, "words.vectorizer: input should be"),
        ({"statistics": {"enabled": False, "wat": 1}}, "statistics.wat is not a parameter"),
    ],
)
def test_refuses_parameters_that_make_no_sense(transform, changes, message):
    with pytest.raises(ValueError, match=r"params\.yaml: feature_engineering") as caught:
        transform(**changes)
    assert message in str(caught.value)
