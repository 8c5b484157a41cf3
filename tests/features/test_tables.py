"""Tests of turning the columns of a table into numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.tables import CategoryEncoder, DateEncoder, MissingFlags, prepare_rows, rank_values

OPTIONS = {"lowercase": True, "stemmer": "none", "stop_words": "none"}
VALUES = st.lists(st.none() | st.text(st.sampled_from("ab\0 é"), max_size=2), min_size=1)


def make_column(values, name="x"):
    return pd.DataFrame({name: pd.Series(values, dtype="str")})


def name_nonzero(encoder, X):
    """Return the names of the features of each row that are not 0."""
    names = encoder.get_feature_names_out(list(X))
    return [list(names[row != 0]) for row in encoder.transform(X).toarray()]


def test_texts_are_normalised_and_get_tokens():
    df = pd.DataFrame({"title": ["  WIN\tnow", None], "n": [1.0, 2.0]}, index=[7, 3])
    found = prepare_rows(df.astype({"title": "str"}), ["title"], **OPTIONS)
    assert found.index.tolist() == [7, 3]
    assert found.to_dict("list") == {
        "title": ["WIN now", ""],
        "n": [1, 2],
        "title_tokens": ["win now", ""],
    }


def test_a_table_without_texts_stays_as_it_is():
    df = pd.DataFrame({"n": [1.0]})
    assert prepare_rows(df, [], **OPTIONS) is df


def test_ranks_are_places_in_the_order():
    df = make_column(["low", "high", None, "other", "middle"])
    ranks = rank_values(df, {"x": ["low", "middle", "high"]})
    np.testing.assert_array_equal(ranks[:, 0], [0, 2, np.nan, np.nan, 1])


def make_dates(*dates):
    return pd.DataFrame({"sold": pd.to_datetime(list(dates), format="ISO8601")})


def test_a_date_is_split_into_its_parts():
    df = make_dates("2024-02-29", None, "2025-12-01")
    encoder = DateEncoder().fit(df)
    names = ["sold: year", "sold: month", "sold: weekday", "sold: day"]
    assert encoder.get_feature_names_out(["sold"]).tolist() == names
    expected = [[2024, 2, 3, 29], [np.nan] * 4, [2025, 12, 0, 1]]
    np.testing.assert_array_equal(encoder.transform(df), expected)


def test_there_are_hours_if_a_training_row_has_a_time():
    encoder = DateEncoder().fit(make_dates("2024-02-29 13:59", "2024-03-01"))
    assert encoder.get_feature_names_out(["sold"])[-1] == "sold: hour"
    assert encoder.transform(make_dates("2024-02-29 23:00"))[0].tolist() == [2024, 2, 3, 29, 23]
    without = DateEncoder().fit(make_dates("2024-02-29", None))
    assert without.transform(make_dates("2024-02-29 23:00"))[0].tolist() == [2024, 2, 3, 29]


def test_cyclic_dates_lie_on_a_circle():
    df = make_dates("2023-12-31 23:00", "2024-01-01 00:00", "2024-06-15 12:00")
    encoder = DateEncoder(cyclic=True).fit(df)
    parts = dict(zip(encoder.get_feature_names_out(["sold"]), encoder.transform(df).T, strict=True))
    assert parts.pop("sold: year").tolist() == [2023, 2024, 2024]
    for part in ("month", "day", "hour"):
        sine, cosine = parts[f"sold: {part} (sine)"], parts[f"sold: {part} (cosine)"]
        np.testing.assert_allclose(sine**2 + cosine**2, 1)
        near, far = (np.hypot(sine[1] - sine[n], cosine[1] - cosine[n]) for n in (0, 2))
        assert near < 0.6 < far


def test_only_columns_that_lack_training_values_are_flagged():
    train = pd.DataFrame({"a": [1.0, np.nan], "b": [1.0, 2.0]})
    flags = MissingFlags().fit(train)
    assert flags.get_feature_names_out(["a", "b"]).tolist() == ["a is missing"]
    assert flags.transform(train * np.nan).tolist() == [[1], [1]]


def test_each_value_of_a_category_is_a_column():
    train = make_column(["red"] * 3 + ["blue"] * 2 + ["rare", None])
    encoder = CategoryEncoder(max_one_hot=3, min_count=2).fit(train)
    found = name_nonzero(encoder, make_column(["red", "blue", "rare", "new", None]))
    other = ["x: rare or unseen"]
    assert found == [["x=red"], ["x=blue"], other, other, ["x is missing"]]


def test_values_without_a_column_are_zeros():
    encoder = CategoryEncoder(max_one_hot=3, min_count=1).fit(make_column(["red", "blue"]))
    assert name_nonzero(encoder, make_column(["new", None])) == [[], []]


def test_a_category_with_many_values_gets_the_mean_of_the_target():
    train = make_column(list("abcd") * 50)
    y = np.tile([0.0, 1, 2, 3], 50)
    encoder = CategoryEncoder(max_one_hot=3, min_count=2)
    X = encoder.fit_transform(train, y).toarray()[:, 0]
    assert encoder.get_feature_names_out(["x"]).tolist() == ["x: mean target"]
    np.testing.assert_allclose(X, y, atol=0.1)
    found = encoder.transform(make_column(["a", "d", "new", None])).toarray()[:, 0]
    np.testing.assert_allclose(found, [0, 3, 1.5, 1.5], atol=0.05)


@pytest.mark.parametrize(
    ("target_type", "labels", "names"),
    [
        ("binary", ["no", "yes"], ["x: share of yes"]),
        ("multiclass", ["a", "b", "c"], ["x: share of a", "x: share of b", "x: share of c"]),
    ],
)
def test_the_means_of_labels_are_their_shares(target_type, labels, names):
    y = np.array(labels * 20, object)
    train = make_column([f"of {label}" for label in y])
    encoder = CategoryEncoder(max_one_hot=1, min_count=1, target_type=target_type).fit(train, y)
    assert encoder.get_feature_names_out(["x"]).tolist() == names
    found = encoder.transform(make_column([f"of {labels[-1]}"])).toarray()[0]
    np.testing.assert_allclose(found, np.eye(len(labels))[-1][-len(names) :], atol=0.01)


def test_a_training_row_has_no_influence_on_its_own_mean():
    """Without this, a category of random values would seem to predict the target."""
    rng = np.random.default_rng(0)
    train, y = make_column(list(map(str, rng.integers(0, 100, 400)))), rng.normal(size=400)
    encoder = CategoryEncoder(max_one_hot=1, min_count=1)
    crossed = encoder.fit_transform(train, y).toarray()[:, 0]
    plain = encoder.transform(train).toarray()[:, 0]
    assert abs(np.corrcoef(crossed, y)[0, 1]) < 0.15
    assert np.corrcoef(plain, y)[0, 1] > 0.3


def test_encoding_by_the_target_needs_it():
    with pytest.raises(ValueError, match="encoding x by the target needs the target"):
        CategoryEncoder(max_one_hot=1, min_count=1).fit(make_column(["a", "b"]))


def test_counts_values_that_no_training_row_has():
    train = pd.DataFrame({"x": ["a", "a", "rare"], "y": ["b", "b", None]}, dtype="str")
    encoder = CategoryEncoder(min_count=2).fit(train)
    df = pd.DataFrame({"x": ["a", "rare", "new", None], "y": ["b", "c", "d", None]}, dtype="str")
    assert {name: rows.sum() for name, rows in encoder.find_unseen(df).items()} == {"x": 1, "y": 2}


@settings(deadline=None, max_examples=60)
@given(train=VALUES, test=VALUES, min_count=st.integers(1, 3))
def test_every_value_has_at_most_one_column(train, test, min_count):
    encoder = CategoryEncoder(max_one_hot=len(train), min_count=min_count)
    X = encoder.fit_transform(make_column(train)).toarray()
    assert (X.sum(axis=1) == 1).all()
    assert (X.sum(axis=0) > 0).all()
    assert len(encoder.get_feature_names_out(["x"])) == X.shape[1]
    names = name_nonzero(encoder, make_column(test))
    for value, found in zip(test, names, strict=True):
        assert len(found) <= 1
        if value is None:
            assert found == ["x is missing"] * (None in train)
        elif train.count(value) >= min_count:
            assert found == [f"x={value}"]
        else:
            assert found in ([], ["x: rare or unseen"])
    n_unseen = sum(value is not None and value not in train for value in test)
    assert encoder.find_unseen(make_column(test))["x"].sum() == n_unseen
