"""Sources that are inside an archive: a zip file, or a wheel of the package index."""

import lzma
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from core.errors import UserError
from storage.sources.files import choose_name
from storage.sources.limits import Limits, read_chunks, write_chunks

# What zipfile raises for damaged or encrypted archives and unsupported compression methods.
UNREADABLE_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
)


def download_wheel(requirement: str, folder: Path, limits: Limits) -> Path:
    """Download the wheel of ``package==version`` with pip, without installing it."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    patience = ["--retries=1", f"--timeout={limits.timeout}"]
    # pip's progress bar goes to standard output, its errors to standard error.
    command = [sys.executable, "-m", "pip", "download", *options, *patience, requirement]
    run = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[-1] if errors else run.stderr.strip()
        raise UserError(f"pip download failed with status {run.returncode}: {reason}")
    wheel = next(folder.glob("*.whl"))
    limits.check_size(wheel.stat().st_size)
    return wheel


def extract_member(archive: Path, member: str, folder: Path, limits: Limits) -> Path:
    """Extract one member of a zip archive or wheel into ``folder``."""
    try:
        with zipfile.ZipFile(archive) as opened:
            size = opened.getinfo(member).file_size
            with opened.open(member) as file:
                return write_chunks(read_chunks(file), folder / choose_name(member), limits, size)
    except KeyError as error:
        raise UserError(f"{archive.name} has no member {member!r}") from error
    except UserError:
        raise
    except UNREADABLE_ZIP as error:
        raise UserError(
            f"{archive.name} is not a zip archive, or is damaged or encrypted ({error})"
        ) from error
