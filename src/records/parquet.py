"""Messages and tables in Parquet files: read and written in chunks, with all columns unchanged."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import UserError
from core.files import NamedOutput
from records.batches import CHUNK_LENGTH
from records.chunks import (
    CHUNK_ROWS,
    TABLE_CHUNK_ROWS,
    Chunk,
    Columns,
    Rejection,
    Source,
    TableColumns,
    Write,
    find_column,
    find_columns,
    inspect_text,
    refuse_taken,
)

# The size of a row group to write: small ones make large files, large ones need memory.
GROUP_CHUNKS = 20
GROUP_ROWS = 60_000
GROUP_BYTES = 64_000_000
# Rows to read at a time: a few kilobytes of a file can hold a million long texts.
READ_ROWS = 200
# Without a buffer size, pyarrow reads a whole row group at once, however large.
READ_BYTES = 1 << 20
TEXT_TYPES = (pa.string(), pa.large_string(), pa.string_view(), pa.null())


def list_texts(column: Any) -> list[str | None]:
    """Return the strings of an Arrow array; undecodable bytes become lone surrogates (PEP 383)."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        values = column.cast(pa.string()).cast(pa.binary()).to_pylist()
        return [value and value.decode("utf-8", "surrogateescape") for value in values]


def split_table(table: Any, text_column: str, start: int) -> Chunk:
    """Return the rows of a table as a chunk; ``start`` is the number of its first row."""
    texts = list_texts(table.column(text_column))
    found = [inspect_text(text) for text in texts]
    good = [text for text, (reason, _) in zip(texts, found, strict=True) if text and not reason]
    rejected = [Rejection(row, *reason) for row, reason in enumerate(found, start) if reason[0]]
    return Chunk(good, take_rows(table, [not reason for reason, _ in found]), rejected)


def take_rows(table: Any, is_good: Sequence[bool]) -> Any:
    """Return some rows of a table as slices, since Arrow cannot filter columns of every type."""
    edges = np.flatnonzero(np.diff(is_good, prepend=False, append=False))
    runs = [table.slice(i, j - i) for i, j in zip(edges[::2], edges[1::2], strict=True)]
    return pa.concat_tables(runs or [table.slice(0, 0)])


def join_batches(batches: Iterable[Any], most: int = CHUNK_ROWS) -> Iterator[Any]:
    """Join record batches into tables of the size of a chunk, of at most ``most`` rows."""
    waiting: list[Any] = []
    for batch in batches:
        waiting.append(batch)
        n_rows, n_bytes = sum(map(len, waiting)), sum(each.nbytes for each in waiting)
        if n_rows >= most or n_bytes >= CHUNK_LENGTH:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def read_batches(
    parquet: Any, columns: str | list[int], rows_read: list[int], path: Path
) -> Iterator[Chunk]:
    """Yield the chunks of an open file; add the rows that are read to ``rows_read[0]``.

    ``columns`` is the name of the column of messages, or the places of those of a table.
    """
    try:
        is_table = not isinstance(columns, str)
        most, at_once = (TABLE_CHUNK_ROWS, CHUNK_ROWS) if is_table else (CHUNK_ROWS, READ_ROWS)
        for table in join_batches(parquet.iter_batches(at_once), most):
            start = rows_read[0] + 1
            rows_read[0] += len(table)
            if isinstance(columns, str):
                yield split_table(table, columns, start)
            else:
                lines = range(start, start + len(table))
                yield Chunk(table.select(columns), table, [], lines=lines)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} is damaged after row {rows_read[0]} ({error})", "fetch or make it again"
        ) from error


def check_text_type(field: Any, path: Path) -> None:
    """Raise ``UserError`` if a column of messages is not text."""
    found = field.type
    if (found.value_type if pa.types.is_dictionary(found) else found) not in TEXT_TYPES:
        raise UserError(
            f"{path}: column {field.name!r} is {found}, not text",
            "name the column that holds the messages with --text-column",
        )


@contextmanager
def open_parquet(path: Path, columns: Columns, added: Sequence[str]) -> Iterator[Source]:
    """Open a Parquet file of messages or of a table.

    Raises
    ------
    UserError
        If it is damaged, lacks a column, has one of those to add, or messages are not text.
    """
    try:
        parquet = pq.ParquetFile(path, buffer_size=READ_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} is not a readable Parquet file ({error})", "fetch or make it again"
        ) from error
    with parquet:
        schema = parquet.schema_arrow
        read: str | list[int]
        if isinstance(columns, TableColumns):
            read = find_columns(schema.names, columns, path)
        else:
            read = columns
            check_text_type(schema.field(find_column(schema.names, read, path)), path)
        refuse_taken(schema.names, added, path)
        rows_read = [0]
        chunks = read_batches(parquet, read, rows_read, path)
        yield Source(schema, chunks, parquet.metadata.num_rows, lambda: rows_read[0])


@contextmanager
def create_parquet(
    path: Path, schema: Any, added: Sequence[str], types: Sequence[type]
) -> Iterator[Write]:
    """Open a file; give a function that writes rows with columns of these types added."""
    arrow = {str: pa.string(), float: pa.float64()}
    fields = [pa.field(name, arrow[kind]) for name, kind in zip(added, types, strict=True)]
    waiting: list[Any] = []

    with (
        NamedOutput(path, str(path)) as file,
        pq.ParquetWriter(file, pa.schema([*schema, *fields], schema.metadata)) as writer,
    ):

        def flush() -> None:
            if waiting:
                writer.write_table(pa.concat_tables(waiting))
            waiting.clear()

        def write(table: Any, values: Sequence[list]) -> None:
            for field, column in zip(fields, values, strict=True):
                table = table.append_column(field, pa.array(column, field.type))
            waiting.append(table)
            n_rows = sum(map(len, waiting))
            n_bytes = sum(each.get_total_buffer_size() for each in waiting)
            if len(waiting) == GROUP_CHUNKS or n_rows >= GROUP_ROWS or n_bytes >= GROUP_BYTES:
                flush()

        yield write
        flush()
