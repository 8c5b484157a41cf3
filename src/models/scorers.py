"""The scores of cross-validation: scikit-learn's scorers, with the positive label set."""

from collections.abc import Callable
from typing import Literal

from sklearn.metrics import (
    average_precision_score,
    f1_score,
    get_scorer,
    make_scorer,
    precision_score,
    recall_score,
)

Score = Literal[
    "accuracy", "average_precision", "f1", "matthews_corrcoef", "precision", "recall", "roc_auc"
]
RANKING = ("decision_function", "predict_proba")
# Scores that depend on which label is the positive one: score function and response method.
LABEL_SCORES = {
    "average_precision": (average_precision_score, RANKING),
    "f1": (f1_score, "predict"),
    "precision": (precision_score, "predict"),
    "recall": (recall_score, "predict"),
}


def build_scorer(scoring: str, positive: str) -> Callable[..., float]:
    """Return scikit-learn's scorer of this name for the positive label."""
    if scoring not in LABEL_SCORES:
        return get_scorer(scoring)
    score, response = LABEL_SCORES[scoring]
    return make_scorer(score, response_method=response, pos_label=positive)
