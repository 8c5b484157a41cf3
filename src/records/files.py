"""Open files of messages or rows, in any format, for reading and writing."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TextIO

from core.errors import UserError
from core.files import NamedOutput
from records.chunks import Columns, Source, Write
from records.formats import GZIP_MAGIC
from records.lines import make_writer, read_lines
from records.splitting import LINE_ENDS

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
# Stands for standard input or output.
STREAM = Path("-")
GZIP = ".gz"
# The gzip level: files almost as small as with 9, in a fraction of the time.
LEVEL = 6


class GzipInput(gzip.GzipFile):
    """A gzip file to read, which shows its name, ``label``, in errors."""

    def __init__(self, file: Any, label: object) -> None:
        super().__init__(fileobj=file, mode="rb")
        self.label = label

    def read1(self, size: int = -1) -> bytes:
        """Read bytes; raise ``UserError`` if the file is damaged."""
        try:
            return super().read1(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(
                f"{self.label} is a damaged or incomplete gzip file ({error})", "fetch it again"
            ) from error


def is_packed(path: Path) -> bool:
    """Return whether a file's name ends in .gz."""
    return path.suffix.lower() == GZIP


def unpacked_name(path: Path) -> Path:
    """Return the name of a file without .gz."""
    return path.with_suffix("") if is_packed(path) else path


def choose_format(source: Path, target: Path, chosen: str | None) -> str:
    """Return the format of both files: ``chosen``, else that of the suffixes.

    Raises
    ------
    UserError
        If the suffixes are unknown or differ, or if Parquet is piped or named .gz.
    """
    named = [path for path in (source, target) if path != STREAM]
    kinds = [SUFFIXES.get(unpacked_name(path).suffix.lower()) for path in named]
    kind = chosen or (kinds[0] if kinds else None)
    if kind is None:
        found = (
            f"{named[0]} ends in none of {', '.join(SUFFIXES)}" if named else "a pipe has no name"
        )
        raise UserError(found, "give the format, as in '--format csv'")
    if not chosen and kinds[-1] not in (None, kind):
        raise UserError(
            f"{target} has another suffix than {source}, but the output has the input's format",
            f"give the output a name that ends in .{kind}",
        )
    if kind == "parquet" and len(named) < 2:
        raise UserError("Parquet cannot be piped", "name a file for --input and for --output")
    if kind == "parquet" and any(map(is_packed, named)):
        raise UserError("Parquet files are not read or written with gzip", "use names without .gz")
    return kind


def open_source(
    path: Path, kind: str, columns: Columns, added: Sequence[str], encoding: str = "utf-8"
) -> AbstractContextManager[Source]:
    """Open a file of messages or rows, or standard input.

    Parameters
    ----------
    path : Path
        The file; ``STREAM`` for standard input.
    kind : {'csv', 'tsv', 'jsonl', 'parquet'}
        Its format.
    columns : str or TableColumns
        The column that holds the messages, or the columns of a table.
    added : sequence of str
        Columns that will be added to the output; the file must not have them already.
    encoding : str
        The encoding of lines; not used for Parquet.

    Raises
    ------
    UserError
        If the file does not exist, or is not a valid file of this format.
    """
    if path != STREAM and not path.exists():
        raise UserError(f"{path} does not exist", "correct --input")
    if kind == "parquet":
        if not path.is_file():
            raise UserError(f"{path} is a folder or a pipe, not a file", "name a file with --input")
        from records.parquet import open_parquet

        return open_parquet(path, columns, added)
    return open_lines(path, kind, columns, added, encoding)


@contextmanager
def open_lines(
    path: Path, kind: str, columns: Columns, added: Sequence[str], encoding: str
) -> Iterator[Source]:
    """Open CSV, TSV or JSON lines, with or without gzip."""
    is_stream = path == STREAM
    name = "standard input" if is_stream else path
    try:
        raw = io.FileIO(0 if is_stream else path, closefd=not is_stream)
    except IsADirectoryError as error:
        raise UserError(f"{name} is a folder, not a file", "name a file with --input") from error
    is_live = not raw.seekable()
    size = None if is_live else os.fstat(raw.fileno()).st_size
    buffered = io.BufferedReader(raw)
    is_gzip = buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
    file = io.TextIOWrapper(
        GzipInput(buffered, name) if is_gzip else buffered,
        encoding="utf-8-sig" if encoding == "utf-8" else encoding,
        errors="surrogateescape",
        newline="" if "\r" in LINE_ENDS[kind] else "\n",
    )

    def tell() -> int:
        return 0 if size is None else os.lseek(raw.fileno(), 0, os.SEEK_CUR)

    try:
        header, chunks = read_lines(file, kind, columns, added, name, is_live)
        yield Source(header, chunks, size, tell)
    except UnicodeError as error:
        raise UserError(
            f"{name} is not in {encoding} ({error})", "name its encoding with --encoding"
        ) from error
    finally:
        # A thread may be waiting for the next line of a live source; close() would wait for it.
        if not is_live:
            file.close()
            raw.close()


def open_target(
    path: Path,
    kind: str,
    header: Any,
    added: Sequence[str],
    compress: bool = False,
    types: Sequence[type] = (str, float, str),
    separator: str = ",",
) -> AbstractContextManager[Write]:
    """Open a file, or standard output; give a function that writes chunks of rows to it.

    Parameters
    ----------
    path : Path
        The file; ``STREAM`` for standard output.
    kind : {'csv', 'tsv', 'jsonl', 'parquet'}
        Its format, the same as that of the source.
    header : object
        The header of the source.
    added : sequence of str
        Names of the columns to add: by default label, probability, version.
    compress : bool
        Whether to compress lines with gzip.
    types : sequence of type
        The types of these columns.
    separator : str
        Of CSV.
    """
    if kind == "parquet":
        from records.parquet import create_parquet

        return create_parquet(path, header, added, types)
    return create_lines(path, kind, header, added, compress, separator)


@contextmanager
def create_lines(
    path: Path,
    kind: str,
    header: Any,
    added: Sequence[str],
    compress: bool,
    separator: str,
) -> Iterator[Write]:
    """Open a file; give a function that writes rows of CSV, TSV or JSON lines to it."""
    with create_text(path, compress) as file:
        write = make_writer(file, kind, header, added, separator)

        def write_now(rows: Any, values: Sequence[list]) -> None:
            write(rows, values)
            file.flush()

        yield write_now if path == STREAM else write


@contextmanager
def create_text(path: Path, compress: bool) -> Iterator[TextIO]:
    """Open a file, or standard output, to write UTF-8 without changing line ends."""
    # Not sys.stdout: Python would try again at exit to write what a closed pipe did not take.
    is_stream = path == STREAM
    raw = NamedOutput(1 if is_stream else path, "standard output" if is_stream else str(path))
    with raw, io.BufferedWriter(raw) as buffered:
        # Without name and time in the gzip header, the same rows give the same bytes.
        binary = gzip.GzipFile("", "wb", LEVEL, buffered, mtime=0) if compress else buffered
        with io.TextIOWrapper(binary, encoding="utf-8", newline="") as file:
            yield file
