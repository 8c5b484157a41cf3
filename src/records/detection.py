"""Find out how a file of rows is written, and read its values as strings.

Only ``python src start`` does this. The pipeline reads what params.yaml says, and guesses nothing.
"""

import codecs
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.errors import UserError
from core.terminal import escape_unprintable
from records.formats import GZIP_MAGIC
from records.reading import READERS, unpack
from records.schema import Schema, find_repeated
from records.splitting import Record, bound_lines, split_csv, split_tsv
from records.validation_params import ValidationParams
from records.values import is_nested, to_text

SEPARATORS = (",", "\t", ";", "|")
# So many lines are enough to see the separator.
SAMPLE_LINES = 2000
NUMBER = re.compile(r"[-+]?[0-9.,]+([eE][-+]?[0-9]+)?")
# Other binary formats: the first bytes, the format's description, what to do.
REFUSED = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (xls)", "save it as xlsx or CSV"),
    (b"SQLite format 3\0", "an SQLite database", "name it as a database in data_ingestion.sources"),
    (b"%PDF", "a PDF document", "export its table as CSV"),
    (b"ORC", "in ORC", "write it as Parquet or CSV"),
    (b"Obj\x01", "in Avro", "write it as Parquet or CSV"),
)


@dataclass(frozen=True)
class Layout:
    """How a file is written, as section ``data_validation`` of params.yaml describes it.

    Attributes
    ----------
    format : {'delimited', 'jsonl', 'parquet', 'excel'}
        The format, without compression.
    encoding, separator, quoting
        Of text. Other formats have those of a usual CSV file, which do nothing.
    columns : list of str or None
        Names for the columns of a file without a header.
    evidence : dict of str to str
        Why, by attribute.
    """

    format: str
    encoding: str
    separator: str
    quoting: bool
    columns: list[str] | None
    evidence: dict[str, str]


@dataclass(frozen=True)
class Found:
    """A file's layout and values.

    Attributes
    ----------
    layout : Layout
        How the file is written.
    table : DataFrame of str
        The values as strings; NaN where there is none, or an empty one.
    n_malformed : int
        Records that are not in the table, such as those with the wrong number of fields.
    nested : list of str
        Columns with lists or objects.
    """

    layout: Layout
    table: pd.DataFrame
    n_malformed: int
    nested: Sequence[str] = ()


def detect(raw: bytes, target: str, names: Sequence[str] = (), encoding: str = "") -> Found:
    """Find a file's layout and read it.

    Parameters
    ----------
    raw : bytes
        The content of the file.
    target : str
        The name of the target: a first row that has it is a header.
    names : sequence of str
        Names for the columns of a file without a header.
    encoding : str
        The encoding of a text, '' to detect it.

    Raises
    ------
    UserError
        If the format is not supported, the file is damaged or has no rows, or its header cannot
        be used.
    """
    content = unpack(raw)
    packed = ", compressed by gzip" if raw.startswith(GZIP_MAGIC) else ""
    if not content.strip():
        raise UserError("the file is empty", "name another one")
    for start, description, fix in REFUSED:
        if content.startswith(start):
            raise UserError(f"the file is {description}", fix)
    kind, encoding, why = "", encoding or "utf-8", "as asked for" if encoding else ""
    if content.startswith(b"PAR1"):
        kind, evidence = "parquet", "the file starts with PAR1"
    elif content.startswith(b"PK\x03\x04"):
        if b"xl/workbook" not in content:
            raise UserError("the file is a zip archive", "name a file in it: zip://MEMBER::ARCHIVE")
        kind, evidence = "excel", "an Excel workbook, of which the first sheet is read"
    else:
        if not why:
            encoding, why = detect_encoding(content)
        text = decode(content, encoding)
        if text.lstrip().startswith(("{", "[")) and is_json(text):
            kind, evidence = "jsonl", "the lines are JSON objects"
        else:
            found = read_delimited(text, encoding, why, packed, target, names)
    if kind:
        reasons = {"format": evidence + packed, "encoding": why}
        layout = Layout(kind, encoding, ",", True, None, reasons)
        found = Found(layout, *read_typed(content, kind, encoding))
    check_table(found)
    return found


def check_table(found: Found) -> None:
    """Raise ``UserError`` if a file has no rows, or a name of a column cannot be used."""
    columns = list(found.table.columns)
    if not len(found.table):
        raise UserError("the file has no rows that can be read", "name another one")
    if len(columns) < 2:
        raise UserError(
            f"the file has only one column, {escape_unprintable(columns[0])[:40]!r}",
            "name a file with a target and at least one other column",
        )
    if repeated := find_repeated(columns):
        raise UserError(f"the column {repeated!r} occurs more than once", "rename or remove one")
    if len([name for name in columns if not name.strip()]) > 1:
        raise UserError("several columns have no name", "name or remove them")


