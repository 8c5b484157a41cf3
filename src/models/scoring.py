"""Score messages or rows with a stored model, in one process or several."""

import gc
import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from sklearn.pipeline import Pipeline

from core.errors import UserError
from models.linear_scorer import LinearScorer, derive_scorer
from models.probability import DECIMALS, predict_positive
from models.store import parse_model
from records.chunks import Chunk

DIGEST_LENGTH = 12
# Chunks submitted per worker: enough that no worker waits, and few enough to keep in memory.
QUEUED = 2
# Seconds that this process scores alone before it starts others: most inputs need none.
ALONE_SECONDS = 0.5
STOPPING = {signal.SIGINT, signal.SIGTERM}


def name_version(content: bytes) -> str:
    """Return the version of a model: the first 12 hexadecimal digits of its file's SHA-256."""
    return hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]


def check_labels(model: Pipeline, labels: list[str], path: Path) -> None:
    """Raise ``UserError`` if ``labels`` are not the labels of the model."""
    found = list(getattr(model, "classes_", []))
    if sorted(found) != sorted(labels):
        raise UserError(
            f"the labels of {path} are {' and '.join(found) or 'missing'}, but "
            f"schema.labels are {' and '.join(labels)}",
            "use the params.yaml that the model was built with",
        )


# The fast way of each model in use, None if it has none; derived when a model scores first.
scorers: WeakKeyDictionary[Pipeline, LinearScorer | None] = WeakKeyDictionary()


def score_texts(model: Pipeline, positive: str, texts: list[str]) -> np.ndarray:
    """Return the probability of the positive label for each message, shape (n_texts,), rounded."""
    if not texts:
        return np.empty(0)
    if model not in scorers:
        scorers[model] = derive_scorer(model)
    scorer = scorers[model]
    if scorer is None:
        return predict_positive(model, positive, texts)
    probability = scorer(texts)
    return (probability if model.classes_[1] == positive else 1 - probability).round(DECIMALS)


# The model that a worker process scores with.
worker_model: Pipeline | None = None


def start_worker(content: bytes, path: Path) -> None:
    """Load the model, once for all chunks that this process will score."""
    global worker_model
    # hold_signals blocked SIGINT and SIGTERM. SIGINT stays blocked: only the parent handles it.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    # If the parent is killed, nothing else ends this process.
    threading.Thread(target=leave_with_parent, daemon=True).start()
    worker_model = parse_model(content, path)
    gc.freeze()
    gc.enable()


def leave_with_parent() -> None:
    """Wait until the parent process ends, then end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def hold_signals() -> Iterator[None]:
    """Delay the signals that stop this process until the block has ended.

    A process that is started in the block keeps them blocked, so that Ctrl+C is reported once.
    Blocking is not enough for this process: the system may give a signal to a thread of a library,
    and Python then handles it in the main thread. Half-started processes would outlive this one. So
    the handlers only note the signal meanwhile.
    """
    noted: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in STOPPING}
        handlers = {n: handler for n, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, _: noted.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if noted:
        signal.raise_signal(noted[0])


# Takes a model, what to predict (as the label to return probabilities of), and inputs; returns
# probabilities or numbers, perhaps with more.
Score = Callable[[Pipeline, Any, Any], Any]


def score_here(model: Pipeline, wanted: Any, inputs: Any, score: Score | None = None) -> Future:
    """Score inputs in this process; the result is like that of another process."""
    future: Future = Future()
    future.set_result((score or score_texts)(model, wanted, inputs))
    return future


def is_ready() -> bool:
    """Return True, in a worker that has loaded the model."""
    return worker_model is not None


def score_in_worker(wanted: Any, inputs: Any, score: Score | None = None) -> Any:
    """Score inputs with the model that ``start_worker`` loaded."""
    return (score or score_texts)(worker_model, wanted, inputs)


def score_chunks(
    chunks: Iterator[Chunk],
    model: Pipeline,
    content: bytes,
    path: Path,
    wanted: Any,
    n_jobs: int,
    score: Score | None = None,
) -> Iterator[tuple[Chunk, Any]]:
    """Yield each chunk with its probabilities or numbers, or what else ``score`` returns, in order.

    This process scores, too, and alone until others have started, which takes a second. Only a few
    chunks are read ahead, so memory does not grow with the file. After an urgent chunk no other is
    read until all chunks up to it are scored.

    Parameters
    ----------
    chunks : iterator of Chunk
        The chunks to score.
    model : Pipeline
        The model, used in this process.
    content : bytes
        The content of the model's file, which each worker process loads.
    path : Path
        The model's file, for messages.
    wanted : object
        What to predict, the second argument of ``score``.
    n_jobs : int
        The number of processes.
    score : callable, optional
        A function of a module, by default ``score_texts``.

    Raises
    ------
    UserError
        If a process dies.
    """
    if n_jobs == 1:
        for chunk in chunks:
            yield chunk, (score or score_texts)(model, wanted, chunk.texts)
        return
    # Otherwise the first worker would start it, and unblock the signals.
    resource_tracker.ensure_running()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_jobs - 1, context, start_worker, (content, path))
    starting: list[Future] = []
    running: deque[tuple[Chunk, Future]] = deque()
    start = time.process_time()
    try:
        for chunk in chunks:
            if not starting and time.process_time() - start >= ALONE_SECONDS:
                with hold_signals():
                    starting = [pool.submit(is_ready) for _ in range(n_jobs - 1)]
            n_ready = sum(future.done() for future in starting)
            if sum(not future.done() for _, future in running) < QUEUED * n_ready:
                with hold_signals():
                    task = pool.submit(score_in_worker, wanted, chunk.texts, score)
                running.append((chunk, task))
            else:
                running.append((chunk, score_here(model, wanted, chunk.texts, score)))
            while running and (
                chunk.is_urgent or running[0][1].done() or len(running) > 2 * QUEUED * n_jobs
            ):
                first, future = running.popleft()
                yield first, future.result()
        for first, future in running:
            yield first, future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "a scoring process died, perhaps for lack of memory", "lower --jobs"
        ) from error
    finally:
        if not all(future.done() for future in starting):
            # Nobody needs them any more, and to wait for them could take longer than the work did.
            for process in multiprocessing.active_children():
                process.kill()
        pool.shutdown(cancel_futures=True)
