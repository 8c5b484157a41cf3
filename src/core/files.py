"""Write files and folders atomically: complete, or not at all."""

import errno
import io
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class NamedOutput(io.FileIO):
    """A file to write, which adds its name, ``label``, to errors such as a full disk."""

    def __init__(self, file: Path | int, label: str) -> None:
        super().__init__(file, "w", closefd=not isinstance(file, int))
        self.label = label

    def write(self, data: Any) -> int:
        """Write bytes; raise ``OSError`` with the file's name."""
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.label) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` if the block succeeds.

    A process killed inside the block leaves ``path`` as it was. The temporary name is always the
    same, so the next run overwrites what a killed one left. Errors show ``path``, not that name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.filename != str(temporary):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text with Unix line ends to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(content: dict, path: Path) -> None:
    """Write ``content`` as indented JSON atomically, keys in their order.

    Raises
    ------
    ValueError
        If a value is infinite or NaN, which JSON cannot express.
    """
    write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


@contextmanager
def empty_folder(path: Path) -> Iterator[Path]:
    """Create ``path`` as an empty folder for the block, and remove it afterwards."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def replace(source: Path, target: Path) -> None:
    """Move a file or folder to ``target``, which may be on another disk; replace an existing one.

    A copy to another disk gets the name ``target`` only when it is complete.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with empty_folder(target.with_name(f".{target.name}.tmp")) as folder:
        moved = Path(shutil.move(source, folder / "moved"))
        if target.is_dir():
            shutil.rmtree(target)
        elif moved.is_dir():
            target.unlink(missing_ok=True)
        moved.replace(target)


def make_private_folder(path: Path) -> None:
    """Create a folder that only this user can access, unless it exists.

    Raises
    ------
    OSError
        If it cannot be created, or it exists and another user owns it or can write to it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
        reason = "another user owns it or can write to it: remove it"
        raise PermissionError(errno.EPERM, reason, str(path))
