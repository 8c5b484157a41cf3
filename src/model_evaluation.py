"""Evaluate the model on the test and training sets: model, features -> metrics, plots, report.

By hand: python src/model_evaluation.py --params params.yaml --model models/model.skops \
    --points models/model.points.json \
    --train data/interim/train.parquet --train-features data/processed/train.npz \
    --test data/interim/test.parquet --test-features data/processed/test.npz \
    --cv-results reports/cv_results.csv --robustness reports/robustness.json \
    --origin data/raw/source.json \
    --metrics reports/metrics.json --intervals reports/intervals.json --plots reports/plots \
    --errors reports/errors.csv --report reports/report.html --reference models/reference.parquet
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import scipy.sparse as sp
from dvclive import Live
from sklearn.pipeline import Pipeline

from core import files
from core.errors import UserError
from core.files import empty_folder, write_json, write_text
from core.log import run_stage, timed
from core.params import read_params
from core.tables import write_csv
from evaluation import binary, figures
from evaluation.cv_scores import format_cv_scores, read_cv_scores
from evaluation.importance import MAX_COLUMNS, MAX_ROWS, REPEATS, measure_importance
from evaluation.metrics import format_metric
from evaluation.report import (
    MESSAGE,
    NAME,
    NUMBER,
    Cell,
    Report,
    Section,
    Table,
    name_metric,
    render_report,
    tabulate_by,
    tabulate_metrics,
    tabulate_rows,
)
from evaluation.robustness import read_robustness
from evaluation.scores import (
    Evaluation,
    EvaluationParams,
    Scored,
    compare,
    measure,
    score,
    score_baseline,
)
from evaluation.slices import check_slices, measure_slices
from evaluation.tasks import EVALUATIONS
from evaluation.telling_features import find_telling_features
from features.matrices import load_matrix
from models.description import Description, read_description
from models.store import load_model, read_digest
from monitoring.reference import build_reference, write_reference
from records.schema import Schema
from records.tables import read_rows

# The argument for each output, and its name in the temporary folder where all are written first.
OUTPUTS = {
    "intervals": "intervals.json",
    "errors": "errors.csv",
    "report": "report.html",
    "reference": "reference.parquet",
    "plots": "plots",
    "metrics": "metrics.json",
}
# The data of the plots in dvc.yaml. Those that a task does not have are empty, since DVC would
# warn of missing files.
PLOTS = [
    *(f"sklearn/{name}" for name in ("calibration", "confusion_matrix", "precision_recall", "roc")),
    "custom/threshold",
]
# More of them are only in the file of errors.
SHOWN_ERRORS = 100

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What an evaluation reads: the model, and what earlier stages made of its data.

    ``sha256`` is of the model's file. ``scored`` holds the scored rows of ``test`` and ``train``,
    ``X`` the features of the test set, ``points`` what model_building stored beside the model,
    ``origin`` what data_ingestion recorded.
    """

    model: Pipeline
    description: Description
    sha256: str
    scored: dict[str, Scored]
    X: sp.csr_matrix
    points: Any
    cv: dict[str, float]
    robustness: dict
    origin: dict


def compute_metrics(
    task: Evaluation, inputs: Inputs, schema: Schema, params: EvaluationParams
) -> tuple[dict, dict]:
    """Return all metrics, and the intervals of those that have one, in sections.

    ``baseline`` is a model that knows only the training target, measured on the test set, and
    ``difference`` how far the model's metrics are from its, on the same bootstrap samples.
    """
    test, train = inputs.scored["test"], inputs.scored["train"]
    more, more_intervals = task.measure_more(test, inputs.points, params)
    measured = {name: measure(task, scored, params) for name, scored in inputs.scored.items()}
    baseline = measure(task, score_baseline(task, train.df, test, schema), params)
    measured["baseline"] = baseline
    metrics = {"cv": inputs.cv, **more}
    metrics |= {name: found.metrics for name, found in measured.items()}
    intervals = {name: found.intervals for name, found in measured.items()}
    intervals["difference"] = compare(measured["test"], baseline, task.tidy)
    intervals |= more_intervals
    if params.slices:
        metrics["slices"], intervals["slices"] = measure_slices(task, test, schema, params)
    if 1 < len(schema.features) <= MAX_COLUMNS:
        with timed(logger, "shuffled %d columns", len(schema.features)):
            metrics["importance"] = measure_importance(task, inputs.model, test, schema, params)
    return metrics, intervals


