"""Predict for a message, a row of a table, or each of them in a file.

By hand: python src predict "WINNER! Claim your prize, call 09061701461"
         python src predict --row '{"carat": 0.3, "cut": "Ideal"}'
         python src predict --input messages.csv --output scored.csv
         python src predict --input - --output - --format jsonl < messages.jsonl
"""

import core.interrupts  # noqa: F401  (must be imported first)

import argparse
import hashlib
import logging
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
from pydantic import ConfigDict
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.log import run_stage
from core.params import Params, read_params
from core.paths import MODEL, TRAINING_SET
from core.terminal import escape_unprintable, exit_on_closed_pipe
from features.branches import count_unseen
from models.agreement import check_model
from models.conformal import PredictionInterval, find_margin
from models.explanation import Explanation, explain
from models.file_scoring import FileOptions, Scorer, check_rejected, score_file
from models.inputs import find_needed
from models.predictions import PREDICTIONS, Decision
from models.row_explanation import Reasons, explain_row
from models.self_test import check_code
from models.store import parse_model, read_model_file
from models.threshold import check_share, choose_threshold, name_points, read_model_points
from records.chunks import inspect_text
from records.files import STREAM, SUFFIXES
from records.json_lines import read_json
from records.new_rows import NewRows, name_columns, pick_row
from records.schema import FileParams, Labels, Schema
from records.tasks import TASKS
from records.validation_params import ValidationParams

INFLUENTIAL_WORDS = 8
INFLUENTIAL_COLUMNS = 8
# Exit status of a program that a signal ended: this plus the number of the signal.
SIGNALLED = 128

logger = logging.getLogger(__name__)


class CoverageParams(Params):
    """The usual coverage of prediction intervals, from section ``model_evaluation``."""

    model_config = ConfigDict(extra="ignore")

    interval_coverage: float


def format_words(explanation: Explanation | None, labels: Labels) -> Iterator[str]:
    """Yield the lines that show which words count for and against the positive label."""
    if explanation is None:
        yield "words        not available: this kind of model has no weights for them"
        return
    sums: dict[str, float] = defaultdict(float)
    for word, contribution in explanation.words:
        sums[word] += contribution
    ranked = sorted(sums, key=lambda word: -abs(sums[word]))
    for name, sign in (("for", 1), ("against", -1)):
        strong = [word for word in ranked if round(sign * sums[word], 2) > 0][:INFLUENTIAL_WORDS]
        shown = map(escape_unprintable, strong)
        words = ", ".join(f"{word} {sums[of]:+.2f}" for word, of in zip(shown, strong, strict=True))
        yield f"{name:7} {labels.positive:4} {words or 'no word'}"


def format_reasons(reasons: Reasons | None) -> Iterator[str]:
    """Yield the lines that show what a prediction comes from, the strongest first."""
    if reasons is None:
        yield f"columns      not available without {TRAINING_SET}"
        return
    yield reasons.title
    strong = [pair for pair in reasons.ranked if f"{pair[1]:.3g}" != "0"]
    for name, value in strong[:INFLUENTIAL_COLUMNS]:
        yield f"  {value:+.3g}  {escape_unprintable(name)}"
    if not strong:
        yield "  nothing"


def predict_message(text: str, scorer: Scorer, schema: Schema) -> None:
    """Print the prediction for one message, and influential words if it has two labels.

    Raises
    ------
    UserError
        If the message is empty, too long or not valid.
    """
    reason, detail = inspect_text(text)
    if reason:
        more = f" ({detail})" if detail else ""
        raise UserError(f"the message cannot be scored: {reason}{more}")
    found = scorer.prediction.score(scorer.model, scorer.decision.labels, [text])
    lines = list(scorer.prediction.describe(found, scorer.decision))
    if schema.positive is not None:
        labels = schema.label_pair
        lines += format_words(explain(scorer.model, labels.positive, text), labels)
    print("\n".join(lines), flush=True)


