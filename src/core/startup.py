"""Make a stage start quicker: to be imported before anything else.

While pandas and scikit-learn are imported, Python's garbage collector looks through their objects
again and again and finds next to nothing: a tenth of the time of the whole pipeline. It is switched
off for a program that is one of the stages, not where a test or a notebook imports one;
``core.log.run_stage`` switches it on again.
"""

import gc
import sys
from pathlib import Path

program = getattr(sys.modules["__main__"], "__file__", None) or ""
if Path(program).resolve().parent == Path(__file__).resolve().parents[1]:
    gc.disable()
