"""Check every row of the raw data: raw -> accepted table, rejected rows, report.

Additions are rows in the source's format without its header. Their row numbers continue after
the source's last line.

By hand: python src/data_validation.py --params params.yaml --input data/raw/source \
    --additions data/raw/additions --output data/interim/rows.parquet \
    --rejected data/interim/rejected.csv --report reports/validation.json
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from core.errors import UserError
from core.files import write_json
from core.log import run_stage, timed
from core.params import read_params
from core.tables import write_csv, write_table
from records.additions import read_added
from records.raw import Record, ValidationParams, check_record, decode, split_records
from records.schema import find_repeated
from text.normalise import normalise_text

QUANTILES = (0, 0.25, 0.5, 0.75, 0.95, 1)
# How many unknown labels an error shows, and how many characters of each.
SHOWN_LABELS = 3
SHOWN_LENGTH = 40

logger = logging.getLogger(__name__)


def parse_source(text: str, params: ValidationParams) -> tuple[list[str], list[Record]]:
    """Split the decoded source into column names and records.

    Raises
    ------
    UserError
        If there is no record, or the header lacks a column or repeats one.
    """
    records = list(split_records(text, params))
    columns = params.columns
    if columns is None:
        columns = list(records.pop(0).fields)
        for column in (params.label_column, params.text_column):
            if column not in columns:
                raise UserError(
                    f"its header {columns} has no column {column!r}",
                    "fix columns, label_column, text_column or separator of data_validation",
                )
        if repeated := find_repeated(columns):
            raise UserError(
                f"its header has the column {repeated!r} more than once", "rename or remove one"
            )
    if not records:
        raise UserError("the file has a header but no rows", "fetch it again")
    return columns, records


def parse_additions(text: str, last: Record, params: ValidationParams) -> list[Record]:
    """Split the decoded additions into records, numbered after the source's last record."""
    n_lines = last.row + last.line.count("\n")
    return [
        replace(record, row=n_lines + record.row, is_added=True)
        for record in split_records(text, params)
    ]


def read_records(
    source: Path, additions: Path, params: ValidationParams
) -> tuple[list[str], list[Record]]:
    """Return the source's column names, and its records followed by those of the additions.

    Raises
    ------
    UserError
        If a file does not have the format that the parameters give; the message names the file.
    """
    path = source
    try:
        columns, records = parse_source(decode(path.read_bytes(), params.encoding), params)
        path = additions
        if raw := read_added(path.read_bytes()):
            records += parse_additions(decode(raw, params.encoding), records[-1], params)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    return columns, records


def strip_labels(
    columns: list[str], records: list[Record], params: ValidationParams
) -> tuple[list[Record], int]:
    """Strip blanks around labels; return the records, and how many were changed."""
    place = columns.index(params.label_column)
    labels = (params.labels.negative, params.labels.positive)
    stripped, n_stripped = [], 0
    for record in records:
        label = record.fields[place] if place < len(record.fields) else ""
        if label not in labels and label.strip() in labels:
            fields = (*record.fields[:place], label.strip(), *record.fields[place + 1 :])
            record = replace(record, fields=fields)
            n_stripped += 1
        stripped.append(record)
    return stripped, n_stripped


