"""The file of added rows: a fixed first line, then rows in the format of the source."""

import codecs
import os
import shutil
from pathlib import Path

from core.errors import UserError

# Without additions the file would be empty, and DVC would warn about that on every run.
FIRST_LINE = b"# Rows that are added to those of the source, after this line\n"
# The first bytes of formats to whose rows no line can be added.
NOT_LINES = {
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"PAR1": "Parquet",
    b"PK\x03\x04": "Excel",
    b"\xd0\xcf\x11\xe0": "Excel",
}
GZIP = b"\x1f\x8b"


def read_added(content: bytes) -> bytes:
    """Return the content of a file of additions without its first line.

    Raises
    ------
    UserError
        If it does not start with ``FIRST_LINE``.
    """
    if not content.startswith(FIRST_LINE):
        raise UserError(
            f"its first line is not {FIRST_LINE.decode().strip()!r}",
            "let src/data_ingestion.py write it, from data_ingestion.additions in params.yaml",
        )
    return content.removeprefix(FIRST_LINE)


def read_start(path: Path) -> bytes:
    """Return the first bytes of a file, enough to recognise its format."""
    with path.open("rb") as file:
        return file.read(4)


def check_source(path: Path) -> None:
    """Raise ``UserError`` if the source's format does not allow rows to be added to it."""
    start = read_start(path)
    for mark, name in NOT_LINES.items():
        if start.startswith(mark):
            raise UserError(
                f"nothing can be added to a source in {name}",
                "convert the source to CSV or JSON lines in UTF-8",
            )


def append(path: Path, target: Path) -> None:
    """Append a file to ``target``, which is not empty; first end its last line if necessary.

    Raises
    ------
    UserError
        If the file is not plain text, or starts with a byte order mark, which must not occur
        inside a text.
    """
    start = read_start(path)
    if start.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError("it starts with a byte order mark", "save it without one")
    if start.startswith((GZIP, *NOT_LINES)):
        raise UserError("it is not plain text", "save its rows as text, without a header")
    with target.open("rb+") as whole, path.open("rb") as added:
        whole.seek(-1, os.SEEK_END)
        if whole.read(1) != b"\n":
            whole.write(b"\n")
        shutil.copyfileobj(added, whole)
