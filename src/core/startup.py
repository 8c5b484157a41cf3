"""Prepare the process of a stage or command; import this file before anything else.

It disables the garbage collector, which ``core.log.run_stage`` enables again. During the import of
pandas and scikit-learn the collector scans their objects many times and frees almost nothing. That
takes a tenth of the time of the whole pipeline.

It replaces closed standard streams by /dev/null. Otherwise the next file that is opened, such as
the log, would get the number of the closed stream, and text meant for the stream would go to the
file. ``sys.stdin`` and ``sys.stdout`` stay None, so a program that needs them can check.

It lets numeric libraries use one thread, whatever the environment says, because the number of
threads changes the last digits of some models.

It lets ``import scipy.stats``, which takes a third of a second, wait until something of that is
used. scikit-learn imports it for functions that a stage hardly ever calls.

It does nothing if a test or a notebook imports a stage.
"""

import gc
import importlib
import io
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
STATS = "scipy.stats"
# What scikit-learn imports from it by name, and only calls.
CALLED = ("chi2", "gmean", "rankdata", "spearmanr")


class DeferredStats(ModuleType):
    """Stands for ``scipy.stats`` until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":
            return [f"{folder}/stats" for folder in importlib.import_module("scipy").__path__]
        if name.startswith("__"):
            raise AttributeError(name)
        if name in CALLED:
            return lambda *args, **kwargs: getattr(import_stats(), name)(*args, **kwargs)
        return getattr(import_stats(), name)


def import_stats() -> ModuleType:
    """Return the real ``scipy.stats``."""
    if isinstance(sys.modules.get(STATS), DeferredStats):
        sys.modules.pop(STATS, None)
    return importlib.import_module(STATS)


def replace_closed_streams() -> None:
    """Open /dev/null in place of closed streams, for this process and its children."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace")


program = getattr(sys.modules["__main__"], "__file__", None) or ""
if Path(program).resolve().parent == Path(__file__).resolve().parents[1]:
    gc.disable()
    os.environ |= dict.fromkeys(THREADS, "1")
    replace_closed_streams()
    sys.modules[STATS] = DeferredStats(STATS)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An output that is not in UTF-8 gets £ as \xa3 instead of an error, like standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