def partition_records(
    columns: list[str], records: list[Record], params: ValidationParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Separate valid from rejected records, each rejected one with its reason.

    Records of the source with the same text but different labels contradict each other, and all
    of them are rejected. An added record is a correction of earlier ones, not a contradiction.

    Returns
    -------
    accepted : DataFrame of shape (n_accepted, 4)
        ``label`` (category, negative first), ``text`` as received, ``row``, ``added`` (bool).
    rejected : DataFrame of shape (n_rejected, 4)
        ``row``, ``reason``, ``detail``, ``line``.
    """
    label, text = columns.index(params.label_column), columns.index(params.text_column)
    checked = [check_record(record, label, text, len(columns), params) for record in records]
    labels_of = defaultdict(set)
    keys = [
        "" if reason or record.is_added else normalise_text(record.fields[text])
        for record, (reason, _) in zip(records, checked, strict=True)
    ]
    for record, key in zip(records, keys, strict=True):
        if key:
            labels_of[key].add(record.fields[label])
    accepted, rejected = [], []
    for record, (reason, detail), key in zip(records, checked, keys, strict=True):
        if key and len(labels_of[key]) > 1:
            reason = "same text with both labels"
        if reason:
            line = record.line.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
            rejected.append((record.row, reason, detail, line))
        else:
            fields = record.fields
            accepted.append((fields[label], fields[text], record.row, record.is_added))
    accepted_df = pd.DataFrame(accepted, columns=["label", "text", "row", "added"])
    categories = [params.labels.negative, params.labels.positive]
    accepted_df["label"] = pd.Categorical(accepted_df["label"], categories=categories)
    accepted_df = accepted_df.astype({"text": "str", "row": "int64", "added": "bool"})
    return accepted_df, pd.DataFrame(rejected, columns=["row", "reason", "detail", "line"])


def summarise(accepted: pd.DataFrame, rejected: pd.DataFrame, n_stripped: int) -> dict:
    """Return counts, label shares, quantiles of text length in characters, and reasons.

    ``added`` counts the accepted rows that come from the additions, ``stripped_labels`` the rows
    whose label had blanks around it (``n_stripped``).
    """
    lengths = accepted["text"].str.len()
    counts = accepted["label"].value_counts(sort=False)
    return {
        "read": len(accepted) + len(rejected),
        "accepted": len(accepted),
        "added": int(accepted["added"].sum()),
        "rejected": len(rejected),
        "stripped_labels": n_stripped,
        "reasons": dict(sorted(Counter(rejected["reason"]).items())),
        "labels": {
            label: {"count": int(count), "share": round(count / max(1, len(accepted)), 6)}
            for label, count in counts.items()
        },
        "length": {
            f"q{100 * q:g}": float(np.quantile(lengths, q)) for q in QUANTILES if len(accepted)
        },
    }


def list_unknown_labels(rejected: pd.DataFrame) -> str:
    """Return the most frequent unknown labels with their counts, or ''."""
    counts = Counter(rejected.loc[rejected["reason"] == "unknown label", "detail"])
    shown = ", ".join(
        f"{label[:SHOWN_LENGTH]} in {n}" for label, n in counts.most_common(SHOWN_LABELS)
    )
    return f"; the most frequent unknown labels: {shown}" if shown else ""


def check_limits(report: dict, rejected: pd.DataFrame, params: ValidationParams) -> None:
    """Raise ``UserError`` if too many rows are rejected or a label has too few."""
    unknown = list_unknown_labels(rejected)
    share = report["rejected"] / report["read"]
    if share > params.max_rejected_share:
        reasons = ", ".join(f"{count} with {reason}" for reason, count in report["reasons"].items())
        raise UserError(
            f"{report['rejected']} of {report['read']} rows rejected ({share:.1%}), more than "
            f"data_validation.max_rejected_share ({params.max_rejected_share:.1%}): {reasons}",
            f"fix the rows or the parameters of data_validation{unknown}",
        )
    for label, counted in report["labels"].items():
        if counted["count"] < params.min_rows_per_label:
            raise UserError(
                f"{counted['count']} rows have the label {label!r}, fewer than "
                f"data_validation.min_rows_per_label ({params.min_rows_per_label})",
                f"add such rows or check data_validation.labels{unknown}",
            )


def check_schema(accepted: pd.DataFrame, params: ValidationParams) -> pd.DataFrame:
    """Return the accepted table, or raise ``SchemaError`` if a later stage could not use it."""
    labels = pd.CategoricalDtype([params.labels.negative, params.labels.positive])
    text = pa.Check.str_length(params.min_length, params.max_length)
    schema = pa.DataFrameSchema(
        {
            "label": pa.Column(labels),
            "text": pa.Column("str", text),
            "row": pa.Column("int64", pa.Check.ge(1), unique=True),
            "added": pa.Column("bool"),
        },
        strict=True,
        ordered=True,
    )
    return schema.validate(accepted)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Separate valid from rejected rows.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--input", type=Path, required=True, help="raw data")
    parser.add_argument("--additions", type=Path, required=True, help="additions to the raw data")
    parser.add_argument("--output", type=Path, required=True, help="Parquet of the accepted rows")
    parser.add_argument("--rejected", type=Path, required=True, help="CSV of the rejected rows")
    parser.add_argument("--report", type=Path, required=True, help="JSON of counts")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Validate the files that ``argv`` names."""
    args = build_parser().parse_args(argv)
    params = read_params(args.params, "data_validation", ValidationParams)

    with timed(logger, "parsed %s and %s", args.input, args.additions):
        columns, records = read_records(args.input, args.additions, params)
    with timed(logger, "checked %d rows", len(records)):
        records, n_stripped = strip_labels(columns, records, params)
        accepted, rejected = partition_records(columns, records, params)
    report = summarise(accepted, rejected, n_stripped)
    write_csv(rejected, args.rejected)
    write_json(report, args.report)
    logger.info(
        "%d rows accepted, %d rejected: see %s", len(accepted), len(rejected), args.rejected
    )
    try:
        check_limits(report, rejected, params)
    except UserError as error:
        files = f"{args.input} and {args.additions}" if records[-1].is_added else args.input
        listed = f"; every rejected row is in {args.rejected}" if len(rejected) else ""
        raise UserError(f"{files}: {error.message}", f"{error.fix}{listed}") from error
    write_table(check_schema(accepted, params), args.output)


if __name__ == "__main__":
    run_stage(main)
