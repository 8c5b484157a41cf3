"""Tell what the model makes of a message, or of each message of a file.

By hand: python src predict "WINNER! Claim your prize, call 09061701461"
         python src predict --input messages.csv --output scored.csv
         python src predict --input - --output - --format jsonl < messages.jsonl
"""

import core.interrupts  # noqa: F401  (first: see there)

import argparse
import csv
import hashlib
import logging
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType

import numpy as np
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from core.errors import UserError
from core.files import atomic_path
from core.log import run_stage
from core.params import read_params
from core.terminal import escape_unprintable, exit_on_closed_pipe
from models.explanation import Explanation, explain
from models.scoring import check_labels, name_version, score_chunks, score_texts
from models.self_test import check_code
from models.store import parse_model, read_model_file
from models.threshold import choose_threshold
from records.chunks import Rejection, inspect_text
from records.files import (
    STREAM,
    SUFFIXES,
    choose_format,
    create_text,
    is_packed,
    open_source,
    open_target,
    unpacked_name,
)
from records.schema import FileParams, Labels, check_encoding

MODEL = Path("models/model.skops")
ADDED = ("label", "probability", "model_version")
TELLING_WORDS = 8
# What a shell reports of a program that a signal ended: this and its number.
SIGNALLED = 128
BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
COUNTER = "{elapsed}{postfix}"

logger = logging.getLogger(__name__)


class NothingScoredError(Exception):
    """All rows of a file were rejected."""


def describe(
    probability: float, threshold: float, labels: Labels, explanation: Explanation | None
) -> Iterator[str]:
    """Yield the lines that tell what the model makes of one message."""
    label = labels.positive if probability >= threshold else labels.negative
    yield f"label        {label}"
    yield f"probability  {probability:.6f} of {labels.positive}, which it is from {threshold:g}"
    if explanation is None:
        yield "words        cannot be told: this kind of model has no weights for them"
        return
    sums: dict[str, float] = defaultdict(float)
    for word, contribution in explanation.words:
        sums[word] += contribution
    ranked = sorted(sums, key=lambda word: -abs(sums[word]))
    for name, sign in (("for", 1), ("against", -1)):
        telling = [word for word in ranked if round(sign * sums[word], 2) > 0][:TELLING_WORDS]
        shown = map(escape_unprintable, telling)
        words = ", ".join(
            f"{word} {sums[of]:+.2f}" for word, of in zip(shown, telling, strict=True)
        )
        yield f"{name:7} {labels.positive:4} {words or 'no word'}"


def predict_message(text: str, model: Pipeline, threshold: float, labels: Labels) -> None:
    """Print label, probability and telling words of one message.

    Raises
    ------
    UserError
        If there is no text.
    """
    fault, detail = inspect_text(text)
    if fault:
        more = f" ({detail})" if detail else ""
        raise UserError(f"the message cannot be scored: {fault}{more}")
    probability = score_texts(model, labels.positive, [text])[0]
    explanation = explain(model, labels.positive, text)
    print("\n".join(describe(probability, threshold, labels, explanation)), flush=True)


@contextmanager
def open_rejected(path: Path | None, compress: bool) -> Iterator[Callable[[Rejection], object]]:
    """Give a function that writes rejected rows to a CSV file, or warns of them."""
    if path is None:
        yield lambda row: logger.warning("line %d rejected: %s %s", *row)
        return
    with create_text(path, compress) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Rejection._fields)
        yield writer.writerow


def check_paths(source: Path, target: Path, rejected: Path | None) -> None:
    """Raise ``UserError`` if a file would be written in place of another, or of no file at all."""
    named = [path for path in (source, target, rejected) if path not in (None, STREAM)]
    if len({path.resolve() for path in named if path}) < len(named):
        raise UserError("--input, --output and --rejected must be different files")
    for path in (target, rejected):
        if path not in (None, STREAM) and path.exists() and not path.is_file():
            raise UserError(f"{path} is there and is no file: write to another, or to '-'")
        # DVC links to the files of its cache, which must stay as they are.
        if path and path.is_symlink() and path.exists() and not path.stat().st_mode & 0o222:
            raise UserError(f"{path} is a link to a read-only file: remove the link")


