"""Serve the model: a REST API, and a web page to try it.

By hand: python src serve [--host 127.0.0.1] [--port 8000] [--workers 2]

Environment: SERVICE_TOKEN is the bearer token that clients must send; FEEDBACK_URL is the
SQLAlchemy URL of the database for corrections, without which feedback is off.
"""

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
import time
from contextlib import suppress
from pathlib import Path

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from core.errors import UserError
from core.files import make_private_folder
from core.log import run_stage
from core.paths import MODEL
from feedback.store import open_store
from models.threshold import name_points
from service import telemetry
from service.app import create_app
from service.connections import protocol
from service.connections.draining import DrainingServer
from service.serving_model import load_newest
from service.settings import Settings

BACKLOG = 2048
MAX_PORT = 65_535
# On other systems, sockets that share a port do not share its connections.
SHARES_PORT = sys.platform == "linux"
# How long requests in progress may take when the service is stopped.
GRACE_SECONDS = 8
# A process is not started again sooner than this after its last start.
RESTART_SECONDS = 3
# The most open files that macOS allows.
MAX_FILES = 10_240

logger = logging.getLogger(__name__)


class Worker(Process):
    """A process that serves, on Linux with its own socket.

    Linux distributes new connections among the sockets that share a port. With a single socket the
    process that wakes up first takes all waiting connections, and the others stay idle.
    """

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = DrainingServer(self.config)
        return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve at the address of the supervisor's socket."""
        assert sockets
        if SHARES_PORT:
            # This socket listens once the model is loaded; until then others get the connections.
            sockets = [share_port(sockets[0].family, sockets[0].getsockname())]
        super().target(sockets)


class Supervisor(Multiprocess):
    """Starts the processes that serve, replaces those that die, and forwards SIGHUP to them."""

    def init_processes(self) -> None:
        self.started: dict[int, float] = {}
        self.processes = [self.start_process(index) for index in range(self.processes_num)]

    def start_process(self, index: int) -> Process:
        """Start the process with this index in the list of processes."""
        self.started[index] = time.monotonic()
        make_private_folder(Path(os.environ[telemetry.FOLDER]))
        process = Worker(self.config, self.sockets)
        # The process inherits this, and unblocks the signal once it can reload its model.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        return process

    def handle_hup(self) -> None:
        """Make every process reload its model; uvicorn would replace the processes."""
        for process in self.processes:
            if process.pid is not None and process.process.is_alive():
                os.kill(process.pid, signal.SIGHUP)

    def handle_ttin(self) -> None:
        """Do nothing: uvicorn would start a process without its own socket."""

    def handle_ttou(self) -> None:
        """Do nothing: terminals send this signal to jobs in the background."""

    def keep_subprocess_alive(self) -> None:
        """Start another process for each that ended.

        uvicorn would also kill processes that do not answer it within 5 seconds, for example while
        they start on a busy machine. A process that fails to start stops the service only if no
        other process is left.
        """
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.process.is_alive():
                continue
            process.join()
            are_alive = any(other.process.is_alive() for other in self.processes)
            if process.exitcode == STARTUP_FAILURE and not are_alive:
                self.should_exit.set()
                return
            if time.monotonic() - self.started[index] < RESTART_SECONDS:
                continue
            logger.error("process %d ended (%s), another starts", process.pid, process.exitcode)
            try:
                self.processes[index] = self.start_process(index)
            except OSError as error:
                # The other processes go on serving, and this is tried again.
                logger.error("no process can start in its place: %s", error)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises
    ------
    UserError
        If the address is not this machine's, or the port is in use or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(
            f"cannot listen on {host}, port {port}: {reason}", "choose with --host and --port"
        ) from error
    found.set_inheritable(True)
    return found


def share_port(family: int, address: tuple) -> socket.socket:
    """Return a socket that does not listen yet, at an address that other sockets may share."""
    shared = socket.socket(family)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        # As in ``bind``: IPv6 only, not also IPv4.
        shared.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    shared.bind(address)
    return shared


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def name_hosts(host: str, others: list[str]) -> frozenset[str]:
    """Return the host names that requests may use; none, which allows any, if not on loopback."""
    if not is_loopback(host):
        return frozenset()
    names = {"localhost", "127.0.0.1", "::1", host, *others}
    return frozenset(name.lower() for name in names)


