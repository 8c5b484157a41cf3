"""Gather rows until there are enough to score, or, of a live source, until somebody waits."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from records.chunks import CHUNK_ROWS, Chunk, Rejection

# Rows of this many characters in all are enough, however few: memory must not depend on them.
CHUNK_LENGTH = 4_000_000
# Seconds that a row of a live source may wait for others.
PATIENCE = 0.2

# The first line's number, the row as it is written, its text, the reason and its particulars.
Row = tuple[int, Any, Any, str, str]


class Batch:
    """Some rows, and how many characters they have."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.length = 0

    def add(self, row: Row) -> None:
        """Add a row; a rejected one holds no characters."""
        self.rows.append(row)
        written = row[1]
        if written is not None:
            self.length += len(written) if isinstance(written, str) else sum(map(len, written))

    @property
    def is_full(self) -> bool:
        """Whether the rows are enough for a chunk."""
        return len(self.rows) >= CHUNK_ROWS or self.length >= CHUNK_LENGTH

    def split(self, is_urgent: bool = False) -> Chunk:
        """Split the rows into scorable and rejected ones."""
        chunk = Chunk([], [], [], is_urgent)
        for number, row, text, reason, detail in self.rows:
            if reason:
                chunk.rejected.append(Rejection(number, reason, detail))
            else:
                chunk.texts.append(text)
                chunk.rows.append(row)
        return chunk


def gather(rows: Iterable[Row]) -> Iterator[Chunk]:
    """Yield the rows of a file in chunks."""
    batch = Batch()
    for row in rows:
        batch.add(row)
        if batch.is_full:
            yield batch.split()
            batch = Batch()
    if batch.rows:
        yield batch.split()


class Inbox:
    """Rows that one thread reads from a live source, for another to take."""

    def __init__(self) -> None:
        self.batch = Batch()
        self.is_over = False
        self.error: BaseException | None = None
        self.changed = threading.Condition()

    def fill(self, rows: Iterable[Row]) -> None:
        """Read the rows, at most a chunk of them ahead; keep what error ends them."""
        try:
            for row in rows:
                with self.changed:
                    while self.batch.is_full:
                        self.changed.wait()
                    self.batch.add(row)
                    if len(self.batch.rows) == 1 or self.batch.is_full:
                        self.changed.notify()
        except BaseException as error:  # noqa: BLE001  (raised again by `take`)
            self.error = error
        with self.changed:
            self.is_over = True
            self.changed.notify()

    def take(self) -> Batch:
        """Wait for rows and return them; none are the end."""
        with self.changed:
            self.changed.wait_for(lambda: self.batch.rows or self.is_over)
            self.changed.wait_for(lambda: self.batch.is_full or self.is_over, PATIENCE)
            batch, self.batch = self.batch, Batch()
            self.changed.notify()
        if self.error and not batch.rows:
            raise self.error
        return batch


def gather_live(rows: Iterable[Row]) -> Iterator[Chunk]:
    """Yield rows in chunks, none later than ``PATIENCE`` seconds after its first row came."""
    inbox = Inbox()
    # A thread that still waits for a row must not keep the process from ending.
    threading.Thread(target=inbox.fill, args=(rows,), daemon=True).start()
    while (batch := inbox.take()).rows:
        yield batch.split(is_urgent=not batch.is_full)