def predict_row(text: str, scorer: Scorer, rows: NewRows) -> None:
    """Print the prediction for a row that is written as a JSON object, and what it comes from.

    Raises
    ------
    UserError
        If it is no such object, or a value does not fit the schema.
    """
    values, reason, detail = read_json(text)
    if reason:
        raise UserError(f"--row cannot be read: {reason} {detail}".strip(), "give a JSON object")
    df, rejections = rows.check(pick_row(values, scorer.columns))
    if rejections.reasons[0]:
        raise UserError(
            f"the row cannot be scored: {rejections.reasons[0]}, {rejections.details[0]}"
        )
    found = scorer.prediction.score(scorer.model, scorer.decision.labels, df)
    if not np.isfinite(found).all():
        raise UserError("the model predicts no finite number for this row")
    print("\n".join(scorer.prediction.describe(found, scorer.decision)))
    unseen = count_unseen(scorer.model["columns"], df)
    for column in [column for column, n in unseen.items() if n]:
        print(f"unseen       {column}: no training row has {df[column][0]!r}")
    reasons = explain_row(scorer.model, scorer.prediction, scorer.decision, df, Path(TRAINING_SET))
    print("\n".join(format_reasons(reasons)), flush=True)


def check_streams(args: argparse.Namespace) -> None:
    """Raise ``UserError`` if a standard stream that is needed is closed."""
    if args.input == STREAM and sys.stdin is None:
        raise UserError("standard input is closed", "open it, or name a file with --input")
    if args.output == STREAM and sys.stdout is None:
        raise UserError("standard output is closed", "open it, or name a file with --output")
    if args.input is None and sys.stdout is None:
        raise UserError("standard output is closed", "open it to see the result")


def check_options(args: argparse.Namespace, schema: Schema) -> None:
    """Raise ``UserError`` if an option does not fit the schema."""
    if not schema.is_messages and args.text is not None:
        raise UserError(
            f"the features of {args.params} are {', '.join(schema.features)}, not one message",
            "give a row with --row '{\"column\": value, ...}', or a file with --input",
        )
    if schema.is_messages and args.row is not None:
        raise UserError(
            f"the only feature of {args.params} is the text {schema.text[0]!r}",
            "give it instead of --row",
        )
    if not schema.is_messages and args.text_column is not None:
        raise UserError("--text-column is for messages alone", "leave it out")
    is_binary = schema.positive is not None
    for name, is_known in (
        ("threshold", is_binary),
        ("max_fpr", is_binary),
        ("coverage", not TASKS[schema.task].has_classes),
    ):
        if getattr(args, name) is not None and not is_known:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"task {schema.task} has no {option}", "leave it out")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Predict for messages or rows of a table.")
    parser.add_argument("text", nargs="?", help="one message")
    parser.add_argument("--row", help="one row of a table, as a JSON object")
    parser.add_argument(
        "--input", type=Path, help="file to read, may be gzipped; '-' for standard input"
    )
    parser.add_argument(
        "--output", type=Path, help="file to write, gzipped if named .gz; '-' for standard output"
    )
    parser.add_argument("--rejected", type=Path, help="CSV of rejected rows (OUTPUT.rejected.csv)")
    parser.add_argument(
        "--max-rejected",
        type=float,
        help="share of rows above which the exit status is 1 (params.yaml's max_rejected_share)",
    )
    kinds = sorted(set(SUFFIXES.values()))
    parser.add_argument(
        "--format", choices=kinds, help="format of both files (that of their suffixes)"
    )
    parser.add_argument(
        "--encoding", help="input's encoding (params.yaml's encoding; JSON lines: utf-8)"
    )
    parser.add_argument(
        "--text-column", help="column with the messages (default: that of schema.text)"
    )
    parser.add_argument("--prefix", default="", help="start of the added columns' names")
    point = parser.add_mutually_exclusive_group()
    point.add_argument(
        "--threshold", type=float, help="least probability of the positive label (params.yaml's)"
    )
    point.add_argument(
        "--max-fpr", type=float, help="or the lowest one with this false-positive rate"
    )
    parser.add_argument(
        "--coverage",
        type=float,
        help="share of numbers within their interval (params.yaml's interval_coverage)",
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes that score")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--model", type=Path, default=Path(MODEL))
    parser.add_argument(
        "--allow-changed-code", action="store_true", help="use a model of other code anyway"
    )
    parser.add_argument(
        "--points",
        type=Path,
        help="operating points for --max-fpr, or intervals (beside the model)",
    )
    return parser


def decide_label(args: argparse.Namespace, _: Pipeline, schema: Schema, digest: str) -> Decision:
    """Return the labels and the threshold between them."""
    threshold = choose_threshold(
        args.threshold, args.max_fpr, args.points, args.model, digest, args.params
    )
    return Decision(schema.classes, threshold)


def decide_most_probable(
    _: argparse.Namespace, model: Pipeline, schema: Schema, __: str
) -> Decision:
    """Return the labels to choose from."""
    return Decision(schema.classes or list(model.classes_))


