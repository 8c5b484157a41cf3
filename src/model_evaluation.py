"""Evaluate the model on the test and training sets: model, features -> metrics, plots, report.

By hand: python src/model_evaluation.py --params params.yaml --model models/model.skops \
    --train data/interim/train.parquet --train-features data/processed/train.npz \
    --test data/interim/test.parquet --test-features data/processed/test.npz \
    --metrics reports/metrics.json --intervals reports/intervals.json --plots reports/plots \
    --errors reports/errors.csv --report reports/report.html
"""

import common.startup  # noqa: F401  (first: see there)

import argparse
import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from dvclive import Live
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import Field, NonNegativeInt
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve
from sklearn.pipeline import Pipeline

from common import figures
from common.files import empty_folder, replace, write_json, write_text
from common.log import run_stage, timed
from common.matrices import load_matrix
from common.metrics import evaluate, rates_by_threshold
from common.models import load_model
from common.params import Params, read_params
from common.tables import read_table, write_csv

TEMPLATES = Path(__file__).parent / "templates"
# Probabilities are rounded: their last digits depend on the processor.
DECIMALS = 9
CALIBRATION_BINS = 10
TELLING_FEATURES = 15

logger = logging.getLogger(__name__)


class EvaluationParams(Params):
    """What ``params.yaml`` says of evaluating."""

    threshold: float = Field(gt=0, lt=1)
    max_fpr: float = Field(ge=0, lt=1)
    bootstrap_samples: int = Field(ge=100)
    random_state: NonNegativeInt


def score(model: Pipeline, df: pd.DataFrame, X: sp.csr_matrix) -> pd.DataFrame:
    """Return ``df`` with ``is_positive`` and ``probability`` of the positive label.

    Raises
    ------
    ValueError
        If the features or labels are not those that the model was fitted on.
    """
    classifier = model[-1]
    if X.shape[1] != classifier.n_features_in_:
        raise ValueError(
            f"the matrix has {X.shape[1]} features, the model {classifier.n_features_in_}: "
            "make both anew with 'dvc repro'"
        )
    labels = list(df["label"].cat.categories)
    if sorted(labels) != sorted(classifier.classes_):
        raise ValueError(
            f"the table's labels are {labels}, the model's {list(classifier.classes_)}: "
            "make both anew with 'dvc repro'"
        )
    column = list(classifier.classes_).index(labels[1])
    probability = classifier.predict_proba(X)[:, column].astype(float).round(DECIMALS)
    return df.assign(is_positive=df["label"] == labels[1], probability=probability)


def compute_metrics(df: pd.DataFrame, params: EvaluationParams) -> tuple[dict, dict]:
    """Return the metrics of one scored set, and the interval of each."""
    negative, positive = df["label"].cat.categories
    values, intervals = evaluate(
        df["is_positive"].to_numpy(),
        df["probability"].to_numpy(),
        df["group"].to_numpy(),
        params.threshold,
        params.max_fpr,
        params.bootstrap_samples,
        params.random_state,
    )
    # The names under which the literature on spam filters reports these two.
    caught, blocked = f"{positive}_caught", f"{negative}_blocked"
    values |= {caught: values["recall"], blocked: values.pop("fpr")}
    intervals |= {caught: intervals["recall"], blocked: intervals.pop("fpr")}
    return values, intervals


def find_telling_features(
    model: Pipeline, X: sp.csr_matrix, is_positive: np.ndarray, positive: str
) -> tuple[np.ndarray, np.ndarray]:
    """Find the features that speak most for either label.

    A linear model has weights and a naive Bayes model differences of log probabilities. The
    importances of trees have no direction: they get that of the label in which the feature is
    larger on average.

    Returns
    -------
    names : ndarray of str, shape (2 * 15,) or fewer
        In the order of their weights.
    weights : ndarray of float
        Above zero for the positive label, below for the other.
    """
    classifier = model[-1]
    if isinstance(classifier, CalibratedClassifierCV):
        classifier = classifier.calibrated_classifiers_[0].estimator
    if hasattr(classifier, "feature_importances_"):
        difference = X[is_positive].mean(axis=0) - X[~is_positive].mean(axis=0)
        weights = classifier.feature_importances_ * np.sign(np.asarray(difference).ravel())
    else:
        weights = weigh_features(classifier) * (1 if classifier.classes_[1] == positive else -1)
    order = np.argsort(weights, kind="stable")
    order = order[weights[order] != 0]
    if len(order) > 2 * TELLING_FEATURES:
        order = np.concatenate([order[:TELLING_FEATURES], order[-TELLING_FEATURES:]])
    return name_features(model, order), weights[order]


