"""Tests of making features."""

import numpy as np
import pandas as pd
import pytest

import feature_engineering
from core.errors import UserError
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
        defaults = {"characters.enabled": False, "statistics.enabled": False, "words.max_ngram": 1}
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


def test_names_a_table_that_is_missing(build, tmp_path):
    build()
    (tmp_path / "train.parquet").unlink()
    argv = [f"--params={tmp_path / 'params.yaml'}", f"--train={tmp_path / 'train.parquet'}"]
    argv += [f"--{name}=x" for name in ("test", "train-features", "test-features", "transformer")]
    with pytest.raises(UserError, match=r"train\.parquet does not exist: run 'dvc repro'"):
        feature_engineering.main(argv)


def test_a_vocabulary_without_a_word_names_the_parameters(build):
    with pytest.raises(UserError, match=r"params\.yaml, feature_engineering: .*: lower min_df"):
        build(words__min_df=5)
