"""Messages as lines of text: CSV, TSV and JSON lines.

What is written is what was read: fields stay strings, and a line of JSON keeps its characters.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn, TextIO

from records.batches import Row, gather, gather_live
from records.chunks import (
    Chunk,
    Write,
    find_column,
    inspect_text,
    is_encodable,
    refuse_taken,
)

# Characters of a line with its end, and of a record of CSV that spans lines.
MAX_LINE = 1_000_000
TOO_LONG = f"more than {MAX_LINE:,} characters"
# Records are bounded, so fields need not be: this is for the whole process.
csv.field_size_limit(MAX_LINE)

# A carriage return alone ends a line of CSV, and none of the others.
LINE_ENDS: dict[str, tuple[str, ...]] = {"csv": ("\n", "\r"), "tsv": ("\n",), "jsonl": ("\n",)}
NEEDS_QUOTES = re.compile('[",\r\n]')
# What a JSON array of objects starts with.
ARRAY_START = re.compile(r"\s*\[\s*(\{|$)")

# The first line's number, fields, why there are none and the particulars.
Record = tuple[int, list[str], str, str]


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


def split_csv(lines: Iterator[str]) -> Iterator[Record]:
    """Yield the records of CSV (RFC 4180).

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
    reader = csv.reader(feed(), strict=True)
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
            is_long = len(used[0]) > MAX_LINE
            reason, detail = ("line too long", TOO_LONG) if is_long else ("broken quoting", fault)
            again.extendleft(reversed(used[1:]))
            del used[1:]
            reader = csv.reader(feed(), strict=True)
        yield number, fields, reason, detail
        number += len(used)


def split_tsv(lines: Iterator[str]) -> Iterator[Record]:
    """Yield the records of TSV, one a line, in which quotes mean nothing."""
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE:
            yield number, [], "line too long", TOO_LONG
            continue
        line = line.removesuffix("\n").removesuffix("\r")
        yield number, line.split("\t") if line else [], "", ""


def check_records(records: Iterable[Record], place: int, n_columns: int) -> Iterator[Row]:
    """Check records of CSV or TSV, whose column of number ``place`` holds the text."""
    for number, fields, reason, detail in records:
        if reason:
            yield number, None, None, reason, detail
        elif not fields:
            yield number, None, None, "empty line", ""
        elif len(fields) != n_columns:
            detail = f"{len(fields)}, expected {n_columns}"
            yield number, None, None, "wrong number of fields", detail
        elif not is_encodable("".join(fields)):
            yield number, None, None, "not valid Unicode", ""
        else:
            yield number, fields, fields[place], *inspect_text(fields[place])


def refuse_constant(name: str) -> NoReturn:
    """Raise ``ValueError``: Python's parser takes NaN and infinities for numbers."""
    raise ValueError(f"JSON has no {name}")


# Numbers stay as they are written, so it is enough that they are some.
DECODER = json.JSONDecoder(parse_int=float, parse_constant=refuse_constant)


def check_json(
    lines: Iterable[str], text_column: str, added: Sequence[str], name: object
) -> Iterator[Row]:
    """Check JSON lines; the row is the line itself.

    Raises
    ------
    ValueError
        If the first line starts an array, or a line has a key that would be added.
    """
    for number, line in enumerate(lines, start=1):
        if number == 1 and ARRAY_START.match(line):
            raise ValueError(
                f"{name} is a JSON array, not JSON lines: write one object a line, as with "
                "jq --compact-output '.[]'"
            )
        if len(line) > MAX_LINE:
            yield number, None, None, "line too long", TOO_LONG
            continue
        line = line.strip()
        if not line:
            yield number, None, None, "empty line", ""
            continue
        if not is_encodable(line):
            yield number, None, None, "not valid Unicode", ""
            continue
        try:
            row = DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            yield number, None, None, "malformed JSON", str(error)
            continue
        if not isinstance(row, dict):
            yield number, None, None, "not a JSON object", ""
            continue
        refuse_taken(row, added, f"line {number} of {name}")
        text = row.get(text_column)
        yield number, line, text, *inspect_text(text)


def read_lines(
    file: TextIO,
    kind: str,
    text_column: str,
    added: Sequence[str],
    name: object,
    is_live: bool = False,
) -> tuple[list[str] | None, Iterator[Chunk]]:
    """Return the header, None for JSON lines, and the chunks of a file.

    Parameters
    ----------
    file : text file
        What to read, undecodable bytes as lone surrogates (PEP 383).
    kind : {'csv', 'tsv', 'jsonl'}
        Its format.
    text_column : str
        The column that holds the messages.
    added : sequence of str
        Columns that it must not have.
    name : object
        What to call it in messages.
    is_live : bool
        Whether somebody may write it at the moment: rows then do not wait for many others.

    Raises
    ------
    ValueError
        If there is no header, or it lacks the column or has one that would be added.
    """
    lines = bound_lines(file, LINE_ENDS[kind])
    collect = gather_live if is_live else gather
    if kind == "jsonl":
        return None, collect(check_json(lines, text_column, added, name))
    records = split_csv(lines) if kind == "csv" else split_tsv(lines)
    _, header, *fault = next(records, (1, [], "", ""))
    if not header:
        raise ValueError(
            f"{name} does not start with a header: "
            f"{': '.join(filter(None, fault)) or 'its first line is empty'}"
        )
    if "\r" in "".join(header) and kind == "tsv":
        raise ValueError(
            f"{name} has carriage returns within its lines: end lines with line feeds, as with "
            "tr '\\r' '\\n'"
        )
    if not is_encodable("".join(header)):
        raise ValueError(
            f"the header of {name} is not in the encoding expected: name the right one with "
            "--encoding, such as latin-1"
        )
    place = find_column(header, text_column, name)
    refuse_taken(header, added, name)
    return header, collect(check_records(records, place, len(header)))


def quote(field: str) -> str:
    """Return a field of CSV in quotes if it needs them.

    Python's writer leaves a lone carriage return bare, which readers take for the end of a row.
    """
    return '"' + field.replace('"', '""') + '"' if NEEDS_QUOTES.search(field) else field


def make_writer(file: TextIO, kind: str, header: list[str] | None, added: Sequence[str]) -> Write:
    """Write the header, if there is one, and return a function that writes rows."""

    def write_csv(rows: list[list[str]], values: Sequence[list]) -> None:
        for row, more in zip(rows, zip(*values, strict=True), strict=True):
            file.write(",".join(map(quote, [*row, *map(str, more)])) + "\n")

    def write_tsv(rows: list[list[str]], values: Sequence[list]) -> None:
        for row, more in zip(rows, zip(*values, strict=True), strict=True):
            file.write("\t".join([*row, *map(str, more)]) + "\n")

    def write_json(rows: list[str], values: Sequence[list]) -> None:
        for row, more in zip(rows, zip(*values, strict=True), strict=True):
            # The object has a member, its text, so that a comma fits.
            members = json.dumps(dict(zip(added, more, strict=True)), ensure_ascii=False)
            file.write(f"{row[:-1].rstrip()}, {members[1:]}\n")

    writers: dict[str, Write] = {"csv": write_csv, "tsv": write_tsv, "jsonl": write_json}
    write = writers[kind]
    if header is not None:
        write([header], [[name] for name in added])
    return write
