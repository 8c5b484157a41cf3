"""Create the bucket of the DVC remote, or fix the settings of an existing one.

By hand: python src remote_setup --bucket s3://NAME/dvc --region eu-central-1

The bucket becomes private, versioned and encrypted at rest, deletes incomplete uploads, and refuses
plain http. Its other settings, rules and policy statements are kept. A server that lacks one of
these settings is accepted only with --allow-missing. Keys come from the standard AWS chain, the
server's address from AWS_ENDPOINT_URL. The remote's URL is written to .dvc/config.local.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from core.errors import UserError, exit_on_user_error
from storage.s3 import (
    Remote,
    open_client,
    read_config,
    read_remote,
    translate_errors,
    write_probe,
)

DVC_FOLDER = Path(".dvc")
RULE = "abort-incomplete-uploads"
DAYS_TO_UPLOAD = 7
SECONDS_TO_TAKE_EFFECT = 5
NOT_SET = (
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchLifecycleConfiguration",
    "NoSuchBucketPolicy",
)
# A server that ignores which setting a request names reads it as a request to create the bucket.
UNSUPPORTED = (
    "NotImplemented",
    "MethodNotAllowed",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
)


def amend_public_access(current: dict, arn: str) -> dict | None:  # noqa: ARG001
    """Return the change that blocks public access, None if it is blocked."""
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    wanted = {"PublicAccessBlockConfiguration": dict.fromkeys(names, True)}
    return None if current == wanted else wanted


def amend_versioning(current: dict, arn: str) -> dict | None:  # noqa: ARG001
    """Return the change that enables versioning, None if it is enabled."""
    if current.get("Status") == "Enabled":
        return None
    return {"VersioningConfiguration": {"Status": "Enabled"}}


def amend_encryption(current: dict, arn: str) -> dict | None:  # noqa: ARG001
    """Return the change that enables encryption at rest, None if it is enabled with any key."""
    if current.get("ServerSideEncryptionConfiguration", {}).get("Rules"):
        return None
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def amend_lifecycle(current: dict, arn: str) -> dict | None:  # noqa: ARG001
    """Return the rules plus one that aborts incomplete uploads, None if one already does."""
    rules = current.get("Rules", [])
    for rule in rules:
        whole = not rule.get("Prefix") and rule.get("Filter", {}) in ({}, {"Prefix": ""})
        if whole and rule["Status"] == "Enabled" and "AbortIncompleteMultipartUpload" in rule:
            return None
    # S3 refuses rules with a filter together with older ones, which have a prefix instead.
    scope = (
        {"Prefix": ""} if any("Prefix" in rule for rule in rules) else {"Filter": {"Prefix": ""}}
    )
    days = {"DaysAfterInitiation": DAYS_TO_UPLOAD}
    ours = {"ID": RULE, "Status": "Enabled", **scope, "AbortIncompleteMultipartUpload": days}
    kept = [rule for rule in rules if rule.get("ID") != RULE]
    size = "TransitionDefaultMinimumObjectSize"
    others = {size: current[size]} if size in current else {}
    return {"LifecycleConfiguration": {"Rules": [*kept, ours]}, **others}


def amend_policy(current: dict, arn: str) -> dict | None:
    """Return the policy plus a statement that refuses plain http, None if it has that already.

    Raises
    ------
    NotImplementedError
        If the server returned something that is not a policy.
    """
    ours = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    try:
        policy = json.loads(current.get("Policy", '{"Version": "2012-10-17", "Statement": []}'))
    except json.JSONDecodeError as error:
        raise NotImplementedError("not supported by this server") from error
    statements = policy["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    # A server may add an id of its own to the statement.
    if any(statement | ours == statement for statement in statements):
        return None
    return {"Policy": json.dumps({**policy, "Statement": [*statements, ours]})}


# Name, wanted state, boto3's name, and the function that returns the change, if one is needed.
SETTINGS: list[tuple[str, str, str, Callable[[dict, str], dict | None]]] = [
    ("public access", "blocked", "public_access_block", amend_public_access),
    ("versioning", "enabled", "bucket_versioning", amend_versioning),
    ("encryption at rest", "enabled", "bucket_encryption", amend_encryption),
    ("incomplete uploads", "aborted", "bucket_lifecycle_configuration", amend_lifecycle),
    ("plain http", "refused", "bucket_policy", amend_policy),
]


def apply_setting(
    client: Any, remote: Remote, call: str, amend: Callable[[dict, str], dict | None]
) -> bool:
    """Fix one setting of the bucket; return whether it had to be changed.

    Raises
    ------
    NotImplementedError
        If the server does not know the setting, or accepts it without any effect.
    """
    bucket = remote.bucket
    arn = f"arn:{client.meta.partition}:s3:::{bucket}"
    # Over plain http the policy would lock out every client, the owner included.
    if call == "bucket_policy" and client.meta.endpoint_url.startswith("http:"):
        raise NotImplementedError("not refused, because this server is reached over plain http")

    def find_change() -> dict | None:
        try:
            current = getattr(client, f"get_{call}")(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOT_SET:
                raise
            current = {}
        return amend({key: current[key] for key in current if key != "ResponseMetadata"}, arn)

    try:
        change = find_change()
        if change is None:
            return False
        getattr(client, f"put_{call}")(Bucket=bucket, **change)
        # A server may need a moment until it returns the new setting.
        deadline = time.monotonic() + SECONDS_TO_TAKE_EFFECT
        while find_change() is not None:
            if time.monotonic() > deadline:
                raise NotImplementedError("not supported by this server")
            time.sleep(0.5)
    except ClientError as error:
        if error.response["Error"]["Code"] in UNSUPPORTED:
            raise NotImplementedError("not supported by this server") from error
        raise
    if call == "bucket_encryption":
        try_encryption(client, remote)
    return True


def try_encryption(client: Any, remote: Remote) -> None:
    """Write a test object, and switch encryption off again if the server fails to store it.

    Raises
    ------
    NotImplementedError
        If it fails: SeaweedFS accepts the setting without having a key, then stores nothing.
    """
    try:
        write_probe(client, remote)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            raise
        client.delete_bucket_encryption(Bucket=remote.bucket)
        raise NotImplementedError("not supported by this server, which has no key") from error


def create_bucket(client: Any, bucket: str) -> bool:
    """Create the bucket in the client's region unless it exists; return whether it was created."""
    try:
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        return False
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
    region = client.meta.region_name
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    client.create_bucket(Bucket=bucket, **({} if region == "us-east-1" else elsewhere))
    return True


