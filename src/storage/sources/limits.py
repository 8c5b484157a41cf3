"""Limits on the size of a source and on the time that fetching it takes."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import PositiveFloat
from tqdm import tqdm

from core.errors import UserError
from core.params import Params

CHUNK_BYTES = 1 << 18
# Fetching one source may take this many times the timeout for one answer.
TIMEOUTS = 60


class Limits(Params):
    """The parameters that limit what is fetched.

    Attributes
    ----------
    max_megabytes : float
        The largest size of a source, and of the archive that holds it.
    timeout : float
        Seconds to wait for a server; fetching a source may take ``TIMEOUTS`` times as long.
    """

    max_megabytes: PositiveFloat
    timeout: PositiveFloat

    @property
    def max_bytes(self) -> int:
        """The largest size in bytes."""
        return int(self.max_megabytes * 1e6)

    @property
    def seconds(self) -> float:
        """How long fetching a source may take."""
        return TIMEOUTS * self.timeout

    def check_size(self, n_bytes: int) -> None:
        """Raise ``UserError`` if there are more bytes than allowed."""
        if n_bytes > self.max_bytes:
            raise UserError(
                f"it has more than {self.max_megabytes:g} MB",
                "raise data_ingestion.max_megabytes if that is expected",
            )


class TooSlow(BaseException):
    """The time is over; not an ``Exception``, so that libraries do not handle it as their own."""


@contextmanager
def limit_time(limits: Limits) -> Iterator[None]:
    """Stop the block when it takes too long, even while it waits inside a library.

    Only the main thread can use it, and it cannot be nested.

    Raises
    ------
    UserError
        If the block takes more than ``TIMEOUTS`` times the timeout.
    """
    is_over = False

    def stop(*_: object) -> None:
        nonlocal is_over
        is_over = True
        raise TooSlow

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limits.seconds)
    try:
        yield
    except (Exception, TooSlow):
        # A library may have turned it into an error of its own.
        if not is_over:
            raise
        raise UserError(
            f"it takes more than {limits.seconds:g} seconds, {TIMEOUTS} times the timeout",
            "raise data_ingestion.timeout if that is expected",
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a file in chunks of at most ``CHUNK_BYTES``."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def write_chunks(
    chunks: Iterable[bytes], target: Path, limits: Limits, size: int | None = None
) -> Path:
    """Write ``chunks`` to ``target``, showing progress on a terminal; ``size`` is the expected one.

    Raises
    ------
    UserError
        If there are more bytes than allowed.
    """
    written = 0
    with (
        target.open("wb") as file,
        tqdm(total=size, unit="B", unit_scale=True, desc=target.name, disable=None) as progress,
    ):
        for chunk in chunks:
            written += len(chunk)
            limits.check_size(written)
            file.write(chunk)
            progress.update(len(chunk))
    return target
