"""N-grams that are typical of one label: weighted log-odds.

Reference: B. Monroe, M. Colaresi, K. Quinn. Fightin' Words: Lexical Feature Selection and
Evaluation for Identifying the Content of Political Conflict. Political Analysis 16(4), 2008.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.vectorizer import NgramVectorizer

# An n-gram in fewer texts is typical of a text rather than of a label.
MIN_TEXTS = 5
# A prior of so many texts, which have each n-gram as often as all texts do.
PRIOR_TEXTS = 100


def rank_typical_ngrams(
    tokens: Sequence[str], labels: np.ndarray, max_ngram: int, n_shown: int
) -> dict[str, pd.DataFrame]:
    """Return the n-grams of tokens that are most typical of each label.

    Parameters
    ----------
    tokens : sequence of str, length n_texts
        Tokens of each text, which blanks separate.
    labels : ndarray of str, shape (n_texts,)
        The label of each text.
    max_ngram : int
        The most tokens of an n-gram.
    n_shown : int
        How many n-grams to return for each label.

    Returns
    -------
    dict of str to DataFrame
        By label: ``ngram``, ``here`` and ``elsewhere`` (the share of the texts with the label, and
        with other labels, that have it), ``z`` (log-odds ratio over its standard error).
    """
    vectorizer = NgramVectorizer(
        token_pattern="[^ ]+", lowercase=False, ngram_range=(1, max_ngram), binary=True
    )
    X = vectorizer.fit_transform(tokens).tocsc()
    total = np.asarray(X.sum(axis=0)).ravel()
    is_kept = total >= MIN_TEXTS
    names = vectorizer.get_feature_names_out()[is_kept]
    X, total = X[:, is_kept].tocsr(), total[is_kept]
    prior = total / max(1, len(labels)) * PRIOR_TEXTS
    ranked = {}
    for label in np.unique(labels):
        is_here = labels == label
        n_here, n_other = is_here.sum(), (~is_here).sum()
        here = np.asarray(X[is_here].sum(axis=0)).ravel()
        other = total - here
        have = [here + prior, other + prior]
        lack = [n + PRIOR_TEXTS - h for n, h in zip((n_here, n_other), have, strict=True)]
        lack = [np.maximum(each, 0.5) for each in lack]
        log_odds = np.log(have[0] / lack[0]) - np.log(have[1] / lack[1])
        z = log_odds / np.sqrt(1 / have[0] + 1 / have[1])
        best = np.argsort(-z, kind="stable")[:n_shown]
        best = best[z[best] > 0]
        ranked[str(label)] = pd.DataFrame(
            {
                "ngram": names[best],
                "here": here[best] / max(1, n_here),
                "elsewhere": other[best] / max(1, n_other),
                "z": z[best],
            }
        )
    return ranked
