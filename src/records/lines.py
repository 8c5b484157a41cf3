"""Messages as lines of text: CSV, TSV and JSON lines.

Values are written as they were read: fields stay strings, and lines of JSON keep their characters.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn, TextIO

from core.errors import UserError
from records.batches import Row, gather, gather_live
from records.chunks import (
    Chunk,
    Write,
    find_column,
    inspect_text,
    is_encodable,
    refuse_taken,
)
from records.splitting import (
    LINE_ENDS,
    TOO_LONG,
    Record,
    bound_lines,
    is_too_long,
    split_csv,
    split_tsv,
)

NEEDS_QUOTES = re.compile('[",\r\n]')
# The start of a JSON array of objects.
ARRAY_START = re.compile(r"\s*\[\s*(\{|$)")


def check_records(records: Iterable[Record], place: int, n_columns: int) -> Iterator[Row]:
    """Check records of CSV or TSV; ``place`` is the index of the column that holds the text."""
    for number, fields, reason, detail, _ in records:
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
    """Raise ``ValueError`` for NaN and infinities, which Python's parser accepts as numbers."""
    raise ValueError(f"JSON has no {name}")


# float, because int() is limited to 4300 digits; the values are not used, lines are copied as text.
DECODER = json.JSONDecoder(parse_int=float, parse_constant=refuse_constant)


def check_json(
    lines: Iterable[str], text_column: str, added: Sequence[str], name: object
) -> Iterator[Row]:
    """Check JSON lines; the row is the line itself.

    Raises
    ------
    UserError
        If the first line starts an array, or a line already has one of the keys to add.
    """
    for number, line in enumerate(lines, start=1):
        if number == 1 and ARRAY_START.match(line):
            raise UserError(
                f"{name} is a JSON array, not JSON lines",
                "write one object per line, as with jq --compact-output '.[]'",
            )
        if is_too_long(line):
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
        The open file, with undecodable bytes as lone surrogates (PEP 383).
    kind : {'csv', 'tsv', 'jsonl'}
        Its format.
    text_column : str
        The column that holds the messages.
    added : sequence of str
        Columns that will be added to the output; the file must not have them already.
    name : object
        The name of the file, for messages.
    is_live : bool
        Whether somebody may be writing to it, as to a pipe: then chunks do not wait to be full.

    Raises
    ------
    UserError
        If there is no header, or the header lacks the column or has one of those to add.
    """
    lines = bound_lines(file, LINE_ENDS[kind])
    collect = gather_live if is_live else gather
    if kind == "jsonl":
        return None, collect(check_json(lines, text_column, added, name))
    records = split_csv(lines) if kind == "csv" else split_tsv(lines)
    _, header, *problem, _ = next(records, (1, [], "", "", ""))
    if not header:
        raise UserError(
            f"{name} does not start with a header: "
            f"{': '.join(filter(None, problem)) or 'its first line is empty'}"
        )
    if "\r" in "".join(header) and kind == "tsv":
        raise UserError(
            f"{name} has carriage returns within its lines",
            "end lines with line feeds, as with tr '\\r' '\\n'",
        )
    if not is_encodable("".join(header)):
        raise UserError(
            f"the header of {name} is not in the expected encoding",
            "name the correct encoding with --encoding, such as latin-1",
        )
    place = find_column(header, text_column, name)
    refuse_taken(header, added, name)
    return header, collect(check_records(records, place, len(header)))


def quote(field: str) -> str:
    """Return a field of CSV, in quotes if it needs them.

    Python's csv.writer does not quote a lone carriage return, which readers take for a line end.
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
            # The object has at least one member, its text, so a comma is valid here.
            members = json.dumps(dict(zip(added, more, strict=True)), ensure_ascii=False)
            file.write(f"{row[:-1].rstrip()}, {members[1:]}\n")

    writers: dict[str, Write] = {"csv": write_csv, "tsv": write_tsv, "jsonl": write_json}
    write = writers[kind]
    if header is not None:
        write([header], [[name] for name in added])
    return write
