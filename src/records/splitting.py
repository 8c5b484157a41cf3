"""Split text into records of limited length: CSV (RFC 4180), and TSV and similar formats."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import Protocol

# The most characters of a line with its end, and of a record of CSV that spans lines.
MAX_LINE = 1_000_000
TOO_LONG = f"more than {MAX_LINE:,} characters"
# A field may be as long as a record. This limit applies to the whole process.
csv.field_size_limit(MAX_LINE)

# A carriage return alone ends a line of CSV, but not of the other formats.
LINE_ENDS: dict[str, tuple[str, ...]] = {"csv": ("\n", "\r"), "tsv": ("\n",), "jsonl": ("\n",)}

# Number of the first line, fields, reason for rejection or '', detail, the text of the record.
Record = tuple[int, list[str], str, str, str]


class LineReader(Protocol):
    """Reads the next line of text, at most ``limit`` characters of it, as a text file does."""

    def readline(self, limit: int, /) -> str: ...


def bound_lines(file: LineReader, ends: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a file; cut a line that is too long to one character above the limit.

    The rest of such a line is skipped in pieces, so it is never in memory as a whole. ``ends`` are
    the characters that end a line.
    """
    line = file.readline(MAX_LINE + 1)
    while line:
        yield line
        while len(line) > MAX_LINE and not line.endswith(ends):
            line = file.readline(MAX_LINE + 1)
        following = file.readline(MAX_LINE + 1)
        # The limit can fall between a carriage return and its line feed.
        is_split = following == "\n" and line.endswith("\r")
        line = file.readline(MAX_LINE + 1) if is_split else following


def is_too_long(line: str) -> bool:
    """Return whether ``bound_lines`` has cut a line."""
    return len(line) > MAX_LINE


def split_csv(lines: Iterator[str], separator: str = ",") -> Iterator[Record]:
    """Yield the records of CSV (RFC 4180), whose fields may be quoted.

    After a stray quote the reader continues to the next quote or to the limit. Only the first line
    of that record is rejected; the lines after it are read again. While they are read again, a
    record that spans lines would fail at the same place as the first one, so it is rejected at
    once. This keeps the time proportional to the length.
    """
    again: deque[str] = deque()
    used: list[str] = []
    length, problem = 0, ""

    def feed() -> Iterator[str]:
        nonlocal length
        while not (used and again):
            line = again.popleft() if again else next(lines, None)
            if line is None:
                return
            used.append(line)
            length += len(line)
            if length > MAX_LINE:
                raise csv.Error(f"no end within {MAX_LINE:,} characters")
            yield line
        raise csv.Error(problem)

    number = 1
    reader = csv.reader(feed(), delimiter=separator, strict=True)
    while True:
        used.clear()
        length = 0
        fields, reason, detail = [], "", ""
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = str(error)
            is_long = is_too_long(used[0])
            reason, detail = ("line too long", TOO_LONG) if is_long else ("broken quoting", problem)
            again.extendleft(reversed(used[1:]))
            del used[1:]
            reader = csv.reader(feed(), delimiter=separator, strict=True)
        yield number, fields, reason, detail, "".join(used)
        number += len(used)


def split_tsv(lines: Iterator[str], separator: str = "\t") -> Iterator[Record]:
    """Yield the records of TSV and similar formats: one per line, quotes have no meaning."""
    for number, line in enumerate(lines, start=1):
        if is_too_long(line):
            yield number, [], "line too long", TOO_LONG, line
            continue
        bare = line.removesuffix("\n").removesuffix("\r")
        yield number, bare.split(separator) if bare else [], "", "", line
