"""Gather rows into chunks to score; rows of a live source are not held back for long."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from records.chunks import CHUNK_ROWS, Chunk, Rejection

# Characters in a chunk, however few rows have them: bounds the memory that long rows take.
CHUNK_LENGTH = 4_000_000
# Seconds that a row of a live source may wait for others.
PATIENCE = 0.2

# Number of the first line, row as written, text, reason for rejection or '', detail of the reason.
Row = tuple[int, Any, Any, str, str]


class Batch:
    """Rows, and their number of characters."""

    def __init__(self, n_rows: int = CHUNK_ROWS) -> None:
        self.rows: list[Row] = []
        self.length = 0
        self.n_rows = n_rows

    def add(self, row: Row) -> None:
        """Add a row; a rejected one (None) adds no characters."""
        self.rows.append(row)
        written = row[1]
        if written is not None:
            self.length += len(written) if isinstance(written, str) else sum(map(len, written))

    @property
    def is_full(self) -> bool:
        """Whether there are enough rows or characters for a chunk."""
        return len(self.rows) >= self.n_rows or self.length >= CHUNK_LENGTH

    def split(self, is_urgent: bool = False) -> Chunk:
        """Split the rows into scorable and rejected ones."""
        numbers: list[int] = []
        chunk = Chunk([], [], [], is_urgent, numbers)
        for number, row, text, reason, detail in self.rows:
            if reason:
                chunk.rejected.append(Rejection(number, reason, detail))
            else:
                chunk.texts.append(text)
                chunk.rows.append(row)
                numbers.append(number)
        return chunk


def gather(rows: Iterable[Row], n_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """Yield the rows of a file in chunks of at most ``n_rows``."""
    batch = Batch(n_rows)
    for row in rows:
        batch.add(row)
        if batch.is_full:
            yield batch.split()
            batch = Batch(n_rows)
    if batch.rows:
        yield batch.split()


class Inbox:
    """Passes rows of a live source from the thread that reads them to another."""

    def __init__(self) -> None:
        self.batch = Batch()
        self.is_over = False
        self.error: BaseException | None = None
        self.changed = threading.Condition()

    def fill(self, rows: Iterable[Row]) -> None:
        """Read the rows, at most one chunk ahead; keep an exception for ``take`` to raise."""
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
        """Wait for rows and return them; an empty batch means the end of the source."""
        with self.changed:
            self.changed.wait_for(lambda: self.batch.rows or self.is_over)
            self.changed.wait_for(lambda: self.batch.is_full or self.is_over, PATIENCE)
            batch, self.batch = self.batch, Batch()
            self.changed.notify()
        if self.error and not batch.rows:
            raise self.error
        return batch


def gather_live(rows: Iterable[Row]) -> Iterator[Chunk]:
    """Yield rows in chunks, each at most ``PATIENCE`` seconds after its first row was read."""
    inbox = Inbox()
    # A daemon, so that the process can end while the thread waits for a row.
    threading.Thread(target=inbox.fill, args=(rows,), daemon=True).start()
    while (batch := inbox.take()).rows:
        yield batch.split(is_urgent=not batch.is_full)
