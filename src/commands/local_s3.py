"""Start or stop an S3 server on this machine, for sharing without a bucket in the cloud.

By hand: python src local_s3 start
         python src local_s3 stop

All checkouts of a user share one server for a bucket: links to the servers' folders are kept under
``$XDG_STATE_HOME`` (default ``~/.local/state``), where ``start`` in another checkout finds them.
"""

import argparse
import contextlib
import hashlib
import ipaddress
import os
import secrets
import shutil
import signal
import socket
import time
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import TextIO
from urllib.parse import urlsplit

from core.errors import UserError, exit_on_user_error
from core.files import atomic_path
from core.locks import take_lock, write_pid
from storage.s3 import Remote, RemoteError, open_client, read_remote, translate_errors

ADDRESS = "127.0.0.1"
PORT = 9090
PORTS_TO_TRY = 20
SECONDS_TO_START = 10
SECONDS_TO_STOP = 5
# The files in a server's folder.
FILES = {"env", "log", "objects", "pid"}
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# Checksums that servers other than AWS's accept, and few retries, so that a dead one fails soon.
SETTINGS = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "AWS_RETRY_MODE": "standard",
    "AWS_MAX_ATTEMPTS": "2",
}


def resolve_loopback(address: str) -> str:
    """Return the IP address of a name or address that only this machine can reach.

    Raises
    ------
    UserError
        If it is not an address of this machine, or other machines can reach it.
    """
    try:
        found = [info[4][0] for info in socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise UserError(
            f"{address!r} is not an address of this machine", f"use {ADDRESS}"
        ) from error
    if not address or not all(ipaddress.ip_address(number).is_loopback for number in found):
        raise UserError(f"{address!r} can be reached from other machines", f"use {ADDRESS}")
    return str(found[0])


def find_free_port(address: str, ports: range) -> int:
    """Return the first of ``ports`` that is free.

    Raises
    ------
    UserError
        If there is none.
    """
    for port in ports:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as sock:
            # Connections left by a server that has just ended do not keep the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((address, port))
            except (OSError, OverflowError):
                continue
            return port
    raise UserError(f"no port is free from {ports[0]} to {ports[-1]}", "name another with --port")


def read_settings(path: Path) -> dict[str, str]:
    """Return the variables of a file of NAME=value lines, {} if the file does not exist."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


def write_settings(settings: dict[str, str], path: Path) -> None:
    """Write variables to a file that only its owner may read."""
    with atomic_path(path) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def locate_links() -> Path:
    """Return the folder with a link to the folder of each server of this user."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "message-classification", "s3")


def link_server(folder: Path) -> None:
    """Make a link to a server's folder where the user's other checkouts look for it.

    Raises
    ------
    UserError
        If that place cannot be written to.
    """
    links, folder = locate_links(), folder.resolve()
    link = links / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    try:
        links.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(folder)
    except OSError as error:
        raise UserError(
            f"{links} cannot be written to ({error.strerror})",
            "name another folder in XDG_STATE_HOME",
        ) from error


def is_running(folder: Path) -> bool:
    """Return whether the server of a folder is running."""
    if not (folder / "pid").is_file():
        return False
    lock = take_lock(folder / "pid")
    if lock is not None:
        lock.close()
    return lock is None


def has_objects(folder: Path) -> bool:
    """Return whether a server's folder holds any object."""
    return any(path.is_file() for path in (folder / "objects").rglob("*"))


def find_server(bucket: str) -> Path | None:
    """Return the folder of a server of this user that has ``bucket``, preferably a running one."""
    folders = []
    for link in sorted(locate_links().glob("*")):
        if not link.exists():
            # Its checkout was removed.
            link.unlink(missing_ok=True)
        elif (link / "objects" / bucket).is_dir():
            folders.append(link.resolve())
    return max(folders, key=lambda path: (is_running(path), has_objects(path)), default=None)


def join_server(folder: Path, bucket: str) -> None:
    """Make ``folder`` a link to the folder of another checkout's server that has ``bucket``.

    Do nothing if there is no such server, or if the server of ``folder`` is running or has objects.
    """
    if folder.is_symlink():
        if folder.exists():
            return
        folder.unlink()
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if is_running(folder) or has_objects(folder) or not names <= FILES:
        return
    server = find_server(bucket)
    if server is None or server == folder.resolve():
        return
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.symlink_to(server)


def launch(folder: Path, settings: dict[str, str], address: str, lock: TextIO) -> Popen:
    """Start rclone on the objects in ``folder``, and pass it the lock.

    Raises
    ------
    UserError
        If rclone is not installed.
    """
    rclone = shutil.which("rclone")
    if rclone is None:
        raise UserError("rclone is not installed", "run 'make s3', which installs it")
    objects = folder / "objects"
    objects.mkdir(exist_ok=True)
    # Unfinished uploads of a server that was killed: no client was told that they succeeded.
    for pattern in (".rclone_temp_*", ".rclone_multipart_upload_*"):
        for left in objects.rglob(pattern):
            left.unlink()
    environment = {name: v for name, v in os.environ.items() if not name.startswith("RCLONE_")}
    # Not on the command line, which every user of the machine can read.
    environment["RCLONE_AUTH_KEY"] = f'"{settings[KEYS[0]]},{settings[KEYS[1]]}"'
    with (folder / "log").open("w") as log:
        process = Popen(
            [rclone, "serve", "s3", "--config", os.devnull, "--addr", address, str(objects)],
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            pass_fds=[lock.fileno()],
            start_new_session=True,
        )
    write_pid(process.pid, lock)
    return process


def create_bucket(settings: dict[str, str], remote: Remote, process: Popen | None = None) -> None:
    """Create the remote's bucket, unless it exists, as soon as the server answers.

    Raises
    ------
    RemoteError
        If the server does not answer in time, or its process ends.
    """
    server = open_client(
        settings["AWS_DEFAULT_REGION"],
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        aws_access_key_id=settings[KEYS[0]],
        aws_secret_access_key=settings[KEYS[1]],
    )
    deadline = time.monotonic() + SECONDS_TO_START
    with server as client:
        while True:
            try:
                with translate_errors(client, remote):
                    buckets = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
                    if remote.bucket not in buckets:
                        client.create_bucket(Bucket=remote.bucket)
                return
            except RemoteError:
                if time.monotonic() > deadline or (process and process.poll() is not None):
                    raise
                time.sleep(0.05)


def start(folder: Path, remote: Remote, address: str, port: int | None) -> tuple[str, bool]:
    """Start the server unless it is running; return its URL, and whether it had to be started.

    Keys, objects and, if still free, the port are those of the last run. If this checkout has no
    server with objects, another checkout's is used.

    Raises
    ------
    UserError
        If the address is not loopback, or no port is free.
    UserError
        If the server does not start.
    """
    host = resolve_loopback(address)
    join_server(folder, remote.bucket)
    folder.mkdir(mode=0o700, exist_ok=True)
    link_server(folder)
    settings = read_settings(folder / "env")
    lock = take_lock(folder / "pid")
    if lock is None:
        create_bucket(settings, remote)
        return settings["AWS_ENDPOINT_URL"], False
    with contextlib.ExitStack() as undo:
        undo.callback((folder / "pid").unlink)
        undo.callback(lock.close)
        first = port or urlsplit(settings.get("AWS_ENDPOINT_URL", "")).port or PORT
        port = find_free_port(host, range(first, first + (1 if port else PORTS_TO_TRY)))
        netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        keys = {name: settings.get(name) or secrets.token_hex(20) for name in KEYS}
        settings = {**keys, "AWS_ENDPOINT_URL": f"http://{netloc}", **SETTINGS}
        write_settings(settings, folder / "env")
        process = launch(folder, settings, netloc, lock)
        undo.callback(process.wait)
        undo.callback(process.kill)
        try:
            create_bucket(settings, remote, process)
        except RemoteError as error:
            raise UserError(error.message, f"see {folder / 'log'}") from error
        undo.pop_all()
    lock.close()
    # The server is meant to outlive this process: Popen would warn of it.
    process.returncode = 0
    return settings["AWS_ENDPOINT_URL"], True


def stop(folder: Path) -> bool:
    """Stop the server; return whether it was running."""
    path = folder / "pid"
    if not path.is_file():
        return False
    deadline = time.monotonic() + SECONDS_TO_STOP
    was_running = False
    while (lock := take_lock(path)) is None:
        was_running = True
        late = time.monotonic() > deadline
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(path.read_text()), signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.05)
    lock.close()
    path.unlink()
    return was_running


def main(argv: list[str] | None = None) -> None:
    """Start or stop the server, and print how to use it."""
    parser = argparse.ArgumentParser(description="Start or stop an S3 server on this machine.")
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--address", default=ADDRESS, help="loopback address to listen on")
    parser.add_argument("--port", type=int, help=f"default: that of the last run, or {PORT}")
    parser.add_argument("--folder", type=Path, default=Path(".s3"), help="for the server's files")
    args = parser.parse_args(argv)
    if args.action == "stop":
        print("stopped the S3 server" if stop(args.folder) else "the S3 server is not running")
        return
    remote = read_remote(Path(".dvc"))
    url, started = start(args.folder, remote, args.address, args.port)
    state = "started an S3 server" if started else "an S3 server is running already"
    print(f"{state} at {url}: make push and make pull use it until make s3-stop")
    if args.folder.is_symlink():
        print(f"it is shared with another checkout, its files are in {args.folder.resolve()}")
    print(f"for dvc in a shell of your own: set -a; source {args.folder / 'env'}; set +a")


def run_program() -> None:
    with exit_on_user_error("local_s3"):
        main()