def weigh_features(classifier: ClassifierMixin) -> np.ndarray:
    """Return each feature's weight, shape (n_features,), towards the classifier's second class."""
    if hasattr(classifier, "coef_"):
        return classifier.coef_[0]
    return classifier.feature_log_prob_[1] - classifier.feature_log_prob_[0]


def name_features(model: Pipeline, chosen: np.ndarray) -> np.ndarray:
    """Return readable names, shape (n_chosen,), for the features of these column numbers."""
    columns = model.named_steps["columns"]
    names = np.empty(len(chosen), object)
    for branch, place in columns.output_indices_.items():
        is_here = (place.start <= chosen) & (chosen < place.stop)
        if not is_here.any():
            continue
        numbers = chosen[is_here] - place.start
        transformer = columns.named_transformers_[branch]
        if isinstance(transformer[0], HashingVectorizer):
            terms = numbers.astype(str)
        else:
            terms = transformer.get_feature_names_out([branch])[numbers]
        names[is_here] = [f"{branch}: {term.replace(' ', '␣')}" for term in terms]
    return names


def find_errors(df: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return the rows that the model gets wrong, most confident first.

    Returns
    -------
    DataFrame of shape (n_errors, 5)
        ``row`` of the source, ``label``, ``predicted``, ``probability`` of the positive label,
        ``text``.
    """
    wrong = df[(df["probability"] >= threshold) != df["is_positive"]]
    negative, positive = df["label"].cat.categories
    wrong = wrong.assign(predicted=np.where(wrong["is_positive"], negative, positive))
    order = (wrong["probability"] - threshold).abs().sort_values(ascending=False, kind="stable")
    return wrong.loc[order.index, ["row", "label", "predicted", "probability", "text"]]


def log_plots(live: Live, df: pd.DataFrame, labels: list[str], threshold: float) -> None:
    """Write the data of DVC's plots."""
    truth, probability = df["is_positive"].to_numpy(int), df["probability"].to_numpy()
    live.log_sklearn_plot("roc", truth, probability)
    live.log_sklearn_plot("precision_recall", truth, probability)
    live.log_sklearn_plot(
        "calibration", truth, probability, n_bins=CALIBRATION_BINS, strategy="uniform"
    )
    predicted = np.where(probability >= threshold, labels[1], labels[0])
    live.log_sklearn_plot("confusion_matrix", df["label"].tolist(), predicted.tolist())
    thresholds, recall, fpr = rates_by_threshold(df["is_positive"].to_numpy(), probability)
    points = pd.DataFrame({"threshold": thresholds, "caught": recall, "blocked": fpr})
    live.log_plot("threshold", points, x="threshold", y=["caught", "blocked"])


def draw_figures(
    model: Pipeline, X: sp.csr_matrix, df: pd.DataFrame, labels: list[str], threshold: float
) -> dict[str, Any]:
    """Draw everything that the report shows, by file name."""
    truth, probability = df["is_positive"].to_numpy(), df["probability"].to_numpy()
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
        "score_distribution": figures.draw_scores(probability, truth, labels, threshold),
        "roc": roc,
        "precision_recall": ranking,
        "calibration": calibration,
        "threshold": operating,
        "telling_features": figures.draw_telling_features(
            *find_telling_features(model, X, truth, labels[1]), labels
        ),
    }


