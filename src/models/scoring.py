"""Score messages with a stored model, in one process or several."""

import gc
import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from core.errors import UserError
from models.probability import predict_positive
from models.store import parse_model
from records.chunks import Chunk

DIGEST_LENGTH = 12
# Chunks under way for each worker: enough that none waits, and few enough to keep in memory.
QUEUED = 2
STOPPING = {signal.SIGINT, signal.SIGTERM}


def name_version(content: bytes) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of a model file's content."""
    return hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]


def check_labels(model: Pipeline, labels: list[str], path: Path) -> None:
    """Raise ``UserError`` if the model's labels are not these."""
    found = list(getattr(model, "classes_", []))
    if sorted(found) != sorted(labels):
        raise UserError(
            f"{path} tells {' from '.join(found) or 'nothing apart'}, data_validation.labels of "
            f"the parameters are {' and '.join(labels)}: take the model's own params.yaml"
        )


def score_texts(model: Pipeline, positive: str, texts: list[str]) -> np.ndarray:
    """Return the probability of the positive label for each message, shape (n_texts,)."""
    if not texts:
        return np.empty(0)
    return predict_positive(model, positive, texts)


# The model of a worker process.
worker_model: Pipeline | None = None


def start_worker(content: bytes, path: Path) -> None:
    """Load the model once for all that this process will score."""
    global worker_model
    # Both are blocked since `hold_signals`. The parent alone answers an interrupt.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    # Should the parent be killed, nobody else would end this process.
    threading.Thread(target=leave_with_parent, daemon=True).start()
    worker_model = parse_model(content, path)
    gc.freeze()
    gc.enable()


def leave_with_parent() -> None:
    """Wait for the parent's end, and end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def hold_signals() -> Iterator[None]:
    """Hold back what stops this process until the block has ended.

    A process started in the block holds them back for ever, so that an interrupt from the keyboard
    does not make each process tell of it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def score_in_worker(positive: str, texts: list[str]) -> np.ndarray:
    """Score with the model that ``start_worker`` loaded."""
    return score_texts(worker_model, positive, texts)


def score_chunks(
    chunks: Iterator[Chunk],
    model: Pipeline,
    content: bytes,
    path: Path,
    positive: str,
    n_jobs: int,
) -> Iterator[tuple[Chunk, np.ndarray]]:
    """Yield each chunk with its probabilities, in their order.

    No more chunks are read than are scored, so memory does not grow with the file. After an urgent
    chunk none is read until all before it are scored.

    Parameters
    ----------
    chunks : iterator of Chunk
        What to score.
    model : Pipeline
        Scores in this process if ``n_jobs`` is 1.
    content : bytes
        Of the model's file, from which every other process loads it.
    path : Path
        That file, for messages.
    positive : str
        The label whose probability is wanted.
    n_jobs : int
        How many processes score.

    Raises
    ------
    UserError
        If a process dies.
    """
    if n_jobs == 1:
        for chunk in chunks:
            yield chunk, score_texts(model, positive, chunk.texts)
        return
    # Else it would be started with the first process, and let signals through.
    resource_tracker.ensure_running()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_jobs, context, start_worker, (content, path))
    running: deque[tuple[Chunk, Future]] = deque()
    try:
        for chunk in chunks:
            with hold_signals():
                running.append((chunk, pool.submit(score_in_worker, positive, chunk.texts)))
            while running and (chunk.is_urgent or len(running) > QUEUED * n_jobs):
                first, future = running.popleft()
                yield first, future.result()
        for first, future in running:
            yield first, future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "a scoring process died, perhaps for lack of memory", "lower --jobs"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
