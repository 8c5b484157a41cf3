"""Print how many messages a second the service scores, and how long each of them takes.

By hand: python benchmarks/serve.py [--seconds 60] [--connections 32] [--workers 2]

Starts the service on the trained model and asks from this process, which needs a part of the same
processors: 60 seconds as fast as it goes, one message a request, then 60 seconds at half that rate.
Exits with 1 if a request fails, or if at half the load one in a hundred takes 20 ms or more.
"""

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import httptools
import numpy as np
import uvloop

ROOT = Path(__file__).parents[1]
LIMIT_MS = 20
HOST, PORT = "127.0.0.1", 8765


def make_requests(n: int) -> list[bytes]:
    """Return requests for the first ``n`` messages of the raw data."""
    lines = (ROOT / "data/raw/messages.tsv").read_text(encoding="utf-8").split("\n")[:n]
    bodies = [json.dumps({"text": line.partition("\t")[2]}).encode() for line in lines]
    head = "POST /v1/predict HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
    return [
        head.format(HOST).encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
        for body in bodies
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
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer


async def load(requests: list[bytes], connections: int, seconds: float, rate: float | None):
    """Ask from many connections at once; return the seconds of each request and the failures.

    With a rate, in requests a second, each request has its time, and its seconds count from then
    on, so that a service which falls behind is not spared (coordinated omission).
    """
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(Client, HOST, PORT))[1] for _ in range(connections)]
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
                failures += await client.ask(requests[turn % len(requests)]) != 200
            except OSError:
                failures += 1
                return
            took.append(time.perf_counter() - begin)
            turn += connections

    await asyncio.gather(*(ask_again_and_again(*pair) for pair in enumerate(clients)))
    for client in clients:
        client.transport.close()
    return np.array(took), failures


def wait_until_ready(service: subprocess.Popen[str], n_workers: int) -> None:
    """Wait until each process of the service says that it serves.

    Raises
    ------
    OSError
        If the service ends before.
    """
    assert service.stderr is not None
    log = []
    for line in service.stderr:
        log.append(line)
        n_workers -= "startup complete" in line
        if n_workers == 0:
            return
    raise OSError(f"the service has ended: {''.join(log)}")


def show(name: str, took: np.ndarray, failures: int, seconds: float) -> None:
    """Print a row of the table."""
    p50, p99, worst = 1000 * np.quantile(took, [0.5, 0.99, 1])
    rate = f"{len(took) / seconds:,.0f}"
    print(f"| {name:12} | {rate:>10} | {p50:>6.1f} | {p99:>6.1f} | {worst:>7.1f} | {failures:>8} |")


def main() -> None:
    """Print a table of both loads."""
    parser = argparse.ArgumentParser(description="Time the service.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    requests = make_requests(5000)
    command = [sys.executable, "src/serve.py", "--port", str(PORT)]
    service = subprocess.Popen(
        [*command, "--workers", str(args.workers)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    gc.disable()
    try:
        wait_until_ready(service, args.workers)
        uvloop.run(load(requests, args.connections, 3, None))
        print(f"{args.workers} processes, {args.connections} connections, a message a request:\n")
        print("| load         | messages/s | p50 ms | p99 ms | most ms | failures |")
        print("| ------------ | ---------- | ------ | ------ | ------- | -------- |")
        full, failures = uvloop.run(load(requests, args.connections, args.seconds, None))
        show("all it takes", full, failures, args.seconds)
        rate = len(full) / args.seconds / 2
        half, late = uvloop.run(load(requests, args.connections, args.seconds, rate))
        show("half of that", half, late, args.seconds)
    finally:
        service.terminate()
        service.wait()
    p99 = 1000 * np.quantile(half, 0.99)
    if failures or late or p99 >= LIMIT_MS:
        sys.exit(f"{failures + late} requests failed, p99 at half the load is {p99:.1f} ms")


if __name__ == "__main__":
    main()
