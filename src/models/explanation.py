"""Explain the score that a linear model gives a message: the contribution of each word."""

import copy
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from models.weights import find_weights
from text.normalise import pair_words
from text.tokens import build_tokeniser


@dataclass(frozen=True)
class Explanation:
    """Contributions that add up to a linear model's score of the positive label.

    Attributes
    ----------
    words : list of (str, float)
        Each word of the message as received, in its order, and what it contributes. Words that
        normalising joins, such as spaced letters, stand together with one blank between.
    others : dict of str to float
        The contribution of features that do not belong to a word, by branch.
    intercept : float
        The intercept of the model, which is the same for every message.
    """

    words: list[tuple[str, float]]
    others: dict[str, float]
    intercept: float


def count_by_word(vectorizer: BaseEstimator, tokens: list[list[str]]) -> sp.csr_matrix:
    """Count the n-grams of a message's tokens, separately for each word of the message.

    Parameters
    ----------
    vectorizer : CountVectorizer or HashingVectorizer
        The fitted vectoriser of word n-grams.
    tokens : list of list of str
        The tokens of each word, in order.

    Returns
    -------
    csr_matrix of shape (n_words, n_features)
        The count of an n-gram of several tokens is divided equally among them.
    """
    message = [token for of_word in tokens for token in of_word]
    owners = np.repeat(np.arange(len(tokens)), list(map(len, tokens)))
    least, most = vectorizer.ngram_range
    places = [
        np.arange(start, start + n)
        for n in range(least, most + 1)
        for start in range(len(message) - n + 1)
    ]
    if not places:
        return sp.csr_matrix((len(tokens), 0))
    # With this analyzer each n-gram is a document, so each one gets its own row.
    alone = copy.copy(vectorizer).set_params(analyzer=lambda ngram: [ngram])
    found = alone.transform([" ".join(message[i] for i in place) for place in places])
    sizes = np.array(list(map(len, places)))
    row = owners[np.concatenate(places)]
    column = np.repeat(np.arange(len(places)), sizes)
    parts = sp.csr_matrix(
        (np.repeat(1 / sizes, sizes), (row, column)), shape=(len(tokens), len(places))
    )
    return parts @ found


def rank_words(explanation: Explanation) -> list[tuple[str, float]]:
    """Return each word once with what it contributes in all, the strongest of either sign first."""
    sums: dict[str, float] = {}
    for word, contribution in explanation.words:
        sums[word] = sums.get(word, 0) + contribution
    return sorted(sums.items(), key=lambda item: -abs(item[1]))


def explain(model: Pipeline, positive: str, text: str) -> Explanation | None:
    """Return the contribution of each word to a message's score; None if the model is not linear.

    A feature contributes its weight times its value. This is divided equally among all occurrences
    of its n-gram, and assigned to the words that contain them.
    """
    found = find_weights(model[-1])
    if found is None:
        return None
    sign = 1 if model.classes_[1] == positive else -1
    weights, intercept = sign * found[0], sign * found[1]
    prepared = model["messages"].transform([text])
    words = prepared["text"][0].split(" ")
    tokenise = build_tokeniser(**model["messages"].kw_args)
    tokens = [tokenise(word).split() for word in words]
    columns = model["columns"]
    contributed = model[1:-1].transform(prepared).toarray()[0] * weights
    shares, others = np.zeros(len(words)), {}
    for branch, transformer in columns.named_transformers_.items():
        if branch == "remainder":
            continue
        place, vectorizer = columns.output_indices_[branch], transformer[0]
        analyzer = getattr(vectorizer, "analyzer", None)
        if analyzer == "char_wb":
            counts = vectorizer.transform(words)
        elif analyzer == "word":
            counts = count_by_word(vectorizer, tokens)
        else:
            others[branch] = float(contributed[place].sum())
            continue
        if counts.shape[1] == 0:
            continue
        totals = np.asarray(counts.sum(axis=0)).ravel()
        shares += counts @ (contributed[place] / np.where(totals > 0, totals, 1))
    pairs = pair_words(text)
    ends = np.cumsum([len(normalised) for _, normalised in pairs])
    received = [
        (word, float(part.sum()))
        for (word, _), part in zip(pairs, np.split(shares, ends[:-1]), strict=True)
    ]
    return Explanation(received, others, intercept)
