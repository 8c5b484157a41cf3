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
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from core.errors import UserError
from core.files import write_json
from core.log import run_stage, timed
from core.params import read_params
from core.tables import write_csv, write_table
from records.checks import CheckedTable, check_names, check_rows
from records.leakage import check_leakage
from records.raw_tables import RawTable
from records.reading import read_raw
from records.schema import Schema
from records.summaries import check_limits, summarise
from records.tasks import TASKS
from records.validation_params import ValidationParams
from text.normalise import normalise_text

logger = logging.getLogger(__name__)


def find_contradictions(table: RawTable, checked: CheckedTable, schema: Schema) -> np.ndarray:
    """Return which messages of the source have the same text as others with another label.

    An added row is a correction of earlier ones, not a contradiction.
    """
    is_compared = (checked.reasons == "") & ~table.is_added
    if not schema.is_messages or not TASKS[schema.task].has_classes:
        return np.zeros(len(is_compared), bool)
    places = np.flatnonzero(is_compared)
    keys = [normalise_text(text) for text in checked.columns[schema.text[0]].iloc[places]]
    labels_of = defaultdict(set)
    for key, label in zip(keys, checked.columns[schema.target].iloc[places], strict=True):
        if key:
            labels_of[key].add(label)
    contradicts = np.zeros(len(is_compared), bool)
    contradicts[places] = [len(labels_of[key]) > 1 if key else False for key in keys]
    return contradicts


def partition_rows(
    table: RawTable, checked: CheckedTable, schema: Schema
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Separate valid from rejected rows, each rejected one with its reason.

    Messages of the source with the same text but different labels contradict each other, and all of
    them are rejected.

    Returns
    -------
    accepted : DataFrame of shape (n_accepted, n_columns + 2)
        The target, the features and the ids as ``schema`` describes them, ``row``, ``added``
        (bool).
    rejected : DataFrame of shape (n_rejected, 4)
        ``row``, ``reason``, ``detail``, ``line``.
    """
    reasons = checked.reasons.copy()
    n_labels = "both" if len(schema.classes) == 2 else "different"
    reasons[find_contradictions(table, checked, schema)] = f"same text with {n_labels} labels"
    is_accepted = reasons == ""
    rejected = [
        *table.unread,
        *(
            (int(table.rows[place]), reasons[place], checked.details[place], table.show(place))
            for place in np.flatnonzero(~is_accepted).tolist()
        ),
    ]
    accepted = checked.columns.assign(row=table.rows, added=table.is_added)
    rejected_df = pd.DataFrame(
        [(*values, escape(line)) for *values, line in sorted(rejected)],
        columns=["row", "reason", "detail", "line"],
    )
    return accepted[is_accepted].reset_index(drop=True), rejected_df


def escape(line: str) -> str:
    """Return a line with escapes for undecodable bytes and NUL characters."""
    return line.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def check_table(accepted: pd.DataFrame, schema: Schema, params: ValidationParams) -> pd.DataFrame:
    """Return the accepted table, or raise ``SchemaError`` if a later stage could not use it."""
    shortest = params.min_length if schema.is_messages else 0
    length = pa.Check.str_length(shortest, params.max_length)
    columns = {
        "text": lambda: pa.Column("str", length),
        "number": lambda: pa.Column("float64", nullable=True),
        "category": lambda: pa.Column("str", nullable=True),
        "ordinal": lambda: pa.Column("str", nullable=True),
        "date": lambda: pa.Column("datetime64[us]", nullable=True),
        "id": lambda: pa.Column("str", nullable=True),
    }
    target = accepted[schema.target].dtype
    expected = pa.DataFrameSchema(
        {
            schema.target: pa.Column(target),
            **{name: columns[kind]() for name, kind in schema.kinds.items() if kind in columns},
            "row": pa.Column("int64", pa.Check.ge(1), unique=True),
            "added": pa.Column("bool"),
        },
        strict=True,
        ordered=True,
    )
    return expected.validate(accepted)


@contextmanager
def naming(files: str, more: str = "") -> Iterator[None]:
    """Add the names of the files, and ``more`` after the fix, to an error of the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{files}: {error.message}", f"{error.fix}{more}") from error


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
    schema = read_params(args.params, "schema", Schema)
    params = read_params(args.params, "data_validation", ValidationParams)
    check_names(schema, params)

    with timed(logger, "parsed %s and %s", args.input, args.additions):
        table = read_raw(args.input, args.additions, schema, params)
    files = f"{args.input} and {args.additions}" if table.has_additions else f"{args.input}"
    with timed(logger, "checked %d rows", len(table.rows)), naming(files):
        checked = check_rows(table, schema, params)
        accepted, rejected = partition_rows(table, checked, schema)
    report = summarise(accepted, rejected, checked.n_stripped, schema)
    write_csv(rejected, args.rejected)
    write_json(report, args.report)
    logger.info(
        "%d rows accepted, %d rejected: see %s", len(accepted), len(rejected), args.rejected
    )
    listed = f"; every rejected row is in {args.rejected}" if len(rejected) else ""
    with naming(files, listed):
        check_limits(report, rejected, schema, params)
    with naming(files), timed(logger, "searched columns that give the target away"):
        check_leakage(accepted, schema, params.leakage)
    write_table(check_table(accepted, schema, params), args.output)


if __name__ == "__main__":
    run_stage(main)
