"""Write a file, or a folder of files, whole or not at all."""

import io
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import UserError


class NamedOutput(io.FileIO):
    """A file to write whose errors name it, as when the disk is full; ``label`` is its name."""

    def __init__(self, file: Path | int, label: str) -> None:
        super().__init__(file, "w", closefd=not isinstance(file, int))
        self.label = label

    def write(self, data: Any) -> int:
        """Write bytes, as any file does."""
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.label) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` if the block succeeds.

    A process killed inside the block leaves ``path`` as it was. The temporary name is always the
    same, so the next run overwrites what a killed one left. Errors name ``path``, too.
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
    """Write UTF-8 text with Unix line ends to ``path``, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(content: dict, path: Path) -> None:
    """Write ``content`` as indented JSON, keys in their order, whole or not at all.

    Raises
    ------
    UserError
        If a value is not a number (JSON has no NaN).
    """
    write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


@contextmanager
def empty_folder(path: Path) -> Iterator[Path]:
    """Make ``path`` an empty folder for the block, and remove it afterwards."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def replace(source: Path, target: Path) -> None:
    """Move a file or folder to ``target``, which may be on another disk, and replace what is there.

    A copy to another disk is complete before it gets its name.
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
    """Make a folder for this user alone, unless it is there.

    Raises
    ------
    UserError
        If it cannot be made, or another user might write into what is there.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise UserError(f"{path} is not this user's alone: remove it")
