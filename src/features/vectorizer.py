"""scikit-learn's CountVectorizer, several times faster."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from core.tables import list_texts
from features.ngrams import index_terms, learn_ngrams

# A padded word has at least three characters. CountVectorizer counts words that are shorter than
# the least n as a whole, which is left to it.
MAX_LEAST_CHARACTERS = 3


class NgramVectorizer(CountVectorizer):
    """scikit-learn's CountVectorizer, faster, which reads texts as they are.

    It gives the same vocabulary and the same matrix for the analyzers 'word', with tokens that
    blanks separate, and 'char_wb'.
    """

    def fit(self, raw_documents: Iterable[str], y: object = None) -> "NgramVectorizer":
        """Learn the vocabulary."""
        self.fit_transform(raw_documents, y)
        return self

    def fit_transform(self, raw_documents: Iterable[str], y: object = None) -> sp.csr_matrix:
        """Learn the vocabulary, and return the counts, shape (n_texts, n_terms)."""
        texts = list_texts(raw_documents)
        if not is_supported(self):
            return super().fit_transform(texts, y)
        ngrams, rows, columns = learn_ngrams(texts, self.analyzer, self.ngram_range)
        X = build_matrix(rows, columns, (len(texts), ngrams.n_terms), self.dtype)
        keep = select_terms(X, self.min_df, self.max_features)
        if not len(keep):
            raise ValueError("no n-gram is in enough texts")
        if len(keep) < X.shape[1]:
            ngrams, X = ngrams.select(keep), X[:, keep]
        self.fixed_vocabulary_, self.ngrams_ = False, ngrams
        self.__dict__.pop("vocabulary_", None)
        return X

    @cached_property
    def vocabulary_(self) -> dict[str, int]:
        """The column of each term."""
        return {term: column for column, term in enumerate(self.ngrams_.list_terms())}

    def transform(self, raw_documents: Iterable[str]) -> sp.csr_matrix:
        """Return the counts, shape (n_texts, n_terms)."""
        if not hasattr(self, "ngrams_"):
            if self.vocabulary is None or not is_supported(self):
                return super().transform(raw_documents)
            self.ngrams_ = index_terms(
                list(map(str, self.vocabulary)), self.analyzer, self.ngram_range
            )
        texts = list_texts(raw_documents)
        shape = (len(texts), self.ngrams_.n_terms)
        return build_matrix(*self.ngrams_.find(texts), shape, self.dtype)


def build_matrix(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], dtype: type
) -> sp.csr_matrix:
    """Return how often each pair of row and column occurs; rows of one column must be in order.

    By columns first, where that order needs no sorting, which is what takes most of the time.
    """
    return sp.coo_matrix((np.ones(len(rows), dtype), (rows, columns)), shape=shape).tocsc().tocsr()


def is_supported(vectorizer: CountVectorizer) -> bool:
    """Return whether n-grams are counted here as scikit-learn's ``vectorizer`` counts them."""
    return vectorizer.analyzer == "word" or vectorizer.ngram_range[0] <= MAX_LEAST_CHARACTERS


def select_terms(X: sp.csr_matrix, min_df: float, max_features: int | None) -> np.ndarray:
    """Return the columns that CountVectorizer keeps, ascending.

    Parameters
    ----------
    X : csr_matrix of shape (n_texts, n_terms)
        Counts.
    min_df : int or float
        In how many texts, or in what share of them, a term must be.
    max_features : int or None
        How many of the most frequent terms may be kept.
    """
    least = min_df if isinstance(min_df, int) else min_df * X.shape[0]
    is_kept = np.bincount(X.indices, minlength=X.shape[1]) >= least
    if max_features is not None and is_kept.sum() > max_features:
        totals = np.bincount(X.indices, X.data, X.shape[1])
        # Which of equally frequent terms are kept follows CountVectorizer, which sorts like this.
        most_frequent = (-totals[is_kept].astype(X.dtype)).argsort()[:max_features]
        is_kept[np.delete(np.flatnonzero(is_kept), most_frequent)] = False
    return np.flatnonzero(is_kept)
