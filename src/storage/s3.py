"""Find the DVC remote in S3, open a client for it, and say in a sentence what is wrong with it."""

import configparser
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.errors import UserError

LOCAL_FIX = "make s3 starts a server on this machine, or uses the one of another clone"
KEYS_FIX = f"name both in .env (see .env.example); {LOCAL_FIX}"
SERVER_FIX = f"start it, or fix AWS_ENDPOINT_URL; {LOCAL_FIX}"
URL_FIX = "dvc remote modify --local storage url s3://NAME/dvc"
# What a server answers, in our words, and how to fix it.
FAULTS = {
    "NoSuchBucket": ("there is no bucket {bucket}", "make remote creates it"),
    "InvalidAccessKeyId": ("the access key is unknown", KEYS_FIX),
    "SignatureDoesNotMatch": ("the secret is not that of the access key", KEYS_FIX),
    "ExpiredToken": ("the session token has expired", "get a new one"),
    "InvalidToken": ("the session token is not valid", "get a new one"),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "set it"),
    "AccessDenied": (
        "these keys may not do that to the bucket {bucket}",
        "ask its owner, or name another: make remote ARGS='--bucket s3://NAME/dvc'",
    ),
    "BucketAlreadyExists": (
        "the bucket {bucket} belongs to someone else",
        "name another: make remote ARGS='--bucket s3://NAME/dvc'",
    ),
    "InvalidBucketName": (
        "{bucket} is not a valid bucket name",
        "use lower case, digits and hyphens: make remote ARGS='--bucket s3://NAME/dvc'",
    ),
    "PermanentRedirect": (
        "the bucket {bucket} is in another region",
        "name that one in AWS_DEFAULT_REGION",
    ),
}
FAULTS["AllAccessDisabled"] = FAULTS["403"] = FAULTS["AccessDenied"]
FAULTS["AuthorizationHeaderMalformed"] = FAULTS["PermanentRedirect"]
FAULTS["IllegalLocationConstraintException"] = FAULTS["PermanentRedirect"]


class RemoteError(UserError):
    """Something about the remote that its user can fix."""


@dataclass(frozen=True)
class Remote:
    """A DVC remote: its name, its bucket, and the prefix of its objects."""

    name: str
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """The URL as DVC's configuration has it."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def read_remote(folder: Path, url: str | None = None) -> Remote:
    """Return the default remote of DVC's configuration.

    Parameters
    ----------
    folder : Path
        Holds ``config`` and perhaps ``config.local``, whose values win.
    url : str, optional
        Wins over both.

    Raises
    ------
    UserError
        If there is no default remote, or its URL is not ``s3://bucket/prefix``.
    """
    config = read_config(folder / "config", folder / "config.local")
    name = config.get("core", "remote", fallback=None)
    if name is None:
        raise UserError(f"{folder / 'config'} names no default remote", "dvc remote default NAME")
    found = url or config.get(f'remote "{name}"', "url", fallback="")
    parts = urlsplit(found)
    if parts.scheme != "s3" or not parts.netloc:
        raise UserError(f"the remote is {found!r}, not s3://BUCKET/PREFIX", URL_FIX)
    return Remote(name, parts.netloc, parts.path.strip("/"))


def read_config(*paths: Path) -> configparser.ConfigParser:
    """Return DVC's configuration from files of which the later win; absent ones do not count.

    Raises
    ------
    UserError
        If a file cannot be parsed.
    """
    config = configparser.ConfigParser(interpolation=None, strict=False)
    for path in paths:
        # DVC quotes the names of sections that hold quotes: ['remote "storage"'].
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        try:
            config.read_string(text.replace("['", "[").replace("']", "]"))
        except configparser.Error as error:
            raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return config


@contextmanager
def open_client(region: str | None = None, **settings: str) -> Iterator[Any]:
    """Open a boto3 client for S3 that gives up on a dead server within seconds.

    Endpoint, keys and region come from the standard AWS chain where ``settings``, which are
    keyword arguments of ``boto3``'s ``client``, do not name them.

    Raises
    ------
    RemoteError
        If boto3 refuses the settings.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=2,
        read_timeout=3,
        retries={"total_max_attempts": 1, "mode": "standard"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        session = boto3.Session()
        region = region or session.region_name or "us-east-1"
        client = session.client("s3", region_name=region, config=config, **settings)
    except (BotoCoreError, ValueError) as error:
        raise RemoteError(str(error), "fix the variables that begin with AWS_") from error
    with closing(client):
        yield client


@contextmanager
def explained(client: Any, remote: Remote) -> Iterator[None]:
    """Turn what goes wrong while a client is used into a sentence.

    Raises
    ------
    RemoteError
        In place of boto3's exceptions.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise RemoteError(*explain(error, client.meta.endpoint_url, remote)) from error


def write_probe(client: Any, remote: Remote) -> None:
    """Store an empty object among the remote's, and delete it."""
    key = f"{remote.prefix}/probe-{uuid.uuid4().hex}".lstrip("/")
    stored = client.put_object(Bucket=remote.bucket, Key=key, Body=b"")
    # With its version, a versioned bucket forgets it altogether.
    version = {"VersionId": stored["VersionId"]} if "VersionId" in stored else {}
    client.delete_object(Bucket=remote.bucket, Key=key, **version)


def explain(error: Exception, endpoint: str, remote: Remote) -> tuple[str, str]:
    """Return what is wrong with a remote, and how to fix it, for an exception of boto3's."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError | exceptions.ParamValidationError):
        # What boto3 itself refuses here is the name: nothing else comes from the user.
        response = getattr(error, "response", {"Error": {"Code": "InvalidBucketName"}})
        code = response["Error"]["Code"]
        fault, fix = FAULTS.get(code, (str(error), "ask whoever runs the server"))
        return f"{endpoint}: {fault.format(bucket=remote.bucket)}", fix
    if isinstance(error, exceptions.NoCredentialsError):
        return "there is no access key with its secret", KEYS_FIX
    silent = isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)
    if silent and not isinstance(error, exceptions.SSLError):
        return f"{endpoint} does not answer", SERVER_FIX
    return f"{endpoint}: {error}", "fix the variables that begin with AWS_"
