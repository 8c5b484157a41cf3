"""Write the data of DVC's plots, and draw the figures of the report, of a binary task."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from dvclive import Live
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve
from sklearn.pipeline import Pipeline

from evaluation import figures
from evaluation.influential_features import find_influential_features
from evaluation.metrics import rates_by_threshold

CALIBRATION_BINS = 10


def log_plots(
    live: Live, truth: np.ndarray, probability: np.ndarray, labels: list[str], threshold: float
) -> None:
    """Write the data of the plots in dvc.yaml; ``truth`` is whether a row is positive."""
    live.log_sklearn_plot("roc", truth.astype(int), probability)
    live.log_sklearn_plot("precision_recall", truth.astype(int), probability)
    live.log_sklearn_plot(
        "calibration", truth.astype(int), probability, n_bins=CALIBRATION_BINS, strategy="uniform"
    )
    actual, predicted = (
        np.where(is_positive, labels[1], labels[0]).tolist()
        for is_positive in (truth, probability >= threshold)
    )
    live.log_sklearn_plot("confusion_matrix", actual, predicted)
    thresholds, recall, fpr = rates_by_threshold(truth, probability)
    points = pd.DataFrame({"threshold": thresholds, "caught": recall, "blocked": fpr})
    live.log_plot("threshold", points, x="threshold", y=["caught", "blocked"])


def draw_figures(
    truth: np.ndarray, probability: np.ndarray, labels: list[str], threshold: float, rows: str
) -> dict[str, Figure]:
    """Draw the figures of the report; return them by file name, without suffix.

    ``rows`` is what a row is called, such as messages.
    """
    fpr, tpr, _ = roc_curve(truth, probability)
    precision, recall, _ = precision_recall_curve(truth, probability)
    observed, predicted = calibration_curve(
        truth, probability, n_bins=CALIBRATION_BINS, strategy="uniform"
    )
    thresholds, caught, blocked = rates_by_threshold(truth, probability)
    caught_name, blocked_name = f"{labels[1]} caught", f"{labels[0]} blocked"
    roc, axes = figures.draw_curves(
        {"test": (fpr, tpr)}, "ROC, false positives magnified", blocked_name, caught_name
    )
    axes.set_xscale("symlog", linthresh=0.01)
    figures.as_percent(axes)
    ranking, axes = figures.draw_curves(
        {"test": (recall, precision)}, "Precision and recall", "recall", "precision"
    )
    figures.as_percent(axes)
    calibration, axes = figures.draw_curves(
        {"test": (predicted, observed), "ideal": (np.array([0, 1]), np.array([0, 1]))},
        "Calibration",
        "predicted probability",
        f"share of {labels[1]}",
    )
    figures.as_percent(axes)
    operating, axes = figures.draw_curves(
        {caught_name: (thresholds, caught), blocked_name: (thresholds, blocked)},
        "Rates by threshold",
        f"threshold of the probability of {labels[1]}",
        "share of its label",
    )
    axes.axvline(threshold, color=figures.NEUTRAL, linestyle="--")
    figures.as_percent(axes)
    counts = confusion_matrix(truth, probability >= threshold)
    return {
        "confusion_matrix": figures.draw_confusion(counts, labels),
        "score_distribution": figures.draw_scores(probability, truth, labels, threshold, rows),
        "roc": roc,
        "precision_recall": ranking,
        "calibration": calibration,
        "threshold": operating,
    }


def draw_weights(
    model: Pipeline, X: sp.csr_matrix, truth: np.ndarray, labels: list[str]
) -> dict[str, Figure]:
    """Draw the most influential features, if the model has weights or importances."""
    found = find_influential_features(model, X, truth, labels[1])
    if found is None:
        return {}
    return {"influential_features": figures.draw_influential_features(*found, labels)}
