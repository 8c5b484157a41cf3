"""Run the pipeline, after another ``make repro`` in this checkout has ended.

By hand: python src repro

Two at the same time would fail: DVC refuses to run a stage that another process is running.
"""

import os
import sys
from pathlib import Path

from core.locks import wait_for_lock

LOCK = Path(".dvc", "tmp", "repro.pid")


def run_program() -> None:
    """Replace this process with ``dvc repro``, which gets the arguments of the command line."""
    if not LOCK.parents[1].is_dir():
        sys.exit("repro: there is no .dvc in this folder: run it in the folder of the checkout")
    LOCK.parent.mkdir(exist_ok=True)
    lock = wait_for_lock(LOCK, "another make repro (process {pid}) is running here: waiting for it")
    with lock:
        os.execv(sys.executable, [sys.executable, "-m", "dvc", "repro", *sys.argv[1:]])
