"""The error that a user can fix, and which errors of the operating system are the user's."""

import errno

# The machine's state, whichever file or library met it; other errors of these types are bugs.
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
    """What the user can fix: what is wrong and where, and what to do.

    Parameters
    ----------
    message : str
        What is wrong: the file, the row or key, what was found.
    fix : str
        What to do about it.
    """

    def __init__(self, message: object, fix: str = "") -> None:
        self.message, self.fix = (" ".join(str(text).split()) for text in (message, fix))
        super().__init__(f"{self.message}: {self.fix}" if fix else self.message)

    def __reduce__(self) -> tuple:
        return type(self), (self.message, self.fix)


def is_for_user(error: BaseException) -> bool:
    """Return whether an exception is the user's to fix, so that one line says enough.

    An ``OSError`` is if it names a file, such as one that is missing or may not be written, or is
    about the machine, such as a full disk. Every other exception is a bug, of ours or of a library.
    """
    if isinstance(error, OSError):
        return error.filename is not None or error.errno in OF_THE_MACHINE
    return isinstance(error, UserError)
