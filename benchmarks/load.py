"""Send requests to a service on this machine over many connections, and time its answers."""

import asyncio
import json
import time

import httptools
import numpy as np

HOST = "127.0.0.1"
# How long to wait for the last answers.
GRACE_SECONDS = 30


def make_requests(path: str, bodies: list[dict]) -> list[bytes]:
    """Return a POST request of JSON for each body."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
    contents = [json.dumps(body).encode() for body in bodies]
    return [
        head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content
        for content in contents
    ]


class Client(asyncio.Protocol):
    """A connection that stays open, with one request at a time."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Pass the status of an answer to the caller of ``ask``."""
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.set_result(self.parser.get_status_code())
        self.parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Make the request in progress fail."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(exc or ConnectionResetError())

    async def ask(self, request: bytes) -> int:
        """Send a request and return the status of its answer."""
        if self.transport.is_closing():
            raise ConnectionResetError
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer


async def load(
    requests: list[bytes], port: int, connections: int, seconds: float, rate: float | None = None
) -> tuple[np.ndarray, int]:
    """Send requests over many connections; return the seconds of each answer and the failures.

    With a rate, in requests a second, each request has a planned time from which its seconds are
    counted, so that delays of a service that falls behind are included (coordinated omission). A
    connection that is lost, or still waits 30 seconds after the end, counts as a failure.
    """
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(Client, HOST, port))[1] for _ in range(connections)]
    took: list[float] = []
    failures = 0
    start = time.perf_counter()

    async def ask_again_and_again(number: int, client: Client) -> None:
        nonlocal failures
        turn = number
        while True:
            begin = time.perf_counter()
            if rate is not None:
                due = start + turn / rate
                if due > begin:
                    await asyncio.sleep(due - begin)
                begin = due
            if begin - start >= seconds:
                return
            try:
                status = await client.ask(requests[turn % len(requests)])
            except OSError:
                failures += 1
                return
            if status == 200:
                took.append(time.perf_counter() - begin)
            else:
                failures += 1
            turn += connections

    tasks = [asyncio.create_task(ask_again_and_again(*pair)) for pair in enumerate(clients)]
    done, unanswered = await asyncio.wait(tasks, timeout=seconds + GRACE_SECONDS)
    for task in unanswered:
        task.cancel()
    for task in done:
        task.result()
    for client in clients:
        client.transport.close()
    return np.array(took), failures + len(unanswered)
