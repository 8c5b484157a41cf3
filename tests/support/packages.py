"""Packages of models, and environments of their own to install them in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import package

UV = Path(sys.executable).with_name("uv")
PATHS = {
    "model": "models/model.skops",
    "params": "params.yaml",
    "lock": "dvc.lock",
    "reports": "reports",
}


def build_package(folder: Path, output: Path) -> Path:
    """Package the model in a folder such as the pipeline leaves; return the wheel."""
    argv = [f"--{name}={folder / path}" for name, path in PATHS.items()]
    package.main([*argv, f"--output={output}"])
    (wheel,) = output.glob("*.whl")
    return wheel


def make_environment(folder: Path, requirements: Path, wheels: list[Path]) -> Path:
    """Install packages of models where nothing else is but the requirements; return its Python.

    The test is skipped where the requirements cannot be fetched.
    """
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    pip = [UV, "pip", "install", "--quiet", "--python", python]
    run = subprocess.run(
        [*pip, "--require-hashes", "--requirement", requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        pytest.skip(f"{requirements} cannot be installed: {run.stderr[-500:]}")
    subprocess.run([*pip, "--no-index", "--no-deps", *wheels], check=True)
    return python


def clean_environment(**variables: str) -> dict[str, str]:
    """Return variables for a program that is installed elsewhere and may compile its modules."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | variables
