"""Tests of what the benchmarks measure with."""

import asyncio
import contextlib

import pytest

from benchmarks import load


def ask(answer, connections, seconds):
    """Return what a load finds of a server that calls ``answer`` with each request's writer."""

    handlers = []

    async def serve(reader, writer):
        handlers.append(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"{}"):
                answer(writer)

    async def run():
        server = await asyncio.start_server(serve, load.HOST, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            requests = load.make_requests("/predict", [{}])
            found = await load.load(requests, port, connections, seconds)
            await asyncio.gather(*handlers)
            return found

    return asyncio.run(run())


def test_a_load_times_the_answers_and_counts_the_failures():
    statuses = []

    def answer(writer):
        statuses.append(500 if len(statuses) % 3 == 0 else 200)
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % statuses[-1])

    took, failures = ask(answer, connections=3, seconds=0.2)
    assert len(took) == statuses.count(200) > 0
    assert failures == statuses.count(500) > 0
    assert (took > 0).all()


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"])
def test_a_lost_connection_is_a_failure(sent):
    def answer(writer):
        writer.write(sent)
        writer.close()

    _, failures = ask(answer, connections=2, seconds=60)
    assert failures == 2


def test_an_answer_that_never_comes_is_a_failure(monkeypatch):
    monkeypatch.setattr(load, "GRACE_SECONDS", 0)
    took, failures = ask(lambda _: None, connections=2, seconds=0.1)
    assert (len(took), failures) == (0, 2)
