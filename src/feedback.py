"""Review the corrections that users of the service sent, and export them as rows for training.

By hand: python src/feedback.py list
         python src/feedback.py accept 1 2 5
         python src/feedback.py refuse --up-to 9
         python src/feedback.py export --output data/feedback/reviewed.tsv

The store is the one that the environment variable FEEDBACK_URL names, or --url.
"""

import common.startup  # noqa: F401  (first: see there)

import argparse
import csv
import hashlib
import io
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from common.feedback_store import (
    EXAMPLE,
    STATUSES,
    Correction,
    list_feedback,
    open_store,
    review,
)
from common.files import atomic_path
from common.log import run_stage
from common.params import read_params
from common.text import normalise_text
from data_validation import (
    ValidationParams,
    decode,
    find_fault,
    split_records,
)

RAW = Path("data/raw/messages.tsv")
# What a shell reports of a program that writes into a closed pipe: 128 + SIGPIPE.
CLOSED_PIPE = 141

logger = logging.getLogger(__name__)


def escape(text: str) -> str:
    """Return ``text`` with what cannot be printed as an escape: a terminal would obey it."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def describe(correction: Correction) -> str:
    """Return the lines that tell of one correction."""
    predicted = f"{correction.predicted_label} ({correction.probability:.6f})"
    said = f"{correction.label}, not {predicted}"
    if correction.label == correction.predicted_label:
        said = f"{predicted} is right"
    day = f"{correction.received_at:%Y-%m-%d %H:%M}"
    head = (str(correction.id), day, correction.status, said, f"model {correction.model_version}")
    return f"{escape('  '.join(head))}\n    {escape(correction.text)}"


def choose_ids(numbers: list[int], up_to: int | None, pending: list[Correction]) -> list[int]:
    """Return the named numbers, or those of the pending corrections up to one."""
    if up_to is None:
        return numbers
    return [correction.id for correction in pending if correction.id <= up_to]


def read_columns(raw: Path, params: ValidationParams) -> list[str]:
    """Return the names of the source's columns: the parameters', or else the header's.

    Raises
    ------
    FileNotFoundError
        If there is no such file, and its header is needed.
    ValueError
        If the header lacks a column.
    """
    if params.columns is not None:
        return params.columns
    if not raw.is_file():
        raise FileNotFoundError(
            f"{raw} does not exist, its header names the columns: run 'dvc repro', or name the "
            "file with --raw"
        )
    try:
        columns = next(split_records(decode(raw.read_bytes(), params.encoding), params)).fields
    except ValueError as error:
        raise ValueError(f"{raw}: {error}") from error
    for column in (params.label_column, params.text_column):
        if column not in columns:
            raise ValueError(f"{raw}: its header {list(columns)} has no column {column!r}")
    return list(columns)


def keep_newest(corrections: Iterable[Correction]) -> list[Correction]:
    """Return the newest correction of each distinct normalised text, oldest first."""
    newest = {normalise_text(correction.text): correction for correction in corrections}
    return sorted(newest.values(), key=lambda correction: correction.id)


def write_row(fields: list[str], params: ValidationParams) -> str:
    """Return the line of one row, with its end."""
    if not params.quoting:
        return params.separator.join(fields) + "\n"
    line = io.StringIO()
    csv.writer(line, delimiter=params.separator, lineterminator="\n").writerow(fields)
    return line.getvalue()


def render(
    correction: Correction, columns: list[str], params: ValidationParams
) -> tuple[bytes, str]:
    """Return a correction as a row of the source, and why the validation would reject it, or ''.

    White space becomes single blanks, as it does in preprocessing.
    """
    label, text = columns.index(params.label_column), columns.index(params.text_column)
    fields = [""] * len(columns)
    fields[label] = correction.label
    fields[text] = " ".join(correction.text.split())
    line = write_row(fields, params)
    record = next(split_records(line, params))
    reason, detail = find_fault(record, label, text, len(columns), params)
    if not reason and record.fields != tuple(fields):
        reason = "cannot be written in this format"
    try:
        return line.encode(params.encoding), f"{reason} {detail}".strip()
    except UnicodeEncodeError:
        return b"", f"not in {params.encoding}"


def export(
    corrections: list[Correction], columns: list[str], params: ValidationParams
) -> tuple[bytes, int]:
    """Return rows of corrections in the source's format, without header, and how many.

    Of one text the newest correction counts; those that the validation would reject are left out,
    with a warning.

    Raises
    ------
    ValueError
        If no row is left.
    """
    newest = keep_newest(corrections)
    if n_older := len(corrections) - len(newest):
        logger.info("%d older corrections of the same texts left out", n_older)
    rows = []
    for correction in newest:
        row, fault = render(correction, columns, params)
        if fault:
            logger.warning("correction %d left out: %s", correction.id, escape(fault))
        else:
            rows.append(row)
    if not rows:
        raise ValueError(
            f"there is nothing to export, {len(corrections)} corrections are accepted: "
            "see 'list --status pending', then 'accept' those that are right"
        )
    return b"".join(rows), len(rows)


def check_encoding(params: ValidationParams) -> ValidationParams:
    """Return parameters whose encoding rows can be appended in.

    Raises
    ------
    ValueError
        If lines do not end in one byte.
    """
    if params.encoding == "utf-8-sig":
        # Its mark belongs at the start of the source alone.
        return params.model_copy(update={"encoding": "utf-8"})
    if "\n".encode(params.encoding) != b"\n":
        raise ValueError(
            f"nothing can be added to a source in {params.encoding} (data_validation.encoding): "
            "convert it to utf-8"
        )
    return params


def write_export(content: bytes, n_rows: int, output: Path) -> None:
    """Write exported rows, and print what has to stand in params.yaml to use them."""
    with atomic_path(output) as temporary:
        temporary.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    entry = yaml.safe_dump(
        [{"source": output.as_posix(), "sha256": digest}], sort_keys=False, allow_unicode=True
    )
    print(f"{escape(str(output))}: {n_rows} rows, SHA-256 {digest}")
    print("To train on them, put this into params.yaml under data_ingestion, then 'dvc repro'.")
    print("Git does not keep the file: for others, name a place that they can reach, too.\n")
    print("  additions:")
    for line in entry.splitlines():
        print(f"  {line}")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Review and export users' corrections.")
    parser.add_argument("--url", help="SQLAlchemy URL of the store (environment: FEEDBACK_URL)")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("list", help="print the corrections, oldest first")
    command.add_argument("--status", choices=STATUSES, help="only these")
    for name, effect in (("accept", "train on corrections"), ("refuse", "do not train on them")):
        command = commands.add_parser(name, help=effect)
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", nargs="*", type=int, default=[], metavar="ID")
        which.add_argument("--up-to", type=int, metavar="ID", help="every pending one up to this")
    command = commands.add_parser("export", help="write the accepted ones as rows of the source")
    command.add_argument("--output", type=Path, required=True, help="file to write")
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.add_argument("--raw", type=Path, default=RAW, help=f"names the columns ({RAW})")
    return parser


def main(argv: list[str] | None = None) -> None:
    """List, review or export, as ``argv`` says.

    Raises
    ------
    ValueError
        If no store is named.
    """
    args = build_parser().parse_args(argv)
    url = args.url or os.environ.get("FEEDBACK_URL")
    if not url:
        raise ValueError(f"no feedback store is named: set FEEDBACK_URL or --url, as in {EXAMPLE}")
    engine = open_store(url, is_made=False)
    if args.command == "list":
        print_corrections(list_feedback(engine, args.status))
    elif args.command == "export":
        params = check_encoding(read_params(args.params, "data_validation", ValidationParams))
        columns = read_columns(args.raw, params)
        write_export(*export(list_feedback(engine, "accepted"), columns, params), args.output)
    else:
        status = {"accept": "accepted", "refuse": "refused"}[args.command]
        ids = choose_ids(args.ids, args.up_to, list_feedback(engine, "pending"))
        review(engine, ids, status)
        logger.info("%d corrections %s", len(set(ids)), status)


def print_corrections(corrections: list[Correction]) -> None:
    """Print corrections, or that there are none; a reader may stop reading."""
    try:
        print("\n".join(map(describe, corrections)) or "no correction", flush=True)
    except BrokenPipeError:
        # What could not be written is not to be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(CLOSED_PIPE)


if __name__ == "__main__":
    run_stage(main)