def raise_file_limit() -> None:
    """Raise the limit of open files, which include connections, as far as it can be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def supervise(config: uvicorn.Config, address: socket.socket) -> None:
    """Serve with several processes until a signal stops them.

    Raises
    ------
    UserError
        If a process fails to start.
    """
    with address:
        supervisor = Supervisor(config, [address])
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise UserError("a process that serves could not start", "see the log above")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Serve the model.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="0: any free port")
    parser.add_argument(
        "--allow-host", action="append", default=[], help="another host name that requests may use"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that serve")
    point = parser.add_mutually_exclusive_group()
    point.add_argument(
        "--threshold", type=float, help="least probability of the positive label (params.yaml's)"
    )
    point.add_argument(
        "--max-fpr", type=float, help="or the lowest one with this false-positive rate"
    )
    parser.add_argument(
        "--coverage", type=float, help="share of numbers within their interval (params.yaml's)"
    )
    parser.add_argument("--access-log", action="store_true", help="log every request")
    parser.add_argument("--log-messages", action="store_true", help="log the messages or rows, too")
    parser.add_argument(
        "--timeout", type=float, default=10, help="seconds that a client may take to send a request"
    )
    parser.add_argument("--model", type=Path, default=Path(MODEL))
    parser.add_argument(
        "--points", type=Path, help="operating points for --max-fpr (beside the model)"
    )
    parser.add_argument(
        "--allow-changed-code", action="store_true", help="serve a model of other code anyway"
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--lock", type=Path, default=Path("dvc.lock"))
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="evaluation results")
    return parser


def read_settings(args: argparse.Namespace, folder: Path) -> Settings:
    """Return the settings from the command line and the environment."""
    return Settings(
        model=args.model,
        params=args.params,
        points=args.points or name_points(args.model),
        reports=args.reports,
        lock=args.lock,
        folder=folder,
        threshold=args.threshold,
        max_fpr=args.max_fpr,
        coverage=args.coverage,
        token=os.environ.get("SERVICE_TOKEN", ""),
        feedback_url=os.environ.get("FEEDBACK_URL", ""),
        allow_changed_code=args.allow_changed_code,
        logs_messages=args.log_messages,
        seconds=args.timeout,
        hosts=name_hosts(args.host, args.allow_host),
    )


def run_service(args: argparse.Namespace, folder: Path) -> None:
    """Serve as ``args`` say, with ``folder``, which is private, for temporary files."""
    settings = read_settings(args, folder)
    found = load_newest(settings)
    if settings.feedback_url:
        open_store(settings.feedback_url).dispose()
    listening = bind(args.host, args.port)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    logger.info("model %s is served on http://%s:%d/", found.version, shown, port)
    if not settings.token and not is_loopback(args.host):
        logger.warning("anyone who can reach %s can use it: set SERVICE_TOKEN", args.host)
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
    if args.workers == 1:
        DrainingServer(config).run([listening])
        return
    os.environ[telemetry.FOLDER] = str(folder)
    if SHARES_PORT:
        family, address = listening.family, listening.getsockname()
        # Listening has shown that no other program uses the port.
        listening.close()
        listening = share_port(family, address)
    supervise(config, listening)


def main(argv: list[str] | None = None) -> None:
    """Serve the model that ``argv`` names, until a signal stops it."""
    args = build_parser().parse_args(argv)
    for name in ("workers", "timeout"):
        if not 0 < getattr(args, name) < math.inf:
            raise UserError(f"--{name} is {getattr(args, name):g}", "give more than 0")
    if not 0 <= args.port <= MAX_PORT:
        raise UserError(f"--port is {args.port}", f"give a number from 0 to {MAX_PORT}")
    token = os.environ.get("SERVICE_TOKEN", "")
    if token != token.strip():
        raise UserError(
            "SERVICE_TOKEN has white space around it, which no client can send", "remove it"
        )
    raise_file_limit()
    # Before the model is loaded there is nothing to reload, and the signal would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # uvicorn raises the signal that stopped it again: with this the folder is still removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="serve-") as name:
        run_service(args, Path(name))


def run_program() -> None:
    # The file system may be read-only, and several processes cannot share a rotated log file.
    run_stage(main, log_file=None)
