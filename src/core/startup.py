"""Make a program of this repository ready: to be imported before anything else.

While pandas and scikit-learn are imported, Python's garbage collector looks through their objects
again and again and finds next to nothing: a tenth of the time of the whole pipeline. It is switched
off; ``core.log.run_stage`` switches it on again.

A standard stream that whoever started the program has closed is replaced by /dev/null. Otherwise
the next file to be opened, such as the log, would take its number and get what is meant for it.
``sys.stdin`` and ``sys.stdout`` stay None then; a program that needs them can check that.

Nothing is done where a test or a notebook imports a stage.
"""

import gc
import io
import os
import sys
from pathlib import Path


def replace_closed_streams() -> None:
    """Open /dev/null, for this process and those it starts, in place of closed streams."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace")


program = getattr(sys.modules["__main__"], "__file__", None) or ""
if Path(program).resolve().parent == Path(__file__).resolve().parents[1]:
    gc.disable()
    replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or a file that is not in UTF-8 gets a £ as \xa3, as standard error does.
        sys.stdout.reconfigure(errors="backslashreplace")