def draw(
    task: Evaluation,
    inputs: Inputs,
    metrics: dict,
    schema: Schema,
    params: EvaluationParams,
) -> dict[str, figures.Figure]:
    """Return the figures of the report by name."""
    test = inputs.scored["test"]
    drawn = task.draw_figures(test, inputs.model, inputs.X, schema, params)
    if inputs.robustness.get("applies", True):
        drawn["robustness"] = figures.draw_robustness(inputs.robustness, test.labels)
    if "importance" in metrics:
        drawn["importance"] = figures.draw_importance(
            metrics["importance"], name_metric(task.importance)
        )
    return drawn


def build_report(
    task: Evaluation,
    inputs: Inputs,
    metrics: dict,
    intervals: dict,
    schema: Schema,
    errors: Any,
) -> Report:
    """Return the texts and tables of the report."""
    test = inputs.scored["test"]
    own = task.describe(metrics, intervals, schema, errors)
    sizes = {name: f"{len(scored.df):,}" for name, scored in inputs.scored.items()}
    what = "messages" if schema.is_messages else "rows"
    sentences = [
        f"Measured on {sizes['test']} {what} of the test set; the model was trained on "
        f"{sizes['train']} others. Rows of one group, such as near-duplicates, are in one set. "
        "The brackets show 95% intervals: bootstrapped over groups, or, if no error was observed, "
        "exact (Clopper-Pearson) for the number of groups. The baseline knows only the target of "
        "the training set; the difference is measured on the same bootstrap samples.",
        f"Cross-validation on the training set: {format_cv_scores(metrics['cv'])} (mean and "
        "standard deviation over the folds). Use this score to choose between configurations, and "
        "the test set only to measure the chosen one.",
    ]
    if not inputs.origin.get("pinned", True):
        sentences.append(
            f"The data is not pinned: it was fetched from {inputs.origin['source']} at "
            f"{inputs.origin['fetched']}, with SHA-256 {inputs.origin['sha256']}. Another run can "
            "get other data."
        )
    sections = [Section("Metrics", "", tabulate_metrics(metrics, intervals))]
    if inputs.robustness.get("applies", True):
        sections.append(binary.describe_robustness(inputs.robustness, test.labels))
    if "importance" in metrics:
        sections.append(describe_importance(metrics["importance"], task.importance))
    for column, found in metrics.get("slices", {}).items():
        table = tabulate_by(column, found, intervals["slices"][column], task.shown)
        sections.append(Section(f"By {column}", "", table))
    if telling := find_telling_features(inputs.model, test.labels):
        sections.append(describe_telling(telling))
    *others, last = own.sections
    table = tabulate_rows(errors.head(SHOWN_ERRORS), schema.text)
    where = f" The row is its number in the source. The first {SHOWN_ERRORS} are shown."
    if len(errors) <= SHOWN_ERRORS:
        where = " The row is its number in the source."
    last = replace(last, text=f"{last.text}{where}", table=table)
    return Report(own.heading, [*sentences, *own.sentences], [*sections, *others, last])


def describe_importance(importance: dict, metric: str) -> Section:
    """Return the section of the importance of columns."""
    text = (
        f"How much worse the {name_metric(metric)} becomes if the values of a column are shuffled "
        f"among the test rows: mean and standard deviation of {REPEATS} times, on at most "
        f"{MAX_ROWS:,} rows. Columns that carry the same information hide each other."
    )
    columns = [("column", NAME), ("mean", NUMBER), ("standard deviation", NUMBER)]
    rows: list[list[str | Cell]] = [
        [column, *(format_metric(metric, found[name]) for name in ("mean", "std"))]
        for column, found in importance.items()
    ]
    return Section("Importance of columns", text, Table(columns, rows))


