"""Messages in Parquet files: read and written in chunks, with all columns unchanged."""

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
    Chunk,
    Rejection,
    Source,
    Write,
    find_column,
    inspect_text,
    refuse_taken,
)

# The size of a row group to write: small ones make large files, large ones need memory.
GROUP_CHUNKS = 20
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
    # Slices of good rows, since Arrow cannot filter columns of every type.
    is_good = [not reason for reason, _ in found]
    edges = np.flatnonzero(np.diff(is_good, prepend=False, append=False))
    runs = [table.slice(i, j - i) for i, j in zip(edges[::2], edges[1::2], strict=True)]
    return Chunk(good, pa.concat_tables(runs or [table.slice(0, 0)]), rejected)


def join_batches(batches: Iterable[Any]) -> Iterator[Any]:
    """Join record batches into tables of the size of a chunk."""
    waiting: list[Any] = []
    for batch in batches:
        waiting.append(batch)
        n_rows, n_bytes = sum(map(len, waiting)), sum(each.nbytes for each in waiting)
        if n_rows >= CHUNK_ROWS or n_bytes >= CHUNK_LENGTH:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def read_batches(
    parquet: Any, text_column: str, rows_read: list[int], path: Path
) -> Iterator[Chunk]:
    """Yield the chunks of an open file; add the rows that are read to ``rows_read[0]``."""
    try:
        for table in join_batches(parquet.iter_batches(READ_ROWS)):
            chunk = split_table(table, text_column, rows_read[0] + 1)
            rows_read[0] += len(table)
            yield chunk
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} is damaged after row {rows_read[0]} ({error})", "fetch or make it again"
        ) from error


@contextmanager
def open_parquet(path: Path, text_column: str, added: Sequence[str]) -> Iterator[Source]:
    """Open a Parquet file of messages.

    Raises
    ------
    UserError
        If it is damaged, lacks the column, has one of those to add, or its column is not text.
    """
    try:
        parquet = pq.ParquetFile(path, buffer_size=READ_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} is not a readable Parquet file ({error})", "fetch or make it again"
        ) from error
    with parquet:
        schema = parquet.schema_arrow
        found = schema.field(find_column(schema.names, text_column, path)).type
        refuse_taken(schema.names, added, path)
        if (found.value_type if pa.types.is_dictionary(found) else found) not in TEXT_TYPES:
            raise UserError(
                f"{path}: column {text_column!r} is {found}, not text",
                "name the column that holds the messages with --text-column",
            )
        rows_read = [0]
        chunks = read_batches(parquet, text_column, rows_read, path)
        yield Source(schema, chunks, parquet.metadata.num_rows, lambda: rows_read[0])


@contextmanager
def create_parquet(path: Path, schema: Any, added: Sequence[str]) -> Iterator[Write]:
    """Open a file; give a function that writes rows with label, probability and version added."""
    fields = [
        pa.field(name, kind)
        for name, kind in zip(added, (pa.string(), pa.float64(), pa.string()), strict=True)
    ]
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
            n_bytes = sum(each.get_total_buffer_size() for each in waiting)
            if len(waiting) == GROUP_CHUNKS or n_bytes >= GROUP_BYTES:
                flush()

        yield write
        flush()
