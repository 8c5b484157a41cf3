"""Evaluate the model on the test and training sets: model, features -> metrics, plots, report.

By hand: python src/model_evaluation.py --params params.yaml --model models/model.skops \
    --points models/model.points.json \
    --train data/interim/train.parquet --train-features data/processed/train.npz \
    --test data/interim/test.parquet --test-features data/processed/test.npz \
    --cv-results reports/cv_results.csv --robustness reports/robustness.json \
    --metrics reports/metrics.json --intervals reports/intervals.json --plots reports/plots \
    --errors reports/errors.csv --report reports/report.html
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from dvclive import Live
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.files import empty_folder, replace, write_json, write_text
from core.log import run_stage, timed
from core.params import read_params
from core.tables import read_table, write_csv
from evaluation import figures
from evaluation.cv_scores import read_cv_scores
from evaluation.plots import draw_figures, log_plots
from evaluation.report import render_report
from evaluation.robustness import read_robustness
from evaluation.scores import EvaluationParams, compute_metrics, score
from features.matrices import load_matrix
from models.store import load_model, read_digest
from models.threshold import OperatingPoint, choose_operating_point, read_points

# The argument for each output, and its name in the temporary folder where all are written first.
OUTPUTS = {
    "intervals": "intervals.json",
    "errors": "errors.csv",
    "report": "report.html",
    "plots": "plots",
    "metrics": "metrics.json",
}

logger = logging.getLogger(__name__)


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


def measure_point(df: pd.DataFrame, point: OperatingPoint | None) -> dict[str, float]:
    """Return recall and false-positive rate of an operating point.

    ``cv_recall`` and ``cv_fpr`` are out-of-fold values of the training set, ``recall`` and
    ``fpr`` those of ``df``.
    """
    if point is None:
        logger.warning("no threshold has a false-positive rate of model_evaluation.max_fpr or less")
        return {}
    is_found = df["probability"] >= point.threshold
    return {
        "threshold": point.threshold,
        "cv_recall": point.recall,
        "cv_fpr": point.fpr,
        "recall": round(float(is_found[df["is_positive"]].mean()), 6),
        "fpr": round(float(is_found[~df["is_positive"]].mean()), 6),
    }


def write_evaluation(
    folder: Path,
    scored: dict[str, pd.DataFrame],
    known: dict[str, dict[str, float]],
    robustness: dict,
    model: Pipeline,
    X: sp.csr_matrix,
    params: EvaluationParams,
) -> dict[str, dict]:
    """Write metrics, intervals, plots, errors and report into an empty folder.

    Parameters
    ----------
    folder : Path
        Where to write the files in ``OUTPUTS``.
    scored : dict of str to DataFrame
        The scored rows of ``test`` and ``train``, as ``score`` returns them.
    known : dict of str to dict
        Metrics that were computed before: ``cv`` and ``operating_point``.
    robustness : dict
        The results of the stage robustness.
    model : Pipeline
        The model, for the plot of its features.
    X : csr_matrix of shape (n_rows, n_features)
        Features of the test set.
    params : EvaluationParams
        Threshold, false-positive rate and bootstrap.

    Returns
    -------
    dict of str to dict
        ``known`` and the metrics of each set.
    """
    test = scored["test"]
    labels = list(test["label"].cat.categories)
    metrics, intervals = dict(known), {}
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
        drawn = draw_figures(model, X, test, labels, params.threshold)
        drawn["robustness"] = figures.draw_robustness(robustness, labels)
        for name, figure in drawn.items():
            figures.save_figure(figure, images / f"{name}.png")
            pictures[name.replace("_", " ")] = (images / f"{name}.png").read_bytes()
    write_json(intervals, folder / "intervals.json")
    write_csv(errors, folder / "errors.csv")
    sizes = {name: len(df) for name, df in scored.items()}
    report = render_report(metrics, intervals, robustness, errors, pictures, labels, sizes)
    write_text(report, folder / "report.html")
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Evaluate the model, write metrics and report.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--model", type=Path, required=True, help="model to evaluate")
    parser.add_argument("--points", type=Path, required=True, help="operating points of the model")
    for name in ("train", "test"):
        parser.add_argument(
            f"--{name}", type=Path, required=True, help=f"Parquet of the {name} set"
        )
        parser.add_argument(
            f"--{name}-features", type=Path, required=True, help=f"npz of the {name} set"
        )
    parser.add_argument("--cv-results", type=Path, required=True, help="CSV of model_building")
    parser.add_argument("--robustness", type=Path, required=True, help="JSON of robustness")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    parser.add_argument("--intervals", type=Path, required=True, help="JSON to write")
    parser.add_argument("--plots", type=Path, required=True, help="folder of plots to write")
    parser.add_argument("--errors", type=Path, required=True, help="CSV to write")
    parser.add_argument("--report", type=Path, required=True, help="HTML to write")
    return parser


def check_outputs(args: argparse.Namespace) -> None:
    """Raise ``UserError`` if writing one output would overwrite another, or an input."""
    paths = {name: path.resolve() for name, path in vars(args).items()}
    for output in OUTPUTS:
        for name, path in paths.items():
            if name != output and path.is_relative_to(paths[output]):
                raise UserError(
                    f"--{output} {getattr(args, output)} would overwrite "
                    f"--{name.replace('_', '-')} {getattr(args, name)}",
                    "choose another path",
                )


def main(argv: list[str] | None = None) -> None:
    """Evaluate the model on the files that ``argv`` names."""
    args = build_parser().parse_args(argv)
    check_outputs(args)
    params = read_params(args.params, "model_evaluation", EvaluationParams)
    model = load_model(args.model)
    digest = read_digest(args.model)
    points = read_points(args.points, args.model, digest)
    robustness = read_robustness(args.robustness, digest)
    known = {"cv": read_cv_scores(args.cv_results)}

    scored, matrices = {}, {}
    for name in ("test", "train"):
        df = read_table(getattr(args, name), ["label", "text", "group", "row"])
        matrices[name] = load_matrix(getattr(args, f"{name}_features"), len(df))
        with timed(logger, "scored %d %s rows", len(df), name):
            scored[name] = score(model, df, matrices[name])
    point = choose_operating_point(points, params.max_fpr)
    known["operating_point"] = measure_point(scored["test"], point)
    with empty_folder(args.metrics.with_name("evaluation.tmp")) as folder:
        inputs = (scored, known, robustness, model, matrices["test"])
        metrics = write_evaluation(folder, *inputs, params)
        for argument, name in OUTPUTS.items():
            replace(folder / name, getattr(args, argument))
    logger.info("test F1 %.4f, MCC %.4f", metrics["test"]["f1"], metrics["test"]["mcc"])


if __name__ == "__main__":
    run_stage(main)
