"""What the readers and writers of every format share: chunks of messages, and what is none."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.errors import UserError
from records.schema import find_repeated
from text.normalise import normalise_text

CHUNK_ROWS = 2000
# Of a text, as received and as normalised: far more than any message has.
MAX_LENGTH = 100_000
# NFKC makes no more of one character.
MAX_EXPANSION = 18
# Of the names of columns that an error shows.
SHOWN_COLUMNS = 10
SHOWN_LENGTH = 40

# Takes a chunk's rows, and for each added column the list of its values.
Write = Callable[[Any, Sequence[list]], None]


class Rejection(NamedTuple):
    """A row that cannot be scored: its first line, counted from 1; in Parquet, its row."""

    line: int
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Chunk:
    """The texts of some rows, the same rows as their format has them, and the rejected ones."""

    texts: list[str]
    rows: Any
    rejected: list[Rejection]
    is_urgent: bool = False  # nothing else is there to be scored, and somebody may wait


@dataclass(frozen=True)
class Source:
    """An open file of messages: what its writer needs to know of it, and its chunks."""

    header: Any  # names of CSV and TSV, schema of Parquet, None for JSON lines
    chunks: Iterator[Chunk]
    size: int | None  # None if it cannot be told, as of a pipe
    tell: Callable[[], int]  # how much of the size is read


def find_fault(text: object) -> str:
    """Return why a value cannot be scored, or ''."""
    if text is None:
        return "missing text"
    if not isinstance(text, str):
        return "text is not a string"
    if not text.strip():
        return "empty text"
    return "" if is_encodable(text) else "not valid Unicode"


def find_excess(text: str) -> str:
    """Return by how much a text is too long to be scored, or ''."""
    if len(text) > MAX_LENGTH:
        return f"{len(text):,} characters, at most {MAX_LENGTH:,}"
    if text.isascii() or len(text) * MAX_EXPANSION <= MAX_LENGTH:
        return ""
    length = len(normalise_text(text))
    return f"{length:,} characters in NFKC, at most {MAX_LENGTH:,}" if length > MAX_LENGTH else ""


def inspect_text(text: object) -> tuple[str, str]:
    """Return why a value of a file cannot be scored, and its particulars, or two times ''."""
    if (fault := find_fault(text)) or not isinstance(text, str):
        return fault, ""
    excess = find_excess(text)
    return ("text too long", excess) if excess else ("", "")


def is_encodable(text: str) -> bool:
    """Tell whether a string is free of lone surrogates, which stand for undecodable bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def find_column(columns: list[str], text_column: str, name: object) -> int:
    """Return the number of the column that holds the messages, or raise ``ValueError``."""
    if repeated := find_repeated(columns):
        raise UserError(f"{name} has the column {repeated!r} more than once: rename or remove one")
    if text_column not in columns:
        raise UserError(
            f"{name} has no column {text_column!r}, only {list_columns(columns)}: "
            "name the one that holds the messages with --text-column"
        )
    return columns.index(text_column)


def list_columns(columns: Sequence[str]) -> str:
    """Return the names of columns, of many or long ones no more than a reader takes in."""
    shown = [
        name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}..."
        for name in columns[:SHOWN_COLUMNS]
    ]
    n_more = len(columns) - len(shown)
    return ", ".join(shown) + (f" and {n_more:,} more" if n_more else "")


def refuse_taken(columns: Iterable[str], added: Sequence[str], name: object) -> None:
    """Raise ``UserError`` if a column that is to be added is there already."""
    taken = [column for column in added if column in columns]
    if taken:
        raise UserError(
            f"{name} has a column {taken[0]!r} already: "
            "give the added columns other names, as in '--prefix predicted_'"
        )
