"""Read the raw data in any format: columns of values, and the rows that cannot be read."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from core.errors import UserError
from records.additions import read_added
from records.raw import decode, split_records
from records.schema import Schema, find_repeated
from records.splitting import TOO_LONG, bound_lines, is_too_long
from records.validation_params import ValidationParams

GZIP_MAGIC = b"\x1f\x8b"
# From this size on, delimited text that has no difficulties is split by Arrow.
FAST_BYTES = 1_000_000
ARRAY_START = re.compile(r"\s*\[\s*(\{|$)")
# Row, reason, detail and text of a row that cannot be read.
Unread = tuple[int, str, str, str]


@dataclass(frozen=True)
class RawTable:
    """Rows as they were read, before their values are checked.

    Attributes
    ----------
    columns : DataFrame of shape (n_rows, n_columns)
        Text; from other formats also Python's objects (JSON lines, Excel) or Arrow's types.
    rows : ndarray of int, shape (n_rows,)
        The number of each row's first line.
    is_added : ndarray of bool, shape (n_rows,)
        Whether a row is one of the additions.
    unread : list
        The rows that cannot be read: row, reason, detail, text.
    show : callable
        Returns the text of a row, from its place.
    last : int
        The last line that was read.
    has_additions : bool
        Whether there are additions, even if none of them can be read.
    """

    columns: pd.DataFrame
    rows: np.ndarray
    is_added: np.ndarray
    unread: list[Unread]
    show: Callable[[int], str]
    last: int
    has_additions: bool = False


def make_table(
    values: pd.DataFrame,
    rows: Sequence[int] | np.ndarray,
    unread: list[Unread],
    show: Callable[[int], str],
    last: int,
) -> RawTable:
    """Return a table of rows that are not additions."""
    return RawTable(
        values, np.asarray(rows, "int64"), np.zeros(len(values), bool), unread, show, last
    )


def read_raw(source: Path, additions: Path, schema: Schema, params: ValidationParams) -> RawTable:
    """Read the source and the additions; the rows of the additions are numbered after the source's.

    Raises
    ------
    UserError
        If a file does not have the format that the parameters give, or the schema does not name the
        columns of the data; the message names the file.
    """
    path = source
    try:
        table = read_table(path.read_bytes(), params.columns or None, schema, params)
        names = [str(name) for name in table.columns]
        check_columns(rename(names, params), schema)
        path = additions
        if added := read_added(path.read_bytes()):
            table = append(table, read_table(added, names, schema, params))
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    return select_columns(table, schema, params)


def select_columns(table: RawTable, schema: Schema, params: ValidationParams) -> RawTable:
    """Return a table with its columns renamed, and without those that are not used."""
    names = [str(name) for name in table.columns]
    values = table.columns.set_axis(rename(names, params), axis="columns")
    used = [schema.target, *(name for name, kind in schema.kinds.items() if kind != "drop")]
    return replace(table, columns=values[used])


def rename(names: Sequence[str], params: ValidationParams) -> list[str]:
    """Return column names as the pipeline uses them.

    Raises
    ------
    UserError
        If a column to rename does not exist.
    """
    new = {each.column: each.to for each in params.rename}
    if unknown := [column for column in new if column not in names]:
        raise UserError(
            f"it has no column {unknown[0]!r}, only {', '.join(map(repr, names))}",
            "correct data_validation.rename",
        )
    return [new.get(name, name) for name in names]


def check_columns(names: Sequence[str], schema: Schema) -> None:
    """Raise ``UserError`` if the columns are not the schema's; nameless ones do not count."""
    if repeated := find_repeated(names):
        raise UserError(
            f"it has the column {repeated!r} more than once",
            "rename or remove one, or name the columns in data_validation.columns",
        )
    known = [schema.target, *schema.kinds]
    missing = [column for column in known if column not in names]
    unknown = [column for column in names if column not in known and column.strip()]
    problems = []
    if missing:
        problems.append(f"it has no column {', '.join(map(repr, missing))}")
    if unknown:
        problems.append(f"no list of the schema has its column {', '.join(map(repr, unknown))}")
    if problems:
        raise UserError(
            "; ".join(problems),
            "name each column of the data in one list of section schema, those not to use in drop, "
            "and check columns, separator and rename of data_validation",
        )


