"""Review the corrections that users of the service sent, and export them as rows for training.

By hand: python src feedback list
         python src feedback accept 1 2 5
         python src feedback refuse --up-to 9
         python src feedback export --output data/feedback/reviewed.tsv

The store is the one that the environment variable FEEDBACK_URL names, or --url.
"""

import argparse
import logging
import os
from pathlib import Path

from core.errors import UserError
from core.log import run_stage
from core.params import read_params
from core.paths import RAW
from core.terminal import escape_unprintable, exit_on_closed_pipe
from feedback.export import check_encoding, read_columns, render_corrections, write_export
from feedback.store import EXAMPLE, STATUSES, Correction, list_feedback, open_store, review
from records.schema import read_message_schema
from records.validation_params import ValidationParams

logger = logging.getLogger(__name__)


def format_correction(correction: Correction) -> str:
    """Return the lines that show one correction."""
    predicted = f"{correction.predicted} ({correction.probability:.6f})"
    said = f"{correction.answer}, not {predicted}"
    if correction.answer == correction.predicted:
        said = f"{predicted} is right"
    day = f"{correction.received_at:%Y-%m-%d %H:%M}"
    head = (str(correction.id), day, correction.status, said, f"model {correction.model_version}")
    return (
        f"{escape_unprintable('  '.join(head))}\n    {escape_unprintable(str(correction.inputs))}"
    )


def choose_ids(numbers: list[int], up_to: int | None, pending: list[Correction]) -> list[int]:
    """Return ``numbers``, or those of all pending corrections up to one."""
    if up_to is None:
        return numbers
    return [correction.id for correction in pending if correction.id <= up_to]


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Review and export users' corrections.")
    parser.add_argument("--url", help="SQLAlchemy URL of the store (environment: FEEDBACK_URL)")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("list", help="print the corrections, oldest first")
    command.add_argument("--status", choices=STATUSES, help="print only these")
    for name, effect in (("accept", "train on corrections"), ("refuse", "do not train on them")):
        command = commands.add_parser(name, help=effect)
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", nargs="*", type=int, default=[], metavar="ID")
        which.add_argument("--up-to", type=int, metavar="ID", help="all pending ones up to this")
    command = commands.add_parser("export", help="write accepted corrections as rows of the source")
    command.add_argument("--output", type=Path, required=True, help="file to write")
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.add_argument(
        "--raw", type=Path, default=Path(RAW), help=f"file whose header names the columns ({RAW})"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """List, review or export, as ``argv`` says.

    Raises
    ------
    UserError
        If no store is named.
    """
    args = build_parser().parse_args(argv)
    url = args.url or os.environ.get("FEEDBACK_URL")
    if not url:
        raise UserError("no feedback store is named", f"set FEEDBACK_URL or --url, as in {EXAMPLE}")
    engine = open_store(url, may_create=False)
    if args.command == "list":
        print_corrections(list_feedback(engine, args.status))
    elif args.command == "export":
        schema = read_message_schema(args.params)
        params = check_encoding(read_params(args.params, "data_validation", ValidationParams))
        columns = read_columns(args.raw, schema, params)
        accepted = list_feedback(engine, "accepted")
        write_export(*render_corrections(accepted, columns, schema, params), args.output)
    else:
        status = {"accept": "accepted", "refuse": "refused"}[args.command]
        ids = choose_ids(args.ids, args.up_to, list_feedback(engine, "pending"))
        review(engine, ids, status)
        logger.info("%d corrections %s", len(set(ids)), status)


def print_corrections(corrections: list[Correction]) -> None:
    """Print corrections, or that there are none; the output may be a pipe that is closed early."""
    with exit_on_closed_pipe():
        print("\n".join(map(format_correction, corrections)) or "no corrections", flush=True)


def run_program() -> None:
    run_stage(main)
