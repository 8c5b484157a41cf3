"""Printing for people: text that a terminal must not obey, and readers that go away."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# What a shell reports of a program that writes into a closed pipe: 128 + SIGPIPE.
CLOSED_PIPE = 141


def escape_unprintable(text: str) -> str:
    """Return ``text`` with escapes for what cannot be printed: a terminal would obey it."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


@contextmanager
def exit_on_closed_pipe() -> Iterator[None]:
    """End the program as the shell expects if the reader of its output goes away."""
    try:
        yield
    except BrokenPipeError:
        # What could not be written is not to be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(CLOSED_PIPE)
