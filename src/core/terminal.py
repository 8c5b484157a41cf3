"""Print to a terminal or a pipe: escape control characters, and end when the reader closes it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The exit status that a shell reports for a program that writes to a closed pipe: 128 + SIGPIPE.
CLOSED_PIPE = 141


def escape_unprintable(text: str) -> str:
    """Return ``text`` with control characters escaped, which a terminal would execute."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


@contextmanager
def exit_on_closed_pipe() -> Iterator[None]:
    """Exit with the status that a shell expects if the reader of standard output closes it."""
    try:
        yield
    except BrokenPipeError:
        # Otherwise Python would try to write the rest of the output at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(CLOSED_PIPE)
