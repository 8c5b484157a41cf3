"""Predict for a message, a row of a table, or each of them in a file.

By hand: python src predict "WINNER! Claim your prize, call 09061701461"
         python src predict carat=0.3 cut=Ideal color=E
         python src predict --json '{"carat": 0.3, "cut": "Ideal", "color": "E"}'
         python src predict --input messages.csv --output scored.csv
         python src predict --input - --output - --format jsonl < messages.jsonl
"""

import core.interrupts  # noqa: F401  (must be imported first)

import argparse
import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from core.errors import UserError
from core.log import run_stage
from core.paths import MODEL
from core.terminal import escape_unprintable, exit_on_closed_pipe
from models.answers import RowError, type_rows
from models.description import Description
from models.explanation import Explanation, explain, rank_words
from models.file_scoring import FileOptions, check_rejected, name_unit, score_file
from models.loaded import DecisionOptions, LoadedModel, load_model_for_use
from models.row_explanation import MISSING, Reasons, explain_rows, show_change
from models.store import read_model_file
from models.threshold import check_share
from models.unusual import find_unusual
from records.chunks import TableColumns, inspect_text, list_columns
from records.files import STREAM, SUFFIXES
from records.formats import is_encodable
from records.json_lines import read_json
from records.schema import Labels

INFLUENTIAL_WORDS = 8
INFLUENTIAL_COLUMNS = 8
# Exit status of a program that a signal ended: this plus the number of the signal.
SIGNALLED = 128

logger = logging.getLogger(__name__)


def format_words(explanation: Explanation | None, labels: Labels) -> Iterator[str]:
    """Yield the lines that show which words count for and against the positive label."""
    if explanation is None:
        yield "words        not available: this kind of model has no weights for them"
        return
    ranked = rank_words(explanation)
    for name, sign in (("for", 1), ("against", -1)):
        strong = [(word, change) for word, change in ranked if round(sign * change, 2) > 0]
        words = ", ".join(
            f"{escape_unprintable(word)} {change:+.2f}"
            for word, change in strong[:INFLUENTIAL_WORDS]
        )
        yield f"{name:7} {labels.positive:4} {words or 'no word'}"


TITLES = {
    "contributions": "What each value contributes to",
    "changes": "What changes, compared with the median or most frequent value of the column, in",
}


def format_reasons(reasons: Reasons, description: Description) -> Iterator[str]:
    """Yield the lines that show what a prediction comes from, the strongest first."""
    names = description.source_names
    units = {names[each.name]: f" {each.unit}" for each in description.columns if each.unit}
    yield f"{TITLES[reasons.kind]} {escape_unprintable(reasons.of)}:"
    for name, value, change in reasons.ranked[:INFLUENTIAL_COLUMNS]:
        unit = units.get(name, "") if value != MISSING else ""
        shown = f"{name}={value}{unit}" if value else name
        yield f"  {show_change(change, 3)}  {escape_unprintable(shown)}"
    if not reasons.ranked:
        yield "  nothing"


def predict_message(text: str, loaded: LoadedModel) -> None:
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
    found = loaded.prediction.score(loaded.pipeline, loaded.decision.labels, [text])
    lines = list(loaded.prediction.describe(found, loaded.decision))
    if loaded.description.data.positive is not None:
        labels = loaded.description.data.label_pair
        lines += format_words(explain(loaded.pipeline, labels.positive, text), labels)
    print("\n".join(lines), flush=True)


def read_pairs(pairs: Sequence[str], loaded: LoadedModel) -> dict[str, str]:
    """Return the values that arguments such as 'carat=0.3' give, by column.

    Raises
    ------
    UserError
        If a column is unknown or given twice, or an argument is not written so.
    """
    assert isinstance(loaded.columns, TableColumns)
    column_of = {name: names[0] for names in loaded.columns.names for name in names}
    takes = f"{loaded.path} takes {list_columns(list(loaded.description.source_names.values()))}"
    values: dict[str, str] = {}
    for pair in pairs:
        # Names may contain '=', too.
        known = [name for name in column_of if pair.startswith(f"{name}=")]
        if not known and "=" not in pair:
            raise UserError(
                f"{escape_unprintable(pair)!r} is not written as column=value, {takes}",
                f"give a row as in '{next(iter(column_of))}=...', or a file with --input",
            )
        if not known:
            unknown = escape_unprintable(pair.partition("=")[0])
            raise UserError(f"there is no column {unknown!r}, {takes}", "correct or remove it")
        name = max(known, key=len)
        if column_of[name] in values:
            raise UserError(f"the column {name!r} is given twice", "remove one of them")
        values[column_of[name]] = pair.removeprefix(f"{name}=")
        if not is_encodable(pair):
            raise UserError(f"the value of {name!r} is not valid Unicode")
    return values


def read_object(text: str) -> dict[str, Any]:
    """Return the values by column that a JSON object gives; raise ``UserError`` if it is none."""
    values, reason, detail = read_json(text)
    if reason:
        raise UserError(f"--json cannot be read: {reason} {detail}".strip(), "give a JSON object")
    return values


