"""The scores by which cross-validation compares candidates: scikit-learn's metrics."""

from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    mean_absolute_error,
    median_absolute_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)

from core.errors import UserError
from models.folds import NEVER
from records.tasks import Task


def negate(loss: Callable[..., float]) -> Callable[..., float]:
    """Return a score that is higher the lower the loss is."""
    return lambda truth, predicted: -loss(truth, predicted)


def measure_log_loss(truth: np.ndarray, probability: np.ndarray) -> float:
    """Return the log loss of probabilities of the positive label, or of all labels."""
    n_labels = 2 if probability.ndim == 1 else probability.shape[1]
    return log_loss(truth, probability, labels=list(range(n_labels)))


def measure_ovr_auc(truth: np.ndarray, probability: np.ndarray) -> float:
    """Return the mean area under the ROC curve of each label against the others."""
    labels = range(probability.shape[1])
    return float(
        np.mean([roc_auc_score(truth == label, probability[:, label]) for label in labels])
    )


# Of the truth and of what is predicted. Names of scores on the right take the model's output
# (probabilities, or numbers), those on the left the labels that follow from it.
OF_LABELS: dict[str, Callable[..., float]] = {
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1": f1_score,
    "f1_macro": partial(f1_score, average="macro"),
    "matthews_corrcoef": matthews_corrcoef,
    "precision": precision_score,
    "recall": recall_score,
}
OF_OUTPUTS: dict[str, Callable[..., float]] = {
    "average_precision": average_precision_score,
    "neg_log_loss": negate(measure_log_loss),
    "neg_mean_absolute_error": negate(mean_absolute_error),
    "neg_median_absolute_error": negate(median_absolute_error),
    "neg_root_mean_squared_error": negate(root_mean_squared_error),
    "r2": r2_score,
    "roc_auc": roc_auc_score,
    "roc_auc_ovr": measure_ovr_auc,
}


def check_scoring(scoring: str, task: Task) -> None:
    """Raise ``UserError`` if a task has no such score."""
    if scoring not in task.scores:
        raise UserError(
            f"model_building.search.scoring: task {task.name} has no score {scoring!r}",
            f"choose one of {', '.join(task.scores)}",
        )


def score_folds(
    truth: np.ndarray, outputs: np.ndarray, folds: np.ndarray, scoring: str
) -> list[float]:
    """Return the score of the rows of each fold.

    Parameters
    ----------
    truth : ndarray, shape (n_rows,)
        Whether the label is the positive one; with more labels its number; or a number to predict.
    outputs : ndarray of float, shape (n_rows,) or (n_rows, n_labels)
        Probabilities of the positive label, or of each label; or predicted numbers.
    folds : ndarray of int, shape (n_rows,)
        In which each row was held out.
    scoring : str
        The name of the score.
    """
    if scoring in OF_OUTPUTS:
        score, predicted = OF_OUTPUTS[scoring], outputs
    else:
        score = OF_LABELS[scoring]
        predicted = outputs > 1 / 2 if outputs.ndim == 1 else outputs.argmax(axis=1)
    return [
        score(truth[folds == fold], predicted[folds == fold])
        for fold in np.unique(folds[folds != NEVER])
    ]
