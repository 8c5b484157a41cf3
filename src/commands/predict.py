"""Predict the label of a message, or of each message in a file.

By hand: python src predict "WINNER! Claim your prize, call 09061701461"
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

from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.log import run_stage
from core.params import read_params
from core.paths import MODEL
from core.terminal import escape_unprintable, exit_on_closed_pipe
from models.explanation import Explanation, explain
from models.file_scoring import FileOptions, check_rejected, score_file
from models.scoring import check_labels, score_texts
from models.self_test import check_code
from models.store import parse_model, read_model_file
from models.threshold import check_share, choose_threshold
from records.chunks import inspect_text
from records.files import STREAM, SUFFIXES
from records.schema import FileParams, Labels, read_message_schema

INFLUENTIAL_WORDS = 8
# Exit status of a program that a signal ended: this plus the number of the signal.
SIGNALLED = 128

logger = logging.getLogger(__name__)


def format_prediction(
    probability: float, threshold: float, labels: Labels, explanation: Explanation | None
) -> Iterator[str]:
    """Yield the lines of output for one message."""
    label = labels.positive if probability >= threshold else labels.negative
    yield f"label        {label}"
    yield f"probability  {probability:.6f} of {labels.positive}, threshold {threshold:g}"
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


def predict_message(text: str, model: Pipeline, threshold: float, labels: Labels) -> None:
    """Print label, probability and influential words of one message.

    Raises
    ------
    UserError
        If the message is empty, too long or not valid.
    """
    reason, detail = inspect_text(text)
    if reason:
        more = f" ({detail})" if detail else ""
        raise UserError(f"the message cannot be scored: {reason}{more}")
    probability = score_texts(model, labels.positive, [text])[0]
    explanation = explain(model, labels.positive, text)
    print("\n".join(format_prediction(probability, threshold, labels, explanation)), flush=True)


def check_streams(args: argparse.Namespace) -> None:
    """Raise ``UserError`` if a standard stream that is needed is closed."""
    if args.input == STREAM and sys.stdin is None:
        raise UserError("standard input is closed", "open it, or name a file with --input")
    if args.output == STREAM and sys.stdout is None:
        raise UserError("standard output is closed", "open it, or name a file with --output")
    if args.text is not None and sys.stdout is None:
        raise UserError("standard output is closed", "open it to see the result")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Predict the labels of messages.")
    parser.add_argument("text", nargs="?", help="one message")
    parser.add_argument(
        "--input", type=Path, help="file of messages, may be gzipped; '-' for standard input"
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
    parser.add_argument("--jobs", type=int, default=1, help="processes that score")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--model", type=Path, default=Path(MODEL))
    parser.add_argument(
        "--allow-changed-code", action="store_true", help="use a model of other code anyway"
    )
    parser.add_argument(
        "--points", type=Path, help="operating points for --max-fpr (beside the model)"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Predict the labels of the messages that ``argv`` names."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if (args.text is None) == (args.input is None) or (args.input is None) != (args.output is None):
        parser.error("give one message, or --input and --output")
    check_streams(args)
    if args.jobs < 1:
        raise UserError(f"--jobs is {args.jobs}", "give 1 or more")
    check_share("--max-rejected", args.max_rejected)
    if not args.prefix.isprintable():
        raise UserError(f"--prefix is {args.prefix!r}", "give printable characters")
    schema = read_message_schema(args.params)
    params = read_params(args.params, "data_validation", FileParams)
    content = read_model_file(args.model)
    model = parse_model(content, args.model)
    digest = hashlib.sha256(content).hexdigest()
    threshold = choose_threshold(
        args.threshold, args.max_fpr, args.points, args.model, digest, args.params
    )
    check_labels(model, schema.classes, args.model)
    check_code(model, args.model, args.allow_changed_code)
    with exit_on_closed_pipe():
        if args.text is not None:
            predict_message(args.text, model, threshold, schema.label_pair)
            return
        options = FileOptions(
            source=args.input,
            target=args.output,
            rejected=args.rejected,
            kind=args.format,
            encoding=args.encoding,
            text_column=args.text_column,
            prefix=args.prefix,
            n_jobs=args.jobs,
        )
        start = time.perf_counter()
        n_scored, reasons = score_file(
            options, model, content, args.model, threshold, schema, params
        )
    speed = n_scored / (time.perf_counter() - start)
    logger.info("%d rows scored, %d rejected, %.0f messages/s", n_scored, reasons.total(), speed)
    limit = params.max_rejected_share if args.max_rejected is None else args.max_rejected
    check_rejected(options, n_scored, reasons, limit)


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
