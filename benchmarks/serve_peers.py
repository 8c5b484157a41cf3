"""Compare the service with others that serve the same model: prints a table.

Run: python benchmarks/serve_peers.py [--seconds 20] [--rounds 3] [--connections 32] [--workers 1]

The peers are in benchmarks/serve_peers: a plain FastAPI endpoint that calls the model for each
request, LitServe and BentoML with batches of up to 64 messages. They are installed in a separate
environment, .cache/peers, of half a gigabyte. The servers run one after the other, in reverse order
in every second round, and get the messages of the corpus, one a request. The client shares their
processors. LitServe has an extra process for HTTP for each process that scores. CPU time is that of
all processes of a server.

Exit status 1 if the service fails a request, or is not better than every peer in requests a second
and in p99, by the median of the rounds.
"""

import argparse
import gc
import json
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import uvloop

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from benchmarks.corpus import RAW, read_corpus  # noqa: E402
from benchmarks.environment import install  # noqa: E402
from benchmarks.load import HOST, load, make_requests  # noqa: E402
from core.markdown import align_table  # noqa: E402

MODEL = ROOT / "models" / "model.skops"
PEERS = ROOT / "benchmarks" / "serve_peers"
REQUIREMENTS = PEERS / "requirements.txt"
ENVIRONMENT = ROOT / ".cache" / "peers"
PYTHON = str(ENVIRONMENT / "bin" / "python")
WARM_UP_SECONDS = 5
START_SECONDS = 120
STOP_SECONDS = 5


@dataclass(frozen=True)
class Server:
    """How to start a server with Python's arguments, and how to send it a request."""

    name: str
    arguments: str
    python: str = PYTHON
    folder: Path = PEERS
    path: str = "/predict"
    takes_lists: bool = False

    def make_body(self, text: str) -> dict[str, str | list[str]]:
        """Return the body of a request for a message's label."""
        return {"text": [text] if self.takes_lists else text}


@dataclass(frozen=True)
class Figures:
    """The results of a load on a server."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    failures: int


def name_pinned(name: str) -> str:
    """Return the name of a peer with its version."""
    pins = REQUIREMENTS.read_text(encoding="utf-8")
    pin = re.search(rf"^{name}==(\S+)", pins, re.MULTILINE | re.IGNORECASE)
    assert pin
    return f"{name} {pin[1]}"


def list_servers(workers: int) -> list[Server]:
    """Return the service and its peers; ``{port}`` is replaced when a server is started."""
    return [
        Server(
            "this service",
            f"src serve --port {{port}} --workers {workers}",
            python=sys.executable,
            folder=ROOT,
            path="/v1/predict",
        ),
        Server(
            f"{name_pinned('FastAPI')}, a call for each request",
            f"-m uvicorn naive_fastapi:app --port {{port}} --workers {workers} --no-access-log",
        ),
        Server(f"{name_pinned('LitServe')}, batches", f"litserve_peer.py {{port}} {workers}"),
        Server(
            f"{name_pinned('BentoML')}, batches",
            f"-m bentoml serve bentoml_peer:Spam --host {HOST} --port {{port}}",
            takes_lists=True,
        ),
    ]


def find_free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server((HOST, 0)) as listening:
        return listening.getsockname()[1]


def list_processes(process: subprocess.Popen) -> list[psutil.Process]:
    """Return a running process and all processes that it has started."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def stop(process: subprocess.Popen) -> None:
    """End a server and all its processes, since some servers leave theirs running."""
    if process.poll() is not None:
        return
    processes = list_processes(process)
    process.terminate()
    _, left = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    for survivor in left:
        survivor.kill()
    process.wait()


@contextmanager
def run_server(server: Server, port: int, workers: int) -> Iterator[subprocess.Popen]:
    """Run a server for the block.

    Raises
    ------
    OSError
        If an ``OSError`` is raised in the block; the message has the end of the server's log.
    """
    settings = {
        "WORKERS": str(workers),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(ENVIRONMENT / "bentoml"),
        # .env may have set these for the service.
        "SERVICE_TOKEN": "",
        "FEEDBACK_URL": "",
    }
    command = [server.python, *server.arguments.format(port=port).split()]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=server.folder, env=os.environ | settings, stdout=log, stderr=log
        )
        try:
            yield process
        except OSError as error:
            log.seek(0)
            raise OSError(f"{server.name}: {error}\n{log.read()[-2000:]}") from error
        finally:
            stop(process)