def name_rejects(args: argparse.Namespace) -> Path | None:
    """Return the file that rejected rows go to; None if they are warned of instead."""
    if args.rejected or args.output == STREAM:
        return args.rejected
    return unpacked_name(args.output).with_suffix(".rejected.csv")


def check_share(
    args: argparse.Namespace, n_scored: int, reasons: Counter[str], limit: float
) -> None:
    """Raise ``UserError`` if no row could be scored, or too many are rejected."""
    n_rejected = reasons.total()
    if not n_rejected:
        return
    source = "standard input" if args.input == STREAM else args.input
    rejects = name_rejects(args)
    (reason, count), *_ = reasons.most_common(1)
    where = f"see {rejects}" if rejects else "each is named above"
    found = f"most often for {reason} ({count}): {where}"
    if not n_scored:
        raise UserError(f"no row of {source} could be scored, {found}; check --text-column")
    n_rows = n_scored + n_rejected
    if n_rejected / n_rows > limit:
        raise UserError(
            f"{n_rejected} of {n_rows} rows of {source} rejected, more than {limit:.1%}, "
            f"{found}; if that is right, run it again with --max-rejected 1"
        )


def choose_encoding(kind: str, chosen: str | None, usual: str) -> str:
    """Return the input's encoding: the chosen one, else that of the training data.

    Raises
    ------
    UserError
        If Python does not know the chosen one, or the format has none to choose.
    """
    if chosen is None:
        # The standard of JSON knows no other, RFC 8259.
        return "utf-8" if kind == "jsonl" else usual
    if kind == "parquet":
        raise UserError("Parquet says itself how its text is encoded: leave out --encoding")
    try:
        return check_encoding(chosen)
    except ValueError as error:
        raise UserError(f"--encoding is {chosen!r}: {error}") from error


def check_streams(args: argparse.Namespace) -> None:
    """Raise ``UserError`` if a standard stream that is read or written is closed."""
    if args.input == STREAM and sys.stdin is None:
        raise UserError("standard input is closed: open it, or name a file with --input")
    if args.output == STREAM and sys.stdout is None:
        raise UserError("standard output is closed: open it, or name a file with --output")
    if args.text is not None and sys.stdout is None:
        raise UserError("standard output is closed: open it to see the result")


