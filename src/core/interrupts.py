"""End a program with one line if it is interrupted during its imports; import this file first."""

import os
import signal
from types import FrameType


def leave(number: int, _: FrameType | None) -> None:
    """End the process at once; there is nothing to clean up yet."""
    os.write(2, b"interrupted\n")
    os._exit(128 + number)


if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, leave)
