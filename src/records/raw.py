"""The raw file: decode it, split it into records, and check each record."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field, PositiveInt, model_validator

from core.errors import UserError
from core.params import Params
from records.schema import Encoding, Labels, Name, Share, find_repeated
from records.splitting import bound_lines, split_csv, split_tsv

# Above this share a file is binary: text has almost none of these characters.
MAX_UNREADABLE_SHARE = 0.1
UNREADABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\udc80-\udcff]")
SAVE_AS_CSV = "save it as CSV and name that file"
# Other formats: the first bytes, bytes that occur later, the format's description, the fix.
FORMATS = (
    (b"\x1f\x8b", b"", "compressed by gzip", "unpack it, as with gunzip, and name that file"),
    (b"PAR1", b"PAR1", "in Parquet", "write it as CSV, as with pandas, and name that file"),
    (b"PK\x03\x04", b"xl/workbook", "an Excel workbook", SAVE_AS_CSV),
    (b"PK\x03\x04", b"", "a zip archive", "name a file in it, as in zip://member::source"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", "an Excel workbook (xls)", SAVE_AS_CSV),
    (b"SQLite format 3\0", b"", "an SQLite database", "export its table as CSV, name that file"),
)


class ValidationParams(Params):
    """The section ``data_validation`` of params.yaml: format and limits of the raw data."""

    encoding: Encoding
    separator: str = Field(min_length=1, max_length=1)
    quoting: bool
    columns: list[Name] | None
    label_column: Name
    text_column: Name
    labels: Labels
    min_length: PositiveInt
    max_length: PositiveInt
    max_rejected_share: Share
    min_rows_per_label: PositiveInt

    @model_validator(mode="after")
    def values_agree(self) -> "ValidationParams":
        """Raise ``ValueError`` if columns, labels or lengths contradict each other."""
        for column in (self.label_column, self.text_column):
            if self.columns is not None and column not in self.columns:
                raise ValueError(f"columns lacks {column!r}")
        if repeated := find_repeated(self.columns or ()):
            raise ValueError(f"columns names {repeated!r} more than once")
        if self.labels.negative == self.labels.positive:
            raise ValueError("labels.negative and labels.positive are the same")
        if self.min_length > self.max_length:
            raise ValueError("min_length is above max_length")
        return self


@dataclass(frozen=True)
class Record:
    """A record; ``row`` is the number of its first line, from 1, ``line`` its text."""

    row: int
    line: str
    fields: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""
    is_added: bool = False


def decode(raw: bytes, encoding: str) -> str:
    """Decode a file; bytes that are not in ``encoding`` become lone surrogates (PEP 383).

    Raises
    ------
    UserError
        If the file is empty, is not text, or has another encoding.
    """
    if not raw.strip():
        raise UserError("the file is empty", "fetch it again")
    for start, rest, found, fix in FORMATS:
        if raw.startswith(start) and rest in raw[len(start) :]:
            raise UserError(f"the file is {found}, not text", fix)
    if not encoding.startswith(("utf-16", "utf-32")) and looks_like_utf16(raw):
        raise UserError(
            f"the file is in UTF-16, not in {encoding}", "set data_validation.encoding to utf-16"
        )
    try:
        text = raw.decode("utf-8-sig" if encoding == "utf-8" else encoding, "surrogateescape")
    except UnicodeDecodeError as error:
        raise UserError(
            f"the file is not in {encoding} ({error.reason} at byte {error.start})",
            "set data_validation.encoding to the file's encoding",
        ) from error
    if not text.strip():
        raise UserError("the file is empty", "fetch it again")
    unreadable = len(UNREADABLE.findall(text)) / max(1, len(text))
    if unreadable > MAX_UNREADABLE_SHARE:
        raise UserError(
            f"the file is binary or not in {encoding}, {unreadable:.0%} of its characters are not "
            "text",
            "check the source, or set data_validation.encoding",
        )
    return text


def looks_like_utf16(raw: bytes) -> bool:
    """Return whether bytes start with UTF-16's mark, or every second byte is mostly zero."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    sample = raw[: 1 << 16]
    even, odd = sample[::2], sample[1::2]
    zeros = sorted((even.count(0) / max(1, len(even)), odd.count(0) / max(1, len(odd))))
    return zeros[0] < 0.1 and zeros[1] > 0.4


def split_records(text: str, params: ValidationParams) -> Iterator[Record]:
    """Yield a record for each line; with quoting a record may span several lines (RFC 4180).

    A record gets a reason for rejection if it is too long, its quoting is broken, or a quoted
    field contains lines that look like records themselves.
    """
    labels = "|".join(map(re.escape, (params.labels.negative, params.labels.positive)))
    swallowed = re.compile(rf"\n({labels}){re.escape(params.separator)}")
    split = split_csv if params.quoting else split_tsv
    # Only line feeds end a line, not a carriage return alone.
    lines = bound_lines(io.StringIO(text, newline="\n"), ("\n",))
    for row, fields, reason, detail, written in split(lines, params.separator):
        if any(swallowed.search(field) for field in fields):
            reason = "quotes swallow lines"
        line = written.removesuffix("\n").removesuffix("\r")
        yield Record(row, line, tuple(fields), reason, detail)


def check_record(
    record: Record, label: int, text: int, n_columns: int, params: ValidationParams
) -> tuple[str, str]:
    """Return why a record is rejected, and details; ('', '') if it is valid.

    ``label`` and ``text`` are the indices of these columns among ``n_columns``.
    """
    if record.reason:
        return record.reason, record.detail
    if any("\udc80" <= character <= "\udcff" for character in record.line):
        return "undecodable bytes", f"not {params.encoding}"
    if "\x00" in record.line:
        return "NUL character", ""
    if len(record.fields) != n_columns:
        return "wrong number of fields", f"{len(record.fields)}, expected {n_columns}"
    if record.fields[label] not in (params.labels.negative, params.labels.positive):
        return "unknown label", repr(record.fields[label])
    length = len(record.fields[text])
    if not record.fields[text].strip():
        return "empty text", ""
    if length < params.min_length:
        return "text too short", f"{length} characters, at least {params.min_length}"
    if length > params.max_length:
        return "text too long", f"{length} characters, at most {params.max_length}"
    return "", ""
