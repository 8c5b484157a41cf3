"""Split text into records, each of bounded length: CSV (RFC 4180), and TSV and the like."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import TextIO

# Characters of a line with its end, and of a record of CSV that spans lines.
MAX_LINE = 1_000_000
TOO_LONG = f"more than {MAX_LINE:,} characters"
# Records are bounded, so fields need not be: this is for the whole process.
csv.field_size_limit(MAX_LINE)

# A carriage return alone ends a line of CSV, and none of the others.
LINE_ENDS: dict[str, tuple[str, ...]] = {"csv": ("\n", "\r"), "tsv": ("\n",), "jsonl": ("\n",)}

# The first line's number, fields, why there are none, the particulars, and what is written there.
Record = tuple[int, list[str], str, str, str]


def bound_lines(file: TextIO, ends: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a file; of one that is too long, a character more than the limit.

    Its rest is read too, but never held as a whole. ``ends`` are the characters that end a line.
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
    """Tell whether ``bound_lines`` has cut a line."""
    return len(line) > MAX_LINE


def split_csv(lines: Iterator[str], separator: str = ",") -> Iterator[Record]:
    """Yield the records of CSV (RFC 4180), fields of which may be quoted.

    A stray quote makes the reader run on, to the next quote or the limit. It costs the record's
    first line alone: the lines after it are read again. Within them all were between quotes, so
    another record that goes on there would fail where the first one did: it is not tried.
    """
    again: deque[str] = deque()
    used: list[str] = []
    length, fault = 0, ""

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
        raise csv.Error(fault)

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
            fault = str(error)
            is_long = is_too_long(used[0])
            reason, detail = ("line too long", TOO_LONG) if is_long else ("broken quoting", fault)
            again.extendleft(reversed(used[1:]))
            del used[1:]
            reader = csv.reader(feed(), delimiter=separator, strict=True)
        yield number, fields, reason, detail, "".join(used)
        number += len(used)


def split_tsv(lines: Iterator[str], separator: str = "\t") -> Iterator[Record]:
    """Yield the records of TSV and the like, one a line, in which quotes mean nothing."""
    for number, line in enumerate(lines, start=1):
        if is_too_long(line):
            yield number, [], "line too long", TOO_LONG, line
            continue
        bare = line.removesuffix("\n").removesuffix("\r")
        yield number, bare.split(separator) if bare else [], "", "", line
