"""Serve the model: a REST API, and a web page to try it.

By hand: python src/serve.py [--host 127.0.0.1] [--port 8000] [--workers 2]

SERVICE_TOKEN in the environment is what clients must send as bearer token, FEEDBACK_URL is the
SQLAlchemy URL of the database for corrections; without it none are taken.
"""

import common.startup  # noqa: F401  (first: see there)

import argparse
import functools
import ipaddress
import logging
import math
import os
import resource
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from common.feedback_store import open_store
from common.log import run_stage
from service import protocol
from service.app import create_app
from service.serving_model import load_newest
from service.settings import Settings

BACKLOG = 2048
MAX_PORT = 65_535
# Elsewhere, sockets that share a port do not share its connections.
SHARES_PORT = sys.platform == "linux"
# How long requests that are under way may take when the service is stopped.
GRACE_SECONDS = 10

logger = logging.getLogger(__name__)


class Worker(Process):
    """A process that serves, with a socket of its own.

    Linux deals new connections out among sockets that share a port. From a single socket whoever
    is awake first takes all that wait, so one process would work while the others idle.
    """

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve at the address that the supervisor keeps."""
        assert sockets
        host, port = sockets[0].getsockname()[:2]
        own = socket.create_server(
            (host, port), family=sockets[0].family, backlog=BACKLOG, reuse_port=True
        )
        super().target([own])


class Supervisor(Multiprocess):
    """Starts the processes that serve, starts others for those that die, hands SIGHUP on."""

    def init_processes(self) -> None:
        """Start the processes."""
        self.processes = [self.start_process() for _ in range(self.processes_num)]

    def start_process(self) -> Process:
        """Start one process."""
        process = (Worker if SHARES_PORT else Process)(self.config, self.sockets)
        process.start()
        return process

    def handle_hup(self) -> None:
        """Let every process reload its model; uvicorn would replace the processes."""
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)

    def keep_subprocess_alive(self) -> None:
        """Start another process for each that ended.

        uvicorn would also kill those which do not answer it within 5 seconds, as one that starts
        on a busy machine does not, again and again.
        """
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.process.is_alive():
                continue
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            logger.error("process %d ended (%s), another starts", process.pid, process.exitcode)
            self.processes[index] = self.start_process()


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    OSError
        If the address is not this machine's, or the port is taken or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(f"cannot listen on {host}, port {port}: {reason}; see --port") from error
    found.set_inheritable(True)
    return found


def keep_port(listening: socket.socket) -> socket.socket:
    """Return a socket that keeps a port, without listening, for others to share it."""
    family, address = listening.family, listening.getsockname()
    # That it could listen has shown that nobody else does.
    listening.close()
    kept = socket.socket(family)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    kept.bind(address)
    return kept


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def raise_file_limit() -> None:
    """Allow as many open files, connections among them, as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def supervise(config: uvicorn.Config, address: socket.socket) -> None:
    """Serve with several processes until a signal ends them.

    Raises
    ------
    OSError
        If one of them cannot start.
    """
    with address:
        supervisor = Supervisor(config, [address])
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise OSError("a process that serves could not start: see above")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Serve the model.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    parser.add_argument("--workers", type=int, default=1, help="processes that serve")
    point = parser.add_mutually_exclusive_group()
    point.add_argument("--threshold", type=float, help="of probability (what params.yaml says)")
    point.add_argument("--max-fpr", type=float, help="or the false-positive rate it may have")
    parser.add_argument("--access-log", action="store_true", help="log every request")
    parser.add_argument("--log-messages", action="store_true", help="log what is scored, too")
    parser.add_argument(
        "--timeout", type=float, default=10, help="seconds that a client may take to send a request"
    )
    parser.add_argument("--model", type=Path, default=Path("models/model.skops"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--lock", type=Path, default=Path("dvc.lock"))
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="of the evaluation")
    return parser


def read_settings(args: argparse.Namespace, folder: Path) -> Settings:
    """Return what the command line and the environment say."""
    return Settings(
        model=args.model,
        params=args.params,
        roc=args.reports / "plots/sklearn/roc.json",
        metrics=args.reports / "metrics.json",
        intervals=args.reports / "intervals.json",
        plots=args.reports / "plots/images",
        lock=args.lock,
        folder=folder,
        threshold=args.threshold,
        max_fpr=args.max_fpr,
        token=os.environ.get("SERVICE_TOKEN", ""),
        feedback_url=os.environ.get("FEEDBACK_URL", ""),
        logs_messages=args.log_messages,
        seconds=args.timeout,
    )


def main(argv: list[str] | None = None) -> None:
    """Serve what ``argv`` names, until a signal ends it."""
    args = build_parser().parse_args(argv)
    for name in ("workers", "timeout"):
        if not 0 < getattr(args, name) < math.inf:
            raise ValueError(f"--{name} is {getattr(args, name):g}: give more than 0")
    if not 0 <= args.port <= MAX_PORT:
        raise ValueError(f"--port is {args.port}: give a number from 0 to {MAX_PORT}")
    token = os.environ.get("SERVICE_TOKEN", "")
    if token != token.strip():
        raise ValueError("SERVICE_TOKEN has white space around it, which no client can send")
    raise_file_limit()
    # Until the model is there it cannot be loaded anew, and the signal would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="serve-") as name:
        settings = read_settings(args, Path(name))
        found = load_newest(settings)
        if settings.feedback_url:
            open_store(settings.feedback_url).dispose()
        listening = bind(args.host, args.port)
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        logger.info("model %s is served on http://%s:%d/", found.version, shown, port)
        if not settings.token and not is_loopback(args.host):
            logger.warning("whoever reaches %s can use it: set SERVICE_TOKEN", args.host)
        config = uvicorn.Config(
            functools.partial(create_app, settings),
            factory=True,
            http=protocol.PatientProtocol,
            ws="none",
            workers=args.workers,
            log_config=None,
            access_log=args.access_log,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # uvicorn raises the signal that ended it again: the folder is removed all the same.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            if args.workers > 1:
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = name
                supervise(config, keep_port(listening) if SHARES_PORT else listening)
            else:
                uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    # The file system may be read-only, and processes must not share a file that is rotated.
    run_stage(main, log_file=None)
