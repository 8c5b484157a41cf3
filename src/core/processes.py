"""Run other programs: DVC, GTO, Git."""

import subprocess
import sys

from core.errors import UserError


def run(*command: str) -> str:
    """Run a command and return what it printed.

    Raises
    ------
    UserError
        If it fails; the message is the line it printed that starts with ERROR, or its last line.
    """
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        lines = (ran.stderr.strip() or ran.stdout.strip() or "no message").splitlines()
        reason = next((line for line in lines if line.startswith("ERROR: ")), lines[-1])
        name = " ".join(part for part in command if part != sys.executable)
        raise UserError(f"'{name}' failed: {reason.removeprefix('ERROR: ')}")
    return ran.stdout


def run_dvc(*arguments: str) -> str:
    """Run DVC as ``run`` does."""
    return run(sys.executable, "-m", "dvc", *arguments)
