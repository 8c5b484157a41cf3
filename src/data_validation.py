"""Check every row of the raw data: raw -> accepted table, rejected rows, report.

Additions are rows in the source's format without its header. Their numbers go on after the
source's last line.

By hand: python src/data_validation.py --params params.yaml --input data/raw/messages.tsv \
    --additions data/raw/additions.tsv --output data/interim/messages.parquet \
    --rejected data/interim/rejected.csv --report reports/validation.json
"""

import common.startup  # noqa: F401  (first: see there)

import argparse
import codecs
import csv
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pydantic import Field, PositiveInt, field_validator, model_validator

from common.data_params import Labels
from common.files import write_json
from common.log import run_stage, timed
from common.params import Params, read_params
from common.tables import write_csv, write_table
from common.text import normalise_text

# Tells text from binary files: real text has next to none of these characters.
MAX_UNREADABLE_SHARE = 0.1
UNREADABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\udc80-\udcff]")
QUANTILES = (0, 0.25, 0.5, 0.75, 0.95, 1)

logger = logging.getLogger(__name__)


class ValidationParams(Params):
    """What ``params.yaml`` says the raw data must be."""

    encoding: str
    separator: str = Field(min_length=1, max_length=1)
    quoting: bool
    columns: list[str] | None
    label_column: str
    text_column: str
    labels: Labels
    min_length: PositiveInt
    max_length: PositiveInt
    max_rejected_share: float = Field(ge=0, le=1)
    min_rows_per_label: PositiveInt

    @field_validator("encoding")
    @classmethod
    def encoding_is_known(cls, name: str) -> str:
        """Return the encoding's own name."""
        try:
            return codecs.lookup(name).name
        except LookupError as error:
            raise ValueError("Python knows no such encoding") from error

    @model_validator(mode="after")
    def columns_are_named(self) -> "ValidationParams":
        """Raise ``ValueError`` if the columns or labels contradict one another."""
        for column in (self.label_column, self.text_column):
            if self.columns is not None and column not in self.columns:
                raise ValueError(f"columns lacks {column!r}")
        if self.labels.negative == self.labels.positive:
            raise ValueError("labels.negative and labels.positive are the same")
        if self.min_length > self.max_length:
            raise ValueError("min_length is above max_length")
        return self


@dataclass(frozen=True)
class Record:
    """One record: its first line's number, counted from 1, and what it holds."""

    row: int
    line: str
    fields: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""
    is_added: bool = False


def decode(raw: bytes, encoding: str) -> str:
    """Decode a file; bytes that are not in ``encoding`` become lone surrogates (PEP 383).

    Raises
    ------
    ValueError
        If the file is empty, binary, or in UTF-16 against expectation.
    """
    if not raw.strip():
        raise ValueError("the file is empty: fetch it again")
    if not encoding.startswith(("utf-16", "utf-32")) and looks_like_utf16(raw):
        raise ValueError(
            f"the file is in UTF-16, not in {encoding}: set data_validation.encoding to utf-16"
        )
    try:
        text = raw.decode("utf-8-sig" if encoding == "utf-8" else encoding, "surrogateescape")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the file is not in {encoding} ({error.reason} at byte {error.start}): "
            "set data_validation.encoding to what it is"
        ) from error
    unreadable = len(UNREADABLE.findall(text)) / max(1, len(text))
    if unreadable > MAX_UNREADABLE_SHARE:
        raise ValueError(
            f"the file is binary or not in {encoding}, {unreadable:.0%} of its characters are no "
            "text: check the source, or set data_validation.encoding"
        )
    return text


