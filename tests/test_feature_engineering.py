"""Tests of making features."""

import logging
import time

import numpy as np
import pandas as pd
import pytest

import feature_engineering
from core.errors import UserError
from features.branches import find_unseen
from features.matrices import load_matrix
from features.names import name_features
from features.tables import prepare_rows
from models.store import load_model
from tests.support.small_table import (
    TARGETS,
    fit_table,
    make_feature_params,
    make_rows,
    make_table_schema,
)
from text.tokens import TextParams

MESSAGES = {
    "train": ["free cash now", "free entry", "see you soon", "see me now"],
    "test": ["free beer", "never seen"],
}


OPTIONS = TextParams(lowercase=True, stemmer="snowball", stop_words="none")


@pytest.fixture
def build(params_file, tmp_path):
    """Return a function that makes features; it returns both matrices and the transformer."""

    def run(messages=MESSAGES, **changes):
        defaults = {"characters.enabled": False, "statistics.enabled": False, "words.max_ngram": 1}
        changes = {**defaults, **{key.replace("__", "."): new for key, new in changes.items()}}
        params = params_file({f"feature_engineering.{key}": new for key, new in changes.items()})
        argv = ["--params", str(params), "--transformer", str(tmp_path / "features.skops")]
        for name, texts in messages.items():
            df = pd.DataFrame({"text": texts, "text_tokens": [text.lower() for text in texts]})
            df["label"] = pd.Categorical(["ham"] * len(texts), ["ham", "spam"])
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


@pytest.fixture
def build_table(params_file, tmp_path):
    """Return a function that makes features of tables; it returns what ``build`` returns."""

    def run(train, test, schema, params=None):
        path = params_file(
            {
                "schema": schema.model_dump(),
                "feature_engineering": (params or make_feature_params()).model_dump(),
            }
        )
        argv = ["--params", str(path), "--transformer", str(tmp_path / "features.skops")]
        for name, df in (("train", train), ("test", test)):
            prepare_rows(df, schema.text, **OPTIONS.model_dump()).to_parquet(
                tmp_path / f"{name}.parquet"
            )
            argv += [f"--{name}", str(tmp_path / f"{name}.parquet")]
            argv += [f"--{name}-features", str(tmp_path / f"{name}.npz")]
        feature_engineering.main(argv)
        X_train, X_test = (
            load_matrix(tmp_path / f"{name}.npz", len(df))
            for name, df in (("train", train), ("test", test))
        )
        return X_train, X_test, load_model(tmp_path / "features.skops")

    return run


@pytest.mark.parametrize("task", TARGETS)
def test_the_stored_transformer_makes_the_same_features_of_a_table(build_table, task):
    test = make_rows(20, task, seed=1)
    X_train, X_test, transformer = build_table(make_rows(task=task), test, make_table_schema(task))
    assert list(transformer.named_steps) == ["rows", "columns", "float32"]
    assert X_train.shape[1] == X_test.shape[1]
    rows = test.drop(columns="target")
    np.testing.assert_array_equal(transformer.transform(rows).toarray(), X_test.toarray())
    assert len(name_features(transformer["columns"])) == X_test.shape[1]
    unseen = find_unseen(transformer["columns"], rows.assign(colour="pink"))
    assert {name: n.sum() for name, n in unseen.items()} == {"colour": 20, "town": 0}


def test_training_features_do_not_depend_on_the_test_rows(build_table):
    schema = make_table_schema()
    first, second = (
        build_table(make_rows(), make_rows(20, seed=seed), schema)[0].toarray() for seed in (1, 2)
    )
    np.testing.assert_array_equal(first, second)


def test_a_text_column_of_any_name_holds_messages(build_table):
    schema = make_table_schema(text=["note"], number=[], category=[], ordinal=[], date=[])
    test = make_rows(20, seed=1)
    _, X_test, transformer = build_table(make_rows(), test, schema)
    assert list(transformer.named_steps) == ["messages", "columns", "float32"]
    X = transformer.transform(test["note"].tolist())
    np.testing.assert_array_equal(X.toarray(), X_test.toarray())


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("note", "text"),
        ("price", "number"),
        ("town", "category"),
        ("size", "ordinal"),
        ("sold", "date"),
    ],
)
def test_names_a_column_that_has_no_value(build_table, column, kind):
    df = make_rows(20)
    df[column] = "" if kind == "text" else df[column].where(df.index < 0)
    message = rf"'{column}' has no value in any of the 20 .*: move it from schema\.{kind} to schema"
    with pytest.raises(UserError, match=message):
        build_table(df, make_rows(20), make_table_schema())


def test_new_values_of_test_rows_are_logged(build_table, caplog):
    with caplog.at_level(logging.INFO):
        build_table(make_rows(), make_rows(9).assign(town="elsewhere"), make_table_schema())
    assert "9 test rows have a new value of town" in caplog.messages


def test_a_table_of_many_rows_is_transformed_within_a_second():
    df = make_rows(54_000)
    schema = make_table_schema("regression", text=[])
    df["target"] = np.arange(len(df), dtype=float)
    columns = fit_table(df, schema)
    start = time.process_time()
    columns.transform(df)
    assert time.process_time() - start < 1
