"""Metrics for Prometheus: requests and their durations, labels, scores, reloads."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.files import make_private_folder
from models.description import Target

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# The files of each process, and their size, several times what they need.
KINDS = ("counter", "histogram")
FILE_BYTES = 1 << 17

# How many times the files of this process were lost.
losses = 0


def name_files() -> str:
    """Return the end of the names of this process's files, which no other process uses."""
    return f"{os.getpid()}-{losses}"


def allocate(path: Path) -> None:
    """Make a file with its space on the disk reserved, so that writing to it cannot fail.

    The file is mapped into memory, where a full disk would kill the process.

    Raises
    ------
    OSError
        If the disk is full.
    """
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)


class AllocatedFile(values.MmapedDict):
    """prometheus_client's file of counts, with its space on the disk reserved."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            allocate(Path(filename))
        super().__init__(filename, read_mode)


if FOLDER in os.environ:
    values.MmapedDict = AllocatedFile  # type: ignore[misc]
    values.ValueClass = values.MultiProcessValue(name_files)

# The start times of series are of no use here, and would double the output.
disable_created_metrics()

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
TENTHS = tuple(tenth / 10 for tenth in range(1, 11))
# Shares of training rows below the limits of the buckets of predicted numbers.
SHARES = (0.01, 0.05, *TENTHS[:-1], 0.95, 0.99)
MODEL_LABELS = ("name", "version", "task")

REQUESTS = Counter("requests_total", "Requests answered.", ["method", "route", "status"])
LATENCY = Histogram(
    "request_duration_seconds", "Time until a request is answered.", ["route"], buckets=SECONDS
)
PREDICTIONS = Counter("predictions_total", "Messages and rows scored.", ["label"])
SCORES = Histogram("prediction_score", "Probability of the positive label of two.", buckets=TENTHS)
RELOADS = Counter("model_reloads_total", "Reloads of the model.", ["outcome"])
FEEDBACK = Counter("feedback_total", "Corrections stored.", ["label"])
# The first use of labels makes the file: now, rather than during a request.
RELOADS.labels("loaded")


# Of predicted numbers; None until a model of numbers is served.
values_histogram: Histogram | None = None


class ModelInfo(Collector):
    """Says which model this process serves; the other processes serve the same one."""

    def __init__(self, name: str, version: str, task: str) -> None:
        self.values = [name, version, task]

    def collect(self) -> Iterable[Metric]:
        """Yield the only metric."""
        found = GaugeMetricFamily("model_info", "The model that is served.", labels=MODEL_LABELS)
        found.add_metric(self.values, 1)
        yield found


def make_histogram(version: str, target: Target) -> Histogram | None:
    """Return a histogram of predicted numbers for a model, None for one of labels.

    Its buckets have about equal shares of the training rows, so another model has other buckets:
    the label ``model`` keeps them apart.
    """
    global values_histogram
    if not target.edges:
        return None
    shares = np.concatenate([[0], np.cumsum(target.heights)]) / sum(target.heights)
    limits = np.interp(SHARES, shares, target.edges)
    buckets = sorted({float(f"{limit:.3g}") for limit in limits})
    if values_histogram is not None:
        REGISTRY.unregister(values_histogram)
    values_histogram = Histogram("prediction_value", "Numbers.", ["model"], buckets=buckets)
    return values_histogram.labels(version)


def render_metrics(info: ModelInfo) -> bytes:
    """Return the metrics of all processes of the service, in Prometheus's text format."""
    own = CollectorRegistry()
    own.register(info)
    shared = REGISTRY
    if FOLDER in os.environ:
        shared = CollectorRegistry()
        multiprocess.MultiProcessCollector(shared)
    return generate_latest(shared) + generate_latest(own)


def restore_files() -> None:
    """Start new files if those of this process were removed; its counts start at 0 again.

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
        # Counting continues in the removed files.
        losses -= 1
        raise
    # Adding 0 opens the files.
    RELOADS.labels("loaded").inc(0)
