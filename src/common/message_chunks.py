"""What the readers and writers of every format share: chunks of messages, and what is none."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

CHUNK_ROWS = 2000

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


def is_encodable(text: str) -> bool:
    """Tell whether a string is free of lone surrogates, which stand for undecodable bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def find_column(columns: list[str], text_column: str, name: object) -> int:
    """Return the number of the column that holds the messages, or raise ``ValueError``."""
    if columns.count(text_column) != 1:
        fault = "more than one column" if text_column in columns else "no column"
        raise ValueError(
            f"{name} has {fault} {text_column!r}, only {', '.join(columns)}: "
            "name the one that holds the messages with --text-column"
        )
    return columns.index(text_column)


def refuse_taken(columns: Iterable[str], added: Sequence[str], name: object) -> None:
    """Raise ``ValueError`` if a column that is to be added is there already."""
    taken = [column for column in added if column in columns]
    if taken:
        raise ValueError(
            f"{name} has a column {taken[0]!r} already: "
            "give the added columns other names, as in '--prefix predicted_'"
        )
