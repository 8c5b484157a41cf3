"""The raw file as text: decode it, and split it into records."""

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import UserError
from records.splitting import bound_lines, split_csv, split_tsv
from records.validation_params import ValidationParams

# Above this share a file is binary: text has almost none of these characters.
MAX_UNREADABLE_SHARE = 0.1
UNREADABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\udc80-\udcff]")
SAVE_AS_CSV = "save it as CSV and name that file"
# Other formats: the first bytes, bytes that occur later, the format's description, the fix.
FORMATS = (
    (b"PAR1", b"PAR1", "in Parquet", "set data_validation.format to parquet"),
    (b"PK\x03\x04", b"xl/workbook", "an Excel workbook", "set data_validation.format to excel"),
    (b"PK\x03\x04", b"", "a zip archive", "name a file in it, as in zip://member::source"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", "an Excel workbook (xls)", SAVE_AS_CSV),
    (b"SQLite format 3\0", b"", "an SQLite database", "export its table as CSV, name that file"),
)


@dataclass(frozen=True)
class Record:
    """A record; ``row`` is the number of its first line, from 1, ``line`` its text."""

    row: int
    line: str
    fields: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""


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


def split_records(
    text: str, params: ValidationParams, labels: Sequence[str] = ()
) -> Iterator[Record]:
    """Yield a record for each line; with quoting a record may span several lines (RFC 4180).

    A record gets a reason for rejection if it is too long, its quoting is broken, or a quoted
    field contains lines that start with one of ``labels`` and so look like records themselves.
    """
    starts = "|".join(map(re.escape, labels))
    swallowed = re.compile(rf"\n({starts}){re.escape(params.separator)}") if labels else None
    split = split_csv if params.quoting else split_tsv
    # Only line feeds end a line, not a carriage return alone.
    lines = bound_lines(io.StringIO(text, newline="\n"), ("\n",))
    for row, fields, reason, detail, written in split(lines, params.separator):
        if swallowed and any(swallowed.search(field) for field in fields):
            reason = "quotes swallow lines"
        line = written.removesuffix("\n").removesuffix("\r")
        yield Record(row, line, tuple(fields), reason, detail)