def unpack(raw: bytes) -> bytes:
    """Return the content of a file, which may be compressed by gzip.

    Raises
    ------
    UserError
        If the gzip file is damaged.
    """
    if not raw.startswith(GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"the file is a damaged or incomplete gzip file ({error})", "fetch it again"
        ) from error


def append(first: RawTable, second: RawTable) -> RawTable:
    """Return the rows of both tables; those of the second are additions."""
    n_first = len(first.columns)
    moved = [
        (row + first.last, reason, detail, text) for row, reason, detail, text in second.unread
    ]
    return RawTable(
        pd.concat([first.columns, second.columns], ignore_index=True),
        np.concatenate([first.rows, second.rows + first.last]),
        np.concatenate([first.is_added, np.ones(len(second.columns), bool)]),
        [*first.unread, *moved],
        lambda place: first.show(place) if place < n_first else second.show(place - n_first),
        first.last + second.last,
        has_additions=True,
    )


def read_table(
    raw: bytes, columns: list[str] | None, schema: Schema, params: ValidationParams
) -> RawTable:
    """Read a file in the format that the parameters give; ``columns`` None: it names them itself.

    Raises
    ------
    UserError
        If it has another format, or no rows.
    """
    table = READERS[params.format](unpack(raw), columns, schema, params)
    if not len(table.columns) and not table.unread:
        raise UserError("the file has a header but no rows", "fetch it again")
    return table


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


def stack(values: Sequence[pd.Series], columns: Sequence[str]) -> pd.DataFrame:
    """Return a table of columns, whose names may repeat."""
    return pd.DataFrame(dict(enumerate(values))).set_axis(list(columns), axis="columns")


def is_encodable(text: str) -> bool:
    """Return whether a string has no lone surrogates, which represent undecodable bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def make_column(values: Sequence[Any]) -> pd.Series:
    """Return values as text if all of them are, else as objects."""
    is_text = set(map(type, values)) <= {str, type(None)}
    return pd.Series(values, dtype="str" if is_text else "object")


def refuse_constant(name: str) -> NoReturn:
    """Raise ``ValueError`` for NaN and infinities, which Python's parser accepts as numbers."""
    raise ValueError(f"JSON has no {name}")


