"""Tests of the n-grams that are typical of a label."""

import numpy as np

from features.typical_ngrams import rank_typical_ngrams


def test_finds_words_and_pairs_that_one_label_has_most():
    tokens = ["win a prize now"] * 10 + ["see you at home"] * 20
    labels = np.array(["spam"] * 10 + ["ham"] * 20)
    found = rank_typical_ngrams(tokens, labels, max_ngram=2, n_shown=4)
    assert set(found) == {"ham", "spam"}
    assert {"win", "prize"} & set(found["spam"]["ngram"])
    assert set(found["spam"]["here"]) == {1}
    assert set(found["spam"]["elsewhere"]) == {0}
    assert found["ham"]["z"].is_monotonic_decreasing


def test_a_word_that_all_labels_have_is_typical_of_none():
    tokens = ["the cat", "the dog"] * 10
    labels = np.array(["a", "b"] * 10)
    found = rank_typical_ngrams(tokens, labels, max_ngram=1, n_shown=5)
    assert {label: list(table["ngram"]) for label, table in found.items()} == {
        "a": ["cat"],
        "b": ["dog"],
    }


def test_rare_words_are_left_out():
    found = rank_typical_ngrams(["rare", "other"], np.array(["a", "b"]), 1, 5)
    assert all(table.empty for table in found.values())
