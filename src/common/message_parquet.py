"""Messages in Parquet files: read and written chunk by chunk, every column as it is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common.message_chunks import (
    CHUNK_ROWS,
    Chunk,
    Rejection,
    Source,
    Write,
    find_column,
    find_fault,
    refuse_taken,
)

# Small row groups make large files, large ones need memory.
GROUP_CHUNKS = 20
# Else a whole row group is read at once, however large.
READ_BYTES = 1 << 20
TEXT_TYPES = (pa.string(), pa.large_string(), pa.string_view(), pa.null())


def list_texts(column: Any) -> list[str | None]:
    """Return the strings of an Arrow array; undecodable bytes become lone surrogates (PEP 383)."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        values = column.cast(pa.string()).cast(pa.binary()).to_pylist()
        return [value and value.decode("utf-8", "surrogateescape") for value in values]


def part_batch(batch: Any, text_column: str, start: int) -> Chunk:
    """Part the rows of a record batch, the first of them number ``start``, into a chunk."""
    texts = list_texts(batch.column(text_column))
    faults = [find_fault(text) for text in texts]
    good = [text for text, fault in zip(texts, faults, strict=True) if text and not fault]
    rejected = [Rejection(row, fault) for row, fault in enumerate(faults, start) if fault]
    # Runs of good rows: Arrow can slice columns of every type, but not filter them.
    edges = np.flatnonzero(np.diff([not fault for fault in faults], prepend=False, append=False))
    runs = [batch.slice(i, j - i) for i, j in zip(edges[::2], edges[1::2], strict=True)]
    return Chunk(good, pa.Table.from_batches(runs, batch.schema), rejected)


def read_batches(
    parquet: Any, text_column: str, rows_read: list[int], path: Path
) -> Iterator[Chunk]:
    """Yield the chunks of an open file, counting its rows in ``rows_read``."""
    try:
        for batch in parquet.iter_batches(CHUNK_ROWS):
            chunk = part_batch(batch, text_column, rows_read[0] + 1)
            rows_read[0] += len(batch)
            yield chunk
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged after row {rows_read[0]}: {error}") from error


@contextmanager
def open_parquet(path: Path, text_column: str, added: Sequence[str]) -> Iterator[Source]:
    """Open a Parquet file of messages.

    Raises
    ------
    ValueError
        If it is damaged, lacks the column, has one that would be added, or has no text there.
    """
    try:
        parquet = pq.ParquetFile(path, buffer_size=READ_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a readable Parquet file: {error}") from error
    with parquet:
        schema = parquet.schema_arrow
        found = schema.field(find_column(schema.names, text_column, path)).type
        refuse_taken(schema.names, added, path)
        if (found.value_type if pa.types.is_dictionary(found) else found) not in TEXT_TYPES:
            raise ValueError(f"{path}: column {text_column!r} is {found}, not text")
        rows_read = [0]
        chunks = read_batches(parquet, text_column, rows_read, path)
        yield Source(schema, chunks, parquet.metadata.num_rows, lambda: rows_read[0])


@contextmanager
def create_parquet(path: Path, schema: Any, added: Sequence[str]) -> Iterator[Write]:
    """Give a function that writes rows with label, probability and version added."""
    fields = [
        pa.field(name, kind)
        for name, kind in zip(added, (pa.string(), pa.float64(), pa.string()), strict=True)
    ]
    waiting: list[Any] = []

    with pq.ParquetWriter(path, pa.schema([*schema, *fields], schema.metadata)) as writer:

        def flush() -> None:
            if waiting:
                writer.write_table(pa.concat_tables(waiting))
            waiting.clear()

        def write(table: Any, values: Sequence[list]) -> None:
            for field, column in zip(fields, values, strict=True):
                table = table.append_column(field, pa.array(column, field.type))
            waiting.append(table)
            if len(waiting) == GROUP_CHUNKS:
                flush()

        yield write
        flush()
