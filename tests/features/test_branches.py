"""Tests of the branches of the feature transformer."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from core.errors import UserError
from core.params import read_params
from features.branches import (
    FeatureParams,
    build_columns,
    find_unseen,
    has_supervised,
    locate_branches,
    select_columns,
)
from features.matrices import as_float32
from features.names import name_features
from tests.support.schemas import MESSAGES, make_schema
from tests.support.small_table import (
    TARGETS,
    fit_pipeline,
    fit_table,
    make_feature_params,
    make_rows,
    make_table_schema,
    prepare_table,
)

TRAIN = ["free cash now", "free entry", "see you soon", "see me now"]
TEST = ["free beer", "never seen"]


@pytest.fixture
def transform(params_file):
    """Return a function that fits features on messages; it returns features of these and TEST."""

    def run(messages=TRAIN, **changes):
        defaults = {"characters.enabled": False, "statistics.enabled": False, "words.max_ngram": 1}
        changes = {**defaults, **{key.replace("__", "."): new for key, new in changes.items()}}
        path = params_file({f"feature_engineering.{key}": new for key, new in changes.items()})
        columns = build_columns(MESSAGES, read_params(path, "feature_engineering", FeatureParams))
        train, test = (
            pd.DataFrame({"text": texts, "text_tokens": [text.lower() for text in texts]})
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


def test_needs_a_branch_if_texts_are_all_there_is(transform):
    with pytest.raises(UserError, match="every branch is off: set enabled: true for at least one"):
        transform(words__enabled=False)


def test_messages_are_called_text_whatever_their_column():
    schema = make_schema(text=["sms"])
    df = pd.DataFrame({"sms": ["win now"], "sms_tokens": ["win now"], "label": ["spam"]})
    found = select_columns(df, schema)
    assert list(found) == ["text", "text_tokens"]
    build_columns(schema, make_feature_params()).fit(found)


def test_the_only_text_of_a_table_has_the_branches_of_messages():
    branches = locate_branches(fit_table(make_rows(), make_table_schema(text=["note"])))
    assert list(branches)[:6] == [
        *("words", "characters", "statistics"),
        *("numbers", "ordinals", "dates"),
    ]


def test_branches_of_several_texts_are_named_by_column():
    df = make_rows().rename(columns={"title": "the__title"})
    columns = fit_table(df, make_table_schema(text=["the__title", "note"]))
    assert list(locate_branches(columns))[:2] == ["words: the_ _title", "characters: the_ _title"]
    assert "words: note" in locate_branches(columns)


def fit_numbers(values, test, **numbers):
    usual = {"imputation": "median", "missing_indicator": True, "scaling": "standard"}
    schema = make_schema(text=[], number=["x"], task="regression", labels=[], positive=None)
    columns = build_columns(schema, make_feature_params(numbers=usual | numbers))
    columns.fit(pd.DataFrame({"x": values}, dtype=float))
    return as_float32(columns.transform(pd.DataFrame({"x": test}, dtype=float))).toarray()


@pytest.mark.parametrize(("imputation", "expected"), [("median", 2), ("mean", 3), ("none", np.nan)])
def test_missing_numbers_are_filled_and_flagged(imputation, expected):
    X = fit_numbers([1, 2, 6, None], [None, 8], imputation=imputation, scaling="none")
    np.testing.assert_array_equal(X, [[expected, 1], [8, 0]])


def test_numbers_without_a_flag():
    assert fit_numbers([1, None], [None], missing_indicator=False).tolist() == [[0]]


def test_numbers_are_scaled_before_they_lose_digits():
    large = 10.0**9
    X = fit_numbers([large + 1, large + 2, large + 3], [large + 1, large + 2, large + 3])
    np.testing.assert_allclose(X[:, 0], np.array([-1, 0, 1]) * np.sqrt(1.5), rtol=1e-5)


def test_numbers_beyond_float32_stay_finite():
    X = fit_numbers([1, 2], [1e300, -1e300], scaling="none")
    assert np.isfinite(X).all()
    assert X[0, 0] == -X[1, 0] > 1e38


@pytest.mark.parametrize("task", TARGETS)
def test_a_wide_category_makes_features_supervised(task):
    df, schema = make_rows(task=task), make_table_schema(task)
    assert has_supervised(fit_table(df, schema))
    assert not has_supervised(fit_table(df, make_table_schema(task, category=["colour"])))
    assert not has_supervised(fit_table(df, make_table_schema(task, category=[])))


@pytest.mark.parametrize("task", TARGETS)
def test_stored_features_can_be_fitted_again_on_other_rows(task):
    df, schema = make_rows(task=task, seed=1), make_table_schema(task)
    rows, y = prepare_table(df, schema), df["target"].to_numpy()
    again = clone(fit_pipeline(task)["columns"])
    expected = build_columns(schema, make_feature_params())
    X = as_float32(again.fit_transform(rows, y))
    assert (as_float32(expected.fit_transform(rows, y)) != X).nnz == 0
    assert name_features(again).tolist() == name_features(expected).tolist()


@pytest.mark.parametrize("column", ["price", "town", "colour", "size", "sold"])
def test_a_fold_may_have_no_value_of_a_column(column):
    df, schema = make_rows(), make_table_schema()
    fold = df.assign(**{column: df[column].where(df.index < 0)})
    columns = fit_table(fold, schema)
    X = as_float32(columns.transform(prepare_table(df, schema)))
    assert np.isfinite(X.data).all()
    assert len(name_features(columns)) == X.shape[1]


def test_unseen_values_are_counted_by_column():
    columns = fit_table(make_rows(), make_table_schema())
    df = make_rows(10, seed=1).assign(town="elsewhere")
    unseen = {name: rows.sum() for name, rows in find_unseen(columns, df).items()}
    assert unseen == {"colour": 0, "town": 10}
    assert find_unseen(fit_table(make_rows(), make_table_schema(category=[])), df) == {}


def test_features_do_not_depend_on_the_order_of_training_rows():
    df, test, schema = make_rows(), make_rows(seed=1), make_table_schema()
    shuffled = df.sample(frac=1, random_state=0)
    one, other = (fit_table(rows, schema) for rows in (df, shuffled))
    assert name_features(one).tolist() == name_features(other).tolist()
    rows = prepare_table(test, schema)
    found, expected = (as_float32(each.transform(rows)).toarray() for each in (other, one))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


PIPELINE = fit_pipeline("binary")
ROWS = make_rows(30, seed=1).assign(town=["elsewhere", None, "town 1"] * 10)
TOGETHER = PIPELINE.transform(ROWS).toarray()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 29), min_size=1, max_size=10))
def test_the_features_of_a_row_do_not_depend_on_the_others(chosen):
    found = PIPELINE.transform(ROWS.iloc[chosen]).toarray()
    np.testing.assert_array_equal(found, TOGETHER[chosen])


@pytest.mark.parametrize("column", list(make_rows()))
def test_a_row_with_a_missing_value_is_taken(column):
    df = make_rows(5, seed=1)
    df[column] = df[column].where(df.index < 0)
    assert np.isfinite(PIPELINE.transform(df).toarray()).all()
