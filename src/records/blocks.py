"""Read the rows of a large table in CSV or TSV many at a time.

Text without difficulties is split by Arrow. All other text goes to the exact reader, which makes a
string of Python for each field, until a record ends where a line of the file does. Both give the
same rows, and the same text to write.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TextIO

import numpy as np

from records.batches import Row, gather
from records.chunks import TABLE_CHUNK_ROWS, Chunk
from records.fast_splitting import LINE_FEED, QUOTE, are_quotes_plain, parse
from records.splitting import (
    LINE_ENDS,
    MAX_LINE,
    Record,
    bound_lines,
    is_too_long,
    split_csv,
    split_tsv,
)

# Characters to read at a time. Splitting them takes several times as much memory.
BLOCK_LENGTH = 2_000_000


def count_lines(text: str, kind: str) -> int:
    """Return how many lines the text of a record has."""
    return sum(1 for _ in io.StringIO(text, newline="" if "\r" in LINE_ENDS[kind] else "\n"))


class Ahead:
    """A text file, and text before it that was read already."""

    def __init__(self, text: str, file: TextIO, kind: str) -> None:
        self.ends = LINE_ENDS[kind]
        self.text = io.StringIO(text, newline="" if "\r" in self.ends else "\n")
        self.file, self.n_left = file, len(text)

    def readline(self, limit: int, /) -> str:
        """Return the next line, or the first ``limit`` characters of it."""
        line = self.text.readline(limit)
        self.n_left -= len(line)
        if len(line) == limit or line.endswith(self.ends):
            return line
        return line + self.file.readline(limit - len(line))


class ExactReader:
    """Reads text, and as much of a file after it as the last record needs.

    Attributes
    ----------
    n_lines : int
        How many lines were read.
    """

    def __init__(self, text: str, file: TextIO, kind: str, separator: str) -> None:
        self.kind, self.separator = kind, separator
        self.ahead = Ahead(text, file, kind)
        self.n_lines = self.length = 0

    def feed(self) -> Iterator[str]:
        """Yield the lines, and count them."""
        for line in bound_lines(self.ahead, LINE_ENDS[self.kind]):
            self.n_lines += 1
            self.length += len(line)
            yield line

    def read(self, n_before: int) -> Iterator[Record]:
        """Yield the records; the number of the first line is one more than ``n_before``."""
        is_csv = self.kind == "csv"
        records = split_csv(self.feed(), self.separator) if is_csv else split_tsv(self.feed())
        length = 0
        for number, fields, reason, detail, text in records:
            yield number + n_before, fields, reason, detail, text
            length += len(text)
            # Lines after a broken record are read again, and the rest of a long line is skipped.
            if not self.ahead.n_left and length == self.length and not is_too_long(text):
                return


def split_block(
    text: str, kind: str, separator: str, n_columns: int
) -> tuple[list[str], Any] | None:
    """Split lines that are all records with the same number of fields.

    Returns
    -------
    tuple or None
        The text of each row as it is written, and Arrow's table of text columns. None if the lines
        need the exact reader: they have undecodable bytes, carriage returns alone, very long or
        empty lines, quoted fields with quotes or line feeds in them, or rows with another number of
        fields.
    """
    if n_columns < 2 or not separator.isascii() or separator in '"\r\n':
        return None
    if "\r" in text:
        if text.count("\r") != text.count("\r\n"):
            return None
        text = text.replace("\r\n", "\n")
    text = text.removesuffix("\n")
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return None
    content = np.frombuffer(raw, np.uint8)
    ends = np.append(np.flatnonzero(content == LINE_FEED), len(raw))
    # With the line feed, and a carriage return that may have been there.
    if np.diff(ends, prepend=-1).max() + 1 > MAX_LINE:
        return None
    has_quotes = kind == "csv" and '"' in text
    if has_quotes:
        if not are_quotes_plain(content, ends, ord(separator)):
            return None
        raw = drop_quotes(content, ord(separator))
        text = raw.decode()
        has_quotes = '"' in text
    # Arrow takes an empty line, or an empty field in quotes, for a row of empty fields.
    if text.startswith("\n") or text.endswith("\n") or "\n\n" in text:
        return None
    table = parse(raw, n_columns, separator, has_quotes)
    rows = text.split("\n")
    return (rows, table) if table is not None and len(table) == len(rows) else None


def drop_quotes(content: np.ndarray, separator: int) -> bytes:
    """Return text without the quotes around fields that have no separator in them."""
    quotes = np.flatnonzero(content == QUOTE).reshape(-1, 2)
    n_separators = np.searchsorted(np.flatnonzero(content == separator), quotes)
    is_needed = n_separators[:, 0] != n_separators[:, 1]
    return np.delete(content, quotes[~is_needed].ravel()).tobytes()


def read_blocks(
    file: TextIO,
    kind: str,
    separator: str,
    n_columns: int,
    places: Sequence[int],
    n_before: int,
    check: Callable[[Iterable[Record]], Iterator[Row]],
) -> Iterator[Chunk]:
    """Yield the chunks of a table.

    Parameters
    ----------
    file : text file
        The open file, after its header.
    kind : {'csv', 'tsv'}
        Its format.
    separator : str
        Of fields.
    n_columns : int
        How many fields a row must have.
    places : sequence of int
        The indices of the columns to read.
    n_before : int
        How many lines the header has.
    check : callable
        Turns the records of the exact reader into rows.
    """
    while text := file.read(BLOCK_LENGTH):
        if not text.endswith("\n"):
            text += file.readline(MAX_LINE + 1)
        block = split_block(text, kind, separator, n_columns)
        if block is None:
            exact = ExactReader(text, file, kind, separator)
            yield from gather(check(exact.read(n_before)), TABLE_CHUNK_ROWS)
            n_before += exact.n_lines
            continue
        rows, table = block
        columns = table.select(list(places))
        for start in range(0, len(rows), TABLE_CHUNK_ROWS):
            part = rows[start : start + TABLE_CHUNK_ROWS]
            first = n_before + start + 1
            lines = range(first, first + len(part))
            yield Chunk(columns.slice(start, len(part)), part, [], lines=lines)
        n_before += len(rows)
