"""Logging of a stage to the console and logs/pipeline.log, and the handling of its exceptions."""

import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from core.errors import UserError, is_for_user

# None in what 'make package' makes, where this module has another name: it may not write there.
LOG_FILE = Path(__file__).parents[2] / "logs" / "pipeline.log" if __name__ == "core.log" else None
MAX_BYTES = 1_000_000
BACKUPS = 3


class OneLineFormatter(logging.Formatter):
    """Formats records without tracebacks, which are in the log file."""

    def formatException(self, exc_info) -> str:  # noqa: ARG002, N802
        return ""


def configure_logging(stage: str, log_file: Path | None = LOG_FILE) -> None:
    """Send log records and library warnings to the console and to a rotating file.

    Parameters
    ----------
    stage : str
        The name to show in every line.
    log_file : Path or None
        Rotated when it has 1 MB; three old files are kept. None: no file, and the console shows
        tracebacks.

    Raises
    ------
    UserError
        If the environment variable LOG_LEVEL (default INFO) is not the name of a level.
    """
    line = f"%(asctime)s {stage} %(levelname)s %(message)s"
    console = logging.StreamHandler()
    whole = logging.Formatter(line, "%H:%M:%S")
    console.setFormatter(OneLineFormatter(line, "%H:%M:%S") if log_file else whole)
    logging.basicConfig(handlers=[console], force=True)
    level = os.environ.get("LOG_LEVEL", "INFO").upper()
    if level not in logging.getLevelNamesMapping():
        names = ", ".join(logging.getLevelNamesMapping())
        raise UserError(f"LOG_LEVEL is {level!r}", f"set it to one of {names}")
    if logging.getLevelName(level) <= logging.DEBUG:
        console.setFormatter(whole)
    handlers: list[logging.Handler] = [console]
    if log_file:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(
            log_file, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8"
        )
        file.setFormatter(logging.Formatter(line))
        handlers.append(file)
    logging.basicConfig(level=level, handlers=handlers, force=True)
    logging.captureWarnings(True)
    for chatty in ("botocore", "aiobotocore", "s3fs", "urllib3", "matplotlib", "PIL", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.INFO, logging.getLevelName(level)))


def run_stage(main: Callable[[], None], log_file: Path | None = LOG_FILE) -> None:
    """Run ``main`` as the whole program, with logging.

    An error that the user can fix (``core.errors.is_for_user``) becomes one line on the console,
    a traceback in the log file, and exit status 1. Any other exception is a bug: it is logged and
    raised again, so the console shows its traceback too.
    """
    stage = Path(sys.argv[0]).stem.split()[-1]
    try:
        # core.startup disabled the collector. Imported objects stay, so it need not scan them.
        gc.freeze()
        gc.enable()
        configure_logging(stage, log_file)
        start = time.perf_counter()
        main()
        logging.info("done in %.2f s", time.perf_counter() - start)
    except Exception as error:
        if is_for_user(error):
            logging.error("%s", " ".join(str(error).split()), exc_info=log_file is not None)
            sys.exit(1)
        logging.critical("unexpected error", exc_info=log_file is not None)
        raise


@contextmanager
def timed(logger: logging.Logger, step: str, *values: object) -> Iterator[None]:
    """Log ``step`` and the seconds that the block took; log nothing if the block fails."""
    start = time.perf_counter()
    yield
    logger.info(step + " in %.2f s", *values, time.perf_counter() - start)
