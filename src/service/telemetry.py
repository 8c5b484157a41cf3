"""What Prometheus may know: requests, their times, labels and scores."""

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)

from core.files import make_private_folder

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# The files of each process that counts, and several times what each of them needs.
KINDS = ("counter", "histogram")
FILE_BYTES = 1 << 17

# How many times the files of this process were lost.
losses = 0


def name_files() -> str:
    """Return what the names of this process's files end in, which no other's do."""
    return f"{os.getpid()}-{losses}"


def allocate(path: Path) -> None:
    """Make a file that has its room on the disk: writing to it later cannot fail.

    It is mapped into memory, where a disk that is full would end the process.

    Raises
    ------
    OSError
        If there is no room.
    """
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)


class AllocatedFile(values.MmapedDict):
    """prometheus_client's file of counts, with its room on the disk."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            allocate(Path(filename))
        super().__init__(filename, read_mode)


if FOLDER in os.environ:
    values.MmapedDict = AllocatedFile  # type: ignore[misc]
    values.ValueClass = values.MultiProcessValue(name_files)

# When a series began is of no use here, and doubles what is sent.
disable_created_metrics()

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
TENTHS = tuple(tenth / 10 for tenth in range(1, 11))

REQUESTS = Counter("requests_total", "Requests answered.", ["method", "route", "status"])
LATENCY = Histogram(
    "request_duration_seconds", "Time until a request is answered.", ["route"], buckets=SECONDS
)
PREDICTIONS = Counter("predictions_total", "Messages scored.", ["label"])
SCORES = Histogram(
    "prediction_score", "Probability of the positive label, of each message.", buckets=TENTHS
)
RELOADS = Counter("model_reloads_total", "Tries to replace the model.", ["outcome"])
FEEDBACK = Counter("feedback_total", "Corrections stored.", ["label"])
# The first one with labels makes the file of its kind: now, rather than within a request.
RELOADS.labels("loaded")


def describe() -> bytes:
    """Return the metrics of all processes of the service, in Prometheus's text format."""
    if FOLDER not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry)


def restore_files() -> None:
    """Begin other files if those of this process were removed; its counts begin at 0 again.

    Raises
    ------
    OSError
        If they cannot be made.
    """
    global losses
    if FOLDER not in os.environ:
        return
    folder = Path(os.environ[FOLDER])
    if all((folder / f"{kind}_{name_files()}.db").exists() for kind in KINDS):
        return
    make_private_folder(folder)
    losses += 1
    try:
        for kind in KINDS:
            allocate(folder / f"{kind}_{name_files()}.db")
    except OSError:
        # Counting goes on in the files that were removed.
        losses -= 1
        raise
    # Counting nothing opens the files.
    RELOADS.labels("loaded").inc(0)
