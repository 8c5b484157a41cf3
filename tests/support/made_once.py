"""What takes long to make, and one of the test processes makes for all."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Have one of the test processes fill a folder, and return it; copy it before changing it.

    Parameters
    ----------
    factory : pytest.TempPathFactory
        Makes folders for the session.
    name : str
        Of the folder.
    make : callable
        Fills the folder that it gets, which is empty.
    """
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / name, shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            # A process that failed before leaves an incomplete one.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