def read_probability(answer: bytes) -> float:
    """Return the first probability in an answer of any format."""
    found = re.search(rb'"probability": ?([0-9.e-]+)', answer)
    assert found, answer
    return float(found[1])


def ask_first(server: Server, process: subprocess.Popen, port: int, text: str) -> float:
    """Wait until a server answers; return the probability that it returns for a message.

    Raises
    ------
    OSError
        If it ends, or does not answer in time.
    """
    request = urllib.request.Request(
        f"http://{HOST}:{port}{server.path}",
        json.dumps(server.make_body(text)).encode(),
        {"Content-Type": "application/json"},
    )
    last: OSError | None = None
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
                return read_probability(response.read())
        except OSError as error:
            last = error
            time.sleep(0.1)
    raise OSError(f"it does not answer ({last})")


def measure(
    server: Server, texts: list[str], connections: int, workers: int, seconds: float
) -> tuple[Figures, float]:
    """Return the figures of a server, and its probability for the first message.

    Raises
    ------
    OSError
        If it does not start, or answers nothing.
    """
    requests = make_requests(server.path, [server.make_body(text) for text in texts])
    port = find_free_port()
    with run_server(server, port, workers) as process:
        probability = ask_first(server, process, port, texts[0])
        uvloop.run(load(requests, port, connections, WARM_UP_SECONDS))
        processes = list_processes(process)
        before = sum_cpu_seconds(processes)
        took, failures = uvloop.run(load(requests, port, connections, seconds))
        used = sum_cpu_seconds(processes) - before
        if not took.size:
            raise OSError(f"all of {failures} requests failed")
    p50, p99 = 1000 * np.quantile(took, [0.5, 0.99])
    return (
        Figures(len(took) / seconds, p50, p99, 1000 * used / len(took), failures),
        probability,
    )


def sum_cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the processor time of processes, in user and in system mode."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def summarise(rounds: list[Figures]) -> Figures:
    """Return the median of each figure, and the failures of all rounds."""
    return Figures(
        median(figures.rate for figures in rounds),
        median(figures.p50_ms for figures in rounds),
        median(figures.p99_ms for figures in rounds),
        median(figures.cpu_ms for figures in rounds),
        sum(figures.failures for figures in rounds),
    )


def tabulate(found: dict[str, Figures]) -> str:
    """Return a Markdown table with a row for each server."""
    rows = [["server", "requests/s", "p50 ms", "p99 ms", "CPU ms a request", "failures"]]
    for name, figures in found.items():
        times = [f"{x:.1f}" for x in (figures.p50_ms, figures.p99_ms)]
        cpu = f"{figures.cpu_ms:.2f}"
        rows.append([name, f"{figures.rate:,.0f}", *times, cpu, f"{figures.failures:,}"])
    return align_table(rows)


def list_failures(found: dict[str, Figures]) -> list[str]:
    """Return in which respects the first server is not the best one, in sentences."""
    (_, ours), *peers = found.items()
    failures = [f"{ours.failures:,} requests failed"] if ours.failures else []
    for name, peer in peers:
        if ours.rate <= peer.rate:
            failures.append(f"{name} answers as many requests a second, or more")
        if ours.p99_ms >= peer.p99_ms:
            failures.append(f"p99 of {name} is as low, or lower")
    return failures


def main() -> None:
    """Measure in rounds, print the medians, and check that the service is the best."""
    parser = argparse.ArgumentParser(description="Compare the service with others.")
    parser.add_argument("--seconds", type=float, default=20, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1, help="processes that score, per server")
    args = parser.parse_args()
    if not MODEL.is_file():
        sys.exit(f"{MODEL} does not exist: run 'make repro' first")
    texts = read_corpus(RAW)[1][:5000]
    install(REQUIREMENTS, ENVIRONMENT)
    servers = list_servers(args.workers)
    rounds: dict[str, list[Figures]] = {server.name: [] for server in servers}
    probabilities: list[float] = []
    gc.disable()
    for number in range(args.rounds):
        for server in servers[:: -1 if number % 2 else 1]:
            try:
                figures, probability = measure(
                    server, texts, args.connections, args.workers, args.seconds
                )
            except OSError as error:
                sys.exit(str(error))
            rounds[server.name].append(figures)
            probabilities.append(probability)
    found = {name: summarise(each) for name, each in rounds.items()}
    print(f"workers: {args.workers} each, {args.connections} connections, a message a request:\n")
    print(tabulate(found))
    problems = list_failures(found)
    if not all(math.isclose(p, probabilities[0], abs_tol=1e-6) for p in probabilities):
        problems.append("the servers return different probabilities")
    if problems:
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
