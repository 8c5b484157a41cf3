"""Locks on files, which a process keeps until it ends, however it ends."""

import fcntl
import os
from pathlib import Path
from typing import TextIO


def take_lock(path: Path) -> TextIO | None:
    """Return the open file that holds a process id, or None while another process has its lock.

    Programs that are started with the open file keep the lock until they end: an id whose lock can
    be taken is out of date, and may be that of another process by now.
    """
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def write_pid(pid: int, lock: TextIO) -> None:
    """Write the id of the process that has a lock into its file."""
    lock.truncate(0)
    lock.write(str(pid))
    lock.flush()


def wait_for_lock(path: Path, message: str) -> TextIO:
    """Take a lock for this process and those that take its place; return its file.

    While another process has it, wait, and print ``message`` once, with that process for ``{pid}``.
    """
    lock = take_lock(path)
    if lock is None:
        print(message.format(pid=path.read_text() or "?"), flush=True)
        lock = path.open("a+")
        fcntl.flock(lock, fcntl.LOCK_EX)
    write_pid(os.getpid(), lock)
    os.set_inheritable(lock.fileno(), True)
    return lock
