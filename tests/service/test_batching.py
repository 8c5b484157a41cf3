"""Tests of scoring the messages of many requests together."""

import asyncio
import threading

import pytest

from service import batching
from service.batching import (
    BATCH_CHARACTERS,
    BATCH_INPUTS,
    MAX_WAITING,
    QUICK_CHARACTERS,
    Batcher,
    ClientLeftError,
    OverloadError,
)


class Model:
    """Answers a text with its length."""

    def __init__(self, name, done, call_size=0):
        self.name, self.done, self.call_size = name, done, call_size

    def answer(self, inputs):
        self.done.append((self.name, list(inputs)))
        if "fail" in inputs:
            raise KeyError("fail")
        return list(map(len, inputs))


@pytest.fixture
def batches():
    """Return the list of (model, texts) that were scored."""
    return []


@pytest.fixture
def make_model(batches):
    def make(name="first", call_size=0):
        return Model(name, batches, call_size)

    return make


def score(batcher, model, texts, has_left=batching.never):
    return batcher.score(model, texts, list(map(len, texts)), has_left)


def run(*jobs):
    """Score jobs that come at once: model, texts, and perhaps whether the client has left."""

    async def score_all():
        batcher = Batcher()
        task = asyncio.get_running_loop().create_task(batcher.run())
        found = await asyncio.gather(
            *(score(batcher, *job) for job in jobs), return_exceptions=True
        )
        task.cancel()
        assert batcher.waiting == batcher.waiting_characters == 0
        assert not batcher.jobs
        return found

    return asyncio.run(score_all())


def test_requests_that_come_together_are_scored_together(batches, make_model):
    model = make_model()
    assert run((model, ["a", "bb"]), (model, ["ccc"])) == [[1, 2], [3]]
    assert batches == [("first", ["a", "bb", "ccc"])]


def test_a_large_request_does_not_keep_a_small_one_waiting(batches, make_model):
    model = make_model()
    large = ["x" * (1 + i % 7) for i in range(5 * BATCH_INPUTS)]
    found = run((model, large), (model, ["small"]))
    assert found == [[len(text) for text in large], [5]]
    assert "small" in batches[1][1]
    assert all(len(texts) <= BATCH_INPUTS for _, texts in batches)
    assert len(batches) == 6


def test_long_messages_make_small_batches(batches, make_model):
    model = make_model()
    long = "x" * (BATCH_CHARACTERS - 10)
    huge = "x" * (2 * BATCH_CHARACTERS)
    assert run((model, [long, "a", huge, "b"])) == [[len(long), 1, len(huge), 1]]
    assert [texts for _, texts in batches] == [[long, "a"], [huge], ["b"]]


def test_a_batch_has_one_model(batches, make_model):
    first, second = make_model(), make_model("second")
    assert run((first, ["a"]), (second, ["b"]), (first, ["c"])) == [[1], [1], [1]]
    assert batches == [("first", ["a"]), ("second", ["b"]), ("first", ["c"])]


def test_an_error_reaches_its_own_request_and_nobody_else(make_model):
    model = make_model()
    many = ["x"] * (2 * BATCH_INPUTS)
    found = run((model, ["good"]), (model, ["fail"]), (model, many), (make_model("2nd"), ["later"]))
    assert found[0] == [4]
    assert isinstance(found[1], KeyError)
    assert found[2] == [1] * len(many)
    assert found[3] == [5]


def test_a_request_that_fails_is_not_scored_further(batches, make_model):
    model = make_model()
    many = ["fail"] + ["x"] * (5 * BATCH_INPUTS)
    found = run((model, many), (model, ["later"]))
    assert isinstance(found[0], KeyError)
    assert found[1] == [5]
    assert sum("x" in texts for _, texts in batches) == 1


def test_a_client_that_left_is_not_scored_for(batches, make_model):
    model = make_model()

    def has_left():
        # It leaves while its first batch is scored.
        return len(batches) > 0

    many = ["x"] * (5 * BATCH_INPUTS)
    found = run((model, many, has_left), (model, ["stays"]))
    assert isinstance(found[0], ClientLeftError)
    assert found[1] == [5]
    assert len(batches) == 2


