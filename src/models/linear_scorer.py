"""Score messages with a linear model by sums of weights, without scikit-learn's overhead.

The model file stays a scikit-learn pipeline. This scorer is derived from it when it is loaded, and
used only if both give the same probabilities for the probes of the self-test.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import Pipeline

from features.ngrams import Ngrams, index_terms
from features.vectorizer import is_supported
from models.adapted import ScaledClassifier
from models.ensemble import BranchEnsemble
from models.self_test import PROBES
from models.weights import find_weights
from text.normalise import normalise_text
from text.statistics import count_patterns
from text.tokens import build_tokeniser

# Classifiers whose probability is the logistic function of the sum of weights.
LOGISTIC = (BranchEnsemble, LogisticRegression, ComplementNB, MultinomialNB)
# Two ways to add the same numbers differ in the last digits.
TOLERANCE = 1e-8

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Branch:
    """A branch of n-grams with the weights of its features.

    Attributes
    ----------
    ngrams : Ngrams
        The vocabulary.
    idf : ndarray of float64, shape (n_terms,) or None
        Inverse document frequencies; None: counts are not weighted.
    sublinear_tf, is_normalised : bool
        Whether a count becomes 1 + log(count), and rows get length 1.
    weights : ndarray of float64, shape (n_terms,)
        Of the model.
    """

    ngrams: Ngrams
    idf: np.ndarray | None
    sublinear_tf: bool
    is_normalised: bool
    weights: np.ndarray

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return the sum of weights times values for each text."""
        rows, columns, counts = self.ngrams.count(texts)
        values = counts.astype(float)
        if self.sublinear_tf:
            values = np.log(values) + 1
        if self.idf is not None:
            values *= self.idf[columns]
        if self.is_normalised:
            norms = np.sqrt(np.bincount(rows, values**2, len(texts)))
            values /= norms[rows]
        # The features of a model are of this type.
        values = values.astype(np.float32)
        return np.bincount(rows, values * self.weights[columns], len(texts))


@dataclass(frozen=True)
class StatisticsBranch:
    """The branch of message statistics with the weights of its features.

    Attributes
    ----------
    scale : ndarray of float64, shape (n_statistics,)
        The largest value of each in the training set.
    weights : ndarray of float64, shape (n_statistics,)
        Of the model.
    """

    scale: np.ndarray
    weights: np.ndarray

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return the sum of weights times values for each text."""
        values = np.clip(count_patterns(texts) / self.scale, -1, 1).astype(np.float32)
        return values @ self.weights


def derive_branch(transformer: Pipeline, weights: np.ndarray) -> Branch | StatisticsBranch:
    """Return one branch of a fitted ColumnTransformer with the weights of its features.

    Raises
    ------
    TypeError
        If its steps are not known here, such as hashed n-grams.
    """
    counts, weighting = transformer[0], transformer[1]
    if getattr(counts, "func", None) is count_patterns:
        return StatisticsBranch(weighting.scale_, weights)
    if type(counts) is not CountVectorizer:
        raise TypeError(f"{type(counts).__name__} has no vocabulary")
    if not is_supported(counts):
        raise TypeError("words that are shorter than the least n count as a whole")
    ngrams = index_terms(list(map(str, counts.vocabulary)), counts.analyzer, counts.ngram_range)
    return Branch(
        ngrams,
        weighting.idf_ if weighting.use_idf else None,
        weighting.sublinear_tf,
        weighting.norm == "l2",
        weights,
    )


def find_calibration(classifier: ClassifierMixin) -> tuple[float, float]:
    """Return slope and offset of the sum of weights within the logistic function.

    Raises
    ------
    TypeError
        If the classifier's probability is another function of it.
    """
    if isinstance(classifier, LOGISTIC):
        return 1.0, 0.0
    if isinstance(classifier, ScaledClassifier):
        return classifier.slope, classifier.offset
    raise TypeError(f"{type(classifier).__name__} has another kind of probability")


class LinearScorer:
    """Returns the probability of the second label for messages as received.

    Parameters
    ----------
    pipeline : Pipeline
        As ``model_building`` stores it.

    Raises
    ------
    TypeError
        If the pipeline is not linear, or has a step that is not known here.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        found = find_weights(pipeline[-1])
        if found is None or list(pipeline.named_steps)[:2] != ["messages", "columns"]:
            raise TypeError("the model is not linear, or takes no messages")
        weights, self.intercept = found
        self.slope, self.offset = find_calibration(pipeline[-1])
        self.tokenise = build_tokeniser(**pipeline["messages"].kw_args)
        columns = pipeline["columns"]
        self.branches = [
            (column, derive_branch(transformer, weights[columns.output_indices_[name]]))
            for name, transformer, column in columns.transformers_
            if name != "remainder"
        ]

    def __call__(self, messages: Sequence[str]) -> np.ndarray:
        """Return the probability of the second label, shape (n_messages,)."""
        texts = [normalise_text(message) for message in messages]
        read = {"text": texts, "text_tokens": [self.tokenise(text) for text in texts]}
        score = np.full(len(texts), self.intercept)
        for column, branch in self.branches:
            score += branch.score(read[column])
        return expit(self.slope * score + self.offset)


def derive_scorer(pipeline: Pipeline) -> LinearScorer | None:
    """Return a scorer that gives the same probabilities as a pipeline; None if there is none."""
    try:
        scorer = LinearScorer(pipeline)
        found = scorer(PROBES)
    except (TypeError, ValueError) as error:
        logger.debug("scikit-learn scores: %s", error)
        return None
    expected = pipeline.predict_proba(list(PROBES))[:, 1]
    if not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
        logger.warning("scikit-learn scores, which is slow: the fast way gives other results")
        return None
    return scorer
