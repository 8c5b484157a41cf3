"""Split large delimited text without difficulties by Arrow's CSV reader.

Whether there are difficulties is found first, from the bytes: what is split here has the same
result as with ``records.splitting``, which makes a string of Python for each field.
"""

import codecs
import csv
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from records.raw import UNREADABLE
from records.raw_tables import RawTable, make_table, stack
from records.splitting import MAX_LINE
from records.validation_params import ValidationParams

LINE_FEED, QUOTE = ord("\n"), ord('"')
CONTROLS = bytes(byte for byte in range(128) if UNREADABLE.match(chr(byte)))


def split_plain(raw: bytes, columns: list[str] | None, params: ValidationParams) -> RawTable | None:
    """Split a file whose lines are all records with the same number of fields.

    Returns
    -------
    RawTable or None
        None if the file needs the exact reader: it has another encoding than UTF-8 or damaged
        bytes, control characters, carriage returns alone, very long or empty lines, quoted fields
        with quotes or line feeds in them, or rows with another number of fields.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8)
    separator = params.separator
    if params.encoding != "utf-8" or not separator.isascii() or separator in '"\r\n':
        return None
    if raw.count(b"\r") != raw.count(b"\r\n") or len(raw.translate(None, CONTROLS)) != len(raw):
        return None
    # Arrow takes an empty line for a row of empty fields.
    if raw.startswith((b"\n", b"\r\n")) or b"\n\n" in raw or b"\n\r\n" in raw:
        return None
    content = np.frombuffer(raw, np.uint8)
    ends = np.flatnonzero(content == LINE_FEED)
    if not raw.endswith(b"\n"):
        ends = np.append(ends, len(raw))
    if np.diff(ends, prepend=-1).max(initial=0) > MAX_LINE:
        return None
    has_quotes = params.quoting and b'"' in raw
    if has_quotes and not are_quotes_plain(content, ends, ord(separator)):
        return None
    start = 0
    if columns is None:
        start = int(ends[0]) + 1
        # As in the exact reader, a quote has a meaning only with quoting.
        header = raw[:start].decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
        [columns] = (
            csv.reader([header], delimiter=separator) if has_quotes else [header.split(separator)]
        )
    if len(columns) < 2 or start >= len(raw):
        return None
    table = parse(raw[start:], len(columns), separator, has_quotes)
    first = int(start > 0)
    if table is None or table.num_rows != len(ends) - first:
        return None
    values = stack(
        [pd.Series(column.to_pandas(), dtype="str") for column in table.columns], columns
    )
    starts = np.append(0, ends + 1)

    def show(place: int) -> str:
        line = raw[starts[place + first] : ends[place + first]]
        return line.decode().removesuffix("\r")

    return make_table(values, np.arange(1, len(values) + 1) + first, [], show, len(ends))


def are_quotes_plain(content: np.ndarray, ends: np.ndarray, separator: int) -> bool:
    """Return whether each quote opens or closes a whole field of one line, without quotes in it."""
    quotes = np.flatnonzero(content == QUOTE)
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    padded = np.concatenate([[LINE_FEED], content, [LINE_FEED]])
    before, after = padded[opening], padded[closing + 2]
    return bool(
        np.isin(before, [separator, LINE_FEED]).all()
        and np.isin(after, [separator, LINE_FEED, ord("\r")]).all()
        and (np.searchsorted(ends, opening) == np.searchsorted(ends, closing)).all()
    )


def parse(raw: bytes, n_columns: int, separator: str, has_quotes: bool) -> Any:
    """Return Arrow's table of text columns, or None if it does not accept a row."""
    if raw.startswith(codecs.BOM_UTF8):
        return None  # Arrow would drop it
    names = [str(number) for number in range(n_columns)]
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(raw),
            arrow_csv.ReadOptions(column_names=names, block_size=2 * MAX_LINE, use_threads=False),
            arrow_csv.ParseOptions(
                delimiter=separator,
                quote_char='"' if has_quotes else False,
                double_quote=False,
                ignore_empty_lines=False,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
