"""Create the bucket of the DVC remote, or correct the settings of an existing one.

By hand: python src remote_setup --bucket s3://NAME/dvc --region eu-central-1

The bucket becomes private, versioned and encrypted at rest, forgets uploads that never ended, and
refuses plain http. What else it has, rules and statements of others included, stays. A server that
lacks one of these will do only with --allow-missing. Keys come from the standard AWS chain, the
server's address from AWS_ENDPOINT_URL. The remote's URL goes to .dvc/config.local.
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

from core.errors import UserError
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
# A server that ignores which setting a request is about takes it for one to create the bucket.
UNSUPPORTED = (
    "NotImplemented",
    "MethodNotAllowed",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
)


def amend_public_access(current: dict, arn: str) -> dict | None:  # noqa: ARG001
    """Return what blocks public access, None if it is blocked."""
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    wanted = {"PublicAccessBlockConfiguration": dict.fromkeys(names, True)}
    return None if current == wanted else wanted


def amend_versioning(current: dict, arn: str) -> dict | None:  # noqa: ARG001
    """Return what enables versioning, None if it is enabled."""
    if current.get("Status") == "Enabled":
        return None
    return {"VersioningConfiguration": {"Status": "Enabled"}}


def amend_encryption(current: dict, arn: str) -> dict | None:  # noqa: ARG001
    """Return what enables encryption at rest, None if it is enabled, with whatever key."""
    if current.get("ServerSideEncryptionConfiguration", {}).get("Rules"):
        return None
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def amend_lifecycle(current: dict, arn: str) -> dict | None:  # noqa: ARG001
    """Return the rules and one that aborts incomplete uploads, None if one does already."""
    rules = current.get("Rules", [])
    for rule in rules:
        whole = not rule.get("Prefix") and rule.get("Filter", {}) in ({}, {"Prefix": ""})
        if whole and rule["Status"] == "Enabled" and "AbortIncompleteMultipartUpload" in rule:
            return None
    # S3 refuses a mixture of rules with a filter and of older ones, which have a prefix instead.
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
    """Return the policy and a statement that refuses plain http, None if it has that.

    Raises
    ------
    NotImplementedError
        If what the server returned is no policy.
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
    # Servers may return the same statement with an id of theirs.
    if any(statement | ours == statement for statement in statements):
        return None
    return {"Policy": json.dumps({**policy, "Statement": [*statements, ours]})}


# Each: what is set, to what, boto3's name for it, and what to change.
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
    """Correct one setting of the bucket; return whether anything had to be changed.

    Raises
    ------
    NotImplementedError
        If the server does not know the setting, or takes it without any effect.
    """
    bucket = remote.bucket
    arn = f"arn:{client.meta.partition}:s3:::{bucket}"
    # Such a policy would shut out everybody who asks this server, its owner included.
    if call == "bucket_policy" and client.meta.endpoint_url.startswith("http:"):
        raise NotImplementedError("not refused, for the server itself is reached by plain http")

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
        # Settings may take a moment until they can be read back.
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
    """Store something; switch encryption off again if that is what breaks the server.

    Raises
    ------
    NotImplementedError
        If it does: SeaweedFS takes the setting without having a key, then stores nothing.
    """
    try:
        write_probe(client, remote)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            raise
        client.delete_bucket_encryption(Bucket=remote.bucket)
        raise NotImplementedError("not supported by this server, which has no key") from error


def create_bucket(client: Any, bucket: str) -> bool:
    """Create the bucket in the client's region unless it is there; return whether it was not."""
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
    """Set up the bucket, print a line for each setting; return how many changed, which lack."""
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
    """Write the remote's URL to .dvc/config.local; return whether it was not there."""
    local = read_config(DVC_FOLDER / "config.local")
    if local.get(f'remote "{remote.name}"', "url", fallback=None) == remote.url:
        return False
    dvc = [sys.executable, "-m", "dvc", "remote", "modify", "--local", remote.name, "url"]
    subprocess.run([*dvc, remote.url], check=True)
    return True


def main(argv: list[str] | None = None) -> None:
    """Set up the bucket that ``argv`` names, and make it the remote of this checkout."""
    parser = argparse.ArgumentParser(description="Create or check the bucket of the DVC remote.")
    parser.add_argument("--bucket", metavar="URL", help="s3://NAME/PREFIX, default: the remote's")
    parser.add_argument("--region", help="of a new bucket, default: AWS_DEFAULT_REGION")
    parser.add_argument(
        "--allow-missing", action="store_true", help="accept a server that lacks a setting"
    )
    args = parser.parse_args(argv)
    remote = read_remote(DVC_FOLDER, args.bucket)
    with open_client(args.region) as client, translate_errors(client, remote):
        changed, lacking = set_up(client, remote)
    if lacking and not args.allow_missing:
        names = ", ".join(lacking)
        raise UserError(f"this server lacks: {names}; take another, or add --allow-missing")
    is_new = write_url(remote)
    print(f"remote {remote.name}: {remote.url} {'' if is_new else 'already '}in .dvc/config.local")
    if not changed + is_new:
        print("nothing had to be changed")


def run_program() -> None:
    """Run as a program."""
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"remote_setup: {error}")