def set_up(client: Any, remote: Remote) -> tuple[int, list[str]]:
    """Set up the bucket, print a line for each setting; return the changes and what is missing."""
    changed = int(create_bucket(client, remote.bucket))
    print(f"bucket {remote.bucket}: {'created' if changed else 'there already'}")
    lacking = []
    for name, state, call, amend in SETTINGS:
        try:
            is_new = apply_setting(client, remote, call, amend)
            print(f"{name}: {'' if is_new else 'already '}{state}")
            changed += is_new
        except NotImplementedError as error:
            print(f"{name}: {error}")
            lacking.append(name)
    return changed, lacking


def write_url(remote: Remote) -> bool:
    """Write the remote's URL to .dvc/config.local; return whether that changed the file."""
    local = read_config(DVC_FOLDER / "config.local")
    if local.get(f'remote "{remote.name}"', "url", fallback=None) == remote.url:
        return False
    dvc = [sys.executable, "-m", "dvc", "remote", "modify", "--local", remote.name, "url"]
    subprocess.run([*dvc, remote.url], check=True)
    return True


def main(argv: list[str] | None = None) -> None:
    """Set up the bucket that ``argv`` names, and make it the remote of this checkout."""
    parser = argparse.ArgumentParser(description="Create or check the bucket of the DVC remote.")
    parser.add_argument("--bucket", metavar="URL", help="s3://NAME/PREFIX (the remote's)")
    parser.add_argument("--region", help="region of a new bucket (AWS_DEFAULT_REGION)")
    parser.add_argument(
        "--allow-missing", action="store_true", help="accept a server that lacks a setting"
    )
    args = parser.parse_args(argv)
    remote = read_remote(DVC_FOLDER, args.bucket)
    with open_client(args.region) as client, translate_errors(client, remote):
        changed, lacking = set_up(client, remote)
    if lacking and not args.allow_missing:
        names = ", ".join(lacking)
        raise UserError(
            f"not possible on this server: {names}", "use another one, or add --allow-missing"
        )
    is_new = write_url(remote)
    print(f"remote {remote.name}: {remote.url} {'' if is_new else 'already '}in .dvc/config.local")
    if not changed + is_new:
        print("nothing had to be changed")


def run_program() -> None:
    with exit_on_user_error("remote_setup"):
        main()
