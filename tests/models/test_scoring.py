"""Tests of scoring in one process and in several."""

import hashlib
import multiprocessing
import signal
import threading
import time

import numpy as np
import pytest

from core.errors import UserError
from models import scoring
from models.scoring import check_labels, name_version, score_chunks, score_texts
from models.store import save_model
from records.chunks import Chunk
from tests.support.small_model import HAM, SPAM, fit_model


@pytest.fixture(scope="module")
def model():
    return fit_model()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.skops"
    save_model(model, path)
    return path


def make_chunks(n):
    for number in range(n):
        yield Chunk([f"{HAM[number % 5]} {number}", SPAM[number % 5]], number, [])


def test_the_version_is_the_digest_of_the_file(path):
    assert name_version(path.read_bytes()) == hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def test_scores_the_positive_label(model):
    spam, ham = (score_texts(model, label, ["free cash prize"])[0] for label in ("spam", "ham"))
    assert spam > 0.5
    assert spam + ham == pytest.approx(1)


def test_no_texts_give_no_scores(model):
    assert score_texts(model, "spam", []).tolist() == []


def test_refuses_other_labels(model, path):
    check_labels(model, ["spam", "ham"], path)
    with pytest.raises(ValueError, match=r"are ham and spam, but .* are good and bad: use"):
        check_labels(model, ["good", "bad"], path)


def make_chunks_until(is_over):
    """Yield chunks slowly until a condition holds, and 20 more."""
    n_more = 20
    while n_more:
        time.sleep(0.01)
        yield from make_chunks(1)
        n_more -= is_over()


def test_two_processes_give_the_same_scores_in_the_same_order(model, path, monkeypatch):
    given, scored_here = [], []
    chunks = make_chunks_until(lambda: len(scored_here) < len(given))
    chunks = (given.append(chunk) or chunk for chunk in chunks)
    monkeypatch.setattr(scoring, "ALONE_SECONDS", 0)
    monkeypatch.setattr(
        scoring, "score_texts", lambda *args: scored_here.append(args) or score_texts(*args)
    )
    found = list(score_chunks(chunks, model, path.read_bytes(), path, "spam", 2))
    assert [chunk for chunk, _ in found] == given
    assert len(scored_here) < len(given)
    for chunk, scores in found:
        assert np.array_equal(scores, score_texts(model, "spam", chunk.texts))


def test_a_small_input_starts_no_process(model, path, monkeypatch):
    monkeypatch.setattr(scoring, "start_worker", None)
    # Of other tests, such as those of searches.
    before = set(multiprocessing.active_children())
    found = list(score_chunks(make_chunks(20), model, path.read_bytes(), path, "spam", 2))
    assert [chunk.rows for chunk, _ in found] == list(range(20))
    assert set(multiprocessing.active_children()) <= before


def test_a_worker_scores_with_the_model_of_the_file(model, path, monkeypatch):
    monkeypatch.setattr(scoring, "worker_model", None)
    scoring.start_worker(path.read_bytes(), path)
    expected = score_texts(model, "spam", SPAM)
    assert np.array_equal(scoring.score_in_worker("spam", SPAM), expected)


def test_reads_no_more_chunks_than_processes_need(model, path):
    read = []
    chunks = (read.append(chunk) or chunk for chunk in make_chunks(50))
    scored = score_chunks(chunks, model, path.read_bytes(), path, "spam", 2)
    for n_scored, _ in enumerate(scored, start=1):
        assert len(read) <= n_scored + 4 * scoring.QUEUED + 1
    scored.close()


def test_an_urgent_chunk_does_not_wait_for_others(model, path):
    read = []
    chunks = (read.append(n) or Chunk(["a"], n, [], is_urgent=n > 1) for n in range(4))
    found = [
        (chunk.rows, len(read))
        for chunk, _ in score_chunks(chunks, model, path.read_bytes(), path, "spam", 2)
    ]
    assert found == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_reports_that_a_process_died(model, path, monkeypatch):
    monkeypatch.setattr(scoring, "ALONE_SECONDS", 0)
    chunks = make_chunks_until(lambda: False)
    with pytest.raises(UserError, match=r"a scoring process died, .*--jobs"):
        list(score_chunks(chunks, model, b"no model", path, "spam", 2))


def test_a_signal_that_another_thread_gets_waits_for_the_end_of_the_block():
    steps = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with scoring.hold_signals():
            thread = threading.Thread(
                target=lambda: (
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT}),
                    signal.pthread_kill(threading.get_ident(), signal.SIGINT),
                )
            )
            thread.start()
            thread.join()
            steps.append("whole")
        steps.append("never")
    assert steps == ["whole"]
