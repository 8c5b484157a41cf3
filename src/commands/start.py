"""Write params.yaml for a new data set: look at the data, decide what each column is.

By hand: python src start --data FILE --target COLUMN

Every decision has its evidence as a comment in the file. On a terminal the file is shown and
replaces another one only after a question. A params.yaml with changes that are not committed is
kept as params.yaml.bak.
"""

import argparse
import hashlib
import math
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import yaml

from core.backups import keep_previous
from core.errors import UserError, exit_on_user_error
from core.files import write_text
from core.params import Yaml12Loader, check_section
from core.yaml_text import format_optional, format_value
from records.defaults import (
    choose_branches,
    choose_guards,
    choose_limits,
    choose_model,
    choose_split,
    measure,
)
from records.detection import Found, Layout, detect, read_path
from records.inference import Decision, Inference, infer, keep_a_feature
from records.rehearsal import Rehearsal, find_suspects, note_suspects, rehearse
from records.schema import Schema
from records.splitting import MAX_LINE
from records.validation_params import ValidationParams
from records.value_formats import show

TEMPLATE = Path(__file__).with_name("start.params.yaml")
WIDTH = 100
COMMENT_LENGTH = 110
SHOWN_ROWS = 3
MAX_MEGABYTES = 1000
TIMEOUT = 10
MAX_SCORE = 0.99
NESTED = Decision("drop", "some rows have a list or an object")


def format_comment(text: str) -> str:
    """Return a comment for the end of a line."""
    return f"  # {show(text, COMMENT_LENGTH)}" if text else ""


def format_columns(columns: Mapping[str, str]) -> str:
    """Return a list of columns with the evidence for each, one a line."""
    if not columns:
        return " []"
    return "".join(
        f"\n  - {format_value(name)}{format_comment(why)}" for name, why in columns.items()
    )


def describe_schema(inference: Inference, target: str) -> dict[str, Any]:
    """Return the section ``schema``."""
    lists = ("text", "number", "category", "date", "id", "drop")
    return {
        "task": inference.target.task,
        "target": inference.rename.get(target, target),
        "labels": inference.target.labels,
        "positive": inference.target.positive,
        "ordinal": [],
        **{kind: inference.list_columns(kind) for kind in lists},
    }


def describe_validation(layout: Layout, inference: Inference) -> dict[str, Any]:
    """Return the section ``data_validation`` with limits that every row keeps."""
    style, rename = inference.style, inference.rename
    return {
        "format": layout.format,
        "encoding": layout.encoding,
        "separator": layout.separator,
        "quoting": layout.quoting,
        "columns": layout.columns,
        "rename": [{"column": old, "to": new} for old, new in rename.items()],
        "null_markers": inference.null_markers,
        "decimal": style.decimal,
        "thousands": style.thousands,
        "number_signs": list(style.signs),
        "date_formats": [
            {"column": rename.get(name, name), "format": each.date_format}
            for name, each in inference.columns.items()
            if each.kind == "date" and each.date_format
        ],
        "constraints": [],
        "min_length": 1,
        "max_length": MAX_LINE,
        "max_rejected_share": 1,
        "min_rows_per_label": 1,
        "leakage": {"max_score": MAX_SCORE, "allow": inference.allow},
    }


def rehearse_all(
    raw: bytes, found: Found, inference: Inference, target: str, output: Path
) -> tuple[Inference, Rehearsal, Schema]:
    """Validate the file, and leave out columns that give the target away.

    Raises
    ------
    UserError
        If no schema can describe the columns.
    """
    while True:
        sections = {
            "schema": describe_schema(inference, target),
            "data_validation": describe_validation(found.layout, inference),
        }
        schema = check_section(sections, "schema", Schema, output)
        params = check_section(sections, "data_validation", ValidationParams, output)
        rehearsal = rehearse(raw, schema, params)
        left_out, allowed = find_suspects(rehearsal, schema, inference, MAX_SCORE)
        if not left_out and not allowed:
            return note_suspects(rehearsal, schema, inference), rehearsal, schema
        columns = keep_a_feature({**inference.columns, **left_out}, {})
        allow = [*inference.allow, *allowed]
        inference = replace(inference, columns=columns, allow=allow)


def show_rows(found: Found, source: Any) -> str:
    """Return the first rows as comments."""
    n_rows, n_columns = found.table.shape
    lines = [
        f"# Written by 'python src start' from {n_rows:,} rows and {n_columns} columns of",
        f"# {show(source, WIDTH)}",
        "# Check what it decided; the comments say why. The first rows:",
    ]
    for _, row in found.table.head(SHOWN_ROWS).iterrows():
        values = (
            f"{show(name, 30)}={show(v, 40)}" for name, v in row.items() if isinstance(v, str)
        )
        lines.append(f"#   {show(', '.join(values), WIDTH - 6)}")
    return "\n".join([*lines, ""])


