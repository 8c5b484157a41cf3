"""File locks, which a process holds until it ends, even if it is killed."""

import fcntl
import os
from pathlib import Path
from typing import TextIO


def take_lock(path: Path) -> TextIO | None:
    """Lock a file that holds a process id; return the open file, or None if another has the lock.

    Child processes that inherit the open file keep the lock until they end. If the lock is free,
    the id in the file is out of date, and another process may have that id by now.
    """
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def write_pid(pid: int, lock: TextIO) -> None:
    """Write the id of the process that holds the lock into the locked file."""
    lock.truncate(0)
    lock.write(str(pid))
    lock.flush()


def wait_for_lock(path: Path, message: str) -> TextIO:
    """Take a lock for this process and a program that replaces it (exec); return the open file.

    If another process has the lock, print ``message`` once, with its id for ``{pid}``, and wait.
    """
    lock = take_lock(path)
    if lock is None:
        print(message.format(pid=path.read_text() or "?"), flush=True)
        lock = path.open("a+")
        fcntl.flock(lock, fcntl.LOCK_EX)
    write_pid(os.getpid(), lock)
    os.set_inheritable(lock.fileno(), True)
    return lock