def test_a_long_batch_does_not_hold_up_the_loop(make_model):
    ticked = threading.Event()

    def answer_slowly(texts):
        # As long as a batch is scored, the loop has to tick.
        assert ticked.wait(60)
        return [0] * len(texts)

    model = make_model()
    model.answer = answer_slowly

    async def tick_while_scoring():
        batcher = Batcher()
        running = asyncio.get_running_loop().create_task(batcher.run())
        scored = asyncio.ensure_future(score(batcher, model, ["x" * 5000]))
        await asyncio.sleep(0.01)
        ticked.set()
        found = await scored
        running.cancel()
        return found

    assert asyncio.run(tick_while_scoring()) == [0]


def test_too_many_messages_are_refused(make_model):
    model = make_model()
    found = run((model, ["x"] * MAX_WAITING), (model, ["y"]))
    assert len(found[0]) == MAX_WAITING
    assert isinstance(found[1], OverloadError)


def test_too_long_messages_are_refused_the_incoming_ones_counted(monkeypatch, make_model):
    monkeypatch.setattr(batching, "MAX_WAITING_CHARACTERS", 100)
    model = make_model()
    found = run((model, ["x" * 60]), (model, ["y" * 41]), (model, ["z" * 40]))
    assert found[0] == [60]
    assert isinstance(found[1], OverloadError)
    assert found[2] == [40]


def test_who_has_left_takes_no_room(monkeypatch, make_model):
    monkeypatch.setattr(batching, "MAX_WAITING_CHARACTERS", 100)
    model = make_model()
    found = run((model, ["x" * 90], lambda: True), (model, ["y" * 90]))
    assert isinstance(found[0], ClientLeftError)
    assert found[1] == [90]


def test_a_request_alone_is_taken_whatever_its_length(monkeypatch, make_model):
    monkeypatch.setattr(batching, "MAX_WAITING_CHARACTERS", 100)
    assert run((make_model(), ["x" * 60, "y" * 60])) == [[60, 60]]


def test_who_gives_up_waiting_stops_nothing(make_model):
    async def give_up():
        batcher = Batcher()
        model = make_model()
        impatient = asyncio.ensure_future(score(batcher, model, ["a"]))
        await asyncio.sleep(0)
        impatient.cancel()
        task = asyncio.get_running_loop().create_task(batcher.run())
        found = await score(batcher, model, ["bb"])
        task.cancel()
        return found

    assert asyncio.run(give_up()) == [2]


def test_nothing_waits_once_clients_have_left_while_they_were_scored(monkeypatch, make_model):
    is_scored, may_end = threading.Event(), threading.Event()

    def answer_slowly(texts):
        is_scored.set()
        assert may_end.wait(60)
        return [0] * len(texts)

    monkeypatch.setattr(batching, "MAX_WAITING_CHARACTERS", 20_000)

    async def leave_while_scoring():
        batcher = Batcher()
        running = asyncio.get_running_loop().create_task(batcher.run())
        model = make_model()
        model.answer = answer_slowly
        left = asyncio.ensure_future(
            score(batcher, model, ["x" * 1000] * 20, has_left=is_scored.is_set)
        )
        await asyncio.to_thread(is_scored.wait, 60)
        # There is no room, so those who have left are dropped at once.
        stays = asyncio.ensure_future(score(batcher, model, ["y" * 1000] * 20))
        await asyncio.sleep(0)
        may_end.set()
        with pytest.raises(ClientLeftError):
            await left
        await stays
        running.cancel()
        return batcher.waiting, batcher.waiting_characters, len(batcher.jobs)

    assert asyncio.run(leave_while_scoring()) == (0, 0, 0)


def test_a_batch_may_cost_as_much_as_a_call(batches, make_model):
    model = make_model(call_size=3 * BATCH_CHARACTERS)
    texts = ["x" * BATCH_CHARACTERS] * 4
    run((model, texts))
    assert [len(inputs) for _, inputs in batches] == [3, 1]


def test_a_call_that_costs_much_does_not_hold_up_the_loop(make_model):
    ticked = threading.Event()
    model = make_model(call_size=QUICK_CHARACTERS)

    def answer_slowly(inputs):
        assert ticked.wait(60)
        return inputs

    model.answer = answer_slowly

    async def tick_while_scoring():
        batcher = Batcher()
        running = asyncio.get_running_loop().create_task(batcher.run())
        scored = asyncio.ensure_future(score(batcher, model, ["x"]))
        await asyncio.sleep(0.01)
        ticked.set()
        found = await scored
        running.cancel()
        return found

    assert asyncio.run(tick_while_scoring()) == ["x"]