def render(
    found: Found,
    inference: Inference,
    rehearsal: Rehearsal,
    schema: Schema,
    source: Any,
    raw: bytes,
) -> str:
    """Return the content of params.yaml."""
    shape = measure(rehearsal, schema)
    limits, limit_notes = choose_limits(shape)
    split, split_notes = choose_split(rehearsal.rows, schema)
    branches, branch_notes = choose_branches(shape)
    model, model_notes = choose_model(shape)
    notes = limit_notes | split_notes | branch_notes | model_notes | found.layout.evidence
    notes |= inference.evidence | inference.target.evidence | {"duplicates": shape.joined}
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    environment.filters |= {
        "value": format_value,
        "optional": format_optional,
        "comment": format_comment,
        "listed": format_columns,
    }
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        head=show_rows(found, source),
        notes=defaultdict(str, notes),
        schema=schema,
        columns={
            kind: {
                inference.rename.get(name, name): each.evidence
                for name, each in inference.columns.items()
                if each.kind == kind
            }
            for kind in ("text", "number", "category", "date", "id", "drop")
        },
        ingestion={
            "source": source,
            # What a database or an API returns may change from day to day.
            "sha256": hashlib.sha256(raw).hexdigest() if isinstance(source, str) else None,
            "max_megabytes": max(100, math.ceil(len(raw) / 50e6) * 100),
        },
        validation={**describe_validation(found.layout, inference), **limits},
        preprocessing={"duplicates": shape.duplicates, **split},
        branches=branches,
        card=describe_card(source, schema.target),
        model=model,
        guards=choose_guards(shape),
    )


def describe_card(source: Any, target: str) -> dict[str, str]:
    """Return a name for the model, from that of the source, and a sentence about it."""
    stem = Path(urlsplit(source).path).name.split(".")[0] if isinstance(source, str) else ""
    name = re.sub("[^a-z0-9]+", "-", stem.lower()).strip("-0123456789")[:40].strip("-")
    file = Path(urlsplit(source).path).name if name else "the data"
    return {"name": name or "model", "description": show(f"Predicts {target}, from {file}", 200)}


def parse_data(data: str) -> Any:
    """Return a source as params.yaml names it: a path in the checkout relative, others absolute."""
    if data.lstrip().startswith("{"):
        try:
            return yaml.load(data, Loader=Yaml12Loader)
        except yaml.YAMLError as error:
            raise UserError(f"{show(data)!r} is not valid YAML: {error}") from error
    if "://" in data:
        return data
    path = Path(data).resolve()
    root = Path.cwd()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def fetch(source: Any) -> bytes:
    """Return the content of a local file, or of another source that data_ingestion takes.

    Raises
    ------
    UserError
        If it cannot be fetched.
    """
    if isinstance(source, str) and "://" not in source:
        return read_path(Path(source))
    from storage.sources.fetch import fetch_source, parse_source
    from storage.sources.limits import Limits

    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(max_megabytes=MAX_MEGABYTES, timeout=TIMEOUT)
        return fetch_source(parse_source(source), Path(folder), limits).read_bytes()


def may_replace(path: Path, content: str) -> bool:
    """Show a new file on the terminal, and ask whether it may replace another one.

    Raises
    ------
    UserError
        If nobody can be asked.
    """
    if not path.exists():
        return True
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise UserError(f"{path} exists, and nothing was written", "add --yes to replace it")
    print(content)
    try:
        answer = input(f"Replace {path} by this? [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")


def parse_date_formats(options: Sequence[str]) -> dict[str, str]:
    """Return date formats by column from options such as ``sold=%d/%m/%Y``."""
    formats = {}
    for option in options:
        column, _, date_format = option.rpartition("=")
        if not column or "%" not in date_format:
            raise UserError(
                f"--date-format {option!r} is not COLUMN=FORMAT", "write it as sold=%d/%m/%Y"
            )
        formats[column] = date_format
    return formats


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Write params.yaml for a new data set.")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="a path, or any source of data_ingestion"
    )
    parser.add_argument("--target", required=True, metavar="COLUMN", help="what to predict")
    parser.add_argument("--task", choices=["binary", "multiclass", "regression"])
    parser.add_argument("--positive", default="", metavar="LABEL", help="(the rarer label)")
    parser.add_argument(
        "--date-format",
        action="append",
        default=[],
        metavar="COLUMN=FORMAT",
        help="of dates whose day and month cannot be told apart, such as sold=%%d/%%m/%%Y",
    )
    parser.add_argument("--encoding", default="", help="of a text (detected)")
    parser.add_argument(
        "--columns", default="", metavar="A,B,...", help="names for a file without a header"
    )
    parser.add_argument("--output", type=Path, default=Path("params.yaml"), help="(params.yaml)")
    parser.add_argument("--yes", action="store_true", help="replace params.yaml without a question")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the file of parameters for the data that ``argv`` names."""
    args = build_parser().parse_args(argv)
    source = parse_data(args.data)
    raw = fetch(source)
    names = [name.strip() for name in args.columns.split(",")] if args.columns else []
    try:
        found = detect(raw, args.target, names, args.encoding)
        formats = parse_date_formats(args.date_format)
        inference = infer(
            found.table, args.target, found.layout.separator, args.task, args.positive, formats
        )
        nested = dict.fromkeys(set(found.nested) - {args.target}, NESTED)
        columns = keep_a_feature({**inference.columns, **nested}, {})
        inference = replace(inference, columns=columns)
        inference, rehearsal, schema = rehearse_all(raw, found, inference, args.target, args.output)
        content = render(found, inference, rehearsal, schema, source, raw)
    except UserError as error:
        raise UserError(f"{show(args.data, WIDTH)}: {error.message}", error.fix) from error
    if not args.yes and not may_replace(args.output, content):
        print("nothing was written")
        return
    kept = keep_previous(args.output, content) if args.output.exists() else ""
    write_text(content, args.output)
    print(f"{args.output} written{f'; {kept}' if kept else ''}")
    print("look at it, then run make repro")


def run_program() -> None:
    with exit_on_user_error("start"):
        main()
