"""A real PostgreSQL server on loopback, from the machine's packages."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "s3cr3t/?@word"


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; Debian keeps them away from the search path."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return Path(found).resolve().parent if found else (folders[-1] if folders else None)


@contextmanager
def run_postgres(programs: Path, port: int) -> Iterator[None]:
    """Run a new server that asks for a password, with a user and a database ``postgres``."""
    # PostgreSQL refuses to run as root; its package has a user of its own.
    user = "postgres" if os.geteuid() == 0 else None
    # That user cannot enter pytest's folders.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        password = Path(folder) / "password"
        password.write_text(PASSWORD)
        if user:
            for path in (folder, password):
                shutil.chown(path, user)
        options = ["--auth=scram-sha-256", "--username=postgres", f"--pwfile={password}"]
        options += ["--no-sync", "--encoding=UTF8", "--locale=C"]
        data = f"{folder}/data"
        subprocess.run(
            [programs / "initdb", *options, data],
            user=user,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        command = [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1"]
        command += ["-c", "unix_socket_directories=", "-c", "fsync=off"]
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(command, user=user, cwd=folder, stderr=log)
        try:
            wait_until_ready(programs, server, port)
            yield
        finally:
            # Without waiting for clients to leave.
            server.send_signal(signal.SIGINT)
            server.wait()


def wait_until_ready(programs: Path, server: subprocess.Popen, port: int) -> None:
    """Wait until the server answers."""
    check = [programs / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={port}"]
    deadline = time.monotonic() + 30
    while subprocess.run(check, check=False).returncode:
        assert server.poll() is None, "PostgreSQL has ended"
        assert time.monotonic() < deadline, "PostgreSQL does not answer"
        time.sleep(0.1)