def looks_like_utf16(raw: bytes) -> bool:
    """Tell whether bytes start with UTF-16's mark, or every second one is mostly zero."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    sample = raw[: 1 << 16]
    even, odd = sample[::2], sample[1::2]
    zeros = sorted((even.count(0) / max(1, len(even)), odd.count(0) / max(1, len(odd))))
    return zeros[0] < 0.1 and zeros[1] > 0.4


def split_plain(text: str, separator: str) -> Iterator[Record]:
    """Yield a record for each line of a file without quoting."""
    for row, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        line = line.removesuffix("\r")
        yield Record(row, line, tuple(line.split(separator)))


def split_quoted(text: str, separator: str, labels: Labels) -> Iterator[Record]:
    """Yield a record for each record of a file with quoting (RFC 4180).

    A record whose quoting is broken, or swallows lines that look like records, gets a reason.
    """
    lines = text.removesuffix("\n").split("\n")
    swallowed = re.compile(
        rf"\n({re.escape(labels.negative)}|{re.escape(labels.positive)}){re.escape(separator)}"
    )
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, strict=True)
    while True:
        start = reader.line_num
        record = Record(start + 1, "")
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            record = replace(record, reason="broken quoting", detail=str(error))
        else:
            record = replace(record, fields=tuple(fields))
        line = "\n".join(lines[start : reader.line_num]).removesuffix("\r")
        if any(swallowed.search(field) for field in record.fields):
            record = replace(record, reason="quotes swallow lines")
        yield replace(record, line=line)


def split_records(text: str, params: ValidationParams) -> Iterator[Record]:
    """Yield a record for each line, or for each that quoting makes of several."""
    if params.quoting:
        return split_quoted(text, params.separator, params.labels)
    return split_plain(text, params.separator)


def parse(text: str, params: ValidationParams) -> tuple[list[str], list[Record]]:
    """Split a decoded file into column names and records.

    Raises
    ------
    ValueError
        If there is no record, or the header lacks a column.
    """
    records = list(split_records(text, params))
    columns = params.columns
    if columns is None:
        columns = list(records.pop(0).fields)
        for column in (params.label_column, params.text_column):
            if column not in columns:
                raise ValueError(
                    f"its header {columns} has no column {column!r}: mend data_validation's "
                    "columns, label_column, text_column or separator"
                )
    if not records:
        raise ValueError("the file has a header but no rows: fetch it again")
    return columns, records


def parse_additions(text: str, last: Record, params: ValidationParams) -> list[Record]:
    """Split decoded additions into records, numbered on from the source's last one."""
    n_lines = last.row + last.line.count("\n")
    return [
        replace(record, row=n_lines + record.row, is_added=True)
        for record in split_records(text, params)
    ]


def read_records(
    source: Path, additions: Path, params: ValidationParams
) -> tuple[list[str], list[Record]]:
    """Return the source's column names, and its records before those of the additions.

    Raises
    ------
    ValueError
        If a file is not what the parameters say; the message names it.
    """
    path = source
    try:
        columns, records = parse(decode(path.read_bytes(), params.encoding), params)
        path = additions
        if raw := path.read_bytes():
            records += parse_additions(decode(raw, params.encoding), records[-1], params)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return columns, records


def find_fault(
    record: Record, label: int, text: int, n_columns: int, params: ValidationParams
) -> tuple[str, str]:
    """Return why a record cannot be accepted, and its particulars; ('', '') if it can.

    ``label`` and ``text`` are the positions of these columns among ``n_columns``.
    """
    if record.reason:
        return record.reason, record.detail
    if any("\udc80" <= character <= "\udcff" for character in record.line):
        return "undecodable bytes", f"not {params.encoding}"
    if "\x00" in record.line:
        return "NUL character", ""
    if len(record.fields) != n_columns:
        return "wrong number of fields", f"{len(record.fields)}, expected {n_columns}"
    if record.fields[label] not in (params.labels.negative, params.labels.positive):
        return "unknown label", repr(record.fields[label])
    length = len(record.fields[text])
    if not record.fields[text].strip():
        return "empty text", ""
    if length < params.min_length:
        return "text too short", f"{length} characters, at least {params.min_length}"
    if length > params.max_length:
        return "text too long", f"{length} characters, at most {params.max_length}"
    return "", ""


