"""Print the cost of the most expensive requests, and whether the service answers meanwhile.

By hand: python benchmarks/serve_worst.py [--texts 10000]

Starts the service with one process and the trained model, and sends the largest requests that its
limits allow, with the most expensive texts that are known: words that are not in a cache, text
without blanks, runs of combining marks, characters that normalisation multiplies. Then it sends
different texts without blanks and watches the memory. Exit status 1 if a request takes more than
1 s of processor time, if /healthz takes more than 100 ms meanwhile, or if memory grows by more than
10 MB after the first tenth of those texts.
"""

import argparse
import random
import string
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serve import PORT, wait_until_ready  # noqa: E402

URL = f"http://127.0.0.1:{PORT}"
LIMIT_SECONDS, LIMIT_MS, LIMIT_MB = 1.0, 100, 10
TEXT, REQUEST = 10_000, 100_000
ODD = string.ascii_letters + string.digits + ".-@_/:#"
PUNCTUATION = ".,:;!?()[]{}<>-_=+@#$%^&*~'|"


def make_words(alphabet: str, size: int, length: int, seed: int) -> str:
    """Return random words of ``size`` characters of an alphabet, which hardly repeat."""
    rng = random.Random(seed)
    words = ("".join(rng.choices(alphabet, k=size)) for _ in range(length // (size + 1)))
    return " ".join(words)


def fill(piece: str, length: int = TEXT) -> list[str]:
    """Return the texts of a request, each of them a repeated piece."""
    return [(piece * length)[:length]] * (REQUEST // TEXT)


def list_cases() -> dict[str, list[str]]:
    """Return the texts of each request by its name."""
    n_long = REQUEST // TEXT
    odd = {
        f"new words of {size} characters": [make_words(ODD, size, TEXT, n) for n in range(n_long)]
        for size in (2, 3, 4, 8)
    }
    return {
        **odd,
        "1,000 short texts of new words": [make_words(ODD, 3, 100, n) for n in range(1000)],
        "marks in words of 3": [make_words(PUNCTUATION, 3, TEXT, n) for n in range(n_long)],
        "a1.a1.a1. without a blank": fill("a1."),
        "a.a.a. without a blank": fill("a."),
        "digits without a blank": fill("1"),
        "&#x1; without a blank": fill("&#x1;"),
        "combining marks": fill("\u0300\u0316"),
        "no-break spaces, reduced to one": [text + "a" for text in fill("\xa0", TEXT - 1)],
        "Greek letters with three marks": fill("\u03b1\u0313\u0300\u0345"),
        "letters with marks to compose": fill("\u1e69\u0323"),
        "㏂, which becomes 4 characters": fill("㏂", TEXT // 4),
        "ﷺ, which becomes 18 characters": fill("\ufdfa", TEXT // 18),
        "refused: ﷺ 100,000 times": fill("\ufdfa"),
    }


class Watch:
    """Requests /healthz repeatedly, and keeps the longest time that an answer took."""

    def __init__(self) -> None:
        self.worst_ms = 0.0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self.is_over.wait(0.005):
                start = time.perf_counter()
                client.get(f"{URL}/healthz").raise_for_status()
                self.worst_ms = max(self.worst_ms, 1000 * (time.perf_counter() - start))

    def __enter__(self) -> "Watch":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.thread.join()


def read_cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time that a process has used."""
    times = process.cpu_times()
    return times.user + times.system


def print_costs(client: httpx.Client, process: psutil.Process) -> tuple[float, float]:
    """Print a table; return the most seconds of a request, and the longest wait for /healthz."""
    most_seconds = most_ms = 0.0
    print("| request | characters | status | CPU s | longest /healthz, ms |")
    print("| --- | --- | --- | --- | --- |")
    for name, texts in list_cases().items():
        start = read_cpu_seconds(process)
        with Watch() as watch:
            status = client.post(f"{URL}/v1/predict", json={"texts": texts}).status_code
        spent, worst = read_cpu_seconds(process) - start, watch.worst_ms
        length = sum(map(len, texts))
        print(f"| {name} | {length:,} | {status} | {spent:.2f} | {worst:.0f} |", flush=True)
        most_seconds, most_ms = max(most_seconds, spent), max(most_ms, worst)
    start = read_cpu_seconds(process)
    text = make_words(ODD, 3, TEXT, 99)
    with Watch() as watch:
        client.post(f"{URL}/v1/predict", json={"text": text, "explain": True}).raise_for_status()
    spent = read_cpu_seconds(process) - start
    print(f"| one text, explained | {TEXT:,} | 200 | {spent:.2f} | {watch.worst_ms:.0f} |")
    return max(most_seconds, spent), max(most_ms, watch.worst_ms)


def print_memory(client: httpx.Client, process: psutil.Process, n_texts: int) -> float:
    """Print the memory after each fifth of the texts; return by how many MB it has grown."""
    rng = random.Random(0)
    n_requests = n_texts * TEXT // REQUEST
    after: list[float] = []
    print(f"\n| texts of {TEXT:,} letters | memory, MB |\n| --- | --- |")
    for number in range(1, n_requests + 1):
        texts = ["".join(rng.choices(string.ascii_letters, k=TEXT)) for _ in range(10)]
        client.post(f"{URL}/v1/predict", json={"texts": texts}).raise_for_status()
        if number == n_requests // 10 or number % (n_requests // 5) == 0:
            after.append(process.memory_info().rss / 1e6)
            print(f"| {10 * number:,} | {after[-1]:.0f} |", flush=True)
    return after[-1] - after[0]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Measure the most expensive requests.")
    parser.add_argument("--texts", type=int, default=10_000, help="for the table of memory")
    args = parser.parse_args()
    command = [sys.executable, "src", "serve", "--port", str(PORT)]
    service = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        wait_until_ready(service, 1)
        process = psutil.Process(service.pid)
        with httpx.Client(timeout=600) as client:
            seconds, milliseconds = print_costs(client, process)
            grown = print_memory(client, process, args.texts)
    finally:
        service.terminate()
        service.wait()
    print(f"\nat most {seconds:.2f} s, /healthz {milliseconds:.0f} ms, memory {grown:+.0f} MB")
    if seconds > LIMIT_SECONDS or milliseconds > LIMIT_MS or grown > LIMIT_MB:
        sys.exit(f"the limits are {LIMIT_SECONDS:g} s, {LIMIT_MS} ms and {LIMIT_MB} MB")


if __name__ == "__main__":
    main()
