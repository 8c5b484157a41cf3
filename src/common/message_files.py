"""Open files of messages for reading and writing, of whichever format."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from common.message_chunks import Source, Write
from common.message_lines import make_writer, read_lines

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
# Standard input or output, in place of a file's name.
STREAM = Path("-")


def choose_format(source: Path, target: Path, chosen: str | None) -> str:
    """Return the format of both files: the chosen one, else what the suffixes say.

    Raises
    ------
    ValueError
        If they say nothing or contradict each other, or Parquet would have to come from a pipe.
    """
    named = [path for path in (source, target) if path != STREAM]
    kind = chosen or (SUFFIXES.get(named[0].suffix.lower()) if named else None)
    if kind is None:
        found = (
            f"{named[0]} ends in none of {', '.join(SUFFIXES)}" if named else "a pipe has no name"
        )
        raise ValueError(f"{found}: say what its format is, as in '--format csv'")
    if not chosen and SUFFIXES.get(target.suffix.lower(), kind) != kind:
        raise ValueError(
            f"{target} has another suffix than {source}, but the output has the input's format: "
            f"let it end in .{kind}"
        )
    if kind == "parquet" and len(named) < 2:
        raise ValueError("Parquet cannot be piped: name a file for --input and for --output")
    return kind


def open_source(
    path: Path, kind: str, text_column: str, added: Sequence[str]
) -> AbstractContextManager[Source]:
    """Open a file of messages, or standard input.

    Parameters
    ----------
    path : Path
        The file; ``STREAM`` for standard input.
    kind : {'csv', 'tsv', 'jsonl', 'parquet'}
        Its format.
    text_column : str
        The column that holds the messages.
    added : sequence of str
        Columns that it must not have.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file.
    """
    if path != STREAM and not path.exists():
        raise FileNotFoundError(f"{path} does not exist: mend --input")
    if kind == "parquet":
        from common.message_parquet import open_parquet

        return open_parquet(path, text_column, added)
    return open_lines(path, kind, text_column, added)


@contextmanager
def open_lines(path: Path, kind: str, text_column: str, added: Sequence[str]) -> Iterator[Source]:
    """Open CSV, TSV or JSON lines."""
    is_stream = path == STREAM
    name = "standard input" if is_stream else path
    # A carriage return alone ends a line of CSV, and none of the others.
    newline = "" if kind == "csv" else "\n"
    with open(
        0 if is_stream else path,
        encoding="utf-8-sig",
        errors="surrogateescape",
        newline=newline,
        closefd=not is_stream,
    ) as file:
        size = os.fstat(file.fileno()).st_size if file.seekable() else None

        def tell() -> int:
            return 0 if size is None else os.lseek(file.fileno(), 0, os.SEEK_CUR)

        header, chunks = read_lines(file, kind, text_column, added, name)
        yield Source(header, chunks, size, tell)


def open_target(
    path: Path, kind: str, header: Any, added: Sequence[str]
) -> AbstractContextManager[Write]:
    """Give a function that writes chunks of rows to a file, or to standard output.

    Parameters
    ----------
    path : Path
        The file; ``STREAM`` for standard output.
    kind : {'csv', 'tsv', 'jsonl', 'parquet'}
        Its format, the same as that of the source.
    header : object
        The header of the source.
    added : sequence of str
        Names of the columns to add: label, probability, version.
    """
    if kind == "parquet":
        from common.message_parquet import create_parquet

        return create_parquet(path, header, added)
    return create_lines(path, kind, header, added)


@contextmanager
def create_lines(path: Path, kind: str, header: Any, added: Sequence[str]) -> Iterator[Write]:
    """Give a function that writes rows of CSV, TSV or JSON lines."""
    # A stream of its own: what it could not write to a closed pipe is not tried again at exit.
    target = 1 if path == STREAM else path
    with open(target, "w", encoding="utf-8", newline="", closefd=path != STREAM) as file:
        yield make_writer(file, kind, header, added)
