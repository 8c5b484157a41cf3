"""Print how many messages a second the service scores, and how long each of them takes.

By hand: python benchmarks/serve.py [--seconds 60] [--connections 32] [--workers 2]

Starts the service with the trained model and sends requests from this process, which shares its
processors: for 60 seconds as fast as possible, one message a request, then for 60 seconds at half
that rate. Exit status 1 if a request fails, or if at half the load one in a hundred takes 20 ms or
more.
"""

import argparse
import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import uvloop

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.corpus import RAW, read_corpus  # noqa: E402
from benchmarks.load import load, make_requests  # noqa: E402

LIMIT_MS = 20
PORT = 8765


def wait_until_ready(service: subprocess.Popen[str], n_workers: int) -> None:
    """Wait until each process of the service has started.

    Raises
    ------
    OSError
        If the service ends before that.
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
    texts = read_corpus(RAW)[1][:5000]
    requests = make_requests("/v1/predict", [{"text": text} for text in texts])
    command = [sys.executable, "src", "serve", "--port", str(PORT)]
    service = subprocess.Popen(
        [*command, "--workers", str(args.workers)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    gc.disable()
    try:
        wait_until_ready(service, args.workers)
        uvloop.run(load(requests, PORT, args.connections, 3))
        print(f"{args.workers} processes, {args.connections} connections, a message a request:\n")
        print("| load         | messages/s | p50 ms | p99 ms | most ms | failures |")
        print("| ------------ | ---------- | ------ | ------ | ------- | -------- |")
        full, failures = uvloop.run(load(requests, PORT, args.connections, args.seconds))
        show("all it takes", full, failures, args.seconds)
        rate = len(full) / args.seconds / 2
        half, late = uvloop.run(load(requests, PORT, args.connections, args.seconds, rate))
        show("half of that", half, late, args.seconds)
    finally:
        service.terminate()
        service.wait()
    p99 = 1000 * np.quantile(half, 0.99)
    if failures or late or p99 >= LIMIT_MS:
        sys.exit(f"{failures + late} requests failed, p99 at half the load is {p99:.1f} ms")


if __name__ == "__main__":
    main()
