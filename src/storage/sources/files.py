"""Sources that are one file: on the web, in S3, on this machine."""

from pathlib import Path, PurePosixPath

import fsspec
import requests

from core.errors import UserError
from storage.sources.limits import CHUNK_BYTES, Limits, read_chunks, write_chunks

# Characters kept of a fetched file's name: at most 240 bytes in UTF-8, and file systems allow 255.
NAME_LENGTH = 60


def choose_name(path: str) -> str:
    """Return the end of a path's last name, to name the fetched file."""
    return PurePosixPath(path).name[-NAME_LENGTH:] or "download"


def download_http(url: str, target: Path, limits: Limits) -> Path:
    """Download one http or https URL to ``target``."""
    with requests.get(url, stream=True, timeout=limits.timeout) as response:
        response.raise_for_status()
        size = int(response.headers.get("Content-Length", 0)) or None
        return write_chunks(response.iter_content(CHUNK_BYTES), target, limits, size)


def copy_fsspec(url: str, target: Path, limits: Limits) -> Path:
    """Copy a local file, or any URL that fsspec knows, to ``target``."""
    options = {}
    if url.startswith("s3://"):
        options["config_kwargs"] = {
            "connect_timeout": limits.timeout,
            "read_timeout": limits.timeout,
            "retries": {"max_attempts": 1},
        }
    try:
        with fsspec.open(url, "rb", **options) as file:
            return write_chunks(read_chunks(file), target, limits, getattr(file, "size", None))
    except IsADirectoryError as error:
        raise UserError("it is a folder", "name a file in it") from error
    except (OSError, UserError):
        raise
    except Exception as error:  # each file system of fsspec has its own types
        raise UserError(f"{type(error).__name__}: {error}") from error
