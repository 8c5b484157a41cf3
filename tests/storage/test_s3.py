"""Tests of finding the DVC remote and translating boto3's errors."""

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from storage.s3 import Remote, RemoteError, open_client, read_config, read_remote, translate_errors
from tests.conftest import find_free_port

REMOTE = Remote("storage", "a-bucket", "dvc")
CONFIG = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://a-bucket/dvc/\n"


def test_the_default_remote_is_that_of_the_committed_configuration(tmp_path):
    (tmp_path / "config").write_text(CONFIG)
    remote = read_remote(tmp_path)
    assert remote == REMOTE
    assert remote.url == "s3://a-bucket/dvc"


def test_the_local_configuration_and_then_the_caller_take_precedence(tmp_path):
    (tmp_path / "config").write_text(CONFIG)
    local = "[core]\n    remote = mine\n['remote \"mine\"']\n    url = s3://100%25-mine\n"
    (tmp_path / "config.local").write_text(local)
    assert read_remote(tmp_path) == Remote("mine", "100%25-mine", "")
    assert read_remote(tmp_path).url == "s3://100%25-mine"
    assert read_remote(tmp_path, "s3://yours/a/b") == Remote("mine", "yours", "a/b")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "names no default remote"),
        (CONFIG.replace("s3://a-bucket/dvc/", "/mnt/share"), "the remote is '/mnt/share', not s3"),
        (CONFIG.replace("s3://a-bucket/dvc/", "s3:///dvc"), "the remote is 's3:///dvc', not s3"),
        (CONFIG.replace("['remote \"storage\"']", "[other]"), "the remote is '', not s3"),
        ("core\n", "config: File contains no section headers"),
    ],
)
def test_refuses_a_configuration_without_a_remote_in_s3(tmp_path, config, message):
    (tmp_path / "config").write_text(config)
    with pytest.raises(ValueError, match=message):
        read_remote(tmp_path)


def test_a_missing_configuration_is_empty(tmp_path):
    assert read_config(tmp_path / "config").sections() == []


def test_a_client_takes_its_region_from_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with open_client() as client:
        assert client.meta.region_name == "eu-west-1"
    with open_client("eu-north-1") as client:
        assert client.meta.region_name == "eu-north-1"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_PROFILE", "nobody", r"The config profile \(nobody\) could not be found: fix"),
        ("AWS_ENDPOINT_URL", "no url", "Invalid endpoint: no url: fix"),
    ],
)
def test_reports_settings_that_boto3_rejects(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(RemoteError, match=message), open_client():
        pass


@pytest.fixture
def dead():
    """Open a client for a server that is not there."""
    url = f"http://127.0.0.1:{find_free_port()}"
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    with open_client(endpoint_url=url, **keys) as client:
        yield client


def test_reports_a_dead_server(dead):
    message = f"^{dead.meta.endpoint_url} does not answer: start it"
    with pytest.raises(RemoteError, match=message), translate_errors(dead, REMOTE):
        dead.list_buckets()


def make_error(code):
    return exceptions.ClientError({"Error": {"Code": code, "Message": "no\nway"}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (make_error("NoSuchBucket"), "there is no bucket a-bucket: make remote creates it"),
        (make_error("InvalidAccessKeyId"), "the access key is unknown: name both in .env"),
        (make_error("SignatureDoesNotMatch"), "the secret is not that of the access key: name"),
        (make_error("ExpiredToken"), "the session token has expired: get a new one"),
        (make_error("AccessDenied"), "these keys may not do that to the bucket a-bucket: ask"),
        (make_error("403"), "these keys may not do that to the bucket a-bucket: ask"),
        (make_error("BucketAlreadyExists"), "the bucket a-bucket belongs to someone else: name"),
        (make_error("AuthorizationHeaderMalformed"), "the bucket a-bucket is in another region"),
        (exceptions.ParamValidationError(report="r"), "a-bucket is not a valid bucket name: use"),
        (make_error("Odd"), "(Odd) when calling the GetObject operation: no way: ask the server's"),
        (exceptions.NoCredentialsError(), "there is no access key with its secret: name both"),
        (exceptions.SSLError(endpoint_url="u", error="e"), "SSL validation failed for u e: fix"),
        (exceptions.ReadTimeoutError(endpoint_url="u"), " does not answer: start it"),
        (ResponseParserError("invalid XML\nreceived"), "invalid XML received: fix"),
    ],
)
def test_each_error_is_a_sentence_with_a_fix(dead, error, message):
    with pytest.raises(RemoteError) as caught, translate_errors(dead, REMOTE):
        raise error
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_does_not_change_other_exceptions(dead):
    with pytest.raises(ZeroDivisionError), translate_errors(dead, REMOTE):
        raise ZeroDivisionError
