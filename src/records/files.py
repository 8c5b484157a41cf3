"""Open files of messages for reading and writing, of whichever format."""

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
from records.chunks import Source, Write
from records.lines import make_writer, read_lines
from records.splitting import LINE_ENDS

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
# Standard input or output, in place of a file's name.
STREAM = Path("-")
GZIP = ".gz"
GZIP_MAGIC = b"\x1f\x8b"
# Of gzip: most of what 9 gives, in a fraction of its time.
LEVEL = 6


class GzipInput(gzip.GzipFile):
    """A gzip file to read whose errors name it; ``label`` is its name."""

    def __init__(self, file: Any, label: object) -> None:
        super().__init__(fileobj=file, mode="rb")
        self.label = label

    def read1(self, size: int = -1) -> bytes:
        """Read bytes, as from any file."""
        try:
            return super().read1(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(
                f"{self.label} is a damaged or incomplete gzip file: fetch it again ({error})"
            ) from error


def is_packed(path: Path) -> bool:
    """Tell whether a file's name says that it is compressed."""
    return path.suffix.lower() == GZIP


def unpacked_name(path: Path) -> Path:
    """Return the name of a file without the suffix of gzip."""
    return path.with_suffix("") if is_packed(path) else path


def choose_format(source: Path, target: Path, chosen: str | None) -> str:
    """Return the format of both files: the chosen one, else what the suffixes say.

    Raises
    ------
    UserError
        If they say nothing or contradict each other, or Parquet would have to come from a pipe.
    """
    named = [path for path in (source, target) if path != STREAM]
    kinds = [SUFFIXES.get(unpacked_name(path).suffix.lower()) for path in named]
    kind = chosen or (kinds[0] if kinds else None)
    if kind is None:
        found = (
            f"{named[0]} ends in none of {', '.join(SUFFIXES)}" if named else "a pipe has no name"
        )
        raise UserError(f"{found}: say what its format is, as in '--format csv'")
    if not chosen and kinds[-1] not in (None, kind):
        raise UserError(
            f"{target} has another suffix than {source}, but the output has the input's format: "
            f"let it end in .{kind}"
        )
    if kind == "parquet" and len(named) < 2:
        raise UserError("Parquet cannot be piped: name a file for --input and for --output")
    if kind == "parquet" and any(map(is_packed, named)):
        raise UserError("Parquet is compressed by itself: name files that do not end in .gz")
    return kind


def open_source(
    path: Path, kind: str, text_column: str, added: Sequence[str], encoding: str = "utf-8"
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
    encoding : str
        Of lines; Parquet has none.

    Raises
    ------
    UserError
        If there is no such file.
    UserError
        If it is not such a file.
    """
    if path != STREAM and not path.exists():
        raise UserError(f"{path} does not exist: mend --input")
    if kind == "parquet":
        if not path.is_file():
            raise UserError(f"{path} is a folder or a pipe, not a file: name a file with --input")
        from records.parquet import open_parquet

        return open_parquet(path, text_column, added)
    return open_lines(path, kind, text_column, added, encoding)


@contextmanager
def open_lines(
    path: Path, kind: str, text_column: str, added: Sequence[str], encoding: str
) -> Iterator[Source]:
    """Open CSV, TSV or JSON lines, compressed by gzip or not."""
    is_stream = path == STREAM
    name = "standard input" if is_stream else path
    try:
        raw = io.FileIO(0 if is_stream else path, closefd=not is_stream)
    except IsADirectoryError as error:
        raise UserError(f"{name} is a folder, not a file: name a file with --input") from error
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
        header, chunks = read_lines(file, kind, text_column, added, name, is_live)
        yield Source(header, chunks, size, tell)
    except UnicodeError as error:
        raise UserError(
            f"{name} is not in {encoding} ({error}): name its encoding with --encoding"
        ) from error
    finally:
        # A thread may wait for the next line of a live one, and closing would wait for the thread.
        if not is_live:
            file.close()
            raw.close()


def open_target(
    path: Path, kind: str, header: Any, added: Sequence[str], compress: bool = False
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
    compress : bool
        Whether lines are compressed by gzip.
    """
    if kind == "parquet":
        from records.parquet import create_parquet

        return create_parquet(path, header, added)
    return create_lines(path, kind, header, added, compress)


@contextmanager
def create_lines(
    path: Path, kind: str, header: Any, added: Sequence[str], compress: bool
) -> Iterator[Write]:
    """Give a function that writes rows of CSV, TSV or JSON lines."""
    with create_text(path, compress) as file:
        write = make_writer(file, kind, header, added)

        def write_now(rows: Any, values: Sequence[list]) -> None:
            write(rows, values)
            file.flush()

        yield write_now if path == STREAM else write


@contextmanager
def create_text(path: Path, compress: bool) -> Iterator[TextIO]:
    """Open a file, or standard output, to write UTF-8 with the line ends that are given."""
    # A stream of its own: what it could not write to a closed pipe is not tried again at exit.
    is_stream = path == STREAM
    raw = NamedOutput(1 if is_stream else path, "standard output" if is_stream else str(path))
    with raw, io.BufferedWriter(raw) as buffered:
        # Neither a name nor a time: the same rows give the same bytes.
        binary = gzip.GzipFile("", "wb", LEVEL, buffered, mtime=0) if compress else buffered
        with io.TextIOWrapper(binary, encoding="utf-8", newline="") as file:
            yield file
