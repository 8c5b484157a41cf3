"""Messages as lines of text: CSV, TSV and JSON lines, in UTF-8.

What is written is what was read: fields stay strings, and a line of JSON keeps its characters.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from common.message_chunks import (
    CHUNK_ROWS,
    Chunk,
    Rejection,
    Write,
    find_column,
    find_fault,
    is_encodable,
    refuse_taken,
)

NEEDS_QUOTES = re.compile('[",\r\n]')

# The first line's number, fields, and why they are none.
Record = tuple[int, list[str], str]
# Likewise, the row as it is written, its text, the reason and its particulars.
Row = tuple[int, Any, Any, str, str]


def split_csv(lines: Iterator[str]) -> Iterator[Record]:
    """Yield the records of CSV (RFC 4180).

    A stray quote makes the reader run on, to the next quote or its limit of 131,072 characters. It
    costs the record's first line alone: the lines after it are read again.
    """
    again: deque[str] = deque()
    used: list[str] = []

    def feed() -> Iterator[str]:
        while (line := again.popleft() if again else next(lines, None)) is not None:
            used.append(line)
            yield line

    number = 1
    reader = csv.reader(feed(), strict=True)
    while True:
        used.clear()
        fields, fault = [], ""
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = str(error)
            again.extendleft(reversed(used[1:]))
            del used[1:]
            reader = csv.reader(feed(), strict=True)
        yield number, fields, fault
        number += len(used)


def split_tsv(lines: Iterator[str]) -> Iterator[Record]:
    """Yield the records of TSV, one a line, in which quotes mean nothing."""
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\n").removesuffix("\r")
        yield number, line.split("\t") if line else [], ""


def check_records(records: Iterable[Record], place: int, n_columns: int) -> Iterator[Row]:
    """Check records of CSV or TSV, whose column of number ``place`` holds the text."""
    for number, fields, fault in records:
        if fault:
            yield number, None, None, "broken quoting", fault
        elif not fields:
            yield number, None, None, "empty line", ""
        elif len(fields) != n_columns:
            detail = f"{len(fields)}, expected {n_columns}"
            yield number, None, None, "wrong number of fields", detail
        elif not is_encodable("".join(fields)):
            yield number, None, None, "not valid Unicode", ""
        else:
            yield number, fields, fields[place], find_fault(fields[place]), ""


def check_json(lines: Iterable[str], text_column: str, added: Sequence[str]) -> Iterator[Row]:
    """Check JSON lines; the row is the line itself.

    Raises
    ------
    ValueError
        If a line has a key that would be added.
    """
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line:
            yield number, None, None, "empty line", ""
            continue
        if not is_encodable(line):
            yield number, None, None, "not valid Unicode", ""
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, None, None, "malformed JSON", str(error)
            continue
        if not isinstance(row, dict):
            yield number, None, None, "not a JSON object", ""
            continue
        refuse_taken(row, added, f"line {number}")
        text = row.get(text_column)
        yield number, line, text, find_fault(text), ""


def gather(rows: Iterable[Row]) -> Iterator[Chunk]:
    """Part rows into scorable and rejected ones, ``CHUNK_ROWS`` at a time."""
    chunk = Chunk([], [], [])
    for number, row, text, reason, detail in rows:
        if reason:
            chunk.rejected.append(Rejection(number, reason, detail))
        else:
            chunk.texts.append(text)
            chunk.rows.append(row)
        if len(chunk.texts) + len(chunk.rejected) == CHUNK_ROWS:
            yield chunk
            chunk = Chunk([], [], [])
    if chunk.texts or chunk.rejected:
        yield chunk


def read_lines(
    lines: TextIO, kind: str, text_column: str, added: Sequence[str], name: object
) -> tuple[list[str] | None, Iterator[Chunk]]:
    """Return the header, None for JSON lines, and the chunks of a file.

    Parameters
    ----------
    lines : text file
        What to read, undecodable bytes as lone surrogates (PEP 383).
    kind : {'csv', 'tsv', 'jsonl'}
        Its format.
    text_column : str
        The column that holds the messages.
    added : sequence of str
        Columns that it must not have.
    name : object
        What to call it in messages.

    Raises
    ------
    ValueError
        If there is no header, or it lacks the column or has one that would be added.
    """
    if kind == "jsonl":
        return None, gather(check_json(lines, text_column, added))
    records = split_csv(lines) if kind == "csv" else split_tsv(lines)
    _, header, fault = next(records, (1, [], ""))
    if not header:
        raise ValueError(
            f"{name} does not start with a header: {fault or 'its first line is empty'}"
        )
    if not is_encodable("".join(header)):
        raise ValueError(f"the header of {name} is not in UTF-8: convert the file")
    place = find_column(header, text_column, name)
    refuse_taken(header, added, name)
    return header, gather(check_records(records, place, len(header)))


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
