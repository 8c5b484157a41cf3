"""Tests of the names of features."""

import numpy as np

from features.names import name_features
from tests.support.small_table import (
    fit_pipeline,
    fit_table,
    make_feature_params,
    make_rows,
    make_table_schema,
)


def test_every_feature_of_a_table_has_a_readable_name():
    pipeline = fit_pipeline("binary")
    names = name_features(pipeline["columns"])
    assert len(names) == pipeline.transform(make_rows()).shape[1] == len(set(names))
    expected = {
        "words: title: chair",
        "words: note: as␣new",
        "characters: note: ␣FR",
        "statistics: title: digits",
        "price",
        "price is missing",
        "size",
        "size is missing",
        "sold: month",
        "seen: hour",
        "seen is missing",
        "colour=red",
        "colour is missing",
        "town: share of yes",
    }
    assert expected <= set(names)
    assert "sold: hour" not in names


def test_the_only_text_column_is_not_named():
    schema = make_table_schema(text=["note"])
    names = name_features(fit_table(make_rows(), schema))
    assert "words: free␣deliveri" in names


def test_some_features_can_be_named_alone():
    columns = fit_pipeline("regression")["columns"]
    names = name_features(columns)
    chosen = np.array([len(names) - 1, 0, 99])
    assert name_features(columns, chosen).tolist() == names[chosen].tolist()


def test_hashed_features_are_numbered():
    columns = fit_table(make_rows(), make_table_schema(), make_feature_params("hashing"))
    names = name_features(columns)
    assert names[0] == "words: title: 0"
    assert names[-1] == "town: share of yes"