def render_report(
    metrics: dict,
    intervals: dict,
    errors: pd.DataFrame,
    pictures: dict[str, bytes],
    labels: list[str],
    sizes: dict[str, int],
) -> str:
    """Return one HTML page that needs nothing else: metrics, pictures (PNG), errors."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        metrics=metrics,
        intervals=intervals,
        errors=errors.to_dict("records"),
        pictures={name: b64encode(content).decode() for name, content in pictures.items()},
        labels=labels,
        sizes=sizes,
    )


def write_evaluation(
    folder: Path,
    scored: dict[str, pd.DataFrame],
    model: Pipeline,
    X: sp.csr_matrix,
    params: EvaluationParams,
) -> dict[str, dict]:
    """Write metrics, intervals, plots, errors and report into an empty folder.

    Parameters
    ----------
    folder : Path
        Gets ``metrics.json``, ``intervals.json``, ``plots``, ``errors.csv``, ``report.html``.
    scored : dict of str to DataFrame
        What ``score`` returned for ``test`` and ``train``.
    model : Pipeline
        The model.
    X : csr_matrix of shape (n_rows, n_features)
        Features of the test set.
    params : EvaluationParams
        How to evaluate.

    Returns
    -------
    dict of str to dict
        The metrics of each set.
    """
    test = scored["test"]
    labels = list(test["label"].cat.categories)
    metrics, intervals = {}, {}
    with timed(logger, "computed metrics and intervals"):
        for name, df in scored.items():
            metrics[name], intervals[name] = compute_metrics(df, params)
    errors = find_errors(test, params.threshold)
    images = folder / "plots" / "images"
    pictures = {}
    with timed(logger, "drew plots"):
        with Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None) as live:
            live.summary = metrics
            log_plots(live, test, labels, params.threshold)
        for name, figure in draw_figures(model, X, test, labels, params.threshold).items():
            figures.save_figure(figure, images / f"{name}.png")
            pictures[name.replace("_", " ")] = (images / f"{name}.png").read_bytes()
    write_json(intervals, folder / "intervals.json")
    write_csv(errors, folder / "errors.csv")
    sizes = {name: len(df) for name, df in scored.items()}
    report = render_report(metrics, intervals, errors, pictures, labels, sizes)
    write_text(report, folder / "report.html")
    return metrics


def main(argv: list[str] | None = None) -> None:
    """Evaluate the model on the files that ``argv`` names as the parameters say."""
    parser = argparse.ArgumentParser(description="Evaluate the model, write metrics and report.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--model", type=Path, required=True, help="model to evaluate")
    for name in ("train", "test"):
        parser.add_argument(
            f"--{name}", type=Path, required=True, help=f"Parquet of the {name} set"
        )
        parser.add_argument(f"--{name}-features", type=Path, required=True, help="its matrix")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    parser.add_argument("--intervals", type=Path, required=True, help="JSON to write")
    parser.add_argument("--plots", type=Path, required=True, help="folder of plots to write")
    parser.add_argument("--errors", type=Path, required=True, help="CSV to write")
    parser.add_argument("--report", type=Path, required=True, help="HTML to write")
    args = parser.parse_args(argv)
    params = read_params(args.params, "model_evaluation", EvaluationParams)
    model = load_model(args.model)

    scored, matrices = {}, {}
    for name in ("test", "train"):
        df = read_table(getattr(args, name), ["label", "text", "group", "row"])
        matrices[name] = load_matrix(getattr(args, f"{name}_features"), len(df))
        with timed(logger, "scored %d %s rows", len(df), name):
            scored[name] = score(model, df, matrices[name])
    with empty_folder(args.metrics.with_name("evaluation.tmp")) as folder:
        metrics = write_evaluation(folder, scored, model, matrices["test"], params)
        for path in (args.intervals, args.errors, args.report, args.plots, args.metrics):
            replace(folder / path.name, path)
    logger.info("test F1 %.4f, MCC %.4f", metrics["test"]["f1"], metrics["test"]["mcc"])


if __name__ == "__main__":
    run_stage(main)
