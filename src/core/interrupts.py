"""Let an interrupt end a program in one line while its imports run: to be imported before them."""

import os
import signal
from types import FrameType


def leave(number: int, _: FrameType | None) -> None:
    """End the process; nothing is under way yet."""
    os.write(2, b"interrupted\n")
    os._exit(128 + number)


if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, leave)
