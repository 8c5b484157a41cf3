"""Check within five seconds that everything the pipeline needs works.

By hand: python src doctor

It must run before anything is installed, and on a Python that is too old. So it imports only the
standard library at the start.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.errors import UserError

SECONDS = 4
PYTHON = (3, 11)
FREE_GIGABYTES = 2
VENV = Path(".venv")


def check_python() -> str:

    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        fix = f"install Python {wanted} or newer, then make PYTHON=python{wanted} setup"
        raise UserError(f"{version} is too old", fix)
    return version


def check_environment() -> str:
    """Check that every package is installed in its pinned version; return how many there are."""
    if not (VENV / "bin" / "python").exists():
        raise UserError("there is no .venv", "make setup")
    requirements, stamp = Path("requirements.txt"), VENV / ".runtime"
    if not requirements.is_file():
        raise UserError(f"there is no {requirements}", f"git checkout {requirements}")
    if not stamp.exists() or stamp.stat().st_mtime < requirements.stat().st_mtime:
        raise UserError("requirements.txt is newer than .venv", "make setup")
    if Path(sys.prefix).resolve() != VENV.resolve():
        raise UserError(f"{sys.executable} is not the Python of .venv", "make doctor")
    import importlib.metadata

    pins = re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)( ;)?", requirements.read_text(), re.MULTILINE)
    wrong = []
    for name, pinned, is_conditional in pins:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = pinned if is_conditional else "missing"
        if found != pinned:
            wrong.append(f"{name} {found}, not {pinned}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise UserError("; ".join(wrong[:3]) + more, "make clean setup")
    return f"{len(pins)} packages as pinned"


def run(*command: str) -> str:
    """Return what a command prints, "" if it fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def check_git() -> str:
    """Return the branch, and how many files differ from its last commit."""
    if not shutil.which("git"):
        raise UserError("Git is not installed", "install it")
    if run("git", "rev-parse", "--is-inside-work-tree") != "true":
        raise UserError("this folder is not a Git repository", "git init, or git clone one")
    from core.identity import describe_missing, find_missing_identity

    missing = find_missing_identity()
    if missing:
        raise UserError(*describe_missing(missing))
    changed = run("git", "status", "--porcelain").splitlines()
    branch = run("git", "branch", "--show-current") or "no branch"
    return f"{branch}, {f'{len(changed)} uncommitted changes' if changed else 'clean'}"


def check_dvc() -> str:
    """Check that DVC runs and has the files it needs to fetch results; return its version."""
    if not Path(".dvc", "config").is_file():
        raise UserError("there is no .dvc/config", "git checkout .dvc/config")
    if not Path("dvc.lock").is_file():
        raise UserError("there is no dvc.lock", "git checkout dvc.lock, or make repro")
    version = run(sys.executable, "-m", "dvc", "--version")
    if not version:
        raise UserError("DVC does not run", "make setup")
    return version


def check_remote(write: bool = True) -> str:
    """Check that the remote can be read and, unless told otherwise, written; return where it is."""
    if sys.version_info < PYTHON:
        raise UserError("not tried, this Python is too old", "see above")
    from storage.s3 import open_client, read_remote, translate_errors, write_probe

    try:
        remote = read_remote(Path(".dvc"))
        with open_client() as client, translate_errors(client, remote):
            client.list_objects_v2(Bucket=remote.bucket, Prefix=remote.prefix, MaxKeys=1)
            if write:
                write_probe(client, remote)
    except ImportError as error:
        raise UserError(f"not tried, {error.name} is not installed", "make setup") from error
    return f"{remote.url} at {client.meta.endpoint_url}"


def check_disk() -> str:
    """Return how much disk space is free."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < FREE_GIGABYTES:
        raise UserError(
            f"only {free:.1f} GB are free, {FREE_GIGABYTES} are needed",
            "free some space, for example with dvc gc -w",
        )
    return f"{free:.1f} GB free"


def run_checks(checks: dict[str, Callable[[], str]], seconds: float) -> bool:
    """Run checks in parallel, print a line for each; return whether all passed."""
    deadline = time.monotonic() + seconds
    pool = concurrent.futures.ThreadPoolExecutor(len(checks))
    running = {name: pool.submit(check) for name, check in checks.items()}
    pool.shutdown(wait=False)
    healthy = True
    for name, future in running.items():
        try:
            print(f"ok   {name}: {future.result(max(0, deadline - time.monotonic()))}")
        except concurrent.futures.TimeoutError:
            healthy = False
            print(f"FAIL {name}: no answer in {seconds} s\n     fix: try again")
        except UserError as error:
            healthy = False
            print(f"FAIL {name}: {error.message}\n     fix: {error.fix}")
    return healthy


def main(argv: list[str] | None = None) -> bool:
    """Print what works and what does not; return whether everything works."""
    parser = argparse.ArgumentParser(description="Check that everything works.")
    parser.add_argument("--remote", action="store_true", help="only try to read the remote")
    if parser.parse_args(argv).remote:
        return run_checks({"remote": lambda: check_remote(write=False)}, SECONDS)
    checks = {
        "python": check_python,
        "environment": check_environment,
        "git": check_git,
        "dvc": check_dvc,
        "remote": check_remote,
        "disk": check_disk,
    }
    return run_checks(checks, SECONDS)


def run_program() -> None:
    is_healthy = main()
    sys.stdout.flush()
    # Do not wait for checks that hang.
    os._exit(0 if is_healthy else 1)
