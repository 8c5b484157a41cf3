"""Read the raw data in any format: columns of values, and the rows that cannot be read."""

import gzip
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import UserError
from records.additions import read_added
from records.delimited import read_delimited
from records.formats import GZIP_MAGIC
from records.json_lines import read_json_lines
from records.raw_tables import RawTable, append
from records.schema import Schema, find_repeated
from records.typed_files import read_excel, read_parquet
from records.validation_params import ValidationParams

READERS: dict[str, Callable[[bytes, list[str] | None, Schema, ValidationParams], RawTable]] = {
    "delimited": read_delimited,
    "jsonl": read_json_lines,
    "parquet": read_parquet,
    "excel": read_excel,
}


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