def predict_file(
    args: argparse.Namespace,
    model: Pipeline,
    content: bytes,
    threshold: float,
    params: FileParams,
) -> tuple[int, Counter[str]]:
    """Score the messages of a file; return how many were, and the reasons of rejected rows."""
    kind = choose_format(args.input, args.output, args.format)
    encoding = choose_encoding(kind, args.encoding, params.encoding)
    is_stream = args.output == STREAM
    rejected = name_rejects(args)
    check_paths(args.input, args.output, rejected)
    added = [args.prefix + name for name in ADDED]
    version, positive = name_version(content), params.labels.positive
    n_scored, reasons = 0, Counter[str]()
    with ExitStack() as stack:
        enter = stack.enter_context
        column = args.text_column or params.text_column
        source = enter(open_source(args.input, kind, column, added, encoding))
        rejects = enter(atomic_path(rejected.resolve())) if rejected else None
        # The old output stays then, and the rejected rows are written, which say why.
        enter(suppress(NothingScoredError))
        output = enter(nullcontext(STREAM) if is_stream else atomic_path(args.output.resolve()))
        # Opened after both have a name, so that both are whole before one gets it; the output
        # first, so that it is named if there is no room for either.
        write = enter(open_target(output, kind, source.header, added, is_packed(args.output)))
        reject = enter(open_rejected(rejects, rejected is not None and is_packed(rejected)))
        bar = enter(
            tqdm(total=source.size, disable=None, bar_format=BAR if source.size else COUNTER)
        )
        for chunk, found in score_chunks(
            source.chunks, model, content, args.model, positive, args.jobs
        ):
            labels = np.where(found >= threshold, positive, params.labels.negative)
            write(chunk.rows, [labels.tolist(), found.tolist(), [version] * len(found)])
            for row in chunk.rejected:
                reject(row)
            n_scored += len(found)
            reasons.update(row.reason for row in chunk.rejected)
            bar.set_postfix_str(f"{n_scored:,} messages", refresh=False)
            bar.update(source.tell() - bar.n)
        if reasons and not n_scored:
            raise NothingScoredError
    return n_scored, reasons


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Tell the label of a message, or of many.")
    parser.add_argument("text", nargs="?", help="one message")
    parser.add_argument(
        "--input", type=Path, help="file of messages, or gzip of one; '-' for standard input"
    )
    parser.add_argument(
        "--output", type=Path, help="file to write, as gzip if named .gz; '-' for standard output"
    )
    parser.add_argument(
        "--rejected", type=Path, help="CSV of rows not scored (OUTPUT.rejected.csv)"
    )
    parser.add_argument(
        "--max-rejected",
        type=float,
        help="share of rows; above it the status is 1 (params.yaml's max_rejected_share)",
    )
    kinds = sorted(set(SUFFIXES.values()))
    parser.add_argument("--format", choices=kinds, help="of both files (what their suffixes say)")
    parser.add_argument(
        "--encoding", help="of the input (params.yaml's encoding; JSON lines: utf-8)"
    )
    parser.add_argument("--text-column", help="holds the messages (params.yaml's text_column)")
    parser.add_argument("--prefix", default="", help="of the added columns' names")
    point = parser.add_mutually_exclusive_group()
    point.add_argument("--threshold", type=float, help="of probability (what params.yaml says)")
    point.add_argument("--max-fpr", type=float, help="or the false-positive rate it may have")
    parser.add_argument("--jobs", type=int, default=1, help="processes that score")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument(
        "--allow-changed-code", action="store_true", help="use a model of other code all the same"
    )
    parser.add_argument(
        "--points", type=Path, help="operating points of the model for --max-fpr (beside it)"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Predict what ``argv`` names."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if (args.text is None) == (args.input is None) or (args.input is None) != (args.output is None):
        parser.error("give one message, or --input and --output")
    check_streams(args)
    if args.jobs < 1:
        raise UserError(f"--jobs is {args.jobs}: give 1 or more")
    if args.max_rejected is not None and not 0 <= args.max_rejected <= 1:
        raise UserError(f"--max-rejected is {args.max_rejected:g}: give a number from 0 to 1")
    if not args.prefix.isprintable():
        raise UserError(f"--prefix is {args.prefix!r}: give printable characters")
    params = read_params(args.params, "data_validation", FileParams)
    content = read_model_file(args.model)
    model = parse_model(content, args.model)
    digest = hashlib.sha256(content).hexdigest()
    threshold = choose_threshold(
        args.threshold, args.max_fpr, args.points, args.model, digest, args.params
    )
    check_labels(model, [params.labels.negative, params.labels.positive], args.model)
    check_code(model, args.model, args.allow_changed_code)
    with exit_on_closed_pipe():
        if args.text is not None:
            predict_message(args.text, model, threshold, params.labels)
            return
        start = time.perf_counter()
        n_scored, reasons = predict_file(args, model, content, threshold, params)
    speed = n_scored / (time.perf_counter() - start)
    logger.info("%d rows scored, %d rejected, %.0f messages/s", n_scored, reasons.total(), speed)
    limit = params.max_rejected_share if args.max_rejected is None else args.max_rejected
    check_share(args, n_scored, reasons, limit)


def interrupt(number: int, _: FrameType | None) -> None:
    """Leave what is under way, in order; a second signal ends the process at once."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    raise KeyboardInterrupt(number)


def run_program() -> None:
    """Run as a program, which signals end in one line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # What started it in the background may have it ignore interrupts.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        run_stage(main)
    except KeyboardInterrupt as stop:
        number = stop.args[0]
        logger.error("stopped by %s before the end", signal.Signals(number).name)
        sys.exit(SIGNALLED + number)
