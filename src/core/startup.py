"""Prepare the process of a stage or command; import this file before anything else.

It disables the garbage collector, which ``core.log.run_stage`` enables again. During the import of
pandas and scikit-learn the collector scans their objects many times and frees almost nothing. That
takes a tenth of the time of the whole pipeline.

It replaces closed standard streams by /dev/null. Otherwise the next file that is opened, such as
the log, would get the number of the closed stream, and text meant for the stream would go to the
file. ``sys.stdin`` and ``sys.stdout`` stay None, so a program that needs them can check.

It lets numeric libraries use one thread, because the number of threads changes the last digits of
some models. ``OMP_NUM_THREADS`` in the environment goes first.

It does nothing if a test or a notebook imports a stage.
"""

import gc
import io
import os
import sys
from pathlib import Path


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
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An output that is not in UTF-8 gets £ as \xa3 instead of an error, like standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
