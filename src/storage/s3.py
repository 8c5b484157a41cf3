"""Find the DVC remote in S3, open a client for it, and translate boto3's errors."""

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
# For each error code of a server: what is wrong, and how to fix it.
ERRORS = {
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
        "set AWS_DEFAULT_REGION to it",
    ),
}
ERRORS["AllAccessDisabled"] = ERRORS["403"] = ERRORS["AccessDenied"]
ERRORS["AuthorizationHeaderMalformed"] = ERRORS["PermanentRedirect"]
ERRORS["IllegalLocationConstraintException"] = ERRORS["PermanentRedirect"]


class RemoteError(UserError):
    """A problem with the remote that the user can fix."""


@dataclass(frozen=True)
class Remote:
    """A DVC remote: its name, its bucket, and the prefix of its objects."""

    name: str
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """The URL as in DVC's configuration."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def read_remote(folder: Path, url: str | None = None) -> Remote:
    """Return the default remote of DVC's configuration.

    Parameters
    ----------
    folder : Path
        The folder of ``config`` and, optionally, ``config.local``, which takes precedence.
    url : str, optional
        Takes precedence over both.

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
    """Read DVC's configuration; later files take precedence, missing files are skipped.

    Raises
    ------
    UserError
        If a file cannot be parsed.
    """
    config = configparser.ConfigParser(interpolation=None, strict=False)
    for path in paths:
        # DVC puts section names that contain quotes in quotes: ['remote "storage"'].
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        try:
            config.read_string(text.replace("['", "[").replace("']", "]"))
        except configparser.Error as error:
            raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return config


@contextmanager
def open_client(region: str | None = None, **settings: str) -> Iterator[Any]:
    """Open a boto3 client for S3 that times out within seconds if a server does not answer.

    Parameters
    ----------
    region : str, optional
        Default: that of the AWS configuration, else us-east-1.
    **settings : str
        Keyword arguments of boto3's ``client``, such as endpoint and keys; without them boto3
        looks in the environment and in the AWS configuration.

    Raises
    ------
    RemoteError
        If boto3 rejects the settings.
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
def translate_errors(client: Any, remote: Remote) -> Iterator[None]:
    """Translate boto3's exceptions inside the block into ``RemoteError``."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise RemoteError(*describe_error(error, client.meta.endpoint_url, remote)) from error


def write_probe(client: Any, remote: Remote) -> None:
    """Check that the remote can be written: store an empty object there, and delete it."""
    key = f"{remote.prefix}/probe-{uuid.uuid4().hex}".lstrip("/")
    stored = client.put_object(Bucket=remote.bucket, Key=key, Body=b"")
    # In a versioned bucket, only deleting that version removes the object completely.
    version = {"VersionId": stored["VersionId"]} if "VersionId" in stored else {}
    client.delete_object(Bucket=remote.bucket, Key=key, **version)


def describe_error(error: Exception, endpoint: str, remote: Remote) -> tuple[str, str]:
    """Return what an exception of boto3 says is wrong with a remote, and how to fix it."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError | exceptions.ParamValidationError):
        # The bucket's name is the only parameter from the user, so that is what boto3 rejects.
        response = getattr(error, "response", {"Error": {"Code": "InvalidBucketName"}})
        code = response["Error"]["Code"]
        problem, fix = ERRORS.get(code, (str(error), "ask the server's administrator"))
        return f"{endpoint}: {problem.format(bucket=remote.bucket)}", fix
    if isinstance(error, exceptions.NoCredentialsError):
        return "there is no access key with its secret", KEYS_FIX
    is_silent = isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)
    if is_silent and not isinstance(error, exceptions.SSLError):
        return f"{endpoint} does not answer", SERVER_FIX
    return f"{endpoint}: {error}", "fix the variables that begin with AWS_"
