"""Explain the score that a linear model gives a message: the contribution of each word."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from models.weights import find_weights
from text.normalise import pair_words
from text.tokens import build_tokeniser

# Messages that are explained at once, fewer if they would need more numbers in memory.
MOST_AT_ONCE = 100
MOST_CELLS = 2_000_000


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


def count_by_word(vectorizer: BaseEstimator, messages: list[list[list[str]]]) -> sp.csr_matrix:
    """Count the n-grams of messages' tokens, separately for each word.

    Parameters
    ----------
    vectorizer : CountVectorizer or HashingVectorizer
        The fitted vectoriser of word n-grams.
    messages : list of list of list of str
        The tokens of each word, in order, for each message.

    Returns
    -------
    csr_matrix of shape (n_words, n_features)
        The count of an n-gram of several tokens is divided equally among them.
    """
    words = [of_word for message in messages for of_word in message]
    tokens = [token for of_word in words for token in of_word]
    owners = np.repeat(np.arange(len(words)), list(map(len, words)))
    ends = np.cumsum([sum(map(len, message)) for message in messages]).tolist()
    least, most = vectorizer.ngram_range
    places = [
        np.arange(place, place + n)
        for start, end in zip([0, *ends], ends, strict=False)
        for n in range(least, most + 1)
        for place in range(start, end - n + 1)
    ]
    if not places:
        return sp.csr_matrix((len(words), 0))
    # With this analyzer each n-gram is a document, so each one gets its own row.
    alone = copy.copy(vectorizer).set_params(analyzer=lambda ngram: [ngram])
    found = alone.transform([" ".join(tokens[i] for i in place) for place in places])
    sizes = np.array(list(map(len, places)))
    row = owners[np.concatenate(places)]
    column = np.repeat(np.arange(len(places)), sizes)
    parts = sp.csr_matrix(
        (np.repeat(1 / sizes, sizes), (row, column)), shape=(len(words), len(places))
    )
    return parts @ found


def rank_words(explanation: Explanation) -> list[tuple[str, float]]:
    """Return each word once with what it contributes in all, the strongest of either sign first."""
    sums: dict[str, float] = {}
    for word, contribution in explanation.words:
        sums[word] = sums.get(word, 0) + contribution
    return sorted(sums.items(), key=lambda item: -abs(item[1]))


def explain(model: Pipeline, positive: str, text: str) -> Explanation | None:
    """Return what each word contributes to a message's score; None if the model is not linear."""
    return next(explain_all(model, positive, [text]), None)


def explain_all(model: Pipeline, positive: str, texts: list[str]) -> Iterator[Explanation]:
    """Yield the explanation of each message; nothing if the model is not linear.

    A feature contributes its weight times its value. This is divided equally among all occurrences
    of its n-gram, and assigned to the words that contain them.
    """
    found = find_weights(model[-1])
    if found is None:
        return
    sign = 1 if model.classes_[1] == positive else -1
    weights, intercept = sign * found[0], sign * found[1]
    n_at_once = min(MOST_AT_ONCE, MOST_CELLS // len(weights) + 1)
    for start in range(0, len(texts), n_at_once):
        yield from explain_some(model, weights, intercept, texts[start : start + n_at_once])


def explain_some(
    model: Pipeline, weights: np.ndarray, intercept: float, texts: list[str]
) -> Iterator[Explanation]:
    """Yield the explanation of each of a few messages."""
    prepared = model["messages"].transform(texts)
    words = [text.split(" ") for text in prepared["text"]]
    tokenise = build_tokeniser(**model["messages"].kw_args)
    tokens = [[tokenise(word).split() for word in of_text] for of_text in words]
    columns = model["columns"]
    contributed = model[1:-1].transform(prepared).toarray() * weights
    owners = np.repeat(np.arange(len(texts)), list(map(len, words)))
    shares, others = np.zeros(len(owners)), [dict[str, float]() for _ in texts]
    for branch, transformer in columns.named_transformers_.items():
        if branch == "remainder":
            continue
        of_branch, vectorizer = contributed[:, columns.output_indices_[branch]], transformer[0]
        analyzer = getattr(vectorizer, "analyzer", None)
        if analyzer == "char_wb":
            counts = vectorizer.transform([word for of_text in words for word in of_text])
        elif analyzer == "word":
            counts = count_by_word(vectorizer, tokens)
        else:
            for each, total in zip(others, of_branch.sum(axis=1).tolist(), strict=True):
                each[branch] = total
            continue
        if counts.shape[1] == 0:
            continue
        rows = np.repeat(np.arange(len(owners)), np.diff(counts.indptr))
        totals = np.zeros(of_branch.shape)
        np.add.at(totals, (owners[rows], counts.indices), counts.data)
        of_one = of_branch / np.where(totals > 0, totals, 1)
        shares += np.bincount(rows, counts.data * of_one[owners[rows], counts.indices], len(owners))
    of_texts = np.split(shares, np.cumsum(list(map(len, words)))[:-1])
    for text, of_text, more in zip(texts, of_texts, others, strict=True):
        pairs = pair_words(text)
        ends = np.cumsum([len(normalised) for _, normalised in pairs])
        received = [
            (word, float(part.sum()))
            for (word, _), part in zip(pairs, np.split(of_text, ends[:-1]), strict=True)
        ]
        yield Explanation(received, more, intercept)