def decide_interval(args: argparse.Namespace, _: Pipeline, __: Schema, digest: str) -> Decision:
    """Return the interval around numbers."""
    points = args.points or name_points(args.model)
    found = read_model_points(points, args.model, digest, "a prediction interval").intervals
    if not found:
        logger.warning("no prediction intervals: %s was trained on too few rows", args.model)
        return Decision([])
    if args.coverage is not None:
        margin = find_margin(found, args.coverage)
        return Decision([], interval=PredictionInterval(coverage=args.coverage, margin=margin))
    usual = read_params(args.params, "model_evaluation", CoverageParams).interval_coverage
    return Decision([], interval=min(found, key=lambda each: abs(each.coverage - usual)))


DECISIONS = {
    "binary": decide_label,
    "multiclass": decide_most_probable,
    "regression": decide_interval,
}


def build_scorer(args: argparse.Namespace, schema: Schema) -> Scorer:
    """Return what predicts, from the model's file and params.yaml.

    Raises
    ------
    UserError
        If one of them is not valid, or they do not fit.
    """
    content = read_model_file(args.model)
    model = parse_model(content, args.model)
    digest = hashlib.sha256(content).hexdigest()
    decision = DECISIONS[schema.task](args, model, schema, digest)
    check_model(model, schema, args.model)
    check_code(model, args.model, args.allow_changed_code)
    prediction = PREDICTIONS[schema.task]
    if schema.is_messages:
        column = args.text_column or schema.text[0]
        return Scorer(model, content, args.model, prediction, decision, column, None)
    params = read_params(args.params, "data_validation", ValidationParams)
    rows = NewRows(schema, params, find_needed(model))
    columns = name_columns(schema, params)
    return Scorer(model, content, args.model, prediction, decision, columns, rows)


def predict_file(args: argparse.Namespace, scorer: Scorer, params: FileParams) -> None:
    """Predict for each message or row of a file.

    Raises
    ------
    UserError
        As ``score_file`` does, and if too many rows are rejected.
    """
    options = FileOptions(
        source=args.input,
        target=args.output,
        rejected=args.rejected,
        kind=args.format,
        encoding=args.encoding,
        prefix=args.prefix,
        n_jobs=args.jobs,
    )
    start = time.perf_counter()
    counts = score_file(options, scorer, params.encoding)
    speed = counts.n_scored / (time.perf_counter() - start)
    n_rejected = counts.reasons.total()
    unit = scorer.unit
    logger.info("%d rows scored, %d rejected, %.0f %s/s", counts.n_scored, n_rejected, speed, unit)
    if unseen := +counts.unseen:
        shown = ", ".join(f"{column} ({n})" for column, n in unseen.most_common())
        logger.warning("rows with values that no training row has: %s", shown)
    limit = params.max_rejected_share if args.max_rejected is None else args.max_rejected
    fix = "check --text-column" if scorer.rows is None else "check section data_validation"
    check_rejected(options, counts, limit, fix)


def main(argv: list[str] | None = None) -> None:
    """Predict for the messages or rows that ``argv`` names."""
    parser = build_parser()
    args = parser.parse_args(argv)
    n_given = sum(each is not None for each in (args.text, args.row, args.input))
    if n_given != 1 or (args.input is None) != (args.output is None):
        parser.error("give one message, --row, or --input and --output")
    check_streams(args)
    if args.jobs < 1:
        raise UserError(f"--jobs is {args.jobs}", "give 1 or more")
    check_share("--max-rejected", args.max_rejected)
    if not args.prefix.isprintable():
        raise UserError(f"--prefix is {args.prefix!r}", "give printable characters")
    schema = read_params(args.params, "schema", Schema)
    check_options(args, schema)
    params = read_params(args.params, "data_validation", FileParams)
    scorer = build_scorer(args, schema)
    with exit_on_closed_pipe():
        if args.text is not None:
            predict_message(args.text, scorer, schema)
        elif scorer.rows is not None and args.row is not None:
            predict_row(args.row, scorer, scorer.rows)
        else:
            predict_file(args, scorer, params)


def interrupt(number: int, _: FrameType | None) -> None:
    """Stop the work in progress in order; a second signal ends the process at once."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    raise KeyboardInterrupt(number)


def run_program() -> None:
    """Run as a program; a signal ends it with one line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell may start programs in the background with interrupts ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        run_stage(main)
    except KeyboardInterrupt as stop:
        number = stop.args[0]
        logger.error("stopped by %s before the end", signal.Signals(number).name)
        sys.exit(SIGNALLED + number)
