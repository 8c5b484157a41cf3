"""Read CSV, TSV and similar formats as a table of text."""

import pandas as pd

from core.errors import UserError
from records.formats import is_encodable
from records.raw import decode, split_records
from records.raw_tables import RawTable, Unread, make_table, stack
from records.schema import Schema
from records.validation_params import ValidationParams

# From this size on, delimited text that has no difficulties is split by Arrow.
FAST_BYTES = 1_000_000


def read_delimited(
    raw: bytes, columns: list[str] | None, schema: Schema, params: ValidationParams
) -> RawTable:
    """Read CSV, TSV and similar formats."""
    if len(raw) >= FAST_BYTES:
        from records.fast_splitting import split_plain

        if table := split_plain(raw, columns, params):
            return table
    text = decode(raw, params.encoding)
    # A quote that is not closed swallows lines. In a message this shows: they start with a label.
    labels = schema.classes if schema.is_messages else ()
    records = split_records(text, params, labels)
    if columns is None:
        header = next(records)
        columns = list(header.fields)
        if header.reason:
            raise UserError(f"its header has {header.reason}", "check data_validation.quoting")
        if not is_encodable("".join(columns)):
            raise UserError(
                f"its header is not in {params.encoding}", "correct data_validation.encoding"
            )
    may_be_damaged = "\0" in text or not is_encodable(text)
    rows, fields, lines = [], [], []
    unread: list[Unread] = []
    last = 0
    for record in records:
        last = record.row + record.line.count("\n")
        reason, detail = record.reason, record.detail
        if not reason and may_be_damaged:
            if not is_encodable(record.line):
                reason, detail = "undecodable bytes", f"not {params.encoding}"
            elif "\0" in record.line:
                reason = "NUL character"
        if not reason and len(record.fields) != len(columns):
            reason = "wrong number of fields"
            detail = f"{len(record.fields)}, expected {len(columns)}"
        if reason:
            unread.append((record.row, reason, detail, record.line))
        else:
            rows.append(record.row)
            fields.append(record.fields)
            lines.append(record.line)
    by_column = list(zip(*fields, strict=True)) if fields else [()] * len(columns)
    values = stack([pd.Series(column, dtype="str") for column in by_column], columns)
    return make_table(values, rows, unread, lines.__getitem__, last)
