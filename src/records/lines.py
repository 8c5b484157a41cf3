"""Messages, and rows of tables, as lines of text: CSV, TSV and JSON lines.

Values are written as they were read: fields stay strings, and lines of JSON keep their characters.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TextIO

from core.errors import UserError
from records.batches import Row, gather, gather_live
from records.chunks import (
    CHUNK_ROWS,
    TABLE_CHUNK_ROWS,
    Chunk,
    Columns,
    TableColumns,
    Write,
    find_columns,
    inspect_text,
    list_columns,
    refuse_missing,
    refuse_taken,
)
from records.formats import ARRAY_START, is_encodable, refuse_constant
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

# From so many numbers on, importing Arrow and calling it pays.
MANY = 1000
# So many keys of JSON lines are remembered, to show them.
SHOWN_KEYS = 100


def check_records(
    records: Iterable[Record], places: Sequence[int], n_columns: int, is_table: bool = False
) -> Iterator[Row]:
    """Check records of CSV or TSV; ``places`` are the indices of the columns to read.

    The values of a table are checked later, many rows at once.
    """
    place = places[0]
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
        elif is_table:
            yield number, fields, [fields[each] for each in places], "", ""
        else:
            yield number, fields, fields[place], *inspect_text(fields[place])


# float, because int() is limited to 4300 digits; the values are not used, lines are copied as text.
DECODER = json.JSONDecoder(parse_int=float, parse_constant=refuse_constant)
# The values of a table are used: a whole number may be a category.
TABLE_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def pick_values(row: dict[str, Any], columns: TableColumns, seen: set[str]) -> list[Any]:
    """Return the values of a row, None for those that it lacks; add the keys to those seen."""
    values = []
    for names in columns.names:
        key = next((each for each in names if each in row), None)
        values.append(None if key is None else row[key])
        if key is not None:
            seen.add(names[0])
    return values


def check_json(
    lines: Iterable[str], columns: Columns, added: Sequence[str], name: object
) -> Iterator[Row]:
    """Check JSON lines; the row is the line itself.

    A row of a table may lack a key, as in the training data, but not all rows the same one.

    Raises
    ------
    UserError
        If the first line starts an array, if a line already has one of the keys to add, or if no
        row of a table has one of its columns.
    """
    decoder = DECODER if isinstance(columns, str) else TABLE_DECODER
    seen: set[str] = set()
    keys: set[str] = set()
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
            row = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            yield number, None, None, "malformed JSON", str(error)
            continue
        if not isinstance(row, dict):
            yield number, None, None, "not a JSON object", ""
            continue
        refuse_taken(row, added, f"line {number} of {name}")
        if isinstance(columns, str):
            text = row.get(columns)
            yield number, line, text, *inspect_text(text)
            continue
        if len(keys) < SHOWN_KEYS:
            keys.update(row)
        values = pick_values(row, columns, seen)
        if not row:
            yield number, None, None, "empty object", ""
        # Escapes can stand for half a character, which no file can store.
        elif "\\u" in line and not is_encodable(json.dumps(values, ensure_ascii=False)):
            yield number, None, None, "not valid Unicode", ""
        else:
            yield number, line, values, "", ""
    if not isinstance(columns, str) and keys:
        found = [names[0] if names[0] in seen else None for names in columns.names]
        refuse_missing(columns, found, name, list_columns(sorted(keys)))


def read_lines(
    file: TextIO,
    kind: str,
    columns: Columns,
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
    columns : str or TableColumns
        The column that holds the messages, or the columns of a table.
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
    is_table = not isinstance(columns, str)
    collect = partial(gather, n_rows=TABLE_CHUNK_ROWS if is_table else CHUNK_ROWS)
    if is_live:
        collect = partial(gather_live)
    if kind == "jsonl":
        return None, collect(check_json(lines, columns, added, name))
    separator = "\t"
    if kind == "csv":
        separator = "," if isinstance(columns, str) else columns.separator
    records = split_csv(lines, separator) if kind == "csv" else split_tsv(lines)
    _, header, *problem, text = next(records, (1, [], "", "", ""))
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
    places = find_columns(header, columns, name)
    refuse_taken(header, added, name)
    check = partial(check_records, places=places, n_columns=len(header), is_table=is_table)
    if is_live or not is_table:
        return header, collect(check(records))
    from records.blocks import count_lines, read_blocks

    n_lines = count_lines(text, kind)
    return header, read_blocks(file, kind, separator, len(header), places, n_lines, check)


def quote(field: str, needs_quotes: re.Pattern = NEEDS_QUOTES) -> str:
    """Return a field of CSV, in quotes if it needs them.

    Python's csv.writer does not quote a lone carriage return, which readers take for a line end.
    """
    return '"' + field.replace('"', '""') + '"' if needs_quotes.search(field) else field


def format_numbers(values: list[float]) -> list[str]:
    """Return numbers as ``str`` does; of many usual ones Arrow writes the same digits faster."""
    if len(values) < MANY:
        return list(map(str, values))
    import numpy as np
    import pyarrow as pa

    numbers = np.array(values, float)
    texts = pa.array(numbers).cast(pa.string()).to_pylist()
    sizes = np.abs(numbers)
    with np.errstate(invalid="ignore"):
        is_usual = (sizes >= 1e-4) & (sizes < 1e9) & (sizes != np.floor(sizes))
    for place in np.flatnonzero(~is_usual).tolist():
        texts[place] = str(values[place])
    return texts


def make_writer(
    file: TextIO,
    kind: str,
    header: list[str] | None,
    added: Sequence[str],
    separator: str = ",",
) -> Write:
    """Write the header, if there is one, and return a function that writes rows.

    ``separator`` is that of CSV.
    """
    signs = '"\r\n' + separator
    needs_quotes = re.compile(f"[{re.escape(signs)}]")
    quote_field = quote if separator == "," else partial(quote, needs_quotes=needs_quotes)

    def format_column(values: list) -> list[str]:
        is_number = bool(values) and isinstance(values[0], float)
        texts = format_numbers(values) if is_number else list(map(str, values))
        joined = "".join(texts)
        is_plain = not any(sign in joined for sign in signs)
        return texts if is_plain else list(map(quote_field, texts))

    def format_row(row: str | list[str]) -> str:
        return row if isinstance(row, str) else separator.join(map(quote_field, row))

    def write_csv(rows: list[str | list[str]], values: Sequence[list]) -> None:
        columns = [map(format_row, rows), *map(format_column, values)]
        file.writelines(separator.join(fields) + "\n" for fields in zip(*columns, strict=True))

    def write_tsv(rows: list[str | list[str]], values: Sequence[list]) -> None:
        for row, more in zip(rows, zip(*values, strict=True), strict=True):
            fields = [row] if isinstance(row, str) else row
            file.write("\t".join([*fields, *map(str, more)]) + "\n")

    def write_json(rows: list[str], values: Sequence[list]) -> None:
        for row, more in zip(rows, zip(*values, strict=True), strict=True):
            # The object has at least one member, so a comma is valid here.
            members = json.dumps(dict(zip(added, more, strict=True)), ensure_ascii=False)
            file.write(f"{row[:-1].rstrip()}, {members[1:]}\n")

    writers: dict[str, Write] = {"csv": write_csv, "tsv": write_tsv, "jsonl": write_json}
    write = writers[kind]
    if header is not None:
        write([header], [[name] for name in added])
    return write
