"""Tests of scoring in one process and in several."""

import hashlib
import signal
import threading

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


def test_two_processes_give_the_same_scores_in_the_same_order(model, path):
    expected = list(score_chunks(make_chunks(20), model, path.read_bytes(), path, "spam", 1))
    found = list(score_chunks(make_chunks(20), model, path.read_bytes(), path, "spam", 2))
    assert [chunk.rows for chunk, _ in found] == list(range(20))
    for (_, scores), (_, others) in zip(expected, found, strict=True):
        assert np.array_equal(scores, others)


def test_a_worker_scores_with_the_model_of_the_file(model, path, monkeypatch):
    monkeypatch.setattr(scoring, "worker_model", None)
    scoring.start_worker(path.read_bytes(), path)
    expected = score_texts(model, "spam", SPAM)
    assert np.array_equal(scoring.score_in_worker("spam", SPAM), expected)


def test_reads_no_more_chunks_than_processes_need(model, path):
    read = []
    chunks = (read.append(chunk) or chunk for chunk in make_chunks(50))
    scored = score_chunks(chunks, model, path.read_bytes(), path, "spam", 2)
    next(scored)
    assert len(read) <= 2 * scoring.QUEUED + 1
    scored.close()


def test_an_urgent_chunk_does_not_wait_for_others(model, path):
    read = []
    chunks = (read.append(n) or Chunk(["a"], n, [], is_urgent=n > 1) for n in range(4))
    found = [
        (chunk.rows, len(read))
        for chunk, _ in score_chunks(chunks, model, path.read_bytes(), path, "spam", 2)
    ]
    assert found == [(0, 3), (1, 3), (2, 3), (3, 4)]


def test_reports_that_a_process_died(model, path):
    with pytest.raises(UserError, match=r"a scoring process died, .*--jobs"):
        list(score_chunks(make_chunks(2), model, b"no model", path, "spam", 2))


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
