"""Ask a service on this machine from many connections at once, and time its answers."""

import asyncio
import json
import time

import httptools
import numpy as np

HOST = "127.0.0.1"
# How long after its end a load waits for the last answers.
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
    """One connection that is kept, with one request under way at a time."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] | None = None

    def connection_made(self, transport) -> None:
        """Keep the transport."""
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """Read a part of an answer."""
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Hand out the status of an answer."""
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.set_result(self.parser.get_status_code())
        self.parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the request under way fail."""
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
    """Ask from many connections at once; return the seconds of each answer and the failures.

    With a rate, in requests a second, each request has its time, and its seconds count from then
    on, so that a service which falls behind is not spared (coordinated omission). A connection that
    is lost, or that still waits 30 seconds after the end, is a failure.
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
