"""Tests that n-grams are counted as scikit-learn's CountVectorizer counts them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from features import ngrams
from features.ngrams import index_terms
from features.vectorizer import NgramVectorizer

WORDS = {"analyzer": "word", "token_pattern": "[^ ]+"}
CHARACTERS = {"analyzer": "char_wb"}
# Characters that sort before the blank, white space of other kinds, half of a surrogate pair.
STRANGE = st.sampled_from("ab \x01\x1f\t\u00a0\u2028\u3000é😀\ud800\U0010ffff")
TEXTS = st.lists(st.text(st.characters() | STRANGE, max_size=20) | st.text(STRANGE), max_size=6)
RANGES = st.tuples(st.integers(1, 3), st.integers(0, 2)).map(lambda n: (n[0], n[0] + n[1]))


def build_both(options, ngram_range, **more):
    options = {**options, "ngram_range": ngram_range, "lowercase": False, "dtype": np.float64}
    return CountVectorizer(**options, **more), NgramVectorizer(**options, **more)


def assert_equal_matrices(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert (found != expected).nnz == 0


@pytest.mark.parametrize("options", [WORDS, CHARACTERS])
@pytest.mark.parametrize("max_table", [0, ngrams.MAX_TABLE])
@settings(deadline=None, max_examples=150)
@given(train=TEXTS, test=TEXTS, ngram_range=RANGES)
def test_vocabulary_and_matrix_are_those_of_scikit_learn(
    options, max_table, train, test, ngram_range
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "MAX_TABLE", max_table)
        theirs, ours = build_both(options, ngram_range)
        try:
            expected = theirs.fit_transform(train)
        except ValueError:
            with pytest.raises(ValueError, match="n-gram"):
                ours.fit_transform(train)
            return
        found = ours.fit_transform(train)
        assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
        assert_equal_matrices(found, expected)
        assert_equal_matrices(ours.transform(test), theirs.transform(test))
        assert "ngrams_" not in vars(ours) or found.has_canonical_format


@pytest.mark.parametrize("options", [WORDS, CHARACTERS])
@settings(deadline=None, max_examples=60)
@given(train=TEXTS, test=TEXTS, ngram_range=RANGES)
def test_a_vocabulary_in_any_order_is_counted_in_its_columns(options, train, test, ngram_range):
    theirs, _ = build_both(options, ngram_range)
    try:
        theirs.fit(train)
    except ValueError:
        return
    terms = theirs.get_feature_names_out().tolist()[::-1]
    theirs, _ = build_both(options, ngram_range, vocabulary=terms)
    found = index_terms(terms, options["analyzer"], ngram_range).count(test)
    expected = theirs.transform(test)
    expected.sort_indices()
    rows = np.repeat(np.arange(len(test)), np.diff(expected.indptr))
    for one, other in zip(found, (rows, expected.indices, expected.data), strict=True):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize(
    "limits",
    [{"min_df": 2}, {"min_df": 0.5}, {"max_features": 3}, {"min_df": 2, "max_features": 1}],
)
@pytest.mark.parametrize("options", [WORDS, CHARACTERS])
def test_rare_terms_are_left_out_alike(options, limits):
    texts = ["free cash now", "free entry", "see you now", "free"]
    theirs, ours = build_both(options, (1, 2), **limits)
    expected, found = theirs.fit_transform(texts), ours.fit_transform(texts)
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    assert_equal_matrices(found, expected)
    assert_equal_matrices(ours.transform(["free cash", ""]), theirs.transform(["free cash", ""]))


def test_words_shorter_than_the_least_n_are_left_to_scikit_learn():
    theirs, ours = build_both(CHARACTERS, (4, 6))
    assert_equal_matrices(ours.fit_transform(["a free"]), theirs.fit_transform(["a free"]))
    assert "ngrams_" not in vars(ours)
