"""Name the outputs in ``dvc.lock`` whose objects on the remote are damaged or missing.

By hand: python src damage
         python src damage --delete

``make pull`` runs it after a failure, since DVC names what it could not fetch but not why. Objects
that are in the cache are not checked.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from core.errors import exit_on_user_error
from core.processes import run_dvc
from storage.s3 import Remote, open_client, read_remote, translate_errors

BLOCK_BYTES = 1_000_000


def compute_md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def read_outputs(lock: Path) -> dict[str, str]:
    """Return the outputs in ``dvc.lock`` that the checkout lacks, with their MD5."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"].values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}
    return {
        path: md5
        for path, md5 in outs.items()
        if not (Path(path).is_file() and compute_md5(Path(path)) == md5)
    }


def locate(md5: str) -> str:
    """Return the path of an object within a cache or a remote."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def open_object(client: Any, remote: Remote, md5: str) -> Any:
    """Return an object of the remote as a binary file, None if it is missing."""
    key = f"{remote.prefix}/{locate(md5)}".lstrip("/")
    try:
        return client.get_object(Bucket=remote.bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None


def find_damaged(
    client: Any, remote: Remote, outputs: dict[str, str], cache: Path
) -> Iterator[tuple[str, str, str]]:
    """Yield path, MD5, and ``damaged`` or ``missing``, for each object that cannot be fetched."""
    for path, md5 in outputs.items():
        is_folder = md5.endswith(".dir")
        is_cached = (cache / locate(md5)).is_file()
        if is_cached and not is_folder:
            continue
        file = (cache / locate(md5)).open("rb") if is_cached else open_object(client, remote, md5)
        if file is None:
            yield path, md5, "missing"
            continue
        found, listing = hashlib.md5(), b""
        with closing(file):
            for block in iter(partial(file.read, BLOCK_BYTES), b""):
                found.update(block)
                listing += block if is_folder else b""
        if found.hexdigest() != md5.removesuffix(".dir"):
            yield path, md5, "damaged"
        elif is_folder:
            files = {f"{path}/{entry['relpath']}": entry["md5"] for entry in json.loads(listing)}
            yield from find_damaged(client, remote, files, cache)


def main(argv: list[str] | None = None) -> bool:
    """Print a line for each object that cannot be fetched; return whether all can be."""
    parser = argparse.ArgumentParser(description="Name damaged and missing objects of the remote.")
    parser.add_argument("--delete", action="store_true", help="delete the damaged ones")
    args = parser.parse_args(argv)
    remote = read_remote(Path(".dvc"))
    cache = Path(run_dvc("cache", "dir").strip())
    is_whole = True
    with open_client() as client, translate_errors(client, remote):
        outputs = read_outputs(Path("dvc.lock"))
        for path, md5, state in find_damaged(client, remote, outputs, cache):
            is_whole = False
            place = f"{remote.url}/{locate(md5)}"
            if state == "missing":
                print(
                    f"{path} is missing on the remote ({place}): "
                    "run 'make push' in a clone that has the file"
                )
            elif args.delete:
                key = f"{remote.prefix}/{locate(md5)}".lstrip("/")
                client.delete_object(Bucket=remote.bucket, Key=key)
                print(f"{path}: deleted {place}; run 'make push' in a clone that has the file")
            else:
                print(
                    f"{path} is damaged on the remote ({place} does not have that MD5): run "
                    "'python src damage --delete', then 'make push' in a clone that has the file"
                )
    return is_whole


def run_program() -> None:
    with exit_on_user_error("damage"):
        is_whole = main()
    sys.exit(0 if is_whole else 1)
