"""Errors that the user can fix: our own, and some of the operating system."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Caused by the machine's state, such as a full disk, even if the error names no file.
OF_THE_MACHINE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}


class UserError(ValueError):
    """An error that the user can fix: what is wrong and where, and what to do about it.

    Parameters
    ----------
    message : str
        What is wrong: the file, the row or key, what was found.
    fix : str
        What to do about it, '' if the message is enough.
    """

    def __init__(self, message: object, fix: str = "") -> None:
        self.message, self.fix = (" ".join(str(text).split()) for text in (message, fix))
        super().__init__(f"{self.message}: {self.fix}" if fix else self.message)

    def __reduce__(self) -> tuple:
        return type(self), (self.message, self.fix)


def is_for_user(error: BaseException) -> bool:
    """Return whether the user can fix an exception, so that a one-line message is enough.

    This holds for a ``UserError``, and for an ``OSError`` that names a file, such as a missing one,
    or is about the machine, such as a full disk. Any other exception is a bug in our code or a
    library.
    """
    if isinstance(error, OSError):
        return error.filename is not None or error.errno in OF_THE_MACHINE
    return isinstance(error, UserError)


@contextmanager
def exit_on_user_error(program: str) -> Iterator[None]:
    """End a program that keeps no log in one line, if the user can fix the error of the block."""
    try:
        yield
    except Exception as error:
        if not is_for_user(error):
            raise
        sys.exit(f"{program}: {error}")