def describe_telling(telling: dict[str, list[str]]) -> Section:
    """Return the section of the features that speak most for each label."""
    text = "The features with the largest weights for each label, most telling first."
    rows: list[list[str | Cell]] = [[label, ", ".join(names)] for label, names in telling.items()]
    return Section("Telling features", text, Table([("label", NAME), ("features", MESSAGE)], rows))


def write_evaluation(
    folder: Path, task: Evaluation, inputs: Inputs, schema: Schema, params: EvaluationParams
) -> dict[str, dict]:
    """Write the files in ``OUTPUTS`` into an empty folder, and return the metrics."""
    test = inputs.scored["test"]
    task.check(test)
    with timed(logger, "computed metrics and intervals"):
        metrics, intervals = compute_metrics(task, inputs, schema, params)
    errors = task.find_errors(test, schema, params)
    pictures = {}
    with timed(logger, "drew plots"):
        with Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None) as live:
            live.summary = metrics
            task.log_plots(live, test, params)
        for name in PLOTS:
            path = folder / "plots" / f"{name}.json"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(f"{json.dumps([])}\n", path)
        for name, figure in draw(task, inputs, metrics, schema, params).items():
            path = folder / "plots" / "images" / f"{name}.png"
            figures.save_figure(figure, path)
            pictures[name.replace("_", " ")] = path.read_bytes()
    write_json(intervals, folder / "intervals.json")
    write_csv(errors, folder / "errors.csv")
    report = build_report(task, inputs, metrics, intervals, schema, errors)
    write_text(render_report(report, pictures), folder / "report.html")
    reference = build_reference(
        inputs.model,
        inputs.description,
        inputs.sha256,
        inputs.scored["train"].df,
        test,
        task,
        metrics["test"],
        params,
    )
    write_reference(reference, folder / "reference.parquet")
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
    parser.add_argument("--origin", type=Path, help="JSON of data_ingestion, for the report")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    parser.add_argument("--intervals", type=Path, required=True, help="JSON to write")
    parser.add_argument("--plots", type=Path, required=True, help="folder of plots to write")
    parser.add_argument("--errors", type=Path, required=True, help="CSV to write")
    parser.add_argument("--report", type=Path, required=True, help="HTML to write")
    parser.add_argument("--reference", type=Path, required=True, help="Parquet to write, for drift")
    return parser


def check_outputs(args: argparse.Namespace) -> None:
    """Raise ``UserError`` if writing one output would overwrite another, or an input."""
    paths = {name: path.resolve() for name, path in vars(args).items() if path}
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
    schema = read_params(args.params, "schema", Schema)
    params = read_params(args.params, "model_evaluation", EvaluationParams)
    check_slices(schema, params)
    task = EVALUATIONS[schema.task]
    model = load_model(args.model)
    digest = read_digest(args.model)
    points = task.read_points(args.points, args.model, digest)
    robustness = read_robustness(args.robustness, digest)
    cv = read_cv_scores(args.cv_results)
    origin = json.loads(args.origin.read_text(encoding="utf-8")) if args.origin else {}

    scored, matrices = {}, {}
    for name in ("test", "train"):
        columns = [*schema.id, *schema.features, "group", "row"]
        df = read_rows(getattr(args, name), schema, columns)
        matrices[name] = load_matrix(getattr(args, f"{name}_features"), len(df))
        with timed(logger, "scored %d %s rows", len(df), name):
            scored[name] = score(task, model, df, matrices[name], schema.target)
    description = read_description(model, args.model)
    inputs = Inputs(
        model, description, digest, scored, matrices["test"], points, cv, robustness, origin
    )
    with empty_folder(args.metrics.with_name("evaluation.tmp")) as folder:
        metrics = write_evaluation(folder, task, inputs, schema, params)
        for argument, name in OUTPUTS.items():
            files.replace(folder / name, getattr(args, argument))
    shown = name_metric(task.primary)
    logger.info("test %s %.4f", shown, metrics["test"][task.primary])


if __name__ == "__main__":
    run_stage(main)
