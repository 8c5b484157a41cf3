"""Tests of making features."""

import numpy as np
import pandas as pd
import pytest

import feature_engineering
from features.matrices import load_matrix
from models.store import load_model

MESSAGES = {
    "train": ["free cash now", "free entry", "see you soon", "see me now"],
    "test": ["free beer", "never seen"],
}


@pytest.fixture
def build(params_file, tmp_path):
    """Return a function that makes features; it returns both matrices and the transformer."""

    def run(messages=MESSAGES, **changes):
        defaults = {"characters.enabled": False, "words.max_ngram": 1}
        changes = {**defaults, **{key.replace("__", "."): new for key, new in changes.items()}}
        params = params_file({f"feature_engineering.{key}": new for key, new in changes.items()})
        argv = ["--params", str(params), "--transformer", str(tmp_path / "features.skops")]
        for name, texts in messages.items():
            df = pd.DataFrame({"text": texts, "tokens": [text.lower() for text in texts]})
            df.to_parquet(tmp_path / f"{name}.parquet")
            argv += [f"--{name}", str(tmp_path / f"{name}.parquet")]
            argv += [f"--{name}-features", str(tmp_path / f"{name}.npz")]
        feature_engineering.main(argv)
        X_train, X_test = (
            load_matrix(tmp_path / f"{name}.npz", len(texts)) for name, texts in messages.items()
        )
        return X_train, X_test, load_model(tmp_path / "features.skops")

    return run


def test_features_come_from_the_training_rows_only(build):
    X_train, X_test, _ = build()
    assert X_train.shape == (4, 8)
    assert X_test[0].nnz == 1
    assert X_test[1].nnz == 0


def test_matrices_are_float32_csr(build):
    X_train, X_test, _ = build()
    assert (X_train.format, X_train.dtype, X_test.dtype) == ("csr", np.float32, np.float32)


def test_tfidf_rows_have_length_one(build):
    X_train, _, _ = build()
    np.testing.assert_allclose(X_train.power(2).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("sublinear", "expected"), [(False, 3), (True, 1 + np.log(3))])
def test_counts_are_plain_or_sublinear(build, sublinear, expected):
    messages = {**MESSAGES, "train": ["free free free"]}
    X_train, _, _ = build(messages, words__vectorizer="count", words__sublinear_tf=sublinear)
    np.testing.assert_allclose(X_train.toarray(), [[expected]], rtol=1e-6)


def test_rare_terms_can_be_left_out(build):
    X_train, _, _ = build(words__min_df=2)
    assert X_train.shape[1] == 3


def test_the_number_of_features_can_be_limited(build):
    X_train, _, _ = build(words__max_features=2)
    assert X_train.shape[1] == 2


def test_ranges_of_n_grams_add_up(build):
    X_train, _, _ = build(words__max_ngram=2)
    assert X_train.shape[1] == 8 + 7


def test_characters_see_the_case_that_words_do_not(build):
    messages = {**MESSAGES, "train": ["FREE free"]}
    words, _, _ = build(messages)
    characters, _, _ = build(
        messages,
        words__enabled=False,
        characters__enabled=True,
        characters__min_ngram=4,
        characters__max_ngram=4,
    )
    assert words.shape[1] == 1
    assert characters.shape[1] == 2 * 3


def test_hashing_needs_no_vocabulary(build):
    X_train, X_test, _ = build(words__vectorizer="hashing", words__max_features=64)
    assert X_train.shape == (4, 64)
    assert X_test[1].nnz == 2


def test_statistics_are_a_branch_of_their_own(build):
    messages = {**MESSAGES, "train": ["call 08001234567", "$5", "hello"]}
    X_train, _, _ = build(messages, words__enabled=False, statistics__enabled=True)
    assert X_train.shape == (3, 6)
    assert 0 <= X_train.min() <= X_train.max() == 1


@pytest.mark.parametrize("vectorizer", ["tfidf", "count", "hashing"])
def test_the_stored_transformer_makes_the_same_features_of_raw_messages(build, vectorizer):
    _, X_test, transformer = build(
        words__vectorizer=vectorizer,
        words__max_features=500,
        characters__enabled=True,
        statistics__enabled=True,
    )
    X = transformer.transform(MESSAGES["test"])
    np.testing.assert_array_equal(X.toarray(), X_test.toarray())


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
def test_refuses_parameters_that_make_no_sense(build, changes, message):
    with pytest.raises(ValueError, match=r"params\.yaml: feature_engineering") as caught:
        build(**changes)
    assert message in str(caught.value)


def test_names_a_table_that_is_missing(build, tmp_path):
    build()
    (tmp_path / "train.parquet").unlink()
    argv = [f"--params={tmp_path / 'params.yaml'}", f"--train={tmp_path / 'train.parquet'}"]
    argv += [f"--{name}=x" for name in ("test", "train-features", "test-features", "transformer")]
    with pytest.raises(FileNotFoundError, match=r"train\.parquet does not exist: run 'dvc repro'"):
        feature_engineering.main(argv)
