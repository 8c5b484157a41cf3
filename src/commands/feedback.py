"""Review the corrections that users of the service sent, and export them as rows for training.

By hand: python src feedback list
         python src feedback accept 1 2 5
         python src feedback refuse --up-to 9
         python src feedback export --output data/feedback/reviewed.tsv

The store is the one that the environment variable FEEDBACK_URL names, or --url.
"""

import argparse
import json
import logging
import os
import re
import shutil
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.log import run_stage
from core.params import read_params
from core.paths import RAW
from core.terminal import escape_unprintable, exit_on_closed_pipe
from feedback.export import render_corrections, write_export
from feedback.source import read_source
from feedback.store import EXAMPLE, STATUSES, Correction, list_feedback, open_store, review
from records.schema import Schema
from records.validation_params import ValidationParams

# A value that is shown as a part of a row is cut to so many characters.
MAX_VALUE = 60
# Columns whose names need no quotes.
PLAIN_NAME = re.compile(r"[\w.-]+")
# The width where there is no terminal, as in a pipe.
WIDTH = 160

logger = logging.getLogger(__name__)


def show_answer(answer: str | float, probability: float | None = None) -> str:
    """Return a label, with its probability if there is one, or a number."""
    return f"{answer}" if probability is None else f"{answer} ({probability:.6f})"


def format_row(row: dict[str, Any], width: int) -> str:
    """Return the values of a row as JSON, as many columns as fit, and how many more there are."""
    shown = ""
    for place, (column, value) in enumerate(row.items()):
        left = len(row) - place
        more = f"  and {left:,} more columns" if left > 1 else "  and 1 more column"
        name = column if PLAIN_NAME.fullmatch(column) else json.dumps(column, ensure_ascii=False)
        text = json.dumps(value, ensure_ascii=False)
        if len(text) > MAX_VALUE:
            text = f"{text[:MAX_VALUE]}…"
        cell = escape_unprintable(f"{'  ' if shown else ''}{name}={text}")
        # The last column needs no room for what follows it.
        if len(shown) + len(cell) + (len(more) if left > 1 else 0) > width:
            return shown + more if shown else more.strip().removeprefix("and ")
        shown += cell
    return shown


def format_correction(correction: Correction, width: int) -> str:
    """Return the lines that show one correction; those of a row fit ``width``."""
    predicted = show_answer(correction.predicted, correction.probability)
    said = f"{correction.answer}, not {predicted}"
    if correction.answer == correction.predicted:
        said = f"{predicted} is right"
    day = f"{correction.received_at:%Y-%m-%d %H:%M}"
    model = " ".join(filter(None, ("model", correction.model_name, correction.model_version)))
    head = escape_unprintable("  ".join((str(correction.id), day, correction.status, said, model)))
    if isinstance(correction.inputs, str):
        return f"{head}\n    {escape_unprintable(correction.inputs)}"
    return f"{head}\n    {format_row(correction.inputs, width - 4)}"


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
    add_model(command, "every model")
    for name, effect in (("accept", "train on corrections"), ("refuse", "do not train on them")):
        command = commands.add_parser(name, help=effect)
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", nargs="*", type=int, default=[], metavar="ID")
        which.add_argument("--up-to", type=int, metavar="ID", help="all pending ones up to this")
        add_model(command, "every model")
    command = commands.add_parser("export", help="write accepted corrections as rows of the source")
    command.add_argument("--output", type=Path, required=True, help="file to write")
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.add_argument(
        "--raw", type=Path, default=Path(RAW), help=f"file that names the columns ({RAW})"
    )
    add_model(command, "model.name in params.yaml")
    return parser


def add_model(command: argparse.ArgumentParser, usual: str) -> None:
    """Add the option ``--model``."""
    command.add_argument(
        "--model", metavar="NAME", help=f"only corrections of the model with this name ({usual})"
    )


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
        print_corrections(list_feedback(engine, args.status, args.model))
    elif args.command == "export":
        # Here, because listing needs none of the libraries of models.
        from models.description import CardParams

        schema = read_params(args.params, "schema", Schema)
        params = read_params(args.params, "data_validation", ValidationParams)
        source = read_source(args.raw, schema, params)
        name = args.model or read_params(args.params, "model", CardParams).name
        accepted = list_feedback(engine, "accepted", name)
        write_export(*render_corrections(accepted, source), args.output)
    else:
        status = {"accept": "accepted", "refuse": "refused"}[args.command]
        if args.ids and args.model:
            raise UserError("--model does not go with numbers", "leave it out, or use --up-to")
        ids = choose_ids(args.ids, args.up_to, list_feedback(engine, "pending", args.model))
        review(engine, ids, status)
        logger.info("%d corrections %s", len(set(ids)), status)


def print_corrections(corrections: list[Correction]) -> None:
    """Print corrections, or that there are none; the output may be a pipe that is closed early."""
    with exit_on_closed_pipe():
        width = shutil.get_terminal_size((WIDTH, 24)).columns
        shown = [format_correction(correction, width) for correction in corrections]
        print("\n".join(shown) or "no corrections", flush=True)


def run_program() -> None:
    run_stage(main)
