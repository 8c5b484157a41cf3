"""Tests of dividing rows by the values of a column."""

import numpy as np
import pandas as pd

from evaluation.slices import MAX_VALUES, MISSING, OTHERS, slice_rows


def count(values, kind):
    return {name: int(rows.sum()) for name, rows in slice_rows(values, kind).items()}


def test_values_are_slices_the_most_frequent_one_first():
    values = pd.Series(["b", "a", "c", "b", None], dtype="str")
    assert list(count(values, "category").items()) == [("b", 2), ("a", 1), ("c", 1), (MISSING, 1)]


def test_rare_values_are_one_slice():
    values = pd.Series([f"{n:02}" for n in range(MAX_VALUES + 5)], dtype="str")
    found = count(values, "id")
    assert len(found) == MAX_VALUES + 1
    assert found[OTHERS] == 5


def test_numbers_are_cut_into_fifths_in_their_order():
    values = pd.Series([*range(10), np.nan], dtype="float64")
    found = count(values, "number")
    assert list(found.values()) == [2, 2, 2, 2, 2, 1]
    assert next(iter(found)) == "-0.001 to 1.8"


def test_few_numbers_are_a_slice_each():
    assert count(pd.Series([7.0, 7.0, 2.5, np.nan]), "number") == {"2.5": 1, "7": 2, MISSING: 1}


def test_dates_are_cut_into_years():
    values = pd.Series(pd.to_datetime(["2024-05-01", "2023-01-01", "2024-12-31", None]))
    assert count(values, "date") == {"2023": 1, "2024": 2, MISSING: 1}