def detect_encoding(content: bytes) -> tuple[str, str]:
    """Return the encoding of a text and the evidence for it."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return name, "the file starts with its byte order mark"
    sample = content[: 1 << 16]
    zeros = [part.count(0) / max(1, len(part)) for part in (sample[::2], sample[1::2])]
    if max(zeros) > 0.4 and min(zeros) < 0.1:
        name = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        return name, "every second byte is zero"
    try:
        text = content.decode("utf-8")
        return "utf-8", "all bytes are ASCII" if text.isascii() else "all bytes are valid UTF-8"
    except UnicodeDecodeError:
        text = content.decode("utf-8", "surrogateescape")
    n_bad = sum("\udc80" <= character <= "\udcff" for character in text)
    n_good = sum(character > "\x7f" for character in text) - n_bad
    if n_good > 10 * n_bad:
        return "utf-8", f"all but {n_bad} bytes are valid UTF-8"
    why = "not UTF-8; assumed, name another with --encoding if letters are wrong"
    try:
        content.decode("cp1252")
        return "cp1252", why
    except UnicodeDecodeError:
        return "latin-1", why


def decode(content: bytes, encoding: str) -> str:
    """Decode a text; bytes that are not in the encoding become lone surrogates (PEP 383)."""
    try:
        name = codecs.lookup(encoding).name
        text = content.decode("utf-8-sig" if name == "utf-8" else name, "surrogateescape")
    except LookupError as error:
        raise UserError(f"Python knows no encoding {encoding!r}", "correct --encoding") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the file is not in {encoding} ({error.reason})") from error
    sample = text[: 1 << 16]
    if "\x00" in sample or sum(map(is_unreadable, sample)) > 0.1 * len(sample):
        raise UserError(
            "the file is in a binary format that is not known",
            "name a file of CSV, TSV, JSON lines, Parquet or Excel",
        )
    return text


def is_unreadable(character: str) -> bool:
    """Return whether a character hardly occurs in texts."""
    return (character < " " and character not in "\t\r\n\f\v") or "\udc80" <= character <= "\udcff"


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> pd.DataFrame:
    """Return a table of strings, NaN for empty ones."""
    table = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    # Lone surrogates do not fit into pandas' type of strings.
    table = table.map(lambda v: v.encode("utf-8", "replace").decode() if v else None)
    return table.astype("str")


def read_typed(
    content: bytes, kind: str, encoding: str = "utf-8"
) -> tuple[pd.DataFrame, int, list[str]]:
    """Return the values of a file that is not delimited, as the pipeline reads them, as strings.

    Returns
    -------
    table : DataFrame of str
        The values, NaN for missing ones.
    n_malformed : int
        Rows that cannot be read.
    nested : list of str
        Columns with lists or objects.
    """
    # These readers need no more of the parameters.
    params = ValidationParams.model_construct(encoding=encoding)
    read = READERS[kind](content, None, Schema.model_construct(), params)
    values = (to_text(column).fillna("") for _, column in read.columns.items())
    rows = zip(*values, strict=True)
    nested = [str(name) for name, column in read.columns.items() if is_nested(column).any()]
    return make_table([str(name) for name in read.columns], rows), len(read.unread), nested


def is_json(text: str) -> bool:
    """Return whether a text that starts with a bracket is JSON.

    Raises
    ------
    UserError
        If it is a JSON array or a single object.
    """
    first, _, rest = text.strip().partition("\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return False
        rest = ""
    if isinstance(value, dict) and rest:
        return True
    if isinstance(value, dict | list) and not rest:
        raise UserError(
            "the file is one JSON value, not JSON lines",
            "write one object per line, as with jq --compact-output '.[]'",
        )
    return False


def split(text: str, separator: str, quoting: bool) -> Iterable[Record]:
    """Split a text into records."""
    lines = bound_lines(io.StringIO(text, newline="\n"), ("\n",))
    return (split_csv if quoting else split_tsv)(lines, separator)


def rate(text: str, separator: str, quoting: bool) -> tuple[float, int]:
    """Return the share of records that have the usual number of fields, and that number."""
    records = list(split(text, separator, quoting))
    counts = Counter(len(fields) for _, fields, reason, _, _ in records if fields and not reason)
    # A text column without quotes may hold separators: of equally frequent numbers the larger.
    n_fields, n = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    filled = sum(1 for record in records if record[1] or record[2])
    return n / max(1, filled), n_fields


def detect_separator(text: str) -> tuple[str, bool, str]:
    """Return the separator of a text, whether fields may be quoted, and the evidence."""
    sample = "".join(itertools.islice(io.StringIO(text, newline="\n"), SAMPLE_LINES))
    best: tuple[float, int, bool, str] | None = None
    for separator in SEPARATORS:
        if separator not in sample:
            continue
        quoted = re.compile(rf'(^|{re.escape(separator)})"', re.MULTILINE)
        # Without quotes at the start of a field, both readings are equal: CSV is the usual one.
        has_quotes = bool(quoted.search(sample))
        readings = [True, False] if has_quotes or '"' in sample else [separator != "\t"]
        for quoting in readings:
            share, n_fields = rate(sample, separator, quoting)
            found = (round(share, 3), n_fields if share > 0.9 else 0, quoting, separator)
            # More fields only count where almost all records have the same number of them.
            if n_fields > 1 and (best is None or found[:2] > best[:2]):
                best = found
    if best is None:
        raise UserError(
            "the file has only one column: no line has a comma, tab, semicolon or vertical bar",
            "name a file with a target and at least one other column",
        )
    share, _, quoting, separator = best
    n_fields = rate(sample, separator, quoting)[1]
    whose = "all lines have" if share == 1 else f"{share:.1%} of the lines have"
    return separator, quoting, f"{whose} {n_fields} fields"


def read_delimited(
    text: str, encoding: str, why: str, packed: str, target: str, names: Sequence[str]
) -> Found:
    """Read CSV, TSV and similar text."""
    separator, quoting, evidence = detect_separator(text)
    records = [
        (fields, reason)
        for _, fields, reason, _, _ in split(text, separator, quoting)
        if fields or reason
    ]
    lengths = Counter(len(fields) for fields, reason in records if not reason)
    n_fields = max(lengths.items(), key=lambda item: (item[1], item[0]))[0]
    first = records[0][0]
    columns, header = choose_columns(records, n_fields, target, names)
    if columns is None:
        if any("\udc80" <= character <= "\udcff" for character in "".join(first)):
            raise UserError(f"the header is not in {encoding}", "name the encoding: --encoding")
        records = records[1:]
    rows = [fields for fields, reason in records if not reason and len(fields) == n_fields]
    layout = Layout(
        "delimited",
        encoding,
        separator,
        quoting,
        columns,
        {
            "format": f"lines of text{packed}",
            "encoding": why,
            "separator": evidence,
            "quoting": "fields in double quotes" if quoting else "quotes have no meaning",
            "columns": header,
        },
    )
    return Found(layout, make_table(columns or first, rows), len(records) - len(rows))


def choose_columns(
    records: Sequence[tuple[list[str], str]], n_fields: int, target: str, names: Sequence[str]
) -> tuple[list[str] | None, str]:
    """Return the names of columns without a header, None if there is one, and the evidence.

    Raises
    ------
    UserError
        If there are not as many names as columns, or the header has another number of fields.
    """
    first = records[0][0]
    if names:
        if len(names) != n_fields:
            raise UserError(f"--columns has {len(names)} names, the file {n_fields} columns")
        if list(names) != first:
            return list(names), "as asked for: the first row is not a header"
    if target in first or names:
        if len(first) != n_fields:
            raise UserError(f"the header has {len(first)} fields, the other lines have {n_fields}")
        return None, "the first row is a header"
    numbered = [f"column_{n}" for n in range(1, n_fields + 1)]
    if looks_like_header(records, n_fields) and target not in numbered:
        return None, "the first row is a header"
    return numbered, "the first row is not a header: the names are made up"


def looks_like_header(records: Sequence[tuple[list[str], str]], n_fields: int) -> bool:
    """Return whether the first row differs from those after it as a header does."""
    first, rows = records[0][0], [fields for fields, _ in records[1:] if len(fields) == n_fields]
    if len(first) != n_fields or find_repeated(first) or any(map(NUMBER.fullmatch, first)):
        return False
    # A value that occurs again in its column is data, such as a label.
    return not any(name in {row[i] for row in rows} for i, name in enumerate(first) if name)


def read_path(path: Path) -> bytes:
    """Return the content of a file; raise ``UserError`` for a folder."""
    if path.is_dir():
        raise UserError(f"{path} is a folder", "name a file in it")
    return path.read_bytes()