def sort_records(
    columns: list[str], records: list[Record], params: ValidationParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the records into those that keep the contract and those that do not.

    Two records of the source with one text and two labels contradict each other. An added one
    corrects what came before.

    Returns
    -------
    accepted : DataFrame of shape (n_accepted, 4)
        ``label`` (category, negative first), ``text`` as received, ``row``, ``added``.
    rejected : DataFrame of shape (n_rejected, 4)
        ``row``, ``reason``, ``detail``, ``line``.
    """
    label, text = columns.index(params.label_column), columns.index(params.text_column)
    faults = [find_fault(record, label, text, len(columns), params) for record in records]
    labels_of = defaultdict(set)
    keys = [
        "" if reason or record.is_added else normalise_text(record.fields[text])
        for record, (reason, _) in zip(records, faults, strict=True)
    ]
    for record, key in zip(records, keys, strict=True):
        if key:
            labels_of[key].add(record.fields[label])
    accepted, rejected = [], []
    for record, (reason, detail), key in zip(records, faults, keys, strict=True):
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


def summarise(accepted: pd.DataFrame, rejected: pd.DataFrame) -> dict:
    """Return counts, label shares, quantiles of text length in characters, and reasons.

    ``added`` counts those of the accepted rows that come from the additions.
    """
    lengths = accepted["text"].str.len()
    counts = accepted["label"].value_counts(sort=False)
    return {
        "read": len(accepted) + len(rejected),
        "accepted": len(accepted),
        "added": int(accepted["added"].sum()),
        "rejected": len(rejected),
        "reasons": dict(sorted(Counter(rejected["reason"]).items())),
        "labels": {
            label: {"count": int(count), "share": round(count / max(1, len(accepted)), 6)}
            for label, count in counts.items()
        },
        "length": {
            f"q{100 * q:g}": float(np.quantile(lengths, q)) for q in QUANTILES if len(accepted)
        },
    }


def check_limits(report: dict, params: ValidationParams) -> None:
    """Raise ``ValueError`` if too many rows are rejected or a label has too few."""
    share = report["rejected"] / report["read"]
    if share > params.max_rejected_share:
        reasons = ", ".join(f"{count} with {reason}" for reason, count in report["reasons"].items())
        raise ValueError(
            f"{report['rejected']} of {report['read']} rows rejected ({share:.1%}), more than the "
            f"{params.max_rejected_share:.1%} of data_validation.max_rejected_share: {reasons}"
        )
    for label, counted in report["labels"].items():
        if counted["count"] < params.min_rows_per_label:
            raise ValueError(
                f"{counted['count']} rows have the label {label!r}, fewer than "
                f"data_validation.min_rows_per_label ({params.min_rows_per_label}): "
                "add such rows or check data_validation.labels"
            )


def check_schema(accepted: pd.DataFrame, params: ValidationParams) -> pd.DataFrame:
    """Return the accepted table if it is what the next stages rely on, else raise SchemaError."""
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


def main(argv: list[str] | None = None) -> None:
    """Validate the file that ``argv`` names as the parameters say."""
    parser = argparse.ArgumentParser(description="Part valid rows from invalid ones.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--input", type=Path, required=True, help="raw data")
    parser.add_argument("--additions", type=Path, required=True, help="more rows, or an empty file")
    parser.add_argument("--output", type=Path, required=True, help="Parquet of the accepted rows")
    parser.add_argument("--rejected", type=Path, required=True, help="CSV of the rejected rows")
    parser.add_argument("--report", type=Path, required=True, help="JSON of counts")
    args = parser.parse_args(argv)
    params = read_params(args.params, "data_validation", ValidationParams)

    with timed(logger, "parsed %s and %s", args.input, args.additions):
        columns, records = read_records(args.input, args.additions, params)
    with timed(logger, "checked %d rows", len(records)):
        accepted, rejected = sort_records(columns, records, params)
    report = summarise(accepted, rejected)
    write_csv(rejected, args.rejected)
    write_json(report, args.report)
    logger.info(
        "%d rows accepted, %d rejected: see %s", len(accepted), len(rejected), args.rejected
    )
    try:
        check_limits(report, params)
    except ValueError as error:
        files = f"{args.input} and {args.additions}" if records[-1].is_added else args.input
        raise ValueError(f"{files}: {error}; every one is in {args.rejected}") from error
    write_table(check_schema(accepted, params), args.output)


if __name__ == "__main__":
    run_stage(main)
