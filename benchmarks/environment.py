"""An environment of its own for the packages that a benchmark compares with."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def install(requirements: Path, environment: Path) -> None:
    """Make an environment with pinned packages, unless it exists with the same pins."""
    stamp = environment / "requirements.txt"
    if stamp.is_file() and stamp.read_bytes() == requirements.read_bytes():
        return
    print(f"installing the peers in {environment.relative_to(ROOT)}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    run = subprocess.run([*pip, "install", "-qq", "--require-hashes", "-r", str(requirements)])
    if run.returncode:
        sys.exit("the peers could not be installed: see pip's message above")
    shutil.copy(requirements, stamp)
