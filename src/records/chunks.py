"""Shared by the readers and writers of all formats: chunks of messages, and rejected rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.errors import UserError
from records.formats import is_encodable
from records.schema import find_repeated
from text.normalise import compose

CHUNK_ROWS = 2000
# Of a table: what is done once for each column takes as long for many rows as for few.
TABLE_CHUNK_ROWS = 20_000
# Characters in a text, as received and as normalised: far more than any message has.
MAX_LENGTH = 100_000
# The most characters that NFKC makes of one.
MAX_EXPANSION = 18
# How many column names an error shows, and how many characters of each.
SHOWN_COLUMNS = 10
SHOWN_LENGTH = 40

# Takes the rows of a chunk, and for each added column the list of its values.
Write = Callable[[Any, Sequence[list]], None]


class Rejection(NamedTuple):
    """A row that cannot be scored; ``line`` is its first line (in Parquet: its row), from 1."""

    line: int
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class TableColumns:
    """The columns to read of a table: the names that each may have, the first one preferred."""

    names: Sequence[Sequence[str]]
    separator: str = ","  # of CSV


# The column of messages, or the columns of a table.
Columns = str | TableColumns


@dataclass(frozen=True)
class Chunk:
    """Texts to score, the same rows as their file format has them, and the rejected rows.

    Of a table ``texts`` are the values of each row (of Parquet: a table of Arrow), and once they
    are checked a DataFrame.
    """

    texts: Any
    rows: Any
    rejected: list[Rejection]
    is_urgent: bool = False  # a live source: somebody may be waiting for the result
    lines: Sequence[int] = field(default_factory=list)  # of the rows


@dataclass(frozen=True)
class Source:
    """An open file of messages: its header, for the output, and its chunks."""

    header: Any  # column names of CSV and TSV, schema of Parquet, None for JSON lines
    chunks: Iterator[Chunk]
    size: int | None  # None if it is unknown, as for a pipe
    tell: Callable[[], int]  # how much of the size has been read


def find_problem(text: object) -> str:
    """Return why a value cannot be scored, or ''."""
    if text is None:
        return "missing text"
    if not isinstance(text, str):
        return "text is not a string"
    if not text.strip():
        return "empty text"
    return "" if is_encodable(text) else "not valid Unicode"


def find_excess(text: str) -> str:
    """Return the length and the limit of a text that is too long to score, or ''."""
    if len(text) > MAX_LENGTH:
        return f"{len(text):,} characters, at most {MAX_LENGTH:,}"
    if text.isascii() or len(text) * MAX_EXPANSION <= MAX_LENGTH:
        return ""
    length = len(compose(text))
    return f"{length:,} characters in NFKC, at most {MAX_LENGTH:,}" if length > MAX_LENGTH else ""


def inspect_text(text: object) -> tuple[str, str]:
    """Return why a value of a file cannot be scored, and details; ('', '') if it can."""
    if (problem := find_problem(text)) or not isinstance(text, str):
        return problem, ""
    excess = find_excess(text)
    return ("text too long", excess) if excess else ("", "")


def find_columns(header: list[str], columns: Columns, name: object) -> list[int]:
    """Return the indices of the columns to read, or raise ``UserError``."""
    if isinstance(columns, str):
        return [find_column(header, columns, name)]
    refuse_repeated(header, name)
    places = {column: place for place, column in enumerate(header)}
    found = [next((each for each in names if each in places), None) for names in columns.names]
    refuse_missing(columns, found, name, list_columns(header))
    return [places[column] for column in found if column is not None]


def refuse_missing(
    columns: TableColumns, found: Sequence[object], name: object, present: str
) -> None:
    """Raise ``UserError`` if a column was not found."""
    pairs = zip(columns.names, found, strict=True)
    if missing := [names[0] for names, place in pairs if place is None]:
        raise UserError(
            f"{name} has no column {list_columns([repr(each) for each in missing])}"
            f"{f', only {present}' if present else ''}",
            "the model needs each of its columns; a value that is not known may be empty",
        )


def refuse_repeated(columns: Sequence[str], name: object) -> None:
    """Raise ``UserError`` if a column occurs more than once."""
    if repeated := find_repeated(columns):
        raise UserError(
            f"{name} has the column {repeated!r} more than once", "rename or remove one"
        )


def find_column(columns: list[str], text_column: str, name: object) -> int:
    """Return the index of the column that holds the messages, or raise ``UserError``."""
    refuse_repeated(columns, name)
    if text_column not in columns:
        raise UserError(
            f"{name} has no column {text_column!r}, only {list_columns(columns)}",
            "name the column that holds the messages with --text-column",
        )
    return columns.index(text_column)


def list_columns(columns: Sequence[str]) -> str:
    """Return the names of columns for an error message: at most ten, long ones cut."""
    shown = [
        name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}..."
        for name in columns[:SHOWN_COLUMNS]
    ]
    n_more = len(columns) - len(shown)
    return ", ".join(shown) + (f" and {n_more:,} more" if n_more else "")


def refuse_taken(columns: Iterable[str], added: Sequence[str], name: object) -> None:
    """Raise ``UserError`` if a column to add already exists."""
    taken = [column for column in added if column in columns]
    if taken:
        raise UserError(
            f"{name} has a column {taken[0]!r} already",
            "give the added columns other names, as in '--prefix predicted_'",
        )