def read_json(line: str) -> tuple[dict[str, Any], str, str]:
    """Return the object of a line, and why it cannot be read, with details."""
    if is_too_long(line):
        return {}, "line too long", TOO_LONG
    if not line.strip():
        return {}, "empty line", ""
    try:
        found = json.loads(line, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        return {}, "malformed JSON", str(error)
    if not isinstance(found, dict):
        return {}, "not a JSON object", ""
    # Escapes can stand for half a character, which no file can store.
    if "\\u" in line and not is_encodable(json.dumps(found, ensure_ascii=False)):
        return {}, "not valid Unicode", ""
    return found, "", ""


def read_json_lines(
    raw: bytes, columns: list[str] | None, _: Schema, params: ValidationParams
) -> RawTable:
    """Read an object from each line; the columns are all keys in their order."""
    text = decode(raw, params.encoding)
    if ARRAY_START.match(text.partition("\n")[0]):
        raise UserError(
            "the file is a JSON array, not JSON lines",
            "write one object per line, as with jq --compact-output '.[]'",
        )
    rows, found, lines = [], [], []
    unread: list[Unread] = []
    row = 0
    for row, line in enumerate(bound_lines(io.StringIO(text, newline="\n"), ("\n",)), start=1):
        bare = line.removesuffix("\n").removesuffix("\r")
        values, reason, detail = read_json(bare)
        if not is_encodable(bare):
            reason, detail = "undecodable bytes", f"not {params.encoding}"
        if columns and not reason and (unknown := values.keys() - set(columns)):
            reason, detail = "unknown key", repr(min(unknown))
        if reason:
            unread.append((row, reason, detail, bare))
        else:
            rows.append(row)
            found.append(values)
            lines.append(bare)
    names = columns or list(dict.fromkeys(key for values in found for key in values))
    by_column = [make_column([values.get(name) for values in found]) for name in names]
    return make_table(stack(by_column, names), rows, unread, lines.__getitem__, row)


def show_row(values: pd.DataFrame) -> Callable[[int], str]:
    """Return a function that shows a row of a table that has no text of its own as JSON."""

    def show(place: int) -> str:
        row = values.iloc[place]
        shown = {name: None if is_null(value) else value for name, value in row.items()}
        return json.dumps(shown, ensure_ascii=False, default=str)

    return show


def is_null(value: Any) -> bool:
    """Return whether one value is missing."""
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def read_parquet(
    raw: bytes, columns: list[str] | None, _: Schema, __: ValidationParams
) -> RawTable:
    """Read Parquet; its columns keep their types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"the file is not readable as Parquet ({error})",
            "check data_validation.format, or fetch it again",
        ) from error
    names = list(table.column_names)
    if columns is not None and len(columns) != len(names):
        raise UserError(
            f"the file has {len(names)} columns, but data_validation.columns or the source "
            f"{len(columns)}",
            "leave data_validation.columns empty, or name every column",
        )
    by_column = [convert_arrow(column) for column in table.columns]
    values = stack(by_column, columns or names)
    return make_table(values, np.arange(1, len(values) + 1), [], show_row(values), len(values))


def convert_arrow(column: Any) -> pd.Series:
    """Return a column of Arrow: text as such, all others with their types."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if is_text or pa.types.is_null(column.type):
        return pd.Series(column.to_pandas(), dtype="str")
    return column.to_pandas(types_mapper=pd.ArrowDtype)


def iterate_sheet(raw: bytes) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a workbook's first sheet.

    Raises
    ------
    UserError
        If openpyxl is not installed, or the file is not a workbook.
    """
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise UserError(
            "reading Excel needs the package openpyxl, which is not installed",
            "run 'pip install openpyxl', or save the file as CSV",
        ) from error
    try:
        sheet = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True).worksheets[
            0
        ]
        # The size that a file states may be wrong.
        sheet.reset_dimensions()
        yield from sheet.iter_rows(values_only=True)
    except Exception as error:  # openpyxl raises many types for files that are no workbooks
        raise UserError(
            f"the file is not readable as an Excel workbook ({error})",
            "check data_validation.format, or save it as xlsx or CSV",
        ) from error


def read_excel(raw: bytes, columns: list[str] | None, _: Schema, __: ValidationParams) -> RawTable:
    """Read the first sheet of an Excel workbook; rows have the numbers that Excel shows."""
    sheet = list(iterate_sheet(raw))
    while sheet and all(value is None for value in sheet[-1]):
        sheet.pop()
    if not sheet:
        raise UserError("the first sheet is empty", "save the sheet with the data first")
    first = 1
    if columns is None:
        header = list(sheet.pop(0))
        while header and header[-1] is None:
            header.pop()
        columns = ["" if name is None else str(name) for name in header]
        first = 2
    rows, found = [], []
    unread: list[Unread] = []
    for row, values in enumerate(sheet, start=first):
        # A row may be shorter than the widest one, or longer by empty cells.
        cells, more = values[: len(columns)], values[len(columns) :]
        if any(value is not None for value in more):
            n_cells = max(i for i, value in enumerate(values, start=1) if value is not None)
            detail = f"{n_cells}, expected {len(columns)}"
            unread.append((row, "wrong number of fields", detail, repr(values)))
        elif all(value is None for value in cells):
            unread.append((row, "empty row", "", ""))
        else:
            rows.append(row)
            found.append((*cells, *[None] * (len(columns) - len(cells))))
    by_column = list(zip(*found, strict=True)) if found else [()] * len(columns)
    values_of = stack([make_column(column) for column in by_column], columns)
    return make_table(values_of, rows, unread, show_row(values_of), first + len(sheet) - 1)


READERS: dict[str, Callable[[bytes, list[str] | None, Schema, ValidationParams], RawTable]] = {
    "delimited": read_delimited,
    "jsonl": read_json_lines,
    "parquet": read_parquet,
    "excel": read_excel,
}
