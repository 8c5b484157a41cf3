"""Tests of scoring the messages of many requests together."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from service import batching
from service.batching import BATCH_CHARACTERS, BATCH_TEXTS, MAX_WAITING, Batcher, OverloadError


@pytest.fixture
def batches(monkeypatch):
    """Return the list of (model, texts) that were scored; a text's score is its length."""
    done = []

    def score(pipeline, _, texts):
        done.append((pipeline, list(texts)))
        if "fail" in texts:
            raise KeyError("fail")
        return np.array([float(len(text)) for text in texts])

    monkeypatch.setattr(batching, "score_texts", score)
    return done


def make_model(name="first"):
    return SimpleNamespace(pipeline=name, labels=SimpleNamespace(positive="spam"))


def run(*jobs):
    """Score jobs that come at once, each a pair of model and texts."""

    async def score_all():
        batcher = Batcher()
        task = asyncio.get_running_loop().create_task(batcher.run())
        found = await asyncio.gather(*(batcher.score(*job) for job in jobs), return_exceptions=True)
        task.cancel()
        assert batcher.waiting == batcher.waiting_characters == 0
        assert not batcher.jobs
        return found

    return asyncio.run(score_all())


def test_requests_that_come_together_are_scored_together(batches):
    model = make_model()
    assert run((model, ["a", "bb"]), (model, ["ccc"])) == [[1, 2], [3]]
    assert batches == [("first", ["a", "bb", "ccc"])]


def test_a_large_request_does_not_keep_a_small_one_waiting(batches):
    model = make_model()
    large = ["x" * (1 + i % 7) for i in range(5 * BATCH_TEXTS)]
    found = run((model, large), (model, ["small"]))
    assert found == [[len(text) for text in large], [5]]
    assert "small" in batches[1][1]
    assert all(len(texts) <= BATCH_TEXTS for _, texts in batches)
    assert len(batches) == 6


def test_long_messages_make_small_batches(batches):
    model = make_model()
    long = "x" * (BATCH_CHARACTERS - 10)
    huge = "x" * (2 * BATCH_CHARACTERS)
    assert run((model, [long, "a", huge, "b"])) == [[len(long), 1, len(huge), 1]]
    assert [texts for _, texts in batches] == [[long, "a"], [huge], ["b"]]


def test_a_batch_has_one_model(batches):
    first, second = make_model(), make_model("second")
    assert run((first, ["a"]), (second, ["b"]), (first, ["c"])) == [[1], [1], [1]]
    assert batches == [("first", ["a"]), ("second", ["b"]), ("first", ["c"])]


def test_an_error_reaches_those_who_wait_and_nobody_else(batches):
    model = make_model()
    many = ["fail"] + ["x"] * (2 * BATCH_TEXTS)
    found = run((model, many), (make_model("second"), ["later"]))
    assert isinstance(found[0], KeyError)
    assert found[1] == [5]
    assert len(batches) == 2


@pytest.mark.usefixtures("batches")
def test_too_many_messages_are_refused():
    model = make_model()
    found = run((model, ["x"] * MAX_WAITING), (model, ["y"]))
    assert len(found[0]) == MAX_WAITING
    assert isinstance(found[1], OverloadError)


@pytest.mark.usefixtures("batches")
def test_too_long_messages_are_refused(monkeypatch):
    monkeypatch.setattr(batching, "MAX_WAITING_CHARACTERS", 100)
    model = make_model()
    found = run((model, ["x" * 60, "y" * 60]), (model, ["z"]))
    assert found[0] == [60, 60]
    assert isinstance(found[1], OverloadError)


@pytest.mark.usefixtures("batches")
def test_who_gives_up_waiting_stops_nothing():
    async def give_up():
        batcher = Batcher()
        model = make_model()
        impatient = asyncio.ensure_future(batcher.score(model, ["a"]))
        await asyncio.sleep(0)
        impatient.cancel()
        task = asyncio.get_running_loop().create_task(batcher.run())
        found = await batcher.score(model, ["bb"])
        task.cancel()
        return found

    assert asyncio.run(give_up()) == [2]
