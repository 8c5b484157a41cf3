"""Fetch the raw data from the first source that works, and additions such as reviewed feedback.

By hand: python src/data_ingestion.py --params params.yaml --output data/raw/source \
    --additions data/raw/additions --origin data/raw/source.json
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import hashlib
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from core.errors import UserError
from core.files import empty_folder, replace, write_json
from core.log import run_stage, timed
from core.params import Params, read_params
from records.additions import FIRST_LINE, append, check_source
from storage.sources.fetch import Source, fetch_source, make_folder
from storage.sources.limits import Limits
from storage.sources.variables import hide_passwords

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


class IngestionParams(Limits):
    """The section ``data_ingestion`` of params.yaml; without ``sha256`` the source may change."""

    sources: list[Source] = Field(min_length=1)
    sha256: Digest = None
    additions: list[Addition]


def fetch_verified(params: IngestionParams, folder: Path) -> tuple[Path, dict[str, object]]:
    """Fetch into ``folder`` the first source that works and has the pinned SHA-256, if one is.

    Returns
    -------
    path : Path
        The fetched file.
    origin : dict
        Its ``sha256``; whether that is ``pinned``; if not, its ``source`` and when it was
        ``fetched``, otherwise None, because neither changes the bytes.

    Raises
    ------
    UserError
        If there is no such source; the message gives the reason for each.
    """
    reasons = []
    for i, source in enumerate(params.sources):
        name = hide_passwords(str(source))
        logger.info("fetching %s", name)
        # A separate folder: two sources may have the same file name.
        own_folder = make_folder(folder / str(i))
        try:
            with timed(logger, "fetched"):
                path = fetch_source(source, own_folder, params)
            digest = compute_digest(path)
            check_digest(digest, params.sha256, "data_ingestion.sha256")
        except (OSError, ValueError) as error:
            reasons.append(f"{name}: {hide_passwords(str(error))}")
            logger.warning("failed: %s", reasons[-1])
        else:
            return path, describe_origin(name, digest, params.sha256 is not None)
    raise UserError(
        f"no source gave the data ({'; '.join(reasons)})",
        "fix one of them in params.yaml under data_ingestion.sources",
    )


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


def describe_origin(name: str, digest: str, is_pinned: bool) -> dict[str, object]:
    """Return what ``fetch_verified`` returns about the origin; log how to pin it if it is not."""
    if is_pinned:
        return {"sha256": digest, "pinned": True, "source": None, "fetched": None}
    logger.info(
        "data_ingestion.sha256 is empty, so the data may change with the next fetch; to pin it, "
        "write 'sha256: %s' into params.yaml",
        digest,
    )
    fetched = datetime.now(UTC).isoformat(timespec="seconds")
    return {"sha256": digest, "pinned": False, "source": name, "fetched": fetched}


def fetch_additions(params: IngestionParams, source: Path, folder: Path) -> Path:
    """Fetch the additions into ``folder``, check their digests and join them in order.

    Parameters
    ----------
    params : IngestionParams
        Lists the additions.
    source : Path
        The fetched source; it is read only for its format, and not changed.
    folder : Path
        An empty folder.

    Returns
    -------
    Path
        A file that starts with ``FIRST_LINE``, followed by the rows of all additions.

    Raises
    ------
    UserError
        If an addition cannot be fetched, has another digest or none is pinned, or cannot be
        appended to other text.
    """
    whole = folder / "additions"
    whole.write_bytes(FIRST_LINE)
    for i, addition in enumerate(params.additions):
        key = f"data_ingestion.additions[{i}]"
        name = hide_passwords(addition.source)
        logger.info("adding %s", name)
        # A separate folder: two sources may have the same file name.
        own_folder = make_folder(folder / str(i))
        try:
            check_source(source)
            path = fetch_source(addition.source, own_folder, params)
            digest = compute_digest(path)
            if addition.sha256 is None:
                raise UserError(
                    f"{key}.sha256 is missing",
                    f"inspect the file, then add this line to params.yaml: 'sha256: {digest}'",
                )
            check_digest(digest, addition.sha256, f"{key}.sha256")
            append(path, whole)
        except (OSError, ValueError) as error:
            raise UserError(f"{key}, {name}: {hide_passwords(str(error))}") from error
        logger.info("%d bytes with the pinned SHA-256 added", path.stat().st_size)
    return whole


def main(argv: list[str] | None = None) -> None:
    """Fetch the source and the additions into the files that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Fetch the raw data and check its digest.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--output", type=Path, required=True, help="file for the source's bytes")
    parser.add_argument("--additions", type=Path, required=True, help="file for the additions")
    parser.add_argument(
        "--origin",
        type=Path,
        required=True,
        help="JSON: SHA-256 and, if it is not pinned, the source and the time",
    )
    args = parser.parse_args(argv)
    params = read_params(args.params, "data_ingestion", IngestionParams)

    with empty_folder(args.output.with_name("download.tmp")) as folder:
        for name in ("source", "additions"):
            (folder / name).mkdir()
        source, origin = fetch_verified(params, folder / "source")
        logger.info("%d bytes with SHA-256 %s", source.stat().st_size, origin["sha256"])
        additions = fetch_additions(params, source, folder / "additions")
        replace(source, args.output)
        replace(additions, args.additions)
        write_json(origin, args.origin)


if __name__ == "__main__":
    run_stage(main)
