"""The scores by which cross-validation compares candidates: scikit-learn's metrics."""

from collections.abc import Callable
from typing import Literal

from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

Score = Literal[
    "accuracy", "average_precision", "f1", "matthews_corrcoef", "precision", "recall", "roc_auc"
]
# Of true labels (is it the positive one?), and of predicted ones or of scores that rank the rows.
SCORES: dict[str, tuple[Callable[..., float], bool]] = {
    "accuracy": (accuracy_score, False),
    "average_precision": (average_precision_score, True),
    "f1": (f1_score, False),
    "matthews_corrcoef": (matthews_corrcoef, False),
    "precision": (precision_score, False),
    "recall": (recall_score, False),
    "roc_auc": (roc_auc_score, True),
}