def predict_row(values: dict[str, Any], loaded: LoadedModel) -> None:
    """Print the prediction for the values of a row, and what it comes from.

    Raises
    ------
    UserError
        If a column is missing, or a value does not fit the schema.
    """
    try:
        df = type_rows(loaded, [values], lambda _: "the row")
    except RowError as error:
        where = f", column {error.column!r}" if error.column else ""
        raise UserError(f"the row cannot be scored{where}: {error.reason}") from error
    found = loaded.prediction.score(loaded.pipeline, loaded.decision.labels, df)
    if not np.isfinite(found).all():
        raise UserError("the model predicts no finite number for this row")
    print("\n".join(loaded.prediction.describe(found, loaded.decision)))
    for column, (problem, _) in find_unusual(loaded.pipeline, loaded.description, df).items():
        print(f"warning      {escape_unprintable(column)}: {problem}")
    [reasons] = explain_rows(loaded, df, found)
    print("\n".join(format_reasons(reasons, loaded.description)), flush=True)


def check_streams(args: argparse.Namespace) -> None:
    """Raise ``UserError`` if a standard stream that is needed is closed."""
    if args.input == STREAM and sys.stdin is None:
        raise UserError("standard input is closed", "open it, or name a file with --input")
    if args.output == STREAM and sys.stdout is None:
        raise UserError("standard output is closed", "open it, or name a file with --output")
    if args.input is None and sys.stdout is None:
        raise UserError("standard output is closed", "open it to see the result")


def check_options(args: argparse.Namespace, description: Description) -> None:
    """Raise ``UserError`` if an option does not fit what the model takes."""
    if description.is_messages:
        if args.json is not None:
            raise UserError(
                f"{args.model} takes one text, {description.columns[0].name!r}",
                "give it without --json",
            )
        if len(args.given) > 1:
            raise UserError(
                f"{args.model} takes one message, not {len(args.given)} arguments",
                "put the message in quotes",
            )
    elif args.text_column is not None:
        raise UserError("--text-column is for messages alone", "leave it out")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Predict for messages or rows of a table.")
    parser.add_argument(
        "given",
        nargs="*",
        metavar="MESSAGE or COLUMN=VALUE",
        help="one message, or each value of one row; 'column=' for a missing one",
    )
    parser.add_argument("--json", help="one row of a table, as a JSON object")
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
        help="share of rows above which the exit status is 1 (max_rejected_share of the training)",
    )
    kinds = sorted(set(SUFFIXES.values()))
    parser.add_argument(
        "--format", choices=kinds, help="format of both files (that of their suffixes)"
    )
    parser.add_argument(
        "--encoding", help="input's encoding (that of the training data; JSON lines: utf-8)"
    )
    parser.add_argument(
        "--text-column", help="column with the messages (default: that of schema.text)"
    )
    parser.add_argument("--prefix", default="", help="start of the added columns' names")
    parser.add_argument(
        "--all-probabilities",
        action="store_true",
        help="write the probability of each of several labels to the file",
    )
    parser.add_argument(
        "--explain", action="store_true", help="write what each prediction comes from to the file"
    )
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


def predict_file(args: argparse.Namespace, loaded: LoadedModel) -> None:
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
        all_probabilities=args.all_probabilities,
        explain=args.explain,
    )
    start = time.perf_counter()
    counts = score_file(options, loaded)
    speed = counts.n_scored / (time.perf_counter() - start)
    n_rejected = counts.reasons.total()
    unit = name_unit(loaded)
    logger.info("%d rows scored, %d rejected, %.0f %s/s", counts.n_scored, n_rejected, speed, unit)
    if counts.unusual:
        unusual = [
            f"{escape_unprintable(column)}: {problem} ({n_rows})"
            for (column, problem), n_rows in counts.unusual.items()
        ]
        logger.warning("rows with unusual values: %s", "; ".join(unusual))
    limit = loaded.description.values.max_rejected_share
    if args.max_rejected is not None:
        limit = args.max_rejected
    fix = "check --text-column" if loaded.rows is None else "check section data_validation"
    check_rejected(options, counts, limit, fix)


def main(argv: list[str] | None = None) -> None:
    """Predict for the messages or rows that ``argv`` names."""
    parser = build_parser()
    args = parser.parse_intermixed_args(argv)
    n_given = bool(args.given) + (args.json is not None) + (args.input is not None)
    if n_given != 1 or (args.input is None) != (args.output is None):
        parser.error("give one message, the values of one row, or --input and --output")
    check_streams(args)
    if args.jobs < 1:
        raise UserError(f"--jobs is {args.jobs}", "give 1 or more")
    check_share("--max-rejected", args.max_rejected)
    if not args.prefix.isprintable():
        raise UserError(f"--prefix is {args.prefix!r}", "give printable characters")
    options = DecisionOptions(args.params, args.points, args.threshold, args.max_fpr, args.coverage)
    content = read_model_file(args.model)
    loaded = load_model_for_use(content, args.model, options, args.allow_changed_code)
    check_options(args, loaded.description)
    if args.text_column is not None:
        loaded = replace(loaded, columns=args.text_column)
    with exit_on_closed_pipe():
        if args.input is not None:
            predict_file(args, loaded)
        elif loaded.rows is None:
            predict_message(args.given[0], loaded)
        elif args.json is not None:
            predict_row(read_object(args.json), loaded)
        else:
            predict_row(read_pairs(args.given, loaded), loaded)


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
